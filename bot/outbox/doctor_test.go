package outbox

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weeklybot/bot"
)

// fault is a switch that makes posts to some channels fail.
type fault struct {
	on    atomic.Bool
	tries atomic.Int64
	err   bot.SendError
	hits  func(dst bot.Channel, p bot.Post) bool // nil: every post
}

func (f *fault) answer(dst bot.Channel, p bot.Post) error {
	if !f.on.Load() || f.hits != nil && !f.hits(dst, p) {
		return nil
	}
	f.tries.Add(1)
	err := f.err
	err.Err = errors.New(err.Code)
	return &err
}

func newFault(err bot.SendError) *fault {
	f := &fault{err: err}
	f.on.Store(true)
	return f
}

func (w *world) stateOf(n int) bot.State {
	subs, err := w.store.List(w.t.Context(), chat(n).ID())
	if err != nil {
		w.t.Fatal(err)
	}
	return subs[0].State
}

func TestARefusedPostGoesOnceMoreAsPlainText(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(3)
		refused := newFault(bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "invalid_blocks"})
		refused.hits = func(dst bot.Channel, p bot.Post) bool {
			plain := p.Message.Blocks != nil && p.Message.Blocks[0].Kind == bot.BlockText
			return dst.Address == "C00000" || dst.Address == "C00001" && !plain
		}
		p := &linked{platform{parts: 2, answer: refused.answer}}
		w.engine(p, nil)
		w.due()
		eventually(t, "a finished ledger", func() bool { return w.settled() && p.count() >= 4 })
		exactly := p.seen()
		if exactly["C00001 0-1/1"] != 1 || exactly["C00001 0-1/2"] != 1 || exactly["C00000 0-1/1"] != 0 || exactly["C00002 0-1/2"] != 1 {
			t.Errorf("arrived: %v", exactly)
		}
		if n := refused.tries.Load(); n != 3 {
			t.Errorf("%d posts were refused, want 2 of one channel, in both forms, and 1 of the other", n)
		}
		if got := w.letters(); len(got) != 1 || got[0].State != bot.Dead || got[0].Code != "invalid_blocks" {
			t.Errorf("dead letters: %v", got)
		}
	})
}

// linked is a platform whose parts hold a link.
type linked struct{ platform }

func (l *linked) Split(kind bot.Kind, m bot.Message) []bot.Message {
	parts := l.platform.Split(kind, m)
	for i := range parts {
		if len(m.Blocks) > 0 {
			continue // it is a part already
		}
		parts[i].Blocks = []bot.Block{{Kind: bot.BlockItem, Title: "item", URL: "https://example.com"}}
	}
	return parts
}

func TestAnUnknownCodeIsTriedOnceMore(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(2)
	odd := newFault(bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Action: bot.ActOnce, Code: "odd"})
	var first sync.Once
	odd.hits = func(dst bot.Channel, _ bot.Post) (hit bool) {
		if dst.Address == "C00000" {
			return true
		}
		first.Do(func() { hit = true })
		return hit
	}
	p := &platform{answer: odd.answer}
	w.engine(p, func(c *Config) { c.Backoff = time.Millisecond })
	w.due()
	eventually(t, "a finished ledger", func() bool { return w.settled() && p.count() >= 1 && len(w.letters()) == 1 })
	if n := odd.tries.Load(); n != 3 {
		t.Errorf("%d posts got the unknown code, want 2 of the dead delivery and 1 of the other", n)
	}
	if got := w.letters(); len(got) != 1 || got[0].Code != "odd" {
		t.Errorf("dead letters: %v", got)
	}
	if s := w.stateOf(0); s != bot.StateActive {
		t.Errorf("the subscription is %s", s)
	}
}

func TestAChannelOnProbationIsTriedAtEachOccurrenceAndComesBack(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(2)
		gone := newFault(bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "is_archived"})
		gone.hits = func(dst bot.Channel, _ bot.Post) bool { return dst.Address == "C00000" }
		p := &platform{answer: gone.answer}
		stop := w.engine(p, nil)
		w.due()
		eventually(t, "probation", func() bool { return w.settled() && p.count() == 1 && w.stateOf(0) == bot.StateProbation })
		if s := w.stateOf(1); s != bot.StateActive {
			t.Errorf("the healthy channel's subscription is %s", s)
		}
		since := w.ailment(0).Since
		w.publish("second")
		w.due()
		eventually(t, "another try", func() bool { return w.settled() && p.count() == 2 && gone.tries.Load() == 2 })
		if now := w.ailment(0).Since; !now.Equal(since) {
			t.Errorf("probation since %v, and later since %v", since, now)
		}
		stop()
		gone.on.Store(false) // another owner finds it well
		w.engine(p, nil)
		w.publish("third")
		w.due()
		eventually(t, "both", func() bool { return p.count() == 4 && w.settled() })
		eventually(t, "a channel that is well", func() bool { return w.stateOf(0) == bot.StateActive })
		if seen := p.seen(); seen["C00000 0-3/1"] != 1 {
			t.Errorf("what was missed did not come in one digest: %v", seen)
		}
	})
}

func (w *world) ailment(n int) bot.Ailment {
	_, a, err := w.store.Ailing(w.t.Context(), chat(n))
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func TestAnEventPutsAChannelOnProbationForItsOwner(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(1)
	p := &platform{}
	w.engine(p, nil)
	ctx := t.Context()
	if err := w.store.Ail(ctx, chat(0).ID(), bot.Ailment{Code: "bot_removed", Action: bot.AskInvite, Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := w.store.Ail(ctx, chat(7).ID(), bot.Ailment{Code: "bot_removed"}); err != nil {
		t.Fatal(err)
	}
	if s := w.stateOf(0); s != bot.StateProbation {
		t.Errorf("after the event: %s", s)
	}
	if h, err := w.store.Health(ctx); err != nil || h.Probation != 1 {
		t.Errorf("Health = %+v, %v: a channel that never subscribed does not count", h, err)
	}
	w.due()
	eventually(t, "the digest, and a channel that is well", func() bool { return p.count() == 1 && w.stateOf(0) == bot.StateActive })
}

func TestAHeldWorkspaceWaitsAndASingleDeliveryTriesIt(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.subscribe(400)
		revoked := newFault(bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Code: "token_revoked"})
		p := &platform{answer: revoked.answer}
		few := func(c *Config) { c.InFlight, c.Probe = 8, 300*time.Millisecond }
		stop, stop2 := w.engine(p, few), func() {}
		if w.store.Shards() > 1 {
			stop2 = w.engine(p, few)
		}
		w.due()
		eventually(t, "the hold", func() bool { return w.stateOf(399) == bot.StateHeld })
		eventually(t, "a run that is paged", func() bool {
			for _, key := range w.keys("open") {
				if w.rdb.SCard(t.Context(), key).Val() > 0 {
					return false
				}
			}
			return true
		})
		before := revoked.tries.Load()
		eventually(t, "a try", func() bool { return revoked.tries.Load() > before })
		if n := revoked.tries.Load(); n > 100 {
			t.Errorf("%d posts went to a workspace that refuses them all", n)
		}
		stop()
		stop2()
		revoked.on.Store(false)
		w.engine(p, few) // a new owner knows that it is held
		eventually(t, "all posts", func() bool { return p.count() >= 400 && w.settled() })
		exactlyOnce(t, p, 400, "0-1/1")
		eventually(t, "a workspace that works", func() bool { return w.stateOf(0) == bot.StateActive })
		if got := w.letters(); len(got) > 0 {
			t.Errorf("%d dead letters of a workspace that only waited, one: %+v", len(got), got[0])
		}
	})
}

func TestAWorkspaceThatIsInstalledAgainGoesOnAtOnce(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(50)
	ctx, space := t.Context(), bot.Workspace{Adapter: "fake", Name: "W"}
	if first, err := w.store.Hold(ctx, space, bot.Ailment{Code: "install_revoked", Since: time.Now()}); err != nil || !first {
		t.Fatalf("Hold = %v, %v", first, err)
	}
	if first, err := w.store.Hold(ctx, space, bot.Ailment{Code: "token_revoked"}); err != nil || first {
		t.Errorf("Hold again = %v, %v: the first ailment stays", first, err)
	}
	var early atomic.Int64
	var restored atomic.Bool
	p := &platform{answer: func(bot.Channel, bot.Post) error {
		if !restored.Load() {
			early.Add(1)
		}
		return nil
	}}
	w.engine(p, func(c *Config) { c.Probe = time.Hour })
	if _, err := w.store.ClaimProbe(ctx, space, time.Hour); err != nil { // nobody tries it
		t.Fatal(err)
	}
	w.due()
	eventually(t, "deliveries that wait", func() bool {
		return w.rdb.SCard(ctx, w.store.Key(0, "todo")).Val() > 0 && w.rdb.SCard(ctx, w.store.Key(0, "open")).Val() == 0
	})
	restored.Store(true)
	if held, err := w.store.Revive(ctx, space); err != nil || !held {
		t.Errorf("Revive = %v, %v", held, err)
	}
	eventually(t, "all posts", func() bool { return p.count() >= 50 && w.settled() })
	exactlyOnce(t, p, 50, "0-1/1")
	if n := early.Load(); n > 0 {
		t.Errorf("%d posts went out while the workspace was held", n)
	}
}

func TestAFaultOfAWorkspaceThatHasNoneIsTheChannels(t *testing.T) {
	w := embeddedWorld(t)
	ctx := t.Context()
	for _, name := range []string{"one", "two"} {
		ch := bot.Channel{Adapter: "fake", Kind: "webhook", Address: name}
		if _, err := w.store.Add(ctx, ch, bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}}); err != nil {
			t.Fatal(err)
		}
	}
	w.publish("first")
	bad := newFault(bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Code: "invalid_token"})
	bad.hits = func(dst bot.Channel, _ bot.Post) bool { return dst.Address == "one" }
	p := &platform{answer: bad.answer}
	w.engine(p, nil)
	w.due()
	eventually(t, "the other webhook's digest", func() bool { return p.count() == 1 && w.settled() && len(w.letters()) == 1 })
	if h, err := w.store.Health(ctx); err != nil || len(h.Held) != 0 || h.Probation != 1 {
		t.Errorf("Health = %+v, %v", h, err)
	}
}
