package dingtalk

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
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weeklybot/adapters/dingtalk/twin"
	"weeklybot/bot"
)

// listening is a stage whose bot is connected over Stream mode. stop ends Listen and waits for it.
func listening(t *testing.T, change func(*Config)) (s *stage, stop func()) {
	t.Helper()
	s = newStage(t, twin.Options{}, func(c *Config) {
		c.Mode = ModeStream
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

func TestStreamCommand(t *testing.T) {
	s, _ := listening(t, nil)
	connected(t, s)
	s.in.hold = make(chan struct{})
	answer, err := s.twin.SayStream(t.Context(), twin.Said{Text: "\u3000/hot ebpf", Staff: "0147", Nick: "小钉", Group: "cid1==", MsgID: "m1"})
	if err != nil || answer.Code != 200 || answer.Data != `{"response":null}` {
		t.Fatalf("acknowledged with %+v, %v before the command is done", answer, err)
	}
	close(s.in.hold)
	eventually(t, "answer", func() bool { return len(s.twin.Posts()) == 1 })
	if p := s.twin.Posts()[0]; p.Channel != "group:cid1==" || p.Kind != "markdown" || !strings.Contains(p.Text, "3 条结果") {
		t.Errorf("post %+v", p)
	}
	if got := s.in.commands()[0]; got.ID != "m1" || got.Text != "/hot ebpf" || got.Channel.Address != "group:cid1==" || got.Channel.Workspace != "dingcorp" {
		t.Errorf("command %+v", got)
	}
}

func TestStreamFrames(t *testing.T) {
	s, _ := listening(t, nil)
	connected(t, s)
	if a, err := s.twin.Frame(t.Context(), "SYSTEM", map[string]string{"topic": "ping"}, map[string]string{"opaque": "x7"}); err != nil || a.Data != `{"opaque":"x7"}` {
		t.Errorf("ping: %+v, %v", a, err)
	}
	if a, err := s.twin.Frame(t.Context(), "CALLBACK", map[string]string{"topic": "/v1.0/card/instances/callback"}, nil); err != nil || a.Code != 404 {
		t.Errorf("a callback that nobody handles: %+v, %v", a, err)
	}
	for name, said := range map[string]twin.Said{
		"picture": {Text: "x", Staff: "1", Fields: map[string]any{"msgtype": "picture", "text": nil}},
		"quota":   {Text: "x", Staff: "1", Fields: map[string]any{"text": nil, "errorCode": 20001}},
		"no id":   {Text: "x", Staff: "1", Fields: map[string]any{"msgId": nil}},
	} {
		if a, err := s.twin.SayStream(t.Context(), said); err != nil || a.Code != 200 {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	a, err := s.twin.StreamEvent(t.Context(), "e1", "chat_disband", map[string]any{"openConversationId": "cid1=="})
	if err != nil || a.Data != `{"status":"SUCCESS","message":""}` {
		t.Errorf("event: %+v, %v", a, err)
	}
	want := []bot.Event{{ID: "e1", Kind: bot.EventChannelGone, Channel: bot.Channel{Adapter: "dingtalk", Kind: "app", Workspace: "dingcorp", Address: "group:cid1=="}}}
	s.in.mu.Lock()
	got := s.in.events
	s.in.err = errors.New("store is down")
	s.in.mu.Unlock()
	for k := range got {
		want[k].At = got[k].At
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if a, err := s.twin.StreamEvent(t.Context(), "e2", "chat_disband", map[string]any{"openConversationId": "c"}); err != nil || !strings.Contains(a.Data, "LATER") {
		t.Errorf("an event that could not be kept: %+v, %v", a, err)
	}
	if n := len(s.in.commands()); n != 0 {
		t.Errorf("%d commands, want none", n)
	}
}

func TestStreamHearsWhileConnectionsChange(t *testing.T) {
	heard := func(t *testing.T, s *stage) {
		t.Helper()
		for range 10 {
			if a, err := s.twin.SayStream(t.Context(), twin.Said{Text: "/hot", Staff: "1", Group: "c"}); err != nil || a.Code != 200 {
				t.Fatalf("%+v, %v", a, err)
			}
		}
	}
	t.Run("one is cut", func(t *testing.T) {
		t.Parallel()
		s, stop := listening(t, nil)
		connected(t, s)
		s.twin.CutStreams(1)
		eventually(t, "one connection", func() bool { return s.twin.Connections() == 1 })
		heard(t, s)
		connected(t, s) // the client has dialled again
		heard(t, s)
		stop()
		eventually(t, "end of the connections", func() bool { return s.twin.Connections() == 0 })
	})
	t.Run("all are cut", func(t *testing.T) {
		t.Parallel()
		s, _ := listening(t, nil)
		connected(t, s)
		s.twin.CutStreams(2)
		eventually(t, "no connection", func() bool { return s.twin.Connections() == 0 })
		connected(t, s)
		heard(t, s)
	})
	t.Run("all are moved", func(t *testing.T) {
		t.Parallel()
		s, stop := listening(t, nil)
		connected(t, s)
		s.twin.MoveStreams(1)
		heard(t, s) // by the other one, or by the successor
		eventually(t, "successor", func() bool { return strings.Count(s.log.String(), "stream connected") == 3 })
		s.twin.MoveStreams(2)
		eventually(t, "successors", func() bool { return strings.Count(s.log.String(), "stream connected") == 5 })
		connected(t, s) // the moved ones are closed
		heard(t, s)
		stop()
		eventually(t, "end of the connections", func() bool { return s.twin.Connections() == 0 })
	})
}

func TestStreamRefusedSaysWhatToDo(t *testing.T) {
	s, stop := listening(t, func(c *Config) { c.ClientSecret = "wrong-secret-value" })
	eventually(t, "log line", func() bool { return strings.Contains(s.log.String(), "authFailed") })
	stop()
	if log := s.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "client_secret") || strings.Contains(log, "wrong-secret-value") {
		t.Errorf("log:\n%s", log)
	}
}

func TestStreamIsTriedAgainFromTheStart(t *testing.T) {
	tw := twin.New(twin.Options{ClientID: "dingclient", ClientSecret: testAppSecret, RobotCode: "dingrobot"})
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= 3 {
			http.Error(w, "<html>busy</html>", http.StatusServiceUnavailable)
			return
		}
		tw.ServeHTTP(w, r)
	}))
	defer server.Close()
	cfg := testConfig(server.URL)
	cfg.Mode = ModeStream
	a, err := New(cfg, Deps{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Listen(ctx, &inbox{}) }()
	eventually(t, "two connections", func() bool { return tw.Connections() == 2 })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Listen = %v", err)
	}
}

func TestStreamThatCannotComeBackIsSeen(t *testing.T) {
	s, stop := listening(t, nil)
	connected(t, s)
	_ = s.api.Listener.Close()
	s.twin.CutStreams(2)
	eventually(t, "log line", func() bool { return strings.Contains(s.log.String(), "reconnect error") })
	stop()
	if log := s.log.String(); strings.Contains(log, testAppSecret) || strings.Contains(log, "sessionId") {
		t.Errorf("log:\n%s", log)
	}
}

func TestStreamFinishesWhatItHasBegun(t *testing.T) {
	s, stop := listening(t, nil)
	connected(t, s)
	s.in.hold = make(chan struct{})
	const n = 50
	var all sync.WaitGroup
	for k := range n {
		all.Go(func() {
			if _, err := s.twin.SayStream(t.Context(), twin.Said{Text: "/hot", Staff: fmt.Sprint(k)}); err != nil {
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

// What is typed on the stand-in's page reaches the bot, and its answer the page.
func TestPageTalksToTheBot(t *testing.T) {
	for name, mode := range map[string]string{"stream": ModeStream, "http": ModeHTTP} {
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
			if mode == ModeStream {
				connected(t, s)
			}
			for chat, address := range map[string]string{"group:cidTwin==": "group:cidTwin==", "user:0147": "user:0147"} {
				resp, err := http.PostForm(s.api.URL+"/say", url.Values{"chat": {chat}, "text": {"/hot ebpf"}})
				if err != nil {
					t.Fatal(err)
				}
				page, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK || !strings.Contains(string(page), "/hot ebpf") || !strings.Contains(string(page), "3 条结果") {
					t.Errorf("%s: %s without question and answer:\n%s", chat, resp.Status, page)
				}
				if got := in.commands(); got[len(got)-1].Channel.Address != address || got[len(got)-1].Text != "/hot ebpf" || !got[len(got)-1].Member.Admin {
					t.Errorf("%s: command %+v", chat, got[len(got)-1])
				}
			}
			for name, form := range map[string]url.Values{"robot": {"chat": {"robot:x"}, "text": {"x"}}, "nothing": {"chat": {"user:0147"}}} {
				if resp, err := http.PostForm(s.api.URL+"/say", form); err != nil || resp.StatusCode != http.StatusBadRequest {
					t.Errorf("%s: %v, %v", name, resp, err)
				}
			}
			req, _ := http.NewRequest(http.MethodPost, s.api.URL+"/say", nil)
			req.Header.Set("Sec-Fetch-Site", "cross-site")
			if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != http.StatusForbidden {
				t.Errorf("from another site: %v, %v", resp, err)
			}
		})
	}
}
