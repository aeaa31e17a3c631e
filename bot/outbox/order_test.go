package outbox

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"weeklybot/bot"
)

// halting is a store that does something after records of a run, or after orders, were read.
type halting struct {
	Queue
	records func(members []string)
	orders  func(list []bot.Order) []bot.Order
}

func (q *halting) Records(ctx context.Context, shard int, members []string) ([]bot.Record, []error, error) {
	records, faults, err := q.Queue.Records(ctx, shard, members)
	if q.records != nil && len(members) > 1 { // an order's own look is for one
		q.records(members)
	}
	return records, faults, err
}

func (q *halting) Orders(ctx context.Context, from, upto int64) ([]bot.Order, error) {
	list, err := q.Queue.Orders(ctx, from, upto)
	if q.orders != nil {
		list = q.orders(list)
	}
	return list, err
}

func (w *world) fire(id bot.ChannelID) {
	if err := w.store.Fire(w.t.Context(), bot.SubscriptionID{Channel: id, Ordinal: 1}); err != nil {
		w.t.Error(err)
	}
}

// obeyed waits until the only shard has carried out n orders.
func (w *world) obeyed(n int) {
	eventually(w.t, "the order carried out", func() bool {
		return w.rdb.HGet(w.t.Context(), w.store.Key(0, "st"), "order").Val() == fmt.Sprint(n)
	})
}

// Somebody fires a subscription that has its digest already from a run that is still being fanned out to others.
func TestFireAfterTheRunBringsNothingTwice(t *testing.T) {
	w := embeddedWorld(t)
	const channels = 2 * fanoutBatch
	w.subscribe(channels)
	p := &platform{}
	q, once, goOn := &halting{Queue: w.store}, sync.Once{}, make(chan struct{})
	q.records = func(members []string) {
		if len(members) == fanoutBatch { // the second step; the first is smaller
			once.Do(func() { <-goOn })
		}
	}
	w.engine(p, func(c *Config) { c.Queue = q })
	w.dueFor(0) // after they subscribed: the run brings their first digests
	eventually(t, "a post", func() bool { return p.count() > 0 })
	p.mu.Lock()
	first := p.where[0]
	p.mu.Unlock()
	ch := chat(0)
	ch.Address = first
	w.fire(ch.ID())
	w.obeyed(1)
	close(goOn)
	eventually(t, "all posts", func() bool { return p.count() >= channels && w.settled() })
	exactlyOnce(t, p, channels, "0-1/1")
}

// A run has read a subscription's record when somebody fires it, and plans it when it is delivered.
func TestARunAfterFireBringsNothingTwice(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(30)
	p := &platform{}
	q, once := &halting{Queue: w.store}, sync.Once{}
	q.records = func(members []string) {
		once.Do(func() {
			w.fire(bot.ChannelID([]byte(members[0][:8])))
			eventually(t, "the fired digest", func() bool { return p.count() == 1 })
		})
	}
	w.engine(p, func(c *Config) { c.Queue = q })
	w.due()
	eventually(t, "all posts", func() bool { return p.count() >= 30 && w.settled() })
	exactlyOnce(t, p, 30, "0-1/1")
	w.publish("second")
	w.due()
	eventually(t, "all of the second", func() bool { return p.count() >= 60 && w.settled() })
	exactlyOnce(t, p, 30, "0-1/1", "1-2/1")
}

// Two orders to fire, the second carried out when the first is delivered, were given for the same digest.
func TestFiredTwiceArrivesOnce(t *testing.T) {
	w := embeddedWorld(t)
	w.subscribe(1)
	w.fire(chat(0).ID())
	w.fire(chat(0).ID())
	p := &platform{}
	q := &halting{Queue: w.store}
	q.orders = func(list []bot.Order) []bot.Order {
		if list[0].Number == 1 {
			return list[:1]
		}
		eventually(t, "the first", func() bool { return p.count() > 0 && w.settled() })
		return list
	}
	w.engine(p, func(c *Config) { c.Queue = q })
	w.obeyed(2)
	eventually(t, "a finished ledger", w.settled)
	exactlyOnce(t, p, 1, "0-1/1")
}
