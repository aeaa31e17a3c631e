package feishu

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// verdict is what one code of the platform means for the outbox.
type verdict struct {
	fault bot.Fault
	scope bot.Scope
	after time.Duration // RateLimited only
	maybe bool          // the post may have been shown all the same
	token bool          // the access token is no longer good
	hint  string        // what an operator can do
}

// Codes of our own, where the platform gives none.
const (
	codeBadAnswer     = "bad_answer" // 2xx, but not the platform's JSON
	codeNotSent       = "not_sent"   // the context was over before the request
	codeNoCredentials = "no_credentials"
	codeBadChannel    = "bad_channel"
)

// verdicts is the one table of all codes. Source: open.feishu.cn, im-v1/message/create, im-v1/message/reply, generic-error-code and
// 自定义机器人使用指南, read 2026-11; codes seen in the field only are marked.
var verdicts = []struct {
	codes string
	verdict
}{
	{"2200 5000 55001", verdict{fault: bot.Retryable, scope: bot.ScopeMessage}},
	{"230049", verdict{fault: bot.Retryable, scope: bot.ScopeMessage, maybe: true}}, // the same uuid is being sent

	{"11232", verdict{fault: bot.RateLimited, scope: bot.ScopeChannel, after: hookBlock}},
	{"230020", verdict{fault: bot.RateLimited, scope: bot.ScopeChannel, after: chatBlock}},
	{"99991400", verdict{fault: bot.RateLimited, scope: bot.ScopeWorkspace, after: appBlock}},

	{"99991661 99991663 99991664 99991665 99991668 99991671 99991677", verdict{fault: bot.Retryable, scope: bot.ScopeWorkspace, token: true}},
	{"10003 10005 10012 10013 10014 10015 99991543", verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace,
		hint: "check adapters.feishu.app_id and app_secret"}},
	{"99991662 99991673 232034", verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace, hint: "the app is stopped or not installed: enable it in the admin console"}},
	{"230006 232025", verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace, hint: "add the bot ability to the app and publish a version"}},
	{"230027 99991672 99991676", verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace,
		hint: "grant the app im:message:send_as_bot in the developer console and publish a version"}},
	{"99991401", verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace, hint: "add this machine's address to the app's list of addresses"}},
	{"99991403 90003087 90003088", verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace,
		hint: "the organisation's monthly quota of calls is used up: upgrade, wait for the next month, or move digests to custom bots"}},
	{"230036", verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace, hint: "the organisation deleted its encryption key"}},

	{"19001", verdict{fault: bot.Permanent, scope: bot.ScopeChannel, hint: "the custom bot is gone, or its URL is not whole"}},
	{"19021", verdict{fault: bot.Permanent, scope: bot.ScopeChannel, hint: "the channel's secret is not the custom bot's 签名校验 secret, or this machine's clock is wrong"}},
	{"19022", verdict{fault: bot.Permanent, scope: bot.ScopeChannel, hint: "add this machine's address to the custom bot's list"}},
	{"19024", verdict{fault: bot.Permanent, scope: bot.ScopeChannel,
		hint: "a post must hold one of the custom bot's keywords: switch its security setting to 签名校验 (signature)"}},
	{"230002 10002", verdict{fault: bot.Permanent, scope: bot.ScopeChannel, hint: "the bot is not in this chat: add it to the group"}},
	{"230018 230035", verdict{fault: bot.Permanent, scope: bot.ScopeChannel, hint: "the group's settings do not let the bot speak"}},
	{"230013 230029 230034 230038 230053 232006 232009 232010 99992351 99992355 99992356 99992361",
		verdict{fault: bot.Permanent, scope: bot.ScopeChannel, hint: "the chat or the person is gone, or the app is not available to them"}},

	{"230022 230028", verdict{fault: bot.Permanent, scope: bot.ScopeMessage, hint: "content review refused the post"}},
	{"230025 19036", verdict{fault: bot.Permanent, scope: bot.ScopeMessage, hint: "the post is too long"}}, // 19036: field
	{"230011 230019 230050 230110 230111", verdict{fault: bot.Permanent, scope: bot.ScopeMessage, hint: "the message to answer is gone"}},
	{"4000 9499 10001 19002 230001 230054 230055 230099 11310 99992402", verdict{fault: bot.Permanent, scope: bot.ScopeMessage,
		hint: "the platform does not understand the post"}},
}

// badReceiver tells one case of 230001 apart, which only its text does.
const badReceiver = "receive_id"

var verdictOf = indexVerdicts()

func indexVerdicts() map[string]verdict {
	index := map[string]verdict{}
	for _, row := range verdicts {
		for code := range strings.FieldsSeq(row.codes) {
			index[code] = row.verdict
		}
	}
	return index
}

// answer is what every call answers, and a custom bot in an older form besides.
type answer struct {
	Code       scalar `json:"code"`
	Msg        string `json:"msg"`
	StatusCode scalar `json:"StatusCode"`
	StatusMsg  string `json:"StatusMessage"`
	Error      struct {
		LogID string `json:"log_id"`
	} `json:"error"`

	Token  string `json:"tenant_access_token"`
	Expire int64  `json:"expire"` // seconds
	Data   struct {
		MessageID string       `json:"message_id"`
		URL       string       `json:"URL"` // of the long connection
		Config    clientConfig `json:"ClientConfig"`
	} `json:"data"`
}

// code is "0" for success, "" when nothing is said.
func (a answer) code() string { return cmp.Or(string(a.Code), string(a.StatusCode)) }

// scalar is a value that is a number here and a string there.
type scalar string

func (s *scalar) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		*s = scalar(text)
		return nil
	}
	if bytes.ContainsAny(b, "{[") {
		return errors.New("want a number or a string")
	}
	*s = scalar(b)
	return nil
}

// judged is an error of the platform's, with what the client must know besides.
type judged struct {
	*bot.SendError
	token bool // drop the access token
}

// reply is one HTTP answer to be read.
type reply struct {
	status  int
	header  http.Header
	body    []byte
	now     time.Time
	secrets []string // what the platform was sent, and may repeat
}

// judge reads an answer. fault is nil when the platform accepted; done says whether a 2xx answer with code 0 is one of acceptance.
func (r reply) judge(done func(answer) bool) (ans answer, fault *judged) {
	if err := json.Unmarshal(r.body, &ans); err != nil {
		return ans, r.unreadable()
	}
	switch code := ans.code(); {
	case code != "" && code != "0":
		return ans, r.refused(ans, code)
	case code == "" || r.status/100 != 2 || !done(ans):
		return ans, r.unreadable()
	}
	return ans, nil
}

// refused is the fault of an answer with a code.
func (r reply) refused(ans answer, code string) *judged {
	text := cmp.Or(ans.Msg, ans.StatusMsg)
	v, known := verdictOf[code]
	switch {
	case !known:
		v = statusVerdict(r.status)
	case code == "230001" && strings.Contains(text, badReceiver):
		v = verdictOf["230034"]
	}
	if ans.Error.LogID != "" {
		text += ", log " + ans.Error.LogID
	}
	return v.fail(r.clean(code), r.clean(text), r.wait(v))
}

// statusVerdict is for answers whose code says nothing to us. Unknown codes are tried again; the outbox counts how often.
func statusVerdict(status int) verdict {
	v := verdict{fault: bot.Retryable, scope: bot.ScopeMessage}
	switch status {
	case http.StatusTooManyRequests:
		v.fault, v.scope, v.after = bot.RateLimited, bot.ScopeWorkspace, appBlock
	case http.StatusGatewayTimeout:
		v.maybe = true
	}
	return v
}

// wait is how long v lasts: what the platform names, else what is known. Source: open.feishu.cn, 频控策略 (uUzN04SN3QjL1cDN), read 2026-11.
func (r reply) wait(v verdict) time.Duration {
	if seconds, err := strconv.Atoi(r.header.Get("x-ogw-ratelimit-reset")); err == nil && seconds > 0 {
		return min(time.Duration(min(seconds, int(maxReset.Seconds())))*time.Second, maxReset)
	}
	return max(v.after, apihttp.RetryAfter(r.header, r.now))
}

// unreadable is the fault of an answer that is not the platform's JSON, or JSON that says nothing.
func (r reply) unreadable() *judged {
	if r.status/100 == 2 {
		v := verdict{fault: bot.Retryable, scope: bot.ScopeMessage, maybe: true}
		return v.fail(codeBadAnswer, fmt.Sprintf("HTTP %d without a readable answer", r.status), 0)
	}
	v := statusVerdict(r.status)
	return v.fail(fmt.Sprintf("http_%d", r.status), "no readable answer", r.wait(v))
}

// fail is the error of a verdict. code and text hold no secret.
func (v verdict) fail(code, text string, after time.Duration) *judged {
	if v.hint != "" {
		text += ": " + v.hint
	}
	if v.fault != bot.RateLimited {
		after = 0
	}
	err := fmt.Errorf("feishu answered %s: %s", code, text)
	return &judged{&bot.SendError{Fault: v.fault, Scope: v.scope, Code: code, RetryAfter: after, MaybeSent: v.maybe, Err: err}, v.token}
}

// maxWordsRunes is the most of the platform's own words that an error repeats, in code points.
const maxWordsRunes = 300

// clean is the platform's words, safe for logs and metrics.
func (r reply) clean(s string) string {
	return shortened(apihttp.CleanText(apihttp.Redact(errors.New(s), r.secrets...).Error()), maxWordsRunes)
}

// local is a fault found here, before anything was sent.
func local(fault bot.Fault, scope bot.Scope, code string, err error) *bot.SendError {
	return &bot.SendError{Fault: fault, Scope: scope, Code: code, Err: err}
}
