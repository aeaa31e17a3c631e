package main

import (
	"context"
	"fmt"
	"slices"

	"weeklybot/bot"
)

// declare makes the store hold the subscriptions of the configuration. They are created or changed, never removed silently.
func (a *app) declare(ctx context.Context, cfg *Config) error {
	type wish struct {
		channel bot.Channel
		subs    []bot.Subscription
	}
	var wishes []*wish
	for i := range cfg.Subscriptions {
		ch, sub, err := cfg.subscription(i, a.topics)
		if err != nil {
			return fmt.Errorf("subscriptions[%d]%w", i, err)
		}
		k := slices.IndexFunc(wishes, func(w *wish) bool { return w.channel.ID() == ch.ID() })
		if k < 0 {
			k, wishes = len(wishes), append(wishes, &wish{channel: ch})
		}
		wishes[k].subs = append(wishes[k].subs, sub)
	}
	for _, w := range wishes {
		if err := a.declareChannel(ctx, w.channel, w.subs); err != nil {
			return fmt.Errorf("channel %s: %w", w.channel.Name, err)
		}
	}
	return nil
}

// declareChannel keeps the subscriptions that are as declared, turns the others into what is missing, and adds the rest.
func (a *app) declareChannel(ctx context.Context, ch bot.Channel, wanted []bot.Subscription) error {
	stored, err := a.db.store.List(ctx, ch.ID())
	if err != nil {
		return err
	}
	stored = slices.DeleteFunc(slices.Clone(stored), func(s bot.Subscription) bool { return s.By != declaredBy })
	wanted = slices.DeleteFunc(slices.Clone(wanted), func(w bot.Subscription) bool {
		k := slices.IndexFunc(stored, func(s bot.Subscription) bool { return sameWish(s, w) })
		if k >= 0 {
			stored = slices.Delete(stored, k, k+1)
		}
		return k >= 0
	})
	for _, w := range wanted {
		if len(stored) == 0 {
			if _, err := a.db.store.Add(ctx, ch, w); err != nil {
				return err
			}
			continue
		}
		id := stored[0].ID
		stored = stored[1:]
		_, err := a.db.store.Change(ctx, id, func(s *bot.Subscription) error {
			s.Series, s.Topics, s.Schedule, s.Style, s.Lang, s.Except, s.MaxItems = w.Series, w.Topics, w.Schedule, w.Style, w.Lang, w.Except, w.MaxItems
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, s := range stored {
		a.log.Warn("a subscription is declared no more and goes on: remove it with weeklybot, or declare it again", "channel", ch.Name, "subscription", s.ID.String())
	}
	return nil
}

// sameWish compares what a person decides, not where the subscription stands.
func sameWish(a, b bot.Subscription) bool {
	return slices.Equal(a.Series, b.Series) && slices.Equal(a.Topics, b.Topics) && a.Schedule == b.Schedule && a.Style == b.Style &&
		a.Lang == b.Lang && a.MaxItems == b.MaxItems && a.Except == b.Except
}
