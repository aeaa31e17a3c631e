package dingtalk

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weeklybot/adapters/dingtalk/twin"
	"weeklybot/bot"
)

var _ bot.Adapter = (*Adapter)(nil)

func TestValidate(t *testing.T) {
	good := testConfig("https://api.example")
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"whole", func(*Config) {}, nil},
		{"empty", func(c *Config) { *c = Config{} }, nil},
		{"loopback", func(c *Config) { c.APIURL, c.OAPIURL = "http://127.0.0.1:8000", "http://localhost:1/" }, nil},
		{"half", func(c *Config) { c.ClientSecret, c.RobotCode = "", "" }, []string{"client_secret:", "robot_code:"}},
		{"http without corp", func(c *Config) { c.CorpID = "" }, []string{"corp_id:"}},
		{"mode", func(c *Config) { c.Mode = "socket" }, []string{"mode:"}},
		{"allowances", func(c *Config) { c.Monthly.Calls = -1 }, []string{"monthly:"}},
		{"events", func(c *Config) { c.Events.Token = "" }, []string{"events:"}},
		{"aes key", func(c *Config) { c.Events.AESKey = "short" }, []string{"events.aes_key:"}},
		{"urls", func(c *Config) { c.APIURL, c.OAPIURL = "http://api.example", "https://oapi.example/robot" }, []string{"api_url:", "oapi_url:"}},
		{"no url", func(c *Config) { c.APIURL = "api.example" }, []string{"api_url:"}},
	} {
		cfg := good
		c.change(&cfg)
		faults := cfg.Validate()
		if len(faults) != len(c.want) {
			t.Errorf("%s: %v, want faults at %q", c.name, faults, c.want)
			continue
		}
		for k, want := range c.want {
			if !strings.HasPrefix(faults[k].Error(), "adapters.dingtalk."+want) {
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
	raw := "https://oapi.dingtalk.com/robot/send?access_token=abc123secret"
	ch, err := Target(" "+raw+"\n", "SECx")
	if err != nil || ch.Kind != KindWebhook || ch.URL.Reveal() != raw || ch.Secret != "SECx" || strings.Contains(ch.Address, "abc123secret") {
		t.Errorf("Target = %+v, %v", ch, err)
	}
	for _, bad := range []string{"", "abc123secret", "https://oapi.dingtalk.com/robot/send", "%zz?access_token=abc123secret"} {
		if _, err := Target(bad, ""); err == nil || strings.Contains(err.Error(), "abc123secret") {
			t.Errorf("Target(%q): %v, want an error without the token", bad, err)
		}
	}
}

func TestWebhooksOnForeignHostsAreNotCalled(t *testing.T) {
	server := httptest.NewServer(twin.New(twin.Options{}))
	defer server.Close()
	dst := bot.Channel{Kind: KindWebhook, URL: bot.Secret(server.URL + "/robot/send?access_token=t")}
	post := bot.Post{Key: "k", Part: 1, Parts: 1, Message: hello()}
	strict, _ := New(Config{}, Deps{})
	_, err := strict.Send(t.Context(), dst, post)
	if e, ok := errors.AsType[*bot.SendError](err); !ok || e.Fault != bot.Permanent || e.Scope != bot.ScopeChannel || e.Code != "bad_channel" {
		t.Errorf("Send = %v, want a refusal", err)
	}
	host := strings.TrimPrefix(server.URL, "http://")
	for name, cfg := range map[string]Config{"oapi_url": {OAPIURL: server.URL}, "reply_hosts": {ReplyHosts: []string{host}}, "trusted": {TrustedHosts: []string{host}}} {
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
		"kind": {a, bot.Channel{Kind: "aibot"}}, "address": {a, bot.Channel{Kind: KindApp, Address: "cid1"}}, "empty": {a, bot.Channel{Kind: KindApp, Address: "group:"}},
		"no credentials": {bare, bot.Channel{Kind: KindApp, Address: "group:c"}}, "no URL": {a, bot.Channel{Kind: KindWebhook}},
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
		s := newStage(t, twin.Options{Robots: []twin.Robot{{Token: testRobotToken, Secret: testRobotSecret}}}, nil)
		for _, dst := range []bot.Channel{testChannel(KindWebhook, s.a.oapi), testChannel(KindApp, ""), {Kind: KindApp, Address: "user:0147"}} {
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
			text[p.Channel] += p.Text
			if p.AtAll || len(p.At) > 0 {
				t.Errorf("a digest mentions %v", p.At)
			}
		}
		if len(text) != 3 {
			t.Errorf("%d channels, want 3", len(text))
		}
		for channel, all := range text {
			for _, b := range msg.Blocks {
				if b.Title != "" && (strings.Count(all, "["+b.Title+"]("+b.URL+")") != 1) {
					t.Errorf("%s: %q is there %d times", channel, b.Title, strings.Count(all, b.Title))
				}
			}
		}
	}
}

// The usual digest of a real newsletter goes out as one post: posts count against a quota.
func TestUsualDigestIsOnePost(t *testing.T) {
	a := newAdapter(t, "")
	for _, kind := range a.Kinds() {
		if n := len(a.Split(kind, issueOf(40, "一句话说清楚这条新闻为什么值得读，以及它影响谁。"))); n != 1 {
			t.Errorf("%s: 40 items with a sentence each take %d posts, want 1", kind, n)
		}
	}
}

func TestRepeatedPostIsShownOnce(t *testing.T) {
	s := newStage(t, twin.Options{Robots: []twin.Robot{{Token: testRobotToken, Secret: testRobotSecret}}}, nil)
	dst := testChannel(KindWebhook, s.a.oapi)
	post := bot.Post{Key: "d1", Part: 1, Parts: 1, Message: hello()}
	s.twin.Fail(1, twin.Failure{Drop: twin.DropAfter})
	_, err := s.a.Send(t.Context(), dst, post)
	if e, ok := errors.AsType[*bot.SendError](err); !ok || !e.MaybeSent || e.Fault != bot.Retryable {
		t.Fatalf("lost answer: %v", err)
	}
	for range 2 {
		if _, err := s.a.Send(t.Context(), dst, post); err != nil {
			t.Fatal(err)
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
	post := bot.Post{Key: "d1", Part: 1, Parts: 1, Message: hello()}
	receipt, err := s.a.Send(t.Context(), dst, post)
	if err != nil || receipt == "" || string(receipt) != s.twin.Posts()[0].ID {
		t.Fatalf("Send = %q, %v", receipt, err)
	}
	s.twin.ExpireToken()
	_, err = s.a.Send(t.Context(), dst, post)
	if e, ok := errors.AsType[*bot.SendError](err); !ok || e.Fault != bot.Retryable || e.Code != "InvalidAuthentication" {
		t.Fatalf("with a stale token: %v", err)
	}
	if _, err = s.a.Send(t.Context(), dst, post); err != nil || s.twin.TokenCalls() != 2 {
		t.Errorf("after it: %v, %d token calls", err, s.twin.TokenCalls())
	}
}

func TestTokenIsRefreshedBeforeItsEnd(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	clock := func() time.Time { return now }
	opt := twin.Options{ClientID: "dingclient", ClientSecret: testAppSecret, RobotCode: "dingrobot", Now: clock}
	tw := twin.New(opt)
	server := httptest.NewServer(tw)
	defer server.Close()
	a, err := New(testConfig(server.URL), Deps{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		calls int
	}{{0, 1}, {95 * time.Minute, 1}, {97 * time.Minute, 2}} { // 7200 s × 0.8 = 96 minutes
		now = time.UnixMilli(1_700_000_000_000).Add(c.after)
		if _, err := a.Send(t.Context(), testChannel(KindApp, ""), bot.Post{Part: 1, Parts: 1, Message: hello()}); err != nil || tw.TokenCalls() != c.calls {
			t.Errorf("after %v: %v, %d token calls, want %d", c.after, err, tw.TokenCalls(), c.calls)
		}
	}
}

func TestBlockedRobotLeavesOthersAlone(t *testing.T) {
	s := newStage(t, twin.Options{PerMinute: 2}, nil)
	send := func(token, key string) error {
		_, err := s.a.Send(t.Context(), bot.Channel{Kind: KindWebhook, URL: bot.Secret(s.a.oapi + "/robot/send?access_token=" + token)},
			bot.Post{Key: key, Part: 1, Parts: 1, Message: hello()})
		return err
	}
	for _, key := range []string{"1", "2"} {
		if err := send("a", key); err != nil {
			t.Fatal(err)
		}
	}
	e, ok := errors.AsType[*bot.SendError](send("a", "3"))
	if !ok || e.Fault != bot.RateLimited || e.Scope != bot.ScopeChannel || e.RetryAfter != 10*time.Minute {
		t.Errorf("third post in a minute: %+v", e)
	}
	if err := send("b", "1"); err != nil {
		t.Errorf("another robot: %v", err)
	}
}

func TestCheck(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	if got := s.a.Check(t.Context()); len(got) == 0 || got[0].Err != nil || !strings.Contains(got[0].What, "dingclient") {
		t.Errorf("Check = %+v", got)
	}
	wrong := newStage(t, twin.Options{}, func(c *Config) { c.ClientID = "dingother" })
	if got := wrong.a.Check(t.Context()); len(got) == 0 || got[0].Err == nil || !strings.Contains(got[0].Err.Error(), "client_secret") {
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

func TestRecall(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	post := bot.Post{Key: "k", Part: 1, Parts: 1, Message: hello()}
	for _, address := range []string{"group:cid1==", "user:0147"} {
		dst := bot.Channel{Adapter: Name, Kind: KindApp, Workspace: "dingcorp", Address: address}
		receipt, err := s.a.Send(t.Context(), dst, post)
		if err != nil {
			t.Fatal(err)
		}
		s.twin.Fail(1, twin.Failure{Code: "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", Status: 403})
		if err := s.a.Recall(t.Context(), dst, receipt); faultOf(t, err).Fault != bot.RateLimited {
			t.Errorf("%s: too many calls = %v", address, err)
		}
		if err := s.a.Recall(t.Context(), dst, receipt); err != nil {
			t.Errorf("%s: Recall = %v", address, err)
		}
		if err := s.a.Recall(t.Context(), dst, "pqk-unknown"); faultOf(t, err).Code != codeNotRecalled || !strings.Contains(err.Error(), "消息不存在") {
			t.Errorf("%s: an unknown message = %v", address, err)
		}
	}
	for _, p := range s.twin.Posts() {
		if !p.Recalled {
			t.Errorf("%s is still shown", p.Channel)
		}
	}
	if err := s.a.Recall(t.Context(), bot.Channel{Adapter: Name, Kind: KindWebhook}, "x"); faultOf(t, err).Fault != bot.Permanent {
		t.Errorf("a group robot's post = %v", err)
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

var chart = bot.Message{
	Title: "趋势", Image: &bot.Image{PNG: []byte("\x89PNG\r\n\x1a\n..."), Alt: "8 周，共 65 条"}, Blocks: []bot.Block{{Kind: bot.BlockText, Text: "▁▃█"}},
}

func TestImages(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	dst := bot.Channel{Adapter: Name, Kind: KindApp, Address: "group:c"}
	send := func(dst bot.Channel) twin.Post {
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
	if p := send(dst); !strings.HasPrefix(p.Text, "### 趋势\n\n![8 周，共 65 条](@lAD") || !strings.Contains(p.Text, "▁▃█") {
		t.Errorf("the app robot's chart: %q", p.Text)
	}
	if p := send(bot.Channel{Adapter: Name, Kind: KindWebhook, URL: bot.Secret(s.api.URL + "/robot/send?access_token=t")}); strings.Contains(p.Text, "![") {
		t.Errorf("a group robot's chart: %q", p.Text)
	}
	s.twin.Fail(1, twin.Failure{Status: 503})
	if _, err := s.a.Send(t.Context(), dst, bot.Post{Part: 1, Parts: 1, Message: chart}); faultOf(t, err).Fault != bot.Retryable || faultOf(t, err).MaybeSent {
		t.Errorf("an upload that failed: %v", err)
	}
	s.twin.Fail(1, twin.Failure{Code: "40035"})
	if p := send(dst); strings.Contains(p.Text, "![") || !strings.Contains(p.Text, "▁▃█") || !strings.Contains(s.log.String(), "image left out") {
		t.Errorf("an upload that was refused: %q, log %s", p.Text, s.log)
	}
}

func TestAnswersShowTheirImage(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	s.in.answer = chart
	if r := s.say(t, twin.Said{Text: "/trend wasm", Staff: "1"}); r.Post == nil || !strings.HasPrefix(r.Post.Text, "### 趋势\n\n![8 周，共 65 条](@lAD") {
		t.Errorf("answer %+v", r.Post)
	}
	s.twin.Fail(1, twin.Failure{Status: 503})
	if r := s.say(t, twin.Said{Text: "/trend wasm", Staff: "1"}); r.Post == nil || strings.Contains(r.Post.Text, "![") || !strings.Contains(r.Post.Text, "▁▃█") {
		t.Errorf("an answer whose upload failed: %+v", r.Post)
	}
}
