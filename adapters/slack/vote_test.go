package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"weeklybot/adapters/slack/twin"
	"weeklybot/bot"
)

func votable(n int) bot.Message {
	msg := bot.Message{Title: "weekly 1", Lang: "en"}
	for k := range n {
		msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockItem, Item: fmt.Sprint("item", k), Title: fmt.Sprint("Title ", k), URL: fmt.Sprint("https://example.org/", k), Text: "One sentence."})
	}
	return msg
}

// Beside each item of a digest stands a menu; what a member chooses there reaches the core once, and the member is told.
func TestVote(t *testing.T) {
	for _, c := range []struct {
		name, value, says string
		want              int
		fail              error
	}{
		{name: "useful", value: "up en item1", want: 1, says: "counts as useful"},
		{name: "not useful", value: "down en item1", want: -1, says: "counts as not useful"},
		{name: "store is down", value: "up en item1", want: 1, says: "went wrong", fail: errors.New("redis is down")},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := &room{eventErr: c.fail}
			tw, base := newTwin(t, twin.Options{})
			a := newAdapter(t, testConfig(base), Deps{})
			srv := httptest.NewServer(a.Hook(in))
			t.Cleanup(srv.Close)
			app := srv.URL
			if _, err := a.Send(t.Context(), bot.Channel{Adapter: Name, Kind: KindApp, Workspace: "T0TWIN", Address: "C1"}, bot.Post{Key: "k", Part: 1, Parts: 1, Message: votable(3)}); err != nil {
				t.Fatal(err)
			}
			if _, err := tw.Click(t.Context(), app+"/slack/interactions", twin.Click{Post: only(t, tw).TS, Action: actionVote, Value: c.value, User: "U7"}); err != nil {
				t.Fatal(err)
			}
			if said := waitFor(t, tw, "response", 1); !strings.Contains(fmt.Sprint(said[0].Message.Text), c.says) || said[0].Message.ResponseType != "ephemeral" {
				t.Errorf("said %+v, want %q to the member alone", said[0].Message, c.says)
			}
			in.mu.Lock()
			defer in.mu.Unlock()
			if len(in.events) != 1 {
				t.Fatalf("events %+v", in.events)
			}
			if ev := in.events[0]; ev.Kind != bot.EventVote || ev.Item != "item1" || ev.Vote != c.want || ev.Member.ID != "U7" || ev.Channel.Workspace != "T0TWIN" || ev.ID == "" {
				t.Errorf("event %+v", ev)
			}
		})
	}
}

// What cannot be a vote of ours does nothing.
func TestVoteThatIsNone(t *testing.T) {
	in := &room{}
	a := newAdapter(t, testConfig("http://127.0.0.1:1"), Deps{})
	for _, value := range []string{"", "up", "up en", "up en ", "sideways en x", "up en " + strings.Repeat("a", maxVoteItem+1)} {
		var it interaction
		body := fmt.Sprintf(`{"type":"block_actions","team":{"id":"T1"},"user":{"id":"U1"},"actions":[{"action_id":"vote","selected_option":{"value":%q}}]}`, value)
		if err := json.Unmarshal([]byte(body), &it); err != nil {
			t.Fatal(err)
		}
		a.interact(t.Context(), in, it, "id", func(any, bool) bool { return true })
	}
	if len(in.events) != 0 {
		t.Errorf("events %+v", in.events)
	}
}

// Menus cost no item its place: a long digest has every item, within the limits, and webhooks, which hear nothing, have no menus.
func TestVoteMenusFit(t *testing.T) {
	for _, kind := range []bot.Kind{KindApp, KindWebhook} {
		a := newAdapter(t, testConfig("http://127.0.0.1:1"), Deps{})
		whole, menus := "", 0
		for k, part := range a.Split(kind, votable(200)) {
			pay := render(kind, bot.Post{Key: "k", Part: k + 1, Parts: 9, Message: part})
			if err := validate(pay); err != nil {
				t.Errorf("%s part %d: %v", kind, k, err)
			}
			body, _ := encode(pay.Blocks)
			whole += string(body)
			menus += strings.Count(string(body), `"overflow"`)
		}
		for k := range 200 {
			if !strings.Contains(whole, fmt.Sprintf("<https://example.org/%d|Title %d>", k, k)) {
				t.Errorf("%s: item %d is lost", kind, k)
			}
		}
		if kind == KindWebhook && menus > 0 {
			t.Errorf("%d menus in webhooks", menus)
		}
	}
	pay := render(KindApp, bot.Post{Key: "k", Part: 1, Parts: 1, Message: votable(30)})
	if body, _ := encode(pay.Blocks); strings.Count(string(body), `"overflow"`) != 30 {
		t.Errorf("30 items have %d menus", strings.Count(string(body), `"overflow"`))
	}
}

// A digest of several issues: their names are headers, their sections bold, with a line where one ends.
func TestHeadingsBelowHeadings(t *testing.T) {
	heading := func(text string, level int) bot.Block {
		return bot.Block{Kind: bot.BlockHeading, Text: text, Level: level}
	}
	item := bot.Block{Kind: bot.BlockItem, Title: "t", Text: "x"}
	for _, c := range []struct {
		name   string
		blocks []bot.Block
		want   string
	}{
		{"sections", []bot.Block{item, heading("A", 0), item, heading("B", 0), item}, "header section divider section section divider section section"},
		{"section first", []bot.Block{heading("A", 0), item}, "header section section"},
		{"issues", []bot.Block{heading("I", 0), heading("A", 1), item, {Kind: bot.BlockDivider}, heading("J", 0), heading("B", 1), item},
			"header header section section divider header section section"},
		{"too long for a header", []bot.Block{heading(strings.Repeat("长", 151), 0), heading("A", 1), item}, "header section divider section section"},
	} {
		var got []string
		for _, b := range lay(KindApp, bot.Message{Title: "T", Blocks: c.blocks}, "", joinNothing) {
			got = append(got, string(b.BlockType()))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s, want %s", c.name, strings.Join(got, " "), c.want)
		}
	}
}
