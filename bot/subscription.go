package bot

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// SubscriptionID names a Subscription: its channel and its ordinal there.
type SubscriptionID struct {
	Channel ChannelID
	Ordinal int // from 1, never given twice in a channel; 0 = the channel itself, as broadcasts reach it
}

// String is "<16 hex digits>-<ordinal>".
func (id SubscriptionID) String() string { return id.Channel.String() + "-" + strconv.Itoa(id.Ordinal) }

// ParseSubscriptionID reads what String wrote.
func ParseSubscriptionID(s string) (SubscriptionID, error) {
	head, tail, ok := strings.Cut(s, "-")
	n, err := strconv.Atoi(tail)
	ch, err2 := ParseChannelID(head)
	if !ok || err != nil || err2 != nil || n < 0 || n > maxOrdinal {
		return SubscriptionID{}, fmt.Errorf("subscription %q: want 16 hex digits, a dash and a number, as `/subscriptions` shows them", s)
	}
	return SubscriptionID{ch, n}, nil
}

// maxOrdinal is the largest ordinal a packed record has room for.
const maxOrdinal = 1<<16 - 1

// State is where a Subscription stands.
type State string

const (
	StateActive    State = "active"
	StatePaused    State = "paused"    // by a person
	StateProbation State = "probation" // its channel failed; tried at each occurrence, owner told once
	StateHeld      State = "held"      // its workspace is down
)

// Style is how long a digest is.
type Style string

const (
	StyleHeadlines Style = "headlines" // linked titles
	StyleBrief     Style = "brief"     // title and one sentence
	StyleFull      Style = "full"      // title, text and nested entries
)

// Schedule is when a Subscription gets its digest. Either OnPublish, or Cron in Zone.
type Schedule struct {
	OnPublish bool
	Cron      string // five fields, canonical: single spaces
	Zone      string // IANA name
}

// Except is when a subscription's digests should not come. An empty rule is the bot's own.
type Except struct {
	Quiet    string // hours of the day in the schedule's zone, "22:00-08:00": a digest waits for their end; ExceptNone
	Holidays string // what happens on a public holiday: HolidaysSkip, HolidaysNext, ExceptNone
}

// Rules of an Except.
const (
	ExceptNone   = "none"
	HolidaysSkip = "skip" // nothing comes; the next digest holds it
	HolidaysNext = "next" // it comes at the same time of the next workday
)

// Subscription is a channel's standing wish.
type Subscription struct {
	ID       SubscriptionID
	Series   []string // none = all
	Topics   []string // canonical names; none = everything
	Schedule Schedule
	Style    Style
	Lang     string // language of the bot's own words in the digest
	MaxItems int    // 0 = no limit
	Except   Except
	State    State
	By       string    // who subscribed: "slack:T1/U1", or "config"
	Since    int64     // catalogue number it begins at: what was known then is not new to it
	SinceAt  time.Time // set together with Since
}
