package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weeklybot/bot"
	"weeklybot/bot/digest"
)

// subscriptions lists what is subscribed in the channel.
func (r *Router) subscriptions(ctx context.Context, c *call) (Answer, error) {
	subs, err := r.list(ctx, c)
	if err != nil {
		return Answer{}, err
	}
	if len(subs) == 0 {
		return Answer{Message: bot.Message{Title: c.say("这里还没有订阅", "Nothing is subscribed here"), Blocks: []bot.Block{
			text(c.say("例如：/subscribe all 每周一 9:00；说明：/help subscribe", "For example: /subscribe all Mon 09:00; more: /help subscribe"))}}}, nil
	}
	msg := bot.Message{Title: fmt.Sprintf(c.say("这里的订阅（%d）", "Subscribed here (%d)"), len(subs))}
	for _, s := range subs {
		msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockItem, Title: fmt.Sprintf("#%d", s.ID.Ordinal), Text: r.describe(c, s) + "\n" + r.nextRun(c, s)})
	}
	n := subs[0].ID.Ordinal
	msg.Blocks = append(msg.Blocks, note(fmt.Sprintf(c.say("预览：/preview %d · 暂停：/pause %d · 退订：/unsubscribe %d · 全部：/pause all", "Preview: /preview %d · pause: /pause %d · stop: /unsubscribe %d · all of them: /pause all"), n, n, n)))
	return Answer{Message: msg}, nil
}

// list is what is subscribed in the channel of the call.
func (r *Router) list(ctx context.Context, c *call) ([]bot.Subscription, error) {
	if r.deps.Subs == nil {
		return nil, r.mayChange(c)
	}
	subs, err := r.deps.Subs.List(ctx, c.cmd.Channel.ID())
	if err != nil {
		return nil, fmt.Errorf("list subscriptions: %w", err)
	}
	return subs, nil
}

// chosen are the subscriptions that the words of a command name: "#1", "1", a full ID, several of them, or "all". With one subscription
// in the channel no word is needed if alone is set.
func (r *Router) chosen(ctx context.Context, c *call, alone bool) ([]bot.Subscription, error) {
	subs, err := r.list(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(subs) == 0 {
		return nil, c.fault("no_subscriptions", "这里还没有订阅。", "Nothing is subscribed here.", "例如：/subscribe all 每周一 9:00", "For example: /subscribe all Mon 09:00")
	}
	names := splitList([]string{strings.Join(c.words, ",")})
	if len(names) == 0 && alone && len(subs) == 1 || len(names) == 1 && isAll(names[0]) {
		return subs, nil
	}
	if len(names) == 0 {
		return nil, c.fault("which_subscription", "哪一个订阅？", "Which subscription?", c.numbers(subs), c.numbers(subs))
	}
	var chosen []bot.Subscription
	for _, name := range names {
		k := slices.IndexFunc(subs, func(s bot.Subscription) bool {
			return s.ID.String() == strings.ToLower(name) || isNumber(name, s.ID.Ordinal)
		})
		if k < 0 {
			shown := clip(name, 40)
			return nil, c.fault("unknown_subscription", "这里没有订阅“"+shown+"”。", "There is no subscription “"+shown+"” here.", c.numbers(subs), c.numbers(subs))
		}
		if !slices.ContainsFunc(chosen, func(s bot.Subscription) bool { return s.ID == subs[k].ID }) {
			chosen = append(chosen, subs[k])
		}
	}
	return chosen, nil
}

func isNumber(name string, ordinal int) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "#"))
	return err == nil && n == ordinal
}

// numbers says what to type to name one of subs.
func (c *call) numbers(subs []bot.Subscription) string {
	var words []string
	for _, s := range subs {
		words = append(words, fmt.Sprintf("#%d", s.ID.Ordinal))
	}
	all := c.say(" 或 all", " or all")
	if c.request.cmd.name == "preview" {
		all = ""
	}
	return fmt.Sprintf(c.say("可选：%s%s，例如：/%s %d；全部订阅：/subscriptions", "Choose %s%s, for example: /%s %d; what they are: /subscriptions"),
		strings.Join(words, c.say("、", ", ")), all, c.request.cmd.name, subs[0].ID.Ordinal)
}

// each runs change over the chosen subscriptions and shows what became of them.
func (r *Router) each(ctx context.Context, c *call, title string, change func(bot.Subscription) (bot.Subscription, error)) (Answer, error) {
	if err := r.mayChange(c); err != nil {
		return Answer{}, err
	}
	subs, err := r.chosen(ctx, c, false)
	if err != nil {
		return Answer{}, err
	}
	msg := bot.Message{Public: true}
	var names []string
	for _, s := range subs {
		after, err := change(s)
		if errors.Is(err, bot.ErrNotFound) {
			continue // somebody else was faster
		}
		if err != nil {
			return Answer{}, fmt.Errorf("subscription %s: %w", s.ID, err)
		}
		names = append(names, fmt.Sprintf("#%d", s.ID.Ordinal))
		c.changed = strings.TrimSpace(c.changed + " " + s.ID.String())
		said := r.describe(c, s)
		if after.State != "" {
			said = r.describe(c, after) + "\n" + r.nextRun(c, after)
		}
		msg.Blocks = append(msg.Blocks, text(fmt.Sprintf("#%d %s", s.ID.Ordinal, said)))
	}
	r.langs.drop(c.cmd.Channel.ID())
	msg.Title = fmt.Sprintf(title, strings.Join(names, c.say("、", ", ")))
	return Answer{Message: msg}, nil
}

func (r *Router) setState(ctx context.Context, state bot.State) func(bot.Subscription) (bot.Subscription, error) {
	return func(s bot.Subscription) (bot.Subscription, error) {
		if s.State == state || s.State == bot.StateHeld && state == bot.StateActive {
			return s, nil // what is held goes on by itself
		}
		return r.deps.Subs.Change(ctx, s.ID, func(s *bot.Subscription) error { s.State = state; return nil })
	}
}

func (r *Router) pause(ctx context.Context, c *call) (Answer, error) {
	return r.each(ctx, c, c.say("已暂停 %s", "Paused: %s"), r.setState(ctx, bot.StatePaused))
}

func (r *Router) resume(ctx context.Context, c *call) (Answer, error) {
	active := r.setState(ctx, bot.StateActive)
	return r.each(ctx, c, c.say("已恢复 %s", "Going on: %s"), func(s bot.Subscription) (bot.Subscription, error) {
		if s.State != bot.StateProbation {
			return active(s)
		}
		s.State = bot.StateActive
		return s, r.deps.Subs.Recover(ctx, s.ID.Channel)
	})
}

func (r *Router) unsubscribe(ctx context.Context, c *call) (Answer, error) {
	return r.each(ctx, c, c.say("已退订 %s", "Unsubscribed: %s"), func(s bot.Subscription) (bot.Subscription, error) {
		return bot.Subscription{}, r.deps.Subs.Remove(ctx, s.ID)
	})
}

// setLang sets the language of all that is subscribed in the channel, and with it that of answers there.
func (r *Router) setLang(ctx context.Context, c *call) (Answer, error) {
	lang := ""
	if len(c.words) == 1 {
		lang = language(c.words[0])
	}
	if lang == "" {
		return Answer{}, c.fault("bad_language", "要用哪种语言？", "Which language?", "/lang zh 或 /lang en；只要一次：--lang en", "/lang zh or /lang en; only once: --lang zh")
	}
	if err := r.mayChange(c); err != nil {
		return Answer{}, err
	}
	c.words, c.lang, c.say = []string{"all"}, lang, chooser(lang)
	return r.each(ctx, c, c.say("%s 改用中文", "%s: English from now on"), func(s bot.Subscription) (bot.Subscription, error) {
		return r.deps.Subs.Change(ctx, s.ID, func(s *bot.Subscription) error { s.Lang = lang; return nil })
	})
}

// preview shows the next digest of a subscription as it would be now; with the words of /subscribe, the first digest of one that is not there
// yet.
func (r *Router) preview(ctx context.Context, c *call) (Answer, error) {
	w, err := r.wish(c, c.words)
	if err == nil {
		return r.previewWish(c, w.sub), nil
	}
	if !hasCode(err, "bad_schedule") { // what does not say when may be the name of a subscription
		return Answer{}, err
	}
	subs, err := r.chosen(ctx, c, true)
	if err != nil {
		return Answer{}, err
	}
	if len(subs) > 1 {
		return Answer{}, c.fault("which_subscription", "一次预览一个订阅。", "One at a time, please.", c.numbers(subs), c.numbers(subs))
	}
	s := subs[0]
	recipe, entries, err := r.deps.Subs.Next(ctx, s.ID)
	if err != nil {
		return Answer{}, fmt.Errorf("next digest of %s: %w", s.ID, err)
	}
	msg, items := digest.Compose(recipe, entries, c.lib, r.deps.Topics)
	return c.previewed(msg, items, fmt.Sprintf(c.say("预览 #%d · %s", "Preview of #%d · %s"), s.ID.Ordinal, r.nextRun(c, s))), nil
}

func hasCode(err error, code string) bool {
	user, ok := errors.AsType[*bot.UserError](err)
	return ok && user.Code == code
}

// previewWish composes the first digest of s, which is not subscribed.
func (r *Router) previewWish(c *call, s bot.Subscription) Answer {
	recipe := bot.Recipe{First: true, Series: s.Series, Topics: s.Topics, Style: s.Style, Lang: s.Lang, MaxItems: s.MaxItems}
	msg, items := digest.Compose(recipe, nil, c.lib, r.deps.Topics)
	return c.previewed(msg, items, c.say("预览 · ", "Preview · ")+r.describe(c, s)+" · "+r.nextRun(c, s))
}

// previewed is a digest with a line that says what it is.
func (c *call) previewed(msg bot.Message, items int, said string) Answer {
	if items == 0 {
		return Answer{Message: bot.Message{Title: c.say("目前没有新内容", "Nothing new so far"), Blocks: []bot.Block{
			text(c.say("到时间仍没有新内容，就不会发送。", "If it stays so, nothing will be sent.")), note(said)}}}
	}
	msg.Blocks = append([]bot.Block{note(said)}, msg.Blocks...)
	return Answer{Message: msg}
}
