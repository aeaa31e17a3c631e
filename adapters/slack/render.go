package slack

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// widestLabel is the longest part label that a title may get.
const widestLabel = "(99/99)"

// Split cuts msg into parts that each fit one post of that kind.
func (a *Adapter) Split(kind bot.Kind, msg bot.Message) []bot.Message { return split(kind, msg) }

func split(kind bot.Kind, msg bot.Message) []bot.Message {
	return bot.Split(msg, func(m bot.Message) bool { return validate(lay(kind, m, widestLabel, true)) == nil })
}

// Preview is the body of one post as JSON, without token and channel.
func (a *Adapter) Preview(kind bot.Kind, p bot.Post) ([]byte, error) {
	pay := render(kind, p)
	if err := validate(pay); err != nil {
		return nil, err
	}
	return encode(pay)
}

// render is the payload of one part. Items have a section each while there is room for that many blocks; else they share sections.
func render(kind bot.Kind, p bot.Post) payload {
	label := ""
	if p.Parts > 1 {
		label = fmt.Sprintf("(%d/%d)", p.Part, p.Parts)
	}
	pay := lay(kind, p.Message, label, false)
	if len(pay.Blocks) > budgetBlocks {
		pay = lay(kind, p.Message, label, true)
	}
	if validate(pay) != nil && len(p.Message.Blocks) == 1 {
		pay = lay(kind, shorten(p.Message), label, true)
	}
	if kind == KindApp {
		if p.Key != "" {
			pay.Metadata = metadata(p.Key, max(p.Part, 1))
		}
		if p.Part > 1 {
			pay.ThreadTS = string(p.First)
		}
	}
	return pay
}

// shorten makes a block fit that nothing can cut: one character of thousands of code points, or one endless label.
func shorten(msg bot.Message) bot.Message {
	b := msg.Blocks[0]
	b.Title, b.Text = clip(b.Title, 40), clip(b.Text, 20)
	msg.Blocks = []bot.Block{b}
	return msg
}

// lay is msg as blocks, of any size: validate decides whether they fit. joined puts as much as possible into each section.
func lay(kind bot.Kind, msg bot.Message, label string, joined bool) payload {
	s := sheet{kind: kind, joined: joined}
	s.title(apihttp.CleanText(msg.Title), label)
	for k, b := range msg.Blocks {
		nested := k+1 < len(msg.Blocks) && isNested(msg.Blocks[k+1])
		s.block(b, nested)
		if s.size > 2*budgetTotal {
			break // refused anyway: Split tries many messages that are far too long
		}
	}
	s.flush()
	text := summary(msg, label)
	if len(s.blocks) == 0 {
		s.paragraph(text)
		s.flush()
	}
	return payload{Text: text, Blocks: s.blocks, Parse: parseNone}
}

func isNested(b bot.Block) bool { return b.Kind == bot.BlockItem && b.Level > 0 }

// sheet collects blocks; what may share a section waits in open.
type sheet struct {
	kind   bot.Kind
	joined bool
	blocks []slack.Block
	open   strings.Builder
	rich   bool // the last thing in open is more than one line of a list
	length int  // of open
	size   int  // of all that was added, in code points
}

func (s *sheet) title(title, label string) {
	full := strings.TrimSpace(title + " " + label)
	switch {
	case full == "":
	case runes(full) <= maxHeader:
		s.blocks = append(s.blocks, slack.NewHeaderBlock(plain(full)))
	default:
		s.paragraph(bold(strings.TrimSpace(clip(title, maxLabel) + " " + label)))
	}
}

func (s *sheet) block(b bot.Block, hasNested bool) {
	switch b.Kind {
	case bot.BlockHeading:
		s.paragraph(bold(apihttp.CleanText(b.Text)))
	case bot.BlockItem:
		s.item(b, hasNested)
	case bot.BlockNote:
		s.note(b)
	case bot.BlockDivider:
		s.flush()
		s.blocks = append(s.blocks, slack.NewDividerBlock())
	case bot.BlockLinks:
		s.links(b.Links)
	case bot.BlockText:
		s.paragraph(lines(b.Text))
	default: // a kind that is newer than this adapter
		s.paragraph(strings.Join(nonEmpty([]string{linked(b.URL, b.Title), lines(b.Text), strings.Join(inline(b.Links), "  ·  ")}), "\n"))
	}
}

func (s *sheet) item(b bot.Block, hasNested bool) {
	title, text := linked(b.URL, b.Title), lines(b.Text)
	switch {
	case b.Level > 0:
		s.add(nestedEntry(b), "\n", s.rich)
	case title == "":
		s.paragraph(text)
	case text == "" && !hasNested:
		s.line("• " + title)
	default:
		s.paragraph(strings.TrimSpace(emphasized(title, b.Title) + "\n" + text))
	}
}

// nestedEntry is an indented bullet: Slack's text has no lists of its own.
func nestedEntry(b bot.Block) string {
	title, text := linked(b.URL, b.Title), strings.ReplaceAll(lines(b.Text), "\n", "\n      ")
	if title != "" && text != "" {
		title += " — "
	}
	return "    • " + title + text
}

func (s *sheet) note(b bot.Block) {
	text := strings.Join(nonEmpty(append([]string{lines(b.Text)}, inline(b.Links)...)), " · ")
	if text == "" {
		return
	}
	s.flush()
	s.blocks = append(s.blocks, slack.NewContextBlock("", mrkdwn(text)))
}

// links are buttons for an app, which hears the clicks. Where nobody hears them (an incoming webhook alone) Slack puts a warning sign
// beside a clicked button, so there they are text.
func (s *sheet) links(links []bot.Link) {
	if s.kind == KindWebhook {
		s.paragraph(strings.Join(inline(links), "  ·  "))
		return
	}
	var buttons []slack.BlockElement
	var rest []bot.Link
	for _, link := range links {
		url := webURL(link.URL)
		if url == "" || runes(url) > maxButtonURL {
			rest = append(rest, link)
			continue
		}
		label := clip(apihttp.CleanText(link.Text), maxButtonText)
		if label == "" {
			label = clip(url, maxButtonText)
		}
		button := slack.NewButtonBlockElement(fmt.Sprintf("link-%d", len(buttons)+1), "", plain(label))
		button.URL = url
		buttons = append(buttons, button)
	}
	s.paragraph(strings.Join(inline(rest), "  ·  "))
	s.flush()
	for len(buttons) > 0 {
		n := min(len(buttons), maxButtons)
		s.blocks = append(s.blocks, slack.NewActionBlock("", buttons[:n]...))
		buttons = buttons[n:]
	}
}

// paragraph adds text with an empty line before it, in a section of its own unless all is joined.
func (s *sheet) paragraph(text string) {
	if text == "" {
		return
	}
	if !s.joined {
		s.flush()
	}
	s.add(text, "\n\n", true)
}

// line adds one line of a list.
func (s *sheet) line(text string) {
	if s.rich && !s.joined {
		s.flush()
	}
	gap := "\n"
	if s.rich {
		gap = "\n\n"
	}
	s.add(text, gap, false)
}

func (s *sheet) add(text, gap string, rich bool) {
	n := runes(text)
	if s.length > 0 && s.length+runes(gap)+n > budgetSection {
		s.flush()
	}
	if s.length > 0 {
		s.open.WriteString(gap)
		n += runes(gap)
	}
	s.open.WriteString(text)
	s.length += n
	s.size += n
	s.rich = rich
}

func (s *sheet) flush() {
	if s.length > 0 {
		s.blocks = append(s.blocks, slack.NewSectionBlock(mrkdwn(s.open.String()), nil, nil, slack.SectionBlockOptionExpand(true)))
	}
	s.open.Reset()
	s.length, s.rich = 0, false
}

// summary is the top-level text: what a notification shows and a screen reader reads. It begins with the title, unless the notice does.
func summary(msg bot.Message, label string) string {
	title, notice := clip(apihttp.CleanText(msg.Title), maxLabel), clip(apihttp.CleanText(msg.Notice), maxLabel)
	if strings.HasPrefix(notice, title) {
		title, notice = notice, ""
	}
	b := brief{}
	more := b.add(strings.TrimSpace(title+" "+label)) && b.add(notice)
	for k := 0; more && k < len(msg.Blocks); k++ {
		if block := msg.Blocks[k]; block.Title != "" {
			more = b.add("• " + block.Title)
		} else {
			more = b.add(block.Text)
		}
	}
	if b.length > 0 {
		return b.text.String()
	}
	if msg.Lang == "zh" {
		return "这里没有内容。"
	}
	return "There is nothing to show."
}

// brief is text that ends when it is long enough.
type brief struct {
	text   strings.Builder
	length int
}

// add is false once there is no room.
func (b *brief) add(line string) bool {
	line = escape(clip(apihttp.CleanText(line), maxLabel))
	n := runes(line)
	switch {
	case n == 0:
		return true
	case b.length > 0 && b.length+1+n > budgetSummary:
		b.text.WriteString("\n…")
		return false
	case b.length > 0:
		b.text.WriteByte('\n')
	}
	b.text.WriteString(line)
	b.length += 1 + n
	return true
}
