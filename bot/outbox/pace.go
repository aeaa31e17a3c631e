package outbox

import (
	"maps"
	"time"

	"weeklybot/bot"
)

// maxPaced is how many destinations a lane remembers before it forgets those that are free again.
const maxPaced = 100_000

// pace keeps the platform's gap between two posts to one destination. It belongs to the loop.
type pace struct {
	adapter bot.Adapter
	gaps    map[bot.Kind]time.Duration
	free    map[bot.ChannelID]time.Time // when a destination may be used again
	spaces  map[string]time.Time        // when a workspace may
}

func newPace(a bot.Adapter) *pace {
	p := &pace{adapter: a, gaps: map[bot.Kind]time.Duration{}, free: map[bot.ChannelID]time.Time{}, spaces: map[string]time.Time{}}
	for _, k := range a.Kinds() {
		p.gaps[k] = a.Capabilities(k).MinGap
	}
	return p
}

// freeAt is when a post may go to ch; not after now = at once.
func (p *pace) freeAt(ch bot.Channel) time.Time {
	var at time.Time
	if len(p.free) > 0 {
		at = p.free[ch.ID()]
	}
	if space := p.spaces[ch.Workspace]; space.After(at) {
		return space
	}
	return at
}

// blockWorkspace keeps a whole workspace free of posts until then.
func (p *pace) blockWorkspace(workspace string, until time.Time) {
	maps.DeleteFunc(p.spaces, func(_ string, t time.Time) bool { return t.Before(time.Now()) })
	if until.After(p.spaces[workspace]) {
		p.spaces[workspace] = until
	}
}

// used notes that a post goes out now.
func (p *pace) used(ch bot.Channel, now time.Time) {
	if gap := p.gaps[ch.Kind]; gap > 0 {
		p.block(ch, now.Add(gap))
	}
}

// block keeps ch free of posts until then.
func (p *pace) block(ch bot.Channel, until time.Time) {
	if len(p.free) >= maxPaced {
		now := time.Now()
		for id, t := range p.free {
			if t.Before(now) {
				delete(p.free, id)
			}
		}
	}
	if id := ch.ID(); until.After(p.free[id]) {
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
