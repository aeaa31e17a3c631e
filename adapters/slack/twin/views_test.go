package twin_test

import (
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

// app is an app written by hand: it keeps the payload of the last interaction and answers as told.
func app(t *testing.T, answer func(payload map[string]any) string) (url string, last func() map[string]any) {
	t.Helper()
	var payload map[string]any
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload = nil
		if text := r.FormValue("payload"); text != "" {
			_ = json.Unmarshal([]byte(text), &payload)
		}
		_, _ = io.WriteString(w, answer(payload))
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() map[string]any { return payload }
}

func silent(map[string]any) string { return "" }

// trigger is a fresh trigger_id, from a slash command.
func trigger(t *testing.T, tw *twin.Twin) string {
	t.Helper()
	form, err := url.ParseQuery(string(tw.CommandForm(twin.Command{Text: "/x"})))
	if err != nil {
		t.Fatal(err)
	}
	return form.Get("trigger_id")
}

const inputBlock = `{"type":"input","block_id":"a","label":{"type":"plain_text","text":"A"},"element":{"type":"plain_text_input","action_id":"a"}}`

func modal(blocks, more string) string {
	return `{"type":"modal","title":{"type":"plain_text","text":"T"},"submit":{"type":"plain_text","text":"S"},"blocks":[` + blocks + `]` + more + `}`
}

const optionA = `{"text":{"type":"plain_text","text":"A"},"value":"a"}`

func homeTab(blocks string) string { return `{"type":"home","blocks":[` + blocks + `]}` }

func element(e string) string {
	return strings.Replace(inputBlock, `{"type":"plain_text_input","action_id":"a"}`, e, 1)
}

func TestRefusesWrongViews(t *testing.T) {
	for _, c := range []struct{ name, view, want, says string }{
		{"accepted", modal(inputBlock, ""), "", ""},
		{"100 blocks", modal(strings.Trim(list(100, `{"type":"divider"}`), "[]"), ""), "", ""},
		{"101 blocks", modal(strings.Trim(list(101, `{"type":"divider"}`), "[]"), ""), "invalid_arguments", "at most 100 items"},
		{"no JSON", `{`, "invalid_arguments", "no object"},
		{"home in a modal", homeTab(""), "invalid_arguments", "/view/type"},
		{"no blocks", `{"type":"modal","title":{"type":"plain_text","text":"T"}}`, "invalid_arguments", "/view/blocks"},
		{"no title", `{"type":"modal","blocks":[]}`, "invalid_arguments", "/view/title"},
		{"title of 25", modal("", `,"title":{"type":"plain_text","text":"`+strings.Repeat("周", 25)+`"}`), "invalid_arguments", "must be less than 25 characters [json-pointer:/view/title/text]"},
		{"close of 25", modal("", `,"close":{"type":"plain_text","text":"`+strings.Repeat("a", 25)+`"}`), "invalid_arguments", "/view/close"},
		{"input without submit", `{"type":"modal","title":{"type":"plain_text","text":"T"},"blocks":[` + inputBlock + `]}`, "invalid_arguments", "/view/submit"},
		{"private metadata of 3001", modal("", `,"private_metadata":"`+strings.Repeat("a", 3001)+`"`), "invalid_arguments", "less than 3001"},
		{"callback_id of 256", modal("", `,"callback_id":"`+strings.Repeat("a", 256)+`"`), "invalid_arguments", "less than 256"},
		{"too large", modal("", `,"x":"`+strings.Repeat("a", 250_000)+`"`), "view_too_large", ""},
		{"two blocks of one id", modal(inputBlock+","+inputBlock, ""), "invalid_arguments", "must be unique"},
		{"unknown element", modal(element(`{"type":"checkbox"}`), ""), "invalid_arguments", "unsupported type: checkbox"},
		{"no option", modal(element(`{"type":"static_select","options":[]}`), ""), "invalid_arguments", "1 to 100 items"},
		{"101 options", modal(element(`{"type":"static_select","options":`+list(101, `{"text":{"type":"plain_text","text":"a"},"value":"a"}`)+`}`), ""), "invalid_arguments", "1 to 100 items"},
		{"option without value", modal(element(`{"type":"static_select","options":[{"text":{"type":"plain_text","text":"a"}}]}`), ""), "invalid_arguments", "/value"},
		{"option of 76", modal(element(`{"type":"static_select","options":[{"text":{"type":"plain_text","text":"`+strings.Repeat("a", 76)+`"},"value":"a"}]}`), ""), "invalid_arguments", "less than 76"},
		{"other initial option", modal(element(`{"type":"static_select","initial_option":{"value":"b"},"options":[{"text":{"type":"plain_text","text":"a"},"value":"a"}]}`), ""), "invalid_arguments", "one of the options"},
		{"time of 9:00", modal(element(`{"type":"timepicker","initial_time":"9:00"}`), ""), "invalid_arguments", "HH:mm"},
		{"number without is_decimal_allowed", modal(element(`{"type":"number_input"}`), ""), "invalid_arguments", "is_decimal_allowed"},
		{"max_length of 3001", modal(element(`{"type":"plain_text_input","max_length":3001}`), ""), "invalid_arguments", "1 to 3000"},
		{"placeholder of 151", modal(element(`{"type":"plain_text_input","placeholder":{"type":"plain_text","text":"`+strings.Repeat("a", 151)+`"}}`), ""), "invalid_arguments", "less than 151"},
		{"external menus", modal(element(`{"type":"external_select","min_query_length":0,"initial_option":`+optionA+`}`)+","+
			strings.Replace(element(`{"type":"multi_external_select","max_selected_items":1,"initial_options":[`+optionA+`]}`), `"block_id":"a"`, `"block_id":"b","dispatch_action":true`, 1), ""), "", ""},
		{"external menu with options", modal(element(`{"type":"multi_external_select","options":[`+optionA+`]}`), ""), "invalid_arguments", "unsupported field: options"},
		{"min_query_length of -1", modal(element(`{"type":"external_select","min_query_length":-1}`), ""), "invalid_arguments", "/min_query_length"},
		{"min_query_length in letters", modal(element(`{"type":"external_select","min_query_length":"1"}`), ""), "invalid_arguments", "/min_query_length"},
		{"none to select", modal(element(`{"type":"multi_external_select","max_selected_items":0}`), ""), "invalid_arguments", "/max_selected_items"},
		{"more initial options than may be selected", modal(element(`{"type":"multi_external_select","max_selected_items":1,"initial_options":[`+optionA+`,`+optionA+`]}`), ""), "invalid_arguments", "no more than 1"},
		{"empty initial options", modal(element(`{"type":"multi_external_select","initial_options":[]}`), ""), "invalid_arguments", "/initial_options"},
		{"initial option of 76", modal(element(`{"type":"external_select","initial_option":{"text":{"type":"plain_text","text":"`+strings.Repeat("a", 76)+`"},"value":"a"}}`), ""), "invalid_arguments", "less than 76"},
		{"initial option without value", modal(element(`{"type":"multi_external_select","initial_options":[{"text":{"type":"plain_text","text":"a"}}]}`), ""), "invalid_arguments", "/value"},
		{"dispatch_action in letters", modal(strings.Replace(inputBlock, `"block_id"`, `"dispatch_action":"yes","block_id"`, 1), ""), "invalid_arguments", "/dispatch_action"},
		{"label in mrkdwn", modal(strings.Replace(inputBlock, "plain_text\"", "mrkdwn\"", 1), ""), "invalid_arguments", "plain_text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tw, base := start(t, twin.Options{})
			_, _, raw := call(t, "POST", base+"/api/views.open", "application/x-www-form-urlencoded", token, form("trigger_id", trigger(t, tw), "view", c.view))
			if want := `"error":"` + c.want + `"`; c.want == "" && !strings.Contains(raw, `"ok":true`) || c.want != "" && !strings.Contains(raw, want) || !strings.Contains(raw, c.says) {
				t.Errorf("answer %.400s, want %s %q", raw, c.want, c.says)
			}
		})
	}
}

func TestInputInAMessage(t *testing.T) {
	_, base := start(t, twin.Options{})
	_, _, raw := call(t, "POST", base+"/api/chat.postMessage", "application/x-www-form-urlencoded", token, form("channel", "C1", "text", "x", "blocks", "["+inputBlock+"]"))
	if !strings.Contains(raw, "invalid_blocks") || !strings.Contains(raw, "unsupported type: input") {
		t.Errorf("answer %s", raw)
	}
}

func TestTriggers(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	tw, base := start(t, twin.Options{Now: func() time.Time { return now }})
	open := func(trigger string) string {
		_, _, raw := call(t, "POST", base+"/api/views.open", "application/x-www-form-urlencoded", token, form("trigger_id", trigger, "view", modal("", "")))
		return raw
	}
	used, late := trigger(t, tw), trigger(t, tw)
	for _, c := range []struct{ name, trigger, want string }{
		{"fresh", used, `"ok":true`}, {"again", used, "exchanged_trigger_id"}, {"made up", "1.2.3", "invalid `trigger_id`"}, {"none", "", "invalid `trigger_id`"},
	} {
		if raw := open(c.trigger); !strings.Contains(raw, c.want) {
			t.Errorf("%s: %s, want %s", c.name, raw, c.want)
		}
	}
	now = now.Add(3*time.Second + time.Millisecond)
	if raw := open(late); !strings.Contains(raw, "expired_trigger_id") {
		t.Errorf("after 3 s: %s", raw)
	}
}

func TestPublishAndUpdate(t *testing.T) {
	tw, base := start(t, twin.Options{})
	api := func(method string, pairs ...string) string {
		_, _, raw := call(t, "POST", base+"/api/"+method, "application/x-www-form-urlencoded", token, form(pairs...))
		return raw
	}
	wants := func(name, raw, want string) {
		t.Helper()
		if !strings.Contains(raw, want) {
			t.Errorf("%s: %s, want %s", name, raw, want)
		}
	}
	wants("no user", api("views.publish", "view", homeTab("")), "invalid `user_id`")
	wants("modal as home", api("views.publish", "user_id", "U1", "view", modal("", "")), "invalid_arguments")
	wants("hash of nothing", api("views.publish", "user_id", "U1", "view", homeTab(""), "hash", "1.2"), "hash_conflict")
	wants("first", api("views.publish", "user_id", "U1", "view", homeTab("")), `"ok":true`)
	v := tw.Views()[0]
	wants("right hash", api("views.publish", "user_id", "U1", "view", homeTab(""), "hash", v.Hash), `"ok":true`)
	wants("hash of before", api("views.publish", "user_id", "U1", "view", homeTab(""), "hash", v.Hash), "hash_conflict")
	wants("without hash", api("views.publish", "user_id", "U1", "view", homeTab("")), `"ok":true`)
	wants("update of nothing", api("views.update", "view_id", "V0", "view", modal("", "")), "not_found")
	wants("update, old hash", api("views.update", "view_id", v.ID, "view", homeTab(""), "hash", v.Hash), "hash_conflict")
	wants("update to a modal", api("views.update", "view_id", v.ID, "view", modal("", "")), "invalid_arguments")
	wants("update", api("views.update", "view_id", v.ID, "view", homeTab(`{"type":"divider"}`)), `"ok":true`)
	tw.DisableHome()
	wants("switched off", api("views.publish", "user_id", "U1", "view", homeTab("")), "not_enabled")
}

// The official library works against the views unchanged, and reads what the twin sends.
func TestLibraryViews(t *testing.T) {
	tw, base := start(t, twin.Options{})
	api := slack.New(token, slack.OptionAPIURL(base+"/api/"))
	view := slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: "cb", PrivateMetadata: "meta", Title: slack.NewTextBlockObject("plain_text", "T", false, false), Submit: slack.NewTextBlockObject("plain_text", "S", false, false),
		Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewInputBlock("a", slack.NewTextBlockObject("plain_text", "A", false, false), nil, slack.NewPlainTextInputBlockElement(nil, "a"))}},
	}
	opened, err := api.OpenView(trigger(t, tw), view)
	if err != nil || opened.ID == "" || opened.PrivateMetadata != "meta" || opened.CallbackID != "cb" {
		t.Fatalf("OpenView = %+v, %v", opened, err)
	}
	updated, err := api.UpdateView(view, "", opened.Hash, opened.ID)
	if err != nil || updated.ID != opened.ID || updated.Hash == opened.Hash {
		t.Errorf("UpdateView = %+v, %v", updated, err)
	}
	home := slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewActionBlock("b", slack.NewButtonBlockElement("go", "v", slack.NewTextBlockObject("plain_text", "Go", false, false)))}}}
	published, err := api.PublishView("U1", home, "")
	if err != nil || published.Hash == "" {
		t.Fatalf("PublishView = %+v, %v", published, err)
	}
	if _, err := api.PublishView("U1", home, "old"); err == nil || err.Error() != "hash_conflict" {
		t.Errorf("PublishView with another hash = %v", err)
	}
	var got slack.InteractionCallback
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if got, err = slack.InteractionCallbackParse(r); err != nil {
			t.Errorf("the library cannot read it: %v", err)
		}
	}))
	defer server.Close()
	if _, err := tw.Click(t.Context(), server.URL, twin.Click{View: published.ID, Action: "go", User: "U1"}); err != nil {
		t.Fatal(err)
	}
	if a := got.ActionCallback.BlockActions; got.Type != slack.InteractionTypeBlockActions || len(a) != 1 || a[0].ActionID != "go" || a[0].Value != "v" || a[0].BlockID != "b" || got.View.ID != published.ID || got.ResponseURL != "" {
		t.Errorf("click = %+v", got)
	}
	if _, err := tw.Submit(t.Context(), server.URL, twin.Submit{View: opened.ID, Values: map[string]string{"a": "typed"}}); err != nil {
		t.Fatal(err)
	}
	if got.Type != slack.InteractionTypeViewSubmission || got.View.State.Values["a"]["a"].Value != "typed" || got.View.PrivateMetadata != "meta" || got.User.ID == "" || got.TriggerID == "" {
		t.Errorf("submission = %+v", got)
	}
}

func TestClickAndReplace(t *testing.T) {
	tw, base := start(t, twin.Options{})
	target, last := app(t, silent)
	post := func(text string) {
		call(t, "POST", base+"/api/chat.postMessage", "application/x-www-form-urlencoded", token,
			form("channel", "C1", "text", text, "blocks", `[{"type":"actions","elements":[{"type":"button","action_id":"go","value":"v","text":{"type":"plain_text","text":"Go"}}]}]`))
	}
	post("one")
	ts := tw.Posts()[0].TS
	if _, err := tw.Click(t.Context(), target, twin.Click{Post: ts, Action: "other"}); err == nil {
		t.Error("a button that is not there was clicked")
	}
	if status, err := tw.Click(t.Context(), target, twin.Click{Post: ts, Action: "go"}); err != nil || status != 200 {
		t.Fatalf("Click = %d, %v", status, err)
	}
	reply, _ := last()["response_url"].(string)
	for _, c := range []struct {
		body, text string
		posts      int
	}{
		{`{"text":"two","replace_original":true}`, "two", 1},
		{`{"text":"beside","response_type":"ephemeral"}`, "two", 2},
		{`{"delete_original":true}`, "beside", 1},
	} {
		status, _, raw := call(t, "POST", reply, "application/json", "", c.body)
		if posts := tw.Posts(); status != 200 || len(posts) != c.posts || posts[0].Message.Text != c.text {
			t.Errorf("%s: %d %s, posts %+v", c.body, status, raw, posts)
		}
	}
	loud, _ := app(t, func(map[string]any) string { return "hello" })
	post("three")
	if _, err := tw.Click(t.Context(), loud, twin.Click{Post: tw.Posts()[1].TS, Action: "go"}); err == nil {
		t.Error("a click answered with a body was taken")
	}
}

func TestSubmitAnswers(t *testing.T) {
	number := strings.Replace(element(`{"type":"number_input","action_id":"n","is_decimal_allowed":false,"min_value":"1","max_value":"9"}`), `"a"`, `"n"`, 1)
	number = strings.Replace(number, `"label"`, `"optional":true,"label"`, 1)
	for _, c := range []struct {
		name, answer string
		values       map[string]string
		open, ok     bool
	}{
		{"closed", ``, map[string]string{"a": "x"}, false, true},
		{"cleared", `{"response_action":"clear"}`, map[string]string{"a": "x"}, false, true},
		{"errors", `{"response_action":"errors","errors":{"a":"wrong"}}`, map[string]string{"a": "x"}, true, true},
		{"updated", `{"response_action":"update","view":` + modal("", "") + `}`, map[string]string{"a": "x"}, true, true},
		{"left empty", ``, nil, true, false},
		{"number too large", ``, map[string]string{"a": "x", "n": "10"}, true, false},
		{"no number", ``, map[string]string{"a": "x", "n": "1.5"}, true, false},
		{"error at no block", `{"response_action":"errors","errors":{"b":"wrong"}}`, map[string]string{"a": "x"}, true, false},
		{"no errors", `{"response_action":"errors","errors":{}}`, map[string]string{"a": "x"}, true, false},
		{"updated to nonsense", `{"response_action":"update","view":{}}`, map[string]string{"a": "x"}, true, false},
		{"other action", `{"response_action":"dance"}`, map[string]string{"a": "x"}, true, false},
		{"no JSON", `x`, map[string]string{"a": "x"}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			tw, base := start(t, twin.Options{})
			call(t, "POST", base+"/api/views.open", "application/x-www-form-urlencoded", token, form("trigger_id", trigger(t, tw), "view", modal(inputBlock+","+number, "")))
			target, _ := app(t, func(map[string]any) string { return c.answer })
			got, err := tw.Submit(t.Context(), target, twin.Submit{View: tw.Views()[0].ID, Values: c.values})
			if (err == nil) != c.ok || tw.Views()[0].Open != c.open || (len(got.Errors) > 0) != (c.name == "errors") {
				t.Errorf("Submit = %+v, %v; open %v", got, err, tw.Views()[0].Open)
			}
		})
	}
}

// A person types, clicks and submits on the page, by plain forms.
func TestPageForms(t *testing.T) {
	bot := http.NewServeMux()
	bot.HandleFunc("/slack/commands", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"text":"you typed %s","blocks":[{"type":"actions","block_id":"row","elements":[{"type":"button","action_id":"go","value":"v","text":{"type":"plain_text","text":"Go on"}}]}]}`, r.FormValue("text"))
	})
	var clicked, mentioned, base string
	bot.HandleFunc("/slack/interactions", func(_ http.ResponseWriter, r *http.Request) {
		var p map[string]any
		_ = json.Unmarshal([]byte(r.FormValue("payload")), &p)
		if clicked, _ = p["type"].(string); clicked == "block_actions" {
			call(t, "POST", base+"/api/views.open", "application/x-www-form-urlencoded", token, form("trigger_id", p["trigger_id"].(string), "view", modal(inputBlock, "")))
		}
	})
	bot.HandleFunc("/slack/events", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mentioned = string(body)
	})
	app := httptest.NewServer(bot)
	defer app.Close()
	var tw *twin.Twin
	tw, base = start(t, twin.Options{BotURL: app.URL})
	submit := func(path string, pairs ...string) string {
		t.Helper()
		status, _, page := call(t, "POST", base+path, "application/x-www-form-urlencoded", "", form(pairs...))
		if status != 200 { // after the redirect
			t.Errorf("%s: status %d", path, status)
		}
		return page
	}
	page := submit("/type", "text", "/hot <b>", "channel", "C7", "user", "U3")
	if !strings.Contains(page, "you typed &lt;b&gt;") || !strings.Contains(page, ">Go on</button>") || !strings.Contains(page, `name="user" value="U3"`) {
		t.Errorf("page after typing:\n%s", page)
	}
	page = submit("/click", "post", tw.Posts()[0].TS, "block", "row", "action", "go", "user", "U3")
	if clicked != "block_actions" || !strings.Contains(page, `name="field.a"`) {
		t.Errorf("clicked %q; page:\n%s", clicked, page)
	}
	if page = submit("/submit", "view", tw.Views()[0].ID, "field.a", "x", "user", "U3"); clicked != "view_submission" || strings.Contains(page, `name="field.a"`) {
		t.Errorf("submitted %q; page:\n%s", clicked, page)
	}
	if submit("/type", "text", "@weeklybot hot <x>", "channel", "C7"); !strings.Contains(mentioned, "app_mention") || !strings.Contains(mentioned, `U0TWIN\u003e hot \u0026lt;x\u0026gt;`) {
		t.Errorf("mentioned: %s", mentioned)
	}
	if submit("/home", "user", "U3"); !strings.Contains(mentioned, "app_home_opened") {
		t.Errorf("home: %s", mentioned)
	}
	if page := submit("/type", "text", "hello"); !strings.Contains(page, "slash commands and mentions only") {
		t.Error("plain text was sent")
	}
}

// Other sites can neither post the forms nor, by a name that leads here, read the page.
func TestPageGuards(t *testing.T) {
	target, _ := app(t, silent)
	tw, base := start(t, twin.Options{BotURL: target})
	for _, c := range []struct {
		name, method, host string
		header             [2]string
		want               int
	}{
		{"own", "POST", "", [2]string{"Sec-Fetch-Site", "same-origin"}, 303},
		{"other site", "POST", "", [2]string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"other origin, old browser", "POST", "", [2]string{"Origin", "https://evil.example"}, 403},
		{"other name of this machine", "POST", "evil.example:1234", [2]string{}, 403},
		{"read by another name", "GET", "evil.example", [2]string{}, 403},
		{"localhost", "GET", "localhost:99", [2]string{}, 200},
		{"IPv6", "GET", "[::1]:99", [2]string{}, 200},
	} {
		path := "/"
		if c.method == "POST" {
			path = "/close"
		}
		r := httptest.NewRequest(c.method, base+path, nil)
		if c.host != "" {
			r.Host = c.host
		}
		if c.header[0] != "" {
			r.Header.Set(c.header[0], c.header[1])
		}
		w := httptest.NewRecorder()
		if tw.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("%s: status %d, want %d", c.name, w.Code, c.want)
		}
	}
}

func TestDeleteOfNoFile(t *testing.T) {
	_, base := start(t, twin.Options{})
	if _, _, raw := call(t, "POST", base+"/api/files.delete", "application/x-www-form-urlencoded", token, form("file", "F0")); !strings.Contains(raw, "file_not_found") {
		t.Errorf("answer %s", raw)
	}
}
