package command

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/schedule"
)

// subscribe adds a subscription to the channel. The same one twice is one; with another style, language or limit the first is changed.
func (r *Router) subscribe(ctx context.Context, c *call) (Answer, error) {
	if err := r.mayChange(c); err != nil {
		return Answer{}, err
	}
	if len(c.words) == 0 {
		return Answer{Message: r.explain(c, c.request.cmd)}, nil
	}
	w, err := r.wish(c, c.words)
	if err != nil {
		return Answer{}, err
	}
	w.sub.By = member(c.cmd)
	subs, err := r.deps.Subs.List(ctx, c.cmd.Channel.ID())
	if err != nil {
		return Answer{}, fmt.Errorf("list subscriptions: %w", err)
	}
	for _, s := range subs {
		if sameWish(s, w.sub) {
			return r.subscribedBefore(ctx, c, s, w)
		}
	}
	sub, err := r.deps.Subs.Add(ctx, c.cmd.Channel, w.sub)
	if err != nil {
		return Answer{}, fmt.Errorf("add subscription: %w", err)
	}
	r.langs.drop(c.cmd.Channel.ID())
	c.changed = sub.ID.String()
	return r.subscribed(c, sub, c.say("已订阅 #%d", "Subscribed: #%d")), nil
}

// sameWish is true for subscriptions that would bring the same items at the same time.
func sameWish(a, b bot.Subscription) bool {
	return slices.Equal(a.Series, b.Series) && slices.Equal(a.Topics, b.Topics) && a.Schedule == b.Schedule
}

func (r *Router) subscribedBefore(ctx context.Context, c *call, s bot.Subscription, w wish) (Answer, error) {
	changed := s
	w.applyTo(&changed)
	if changed.Style == s.Style && changed.Lang == s.Lang && changed.MaxItems == s.MaxItems && changed.Except == s.Except {
		return r.subscribed(c, s, c.say("这里已经有同样的订阅 #%d", "This is already subscribed here: #%d")), nil
	}
	changed, err := r.deps.Subs.Change(ctx, s.ID, func(s *bot.Subscription) error { w.applyTo(s); return nil })
	if err != nil {
		return Answer{}, fmt.Errorf("change subscription: %w", err)
	}
	c.changed = s.ID.String()
	return r.subscribed(c, changed, c.say("已修改订阅 #%d", "Changed: #%d")), nil
}

// subscribed shows one subscription and what can be done with it.
func (r *Router) subscribed(c *call, s bot.Subscription, title string) Answer {
	n := s.ID.Ordinal
	return Answer{Message: bot.Message{Title: fmt.Sprintf(title, n), Public: true, Blocks: []bot.Block{
		text(r.describe(c, s)),
		text(r.nextRun(c, s)),
		note(fmt.Sprintf(c.say("编号 %s · 预览：/preview %d · 暂停：/pause %d · 退订：/unsubscribe %d", "ID %s · preview: /preview %d · pause: /pause %d · stop: /unsubscribe %d"), s.ID, n, n, n)),
	}}}
}

// describe says what a subscription brings: "每周一 09:00 (Asia/Shanghai) · eBPF · cloud-native-weekly · 简要 · 中文".
func (r *Router) describe(c *call, s bot.Subscription) string {
	series := c.say("全部期刊", "all series")
	if len(s.Series) > 0 {
		series = strings.Join(s.Series, c.say("、", ", "))
	}
	words := []string{schedule.Describe(s.Schedule, c.lang), r.topicsShown(c, s.Topics), series, styleName(c, s.Style), languageName(c, s.Lang)}
	if s.MaxItems > 0 {
		words = append(words, fmt.Sprintf(c.say("最多 %d 条", "at most %d items"), s.MaxItems))
	}
	return strings.Join(append(words, exceptShown(c, s.Except)...), " · ")
}

func languageName(c *call, lang string) string {
	if lang == "en" {
		return c.say("英文", "English")
	}
	return c.say("中文", "Chinese")
}

// nextRun says when the next digest comes, on the clock of the subscription's zone.
func (r *Router) nextRun(c *call, s bot.Subscription) string {
	switch s.State {
	case bot.StatePaused:
		return fmt.Sprintf(c.say("已暂停。恢复：/resume %d", "Paused. Go on: /resume %d"), s.ID.Ordinal)
	case bot.StateProbation:
		return fmt.Sprintf(c.say("最近没有送达，到点会再试。确认可以发送后：/resume %d", "Lately not delivered; tried again at each time. Once it can be sent: /resume %d"), s.ID.Ordinal)
	case bot.StateHeld:
		return c.say("整个工作区暂时发不出去，恢复后继续。", "The whole workspace cannot be reached; it goes on once it can.")
	}
	if s.Schedule.OnPublish {
		return c.say("下次：新的一期发布时", "Next: when an issue is published")
	}
	next, err := r.deps.Exceptions().Next(s, r.deps.Now())
	if err != nil {
		return c.say("下次时间未知", "Next time unknown")
	}
	return c.say("下次：", "Next: ") + when(c, next)
}

// zoneOf is the clock of a subscription's zone.
func (r *Router) zoneOf(s bot.Subscription) *time.Location {
	for _, name := range []string{s.Schedule.Zone, r.deps.Zone} {
		if zone, err := schedule.Location(name); err == nil {
			return zone
		}
	}
	return time.UTC
}

// when is a time with its day of the week: "2026-11-23 周一 09:00 (Asia/Shanghai)".
func when(c *call, t time.Time) string {
	day := t.Format("Mon")
	if c.lang != "en" {
		day = "周" + string([]rune("日一二三四五六")[t.Weekday()])
	}
	return fmt.Sprintf("%s %s %s (%s)", t.Format(time.DateOnly), day, t.Format("15:04"), t.Location())
}
