package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"weeklybot/bot"
)

// grant lets as many ready deliveries go as fit on the wire. Each is written down as a flight first: it is handed to a worker when the
// commit that says so is acknowledged.
func (e *Engine) grant() {
	if e.stopping {
		return
	}
	now := time.Now()
	for _, l := range e.lanes {
		l.wake(now)
		var held []*delivery
		again := map[*shard][]*delivery{}
		for len(l.ready) > 0 && l.flying < l.window {
			d := l.ready[0]
			l.ready = l.ready[1:]
			switch {
			case d.shard.lost:
			case d.shard.leaving:
				held = append(held, d)
			case d.ctl < d.shard.lease.Ctl || d.refold != nil:
				again[d.shard] = append(again[d.shard], d)
			case now.After(d.entry.Due.Add(e.cfg.Window)) && d.done == 0 && !d.uncertain:
				e.end(d, bot.Missed, "window")
			case l.pace.freeAt(d.channel).After(now):
				d.notBefore = l.pace.freeAt(d.channel)
				l.push(d)
			default:
				e.launch(d, now)
			}
		}
		if len(held) > 0 {
			l.ready = append(held, l.ready...)
		}
		for s, deliveries := range again {
			e.reread(s, deliveries)
		}
	}
}

// launch writes the flight of a delivery's next part into the commit being filled.
func (e *Engine) launch(d *delivery, now time.Time) {
	s, l := d.shard, d.lane
	l.pace.used(d.channel, now)
	l.flying++
	d.flightPart, d.notBefore = d.part, time.Time{}
	s.fly(d, now)
	if d.cut.hash != "" && d.done == 0 && d.attempts == 0 {
		s.next.Outcomes = append(s.next.Outcomes, d.outcome(bot.Sending, "")) // which cut goes out
	}
	s.next.then(func() {
		if s.lost {
			return
		}
		d.onWire = true
		l.jobs <- d // never blocks: the channel holds a whole window
	})
}

// fly notes that a part may be on the wire.
func (s *shard) fly(d *delivery, now time.Time) {
	if s.flights[d.lane.name] == nil {
		s.flights[d.lane.name] = map[*delivery]bot.Flight{}
	}
	s.flights[d.lane.name][d] = bot.Flight{Place: d.place, Part: d.part, At: now}
	s.next.touch(d.lane.name)
}

// land notes that nothing of d is on the wire any more.
func (e *Engine) land(d *delivery) {
	d.flightPart, d.onWire = 0, false
	d.lane.flying--
	delete(d.shard.flights[d.lane.name], d)
	d.shard.next.touch(d.lane.name)
}

// result is what became of one post, or of one look for it.
type result struct {
	receipt bot.Receipt
	err     *bot.SendError
	looked  bool // the platform was asked about an earlier post
	found   bool
}

// startWorkers starts the goroutines that post: as many as may be on the wire.
func (e *Engine) startWorkers(l *lane) {
	for range l.window {
		e.work.Go(func() {
			for d := range l.jobs {
				began := time.Now()
				res := e.post(l, d)
				e.metrics.seconds.WithLabelValues(l.name).Observe(time.Since(began).Seconds())
				e.tell(func() { e.landed(d, res) })
			}
		})
	}
}

// post sends one part, or looks whether the last try arrived after all. It runs in a worker and reads only what the loop leaves alone
// while the delivery is on the wire.
func (e *Engine) post(l *lane, d *delivery) result {
	ctx, cancel := context.WithTimeout(e.ctx, e.cfg.SendTimeout)
	defer cancel()
	dst, err := e.cfg.Resolve(d.channel)
	if err != nil {
		return result{err: &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "not_configured", Err: err}}
	}
	p := bot.Post{Key: bot.DeliveryKey(d.id()), Part: d.part, Parts: len(d.cut.parts), First: d.first, Message: d.cut.parts[d.part-1]}
	if finder, ok := l.adapter.(bot.Finder); ok && d.uncertain && d.looks < 2 {
		r, found, err := finder.Find(ctx, dst, p, d.entry.Due)
		if err == nil {
			return result{receipt: r, looked: true, found: found}
		}
		e.log.Warn("could not look for a post; treating it as not found", "delivery", d.id(), "adapter", l.name, "err", err)
	}
	receipt, err := l.adapter.Send(ctx, dst, p)
	if err == nil {
		return result{receipt: receipt}
	}
	if se, ok := errors.AsType[*bot.SendError](err); ok {
		return result{err: se}
	}
	return result{err: &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "internal", MaybeSent: true, Err: err}}
}

// landed turns the result of a post into the delivery's next state.
func (e *Engine) landed(d *delivery, res result) {
	e.land(d)
	if d.shard.lost {
		return
	}
	switch {
	case res.looked && !res.found:
		d.looks++
		e.rest(d, bot.Uncertain, "", e.cfg.LookAgain)
	case res.err == nil:
		e.count(d, "", "")
		e.arrived(d, res.receipt)
	default:
		e.count(d, string(res.err.Fault), res.err.Code)
		e.failed(d, res.err)
	}
}

// rest writes the delivery's state down and lets it wait.
func (e *Engine) rest(d *delivery, state bot.DeliveryState, code string, after time.Duration) {
	d.notBefore = time.Now().Add(after)
	d.shard.next.Outcomes = append(d.shard.next.Outcomes, d.outcome(state, code))
	d.lane.push(d)
}

// arrived goes on with the next part, or ends the delivery.
func (e *Engine) arrived(d *delivery, receipt bot.Receipt) {
	if d.part == 1 {
		d.first = receipt
	}
	d.done, d.uncertain, d.looks = d.part, false, 0
	if d.part < len(d.cut.parts) {
		d.part++
		e.rest(d, bot.Queued, "", 0)
		return
	}
	if (d.entry.Owed || d.folded) && !d.unpaid {
		d.shard.next.Paid = append(d.shard.next.Paid, d.entry.Member)
	}
	e.end(d, bot.Sent, "")
}

// failed decides between waiting, trying again and giving up.
func (e *Engine) failed(d *delivery, err *bot.SendError) {
	now := time.Now()
	if err.MaybeSent {
		d.uncertain = true
		if e.cfg.OnUncertain == Hold && !e.canTell(d) {
			e.giveUp(d, bot.Held, err)
			return
		}
	}
	switch {
	case err.Fault == bot.RateLimited:
		after := err.RetryAfter
		if after <= 0 {
			after = limitWait
		}
		d.lane.pace.block(d.channel, now.Add(after))
		e.rest(d, bot.Queued, err.Code, after)
	case err.Fault == bot.Permanent:
		e.giveUp(d, bot.Dead, err)
	default:
		d.attempts++
		if d.attempts >= e.cfg.MaxAttempts {
			e.giveUp(d, bot.Dead, err)
			return
		}
		state := bot.Queued
		if err.MaybeSent {
			state = bot.Uncertain
		}
		e.rest(d, state, err.Code, backoff(d.attempts, rand.Float64()))
	}
}

// canTell says whether a post that may have arrived can be looked up, or repeated without harm.
func (e *Engine) canTell(d *delivery) bool {
	_, finds := d.lane.adapter.(bot.Finder)
	return finds || d.lane.adapter.Capabilities(d.channel.Kind).Idempotent
}

// giveUp ends a delivery that did not arrive: people see it, and the subscription is owed what it held.
func (e *Engine) giveUp(d *delivery, state bot.DeliveryState, err *bot.SendError) {
	e.log.Warn("a delivery did not arrive", "delivery", d.id(), "adapter", d.lane.name, "channel", d.channel.Name, "state", string(state),
		"code", err.Code, "fault", string(err.Fault), "attempt", d.attempts, "err", err.Err)
	d.shard.next.Letters = append(d.shard.next.Letters, bot.DeadLetter{
		ID: d.id(), State: state, Channel: d.lane.name + " " + string(d.channel.Kind) + " " + d.channel.Name, Sub: d.sub().String(), Run: d.entry.Run,
		Code: err.Code, Reason: err.Error(), At: time.Now(), Place: d.place,
	})
	e.end(d, state, err.Code)
}

// end writes a delivery's last state and forgets it.
func (e *Engine) end(d *delivery, state bot.DeliveryState, code string) {
	s := d.shard
	s.next.Outcomes = append(s.next.Outcomes, d.outcome(state, code))
	s.next.count(d.entry.Run, state)
	e.metrics.deliveries.WithLabelValues(d.lane.name, string(state)).Inc()
	if r := d.entry.Recipe; state != bot.Sent && code != ended {
		s.next.Owe = append(s.next.Owe, bot.Debt{Member: d.entry.Member, Owed: bot.Owed{From: r.From, First: r.First}})
	}
	delete(s.open, d.place)
	if s.bySub[d.sub()] == d {
		delete(s.bySub, d.sub())
	}
	s.pages[d.place.Page]--
	if s.pages[d.place.Page] == 0 {
		delete(s.pages, d.place.Page)
		s.next.Finished = append(s.next.Finished, d.place.Page)
	}
}

// ended is the code of a delivery whose subscription is no more: nothing is owed.
const ended = "ended"

func (e *Engine) count(d *delivery, fault, code string) {
	e.metrics.attempts.WithLabelValues(d.lane.name, fault, code).Inc()
}
