package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	dingtwin "weeklybot/adapters/dingtalk/twin"
	feishutwin "weeklybot/adapters/feishu/twin"
)

// A person without any account opens the pages of DingTalk's and Feishu's stand-ins, asks and subscribes in a group and alone, and sees the
// digests arrive: in the group, alone, and at the robot that only sends.
func TestGroupsSubscribeOnThePages(t *testing.T) {
	t.Parallel()
	const secret = "app-secret"
	ding := dingtwin.New(dingtwin.Options{ClientID: "ding", ClientSecret: secret, RobotCode: "ding", CorpID: "corp", Robots: []dingtwin.Robot{{Token: "team", Secret: "SECteam"}}})
	feishu := feishutwin.New(feishutwin.Options{AppID: "cli_1", AppSecret: secret, Bots: []feishutwin.Bot{{Token: "team", Secret: "team-secret"}}})
	dingURL, feishuURL := servePage(t, ding), servePage(t, feishu)
	dir := t.TempDir()
	write(t, dir, "news/weekly-1.md", "---\ntitle: Weekly 1\ndate: 2026-11-16\n---\n\n## News\n\n- [eBPF in practice](https://example.org/ebpf) explains maps.\n")
	write(t, dir, "config.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
lang: en
subscribe_by: managers
content: {sources: [{name: news, kind: folder, path: news}]}
adapters:
  dingtalk: {client_id: ding, client_secret: %[1]s, robot_code: ding, corp_id: corp, api_url: %[2]q, oapi_url: %[2]q}
  feishu: {app_id: cli_1, app_secret: %[1]s, api_url: %[3]q}
admins: ["feishu:tenant/ou_twin"]
channels:
  - {name: ding-team, platform: dingtalk, kind: webhook, url: "%[2]s/robot/send?access_token=team", secret: SECteam}
  - {name: feishu-team, platform: feishu, kind: webhook, url: "%[3]s/open-apis/bot/v2/hook/team", secret: team-secret}
subscriptions:
  - {channel: ding-team, schedule: "* * * * *"}
  - {channel: feishu-team, schedule: "* * * * *"}
`, secret, dingURL, feishuURL))
	p := start(t, dir)
	p.wait("the connections", time.Minute, func() bool { return ding.Connections() > 0 && feishu.Connections() > 0 })
	pages := map[string]string{ // chat → page
		"group:cidTwin==": dingURL, "user:0147": dingURL, "robot:team": dingURL,
		"oc_twin": feishuURL, "oc_twin_p2p": feishuURL, "bot:team": feishuURL,
	}
	ctx := startBrowser(t, 3*time.Minute)
	missing := ""
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("no digest in %q; arrived:", missing)
			for _, p := range ding.Posts() {
				t.Logf("%s %s: %s", p.Time.Format(time.TimeOnly), p.Channel, p.Title)
			}
			for _, p := range feishu.Posts() {
				t.Logf("%s %s: %s", p.Time.Format(time.TimeOnly), p.Channel, p.Title)
			}
		}
	})
	for chat, page := range pages {
		if strings.HasSuffix(chat, ":team") {
			continue
		}
		typeThere(t, ctx, page, chat, "/hot ebpf", "eBPF in practice")
		typeThere(t, ctx, page, chat, `/subscribe all "* * * * *"`, "Subscribed: #1")
	}
	arrived := func() bool {
		for chat := range pages {
			if !strings.Contains(digestIn(ding, feishu, chat), "Weekly 1") {
				missing = chat
				return false
			}
		}
		return true
	}
	p.wait("the digests", 90*time.Second, arrived)
	p.stop()
	for chat, page := range pages {
		_ = chromedp.Do(ctx, chromedp.Navigate("about:blank")) // fails when the page was just loading itself anew
		look(t, ctx, page+"/?"+url.Values{"chat": {chat}}.Encode(), "eBPF in practice")
		if n := strings.Count(digestIn(ding, feishu, chat), "Weekly 1"); n != 1 {
			t.Errorf("%s: %d digests, want 1", chat, n)
		}
	}
	if len(ding.Refused())+len(feishu.Refused()) > 0 {
		t.Errorf("refused: %+v, %+v", ding.Refused(), feishu.Refused())
	}
}

// digestIn is all that a chat got with the title, a line each.
func digestIn(ding *dingtwin.Twin, feishu *feishutwin.Twin, chat string) string {
	var all strings.Builder
	for _, p := range ding.Posts() {
		if p.Channel == chat && strings.Contains(p.Title, "Weekly 1") {
			all.WriteString(p.Title + "\n")
		}
	}
	for _, p := range feishu.Posts() {
		if p.Channel == chat && strings.Contains(p.Title, "Weekly 1") {
			all.WriteString(p.Title + "\n")
		}
	}
	return all.String()
}

// typeThere types on a stand-in's page, and waits for an answer in its chat. The page loads itself anew now and then, which may swallow what
// was being typed: then it is typed again.
func typeThere(t *testing.T, ctx context.Context, page, chat, text, want string) {
	t.Helper()
	shown := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		err := chromedp.Do(ctx, chromedp.Navigate(page+"/?"+url.Values{"chat": {chat}}.Encode()), chromedp.SendKeys(`[name=text]`, text+"\r"))
		for again := time.Now().Add(5 * time.Second); err == nil && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if now, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("main")?.innerText ?? ""`)); err == nil {
				shown = now
			}
			if strings.Contains(shown, want) {
				return
			}
			if time.Now().After(again) && !strings.Contains(shown, text) {
				break
			}
		}
	}
	t.Fatalf("%s in %s: no %q in:\n%s", text, chat, want, shown)
}
