package outbox

import (
	"container/heap"
	"context"
	"errors"
	"time"

	"weeklybot/bot"
)

// The doctor turns faults into what is to be done beyond the next attempt: plain text, a channel on probation, a workspace held. Held
// workspaces stand in Redis and reach every node with its beat; channels on probation are part of their shard. Between two beats a delivery
// costs one look into a map that is nearly always empty.

// probeSeek is how long a node waits before it looks again for a delivery to try a held workspace with, or for the right to.
const probeSeek = 10

// ward is what a lane knows of its held workspaces.
type ward struct {
	held    map[string]bot.Ailment
	touched map[string]time.Time // changed here; older news from a beat does not count
	tryAt   map[string]time.Time // when this node may ask again to try one
}

func newWard() ward {
	return ward{held: map[string]bot.Ailment{}, touched: map[string]time.Time{}, tryAt: map[string]time.Time{}}
}

// holds says whether a delivery has to wait until its workspace works again.
func (l *lane) holds(d *delivery) bool {
	if len(l.ward.held) == 0 || d.probe {
		return false
	}
	w, ok := bot.WorkspaceOf(d.channel)
	_, held := l.ward.held[w.Name]
	return ok && held
}

// park lets a delivery wait for its workspace: at most as long as its window, at whose end it is missed.
func (e *Engine) park(d *delivery) {
	d.notBefore = e.windowEnd(d)
	d.lane.await(d)
}

// hold stops a delivery's whole workspace, for every node.
func (e *Engine) hold(d *delivery, err *bot.SendError) {
	l, w := d.lane, bot.Workspace{Adapter: d.lane.name, Name: d.channel.Workspace}
	d.probe = false
	if _, held := l.ward.held[w.Name]; !held {
		a := bot.Ailment{Code: err.Code, Action: err.Action, Since: time.Now()}
		if err.Err != nil {
			a.Text = err.Err.Error()
		}
		l.ward.held[w.Name], l.ward.touched[w.Name] = a, a.Since
		l.ward.tryAt[w.Name] = a.Since.Add(e.cfg.Probe)
		e.log.Error("a workspace refuses the bot; its deliveries wait until it works again", "adapter", w.Adapter, "workspace", w.Name, "code", err.Code, "err", err.Err)
		e.stored("hold a workspace", func(ctx context.Context) error {
			first, err := e.queue.Hold(ctx, w, a)
			if first {
				e.cfg.Alarm.Held(w, a) // else the next beat finds whoever was first
			}
			return err
		})
	}
	e.rest(d, err.Code, e.cfg.Window)
}

// stored writes something down in the background, again until Redis answers or the engine stops.
func (e *Engine) stored(what string, write func(context.Context) error) {
	e.work.Go(func() {
		for {
			err := write(e.ctx)
			if err == nil || e.ctx.Err() != nil {
				return
			}
			e.log.Warn("could not write; trying again", "what", what, "err", err)
			select {
			case <-time.After(time.Second):
			case <-e.ctx.Done():
				return
			}
		}
	})
}

// heldNow takes what a beat found of held workspaces. What this node itself has changed since it asked counts more.
func (e *Engine) heldNow(held map[bot.Workspace]bot.Ailment, asked time.Time) {
	for _, l := range e.lanes {
		for name := range l.ward.held {
			if _, still := held[bot.Workspace{Adapter: l.name, Name: name}]; !still && l.ward.touched[name].Before(asked) {
				e.revived(l, name)
			}
		}
	}
	for w, a := range held {
		if l := e.lanes[w.Adapter]; l != nil && l.ward.touched[w.Name].Before(asked) {
			if before, known := l.ward.held[w.Name]; !known || !before.Since.Equal(a.Since) {
				e.cfg.Alarm.Held(w, a)
			}
			l.ward.held[w.Name] = a
		}
	}
	for _, l := range e.lanes {
		for name := range l.ward.held {
			e.probe(l, name)
		}
	}
}

// probe tries a held workspace with one delivery that waits for it, if no other node does within the same time.
func (e *Engine) probe(l *lane, name string) {
	now := time.Now()
	if now.Before(l.ward.tryAt[name]) {
		return
	}
	l.ward.tryAt[name] = now.Add(e.cfg.Probe / probeSeek)
	if e.waitingFor(l, name) == nil {
		return
	}
	e.work.Go(func() {
		mine, err := e.queue.ClaimProbe(e.ctx, bot.Workspace{Adapter: l.name, Name: name}, e.cfg.Probe)
		if err != nil || !mine {
			return // the next look tries again
		}
		e.tell(func() {
			if d := e.waitingFor(l, name); d != nil {
				d.probe, d.notBefore = true, time.Time{}
				heap.Init(&l.waiting)
			}
		})
	})
}

// waitingFor is a delivery that waits in a workspace and might go now; nil when there is none.
func (e *Engine) waitingFor(l *lane, workspace string) *delivery {
	now := time.Now()
	for _, d := range l.waiting {
		if !d.in(workspace) || d.over || d.shard.lost || d.shard.leaving {
			continue
		}
		if !e.isPutOff(d, now) {
			return d
		}
	}
	return nil
}

// in says whether a delivery's channel belongs to a workspace.
func (d *delivery) in(workspace string) bool {
	w, ok := bot.WorkspaceOf(d.channel)
	return ok && w.Name == workspace
}

// arrivedAt notes that a post arrived: its channel is well, and a workspace that was tried with it works again.
func (e *Engine) arrivedAt(d *delivery) {
	if d.probe {
		d.probe = false
		w := bot.Workspace{Adapter: d.lane.name, Name: d.channel.Workspace}
		e.log.Info("a workspace works again", "adapter", w.Adapter, "workspace", w.Name)
		e.revived(d.lane, w.Name)
		e.stored("revive a workspace", func(ctx context.Context) error {
			_, err := e.queue.Revive(ctx, w)
			return err
		})
	}
	if len(d.shard.ill) > 0 {
		e.well(d.shard, d.entry.Member.Channel)
	}
}

// revived lets all go that waits for a workspace.
func (e *Engine) revived(l *lane, name string) {
	delete(l.ward.held, name)
	delete(l.ward.tryAt, name)
	l.ward.touched[name] = time.Now()
	for _, d := range l.waiting {
		if d.in(name) {
			d.notBefore = time.Time{}
		}
	}
	heap.Init(&l.waiting)
}

// ail puts a delivery's channel on probation.
func (e *Engine) ail(d *delivery, err *bot.SendError) {
	s, id := d.shard, d.entry.Member.Channel
	a, known := s.ill[id]
	if !known {
		a = bot.Ailment{Since: time.Now()}
	}
	a.Code, a.Action = err.Code, err.Action
	s.ill[id] = a
	s.next.Ailments = append(s.next.Ailments, bot.ChannelHealth{Channel: id, Ailment: a})
	s.next.note()
	e.cfg.Alarm.Ailing(id, a)
}

// well ends a channel's probation.
func (e *Engine) well(s *shard, id bot.ChannelID) {
	if _, ill := s.ill[id]; !ill {
		return
	}
	delete(s.ill, id)
	s.next.Ailments = append(s.next.Ailments, bot.ChannelHealth{Channel: id, Well: true})
	s.next.note()
}

// learnIll reads a shard's ailments again after somebody else has changed them. What is not ill any more by what it finds, the next post
// shows.
func (e *Engine) learnIll(s *shard, ills int64) {
	if ills == s.ills {
		return
	}
	s.ills = ills
	e.work.Go(func() {
		ill, err := e.queue.Ailments(s.ctx, s.lease.Shard)
		e.tell(func() {
			if err != nil {
				s.ills = 0 // again with the next beat
				return
			}
			for id, a := range ill {
				if _, known := s.ill[id]; !known {
					s.ill[id] = a
					e.cfg.Alarm.Ailing(id, a)
				}
			}
		})
	})
}

// degrade posts what is left of a digest once more, as plain text without links.
func (e *Engine) degrade(d *delivery, refused *bot.SendError) {
	d.plain = true
	s, kind, was, done := d.shard, d.channel.Kind, d.cut, d.done
	e.log.Warn("a post was refused; once more as plain text", "delivery", d.id(), "adapter", d.lane.name, "code", refused.Code, "err", refused.Err)
	e.work.Go(func() {
		c := &cut{parts: append([]bot.Message(nil), was.parts[:done]...)}
		var err error
		for _, m := range was.parts[done:] {
			parts, fault := split(d.lane.adapter, kind, bot.Plain(m))
			c.parts, err = append(c.parts, parts...), errors.Join(err, fault)
		}
		if err == nil && len(c.parts) > 1 {
			c.hash, err = e.queue.KeepParts(s.ctx, c.parts, e.cfg.Window+e.cfg.Keep+time.Hour)
		}
		e.tell(func() {
			switch {
			case s.lost || d.over:
			case err != nil:
				e.log.Warn("could not make or store a digest's plain parts", "delivery", d.id(), "err", err)
				e.giveUp(d, bot.Dead, refused)
			default:
				d.cut = c
				e.rest(d, refused.Code, 0)
			}
		})
	})
}
