package outbox

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weeklybot/bot"
)

// A platform with a budget per workspace refuses what comes too fast; several replicas together never do.
func TestReplicasShareTheBudgetOfAWorkspace(t *testing.T) {
	for _, replicas := range []int{1, 2, 5} {
		t.Run(fmt.Sprintf("replicas=%d", replicas), func(t *testing.T) {
			t.Parallel()
			w := redisWorld(t)
			const small, big = 20, 150
			for i := range small + big {
				ch := chat(i)
				if i < small {
					ch.Workspace = "small"
				}
				if _, err := w.store.Add(t.Context(), ch, bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}, Lang: "zh"}); err != nil {
					t.Fatal(err)
				}
			}
			w.publish("first")
			limit := &slidingWindow{most: 100, length: 3 * time.Second, times: map[string][]time.Time{}}
			p := &platform{caps: bot.Capabilities{WorkspaceGap: 30 * time.Millisecond}, answer: limit.answer}
			for range replicas {
				w.engine(p, nil)
			}
			w.due()
			eventually(t, "all posts", func() bool { return p.count() >= small+big && w.settled() })
			if limit.refused > 0 {
				t.Errorf("%d posts came too fast", limit.refused)
			}
			last := 0
			for i, address := range p.where {
				if address < chat(small).Address {
					last = i
				}
			}
			if last > 4*small+replicas {
				t.Errorf("the small workspace's last post was number %d of %d: the big one took its turns", last, small+big)
			}
		})
	}
}

// slidingWindow refuses more than most posts of one workspace within its length.
type slidingWindow struct {
	most    int
	length  time.Duration
	mu      sync.Mutex
	times   map[string][]time.Time
	refused int
}

func (s *slidingWindow) answer(dst bot.Channel, _ bot.Post) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	times := s.times[dst.Workspace]
	for len(times) > 0 && now.Sub(times[0]) >= s.length {
		times = times[1:]
	}
	if len(times) >= s.most {
		s.refused++
		return &bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeWorkspace, Code: "too_fast", RetryAfter: s.length, Err: fmt.Errorf("too fast")}
	}
	s.times[dst.Workspace] = append(times, now)
	return nil
}

// One replica meets a limit; all of them keep to it.
func TestARateLimitIsLearntByAllReplicas(t *testing.T) {
	w := redisWorld(t)
	w.subscribe(200)
	var mu sync.Mutex
	var until time.Time
	early := 0
	p := &platform{answer: func(bot.Channel, bot.Post) error {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if until.IsZero() {
			until = now.Add(2 * time.Second)
		}
		if now.Before(until) {
			early++
			return &bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeWorkspace, Code: "429", RetryAfter: until.Sub(now), Err: fmt.Errorf("slow down")}
		}
		return nil
	}}
	for range 3 {
		w.engine(p, func(c *Config) { c.InFlight = 8 })
	}
	w.due()
	eventually(t, "all posts", func() bool { return p.count() >= 200 && w.settled() })
	exactlyOnce(t, p, 200, "0-1/1")
	if early > 60 {
		t.Errorf("%d posts ran into a limit that was known", early)
	}
}

// slow is a store that takes its time with every fourth commit.
type slow struct {
	Queue
	by time.Duration
}

func (q *slow) Commit(ctx context.Context, commits []bot.Commit) []bot.Committed {
	if commits[0].Number%4 == 0 {
		time.Sleep(q.by)
	}
	return q.Queue.Commit(ctx, commits)
}

// What a slow commit has held up does not arrive in a burst: whose moment in the budget is over asks for another.
func TestASlowCommitMakesNoBurst(t *testing.T) {
	t.Parallel()
	w := embeddedWorld(t)
	w.subscribe(20)
	// A gap of 100 ms leaves deliveries 9 posts a second; as late as they may be, 5 arrive in 300 ms. A commit holds up 8 or 9.
	limit := &slidingWindow{most: 6, length: 300 * time.Millisecond, times: map[string][]time.Time{}}
	p := &platform{caps: bot.Capabilities{WorkspaceGap: 100 * time.Millisecond}, answer: limit.answer}
	w.engine(p, func(c *Config) { c.Queue = &slow{w.store, 950 * time.Millisecond} })
	w.due()
	eventually(t, "20 posts", func() bool { return p.count() >= 20 && w.settled() })
	exactlyOnce(t, p, 20, "0-1/1")
	if limit.refused > 0 {
		t.Errorf("%d posts came too fast", limit.refused)
	}
}

// reservations is a store that counts the posts reserved of a whole platform's budget.
type reservations struct {
	Queue
	whole atomic.Int64
}

func (q *reservations) Reserve(ctx context.Context, w bot.Workspace, gap, late time.Duration, n int) (int, time.Duration, error) {
	posts, after, err := q.Queue.Reserve(ctx, w, gap, late, n)
	if w.Name == wholeLane {
		q.whole.Add(int64(posts))
	}
	return posts, after, err
}

// What a node reserves of the limit of a whole platform others cannot have: no more than its workspaces may post.
func TestNoMoreOfThePlatformIsReservedThanMayGo(t *testing.T) {
	t.Parallel()
	const posts = 20
	w := embeddedWorld(t)
	w.subscribe(posts)
	q := &reservations{Queue: w.store}
	p := &platform{caps: bot.Capabilities{WorkspaceGap: 100 * time.Millisecond, TotalGap: time.Millisecond}}
	w.engine(p, func(c *Config) { c.Queue = q })
	w.due()
	eventually(t, "20 posts", func() bool { return p.count() >= posts && w.settled() })
	exactlyOnce(t, p, posts, "0-1/1")
	if n := q.whole.Load(); n < posts || n > 3*posts {
		t.Errorf("%d posts reserved for %d", n, posts)
	}
}
