package twin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"weeklybot/adapters/slack/twin"
)

// opened opens a modal with blocks, by hand.
func opened(t *testing.T, tw *twin.Twin, base, blocks string) twin.View {
	t.Helper()
	_, _, raw := call(t, "POST", base+"/api/views.open", "application/x-www-form-urlencoded", token, form("trigger_id", trigger(t, tw), "view", modal(blocks, "")))
	if !strings.Contains(raw, `"ok":true`) {
		t.Fatal(raw)
	}
	return tw.Views()[len(tw.Views())-1]
}

var externalBlock = strings.Replace(element(`{"type":"multi_external_select","action_id":"pick","max_selected_items":2}`), `"block_id":"a"`, `"block_id":"a","optional":true,"dispatch_action":true`, 1)

func TestRefusesWrongSuggestions(t *testing.T) {
	tw, base := start(t, twin.Options{})
	answer := ""
	target, last := app(t, func(map[string]any) string { return answer })
	view := opened(t, tw, base, externalBlock+","+strings.Replace(inputBlock, `"block_id":"a"`, `"block_id":"b"`, 1))
	for _, c := range []struct{ name, block, typed, answer, want string }{
		{"accepted", "a", "abc", `{"options":[` + optionA + `]}`, ""},
		{"none", "a", "abc", `{"options":[]}`, ""},
		{"too short", "a", "服务", "", "from 3 characters on"},
		{"another element", "b", "abc", "", "no menu"},
		{"no such block", "c", "abc", "", "no menu"},
		{"nothing", "a", "abc", "", "no list of options"},
		{"no options", "a", "abc", `{}`, "no list of options"},
		{"101 options", "a", "abc", `{"options":` + list(101, optionA) + `}`, "at most 100"},
		{"100 options", "a", "abc", `{"options":` + list(100, optionA) + `}`, ""},
		{"option of 76", "a", "abc", `{"options":[{"text":{"type":"plain_text","text":"` + strings.Repeat("周", 76) + `"},"value":"a"}]}`, "less than 76"},
		{"value of 151", "a", "abc", `{"options":[{"text":{"type":"plain_text","text":"a"},"value":"` + strings.Repeat("a", 151) + `"}]}`, "less than 151"},
		{"no value", "a", "abc", `{"options":[{"text":{"type":"plain_text","text":"a"}}]}`, "missing required field"},
	} {
		answer = c.answer
		_, err := tw.Suggest(t.Context(), target, twin.Suggest{View: view.ID, Block: c.block, Typed: c.typed})
		if got := fmt.Sprint(err); (err == nil) != (c.want == "") || !strings.Contains(got, c.want) && c.want != "" {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if p := last(); p["type"] != "block_suggestion" || p["value"] != "abc" || p["action_id"] != "pick" || p["block_id"] != "a" || p["trigger_id"] != nil || p["response_url"] != nil {
		t.Errorf("payload = %v", p)
	}
	down := httptest.NewServer(http.NotFoundHandler())
	defer down.Close()
	if _, err := tw.Suggest(t.Context(), down.URL, twin.Suggest{View: view.ID, Block: "a", Typed: "abc"}); err == nil {
		t.Error("status 404 was taken for an answer")
	}
}

// What is chosen was offered, is told with each change and submission, and stays when the view is updated.
func TestChoices(t *testing.T) {
	tw, base := start(t, twin.Options{})
	target, last := app(t, func(p map[string]any) string {
		if p["type"] == "block_suggestion" {
			return `{"options":[` + optionA + `,` + strings.ReplaceAll(strings.ReplaceAll(optionA, `"a"`, `"b"`), `"A"`, `"B"`) + `,` + strings.ReplaceAll(optionA, `"a"`, `"c"`) + `]}`
		}
		return ""
	})
	quiet := strings.Replace(inputBlock, `"block_id":"a"`, `"block_id":"b","optional":true`, 1)
	view := opened(t, tw, base, externalBlock+","+quiet)
	change := func(block, value string) error {
		return tw.Change(t.Context(), target, twin.Change{View: view.ID, Block: block, Values: map[string]string{block: value}})
	}
	if err := change("a", "a"); err == nil {
		t.Error("an option that nobody offered was chosen")
	}
	if _, err := tw.Suggest(t.Context(), target, twin.Suggest{View: view.ID, Block: "a", Typed: "abc"}); err != nil {
		t.Fatal(err)
	}
	if err := change("a", "a\nb\nc"); err == nil || !strings.Contains(err.Error(), "more than 2") {
		t.Errorf("three of two: %v", err)
	}
	if err := change("c", "x"); err == nil {
		t.Error("a field that is not there was changed")
	}
	if err := change("a", "a\nb"); err != nil {
		t.Fatal(err)
	}
	told := fmt.Sprint(last()["actions"])
	if last()["type"] != "block_actions" || !strings.Contains(told, "value:a") || !strings.Contains(told, "value:b") || !strings.Contains(told, "multi_external_select") || !strings.Contains(fmt.Sprint(last()["view"]), "selected_options") {
		t.Errorf("payload = %v", last())
	}
	if err := change("b", "typed"); err != nil || strings.Contains(fmt.Sprint(last()), "typed") {
		t.Errorf("%v: a block without dispatch_action was told: %v", err, last())
	}
	_, _, raw := call(t, "POST", base+"/api/views.update", "application/x-www-form-urlencoded", token, form("view_id", view.ID, "view", modal(externalBlock+","+quiet+`,{"type":"divider"}`, "")))
	if !strings.Contains(raw, `"ok":true`) {
		t.Fatal(raw)
	}
	if _, err := tw.Submit(t.Context(), target, twin.Submit{View: view.ID}); err != nil {
		t.Fatal(err)
	}
	if state := fmt.Sprint(last()["view"]); !strings.Contains(state, "value:a") || !strings.Contains(state, "value:b") || !strings.Contains(state, "value:typed") {
		t.Errorf("submitted %s", state)
	}
}

// The official library reads what the twin sends, and its menus and answers work unchanged.
func TestLibrarySuggestions(t *testing.T) {
	tw, base := start(t, twin.Options{})
	api := slack.New(token, slack.OptionAPIURL(base+"/api/"))
	text := slack.NewTextBlockObject("plain_text", "A", false, false)
	soonest := 1
	menu := slack.NewOptionsMultiSelectBlockElement(slack.MultiOptTypeExternal, text, "pick")
	menu.MinQueryLength = &soonest
	block := slack.NewInputBlock("a", text, nil, menu)
	block.DispatchAction = true
	view, err := api.OpenView(trigger(t, tw), slack.ModalViewRequest{Type: slack.VTModal, Title: text, Submit: text, Blocks: slack.Blocks{BlockSet: []slack.Block{block}}})
	if err != nil {
		t.Fatal(err)
	}
	var got slack.InteractionCallback
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, err = slack.InteractionCallbackParse(r); err != nil {
			t.Errorf("the library cannot read it: %v", err)
		}
		if got.Type == slack.InteractionTypeBlockSuggestion {
			fmt.Fprint(w, `{"options":[`+optionA+`]}`)
		}
	}))
	defer server.Close()
	options, err := tw.Suggest(t.Context(), server.URL, twin.Suggest{View: view.ID, Block: "a", Typed: "服"})
	if err != nil || len(options) != 1 || got.Value != "服" || got.ActionID != "pick" || got.BlockID != "a" || got.View.ID != view.ID {
		t.Errorf("suggestion = %+v, %v, %v", got, options, err)
	}
	if err := tw.Change(t.Context(), server.URL, twin.Change{View: view.ID, Block: "a", Values: map[string]string{"a": "a"}}); err != nil {
		t.Fatal(err)
	}
	if a := got.ActionCallback.BlockActions; len(a) != 1 || len(a[0].SelectedOptions) != 1 || a[0].SelectedOptions[0].Value != "a" || got.View.Hash == "" || got.View.State.Values["a"]["pick"].SelectedOptions[0].Value != "a" {
		t.Errorf("change = %+v", got)
	}
}
