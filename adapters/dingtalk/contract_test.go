package dingtalk

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

	"weeklybot/adapters/dingtalk/twin"
	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

const (
	// A platform can repeat only what it was sent. So that the suite may have every secret repeated to every kind, also before a token was
	// fetched, several share a value here.
	testRobotToken  = "0123456789abcdef-token"
	testAccessToken = testRobotToken
	testEventToken  = testRobotToken
	testRobotSecret = "SEC0123456789secret"
	testAppSecret   = testRobotSecret
	testEventKey    = "Yue0EfdN5900c1ce5cf6A152c63DDe1808a60c5ecd7" // an official sample
)

func testConfig(baseURL string) Config {
	return Config{
		ClientID: "dingclient", ClientSecret: testAppSecret, RobotCode: "dingrobot", CorpID: "dingcorp", Mode: ModeHTTP,
		Events: Events{Token: testEventToken, AESKey: testEventKey}, APIURL: baseURL, OAPIURL: baseURL,
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
		return bot.Channel{Adapter: Name, Kind: KindApp, Workspace: "dingcorp", Address: "group:cidTest=="}
	}
	return bot.Channel{Adapter: Name, Kind: KindWebhook, Address: "team", Secret: testRobotSecret,
		URL: bot.Secret(baseURL + "/robot/send?access_token=" + testRobotToken)}
}

// accepts is the platform when all is well.
func accepts(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case pathToken:
		fmt.Fprintf(w, `{"accessToken":%q,"expireIn":7200}`, testAccessToken)
	case pathMedia:
		fmt.Fprint(w, `{"errcode":0,"errmsg":"ok","media_id":"@lADtest","type":"image"}`)
	case pathGroup, pathUsers:
		fmt.Fprint(w, `{"processQueryKey":"pqk-1","invalidStaffIdList":[],"flowControlledStaffIdList":[]}`)
	default:
		fmt.Fprint(w, `{"errcode":0,"errmsg":"ok"}`)
	}
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
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
		IsPost:  func(r *http.Request) bool { return r.URL.Path != pathToken && r.URL.Path != pathMedia },
		Faults: []adaptertest.Fault{
			{Name: "too_fast", Kind: KindWebhook, Answer: answers(200, `{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}`),
				Want: fails(bot.RateLimited, bot.ScopeChannel, "130101", 10*time.Minute, false)},
			{Name: "errcode_as_string", Kind: KindWebhook, Answer: answers(200, `{"errcode":"400013","errmsg":"群已被解散"}`),
				Want: fails(bot.Permanent, bot.ScopeChannel, "400013", 0, false)},
			{Name: "qps", Kind: KindApp, Answer: answers(403, `{"code":"Forbidden.AccessDenied.QpsLimitForAppkeyAndApi","message":"slow down","requestid":"R1"}`),
				Want: fails(bot.RateLimited, bot.ScopeWorkspace, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", time.Second, false)},
			{Name: "quota", Kind: KindApp, Answer: answers(403, `{"code":"Forbidden.AccessDenied.ApiCountLimitForOrg","message":"used up"}`),
				Want: fails(bot.Permanent, bot.ScopeWorkspace, "Forbidden.AccessDenied.ApiCountLimitForOrg", 0, false)},
			{Name: "invalid_staff", Kind: KindApp, Answer: answers(200, `{"processQueryKey":"p","invalidStaffIdList":["u1"],"flowControlledStaffIdList":[]}`),
				Want: fails(bot.Permanent, bot.ScopeChannel, "invalidStaffIdList", 0, false)},
			{Name: "flow_controlled", Kind: KindApp, Answer: answers(200, `{"processQueryKey":"p","flowControlledStaffIdList":["u1"]}`),
				Want: fails(bot.RateLimited, bot.ScopeChannel, "flowControlledStaffIdList", time.Minute, false)},
			{Name: "wrong_credentials", Kind: KindApp, Every: true, Answer: answers(400, `{"code":"invalidClientIdOrSecret","message":"无效的clientId或者clientSecret"}`),
				Want: fails(bot.Permanent, bot.ScopeWorkspace, "invalidClientIdOrSecret", 0, false)},
			{Name: "address_banned", Answer: answers(200, `{"status":1111,"wait":5,"source":"x5","punish":"deny","uuid":"x"}`),
				Want: fails(bot.RateLimited, bot.ScopeWorkspace, "address_banned", 5*time.Minute, false)},
			{Name: "block_page", Answer: answers(403, `<!doctype html><title>blocked</title>`),
				Want: fails(bot.RateLimited, bot.ScopeWorkspace, "address_banned", 5*time.Minute, false)},
			{Name: "503", Answer: answers(503, ``), Want: fails(bot.Retryable, bot.ScopeMessage, "http_503", 0, false)},
			{Name: "504", Answer: answers(504, ``), Want: fails(bot.Retryable, bot.ScopeMessage, "http_504", 0, true)},
			{Name: "no_json", Answer: answers(200, `ok`), Want: fails(bot.Retryable, bot.ScopeMessage, "bad_answer", 0, true)},
			{Name: "empty_object", Answer: answers(200, `{}`), Want: fails(bot.Retryable, bot.ScopeMessage, "bad_answer", 0, true)},
			{Name: "unknown", Kind: KindWebhook, Answer: answers(200, `{"errcode":987654,"errmsg":"?"}`),
				Want: fails(bot.Retryable, bot.ScopeMessage, "987654", 0, false)},
			{Name: "unknown_dotted", Kind: KindApp, Answer: answers(400, `{"code":"what.is.this","message":"?"}`),
				Want: fails(bot.Retryable, bot.ScopeMessage, "what.is.this", 0, false)},
		},
		Expired: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/robot/send" {
				accepts(w, r)
				return
			}
			answers(401, `{"code":"InvalidAuthentication","message":"不合法的access_token"}`)(w, r)
		},
		Secrets: []string{testRobotToken, testRobotSecret, testAppSecret, testAccessToken, testEventToken, testEventKey},
		Inspect: inspect,
		Golden:  "testdata",
		Scrub: func(_ bot.Kind, body []byte) []byte { // a preview knows no conversation and no upload
			body = bytes.Replace(body, []byte("(@lADtest)"), []byte("()"), 1)
			return bytes.Replace(body, []byte(`"cidTest=="`), []byte(`""`), 1)
		},
		Hook: testHook(),
		Listener: func(t *testing.T, baseURL string) bot.Listener {
			cfg := testConfig(baseURL)
			cfg.Mode = ModeStream
			a, err := New(cfg, Deps{})
			if err != nil {
				t.Fatal(err)
			}
			return a
		},
		Dial: func(t *testing.T) string {
			server := httptest.NewServer(twin.New(twin.Options{ClientID: "dingclient", ClientSecret: testAppSecret}))
			t.Cleanup(server.Close)
			return server.URL
		},
	})
}

func testHook() *adaptertest.Hook {
	const command = `{"conversationId":"cid1==","conversationType":"2","conversationTitle":"架构组","msgId":"msg1","msgtype":"text",
		"text":{"content":" /hot ebpf "},"senderId":"$:LWCP_v1:$x","senderStaffId":"0147","senderNick":"小钉","robotCode":"dingrobot",
		"chatbotCorpId":"dingcorp","createAt":1708327204136}`
	good := func(*testing.T) *http.Request { return robotRequest(command, time.Now(), testAppSecret) }
	bad := func(name string, status int, change func(r *http.Request) *http.Request) adaptertest.BadRequest {
		return adaptertest.BadRequest{Name: name, Status: status, Request: func(t *testing.T) *http.Request { return change(good(t)) }}
	}
	with := func(body string, at time.Time, secret string) func(*http.Request) *http.Request {
		return func(*http.Request) *http.Request { return robotRequest(body, at, secret) }
	}
	return &adaptertest.Hook{
		Command: good,
		Text:    "/hot ebpf",
		Bad: []adaptertest.BadRequest{
			bad("forged", 401, with(command, time.Now(), "another secret")),
			bad("unsigned", 401, func(r *http.Request) *http.Request { r.Header.Del("sign"); return r }),
			bad("no_timestamp", 401, func(r *http.Request) *http.Request { r.Header.Del("timestamp"); return r }),
			bad("stale", 401, with(command, time.Now().Add(-61*time.Minute), testAppSecret)),
			bad("from_the_future", 401, with(command, time.Now().Add(61*time.Minute), testAppSecret)),
			bad("in_seconds", 401, with(command, time.UnixMilli(time.Now().Unix()), testAppSecret)),
			bad("another_robot", 401, with(strings.Replace(command, "dingrobot", "other", 1), time.Now(), testAppSecret)),
			bad("another_organisation", 401, with(strings.Replace(command, "dingcorp", "other", 1), time.Now(), testAppSecret)),
			bad("no_json", 400, with("payload=1", time.Now(), testAppSecret)),
			bad("no_id", 400, with(strings.Replace(command, "msgId", "x", 1), time.Now(), testAppSecret)),
			bad("wrong_method", 405, func(r *http.Request) *http.Request { r.Method = http.MethodGet; return r }),
			bad("forged_event", 401, func(*http.Request) *http.Request {
				return eventRequest(`{"EventType":"chat_disband","openConversationId":"cid1=="}`, time.Now(), "wrong token", "dingclient")
			}),
			bad("stale_event", 401, func(*http.Request) *http.Request {
				return eventRequest(`{"EventType":"chat_disband","openConversationId":"cid1=="}`, time.Now().Add(-2*time.Hour), testEventToken, "dingclient")
			}),
			bad("event_for_another_app", 401, func(*http.Request) *http.Request {
				return eventRequest(`{"EventType":"chat_disband","openConversationId":"cid1=="}`, time.Now(), testEventToken, "somebody")
			}),
			bad("event_not_json", 400, func(*http.Request) *http.Request {
				return eventRequest(`chat_disband`, time.Now(), testEventToken, "dingclient")
			}),
		},
	}
}

func robotRequest(body string, at time.Time, secret string) *http.Request {
	r, _ := http.NewRequest(http.MethodPost, "http://bot.example/dingtalk/robot", strings.NewReader(body))
	timestamp := strconv.FormatInt(at.UnixMilli(), 10)
	r.Header.Set("timestamp", timestamp)
	r.Header.Set("sign", sign(timestamp, secret))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func eventRequest(event string, at time.Time, token, owner string) *http.Request {
	c, _ := newCipher(testEventKey)
	encrypted := c.seal([]byte(event), owner, []byte("0123456789abcdef"))
	timestamp := strconv.FormatInt(at.UnixMilli(), 10)
	query := "?timestamp=" + timestamp + "&nonce=n1&msg_signature=" + eventSignature(token, timestamp, "n1", encrypted)
	r, _ := http.NewRequest(http.MethodPost, "http://bot.example/dingtalk/events"+query, strings.NewReader(`{"encrypt":"`+encrypted+`"}`))
	return r
}

// shownCard is a payload as a client shows it.
type shownCard struct {
	notice, markdown string
	buttons          []button
	at               bool
	bytes            int
}

// decodePost reads the body of either family, without the adapter's own types.
func decodePost(t testing.TB, body []byte) shownCard {
	t.Helper()
	var w struct {
		MsgType    string         `json:"msgtype"`
		At         map[string]any `json:"at"`
		Markdown   struct{ Title, Text string }
		ActionCard struct {
			Title, Text, SingleTitle, SingleURL string
			Btns                                []struct{ Title, ActionURL string }
		} `json:"actionCard"`
		MsgKey   string `json:"msgKey"`
		MsgParam string `json:"msgParam"`
	}
	if err := json.Unmarshal(body, &w); err != nil {
		t.Fatalf("body is no JSON: %v\n%s", err, body)
	}
	if w.MsgKey != "" {
		return decodeParam(t, w.MsgKey, w.MsgParam)
	}
	c := shownCard{notice: w.Markdown.Title, markdown: w.Markdown.Text, at: w.At != nil, bytes: len(body)}
	if w.MsgType == "actionCard" {
		c.notice, c.markdown = w.ActionCard.Title, w.ActionCard.Text
		if w.ActionCard.SingleURL != "" {
			c.buttons = append(c.buttons, button{w.ActionCard.SingleTitle, w.ActionCard.SingleURL})
		}
		for _, b := range w.ActionCard.Btns {
			c.buttons = append(c.buttons, button{b.Title, b.ActionURL})
		}
	}
	return c
}

func decodeParam(t testing.TB, key, param string) shownCard {
	var p map[string]string
	if err := json.Unmarshal([]byte(param), &p); err != nil {
		t.Fatalf("msgParam is no JSON: %v\n%s", err, param)
	}
	c := shownCard{notice: p["title"], markdown: p["text"], bytes: len(param)}
	if key == "sampleActionCard" {
		c.buttons = []button{{p["singleTitle"], p["singleURL"]}}
	}
	for k := 1; p["actionURL"+strconv.Itoa(k)] != ""; k++ {
		c.buttons = append(c.buttons, button{p["actionTitle"+strconv.Itoa(k)], p["actionURL"+strconv.Itoa(k)]})
	}
	return c
}

var (
	mention = regexp.MustCompile(`@[\p{L}\p{N}_$]+`)
	// More than the platform promises: what even one client shows counts.
	reader = goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify))
)

// inspect reads a payload as the keenest client would: GitHub's Markdown with bare links, tables and struck words.
func inspect(t *testing.T, _ bot.Kind, body []byte) adaptertest.Seen {
	c := decodePost(t, body)
	var seen adaptertest.Seen
	var words, shape strings.Builder
	source := []byte(c.markdown)
	_ = ast.Walk(reader.Parser().Parse(text.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			if n.Type() == ast.TypeBlock {
				words.WriteByte('\n')
			}
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			words.Write(n.Segment.Value(source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				words.WriteByte('\n')
			}
			return ast.WalkContinue, nil
		case *ast.AutoLink: // a bare address: it leads where it says, and is no layout
			words.Write(n.URL(source))
			seen.Links = append(seen.Links, string(n.URL(source)))
			return ast.WalkContinue, nil
		case *ast.Link:
			seen.Links = append(seen.Links, string(n.Destination))
		case *ast.Image:
			seen.Image = true
		case *ast.RawHTML, *ast.HTMLBlock:
			shape.WriteString("HTML ")
		}
		if n.Kind() != ast.KindParagraph { // an empty line makes one, and may
			shape.WriteString(n.Kind().String() + " ")
		}
		return ast.WalkContinue, nil
	})
	for _, b := range c.buttons {
		words.WriteString("\n" + b.title)
		seen.Links = append(seen.Links, b.url)
	}
	seen.Text = words.String()
	seen.Shape = shape.String() + fmt.Sprint(len(c.buttons), " buttons")
	seen.Mentions = mention.FindAllString(c.notice+"\n"+strings.ReplaceAll(c.markdown, "(@lADtest)", ""), -1)
	if c.at {
		seen.Mentions = append(seen.Mentions, "at")
	}
	if c.notice == "" || c.markdown == "" {
		t.Errorf("title or text is empty; the platform refuses it: %s", body)
	}
	seen.Bytes = c.bytes
	return seen
}
