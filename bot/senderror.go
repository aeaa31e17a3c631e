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

// SendError is the only error type that Send returns.
type SendError struct {
	Fault      Fault
	Scope      Scope
	Code       string        // the platform's own code, "rate_limited": a metric label
	RetryAfter time.Duration // RateLimited only; 0 if the platform named none
	MaybeSent  bool          // the request left, no answer came: a retry may post twice
	Err        error         // for the operator; holds no token and no webhook URL
}

func (e *SendError) Error() string {
	return fmt.Sprintf("%s (%s, %s): %v", e.Code, e.Fault, e.Scope, e.Err)
}

func (e *SendError) Unwrap() error { return e.Err }
