package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/schedule"
	"weeklybot/bot/web"
	"weeklybot/content"
)

// troublesTime is how long a page waits for the store to say what does not work.
const troublesTime = 500 * time.Millisecond

// troubles says what does not work, one sentence each, for everybody: no names.
func (a *app) troubles(ctx context.Context, lang string) (list []string) {
	say := func(zh, en string, n int) {
		switch {
		case n == 0:
		case lang == "en":
			list = append(list, fmt.Sprintf(en, n))
		default:
			list = append(list, fmt.Sprintf(zh, n))
		}
	}
	if year, missing := a.holidaysMissing(time.Now()); missing {
		say("没有 %d 年的节假日数据，届时按普通工作日处理。", "There is no data for the holidays of %d; its weekdays will count as workdays.", year)
	}
	say("%d 种期刊比平常晚了一倍以上还没有新的一期。", "%d newsletters have had no new issue for more than twice their usual time.", int(a.silent.Load()))
	ctx, cancel := context.WithTimeout(ctx, troublesTime)
	defer cancel()
	h, err := a.db.store.Health(ctx)
	if err != nil {
		return nil // /readyz says it
	}
	say("%d 个工作区暂时发不出去，恢复后继续。", "%d workspaces cannot be reached; they go on once they can.", len(h.Held))
	say("%d 个频道最近没有送达，到点会再试。", "%d channels were lately not delivered to; they are tried again at each time.", h.Probation)
	return list
}

// watchEvery is how often the bot looks for troubles that nothing else comes upon.
const watchEvery = 10 * time.Minute

// watching raises notices of what only a look from time to time finds, until ctx ends.
func (a *app) watching(ctx context.Context) {
	for {
		now := time.Now()
		silent := a.announced(ctx, silentSeries(a.library().Issues(), now))
		a.silent.Store(int64(len(silent)))
		for series, newest := range silent {
			a.notices.Silent(series, newest)
		}
		if year, missing := a.holidaysMissing(now); missing {
			a.notices.NoHolidays(year)
		}
		for _, m := range a.meters(ctx) {
			a.notices.Allowance(m)
		}
		select {
		case <-time.After(watchEvery):
		case <-ctx.Done():
			return
		}
	}
}

// announced are those of the silent newsletters of which the bot has seen an issue come: the others are an archive, which may be silent.
func (a *app) announced(ctx context.Context, silent map[string]time.Time) map[string]time.Time {
	if len(silent) == 0 {
		return nil
	}
	entries, err := a.db.store.EntriesFor(ctx, bot.Recipe{First: true})
	if err != nil {
		return nil // the next look tells
	}
	came := map[string]time.Time{}
	for _, e := range entries {
		if newest, ok := silent[e.Series]; ok && !e.Back {
			came[e.Series] = newest
		}
	}
	return came
}

// meters are how much of platforms' monthly allowances is used. A store that does not answer has none to tell.
func (a *app) meters(ctx context.Context) (list []bot.Meter) {
	ctx, cancel := context.WithTimeout(ctx, troublesTime)
	defer cancel()
	for _, ad := range a.adapters {
		if metered, ok := ad.(bot.Metered); ok {
			meters, err := metered.Meters(ctx)
			if err != nil {
				a.log.Warn("allowances not read", "adapter", ad.Name(), "err", err)
			}
			list = append(list, meters...)
		}
	}
	return list
}

// allowances are the meters for the first page.
func (a *app) allowances(ctx context.Context) (list []web.Allowance) {
	for _, m := range a.meters(ctx) {
		list = append(list, web.Allowance{Platform: m.Adapter, Name: m.Name, Used: m.Used, Limit: m.Limit, Low: m.Low()})
	}
	return list
}

// holidaysAhead is how early a year without data on holidays is told of.
const holidaysAhead = 60 * 24 * time.Hour

// exceptions are the bot's own quiet hours and holidays, as last read.
func (a *app) exceptions() schedule.Exceptions { return a.cfg.Load().calendar }

// when is what the outbox asks before a digest goes. It also notes that somebody relies on the data for holidays.
func (a *app) when(zone string, own bot.Except, t time.Time) (at time.Time, skip bool) {
	x := a.exceptions()
	if own.Holidays != "" && x.HeedsHolidays(own) {
		a.heeded.Store(true)
	}
	return x.When(zone, own, t)
}

// holidaysMissing is a year, this one or one that begins soon, without data on holidays; only where digests heed holidays.
func (a *app) holidaysMissing(now time.Time) (year int, missing bool) {
	x := a.exceptions()
	if x.Holidays == nil || !x.HeedsHolidays(bot.Except{}) && !a.heeded.Load() {
		return 0, false
	}
	for _, t := range []time.Time{now, now.Add(holidaysAhead)} {
		if !x.Holidays.Knows(t.Year()) {
			return t.Year(), true
		}
	}
	return 0, false
}

const (
	// fewestGaps is how many times between issues tell what is usual.
	fewestGaps = 4
	// endedAfter: a newsletter silent for so many times its usual gap has ended, which is no trouble.
	endedAfter = 10
)

// silentSeries are the newsletters whose newest issue is older than twice the usual gap between their issues, the median; with its date.
func silentSeries(issues []*content.Issue, now time.Time) map[string]time.Time {
	silent := map[string]time.Time{}
	dates := map[string][]time.Time{}
	for _, i := range issues {
		if day, err := time.Parse(time.DateOnly, i.Date); err == nil {
			dates[i.Series] = append(dates[i.Series], day)
		}
	}
	for series, days := range dates {
		slices.SortFunc(days, time.Time.Compare)
		var gaps []time.Duration
		for i := 1; i < len(days); i++ {
			if gap := days[i].Sub(days[i-1]); gap > 0 {
				gaps = append(gaps, gap)
			}
		}
		if len(gaps) < fewestGaps {
			continue
		}
		slices.Sort(gaps)
		usual, newest := gaps[len(gaps)/2], days[len(days)-1]
		if since := now.Sub(newest); since > 2*usual && since < endedAfter*usual {
			silent[series] = newest
		}
	}
	return silent
}
