package twin

import (
	"fmt"
	"strings"
	"testing"
)

const someCard = `{"card_type":"text_notice","main_title":{"title":"t"},"card_action":{"type":1,"url":"https://example.org"}}`

// TestCardRules: wrong cards and articles, written by hand, are refused with the documented code.
func TestCardRules(t *testing.T) {
	tw, server, clock := stand(t)
	hook := server.URL + "/cgi-bin/webhook/send?key=key1"
	card := func(fields string) string {
		return `{"msgtype":"template_card","template_card":{"card_type":"text_notice","main_title":{"title":"t"},"card_action":{"type":1,"url":"https://example.org"}` + fields + `}}`
	}
	list := func(n int, one string) string { return "[" + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + "]" }
	row, jump, column := `{"keyname":"k","value":"v"}`, `{"type":1,"title":"t","url":"https://example.org"}`, `{"title":"t"}`
	articles := func(n int, one string) string { return `{"msgtype":"news","news":{"articles":` + list(n, one) + `}}` }
	for _, c := range []struct {
		name, body string
		want       int
	}{
		{"card", card(""), 0},
		{"full card", card(`,"sub_title_text":"s","horizontal_content_list":` + list(6, row) + `,"jump_list":` + list(3, jump) + `,"vertical_content_list":` + list(4, column)), 0},
		{"no card", `{"msgtype":"template_card"}`, 40035},
		{"no type", `{"msgtype":"template_card","template_card":{"main_title":{"title":"t"}}}`, 40035},
		{"odd fields", `{"msgtype":"template_card","template_card":{"card_type":"text_notice","main_title":"t"}}`, 40035},
		{"no title", `{"msgtype":"template_card","template_card":{"card_type":"text_notice","card_action":{"type":1,"url":"https://example.org"}}}`, 41016},
		{"no action", `{"msgtype":"template_card","template_card":{"card_type":"text_notice","main_title":{"title":"t"}}}`, 40035},
		{"action without url", `{"msgtype":"template_card","template_card":{"card_type":"text_notice","main_title":{"title":"t"},"card_action":{"type":1}}}`, 40035},
		{"seven rows", card(`,"horizontal_content_list":` + list(7, row)), 40058},
		{"row without name", card(`,"horizontal_content_list":[{"value":"v"}]`), 40035},
		{"row without url", card(`,"horizontal_content_list":[{"keyname":"k","value":"v","type":1}]`), 40035},
		{"four jumps", card(`,"jump_list":` + list(4, jump)), 40058},
		{"jump without title", card(`,"jump_list":[{"type":1,"url":"https://example.org"}]`), 40035},
		{"five columns", card(`,"vertical_content_list":` + list(5, column)), 40058},
		{"bad task_id", card(`,"task_id":"a b"`), 42014},
		{"long task_id", card(fmt.Sprintf(`,"task_id":%q`, strings.Repeat("a", 129))), 42014},
		{"buttons at a robot", strings.Replace(card(`,"task_id":"t1","button_list":[{"text":"x","key":"k"}]`), "text_notice", "button_interaction", 1), 40035},
		{"eight articles", articles(8, `{"title":"t","url":"https://example.org"}`), 0},
		{"nine articles", articles(9, `{"title":"t","url":"https://example.org"}`), 45008},
		{"no articles", articles(0, ""), 45008},
		{"article without title", articles(1, `{"url":"https://example.org"}`), 41016},
		{"article without url", articles(1, `{"title":"t"}`), 40035},
		{"articles of another form", `{"msgtype":"news","news":{"articles":"x"}}`, 40035},
	} {
		clock.Add(4)
		if got := code(t, ask(t, "POST", hook, c.body)); got != c.want {
			t.Errorf("%s: errcode %d, want %d", c.name, got, c.want)
		}
	}
	clock.Add(4)
	ask(t, "POST", hook, articles(1, fmt.Sprintf(`{"title":%q,"description":%q,"url":"https://example.org"}`, strings.Repeat("长", 43), strings.Repeat("a", 513))))
	posts := tw.Posts()
	if a := posts[len(posts)-1].Articles[0]; a.Title != strings.Repeat("长", 42) || len(a.Description) != 512 || !posts[len(posts)-1].Cut {
		t.Errorf("article %+v, want it cut", a)
	}
}

// TestCardsOfApps: without a callback nobody hears a click; an app chat knows no cards at all.
func TestCardsOfApps(t *testing.T) {
	_, server, _ := stand(t)
	tok := token(t, server, "s1")
	buttons := `{"card_type":"button_interaction","main_title":{"title":"t"},"task_id":"t1","button_list":[{"text":"x","key":"k"}]}`
	for _, c := range []struct {
		name, path, body string
		want             int
	}{
		{"card", "message", `{"touser":"lisi","agentid":1000002,"msgtype":"template_card","template_card":` + someCard + `}`, 0},
		{"buttons without callback", "message", `{"touser":"lisi","agentid":1000002,"msgtype":"template_card","template_card":` + buttons + `}`, 40035},
		{"card in an app chat", "appchat", `{"chatid":"chat1","msgtype":"template_card","template_card":` + someCard + `}`, 40008},
	} {
		if got := code(t, ask(t, "POST", server.URL+"/cgi-bin/"+c.path+"/send?access_token="+tok, c.body)); got != c.want {
			t.Errorf("%s: errcode %d, want %d", c.name, got, c.want)
		}
	}
}

// TestClicks: cards with buttons over a bot's connection, and the answers to clicks, as frames written by hand.
func TestClicks(t *testing.T) {
	tw, server, clock := gate(t)
	c := dial(t, server)
	c.ask(subscribeA)
	if _, err := tw.SayBot(t.Context(), Said{Chat: "wrTeam", From: "lisi", Text: "x"}); err != nil {
		t.Fatal(err)
	}
	c.read()
	n := 0
	push := func(card string) int {
		n++
		return c.ask(fmt.Sprintf(`{"cmd":"aibot_send_msg","headers":{"req_id":"p%d"},"body":{"chatid":"wrTeam","msgtype":"template_card","template_card":%s}}`, n, card))
	}
	buttons := func(task, list string) string {
		return `{"card_type":"button_interaction","main_title":{"title":"t"},"task_id":"` + task + `","button_list":[` + list + `]}`
	}
	one := `{"text":"x","key":"/k"}`
	for _, w := range []struct {
		name, card string
		want       int
	}{
		{"buttons", buttons("t1", one), 0},
		{"task_id again", buttons("t1", one), 42014},
		{"no task_id", buttons("", one), 42014},
		{"no buttons", buttons("t2", ""), 40058},
		{"seven buttons", buttons("t2", strings.TrimSuffix(strings.Repeat(one+",", 7), ",")), 40058},
		{"button without key", buttons("t2", `{"text":"x"}`), 40035},
		{"long key", buttons("t2", fmt.Sprintf(`{"text":"x","key":%q}`, strings.Repeat("k", 1025))), 40035},
		{"text_notice", someCard, 0},
	} {
		if got := push(w.card); got != w.want {
			t.Errorf("%s: errcode %d, want %d", w.name, got, w.want)
		}
	}
	id := tw.Posts()[0].ID
	if _, err := tw.Click(t.Context(), id, "/other", "lisi"); err == nil {
		t.Error("a button that is not there was clicked")
	}
	click := func() string {
		if _, err := tw.Click(t.Context(), id, "/k", "lisi"); err != nil {
			t.Fatal(err)
		}
		g := c.read()
		if g.Cmd != "aibot_event_callback" || g.Body.Event.EventType != "template_card_event" || g.Body.ChatID != "wrTeam" || g.Body.From.UserID != "lisi" {
			t.Fatalf("click brings %+v", g)
		}
		return g.Headers.ReqID
	}
	frame := func(cmd, req, body string) int {
		return c.ask(`{"cmd":"` + cmd + `","headers":{"req_id":"` + req + `"},"body":` + body + `}`)
	}
	update := func(card string) string {
		return `{"response_type":"update_template_card","template_card":` + card + `}`
	}
	next := buttons("t1", `{"text":"y","key":"/k2"}`)
	r := click()
	for _, w := range []struct {
		name, cmd, req, body string
		want                 int
	}{
		{"a stream", "aibot_respond_msg", r, `{"msgtype":"stream","stream":{"id":"s","finish":true,"content":"x"}}`, 846605},
		{"a welcome", "aibot_respond_welcome_msg", r, `{"msgtype":"text","text":{"content":"x"}}`, 846605},
		{"unknown req_id", "aibot_respond_update_msg", "nope", update(next), 846605},
		{"no response_type", "aibot_respond_update_msg", r, `{"template_card":` + next + `}`, 40035},
		{"no card", "aibot_respond_update_msg", r, `{"response_type":"update_template_card"}`, 40035},
		{"another task_id", "aibot_respond_update_msg", r, update(buttons("t9", one)), 42014},
		{"the card again", "aibot_respond_update_msg", r, update(next), 0},
		{"twice", "aibot_respond_update_msg", r, update(next), 846605},
	} {
		if got := frame(w.cmd, w.req, w.body); got != w.want {
			t.Errorf("%s: errcode %d, want %d", w.name, got, w.want)
		}
	}
	if p := tw.Posts()[0]; p.Card.Buttons[0].Key != "/k2" {
		t.Errorf("the card is %+v", p.Card)
	}
	if _, err := tw.Click(t.Context(), id, "/k2", "lisi"); err != nil {
		t.Fatal(err)
	}
	r = c.read().Headers.ReqID
	clock.Add(5)
	if got := frame("aibot_respond_update_msg", r, update(next)); got != 846605 {
		t.Errorf("after five seconds: errcode %d", got)
	}
}
