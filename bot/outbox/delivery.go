package outbox

import (
	"container/heap"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weeklybot/bot"
)

// delivery is one open delivery of a shard.
type delivery struct {
	shard   *shard
	lane    *lane
	place   bot.Place
	entry   bot.PageEntry
	channel bot.Channel

	calendar *calendar // nil for a broadcast's
	cut      *cut      // nil: to be composed before it goes
	ctl      int64     // the shard's change counter when channel and subscription were read

	part      int // next part to send, from 1
	done      int // parts that arrived
	attempts  int
	first     bot.Receipt
	rest      []bot.Receipt // of a broadcast's parts after the first
	notBefore time.Time
	recorded  string // the stored cut that the ledger names

	flight    *flight // nil: nothing is on the wire
	uncertain bool    // the last post of part may have arrived
	whole     bool    // that post was the whole digest, whatever it would be cut into now
	looks     uint8   // looks that did not find an uncertain part
	probe     bool    // it tries whether its held workspace works again
	plain     bool    // it is the second, plain form of a digest that was refused
	unknown   bool    // the platform answered with a code that nobody knows, once
	gone      bool    // its subscription has ended; what is begun is finished
	over      bool    // it has its last state
	paged     bool    // its page is written: it may be pushed to its lane

	behind  *delivery // the same subscription's delivery before, begun when this one was planned; this one goes when it is over
	follows *delivery // the one that waits behind this
}

// flight is a part that may be on the wire.
type flight struct {
	part   int
	at     time.Time
	seat   int       // its place in the shard's list of flights
	onWire bool      // handed to a worker
	until  time.Time // its place in a shared budget is gone then; zero: it has none
}

func (d *delivery) sub() bot.SubscriptionID { return bot.SubscriptionID(d.entry.Member) }
func (d *delivery) id() string              { return bot.DeliveryID(d.entry.Run, d.sub()) }

// begun says that something of the delivery is, or may be, out already.
func (d *delivery) begun() bool { return d.flight != nil || d.done > 0 || d.uncertain }

// ofChannel says that the delivery stands for no subscription: a broadcast, or its recall.
func (d *delivery) ofChannel() bool { return d.entry.Member.Ordinal == 0 }

// recalls says that the delivery takes posts back.
func (d *delivery) recalls() bool { return len(d.entry.Recipe.Recall) > 0 }

// wait puts a delivery behind another.
func (d *delivery) wait(before *delivery) { d.behind, before.follows = before, d }

// outcome is the ledger entry that says where the delivery stands now.
func (d *delivery) outcome(state bot.DeliveryState, code string) bot.Outcome {
	o := bot.Outcome{
		Place: d.place, State: state, At: time.Now(), Attempts: d.attempts, Parts: d.done, Code: code, First: d.first, NotBefore: d.notBefore,
		Rest: d.rest,
	}
	if d.cut != nil && !d.whole {
		d.recorded = d.cut.hash
	}
	o.Cut = d.recorded
	return o
}

// lane is the way to one platform: what is ready to go there, what waits, and the workers that post.
type lane struct {
	name    string
	adapter bot.Adapter
	window  int                      // most deliveries granted at a time
	shared  func(bot.Channel) string // Config.Shared
	flying  int                      // granted, no outcome written yet
	spaces  map[string]*space
	ring    queue[*space] // workspaces with ready deliveries, in turn
	whole   *space        // limits of all of them together; it holds no deliveries
	waiting waitHeap
	stale   map[*shard]*rereads
	pace    *pace
	ward    ward
	jobs    chan *delivery

	seconds  prometheus.Observer // of one post
	accepted prometheus.Counter
}

func newLane(a bot.Adapter, window int, shared func(bot.Channel) string, m *metrics) *lane {
	l := &lane{
		name: a.Name(), spaces: map[string]*space{}, whole: &space{name: wholeLane}, adapter: a, window: window, shared: shared, stale: map[*shard]*rereads{}, pace: newPace(a), ward: newWard(),
		jobs:    make(chan *delivery, 2*window), // a second one for what is granted beside stalled shards
		seconds: m.seconds.WithLabelValues(a.Name()), accepted: m.attempts.WithLabelValues(a.Name(), "", ""),
	}
	if gap := l.pace.wholeGap; gap > 0 {
		l.whole.budget = newBudget(bot.Workspace{Adapter: l.name, Name: wholeLane}, gap, 0)
	}
	return l
}

// push makes a delivery ready, or lets it wait for its time, or for the one before it.
func (l *lane) push(d *delivery) {
	if d.behind != nil {
		return
	}
	if d.notBefore.After(time.Now()) {
		l.await(d)
		return
	}
	l.ready(d, false)
}

// await lets a delivery wait for its time. What a grant takes out waits even if that time has come meanwhile: it would be taken out
// again and again, since to the grant it is still to come.
func (l *lane) await(d *delivery) { heap.Push(&l.waiting, d) }

// wake moves what has waited long enough to the ready ones.
func (l *lane) wake(now time.Time) {
	for len(l.waiting) > 0 && !l.waiting[0].notBefore.After(now) {
		l.ready(heap.Pop(&l.waiting).(*delivery), false)
	}
}

// queue is first in, first out. An empty one pops the zero value.
type queue[T any] struct {
	list []T
	head int
}

func (q *queue[T]) len() int { return len(q.list) - q.head }
func (q *queue[T]) push(v T) { q.list = append(q.list, v) }

func (q *queue[T]) pop() (v T) {
	if q.head == len(q.list) {
		return v
	}
	var none T
	v, q.list[q.head] = q.list[q.head], none
	if q.head++; q.head == len(q.list) {
		q.list, q.head = q.list[:0], 0
	}
	return v
}

// waitHeap orders deliveries by the time before which they must not go.
type waitHeap []*delivery

func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].notBefore.Before(h[j].notBefore) }
func (h waitHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *waitHeap) Push(x any)        { *h = append(*h, x.(*delivery)) }
func (h *waitHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return d
}
