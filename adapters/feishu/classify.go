package feishu

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Codes of our own, where the platform gives none.
const (
	codeNoCredentials = "no_credentials"
	codeBadChannel    = "bad_channel"
)

// verdicts is the one table of all codes. Source: open.feishu.cn, im-v1/message/create, im-v1/message/reply, generic-error-code and
// 自定义机器人使用指南, read 2026-11; codes seen in the field only are marked.
var verdicts = []struct {
	codes string
	apihttp.Verdict
}{
	{"2200 5000 55001", apihttp.Verdict{Fault: bot.Retryable, Scope: bot.ScopeMessage}},
	{"230049", apihttp.Verdict{Fault: bot.Retryable, Scope: bot.ScopeMessage, Maybe: true}}, // the same uuid is being sent

	{"11232", apihttp.Verdict{Fault: bot.RateLimited, Scope: bot.ScopeChannel, After: hookBlock}},
	{"230020", apihttp.Verdict{Fault: bot.RateLimited, Scope: bot.ScopeChannel, After: chatBlock}},
	{"99991400", apihttp.Verdict{Fault: bot.RateLimited, Scope: bot.ScopeWorkspace, After: appBlock}},

	{"99991661 99991663 99991664 99991665 99991668 99991671 99991677", apihttp.Verdict{Fault: bot.Retryable, Scope: bot.ScopeWorkspace, Token: true}},
	{"10003 10005 10012 10013 10014 10015 99991543", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeWorkspace,
		Hint: "check adapters.feishu.app_id and app_secret"}},
	{"99991662 99991673 232034", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Hint: "the app is stopped or not installed: enable it in the admin console"}},
	{"230006 232025", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Hint: "add the bot ability to the app and publish a version"}},
	{"230027 99991672 99991676", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeWorkspace,
		Hint: "grant the app im:message:send_as_bot in the developer console and publish a version"}},
	{"99991401", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Hint: "add this machine's address to the app's list of addresses"}},
	{"99991403 90003087 90003088", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeWorkspace,
		Hint: "the organisation's monthly quota of calls is used up: upgrade, wait for the next month, or move digests to custom bots"}},
	{"230036", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Hint: "the organisation deleted its encryption key"}},

	{"19001", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Hint: "the custom bot is gone, or its URL is not whole"}},
	{"19021", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Act: bot.AskSettings, Hint: "the channel's secret is not the custom bot's 签名校验 secret, or this machine's clock is wrong"}},
	{"19022", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Act: bot.AskSettings, Hint: "add this machine's address to the custom bot's list"}},
	{"19024", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Act: bot.AskSettings,
		Hint: "a post must hold one of the custom bot's keywords: switch its security setting to 签名校验 (signature)"}},
	{"230002 10002", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Act: bot.AskInvite, Hint: "the bot is not in this chat: add it to the group"}},
	{"230018 230035", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Act: bot.AskAllow, Hint: "the group's settings do not let the bot speak"}},
	{"230013 230029 230034 230038 230053 232006 232009 232010 99992351 99992355 99992356 99992361",
		apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeChannel, Hint: "the chat or the person is gone, or the app is not available to them"}},

	{"230022 230028", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeMessage, Hint: "content review refused the post"}},
	{"230025 19036", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeMessage, Hint: "the post is too long"}}, // 19036: field
	{"230011 230019 230050 230110 230111", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeMessage, Hint: "the message to answer is gone"}},
	{"4000 9499 10001 19002 230001 230054 230055 230099 11310 99992402", apihttp.Verdict{Fault: bot.Permanent, Scope: bot.ScopeMessage,
		Hint: "the platform does not understand the post"}},
}

// badReceiver tells one case of 230001 apart, which only its text does.
const badReceiver = "receive_id"

var verdictOf = indexVerdicts()

func indexVerdicts() map[string]apihttp.Verdict {
	index := map[string]apihttp.Verdict{}
	for _, row := range verdicts {
		for code := range strings.FieldsSeq(row.codes) {
			index[code] = row.Verdict
		}
	}
	return index
}

// answer is what every call answers, and a custom bot in an older form besides.
type answer struct {
	Code       apihttp.Scalar `json:"code"`
	Msg        string         `json:"msg"`
	StatusCode apihttp.Scalar `json:"StatusCode"`
	StatusMsg  string         `json:"StatusMessage"`
	Error      struct {
		LogID string `json:"log_id"`
	} `json:"error"`

	Token  string `json:"tenant_access_token"`
	Expire int64  `json:"expire"` // seconds
	Data   struct {
		MessageID string       `json:"message_id"`
		ImageKey  string       `json:"image_key"`
		URL       string       `json:"URL"` // of the long connection
		Config    clientConfig `json:"ClientConfig"`
	} `json:"data"`
}

// code is "0" for success, "" when nothing is said.
func (a answer) code() string { return cmp.Or(string(a.Code), string(a.StatusCode)) }

// reply is one HTTP answer to be read.
type reply struct {
	status  int
	header  http.Header
	body    []byte
	now     time.Time
	secrets []string // what the platform was sent, and may repeat
}

// judge reads an answer. fault is nil when the platform accepted; done says whether a 2xx answer with code 0 is one of acceptance.
func (r reply) judge(done func(answer) bool) (ans answer, fault *apihttp.Judged) {
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
func (r reply) refused(ans answer, code string) *apihttp.Judged {
	text := cmp.Or(ans.Msg, ans.StatusMsg)
	v, known := verdictOf[code]
	switch {
	case !known:
		v = apihttp.UnknownVerdict(r.status, appBlock)
	case code == "230001" && strings.Contains(text, badReceiver):
		v = verdictOf["230034"]
	}
	if ans.Error.LogID != "" {
		text += ", log " + ans.Error.LogID
	}
	return v.Fail(Name, apihttp.Excerpt([]byte(code), r.secrets...), apihttp.Excerpt([]byte(text), r.secrets...), r.wait(v))
}

// wait is how long v lasts: what the platform names, else what is known. Source: open.feishu.cn, 频控策略 (uUzN04SN3QjL1cDN), read 2026-11.
func (r reply) wait(v apihttp.Verdict) time.Duration {
	if seconds, err := strconv.Atoi(r.header.Get("x-ogw-ratelimit-reset")); err == nil && seconds > 0 {
		return min(time.Duration(min(seconds, int(maxReset.Seconds())))*time.Second, maxReset)
	}
	return max(v.After, apihttp.RetryAfter(r.header, r.now))
}

// unreadable is the fault of an answer that is not the platform's JSON, or JSON that says nothing.
func (r reply) unreadable() *apihttp.Judged {
	if r.status/100 == 2 {
		v := apihttp.Verdict{Fault: bot.Retryable, Scope: bot.ScopeMessage, Maybe: true}
		return v.Fail(Name, apihttp.CodeBadAnswer, fmt.Sprintf("HTTP %d without a readable answer", r.status), 0)
	}
	v := apihttp.StatusVerdict(r.status, appBlock)
	return v.Fail(Name, fmt.Sprintf("http_%d", r.status), "no readable answer", r.wait(v))
}
