package outbox

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"weeklybot/bot"
)

const (
	// A commit goes out with this many changes, or as many as half a window, so that the other half is on the wire meanwhile, …
	flushFull  = 256
	flushLeast = 32
	// … or with this many after flushSoon, …
	flushSome = 64
	flushSoon = 5 * time.Millisecond
	// … or with any after flushLate, or at once when nothing is on the wire that could add to it.
	flushLate = 25 * time.Millisecond
	// A shard whose commit has had no answer for so long gets no more grants until it has one.
	stalledAfter = time.Second
)

// batch is a commit being filled, with what the loop does once it is acknowledged.
type batch struct {
	bot.Commit
	lanes   map[string]bool // lanes whose flights have changed
	paged   []*delivery     // written by it, or put off until it is acknowledged: they may go then
	granted []*delivery     // written by it as flights: workers may post them
	landed  map[*lane]int   // flights that it ends, whose places are not free yet
	after   []func()
	since   time.Time // of the first change
	sealed  time.Time // when it was given to the store
	kept    []acked   // the commits before it
	lost    []acked   // those that the store has lost: they go before it
}

func newBatch(number int64) *batch {
	return &batch{Commit: bot.Commit{Number: number, Counts: map[bot.Reached]int{}, Flights: map[string][]bot.Flight{}}, lanes: map[string]bool{}, landed: map[*lane]int{}}
}

// maxRoom is for how many outcomes a batch keeps its room when it is used again.
const maxRoom = 1024

// renew empties an acknowledged batch to be filled again; nil: it is too large to keep. Of its commit the store's packed form is kept, nothing else.
func (b *batch) renew() *batch {
	if cap(b.Outcomes) > maxRoom || cap(b.paged) > maxRoom {
		return nil
	}
	clear(b.paged)
	clear(b.granted)
	clear(b.Outcomes)
	clear(b.Counts)
	clear(b.lanes)
	clear(b.landed)
	*b = batch{
		Commit: bot.Commit{Outcomes: b.Outcomes[:0], Counts: b.Counts, Flights: b.Flights},
		lanes:  b.lanes, paged: b.paged[:0], granted: b.granted[:0], landed: b.landed,
	}
	return b
}

// then has the loop do something once the commit is acknowledged, or the shard is lost: do looks which.
func (b *batch) then(do func()) {
	b.after = append(b.after, do)
	b.note()
}

func (b *batch) touch(lane string) {
	b.lanes[lane] = true
	b.note()
}

func (b *batch) count(run string, state bot.DeliveryState) {
	b.Counts[bot.Reached{Run: run, State: state}]++
}

func (b *batch) note() {
	if b.since.IsZero() {
		b.since = time.Now()
	}
}

func (b *batch) dirty() bool {
	return len(b.after) > 0 || len(b.lanes) > 0 || len(b.Outcomes) > 0 || len(b.Fires) > 0 || len(b.Pages) > 0 || len(b.Runs) > 0 ||
		len(b.Debts) > 0 || len(b.Ailments) > 0 || len(b.Finished) > 0 || len(b.Dropped) > 0 || b.Pub > 0 || b.Order > 0
}

// size counts the changes that deliveries wait for.
func (b *batch) size() int { return len(b.Outcomes) + len(b.granted) + len(b.paged) + len(b.after) }

// flush sends the commits of all shards that are due, in one call.
func (e *Engine) flush() {
	var batches []*batch
	total, oldest, onWire := 0, time.Time{}, 0
	for _, s := range e.shards {
		onWire += s.inFlight()
		if s.sending != nil || !s.next.dirty() {
			continue
		}
		s.next.note()
		total += s.next.size()
		if oldest.IsZero() || s.next.since.Before(oldest) {
			oldest = s.next.since
		}
	}
	age := time.Since(oldest)
	switch {
	case oldest.IsZero():
		return
	case onWire == 0 || total >= max(flushLeast, min(flushFull, e.cfg.InFlight)) || total >= flushSome && age >= flushSoon || age >= flushLate:
	default:
		return
	}
	if !e.awaitsAnswer() {
		for _, s := range e.shards {
			s.next.makeRoom()
		}
		e.grant()
	}
	var shards []*shard
	for _, s := range e.shards {
		if s.sending == nil && s.next.dirty() {
			batches = append(batches, e.seal(s))
			shards = append(shards, s)
		}
	}
	e.work.Go(func() { e.commit(shards, batches) })
}

// awaitsAnswer says that the store has a commit that it has not acknowledged. While it has none, the outcomes of posts and the flights granted in
// their places go out in one call, and a post waits for one commit instead of two.
func (e *Engine) awaitsAnswer() bool {
	for _, s := range e.shards {
		if s.sending != nil {
			return true
		}
	}
	return false
}

// stalled says that the store has not answered the shard's commit for a while.
func (s *shard) stalled(now time.Time) bool {
	return s.sending != nil && now.Sub(s.sending.sealed) > stalledAfter
}

// seal closes the commit being filled and begins the next.
func (e *Engine) seal(s *shard) *batch {
	b := s.next
	b.Lease = s.lease
	b.Lease.Page = s.page
	maps.DeleteFunc(b.Flights, func(lane string, _ []bot.Flight) bool { return !b.lanes[lane] })
	for lane := range b.lanes {
		flights := slices.Grow(b.Flights[lane][:0], len(s.flights[lane]))
		for _, d := range s.flights[lane] {
			flights = append(flights, bot.Flight{Place: d.place, Part: d.flight.part, At: d.flight.at})
		}
		b.Flights[lane] = flights
	}
	b.sealed, b.kept = time.Now(), s.kept
	s.sending, s.next, s.spare = b, s.spare, nil
	if s.next == nil {
		s.next = newBatch(0)
	}
	s.next.Number = b.Number + 1
	return b
}

// commit gives the commits to the store, those that are not answered again and again: until each is acknowledged, or fenced, or the
// engine has stopped.
func (e *Engine) commit(shards []*shard, batches []*batch) {
	for pause := 50 * time.Millisecond; len(batches) > 0 && e.ctx.Err() == nil; pause = min(2*pause, time.Second) {
		var commits []bot.Commit
		last := make([]int, len(batches)) // where each batch's own commit stands
		for i, b := range batches {
			for _, c := range b.lost {
				commits = append(commits, c.Commit)
			}
			commits = append(commits, b.Commit)
			last[i] = len(commits) - 1
		}
		results := e.queue.Commit(e.ctx, commits)
		var kept error
		if slices.ContainsFunc(results, func(r bot.Committed) bool { return errors.Is(r.Err, bot.ErrBehind) }) {
			kept = e.cuts.keepAgain(e.ctx) // before the ledger names them again
		}
		var againS []*shard
		var againB []*batch
		for i, b := range batches {
			s, r := shards[i], results[last[i]]
			if errors.Is(r.Err, bot.ErrBehind) && kept == nil {
				r.Err = cmp.Or(b.restore(r.Last), r.Err)
			}
			if r.Err != nil && !errors.Is(r.Err, bot.ErrFenced) && s.ctx.Err() == nil {
				e.log.Warn("a commit is not acknowledged; giving it again", "shard", s.lease.Shard, "lost", len(b.lost), "err", r.Err)
				againS, againB = append(againS, s), append(againB, b)
				continue
			}
			e.tell(func() { e.acknowledged(s, b, r) })
		}
		if shards, batches = againS, againB; len(batches) > 0 {
			select {
			case <-time.After(pause):
			case <-e.ctx.Done():
			}
		}
	}
}

// acked is a commit that the store has acknowledged, packed.
type acked struct {
	bot.Commit
	at time.Time
}

// keptFor is how long acknowledged commits are kept: Redis puts a write of its log off for up to 2 s, while the last sync takes its time.
const keptFor = 3 * time.Second

// seen takes note of the last commit that the store has. Where one is missing that was acknowledged before it was asked, the next commit brings it again;
// what it had for long is forgotten.
func (s *shard) seen(commit int64, asked time.Time) {
	old := 0
	for i, c := range s.kept {
		if c.Number > commit && c.at.Before(asked) {
			s.next.then(func() {})
			return
		}
		if asked.Sub(c.at) > keptFor {
			old = i + 1
		}
	}
	if old > 0 {
		s.kept = slices.Clone(s.kept[old:]) // what was sealed meanwhile refers to the former list
	}
}

// restore prepares to give the store again what it has lost since last. ErrFenced: that is not kept any more, and the shard is to be read anew.
func (b *batch) restore(last int64) error {
	first := slices.IndexFunc(b.kept, func(c acked) bool { return c.Number == last+1 })
	if first < 0 {
		return fmt.Errorf("more than is kept, after number %d: %w", last, bot.ErrFenced)
	}
	b.lost = b.kept[first:]
	return nil
}

// makeRoom lets others have the places of the flights that the batch ends.
func (b *batch) makeRoom() {
	for l, n := range b.landed {
		l.flying -= n
	}
	clear(b.landed)
}

// acknowledged does what waited for a commit.
func (e *Engine) acknowledged(s *shard, b *batch, r bot.Committed) {
	s.sending = nil
	b.makeRoom()
	if r.Err != nil {
		if !s.lost {
			e.log.Info("a shard has another owner now, or has to be read anew", "shard", s.lease.Shard, "err", r.Err)
		}
		e.lose(s)
	}
	if !s.lost {
		s.setCtl(r.Ctl)
		s.kept = append(s.kept, acked{bot.Commit{Lease: b.Lease, Number: b.Number, Packed: r.Packed}, time.Now()})
		for _, d := range b.paged {
			d.paged = true
			d.lane.push(d)
		}
		for _, d := range b.granted {
			d.flight.onWire = true
			d.lane.jobs <- d // never blocks: the channel holds two windows
		}
	}
	for _, do := range b.after {
		do()
	}
	s.spare = b.renew()
}
