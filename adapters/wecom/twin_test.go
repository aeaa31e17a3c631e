package wecom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
)

// stand is a platform and an adapter for it.
type stand struct {
	*twin.Twin
	url     string
	clock   *atomic.Int64 // seconds that the platform's and the adapter's clock is ahead
	adapter *Adapter
	log     *bytes.Buffer
}

func newStand(t testing.TB, change func(*Config, *Deps)) *stand {
	t.Helper()
	s := &stand{clock: new(atomic.Int64), log: new(bytes.Buffer)}
	now := func() time.Time { return time.Now().Add(time.Duration(s.clock.Load()) * time.Second) }
	s.Twin = twin.New(twin.Options{
		Robots: []string{testKey},
		Apps: []twin.App{
			{CorpID: testCorp, AgentID: testAgent, Secret: testSecret, Chats: []string{"weekly1"}},
			{CorpID: testCorp, AgentID: testAgent + 1, Secret: "secret-of-the-other", Chats: []string{"other1"}},
		},
		Members: []string{"zhangsan", "lisi", "wangwu", "zhaoliu"}, Parties: []string{"7"}, Tags: []string{"3"}, Now: now, Unlicensed: []string{"wangwu", "zhaoliu"},
	})
	server := httptest.NewServer(s.Twin)
	t.Cleanup(server.Close)
	s.url = server.URL
	cfg, deps := testConfig(server.URL), Deps{Now: now, Log: slog.New(slog.NewTextHandler(s.log, nil))}
	cfg.Apps = append(cfg.Apps, App{Name: "other", CorpID: testCorp, AgentID: testAgent + 1, Secret: "secret-of-the-other"})
	if change != nil {
		change(&cfg, &deps)
	}
	s.adapter = newTestAdapter(t, cfg, deps)
	return s
}

func (s *stand) send(dst bot.Channel, p bot.Post) *bot.SendError {
	_, err := s.adapter.Send(context.Background(), dst, p)
	if err == nil {
		return nil
	}
	return err.(*bot.SendError)
}

func small(title string) bot.Post {
	return bot.Post{Key: "delivery/" + title, Part: 1, Parts: 1, Message: bot.Message{Title: title}}
}

// bigIssue has 270 items, some nested, in sections, in both languages.
func bigIssue() (msg bot.Message, urls []string) {
	msg = bot.Message{Title: "云原生周报 第 270 期", Lang: "zh", Blocks: []bot.Block{{Kind: bot.BlockText, Text: "一期特别长的周报。"}}}
	for k := range 270 {
		if k%15 == 0 {
			msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockHeading, Text: fmt.Sprintf("第 %d 节", k/15+1)})
		}
		url := fmt.Sprintf("https://example.org/issue/270/item-%d?from=weekly&n=%d", k, k)
		item := bot.Block{Kind: bot.BlockItem, Title: fmt.Sprintf("第 %d 条：服务网格与 eBPF (part %d) 的进展", k, k), URL: url,
			Text: strings.Repeat("说明文字，用来占一点地方。", k%9) + "end of it"}
		if k%5 == 4 {
			item.Level = 1
		}
		msg.Blocks, urls = append(msg.Blocks, item), append(urls, url)
	}
	return msg, urls
}

func TestBigIssueArrivesWhole(t *testing.T) {
	for _, webhook := range []string{"v2", "v1"} {
		for _, kind := range []bot.Kind{KindWebhook, KindApp, KindAppChat} {
			t.Run(string(kind)+"/"+webhook, func(t *testing.T) {
				s := newStand(t, func(c *Config, _ *Deps) { c.WebhookMarkdown = webhook })
				msg, urls := bigIssue()
				parts := s.adapter.Split(kind, msg)
				for k, part := range parts {
					s.clock.Add(4) // the outbox keeps webhookGap
					if fault := s.send(testChannel(kind, s.url), bot.Post{Key: "big", Part: k + 1, Parts: len(parts), Message: part}); fault != nil {
						t.Fatalf("part %d of %d: %v", k+1, len(parts), fault)
					}
				}
				var links []string
				for k, p := range s.Posts() {
					links = append(links, twin.Read(p.MsgType, p.Content).Links...)
					if !strings.Contains(p.Content, fmt.Sprintf("第 270 期 (%d/%d)", k+1, len(parts))) || p.Cut {
						t.Errorf("post %d lacks its label, or is cut (%v): %.80q", k+1, p.Cut, p.Content)
					}
				}
				if !slices.Equal(links, urls) {
					t.Errorf("%d links over %d parts, want the %d of the issue, once each and in order", len(links), len(parts), len(urls))
				}
				if refused := s.Refused(); len(refused) > 0 || s.Suppressed()+s.Dropped() > 0 || len(s.Posts()) != len(parts) {
					t.Errorf("%d posts of %d parts, refused %+v", len(s.Posts()), len(parts), refused)
				}
				t.Logf("%d parts", len(parts))
			})
		}
	}
}

func TestAddresses(t *testing.T) {
	s := newStand(t, nil)
	app := func(workspace, address string) bot.Channel {
		return bot.Channel{Adapter: Name, Kind: KindApp, Workspace: workspace, Address: address}
	}
	chat := func(workspace, address string) bot.Channel {
		return bot.Channel{Adapter: Name, Kind: KindAppChat, Workspace: workspace, Address: address}
	}
	for _, c := range []struct {
		dst  bot.Channel
		want string // Code, "" = arrives
		at   string
	}{
		{app(testCorp, "user:lisi"), "", "user:lisi"},
		{app(testCorp, "party:7"), "", "party:7"},
		{app(testCorp, "tag:3"), "", "tag:3"},
		{app(testCorp+":other", "user:lisi"), "", "user:lisi"},
		{app(testCorp+":weekly", "user:lisi"), "", "user:lisi"},
		{app(testCorp, "user:nobody"), "81013", ""},
		{app(testCorp, "user:lisi|zhangsan"), "bad_address", ""},
		{app(testCorp, "user:"), "bad_address", ""},
		{app(testCorp, "lisi"), "bad_address", ""},
		{app(testCorp, "chat:weekly1"), "bad_address", ""},
		{app(testCorp+":nope", "user:lisi"), "no_app", ""},
		{app("wwnope", "user:lisi"), "no_app", ""},
		{chat(testCorp, "chat:weekly1"), "", "chat:weekly1"},
		{chat(testCorp, "chat:other1"), "86008", ""},
		{chat(testCorp+":other", "chat:other1"), "", "chat:other1"},
		{chat(testCorp, "chat:nope"), "86001", ""},
		{chat(testCorp, "user:lisi"), "bad_address", ""},
		{bot.Channel{Kind: KindAIBot, Address: "x"}, "no_bot", ""},
		{bot.Channel{Kind: "fax"}, "bad_kind", ""},
		{bot.Channel{Kind: KindWebhook, URL: testKey}, "", "key:" + testKey},
		{bot.Channel{Kind: KindWebhook, URL: "wrong-key"}, "93000", ""},
		{bot.Channel{Kind: KindWebhook}, "bad_url", ""},
		{bot.Channel{Kind: KindWebhook, URL: "https://evil.example/cgi-bin/webhook/send?key=secret"}, "bad_url", ""},
		{bot.Channel{Kind: KindWebhook, URL: bot.Secret(s.url + "/cgi-bin/gettoken?key=secret")}, "bad_url", ""},
	} {
		before := len(s.Posts())
		fault := s.send(c.dst, small(fmt.Sprint(c.dst.Kind, c.dst.Workspace, c.dst.Address)))
		code := ""
		if fault != nil {
			code = fault.Code
			if strings.Contains(fault.Error(), "secret") {
				t.Errorf("the fault shows the webhook: %v", fault)
			}
		}
		posts := s.Posts()[before:]
		if code != c.want || c.want == "" && (len(posts) != 1 || posts[0].Channel != c.at) || c.want != "" && len(posts) > 0 {
			t.Errorf("%+v: code %q, posts %v; want %q at %q", c.dst, code, posts, c.want, c.at)
		}
	}
	if s.Tokens() != 2 {
		t.Errorf("%d tokens, want one for each of the two apps of one corp", s.Tokens())
	}
}

func TestDuplicateIsShownOnce(t *testing.T) {
	s := newStand(t, nil)
	dst := testChannel(KindApp, s.url)
	s.Fail(1, twin.Failure{DropAfter: true})
	fault := s.send(dst, small("digest"))
	if fault == nil || !fault.MaybeSent {
		t.Fatalf("Send = %v, want a fault that may have been sent", fault)
	}
	first := s.Posts()[0].ID
	receipt, err := s.adapter.Send(t.Context(), dst, small("digest"))
	if err != nil || string(receipt) != first || len(s.Posts()) != 1 || s.Suppressed() != 1 {
		t.Errorf("Send again = %q, %v with %d posts shown; want receipt %q and one post", receipt, err, len(s.Posts()), first)
	}
	answer := small("answer")
	answer.Key = ""
	for range 2 {
		if fault := s.send(dst, answer); fault != nil {
			t.Fatal(fault)
		}
	}
	if len(s.Posts()) != 3 {
		t.Errorf("%d posts, want 3: an answer without a key is shown each time", len(s.Posts()))
	}
}

func TestExpiredToken(t *testing.T) {
	for _, expire := range []func(s *stand){
		func(s *stand) { s.ExpireTokens() },
		func(s *stand) { s.Fail(1, twin.Failure{Code: 40014}) },
		func(s *stand) { s.Fail(1, twin.Failure{Code: 41001}) },
	} {
		s := newStand(t, nil)
		if fault := s.send(testChannel(KindApp, s.url), small("one")); fault != nil {
			t.Fatal(fault)
		}
		held := s.adapter.tokens[0].cache.near.Get(s.adapter.tokens[0].cache.key)
		expire(s)
		fault := s.send(testChannel(KindApp, s.url), small("two"))
		if fault == nil || fault.Fault != bot.Retryable || fault.MaybeSent {
			t.Fatalf("Send with an expired token = %+v, want retryable, not sent", fault)
		}
		if now := s.adapter.tokens[0].cache.near.Get(s.adapter.tokens[0].cache.key); held == nil || now != nil {
			t.Errorf("token %v, then %v: want it dropped", held, now)
		}
		if fault := s.send(testChannel(KindApp, s.url), small("two")); fault != nil {
			t.Errorf("Send after that: %v", fault)
		}
	}
}

// TestAdaptersDoNotMix posts through many adapters at once: they share the SDK's one client, and each must reach its own platform.
func TestAdaptersDoNotMix(t *testing.T) {
	const adapters, posts = 8, 12
	stands := make([]*stand, adapters)
	for k := range stands {
		stands[k] = newStand(t, nil)
	}
	var all sync.WaitGroup
	for k, s := range stands {
		for n := range posts {
			kind := []bot.Kind{KindWebhook, KindApp, KindAppChat}[n%3]
			all.Go(func() {
				if fault := s.send(testChannel(kind, s.url), small(fmt.Sprintf("%d of %d", n, k))); fault != nil {
					t.Errorf("adapter %d, post %d: %v", k, n, fault)
				}
			})
		}
	}
	all.Wait()
	for k, s := range stands {
		for _, p := range s.Posts() {
			if !strings.Contains(p.Content, fmt.Sprintf("of %d", k)) {
				t.Errorf("platform %d got %q", k, p.Content)
			}
		}
		if len(s.Posts()) != posts || s.Tokens() != 1 {
			t.Errorf("platform %d: %d posts, %d tokens; want %d and 1", k, len(s.Posts()), s.Tokens(), posts)
		}
	}
	board().open.Range(func(ticket, _ any) bool {
		t.Errorf("%v was left behind", ticket)
		return true
	})
}

// TestPartlyReached: of whom a department's post did not reach, the log names each; a member's own channel fails.
func TestPartlyReached(t *testing.T) {
	s := newStand(t, nil)
	party := bot.Channel{Kind: KindApp, Workspace: testCorp, Address: "party:7"}
	receipt, err := s.adapter.Send(t.Context(), party, small("x"))
	if err != nil || receipt == "" || !strings.Contains(s.log.String(), "code=unlicenseduser count=2 members=\"[wangwu zhaoliu]\"") {
		t.Errorf("Send = %q, %v with log %q; want a receipt, and two members without licence in the log", receipt, err, s.log)
	}
	for member, code := range map[string]string{"wangwu": "unlicenseduser", "nobody": "81013"} {
		fault := s.send(bot.Channel{Kind: KindApp, Workspace: testCorp, Address: "user:" + member}, small("y"))
		if fault == nil || fault.Code != code || fault.Scope != bot.ScopeChannel {
			t.Errorf("Send to %s = %v, want %s of the channel", member, fault, code)
		}
	}
	if len(s.Posts()) != 1 {
		t.Errorf("%d posts, want the department's alone", len(s.Posts()))
	}
}

func TestRecall(t *testing.T) {
	s := newStand(t, nil)
	dst := testChannel(KindApp, s.url)
	receipt, err := s.adapter.Send(t.Context(), dst, small("x"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		dst     bot.Channel
		receipt bot.Receipt
		code    string
	}{
		{"unknown", dst, "nope", "40035"},
		{"by another app", bot.Channel{Kind: KindApp, Workspace: testCorp + ":other", Address: "user:zhangsan"}, receipt, "40035"},
		{"no receipt", dst, "", "no_receipt"},
		{"a robot's", testChannel(KindWebhook, s.url), "1", "no_receipt"},
		{"no app", bot.Channel{Kind: KindApp, Workspace: "ww9"}, receipt, "no_app"},
		{"the post", dst, receipt, ""},
	} {
		err := s.adapter.Recall(t.Context(), c.dst, c.receipt)
		fault, _ := errors.AsType[*bot.SendError](err)
		if c.code == "" && err != nil || c.code != "" && (fault == nil || fault.Code != c.code) {
			t.Errorf("%s: Recall = %v, want %q", c.name, err, c.code)
		}
	}
	if !s.Posts()[0].Recalled {
		t.Error("the post is still there")
	}
	s.ExpireTokens()
	if fault, _ := errors.AsType[*bot.SendError](s.adapter.Recall(t.Context(), dst, receipt)); fault == nil || fault.Code != "42001" {
		t.Errorf("Recall with an old token = %v, want 42001", fault)
	}
	if err := s.adapter.Recall(t.Context(), dst, receipt); err != nil {
		t.Errorf("Recall with a new token = %v", err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.adapter.Recall(over, dst, receipt); !errors.Is(err, context.Canceled) {
		t.Errorf("Recall in a context that is over = %v", err)
	}
}

func (s *stand) tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	for _, tool := range s.adapter.Tools() {
		if tool.Name == name {
			return out.String(), tool.Run(t.Context(), args, &out)
		}
	}
	t.Fatalf("no tool %s", name)
	return "", nil
}

func TestMenuTool(t *testing.T) {
	s := newStand(t, nil)
	for _, lang := range []string{"zh", "en"} {
		if _, err := s.tool(t, "menu", lang); err != nil {
			t.Fatal(err)
		}
		menu := s.Menu(testAgent)
		want := map[string]string{"zh": "最新一期", "en": "Latest"}[lang]
		if len(menu) != 3 || menu[1].Name != want || menu[1].Key != "/latest" || len(menu[2].Sub) != 4 {
			t.Errorf("menu in %s: %+v", lang, menu)
		}
	}
	if s.Menu(testAgent+1) != nil {
		t.Error("an app that hears nobody has a menu")
	}
	if _, err := s.tool(t, "menu", "fr"); err == nil {
		t.Error("a menu in no language of ours")
	}
	s.Fail(1, twin.Failure{Code: 60020})
	if _, err := s.tool(t, "menu"); err == nil || !strings.Contains(err.Error(), "企业可信IP") {
		t.Errorf("menu without a trusted IP = %v, want what to do", err)
	}
	deaf := newStand(t, func(c *Config, _ *Deps) { c.Apps = c.Apps[1:] })
	if _, err := deaf.tool(t, "menu"); err == nil || len(deaf.Refused()) > 0 {
		t.Errorf("menu of an app that hears nobody = %v", err)
	}
}

func TestAppChatTool(t *testing.T) {
	s := newStand(t, nil)
	for _, args := range [][]string{nil, {"周报"}, {"周报", "zhangsan"}, {"周报", "zhangsan", "nobody"}} {
		if out, err := s.tool(t, "appchat", args...); err == nil {
			t.Errorf("appchat %q: %q", args, out)
		}
	}
	if _, err := s.tool(t, "appchat", "周报", "zhangsan", "lisi"); err != nil {
		t.Fatal(err)
	}
	if fault := s.send(bot.Channel{Kind: KindAppChat, Workspace: testCorp, Address: "chat:" + s.Chats(testAgent)[1]}, small("x")); fault != nil {
		t.Errorf("Send to the new group = %v", fault)
	}
}

func TestCheck(t *testing.T) {
	s := newStand(t, func(c *Config, _ *Deps) { c.Apps[1].Secret = "wrong-secret-of-the-other" })
	got := s.adapter.Check(t.Context())
	if len(got) != 2 || got[0].Err != nil || got[1].Err == nil {
		t.Fatalf("Check = %+v, want the first app to work and the second not to", got)
	}
	if text := got[1].Err.Error(); !strings.Contains(text, "40001") || strings.Contains(text, "wrong-secret") {
		t.Errorf("Check says %q, want the code, what to do, and no secret", text)
	}
	if len(s.Posts()) != 0 {
		t.Error("Check posted something")
	}
}

func TestTarget(t *testing.T) {
	s := newStand(t, func(c *Config, _ *Deps) { c.APIURL = "" })
	for spec, ok := range map[string]bool{testKey: true, s.url + "/cgi-bin/webhook/send?key=" + testKey: true,
		"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k": true, "http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k": false,
		s.url: false, "": false, "a b": false, s.url + "/cgi-bin/webhook/send": false} {
		c, err := Target(spec, "")
		if (err == nil) != ok || ok && (c.Kind != KindWebhook || c.URL.Reveal() != spec) {
			t.Errorf("Target(%q) = %+v, %v; want ok = %v", spec, c, err, ok)
		}
	}
	dst, _ := Target(s.url+"/cgi-bin/webhook/send?key="+testKey, "")
	if fault := s.send(dst, small("x")); fault == nil || fault.Code != "bad_url" {
		t.Errorf("Send to a host that nobody trusts = %v, want bad_url", fault)
	}
	trusting := newTestAdapter(t, Config{TrustedHosts: []string{s.url}}, Deps{})
	if _, err := trusting.Send(t.Context(), dst, small("x")); err != nil || len(s.Posts()) != 1 {
		t.Errorf("Send to a trusted host = %v with %d posts", err, len(s.Posts()))
	}
}
