package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
)

// Beat renews the leases that the node holds, tries to take the shards in want, and tells that the node lives. The error says why something of the
// Beat is missing. It is one round trip; on a Cluster two, because its masters answer in any order.
func (s *Store) Beat(ctx context.Context, node string, held []bot.Lease, want []int) (bot.Beat, error) {
	ticks := &tickCalls{node: node, held: len(held), leases: slices.Clone(held)}
	for _, shard := range want {
		ticks.leases = append(ticks.leases, bot.Lease{Shard: shard})
	}
	pulse := &pulseCalls{}
	askTicks := func(p redis.Pipeliner) []*redis.Cmd { return s.askTicks(ctx, p, ticks) }
	askPulse := func(p redis.Pipeliner) []*redis.Cmd { return s.askPulse(ctx, p, node, pulse) }
	cluster, isCluster := s.rdb.(*redis.ClusterClient)
	if isCluster { // each call keeps its own error
		_, _ = pipelined(ctx, s.rdb, askTicks, beatScript)
		_, _ = pipelined(ctx, s.rdb, askPulse, pulseScript)
	} else {
		both := func(p redis.Pipeliner) []*redis.Cmd { return append(askTicks(p), askPulse(p)...) }
		_, _ = pipelined(ctx, s.rdb, both, beatScript, pulseScript)
	}
	var b bot.Beat
	failed := errors.Join(ticks.read(&b), pulse.read(&b))
	if failed != nil && isCluster {
		cluster.ReloadState(ctx) // a master may have gone for good: the client would look for its successor once a minute
	}
	return b, failed
}

// pulseCalls are what a node asks of what all nodes share.
type pulseCalls struct {
	script      *redis.Cmd
	last, order *redis.StringCmd
	first       *redis.ZSliceCmd // the next broadcast
	held        *redis.MapStringStringCmd
}

func (s *Store) askPulse(ctx context.Context, p redis.Pipeliner, node string, c *pulseCalls) []*redis.Cmd {
	c.script = pulseScript.EvalSha(ctx, p, []string{s.keys.nodes(), s.keys.blocked()}, node, bot.LeaseTTL.Milliseconds())
	c.last, c.order = p.Get(ctx, s.keys.head()), p.Get(ctx, s.keys.lastOrder())
	c.first = p.ZRangeWithScores(ctx, s.keys.times(), 0, 0)
	c.held = p.HGetAll(ctx, s.keys.held())
	return []*redis.Cmd{c.script}
}

func (c *pulseCalls) read(b *bot.Beat) error {
	reply, failed := c.script.Slice()
	if err := cmp.Or(failed, none(c.last.Err()), none(c.order.Err()), c.first.Err(), c.held.Err()); err != nil {
		return fmt.Errorf("read what all nodes share: %w", err)
	}
	now := time.UnixMilli(number(reply[0]))
	b.Pulse = &bot.Pulse{
		Nodes: max(1, int(number(reply[1]))), Head: number(c.last.Val()), Orders: number(c.order.Val()), Now: now,
		Held: unpackHeld(c.held.Val()), Blocked: unpackBlocked(reply[2], now),
	}
	if list := c.first.Val(); len(list) > 0 {
		at := int64(list[0].Score)
		if b.Pulse.Due = at <= now.UnixMilli(); !b.Pulse.Due {
			b.FallsDue(time.UnixMilli(at))
		}
	}
	return nil
}

// Leave takes node off the list of those that live.
func (s *Store) Leave(ctx context.Context, node string) error {
	return s.rdb.ZRem(ctx, s.keys.nodes(), node).Err()
}

// tickCalls are what a node asks of shards: first of those it holds.
type tickCalls struct {
	node   string
	leases []bot.Lease
	held   int
	calls  []*redis.Cmd
}

func (s *Store) askTicks(ctx context.Context, p redis.Pipeliner, c *tickCalls) []*redis.Cmd {
	c.calls = c.calls[:0]
	for _, l := range c.leases {
		c.calls = append(c.calls, beatScript.EvalSha(ctx, p, []string{s.keys.state(l.Shard), s.keys.due(l.Shard), s.keys.slots(l.Shard)},
			c.node, bot.LeaseTTL.Milliseconds(), l.Epoch, flag(s.opt.Sole), dueLimit))
	}
	return c.calls
}

func (c *tickCalls) read(b *bot.Beat) (err error) {
	for i, call := range c.calls {
		reply, failed := call.Slice()
		if failed != nil {
			err = fmt.Errorf("renew the lease of shard %d: %w", c.leases[i].Shard, failed)
			continue // one server of a Cluster may be down: the others' shards go on
		}
		tick := bot.Tick{Lease: bot.Lease{Shard: c.leases[i].Shard, Node: c.node}}
		if number(reply[0]) == 0 {
			if i < c.held {
				tick.Err = bot.ErrFenced
				b.Ticks = append(b.Ticks, tick)
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
		b.Ticks = append(b.Ticks, tick)
		if next := number(reply[10]); next > 0 {
			b.FallsDue(time.UnixMilli(next))
		}
	}
	return err
}

// Release gives shards back before their leases end.
func (s *Store) Release(ctx context.Context, leases []bot.Lease) error {
	if len(leases) == 0 {
		return nil
	}
	_, err := pipelined(ctx, s.rdb, func(p redis.Pipeliner) []*redis.Cmd {
		var cmds []*redis.Cmd
		for _, l := range leases {
			cmds = append(cmds, releaseScript.EvalSha(ctx, p, []string{s.keys.state(l.Shard)}, l.Node, l.Epoch))
		}
		return cmds
	}, releaseScript)
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
