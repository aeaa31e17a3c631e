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

// calendarOf is the calendar of a subscription: the one given, where it is the same. Most members of a slot share one.
func calendarOf(s *bot.Subscription, last *calendar) *calendar {
	c := calendar{s.Except, s.Schedule.Zone}
	if last != nil && *last == c {
		return last
	}
	return &c
}

// beginsAt is the first moment at or after t at which a digest may begin; skip says that this one does not come at all. A broadcast, and what a
// person orders to come now, may at any time.
func (e *Engine) beginsAt(d *delivery, t time.Time) (at time.Time, skip bool) {
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

// goesAt is when a delivery may go; not after now = at once. What is planned for a time at which nothing comes goes when its plan moves to, "at the same
// time of the next workday", however late that is asked; what is late for another reason goes when it may.
func (e *Engine) goesAt(d *delivery, now time.Time) (at time.Time, skip bool) {
	if d.begun() {
		return now, false
	}
	at, skip = e.beginsAt(d, d.entry.Due)
	if skip || at.After(d.entry.Due) && at.After(now) {
		return at, skip
	}
	return e.beginsAt(d, now)
}

// putOff asks a delivery's calendar, when it is about to go and only then: in quiet hours it waits for their end, on a holiday for a workday, or it
// ends and is owed. What has begun goes on. One that waits is read and composed anew when its time has come.
func (e *Engine) putOff(d *delivery, now time.Time) bool {
	at, skip := e.goesAt(d, now)
	switch {
	case skip:
		e.end(d, bot.Skipped, codeHoliday)
	case at.After(now):
		d.cut, d.plain, d.probe, d.notBefore = nil, false, false, at
		d.lane.await(d)
	default:
		return false
	}
	return true
}

// isPutOff says that a delivery may not go now, whatever else it waits for.
func (e *Engine) isPutOff(d *delivery, now time.Time) bool {
	at, skip := e.goesAt(d, now)
	return skip || at.After(now)
}

// windowEnd is the first moment at which a delivery is too late. The window begins when the digest may come; one that would end in quiet hours or
// on a holiday begins anew after them. One that has begun may go on for as long as its parts are kept.
func (e *Engine) windowEnd(d *delivery) time.Time {
	window := e.cfg.Window + time.Second
	begin, _ := e.beginsAt(d, d.entry.Due)
	end := begin.Add(window)
	if later, _ := e.beginsAt(d, end); later.After(end) {
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
