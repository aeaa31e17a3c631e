package wecom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

const testBotSecret = "secret-of-the-ai-bot"

var testBot = twin.Bot{ID: "aib1", Name: "周报 Bot", Secret: testBotSecret}

// botConfig is one AI bot at base, an http:// URL.
func botConfig(base string) Config {
	return Config{APIURL: base, AIBotURL: "ws" + strings.TrimPrefix(base, "http"),
		AIBots: []AIBot{{Name: "weekly", ShownName: "周报 Bot", BotID: "aib1", Secret: testBotSecret}}}
}

// safeLog is a log that may be read while it is written.
type safeLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *safeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *safeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// group is a platform with an AI bot in its chats.
type group struct {
	*twin.Twin
	t   *testing.T
	url string
	a   *Adapter
	log *safeLog
	in  *inbox
}

func newGroup(t *testing.T, in *inbox, change func(*Config, *Deps)) *group {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, leaks) })
	g := &group{t: t, log: new(safeLog), in: in, Twin: twin.New(twin.Options{Bots: []twin.Bot{testBot}})}
	server := httptest.NewServer(g.Twin)
	t.Cleanup(server.Close)
	g.url = server.URL
	g.a = g.adapter(change)
	return g
}

func (g *group) adapter(change func(*Config, *Deps)) *Adapter {
	cfg, deps := botConfig(g.url), Deps{Log: slog.New(slog.NewTextHandler(g.log, nil))}
	if change != nil {
		change(&cfg, &deps)
	}
	return newTestAdapter(g.t, cfg, deps)
}

// listen runs Listen of a until stop.
func listen(t *testing.T, a *Adapter, in bot.Inbox) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- a.Listen(ctx, in) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Listen = %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s never came", what)
}

func (g *group) connected() {
	g.t.Helper()
	eventually(g.t, "connection", func() bool { live, _ := g.a.bots[0].connection(); return live != nil })
}

func (g *group) say(s twin.Said) {
	g.t.Helper()
	if _, err := g.SayBot(g.t.Context(), s); err != nil {
		g.t.Fatal(err)
	}
}

// answers waits for n finished posts.
func (g *group) answers(n int) []twin.Post {
	g.t.Helper()
	var posts []twin.Post
	eventually(g.t, fmt.Sprintf("answer %d", n), func() bool {
		posts = slices.DeleteFunc(g.Posts(), func(p twin.Post) bool { return p.Open })
		return len(posts) >= n
	})
	return posts
}

var hotAnswer = bot.Message{Title: "「ebpf」的热门", Lang: "zh", Blocks: []bot.Block{
	{Kind: bot.BlockItem, Title: "A *wild* <@all> title", URL: "https://example.org/a?b=1&c=2", Text: "一句话。"}}}

func groupChannel(chat string) bot.Channel {
	return bot.Channel{Adapter: Name, Kind: KindAIBot, Workspace: "weekly", Address: chat}
}

func TestGroupCommand(t *testing.T) {
	g := newGroup(t, saying(hotAnswer), nil)
	listen(t, g.a, g.in)
	g.connected()
	for range 2 {
		g.say(twin.Said{Chat: "wrTeam", From: "ZhangSan", Text: "@周报 Bot\u2005／hot ebpf", ID: "m1"})
	}
	posts := g.answers(2)
	if p := posts[0]; p.Channel != "chat:wrTeam" || p.MsgType != "stream" || p.Read().Text != "「ebpf」的热门\n\n• A ＊wild＊ ＜@all＞ title\n一句话。" {
		t.Errorf("post %+v shows %q", p, p.Read().Text)
	}
	g.say(twin.Said{From: "lisi", Text: "/latest"})
	if p := g.answers(3)[2]; p.Channel != "user:lisi" {
		t.Errorf("1:1 answer went to %s", p.Channel)
	}
	commands := g.in.seen()
	for k := range commands {
		if commands[k].At.IsZero() {
			t.Error("a command has no time")
		}
		commands[k].At = time.Time{}
	}
	want := bot.Command{ID: "m1", Text: "/hot ebpf", Channel: groupChannel("wrTeam"), Member: bot.Member{ID: "ZhangSan"}}
	if diff := cmp.Diff([]bot.Command{want, want}, commands[:2]); diff != "" || commands[2].Channel != groupChannel("lisi") {
		t.Errorf("commands (-want +got):\n%s\nand %+v", diff, commands[2])
	}
	if len(g.Refused()) > 0 {
		t.Errorf("refused %+v", g.Refused())
	}
}

// subscribing is an Inbox that remembers which channel wants digests, as the core does.
type subscribing struct{ channels chan bot.Channel }

func (s subscribing) Command(_ context.Context, cmd bot.Command) (bot.Message, error) {
	if strings.HasPrefix(cmd.Text, "/subscribe ") {
		s.channels <- cmd.Channel
	}
	return bot.Message{Title: "已订阅"}, nil
}

func (subscribing) Event(context.Context, bot.Event) error { return nil }

func TestGroupSubscribesAndGetsItsDigest(t *testing.T) {
	g := newGroup(t, nil, nil)
	in := subscribing{make(chan bot.Channel, 1)}
	listen(t, g.a, in)
	g.connected()
	g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /subscribe ebpf 每周一 9:00"})
	dst := <-in.channels
	g.answers(1)
	msg, urls := bigIssue()
	parts := g.a.Split(KindAIBot, msg)
	for k, part := range parts {
		if _, err := g.a.Send(t.Context(), dst, bot.Post{Key: "d1", Part: k + 1, Parts: len(parts), Message: part}); err != nil {
			t.Fatalf("part %d of %d: %v", k+1, len(parts), err)
		}
	}
	var links []string
	for k, p := range g.Posts()[1:] {
		links = append(links, p.Read().Links...)
		if p.Channel != "chat:wrTeam" || p.MsgType != "markdown" || !strings.Contains(p.Content, fmt.Sprintf("第 270 期 (%d/%d)", k+1, len(parts))) {
			t.Errorf("post %d at %s lacks its label: %.80q", k+1, p.Channel, p.Content)
		}
	}
	if !slices.Equal(links, urls) || len(g.Refused()) > 0 {
		t.Errorf("%d links over %d parts, want %d; refused %+v", len(links), len(parts), len(urls), g.Refused())
	}
}

func TestPushFaults(t *testing.T) {
	g := newGroup(t, saying(hotAnswer), nil)
	if _, err := g.a.Send(t.Context(), groupChannel("wrTeam"), small("x")); err.(*bot.SendError).Code != "no_connection" {
		t.Errorf("before Listen: %v", err)
	}
	listen(t, g.a, g.in)
	g.connected()
	g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
	g.answers(1)
	quiet, lower := groupChannel("wrQuiet"), groupChannel("wrteam")
	other := groupChannel("wrTeam")
	other.Workspace = "aib1"
	for _, c := range []struct {
		name string
		dst  bot.Channel
		fail twin.Failure
		want *bot.SendError
	}{
		{"arrives", groupChannel("wrTeam"), twin.Failure{}, nil},
		{"by the bot's id", other, twin.Failure{}, nil},
		{"never spoke", quiet, twin.Failure{}, &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Action: bot.AskSpeak, Code: "93006"}},
		{"wrong case", lower, twin.Failure{}, &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Action: bot.AskSpeak, Code: "93006"}},
		{"no address", groupChannel(""), twin.Failure{}, &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "bad_address"}},
		{"other bot", bot.Channel{Kind: KindAIBot, Workspace: "nope", Address: "wrTeam"}, twin.Failure{}, &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Code: "no_bot"}},
		{"busy", groupChannel("wrTeam"), twin.Failure{Code: -1}, &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "-1"}},
		{"rate", groupChannel("wrTeam"), twin.Failure{Code: 45009}, &bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeMessage, Code: "45009", RetryAfter: time.Minute}},
		{"unknown code", groupChannel("wrTeam"), twin.Failure{Code: 123456}, &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Action: bot.ActOnce, Code: "123456"}},
		{"dropped after", groupChannel("wrTeam"), twin.Failure{DropAfter: true}, &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", MaybeSent: true}},
		{"dropped before", groupChannel("wrTeam"), twin.Failure{DropBefore: true}, &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", MaybeSent: true}},
		{"not subscribed", groupChannel("wrTeam"), twin.Failure{Code: 846609}, &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "846609"}},
		{"comes back", groupChannel("wrTeam"), twin.Failure{}, nil},
	} {
		eventually(t, "live connection", func() bool { return g.Connected("aib1") })
		g.connected()
		if c.fail != (twin.Failure{}) {
			g.Fail(1, c.fail)
		}
		before := len(g.Posts())
		_, err := g.a.Send(t.Context(), c.dst, small(c.name))
		got, _ := errors.AsType[*bot.SendError](err)
		if got != nil {
			if strings.Contains(got.Error(), testBotSecret) || got.Err == nil {
				t.Errorf("%s: %v", c.name, got)
			}
			if c.name == "never spoke" && !strings.Contains(got.Error(), "@ the bot once in this group") {
				t.Errorf("%s: %v does not say what to do", c.name, got)
			}
			got.Err = nil
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if c.want == nil && len(g.Posts()) != before+1 {
			t.Errorf("%s: %d posts more, want 1", c.name, len(g.Posts())-before)
		}
		if c.fail.DropAfter || c.fail.DropBefore || c.fail.Code == 846609 {
			eventually(t, "end of the connection", func() bool { live, _ := g.a.bots[0].connection(); return live == nil })
		}
	}
}

func TestPushContext(t *testing.T) {
	g := newGroup(t, saying(hotAnswer), nil)
	listen(t, g.a, g.in)
	g.connected()
	g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
	g.answers(1)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.a.Send(over, groupChannel("wrTeam"), small("x")); !errors.Is(err, context.Canceled) || err.(*bot.SendError).MaybeSent || len(g.Posts()) != 1 {
		t.Errorf("a context already over: %v", err)
	}
	g.Fail(1, twin.Failure{Mute: true})
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := g.a.Send(short, groupChannel("wrTeam"), small("x")); !errors.Is(err, context.DeadlineExceeded) || !err.(*bot.SendError).MaybeSent {
		t.Errorf("a context that ends: %v", err)
	}
	if _, err := g.a.Send(t.Context(), groupChannel("wrTeam"), small("y")); err != nil {
		t.Errorf("the connection does not go on: %v", err)
	}
}

func TestLongAnswerFollowsAsPushes(t *testing.T) {
	msg, urls := bigIssue()
	g := newGroup(t, saying(msg), nil)
	listen(t, g.a, g.in)
	g.connected()
	g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /latest"})
	posts := g.answers(len(g.a.Split(KindAIBot, msg)))
	var links []string
	for _, p := range posts {
		links = append(links, p.Read().Links...)
	}
	if !slices.Equal(links, urls) || posts[0].MsgType != "stream" || posts[1].MsgType != "markdown" {
		t.Errorf("%d links, want %d", len(links), len(urls))
	}
}

func TestAnswerThatComesTooLateIsPushed(t *testing.T) {
	for _, code := range []int{846605, 846608} {
		g := newGroup(t, saying(hotAnswer), nil)
		listen(t, g.a, g.in)
		g.connected()
		g.Fail(1, twin.Failure{Code: code})
		g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
		if p := g.answers(1)[0]; p.MsgType != "markdown" || p.Channel != "chat:wrTeam" {
			t.Errorf("after %d: %+v, want a push", code, p)
		}
	}
}

func TestWelcome(t *testing.T) {
	help := bot.Message{Title: "帮助", Blocks: []bot.Block{{Kind: bot.BlockText, Text: "发送 /hot ebpf"}}}
	g := newGroup(t, saying(help), nil)
	listen(t, g.a, g.in)
	g.connected()
	g.say(twin.Said{From: "LiSi", Event: "feedback_event"})
	g.say(twin.Said{From: "LiSi", Event: "enter_chat"})
	p := g.answers(1)[0]
	if p.MsgType != "template_card" || p.Channel != "user:LiSi" || p.Card.MainTitle.Title != "帮助" || len(p.Card.Buttons) != 5 {
		t.Errorf("welcome %+v", p)
	}
	g.Fail(1, twin.Failure{Code: 40008}) // no cards there: the help as text
	g.say(twin.Said{From: "LiSi", Event: "enter_chat"})
	if p := g.answers(2)[1]; p.MsgType != "text" || p.Content != "帮助\n\n发送 /hot ebpf" {
		t.Errorf("welcome %+v", p)
	}
	if c := g.in.seen(); len(c) != 2 || c[0].Text != "/help" || !strings.HasPrefix(c[0].ID, "enter_chat:weekly:lisi:") {
		t.Errorf("commands %+v", c)
	}
	if _, err := g.Click(t.Context(), p.ID, "/latest", "LiSi"); err != nil {
		t.Fatal(err)
	}
	if p := g.answers(3)[2]; p.MsgType != "markdown" || p.Channel != "user:LiSi" {
		t.Errorf("answer to a click %+v", p)
	}
	if c := g.in.seen(); len(c) != 3 || c[2].Text != "/latest" || c[2].Channel != groupChannel("LiSi") || c[2].Member.ID != "LiSi" || c[2].ID == "" {
		t.Errorf("commands %+v", c)
	}
}

func TestListenComesBack(t *testing.T) {
	g := newGroup(t, saying(hotAnswer), nil)
	stop := listen(t, g.a, g.in)
	g.connected()
	g.CutBots()
	eventually(t, "second connection", func() bool { return strings.Count(g.log.String(), "the AI bot is connected") == 2 })
	g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
	g.answers(1)
	stop()
	eventually(t, "end of the connection", func() bool { return !g.Connected("aib1") })
	if checked := g.a.Check(t.Context()); len(checked) != 1 || checked[0].Err != nil || !strings.Contains(checked[0].What, "gateway answers") {
		t.Errorf("Check after Listen = %+v", checked)
	}
}

func TestOddFramesAreSurvived(t *testing.T) {
	g := newGroup(t, saying(hotAnswer), nil)
	listen(t, g.a, g.in)
	g.connected()
	for _, raw := range []string{``, `{`, `[]`, `null`, `{"cmd":"aibot_msg_callback"}`, `{"cmd":"aibot_msg_callback","body":[]}`, `{"headers":{"req_id":"never asked"},"errcode":0}`,
		`{"cmd":"aibot_msg_callback","headers":{"req_id":"r"},"body":{"msgid":"m","chattype":"group","from":{"userid":"u"},"msgtype":"text","text":{"content":"/hot"}}}`,
		`{"cmd":"aibot_msg_callback","headers":{"req_id":"r"},"body":{"msgid":"m","from":{"userid":"u"},"msgtype":"image","image":{"url":"https://example.org"}}}`,
		`{"cmd":"brand_new","headers":{"req_id":"r"},"body":{"msgid":"m","from":{"userid":"u"},"msgtype":"text","text":{"content":"/hot"}}}`} {
		if err := g.Push("aib1", raw); err != nil {
			t.Fatal(err)
		}
	}
	g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
	g.answers(1)
	if n := len(g.in.seen()); n != 1 {
		t.Errorf("%d commands, want 1: %+v", n, g.in.seen())
	}
}

// inBubble is a platform and an adapter over in-process pipes, on fake time.
func inBubble(t *testing.T, in *inbox, test func(g *group)) {
	synctest.Test(t, func(t *testing.T) {
		g := &group{t: t, log: new(safeLog), in: in, url: "http://127.0.0.1:1", Twin: twin.New(twin.Options{Bots: []twin.Bot{testBot}})}
		conns := make(pipes)
		server := &http.Server{Handler: g.Twin}
		go server.Serve(conns)
		g.a = g.adapter(nil)
		g.a.netDial = conns.dial
		test(g)
		server.Close()
		synctest.Wait()
	})
}

// dialRaw is a client that knows nothing of ours.
func (g *group) dialRaw() *websocket.Conn {
	dialer := websocket.Dialer{NetDialContext: g.a.netDial}
	conn, _, err := dialer.Dial("ws://127.0.0.1:1", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	return conn
}

var wsUpgrader websocket.Upgrader

type pipes chan net.Conn

func (p pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestSlowCommandOpensAStreamFirst(t *testing.T) {
	in := &inbox{answer: func(ctx context.Context, _ bot.Command) (bot.Message, error) {
		time.Sleep(4 * time.Minute)
		return hotAnswer, ctx.Err()
	}}
	inBubble(t, in, func(g *group) {
		stop := listen(g.t, g.a, in)
		synctest.Wait()
		g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
		time.Sleep(firstFrameAfter)
		synctest.Wait()
		if p := g.Posts(); len(p) != 1 || !p[0].Open || p[0].Content != workingText {
			t.Errorf("after %v: %+v", firstFrameAfter, p)
		}
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		if p := g.Posts(); len(p) != 1 || p[0].Open || !strings.Contains(p[0].Content, "ebpf") || len(g.Refused()) > 0 {
			t.Errorf("after the command: %+v, refused %+v", p, g.Refused())
		}
		stop()
	})
}

func TestCommandThatNeverEnds(t *testing.T) {
	in := &inbox{answer: func(ctx context.Context, _ bot.Command) (bot.Message, error) {
		<-ctx.Done()
		return bot.Message{}, ctx.Err()
	}}
	inBubble(t, in, func(g *group) {
		stop := listen(g.t, g.a, in)
		synctest.Wait()
		g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
		time.Sleep(botAnswerWithin + time.Second)
		synctest.Wait()
		if p := g.Posts(); len(p) != 1 || p[0].Open || p[0].Content != tooSlowText {
			t.Errorf("after %v: %+v", botAnswerWithin, p)
		}
		g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
		synctest.Wait()
		began := time.Now()
		stop()
		if took := time.Since(began); took > listenGrace+goodbyeWithin {
			t.Errorf("Listen ended %v after its context", took)
		}
	})
}

func TestListenFinishesWhatItHasBegun(t *testing.T) {
	in := &inbox{answer: func(context.Context, bot.Command) (bot.Message, error) {
		time.Sleep(2 * time.Second)
		return hotAnswer, nil
	}}
	inBubble(t, in, func(g *group) {
		stop := listen(g.t, g.a, in)
		synctest.Wait()
		const n = 40
		for k := range n {
			g.say(twin.Said{Chat: fmt.Sprintf("wr%d", k), From: "lisi", Text: "@周报 Bot /hot"})
		}
		synctest.Wait()
		stop()
		if got := len(g.Posts()); got != n {
			t.Errorf("%d answers after Listen returned, want %d", got, n)
		}
	})
}

func TestPings(t *testing.T) {
	inBubble(t, saying(hotAnswer), func(g *group) {
		stop := listen(g.t, g.a, g.in)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := strings.Count(g.log.String(), "the AI bot is connected"); n != 1 || !g.Connected("aib1") {
			t.Errorf("%d connections in a quiet hour, want one that lives", n)
		}
		stop()
	})
}

// TestDeadConnection has a gateway that takes frames and answers only the first.
func TestDeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		conns := make(pipes)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			dials.Add(1)
			conn, err := wsUpgrader.Upgrade(w, r, nil)
			if err != nil {
				return
			}
			defer conn.Close()
			for k := 0; ; k++ {
				var f inFrame
				if conn.ReadJSON(&f) != nil {
					return
				}
				if k == 0 {
					conn.WriteJSON(map[string]any{"headers": f.Headers, "errcode": 0})
				}
			}
		})}
		go server.Serve(conns)
		log := new(safeLog)
		a := newTestAdapter(t, botConfig("http://127.0.0.1:1"), Deps{Log: slog.New(slog.NewTextHandler(log, nil))})
		a.netDial = conns.dial
		stop := listen(t, a, saying(hotAnswer))
		time.Sleep(3*pingEvery - time.Millisecond)
		synctest.Wait()
		if n := dials.Load(); n != 1 {
			t.Errorf("%d connections before two pings went unanswered", n)
		}
		time.Sleep(backoffFirst + 2*time.Millisecond)
		synctest.Wait()
		if n := dials.Load(); n != 2 || !strings.Contains(log.String(), "pings are not answered") {
			t.Errorf("%d connections, want a second one; log:\n%s", n, log)
		}
		stop()
		server.Close()
	})
}

// TestBackoff counts what a gateway that hangs up sees in the first two minutes: 1 s doubling to 30 s.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newTestAdapter(t, botConfig("http://127.0.0.1:1"), Deps{})
		var at []int
		start := time.Now()
		a.netDial = func(context.Context, string, string) (net.Conn, error) {
			at = append(at, int(time.Since(start).Seconds()))
			return nil, errors.New("refused")
		}
		stop := listen(t, a, saying(hotAnswer))
		time.Sleep(2 * time.Minute)
		stop()
		if want := []int{0, 1, 3, 7, 15, 31, 61, 91}; !slices.Equal(at, want) {
			t.Errorf("dialed at %v s, want %v", at, want)
		}
	})
}

func TestWrongSecretStops(t *testing.T) {
	inBubble(t, saying(hotAnswer), func(g *group) {
		dials, dial := 0, g.a.netDial
		g.a = g.adapter(func(c *Config, _ *Deps) { c.AIBots[0].Secret = "wrong-secret-value" })
		g.a.netDial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials++
			return dial(ctx, network, addr)
		}
		stop := listen(g.t, g.a, g.in)
		time.Sleep(time.Hour)
		synctest.Wait()
		checked := g.a.Check(t.Context())
		if len(checked) != 1 || checked[0].Err == nil || !strings.Contains(checked[0].Err.Error(), "40001") || !strings.Contains(checked[0].Err.Error(), "aibots[]") {
			t.Errorf("Check = %+v, want the refusal and what to do", checked)
		}
		if _, err := g.a.Send(t.Context(), groupChannel("wrTeam"), small("x")); err.(*bot.SendError).Code != "40001" || err.(*bot.SendError).Scope != bot.ScopeWorkspace {
			t.Errorf("Send = %v", err)
		}
		if log := g.log.String(); dials != maxRefusals || !strings.Contains(log, "level=ERROR") || strings.Contains(log, "wrong-secret-value") {
			t.Errorf("%d attempts in an hour, want %d; log:\n%s", dials, maxRefusals, log)
		}
		stop()
	})
}

func TestThrottledSubscribeWaits(t *testing.T) {
	inBubble(t, saying(hotAnswer), func(g *group) {
		for range 10 { // what the twin allows in a minute
			conn := g.dialRaw()
			conn.WriteJSON(map[string]any{"cmd": "aibot_subscribe", "headers": map[string]string{"req_id": "x"}, "body": map[string]string{"bot_id": "aib1", "secret": "no"}})
			conn.ReadMessage()
			conn.Close()
		}
		stop := listen(g.t, g.a, g.in)
		time.Sleep(rateBlock - time.Second)
		synctest.Wait()
		if n := len(g.Refused()); n != 11 {
			t.Errorf("%d refusals within a minute, want one of ours behind the 10", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !g.Connected("aib1") {
			t.Errorf("not connected after a minute; log:\n%s", g.log)
		}
		stop()
	})
}

// TestTakenOver has another program connect as the bot: we must not fight for the connection.
func TestTakenOver(t *testing.T) {
	inBubble(t, saying(hotAnswer), func(g *group) {
		stop := listen(g.t, g.a, g.in)
		synctest.Wait()
		other := g.adapter(nil)
		other.netDial = g.a.netDial
		stopOther := listen(g.t, other, g.in)
		time.Sleep(time.Hour)
		synctest.Wait()
		if live, _ := other.bots[0].connection(); live == nil {
			t.Error("the newcomer has no connection")
		}
		_, err := g.a.Send(t.Context(), groupChannel("wrTeam"), small("x"))
		if fault, ok := errors.AsType[*bot.SendError](err); !ok || fault.Code != "no_connection" || fault.Fault != bot.Retryable || !errors.Is(fault, errTakenOver) {
			t.Errorf("Send over the lost connection = %v", err)
		}
		if n := strings.Count(g.log.String(), "the AI bot is connected"); n != 2 || !strings.Contains(g.log.String(), "level=ERROR") {
			t.Errorf("%d connections in an hour, want 2; log:\n%s", n, g.log)
		}
		if checked := g.a.Check(t.Context()); !errors.Is(checked[0].Err, errTakenOver) {
			t.Errorf("Check = %+v", checked)
		}
		stopOther()
		stop()
	})
}

func TestManyAtOnce(t *testing.T) {
	g := newGroup(t, saying(hotAnswer), nil)
	listen(t, g.a, g.in)
	g.connected()
	const n = 30
	for k := range n {
		g.say(twin.Said{Chat: fmt.Sprintf("wr%d", k), From: "lisi", Text: "@周报 Bot /hot"})
	}
	g.answers(n)
	var all sync.WaitGroup
	for k := range n {
		all.Go(func() {
			if _, err := g.a.Send(t.Context(), groupChannel(fmt.Sprintf("wr%d", k)), bot.Post{Part: 1, Parts: 1, Message: adaptertest.Samples()["one_item"]}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(g.Posts()) != 2*n || len(g.Refused()) > 0 {
		t.Errorf("%d posts, want %d; refused %+v", len(g.Posts()), 2*n, g.Refused())
	}
}
