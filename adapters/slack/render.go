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
func (a *Adapter) Split(kind bot.Kind, msg bot.Message) []bot.Message {
	if kind != KindApp { // an incoming webhook takes no file
		return split(kind, msg.WithoutImage())
	}
	return bot.SplitImage(msg, func(m bot.Message) []bot.Message { return split(kind, m) })
}

func split(kind bot.Kind, msg bot.Message) []bot.Message {
	return bot.Split(msg, func(m bot.Message) bool { return validateBlocks(lay(kind, m, widestLabel, joinAll)) == nil })
}

// Preview is the body of one post as JSON, without token and channel.
func (a *Adapter) Preview(kind bot.Kind, p bot.Post) ([]byte, error) {
	if kind == KindApp && p.Message.OnlyImage() {
		return encode(shareFile("FILE", p))
	}
	pay := render(kind, p)
	if err := validate(pay); err != nil {
		return nil, err
	}
	return encode(pay)
}

// joining says what may share a section: the more, the fewer blocks, and the less air between items.
type joining int

const (
	joinNothing  joining = iota // each item has its section
	joinSections                // all below one heading
	joinAll
)

// render is the payload of one part, with as much air as Slack's number of blocks leaves.
func render(kind bot.Kind, p bot.Post) payload {
	label := ""
	if p.Parts > 1 {
		label = fmt.Sprintf("(%d/%d)", p.Part, p.Parts)
	}
	pay := payload{Text: summary(p.Message, label), Parse: parseNone}
	for join := joinNothing; join <= joinAll; join++ {
		if pay.Blocks = lay(kind, p.Message, label, join); len(pay.Blocks) <= budgetBlocks {
			break
		}
	}
	if len(p.Message.Blocks) == 1 && validateBlocks(pay.Blocks) != nil {
		pay.Blocks = lay(kind, shorten(p.Message), label, joinAll)
	}
	if len(pay.Blocks) == 0 {
		pay.Blocks = []slack.Block{section(pay.Text)}
	}
	if kind == KindApp {
		if p.Key != "" {
			pay.Metadata = metadata(p.Key, max(p.Part, 1))
		}
		if p.Part > 1 {
			pay.ThreadTS = string(p.First)
		}
		if p.Key != "" && p.Part >= p.Parts {
			pay.Blocks = addButton(pay.Blocks, subscribeButton(p.Message.Lang))
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

// lay is msg as blocks, of any size: validate decides whether they fit.
func lay(kind bot.Kind, msg bot.Message, label string, join joining) []slack.Block {
	s := sheet{kind: kind, join: join, lang: msg.Lang}
	for _, b := range msg.Blocks {
		s.nested = s.nested || b.Kind == bot.BlockHeading && b.Level > 0
	}
	s.title(apihttp.CleanText(msg.Title), label)
	for k, b := range msg.Blocks {
		nested := k+1 < len(msg.Blocks) && isNested(msg.Blocks[k+1])
		s.block(b, nested)
		if s.size > 2*budgetTotal {
			break // refused anyway: Split tries many messages that are far too long
		}
	}
	s.flush()
	return s.blocks
}

func isNested(b bot.Block) bool { return b.Kind == bot.BlockItem && b.Level > 0 }

// sheet collects blocks; what may share a section waits in open.
type sheet struct {
	kind   bot.Kind
	join   joining
	lang   string
	nested bool // there are headings below headings
	blocks []slack.Block
	open   strings.Builder
	last   thing                       // in open
	votes  *slack.OverflowBlockElement // of the item in open; nil: none
	length int                         // of open
	size   int                         // of all that was added, in code points
}

func (s *sheet) title(title, label string) {
	full := strings.TrimSpace(title + " " + label)
	switch {
	case full == "":
	case runes(title+" "+widestLabel) <= maxHeader: // whatever the label, so that Split measures what is sent
		s.blocks = append(s.blocks, slack.NewHeaderBlock(plain(full)))
	default:
		s.put(aText, bold(strings.TrimSpace(clip(title, maxLabel)+" "+label)))
	}
}

func (s *sheet) block(b bot.Block, hasNested bool) {
	switch b.Kind {
	case bot.BlockHeading:
		s.heading(apihttp.CleanText(b.Text), b.Level)
	case bot.BlockItem:
		s.item(b, hasNested)
	case bot.BlockNote:
		s.note(b)
	case bot.BlockDivider:
		s.line()
	case bot.BlockLinks:
		s.links(b.Links)
	case bot.BlockText:
		s.put(aText, lines(b.Text))
	default: // a kind that is newer than this adapter
		s.put(aText, strings.Join(nonEmpty([]string{linked(b.URL, b.Title), lines(b.Text), strings.Join(inline(b.Links), "  ·  ")}), "\n"))
	}
}

// heading is a header of Slack's if others stand below it; else bold, behind a line where there is room for lines.
func (s *sheet) heading(text string, level int) {
	if s.nested && level == 0 && text != "" && runes(text) <= maxHeader {
		s.flush()
		s.blocks = append(s.blocks, slack.NewHeaderBlock(plain(text)))
		s.size += runes(text)
		return
	}
	if s.join != joinAll {
		s.line()
	}
	s.put(aHeading, bold(text))
}

func (s *sheet) item(b bot.Block, hasNested bool) {
	title, text := linked(b.URL, b.Title), lines(b.Text)
	switch {
	case title == "" && text == "":
	case b.Level > 0:
		s.add("\n", nestedEntry(b))
		s.last = max(s.last, aLine)
	case title == "":
		s.put(aText, text)
	case text == "" && !hasNested:
		s.put(aLine, "• "+title)
	default:
		s.put(aText, strings.TrimSpace(emphasized(title, b.Title)+"\n"+text))
	}
	if s.kind == KindApp && s.join == joinNothing && b.Item != "" && len(b.Item) <= maxVoteItem {
		s.votes = voteMenu(s.lang, b.Item)
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
		s.put(aText, strings.Join(inline(links), "  ·  "))
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
	s.put(aText, strings.Join(inline(rest), "  ·  "))
	s.flush()
	for len(buttons) > 0 {
		n := min(len(buttons), maxButtons)
		s.blocks = append(s.blocks, slack.NewActionBlock("", buttons[:n]...))
		buttons = buttons[n:]
	}
}

// line draws a line across, but never two in a row and none at the top.
func (s *sheet) line() {
	s.flush()
	if n := len(s.blocks); n > 0 && s.blocks[n-1].BlockType() != slack.MBTDivider && s.blocks[n-1].BlockType() != slack.MBTHeader {
		s.blocks = append(s.blocks, slack.NewDividerBlock())
	}
}

// thing is what stands in a section; it decides about empty lines.
type thing int

const (
	nothing thing = iota
	aHeading
	aLine // of a list
	aText
)

// put adds text to the open section, or to one of its own if nothing is joined; lines of a list stay together.
func (s *sheet) put(what thing, text string) {
	if text == "" {
		return
	}
	list := what == aLine && s.last == aLine
	if s.join == joinNothing && !list {
		s.flush()
	}
	gap := "\n\n"
	if list || s.last == aHeading {
		gap = "\n"
	}
	s.add(gap, text)
	s.last = what
}

// add puts text and the gap before it into the open section, or begins a new one.
func (s *sheet) add(gap, text string) {
	n := runes(gap) + runes(text)
	if s.length > 0 && s.length+n > budgetSection {
		s.flush()
	}
	if s.length == 0 {
		gap, n = "", runes(text)
	}
	s.open.WriteString(gap)
	s.open.WriteString(text)
	s.length += n
	s.size += n
}

func (s *sheet) flush() {
	if s.length > 0 {
		block := section(s.open.String())
		if s.votes != nil {
			block.Accessory = slack.NewAccessory(s.votes)
		}
		s.blocks = append(s.blocks, block)
	}
	s.open.Reset()
	s.length, s.last, s.votes = 0, nothing, nil
}

// section is a block of text that never hides behind "Show more".
func section(text string) *slack.SectionBlock {
	return slack.NewSectionBlock(mrkdwn(text), nil, nil, slack.SectionBlockOptionExpand(true))
}
