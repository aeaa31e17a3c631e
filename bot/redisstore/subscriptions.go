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

// maxTries is how often a change is tried again when another node changed the same channel in between.
const maxTries = 20

// maxSubscriptions bounds the subscriptions of one channel.
const maxSubscriptions = 20

// Add gives a channel one more subscription. It assigns ID, Since, SinceAt and State.
func (s *Store) Add(ctx context.Context, ch bot.Channel, sub bot.Subscription) (bot.Subscription, error) {
	head, now, err := s.headNow(ctx)
	if err != nil {
		return sub, err
	}
	err = s.update(ctx, ch.ID(), func(r *record) error {
		if r.channel.Adapter != "" && (r.channel.Adapter != ch.Adapter || r.channel.Workspace != ch.Workspace || r.channel.Address != ch.Address) {
			return fmt.Errorf("channel %s: two addresses have the same ID", ch.ID())
		}
		if len(r.subs) >= maxSubscriptions {
			return &bot.UserError{Code: "too_many_subscriptions", Text: fmt.Sprintf("%d / %d subscriptions.", len(r.subs), maxSubscriptions), Hint: "/unsubscribe"}
		}
		r.channel, r.last = ch, r.last+1
		sub.ID = bot.SubscriptionID{Channel: ch.ID(), Ordinal: r.last}
		sub.Since, sub.SinceAt, sub.State = head, now, bot.StateActive
		r.subs = append(r.subs, sub)
		return nil
	})
	return sub, err
}

// Change lets change edit one subscription. A new schedule, or going on after a pause, begins anew: Since is set. The error of change is
// returned as it is; bot.ErrNotFound when there is no such subscription.
func (s *Store) Change(ctx context.Context, id bot.SubscriptionID, change func(*bot.Subscription) error) (bot.Subscription, error) {
	head, now, err := s.headNow(ctx)
	if err != nil {
		return bot.Subscription{}, err
	}
	var changed bot.Subscription
	err = s.update(ctx, id.Channel, func(r *record) error {
		k := r.find(id.Ordinal)
		if k < 0 {
			return fmt.Errorf("subscription %s: %w", id, bot.ErrNotFound)
		}
		before := r.subs[k]
		r.subs[k].Series, r.subs[k].Topics = slices.Clone(before.Series), slices.Clone(before.Topics)
		if err := change(&r.subs[k]); err != nil {
			return err
		}
		r.subs[k].ID = id
		if r.subs[k].Schedule != before.Schedule || before.State == bot.StatePaused && r.subs[k].State == bot.StateActive {
			r.subs[k].Since, r.subs[k].SinceAt = head, now
		}
		changed = r.subs[k]
		return nil
	})
	return changed, err
}

// Offered notes that a subscription has been offered everything up to a catalogue number, outside its schedule; bot.ErrNotFound when there is
// none.
func (s *Store) Offered(ctx context.Context, id bot.SubscriptionID, upto int64) error {
	return s.update(ctx, id.Channel, func(r *record) error {
		k := r.find(id.Ordinal)
		switch {
		case k < 0:
			return fmt.Errorf("subscription %s: %w", id, bot.ErrNotFound)
		case r.subs[k].Since >= upto && r.subs[k].SinceAt.UnixMilli() <= 0:
			return errUnchanged
		}
		r.subs[k].Since, r.subs[k].SinceAt = max(r.subs[k].Since, upto), time.Time{}
		return nil
	})
}

// Remove ends a subscription; bot.ErrNotFound when there is none.
func (s *Store) Remove(ctx context.Context, id bot.SubscriptionID) error {
	left := 0
	err := s.update(ctx, id.Channel, func(r *record) error {
		k := r.find(id.Ordinal)
		if k < 0 {
			return fmt.Errorf("subscription %s: %w", id, bot.ErrNotFound)
		}
		r.subs = slices.Delete(r.subs, k, k+1)
		left = len(r.subs)
		return nil
	})
	if err == nil && left == 0 {
		err = s.Recover(ctx, id.Channel)
	}
	if err != nil {
		return err
	}
	return s.rdb.HDel(ctx, s.keys.owed(s.keys.shardOf(id.Channel)), packMember(bot.SlotMember(id))).Err()
}

// List names a channel's subscriptions, oldest first.
func (s *Store) List(ctx context.Context, id bot.ChannelID) ([]bot.Subscription, error) {
	r, packed, err := s.read(ctx, id)
	if err != nil || packed == "" {
		return nil, err
	}
	state, _, err := s.Ailing(ctx, r.channel)
	return shown(r.subs, state), err
}

// Channel reads a channel's record without its secrets; bot.ErrNotFound when nothing is subscribed there and never was.
func (s *Store) Channel(ctx context.Context, id bot.ChannelID) (bot.Channel, []bot.Subscription, error) {
	r, packed, err := s.read(ctx, id)
	if err == nil && packed == "" {
		err = fmt.Errorf("channel %s: %w", id, bot.ErrNotFound)
	}
	if err != nil {
		return r.channel, r.subs, err
	}
	state, _, err := s.Ailing(ctx, r.channel)
	return r.channel, shown(r.subs, state), err
}

// Next is what the next digest of a subscription is made from if it ran now: /preview.
func (s *Store) Next(ctx context.Context, id bot.SubscriptionID) (bot.Recipe, []bot.Entry, error) {
	r, _, err := s.read(ctx, id.Channel)
	if err != nil {
		return bot.Recipe{}, nil, err
	}
	k := r.find(id.Ordinal)
	if k < 0 {
		return bot.Recipe{}, nil, fmt.Errorf("subscription %s: %w", id, bot.ErrNotFound)
	}
	head, now, err := s.headNow(ctx)
	if err != nil {
		return bot.Recipe{}, nil, err
	}
	shard := s.keys.shardOf(id.Channel)
	slots, err := s.Slots(ctx, shard, []string{s.slotsOf(r.subs[k])[0].slot})
	if err != nil || len(slots) == 0 {
		return bot.Recipe{}, nil, err
	}
	records, _, err := s.Records(ctx, shard, []string{packMember(bot.SlotMember(id))})
	if err != nil {
		return bot.Recipe{}, nil, err
	}
	recipe := bot.RecipeFor(&records[0], bot.Run{From: slots[0].Upto, Upto: head, Last: slots[0].Last, Due: now})
	entries, err := s.EntriesFor(ctx, recipe)
	return recipe, entries, err
}

// Moved gives a channel a new address: its subscriptions go along. The old record ends only when the new one stands.
func (s *Store) Moved(ctx context.Context, from, to bot.Channel) error {
	old, packed, err := s.read(ctx, from.ID())
	if err != nil || packed == "" || from.ID() == to.ID() {
		return err
	}
	subs, err := s.carried(ctx, from.ID(), old.subs)
	if err != nil {
		return err
	}
	err = s.update(ctx, to.ID(), func(r *record) error {
		if len(r.subs) > 0 {
			return nil // moved before
		}
		r.channel, r.last = old.channel, old.last
		r.channel.Workspace, r.channel.Address = to.Workspace, to.Address
		r.subs = slices.Clone(subs)
		for i := range r.subs {
			r.subs[i].ID.Channel = to.ID()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.update(ctx, from.ID(), func(r *record) error { r.subs = nil; return nil }); err != nil {
		return err
	}
	return s.Recover(ctx, from.ID())
}

// carried makes subscriptions stand by themselves, without their slots and debts: what each is still to get is in Since and SinceAt.
func (s *Store) carried(ctx context.Context, id bot.ChannelID, subs []bot.Subscription) ([]bot.Subscription, error) {
	sh := s.keys.shardOf(id)
	debts, err := s.openDebts(ctx, sh)
	if err != nil {
		return nil, err
	}
	now, err := s.Now(ctx)
	if err != nil {
		return nil, err
	}
	pub := number(s.rdb.HGet(ctx, s.keys.state(sh), "pub").Val())
	carried := slices.Clone(subs)
	for i, sub := range subs {
		l, err := s.exportSub(ctx, sh, sub, pub, debts)
		if err != nil {
			return nil, err
		}
		carried[i].Since, carried[i].SinceAt = l.Offered, time.Time{}
		if l.Fresh {
			carried[i].SinceAt = now.Truncate(time.Millisecond).UTC()
		}
	}
	return carried, nil
}

// Renamed changes the shown name of a channel that has subscriptions.
func (s *Store) Renamed(ctx context.Context, id bot.ChannelID, name string) error {
	return s.update(ctx, id, func(r *record) error {
		if r.channel.Adapter == "" {
			return errUnchanged
		}
		r.channel.Name = name
		return nil
	})
}

// errUnchanged ends an update without a write.
var errUnchanged = errors.New("unchanged")

// update changes one channel record: read, change, compare and write, again when another node was faster.
func (s *Store) update(ctx context.Context, id bot.ChannelID, change func(*record) error) error {
	for range maxTries {
		r, packed, err := s.read(ctx, id)
		if err != nil {
			return err
		}
		before := slices.Clone(r.subs)
		if err := change(r); err != nil {
			if errors.Is(err, errUnchanged) {
				return nil
			}
			return err
		}
		ok, err := s.swap(ctx, id, packed, r, before)
		if err != nil || ok {
			return err
		}
	}
	return fmt.Errorf("channel %s is being changed by others all the time; try again", id)
}

func (s *Store) read(ctx context.Context, id bot.ChannelID) (*record, string, error) {
	packed, err := s.rdb.HGet(ctx, s.keys.channels(s.keys.shardOf(id)), string(id[:])).Result()
	if none(err) != nil {
		return &record{}, "", fmt.Errorf("read channel %s: %w", id, err)
	}
	if packed == "" {
		return &record{}, "", nil
	}
	r, err := unpackRecord(id, packed)
	if err != nil {
		return &record{}, packed, fmt.Errorf("channel %s: %w", id, err)
	}
	return r, packed, nil
}

// swap writes r over the record it was read from and moves its subscriptions between slots. ok is false when another node was faster.
func (s *Store) swap(ctx context.Context, id bot.ChannelID, old string, r *record, before []bot.Subscription) (ok bool, err error) {
	joins, leaves := s.slotChanges(before, r.subs)
	sh := s.keys.shardOf(id)
	keys := []string{s.keys.state(sh), s.keys.channels(sh), s.keys.slots(sh), s.keys.due(sh)}
	packed := string(r.pack())
	args := []any{string(id[:]), old, packed, len(joins)}
	now, err := s.Now(ctx)
	if err != nil {
		return false, err
	}
	for _, j := range joins {
		next := ""
		if j.definition != "" {
			at, err := s.opt.Next(j.sub.Schedule, now)
			if err != nil {
				return false, err
			}
			next = fmt.Sprint(at.UnixMilli())
		}
		keys = append(keys, s.keys.slot(sh, j.slot))
		args = append(args, j.slot, j.definition, next, j.sub.Since, packMember(bot.SlotMember(j.sub.ID)))
	}
	for _, l := range leaves {
		keys = append(keys, s.keys.slot(sh, l.slot))
		args = append(args, l.slot, packMember(bot.SlotMember(l.sub.ID)))
	}
	reply, err := changeScript.Run(ctx, s.rdb, keys, args...).Slice()
	if err != nil {
		return false, fmt.Errorf("change channel %s: %w", id, err)
	}
	return number(reply[0]) == 1, nil
}

// slotChange is one subscription that joins or leaves a slot.
type slotChange struct {
	slotJoin
	sub bot.Subscription
}

func (s *Store) slotChanges(before, after []bot.Subscription) (joins, leaves []slotChange) {
	for _, sub := range after {
		for _, j := range s.slotsOf(sub) {
			joins = append(joins, slotChange{j, sub})
		}
	}
	stays := func(sub bot.Subscription, slot string) bool {
		return slices.ContainsFunc(joins, func(c slotChange) bool { return c.sub.ID == sub.ID && c.slot == slot })
	}
	for _, sub := range before {
		for _, j := range s.slotsOf(sub) {
			if !stays(sub, j.slot) {
				leaves = append(leaves, slotChange{j, sub})
			}
		}
	}
	return joins, leaves
}

// headNow reads the catalogue's last number and Redis' clock, to the millisecond that records keep.
func (s *Store) headNow(ctx context.Context) (int64, time.Time, error) {
	pipe := s.rdb.Pipeline()
	head := pipe.Get(ctx, s.keys.head())
	if _, err := pipe.Exec(ctx); none(err) != nil {
		return 0, time.Time{}, fmt.Errorf("read the catalogue: %w", err)
	}
	now, err := s.Now(ctx)
	return number(head.Val()), now.Truncate(time.Millisecond).UTC(), err
}

// EachChannel calls fn for every channel that has a record, with its subscriptions: for export, lists and checks, not for delivery.
func (s *Store) EachChannel(ctx context.Context, fn func(bot.Channel, []bot.Subscription) error) error {
	return s.EachChannelAfter(ctx, "", fn)
}

// EachChannelAfter is EachChannel for the channels behind one ("" = all), in the order of their IDs, until fn returns an error, which is
// returned.
func (s *Store) EachChannelAfter(ctx context.Context, after string, fn func(bot.Channel, []bot.Subscription) error) error {
	held, err := s.HeldWorkspaces(ctx)
	if err != nil {
		return err
	}
	first, behind := 0, ""
	if after != "" {
		id, err := bot.ParseChannelID(after)
		if err != nil {
			return err
		}
		first, behind = s.keys.shardOf(id), string(id[:])
	}
	for sh := first; sh < s.keys.shards; sh++ {
		ill, err := s.Ailments(ctx, sh)
		if err != nil {
			return err
		}
		ids, err := s.rdb.HKeys(ctx, s.keys.channels(sh)).Result()
		if err != nil {
			return fmt.Errorf("list channels of shard %d: %w", sh, err)
		}
		slices.Sort(ids)
		if behind != "" && sh == first {
			ids = ids[firstAfter(ids, behind):]
		}
		for part := range slices.Chunk(ids, chunk) {
			packed, err := s.rdb.HMGet(ctx, s.keys.channels(sh), part...).Result()
			if err != nil {
				return fmt.Errorf("read channels of shard %d: %w", sh, err)
			}
			for i, p := range packed {
				if p == nil {
					continue // ended since
				}
				var id bot.ChannelID
				copy(id[:], part[i])
				r, err := unpackRecord(id, text(p))
				if err != nil {
					return fmt.Errorf("channel %x: %w", part[i], err)
				}
				state := bot.StateActive
				if _, ok := ill[id]; ok {
					state = bot.StateProbation
				}
				if w, ok := bot.WorkspaceOf(r.channel); ok && held[w].Code != "" {
					state = bot.StateHeld
				}
				if err := fn(r.channel, shown(r.subs, state)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Schedules lists the distinct schedules with subscriptions, the next one due first, those on publish last.
func (s *Store) Schedules(ctx context.Context) ([]bot.PlannedSlot, error) {
	byID := map[string]*bot.PlannedSlot{}
	for sh := range s.keys.shards {
		pipe := s.rdb.Pipeline()
		slots, due := pipe.HGetAll(ctx, s.keys.slots(sh)), pipe.ZRangeWithScores(ctx, s.keys.due(sh), 0, -1)
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, fmt.Errorf("read the schedules of shard %d: %w", sh, err)
		}
		next := map[string]time.Time{}
		for _, z := range due.Val() {
			next[text(z.Member)] = time.UnixMilli(int64(z.Score)).UTC()
		}
		counts := map[string]*redis.IntCmd{}
		pipe = s.rdb.Pipeline()
		for id := range slots.Val() {
			if _, slot := slots.Val()[id+":u"]; slot { // each has one; what it has itself has none
				counts[id] = pipe.SCard(ctx, s.keys.slot(sh, id))
			}
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, fmt.Errorf("count the schedules of shard %d: %w", sh, err)
		}
		for id, n := range counts {
			p := byID[id]
			if p == nil {
				p = &bot.PlannedSlot{Schedule: slotState(id, slots.Val()[id], "", "").Schedule}
				if series := strings.TrimPrefix(id, "pub:"); p.Schedule.OnPublish && series != "*" {
					p.Series = series
				}
				byID[id] = p
			}
			p.Members += int(n.Val())
			if at := next[id]; !at.IsZero() && (p.Next.IsZero() || at.Before(p.Next)) {
				p.Next = at
			}
		}
	}
	list := make([]bot.PlannedSlot, 0, len(byID))
	for _, p := range byID {
		list = append(list, *p)
	}
	slices.SortFunc(list, func(a, b bot.PlannedSlot) int {
		if a.Schedule.OnPublish != b.Schedule.OnPublish {
			return map[bool]int{true: 1, false: -1}[a.Schedule.OnPublish]
		}
		return cmp.Or(a.Next.Compare(b.Next), cmp.Compare(a.Schedule.Zone+a.Schedule.Cron, b.Schedule.Zone+b.Schedule.Cron), cmp.Compare(a.Series, b.Series))
	})
	return list, nil
}
