package admin

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"weeklybot/bot"
)

// errEnough ends a walk: the page is full.
var errEnough = errors.New("enough")

// Deliveries lists dead, held and uncertain deliveries behind one (after, "" = all), at most limit. state and run narrow it down; "" = any.
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
	return list, a.missing("delivery", after, err)
}

// Newest lists the newest dead, held and uncertain deliveries, newest first.
func (d *Desk) Newest(ctx context.Context, limit int) (list []bot.DeadLetter, total int, err error) {
	keep := func(n int) {
		slices.SortFunc(list, func(a, b bot.DeadLetter) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.ID, b.ID)) })
		list = list[:min(n, len(list))]
	}
	err = d.deps.Store.EachLetter(ctx, "", func(l bot.DeadLetter) error {
		total++
		if list = append(list, l); len(list) >= 10*limit {
			keep(limit)
		}
		return nil
	})
	keep(limit)
	return list, total, err
}

// Handle is a short name of a delivery, for people who type: 8 characters.
func Handle(id string) string { return "d" + bot.DeliveryKey(id)[:7] }

// ByHandle finds the delivery that a handle, or the whole ID, names.
func (d *Desk) ByHandle(ctx context.Context, a Actor, name string) (found bot.DeadLetter, err error) {
	if strings.Contains(name, "/") {
		return d.Delivery(ctx, a, name)
	}
	err = d.deps.Store.EachLetter(ctx, "", func(l bot.DeadLetter) error {
		if Handle(l.ID) == name {
			found = l
			return errEnough
		}
		return nil
	})
	if err == nil {
		err = bot.ErrNotFound
	}
	if errors.Is(err, errEnough) {
		return found, nil
	}
	return found, a.missing("delivery", name, err)
}

// Delivery is one dead, held or uncertain delivery.
func (d *Desk) Delivery(ctx context.Context, a Actor, id string) (bot.DeadLetter, error) {
	l, err := d.deps.Store.FindLetter(ctx, id)
	return l, a.missing("delivery", id, err)
}

// Retry delivers a dead or held delivery after all. What came with a later digest meanwhile is not sent again, nor is an uncertain one, which was.
func (d *Desk) Retry(ctx context.Context, a Actor, id string) error {
	l, err := d.Delivery(ctx, a, id)
	if err != nil {
		return err
	}
	if l.State == bot.Uncertain {
		return a.fault(CodeBusy, "它可能已送达，并且已经重发过；不会再发。", "It may have arrived, and was sent again already; it is not sent once more.")
	}
	return d.settle(ctx, a, "deliveries retry", id, d.deps.Store.Replay)
}

// Drop forgets a dead, held or uncertain delivery. One that was held counts as arrived.
func (d *Desk) Drop(ctx context.Context, a Actor, id string) error {
	return d.settle(ctx, a, "deliveries drop", id, d.deps.Store.Drop)
}

func (d *Desk) settle(ctx context.Context, a Actor, what, id string, order func(context.Context, string) error) error {
	err := order(ctx, id)
	if errors.Is(err, bot.ErrGone) {
		return a.fault("gone", "它的内容已不再保存；订阅欠下的会随下一次摘要送到。", "Its content is not kept any more; what a subscription is owed comes with its next digest.")
	}
	if err != nil {
		return a.missing("delivery", id, err)
	}
	d.note(ctx, a, what, id)
	return nil
}
