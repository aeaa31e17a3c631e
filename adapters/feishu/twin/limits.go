package twin

import (
	"time"

	"weeklybot/adapters/internal/standin"
)

// The platform's limits. Source: open.feishu.cn, 自定义机器人使用指南 (ucTM5YjL3ETO24yNxkjN), im-v1/message/create, card-json-v2-structure,
// 使用长连接接收事件, 将事件发送至开发者服务器, all read 2026-11. The pages say KB; the twin reads 1000 bytes, the stricter way.
const (
	hookPerMinute = 100 // posts of one custom bot
	hookPerSecond = 5
	maxHookBody   = 20_000 // bytes of its request
	maxKeywords   = 10

	apiPerMinute = 1000 // calls of one API
	apiPerSecond = 50
	chatPerSec   = 5       // messages to one chat
	maxCardBody  = 30_000  // bytes of a request with a card or with layout
	maxTextBody  = 150_000 // bytes of a request with text
	maxElements  = 200     // of a card
	maxUUID      = 50      // characters
	uuidMinutes  = 60      // for how long a uuid is remembered
	maxButton    = 100     // characters on a button
	maxSockets   = 50      // connections of one app
	maxConnected = 10_000  // things remembered by name, so that memory stays bounded

	tokenLife   = 7200 * time.Second
	tokenRenew  = 30 * time.Minute // before its end a new one is given
	maxSkew     = time.Hour
	hookTimeout = 3 * time.Second
)

// rate is a limit per second and one per minute, kept together: what one refuses the other does not count.
type rate struct{ second, minute standin.Window }

func (r *rate) admits(now time.Time, perSecond, perMinute int, minute time.Duration) bool {
	if r.second.Full(now, perSecond, minute/60) || r.minute.Full(now, perMinute, minute) {
		return false
	}
	r.second.Add(now)
	r.minute.Add(now)
	return true
}

// wait is how many seconds until the last minute has room again, at least 1.
func (r *rate) wait(now time.Time, perMinute int, minute time.Duration) int {
	if !r.minute.Full(now, perMinute, minute) {
		return 1
	}
	return max(1, int(r.minute.Oldest().Add(minute).Sub(now)/time.Second))
}
