package feishu

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"weeklybot/adapters/internal/apihttp"
)

// cardType is the msg_type of a card.
const cardType = "interactive"

// A card of JSON 2.0, which clients show from version 7.20 (2024) on. An attribute that the platform does not know is an error.
// Source: open.feishu.cn, card-json-v2-structure, read 2026-11.
type (
	card struct {
		Schema string     `json:"schema"`
		Config cardConfig `json:"config"`
		Header *header    `json:"header,omitempty"`
		Body   cardBody   `json:"body"`
	}
	cardConfig struct {
		Summary summary `json:"summary"`
	}
	summary struct {
		Content string `json:"content"` // the line in the list of chats; never empty
	}
	header struct {
		Title    words  `json:"title"`
		Template string `json:"template"`
	}
	words struct {
		Tag     string `json:"tag"`
		Content string `json:"content"`
	}
	cardBody struct {
		Elements []element `json:"elements"`
	}
	// element is markdown, hr, img or column_set.
	element struct {
		Tag      string   `json:"tag"`
		Content  string   `json:"content,omitempty"`
		TextSize string   `json:"text_size,omitempty"`
		ImgKey   string   `json:"img_key,omitempty"`
		Alt      *words   `json:"alt,omitempty"`
		FlexMode string   `json:"flex_mode,omitempty"`
		Columns  []column `json:"columns,omitempty"`
	}
	column struct {
		Tag      string   `json:"tag"`
		Width    string   `json:"width"`
		Elements []button `json:"elements"`
	}
	button struct {
		Tag       string     `json:"tag"`
		Text      words      `json:"text"`
		Type      string     `json:"type"`
		Behaviors []behavior `json:"behaviors"`
	}
	behavior struct {
		Type       string `json:"type"`
		DefaultURL string `json:"default_url"`
	}
)

func plainText(s string) words { return words{"plain_text", s} }

func markdown(s string) element { return element{Tag: "markdown", Content: s} }

// count is how many elements the platform counts.
func (c card) count() int {
	n := len(c.Body.Elements)
	if c.Header != nil {
		n++
	}
	for _, e := range c.Body.Elements {
		n += 3 * len(e.Columns) // column, button and the button's text
		if e.Alt != nil {
			n++
		}
	}
	return n
}

// webhookBody is the request to a custom bot; Timestamp (seconds) and Sign only with 签名校验.
type webhookBody struct {
	Timestamp string `json:"timestamp,omitempty"`
	Sign      string `json:"sign,omitempty"`
	MsgType   string `json:"msg_type"`
	Card      card   `json:"card"`
}

// message is the request of an app, to send (with receive_id) or to reply. Content is the card as JSON in a string.
type message struct {
	ReceiveID string `json:"receive_id,omitempty"`
	MsgType   string `json:"msg_type"`
	Content   string `json:"content"`
	UUID      string `json:"uuid,omitempty"`
}

func messageBody(receiver string, c card, uuid string) message {
	return message{ReceiveID: receiver, MsgType: cardType, Content: string(apihttp.EncodeJSON(c)), UUID: uuid}
}

// messageUUID is the same for each attempt at one part: within an hour the platform shows a uuid once. "" without a key.
func messageUUID(key string, part int) string {
	if key == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(key + "/" + strconv.Itoa(part)))
	return hex.EncodeToString(sum[:16])
}
