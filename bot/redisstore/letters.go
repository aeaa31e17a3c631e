package redisstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"weeklybot/bot"
)

// Letter reads one dead letter; bot.ErrNotFound when there is none.
func (s *Store) Letter(ctx context.Context, shard int, id string) (l bot.DeadLetter, err error) {
	body, err := s.rdb.HGet(ctx, s.keys.letters(shard), id).Result()
	switch {
	case none(err) != nil:
		return l, fmt.Errorf("read dead letter %s: %w", id, err)
	case body == "":
		return l, fmt.Errorf("dead letter %s: %w", id, bot.ErrNotFound)
	case json.Unmarshal([]byte(body), &l) != nil:
		return l, fmt.Errorf("dead letter %s: %w", id, errDamaged)
	}
	return l, nil
}

// FindLetter is Letter, for whom does not know the shard.
func (s *Store) FindLetter(ctx context.Context, id string) (bot.DeadLetter, error) {
	shard, err := s.letterShard(id)
	if err != nil {
		return bot.DeadLetter{}, err
	}
	return s.Letter(ctx, shard, id)
}

// EachLetter calls fn for every dead letter behind after ("" = all), in one order for good, until fn returns an error, which is
// returned. Damaged ones are left out.
func (s *Store) EachLetter(ctx context.Context, after string, fn func(bot.DeadLetter) error) error {
	first := 0
	if after != "" {
		var err error
		if first, err = s.letterShard(after); err != nil {
			return err
		}
	}
	for sh := first; sh < s.keys.shards; sh++ {
		ids, err := s.rdb.HKeys(ctx, s.keys.letters(sh)).Result()
		if err != nil {
			return fmt.Errorf("list dead letters of shard %d: %w", sh, err)
		}
		slices.Sort(ids)
		if sh == first {
			ids = ids[firstAfter(ids, after):]
		}
		for part := range slices.Chunk(ids, chunk) {
			bodies, err := s.rdb.HMGet(ctx, s.keys.letters(sh), part...).Result()
			if err != nil {
				return fmt.Errorf("read dead letters of shard %d: %w", sh, err)
			}
			for _, body := range bodies {
				var l bot.DeadLetter
				if json.Unmarshal([]byte(text(body)), &l) != nil {
					continue
				}
				if err := fn(l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// firstAfter is the index of the first of ids, which are sorted, behind after.
func firstAfter(ids []string, after string) int {
	i, found := slices.BinarySearch(ids, after)
	if found {
		i++
	}
	return i
}
