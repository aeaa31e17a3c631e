package wecom

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
)

// inbox answers with what it is told and keeps the commands.
type inbox struct {
	mu       sync.Mutex
	commands []bot.Command
	events   []bot.Event
	answer   func(context.Context, bot.Command) (bot.Message, error)
}

func (in *inbox) Command(ctx context.Context, cmd bot.Command) (bot.Message, error) {
	in.mu.Lock()
	in.commands = append(in.commands, cmd)
	in.mu.Unlock()
	return in.answer(ctx, cmd)
}

func (in *inbox) Event(_ context.Context, ev bot.Event) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.events = append(in.events, ev)
	return nil
}

func (in *inbox) seen() []bot.Command {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.commands
}

func saying(msg bot.Message) *inbox {
	return &inbox{answer: func(context.Context, bot.Command) (bot.Message, error) { return msg, nil }}
}

// conversation is a platform and the adapter's hook, each at the other's address.
func conversation(t *testing.T, in bot.Inbox) *twin.Twin {
	t.Helper()
	var platform *twin.Twin
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { platform.ServeHTTP(w, r) }))
	t.Cleanup(api.Close)
	a := newTestAdapter(t, testConfig(api.URL), Deps{})
	callbacks := httptest.NewServer(a.Hook(in))
	t.Cleanup(callbacks.Close)
	platform = twin.New(twin.Options{Apps: []twin.App{{CorpID: testCorp, AgentID: testAgent, Secret: testSecret,
		Token: testToken, EncodingAESKey: testAESKey, CallbackURL: callbacks.URL + "/wecom/callback"}}})
	return platform
}

func TestConversation(t *testing.T) {
	in := saying(bot.Message{Title: "「ebpf」的热门", Lang: "zh", Blocks: []bot.Block{
		{Kind: bot.BlockItem, Title: "A <a href=\"x\">link</a> ]]> & more", URL: "https://example.org/a?b=1&c=2", Text: "一句话。"}}})
	platform := conversation(t, in)
	if err := platform.Verify(t.Context(), testAgent); err != nil {
		t.Error(err)
	}
	message := twin.Message{From: "ZhangSan", Text: "  ／hot ebpf\u200b ", ID: "4561255354251345929"}
	for range 2 {
		heard, err := platform.Deliver(t.Context(), testAgent, message)
		want := "「ebpf」的热门\n\n· A ＜a href=\"x\">link＜/a> ]]> & more https://example.org/a?b=1&c=2\n　一句话。"
		if err != nil || heard.Reply != want || heard.Attempts != 1 {
			t.Errorf("heard %+v, %v; want the reply %q", heard, err, want)
		}
	}
	commands := in.seen()
	if len(commands) != 2 || commands[0].ID != "4561255354251345929" || commands[1].ID != commands[0].ID {
		t.Fatalf("commands = %+v, want two with the message's id", commands)
	}
	got := commands[0]
	wantChannel := bot.Channel{Adapter: "wecom", Kind: KindApp, Workspace: testCorp, Address: "user:ZhangSan"}
	if got.Text != "/hot ebpf" || got.Channel != wantChannel || got.Member.ID != "ZhangSan" || got.Member.Admin {
		t.Errorf("command = %+v", got)
	}
}

func TestLongAnswerComesAsAppMessages(t *testing.T) {
	msg, urls := bigIssue()
	msg.Blocks = msg.Blocks[:40]
	platform := conversation(t, saying(msg))
	heard, err := platform.Deliver(t.Context(), testAgent, twin.Message{From: "lisi", Text: "/latest"})
	if err != nil || heard.Reply != "" || heard.Attempts != 1 {
		t.Errorf("heard %+v, %v; want an empty answer", heard, err)
	}
	wantLinks := 0
	for _, b := range msg.Blocks {
		if b.Kind == bot.BlockItem {
			wantLinks++
		}
	}
	var links []string
	deadline := time.Now().Add(time.Minute)
	for ; len(links) < wantLinks && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		links = nil
		for _, p := range platform.Posts() {
			links = append(links, twin.Read(p.MsgType, p.Content).Links...)
		}
	}
	if len(links) != wantLinks || links[0] != urls[0] {
		t.Errorf("%d links arrived, want %d", len(links), wantLinks)
	}
	for _, p := range platform.Posts() {
		if p.Channel != "user:lisi" || p.MsgType != "markdown" || p.Cut {
			t.Errorf("post = %+v", p)
		}
	}
}

func TestEvents(t *testing.T) {
	in := saying(bot.Message{Title: "help"})
	platform := conversation(t, in)
	for _, m := range []twin.Message{
		{From: "lisi", Event: "subscribe"}, {From: "lisi", Event: "click", EventKey: "x"}, {From: "lisi", Event: "LOCATION"},
		{From: "lisi", Event: "close_inactive_agent"}, {From: "sys", Event: "enter_agent"}, {From: "lisi", Text: " "}, {From: "", Text: "/hot"},
	} {
		heard, err := platform.Deliver(t.Context(), testAgent, m)
		if err != nil || heard.Status != 200 || heard.Reply != "" || heard.Attempts != 1 {
			t.Errorf("%+v: heard %+v, %v; want an empty 200", m, heard, err)
		}
	}
	if len(in.seen()) > 0 {
		t.Errorf("commands = %+v, want none", in.seen())
	}
	at := time.Date(2026, 11, 3, 1, 0, 0, 0, time.UTC)
	for _, hours := range []time.Duration{0, 5, 24} {
		platform.Deliver(t.Context(), testAgent, twin.Message{From: "LiSi", Event: "enter_agent", At: at.Add(hours * time.Hour)})
	}
	commands := in.seen()
	if len(commands) != 3 || commands[0].Text != "/help" || commands[0].ID != commands[1].ID || commands[1].ID == commands[2].ID {
		t.Errorf("commands = %+v, want /help thrice, with one id a day", commands)
	}
}

func TestMenuClick(t *testing.T) {
	in := saying(bot.Message{Title: "热点"})
	platform := conversation(t, in)
	click := twin.Message{From: "LiSi", Event: "click", EventKey: "/hot", At: time.Unix(1_790_000_000, 0)}
	for _, m := range []twin.Message{click, click, {From: "LiSi", Event: "click", EventKey: "/hot", At: click.At.Add(time.Second)}} {
		heard, err := platform.Deliver(t.Context(), testAgent, m)
		if err != nil || heard.Reply != "热点" {
			t.Errorf("heard %+v, %v", heard, err)
		}
	}
	c := in.seen()
	if len(c) != 3 || c[0].Text != "/hot" || c[0].Member.ID != "LiSi" || c[0].ID == "" || c[0].ID != c[1].ID || c[0].ID == c[2].ID {
		t.Errorf("commands %+v, want /hot thrice, with one id for a click that comes twice", c)
	}
}

// TestChanges: a member who is renumbered, leaves or loses the app is told to the core, for every app of the corp.
func TestChanges(t *testing.T) {
	in := saying(bot.Message{})
	platform := conversation(t, in)
	at := time.Unix(1_790_000_000, 0)
	contact := func(change string, more ...string) twin.Message {
		m := twin.Message{From: "sys", Event: "change_contact", At: at, Fields: map[string]string{"ChangeType": change}}
		for k := 0; k+1 < len(more); k += 2 {
			m.Fields[more[k]] = more[k+1]
		}
		return m
	}
	for _, m := range []twin.Message{
		contact("update_user", "UserID", "zhangsan", "NewUserID", "zhang.san"),
		contact("delete_user", "UserID", "lisi"),
		{From: "wangwu", Event: "unsubscribe", At: at},
		contact("update_user", "UserID", "lisi"), contact("update_user", "NewUserID", "x"), contact("update_user", "UserID", "lisi", "NewUserID", "a|b"),
		contact("create_user", "UserID", "new"), contact("delete_user"), {From: "wangwu", Event: "low_active_alert", At: at},
	} {
		if heard, err := platform.Deliver(t.Context(), testAgent, m); err != nil || heard.Status != 200 || heard.Reply != "" {
			t.Errorf("%+v: heard %+v, %v", m, heard, err)
		}
	}
	member := func(id string) bot.Channel {
		return bot.Channel{Adapter: Name, Kind: KindApp, Workspace: testCorp, Address: "user:" + id}
	}
	want := []bot.Event{
		{Kind: bot.EventChannelMoved, Channel: member("zhangsan"), NewAddress: "user:zhang.san", At: at},
		{Kind: bot.EventChannelGone, Channel: member("lisi"), At: at},
		{Kind: bot.EventBotRemoved, Channel: member("wangwu"), At: at},
	}
	ids := map[string]bool{}
	for k := range in.events {
		ids[in.events[k].ID] = true
		in.events[k].ID = ""
	}
	if diff := cmp.Diff(want, in.events); diff != "" || len(ids) != len(want) || len(in.seen()) > 0 {
		t.Errorf("events (-want +got):\n%s\nids %v, commands %+v", diff, ids, in.seen())
	}
}

func TestEmptyAnswer(t *testing.T) {
	in := &inbox{answer: func(context.Context, bot.Command) (bot.Message, error) {
		return bot.Message{}, errors.New("store is down")
	}}
	heard, err := conversation(t, in).Deliver(t.Context(), testAgent, twin.Message{From: "lisi", Text: "/hot"})
	if err != nil || heard.Status != 200 || heard.Reply != "" {
		t.Errorf("heard %+v, %v; want an empty 200", heard, err)
	}
}

// platformInProcess is an http.RoundTripper to a handler, without sockets.
type platformInProcess struct{ http.Handler }

func (p platformInProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

// TestSlowCommand has an answer after ten seconds: WeCom gets its 200 after four, the member the answer later.
func TestSlowCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{answer: func(ctx context.Context, _ bot.Command) (bot.Message, error) {
			time.Sleep(10 * time.Second)
			return bot.Message{Title: "late"}, ctx.Err()
		}}
		platform := twin.New(twin.Options{Apps: []twin.App{{CorpID: testCorp, AgentID: testAgent, Secret: testSecret}}})
		a := newTestAdapter(t, testConfig("http://127.0.0.1:1"), Deps{HTTP: &http.Client{Transport: platformInProcess{platform}}})
		ctx, hangUp := context.WithCancel(t.Context())
		r := callback(t, "/wecom/callback", time.Now(), testCorp, []byte(sampleText)).WithContext(ctx)
		w := &flushed{ResponseRecorder: httptest.NewRecorder()}
		start, done := time.Now(), make(chan struct{})
		go func() {
			defer close(done)
			a.Hook(in).ServeHTTP(w, r)
		}()
		synctest.Wait()
		time.Sleep(replyWithin)
		synctest.Wait()
		if w.at.Sub(start) != replyWithin || w.Code != 200 || w.Body.Len() != 0 || len(platform.Posts()) != 0 {
			t.Errorf("after %v: status %d, body %q, %d posts; want an empty 200 after %v", w.at.Sub(start), w.Code, w.Body, len(platform.Posts()), replyWithin)
		}
		hangUp() // WeCom has its answer; the command must go on
		<-done
		if posts := platform.Posts(); time.Since(start) != 10*time.Second || len(posts) != 1 || posts[0].Content != "## late" {
			t.Errorf("after %v: posts %+v, want the late answer", time.Since(start), posts)
		}
	})
}

type flushed struct {
	*httptest.ResponseRecorder
	at time.Time
}

func (f *flushed) Flush() { f.at = time.Now(); f.ResponseRecorder.Flush() }

func TestReplayWindowIsLoggedApart(t *testing.T) {
	var log bytes.Buffer
	a := newTestAdapter(t, testConfig("http://127.0.0.1:1"), Deps{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for off, want := range map[time.Duration]string{-11 * time.Minute: "outside the window", 11 * time.Minute: "outside the window", 0: ""} {
		log.Reset()
		w := httptest.NewRecorder()
		a.Hook(saying(bot.Message{})).ServeHTTP(w, callback(t, "/wecom/callback", time.Now().Add(off), testCorp, []byte(sampleText)))
		if !strings.Contains(log.String(), want) || (w.Code == 200) != (want == "") {
			t.Errorf("%v off: status %d, log %q", off, w.Code, log.String())
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	a := newTestAdapter(t, testConfig("http://127.0.0.1:1"), Deps{Now: func() time.Time { return time.Unix(1409659589, 0) }})
	v := vectors[0] // of another corp
	query := url.Values{"msg_signature": {v.signature}, "timestamp": {v.timestamp}, "nonce": {v.nonce}, "echostr": {v.encrypted}}
	for corp, want := range map[string]string{v.receiver: v.plain, testCorp: "refused\n"} {
		cfg := testConfig("")
		cfg.Apps[0].CorpID = corp
		a = newTestAdapter(t, cfg, a.deps)
		w := httptest.NewRecorder()
		a.Hook(nil).ServeHTTP(w, httptest.NewRequest("GET", "/wecom/callback/weekly?"+query.Encode(), nil))
		if w.Body.String() != want || (w.Code == 200) != (want == v.plain) {
			t.Errorf("corp %s: %d %q, want %q", corp, w.Code, w.Body, want)
		}
	}
}

// FuzzCallback throws whole requests at the hook. None is signed with the token, so none may be heard, and none may be answered as a
// failure of ours, which WeCom would repeat.
func FuzzCallback(f *testing.F) {
	genuine := callback(f, "/wecom/callback", time.Now(), testCorp, []byte(sampleText))
	body, _ := io.ReadAll(genuine.Body)
	f.Add("POST", strings.Replace(genuine.URL.RawQuery, "nonce=nonce1", "nonce=nonce2", 1), body)
	f.Add("POST", "msg_signature=&timestamp=&nonce=", []byte("<xml><Encrypt>AAAA</Encrypt></xml>"))
	f.Add("GET", "echostr=%00&msg_signature=x", []byte(nil))
	f.Add("POST", genuine.URL.RawQuery, []byte("<!DOCTYPE a [<!ENTITY b \"c\">]><xml><Encrypt>&b;</Encrypt></xml>"))
	in := saying(bot.Message{Title: "x"})
	h := newTestAdapter(f, testConfig("http://127.0.0.1:1"), Deps{}).Hook(in)
	f.Fuzz(func(t *testing.T, method, query string, body []byte) {
		if method != "GET" && method != "POST" || query == genuine.URL.RawQuery {
			t.Skip()
		}
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, "/wecom/callback", bytes.NewReader(body))
		r.URL.RawQuery = query
		h.ServeHTTP(w, r)
		if w.Code < 400 || w.Code >= 500 || len(in.seen()) > 0 {
			t.Errorf("status %d, commands %v; want a refusal", w.Code, in.seen())
		}
	})
}

// FuzzPlainText signs whatever it is given, as one who has the token but not the key could not: nothing may panic, and what is heard
// came as a whole text message to this corp.
func FuzzPlainText(f *testing.F) {
	e := testEnvelope(f, testToken, testAESKey, testCorp)
	whole := frame(uint32(len(sampleText)), sampleText+testCorp)
	n := paddingBlock - len(whole)%paddingBlock
	f.Add(padded(whole, bytes.Repeat([]byte{byte(n)}, n)))
	f.Add(padded(frame(2, "hi"+testCorp), bytes.Repeat([]byte{32}, 32)))
	f.Add(padded(frame(1<<32-1, "hi"+testCorp), bytes.Repeat([]byte{33}, 32)))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, plain []byte) {
		plain = plain[:len(plain)/16*16]
		sealed := encryptRaw(t, plain)
		got, err := e.open(e.sign("1", "n", sealed), "1", "n", sealed)
		if err != nil {
			if err != errRefused || got != nil {
				t.Errorf("open = %q, %v", got, err)
			}
			return
		}
		n := int(plain[len(plain)-1])
		if !bytes.Equal(plain[20:len(plain)-n], append(bytes.Clone(got), testCorp...)) {
			t.Errorf("opened %q out of %q", got, plain)
		}
		var msg inMessage
		if xml.Unmarshal(got, &msg) == nil {
			if cmd, ok := msg.command(testCorp); ok && (cmd.Member.ID == "" || cmd.Text == "" || cmd.ID == "" || len(cmd.Text) > maxCommandBytes) {
				t.Errorf("command %+v", cmd)
			}
		}
	})
}
