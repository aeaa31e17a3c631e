package redisstore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
)

// between sends a pipeline's commands one by one, and does something once, before one of them.
type between struct {
	left int // commands before it
	do   func()
}

func (h *between) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (h *between) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (h *between) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) (err error) {
		if h.do == nil {
			return next(ctx, cmds)
		}
		for i := range cmds {
			if do := h.do; do != nil && h.left == 0 {
				h.do = nil
				do()
			}
			h.left--
			err = next(ctx, cmds[i:i+1])
		}
		return err
	}
}

// What a beat finds due holds all that was published before it fell due, wherever in the beat that happened.
func TestBeatKnowsWhatWasPublishedBeforeADueTime(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		sub, err := s.Add(ctx, channel(1), bot.Subscription{Schedule: minutely})
		if err != nil {
			t.Fatal(err)
		}
		lease := take(t, s, "node")
		shard, slot := lease.Shard, s.opt.SlotID(sub.Schedule)
		setDue := func(at time.Time) {
			s.rdb.ZAdd(ctx, s.keys.due(shard), redis.Z{Score: float64(at.UnixMilli()), Member: slot})
		}
		hook := &between{}
		s.rdb.AddHook(hook)
		found := 0
		for k := range 6 {
			later := time.Now().Add(time.Hour).Truncate(time.Millisecond)
			setDue(later)
			head := int64(0)
			hook.left, hook.do = k, func() {
				for _, news := range [][]bot.Sighting{nil, {{Key: fmt.Sprint("issue ", k), Series: "weekly"}}} {
					if _, err := s.Publish(ctx, "source", news); err != nil {
						t.Error(err)
					}
				}
				head, _ = s.Head(ctx)
				setDue(time.Now().Add(-time.Second))
			}
			b, err := s.Beat(ctx, "node", []bot.Lease{{Shard: shard}}, nil)
			if err != nil || hook.do != nil {
				t.Fatalf("Beat = %+v, %v; published and made due: %v", b, err, hook.do == nil)
			}
			if len(b.Ticks[0].Due) == 0 {
				if !b.Next.Equal(later) {
					t.Errorf("nothing due, next %v, want %v", b.Next, later)
				}
				continue
			}
			found++
			if b.Pulse.Head != head || !b.Next.IsZero() {
				t.Errorf("due before command %d: catalogue %d, want %d; next %v, want none", k, b.Pulse.Head, head, b.Next)
			}
		}
		if found == 0 || found == 6 {
			t.Errorf("found due in %d beats of 6, want some", found)
		}
	})
}
