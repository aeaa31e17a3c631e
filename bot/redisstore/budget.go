package redisstore

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
)

// reserveAhead is how far ahead posts are reserved: what a node reserved and does not use is lost to the others.
const reserveAhead = time.Second

// Reserve takes up to n posts of a workspace's budget, which all nodes share: one every gap. It returns how many, and after which time from now
// the first may go, up to late before now where nobody used it; with 0 posts, after which time to ask again.
func (s *Store) Reserve(ctx context.Context, w bot.Workspace, gap, late time.Duration, n int) (posts int, after time.Duration, err error) {
	reply, err := reserveScript.Run(ctx, s.rdb, []string{s.keys.budget(workspaceField(w))}, gap.Microseconds(), n, reserveAhead.Microseconds(), late.Microseconds()).Slice()
	if err != nil {
		return 0, 0, fmt.Errorf("reserve posts of %s %s: %w", w.Adapter, w.Name, err)
	}
	return int(number(reply[0])), time.Duration(number(reply[1])) * time.Microsecond, nil
}

// Block tells all nodes, with their next beat, that nothing may be posted to a workspace for a while. A longer block before stays.
func (s *Store) Block(ctx context.Context, w bot.Workspace, d time.Duration) error {
	now, err := s.Now(ctx)
	if err != nil {
		return err
	}
	z := redis.Z{Score: float64(now.Add(d).UnixMilli()), Member: workspaceField(w)}
	if err := s.rdb.ZAddGT(ctx, s.keys.blocked(), z).Err(); err != nil {
		return fmt.Errorf("block %s %s: %w", w.Adapter, w.Name, err)
	}
	return nil
}

// unpackBlocked says how long each workspace is still blocked; found lists each with its end.
func unpackBlocked(found any, now time.Time) map[bot.Workspace]time.Duration {
	list, _ := found.([]any)
	if len(list) == 0 {
		return nil
	}
	blocked := make(map[bot.Workspace]time.Duration, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		blocked[workspaceOf(text(list[i]))] = time.UnixMilli(number(list[i+1])).Sub(now)
	}
	return blocked
}
