package embedded

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

var value = strings.Repeat("v", 200)

// BenchmarkPut is one durable record of 200 bytes: from one client, and from 32 that share writes and syncs.
func BenchmarkPut(b *testing.B) {
	for _, always := range []bool{false, true} {
		for _, clients := range []int{1, 32} {
			b.Run(fmt.Sprintf("always=%t/x%d", always, clients), func(b *testing.B) {
				_, c, _ := open(b, b.TempDir(), Options{Always: always})
				var next atomic.Int64
				var wg sync.WaitGroup
				b.ResetTimer()
				for range clients {
					wg.Go(func() {
						for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
							if err := c.HSet(ctx, "h"+strconv.Itoa(int(i%100)), i%1000, value).Err(); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	_, c, _ := open(b, b.TempDir(), Options{})
	c.Set(ctx, "k", value, 0)
	for b.Loop() {
		if err := c.Get(ctx, "k").Err(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPipeline is 500 writes of 200 bytes in one round trip.
func BenchmarkPipeline(b *testing.B) {
	_, c, _ := open(b, b.TempDir(), Options{})
	for b.Loop() {
		p := c.Pipeline()
		for i := range 500 {
			p.HSet(ctx, "h", i, value)
		}
		if _, err := p.Exec(ctx); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*500/b.Elapsed().Seconds(), "writes/s")
}

// BenchmarkScript is one script of five writes: what a flush costs.
func BenchmarkScript(b *testing.B) {
	_, c, _ := open(b, b.TempDir(), Options{})
	s := redis.NewScript(`for i = 1, 5 do redis.call('HSET', KEYS[1], i, ARGV[1]) end return redis.call('TIME')`)
	for b.Loop() {
		if err := s.Run(ctx, c, []string{"h"}, value).Err(); err != nil {
			b.Fatal(err)
		}
	}
}

// fill makes the data of a store with so many subscriptions, in the shape that the store gives it: few, large keys.
func fill(b *testing.B, c *redis.Client, n int) {
	record := strings.Repeat("r", 150)
	p := c.Pipeline()
	for i := range n {
		p.HSet(ctx, "ch", "channel"+strconv.Itoa(i), record)
		p.SAdd(ctx, "slot:"+strconv.Itoa(i%50), "channel"+strconv.Itoa(i))
		p.HSet(ctx, "led:"+strconv.Itoa(i/100), i%100, record[:60])
		if p.Len() > 1000 {
			if _, err := p.Exec(ctx); err != nil {
				b.Fatal(err)
			}
		}
	}
	if _, err := p.Exec(ctx); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkReopen is the start of a process with 20,000 subscriptions, from a log as written and from one rewritten.
func BenchmarkReopen(b *testing.B) {
	for _, rewritten := range []bool{false, true} {
		b.Run(fmt.Sprintf("rewritten=%t", rewritten), func(b *testing.B) {
			dir := b.TempDir()
			e, c, done := open(b, dir, Options{})
			fill(b, c, 20_000)
			if rewritten {
				if err := e.rewrite(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(e.size), "log-bytes")
			done()
			for b.Loop() {
				e, err := Open(dir, Options{})
				if err != nil {
					b.Fatal(err)
				}
				e.Close()
			}
		})
	}
}

// BenchmarkRewriteStall is how long commands wait while 20,000 subscriptions are copied for a rewrite.
func BenchmarkRewriteStall(b *testing.B) {
	e, c, _ := open(b, b.TempDir(), Options{})
	fill(b, c, 20_000)
	for b.Loop() {
		if _, err := e.copyData(); err != nil {
			b.Fatal(err)
		}
	}
}
