package wecom

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/silenceper/wechat/v2/util"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
)

func TestBotText(t *testing.T) {
	for _, c := range []struct{ said, name, want string }{
		{"@RobotA /hot ebpf", "RobotA", "/hot ebpf"},
		{"@RobotA\u2005/hot ebpf", "RobotA", "/hot ebpf"},
		{"@RobotA\u00a0\u3000／hot\u3000ebpf", "RobotA", "/hot ebpf"},
		{"@RobotA/hot", "RobotA", "/hot"},
		{"@周报 Bot ／热门 ebpf", "周报 Bot", "/热门 ebpf"},
		{"@周报\u2005Bot /hot", "周报 Bot", "/hot"},
		{"/hot ebpf @RobotA", "RobotA", "/hot ebpf"},
		{"@RobotA @RobotA /hot", "RobotA", "/hot"},
		{"@李四 @RobotA /hot", "RobotA", "/hot"},
		{"@RobotA 热门 ebpf", "RobotA", "热门 ebpf"},
		{"@RobotA", "RobotA", "/help"},
		{"@RobotA ", "", "/help"},
		{"@RobotB /hot", "RobotA", "/hot"},
		{"@RobotAB /hot x", "RobotA", "/hot x"},
		{"@Some Bot /hot https://example.org/x", "", "/hot https://example.org/x"},
		{"@Bot 帮助", "", "帮助"},
		{"@Bot and/or /hot", "", "/hot"},
		{"mail to a@RobotA now", "RobotA", "mail to a@RobotA now"},
		{"/hot a\nb", "RobotA", "/hot a\nb"},
	} {
		if got := botText(c.said, c.name, true); got != c.want {
			t.Errorf("botText(%q, %q) = %q, want %q", c.said, c.name, got, c.want)
		}
	}
	for said, want := range map[string]string{"／hot": "/hot", "@someone /hot": "@someone /hot", "@RobotA /hot": "/hot"} {
		if got := botText(said, "RobotA", false); got != want {
			t.Errorf("1:1: botText(%q) = %q, want %q", said, got, want)
		}
	}
}

// FuzzBotText: a command is clean, bounded, has no plain mention of the bot in front, and reading it again changes nothing.
func FuzzBotText(f *testing.F) {
	f.Add("@RobotA\u2005／hot ebpf", "RobotA")
	f.Add("@周报 Bot@周报 Bot /x", "周报 Bot")
	f.Add("@@ a @ a /", "@ a")
	f.Add("@a"+strings.Repeat("周", 2000), "")
	f.Fuzz(func(t *testing.T, said, name string) {
		if len(said) > 8000 || len(name) > 100 {
			t.Skip()
		}
		got := botText(said, name, true)
		if len(got) > maxCommandBytes || !utf8.ValidString(got) || strings.HasPrefix(got, "／") {
			t.Errorf("botText(%q, %q) = %q", said, name, got)
		}
		if clean := apihttp.CleanText(name); clean != "" && (got == "@"+clean || strings.HasPrefix(got, "@"+clean+" ") && strings.Contains(said, "/")) {
			t.Errorf("botText(%q, %q) = %q, still with the mention", said, name, got)
		}
		if solo := botText(said, name, false); strings.HasPrefix(got, "/") && strings.HasPrefix(solo, "/") && len(said) < maxCommandBytes && got != solo {
			t.Errorf("botText(%q, %q) = %q in a group and %q alone", said, name, got, solo)
		}
	})
}

// FuzzBotMessage reads whatever a gateway or a callback could bring: what becomes a command has an ID, a member, a place and a text.
func FuzzBotMessage(f *testing.F) {
	f.Add([]byte(`{"msgid":"m","aibotid":"b","chatid":"wr1","chattype":"group","from":{"userid":"u"},"msgtype":"text","text":{"content":"@B /hot"}}`))
	f.Add([]byte(`{"msgid":"m","from":{"userid":"u"},"msgtype":"mixed","mixed":{"msg_item":[{"msgtype":"text","text":{"content":"/hot"}},{"msgtype":"image"}]}}`))
	f.Add([]byte(`{"msgid":"m","from":{"userid":"u"},"msgtype":"voice","voice":{"content":"热门"}}`))
	f.Add([]byte(`{"msgid":"m","from":{"userid":"u"},"msgtype":"event","event":{"eventtype":"enter_chat"}}`))
	f.Add([]byte(`{"msgid":7,"from":[],"chattype":null}`))
	b := &aibot{AIBot: AIBot{Name: "weekly", ShownName: "B", BotID: "b"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m botMessage
		if json.Unmarshal(raw, &m) != nil {
			return
		}
		cmd, ok := b.command(m, time.Unix(1_790_000_000, 0))
		if !ok {
			return
		}
		if cmd.ID == "" || cmd.Member.ID == "" || cmd.Channel.Address == "" || cmd.Channel.Workspace != "weekly" || cmd.Text == "" || len(cmd.Text) > maxCommandBytes || !utf8.ValidString(cmd.Text) {
			t.Errorf("%s became %+v", raw, cmd)
		}
		if (cmd.Channel.Address == m.ChatID) != (m.ChatType == "group") && m.ChatID != m.From.UserID {
			t.Errorf("%s is answered at %q", raw, cmd.Channel.Address)
		}
	})
}

func TestBotKinds(t *testing.T) {
	b := &aibot{AIBot: AIBot{Name: "weekly", ShownName: "B"}}
	for raw, want := range map[string]string{
		`{"msgid":"m","from":{"userid":"u"},"msgtype":"voice","voice":{"content":"热门"}}`:                                                                "热门",
		`{"msgid":"m","from":{"userid":"u"},"msgtype":"mixed","mixed":{"msg_item":[{"msgtype":"image"},{"msgtype":"text","text":{"content":"/hot"}}]}}`: "/hot",
		`{"msgid":"m","from":{"userid":"u"},"msgtype":"file","text":{"content":"/hot"}}`:                                                                "",
		`{"msgid":"","from":{"userid":"u"},"msgtype":"text","text":{"content":"/hot"}}`:                                                                 "",
		`{"msgid":"m","from":{"userid":""},"msgtype":"text","text":{"content":"/hot"}}`:                                                                 "",
		`{"msgid":"m","from":{"userid":"u"},"msgtype":"text","text":{"content":" "}}`:                                                                   "",
		`{"msgid":"m","chattype":"group","from":{"userid":"u"},"msgtype":"text","text":{"content":"/hot"}}`:                                             "",
	} {
		var m botMessage
		if err := json.Unmarshal([]byte(raw), &m); err != nil {
			t.Fatal(err)
		}
		if cmd, ok := b.command(m, time.Now()); ok != (want != "") || cmd.Text != want && ok {
			t.Errorf("%s: %q, %v; want %q", raw, cmd.Text, ok, want)
		}
	}
}

// callbackGroup is a platform that calls the bot, and the adapter's hook, each at the other's address.
func callbackGroup(t *testing.T, in bot.Inbox) *twin.Twin {
	t.Helper()
	var platform *twin.Twin
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { platform.ServeHTTP(w, r) }))
	t.Cleanup(api.Close)
	a := newTestAdapter(t, callbackConfig(api.URL), Deps{})
	callbacks := httptest.NewServer(a.Hook(in))
	t.Cleanup(callbacks.Close)
	platform = twin.New(twin.Options{URL: api.URL, Bots: []twin.Bot{{ID: "aib1", Name: "周报 Bot", Token: testToken, EncodingAESKey: testAESKey,
		CallbackURL: callbacks.URL + "/wecom/aibot"}}})
	return platform
}

func callbackConfig(base string) Config {
	return Config{APIURL: base, AIBots: []AIBot{{Name: "weekly", ShownName: "周报 Bot", Mode: ModeCallback, Token: testToken, EncodingAESKey: testAESKey}}}
}

func TestBotCallback(t *testing.T) {
	in := saying(hotAnswer)
	platform := callbackGroup(t, in)
	for range 2 {
		heard, err := platform.SayBot(t.Context(), twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot ／hot ebpf", ID: "m1"})
		if err != nil || heard.Status != 200 || !strings.HasPrefix(heard.Reply, "## 「ebpf」的热门") {
			t.Errorf("heard %+v, %v", heard, err)
		}
	}
	if c := in.seen(); len(c) != 2 || c[0].ID != "m1" || c[1].ID != "m1" || c[0].Text != "/hot ebpf" || c[0].Channel != groupChannel("wrTeam") {
		t.Errorf("commands %+v", c)
	}
	if heard, err := platform.SayBot(t.Context(), twin.Said{From: "lisi", Event: "enter_chat"}); err != nil || heard.Reply == "" || strings.Contains(heard.Reply, "##") {
		t.Errorf("welcome: %+v, %v; want plain text", heard, err)
	}
	if heard, err := platform.SayBot(t.Context(), twin.Said{From: "lisi", Raw: map[string]any{"msgtype": "image"}}); err != nil || heard.Status != 200 || heard.Reply != "" || heard.Attempts != 1 {
		t.Errorf("a picture: %+v, %v; want an empty 200", heard, err)
	}
}

func TestBotCallbackLongAnswer(t *testing.T) {
	msg, urls := bigIssue()
	platform := callbackGroup(t, saying(msg))
	if heard, err := platform.SayBot(t.Context(), twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /latest"}); err != nil || heard.Reply == "" {
		t.Fatalf("heard %+v, %v", heard, err)
	}
	eventually(t, "rest of the answer", func() bool { return len(platform.Posts()) == 2 })
	posts := platform.Posts()
	links := append(posts[0].Read().Links, posts[1].Read().Links...)
	if posts[1].Kind != "response" || len(links) < 100 || len(links) >= len(urls) || !strings.Contains(posts[1].Content, leftOut("zh")) || len(platform.Refused()) > 0 {
		t.Errorf("%d of %d links, the second post ends %q, refused %+v", len(links), len(urls), posts[1].Content[len(posts[1].Content)-200:], platform.Refused())
	}
	for k, link := range links {
		if link != urls[k] {
			t.Fatalf("link %d is %s, want %s", k, link, urls[k])
		}
	}
}

// botRequest makes a callback with the SDK's cryptography.
func botRequest(t testing.TB, path string, at time.Time, receiver string, plain string) *http.Request {
	t.Helper()
	encrypted, err := util.EncryptMsg([]byte("0123456789abcdef"), []byte(plain), receiver, testAESKey)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(map[string]string{"encrypt": string(encrypted)})
	timestamp := strconv.FormatInt(at.Unix(), 10)
	query := url.Values{"timestamp": {timestamp}, "nonce": {"nonce1"}, "msg_signature": {util.Signature(testToken, timestamp, "nonce1", string(encrypted))}}
	return httptest.NewRequest("POST", path+"?"+query.Encode(), bytes.NewReader(body))
}

const sampleBotText = `{"msgid":"m1","aibotid":"aib1","chatid":"wrTeam","chattype":"group","from":{"userid":"lisi"},"response_url":%q,"msgtype":"text","text":{"content":"@周报 Bot /hot ebpf"}}`

func TestBotCallbackRefuses(t *testing.T) {
	in := saying(hotAnswer)
	a := newTestAdapter(t, callbackConfig("http://127.0.0.1:1"), Deps{})
	h := a.Hook(in)
	genuine := func() *http.Request {
		return botRequest(t, "/wecom/aibot/weekly", time.Now(), "", fmt.Sprintf(sampleBotText, ""))
	}
	set := func(name, value string) *http.Request {
		r := genuine()
		query := r.URL.Query()
		query.Set(name, value)
		r.URL.RawQuery = query.Encode()
		return r
	}
	body := func(text string) *http.Request {
		r := genuine()
		r.Body = io.NopCloser(strings.NewReader(text))
		return r
	}
	put := genuine()
	put.Method = "PUT"
	for name, c := range map[string]struct {
		r    *http.Request
		want int
	}{
		"forged":         {set("msg_signature", strings.Repeat("0", 40)), 401},
		"other nonce":    {set("nonce", "nonce2"), 401},
		"stale":          {botRequest(t, "/wecom/aibot", time.Now().Add(-11*time.Minute), "", "{}"), 401},
		"a receiver":     {botRequest(t, "/wecom/aibot", time.Now(), "wwcontract", "{}"), 401},
		"unknown bot":    {botRequest(t, "/wecom/aibot/other", time.Now(), "", "{}"), 404},
		"not JSON":       {body("hello"), 400},
		"no encrypt":     {body("{}"), 400},
		"XML":            {body("<xml><Encrypt>x</Encrypt></xml>"), 400},
		"inside no JSON": {botRequest(t, "/wecom/aibot", time.Now(), "", "hello"), 400},
		"too big":        {body(strings.Repeat("a", 1<<20+1)), 413},
		"wrong method":   {put, 405},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, c.r)
		if w.Code != c.want || len(in.seen()) > 0 {
			t.Errorf("%s: status %d, commands %v; want %d", name, w.Code, in.seen(), c.want)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, genuine())
	if w.Code != 200 || len(in.seen()) != 1 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("genuine: status %d, %v", w.Code, w.Header())
	}
	var env struct {
		Encrypt, MsgSignature, Nonce string
		Timestamp                    int64
	}
	if err := json.Unmarshal(w.Body.Bytes(), &env); err != nil || env.Nonce != "nonce1" || env.Timestamp == 0 ||
		env.MsgSignature != util.Signature(testToken, strconv.FormatInt(env.Timestamp, 10), "nonce1", env.Encrypt) {
		t.Errorf("envelope %s, %v", w.Body, err)
	}
}

// TestBotVerify uses vector V4: made by another implementation, with an empty receiver.
func TestBotVerify(t *testing.T) {
	a := newTestAdapter(t, callbackConfig("http://127.0.0.1:1"), Deps{Now: func() time.Time { return time.Unix(1_700_000_000, 0) }})
	query := url.Values{"msg_signature": {"48ced3cf62102f0fac27136080982f74c9f59cd2"}, "timestamp": {"1700000000"}, "nonce": {"nonce1"},
		"echostr": {"sKqRbbiSUnDhFHOvPjtUMWzf2R8PrpMiTTPaicBgqZm9eFleDkaZY7LObMBXhUqCcxijQlSKcvc+WpPyowukzA=="}}
	for _, path := range []string{"/wecom/aibot", "/wecom/aibot/", "/wecom/aibot/weekly"} {
		w := httptest.NewRecorder()
		a.Hook(nil).ServeHTTP(w, httptest.NewRequest("GET", path+"?"+query.Encode(), nil))
		if w.Code != 200 || w.Body.String() != "1616140317555161061" {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	platform := callbackGroup(t, nil)
	if err := platform.VerifyBot(t.Context(), platform.Bots()[0]); err != nil {
		t.Error(err)
	}
}

// TestSlowBotCallback has an answer after ten seconds: WeCom gets an empty 200 after four, the chat the answer over the response URL,
// if that is on a host of WeCom's.
func TestSlowBotCallback(t *testing.T) {
	for to, want := range map[string]int{
		"https://qyapi.weixin.qq.com/cgi-bin/aibot/response?response_code=c": 1,
		"http://127.0.0.1:1/cgi-bin/aibot/response?response_code=c":          1,
		"https://evil.example/cgi-bin/aibot/response?response_code=c":        0,
		"": 0,
	} {
		synctest.Test(t, func(t *testing.T) {
			in := &inbox{answer: func(ctx context.Context, _ bot.Command) (bot.Message, error) {
				time.Sleep(10 * time.Second)
				return hotAnswer, ctx.Err()
			}}
			var posted []string
			platform := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				posted = append(posted, string(body))
				fmt.Fprint(w, `{"errcode":0}`)
			})
			log := new(safeLog)
			a := newTestAdapter(t, callbackConfig("http://127.0.0.1:1"), Deps{HTTP: &http.Client{Transport: platformInProcess{platform}}, Log: newTextLog(log)})
			w := &flushed{ResponseRecorder: httptest.NewRecorder()}
			start := time.Now()
			a.Hook(in).ServeHTTP(w, botRequest(t, "/wecom/aibot", start, "", fmt.Sprintf(sampleBotText, to)))
			if w.at.Sub(start) != replyWithin || w.Code != 200 || w.Body.Len() != 0 || len(posted) != want {
				t.Errorf("%q: %d after %v with %q, posted %q", to, w.Code, w.at.Sub(start), w.Body, posted)
			}
			if want == 1 && !strings.HasPrefix(posted[0], `{"msgtype":"markdown","markdown":{"content":"## 「ebpf」`) {
				t.Errorf("%q: posted %q", to, posted)
			}
			if strings.Contains(log.String(), "response_code=c") || want == 0 != strings.Contains(log.String(), "bad_response_url") {
				t.Errorf("%q: log %s", to, log)
			}
		})
	}
}

func TestCallbackBotCannotPush(t *testing.T) {
	a := newTestAdapter(t, callbackConfig("http://127.0.0.1:1"), Deps{})
	_, err := a.Send(t.Context(), groupChannel("wrTeam"), small("x"))
	if fault := err.(*bot.SendError); fault.Code != "no_push" || fault.Fault != bot.Permanent || fault.Scope != bot.ScopeChannel || !strings.Contains(fault.Error(), "webhook") {
		t.Errorf("Send = %v", err)
	}
	if checked := a.Check(t.Context()); len(checked) != 1 || checked[0].Err != nil {
		t.Errorf("Check = %+v", checked)
	}
}

// FuzzBotCallback throws whole requests at the hook. None is signed with the token, so none may be heard.
func FuzzBotCallback(f *testing.F) {
	genuine := botRequest(f, "/wecom/aibot", time.Now(), "", fmt.Sprintf(sampleBotText, ""))
	body, _ := io.ReadAll(genuine.Body)
	f.Add("POST", strings.Replace(genuine.URL.RawQuery, "nonce=nonce1", "nonce=nonce2", 1), body)
	f.Add("POST", "msg_signature=&timestamp=&nonce=", []byte(`{"encrypt":"AAAA"}`))
	f.Add("POST", genuine.URL.RawQuery, []byte(`{"encrypt":["a"]}`))
	f.Add("GET", "echostr=%00&msg_signature=x", []byte(nil))
	in := saying(bot.Message{Title: "x"})
	h := newTestAdapter(f, callbackConfig("http://127.0.0.1:1"), Deps{}).Hook(in)
	f.Fuzz(func(t *testing.T, method, query string, body []byte) {
		if method != "GET" && method != "POST" || query == genuine.URL.RawQuery {
			t.Skip()
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, "/wecom/aibot", bytes.NewReader(body))
		r.URL.RawQuery = query
		h.ServeHTTP(w, r)
		if w.Code < 400 || w.Code >= 500 || len(in.seen()) > 0 {
			t.Errorf("status %d, commands %v; want a refusal", w.Code, in.seen())
		}
	})
}
