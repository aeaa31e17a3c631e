package outbox

import (
	"context"
	"time"

	"weeklybot/bot"
)

// Workspaces take turns: each has its own queue, and where the platform limits what may be posted to one, its own budget. A workspace that may
// not be posted to for now stands aside and takes part again when its time comes.

// space is one workspace of a lane.
type space struct {
	name    string
	checked queue[*delivery] // read again a moment ago: they go first
	ready   queue[*delivery]
	budget  *budget   // nil: no limit
	until   time.Time // nothing goes before
	turns   bool      // it is in its lane's ring
	aside   bool      // it waits for a time or for an answer, and is not in the ring
}

// ready queues a delivery; checked says that it was read again a moment ago.
func (l *lane) ready(d *delivery, checked bool) {
	s := l.spaceOf(d.channel)
	if checked {
		s.checked.push(d)
	} else {
		s.ready.push(d)
	}
	l.enter(s)
}

// spaceOf is the workspace of a channel; those that belong to none share a queue. Its budget is that of the first kind that has one. Several
// channels that are one destination are a workspace, which may be posted to as often as the one.
func (l *lane) spaceOf(ch bot.Channel) *space {
	w, ok := bot.WorkspaceOf(ch)
	gap, window := l.pace.spaceGaps[ch.Kind], l.pace.windows[ch.Kind]
	if shared := l.shared(ch); shared != "" {
		w, ok, gap, window = bot.Workspace{Adapter: l.name, Name: sharedPrefix + shared}, true, l.pace.gaps[ch.Kind], 0
	}
	if !ok {
		return l.spaceNamed(noWorkspace)
	}
	s := l.spaceNamed(w.Name)
	if gap > 0 && s.budget == nil {
		s.budget = newBudget(w, gap, window)
	}
	return s
}

func (l *lane) spaceNamed(name string) *space {
	s := l.spaces[name]
	if s == nil {
		s = &space{name: name}
		l.spaces[name] = s
	}
	return s
}

// enter lets a workspace take part again.
func (l *lane) enter(s *space) {
	if !s.turns && !s.aside && s.len() > 0 {
		s.turns = true
		l.ring.push(s)
	}
}

// goable is how many deliveries may go as far as their workspaces are concerned: of one with a budget, as many as it has reserved.
func (l *lane) goable() (n int) {
	for _, s := range l.ring.list[l.ring.head:] {
		if s.budget == nil {
			n += s.len()
		} else {
			n += min(s.len(), s.budget.left)
		}
	}
	return n
}

func (s *space) len() int { return s.checked.len() + s.ready.len() }

// pop takes the next delivery that still matters; nil when there is none. Of a leaving shard the next owner sends.
func (s *space) pop() *delivery {
	for {
		d := s.checked.pop()
		if d == nil {
			d = s.ready.pop()
		}
		if d == nil || !d.over && !d.shard.lost && !d.shard.leaving {
			return d
		}
	}
}

// pop takes the next delivery that may go as far as budgets are concerned; nil when there is none. The budget of the whole lane is asked last, and
// for no more than may go: its moments, too, are lost when they are not used.
func (e *Engine) pop(l *lane, now time.Time) *delivery {
	if l.whole.aside {
		return nil
	}
	for l.ring.len() > 0 {
		s := l.ring.list[l.ring.head]
		var d *delivery
		if s.len() > 0 && e.may(l, s, now) { // an empty one must not reserve what others could use
			if !e.may(l, l.whole, now) {
				return nil
			}
			d = s.pop()
		}
		if d == nil || l.ring.len() > 1 { // alone, it keeps its place
			l.ring.pop()
			s.turns = false
			l.enter(s)
		}
		if d != nil {
			return d
		}
	}
	return nil
}

// may says whether a workspace, or the lane as a whole, may be posted to now. Where it may not, it stands aside until it may.
func (e *Engine) may(l *lane, s *space, now time.Time) bool {
	switch {
	case s.until.After(now):
		e.aside(l, s, s.until.Sub(now))
	case s.budget == nil || s.budget.has(now):
		return true
	case s.budget.left > 0:
		e.aside(l, s, s.budget.next.Sub(now))
	default:
		want := s.len()
		if s == l.whole {
			want = l.goable()
		}
		e.reserve(l, s, want)
	}
	return false
}

// aside takes a workspace out of the ring for a while.
func (e *Engine) aside(l *lane, s *space, wait time.Duration) {
	s.aside = true
	e.later(wait, func() {
		s.aside = false
		l.enter(s)
	})
}

// reserve asks for more of a budget; the workspace stands aside until there is an answer.
func (e *Engine) reserve(l *lane, s *space, want int) {
	s.aside = true
	b, asked := s.budget, time.Now()
	e.work.Go(func() {
		ctx, cancel := context.WithTimeout(e.ctx, beatTimeout)
		defer cancel()
		n, after, err := e.queue.Reserve(ctx, b.of, b.gap, b.late/2, max(1, min(want, int(max(sliceTime, b.late)/b.gap))))
		if err != nil {
			n, after = 0, time.Second // without the budget nothing goes
		}
		e.tell(func() {
			now := time.Now()
			b.left, b.next, b.lag = n, now.Add(after), now.Sub(asked)
			e.aside(l, s, max(after, 0))
		})
	})
}

// budget is what this node has reserved of the posts that all nodes share: left of them, one every gap, the first at next.
type budget struct {
	of   bot.Workspace
	gap  time.Duration
	late time.Duration // how late a post may begin
	left int
	next time.Time
	lag  time.Duration // how much earlier, at most, the same moments are for the other nodes
}

const (
	// sliceTime is how much of a budget a node reserves at a time, so that others come in between.
	sliceTime = 250 * time.Millisecond
	// lateBy is how late a reserved post may begin; later it would come on top of others' posts. Where the platform counts over long windows
	// it may be later: a part of the window.
	lateBy       = 160 * time.Millisecond
	lateInWindow = 60
	// commitTime is what is left for the commit when a post is granted late.
	commitTime = 40 * time.Millisecond
	// A tenth of each limit is left to answers, which are not reserved.
	deliveryShare, ofAll = 9, 10
)

func newBudget(of bot.Workspace, gap, window time.Duration) *budget {
	return &budget{of: of, gap: gap * ofAll / deliveryShare, late: max(lateBy, gap, window/lateInWindow)}
}

// until is when it is too late for the next post to begin.
func (b *budget) until() time.Time { return b.next.Add(b.late - b.lag) }

// has says whether a post may be granted now. Those for which it is too late are lost.
func (b *budget) has(now time.Time) bool {
	for soon := now.Add(commitTime); b.left > 0 && b.until().Before(soon); b.left-- {
		b.next = b.next.Add(b.gap)
	}
	return b.left > 0 && !b.next.After(now)
}

// spend takes one post, and says until when it may begin; zero: there is no budget. The next one goes a gap later, even if this one is late.
func (s *space) spend() (until time.Time) {
	if b := s.budget; b != nil {
		until = b.until()
		b.left--
		b.next = b.next.Add(b.gap)
	}
	return until
}

// Names that no workspace has: of what counts for all workspaces of a platform together, and of channels that belong to none.
const (
	wholeLane   = "*"
	noWorkspace = "-"
	// sharedPrefix stands before the name of a destination that several channels share.
	sharedPrefix = "="
)

// block keeps a workspace, or with it the whole platform, free of posts; every node learns of it with its next beat.
func (e *Engine) block(l *lane, s *space, wait time.Duration) {
	w := bot.Workspace{Adapter: l.name, Name: s.name}
	until := time.Now().Add(wait)
	if known := s.until; until.After(known) {
		s.until = until
		if until.Before(known.Add(wait / 10)) {
			return // one of many posts that met the same limit
		}
		e.stored("a rate limit", func(ctx context.Context) error { return e.queue.Block(ctx, w, wait) })
	}
}

// blockedNow takes what a beat found of limits that other nodes met.
func (e *Engine) blockedNow(blocked map[bot.Workspace]time.Duration) {
	for w, wait := range blocked {
		l := e.lanes[w.Adapter]
		if l == nil {
			continue
		}
		s := l.whole
		if w.Name != wholeLane {
			s = l.spaceNamed(w.Name)
		}
		if until := time.Now().Add(wait); until.After(s.until) {
			s.until = until
		}
	}
}
