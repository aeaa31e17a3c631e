package feishu

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

const (
	lineBreak = "<br>" // a single line end may be swallowed. Source: card-json-v2-components, rich-text
	paragraph = "\n\n"
	between   = " · "      // between links of one line
	nested    = "\n    - " // four spaces are one level (same page)
	lastPart  = "(99/99)"  // the widest label that a part is measured with
	fallback  = "weeklybot"
)

// renderPart renders msg as part k of n (n < 2: no label).
func renderPart(msg bot.Message, k, n int) card {
	label := ""
	if n > 1 {
		label = fmt.Sprintf("(%d/%d)", k, n)
	}
	return render(msg, label, math.MaxInt)
}

// render stops behind the block that makes the text longer than enough bytes: Split wants to know no more.
func render(msg bot.Message, label string, enough int) card {
	msg = msg.WithoutImage()
	var r renderer
	for _, b := range trimDividers(msg.Blocks) {
		if r.block(b); r.written > enough {
			break
		}
	}
	r.flush()
	notice := cmp.Or(labelled(shortened(plain(noticeOf(msg)), maxNoticeRunes), label), fallback)
	c := card{Schema: "2.0", Config: cardConfig{summary{notice}}, Body: cardBody{r.elements}}
	if title := labelled(shortened(plain(msg.Title), maxHeadingRunes), label); title != "" {
		c.Header = &header{Title: plainText(title), Template: "blue"}
	} else if len(r.elements) == 0 {
		c.Body.Elements = []element{markdown(plainLine(notice))}
	}
	if c.Body.Elements == nil {
		c.Body.Elements = []element{}
	}
	return c
}

func labelled(title, label string) string { return strings.TrimSpace(title + " " + label) }

// noticeOf is the first thing that msg says.
func noticeOf(msg bot.Message) string {
	notice := cmp.Or(msg.Notice, msg.Title)
	for _, b := range msg.Blocks {
		notice = cmp.Or(notice, b.Title, b.Text)
	}
	return notice
}

func trimDividers(blocks []bot.Block) []bot.Block {
	isRule := func(b bot.Block) bool { return b.Kind == bot.BlockDivider }
	for len(blocks) > 0 && isRule(blocks[0]) {
		blocks = blocks[1:]
	}
	for len(blocks) > 0 && isRule(blocks[len(blocks)-1]) {
		blocks = blocks[:len(blocks)-1]
	}
	return blocks
}

// renderer collects the elements of one card.
type renderer struct {
	elements []element
	text     strings.Builder // of the markdown element being written
	inList   bool            // the last thing written is an entry of a list
	buttons  int
	written  int // bytes of all text so far
}

func (r *renderer) block(b bot.Block) {
	switch b.Kind {
	case bot.BlockHeading:
		if text := plainLine(b.Text); text != "" {
			r.paragraph("#### " + text)
		}
		r.lines(nil, b.Links)
	case bot.BlockItem:
		r.item(b)
	case bot.BlockNote:
		r.note(b)
	case bot.BlockDivider:
		r.element(element{Tag: "hr"})
	case bot.BlockLinks:
		row, rest := r.takeButtons(b.Links)
		r.lines(plainLines(b.Text), rest)
		if len(row.Columns) > 0 {
			r.element(row)
		}
	default:
		lines := plainLines(b.Text)
		if line := linked(plainLine(b.Title), b.URL); line != "" {
			lines = slices.Insert(lines, 0, line)
		}
		r.lines(lines, b.Links)
	}
}

// element ends the text so far and adds e.
func (r *renderer) element(e element) {
	r.flush()
	r.elements = append(r.elements, e)
	r.written += len(e.Content)
}

func (r *renderer) flush() {
	if r.text.Len() > 0 {
		r.elements = append(r.elements, markdown(r.text.String()))
		r.text.Reset()
	}
	r.inList = false
}

func (r *renderer) write(s string) {
	r.text.WriteString(s)
	r.written += len(s)
}

// paragraph writes s with an empty line before it.
func (r *renderer) paragraph(s string) {
	if r.text.Len() > 0 {
		r.write(paragraph)
	}
	r.write(s)
	r.inList = false
}

// lines writes paragraphs, and links as a last line.
func (r *renderer) lines(lines []string, links []bot.Link) {
	if line := joinLinks(links); line != "" {
		lines = append(lines, line)
	}
	if len(lines) > 0 {
		r.paragraph(joinLines(lines))
	}
}

// item writes an entry of a list: its title and its text, each on a line.
func (r *renderer) item(b bot.Block) {
	lines := slices.DeleteFunc(plainLines(b.Text), func(l string) bool { return l == "" })
	if title := linked(plainLine(b.Title), b.URL); title != "" {
		lines = slices.Insert(lines, 0, title)
	}
	if line := joinLinks(b.Links); line != "" {
		lines = append(lines, line)
	}
	entry := strings.Join(lines, lineBreak)
	switch {
	case entry == "":
		return
	case r.inList && b.Level > 0:
		r.write(nested + entry)
	case r.inList:
		r.write("\n- " + entry)
	default:
		r.paragraph("- " + entry)
	}
	r.inList = true
}

// note is small print, an element of its own.
func (r *renderer) note(b bot.Block) {
	lines := plainLines(b.Text)
	links := joinLinks(b.Links)
	switch {
	case links != "" && len(lines) > 0:
		lines[len(lines)-1] += between + links
	case links != "":
		lines = []string{links}
	}
	if len(lines) > 0 {
		r.element(element{Tag: "markdown", Content: joinLines(lines), TextSize: "notation"})
	}
}

// takeButtons makes a row of buttons of links, side by side as far as there is room, and gives back those that cannot be one.
func (r *renderer) takeButtons(links []bot.Link) (row element, rest []bot.Link) {
	row = element{Tag: "column_set", FlexMode: "flow"}
	for _, l := range links {
		target, title := linkTarget(l.URL), plain(l.Text)
		if target == "" || title == "" || utf8.RuneCountInString(title) > maxButtonRunes || r.buttons == maxButtons {
			rest = append(rest, l)
			continue
		}
		r.buttons++
		r.written += len(title) + len(target)
		row.Columns = append(row.Columns, column{Tag: "column", Width: "auto", Elements: []button{
			{Tag: "button", Text: plainText(title), Type: "default", Behaviors: []behavior{{"open_url", target}}},
		}})
	}
	return row, rest
}

func joinLinks(links []bot.Link) string {
	var texts []string
	for _, l := range links {
		if text := linked(plainLine(shortened(plain(l.Text), maxLinkTextRunes)), l.URL); text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, between)
}

// joinLines joins lines by a line break, and into paragraphs where one is empty.
func joinLines(lines []string) string {
	var b strings.Builder
	sep := ""
	for _, l := range lines {
		if l == "" {
			sep = paragraph
			continue
		}
		if b.Len() > 0 {
			b.WriteString(sep)
		}
		b.WriteString(l)
		sep = lineBreak
	}
	return b.String()
}

// Split cuts msg into parts that each fit one post. See bot.Adapter.
func (a *Adapter) Split(kind bot.Kind, msg bot.Message) []bot.Message {
	most := maxWebhookBytes
	if kind == KindApp {
		most = fillMessageBytes
	}
	if kind != KindApp {
		msg = msg.WithoutImage() // a custom bot cannot upload one
	}
	return bot.Split(msg, func(m bot.Message) bool {
		c := render(m, lastPart, most)
		if m.Image != nil {
			c = c.withImage(measuredKey, m.Image)
		}
		return c.count() <= maxElements && size(kind, c) <= most
	})
}

// measured stands for a receiver's address.
const measured = "oc_0123456789abcdef0123456789abcdef"

// measuredKey stands for an image's key.
const measuredKey = "img_v3_0000_01234567-89ab-cdef-0123-456789abcdeg"

// size is what counts against the platform's limit, in bytes.
func size(kind bot.Kind, c card) int {
	if kind == KindApp {
		return len(apihttp.EncodeJSON(messageBody(measured, c, messageUUID("measured", 1))))
	}
	return len(apihttp.EncodeJSON(webhookBody{MsgType: cardType, Card: c})) + signatureBytes
}
