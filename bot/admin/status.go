package admin

import (
	"cmp"
	"context"
	"slices"
	"time"

	"weeklybot/bot"
)

// Status is how the bot is doing as a whole.
type Status struct {
	Channels      int                        `json:"channels"` // with a subscription
	Subscriptions map[bot.State]int          `json:"subscriptions"`
	Letters       map[bot.DeliveryState]int  `json:"letters"`    // dead, held and uncertain deliveries
	Broadcasts    map[bot.BroadcastState]int `json:"broadcasts"` // the newest hundred
	Held          []Held                     `json:"held"`       // workspaces that refuse the bot
}

// Held is a workspace that refuses the bot; its deliveries wait.
type Held struct {
	Platform  string    `json:"platform"`
	Workspace string    `json:"workspace"`
	Code      string    `json:"code"` // the platform's own
	Since     time.Time `json:"since"`
}

// Status counts what there is. It reads every channel: for people, not for a probe.
func (d *Desk) Status(ctx context.Context) (Status, error) {
	s := Status{Subscriptions: map[bot.State]int{}, Letters: map[bot.DeliveryState]int{}, Broadcasts: map[bot.BroadcastState]int{}}
	err := d.deps.Store.EachChannelAfter(ctx, "", func(_ bot.Channel, subs []bot.Subscription) error {
		if len(subs) > 0 {
			s.Channels++
		}
		for _, sub := range subs {
			s.Subscriptions[sub.State]++
		}
		return nil
	})
	if err == nil {
		err = d.deps.Store.EachLetter(ctx, "", func(l bot.DeadLetter) error { s.Letters[l.State]++; return nil })
	}
	if err != nil {
		return s, err
	}
	held, err := d.deps.Store.HeldWorkspaces(ctx)
	if err != nil {
		return s, err
	}
	s.Held = []Held{}
	for w, a := range held {
		s.Held = append(s.Held, Held{w.Adapter, w.Name, a.Code, a.Since})
	}
	slices.SortFunc(s.Held, func(a, b Held) int {
		return cmp.Or(cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Workspace, b.Workspace))
	})
	list, err := d.Broadcasts(ctx, "", 100)
	for _, b := range list {
		s.Broadcasts[b.State]++
	}
	return s, err
}
