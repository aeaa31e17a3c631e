package slack

import (
	"cmp"
	"regexp"
	"strings"

	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/paging"
)

// pager is the row of buttons below a page of an answer to text; nil if it is the only one.
func pager(lang, text string, more bool) slack.Block {
	before, behind := paging.Around(text)
	var buttons []slack.BlockElement
	if before != "" {
		buttons = append(buttons, button(actionBack, inLang(lang, "上一页", "Previous page"), before))
	}
	if more {
		buttons = append(buttons, button(actionMore, inLang(lang, "下一页", "Next page"), behind))
	}
	for _, b := range buttons {
		if len(b.(*slack.ButtonBlockElement).Value) > maxButtonValue {
			return nil
		}
	}
	if len(buttons) == 0 {
		return nil
	}
	return slack.NewActionBlock("pages", buttons...)
}

// subscribeButton opens the form.
func subscribeButton(lang string) *slack.ButtonBlockElement {
	value := "/subscribe"
	if lang != "" {
		value += " --lang " + lang
	}
	return button(actionSubscribe, inLang(lang, "订阅…", "Subscribe…"), value)
}

// aboutTopic are the commands whose answer is about one topic, in the core's words.
var aboutTopic = regexp.MustCompile(`(?i)^/(?:hot|热点|热门|trending|trend|趋势|走势)\s+(\S.*)$`)

// maxButtonTopic is the longest topic, in code points, that gets a button: longer ones are sentences.
const maxButtonTopic = 40

// maxTopicLabel leaves room, within rowTotal, for the buttons that turn pages.
const maxTopicLabel = 60

// topicButton opens the form with the topic that the answer to text is about; nil if it is about none.
func topicButton(lang, text string) *slack.ButtonBlockElement {
	text, _ = paging.Of(text)
	m := aboutTopic.FindStringSubmatch(langOption.ReplaceAllString(text, ""))
	if m == nil || runes(m[1]) > maxButtonTopic {
		return nil
	}
	b := subscribeButton(lang)
	b.Value = strings.Replace(b.Value, "/subscribe", "/subscribe "+m[1], 1)
	b.Text = plain(clip(inLang(lang, "订阅 "+m[1]+"…", "Subscribe to "+m[1]+"…"), maxTopicLabel))
	return b
}

// topicsIn are the topics in the value of such a button.
func topicsIn(value string) string {
	return strings.TrimSpace(strings.TrimPrefix(langOption.ReplaceAllString(value, ""), "/subscribe"))
}

// addButton puts a button below blocks, beside those that stand there already.
func addButton(blocks []slack.Block, b slack.BlockElement) []slack.Block {
	if n := len(blocks); n > 0 {
		if row, ok := blocks[n-1].(*slack.ActionBlock); ok && len(row.Elements.ElementSet) < maxButtons {
			row.Elements.ElementSet = append(row.Elements.ElementSet, b)
			return blocks
		}
	}
	return append(blocks, slack.NewActionBlock("", b))
}

var (
	bareSubscribe = regexp.MustCompile(`(?i)^/(subscribe|sub|订阅)(\s+--lang[=\s](zh|en))?$`)
	langOption    = regexp.MustCompile(`\s--lang[=\s](zh|en)$`)
)

// langIn is the language that a command asks for by its last option.
func langIn(text string) string {
	if m := langOption.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// A vote is an option of the menu beside an item: "up zh ITEM". The core knows members and items; here they are opaque.
const (
	actionVote = "vote"
	// maxOptionValue is the most that the value of an option may hold, in code points; in bytes here. Source: nicklambourne/slackblocks
	// spec/limits.json, read 2026-11.
	maxOptionValue = 150
	// maxVoteItem leaves room for what stands before the item.
	maxVoteItem = maxOptionValue - len("down zh ")
)

// voteMenu asks what a member thinks of an item.
func voteMenu(lang, item string) *slack.OverflowBlockElement {
	option := func(vote, zh, en string) *slack.OptionBlockObject {
		return slack.NewOptionBlockObject(vote+" "+cmp.Or(lang, "zh")+" "+item, plain(inLang(lang, zh, en)), nil)
	}
	return slack.NewOverflowBlockElement(actionVote, option("up", "👍 有用", "👍 Useful"), option("down", "👎 没用", "👎 Not useful"))
}

// readVote is the value of such an option.
func readVote(value string) (vote int, lang, item string, ok bool) {
	word, rest, _ := strings.Cut(value, " ")
	lang, item, _ = strings.Cut(rest, " ")
	vote = map[string]int{"up": 1, "down": -1}[word]
	return vote, lang, item, vote != 0 && item != "" && len(item) <= maxVoteItem
}
