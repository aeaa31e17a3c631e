package slack

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

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

// reply gives Slack the first payload of an answer, and is false if it could not. more says that others follow by response URL.
type reply func(pay payload, more bool) bool

// answer runs cmd and replies with its message. A command that is not done in time gets a word to wait, and its message by
// responseURL. answer returns when all is said, so that whoever shuts down waits for it; no goroutine outlives it.
func (a *Adapter) answer(ctx context.Context, in bot.Inbox, cmd bot.Command, responseURL bot.Secret, first reply) {
	done := make(chan bot.Message, 1)
	go func() { done <- a.run(ctx, in, cmd) }()

	timer := time.NewTimer(a.ackWithin)
	defer timer.Stop()
	select {
	case msg := <-done:
		all := responses(msg)
		if first(all[0], len(all) > 1) {
			all = all[1:]
		}
		a.deliver(ctx, cmd, responseURL, all)
	case <-timer.C:
		first(responses(waiting)[0], true)
		a.deliver(ctx, cmd, responseURL, responses(<-done))
	}
}

// run is one command; what went wrong is for the operator's log, the message for the member. A panic in it ends this command only.
func (a *Adapter) run(ctx context.Context, in bot.Inbox, cmd bot.Command) (msg bot.Message) {
	ctx, cancel := context.WithTimeout(ctx, commandLife)
	defer cancel()
	var err error
	defer func() {
		if v := recover(); v != nil {
			msg, err = broken, fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
		if err != nil {
			a.log.ErrorContext(ctx, "command failed", "adapter", Name, "workspace", cmd.Channel.Workspace, "channel", cmd.Channel.Address, "err", err)
		}
	}()
	msg, err = in.Command(ctx, cmd)
	return msg
}

// responses are the payloads of an answer. An answer to one member holds no image (see image.go): its text says the same.
func responses(msg bot.Message) (all []payload) {
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
	return all
}

// httpReply answers the request w belongs to, complete for the client even while the handler goes on.
func httpReply(w http.ResponseWriter) reply {
	return func(pay payload, more bool) bool {
		body, err := encode(pay)
		if err != nil {
			return false
		}
		h := w.Header()
		h.Set("Content-Type", "application/json; charset=utf-8")
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
