package feishu

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weeklybot/adapters/feishu/twin"
	"weeklybot/bot"
)

func TestValidate(t *testing.T) {
	good := testConfig("https://api.example")
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"whole", func(*Config) {}, nil},
		{"empty", func(c *Config) { *c = Config{} }, nil},
		{"socket", func(c *Config) { c.Mode, c.Events = "", Events{} }, nil},
		{"loopback", func(c *Config) { c.APIURL = "http://127.0.0.1:8000/" }, nil},
		{"half", func(c *Config) { c.AppSecret = "" }, []string{"app_secret:"}},
		{"other half", func(c *Config) { c.AppID = "" }, []string{"app_id:"}},
		{"mode", func(c *Config) { c.Mode = "stream" }, []string{"mode:"}},
		{"http without keys", func(c *Config) { c.Events = Events{} }, []string{"events:"}},
		{"half of the keys", func(c *Config) { c.Events.Token = "" }, []string{"events:"}},
		{"path", func(c *Config) { c.APIURL = "https://api.example/open-apis" }, []string{"api_url:"}},
		{"plain http", func(c *Config) { c.APIURL = "http://api.example" }, []string{"api_url:"}},
		{"all at once", func(c *Config) { c.AppSecret, c.Mode, c.APIURL = "", "x", "ftp://x" }, []string{"app_secret:", "mode:", "api_url:"}},
	} {
		cfg := good
		c.change(&cfg)
		faults := cfg.Validate()
		if len(faults) != len(c.want) {
			t.Errorf("%s: %v, want faults at %q", c.name, faults, c.want)
			continue
		}
		for k, want := range c.want {
			if !strings.HasPrefix(faults[k].Error(), "adapters.feishu."+want) {
				t.Errorf("%s: %v, want a fault at %q", c.name, faults[k], want)
			}
			if strings.Contains(faults[k].Error(), testAppSecret) {
				t.Errorf("%s: the fault shows a secret: %v", c.name, faults[k])
			}
		}
		if _, err := New(cfg, Deps{}); (err != nil) != (len(c.want) > 0) {
			t.Errorf("%s: New = %v", c.name, err)
		}
	}
}

func TestTarget(t *testing.T) {
	raw := "https://open.feishu.cn/open-apis/bot/v2/hook/abc123secret"
	ch, err := Target(" "+raw+"\n", "s")
	if err != nil || ch.Kind != KindWebhook || ch.URL.Reveal() != raw || ch.Secret != "s" || strings.Contains(ch.Address, "abc123secret") {
		t.Errorf("Target = %+v, %v", ch, err)
	}
	for _, bad := range []string{"", "abc123secret", "https://open.feishu.cn/open-apis/bot/v2/hook/", "https://open.feishu.cn/abc123secret", "%zz/abc123secret"} {
		if _, err := Target(bad, ""); err == nil || strings.Contains(err.Error(), "abc123secret") {
			t.Errorf("Target(%q): %v, want an error without the token", bad, err)
		}
	}
}

func TestWebhooksOnForeignHostsAreNotCalled(t *testing.T) {
	server := httptest.NewServer(twin.New(twin.Options{}))
	defer server.Close()
	dst := bot.Channel{Kind: KindWebhook, URL: bot.Secret(server.URL + hookPath + "t")}
	post := bot.Post{Key: "k", Part: 1, Parts: 1, Message: hello()}
	strict, _ := New(Config{}, Deps{})
	_, err := strict.Send(t.Context(), dst, post)
	if e, ok := errors.AsType[*bot.SendError](err); !ok || e.Fault != bot.Permanent || e.Scope != bot.ScopeChannel || e.Code != "bad_channel" {
		t.Errorf("Send = %v, want a refusal", err)
	}
	host := strings.TrimPrefix(server.URL, "http://")
	for name, cfg := range map[string]Config{"api_url": {APIURL: server.URL}, "trusted": {TrustedHosts: []string{host}}} {
		a, err := New(cfg, Deps{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Send(t.Context(), dst, post); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadChannels(t *testing.T) {
	a := newAdapter(t, "http://127.0.0.1:1")
	bare, _ := New(Config{}, Deps{})
	for name, c := range map[string]struct {
		a   *Adapter
		dst bot.Channel
	}{
		"kind": {a, bot.Channel{Kind: "aibot"}}, "address": {a, bot.Channel{Kind: KindApp, Address: "team"}}, "empty": {a, bot.Channel{Kind: KindApp, Address: "oc_"}},
		"no credentials": {bare, bot.Channel{Kind: KindApp, Address: "oc_1"}}, "no URL": {a, bot.Channel{Kind: KindWebhook}},
	} {
		_, err := c.a.Send(t.Context(), c.dst, bot.Post{Part: 1, Parts: 1, Message: hello()})
		if e, ok := errors.AsType[*bot.SendError](err); !ok || e.Fault != bot.Permanent || e.MaybeSent {
			t.Errorf("%s: %v, want permanent", name, err)
		}
	}
}

// Everything that a whole digest holds arrives once, whatever the kind, and the platform refuses nothing.
func TestWholeIssueArrives(t *testing.T) {
	for name, text := range map[string]string{"headlines": "", "brief": "一句话说清楚这条新闻为什么值得读，以及它影响谁。"} {
		msg := issueOf(270, text)
		// The rates are the outbox's matter: MinGap. Here all goes out at once.
		s := newStage(t, twin.Options{Bots: []twin.Bot{{Token: testHookToken, Secret: testHookSecret}}, PerSecond: -1, ChatRate: -1}, nil)
		for _, dst := range []bot.Channel{testChannel(KindWebhook, s.a.api), testChannel(KindApp, ""), {Kind: KindApp, Address: "ou_7"}} {
			parts := s.a.Split(dst.Kind, msg)
			for k, part := range parts {
				if _, err := s.a.Send(t.Context(), dst, bot.Post{Key: "d1" + dst.Address, Part: k + 1, Parts: len(parts), Message: part}); err != nil {
					t.Fatalf("%s to %s: %v", name, dst.Address, err)
				}
			}
			t.Logf("%s, kind %s: %d parts", name, dst.Kind, len(parts))
		}
		if refused := s.twin.Refused(); len(refused) > 0 {
			t.Fatalf("refused: %+v", refused)
		}
		text := map[string]string{}
		for _, p := range s.twin.Posts() {
			text[p.Channel] += p.Text()
			if len(p.Mentions) > 0 {
				t.Errorf("a digest mentions %v", p.Mentions)
			}
		}
		if len(text) != 3 {
			t.Errorf("%d channels, want 3", len(text))
		}
		for channel, all := range text {
			for _, b := range msg.Blocks {
				if b.Title != "" && strings.Count(all, "["+b.Title+"]("+b.URL+")") != 1 {
					t.Errorf("%s: %q is there %d times", channel, b.Title, strings.Count(all, b.Title))
				}
			}
		}
	}
}

// The gap that the core keeps is enough for the platform's limits.
func TestGapsKeepTheRates(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	tw := twin.New(twin.Options{AppID: "cli_test", AppSecret: testAppSecret, Now: func() time.Time { return now }})
	server := httptest.NewServer(tw)
	defer server.Close()
	a, err := New(testConfig(server.URL), Deps{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range a.Kinds() {
		for k := range 220 { // over two minutes for a custom bot
			if _, err := a.Send(t.Context(), testChannel(kind, server.URL), bot.Post{Part: 1, Parts: 1, Message: hello()}); err != nil {
				t.Fatalf("%s: post %d: %v", kind, k, err)
			}
			now = now.Add(a.Capabilities(kind).MinGap)
		}
	}
}

// The usual digest of a real newsletter goes out as one post.
func TestUsualDigestIsOnePost(t *testing.T) {
	a := newAdapter(t, "")
	for _, kind := range a.Kinds() {
		if n := len(a.Split(kind, issueOf(50, "一句话说清楚这条新闻为什么值得读，以及它影响谁。"))); n != 1 {
			t.Errorf("%s: 50 items with a sentence each take %d posts, want 1", kind, n)
		}
	}
}

func TestRepeatedMessageIsShownOnce(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	dst := testChannel(KindApp, "")
	post := bot.Post{Key: "d1", Part: 1, Parts: 1, Message: hello()}
	s.twin.Fail(1, twin.Failure{Drop: twin.DropAfter})
	_, err := s.a.Send(t.Context(), dst, post)
	if e, ok := errors.AsType[*bot.SendError](err); !ok || !e.MaybeSent || e.Fault != bot.Retryable {
		t.Fatalf("lost answer: %v", err)
	}
	for range 2 {
		receipt, err := s.a.Send(t.Context(), dst, post)
		if err != nil || string(receipt) != s.twin.Posts()[0].ID {
			t.Fatalf("again: %q, %v", receipt, err)
		}
	}
	if n := len(s.twin.Posts()); n != 1 {
		t.Errorf("shown %d times, want once", n)
	}
	post.Part = 2
	if _, err := s.a.Send(t.Context(), dst, post); err != nil || len(s.twin.Posts()) != 2 {
		t.Errorf("the next part was not shown: %v", err)
	}
}

func TestStaleTokenIsFetchedAgain(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	dst := testChannel(KindApp, "")
	post := func(key string) error {
		_, err := s.a.Send(t.Context(), dst, bot.Post{Key: key, Part: 1, Parts: 1, Message: hello()})
		return err
	}
	if err := post("1"); err != nil {
		t.Fatal(err)
	}
	s.twin.ExpireToken()
	err := post("2")
	if e, ok := errors.AsType[*bot.SendError](err); !ok || e.Fault != bot.Retryable || e.Code != "99991663" {
		t.Fatalf("with a stale token: %v", err)
	}
	if err = post("2"); err != nil || s.twin.TokenCalls() != 2 {
		t.Errorf("after it: %v, %d token calls", err, s.twin.TokenCalls())
	}
}

func TestTokenIsRefreshedBeforeItsEnd(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	clock := func() time.Time { return now }
	tw := twin.New(twin.Options{AppID: "cli_test", AppSecret: testAppSecret, Now: clock})
	server := httptest.NewServer(tw)
	defer server.Close()
	a, err := New(testConfig(server.URL), Deps{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		calls int
	}{{0, 1}, {95 * time.Minute, 1}, {97 * time.Minute, 2}, {190 * time.Minute, 2}} { // 7200 s × 0.8 = 96 minutes
		now = time.UnixMilli(1_700_000_000_000).Add(c.after)
		if _, err := a.Send(t.Context(), testChannel(KindApp, ""), bot.Post{Part: 1, Parts: 1, Message: hello()}); err != nil || tw.TokenCalls() != c.calls {
			t.Errorf("after %v: %v, %d token calls, want %d", c.after, err, tw.TokenCalls(), c.calls)
		}
	}
}

func TestBlockedBotLeavesOthersAlone(t *testing.T) {
	s := newStage(t, twin.Options{PerMinute: 2}, nil)
	send := func(token string) error {
		_, err := s.a.Send(t.Context(), bot.Channel{Kind: KindWebhook, URL: bot.Secret(s.a.api + hookPath + token)}, bot.Post{Part: 1, Parts: 1, Message: hello()})
		return err
	}
	for range 2 {
		if err := send("a"); err != nil {
			t.Fatal(err)
		}
	}
	e, ok := errors.AsType[*bot.SendError](send("a"))
	if !ok || e.Fault != bot.RateLimited || e.Scope != bot.ScopeChannel || e.RetryAfter != time.Minute {
		t.Errorf("third post in a minute: %+v", e)
	}
	if err := send("b"); err != nil {
		t.Errorf("another bot: %v", err)
	}
}

func TestCheck(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	if got := s.a.Check(t.Context()); len(got) != 1 || got[0].Err != nil || !strings.Contains(got[0].What, "cli_test") {
		t.Errorf("Check = %+v", got)
	}
	wrong := newStage(t, twin.Options{}, func(c *Config) { c.AppSecret = "another-secret" })
	if got := wrong.a.Check(t.Context()); len(got) != 1 || got[0].Err == nil || !strings.Contains(got[0].Err.Error(), "app_secret") {
		t.Errorf("Check with wrong credentials = %+v", got)
	}
	bare, _ := New(Config{}, Deps{})
	if got := bare.Check(t.Context()); len(got) != 0 {
		t.Errorf("Check without credentials = %+v", got)
	}
	if len(s.twin.Posts()) != 0 {
		t.Error("Check posted something")
	}
}

// faultOf is what a call failed with; a zero one when it did not.
func faultOf(t *testing.T, err error) bot.SendError {
	t.Helper()
	if fault, ok := errors.AsType[*bot.SendError](err); ok {
		return *fault
	}
	t.Errorf("error %v, want a *bot.SendError", err)
	return bot.SendError{}
}

func TestRecall(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	dst := bot.Channel{Adapter: Name, Kind: KindApp, Address: "oc_1"}
	receipt, err := s.a.Send(t.Context(), dst, bot.Post{Key: "k", Part: 1, Parts: 1, Message: hello()})
	if err != nil {
		t.Fatal(err)
	}
	s.twin.Fail(1, twin.Failure{Code: 99991400, Status: 429})
	if err := s.a.Recall(t.Context(), dst, receipt); faultOf(t, err).Fault != bot.RateLimited {
		t.Errorf("too many calls = %v", err)
	}
	for range 2 { // the second finds it gone
		if err := s.a.Recall(t.Context(), dst, receipt); err != nil {
			t.Errorf("Recall = %v", err)
		}
	}
	if !s.twin.Posts()[0].Recalled {
		t.Error("the message is still shown")
	}
	if err := s.a.Recall(t.Context(), dst, "om_unknown"); faultOf(t, err).Code != "230001" {
		t.Errorf("an unknown message = %v", err)
	}
	if err := s.a.Recall(t.Context(), bot.Channel{Adapter: Name, Kind: KindWebhook}, "x"); faultOf(t, err).Fault != bot.Permanent {
		t.Errorf("a custom bot's post = %v", err)
	}
}

func TestImages(t *testing.T) {
	chart := bot.Message{Title: "趋势", Image: &bot.Image{PNG: []byte("\x89PNG\r\n\x1a\n..."), Alt: "8 周，共 65 条"}, Blocks: []bot.Block{{Kind: bot.BlockText, Text: "▁▃█"}}}
	dst := bot.Channel{Adapter: Name, Kind: KindApp, Address: "oc_1"}
	send := func(s *stage, dst bot.Channel) twin.Post {
		t.Helper()
		parts := s.a.Split(dst.Kind, chart)
		if len(parts) != 1 {
			t.Fatalf("%d parts", len(parts))
		}
		if _, err := s.a.Send(t.Context(), dst, bot.Post{Key: "k", Part: 1, Parts: 1, Message: parts[0]}); err != nil {
			t.Fatal(err)
		}
		posts := s.twin.Posts()
		return posts[len(posts)-1]
	}
	s := newStage(t, twin.Options{}, nil)
	if p := send(s, dst); p.Parts[0].Tag != "img" || p.Parts[0].Text != "8 周，共 65 条" || p.Parts[1].Text != "▁▃█" {
		t.Errorf("an app's chart: %+v", p.Parts)
	}
	hook := bot.Channel{Adapter: Name, Kind: KindWebhook, URL: bot.Secret(s.url + hookPath + "tok")}
	if p := send(s, hook); len(p.Parts) != 1 || p.Parts[0].Text != "▁▃█" {
		t.Errorf("a custom bot's chart: %+v", p.Parts)
	}
	s.twin.Fail(1, twin.Failure{Status: 503})
	if _, err := s.a.Send(t.Context(), dst, bot.Post{Part: 1, Parts: 1, Message: chart}); faultOf(t, err).Fault != bot.Retryable || faultOf(t, err).MaybeSent {
		t.Errorf("an upload that failed: %v", err)
	}
	s = newStage(t, twin.Options{NoImages: true}, nil)
	if p := send(s, dst); len(p.Parts) != 1 || p.Parts[0].Text != "▁▃█" || !strings.Contains(s.log.String(), "image left out") {
		t.Errorf("an app that may not upload: %+v, log %s", p.Parts, s.log)
	}
}
