package bot

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// ChannelID names a Channel in the store: the first 8 bytes of SHA-256 over adapter, workspace and address.
type ChannelID [8]byte

// String is the ID as 16 hex digits.
func (id ChannelID) String() string { return hex.EncodeToString(id[:]) }

// ParseChannelID reads the 16 hex digits of String.
func ParseChannelID(s string) (ChannelID, error) {
	var id ChannelID
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("channel %q: want 16 hex digits", s)
	}
	copy(id[:], b)
	return id, nil
}

// Channel is a place in a Workspace that can be posted to.
type Channel struct {
	Adapter   string // Adapter.Name
	Kind      Kind
	Workspace string // Slack team, WeCom corp, DingTalk organisation; "" for webhooks and the terminal
	// Address is the platform's own ID of the place. A channel declared in config has its declared name here, so that its
	// subscriptions outlive a new webhook URL.
	Address string
	Name    string // shown to people, never an identity
	URL     Secret // webhook kinds: where to post; from config, not stored
	Secret  Secret // webhook kinds: key to sign with; from config, not stored
}

// ID is computed from Adapter, Workspace and Address.
func (c Channel) ID() ChannelID {
	h := sha256.New()
	for _, s := range []string{c.Adapter, c.Workspace, c.Address} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return ChannelID(h.Sum(nil)[:8])
}
