package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/redisstore"
	"weeklybot/internal/needs"
)

// broadcast drafts a message and has it go out now.
func (w *world) broadcast(title string, a bot.Audience) string {
	w.t.Helper()
	return sendBroadcast(w.t, w.store, bot.Broadcast{Audience: a}, title)
}

func sendBroadcast(t testing.TB, store *redisstore.Store, b bot.Broadcast, title string) string {
	t.Helper()
	b, err := store.Draft(context.Background(), b, bot.Message{Title: title})
	if err == nil {
		_, err = store.ChangeBroadcast(context.Background(), b.ID, func(b *bot.Broadcast) (*bot.Order, error) {
			b.State, b.Next = bot.BroadcastApproved, time.Now().Add(-time.Second)
			return nil, nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.ID
}

// progress is how far the newest run of a broadcast is, or its recall.
func (w *world) progress(id string, recall bool) bot.Progress {
	w.t.Helper()
	b, err := w.store.Broadcast(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	r := b.Last()
	if recall {
		r = b.Recall
	}
	if r == nil {
		return bot.Progress{}
	}
	p, err := w.store.Progress(w.t.Context(), *r)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) ended(id string, recall bool) bot.Progress {
	w.t.Helper()
	eventually(w.t, "the end of broadcast "+id, func() bool { return w.progress(id, recall).Ended })
	return w.progress(id, recall)
}

// orderStop cancels a broadcast, or takes it back. That it is made known at once is left out.
func orderStop(ctx context.Context, store *redisstore.Store, id string, recall bool) error {
	_, err := store.ChangeBroadcast(ctx, id, func(b *bot.Broadcast) (*bot.Order, error) {
		if b.Stopped() {
			return nil, nil
		}
		b.State, b.Next = bot.BroadcastCancelled, time.Time{}
		if !recall {
			return &bot.Order{Kind: bot.OrderStop, Broadcast: id}, nil
		}
		b.State = bot.BroadcastRecalled
		run := b.Last().ID
		return &bot.Order{Kind: bot.OrderRecall, Broadcast: id, Run: "recall:" + run, Recalls: run, Due: time.Now()}, nil
	})
	return err
}

// stop cancels a broadcast, or takes it back.
func (w *world) stop(id string, recall bool) {
	w.t.Helper()
	err := orderStop(w.t.Context(), w.store, id, recall)
	if err == nil {
		err = w.store.Stir(w.t.Context())
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestABroadcastReachesItsAudienceOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(700)
		for i := range 50 {
			ch := bot.Channel{Adapter: "other", Kind: "app", Workspace: "W2", Address: fmt.Sprint(i)}
			if _, err := w.store.Add(t.Context(), ch, bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}}); err != nil {
				t.Fatal(err)
			}
		}
		p := &platform{parts: 2}
		w.engine(p, nil)
		first, second := w.broadcast("one", bot.Audience{Platforms: []string{"fake"}}), w.broadcast("two", bot.Audience{})
		w.due()
		one, two := w.ended(first, false), w.ended(second, false)
		if one.Counts[bot.Sent] != 700 || one.Reached != 700 || one.Left != 0 {
			t.Errorf("the first broadcast's report: %+v", one)
		}
		if two.Counts[bot.Sent] != 700 || two.Reached != 750 || two.Left != 50 {
			t.Errorf("the second broadcast's report: %+v, want 50 left out: their platform is not configured", two)
		}
		eventually(t, "a finished ledger", w.settled)
		exactlyOnce(t, p, 700, "one/1", "one/2", "two/1", "two/2", "0-1/1", "0-1/2")
	})
}

func TestACancelledBroadcastStopsBetweenTwoSends(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		const channels, window = 1500, 4
		w.subscribe(channels)
		gate := make(chan struct{})
		p := &platform{answer: func(bot.Channel, bot.Post) error { <-gate; return nil }}
		w.engine(p, func(c *Config) { c.InFlight = window })
		id := w.broadcast("late", bot.Audience{})
		eventually(t, "a post on the wire", func() bool { return w.flying() > 0 })
		w.stop(id, false)
		granted := w.flying()
		seen := sync.OnceFunc(func() { close(gate) })
		eventually(t, "the cancellation is known", func() bool {
			if w.progress(id, false).Counts[bot.Cancelled] > 0 {
				return true
			}
			select {
			case gate <- struct{}{}: // an answer makes a commit, which brings the news
			default:
			}
			return false
		})
		seen()
		r := w.ended(id, false)
		if r.Counts[bot.Sent]+r.Counts[bot.Cancelled] != channels || r.Reached != channels || r.Counts[bot.Sent] != p.count() {
			t.Errorf("report %+v, %d posts: want sent and cancelled to be all %d channels", r, p.count(), channels)
		}
		if p.count() > granted+16*window {
			t.Errorf("%d posts went out after the cancellation, with %d granted", p.count(), granted)
		}
	})
}

// Who cancels a broadcast, or takes it back, dies before it is made known: the order alone stops what is queued.
func TestACancelIsCompleteWithoutItsCaller(t *testing.T) {
	for _, recall := range []bool{false, true} {
		onBoth(t, func(t *testing.T, w *world) {
			const channels, window = 1500, 4
			w.subscribe(channels)
			gate := make(chan struct{})
			p := &recaller{platform: &platform{answer: func(bot.Channel, bot.Post) error { <-gate; return nil }}, back: map[bot.Receipt]int{}}
			w.engine(p, func(c *Config) { c.InFlight, c.Backoff = window, time.Millisecond })
			id := w.broadcast("late", bot.Audience{})
			eventually(t, "posts on the wire, all paged", func() bool { return w.flying() > 0 && w.progress(id, false).Reached == channels })
			granted := w.flying()
			if err := orderStop(t.Context(), w.store, id, recall); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the order is carried out", func() bool {
				for _, key := range w.keys("st") {
					if w.rdb.HGet(t.Context(), key, "order").Val() != "2" {
						return false
					}
				}
				return true
			})
			close(gate)
			r := w.ended(id, false)
			if r.Counts[bot.Sent]+r.Counts[bot.Cancelled] != channels || r.Counts[bot.Sent] != p.count() {
				t.Errorf("report %+v, %d posts: want sent and cancelled to be all %d channels", r, p.count(), channels)
			}
			if p.count() > granted+16*window {
				t.Errorf("%d posts went out although it was cancelled, with %d granted", p.count(), granted)
			}
			if recall {
				if back := w.ended(id, true); back.Counts[bot.Recalled] != p.count() || len(p.back) != p.count() {
					t.Errorf("taken back %+v, %d of %d posts", back, len(p.back), p.count())
				}
			}
		})
	}
}

// recaller is a platform that takes posts back; once it is busy.
type recaller struct {
	*platform
	mu     sync.Mutex
	back   map[bot.Receipt]int
	busy   atomic.Bool
	denied string // address of a channel where it refuses
}

func (r *recaller) Recall(_ context.Context, dst bot.Channel, receipt bot.Receipt) error {
	if !r.busy.Swap(true) {
		return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "500", MaybeSent: true, Err: errors.New("busy")}
	}
	if dst.Address == r.denied {
		return &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "cant_delete", Err: errors.New("not ours")}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.back[receipt]++
	return nil
}

func TestARecallTakesEveryPartBack(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(120)
		p := &recaller{platform: &platform{parts: 3}, back: map[bot.Receipt]int{}, denied: chat(7).Address}
		stop := w.engine(p, func(c *Config) { c.Backoff = time.Millisecond })
		id := w.broadcast("wrong", bot.Audience{})
		w.ended(id, false)
		stop() // the receipts are in the store
		w.engine(p, func(c *Config) { c.Backoff = time.Millisecond })
		w.stop(id, true)
		r := w.ended(id, true)
		if r.Counts[bot.Recalled] != 119 || r.Counts[bot.Dead] != 1 || len(p.back) != 119*3 {
			t.Errorf("report %+v, %d posts taken back: want 119 channels of 3 parts, one refused", r, len(p.back))
		}
	})
}

// A recall in the middle waits for what is on the wire, and takes that back too.
func TestARecallWhileItRuns(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(300)
	gate := make(chan struct{})
	p := &recaller{platform: &platform{answer: func(bot.Channel, bot.Post) error { <-gate; return nil }}, back: map[bot.Receipt]int{}}
	w.engine(p, func(c *Config) { c.InFlight, c.Backoff = 8, time.Millisecond })
	id := w.broadcast("wrong", bot.Audience{})
	eventually(t, "posts on the wire", func() bool { return w.flying() > 0 })
	w.stop(id, true)
	close(gate)
	back := w.ended(id, true)
	sent := w.progress(id, false)
	if n := sent.Counts[bot.Sent]; n == 0 || n+sent.Counts[bot.Cancelled] != 300 || back.Counts[bot.Recalled] != n || len(p.back) != p.count() {
		t.Errorf("sent %+v, taken back %+v, %d of %d posts", sent, back, len(p.back), p.count())
	}
}

func TestAScheduledBroadcastComesAgain(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(5)
	p := &platform{}
	w.engine(p, nil)
	id := sendBroadcast(t, w.store, bot.Broadcast{Schedule: bot.Schedule{Cron: "0 9 * * *", Zone: "UTC"}}, "daily")
	eventually(t, "the first occurrence", func() bool { return p.count() == 5 })
	b, err := w.store.Broadcast(t.Context(), id)
	if err != nil || b.Next.IsZero() {
		t.Fatalf("broadcast %+v, %v: has no next time", b, err)
	}
	_, err = w.store.ChangeBroadcast(t.Context(), id, func(b *bot.Broadcast) (*bot.Order, error) { b.Next = time.Now(); return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second occurrence", func() bool { return p.count() == 10 })
	if b, _ = w.store.Broadcast(t.Context(), id); len(b.Runs) != 2 || b.Runs[0].ID == b.Runs[1].ID {
		t.Errorf("runs = %+v", b.Runs)
	}
}

func TestOneSubscriptionIsFired(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(3)
		p := &platform{}
		w.engine(p, nil)
		id := bot.SubscriptionID{Channel: chat(1).ID(), Ordinal: 1}
		if err := w.store.Fire(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		eventually(t, "one post", func() bool { return p.count() == 1 })
		w.publish("second")
		w.due()
		eventually(t, "all posts", func() bool { return p.count() >= 4 })
		eventually(t, "a finished ledger", w.settled)
		want := map[string]int{"C00001 0-1/1": 1, "C00001 1-2/1": 1, "C00000 0-2/1": 1, "C00002 0-2/1": 1}
		if seen := p.seen(); fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("arrived: %v, want %v", seen, want)
		}
		if err := w.store.Fire(t.Context(), id); !errors.Is(err, bot.ErrNothingNew) {
			t.Errorf("firing again = %v, want %v", err, bot.ErrNothingNew)
		}
	})
}

// letters are all dead letters.
func (w *world) letters() (list []bot.DeadLetter) {
	w.t.Helper()
	for sh := range w.store.Shards() {
		l, err := w.store.Letters(w.t.Context(), sh)
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, l...)
	}
	return list
}

func TestDeadLettersAreReplayed(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(4)
		var broken atomic.Bool
		broken.Store(true)
		p := &platform{parts: 2, answer: func(dst bot.Channel, post bot.Post) error {
			if broken.Load() && dst.Address <= chat(1).Address && post.Part == 2 {
				return &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "refused", Err: errors.New("no")}
			}
			return nil
		}}
		w.engine(p, nil)
		id := w.broadcast("hello", bot.Audience{})
		w.due()
		w.ended(id, false)
		eventually(t, "four dead letters", func() bool { return len(w.letters()) == 4 })
		broken.Store(false)
		for _, l := range w.letters() {
			if l.Code != "refused" || l.Reason == "" {
				t.Errorf("letter without a reason: %+v", l)
			}
			if err := w.store.Replay(t.Context(), l.ID); err != nil {
				t.Fatal(err)
			}
			if err := w.store.Replay(t.Context(), l.ID); err != nil && !errors.Is(err, bot.ErrNotFound) { // a repeated order changes nothing
				t.Fatal(err)
			}
		}
		eventually(t, "no dead letter, nothing left", func() bool { return len(w.letters()) == 0 && w.settled() && p.count() == 16 })
		exactlyOnce(t, p, 4, "hello/1", "hello/2", "0-1/1", "0-1/2")
		w.publish("second")
		w.due()
		eventually(t, "the next run", func() bool { return p.count() == 24 })
		if seen := p.seen(); seen["C00000 1-2/1"] != 1 {
			t.Errorf("a replayed digest is still owed: %v", seen)
		}
	})
}

func TestHeldDeliveriesAreDropped(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(1)
	var broken atomic.Bool
	broken.Store(true)
	p := &platform{answer: func(bot.Channel, bot.Post) error {
		if broken.Load() {
			return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", MaybeSent: true, Err: errors.New("hung up")}
		}
		return nil
	}}
	w.engine(p, func(c *Config) { c.OnUncertain = Hold })
	w.due()
	eventually(t, "a held delivery", func() bool { l := w.letters(); return len(l) == 1 && l[0].State == bot.Held })
	broken.Store(false)
	if err := w.store.Drop(t.Context(), w.letters()[0].ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no letter", func() bool { return len(w.letters()) == 0 })
	w.publish("second")
	w.due()
	eventually(t, "the next digest", func() bool { return p.count() == 1 })
	if seen := p.seen(); seen["C00000 1-2/1"] != 1 {
		t.Errorf("what counts as arrived came again: %v", seen)
	}
}

// The redis-server is killed with SIGKILL at random moments of a broadcast and of a run of digests, AOF always, with the engine or without it; in every
// other round the broadcast is cancelled at one of them. What was sent and what was cancelled add up, and nothing comes twice.
func TestBroadcastSurvivesItsRedis(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for round := range max(2, *chaosRounds/2) {
		t.Run(fmt.Sprintf("%d,cancel=%v", round, round%2 == 1), func(t *testing.T) {
			t.Parallel()
			killedRedisRound(t, seed+uint64(round), round%2 == 1)
		})
	}
}

func killedRedisRound(t *testing.T, seed uint64, cancel bool) {
	const channels, kills, parts = 300, 4, 2
	rng := rand.New(rand.NewPCG(seed, 3))
	s := newSink(t, seed, false)
	s.slow = time.Millisecond
	dir, err := os.MkdirTemp("", "wb") // short: a socket's path is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	server := needs.NewServer(t, dir, 0, "--appendonly", "yes", "--appendfsync", "always")
	c := childConfig{Sink: s.URL, Socket: server.Addr, Finder: true, InFlight: 16, Parts: parts, Node: "node"}
	c.prepare(t, channels)
	c.withStore(func(store *redisstore.Store) { c.Broadcast = sendBroadcast(t, store, bot.Broadcast{}, "hello") })
	p, cancelAt := c.start(t), -1
	if cancel {
		cancelAt = rng.IntN(kills)
	}
	var cancelled chan error
	for k := range kills {
		from, wait := s.count.Load(), int64(1+rng.IntN(250))
		eventually(t, "posts", func() bool { return s.count.Load() >= from+wait || ended(p) })
		if k == cancelAt && c.begun() {
			cancelled = make(chan error, 1)
			go func() { cancelled <- c.cancel() }()
		}
		time.Sleep(time.Duration(rng.IntN(2000)) * time.Microsecond)
		server.Kill()
		if rng.IntN(2) == 0 {
			p.Kill()
			s.settle(t)
		}
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
		server.Restart(t)
		if ended(p) {
			p = c.start(t)
		}
	}
	if cancelled != nil {
		if err := <-cancelled; err != nil {
			t.Fatalf("seed %d: cancel: %v", seed, err)
		}
	}
	select {
	case <-p.Done():
	case <-time.After(90 * time.Second):
		t.Fatalf("seed %d: not finished: %d posts", seed, s.count.Load())
	}
	if p.Err() != nil {
		t.Fatalf("seed %d: an engine ended with %v", seed, p.Err())
	}
	c.withStore(func(store *redisstore.Store) {
		b, err := store.Broadcast(context.Background(), c.Broadcast)
		if err != nil {
			t.Fatal(err)
		}
		r, err := store.Progress(context.Background(), *b.Last())
		sent := r.Counts[bot.Sent]
		lost, doubled, faults := s.result(channels+sent, 1) // of the digests, and of the broadcast what was not cancelled
		t.Logf("seed %d: %d posts, %d of the broadcast's sent, %d cancelled", seed, s.count.Load(), sent, r.Counts[bot.Cancelled])
		if err != nil || !r.Ended || sent+r.Counts[bot.Cancelled] != channels || cancelled == nil && sent != channels {
			t.Errorf("seed %d: the report says %+v, %v", seed, r, err)
		}
		if lost != 0 || doubled != 0 || len(faults) > 0 {
			t.Errorf("seed %d: %d lost, %d doubled, %q; for example %s", seed, lost, doubled, faults, s.example())
		}
	})
}

// begun says that the broadcast is under way.
func (c childConfig) begun() (begun bool) {
	c.withStore(func(store *redisstore.Store) {
		b, err := store.Broadcast(context.Background(), c.Broadcast)
		begun = err == nil && b.State == bot.BroadcastRunning
	})
	return begun
}

// cancel cancels the broadcast, over any outage of Redis, as somebody who is killed before the owners are told at once.
func (c childConfig) cancel() (err error) {
	c.withStore(func(store *redisstore.Store) {
		for range 600 {
			if err = orderStop(context.Background(), store, c.Broadcast, false); err == nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	})
	return err
}

// Engines are killed with SIGKILL in the middle of a broadcast and of a run of digests: everything arrives once.
func TestBroadcastSurvivesKills(t *testing.T) {
	for _, store := range []string{"embedded", "redis"} {
		for _, replicas := range []int{1, 3} {
			if store == "embedded" && replicas > 1 {
				continue // belongs to one process
			}
			t.Run(fmt.Sprintf("%s,%d", store, replicas), func(t *testing.T) {
				t.Parallel()
				broadcastRound(t, store, replicas)
			})
		}
	}
}

func broadcastRound(t *testing.T, store string, replicas int) {
	const channels, kills = 600, 4
	s := newSink(t, 1, false)
	s.slow = time.Millisecond
	c := childConfig{Sink: s.URL, Finder: true, InFlight: 16, Parts: 2}
	if store == "embedded" {
		c.Dir = t.TempDir()
	} else {
		dir, err := os.MkdirTemp("", "wb") // short: a socket's path is
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		c.Socket = needs.NewServer(t, dir, 0, "--appendonly", "yes").Addr
	}
	c.prepare(t, channels)
	c.withStore(func(store *redisstore.Store) {
		c.Broadcast = sendBroadcast(t, store, bot.Broadcast{}, strings.Repeat("hello ", 10))
	})
	var running []*needs.Process
	for n := range replicas {
		c.Node = fmt.Sprint("node", n)
		running = append(running, c.start(t))
	}
	for k := range kills {
		from, victim := s.count.Load(), k%replicas
		eventually(t, "posts", func() bool { return s.count.Load() >= from+150 || ended(running[victim]) })
		running[victim].Kill()
		if replicas == 1 {
			s.settle(t)
		}
		c.Node = fmt.Sprint("node", victim)
		running[victim] = c.start(t)
	}
	for _, p := range running {
		select {
		case <-p.Done():
		case <-time.After(90 * time.Second):
			t.Fatalf("not finished: %d posts", s.count.Load())
		}
		if p.Err() != nil {
			t.Fatalf("an engine ended with %v", p.Err())
		}
	}
	lost, doubled, faults := s.result(channels, 2) // a digest and the broadcast
	if lost != 0 || doubled != 0 || len(faults) > 0 {
		t.Errorf("%d posts, %d lost, %d doubled, %q; for example %s", s.count.Load(), lost, doubled, faults, s.example())
	}
	c.withStore(func(store *redisstore.Store) {
		b, err := store.Broadcast(context.Background(), c.Broadcast)
		if err != nil {
			t.Fatal(err)
		}
		p, err := store.Progress(context.Background(), *b.Last())
		if err != nil || !p.Ended || p.Counts[bot.Sent] != channels {
			t.Errorf("the report says %+v, %v; want %d sent", p, err, channels)
		}
	})
}
