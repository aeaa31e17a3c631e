package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weeklybot/bot"
)

func china(t testing.TB) *Holidays {
	h, ok := BuiltinHolidays("cn")
	if !ok {
		t.Fatal("the built-in holidays cannot be read")
	}
	return h
}

// noticed are what the notices of the State Council say of each holiday: its first day with its weekday, how many days, the weekend days worked for
// it. cn.txt names where they can be read.
var noticed = map[int][]struct {
	first string // "01-02 Mon"
	days  int
	work  string // the same, several
}{
	2024: {{"01-01 Mon", 1, ""}, {"02-10 Sat", 8, "02-04 Sun,02-18 Sun"}, {"04-04 Thu", 3, "04-07 Sun"}, {"05-01 Wed", 5, "04-28 Sun,05-11 Sat"},
		{"06-10 Mon", 1, ""}, {"09-15 Sun", 3, "09-14 Sat"}, {"10-01 Tue", 7, "09-29 Sun,10-12 Sat"}},
	2025: {{"01-01 Wed", 1, ""}, {"01-28 Tue", 8, "01-26 Sun,02-08 Sat"}, {"04-04 Fri", 3, ""}, {"05-01 Thu", 5, "04-27 Sun"}, {"05-31 Sat", 3, ""},
		{"10-01 Wed", 8, "09-28 Sun,10-11 Sat"}},
	2026: {{"01-01 Thu", 3, "01-04 Sun"}, {"02-15 Sun", 9, "02-14 Sat,02-28 Sat"}, {"04-04 Sat", 3, ""}, {"05-01 Fri", 5, "05-09 Sat"}, {"06-19 Fri", 3, ""},
		{"09-25 Fri", 3, ""}, {"10-01 Thu", 7, "09-20 Sun,10-10 Sat"}},
}

func TestHolidaysOfChina(t *testing.T) {
	h := china(t)
	off, work := map[string]bool{}, map[string]bool{}
	for year, holidays := range noticed {
		day := func(text string) time.Time {
			d, err := time.Parse("2006-01-02 Mon", fmt.Sprint(year, "-", text))
			if err != nil || d.Format("Mon") != text[6:] {
				t.Fatalf("%d-%s: %v, it is a %s", year, text, err, d.Weekday())
			}
			return d
		}
		for _, n := range holidays {
			for k := range n.days {
				off[day(n.first).AddDate(0, 0, k).Format(time.DateOnly)] = true
			}
			for w := range strings.SplitSeq(n.work, ",") {
				if w != "" {
					work[day(w).Format(time.DateOnly)] = true
				}
			}
		}
		if !h.Knows(year) {
			t.Errorf("there is no data for %d", year)
		}
	}
	if diff := cmp.Diff(off, h.off); diff != "" {
		t.Errorf("days off (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(work, h.work); diff != "" {
		t.Errorf("make-up workdays (-want +got):\n%s", diff)
	}
	if h.Knows(2027) || !h.Workday(time.Date(2027, 1, 1, 9, 0, 0, 0, time.UTC)) || h.Off(time.Date(2027, 1, 1, 9, 0, 0, 0, time.UTC)) {
		t.Error("a year without data has more than plain weekdays")
	}
}

// Where no rule holds, a delivery that is about to go costs no memory and no look at a zone.
func TestWithoutRulesNothingIsLookedUp(t *testing.T) {
	x, at := Exceptions{Holidays: china(t), Zone: "No/Where"}, time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)
	if n := testing.AllocsPerRun(100, func() { x.When("No/Where", bot.Except{}, at) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWhen(t *testing.T) {
	x := Exceptions{Holidays: china(t), Zone: "Asia/Shanghai"}
	for _, c := range []struct {
		name, cronZone string
		except, byBot  bot.Except
		at, want       string // in Asia/Shanghai; want "" = skipped
	}{
		{"no rule", "Asia/Shanghai", bot.Except{}, bot.Except{}, "2026-02-16 09:00", "2026-02-16 09:00"},
		{"skipped", "Asia/Shanghai", bot.Except{Holidays: "skip"}, bot.Except{}, "2026-02-16 09:00", ""},
		{"the day after the holidays", "Asia/Shanghai", bot.Except{Holidays: "skip"}, bot.Except{}, "2026-02-24 09:00", "2026-02-24 09:00"},
		{"next workday", "Asia/Shanghai", bot.Except{Holidays: "next"}, bot.Except{}, "2026-02-16 09:00", "2026-02-24 09:00"},
		{"next workday is a Sunday", "Asia/Shanghai", bot.Except{Holidays: "next"}, bot.Except{}, "2026-01-02 09:00", "2026-01-04 09:00"},
		{"a weekend is no holiday", "Asia/Shanghai", bot.Except{Holidays: "next"}, bot.Except{}, "2026-03-07 09:00", "2026-03-07 09:00"},
		{"the bot's rule", "Asia/Shanghai", bot.Except{}, bot.Except{Holidays: "skip"}, "2026-10-01 09:00", ""},
		{"its own rule counts", "Asia/Shanghai", bot.Except{Holidays: "none"}, bot.Except{Holidays: "skip"}, "2026-10-01 09:00", "2026-10-01 09:00"},
		{"quiet in the evening", "Asia/Shanghai", bot.Except{Quiet: "22:00-08:00"}, bot.Except{}, "2026-03-03 23:30", "2026-03-04 08:00"},
		{"quiet in the morning", "Asia/Shanghai", bot.Except{Quiet: "22:00-08:00"}, bot.Except{}, "2026-03-03 07:59", "2026-03-03 08:00"},
		{"quiet is over", "Asia/Shanghai", bot.Except{Quiet: "22:00-08:00"}, bot.Except{}, "2026-03-03 08:00", "2026-03-03 08:00"},
		{"quiet at noon", "Asia/Shanghai", bot.Except{Quiet: "12:00-14:00"}, bot.Except{}, "2026-03-03 12:00", "2026-03-03 14:00"},
		{"quiet until a holiday that is skipped", "Asia/Shanghai", bot.Except{Quiet: "22:00-08:00", Holidays: "skip"}, bot.Except{}, "2026-09-30 23:00", ""},
		{"quiet until a holiday", "Asia/Shanghai", bot.Except{Quiet: "22:00-08:00", Holidays: "next"}, bot.Except{}, "2026-09-30 23:00", "2026-10-08 08:00"},
		{"on publish, in the bot's zone", "", bot.Except{Quiet: "22:00-08:00"}, bot.Except{}, "2026-03-03 23:30", "2026-03-04 08:00"},
		{"the end is skipped by the clock", "America/New_York", bot.Except{Quiet: "22:00-02:30"}, bot.Except{}, "2027-03-14 13:00", "2027-03-14 15:00"},
		{"the end occurs twice", "America/New_York", bot.Except{Quiet: "22:00-01:30"}, bot.Except{}, "2027-11-07 14:10", "2027-11-07 14:30"},
		{"on the schedule's clock", "Europe/Berlin", bot.Except{Quiet: "00:00-06:00"}, bot.Except{}, "2026-03-03 08:00", "2026-03-03 13:00"},
	} {
		x.Default = c.byBot
		at, err := time.ParseInLocation("2006-01-02 15:04", c.at, zoneOf(t, "Asia/Shanghai"))
		if err != nil {
			t.Fatal(err)
		}
		got, skip := x.When(c.cronZone, c.except, at)
		shown := got.In(at.Location()).Format("2006-01-02 15:04")
		if skip {
			shown = ""
		}
		if shown != c.want {
			t.Errorf("%s: %s comes at %q, want %q", c.name, c.at, shown, c.want)
		}
	}
}

func zoneOf(t testing.TB, name string) *time.Location {
	zone, err := Location(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// A weekly subscription has exactly one planned run a week in every zone, through clock changes; with a rule for holidays it is that run, later,
// or none, and never a second one.
func TestHolidaysNeverAddARun(t *testing.T) {
	h := china(t)
	names := strings.Fields(zoneNames)
	for i, name := range names {
		if testing.Short() && i%20 != 0 {
			continue
		}
		sub := bot.Subscription{Schedule: bot.Schedule{Cron: "30 2 * * 0", Zone: name}}
		c, err := Compile(sub.Schedule)
		if err != nil {
			t.Fatal(err)
		}
		from := time.Date(2024, 1, 1, 0, 0, 0, 0, c.Zone())
		weeks := map[int]int{}
		for at := c.Next(from); at.Year() < 2027; at = c.Next(at) {
			week := int(wall(at).Sub(wall(from)).Hours()) / (7 * 24)
			weeks[week]++
			for _, rule := range []string{bot.HolidaysSkip, bot.HolidaysNext} {
				sub.Except = bot.Except{Holidays: rule, Quiet: "01:00-07:00"}
				moved, skip := Exceptions{Holidays: h, Zone: "UTC"}.When(name, sub.Except, at)
				switch {
				case skip != (rule == bot.HolidaysSkip && h.Off(at)):
					t.Fatalf("%s: %v skipped: %v", name, at, skip)
				case !skip && (moved.Before(at) || moved.Sub(at) > 12*24*time.Hour):
					t.Fatalf("%s: %v comes at %v", name, at, moved)
				case !skip && rule == bot.HolidaysNext && h.Off(moved):
					t.Fatalf("%s: %v comes on a holiday, %v", name, at, moved)
				}
			}
		}
		for week, n := range weeks {
			if n != 1 {
				t.Errorf("%s: %d runs in week %d", name, n, week)
			}
		}
		if len(weeks) < 156 {
			t.Errorf("%s: runs in %d weeks of three years", name, len(weeks))
		}
	}
}

func TestQuietHours(t *testing.T) {
	for text, want := range map[string]string{"": "", "none": "none", "22:00-8:00": "22:00-08:00", " 22：00–08:00": "22:00-08:00", "12:00~14:30": "12:00-14:30"} {
		if got, err := ParseQuiet(text); err != nil || got != want {
			t.Errorf("ParseQuiet(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"22:00", "8-9", "25:00-08:00", "08:00-08:00", "a-b", "22:00-08:00-09:00"} {
		if got, err := ParseQuiet(text); err == nil {
			t.Errorf("ParseQuiet(%q) = %q, want a fault", text, got)
		}
	}
}

// The same time of the next workday, where the clock skips it, is the first moment after.
func TestTheNextWorkdayMayLackTheHour(t *testing.T) {
	h, err := ReadHolidays(strings.NewReader("off 2027-03-13\nwork 2027-03-14\n"))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2027, 3, 13, 2, 30, 0, 0, zoneOf(t, "America/New_York"))
	got, skip := Exceptions{Holidays: h}.When("America/New_York", bot.Except{Holidays: bot.HolidaysNext}, at)
	if want := time.Date(2027, 3, 14, 3, 0, 0, 0, at.Location()); skip || !got.Equal(want) {
		t.Errorf("comes at %v, want %v", got, want)
	}
}

// Around clock changes, quiet hours end at the first minute at which the clock on the wall shows none: found by walking minute by minute.
func TestQuietHoursAgainstTheClock(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	tried, held := 0, 0
	for _, name := range append(strings.Fields(zoneNames), slices.Repeat(oddZones, 8)...) {
		zone := zoneOf(t, name)
		list := changes(zone)
		if len(list) == 0 || testing.Short() {
			continue
		}
		for range map[bool]int{true: 40, false: 3}[*long] {
			from, until := random.IntN(dayMinutes), random.IntN(dayMinutes)
			if until == from {
				continue
			}
			quiet := fmt.Sprintf("%02d:%02d-%02d:%02d", from/60, from%60, until/60, until%60)
			at := list[random.IntN(len(list))].Add(time.Duration(random.IntN(60*60)-50*60) * time.Minute)
			want := at
			for ; ; want = want.Add(time.Minute) {
				minute := want.In(zone).Hour()*60 + want.In(zone).Minute()
				if in := minute >= from && minute < until; from < until && !in || from > until && minute < from && minute >= until {
					break
				}
			}
			tried++
			for _, ask := range []time.Time{at, at.Add(59 * time.Second)} {
				if want.After(at) {
					held++
				} else {
					want = ask
				}
				got, skip := Exceptions{}.When(name, bot.Except{Quiet: quiet}, ask)
				if skip || !got.Equal(want) {
					t.Errorf("quiet %s in %s: %v comes at %v, want %v", quiet, name, ask.In(zone), got.In(zone), want.In(zone))
				}
			}
		}
	}
	if !testing.Short() && (tried < 300 || held < tried/2) {
		t.Errorf("only %d moments tried, %d in quiet hours", tried, held)
	}
}

func FuzzReadHolidays(f *testing.F) {
	f.Add("year 2027\noff 2027-01-01\noff 2027-02-06 2027-02-12\nwork 2027-02-20\n")
	f.Add("off 2027-01-01 2026-01-01")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := ReadHolidays(strings.NewReader(text))
		if err != nil {
			return
		}
		at := time.Date(2027, 1, 1, 9, 0, 0, 0, time.UTC)
		x := Exceptions{Holidays: h, Zone: "UTC", Default: bot.Except{Holidays: bot.HolidaysNext, Quiet: "22:00-08:00"}}
		if got, _ := x.When("", bot.Except{}, at); got.Before(at) {
			t.Errorf("%v comes before, at %v", at, got)
		}
	})
}
