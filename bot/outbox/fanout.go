package outbox

import (
	"encoding/hex"
	"sort"
	"time"

	"weeklybot/bot"
)

const (
	// pageSize is the most deliveries of one page: its ledger stays a compact hash in Redis.
	pageSize = 100
	// fanoutBatch is how many members are read, composed and paged in one step.
	fanoutBatch = 500
	// maxOpen is how many open deliveries a shard holds before its fan-outs wait.
	maxOpen = 50_000
)

// planned is one member of a run, ready to be paged.
type planned struct {
	record bot.Record
	recipe bot.Recipe
	cut    *cut
}

// step is what one step of a fan-out found.
type step struct {
	planned []planned
	skipped int
	owe     []bot.Debt
	cursor  string // hex of the last member read
	last    bool
}

// fanOut goes through a slot's members in order, from the run's cursor on. The loop pages each step before the next one is read.
func (e *Engine) fanOut(s *shard, r *run) {
	e.work.Go(func() {
		members, ok := e.members(s, r.Slot)
		cursor, _ := hex.DecodeString(r.Cursor)
		at := sort.Search(len(members), func(i int) bool { return members[i] > string(cursor) })
		for ok {
			end := min(at+fanoutBatch, len(members))
			st, done := e.readStep(s, r.Run, members[at:end])
			if !done {
				return
			}
			st.last, st.cursor = end == len(members), r.Cursor
			if end > at {
				st.cursor = hex.EncodeToString([]byte(members[end-1]))
			}
			if !e.pageStep(s, r, st) || st.last {
				return
			}
			at = end
		}
	})
}

// members reads a slot's members, again until Redis answers or the engine stops.
func (e *Engine) members(s *shard, slot string) (members []string, ok bool) {
	for {
		members, err := e.queue.Members(e.ctx, s.lease.Shard, slot)
		if err == nil {
			return members, true
		}
		if !e.wait(err, "could not read the members of a slot; trying again") {
			return nil, false
		}
	}
}

// wait logs err and waits a moment; false when the engine has stopped.
func (e *Engine) wait(err error, text string) bool {
	if e.ctx.Err() != nil {
		return false
	}
	e.log.Warn(text, "err", err)
	select {
	case <-time.After(time.Second):
		return true
	case <-e.ctx.Done():
		return false
	}
}

// readStep reads members' records, decides who gets something, and composes it.
func (e *Engine) readStep(s *shard, r bot.Run, members []string) (st step, ok bool) {
	if len(members) == 0 {
		return st, true
	}
	records, ok := e.records(s, members)
	if !ok {
		return st, false
	}
	for _, rec := range records {
		if rec.Gone {
			continue
		}
		recipe := bot.RecipeFor(rec, r)
		l := e.lanes[rec.Channel.Adapter]
		switch {
		case rec.Sub.State == bot.StatePaused:
			st.skipped++
			continue
		case l == nil:
			e.log.Warn("a channel's platform is not configured; its digest is owed", "adapter", rec.Channel.Adapter, "channel", rec.Channel.Name)
			st.skipped++
			st.owe = append(st.owe, bot.Debt{Member: rec.Member, Owed: bot.Owed{From: recipe.From, First: recipe.First}})
			continue
		}
		c, ok := e.composed(l, rec.Channel.Kind, recipe, r.Due)
		if !ok {
			return st, false
		}
		if c == nil {
			st.skipped++
			continue
		}
		st.planned = append(st.planned, planned{rec, recipe, c})
	}
	return st, true
}

// composed makes the parts of a recipe, again until it can; nil when there is nothing to say.
func (e *Engine) composed(l *lane, kind bot.Kind, recipe bot.Recipe, due time.Time) (*cut, bool) {
	for {
		c, err := e.cuts.of(e.ctx, l.adapter, kind, recipe, due)
		if err == nil {
			return c, true
		}
		if !e.wait(err, "could not compose a digest; trying again") {
			return nil, false
		}
	}
}

// pageStep has the loop page a step and waits until the commit that holds it is acknowledged. false: the fan-out is over for this node.
func (e *Engine) pageStep(s *shard, r *run, st step) bool {
	written := make(chan struct{})
	var try func()
	try = func() {
		switch {
		case s.lost || e.stopping:
			close(written)
		case len(s.open) > maxOpen:
			e.later(100*time.Millisecond, try)
		default:
			e.page(s, r, st)
			s.next.then(func() { close(written) })
		}
	}
	e.tell(try)
	select {
	case <-written:
	case <-e.ctx.Done():
		return false
	}
	ok := make(chan bool, 1)
	e.tell(func() { ok <- !s.lost && !e.stopping })
	select {
	case v := <-ok:
		return v
	case <-e.ctx.Done():
		return false
	}
}

// later has the loop do something after a while.
func (e *Engine) later(after time.Duration, do func()) {
	time.AfterFunc(after, func() { e.tell(do) })
}

// page writes a step's deliveries into pages, one lane a page, moves the run's cursor, and makes the deliveries ready. A member whose
// delivery before is still open gets none: that one, or the next run, will hold what is new.
func (e *Engine) page(s *shard, r *run, st step) {
	lanes := map[string][]*delivery{}
	for _, p := range st.planned {
		id := bot.SubscriptionID(p.record.Member)
		if waiting := s.bySub[id]; waiting != nil {
			e.fold(s, waiting, p)
			r.Skips++
			continue
		}
		d := &delivery{
			shard: s, lane: e.lanes[p.record.Channel.Adapter], channel: p.record.Channel, cut: p.cut, ctl: s.lease.Ctl, part: 1,
			entry: bot.PageEntry{Member: p.record.Member, Run: r.ID, Due: r.Due, Recipe: p.recipe, Owed: p.record.Owed != nil},
		}
		s.bySub[id] = d
		lanes[d.lane.name] = append(lanes[d.lane.name], d)
	}
	for name, all := range lanes {
		for len(all) > 0 {
			n := min(pageSize, len(all))
			e.writePage(s, name, all[:n])
			all = all[n:]
		}
	}
	r.Cursor, r.Paged, r.Skips = st.cursor, r.Paged+len(st.planned), r.Skips+st.skipped
	s.next.Owe = append(s.next.Owe, st.owe...)
	if st.last {
		r.State = bot.RunDone
		s.next.Slots = append(s.next.Slots, bot.SlotRun{Slot: r.Slot, Upto: r.Upto})
		s.next.then(func() { delete(s.slots, r.Slot) })
	}
	s.next.Runs = append(s.next.Runs, r.Run)
}

func (e *Engine) writePage(s *shard, lane string, deliveries []*delivery) {
	s.page++
	page := bot.Page{Number: s.page, Lane: lane}
	for i, d := range deliveries {
		d.place = bot.Place{Page: s.page, Index: i}
		page.Entries = append(page.Entries, d.entry)
		s.open[d.place] = d
	}
	s.pages[s.page] = len(deliveries)
	s.next.Pages = append(s.next.Pages, page)
	s.next.then(func() {
		for _, d := range deliveries {
			d.lane.push(d)
		}
	})
}

// fold lets a waiting delivery stand for a newer run as well. The debt covers a crash: whoever sends the old cut still owes the rest.
func (e *Engine) fold(s *shard, waiting *delivery, p planned) {
	s.next.Owe = append(s.next.Owe, bot.Debt{Member: p.record.Member, Owed: bot.Owed{From: waiting.entry.Recipe.Upto}})
	if waiting.flightPart == 0 && waiting.done == 0 {
		recipe := p.recipe
		recipe.From, recipe.First = min(recipe.From, waiting.entry.Recipe.From), recipe.First || waiting.entry.Recipe.First
		waiting.refold = &recipe
	}
}
