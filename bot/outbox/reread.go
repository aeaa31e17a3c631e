package outbox

import (
	"slices"

	"weeklybot/bot"
)

// reread looks again at the subscriptions of deliveries that somebody may have changed since they were read, and composes those anew that a
// newer run has joined. They come back ready, or end as skipped.
func (e *Engine) reread(s *shard, deliveries []*delivery) {
	joined := make([]*bot.Recipe, len(deliveries))
	for i, d := range deliveries {
		joined[i] = d.refold
	}
	e.work.Go(func() {
		for len(deliveries) > 0 {
			n := min(fanoutBatch, len(deliveries))
			if !e.rereadSome(s, deliveries[:n], joined[:n]) {
				return
			}
			deliveries, joined = deliveries[n:], joined[n:]
		}
	})
}

func (e *Engine) rereadSome(s *shard, deliveries []*delivery, joined []*bot.Recipe) bool {
	var members []string
	for _, d := range deliveries {
		members = append(members, packMember(d.entry.Member))
	}
	records, ok := e.records(s, members)
	if !ok {
		return false
	}
	cuts := make([]*cut, len(deliveries))
	for i, d := range deliveries {
		if joined[i] != nil && d.done == 0 && !d.uncertain && !records[i].Gone {
			if cuts[i], ok = e.composed(d.lane, records[i].Channel.Kind, *joined[i], d.entry.Due); !ok {
				return false
			}
		}
	}
	ctl := make(chan struct{})
	e.tell(func() {
		for i, d := range deliveries {
			e.reready(d, records[i], joined[i], cuts[i])
		}
		close(ctl)
	})
	select {
	case <-ctl:
		return true
	case <-e.ctx.Done():
		return false
	}
}

// records reads members' records, again until Redis answers or the engine stops.
func (e *Engine) records(s *shard, members []string) ([]bot.Record, bool) {
	for {
		records, faults, err := e.queue.Records(e.ctx, s.lease.Shard, members)
		if err == nil {
			for _, f := range faults {
				e.log.Error("a stored record is damaged; its subscriptions get nothing", "err", f)
			}
			return records, true
		}
		if !e.wait(err, "could not read channels; trying again") {
			return nil, false
		}
	}
}

func (e *Engine) reready(d *delivery, rec bot.Record, joined *bot.Recipe, c *cut) {
	switch {
	case d.shard.lost:
	case rec.Gone && d.done == 0:
		e.end(d, bot.Skipped, ended)
	case rec.Sub.State == bot.StatePaused && d.done == 0:
		e.end(d, bot.Skipped, "paused")
	default:
		d.ctl = d.shard.lease.Ctl
		if !rec.Gone {
			d.channel = rec.Channel
		}
		if d.refold == joined {
			d.refold = nil
		}
		if c != nil {
			d.cut, d.folded = c, true
		} else if joined != nil {
			d.unpaid = true
		}
		d.lane.push(d)
	}
}

// packMember is the form in which Queue.Members lists a member: the channel's 8 bytes and the ordinal, big endian.
func packMember(m bot.SlotMember) string {
	return string(slices.Concat(m.Channel[:], []byte{byte(m.Ordinal >> 8), byte(m.Ordinal)}))
}
