package notice

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// chats is a platform where members whose ID begins with "U" can be spoken to.
type chats struct {
	mu     sync.Mutex
	posts  []bot.Post
	to     []string
	answer func(dst bot.Channel) error // nil: every post arrives
}

func (c *chats) Name() string                                  { return "fake" }
func (c *chats) Kinds() []bot.Kind                             { return []bot.Kind{"app"} }
func (c *chats) Capabilities(bot.Kind) bot.Capabilities        { return bot.Capabilities{} }
func (c *chats) Split(_ bot.Kind, m bot.Message) []bot.Message { return []bot.Message{m} }
func (c *chats) Direct(ws, member string) (bot.Channel, bool) {
	return bot.Channel{Adapter: "fake", Kind: "app", Workspace: ws, Address: member}, strings.HasPrefix(member, "U")
}

func (c *chats) Send(_ context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, error) {
	if c.answer != nil {
		if err := c.answer(dst); err != nil {
			return "", err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posts, c.to = append(c.posts, p), append(c.to, dst.Workspace+"/"+dst.Address)
	return "r", nil
}

// told is every text that arrived, as "workspace/member: text", sorted.
func (c *chats) told() (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, p := range c.posts {
		for _, b := range p.Message.Blocks {
			list = append(list, c.to[i]+": "+b.Text)
		}
	}
	slices.Sort(list)
	return list
}

// world is a store with one subscription of U1's, and a platform.
type world struct {
	t     *testing.T
	store *redisstore.Store
	chats *chats
	ch    bot.Channel
	sub   bot.Subscription
	log   bytes.Buffer
}

func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("embedded", func(t *testing.T) { test(t, embeddedWorld(t)) })
	t.Run("redis", func(t *testing.T) {
		test(t, newWorld(t, needs.RedisClient(t), redisstore.Options{Prefix: fmt.Sprint("notice", prefixes.Add(1), "at", time.Now().UnixNano())}))
	})
}

var prefixes atomic.Int64

func newWorld(t *testing.T, rdb redis.UniversalClient, opt redisstore.Options) *world {
	t.Helper()
	opt.SlotID = func(s bot.Schedule) string { return s.Cron + s.Zone }
	opt.Next = func(_ bot.Schedule, after time.Time) (time.Time, error) { return after.Add(time.Hour), nil }
	s, err := redisstore.Open(t.Context(), rdb, opt)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: s, chats: &chats{}, ch: bot.Channel{Adapter: "fake", Kind: "app", Workspace: "W", Address: "C1", Name: "news"}}
	w.sub = w.subscribe("fake:W/U1")
	return w
}

func (w *world) subscribe(by string) bot.Subscription {
	w.t.Helper()
	sub, err := w.store.Add(w.t.Context(), w.ch, bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}, Style: bot.StyleBrief, Lang: "en", By: by})
	if err != nil {
		w.t.Fatal(err)
	}
	return sub
}

// teller is one replica.
func (w *world) teller(change func(*Config)) *Teller {
	cfg := Config{Store: w.store, Adapters: []bot.Adapter{w.chats}, Lang: "en", Admins: func() []string { return []string{"fake:W/U9"} }, Log: slog.New(slog.NewTextHandler(&w.log, nil))}
	if change != nil {
		change(&cfg)
	}
	return New(cfg)
}

// round keeps and tells once.
func (w *world) round(t *Teller) {
	t.keep(w.t.Context())
	t.tell(w.t.Context())
}

// missed raises a missed run.
func (w *world) missed(tl *Teller, r bot.Run) {
	w.t.Helper()
	if err := tl.MissedRun(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
}

// wantTold checks who was told how often what begins so.
func (w *world) wantTold(want ...string) {
	w.t.Helper()
	got := w.chats.told()
	ok := len(got) == len(want)
	for i := 0; ok && i < len(got); i++ {
		ok = strings.HasPrefix(got[i], want[i])
	}
	if !ok {
		w.t.Errorf("told %q, want %q", got, want)
	}
}

func (w *world) open() []bot.Notice {
	w.t.Helper()
	list, err := w.store.Notices(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func TestTwoReplicasTellOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		tellers := []*Teller{w.teller(nil), w.teller(nil)}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		a := bot.Ailment{Code: "is_archived", Since: time.Now()}
		for _, tl := range tellers {
			tl.Ailing(w.ch.ID(), a)
			tl.Held(bot.Workspace{Adapter: "fake", Name: "W"}, a)
			tl.Silent("weekly", time.Unix(0, 0))
			running.Go(func() { _ = tl.Run(ctx) })
		}
		eventually(t, "all told", func() bool { return len(w.chats.told()) >= 3 && len(w.open()) == 0 })
		again := w.teller(nil) // a restart
		again.Ailing(w.ch.ID(), a)
		w.round(again)
		stop()
		running.Wait()
		w.wantTold("W/U1: Digests no longer arrive in fake “news”", "W/U9: The newsletter \"weekly\"", "W/U9: The workspace fake W")
		again.Ailing(w.ch.ID(), bot.Ailment{Code: "is_archived", Since: a.Since.Add(time.Hour)}) // another episode
		w.round(again)
		if n := len(w.chats.told()); n != 4 {
			t.Errorf("after another episode %d were told, want 4", n)
		}
	})
}

func TestACrashLosesNoNotice(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		first := w.teller(func(c *Config) { c.Lease = time.Hour })
		w.missed(first, bot.Run{ID: "slot@1", Due: time.Unix(1, 0)})
		first.keep(t.Context())
		began := time.Now()
		if mine := first.claim(t.Context(), began); len(mine) != 1 {
			t.Fatalf("claimed %v", mine)
		} // and it dies here
		second := w.teller(nil)
		w.round(second)
		w.wantTold() // not while the claim lasts
		if mine := second.claim(t.Context(), began.Add(time.Hour)); len(mine) != 1 {
			t.Fatalf("after the claim %v can be claimed", mine)
		}
		if mine := second.claim(t.Context(), began.Add(3*time.Hour)); len(mine) != 1 || mine[0].Tries != 3 {
			t.Fatalf("claimed %v", mine)
		}
	})
}

func TestWhatIsClaimedByTheDeadIsTold(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		died := w.teller(func(c *Config) { c.Lease = time.Nanosecond })
		w.missed(died, bot.Run{ID: "slot@1", Due: time.Unix(1, 0)})
		died.keep(t.Context())
		if mine := died.claim(t.Context(), time.Now()); len(mine) != 1 {
			t.Fatalf("claimed %v", mine)
		}
		w.round(w.teller(nil))
		w.wantTold("W/U9: The digests of 1970-01-01 00:00 UTC")
		if left := w.open(); len(left) != 0 {
			t.Errorf("still to be told: %v", left)
		}
	})
}

func TestOwnersElseAdministrators(t *testing.T) {
	gone := &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "user_gone", Err: errors.New("gone")}
	for _, c := range []struct {
		name   string
		by     []string // who else subscribed
		admins []string
		answer func(dst bot.Channel) error
		rounds int
		want   []string
	}{
		{"the owner", nil, []string{"fake:W/U9"}, nil, 1, []string{"W/U1: "}},
		{"each owner once", []string{"fake:W/U2", "fake:W/U1"}, []string{"fake:W/U9"}, nil, 1, []string{"W/U1: ", "W/U2: "}},
		{"a declared subscription's", []string{"config"}, []string{"fake:W/U9", "fake:V/U8"}, nil, 1, []string{"V/U8: ", "W/U1: ", "W/U9: "}},
		{"an owner on no platform", []string{"other:W/U1"}, []string{"fake:W/U9"}, nil, 1, []string{"W/U1: ", "W/U9: "}},
		{"nobody configured", []string{"config"}, nil, nil, 1, []string{"W/U1: "}},
		{"an owner who is gone", nil, []string{"fake:W/U9"}, func(dst bot.Channel) error {
			if dst.Address == "U1" {
				return gone
			}
			return nil
		}, 2, []string{"W/U9: "}},
		{"all are gone", nil, []string{"fake:W/U9"}, func(bot.Channel) error { return gone }, 2, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, w *world) {
				for _, by := range c.by {
					w.subscribe(by)
				}
				w.chats.answer = c.answer
				tl := w.teller(func(cfg *Config) { cfg.Admins, cfg.Backoff = func() []string { return c.admins }, time.Nanosecond })
				tl.Ailing(w.ch.ID(), bot.Ailment{Code: "kicked", Action: bot.AskInvite, Since: time.Now()})
				for range c.rounds {
					w.round(tl)
				}
				w.wantTold(c.want...)
				if left := w.open(); len(left) != 0 {
					t.Errorf("still to be told: %v", left)
				}
			})
		})
	}
}

func TestUndeliveredGoesToOwnerAndAdministrators(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		tl := w.teller(nil)
		tl.Undelivered(w.sub.ID, bot.Owed{From: 7, Times: 3})
		tl.Undelivered(w.sub.ID, bot.Owed{From: 7, Times: 4})
		tl.Undelivered(bot.SubscriptionID{Channel: w.ch.ID(), Ordinal: 99}, bot.Owed{Times: 3}) // unsubscribed since
		w.round(tl)
		w.wantTold("W/U1: Subscription #1 of fake “news” got nothing at 3", "W/U9: Subscription #1 of fake “news” got nothing at 3")
	})
}

func TestAFailedPostIsTriedAgainUntilADayIsOver(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		var tries int
		w.chats.answer = func(bot.Channel) error {
			tries++
			return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "busy", Err: errors.New("busy")}
		}
		tl := w.teller(func(c *Config) { c.Backoff, c.GiveUp = time.Nanosecond, time.Hour })
		tl.NoHolidays(2027)
		w.round(tl)
		w.round(tl)
		left := w.open()
		if tries != 2 || len(left) != 1 || left[0].Tries != 2 {
			t.Fatalf("after %d tries there are %v", tries, left)
		}
		tl.cfg.GiveUp = time.Nanosecond
		w.round(tl)
		if left := w.open(); len(left) != 0 || !strings.Contains(w.log.String(), "level=ERROR") {
			t.Errorf("after the last try there are %v, and the log says\n%s", left, w.log.String())
		}
	})
}

// refusing is a store that keeps no more notices.
type refusing struct {
	Store
	err error
}

func (r refusing) AddNotice(context.Context, bot.Notice) (bool, error) { return false, r.err }

// A missed run waits for a store that does not answer, not for room among notices that nobody reads.
func TestAMissedRunWaitsForTheStoreOnly(t *testing.T) {
	w := embeddedWorld(t)
	away := errors.New("connection refused")
	for _, c := range []struct{ says, want error }{{away, away}, {fmt.Errorf("keep notice: %w", bot.ErrNoticesFull), nil}} {
		tl := w.teller(func(cfg *Config) { cfg.Store = refusing{w.store, c.says} })
		if err := tl.MissedRun(t.Context(), bot.Run{ID: "slot@1"}); !errors.Is(err, c.want) {
			t.Errorf("where the store says %q: %v, want %v", c.says, err, c.want)
		}
	}
	if !strings.Contains(w.log.String(), "a notice was dropped") {
		t.Errorf("the log says\n%s", w.log.String())
	}
}

func TestManyNoticesMakeFewMessages(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		tl := w.teller(nil)
		for i := range 2*maxTogether + 1 {
			w.missed(tl, bot.Run{ID: fmt.Sprint("slot@", i), Due: time.Unix(int64(i), 0)})
		}
		for range 3 {
			w.round(tl)
		}
		keys := map[string]bool{}
		for _, p := range w.chats.posts {
			keys[p.Key] = true
		}
		if got := len(w.chats.told()); got != 2*maxTogether+1 || len(w.chats.posts) != 3 || len(keys) != 3 {
			t.Errorf("%d notices in %d messages with %d keys", got, len(w.chats.posts), len(keys))
		}
	})
}

func TestAllowancesAreToldOfAtEachStep(t *testing.T) {
	w := embeddedWorld(t)
	tl := w.teller(nil)
	for _, used := range []int64{0, 79, 80, 85, 90, 99, 100, 130} {
		tl.Allowance(bot.Meter{Adapter: "dingtalk", Name: "OpenAPI", Month: "2026-11", Used: used, Limit: 100})
	}
	tl.Allowance(bot.Meter{Adapter: "dingtalk", Name: "OpenAPI", Month: "2026-12", Used: 80, Limit: 100})
	w.round(tl)
	w.wantTold("W/U9: 100% of", "W/U9: 80% of", "W/U9: 80% of", "W/U9: 90% of")
}

func embeddedWorld(t *testing.T) *world {
	e, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := e.Client()
	t.Cleanup(func() { _ = c.Close(); _ = e.Close() })
	return newWorld(t, c, redisstore.Options{Shards: 1, Sole: true})
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited a minute for: %s", what)
}
