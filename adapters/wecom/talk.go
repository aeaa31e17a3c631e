package wecom

import (
	"context"
	"crypto/rand"
	"errors"
	"math"
	"time"

	"weeklybot/adapters/internal/paging"
	"weeklybot/bot"
)

const (
	// firstFrameAfter is how long a command may work before the member sees that it does.
	firstFrameAfter = 3 * time.Second
	// botAnswerWithin is the most that a command may take: a stream ends six minutes after its first frame (101463, read 2026-11).
	botAnswerWithin = 5 * time.Minute
	// welcomeWithin leaves a second of the five in which WeCom wants the answer to enter_chat (101463, read 2026-11).
	welcomeWithin = 4 * time.Second
	// goodbyeWithin is for the last word after a command that took too long.
	goodbyeWithin = 3 * time.Second

	workingText = "正在查询，请稍候… Working on it…"
	tooSlowText = "没能及时得到结果，请再试一次。No result in time, please try again."
)

// stream is the answer of an AI bot. Each frame of one id holds the whole text so far.
type stream struct {
	ID      string `json:"id"`
	Finish  bool   `json:"finish"`
	Content string `json:"content"`
}

// botReply is the body of an answer, over either door of an AI bot.
type botReply struct {
	MsgType string        `json:"msgtype"`
	Stream  *stream       `json:"stream,omitempty"`
	Text    *markdownText `json:"text,omitempty"`          // only as the answer to enter_chat
	Card    *templateCard `json:"template_card,omitempty"` // the same
}

func streamReply(id string, finish bool, content string) botReply {
	return botReply{MsgType: "stream", Stream: &stream{id, finish, content}}
}

// talk is one command heard over a connection, and its answer.
type talk struct {
	a     *Adapter
	in    bot.Inbox
	c     *link
	reqID string // of the callback: answers carry it
	cmd   bot.Command
}

// answer runs the command and answers as one stream. When it takes long, the stream's first frame says so; a refresh brings the answer.
func (t *talk) answer(work context.Context) {
	ctx, cancel := context.WithTimeout(work, botAnswerWithin)
	defer cancel()
	answers, id := t.a.runCommand(ctx, t.in, t.cmd), rand.Text()
	slow := time.NewTimer(firstFrameAfter)
	defer slow.Stop()
	var answer bot.Message
	open := false
	select {
	case answer = <-answers:
	case <-ctx.Done():
	case <-slow.C:
		fault := t.c.ask(ctx, cmdRespond, t.reqID, streamReply(id, false, workingText))
		open = fault == nil || fault.MaybeSent
		select {
		case answer = <-answers:
		case <-ctx.Done():
		}
	}
	switch {
	case ctx.Err() != nil:
		t.tooSlow(work, id)
	case !isEmpty(answer):
		t.reply(ctx, id, answer)
	case open: // nothing to say, and a stream to end
		t.note(t.c.ask(ctx, cmdRespond, t.reqID, streamReply(id, true, "…")), 1)
	}
}

// tooSlow ends the stream of a command that did not end in time, or that the end of Listen cut short.
func (t *talk) tooSlow(work context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(work), goodbyeWithin)
	defer cancel()
	t.note(&bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "too_slow", Err: errors.New("the command did not end in time")}, 1)
	t.note(t.c.ask(ctx, cmdRespond, t.reqID, streamReply(id, true, tooSlowText)), 1)
}

// reply sends the first part as the stream's last frame, and the others as pushes. Below an answer that goes on comes a card of buttons.
func (t *talk) reply(ctx context.Context, id string, answer bot.Message) {
	parts := t.a.Split(KindAIBot, answer)
	text := render(t.a.form(KindAIBot), parts[0], 1, len(parts))
	fault := t.c.ask(ctx, cmdRespond, t.reqID, streamReply(id, true, text))
	switch {
	case fault == nil:
		t.push(ctx, parts, 1)
	case fault.Code == "846605", fault.Code == "846608", fault.Code == "846609", fault.Code == codeNoConnection:
		t.push(ctx, parts, 0) // the callback can be answered no more
	default:
		t.note(fault, 1)
		return
	}
	if _, more := paging.TakeMore(answer); more {
		t.offerMore(ctx, answer.Lang)
	}
}

// push sends parts[from:] as messages of their own. It waits for a connection as long as ctx allows.
func (t *talk) push(ctx context.Context, parts []bot.Message, from int) {
	for k := from; k < len(parts) && ctx.Err() == nil; {
		_, err := t.a.Send(ctx, t.cmd.Channel, bot.Post{Part: k + 1, Parts: len(parts), Message: parts[k]})
		fault, failed := errors.AsType[*bot.SendError](err)
		switch {
		case !failed:
			k++
		case fault.Code == codeNoConnection || fault.Code == "846609":
			sleep(ctx, backoffFirst)
		default:
			t.note(fault, k+1)
			return
		}
	}
}

// welcome answers enter_chat with a card of buttons, named by the help; where that cannot be, with the help as plain text. What does not
// fit into one text follows as messages.
func (t *talk) welcome(work context.Context) {
	soon, cancel := context.WithTimeout(work, welcomeWithin)
	defer cancel()
	select {
	case answer := <-t.a.runCommand(soon, t.in, t.cmd):
		if isEmpty(answer) || soon.Err() != nil {
			return
		}
		if title := cardText(answer.Title); title != "" && atMost(title, maxCardTitle) {
			card := welcomeCard(answer.Lang, title, welcomeTask+rand.Text())
			fault := t.c.ask(soon, cmdWelcome, t.reqID, botReply{MsgType: "template_card", Card: &card})
			if fault == nil || fault.MaybeSent {
				t.note(fault, 1)
				return
			}
		}
		parts := split(form{dialect: plainText, fillBytes: fillAppBytes}, answer)
		text := layOut(plainText, parts[0], 1, len(parts), math.MaxInt)
		if fault := t.c.ask(soon, cmdWelcome, t.reqID, botReply{MsgType: "text", Text: &markdownText{text}}); fault != nil {
			t.note(fault, 1)
			return
		}
		ctx, cancel := context.WithTimeout(work, answerWithin)
		defer cancel()
		t.push(ctx, parts, 1)
	case <-soon.Done(): // a welcome that comes late is none
	}
}

func (t *talk) note(fault *bot.SendError, part int) {
	if fault != nil {
		t.a.deps.Log.Error("answer not sent", "adapter", Name, "workspace", t.cmd.Channel.Workspace, "part", part, "code", fault.Code, "err", fault.Err)
	}
}
