// Package web serves what browsers and platforms ask for: the archive of issues with search, a feed, health, metrics, and below
// /<adapter>/ what each adapter hears. Pages only read, and run no script: a policy forbids it. What changes something is the administrators'
// API, which needs a token.
//
// A Server is safe for concurrent use.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"weeklybot/content"
)

// Config is what a Server shows.
type Config struct {
	Library    func() *content.Library // the newest; called once a request
	Search     func(content.Query) content.Result
	Trend      func(topic string, weeks int) []int // items about a topic in each of the last weeks, the oldest first; nil = no charts
	Topics     *content.Topics
	Sources    func() []SourceStatus                           // may be nil
	Troubles   func(ctx context.Context, lang string) []string // sentences on what does not work, without names of workspaces or channels; may be nil
	Allowances func(ctx context.Context) []Allowance           // may be nil
	Ready      func(ctx context.Context) error                 // nil when the bot can do its work
	Hooks      map[string]http.Handler                         // adapter name → everything below /<name>/
	Metrics    http.Handler                                    // may be nil
	Lang       string                                          // of pages when the browser does not say: "zh" or "en"
	PublicURL  string                                          // where links of the feed lead; "" = where it was asked for
	Log        *slog.Logger
}

// SourceStatus is how one source is doing.
type SourceStatus struct {
	Name     string
	Issues   int
	Items    int
	LoadedAt time.Time
	Err      error
}

// Allowance is how many calls a platform allows this month, and how many were used.
type Allowance struct {
	Platform, Name string
	Used, Limit    int64
	Low            bool // it soon runs out
}

// Server is the http.Handler of the bot.
type Server struct {
	cfg Config
	mux *http.ServeMux
}

const (
	readyTime    = 2 * time.Second // how long /readyz waits for the store
	maxBodyBytes = 1 << 20         // of one request
)

// New builds the routes.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, mux: http.NewServeMux()}
	s.read("/healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	s.read("/readyz", s.ready)
	if cfg.Metrics != nil {
		s.read("/metrics", cfg.Metrics.ServeHTTP)
	}
	for name, hook := range cfg.Hooks {
		s.mux.Handle("/"+name+"/", hook)
	}
	s.read("/static/{file}", static)
	s.read("/feed.atom", s.feed)
	s.read("/trend/{file}", s.trend)
	s.read("/{$}", s.page(s.home))
	s.read("/issue/{key...}", s.page(s.issue))
	s.mux.HandleFunc("/", s.page(s.missing))
	return s
}

// read adds a route that answers GET and HEAD only.
func (s *Server) read(pattern string, h http.HandlerFunc) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			plain(w, http.StatusMethodNotAllowed, "this address can only be read")
			return
		}
		h(w, r)
	})
}

// policy lets a page load its own style sheet and icon, send its own search form, and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP bounds the request, sets the headers that every answer has, and outlives a handler that panics.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &answer{ResponseWriter: w}
	defer func() {
		if fault := recover(); fault != nil {
			s.panicked(out, r, fault)
		}
	}()
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
	s.mux.ServeHTTP(out, r)
}

// panicked answers 500, or cuts the connection when part of an answer is out.
func (s *Server) panicked(w *answer, r *http.Request, fault any) {
	if fault == http.ErrAbortHandler {
		panic(fault)
	}
	s.cfg.Log.Error("a page panicked: report it with this stack", "path", r.URL.Path, "panic", fault, "stack", string(debug.Stack()))
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	plain(w, http.StatusInternalServerError, "something went wrong here; the operator's log says what")
}

// answer remembers whether a part of the answer is out.
type answer struct {
	http.ResponseWriter
	begun bool
}

func (a *answer) WriteHeader(code int) {
	a.begun = true
	a.ResponseWriter.WriteHeader(code)
}

func (a *answer) Write(b []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// ready answers 200, or 503 with one sentence.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	if err := s.cfg.Ready(ctx); err != nil {
		plain(w, http.StatusServiceUnavailable, strings.Join(strings.Fields(err.Error()), " "))
		return
	}
	plain(w, http.StatusOK, "ready")
}

// plain answers one line of text, which no cache keeps.
func plain(w http.ResponseWriter, code int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(line + "\n"))
}
