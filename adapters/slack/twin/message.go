package twin

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Message is what a post says, decoded.
type Message struct {
	Text         string           `json:"text"`
	Blocks       []map[string]any `json:"blocks,omitempty"`
	Metadata     *Metadata        `json:"metadata,omitempty"`
	ResponseType string           `json:"response_type,omitempty"`
	UnfurlLinks  bool             `json:"unfurl_links"`
	UnfurlMedia  bool             `json:"unfurl_media"`
	Parse        string           `json:"parse,omitempty"`
}

// Metadata is what a program reads of a message, and no person.
type Metadata struct {
	EventType    string         `json:"event_type"`
	EventPayload map[string]any `json:"event_payload"`
}

// Slack's limits, as platforms describe and people measured them; in code points. Written again here on purpose: a limit that the adapter
// has wrong must not be wrong here too. Read 2026-11.
const (
	maxBlocks      = 50     // docs.slack.dev, block kit
	maxAllText     = 13_172 // msg_blocks_too_long, smallest size that was refused; slackapi/bolt-js issue 2509
	maxTextObject  = 3000   // docs.slack.dev, text object
	maxTopText     = 40_000 // docs.slack.dev, chat.postMessage: cut, not refused
	maxUpdateText  = 4000   // docs.slack.dev, chat.update
	maxAttachments = 100    // slack-ruby/slack-api-ref
	maxMetadata    = 8 << 10
)

// flaw is why a message is refused.
type flaw struct {
	code             string
	messages         []string
	needed, provided string // scopes
}

func (f *flaw) Error() string { return f.code + " " + strings.Join(f.messages, "; ") }

// readBlocks parses and checks the blocks of a message.
func readBlocks(raw []byte) ([]map[string]any, *flaw) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var blocks []map[string]any
	if err := json.Unmarshal(raw, &blocks); err != nil {
		return nil, &flaw{code: "invalid_blocks_format"}
	}
	if len(blocks) > maxBlocks {
		return nil, &flaw{code: "invalid_blocks", messages: []string{fmt.Sprintf("no more than %d items allowed [json-pointer:/blocks]", maxBlocks)}}
	}
	c := checker{}
	for k, block := range blocks {
		c.block(fmt.Sprintf("/blocks/%d", k), block)
	}
	if len(c.messages) > 0 {
		return nil, &flaw{code: "invalid_blocks", messages: c.messages}
	}
	if c.total >= maxAllText {
		return nil, &flaw{code: "msg_blocks_too_long"}
	}
	return blocks, nil
}

// checker walks blocks, counts their text and collects what is wrong.
type checker struct {
	total    int
	messages []string
	inView   bool
	inputs   int             // blocks of input
	ids      map[string]bool // of blocks
}

func (c *checker) wrong(at, format string, args ...any) {
	c.messages = append(c.messages, fmt.Sprintf(format, args...)+" [json-pointer:"+at+"]")
}

// kinds of block: what each one holds.
var blockChecks = map[string]func(c *checker, at string, b map[string]any){
	"divider": func(*checker, string, map[string]any) {},
	"header":  func(c *checker, at string, b map[string]any) { c.text(at+"/text", b["text"], 150, "plain_text") },
	"section": (*checker).section,
	"context": (*checker).context,
	"actions": (*checker).actions,
	"input":   func(c *checker, at string, b map[string]any) { c.input(at, b) },
}

func (c *checker) block(at string, b map[string]any) {
	kind, _ := b["type"].(string)
	check, ok := blockChecks[kind]
	if !ok {
		c.wrong(at, "unsupported type: %s", kind)
		return
	}
	check(c, at, b)
	id, _ := b["block_id"].(string)
	if utf8.RuneCountInString(id) > 255 {
		c.wrong(at+"/block_id", "must be less than 256 characters")
	}
	if id != "" && c.ids[id] {
		c.wrong(at+"/block_id", "must be unique")
	}
	if c.ids == nil {
		c.ids = map[string]bool{}
	}
	c.ids[id] = true
}

func (c *checker) section(at string, b map[string]any) {
	fields, _ := b["fields"].([]any)
	if b["text"] == nil && len(fields) == 0 {
		c.wrong(at, "missing required field: text or fields")
	}
	if b["text"] != nil {
		c.text(at+"/text", b["text"], maxTextObject, "plain_text", "mrkdwn")
	}
	if len(fields) > 10 {
		c.wrong(at+"/fields", "no more than 10 items allowed")
	}
	for k, f := range fields {
		c.text(fmt.Sprintf("%s/fields/%d", at, k), f, 2000, "plain_text", "mrkdwn")
	}
	if b["accessory"] != nil {
		accessory, _ := b["accessory"].(map[string]any)
		c.element(at+"/accessory", accessory)
	}
}

// element is a button or a menu.
func (c *checker) element(at string, e map[string]any) {
	switch e["type"] {
	case "button":
		c.text(at+"/text", e["text"], 75, "plain_text")
		c.short(at+"/url", e["url"], 3000)
		c.short(at+"/value", e["value"], 2000)
	case "overflow":
		c.options(at, e, 5)
	default:
		c.wrong(at, "unsupported type: %v", e["type"])
	}
	c.short(at+"/action_id", e["action_id"], 255)
}

// options are those of a menu; it returns their values.
func (c *checker) options(at string, e map[string]any, most int) (values []string) {
	options, _ := e["options"].([]any)
	if len(options) == 0 || len(options) > most {
		c.wrong(at+"/options", "must have 1 to %d items", most)
	}
	return c.optionList(at+"/options", options)
}

// optionList checks each option.
func (c *checker) optionList(at string, options []any) (values []string) {
	for k, o := range options {
		at := fmt.Sprintf("%s/%d", at, k)
		option, _ := o.(map[string]any)
		c.text(at+"/text", option["text"], 75, "plain_text", "mrkdwn")
		c.short(at+"/value", option["value"], 150)
		value, _ := option["value"].(string)
		if value == "" {
			c.wrong(at+"/value", "missing required field")
		}
		values = append(values, value)
	}
	return values
}

func (c *checker) context(at string, b map[string]any) {
	for k, e := range c.elements(at, b, 10) {
		if object, _ := e.(map[string]any); object["type"] == "image" {
			continue
		}
		c.text(fmt.Sprintf("%s/elements/%d", at, k), e, maxTextObject, "plain_text", "mrkdwn")
	}
}

func (c *checker) actions(at string, b map[string]any) {
	seen := map[any]bool{}
	for k, e := range c.elements(at, b, 25) {
		at := fmt.Sprintf("%s/elements/%d", at, k)
		button, _ := e.(map[string]any)
		c.element(at, button)
		if id := button["action_id"]; id != nil && seen[id] {
			c.wrong(at+"/action_id", "must be unique within its block")
		}
		seen[button["action_id"]] = true
	}
}

func (c *checker) elements(at string, b map[string]any, most int) []any {
	elements, _ := b["elements"].([]any)
	if len(elements) == 0 || len(elements) > most {
		c.wrong(at+"/elements", "must have 1 to %d items", most)
	}
	return elements
}

func (c *checker) text(at string, v any, most int, kinds ...string) {
	object, ok := v.(map[string]any)
	if !ok {
		c.wrong(at, "must provide an object")
		return
	}
	kind, _ := object["type"].(string)
	if !strings.Contains(" "+strings.Join(kinds, " ")+" ", " "+kind+" ") {
		c.wrong(at+"/type", "must be one of %s", strings.Join(kinds, ", "))
	}
	if kind == "mrkdwn" && object["emoji"] != nil {
		c.wrong(at+"/emoji", "not allowed for mrkdwn")
	}
	text, _ := object["text"].(string)
	n := utf8.RuneCountInString(text)
	c.total += n
	switch {
	case n == 0:
		c.wrong(at+"/text", "must be more than 0 characters")
	case n > most:
		c.wrong(at+"/text", "must be less than %d characters", most+1)
	}
}

func (c *checker) short(at string, v any, most int) {
	if text, _ := v.(string); utf8.RuneCountInString(text) > most {
		c.wrong(at, "must be less than %d characters", most+1)
	}
}

// readMetadata parses and checks metadata. An event type with other characters than a-z, 0-9 and _ makes it vanish without an error.
func readMetadata(raw []byte) (*Metadata, *flaw) {
	if len(raw) == 0 {
		return nil, nil
	}
	if len(raw) > maxMetadata {
		return nil, &flaw{code: "metadata_too_large"}
	}
	var m Metadata
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, &flaw{code: "invalid_metadata_format"}
	}
	if m.EventType == "" || m.EventPayload == nil {
		return nil, &flaw{code: "invalid_metadata_schema"}
	}
	for _, v := range m.EventPayload {
		if v == nil {
			return nil, &flaw{code: "invalid_metadata_schema"}
		}
	}
	if strings.Trim(m.EventType, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return nil, nil
	}
	return &m, nil
}

// readMessage parses and checks the parts of a message that all ways of posting share.
func readMessage(text string, blocks, attachments, metadata []byte) (Message, *flaw) {
	m := Message{Text: text}
	var f *flaw
	if m.Blocks, f = readBlocks(blocks); f != nil {
		return m, f
	}
	if m.Metadata, f = readMetadata(metadata); f != nil {
		return m, f
	}
	var attached []any
	if len(attachments) > 0 && json.Unmarshal(attachments, &attached) != nil {
		return m, &flaw{code: "invalid_attachments"}
	}
	if len(attached) > maxAttachments {
		return m, &flaw{code: "too_many_attachments"}
	}
	if text == "" && len(m.Blocks) == 0 && len(attached) == 0 {
		return m, &flaw{code: "no_text"}
	}
	if r := []rune(text); len(r) > maxTopText {
		m.Text = string(r[:maxTopText])
	}
	return m, nil
}
