package twin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// gate is a platform with two AI bots and a clock that the test moves.
func gate(t *testing.T) (*Twin, string, *atomic.Int64) {
	t.Helper()
	var clock atomic.Int64
	clock.Store(1_790_000_000)
	tw := New(Options{Now: func() time.Time { return time.Unix(clock.Load(), 0) }, Bots: []Bot{{ID: "aib1", Name: "Robot A", Secret: "s1"}, {ID: "aib2", Secret: "s2"}}})
	server := httptest.NewServer(tw)
	t.Cleanup(server.Close)
	tw.opt.URL = server.URL
	return tw, server.URL, &clock
}

// client is a WebSocket client that sends what the test wrote by hand.
type client struct {
	t *testing.T
	*websocket.Conn
}

func dial(t *testing.T, server string) client {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return client{t, conn}
}

type got struct {
	Cmd     string
	Headers struct {
		ReqID string `json:"req_id"`
	}
	ErrCode *int
	Body    struct {
		MsgID, ChatID, ChatType, MsgType string
		From                             struct{ UserID string }
		Text                             struct{ Content string }
		Event                            struct{ EventType string }
	}
}

func (c client) read() (g got) {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if err := c.ReadJSON(&g); err != nil {
		c.t.Fatal(err)
	}
	return g
}

// ask sends a raw frame and returns the code of its acknowledgement.
func (c client) ask(raw string) int {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(raw)); err != nil {
		c.t.Fatal(err)
	}
	g := c.read()
	if g.Cmd != "" || g.ErrCode == nil {
		c.t.Fatalf("%s: answered %+v, want an acknowledgement", raw, g)
	}
	return *g.ErrCode
}

const subscribeA = `{"cmd":"aibot_subscribe","headers":{"req_id":"r0"},"body":{"bot_id":"aib1","secret":"s1"}}`

func TestGatewaySubscribe(t *testing.T) {
	tw, server, clock := gate(t)
	c := dial(t, server)
	for _, x := range []struct {
		raw  string
		want int
	}{
		{`{"cmd":"ping","headers":{"req_id":"r1"}}`, 846609},
		{`{"cmd":"aibot_send_msg","headers":{"req_id":"r2"},"body":{"chatid":"wr1","msgtype":"markdown","markdown":{"content":"x"}}}`, 846609},
		{`{"cmd":"aibot_subscribe","headers":{"req_id":"r3"},"body":{"bot_id":"aib9","secret":"s1"}}`, 93019},
		{`{"cmd":"aibot_subscribe","headers":{"req_id":"r4"},"body":{"bot_id":"aib1","secret":"s2"}}`, 40001},
		{`{"cmd":"aibot_subscribe","headers":{},"body":{"bot_id":"aib1","secret":"s1"}}`, 40035},
		{`not JSON`, 40035},
		{`{"cmd":"ping","headers":{"req_id":"r"}} {}`, 40035},
		{subscribeA, 0},
		{`{"cmd":"ping","headers":{"req_id":"r5"}}`, 0},
		{`{"cmd":"aibot_nothing","headers":{"req_id":"r6"}}`, 40035},
	} {
		if got := c.ask(x.raw); got != x.want {
			t.Errorf("%s: errcode %d, want %d", x.raw, got, x.want)
		}
	}
	for k := 3; k <= subscribeRate; k++ {
		c.ask(subscribeA)
	}
	if got := c.ask(subscribeA); got != 45009 {
		t.Errorf("subscribe %d in a minute: errcode %d, want 45009", subscribeRate+1, got)
	}
	clock.Add(60)
	if got := c.ask(subscribeA); got != 0 || !tw.Connected("aib1") {
		t.Errorf("a minute later: errcode %d", got)
	}
}

func TestGatewayOneConnection(t *testing.T) {
	_, server, _ := gate(t)
	old, other := dial(t, server), dial(t, server)
	old.ask(subscribeA)
	other.ask(`{"cmd":"aibot_subscribe","headers":{"req_id":"r"},"body":{"bot_id":"aib2","secret":"s2"}}`)
	next := dial(t, server)
	next.ask(subscribeA)
	if g := old.read(); g.Cmd != "aibot_event_callback" || g.Body.Event.EventType != "disconnected_event" {
		t.Errorf("the old connection got %+v, want disconnected_event", g)
	}
	if _, _, err := old.ReadMessage(); err == nil {
		t.Error("the old connection lives on")
	}
	for name, c := range map[string]client{"new": next, "other bot's": other} {
		if got := c.ask(`{"cmd":"ping","headers":{"req_id":"p"}}`); got != 0 {
			t.Errorf("the %s connection: errcode %d", name, got)
		}
	}
}

func TestGatewayPush(t *testing.T) {
	tw, server, clock := gate(t)
	c := dial(t, server)
	c.ask(subscribeA)
	if _, err := tw.SayBot(t.Context(), Said{Bot: "aib1", Chat: "wrTeam", From: "lisi", Text: "@Robot A /hot", ID: "m1"}); err != nil {
		t.Fatal(err)
	}
	g := c.read()
	if g.Cmd != "aibot_msg_callback" || g.Headers.ReqID == "" || g.Body.MsgID != "m1" || g.Body.ChatID != "wrTeam" || g.Body.ChatType != "group" ||
		g.Body.From.UserID != "lisi" || g.Body.Text.Content != "@Robot A /hot" {
		t.Errorf("callback %+v", g)
	}
	tw.SayBot(t.Context(), Said{From: "lisi", Text: "/hot"})
	if g := c.read(); g.Body.ChatType != "single" || g.Body.ChatID != "" {
		t.Errorf("1:1 callback %+v", g)
	}
	push := func(chat, rest string) string {
		return `{"cmd":"aibot_send_msg","headers":{"req_id":"p"},"body":{"chatid":"` + chat + `",` + rest + `}}`
	}
	text := func(n int) string {
		return `"msgtype":"markdown","markdown":{"content":"` + strings.Repeat("周", n/3) + strings.Repeat("a", n%3) + `"}`
	}
	for _, x := range []struct {
		name, raw string
		want      int
	}{
		{"accepted", push("wrTeam", text(9)), 0},
		{"with chat_type", push("wrTeam", `"chat_type":2,`+text(9)), 0},
		{"wrong chat_type", push("wrTeam", `"chat_type":"2",`+text(9)), 40035},
		{"1:1", push("lisi", text(9)), 0},
		{"text", push("wrTeam", `"msgtype":"text","text":{"content":"x"}`), 40008},
		{"markdown_v2", push("wrTeam", `"msgtype":"markdown_v2","markdown_v2":{"content":"x"}`), 40008},
		{"never spoke", push("wrOther", text(9)), 93006},
		{"wrong case", push("wrteam", text(9)), 93006},
		{"no chat", push("", text(9)), 93006},
		{"empty", push("wrTeam", `"msgtype":"markdown","markdown":{"content":""}`), 44004},
		{"no part", push("wrTeam", `"msgtype":"markdown"`), 40035},
		{"at the limit", push("wrTeam", text(20480)), 0},
		{"over the limit", push("wrTeam", text(20481)), 40058},
	} {
		before := len(tw.Posts())
		if got := c.ask(x.raw); got != x.want || (len(tw.Posts()) == before+1) != (x.want == 0) {
			t.Errorf("%s: errcode %d with %d posts more, want %d", x.name, got, len(tw.Posts())-before, x.want)
		}
	}
	for k := 3; k < botRate; k++ { // three went to this chat
		if got := c.ask(push("wrTeam", text(9))); got != 0 {
			t.Fatalf("post %d of a minute: errcode %d", k+1, got)
		}
	}
	if got := c.ask(push("wrTeam", text(9))); got != 45009 {
		t.Errorf("post 31 of a minute: errcode %d, want 45009", got)
	}
	if got := c.ask(`{"cmd":"aibot_respond_msg","headers":{"req_id":"` + g.Headers.ReqID + `"},"body":{"msgtype":"stream","stream":{"id":"s","finish":true,"content":"x"}}}`); got != 45009 {
		t.Errorf("an answer in that minute: errcode %d, want 45009: answers count too", got)
	}
	if got := c.ask(push("lisi", text(9))); got != 0 {
		t.Errorf("another chat: errcode %d", got)
	}
	sent := botRate
	for sent < botHourRate {
		if clock.Add(1); c.ask(push("wrTeam", text(9))) == 0 {
			sent++
		}
	}
	clock.Add(120)
	if got := c.ask(push("wrTeam", text(9))); got != 45009 {
		t.Errorf("post 1001 of an hour: errcode %d, want 45009", got)
	}
	clock.Add(3600)
	if got := c.ask(push("wrTeam", text(9))); got != 0 {
		t.Errorf("an hour later: errcode %d", got)
	}
}

func TestGatewayAnswers(t *testing.T) {
	tw, server, clock := gate(t)
	c := dial(t, server)
	c.ask(subscribeA)
	heard := func(s Said) string {
		if _, err := tw.SayBot(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		return c.read().Headers.ReqID
	}
	say := Said{Chat: "wrTeam", From: "lisi", Text: "@Robot A /hot"}
	frame := func(cmd, reqID, body string) int {
		return c.ask(`{"cmd":"` + cmd + `","headers":{"req_id":"` + reqID + `"},"body":` + body + `}`)
	}
	stream := func(id string, finish bool, text string) string {
		return fmt.Sprintf(`{"msgtype":"stream","stream":{"id":%q,"finish":%v,"content":%q}}`, id, finish, text)
	}
	want := func(name string, got, want int) {
		t.Helper()
		if got != want {
			t.Errorf("%s: errcode %d, want %d", name, got, want)
		}
	}
	r := heard(say)
	want("unknown req_id", frame("aibot_respond_msg", "nope", stream("s", true, "x")), 846605)
	want("text", frame("aibot_respond_msg", r, `{"msgtype":"text","text":{"content":"x"}}`), 40008)
	want("no id", frame("aibot_respond_msg", r, stream("", true, "x")), 40035)
	want("too long", frame("aibot_respond_msg", r, stream("s", true, strings.Repeat("a", 20481))), 40058)
	want("empty end", frame("aibot_respond_msg", r, stream("s", true, "")), 44004)
	want("first frame", frame("aibot_respond_msg", r, stream("s", false, "one")), 0)
	want("another stream", frame("aibot_respond_msg", r, stream("s2", false, "one")), 40035)
	if p := tw.Posts(); len(p) != 1 || !p[0].Open || p[0].Content != "one" {
		t.Errorf("posts %+v", p)
	}
	want("refresh", frame("aibot_respond_msg", r, stream("s", false, "one two")), 0)
	want("end", frame("aibot_respond_msg", r, stream("s", true, "one two three")), 0)
	want("after the end", frame("aibot_respond_msg", r, stream("s", true, "four")), 846608)
	if p := tw.Posts(); len(p) != 1 || p[0].Open || p[0].Content != "one two three" || p[0].Channel != "chat:wrTeam" {
		t.Errorf("posts %+v, want one stream in its last state", p)
	}
	r = heard(say)
	want("first frame", frame("aibot_respond_msg", r, stream("s", false, "one")), 0)
	clock.Add(359)
	want("within six minutes", frame("aibot_respond_msg", r, stream("s", false, "two")), 0)
	clock.Add(1)
	want("after six minutes", frame("aibot_respond_msg", r, stream("s", true, "three")), 846608)
	r = heard(say)
	clock.Add(24 * 3600)
	want("after a day", frame("aibot_respond_msg", r, stream("s", true, "x")), 846605)

	hello := `{"msgtype":"text","text":{"content":"hello"}}`
	r = heard(say)
	want("welcome to a message", frame("aibot_respond_welcome_msg", r, hello), 846605)
	r = heard(Said{From: "lisi", Event: "enter_chat"})
	want("stream to an event", frame("aibot_respond_msg", r, stream("s", true, "x")), 846605)
	want("markdown as welcome", frame("aibot_respond_welcome_msg", r, `{"msgtype":"markdown","markdown":{"content":"x"}}`), 40008)
	want("welcome", frame("aibot_respond_welcome_msg", r, hello), 0)
	want("second welcome", frame("aibot_respond_welcome_msg", r, hello), 846605)
	r = heard(Said{From: "lisi", Event: "enter_chat"})
	clock.Add(5)
	want("late welcome", frame("aibot_respond_welcome_msg", r, hello), 846605)
}

func TestGatewayFailures(t *testing.T) {
	tw, server, _ := gate(t)
	push := `{"cmd":"aibot_send_msg","headers":{"req_id":"p"},"body":{"chatid":"wrTeam","msgtype":"markdown","markdown":{"content":"x"}}}`
	connect := func() client {
		c := dial(t, server)
		c.ask(subscribeA)
		tw.SayBot(t.Context(), Said{Chat: "wrTeam", From: "lisi", Text: "@Robot A"})
		c.read()
		return c
	}
	c := connect()
	tw.Fail(1, Failure{Code: -1, Delay: time.Millisecond})
	if got := c.ask(`{"cmd":"ping","headers":{"req_id":"p"}}`); got != 0 {
		t.Errorf("a ping: errcode %d, want failures for posting frames only", got)
	}
	if got := c.ask(push); got != -1 || len(tw.Posts()) != 0 {
		t.Errorf("asked to fail: errcode %d", got)
	}
	for n, f := range []Failure{{DropBefore: true}, {DropAfter: true}} {
		c := connect()
		tw.Fail(1, f)
		c.WriteMessage(websocket.TextMessage, []byte(push))
		if _, _, err := c.ReadMessage(); err == nil || len(tw.Posts()) != n {
			t.Errorf("%+v: %v with %d posts, want a cut connection and %d", f, err, len(tw.Posts()), n)
		}
	}
	c = connect()
	tw.Fail(1, Failure{Mute: true})
	c.WriteMessage(websocket.TextMessage, []byte(push))
	if got := c.ask(`{"cmd":"ping","headers":{"req_id":"p"}}`); got != 0 || len(tw.Posts()) != 2 {
		t.Errorf("mute: next acknowledgement %d with %d posts, want the ping's and 2", got, len(tw.Posts()))
	}
	tw.CutBots()
	if _, _, err := c.ReadMessage(); err == nil {
		t.Error("CutBots left a connection")
	}
}

func TestSayInAGroup(t *testing.T) {
	_, server, _ := gate(t)
	say := func(form string) (int, string) {
		values, _ := url.ParseQuery(form)
		resp, err := http.PostForm(server+"/say", values)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		page, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(page)
	}
	if status, _ := say("bot=aib1&chat=wrTeam&from=lisi&text=@Robot A /hot"); status != 502 {
		t.Errorf("nobody connected: status %d, want 502", status)
	}
	c := dial(t, server)
	c.ask(subscribeA)
	status, page := say("bot=aib1&chat=wrTeam&from=lisi&text=@Robot A /hot ebpf")
	if g := c.read(); status != 200 || g.Body.Text.Content != "@Robot A /hot ebpf" || g.Body.ChatID != "wrTeam" {
		t.Errorf("status %d, callback %+v", status, g)
	}
	for _, want := range []string{`name="bot" value="aib1"`, `value="@Robot A "`, "chat:wrTeam"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if status, _ := say("bot=aib1&from=lisi&text="); status != 400 {
		t.Errorf("no text: status %d, want 400", status)
	}
}

// TestResponseURL posts by hand to the URL that a callback brought: once, within an hour, no text.
func TestResponseURL(t *testing.T) {
	const key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
	var told struct {
		ResponseURL string `json:"response_url"`
	}
	var b *Bot
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var env struct{ Encrypt string }
		json.NewDecoder(r.Body).Decode(&env)
		plain, err := b.open(env.Encrypt)
		if err == nil {
			err = json.Unmarshal(plain, &told)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	defer hook.Close()
	tw, server, clock := gate(t)
	tw.opt.Bots = []Bot{{ID: "aib1", Token: "t", EncodingAESKey: key, CallbackURL: hook.URL}}
	b = &tw.opt.Bots[0]
	send := func(body string) int { return code(t, ask(t, "POST", told.ResponseURL, body)) }
	say := func() {
		if heard, err := tw.SayBot(t.Context(), Said{Chat: "wrTeam", From: "lisi", Text: "@x /hot"}); err != nil || heard.Status != 200 {
			t.Fatalf("%+v, %v", heard, err)
		}
	}
	say()
	good := `{"msgtype":"markdown","markdown":{"content":"x"}}`
	for k, want := range []int{40008, 0, 40035} {
		body := []string{`{"msgtype":"text","text":{"content":"x"}}`, good, good}[k]
		if got := send(body); got != want {
			t.Errorf("%s: errcode %d, want %d", body, got, want)
		}
	}
	say()
	clock.Add(3600)
	if got := send(good); got != 40035 {
		t.Errorf("after an hour: errcode %d, want 40035", got)
	}
	told.ResponseURL = server + "/cgi-bin/aibot/response?response_code=no"
	if got := send(good); got != 40035 {
		t.Errorf("an unknown code: errcode %d, want 40035", got)
	}
	if p := tw.Posts(); len(p) != 1 || p[0].Kind != "response" || p[0].Channel != "chat:wrTeam" {
		t.Errorf("posts %+v", p)
	}
}

// TestBotReplyIsChecked answers a callback in wrong ways, by hand.
func TestBotReplyIsChecked(t *testing.T) {
	var answer func(nonce string) string
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, answer(r.URL.Query().Get("nonce"))) }))
	defer hook.Close()
	b := Bot{ID: "aib1", Token: "t", EncodingAESKey: "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", CallbackURL: hook.URL}
	tw := New(Options{Bots: []Bot{b}})
	sealed := func(plain string, change func(m map[string]any, nonce string)) func(string) string {
		return func(nonce string) string {
			encrypted, _, err := b.seal([]byte(plain), 1)
			if err != nil {
				t.Error(err)
			}
			m := map[string]any{"encrypt": encrypted, "msgsignature": b.sign("1700000000", nonce, encrypted), "timestamp": 1700000000, "nonce": nonce}
			change(m, nonce)
			raw, _ := json.Marshal(m)
			return string(raw)
		}
	}
	same := func(map[string]any, string) {}
	good := `{"msgtype":"stream","stream":{"id":"s","finish":true,"content":"x"}}`
	for name, c := range map[string]struct {
		answer func(string) string
		ok     bool
	}{
		"good":            {sealed(good, same), true},
		"own nonce":       {sealed(good, func(m map[string]any, _ string) { m["nonce"] = "mine" }), false},
		"forged":          {sealed(good, func(m map[string]any, _ string) { m["msgsignature"] = "x" }), false},
		"text timestamp":  {sealed(good, func(m map[string]any, _ string) { m["timestamp"] = "1700000000" }), false},
		"not encrypted":   {func(string) string { return good }, false},
		"text":            {sealed(`{"msgtype":"text","text":{"content":"x"}}`, same), false},
		"stream of no id": {sealed(`{"msgtype":"stream","stream":{"finish":true,"content":"x"}}`, same), false},
	} {
		answer = c.answer
		if heard, err := tw.SayBot(t.Context(), Said{From: "lisi", Text: "/hot"}); (err == nil && heard.Reply == "x") != c.ok {
			t.Errorf("%s: %+v, %v", name, heard, err)
		}
	}
}
