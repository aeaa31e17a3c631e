package dingtalk

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

const (
	lineBreak = "  \n  " // inside a paragraph; a single line end is swallowed. Source: robot-message-type
	paragraph = "\n\n"
	between   = " · "     // between links of one line
	rule      = "———"     // a divider: --- is not among what the platform promises
	nested    = "　◦ "     // nested lists are not promised either: an entry below an entry is a line of it, behind an ideographic space
	nestedRow = "　　"      // and its further lines
	lastPart  = "(99/99)" // the widest label that a part is measured with
	fallback  = "weeklybot"
)

// card is one part, rendered, before it takes the form of a call.
type card struct {
	notice  string // push notice and line in the list of chats; never empty
	text    string // in the platform's Markdown; never empty
	buttons []button
}

type button struct{ title, url string }

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
	if title := labelled(shortened(plainLine(msg.Title), maxHeadingRunes), label); title != "" {
		r.paragraph("### " + title)
	}
	for _, b := range trimDividers(msg.Blocks) {
		if r.block(b); r.text.Len() > enough {
			break
		}
	}
	notice := labelled(shortened(plainLine(noticeOf(msg)), maxNoticeRunes), label)
	notice = cmp.Or(notice, fallback)
	return card{notice: notice, text: cmp.Or(r.text.String(), notice), buttons: r.buttons}
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

// renderer collects the text of one post.
type renderer struct {
	text    strings.Builder
	inList  bool // the last thing written is an entry of a list
	buttons []button
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
		r.paragraph(rule)
	case bot.BlockLinks:
		r.lines(plainLines(b.Text), r.takeButtons(b.Links))
	default:
		title := plainLine(b.Title)
		lines := plainLines(b.Text)
		if line := linked(title, b.URL); line != "" {
			lines = slices.Insert(lines, 0, line)
		}
		r.lines(lines, b.Links)
	}
}

// paragraph writes s with an empty line before it.
func (r *renderer) paragraph(s string) {
	if r.text.Len() > 0 {
		r.text.WriteString(paragraph)
	}
	r.text.WriteString(s)
	r.inList = false
}

// lines writes paragraphs, and links as a last line.
func (r *renderer) lines(lines []string, links []bot.Link) {
	if line := joinLinks(links); line != "" {
		lines = append(lines, line)
	}
	if len(lines) > 0 {
		r.paragraph(joinLines(lines, lineBreak, paragraph))
	}
}

// item writes an entry of a list: the linked title, and below it its text.
func (r *renderer) item(b bot.Block) {
	lines := slices.DeleteFunc(plainLines(b.Text), func(l string) bool { return l == "" })
	title := plainLine(b.Title)
	switch target := linkTarget(b.URL); {
	case title != "" || len(lines) == 0 && target != "":
		lines = slices.Insert(lines, 0, anchor(title, target))
	case target != "":
		lines = append(lines, anchor("", target))
	}
	if line := joinLinks(b.Links); line != "" {
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return
	}
	switch {
	case r.inList && b.Level > 0:
		r.text.WriteString(lineBreak + nested + strings.Join(lines, lineBreak+nestedRow))
	case r.inList:
		r.text.WriteString("\n- " + strings.Join(lines, lineBreak))
	default:
		r.paragraph("- " + strings.Join(lines, lineBreak))
	}
	r.inList = true
}

// note writes small print as a quote, which the clients show in grey.
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
		r.paragraph("> " + joinLines(lines, "  \n> ", "\n>\n> "))
	}
}

// takeButtons makes buttons of links and gives back those that cannot be one.
func (r *renderer) takeButtons(links []bot.Link) (rest []bot.Link) {
	for _, l := range links {
		target := linkTarget(l.URL)
		title := plainLine(l.Text)
		if target == "" || title == "" || utf8.RuneCountInString(title) > maxButtonRunes || len(r.buttons) == maxButtons {
			rest = append(rest, l)
			continue
		}
		r.buttons = append(r.buttons, button{title, target})
	}
	return rest
}

func joinLinks(links []bot.Link) string {
	var texts []string
	for _, l := range links {
		if text := linked(shortened(plainLine(l.Text), maxLinkTextRunes), l.URL); text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, between)
}

// joinLines joins lines by br, and by para where one is empty.
func joinLines(lines []string, br, para string) string {
	var b strings.Builder
	sep := ""
	for _, l := range lines {
		if l == "" {
			sep = para
			continue
		}
		if b.Len() > 0 {
			b.WriteString(sep)
		}
		b.WriteString(l)
		sep = br
	}
	return b.String()
}

// The webhook's payloads; also what a sessionWebhook and the answer to an HTTP callback take.
type (
	webhookPayload struct {
		MsgType    string           `json:"msgtype"`
		Markdown   *markdownPayload `json:"markdown,omitempty"`
		ActionCard *cardPayload     `json:"actionCard,omitempty"`
		MsgUUID    string           `json:"msgUuid,omitempty"`
	}
	markdownPayload struct {
		Title string `json:"title"`
		Text  string `json:"text"`
	}
	cardPayload struct {
		Title          string          `json:"title"`
		Text           string          `json:"text"`
		SingleTitle    string          `json:"singleTitle,omitempty"`
		SingleURL      string          `json:"singleURL,omitempty"`
		BtnOrientation string          `json:"btnOrientation"`
		Buttons        []buttonPayload `json:"btns,omitempty"`
	}
	buttonPayload struct {
		Title     string `json:"title"`
		ActionURL string `json:"actionURL"`
	}
)

// emptyAnswer says nothing.
var emptyAnswer = apihttp.EncodeJSON(webhookPayload{MsgType: "empty"})

func (c card) webhook(msgUUID string) webhookPayload {
	p := webhookPayload{MsgType: "actionCard", MsgUUID: msgUUID}
	switch len(c.buttons) {
	case 0:
		p.MsgType, p.Markdown = "markdown", &markdownPayload{c.notice, c.text}
		return p
	case 1:
		p.ActionCard = &cardPayload{Title: c.notice, Text: c.text, SingleTitle: c.buttons[0].title, SingleURL: c.buttons[0].url}
	default:
		p.ActionCard = &cardPayload{Title: c.notice, Text: c.text}
		for _, b := range c.buttons {
			p.ActionCard.Buttons = append(p.ActionCard.Buttons, buttonPayload{b.title, b.url})
		}
	}
	p.ActionCard.BtnOrientation = "0" // one below the other
	return p
}

// app is the template and its parameters, as JSON, for the app robot's calls.
func (c card) app() (msgKey, msgParam string) {
	params := map[string]string{"title": c.notice, "text": c.text}
	switch n := len(c.buttons); n {
	case 0:
		msgKey = "sampleMarkdown"
	case 1:
		msgKey = "sampleActionCard"
		params["singleTitle"], params["singleURL"] = c.buttons[0].title, c.buttons[0].url
	default:
		msgKey = "sampleActionCard" + strconv.Itoa(n)
		for k, b := range c.buttons {
			params["actionTitle"+strconv.Itoa(k+1)], params["actionURL"+strconv.Itoa(k+1)] = b.title, b.url
		}
	}
	return msgKey, string(apihttp.EncodeJSON(params))
}

// groupCall and userCall are the bodies of the app robot's two calls.
type (
	groupCall struct {
		RobotCode          string `json:"robotCode"`
		OpenConversationID string `json:"openConversationId"`
		MsgKey             string `json:"msgKey"`
		MsgParam           string `json:"msgParam"`
	}
	userCall struct {
		RobotCode string   `json:"robotCode"`
		UserIDs   []string `json:"userIds"`
		MsgKey    string   `json:"msgKey"`
		MsgParam  string   `json:"msgParam"`
	}
)

// Split cuts msg into parts that each fit one post. See bot.Adapter. A group robot shows no image: it cannot upload one.
func (a *Adapter) Split(kind bot.Kind, msg bot.Message) []bot.Message {
	if kind != KindApp {
		msg = msg.WithoutImage()
	}
	return bot.Split(msg, func(m bot.Message) bool {
		c := render(m, lastPart, fillBytes)
		if m.Image != nil {
			c = c.withImage(measuredID, m.Image)
		}
		return size(kind, c) <= fillBytes
	})
}

// measuredID stands for an image's mediaId, whose length is not documented.
const measuredID = "@lADPmeasured0123456789012345678901234567890123456789012345678901234567890123456789"

// size is what counts against the platform's limit, in bytes.
func size(kind bot.Kind, c card) int {
	if kind == KindApp {
		_, param := c.app()
		return len(param)
	}
	return len(apihttp.EncodeJSON(c.webhook(msgUUID(bot.Post{Key: "measured"}))))
}

// msgUUID is the same for each attempt at one part. The platform does not show a second post with the same one; whether it remembers those
// of posts that it refused is not documented, so what is sent again without links has another. "" without a key.
func msgUUID(p bot.Post) string {
	if p.Key == "" {
		return ""
	}
	form := ""
	if !slices.ContainsFunc(p.Message.Blocks, func(b bot.Block) bool { return b.URL != "" || len(b.Links) > 0 }) {
		form = "/plain"
	}
	sum := sha256.Sum256([]byte(p.Key + "/" + strconv.Itoa(p.Part) + form))
	return hex.EncodeToString(sum[:16])
}
