package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/redisstore"
)

// picky is a composer that cannot make some digests: those of one style.
type picky struct {
	titles
	broken atomic.Bool
}

func (c *picky) Compose(ctx context.Context, r bot.Recipe) (bot.Message, int, error) {
	if r.Style == bot.StyleFull && c.broken.Load() {
		return bot.Message{}, 0, errors.New("not loaded here yet")
	}
	return c.titles.Compose(ctx, r)
}

// One digest that cannot be composed holds up nobody: not its slot's other members, not the next run, not a new owner.
func TestADigestThatCannotBeComposedHoldsUpNobody(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(4)
	subs, err := w.store.List(t.Context(), chat(0).ID())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Change(t.Context(), subs[0].ID, func(s *bot.Subscription) error { s.Style = bot.StyleFull; return nil }); err != nil {
		t.Fatal(err)
	}
	comp := &picky{}
	comp.broken.Store(true)
	p := &platform{}
	stop := w.engine(p, func(c *Config) { c.Composer = comp })
	w.due()
	eventually(t, "the others' posts", func() bool { return p.count() == 3 })
	eventually(t, "the end of the fan-out", func() bool { return len(w.members("open")) == 0 })
	stop()
	w.engine(p, func(c *Config) { c.Composer = comp })
	w.publish("second")
	w.due()
	eventually(t, "the others' second posts", func() bool { return p.count() == 6 })
	comp.broken.Store(false)
	eventually(t, "the late post", func() bool { return p.count() == 7 })
	if seen := p.seen(); seen["C00000 0-2/1"] != 1 {
		t.Errorf("arrived: %v, want one digest of both issues", seen)
	}
	eventually(t, "a finished ledger", w.settled)
}

// members lists a set of every shard.
func (w *world) members(name string) (all []string) {
	for _, key := range w.keys(name) {
		all = append(all, w.rdb.SMembers(context.Background(), key).Val()...)
	}
	return all
}

// Two series published at once reach a subscription to both, in one post.
func TestTwoSeriesPublishedAtOnce(t *testing.T) {
	w := embeddedWorld(t)
	ctx := t.Context()
	if _, err := w.store.Add(ctx, chat(0), bot.Subscription{Series: []string{"a", "b"}, Schedule: bot.Schedule{OnPublish: true}}); err != nil {
		t.Fatal(err)
	}
	p := &platform{}
	comp := &series{}
	w.engine(p, func(c *Config) { c.Composer = comp })
	w.publish("zero") // of another series
	if _, err := w.store.Publish(ctx, "source", []bot.Sighting{{Key: "a1", Series: "a"}, {Key: "b1", Series: "b"}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both series", func() bool {
		seen := fmt.Sprint(p.seen())
		return strings.Contains(seen, "[a") && strings.Contains(seen, "b]")
	})
	eventually(t, "a finished ledger", w.settled)
}

// series composes a message that names series and range.
type series struct{}

func (series) Compose(_ context.Context, r bot.Recipe) (bot.Message, int, error) {
	if r.From == r.Upto {
		return bot.Message{}, 0, nil
	}
	return bot.Message{Title: fmt.Sprintf("%v%d-%d", r.Series, r.From, r.Upto)}, 1, nil
}

// A waiting delivery that a newer run was folded into keeps both over a crash.
func TestFoldedDeliverySurvivesACrash(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(1)
	var open atomic.Bool
	var tries atomic.Int64
	p := &platform{parts: 2, answer: func(bot.Channel, bot.Post) error {
		if tries.Add(1); open.Load() {
			return nil
		}
		return &bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeMessage, Code: "429", RetryAfter: 1500 * time.Millisecond, Err: errors.New("slow down")}
	}}
	queue := &broken{Store: w.store}
	stop := w.engine(p, func(c *Config) { c.Queue = queue; c.Drain = time.Millisecond })
	w.due()
	eventually(t, "a waiting delivery", func() bool { return tries.Load() == 1 && w.flying() == 0 && len(w.members("open")) == 0 })
	w.publish("second")
	w.due()
	eventually(t, "the second run folded in", func() bool { return w.outcomes()[bot.Skipped] > 0 })
	queue.dead.Store(true)
	stop()
	open.Store(true)
	w.engine(p, nil)
	eventually(t, "two posts", func() bool { return p.count() >= 2 })
	eventually(t, "a finished ledger", w.settled)
	if seen := p.seen(); len(seen) != 2 || seen["C00000 0-2/1"] != 1 || seen["C00000 0-2/2"] != 1 {
		t.Errorf("arrived: %v, want one digest of both issues", seen)
	}
	w.publish("third")
	w.due()
	eventually(t, "the next digest", func() bool { return p.count() >= 4 })
	if seen := p.seen(); seen["C00000 2-3/1"] != 1 {
		t.Errorf("arrived: %v, want the third issue alone", seen)
	}
}

// outcomes counts what the runs' counters say.
func (w *world) outcomes() map[bot.DeliveryState]int {
	m := map[bot.DeliveryState]int{}
	for _, key := range w.keys("rc") {
		for field, n := range w.rdb.HGetAll(context.Background(), key).Val() {
			var run, state string
			if _, err := fmt.Sscan(field, &run, &state); err == nil {
				var k int
				_, _ = fmt.Sscan(n, &k)
				m[bot.DeliveryState(state)] += k
			}
		}
	}
	return m
}

// A run that comes while the delivery before is on the wire goes out after it, also over a crash.
func TestRunDuringAPostFollowsIt(t *testing.T) {
	for _, crash := range []bool{false, true} {
		t.Run(fmt.Sprint("crash=", crash), func(t *testing.T) {
			w := embeddedWorld(t)
			w.subscribe(1)
			gate := make(chan struct{})
			p := &platform{answer: func(bot.Channel, bot.Post) error { <-gate; return nil }}
			queue := &broken{Store: w.store}
			stop := w.engine(finder{p}, func(c *Config) { c.Queue = queue; c.Drain = time.Millisecond })
			w.due()
			eventually(t, "a post on the wire", func() bool { return w.flying() > 0 })
			for n, key := range []string{"second", "third"} {
				w.publish(key)
				w.due()
				eventually(t, "another page", func() bool {
					return len(w.members("todo")) == 2 && w.outcomes()[bot.Skipped] == n && len(w.members("open")) == 0
				})
			}
			if crash {
				queue.dead.Store(true)
				close(gate)
				stop()
				p.answer = nil
				w.engine(finder{p}, nil)
			} else {
				close(gate)
			}
			eventually(t, "both posts", func() bool { return p.count() == 2 && w.settled() })
			if seen := p.seen(); seen["C00000 0-1/1"] != 1 || seen["C00000 1-3/1"] != 1 || w.hashes("owed") != 0 {
				t.Errorf("arrived: %v, %d owed", seen, w.hashes("owed"))
			}
		})
	}
}

// When the delivery on the wire fails, what waits behind it comes with the next run, in one digest.
func TestRunBehindADeadDeliveryIsOwed(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(1)
	gate := make(chan struct{})
	var posts atomic.Int64
	p := &platform{answer: func(bot.Channel, bot.Post) error {
		if <-gate; posts.Add(1) > 1 {
			return nil
		}
		return &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "is_archived", Err: errors.New("archived")}
	}}
	w.engine(p, nil)
	w.due()
	eventually(t, "a post on the wire", func() bool { return w.flying() > 0 })
	w.publish("second")
	w.due()
	eventually(t, "another page", func() bool { return len(w.members("todo")) == 2 && len(w.members("open")) == 0 })
	close(gate)
	eventually(t, "both are over", w.settled)
	w.publish("third")
	w.due()
	eventually(t, "the third run's post", func() bool { return p.count() == 1 && w.settled() })
	if seen := p.seen(); seen["C00000 0-3/1"] != 1 || w.hashes("owed") != 0 {
		t.Errorf("arrived: %v, %d owed", seen, w.hashes("owed"))
	}
}

// hashes counts the fields of a hash over all shards.
func (w *world) hashes(name string) (n int) {
	for _, key := range w.keys(name) {
		n += int(w.rdb.HLen(context.Background(), key).Val())
	}
	return n
}

// A platform that says "wait for a year" gets no more than the window: the delivery is missed, and owed.
func TestEndlessRetryAfterEndsWithTheWindow(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(1)
	var open atomic.Bool
	p := &platform{answer: func(bot.Channel, bot.Post) error {
		if open.Load() {
			return nil
		}
		return &bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeMessage, Code: "429", RetryAfter: 8760 * time.Hour, Err: errors.New("slow down")}
	}}
	w.engine(p, func(c *Config) { c.Window = 2 * time.Second })
	w.due()
	eventually(t, "a missed delivery", func() bool { return w.outcomes()[bot.Missed] == 1 && w.settled() })
	open.Store(true)
	w.publish("second")
	time.Sleep(2 * time.Second) // the destination's own rest
	w.due()
	eventually(t, "what was owed", func() bool { return p.count() == 1 })
	if seen := p.seen(); seen["C00000 0-2/1"] != 1 {
		t.Errorf("arrived: %v", seen)
	}
}

// mute is a platform whose looks fail for a while.
type mute struct {
	finder
	looks atomic.Int64
}

func (m *mute) Find(ctx context.Context, dst bot.Channel, p bot.Post, since time.Time) (bot.Receipt, bool, error) {
	if m.looks.Add(1) <= 3 {
		return "", false, &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "500", Err: errors.New("no")}
	}
	return m.finder.Find(ctx, dst, p, since)
}

// A look that fails is no proof that the post did not arrive; a second lost answer is looked for like the first.
func TestFailedLooksAreRepeated(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(1)
	p := &platform{}
	var posts atomic.Int64
	p.answer = func(dst bot.Channel, post bot.Post) error {
		if n := posts.Add(1); n <= 2 {
			if n == 2 { // the first is lost on its way, the second arrives and its answer is lost
				p.accept(dst, post)
			}
			return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", MaybeSent: true, Err: errors.New("EOF")}
		}
		return nil
	}
	w.engine(&mute{finder: finder{p}}, func(c *Config) { c.Backoff = 20 * time.Millisecond })
	w.due()
	eventually(t, "a finished ledger", func() bool { return p.count() > 0 && w.settled() })
	if p.count() != 1 || posts.Load() != 2 {
		t.Errorf("%d arrived of %d posts, want 1 of 2", p.count(), posts.Load())
	}
}

// A subscription made while its slot is being fanned out gets its first digest once.
func TestFirstDigestComesOnce(t *testing.T) {
	due := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	week := 7 * 24 * time.Hour
	for name, made := range map[string]time.Time{"before": due.Add(-time.Hour), "at": due, "while it is fanned out": due.Add(time.Minute)} {
		sub := bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}, SinceAt: made}
		firsts := 0
		for n := range 3 {
			at := due.Add(time.Duration(n) * week)
			if bot.RecipeFor(&bot.Record{Sub: sub}, bot.Run{Due: at, Fired: at.Add(time.Second), Last: at.Add(-week)}).First {
				firsts++
			}
		}
		if firsts != 1 {
			t.Errorf("made %s: %d first digests", name, firsts)
		}
	}
}

// stale gives the loop a beat that was read before the last commits.
type stale struct {
	*redisstore.Store
	old atomic.Pointer[[]bot.Tick]
}

func (s *stale) Beat(ctx context.Context, node string, held []bot.Lease, want []int) (bot.Beat, error) {
	b, err := s.Store.Beat(ctx, node, held, want)
	if err == nil && len(b.Ticks) == 1 && len(b.Ticks[0].Due) > 0 {
		s.old.CompareAndSwap(nil, &b.Ticks)
	} else if old := s.old.Load(); old != nil && err == nil {
		b.Ticks = *old
	}
	return b, err
}

// A beat whose answer was slow does not fire what has been fired since.
func TestSlowBeatFiresNothingTwice(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(5)
	p := &platform{}
	queue := &stale{Store: w.store}
	w.engine(p, func(c *Config) { c.Queue = queue; c.Beat = 5 * time.Millisecond })
	time.Sleep(50 * time.Millisecond)
	w.due()
	eventually(t, "5 posts", func() bool { return p.count() >= 5 })
	eventually(t, "a finished ledger", w.settled)
	time.Sleep(100 * time.Millisecond) // twenty stale beats
	exactlyOnce(t, p, 5, "0-1/1")
}

// A shard that is to go to another node goes, also in the middle of a fan-out that waits for room.
func TestLeavingShardLeaves(t *testing.T) {
	w := redisWorld(t)
	w.subscribe(200)
	block := make(chan struct{})
	p := &platform{answer: func(bot.Channel, bot.Post) error { <-block; return nil }}
	w.engine(p, func(c *Config) { c.Node = "a"; c.InFlight = 4 })
	eventually(t, "a owns all", func() bool { return w.owners()["a"] == 16 })
	w.due()
	eventually(t, "posts on the wire", func() bool { return w.flying() > 0 })
	w.engine(p, func(c *Config) { c.Node = "b"; c.InFlight = 64 })
	time.Sleep(50 * time.Millisecond)
	close(block)
	eventually(t, "b owns half", func() bool { o := w.owners(); return o["a"] == 8 && o["b"] == 8 })
	eventually(t, "200 posts", func() bool { return p.count() >= 200 && w.settled() })
	exactlyOnce(t, p, 200, "0-1/1")
}

func (w *world) owners() map[string]int {
	owners := map[string]int{}
	for _, key := range w.keys("st") {
		owners[w.rdb.HGet(context.Background(), key, "owner").Val()]++
	}
	return owners
}

// What is older than it should be goes, a whole day at a time and in small steps; what is younger stays.
func TestOldDaysGo(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.subscribe(300)
		p := &platform{}
		stop := w.engine(p, nil)
		w.due()
		eventually(t, "300 posts", func() bool { return p.count() >= 300 && w.settled() })
		stop()
		// A month passes: what is of today becomes of a day long ago.
		today := time.Now().UTC().Format("20060102")
		for _, key := range w.keys("days") {
			if first := w.rdb.HGet(ctx, key, today).Val(); first != "" {
				w.rdb.HDel(ctx, key, today)
				w.rdb.HSet(ctx, key, "20200101", first)
			}
		}
		for shard, key := range w.keys("day:" + today) {
			for _, name := range w.rdb.LRange(ctx, key, 0, -1).Val() {
				w.rdb.RPush(ctx, w.store.Key(shard, "day:20200101"), name)
			}
			w.rdb.Del(ctx, key)
		}
		w.engine(p, nil)
		w.publish("second")
		w.due()
		eventually(t, "300 more posts", func() bool { return p.count() >= 600 && w.settled() })
		eventually(t, "only today left", func() bool {
			for shard, key := range w.keys("days") {
				days := w.rdb.HKeys(ctx, key).Val()
				if len(days) > 1 || len(days) == 1 && days[0] == "20200101" {
					return false
				}
				if n := len(w.rdb.HKeys(ctx, w.store.Key(shard, "runs")).Val()); n > 1 {
					return false
				}
			}
			return true
		})
		for shard := range w.store.Shards() {
			if n := w.rdb.Exists(ctx, w.store.Key(shard, "pg:1"), w.store.Key(shard, "led:1"), w.store.Key(shard, "over:1"), w.store.Key(shard, "day:20200101")).Val(); n > 0 {
				t.Errorf("%d old keys are left in shard %d", n, shard)
			}
		}
		exactlyOnce(t, p, 300, "0-1/1", "1-2/1")
	})
}

// A replica that lacks a commit keeps a send from starting, also when the commit is given again over another connection.
func TestCommitWaitsForReplicas(t *testing.T) {
	w := redisWorld(t)
	opt := redisstore.Options{Prefix: "wait" + fmt.Sprint(time.Now().UnixNano()), WaitReplicas: 1, Shards: 1, SlotID: func(s bot.Schedule) string { return s.Cron }, Next: w.nextAfter}
	store, err := redisstore.Open(t.Context(), w.rdb, opt)
	if err != nil {
		t.Fatal(err)
	}
	b, err := store.Beat(t.Context(), "n", nil, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	c := bot.Commit{Lease: b.Ticks[0].Lease, Number: b.Ticks[0].Lease.Commit + 1, Pub: 1}
	for range 2 {
		if r := store.Commit(t.Context(), []bot.Commit{c}); r[0].Err == nil {
			t.Error("a commit without a replica was acknowledged")
		}
	}
	if _, err := store.KeepParts(t.Context(), []bot.Message{{Title: "part"}}, time.Hour); err == nil {
		t.Error("parts without a replica were taken as kept")
	}
}

// beforeBeat does something once, right before the engine looks for what is due.
type beforeBeat struct {
	Queue
	once sync.Once
	do   func()
}

func (q *beforeBeat) Beat(ctx context.Context, node string, held []bot.Lease, want []int) (bot.Beat, error) {
	if len(held) > 0 {
		q.once.Do(q.do)
	}
	return q.Queue.Beat(ctx, node, held, want)
}

func TestARunHoldsWhatWasPublishedAMomentBefore(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(40)
		p := &platform{}
		stop := w.engine(p, nil)
		w.due()
		eventually(t, "40 posts", func() bool { return p.count() >= 40 })
		eventually(t, "a finished ledger", w.settled)
		stop()
		q := &beforeBeat{Queue: w.store, do: func() { w.publish("second"); w.due() }}
		w.engine(p, func(c *Config) { c.Queue = q })
		eventually(t, "40 more posts", func() bool { return p.count() >= 80 })
		exactlyOnce(t, p, 40, "0-1/1", "1-2/1")
	})
}

// mum is a platform whose adapter cuts digests into no parts, or only their plain forms.
type mum struct {
	*platform
	plainOnly bool
}

func (m *mum) Split(kind bot.Kind, msg bot.Message) []bot.Message {
	if m.plainOnly && !strings.Contains(msg.Title, "/") {
		return m.platform.Split(kind, msg)
	}
	return nil
}

// An adapter that cuts a digest into no parts has a fault: its deliveries are dead, listed and owed, and the engine goes on.
func TestADigestOfNoPartsIsDead(t *testing.T) {
	for code, a := range map[string]*mum{
		codeNoParts: {platform: &platform{}},
		"refused": {plainOnly: true, platform: &platform{answer: func(bot.Channel, bot.Post) error {
			return &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "refused", Err: errors.New("no")}
		}}},
	} {
		t.Run(code, func(t *testing.T) {
			w := embeddedWorld(t)
			w.subscribe(3)
			w.engine(a, nil)
			w.due()
			eventually(t, "three dead letters", func() bool { return len(w.letters()) == 3 && w.settled() })
			for _, l := range w.letters() {
				if l.State != bot.Dead || l.Code != code {
					t.Errorf("%s is %s with %s, want dead with %s", l.ID, l.State, l.Code, code)
				}
			}
			if n := w.hashes("owed"); n != 3 || a.count() != 0 {
				t.Errorf("%d owed and %d posted, want 3 and 0", n, a.count())
			}
		})
	}
}

// muteShard is a store that answers no commit of one shard from its first flights on, until it is healed.
type muteShard struct {
	*redisstore.Store
	shard         int
	stuck, healed atomic.Bool
}

func (q *muteShard) Commit(ctx context.Context, commits []bot.Commit) []bot.Committed {
	var answered []bot.Commit
	mute := -1
	for i, c := range commits {
		if c.Lease.Shard == q.shard && !q.healed.Load() && (q.stuck.Load() || len(c.Flights) > 0) {
			q.stuck.Store(true)
			mute = i
			continue
		}
		answered = append(answered, c)
	}
	done := q.Store.Commit(ctx, answered)
	if mute >= 0 {
		done = slices.Insert(done, mute, bot.Committed{Err: errors.New("no answer")})
	}
	return done
}

// A shard whose commits get no answer, as when a master of a Cluster is lost, does not hold up the others, even where its deliveries would fill
// the window; when it answers again, its own go on.
func TestAShardWithoutAnAnswerHoldsUpNobody(t *testing.T) {
	w := redisWorld(t)
	const channels = 400
	w.subscribe(channels)
	id := chat(0).ID()
	queue := &muteShard{Store: w.store, shard: int(id[0] >> 4)}
	others := 0
	for i := range channels {
		if id := chat(i).ID(); int(id[0]>>4) != queue.shard {
			others++
		}
	}
	p := &platform{}
	w.engine(p, func(c *Config) { c.Queue = queue; c.InFlight = 4 })
	w.due()
	eventually(t, "the other shards' posts", func() bool { return queue.stuck.Load() && p.count() == others })
	queue.healed.Store(true)
	eventually(t, "all posts", func() bool { return p.count() >= channels && w.settled() })
	exactlyOnce(t, p, channels, "0-1/1")
}

// meddler is a store in which somebody changes something after the second step of a fan-out was read, and before the first is paged.
type meddler struct {
	*redisstore.Store
	reads  atomic.Int64
	ahead  chan struct{} // closed when the second step was read
	once   sync.Once
	meddle func()
}

func (m *meddler) Records(ctx context.Context, shard int, members []string) ([]bot.Record, []error, error) {
	records, faults, err := m.Store.Records(ctx, shard, members)
	if m.reads.Add(1) == 2 {
		close(m.ahead)
	}
	return records, faults, err
}

func (m *meddler) Commit(ctx context.Context, commits []bot.Commit) []bot.Committed {
	for _, c := range commits {
		if len(c.Pages) > 0 {
			m.once.Do(func() { <-m.ahead; m.meddle() })
		}
	}
	return m.Store.Commit(ctx, commits)
}

// A fan-out reads ahead of what it pages; who unsubscribes in between gets nothing all the same.
func TestWhatWasReadAheadIsReadAgainAfterAChange(t *testing.T) {
	w := embeddedWorld(t)
	const channels = fanoutBatch + 100
	w.subscribe(channels)
	members, err := w.store.Members(t.Context(), 0, "09**1")
	if err != nil || len(members) != channels {
		t.Fatalf("%d members, %v", len(members), err)
	}
	var last bot.SubscriptionID
	for i := range channels {
		id := bot.SubscriptionID{Channel: chat(i).ID(), Ordinal: 1}
		if packMember(bot.SlotMember(id)) == members[channels-1] {
			last = id
		}
	}
	queue := &meddler{Store: w.store, ahead: make(chan struct{}), meddle: func() {
		if err := w.store.Remove(context.Background(), last); err != nil {
			t.Errorf("Remove = %v", err)
		}
	}}
	p := &platform{}
	w.engine(p, func(c *Config) { c.Queue = queue })
	w.due()
	eventually(t, "the others' posts", func() bool { return p.count() >= channels-1 && w.settled() })
	if n := w.outcomes()[bot.Skipped]; p.count() != channels-1 || n != 1 {
		t.Errorf("%d posts, %d skipped; want %d and 1", p.count(), n, channels-1)
	}
}

// eager is a store that says at each beat that something is about to fall due.
type eager struct {
	Queue
	beats atomic.Int64
}

func (q *eager) Beat(ctx context.Context, node string, held []bot.Lease, want []int) (bot.Beat, error) {
	b, err := q.Queue.Beat(ctx, node, held, want)
	if q.beats.Add(1); b.Pulse != nil {
		b.FallsDue(b.Pulse.Now.Add(5 * time.Millisecond))
	}
	return b, err
}

// What falls due before the next beat has a beat of its own.
func TestABeatComesWhenSomethingFallsDue(t *testing.T) {
	w := embeddedWorld(t)
	q := &eager{Queue: w.store}
	w.engine(&platform{}, func(c *Config) { c.Queue = q; c.Beat = time.Hour })
	eventually(t, "beats", func() bool { return q.beats.Load() >= 5 })
}
