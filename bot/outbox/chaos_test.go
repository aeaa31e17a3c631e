package outbox

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
	"weeklybot/bot/embedded"
	"weeklybot/bot/redisstore"
	"weeklybot/internal/needs"
)

var (
	chaosRounds = flag.Int("chaos.rounds", 8, "runs that TestChaos interrupts")
	chaosSeed   = flag.Uint64("chaos.seed", 0, "seed of TestChaos; 0 = from the clock")
)

// childEnv makes the test binary run an engine, or a sink, instead of tests. Its value is a childConfig.
const childEnv = "WEEKLYBOT_OUTBOX_CHILD"

// childConfig is what a child process is to do.
type childConfig struct {
	Sink     string // URL; "" = be the sink of a benchmark
	Dir      string // embedded store, or …
	Socket   string // … redis-server
	Cluster  []string
	Sentinel []string
	Wait     int // replicas
	Node     string
	Finder   bool
	Parts    int
	InFlight int
	Delay    time.Duration // of the sink

	Broadcast string // must be over as well

	Untils  bool   // quiet hours are moments, as untils reads them
	Hold    bool   // what is uncertain
	DieAt   string // a step at which the process kills itself …
	DieWhen int64  // … when it comes there for this time
}

// withStore opens the store for a moment.
func (c childConfig) withStore(do func(*redisstore.Store)) {
	rdb, done := c.open()
	defer done()
	do(c.store(rdb))
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		var c childConfig
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			panic(err)
		}
		c.main()
		return
	}
	os.Exit(m.Run())
}

// main delivers until nothing is left to do.
func (c childConfig) main() {
	if c.Sink == "" {
		serveBenchmark(c.Delay)
		return
	}
	rdb, done := c.open()
	defer done()
	store := c.store(rdb)
	queue := &mortal{Store: store, at: c.DieAt}
	queue.left.Store(c.DieWhen)
	p := newPoster(c.Sink, c.Parts, c.InFlight)
	p.fenced, p.step = true, queue.step
	var a bot.Adapter = p
	if c.Finder {
		a = seeker{p}
	}
	uncertain := Resend
	if c.Hold {
		uncertain = Hold
	}
	obeySignals()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	go func() {
		for !allDone(ctx, store, rdb) || !c.broadcastDone(ctx, store) {
			time.Sleep(20 * time.Millisecond)
		}
		cancel()
	}()
	var when func(string, bot.Except, time.Time) (time.Time, bool)
	if c.Untils {
		when = untils
	}
	err := New(Config{
		Queue: queue, Composer: &titles{}, When: when, Adapters: []bot.Adapter{a}, Next: hourly, Node: c.Node, InFlight: c.InFlight, Beat: 100 * time.Millisecond,
		LookAgain: 200 * time.Millisecond, Backoff: 20 * time.Millisecond, SendTimeout: 2 * time.Second, MaxAttempts: 12, OnUncertain: uncertain,
	}).Run(ctx)
	if err != nil {
		panic(err)
	}
}

func (c childConfig) open() (redis.UniversalClient, func()) {
	switch {
	case c.Dir != "":
		e, err := embedded.Open(c.Dir, embedded.Options{Now: jumpyClock})
		if err != nil {
			panic(err)
		}
		rdb := e.Client()
		return rdb, func() { _ = rdb.Close(); _ = e.Close() }
	case len(c.Cluster) > 0:
		rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Cluster, ClusterStateReloadInterval: 5 * time.Second})
		return rdb, func() { _ = rdb.Close() }
	case len(c.Sentinel) > 0:
		rdb := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "wb", SentinelAddrs: c.Sentinel})
		return rdb, func() { _ = rdb.Close() }
	}
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: c.Socket})
	return rdb, func() { _ = rdb.Close() }
}

func (c childConfig) store(rdb redis.UniversalClient) *redisstore.Store {
	opt := redisstore.Options{SlotID: func(bot.Schedule) string { return "slot" }, Next: hourly, WaitReplicas: c.Wait}
	if c.Dir != "" {
		opt.Shards, opt.Sole = 1, true
	}
	for {
		s, err := redisstore.Open(context.Background(), rdb, opt)
		if err == nil {
			return s
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func hourly(_ bot.Schedule, after time.Time) (time.Time, error) { return after.Add(time.Hour), nil }

// allDone says that every slot has been fired and every delivery has an outcome. What cannot be asked is not done.
func allDone(ctx context.Context, store *redisstore.Store, rdb redis.UniversalClient) bool {
	pipe := rdb.Pipeline()
	var left []*redis.IntCmd
	for shard := range store.Shards() {
		// In the order in which work moves on: what leaves one is in the next.
		left = append(left, pipe.ZCount(ctx, store.Key(shard, "due"), "-inf", fmt.Sprint(time.Now().UnixMilli())),
			pipe.SCard(ctx, store.Key(shard, "open")), pipe.SCard(ctx, store.Key(shard, "todo")))
	}
	_, err := pipe.Exec(ctx)
	return err == nil && !slices.ContainsFunc(left, func(n *redis.IntCmd) bool { return n.Val() > 0 })
}

func (c childConfig) broadcastDone(ctx context.Context, store *redisstore.Store) bool {
	if c.Broadcast == "" {
		return true
	}
	b, err := store.Broadcast(ctx, c.Broadcast)
	if err != nil || b.Last() == nil {
		return false
	}
	p, err := store.Progress(ctx, *b.Last())
	return err == nil && p.Ended
}

// prepare subscribes n channels and makes them due.
func (c childConfig) prepare(t testing.TB, n int) {
	t.Helper()
	ctx := context.Background()
	rdb, done := c.open()
	defer done()
	store := c.store(rdb)
	for i := range n {
		ch := bot.Channel{Adapter: "sink", Kind: "app", Workspace: "W", Address: fmt.Sprintf("C%06d", i)}
		if _, err := store.Add(ctx, ch, bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, news := range [][]bot.Sighting{nil, {{Key: fmt.Sprint("k", time.Now().UnixNano()), Series: "weekly"}}} {
		if _, err := store.Publish(ctx, "source", news); err != nil {
			t.Fatal(err)
		}
	}
	makeDue(t, store, rdb, time.Now())
}

func makeDue(t testing.TB, store *redisstore.Store, rdb redis.UniversalClient, at time.Time) {
	for shard := range store.Shards() {
		if err := rdb.ZAddXX(context.Background(), store.Key(shard, "due"), redis.Z{Score: float64(at.UnixMilli()), Member: "slot"}).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func (c childConfig) start(t testing.TB) *needs.Process {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	return needs.Start(t, cmd)
}

// Engines, and in some rounds the redis-server, are killed with SIGKILL at random moments of a run, over a platform that fails at random.
// Nothing is lost, and nothing comes twice where the platform can be asked; elsewhere no more than was in flight.
func TestChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for round := range *chaosRounds {
		stores := []string{"embedded", "redis", "everysec+server", "always+server"}
		finder := round%2 == round/4%2
		name := fmt.Sprintf("%d %s finder=%v", round, stores[round%4], finder)
		t.Run(strings.ReplaceAll(name, " ", ","), func(t *testing.T) {
			t.Parallel()
			chaosRound(t, seed+uint64(round), stores[round%4], finder)
		})
	}
}

func chaosRound(t *testing.T, seed uint64, store string, finder bool) {
	const channels, inFlight = 400, 32
	rng := rand.New(rand.NewPCG(seed, 2))
	s := newSink(t, seed, true)
	c := childConfig{Sink: s.URL, Finder: finder, InFlight: inFlight, Node: "chaos"}
	var server *needs.Server
	if store == "embedded" {
		c.Dir = t.TempDir()
	} else {
		dir, err := os.MkdirTemp("", "wb") // short: a socket's path is
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		fsync, _, _ := strings.Cut(strings.Replace(store, "redis", "everysec", 1), "+")
		server = needs.NewServer(t, dir, 0, "--appendonly", "yes", "--appendfsync", fsync)
		c.Socket = server.Addr
	}
	c.prepare(t, channels)
	kills := 0
	for end := time.Now().Add(3 * time.Minute); ; { // a busy machine takes a tenth of it
		c.Parts = 1 + rng.IntN(3)
		p := c.start(t)
		if kills < 5 {
			wait, from := int64(1+rng.IntN(300)), s.count.Load()
			for s.count.Load() < from+wait && !ended(p) && time.Now().Before(end) {
				time.Sleep(time.Duration(rng.IntN(2000)) * time.Microsecond)
			}
			if !ended(p) {
				kills++
				if strings.HasSuffix(store, "+server") {
					server.Kill()
					if rng.IntN(2) == 0 { // the engine lives on over the outage
						time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
						server.Restart(t)
						workOn(p, rng)
					} else {
						p.Kill()
						server.Restart(t)
					}
				}
				p.Kill()
				s.settle(t)
				continue
			}
		}
		select {
		case <-p.Done():
		case <-time.After(time.Until(end)):
			t.Fatalf("seed %d: the run is not finished after %d kills: %d posts", seed, kills, s.count.Load())
		}
		if p.Err() != nil {
			t.Fatalf("seed %d: an engine ended with %v", seed, p.Err())
		}
		break
	}
	lost, doubled, faults := s.result(channels, 1)
	t.Logf("seed %d: %d kills, %d posts, %d lost, %d doubled, %d answers cut off", seed, kills, s.count.Load(), lost, doubled, s.unheard.Load())
	bound := kills*inFlight + int(s.unheard.Load())
	switch {
	case store == "everysec+server":
		bound = int(s.count.Load()) // Redis may answer a second before it writes: what was granted then is granted again
	case finder:
		bound = 0
	}
	if lost != 0 || doubled > bound || len(faults) > 0 {
		t.Errorf("seed %d: %d lost, %d doubled (at most %d), %q; for example %s", seed, lost, doubled, bound, faults, s.example())
	}
}

func ended(p *needs.Process) bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// workOn lets an engine work on for a moment.
func workOn(p *needs.Process, rng *rand.Rand) {
	select {
	case <-p.Done():
	case <-time.After(time.Duration(rng.IntN(400)) * time.Millisecond):
	}
}
