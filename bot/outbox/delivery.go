package outbox

import (
	"container/heap"
	"time"

	"weeklybot/bot"
)

// delivery is one open delivery of a shard.
type delivery struct {
	shard   *shard
	lane    *lane
	place   bot.Place
	entry   bot.PageEntry
	channel bot.Channel
	cut     *cut
	ctl     int64 // the shard's change counter when channel and subscription were read

	part      int // next part to send, from 1
	done      int // parts that arrived
	attempts  int
	first     bot.Receipt
	notBefore time.Time
	at        int // index in the lane's heap

	flightPart int  // part that may be on the wire; 0: none
	onWire     bool // handed to a worker
	looks      int  // looks that did not find an uncertain part
	uncertain  bool // the last post of part may have arrived

	refold *bot.Recipe // a newer run has joined: compose this instead, if no part is out
	folded bool        // refold was composed
	unpaid bool        // a debt stays after success: a newer run joined too late
}

func (d *delivery) sub() bot.SubscriptionID { return bot.SubscriptionID(d.entry.Member) }
func (d *delivery) id() string              { return bot.DeliveryID(d.entry.Run, d.sub()) }

// outcome is the ledger entry that says where the delivery stands now.
func (d *delivery) outcome(state bot.DeliveryState, code string) bot.Outcome {
	o := bot.Outcome{
		Place: d.place, State: state, At: time.Now(), Attempts: d.attempts, Parts: d.done, Code: code, First: d.first, NotBefore: d.notBefore,
	}
	if d.cut != nil {
		o.Cut = d.cut.hash
	}
	return o
}

// lane is the way to one platform: what is ready to go there, what waits, and the workers that post.
type lane struct {
	name    string
	adapter bot.Adapter
	window  int // most deliveries granted at a time
	flying  int // granted, no outcome yet
	ready   []*delivery
	waiting waitHeap
	pace    *pace
	jobs    chan *delivery
}

func newLane(a bot.Adapter, window int) *lane {
	return &lane{name: a.Name(), adapter: a, window: window, pace: newPace(a), jobs: make(chan *delivery, window)}
}

// push makes a delivery ready, or lets it wait for its time.
func (l *lane) push(d *delivery) {
	if d.notBefore.After(time.Now()) {
		heap.Push(&l.waiting, d)
		return
	}
	l.ready = append(l.ready, d)
}

// wake moves what has waited long enough to the ready ones.
func (l *lane) wake(now time.Time) {
	for len(l.waiting) > 0 && !l.waiting[0].notBefore.After(now) {
		l.ready = append(l.ready, heap.Pop(&l.waiting).(*delivery))
	}
}

// waitHeap orders deliveries by the time before which they must not go.
type waitHeap []*delivery

func (h waitHeap) Len() int           { return len(h) }
func (h waitHeap) Less(i, j int) bool { return h[i].notBefore.Before(h[j].notBefore) }
func (h waitHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i]; h[i].at, h[j].at = i, j }
func (h *waitHeap) Push(x any)        { d := x.(*delivery); d.at = len(*h); *h = append(*h, d) }
func (h *waitHeap) Pop() any {
	old := *h
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return d
}
