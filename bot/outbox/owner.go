package outbox

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"weeklybot/bot"
)

// shard is one shard that this node owns.
type shard struct {
	lease   bot.Lease
	ready   bool   // what the owner before left behind has been read
	leaving bool   // to be given back as soon as nothing is on its way
	lost    bool   // fenced: whatever still refers to it does nothing
	page    int64  // last page number given
	pub     int64  // catalogue number announced
	pubBusy bool   // an announcement is on its way
	next    *batch // the commit being filled
	sending *batch // the commit on its way
	open    map[bot.Place]*delivery
	bySub   map[bot.SubscriptionID]*delivery
	pages   map[int64]int   // open deliveries per page
	slots   map[string]*run // slots with a run that is being fired or fanned out
	flights map[string]map[*delivery]bot.Flight
}

func newShard(l bot.Lease) *shard {
	return &shard{
		lease: l, page: l.Page, pub: l.Pub, next: newBatch(l.Commit + 1),
		open: map[bot.Place]*delivery{}, bySub: map[bot.SubscriptionID]*delivery{}, pages: map[int64]int{},
		slots: map[string]*run{}, flights: map[string]map[*delivery]bot.Flight{},
	}
}

// beats looks once a second at the leases and at what is due, until ctx ends.
func (e *Engine) beats(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	timer := time.NewTicker(e.cfg.Beat)
	defer timer.Stop()
	for {
		held, answer := []int(nil), make(chan []int, 1)
		e.tell(func() { answer <- slices.Sorted(maps.Keys(e.shards)) })
		select {
		case held = <-answer:
		case <-e.ctx.Done():
			return
		}
		e.beat(ctx, held)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// beat tells Redis that this node lives, renews its leases and takes its share of the shards.
func (e *Engine) beat(ctx context.Context, held []int) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	nodes, head, now, err := e.queue.Beat(ctx, e.cfg.Node)
	if err == nil {
		share := (e.queue.Shards() + nodes - 1) / nodes
		var want []int
		for s := range e.queue.Shards() {
			if !slices.Contains(held, s) && len(held) < share {
				want = append(want, s)
			}
		}
		var ticks []bot.Tick
		ticks, err = e.queue.Tick(ctx, e.cfg.Node, held, want)
		e.tell(func() { e.ticked(ticks, share, head, now) })
	}
	if err != nil && ctx.Err() == nil || errors.Is(err, context.DeadlineExceeded) {
		e.tell(func() { e.beatFailed(err) })
	}
}

func (e *Engine) beatFailed(err error) {
	if !e.outage {
		e.log.Error("Redis does not answer; deliveries wait, commands go on", "err", err)
	}
	e.outage = true
}

// ticked takes note of leases won and lost, and starts what is due.
func (e *Engine) ticked(ticks []bot.Tick, share int, head int64, now time.Time) {
	if e.outage {
		e.outage = false
		e.log.Info("Redis answers again")
	}
	if e.stopping {
		e.giveBack(ticks)
		return
	}
	e.measure()
	e.head = max(e.head, head)
	var excess []bot.Tick
	for _, t := range ticks {
		s := e.shards[t.Lease.Shard]
		switch {
		case t.Err != nil:
			e.lose(s)
		case s == nil && len(e.shards) >= share:
			excess = append(excess, t)
		case s == nil:
			e.takeOver(t.Lease)
		case t.Lease.Epoch != s.lease.Epoch:
			e.lose(s) // somebody was here in between; take it anew with the next beat
		default:
			s.setCtl(t.Lease.Ctl)
			if s.ready && !s.leaving {
				e.fireDue(s, t.Due, now)
				e.announce(s)
			}
		}
	}
	e.giveBack(excess)
	e.shed(share)
}

// giveBack returns leases that were won beyond this node's share.
func (e *Engine) giveBack(ticks []bot.Tick) {
	var leases []bot.Lease
	for _, t := range ticks {
		if t.Err == nil && e.shards[t.Lease.Shard] == nil {
			leases = append(leases, t.Lease)
		}
	}
	if len(leases) > 0 {
		e.work.Go(func() { _ = e.queue.Release(e.ctx, leases) }) // else the leases end by themselves
	}
}

// shed gives shards back that other nodes should have, once nothing of them is on its way.
func (e *Engine) shed(share int) {
	numbers := slices.Sorted(maps.Keys(e.shards))
	for _, n := range numbers[min(share, len(numbers)):] {
		s := e.shards[n]
		s.leaving = true
		if s.ready && s.sending == nil && !s.next.dirty() && s.inFlight() == 0 && len(s.slots) == 0 {
			lease := s.lease
			e.lose(s)
			e.work.Go(func() { _ = e.queue.Release(e.ctx, []bot.Lease{lease}) })
		}
	}
}

func (s *shard) inFlight() int {
	n := 0
	for _, f := range s.flights {
		n += len(f)
	}
	return n
}

func (s *shard) setCtl(ctl int64) { s.lease.Ctl = max(s.lease.Ctl, ctl) }

// lose forgets a shard: it has another owner, or will have.
func (e *Engine) lose(s *shard) {
	if s == nil || s.lost {
		return
	}
	s.lost = true
	delete(e.shards, s.lease.Shard)
	for name, flights := range s.flights {
		if l := e.lanes[name]; l != nil {
			for d := range flights {
				if !d.onWire {
					l.flying-- // granted, not handed to a worker: nobody will answer for it
				}
			}
		}
	}
	after := s.next.after
	s.next = newBatch(0)
	for _, do := range after {
		do()
	}
}
