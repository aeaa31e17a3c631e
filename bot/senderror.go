package bot

import (
	"fmt"
	"time"
)

// Fault is what the outbox does after a failed Send; "" is not a Fault.
type Fault string

const (
	Permanent   Fault = "permanent"    // no retry of the same payload
	Retryable   Fault = "retryable"    // back off, then retry: refused connection, 5xx
	RateLimited Fault = "rate_limited" // wait RetryAfter, then retry; costs time, not an attempt
)

// Scope says what a fault is about, and so what the core does beyond this Delivery.
type Scope string

const (
	ScopeMessage   Scope = "message"   // degrade once (plain text, no links), then dead
	ScopeChannel   Scope = "channel"   // probation, tell the owner once
	ScopeWorkspace Scope = "workspace" // hold all of it, tell the operator: revoked token, quota, IP list
)

// Action is what Fault and Scope of a code do not say; most codes have none.
type Action string

const (
	ActOnce     Action = "once"     // nobody documents the code: tried once more, then dead
	ActDrop     Action = "drop"     // to post the same again, even as plain text, makes it worse
	ActAll      Action = "all"      // a limit that is about all the platform's workspaces: this machine's address
	AskInvite   Action = "invite"   // somebody there must add the bot
	AskAllow    Action = "allow"    // somebody there must let the bot post: it is muted, stopped or lacks a right
	AskSpeak    Action = "speak"    // somebody there must speak to the bot first
	AskSettings Action = "settings" // somebody there must change the robot's security settings: keyword, signature, addresses
)

// Asks says whether a person at the place can mend it.
func (a Action) Asks() bool {
	switch a {
	case AskInvite, AskAllow, AskSpeak, AskSettings:
		return true
	}
	return false
}

// Effect is what a failed Send leads to. A subscription is never ended by one.
type Effect string

const (
	Retry     Effect = "retry"      // back off, then the same again
	RetryOnce Effect = "retry_once" // the same once more, then dead
	Wait      Effect = "wait"       // as long as the platform says; costs no attempt
	Degrade   Effect = "degrade"    // once more as plain text without links, then dead
	Drop      Effect = "drop"       // dead at once
	Probation Effect = "probation"  // dead and owed; the channel is tried at each occurrence, its owner is told once
	Ask       Effect = "ask"        // probation, and the owner is asked to mend what is named
	Hold      Effect = "hold"       // the whole workspace waits, the operator is told once; single deliveries try whether it works again
)

// SendError is the only error type that Send returns.
type SendError struct {
	Fault      Fault
	Scope      Scope
	Action     Action        // "" = what Fault and Scope say
	Code       string        // the platform's own code, "rate_limited": a metric label
	RetryAfter time.Duration // RateLimited only; 0 if the platform named none
	MaybeSent  bool          // the request left, no answer came: a retry may post twice
	Err        error         // for the operator; holds no token and no webhook URL
}

func (e *SendError) Error() string {
	return fmt.Sprintf("%s (%s, %s): %v", e.Code, e.Fault, e.Scope, e.Err)
}

// Effect is what the outbox does about the fault.
func (e *SendError) Effect() Effect {
	switch {
	case e.Fault == RateLimited:
		return Wait
	case e.Action == ActOnce:
		return RetryOnce
	case e.Fault != Permanent:
		return Retry
	case e.Scope == ScopeWorkspace:
		return Hold
	case e.Scope == ScopeChannel && e.Action.Asks():
		return Ask
	case e.Scope == ScopeChannel:
		return Probation
	case e.Action == ActDrop:
		return Drop
	}
	return Degrade
}

func (e *SendError) Unwrap() error { return e.Err }
