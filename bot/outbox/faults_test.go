package outbox

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/redisstore"
	"weeklybot/internal/needs"
)

var (
	faultRounds = flag.Int("faults.rounds", 16, "rounds of TestFaults; hundreds belong to the long program")
	faultSeed   = flag.Uint64("faults.seed", 0, "seed of TestFaults' first round, the next has the next; 0 = from the clock")
	faultOnly   = flag.String("faults.only", "", "only this fault of TestFaults")
)

// trouble is something that happens once in a round.
type trouble struct {
	name   string
	stores []string
	// strike makes it happen, waits until it is over, and gives the process that goes on.
	strike func(r *faultRound, p *needs.Process) *needs.Process
	often  int // times in a turn of all faults
}

var bothStores = []string{"redis", "embedded"}

var troubles = []trouble{
	{"kill -9 of the bot", bothStores, (*faultRound).kill, 6},
	{"kill -9 at a step", bothStores, (*faultRound).dieAtStep, 14},
	{"kill -9 of Redis, AOF always", []string{"redis"}, (*faultRound).killServer, 2},
	{"kill -9 of Redis, AOF everysec", []string{"redis"}, (*faultRound).killServer, 2},
	{lostTail, []string{"redis"}, (*faultRound).loseTail, 4},
	{"Redis' replies cut", []string{"redis"}, (*faultRound).cutReplies, 6},
	{"platform ill", bothStores, (*faultRound).illPlatform, 2 * len(illnesses)},
	{"full disk", []string{"embedded"}, (*faultRound).fullDisk, 4},
	{"graceful stop", bothStores, (*faultRound).stop, 4},
	{clockJumps, bothStores, (*faultRound).jumpClock, 6},
	{"owner paused", []string{"redis"}, (*faultRound).pause, 1},
	{"Sentinel's master lost", []string{"Sentinel"}, (*faultRound).failOver, 1},
	{"a Cluster's master lost", []string{"Cluster"}, (*faultRound).failOver, 1},
}

// lostTail is what AOF everysec may do when a sync takes its time, and a failover to a replica that lags: the server comes back as it was up to two
// seconds before.
const lostTail = "Redis comes back without its last moments"

const clockJumps = "the store's clock jumps"

// steps are the places at which a process may end: around each call to the store and each post.
var steps = []string{
	"before beat", "after beat", "before takeover", "after takeover", "after members", "after records", "before commit", "after commit",
	"after parts", "before send", "after send",
}

// mortal is a store that ends the process at a step.
type mortal struct {
	*redisstore.Store
	at   string
	left atomic.Int64
}

func (m *mortal) step(name string) {
	if name == m.at && m.left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (m *mortal) Beat(ctx context.Context, node string, held []bot.Lease, want []int) (bot.Beat, error) {
	m.step("before beat")
	defer m.step("after beat")
	return m.Store.Beat(ctx, node, held, want)
}

func (m *mortal) Takeover(ctx context.Context, l bot.Lease) (bot.Takeover, []error, error) {
	m.step("before takeover")
	defer m.step("after takeover")
	return m.Store.Takeover(ctx, l)
}

func (m *mortal) Members(ctx context.Context, shard int, slot string) ([]string, error) {
	defer m.step("after members")
	return m.Store.Members(ctx, shard, slot)
}

func (m *mortal) Records(ctx context.Context, shard int, members []string) ([]bot.Record, []error, error) {
	defer m.step("after records")
	return m.Store.Records(ctx, shard, members)
}

func (m *mortal) Commit(ctx context.Context, commits []bot.Commit) []bot.Committed {
	m.step("before commit")
	defer m.step("after commit")
	return m.Store.Commit(ctx, commits)
}

func (m *mortal) KeepParts(ctx context.Context, parts []bot.Message, ttl time.Duration) (string, error) {
	defer m.step("after parts")
	return m.Store.KeepParts(ctx, parts, ttl)
}

// jump is how far the embedded store's clock is from the true one.
var jump atomic.Int64

func jumpyClock() time.Time { return time.Now().Add(time.Duration(jump.Load())) }

// obeySignals lets SIGUSR1 take the room for another byte in any file, and SIGUSR2 give it back; SIGHUP puts the store's clock an hour forward,
// SIGQUIT an hour back.
func obeySignals() {
	signal.Ignore(syscall.SIGXFSZ)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGQUIT)
	go func() {
		var was syscall.Rlimit
		_ = syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was)
		full := syscall.Rlimit{Max: was.Max}
		for s := range signals {
			switch s {
			case syscall.SIGUSR1:
				_ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full)
			case syscall.SIGUSR2:
				_ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was)
			case syscall.SIGHUP:
				jump.Add(int64(time.Hour))
			case syscall.SIGQUIT:
				jump.Add(-int64(time.Hour))
			}
		}
	}()
}

// tallied is what rounds of one fault came to.
type tallied struct {
	rounds, posts, lost, doubled, listed, onWire, held int
	back                                               []time.Duration
}

// TestFaults breaks one thing in the middle of a run, or keeps it broken for a while: nothing is lost; nothing comes twice where the platform
// can be asked, where uncertain deliveries are held, or where neither an engine nor an answer is lost; elsewhere no more than was in flight. What is held, and
// what came twice, is listed.
// It prints a table; the seed that it prints makes the same rounds again, as far as the machine's timing allows.
func TestFaults(t *testing.T) {
	seed := *faultSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	var turn []trouble
	for i := 0; len(turn) == 0 || i < 20; i++ { // faults that come often are spread over the turn
		for _, f := range troubles {
			if i < f.often && (*faultOnly == "" || f.name == *faultOnly) {
				turn = append(turn, f)
			}
		}
	}
	var mu sync.Mutex
	sum := map[string]*tallied{}
	for _, f := range turn {
		sum[f.name] = &tallied{}
	}
	servers := newCopies(t)
	t.Run("rounds", func(t *testing.T) {
		for n := range *faultRounds {
			f := turn[n%len(turn)]
			t.Run(fmt.Sprint(n, " ", f.name), func(t *testing.T) {
				t.Parallel()
				r := &faultRound{T: t, fault: f, seed: seed + uint64(n), rng: rand.New(rand.NewPCG(seed+uint64(n), 3)), copies: servers}
				r.run()
				mu.Lock()
				defer mu.Unlock()
				s := sum[f.name]
				s.rounds++
				s.posts, s.lost, s.doubled, s.onWire = s.posts+r.posts, s.lost+r.lost, s.doubled+r.doubled, s.onWire+r.bound
				s.listed, s.held = s.listed+r.listed, s.held+r.held
				if r.back > 0 {
					s.back = append(s.back, r.back)
				}
			})
		}
	})
	table := fmt.Sprintf("seed %d\n| fault | rounds | posts | lost | posts twice | may have been on the wire | listed as uncertain | listed as held | next receipt after, median | at most |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n", seed)
	for _, f := range troubles {
		s := sum[f.name]
		if s == nil || s.rounds == 0 {
			continue
		}
		middle, most := time.Duration(0), time.Duration(0)
		if len(s.back) > 0 {
			slices.Sort(s.back)
			middle, most = s.back[len(s.back)/2], s.back[len(s.back)-1]
		}
		table += fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d | %d | %.1f s | %.1f s |\n", f.name, s.rounds, s.posts, s.lost, s.doubled, s.onWire, s.listed, s.held, middle.Seconds(), most.Seconds())
	}
	t.Log(table)
}

// faultRound is one run that something happens to.
type faultRound struct {
	*testing.T
	fault      trouble
	seed       uint64
	rng        *rand.Rand
	sink       *sink
	c          childConfig
	server     *needs.Server
	cut        *cutter
	copies     map[string]*copies
	second     *needs.Process // another engine, where there are two
	how        string         // what exactly happened
	lostOwners int            // engines that were killed, or may have lost their leases

	saved                                     time.Time // a copy of Redis' data
	posts, lost, doubled, bound, listed, held int
	back                                      time.Duration // from the fault's end to the next receipt
}

const faultChannels, faultInFlight = 150, 32

func (r *faultRound) run() {
	r.sink = newSink(r, r.seed, false)
	r.sink.slow = time.Duration(r.rng.IntN(8)) * time.Millisecond
	store := r.fault.stores[r.rng.IntN(len(r.fault.stores))]
	mode := []string{"find", "resend", "hold"}[r.rng.IntN(3)]
	r.c = childConfig{Sink: r.sink.URL, Finder: mode == "find", Hold: mode == "hold", InFlight: faultInFlight, Node: "faults", Parts: 1 + r.rng.IntN(2)}
	switch store {
	case "embedded":
		r.c.Dir = r.TempDir()
	case "redis":
		r.startRedis()
	default:
		r.copies[store].use(r, &r.c)
	}
	r.c.prepare(r, faultChannels)
	r.save() // what a lost tail begins with, at the earliest
	p := r.fault.strike(r, r.begin())
	end, from := time.Now(), r.sink.count.Load()
	for wait := time.Now().Add(90 * time.Second); !ended(p) || r.second != nil && !ended(r.second); time.Sleep(time.Millisecond) {
		if r.back == 0 && r.sink.count.Load() > from {
			r.back = time.Since(end)
		}
		if time.Now().After(wait) {
			r.Fatalf("seed %d: %s, %s on %s, %s: the run is not finished: %d posts", r.seed, r.fault.name, r.how, store, mode, r.sink.count.Load())
		}
	}
	if p.Err() != nil {
		r.Errorf("an engine ended with %v", p.Err())
	}
	r.judge(store, mode)
}

// begin starts an engine and lets it post for a while.
func (r *faultRound) begin() *needs.Process {
	p := r.c.start(r)
	r.until(p, int64(1+r.rng.IntN(faultChannels/2)))
	return p
}

func (r *faultRound) until(p *needs.Process, posts int64) {
	for r.sink.count.Load() < posts && !ended(p) {
		time.Sleep(time.Duration(r.rng.IntN(1000)) * time.Microsecond)
	}
}

func (r *faultRound) startRedis() {
	dir, err := os.MkdirTemp("", "wb") // short: a socket's path is
	must(r, err)
	r.Cleanup(func() { _ = os.RemoveAll(dir) })
	fsync := []string{"everysec", "always"}[r.rng.IntN(2)]
	if _, named, ok := strings.Cut(r.fault.name, "AOF "); ok {
		fsync = named
	}
	args := []string{"--appendonly", "yes", "--appendfsync", fsync}
	if r.fault.name == lostTail {
		args = nil // it comes back as it was when it was saved
	}
	if r.fault.name == clockJumps {
		r.server = needs.NewServerWithClock(r, dir, args...)
	} else {
		r.server = needs.NewServer(r, dir, 0, args...)
	}
	r.cut = newCutter(r, filepath.Join(dir, "p"), r.server.Addr)
	r.c.Socket = r.cut.addr
}

func (r *faultRound) judge(store, mode string) {
	var problems []string
	r.lost, r.doubled, problems = r.sink.result(faultChannels, 1)
	r.posts = int(r.sink.count.Load())
	missing, listed := r.lost, map[string]bool{}
	r.c.withStore(func(s *redisstore.Store) {
		for shard := range s.Shards() {
			letters, err := s.Letters(r.Context(), shard)
			must(r, err)
			for _, l := range letters {
				switch l.State {
				case bot.Held:
					r.held++
				case bot.Uncertain:
					listed[bot.DeliveryKey(l.ID)] = true
				default:
					problems = append(problems, fmt.Sprint("a dead letter: ", l.Code, " ", l.Reason))
				}
			}
		}
	})
	for _, key := range r.sink.twice() {
		if !listed[key] {
			problems = append(problems, fmt.Sprint("came twice and is not listed: ", key))
		}
	}
	r.listed = len(listed)
	r.lost -= min(r.lost, r.held*r.c.Parts) // a person sees them, and decides
	if mode == "resend" {
		r.bound = r.lostOwners*faultInFlight + int(r.sink.unheard.Load())
	}
	r.Logf("seed %d: %s, %s on %s, %s: %d posts, %d not arrived, %d held, %d twice of at most %d, next receipt after %v",
		r.seed, r.fault.name, r.how, store, mode, r.posts, missing, r.held, r.doubled, r.bound, r.back.Round(time.Millisecond))
	if r.lost > 0 || r.doubled > r.bound || len(problems) > 0 || r.held > 0 && mode != "hold" {
		r.Errorf("seed %d: %d lost, %d twice of at most %d, %d held, %q", r.seed, r.lost, r.doubled, r.bound, r.held, problems)
	}
}

func (r *faultRound) kill(p *needs.Process) *needs.Process {
	r.lostOwners++
	p.Kill()
	r.sink.settle(r)
	return r.c.start(r)
}

// dieAtStep starts anew with a process that kills itself: what the first left behind is something to take over.
func (r *faultRound) dieAtStep(p *needs.Process) *needs.Process {
	p.Kill()
	r.lostOwners = 2
	r.sink.settle(r)
	c := r.c
	c.DieAt, c.DieWhen = steps[r.rng.IntN(len(steps))], int64(1+r.rng.IntN(12))
	r.how = fmt.Sprint(c.DieAt, " ", c.DieWhen)
	p = c.start(r)
	select {
	case <-p.Done():
	case <-time.After(30 * time.Second):
		r.Fatalf("seed %d: the run is not finished", r.seed)
	}
	r.sink.settle(r)
	return r.c.start(r)
}

func (r *faultRound) killServer(p *needs.Process) *needs.Process {
	r.server.Kill()
	time.Sleep(time.Duration(r.rng.IntN(500)) * time.Millisecond)
	r.server.Restart(r)
	return p
}

// save keeps what the server comes back with after a lost tail.
func (r *faultRound) save() {
	if r.fault.name != lostTail {
		return
	}
	c := r.server.Client()
	defer func() { _ = c.Close() }()
	must(r, c.Save(r.Context()).Err())
	r.saved = time.Now()
}

func (r *faultRound) loseTail(p *needs.Process) *needs.Process {
	if r.rng.IntN(3) > 0 || time.Since(r.saved) > time.Second { // else it loses all that the engine did, and that the engine is there
		r.save()
		r.until(p, r.sink.count.Load()+int64(r.rng.IntN(faultChannels/2)))
	}
	p = r.killServer(p)
	r.how = fmt.Sprint(time.Since(r.saved).Round(time.Millisecond))
	return p
}

func (r *faultRound) cutReplies(p *needs.Process) *needs.Process {
	r.cut.on.Store(true)
	time.Sleep(time.Duration(200+r.rng.IntN(800)) * time.Millisecond)
	r.cut.on.Store(false)
	r.how = fmt.Sprint(r.cut.n.Load(), " times")
	return p
}

func (r *faultRound) illPlatform(p *needs.Process) *needs.Process {
	r.how = illnesses[r.rng.IntN(len(illnesses))]
	r.sink.ill.Store(&r.how)
	time.Sleep(time.Duration(200+r.rng.IntN(600)) * time.Millisecond)
	r.sink.ill.Store(nil)
	return p
}

func (r *faultRound) fullDisk(p *needs.Process) *needs.Process {
	p.Signal(syscall.SIGUSR1)
	time.Sleep(time.Duration(200+r.rng.IntN(800)) * time.Millisecond)
	p.Signal(syscall.SIGUSR2)
	return p
}

func (r *faultRound) stop(p *needs.Process) *needs.Process {
	p.Signal(syscall.SIGTERM)
	<-p.Done()
	if p.Err() != nil {
		r.Errorf("seed %d: a graceful stop ended with %v", r.seed, p.Err())
	}
	return r.c.start(r)
}

// startSecond lets another engine share the work.
func (r *faultRound) startSecond() {
	c := r.c
	c.Node = "other"
	r.second = c.start(r)
}

// failOver kills a master under two engines, and waits until a replica is promoted. Leases may end meanwhile and change hands.
func (r *faultRound) failOver(p *needs.Process) *needs.Process {
	r.startSecond()
	r.lostOwners += 2
	r.copies[r.fault.stores[0]].loseMaster(r, r.rng)
	return p
}

// pause stops one of two engines for longer than its leases last.
func (r *faultRound) pause(p *needs.Process) *needs.Process {
	r.startSecond()
	r.lostOwners++
	p.Signal(syscall.SIGSTOP)
	time.Sleep(bot.LeaseTTL + time.Duration(r.rng.IntN(2000))*time.Millisecond)
	p.Signal(syscall.SIGCONT)
	return p
}

// jumpClock puts the store's clock an hour forward or back, and in half of the rounds right again.
func (r *faultRound) jumpClock(p *needs.Process) *needs.Process {
	by, there, back := time.Hour, syscall.SIGHUP, syscall.SIGQUIT
	if r.rng.IntN(2) == 0 {
		by, there, back = -by, back, there
	}
	move := func(to time.Duration, signal syscall.Signal) {
		if r.server != nil {
			r.server.MoveClock(r, to)
		} else {
			p.Signal(signal)
		}
	}
	r.how = by.String()
	move(by, there)
	time.Sleep(time.Duration(300+r.rng.IntN(1000)) * time.Millisecond)
	if r.rng.IntN(2) == 0 {
		r.how += " and right again"
		move(0, back)
	}
	return p
}

// cutter stands between engines and Redis. While it is on it cuts some connections instead of handing a reply on: what was asked has been
// done, and nobody hears of it.
type cutter struct {
	addr string
	on   atomic.Bool
	n    atomic.Int64 // replies cut
}

func newCutter(t testing.TB, addr, server string) *cutter {
	l, err := net.Listen("unix", addr)
	must(t, err)
	c := &cutter{addr: addr}
	var wg sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			redis, err := net.Dial("unix", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			wg.Go(func() { _, _ = io.Copy(redis, client); _ = redis.Close() })
			wg.Go(func() { c.replies(client, redis) })
		}
	})
	return c
}

func (c *cutter) replies(client, redis net.Conn) {
	defer func() { _, _ = client.Close(), redis.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := redis.Read(buf)
		if err != nil {
			return
		}
		if c.on.Load() && rand.IntN(4) == 0 {
			c.n.Add(1)
			return
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return
		}
	}
}

// The steps that TestFaults names exist.
func TestStepsAreReached(t *testing.T) {
	s := newSink(t, 1, false)
	for _, step := range steps {
		c := childConfig{Sink: s.URL, InFlight: 8, Node: "steps", Parts: 2, Dir: t.TempDir(), DieAt: step, DieWhen: 1}
		c.prepare(t, 3)
		p := c.start(t)
		<-p.Done()
		if p.Err() == nil || !strings.Contains(p.Err().Error(), "killed") {
			t.Errorf("%s: ended with %v, want killed", step, p.Err())
		}
	}
}
