package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
)

// schemaVersion is the layout of keys and records that this program reads and writes.
const schemaVersion = 1

const (
	// dueLimit is the most slots of one shard that one beat returns; the rest comes with the next.
	dueLimit = 100
	// chunk is the most fields or keys asked for in one command.
	chunk = 500
)

// Options of a Store. SlotID and Next are required.
type Options struct {
	Prefix       string // of every key; "" = wb
	Shards       int    // used when the store is new, recorded in it, then fixed; 0 = 16
	WaitReplicas int    // replicas that must have a commit before a send starts; Redis' WAIT
	Sole         bool   // no other process can reach this store (embedded): leases of earlier processes are void
	// SlotID is the short stable name of a cron schedule; equal schedules share it.
	SlotID func(bot.Schedule) string
	// Next is the first occurrence of a cron schedule after a time.
	Next func(bot.Schedule, time.Time) (time.Time, error)
}

// Store is everything the bot keeps.
type Store struct {
	rdb  redis.UniversalClient
	opt  Options
	keys keys

	maxVotes   int // tests keep fewer of both
	maxNotices int64
}

// Open prepares the store: it writes or checks the schema version and the number of shards. It fails when Redis cannot be reached, or
// holds data of another version.
func Open(ctx context.Context, rdb redis.UniversalClient, opt Options) (*Store, error) {
	if opt.Prefix == "" {
		opt.Prefix = "wb"
	}
	if opt.Shards == 0 {
		opt.Shards = maxShards
	}
	if opt.Shards < 1 || opt.Shards > maxShards {
		return nil, fmt.Errorf("%d shards: want 1 to %d", opt.Shards, maxShards)
	}
	k, err := newKeys(opt.Prefix, opt.Shards)
	if err != nil {
		return nil, err
	}
	pipe := rdb.Pipeline()
	pipe.HSetNX(ctx, k.meta(), "schema", schemaVersion)
	pipe.HSetNX(ctx, k.meta(), "shards", opt.Shards)
	meta := pipe.HMGet(ctx, k.meta(), "schema", "shards")
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("reach Redis: %w", err)
	}
	schema, shards := number(meta.Val()[0]), number(meta.Val()[1])
	if schema != schemaVersion {
		return nil, fmt.Errorf("the store under prefix %q has schema version %d, this program knows %d: use the version that wrote it, `export` there and `import` here", opt.Prefix, schema, schemaVersion)
	}
	if shards < 1 || shards > int64(maxShards) {
		return nil, fmt.Errorf("the store under prefix %q says it has %d shards: its meta record is damaged", opt.Prefix, shards)
	}
	k.shards = int(shards)
	return &Store{rdb: rdb, opt: opt, keys: k, maxVotes: maxVotes, maxNotices: maxNotices}, nil
}

// Shards is how many shards the store has.
func (s *Store) Shards() int { return s.keys.shards }

// Ping says whether Redis answers.
func (s *Store) Ping(ctx context.Context) error { return s.rdb.Ping(ctx).Err() }

// Now is Redis' own clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) { return s.rdb.Time(ctx).Result() }

// number reads an integer that Redis returned as text or as number; 0 for anything else.
func number(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			f, _ := strconv.ParseFloat(v, 64)
			return int64(f)
		}
		return n
	}
	return 0
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// none turns "no such key or field" into no error.
func none(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// Key is the full name of a shard's key, for people who look into Redis and for tests.
func (s *Store) Key(shard int, name string) string { return s.keys.shard(shard, name) }
