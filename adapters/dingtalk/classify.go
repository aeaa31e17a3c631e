package dingtalk

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Codes of our own, where the platform gives none.
const (
	codeBlocked       = "address_banned" // the gateway's block page
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
	apihttp.Verdict
}{
	{"-1 15 88 system.error system.busy servicebusy serviceunavailable",
		apihttp.Verdict{Fault: bot.Retryable, Scope: bot.ScopeMessage}},
	{"service.timeout unknown.send.result",
		apihttp.Verdict{Fault: bot.Retryable, Scope: bot.ScopeMessage, Maybe: true}},

	{"90018 90002 forbidden.accessdenied.qpslimitforappkeyandapi forbidden.accessdenied.qpslimitforapi qps.exceed.limit request.overlimit",
		apihttp.Verdict{Fault: bot.RateLimited, Scope: bot.ScopeWorkspace, After: secondBlock}},
	{"forbidden.accessdenied.qpmlimitforappkeyandapi forbidden.accessdenied.qpmlimitforapi send.too.fast too.many.group too.many.people",
		apihttp.Verdict{Fault: bot.RateLimited, Scope: bot.ScopeWorkspace, After: minuteBlock}},
	{"1301* 410100 send.bytoken.toofast", // 1301xx: field
		apihttp.Verdict{Fault: bot.RateLimited, Scope: bot.ScopeChannel, After: robotBlock}},

	{"90020 forbidden.accessdenied.apicountlimitfororg daily.call.limit 20001",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeWorkspace,
			Hint: "the organisation's monthly quota of calls is used up: buy more, wait for the next month, or move digests to group robots"}},
	{"invalidauthentication invalidaccesstoken invalidparameter.token.invalid 40014 40001 42001 41001",
		apihttp.Verdict{Fault: bot.Retryable, Scope: bot.ScopeWorkspace, Token: true}},
	{"invalidclientidorsecret authfailed",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Hint: "check adapters.dingtalk.client_id and client_secret"}},
	{"forbidden.accessdenied.accesstokenpermissiondenied",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Hint: "grant the app this permission in the developer console"}},
	{"forbidden.accessdenied.ipnotinwhitelist",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Hint: "add this machine's address to the app's list of server addresses"}},
	{"invalidparameter.robotcode.* 90004",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Hint: "check adapters.dingtalk.robot_code and that the app is published"}},

	{"310000 keywords.not.match sign.not.match ip.not.match",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Act: bot.AskSettings, Hint: "the robot's security settings refuse this post"}},
	{"400102 bot.stopped chatbotnotinstall",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Act: bot.AskInvite, Hint: "the robot is stopped, or not in the group: add it again"}},
	{"400013 400106 400101 300001 300005 " + // 300001, 300005: field
		"group.disbanded invalid.openconversationid chat.notexist resource.not.found resource.unavailable " +
		"token.notexisted staffid.notexisted robot.oto.notexist conversation.org.notmatch",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Hint: "the group, its robot or the person is gone"}},
	{"session.notexisted session.expired",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Hint: "this reply address is over"}},
	{"bot.forbidden.sendmessage send.forbidden chatbotid.notallow.sendoto",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Act: bot.AskAllow, Hint: "the robot is muted there"}},

	{"430101 430102 430103 430104 contain.unsafe.url contain.notallowed.*",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeMessage, Hint: "content review refused a link or a text"}},
	{"460101 101002 invalidparameter.msgparam.toolong",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeMessage, Hint: "the post is too long"}},
	{"40035 43004 43005 400105 miss.param.* invalidparameter.msgkey.* invalidparameter.msgparam.invalid",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeMessage, Hint: "the platform does not understand the post"}},
}

// securityHints tells the cases of 310000 apart, which only its text does.
var securityHints = []struct {
	words string // any of them, separated by |
	apihttp.Verdict
}{
	{"timestamp", apihttp.Verdict{Fault: bot.Retryable, Scope: bot.ScopeChannel, Hint: "check this machine's clock"}},
	{"keyword|关键词", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Act: bot.AskSettings,
		Hint: "a post must hold one of the robot's keywords: switch its security setting to 加签 (signature)"}},
	{"sign|签名", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Act: bot.AskSettings, Hint: "the channel's secret is not the robot's 加签 secret (SEC…)"}},
	{"whitelist|white list|白名单|ip地址", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Act: bot.AskSettings, Hint: "add this machine's address to the robot's list"}},
}

var exactVerdicts, prefixVerdicts = indexVerdicts()

func indexVerdicts() (exact, prefix map[string]apihttp.Verdict) {
	exact, prefix = map[string]apihttp.Verdict{}, map[string]apihttp.Verdict{}
	for _, row := range verdicts {
		for code := range strings.FieldsSeq(row.codes) {
			if head, ok := strings.CutSuffix(code, "*"); ok {
				prefix[head] = row.Verdict
			} else {
				exact[code] = row.Verdict
			}
		}
	}
	return exact, prefix
}

func lookup(code string) (apihttp.Verdict, bool) {
	code = strings.ToLower(code)
	if v, ok := exactVerdicts[code]; ok {
		return v, true
	}
	for head, v := range prefixVerdicts {
		if strings.HasPrefix(code, head) {
			return v, true
		}
	}
	return apihttp.Verdict{}, false
}

// answer is what either family answers, and the gateway when it blocks.
type answer struct {
	ErrCode   apihttp.Scalar `json:"errcode"`
	ErrMsg    string         `json:"errmsg"`
	SubCode   apihttp.Scalar `json:"sub_code"`
	SubMsg    string         `json:"sub_msg"`
	Code      apihttp.Scalar `json:"code"`
	Message   string         `json:"message"`
	RequestID string         `json:"requestid"`
	Denied    struct {
		RequiredScopes []string `json:"requiredScopes"`
	} `json:"accessdenieddetail"`
	Punish string         `json:"punish"`
	Status apihttp.Scalar `json:"status"`

	AccessToken     string   `json:"accessToken"`
	ExpireIn        int64    `json:"expireIn"`
	Endpoint        string   `json:"endpoint"`
	Ticket          string   `json:"ticket"`
	ProcessQueryKey string   `json:"processQueryKey"`
	InvalidStaff    []string `json:"invalidStaffIdList"`
	FlowControlled  []string `json:"flowControlledStaffIdList"`

	Recalled    []string        `json:"successResult"` // keys
	MediaID     string          `json:"media_id"`
	NotRecalled json.RawMessage `json:"failedResult"` // why, by key
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
func (r reply) judge(done func(answer) bool) (ans answer, fault *apihttp.Judged) {
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
func (r reply) refused(ans answer, code string) *apihttp.Judged {
	v, known := lookup(code)
	switch {
	case code == "88" && ans.SubCode != "": // the old gateway: what is wrong stands in sub_code, mostly the token
		code = string(ans.SubCode)
		if v, known = lookup(code); !known {
			v = apihttp.Verdict{Fault: bot.Retryable, Scope: bot.ScopeWorkspace, Token: true}
		}
	case code == "310000":
		v = securityVerdict(ans.ErrMsg)
	case !known:
		v = apihttp.UnknownVerdict(r.status, secondBlock)
	}
	text := cmp.Or(ans.ErrMsg, ans.Message, ans.SubMsg)
	if scopes := ans.Denied.RequiredScopes; len(scopes) > 0 {
		text += ", required: " + strings.Join(scopes, " ")
	}
	if ans.RequestID != "" {
		text += ", request " + ans.RequestID
	}
	return v.Fail(Name, apihttp.Excerpt([]byte(code), r.secrets...), apihttp.Excerpt([]byte(text), r.secrets...), max(v.After, apihttp.RetryAfter(r.header, r.now)))
}

func securityVerdict(errmsg string) apihttp.Verdict {
	for _, row := range securityHints {
		for word := range strings.SplitSeq(row.words, "|") {
			if strings.Contains(strings.ToLower(errmsg), word) {
				return row.Verdict
			}
		}
	}
	v, _ := lookup("310000")
	return v
}

// unreadable is the fault of an answer that is not the platform's JSON, or JSON that says nothing.
func (r reply) unreadable() *apihttp.Judged {
	html := bytes.HasPrefix(bytes.TrimSpace(r.body), []byte("<"))
	ok, refused := r.status/100 == 2, r.status/100 == 4 && r.status != http.StatusTooManyRequests
	switch {
	case html && (ok || refused):
		return banned()
	case ok:
		v := apihttp.Verdict{Fault: bot.Retryable, Scope: bot.ScopeMessage, Maybe: true}
		return v.Fail(Name, apihttp.CodeBadAnswer, fmt.Sprintf("HTTP %d without a readable answer", r.status), 0)
	}
	v := apihttp.StatusVerdict(r.status, secondBlock)
	return v.Fail(Name, fmt.Sprintf("http_%d", r.status), "no readable answer", max(v.After, apihttp.RetryAfter(r.header, r.now)))
}

func banned() *apihttp.Judged {
	v := apihttp.Verdict{Fault: bot.RateLimited, Scope: bot.ScopeWorkspace, Act: bot.ActAll, Hint: "this machine's address made too many requests and is blocked for 5 minutes"}
	return v.Fail(Name, codeBlocked, "blocked by the gateway", addressBlock)
}
