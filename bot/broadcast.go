package bot

import (
	"errors"
	"slices"
	"time"
)

// BroadcastState is where a Broadcast stands; also the API value and text.
type BroadcastState string

const (
	BroadcastDraft     BroadcastState = "draft"
	BroadcastApproved  BroadcastState = "approved"  // goes out with the next beat
	BroadcastScheduled BroadcastState = "scheduled" // waits for its time, or for the next one of its schedule
	BroadcastRunning   BroadcastState = "running"
	BroadcastDone      BroadcastState = "done"
	BroadcastCancelled BroadcastState = "cancelled"
	BroadcastRecalled  BroadcastState = "recalled" // posts are taken back, where the platform can
)

// Broadcast is an administrator's message to an audience. Its Message is stored beside it and never changes: what was approved goes out. It is
// stored as JSON.
type Broadcast struct {
	ID       string         `json:"id"` // "b7"
	State    BroadcastState `json:"state"`
	Title    string         `json:"title"` // of the message, for lists
	Audience Audience       `json:"audience"`
	Count    int            `json:"count"`         // channels of the audience when it was drafted
	At       time.Time      `json:"at,omitzero"`   // zero, without a schedule: as soon as it is approved
	Schedule Schedule       `json:"schedule"`      // Cron "": once; Zone is that of At then
	Token    string         `json:"token"`         // confirms an approval; nobody but its author is shown it
	By       string         `json:"by"`            // who drafted it: "slack:T1/U1"
	Created  time.Time      `json:"created"`       // Redis' clock
	Approver string         `json:"approver"`      // who approved it; "" = nobody yet
	Stopper  string         `json:"stopper"`       // who cancelled or recalled it; "" = nobody
	Runs     []BroadcastRun `json:"runs"`          // oldest first; at most MaxBroadcastRuns
	Recall   *BroadcastRun  `json:"recall"`        // nil: not recalled
	Next     time.Time      `json:"next,omitzero"` // when it goes out next
}

// MaxBroadcastRuns is how many occurrences of a scheduled broadcast are remembered.
const MaxBroadcastRuns = 20

// BroadcastRun is one occurrence of a Broadcast, or its recall.
type BroadcastRun struct {
	ID    string    `json:"id"`    // Run.ID in every shard
	Order int64     `json:"order"` // the Order that started it
	Due   time.Time `json:"due"`
	Done  *Progress `json:"done"` // its end; nil: not known to have ended
}

// Progress counts what became of a Run over all shards.
type Progress struct {
	Reached int                   `json:"reached"` // channels of the audience found so far
	Counts  map[DeliveryState]int `json:"counts"`  // deliveries by their last state
	Open    int                   `json:"open"`    // deliveries without one
	Left    int                   `json:"left"`    // channels that cannot get it: no such adapter, or no recall there
	Ended   bool                  `json:"ended"`
}

// Stopped says that nothing more of it goes out.
func (b Broadcast) Stopped() bool {
	return b.State == BroadcastCancelled || b.State == BroadcastRecalled
}

// Last is the newest run; nil before the first.
func (b Broadcast) Last() *BroadcastRun {
	if len(b.Runs) == 0 {
		return nil
	}
	return &b.Runs[len(b.Runs)-1]
}

// ErrGone is returned when a delivery is to be replayed whose content is not kept any more.
var ErrGone = errors.New("what it was made from is gone")

// ErrNothingNew is returned when a subscription is to be delivered for which there is nothing.
var ErrNothingNew = errors.New("there is nothing new")

// Audience is a filter over channels that have a subscription which is not paused. Each list that is not empty must fit.
type Audience struct {
	Platforms  []string `json:"platforms,omitempty"`  // adapter names
	Workspaces []string `json:"workspaces,omitempty"` // Channel.Workspace
	Channels   []string `json:"channels,omitempty"`   // Channel IDs as text
	Series     []string `json:"series,omitempty"`     // has a subscription that brings one of them
	Topics     []string `json:"topics,omitempty"`     // the same, canonical names
}

// Holds says whether a channel belongs to the audience.
func (a Audience) Holds(ch Channel, subs []Subscription) bool {
	fits := func(list []string, s string) bool { return len(list) == 0 || slices.Contains(list, s) }
	return fits(a.Platforms, ch.Adapter) && fits(a.Workspaces, ch.Workspace) && (len(a.Channels) == 0 || slices.Contains(a.Channels, ch.ID().String())) &&
		slices.ContainsFunc(subs, func(s Subscription) bool {
			return s.State != StatePaused && overlap(a.Series, s.Series) && overlap(a.Topics, s.Topics)
		})
}

// overlap: an empty list stands for all.
func overlap(a, b []string) bool {
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// OrderKind says what a person has ordered.
type OrderKind string

const (
	OrderBroadcast OrderKind = "broadcast" // begin the run of a broadcast
	OrderStop      OrderKind = "stop"      // a broadcast was cancelled: let go of what is queued
	OrderRecall    OrderKind = "recall"    // the same, and take back what its run has posted
	OrderFire      OrderKind = "fire"      // one subscription's digest, now
	OrderReplay    OrderKind = "replay"    // deliver a dead letter after all
	OrderDrop      OrderKind = "drop"      // forget a dead letter; what was held counts as arrived
)

// Order is what a person wants of the owners of shards. Orders are numbered; each owner carries them out in that order, once: the number of the
// last one is part of the commit that does. An order is stored as JSON.
type Order struct {
	Number    int64     `json:"-"`
	Kind      OrderKind `json:"kind"`
	Run       string    `json:"run,omitempty"`       // broadcast, recall: ID of the Run to begin
	Broadcast string    `json:"broadcast,omitempty"` // broadcast, stop, recall
	Recalls   string    `json:"recalls,omitempty"`   // recall: ID of the Run to take back
	Due       time.Time `json:"due,omitzero"`
	Shard     int       `json:"shard,omitempty"`  // fire, replay, drop: whom it concerns
	Sub       string    `json:"sub,omitempty"`    // fire
	Recipe    *Recipe   `json:"recipe,omitempty"` // fire
	Slot      string    `json:"slot,omitempty"`   // fire: of a subscription with a cron schedule
	Letter    string    `json:"letter,omitempty"` // replay, drop: DeadLetter.ID
}

// Everywhere says that an order is for every shard.
func (o Order) Everywhere() bool {
	return o.Kind == OrderBroadcast || o.Kind == OrderStop || o.Kind == OrderRecall
}

// Pulse is what one beat tells a node.
type Pulse struct {
	Nodes  int       // how many live
	Head   int64     // last number of the catalogue
	Orders int64     // number of the last Order
	Due    bool      // a broadcast's time has come
	Now    time.Time // Redis' clock
	Held   map[Workspace]Ailment
	// Blocked says how long a rate limit still keeps workspaces from being posted to.
	Blocked map[Workspace]time.Duration
}

// Way is one way into a platform: what decides how a message looks.
type Way struct {
	Adapter string
	Kind    Kind
}

// Started notes the run that an order begins, if it begins one.
func (b *Broadcast) Started(o Order, number int64) {
	run := BroadcastRun{ID: o.Run, Order: number, Due: o.Due}
	switch o.Kind {
	case OrderRecall:
		b.Recall = &run
	case OrderBroadcast:
		b.Runs = append(b.Runs, run)
		b.Runs = b.Runs[max(0, len(b.Runs)-MaxBroadcastRuns):]
	}
}
