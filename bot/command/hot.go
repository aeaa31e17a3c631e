package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"weeklybot/bot"
	"weeklybot/bot/digest"
	"weeklybot/content"
)

const (
	// pageSize is how many hits one page of an answer shows, where Deps.Limit allows as many.
	pageSize = 10
	// risingTopics is how many topics /hot alone names.
	risingTopics = 10
)

// hot lists the hottest items about a topic; alone, the topics that rise most.
func (r *Router) hot(_ context.Context, c *call) (Answer, error) {
	if c.rest == "" {
		return r.rising(c)
	}
	return r.found(c, content.Query{Text: c.rest, Hot: true}, c.say("“%s”的热门内容，共 %d 条", "Hot on “%s”: %d items"))
}

// search lists the items that match best.
func (r *Router) search(_ context.Context, c *call) (Answer, error) {
	if c.rest == "" {
		return Answer{}, c.fault("no_words", "要搜索什么？", "Search for what?", "例如：/search 双栈 istio", "For example: /search dual-stack istio")
	}
	return r.found(c, content.Query{Text: c.rest}, c.say("搜索“%s”，共 %d 条", "“%s”: %d found"))
}

func (r *Router) found(c *call, q content.Query, title string) (Answer, error) {
	size := min(pageSize, r.deps.Limit)
	q.Limit = max(r.deps.Limit, c.page*size)
	result := r.deps.Search.Search(q)
	shown := clip(q.Text, 40)
	if len(result.Hits) == 0 {
		return r.nothing(c, shown, result), nil
	}
	r.remember(c)
	from := (c.page - 1) * size
	if from >= len(result.Hits) {
		return Answer{}, c.fault("no_page", "没有更多了。", "There is no more.", fmt.Sprintf("一共 %d 条。", result.Total), fmt.Sprintf("%d in all.", result.Total))
	}
	msg := bot.Message{Title: fmt.Sprintf(title, shown, result.Total)}
	for k, hit := range result.Hits[from:min(from+size, len(result.Hits))] {
		msg.Blocks = append(msg.Blocks, hitBlocks(c, from+k+1, hit)...)
	}
	if left := len(result.Hits) - from - size; left > 0 {
		msg.Blocks = append(msg.Blocks, note(c.say("下一页：/more", "Next page: /more")))
	}
	return Answer{Hits: result.Hits[:min(r.deps.Limit, len(result.Hits))], Message: msg}, nil
}

// hitBlocks show one hit: its title, a sentence, where it is from and the number that /why takes. The number is not in the title,
// because some platforms number items themselves.
func hitBlocks(c *call, n int, hit content.Hit) []bot.Block {
	title := hit.Item.Title
	text := digest.Brief(hit.Item, c.lang)
	if title == "" {
		title, text = text, ""
	}
	from := fmt.Sprintf("[%d] %s", n, digest.Name(hit.Issue, c.lang))
	if hit.Section != nil && hit.Section.Heading != "" {
		from += " · " + hit.Section.Heading
	}
	if n := len(hit.Also); n > 0 {
		from += " · " + fmt.Sprintf(c.say("另见 %d 期", "also in %d more"), n)
	}
	return []bot.Block{
		{Kind: bot.BlockItem, Item: hit.Item.ID, Title: title, URL: hit.Item.URL, Text: text},
		note(from),
	}
}

// nothing is the answer when no item matches: no fault, and something to try next.
func (r *Router) nothing(c *call, shown string, result content.Result) Answer {
	msg := bot.Message{Title: fmt.Sprintf(c.say("没有找到“%s”", "Nothing found for “%s”"), shown)}
	if near := result.Near; len(near) > 0 {
		label := c.say("相近的主题：", "Near topics: ")
		if result.Popular {
			label = c.say("也没有相近的主题。内容最多的主题：", "No topic is near either. Those with the most items: ")
		}
		msg.Blocks = append(msg.Blocks, text(label+strings.Join(near, c.say("、", ", "))), note(c.say("例如：/hot ", "For example: /hot ")+near[0]))
	} else {
		msg.Blocks = append(msg.Blocks, text(c.say("换一个词试试；所有主题：/topics", "Try another word; all topics: /topics")))
	}
	return Answer{Message: msg}
}

// rising is /hot alone.
func (r *Router) rising(c *call) (Answer, error) {
	topics := r.deps.Search.Rising(risingTopics)
	if len(topics) == 0 {
		return r.empty(c), nil
	}
	msg := bot.Message{Title: c.say("正在升温的话题", "Topics on the rise")}
	for _, t := range topics {
		msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockItem,
			Title: r.deps.Topics.Shown(t.Topic, c.lang),
			Text:  fmt.Sprintf(c.say("最近 4 周 %d 条，之前 4 周 %d 条%s", "%d in the last 4 weeks, %d in the 4 before%s"), t.Recent, t.Before, arrow(t))})
	}
	top := r.deps.Topics.Shown(topics[0].Topic, c.lang)
	msg.Blocks = append(msg.Blocks, note(fmt.Sprintf(c.say("看内容：/hot %s · 看走势：/trend %s", "See the items: /hot %s · the trend: /trend %s"), top, top)))
	return Answer{Message: msg}, nil
}

func arrow(t content.TopicCount) string {
	switch {
	case t.Recent > t.Before:
		return " ↑"
	case t.Recent < t.Before:
		return " ↓"
	default:
		return ""
	}
}

// empty is the answer of every command that reads when nothing is loaded.
func (r *Router) empty(c *call) Answer {
	return Answer{Message: bot.Message{Title: c.say("还没有内容", "Nothing here yet"), Blocks: []bot.Block{
		text(c.say("管理员还没有接入期刊，或正在读取。请稍后再试。", "No newsletters are loaded, or they are being read. Please try again later."))}}}
}

func text(s string) bot.Block { return bot.Block{Kind: bot.BlockText, Text: s} }
func note(s string) bot.Block { return bot.Block{Kind: bot.BlockNote, Text: s} }

// topicsShown are the names of topics as members know them.
func (r *Router) topicsShown(c *call, topics []string) string {
	if len(topics) == 0 {
		return c.say("全部主题", "all topics")
	}
	names := slices.Clone(topics)
	for k := range names {
		names[k] = r.deps.Topics.Shown(names[k], c.lang)
	}
	return strings.Join(names, c.say("、", ", "))
}
