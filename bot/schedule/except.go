package schedule

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"weeklybot/bot"
)

// Exceptions are the rules for times at which nothing should come: what a subscription says, else the bot's own. They never change.
type Exceptions struct {
	Default  bot.Except // for subscriptions that leave a rule open
	Holidays *Holidays  // nil: there are none
	Zone     string     // of subscriptions on publish: an IANA name
}

// maxMoves bounds how often a time is put off: through the longest holiday, and the quiet hours of each day.
const maxMoves = 2 * maxHolidayDays

// When is the first moment at or after t at which a digest may come to a subscription with these rules of its own and a schedule in zone ("" = on
// publish). skip says that this one does not come at all: its issues belong to the next.
func (x Exceptions) When(zone string, own bot.Except, t time.Time) (at time.Time, skip bool) {
	rules := x.rules(own)
	if rules == (bot.Except{}) {
		return t, false
	}
	clock, err := Location(cmp.Or(zone, x.Zone))
	if err != nil {
		clock = time.UTC
	}
	from, until, quiet := quietHours(rules.Quiet)
	at = t.In(clock)
	for range maxMoves {
		switch {
		case rules.Holidays == bot.HolidaysSkip && x.Holidays.Off(at):
			return t, true
		case rules.Holidays == bot.HolidaysNext && x.Holidays.Off(at):
			at = x.nextWorkday(at)
			continue
		}
		end := at
		if quiet {
			end = awake(at, from, until)
		}
		if end.Equal(at) {
			break
		}
		at = end
	}
	if at.Equal(t) {
		return t, false
	}
	return at, false
}

// HeedsHolidays says whether digests under these rules of their own depend on the data for holidays.
func (x Exceptions) HeedsHolidays(own bot.Except) bool { return x.rules(own).Holidays != "" }

// maxSkips is how many occurrences in a row Next lets holidays skip.
const maxSkips = 1000

// Next is when sub's next digest after t comes, its exceptions considered.
func (x Exceptions) Next(sub bot.Subscription, t time.Time) (time.Time, error) {
	c, err := Compile(sub.Schedule)
	if err != nil {
		return time.Time{}, err
	}
	for range maxSkips {
		t = c.Next(t)
		if at, skip := x.When(sub.Schedule.Zone, sub.Except, t); !skip {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q comes on holidays only, which are skipped", sub.Schedule.Cron)
}

func (x Exceptions) rules(own bot.Except) bot.Except {
	if own.Quiet == "" {
		own.Quiet = x.Default.Quiet
	}
	if own.Holidays == "" {
		own.Holidays = x.Default.Holidays
	}
	if own.Quiet == bot.ExceptNone {
		own.Quiet = ""
	}
	if own.Holidays == bot.ExceptNone || x.Holidays == nil {
		own.Holidays = ""
	}
	return own
}

// nextWorkday is the same time of day on the first workday after t's day; where the clock skips it, the first moment after.
func (x Exceptions) nextWorkday(t time.Time) time.Time {
	clock, planned := Compiled{zone: t.Location()}, wall(t)
	for range maxHolidayDays {
		planned = planned.AddDate(0, 0, 1)
		if t = clock.instant(planned); x.Holidays.Workday(t) {
			break
		}
	}
	return t
}

// awake is the first moment at or after t at which the clock on the wall, whatever changes it, shows no quiet hours. Both ends are minutes of the day; the
// later day's when from is after until.
func awake(t time.Time, from, until int) time.Time {
	clock := Compiled{zone: t.Location()}
	for s := range clock.spans(t) {
		minute := s.start.Hour()*60 + s.start.Minute()
		quiet := minute >= from && minute < until
		if from > until {
			quiet = minute >= from || minute < until
		}
		if !quiet {
			return s.start
		}
		left := time.Duration((until-minute+dayMinutes)%dayMinutes) * time.Minute
		end := s.start.Add(left - time.Duration(s.start.Second())*time.Second - time.Duration(s.start.Nanosecond()))
		if s.end.IsZero() || end.Before(s.end) {
			return end
		}
	}
	return t // not reached: the last span never ends
}

const dayMinutes = 24 * 60

// ParseQuiet reads quiet hours, "22:00-8:00" or "22:00–08:00" or "none", into the form that a subscription keeps.
func ParseQuiet(text string) (string, error) {
	text = strings.NewReplacer("–", "-", "—", "-", "~", "-", "：", ":", "至", "-").Replace(strings.TrimSpace(text))
	if text == "" || text == bot.ExceptNone {
		return text, nil
	}
	from, until, ok := quietHours(text)
	if !ok {
		return "", fmt.Errorf("quiet hours %q: want two different times of day such as 22:00-08:00, or none", text)
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", from/60, from%60, until/60, until%60), nil
}

// quietHours are the two ends in minutes of the day.
func quietHours(text string) (from, until int, ok bool) {
	a, b, ok := strings.Cut(text, "-")
	if !ok {
		return 0, 0, false
	}
	start, err := time.Parse("15:04", a)
	end, err2 := time.Parse("15:04", b)
	from, until = start.Hour()*60+start.Minute(), end.Hour()*60+end.Minute()
	return from, until, err == nil && err2 == nil && from != until
}
