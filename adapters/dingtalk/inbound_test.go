package dingtalk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weeklybot/adapters/dingtalk/twin"
	"weeklybot/bot"
)

// inbox is the core: it answers what it is told to, when it is told to.
type inbox struct {
	answer  bot.Message
	err     error
	hold    chan struct{} // closed = answer now; nil = at once
	mu      sync.Mutex
	got     []bot.Command
	events  []bot.Event
	context error // of the context, after hold
}

func (in *inbox) Command(ctx context.Context, cmd bot.Command) (bot.Message, error) {
	in.mu.Lock()
	in.got = append(in.got, cmd)
	in.mu.Unlock()
	if in.hold != nil {
		<-in.hold
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.context = ctx.Err()
	return in.answer, in.err
}

func (in *inbox) Event(_ context.Context, ev bot.Event) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.events = append(in.events, ev)
	return in.err
}

func (in *inbox) commands() []bot.Command {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.got
}

func hello() bot.Message {
	return bot.Message{Title: "ebpf", Blocks: []bot.Block{{Kind: bot.BlockText, Text: "3 条结果"}}}
}

// stage is a bot and a twin that can reach each other.
type stage struct {
	twin *twin.Twin
	hook string           // base URL of the bot
	api  *httptest.Server // of the twin
	a    *Adapter
	in   *inbox
	log  *lockedLog
}

func newStage(t testing.TB, opt twin.Options, change func(*Config)) *stage {
	t.Helper()
	opt.ClientID, opt.ClientSecret, opt.RobotCode, opt.CorpID = "dingclient", testAppSecret, "dingrobot", "dingcorp"
	opt.EventToken, opt.EventKey = testEventToken, testEventKey
	opt.HookTimeout = time.Minute // a busy machine is no fault of the bot's
	s := &stage{twin: twin.New(opt), in: &inbox{answer: hello()}, log: &lockedLog{}}
	platform := httptest.NewServer(s.twin)
	t.Cleanup(platform.Close)
	s.twin.SetBaseURL(platform.URL)
	cfg := testConfig(platform.URL)
	if change != nil {
		change(&cfg)
	}
	a, err := New(cfg, Deps{Log: slog.New(slog.NewTextHandler(s.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	a.answerWithin, a.streamGrace = time.Minute, time.Minute
	server := httptest.NewServer(a.Hook(s.in))
	t.Cleanup(server.Close)
	s.a, s.hook, s.api = a, server.URL, platform
	return s
}

type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (s *stage) say(t *testing.T, said twin.Said) twin.Reply {
	t.Helper()
	reply, err := s.twin.Say(t.Context(), s.hook+"/dingtalk/robot", said)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// eventually polls, with a deadline for hangs only.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

func TestCommandIsAnsweredInTheHTTPAnswer(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	reply := s.say(t, twin.Said{Text: "\u00a0\u3000/hot ebpf ", Staff: "0147", Nick: "小钉", Admin: true, Group: "cid1==", GroupTitle: "架构组", MsgID: "m1"})
	if reply.Post == nil || reply.Post.Kind != "markdown" || !strings.Contains(reply.Post.Text, "3 条结果") {
		t.Fatalf("reply %+v", reply)
	}
	got := s.in.commands()[0]
	got.At = time.Time{}
	want := bot.Command{ID: "m1", Text: "/hot ebpf", Member: bot.Member{ID: "0147", Name: "小钉", Admin: true},
		Channel: bot.Channel{Adapter: "dingtalk", Kind: "app", Workspace: "dingcorp", Address: "group:cid1==", Name: "架构组"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.say(t, twin.Said{Text: "help", Staff: "0147", Nick: "小钉"})
	if got := s.in.commands()[1].Channel; got.Address != "user:0147" || got.Name != "小钉" {
		t.Errorf("channel of a talk with one person: %+v", got)
	}
}

func TestMembersFromOutsideAreNoAdministrators(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	s.say(t, twin.Said{Text: "unsubscribe", Nick: "外部", Admin: true, Group: "cid1=="})
	got := s.in.commands()[0].Member
	if got.Admin || got.ID != "$:LWCP_v1:$外部" {
		t.Errorf("member %+v", got)
	}
}

func TestTolerantMessages(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields map[string]any
		want   string // "" = no command
	}{
		{"rich text", map[string]any{"msgtype": "richText", "text": nil, "content": map[string]any{"richText": []any{
			map[string]any{"text": "/hot"}, map[string]any{"downloadCode": "x", "type": "picture"}, map[string]any{"text": "ebpf"}}}}, "/hot ebpf"},
		{"content as string", map[string]any{"text": nil, "content": " /latest"}, "/latest"},
		{"times as strings", map[string]any{"createAt": "1708327204136", "sessionWebhookExpiredTime": "1708332604316"}, "/help"},
		{"type as number", map[string]any{"conversationType": 2}, "/help"},
		{"picture", map[string]any{"msgtype": "picture", "text": nil, "content": map[string]any{"downloadCode": "x"}}, ""},
		{"nothing", map[string]any{"text": nil}, ""},
		{"quota", map[string]any{"text": nil, "errorCode": "20001", "errorMessage": "超限"}, ""},
		{"quota as number", map[string]any{"text": nil, "errorCode": 20001}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, twin.Options{}, nil)
			reply := s.say(t, twin.Said{Text: "/help", Staff: "1", Group: "cid1==", Fields: c.fields})
			if reply.Status != http.StatusOK {
				t.Errorf("status %d, want 200", reply.Status)
			}
			got := s.in.commands()
			switch {
			case c.want == "" && (len(got) != 0 || string(reply.Body) != `{"msgtype":"empty"}`):
				t.Errorf("commands %v, answer %s; want none and an empty message", got, reply.Body)
			case c.want != "" && (len(got) != 1 || got[0].Text != c.want):
				t.Errorf("commands %v, want %q", got, c.want)
			}
			if strings.HasPrefix(c.name, "quota") && !strings.Contains(s.log.String(), "level=ERROR") {
				t.Errorf("a used-up quota was not logged as an error:\n%s", s.log)
			}
		})
	}
}

// late makes the bot answer after the platform has been given an empty message.
func late(t *testing.T, s *stage, said twin.Said) {
	t.Helper()
	s.a.answerWithin = time.Millisecond
	s.in.hold = make(chan struct{})
	reply := s.say(t, said)
	if string(reply.Body) != `{"msgtype":"empty"}` {
		t.Errorf("answer %s, want an empty message", reply.Body)
	}
	close(s.in.hold)
}

func TestLateAnswerGoesToTheSession(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	late(t, s, twin.Said{Text: "/hot", Staff: "1", Group: "cid1=="})
	eventually(t, "late answer", func() bool { return len(s.twin.Posts()) == 1 })
	if p := s.twin.Posts()[0]; p.Channel != "group:cid1==" || p.Kind != "markdown" || !strings.Contains(p.Text, "3 条结果") {
		t.Errorf("post %+v", p)
	}
	if s.twin.TokenCalls() != 0 {
		t.Error("the app's API was used, which costs quota, though the session lives")
	}
	if s.in.context != nil {
		t.Errorf("the command's context ended with the request: %v", s.in.context)
	}
}

func TestLateAnswerGoesThroughTheAPIWhenTheSessionIsOver(t *testing.T) {
	for name, said := range map[string]twin.Said{
		"platform says so": {Text: "/hot", Staff: "1", Group: "cid1==", SessionLife: -1},
		"expired":          {Text: "/hot", Staff: "1", Group: "cid1==", Fields: map[string]any{"sessionWebhookExpiredTime": 1}},
		"none":             {Text: "/hot", Staff: "1", Group: "cid1==", Fields: map[string]any{"sessionWebhook": nil}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, twin.Options{}, nil)
			late(t, s, said)
			eventually(t, "late answer", func() bool { return len(s.twin.Posts()) == 1 })
			if p := s.twin.Posts()[0]; p.Channel != "group:cid1==" || p.Kind != "sampleMarkdown" {
				t.Errorf("post %+v", p)
			}
		})
	}
}

func TestSessionWebhookOnAForeignHostIsNotCalled(t *testing.T) {
	called := make(chan struct{}, 1)
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called <- struct{}{} }))
	defer foreign.Close()
	s := newStage(t, twin.Options{}, nil)
	late(t, s, twin.Said{Text: "/hot", Staff: "1", Group: "cid1==", Fields: map[string]any{"sessionWebhook": foreign.URL + "/robot/sendBySession?session=x"}})
	eventually(t, "log line", func() bool { return strings.Contains(s.log.String(), "was not delivered") })
	select {
	case <-called:
		t.Error("a forged sessionWebhook was called")
	default:
	}
	s2 := newStage(t, twin.Options{}, func(c *Config) { c.ReplyHosts = []string{strings.TrimPrefix(foreign.URL, "http://")} })
	late(t, s2, twin.Said{Text: "/hot", Staff: "1", Group: "cid1==", Fields: map[string]any{"sessionWebhook": foreign.URL + "/robot/sendBySession?session=x"}})
	<-called
}

func TestLongAnswerContinuesInTheSession(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	s.in.answer = issueOf(270, "")
	s.say(t, twin.Said{Text: "/latest", Staff: "1", Group: "cid1=="})
	n := len(s.a.Split(KindApp, s.in.answer))
	eventually(t, "all parts", func() bool { return len(s.twin.Posts()) == n })
	for k, p := range s.twin.Posts() {
		if !strings.Contains(p.Title, fmt.Sprintf("(%d/%d)", k+1, n)) {
			t.Errorf("post %d is titled %q", k, p.Title)
		}
	}
}

func TestFailedCommandIsAnsweredAndLogged(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	s.in.err = errors.New("store is down")
	reply := s.say(t, twin.Said{Text: "/hot", Staff: "1", Group: "cid1=="})
	if reply.Post == nil || !strings.Contains(s.log.String(), "store is down") {
		t.Errorf("reply %+v, log:\n%s", reply, s.log)
	}
	s.in.answer = bot.Message{}
	if reply := s.say(t, twin.Said{Text: "/hot", Staff: "1", Group: "cid1=="}); string(reply.Body) != `{"msgtype":"empty"}` {
		t.Errorf("an empty answer became %s", reply.Body)
	}
}

func TestEvents(t *testing.T) {
	s := newStage(t, twin.Options{}, nil)
	channel := bot.Channel{Adapter: "dingtalk", Kind: "app", Workspace: "dingcorp", Address: "group:cid1=="}
	at := time.UnixMilli(1708327204136)
	for _, c := range []struct {
		event map[string]any
		want  *bot.Event
	}{
		{map[string]any{"EventType": "check_url"}, nil},
		{map[string]any{"EventType": "user_add_org", "UserId": []string{"1"}}, nil},
		{map[string]any{"EventType": "chat_disband", "CorpId": "elsewhere", "OpenConversationId": "cid1=="}, nil},
		{map[string]any{"EventType": "chat_disband", "CorpId": "dingcorp", "OpenConversationId": "cid1==", "TimeStamp": "1708327204136"},
			&bot.Event{ID: "chat_disband/cid1==/1708327204136", Kind: bot.EventChannelGone, Channel: channel, At: at}},
		{map[string]any{"EventType": "chat_update_title", "EventId": "e7", "TimeStamp": 1708327204136, "data": map[string]any{"openConversationId": "cid1==", "title": "新\u202e群名"}},
			&bot.Event{ID: "e7", Kind: bot.EventChannelRenamed, Channel: channel, NewName: "新群名", At: at}},
	} {
		s.in.events = nil
		status, err := s.twin.PushEvent(t.Context(), s.hook+"/dingtalk/events", c.event)
		if status != http.StatusOK || err != nil {
			t.Errorf("%v: %d, %v", c.event, status, err)
		}
		var want []bot.Event
		if c.want != nil {
			want = append(want, *c.want)
		}
		if diff := cmp.Diff(want, s.in.events); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.event, diff)
		}
	}
	s.in.err = errors.New("store is down")
	if status, _ := s.twin.PushEvent(t.Context(), s.hook+"/dingtalk/events", map[string]any{"EventType": "chat_disband", "OpenConversationId": "c"}); status != http.StatusServiceUnavailable {
		t.Errorf("an event that could not be kept was answered %d, want 503 so that it comes again", status)
	}
}

func TestHookIsOffWithoutKeys(t *testing.T) {
	a, err := New(Config{}, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*http.Request{robotRequest(`{}`, time.Now(), ""), eventRequest(`{}`, time.Now(), "", "")} {
		w := httptest.NewRecorder()
		a.Hook(&inbox{}).ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", r.URL.Path, w.Code)
		}
	}
}

// FuzzInbound: whatever is posted, a message that decodes becomes a clean command, and a signature that is not ours never gets in.
func FuzzInbound(f *testing.F) {
	f.Add([]byte(`{"conversationId":"c","conversationType":"2","msgId":"m","msgtype":"text","text":{"content":" /hot"},"robotCode":"dingrobot","chatbotCorpId":"dingcorp"}`), "sig")
	f.Add([]byte(`{"conversationId":"c","conversationType":1,"msgId":"m","content":{"richText":[{"text":"a"},{"type":"picture"}]},"senderStaffId":"1","isAdmin":true}`), "")
	f.Add([]byte(`{"msgId":"m","conversationId":"c","text":"x\u202e\u0000y","createAt":"99999999999999999999","errorCode":20001}`), "x")
	f.Fuzz(func(t *testing.T, body []byte, signature string) {
		if m, err := decodeInbound(body); err == nil {
			text, _ := m.words()
			cmd := m.command(text, time.Now())
			if cmd.ID == "" || !utf8.ValidString(cmd.Text) || strings.ContainsAny(cmd.Text, "\x00\u202e\r") || cmd.Member.Admin && m.SenderStaffID == "" ||
				!strings.HasPrefix(cmd.Channel.Address, userPrefix) && cmd.Channel.Address == groupPrefix {
				t.Errorf("%s became %+v", body, cmd)
			}
		}
		a := newAdapter(t, "")
		in := &inbox{}
		r := robotRequest(string(body), time.Now(), "not the secret")
		if signature != "" {
			r.Header["Sign"] = []string{signature}
		}
		w := httptest.NewRecorder()
		a.Hook(in).ServeHTTP(w, r)
		if w.Code != http.StatusUnauthorized || len(in.got) > 0 {
			t.Errorf("unsigned %q was answered %d", body, w.Code)
		}
		w = httptest.NewRecorder()
		a.Hook(in).ServeHTTP(w, robotRequest(string(body), time.Now(), testAppSecret))
		if w.Code == http.StatusOK && !json.Valid(w.Body.Bytes()) {
			t.Errorf("answer is no JSON: %s", w.Body)
		}
	})
}
