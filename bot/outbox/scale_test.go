package outbox

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
	"weeklybot/bot/redisstore"
	"weeklybot/internal/needs"
)

var scaleLarge = flag.Bool("scale.large", false, "BenchmarkScale also with 100000 and 1000000 subscriptions")

// BenchmarkScale says what n subscriptions cost: their memory, an engine that has nothing to do, and paging all of them in one minute compared
// with reading their records once, on the wall and in processor time. One op is one paging.
func BenchmarkScale(b *testing.B) {
	sizes := []int{10_000}
	if *scaleLarge {
		sizes = append(sizes, 100_000, 1_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) { benchmarkScale(b, n) })
	}
}

func benchmarkScale(b *testing.B, n int) {
	dir, err := os.MkdirTemp("", "wb")
	must(b, err)
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := childConfig{Socket: needs.NewServer(b, dir, 0, "--appendonly", "yes", "--appendfsync", "everysec").Addr}
	rdb, done := c.open()
	defer done()
	store := c.store(rdb)
	memory := watchMemory(c)
	fill(b, store, rdb, n)
	bytes, _ := memory()
	count := &trips{}
	rdb.AddHook(count)
	var idle idleCost
	var read, paged cost
	spent := func() time.Duration { return cpuTime() + redisTime(rdb) }
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		publishOne(b, store)
		read.of(spent, func() { readAll(b, store) })
		ctx, cancel := context.WithCancel(b.Context())
		stopped := make(chan error, 1)
		e := New(Config{Queue: store, Composer: &titles{}, Adapters: []bot.Adapter{stuck{&poster{parts: 1}}}, Next: hourly, Node: "bench", Drain: time.Nanosecond, Beat: 50 * time.Millisecond})
		go func() { stopped <- e.Run(ctx) }()
		for shard := range store.Shards() {
			for rdb.HGet(ctx, store.Key(shard, "st"), "owner").Val() != "bench" {
				time.Sleep(time.Millisecond)
			}
		}
		idle.measure(rdb, count)
		if n < maxOpen*store.Shards() { // one engine holds no more open deliveries, and here none ends
			due := time.Now().Add(200 * time.Millisecond).Truncate(time.Millisecond) // there are beats before
			makeDue(b, store, rdb, due)
			time.Sleep(time.Until(due))
			b.StartTimer()
			paged.of(spent, func() {
				for !allPaged(ctx, store, rdb) {
					time.Sleep(5 * time.Millisecond)
				}
			})
			b.StopTimer()
		}
		cancel()
		must(b, <-stopped)
		forget(b, store, rdb)
		b.StartTimer()
	}
	b.StopTimer()
	b.ReportMetric(float64(bytes)/float64(n), "redis-B/subscription")
	b.ReportMetric(float64(bytes)/1e6, "redis-MB")
	b.ReportMetric(float64(idle.trips)/idle.time.Seconds()/(float64(time.Second)/float64(50*time.Millisecond)), "idle-trips/beat")
	b.ReportMetric(idle.redis.Seconds()/idle.time.Seconds()*100, "idle-redis-cpu-%")
	if paged.wall > 0 {
		b.ReportMetric(paged.wall.Seconds()/read.wall.Seconds(), "paged-of-read")
		b.ReportMetric(paged.cpu.Seconds()/read.cpu.Seconds(), "cpu-paged-of-read")
		b.ReportMetric(float64(n)*float64(b.N)/paged.wall.Seconds(), "paged/s")
	}
}

// cost is what something took: on the wall, and of the processors of this process and Redis, which other work on the machine disturbs less.
type cost struct{ wall, cpu time.Duration }

func (c *cost) of(spent func() time.Duration, do func()) {
	used, began := spent(), time.Now()
	do()
	c.wall, c.cpu = c.wall+time.Since(began), c.cpu+spent()-used
}

// idleCost is what an engine without work asks of Redis.
type idleCost struct {
	time, redis time.Duration
	trips       int64
}

func (i *idleCost) measure(rdb redis.UniversalClient, count *trips) {
	time.Sleep(300 * time.Millisecond) // the takeovers
	trips, used, began := count.n.Load(), redisTime(rdb), time.Now()
	time.Sleep(2 * time.Second)
	i.trips, i.redis, i.time = i.trips+count.n.Load()-trips, i.redis+redisTime(rdb)-used, i.time+time.Since(began)
}

// stuck is a platform that never answers: what is paged stays.
type stuck struct{ *poster }

func (stuck) Send(ctx context.Context, _ bot.Channel, _ bot.Post) (bot.Receipt, error) {
	<-ctx.Done()
	return "", &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "stuck", Err: ctx.Err()}
}

// fill subscribes n channels. The records are those of one that was subscribed properly, with another address.
func fill(b *testing.B, store *redisstore.Store, rdb redis.UniversalClient, n int) {
	ctx := b.Context()
	first := benchChannel(0)
	first.Workspace, first.Name = "T0123456789", "cloud-native"
	sub, err := store.Add(ctx, first, bot.Subscription{
		Series: []string{"cloud-native-weekly"}, Topics: []string{"ebpf"}, Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "Asia/Shanghai"},
		Style: bot.StyleBrief, Lang: "zh", By: "slack:T0123456789/U0123456789",
	})
	must(b, err)
	id := first.ID()
	shardOf := func(id bot.ChannelID) int { return int(id[0]>>4) * store.Shards() / 16 }
	record := rdb.HGet(ctx, store.Key(shardOf(id), "ch"), string(id[:])).Val()
	slots := rdb.HGetAll(ctx, store.Key(shardOf(id), "slots")).Val()
	pipe := rdb.Pipeline()
	for shard := range store.Shards() {
		pipe.HSet(ctx, store.Key(shard, "slots"), slots)
		pipe.ZAdd(ctx, store.Key(shard, "due"), redis.Z{Score: float64(time.Now().Add(time.Hour).UnixMilli()), Member: "slot"})
	}
	for i := 1; i < n; i++ {
		ch := first
		ch.Address = benchChannel(i).Address
		id := ch.ID()
		pipe.HSet(ctx, store.Key(shardOf(id), "ch"), string(id[:]), strings.Replace(record, first.Address, ch.Address, 1))
		pipe.SAdd(ctx, store.Key(shardOf(id), "slot:slot"), redisstore.PackMember(bot.SlotMember{Channel: id, Ordinal: sub.ID.Ordinal}))
		if pipe.Len() >= 2000 || i == n-1 {
			_, err := pipe.Exec(ctx)
			must(b, err)
		}
	}
}

// readAll reads every member's record once, all shards at a time, as a fan-out does.
func readAll(b *testing.B, store *redisstore.Store) {
	var wg sync.WaitGroup
	for shard := range store.Shards() {
		wg.Go(func() {
			members, err := store.Members(b.Context(), shard, "slot")
			for from := 0; from < len(members) && err == nil; from += fanoutBatch {
				_, _, err = store.Records(b.Context(), shard, members[from:min(from+fanoutBatch, len(members))])
			}
			if err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}

// allPaged says that every run has written all its pages.
func allPaged(ctx context.Context, store *redisstore.Store, rdb redis.UniversalClient) bool {
	pipe := rdb.Pipeline()
	var left []*redis.IntCmd
	for shard := range store.Shards() {
		left = append(left, pipe.ZCount(ctx, store.Key(shard, "due"), "-inf", fmt.Sprint(time.Now().UnixMilli())), pipe.SCard(ctx, store.Key(shard, "open")))
	}
	_, err := pipe.Exec(ctx)
	for _, n := range left {
		if err != nil || n.Val() > 0 {
			return false
		}
	}
	return true
}

// forget throws the pages away, so that the next op begins as the first did.
func forget(b *testing.B, store *redisstore.Store, rdb redis.UniversalClient) {
	for shard := range store.Shards() {
		must(b, rdb.Del(b.Context(), store.Key(shard, "todo"), store.Key(shard, "fly"), store.Key(shard, "owed")).Err())
	}
}

func publishOne(b testing.TB, store *redisstore.Store) {
	for _, news := range [][]bot.Sighting{nil, {{Key: fmt.Sprint("k", time.Now().UnixNano()), Series: "cloud-native-weekly"}}} {
		_, err := store.Publish(context.Background(), "source", news)
		must(b, err)
	}
}
