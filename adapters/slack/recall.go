package slack

import (
	"context"
	"errors"

	"weeklybot/bot"
)

// Recall deletes a post of the app's. Those of incoming webhooks have no id and stay.
func (a *Adapter) Recall(ctx context.Context, dst bot.Channel, r bot.Receipt) error {
	switch {
	case ctx.Err() != nil:
		return ended(ctx)
	case dst.Kind != KindApp || r == "":
		return ourMistake.sendError(codeNoReceipt, errors.New("posts of an incoming webhook cannot be taken back"))
	case !a.cfg.Enabled():
		return installDead.sendError(codeNotSetUp, errors.New("adapters.slack.bot_token is not set"))
	}
	c := a.call(maxAPIAnswer)
	_, _, err := c.api.DeleteMessageContext(ctx, dst.Address, string(r))
	if err == nil {
		return nil
	}
	fault := a.clean(classifyAPI(err, c.head, a.now()))
	if fault.Code == codeGone {
		return nil
	}
	return fault
}

// codeGone is what Slack says of a message that is not there any more.
const codeGone = "message_not_found"
