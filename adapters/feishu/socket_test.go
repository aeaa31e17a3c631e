package feishu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"weeklybot/adapters/feishu/twin"
)

// listening is a stage whose bot holds a long connection. stop ends Listen and waits for it.
func listening(t *testing.T, opt twin.Options, change func(*Config)) (s *stage, stop func()) {
	t.Helper()
	s = newStage(t, opt, func(c *Config) {
		c.Mode = ModeSocket
		if change != nil {
			change(c)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.a.Listen(ctx, s.in) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Listen = %v", err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

func connected(t *testing.T, s *stage) {
	t.Helper()
	eventually(t, "two connections", func() bool { return s.twin.Connections() == 2 })
}

func TestSocketCommand(t *testing.T) {
	for _, pieces := range []int{1, 2, 7} {
		t.Run(fmt.Sprint(pieces, " pieces"), func(t *testing.T) {
			s, _ := listening(t, twin.Options{}, nil)
			connected(t, s)
			s.in.hold = make(chan struct{})
			ack, err := s.twin.SayPieces(t.Context(), twin.Said{Text: "\u3000/hot ebpf", User: "ou_1", Chat: "oc_1", MessageID: "om_1"}, pieces)
			if err != nil || ack.Code != 200 {
				t.Fatalf("acknowledged with %+v, %v before the command is done", ack, err)
			}
			close(s.in.hold)
			eventually(t, "answer", func() bool { return len(s.twin.Posts()) == 1 })
			if p := s.twin.Posts()[0]; p.Channel != "oc_1" || p.ReplyTo != "om_1" || !strings.Contains(p.Text(), "3 条结果") {
				t.Errorf("post %+v", p)
			}
			if got := s.in.commands()[0]; got.ID != "om_1" || got.Text != "/hot ebpf" || got.Channel.Address != "oc_1" || got.Channel.Workspace != "tenant" {
				t.Errorf("command %+v", got)
			}
		})
	}
}

func TestSocketEvents(t *testing.T) {
	s, _ := listening(t, twin.Options{}, nil)
	connected(t, s)
	for _, c := range platformEvents {
		if ack, err := s.twin.SocketEvent(t.Context(), c.kind, "e1", c.event); err != nil || ack.Code != 200 {
			t.Errorf("%s: %+v, %v", c.kind, ack, err)
		}
		checkEvent(t, c.kind, s.in.takeEvents(), c.want)
	}
	for name, said := range map[string]twin.Said{
		"picture": {Text: "x", User: "ou_1", Chat: "oc_1", Message: map[string]any{"message_type": "image"}},
		"no id":   {Text: "x", User: "ou_1", Chat: "oc_1", Message: map[string]any{"message_id": nil}},
	} {
		if ack, err := s.twin.SaySocket(t.Context(), said); err != nil || ack.Code != 200 {
			t.Errorf("%s: %+v, %v", name, ack, err)
		}
	}
	s.in.fails(errors.New("store is down"))
	if ack, err := s.twin.SocketEvent(t.Context(), "im.chat.disbanded_v1", "e2", map[string]any{"chat_id": "oc_1"}); err != nil || ack.Code != 500 {
		t.Errorf("an event that could not be kept: %+v, %v", ack, err)
	}
	if n := len(s.in.commands()); n != 0 {
		t.Errorf("%d commands, want none", n)
	}
}

func TestSocketHearsWhileConnectionsChange(t *testing.T) {
	s, stop := listening(t, twin.Options{}, nil)
	heard := func() {
		t.Helper()
		if ack, err := s.twin.SaySocket(t.Context(), twin.Said{Text: "/hot", User: "ou_1", Chat: "oc_1"}); err != nil || ack.Code != 200 {
			t.Errorf("%+v, %v", ack, err)
		}
	}
	connected(t, s)
	s.twin.CutSockets(1)
	eventually(t, "one connection", func() bool { return s.twin.Connections() == 1 || dialled(s) == 3 })
	heard() // by the other one
	eventually(t, "third connection", func() bool { return dialled(s) == 3 })
	connected(t, s)
	s.twin.CutSockets(2)
	eventually(t, "two more connections", func() bool { return dialled(s) == 5 })
	connected(t, s)
	heard()
	stop()
	eventually(t, "end of the connections", func() bool { return s.twin.Connections() == 0 })
}

// dialled is how many connections the bot has made so far.
func dialled(s *stage) int { return strings.Count(s.log.String(), "long connection stands") }

func TestSocketRefusedSaysWhatToDo(t *testing.T) {
	s, stop := listening(t, twin.Options{}, func(c *Config) { c.AppSecret = "wrong-secret-value" })
	eventually(t, "log line", func() bool { return strings.Contains(s.log.String(), "10014") })
	stop()
	if log := s.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "app_secret") || strings.Contains(log, "wrong-secret-value") {
		t.Errorf("log:\n%s", log)
	}
}

func TestSocketFinishesWhatItHasBegun(t *testing.T) {
	s, stop := listening(t, twin.Options{ChatRate: -1, APIPerSecond: -1}, nil)
	connected(t, s)
	s.in.hold = make(chan struct{})
	const n = 50
	var all sync.WaitGroup
	for k := range n {
		all.Go(func() {
			if _, err := s.twin.SaySocket(t.Context(), twin.Said{Text: "/hot", User: fmt.Sprint("ou_", k), Chat: fmt.Sprint("oc_", k)}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	eventually(t, "commands", func() bool { return len(s.in.commands()) == n })
	go close(s.in.hold)
	stop()
	if got := len(s.twin.Posts()); got != n {
		t.Errorf("%d answers after Listen returned, want %d", got, n)
	}
}

func TestPiecesAreBounded(t *testing.T) {
	c := &link{l: &listener{a: newAdapter(t, "")}, pieces: map[string]*pieced{}}
	piece := func(id, sum, seq string) bool {
		_, whole := c.join(frame{headers: []frameHeader{{"message_id", id}, {"sum", sum}, {"seq", seq}}, payload: []byte("x")})
		return whole
	}
	for _, bad := range [][2]string{{"1000000000", "0"}, {"2", "2"}, {"2", "-1"}} {
		if piece("bad"+bad[1], bad[0], bad[1]) {
			t.Errorf("piece %v made a whole", bad)
		}
	}
	for k := range 10 * maxPieced {
		piece(fmt.Sprint(k), "2", "0")
	}
	if len(c.pieces) > maxPieced {
		t.Errorf("%d events in pieces are kept, want at most %d", len(c.pieces), maxPieced)
	}
	if !piece("3", "2", "1") {
		t.Error("the second piece of an event did not make it whole")
	}
}

// What is typed on the stand-in's page reaches the bot, and its answer the page.
func TestPageTalksToTheBot(t *testing.T) {
	for name, mode := range map[string]string{"socket": ModeSocket, "http": ModeHTTP} {
		t.Run(name, func(t *testing.T) {
			in := &inbox{answer: hello()}
			handler := http.NewServeMux()
			server := httptest.NewServer(handler)
			defer server.Close()
			opt := twin.Options{}
			if mode == ModeHTTP {
				opt.BotURL = server.URL
			}
			s := newStage(t, opt, func(c *Config) { c.Mode = mode })
			handler.Handle("/", s.a.Hook(in))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.a.Listen(ctx, in) }()
			defer func() { cancel(); <-done }()
			if mode == ModeSocket {
				connected(t, s)
			}
			for _, chat := range []string{"oc_twin", "oc_twin_p2p"} {
				resp, err := http.PostForm(s.url+"/say", url.Values{"chat": {chat}, "text": {"/hot ebpf"}})
				if err != nil {
					t.Fatal(err)
				}
				page, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK || !strings.Contains(string(page), "回复 小飞: /hot ebpf") || !strings.Contains(string(page), "3 条结果") {
					t.Errorf("%s: %s without question and answer:\n%s", chat, resp.Status, page)
				}
				if got := in.commands(); got[len(got)-1].Channel.Address != chat || got[len(got)-1].Text != "/hot ebpf" {
					t.Errorf("%s: command %+v", chat, got[len(got)-1])
				}
			}
			if resp, err := http.PostForm(s.url+"/say", url.Values{"chat": {"bot:x"}, "text": {"x"}}); err != nil || resp.StatusCode != http.StatusBadRequest {
				t.Errorf("a custom bot hears nothing: %v, %v", resp, err)
			}
		})
	}
}
