package outbox

import (
	"sync/atomic"
	"testing"
	"time"

	"weeklybot/bot"
)

// A digest waits for the end of quiet hours, also at another owner; one that is skipped comes with the next.
func TestDigestsWaitForTheirTimeOrAreSkipped(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for i, rule := range []bot.Except{{}, {Quiet: "22:00-08:00"}, {Holidays: bot.HolidaysSkip}} {
			if _, err := w.store.Add(ctx, chat(i), bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}, Except: rule}); err != nil {
				t.Fatal(err)
			}
		}
		w.publish("first")
		var end atomic.Int64 // of quiet hours and of the holiday, unix ms
		end.Store(time.Now().Add(time.Hour).UnixMilli())
		when := func(sub bot.Subscription, at time.Time) (time.Time, bool) {
			over := !at.Before(time.UnixMilli(end.Load()))
			switch {
			case over || sub.Except == (bot.Except{}):
				return at, false
			case sub.Except.Holidays != "":
				return at, true
			}
			return time.UnixMilli(end.Load()), false
		}
		p := &platform{}
		stop := w.engine(p, func(c *Config) { c.When = when })
		w.due()
		eventually(t, "one digest, one that waits, one that is owed", func() bool {
			return p.count() == 1 && len(w.letters()) == 0 && w.owed() == 1 && w.waits()
		})
		stop()
		if seen := p.seen(); seen["C00000 0-1/1"] != 1 {
			t.Errorf("arrived: %v", seen)
		}
		w.engine(p, func(c *Config) { c.When = when })
		end.Store(0) // the next run comes when both are over: what waits is folded into it
		w.publish("second")
		w.due()
		eventually(t, "the second run", func() bool { return p.count() >= 4 && w.settled() })
		if seen := p.seen(); seen["C00000 1-2/1"] != 1 || seen["C00002 0-2/1"] != 1 || seen["C00001 0-2/1"] != 1 {
			t.Errorf("arrived: %v", seen)
		}
	})
}

// owed counts the debts of all shards.
func (w *world) owed() (n int) {
	for _, key := range w.keys("owed") {
		n += int(w.rdb.HLen(w.t.Context(), key).Val())
	}
	return n
}

// waits says that one page is not finished, and its run fanned out.
func (w *world) waits() bool {
	pages, runs := 0, 0
	for _, key := range w.keys("todo") {
		pages += int(w.rdb.SCard(w.t.Context(), key).Val())
	}
	for _, key := range w.keys("open") {
		runs += int(w.rdb.SCard(w.t.Context(), key).Val())
	}
	return pages == 1 && runs == 0
}

func TestAQuietHourEnds(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(3)
	end := time.Now().Add(2500 * time.Millisecond).Truncate(time.Second) // as pages keep times
	p := &platform{}
	var early atomic.Int64
	p.answer = func(bot.Channel, bot.Post) error {
		if time.Now().Before(end) {
			early.Add(1)
		}
		return nil
	}
	when := func(_ bot.Subscription, at time.Time) (time.Time, bool) {
		if at.Before(end) {
			return end, false
		}
		return at, false
	}
	stop := w.engine(p, func(c *Config) { c.When = when })
	w.due()
	eventually(t, "a page", func() bool { return w.rdb.SCard(t.Context(), w.store.Key(0, "todo")).Val() == 1 })
	stop()
	w.engine(p, func(c *Config) { c.When = when }) // another owner knows the time, too
	eventually(t, "all digests", func() bool { return p.count() == 3 && w.settled() })
	if n := early.Load(); n > 0 {
		t.Errorf("%d digests came in quiet hours", n)
	}
}
