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
