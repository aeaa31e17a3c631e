package feishu

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"weeklybot/adapters/feishu/twin"
	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

const (
	// A platform can repeat only what it was sent. So that the suite may have every secret repeated to every kind, also before a token was
	// fetched, several share a value here.
	testHookToken   = "0123456789abcdef-token"
	testAccessToken = testHookToken
	testEventToken  = testHookToken
	testHookSecret  = "0123456789secret"
	testAppSecret   = testHookSecret
	testEncryptKey  = "an-encrypt-key-of-ours"
)

func testConfig(baseURL string) Config {
	return Config{
		AppID: "cli_test", AppSecret: testAppSecret, Mode: ModeHTTP,
		Events: Events{Token: testEventToken, AESKey: testEncryptKey}, APIURL: baseURL,
	}
}

func newAdapter(t testing.TB, baseURL string) *Adapter {
	t.Helper()
	a, err := New(testConfig(baseURL), Deps{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func testChannel(kind bot.Kind, baseURL string) bot.Channel {
	if kind == KindApp {
		return bot.Channel{Adapter: Name, Kind: KindApp, Workspace: "tenant", Address: "oc_test"}
	}
	return bot.Channel{Adapter: Name, Kind: KindWebhook, Address: "team", Secret: testHookSecret, URL: bot.Secret(baseURL + hookPath + testHookToken)}
}

// accepts is the platform when all is well.
func accepts(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == pathToken:
		fmt.Fprintf(w, `{"code":0,"msg":"ok","tenant_access_token":%q,"expire":7200}`, testAccessToken)
	case r.URL.Path == pathImages:
		fmt.Fprint(w, `{"code":0,"msg":"success","data":{"image_key":"img_1"}}`)
	case strings.HasPrefix(r.URL.Path, pathMessages):
		fmt.Fprint(w, `{"code":0,"msg":"success","data":{"message_id":"om_1","chat_id":"oc_test"}}`)
	default:
		fmt.Fprint(w, `{"code":0,"msg":"success","data":{},"Extra":null,"StatusCode":0,"StatusMessage":"success"}`)
	}
}

func answers(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for k := 0; k < len(header); k += 2 {
			w.Header().Set(header[k], header[k+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestContract(t *testing.T) {
	fails := func(fault bot.Fault, scope bot.Scope, code string, after time.Duration, maybe bool) bot.SendError {
		return bot.SendError{Fault: fault, Scope: scope, Code: code, RetryAfter: after, MaybeSent: maybe}
	}
	adaptertest.Run(t, adaptertest.Harness{
		New:     func(t *testing.T, baseURL string) bot.Adapter { return newAdapter(t, baseURL) },
		Channel: testChannel,
		Accept:  accepts,
		IsPost:  func(r *http.Request) bool { return r.URL.Path != pathToken && r.URL.Path != pathImages },
		Faults: []adaptertest.Fault{
			{Name: "too_fast", Kind: KindWebhook, Answer: answers(200, `{"code":11232,"msg":"frequency limited","data":{}}`),
				Want: fails(bot.RateLimited, bot.ScopeChannel, "11232", time.Minute, false)},
			{Name: "signature", Kind: KindWebhook, Answer: answers(200, `{"code":19021,"msg":"sign match fail or timestamp is not within one hour from current time"}`),
				Want: fails(bot.Permanent, bot.ScopeChannel, "19021", 0, false)},
			{Name: "old_form", Kind: KindWebhook, Answer: answers(400, `{"StatusCode":9499,"StatusMessage":"Bad Request"}`),
				Want: fails(bot.Permanent, bot.ScopeMessage, "9499", 0, false)},
			{Name: "code_as_string", Kind: KindWebhook, Answer: answers(200, `{"code":"19001","msg":"param invalid: incoming webhook access token invalid"}`),
				Want: fails(bot.Permanent, bot.ScopeChannel, "19001", 0, false)},
			{Name: "frequency", Kind: KindApp, Answer: answers(429, `{"code":99991400,"msg":"request trigger frequency limit"}`, "x-ogw-ratelimit-reset", "52"),
				Want: fails(bot.RateLimited, bot.ScopeWorkspace, "99991400", 52*time.Second, false)},
			{Name: "frequency_of_old", Kind: KindApp, Answer: answers(400, `{"code":99991400,"msg":"request trigger frequency limit"}`),
				Want: fails(bot.RateLimited, bot.ScopeWorkspace, "99991400", time.Second, false)},
			{Name: "chat_frequency", Kind: KindApp, Answer: answers(400, `{"code":230020,"msg":"This operation triggers the frequency limit."}`),
				Want: fails(bot.RateLimited, bot.ScopeChannel, "230020", time.Second, false)},
			{Name: "not_in_chat", Kind: KindApp, Answer: answers(400, `{"code":230002,"msg":"The bot can not be outside the group."}`),
				Want: fails(bot.Permanent, bot.ScopeChannel, "230002", 0, false)},
			{Name: "bad_receiver", Kind: KindApp, Answer: answers(400, `{"code":230001,"msg":"Your request contains an invalid request parameter, ext=invalid receive_id."}`),
				Want: fails(bot.Permanent, bot.ScopeChannel, "230001", 0, false)},
			{Name: "quota", Kind: KindApp, Answer: answers(400, `{"code":99991403,"msg":"This month's API call quota has been exceeded"}`),
				Want: fails(bot.Permanent, bot.ScopeWorkspace, "99991403", 0, false)},
			{Name: "wrong_credentials", Kind: KindApp, Every: true, Answer: answers(200, `{"code":10014,"msg":"app secret invalid"}`),
				Want: fails(bot.Permanent, bot.ScopeWorkspace, "10014", 0, false)},
			{Name: "being_sent", Kind: KindApp, Answer: answers(400, `{"code":230049,"msg":"The message is being sent."}`),
				Want: fails(bot.Retryable, bot.ScopeMessage, "230049", 0, true)},
			{Name: "503", Answer: answers(503, ``), Want: fails(bot.Retryable, bot.ScopeMessage, "http_503", 0, false)},
			{Name: "504", Answer: answers(504, ``), Want: fails(bot.Retryable, bot.ScopeMessage, "http_504", 0, true)},
			{Name: "429", Answer: answers(429, ``, "Retry-After", "7"), Want: fails(bot.RateLimited, bot.ScopeWorkspace, "http_429", 7*time.Second, false)},
			{Name: "no_json", Answer: answers(200, `ok`), Want: fails(bot.Retryable, bot.ScopeMessage, "bad_answer", 0, true)},
			{Name: "empty_object", Answer: answers(200, `{}`), Want: fails(bot.Retryable, bot.ScopeMessage, "bad_answer", 0, true)},
			{Name: "no_message", Kind: KindApp, Answer: answers(200, `{"code":0,"data":{}}`), Want: fails(bot.Retryable, bot.ScopeMessage, "bad_answer", 0, true)},
			{Name: "unknown", Answer: answers(400, `{"code":987654,"msg":"?"}`), Want: fails(bot.Retryable, bot.ScopeMessage, "987654", 0, false)},
		},
		Expired: func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, hookPath) {
				accepts(w, r)
				return
			}
			answers(400, `{"code":99991663,"msg":"Invalid access token for authorization. Please make a request with token attached."}`)(w, r)
		},
		Secrets: []string{testHookToken, testHookSecret, testAppSecret, testAccessToken, testEventToken, testEncryptKey},
		Inspect: inspect,
		Golden:  "testdata",
		Scrub: func(_ bot.Kind, body []byte) []byte { // a preview knows no receiver, no moment and no upload
			body = signed.ReplaceAll(body, nil)
			body = bytes.Replace(body, []byte(`\"img_key\":\"img_1\",`), nil, 1)
			return bytes.Replace(body, []byte(`"receive_id":"oc_test",`), nil, 1)
		},
		Hook: testHook(),
		Listener: func(t *testing.T, baseURL string) bot.Listener {
			cfg := testConfig(baseURL)
			cfg.Mode = ModeSocket
			a, err := New(cfg, Deps{})
			if err != nil {
				t.Fatal(err)
			}
			return a
		},
		Dial: func(t *testing.T) string {
			server := httptest.NewServer(twin.New(twin.Options{AppID: "cli_test", AppSecret: testAppSecret}))
			t.Cleanup(server.Close)
			return server.URL
		},
	})
}

var signed = regexp.MustCompile(`"timestamp":"\d+","sign":"[^"]+",`)

const testCommand = `{"schema":"2.0","header":{"event_id":"ev1","event_type":"im.message.receive_v1","create_time":"1708327204136",
	"token":"` + testEventToken + `","app_id":"cli_test","tenant_key":"tenant"},
	"event":{"sender":{"sender_id":{"union_id":"on_1","user_id":"","open_id":"ou_1"},"sender_type":"user","tenant_key":"tenant"},
	"message":{"message_id":"om_1","create_time":"1708327204136","chat_id":"oc_1","chat_type":"group","message_type":"text",
	"content":"{\"text\":\"@_user_1 /hot ebpf\"}","mentions":[{"key":"@_user_1","id":{"open_id":"ou_bot"},"name":"周报","tenant_key":"tenant"}]}}}`

func testHook() *adaptertest.Hook {
	good := func(*testing.T) *http.Request { return eventRequest(testCommand, time.Now(), testEncryptKey) }
	bad := func(name string, status int, make func() *http.Request) adaptertest.BadRequest {
		return adaptertest.BadRequest{Name: name, Status: status, Request: func(*testing.T) *http.Request { return make() }}
	}
	changed := func(old, new string) func() *http.Request {
		return func() *http.Request {
			return eventRequest(strings.Replace(testCommand, old, new, 1), time.Now(), testEncryptKey)
		}
	}
	without := func(header string) func() *http.Request {
		return func() *http.Request { r := good(nil); r.Header.Del(header); return r }
	}
	at := func(age time.Duration) func() *http.Request {
		return func() *http.Request { return eventRequest(testCommand, time.Now().Add(-age), testEncryptKey) }
	}
	return &adaptertest.Hook{
		Command: good,
		Text:    "/hot ebpf",
		Bad: []adaptertest.BadRequest{
			bad("forged", 401, func() *http.Request { return eventRequest(testCommand, time.Now(), "another key") }),
			bad("unsigned", 401, without("X-Lark-Signature")),
			bad("no_timestamp", 401, without("X-Lark-Request-Timestamp")),
			bad("stale", 401, at(61*time.Minute)),
			bad("from_the_future", 401, at(-61*time.Minute)),
			bad("body_of_another", 401, func() *http.Request {
				r, other := good(nil), changed("om_1", "om_2")()
				r.Body = other.Body
				return r
			}),
			bad("another_token", 401, changed(testEventToken, "forged")),
			bad("another_app", 401, changed("cli_test", "cli_other")),
			bad("plain", 400, func() *http.Request {
				r, _ := http.NewRequest(http.MethodPost, "http://bot.example/feishu/events", strings.NewReader(testCommand))
				return r
			}),
			bad("plain_challenge", 400, func() *http.Request {
				r, _ := http.NewRequest(http.MethodPost, "http://bot.example/feishu/events", strings.NewReader(`{"type":"url_verification","token":"`+testEventToken+`","challenge":"x"}`))
				return r
			}),
			bad("forged_challenge", 401, func() *http.Request {
				return eventRequest(`{"type":"url_verification","token":"forged","challenge":"x"}`, time.Now(), testEncryptKey)
			}),
			bad("no_json", 400, func() *http.Request { return eventRequest("payload=1", time.Now(), testEncryptKey) }),
			bad("no_id", 400, changed(`"message_id"`, `"x"`)),
			bad("no_message", 400, changed(`"event":{`, `"event":[],"x":{`)),
			bad("wrong_method", 405, func() *http.Request { r := good(nil); r.Method = http.MethodGet; return r }),
		},
	}
}

// sealed is an event encrypted with a random block of our own.
func sealed(event, key string) string {
	c := newCipher(key)
	return sealWith(c, event)
}

func eventRequest(event string, at time.Time, key string) *http.Request {
	body := []byte(`{"encrypt":"` + sealed(event, key) + `"}`)
	r, _ := http.NewRequest(http.MethodPost, "http://bot.example/feishu/events", bytes.NewReader(body))
	timestamp := strconv.FormatInt(at.Unix(), 10)
	r.Header.Set("X-Lark-Request-Timestamp", timestamp)
	r.Header.Set("X-Lark-Request-Nonce", "n1")
	r.Header.Set("X-Lark-Signature", newCipher(key).signature(timestamp, "n1", body))
	return r
}

// shownCard is a card as a client gets it, read without the adapter's own types.
type shownCard struct {
	Schema string
	Config struct{ Summary struct{ Content string } }
	Header struct{ Title shownText }
	Body   struct{ Elements []shownElement }
}

type (
	shownText    struct{ Tag, Content string }
	shownElement struct {
		Tag, Content string
		Columns      []shownElement
		Elements     []shownElement
		Text, Alt    shownText
		Behaviors    []struct {
			Type       string
			DefaultURL string `json:"default_url"`
		}
	}
)

// decodePost reads the body of either family.
func decodePost(t testing.TB, body []byte) (c shownCard) {
	t.Helper()
	var w struct {
		MsgType string          `json:"msg_type"`
		Card    json.RawMessage `json:"card"`
		Content string          `json:"content"`
	}
	if err := json.Unmarshal(body, &w); err != nil {
		t.Fatalf("body is no JSON: %v\n%s", err, body)
	}
	if w.Content != "" {
		w.Card = json.RawMessage(w.Content)
	}
	if err := json.Unmarshal(w.Card, &c); err != nil || w.MsgType != "interactive" || c.Schema != "2.0" || c.Config.Summary.Content == "" {
		t.Errorf("no card of JSON 2.0 with a summary: %v\n%s", err, body)
	}
	return c
}

var (
	tag = regexp.MustCompile(`(?i)<\s*/?\s*(?:at|person)\b[^>]*`)
	// More than the platform promises: what even one client shows counts.
	reader = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify))
)

// inspect reads a payload as the keenest client would: GitHub's Markdown with bare links, tables and struck words.
func inspect(t *testing.T, _ bot.Kind, body []byte) adaptertest.Seen {
	c := decodePost(t, body)
	v := viewer{seen: adaptertest.Seen{Bytes: len(body)}}
	if c.Header.Title.Tag != "" {
		v.plain(c.Header.Title, "header")
	}
	v.elements(c.Body.Elements)
	v.seen.Text, v.seen.Shape = v.words.String(), v.shape.String()
	v.seen.Mentions = append(v.seen.Mentions, tag.FindAllString(c.Config.Summary.Content, -1)...)
	return v.seen
}

// viewer collects what a card shows.
type viewer struct {
	seen         adaptertest.Seen
	words, shape strings.Builder
}

func (v *viewer) plain(s shownText, what string) {
	v.seen.Blocks++
	v.words.WriteString(s.Content + "\n")
	v.shape.WriteString(what + " ")
	v.seen.Mentions = append(v.seen.Mentions, tag.FindAllString(s.Content, -1)...)
}

func (v *viewer) elements(list []shownElement) {
	for _, e := range list {
		v.seen.Blocks++
		v.shape.WriteString(e.Tag + " ")
		if e.Tag == "markdown" {
			v.markdown(e.Content)
		}
		if e.Tag == "img" {
			v.seen.Image = true
			v.plain(e.Alt, "alt")
		}
		if e.Tag == "button" {
			v.plain(e.Text, "label")
			for _, b := range e.Behaviors {
				v.seen.Links = append(v.seen.Links, b.DefaultURL)
			}
		}
		v.elements(e.Columns)
		v.elements(e.Elements)
	}
}

func (v *viewer) markdown(content string) {
	v.seen.Mentions = append(v.seen.Mentions, tag.FindAllString(content, -1)...)
	source := []byte(content)
	_ = ast.Walk(reader.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			if n.Type() == ast.TypeBlock {
				v.words.WriteByte('\n')
			}
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			v.words.WriteString(htmlUnescape(string(n.Segment.Value(source))))
			if n.SoftLineBreak() || n.HardLineBreak() {
				v.words.WriteByte('\n')
			}
			return ast.WalkContinue, nil
		case *ast.String:
			v.words.Write(n.Value)
			return ast.WalkContinue, nil
		case *ast.AutoLink: // a bare address: it leads where it says, and is no layout
			v.words.Write(n.URL(source))
			v.seen.Links = append(v.seen.Links, string(n.URL(source)))
			return ast.WalkContinue, nil
		case *ast.Link:
			v.seen.Links = append(v.seen.Links, string(n.Destination))
			if htmlUnescape(linkText(n, source)) == string(n.Destination) { // a bare address, as above
				return ast.WalkContinue, nil
			}
		case *ast.RawHTML:
			if string(n.Segments.Value(source)) == lineBreak {
				v.words.WriteByte('\n')
				return ast.WalkContinue, nil
			}
			v.shape.WriteString("HTML ")
		case *ast.HTMLBlock:
			v.shape.WriteString("HTML ")
		}
		if n.Kind() != ast.KindParagraph && n.Kind() != ast.KindDocument { // an empty line makes a paragraph, and may
			v.shape.WriteString(n.Kind().String() + " ")
		}
		return ast.WalkContinue, nil
	})
}

// linkText is what stands between the brackets of a link, as typed.
func linkText(n ast.Node, source []byte) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			b.Write(c.Segment.Value(source))
		case *ast.String:
			b.Write(c.Value)
		default:
			b.WriteString(linkText(c, source))
		}
	}
	return b.String()
}
