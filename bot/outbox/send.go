package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
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
	stalled := e.stalled(now)
	for _, l := range e.lanes {
		l.wake(now)
		window := l.window + min(stalled[l], l.window)
		for l.flying < window {
			d := e.pop(l, now)
			if d == nil {
				break
			}
			switch free := l.pace.freeAt(d); {
			case e.putOff(d, now):
			case e.tooLate(d, now):
				e.end(d, bot.Missed, "window")
			case l.holds(d):
				e.park(d)
			case d.shard.stalled(now):
				d.shard.sending.paged = append(d.shard.sending.paged, d)
			case d.cut == nil || d.ctl < d.shard.lease.Ctl:
				l.reread(d)
			case l.pace.waits(d):
			case free.After(now):
				d.notBefore = free
				l.await(d)
			default:
				e.launch(d, now)
			}
		}
		for s := range l.stale {
			e.reread(l, s)
		}
	}
}

// stalled counts, by lane, the places of the window that shards without an answer hold. They come on top of the window, up to as many again,
// so that a lost master of a Cluster does not hold up the shards of the others: what such a shard is granted is not on the wire.
func (e *Engine) stalled(now time.Time) map[*lane]int {
	var held map[*lane]int
	for _, s := range e.shards {
		if !s.stalled(now) {
			continue
		}
		if held == nil {
			held = map[*lane]int{}
		}
		for _, b := range []*batch{s.sending, s.next} {
			for _, d := range b.granted {
				held[d.lane]++
			}
			for l, n := range b.landed {
				held[l] += n
			}
		}
	}
	return held
}

func (l *lane) reread(d *delivery) {
	if l.stale[d.shard] == nil {
		l.stale[d.shard] = &rereads{}
	}
	l.stale[d.shard].push(d)
}

// launch writes the flight of a delivery's next part into the commit being filled, and which cut goes out if the ledger does not know.
func (e *Engine) launch(d *delivery, now time.Time) {
	s, l := d.shard, d.lane
	l.pace.used(d, now)
	until := l.spaceOf(d.channel).spend()
	l.whole.spend() // its windows are long: what is late does not matter
	l.flying++
	d.notBefore = time.Time{}
	s.fly(d, now, until)
	if _, finds := l.adapter.(bot.Finder); !finds {
		d.whole = false // nobody can look: it goes out anew
	}
	if d.recorded != d.cut.hash && !d.whole {
		e.record(d, bot.Sending, "")
	}
	s.next.granted = append(s.next.granted, d)
}

// record writes down where a delivery stands.
func (e *Engine) record(d *delivery, state bot.DeliveryState, code string) {
	d.shard.next.Outcomes = append(d.shard.next.Outcomes, d.outcome(state, code))
	d.shard.next.note()
}

// fly notes that a part may be on the wire.
func (s *shard) fly(d *delivery, now, until time.Time) {
	d.flight = &flight{part: d.part, at: now, seat: len(s.flights[d.lane.name]), until: until}
	s.flights[d.lane.name] = append(s.flights[d.lane.name], d)
	s.next.touch(d.lane.name)
}

// unfly notes that nothing of d is on the wire any more. It keeps its place in the lane's window until the commit that says so goes out, with the
// flight in its place; while other commits have no answer, until that one has: what a crash may repeat is never more than a window; than two,
// while shards get no answer.
func (s *shard) unfly(d *delivery) {
	flights, seat := s.flights[d.lane.name], d.flight.seat
	last := flights[len(flights)-1]
	flights[seat], last.flight.seat = last, seat
	flights[len(flights)-1] = nil
	d.flight = nil
	s.flights[d.lane.name] = flights[:len(flights)-1]
	s.next.touch(d.lane.name)
	if s.lost {
		d.lane.flying--
		return
	}
	s.next.landed[d.lane]++
}

// result is what became of one post, or of one look for it.
type result struct {
	receipt bot.Receipt
	err     *bot.SendError
	looked  bool // the platform was asked about an earlier post
	found   bool
	unsent  bool          // nothing was tried
	again   time.Duration // after which it may be tried
}

// startWorkers starts the goroutines that post: as many as may be on the wire.
func (e *Engine) startWorkers(l *lane) {
	for range e.cfg.Workers {
		e.work.Go(func() {
			deadline := &deadline{parent: e.ctx, after: e.cfg.SendTimeout}
			for d := range l.jobs {
				began := time.Now()
				res := e.post(deadline.start(), l, d)
				deadline.stop()
				l.seconds.Observe(time.Since(began).Seconds())
				e.landed.put(d, res)
			}
		})
	}
}

// post sends one part, or looks whether the last try arrived after all. It runs in a worker and reads only what the loop leaves alone
// while the delivery is on the wire.
func (e *Engine) post(ctx context.Context, l *lane, d *delivery) result {
	switch {
	case d.shard.over():
		return result{unsent: true, again: time.Second}
	case !d.flight.until.IsZero() && time.Now().After(d.flight.until):
		return result{unsent: true}
	}
	ctx = bot.WithFence(ctx, d.shard.over)
	dst, err := e.cfg.Resolve(d.channel)
	if err != nil {
		return result{err: &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "not_configured", Err: err}}
	}
	if d.recalls() {
		return e.recallPost(ctx, l, d, dst)
	}
	p := bot.Post{Key: bot.DeliveryKey(d.id()), Part: d.part, Parts: len(d.cut.parts), First: d.first, Message: d.cut.parts[d.part-1]}
	if finder, ok := l.adapter.(bot.Finder); ok && d.uncertain {
		r, found, err := finder.Find(ctx, dst, p, d.entry.Due.Add(-clockSkew))
		return result{receipt: r, looked: true, found: found, err: sendError(err)}
	}
	receipt, err := l.adapter.Send(ctx, dst, p)
	return result{receipt: receipt, err: sendError(err)}
}

// deadline ends the posts of one worker that take too long. A context that did not end serves the next post as well.
type deadline struct {
	parent context.Context
	after  time.Duration
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
}

// start gives the context of one post.
func (d *deadline) start() context.Context {
	if d.ctx == nil {
		ctx, cancel := context.WithCancelCause(d.parent)
		d.ctx, d.cancel = ctx, cancel
		d.timer = time.AfterFunc(d.after, func() { cancel(context.DeadlineExceeded) })
	} else {
		d.timer.Reset(d.after)
	}
	return d.ctx
}

func (d *deadline) stop() {
	if !d.timer.Stop() {
		d.cancel(nil)
		d.ctx = nil
	}
}

// clockSkew is how far a platform's clock may be behind ours.
const clockSkew = time.Minute

func sendError(err error) *bot.SendError {
	if err == nil {
		return nil
	}
	if se, ok := errors.AsType[*bot.SendError](err); ok {
		return se
	}
	return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "internal", MaybeSent: true, Err: err}
}

// landings are what came of posts since the loop last looked. Workers put them in; the loop is woken when there are many, and looks by itself
// every flushSoon while something is on the wire: a wake-up for each would cost more than the rest of its bookkeeping.
type landings struct {
	mu   sync.Mutex
	list []landing
	wake int           // how many are many
	many chan struct{} // holds one: there are many
}

type landing struct {
	d   *delivery
	res result
}

func newLandings(wake int) *landings { return &landings{wake: wake, many: make(chan struct{}, 1)} }

func (q *landings) put(d *delivery, res result) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, landing{d, res})
	if len(q.list) == q.wake {
		q.many <- struct{}{} // never blocks: take empties both
	}
}

// take gives what there is; spare is filled next.
func (q *landings) take(spare []landing) []landing {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := q.list
	q.list = spare[:0]
	select {
	case <-q.many:
	default:
	}
	return list
}

// takeLanded handles what came of posts.
func (e *Engine) takeLanded() {
	list := e.landed.take(e.spare)
	for _, l := range list {
		e.land(l.d, l.res)
	}
	clear(list)
	e.spare = list
}

// land turns the result of a post into the delivery's next state.
func (e *Engine) land(d *delivery, res result) {
	d.shard.unfly(d)
	d.lane.pace.answered(d)
	if d.shard.lost {
		return
	}
	switch {
	case res.unsent:
		e.rest(d, "", res.again)
	case res.looked && res.err != nil:
		e.notLooked(d, res.err)
	case res.looked && !res.found:
		e.notFound(d)
	case res.looked && d.whole:
		d.done, d.first = 1, res.receipt
		e.end(d, bot.Sent, "")
	case res.err == nil:
		d.lane.accepted.Inc()
		e.arrived(d, res.receipt)
	default:
		e.count(d, string(res.err.Fault), res.err.Code)
		e.failed(d, res.err)
	}
}

// rest writes the delivery's state down and lets it wait; not longer than its window, at whose end it is missed.
func (e *Engine) rest(d *delivery, code string, after time.Duration) {
	d.notBefore = time.Now().Add(min(after, e.cfg.Window+e.cfg.Keep))
	if end := e.windowEnd(d); d.notBefore.After(end) {
		d.notBefore = end
	}
	state := bot.Queued
	if d.uncertain {
		state = bot.Uncertain
	}
	e.record(d, state, code)
	d.lane.push(d)
}

// notFound: a post that was looked for twice did not arrive, and is made again.
func (e *Engine) notFound(d *delivery) {
	if d.looks++; d.looks == 2 {
		d.uncertain, d.whole, d.looks = false, false, 0
		e.rest(d, "", 0)
		return
	}
	e.rest(d, "", e.cfg.LookAgain)
}

// notLooked: the platform did not say whether a post arrived. It is asked again; one that never says is as good as one that cannot.
func (e *Engine) notLooked(d *delivery, err *bot.SendError) {
	d.attempts++
	switch {
	case err.Fault == bot.RateLimited:
		d.attempts--
		e.limited(d, err)
	case d.attempts < e.cfg.MaxAttempts && err.Fault != bot.Permanent:
		e.rest(d, err.Code, e.backoff(d.attempts))
	case e.unknowable(d, err):
		e.log.Warn("a platform does not say whether a post arrived; it is posted again", "delivery", d.id(), "adapter", d.lane.name, "code", err.Code, "err", err.Err)
		d.uncertain, d.whole, d.looks, d.attempts = false, false, 0, 0
		e.rest(d, err.Code, 0)
	}
}

// unknowable does what is configured with a delivery that may have arrived when nobody can find out: it is held, or listed and posted again. It says
// whether it goes on.
func (e *Engine) unknowable(d *delivery, err *bot.SendError) (goesOn bool) {
	if e.cfg.OnUncertain == Hold {
		e.giveUp(d, bot.Held, err)
		return false
	}
	e.list(d, bot.Uncertain, err)
	return true
}

// arrived goes on with the next part, or ends the delivery.
func (e *Engine) arrived(d *delivery, receipt bot.Receipt) {
	e.arrivedAt(d)
	switch {
	case d.part == 1:
		d.first = receipt
	case d.ofChannel():
		d.rest = append(d.rest, receipt)
	}
	d.done, d.uncertain, d.whole, d.looks = d.part, false, false, 0
	if d.part < len(d.cut.parts) {
		d.part++
		e.rest(d, "", 0)
		return
	}
	if d.recalls() {
		e.end(d, bot.Recalled, "")
		return
	}
	e.end(d, bot.Sent, "")
}

// failed does what the fault leads to.
func (e *Engine) failed(d *delivery, err *bot.SendError) {
	if err.MaybeSent {
		d.uncertain, d.looks = true, 0
		e.metrics.uncertain.WithLabelValues(d.lane.name).Inc()
		if !e.canTell(d) && !e.unknowable(d, err) {
			return
		}
	}
	effect := err.Effect()
	if _, has := bot.WorkspaceOf(d.channel); effect == bot.Hold && !has {
		effect = bot.Probation // a channel of no workspace stands for itself
	}
	switch effect {
	case bot.Wait:
		e.limited(d, err)
	case bot.Hold:
		e.hold(d, err)
	case bot.Probation, bot.Ask:
		e.ail(d, err)
		e.giveUp(d, bot.Dead, err)
	case bot.RetryOnce:
		e.retryUnknown(d, err)
	case bot.Degrade:
		if d.plain || d.uncertain || d.recalls() {
			e.giveUp(d, bot.Dead, err)
			return
		}
		e.degrade(d, err)
	case bot.Drop:
		e.giveUp(d, bot.Dead, err)
	default:
		e.retry(d, err)
	}
}

// retry tries the same post again after a while, not for ever.
func (e *Engine) retry(d *delivery, err *bot.SendError) {
	if d.attempts++; d.attempts >= e.cfg.MaxAttempts {
		e.giveUp(d, bot.Dead, err)
		return
	}
	e.rest(d, err.Code, e.backoff(d.attempts))
}

// retryUnknown: what a code means that nobody documents, a second try shows.
func (e *Engine) retryUnknown(d *delivery, err *bot.SendError) {
	e.metrics.unknown.WithLabelValues(d.lane.name).Inc()
	if d.unknown {
		e.giveUp(d, bot.Dead, err)
		return
	}
	e.log.Warn("a platform answered with a code that is not documented; trying once more", "delivery", d.id(), "adapter", d.lane.name, "code", err.Code, "err", err.Err)
	d.unknown = true
	e.retry(d, err)
}

// limited waits as long as the platform said; with it wait all posts that the limit is about.
func (e *Engine) limited(d *delivery, err *bot.SendError) {
	after := min(err.RetryAfter, e.cfg.Window)
	if after <= 0 {
		after = limitWait
	}
	switch {
	case err.Action == bot.ActAll:
		e.block(d.lane, d.lane.whole, after)
	case err.Scope == bot.ScopeWorkspace || d.lane.shared(d.channel) != "":
		e.block(d.lane, d.lane.spaceOf(d.channel), after)
	}
	d.lane.pace.block(d.entry.Member.Channel, time.Now().Add(after))
	e.rest(d, err.Code, after)
}

func (e *Engine) backoff(attempt int) time.Duration {
	return backoff(e.cfg.Backoff, attempt, rand.Float64())
}

// canTell says whether a post that may have arrived can be looked up, or repeated without harm.
func (e *Engine) canTell(d *delivery) bool {
	_, finds := d.lane.adapter.(bot.Finder)
	return finds || d.recalls() || d.lane.adapter.Capabilities(d.channel.Kind).Idempotent
}

// giveUp ends a delivery that did not arrive: people see it, and the subscription is owed what it held.
func (e *Engine) giveUp(d *delivery, state bot.DeliveryState, err *bot.SendError) {
	e.log.Warn("a delivery did not arrive", "delivery", d.id(), "adapter", d.lane.name, "channel", d.channel.Name, "state", string(state),
		"code", err.Code, "fault", string(err.Fault), "attempt", d.attempts, "err", err.Err)
	e.list(d, state, err)
	e.end(d, state, err.Code)
}

// list puts a delivery where people see it: one that did not arrive, or one that may arrive twice.
func (e *Engine) list(d *delivery, state bot.DeliveryState, err *bot.SendError) {
	d.shard.next.Letters = append(d.shard.next.Letters, bot.DeadLetter{
		ID: d.id(), State: state, Channel: d.lane.name + " " + string(d.channel.Kind) + " " + d.channel.Name, Sub: d.sub().String(), Run: d.entry.Run,
		Code: err.Code, Reason: err.Error(), At: time.Now(), Place: d.place,
	})
	d.shard.next.note()
}

// Codes of deliveries that end without a post. What is paused, or skipped on a holiday, is still owed.
const (
	codeEnded   = "ended"   // unsubscribed
	codeFolded  = "folded"  // the delivery of a later run holds it
	codeHoliday = "holiday" // nothing comes on one
	codeNothing = "nothing" // there is nothing to say
	codePaused  = "paused"
	codeStopped = "stopped" // the broadcast was cancelled
)

// end writes a delivery's last state and forgets it.
func (e *Engine) end(d *delivery, state bot.DeliveryState, code string) {
	s := d.shard
	d.over = true
	e.record(d, state, code)
	s.next.count(d.entry.Run, state)
	e.metrics.deliveries.WithLabelValues(d.lane.name, string(state)).Inc()
	e.settle(d, state, code)
	defer e.release(d, state)
	if s.bySub[d.sub()] == d {
		delete(s.bySub, d.sub())
	}
	s.closes(d)
}

// release lets the delivery go that waited behind d. When d did not arrive, what both hold comes with the next run, in one digest.
func (e *Engine) release(d *delivery, state bot.DeliveryState) {
	next := d.follows
	if next == nil || next.over || next.behind != d {
		return
	}
	next.behind = nil
	if _, owed := d.shard.owed[d.entry.Member]; owed && state != bot.Sent {
		e.end(next, bot.Skipped, codeFolded)
		return
	}
	if next.paged {
		next.lane.push(next) // else the commit that holds its page does, and only that
	}
}

// settle says what the subscription is owed after a delivery.
func (e *Engine) settle(d *delivery, state bot.DeliveryState, code string) {
	s, m, recipe := d.shard, d.entry.Member, d.entry.Recipe
	switch {
	case d.ofChannel(): // nobody is owed a broadcast
	case code == codeFolded:
	case d.gone || code == codeEnded:
		if _, ok := s.owed[m]; ok {
			s.paid(m) // nobody is there to be owed
		}
	case state != bot.Sent && code != codeNothing:
		debt := bot.Owed{From: recipe.From, First: recipe.First}
		if state != bot.Skipped {
			debt.Times = 1
		}
		e.owe(s, m, debt)
	case d.entry.Owed && state == bot.Sent:
		s.paid(m)
	}
}

// undelivered is at how many planned dates in a row a subscription gets nothing before people are told.
const undelivered = 3

// owe notes what a member is still to get; people are told when it was in vain too often.
func (e *Engine) owe(s *shard, m bot.SlotMember, debt bot.Owed) {
	s.owe(m, debt)
	if owed := s.owed[m]; debt.Times > 0 && owed.Times >= undelivered {
		e.cfg.Alarm.Undelivered(bot.SubscriptionID(m), owed)
	}
}

func (e *Engine) count(d *delivery, fault, code string) {
	e.metrics.attempts.WithLabelValues(d.lane.name, fault, code).Inc()
}
