package twin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"weeklybot/adapters/slack/twin"
)

const token = "xoxb-test"

func start(t *testing.T, opt twin.Options) (*twin.Twin, string) {
	t.Helper()
	opt.BotToken, opt.SigningSecret = token, "secret"
	if opt.Window == 0 {
		opt.Window = time.Millisecond
	}
	tw := twin.New(opt)
	srv := httptest.NewServer(tw)
	t.Cleanup(srv.Close)
	tw.SetURL(srv.URL)
	return tw, srv.URL
}

// call is a request written by hand.
func call(t *testing.T, method, url, contentType, auth, body string) (status int, header http.Header, text string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if auth != "" {
		req.Header.Set("Authorization", "Bearer "+auth)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(raw)
}

func form(pairs ...string) string {
	v := url.Values{}
	for k := 0; k+1 < len(pairs); k += 2 {
		v.Set(pairs[k], pairs[k+1])
	}
	return v.Encode()
}

func section(n int) string {
	return `{"type":"section","text":{"type":"mrkdwn","text":"` + strings.Repeat("周", n) + `"}}`
}

func list(n int, block string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(block+",", n), ",") + "]"
}

func button(id, text, url string) string {
	return fmt.Sprintf(`{"type":"button","action_id":%q,"text":{"type":"plain_text","text":%q},"url":%q}`, id, text, url)
}

func menu(n int, value string) string {
	return `{"type":"overflow","action_id":"m","options":` + list(n, `{"text":{"type":"plain_text","text":"a"},"value":"`+value+`"}`) + `}`
}

func beside(accessory string) string {
	return `[{"type":"section","text":{"type":"mrkdwn","text":"x"},"accessory":` + accessory + `}]`
}

func actions(elements ...string) string {
	return `[{"type":"actions","elements":[` + strings.Join(elements, ",") + `]}]`
}

func TestRefusesWrongPosts(t *testing.T) {
	tw, base := start(t, twin.Options{})
	tw.SetChannel("C0ARCHIVED", twin.Channel{Archived: true})
	tw.SetChannel("C0OUTSIDE", twin.Channel{NotMember: true})
	tw.SetChannel("C0JOINED", twin.Channel{NotMember: true})
	tw.SetChannel("C0SECRET", twin.Channel{NotMember: true, Private: true})
	post := func(pairs ...string) string {
		return form(append([]string{"token", token, "channel", "C1"}, pairs...)...)
	}
	for _, c := range []struct {
		name, auth, body, want, says string
		path                         string
	}{
		{name: "no token", body: form("channel", "C1", "text", "x"), want: "not_authed"},
		{name: "wrong token in the body", body: form("token", "xoxb-other", "channel", "C1", "text", "x"), want: "invalid_auth"},
		{name: "wrong token in the header", auth: "xoxb-other", body: form("channel", "C1", "text", "x"), want: "invalid_auth"},
		{name: "token in the header", auth: token, body: form("channel", "C1", "text", "x")},
		{name: "token in the body", body: post("text", "x")},
		{name: "channel by name", body: form("token", token, "channel", "#general", "text", "x"), want: "channel_not_found"},
		{name: "no channel", body: form("token", token, "text", "x"), want: "channel_not_found"},
		{name: "archived", body: form("token", token, "channel", "C0ARCHIVED", "text", "x"), want: "is_archived"},
		{name: "not invited", body: form("token", token, "channel", "C0OUTSIDE", "text", "x"), want: "not_in_channel"},
		{name: "not invited, private", body: form("token", token, "channel", "C0SECRET", "text", "x"), want: "channel_not_found"},
		{name: "nothing to say", body: post(), want: "no_text"},
		{name: "blocks are no JSON", body: post("blocks", "[{"), want: "invalid_blocks_format"},
		{name: "50 blocks", body: post("blocks", list(50, section(1)))},
		{name: "51 blocks", body: post("blocks", list(51, section(1))), want: "invalid_blocks", says: "no more than 50 items"},
		{name: "section of 3000", body: post("blocks", list(1, section(3000)))},
		{name: "section of 3001", body: post("blocks", list(1, section(3001))), want: "invalid_blocks", says: "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"},
		{name: "empty section", body: post("blocks", list(1, section(0))), want: "invalid_blocks"},
		{name: "section without text", body: post("blocks", `[{"type":"section"}]`), want: "invalid_blocks"},
		{name: "13,171 in all", body: post("blocks", "["+strings.Repeat(section(3000)+",", 4)+section(1171)+"]")},
		{name: "13,172 in all", body: post("blocks", "["+strings.Repeat(section(3000)+",", 4)+section(1172)+"]"), want: "msg_blocks_too_long"},
		{name: "header of 151", body: post("blocks", `[{"type":"header","text":{"type":"plain_text","text":"`+strings.Repeat("a", 151)+`"}}]`), want: "invalid_blocks", says: "must be less than 151"},
		{name: "header in mrkdwn", body: post("blocks", `[{"type":"header","text":{"type":"mrkdwn","text":"a"}}]`), want: "invalid_blocks", says: "plain_text"},
		{name: "emoji for mrkdwn", body: post("blocks", `[{"type":"section","text":{"type":"mrkdwn","text":"a","emoji":true}}]`), want: "invalid_blocks"},
		{name: "empty context", body: post("blocks", `[{"type":"context","elements":[]}]`), want: "invalid_blocks"},
		{name: "11 in a context", body: post("blocks", `[{"type":"context","elements":`+list(11, `{"type":"mrkdwn","text":"a"}`)+`}]`), want: "invalid_blocks"},
		{name: "11 fields", body: post("blocks", `[{"type":"section","fields":`+list(11, `{"type":"mrkdwn","text":"a"}`)+`}]`), want: "invalid_blocks"},
		{name: "26 buttons", body: post("blocks", actions(func() (all []string) {
			for k := range 26 {
				all = append(all, button(fmt.Sprint(k), "a", "https://example.org/"))
			}
			return all
		}()...)), want: "invalid_blocks"},
		{name: "button text of 76", body: post("blocks", actions(button("a", strings.Repeat("a", 76), "https://example.org/"))), want: "invalid_blocks", says: "/blocks/0/elements/0/text/text"},
		{name: "button URL of 3001", body: post("blocks", actions(button("a", "a", strings.Repeat("u", 3001)))), want: "invalid_blocks"},
		{name: "one action twice", body: post("blocks", actions(button("a", "a", "https://example.org/"), button("a", "b", "https://example.org/"))), want: "invalid_blocks"},
		{name: "unknown block", body: post("blocks", `[{"type":"carousel"}]`), want: "invalid_blocks", says: "unsupported type: carousel"},
		{name: "long block id", body: post("blocks", `[{"type":"divider","block_id":"`+strings.Repeat("a", 256)+`"}]`), want: "invalid_blocks"},
		{name: "101 attachments", body: post("attachments", list(101, `{"text":"a"}`)), want: "too_many_attachments"},
		{name: "metadata is no JSON", body: post("text", "x", "metadata", "{"), want: "invalid_metadata_format"},
		{name: "metadata without payload", body: post("text", "x", "metadata", `{"event_type":"a"}`), want: "invalid_metadata_schema"},
		{name: "null in metadata", body: post("text", "x", "metadata", `{"event_type":"a","event_payload":{"b":null}}`), want: "invalid_metadata_schema"},
		{name: "huge metadata", body: post("text", "x", "metadata", `{"event_type":"a","event_payload":{"b":"`+strings.Repeat("a", 9000)+`"}}`), want: "metadata_too_large"},
		{name: "menu beside a section", body: post("blocks", beside(menu(5, "v")))},
		{name: "menu of 6", body: post("blocks", beside(menu(6, "v"))), want: "invalid_blocks", says: "/blocks/0/accessory/options"},
		{name: "menu of none", body: post("blocks", beside(menu(0, "v"))), want: "invalid_blocks"},
		{name: "option value of 151", body: post("blocks", beside(menu(1, strings.Repeat("v", 151)))), want: "invalid_blocks", says: "must be less than 151"},
		{name: "option without value", body: post("blocks", beside(menu(1, ""))), want: "invalid_blocks"},
		{name: "unknown accessory", body: post("blocks", beside(`{"type":"dial"}`)), want: "invalid_blocks", says: "unsupported type: dial"},
		{name: "ephemeral", path: "/api/chat.postEphemeral", body: post("text", "x", "user", "U1")},
		{name: "ephemeral to nobody", path: "/api/chat.postEphemeral", body: post("text", "x"), want: "user_not_in_channel"},
		{name: "ephemeral of nothing", path: "/api/chat.postEphemeral", body: post("user", "U1"), want: "no_text"},
		{name: "join", path: "/api/conversations.join", body: form("token", token, "channel", "C0JOINED")},
		{name: "join a private channel", path: "/api/conversations.join", body: form("token", token, "channel", "G1"), want: "method_not_supported_for_channel_type"},
		{name: "join an archive", path: "/api/conversations.join", body: form("token", token, "channel", "C0ARCHIVED"), want: "is_archived"},
		{name: "unknown method", path: "/api/chat.shout", body: post("text", "x"), want: "unknown_method"},
		{name: "update of nothing", path: "/api/chat.update", body: post("text", "x", "ts", "1.1"), want: "message_not_found"},
		{name: "delete of nothing", path: "/api/chat.delete", body: post("ts", "1.1"), want: "message_not_found"},
		{name: "thread of nothing", path: "/api/conversations.replies", body: post("ts", "1.1"), want: "thread_not_found"},
		{name: "history from outside", path: "/api/conversations.history", body: form("token", token, "channel", "C0OUTSIDE"), want: "not_in_channel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := "/api/chat.postMessage"
			if c.path != "" {
				path = c.path
			}
			before := len(tw.Refused())
			status, _, raw := call(t, "POST", base+path, "application/x-www-form-urlencoded", c.auth, c.body)
			var got struct {
				OK       bool
				Error    string
				TS       string
				Metadata struct{ Messages []string } `json:"response_metadata"`
			}
			if err := json.Unmarshal([]byte(raw), &got); err != nil || status != 200 {
				t.Fatalf("answer %d %s", status, raw)
			}
			if got.Error != c.want || got.OK != (c.want == "") || !strings.Contains(strings.Join(got.Metadata.Messages, " "), c.says) {
				t.Errorf("answer %s, want error %q saying %q", raw, c.want, c.says)
			}
			if noted := len(tw.Refused()) > before; noted != (c.want != "") {
				t.Errorf("noted as refused: %v", noted)
			}
		})
	}
}

func TestPostAsJSON(t *testing.T) {
	tw, base := start(t, twin.Options{})
	body := `{"channel":"C1","text":"hello","unfurl_links":false,"unfurl_media":false,"blocks":` + list(2, section(3)) + `}`
	status, _, raw := call(t, "POST", base+"/api/chat.postMessage", "application/json", token, body)
	if posts := tw.Posts(); status != 200 || len(posts) != 1 || len(posts[0].Message.Blocks) != 2 || posts[0].Message.UnfurlMedia {
		t.Errorf("answer %s, posts %+v", raw, posts)
	}
}

func TestMetadataWithADotVanishes(t *testing.T) {
	tw, base := start(t, twin.Options{})
	call(t, "POST", base+"/api/chat.postMessage", "application/x-www-form-urlencoded", token,
		form("channel", "C1", "text", "x", "metadata", `{"event_type":"a.b","event_payload":{"c":1}}`))
	if posts := tw.Posts(); len(posts) != 1 || posts[0].Message.Metadata != nil {
		t.Errorf("posts = %+v, want one without metadata", posts)
	}
}

func TestWebhook(t *testing.T) {
	tw, base := start(t, twin.Options{})
	tw.RemoveWebhook("/services/T/B/REMOVED")
	tw.SetChannel("BARCHIVED", twin.Channel{Archived: true})
	for _, c := range []struct {
		name, path, body string
		status           int
		want             string
	}{
		{"accepted", "/services/T/B/X", `{"text":"x"}`, 200, "ok"},
		{"removed", "/services/T/B/REMOVED", `{"text":"x"}`, 404, "no_service"},
		{"archived", "/services/T/BARCHIVED/X", `{"text":"x"}`, 410, "channel_is_archived"},
		{"no JSON", "/services/T/B/X", `text=x`, 400, "invalid_payload"},
		{"nothing to say", "/services/T/B/X", `{}`, 400, "no_text"},
		{"bad blocks", "/services/T/B/X", `{"blocks":[{"type":"section"}]}`, 400, "invalid_blocks"},
		{"too many attachments", "/services/T/B/X", `{"attachments":` + list(101, `{}`) + `}`, 400, "too_many_attachments"},
		{"expired response URL", "/response/1", `{"text":"x"}`, 404, "expired_url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, _, text := call(t, "POST", base+c.path, "application/json", "", c.body); status != c.status || text != c.want {
				t.Errorf("answer %d %q, want %d %q", status, text, c.status, c.want)
			}
		})
	}
	if n := len(tw.Posts()); n != 1 {
		t.Errorf("%d posts, want 1", n)
	}
}

// A method's own pace: others go on.
func TestPaceOfMethods(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	_, base := start(t, twin.Options{Window: time.Minute, Now: func() time.Time { return now }})
	history := func() (int, string) {
		status, header, _ := call(t, "POST", base+"/api/conversations.history", "application/x-www-form-urlencoded", token, form("channel", "C1"))
		return status, header.Get("Retry-After")
	}
	for k := range 50 {
		if status, _ := history(); status != 200 {
			t.Fatalf("call %d: %d", k+1, status)
		}
	}
	if status, after := history(); status != 429 || after != "2" {
		t.Errorf("call 51: %d, Retry-After %q", status, after)
	}
	if status, _, raw := call(t, "POST", base+"/api/conversations.info", "application/x-www-form-urlencoded", token, form("channel", "C1")); status != 200 {
		t.Errorf("another method: %d %s", status, raw)
	}
	now = now.Add(2 * time.Second)
	if status, _ := history(); status != 200 {
		t.Errorf("after its time: %d", status)
	}
}

func TestPace(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	_, base := start(t, twin.Options{Window: time.Minute, Burst: 3, Now: func() time.Time { return now }})
	post := func(channel string) (int, string, string) {
		status, header, raw := call(t, "POST", base+"/api/chat.postMessage", "application/x-www-form-urlencoded", token, form("channel", channel, "text", "x"))
		return status, header.Get("Retry-After"), raw
	}
	for range 3 {
		if status, _, raw := post("C1"); status != 200 {
			t.Fatalf("a burst of 3 was refused: %s", raw)
		}
	}
	if status, after, raw := post("C1"); status != 429 || after != "1" || !strings.Contains(raw, "ratelimited") {
		t.Errorf("fourth post: %d, Retry-After %q, %s", status, after, raw)
	}
	if status, _, raw := post("C2"); status != 200 {
		t.Errorf("another channel was held up: %s", raw)
	}
	now = now.Add(time.Second)
	if status, _, raw := post("C1"); status != 200 {
		t.Errorf("still refused after a second: %s", raw)
	}
}

func TestFailures(t *testing.T) {
	tw, base := start(t, twin.Options{})
	api := slack.New(token, slack.OptionAPIURL(base+"/api/"))
	post := func() (string, error) {
		_, ts, err := api.PostMessage("C1", slack.MsgOptionText("x", false))
		return ts, err
	}
	tw.Fail(1, twin.Failure{})
	if ts, err := post(); ts != "" || err != nil {
		t.Errorf("ok:false without error = %q, %v, want neither", ts, err)
	}
	tw.Fail(1, twin.Failure{Status: 429, RetryAfter: "30"})
	if _, err := post(); err == nil || !strings.Contains(err.Error(), "30s") {
		t.Errorf("429 = %v", err)
	}
	tw.Fail(1, twin.Failure{Drop: true})
	if _, err := post(); err == nil || len(tw.Posts()) != 0 {
		t.Errorf("dropped = %v, %d posts, want an error and none", err, len(tw.Posts()))
	}
	tw.Fail(1, twin.Failure{Drop: true, Accept: true})
	if _, err := post(); err == nil || len(tw.Posts()) != 1 {
		t.Errorf("dropped after accepting = %v, %d posts, want an error and one", err, len(tw.Posts()))
	}
	if ts, err := post(); ts == "" || err != nil {
		t.Errorf("afterwards = %q, %v", ts, err)
	}
}

// The official library works against the twin unchanged.
func TestLibrary(t *testing.T) {
	tw, base := start(t, twin.Options{})
	api := slack.New(token, slack.OptionAPIURL(base+"/api/"))
	who, err := api.AuthTest()
	if err != nil || who.TeamID != "T0TWIN" || who.BotID == "" {
		t.Fatalf("AuthTest = %+v, %v", who, err)
	}
	meta := slack.SlackMetadata{EventType: "a_b", EventPayload: map[string]any{"id": "7"}}
	block := slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", "*hi*", false, false), nil, nil)
	channel, ts, err := api.PostMessage("C1", slack.MsgOptionText("hi", false), slack.MsgOptionBlocks(block), slack.MsgOptionMetadata(meta))
	if err != nil || channel != "C1" || ts == "" {
		t.Fatalf("PostMessage = %s, %s, %v", channel, ts, err)
	}
	_, reply, inThread, err := api.PostMessageWithResponse("C1", slack.MsgOptionText("more", false), slack.MsgOptionTS(ts))
	if err != nil || inThread.ThreadTimestamp != ts {
		t.Fatalf("reply in thread %q, %v, want %q", inThread.ThreadTimestamp, err, ts)
	}
	with, err := api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "C1", IncludeAllMetadata: true})
	if err != nil || len(with.Messages) != 1 || with.Messages[0].Metadata.EventPayload["id"] != "7" || with.Messages[0].BotID != who.BotID {
		t.Errorf("history = %+v, %v, want the one top-level message with its metadata", with, err)
	}
	without, err := api.GetConversationHistory(&slack.GetConversationHistoryParameters{ChannelID: "C1"})
	if err != nil || len(without.Messages) != 1 || without.Messages[0].Metadata.EventPayload != nil {
		t.Errorf("history = %+v, %v, want no event_payload without include_all_metadata", without, err)
	}
	thread, _, _, err := api.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: "C1", Timestamp: ts})
	if err != nil || len(thread) != 2 || thread[1].Timestamp != reply {
		t.Errorf("replies = %+v, %v", thread, err)
	}
	if _, _, _, err := api.UpdateMessage("C1", ts, slack.MsgOptionText("changed", false)); err != nil || tw.Posts()[0].Message.Text != "changed" {
		t.Errorf("UpdateMessage: %v, %+v", err, tw.Posts()[0])
	}
	if meta := tw.Posts()[0].Message.Metadata; meta == nil || meta.EventType != "a_b" {
		t.Errorf("the update dropped the metadata: %+v", meta)
	}
	if _, _, _, err := api.UpdateMessage("C1", ts, slack.MsgOptionText(strings.Repeat("a", 4001), false)); err == nil || err.Error() != "msg_too_long" {
		t.Errorf("UpdateMessage with 4001 characters: %v, want msg_too_long", err)
	}
	if _, _, err := api.DeleteMessage("C1", reply); err != nil || len(tw.Posts()) != 1 {
		t.Errorf("DeleteMessage: %v, %d posts left", err, len(tw.Posts()))
	}
	info, err := api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: "C1"})
	if err != nil || info.ID != "C1" || !info.IsMember {
		t.Errorf("GetConversationInfo = %+v, %v", info, err)
	}
	if ts, err := api.PostEphemeral("C1", "U1", slack.MsgOptionText("psst", false)); err != nil || ts == "" || tw.Posts()[1].Message.ResponseType != "ephemeral" {
		t.Errorf("PostEphemeral = %q, %v", ts, err)
	}
	tw.SetChannel("C2", twin.Channel{Name: "second", NotMember: true})
	if joined, _, _, err := api.JoinConversation("C2"); err != nil || !joined.IsMember || joined.Name != "second" {
		t.Errorf("JoinConversation = %+v, %v", joined, err)
	}
	if all, _, err := api.GetConversations(&slack.GetConversationsParameters{}); err != nil || len(all) != 2 || all[0].ID != "C1" || all[1].ID != "C2" {
		t.Errorf("GetConversations = %+v, %v", all, err)
	}
	if _, _, err := slack.New("xoxb-other", slack.OptionAPIURL(base+"/api/")).PostMessage("C1", slack.MsgOptionText("x", false)); err == nil || err.Error() != "invalid_auth" {
		t.Errorf("other token: %v, want invalid_auth", err)
	}
}

// What the twin sends passes the library's check of signatures and is read by its parser.
func TestSlashCommandIsGenuine(t *testing.T) {
	var responseURL string
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sv, err := slack.NewSecretsVerifier(r.Header, "secret")
		if err == nil {
			_, _ = sv.Write(body)
			err = sv.Ensure()
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		cmd, parseErr := slack.SlashCommandParse(r)
		if err != nil || parseErr != nil || cmd.Command != "/hot" || cmd.Text != "双栈 istio" || cmd.TeamID != "T0TWIN" || cmd.TriggerID == "" {
			t.Errorf("command %+v, signature %v, %v", cmd, err, parseErr)
		}
		responseURL = cmd.ResponseURL
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"response_type":"in_channel","text":"hi"}`)
	}))
	defer app.Close()
	tw, _ := start(t, twin.Options{})
	got, err := tw.SlashCommand(context.Background(), app.URL, twin.Command{Text: "/hot 双栈 istio"})
	if err != nil || got.Status != 200 || got.Message.Text != "hi" || got.Message.ResponseType != "in_channel" {
		t.Fatalf("SlashCommand = %+v, %v", got, err)
	}
	for k := range 6 {
		status, _, text := call(t, "POST", responseURL, "application/json", "", `{"text":"later"}`)
		if k < 5 && status != 200 || k == 5 && (status != 404 || text != "used_url") {
			t.Errorf("use %d of the response URL: %d %q", k+1, status, text)
		}
	}
}

func TestBoundedMemory(t *testing.T) {
	tw, base := start(t, twin.Options{MaxPosts: 3})
	for k := range 5 {
		call(t, "POST", base+"/services/T/B/X", "application/json", "", fmt.Sprintf(`{"text":"%d"}`, k))
		call(t, "POST", base+"/services/T/B/X", "application/json", "", `{}`)
	}
	if posts := tw.Posts(); len(posts) != 3 || posts[0].Message.Text != "2" || len(tw.Refused()) != 3 {
		t.Errorf("kept %d posts from %q and %d refusals, want 3 from 2 and 3", len(posts), posts[0].Message.Text, len(tw.Refused()))
	}
}

// The page shows text as text, whatever it is.
func TestPage(t *testing.T) {
	_, base := start(t, twin.Options{})
	blocks := `[{"type":"header","text":{"type":"plain_text","text":"<b>Title</b>"}},
		{"type":"section","text":{"type":"mrkdwn","text":"*<https://example.org/?a=1&amp;b=2|Bold link>* 中*不粗*文 &lt;script&gt; <javascript:alert(1)|x> <!channel> a_b_c"}},
		{"type":"context","elements":[{"type":"mrkdwn","text":"note"}]},{"type":"divider"},
		{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"Go"},"url":"javascript:alert(2)"}]}]`
	call(t, "POST", base+"/api/chat.postMessage", "application/x-www-form-urlencoded", token, form("channel", "C1", "text", "f<i>", "blocks", blocks))
	call(t, "POST", base+"/api/chat.postMessage", "application/x-www-form-urlencoded", token, form("channel", "C1"))
	status, _, page := call(t, "GET", base+"/", "", "", "")
	for _, want := range []string{
		"&lt;b&gt;Title&lt;/b&gt;", `<b><a rel="noreferrer" href="https://example.org/?a=1&amp;b=2">Bold link</a></b>`, "中*不粗*文", "&lt;script&gt;",
		"<mark>x</mark>", "<mark>!channel</mark>", "a_b_c", "f&lt;i&gt;", "refused: no_text",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not hold %s", want)
		}
	}
	if status != 200 || strings.Contains(page, "javascript:alert") || strings.Count(page, "<script") != 1 || !strings.Contains(page, `<script src="/page.js" defer></script>`) {
		t.Errorf("status %d, or something on the page runs:\n%s", status, page)
	}
}
