package wecom

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/util"

	"weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

const (
	testCorp   = "wwcontract"
	testAgent  = 1000002
	testSecret = "app-secret-of-the-contract"
	testToken  = "QDG6eK" // of the official sample, as is the key
	testAESKey = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
	testKey    = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa"
	testAccess = "access+token/of=the&contract"
)

func testConfig(base string) Config {
	return Config{APIURL: base, Apps: []App{{Name: "weekly", CorpID: testCorp, AgentID: testAgent, Secret: testSecret,
		Token: testToken, EncodingAESKey: testAESKey}}}
}

func newTestAdapter(t testing.TB, cfg Config, deps Deps) *Adapter {
	t.Helper()
	a, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func testChannel(kind bot.Kind, base string) bot.Channel {
	c := bot.Channel{Adapter: Name, Kind: kind, Workspace: testCorp}
	switch kind {
	case KindWebhook:
		c.Workspace, c.Address, c.URL = "", "team", bot.Secret(base+"/cgi-bin/webhook/send?key="+testKey)
	case KindApp:
		c.Address = "user:zhangsan"
	case KindAppChat:
		c.Address = "chat:weekly1"
	}
	return c
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func accept(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/media/upload") {
		fmt.Fprint(w, `{"errcode":0,"errmsg":"ok","type":"image","media_id":"MEDIA","created_at":"1790000000"}`)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/gettoken") {
		json.NewEncoder(w).Encode(map[string]any{"errcode": 0, "errmsg": "ok", "access_token": testAccess, "expires_in": 7200})
		return
	}
	fmt.Fprint(w, `{"errcode":0,"errmsg":"ok","invaliduser":"","msgid":"m1"}`)
}

// expired is the answer to a token that is over; a group robot has none.
func expired(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("key") {
		accept(w, r)
		return
	}
	fmt.Fprint(w, `{"errcode":42001,"errmsg":"access_token expired"}`)
}

func TestContract(t *testing.T) {
	faults := []adaptertest.Fault{
		{Name: "http_429", Answer: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
		}, Want: bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeMessage, Code: "http_429", RetryAfter: 7 * time.Second}},
		{Name: "http_502", Answer: answers(502, "<html>bad gateway"),
			Want: bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "http_502", MaybeSent: true}},
		{Name: "http_503", Answer: answers(503, ""), Want: bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "http_503"}},
		{Name: "no_errcode", Answer: answers(200, `{"msgid":"m1"}`),
			Want: bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "bad_answer", MaybeSent: true}},
		{Name: "errcode_0_with_status_500", Answer: answers(500, `{"errcode":0}`),
			Want: bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "http_500"}},
		{Name: "retry_after_with_45009", Answer: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "600")
			fmt.Fprint(w, `{"errcode":45009}`)
		}, Want: bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeMessage, Code: "45009", RetryAfter: 10 * time.Minute}},
		{Name: "invaliduser", Kind: KindApp, Answer: answers(200, `{"errcode":0,"invaliduser":"ZHANGSAN","msgid":"m1"}`),
			Want: bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "invaliduser"}},
		{Name: "unlicenseduser", Kind: KindApp, Answer: answers(200, `{"errcode":0,"unlicenseduser":"zhangsan","msgid":"m1"}`),
			Want: bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "unlicenseduser"}},
		{Name: "token_refused", Kind: KindApp, Every: true, Answer: answers(200, `{"errcode":40001}`),
			Want: bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Code: "40001"}},
		{Name: "token_empty", Kind: KindApp, Every: true, Answer: answers(200, `{"errcode":0,"expires_in":7200}`),
			Want: bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "bad_answer"}},
		{Name: "token_502", Kind: KindAppChat, Every: true, Answer: answers(502, ""),
			Want: bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "http_502"}},
	}
	for _, c := range wantedCodes {
		want := bot.SendError{Fault: c.fault, Scope: c.scope, Code: strconv.Itoa(c.code)}
		if c.fault == bot.RateLimited {
			want.RetryAfter = time.Minute
		}
		faults = append(faults, adaptertest.Fault{Name: "errcode_" + want.Code, Want: want,
			Answer: answers(200, fmt.Sprintf(`{"errcode":%d,"errmsg":"words, from ip: 203.0.113.9"}`, c.code))})
	}
	adaptertest.Run(t, adaptertest.Harness{
		New:     func(t *testing.T, base string) bot.Adapter { return newTestAdapter(t, testConfig(base), Deps{}) },
		Channel: testChannel,
		Sockets: []bot.Kind{KindAIBot},
		Accept:  accept,
		IsPost:  func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/send") },
		Faults:  faults,
		Expired: expired,
		Secrets: []string{testSecret, testKey, testAccess, testToken, testAESKey},
		Inspect: inspect,
		Golden:  "testdata",
		Scrub:   scrub,
		Hook:    hookHarness(),
		Listener: func(t *testing.T, base string) bot.Listener {
			return newTestAdapter(t, botConfig(base), Deps{Log: slog.Default()})
		},
		Dial: func(t *testing.T) string {
			server := httptest.NewServer(twin.New(twin.Options{Bots: []twin.Bot{testBot}}))
			t.Cleanup(server.Close)
			return server.URL
		},
	})
}

// wantedCodes is section 6 of the platform's reference, written out again by hand.
var wantedCodes = []struct {
	code  int
	fault bot.Fault
	scope bot.Scope
}{
	{-1, bot.Retryable, bot.ScopeMessage}, {6000, bot.Retryable, bot.ScopeMessage},
	{45009, bot.RateLimited, bot.ScopeMessage}, {45033, bot.RateLimited, bot.ScopeMessage},
	{40014, bot.Retryable, bot.ScopeMessage}, {42001, bot.Retryable, bot.ScopeMessage}, {41001, bot.Retryable, bot.ScopeMessage},
	{40001, bot.Permanent, bot.ScopeWorkspace}, {40013, bot.Permanent, bot.ScopeWorkspace}, {40056, bot.Permanent, bot.ScopeWorkspace},
	{301002, bot.Permanent, bot.ScopeWorkspace}, {48002, bot.Permanent, bot.ScopeWorkspace}, {48006, bot.Permanent, bot.ScopeWorkspace},
	{50003, bot.Permanent, bot.ScopeWorkspace}, {60020, bot.Permanent, bot.ScopeWorkspace}, {93019, bot.Permanent, bot.ScopeWorkspace},
	{93000, bot.Permanent, bot.ScopeChannel}, {93004, bot.Permanent, bot.ScopeChannel}, {93005, bot.Permanent, bot.ScopeChannel},
	{93006, bot.Permanent, bot.ScopeChannel}, {93008, bot.Permanent, bot.ScopeChannel}, {86001, bot.Permanent, bot.ScopeChannel},
	{86003, bot.Permanent, bot.ScopeChannel}, {86008, bot.Permanent, bot.ScopeChannel}, {81013, bot.Permanent, bot.ScopeChannel},
	{60111, bot.Permanent, bot.ScopeChannel}, {46004, bot.Permanent, bot.ScopeChannel}, {60011, bot.Permanent, bot.ScopeChannel},
	{40003, bot.Permanent, bot.ScopeChannel}, {40031, bot.Permanent, bot.ScopeChannel},
	{40004, bot.Permanent, bot.ScopeMessage}, {40006, bot.Permanent, bot.ScopeMessage}, {40007, bot.Permanent, bot.ScopeMessage},
	{40009, bot.Permanent, bot.ScopeMessage}, {44001, bot.Permanent, bot.ScopeMessage}, {301019, bot.Permanent, bot.ScopeMessage},
	{40008, bot.Permanent, bot.ScopeMessage}, {40032, bot.Permanent, bot.ScopeMessage}, {40033, bot.Permanent, bot.ScopeMessage},
	{40035, bot.Permanent, bot.ScopeMessage}, {40058, bot.Permanent, bot.ScopeMessage}, {40063, bot.Permanent, bot.ScopeMessage},
	{40201, bot.Permanent, bot.ScopeMessage}, {41016, bot.Permanent, bot.ScopeMessage}, {42014, bot.Permanent, bot.ScopeMessage},
	{44004, bot.Permanent, bot.ScopeMessage}, {45002, bot.Permanent, bot.ScopeMessage}, {45008, bot.Permanent, bot.ScopeMessage},
	{82001, bot.Permanent, bot.ScopeMessage}, {82002, bot.Permanent, bot.ScopeMessage}, {82003, bot.Permanent, bot.ScopeMessage},
	{86215, bot.Permanent, bot.ScopeMessage},
	{846605, bot.Permanent, bot.ScopeMessage}, {846608, bot.Permanent, bot.ScopeMessage}, {846609, bot.Retryable, bot.ScopeMessage},
	{123456789, bot.Retryable, bot.ScopeMessage}, // unknown: the outbox tries once more
}

var (
	words = regexp.MustCompile(`>[^<]+<`)
	hrefs = regexp.MustCompile(` href="[^"]*"`)
)

// shapeOf is the layout of a page without words; lines of one kind in a row count as one, since foreign text may have more lines.
func shapeOf(html template.HTML) string {
	var shape []string
	for line := range strings.Lines(string(html)) {
		if line == `<div class="line"></div>`+"\n" {
			continue
		}
		line = hrefs.ReplaceAllString(words.ReplaceAllString(line, "><"), "")
		if len(shape) == 0 || shape[len(shape)-1] != line {
			shape = append(shape, line)
		}
	}
	return strings.Join(shape, "")
}

// receivers are unknown to Preview.
func scrub(_ bot.Kind, body []byte) []byte {
	return []byte(strings.NewReplacer(`"touser":"zhangsan"`, `"touser":"USER"`, `"chatid":"weekly1"`, `"chatid":"CHAT"`).Replace(string(body)))
}

// inspect reads a body through the twin's eyes, which know nothing of render.go.
func inspect(t *testing.T, kind bot.Kind, body []byte) adaptertest.Seen {
	t.Helper()
	var post struct {
		MsgType    string                    `json:"msgtype"`
		Markdown   struct{ Content string }  `json:"markdown"`
		MarkdownV2 *struct{ Content string } `json:"markdown_v2"`
		Image      *struct {
			Base64  []byte `json:"base64"`
			MediaID string `json:"media_id"`
		} `json:"image"`
	}
	if err := json.Unmarshal(body, &post); err != nil {
		t.Errorf("kind %s: %v", kind, err)
	}
	if post.MsgType == "image" {
		if post.Image == nil || len(post.Image.Base64) == 0 && post.Image.MediaID == "" {
			t.Errorf("kind %s: an image without an image: %.300s", kind, body)
		}
		return adaptertest.Seen{Image: true}
	}
	text, dialect := post.Markdown.Content, post.MsgType
	if post.MarkdownV2 != nil {
		text = post.MarkdownV2.Content
	}
	if kind == KindAIBot {
		dialect = "markdown_v2"
	}
	if regexp.MustCompile(`\\u[0-9a-fA-F]{4}`).Match(body) {
		t.Errorf("kind %s: the body holds \\uXXXX, which WeCom refuses (40033): %.300s", kind, body)
	}
	seen := twin.Read(dialect, text)
	return adaptertest.Seen{Text: seen.Text, Links: seen.Links, Mentions: seen.Mentions, Bytes: len(text), Shape: shapeOf(seen.HTML)}
}

// callback makes a callback request with the SDK's cryptography, not our own.
func callback(t testing.TB, path string, at time.Time, receiver string, plain []byte) *http.Request {
	t.Helper()
	encrypted, err := util.EncryptMsg([]byte("0123456789abcdef"), plain, receiver, testAESKey)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := xml.Marshal(struct {
		XMLName xml.Name `xml:"xml"`
		Encrypt string
	}{Encrypt: string(encrypted)})
	timestamp := strconv.FormatInt(at.Unix(), 10)
	query := url.Values{"timestamp": {timestamp}, "nonce": {"nonce1"}, "msg_signature": {util.Signature(testToken, timestamp, "nonce1", string(encrypted))}}
	return httptest.NewRequest("POST", path+"?"+query.Encode(), strings.NewReader(string(body)))
}

const sampleText = `<xml><ToUserName><![CDATA[wwcontract]]></ToUserName><FromUserName><![CDATA[ZhangSan]]></FromUserName><CreateTime>1409659813</CreateTime>` +
	`<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[／hot ebpf]]></Content><MsgId>4561255354251345929</MsgId><AgentID>1000002</AgentID></xml>`

func hookHarness() *adaptertest.Hook {
	genuine := func(t *testing.T) *http.Request {
		return callback(t, "/wecom/callback/weekly", time.Now(), testCorp, []byte(sampleText))
	}
	changed := func(change func(*http.Request)) func(t *testing.T) *http.Request {
		return func(t *testing.T) *http.Request {
			r := genuine(t)
			change(r)
			return r
		}
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			query := r.URL.Query()
			query.Set(name, value)
			r.URL.RawQuery = query.Encode()
		}
	}
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(text)) }
	}
	at := func(off time.Duration) func(t *testing.T) *http.Request {
		return func(t *testing.T) *http.Request {
			return callback(t, "/wecom/callback/weekly", time.Now().Add(off), testCorp, []byte(sampleText))
		}
	}
	return &adaptertest.Hook{Command: genuine, Text: "/hot ebpf", Bad: []adaptertest.BadRequest{
		{Name: "forged signature", Request: changed(set("msg_signature", strings.Repeat("0", 40))), Status: 401},
		{Name: "no signature", Request: changed(set("msg_signature", "")), Status: 401},
		{Name: "other nonce", Request: changed(set("nonce", "nonce2")), Status: 401},
		{Name: "other timestamp", Request: changed(set("timestamp", "1700000000")), Status: 401},
		{Name: "stale", Request: at(-11 * time.Minute), Status: 401},
		{Name: "from the future", Request: at(11 * time.Minute), Status: 401},
		{Name: "for another corp", Status: 401, Request: func(t *testing.T) *http.Request {
			return callback(t, "/wecom/callback/weekly", time.Now(), "wwother", []byte(sampleText))
		}},
		{Name: "for nobody", Status: 401, Request: func(t *testing.T) *http.Request {
			return callback(t, "/wecom/callback/weekly", time.Now(), "", []byte(sampleText))
		}},
		{Name: "unknown app", Status: 404, Request: func(t *testing.T) *http.Request {
			return callback(t, "/wecom/callback/other", time.Now(), testCorp, []byte(sampleText))
		}},
		{Name: "not XML", Request: changed(body("hello")), Status: 400},
		{Name: "no Encrypt", Request: changed(body("<xml></xml>")), Status: 400},
		{Name: "entities", Request: changed(body(`<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><Encrypt>&e;</Encrypt></xml>`)), Status: 400},
		{Name: "genuine, but not XML inside", Status: 400, Request: func(t *testing.T) *http.Request {
			return callback(t, "/wecom/callback/weekly", time.Now(), testCorp, []byte("hello"))
		}},
		{Name: "wrong method", Request: changed(func(r *http.Request) { r.Method = "PUT" }), Status: 405},
	}}
}
