package slack

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"weeklybot/bot"
)

// The core ends an answer that goes on with a note that says so: "下一页：/more". Here it becomes a button.
const moreCommand = "/more"

// takeMore takes that note off an answer.
func takeMore(msg bot.Message) (bot.Message, bool) {
	n := len(msg.Blocks) - 1
	if n < 0 || msg.Blocks[n].Kind != bot.BlockNote || !strings.HasSuffix(msg.Blocks[n].Text, moreCommand) {
		return msg, false
	}
	msg.Blocks = msg.Blocks[:n]
	return msg, true
}

// pageOption is how a member, or a button of ours, names a page.
var pageOption = regexp.MustCompile(`(?i)\s+(?:--|—)page[=\s]\s*(\d{1,3})(\s|$)`)

// pageOf takes the page out of a command.
func pageOf(text string) (rest string, page int) {
	page = 1
	rest = pageOption.ReplaceAllStringFunc(text, func(option string) string {
		page, _ = strconv.Atoi(pageOption.FindStringSubmatch(option)[1])
		return " "
	})
	return strings.TrimSpace(rest), max(page, 1)
}

// onPage is a command for one of its pages. The option stands right behind the name, where no length of the text cuts it off.
func onPage(text string, page int) string {
	name, rest, _ := strings.Cut(text, " ")
	return strings.TrimSpace(name + " --page " + strconv.Itoa(page) + " " + rest)
}

var moreNames = regexp.MustCompile(`(?i)^/(more|更多|下一页)$`)

// pager is the row of buttons below a page of an answer to text; nil if it is the only one. The command itself is in the buttons, not
// "/more": they still work after a restart, and for whoever else sees them.
func pager(lang, text string, more bool) slack.Block {
	rest, page := pageOf(text)
	var buttons []slack.BlockElement
	if page > 1 {
		buttons = append(buttons, button(actionBack, inLang(lang, "上一页", "Previous page"), onPage(rest, page-1)))
	}
	switch {
	case more && moreNames.MatchString(rest): // only the core knows what goes on
		buttons = append(buttons, button(actionMore, inLang(lang, "下一页", "Next page"), moreCommand))
	case more:
		buttons = append(buttons, button(actionMore, inLang(lang, "下一页", "Next page"), onPage(rest, page+1)))
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
