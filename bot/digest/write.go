package digest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weeklybot/bot"
	"weeklybot/content"
)

// summarySentences is how much of an issue's own summary opens its digest.
const summarySentences = 2

// writer lays out picks as a Message.
type writer struct {
	words
	style  bot.Style
	topics []string // shown names of the topics asked for
	alone  bool     // no subscription behind it
}

// shownTopics are the names that members know the recipe's topics by.
func shownTopics(r bot.Recipe, topics *content.Topics) []string {
	var names []string
	for _, t := range r.Topics {
		names = append(names, topics.Shown(t, wordsOf(r.Lang).lang))
	}
	return names
}

func (w *writer) digest(list []*pick) bot.Message {
	msg := bot.Message{Title: w.title(list), Lang: w.lang}
	n := count(list)
	msg.Notice = fmt.Sprintf(w.notice, msg.Title, w.items(n))
	for k, p := range list {
		if len(list) > 1 {
			if k > 0 {
				msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockDivider})
			}
			msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockHeading, Text: w.name(p.issue)})
		}
		msg.Blocks = append(msg.Blocks, w.issue(p, min(len(list)-1, 1))...)
	}
	msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockNote, Text: w.footer(list, n)})
	return msg
}

// title is the issue's own, or says how many there are.
func (w *writer) title(list []*pick) string {
	if len(list) == 1 {
		if t := list[0].issue.Title; t != "" {
			return t
		}
		return w.name(list[0].issue)
	}
	return fmt.Sprintf(w.severalIssues, len(list), w.seriesOf(list))
}

// maxNamedSeries is how many series a title names.
const maxNamedSeries = 3

func (w *writer) seriesOf(list []*pick) string {
	var names []string
	for _, p := range list {
		if !slices.Contains(names, p.issue.Series) {
			names = append(names, p.issue.Series)
		}
	}
	if len(names) <= maxNamedSeries {
		return strings.Join(names, w.comma)
	}
	return fmt.Sprintf(w.andMore, strings.Join(names[:maxNamedSeries], w.comma), len(names)-maxNamedSeries)
}

// name is the issue as a heading: "cloud-native-weekly 第3期 · 2019-05-07".
func (w *writer) name(i *content.Issue) string { return Name(i, w.lang) }

// Name is how an issue is called in lists and headings, in lang ("en", else Chinese).
func Name(i *content.Issue, lang string) string {
	name := i.Series
	switch {
	case i.Number != nil:
		name += " " + fmt.Sprintf(wordsOf(lang).number, *i.Number)
	case i.Kind == content.KindHotTopics && i.Title != "" && i.Title != i.Series:
		name = i.Title
	}
	if i.Date != "" {
		name += " · " + i.Date
	}
	return name
}

// Ref is what to type after /issue to get this issue.
func Ref(i *content.Issue) string {
	ref := i.Key()
	series := i.Series
	if !strings.ContainsAny(series, " \t\"'") {
		switch {
		case i.Kind == content.KindHotTopics:
		case i.Number != nil:
			ref = series + " " + strconv.Itoa(*i.Number)
		case i.Date != "":
			ref = series + " " + i.Date
		}
	}
	if strings.ContainsAny(ref, " \t") && ref == i.Key() {
		return `"` + ref + `"`
	}
	return ref
}

// issue is one issue with its sections on that level.
func (w *writer) issue(p *pick, level int) []bot.Block {
	var blocks []bot.Block
	if summary := Sentences(p.issue.Summary, summarySentences); summary != "" {
		blocks = append(blocks, bot.Block{Kind: bot.BlockText, Text: summary})
	}
	for _, s := range p.parts {
		if heading := w.heading(p.issue, s.section); heading != "" {
			blocks = append(blocks, bot.Block{Kind: bot.BlockHeading, Text: heading, Level: level})
		}
		for _, it := range s.items {
			blocks = append(blocks, w.item(it)...)
		}
	}
	if p.left > 0 {
		blocks = append(blocks, bot.Block{Kind: bot.BlockNote, Text: fmt.Sprintf(w.moreItems, p.left, Ref(p.issue))})
	}
	return blocks
}

// heading is the section's, behind the one above it where that is not the title of the issue: "上游重要进展 › Istio 项目".
func (w *writer) heading(i *content.Issue, s *content.Section) string {
	if s.Heading == i.Title {
		return ""
	}
	if n := len(s.Path); n > 0 && s.Heading != "" && s.Path[n-1] != "" && s.Path[n-1] != i.Title {
		return s.Path[n-1] + " › " + s.Heading
	}
	return s.Heading
}

// item is one news item in the writer's style. An item without a title is shown by its text.
func (w *writer) item(it *content.Item) []bot.Block {
	b := bot.Block{Kind: bot.BlockItem, Item: it.ID, Title: tagged(it), URL: it.URL}
	switch w.style {
	case bot.StyleFull:
		b.Text = w.signed(it)
		return append([]bot.Block{b}, w.nested(it.Items)...)
	case bot.StyleHeadlines:
		if b.Title == "" {
			b.Title = shorten(Sentences(it.FullText(), 1))
		}
	default:
		b.Text = w.brief(it)
	}
	return []bot.Block{b}
}

// tagged is the title behind the tags that stood in front of it.
func tagged(it *content.Item) string {
	var b strings.Builder
	for _, tag := range it.Tags {
		b.WriteString("[" + tag + "] ")
	}
	b.WriteString(it.Title)
	return strings.TrimSpace(b.String())
}

// brief is one sentence about an item: of its text, else the titles of its nested entries.
func (w *writer) brief(it *content.Item) string {
	if s := Sentences(it.Text, 1); s != "" {
		return shorten(s)
	}
	var titles []string
	for k := range it.Items {
		titles = append(titles, Sentences(it.Items[k].FullText(), 1))
	}
	return shorten(strings.Join(titles, w.semicolon))
}

func (w *writer) signed(it *content.Item) string {
	if it.By == "" {
		return it.Text
	}
	return strings.TrimSpace(it.Text + "\n" + fmt.Sprintf(w.by, it.By))
}

// nested are the entries below an item, however deep, one level in.
func (w *writer) nested(items []content.Item) []bot.Block {
	var blocks []bot.Block
	for k := range items {
		it := &items[k]
		blocks = append(blocks, bot.Block{Kind: bot.BlockItem, Level: 1, Title: tagged(it), URL: it.URL, Text: w.signed(it)})
		blocks = append(blocks, w.nested(it.Items)...)
	}
	return blocks
}

// footer says what this was and how to change it.
func (w *writer) footer(list []*pick, n int) string {
	var words []string
	if len(list) == 1 {
		i := list[0].issue
		if i.Date != "" {
			words = append(words, i.Date)
		}
		words = append(words, i.Series)
	}
	words = append(words, w.items(n))
	if len(w.topics) > 0 {
		words = append(words, fmt.Sprintf(w.onTopics, strings.Join(w.topics, w.comma)))
	}
	if !w.alone {
		words = append(words, w.change)
	}
	return strings.Join(words, " · ")
}

// words are the bot's own in one language.
type words struct {
	lang, comma, semicolon                                                                      string
	number, notice, oneItem, manyItems, severalIssues, andMore, moreItems, onTopics, by, change string
}

var chinese = words{
	lang: "zh", comma: "、", semicolon: "；", number: "第%d期", notice: "%s：%s", oneItem: "%d 条内容", manyItems: "%d 条内容",
	severalIssues: "%d 期新内容：%s", andMore: "%s 等（另有 %d 个系列）", moreItems: "还有 %d 条未列出，查看全部：/issue %s",
	onTopics: "主题：%s", by: "作者：%s", change: "更改或退订：/subscriptions",
}

var english = words{
	lang: "en", comma: ", ", semicolon: "; ", number: "#%d", notice: "%s: %s", oneItem: "%d item", manyItems: "%d items",
	severalIssues: "%d new issues: %s", andMore: "%s and %d more", moreItems: "%d more not listed; see all: /issue %s",
	onTopics: "topics: %s", by: "By %s", change: "change or stop: /subscriptions",
}

// wordsOf is English for "en", else Chinese.
func wordsOf(lang string) words {
	if lang == "en" {
		return english
	}
	return chinese
}

func (w words) items(n int) string {
	if n == 1 {
		return fmt.Sprintf(w.oneItem, n)
	}
	return fmt.Sprintf(w.manyItems, n)
}

// Brief is one sentence about an item, as digests in the brief style show it; "" when its title says all.
func Brief(it *content.Item, lang string) string {
	w := writer{words: wordsOf(lang)}
	return w.brief(it)
}
