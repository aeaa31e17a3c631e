package main

import (
	"slices"
	"sync"
	"testing"
	"time"

	"weeklybot/content"
)

var testIndex = sync.OnceValue(func() *ours {
	e, err := buildOurs(issues(100_000))
	if err != nil {
		panic(err)
	}
	return e.(*ours)
})

// BenchmarkTerms asks the bot's index alone, for profiles. One op is one round of the queries of two or three words; with -v it also prints
// the best time of each and how many items it finds.
func BenchmarkTerms(b *testing.B) {
	o := testIndex()
	best := make([]time.Duration, len(terms))
	var all []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		for k, q := range terms {
			start := time.Now()
			o.x.Search(content.Query{Text: q, Limit: hitsWanted})
			took := time.Since(start)
			if best[k] == 0 || took < best[k] {
				best[k] = took
			}
			all = append(all, took)
		}
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds())/1e3, "p99-us")
	for k, q := range terms {
		res := o.x.Search(content.Query{Text: q, Limit: hitsWanted})
		b.Logf("%6.1f us %5d %s", float64(best[k].Nanoseconds())/1e3, res.Total, q)
	}
}
