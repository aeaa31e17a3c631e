package wecom

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// class is what a group of WeCom's error codes asks for.
type class struct {
	fault  bot.Fault
	scope  bot.Scope
	hint   string // what the operator can do; "" = nothing
	action bot.Action
}

var (
	busy       = class{fault: bot.Retryable, scope: bot.ScopeMessage}
	limited    = class{fault: bot.RateLimited, scope: bot.ScopeMessage}
	staleToken = class{fault: bot.Retryable, scope: bot.ScopeMessage, hint: "the access token was refused; a new one is fetched"}
	ours       = class{fault: bot.Permanent, scope: bot.ScopeMessage}
	spam       = class{fault: bot.Permanent, scope: bot.ScopeMessage, action: bot.ActDrop}
	unknown    = class{fault: bot.Retryable, scope: bot.ScopeMessage, action: bot.ActOnce}
)

// operator is what only who runs the bot can mend; zh and en say exactly how.
func operator(zh, en string) class {
	return class{bot.Permanent, bot.ScopeWorkspace, zh + " " + en, ""}
}

func target(hint string) class { return class{bot.Permanent, bot.ScopeChannel, hint, ""} }

// asks is a target that somebody there can mend.
func asks(action bot.Action, hint string) class {
	return class{bot.Permanent, bot.ScopeChannel, hint, action}
}

// Codes of an AI bot's connection (智能机器人长连接, 101463, read 2026-11).
const (
	codeUnknownReq    = 846605 // the callback that is answered is unknown, or too old
	codeStreamOver    = 846608 // a stream can be refreshed for six minutes
	codeNotSubscribed = 846609
)

// codeUntrustedIP is the refusal of a machine that is not among an app's 企业可信IP.
const codeUntrustedIP = 60020

// codes is what to do about each errcode. The text of an answer (errmsg) decides nothing: it changes and holds our IP address.
// Source: 全局错误码 developer.work.weixin.qq.com/document/path/90313 and 90455, read 2026-11.
var codes = map[int]class{
	-1:   busy, // system busy
	6000: busy, // version conflict

	codeNotSubscribed: {fault: bot.Retryable, scope: bot.ScopeMessage, hint: "the AI bot's connection was not subscribed; it connects again"},

	45009: limited, // calls of this API over the limit
	45033: limited, // too many calls at once

	40014: staleToken,
	42001: staleToken,
	41001: staleToken,

	40001: operator("Secret 不对、已重置，或应用已停用。请到 管理后台 > 应用管理 > 该应用 > Secret 重新查看，填入 adapters.wecom.apps[].secret"+
		"（智能机器人：管理后台 > 安全与管理 > 管理工具 > 智能机器人，填入 aibots[].secret），再重启机器人。",
		"The secret is wrong, was reset, or the app is stopped: admin console > 应用管理 > the app > Secret; copy it into adapters.wecom.apps[].secret "+
			"(an AI bot's: 安全与管理 > 管理工具 > 智能机器人, into aibots[].secret), then restart the bot."),
	40013: operator("企业 ID 不对。请到 管理后台 > 我的企业 > 企业信息 最下方复制企业ID，填入 adapters.wecom.apps[].corp_id，再重启机器人。",
		"The corp ID is wrong: admin console > 我的企业 > 企业信息, at the bottom; copy it into adapters.wecom.apps[].corp_id, then restart the bot."),
	40056: operator("AgentId 不对。请到 管理后台 > 应用管理 > 该应用 复制 AgentId，填入 adapters.wecom.apps[].agent_id，再重启机器人。",
		"The agent ID is wrong: admin console > 应用管理 > the app > AgentId; copy it into adapters.wecom.apps[].agent_id, then restart the bot."),
	301002: operator("Secret 是另一个应用的。请到 管理后台 > 应用管理 > 该应用，把同一页上的 AgentId 和 Secret 填入 adapters.wecom.apps[]，再重启机器人。",
		"The secret is another app's: admin console > 应用管理 > the app; copy AgentId and Secret of that one page into adapters.wecom.apps[], then restart the bot."),
	48002: operator("应用没有这个接口的权限。请到 管理后台 > 应用管理 > 该应用，检查可见范围（群聊需要包含根部门）和接口权限。",
		"The app has no permission for this call: admin console > 应用管理 > the app; check 可见范围 (app chats need the root department) and its permissions."),
	48006: operator("应用长期未使用，接口权限已被收回。请到 管理后台 > 应用管理 > 该应用，重新启用并恢复接口权限。",
		"The app was unused and lost its permissions: admin console > 应用管理 > the app; enable it and its permissions again."),
	50003: operator("应用已停用。请到 管理后台 > 应用管理 > 该应用，点击启用。",
		"The app is disabled: admin console > 应用管理 > the app > 启用 (enable)."),
	codeUntrustedIP: operator("本机的出口 IP 不在可信名单里。请到 管理后台 > 应用管理 > 该应用 > 企业可信IP > 配置，加入这个 IP，约一分钟后生效。",
		"This machine's address is not trusted: admin console > 应用管理 > the app > 企业可信IP > 配置; add the address, it takes about a minute."),
	93019: operator("机器人的 Bot ID 不对。请到 管理后台 > 安全与管理 > 管理工具 > 智能机器人 复制 Bot ID，填入 adapters.wecom.aibots[].bot_id，再重启机器人。",
		"The bot ID is wrong: admin console > 安全与管理 > 管理工具 > 智能机器人 > Bot ID; copy it into adapters.wecom.aibots[].bot_id, then restart the bot."),

	93000: asks(bot.AskInvite, "the webhook's key is wrong, or the robot was removed from the group"),
	93004: asks(bot.AskAllow, "the robot is disabled"),
	93005: asks(bot.AskAllow, "the robot may not message this member"),
	93006: asks(bot.AskSpeak, "nobody has spoken to the bot there: @ the bot once in this group, then it can post again"),
	93008: asks(bot.AskInvite, "the robot is not in the group"),
	86001: target("there is no such chat"),
	86003: target("there is no such chat"),
	86008: target("the chat was not created by this app"),
	81013: target("the app does not reach this member, department or tag: check its visible range"),
	60111: target("there is no such member"),
	46004: target("there is no such member"),
	60011: target("the app has no right to this member: check its visible range"),
	40003: target("there is no such member"),
	40031: target("there is no such member"),

	40004: ours, // media: no file of that type
	40006: ours, // media: size
	40007: ours, // media_id unknown or over
	40008: ours, // msgtype
	40009: ours, // image: size
	40032: ours, // too many receivers
	40033: ours, // \uXXXX in the request
	40035: ours, // parameter
	40058: ours, // parameter, or too long
	40063: ours, // parameter empty
	40201: spam, // taken for spam: sending the same text again makes it worse
	41016: ours, // no title
	42014: ours, // task_id
	44001: ours, // media: empty
	44004: ours, // empty text
	45002: ours, // too big
	45008: ours, // number of articles
	82001: ours, // no receiver
	82002: ours, // too many departments
	82003: ours, // too many tags
	86215: ours, // chatid exists

	codeUnknownReq: ours, // the answer goes out as a push instead
	codeStreamOver: ours, // the same

	301019: ours, // image: another MD5 than said
}

// answer is the part that all of WeCom's answers have.
type answer struct {
	ErrCode *int64 `json:"errcode"`
	ErrMsg  string `json:"errmsg"` // decides nothing
}

var callerIP = regexp.MustCompile(`from ip: ([0-9A-Fa-f.:]+)`)

// withAddress names the address that WeCom saw, which is the one to put on its list.
func (a answer) withAddress(fault *bot.SendError) *bot.SendError {
	m := callerIP.FindStringSubmatch(a.ErrMsg)
	if fault == nil || a.ErrCode == nil || *a.ErrCode != codeUntrustedIP || m == nil {
		return fault
	}
	if ip, err := netip.ParseAddr(strings.TrimRight(m[1], ".:")); err == nil {
		fault.Err = fmt.Errorf("%w IP: %s", fault.Err, ip)
	}
	return fault
}

// classify turns an HTTP exchange that brought some answer into a SendError; nil when it says errcode 0. code is that of the body, nil
// when the body is not one of WeCom's. WeCom answers 200 nearly always, so the code decides wherever there is one.
func classify(status int, header http.Header, code *int64, now time.Time) *bot.SendError {
	if code != nil && (*code != 0 || status == http.StatusOK) {
		return fromCode(*code, header, now)
	}
	fault := &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "http_" + strconv.Itoa(status)}
	fault.Err = fmt.Errorf("HTTP status %d without WeCom's errcode: check adapters.wecom.api_url and the proxy", status)
	switch {
	case status == http.StatusTooManyRequests:
		fault.Fault, fault.RetryAfter = bot.RateLimited, apihttp.RetryAfter(header, now)
	case status == http.StatusOK:
		fault.Code, fault.MaybeSent = "bad_answer", true
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		fault.MaybeSent = true // WeCom may have taken it, the gateway lost the answer
	}
	return fault
}

func fromCode(code int64, header http.Header, now time.Time) *bot.SendError {
	if code == 0 {
		return nil
	}
	c, known := codes[int(code)]
	if !known {
		c = unknown
	}
	fault := &bot.SendError{Fault: c.fault, Scope: c.scope, Action: c.action, Code: strconv.FormatInt(code, 10), Err: fmt.Errorf("WeCom answered errcode %d", code)}
	if c.hint != "" {
		fault.Err = fmt.Errorf("WeCom answered errcode %d: %s", code, c.hint)
	}
	if c.fault == bot.RateLimited {
		fault.RetryAfter = max(apihttp.RetryAfter(header, now), rateBlock)
	}
	return fault
}

// refuse is a fault of our own, found before anything left.
func refuse(scope bot.Scope, code, text string) *bot.SendError {
	return &bot.SendError{Fault: bot.Permanent, Scope: scope, Code: code, Err: errors.New(text)}
}
