package twin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The requests here are written by hand, as a stranger would: the twin is no judge if only our own adapter has met it.

const secret = "this is secret"

// clock is a time that tests move.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func start(t *testing.T, opt Options) (*Twin, string, *clock) {
	t.Helper()
	c := &clock{time.UnixMilli(1577262236757)}
	opt.Now = c.Now
	tw := New(opt)
	server := httptest.NewServer(tw)
	t.Cleanup(server.Close)
	return tw, server.URL, c
}

// post returns HTTP status, the code of either family and the whole answer.
func post(t *testing.T, target string, header map[string]string, body string) (status int, code string, answer string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ErrCode *int   `json:"errcode"`
		Code    string `json:"code"`
	}
	_ = json.Unmarshal(raw, &got)
	if got.ErrCode != nil {
		got.Code = strconv.Itoa(*got.ErrCode)
	}
	return resp.StatusCode, got.Code, string(raw)
}

const markdownBody = `{"msgtype":"markdown","markdown":{"title":"杭州天气","text":"#### 杭州天气\n\n> 9度"}}`

func TestRobotRefusesWhatIsWrong(t *testing.T) {
	_, base, _ := start(t, Options{Robots: []Robot{{Token: "plain"}, {Token: "words", Keywords: []string{"周报"}}, {Token: "signed", Secret: secret}}})
	to := func(query string) string { return base + "/robot/send?" + query }
	const sign = "hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D" // the platform's own sample
	for _, c := range []struct {
		name, url, header, body, code, words string
	}{
		{"good", to("access_token=plain"), "", markdownBody, "0", "ok"},
		{"good sign", to("access_token=signed&timestamp=1577262236757&sign=" + sign), "", markdownBody, "0", "ok"},
		{"no token", to(""), "", markdownBody, "41001", ""},
		{"unknown token", to("access_token=other"), "", markdownBody, "300005", "token is not exist"},
		{"no sign", to("access_token=signed"), "", markdownBody, "310000", "invalid timestamp"},
		{"wrong sign", to("access_token=signed&timestamp=1577262236757&sign=x"), "", markdownBody, "310000", "sign not match"},
		{"sign not escaped", to("access_token=signed&timestamp=1577262236757&sign=hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="), "", markdownBody, "310000", "sign not match"},
		{"seconds", to("access_token=signed&timestamp=1577262236&sign=" + sign), "", markdownBody, "310000", "invalid timestamp"},
		{"stale", to("access_token=signed&timestamp=1577258576757&sign=" + sign), "", markdownBody, "310000", "invalid timestamp"},
		{"keyword missing", to("access_token=words"), "", markdownBody, "310000", "keywords not in content"},
		{"keyword in title", to("access_token=words"), "", `{"msgtype":"markdown","markdown":{"title":"周报","text":"x"}}`, "0", ""},
		{"no JSON", to("access_token=plain"), "", `title=1`, "40035", ""},
		{"form", to("access_token=plain"), "application/x-www-form-urlencoded", markdownBody, "43004", ""},
		{"no type", to("access_token=plain"), "", `{"markdown":{"title":"a","text":"b"}}`, "40035", "msgtype"},
		{"unknown type", to("access_token=plain"), "", `{"msgtype":"html"}`, "400105", ""},
		{"type without body", to("access_token=plain"), "", `{"msgtype":"markdown"}`, "40035", ""},
		{"no title", to("access_token=plain"), "", `{"msgtype":"markdown","markdown":{"title":"","text":"b"}}`, "40035", "title"},
		{"no text", to("access_token=plain"), "", `{"msgtype":"text","text":{"content":""}}`, "40035", "content"},
		{"card without title", to("access_token=plain"), "", `{"msgtype":"actionCard","actionCard":{"text":"b","singleTitle":"c","singleURL":"https://example.org"}}`, "40035", "title"},
		{"card without buttons", to("access_token=plain"), "", `{"msgtype":"actionCard","actionCard":{"title":"a","text":"b"}}`, "40035", "btns"},
		{"button without URL", to("access_token=plain"), "", `{"msgtype":"actionCard","actionCard":{"title":"a","text":"b","btns":[{"title":"c"}]}}`, "40035", "actionURL"},
		{"link without URL", to("access_token=plain"), "", `{"msgtype":"link","link":{"title":"a","text":"b"}}`, "40035", "messageUrl"},
		{"feed without picture", to("access_token=plain"), "", `{"msgtype":"feedCard","feedCard":{"links":[{"title":"a","messageURL":"https://example.org"}]}}`, "40035", "picURL"},
	} {
		header := map[string]string{}
		if c.header != "" {
			header["Content-Type"] = c.header
		}
		status, code, answer := post(t, c.url, header, c.body)
		if status != http.StatusOK || code != c.code || !strings.Contains(answer, c.words) {
			t.Errorf("%s: %d %s, want 200 with errcode %s %q", c.name, status, answer, c.code, c.words)
		}
	}
}

func TestRobotBodySize(t *testing.T) {
	tw, base, _ := start(t, Options{})
	frame := len(`{"msgtype":"text","text":{"content":""}}`)
	for _, c := range []struct {
		bytes int
		code  string
	}{{20000, "0"}, {20001, "460101"}} {
		text := strings.Repeat("周", (c.bytes-frame)/3) + strings.Repeat("a", (c.bytes-frame)%3)
		body := `{"msgtype":"text","text":{"content":"` + text + `"}}`
		if _, code, _ := post(t, base+"/robot/send?access_token=t", nil, body); code != c.code || len(body) != c.bytes {
			t.Errorf("%d bytes: errcode %s, want %s", len(body), code, c.code)
		}
	}
	if len(tw.Posts()) != 1 || len(tw.Refused()) != 1 || tw.Refused()[0].Code != "460101" {
		t.Errorf("%d posts, refused %+v", len(tw.Posts()), tw.Refused())
	}
}

func TestRobotRateAndBlock(t *testing.T) {
	tw, base, clock := start(t, Options{Window: time.Second})
	send := func(token string) string {
		_, code, _ := post(t, base+"/robot/send?access_token="+token, nil, markdownBody)
		return code
	}
	for k := range 20 {
		if code := send("a"); code != "0" {
			t.Fatalf("post %d: %s", k, code)
		}
	}
	for _, c := range []struct {
		after time.Duration
		code  string
	}{{0, "130101"}, {2 * time.Second, "130101"}, {9 * time.Second, "130101"}, {10 * time.Second, "0"}} { // ten minutes of one second each
		clock.now = time.UnixMilli(1577262236757).Add(c.after)
		if code := send("a"); code != c.code {
			t.Errorf("after %v: errcode %s, want %s", c.after, code, c.code)
		}
	}
	if code := send("b"); code != "0" {
		t.Errorf("another robot: %s", code)
	}
	if len(tw.Posts()) != 22 {
		t.Errorf("%d posts shown, want 22", len(tw.Posts()))
	}
}

func TestRobotMsgUUID(t *testing.T) {
	tw, base, _ := start(t, Options{})
	for _, uuid := range []string{"a", "a", "b", "", ""} {
		if _, code, _ := post(t, base+"/robot/send?access_token=t", nil, `{"msgtype":"text","text":{"content":"x"},"msgUuid":"`+uuid+`"}`); code != "0" {
			t.Fatalf("msgUuid %q: %s", uuid, code)
		}
	}
	if n := len(tw.Posts()); n != 4 {
		t.Errorf("%d posts shown, want 4: one for each msgUuid, and each without", n)
	}
}

func appOptions() Options {
	return Options{ClientID: "id", ClientSecret: "sec", RobotCode: "robot", CorpID: "corp"}
}

func token(t *testing.T, base string) map[string]string {
	t.Helper()
	status, _, answer := post(t, base+"/v1.0/oauth2/accessToken", nil, `{"appKey":"id","appSecret":"sec"}`)
	var got struct {
		AccessToken string
		ExpireIn    int
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil || status != 200 || got.AccessToken == "" || got.ExpireIn != 7200 {
		t.Fatalf("accessToken: %d %s", status, answer)
	}
	return map[string]string{"x-acs-dingtalk-access-token": got.AccessToken}
}

func TestAccessToken(t *testing.T) {
	_, base, clock := start(t, appOptions())
	first := token(t, base)
	clock.now = clock.now.Add(90 * time.Minute)
	if again := token(t, base); again["x-acs-dingtalk-access-token"] != first["x-acs-dingtalk-access-token"] {
		t.Error("another token while the first is good")
	}
	clock.now = clock.now.Add(3 * time.Hour)
	if again := token(t, base); again["x-acs-dingtalk-access-token"] == first["x-acs-dingtalk-access-token"] {
		t.Error("the same token after its end")
	}
	for _, body := range []string{`{"appKey":"id","appSecret":"no"}`, `{"appKey":"","appSecret":""}`} {
		if status, code, _ := post(t, base+"/v1.0/oauth2/accessToken", nil, body); status != 400 || code != "invalidClientIdOrSecret" {
			t.Errorf("%s: %d %s", body, status, code)
		}
	}
}

const (
	groupPath = "/v1.0/robot/groupMessages/send"
	usersPath = "/v1.0/robot/oToMessages/batchSend"
)

func group(key, param string) string {
	b, _ := json.Marshal(map[string]any{"robotCode": "robot", "openConversationId": "cid", "msgKey": key, "msgParam": param})
	return string(b)
}

const sample = `{"title":"t","text":"x"}`

func TestGroupMessagesRefuseWhatIsWrong(t *testing.T) {
	opt := appOptions()
	opt.Groups = []string{"cid"}
	tw, base, _ := start(t, opt)
	good := token(t, base)
	param := func(n int) string {
		frame := `{"title":"t","text":""}`
		return `{"title":"t","text":"` + strings.Repeat("周", (n-len(frame))/3) + strings.Repeat("a", (n-len(frame))%3) + `"}`
	}
	for _, c := range []struct {
		name   string
		header map[string]string
		body   string
		status int
		code   string
	}{
		{"good", good, group("sampleMarkdown", sample), 200, ""},
		{"no token", nil, group("sampleMarkdown", sample), 401, "InvalidAuthentication"},
		{"wrong token", map[string]string{"x-acs-dingtalk-access-token": "x"}, group("sampleMarkdown", sample), 401, "InvalidAuthentication"},
		{"another robot", good, strings.Replace(group("sampleMarkdown", sample), `"robot"`, `"other"`, 1), 400, "invalidParameter.robotCode.notExsit"},
		{"no robot", good, strings.Replace(group("sampleMarkdown", sample), `"robot"`, `""`, 1), 400, "miss.param.robotCode"},
		{"another group", good, strings.Replace(group("sampleMarkdown", sample), `"cid"`, `"cid2"`, 1), 400, "invalid.openConversationId"},
		{"no group", good, strings.Replace(group("sampleMarkdown", sample), `"cid"`, `""`, 1), 400, "miss.param.openConversationId"},
		{"no key", good, group("", sample), 400, "miss.param.msgKey"},
		{"unknown key", good, group("sampleActionCard7", sample), 400, "invalidParameter.msgKey.invalid"},
		{"no param", good, group("sampleMarkdown", ""), 400, "miss.param.msgParam"},
		{"param no JSON", good, group("sampleMarkdown", "title"), 400, "invalidParameter.msgParam.invalid"},
		{"param without title", good, group("sampleMarkdown", `{"text":"x"}`), 400, "invalidParameter.msgParam.invalid"},
		{"card without button", good, group("sampleActionCard2", sample), 400, "invalidParameter.msgParam.invalid"},
		{"15000 bytes", good, group("sampleMarkdown", param(15000)), 200, ""},
		{"15001 bytes", good, group("sampleMarkdown", param(15001)), 400, "invalidParameter.msgParam.tooLong"},
		{"no JSON", good, "x", 400, "invalidParameter"},
	} {
		status, code, answer := post(t, base+groupPath, c.header, c.body)
		if status != c.status || code != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.name, status, answer, c.status, c.code)
		}
	}
	if n := len(tw.Posts()); n != 2 {
		t.Errorf("%d posts shown, want 2", n)
	}
}

func TestAppLimits(t *testing.T) {
	t.Run("permission", func(t *testing.T) {
		opt := appOptions()
		opt.Unpermitted = true
		_, base, _ := start(t, opt)
		status, code, answer := post(t, base+groupPath, token(t, base), group("sampleMarkdown", sample))
		if status != 403 || code != "Forbidden.AccessDenied.AccessTokenPermissionDenied" || !strings.Contains(answer, "qyapi_robot_sendmsg") {
			t.Errorf("%d %s", status, answer)
		}
	})
	t.Run("qps", func(t *testing.T) {
		_, base, clock := start(t, appOptions())
		header := token(t, base)
		for k := range 21 {
			status, code, _ := post(t, base+groupPath, header, group("sampleMarkdown", sample))
			if k < 20 && status != 200 || k == 20 && (status != 403 || code != "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi") {
				t.Errorf("call %d in a second: %d %s", k, status, code)
			}
		}
		if status, _, _ := post(t, base+usersPath, header, `{"robotCode":"robot","userIds":["u"],"msgKey":"sampleText","msgParam":"{\"content\":\"x\"}"}`); status != 200 {
			t.Errorf("the other API shares the limit: %d", status)
		}
		clock.now = clock.now.Add(time.Second)
		if status, _, _ := post(t, base+groupPath, header, group("sampleMarkdown", sample)); status != 200 {
			t.Errorf("a second later: %d", status)
		}
	})
	t.Run("quota", func(t *testing.T) {
		opt := appOptions()
		opt.MonthlyCalls = 3
		_, base, _ := start(t, opt)
		header := token(t, base)
		for k := range 4 {
			status, code, _ := post(t, base+groupPath, header, group("sampleMarkdown", sample))
			if k < 3 && status != 200 || k == 3 && (status != 403 || code != "Forbidden.AccessDenied.ApiCountLimitForOrg") {
				t.Errorf("call %d of 3: %d %s", k, status, code)
			}
		}
	})
}

func TestBatchSend(t *testing.T) {
	opt := appOptions()
	opt.Staff, opt.FlowControlled = []string{"u1", "u2"}, []string{"u2"}
	tw, base, _ := start(t, opt)
	header := token(t, base)
	users := func(ids ...string) string {
		b, _ := json.Marshal(map[string]any{"robotCode": "robot", "userIds": ids, "msgKey": "sampleMarkdown", "msgParam": sample})
		return string(b)
	}
	status, _, answer := post(t, base+usersPath, header, users("u1", "u2", "u3"))
	if status != 200 || !strings.Contains(answer, `"invalidStaffIdList":["u3"]`) || !strings.Contains(answer, `"flowControlledStaffIdList":["u2"]`) {
		t.Errorf("%d %s", status, answer)
	}
	if posts := tw.Posts(); len(posts) != 1 || posts[0].Channel != "user:u1" || !strings.Contains(answer, posts[0].ID) {
		t.Errorf("shown %+v", posts)
	}
	many := make([]string, 21)
	for k := range many {
		many[k] = fmt.Sprint("u", k)
	}
	if status, code, _ := post(t, base+usersPath, header, users(many...)); status != 400 || code != "too.many.people" {
		t.Errorf("21 users: %d %s", status, code)
	}
	if status, code, _ := post(t, base+usersPath, header, users()); status != 400 || code != "miss.param.userIds" {
		t.Errorf("nobody: %d %s", status, code)
	}
}

// A bot written by hand: it checks the signature of the published sample's algorithm and remembers the callback.
func TestSayAndSession(t *testing.T) {
	opt := appOptions()
	opt.ClientSecret = "this is a secret"
	tw, base, clock := start(t, opt)
	tw.SetBaseURL(base)
	var got map[string]any
	answer := `{"msgtype":"empty"}`
	bot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// timestamp 1577262236757 and "this is a secret" are the platform's own sample
		if r.Header.Get("timestamp") != "1577262236757" || r.Header.Get("sign") != "DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA=" {
			t.Errorf("callback signed %q %q", r.Header.Get("timestamp"), r.Header.Get("sign"))
		}
		_ = json.NewDecoder(r.Body).Decode(&got)
		_, _ = io.WriteString(w, answer)
	}))
	defer bot.Close()
	reply, err := tw.Say(t.Context(), bot.URL, Said{Text: "/hot", Staff: "u1", Nick: "小钉", Group: "cid", GroupTitle: "群"})
	if err != nil || reply.Post != nil {
		t.Fatalf("%+v, %v", reply, err)
	}
	session := got["sessionWebhook"].(string)
	if got["conversationType"] != "2" || got["conversationId"] != "cid" || got["senderStaffId"] != "u1" || got["chatbotCorpId"] != "corp" ||
		got["text"].(map[string]any)["content"] != " /hot" || !strings.HasPrefix(session, base) {
		t.Errorf("callback %v", got)
	}
	if _, code, _ := post(t, session, nil, markdownBody); code != "0" || tw.Posts()[0].Channel != "group:cid" {
		t.Errorf("sessionWebhook: %s, %+v", code, tw.Posts())
	}
	if _, code, _ := post(t, base+"/robot/sendBySession?session=x", nil, markdownBody); code != "300001" {
		t.Errorf("unknown session: %s", code)
	}
	answer = markdownBody
	if reply, err := tw.Say(t.Context(), bot.URL, Said{Text: "/hot", Staff: "u1"}); err != nil || reply.Post == nil || reply.Post.Channel != "user:u1" {
		t.Errorf("an answer with a message: %+v, %v", reply, err)
	}
	answer = `{"msgtype":"markdown","markdown":{"text":"x"}}`
	if _, err := tw.Say(t.Context(), bot.URL, Said{Text: "/hot", Staff: "u1"}); err == nil {
		t.Error("an answer without a title was taken")
	}
	clock.now = clock.now.Add(91 * time.Minute)
	if _, code, _ := post(t, session, nil, markdownBody); code != "300001" {
		t.Errorf("session after 91 minutes: %s", code)
	}
}

func TestOrderedFailures(t *testing.T) {
	tw, base, _ := start(t, appOptions())
	header := token(t, base)
	robot, app := base+"/robot/send?access_token=t", base+groupPath
	tw.Fail(2, Failure{Code: "430101", Message: "unsafe link"})
	tw.Fail(1, Failure{Code: "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi", Status: 403})
	tw.Fail(1, Failure{Status: 502, Body: "<html>"})
	tw.Fail(1, Failure{Status: 429, Code: "slow", RetryAfter: "3"})
	for k, want := range []struct {
		url    string
		status int
		code   string
	}{{robot, 200, "430101"}, {robot, 200, "430101"}, {app, 403, "Forbidden.AccessDenied.QpsLimitForAppkeyAndApi"}, {app, 502, ""}, {app, 429, "slow"}, {robot, 200, "0"}} {
		body := markdownBody
		if want.url == app {
			body = group("sampleMarkdown", sample)
		}
		if status, code, answer := post(t, want.url, header, body); status != want.status || code != want.code {
			t.Errorf("call %d: %d %s, want %d %s", k, status, answer, want.status, want.code)
		}
	}
	for _, drop := range []Drop{DropBefore, DropAfter} {
		tw.Fail(1, Failure{Drop: drop, Delay: time.Millisecond})
		resp, err := http.Post(robot, "application/json", strings.NewReader(markdownBody))
		if err == nil {
			resp.Body.Close()
			t.Errorf("drop %d: answered %s", drop, resp.Status)
		}
	}
	if n := len(tw.Posts()); n != 2 { // one usual, one whose answer was lost
		t.Errorf("%d posts shown, want 2", n)
	}
}

func TestEventsMustBeAnsweredWithSuccess(t *testing.T) {
	opt := appOptions()
	opt.EventToken, opt.EventKey = "mryue", "Yue0EfdN5900c1ce5cf6A152c63DDe1808a60c5ecd7"
	tw, _, _ := start(t, opt)
	bot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"msg_signature":"x","timeStamp":"1","nonce":"n","encrypt":"AAAA"}`)
	}))
	defer bot.Close()
	if _, err := tw.PushEvent(t.Context(), bot.URL, map[string]any{"EventType": "check_url"}); err == nil {
		t.Error("a wrong answer to an event was taken")
	}
	// The official sample opens.
	msg, owner, err := unseal(opt.EventKey, "0vJiX6vliEpwG3U45CtXqi+m8PXbQRARJ8p8BbDuD1EMTDf0jKpQ79QS93qEk7XHpP6u+oTTrd15NRPvNvmBKyDCYxxOK+HZeKju4yhELOFchzNukR+t8SB/qk4ROMu3")
	if err != nil || string(msg) != `{"EventType":"check_url"}` || owner != "ding6ccabc44d2c8d38b" {
		t.Errorf("unseal = %q, %q, %v", msg, owner, err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	tw, base, _ := start(t, Options{Keep: 5, PerMinute: -1})
	for k := range 50 {
		post(t, base+"/robot/send?access_token=t", nil, fmt.Sprintf(`{"msgtype":"text","text":{"content":"%d"}}`, k))
	}
	posts := tw.Posts()
	if len(posts) < 5 || len(posts) > 10 || posts[len(posts)-1].Text != "49" {
		t.Errorf("%d posts kept, want the last 5 to 10", len(posts))
	}
}

func TestPage(t *testing.T) {
	_, base, _ := start(t, Options{Robots: []Robot{{Token: "tok", Name: "架构组"}}})
	get := func(query string) string {
		resp, err := http.Get(base + "/" + query)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		_, _ = b.ReadFrom(resp.Body)
		return b.String()
	}
	if page := get(""); !strings.Contains(page, "Nothing has arrived") {
		t.Error("an empty twin shows nothing")
	}
	post(t, base+"/robot/send?access_token=tok", nil, `{"msgtype":"actionCard","actionCard":{"title":"<b>通知</b>","text":"### 周报\n\n- [甲](https://example.org/1)\n- <script>alert(1)</script> [乙](javascript:alert(1))","singleTitle":"阅读","singleURL":"javascript:alert(2)"}}`)
	post(t, base+"/robot/send?access_token=tok", nil, `{"msgtype":"html"}`)
	page := get("?chat=" + url.QueryEscape("robot:tok"))
	for _, want := range []string{"架构组", "<h3>周报</h3>", `<a href="https://example.org/1">甲</a>`, "&lt;b&gt;通知", "阅读", "400105"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<script>") || strings.Contains(page, `href="javascript`) {
		t.Errorf("the page runs what was posted:\n%s", page)
	}
}

func TestRecall(t *testing.T) {
	tw, base, _ := start(t, appOptions())
	header := token(t, base)
	post(t, base+groupPath, header, group("sampleMarkdown", sample))
	post(t, base+usersPath, header, `{"robotCode":"robot","userIds":["u1"],"msgKey":"sampleText","msgParam":"{\"content\":\"x\"}"}`)
	inGroup, alone := tw.Posts()[0].ID, tw.Posts()[1].ID
	const groupRecall, usersRecall = "/v1.0/robot/groupMessages/recall", "/v1.0/robot/otoMessages/batchRecall"
	for _, c := range []struct {
		name, path, body string
		status           int
		code, words      string
	}{
		{"no robot", groupRecall, `{"openConversationId":"cid","processQueryKeys":["x"]}`, 400, "invalidParameter.robotCode.notExsit", ""},
		{"no group", groupRecall, `{"robotCode":"robot","processQueryKeys":["x"]}`, 400, "miss.param.openConversationId", ""},
		{"no keys", groupRecall, `{"robotCode":"robot","openConversationId":"cid"}`, 400, "miss.param.processQueryKeys", ""},
		{"21 keys", usersRecall, `{"robotCode":"robot","processQueryKeys":["x"` + strings.Repeat(`,"x"`, 20) + `]}`, 400, "invalidParameter.processQueryKeys", ""},
		{"no JSON", usersRecall, `x`, 400, "invalidParameter", ""},
		{"unknown key", usersRecall, `{"robotCode":"robot","processQueryKeys":["x"]}`, 200, "", `"failedResult":{"x":"消息不存在"},"successResult":[]`},
		{"another group", groupRecall, `{"robotCode":"robot","openConversationId":"other","processQueryKeys":["` + inGroup + `"]}`, 200, "", `"successResult":[]`},
		{"the other call", usersRecall, `{"robotCode":"robot","processQueryKeys":["` + inGroup + `"]}`, 200, "", `"successResult":[]`},
		{"group", groupRecall, `{"robotCode":"robot","openConversationId":"cid","processQueryKeys":["` + inGroup + `"]}`, 200, "", `"failedResult":{},"successResult":["` + inGroup + `"]`},
		{"person", usersRecall, `{"robotCode":"robot","processQueryKeys":["` + alone + `"]}`, 200, "", `"successResult":["` + alone + `"]`},
	} {
		if status, code, answer := post(t, base+c.path, header, c.body); status != c.status || code != c.code || !strings.Contains(answer, c.words) {
			t.Errorf("%s: %d %s, want %d %s %s", c.name, status, answer, c.status, c.code, c.words)
		}
	}
	if status, code, _ := post(t, base+groupRecall, nil, `{}`); status != 401 || code != "InvalidAuthentication" {
		t.Errorf("without token: %d %s", status, code)
	}
	for _, p := range tw.Posts() {
		if !p.Recalled {
			t.Errorf("%s is still shown", p.Channel)
		}
	}
}

func TestUploads(t *testing.T) {
	tw, base, _ := start(t, appOptions())
	header := token(t, base)
	access := "access_token=" + header["x-acs-dingtalk-access-token"]
	form := func(field, content string) string {
		return "--b\r\nContent-Disposition: form-data; name=\"" + field + "\"; filename=\"a.png\"\r\n\r\n" + content + "\r\n--b--\r\n"
	}
	multipart := map[string]string{"Content-Type": "multipart/form-data; boundary=b"}
	const png = "\x89PNG\r\n\x1a\n"
	for _, c := range []struct{ name, query, body, code string }{
		{"good", access + "&type=image", form("media", png), "0"},
		{"no token", "type=image", form("media", png), "40014"},
		{"wrong token", "access_token=x&type=image", form("media", png), "40014"},
		{"no type", access, form("media", png), "40035"},
		{"no file", access + "&type=image", form("file", png), "40035"},
		{"no image", access + "&type=image", form("media", "hello"), "40035"},
		{"no form", access + "&type=image", "hello", "40035"},
	} {
		if _, code, answer := post(t, base+"/media/upload?"+c.query, multipart, c.body); code != c.code {
			t.Errorf("%s: %s, want %s", c.name, answer, c.code)
		}
	}
	_, _, answer := post(t, base+"/media/upload?"+access+"&type=image", multipart, form("media", png))
	_, id, _ := strings.Cut(answer, `"media_id":"`)
	id, _, _ = strings.Cut(id, `"`)
	post(t, base+groupPath, header, group("sampleMarkdown", `{"title":"t","text":"![走势](`+id+`)"}`))
	resp, err := http.Get(base + "/?chat=group:cid")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, _ := io.ReadAll(resp.Body); !strings.Contains(string(page), `<img src="data:image/png;base64,`) || len(tw.Posts()) != 1 {
		t.Errorf("%d posts; the page shows no image:\n%s", len(tw.Posts()), page)
	}
}
