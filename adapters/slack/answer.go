package slack

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"weeklybot/adapters/internal/paging"
	"weeklybot/bot"
)

// What the adapter itself has to say; it does not know the member's language.
var (
	waiting = say("正在处理，马上就好… · Working on it…")
	broken  = say("出了点问题，请稍后再试。 · Something went wrong, please try again later.")
)

func say(text string) bot.Message {
	return bot.Message{Blocks: []bot.Block{{Kind: bot.BlockText, Text: text}}}
}

// reply answers Slack's request with body as JSON, or with nothing if it is nil, and is false if it could not. more says that work goes
// on afterwards.
type reply func(body any, more bool) bool

// result is what became of a command: the message for the member, the error for nobody but the log.
type result struct {
	msg bot.Message
	err error
}

// start runs cmd beside its caller, who must receive the result: no goroutine outlives the request.
func (a *Adapter) start(ctx context.Context, in bot.Inbox, cmd bot.Command) chan result {
	done := make(chan result, 1)
	go func() {
		msg, err := a.run(ctx, in, cmd)
		done <- result{msg, err}
	}()
	return done
}

// answer runs cmd and replies with its message. A command that is not done in time gets a word to wait, and its message by
// responseURL. answer returns when all is said, so that whoever shuts down waits for it.
func (a *Adapter) answer(ctx context.Context, in bot.Inbox, cmd bot.Command, responseURL bot.Secret, first reply) {
	a.finish(ctx, cmd, responseURL, a.start(ctx, in, cmd), first)
}

func (a *Adapter) finish(ctx context.Context, cmd bot.Command, responseURL bot.Secret, done chan result, first reply) {
	timer := time.NewTimer(a.ackWithin)
	defer timer.Stop()
	select {
	case got := <-done:
		all := responses(got.msg, cmd.Text)
		if first(all[0], len(all) > 1) {
			all = all[1:]
		}
		a.deliver(ctx, cmd, responseURL, all)
	case <-timer.C:
		first(responses(waiting, "")[0], true)
		a.deliver(ctx, cmd, responseURL, responses((<-done).msg, cmd.Text))
	}
}

// run is one command; what went wrong is in the operator's log, the message is for the member. A panic in it ends this command only.
func (a *Adapter) run(ctx context.Context, in bot.Inbox, cmd bot.Command) (msg bot.Message, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandLife)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			msg, err = broken, fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
		if err != nil {
			a.log.ErrorContext(ctx, "command failed", "adapter", Name, "workspace", cmd.Channel.Workspace, "channel", cmd.Channel.Address, "err", err)
		}
	}()
	return in.Command(ctx, cmd)
}

// responses are the payloads of an answer to a command. One that goes on has buttons to turn its pages. It holds no image (see image.go):
// its text says the same.
func responses(msg bot.Message, text string) (all []payload) {
	more := false
	if text != "" {
		msg, more = paging.TakeMore(msg)
	}
	parts := split(KindApp, msg.WithoutImage())
	for k, part := range parts {
		pay := render(KindApp, bot.Post{Part: k + 1, Parts: len(parts), Message: part})
		if validate(pay) != nil {
			pay = payload{Text: "这个结果无法显示。 · This answer cannot be shown."}
		}
		pay.ResponseType = "ephemeral"
		if msg.Public {
			pay.ResponseType = "in_channel"
		}
		all = append(all, pay)
	}
	if last := &all[len(all)-1]; text != "" && msg.Code == "" {
		if row := pager(msg.Lang, text, more); row != nil {
			last.Blocks = append(last.Blocks, row) // the budget leaves room for it
		}
		if b := topicButton(msg.Lang, text); b != nil && len(msg.Blocks) > 0 {
			last.Blocks = addButton(last.Blocks, b)
		}
	}
	return all
}

// httpReply answers the request w belongs to, complete for the client even while the handler goes on.
func httpReply(w http.ResponseWriter) reply {
	return func(answer any, more bool) bool {
		h := w.Header()
		var body []byte
		if answer != nil {
			var err error
			if body, err = encode(answer); err != nil {
				return false
			}
			h.Set("Content-Type", "application/json; charset=utf-8")
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if more {
			h.Set("Connection", "close") // the next request on this connection would wait for the handler's end
		}
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(body)
		_ = http.NewResponseController(w).Flush()
		return true
	}
}

// deliver posts payloads to the response URL, in order, as often as Slack allows.
func (a *Adapter) deliver(ctx context.Context, cmd bot.Command, responseURL bot.Secret, all []payload) {
	for k, pay := range all {
		if k == maxResponses {
			a.log.WarnContext(ctx, "answer was longer than Slack lets us say", "adapter", Name, "channel", cmd.Channel.Address, "parts", len(all))
			return
		}
		if fault := a.postWebhook(ctx, responseURL.Reveal(), pay); fault != nil {
			a.log.WarnContext(ctx, "answer not delivered", "adapter", Name, "channel", cmd.Channel.Address, "code", fault.Code, "err", fault)
			return
		}
	}
}
