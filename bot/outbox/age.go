package outbox

import (
	"time"

	"weeklybot/bot"
)

const (
	// pageBytes is about what a full page takes in Redis with its ledger.
	pageBytes = pageSize * 60
	// agedEach is how long a shard that holds nothing too old is left alone.
	agedEach = 10 * time.Minute
)

// age throws away one small step of what a shard keeps longer than it should: whole days of pages, ledgers, runs and dead letters, the oldest
// first. A day with a delivery that is still open stays.
func (e *Engine) age(s *shard, now time.Time) {
	if now.Before(s.agedAt) {
		return
	}
	s.agedAt = now.Add(time.Minute) // one look at a time
	lease := s.lease
	lease.Page = s.page
	maxPages := e.cfg.KeepBytes / pageBytes / int64(e.queue.Shards())
	e.work.Go(func() {
		a, err := e.queue.Aged(s.ctx, lease, now.Add(-e.cfg.KeepFor), maxPages)
		e.tell(func() { e.throwAway(s, a, err) })
	})
}

func (e *Engine) throwAway(s *shard, a *bot.Aged, err error) {
	switch {
	case s.lost || s.leaving:
		return
	case err != nil:
		e.log.Warn("could not look for old ledgers; trying again", "shard", s.lease.Shard, "err", err)
		return
	case a == nil || s.next.Aged != nil || s.holds(a):
		s.agedAt = time.Now().Add(agedEach)
		return
	}
	s.next.Aged = a
	s.next.then(func() { s.agedAt = time.Time{} }) // go on with the next beat
}

// holds says whether a page that a step would throw away has an open delivery.
func (s *shard) holds(a *bot.Aged) bool {
	for n := a.From; n <= a.Upto; n++ {
		if s.pages[n] != nil {
			return true
		}
	}
	return false
}
