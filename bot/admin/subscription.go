package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/schedule"
)

// Wish is what a subscription brings. A nil field stays as it is, or takes its default in a new one.
type Wish struct {
	Series   *[]string  `json:"series"`   // empty or ["all"] = all
	Topics   *[]string  `json:"topics"`   // empty or ["all"] = everything
	Schedule *string    `json:"schedule"` // words, "on publish" or cron
	Zone     *string    `json:"zone"`
	Style    *bot.Style `json:"style"`
	Lang     *string    `json:"lang"`
	MaxItems *int       `json:"max_items"`
	Quiet    *string    `json:"quiet_hours"` // "22:00-08:00", none; "" = as the bot's own
	Holidays *string    `json:"holidays"`    // skip, next, none; "" = as the bot's own
}

// Subscribed is a subscription with its channel.
type Subscribed struct {
	Channel bot.Channel
	Sub     bot.Subscription
	Next    time.Time // of an active one with a schedule; else zero
}

const (
	maxNames = 20  // series, or topics, of one subscription
	maxItems = 500 // of one digest
)

// Subscriptions lists the subscriptions of channels behind one (a channel's ID, "" = all), in the order of their channels: whole channels, until
// there are limit or more. next is the channel to go on behind; "" = that was all.
func (d *Desk) Subscriptions(ctx context.Context, a Actor, after string, limit int) (list []Subscribed, next string, err error) {
	err = d.deps.Store.EachChannelAfter(ctx, after, func(ch bot.Channel, subs []bot.Subscription) error {
		if len(list) >= limit {
			return errEnough
		}
		for _, s := range subs {
			list = append(list, d.subscribed(ch, s))
		}
		next = ch.ID().String()
		return nil
	})
	if errors.Is(err, errEnough) {
		return list, next, nil
	}
	return list, "", err
}

func (d *Desk) subscribed(ch bot.Channel, s bot.Subscription) Subscribed {
	v := Subscribed{Channel: ch, Sub: s}
	if s.State != bot.StatePaused && !s.Schedule.OnPublish {
		if next, err := d.deps.Exceptions().Next(s, d.deps.Now()); err == nil {
			v.Next = next
		}
	}
	return v
}

// Subscribe gives a channel one more subscription. channel is a declared name, an ID, or "slack:T1/C1".
func (d *Desk) Subscribe(ctx context.Context, a Actor, channel string, w Wish) (Subscribed, error) {
	ch, err := d.channel(ctx, a, channel)
	if err != nil {
		return Subscribed{}, err
	}
	if w.Schedule == nil {
		return Subscribed{}, a.fault("bad_schedule", "请写时间（schedule）。", "Say when: schedule is missing.")
	}
	s := bot.Subscription{Style: bot.StyleBrief, Lang: d.deps.Lang, By: a.Who, Schedule: bot.Schedule{Zone: d.deps.Zone}}
	if err := d.apply(a, w, &s); err != nil {
		return Subscribed{}, err
	}
	s, err = d.deps.Store.Add(ctx, ch, s)
	if err != nil {
		return Subscribed{}, err
	}
	d.note(ctx, a, "subscriptions add", s.ID.String())
	return d.subscribed(ch, s), nil
}

func (d *Desk) channel(ctx context.Context, a Actor, name string) (bot.Channel, error) {
	if id, err := bot.ParseChannelID(name); err == nil {
		ch, _, err := d.deps.Store.Channel(ctx, id)
		return ch, a.missing("channel", name, err)
	}
	ch, err := d.deps.FindChannel(name)
	if err != nil {
		return ch, a.fault(CodeNotFound, fmt.Sprintf("没有“%s”这个频道：请用配置里的名字、频道编号或 slack:T1/C1 这样的写法。", clip(name)),
			fmt.Sprintf("There is no channel “%s”: name it as the configuration does, by its ID, or as slack:T1/C1.", clip(name)))
	}
	return ch, nil
}

// apply checks a wish and writes it over s.
func (d *Desk) apply(a Actor, w Wish, s *bot.Subscription) error {
	var err error
	if w.Series != nil {
		s.Series, err = d.names(a, *w.Series, "series", func(n string) (string, bool) { return n, slices.Contains(d.deps.Library().Series(), n) })
	}
	if err == nil && w.Topics != nil {
		s.Topics, err = d.names(a, *w.Topics, "topic", d.deps.Topics.Canonical)
	}
	if err == nil && (w.Schedule != nil || w.Zone != nil) {
		s.Schedule, err = d.schedule(a, w, s.Schedule)
	}
	if err != nil {
		return err
	}
	if w.Style != nil {
		s.Style = *w.Style
	}
	if w.Lang != nil {
		s.Lang = *w.Lang
	}
	if w.MaxItems != nil {
		s.MaxItems = *w.MaxItems
	}
	if w.Quiet != nil {
		if s.Except.Quiet, err = schedule.ParseQuiet(*w.Quiet); err != nil {
			return a.fault("bad_quiet_hours", "免打扰是两个时刻，例如 22:00-08:00；或 none。", "Quiet hours are two different times of day such as 22:00-08:00, or none.")
		}
	}
	if w.Holidays != nil {
		s.Except.Holidays = *w.Holidays
	}
	switch {
	case !schedule.IsHolidayRule(s.Except.Holidays):
		return a.fault("bad_holidays", "节假日只能是 skip、next 或 none。", "The rule for holidays is skip, next or none.")
	case !slices.Contains([]bot.Style{bot.StyleHeadlines, bot.StyleBrief, bot.StyleFull}, s.Style):
		return a.fault("bad_style", "样式只能是 headlines、brief 或 full。", "The style is headlines, brief or full.")
	case s.Lang != "zh" && s.Lang != "en":
		return a.fault("bad_lang", "语言只能是 zh 或 en。", "The language is zh or en.")
	case s.MaxItems < 0 || s.MaxItems > maxItems:
		return a.fault("bad_max", fmt.Sprintf("条数是 0 到 %d。", maxItems), fmt.Sprintf("max_items is 0 to %d.", maxItems))
	}
	return nil
}

func (d *Desk) names(a Actor, names []string, what string, find func(string) (string, bool)) ([]string, error) {
	if len(names) == 1 && names[0] == "all" {
		return nil, nil
	}
	if len(names) > maxNames {
		return nil, a.fault("too_many", fmt.Sprintf("最多 %d 个。", maxNames), fmt.Sprintf("At most %d of one kind.", maxNames))
	}
	var list []string
	for _, n := range names {
		name, ok := find(n)
		if !ok {
			return nil, a.fault("unknown_"+what, fmt.Sprintf("没有“%s”。", clip(n)), fmt.Sprintf("There is no %s “%s”.", what, clip(n)))
		}
		list = append(list, name)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

func (d *Desk) schedule(a Actor, w Wish, now bot.Schedule) (bot.Schedule, error) {
	text, zone := now.Cron, now.Zone
	if now.OnPublish {
		text = "on publish"
	}
	if w.Schedule != nil {
		text = *w.Schedule
	}
	if w.Zone != nil {
		zone = *w.Zone
	}
	if zone == "" {
		zone = d.deps.Zone
	}
	return schedule.Parse(text, zone, a.Lang)
}

// ChangeSubscription changes what a subscription brings.
func (d *Desk) ChangeSubscription(ctx context.Context, a Actor, id string, w Wish) (Subscribed, error) {
	return d.change(ctx, a, "subscriptions change", id, func(s *bot.Subscription) error { return d.apply(a, w, s) })
}

// Pause stops a subscription for a while.
func (d *Desk) Pause(ctx context.Context, a Actor, id string) (Subscribed, error) {
	return d.change(ctx, a, "subscriptions pause", id, func(s *bot.Subscription) error { s.State = bot.StatePaused; return nil })
}

// Resume lets it go on. One on probation counts as well again; one that is held goes on by itself.
func (d *Desk) Resume(ctx context.Context, a Actor, id string) (Subscribed, error) {
	now, err := d.Subscription(ctx, a, id)
	switch {
	case err != nil || now.Sub.State == bot.StateActive || now.Sub.State == bot.StateHeld:
		return now, err
	case now.Sub.State == bot.StatePaused:
		return d.change(ctx, a, "subscriptions resume", id, func(s *bot.Subscription) error { s.State = bot.StateActive; return nil })
	}
	if err := d.deps.Store.Recover(ctx, now.Sub.ID.Channel); err != nil {
		return now, err
	}
	d.note(ctx, a, "subscriptions resume", id)
	return d.Subscription(ctx, a, id)
}

func (d *Desk) change(ctx context.Context, a Actor, what, id string, change func(*bot.Subscription) error) (Subscribed, error) {
	sub, err := bot.ParseSubscriptionID(id)
	if err != nil {
		return Subscribed{}, a.missing("subscription", id, bot.ErrNotFound)
	}
	s, err := d.deps.Store.Change(ctx, sub, change)
	if err != nil {
		return Subscribed{}, a.missing("subscription", id, err)
	}
	d.note(ctx, a, what, id)
	return d.Subscription(ctx, a, s.ID.String())
}

// Subscription is one subscription.
func (d *Desk) Subscription(ctx context.Context, a Actor, id string) (Subscribed, error) {
	sub, err := bot.ParseSubscriptionID(id)
	if err != nil {
		return Subscribed{}, a.missing("subscription", id, bot.ErrNotFound)
	}
	ch, subs, err := d.deps.Store.Channel(ctx, sub.Channel)
	if err != nil {
		return Subscribed{}, a.missing("subscription", id, err)
	}
	k := slices.IndexFunc(subs, func(s bot.Subscription) bool { return s.ID == sub })
	if k < 0 {
		return Subscribed{}, a.missing("subscription", id, bot.ErrNotFound)
	}
	return d.subscribed(ch, subs[k]), nil
}

// Unsubscribe ends a subscription.
func (d *Desk) Unsubscribe(ctx context.Context, a Actor, id string) error {
	if _, err := d.Subscription(ctx, a, id); err != nil {
		return err
	}
	sub, _ := bot.ParseSubscriptionID(id)
	if err := d.deps.Store.Remove(ctx, sub); err != nil {
		return a.missing("subscription", id, err)
	}
	d.note(ctx, a, "subscriptions remove", id)
	return nil
}

// Fire sends what a subscription's next digest would hold, now. The next one begins after it.
func (d *Desk) Fire(ctx context.Context, a Actor, id string) error {
	s, err := d.Subscription(ctx, a, id)
	if err != nil {
		return err
	}
	if s.Sub.State == bot.StatePaused {
		return a.fault(CodeBusy, "这个订阅已暂停；请先恢复。", "The subscription is paused: resume it first.")
	}
	err = d.deps.Store.Fire(ctx, s.Sub.ID)
	if errors.Is(err, bot.ErrNothingNew) {
		return a.fault("nothing_new", "没有新内容，什么也没有发送。", "There is nothing new; nothing is sent.")
	}
	if err != nil {
		return a.missing("subscription", id, err)
	}
	d.note(ctx, a, "subscriptions fire", id)
	return nil
}

// Occurrence is one planned run.
type Occurrence struct {
	At            time.Time `json:"at"`
	Schedule      string    `json:"schedule"`      // cron
	Zone          string    `json:"zone"`          // of the schedule
	Subscriptions int       `json:"subscriptions"` // 0 for a broadcast
	Broadcast     string    `json:"broadcast"`     // "" for subscriptions
}

// Schedules lists the distinct schedules of subscriptions, and the broadcasts that wait for their time.
func (d *Desk) Schedules(ctx context.Context) ([]bot.PlannedSlot, []bot.Broadcast, error) {
	slots, err := d.deps.Store.Schedules(ctx)
	if err != nil {
		return nil, nil, err
	}
	list, err := d.deps.Store.Broadcasts(ctx, "", 1000)
	return slots, slices.DeleteFunc(list, func(b bot.Broadcast) bool { return b.Next.IsZero() }), err
}

// Upcoming lists the next n planned runs.
func (d *Desk) Upcoming(ctx context.Context, n int) ([]Occurrence, error) {
	slots, broadcasts, err := d.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	list := []Occurrence{}
	add := func(first time.Time, s bot.Schedule, o Occurrence) {
		o.Schedule, o.Zone = s.Cron, s.Zone
		for at, k := first, 0; !at.IsZero() && k < n; k++ {
			o.At = at
			if list = append(list, o); s.Cron == "" {
				return
			}
			next, err := schedule.Next(s, at)
			if err != nil {
				return
			}
			at = next.UTC()
		}
	}
	for _, s := range slots {
		add(s.Next, s.Schedule, Occurrence{Subscriptions: s.Members})
	}
	for _, b := range broadcasts {
		add(b.Next, b.Schedule, Occurrence{Broadcast: b.ID})
	}
	slices.SortStableFunc(list, func(a, b Occurrence) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Broadcast, b.Broadcast))
	})
	return list[:min(n, len(list))], nil
}
