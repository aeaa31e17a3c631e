package main

import (
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
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
redis: {url: %q, prefix: g%d}
content: {sources: [{name: news, kind: folder, path: news}]}
adapters:
  wecom: {api_url: %q, aibot_url: "ws%s", aibots: [{name: weekly, shown_name: 周报 Bot, bot_id: aib1, secret: bot-secret}]}
`, redisURL, time.Now().UnixNano(), server.URL, strings.TrimPrefix(server.URL, "http")))
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

// A person without any account opens the page of WeCom's stand-in: a group subscribes by mentioning the bot, a member asks it and the app
// alone, and the robot that only sends has its digest.
func TestWecomPage(t *testing.T) {
	t.Parallel()
	const corp, secret, token, key = "wwpage", "app-secret", "callbacktoken", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	at, known := addressLater(t)
	wecom := wecomtwin.New(wecomtwin.Options{
		Robots: []string{"team"},
		Apps:   []wecomtwin.App{{CorpID: corp, AgentID: 1000002, Secret: secret, Token: token, EncodingAESKey: key, CallbackURL: at + "/wecom/callback"}},
		Bots:   []wecomtwin.Bot{{ID: "aib1", Name: "Weekly", Secret: secret}},
	})
	page := servePage(t, wecom)
	dir := t.TempDir()
	write(t, dir, "news/weekly-1.md", "---\ntitle: Weekly 1\ndate: 2026-11-16\n---\n\n## News\n\n- [eBPF in practice](https://example.org/ebpf) explains maps.\n")
	write(t, dir, "config.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
lang: en
content: {sources: [{name: news, kind: folder, path: news}]}
adapters:
  wecom:
    api_url: %[1]q
    aibot_url: "ws%[2]s"
    apps: [{name: demo, corp_id: %[3]s, agent_id: 1000002, secret: %[4]s, token: %[5]s, encoding_aes_key: %[6]s}]
    aibots: [{name: weekly, shown_name: Weekly, bot_id: aib1, secret: %[4]s}]
channels: [{name: team, platform: wecom, kind: webhook, url: "%[1]s/cgi-bin/webhook/send?key=team"}]
subscriptions: [{channel: team, schedule: "* * * * *", style: headlines}]
`, page, strings.TrimPrefix(page, "http"), corp, secret, token, key))
	p := start(t, dir)
	p.wait("the bot's connection and address", time.Minute, func() bool { return known(p) && wecom.Connected("aib1") })
	ctx := startBrowser(t, 3*time.Minute)
	typeThere(t, ctx, page, "aib1/chat:wrDemoGroup", "/hot ebpf", "eBPF in practice") // behind the mention that stands there
	typeThere(t, ctx, page, "aib1/chat:wrDemoGroup", `/subscribe all "* * * * *" headlines`, "Subscribed: #1")
	typeThere(t, ctx, page, "aib1/user:zhangsan", "", "eBPF in practice") // what stands there asks /hot ebpf
	typeThere(t, ctx, page, "/user:zhangsan", "", "eBPF in practice")
	arrived := func(channel string) (n int) {
		for _, p := range wecom.Posts() {
			if p.Channel == channel && p.Card != nil && p.Card.Rows != nil && p.Card.MainTitle.Title == "Weekly 1" {
				n++
			}
		}
		return n
	}
	p.wait("the digests", 90*time.Second, func() bool { return arrived("key:team") > 0 && arrived("chat:wrDemoGroup") > 0 })
	p.stop()
	for chat, channel := range map[string]string{"/key:team": "key:team", "aib1/chat:wrDemoGroup": "chat:wrDemoGroup"} {
		look(t, ctx, page+"/?"+url.Values{"chat": {chat}}.Encode(), "eBPF in practice")
		if n := arrived(channel); n != 1 {
			t.Errorf("%s: %d digests, want 1", channel, n)
		}
	}
	if len(wecom.Refused()) > 0 {
		t.Errorf("refused: %+v", wecom.Refused())
	}
}

// Of two replicas one keeps the AI bot's connection, and both deliver to groups; when that one is killed, the other goes on.
func TestWecomReplicas(t *testing.T) {
	t.Parallel()
	const groups = 12
	rdb, prefix := needs.RedisClient(t), fmt.Sprint("wecomreplicas", time.Now().UnixNano())
	wecom := wecomtwin.New(wecomtwin.Options{Bots: []wecomtwin.Bot{{ID: "aib1", Name: "Weekly", Secret: "bot-secret"}}})
	page := servePage(t, wecom)
	news := t.TempDir()
	write(t, news, "weekly-1.md", "---\ntitle: Weekly 1\ndate: 2026-11-16\n---\n\n## News\n\n- [eBPF in practice](https://example.org/ebpf) explains maps.\n")
	var replicas []*program
	for range 2 {
		dir := t.TempDir()
		write(t, dir, "config.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
lang: en
redis: {url: %q, prefix: %s}
content: {sources: [{name: news, kind: folder, path: %q}]}
adapters: {wecom: {api_url: %q, aibot_url: "ws%s", aibots: [{name: weekly, shown_name: Weekly, bot_id: aib1, secret: bot-secret}]}}
`, needs.Redis(t), prefix, news, page, strings.TrimPrefix(page, "http")))
		replicas = append(replicas, start(t, dir))
	}
	connected := func(p *program) bool { return strings.Contains(p.logs.String(), "the AI bot is connected") }
	replicas[0].wait("both to own shards, one to be connected", time.Minute, func() bool {
		owners := map[string]bool{}
		for _, key := range rdb.Keys(t.Context(), prefix+":*:st").Val() {
			owners[rdb.HGet(t.Context(), key, "owner").Val()] = true
		}
		return len(owners) == 2 && wecom.Connected("aib1")
	})
	holder, other := replicas[0], replicas[1]
	if connected(other) {
		holder, other = other, holder
	}
	for k := range groups {
		if _, err := wecom.SayBot(t.Context(), wecomtwin.Said{Chat: fmt.Sprintf("wr%d", k), From: "lisi", Text: `@Weekly /subscribe all "* * * * *"`}); err != nil {
			t.Fatal(err)
		}
	}
	have := func(title string) map[string]int {
		chats := map[string]int{}
		for _, p := range wecom.Posts() {
			if p.MsgType == "markdown" && strings.HasPrefix(p.Content, "## "+title) {
				chats[p.Channel]++
			}
		}
		return chats
	}
	other.wait("the first digest in every group", 2*time.Minute, func() bool { return len(have("Weekly 1")) == groups })
	holder.kill()
	write(t, news, "weekly-2.md", "---\ntitle: Weekly 2\ndate: 2026-11-23\n---\n\n## News\n\n- [Wasm in practice](https://example.org/wasm) explains modules.\n")
	other.wait("the second digest in every group", 3*time.Minute, func() bool { return len(have("Weekly 2")) == groups })
	if !connected(other) {
		t.Error("the other replica never connected")
	}
	other.stop()
	for chat, n := range have("Weekly 1") {
		if n > 2 { // what was on the wire when it was killed may come again
			t.Errorf("%s: Weekly 1 came %d times", chat, n)
		}
	}
	for chat, n := range have("Weekly 2") {
		if n != 1 {
			t.Errorf("%s: Weekly 2 came %d times", chat, n)
		}
	}
}

// addressLater is a URL that leads to a program whose own is known only once it runs.
func addressLater(t *testing.T) (at string, known func(*program) bool) {
	t.Helper()
	var to atomic.Pointer[url.URL]
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to.Load()) }})
	t.Cleanup(proxy.Close)
	return proxy.URL, func(p *program) bool {
		if u, err := url.Parse(regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(p.logs.String())); err == nil && u.Host != "" {
			to.Store(u)
		}
		return to.Load() != nil
	}
}

// A member whose userid changes keeps the subscription.
func TestWecomMemberIsRenumbered(t *testing.T) {
	t.Parallel()
	const corp, agent, secret, token, key = "wwmove", 1000002, "app-secret", "callbacktoken", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	at, known := addressLater(t)
	wecom := wecomtwin.New(wecomtwin.Options{Apps: []wecomtwin.App{{CorpID: corp, AgentID: agent, Secret: secret, Token: token, EncodingAESKey: key, CallbackURL: at + "/wecom/callback"}}})
	dir := t.TempDir()
	write(t, dir, "news/weekly-1.md", "---\ntitle: Weekly 1\ndate: 2026-11-16\n---\n\n## News\n\n- [eBPF in practice](https://example.org/ebpf) explains maps.\n")
	write(t, dir, "config.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
lang: en
content: {sources: [{name: news, kind: folder, path: news}]}
adapters: {wecom: {api_url: %q, apps: [{corp_id: %s, agent_id: %d, secret: %s, token: %s, encoding_aes_key: %s}]}}
`, servePage(t, wecom), corp, agent, secret, token, key))
	p := start(t, dir)
	p.wait("the bot's address", time.Minute, func() bool { return known(p) })
	ask := func(from, text, want string) {
		t.Helper()
		if heard, err := wecom.Deliver(t.Context(), agent, wecomtwin.Message{From: from, Text: text}); err != nil || !strings.Contains(heard.Reply, want) {
			t.Errorf("%s says %s: heard %+v, %v; want %q", from, text, heard, err, want)
		}
	}
	ask("zhangsan", "/subscribe all Mon 09:00", "Subscribed: #1")
	renumbered := wecomtwin.Message{From: "sys", Event: "change_contact", Fields: map[string]string{"ChangeType": "update_user", "UserID": "zhangsan", "NewUserID": "zhang.san"}}
	for range 2 { // WeCom may say so twice
		if heard, err := wecom.Deliver(t.Context(), agent, renumbered); err != nil || heard.Status != 200 {
			t.Errorf("heard %+v, %v", heard, err)
		}
	}
	ask("zhang.san", "/subscriptions", "#1")
	ask("zhangsan", "/subscriptions", "Nothing is subscribed here")
	p.stop()
}
