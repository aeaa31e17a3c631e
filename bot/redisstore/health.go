package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
)

// Held workspaces stand in one small hash that every node reads with each beat. Channels on probation stand in a hash of their shard: the
// owner writes it with its commits, anybody else through a script that tells the owner to look.

func workspaceField(w bot.Workspace) string { return w.Adapter + "\t" + w.Name }

// Hold keeps a workspace from being posted to. first is false when it was held already: the ailment before stays.
func (s *Store) Hold(ctx context.Context, w bot.Workspace, a bot.Ailment) (first bool, err error) {
	first, err = s.rdb.HSetNX(ctx, s.keys.held(), workspaceField(w), toJSON(a)).Result()
	if err != nil {
		return false, fmt.Errorf("hold workspace %s of %s: %w", w.Name, w.Adapter, err)
	}
	return first, nil
}

// Revive lets a workspace be posted to again; held says whether it was held.
func (s *Store) Revive(ctx context.Context, w bot.Workspace) (held bool, err error) {
	n, err := s.rdb.HDel(ctx, s.keys.held(), workspaceField(w)).Result()
	if err != nil {
		return false, fmt.Errorf("revive workspace %s of %s: %w", w.Name, w.Adapter, err)
	}
	return n > 0, nil
}

// ClaimProbe gives one node at a time, once within every, the right to try a held workspace with a single delivery.
func (s *Store) ClaimProbe(ctx context.Context, w bot.Workspace, every time.Duration) (bool, error) {
	return s.rdb.SetNX(ctx, s.keys.probe(workspaceField(w)), 1, every).Result()
}

// HeldWorkspaces are all workspaces that are held.
func (s *Store) HeldWorkspaces(ctx context.Context) (map[bot.Workspace]bot.Ailment, error) {
	stored, err := s.rdb.HGetAll(ctx, s.keys.held()).Result()
	if err != nil {
		return nil, fmt.Errorf("read held workspaces: %w", err)
	}
	return unpackHeld(stored), nil
}

func unpackHeld(stored map[string]string) map[bot.Workspace]bot.Ailment {
	held := make(map[bot.Workspace]bot.Ailment, len(stored))
	for field, body := range stored {
		held[workspaceOf(field)] = unpackAilment(body)
	}
	return held
}

func workspaceOf(field string) bot.Workspace {
	adapter, name, _ := strings.Cut(field, "\t")
	return bot.Workspace{Adapter: adapter, Name: name}
}

// unpackAilment reads what toJSON wrote. A damaged one still says that something is wrong.
func unpackAilment(body string) bot.Ailment {
	var a bot.Ailment
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		a.Code = "damaged"
	}
	return a
}

// Ail puts a channel on probation; one that is on it already keeps its ailment.
func (s *Store) Ail(ctx context.Context, id bot.ChannelID, a bot.Ailment) error {
	return s.ail(ctx, id, toJSON(a))
}

// Recover ends a channel's probation before anything arrived there: a person says that it works again.
func (s *Store) Recover(ctx context.Context, id bot.ChannelID) error { return s.ail(ctx, id, "") }

func (s *Store) ail(ctx context.Context, id bot.ChannelID, body string) error {
	sh := s.keys.shardOf(id)
	err := ailScript.Run(ctx, s.rdb, []string{s.keys.state(sh), s.keys.ill(sh), s.keys.channels(sh)}, string(id[:]), body).Err()
	if err != nil {
		return fmt.Errorf("probation of channel %s: %w", id, err)
	}
	return nil
}

// Ailments are a shard's channels on probation.
func (s *Store) Ailments(ctx context.Context, shard int) (map[bot.ChannelID]bot.Ailment, error) {
	stored, err := s.rdb.HGetAll(ctx, s.keys.ill(shard)).Result()
	if err != nil {
		return nil, fmt.Errorf("read ailments of shard %d: %w", shard, err)
	}
	return unpackAilments(stored), nil
}

func unpackAilments(stored map[string]string) map[bot.ChannelID]bot.Ailment {
	ill := make(map[bot.ChannelID]bot.Ailment, len(stored))
	for id, body := range stored {
		if len(id) == len(bot.ChannelID{}) {
			ill[bot.ChannelID([]byte(id))] = unpackAilment(body)
		}
	}
	return ill
}

// Health counts what does not work.
type Health struct {
	Held      map[bot.Workspace]bot.Ailment
	Probation int // channels
}

// Health reads what does not work: two small things a shard at most, no channel.
func (s *Store) Health(ctx context.Context) (Health, error) {
	pipe := s.rdb.Pipeline()
	held := pipe.HGetAll(ctx, s.keys.held())
	counts := make([]*redis.IntCmd, s.keys.shards)
	for sh := range counts {
		counts[sh] = pipe.HLen(ctx, s.keys.ill(sh))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return Health{}, fmt.Errorf("read what does not work: %w", err)
	}
	h := Health{Held: unpackHeld(held.Val())}
	for _, n := range counts {
		h.Probation += int(n.Val())
	}
	return h, nil
}

// Ailing says what keeps a channel from getting its digests: its workspace's ailment (StateHeld), its own (StateProbation), or nothing
// (StateActive).
func (s *Store) Ailing(ctx context.Context, ch bot.Channel) (bot.State, bot.Ailment, error) {
	id := ch.ID()
	pipe := s.rdb.Pipeline()
	own := pipe.HGet(ctx, s.keys.ill(s.keys.shardOf(id)), string(id[:]))
	w, has := bot.WorkspaceOf(ch)
	whole := pipe.HGet(ctx, s.keys.held(), workspaceField(w))
	if _, err := pipe.Exec(ctx); none(err) != nil {
		return bot.StateActive, bot.Ailment{}, fmt.Errorf("read the health of channel %s: %w", id, err)
	}
	switch {
	case has && whole.Val() != "":
		return bot.StateHeld, unpackAilment(whole.Val()), nil
	case own.Val() != "":
		return bot.StateProbation, unpackAilment(own.Val()), nil
	}
	return bot.StateActive, bot.Ailment{}, nil
}

// Owed is what a subscription was not sent although its slot went on; nil: nothing.
func (s *Store) Owed(ctx context.Context, id bot.SubscriptionID) (*bot.Owed, error) {
	packed, err := s.rdb.HGet(ctx, s.keys.owed(s.keys.shardOf(id.Channel)), packMember(bot.SlotMember(id))).Result()
	if none(err) != nil {
		return nil, fmt.Errorf("read what %s is owed: %w", id, err)
	}
	return unpackOwed(packed), nil
}

// shown is a channel's subscriptions in the states they are in: a record only knows what people decided.
func shown(subs []bot.Subscription, state bot.State) []bot.Subscription {
	for i := range subs {
		if subs[i].State != bot.StatePaused {
			subs[i].State = state
		}
	}
	return subs
}
