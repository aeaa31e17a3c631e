package adaptertest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weeklybot/bot"
)

// faults is point 3, first half: each answer in the table becomes exactly the wanted fault.
func (s *suite) faults(t *testing.T) {
	for _, c := range s.Faults {
		kinds := s.Kinds
		if c.Kind != "" {
			kinds = []bot.Kind{c.Kind}
		}
		t.Run(c.Name, func(t *testing.T) {
			s.eachKind(t, kinds, func(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind) {
				f.answers(c.Answer, c.Every)
				_, got := s.send(t, t.Context(), a, s.Channel(kind, f.URL), post(small()))
				if got == nil {
					t.Fatalf("Send took this answer for success, want %s (%s)", c.Want.Fault, c.Want.Code)
				}
				if diff := cmp.Diff(telling(&c.Want), telling(got)); diff != "" {
					t.Errorf("(-want +got):\n%s\nerror: %v", diff, got)
				}
			})
		})
	}
}

// telling is what a table of faults says about an error.
func telling(e *bot.SendError) any {
	return struct {
		Fault      bot.Fault
		Scope      bot.Scope
		Code       string
		RetryAfter time.Duration
		MaybeSent  bool
	}{e.Fault, e.Scope, e.Code, e.RetryAfter, e.MaybeSent}
}

const hugeBody = 10 << 20

// garbage is point 3, second half: what no platform should answer is still a SendError.
func (s *suite) garbage(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		status int
	}{
		{"empty_body", text(200, "application/json", ""), 200},
		{"html", text(200, "text/html", "<!doctype html><title>Sign in</title><p>Hotel network"), 200},
		{"truncated_json", text(200, "application/json", `{"ok":true,"errcode":0,"result":{"ts":"1`), 200},
		{"wrong_json", text(200, "application/json", `[null,{"a":[[]]}]`), 200},
		{"huge", text(200, "application/json", `{"a":"`+strings.Repeat("a", hugeBody)), 200},
		{"html_502", text(502, "text/html", "<h1>Bad gateway</h1>"), 502},
		{"empty_500", text(500, "", ""), 500},
		{"huge_500", text(500, "text/plain", strings.Repeat("a", hugeBody)), 500},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, 302},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.eachKind(t, s.Kinds, func(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind) {
				image := a.Split(kind, withImage()) // its last part may be a post of another kind
				for k, msg := range []bot.Message{small(), small(), image[len(image)-1], image[len(image)-1]} {
					every := k%2 == 1
					f.answers(c.answer, every)
					f.take()
					_, fault := s.send(t, t.Context(), a, s.Channel(kind, f.URL), post(msg))
					ignored := c.status/100 == 2 && slices.Contains(s.StatusOnly, kind)
					if posts, _ := f.take(); fault == nil && !ignored && len(posts) > 0 {
						t.Errorf("Send took %s with status %d for success (every call: %v)", c.name, c.status, every)
					}
					if fault != nil && c.status/100 == 5 && fault.Fault == bot.Permanent {
						t.Errorf("status %d became %v, want a fault that is retried", c.status, fault)
					}
				}
			})
		})
	}
}

// context is point 4.
func (s *suite) context(t *testing.T) {
	s.eachKind(t, s.Kinds, func(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind) {
		t.Run("already_over", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, fault := s.send(t, ctx, a, s.Channel(kind, f.URL), post(small()))
			if posts, _ := f.take(); len(posts) > 0 {
				t.Error("the context was over before Send, and yet something was posted")
			}
			ended(t, fault, context.Canceled, false)
		})
		t.Run("ends_while_posting", func(t *testing.T) { s.endsWhile(t, kind, true) })
		t.Run("ends_while_fetching_a_token", func(t *testing.T) { s.endsWhile(t, kind, false) })
	})
}

// endsWhile lets the platform hang in the posting call, or in the call for a token, and ends the context then.
func (s *suite) endsWhile(t *testing.T, kind bot.Kind, posting bool) {
	fault, called := s.hangUntil(t, kind, posting, context.WithCancel)
	if !called && fault == nil && !posting {
		return // this kind fetches no token
	}
	if !called {
		t.Fatalf("Send returned %v before the platform was called", fault)
	}
	ended(t, fault, context.Canceled, posting)

	for _, life := range []time.Duration{100 * time.Millisecond, time.Second, patience} { // a busy machine may need longer to call
		fault, called := s.hangUntil(t, kind, posting, func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithTimeout(ctx, life)
			t.Cleanup(cancel)
			return ctx, func() {}
		})
		if called {
			ended(t, fault, context.DeadlineExceeded, posting)
			return
		}
	}
	t.Error("Send never called the platform")
}

// hangUntil sends to a platform that never answers, ends the context once it was called, and returns what Send says.
func (s *suite) hangUntil(t *testing.T, kind bot.Kind, posting bool, over func(context.Context) (context.Context, context.CancelFunc)) (fault *bot.SendError, called bool) {
	f := s.fake(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	t.Cleanup(func() { close(release) }) // runs before the server is closed
	once := sync.OnceFunc(func() { close(arrived) })
	hang := func(http.ResponseWriter, *http.Request) { once(); <-release }
	if f.onPost = hang; !posting {
		f.onPost, f.onCall = nil, hang
	}
	ctx, end := over(t.Context())
	defer end()
	result := make(chan *bot.SendError, 1)
	a := s.New(t, f.URL)
	go func() {
		_, fault := s.send(t, ctx, a, s.Channel(kind, f.URL), post(small()))
		result <- fault
	}()
	select {
	case <-arrived:
		end()
	case fault := <-result:
		select {
		case <-arrived:
			return fault, true
		default:
			return fault, false
		}
	case <-time.After(2 * patience):
		t.Fatal("Send called nobody")
	}
	select {
	case fault := <-result:
		return fault, true
	case <-time.After(2 * patience):
		t.Fatalf("Send is still waiting %v after its context ended: give every request the context", 2*patience)
		return nil, true
	}
}

func ended(t *testing.T, fault *bot.SendError, cause error, maybeSent bool) {
	t.Helper()
	if fault == nil {
		t.Fatal("Send succeeded though its context was over")
	}
	if !errors.Is(fault, cause) {
		t.Errorf("%v is not in the chain of %v: the caller cannot tell its own cancel from a failure", cause, fault)
	}
	if fault.MaybeSent != maybeSent {
		t.Errorf("MaybeSent = %v, want %v: it says whether the posting call may have reached the platform (calls for tokens do not count)", fault.MaybeSent, maybeSent)
	}
	if fault.Fault != bot.Retryable {
		t.Errorf("Fault = %s, want retryable", fault.Fault)
	}
}

// secrets is point 5: connections that fail, and a platform that repeats what it was sent.
func (s *suite) secrets(t *testing.T) {
	for _, c := range []struct {
		name  string
		base  func(t *testing.T) string
		maybe bool
	}{
		{"hung_up", hangUp, true},
		{"refused", closedPort, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, kind := range s.Kinds {
				base := c.base(t)
				_, fault := s.send(t, t.Context(), s.New(t, base), s.Channel(kind, base), post(small()))
				if fault == nil {
					t.Fatalf("kind %s: Send succeeded without a platform", kind)
				}
				if fault.Fault != bot.Retryable {
					t.Errorf("kind %s: Fault = %s, want retryable", kind, fault.Fault)
				}
				if !c.maybe && fault.MaybeSent {
					t.Errorf("kind %s: MaybeSent though no connection stood: %v", kind, fault)
				}
			}
		})
	}
	t.Run("hung_up_while_posting", func(t *testing.T) {
		s.eachKind(t, s.Kinds, func(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind) {
			f.answers(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false)
			_, fault := s.send(t, t.Context(), a, s.Channel(kind, f.URL), post(small()))
			if fault == nil || !fault.MaybeSent || fault.Fault != bot.Retryable {
				t.Errorf("the platform read the post and hung up: Send = %+v, want retryable with MaybeSent", fault)
			}
		})
	})
	t.Run("repeated_by_the_platform", func(t *testing.T) {
		s.eachKind(t, s.Kinds, func(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind) {
			for _, status := range []int{200, 400, 403, 500} {
				for _, every := range []bool{false, true} {
					f.answers(s.repeat(status), every)
					s.send(t, t.Context(), a, s.Channel(kind, f.URL), post(small()))
				}
			}
		})
	})
}

// repeat answers with every secret in the places where platforms put the words of an error.
func (s *suite) repeat(status int) http.HandlerFunc {
	words := strings.Join(s.Secrets, " ") + " " + url.QueryEscape(strings.Join(s.Secrets, " "))
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(words)
	return text(status, "application/json", `{"ok":false,"error":"`+quoted+`","errcode":40014,"errmsg":"`+quoted+`","code":"`+quoted+`","message":"`+quoted+`","msg":"`+quoted+`"}`)
}

// hangUp is the base URL of a platform that reads what it gets and closes.
func hangUp(t *testing.T) string {
	l := listen(t)
	var conns sync.WaitGroup
	t.Cleanup(func() { l.Close(); conns.Wait() })
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			over := context.AfterFunc(t.Context(), func() { conn.Close() }) // a spare connection, on which nothing is asked
			conns.Go(func() {
				io.ReadAtLeast(conn, make([]byte, 4096), 1)
				over()
				conn.Close()
			})
		}
	})
	return "http://" + l.Addr().String()
}

// closedPort is the base URL of nobody.
func closedPort(t *testing.T) string {
	l := listen(t)
	defer l.Close()
	return "http://" + l.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const senders = 32

// tokens is point 6: many Sends at once fetch a token once, and once again when it has expired.
func (s *suite) tokens(t *testing.T) {
	s.eachKind(t, s.Kinds, func(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind) {
		f.onCall = func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(20 * time.Millisecond) // long enough for all senders to want a token, were they not held back
			s.Accept(w, r)
		}
		for _, fault := range s.sendMany(t, f, a, kind) {
			if fault != nil {
				t.Fatalf("Send failed though the platform accepted: %v", fault)
			}
		}
		onceEach(t, f, "by 32 Sends at once")
		if s.Expired == nil {
			return
		}
		f.onPost = s.Expired
		_, fault := s.send(t, t.Context(), a, s.Channel(kind, f.URL), post(small()))
		if fault == nil {
			return // this kind uses no token
		}
		if fault.Fault != bot.Retryable || fault.MaybeSent {
			t.Errorf("an expired token became %v, MaybeSent %v: want retryable, not sent", fault, fault.MaybeSent)
		}
		f.onPost = nil
		f.take()
		for _, fault := range s.sendMany(t, f, a, kind) {
			if fault != nil {
				t.Fatalf("Send failed after a token had expired: %v", fault)
			}
		}
		if _, others := f.take(); len(others) == 0 {
			t.Error("no new token was fetched after the platform had called the old one expired")
		} else if len(others) > 1 && others[0].Path == others[1].Path {
			t.Errorf("%d calls for a token after it had expired, want 1", len(others))
		}
	})
}

func (s *suite) sendMany(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind) []*bot.SendError {
	faults := make([]*bot.SendError, senders)
	var all sync.WaitGroup
	start := make(chan struct{})
	for k := range faults {
		all.Go(func() {
			<-start
			_, faults[k] = s.send(t, t.Context(), a, s.Channel(kind, f.URL), post(small()))
		})
	}
	close(start)
	all.Wait()
	return faults
}

// onceEach checks that all Sends posted, and that no address was asked for a token twice.
func onceEach(t *testing.T, f *fake, when string) {
	t.Helper()
	posts, others := f.take()
	if len(posts) != senders {
		t.Errorf("%d posts %s, want %d", len(posts), when, senders)
	}
	asked := map[string]int{}
	for _, c := range others {
		if asked[c.Path]++; asked[c.Path] == 2 {
			t.Errorf("%s was asked for a token more than once %s: refresh under one lock", c.Path, when)
		}
	}
}
