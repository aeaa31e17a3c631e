package outbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
	"weeklybot/bot/embedded"
	"weeklybot/bot/redisstore"
	"weeklybot/internal/needs"
)

// platform is a chat platform in memory: what arrived, and how the next posts are answered.
type platform struct {
	mu     sync.Mutex
	posts  []bot.Post
	where  []string // channel addresses of posts
	answer func(dst bot.Channel, p bot.Post) error
	caps   bot.Capabilities
	parts  int // parts of every digest
}

func (f *platform) Name() string                           { return "fake" }
func (f *platform) Kinds() []bot.Kind                      { return []bot.Kind{"app"} }
func (f *platform) Capabilities(bot.Kind) bot.Capabilities { return f.caps }
func (f *platform) Split(_ bot.Kind, m bot.Message) []bot.Message {
	if strings.Contains(m.Title, "/") {
		return []bot.Message{m} // a part is not split again
	}
	parts := []bot.Message{}
	for i := range max(1, f.parts) {
		parts = append(parts, bot.Message{Title: fmt.Sprintf("%s/%d", m.Title, i+1)})
	}
	return parts
}

func (f *platform) Send(ctx context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, error) {
	if f.answer != nil {
		if err := f.answer(dst, p); err != nil {
			return "", err
		}
	}
	if err := ctx.Err(); err != nil {
		return "", &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", MaybeSent: true, Err: err}
	}
	return f.accept(dst, p), nil
}

func (f *platform) accept(dst bot.Channel, p bot.Post) bot.Receipt {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.posts, f.where = append(f.posts, p), append(f.where, dst.Address)
	return bot.Receipt(fmt.Sprint("r", len(f.posts)))
}

// seen counts the posts by channel and title.
func (f *platform) seen() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := map[string]int{}
	for i, p := range f.posts {
		m[f.where[i]+" "+p.Message.Title]++
	}
	return m
}

func (f *platform) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.posts)
}

// finder is a platform that can look for a post.
type finder struct{ *platform }

func (f finder) Find(_ context.Context, dst bot.Channel, p bot.Post, _ time.Time) (bot.Receipt, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, q := range f.posts {
		if q.Key == p.Key && q.Part == p.Part && f.where[i] == dst.Address {
			return "found", true, nil
		}
	}
	return "", false, nil
}

// titles composes a message that names its recipe.
type titles struct{ none atomic.Bool }

func (c *titles) Compose(_ context.Context, r bot.Recipe) (bot.Message, int, error) {
	if c.none.Load() || r.From == r.Upto && !r.First {
		return bot.Message{}, 0, nil
	}
	return bot.Message{Title: fmt.Sprintf("%d-%d", r.From, r.Upto)}, 1, nil
}

// world is a store, a clock that makes one slot due at will, and engines over them.
type world struct {
	t     *testing.T
	store *redisstore.Store
	rdb   redis.UniversalClient
	comp  *titles
	next  atomic.Int64 // unix ms of the slots' next occurrence
}

func newWorld(t *testing.T, rdb redis.UniversalClient, opt redisstore.Options) *world {
	w := &world{t: t, rdb: rdb, comp: &titles{}}
	w.next.Store(time.Now().Add(time.Hour).UnixMilli())
	opt.SlotID = func(s bot.Schedule) string { return strings.ReplaceAll(s.Cron, " ", "") }
	opt.Next = w.nextAfter
	s, err := redisstore.Open(t.Context(), rdb, opt)
	if err != nil {
		t.Fatal(err)
	}
	w.store = s
	return w
}

// nextAfter gives the occurrence that was set, and an hour after anything later.
func (w *world) nextAfter(_ bot.Schedule, after time.Time) (time.Time, error) {
	if next := time.UnixMilli(w.next.Load()); next.After(after) {
		return next, nil
	}
	return after.Add(time.Hour), nil
}

// onBoth runs a test on the embedded engine and on a real redis-server.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("embedded", func(t *testing.T) { test(t, embeddedWorld(t)) })
	t.Run("redis", func(t *testing.T) { test(t, redisWorld(t)) })
}

func embeddedWorld(t *testing.T) *world {
	e, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := e.Client()
	t.Cleanup(func() { _ = c.Close(); _ = e.Close() })
	return newWorld(t, c, redisstore.Options{Prefix: "wb", Shards: 1, Sole: true})
}

func redisWorld(t *testing.T) *world {
	return newWorld(t, needs.RedisClient(t), redisstore.Options{Prefix: strings.NewReplacer("/", "_", "{", "", "}", "").Replace(t.Name()) + fmt.Sprint(time.Now().UnixNano())})
}

func chat(n int) bot.Channel {
	return bot.Channel{Adapter: "fake", Kind: "app", Workspace: "W", Address: fmt.Sprintf("C%05d", n)}
}

// subscribe gives n channels a subscription with a cron schedule and publishes one issue so that there is news.
func (w *world) subscribe(n int) {
	w.t.Helper()
	for i := range n {
		if _, err := w.store.Add(w.t.Context(), chat(i), bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}, Style: bot.StyleBrief, Lang: "zh"}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.publish("first")
}

var sources atomic.Int64

// publish adds one new issue to the catalogue.
func (w *world) publish(key string) {
	w.t.Helper()
	ctx := w.t.Context()
	if _, err := w.store.Publish(ctx, "source", nil); err != nil { // the first load is archive
		w.t.Fatal(err)
	}
	if _, err := w.store.Publish(ctx, "source", []bot.Sighting{{Key: fmt.Sprint(key, sources.Add(1)), Series: "weekly"}}); err != nil {
		w.t.Fatal(err)
	}
}

// due makes every cron slot due now.
func (w *world) due() {
	w.t.Helper()
	w.dueFor(time.Second)
}

// dueFor makes every cron slot due since a while.
func (w *world) dueFor(since time.Duration) {
	w.t.Helper()
	for _, key := range w.keys("due") {
		for _, slot := range w.rdb.ZRange(w.t.Context(), key, 0, -1).Val() {
			w.rdb.ZAdd(w.t.Context(), key, redis.Z{Score: float64(time.Now().Add(-since).UnixMilli()), Member: slot})
		}
	}
}

// keys names one key of every shard.
func (w *world) keys(name string) (keys []string) {
	for shard := range w.store.Shards() {
		keys = append(keys, w.store.Key(shard, name))
	}
	return keys
}

// engine starts an engine; the returned function stops it in good order.
func (w *world) engine(a bot.Adapter, change func(*Config)) (stop func()) {
	w.t.Helper()
	cfg := Config{Queue: w.store, Composer: w.comp, Adapters: []bot.Adapter{a}, Next: w.nextAfter, Beat: 20 * time.Millisecond, Drain: 5 * time.Second, LookAgain: 50 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- New(cfg).Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				w.t.Errorf("Run = %v", err)
			}
		})
	}
	w.t.Cleanup(stop)
	return stop
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited a minute for: %s", what)
}

// exactlyOnce fails unless every channel got every title once.
func exactlyOnce(t *testing.T, p *platform, channels int, titles ...string) {
	t.Helper()
	seen := p.seen()
	for i := range channels {
		for _, title := range titles {
			key := chat(i).Address + " " + title
			if seen[key] != 1 {
				t.Errorf("%s arrived %d times, want once", key, seen[key])
			}
			delete(seen, key)
		}
	}
	if len(seen) > 0 {
		t.Errorf("also arrived: %v", slices.Sorted(maps.Keys(seen)))
	}
}

func TestARunReachesEveryChannelOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(700)
		p := &platform{}
		w.engine(p, nil)
		w.due()
		eventually(t, "700 posts", func() bool { return p.count() >= 700 })
		eventually(t, "a finished ledger", w.settled)
		exactlyOnce(t, p, 700, "0-1/1")
		w.publish("second")
		w.due()
		eventually(t, "700 more posts", func() bool { return p.count() >= 1400 })
		eventually(t, "a finished ledger", w.settled)
		exactlyOnce(t, p, 700, "0-1/1", "1-2/1")
		w.due() // nothing new: nothing sent
		w.publish("third")
		eventually(t, "nothing left", w.settled)
	})
}

// settled says that no page is unfinished and no run open.
func (w *world) settled() bool {
	ctx := context.Background()
	for _, name := range []string{"open", "todo"} { // in the order in which work moves on
		for _, key := range w.keys(name) {
			if w.rdb.SCard(ctx, key).Val() > 0 {
				return false
			}
		}
	}
	return true
}

func TestPartsArriveInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(30)
		p := &platform{parts: 3}
		w.engine(p, nil)
		w.due()
		eventually(t, "90 posts", func() bool { return p.count() >= 90 })
		eventually(t, "a finished ledger", w.settled)
		exactlyOnce(t, p, 30, "0-1/1", "0-1/2", "0-1/3")
		last := map[string]int{}
		for i, post := range p.posts {
			if post.Part != last[p.where[i]]+1 {
				t.Errorf("%s got part %d after part %d", p.where[i], post.Part, last[p.where[i]])
			}
			if last[p.where[i]] = post.Part; post.Part > 1 && post.First == "" {
				t.Errorf("part %d does not know the receipt of part 1", post.Part)
			}
		}
	})
}

func TestRetryableFaultsAreRetriedAndRateLimitsWait(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(3)
	var tries sync.Map
	p := &platform{answer: func(dst bot.Channel, _ bot.Post) error {
		n, _ := tries.LoadOrStore(dst.Address, new(atomic.Int64))
		if n.(*atomic.Int64).Add(1) > 1 {
			return nil
		}
		switch dst.Address {
		case "C00000":
			return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "500", Err: errors.New("busy")}
		case "C00001":
			return &bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeMessage, Code: "429", RetryAfter: 300 * time.Millisecond, Err: errors.New("slow down")}
		}
		return nil
	}}
	w.engine(p, nil)
	w.due()
	eventually(t, "3 posts", func() bool { return p.count() >= 3 })
	eventually(t, "a finished ledger", w.settled)
	exactlyOnce(t, p, 3, "0-1/1")
}

func TestDeadDeliveriesAreOwed(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(2)
		var broken atomic.Bool
		broken.Store(true)
		p := &platform{answer: func(dst bot.Channel, _ bot.Post) error {
			if broken.Load() && dst.Address == "C00000" {
				return &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "is_archived", Err: errors.New("archived")}
			}
			return nil
		}}
		w.engine(p, nil)
		w.due()
		eventually(t, "the healthy channel's post", func() bool { return p.count() == 1 })
		eventually(t, "a finished ledger", w.settled)
		broken.Store(false)
		w.publish("second")
		w.due()
		eventually(t, "both posts of the second run", func() bool { return p.count() == 3 })
		eventually(t, "a finished ledger", w.settled)
		seen := p.seen()
		if seen["C00000 0-2/1"] != 1 || seen["C00001 1-2/1"] != 1 {
			t.Errorf("the dead delivery's issue was lost: %v", seen)
		}
		w.publish("third")
		w.due()
		eventually(t, "both posts of the third run", func() bool { return p.count() == 5 })
		if seen := p.seen(); seen["C00000 2-3/1"] != 1 {
			t.Errorf("a debt is paid twice: %v", seen)
		}
	})
}

func TestPublishReachesThoseWhoWait(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for i, series := range [][]string{nil, {"weekly"}, {"other"}} {
			if _, err := w.store.Add(ctx, chat(i), bot.Subscription{Series: series, Schedule: bot.Schedule{OnPublish: true}}); err != nil {
				t.Fatal(err)
			}
		}
		p := &platform{}
		w.engine(p, nil)
		w.publish("one")
		eventually(t, "two posts", func() bool { return p.count() >= 2 })
		w.publish("two")
		eventually(t, "two more posts", func() bool { return p.count() >= 4 })
		eventually(t, "a finished ledger", w.settled)
		exactlyOnce(t, p, 2, "0-1/1", "1-2/1")
	})
}

func TestUnsubscribedAndPausedGetNothingMore(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(20)
		gate := make(chan struct{})
		p := &platform{answer: func(bot.Channel, bot.Post) error { <-gate; return nil }}
		w.engine(p, func(c *Config) { c.InFlight = 1 })
		w.due()
		eventually(t, "paged deliveries", func() bool {
			return w.flying() > 0
		})
		for i := range 20 {
			subs, err := w.store.List(t.Context(), chat(i).ID())
			if err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				err = w.store.Remove(t.Context(), subs[0].ID)
			} else {
				_, err = w.store.Change(t.Context(), subs[0].ID, func(s *bot.Subscription) error { s.State = bot.StatePaused; return nil })
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(100 * time.Millisecond) // a beat or two: the change counter travels with it
		close(gate)
		eventually(t, "a finished ledger", w.settled)
		if n := p.count(); n > 2*16 || n >= 20 {
			t.Errorf("%d posts went out after the subscriptions ended", n)
		}
	})
}

// flying counts the flights that are written down.
func (w *world) flying() (n int) {
	for _, key := range w.keys("fly") {
		for _, packed := range w.rdb.HGetAll(context.Background(), key).Val() {
			if len(packed) > 1 {
				n++
			}
		}
	}
	return n
}

// broken is a store that stops answering at once and for good, as it looks to a process that is killed.
type broken struct {
	*redisstore.Store
	dead atomic.Bool
}

var errGone = errors.New("killed")

func (b *broken) Commit(ctx context.Context, c []bot.Commit) []bot.Committed {
	if b.dead.Load() {
		r := make([]bot.Committed, len(c))
		for i := range r {
			r[i].Err = errGone
		}
		return r
	}
	return b.Store.Commit(ctx, c)
}
func (b *broken) Beat(ctx context.Context, n string, held []bot.Lease, want []int) (bot.Beat, error) {
	if b.dead.Load() {
		return bot.Beat{}, errGone
	}
	return b.Store.Beat(ctx, n, held, want)
}
func (b *broken) Release(ctx context.Context, l []bot.Lease) error {
	if b.dead.Load() {
		return errGone
	}
	return b.Store.Release(ctx, l)
}

// A killed engine and its successor: what was on the wire is looked up where the platform can, and arrives once.
func TestSuccessorFindsWhatWasOnTheWire(t *testing.T) {
	for round := range 5 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			w := embeddedWorld(t)
			w.subscribe(300)
			p := &platform{parts: 2}
			queue := &broken{Store: w.store}
			die := int64(100 * (round + 1))
			var posts atomic.Int64
			p.answer = func(bot.Channel, bot.Post) error {
				if posts.Add(1) == die {
					queue.dead.Store(true)
				}
				return nil
			}
			stop := w.engine(finder{p}, func(c *Config) { c.Queue = queue; c.InFlight = 32; c.Drain = 50 * time.Millisecond })
			w.due()
			eventually(t, "the kill", queue.dead.Load)
			stop()
			p.answer = nil
			w.engine(finder{p}, nil)
			eventually(t, "600 posts", func() bool { return p.count() >= 600 })
			eventually(t, "a finished ledger", w.settled)
			exactlyOnce(t, p, 300, "0-1/1", "0-1/2")
		})
	}
}

// dialer is a platform that takes long to be reached.
type dialer struct {
	*platform
	reached func(ctx context.Context) error // waits for it
}

func (d dialer) Send(ctx context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, error) {
	if err := d.reached(ctx); err != nil {
		return "", &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "fenced", Err: err}
	}
	return d.platform.Send(ctx, dst, p)
}

// While a post waits for its connection the lease ends, and another node posts. The adapter is told then that it must not.
func TestAPostIsFencedWhenTheLeaseEnds(t *testing.T) {
	t.Parallel()
	w := embeddedWorld(t)
	w.subscribe(1)
	p, queue, fenced := &platform{}, &broken{Store: w.store}, make(chan error, 1)
	w.engine(dialer{p, func(ctx context.Context) error {
		if err := bot.Fenced(ctx); err != nil {
			t.Errorf("fenced while the lease holds: %v", err)
		}
		queue.dead.Store(true)
		for bot.Fenced(ctx) == nil && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		fenced <- bot.Fenced(ctx)
		return bot.Fenced(ctx)
	}}, func(c *Config) { c.Queue = queue })
	w.due()
	if err := <-fenced; !errors.Is(err, bot.ErrFenced) {
		t.Errorf("Fenced = %v, want ErrFenced", err)
	}
	w.engine(p, func(c *Config) { c.Node = "other" })
	eventually(t, "the post of the next owner", func() bool { return p.count() == 1 })
	eventually(t, "a finished ledger", w.settled)
	exactlyOnce(t, p, 1, "0-1/1")
}

func TestUncertainIsHeldOrResent(t *testing.T) {
	for _, policy := range []OnUncertain{Hold, Resend} {
		t.Run(string(policy), func(t *testing.T) {
			w := embeddedWorld(t)
			w.subscribe(1)
			p := &platform{}
			var posts atomic.Int64
			p.answer = func(dst bot.Channel, post bot.Post) error {
				if posts.Add(1) > 1 {
					return nil
				}
				p.accept(dst, post) // it arrives, and the answer is lost
				return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", MaybeSent: true, Err: errors.New("EOF")}
			}
			w.engine(p, func(c *Config) { c.OnUncertain = policy })
			w.due()
			want := map[OnUncertain]int{Hold: 1, Resend: 2}[policy]
			eventually(t, "posts", func() bool { return p.count() >= want })
			eventually(t, "a finished ledger", w.settled)
			if p.count() != want {
				t.Errorf("%d posts, want %d", p.count(), want)
			}
			state := map[OnUncertain]bot.DeliveryState{Hold: bot.Held, Resend: bot.Uncertain}[policy]
			if l := w.letters(); len(l) != 1 || l[0].State != state || l[0].Code != "no_answer" {
				t.Errorf("listed: %+v, want one %s delivery", l, state)
			}
		})
	}
}

// Two equal nodes share the shards; one dies; nothing is lost, nothing comes twice where the platform can be asked.
func TestTwoNodesOneDies(t *testing.T) {
	w := redisWorld(t)
	w.subscribe(800)
	p := &platform{}
	queue := &broken{Store: w.store}
	stopA := w.engine(finder{p}, func(c *Config) { c.Queue = queue; c.Node = "a"; c.Drain = 50 * time.Millisecond; c.InFlight = 16 })
	w.engine(finder{p}, func(c *Config) { c.Node = "b" })
	eventually(t, "both own shards", func() bool {
		owners := map[string]int{}
		for _, key := range w.keys("st") {
			owners[w.rdb.HGet(t.Context(), key, "owner").Val()]++
		}
		return owners["a"] == 8 && owners["b"] == 8
	})
	p.answer = func(bot.Channel, bot.Post) error {
		if p.count() >= 200 {
			queue.dead.Store(true)
		}
		return nil
	}
	w.due()
	eventually(t, "the kill", queue.dead.Load)
	stopA()
	eventually(t, "800 posts", func() bool { return p.count() >= 800 })
	eventually(t, "a finished ledger", w.settled)
	exactlyOnce(t, p, 800, "0-1/1")
}
