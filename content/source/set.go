package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weeklybot/content"
)

// Config is one source.
type Config struct {
	Name    string   `yaml:"name"`
	Kind    string   `yaml:"kind"` // "folder"
	Path    string   `yaml:"path"` // a folder, or one file
	Series  string   `yaml:"series"`
	Include []string `yaml:"include"` // globs, see glob; none = all
	Exclude []string `yaml:"exclude"`
}

// KindFolder is the kind of a folder of files on this machine.
const KindFolder = "folder"

// reader is one kind of source. A Set calls it from one goroutine at a time.
type reader interface {
	// load reads the source. Issues that did not change keep their pointers. Faults cost a file each, an error everything.
	load(ctx context.Context) (issues []*content.Issue, faults []error, err error)
	// watched are folders whose changes mean that load has something to do; none if only time tells.
	watched() []string
}

// SourceStatus is how one source is doing.
type SourceStatus struct {
	Name     string
	Issues   int
	Items    int
	LoadedAt time.Time // of what is shown now
	Err      error     // why the last load failed or was not whole; nil when all is well
}

// Set is several sources read into one Library.
type Set struct {
	topics   *content.Topics
	log      *slog.Logger
	onChange func(*content.Library)
	poll     time.Duration
	debounce time.Duration

	lib atomic.Pointer[content.Library]

	loading sync.Mutex // one load at a time
	mu      sync.Mutex // guards states
	states  []*state
}

// state is one source of a Set.
type state struct {
	cfg    Config
	reader reader
	issues []*content.Issue // of the last good load
	status SourceStatus
}

// How soon changes are seen: at once where the system tells of them, after pollEvery where it does not (network folders).
// debounceFor waits until a writer is done.
const (
	pollEvery   = time.Minute
	debounceFor = 200 * time.Millisecond
)

// Open checks every source and reads it once. An error says what is wrong with the configuration, all of it, or that a source
// could not be read at all; files that cannot be read are logged and show in Status. onChange, which may be nil, is called after
// each later change, never twice at a time, and not for this first load.
func Open(ctx context.Context, cfgs []Config, topics *content.Topics, log *slog.Logger, onChange func(*content.Library)) (*Set, error) {
	s := &Set{topics: topics, log: log, onChange: onChange, poll: pollEvery, debounce: debounceFor}
	var faults []error
	for n, cfg := range cfgs {
		r, err := open(cfg)
		if err == nil && slices.ContainsFunc(cfgs[:n], func(o Config) bool { return o.Name == cfg.Name }) {
			err = errors.New("another source has the same name")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("source %q: %w", cfg.Name, err))
			continue
		}
		s.states = append(s.states, &state{cfg: cfg, reader: r, status: SourceStatus{Name: cfg.Name}})
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	s.lib.Store(content.NewLibrary(nil, topics))
	s.load(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, st := range s.states {
		if st.status.LoadedAt.IsZero() {
			faults = append(faults, fmt.Errorf("source %q: %w", st.cfg.Name, st.status.Err))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return s, nil
}

// Check says what is wrong with the configuration of one source, without reading it.
func Check(cfg Config) error {
	_, err := open(cfg)
	return err
}

func open(cfg Config) (reader, error) {
	for _, pattern := range slices.Concat(cfg.Include, cfg.Exclude) {
		if err := checkGlob(pattern); err != nil {
			return nil, err
		}
	}
	switch {
	case cfg.Path == "":
		return nil, errors.New("path is missing")
	case cfg.Kind != KindFolder && cfg.Kind != "":
		return nil, fmt.Errorf("kind %q is not known; this version reads: folder", cfg.Kind)
	}
	return newFolder(cfg)
}

// Library is what is known now. It never changes; a later call may give a newer one.
func (s *Set) Library() *content.Library { return s.lib.Load() }

// Issues are the issues of one source's last good load; nil when there is no source of that name. The slice is shared: do not change it.
func (s *Set) Issues(source string) []*content.Issue {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.states {
		if st.cfg.Name == source {
			return st.issues
		}
	}
	return nil
}

// Status is how each source is doing, in the order of the configuration.
func (s *Set) Status() []SourceStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]SourceStatus, 0, len(s.states))
	for _, st := range s.states {
		out = append(out, st.status)
	}
	return out
}

// Reload reads what changed, at once; it is what a push hook calls. It returns when the new Library is in place and onChange has
// been called.
func (s *Set) Reload(ctx context.Context) {
	s.loading.Lock()
	defer s.loading.Unlock()
	if s.load(ctx) && s.onChange != nil {
		s.onChange(s.Library())
	}
}

// load reads every source and, if anything changed, puts a new Library in place.
func (s *Set) load(ctx context.Context) (changed bool) {
	var all []*content.Issue
	for _, st := range s.states {
		changed = s.loadOne(ctx, st) || changed
		all = append(all, st.issues...)
	}
	if changed {
		s.lib.Store(content.NewLibrary(all, s.topics))
	}
	return changed
}

func (s *Set) loadOne(ctx context.Context, st *state) (changed bool) {
	issues, faults, err := st.reader.load(ctx)
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		faults = []error{err}
	} else if changed = !slices.Equal(issues, st.issues); changed {
		st.issues = issues
	}
	s.note(st, faults, err == nil)
	return changed
}

// note keeps the status, and logs a fault when it is new.
func (s *Set) note(st *state, faults []error, loaded bool) {
	s.mu.Lock()
	before := st.status.Err
	st.status.Err = errors.Join(faults...)
	if loaded {
		st.status.LoadedAt = time.Now()
		st.status.Issues, st.status.Items = len(st.issues), 0
		for _, i := range st.issues {
			st.status.Items += i.ItemCount()
		}
	}
	now := st.status.Err
	s.mu.Unlock()
	if now == nil || before != nil && before.Error() == now.Error() {
		return
	}
	for _, err := range faults {
		s.log.Warn("source not wholly read", "source", st.cfg.Name, "err", err)
	}
}
