package outbox

import (
	"strings"
	"time"

	"weeklybot/bot"
)

// calendar is when a subscription's digests should not come, and on whose clock: what its record says, not what that means today.
type calendar struct {
	except bot.Except
	zone   string
}

func calendarOf(s bot.Subscription) calendar { return calendar{s.Except, s.Schedule.Zone} }

// from is the first moment at or after t at which a digest may begin; skip says that this one does not come at all. A broadcast, and what a
// person orders to come now, may at any time.
func (e *Engine) from(d *delivery, t time.Time) (at time.Time, skip bool) {
	if e.cfg.When == nil || d.ofChannel() {
		return t, false
	}
	if at, skip = e.cfg.When(d.calendar.zone, d.calendar.except, t); (skip || at.After(t)) && d.ordered() {
		return t, false
	}
	return at, skip
}

// ordered says that a person wants this delivery now.
func (d *delivery) ordered() bool {
	kind, _, _ := strings.Cut(d.entry.Run, "@")
	return kind == string(bot.OrderFire) || kind == string(bot.OrderReplay)
}

// rests asks a delivery's calendar, when it is about to go and only then: in quiet hours it waits for their end, on a holiday for a workday, or it
// ends and is owed. What has begun goes on. One that waits is read and composed anew when its time has come.
func (e *Engine) rests(d *delivery, now time.Time) bool {
	if d.begun() {
		return false
	}
	at, skip := e.from(d, now)
	switch {
	case skip:
		e.end(d, bot.Skipped, codeHoliday)
	case at.After(now):
		d.cut, d.plain, d.probe, d.notBefore = nil, false, false, at
		d.lane.push(d)
	default:
		return false
	}
	return true
}

// windowEnd is the first moment at which a delivery is too late. The window begins when the digest may come; one that would end in quiet hours or
// on a holiday begins anew after them. One that has begun may go on for as long as its parts are kept.
func (e *Engine) windowEnd(d *delivery) time.Time {
	window := e.cfg.Window + time.Second
	begin, _ := e.from(d, d.entry.Due)
	end := begin.Add(window)
	if later, _ := e.from(d, end); later.After(end) {
		end = later.Add(window)
	}
	if d.begun() {
		end = end.Add(e.cfg.Keep)
	}
	return end
}

// tooLate says that a delivery's window is over.
func (e *Engine) tooLate(d *delivery, now time.Time) bool {
	return now.Sub(d.entry.Due) > e.cfg.Window && !now.Before(e.windowEnd(d))
}
