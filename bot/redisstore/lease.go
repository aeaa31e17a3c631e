package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
)

// Beat tells that node lives, and returns what every node should know.
func (s *Store) Beat(ctx context.Context, node string) (bot.Pulse, error) {
	var last, order *redis.StringCmd
	var first *redis.ZSliceCmd
	var held *redis.MapStringStringCmd
	cmds, err := pipelined(ctx, s.rdb, pulseScript, func(p redis.Pipeliner) []*redis.Cmd {
		pulse := pulseScript.EvalSha(ctx, p, []string{s.keys.nodes(), s.keys.blocked()}, node, bot.LeaseTTL.Milliseconds())
		last, order = p.Get(ctx, s.keys.head()), p.Get(ctx, s.keys.lastOrder())
		first = p.ZRangeWithScores(ctx, s.keys.times(), 0, 0)
		held = p.HGetAll(ctx, s.keys.held())
		return []*redis.Cmd{pulse}
	})
	reply, failed := cmds[0].Slice()
	if err := cmp.Or(failed, none(err), none(last.Err()), none(order.Err()), first.Err(), held.Err()); err != nil {
		return bot.Pulse{}, err
	}
	now := time.UnixMilli(number(reply[0]))
	due := first.Val()
	return bot.Pulse{
		Nodes: max(1, int(number(reply[1]))), Head: number(last.Val()), Orders: number(order.Val()), Now: now,
		Due:  len(due) > 0 && int64(due[0].Score) <= now.UnixMilli(),
		Held: unpackHeld(held.Val()), Blocked: unpackBlocked(reply[2], now),
	}, nil
}

// Leave takes node off the list of those that live.
func (s *Store) Leave(ctx context.Context, node string) error {
	return s.rdb.ZRem(ctx, s.keys.nodes(), node).Err()
}

// Tick renews the leases that the node holds and tries to take the shards in want. One Tick per shard comes back, for those that are the
// node's now or were until now (Err = ErrFenced); those that could not be asked are left out, and the error says why.
func (s *Store) Tick(ctx context.Context, node string, held, want []int) ([]bot.Tick, error) {
	shards := append(append([]int(nil), held...), want...)
	if len(shards) == 0 {
		return nil, nil
	}
	cmds, err := pipelined(ctx, s.rdb, beatScript, func(p redis.Pipeliner) []*redis.Cmd {
		var cmds []*redis.Cmd
		for i, sh := range shards {
			cmds = append(cmds, beatScript.EvalSha(ctx, p, []string{s.keys.state(sh), s.keys.due(sh), s.keys.slots(sh)},
				node, bot.LeaseTTL.Milliseconds(), flag(i >= len(held)), flag(s.opt.Sole), dueLimit))
		}
		return cmds
	})
	var ticks []bot.Tick
	for i, c := range cmds {
		reply, failed := c.Slice()
		if failed != nil {
			err = fmt.Errorf("renew the lease of shard %d: %w", shards[i], failed)
			continue // one server of a Cluster may be down: the others' shards go on
		}
		tick := bot.Tick{Lease: bot.Lease{Shard: shards[i], Node: node}}
		if number(reply[0]) == 0 {
			if i < len(held) {
				tick.Err = bot.ErrFenced
				ticks = append(ticks, tick)
			}
			continue
		}
		tick.Lease.Epoch, tick.Lease.Commit, tick.Lease.Page = number(reply[2]), number(reply[3]), number(reply[4])
		tick.Lease.Pub, tick.Lease.Ctl = number(reply[5]), number(reply[6])
		tick.Lease.Order = number(reply[7])
		list, _ := reply[8].([]any)
		for j := 0; j+4 < len(list); j += 5 {
			tick.Due = append(tick.Due, bot.DueSlot{
				Slot: slotState(text(list[j]), text(list[j+2]), text(list[j+3]), text(list[j+4])),
				Due:  time.UnixMilli(number(list[j+1])),
			})
		}
		tick.Ills = number(reply[9])
		ticks = append(ticks, tick)
	}
	return ticks, err
}

// Release gives shards back before their leases end.
func (s *Store) Release(ctx context.Context, leases []bot.Lease) error {
	if len(leases) == 0 {
		return nil
	}
	_, err := pipelined(ctx, s.rdb, releaseScript, func(p redis.Pipeliner) []*redis.Cmd {
		var cmds []*redis.Cmd
		for _, l := range leases {
			cmds = append(cmds, releaseScript.EvalSha(ctx, p, []string{s.keys.state(l.Shard)}, l.Node, l.Epoch))
		}
		return cmds
	})
	return err
}

// Slots reads slots of a shard by their IDs; slots without members are left out.
func (s *Store) Slots(ctx context.Context, shard int, ids []string) ([]bot.SlotState, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var fields []string
	for _, id := range ids {
		fields = append(fields, id, id+":u", id+":p")
	}
	v, err := s.rdb.HMGet(ctx, s.keys.slots(shard), fields...).Result()
	if err != nil {
		return nil, fmt.Errorf("read slots of shard %d: %w", shard, err)
	}
	var slots []bot.SlotState
	for i, id := range ids {
		if v[3*i] != nil {
			slots = append(slots, slotState(id, text(v[3*i]), text(v[3*i+1]), text(v[3*i+2])))
		}
	}
	return slots, nil
}

func slotState(id, definition, upto, last string) bot.SlotState {
	st := bot.SlotState{ID: id, Upto: number(upto)}
	cron, zone, _ := strings.Cut(definition, "\t")
	st.Schedule = bot.Schedule{Cron: cron, Zone: zone, OnPublish: cron == ""}
	if ms := number(last); ms > 0 {
		st.Last = time.UnixMilli(ms)
	}
	return st
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
