package slack

import (
	"strings"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// maxLabel is the longest text of a link, and the longest line of the summary; titles of items are longer only when they have no link.
const maxLabel = 300

// escape is the one rule that makes a line of foreign text harmless: & < > are escaped exactly once, so that no mention, broadcast or
// link remains. Zero-width spaces take apart a fence (three backticks), which would swallow the links after it, and keep a > at the
// begin from quoting the line, or with >>> all that follows.
func escape(s string) string {
	s = slackutilsx.EscapeMessage(strings.ReplaceAll(s, "``", "`\u200b`")) // never three in a row, of however many
	if strings.HasPrefix(s, "&gt;") {
		s = "\u200b" + s
	}
	return s
}

// lines is foreign text of several lines.
func lines(s string) string {
	all := strings.Split(apihttp.CleanLines(s), "\n")
	for k, line := range all {
		all[k] = escape(line)
	}
	return strings.Join(all, "\n")
}

// webURL is url as a link target, "" unless it is http or https.
func webURL(url string) string {
	if url = apihttp.CleanURL(url, 0); strings.HasPrefix(url, "http") {
		return url
	}
	return ""
}

// linked is title leading to url, or title alone when url cannot be a link.
func linked(url, title string) string {
	title = apihttp.CleanText(title)
	target := escape(webURL(url))
	switch {
	case target == "" || runes(target) > budgetURL:
		return escape(title)
	case title == "":
		return "<" + target + ">"
	}
	return "<" + target + "|" + escape(title) + ">"
}

// inline is links as text.
func inline(links []bot.Link) (texts []string) {
	for _, link := range links {
		texts = append(texts, linked(link.URL, clip(link.Text, maxLabel)))
	}
	return nonEmpty(texts)
}

// bold is foreign text alone on its line; beside Chinese text the stars would stay literal.
func bold(s string) string { return emphasized(escape(s), s) }

// emphasized puts markup in bold, unless the foreign text in it holds stars itself.
func emphasized(markup, foreign string) string {
	if markup == "" || strings.Contains(foreign, "*") {
		return markup
	}
	return "*" + markup + "*"
}

// clip is s cut to n code points, the last of them "…", never inside a character as people see it if that can be helped.
func clip(s string, n int) string {
	if runes(s) <= n {
		return s
	}
	head, _, ok := bot.CutText(s, func(t string) bool { return runes(t) < n })
	if !ok || head == "" {
		head = string([]rune(s)[:n-1])
	}
	return head + "…"
}

func nonEmpty(texts []string) []string {
	kept := texts[:0]
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}

func plain(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}

// mrkdwn is markup of ours. Verbatim keeps Slack from finding links and mentions of its own in it.
func mrkdwn(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, text, false, true)
}
