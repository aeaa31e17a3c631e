package bot

import "bytes"

// Image is a picture shown above the blocks of a Message where the platform can, or as a post of its own behind them (see SplitImage).
// Elsewhere it is left out, so the blocks must say all that it shows.
type Image struct {
	PNG []byte `json:"png"` // as JSON in base64
	Alt string `json:"alt"` // what it shows, in one plain sentence, for those who cannot see it
}

// MaxImageBytes is the most that a PNG may have, in bytes: in base64 it then leaves a tenth of the smallest body that takes images (the
// webhook adapter's 96 KiB) to the text. A chart has about 6 KiB. WeCom takes 2 MB, Slack far more.
const MaxImageBytes = 64 << 10

// pngMark begins every PNG. Source: www.w3.org/TR/png, section 5.2, read 2026-11.
var pngMark = []byte("\x89PNG\r\n\x1a\n")

// Usable says whether there is an image that may be posted: one within MaxImageBytes that is a PNG. Adapters leave out any other.
func (i *Image) Usable() bool {
	return i != nil && len(i.PNG) <= MaxImageBytes && bytes.HasPrefix(i.PNG, pngMark)
}

// WithoutImage is m for a platform or a post that shows none. What was nothing but an image becomes its Alt.
func (m Message) WithoutImage() Message {
	if m.Image != nil && m.Title == "" && len(m.Blocks) == 0 {
		m.Blocks = []Block{{Kind: BlockText, Text: m.Image.Alt}}
	}
	m.Image = nil
	return m
}

// OnlyImage says whether m is a part that SplitImage made for an image: a post of its own.
func (m Message) OnlyImage() bool { return m.Image.Usable() && m.Title == "" && len(m.Blocks) == 0 }

// SplitImage is the shared half of Adapter.Split where an image is a post of its own: split cuts the rest, and the image becomes the last
// part, so that whoever sees it has read what it is about.
func SplitImage(msg Message, split func(Message) []Message) []Message {
	if msg.OnlyImage() {
		return []Message{msg}
	}
	parts := split(msg.WithoutImage())
	if msg.Image.Usable() {
		parts = append(parts, Message{Lang: msg.Lang, Public: msg.Public, Image: msg.Image})
	}
	return parts
}
