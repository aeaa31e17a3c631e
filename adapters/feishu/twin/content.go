package twin

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// atTag is what notifies people, in text and in a card's Markdown.
var atTag = regexp.MustCompile(`(?i)<at\s+(?:user_)?(?:ids?|email)\s*=\s*["']?([^"'>\s]+)`)

// readContent reads what a message shows. why says what is wrong with it, "" = nothing.
func readContent(kind string, content json.RawMessage) (p Post, why string) {
	p.Kind = kind
	if err := json.Unmarshal(content, &p.Body); err != nil || p.Body == nil {
		return p, "content is not a string in json format"
	}
	switch kind {
	case "text":
		text, ok := p.Body["text"].(string)
		if !ok || text == "" {
			return p, "text can not be empty"
		}
		p.Notice, p.Parts = text, []Part{{Tag: "plain", Text: text}}
	case "post":
		why = p.readPost(content)
	case "interactive":
		why = p.readCard()
	case "image", "share_chat":
		p.Notice = "[" + kind + "]"
	default:
		return p, "invalid msg_type"
	}
	for _, part := range p.Parts {
		for _, m := range atTag.FindAllStringSubmatch(part.Text, -1) {
			p.Mentions = append(p.Mentions, m[1])
		}
	}
	return p, why
}

// readPost reads text with layout: {"zh_cn":{"title","content":[[…]]}}, for custom bots within "post".
func (p *Post) readPost(content json.RawMessage) (why string) {
	type post struct {
		Title   string
		Content [][]struct{ Tag, Text, Href, UserID string }
	}
	var wrapped struct{ Post map[string]post }
	var plain map[string]post
	if json.Unmarshal(content, &wrapped) == nil && len(wrapped.Post) > 0 {
		plain = wrapped.Post
	} else if json.Unmarshal(content, &plain) != nil || len(plain) == 0 {
		return "invalid message content"
	}
	for _, lang := range plain {
		p.Title, p.Notice = lang.Title, lang.Title
		for _, line := range lang.Content {
			var words strings.Builder
			for _, each := range line {
				words.WriteString(each.Text)
				if each.Tag == "at" {
					p.Mentions = append(p.Mentions, each.UserID)
				}
			}
			p.Parts = append(p.Parts, Part{Tag: "plain", Text: words.String()})
		}
		break
	}
	return ""
}

// attributes are those that the twin knows of each part of a card of JSON 2.0; the platform refuses unknown ones. Source: open.feishu.cn,
// card-json-v2-structure and -components, read 2026-11.
var attributes = map[string]string{
	"card":       "schema config card_link header body",
	"config":     "streaming_mode streaming_config summary locales enable_forward update_multi width_mode use_custom_translation enable_forward_interaction style",
	"header":     "title subtitle text_tag_list i18n_text_tag_list template icon padding",
	"body":       "direction padding horizontal_spacing horizontal_align vertical_spacing vertical_align elements",
	"markdown":   "tag element_id margin content text_size text_align icon",
	"plain_text": "tag element_id content i18n_content text_size text_align text_color lines",
	"div":        "tag element_id margin width text icon",
	"hr":         "tag element_id margin",
	"img":        "tag element_id margin img_key alt title corner_radius scale_type size transparent preview",
	"column_set": "tag element_id margin horizontal_spacing horizontal_align flex_mode background_style columns action",
	"column": "tag element_id margin width weight direction padding horizontal_spacing horizontal_align vertical_spacing vertical_align " +
		"background_style elements action",
	"button": "tag element_id margin type size width text icon hover_tips disabled disabled_tips confirm behaviors value name form_action_type",
}

var colours = strings.Fields("blue wathet turquoise green yellow orange red carmine violet purple indigo grey default")

// cardReader walks a card.
type cardReader struct {
	post     *Post
	elements int
	why      string
}

func (r *cardReader) wrong(format string, args ...any) {
	if r.why == "" {
		r.why = fmt.Sprintf(format, args...)
	}
}

// readCard reads a card; of JSON 1.0, which no rule is checked of, only its title.
func (p *Post) readCard() (why string) {
	r := cardReader{post: p}
	if p.Body["schema"] != "2.0" {
		p.Notice = "[card]"
		return ""
	}
	r.known("card", p.Body)
	config, _ := p.Body["config"].(map[string]any)
	r.known("config", config)
	if s, ok := config["summary"].(map[string]any); ok {
		p.Notice, _ = s["content"].(string)
	}
	if head, ok := p.Body["header"].(map[string]any); ok {
		r.known("header", head)
		p.Title = r.words(head["title"])
		if colour, given := head["template"].(string); given && !slices.Contains(colours, colour) {
			r.wrong("template %s is unknown", colour)
		}
	}
	if p.Notice == "" {
		p.Notice = p.Title
	}
	body, _ := p.Body["body"].(map[string]any)
	r.known("body", body)
	r.list(body["elements"])
	if r.elements > maxElements {
		r.wrong("ErrCode: 300305; ErrMsg: the number of elements exceeds the limit of %d", maxElements)
	}
	return r.why
}

// known refuses attributes that the platform does not know.
func (r *cardReader) known(tag string, object map[string]any) {
	for name := range object {
		if !slices.Contains(strings.Fields(attributes[tag]), name) {
			r.wrong("ErrCode: 200621; ErrMsg: parse card json err: unknown property %s of %s", name, tag)
		}
	}
}

// words is a text element.
func (r *cardReader) words(v any) string {
	object, ok := v.(map[string]any)
	tag, _ := object["tag"].(string)
	content, isText := object["content"].(string)
	if !ok || !isText || tag != "plain_text" && tag != "lark_md" {
		r.wrong("text must be a plain_text")
		return ""
	}
	r.known("plain_text", object)
	r.elements++
	return content
}

func (r *cardReader) list(v any) {
	list, ok := v.([]any)
	if !ok && v != nil {
		r.wrong("elements must be a list")
	}
	for _, each := range list {
		object, _ := each.(map[string]any)
		r.element(object)
	}
}

func (r *cardReader) element(e map[string]any) {
	tag, _ := e["tag"].(string)
	if attributes[tag] == "" {
		r.wrong("ErrCode: 200861; ErrMsg: not support tag: %q", tag)
		return
	}
	r.known(tag, e)
	r.elements++
	switch tag {
	case "markdown":
		content, ok := e["content"].(string)
		if !ok || content == "" {
			r.wrong("markdown needs content")
		}
		r.post.Parts = append(r.post.Parts, Part{Tag: tag, Text: content, Small: e["text_size"] == "notation"})
	case "div":
		r.post.Parts = append(r.post.Parts, Part{Tag: "plain", Text: r.words(e["text"])})
	case "hr":
		r.post.Parts = append(r.post.Parts, Part{Tag: tag})
	case "img":
		key, _ := e["img_key"].(string)
		if key == "" {
			r.wrong("img needs img_key")
		}
		r.post.Parts = append(r.post.Parts, Part{Tag: tag, Text: r.words(e["alt"]), Key: key})
	case "column_set":
		r.list(e["columns"])
	case "column":
		r.list(e["elements"])
	case "button":
		r.button(e)
	}
}

func (r *cardReader) button(e map[string]any) {
	text := r.words(e["text"])
	if utf8.RuneCountInString(text) > maxButton {
		r.wrong("a button may have %d characters", maxButton)
	}
	behaviors, _ := e["behaviors"].([]any)
	for _, each := range behaviors {
		b, _ := each.(map[string]any)
		url, _ := b["default_url"].(string)
		if b["type"] == "open_url" && url == "" {
			r.wrong("open_url needs default_url")
		}
		r.post.Parts = append(r.post.Parts, Part{Tag: "button", Text: text, URL: url})
	}
	if len(behaviors) == 0 {
		r.wrong("a button needs behaviors")
	}
}
