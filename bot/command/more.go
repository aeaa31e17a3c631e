package command

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"weeklybot/bot"
	"weeklybot/content"
)

// turn is the last question of a member in a channel.
type turn struct{ request request }

func turnKey(cmd bot.Command) string { return cmd.Channel.ID().String() + "\n" + cmd.Member.ID }

func (r *Router) remember(c *call) { r.turns.put(turnKey(c.cmd), turn{c.request}) }

// more is the next page of the member's last answer here.
func (r *Router) more(ctx context.Context, c *call) (Answer, error) {
	last, ok := r.turns.get(turnKey(c.cmd))
	if !ok {
		return Answer{}, c.fault("nothing_before", "没有可以接着看的内容。", "There is nothing to go on with.",
			"先搜索，例如：/search ebpf；或直接写页码：/search ebpf --page 2", "Search first, for example: /search ebpf; or name the page: /search ebpf --page 2")
	}
	return r.again(ctx, c, last.request, last.request.page+1)
}

// again runs an earlier request for one of its pages, in the language of this call.
func (r *Router) again(ctx context.Context, c *call, req request, page int) (Answer, error) {
	req.page = page
	if page > maxPage {
		req.page = maxPage
	}
	before := *c
	before.request = req
	return req.cmd.run(r, ctx, &before)
}

// why explains an item of the last answer: "/why 2", or "/why 2 /hot ebpf" for any other. "/why #2" explains how subscription 2 is doing.
func (r *Router) why(ctx context.Context, c *call) (Answer, error) {
	if answer, ok, err := r.whySubscription(ctx, c); ok || err != nil {
		return answer, err
	}
	req, n, err := r.whyOf(c)
	if err != nil {
		return Answer{}, err
	}
	q := content.Query{Text: req.rest, Hot: req.cmd.name == "hot", Limit: max(r.deps.Limit, n)}
	hits := r.deps.Search.Search(q).Hits
	if n > len(hits) {
		return Answer{}, c.fault("no_such_item", fmt.Sprintf("没有第 %d 条。", n), fmt.Sprintf("There is no item %d.", n),
			fmt.Sprintf("一共 %d 条。", len(hits)), fmt.Sprintf("There are %d.", len(hits)))
	}
	hit := hits[n-1]
	msg := bot.Message{Title: fmt.Sprintf(c.say("为什么有第 %d 条", "Why item %d is there"), n), Blocks: hitBlocks(c, n, hit)}
	msg.Blocks = append(msg.Blocks, text(c.say("匹配：", "Matched: ")+hit.Why), text(fmt.Sprintf(c.say("得分 %.2f（%s）", "Score %.2f (%s)"), hit.Score, r.ranking(c, q.Hot))))
	if len(hit.Item.Topics) > 0 {
		msg.Blocks = append(msg.Blocks, text(c.say("主题：", "Topics: ")+r.topicsShown(c, hit.Item.Topics)))
	}
	for _, ref := range hit.Also {
		msg.Blocks = append(msg.Blocks, note(c.say("另见：", "Also in: ")+ref.Issue.Title))
	}
	return Answer{Hits: []content.Hit{hit}, Message: msg}, nil
}

func (r *Router) ranking(c *call, hot bool) string {
	if hot {
		return c.say("相关 × 新近", "relevance × recency")
	}
	return c.say("相关：标题 > 小标题 > 正文", "relevance: title > heading > text")
}

// whyOf finds which question /why is about, and which of its hits.
func (r *Router) whyOf(c *call) (request, int, error) {
	usage := func() error {
		return c.fault("bad_number", "要解释第几条？", "Which item?", "先搜索，再输入 /why 2；或 /why 2 /hot ebpf", "Search, then type /why 2; or /why 2 /hot ebpf")
	}
	if len(c.words) == 0 {
		return request{}, 0, usage()
	}
	n, err := strconv.Atoi(strings.TrimPrefix(c.words[0], "#"))
	if err != nil || n < 1 || n > maxPage*pageSize {
		return request{}, 0, usage()
	}
	if len(c.words) > 1 {
		_, rest, _ := strings.Cut(c.rest, " ")
		req, err := r.grammar.parse(rest, c.lang)
		if err == nil && !asksIndex(req) {
			err = usage()
		}
		return req, n, err
	}
	last, ok := r.turns.get(turnKey(c.cmd))
	if !ok {
		return request{}, 0, usage()
	}
	return last.request, n, nil
}

// asksIndex is true for requests that list hits.
func asksIndex(req request) bool {
	return (req.cmd.name == "hot" || req.cmd.name == "search") && req.rest != ""
}
