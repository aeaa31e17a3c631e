package outbox

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"weeklybot/bot"
)

// shard is one shard that this node owns.
type shard struct {
	ctx     context.Context // ends when the shard is lost
	end     context.CancelFunc
	lease   bot.Lease
	renewed atomic.Int64    // when the last known good renewal was asked for, unix ms: the lease holds LeaseTTL longer
	ready   bool            // what the owner before left behind has been read
	since   time.Time       // when it was taken from another owner
	leaving bool            // for good: to be given back as soon as nothing is on its way
	lost    bool            // fenced: whatever still refers to it does nothing
	page    int64           // last page number given
	pub     int64           // catalogue number announced
	pubBusy bool            // an announcement is on its way
	order   int64           // the last order carried out
	obeying bool            // orders are being read
	dropped map[string]bool // dead letters settled since this node owns the shard
	agedAt  time.Time       // when to look again for what is too old
	next    *batch          // the commit being filled
	sending *batch          // the commit on its way
	open    map[bot.Place]*delivery
	bySub   map[bot.SubscriptionID]*delivery
	pages   map[int64]int   // open deliveries per page
	slots   map[string]*run // slots with a run that is being fired or fanned out
	stirred map[string]int64
	flights map[string][]*delivery      // by lane: what may be on the wire
	owed    map[bot.SlotMember]bot.Owed // the same as in the store
	ill     map[bot.ChannelID]bot.Ailment
	ills    int64 // counter of what others changed of it
}

func newShard(ctx context.Context, l bot.Lease) *shard {
	s := &shard{
		lease: l, page: l.Page, pub: l.Pub, order: l.Order, next: newBatch(l.Commit + 1),
		open: map[bot.Place]*delivery{}, bySub: map[bot.SubscriptionID]*delivery{}, pages: map[int64]int{},
		slots: map[string]*run{}, stirred: map[string]int64{}, flights: map[string][]*delivery{}, owed: map[bot.SlotMember]bot.Owed{}, dropped: map[string]bool{},
		ill: map[bot.ChannelID]bot.Ailment{},
	}
	s.ctx, s.end = context.WithCancel(ctx)
	return s
}

// beats looks once a second at the leases and at what is due, until ctx ends.
func (e *Engine) beats(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	timer := time.NewTicker(e.cfg.Beat)
	defer timer.Stop()
	share := e.share(ctx)
	for {
		held, answer := []int(nil), make(chan []int, 1)
		e.tell(func() { answer <- slices.Sorted(maps.Keys(e.shards)) })
		select {
		case held = <-answer:
		case <-e.ctx.Done():
			return
		}
		share = e.beat(ctx, held, share)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// share tells Redis that this node lives, and is how many shards it may have among those that do.
func (e *Engine) share(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	pulse, err := e.queue.Beat(ctx, e.cfg.Node)
	if err != nil {
		return e.queue.Shards()
	}
	return shareOf(e.queue.Shards(), pulse.Nodes)
}

func shareOf(shards, nodes int) int { return (shards + nodes - 1) / nodes }

// beatTimeout is how long one beat waits for Redis: shorter than a lease lives.
const beatTimeout = 3 * time.Second

// beat renews this node's leases, takes its share of the shards, and tells Redis that it lives. The catalogue's head is read last: a run that is
// found due holds every issue published before it was. When only the catalogue and the list of nodes cannot be reached (one master of a Cluster
// is away), the leases are renewed all the same, and nothing is fired yet.
func (e *Engine) beat(ctx context.Context, held []int, share int) int {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	var want []int
	for s := range e.queue.Shards() {
		if !slices.Contains(held, s) && len(held) < share {
			want = append(want, s)
		}
	}
	asked := time.Now()
	ticks, err := e.queue.Tick(ctx, e.cfg.Node, held, want)
	pulse, err2 := e.queue.Beat(ctx, e.cfg.Node)
	if err2 == nil {
		share = shareOf(e.queue.Shards(), pulse.Nodes)
	}
	if pulse.Due {
		if err := e.queue.StartDue(ctx, pulse.Now); err != nil {
			e.log.Error("a broadcast could not be started; trying again", "err", err)
		}
	}
	err = errors.Join(err, err2)
	e.tell(func() {
		if ctx.Err() == nil || !errors.Is(ctx.Err(), context.Canceled) {
			e.outageIs(err)
		}
		if err2 == nil {
			e.heldNow(pulse.Held, asked)
			e.blockedNow(pulse.Blocked)
		}
		e.ticked(found{ticks: ticks, held: held, share: share, pulse: pulse, headless: err2 != nil, asked: asked})
	})
	return share
}

// outageIs says once when Redis goes away, and once when it is back.
func (e *Engine) outageIs(err error) {
	switch {
	case err != nil && !e.outage:
		e.log.Error("Redis does not answer; deliveries wait, commands go on", "err", err)
	case err == nil && e.outage:
		e.log.Info("Redis answers again")
	}
	e.outage = err != nil
}

// found is what one beat found.
type found struct {
	ticks    []bot.Tick
	held     []int // the shards this node had when it asked
	share    int
	pulse    bot.Pulse // read after the ticks
	headless bool      // pulse could not be read
	asked    time.Time
}

// ticked takes note of leases won and lost, and starts what is due.
func (e *Engine) ticked(b found) {
	if e.stopping {
		e.giveBack(b.ticks)
		return
	}
	e.measure()
	e.head, e.orders = max(e.head, b.pulse.Head), max(e.orders, b.pulse.Orders)
	var excess []bot.Tick
	for _, t := range b.ticks {
		s := e.shards[t.Lease.Shard]
		switch {
		case t.Err != nil:
			e.lose(s)
		case s == nil && (len(e.shards) >= b.share || slices.Contains(b.held, t.Lease.Shard)):
			excess = append(excess, t) // one lost since the beat began is taken anew, with an epoch of its own
		case s == nil:
			e.takeOver(t.Lease, b.asked)
		case t.Lease.Epoch != s.lease.Epoch:
			e.lose(s) // somebody was here in between; take it anew with the next beat
		default:
			s.renewed.Store(b.asked.UnixMilli())
			s.setCtl(t.Lease.Ctl)
			if s.ready && !s.leaving && !b.headless {
				e.learnIll(s, t.Ills)
				e.fireDue(s, t, b.pulse.Now)
				e.announce(s)
				e.obey(s)
				e.age(s, b.pulse.Now)
			}
		}
	}
	e.giveBack(excess)
	e.shed(b.share)
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

// shed gives shards back that other nodes should have. Nothing more of a leaving shard is granted or paged, and it goes once nothing of it is
// on its way; where there is room for it again by then, it is taken anew.
func (e *Engine) shed(share int) {
	numbers := slices.Sorted(maps.Keys(e.shards))
	for i, n := range numbers {
		s := e.shards[n]
		s.leaving = s.leaving || i >= share
		if s.leaving && s.sending == nil && !s.next.dirty() && s.inFlight() == 0 {
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

// over says that others may own the shard by now, as far as this process can tell without asking: it was stopped for seconds.
func (s *shard) over(now time.Time) bool {
	return now.Sub(time.UnixMilli(s.renewed.Load())) > bot.LeaseTTL
}

// lose forgets a shard: it has another owner, or will have.
func (e *Engine) lose(s *shard) {
	if s == nil || s.lost {
		return
	}
	s.lost = true
	s.end()
	delete(e.shards, s.lease.Shard)
	for name, flights := range s.flights {
		if l := e.lanes[name]; l != nil {
			for _, d := range flights {
				if !d.onWire {
					l.flying-- // granted, not handed to a worker: nobody will answer for it
					l.pace.answered(d)
				}
			}
		}
	}
	s.next.makeRoom()
	after := s.next.after
	s.next = newBatch(0)
	for _, do := range after {
		do()
	}
}

// owe notes what a member is still to get; with what it was owed before.
func (s *shard) owe(m bot.SlotMember, o bot.Owed) {
	if before, ok := s.owed[m]; ok {
		o.From, o.First = min(o.From, before.From), o.First || before.First
		o.Times += before.Times
	}
	s.owed[m] = o
	s.next.Debts = append(s.next.Debts, bot.Debt{Member: m, Owed: o})
	s.next.note()
}

func (s *shard) paid(m bot.SlotMember) {
	delete(s.owed, m)
	s.next.Debts = append(s.next.Debts, bot.Debt{Member: m, Paid: true})
	s.next.note()
}

// debt is what a member is owed; nil: nothing.
func (s *shard) debt(m bot.SlotMember) *bot.Owed {
	if o, ok := s.owed[m]; ok {
		return &o
	}
	return nil
}
