package feishu

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

var _ bot.Recaller = (*Adapter)(nil)

// gone are the codes of what is not there any more. Source: open.feishu.cn, im-v1/message/delete and im-v1/message/reply, read 2026-11.
var gone = map[string]bool{"230011": true, "230110": true}

// Recall takes back a message of the app. Posts of custom bots have no id and stay.
func (a *Adapter) Recall(ctx context.Context, dst bot.Channel, r bot.Receipt) error {
	if err := ctx.Err(); err != nil {
		return apihttp.Local(bot.Retryable, bot.ScopeMessage, apihttp.CodeNotSent, err)
	}
	if dst.Kind != KindApp || r == "" {
		return apihttp.Local(bot.Permanent, bot.ScopeMessage, codeBadChannel, errors.New("posts of a custom bot cannot be taken back"))
	}
	_, fault := a.callApp(ctx, http.MethodDelete, pathMessages+"/"+url.PathEscape(string(r)), apihttp.Body{}, accepted)
	if fault == nil || gone[fault.Code] {
		return nil
	}
	return fault
}
