package dingtalk

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// judgeCode reads an error with this code in the family that has such codes.
func judgeCode(code, text string) *apihttp.Judged {
	now := time.UnixMilli(1_700_000_000_000)
	body, status, done := fmt.Sprintf(`{"code":%q,"message":%q,"requestid":"R1"}`, code, text), 400, func(answer) bool { return false }
	if strings.Trim(code, "-0123456789") == "" {
		body, status, done = fmt.Sprintf(`{"errcode":%s,"errmsg":%q}`, code, text), 200, saysZero
	}
	_, fault := reply{status: status, header: http.Header{}, body: []byte(body), now: now}.judge(done)
	return fault
}

// Every code that the reference names, each with what the outbox is to do: written apart from the table in classify.go.
func TestEveryCode(t *testing.T) {
	type class struct {
		fault bot.Fault
		scope bot.Scope
		after time.Duration
		maybe bool
		token bool
	}
	soon := class{fault: bot.Retryable, scope: bot.ScopeMessage}
	ambiguous := class{fault: bot.Retryable, scope: bot.ScopeMessage, maybe: true}
	second := class{fault: bot.RateLimited, scope: bot.ScopeWorkspace, after: time.Second}
	minute := class{fault: bot.RateLimited, scope: bot.ScopeWorkspace, after: time.Minute}
	robot := class{fault: bot.RateLimited, scope: bot.ScopeChannel, after: 10 * time.Minute}
	workspace := class{fault: bot.Permanent, scope: bot.ScopeWorkspace}
	channel := class{fault: bot.Permanent, scope: bot.ScopeChannel}
	message := class{fault: bot.Permanent, scope: bot.ScopeMessage}
	stale := class{fault: bot.Retryable, scope: bot.ScopeWorkspace, token: true}
	for code, want := range map[string]class{
		"-1": soon, "15": soon, "88": soon, "system.error": soon, "system.busy": soon, "serviceBusy": soon,
		"service.timeout": ambiguous, "unknown.send.result": ambiguous,
		"90018": second, "90002": second, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi": second, "Forbidden.AccessDenied.QpsLimitForApi": second,
		"qps.exceed.limit": second, "request.overlimit": second, "FORBIDDEN.ACCESSDENIED.QPSLIMITFORAPI": second,
		"Forbidden.AccessDenied.QpmLimitForAppkeyAndApi": minute, "send.too.fast": minute, "too.many.group": minute, "too.many.people": minute,
		"130101": robot, "130102": robot, "410100": robot, "send.byToken.tooFast": robot,
		"90020": workspace, "Forbidden.AccessDenied.ApiCountLimitForOrg": workspace, "daily.call.limit": workspace, "20001": workspace,
		"InvalidAuthentication": stale, "invalidAccessToken": stale, "invalidParameter.token.invalid": stale,
		"40014": stale, "40001": stale, "42001": stale, "41001": stale,
		"invalidClientIdOrSecret": workspace, "authFailed": workspace, "Forbidden.AccessDenied.AccessTokenPermissionDenied": workspace,
		"Forbidden.AccessDenied.IpNotInWhiteList": workspace, "invalidParameter.robotCode.notExsit": workspace, "90004": workspace,
		"310000": channel, "keywords.not.match": channel, "sign.not.match": channel, "ip.not.match": channel,
		"400013": channel, "400106": channel, "400102": channel, "400101": channel, "300001": channel, "300005": channel,
		"group.disbanded": channel, "invalid.openConversationId": channel, "chat.notExist": channel, "bot.stopped": channel,
		"chatbotNotInstall": channel, "resource.not.found": channel, "resource.unavailable": channel, "token.notExisted": channel,
		"staffId.notExisted": channel, "robot.oto.notExist": channel, "conversation.org.notMatch": channel,
		"session.notExisted": channel, "session.expired": channel,
		"bot.forbidden.sendMessage": channel, "send.forbidden": channel, "chatbotId.notAllow.sendOTO": channel,
		"430101": message, "430102": message, "430103": message, "430104": message, "contain.unsafe.url": message, "contain.notAllowed.words": message,
		"460101": message, "101002": message, "invalidParameter.msgParam.tooLong": message,
		"40035": message, "43004": message, "43005": message, "400105": message, "miss.param.msgKey": message,
		"invalidParameter.msgKey.invalid": message, "invalidParameter.msgParam.invalid": message,
		"123456": soon, "something.new": soon,
	} {
		got := judgeCode(code, "words")
		if got == nil {
			t.Errorf("%s: taken for success", code)
			continue
		}
		if (class{got.Fault, got.Scope, got.RetryAfter, got.MaybeSent, got.Token}) != want || got.Code != code {
			t.Errorf("%s: %+v token %v, want %+v", code, *got.SendError, got.Token, want)
		}
	}
}

func TestSecuritySettingsAreToldApart(t *testing.T) {
	for _, c := range []struct {
		errmsg, hint string
		fault        bot.Fault
	}{
		{"keywords not in content, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]", "keyword", bot.Permanent},
		{"description:关键词不匹配;solution:请联系群管理员查看此机器人的关键词，并在发送的信息中包含此关键词;", "keyword", bot.Permanent},
		{"sign not match, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]", "secret", bot.Permanent},
		{"description:机器人发送签名不匹配;solution:请确认签名和生成签名的时间戳必须都放在调用的网址中;", "secret", bot.Permanent},
		{"invalid timestamp, more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]", "clock", bot.Retryable},
		{"description:机器人发送签名过期;solution:签名生成时间和发送时间请保持在timestampms以内;", "clock", bot.Retryable},
		{"ip 1.2.3.4 not in whitelist, more: [https://ding-doc.dingtalk.com/]", "address", bot.Permanent},
		{"description:something new", "security settings", bot.Permanent},
	} {
		got := judgeCode("310000", c.errmsg)
		if got.Fault != c.fault || got.Scope != bot.ScopeChannel || got.Code != "310000" || !strings.Contains(got.Err.Error(), c.hint) {
			t.Errorf("%q: %v, want %s with a hint about the %s", c.errmsg, got.SendError, c.fault, c.hint)
		}
	}
}

func TestOldGatewaySubCode(t *testing.T) {
	for _, c := range []struct {
		body  string
		code  string
		fault bot.Fault
		token bool
	}{
		{`{"errcode":88,"errmsg":"ding talk error","sub_code":"40014","sub_msg":"不合法的access_token"}`, "40014", bot.Retryable, true},
		{`{"errcode":"88","errmsg":"x","sub_code":"99999"}`, "99999", bot.Retryable, true},
		{`{"errcode":88,"errmsg":"x","sub_code":"90018"}`, "90018", bot.RateLimited, false},
		{`{"errcode":88,"errmsg":"x","sub_code":""}`, "88", bot.Retryable, false},
	} {
		_, got := reply{status: 200, body: []byte(c.body), now: time.Now()}.judge(saysZero)
		if got == nil || got.Code != c.code || got.Fault != c.fault || got.Token != c.token {
			t.Errorf("%s: %+v", c.body, got)
		}
	}
}

func TestErrorsTellTheOperator(t *testing.T) {
	body := `{"code":"Forbidden.AccessDenied.AccessTokenPermissionDenied","message":"应用尚未开通","requestid":"REQ-7","accessdenieddetail":{"requiredScopes":["qyapi_robot_sendmsg"]}}`
	_, got := reply{status: 403, body: []byte(body), now: time.Now()}.judge(saysZero)
	for _, want := range []string{"qyapi_robot_sendmsg", "REQ-7", "应用尚未开通", "developer console"} {
		if !strings.Contains(got.Error(), want) {
			t.Errorf("%q is missing in %v", want, got)
		}
	}
}

func TestRetryAfterHeader(t *testing.T) {
	h := http.Header{"Retry-After": {"7"}}
	_, got := reply{status: 429, header: h, body: []byte(`{"code":"slow","message":""}`), now: time.Now()}.judge(saysZero)
	if got.Fault != bot.RateLimited || got.RetryAfter != 7*time.Second {
		t.Errorf("429 with Retry-After 7: %+v", got.SendError)
	}
}

func FuzzJudge(f *testing.F) {
	f.Add(200, []byte(`{"errcode":0,"errmsg":"ok"}`))
	f.Add(200, []byte(`{"errcode":"130101"}`))
	f.Add(403, []byte(`{"code":"contain.notAllowed.x","accessdenieddetail":{"requiredScopes":null}}`))
	f.Add(502, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		ans, fault := reply{status: status, body: body, now: time.Now()}.judge(saysZero)
		if fault == nil && (status/100 != 2 || ans.ErrCode != "0") {
			t.Fatalf("status %d %q was taken for success", status, body)
		}
		if fault != nil && (fault.Code == "" || fault.Fault == "" || fault.Scope == "" || fault.Err == nil) {
			t.Fatalf("status %d %q: half a fault %+v", status, body, fault.SendError)
		}
	})
}
