package bot

// Message is platform-neutral: plain text in blocks. No field holds markup; an adapter escapes every field for its platform.
// It is stored as JSON, so names of fields are kept.
type Message struct {
	Title  string  `json:"title,omitempty"`  // heading of the whole message, and its push notice
	Notice string  `json:"notice,omitempty"` // one plain sentence for notifications and screen readers; "" = Title
	Lang   string  `json:"lang,omitempty"`   // "zh" or "en"
	Public bool    `json:"public,omitempty"` // an answer that the whole channel may see
	Image  *Image  `json:"image,omitempty"`  // nil: none
	Blocks []Block `json:"blocks,omitempty"`
	// Code is the code of the UserError that an answer tells of, "unknown_topic", so that a form can show it beside the field at fault;
	// "" when the command was done. It is not stored.
	Code string `json:"-"`
}

// BlockKind names a layout element.
type BlockKind string

const (
	BlockHeading BlockKind = "heading" // Text: heading of a section
	BlockText    BlockKind = "text"    // Text: a paragraph; "\n" is a line break
	BlockItem    BlockKind = "item"    // Title, URL, Text, Level: one news item
	BlockNote    BlockKind = "note"    // Text: small print (date, source, footer); Links behind it
	BlockDivider BlockKind = "divider"
	BlockLinks   BlockKind = "links" // Links: reading links, shown as buttons where the platform has them
)

// Block is one layout element. Which fields count depends on Kind; a kind that a platform lacks is shown as text.
type Block struct {
	Kind  BlockKind `json:"kind"`
	Text  string    `json:"text,omitempty"`
	Title string    `json:"title,omitempty"` // items only
	URL   string    `json:"url,omitempty"`   // items only; http or https, "" = no link
	Item  string    `json:"item,omitempty"`  // items only: its ID, for those who vote on it; "" = nobody can
	Level int       `json:"level,omitempty"` // items: 0, or 1 for an entry nested in the item before; headings: 0, or 1 below the heading before
	Links []Link    `json:"links,omitempty"`
}

// Link is a text that leads somewhere.
type Link struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}
