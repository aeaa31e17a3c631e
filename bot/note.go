package bot

import "time"

// Note is one line of the audit log: a change that somebody made. It is stored as JSON and holds no secret.
type Note struct {
	At    time.Time `json:"at"`
	Who   string    `json:"who"`   // "slack:T1/U1", "api", "config"
	Where string    `json:"where"` // "slack:T1/C1", or the address that called the API
	What  string    `json:"what"`  // "subscribe", "broadcasts approve"
	About string    `json:"about"` // the subscription, broadcast or delivery, and how it was changed
}
