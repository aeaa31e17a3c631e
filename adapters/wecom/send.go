package wecom

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/silenceper/wechat/v2/work/appchat"
	"github.com/silenceper/wechat/v2/work/config"
	workcontext "github.com/silenceper/wechat/v2/work/context"
	"github.com/silenceper/wechat/v2/work/message"
	"github.com/silenceper/wechat/v2/work/robot"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// toApp addresses an app's post. With a key, WeCom shows the same content to the same receivers once in four hours: that is how a
// repeated attempt is recognised. An answer to a command has no key, and may be repeated.
func (p *post) toApp(agent int, address, key string) bool {
	kind, id, _ := strings.Cut(address, ":")
	switch kind {
	case "user":
		p.ToUser = id
	case "party":
		p.ToParty = id
	case "tag":
		p.ToTag = id
	default:
		return false
	}
	p.AgentID = agent
	if key != "" {
		p.CheckDup, p.DupWindow = 1, duplicateWindow
	}
	return validID(id)
}

// validID refuses what would be several receivers.
func validID(id string) bool {
	return id != "" && len(id) <= 64 && !strings.ContainsAny(id, "| \t\r\n")
}

// Send implements bot.Adapter. The Receipt is WeCom's msgid for app; the others give none.
func (a *Adapter) Send(ctx context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, error) {
	if ctx.Err() != nil {
		return "", overBefore(ctx)
	}
	f := a.form(dst.Kind)
	if f.image != noImage && p.Message.OnlyImage() {
		receipt, fault := a.sendImage(ctx, f.image, dst, p)
		if fault != nil {
			return "", fault
		}
		return receipt, nil
	}
	body := a.body(dst.Kind, p)
	if n := len(body.text()); n > f.caps.MaxBytes {
		return "", refuse(bot.ScopeMessage, "too_long", fmt.Sprintf("%d bytes, WeCom takes %d: the message was not split", n, f.caps.MaxBytes))
	}
	receipt, fault := a.send(ctx, dst, body, p.Key)
	if fault != nil {
		return "", fault
	}
	return receipt, nil
}

// Direct is the app's chat with a member, or that of the AI bot that keeps a connection.
func (a *Adapter) Direct(workspace, member string) (bot.Channel, bool) {
	ch := bot.Channel{Adapter: Name, Kind: KindApp, Workspace: workspace, Address: "user:" + member, Name: member}
	if a.app(workspace) != nil {
		return ch, validID(member)
	}
	b := a.bot(workspace)
	ch.Kind, ch.Address = KindAIBot, member
	return ch, b != nil && b.socket() && validID(member)
}

func (a *Adapter) send(ctx context.Context, dst bot.Channel, body post, key string) (bot.Receipt, *bot.SendError) {
	switch dst.Kind {
	case KindWebhook:
		return "", a.sendWebhook(ctx, dst, body)
	case KindApp:
		return a.sendApp(ctx, dst, body, key)
	case KindAppChat:
		return "", a.sendChat(ctx, dst, body)
	case KindAIBot:
		return "", a.sendBot(ctx, dst, body)
	default:
		return "", refuse(bot.ScopeChannel, "bad_kind", fmt.Sprintf("wecom has no kind %q", dst.Kind))
	}
}

// overBefore is the fault of a context that ended before anything left.
func overBefore(ctx context.Context) *bot.SendError {
	return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "cancelled", Err: context.Cause(ctx)}
}

func (a *Adapter) newCall(ctx context.Context, pathAndQuery string) *call {
	return &call{ctx: ctx, client: a.deps.HTTP, url: a.cfg.APIURL + pathAndQuery}
}

func (a *Adapter) sendWebhook(ctx context.Context, dst bot.Channel, body post) *bot.SendError {
	target, err := a.webhookURL(dst.URL)
	if err != nil {
		return refuse(bot.ScopeChannel, "bad_url", err.Error())
	}
	c := &call{ctx: ctx, client: a.deps.HTTP, url: target}
	board().make(c, func(ticket string) { _, _ = robot.NewClient(nil).RobotBroadcast(ticket, body) })
	return c.outcome(a.deps.Now())
}

func (a *Adapter) sendApp(ctx context.Context, dst bot.Channel, body post, key string) (bot.Receipt, *bot.SendError) {
	t := a.app(dst.Workspace)
	if t == nil {
		return "", noApp(dst.Workspace)
	}
	if !body.toApp(t.app.AgentID, dst.Address, key) {
		return "", refuse(bot.ScopeChannel, "bad_address", `want the address "user:ID", "party:ID" or "tag:ID"`)
	}
	var sent *message.SendResponse
	fault := a.withToken(ctx, t, "/cgi-bin/message/send?", func(sdk *workcontext.Context) {
		sent, _ = message.NewClient(sdk).Send("weeklybot", body)
	})
	if fault != nil {
		return "", fault
	}
	return a.receipt(dst, sent)
}

// maxNamed is how many of those who did not get a message the log names.
const maxNamed = 50

// receipt reads the lists of an accepted post: errcode 0 does not mean that somebody got it.
func (a *Adapter) receipt(dst bot.Channel, sent *message.SendResponse) (bot.Receipt, *bot.SendError) {
	for _, list := range []struct{ code, ids, hint string }{
		{"invaliduser", sent.InvalidUser, "the app does not reach this member: check its visible range"},
		{"invalidparty", sent.InvalidParty, "the app does not reach this department: check its visible range"},
		{"invalidtag", sent.InvalidTag, "the app does not reach this tag: check its visible range"},
		{"unlicenseduser", sent.UnlicensedUser, "the member has no licence for this app's interface"},
	} {
		if list.ids == "" {
			continue
		}
		// One member, department or tag was addressed; only a department or tag can have got it in part.
		if _, id, _ := strings.Cut(dst.Address, ":"); strings.EqualFold(list.ids, id) {
			return "", refuse(bot.ScopeChannel, list.code, list.hint)
		}
		members := strings.Split(list.ids, "|")
		a.deps.Log.Warn("not everybody addressed got the message", "adapter", Name, "channel", dst.ID(), "code", list.code,
			"count", len(members), "members", members[:min(len(members), maxNamed)], "err", list.hint)
	}
	return bot.Receipt(sent.MsgID), nil
}

func (a *Adapter) sendChat(ctx context.Context, dst bot.Channel, body post) *bot.SendError {
	t := a.app(dst.Workspace)
	if t == nil {
		return noApp(dst.Workspace)
	}
	kind, id, _ := strings.Cut(dst.Address, ":")
	if kind != "chat" || !validID(id) {
		return refuse(bot.ScopeChannel, "bad_address", `want the address "chat:ID"`)
	}
	body.ChatID = id
	return a.withToken(ctx, t, "/cgi-bin/appchat/send?", func(sdk *workcontext.Context) {
		_, _ = appchat.NewClient(sdk).Send("weeklybot", body)
	})
}

// withToken lets post, a function of the SDK, make its request with the app's token. A token that WeCom refuses is dropped.
func (a *Adapter) withToken(ctx context.Context, t *tokens, path string, post func(*workcontext.Context)) *bot.SendError {
	token, fault := t.get(ctx)
	if fault != nil {
		return fault
	}
	c := a.newCall(ctx, path+"access_token="+url.QueryEscape(token))
	board().make(c, func(ticket string) {
		post(&workcontext.Context{Config: &config.Config{}, AccessTokenHandle: ticketHandle(ticket)})
	})
	fault = c.outcome(a.deps.Now())
	if fault != nil {
		t.dropIfRefused(token, fault)
	}
	return fault
}

const contentJSON = "application/json; charset=utf-8"

// callAPI posts what the SDK has no function for, with the app's token, and returns the answer with errcode 0. path ends where the
// token's parameter begins.
func (a *Adapter) callAPI(ctx context.Context, t *tokens, path, contentType string, body []byte) ([]byte, *bot.SendError) {
	token, fault := t.get(ctx)
	if fault != nil {
		return nil, fault
	}
	c := a.newCall(ctx, path+"access_token="+url.QueryEscape(token))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, refuse(bot.ScopeMessage, "bad_url", apihttp.Redact(err, c.url).Error())
	}
	req.Header.Set("Content-Type", contentType)
	c.made = true
	c.status, c.header, c.body, c.err = apihttp.Do(ctx, c.client, req, 0)
	if fault := c.outcome(a.deps.Now()); fault != nil {
		t.dropIfRefused(token, fault)
		return nil, fault
	}
	return c.body, nil
}

// dropIfRefused forgets token if it is what a call was refused for.
func (t *tokens) dropIfRefused(token string, fault *bot.SendError) {
	if slices.Contains([]string{"40014", "42001", "41001"}, fault.Code) {
		t.drop(token)
	}
}

// ticketHandle gives the SDK a call's ticket as its token.
type ticketHandle string

func (h ticketHandle) GetAccessToken() (string, error) { return string(h), nil }

// app finds the app of a Workspace: "corp" (its first app) or "corp:NAME".
func (a *Adapter) app(workspace string) *tokens {
	corp, name, named := strings.Cut(workspace, ":")
	k := slices.IndexFunc(a.cfg.Apps, func(app App) bool { return app.CorpID == corp && (!named || app.Name == name) })
	if k < 0 {
		return nil
	}
	return a.tokens[k]
}

// workspace is the Workspace of an app, the shortest that app finds it by.
func (a *Adapter) workspace(app App) string {
	if a.app(app.CorpID).app == app {
		return app.CorpID
	}
	return app.CorpID + ":" + app.Name
}

func noApp(workspace string) *bot.SendError {
	return refuse(bot.ScopeWorkspace, "no_app", fmt.Sprintf("no app of workspace %q is configured: add it to adapters.wecom.apps", workspace))
}
