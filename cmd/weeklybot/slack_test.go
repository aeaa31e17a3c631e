package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	slacktwin "weeklybot/adapters/slack/twin"
)

// A Slack member turns pages, subscribes with the form and pauses in App Home, over Socket Mode and with the real core: every choice of the
// form is one that the grammar reads, and what it does not read stands beside its field.
func TestSlackMemberClicks(t *testing.T) {
	slack := slacktwin.New(slacktwin.Options{BotToken: "xoxb-twin", AppToken: "xapp-twin", Window: time.Millisecond})
	server := httptest.NewServer(slack)
	t.Cleanup(server.Close)
	slack.SetURL(server.URL)
	dir := t.TempDir()
	var issue strings.Builder
	for n := range 25 {
		fmt.Fprintf(&issue, "- [eBPF part %d](https://example.org/%d) explains maps.\n", n+1, n+1)
	}
	write(t, dir, "news/weekly-1.md", "---\ntitle: Weekly 1\ndate: 2026-11-16\n---\n\n## News\n\n"+issue.String())
	write(t, dir, "config.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
lang: en
content: {sources: [{name: news, kind: folder, path: news}]}
adapters:
  slack: {bot_token: xoxb-twin, app_token: xapp-twin, socket_mode: true, api_url: "%s/api/"}
`, server.URL))
	p := start(t, dir)
	p.wait("the bot's connection", time.Minute, func() bool { return slack.Connected() > 0 })
	typed := func(text, channel string) {
		t.Helper()
		if a, err := slack.SocketCommand(t.Context(), slacktwin.Command{Text: text, Channel: channel}); err != nil || a.Refused != "" {
			t.Fatalf("%s: %+v, %v", text, a, err)
		}
	}
	shows := func(what, want string) {
		t.Helper()
		p.wait(what, time.Minute, func() bool { return strings.Contains(fmt.Sprint(slack.Posts()), want) })
	}

	typed("/hot ebpf", "C1")
	for k, want := range []string{"/11|", "/21|"} {
		if _, err := slack.Click(t.Context(), "", slacktwin.Click{Post: slack.Posts()[0].TS, Action: "more"}); err != nil {
			t.Fatalf("page %d: %v", k+2, err)
		}
		shows("the next page", "https://example.org"+want)
	}
	if posts := slack.Posts(); len(posts) != 1 || strings.Contains(fmt.Sprint(posts), "example.org/1|") {
		t.Errorf("%d posts, want one whose pages replace each other: %+v", len(posts), posts)
	}

	// The first hit gets a 👎 and goes down; a second click of the same member changes nothing.
	typed("/hot ebpf", "C2")
	last := func() (post slacktwin.Post, leads bool) {
		posts := slack.Posts()
		post = posts[len(posts)-1]
		first, _, _ := strings.Cut(fmt.Sprint(post.Message.Blocks), "example.org/2|")
		return post, strings.Contains(first, "example.org/1|")
	}
	post, leads := last()
	if !leads {
		t.Fatalf("the hits are in another order than the issue: %+v", post.Message.Blocks)
	}
	for range 2 {
		if _, err := slack.Click(t.Context(), "", slacktwin.Click{Post: post.TS, Action: "vote", Value: voteOf(t, post, "example.org/1|", "down")}); err != nil {
			t.Fatal(err)
		}
	}
	shows("the word of thanks", "not useful")
	p.wait("another order", time.Minute, func() bool {
		typed("/hot ebpf", "C2")
		_, leads := last()
		return !leads
	})
	for _, day := range []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "weekdays", "daily", "on publish"} {
		typed("/subscribe", "C1")
		views := slack.Views()
		form := views[len(views)-1]
		suggested(t, slack, form.ID, "ebp", "eBPF")
		suggested(t, slack, form.ID, "xyzq", "xyzq")
		for _, wrong := range []struct{ field, value string }{{"topics", "xyzq"}, {"series", "nosuch"}, {"zone", "Nowhere/City"}} {
			values := map[string]string{"topics": "", "series": "", "zone": ""} // what stood wrong before does not stay
			values[wrong.field] = wrong.value
			got, err := slack.Submit(t.Context(), "", slacktwin.Submit{View: form.ID, Values: values})
			if err != nil || got.Errors[wrong.field] == "" || !got.View.Open {
				t.Errorf("%s %s: %+v, %v, want the error beside it", wrong.field, wrong.value, got.Errors, err)
			}
		}
		for _, style := range []string{"headlines", "brief", "full"} {
			got, err := slack.Submit(t.Context(), "", slacktwin.Submit{View: form.ID, Values: map[string]string{
				"topics": suggested(t, slack, form.ID, "bpf", "eBPF"), "series": "news", "zone": "", "day": day, "time": "08:30", "style": style, "max": "20",
			}})
			if done := fmt.Sprint(got.View.Blocks); err != nil || !strings.Contains(done, "eBPF") || !strings.Contains(done, "#") || !strings.Contains(done, "at most 20 items") {
				t.Fatalf("%s, %s: %+v, %v", day, style, got, err)
			}
			typed("/subscribe", "C1")
			views = slack.Views()
			form = views[len(views)-1]
		}
	}
	shows("the word to the channel", "Subscribed: #10")

	typed("/subscribe all Mon 9:00", "D0MEMBER")
	home := func(want string) (v slacktwin.View) {
		t.Helper()
		p.wait("App Home with "+want, time.Minute, func() bool {
			for _, v = range slack.Views() {
				if v.Type == "home" && strings.Contains(fmt.Sprint(v.Blocks), want) {
					return true
				}
			}
			return false
		})
		return v
	}
	if err := slack.OpenHome(t.Context(), "", "U0MEMBER"); err != nil {
		t.Fatal(err)
	}
	if _, err := slack.Click(t.Context(), "", slacktwin.Click{View: home("Subscribed here (1)").ID, Action: "do-1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := slack.Click(t.Context(), "", slacktwin.Click{View: home("Paused: #1").ID, Action: "do-1", Value: "/resume 1"}); err != nil {
		t.Fatal(err)
	}
	home("Going on: #1")
	p.stop()
	if refused := slack.Refused(); len(refused) > 0 {
		t.Errorf("refused: %+v", refused)
	}
}

// A person without a workspace opens the stand-in's page, asks, subscribes the channel by the form and by a command, and watches the digest
// arrive, without loading the page anew. Then they vote, and pause in App Home.
func TestSlackOnThePage(t *testing.T) {
	t.Parallel()
	slack := slacktwin.New(slacktwin.Options{BotToken: "xoxb-twin", AppToken: "xapp-twin"})
	server := httptest.NewServer(slack)
	t.Cleanup(server.Close)
	slack.SetURL(server.URL)
	dir := t.TempDir()
	write(t, dir, "news/weekly-1.md", "---\ntitle: Weekly 1\ndate: 2026-11-16\n---\n\n## News\n\n- [eBPF in practice](https://example.org/ebpf) explains maps.\n")
	write(t, dir, "config.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
lang: en
content: {sources: [{name: news, kind: folder, path: news}]}
adapters:
  slack: {bot_token: xoxb-twin, app_token: xapp-twin, socket_mode: true, api_url: "%s/api/"}
`, server.URL))
	p := start(t, dir)
	p.wait("the bot's connection", time.Minute, func() bool { return slack.Connected() > 0 })
	ctx := startBrowser(t, 3*time.Minute)
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	shows := func(want string) {
		t.Helper()
		p.wait("the page with "+want, 90*time.Second, func() bool {
			shown, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body?.innerText ?? ""`)) // fails while the page changes
			return err == nil && strings.Contains(shown, want)
		})
	}
	day := "Friday" // one that is far in every zone: what is weekly does not come while the test runs
	if time.Now().UTC().Weekday() >= time.Thursday {
		day = "Wednesday"
	}
	do(chromedp.Navigate(server.URL+"/?channel=C1"), chromedp.SendKeys(`[name=text]`, "/hot ebpf\r"))
	shows("Hot on “ebpf”")
	do(chromedp.SendKeys(`[name=text]`, "/subscribe\r"), chromedp.WaitVisible(`.modal .query`))
	do(chromedp.SendKeys(`.modal .query`, "ebp"), chromedp.WaitVisible(`.suggested button[value=eBPF]`), chromedp.Click(`.suggested button[value=eBPF]`))
	shows("Preview · Mondays 09:00")
	do(chromedp.SendKeys(`.modal [name="field.day"]`, "Every "+day[:1]))
	shows("Preview · " + day + "s 09:00")
	shows("eBPF in practice") // below the form, behind which stands the answer that shows it too
	do(chromedp.SendKeys(`.modal .query`, "nosuchtopic"), chromedp.WaitVisible(`.suggested button[value=nosuchtopic]`), chromedp.Click(`.suggested button[value=nosuchtopic]`))
	shows("There is no topic")
	do(chromedp.Click(`.modal form button.primary`), chromedp.WaitVisible(`.modal .error`))
	do(chromedp.Click(`.modal .chip:last-child button`), chromedp.Click(`.modal form button.primary`))
	shows("Subscribed: #1")
	do(chromedp.Click(`.modal .row button`), chromedp.WaitNotPresent(`.modal`))
	do(chromedp.SendKeys(`[name=text]`, `/subscribe all "* * * * *"`+"\r"))
	shows("Subscribed: #2")
	p.wait("the digest", 90*time.Second, func() bool {
		return slices.ContainsFunc(slack.Posts(), func(post slacktwin.Post) bool { return post.Kind == "app" })
	})
	shows("Weekly 1") // by itself
	do(chromedp.Click(`.menu summary`), chromedp.Click(`.menu[open] button`))
	shows("It counts as useful")
	do(chromedp.SendKeys(`[name=text]`, "/unsubscribe all\r"))
	shows("Unsubscribed")
	do(chromedp.Navigate(server.URL+"/?channel=D0MEMBER"), chromedp.SendKeys(`[name=text]`, "/subscribe all "+day[:3]+" 9:00\r"))
	shows("Subscribed: #1")
	do(chromedp.Click(`.side button.app`))
	shows("Subscribed here (1)")
	do(chromedp.Click(`.home form [name=action][value=do-1]`))
	shows("Paused: #1")
	p.stop()
	digests := 0
	for _, post := range slack.Posts() {
		if post.Kind == "app" && strings.Contains(post.Message.Text, "Weekly 1") {
			digests++
		}
	}
	refused := slices.DeleteFunc(slack.Refused(), func(r slacktwin.Refusal) bool { return r.Code == "hash_conflict" }) // somebody typed on: asked again
	if digests != 1 || len(refused) > 0 {
		t.Errorf("%d digests, want 1; refused %+v", digests, refused)
	}
}

// A channel that is renamed, and one that gets another number, keep their subscriptions.
func TestSlackChannelMoves(t *testing.T) {
	t.Parallel()
	slack := slacktwin.New(slacktwin.Options{BotToken: "xoxb-twin", AppToken: "xapp-twin", Window: time.Millisecond})
	server := httptest.NewServer(slack)
	t.Cleanup(server.Close)
	slack.SetURL(server.URL)
	dir := t.TempDir()
	write(t, dir, "news/weekly-1.md", "---\ntitle: Weekly 1\ndate: 2026-11-16\n---\n\n## News\n\n- [eBPF in practice](https://example.org/ebpf) explains maps.\n")
	write(t, dir, "config.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
lang: en
content: {sources: [{name: news, kind: folder, path: news}]}
adapters:
  slack: {bot_token: xoxb-twin, app_token: xapp-twin, socket_mode: true, api_url: "%s/api/"}
`, server.URL))
	p := start(t, dir)
	p.wait("the bot's connection", time.Minute, func() bool { return slack.Connected() > 0 })
	typed := func(text, channel, want string) {
		t.Helper()
		a, err := slack.SocketCommand(t.Context(), slacktwin.Command{Text: text, Channel: channel})
		if err != nil || !strings.Contains(fmt.Sprint(a.Message), want) {
			t.Errorf("%s in %s: %+v, %v, want %q", text, channel, a.Message, err, want)
		}
	}
	typed(`/subscribe ebpf "* * * * *"`, "C1", "Subscribed: #1")
	for _, inner := range []map[string]any{
		{"type": "channel_rename", "channel": map[string]any{"id": "C1", "name": "newsroom", "created": 1}},
		{"type": "channel_id_changed", "old_channel_id": "C1", "new_channel_id": "C9"},
	} {
		if err := slack.SocketEvent(t.Context(), slacktwin.Event{Inner: inner}); err != nil {
			t.Fatalf("%s: %v", inner["type"], err)
		}
	}
	typed("/subscriptions", "C9", "Subscribed here (1)")
	typed("/subscriptions", "C1", "Nothing is subscribed here")
	p.wait("the digest in the new channel", 90*time.Second, func() bool {
		return slices.ContainsFunc(slack.Posts(), func(post slacktwin.Post) bool { return post.Kind == "app" && post.Channel == "C9" })
	})
	p.stop()
}

// suggested is the topic want among those that the form offers for what is typed.
func suggested(t *testing.T, slack *slacktwin.Twin, view, typed, want string) string {
	t.Helper()
	options, err := slack.Suggest(t.Context(), "", slacktwin.Suggest{View: view, Block: "topics", Typed: typed})
	if err != nil || !slices.ContainsFunc(options, func(o map[string]any) bool { return o["value"] == want }) {
		t.Fatalf("%s typed: %v, %v, want %s among them", typed, options, err, want)
	}
	return want
}

// voteOf is the option of the menu beside the item whose link holds link.
func voteOf(t *testing.T, post slacktwin.Post, link, vote string) string {
	t.Helper()
	for _, b := range post.Message.Blocks {
		menu, _ := b["accessory"].(map[string]any)
		options, _ := menu["options"].([]any)
		for _, o := range options {
			if value := o.(map[string]any)["value"].(string); strings.Contains(fmt.Sprint(b["text"]), link) && strings.HasPrefix(value, vote+" ") {
				return value
			}
		}
	}
	t.Fatalf("no menu beside %s in %+v", link, post.Message.Blocks)
	return ""
}

func TestSlackManifest(t *testing.T) {
	dir := t.TempDir()
	const news = "content: {sources: [{name: news, kind: folder, path: .}]}\n"
	write(t, dir, "config.yaml", news+"public_url: https://bot.example.com\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "https://bot.example.com/slack/interactions"},
		{[]string{"--socket"}, `"socket_mode_enabled": true`},
	} {
		code, out, errs := call(t, append([]string{"--config", dir + "/config.yaml", "slack", "manifest"}, c.args...)...)
		if code != 0 || !json.Valid([]byte(out)) || !strings.Contains(out, c.want) {
			t.Errorf("manifest %v: exit %d, %s%s, want %s", c.args, code, out, errs, c.want)
		}
	}
	write(t, dir, "config.yaml", news)
	if code, _, errs := call(t, "--config", dir+"/config.yaml", "slack", "manifest"); code == 0 || !strings.Contains(errs, "public_url is not set") {
		t.Errorf("without public_url: exit %d, %s", code, errs)
	}
}
