package outbox

import (
	"time"

	"weeklybot/bot"
)

// maxPaced is how many destinations a lane remembers before it forgets those that are free again.
const maxPaced = 100_000

// pace keeps the platform's gap between two posts to one destination. It belongs to the loop.
type pace struct {
	gaps      map[bot.Kind]time.Duration
	spaceGaps map[bot.Kind]time.Duration  // between two posts to one workspace
	wholeGap  time.Duration               // between any two posts
	free      map[bot.ChannelID]time.Time // when a destination may be used again
}

func newPace(a bot.Adapter) *pace {
	p := &pace{gaps: map[bot.Kind]time.Duration{}, spaceGaps: map[bot.Kind]time.Duration{}, free: map[bot.ChannelID]time.Time{}}
	for _, k := range a.Kinds() {
		c := a.Capabilities(k)
		p.gaps[k], p.spaceGaps[k], p.wholeGap = c.MinGap, c.WorkspaceGap, max(p.wholeGap, c.TotalGap)
	}
	return p
}

// freeAt is when a post may go to a channel; not after now = at once.
func (p *pace) freeAt(id bot.ChannelID) time.Time {
	if len(p.free) == 0 {
		return time.Time{}
	}
	return p.free[id]
}

// used notes that a post goes out now.
func (p *pace) used(kind bot.Kind, id bot.ChannelID, now time.Time) {
	if gap := p.gaps[kind]; gap > 0 {
		p.block(id, now.Add(gap))
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
