package twin

import (
	"math"
	"time"
)

// Slack takes about one post a second in a channel and bursts above it, and "several hundred" a minute in a workspace. Source:
// docs.slack.dev, rate limits and chat.postMessage, read 2026-11. It names neither the burst nor the hundreds.
const (
	channelPerMinute   = 60
	workspacePerMinute = 600
)

// perMinute is how often a workspace may call a method: what its tier promises at least. Source: docs.slack.dev, rate limits; the tiers are those of
// slackapi/java-slack-sdk MethodsRateLimits.java, read 2026-11.
var perMinute = map[string]int{
	"chat.update": 50, "chat.delete": 50, "chat.postEphemeral": 100, "conversations.info": 50, "conversations.join": 50, "conversations.list": 20,
	"conversations.history": 50, "conversations.replies": 50, "views.open": 100, "views.update": 100, "views.publish": 100,
	"files.getUploadURLExternal": 100, "files.completeUploadExternal": 100, "files.delete": 50,
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	at     time.Time
}

// wait takes a token of key, or says after how many whole seconds there is one again. t.mu is held.
func (t *Twin) wait(key string, perMinute, burst int) (seconds int) {
	now := t.opt.Now()
	b := t.buckets[key]
	if b == nil {
		b = &bucket{tokens: float64(burst), at: now}
		t.buckets[key] = b
	}
	perSecond := float64(perMinute) / t.opt.Window.Seconds()
	b.tokens = min(b.tokens+now.Sub(b.at).Seconds()*perSecond, float64(burst))
	b.at = now
	if b.tokens >= 1 {
		b.tokens--
		return 0
	}
	return max(1, int(math.Ceil((1-b.tokens)/perSecond)))
}

// paced is 0 when a post to channel may go now. t.mu is held.
func (t *Twin) paced(channel string) (seconds int) {
	if n := t.wait("channel "+channel, channelPerMinute, t.opt.Burst); n > 0 {
		return n
	}
	return t.wait("workspace", workspacePerMinute, workspacePerMinute)
}
