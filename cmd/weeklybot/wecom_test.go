package main

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	wecomtwin "weeklybot/adapters/wecom/twin"
	"weeklybot/internal/needs"
)

// A WeCom group asks, subscribes, and gets its digest, all through the AI bot.
func TestWecomGroupSubscribesByTalking(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"embedded", "redis"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			redisURL := ""
			if store == "redis" {
				redisURL = needs.Redis(t)
			}
			wecom := wecomtwin.New(wecomtwin.Options{Bots: []wecomtwin.Bot{{ID: "aib1", Name: "周报 Bot", Secret: "bot-secret"}}})
			server := httptest.NewServer(wecom)
			t.Cleanup(server.Close)
			dir := t.TempDir()
			write(t, dir, "news/weekly-1.md", "---\ntitle: Weekly 1\ndate: 2026-11-16\n---\n\n## News\n\n- [eBPF in practice](https://example.org/ebpf) explains maps.\n")
			write(t, dir, "config.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
lang: en
redis: {url: %q, prefix: g}
content: {sources: [{name: news, kind: folder, path: news}]}
adapters:
  wecom: {api_url: %q, aibot_url: "ws%s", aibots: [{name: weekly, shown_name: 周报 Bot, bot_id: aib1, secret: bot-secret}]}
`, redisURL, server.URL, strings.TrimPrefix(server.URL, "http")))
			p := start(t, dir)
			p.wait("the bot's connection", time.Minute, func() bool { return wecom.Connected("aib1") })
			say := func(text, want string) {
				t.Helper()
				before := len(wecom.Posts())
				if _, err := wecom.SayBot(t.Context(), wecomtwin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot " + text}); err != nil {
					t.Fatal(err)
				}
				p.wait("answer to "+text, time.Minute, func() bool {
					posts := wecom.Posts()
					return len(posts) > before && !posts[before].Open && strings.Contains(posts[before].Content, want)
				})
			}
			say("/hot ebpf", "https://example.org/ebpf")
			say(`/subscribe all "* * * * *"`, "Subscribed: #1")
			said := len(wecom.Posts())
			p.wait("the digest in the group", 90*time.Second, func() bool { return len(wecom.Posts()) > said })
			p.stop()
			digest := wecom.Posts()[said]
			if digest.Channel != "chat:wrTeam" || digest.MsgType != "markdown" || !strings.Contains(digest.Content, "https://example.org/ebpf") {
				t.Errorf("digest %+v", digest)
			}
			if len(wecom.Posts()) != said+1 || len(wecom.Refused()) > 0 {
				t.Errorf("%d posts behind the answers, want 1; refused %+v", len(wecom.Posts())-said, wecom.Refused())
			}
		})
	}
}
