package adaptertest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weeklybot/bot"
)

// tooBig is a body over the cap that the project sets for every hook (1 MiB), in bytes.
const tooBig = 1<<20 + 1

// hook is point 7: only what is genuine and fresh reaches the Inbox, and what is delivered twice can be told.
func (s *suite) hook(t *testing.T) {
	if s.Hook == nil {
		t.Skip("the adapter hears nothing over HTTP")
	}
	for _, bad := range append(s.Hook.Bad, s.oversized("too_big", tooBig), s.oversized("too_big_unannounced", -1)) {
		t.Run(bad.Name, func(t *testing.T) {
			in, handler := s.open(t)
			status := serve(t, handler, bad.Request(t))
			if bad.Status != 0 && status != bad.Status || status/100 == 2 {
				t.Errorf("status %d, want %d (0 = a refusal)", status, bad.Status)
			}
			serve(t, handler, s.Hook.Command(t)) // what was let through by mistake has arrived when this one has
			in.wait(t, 1)
			commands, events := in.seen()
			if len(commands) != 1 || len(events) != 0 {
				t.Errorf("the Inbox got %d commands and %d events: the bad request was let through", len(commands), len(events))
			}
		})
	}
	if len(s.Hook.Bad) < 2 {
		t.Error("Harness.Hook.Bad wants at least a forged and a stale request")
	}
	t.Run("delivered_twice", func(t *testing.T) {
		in, handler := s.open(t)
		for range 2 {
			if status := serve(t, handler, s.Hook.Command(t)); status != http.StatusOK {
				t.Fatalf("a genuine command was answered %d, want 200", status)
			}
		}
		in.wait(t, 1)
		commands, _ := in.seen()
		for _, cmd := range commands {
			if cmd.ID == "" || cmd.ID != commands[0].ID {
				t.Errorf("Command.ID = %q and %q, want the platform's own id, the same each time", commands[0].ID, cmd.ID)
			}
			if cmd.Text != s.Hook.Text {
				t.Errorf("Command.Text = %q, want %q", cmd.Text, s.Hook.Text)
			}
			if cmd.Member.ID == "" || cmd.Channel.Adapter == "" || cmd.Channel.Address == "" {
				t.Errorf("the command lacks its member or channel: %+v", cmd)
			}
		}
	})
}

// open gives an adapter's handler with a fresh Inbox, on a platform that accepts.
func (s *suite) open(t *testing.T) (*inbox, http.Handler) {
	t.Helper()
	in := &inbox{}
	a := s.New(t, s.fake(t).URL)
	if s.Hook.Handler != nil {
		return in, s.Hook.Handler(t, a, in)
	}
	hears, ok := a.(bot.Hook)
	if !ok {
		t.Fatal("the adapter is no bot.Hook: set Harness.Hook.Handler")
	}
	return in, hears.Hook(in)
}

func (s *suite) oversized(name string, length int64) BadRequest {
	return BadRequest{name, func(t *testing.T) *http.Request {
		r := s.Hook.Command(t)
		r.Body = io.NopCloser(strings.NewReader(strings.Repeat("a", tooBig)))
		r.ContentLength = length
		return r
	}, http.StatusRequestEntityTooLarge}
}

func serve(t *testing.T, handler http.Handler, r *http.Request) int {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code
}

// wait returns once n commands have arrived: an adapter may answer the platform first.
func (in *inbox) wait(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if commands, _ := in.seen(); len(commands) >= n {
			return
		}
	}
	t.Fatal("a genuine command never reached the Inbox")
}

// listen is point 9: Listen ends with its context, whatever it was doing, and leaves nothing behind.
func (s *suite) listen(t *testing.T) {
	build := s.Listener
	if build == nil {
		if _, ok := s.New(t, "http://127.0.0.1:1").(bot.Listener); !ok {
			t.Skip("the adapter does not dial out")
		}
		build = func(t *testing.T, baseURL string) bot.Listener { return s.New(t, baseURL).(bot.Listener) }
	}
	dial := s.Dial
	if dial == nil {
		dial = func(t *testing.T) string { return s.fake(t).URL }
	}
	for _, c := range []struct {
		name  string
		base  func(t *testing.T) string
		after time.Duration
	}{
		{"over_before", dial, 0},
		{"at_once", dial, time.Millisecond},
		{"connected", dial, 300 * time.Millisecond},
		{"nobody_there", closedPort, 300 * time.Millisecond},
		{"always_hung_up", hangUp, 300 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Run("run", func(t *testing.T) { cancelAfter(t, build(t, c.base(t)), c.after) }) // its servers are closed when it returns
			if err := goleak.Find(before); err != nil {
				t.Errorf("Listen returned and left goroutines behind: %v", err)
			}
		})
	}
}

func cancelAfter(t *testing.T, l bot.Listener, after time.Duration) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	if after == 0 {
		cancel()
	}
	go func() { done <- l.Listen(ctx, &inbox{}) }()
	select {
	case err := <-done:
		if ctx.Err() == nil {
			t.Errorf("Listen returned %v before its context ended: it must go on trying", err)
		} else if err != nil {
			t.Errorf("Listen = %v after cancel, want nil", err)
		}
		return
	case <-time.After(after):
		cancel()
	}
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Listen = %v after cancel, want nil", err)
		}
	case <-time.After(patience):
		t.Fatalf("Listen is still running %v after cancel", patience)
	}
}
