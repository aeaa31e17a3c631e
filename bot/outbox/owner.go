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
	kept    []acked         // commits acknowledged of late, oldest first: a store that loses them gets them again
	sending *batch          // the commit on its way
	spare   *batch          // emptied, to be filled again; nil: none
	open    int             // deliveries that are not over
	bySub   map[bot.SubscriptionID]*delivery
	pages   map[int64]*openPage
	slots   map[string]*run              // slots with a run that is being fired or fanned out
	fanned  map[string]*run              // the last run of each slot that was fanned out
	fired   map[bot.SubscriptionID]int64 // catalogue number up to which a person had a subscription delivered, until a run has read it in the record
	stirred map[string]int64
	flights map[string][]*delivery      // by lane: what may be on the wire
	owed    map[bot.SlotMember]bot.Owed // the same as in the store
	ill     map[bot.ChannelID]bot.Ailment
	ills    int64 // counter of what others changed of it
}

func newShard(ctx context.Context, l bot.Lease) *shard {
	s := &shard{
		lease: l, page: l.Page, pub: l.Pub, order: l.Order, next: newBatch(l.Commit + 1),
		bySub: map[bot.SubscriptionID]*delivery{}, pages: map[int64]*openPage{},
		slots: map[string]*run{}, fanned: map[string]*run{}, fired: map[bot.SubscriptionID]int64{}, stirred: map[string]int64{}, flights: map[string][]*delivery{}, owed: map[bot.SlotMember]bot.Owed{}, dropped: map[string]bool{},
		ill: map[bot.ChannelID]bot.Ailment{},
	}
	s.ctx, s.end = context.WithCancel(ctx)
	return s
}

// openPage holds the deliveries of a page that are not over, by their index.
type openPage struct {
	list []*delivery
	left int
}

// opens notes a delivery that has its place.
func (s *shard) opens(d *delivery) {
	p := s.pages[d.place.Page]
	if p == nil {
		p = &openPage{list: make([]*delivery, 0, pageSize)}
		s.pages[d.place.Page] = p
	}
	for len(p.list) <= d.place.Index {
		p.list = append(p.list, nil)
	}
	p.list[d.place.Index] = d
	p.left++
	s.open++
}

// closes forgets a delivery that is over; with the last one of its page that is finished.
func (s *shard) closes(d *delivery) {
	p := s.pages[d.place.Page]
	p.list[d.place.Index] = nil
	p.left--
	s.open--
	if p.left == 0 {
		delete(s.pages, d.place.Page)
		s.next.Finished = append(s.next.Finished, d.place.Page)
	}
}

// beats looks once a second, and at each moment at which something falls due, at the leases and at what is due, until ctx ends.
func (e *Engine) beats(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	timer := time.NewTicker(e.cfg.Beat)
	defer timer.Stop()
	b, _ := e.askBeat(ctx, nil, nil) // how many nodes there are, before any shard is taken
	share := e.shareOf(b, e.queue.Shards())
	for {
		held, answer := []bot.Lease(nil), make(chan []bot.Lease, 1)
		e.tell(func() { answer <- e.leases() })
		select {
		case held = <-answer:
		case <-e.ctx.Done():
			return
		}
		b = e.beat(ctx, held, share)
		share = e.shareOf(b, share)
		select {
		case <-timer.C:
		case <-nextDue(b):
		case <-ctx.Done():
			return
		}
	}
}

// nextDue says when the first thing falls due that a beat found planned.
func nextDue(b bot.Beat) <-chan time.Time {
	if b.Pulse == nil || b.Next.IsZero() {
		return nil
	}
	return time.After(b.Next.Sub(b.Pulse.Now))
}

// shareOf is how many shards this node may have among those that live; before, when a beat did not find it out.
func (e *Engine) shareOf(b bot.Beat, before int) int {
	if b.Pulse == nil {
		return before
	}
	return (e.queue.Shards() + b.Pulse.Nodes - 1) / b.Pulse.Nodes
}

// beatTimeout is how long one beat waits for Redis: shorter than a lease lives.
const beatTimeout = 3 * time.Second

func (e *Engine) askBeat(ctx context.Context, held []bot.Lease, want []int) (bot.Beat, error) {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	return e.queue.Beat(ctx, e.cfg.Node, held, want)
}

// beat renews this node's leases, takes its share of the shards, and tells Redis that it lives. When only what all nodes share cannot be
// reached (one master of a Cluster is away), the leases are renewed all the same, and nothing is fired yet.
func (e *Engine) beat(ctx context.Context, held []bot.Lease, share int) bot.Beat {
	var want []int
	for s := range e.queue.Shards() {
		if !holds(held, s) && len(held) < share {
			want = append(want, s)
		}
	}
	asked := time.Now()
	b, err := e.askBeat(ctx, held, want)
	if b.Pulse != nil && b.Pulse.Due {
		e.startDue(ctx, b.Pulse.Now)
	}
	share = e.shareOf(b, share)
	e.tell(func() {
		if !errors.Is(ctx.Err(), context.Canceled) {
			e.outageIs(err)
		}
		if b.Pulse != nil {
			e.heldNow(b.Pulse.Held, asked)
			e.blockedNow(b.Pulse.Blocked)
		}
		e.ticked(found{Beat: b, held: held, share: share, asked: asked})
	})
	return b
}

// leases are those that the node holds.
func (e *Engine) leases() (list []bot.Lease) {
	for _, n := range slices.Sorted(maps.Keys(e.shards)) {
		list = append(list, e.shards[n].lease)
	}
	return list
}

func holds(leases []bot.Lease, shard int) bool {
	return slices.ContainsFunc(leases, func(l bot.Lease) bool { return l.Shard == shard })
}

// startDue starts the broadcasts whose time has come.
func (e *Engine) startDue(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	if err := e.queue.StartDue(ctx, now); err != nil {
		e.log.Error("a broadcast could not be started; trying again", "err", err)
	}
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
	bot.Beat
	held  []bot.Lease // what this node had when it asked
	share int         // how many shards it may have
	asked time.Time
}

// ticked takes note of leases won and lost, and starts what is due.
func (e *Engine) ticked(b found) {
	if e.stopping {
		e.giveBack(b.Ticks)
		return
	}
	e.measure()
	if p := b.Pulse; p != nil {
		e.head, e.orders = max(e.head, p.Head), max(e.orders, p.Orders)
	}
	var excess []bot.Tick
	for _, t := range b.Ticks {
		s := e.shards[t.Lease.Shard]
		switch {
		case t.Err != nil:
			e.lose(s)
		case s == nil && (len(e.shards) >= b.share || holds(b.held, t.Lease.Shard)):
			excess = append(excess, t) // one lost since the beat began is taken anew, with an epoch of its own
		case s == nil:
			e.takeOver(t.Lease, b.asked)
		case t.Lease.Epoch != s.lease.Epoch:
			e.lose(s) // somebody was here in between; take it anew with the next beat
		default:
			s.renewed.Store(b.asked.UnixMilli())
			s.setCtl(t.Lease.Ctl)
			s.seen(t.Lease.Commit, b.asked)
			if s.ready && !s.leaving && b.Pulse != nil {
				e.learnIll(s, t.Ills)
				e.fireDue(s, t, b.Pulse.Now)
				e.announce(s)
				e.obey(s)
				e.age(s, b.Pulse.Now)
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
func (s *shard) over() bool {
	return time.Since(time.UnixMilli(s.renewed.Load())) > bot.LeaseTTL
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
				if !d.flight.onWire {
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
	o, ok := s.owed[m]
	if !ok {
		return nil
	}
	debt := o // what is nil costs no memory
	return &debt
}
