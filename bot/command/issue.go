package command

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/digest"
	"weeklybot/content"
	"weeklybot/internal/nearest"
)

const (
	// latestItems is how many items /latest shows before it refers to /issue.
	latestItems = 15
	// recentIssues is how many issues /issue alone names.
	recentIssues = 10
)

// latest shows the newest issue, of one series or of any.
func (r *Router) latest(_ context.Context, c *call) (Answer, error) {
	style, words := styleAtEnd(c.words, bot.StyleBrief)
	series := ""
	if len(words) > 0 {
		var err error
		if series, err = r.series(c, strings.Join(words, " ")); err != nil {
			return Answer{}, err
		}
	}
	i := c.lib.Latest(series)
	if i == nil {
		return r.empty(c), nil
	}
	answer := show(c, i, style, min(latestItems, r.deps.Limit))
	answer.Hits = answer.Hits[:min(r.deps.Limit, len(answer.Hits))]
	if others := r.otherSeries(c, i); series == "" && others != "" {
		answer.Message.Blocks = append(answer.Message.Blocks, note(c.say("其他期刊：/latest ", "Other series: /latest ")+others))
	}
	return answer, nil
}

func (r *Router) otherSeries(c *call, i *content.Issue) string {
	others := slices.DeleteFunc(c.lib.Series(), func(s string) bool { return s == i.Series })
	if len(others) > recentIssues {
		others = others[:recentIssues]
	}
	return strings.Join(others, " · /latest ")
}

// issue shows one issue as a whole, or names the recent ones.
func (r *Router) issue(_ context.Context, c *call) (Answer, error) {
	style, words := styleAtEnd(c.words, bot.StyleBrief)
	if len(words) == 0 {
		return r.issueList(c, ""), nil
	}
	if i := c.lib.Issue(strings.Join(words, " ")); i != nil {
		return show(c, i, style, 0), nil
	}
	is := whichIssue(words[len(words)-1])
	if is == nil {
		series, err := r.series(c, strings.Join(words, " "))
		if err != nil {
			return Answer{}, err
		}
		if only := c.only(series); only != nil {
			return show(c, only, style, 0), nil
		}
		return r.issueList(c, series), nil
	}
	series := ""
	if len(words) > 1 {
		var err error
		if series, err = r.series(c, strings.Join(words[:len(words)-1], " ")); err != nil {
			return Answer{}, err
		}
	}
	var found []*content.Issue
	for _, i := range c.lib.Issues() {
		if is(i) && (series == "" || i.Series == series) {
			found = append(found, i)
		}
	}
	switch {
	case len(found) == 0:
		return Answer{}, c.fault("unknown_issue", "没有这一期。", "There is no such issue.", "最近各期：/issue", "Recent issues: /issue")
	case len(found) > 1 && series == "":
		return issueNames(c, c.say("有几种期刊都有这一期，请选一种", "Several series have such an issue; choose one"), found), nil
	}
	return show(c, found[0], style, 0), nil
}

// only is the one issue of a series that has just one, such as a growing page; else nil.
func (c *call) only(series string) *content.Issue {
	var only *content.Issue
	for _, i := range c.lib.Issues() {
		switch {
		case i.Series != series:
		case only != nil:
			return nil
		default:
			only = i
		}
	}
	return only
}

// whichIssue tells issues by what names one: a number ("12", "#12", "第12期"), a day, or "latest"; nil when word is none of these.
func whichIssue(word string) func(*content.Issue) bool {
	if strings.EqualFold(word, "latest") || word == "最新" {
		return func(i *content.Issue) bool { return i.ItemCount() > 0 }
	}
	if day, err := time.Parse("2006-1-2", strings.NewReplacer("/", "-", ".", "-").Replace(word)); err == nil {
		date := day.Format(time.DateOnly)
		return func(i *content.Issue) bool {
			return i.Date == date || i.Period[0] != "" && i.Period[0] <= date && date <= i.Period[1]
		}
	}
	digits := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(word, "#"), "第"), "期")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 {
		return nil
	}
	return func(i *content.Issue) bool { return i.Number != nil && *i.Number == n }
}

func show(c *call, i *content.Issue, style bot.Style, limit int) Answer {
	return Answer{Hits: hitsOf(i), Message: digest.Issue(i, style, c.lang, limit)}
}

// hitsOf are the items of an issue, in order.
func hitsOf(i *content.Issue) []content.Hit {
	var hits []content.Hit
	for s := range i.Sections {
		section := &i.Sections[s]
		if section.Kind == content.SectionMeta {
			continue
		}
		for k := range section.Items {
			hits = append(hits, content.Hit{Item: &section.Items[k], Section: section, Issue: i})
		}
	}
	return hits
}

func (r *Router) issueList(c *call, series string) Answer {
	var recent []*content.Issue
	for _, i := range c.lib.Issues() {
		if (series == "" || i.Series == series) && i.ItemCount() > 0 && len(recent) < recentIssues {
			recent = append(recent, i)
		}
	}
	if len(recent) == 0 {
		return r.empty(c)
	}
	return issueNames(c, c.say("最近各期", "Recent issues"), recent)
}

func issueNames(c *call, title string, issues []*content.Issue) Answer {
	msg := bot.Message{Title: title}
	for _, i := range issues[:min(recentIssues, len(issues))] {
		msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockItem, Title: digest.Name(i, c.lang), Text: "/issue " + digest.Ref(i)})
	}
	return Answer{Message: msg}
}

// series finds the series that a member names: as it is, in any case, by its beginning or a part of it.
func (r *Router) series(c *call, name string) (string, error) {
	all := c.lib.Series()
	for _, same := range []func(s string) bool{
		func(s string) bool { return s == name },
		func(s string) bool { return strings.EqualFold(s, name) },
		func(s string) bool { return strings.EqualFold(strings.ReplaceAll(s, "-", " "), name) },
		func(s string) bool { return strings.HasPrefix(strings.ToLower(s), strings.ToLower(name)) },
		func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(name)) },
	} {
		var found []string
		for _, s := range all {
			if same(s) {
				found = append(found, s)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
	}
	offered := nearest.Of(name, all, 3)
	if len(offered) == 0 {
		offered = all[:min(recentIssues, len(all))]
	}
	shown := clip(name, 40)
	return "", c.fault("unknown_series", fmt.Sprintf("没有名为“%s”的期刊。", shown), fmt.Sprintf("There is no series “%s”.", shown),
		"可选："+strings.Join(offered, "、"), "Choose one of: "+strings.Join(offered, ", "))
}

// styleAtEnd takes a style off the end of words.
func styleAtEnd(words []string, otherwise bot.Style) (bot.Style, []string) {
	if len(words) > 0 {
		if style, ok := styleOf(words[len(words)-1]); ok {
			return style, words[:len(words)-1]
		}
	}
	return otherwise, words
}

func styleOf(word string) (bot.Style, bool) {
	switch strings.ToLower(word) {
	case "headlines", "headline", "titles", "标题", "只要标题":
		return bot.StyleHeadlines, true
	case "brief", "short", "简要", "摘要", "简报", "一句话":
		return bot.StyleBrief, true
	case "full", "long", "全文", "详细", "完整":
		return bot.StyleFull, true
	}
	return "", false
}

func styleName(c *call, style bot.Style) string {
	switch style {
	case bot.StyleHeadlines:
		return c.say("标题", "headlines")
	case bot.StyleFull:
		return c.say("全文", "full")
	default:
		return c.say("简要", "brief")
	}
}
