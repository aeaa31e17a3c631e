package wecom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"weeklybot/bot"
)

// render writes one part of a message as the text of one post of that form, a label " (2/3)" behind its title when there are more.
// It is pure.
func render(f form, msg bot.Message, part, parts int) string {
	text := layOut(f.dialect, msg, part, parts, math.MaxInt)
	if len(text) > f.fillBytes && len(msg.Blocks) <= 1 {
		return cutBytes(text, f.fillBytes) // one enormous character or the like: nothing that Split could have cut
	}
	return text
}

// layOut stops soon after it has written more than most bytes: for Split, which only wants to know that.
func layOut(d dialect, msg bot.Message, part, parts, most int) string {
	var out strings.Builder
	title := d.text(msg.Title)
	if parts > 1 {
		title = strings.TrimSpace(fmt.Sprintf("%s (%d/%d)", title, part, parts))
	}
	if title != "" {
		out.WriteString(d.title(title))
	}
	var last drawn
	for _, b := range msg.Blocks {
		if out.Len() > most {
			break
		}
		text := d.block(b, msg.Lang)
		if text == "" {
			continue
		}
		if out.Len() > 0 {
			out.WriteString(d.gap(last, drawn{b.Kind, text}))
		}
		out.WriteString(text)
		last = drawn{b.Kind, text}
	}
	if out.Len() == 0 { // WeCom refuses an empty post (44004)
		if notice := d.line(msg.Notice); notice != "" {
			return notice
		}
		return "…"
	}
	return out.String()
}

// drawn is a block as it was written.
type drawn struct {
	kind bot.BlockKind
	text string
}

// gap keeps the items of a list together and everything else apart: without the empty line a paragraph would belong to the list before
// it, and in v1 a title to the quote before it.
func (d dialect) gap(last, next drawn) string {
	quote := d == markdownV1 && strings.Contains(last.text, "\n")
	if last.kind == next.kind && next.kind == bot.BlockItem && !quote {
		return "\n"
	}
	return "\n\n"
}

// split is Adapter.Split for one form. An image is a post of its own.
func split(f form, msg bot.Message) []bot.Message {
	if parts, ok := splitHeadlines(f, msg); ok {
		return parts
	}
	if f.image == noImage {
		return splitText(f, msg.WithoutImage())
	}
	return bot.SplitImage(msg, func(m bot.Message) []bot.Message { return splitText(f, m) })
}

func splitText(f form, msg bot.Message) []bot.Message {
	return bot.Split(withShortTitle(f.dialect, msg), func(m bot.Message) bool {
		return len(layOut(f.dialect, m, 99, 99, f.fillBytes)) <= f.fillBytes
	})
}

// withShortTitle moves what a title has too much into a first paragraph, so that every part has room for its title and nothing is lost.
func withShortTitle(d dialect, msg bot.Message) bot.Message {
	short := func(s string) bool { return len(d.text(s)) <= maxTitleBytes-len("…") }
	if len(d.text(msg.Title)) <= maxTitleBytes {
		return msg
	}
	head, tail, ok := bot.CutText(msg.Title, short)
	if !ok || head == "" {
		head, tail = "", msg.Title
	}
	msg.Title = head + "…"
	msg.Blocks = append([]bot.Block{{Kind: bot.BlockText, Text: "…" + tail}}, msg.Blocks...)
	return msg
}

// cutBytes is the longest head of s of at most n bytes that ends between two code points, an ellipsis included.
func cutBytes(s string, n int) string {
	n -= len("…")
	for at := range s {
		if at > n {
			return strings.ToValidUTF8(s[:n], "") + "…"
		}
	}
	return s
}

// markdownText is the body's part that holds the text; it is also that of msgtype text.
type markdownText struct {
	Content string `json:"content"`
}

// post is the request body of all kinds: what a kind does not know is left out. AgentID is an integer: WeCom refuses the SDK's string.
type post struct {
	ToUser     string        `json:"touser,omitempty"`
	ToParty    string        `json:"toparty,omitempty"`
	ToTag      string        `json:"totag,omitempty"`
	ChatID     string        `json:"chatid,omitempty"`
	MsgType    string        `json:"msgtype"`
	AgentID    int           `json:"agentid,omitempty"`
	Markdown   *markdownText `json:"markdown,omitempty"`
	MarkdownV2 *markdownText `json:"markdown_v2,omitempty"`
	Image      *imageBody    `json:"image,omitempty"`
	Card       *templateCard `json:"template_card,omitempty"`
	News       *news         `json:"news,omitempty"`
	CheckDup   int           `json:"enable_duplicate_check,omitempty"`
	DupWindow  int           `json:"duplicate_check_interval,omitempty"`
}

// newPost is a body without its receiver.
func newPost(f form, text string) post {
	if f.msgtype == "markdown_v2" {
		return post{MsgType: f.msgtype, MarkdownV2: &markdownText{text}}
	}
	return post{MsgType: f.msgtype, Markdown: &markdownText{text}}
}

// text is what a limit in bytes is about: "" for a card, news or an image, which were made within theirs.
func (p post) text() string {
	switch {
	case p.MarkdownV2 != nil:
		return p.MarkdownV2.Content
	case p.Markdown != nil:
		return p.Markdown.Content
	default:
		return ""
	}
}

// encode writes a body as WeCom wants it: no \u003c for "<" (40033). Text went through dialect.text, which leaves nothing that
// encoding/json would write as \uXXXX.
func encode(body any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}
