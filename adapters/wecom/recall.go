package wecom

import (
	"context"

	"weeklybot/bot"
)

var _ bot.Recaller = (*Adapter)(nil)

// Recall implements bot.Recaller for the posts of apps, within 24 hours (撤回应用消息, 94867, read 2026-11). WeCom names no post of
// another kind.
func (a *Adapter) Recall(ctx context.Context, dst bot.Channel, r bot.Receipt) error {
	switch {
	case ctx.Err() != nil:
		return overBefore(ctx)
	case dst.Kind != KindApp || r == "":
		return refuse(bot.ScopeMessage, "no_receipt", "WeCom takes back only what an app posted")
	}
	t := a.app(dst.Workspace)
	if t == nil {
		return noApp(dst.Workspace)
	}
	body, err := encode(map[string]string{"msgid": string(r)})
	if err != nil {
		return refuse(bot.ScopeMessage, "encode", err.Error())
	}
	if _, fault := a.callAPI(ctx, t, "/cgi-bin/message/recall?", contentJSON, body); fault != nil {
		return fault
	}
	return nil
}
