package bot

import "errors"

// UserError is the only kind of error whose text a member sees.
type UserError struct {
	Code string // stable, "unknown_topic"
	Text string // in the member's language
	Hint string // what to type instead; may be ""
}

func (e *UserError) Error() string {
	if e.Hint == "" {
		return e.Text
	}
	return e.Text + " " + e.Hint
}

// ErrNotFound is returned where a subscription, channel, delivery or issue does not exist.
var ErrNotFound = errors.New("not found")
