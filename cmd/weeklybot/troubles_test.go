package main

import (
	"log/slog"
	"testing"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/schedule"
	"weeklybot/content"
)

func TestSilentSeries(t *testing.T) {
	day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	series := func(name string, issues int) (list []*content.Issue) {
		for k := range issues {
			list = append(list, &content.Issue{Series: name, Date: day.AddDate(0, 0, -7*k).Format(time.DateOnly)})
		}
		return append(list, &content.Issue{Series: name}) // one without a date
	}
	for _, c := range []struct {
		name  string
		weeks int // since the newest issue
		seen  int // issues
		want  int
	}{
		{"on time", 1, 8, 0}, {"late", 2, 8, 0}, {"silent", 3, 8, 1}, {"ended", 11, 8, 0}, {"too few to tell", 3, 3, 0},
	} {
		if got := silentSeries(series(c.name, c.seen), day.AddDate(0, 0, 7*c.weeks)); len(got) != c.want || c.want == 1 && !got[c.name].Equal(day) {
			t.Errorf("%s: silent are %v, want %d", c.name, got, c.want)
		}
	}
}

// A year without data is told of 60 days before it begins, where digests heed holidays: by the bot's own rule, or by that of a subscription.
func TestHolidaysMissing(t *testing.T) {
	cn, _ := schedule.BuiltinHolidays("cn")
	last := 2026
	for cn.Knows(last + 1) {
		last++
	}
	newYear := time.Date(last+1, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		policy   string
		own      bot.Except // of a digest that went
		holidays *schedule.Holidays
		before   time.Duration // of New Year's Day
		want     bool
	}{
		{"61 days before", bot.HolidaysNext, bot.Except{}, cn, 61 * 24 * time.Hour, false},
		{"60 days before", bot.HolidaysNext, bot.Except{}, cn, 60 * 24 * time.Hour, true},
		{"in the year", bot.HolidaysSkip, bot.Except{}, cn, -100 * 24 * time.Hour, true},
		{"nobody heeds holidays", "", bot.Except{}, cn, 0, false},
		{"nobody is to", bot.ExceptNone, bot.Except{Quiet: "22:00-08:00"}, cn, 0, false},
		{"a subscription does", "", bot.Except{Holidays: bot.HolidaysSkip}, cn, 0, true},
		{"a subscription does not", bot.ExceptNone, bot.Except{Holidays: bot.ExceptNone}, cn, 0, false},
		{"no holidays at all", bot.HolidaysNext, bot.Except{Holidays: bot.HolidaysNext}, nil, 0, false},
	} {
		a := &app{}
		a.cfg.Store(&Config{calendar: schedule.Exceptions{Holidays: c.holidays, Zone: "UTC", Default: bot.Except{Holidays: c.policy}}})
		a.when("UTC", c.own, newYear)
		year, missing := a.holidaysMissing(newYear.Add(-c.before))
		if missing != c.want || missing && year != newYear.Year() {
			t.Errorf("%s: %d missing: %v, want %v", c.name, year, missing, c.want)
		}
		if at, skip := a.when("UTC", bot.Except{Holidays: bot.HolidaysSkip}, newYear); skip || !at.Equal(newYear) {
			t.Errorf("%s: New Year's Day of a year without data is a holiday", c.name)
		}
	}
}

// Of an archive nobody expects a new issue.
func TestOnlyWhatCameCanBeSilent(t *testing.T) {
	cfg := DefaultConfig()
	cfg.DataDir = t.TempDir()
	db, err := openStore(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, seen := range [][]bot.Sighting{{{Key: "archive/#1", Series: "archive"}, {Key: "weekly/#1", Series: "weekly"}}, {{Key: "weekly/#2", Series: "weekly"}}} {
		if _, err := db.store.Publish(t.Context(), "news", seen); err != nil {
			t.Fatal(err)
		}
	}
	day := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	a := &app{db: db}
	if got := a.announced(t.Context(), map[string]time.Time{"archive": day, "weekly": day}); len(got) != 1 || !got["weekly"].Equal(day) {
		t.Errorf("announced and silent: %v, want weekly", got)
	}
}
