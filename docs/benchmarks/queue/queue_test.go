// Package queue compares the outbox with asynq: both bring one digest to n channels over HTTP, on a real redis-server, in turns with a bare loop
// that only posts. It holds nothing but the benchmark.
package queue

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
	"weeklybot/bot/outbox"
	"weeklybot/bot/redisstore"
	"weeklybot/internal/needs"
)

var (
	channels = flag.Int("n", 20_000, "channels")
	fsync    = flag.String("fsync", "everysec", "Redis' appendfsync")
)

// workers post at a time, on every side.
const workers = 64

const childEnv = "WEEKLYBOT_QUEUE_SINK"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		serve()
	}
	os.Exit(m.Run())
}

// serve is the sink, in a process of its own: it accepts every post and prints its address.
func serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "1700000000.123456")
	})))
}

func startSink(b *testing.B) string {
	r, w, err := os.Pipe()
	must(b, err)
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env, cmd.Stdout = append(os.Environ(), childEnv+"=1"), w
	needs.Start(b, cmd)
	line := make([]byte, 64)
	n, err := r.Read(line)
	must(b, err)
	return "http://" + strings.TrimSpace(string(line[:n]))
}

// poster posts 4 KiB, about what a digest of ten items takes. It is an adapter, and counts down what is left.
type poster struct {
	url    string
	client *http.Client
	left   atomic.Int64
	done   chan struct{}
}

func newPoster(url string, n int) *poster {
	p := &poster{url: url, done: make(chan struct{}), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, MaxConnsPerHost: workers}}}
	p.left.Store(int64(n))
	return p
}

var body = bytes.Repeat([]byte("x"), 4<<10)

func (p *poster) post(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/post?channel="+address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if p.left.Add(-1) == 0 {
		close(p.done)
	}
	return nil
}

func (p *poster) Name() string                                  { return "sink" }
func (p *poster) Kinds() []bot.Kind                             { return []bot.Kind{"app"} }
func (p *poster) Capabilities(bot.Kind) bot.Capabilities        { return bot.Capabilities{} }
func (p *poster) Split(_ bot.Kind, m bot.Message) []bot.Message { return []bot.Message{m} }
func (p *poster) Compose(context.Context, bot.Recipe) (bot.Message, int, error) {
	return bot.Message{Title: "digest"}, 1, nil
}

func (p *poster) Send(ctx context.Context, dst bot.Channel, _ bot.Post) (bot.Receipt, error) {
	if err := p.post(ctx, dst.Address); err != nil {
		return "", &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", MaybeSent: true, Err: err}
	}
	return "1700000000.123456", nil
}

func address(i int) string { return fmt.Sprintf("C%06d", i) }

// BenchmarkQueue is one fan-out an op on each side, from "due" (ours) or the first task enqueued (asynq) to the last receipt recorded.
func BenchmarkQueue(b *testing.B) {
	sink, n := startSink(b), *channels
	dir, err := os.MkdirTemp("", "wb") // short: a socket's path is
	must(b, err)
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	server := needs.NewServer(b, dir, 0, "--appendonly", "yes", "--appendfsync", *fsync)
	rdb := server.Client()
	defer func() { _ = rdb.Close() }()
	store := subscribe(b, rdb, n)
	var bare, ours, peer time.Duration
	for b.Loop() {
		bare += bareLoop(b, newPoster(sink, n), n)
		ours += fanOut(b, store, rdb, newPoster(sink, n))
		peer += enqueue(b, server.Addr, newPoster(sink, n), n)
	}
	b.ReportMetric(bare.Seconds()/ours.Seconds(), "ours-of-bare-loop")
	b.ReportMetric(bare.Seconds()/peer.Seconds(), "asynq-of-bare-loop")
	b.ReportMetric(peer.Seconds()/ours.Seconds(), "times-asynq")
}

func bareLoop(b *testing.B, p *poster, n int) time.Duration {
	defer p.client.CloseIdleConnections()
	began := time.Now()
	each(n, workers, func(i int) { must(b, p.post(context.Background(), address(i))) })
	return time.Since(began)
}

// each calls do with the numbers below n, several at a time.
func each(n, width int, do func(int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range width {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

func hourly(_ bot.Schedule, after time.Time) (time.Time, error) { return after.Add(time.Hour), nil }

func subscribe(b *testing.B, rdb redis.UniversalClient, n int) *redisstore.Store {
	store, err := redisstore.Open(b.Context(), rdb, redisstore.Options{SlotID: func(bot.Schedule) string { return "slot" }, Next: hourly})
	must(b, err)
	each(n, 16, func(i int) {
		ch := bot.Channel{Adapter: "sink", Kind: "app", Workspace: "W", Address: address(i)}
		_, err := store.Add(context.Background(), ch, bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}})
		must(b, err)
	})
	return store
}

func fanOut(b *testing.B, store *redisstore.Store, rdb redis.UniversalClient, p *poster) time.Duration {
	defer p.client.CloseIdleConnections()
	for _, news := range [][]bot.Sighting{nil, {{Key: fmt.Sprint("k", time.Now().UnixNano()), Series: "weekly"}}} {
		_, err := store.Publish(b.Context(), "source", news)
		must(b, err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	stopped := make(chan error, 1)
	e := outbox.New(outbox.Config{Queue: store, Composer: p, Adapters: []bot.Adapter{p}, Next: hourly, Workers: workers, Beat: 50 * time.Millisecond})
	go func() { stopped <- e.Run(ctx) }()
	time.Sleep(300 * time.Millisecond) // it takes the shards over
	for shard := range store.Shards() {
		must(b, rdb.ZAddXX(ctx, store.Key(shard, "due"), redis.Z{Score: float64(time.Now().UnixMilli()), Member: "slot"}).Err())
	}
	began := time.Now()
	<-p.done
	for left := int64(1); left > 0; {
		left = 0
		for shard := range store.Shards() {
			left += rdb.SCard(ctx, store.Key(shard, "todo")).Val()
		}
	}
	took := time.Since(began)
	cancel()
	must(b, <-stopped)
	return took
}

func enqueue(b *testing.B, socket string, p *poster, n int) time.Duration {
	defer p.client.CloseIdleConnections()
	opt := asynq.RedisClientOpt{Network: "unix", Addr: socket}
	srv := asynq.NewServer(opt, asynq.Config{Concurrency: workers, LogLevel: asynq.FatalLevel})
	must(b, srv.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error { return p.post(ctx, string(t.Payload())) })))
	client := asynq.NewClient(opt)
	defer func() { _ = client.Close() }()
	began := time.Now()
	each(n, 16, func(i int) {
		_, err := client.Enqueue(asynq.NewTask("post", []byte(address(i))))
		must(b, err)
	})
	<-p.done
	took := time.Since(began)
	srv.Shutdown()
	return took
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Error(err)
	}
}
