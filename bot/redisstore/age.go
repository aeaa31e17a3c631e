package redisstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"weeklybot/bot"
)

// agedStep is the most pages, and the most names, that one step throws away.
const agedStep = 50

func day(t time.Time) string { return t.UTC().Format("20060102") }

// ages notes that a run ("r" and its ID) or a dead letter ("d" and its ID) belongs to today, so that it goes when the day does.
func (s *Store) ages(w *writeList, c bot.Commit, name string) {
	today, next := day(time.Now()), c.Lease.Page+1
	if len(c.Pages) > 0 {
		next = c.Pages[0].Number
	}
	w.add("HSETNX", s.keys.days(c.Lease.Shard), today, next)
	w.add("RPUSH", s.keys.names(c.Lease.Shard, today), name)
}

// Aged finds the next step of throwing away a shard's oldest day: one before the day of keep, or, when the shard holds more than maxPages,
// any before yesterday. nil: nothing is that old.
func (s *Store) Aged(ctx context.Context, lease bot.Lease, keep time.Time, maxPages int64) (*bot.Aged, error) {
	days, err := s.rdb.HGetAll(ctx, s.keys.days(lease.Shard)).Result()
	if err != nil {
		return nil, fmt.Errorf("read the days of shard %d: %w", lease.Shard, err)
	}
	order := slices.Sorted(maps.Keys(days))
	if len(order) == 0 {
		return nil, nil
	}
	oldest, first, next := order[0], number(days[order[0]]), lease.Page+1
	tooMany := lease.Page-first >= maxPages && oldest < day(time.Now().Add(-24*time.Hour))
	if oldest >= day(keep) && !tooMany {
		return nil, nil
	}
	if len(order) > 1 {
		next = number(days[order[1]])
	}
	names, err := s.rdb.LRange(ctx, s.keys.names(lease.Shard, oldest), 0, agedStep).Result()
	if err != nil {
		return nil, fmt.Errorf("read what shard %d keeps of %s: %w", lease.Shard, oldest, err)
	}
	a := &bot.Aged{Day: oldest, From: first, Upto: min(first+agedStep, next) - 1, Names: names[:min(len(names), agedStep)]}
	a.Last = a.Upto == next-1 && len(names) <= agedStep
	return a, nil
}

// agedWrites throws one step away.
func (s *Store) agedWrites(w *writeList, c bot.Commit) {
	a, sh := c.Aged, c.Lease.Shard
	if a == nil {
		return
	}
	for n := a.From; n <= a.Upto; n++ {
		w.add("UNLINK", s.keys.page(sh, n))
		w.add("UNLINK", s.keys.ledger(sh, n))
		w.add("UNLINK", s.keys.over(sh, n))
	}
	var runs, counts, letters []any
	for _, name := range a.Names {
		switch kind, id := name[:1], name[1:]; kind {
		case "r":
			runs = append(runs, id)
			for _, state := range stateBytes {
				counts = append(counts, id+" "+string(state))
			}
		case "d":
			letters = append(letters, id)
		}
	}
	w.addAll("HDEL", s.keys.runs(sh), runs)
	w.addAll("HDEL", s.keys.counts(sh), counts)
	w.addAll("HDEL", s.keys.letters(sh), letters)
	if a.Last {
		w.add("HDEL", s.keys.days(sh), a.Day)
		w.add("UNLINK", s.keys.names(sh, a.Day))
		return
	}
	w.add("HSET", s.keys.days(sh), a.Day, a.Upto+1)
	w.add("LTRIM", s.keys.names(sh, a.Day), len(a.Names), -1)
}
