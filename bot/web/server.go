// Package web serves what browsers and platforms ask for: the archive of issues with search, a feed, health, metrics, and below
// /<adapter>/ what each adapter hears. It refuses to change anything: pages only read.
//
// A Server is safe for concurrent use.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"weeklybot/content"
)

// Config is what a Server shows.
type Config struct {
	Library   func() *content.Library // the newest; called once a request
	Search    func(content.Query) content.Result
	Topics    *content.Topics
	Sources   func() []SourceStatus
	Ready     func(ctx context.Context) error // nil when the bot can do its work
	Hooks     map[string]http.Handler         // adapter name → everything below /<name>/
	Metrics   http.Handler
	Lang      string // of pages when the browser does not say: "zh" or "en"
	PublicURL string
	Log       *slog.Logger
}

// SourceStatus is how one source is doing.
type SourceStatus struct {
	Name     string
	Issues   int
	Items    int
	LoadedAt time.Time
	Err      error
}

// Server is the http.Handler of the bot.
type Server struct {
	cfg Config
	mux *http.ServeMux
}

// readyTime is how long /readyz waits for the store.
const readyTime = 2 * time.Second

// New builds the routes.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, mux: http.NewServeMux()}
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	s.mux.HandleFunc("GET /readyz", s.ready)
	s.mux.Handle("GET /metrics", cfg.Metrics)
	for name, hook := range cfg.Hooks {
		s.mux.Handle("/"+name+"/", hook)
	}
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	if err := s.cfg.Ready(ctx); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}
