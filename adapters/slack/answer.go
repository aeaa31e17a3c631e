package slack

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"weeklybot/bot"
)

// waiting is shown while a command takes its time; the member's language is not known yet.
var waiting = bot.Message{Blocks: []bot.Block{{Kind: bot.BlockText, Text: "正在处理，马上就好… · Working on it…"}}}

// answer runs cmd and answers the request with its message. A command that is not done in time gets a word to wait, and its message by
// responseURL; the handler stays until then, so that a server that shuts down waits for it. No goroutine outlives the handler.
func (a *Adapter) answer(w http.ResponseWriter, r *http.Request, in bot.Inbox, cmd bot.Command, responseURL bot.Secret) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), commandLife)
	defer cancel()
	done := make(chan bot.Message, 1)
	go func() { done <- a.run(ctx, in, cmd) }()

	timer := time.NewTimer(a.ackWithin)
	defer timer.Stop()
	select {
	case msg := <-done:
		all := responses(msg)
		a.respond(ctx, w, cmd, all[0], len(all) > 1)
		a.deliver(ctx, cmd, responseURL, all[1:])
	case <-timer.C:
		a.respond(ctx, w, cmd, responses(waiting)[0], true)
		a.deliver(ctx, cmd, responseURL, responses(<-done))
	}
}

// run is one command; what went wrong is for the operator's log, the message for the member.
func (a *Adapter) run(ctx context.Context, in bot.Inbox, cmd bot.Command) bot.Message {
	msg, err := in.Command(ctx, cmd)
	if err != nil {
		a.log.ErrorContext(ctx, "command failed", "adapter", Name, "workspace", cmd.Channel.Workspace, "channel", cmd.Channel.Address, "err", err)
	}
	return msg
}

// responses are the payloads of an answer.
func responses(msg bot.Message) (all []payload) {
	parts := split(KindApp, msg)
	for k, part := range parts {
		pay := render(KindApp, bot.Post{Part: k + 1, Parts: len(parts), Message: part})
		pay.ResponseType = "ephemeral"
		if msg.Public {
			pay.ResponseType = "in_channel"
		}
		all = append(all, pay)
	}
	return all
}

// respond answers the request with pay, complete for the client even while the handler goes on. more says that it will.
func (a *Adapter) respond(ctx context.Context, w http.ResponseWriter, cmd bot.Command, pay payload, more bool) {
	body, err := encode(pay)
	if err == nil {
		err = validate(pay)
	}
	if err != nil {
		a.log.ErrorContext(ctx, "answer cannot be shown", "adapter", Name, "channel", cmd.Channel.Address, "err", err)
		body = []byte(`{"response_type":"ephemeral","text":"这个结果无法显示。 · This answer cannot be shown."}`)
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
}

// deliver posts payloads to the response URL, in order, as often as Slack allows.
func (a *Adapter) deliver(ctx context.Context, cmd bot.Command, responseURL bot.Secret, all []payload) {
	for k, pay := range all {
		if k == maxResponses {
			a.log.WarnContext(ctx, "answer was longer than Slack lets us say", "adapter", Name, "channel", cmd.Channel.Address, "parts", len(all))
			return
		}
		err := validate(pay)
		if err == nil {
			if fault := a.postWebhook(ctx, responseURL.Reveal(), pay); fault != nil {
				err = fault
			}
		}
		if err != nil {
			a.log.WarnContext(ctx, "answer not delivered", "adapter", Name, "channel", cmd.Channel.Address, "err", err)
			return
		}
	}
}
