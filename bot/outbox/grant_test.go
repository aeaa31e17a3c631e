package outbox

import (
	"testing"
	"time"

	"weeklybot/bot"
)

// A destination that becomes free while deliveries are granted: its delivery waits for the next look, and is not looked at for ever in this one.
func TestGrantEndsWhenATimeComesMeanwhile(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 20_000 {
			e := New(Config{Adapters: []bot.Adapter{&platform{}}, Workers: 1})
			l, s := e.lanes["fake"], newShard(t.Context(), bot.Lease{})
			member := bot.SlotMember{Channel: chat(0).ID(), Ordinal: 1}
			l.ready(&delivery{
				shard: s, lane: l, channel: chat(0), part: 1, cut: &cut{parts: make([]bot.Message, 1)},
				entry: bot.PageEntry{Member: member, Run: "r@1", Due: time.Now(), Recipe: &bot.Recipe{}},
			}, false)
			l.pace.free[member.Channel] = time.Now().Add(time.Duration(n%500) * 20 * time.Nanosecond)
			e.grant()
			s.end()
			if l.flying+len(l.waiting) != 1 {
				t.Errorf("%d on the wire, %d wait: want one delivery", l.flying, len(l.waiting))
				return
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("grant does not end")
	}
}
