// Package paging turns the pages of an answer into commands, for adapters that have buttons. It is pure.
package paging

import (
	"regexp"
	"strconv"
	"strings"

	"weeklybot/bot"
)

// more is what the core ends an answer with that goes on: a note, "下一页：/more".
const more = "/more"

// TakeMore takes that note off an answer, and says whether it was there.
func TakeMore(msg bot.Message) (bot.Message, bool) {
	n := len(msg.Blocks) - 1
	if n < 0 || msg.Blocks[n].Kind != bot.BlockNote || !strings.HasSuffix(msg.Blocks[n].Text, more) {
		return msg, false
	}
	msg.Blocks = msg.Blocks[:n]
	return msg, true
}

// pageOption is how a member, or a button of ours, names a page.
var pageOption = regexp.MustCompile(`(?i)\s+(?:--|—)page[=\s]\s*(\d{1,3})(\s|$)`)

// Of takes the page, at least 1, out of a command.
func Of(text string) (rest string, page int) {
	page = 1
	rest = pageOption.ReplaceAllStringFunc(text, func(option string) string {
		page, _ = strconv.Atoi(pageOption.FindStringSubmatch(option)[1])
		return " "
	})
	return strings.TrimSpace(rest), max(page, 1)
}

// On is a command, without a page, for one of its pages. The option stands right behind the name, where no length of the text cuts it off.
func On(text string, page int) string {
	name, rest, _ := strings.Cut(text, " ")
	return strings.TrimSpace(name + " --page " + strconv.Itoa(page) + " " + rest)
}

var moreNames = regexp.MustCompile(`(?i)^/(more|更多|下一页)$`)

// Around are the commands for the page before text's, "" for none, and for the page behind it. They hold the command itself, not
// "/more": they still work after a restart, and for whoever else sees them. Only of what goes on behind "/more" the core alone knows.
func Around(text string) (before, behind string) {
	rest, page := Of(text)
	if page > 1 {
		before = On(rest, page-1)
	}
	if moreNames.MatchString(rest) {
		return before, more
	}
	return before, On(rest, page+1)
}
