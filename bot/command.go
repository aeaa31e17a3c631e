package bot

import "time"

// Command is what a member typed, before it is understood. The adapter has checked that it is genuine.
type Command struct {
	ID      string // the platform's id of this message or click: delivered twice, run once
	Text    string // "/hot ebpf", mention of the bot removed
	Channel Channel
	Member  Member
	At      time.Time
}

// Member is the person who typed a Command.
type Member struct {
	ID    string // the platform's own id
	Name  string // shown, never an identity
	Lang  string // the platform's hint, "zh", "en" or ""
	Admin bool   // the platform says that the member administers the workspace
}
