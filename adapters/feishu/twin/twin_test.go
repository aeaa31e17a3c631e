package twin

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

type clock struct{ now time.Time }

func start(t *testing.T, opt Options) (*Twin, string, *clock) {
	t.Helper()
	c := &clock{time.Unix(1599360473, 0)}
	opt.Now = func() time.Time { return c.now }
	tw := New(opt)
	server := httptest.NewServer(tw)
	t.Cleanup(server.Close)
	return tw, server.URL, c
}

// post is a request written by hand.
func post(t *testing.T, url string, header map[string]string, body string) (status, code int, answer string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
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
	raw, _ := io.ReadAll(resp.Body)
	var got struct{ Code *int }
	if json.Unmarshal(raw, &got) != nil || got.Code == nil {
		return resp.StatusCode, -1, string(raw)
	}
	return resp.StatusCode, *got.Code, string(raw)
}

const (
	hook     = "/open-apis/bot/v2/hook/"
	textBody = `{"msg_type":"text","content":{"text":"应用报警 x"}}`
	cardText = `{"schema":"2.0","config":{"summary":{"content":"s"}},"header":{"title":{"tag":"plain_text","content":"t"},"template":"blue"},"body":{"elements":[{"tag":"markdown","content":"x"}]}}`
)

func cardBody(card string) string { return `{"msg_type":"interactive","card":` + card + `}` }

func TestHookRefusesWhatIsWrong(t *testing.T) {
	tw, base, _ := start(t, Options{PerSecond: -1, Bots: []Bot{{Token: "open"}, {Token: "words", Keywords: []string{"生日", "应用报警"}}}})
	manyElements := strings.Repeat(`{"tag":"hr"},`, 200) + `{"tag":"hr"}`
	for _, c := range []struct {
		name, token, body string
		status, code      int
	}{
		{"text", "open", textBody, 200, 0},
		{"card", "open", cardBody(cardText), 200, 0},
		{"post", "open", `{"msg_type":"post","content":{"post":{"zh_cn":{"title":"t","content":[[{"tag":"text","text":"x"},{"tag":"a","text":"y","href":"https://example.org"}]]}}}}`, 200, 0},
		{"unknown bot", "gone", textBody, 200, 19001},
		{"no msg_type", "open", `{"content":{"text":"x"}}`, 200, 19002},
		{"unknown msg_type", "open", `{"msg_type":"markdown","content":{"text":"x"}}`, 400, 9499},
		{"no JSON", "open", `msg_type=text`, 400, 9499},
		{"no text", "open", `{"msg_type":"text","content":{}}`, 400, 9499},
		{"no card", "open", `{"msg_type":"interactive","content":{}}`, 400, 9499},
		{"unknown attribute", "open", cardBody(strings.Replace(cardText, `"tag":"markdown"`, `"tag":"markdown","href":{}`, 1)), 400, 9499},
		{"attribute of 1.0", "open", cardBody(strings.Replace(cardText, `"config":{`, `"config":{"wide_screen_mode":true,`, 1)), 400, 9499},
		{"elements of 1.0", "open", cardBody(strings.Replace(cardText, `"body":`, `"elements":[],"body":`, 1)), 400, 9499},
		{"unknown tag", "open", cardBody(strings.Replace(cardText, `"markdown"`, `"note"`, 1)), 400, 9499},
		{"unknown colour", "open", cardBody(strings.Replace(cardText, `"blue"`, `"pink"`, 1)), 400, 9499},
		{"title is no text", "open", cardBody(strings.Replace(cardText, `"plain_text"`, `"markdown"`, 1)), 400, 9499},
		{"button without behaviors", "open", cardBody(strings.Replace(cardText, `{"tag":"markdown","content":"x"}`, `{"tag":"button","text":{"tag":"plain_text","content":"b"}}`, 1)), 400, 9499},
		{"button of 101 characters", "open", cardBody(strings.Replace(cardText, `{"tag":"markdown","content":"x"}`,
			`{"tag":"button","text":{"tag":"plain_text","content":"`+strings.Repeat("周", 101)+`"},"behaviors":[{"type":"open_url","default_url":"https://example.org"}]}`, 1)), 400, 9499},
		{"201 elements", "open", cardBody(strings.Replace(cardText, `{"tag":"markdown","content":"x"}`, manyElements, 1)), 400, 9499},
		{"keyword", "words", textBody, 200, 0},
		{"keyword in a card", "words", cardBody(strings.Replace(cardText, `"x"`, `"生日"`, 1)), 200, 0},
		{"no keyword", "words", cardBody(cardText), 200, 19024},
	} {
		status, code, answer := post(t, base+hook+c.token, nil, c.body)
		if status != c.status || code != c.code {
			t.Errorf("%s: %d %s, want %d %d", c.name, status, answer, c.status, c.code)
		}
	}
	if status, code, _ := post(t, base+hook+"open", map[string]string{"Content-Type": "text/plain"}, textBody); status != 400 || code != 9499 {
		t.Errorf("not sent as JSON: %d %d", status, code)
	}
	if n := len(tw.Posts()); n != 5 {
		t.Errorf("%d posts shown, want 5", n)
	}
}

func TestHookSize(t *testing.T) {
	tw, base, _ := start(t, Options{})
	for _, c := range []struct{ bytes, code int }{{20000, 0}, {20001, 9499}} {
		frame := `{"msg_type":"text","content":{"text":""}}`
		n := c.bytes - len(frame)
		body := strings.Replace(frame, `""`, `"`+strings.Repeat("周", n/3)+strings.Repeat("a", n%3)+`"`, 1)
		if _, code, _ := post(t, base+hook+"t", nil, body); code != c.code || len(body) != c.bytes {
			t.Errorf("%d bytes: code %d, want %d", len(body), code, c.code)
		}
	}
	if len(tw.Posts()) != 1 || len(tw.Refused()) != 1 || tw.Refused()[0].Code != "9499" {
		t.Errorf("%d posts, refused %+v", len(tw.Posts()), tw.Refused())
	}
}

func TestHookSignature(t *testing.T) {
	const secret = "this is a secret"
	_, base, _ := start(t, Options{PerSecond: -1, Bots: []Bot{{Token: "t", Secret: secret}}})
	sign := func(seconds int64, key, msg string) string {
		mac := hmac.New(sha256.New, []byte(strings.ReplaceAll(key, "TS", strconv.FormatInt(seconds, 10))))
		mac.Write([]byte(strings.ReplaceAll(msg, "TS", strconv.FormatInt(seconds, 10))))
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	const now = 1599360473
	for _, c := range []struct {
		name      string
		timestamp string
		sign      string
		code      int
	}{
		{"the page's algorithm", `"1599360473"`, "1MOZEWNVTqWg9yZemgxUa9z7jxJJ1h8E3/cwLrbxW+8=", 0},
		{"timestamp as number", `1599360473`, "1MOZEWNVTqWg9yZemgxUa9z7jxJJ1h8E3/cwLrbxW+8=", 0},
		{"59 minutes old", `"` + fmt.Sprint(now-3540) + `"`, sign(now-3540, "TS\n"+secret, ""), 0},
		{"61 minutes old", `"` + fmt.Sprint(now-3660) + `"`, sign(now-3660, "TS\n"+secret, ""), 19021},
		{"61 minutes ahead", `"` + fmt.Sprint(now+3660) + `"`, sign(now+3660, "TS\n"+secret, ""), 19021},
		{"as DingTalk signs", `"1599360473"`, sign(now, secret, "TS\n"+secret), 19021},
		{"milliseconds", `"1599360473000"`, sign(now*1000, "TS\n"+secret, ""), 19021},
		{"another secret", `"1599360473"`, sign(now, "TS\nother", ""), 19021},
		{"no signature", `"1599360473"`, "", 19021},
		{"no timestamp", `""`, "1MOZEWNVTqWg9yZemgxUa9z7jxJJ1h8E3/cwLrbxW+8=", 19021},
	} {
		body := `{"timestamp":` + c.timestamp + `,"sign":"` + c.sign + `",` + textBody[1:]
		if _, code, answer := post(t, base+hook+"t", nil, body); code != c.code {
			t.Errorf("%s: %s, want %d", c.name, answer, c.code)
		}
	}
}

func TestHookRates(t *testing.T) {
	tw, base, clock := start(t, Options{})
	begin := clock.now
	send := func(token string) int {
		_, code, _ := post(t, base+hook+token, nil, textBody)
		return code
	}
	for k := range 6 {
		if code := send("a"); k < 5 && code != 0 || k == 5 && code != 11232 {
			t.Errorf("post %d within a second: %d", k, code)
		}
	}
	if code := send("b"); code != 0 {
		t.Errorf("another bot: %d", code)
	}
	for k := 1; k < 20; k++ { // 100 in the first 20 seconds
		clock.now = begin.Add(time.Duration(k) * time.Second)
		for range 5 {
			if code := send("a"); code != 0 {
				t.Fatalf("second %d: %d", k, code)
			}
		}
	}
	for _, c := range []struct {
		after time.Duration
		code  int
	}{{20 * time.Second, 11232}, {59 * time.Second, 11232}, {60 * time.Second, 0}} {
		clock.now = begin.Add(c.after)
		if code := send("a"); code != c.code {
			t.Errorf("after %v: %d, want %d", c.after, code, c.code)
		}
	}
	if n := len(tw.Posts()); n != 102 {
		t.Errorf("%d posts shown, want 102", n)
	}
}

func appOptions() Options {
	return Options{AppID: "cli_1", AppSecret: "sec", TenantKey: "tk", EventToken: "vt", EncryptKey: "test key", ChatRate: -1, APIPerSecond: -1}
}

func token(t *testing.T, base string) map[string]string {
	t.Helper()
	status, code, answer := post(t, base+"/open-apis/auth/v3/tenant_access_token/internal", nil, `{"app_id":"cli_1","app_secret":"sec"}`)
	var got struct {
		Token  string `json:"tenant_access_token"`
		Expire int
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil || status != 200 || code != 0 || !strings.HasPrefix(got.Token, "t-") || got.Expire <= 0 {
		t.Fatalf("tenant_access_token: %d %s", status, answer)
	}
	return map[string]string{"Authorization": "Bearer " + got.Token}
}

func TestAccessToken(t *testing.T) {
	_, base, clock := start(t, appOptions())
	first := token(t, base)["Authorization"]
	clock.now = clock.now.Add(89 * time.Minute)
	if token(t, base)["Authorization"] != first {
		t.Error("another token while the first is good for more than half an hour")
	}
	clock.now = clock.now.Add(2 * time.Minute)
	if token(t, base)["Authorization"] == first {
		t.Error("the same token in its last half hour")
	}
	for body, want := range map[string]int{`{"app_id":"cli_1","app_secret":"no"}`: 10014, `{"app_id":"cli_2","app_secret":"sec"}`: 10003, `{}`: 10003, `x`: 10003} {
		if status, code, _ := post(t, base+"/open-apis/auth/v3/tenant_access_token/internal", nil, body); status != 200 || code != want {
			t.Errorf("%s: %d %d, want 200 %d", body, status, code, want)
		}
	}
}

const messages = "/open-apis/im/v1/messages"

func message(receiver, kind, content, uuid string) string {
	b, _ := json.Marshal(map[string]string{"receive_id": receiver, "msg_type": kind, "content": content, "uuid": uuid})
	return string(b)
}

func TestMessagesRefuseWhatIsWrong(t *testing.T) {
	opt := appOptions()
	opt.Chats, opt.Users = []string{"oc_1"}, []string{"ou_1"}
	tw, base, _ := start(t, opt)
	good := token(t, base)
	hi := message("oc_1", "text", `{"text":"x"}`, "")
	ofSize := func(kind string, bytes int) string {
		content := `{"text":"PAD"}`
		if kind == "interactive" {
			content = strings.Replace(cardText, `"x"`, `"PAD"`, 1)
		}
		frame := message("oc_1", kind, content, "")
		n := bytes - len(frame) + len("PAD")
		return strings.Replace(frame, "PAD", strings.Repeat("周", n/3)+strings.Repeat("a", n%3), 1)
	}
	for _, c := range []struct {
		name         string
		header       map[string]string
		query, body  string
		status, code int
	}{
		{"text to a chat", good, "chat_id", hi, 200, 0},
		{"card to a person", good, "open_id", message("ou_1", "interactive", cardText, "u1"), 200, 0},
		{"no token", nil, "chat_id", hi, 400, 99991661},
		{"stale token", map[string]string{"Authorization": "Bearer t-x"}, "chat_id", hi, 400, 99991663},
		{"token of another kind", map[string]string{"Authorization": "Bearer x"}, "chat_id", hi, 400, 99991671},
		{"no receive_id_type", good, "", hi, 400, 99992402},
		{"another type of ID", good, "open_id", hi, 400, 230001},
		{"no receive_id", good, "chat_id", message("", "text", `{"text":"x"}`, ""), 400, 230001},
		{"not in the chat", good, "chat_id", message("oc_2", "text", `{"text":"x"}`, ""), 400, 230002},
		{"not available", good, "open_id", message("ou_2", "text", `{"text":"x"}`, ""), 400, 230013},
		{"unknown msg_type", good, "chat_id", message("oc_1", "markdown", `{"text":"x"}`, ""), 400, 230001},
		{"content is no JSON", good, "chat_id", message("oc_1", "text", `x`, ""), 400, 230001},
		{"no text", good, "chat_id", message("oc_1", "text", `{}`, ""), 400, 230001},
		{"card with an unknown attribute", good, "chat_id", message("oc_1", "interactive", strings.Replace(cardText, `"tag":"markdown"`, `"tag":"markdown","x":1`, 1), ""), 400, 230099},
		{"201 elements", good, "chat_id", message("oc_1", "interactive", strings.Replace(cardText, `{"tag":"markdown","content":"x"}`, strings.Repeat(`{"tag":"hr"},`, 199)+`{"tag":"hr"},{"tag":"hr"}`, 1), ""), 400, 230099},
		{"uuid of 50", good, "chat_id", message("oc_1", "text", `{"text":"x"}`, strings.Repeat("u", 50)), 200, 0},
		{"uuid of 51", good, "chat_id", message("oc_1", "text", `{"text":"x"}`, strings.Repeat("u", 51)), 400, 99992402},
		{"card of 30000 bytes", good, "chat_id", ofSize("interactive", 30000), 200, 0},
		{"card of 30001 bytes", good, "chat_id", ofSize("interactive", 30001), 400, 230025},
		{"text of 150000 bytes", good, "chat_id", ofSize("text", 150000), 200, 0},
		{"text of 150001 bytes", good, "chat_id", ofSize("text", 150001), 400, 230025},
		{"no JSON", good, "chat_id", "x", 400, 9499},
	} {
		status, code, answer := post(t, base+messages+"?receive_id_type="+c.query, c.header, c.body)
		if status != c.status || code != c.code {
			t.Errorf("%s: %d %.200s, want %d %d", c.name, status, answer, c.status, c.code)
		}
	}
	if n := len(tw.Posts()); n != 5 {
		t.Errorf("%d posts shown, want 5", n)
	}
}

func TestAppLimits(t *testing.T) {
	send := func(t *testing.T, base string, header map[string]string, chat string) (int, int, string) {
		return post(t, base+messages+"?receive_id_type=chat_id", header, message(chat, "text", `{"text":"x"}`, ""))
	}
	for name, c := range map[string]struct {
		change func(*Options)
		code   int
		words  string
	}{
		"permission": {func(o *Options) { o.Unpermitted = true }, 99991672, "im:message:send_as_bot"},
		"ability":    {func(o *Options) { o.NoBot = true }, 230006, "Bot ability"},
	} {
		t.Run(name, func(t *testing.T) {
			opt := appOptions()
			c.change(&opt)
			_, base, _ := start(t, opt)
			if status, code, answer := send(t, base, token(t, base), "oc_1"); status != 400 || code != c.code || !strings.Contains(answer, c.words) {
				t.Errorf("%d %s", status, answer)
			}
		})
	}
	t.Run("per chat", func(t *testing.T) {
		opt := appOptions()
		opt.ChatRate = 0
		_, base, clock := start(t, opt)
		header := token(t, base)
		for k := range 6 {
			if status, code, _ := send(t, base, header, "oc_1"); k < 5 && code != 0 || k == 5 && (status != 400 || code != 230020) {
				t.Errorf("message %d in a second: %d %d", k, status, code)
			}
		}
		if _, code, _ := send(t, base, header, "oc_2"); code != 0 {
			t.Errorf("another chat: %d", code)
		}
		clock.now = clock.now.Add(time.Second)
		if _, code, _ := send(t, base, header, "oc_1"); code != 0 {
			t.Errorf("a second later: %d", code)
		}
	})
	t.Run("per app", func(t *testing.T) {
		opt := appOptions()
		opt.APIPerSecond, opt.APIPerMinute = 0, 60
		_, base, clock := start(t, opt)
		header := token(t, base)
		for k := range 51 {
			if status, code, _ := send(t, base, header, fmt.Sprint("oc_", k)); k < 50 && code != 0 || k == 50 && (status != 429 || code != 99991400) {
				t.Errorf("call %d in a second: %d %d", k, status, code)
			}
		}
		clock.now = clock.now.Add(time.Second)
		for k := range 11 {
			req, _ := http.NewRequest(http.MethodPost, base+messages+"?receive_id_type=chat_id", strings.NewReader(message(fmt.Sprint("oc_", k), "text", `{"text":"x"}`, "")))
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", header["Authorization"])
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if reset := resp.Header.Get("x-ogw-ratelimit-reset"); k < 10 && resp.StatusCode != 200 || k == 10 && (resp.StatusCode != 429 || reset != "59") {
				t.Errorf("call %d in a minute: %d, reset %q", 50+k, resp.StatusCode, reset)
			}
		}
	})
}

func TestUUIDIsShownOnceWithinAnHour(t *testing.T) {
	tw, base, clock := start(t, appOptions())
	header := token(t, base)
	send := func(uuid string) string {
		_, code, answer := post(t, base+messages+"?receive_id_type=chat_id", header, message("oc_1", "text", `{"text":"x"}`, uuid))
		var got struct {
			Data struct {
				ID string `json:"message_id"`
			}
		}
		if json.Unmarshal([]byte(answer), &got); code != 0 || got.Data.ID == "" {
			t.Fatal(answer)
		}
		return got.Data.ID
	}
	first := send("u")
	clock.now = clock.now.Add(59 * time.Minute)
	if again := send("u"); again != first {
		t.Errorf("the same uuid gave %s, then %s", first, again)
	}
	send("v")
	send("")
	send("")
	clock.now = clock.now.Add(2 * time.Minute)
	send("u")
	if n := len(tw.Posts()); n != 5 {
		t.Errorf("%d posts shown, want 5: one for each uuid and hour, and each without", n)
	}
}

// A bot written by hand: it checks the signature, decrypts and answers.
func TestSayAndReply(t *testing.T) {
	tw, base, _ := start(t, appOptions())
	var got struct {
		Type, Challenge string
		Header          struct {
			Token  string
			AppID  string `json:"app_id"`
			Tenant string `json:"tenant_key"`
			Type   string `json:"event_type"`
			ID     string `json:"event_id"`
		}
		Event struct{ Message map[string]any }
	}
	status := 200
	bot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sum := sha256.Sum256([]byte(r.Header.Get("X-Lark-Request-Timestamp") + r.Header.Get("X-Lark-Request-Nonce") + "test key" + string(body)))
		if r.Header.Get("X-Lark-Signature") != hex.EncodeToString(sum[:]) || r.Header.Get("X-Lark-Request-Timestamp") != "1599360473" {
			t.Errorf("pushed with %v", r.Header)
		}
		var envelope struct{ Encrypt string }
		_ = json.Unmarshal(body, &envelope)
		if err := json.Unmarshal(openByHand(t, "test key", envelope.Encrypt), &got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"challenge":%q}`, got.Challenge)
	}))
	defer bot.Close()
	if err := tw.Verify(t.Context(), bot.URL); err != nil || got.Type != "url_verification" {
		t.Errorf("Verify: %v", err)
	}
	if code, err := tw.Say(t.Context(), bot.URL, Said{Text: "/hot", User: "ou_1", Chat: "oc_1", MessageID: "om_1", EventID: "e1"}); err != nil || code != 200 {
		t.Fatalf("%d, %v", code, err)
	}
	if got.Header.Token != "vt" || got.Header.AppID != "cli_1" || got.Header.Tenant != "tk" || got.Header.Type != "im.message.receive_v1" || got.Header.ID != "e1" ||
		got.Event.Message["content"] != `{"text":"@_user_1 /hot"}` || got.Event.Message["chat_type"] != "group" {
		t.Errorf("event %+v", got)
	}
	header := token(t, base)
	reply := func(id string) int {
		_, code, _ := post(t, base+messages+"/"+id+"/reply", header, message("", "text", `{"text":"x"}`, ""))
		return code
	}
	if code := reply("om_1"); code != 0 || tw.Posts()[0].Channel != "oc_1" || tw.Posts()[0].ReplyTo != "om_1" {
		t.Errorf("reply: %d, %+v", code, tw.Posts())
	}
	if code := reply("om_2"); code != 230001 {
		t.Errorf("reply to an unknown message: %d", code)
	}
	tw.Recall("om_1")
	if code := reply("om_1"); code != 230011 {
		t.Errorf("reply to a message taken back: %d", code)
	}
	status = 500
	if err := tw.Verify(t.Context(), bot.URL); err == nil {
		t.Error("a wrong answer to url_verification was taken")
	}
}

func openByHand(t *testing.T, encryptKey, encrypted string) []byte {
	raw, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(raw) < 32 {
		t.Fatalf("encrypt %q: %v", encrypted, err)
	}
	key := sha256.Sum256([]byte(encryptKey))
	block, _ := aes.NewCipher(key[:])
	cipher.NewCBCDecrypter(block, raw[:16]).CryptBlocks(raw[16:], raw[16:])
	return raw[16 : len(raw)-int(raw[len(raw)-1])]
}

func TestOrderedFailures(t *testing.T) {
	tw, base, _ := start(t, appOptions())
	header := token(t, base)
	robot, app := base+hook+"t", base+messages+"?receive_id_type=chat_id"
	tw.Fail(2, Failure{Code: 19022, Message: "Ip Not Allowed"})
	tw.Fail(1, Failure{Code: 99991400, Status: 429, Reset: "52"})
	tw.Fail(1, Failure{Status: 502, Body: "<html>"})
	for k, want := range []struct {
		url          string
		status, code int
	}{{robot, 200, 19022}, {robot, 200, 19022}, {app, 429, 99991400}, {app, 502, -1}, {robot, 200, 0}} {
		body := textBody
		if want.url == app {
			body = message("oc_1", "text", `{"text":"x"}`, "")
		}
		if status, code, answer := post(t, want.url, header, body); status != want.status || code != want.code {
			t.Errorf("call %d: %d %s, want %d %d", k, status, answer, want.status, want.code)
		}
	}
	for _, drop := range []Drop{DropBefore, DropAfter} {
		tw.Fail(1, Failure{Drop: drop, Delay: time.Millisecond})
		resp, err := http.Post(robot, "application/json", strings.NewReader(textBody))
		if err == nil {
			resp.Body.Close()
			t.Errorf("drop %d: answered %s", drop, resp.Status)
		}
	}
	if n := len(tw.Posts()); n != 2 { // one usual, one whose answer was lost
		t.Errorf("%d posts shown, want 2", n)
	}
}

func TestMentionsAreSeen(t *testing.T) {
	tw, base, _ := start(t, Options{})
	post(t, base+hook+"t", nil, `{"msg_type":"text","content":{"text":"<at user_id=\"all\">x</at>"}}`)
	post(t, base+hook+"t", nil, cardBody(strings.Replace(cardText, `"x"`, `"<at id=all></at> <at ids=ou_1,ou_2></at> &#60;at id=all&#62;"`, 1)))
	posts := tw.Posts()
	if len(posts) != 2 || len(posts[0].Mentions) != 1 || len(posts[1].Mentions) != 2 || posts[1].Mentions[0] != "all" {
		t.Errorf("%+v", posts)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	tw, base, _ := start(t, Options{Keep: 5, PerMinute: -1, PerSecond: -1})
	for k := range 50 {
		post(t, base+hook+"t", nil, fmt.Sprintf(`{"msg_type":"text","content":{"text":"%d"}}`, k))
	}
	posts := tw.Posts()
	if len(posts) < 5 || len(posts) > 10 || strings.TrimSpace(posts[len(posts)-1].Text()) != "49" {
		t.Errorf("%d posts kept, want the last 5 to 10", len(posts))
	}
}

func TestSocketRefusesWhatIsWrong(t *testing.T) {
	tw, base, _ := start(t, appOptions())
	endpoint := func(body string) (code int, url string) {
		_, code, answer := post(t, base+"/callback/ws/endpoint", nil, body)
		var got struct{ Data struct{ URL string } }
		_ = json.Unmarshal([]byte(answer), &got)
		return code, got.Data.URL
	}
	if code, _ := endpoint(`{"AppID":"cli_1","AppSecret":"no"}`); code != 10014 {
		t.Errorf("wrong secret: %d", code)
	}
	dial := func(url string) (*websocket.Conn, *http.Response) {
		conn, resp, err := websocket.DefaultDialer.Dial(url, nil)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
		}
		return conn, resp
	}
	_, address := endpoint(`{"AppID":"cli_1","AppSecret":"sec"}`)
	conn, resp := dial(address)
	if conn == nil {
		t.Fatalf("%s: %+v", address, resp)
	}
	if again, resp := dial(address); again != nil || resp.Header.Get("Handshake-Status") != "514" {
		t.Errorf("a ticket was good twice: %+v", resp)
	}
	if _, err := tw.SaySocket(t.Context(), Said{Text: "x", Chat: "oc_1"}); err == nil {
		t.Error("nobody acknowledged, and no error")
	}
	if err := conn.WriteMessage(websocket.BinaryMessage, []byte{0xff}); err != nil {
		t.Fatal(err)
	}
	for { // the event of above comes first
		if _, _, err := conn.ReadMessage(); err != nil {
			break
		}
	}
	for k := range 51 {
		_, address := endpoint(`{"AppID":"cli_1","AppSecret":"sec"}`)
		conn, resp := dial(address)
		if k == 50 && (conn != nil || resp.Header.Get("Handshake-Autherrcode") != "1000040350") || k < 50 && conn == nil {
			t.Errorf("connection %d: %+v", k, resp)
		}
		for end := time.Now().Add(time.Minute); k < 50 && tw.Connections() != k+1 && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}
}

func TestPage(t *testing.T) {
	_, base, _ := start(t, Options{Bots: []Bot{{Token: "tok", Name: "架构组"}}})
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
	post(t, base+hook+"tok", nil, cardBody(`{"schema":"2.0","header":{"title":{"tag":"plain_text","content":"<b>周报</b>"}},"body":{"elements":[
		{"tag":"markdown","content":"#### 栏目\n\n- [甲](https://example.org/1)<br>一句\n    - x <script>alert(1)</script> [乙](javascript:alert(1)) &#42;星&#42;"},{"tag":"hr"},
		{"tag":"column_set","flex_mode":"flow","columns":[{"tag":"column","width":"auto","elements":[{"tag":"button","text":{"tag":"plain_text","content":"阅读"},
		"behaviors":[{"type":"open_url","default_url":"javascript:alert(2)"}]}]}]},{"tag":"markdown","content":"注","text_size":"notation"}]}}`))
	post(t, base+hook+"tok", nil, `{"msg_type":"html"}`)
	page := get("?chat=" + url.QueryEscape("bot:tok"))
	for _, want := range []string{"架构组", "<h4>栏目</h4>", `<a href="https://example.org/1">甲</a><br>`, "&lt;b&gt;周报", "阅读", "*星*", "<hr>", `class="small"`, "9499"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<script>") || strings.Contains(page, `href="javascript`) {
		t.Errorf("the page runs what was posted:\n%s", page)
	}
	if strings.Count(page, "<div") != strings.Count(page, "</div>") {
		t.Errorf("%d <div, %d </div>", strings.Count(page, "<div"), strings.Count(page, "</div>"))
	}
}

func TestUploads(t *testing.T) {
	tw, base, _ := start(t, appOptions())
	good := token(t, base)
	const imagesPath = "/open-apis/im/v1/images"
	form := func(kind, field, content string) (map[string]string, string) {
		header := map[string]string{"Content-Type": "multipart/form-data; boundary=b"}
		maps.Copy(header, good)
		return header, "--b\r\nContent-Disposition: form-data; name=\"image_type\"\r\n\r\n" + kind +
			"\r\n--b\r\nContent-Disposition: form-data; name=\"" + field + "\"; filename=\"a.png\"\r\n\r\n" + content + "\r\n--b--\r\n"
	}
	const png = "\x89PNG\r\n\x1a\n"
	for _, c := range []struct {
		name, kind, field, content string
		code                       int
	}{
		{"good", "message", "image", png, 0}, {"avatar", "avatar", "image", png, 234001}, {"no file", "message", "file", png, 234001},
		{"empty", "message", "image", "", 234010}, {"text", "message", "image", "hello", 234011},
	} {
		header, body := form(c.kind, c.field, c.content)
		if _, code, answer := post(t, base+imagesPath, header, body); code != c.code {
			t.Errorf("%s: %s, want %d", c.name, answer, c.code)
		}
	}
	header, body := form("message", "image", png)
	_, _, answer := post(t, base+imagesPath, header, body)
	_, key, _ := strings.Cut(answer, `"image_key":"`)
	key, _, _ = strings.Cut(key, `"`)
	card := func(key string) string {
		return message("oc_1", "interactive", `{"schema":"2.0","body":{"elements":[{"tag":"img","img_key":"`+key+`","alt":{"tag":"plain_text","content":"a"}}]}}`, "")
	}
	for name, want := range map[string]int{key: 0, "img_v3_other": 230099, "": 230099} {
		if _, code, answer := post(t, base+messages+"?receive_id_type=chat_id", good, card(name)); code != want {
			t.Errorf("a card with %q: %s, want %d", name, answer, want)
		}
	}
	if status, code, _ := post(t, base+imagesPath, nil, body); code != 99991661 {
		t.Errorf("without token: %d %d", status, code)
	}
	resp, err := http.Get(base + "/?chat=oc_1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, _ := io.ReadAll(resp.Body); !strings.Contains(string(page), `src="data:image/png;base64,`) || len(tw.Posts()) != 1 {
		t.Errorf("%d posts; the page shows no image:\n%s", len(tw.Posts()), page)
	}
}

func TestMessagesAreTakenBackOnce(t *testing.T) {
	_, base, _ := start(t, appOptions())
	good := token(t, base)
	_, _, answer := post(t, base+messages+"?receive_id_type=chat_id", good, message("oc_1", "text", `{"text":"x"}`, ""))
	_, id, _ := strings.Cut(answer, `"message_id":"`)
	id, _, _ = strings.Cut(id, `"`)
	for _, c := range []struct {
		id     string
		header map[string]string
		want   string
	}{{id, nil, "99991661"}, {"om_other", good, "230001"}, {id, good, `"code":0`}, {id, good, "230011"}} {
		req, _ := http.NewRequest(http.MethodDelete, base+messages+"/"+c.id, nil)
		for k, v := range c.header {
			req.Header.Set(k, v)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if !strings.Contains(string(text), c.want) {
			t.Errorf("delete %s: %s, want %s", c.id, text, c.want)
		}
	}
}
