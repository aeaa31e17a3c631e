package bot

import "slices"

// DeliveryState is where a Delivery stands; also the metric label, API value and text.
type DeliveryState string

const (
	Queued    DeliveryState = "queued"
	Sending   DeliveryState = "sending"
	Uncertain DeliveryState = "uncertain" // it may have arrived, nobody knows yet
	Held      DeliveryState = "held"      // uncertain for good; a person decides
	Sent      DeliveryState = "sent"
	Dead      DeliveryState = "dead"
	Missed    DeliveryState = "missed"
	Skipped   DeliveryState = "skipped"
	Cancelled DeliveryState = "cancelled"
	Recalled  DeliveryState = "recalled"
)

// Over says that nothing more comes of a delivery by itself.
func (s DeliveryState) Over() bool {
	switch s {
	case Queued, Sending, Uncertain:
		return false
	}
	return true
}

// Recipe is what a Digest is made from. Two deliveries with equal recipes get the same Message.
type Recipe struct {
	From, Upto int64    // catalogue numbers: issues in (From, Upto]
	First      bool     // also the newest issue of each series, so that a first digest is never empty
	Series     []string // none = all
	Topics     []string // none = everything
	Style      Style
	Lang       string
	MaxItems   int

	Broadcast string    `json:",omitempty"` // the message of this Broadcast, and nothing of the catalogue
	Recall    []Receipt `json:",omitempty"` // no message at all: these posts are taken back
}

// Equal says whether both make the same Digest.
func (r Recipe) Equal(o Recipe) bool {
	return r.From == o.From && r.Upto == o.Upto && r.First == o.First && r.Style == o.Style && r.Lang == o.Lang && r.MaxItems == o.MaxItems &&
		slices.Equal(r.Series, o.Series) && slices.Equal(r.Topics, o.Topics) && r.Broadcast == o.Broadcast && slices.Equal(r.Recall, o.Recall)
}

// Entry is one line of the catalogue: an issue, or what was added to a growing page, numbered at first sight.
type Entry struct {
	Seq    int64    `json:"seq"`
	Key    string   `json:"key"` // content.Issue.Key
	Series string   `json:"series"`
	SeenMs int64    `json:"seen"`            // unix milliseconds, Redis' clock
	Back   bool     `json:"back,omitempty"`  // archive only, never announced
	Items  []string `json:"items,omitempty"` // growing pages: item IDs added; none = all
}
