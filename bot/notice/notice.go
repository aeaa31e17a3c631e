// Package notice tells people of the bot's own troubles in a chat: once for each, to the person who can mend it, else to the administrators. It
// refuses to find troubles: the outbox and cmd do. A notice is kept in the store before it is told, and stays there until every recipient has
// been told; its ID is computed from what it is about, so that "once" holds over replicas and restarts.
//
// A Teller is safe for concurrent use. Raising never blocks (but for MissedRun): one goroutine, Run, writes what was raised, and tells. What is killed
// in between is lost here: whoever raises says it again, when it comes upon the trouble again.
package notice

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"weeklybot/bot"
)

// Store is what a Teller needs of the store.
type Store interface {
	AddNotice(ctx context.Context, n bot.Notice) (first bool, err error)
	Notices(ctx context.Context) ([]bot.Notice, error)
	ChangeNotice(ctx context.Context, n bot.Notice) (changed bot.Notice, ok bool, err error)
	Channel(ctx context.Context, id bot.ChannelID) (bot.Channel, []bot.Subscription, error)
}

// Config of a Teller. Store is required.
type Config struct {
	Store    Store
	Adapters []bot.Adapter
	Admins   func() []string // "slack:T1/U1", or an adapter's name alone; nil: none
	Lang     string          // of those whose language is not known
	Every    time.Duration   // between two looks at what others have raised, or left; 0 = 30 s
	Lease    time.Duration   // how long one round of telling may take; 0 = 2 min
	Backoff  time.Duration   // before the second try, doubling up to an hour; 0 = 1 min
	GiveUp   time.Duration   // how long a notice is tried; 0 = 24 h
	Log      *slog.Logger
}

// maxRaised is how many raised notices may wait for the store.
const maxRaised = 10_000

// Teller tells.
type Teller struct {
	cfg      Config
	adapters map[string]bot.Adapter

	mu     sync.Mutex
	raised []func(context.Context) (n bot.Notice, ok bool, err error)
	wake   chan struct{} // holds one: something was raised
}

// New prepares a Teller; it starts nothing.
func New(cfg Config) *Teller {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&cfg.Every, 30*time.Second)
	set(&cfg.Lease, 2*time.Minute)
	set(&cfg.Backoff, time.Minute)
	set(&cfg.GiveUp, 24*time.Hour)
	if cfg.Admins == nil {
		cfg.Admins = func() []string { return nil }
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	t := &Teller{cfg: cfg, adapters: map[string]bot.Adapter{}, wake: make(chan struct{}, 1)}
	for _, a := range cfg.Adapters {
		t.adapters[a.Name()] = a
	}
	return t
}

// lastTime is how long a stop may take to write down what was raised.
const lastTime = 2 * time.Second

// Run keeps what is raised and tells it, until ctx ends.
func (t *Teller) Run(ctx context.Context) error {
	for {
		t.keep(ctx)
		t.tell(ctx)
		select {
		case <-t.wake:
		case <-time.After(t.cfg.Every):
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
			defer cancel()
			t.keep(last)
			return nil
		}
	}
}

// raise has the notice that make makes kept soon; ok false: there is nothing to tell after all.
func (t *Teller) raise(make func(context.Context) (n bot.Notice, ok bool, err error)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.raised) >= maxRaised {
		t.cfg.Log.Warn("a notice was dropped: too many were raised at once")
		return
	}
	t.raised = append(t.raised, make)
	t.rouse()
}

// rouse has Run look now.
func (t *Teller) rouse() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// keep writes what was raised. What the store does not take now stays for the next time.
func (t *Teller) keep(ctx context.Context) {
	t.mu.Lock()
	list := t.raised
	t.raised = nil
	t.mu.Unlock()
	for i, make := range list {
		n, ok, err := make(ctx)
		if err == nil && ok {
			_, err = t.cfg.Store.AddNotice(ctx, n)
		}
		if err != nil {
			t.cfg.Log.Warn("could not keep a notice; trying again", "err", err)
			t.mu.Lock()
			t.raised = append(list[i:], t.raised...)
			t.raised = t.raised[:min(len(t.raised), maxRaised)]
			t.mu.Unlock()
			return
		}
	}
}
