package redisstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
)

// maxBroadcasts is how many broadcasts are kept; the oldest that are over go first.
const maxBroadcasts = 1000

// Draft keeps a broadcast and its message. It assigns ID, State and Created.
func (s *Store) Draft(ctx context.Context, b bot.Broadcast, msg bot.Message) (bot.Broadcast, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return b, err
	}
	n, err := s.rdb.Incr(ctx, s.keys.lastID()).Result()
	if err != nil {
		return b, fmt.Errorf("number a broadcast: %w", err)
	}
	b.ID, b.State, b.Created = broadcastID(n), bot.BroadcastDraft, now.Truncate(time.Millisecond).UTC()
	pipe := s.rdb.Pipeline()
	pipe.HSet(ctx, s.keys.bodies(), b.ID, toJSON(msg))
	pipe.HSet(ctx, s.keys.broadcasts(), b.ID, toJSON(b))
	if _, err := pipe.Exec(ctx); err != nil {
		return b, fmt.Errorf("keep broadcast %s: %w", b.ID, err)
	}
	return b, s.dropBroadcasts(ctx)
}

func broadcastID(n int64) string { return "b" + strconv.FormatInt(n, 10) }

// broadcastNumber is the number in an ID; 0 when it is none.
func broadcastNumber(id string) int64 {
	if len(id) < 2 || id[0] != 'b' {
		return 0
	}
	n, err := strconv.ParseInt(id[1:], 10, 64)
	if err != nil || broadcastID(n) != id {
		return 0
	}
	return n
}

// dropBroadcasts forgets the oldest broadcasts beyond maxBroadcasts, but none that may still send.
func (s *Store) dropBroadcasts(ctx context.Context) error {
	ids, err := s.rdb.HKeys(ctx, s.keys.broadcasts()).Result()
	if err != nil || len(ids) <= maxBroadcasts {
		return err
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(broadcastNumber(a), broadcastNumber(b)) })
	for _, id := range ids[:len(ids)-maxBroadcasts] {
		b, err := s.Broadcast(ctx, id)
		if err == nil && (b.State == bot.BroadcastApproved || b.State == bot.BroadcastScheduled || b.State == bot.BroadcastRunning) {
			continue
		}
		if err := errors.Join(s.rdb.HDel(ctx, s.keys.bodies(), id).Err(), s.rdb.HDel(ctx, s.keys.broadcasts(), id).Err()); err != nil {
			return err
		}
	}
	return nil
}

// Broadcast reads one; bot.ErrNotFound when there is none.
func (s *Store) Broadcast(ctx context.Context, id string) (bot.Broadcast, error) {
	b, _, err := s.readBroadcast(ctx, id)
	return b, err
}

func (s *Store) readBroadcast(ctx context.Context, id string) (b bot.Broadcast, text string, err error) {
	text, err = s.rdb.HGet(ctx, s.keys.broadcasts(), id).Result()
	switch {
	case none(err) != nil:
		return b, "", fmt.Errorf("read broadcast %s: %w", id, err)
	case text == "":
		return b, "", fmt.Errorf("broadcast %s: %w", id, bot.ErrNotFound)
	case json.Unmarshal([]byte(text), &b) != nil:
		return b, text, fmt.Errorf("broadcast %s: %w", id, errDamaged)
	}
	return b, text, nil
}

// Body is the message of a broadcast, as it was drafted.
func (s *Store) Body(ctx context.Context, id string) (msg bot.Message, err error) {
	text, err := s.rdb.HGet(ctx, s.keys.bodies(), id).Result()
	switch {
	case none(err) != nil:
		return msg, fmt.Errorf("read the message of broadcast %s: %w", id, err)
	case text == "":
		return msg, fmt.Errorf("message of broadcast %s: %w", id, bot.ErrNotFound)
	case json.Unmarshal([]byte(text), &msg) != nil:
		return msg, fmt.Errorf("message of broadcast %s: %w", id, errDamaged)
	}
	return msg, nil
}

// Broadcasts lists at most limit broadcasts older than before ("" = all), newest first.
func (s *Store) Broadcasts(ctx context.Context, before string, limit int) (list []bot.Broadcast, err error) {
	next := broadcastNumber(before)
	if next == 0 {
		last, err := s.rdb.Get(ctx, s.keys.lastID()).Result()
		if none(err) != nil {
			return nil, fmt.Errorf("list broadcasts: %w", err)
		}
		next = number(last) + 1
	}
	for next > 1 && len(list) < limit {
		var ids []string
		for ; next > 1 && len(ids) < chunk; next-- {
			ids = append(ids, broadcastID(next-1))
		}
		values, err := s.rdb.HMGet(ctx, s.keys.broadcasts(), ids...).Result()
		if err != nil {
			return nil, fmt.Errorf("list broadcasts: %w", err)
		}
		for _, v := range values {
			var b bot.Broadcast
			if v != nil && json.Unmarshal([]byte(text(v)), &b) == nil && len(list) < limit {
				list = append(list, b)
			}
		}
	}
	return list, nil
}

// ChangeBroadcast lets change edit a broadcast, and gives the order that it returns, in one step. Next says when it is due. The error of
// change is returned as it is.
func (s *Store) ChangeBroadcast(ctx context.Context, id string, change func(*bot.Broadcast) (*bot.Order, error)) (bot.Broadcast, error) {
	for range maxTries {
		b, old, err := s.readBroadcast(ctx, id)
		if err != nil {
			return b, err
		}
		last, err := s.rdb.Get(ctx, s.keys.lastOrder()).Result()
		if none(err) != nil {
			return b, fmt.Errorf("read the last order: %w", err)
		}
		order, err := change(&b)
		if err != nil {
			return b, err
		}
		given, due := "", ""
		if order != nil {
			b.Started(*order, number(last)+1)
			given = toJSON(order)
		}
		if !b.Next.IsZero() {
			due = strconv.FormatInt(b.Next.UnixMilli(), 10)
		}
		done, err := s.order(ctx, id, old, toJSON(b), due, number(last), given)
		if err != nil || done {
			return b, err
		}
	}
	return bot.Broadcast{}, fmt.Errorf("broadcast %s is being changed by others all the time; try again", id)
}

// order runs order.lua; false when another node was faster.
func (s *Store) order(ctx context.Context, id, old, now, due string, last int64, given string) (bool, error) {
	keys := []string{s.keys.broadcasts(), s.keys.times(), s.keys.lastOrder(), s.keys.orders()}
	done, err := orderScript.Run(ctx, s.rdb, keys, id, old, now, due, last, given).Int()
	if err != nil {
		return false, fmt.Errorf("write an order: %w", err)
	}
	return done == 1, nil
}

// Give gives an order that no broadcast stands behind.
func (s *Store) Give(ctx context.Context, o bot.Order) error {
	for range maxTries {
		last, err := s.rdb.Get(ctx, s.keys.lastOrder()).Result()
		if none(err) != nil {
			return fmt.Errorf("read the last order: %w", err)
		}
		if done, err := s.order(ctx, "", "", "", "", number(last), toJSON(o)); err != nil || done {
			return err
		}
	}
	return errors.New("others give orders all the time; try again")
}

// Fire orders what a subscription's next digest would be made from, now; bot.ErrNothingNew when that is nothing.
func (s *Store) Fire(ctx context.Context, id bot.SubscriptionID) error {
	recipe, entries, err := s.Next(ctx, id)
	if err != nil {
		return err
	}
	if len(entries) == 0 && !recipe.First {
		return bot.ErrNothingNew
	}
	order := bot.Order{Kind: bot.OrderFire, Shard: s.keys.shardOf(id.Channel), Sub: id.String(), Recipe: &recipe}
	r, _, err := s.read(ctx, id.Channel)
	if err != nil {
		return err
	}
	if k := r.find(id.Ordinal); k >= 0 && !r.subs[k].Schedule.OnPublish {
		order.Slot = s.opt.SlotID(r.subs[k].Schedule)
	}
	return s.Give(ctx, order)
}

// Replay orders a dead or held delivery to be delivered after all; bot.ErrNotFound when there is none.
func (s *Store) Replay(ctx context.Context, letter string) error {
	return s.settle(ctx, bot.OrderReplay, letter)
}

// Drop orders a dead or held delivery to be forgotten; bot.ErrNotFound when there is none.
func (s *Store) Drop(ctx context.Context, letter string) error {
	return s.settle(ctx, bot.OrderDrop, letter)
}

func (s *Store) settle(ctx context.Context, kind bot.OrderKind, letter string) error {
	shard, err := s.letterShard(letter)
	if err != nil {
		return err
	}
	l, err := s.Letter(ctx, shard, letter)
	if err != nil {
		return err
	}
	if kind == bot.OrderReplay {
		list, _, err := s.Delivered(ctx, shard, l.Run, []int64{l.Place.Page})
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(list, func(d bot.Delivered) bool { return d.Outcome.Place == l.Place }) {
			return fmt.Errorf("delivery %s: %w", letter, bot.ErrGone)
		}
	}
	return s.Give(ctx, bot.Order{Kind: kind, Shard: shard, Letter: letter})
}

// letterShard reads the shard off the end of a delivery's ID.
func (s *Store) letterShard(letter string) (int, error) {
	id, err := bot.ParseSubscriptionID(letter[strings.LastIndexByte(letter, '/')+1:])
	if err != nil {
		return 0, fmt.Errorf("delivery %s: %w", letter, bot.ErrNotFound)
	}
	return s.keys.shardOf(id.Channel), nil
}

// Orders reads the orders from < number ≤ upto, ascending, at most some hundred of them: the last one read is upto for the next call. A damaged
// order comes back without a kind.
func (s *Store) Orders(ctx context.Context, from, upto int64) ([]bot.Order, error) {
	var fields []string
	for n := from + 1; n <= min(upto, from+chunk); n++ {
		fields = append(fields, strconv.FormatInt(n, 10))
	}
	if len(fields) == 0 {
		return nil, nil
	}
	values, err := s.rdb.HMGet(ctx, s.keys.orders(), fields...).Result()
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	orders := make([]bot.Order, len(values))
	for i, v := range values {
		if json.Unmarshal([]byte(text(v)), &orders[i]) != nil {
			orders[i] = bot.Order{}
		}
		orders[i].Number = from + 1 + int64(i)
	}
	return orders, nil
}

// StartDue orders the runs of the broadcasts whose time has come. Several nodes may call it at once: each run is ordered once.
func (s *Store) StartDue(ctx context.Context, now time.Time) error {
	ids, err := s.rdb.ZRangeByScore(ctx, s.keys.times(), &redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(now.UnixMilli(), 10), Count: dueLimit}).Result()
	if err != nil {
		return fmt.Errorf("read which broadcasts are due: %w", err)
	}
	var faults []error
	for _, id := range ids {
		_, err := s.ChangeBroadcast(ctx, id, func(b *bot.Broadcast) (*bot.Order, error) {
			if b.Next.IsZero() || b.Next.After(now) || b.Stopped() {
				return nil, errUnchanged
			}
			return s.start(b, now)
		})
		switch {
		case errors.Is(err, errUnchanged):
		case errors.Is(err, bot.ErrNotFound):
			faults = append(faults, s.rdb.ZRem(ctx, s.keys.times(), id).Err())
		default:
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// start begins the newest occurrence that is due; those before it, while nobody ran, are left out.
func (s *Store) start(b *bot.Broadcast, now time.Time) (*bot.Order, error) {
	due := b.Next
	b.State, b.Next = bot.BroadcastRunning, time.Time{}
	for b.Schedule.Cron != "" {
		next, err := s.opt.Next(b.Schedule, due)
		if err != nil {
			return nil, fmt.Errorf("schedule of broadcast %s: %w", b.ID, err)
		}
		if next.After(now) {
			b.Next = next.UTC()
			break
		}
		due = next
	}
	return &bot.Order{Kind: bot.OrderBroadcast, Broadcast: b.ID, Run: fmt.Sprintf("bc:%s@%d", b.ID, due.UnixMilli()), Due: due}, nil
}

// Stir makes the owners of all shards look again at what they have queued, at once: something was stopped. Where it does not come to that, the
// order that stops it does, with the next beat.
func (s *Store) Stir(ctx context.Context) error {
	pipe := s.rdb.Pipeline()
	for sh := range s.keys.shards {
		pipe.HIncrBy(ctx, s.keys.state(sh), "ctl", 1)
	}
	_, err := pipe.Exec(ctx)
	return err
}

// Progress sums up a run of a broadcast over all shards.
func (s *Store) Progress(ctx context.Context, r bot.BroadcastRun) (bot.Progress, error) {
	p := bot.Progress{Counts: map[bot.DeliveryState]int{}, Ended: true}
	var fields []string
	for _, state := range stateBytes {
		fields = append(fields, r.ID+" "+string(state))
	}
	pipe := s.rdb.Pipeline()
	var orders, runs []*redis.StringCmd
	var counts []*redis.SliceCmd
	for sh := range s.keys.shards { // in the order in which they are written: what is counted has been paged
		counts = append(counts, pipe.HMGet(ctx, s.keys.counts(sh), fields...))
		runs = append(runs, pipe.HGet(ctx, s.keys.runs(sh), r.ID))
		orders = append(orders, pipe.HGet(ctx, s.keys.state(sh), "order"))
	}
	if _, err := pipe.Exec(ctx); none(err) != nil {
		return p, fmt.Errorf("read run %s: %w", r.ID, err)
	}
	for sh := range s.keys.shards {
		var run bot.Run
		begun := number(orders[sh].Val()) >= r.Order
		if text := runs[sh].Val(); text != "" && json.Unmarshal([]byte(text), &run) != nil {
			return p, fmt.Errorf("run %s of shard %d: %w", r.ID, sh, errDamaged)
		}
		ended := 0
		for i, v := range counts[sh].Val() {
			if n := int(number(v)); n > 0 {
				p.Counts[stateBytes[i]] += n
				ended += n
			}
		}
		if run.Cancelled > 0 {
			p.Counts[bot.Cancelled] += run.Cancelled
		}
		p.Reached += run.Paged + run.Cancelled + run.Skips
		p.Left += run.Skips
		p.Open += max(0, run.Paged-ended)
		p.Ended = p.Ended && begun && run.State != bot.RunOpen && ended >= run.Paged
	}
	return p, nil
}

// Reach counts the channels of an audience by adapter and kind.
func (s *Store) Reach(ctx context.Context, a bot.Audience) (map[bot.Way]int, error) {
	reach := map[bot.Way]int{}
	err := s.EachChannel(ctx, func(ch bot.Channel, subs []bot.Subscription) error {
		if a.Holds(ch, subs) {
			reach[bot.Way{Adapter: ch.Adapter, Kind: ch.Kind}]++
		}
		return nil
	})
	return reach, err
}

// exportBroadcasts writes the broadcasts, oldest first, each with its message and its secret token: a draft can be approved where it is imported.
func (s *Store) exportBroadcasts(ctx context.Context, enc *json.Encoder) error {
	list, err := s.Broadcasts(ctx, "", 2*maxBroadcasts)
	if err != nil {
		return err
	}
	slices.Reverse(list)
	for _, b := range list {
		msg, err := s.Body(ctx, b.ID)
		if errors.Is(err, bot.ErrNotFound) {
			continue // dropped since
		}
		if err == nil {
			err = enc.Encode(line{Type: "broadcast", Broadcast: &b, Message: &msg})
		}
		if err != nil {
			return fmt.Errorf("export broadcast %s: %w", b.ID, err)
		}
	}
	return nil
}

// importBroadcast keeps a broadcast as it was. The ledger of what was delivered stays behind: one that was running counts as cancelled, unless it
// has a next time.
func (s *Store) importBroadcast(ctx context.Context, b bot.Broadcast, msg bot.Message) error {
	if b.State == bot.BroadcastRunning {
		b.State = bot.BroadcastScheduled
		if b.Next.IsZero() {
			b.State = bot.BroadcastCancelled
		}
	}
	for i := range b.Runs {
		b.Runs[i].Order = 0 // of another store
		if b.Runs[i].Done == nil {
			b.Runs[i].Done = &bot.Progress{Ended: true, Counts: map[bot.DeliveryState]int{}}
		}
	}
	if b.Recall != nil && b.Recall.Done == nil {
		b.Recall.Done = &bot.Progress{Ended: true, Counts: map[bot.DeliveryState]int{}}
	}
	pipe := s.rdb.Pipeline()
	pipe.Set(ctx, s.keys.lastID(), broadcastNumber(b.ID), 0) // broadcasts come in ascending order
	pipe.HSet(ctx, s.keys.bodies(), b.ID, toJSON(msg))
	pipe.HSet(ctx, s.keys.broadcasts(), b.ID, toJSON(b))
	if !b.Next.IsZero() {
		pipe.ZAdd(ctx, s.keys.times(), redis.Z{Score: float64(b.Next.UnixMilli()), Member: b.ID})
	}
	_, err := pipe.Exec(ctx)
	return err
}
