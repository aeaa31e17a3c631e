package feishu

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

func judgeCode(code, text string) *apihttp.Judged {
	body := fmt.Sprintf(`{"code":%s,"msg":%q,"error":{"log_id":"L1"}}`, code, text)
	_, fault := reply{status: 400, header: http.Header{}, body: []byte(body), now: time.UnixMilli(1_700_000_000_000)}.judge(accepted)
	return fault
}

// Every code that the platform's pages name for our calls, each with what the outbox is to do: written apart from the table in classify.go.
func TestEveryCode(t *testing.T) {
	type class struct {
		fault bot.Fault
		scope bot.Scope
		after time.Duration
		maybe bool
		token bool
	}
	soon := class{fault: bot.Retryable, scope: bot.ScopeMessage}
	stale := class{fault: bot.Retryable, scope: bot.ScopeWorkspace, token: true}
	workspace := class{fault: bot.Permanent, scope: bot.ScopeWorkspace}
	channel := class{fault: bot.Permanent, scope: bot.ScopeChannel}
	message := class{fault: bot.Permanent, scope: bot.ScopeMessage}
	want := map[string]class{
		"2200": soon, "5000": soon, "55001": soon, "123456": soon,
		"230049":   {fault: bot.Retryable, scope: bot.ScopeMessage, maybe: true},
		"11232":    {fault: bot.RateLimited, scope: bot.ScopeChannel, after: time.Minute},
		"230020":   {fault: bot.RateLimited, scope: bot.ScopeChannel, after: time.Second},
		"99991400": {fault: bot.RateLimited, scope: bot.ScopeWorkspace, after: time.Second},
	}
	for codes, c := range map[string]class{
		"99991661 99991663 99991664 99991665 99991668 99991671 99991677": stale,
		"10003 10005 10012 10013 10014 10015 99991543 99991662 99991673 230006 232025 232034 230027 99991672 99991676 99991401 99991403 " +
			"90003087 90003088 230036": workspace,
		"19001 19021 19022 19024 230002 10002 230013 230018 230029 230034 230035 230038 230053 232006 232009 232010 99992351 99992355 " +
			"99992356 99992361": channel,
		"230022 230028 230025 19036 230011 230019 230050 230110 230111 4000 9499 10001 19002 230001 230054 230055 230099 11310 99992402": message,
	} {
		for code := range strings.FieldsSeq(codes) {
			want[code] = c
		}
	}
	for code, c := range want {
		got := judgeCode(code, "words")
		if got == nil {
			t.Errorf("%s: taken for success", code)
			continue
		}
		if (class{got.Fault, got.Scope, got.RetryAfter, got.MaybeSent, got.Token}) != c || got.Code != code {
			t.Errorf("%s: %+v token %v, want %+v", code, *got.SendError, got.Token, c)
		}
	}
	for code := range verdictOf {
		if _, tested := want[code]; !tested {
			t.Errorf("%s stands in the table and is not tested", code)
		}
	}
}

func TestErrorsTellTheOperator(t *testing.T) {
	for _, c := range []struct{ code, text, want string }{
		{"99991672", "Access denied. One of the following scopes is required: [im:message]", "im:message"},
		{"230002", "The bot can not be outside the group.", "add it to the group"},
		{"19021", "sign match fail", "签名校验"},
		{"19024", "Key Words Not Found", "keyword"},
		{"230001", "ext=invalid receive_id.", "the chat or the person is gone"},
		{"10014", "app secret invalid", "app_secret"},
	} {
		if got := judgeCode(c.code, c.text).Error(); !strings.Contains(got, c.want) || !strings.Contains(got, c.text) || !strings.Contains(got, "log L1") {
			t.Errorf("%s: %s, want %q", c.code, got, c.want)
		}
	}
}

func TestResetIsBounded(t *testing.T) {
	for value, want := range map[string]time.Duration{"7": 7 * time.Second, "86400": time.Hour, "9999999999999": time.Hour, "-1": time.Second, "x": time.Second, "": time.Second} {
		h := http.Header{}
		h.Set("x-ogw-ratelimit-reset", value)
		_, got := reply{status: 429, header: h, body: []byte(`{"code":99991400,"msg":""}`), now: time.Now()}.judge(accepted)
		if got.RetryAfter != want {
			t.Errorf("x-ogw-ratelimit-reset %q: %v, want %v", value, got.RetryAfter, want)
		}
	}
}

func FuzzJudge(f *testing.F) {
	f.Add(200, []byte(`{"code":0,"msg":"ok"}`))
	f.Add(200, []byte(`{"StatusCode":0}`))
	f.Add(400, []byte(`{"code":"230001","msg":"ext=invalid receive_id"}`))
	f.Add(502, []byte(`<html>`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		ans, fault := reply{status: status, header: http.Header{}, body: body, now: time.Now()}.judge(accepted)
		if fault == nil && (status/100 != 2 || ans.code() != "0") {
			t.Fatalf("status %d %q was taken for success", status, body)
		}
		if fault != nil && (fault.Code == "" || fault.Fault == "" || fault.Scope == "" || fault.Err == nil) {
			t.Fatalf("status %d %q: half a fault %+v", status, body, fault.SendError)
		}
	})
}
