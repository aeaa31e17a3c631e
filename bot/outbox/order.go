package outbox

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"weeklybot/bot"
)

// orders is what one reading of a shard's orders found.
type orders struct {
	upto int64 // all up to this one can be carried out
	list []prepared
}

// prepared is an order with what is needed to carry it out.
type prepared struct {
	bot.Order
	plan    planned
	outcome bot.Outcome // replay: what was done already
	ready   bool
}

// obey carries out what people have ordered since this shard last looked, in order.
func (e *Engine) obey(s *shard) {
	if s.obeying || e.orders <= s.order {
		return
	}
	s.obeying = true
	from, upto := s.order, e.orders
	e.work.Go(func() {
		found, err := e.readOrders(s, from, upto)
		e.tell(func() {
			s.obeying = false
			switch {
			case s.lost || s.leaving:
			case err != nil:
				e.log.Warn("could not read orders; trying again", "shard", s.lease.Shard, "err", err)
			default:
				e.carryOut(s, found)
			}
		})
	})
}

func (e *Engine) readOrders(s *shard, from, upto int64) (found orders, err error) {
	list, err := e.queue.Orders(s.ctx, from, upto)
	if err != nil {
		return found, err
	}
	found.upto = from
	for _, o := range list {
		p := prepared{Order: o}
		if o.Everywhere() || o.Shard == s.lease.Shard {
			if p, err = e.prepare(s, o); err != nil {
				return found, err
			}
		}
		found.list, found.upto = append(found.list, p), o.Number
	}
	return found, nil
}

// prepare reads what an order needs. One that makes no sense any more comes back not ready: it is passed over.
func (e *Engine) prepare(s *shard, o bot.Order) (p prepared, err error) {
	p.Order = o
	switch o.Kind {
	case bot.OrderBroadcast, bot.OrderStop, bot.OrderRecall:
		p.ready = true
	case bot.OrderFire:
		err = e.prepareFire(s, &p)
	case bot.OrderReplay, bot.OrderDrop:
		err = e.prepareLetter(s, &p)
	}
	if errors.Is(err, bot.ErrNotFound) {
		p.ready, err = false, nil
	}
	p.ready = p.ready || o.Kind == bot.OrderDrop // also when its page is thrown away, or its subscription has ended
	return p, err
}

// prepareFire notes that the subscription has been offered what it is about to get, before it is paged: the order holds the recipe, so that
// this may be repeated.
func (e *Engine) prepareFire(s *shard, p *prepared) error {
	id, err := bot.ParseSubscriptionID(p.Sub)
	if err != nil || p.Recipe == nil {
		return bot.ErrNotFound
	}
	p.plan = planned{recipe: p.Recipe, fixed: true}
	if err := e.planOne(s, p, bot.SlotMember(id)); err != nil { // the record as it is before it knows
		return err
	}
	return e.queue.Offered(s.ctx, id, p.Recipe.Upto)
}

// prepareLetter reads the delivery of a dead letter, and what of it was done.
func (e *Engine) prepareLetter(s *shard, p *prepared) error {
	letter, err := e.queue.Letter(s.ctx, s.lease.Shard, p.Letter)
	if err != nil {
		return err
	}
	list, _, err := e.queue.Delivered(s.ctx, s.lease.Shard, letter.Run, []int64{letter.Place.Page})
	if err != nil {
		return err
	}
	k := slices.IndexFunc(list, func(d bot.Delivered) bool { return d.Outcome.Place == letter.Place })
	if k < 0 {
		return bot.ErrNotFound
	}
	p.outcome = list[k].Outcome
	p.plan = planned{recipe: list[k].Entry.Recipe, fixed: true}
	if p.outcome.Cut != "" && p.outcome.Parts > 0 {
		p.plan.cut, err = e.cuts.stored(s.ctx, p.outcome.Cut)
		if errors.Is(err, bot.ErrNotFound) {
			p.outcome.Parts, err = 0, nil // it goes out whole
		}
		if err != nil {
			return err
		}
	}
	return e.planOne(s, p, list[k].Entry.Member)
}

// planOne reads the record of the one member that an order is about.
func (e *Engine) planOne(s *shard, p *prepared, m bot.SlotMember) error {
	records, _, err := e.queue.Records(s.ctx, s.lease.Shard, []string{packMember(m)})
	if err != nil {
		return err
	}
	p.plan.record, p.plan.calendar = &records[0], calendarOf(&records[0].Sub, nil)
	p.ready = !records[0].Gone && e.lanes[records[0].Channel.Adapter] != nil
	return nil
}

// carryOut writes the orders' runs and deliveries, with the number of the last order, into the commit being filled. An order that has to wait
// ends the list: the rest comes with a later beat.
func (e *Engine) carryOut(s *shard, found orders) {
	for _, o := range found.list {
		if o.ready && !e.carryOutOne(s, o) {
			return
		}
		if o.Number > s.order {
			s.order, s.next.Order = o.Number, o.Number
			s.next.note()
		}
	}
}

func (e *Engine) carryOutOne(s *shard, o prepared) bool {
	now := time.Now()
	switch o.Kind {
	case bot.OrderBroadcast, bot.OrderRecall:
		slot := string(o.Kind) + ":" + o.Broadcast
		if s.slots[slot] != nil {
			return false // its run before is still being fanned out
		}
		s.next.Stir = s.next.Stir || o.Kind == bot.OrderRecall
		e.fire(s, bot.Run{ID: o.Run, Slot: slot, Due: o.Due, Fired: now, State: bot.RunOpen, Broadcast: o.Broadcast, Recalls: o.Recalls}, time.Time{})
	case bot.OrderStop:
		s.next.Stir = true
	case bot.OrderFire:
		e.fireOne(s, o, now)
	case bot.OrderReplay:
		e.replay(s, o, now)
	case bot.OrderDrop:
		e.drop(s, o)
	}
	return true
}

// replay delivers a dead letter after all: the same recipe, in the same cut, from the part that is missing. What came, or is about to come, with
// a later digest is not sent again.
func (e *Engine) replay(s *shard, o prepared, now time.Time) {
	m := o.plan.record.Member
	if !s.dropLetter(o.Letter) || m.Ordinal > 0 && (s.debt(m) == nil || s.bySub[bot.SubscriptionID(m)] != nil) {
		return
	}
	e.deliverOne(s, o, now)
}

// fireOne delivers what a person ordered, but for what the subscription's own schedule, or an order before, has brought since. What of that still
// waits goes along.
func (e *Engine) fireOne(s *shard, o prepared, now time.Time) {
	rec := o.plan.record
	sub := bot.SubscriptionID(rec.Member)
	upto, first := s.offered(o.Slot, rec.Sub, rec.Member)
	if fired, ok := s.fired[sub]; ok {
		upto, first = max(upto, fired), true
	}
	if before := s.bySub[sub]; before == nil || before.begun() {
		o.plan.recipe = since(o.plan.recipe, upto, first, s.debt(rec.Member))
	}
	if o.plan.recipe == nil {
		return
	}
	s.fired[sub] = o.plan.recipe.Upto
	e.deliverOne(s, o, now)
}

// deliverOne pages the one delivery of an order.
func (e *Engine) deliverOne(s *shard, o prepared, now time.Time) {
	p := o.plan
	if debt := s.debt(p.record.Member); debt != nil && p.recipe.From <= debt.From {
		p.record.Owed = debt
	} else {
		p.record.Owed = nil
	}
	r := &run{Run: bot.Run{ID: string(o.Kind) + "@" + strconv.FormatInt(o.Number, 10), Due: now, Fired: now, State: bot.RunDone, Paged: 1}}
	d := e.plan(s, r, p, s.lease.Ctl)
	if o.outcome.Parts > 0 {
		d.done, d.first, d.rest, d.recorded, d.part = o.outcome.Parts, o.outcome.First, o.outcome.Rest, o.outcome.Cut, o.outcome.Parts+1
	}
	e.writePage(s, d.lane.name, []*delivery{d})
	s.next.Runs = append(s.next.Runs, r.Run)
	if d.done > 0 {
		e.record(d, bot.Queued, "")
	}
}

// drop settles a dead letter without a delivery. What was held counts as arrived: it is owed no more, only what came after it.
func (e *Engine) drop(s *shard, o prepared) {
	if !s.dropLetter(o.Letter) || o.outcome.State != bot.Held {
		return
	}
	m, recipe := o.plan.record.Member, o.plan.recipe
	if debt := s.debt(m); m.Ordinal > 0 && debt != nil && debt.From == recipe.From {
		s.paid(m)
		s.owe(m, bot.Owed{From: recipe.Upto})
	}
}

// dropLetter takes a dead letter off the list; false when an order before did.
func (s *shard) dropLetter(id string) bool {
	if s.dropped[id] {
		return false
	}
	s.dropped[id] = true
	s.next.Dropped = append(s.next.Dropped, id)
	s.next.note()
	return true
}
