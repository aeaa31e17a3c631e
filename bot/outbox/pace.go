package outbox

import (
	"time"

	"weeklybot/bot"
)

// maxPaced is how many destinations a lane remembers before it forgets those that are free again.
const maxPaced = 100_000

// pace keeps the platform's gap between two posts to one destination, and lets a post be answered before the next one goes: however long one takes
// on its way, N posts arrive within no less than N-2 gaps. It belongs to the loop.
type pace struct {
	gaps      map[bot.Kind]time.Duration
	spaceGaps map[bot.Kind]time.Duration    // between two posts to one workspace
	windows   map[bot.Kind]time.Duration    // over which the platform counts those
	wholeGap  time.Duration                 // between any two posts
	free      map[bot.ChannelID]time.Time   // when a destination may be used again
	busy      map[bot.ChannelID][]*delivery // destinations with a post on the wire, and what waits for its answer
}

func newPace(a bot.Adapter) *pace {
	p := &pace{gaps: map[bot.Kind]time.Duration{}, spaceGaps: map[bot.Kind]time.Duration{}, windows: map[bot.Kind]time.Duration{}, free: map[bot.ChannelID]time.Time{}, busy: map[bot.ChannelID][]*delivery{}}
	for _, k := range a.Kinds() {
		c := a.Capabilities(k)
		p.gaps[k], p.spaceGaps[k], p.windows[k], p.wholeGap = c.MinGap, c.WorkspaceGap, c.WorkspaceWindow, max(p.wholeGap, c.TotalGap)
	}
	return p
}

// freeAt is when a delivery's next post may go; not after now = at once. What the owner before of its shard posted is not known: it counts as
// posted when the shard was taken over.
func (p *pace) freeAt(d *delivery) time.Time {
	free := time.Time{}
	if len(p.free) > 0 {
		free = p.free[d.entry.Member.Channel]
	}
	if gap := p.gaps[d.channel.Kind]; gap > 0 && d.shard.since.Add(gap).After(free) {
		free = d.shard.since.Add(gap)
	}
	return free
}

// waits says that a post to the same destination is on the wire; d is pushed again when it is answered.
func (p *pace) waits(d *delivery) bool {
	waiting, busy := p.busy[d.entry.Member.Channel]
	if busy {
		p.busy[d.entry.Member.Channel] = append(waiting, d)
	}
	return busy
}

// used notes that a post goes out now.
func (p *pace) used(d *delivery, now time.Time) {
	if gap := p.gaps[d.channel.Kind]; gap > 0 {
		p.block(d.entry.Member.Channel, now.Add(gap))
		p.busy[d.entry.Member.Channel] = nil
	}
}

// answered lets go what waited for a post.
func (p *pace) answered(d *delivery) {
	waiting := p.busy[d.entry.Member.Channel]
	delete(p.busy, d.entry.Member.Channel)
	for _, next := range waiting {
		next.notBefore = p.freeAt(next)
		next.lane.push(next)
	}
}

// block keeps a channel free of posts until then.
func (p *pace) block(id bot.ChannelID, until time.Time) {
	if len(p.free) >= maxPaced {
		now := time.Now()
		for id, t := range p.free {
			if t.Before(now) {
				delete(p.free, id)
			}
		}
	}
	if until.After(p.free[id]) {
		p.free[id] = until
	}
}

const (
	maxBackoff = 10 * time.Minute
	// limitWait is how long a destination rests after a rate limit that named no time.
	limitWait = time.Minute
)

// backoff is how long to wait after the n-th failed attempt: doubling, with up to a quarter more so that many do not come back at once.
func backoff(first time.Duration, attempt int, jitter float64) time.Duration {
	d := maxBackoff
	if attempt < 20 {
		d = min(maxBackoff, first<<max(0, attempt-1))
	}
	return d + time.Duration(jitter*float64(d)/4)
}
