package main

import (
	"log/slog"
	"testing"
	"time"

	"weeklybot/bot"
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
