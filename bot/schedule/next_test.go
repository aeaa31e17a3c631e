package schedule

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"weeklybot/bot"
)

var long = flag.Bool("long", os.Getenv("WEEKLYBOT_LONG") != "", "try every zone and every clock change from 1990 to 2040")

var epoch = time.Date(2026, 11, 16, 12, 0, 0, 0, time.UTC)

func TestNextAroundClockChanges(t *testing.T) {
	const form = "2006-01-02 15:04 -0700"
	for _, c := range []struct {
		name, cron, zone, after string
		want                    []string
	}{
		{"New York, 02:30 does not exist", "30 2 * * *", "America/New_York", "2027-03-13 00:00 -0500",
			[]string{"2027-03-13 02:30 -0500", "2027-03-14 03:00 -0400", "2027-03-15 02:30 -0400"}},
		{"New York, 01:30 occurs twice", "30 1 * * *", "America/New_York", "2027-11-06 00:00 -0400",
			[]string{"2027-11-06 01:30 -0400", "2027-11-07 01:30 -0400", "2027-11-08 01:30 -0500"}},
		{"New York, asked inside the repeated hour", "30 1 * * *", "America/New_York", "2027-11-07 01:10 -0500",
			[]string{"2027-11-08 01:30 -0500"}},
		{"New York, hourly: the repeated hour is planned once", "0 * * * *", "America/New_York", "2027-11-07 00:30 -0400",
			[]string{"2027-11-07 01:00 -0400", "2027-11-07 02:00 -0500"}},
		{"New York, two planned times in and after the gap are one run", "0 2,3 * * *", "America/New_York", "2027-03-14 00:00 -0500",
			[]string{"2027-03-14 03:00 -0400", "2027-03-15 02:00 -0400"}},
		{"New York, weekly over the change", "0 9 * * 1", "America/New_York", "2027-03-08 09:00 -0500",
			[]string{"2027-03-15 09:00 -0400"}},
		{"Santiago, midnight does not exist", "0 0 * * *", "America/Santiago", "2026-09-05 12:00 -0400",
			[]string{"2026-09-06 01:00 -0300", "2026-09-07 00:00 -0300"}},
		{"Santiago, the hour before midnight occurs twice", "30 23 * * *", "America/Santiago", "2026-04-04 12:00 -0300",
			[]string{"2026-04-04 23:30 -0300", "2026-04-05 23:30 -0400"}},
		{"Lord Howe, half an hour is skipped", "15 2 * * *", "Australia/Lord_Howe", "2026-10-04 00:00 +1030",
			[]string{"2026-10-04 02:30 +1100", "2026-10-05 02:15 +1100"}},
		{"Lord Howe, half an hour is repeated", "45 1 * * *", "Australia/Lord_Howe", "2026-04-05 00:00 +1100",
			[]string{"2026-04-05 01:45 +1100", "2026-04-06 01:45 +1030"}},
		{"Kathmandu, three quarters of an hour off", "0 9 * * 1", "Asia/Kathmandu", "2026-11-16 03:00 +0000",
			[]string{"2026-11-16 09:00 +0545"}},
		{"Apia, a whole day does not exist", "0 9 * * *", "Pacific/Apia", "2011-12-29 10:00 -1000",
			[]string{"2011-12-31 00:00 +1400", "2011-12-31 09:00 +1400"}},
		{"Troll, two hours are skipped, and two planned times in them are one run", "30 1,2 * * *", "Antarctica/Troll", "2027-03-27 12:00 +0000",
			[]string{"2027-03-28 03:00 +0200", "2027-03-29 01:30 +0200", "2027-03-29 02:30 +0200"}},
		{"Troll, two hours occur twice", "30 1,2 * * *", "Antarctica/Troll", "2027-10-30 12:00 +0200",
			[]string{"2027-10-31 01:30 +0200", "2027-10-31 02:30 +0200", "2027-11-01 01:30 +0000"}},
		{"Kwajalein, a whole day does not exist", "0 9 * * 6,0", "Pacific/Kwajalein", "1993-08-20 12:00 -1200",
			[]string{"1993-08-22 00:00 +1200", "1993-08-22 09:00 +1200", "1993-08-28 09:00 +1200"}},
		{"Gaza, the last minute before midnight", "59 23 * * *", "Asia/Gaza", "2011-07-31 12:00 +0300",
			[]string{"2011-07-31 23:59 +0300", "2011-08-01 23:59 +0200"}},
		{"Casablanca, back for Ramadan", "30 2 * * *", "Africa/Casablanca", "2027-02-07 00:00 +0100",
			[]string{"2027-02-07 02:30 +0100", "2027-02-08 02:30 +0000"}},
		{"Shanghai, every minute", "* * * * *", "Asia/Shanghai", "2026-11-16 09:00 +0800",
			[]string{"2026-11-16 09:01 +0800", "2026-11-16 09:02 +0800"}},
		{"29 February, over a year that has none", "0 9 29 2 *", "UTC", "2096-03-01 00:00 +0000", []string{"2104-02-29 09:00 +0000"}},
		{"either day field is enough", "0 9 13 * 5", "UTC", "2026-11-12 00:00 +0000",
			[]string{"2026-11-13 09:00 +0000", "2026-11-20 09:00 +0000"}},
		{"New York, the last day of a leap year", "0 9 * * *", "America/New_York", "2028-12-30 08:00 -0500",
			[]string{"2028-12-30 09:00 -0500", "2028-12-31 09:00 -0500", "2029-01-01 09:00 -0500"}},
		{"Sydney, the last day of a leap year", "30 23 * * *", "Australia/Sydney", "2028-12-31 08:00 +1100",
			[]string{"2028-12-31 23:30 +1100", "2029-01-01 23:30 +1100"}},
		{"the end of the year", "59 23 31 12 *", "UTC", "2026-12-31 23:59 +0000", []string{"2027-12-31 23:59 +0000"}},
	} {
		at, err := time.Parse(form, c.after)
		if err != nil {
			t.Fatal(err)
		}
		for k, want := range c.want {
			at, err = Next(bot.Schedule{Cron: c.cron, Zone: c.zone}, at)
			if err != nil {
				t.Fatal(err)
			}
			if got := at.Format(form); got != want {
				t.Errorf("%s: run %d at %s, want %s", c.name, k+1, got, want)
			}
		}
	}
}

// oracle finds the runs in [from, to) by walking the zone's clock minute by minute. At each minute the clock has come from the
// latest time it ever showed to the one it shows now; if a planned time lies on that way, this minute is a run.
func oracle(f fields, zone *time.Location, from, to time.Time) []time.Time {
	var runs []time.Time
	var reached time.Time
	for at := from.Add(-50 * time.Hour); at.Before(to); at = at.Add(time.Minute) {
		l := at.In(zone)
		now := time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
		if reached.IsZero() {
			reached = now.Add(-time.Minute)
		}
		due := false
		for w := reached.Add(time.Minute); !w.After(now); w = w.Add(time.Minute) {
			due = due || has(f.minute, w.Minute()) && has(f.hour, w.Hour()) && has(f.month, int(w.Month())) && f.dayMatches(w.Day(), int(w.Weekday()))
		}
		if now.After(reached) {
			reached = now
		}
		if due && !at.Before(from) {
			runs = append(runs, at)
		}
	}
	return runs
}

// changes are the instants between 1990 and 2040 at which the clock of a zone is set, to the minute, found by asking for the
// offset day by day: time.ZoneBounds is what the code under test uses.
func changes(zone *time.Location) []time.Time {
	offset := func(t time.Time) int { _, s := t.In(zone).Zone(); return s }
	var list []time.Time
	for day := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() <= 2040; day = day.Add(24 * time.Hour) {
		if offset(day) == offset(day.Add(24*time.Hour)) {
			continue
		}
		minute := sort.Search(24*60, func(n int) bool { return offset(day.Add(time.Duration(n)*time.Minute)) != offset(day) })
		list = append(list, day.Add(time.Duration(minute)*time.Minute))
	}
	return list
}

// oddZones have changed their clocks in ways that few others have: by half an hour, by two, by a day, at a minute past midnight, twice around Ramadan.
var oddZones = []string{
	"Australia/Lord_Howe", "Antarctica/Troll", "Pacific/Apia", "Pacific/Kwajalein", "Pacific/Kanton", "America/St_Johns", "Africa/Casablanca", "Asia/Gaza", "America/Caracas",
	"Asia/Pyongyang", "Antarctica/Casey",
}

func TestNextAgainstTheClock(t *testing.T) {
	crons := []string{"* * * * *", "*/15 * * * *", "30 2 * * *", "0 0 * * *", "45 1 * * 0", "0 9 * * 1", "17 */2 1-15 * *", "30 23 * * *", "0 3 1 * 1-5"}
	random := rand.New(rand.NewPCG(1, 2))
	var names []string
	for name := range strings.Lines(zoneNames) {
		names = append(names, strings.TrimSpace(name))
	}
	tried := 0
	for _, name := range names {
		zone, err := location(name)
		if err != nil {
			t.Fatal(err)
		}
		list := changes(zone)
		odd := slices.Contains(oddZones, name)
		switch {
		case *long || len(list) == 0:
		case odd:
			random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			list = list[:min(6, len(list))]
		default:
			list = list[random.IntN(len(list)):][:1]
		}
		for _, change := range list {
			tried++
			if !*long && !odd && tried%24 != 0 {
				continue
			}
			cron := crons[random.IntN(len(crons))]
			from, to := change.Add(-30*time.Hour), change.Add(30*time.Hour)
			c, err := Compile(bot.Schedule{Cron: cron, Zone: name})
			if err != nil {
				t.Fatal(err)
			}
			at := from.Add(-time.Minute)
			for _, want := range oracle(c.fields, zone, from, to) {
				if at = c.Next(at); !at.Equal(want) {
					t.Fatalf("%s in %s around %v: run at %v, want %v", cron, name, change, at, want.In(zone))
				}
			}
			if at = c.Next(at); at.Before(to) {
				t.Fatalf("%s in %s around %v: one run too many at %v", cron, name, change, at)
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d clock changes found", tried)
	}
	t.Logf("%d clock changes", tried)
}

// inField says by the text alone whether a number is in a field: lists of *, ?, numbers, ranges, each with a step or none. names are 0, 1, 2 …
func inField(text string, n, low, high int, names string) bool {
	number := func(s string) int {
		if k := strings.Index(names, strings.ToLower(s)); k >= 0 && len(s) == 3 {
			return k/3 + low
		}
		v, err := strconv.Atoi(s)
		if err != nil {
			panic(err)
		}
		return v
	}
	return slices.ContainsFunc(strings.Split(text, ","), func(part string) bool {
		span, by, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			step = number(by)
		}
		first, last, ranged := strings.Cut(span, "-")
		from, to := low, high
		if span != "*" && span != "?" {
			from = number(first)
			switch {
			case ranged:
				to = number(last)
			case !stepped:
				to = from
			}
		}
		return n >= from && n <= to && (n-from)%step == 0
	})
}

// Every pair of day fields, in several months, against a reading of the text day by day: with a star both must match, else one is enough.
func TestDayFieldsAgainstTheirText(t *testing.T) {
	doms := []string{"*", "?", "*/1", "1", "13", "29", "31", "1-7", "8-14", "15/5", "*/2", "1-31", "1,15,30", "10-20/3"}
	dows := []string{"*", "?", "*/1", "0", "7", "1", "1-5", "5-7", "0-6", "0-7", "*/2", "1-7/2", "6,7", "sun", "MON-FRI", "fri-7", "Tue,Thu"}
	months := []string{"*", "2", "4,jun", "*/3", "Nov-Dec"}
	begin := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	end := begin.AddDate(2, 2, 0) // a leap day in between
	for _, dom := range doms {
		for _, dow := range dows {
			for _, month := range months {
				cron := "0 9 " + dom + " " + month + " " + dow
				star := func(s string) bool { return s == "*" || s == "?" || s == "*/1" }
				var want []time.Time
				for day := begin; day.Before(end); day = day.AddDate(0, 0, 1) {
					byDay := inField(dom, day.Day(), 1, 31, "")
					byWeekday := inField(dow, int(day.Weekday()), 0, 6, "sunmontuewedthufrisat") || day.Weekday() == time.Sunday && strings.Contains(dow, "7") && inField(dow, 7, 0, 7, "sunmontuewedthufrisat")
					due := byDay || byWeekday
					if star(dom) || star(dow) {
						due = byDay && byWeekday
					}
					if due && inField(month, int(day.Month()), 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec") {
						want = append(want, day.Add(9*time.Hour))
					}
				}
				c, err := Compile(bot.Schedule{Cron: cron, Zone: "UTC"})
				if err != nil {
					if len(want) > 0 {
						t.Errorf("%s: %v", cron, err)
					}
					continue
				}
				again, err := Compile(bot.Schedule{Cron: c.fields.String(), Zone: "UTC"})
				if err != nil || again.fields != c.fields {
					t.Errorf("%s is written as %s, which is read as something else (%v)", cron, c.fields, err)
				}
				at := begin
				for _, w := range want {
					if at = c.Next(at); !at.Equal(w) {
						t.Errorf("%s: run at %v, want %v", cron, at, w)
						break
					}
				}
				if at = c.Next(at); at.Before(end) && len(want) == 0 || len(want) > 0 && at.Before(end) && at.After(want[len(want)-1]) {
					t.Errorf("%s: one run too many at %v", cron, at)
				}
			}
		}
	}
}

// A weekly schedule runs once in every week of every zone: no clock change may cost or double a digest.
func TestOneRunAWeek(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for name := range strings.Lines(zoneNames) {
		name = strings.TrimSpace(name)
		zone, err := location(name)
		if err != nil {
			t.Fatal(err)
		}
		f := fields{minute: 1 << random.IntN(60), hour: 1 << random.IntN(24), dom: anyDay | 1<<32 - 2, month: 1<<13 - 2, dow: 1 << random.IntN(7)}
		c := &Compiled{f, zone}
		years := 2
		if *long {
			years = 50
		}
		from := time.Date(1990+random.IntN(51-years), 1, 1, 0, 0, 0, 0, time.UTC)
		planned, at := f.next(c.reached(from)), from
		for range years * 52 {
			next := c.Next(at)
			if !next.After(at) {
				t.Fatalf("%s in %s: %v after %v", f, name, next, at)
			}
			if w := wall(next); w.Before(planned) || w.Sub(planned) > 24*time.Hour {
				t.Fatalf("%s in %s: planned for %v, ran when the clock showed %v", f, name, planned, w)
			}
			planned, at = planned.AddDate(0, 0, 7), next
		}
	}
}

func TestCompileRefusesWhatParseDoesNotReturn(t *testing.T) {
	for _, s := range []bot.Schedule{{}, {Cron: "0 9 * * 1"}, {Cron: "0 9 * * 1", Zone: "Local"}, {Cron: "TZ=0", Zone: "UTC"}, {Cron: "@every 1s", Zone: "UTC"},
		{Cron: "0 9 31 2 *", Zone: "UTC"}, {Cron: "0 9 * * 1", Zone: "No/Where"}} {
		if _, err := Compile(s); err == nil {
			t.Errorf("Compile(%+v) accepted", s)
		}
	}
}

func ExampleNext() {
	s, err := Parse("每周一 9:00", "America/New_York", "en")
	if err != nil {
		fmt.Println(err)
		return
	}
	next, err := Next(s, time.Date(2027, 3, 13, 0, 0, 0, 0, time.UTC))
	fmt.Println(Describe(s, "en"), "·", next.Format(time.RFC3339), err)
	// Output: Mondays 09:00 (America/New_York) · 2027-03-15T09:00:00-04:00 <nil>
}

func BenchmarkNext(b *testing.B) {
	c, err := Compile(bot.Schedule{Cron: "0 9 * * 1", Zone: "America/New_York"})
	if err != nil {
		b.Fatal(err)
	}
	at := epoch
	for b.Loop() {
		at = c.Next(at)
	}
}
