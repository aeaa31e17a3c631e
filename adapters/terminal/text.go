package terminal

import (
	"fmt"
	"strings"

	"github.com/rivo/uniseg"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// columns is how wide a line may be; a Chinese character takes two.
const columns = 100

// Text is msg as plain text, lines at most 100 columns wide (a URL or a single longer word stays whole), with "\n" at its end: title,
// headings underlined, numbered items with their link on a line of its own. It holds no control character but "\n".
func Text(msg bot.Message) string { return layOut(msg).plain() }

// style is how a line looks where there are colours.
type style string

const (
	normal style = ""
	bold   style = "\x1b[1m"
	dim    style = "\x1b[2m"
	reset        = "\x1b[0m"
)

type line struct {
	indent string
	text   string
	style  style
}

// page is a message laid out in lines; an empty line parts its blocks.
type page struct {
	lines []line
	items int // numbered so far
	width int // of the largest number
}

func layOut(msg bot.Message) *page {
	p := &page{width: len(fmt.Sprint(countItems(msg)))}
	if title := apihttp.CleanText(msg.Title); title != "" {
		p.underlined(title, "=")
	}
	for k, b := range msg.Blocks {
		afterItem := k > 0 && msg.Blocks[k-1].Kind == bot.BlockItem
		switch {
		case afterItem && b.Kind == bot.BlockNote: // says where the item is from
			p.note(strings.Repeat(" ", p.width+2), b)
			continue
		case !afterItem || b.Kind != bot.BlockItem || b.Level == 0:
			p.gap()
		}
		p.block(b)
	}
	return p
}

func (p *page) note(indent string, b bot.Block) {
	p.wrap(indent, indent, apihttp.CleanLines(b.Text), dim)
	p.links(indent, b.Links)
}

func countItems(msg bot.Message) (n int) {
	for _, b := range msg.Blocks {
		if b.Kind == bot.BlockItem && b.Level == 0 {
			n++
		}
	}
	return n
}

func (p *page) block(b bot.Block) {
	switch b.Kind {
	case bot.BlockHeading:
		if text := apihttp.CleanText(b.Text); text != "" {
			p.underlined(text, "-")
		}
	case bot.BlockDivider:
		p.add("", strings.Repeat("-", columns/2), dim)
	case bot.BlockItem:
		p.item(b)
	case bot.BlockNote:
		p.note("", b)
	default: // paragraphs, links, and what is not known
		p.wrap("", "", apihttp.CleanText(b.Title), bold)
		p.link("", b.URL)
		p.wrap("", "", apihttp.CleanLines(b.Text), normal)
		p.links("", b.Links)
	}
}

// item is "12. title", its link and its text under it; a nested one has a dash, under the text of the one it belongs to.
func (p *page) item(b bot.Block) {
	mark := strings.Repeat(" ", p.width) + "  - "
	if b.Level == 0 {
		p.items++
		mark = fmt.Sprintf("%*d. ", p.width, p.items)
	}
	inner := strings.Repeat(" ", len(mark))
	title, text, link := apihttp.CleanText(b.Title), apihttp.CleanLines(b.Text), apihttp.CleanURL(b.URL, 0)
	switch {
	case title != "":
		p.wrap(mark, inner, title, bold)
	case text != "":
		p.wrap(mark, inner, text, normal)
		text = ""
	case link != "":
		p.add(mark, link, dim)
		link = ""
	default:
		p.add(mark, "", normal)
	}
	p.link(inner, link)
	p.wrap(inner, inner, text, normal)
	p.links(inner, b.Links)
}

func (p *page) links(indent string, links []bot.Link) {
	for _, l := range links {
		p.wrap(indent+"- ", indent+"  ", apihttp.CleanText(l.Text), normal)
		p.link(indent+"  ", l.URL)
	}
}

func (p *page) link(indent, raw string) {
	if link := apihttp.CleanURL(raw, 0); link != "" {
		p.add(indent, link, dim)
	}
}

func (p *page) underlined(text, with string) {
	from := len(p.lines)
	p.wrap("", "", text, bold)
	widest := 0
	for _, l := range p.lines[from:] {
		widest = max(widest, uniseg.StringWidth(l.text))
	}
	p.add("", strings.Repeat(with, min(widest, columns)), dim)
}

func (p *page) add(indent, text string, s style) { p.lines = append(p.lines, line{indent, text, s}) }

// gap adds an empty line, unless there is one.
func (p *page) gap() {
	if n := len(p.lines); n > 0 && p.lines[n-1] != (line{}) {
		p.lines = append(p.lines, line{})
	}
}

// wrap adds text in lines of at most columns, the first behind mark, the others behind indent.
func (p *page) wrap(mark, indent, text string, s style) {
	if text == "" {
		return
	}
	for given := range strings.SplitSeq(text, "\n") {
		for _, each := range wrapped(given, columns-len(mark)) {
			p.add(mark, each, s)
			mark = indent
		}
	}
}

// wrapped cuts one line at the places where Unicode allows a line to end. A word wider than width stays whole.
func wrapped(text string, width int) (lines []string) {
	var current strings.Builder
	used, state := 0, -1
	for rest := text; rest != ""; {
		var segment string
		segment, rest, _, state = uniseg.FirstLineSegmentInString(rest, state)
		w := uniseg.StringWidth(strings.TrimRight(segment, " "))
		if used > 0 && used+w > width {
			lines = append(lines, strings.TrimRight(current.String(), " "))
			current.Reset()
			used = 0
		}
		current.WriteString(segment)
		used += uniseg.StringWidth(segment)
	}
	return append(lines, strings.TrimRight(current.String(), " "))
}

func (p *page) plain() string { return p.write(func(l line) string { return l.text }) }

func (p *page) ansi() string {
	return p.write(func(l line) string {
		if l.style == normal || l.text == "" {
			return l.text
		}
		return string(l.style) + l.text + reset
	})
}

func (p *page) write(text func(line) string) string {
	var b strings.Builder
	for _, l := range p.lines {
		b.WriteString(strings.TrimRight(l.indent+text(l), " ") + "\n")
	}
	return b.String()
}
