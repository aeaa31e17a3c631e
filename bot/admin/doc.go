// Package admin is what administrators do: write, approve, stop and recall broadcasts, look after subscriptions and failed deliveries, see what is
// planned and who changed what. Chat commands and the HTTP API call the same methods, so that a rule exists once.
//
// It owns the life of a Broadcast up to its approval, the sentences that say why something cannot be done (a *bot.UserError in the Actor's
// language), and the audit log: each method that changes something notes who, from where and what. It refuses to know who is an
// administrator (its callers do), to send anything (the outbox does, by orders in the store) and to speak HTTP.
//
// A Desk is safe for concurrent use.
package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/schedule"
	"weeklybot/content"
)

// Store is what a Desk needs of the store.
type Store interface {
	Draft(ctx context.Context, b bot.Broadcast, msg bot.Message) (bot.Broadcast, error)
	Broadcast(ctx context.Context, id string) (bot.Broadcast, error)
	Broadcasts(ctx context.Context, before string, limit int) ([]bot.Broadcast, error)
	Body(ctx context.Context, id string) (bot.Message, error)
	ChangeBroadcast(ctx context.Context, id string, change func(*bot.Broadcast) (*bot.Order, error)) (bot.Broadcast, error)
	Stir(ctx context.Context) error
	Progress(ctx context.Context, r bot.BroadcastRun) (bot.Progress, error)
	Reach(ctx context.Context, a bot.Audience) (map[bot.Way]int, error)

	EachLetter(ctx context.Context, after string, fn func(bot.DeadLetter) error) error
	FindLetter(ctx context.Context, id string) (bot.DeadLetter, error)
	Replay(ctx context.Context, id string) error
	Drop(ctx context.Context, id string) error

	EachChannelAfter(ctx context.Context, after string, fn func(bot.Channel, []bot.Subscription) error) error
	Channel(ctx context.Context, id bot.ChannelID) (bot.Channel, []bot.Subscription, error)
	Add(ctx context.Context, ch bot.Channel, s bot.Subscription) (bot.Subscription, error)
	Change(ctx context.Context, id bot.SubscriptionID, change func(*bot.Subscription) error) (bot.Subscription, error)
	Remove(ctx context.Context, id bot.SubscriptionID) error
	Fire(ctx context.Context, id bot.SubscriptionID) error
	Recover(ctx context.Context, id bot.ChannelID) error
	HeldWorkspaces(ctx context.Context) (map[bot.Workspace]bot.Ailment, error)
	Schedules(ctx context.Context) ([]bot.PlannedSlot, error)

	Note(ctx context.Context, n bot.Note) error
	Notes(ctx context.Context, skip, limit int) ([]bot.Note, error)
}

// Deps is what a Desk works with.
type Deps struct {
	Store    Store
	Library  func() *content.Library
	Topics   *content.Topics
	Adapters []bot.Adapter
	// FindChannel gives the channel that a person names: one declared in the configuration, or "slack:T1/C1".
	FindChannel func(name string) (bot.Channel, error)
	Exceptions  func() schedule.Exceptions // the bot's own quiet hours and holidays; nil: none
	Lang        string                     // of broadcasts that name none
	Zone        string                     // of times and schedules that name none
	Log         *slog.Logger
	Now         func() time.Time // nil = time.Now
}

// Desk is where administrators work.
type Desk struct {
	deps     Deps
	adapters map[string]bot.Adapter
}

// New makes a Desk.
func New(d Deps) *Desk {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Exceptions == nil {
		d.Exceptions = func() schedule.Exceptions { return schedule.Exceptions{Zone: d.Zone} }
	}
	desk := &Desk{deps: d, adapters: map[string]bot.Adapter{}}
	for _, a := range d.Adapters {
		desk.adapters[a.Name()] = a
	}
	return desk
}

// Actor is who asks.
type Actor struct {
	Who   string // "slack:T1/U1", "api"
	Where string // "slack:T1/C1", or the caller's address
	Lang  string // of what goes wrong: "en", else Chinese
}

func (a Actor) say(zh, en string) string {
	if a.Lang == "en" {
		return en
	}
	return zh
}

func (a Actor) fault(code, zh, en string) error {
	return &bot.UserError{Code: code, Text: a.say(zh, en)}
}

// Codes of faults that the HTTP API answers with a status of its own.
const (
	CodeNotFound = "not_found"
	CodeBusy     = "wrong_state"
	CodeToken    = "wrong_token"
)

// missing turns bot.ErrNotFound into a sentence: kind is what it should have been, in English.
func (a Actor) missing(kind, id string, err error) error {
	if errors.Is(err, bot.ErrNotFound) {
		return a.fault(CodeNotFound, fmt.Sprintf("找不到 %s。", clip(id)), fmt.Sprintf("There is no %s %s.", kind, clip(id)))
	}
	return err
}

// note writes to the audit log. What was done is done: a log that cannot be written is reported, not the change refused.
func (d *Desk) note(ctx context.Context, a Actor, what, about string) {
	n := bot.Note{Who: a.Who, Where: a.Where, What: what, About: about}
	if err := d.deps.Store.Note(context.WithoutCancel(ctx), n); err != nil {
		d.deps.Log.Error("a change could not be noted in the audit log", "who", a.Who, "where", a.Where, "what", what, "about", about, "err", err)
	}
}

// Note lets others, who make changes themselves, write to the audit log.
func (d *Desk) Note(ctx context.Context, a Actor, what, about string) { d.note(ctx, a, what, about) }

// Notes lists who changed what, newest first.
func (d *Desk) Notes(ctx context.Context, skip, limit int) ([]bot.Note, error) {
	return d.deps.Store.Notes(ctx, skip, limit)
}

// maxShown is how many characters of what somebody typed an error repeats.
const maxShown = 80

func clip(s string) string {
	if r := []rune(s); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return s
}
