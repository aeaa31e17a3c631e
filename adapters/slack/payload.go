package slack

import (
	"bytes"
	"encoding/json"

	"github.com/slack-go/slack"
)

// eventType marks our messages, so that a lost answer can be looked up. Only [a-z0-9_]: a dot makes Slack drop all metadata silently.
const eventType = "weeklybot_digest"

// payload is one message as Slack gets it: as a form for chat.postMessage, as this JSON for webhooks and response URLs.
type payload struct {
	Text         string               `json:"text"`
	Blocks       []slack.Block        `json:"blocks,omitempty"`
	ThreadTS     string               `json:"thread_ts,omitempty"`
	ResponseType string               `json:"response_type,omitempty"`
	Metadata     *slack.SlackMetadata `json:"metadata,omitempty"`
	UnfurlLinks  bool                 `json:"unfurl_links"`
	UnfurlMedia  bool                 `json:"unfurl_media"`
	Parse        string               `json:"parse"`

	ReplaceOriginal bool `json:"replace_original,omitempty"` // response URLs: in the place of the message whose button was clicked
}

// parseNone keeps Slack from turning a bare @here or #general into a mention.
const parseNone = "none"

func metadata(key string, part int) *slack.SlackMetadata {
	return &slack.SlackMetadata{EventType: eventType, EventPayload: map[string]any{"delivery_id": key, "part": part}}
}

// options is the payload as the library takes it. Every leaf is escaped already, so the library must not.
func (p payload) options() []slack.MsgOption {
	options := []slack.MsgOption{
		slack.MsgOptionText(p.Text, false),
		slack.MsgOptionDisableLinkUnfurl(),
		slack.MsgOptionDisableMediaUnfurl(),
		slack.MsgOptionParse(false),
	}
	if len(p.Blocks) > 0 {
		options = append(options, slack.MsgOptionBlocks(p.Blocks...))
	}
	if p.Metadata != nil {
		options = append(options, slack.MsgOptionMetadata(*p.Metadata))
	}
	if p.ThreadTS != "" {
		options = append(options, slack.MsgOptionTS(p.ThreadTS))
	}
	return options
}

// encode writes v as JSON with < > & as they are, also where a block encodes itself.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(unescapeHTML(b.Bytes())), nil
}

// unescapeHTML undoes \u003c \u003e \u0026, which encoding/json writes inside a json.Marshaler (the library's blocks) whatever the
// Encoder around it says. An escaped backslash before u003c is text, and stays.
func unescapeHTML(b []byte) []byte {
	out := b[:0:0]
	for k := 0; k < len(b); k++ {
		if b[k] != '\\' || k+1 >= len(b) {
			out = append(out, b[k])
			continue
		}
		if k+6 <= len(b) {
			if c, ok := map[string]byte{`\u003c`: '<', `\u003e`: '>', `\u0026`: '&'}[string(b[k:k+6])]; ok {
				out = append(out, c)
				k += 5
				continue
			}
		}
		out = append(out, b[k], b[k+1])
		k++
	}
	return out
}
