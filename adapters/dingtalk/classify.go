package dingtalk

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
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
	codeBadAnswer     = "bad_answer"     // 2xx, but not the platform's JSON
	codeBlocked       = "address_banned" // the gateway's block page
	codeNotSent       = "not_sent"       // the context was over before the request
	codeNoCredentials = "no_credentials"
	codeBadChannel    = "bad_channel"
	codeInvalidStaff  = "invalidStaffIdList"
	codeFlowControl   = "flowControlledStaffIdList"
)

// verdicts is the one table of all codes: errcode of the oapi family and code of the v1.0 family, the latter in lower case. A code
// that ends in * stands for all that begin so. Source: open.dingtalk.com, server-api-error-codes-1 (2026-05-06) and the error
// tables of each API, read 2026-11; codes seen in the field only are marked.
var verdicts = []struct {
	codes string
	verdict
}{
	{"-1 15 88 system.error system.busy servicebusy serviceunavailable",
		verdict{fault: bot.Retryable, scope: bot.ScopeMessage}},
	{"service.timeout unknown.send.result",
		verdict{fault: bot.Retryable, scope: bot.ScopeMessage, maybe: true}},

	{"90018 90002 forbidden.accessdenied.qpslimitforappkeyandapi forbidden.accessdenied.qpslimitforapi qps.exceed.limit request.overlimit",
		verdict{fault: bot.RateLimited, scope: bot.ScopeWorkspace, after: secondBlock}},
	{"forbidden.accessdenied.qpmlimitforappkeyandapi forbidden.accessdenied.qpmlimitforapi send.too.fast too.many.group too.many.people",
		verdict{fault: bot.RateLimited, scope: bot.ScopeWorkspace, after: minuteBlock}},
	{"1301* 410100 send.bytoken.toofast", // 1301xx: field
		verdict{fault: bot.RateLimited, scope: bot.ScopeChannel, after: robotBlock}},

	{"90020 forbidden.accessdenied.apicountlimitfororg daily.call.limit 20001",
		verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace,
			hint: "the organisation's monthly quota of calls is used up: buy more, wait for the next month, or move digests to group robots"}},
	{"invalidauthentication invalidaccesstoken invalidparameter.token.invalid 40014 40001 42001 41001",
		verdict{fault: bot.Retryable, scope: bot.ScopeWorkspace, token: true}},
	{"invalidclientidorsecret authfailed",
		verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace, hint: "check adapters.dingtalk.client_id and client_secret"}},
	{"forbidden.accessdenied.accesstokenpermissiondenied",
		verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace, hint: "grant the app this permission in the developer console"}},
	{"forbidden.accessdenied.ipnotinwhitelist",
		verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace, hint: "add this machine's address to the app's list of server addresses"}},
	{"invalidparameter.robotcode.* 90004",
		verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace, hint: "check adapters.dingtalk.robot_code and that the app is published"}},

	{"310000 keywords.not.match sign.not.match ip.not.match",
		verdict{fault: bot.Permanent, scope: bot.ScopeChannel, hint: "the robot's security settings refuse this post"}},
	{"400013 400106 400102 400101 300001 300005 " + // 300001, 300005: field
		"group.disbanded invalid.openconversationid chat.notexist bot.stopped chatbotnotinstall resource.not.found resource.unavailable " +
		"token.notexisted staffid.notexisted robot.oto.notexist conversation.org.notmatch",
		verdict{fault: bot.Permanent, scope: bot.ScopeChannel, hint: "the group, its robot or the person is gone, or the robot is stopped"}},
	{"session.notexisted session.expired",
		verdict{fault: bot.Permanent, scope: bot.ScopeChannel, hint: "this reply address is over"}},
	{"bot.forbidden.sendmessage send.forbidden chatbotid.notallow.sendoto",
		verdict{fault: bot.Permanent, scope: bot.ScopeChannel, hint: "the robot is muted there"}},

	{"430101 430102 430103 430104 contain.unsafe.url contain.notallowed.*",
		verdict{fault: bot.Permanent, scope: bot.ScopeMessage, hint: "content review refused a link or a text"}},
	{"460101 101002 invalidparameter.msgparam.toolong",
		verdict{fault: bot.Permanent, scope: bot.ScopeMessage, hint: "the post is too long"}},
	{"40035 43004 43005 400105 miss.param.* invalidparameter.msgkey.* invalidparameter.msgparam.invalid",
		verdict{fault: bot.Permanent, scope: bot.ScopeMessage, hint: "the platform does not understand the post"}},
}

// securityHints tells the cases of 310000 apart, which only its text does.
var securityHints = []struct {
	words string // any of them, separated by |
	verdict
}{
	{"timestamp", verdict{fault: bot.Retryable, scope: bot.ScopeChannel, hint: "check this machine's clock"}},
	{"keyword|关键词", verdict{fault: bot.Permanent, scope: bot.ScopeChannel,
		hint: "a post must hold one of the robot's keywords: switch its security setting to 加签 (signature)"}},
	{"sign|签名", verdict{fault: bot.Permanent, scope: bot.ScopeChannel, hint: "the channel's secret is not the robot's 加签 secret (SEC…)"}},
	{"whitelist|white list|白名单|ip地址", verdict{fault: bot.Permanent, scope: bot.ScopeChannel, hint: "add this machine's address to the robot's list"}},
}

var exactVerdicts, prefixVerdicts = indexVerdicts()

func indexVerdicts() (exact, prefix map[string]verdict) {
	exact, prefix = map[string]verdict{}, map[string]verdict{}
	for _, row := range verdicts {
		for code := range strings.FieldsSeq(row.codes) {
			if head, ok := strings.CutSuffix(code, "*"); ok {
				prefix[head] = row.verdict
			} else {
				exact[code] = row.verdict
			}
		}
	}
	return exact, prefix
}

func lookup(code string) (verdict, bool) {
	code = strings.ToLower(code)
	if v, ok := exactVerdicts[code]; ok {
		return v, true
	}
	for head, v := range prefixVerdicts {
		if strings.HasPrefix(code, head) {
			return v, true
		}
	}
	return verdict{}, false
}

// answer is what either family answers, and the gateway when it blocks.
type answer struct {
	ErrCode   scalar `json:"errcode"`
	ErrMsg    string `json:"errmsg"`
	SubCode   scalar `json:"sub_code"`
	SubMsg    string `json:"sub_msg"`
	Code      scalar `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"requestid"`
	Denied    struct {
		RequiredScopes []string `json:"requiredScopes"`
	} `json:"accessdenieddetail"`
	Punish string `json:"punish"`
	Status scalar `json:"status"`

	AccessToken     string   `json:"accessToken"`
	ExpireIn        int64    `json:"expireIn"`
	Endpoint        string   `json:"endpoint"`
	Ticket          string   `json:"ticket"`
	ProcessQueryKey string   `json:"processQueryKey"`
	InvalidStaff    []string `json:"invalidStaffIdList"`
	FlowControlled  []string `json:"flowControlledStaffIdList"`
}

// scalar is a value that the platform writes as a number here and as a string there.
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

// judge reads an answer. fault is nil when the platform accepted; done says whether a 2xx answer is one of acceptance.
func (r reply) judge(done func(answer) bool) (ans answer, fault *judged) {
	if err := json.Unmarshal(r.body, &ans); err != nil {
		return ans, r.unreadable()
	}
	switch code := ans.code(); {
	case ans.Punish == "deny" || ans.Status == "1111":
		return ans, banned()
	case code != "":
		return ans, r.refused(ans, code)
	case r.status/100 != 2 || !done(ans):
		return ans, r.unreadable()
	}
	return ans, nil
}

// code is what went wrong, "" when nothing is said to be.
func (a answer) code() string {
	if a.ErrCode != "" && a.ErrCode != "0" {
		return string(a.ErrCode)
	}
	if a.ErrCode == "" && a.Code != "0" {
		return string(a.Code)
	}
	return ""
}

// refused is the fault of an answer with a code.
func (r reply) refused(ans answer, code string) *judged {
	v, known := lookup(code)
	switch {
	case code == "88" && ans.SubCode != "": // the old gateway: what is wrong stands in sub_code, mostly the token
		code = string(ans.SubCode)
		if v, known = lookup(code); !known {
			v = verdict{fault: bot.Retryable, scope: bot.ScopeWorkspace, token: true}
		}
	case code == "310000":
		v = securityVerdict(ans.ErrMsg)
	case !known:
		v = statusVerdict(r.status)
	}
	text := cmp.Or(ans.ErrMsg, ans.Message, ans.SubMsg)
	if scopes := ans.Denied.RequiredScopes; len(scopes) > 0 {
		text += ", required: " + strings.Join(scopes, " ")
	}
	if ans.RequestID != "" {
		text += ", request " + ans.RequestID
	}
	return v.fail(r.clean(code), r.clean(text), max(v.after, apihttp.RetryAfter(r.header, r.now)))
}

func securityVerdict(errmsg string) verdict {
	for _, row := range securityHints {
		for word := range strings.SplitSeq(row.words, "|") {
			if strings.Contains(strings.ToLower(errmsg), word) {
				return row.verdict
			}
		}
	}
	v, _ := lookup("310000")
	return v
}

// statusVerdict is for answers whose code says nothing to us. Unknown codes are tried again; the outbox counts how often.
func statusVerdict(status int) verdict {
	v := verdict{fault: bot.Retryable, scope: bot.ScopeMessage}
	switch status {
	case http.StatusTooManyRequests:
		v.fault, v.scope, v.after = bot.RateLimited, bot.ScopeWorkspace, secondBlock
	case http.StatusGatewayTimeout:
		v.maybe = true
	}
	return v
}

// unreadable is the fault of an answer that is not the platform's JSON, or JSON that says nothing.
func (r reply) unreadable() *judged {
	html := bytes.HasPrefix(bytes.TrimSpace(r.body), []byte("<"))
	ok, refused := r.status/100 == 2, r.status/100 == 4 && r.status != http.StatusTooManyRequests
	switch {
	case html && (ok || refused):
		return banned()
	case ok:
		v := verdict{fault: bot.Retryable, scope: bot.ScopeMessage, maybe: true}
		return v.fail(codeBadAnswer, fmt.Sprintf("HTTP %d without a readable answer", r.status), 0)
	}
	v := statusVerdict(r.status)
	return v.fail(fmt.Sprintf("http_%d", r.status), "no readable answer", max(v.after, apihttp.RetryAfter(r.header, r.now)))
}

func banned() *judged {
	v := verdict{fault: bot.RateLimited, scope: bot.ScopeWorkspace, hint: "this machine's address made too many requests and is blocked for 5 minutes"}
	return v.fail(codeBlocked, "blocked by the gateway", addressBlock)
}

// fail is the error of a verdict. code and text hold no secret.
func (v verdict) fail(code, text string, after time.Duration) *judged {
	if v.hint != "" {
		text += ": " + v.hint
	}
	if v.fault != bot.RateLimited {
		after = 0
	}
	err := fmt.Errorf("dingtalk answered %s: %s", code, text)
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
