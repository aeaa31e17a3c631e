package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"weeklybot/adapters/slack/twin"
	"weeklybot/bot"
)

// reached runs test with an app that hears over HTTP, and with one that hears over a socket; target is "" there.
func reached(t *testing.T, core func() *room, test func(t *testing.T, in *room, tw *twin.Twin, target string)) {
	t.Run("http", func(t *testing.T) {
		in := core()
		tw, app := app(t, in, nil)
		test(t, in, tw, app)
	})
	t.Run("socket", func(t *testing.T) {
		in := core()
		test(t, in, listening(t, in, nil), "")
	})
}

// openForm types /subscribe.
func openForm(t *testing.T, tw *twin.Twin, target string) twin.View {
	t.Helper()
	var err error
	if target == "" {
		_, err = tw.SocketCommand(t.Context(), twin.Command{Text: "/subscribe", Channel: "C1"})
	} else {
		_, err = tw.SlashCommand(t.Context(), target+"/slack/commands", twin.Command{Text: "/subscribe", Channel: "C1"})
	}
	if err != nil {
		t.Fatal(err)
	}
	return openedForm(t, tw)
}

func interactions(target string) string {
	if target == "" {
		return ""
	}
	return target + "/slack/interactions"
}

// As a member types, topics are suggested in their language; what the core does not know can be sent too, and it says so beside the field.
func TestTopicsAsOneTypes(t *testing.T) {
	core := func() *room {
		return &room{
			answer: func(ctx context.Context, cmd bot.Command) (bot.Message, error) {
				if strings.Contains(cmd.Text, "xyz") {
					return bot.Message{Lang: "en", Code: "unknown_topic", Blocks: []bot.Block{{Kind: bot.BlockText, Text: "There is no topic “xyz”."}}}, nil
				}
				return usage(ctx, cmd)
			},
			complete: func(typed, lang string, n int) []string {
				if n < 1 || n > 100 || typed == "xyz" {
					return nil
				}
				return []string{typed + " in " + lang, "Service mesh", strings.Repeat("周", 76)}
			},
		}
	}
	reached(t, core, func(t *testing.T, in *room, tw *twin.Twin, target string) {
		view := openForm(t, tw, target)
		for _, c := range []struct {
			typed string
			want  []string
		}{
			{"网", []string{"网 in en", "Service mesh", "网"}},
			{"service MESH", []string{"service MESH in en", "Service mesh"}},
			{"a, “b”\n", []string{"a, b in en", "Service mesh", "a, b"}},
			{"xyz", []string{"xyz"}},
			{"\u200b\x00", []string{}},
		} {
			options, err := tw.Suggest(t.Context(), interactions(target), twin.Suggest{View: view.ID, Block: fieldTopics, Typed: c.typed})
			got := []string{}
			for _, o := range options {
				got = append(got, o["value"].(string))
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%q: %q, %v, want %q", c.typed, got, err, c.want)
			}
		}
		done, err := tw.Submit(t.Context(), interactions(target), twin.Submit{View: view.ID, Values: map[string]string{fieldTopics: "xyz"}})
		if err != nil || !strings.Contains(done.Errors[fieldTopics], "no topic “xyz”") || !done.View.Open {
			t.Errorf("an unknown topic: %+v, %v", done.Errors, err)
		}
		done, err = tw.Submit(t.Context(), interactions(target), twin.Submit{View: view.ID, Values: map[string]string{fieldTopics: "Service mesh\n网 in en"}})
		if err != nil || len(done.Errors) > 0 || !strings.Contains(fmt.Sprint(done.View.Blocks), "/subscribe Service mesh, 网 in en Mon 09:00") {
			t.Errorf("two topics: %+v, %v", done, err)
		}
	})
}

// However many topics the core names, and however long they are, Slack gets what it takes, and an envelope's answer is not dropped.
func TestManySuggestions(t *testing.T) {
	core := func() *room {
		return &room{answer: usage, complete: func(string, string, int) (names []string) {
			for k := range 500 {
				names = append(names, strings.Repeat("<", k%80)+"周")
			}
			return names
		}}
	}
	reached(t, core, func(t *testing.T, in *room, tw *twin.Twin, target string) {
		view := openForm(t, tw, target)
		options, err := tw.Suggest(t.Context(), interactions(target), twin.Suggest{View: view.ID, Block: fieldTopics, Typed: strings.Repeat("很", 5000)})
		if err != nil || len(options) != maxSuggested+1 {
			t.Errorf("%d options, %v", len(options), err)
		}
	})
}

// previewing answers /preview with what was asked for.
func previewing(ctx context.Context, cmd bot.Command) (bot.Message, error) {
	if asked, ok := strings.CutPrefix(cmd.Text, "/preview "); ok {
		return bot.Message{Lang: "en", Title: "Weekly", Blocks: []bot.Block{{Kind: bot.BlockItem, Title: "preview of " + asked, Item: "an item", URL: "https://example.org/1"}}}, nil
	}
	return usage(ctx, cmd)
}

// below is what stands in the form.
func below(tw *twin.Twin) string { return fmt.Sprint(tw.Views()[0].Blocks) }

// Each change shows below the form what would come, without anything to click; what stands in the fields stays.
func TestLivePreview(t *testing.T) {
	reached(t, func() *room { return &room{answer: previewing} }, func(t *testing.T, in *room, tw *twin.Twin, target string) {
		view := openForm(t, tw, target)
		if _, err := tw.Suggest(t.Context(), interactions(target), twin.Suggest{View: view.ID, Block: fieldTopics, Typed: "ebpf"}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ field, value, want string }{
			{fieldTopics, "ebpf", "preview of ebpf Mon 09:00 brief en"},
			{fieldDay, "Fri", "preview of ebpf Fri 09:00 brief en"},
			{fieldMax, "3", "preview of ebpf Fri 09:00 brief en max 3"},
			{fieldTopics, "", "preview of all Fri 09:00 brief en max 3"},
		} {
			if err := tw.Change(t.Context(), interactions(target), twin.Change{View: view.ID, Block: c.field, Values: map[string]string{c.field: c.value}}); err != nil {
				t.Fatal(err)
			}
			waitUntil(t, func() bool { return strings.Contains(below(tw), c.want) })
		}
		if v := tw.Views()[0]; strings.Contains(below(tw), "accessory") || len(buttonsOf(v.Blocks)) > 0 || !v.Open {
			t.Errorf("the preview can be clicked: %v", v.Blocks)
		}
		done, err := tw.Submit(t.Context(), interactions(target), twin.Submit{View: view.ID})
		if err != nil || !strings.Contains(fmt.Sprint(done.View.Blocks), "/subscribe all Fri 09:00 brief en max 3") {
			t.Errorf("submitted: %+v, %v", done, err)
		}
		if refused := tw.Refused(); len(refused) > 0 {
			t.Errorf("refused: %+v", refused)
		}
	})
}

// dayChanged is what Slack tells of a change of the day, at ts, in a form that had hash then.
func dayChanged(t *testing.T, view twin.View, day, ts, hash string) (it interaction) {
	t.Helper()
	payload := fmt.Sprintf(`{"type":"block_actions","trigger_id":"t%s","team":{"id":"T0TWIN"},"user":{"id":"U1"},"actions":[{"action_id":"day","action_ts":%q}],
		"view":{"id":%q,"hash":%q,"callback_id":"subscribe","private_metadata":%q,"state":{"values":{"day":{"day":{"selected_option":{"value":%q}}}}}}}`,
		ts, ts, view.ID, hash, view.PrivateMetadata, day)
	if err := json.Unmarshal([]byte(payload), &it); err != nil {
		t.Fatal(err)
	}
	return it
}

func taken(any, bool) bool { return true }

// The preview of the newest change is shown, whatever hash it came with, and an older one never after it: neither one that comes late, nor
// one that took long.
func TestNewestPreview(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	in := &room{answer: func(ctx context.Context, cmd bot.Command) (bot.Message, error) {
		if strings.Contains(cmd.Text, "/preview all Sat") {
			close(begun)
			<-release
		}
		return previewing(ctx, cmd)
	}}
	tw, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	srv := httptest.NewServer(a.Hook(in))
	defer srv.Close()
	view := openForm(t, tw, srv.URL)
	for _, c := range []struct{ day, ts, hash, want string }{
		{"Tue", "100.000002", view.Hash, "all Tue"},
		{"Wed", "100.000003", view.Hash, "all Wed"}, // stale hash, newer change
		{"Thu", "100.000001", view.Hash, "all Wed"}, // older change
		{"Fri", "100.000004", "0.1", "all Fri"},
	} {
		a.interact(t.Context(), in, dayChanged(t, view, c.day, c.ts, c.hash), "", taken)
		if !strings.Contains(below(tw), "preview of "+c.want) {
			t.Errorf("after %s at %s: want the preview of %s", c.day, c.ts, c.want)
		}
	}
	slow, done := dayChanged(t, view, "Sat", "100.000005", ""), make(chan struct{})
	go func() {
		defer close(done)
		a.interact(t.Context(), in, slow, "", taken)
	}()
	<-begun
	a.interact(t.Context(), in, dayChanged(t, view, "Sun", "100.000006", ""), "", taken)
	close(release)
	<-done
	if !strings.Contains(below(tw), "preview of all Sun") {
		t.Error("a slow preview replaced that of a newer change")
	}
}

// A preview that is longer than a modal is cut, one that is wrong says why, and one that broke leaves the form as it is.
func TestPreviewOfAnything(t *testing.T) {
	var answer func() (bot.Message, error)
	in := &room{answer: func(ctx context.Context, cmd bot.Command) (bot.Message, error) {
		if strings.HasPrefix(cmd.Text, "/preview") {
			return answer()
		}
		return usage(ctx, cmd)
	}}
	tw, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	srv := httptest.NewServer(a.Hook(in))
	defer srv.Close()
	view := openForm(t, tw, srv.URL)
	long := manyItems(270)
	long.Blocks = append(long.Blocks, bot.Block{Kind: bot.BlockText, Text: strings.Repeat("很长的一段 <!channel> ", 3000)})
	for k, c := range []struct {
		msg  bot.Message
		err  error
		want string
	}{
		{long, nil, "the digest goes on"},
		{bot.Message{Lang: "en", Code: "unknown_zone", Blocks: []bot.Block{{Kind: bot.BlockText, Text: "There is no time zone “X”."}}}, nil, "no time zone"},
		{bot.Message{}, errors.New("redis is down"), "no time zone"}, // as before
		{bot.Message{}, nil, "divider"},
	} {
		answer = func() (bot.Message, error) { return c.msg, c.err }
		a.interact(t.Context(), in, dayChanged(t, view, "Tue", fmt.Sprintf("100.00000%d", k), ""), "", taken)
		if !strings.Contains(below(tw), c.want) {
			t.Errorf("below stands %.500s, want %q", below(tw), c.want)
		}
		if n := len(tw.Views()[0].Blocks); n > maxViewBlocks || strings.Contains(below(tw), "<!channel>") {
			t.Errorf("%q: %d blocks", c.want, n)
		}
	}
	if refused := tw.Refused(); len(refused) > 0 {
		t.Errorf("refused: %+v", refused)
	}
}
