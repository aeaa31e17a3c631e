package schedule

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"time"

	"weeklybot/bot"
)

// ErrOnPublish is returned where a schedule has no times of its own: it runs whenever an issue is published.
var ErrOnPublish = errors.New("schedule runs on publish, not at set times")

// Compiled is a Schedule ready to be asked for its times. It is immutable and safe for concurrent use.
type Compiled struct {
	fields fields
	zone   *time.Location
}

// Compile prepares s. It fails with ErrOnPublish, or when s is not what Parse returns.
func Compile(s bot.Schedule) (*Compiled, error) {
	if s.OnPublish {
		return nil, ErrOnPublish
	}
	f, err := parseCron(s.Cron)
	if err != nil {
		return nil, fmt.Errorf("cron %q: %w", s.Cron, err)
	}
	zone, err := location(s.Zone)
	if err != nil {
		return nil, fmt.Errorf("cron %q: %w", s.Cron, err)
	}
	return &Compiled{f, zone}, nil
}

// Next is Compile and then Next: for callers that ask once.
func Next(s bot.Schedule, after time.Time) (time.Time, error) {
	c, err := Compile(s)
	if err != nil {
		return time.Time{}, err
	}
	return c.Next(after), nil
}

// Next is the first run after an instant, in the schedule's zone: always a whole minute on the zone's clock, unless a clock change
// itself is not. Runs that a clock change moves to one instant are one run.
func (c *Compiled) Next(after time.Time) time.Time {
	return c.instant(c.fields.next(c.reached(after)))
}

// Zone is where the schedule's clock hangs.
func (c *Compiled) Zone() *time.Location { return c.zone }

// A wall time is what a clock on the wall shows, held in a time.Time as if it were UTC: every wall time exists, once.

// widest is more than any two offsets of one zone differ by, and more than any offset: wall time and instant are never further apart.
const widest = 32 * time.Hour

func wall(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// A span is a stretch of time in which a zone keeps one offset. A longer stretch may come as several spans, one after the other.
type span struct {
	start, end time.Time // end is zero when it never ends
	offset     time.Duration
}

// spans gives the spans from an instant on, without a hole; the first is cut off at from.
//
// Only the end that time.ZoneBounds gives is used, and only when it lies ahead: on 31 December of leap years Go 1.26 answers with
// bounds that do not hold the instant asked for, and a walk that trusts them never ends.
func (c *Compiled) spans(from time.Time) iter.Seq[span] {
	return func(yield func(span) bool) {
		for at := from.In(c.zone); ; {
			_, end := at.ZoneBounds()
			if !end.IsZero() && !end.After(at) {
				end = at.Add(time.Hour).Truncate(time.Minute)
			}
			_, seconds := at.Zone()
			if !yield(span{at, end, time.Duration(seconds) * time.Second}) || end.IsZero() {
				return
			}
			at = end.In(c.zone)
		}
	}
}

// reached is the latest time that the zone's clock has shown up to and including t. It is ahead of the clock while an hour is repeated.
func (c *Compiled) reached(t time.Time) time.Time {
	most := wall(t.In(c.zone))
	for s := range c.spans(t.Add(-widest)) {
		if s.end.IsZero() || s.end.After(t) {
			break
		}
		if w := s.end.UTC().Add(s.offset - time.Nanosecond); w.After(most) {
			most = w
		}
	}
	return most
}

// instant is the first one at which the zone's clock shows w or later.
func (c *Compiled) instant(w time.Time) time.Time {
	for s := range c.spans(w.Add(-widest)) {
		t := w.Add(-s.offset).In(c.zone)
		if t.Before(s.start) {
			return s.start // w lies in the gap that ended here
		}
		if s.end.IsZero() || t.Before(s.end) {
			return t
		}
	}
	return w.In(c.zone) // not reached: the last span never ends
}

// next is the first planned wall time after w. A schedule that Parse accepted always has one within nine years (29 February).
func (f fields) next(w time.Time) time.Time {
	year, month, day := w.Date()
	clock := w.Hour()*60 + w.Minute()
	for {
		if has(f.month, int(month)) {
			last := daysIn(year, month)
			weekday := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday()
			for ; day <= last; day++ {
				if f.dayMatches(day, int(weekday)) {
					if minute, ok := f.minuteAfter(clock); ok {
						return time.Date(year, month, day, minute/60, minute%60, 0, 0, time.UTC)
					}
				}
				weekday, clock = (weekday+1)%7, -1
			}
		}
		day, clock = 1, -1
		if month++; month > time.December {
			year, month = year+1, time.January
		}
	}
}

// minuteAfter is the first planned minute of the day after clock, both in minutes since midnight; clock -1 asks for the first of all.
func (f fields) minuteAfter(clock int) (int, bool) {
	hour, minute := (clock+1)/60, (clock+1)%60
	for ; hour < 24; hour, minute = hour+1, 0 {
		if rest := f.minute >> minute << minute; has(f.hour, hour) && rest != 0 {
			return hour*60 + bits.TrailingZeros64(rest), true
		}
	}
	return 0, false
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// SlotID names the slot of s: equal for equal times in one zone, different otherwise. It is 12 hex digits, the same on every
// machine and in every version. An on-publish schedule has no slot of its own; its ID is "".
func SlotID(s bot.Schedule) string {
	if s.OnPublish {
		return ""
	}
	sum := sha256.Sum256([]byte(s.Cron + "\n" + s.Zone))
	return hex.EncodeToString(sum[:6])
}
