package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weeklybot/bot"
)

// alarm notes what people would be told.
type alarm struct {
	mu    sync.Mutex
	heard map[string]int
	away  atomic.Bool // nothing is noted for good
}

func (a *alarm) note(what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.heard == nil {
		a.heard = map[string]int{}
	}
	a.heard[what]++
}

func (a *alarm) Ailing(id bot.ChannelID, _ bot.Ailment) { a.note("ailing " + id.String()) }
func (a *alarm) Held(w bot.Workspace, h bot.Ailment)    { a.note("held " + w.Name + " " + h.Text) }
func (a *alarm) MissedRun(context.Context, bot.Run) error {
	a.note("missed")
	if a.away.Load() {
		return errors.New("the store does not answer")
	}
	return nil
}
func (a *alarm) Undelivered(id bot.SubscriptionID, o bot.Owed) {
	a.note(fmt.Sprint("undelivered ", id, " ", o.Times))
}

func (a *alarm) times(what string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heard[what]
}

func (a *alarm) has(what ...string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !slices.ContainsFunc(what, func(w string) bool { return a.heard[w] == 0 })
}

func TestTheAlarmHearsOfChannelsAndOfThreeDatesInVain(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(2)
		gone := newFault(bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "is_archived"})
		gone.hits = func(dst bot.Channel, _ bot.Post) bool { return dst.Address == "C00000" }
		p, a := &platform{answer: gone.answer}, &alarm{}
		w.engine(p, func(c *Config) { c.Alarm = a })
		id := chat(0).ID()
		for date := 1; date <= 3; date++ {
			if late := fmt.Sprintf("undelivered %s-1 %d", id, date-1); a.has(late) {
				t.Errorf("the alarm heard %q", late)
			}
			w.due()
			eventually(t, "a try", func() bool { return w.settled() && p.count() == date && gone.tries.Load() == int64(date) })
			w.publish(fmt.Sprint("issue", date))
		}
		eventually(t, "the alarm", func() bool { return a.has("ailing "+id.String(), fmt.Sprintf("undelivered %s-1 3", id)) })
		if other := chat(1).ID(); a.has("ailing " + other.String()) {
			t.Error("the alarm heard of a channel that is well")
		}
	})
}

func TestTheAlarmHearsOfHeldWorkspaces(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(5)
		revoked := newFault(bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Code: "token_revoked"})
		a, restarted := &alarm{}, &alarm{}
		stop := w.engine(&platform{answer: revoked.answer}, func(c *Config) { c.Alarm = a })
		w.due()
		eventually(t, "the alarm", func() bool { return a.has("held W token_revoked") })
		stop()
		w.engine(&platform{answer: revoked.answer}, func(c *Config) { c.Alarm = restarted })
		eventually(t, "the alarm of the next process", func() bool { return restarted.has("held W token_revoked") })
	})
}

func TestTheAlarmHearsOfAMissedRun(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(1)
	a := &alarm{}
	w.engine(&platform{}, func(c *Config) { c.Alarm, c.Window = a, time.Millisecond })
	w.due()
	eventually(t, "the alarm", func() bool { return a.has("missed") })
}

// A run is not recorded as missed, and its slot does not go on, before people are sure to be told: whoever is killed before leaves it to be found.
func TestARunIsMissedWhenPeopleAreToldOfIt(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(1)
		a := &alarm{}
		a.away.Store(true)
		stop := w.engine(&platform{}, func(c *Config) { c.Alarm, c.Window = a, time.Millisecond })
		w.due()
		eventually(t, "the second try", func() bool { return a.times("missed") >= 2 })
		stop()
		if w.slotsDue() != 1 {
			t.Fatal("the slot went on, and nobody is told")
		}
		w.engine(&platform{}, func(c *Config) { c.Alarm, c.Window = &alarm{}, time.Millisecond })
		eventually(t, "the slot goes on", func() bool { return w.slotsDue() == 0 && w.settled() })
	})
}

// What was recorded, and perhaps not told, is said again by the next owner.
func TestTheNextOwnerRepeatsAlarms(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(1)
		gone := newFault(bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "is_archived"})
		stop := w.engine(&platform{answer: gone.answer}, nil) // tells nobody
		for date := 1; date <= undelivered; date++ {
			w.due()
			eventually(t, "a try", func() bool { return w.settled() && gone.tries.Load() == int64(date) })
			w.publish(fmt.Sprint("issue", date))
		}
		stop()
		a, id := &alarm{}, chat(0).ID().String()
		w.engine(&platform{}, func(c *Config) { c.Alarm = a })
		eventually(t, "the alarm", func() bool { return a.has("ailing "+id, fmt.Sprintf("undelivered %s-1 %d", id, undelivered)) })
	})
}
