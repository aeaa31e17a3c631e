package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weeklybot/adapters/internal/paging"
	"weeklybot/adapters/slack/twin"
	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

// paged answers /hot and /search with pages as the core does, and everything else with its own text.
func paged(pages int) func(context.Context, bot.Command) (bot.Message, error) {
	return func(_ context.Context, cmd bot.Command) (bot.Message, error) {
		_, page := paging.Of(cmd.Text)
		if page > pages {
			return bot.Message{Lang: "zh", Code: "no_page", Notice: "没有更多了。", Blocks: []bot.Block{{Kind: bot.BlockText, Text: "没有更多了。"}}}, nil
		}
		msg := bot.Message{Lang: "zh", Title: fmt.Sprintf("page %d", page), Blocks: []bot.Block{{Kind: bot.BlockText, Text: "by " + cmd.Member.ID}}}
		if page < pages {
			msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockNote, Text: "下一页：/more"})
		}
		return msg, nil
	}
}

// buttonsOf are the labels of the buttons in a message or view that the app hears.
func buttonsOf(blocks []map[string]any) (labels []string) {
	for _, b := range blocks {
		elements, _ := b["elements"].([]any)
		for _, e := range elements {
			if at(e, "value") != nil {
				labels = append(labels, at(e, "text/text").(string))
			}
		}
	}
	return labels
}

func only(t *testing.T, tw *twin.Twin) twin.Post {
	t.Helper()
	posts := tw.Posts()
	if len(posts) != 1 {
		t.Fatalf("%d posts, want 1; refused %+v", len(posts), tw.Refused())
	}
	return posts[0]
}

// A member turns pages: each takes the place of the one before, forth and back.
func TestPages(t *testing.T) {
	in := &room{answer: paged(3)}
	tw, app := app(t, in, nil)
	if _, err := tw.SlashCommand(t.Context(), app+"/slack/commands", twin.Command{Text: "/search 服务网格 --lang zh", Channel: "C1"}); err != nil {
		t.Fatal(err)
	}
	for k, c := range []struct {
		click, title string
		buttons      []string
		command      string
	}{
		{"", "page 1", []string{"下一页"}, "/search 服务网格 --lang zh"},
		{actionMore, "page 2", []string{"上一页", "下一页"}, "/search --page 2 服务网格 --lang zh"},
		{actionMore, "page 3", []string{"上一页"}, "/search --page 3 服务网格 --lang zh"},
		{actionBack, "page 2", []string{"上一页", "下一页"}, "/search --page 2 服务网格 --lang zh"},
	} {
		if c.click != "" {
			if status, err := tw.Click(t.Context(), app+"/slack/interactions", twin.Click{Post: only(t, tw).TS, Action: c.click}); err != nil {
				t.Fatalf("click %d: %d, %v", k, status, err)
			}
			waitUntil(t, func() bool { return strings.Contains(only(t, tw).Message.Text, c.title) })
		}
		p := only(t, tw)
		if got := buttonsOf(p.Message.Blocks); !slices.Equal(got, c.buttons) || p.Message.ResponseType != "ephemeral" || strings.Contains(string(p.Raw), "/more") {
			t.Errorf("%s: buttons %q, %s, want %q in an ephemeral message; %s", c.title, got, p.Message.ResponseType, c.buttons, p.Raw)
		}
		if got := in.commands[len(in.commands)-1]; got.Text != c.command || got.Channel.Address != "C1" || got.Member.ID != "U0MEMBER" || got.Channel.Workspace != "T0TWIN" || got.ID == "" {
			t.Errorf("command = %+v, want %s", got, c.command)
		}
	}
	if refused := tw.Refused(); len(refused) > 0 {
		t.Errorf("refused: %+v", refused)
	}
}

// In a message that all see, a page is shown to whoever clicked, and the message stays.
func TestPageOfAPublicMessage(t *testing.T) {
	in := &room{answer: paged(2)}
	tw, app := app(t, in, nil)
	if _, err := tw.Mention(t.Context(), app+"/slack/events", "C1", "U1", "<@U0TWIN> hot ebpf", ""); err != nil {
		t.Fatal(err)
	}
	first := waitFor(t, tw, "app", 1)[0]
	if _, err := tw.Click(t.Context(), app+"/slack/interactions", twin.Click{Post: first.TS, Action: actionMore, User: "U9"}); err != nil {
		t.Fatal(err)
	}
	page := waitFor(t, tw, "response", 1)[0]
	if page.Message.ResponseType != "ephemeral" || !strings.Contains(string(page.Raw), "by U9") || !strings.Contains(waitFor(t, tw, "app", 1)[0].Message.Text, "page 1") {
		t.Errorf("page = %s", page.Raw)
	}
}

func waitUntil(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came")
		}
	}
}

func TestPager(t *testing.T) {
	if row := pager("zh", "/hot "+strings.Repeat("a", 2000), true); row != nil {
		t.Error("a command too long for a button has one")
	}
	for _, text := range []string{"/more", "/更多"} {
		if row, _ := json.Marshal(pager("en", text, true)); !strings.Contains(string(row), `"value":"/more"`) {
			t.Errorf("pager of %s = %s", text, row)
		}
	}
}

// form opens the form and returns it.
func openedForm(t *testing.T, tw *twin.Twin) twin.View {
	t.Helper()
	var view twin.View
	waitUntil(t, func() bool {
		for _, v := range tw.Views() {
			if v.Open && v.Type == "modal" {
				view = v
			}
		}
		return view.ID != ""
	})
	return view
}

func usage(_ context.Context, cmd bot.Command) (bot.Message, error) {
	if bareSubscribe.MatchString(cmd.Text) {
		return bot.Message{Lang: "en", Title: "/subscribe", Blocks: []bot.Block{{Kind: bot.BlockText, Text: "how to subscribe"}}}, nil
	}
	return bot.Message{Lang: "en", Title: "Subscribed: #1", Public: true, Blocks: []bot.Block{{Kind: bot.BlockText, Text: cmd.Text}}}, nil
}

func TestSubscribeByForm(t *testing.T) {
	in := &room{answer: usage}
	tw, app := app(t, in, nil)
	got, err := tw.SlashCommand(t.Context(), app+"/slack/commands", twin.Command{Text: "/weeklybot subscribe", Channel: "C1", User: "U7"})
	if err != nil || got.Status != 200 || len(got.Raw) != 0 {
		t.Fatalf("answer = %+v, %v, want an empty one", got, err)
	}
	view := openedForm(t, tw)
	if view.Title != "Subscribe" || view.User != "U7" || len(view.Blocks) != 8 {
		t.Fatalf("view = %+v", view)
	}
	for _, typed := range []string{"ebpf", "“服务  网格”", "wasm"} {
		if _, err := tw.Suggest(t.Context(), app+"/slack/interactions", twin.Suggest{View: view.ID, Block: "topics", Typed: typed}); err != nil {
			t.Fatal(err)
		}
	}
	done, err := tw.Submit(t.Context(), app+"/slack/interactions", twin.Submit{View: view.ID, Values: map[string]string{
		"topics": "ebpf\n服务 网格\nwasm", "series": "weekly", "day": "weekdays", "time": "08:30", "zone": "America/New_York", "style": "full", "lang": "en", "max": "20",
	}})
	if err != nil || len(done.Errors) > 0 || done.View.Title != "Subscribe" || !strings.Contains(fmt.Sprint(done.View.Blocks), "Subscribed: #1") {
		t.Fatalf("submitted = %+v, %v", done, err)
	}
	cmd := in.commands[len(in.commands)-1]
	want := bot.Command{
		ID: cmd.ID, At: cmd.At, Text: "/subscribe ebpf, 服务 网格, wasm from weekly weekdays 08:30 America/New_York full en max 20",
		Channel: bot.Channel{Adapter: "slack", Kind: "app", Workspace: "T0TWIN", Address: "C1", Name: "general"}, Member: bot.Member{ID: "U7", Name: "member", Lang: "en"},
	}
	if diff := cmp.Diff(want, cmd); diff != "" || cmd.ID == "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
	if told := waitFor(t, tw, "response", 1)[0]; told.Message.ResponseType != "in_channel" || told.Channel != "C1" || !strings.Contains(told.Message.Text, "Subscribed") {
		t.Errorf("the channel was told %+v", told.Message)
	}
}

// What is left alone is everything, on Mondays at nine.
func TestFormDefaults(t *testing.T) {
	in := &room{answer: usage}
	tw, app := app(t, in, nil)
	for _, c := range []struct {
		values map[string]string
		want   string
	}{
		{nil, "/subscribe all Mon 09:00 brief en"},
		{map[string]string{"day": onPublish, "zone": "Asia/Tokyo", "lang": "zh"}, "/subscribe all on publish brief zh"},
	} {
		if _, err := tw.SlashCommand(t.Context(), app+"/slack/commands", twin.Command{Text: "/subscribe"}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Submit(t.Context(), app+"/slack/interactions", twin.Submit{View: openedForm(t, tw).ID, Values: c.values}); err != nil {
			t.Fatal(err)
		}
		if got := in.commands[len(in.commands)-1].Text; got != c.want {
			t.Errorf("command = %q, want %q", got, c.want)
		}
	}
}

// What the core finds wrong stands beside the field at fault, and the form stays open for the next try.
func TestFormErrors(t *testing.T) {
	code := ""
	in := &room{answer: func(_ context.Context, cmd bot.Command) (bot.Message, error) {
		if code == "" {
			return usage(context.Background(), cmd)
		}
		msg := bot.Message{Lang: "en", Code: code, Notice: "What is wrong.", Blocks: []bot.Block{
			{Kind: bot.BlockText, Text: "What is wrong."}, {Kind: bot.BlockText, Text: "Near ones: " + strings.Repeat("ebpf ", 200)}}}
		if code == "broken" {
			msg.Code = ""
			return msg, errors.New("redis is down")
		}
		return msg, nil
	}}
	tw, app := app(t, in, nil)
	if _, err := tw.SlashCommand(t.Context(), app+"/slack/commands", twin.Command{Text: "/subscribe"}); err != nil {
		t.Fatal(err)
	}
	view := openedForm(t, tw)
	for _, c := range []struct{ code, field string }{
		{"unknown_topic", "topics"}, {"too_many_topics", "topics"}, {"unknown_series", "series"}, {"bad_schedule", "day"}, {"unknown_zone", "zone"},
		{"bad_max", "max"}, {"forbidden", "topics"}, {"new_code", "topics"}, {"broken", "topics"},
	} {
		code = c.code
		done, err := tw.Submit(t.Context(), app+"/slack/interactions", twin.Submit{View: view.ID})
		if err != nil || !done.View.Open || len(done.Errors) != 1 || !strings.HasPrefix(done.Errors[c.field], "What is wrong. Near ones: ebpf") || runes(done.Errors[c.field]) > maxLabel {
			t.Errorf("%s: %+v, %v, want the error at %s", c.code, done.Errors, err, c.field)
		}
	}
	code = ""
	if done, err := tw.Submit(t.Context(), app+"/slack/interactions", twin.Submit{View: view.ID}); err != nil || len(done.Errors) > 0 {
		t.Errorf("the next try: %+v, %v", done, err)
	}
}

// A submission that takes long is acknowledged, and its answer put in the place of the form.
func TestSlowSubmission(t *testing.T) {
	release := make(chan struct{})
	in := &room{answer: func(ctx context.Context, cmd bot.Command) (bot.Message, error) {
		if !bareSubscribe.MatchString(cmd.Text) {
			<-release
		}
		return usage(ctx, cmd)
	}}
	tw, app := app(t, in, func(a *Adapter) { a.ackWithin = time.Millisecond })
	if _, err := tw.SlashCommand(t.Context(), app+"/slack/commands", twin.Command{Text: "/subscribe"}); err != nil {
		t.Fatal(err)
	}
	view := openedForm(t, tw)
	done, err := tw.Submit(t.Context(), app+"/slack/interactions", twin.Submit{View: view.ID})
	if err != nil || !strings.Contains(fmt.Sprint(done.View.Blocks), "Working on it") {
		t.Fatalf("submitted = %+v, %v", done, err)
	}
	close(release)
	waitUntil(t, func() bool {
		views := tw.Views()
		return strings.Contains(fmt.Sprint(views[0].Blocks), "Subscribed: #1")
	})
}

// Where the form cannot be opened, the usage is shown as text.
func TestFormCannotOpen(t *testing.T) {
	in := &room{answer: usage}
	tw, app := app(t, in, nil)
	for k := range 2 { // the second time the trigger is used up
		got, err := tw.SlashCommand(t.Context(), app+"/slack/commands", twin.Command{Text: "/subscribe", Trigger: "once"})
		if err != nil || got.Status != 200 || strings.Contains(got.Message.Text, "how to subscribe") != (k == 1) {
			t.Errorf("time %d: %+v, %v", k+1, got, err)
		}
	}
	if refused := tw.Refused(); len(refused) != 1 || refused[0].Code != "exchanged_trigger_id" {
		t.Errorf("refused = %+v", refused)
	}
}

// The button below a digest opens the form for that channel, in the digest's language; replies are for the channel.
func TestSubscribeButtonOfADigest(t *testing.T) {
	in := &room{answer: usage}
	tw, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	srv := httptest.NewServer(a.Hook(in))
	defer srv.Close()
	msg := manyItems(270)
	msg.Lang = "zh"
	receipts := deliver(t, a, testChannel(KindApp, base), "d", msg)
	for k, p := range tw.Posts() {
		if got := buttonsOf(p.Message.Blocks); (len(got) == 1) != (k == len(receipts)-1) {
			t.Errorf("part %d of %d has the buttons %q", k+1, len(receipts), got)
		}
	}
	if _, err := tw.Click(t.Context(), srv.URL+"/slack/interactions", twin.Click{Post: string(receipts[len(receipts)-1]), Action: actionSubscribe, User: "U8"}); err != nil {
		t.Fatal(err)
	}
	view := openedForm(t, tw)
	if view.Title != "订阅" || view.User != "U8" {
		t.Errorf("form = %+v", view)
	}
	if _, err := tw.Submit(t.Context(), srv.URL+"/slack/interactions", twin.Submit{View: view.ID}); err != nil {
		t.Fatal(err)
	}
	if cmd := in.commands[0]; cmd.Channel.Address != "C0GENERAL" || cmd.Member.ID != "U8" || cmd.Text != "/subscribe all Mon 09:00 brief zh" {
		t.Errorf("command = %+v", cmd)
	}
}

func homeCore() *room {
	paused := map[string]bool{"2": true}
	return &room{answer: func(_ context.Context, cmd bot.Command) (bot.Message, error) {
		verb, n, _ := strings.Cut(cmd.Text, " ")
		switch verb {
		case "/help":
			return bot.Message{Lang: "zh", Title: "我读技术周刊", Blocks: []bot.Block{{Kind: bot.BlockText, Text: "/hot\n/search"}}}, nil
		case "/pause", "/resume":
			paused[n] = verb == "/pause"
			return bot.Message{Lang: "zh", Public: true, Title: "已改 #" + n}, nil
		case "/subscriptions":
			msg := bot.Message{Lang: "zh", Title: "这里的订阅（2）"}
			for _, n := range []string{"1", "2"} {
				text := "每周一 09:00 · <!channel>\n下次：2026-11-23"
				if paused[n] {
					text = "每周一 09:00\n已暂停。恢复：/resume " + n
				}
				msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockItem, Title: "#" + n, Text: text})
			}
			msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockNote, Text: "预览：/preview 1"})
			return msg, nil
		}
		return bot.Message{Lang: "zh", Code: "forbidden", Blocks: []bot.Block{{Kind: bot.BlockText, Text: "只有管理员可以。"}}}, nil
	}}
}

func home(t *testing.T, tw *twin.Twin, want string) (v twin.View) {
	t.Helper()
	waitUntil(t, func() bool {
		for _, v = range tw.Views() {
			if v.Type == "home" && strings.Contains(fmt.Sprint(v.Blocks), want) {
				return true
			}
		}
		return false
	})
	return v
}

func TestAppHome(t *testing.T) {
	in := homeCore()
	tw, app := app(t, in, nil)
	if err := tw.OpenHome(t.Context(), app+"/slack/events", "U7"); err != nil {
		t.Fatal(err)
	}
	v := home(t, tw, "已暂停")
	if got, want := buttonsOf(v.Blocks), []string{"暂停", "退订", "恢复", "退订", "订阅…"}; !slices.Equal(got, want) {
		t.Errorf("buttons %q, want %q", got, want)
	}
	if text := fmt.Sprint(v.Blocks); !strings.Contains(text, "&lt;!channel&gt;") || !strings.Contains(text, "我读技术周刊") || strings.Contains(text, "/preview") {
		t.Errorf("home = %s", text)
	}
	for _, cmd := range in.commands {
		if cmd.Channel.Address != "D7" || cmd.Member.ID != "U7" {
			t.Errorf("asked as %+v", cmd)
		}
	}
	if _, err := tw.Click(t.Context(), app+"/slack/interactions", twin.Click{View: v.ID, Action: "do-1", Value: "/resume 2", User: "U7"}); err != nil {
		t.Fatal(err)
	}
	v = home(t, tw, "已改 #2")
	if got := buttonsOf(v.Blocks); got[2] != "暂停" {
		t.Errorf("buttons after /resume 2: %q", got)
	}
	if _, err := tw.Click(t.Context(), app+"/slack/interactions", twin.Click{View: v.ID, Action: "do-2", Block: "subscription-1", User: "U7"}); err != nil {
		t.Fatal(err)
	}
	home(t, tw, "只有管理员可以。")
	if _, err := tw.Click(t.Context(), app+"/slack/interactions", twin.Click{View: v.ID, Action: actionSubscribe, User: "U7"}); err != nil {
		t.Fatal(err)
	}
	openedForm(t, tw)
	if refused := tw.Refused(); len(refused) > 0 {
		t.Errorf("refused: %+v", refused)
	}
}

// Whoever publishes in between wins nothing: the tab is made again from what holds by then.
func TestHomeConflict(t *testing.T) {
	in := homeCore()
	tw, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	a.publishHome(t.Context(), in, homeOwner, "", nil)
	a.publishHome(t.Context(), in, homeOwner, "1.000000", nil) // a hash that is not the newest
	refused := tw.Refused()
	if len(refused) != 1 || refused[0].Code != "hash_conflict" || len(in.commands) != 6 {
		t.Errorf("refused %+v, %d questions, want one conflict and 6", refused, len(in.commands))
	}
	home(t, tw, "已暂停")
}

var homeOwner = bot.Command{Channel: bot.Channel{Adapter: Name, Kind: KindApp, Workspace: "T0TWIN", Address: "D7"}, Member: bot.Member{ID: "U7"}}

func TestHomeSwitchedOff(t *testing.T) {
	tw, base := newTwin(t, twin.Options{})
	tw.DisableHome()
	newAdapter(t, testConfig(base), Deps{}).publishHome(t.Context(), homeCore(), homeOwner, "", nil)
	if refused := tw.Refused(); len(refused) != 1 || refused[0].Code != "not_enabled" {
		t.Errorf("refused = %+v", refused)
	}
}

// A Home tab fits, however much there is to show.
func TestHomeFits(t *testing.T) {
	subs := bot.Message{Lang: "zh", Title: strings.Repeat("周", 500)}
	for n := range 200 {
		subs.Blocks = append(subs.Blocks, bot.Block{Kind: bot.BlockItem, Title: fmt.Sprintf("#%d", n+1), Text: strings.Repeat("<&", 4000)})
	}
	news := bot.Message{Title: strings.Repeat("&", 5000), Blocks: subs.Blocks[:3]}
	if err := validateView(homeBlocks(subs, manyItems(270), &news)); err != nil {
		t.Error(err)
	}
}

func TestMention(t *testing.T) {
	for _, c := range []struct{ typed, thread, want string }{
		{"<@U0TWIN> hot ebpf", "", "/hot ebpf"},
		{"<@U0TWIN>", "", "/help"},
		{"hey <@U0TWIN>  /search &lt;双栈&gt; &amp;amp; <http://istio.io|istio.io>", "", "/hey /search <双栈> &amp; istio.io"},
		{"<@U0TWIN> 热点 <#C2|general> <@U5> <!here> <https://example.org/a>", "1700000000.000100", "/热点 #general @U5 https://example.org/a"},
	} {
		in := &room{answer: func(_ context.Context, cmd bot.Command) (bot.Message, error) {
			return text("you typed " + cmd.Text), nil
		}}
		tw, app := app(t, in, nil)
		ts, err := tw.Mention(t.Context(), app+"/slack/events", "C1", "U7", c.typed, c.thread)
		if err != nil {
			t.Fatal(err)
		}
		posts := waitFor(t, tw, "app", 1)
		form, _ := url.ParseQuery(string(posts[0].Raw))
		wantThread := map[bool]string{true: ts, false: c.thread}[c.thread == ""]
		if got := in.commands[0]; got.Text != c.want || got.ID == "" || got.Member.ID != "U7" || form.Get("thread_ts") != wantThread || form.Get("channel") != "C1" {
			t.Errorf("%s: command %q in thread %s, want %q in %s", c.typed, got.Text, form.Get("thread_ts"), c.want, wantThread)
		}
	}
}

// An event that is delivered again is answered once; one of a bot never is.
func TestMentionOnce(t *testing.T) {
	in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) { return text("x"), nil }}
	tw, app := app(t, in, nil)
	inner := map[string]any{"type": "app_mention", "user": "U1", "channel": "C1", "text": "<@U0TWIN> hot", "ts": "1.2"}
	fromBot := map[string]any{"type": "app_mention", "user": "U1", "channel": "C1", "text": "<@U0TWIN> hot", "ts": "1.3", "bot_id": "B1"}
	for k, e := range []twin.Event{{ID: "Ev1", Inner: inner}, {ID: "Ev1", Inner: inner, Retry: 1}, {ID: "Ev2", Inner: fromBot}} {
		if status, _, err := tw.SendEvent(t.Context(), app+"/slack/events", e); err != nil || status != 200 {
			t.Errorf("event %d: %d, %v", k, status, err)
		}
	}
	waitFor(t, tw, "app", 1)
	if len(in.commands) != 1 {
		t.Errorf("%d commands, want 1", len(in.commands))
	}
	var h heard
	for k := range 3 * maxHeard {
		if !h.first(fmt.Sprint(k)) || h.first(fmt.Sprint(k)) || len(h.ids) > maxHeard {
			t.Fatalf("id %d is forgotten, or %d are kept", k, len(h.ids))
		}
	}
}

func TestRecall(t *testing.T) {
	tw, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	dst := testChannel(KindApp, base)
	receipts := deliver(t, a, dst, "d", manyItems(3))
	for k := range 2 { // the second time it is gone already
		if err := a.Recall(t.Context(), dst, receipts[0]); err != nil || len(tw.Posts()) != 0 {
			t.Errorf("Recall %d = %v, %d posts left", k+1, err, len(tw.Posts()))
		}
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		dst    bot.Channel
		want   bot.SendError
	}{
		{"too old", refuses("cant_delete_message"), dst, bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "cant_delete_message"}},
		{"kept for compliance", refuses("compliance_exports_prevent_deletion"), dst, bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "compliance_exports_prevent_deletion"}},
		{"limit", says(429, "", "Retry-After", "7"), dst, bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeWorkspace, Code: "rate_limited", RetryAfter: 7 * time.Second}},
		{"revoked", refuses("token_revoked"), dst, bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeWorkspace, Code: "token_revoked"}},
		{"webhook", nil, testChannel(KindWebhook, base), bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: codeNoReceipt}},
	} {
		srv := httptest.NewServer(c.answer)
		err := newAdapter(t, testConfig(srv.URL), Deps{}).Recall(t.Context(), c.dst, "1.2")
		srv.Close()
		got, ok := err.(*bot.SendError)
		if !ok || got.Fault != c.want.Fault || got.Scope != c.want.Scope || got.Code != c.want.Code || got.RetryAfter != c.want.RetryAfter {
			t.Errorf("%s: %+v, want %+v", c.name, err, c.want)
		}
	}
}

// A recall takes all parts back, the image too.
func TestRecallImage(t *testing.T) {
	tw, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	dst := testChannel(KindApp, base)
	receipts := deliver(t, a, dst, "d", adaptertest.Samples()["with_image"])
	for range 2 {
		for _, r := range receipts {
			if err := a.Recall(t.Context(), dst, r); err != nil {
				t.Errorf("Recall(%s) = %v", r, err)
			}
		}
	}
	if len(receipts) != 2 || len(tw.Posts())+len(tw.Files()) > 0 {
		t.Errorf("%d receipts; %d posts and %d files left", len(receipts), len(tw.Posts()), len(tw.Files()))
	}
}

// The same over Socket Mode.
func TestSocketInteractions(t *testing.T) {
	in := &room{answer: paged(2)}
	tw := listening(t, in, nil)
	if _, err := tw.SocketCommand(t.Context(), twin.Command{Text: "/hot ebpf"}); err != nil {
		t.Fatal(err)
	}
	if _, err := tw.Click(t.Context(), "", twin.Click{Post: only(t, tw).TS, Action: actionMore}); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return strings.Contains(only(t, tw).Message.Text, "page 2") })
	if _, err := tw.SocketCommand(t.Context(), twin.Command{Text: "/subscribe"}); err != nil {
		t.Fatal(err)
	}
	done, err := tw.Submit(t.Context(), "", twin.Submit{View: openedForm(t, tw).ID})
	if err != nil || !strings.Contains(fmt.Sprint(done.View.Blocks), "page 1") {
		t.Errorf("submitted = %+v, %v", done, err)
	}
	if err := tw.OpenHome(t.Context(), "", "U7"); err != nil {
		t.Fatal(err)
	}
	home(t, tw, "page 1")
	if _, err := tw.Mention(t.Context(), "", "C5", "U7", "<@U0TWIN> hot", ""); err != nil {
		t.Fatal(err)
	}
	waitFor(t, tw, "app", 1)
}

func TestMalformedInteractions(t *testing.T) {
	in := &room{}
	a := newAdapter(t, testConfig("http://127.0.0.1:1"), Deps{Now: func() time.Time { return signedAt }})
	click := url.QueryEscape(`{"type":"block_actions","trigger_id":"t","team":{"id":"T1"},"user":{"id":"U1"},"channel":{"id":"C1"},"response_url":"https://hooks.slack.com/x","actions":[{"action_id":"more","value":"/hot"}]}`)
	for _, c := range []struct {
		name string
		r    *http.Request
		want int
	}{
		{"no payload", signed(t, "/slack/interactions", "a=b", signedAt, testSecret), 400},
		{"no JSON", signed(t, "/slack/interactions", "payload=x", signedAt, testSecret), 400},
		{"no form", signed(t, "/slack/interactions", "payload=%zz", signedAt, testSecret), 400},
		{"payload in the query", signed(t, "/slack/interactions?payload="+click, "a=b", signedAt, testSecret), 400},
		{"forged", signed(t, "/slack/interactions", "payload="+click, signedAt, "other"), 401},
		{"stale", signed(t, "/slack/interactions", "payload="+click, signedAt.Add(-time.Hour), testSecret), 401},
		{"get", httptest.NewRequest(http.MethodGet, "/slack/interactions?payload="+click, nil), 405},
		{"other kind", signed(t, "/slack/interactions", "payload="+url.QueryEscape(`{"type":"shortcut"}`), signedAt, testSecret), 200},
	} {
		if got := serve(a, in, c.r); got != c.want || len(in.commands) > 0 {
			t.Errorf("%s: status %d, %d commands, want %d and none", c.name, got, len(in.commands), c.want)
		}
	}
}

// FuzzInteraction sends any signed payload: whatever it holds, the core gets whole commands only, which begin with a slash and come from the
// member that Slack names, and Slack gets nothing but an acknowledgement or an answer to a form.
func FuzzInteraction(f *testing.F) {
	f.Add(`{"type":"block_actions","trigger_id":"t","team":{"id":"T1"},"user":{"id":"U1"},"channel":{"id":"C1"},"response_url":"http://127.0.0.1:1/x","actions":[{"action_id":"more","value":"/hot --page 2 ebpf"}]}`)
	f.Add(`{"type":"block_actions","team":null,"user":{"id":"U1","team_id":"T1"},"view":{"id":"V1","callback_id":"home","private_metadata":"{\"c\":\"D1\"}"},"actions":[{"action_id":"do-1","value":"/pause 1"}]}`)
	f.Add(`{"type":"view_submission","trigger_id":"t","team":{"id":"T1"},"user":{"id":"U1"},"view":{"id":"V1","callback_id":"subscribe","private_metadata":"{\"c\":\"C1\"}","state":{"values":{"topics":{"topics":{"selected_options":[{"value":"a\u0000\"b"}]}}}}}}`)
	f.Add(`{"type":"block_suggestion","team":{"id":"T1"},"user":{"id":"U1"},"action_id":"topics","value":"e\u0000<","view":{"id":"V1","callback_id":"subscribe","private_metadata":"{\"c\":\"C1\"}"}}`)
	f.Add(`{"type":"block_actions","trigger_id":"t","team":{"id":"T1"},"user":{"id":"U1"},"actions":[{"action_id":"day","action_ts":"1.2"}],"view":{"id":"V1","hash":"h","callback_id":"subscribe","private_metadata":"{\"c\":\"C1\"}","state":{"values":{"topics":{"topics":{"selected_options":[{"value":"ebpf"}]}}}}}}`)
	f.Add(`{"type":"block_actions","actions":[{"action_id":"more","value":"rm"}]}`)
	f.Add(`{"type":"view_submission","view":{"callback_id":"subscribe","private_metadata":"[","state":{"values":null}}}`)
	f.Add(`[1]`)
	in := &room{answer: func(_ context.Context, cmd bot.Command) (bot.Message, error) {
		msg := text("you typed " + cmd.Text)
		if strings.Contains(cmd.Text, "wrong") {
			msg.Code = "unknown_zone"
		}
		return msg, nil
	}}
	refusing := httptest.NewServer(refuses("not_enabled"))
	f.Cleanup(refusing.Close)
	cfg := testConfig(refusing.URL)
	cfg.APIURL = refusing.URL + "/api"
	a, err := New(cfg, Deps{Now: func() time.Time { return signedAt }})
	if err != nil {
		f.Fatal(err)
	}
	hook := a.Hook(in)
	f.Fuzz(func(t *testing.T, payload string) {
		in.commands = nil
		w := httptest.NewRecorder()
		hook.ServeHTTP(w, signed(t, "/slack/interactions", url.Values{"payload": {payload}}.Encode(), signedAt, testSecret))
		if w.Code != 200 && (w.Code != 400 || len(in.commands) > 0) {
			t.Errorf("status %d after %d commands", w.Code, len(in.commands))
		}
		for _, cmd := range in.commands {
			if !strings.HasPrefix(cmd.Text, "/") || cmd.Member.ID == "" || cmd.Channel.Address == "" || cmd.Channel.Workspace == "" || cmd.Channel.Adapter != Name {
				t.Errorf("an incomplete command got through: %+v", cmd)
			}
		}
		if w.Code == 400 || w.Body.Len() == 0 {
			return
		}
		var answer struct {
			Action  string `json:"response_action"`
			Errors  map[string]string
			View    struct{ Blocks []json.RawMessage }
			Options []struct{ Value string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Action == "errors" && answer.Errors[fieldZone] == "" || answer.Action == "update" && len(answer.View.Blocks) == 0 || len(answer.Options) > maxSuggested+1 {
			t.Errorf("answer %q, %v", w.Body, err)
		}
	})
}

// FuzzMention: what a member types arrives as they typed it, however Slack escapes it.
func FuzzMention(f *testing.F) {
	f.Add("hot  ebpf")
	f.Add("/search <双栈> & \"istio\" &amp; <!here>")
	f.Add("\u200b>")
	slacks := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	f.Fuzz(func(t *testing.T, typed string) {
		var s spoken
		s.Event.Text = "<@U0TWIN> " + slacks.Replace(typed)
		if got, want := mentionText(s), strings.Join(strings.Fields(typed), " "); got != want {
			t.Errorf("mentionText = %q, want %q", got, want)
		}
	})
}

// Below an answer about a topic stands a button that opens the form with the topic in it.
func TestSubscribeToTheTopic(t *testing.T) {
	for _, c := range []struct{ text, label, topics string }{
		{"/hot ebpf", "订阅 ebpf…", "ebpf"},
		{"/hot --page 2 服务网格 --lang zh", "订阅 服务网格…", "服务网格"},
		{"/走势 web assembly", "订阅 web assembly…", "web assembly"},
		{"/hot", "", ""}, {"/search ebpf", "", ""}, {"/hot " + strings.Repeat("长", 41), "", ""},
	} {
		in := &room{answer: paged(2)}
		tw, app := app(t, in, nil)
		if _, err := tw.SlashCommand(t.Context(), app+"/slack/commands", twin.Command{Text: c.text}); err != nil {
			t.Fatal(err)
		}
		labels := buttonsOf(only(t, tw).Message.Blocks)
		if c.label == "" {
			if slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(l, "订阅") }) {
				t.Errorf("%s: buttons %q", c.text, labels)
			}
			continue
		}
		if !slices.Contains(labels, c.label) {
			t.Errorf("%s: buttons %q, want %q", c.text, labels, c.label)
			continue
		}
		if _, err := tw.Click(t.Context(), app+"/slack/interactions", twin.Click{Post: only(t, tw).TS, Action: actionSubscribe}); err != nil {
			t.Fatal(err)
		}
		var views []twin.View
		for deadline := time.Now().Add(time.Minute); len(views) == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			views = tw.Views()
		}
		if len(views) != 1 || !strings.Contains(fmt.Sprint(at(views[0].Blocks[0], "element/initial_options")), "value:"+c.topics+"]") || views[0].Title != "订阅" {
			t.Errorf("%s: views %+v, refused %+v", c.text, views, tw.Refused())
		}
	}
}

// The bot greets a channel that it was brought into, once; that others join is none of its business.
func TestGreeting(t *testing.T) {
	tw, app := app(t, &room{answer: paged(1)}, nil)
	for _, e := range []twin.Event{
		{ID: "Ev1", Inner: map[string]any{"type": "member_joined_channel", "user": "U0OTHER", "channel": "C5"}},
		{ID: "Ev2", Inner: map[string]any{"type": "member_joined_channel", "user": "U0TWIN", "channel": "C5"}},
		{ID: "Ev2", Retry: 1, Inner: map[string]any{"type": "member_joined_channel", "user": "U0TWIN", "channel": "C5"}},
	} {
		if status, _, err := tw.SendEvent(t.Context(), app+"/slack/events", e); err != nil || status != http.StatusOK {
			t.Fatalf("%d, %v", status, err)
		}
	}
	waitFor(t, tw, "app", 1)
	if p := only(t, tw); p.Channel != "C5" || !strings.Contains(p.Message.Text, "Hello!") || len(buttonsOf(p.Message.Blocks)) != 1 {
		t.Errorf("greeting %+v", p)
	}
}

// Where nobody knows the member's language the form asks in both, within Slack's limits.
func TestFormInBothLanguages(t *testing.T) {
	tw, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	form, _ := url.ParseQuery(string(tw.CommandForm(twin.Command{Text: "/subscribe"})))
	if !a.openForm(t.Context(), "T0TWIN", form.Get("trigger_id"), venue{Channel: "C1", Reply: strings.Repeat("周", 2000)}) || tw.Views()[0].Title != "订阅 · Subscribe" {
		t.Errorf("views %+v, refused %+v", tw.Views(), tw.Refused())
	}
}
