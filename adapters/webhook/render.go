package webhook

import (
	"fmt"
	"strings"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// payload is the body, see the package's comment.
type payload struct {
	Type     string      `json:"type"`
	Key      string      `json:"key"`
	Part     int         `json:"part"`
	Parts    int         `json:"parts"`
	Text     string      `json:"text"`
	Markdown string      `json:"markdown"`
	Message  bot.Message `json:"message"`
}

func render(p bot.Post) payload {
	msg := clean(p.Message)
	if p.Parts > 1 {
		msg.Title = strings.TrimSpace(fmt.Sprintf("%s (%d/%d)", msg.Title, p.Part, p.Parts))
	}
	return payload{
		Type: "digest", Key: apihttp.CleanText(p.Key), Part: p.Part, Parts: p.Parts,
		Text: plain.write(msg), Markdown: markdown.write(msg), Message: msg,
	}
}

// clean is msg with every text and link made safe; the original stays as it is.
func clean(msg bot.Message) bot.Message {
	msg.Title, msg.Notice = apihttp.CleanText(msg.Title), apihttp.CleanText(msg.Notice)
	blocks := make([]bot.Block, len(msg.Blocks))
	for k, b := range msg.Blocks {
		b.Title, b.Text, b.URL = apihttp.CleanText(b.Title), apihttp.CleanLines(b.Text), cleanLink(b.URL)
		links := make([]bot.Link, len(b.Links))
		for n, l := range b.Links {
			links[n] = bot.Link{Text: apihttp.CleanText(l.Text), URL: cleanLink(l.URL)}
		}
		b.Links = links
		blocks[k] = b
	}
	msg.Blocks = blocks
	if msg.Image != nil {
		msg.Image = &bot.Image{PNG: msg.Image.PNG, Alt: apihttp.CleanText(msg.Image.Alt)}
	}
	return msg
}

// cleanLink is "" for what is no http or https link.
func cleanLink(raw string) string {
	link := apihttp.CleanURL(raw, maxURLBytes)
	if strings.HasPrefix(strings.ToLower(link), "mailto:") {
		return ""
	}
	return link
}

// dialect is one way to write a message as text. Foreign text goes through escape.
type dialect struct {
	escape         func(string) string
	link           func(text, url string) string // both cleaned, text escaped, url not empty
	title, heading string                        // before a title, a heading
	item, nested   string                        // before an item, a nested item
	breaks         string                        // a line end inside a block
	divider        string
}

var plain = dialect{
	escape:  func(s string) string { return s },
	link:    func(text, url string) string { return strings.TrimSpace(text + "\n" + url) },
	item:    "- ",
	nested:  "  - ",
	breaks:  "\n",
	divider: "----",
}

var markdown = dialect{
	escape: escapeMarkdown,
	link: func(text, url string) string {
		if text == "" {
			return "<" + url + ">"
		}
		return "[" + text + "](" + url + ")"
	},
	title:   "# ",
	heading: "## ",
	item:    "- ",
	nested:  "  - ",
	breaks:  "  \n", // not a backslash: behind an escaped one some readers miss it
	divider: "---",
}

// write puts blocks one under the other, a blank line between those that are not items of one list.
func (d dialect) write(msg bot.Message) string {
	var b strings.Builder
	inList := false
	add := func(text string, item bool) {
		if text == "" {
			return
		}
		if b.Len() > 0 && item && inList {
			b.WriteString("\n")
		} else if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		inList = item
		b.WriteString(text)
	}
	if title := d.escape(msg.Title); title != "" {
		add(d.title+title, false)
	}
	for _, block := range msg.Blocks {
		add(d.block(block, inList), isItem(block))
	}
	return b.String()
}

func isItem(b bot.Block) bool { return b.Kind == bot.BlockItem }

// block writes one block; a kind it does not know shows all it has, one under the other.
func (d dialect) block(b bot.Block, inList bool) string {
	switch b.Kind {
	case bot.BlockHeading:
		if text := d.lines(strings.ReplaceAll(b.Text, "\n", " ")); text != "" {
			return d.heading + text
		}
		return ""
	case bot.BlockDivider:
		return d.divider
	case bot.BlockItem:
		mark := d.item
		if b.Level > 0 && inList {
			mark = d.nested
		}
		text := strings.Join(d.content(b), d.breaks)
		if text == "" {
			return ""
		}
		return mark + strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", len(mark)))
	}
	return strings.Join(d.content(b), d.breaks)
}

// content is all a block has, in lines.
func (d dialect) content(b bot.Block) (lines []string) {
	if title := d.escape(b.Title); b.URL != "" {
		lines = append(lines, d.link(title, b.URL))
	} else if title != "" {
		lines = append(lines, title)
	}
	if text := d.lines(b.Text); text != "" {
		lines = append(lines, text)
	}
	for _, l := range b.Links {
		if text := d.escape(l.Text); l.URL != "" {
			lines = append(lines, d.link(text, l.URL))
		} else if text != "" {
			lines = append(lines, text)
		}
	}
	return lines
}

// lines escapes each line of text; an empty one would end the block, so it is left out.
func (d dialect) lines(text string) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			out = append(out, d.escape(line))
		}
	}
	return strings.Join(out, d.breaks)
}

// escapeMarkdown makes one line mean nothing in CommonMark or its common extensions but its words. Every sign that can matter inside
// a line is escaped; what matters only at its start, only there.
func escapeMarkdown(line string) string {
	var b strings.Builder
	digits := len(line) - len(strings.TrimLeft(line, "0123456789"))
	for k, r := range line {
		atStart := k == 0 && strings.ContainsRune("#+-=", r)
		if atStart || k == digits && digits > 0 && strings.ContainsRune(".)", r) || strings.ContainsRune("\\`*_[]<>&|~!$^{}", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
