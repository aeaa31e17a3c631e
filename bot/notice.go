package bot

import (
	"errors"
	"time"
)

// ErrNoticesFull is returned when more notices wait to be told than there is room for.
var ErrNoticesFull = errors.New("too many notices wait to be told")

// ToAdmins is the recipient that stands for the administrators of the configuration.
const ToAdmins = "admins"

// Notice is what the bot tells people of its own troubles: once for each, to those who can mend it. It is stored as JSON and holds no secret.
type Notice struct {
	ID        string    `json:"id"` // computed from what it is about: to raise it twice is to raise it once
	To        []string  `json:"to"` // who is still to be told: "slack:T1/U1", ToAdmins; none = everybody has been
	Lang      string    `json:"lang,omitempty"`
	Zh        string    `json:"zh"` // what happened, and what to do
	En        string    `json:"en"`
	At        time.Time `json:"at"`                  // when it was raised
	NotBefore time.Time `json:"not_before,omitzero"` // somebody tells it until then, or it waits for its next try
	Tries     int       `json:"tries,omitempty"`
	Claim     string    `json:"claim,omitempty"` // of who tells it
	Stored    string    `json:"-"`               // as the store knows it
}

// Text is what is told, in zh or en.
func (n Notice) Text(lang string) string {
	if lang == "en" {
		return n.En
	}
	return n.Zh
}
