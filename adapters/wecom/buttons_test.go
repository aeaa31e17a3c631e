package wecom

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weeklybot/adapters/internal/paging"
	"weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
)

// pages answers with so many pages, as the core does.
func pages(n int) *inbox {
	return &inbox{answer: func(_ context.Context, cmd bot.Command) (bot.Message, error) {
		_, page := paging.Of(cmd.Text)
		msg := bot.Message{Lang: "zh", Title: fmt.Sprintf("第 %d 页", page)}
		if page < n {
			msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockNote, Text: "下一页：/more"})
		}
		return msg, nil
	}}
}

func keys(c *twin.Card) string {
	var all []string
	for _, b := range c.Buttons {
		all = append(all, b.Key)
	}
	return strings.Join(all, ", ")
}

func TestPagesByButton(t *testing.T) {
	g := newGroup(t, pages(3), nil)
	listen(t, g.a, g.in)
	g.connected()
	g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot ebpf"})
	card := g.answers(2)[1]
	if card.MsgType != "template_card" || card.Channel != "chat:wrTeam" || keys(card.Card) != "/hot --page 2 ebpf" {
		t.Fatalf("card %+v with %q", card, keys(card.Card))
	}
	for k, step := range []struct{ key, buttons, page string }{
		{"/hot --page 2 ebpf", "/hot --page 1 ebpf, /hot --page 3 ebpf", "第 2 页"},
		{"/hot --page 3 ebpf", "/hot --page 2 ebpf", "第 3 页"},
		{"/hot --page 2 ebpf", "/hot --page 1 ebpf, /hot --page 3 ebpf", "第 2 页"},
	} {
		if _, err := g.Click(t.Context(), card.ID, step.key, "wangwu"); err != nil {
			t.Fatal(err)
		}
		posts := g.answers(3 + k)
		if p := posts[2+k]; p.MsgType != "markdown" || !strings.Contains(p.Content, step.page) {
			t.Errorf("after %s: %+v", step.key, p)
		}
		if got := keys(posts[1].Card); got != step.buttons {
			t.Errorf("after %s the card has %q, want %q", step.key, got, step.buttons)
		}
	}
	if c := g.in.seen(); len(c) != 4 || c[1].Member.ID != "wangwu" || c[1].Channel != groupChannel("wrTeam") {
		t.Errorf("commands %+v", c)
	}
	if len(g.Refused()) > 0 {
		t.Errorf("refused %+v", g.Refused())
	}
}

// TestSlowClick: the card is renewed within five seconds, the answer comes when it is there.
func TestSlowClick(t *testing.T) {
	slow := pages(3)
	quick := slow.answer
	slow.answer = func(ctx context.Context, cmd bot.Command) (bot.Message, error) {
		if strings.Contains(cmd.Text, "--page") {
			time.Sleep(20 * time.Second)
		}
		return quick(ctx, cmd)
	}
	inBubble(t, slow, func(g *group) {
		stop := listen(g.t, g.a, slow)
		synctest.Wait()
		g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
		synctest.Wait()
		if _, err := g.Click(g.t.Context(), g.Posts()[1].ID, "/hot --page 2", "lisi"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if p := g.Posts(); len(p) != 2 || keys(p[1].Card) != "/hot --page 1, /hot --page 3" {
			t.Errorf("after five seconds: %+v", p)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if p := g.Posts(); len(p) != 3 || !strings.Contains(p[2].Content, "第 2 页") || len(g.Refused()) > 0 {
			t.Errorf("in the end: %+v, refused %+v", p, g.Refused())
		}
		stop()
	})
}

// TestOtherButtons: what is none of this adapter's buttons does nothing.
func TestOtherButtons(t *testing.T) {
	for _, event := range []string{
		`{"eventtype":"template_card_event","template_card_event":{"event_key":"/hot","task_id":"T1"}}`,
		`{"eventtype":"template_card_event","template_card_event":{"event_key":"hot","task_id":"pages@1"}}`,
		`{"eventtype":"template_card_event","template_card_event":{"event_key":"/` + strings.Repeat("a", 1024) + `","task_id":"pages@1"}}`,
		`{"eventtype":"template_card_event","template_card_event":{"task_id":"pages@1"}}`,
		`{"eventtype":"template_card_event"}`,
		`{"eventtype":"template_card_event","template_card_event":7}`,
	} {
		g := newGroup(t, pages(1), nil)
		listen(t, g.a, g.in)
		g.connected()
		frame := `{"cmd":"aibot_event_callback","headers":{"req_id":"r"},"body":{"msgid":"m","aibotid":"aib1","chatid":"wrTeam","chattype":"group","from":{"userid":"u"},"msgtype":"event","event":` + event + `}}`
		if err := g.Push("aib1", frame); err != nil {
			t.Fatal(err)
		}
		g.say(twin.Said{From: "lisi", Text: "/latest"}) // what comes behind it is heard
		g.answers(1)
		if c := g.in.seen(); len(c) != 1 {
			t.Errorf("%s: commands %+v", event, c)
		}
	}
}

func TestCommandTooLongForAButton(t *testing.T) {
	if c, ok := pagesCard("zh", "/hot "+strings.Repeat("长", 400), "pages@1", true); ok {
		t.Errorf("card %+v", c)
	}
	if c, _ := pagesCard("en", "/更多", "pages@1", true); len(c.Buttons) != 1 || c.Buttons[0] != (cardButton{"Next", "/more"}) {
		t.Errorf("card %+v", c)
	}
}
