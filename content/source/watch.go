package source

import (
	"context"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Run keeps the Library up to date until ctx ends, then returns nil.
func (s *Set) Run(ctx context.Context) error {
	var remotes sync.WaitGroup
	defer remotes.Wait()
	for _, st := range s.states {
		if r, ok := st.reader.(remote); ok {
			remotes.Go(func() { s.follow(ctx, st, r) })
		}
	}
	w, err := fsnotify.NewWatcher()
	if err != nil {
		s.log.Warn("changes of files are seen by polling only", "err", err)
		w = &fsnotify.Watcher{} // its channels are nil: they never deliver
	} else {
		defer w.Close()
		s.watch(w)
		s.reload(ctx) // what changed between Open and now
	}
	poll := time.NewTicker(s.poll)
	defer poll.Stop()
	quiet := time.NewTimer(0)
	quiet.Stop()
	defer quiet.Stop()
	var since time.Time // of the first change not read yet
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev := <-w.Events:
			if ev.Op == fsnotify.Chmod {
				continue
			}
			if since.IsZero() {
				since = time.Now()
			}
			// A writer that never stops must not keep its changes unseen for ever.
			quiet.Reset(max(0, min(s.debounce, time.Until(since.Add(maxWait*s.debounce)))))
			continue
		case err := <-w.Errors:
			s.log.Warn("watching files", "err", err)
		case <-poll.C:
		case <-quiet.C:
		}
		since = time.Time{}
		s.reload(ctx)
		if s.watch(w) { // what was written into a new folder before it was watched
			quiet.Reset(s.debounce)
		}
	}
}

// maxWait is how many debounce times a change may wait for quiet.
const maxWait = 10

// watch asks to be told of changes in every folder there is now, and says whether any is new. What cannot be watched is polled.
func (s *Set) watch(w *fsnotify.Watcher) (grown bool) {
	if w.Events == nil {
		return false
	}
	s.loading.Lock()
	defer s.loading.Unlock()
	before := len(w.WatchList())
	for _, st := range s.states {
		for _, dir := range st.reader.watched() {
			_ = w.Add(dir)
		}
	}
	return len(w.WatchList()) > before
}
