package schedule

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sort"
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
		if !*long && len(list) > 0 {
			list = list[random.IntN(len(list)):][:1]
		}
		for _, change := range list {
			tried++
			if !*long && tried%24 != 0 {
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
