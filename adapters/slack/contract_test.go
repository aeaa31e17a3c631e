package slack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"weeklybot/adapters/slack/twin"
	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

const (
	testToken  = "xoxb-1111-2222-abcdefSECRET"
	testSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	hookPath   = "/services/T0TWIN/B0HOOK/keySECRETkeySECRET"
)

func testConfig(baseURL string) Config {
	return Config{BotToken: testToken, SigningSecret: testSecret, APIURL: baseURL + "/api"}
}

func newAdapter(t *testing.T, cfg Config, deps Deps) *Adapter {
	t.Helper()
	a, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func testChannel(kind bot.Kind, baseURL string) bot.Channel {
	if kind == KindWebhook {
		return bot.Channel{Adapter: Name, Kind: kind, Address: "team", URL: bot.Secret(baseURL + hookPath)}
	}
	return bot.Channel{Adapter: Name, Kind: kind, Workspace: "T0TWIN", Address: "C0GENERAL"}
}

func TestContract(t *testing.T) {
	adaptertest.Run(t, adaptertest.Harness{
		New: func(t *testing.T, baseURL string) bot.Adapter {
			return newAdapter(t, testConfig(baseURL), Deps{Now: func() time.Time { return signedAt }})
		},
		Channel: testChannel,
		Accept:  accept,
		IsPost: func(r *http.Request) bool {
			return !strings.HasSuffix(r.URL.Path, "/files.getUploadURLExternal") && !strings.HasPrefix(r.URL.Path, "/upload/")
		},
		Faults:   faults,
		Secrets:  []string{testToken, testSecret, testAppToken, hookPath, "keySECRETkeySECRET", "ticketSECRET"},
		Listener: func(t *testing.T, baseURL string) bot.Listener { return newAdapter(t, socketConfig(baseURL), Deps{}) },
		Dial: func(t *testing.T) string {
			_, base := newTwin(t, twin.Options{AppToken: testAppToken})
			return base
		},
		Inspect: inspect,
		Scrub:   scrub,
		Golden:  "testdata",
		Hook: &adaptertest.Hook{
			Command: func(t *testing.T) *http.Request {
				return signed(t, "/slack/commands", commandForm, signedAt, testSecret)
			},
			Text: "/hot ebpf",
			Bad:  badRequests,
		},
	})
}

func accept(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/services/") {
		fmt.Fprint(w, "ok")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.Contains(r.URL.Path, "/files.") {
		fmt.Fprintf(w, `{"ok":true,"upload_url":"http://%s/upload/v1/ticketSECRET","file_id":"FILE","files":[{"id":"FILE","title":"x"}]}`, r.Host)
		return
	}
	fmt.Fprint(w, `{"ok":true,"channel":"C0GENERAL","ts":"1503435956.000247","message":{"ts":"1503435956.000247","thread_ts":"1503435956.000247"}}`)
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for k := 0; k+1 < len(header); k += 2 {
			w.Header().Set(header[k], header[k+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func refuses(code string) http.HandlerFunc { return says(200, `{"ok":false,"error":"`+code+`"}`) }

var faults = []adaptertest.Fault{
	{Name: "429", Kind: KindApp, Answer: says(429, "", "Retry-After", "7"),
		Want: bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeWorkspace, Code: "rate_limited", RetryAfter: 7 * time.Second}},
	{Name: "429_without_retry_after", Kind: KindApp, Answer: says(429, `{"ok":false,"error":"ratelimited"}`),
		Want: bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeWorkspace, Code: "rate_limited"}},
	{Name: "429_with_a_fraction", Kind: KindApp, Answer: says(429, "", "Retry-After", "1.5"),
		Want: bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeWorkspace, Code: "rate_limited", RetryAfter: 1500 * time.Millisecond}},
	{Name: "200_ratelimited", Kind: KindApp, Answer: says(200, `{"ok":false,"error":"ratelimited"}`, "Retry-After", "3"),
		Want: bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeWorkspace, Code: "ratelimited", RetryAfter: 3 * time.Second}},
	{Name: "not_ok_without_error", Kind: KindApp, Answer: says(200, `{"ok":false}`),
		Want: bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_receipt", MaybeSent: true}},
	{Name: "ok_without_ts", Kind: KindApp, Answer: says(200, `{"ok":true}`),
		Want: bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_receipt", MaybeSent: true}},
	{Name: "archived", Kind: KindApp, Answer: refuses("is_archived"), Want: bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "is_archived"}},
	{Name: "revoked", Kind: KindApp, Answer: refuses("token_revoked"), Want: bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Code: "token_revoked"}},
	{Name: "fatal", Kind: KindApp, Answer: refuses("fatal_error"),
		Want: bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "fatal_error", MaybeSent: true}},
	{Name: "unknown_code", Kind: KindApp, Answer: refuses("new_in_2027"), Want: bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "new_in_2027"}},
	{Name: "503", Answer: says(503, "<h1>down</h1>"), Want: bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "http_503", MaybeSent: true}},

	{Name: "hook_429", Kind: KindWebhook, Answer: says(429, "rate_limited", "Retry-After", "2"),
		Want: bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeChannel, Code: "rate_limited", RetryAfter: 2 * time.Second}},
	{Name: "hook_removed", Kind: KindWebhook, Answer: says(404, "no_service"), Want: bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "no_service"}},
	{Name: "hook_gone", Kind: KindWebhook, Answer: says(404, "<h1>Not found</h1>"), Want: bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "http_404"}},
	{Name: "hook_archived", Kind: KindWebhook, Answer: says(410, "channel_is_archived"),
		Want: bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "channel_is_archived"}},
	{Name: "hook_blocks", Kind: KindWebhook, Answer: says(400, "invalid_blocks"), Want: bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "invalid_blocks"}},
	{Name: "hook_in_json", Kind: KindWebhook, Answer: says(404, `{"ok":false,"error":"no_service"}`),
		Want: bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "no_service"}},
	{Name: "hook_unknown", Kind: KindWebhook, Answer: says(400, "new_in_2027"), Want: bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "new_in_2027"}},
}

// scrub makes the form of chat.postMessage and the JSON that Preview shows of it comparable: no token and channel, and all values but
// blocks and metadata as in a form.
func scrub(kind bot.Kind, body []byte) []byte {
	if kind != KindApp {
		return body
	}
	var object map[string]any
	if json.Unmarshal(body, &object) == nil {
		for name, v := range object {
			if yes, ok := v.(bool); ok {
				object[name] = fmt.Sprint(yes)
			}
		}
		body, _ = json.Marshal(object)
		return body
	}
	form, _ := url.ParseQuery(string(body))
	form.Del("token")
	form.Del("channel")
	form.Del("channel_id")
	return []byte(form.Encode())
}

// wire is a payload as Slack reads it, from a form or JSON, with nothing of the adapter's own types.
type wire struct {
	Text   string
	Blocks []struct {
		Type     string
		Text     *wireText
		Elements []struct {
			Type  string
			URL   string
			Value string
			Text  json.RawMessage // an object in a button, a string in a context
		}
	}
}

type wireText struct{ Type, Text string }

func readWire(t *testing.T, kind bot.Kind, body []byte) wire {
	t.Helper()
	var w wire
	if kind == KindApp && !strings.HasPrefix(string(body), "{") {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Fatal(err)
		}
		w.Text, body = form.Get("text"), []byte(`{"Blocks":`+form.Get("blocks")+`}`)
	}
	if err := json.Unmarshal(body, &w); err != nil {
		t.Fatalf("%v in %.300s", err, body)
	}
	return w
}

var (
	token    = regexp.MustCompile(`<([^<>|]*)(?:\|([^<>]*))?>`)
	entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
)

// inspect reads a payload as Slack shows it.
func inspect(t *testing.T, kind bot.Kind, body []byte) (seen adaptertest.Seen) {
	t.Helper()
	if form, err := url.ParseQuery(string(body)); err == nil && form.Has("files") || strings.HasPrefix(string(body), `{"files":`) {
		return adaptertest.Seen{Image: true}
	}
	w := readWire(t, kind, body)
	seen.Bytes = len(body)
	seen.Blocks = len(w.Blocks)
	show := func(text string, markup bool) {
		seen.Runes = max(seen.Runes, utf8.RuneCountInString(text))
		seen.TotalRunes += utf8.RuneCountInString(text)
		if markup {
			text = readMrkdwn(&seen, text)
		}
		seen.Text += text + "\n"
	}
	for _, b := range w.Blocks {
		seen.Shape += b.Type + " "
		if b.Text != nil {
			show(b.Text.Text, b.Text.Type == "mrkdwn")
		}
		for _, e := range b.Elements {
			seen.Shape += e.Type + " "
			var label wireText
			if e.Type == "button" {
				_ = json.Unmarshal(e.Text, &label)
				if e.URL != "" || !bareSubscribe.MatchString(e.Value) { // a command in a button is ours, whatever the message says
					seen.Links = append(seen.Links, e.URL)
				}
			} else {
				label.Type = e.Type
				_ = json.Unmarshal(e.Text, &label.Text)
			}
			show(label.Text, label.Type == "mrkdwn")
		}
	}
	fallback := seen.Links
	readMrkdwn(&seen, w.Text) // a mention in the notification counts, its words are not shown a second time
	if len(seen.Links) != len(fallback) {
		t.Errorf("the fallback text holds a link: %q", w.Text)
	}
	return seen
}

// readMrkdwn takes links and mentions out of text and returns what a reader sees.
func readMrkdwn(seen *adaptertest.Seen, text string) string {
	text = token.ReplaceAllStringFunc(text, func(s string) string {
		m := token.FindStringSubmatch(s)
		target, label := m[1], m[2]
		if label == "" {
			label = target
		}
		if strings.HasPrefix(target, "!") || strings.HasPrefix(target, "@") || strings.HasPrefix(target, "#") {
			seen.Mentions = append(seen.Mentions, s)
		} else {
			seen.Links = append(seen.Links, entities.Replace(target))
			seen.Shape += "link "
		}
		return label
	})
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "&gt;") {
			seen.Shape += "quote "
		}
	}
	if strings.Contains(text, "```") {
		seen.Shape += "fence "
	}
	return strings.ReplaceAll(entities.Replace(text), "\u200b", "")
}

// signed is a genuine request to path.
func signed(t *testing.T, path, body string, at time.Time, secret bot.Secret) *http.Request {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	stamp := fmt.Sprint(at.Unix())
	r.Header.Set("X-Slack-Request-Timestamp", stamp)
	r.Header.Set("X-Slack-Signature", sign(secret, stamp, []byte(body)))
	return r
}

func newTwin(t *testing.T, opt twin.Options) (*twin.Twin, string) {
	t.Helper()
	opt.BotToken, opt.SigningSecret = testToken, testSecret
	if opt.Window == 0 {
		opt.Window = time.Millisecond
	}
	tw := twin.New(opt)
	srv := httptest.NewServer(tw)
	t.Cleanup(srv.Close)
	tw.SetURL(srv.URL)
	return tw, srv.URL
}
