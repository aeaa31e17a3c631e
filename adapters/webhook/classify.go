package webhook

import (
	"fmt"
	"net/http"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// rules tell the outcome from the status; the first that matches counts.
var rules = []struct {
	from, to int // statuses, inclusive
	fault    bot.Fault
	scope    bot.Scope
}{
	{200, 299, "", ""},
	{300, 399, bot.Permanent, bot.ScopeChannel}, // moved: the operator must name the new URL
	{408, 408, bot.Retryable, bot.ScopeMessage},
	{410, 410, bot.Permanent, bot.ScopeChannel}, // the scheme's word for "do not call me again"
	{429, 429, bot.RateLimited, bot.ScopeMessage},
	{400, 499, bot.Permanent, bot.ScopeMessage},
	{100, 999, bot.Retryable, bot.ScopeMessage},
}

// classify is nil for an accepted post. A 503 that names a time is a limit. The result lacks its Err.
func classify(status int, header http.Header, now time.Time) *bot.SendError {
	fault := &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: fmt.Sprintf("http_%d", status)}
	for _, rule := range rules {
		if rule.from <= status && status <= rule.to {
			fault.Fault, fault.Scope = rule.fault, rule.scope
			break
		}
	}
	if fault.Fault == "" {
		return nil
	}
	wait := apihttp.RetryAfter(header, now)
	if status == http.StatusServiceUnavailable && wait > 0 {
		fault.Fault = bot.RateLimited
	}
	if fault.Fault == bot.RateLimited {
		fault.RetryAfter = wait
	}
	return fault
}
