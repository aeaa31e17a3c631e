package slack

import (
	"context"
	"errors"
	"slices"
	"strings"

	"weeklybot/bot"
)

// Recall deletes a post of the app's; of an image the file goes, and with it what shows it. Posts of incoming webhooks have no id and stay.
func (a *Adapter) Recall(ctx context.Context, dst bot.Channel, r bot.Receipt) error {
	switch {
	case ctx.Err() != nil:
		return ended(ctx)
	case dst.Kind != KindApp || r == "":
		return ourMistake.sendError(codeNoReceipt, errors.New("posts of an incoming webhook cannot be taken back"))
	}
	c, fault := a.call(ctx, dst.Workspace, maxAPIAnswer)
	if fault != nil {
		return fault
	}
	var err error
	if strings.HasPrefix(string(r), "F") {
		err = c.api.DeleteFileContext(ctx, string(r))
	} else {
		_, _, err = c.api.DeleteMessageContext(ctx, dst.Address, string(r))
	}
	if err == nil {
		return nil
	}
	if fault = c.fault(ctx, err); slices.Contains(gone, fault.Code) {
		return nil
	}
	return fault
}

// gone are the codes of what is not there any more. Source: slack-ruby/slack-api-ref, chat.delete and files.delete, read 2026-11.
var gone = []string{"message_not_found", "file_not_found", "file_deleted"}
