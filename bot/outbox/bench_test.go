package outbox

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
	"weeklybot/internal/needs"
)

var (
	benchLarge = flag.Bool("fanout.large", false, "BenchmarkFanout also with n=100000, and with sinks that take 20 ms and 200 ms to answer")
	benchSmall = flag.Int("fanout.n", 20_000, "deliveries of BenchmarkFanout's first size")
)

// serveBenchmark is the sink of a benchmark, in a process of its own: it accepts every post and counts. It prints its address.
func serveBenchmark(delay time.Duration) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	var posts atomic.Int64
	panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/count":
			_, _ = fmt.Fprint(w, posts.Load())
			return
		case "/cpu":
			_, _ = fmt.Fprint(w, cpuTime().Nanoseconds())
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		if posts.Add(1); delay > 0 {
			time.Sleep(delay)
		}
		_, _ = io.WriteString(w, "1700000000.123456")
	})))
}

// startBenchmarkSink gives the URL of a sink that takes delay to answer.
func startBenchmarkSink(b testing.TB, delay time.Duration) string {
	text, err := json.Marshal(childConfig{Delay: delay})
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stdout = w
	needs.Start(b, cmd)
	line := make([]byte, 64)
	n, err := r.Read(line)
	if err != nil {
		b.Fatal(err)
	}
	return "http://" + strings.TrimSpace(string(line[:n]))
}

// trips counts round trips to Redis.
type trips struct{ n atomic.Int64 }

func (h *trips) DialHook(next redis.DialHook) redis.DialHook { return next }
func (h *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, c redis.Cmder) error { h.n.Add(1); return next(ctx, c) }
}
func (h *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, c []redis.Cmder) error { h.n.Add(1); return next(ctx, c) }
}

// widths are the numbers of workers that are tried; the best counts, on either side. Where the sink is slow that is the last.
var widths = []int{16, 64, 256}

// BenchmarkFanout is one whole fan-out an op: from "due" to the last receipt in the ledger. of-bare-loop compares it with a loop that only
// posts: the same adapter, client, body and sink, run in turns with it.
func BenchmarkFanout(b *testing.B) {
	sizes := []int{*benchSmall}
	if *benchLarge {
		sizes = append(sizes, 100_000)
	}
	for _, store := range []string{"redis", "redis-always", "embedded"} {
		b.Run(store, func(b *testing.B) {
			for _, n := range sizes {
				b.Run(fmt.Sprint("n=", n), func(b *testing.B) { benchmarkFanout(b, store, n, 0, widths) })
			}
			if *benchLarge {
				for _, delay := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond} {
					b.Run(fmt.Sprint("n=", sizes[0], "/sink=", delay), func(b *testing.B) { benchmarkFanout(b, store, sizes[0], delay, widths[len(widths)-1:]) })
				}
			}
		})
	}
}

func benchmarkFanout(b *testing.B, store string, n int, delay time.Duration, widths []int) {
	sink := startBenchmarkSink(b, delay)
	c := childConfig{Sink: sink, Parts: 1, Node: "bench"}
	if store == "embedded" {
		c.Dir = b.TempDir()
	} else {
		dir, err := os.MkdirTemp("", "wb")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = os.RemoveAll(dir) })
		fsync := map[string]string{"redis": "everysec", "redis-always": "always"}[store]
		c.Socket = needs.NewServer(b, dir, 0, "--appendonly", "yes", "--appendfsync", fsync).Addr
	}
	c.prepareMany(b, n)
	rdb, done := c.open()
	defer done()
	count := &trips{}
	rdb.AddHook(count)
	bare, ours := newTally(b, sink, rdb, len(widths)), newTally(b, sink, rdb, len(widths))
	made := make([]int64, len(widths))
	var kept, peak int64
	var redisUsed time.Duration
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		for i, width := range widths {
			bare.add(i, func() time.Duration { return bareLoop(b, sink, n, width) })
		}
		for i, width := range widths {
			mem, used := watchMemory(c), redisTime(rdb)
			ours.add(i, func() time.Duration {
				b.StartTimer()
				defer b.StopTimer()
				took, trips := fanOutOnce(b, c, rdb, count, n, width)
				made[i] += trips
				return took
			})
			more, most := mem()
			kept, peak = kept+more, max(peak, most)
			redisUsed += redisTime(rdb) - used
		}
		b.StartTimer()
	}
	b.StopTimer()
	runs := float64(n) * float64(b.N)
	fastest := ours.fastest()
	b.ReportMetric(bare.wall[bare.fastest()].Seconds()/ours.wall[fastest].Seconds(), "of-bare-loop")
	b.ReportMetric(slices.Min(bare.cpu).Seconds()/slices.Min(ours.cpu).Seconds(), "cpu-of-bare-loop")
	b.ReportMetric(runs/ours.wall[fastest].Seconds(), "deliveries/s")
	b.ReportMetric(float64(widths[fastest]), "workers")
	b.ReportMetric(float64(made[fastest])/runs, "trips/delivery")
	if store != "embedded" {
		b.ReportMetric(float64(kept)/runs/float64(len(widths)), "redis-B/delivery")
		b.ReportMetric(float64(peak)/float64(n), "peak-redis-B/delivery")
		b.ReportMetric(float64(redisUsed.Microseconds())/runs/float64(len(widths)), "redis-cpu-µs/delivery")
	}
}

// tally adds up the time that runs with each number of workers took: on the wall, and of all processors together. Where everything shares a
// few cores the second decides the first, and other work on the machine disturbs it less.
type tally struct {
	spent     func() time.Duration // by this process, the sink and Redis
	wall, cpu []time.Duration
}

func newTally(b *testing.B, sink string, rdb redis.UniversalClient, widths int) *tally {
	return &tally{
		spent: func() time.Duration {
			return cpuTime() + time.Duration(sinkSays(b, sink, "cpu")) + redisTime(rdb)
		},
		wall: make([]time.Duration, widths), cpu: make([]time.Duration, widths),
	}
}

// redisTime is what Redis has used of all processors. The embedded engine is part of this process and says nothing.
func redisTime(rdb redis.UniversalClient) (used time.Duration) {
	info, _ := rdb.Info(context.Background(), "cpu").Result()
	for _, name := range []string{"used_cpu_sys", "used_cpu_user"} {
		seconds, _ := strconv.ParseFloat(infoField(info, name), 64)
		used += time.Duration(seconds * float64(time.Second))
	}
	return used
}

func (t *tally) add(i int, run func() time.Duration) {
	before := t.spent()
	t.wall[i] += run()
	t.cpu[i] += t.spent() - before
}

func (t *tally) fastest() int { return slices.Index(t.wall, slices.Min(t.wall)) }

// cpuTime is what this process has used of all processors.
func cpuTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// bareLoop posts n times with a number of workers and nothing else. Its posts have a limit in time as the engine's have, set in the usual way.
func bareLoop(b *testing.B, sink string, n, width int) time.Duration {
	p := newBenchPoster(sink, width)
	p.client.Timeout = 15 * time.Second
	defer p.client.CloseIdleConnections()
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range width {
		wg.Go(func() {
			for {
				i := int(next.Add(1))
				if i > n {
					return
				}
				post := bot.Post{Key: "0123456789abcdef0123456789abcdef", Part: 1, Parts: 1}
				if _, err := p.Send(context.Background(), bot.Channel{Address: benchChannel(i).Address}, post); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// newBenchPoster posts a body of 4 KiB, about what a digest of ten items takes.
func newBenchPoster(sink string, width int) *poster {
	p := newPoster(sink, 1, width)
	p.body = []byte(strings.Repeat("x", 4<<10))
	return p
}

func benchChannel(i int) bot.Channel {
	return bot.Channel{Adapter: "sink", Kind: "app", Workspace: "W", Address: fmt.Sprintf("C%06d", i)}
}

// fanOutOnce makes the slot due and waits until every delivery has its outcome.
func fanOutOnce(b *testing.B, c childConfig, rdb redis.UniversalClient, count *trips, n, width int) (time.Duration, int64) {
	store := c.store(rdb)
	for _, news := range [][]bot.Sighting{nil, {{Key: fmt.Sprint("k", time.Now().UnixNano()), Series: "weekly"}}} {
		if _, err := store.Publish(context.Background(), "source", news); err != nil {
			b.Fatal(err)
		}
	}
	posts := sinkSays(b, c.Sink, "count")
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	a := &counted{poster: newBenchPoster(c.Sink, width), left: make(chan struct{})}
	a.want.Store(int64(n))
	defer a.client.CloseIdleConnections()
	engine := New(Config{Queue: store, Composer: &titles{}, Adapters: []bot.Adapter{a}, Next: hourly, Node: c.Node, Workers: width})
	go func() { stopped <- engine.Run(ctx) }()
	for shard := range store.Shards() {
		for rdb.HGet(ctx, store.Key(shard, "st"), "owner").Val() != c.Node {
			time.Sleep(time.Millisecond)
		}
	}
	time.Sleep(100 * time.Millisecond) // the takeovers
	trips := count.n.Load()
	began := time.Now().Add(1200 * time.Millisecond).Truncate(time.Millisecond) // there is a beat before
	makeDue(b, store, rdb, began)
	<-a.left
	trips = count.n.Load() - trips
	for !allDone(ctx, store, rdb) {
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	cancel()
	if err := <-stopped; err != nil {
		b.Fatal(err)
	}
	if got := sinkSays(b, c.Sink, "count") - posts; got != int64(n) {
		b.Fatalf("%d posts of %d arrived", got, n)
	}
	return took, trips
}

// counted is a poster that counts what is accepted.
type counted struct {
	*poster
	want atomic.Int64
	left chan struct{} // closed when as many are accepted as are wanted
}

func (c *counted) Send(ctx context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, error) {
	r, err := c.poster.Send(ctx, dst, p)
	if err == nil && c.want.Add(-1) == 0 {
		close(c.left)
	}
	return r, err
}

// sinkSays asks the sink for its count of posts, or its nanoseconds of cpu.
func sinkSays(b testing.TB, sink, what string) int64 {
	resp, err := http.Get(sink + "/" + what)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// watchMemory looks at Redis' memory until the function it returns is called: that says how much more there is now, and was at most. A
// client of its own keeps it out of the count of round trips.
func watchMemory(c childConfig) func() (more, most int64) {
	if c.Dir != "" {
		return func() (int64, int64) { return 0, 0 }
	}
	rdb, done := c.open()
	used := func() int64 {
		info, _ := rdb.Info(context.Background(), "memory").Result()
		n, _ := strconv.ParseInt(infoField(info, "used_memory"), 10, 64)
		return n
	}
	before, stop, peak := used(), make(chan struct{}), make(chan int64)
	go func() {
		most := before
		for {
			select {
			case <-time.After(20 * time.Millisecond):
				most = max(most, used())
			case <-stop:
				peak <- most
				return
			}
		}
	}()
	return func() (int64, int64) {
		defer done()
		close(stop)
		most := <-peak - before
		return used() - before, most
	}
}

func infoField(info, name string) string {
	_, text, _ := strings.Cut(info, "\n"+name+":")
	text, _, _ = strings.Cut(text, "\r\n")
	return text
}

// prepareMany subscribes n channels, many at a time.
func (c childConfig) prepareMany(b testing.TB, n int) {
	rdb, done := c.open()
	defer done()
	store := c.store(rdb)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				if _, err := store.Add(context.Background(), benchChannel(i), bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
