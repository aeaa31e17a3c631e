package twin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// stand is a platform with a robot, two apps, three members and a clock that the test moves.
func stand(t *testing.T) (*Twin, *httptest.Server, *atomic.Int64) {
	t.Helper()
	var clock atomic.Int64
	clock.Store(1_790_000_000)
	tw := New(Options{
		Robots: []string{"key1", "key2"},
		Apps: []App{
			{CorpID: "ww1", AgentID: 1000002, Secret: "s1", Chats: []string{"chat1"}},
			{CorpID: "ww1", AgentID: 1000003, Secret: "s2", Chats: []string{"chat2"}},
		},
		Members: []string{"ZhangSan", "lisi", "wangwu"},
		Now:     func() time.Time { return time.Unix(clock.Load(), 0) },
	})
	server := httptest.NewServer(tw)
	t.Cleanup(server.Close)
	return tw, server, &clock
}

// ask makes a raw HTTP call and returns the decoded answer.
func ask(t *testing.T, method, url, body string) map[string]any {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	var answer map[string]any
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatalf("%s: answer %d %q: %v", url, resp.StatusCode, raw, err)
	}
	return answer
}

func code(t *testing.T, answer map[string]any) int {
	t.Helper()
	n, ok := answer["errcode"].(float64)
	if !ok {
		t.Fatalf("no errcode in %v", answer)
	}
	return int(n)
}

func token(t *testing.T, server *httptest.Server, secret string) string {
	t.Helper()
	answer := ask(t, "GET", server.URL+"/cgi-bin/gettoken?corpid=ww1&corpsecret="+secret, "")
	if code(t, answer) != 0 || answer["expires_in"] != 7200.0 {
		t.Fatalf("gettoken answered %v", answer)
	}
	return answer["access_token"].(string)
}

func TestWebhookRules(t *testing.T) {
	tw, server, _ := stand(t)
	over := func(n int) string { return strings.Repeat("周", n/3) + strings.Repeat("a", n%3) }
	for _, c := range []struct {
		name, key, body string
		want            int
	}{
		{"accepted", "key1", `{"msgtype":"markdown_v2","markdown_v2":{"content":"# 周报 <b> & \\u4e2d is text"}}`, 0},
		{"unknown key", "key9", `{"msgtype":"text","text":{"content":"x"}}`, 93000},
		{"no key", "", `{"msgtype":"text","text":{"content":"x"}}`, 93000},
		{"markdown_v2 at the limit", "key1", `{"msgtype":"markdown_v2","markdown_v2":{"content":"` + over(4096) + `"}}`, 0},
		{"markdown_v2 over the limit", "key1", `{"msgtype":"markdown_v2","markdown_v2":{"content":"` + over(4097) + `"}}`, 40058},
		{"markdown over the limit", "key1", `{"msgtype":"markdown","markdown":{"content":"` + over(4097) + `"}}`, 40058},
		{"text at the limit", "key1", `{"msgtype":"text","text":{"content":"` + over(2048) + `"}}`, 0},
		{"text over the limit", "key1", `{"msgtype":"text","text":{"content":"` + over(2049) + `"}}`, 40058},
		{"empty", "key1", `{"msgtype":"markdown","markdown":{"content":" "}}`, 44004},
		{"unknown type", "key1", `{"msgtype":"interactive","interactive":{}}`, 40008},
		{"no type", "key1", `{"text":{"content":"x"}}`, 40008},
		{"type without its part", "key1", `{"msgtype":"text","markdown":{"content":"x"}}`, 40035},
		{"escaped text", "key1", `{"msgtype":"text","text":{"content":"a \u003cb\u003e"}}`, 40033},
		{"escaped text behind a backslash", "key1", `{"msgtype":"text","text":{"content":"\\\u003cb"}}`, 40033},
		{"not JSON", "key1", `msgtype=text`, 40035},
		{"nine articles", "key1", `{"msgtype":"news","news":{"articles":[` + strings.TrimSuffix(strings.Repeat(`{"title":"t","url":"u"},`, 9), ",") + `]}}`, 45008},
		{"article without title", "key1", `{"msgtype":"news","news":{"articles":[{"url":"u"}]}}`, 41016},
		{"news", "key1", `{"msgtype":"news","news":{"articles":[{"title":"t","url":"u"}]}}`, 0},
	} {
		before, refused := len(tw.Posts()), len(tw.Refused())
		answer := ask(t, "POST", server.URL+"/cgi-bin/webhook/send?key="+c.key, c.body)
		if got := code(t, answer); got != c.want {
			t.Errorf("%s: errcode %d, want %d (%v)", c.name, got, c.want, answer["errmsg"])
		}
		accepted, noted := len(tw.Posts())-before, len(tw.Refused())-refused
		if want := map[bool]int{true: 1, false: 0}[c.want == 0]; accepted != want || noted != 1-want {
			t.Errorf("%s: %d posts and %d refusals more, want %d and %d", c.name, accepted, noted, want, 1-want)
		}
	}
	if got := tw.Posts()[0]; got.Content != `# 周报 <b> & \u4e2d is text` || got.Channel != "key:key1" || got.Kind != "webhook" {
		t.Errorf("first post = %+v", got)
	}
}

func TestWebhookRate(t *testing.T) {
	tw, server, clock := stand(t)
	send := func(key string) int {
		return code(t, ask(t, "POST", server.URL+"/cgi-bin/webhook/send?key="+key, `{"msgtype":"text","text":{"content":"x"}}`))
	}
	for k := range 20 {
		if got := send("key1"); got != 0 {
			t.Fatalf("post %d of a minute: errcode %d", k+1, got)
		}
	}
	if got := send("key1"); got != 45009 {
		t.Errorf("post 21 of a minute: errcode %d, want 45009", got)
	}
	if got := send("key2"); got != 0 {
		t.Errorf("another robot: errcode %d, want 0", got)
	}
	clock.Add(60)
	if got := send("key1"); got != 0 || len(tw.Posts()) != 22 {
		t.Errorf("a minute later: errcode %d with %d posts, want 0 with 22", got, len(tw.Posts()))
	}
}

func TestTokens(t *testing.T) {
	tw, server, clock := stand(t)
	for query, want := range map[string]int{"corpid=ww9&corpsecret=s1": 40013, "corpid=ww1&corpsecret=s9": 40001, "corpid=ww1&corpsecret=s1": 0} {
		if got := code(t, ask(t, "GET", server.URL+"/cgi-bin/gettoken?"+query, "")); got != want {
			t.Errorf("gettoken?%s: errcode %d, want %d", query, got, want)
		}
	}
	first, other := token(t, server, "s1"), token(t, server, "s2")
	if again := token(t, server, "s1"); again != first || other == first {
		t.Errorf("tokens %q, again %q, of another app %q: want the same for one app", first, again, other)
	}
	send := func(query string) int {
		return code(t, ask(t, "POST", server.URL+"/cgi-bin/message/send?"+query, `{"touser":"lisi","agentid":1000002,"msgtype":"text","text":{"content":"`+query+`"}}`))
	}
	for query, want := range map[string]int{"": 41001, "access_token=x": 40014, "access_token=" + first: 0, "access_token=" + other: 40056} {
		if got := send(query); got != want {
			t.Errorf("message/send?%s: errcode %d, want %d", query, got, want)
		}
	}
	tw.ExpireTokens()
	if got := send("access_token=" + first); got != 42001 {
		t.Errorf("expired by command: errcode %d, want 42001", got)
	}
	second := token(t, server, "s1")
	if second == first || send("access_token="+second) != 0 {
		t.Error("no new token after the old one expired")
	}
	clock.Add(7200)
	if got := send("access_token=" + second); got != 42001 {
		t.Errorf("after 7200 s: errcode %d, want 42001", got)
	}
}

func TestMessageRules(t *testing.T) {
	tw, server, clock := stand(t)
	url := server.URL + "/cgi-bin/message/send?access_token=" + token(t, server, "s1")
	send := func(body string) map[string]any { return ask(t, "POST", url, body) }
	many := func(n int) string { return strings.TrimSuffix(strings.Repeat("1|", n), "|") }
	text := `"agentid":1000002,"msgtype":"text","text":{"content":"x"}}`
	for _, c := range []struct {
		name, body  string
		want        int
		invaliduser string
	}{
		{"one", `{"touser":"zhangsan",` + text, 0, ""},
		{"some are wrong", `{"touser":"lisi|NoBody|wangwu|Other",` + text, 0, "nobody|other"},
		{"all are wrong", `{"touser":"NoBody",` + text, 81013, ""},
		{"nobody addressed", `{"touser":"",` + text, 82001, ""},
		{"everybody", `{"touser":"@all",` + text, 0, ""},
		{"too many members", `{"touser":"` + many(1001) + `",` + text, 40032, ""},
		{"too many departments", `{"toparty":"` + many(101) + `",` + text, 82002, ""},
		{"too many tags", `{"totag":"` + many(101) + `",` + text, 82003, ""},
		{"other agent", `{"touser":"lisi","agentid":1000003,"msgtype":"text","text":{"content":"x"}}`, 40056, ""},
		{"no agent", `{"touser":"lisi","msgtype":"text","text":{"content":"x"}}`, 40056, ""},
		{"markdown_v2 is not for apps", `{"touser":"lisi","agentid":1000002,"msgtype":"markdown_v2","markdown_v2":{"content":"x"}}`, 40008, ""},
		{"empty", `{"touser":"lisi","agentid":1000002,"msgtype":"markdown","markdown":{"content":""}}`, 44004, ""},
	} {
		answer := send(c.body)
		if got := code(t, answer); got != c.want || got == 0 && answer["invaliduser"] != c.invaliduser {
			t.Errorf("%s: %v, want errcode %d, invaliduser %q", c.name, answer, c.want, c.invaliduser)
		}
	}

	answer := send(`{"touser":"lisi","agentid":"1000002","msgtype":"text","text":{"content":"typed"}}`)
	if code(t, answer) != 0 || !strings.Contains(answer["errmsg"].(string), "wrong json format") || len(tw.Refused()) == 0 {
		t.Errorf("agentid as a string: %v, want errcode 0 with a warning", answer)
	}
	send(`{"touser":"lisi","agentid":1000002,"msgtype":"markdown","markdown":{"content":"` + strings.Repeat("周", 700) + `"}}`)
	posts := tw.Posts()
	if last := posts[len(posts)-1]; !last.Cut || len(last.Content) > 2048 || len(last.Content) < 2046 {
		t.Errorf("2100 bytes: cut %v to %d bytes, want 2048 at most, and no refusal", last.Cut, len(last.Content))
	}

	once := `{"touser":"lisi","agentid":1000002,"msgtype":"text","text":{"content":"once"},"enable_duplicate_check":1,"duplicate_check_interval":14400}`
	before := len(tw.Posts())
	first, again := send(once), send(once)
	if len(tw.Posts()) != before+1 || tw.Suppressed() != 1 || first["msgid"] != again["msgid"] || code(t, again) != 0 {
		t.Errorf("duplicate: %d posts, %d suppressed, %v then %v", len(tw.Posts())-before, tw.Suppressed(), first, again)
	}
	send(strings.Replace(once, "once", "other", 1))
	clock.Add(14400)
	ask(t, "POST", server.URL+"/cgi-bin/message/send?access_token="+token(t, server, "s1"), once)
	if len(tw.Posts()) != before+3 {
		t.Errorf("%d posts, want 3: another text, and the same after four hours", len(tw.Posts())-before)
	}
}

func TestSilentDrop(t *testing.T) {
	tw, server, _ := stand(t)
	url := server.URL + "/cgi-bin/message/send?access_token=" + token(t, server, "s1")
	for k := range 35 {
		answer := ask(t, "POST", url, fmt.Sprintf(`{"touser":"lisi","agentid":1000002,"msgtype":"text","text":{"content":"%d"}}`, k))
		if code(t, answer) != 0 {
			t.Fatalf("post %d: %v", k, answer)
		}
	}
	if len(tw.Posts()) != 30 || tw.Dropped() != 5 {
		t.Errorf("%d posts, %d dropped; want 30 a minute and member, the rest dropped without an error", len(tw.Posts()), tw.Dropped())
	}
}

func TestAppChatRules(t *testing.T) {
	tw, server, _ := stand(t)
	url := server.URL + "/cgi-bin/appchat/send?access_token=" + token(t, server, "s1")
	for chat, want := range map[string]int{"chat1": 0, "chat2": 86008, "chat9": 86001, "": 86001} {
		got := code(t, ask(t, "POST", url, `{"chatid":"`+chat+`","msgtype":"markdown","markdown":{"content":"**x**"}}`))
		if got != want {
			t.Errorf("chat %q: errcode %d, want %d", chat, got, want)
		}
	}
	if got := tw.Posts(); len(got) != 1 || got[0].Channel != "chat:chat1" {
		t.Errorf("posts = %+v", got)
	}
}

func TestFailures(t *testing.T) {
	tw, server, _ := stand(t)
	post := func() (int, string, error) {
		resp, err := http.Post(server.URL+"/cgi-bin/webhook/send?key=key1", "application/json", strings.NewReader(`{"msgtype":"text","text":{"content":"x"}}`))
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(raw), err
	}
	tw.Fail(1, Failure{Status: 502, Body: "<html>bad gateway"})
	if status, body, err := post(); status != 502 || body != "<html>bad gateway" || err != nil {
		t.Errorf("502: %d %q %v", status, body, err)
	}
	tw.Fail(1, Failure{Code: -1})
	if _, body, _ := post(); !strings.Contains(body, `"errcode":-1`) {
		t.Errorf("-1: %q", body)
	}
	tw.Fail(1, Failure{DropBefore: true})
	if _, _, err := post(); err == nil || len(tw.Posts()) != 0 {
		t.Errorf("dropped before: %v with %d posts, want an error and none", err, len(tw.Posts()))
	}
	tw.Fail(1, Failure{DropAfter: true, Delay: time.Millisecond})
	if _, _, err := post(); err == nil || len(tw.Posts()) != 1 {
		t.Errorf("dropped after: %v with %d posts, want an error and one", err, len(tw.Posts()))
	}
	if _, body, err := post(); err != nil || !strings.Contains(body, `"errcode":0`) {
		t.Errorf("after the failures: %q %v", body, err)
	}
}

func TestBounded(t *testing.T) {
	tw := New(Options{MaxPosts: 3, Now: func() time.Time { return time.Unix(1_790_000_000, 0) }})
	server := httptest.NewServer(tw)
	defer server.Close()
	for k := range 5 {
		ask(t, "POST", fmt.Sprintf("%s/cgi-bin/webhook/send?key=k%d", server.URL, k), `{"msgtype":"text","text":{"content":"x"}}`)
		ask(t, "POST", fmt.Sprintf("%s/cgi-bin/webhook/send?key=k%d", server.URL, k), `{}`)
	}
	if got := tw.Posts(); len(got) != 3 || got[2].Channel != "key:k4" || len(tw.Refused()) != 3 || len(tw.rates) > 4 {
		t.Errorf("%d posts, %d refusals, %d rates kept; want the last 3", len(got), len(tw.Refused()), len(tw.rates))
	}
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		msgtype, text, html string
	}{
		{"markdown_v2", "# 周报\n- [a](https://example.org/x)\n  more", `<div class="h h1">周报</div>` + "\n" +
			`<div class="li i0">• <a rel="noreferrer" href="https://example.org/x">a</a></div>` + "\n" + `<div class="more i1">more</div>` + "\n"},
		{"markdown", "- a *b* **c**\n> q", `<div class="line">- a *b* <b>c</b></div>` + "\n" + `<div class="q q1">q</div>` + "\n"},
		{"markdown", `<font color="info">ok</font> <@lisi>`, `<div class="line"><span class="info">ok</span> <span class="at">@lisi</span></div>` + "\n"},
		{"markdown_v2", `<font color="info">ok</font> <@lisi> *i*`, `<div class="line">&lt;font color=&#34;info&#34;&gt;ok&lt;/font&gt; &lt;@lisi&gt; <i>i</i></div>` + "\n"},
		{"text", "**x** [a](b)", `<div class="line">**x** [a](b)</div>` + "\n"},
		{"markdown_v2", "[x](javascript:alert)", `<div class="line"><a rel="noreferrer" href="#">x</a></div>` + "\n"},
		{"markdown_v2", "```\n**x**\n```\n---", `<div class="pre">**x**</div>` + "\n<hr>"},
	} {
		if got := string(Read(c.msgtype, c.text).HTML); got != c.html {
			t.Errorf("Read(%s, %q) =\n%s\nwant\n%s", c.msgtype, c.text, got, c.html)
		}
	}
	if got := Read("markdown", "<@lisi> [a](https://example.org)"); len(got.Mentions) != 1 || len(got.Links) != 1 {
		t.Errorf("Read = %+v, want one mention and one link", got)
	}
}
