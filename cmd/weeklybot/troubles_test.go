package main

import (
	"testing"
	"time"

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
