package wecom

import (
	"context"
	"crypto/rand"
	"strings"

	"weeklybot/adapters/internal/paging"
	"weeklybot/bot"
)

// Buttons of an AI bot: a card of type button_interaction below an answer that goes on, and as the welcome to a chat. A click is a
// command: the button's key is what the member would have typed. WeCom wants the card again within five seconds, and takes no other
// answer there: what the command says is a push (101463 and 94888, read 2026-11).

// maxEventKey is the most a button's key may have, in bytes (94888, read 2026-11).
const maxEventKey = 1024

type cardButton struct {
	Text string `json:"text"`
	Key  string `json:"key"`
}

// cardUpdate is the answer to a click.
type cardUpdate struct {
	ResponseType string       `json:"response_type"`
	Card         templateCard `json:"template_card"`
}

// What a card is for begins its task ID, so that a click tells how to make it again. WeCom wants each ID once.
const (
	pagesTask   = "pages@"
	welcomeTask = "welcome@"
)

func buttonCard(title, text, task string, buttons []cardButton) templateCard {
	return templateCard{CardType: "button_interaction", MainTitle: cardTitle{title}, SubTitle: text, Buttons: buttons, TaskID: task}
}

// pagesCard turns the pages of the answer to text; false = there is only this one.
func pagesCard(lang, text, task string, more bool) (templateCard, bool) {
	before, behind := paging.Around(text)
	var buttons []cardButton
	if before != "" {
		buttons = append(buttons, cardButton{inLang(lang, "上一页", "Previous"), before})
	}
	if more {
		buttons = append(buttons, cardButton{inLang(lang, "下一页", "Next"), behind})
	}
	for _, b := range buttons {
		if len(b.Key) > maxEventKey {
			return templateCard{}, false
		}
	}
	asked := cardText(text)
	if !atMost(asked, maxCardText) {
		asked = ""
	}
	title := inLang(lang, "还有更多", "There is more")
	if !more {
		title = inLang(lang, "已是最后一页", "That was the last page")
	}
	return buttonCard(title, asked, task, buttons), len(buttons) > 0
}

// welcomeCard greets who opens a chat with the bot.
func welcomeCard(lang, title, task string) templateCard {
	return buttonCard(title, inLang(lang,
		"点下面的按钮，或直接发送：/hot ebpf 查热点，/subscribe all 每周一 9:00 订阅。在群里请 @ 我。",
		"Press a button, or send /hot ebpf for what is hot, /subscribe all Mon 09:00 to subscribe. In a group, @ me."), task,
		[]cardButton{
			{inLang(lang, "热点", "Hot"), "/hot"},
			{inLang(lang, "最新一期", "Latest"), "/latest"},
			{inLang(lang, "主题", "Topics"), "/topics"},
			{inLang(lang, "我的订阅", "Mine"), "/subscriptions"},
			{inLang(lang, "帮助", "Help"), "/help"},
		})
}

func inLang(lang, zh, en string) string {
	if lang == "en" {
		return en
	}
	return zh
}

// click is a member's click on a button of a card.
type click struct {
	Key  string `json:"event_key"`
	Task string `json:"task_id"`
}

// ours says whether the button is one of this adapter's.
func (c click) ours() bool {
	return strings.HasPrefix(c.Key, "/") && len(c.Key) <= maxEventKey && (strings.HasPrefix(c.Task, pagesTask) || strings.HasPrefix(c.Task, welcomeTask))
}

// clicked runs the button's command, renews the card, and pushes what the command says.
func (t *talk) clicked(work context.Context, c click) {
	ctx, cancel := context.WithTimeout(work, botAnswerWithin)
	defer cancel()
	soon, late := context.WithTimeout(ctx, welcomeWithin)
	defer late()
	answers := t.a.runCommand(ctx, t.in, t.cmd)
	var answer bot.Message
	var done bool
	select {
	case answer = <-answers:
		done = true
	case <-soon.Done():
	}
	_, more := paging.TakeMore(answer)
	update, ok := t.renewed(c, answer, more || !done)
	if ok {
		t.note(t.c.ask(ctx, cmdUpdate, t.reqID, cardUpdate{"update_template_card", update}), 1)
	}
	if !done {
		select {
		case answer = <-answers:
		case <-ctx.Done():
		}
	}
	if !isEmpty(answer) {
		t.push(ctx, t.a.Split(KindAIBot, answer), 0)
	}
}

// renewed is the clicked card as it is to be from now on.
func (t *talk) renewed(c click, answer bot.Message, more bool) (templateCard, bool) {
	if strings.HasPrefix(c.Task, pagesTask) {
		return pagesCard(answer.Lang, c.Key, c.Task, more)
	}
	return welcomeCard(answer.Lang, inLang(answer.Lang, "需要什么？", "What next?"), c.Task), true
}

// offerMore pushes the card that turns the pages of an answer.
func (t *talk) offerMore(ctx context.Context, lang string) {
	card, ok := pagesCard(lang, t.cmd.Text, pagesTask+rand.Text(), true)
	if !ok {
		return
	}
	t.note(t.a.sendBot(ctx, t.cmd.Channel, post{MsgType: "template_card", Card: &card}), 1)
}
