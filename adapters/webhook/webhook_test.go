package webhook

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/adapters/webhook/twin"
	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

// TestSignOfTheScheme uses the example that the scheme's own libraries are tested with.
func TestSignOfTheScheme(t *testing.T) {
	key, err := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := Sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("Sign = %s, want %s", got, want)
	}
}

func TestParseSecret(t *testing.T) {
	for secret, want := range map[bot.Secret]string{"": "", "whsec_a2V5": "key", "a2V5": "key", " whsec_a2V5cw== ": "keys", "a2V5cw": "keys"} {
		if got, err := ParseSecret(secret); string(got) != want || err != nil {
			t.Errorf("ParseSecret(%q) = %q, %v, want %q", secret.Reveal(), got, err, want)
		}
	}
	if _, err := ParseSecret("whsec_not base64!"); err == nil || strings.Contains(err.Error(), "not base64!") {
		t.Errorf("ParseSecret of nonsense = %v, want an error without it", err)
	}
}

func TestMessageID(t *testing.T) {
	id := func(key string, part int) string { return messageID(bot.Post{Key: key, Part: part}) }
	if got := id("run-1/channel:2_x", 3); got != "run-1/channel:2_x-3" {
		t.Errorf("messageID = %q", got)
	}
	seen := map[string]bool{}
	for _, key := range []string{"a", "a.b", "a\r\nx: y", "周", strings.Repeat("k", 200)} {
		for part := 1; part <= 2; part++ {
			got := id(key, part)
			if seen[got] || got != id(key, part) || len(got) > maxKeyBytes+6 || strings.ContainsFunc(got, func(r rune) bool { return !strings.ContainsRune(idRunes, r) }) {
				t.Errorf("messageID(%q, %d) = %q", key, part, got)
			}
			seen[got] = true
		}
	}
}

// bigMessage has n items whose titles are told apart, each with a text of its own.
func bigMessage(n int) bot.Message {
	msg := bot.Message{Title: "大期刊", Lang: "zh"}
	for k := range n {
		if k%10 == 0 {
			msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockHeading, Text: fmt.Sprintf("栏目 %d", k/10)})
		}
		msg.Blocks = append(msg.Blocks, bot.Block{
			Kind: bot.BlockItem, Level: k % 3 / 2, URL: fmt.Sprintf("https://example.org/big/%d", k),
			Title: fmt.Sprintf("entry%04dx 每周一份摘要", k), Text: strings.Repeat("这一条讲的是怎样在不停机的情况下换掉一个数据库。", 5),
		})
	}
	return msg
}

func newTwin(t *testing.T, opt twin.Options) (*twin.Twin, *Adapter, bot.Channel) {
	t.Helper()
	opt.Secret = testSecret
	opt.Now = func() time.Time { return testTime }
	receiver := twin.New(opt)
	server := httptest.NewServer(receiver)
	t.Cleanup(server.Close)
	return receiver, newTest(t, server.URL), channelAt(server.URL)
}

// TestTwinTakesAllOfABigMessage checks signature, size and order by the receiver's own rules, with each item exactly once.
func TestTwinTakesAllOfABigMessage(t *testing.T) {
	const items = 270
	receiver, a, dst := newTwin(t, twin.Options{MaxBytes: maxBytes})
	parts := a.Split(Webhook, bigMessage(items))
	if len(parts) < 2 {
		t.Fatalf("%d parts: the message is too small for this test", len(parts))
	}
	for range 2 { // the second round is a repeat
		for k, part := range parts {
			if _, err := a.Send(t.Context(), dst, bot.Post{Key: "run-7/c1", Part: k + 1, Parts: len(parts), Message: part}); err != nil {
				t.Fatal(err)
			}
		}
	}
	posts := receiver.Posts()
	if len(posts) != len(parts) || receiver.Duplicates() != len(parts) || len(receiver.Refused()) != 0 {
		t.Errorf("%d posts, %d duplicates, refused %v; want %d, %d and none", len(posts), receiver.Duplicates(), receiver.Refused(), len(parts), len(parts))
	}
	var text, markdown strings.Builder
	for _, p := range posts {
		text.WriteString(p.Payload.Text)
		markdown.WriteString(p.Payload.Markdown)
	}
	for k := range items {
		title := fmt.Sprintf("entry%04dx", k)
		if n, m := strings.Count(text.String(), title), strings.Count(markdown.String(), title); n != 1 || m != 1 {
			t.Errorf("item %s is %d times in the text, %d times in the Markdown", title, n, m)
		}
	}
}

func TestSendThroughTwinFailures(t *testing.T) {
	small := bot.Post{Key: "k", Part: 1, Parts: 1, Message: adaptertest.Samples()["one_item"]}
	for _, c := range []struct {
		name    string
		failure twin.Failure
		fault   bot.Fault
		maybe   bool
		arrived int
	}{
		{"gone", twin.Failure{Status: 410}, bot.Permanent, false, 0},
		{"busy", twin.Failure{Status: 429, RetryAfter: "3"}, bot.RateLimited, false, 0},
		{"dropped before", twin.Failure{Drop: twin.DropBefore}, bot.Retryable, true, 0},
		{"dropped after", twin.Failure{Drop: twin.DropAfter}, bot.Retryable, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			receiver, a, dst := newTwin(t, twin.Options{})
			receiver.Fail(1, c.failure)
			_, err := a.Send(t.Context(), dst, small)
			fault, ok := errors.AsType[*bot.SendError](err)
			if !ok || fault.Fault != c.fault || fault.MaybeSent != c.maybe || len(receiver.Posts()) != c.arrived {
				t.Fatalf("Send = %v, arrived %d; want %s, MaybeSent %v, arrived %d", err, len(receiver.Posts()), c.fault, c.maybe, c.arrived)
			}
			if _, err := a.Send(t.Context(), dst, small); err != nil || len(receiver.Posts()) != 1 {
				t.Errorf("after a retry: %v, %d posts, want one", err, len(receiver.Posts()))
			}
		})
	}
}

func TestUnsignedChannel(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	defer server.Close()
	dst := channelAt(server.URL)
	dst.Secret = ""
	if _, err := newTest(t, server.URL).Send(t.Context(), dst, bot.Post{Key: "k", Part: 1, Parts: 1}); err != nil {
		t.Fatal(err)
	}
	if got.Get(HeaderSignature) != "" || got.Get(HeaderID) != "k-1" || got.Get(HeaderTimestamp) != fmt.Sprint(testTime.Unix()) {
		t.Errorf("headers %v", got)
	}
}

func TestRefusedWithoutCalling(t *testing.T) {
	called := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer server.Close()
	untrusted, err := New(Config{}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	byName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for _, c := range []struct {
		name, url, code string
		secret          bot.Secret
	}{
		{"loopback", server.URL + "/s3cr3t", "bad_url", ""},
		{"loopback by name", byName + "/s3cr3t", "bad_url", ""},
		{"cloud metadata", "https://169.254.169.254/s3cr3t", "bad_url", ""},
		{"private network", "https://10.0.0.8/s3cr3t", "bad_url", ""},
		{"mapped", "https://[::ffff:127.0.0.1]/s3cr3t", "bad_url", ""},
		{"plain http", "http://example.org/s3cr3t", "bad_url", ""},
		{"no URL", "s3cr3t", "bad_url", ""},
		{"empty", "", "bad_url", ""},
		{"file", "file:///s3cr3t", "bad_url", ""},
		{"user", "https://user:s3cr3t@example.org/", "bad_url", ""},
		{"secret", "https://example.org/s3cr3t", "bad_secret", "s3cr3t!"},
	} {
		_, err := untrusted.Send(t.Context(), bot.Channel{URL: bot.Secret(c.url), Secret: c.secret}, bot.Post{Part: 1, Parts: 1})
		fault, ok := errors.AsType[*bot.SendError](err)
		if !ok || fault.Fault != bot.Permanent || fault.Scope != bot.ScopeChannel || fault.Code != c.code || called {
			t.Errorf("%s: Send = %v, called: %v", c.name, err, called)
		}
		if ok && strings.Contains(fault.Error(), "s3cr3t") {
			t.Errorf("%s: a secret is in %v", c.name, fault)
		}
	}
}

// failing is an http.RoundTripper that connects to nobody.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// TestNameOfAPrivateAddress is about names whose address only shows when they are dialled.
func TestNameOfAPrivateAddress(t *testing.T) {
	a, err := New(Config{}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest("POST", "http://localhost:1/", nil)
	req.RequestURI = ""
	if _, _, _, err := apihttp.Do(t.Context(), a.client, req, 0); !errors.Is(err, apihttp.ErrPrivate) {
		t.Errorf("the client that New builds dials a private address: %v", err)
	}
	a, _ = New(Config{}, Deps{HTTP: &http.Client{Transport: failing{apihttp.ErrPrivate}}})
	_, err = a.Send(t.Context(), bot.Channel{URL: "https://intranet.example/s3cr3t"}, bot.Post{Part: 1, Parts: 1})
	fault, ok := errors.AsType[*bot.SendError](err)
	if !ok || fault.Code != "private_address" || fault.Fault != bot.Permanent || fault.Scope != bot.ScopeChannel || !strings.Contains(err.Error(), "allow_hosts") {
		t.Errorf("Send = %v, want private_address and what to do", err)
	}
}

func TestTarget(t *testing.T) {
	good := bot.Secret("whsec_" + base64.StdEncoding.EncodeToString([]byte("key")))
	ch, err := Target(" https://example.org/hook ", good)
	if err != nil || ch.URL.Reveal() != "https://example.org/hook" || ch.Kind != Webhook || ch.Adapter != "webhook" || ch.Secret != good {
		t.Errorf("Target = %+v, %v", ch, err)
	}
	for _, spec := range []string{"", "example.org", "http://example.org/", "ftp://example.org/", "https://"} {
		if _, err := Target(spec, ""); err == nil {
			t.Errorf("Target(%q) was accepted", spec)
		}
	}
	if _, err := Target("https://example.org/", "?"); err == nil {
		t.Error("Target with a secret that is not base64 was accepted")
	}
}

func TestConfigFaults(t *testing.T) {
	cfg := Config{AllowHosts: []string{"intranet.example", "127.0.0.1:9000", "[::1]:80", "https://x.example", "a/b", ""}}
	if got := cfg.Validate(); len(got) != 3 || !strings.HasPrefix(got[0].Error(), "adapters.webhook.allow_hosts[3]: ") {
		t.Errorf("Validate = %v", got)
	}
	if _, err := New(cfg, Deps{}); err == nil {
		t.Error("New took a wrong config")
	}
}

func FuzzRender(f *testing.F) {
	f.Add("# 标题 [a](b)", "- x\n\n1. y\n```\n", "https://example.org/)")
	f.Add("\\", "a\\\n---", "javascript:x")
	f.Fuzz(func(t *testing.T, title, text, link string) {
		msg := bot.Message{Title: "t", Blocks: []bot.Block{
			{Kind: bot.BlockItem, Title: "alpha " + title + " omega", Text: "alpha " + text + " omega", URL: link},
			{Kind: bot.BlockText, Text: text},
			{Kind: bot.BlockNote, Text: "end", Links: []bot.Link{{Text: title, URL: link}}},
		}}
		body := encode(render(bot.Post{Key: title, Part: 1, Parts: 1, Message: msg}))
		if !json.Valid(body) {
			t.Fatalf("not JSON: %q", body)
		}
		allowed := map[string]bool{cleanLink(link): true}
		for _, got := range inspect(t, Webhook, body).Links {
			if !allowed[got] {
				t.Errorf("foreign text made a link to %q", got)
			}
		}
	})
}
