package outbox

import (
	"errors"
	"time"

	"weeklybot/bot"
)

// takeOver begins to own a shard: nothing happens in it until what the owner before left behind has been read.
func (e *Engine) takeOver(lease bot.Lease, asked time.Time) {
	s := newShard(e.ctx, lease)
	s.renewed.Store(asked.UnixMilli())
	e.shards[lease.Shard] = s
	e.work.Go(func() {
		for {
			t, deliveries, err := e.inherit(s, lease)
			if err == nil {
				e.tell(func() { e.takenOver(s, t, deliveries) })
				return
			}
			if !e.wait(s, err, "could not take over a shard; trying again") {
				return
			}
		}
	})
}

// inherit reads what is left to do in a shard. Nothing is composed: one digest that cannot be composed must not keep a shard from working.
func (e *Engine) inherit(s *shard, lease bot.Lease) (bot.Takeover, []*delivery, error) {
	t, faults, err := e.queue.Takeover(s.ctx, lease)
	for _, f := range faults {
		e.log.Error("a stored record is damaged and left out", "err", f)
	}
	if err != nil {
		return t, nil, err
	}
	flying := map[bot.Place]bot.Flight{}
	for _, flights := range t.Flights {
		for _, f := range flights {
			flying[f.Place] = f
		}
	}
	stored := map[string]*cut{}
	var deliveries []*delivery
	for _, page := range t.Pages {
		rest := e.inheritPage(s, page, t, flying)
		if err := e.inheritRecords(s, rest); err != nil {
			return t, nil, err
		}
		for _, d := range rest {
			if err := e.inheritCut(s, d, stored); err != nil {
				return t, nil, err
			}
		}
		deliveries = append(deliveries, rest...)
	}
	return t, deliveries, nil
}

// inheritPage makes the open deliveries of a page. A delivery with a flight and no later outcome may have arrived.
func (e *Engine) inheritPage(s *shard, page bot.Page, t bot.Takeover, flying map[bot.Place]bot.Flight) []*delivery {
	var open []*delivery
	for i, entry := range page.Entries {
		place := bot.Place{Page: page.Number, Index: i}
		o, known := t.Ledger[place]
		if known && o.State.Over() {
			continue
		}
		d := &delivery{shard: s, lane: e.lanes[page.Lane], place: place, entry: entry, part: 1, ctl: t.Lease.Ctl, paged: true}
		if known {
			d.attempts, d.done, d.first, d.rest, d.notBefore, d.recorded = o.Attempts, o.Parts, o.First, o.Rest, o.NotBefore, o.Cut
			d.part, d.uncertain = o.Parts+1, o.State == bot.Uncertain
		}
		if f, ok := flying[place]; ok && f.Part == d.part {
			d.uncertain = true
		}
		d.whole = d.uncertain && d.recorded == "" && !d.recalls() // the cut of a digest of several parts is in the ledger before any is out
		open = append(open, d)
	}
	return open
}

func (e *Engine) inheritRecords(s *shard, open []*delivery) error {
	members := make([]string, len(open))
	for i, d := range open {
		members[i] = packMember(d.entry.Member)
	}
	if len(open) == 0 {
		return nil
	}
	records, _, err := e.queue.Records(s.ctx, s.lease.Shard, members)
	if err != nil {
		return err
	}
	var last *calendar
	for i, d := range open {
		last = calendarOf(&records[i].Sub, last)
		d.channel, d.calendar, d.gone = records[i].Channel, last, records[i].Gone
	}
	return nil
}

// inheritCut reads the parts of a delivery that the owner before began to send. A delivery without is composed before it goes.
func (e *Engine) inheritCut(s *shard, d *delivery, stored map[string]*cut) error {
	if d.recorded == "" || !d.begun() {
		return nil
	}
	if stored[d.recorded] == nil {
		c, err := e.cuts.stored(s.ctx, d.recorded)
		if errors.Is(err, bot.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		stored[d.recorded] = c
	}
	if c := stored[d.recorded]; d.part <= len(c.parts) {
		d.cut = c
	}
	return nil
}

// takenOver puts the inherited deliveries on their way and goes on with open runs. Destinations may have been posted to a
// moment ago, and keep their gap.
func (e *Engine) takenOver(s *shard, t bot.Takeover, deliveries []*delivery) {
	if s.lost {
		return
	}
	s.ready, s.owed, s.ill = true, t.Owed, t.Ill
	if t.Lease.Epoch > 1 { // else nobody had it before
		s.since = time.Now()
	}
	e.repeatAlarms(s)
	for _, d := range deliveries {
		s.opens(d)
	}
	for _, page := range t.Pages {
		if s.pages[page.Number] == nil {
			s.next.Finished = append(s.next.Finished, page.Number)
			s.next.note()
		}
	}
	for lane := range t.Flights {
		s.next.touch(lane) // what was on the wire is accounted for below
	}
	for _, d := range deliveries {
		e.adopt(s, d)
	}
	for _, r := range t.Runs {
		open := &run{Run: r}
		s.slots[r.Slot] = open
		e.fanOut(s, open)
	}
	if len(deliveries) > 0 || len(t.Runs) > 0 {
		e.log.Info("took over a shard with work left", "shard", s.lease.Shard, "deliveries", len(deliveries), "runs", len(t.Runs))
	}
}

// alarmAgain is how old an ailment may be at a takeover for people to be told of it again, if they have not been.
const alarmAgain = 24 * time.Hour

// repeatAlarms says again what the owner before may have recorded without people having been told: it may have been killed in between. Of debts those
// that have grown since are said again anyway, and old ailments at the next planned time.
func (e *Engine) repeatAlarms(s *shard) {
	for id, a := range s.ill {
		if time.Since(a.Since) < alarmAgain {
			e.cfg.Alarm.Ailing(id, a)
		}
	}
	for m, owed := range s.owed {
		if owed.Times == undelivered {
			e.cfg.Alarm.Undelivered(bot.SubscriptionID(m), owed)
		}
	}
}

func (e *Engine) adopt(s *shard, d *delivery) {
	if !d.ofChannel() {
		if before := s.bySub[d.sub()]; before != nil {
			d.wait(before)
		}
		s.bySub[d.sub()] = d
	}
	switch {
	case d.lane == nil:
		e.log.Warn("a delivery's platform is not configured; it is dead and owed", "delivery", d.id())
		d.lane = &lane{name: "none"}
		e.end(d, bot.Dead, "not_configured")
	case d.gone && !d.begun():
		e.end(d, bot.Skipped, codeEnded)
	case !d.uncertain:
		d.lane.push(d)
	case e.canTell(d) || e.unknowable(d, &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "uncertain", MaybeSent: true, Err: errCrashed}):
		e.metrics.uncertain.WithLabelValues(d.lane.name).Inc()
		e.record(d, bot.Uncertain, "") // the flight's record goes with the next commit
		d.lane.push(d)
	}
}

var (
	errCrashed = errors.New("the process ended while the post was on its way")
	errCutGone = errors.New("part of it may have arrived, and what it was made from is gone")
)
