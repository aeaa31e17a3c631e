package source

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// remote is a reader of what is kept elsewhere: load reads what the last fetch brought.
type remote interface {
	reader
	// fetch brings what is new. It may run while load does, and is called from one goroutine at a time. What it brings is there wholly or
	// not at all.
	fetch(ctx context.Context) error
	// fetched is when the last good fetch was, by this process or one before; zero when load has nothing to read.
	fetched() time.Time
	// every is the time between two fetches.
	every() time.Duration
}

// retryAfter is an error whose sender said when to come again.
type retryAfter struct {
	error
	wait time.Duration
}

func (e *retryAfter) Unwrap() error { return e.error }

// pace is how remotes are fetched.
type pace struct {
	first    time.Duration // how long Open waits for remotes that have nothing yet
	debounce time.Duration // from being asked to the fetch
	gap      time.Duration // between two fetches of one source, however often it is asked
	retry    time.Duration // after the first failure; doubled by each further one
	maxRetry time.Duration // unless the source's own interval is longer
	maxAfter time.Duration // the most that a host may ask us to wait
}

var defaultPace = pace{
	first: 30 * time.Second, debounce: 2 * time.Second, gap: 10 * time.Second, retry: time.Minute, maxRetry: time.Hour, maxAfter: 24 * time.Hour,
}

// ask asks for a fetch soon. It never blocks, and means nothing to a source that is not fetched.
func (st *state) ask() {
	select {
	case st.soon <- struct{}{}:
	default:
	}
}

// firstFetch fetches what has never been fetched.
func (s *Set) firstFetch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.pace.first)
	defer cancel()
	var all sync.WaitGroup
	for _, st := range s.states {
		if r, ok := st.reader.(remote); ok && r.fetched().IsZero() {
			all.Go(func() { _ = s.fetch(ctx, st, r) }) // Status tells of it
		}
	}
	all.Wait()
}

func (s *Set) fetch(ctx context.Context, st *state, r remote) error {
	err := r.fetch(ctx)
	s.mu.Lock()
	st.fetched = err
	s.mu.Unlock()
	return err
}

// follow fetches one remote, now (unless Open just did), then and again, until ctx ends.
func (s *Set) follow(ctx context.Context, st *state, r remote) {
	var p plan
	if st.tried {
		p.tried(s.pace, st.fetched, r.every())
	}
	timer := time.NewTimer(time.Until(p.next))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-st.soon:
			p.asked(s.pace)
		case <-timer.C:
			err := s.fetch(ctx, st, r)
			if ctx.Err() != nil {
				return
			}
			s.reload(ctx)
			p.tried(s.pace, err, r.every())
		}
		timer.Reset(time.Until(p.next))
	}
}

// plan is when a remote is fetched next.
type plan struct {
	next     time.Time
	earliest time.Time // before it there is no fetch, whoever asks
	fails    int       // since the last good one
}

// tried plans what follows a fetch.
func (p *plan) tried(pace pace, err error, every time.Duration) {
	wait := every
	if err == nil {
		p.fails = 0
	} else {
		wait = pace.backOff(p.fails, every)
		p.fails++
	}
	gap := pace.gap
	if after, ok := errors.AsType[*retryAfter](err); ok {
		gap = max(gap, min(after.wait, pace.maxAfter))
	}
	now := time.Now()
	p.earliest = now.Add(gap)
	p.next = later(now.Add(jitter(wait)), p.earliest)
}

// asked brings the next fetch forward. Asking again does not put it off.
func (p *plan) asked(pace pace) {
	if due := later(time.Now().Add(pace.debounce), p.earliest); due.Before(p.next) {
		p.next = due
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// backOff is the wait after one more failure: a short one at first, since most failures are, never longer than both maxRetry and the
// source's own interval.
func (p pace) backOff(fails int, every time.Duration) time.Duration {
	return min(p.retry<<min(fails, 10), max(every, p.maxRetry))
}

// jitter is d, up to a tenth longer, so that replicas do not come together.
func jitter(d time.Duration) time.Duration { return d + rand.N(d/10+1) }
