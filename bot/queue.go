package bot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// The types below are what the outbox and its store say to each other. A shard has one owner at a time; everything the owner changes
// goes through numbered Commits, so that a repeated one changes nothing and a former owner's are refused.

// ErrFenced is returned when another node owns the shard by now. The former owner drops all it holds of it.
var ErrFenced = errors.New("the shard has another owner")

// ErrBehind is returned when the store lacks commits that it had acknowledged: a server that was restarted has lost the end of its log, or a
// promoted replica had not got it yet.
var ErrBehind = errors.New("the store has lost commits")

// LeaseTTL is how long a shard stays with a node that is not heard of.
const LeaseTTL = 4 * time.Second

// Lease is the right to work on a shard, renewed each second.
type Lease struct {
	Shard  int
	Node   string
	Epoch  int64 // rises when the shard changes hands
	Commit int64 // number of the last Commit that was applied
	Page   int64 // number of the last Page written
	Pub    int64 // catalogue number up to which issues have been announced in this shard
	Ctl    int64 // rises with each change that members make
	Order  int64 // number of the last Order carried out
}

// Beat is what a node learns when it says that it lives.
type Beat struct {
	Ticks []Tick    // of the shards that are the node's now, or were until now; those that could not be asked are left out
	Pulse *Pulse    // read after the ticks: what is due holds all that was published before; nil: it could not be read
	Next  time.Time // when the next slot of the node's shards, or the next broadcast, falls due, by Redis' clock; zero: none is planned
}

// FallsDue notes that something falls due at a time.
func (b *Beat) FallsDue(at time.Time) {
	if b.Next.IsZero() || at.Before(b.Next) {
		b.Next = at
	}
}

// Tick is what a shard has to do now. Lease.Commit says which commits it has seen: what a later one changed is not due again.
type Tick struct {
	Lease Lease
	Err   error // ErrFenced: not ours any more
	Due   []DueSlot
	Ills  int64 // rises when somebody else changes the shard's ailments
}

// DueSlot is a slot whose time has come.
type DueSlot struct {
	Slot SlotState
	Due  time.Time
}

// SlotState is one distinct schedule of a shard and what its members have been offered.
type SlotState struct {
	ID       string // short hash of cron and zone, or "pub:<series>" ("pub:*" for any)
	Schedule Schedule
	Upto     int64     // catalogue number offered so far
	Last     time.Time // the occurrence before; zero before the first
}

// PlannedSlot is one distinct schedule over all shards.
type PlannedSlot struct {
	Schedule Schedule
	Series   string    // on publish: of which series; "" = any
	Next     time.Time // zero on publish
	Members  int       // subscriptions, the paused ones too
}

// RunState is where a Run stands.
type RunState string

const (
	RunOpen      RunState = "open" // fan-out goes on
	RunDone      RunState = "done" // every member has a page entry or an outcome
	RunMissed    RunState = "missed"
	RunCancelled RunState = "cancelled"
)

// Run is one occurrence of a slot, one issue published, or one Broadcast or its recall, in one shard. It is stored as JSON.
type Run struct {
	ID     string    `json:"id"` // "<slot>@<due in unix seconds>" or "pub:<series>@<seq>"
	Slot   string    `json:"slot"`
	Series string    `json:"series,omitempty"` // on publish: the series announced
	Due    time.Time `json:"due"`
	Fired  time.Time `json:"fired"`
	Last   time.Time `json:"last,omitzero"` // the occurrence before: subscriptions made since get their first digest
	From   int64     `json:"from"`
	Upto   int64     `json:"upto"`
	State  RunState  `json:"state"`
	Missed int       `json:"missed,omitempty"` // older occurrences that this one stands for
	Cursor string    `json:"cursor,omitempty"` // hex of the last member paged
	Paged  int       `json:"paged"`
	Skips  int       `json:"skips"` // paused, nothing new, folded; of a broadcast: Progress.Left

	Broadcast string `json:"broadcast,omitempty"` // its ID; "" = a run of a slot
	Recalls   string `json:"recalls,omitempty"`   // the run of the broadcast that this one takes back
	Cancelled int    `json:"cancelled,omitempty"` // channels that got no delivery because it was cancelled before they were paged
	FirstPage int64  `json:"first_page,omitempty"`
	LastPage  int64  `json:"last_page,omitempty"` // the pages of a broadcast lie between the two, among others
}

// SlotMember is one subscription in a slot, or with ordinal 0 a channel that a Broadcast reaches.
type SlotMember struct {
	Channel ChannelID
	Ordinal int
}

// Record is what the store knows of a channel and of one of its subscriptions, read for a fan-out.
type Record struct {
	Member  SlotMember
	Channel Channel
	Sub     Subscription
	Subs    []Subscription // all of the channel's, for a member with ordinal 0: the channel itself
	Owed    *Owed          // nil: nothing
	Gone    bool           // unsubscribed since
}

// Owed is what a subscription was not sent although its slot went on: a dead, missed, paused or folded delivery.
type Owed struct {
	From  int64
	First bool // it never had its first digest
	Times int  // planned dates in a row that brought nothing for a fault; those that were paused, folded or held back do not count
}

// Page is up to 100 deliveries of one lane, written before any of them is sent.
type Page struct {
	Number  int64
	Lane    string // adapter name
	Entries []PageEntry
}

// PageEntry is one Delivery as planned.
type PageEntry struct {
	Member SlotMember
	Run    string
	Due    time.Time // the Run's
	Recipe *Recipe   // never changed: many entries share one
	Owed   bool      // the recipe pays a debt: success clears it
}

// DeliveryID names a delivery for good; enqueueing it twice gives the same name.
func DeliveryID(run string, sub SubscriptionID) string { return run + "/" + sub.String() }

// DeliveryKey is the idempotency key of a delivery that platforms see: 32 hex digits.
func DeliveryKey(id string) string {
	h := sha256.Sum256([]byte(id))
	return hex.EncodeToString(h[:16])
}

// Place is where a delivery stands in its shard.
type Place struct {
	Page  int64
	Index int
}

// Flight is one part that may be on the wire.
type Flight struct {
	Place Place
	Part  int // from 1
	At    time.Time
}

// Outcome is a ledger entry: the last known state of a delivery. Attempts counts sends that failed for good reason; waiting for a rate
// limit is none.
type Outcome struct {
	Place     Place
	State     DeliveryState
	At        time.Time
	Attempts  int
	Parts     int // parts that arrived
	Code      string
	First     Receipt // of part 1
	NotBefore time.Time
	Cut       string    // stored parts (hex), "" for a delivery of one part
	Rest      []Receipt // broadcasts only: of the parts after the first, so that they can be recalled
}

// DeadLetter is a delivery that people should see: one that nobody retries (dead), one held for a person to decide, or one that was posted again though it
// may have arrived (uncertain). It is stored as JSON.
type DeadLetter struct {
	ID      string        `json:"id"`
	State   DeliveryState `json:"state"`
	Channel string        `json:"channel"` // adapter, kind and shown name, for people
	Sub     string        `json:"subscription"`
	Run     string        `json:"run"`
	Code    string        `json:"code"`
	Reason  string        `json:"reason"`
	At      time.Time     `json:"at"`
	Place   Place         `json:"place"`
}

// Commit is one atomic step of a shard's owner. Number is one more than the last; the same number again changes nothing.
type Commit struct {
	Lease    Lease
	Number   int64
	Fires    []Fire
	Pages    []Page
	Runs     []Run     // new state of runs after their pages
	Slots    []SlotRun // slots whose run has been fanned out
	Outcomes []Outcome
	Flights  map[string][]Flight // by lane: all that may be on the wire from now on
	Finished []int64             // pages whose deliveries all have an outcome
	Debts    []Debt              // in order: the last of a member counts
	Letters  []DeadLetter
	Ailments []ChannelHealth
	Dropped  []string        // dead letters that are settled
	Order    int64           // 0: unchanged; else the last Order that is carried out with this commit
	Stir     bool            // Ctl rises: what is queued is looked at again
	Aged     *Aged           // nil: nothing is thrown away
	Pub      int64           // 0: unchanged
	Counts   map[Reached]int // deliveries that reached it

	Packed any // not nil: what the store made of this commit before, see Committed.Packed; beside it only Lease and Number are looked at
}

// Reached is a last state of a run's deliveries.
type Reached struct {
	Run   string
	State DeliveryState
}

// Fire starts a run and moves its slot to the next time. Next is zero for on-publish slots.
type Fire struct {
	Run  Run
	Slot string
	Next time.Time
}

// SlotRun says what a slot's members have been offered.
type SlotRun struct {
	Slot string
	Upto int64
}

// Debt is an Owed of a subscription, or that it is paid.
type Debt struct {
	Member SlotMember
	Owed   Owed
	Paid   bool
}

// ChannelHealth is the Ailment of a channel, or that it has none any more.
type ChannelHealth struct {
	Channel ChannelID
	Ailment Ailment
	Well    bool
}

// Aged is one small step of throwing away what a shard keeps of a day.
type Aged struct {
	Day        string   // "20061231", UTC
	From, Upto int64    // numbers of pages that go with their ledgers, both included
	Names      []string // runs and dead letters that go
	Last       bool     // nothing of the day stays
}

// Committed answers a Commit.
type Committed struct {
	Err  error // nil, ErrFenced, ErrBehind, or why it is not known whether it was applied
	Ctl  int64
	Last int64 // with ErrBehind: the number of the last commit that the store has
	// Packed is the commit as the store writes it, a small part of its size. With only that, Lease and Number it can be given again.
	Packed any
}

// Delivered is one delivery of a run as its ledger knows it.
type Delivered struct {
	Entry   PageEntry
	Lane    string
	Outcome Outcome // zero State: nothing is known
	Record  Record
}

// Takeover is everything a new owner must know of a shard.
type Takeover struct {
	Lease   Lease
	Flights map[string][]Flight
	Pages   []Page            // not finished
	Ledger  map[Place]Outcome // of those pages
	Runs    []Run             // open
	Owed    map[SlotMember]Owed
	Ill     map[ChannelID]Ailment
}

// String is "page:index".
func (p Place) String() string { return fmt.Sprintf("%d:%d", p.Page, p.Index) }

// RunCount says how many deliveries of a run reached a state.
type RunCount struct {
	State DeliveryState
	Count int
}

// PublishSlot names the slot of subscriptions that want a series' issues as they are published; "" = any series.
func PublishSlot(series string) string {
	if series == "" {
		return "pub:*"
	}
	return "pub:" + series
}
