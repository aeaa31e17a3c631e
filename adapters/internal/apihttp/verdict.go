package apihttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"weeklybot/bot"
)

// CodeBadAnswer is the Code of a 2xx answer that is not what the platform says.
const CodeBadAnswer = "bad_answer"

// Verdict is what one code of a platform means for the outbox.
type Verdict struct {
	Fault bot.Fault
	Scope bot.Scope
	Act   bot.Action
	After time.Duration // RateLimited only
	Maybe bool          // the post may have been shown all the same
	Token bool          // the access token is no longer good
	Hint  string        // what an operator can do
}

// Judged is an error of a platform's, with what its adapter must know besides.
type Judged struct {
	*bot.SendError
	Token bool // drop the access token
}

// Fail is the error of v. platform is its name; code and text are its words, and hold no secret. after counts for RateLimited only.
func (v Verdict) Fail(platform, code, text string, after time.Duration) *Judged {
	if v.Hint != "" {
		text += ": " + v.Hint
	}
	if v.Fault != bot.RateLimited {
		after = 0
	}
	err := fmt.Errorf("%s answered %s: %s", platform, code, text)
	return &Judged{&bot.SendError{Fault: v.Fault, Scope: v.Scope, Action: v.Act, Code: code, RetryAfter: after, MaybeSent: v.Maybe, Err: err}, v.Token}
}

// StatusVerdict is for answers whose code says nothing to us: they are tried again, and the outbox counts how often. A limit lasts
// block where the platform names no time.
func StatusVerdict(status int, block time.Duration) Verdict {
	v := Verdict{Fault: bot.Retryable, Scope: bot.ScopeMessage}
	switch status {
	case http.StatusTooManyRequests:
		v.Fault, v.Scope, v.After = bot.RateLimited, bot.ScopeWorkspace, block
	case http.StatusGatewayTimeout:
		v.Maybe = true
	}
	return v
}

// UnknownVerdict is for a code that the platform does not document: tried once more, unless the status says a limit.
func UnknownVerdict(status int, block time.Duration) Verdict {
	v := StatusVerdict(status, block)
	if v.Fault == bot.Retryable {
		v.Act = bot.ActOnce
	}
	return v
}

// Local is a fault found here, before anything was sent.
func Local(fault bot.Fault, scope bot.Scope, code string, err error) *bot.SendError {
	return &bot.SendError{Fault: fault, Scope: scope, Code: code, Err: err}
}

// Scalar is a JSON value that a platform writes as a number here and as a string there.
type Scalar string

// UnmarshalJSON takes any value that is no object and no list.
func (s *Scalar) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*s = Scalar(text)
		return nil
	}
	if bytes.ContainsAny(b, "{[") {
		return errors.New("want a number or a string")
	}
	*s = Scalar(b)
	return nil
}

// Milliseconds reads s as a time in Unix milliseconds; fallback where it is none.
func (s Scalar) Milliseconds(fallback time.Time) time.Time {
	ms, err := strconv.ParseInt(string(s), 10, 64)
	if err != nil || ms <= 0 {
		return fallback
	}
	return time.UnixMilli(ms)
}

// EncodeJSON writes v with < > & as they are: escaped, each would take six bytes of a platform's limit. v must be encodable.
func EncodeJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
