// Package outbox is the delivery engine: it fires schedules, fans runs out into deliveries, paces and sends them through adapters, and
// keeps the ledger that makes each arrive once. It refuses to know a platform, a newsletter or a Redis key: adapters, a Composer and a
// Queue are given to it.
//
// One goroutine, the loop, owns all state: shards, lanes, deliveries. Everything that blocks (Redis, composing, sending) runs in
// goroutines that hand the loop an event when they are done. A delivery goes
//
//	paged → ready → granted in a commit → commit acknowledged → sent by a worker → outcome in a later commit
//
// so that at a crash every delivery that may be on the wire is written down in Redis as a flight.
package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weeklybot/bot"
)

// Queue is what the engine needs of the store. Commit may fail after it worked: the same commit is then given again.
type Queue interface {
	Shards() int
	Beat(ctx context.Context, node string, held []bot.Lease, want []int) (bot.Beat, error)
	Leave(ctx context.Context, node string) error
	Release(ctx context.Context, leases []bot.Lease) error
	Takeover(ctx context.Context, lease bot.Lease) (bot.Takeover, []error, error)
	Commit(ctx context.Context, commits []bot.Commit) []bot.Committed
	Slots(ctx context.Context, shard int, ids []string) ([]bot.SlotState, error)
	Members(ctx context.Context, shard int, slot string) ([]string, error)
	Channels(ctx context.Context, shard int) ([]string, error)
	Records(ctx context.Context, shard int, members []string) ([]bot.Record, []error, error)
	Aged(ctx context.Context, lease bot.Lease, keep time.Time, maxPages int64) (*bot.Aged, error)
	Entries(ctx context.Context, from, upto int64) ([]bot.Entry, error)
	Hold(ctx context.Context, w bot.Workspace, a bot.Ailment) (first bool, err error)
	Revive(ctx context.Context, w bot.Workspace) (held bool, err error)
	Reserve(ctx context.Context, w bot.Workspace, gap, late time.Duration, n int) (posts int, after time.Duration, err error)
	Block(ctx context.Context, w bot.Workspace, d time.Duration) error
	ClaimProbe(ctx context.Context, w bot.Workspace, every time.Duration) (bool, error)
	Ailments(ctx context.Context, shard int) (map[bot.ChannelID]bot.Ailment, error)
	KeepParts(ctx context.Context, parts []bot.Message, ttl time.Duration) (hash string, err error)
	Parts(ctx context.Context, hash string) ([]bot.Message, error)

	StartDue(ctx context.Context, now time.Time) error
	Orders(ctx context.Context, from, upto int64) ([]bot.Order, error)
	Broadcast(ctx context.Context, id string) (bot.Broadcast, error)
	Body(ctx context.Context, broadcast string) (bot.Message, error)
	Delivered(ctx context.Context, shard int, run string, pages []int64) ([]bot.Delivered, []error, error)
	Runs(ctx context.Context, shard int, ids []string) ([]bot.Run, []error, error)
	Letter(ctx context.Context, shard int, id string) (bot.DeadLetter, error)
	Offered(ctx context.Context, id bot.SubscriptionID, upto int64) error
}

// Composer makes the Message of a recipe; items is 0 when there is nothing to say. An error means "not now": the engine asks again.
type Composer interface {
	Compose(ctx context.Context, r bot.Recipe) (msg bot.Message, items int, err error)
}

// OnUncertain says what to do with a delivery that may have arrived when nobody can find out.
type OnUncertain string

const (
	Resend OnUncertain = "resend" // a double is possible
	Hold   OnUncertain = "hold"   // a person decides
)

// Alarm hears what people must be told. It may hear the same more than once, from several nodes too: what has the same names and the same beginning
// is one thing. What is only noted in memory when the process is killed is heard again, at a takeover or the next time. But for MissedRun its methods never block.
type Alarm interface {
	// Ailing is a channel on probation since a.Since.
	Ailing(id bot.ChannelID, a bot.Ailment)
	// Held is a workspace that is held since a.Since.
	Held(w bot.Workspace, a bot.Ailment)
	// MissedRun is a run that was past its window when it was found. Each shard says it of its own part, before it records the run as missed and
	// only then goes on: there is no second time to hear of it. It returns when it is noted for good; after an error the run is found again.
	MissedRun(ctx context.Context, r bot.Run) error
	// Undelivered is a subscription that got nothing at several planned dates in a row, and is owed since.
	Undelivered(id bot.SubscriptionID, owed bot.Owed)
}

// Config of an Engine. Queue, Composer and Next are required.
type Config struct {
	Queue    Queue
	Composer Composer
	Adapters []bot.Adapter
	// Resolve adds what only this process knows of a channel: URL and key of a channel declared in its config.
	Resolve func(bot.Channel) (bot.Channel, error)
	// Shared names the destination of a channel that others lead to as well: several declared channels with the URL of one robot. "" = it is
	// the only one; nil: all are. The pace of such channels is kept by all replicas together.
	Shared func(bot.Channel) string
	// Next is the first occurrence of a cron schedule after a time.
	Next func(bot.Schedule, time.Time) (time.Time, error)
	// When is the first moment at or after a time at which a subscription's digest may begin, or that this one is skipped; nil = at any time. zone
	// is that of its schedule. It is asked for each delivery that is about to go, and must be quick where there is no rule.
	When        func(zone string, e bot.Except, t time.Time) (at time.Time, skip bool)
	Alarm       Alarm // nil: nobody is told
	OnUncertain OnUncertain
	Node        string        // name of this process among its equals; "" = random
	Window      time.Duration // how long after its time a run may still go out; 0 = 6 h
	Keep        time.Duration // how long stored parts outlive the window; 0 = 24 h
	SendTimeout time.Duration // of one post; 0 = 15 s
	InFlight    int           // most deliveries of one adapter granted at a time: what may be on the wire; 0 = 512
	Workers     int           // most posts of one adapter at a time; 0 = 256, and never more than InFlight
	Backoff     time.Duration // before the second attempt, doubling from then on; 0 = 2 s
	KeepFor     time.Duration // how long ledgers and dead letters are kept; 0 = 30 days
	KeepBytes   int64         // most that ledgers take in Redis, about; days before yesterday go early; 0 = 1 GiB
	MaxAttempts int           // failed posts before a delivery is dead; 0 = 8
	Drain       time.Duration // how long a stop waits for posts on the wire; 0 = 10 s
	LookAgain   time.Duration // before a post that was not found is looked for again; 0 = 5 s
	Probe       time.Duration // between two tries of a held workspace; 0 = 10 min
	Beat        time.Duration // between two looks at what is due; 0 = 1 s
	Log         *slog.Logger
	Metrics     prometheus.Registerer // nil: none are registered
}

func (c *Config) setDefaults() {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.Window, 6*time.Hour)
	set(&c.Keep, 24*time.Hour)
	set(&c.SendTimeout, 15*time.Second)
	set(&c.Drain, 10*time.Second)
	set(&c.LookAgain, 5*time.Second)
	set(&c.Beat, time.Second)
	set(&c.Probe, 10*time.Minute)
	set(&c.Backoff, 2*time.Second)
	set(&c.KeepFor, 30*24*time.Hour)
	if c.KeepBytes == 0 {
		c.KeepBytes = 1 << 30
	}
	if c.InFlight == 0 {
		c.InFlight = 512
	}
	if c.Workers == 0 {
		c.Workers = 256
	}
	c.Workers = min(c.Workers, c.InFlight)
	if c.MaxAttempts == 0 {
		c.MaxAttempts = 8
	}
	if c.OnUncertain == "" {
		c.OnUncertain = Resend
	}
	if c.Node == "" {
		c.Node = fmt.Sprintf("%016x", rand.Uint64())
	}
	if c.Resolve == nil {
		c.Resolve = func(ch bot.Channel) (bot.Channel, error) { return ch, nil }
	}
	if c.Shared == nil {
		c.Shared = func(bot.Channel) string { return "" }
	}
	if c.Alarm == nil {
		c.Alarm = silent{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// silent is an Alarm that nobody hears.
type silent struct{}

func (silent) Ailing(bot.ChannelID, bot.Ailment)        {}
func (silent) Held(bot.Workspace, bot.Ailment)          {}
func (silent) MissedRun(context.Context, bot.Run) error { return nil }
func (silent) Undelivered(bot.SubscriptionID, bot.Owed) {}

// Engine delivers. Make it with New, start it once with Run.
type Engine struct {
	cfg     Config
	queue   Queue
	log     *slog.Logger
	metrics *metrics
	cuts    *cuts

	// The loop's own state; no other goroutine touches it.
	shards   map[int]*shard
	lanes    map[string]*lane
	head     int64 // catalogue number at the last beat
	orders   int64 // number of the last order at the last beat
	spare    []landing
	stopping bool
	outage   bool // the last beat failed; said once

	events chan func()    // what the loop is to do next
	landed *landings      // what came of posts
	work   sync.WaitGroup // goroutines that the loop started
	ctx    context.Context
}

// New prepares an engine; it starts nothing.
func New(cfg Config) *Engine {
	cfg.setDefaults()
	e := &Engine{
		cfg: cfg, queue: cfg.Queue, log: cfg.Log, metrics: newMetrics(cfg.Metrics),
		shards: map[int]*shard{}, lanes: map[string]*lane{}, events: make(chan func(), 1024),
		landed: newLandings(max(1, min(flushSome, cfg.InFlight/8))),
	}
	e.cuts = newCuts(cfg)
	for _, a := range cfg.Adapters {
		e.lanes[a.Name()] = newLane(a, cfg.InFlight, cfg.Shared, e.metrics)
	}
	return e
}

// Run delivers until ctx ends. It then grants nothing more, waits up to Drain for posts on the wire, writes their outcomes, and gives its
// shards back. Run returns nil after an orderly stop; Redis being away is no reason to return.
func (e *Engine) Run(ctx context.Context) error {
	var cancel context.CancelFunc
	e.ctx, cancel = context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	for _, l := range e.lanes {
		e.startWorkers(l)
	}
	beats := make(chan struct{})
	e.work.Go(func() { e.beats(ctx, beats) })
	flush := time.NewTimer(0)
	defer flush.Stop()
	stop := ctx.Done()
	var drained <-chan time.Time
	for {
		select {
		case do := <-e.events:
			do()
			e.takeQueued()
		case <-e.landed.many:
		case <-flush.C:
		case <-stop:
			stop, e.stopping = nil, true
			drained = time.After(e.cfg.Drain)
		case <-drained:
			e.log.Warn("stopped before every post on the wire was answered")
			return e.finish(cancel, beats)
		}
		e.takeLanded()
		e.grant()
		e.flush()
		if e.stopping && e.idle() {
			return e.finish(cancel, beats)
		}
		flush.Reset(e.nextLook())
	}
}

// nextLook is when the loop has something to do even if nothing happens.
func (e *Engine) nextLook() time.Duration {
	for _, s := range e.shards {
		if s.sending == nil && s.next.dirty() {
			return flushSoon
		}
	}
	wait := time.Minute
	for _, l := range e.lanes {
		if l.flying > 0 {
			return flushSoon
		}
		if len(l.waiting) > 0 {
			wait = min(wait, max(flushSoon, time.Until(l.waiting[0].notBefore)))
		}
	}
	return wait
}

// takeQueued handles the events that are waiting already, so that one grant and one flush serve them all.
func (e *Engine) takeQueued() {
	for range cap(e.events) {
		select {
		case do := <-e.events:
			do()
		default:
			return
		}
	}
}

// tell hands the loop something to do. It returns without effect when the engine has stopped.
func (e *Engine) tell(do func()) {
	select {
	case e.events <- do:
	case <-e.ctx.Done():
	}
}

// idle says that nothing is on the wire and every outcome is written.
func (e *Engine) idle() bool {
	for _, l := range e.lanes {
		if l.flying > 0 {
			return false
		}
	}
	for _, s := range e.shards {
		if s.sending != nil || s.next.dirty() {
			return false
		}
	}
	return true
}

// finish gives the shards back and waits for every goroutine of the engine.
func (e *Engine) finish(cancel context.CancelFunc, beats <-chan struct{}) error {
	leases := e.leases()
	cancel()
	<-beats
	for _, l := range e.lanes {
		close(l.jobs)
	}
	e.work.Wait() // before others may take the shards: nothing is on the wire any more
	ctx, done := context.WithTimeout(context.WithoutCancel(e.ctx), 2*time.Second)
	defer done()
	if err := e.queue.Release(ctx, leases); err != nil {
		e.log.Warn("could not give shards back; others take them when the leases end", "err", err)
	} else if err := e.queue.Leave(ctx, e.cfg.Node); err != nil {
		e.log.Warn("could not leave the list of nodes", "err", err)
	}
	return nil
}
