package main

import (
	"context"
	"fmt"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/web"
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

// holidaysMissing is a year, this one or one that begins soon, without data on holidays; only where digests heed holidays.
func (a *app) holidaysMissing(now time.Time) (year int, missing bool) {
	x := a.exceptions
	if x.Holidays == nil || x.Default.Holidays == "" || x.Default.Holidays == bot.ExceptNone {
		return 0, false
	}
	for _, t := range []time.Time{now, now.Add(holidaysAhead)} {
		if !x.Holidays.Knows(t.Year()) {
			return t.Year(), true
		}
	}
	return 0, false
}
