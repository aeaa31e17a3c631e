package command

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"weeklybot/bot"
	"weeklybot/bot/chart"
	"weeklybot/content"
)

// shownTopics is how many topics /topics names.
const shownTopics = 40

// topics names the topics that have items, the most frequent first; with a word, those near to it.
func (r *Router) topics(_ context.Context, c *call) (Answer, error) {
	counts := r.counts.of(c.lib)
	if len(counts) == 0 {
		return r.empty(c), nil
	}
	title := fmt.Sprintf(c.say("主题（共 %d 个）", "Topics (%d)"), len(counts))
	if c.rest != "" {
		near := r.deps.Topics.Near(c.rest, shownTopics)
		counts = slices.DeleteFunc(slices.Clone(counts), func(t topicCount) bool { return !slices.Contains(near, t.topic) })
		slices.SortStableFunc(counts, func(a, b topicCount) int {
			return cmp.Compare(slices.Index(near, a.topic), slices.Index(near, b.topic))
		})
		title = fmt.Sprintf(c.say("与“%s”相近的主题", "Topics near “%s”"), clip(c.rest, 40))
	}
	if len(counts) == 0 {
		return r.nothing(c, clip(c.rest, 40), content.Result{}), nil
	}
	var names []string
	for _, t := range counts[:min(shownTopics, len(counts))] {
		names = append(names, fmt.Sprintf("%s (%d)", r.deps.Topics.Shown(t.topic, c.lang), t.items))
	}
	msg := bot.Message{Title: title, Blocks: []bot.Block{text(strings.Join(names, c.say("、", ", ")))}}
	if left := len(counts) - shownTopics; left > 0 {
		msg.Blocks = append(msg.Blocks, note(fmt.Sprintf(c.say("还有 %d 个，查找：/topics 词", "%d more; look for one: /topics WORD"), left)))
	}
	top := r.deps.Topics.Shown(counts[0].topic, c.lang)
	msg.Blocks = append(msg.Blocks, note(fmt.Sprintf(c.say("看内容：/hot %s · 订阅：/subscribe %s 每周一 9:00", "See items: /hot %s · subscribe: /subscribe %s Mon 09:00"), top, top)))
	return Answer{Message: msg}, nil
}

// CompleteTopic is for forms; every name that it gives is one that /subscribe reads.
func (r *Router) CompleteTopic(typed, lang string, n int) []string {
	names := r.deps.Topics.Complete(typed, n)
	for k, name := range names {
		names[k] = r.deps.Topics.Shown(name, lang)
	}
	return names
}

type topicCount struct {
	topic string
	items int
}

// countCache counts the items of each topic once for each Library.
type countCache struct{ last atomic.Pointer[counted] }

type counted struct {
	lib    *content.Library
	counts []topicCount
}

func (cc *countCache) of(lib *content.Library) []topicCount {
	if last := cc.last.Load(); last != nil && last.lib == lib {
		return last.counts
	}
	items := make(map[string]int)
	for _, i := range lib.Issues() {
		for s := range i.Sections {
			for k := range i.Sections[s].Items {
				for _, t := range i.Sections[s].Items[k].Topics {
					items[t]++
				}
			}
		}
	}
	counts := make([]topicCount, 0, len(items))
	for t, n := range items {
		counts = append(counts, topicCount{t, n})
	}
	slices.SortFunc(counts, func(a, b topicCount) int { return cmp.Or(cmp.Compare(b.items, a.items), cmp.Compare(a.topic, b.topic)) })
	cc.last.Store(&counted{lib, counts})
	return counts
}

// trend shows how often a topic appears, week by week: a chart where images can go, and a line of bars that says the same.
func (r *Router) trend(_ context.Context, c *call) (Answer, error) {
	if c.rest == "" {
		return Answer{}, c.fault("no_words", "要看哪个主题的走势？", "The trend of which topic?", "例如：/trend wasm；所有主题：/topics", "For example: /trend wasm; all topics: /topics")
	}
	topic, shown := c.rest, clip(c.rest, 40)
	if canonical, ok := r.deps.Topics.Canonical(c.rest); ok {
		topic, shown = canonical, r.deps.Topics.Shown(canonical, c.lang)
	}
	weeks, perBar := chart.Fit(r.deps.Search.Trend(topic, chart.MaxWeeks))
	if len(weeks) == 0 {
		near := slices.DeleteFunc(r.shownNear(c, c.rest), func(t string) bool { return t == shown })
		return r.nothing(c, shown, content.Result{Near: near}), nil
	}
	numbers, total := chart.Bars(weeks, perBar), 0
	for _, n := range numbers {
		total += n
	}
	peak := slices.Max(numbers)
	title := fmt.Sprintf(c.say("“%s”的走势", "Trend of “%s”"), shown)
	said := fmt.Sprintf(c.say("到最新一期为止的 %d 周，左旧右新，每格 %d 周：共 %d 条，一格最多 %d 条，最近一格 %d 条",
		"%d weeks up to the newest issue, the oldest left, weeks per bar: %d. %d items, at most %d in a bar, %d in the last"),
		len(weeks), perBar, total, peak, numbers[len(numbers)-1])
	return Answer{Message: bot.Message{
		Title:  title,
		Image:  picture(weeks, perBar, c.lib, title+c.say("：", ": ")+said),
		Blocks: []bot.Block{text(bars(numbers, peak)), text(said), note(c.say("看内容：/hot ", "See the items: /hot ") + shown)},
	}}, nil
}

// picture draws weeks up to the newest issue; nil when they cannot be drawn, since the text says the same.
func picture(weeks []int, perBar int, lib *content.Library, alt string) *bot.Image {
	opt := chart.Options{PerBar: perBar}
	if issues := lib.Issues(); len(issues) > 0 {
		opt.Newest, _ = issues[0].Day()
	}
	png, err := chart.Trend(weeks, opt)
	if err != nil {
		return nil
	}
	return &bot.Image{PNG: png, Alt: alt}
}

// bars draws numbers as blocks of eight heights; zero is a dot.
func bars(numbers []int, peak int) string {
	var b strings.Builder
	for _, n := range numbers {
		if n == 0 {
			b.WriteRune('·')
			continue
		}
		b.WriteRune([]rune("▁▂▃▄▅▆▇█")[(n*8-1)/peak])
	}
	return b.String()
}

// shownNear names the topics nearest to text, as members know them.
func (r *Router) shownNear(c *call, text string) []string {
	near := r.deps.Topics.Near(text, 4)
	for k := range near {
		near[k] = r.deps.Topics.Shown(near[k], c.lang)
	}
	return near
}
