package outbox

import (
	"errors"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/redisstore"
	"weeklybot/internal/needs"
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
		when := func(_ string, rule bot.Except, at time.Time) (time.Time, bool) {
			over := !at.Before(time.UnixMilli(end.Load()))
			switch {
			case over || rule == (bot.Except{}):
				return at, false
			case rule.Holidays != "":
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
		stop = w.engine(p, func(c *Config) { c.When = when })
		w.publish("second")
		w.due() // what waits is folded into its delivery, which waits as well
		eventually(t, "the second run", func() bool { return p.count() == 2 && w.owed() == 1 && w.waits() })
		stop()
		end.Store(0)
		w.engine(p, func(c *Config) { c.When = when })
		eventually(t, "what waited", func() bool { return p.count() == 3 && w.settled() })
		w.publish("third")
		w.due()
		eventually(t, "the third run", func() bool { return p.count() >= 6 && w.settled() })
		if seen := p.seen(); seen["C00000 1-2/1"] != 1 || seen["C00002 0-3/1"] != 1 || seen["C00001 0-2/1"] != 1 {
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
	pages := 0
	for _, key := range w.keys("todo") {
		pages += int(w.rdb.SCard(w.t.Context(), key).Val())
	}
	return pages == 1 && w.fannedOut()
}

// fannedOut says that no slot is due and no run open.
func (w *world) fannedOut() bool { return w.slotsDue() == 0 && len(w.members("open")) == 0 }

// slotsDue counts the slots whose time has come.
func (w *world) slotsDue() (n int64) {
	for _, key := range w.keys("due") {
		n += w.rdb.ZCount(w.t.Context(), key, "-inf", unixMs(time.Now())).Val()
	}
	return n
}

// untils is a calendar where quiet hours are the moment at which they end, in unix ms, and holidays the moment from which they are skipped.
func untils(_ string, rule bot.Except, t time.Time) (time.Time, bool) {
	if from, err := strconv.ParseInt(rule.Holidays, 10, 64); err == nil && t.UnixMilli() >= from {
		return t, true
	}
	if end, err := strconv.ParseInt(rule.Quiet, 10, 64); err == nil && t.UnixMilli() < end {
		return time.UnixMilli(end), false
	}
	return t, false
}

func unixMs(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// subscribeWith subscribes chat(i) under a rule.
func (w *world) subscribeWith(i int, rule bot.Except) bot.SubscriptionID {
	w.t.Helper()
	sub, err := w.store.Add(w.t.Context(), chat(i), bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}, Except: rule})
	if err != nil {
		w.t.Fatal(err)
	}
	return sub.ID
}

// early counts the posts that came before their channel's time.
type early struct {
	mu    sync.Mutex
	times map[string]time.Time // by address
	list  []string
}

func (e *early) note(dst bot.Channel) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if left := time.Until(e.times[dst.Address]); left > 0 {
		e.list = append(e.list, dst.Address+" "+left.String())
	}
}

// The digests of one page have quiet hours that end at different times, and windows shorter than those. Each waits for its own end, with the owner
// that paged it and with the next one, and none is missed.
func TestEachWaitsForItsOwnTime(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const n = 12
		began := time.Now()
		e := &early{times: map[string]time.Time{}}
		for i := range n {
			end := began.Add(time.Duration(i*i%n) * 300 * time.Millisecond)
			e.times[chat(i).Address] = end
			w.subscribeWith(i, bot.Except{Quiet: unixMs(end)})
		}
		w.publish("first")
		p := &platform{answer: func(dst bot.Channel, _ bot.Post) error { e.note(dst); return nil }}
		stop := w.engine(p, func(c *Config) { c.When = untils })
		w.dueFor(3 * time.Hour)
		eventually(t, "a post, and all pages", func() bool { return p.count() > 0 && w.fannedOut() })
		stop()
		w.engine(p, func(c *Config) { c.When, c.Window = untils, 2*time.Hour }) // which is over, but for the quiet hours
		eventually(t, "all digests", func() bool { return p.count() == n && w.settled() })
		if len(e.list) > 0 || w.owed() > 0 {
			t.Errorf("came in quiet hours: %v; %d are owed", e.list, w.owed())
		}
	})
}

// Put off by the platform into quiet hours, a digest that has not begun waits for their end; one of which a part is out goes on.
func TestRetriesHeedQuietHours(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		var quiet atomic.Bool
		end := time.Now().Add(time.Hour)
		when := func(_ string, _ bot.Except, t time.Time) (time.Time, bool) {
			if quiet.Load() {
				return end, false
			}
			return t, false
		}
		w.subscribe(2)
		begun := make(chan struct{}) // closed when a part of the second is out
		var first, second atomic.Bool
		p := &platform{parts: 2, answer: func(dst bot.Channel, post bot.Post) error {
			switch {
			case dst.Address == chat(1).Address && post.Part == 1:
				close(begun)
				return nil
			case dst.Address == chat(0).Address && !first.Swap(true):
				<-begun
				quiet.Store(true)
			case dst.Address != chat(1).Address || second.Swap(true):
				return nil
			}
			return &bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeChannel, Code: "429", RetryAfter: time.Millisecond, Err: errors.New("slowly")}
		}}
		stop := w.engine(p, func(c *Config) { c.When = when })
		w.due()
		eventually(t, "the one that had begun", func() bool { return first.Load() && p.count() == 2 && w.flying() == 0 && w.waits() })
		stop()
		if seen := p.seen(); seen["C00001 0-1/2"] != 1 {
			t.Errorf("arrived in quiet hours: %v", seen)
		}
		quiet.Store(false)
		w.engine(p, func(c *Config) { c.When = when })
		eventually(t, "the one that waited", func() bool { return p.count() == 4 && w.settled() })
	})
}

// A holiday that begins while a digest is put off skips it: it is owed without being counted as a failure, and comes with the next run.
func TestARetryOnAHolidayIsSkipped(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		var holiday, refuse atomic.Bool
		when := func(_ string, _ bot.Except, t time.Time) (time.Time, bool) { return t, holiday.Load() }
		refuse.Store(true)
		w.subscribe(1)
		p := &platform{answer: func(bot.Channel, bot.Post) error {
			if !refuse.Load() {
				return nil
			}
			holiday.Store(true)
			return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "503", Err: errors.New("busy")}
		}}
		w.engine(p, func(c *Config) { c.When, c.Backoff = when, time.Millisecond })
		w.due()
		eventually(t, "a debt", func() bool { return w.owed() == 1 && w.settled() })
		holiday.Store(false)
		refuse.Store(false)
		w.publish("second")
		w.due()
		eventually(t, "the next digest", func() bool { return p.count() == 1 && w.owed() == 0 })
		if seen := p.seen(); seen["C00000 0-2/1"] != 1 {
			t.Errorf("arrived: %v, want both issues in one digest", seen)
		}
	})
}

// The same time of the next workday is that of the plan, whenever it is asked; what is late for another reason goes when it may.
func TestWhenADeliveryGoes(t *testing.T) {
	day := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	at := func(days, hours int) time.Time { return day.AddDate(0, 0, days).Add(time.Duration(hours) * time.Hour) }
	calendars := map[string]func(string, bot.Except, time.Time) (time.Time, bool){
		"none": nil,
		"holiday": func(_ string, _ bot.Except, t time.Time) (time.Time, bool) { // the first day
			if t.Before(at(0, 0)) || !t.Before(at(1, 0)) {
				return t, false
			}
			return t.AddDate(0, 0, 1), false
		},
		"skipped": func(_ string, _ bot.Except, t time.Time) (time.Time, bool) {
			return t, !t.Before(at(0, 0)) && t.Before(at(1, 0))
		},
	}
	for _, c := range []struct {
		name, calendar string
		due, now, want time.Time
		skip           bool
		missed         time.Time // when the window of six hours is over
	}{
		{"no rule", "none", at(0, 9), at(0, 10), at(0, 10), false, at(0, 15)},
		{"no rule, and a clock that is behind", "none", at(0, 9), at(0, 8), at(0, 8), false, at(0, 15)},
		{"on time", "holiday", at(0, 9), at(0, 9), at(1, 9), false, at(1, 15)},
		{"asked later that day", "holiday", at(0, 9), at(0, 14), at(1, 9), false, at(1, 15)},
		{"asked in the next night", "holiday", at(0, 9), at(1, 1), at(1, 9), false, at(1, 15)},
		{"its time has come", "holiday", at(0, 9), at(1, 10), at(1, 10), false, at(1, 15)},
		{"late into the holiday", "holiday", at(-1, 22), at(0, 2), at(1, 2), false, at(1, 10)},
		{"planned for the holiday", "skipped", at(0, 20), at(0, 20), at(0, 20), true, at(1, 2)},
		{"planned for the holiday, found after it", "skipped", at(0, 20), at(1, 1), at(0, 20), true, at(1, 2)},
		{"late into a holiday that is skipped", "skipped", at(-1, 22), at(0, 1), at(0, 1), true, at(0, 4)},
	} {
		e := New(Config{When: calendars[c.calendar], Window: 6*time.Hour - time.Second})
		d := &delivery{entry: bot.PageEntry{Member: bot.SlotMember{Ordinal: 1}, Run: "slot@1", Due: c.due}, calendar: &calendar{}}
		if got, skip := e.goesAt(d, c.now); !got.Equal(c.want) || skip != c.skip {
			t.Errorf("%s: goes at %v, %v; want %v, %v", c.name, got, skip, c.want, c.skip)
		}
		if got := e.windowEnd(d); !got.Equal(c.missed) {
			t.Errorf("%s: missed at %v, want %v", c.name, got, c.missed)
		}
	}
}

// What a person orders to come now comes now, in quiet hours and on holidays.
func TestAnOrderKnowsNoQuietHours(t *testing.T) {
	w := embeddedWorld(t)
	quiet, holiday := w.subscribeWith(0, bot.Except{Quiet: unixMs(time.Now().Add(time.Hour))}), w.subscribeWith(1, bot.Except{Holidays: unixMs(time.Now())})
	w.publish("first")
	p := &platform{}
	w.engine(p, func(c *Config) { c.When = untils })
	for _, id := range []bot.SubscriptionID{quiet, holiday} {
		if err := w.store.Fire(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both digests", func() bool { return p.count() == 2 && w.settled() })

	w.publish("second")
	w.due()
	eventually(t, "one that waits and one that is skipped", func() bool { return w.owed() == 1 && w.waits() })
	w.publish("third")
	for _, id := range []bot.SubscriptionID{quiet, holiday} {
		if err := w.store.Fire(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both digests, with what waited and what was owed", func() bool { return p.count() == 4 && w.settled() })
	if seen := p.seen(); seen["C00000 1-3/1"] != 1 || seen["C00001 1-3/1"] != 1 {
		t.Errorf("arrived: %v", seen)
	}
}

// Engines are killed with SIGKILL while digests of the same pages wait for the ends of different quiet hours: each comes once, and none in them.
func TestQuietHoursSurviveKills(t *testing.T) {
	for _, store := range []string{"embedded", "redis"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			const channels, kills = 200, 4
			s := newSink(t, 1, false)
			c := childConfig{Sink: s.URL, Finder: true, InFlight: 16, Parts: 2, Node: "node", Untils: true}
			if store == "embedded" {
				c.Dir = t.TempDir()
			} else {
				dir, err := os.MkdirTemp("", "wb") // short: a socket's path is
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = os.RemoveAll(dir) })
				c.Socket = needs.NewServer(t, dir, 0, "--appendonly", "yes", "--appendfsync", "always").Addr
			}
			c.prepare(t, channels)
			s.quiet = map[string]time.Time{}
			begin := time.Now()
			c.withStore(func(store *redisstore.Store) {
				for i := range channels {
					ch := benchChannel(i)
					s.quiet[ch.Address] = begin.Add(time.Duration(i%5) * time.Second)
					_, err := store.Change(t.Context(), bot.SubscriptionID{Channel: ch.ID(), Ordinal: 1}, func(sub *bot.Subscription) error {
						sub.Except.Quiet = unixMs(s.quiet[ch.Address])
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
				}
			})
			p := c.start(t)
			for k := range kills {
				eventually(t, "posts", func() bool { return s.count.Load() >= int64(1+k*channels*c.Parts/5) || ended(p) })
				p.Kill()
				s.settle(t)
				p = c.start(t)
			}
			select {
			case <-p.Done():
			case <-time.After(90 * time.Second):
				t.Fatalf("not finished: %d posts", s.count.Load())
			}
			if lost, doubled, faults := s.result(channels, 1); lost != 0 || doubled != 0 || len(faults) > 0 {
				t.Errorf("%d posts, %d lost, %d doubled, %q; for example %s", s.count.Load(), lost, doubled, faults, s.example())
			}
		})
	}
}

// A workspace that works again lets go what waits for it, not what waits for the end of quiet hours; and such a one is not what it is tried with.
func TestAWorkspaceIsNotTriedInQuietHours(t *testing.T) {
	w := embeddedWorld(t)
	end := time.Now().Add(2 * time.Second)
	e := &early{times: map[string]time.Time{}}
	const n = 6
	for i := range n {
		rule := bot.Except{}
		if i%2 == 0 {
			rule.Quiet, e.times[chat(i).Address] = unixMs(end), end
		}
		w.subscribeWith(i, rule)
	}
	w.publish("first")
	var works atomic.Bool
	p := &platform{answer: func(dst bot.Channel, _ bot.Post) error {
		e.note(dst)
		if !works.Swap(true) {
			return &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Code: "account_inactive", Err: errors.New("revoked")}
		}
		return nil
	}}
	w.engine(p, func(c *Config) { c.When, c.Probe, c.InFlight, c.Workers = untils, 100*time.Millisecond, 1, 1 })
	w.due()
	eventually(t, "all digests", func() bool { return p.count() == n && w.settled() })
	if len(e.list) > 0 {
		t.Errorf("came in quiet hours: %v", e.list)
	}
}
