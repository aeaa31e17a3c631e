package outbox

import (
	"errors"
	"slices"
	"time"

	"weeklybot/bot"
)

// rereads are deliveries of one lane and shard whose subscription somebody may have changed since it was read, or that are not composed yet.
// One batch of them is read at a time.
type rereads struct {
	queue[*delivery]
	busy bool
}

// composeAgain is how long a delivery waits that could not be composed.
const composeAgain = 2 * time.Second

// reread takes the next batch of a lane's stale deliveries. They come back ready, or end as skipped.
func (e *Engine) reread(l *lane, s *shard) {
	r := l.stale[s]
	switch {
	case r == nil || r.busy:
		return
	case s.lost || s.leaving || r.len() == 0:
		delete(l.stale, s)
		return
	}
	r.busy = true
	var batch []*delivery
	for len(batch) < fanoutBatch && r.len() > 0 {
		batch = append(batch, r.pop())
	}
	members := make([]string, len(batch))
	compose := make([]bool, len(batch))
	ends := make([]time.Time, len(batch))
	for i, d := range batch {
		members[i], compose[i] = packMember(d.entry.Member), d.cut == nil
		if compose[i] {
			ends[i] = e.windowEnd(d)
		}
	}
	ctl := s.lease.Ctl // before anything is read
	e.work.Go(func() {
		records, ok := e.records(s, members)
		if !ok {
			return
		}
		stopped, ok := e.stopped(s, batch)
		if !ok {
			return
		}
		cuts, errs := make([]*cut, len(batch)), make([]error, len(batch))
		for i, d := range batch {
			if compose[i] {
				cuts[i], errs[i] = e.cuts.of(s.ctx, l.adapter, kindOf(d, records[i]), d.entry.Recipe, ends[i])
			}
		}
		e.tell(func() {
			for i, d := range batch {
				if compose[i] {
					d.cut = cuts[i]
				}
				if stopped[d.entry.Recipe.Broadcast] && !d.begun() && !d.over {
					e.end(d, bot.Cancelled, codeStopped)
				}
				e.reready(d, records[i], ctl, errs[i])
			}
			r.busy = false
			e.reread(l, s)
		})
	})
}

func kindOf(d *delivery, rec bot.Record) bot.Kind {
	if rec.Gone {
		return d.channel.Kind
	}
	return rec.Channel.Kind
}

// records reads members' records, again until Redis answers or the shard is lost.
func (e *Engine) records(s *shard, members []string) ([]bot.Record, bool) {
	for {
		records, faults, err := e.queue.Records(s.ctx, s.lease.Shard, members)
		if err == nil {
			for _, f := range faults {
				e.log.Error("a stored record is damaged; its subscriptions get nothing", "err", f)
			}
			return records, true
		}
		if !e.wait(s, err, "could not read channels; trying again") {
			return nil, false
		}
	}
}

func (e *Engine) reready(d *delivery, rec bot.Record, ctl int64, err error) {
	if !rec.Gone {
		d.channel, d.calendar = rec.Channel, calendarOf(&rec.Sub, d.calendar)
	}
	d.ctl, d.gone = ctl, rec.Gone
	switch {
	case d.shard.lost || d.over:
	case d.gone && !d.begun():
		e.end(d, bot.Skipped, codeEnded)
	case rec.Sub.State == bot.StatePaused && !d.begun():
		e.end(d, bot.Skipped, codePaused)
	case errors.Is(err, errNoParts):
		e.giveUp(d, bot.Dead, &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: codeNoParts, MaybeSent: d.begun(), Err: err})
	case err != nil:
		e.log.Warn("could not compose a digest; trying again", "delivery", d.id(), "err", err)
		d.notBefore = time.Now().Add(composeAgain)
		d.lane.push(d)
	case d.cut == nil && !d.begun():
		e.end(d, bot.Skipped, codeNothing)
	case d.cut == nil:
		e.giveUp(d, bot.Held, &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "cut_gone", MaybeSent: true, Err: errCutGone})
	default:
		d.part = min(d.part, len(d.cut.parts)) // composed anew and shorter: its last part is repeated rather than lost
		d.lane.ready(d, true)
	}
}

// packMember is the form in which Queue.Members lists a member: the channel's 8 bytes and the ordinal, big endian.
func packMember(m bot.SlotMember) string {
	return string(slices.Concat(m.Channel[:], []byte{byte(m.Ordinal >> 8), byte(m.Ordinal)}))
}
