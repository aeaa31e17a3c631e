package outbox

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"weeklybot/bot"
)

// recallBatch is how many pages of a run are read in one step of its recall.
const recallBatch = fanoutBatch / pageSize

// recallWait is between two looks whether all posts of a run are over.
const recallWait = 100 * time.Millisecond

// readBroadcast decides which channels get a broadcast. Those that it would have reached, had it not been cancelled, are counted.
func (e *Engine) readBroadcast(s *shard, r bot.Run, records []bot.Record) (st step, ok bool) {
	b, ok := e.broadcast(s, r.Broadcast)
	if !ok {
		return st, false
	}
	recipe := &bot.Recipe{Broadcast: r.Broadcast}
	for i := range records {
		rec := &records[i]
		if rec.Gone || !b.Audience.Holds(rec.Channel, rec.Subs) {
			continue
		}
		l := e.lanes[rec.Channel.Adapter]
		switch {
		case b.Stopped():
			st.cancelled++
			continue
		case l == nil:
			e.log.Warn("a channel's platform is not configured; a broadcast does not reach it", "adapter", rec.Channel.Adapter, "channel", rec.Channel.Name)
			st.skipped++
			continue
		}
		c, err := e.cuts.of(s.ctx, l.adapter, rec.Channel.Kind, recipe, r.Due.Add(e.cfg.Window))
		if err != nil {
			c = nil // composed, or reported, before it goes
		}
		st.planned = append(st.planned, planned{record: rec, recipe: recipe, cut: c})
	}
	return st, true
}

// broadcast reads one, again until Redis answers or the shard is lost. One that is gone counts as cancelled.
func (e *Engine) broadcast(s *shard, id string) (bot.Broadcast, bool) {
	for {
		b, err := e.queue.Broadcast(s.ctx, id)
		if errors.Is(err, bot.ErrNotFound) {
			return bot.Broadcast{ID: id, State: bot.BroadcastCancelled}, true
		}
		if err == nil {
			return b, true
		}
		if !e.wait(s, err, "could not read a broadcast; trying again") {
			return b, false
		}
	}
}

// stopped names the broadcasts of a batch that were cancelled.
func (e *Engine) stopped(s *shard, batch []*delivery) (map[string]bool, bool) {
	stopped := map[string]bool{}
	for _, d := range batch {
		id := d.entry.Recipe.Broadcast
		if _, known := stopped[id]; known || id == "" {
			continue
		}
		b, ok := e.broadcast(s, id)
		if !ok {
			return nil, false
		}
		stopped[id] = b.Stopped()
	}
	return stopped, true
}

// pagesOf lists the pages of a run, as members of its recall: the number in 8 bytes, big endian. It waits until the run's last delivery is over.
func (e *Engine) pagesOf(s *shard, id string) ([]string, error) {
	for e.openOf(s, id) {
		select {
		case <-time.After(recallWait):
		case <-s.ctx.Done():
			return nil, s.ctx.Err()
		}
	}
	runs, faults, err := e.queue.Runs(s.ctx, s.lease.Shard, []string{id})
	if err != nil || len(faults) > 0 {
		return nil, err // nothing is known of the run in this shard: it had nobody to reach, or is thrown away
	}
	var pages []string
	for n := runs[0].FirstPage; n > 0 && n <= runs[0].LastPage; n++ {
		pages = append(pages, string(binary.BigEndian.AppendUint64(nil, uint64(n))))
	}
	return pages, nil
}

// openOf asks the loop whether a run is being fanned out, or has deliveries that are not over.
func (e *Engine) openOf(s *shard, run string) bool {
	answer := make(chan bool, 1)
	e.tell(func() {
		open := false
		for _, r := range s.slots {
			open = open || r.ID == run
		}
		for _, p := range s.pages {
			open = open || slices.ContainsFunc(p.list, func(d *delivery) bool { return d != nil && d.entry.Run == run })
		}
		answer <- open
	})
	select {
	case open := <-answer:
		return open
	case <-e.ctx.Done():
		return true
	}
}

// readRecall plans to take back what arrived, page by page, where the platform can.
func (e *Engine) readRecall(s *shard, r bot.Run, members []string) (st step, ok bool) {
	var pages []int64
	for _, m := range members {
		pages = append(pages, int64(binary.BigEndian.Uint64([]byte(m))))
	}
	for {
		list, faults, err := e.queue.Delivered(s.ctx, s.lease.Shard, r.Recalls, pages)
		if err != nil {
			if !e.wait(s, err, "could not read what was delivered; trying again") {
				return st, false
			}
			continue
		}
		for _, f := range faults {
			e.log.Error("a stored record is damaged; what it was about cannot be recalled", "err", f)
		}
		for i := range list {
			d := &list[i]
			if d.Outcome.Parts == 0 {
				continue
			}
			receipts := append([]bot.Receipt{d.Outcome.First}, d.Outcome.Rest...)
			l := e.lanes[d.Lane]
			if l == nil || d.Record.Gone || slices.Contains(receipts, "") || !canRecall(l.adapter) {
				st.skipped++
				continue
			}
			recipe := &bot.Recipe{Recall: receipts}
			st.planned = append(st.planned, planned{record: &d.Record, recipe: recipe, cut: &cut{parts: make([]bot.Message, len(receipts))}})
		}
		return st, true
	}
}

func canRecall(a bot.Adapter) bool {
	_, ok := a.(bot.Recaller)
	return ok
}

// recallPost takes one part back.
func (e *Engine) recallPost(ctx context.Context, l *lane, d *delivery, dst bot.Channel) result {
	recaller, ok := l.adapter.(bot.Recaller)
	if !ok {
		return result{err: &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "no_recall", Err: errors.New("this platform takes nothing back")}}
	}
	return result{err: sendError(recaller.Recall(ctx, dst, d.entry.Recipe.Recall[d.part-1]))}
}
