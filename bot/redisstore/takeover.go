package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
)

// Takeover reads all that a new owner must know of its shard: what may be on the wire, pages that are not finished with their ledgers, and
// open runs. Damaged values are left out and returned as faults, so that one bad record never stops a shard.
func (s *Store) Takeover(ctx context.Context, lease bot.Lease) (bot.Takeover, []error, error) {
	t := bot.Takeover{Lease: lease, Flights: map[string][]bot.Flight{}, Ledger: map[bot.Place]bot.Outcome{}, Owed: map[bot.SlotMember]bot.Owed{}}
	sh := lease.Shard
	pipe := s.rdb.Pipeline()
	fly, todo, open := pipe.HGetAll(ctx, s.keys.fly(sh)), pipe.SMembers(ctx, s.keys.todo(sh)), pipe.SMembers(ctx, s.keys.open(sh))
	owed, ill := pipe.HGetAll(ctx, s.keys.owed(sh)), pipe.HGetAll(ctx, s.keys.ill(sh))
	if _, err := pipe.Exec(ctx); err != nil {
		return t, nil, fmt.Errorf("take over shard %d: %w", sh, err)
	}
	t.Ill = unpackAilments(ill.Val())
	var faults []error
	for _, lane := range slices.Sorted(maps.Keys(fly.Val())) {
		flights, err := unpackFlights(fly.Val()[lane])
		if err != nil {
			faults = append(faults, fmt.Errorf("flights of %s in shard %d: %w", lane, sh, err))
			continue
		}
		t.Flights[lane] = flights
	}
	for packed, debt := range owed.Val() {
		m, err := unpackMember(packed)
		if err != nil {
			faults = append(faults, fmt.Errorf("debts of shard %d: %w", sh, err))
			continue
		}
		t.Owed[m] = *unpackOwed(debt)
	}
	var pages []int64
	for _, n := range todo.Val() {
		pages = append(pages, number(n))
	}
	slices.Sort(pages)
	for part := range slices.Chunk(pages, chunk) {
		more, err := s.readPages(ctx, sh, part, &t)
		if err != nil {
			return t, faults, err
		}
		faults = append(faults, more...)
	}
	runs := open.Val()
	slices.Sort(runs)
	found, more, err := s.Runs(ctx, sh, runs)
	t.Runs = found
	return t, append(faults, more...), err
}

func (s *Store) readPages(ctx context.Context, sh int, numbers []int64, t *bot.Takeover) (faults []error, err error) {
	pipe := s.rdb.Pipeline()
	var bodies []*redis.StringCmd
	var over []*redis.StringCmd
	var ledgers []*redis.MapStringStringCmd
	for _, n := range numbers {
		bodies = append(bodies, pipe.Get(ctx, s.keys.page(sh, n)))
		ledgers = append(ledgers, pipe.HGetAll(ctx, s.keys.ledger(sh, n)))
		over = append(over, pipe.Get(ctx, s.keys.over(sh, n)))
	}
	if _, err := pipe.Exec(ctx); none(err) != nil {
		return nil, fmt.Errorf("read pages of shard %d: %w", sh, err)
	}
	for i, n := range numbers {
		if bodies[i].Val() == "" {
			faults = append(faults, fmt.Errorf("page %d: %w", n, bot.ErrNotFound))
			continue
		}
		page, err := unpackPage(n, bodies[i].Val())
		if err != nil {
			faults = append(faults, err)
			continue
		}
		t.Pages = append(t.Pages, page)
		for index, packed := range ledgers[i].Val() {
			k, _ := strconv.Atoi(index)
			place := bot.Place{Page: n, Index: k}
			o, err := unpackOutcome(place, packed, 0)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			t.Ledger[place] = o
		}
		if err := readOver(n, over[i].Val(), t.Ledger); err != nil {
			faults = append(faults, err)
		}
	}
	return faults, nil
}

// Runs reads runs of a shard by their IDs.
func (s *Store) Runs(ctx context.Context, shard int, ids []string) (runs []bot.Run, faults []error, err error) {
	for part := range slices.Chunk(ids, chunk) {
		values, err := s.rdb.HMGet(ctx, s.keys.runs(shard), part...).Result()
		if err != nil {
			return runs, faults, fmt.Errorf("read runs of shard %d: %w", shard, err)
		}
		for i, v := range values {
			var run bot.Run
			if err := json.Unmarshal([]byte(text(v)), &run); err != nil {
				faults = append(faults, fmt.Errorf("run %s of shard %d: %w", part[i], shard, errDamaged))
				continue
			}
			runs = append(runs, run)
		}
	}
	return runs, faults, nil
}

// Channels lists a shard's channels as members with ordinal 0, in one order for good.
func (s *Store) Channels(ctx context.Context, shard int) ([]string, error) {
	ids, err := s.rdb.HKeys(ctx, s.keys.channels(shard)).Result()
	if err != nil {
		return nil, fmt.Errorf("list channels of shard %d: %w", shard, err)
	}
	for i, id := range ids {
		ids[i] = id + "\x00\x00"
	}
	slices.Sort(ids)
	return ids, nil
}

// Delivered reads the deliveries of one run in some of a shard's pages. Pages that were thrown away are left out.
func (s *Store) Delivered(ctx context.Context, shard int, run string, pages []int64) (list []bot.Delivered, faults []error, err error) {
	t := bot.Takeover{Ledger: map[bot.Place]bot.Outcome{}}
	if faults, err = s.readPages(ctx, shard, pages, &t); err != nil {
		return nil, faults, err
	}
	faults = slices.DeleteFunc(faults, func(err error) bool { return errors.Is(err, bot.ErrNotFound) })
	var members []string
	for _, page := range t.Pages {
		for i, e := range page.Entries {
			if e.Run == run {
				list = append(list, bot.Delivered{Entry: e, Lane: page.Lane, Outcome: t.Ledger[bot.Place{Page: page.Number, Index: i}]})
				members = append(members, packMember(e.Member))
			}
		}
	}
	if len(members) == 0 {
		return nil, faults, nil
	}
	records, more, err := s.Records(ctx, shard, members)
	for i := range records {
		list[i].Record = records[i]
	}
	return list, append(faults, more...), err
}

// Members lists a slot's members, in one order for good: a fan-out that goes on after a crash finds its cursor again.
func (s *Store) Members(ctx context.Context, shard int, slot string) ([]string, error) {
	members, err := s.rdb.SMembers(ctx, s.keys.slot(shard, slot)).Result()
	if err != nil {
		return nil, fmt.Errorf("members of slot %s: %w", slot, err)
	}
	slices.Sort(members)
	return members, nil
}

// Records reads the channel, subscription and debt of members, in their order. A member that cannot be read, or is subscribed no more, comes
// back as Gone; a damaged record also as a fault.
func (s *Store) Records(ctx context.Context, shard int, members []string) ([]bot.Record, []error, error) {
	fields := make([]string, len(members))
	for i, m := range members {
		fields[i] = m[:min(8, len(m))]
	}
	pipe := s.rdb.Pipeline()
	channels, owed := pipe.HMGet(ctx, s.keys.channels(shard), fields...), pipe.HMGet(ctx, s.keys.owed(shard), members...)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, nil, fmt.Errorf("read %d records of shard %d: %w", len(members), shard, err)
	}
	var faults []error
	var r record
	records := make([]bot.Record, len(members))
	for i, m := range members {
		rec := &records[i]
		member, err := unpackMember(m)
		rec.Member, rec.Gone = member, true
		packed := text(channels.Val()[i])
		if err != nil || packed == "" {
			continue
		}
		if err := r.unpack(member.Channel, packed); err != nil {
			faults = append(faults, fmt.Errorf("channel %s: %w", member.Channel, err))
			continue
		}
		if member.Ordinal == 0 {
			rec.Channel, rec.Subs, rec.Gone = r.channel, r.subs, false
			r.subs = nil // it is the caller's
		} else if k := r.find(member.Ordinal); k >= 0 {
			rec.Channel, rec.Sub, rec.Owed, rec.Gone = r.channel, r.subs[k], unpackOwed(text(owed.Val()[i])), false
		}
	}
	return records, faults, nil
}

// PackMember is the form in which Members lists m.
func PackMember(m bot.SlotMember) string { return packMember(m) }
