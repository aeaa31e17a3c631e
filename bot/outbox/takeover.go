package outbox

import (
	"errors"
	"time"

	"weeklybot/bot"
)

// takeOver begins to own a shard: nothing happens in it until what the owner before left behind has been read.
func (e *Engine) takeOver(lease bot.Lease) {
	s := newShard(lease)
	e.shards[lease.Shard] = s
	e.work.Go(func() {
		for {
			t, deliveries, err := e.inherit(s, lease)
			if err == nil {
				e.tell(func() { e.takenOver(s, t, deliveries) })
				return
			}
			if !e.wait(err, "could not take over a shard; trying again") {
				return
			}
		}
	})
}

// inherit reads what is left to do in a shard and composes it.
func (e *Engine) inherit(s *shard, lease bot.Lease) (bot.Takeover, []*delivery, error) {
	t, faults, err := e.queue.Takeover(e.ctx, lease)
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
	var deliveries []*delivery
	for _, page := range t.Pages {
		rest, err := e.inheritPage(s, page, t.Ledger, flying)
		if err != nil {
			return t, nil, err
		}
		deliveries = append(deliveries, rest...)
	}
	return t, deliveries, nil
}

// inheritPage makes the open deliveries of a page. A delivery with a flight and no later outcome may have arrived.
func (e *Engine) inheritPage(s *shard, page bot.Page, ledger map[bot.Place]bot.Outcome, flying map[bot.Place]bot.Flight) ([]*delivery, error) {
	var members []string
	var open []*delivery
	for i, entry := range page.Entries {
		place := bot.Place{Page: page.Number, Index: i}
		o, known := ledger[place]
		if known && final(o.State) {
			continue
		}
		d := &delivery{shard: s, lane: e.lanes[page.Lane], place: place, entry: entry, part: 1}
		if known {
			d.attempts, d.done, d.first, d.notBefore = o.Attempts, o.Parts, o.First, o.NotBefore
			d.part, d.uncertain = o.Parts+1, o.State == bot.Uncertain
			d.cut = &cut{hash: o.Cut}
		}
		if f, ok := flying[place]; ok && f.Part == d.part {
			d.uncertain = true
		}
		members = append(members, packMember(entry.Member))
		open = append(open, d)
	}
	if len(open) == 0 {
		return nil, nil
	}
	records, _, err := e.queue.Records(e.ctx, s.lease.Shard, members)
	if err != nil {
		return nil, err
	}
	for i, d := range open {
		if err := e.inheritDelivery(d, records[i]); err != nil {
			return nil, err
		}
	}
	return open, nil
}

func (e *Engine) inheritDelivery(d *delivery, rec bot.Record) error {
	d.channel = rec.Channel
	d.unpaid = rec.Owed != nil && rec.Owed.From >= d.entry.Recipe.Upto // a newer run had joined it
	if rec.Gone || d.lane == nil {
		d.cut = nil
		return nil
	}
	if hash := d.cut; hash != nil && hash.hash != "" && (d.done > 0 || d.uncertain) {
		c, err := e.cuts.stored(e.ctx, hash.hash)
		if err == nil && d.part <= len(c.parts) {
			d.cut = c
			return nil
		}
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
	}
	c, err := e.cuts.of(e.ctx, d.lane.adapter, rec.Channel.Kind, d.entry.Recipe, d.entry.Due)
	if err == nil && c != nil && d.part > len(c.parts) {
		d.part = len(c.parts) // the stored cut is gone and the new one is shorter: repeat its last part rather than lose it
	}
	d.cut = c
	return err
}

func final(s bot.DeliveryState) bool {
	switch s {
	case bot.Queued, bot.Sending, bot.Uncertain:
		return false
	}
	return true
}

// takenOver puts the inherited deliveries on their way and goes on with open runs. Destinations that may have been posted to a moment ago
// keep their gap.
func (e *Engine) takenOver(s *shard, t bot.Takeover, deliveries []*delivery) {
	if s.lost {
		return
	}
	s.ready = true
	now := time.Now()
	for _, page := range t.Pages {
		s.pages[page.Number] = 0
	}
	for _, d := range deliveries {
		s.pages[d.place.Page]++
	}
	for number, left := range s.pages {
		if left == 0 {
			delete(s.pages, number)
			s.next.Finished = append(s.next.Finished, number)
		}
	}
	for lane := range t.Flights {
		s.next.touch(lane) // what was on the wire is accounted for below
	}
	for _, d := range deliveries {
		e.adopt(s, d, now)
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

func (e *Engine) adopt(s *shard, d *delivery, now time.Time) {
	s.open[d.place], s.bySub[d.sub()], d.ctl = d, d, s.lease.Ctl
	switch {
	case d.lane == nil:
		e.log.Warn("a delivery's platform is not configured; it is dead and owed", "delivery", d.id())
		d.lane = &lane{name: "none"}
		e.end(d, bot.Dead, "not_configured")
	case d.cut == nil && d.done == 0:
		e.end(d, bot.Skipped, ended) // unsubscribed, or nothing left to say
	case d.cut == nil:
		e.end(d, bot.Sent, "cut_gone")
	case d.uncertain && e.cfg.OnUncertain == Hold && !e.canTell(d):
		e.giveUp(d, bot.Held, &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "uncertain", MaybeSent: true, Err: errCrashed})
	default:
		if d.uncertain {
			d.lane.pace.used(d.channel, now)
			e.metrics.uncertain.WithLabelValues(d.lane.name).Inc()
			s.next.Outcomes = append(s.next.Outcomes, d.outcome(bot.Uncertain, "")) // the flight's record goes with the next commit
		}
		d.lane.push(d)
	}
}

var errCrashed = errors.New("the process ended while the post was on its way")
