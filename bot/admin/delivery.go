package admin

import (
	"context"
	"errors"

	"weeklybot/bot"
)

// errEnough ends a walk: the page is full.
var errEnough = errors.New("enough")

// Deliveries lists dead and held deliveries behind one (after, "" = all), at most limit. state and run narrow it down; "" = any.
func (d *Desk) Deliveries(ctx context.Context, a Actor, after string, state bot.DeliveryState, run string, limit int) (list []bot.DeadLetter, err error) {
	err = d.deps.Store.EachLetter(ctx, after, func(l bot.DeadLetter) error {
		if state != "" && l.State != state || run != "" && l.Run != run {
			return nil
		}
		if list = append(list, l); len(list) >= limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return list, a.missing("delivery "+after, err)
}

// Delivery is one dead or held delivery.
func (d *Desk) Delivery(ctx context.Context, a Actor, id string) (bot.DeadLetter, error) {
	l, err := d.deps.Store.FindLetter(ctx, id)
	return l, a.missing("delivery "+id, err)
}

// Retry delivers a dead or held delivery after all. What came with a later digest meanwhile is not sent again.
func (d *Desk) Retry(ctx context.Context, a Actor, id string) error {
	return d.settle(ctx, a, "deliveries retry", id, d.deps.Store.Replay)
}

// Drop forgets a dead or held delivery. One that was held counts as arrived.
func (d *Desk) Drop(ctx context.Context, a Actor, id string) error {
	return d.settle(ctx, a, "deliveries drop", id, d.deps.Store.Drop)
}

func (d *Desk) settle(ctx context.Context, a Actor, what, id string, order func(context.Context, string) error) error {
	if err := order(ctx, id); err != nil {
		return a.missing("delivery "+id, err)
	}
	d.note(ctx, a, what, id)
	return nil
}
