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
	LoadedAt time.Time // of what is shown now; of a remote its last good fetch; zero when nothing was ever read
	Err      error     // why the last load or fetch failed or was not whole; nil when all is well
}

// Set is several sources read into one Library.
type Set struct {
	topics   *content.Topics
	log      *slog.Logger
	onChange func(*content.Library)
	poll     time.Duration
	debounce time.Duration
	pace     pace

	lib atomic.Pointer[content.Library]

	loading sync.Mutex // one load at a time
	mu      sync.Mutex // guards states
	states  []*state
}

// state is one source of a Set.
type state struct {
	cfg     Config
	reader  reader
	issues  []*content.Issue // of the last good load
	status  SourceStatus
	fetched error         // why the last fetch failed
	tried   bool          // Open tried to fetch it
	soon    chan struct{} // asks for a fetch
}

// How soon changes are seen: at once where the system tells of them, after pollEvery where it does not (network folders).
// debounceFor waits until a writer is done.
const (
	pollEvery   = time.Minute
	debounceFor = 200 * time.Millisecond
)

// Open checks every source and reads it once. An error says what is wrong with the configuration, all of it, or that a source
// could not be read at all; files that cannot be read are logged and show in Status. A remote gives what it fetched last, at once; one
// that never fetched anything is fetched now, and if that fails it stays empty and says why in Status. onChange, which may be nil, is
// called after each later change, never twice at a time, and not for this first load.
func Open(ctx context.Context, cfgs []Config, topics *content.Topics, log *slog.Logger, onChange func(*content.Library)) (*Set, error) {
	s := &Set{topics: topics, log: log, onChange: onChange, poll: pollEvery, debounce: debounceFor, pace: defaultPace}
	var faults []error
	for n, cfg := range cfgs {
		r, err := open(cfg)
		if err == nil {
			err = checkSet(cfgs, n)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("source %q: %w", cfg.Name, err))
			continue
		}
		s.states = append(s.states, &state{cfg: cfg, reader: r, status: SourceStatus{Name: cfg.Name}, soon: make(chan struct{}, 1)})
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	s.lib.Store(content.NewLibrary(nil, topics))
	s.firstFetch(ctx)
	s.load(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, st := range s.states {
		if st.status.LoadedAt.IsZero() && !st.cfg.Remote() {
			faults = append(faults, fmt.Errorf("source %q: %w", st.cfg.Name, st.status.Err))
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return s, nil
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

// Reload reads what changed, at once, and asks for a fetch of every remote soon. It returns when the new Library is in place and
// onChange has been called; it does not wait for the fetches.
func (s *Set) Reload(ctx context.Context) {
	for _, st := range s.states {
		st.ask()
	}
	s.reload(ctx)
}

func (s *Set) reload(ctx context.Context) {
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
	at := time.Now()
	if r, ok := st.reader.(remote); ok {
		if at = r.fetched(); at.IsZero() {
			s.note(st, nil, at)
			return false
		}
	}
	issues, faults, err := st.reader.load(ctx)
	if ctx.Err() != nil {
		return false
	}
	if err != nil {
		faults, at = []error{err}, time.Time{}
	} else if changed = !slices.Equal(issues, st.issues); changed {
		content.Prepare(issues, s.topics) // Issues shows them from now on
		s.mu.Lock()
		st.issues = issues
		s.mu.Unlock()
	}
	s.note(st, faults, at)
	return changed
}

// note keeps the status, and logs a fault when it is new. A zero time means that nothing was loaded.
func (s *Set) note(st *state, faults []error, at time.Time) {
	s.mu.Lock()
	before := st.status.Err
	if st.fetched != nil {
		faults = append(faults, st.fetched)
	}
	st.status.Err = errors.Join(faults...)
	if !at.IsZero() {
		st.status.LoadedAt = at
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
