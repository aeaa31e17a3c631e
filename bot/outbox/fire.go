package outbox

import (
	"fmt"
	"strconv"
	"time"

	"weeklybot/bot"
)

// run is one open run of a shard. Its slot fires no other one until it has been fanned out.
type run struct {
	bot.Run
}

// fireDue starts a run for each due slot: its newest occurrence, standing for those missed before it. An occurrence past the window is
// recorded as missed; what it would have held comes with the next.
func (e *Engine) fireDue(s *shard, t bot.Tick, now time.Time) {
	for _, d := range t.Due {
		if s.slots[d.Slot.ID] != nil || s.stirred[d.Slot.ID] > t.Lease.Commit {
			continue // still busy, or read before the commit that moved it
		}
		newest, next, older, err := e.newestDue(d, now)
		if err != nil {
			e.log.Error("a schedule cannot be read; its subscriptions wait", "slot", d.Slot.ID, "cron", d.Slot.Schedule.Cron, "zone", d.Slot.Schedule.Zone, "err", err)
			continue
		}
		r := bot.Run{
			ID: d.Slot.ID + "@" + stamp(newest), Slot: d.Slot.ID, Due: newest, Fired: now, Last: d.Slot.Last,
			From: d.Slot.Upto, Upto: e.head, State: bot.RunOpen, Missed: older,
		}
		e.metrics.lag.Set(now.Sub(newest).Seconds())
		if now.Sub(newest) > e.cfg.Window {
			r.State = bot.RunMissed
			e.miss(s, r, next)
			continue
		}
		e.fire(s, r, next)
	}
}

// miss records a run as missed once people are sure to be told.
func (e *Engine) miss(s *shard, r bot.Run, next time.Time) {
	e.log.Warn("a run was missed; its issues come with the next", "run", r.ID, "due", r.Due)
	s.slots[r.Slot] = &run{Run: r}
	e.work.Go(func() {
		err := e.cfg.Alarm.MissedRun(s.ctx, r)
		e.tell(func() {
			switch {
			case s.lost:
			case err != nil || s.leaving:
				delete(s.slots, r.Slot) // still due: the next beat finds it, or the next owner
			default:
				e.fire(s, r, next)
			}
		})
	})
}

// stamp is a time in unix seconds; with its milliseconds when it has some, as a run that a person fired does.
func stamp(t time.Time) string {
	if t.Nanosecond() == 0 {
		return strconv.FormatInt(t.Unix(), 10)
	}
	return fmt.Sprintf("%d.%03d", t.Unix(), t.Nanosecond()/int(time.Millisecond))
}

// newestDue finds the newest occurrence that is not in the future, the one after it, and how many older ones it stands for.
func (e *Engine) newestDue(d bot.DueSlot, now time.Time) (newest, next time.Time, older int, err error) {
	newest = d.Due
	if early := now.Add(-e.cfg.Window); newest.Before(early) {
		// Occurrences before the window cannot run: look only for the newest, from the window's begin.
		if first, err := e.cfg.Next(d.Slot.Schedule, early); err == nil && !first.After(now) {
			newest, older = first, 1
		}
	}
	for {
		next, err = e.cfg.Next(d.Slot.Schedule, newest)
		if err != nil || next.After(now) {
			return newest, next, older, err
		}
		newest, older = next, older+1
	}
}

// fire writes the run; when that is acknowledged its fan-out begins.
func (e *Engine) fire(s *shard, r bot.Run, next time.Time) {
	open := &run{Run: r}
	s.slots[r.Slot] = open
	s.stirred[r.Slot] = s.next.Number
	s.next.Fires = append(s.next.Fires, bot.Fire{Run: r, Slot: r.Slot, Next: next})
	s.next.then(func() {
		if r.State == bot.RunOpen {
			e.fanOut(s, open)
		} else {
			delete(s.slots, r.Slot)
		}
	})
}

// announce fires the on-publish slots of series that have new issues since this shard last looked.
func (e *Engine) announce(s *shard) {
	if s.pubBusy || e.head <= s.pub {
		return
	}
	s.pubBusy = true
	from, upto := s.pub, e.head
	e.work.Go(func() {
		news, err := e.published(s, from, upto)
		e.tell(func() {
			s.pubBusy = false
			if err != nil && !s.lost {
				e.log.Warn("could not read what was published; trying again", "err", err)
				return
			}
			if !s.lost && !s.leaving {
				e.fireNews(s, news, upto)
			}
		})
	})
}

// news is an on-publish slot with new issues: of one series, or of any ("").
type news struct {
	slot   string
	series string
}

func (e *Engine) published(s *shard, from, upto int64) ([]news, error) {
	entries, err := e.queue.Entries(s.ctx, from, upto)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	series := map[string]string{}
	for _, entry := range entries {
		if slot := bot.PublishSlot(entry.Series); !entry.Back && series[slot] == "" {
			series[slot] = entry.Series
			ids = append(ids, slot)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	slots, err := e.queue.Slots(s.ctx, s.lease.Shard, append(ids, bot.PublishSlot("")))
	var list []news
	for _, slot := range slots {
		list = append(list, news{slot.ID, series[slot.ID]})
	}
	return list, err
}

func (e *Engine) fireNews(s *shard, list []news, upto int64) {
	for _, n := range list {
		if s.slots[n.slot] != nil {
			return // its run before is still being fanned out; look again with the next beat
		}
	}
	now := time.Now()
	for _, n := range list {
		e.fire(s, bot.Run{
			ID: fmt.Sprintf("%s@%d", n.slot, upto), Slot: n.slot, Series: n.series, Due: now, Fired: now,
			From: s.pub, Upto: upto, State: bot.RunOpen,
		}, time.Time{})
	}
	s.pub, s.next.Pub = upto, upto
	s.next.note()
}
