// Package adaptertest is the contract that every adapter passes: the shared sample messages, and Run, which posts them and much
// worse to a fake platform and checks what arrives and what Send says. A rule newly found in one adapter becomes a case here, so
// that every adapter learns it.
//
// It knows no platform: the adapter's own test brings a Harness with the platform's answers and a way to read its payloads. Only
// tests import it. Run is not for parallel tests: while it runs, slog.Default records.
package adaptertest

import (
	"bytes"
	"context"
	"flag"
	"log"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"weeklybot/bot"
)

// Update is the flag -update: write the golden files instead of comparing with them.
var Update = flag.Bool("update", false, "rewrite golden files")

// patience is how long the suite waits for something that should happen at once: a deadline for hangs, not a measurement.
var patience = 20 * time.Second

// Harness is what an adapter brings to be tested.
type Harness struct {
	// New builds the adapter, aimed at a fake platform at baseURL (http://127.0.0.1:port). Each call gives a fresh one, without
	// cached tokens. Leave its logger nil or give it slog.Default(): the suite searches the log for secrets.
	New func(t *testing.T, baseURL string) bot.Adapter
	// Channel is a destination of that kind on the fake at baseURL.
	Channel func(kind bot.Kind, baseURL string) bot.Channel
	// Kinds are the kinds that post by HTTP; nil = all of the adapter's.
	Kinds []bot.Kind
	// Sockets are kinds that do not post by HTTP: of them the suite checks samples, limits and injection on what Preview shows.
	Sockets []bot.Kind
	// Accept is the platform's "accepted" answer, also to calls for tokens.
	Accept http.HandlerFunc
	// IsPost tells the posting call from calls for tokens; nil = every call posts.
	IsPost func(r *http.Request) bool
	// Faults are the platform's answers to a posting call that mean failure.
	Faults []Fault
	// Expired is the answer to a posting call whose token has expired; nil = there are no tokens.
	Expired http.HandlerFunc
	// StatusOnly are kinds whose platform says everything in the HTTP status: any body with 2xx is success.
	StatusOnly []bot.Kind
	// Secrets must be in no error and no log line.
	Secrets []string
	// Inspect reads the body of a posting call the way the platform does.
	Inspect func(t *testing.T, kind bot.Kind, body []byte) Seen
	// Golden is the folder of golden files, "testdata".
	Golden string
	// Scrub takes out of a body, before it is compared with its golden, what differs between runs; nil = nothing does.
	Scrub func(kind bot.Kind, body []byte) []byte
	// Hook holds requests as the platform makes them; nil = the adapter hears none.
	Hook *Hook
	// Listener builds what dials out, aimed at baseURL; nil = the adapter itself, if it is a bot.Listener.
	Listener func(t *testing.T, baseURL string) bot.Listener
	// Dial starts a fake for Listener to connect to and returns its base URL; nil = the suite's fake, which answers with Accept.
	Dial func(t *testing.T) string
}

// Fault is one answer of the platform and what Send must make of it.
type Fault struct {
	Name   string
	Kind   bot.Kind // "" = every kind that posts by HTTP
	Answer http.HandlerFunc
	Every  bool          // Answer is given to calls for tokens too
	Want   bot.SendError // Fault, Scope, Code, RetryAfter and MaybeSent count
}

// Seen is what a payload shows to a reader, and its size in the platform's own units.
type Seen struct {
	Text     string   // everything a reader can read, in order, markup taken away and escapes decoded
	Links    []string // every place that a click can lead to, decoded
	Mentions []string // everything the platform would notify somebody for: "@all", "<!channel>", "<@U1>"
	// Shape is the layout with all words taken out ("h1 bold link text"); "" = not looked at. Foreign text must not change it.
	Shape string
	// Image says that the payload shows the message's image. One that shows nothing else has no sizes to measure.
	Image bool

	Bytes      int // compared with Capabilities.MaxBytes
	Runes      int // longest text element, compared with MaxRunes
	TotalRunes int // compared with MaxTotalRunes
	Blocks     int // compared with MaxBlocks
}

// Hook holds ready-made inbound requests. Their URL's path is below /<name>/ as the adapter's handler expects it.
type Hook struct {
	// Handler is the adapter's handler; nil = the adapter's own Hook method.
	Handler func(t *testing.T, a bot.Adapter, in bot.Inbox) http.Handler
	// Command makes a genuine request for one and the same command: each call gives the same event, as when delivered again.
	Command func(t *testing.T) *http.Request
	// Text is what the Inbox must get as Command.Text.
	Text string
	// Bad are requests that must never reach the Inbox: forged, stale, malformed.
	Bad []BadRequest
}

// BadRequest is one request to refuse.
type BadRequest struct {
	Name    string
	Request func(t *testing.T) *http.Request
	Status  int // 0 = any but 2xx
}

// Run checks an adapter against the whole contract. Each point is a sub-test.
func Run(t *testing.T, h Harness) {
	s := &suite{Harness: h, log: recordLog(t)}
	s.check(t)
	for _, point := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"samples", s.samples},
		{"limits", s.limits},
		{"faults", s.faults},
		{"garbage", s.garbage},
		{"context", s.context},
		{"secrets", s.secrets},
		{"tokens", s.tokens},
		{"hook", s.hook},
		{"unknown_block", s.unknownBlock},
		{"injection", s.injection},
		{"listen", s.listen},
	} {
		t.Run(point.name, func(t *testing.T) {
			point.run(t)
			s.searchLog(t)
		})
	}
}

// suite is one run.
type suite struct {
	Harness
	log *recorder
}

// check finds what is missing in the harness, so that no point passes because it looked at nothing.
func (s *suite) check(t *testing.T) {
	t.Helper()
	if s.New == nil || s.Inspect == nil || s.Golden == "" {
		t.Fatal("Harness needs New, Inspect and Golden")
	}
	if s.IsPost == nil {
		s.IsPost = func(*http.Request) bool { return true }
	}
	if s.Scrub == nil {
		s.Scrub = func(_ bot.Kind, body []byte) []byte { return body }
	}
	a := s.New(t, "http://127.0.0.1:1")
	all := a.Kinds()
	if s.Kinds == nil {
		s.Kinds = slices.DeleteFunc(slices.Clone(all), func(k bot.Kind) bool { return slices.Contains(s.Sockets, k) })
	}
	if len(s.Kinds) > 0 && (s.Channel == nil || s.Accept == nil || len(s.Secrets) == 0 || len(s.Faults) == 0) {
		t.Fatal("for kinds that post by HTTP, Harness needs Channel, Accept, Secrets (tokens, keys, the secret part of URLs) and Faults")
	}
	for _, kind := range all {
		if !slices.Contains(s.Kinds, kind) && !slices.Contains(s.Sockets, kind) {
			t.Errorf("kind %q is neither in Harness.Kinds nor in Harness.Sockets: nothing would check it", kind)
		}
		if first, again := a.Capabilities(kind), a.Capabilities(kind); first != again {
			t.Errorf("Capabilities(%q) changes: %+v, then %+v", kind, first, again)
		}
	}
	if a.Name() == "" || len(all) == 0 {
		t.Fatalf("adapter %q has kinds %v: want a name and at least one kind", a.Name(), all)
	}
	if _, hears := a.(bot.Hook); hears && s.Hook == nil {
		t.Error("the adapter is a bot.Hook, but Harness.Hook is nil")
	}
}

// recorder is a slog.Handler that keeps all it gets as text.
type recorder struct {
	slog.Handler
	mu  *sync.Mutex
	buf *bytes.Buffer
}

// recordLog makes slog.Default, and package log with it, write to the recorder until t ends.
func recordLog(t *testing.T) *recorder {
	oldLogger, oldWriter, oldFlags := slog.Default(), log.Writer(), log.Flags()
	rec := &recorder{mu: new(sync.Mutex), buf: new(bytes.Buffer)}
	rec.Handler = slog.NewTextHandler(rec, &slog.HandlerOptions{Level: slog.LevelDebug})
	slog.SetDefault(slog.New(rec.Handler))
	t.Cleanup(func() {
		slog.SetDefault(oldLogger)
		log.SetOutput(oldWriter)
		log.SetFlags(oldFlags)
	})
	return rec
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

// take returns what was logged since the last call.
func (r *recorder) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.buf.Reset()
	return r.buf.String()
}

func (s *suite) searchLog(t *testing.T) {
	t.Helper()
	text := s.log.take()
	if secret := s.secretIn(text); secret != "" {
		t.Errorf("the log holds the secret %q:\n%s\nLog no URL of a webhook, and errors only as apihttp.Redact leaves them.", secret, around(text, secret))
	}
}

// inbox records what an adapter lets through.
type inbox struct {
	mu       sync.Mutex
	commands []bot.Command
	events   []bot.Event
}

func (in *inbox) Command(_ context.Context, cmd bot.Command) (bot.Message, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.commands = append(in.commands, cmd)
	return Samples()["one_item"], nil
}

func (in *inbox) Event(_ context.Context, ev bot.Event) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.events = append(in.events, ev)
	return nil
}

func (in *inbox) seen() ([]bot.Command, []bot.Event) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.commands), slices.Clone(in.events)
}
