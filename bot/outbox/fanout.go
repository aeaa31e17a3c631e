package outbox

import (
	"cmp"
	"encoding/hex"
	"slices"
	"sort"
	"time"

	"weeklybot/bot"
)

const (
	// pageSize is the most deliveries of one page: its ledger stays a compact hash in Redis.
	pageSize = 100
	// fanoutBatch is how many members are read, composed and paged in one step.
	fanoutBatch = 500
	// firstBatch is the size of the first step: posts begin while the rest is read.
	firstBatch = pageSize
	// maxOpen is how many open deliveries a shard holds before its fan-outs wait.
	maxOpen = 50_000
)

// planned is one member of a run, ready to be paged.
type planned struct {
	record   *bot.Record
	recipe   *bot.Recipe
	calendar *calendar
	cut      *cut // nil: composed later
	fixed    bool // the recipe is what a person ordered, whatever is owed
}

// step is what one step of a fan-out found.
type step struct {
	planned   []planned
	skipped   int
	cancelled int // channels of a broadcast that was cancelled
	owe       []bot.Debt
	ctl       int64    // the shard's change counter before the records were read
	cursor    string   // hex of the last member read
	rest      []string // members after it
}

func (st *step) last() bool { return len(st.rest) == 0 }

// fanOut goes through a slot's members in order, from the run's cursor on. The loop pages each step while the next one is read.
func (e *Engine) fanOut(s *shard, r *run) {
	ctl, from := s.lease.Ctl, r.Run
	e.work.Go(func() {
		members, ok := e.members(s, from)
		if !ok {
			return
		}
		cursor, _ := hex.DecodeString(from.Cursor)
		at := sort.Search(len(members), func(i int) bool { return members[i] > string(cursor) })
		next := e.readAhead(s, from, members[at:], firstBatch, ctl)
		for {
			st, ok := <-next
			if !ok {
				return
			}
			if len(st.rest) > 0 {
				next = e.readAhead(s, from, st.rest, fanoutBatch, ctl)
			}
			if ctl, ok = e.pageStep(s, r, st); !ok || st.last() {
				return
			}
		}
	})
}

// readAhead reads the first step of members, of up to most of them; the channel is closed without one when the shard is lost. ctl is a value of the shard's change
// counter from before: what has changed since that commit was answered is read again.
func (e *Engine) readAhead(s *shard, r bot.Run, members []string, most int, ctl int64) <-chan step {
	read := make(chan step, 1)
	e.work.Go(func() {
		defer close(read)
		if r.Recalls != "" {
			most = recallBatch
		}
		n := min(most, len(members))
		st, ok := e.readStep(s, r, members[:n])
		if !ok {
			return
		}
		st.ctl, st.rest, st.cursor = ctl, members[n:], r.Cursor
		if n > 0 {
			st.cursor = hex.EncodeToString([]byte(members[n-1]))
		}
		read <- st
	})
	return read
}

// members reads those that a run is for, in order, again until Redis answers or the engine stops: a slot's members, all channels for a
// broadcast, or for a recall the pages of the run that it takes back.
func (e *Engine) members(s *shard, r bot.Run) (members []string, ok bool) {
	for {
		var err error
		switch {
		case r.Recalls != "":
			members, err = e.pagesOf(s, r.Recalls)
		case r.Broadcast != "":
			members, err = e.queue.Channels(s.ctx, s.lease.Shard)
		default:
			members, err = e.queue.Members(s.ctx, s.lease.Shard, r.Slot)
		}
		if err == nil {
			return members, true
		}
		if !e.wait(s, err, "could not read the members of a slot; trying again") {
			return nil, false
		}
	}
}

// wait logs err and waits a moment; false when the shard is lost or the engine has stopped.
func (e *Engine) wait(s *shard, err error, text string) bool {
	if s.ctx.Err() != nil {
		return false
	}
	e.log.Warn(text, "shard", s.lease.Shard, "err", err)
	select {
	case <-time.After(time.Second):
		return true
	case <-s.ctx.Done():
		return false
	}
}

// readStep reads members' records, decides who gets something, and composes it.
func (e *Engine) readStep(s *shard, r bot.Run, members []string) (st step, ok bool) {
	if len(members) == 0 {
		return st, true
	}
	if r.Recalls != "" {
		return e.readRecall(s, r, members)
	}
	records, ok := e.records(s, members)
	if !ok {
		return st, false
	}
	if r.Broadcast != "" {
		return e.readBroadcast(s, r, records)
	}
	st.planned = make([]planned, 0, len(records))
	var last recent
	for i := range records {
		rec := &records[i]
		if rec.Gone {
			continue
		}
		recipe := last.recipeFor(rec, r)
		l := e.lanes[rec.Channel.Adapter]
		switch {
		case rec.Sub.State == bot.StatePaused:
			st.skipped++
			continue
		case l == nil:
			e.log.Warn("a channel's platform is not configured; its digest is owed", "adapter", rec.Channel.Adapter, "channel", rec.Channel.Name)
			st.skipped++
			st.owe = append(st.owe, bot.Debt{Member: rec.Member, Owed: bot.Owed{From: recipe.From, First: recipe.First, Times: 1}})
			continue
		}
		c, err := last.of(e, s, l, rec.Channel.Kind, recipe, r.Due.Add(e.cfg.Window))
		if err == nil && c == nil {
			st.skipped++
			continue
		}
		last.calendar = calendarOf(&rec.Sub, last.calendar)
		st.planned = append(st.planned, planned{record: rec, recipe: recipe, calendar: last.calendar, cut: c})
	}
	return st, true
}

// recent is what the member before gets, and when: most members of a slot want the same.
type recent struct {
	lane     *lane
	kind     bot.Kind
	recipe   *bot.Recipe
	cut      *cut
	calendar *calendar
}

// recipeFor is what a member wants: the recipe of the member before, where it is the same.
func (r *recent) recipeFor(rec *bot.Record, run bot.Run) *bot.Recipe {
	recipe := bot.RecipeFor(rec, run)
	if r.recipe != nil && r.recipe.Equal(recipe) {
		return r.recipe
	}
	fresh := recipe
	return &fresh
}

func (r *recent) of(e *Engine, s *shard, l *lane, kind bot.Kind, recipe *bot.Recipe, end time.Time) (*cut, error) {
	if r.lane == l && r.kind == kind && r.recipe == recipe {
		return r.cut, nil
	}
	c, err := e.cuts.of(s.ctx, l.adapter, kind, recipe, end)
	if err == nil {
		r.lane, r.kind, r.recipe, r.cut = l, kind, recipe, c
	}
	return c, err
}

// pageStep has the loop page a step and waits until the commit that holds it is acknowledged. It gives the shard's change counter for the next
// step. false: the fan-out is over for this node; where the run is still open, the next owner goes on with it.
func (e *Engine) pageStep(s *shard, r *run, st step) (ctl int64, ok bool) {
	answer := make(chan int64, 1)
	var try func()
	try = func() {
		switch {
		case s.lost || s.leaving || e.stopping:
			close(answer)
		case s.open > maxOpen:
			e.later(100*time.Millisecond, try)
		default:
			e.page(s, r, st)
			s.next.then(func() {
				if !s.lost {
					answer <- s.lease.Ctl
				}
				close(answer)
			})
		}
	}
	e.tell(try)
	select {
	case ctl, ok = <-answer:
		return ctl, ok
	case <-e.ctx.Done():
		return 0, false
	}
}

// later has the loop do something after a while.
func (e *Engine) later(after time.Duration, do func()) {
	time.AfterFunc(after, func() { e.tell(do) })
}

// page writes a step's deliveries into pages, one lane a page, moves the run's cursor, and makes the deliveries ready.
func (e *Engine) page(s *shard, r *run, st step) {
	lanes, first, paged := map[*lane][]*delivery{}, s.page+1, 0
	for _, p := range st.planned {
		if d := e.plan(s, r, p, st.ctl); d != nil {
			lanes[d.lane] = append(lanes[d.lane], d)
			paged++
		}
	}
	for l, all := range lanes {
		for part := range slices.Chunk(all, pageSize) {
			e.writePage(s, l.name, part)
		}
	}
	for _, debt := range st.owe {
		e.owe(s, debt.Member, debt.Owed)
	}
	r.Cursor, r.Paged, r.Skips, r.Cancelled = st.cursor, r.Paged+paged, r.Skips+st.skipped+len(st.planned)-paged, r.Cancelled+st.cancelled
	if r.Broadcast != "" && paged > 0 {
		r.FirstPage, r.LastPage = cmp.Or(r.FirstPage, first), s.page
	}
	if st.last() {
		r.State = bot.RunDone
		if r.Broadcast == "" {
			s.next.Slots = append(s.next.Slots, bot.SlotRun{Slot: r.Slot, Upto: r.Upto})
			s.fanned[r.Slot] = r
		}
		s.stirred[r.Slot] = s.next.Number
		s.next.then(func() { delete(s.slots, r.Slot) })
	}
	s.next.Runs = append(s.next.Runs, r.Run)
}

// plan makes one delivery. A debt that changed since the records were read is the loop's word. Where the subscription's delivery before is
// still open, one that only waits is folded into the new one; behind one that has begun the new one waits. nil: a person had all that it would
// bring delivered since the records were read.
func (e *Engine) plan(s *shard, r *run, p planned, ctl int64) *delivery {
	m := p.record.Member
	if m.Ordinal == 0 {
		return &delivery{
			shard: s, lane: e.lanes[p.record.Channel.Adapter], channel: p.record.Channel, ctl: ctl, part: 1, cut: p.cut,
			entry: bot.PageEntry{Member: m, Run: r.ID, Due: r.Due, Recipe: p.recipe},
		}
	}
	before := s.bySub[bot.SubscriptionID(m)]
	debt := s.debt(m)
	if before != nil && (before.begun() || before.behind != nil) {
		debt = nil // the one under way pays it
	}
	if !p.fixed && !sameDebt(debt, p.record.Owed) {
		p.record.Owed, p.cut = debt, nil
		recipe := bot.RecipeFor(p.record, r.Run)
		p.recipe = &recipe
	}
	if fired, ok := s.fired[bot.SubscriptionID(m)]; ok && !p.fixed {
		rest := since(p.recipe, fired, true, debt)
		switch {
		case rest == nil:
			return nil
		case rest == p.recipe: // the record has it by now
			delete(s.fired, bot.SubscriptionID(m))
		default:
			p.recipe, p.cut = rest, nil
		}
	}
	d := &delivery{shard: s, lane: e.lanes[p.record.Channel.Adapter], channel: p.record.Channel, calendar: p.calendar, ctl: ctl, part: 1}
	switch {
	case before == nil:
	case before.begun():
		d.wait(before)
	default:
		if before.behind != nil {
			d.wait(before.behind)
		}
		recipe := before.entry.Recipe.Joined(*p.recipe)
		p.recipe, p.cut = &recipe, nil
		d.attempts = before.attempts
		if !e.isPutOff(before, time.Now()) { // the calendar is asked again
			d.notBefore = before.notBefore
		}
		before.behind = nil
		e.end(before, bot.Skipped, codeFolded)
	}
	d.cut = p.cut
	d.entry = bot.PageEntry{Member: m, Run: r.ID, Due: r.Due, Recipe: p.recipe, Owed: p.record.Owed != nil}
	s.bySub[d.sub()] = d
	return d
}

// since is what a recipe brings beyond what has been offered up to a catalogue number, and the first digest if that was; what is owed stays in
// it. nil: nothing.
func since(r *bot.Recipe, upto int64, first bool, debt *bot.Owed) *bot.Recipe {
	first = first && r.First
	if upto == 0 || upto < r.From || upto == r.From && !first {
		return r
	}
	rest := *r
	rest.From, rest.First = upto, r.First && !first
	if debt != nil {
		rest.From, rest.First = min(upto, debt.From), rest.First || debt.First
	}
	if rest.From >= rest.Upto && !rest.First {
		return nil
	}
	return &rest
}

// offered is the catalogue number up to which a slot's last runs have planned what a subscription gets, and whether its first digest was in it.
func (s *shard) offered(slot string, sub bot.Subscription, m bot.SlotMember) (upto int64, first bool) {
	for _, r := range []*run{s.fanned[slot], s.slots[slot]} {
		if r != nil && (r.State == bot.RunDone || hex.EncodeToString([]byte(packMember(m))) <= r.Cursor) {
			upto, first = max(upto, r.Upto), first || !sub.SinceAt.After(r.Due)
		}
	}
	return upto, first
}

func sameDebt(a, b *bot.Owed) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

func (e *Engine) writePage(s *shard, lane string, deliveries []*delivery) {
	s.page++
	page := bot.Page{Number: s.page, Lane: lane, Entries: make([]bot.PageEntry, 0, len(deliveries))}
	for i, d := range deliveries {
		d.place = bot.Place{Page: s.page, Index: i}
		page.Entries = append(page.Entries, d.entry)
		s.opens(d)
	}
	s.next.Pages = append(s.next.Pages, page)
	s.next.paged = append(s.next.paged, deliveries...)
	s.next.note()
}
