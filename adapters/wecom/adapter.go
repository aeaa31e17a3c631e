// Package wecom is the adapter of WeCom (企业微信). It owns what a message looks like there, how it is posted, what WeCom's answers
// mean, and the callbacks of self-built apps. It refuses to retry, to pace, and to remember who subscribed.
//
// Kinds, and how a Channel of each is addressed:
//
//	webhook  a group robot. Channel.URL (secret): the robot's whole URL, or only its key. Hears nothing.
//	app      a self-built app speaks to members. Workspace: the corp ID, which means the first app of that corp in the
//	         configuration, or corpID:NAME for the app of that name. Address: "user:ID", "party:ID" or "tag:ID".
//	appchat  a group that the app created itself. Workspace as for app; Address: "chat:ID".
//	aibot    an AI bot (智能机器人). Split and Preview know it. It cannot be posted to, and is not among Kinds: its
//	         connection is not built.
//
// # The SDK
//
// Posts and tokens go through github.com/silenceper/wechat/v2: credential (fetching a token, its life and key), cache.Memory,
// work/robot (RobotBroadcast), work/message and work/appchat (Send with a body of our own), util.DefaultHTTPClient. What was
// measured to be unsafe in v2.1.14 is kept from doing harm in exchange.go and token.go:
//
//   - its errors hold the whole URL with key, token or secret; none of its calls has a timeout, work/* takes no context, addresses
//     are constants, its client is a global: it is given a ticket instead of the secret, and our transport makes the real request;
//   - RobotBroadcast returns no error for any errcode, and an answer without errcode is taken for success: the answer is read again;
//   - message and appchat write < > & as \u003c: undone in the transport;
//   - a token cannot be dropped, and apps of one corp share one when they have no agent ID: own cache, agent ID required;
//   - work.NewWork panics without a cache and pulls in every API: its clients are made one by one;
//   - typed requests write agentid as a string and know no markdown: own bodies (type post).
//
// Not used: kf and externalcontact callbacks (they check no signature), util.DecryptMsg (refuses an empty receiver, checks one byte
// of the padding; crypto.go has the whole check, and its tests compare with the SDK's), cache.Redis (made for go-redis v8).
//
// An Adapter is safe for concurrent use; several may live in one process.
package wecom

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/silenceper/wechat/v2/work/appchat"
	"github.com/silenceper/wechat/v2/work/config"
	workcontext "github.com/silenceper/wechat/v2/work/context"
	"github.com/silenceper/wechat/v2/work/message"
	"github.com/silenceper/wechat/v2/work/robot"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Name is the adapter's key in config, Redis keys and metric labels.
const Name = "wecom"

// The kinds of channel.
const (
	KindWebhook bot.Kind = "webhook"
	KindApp     bot.Kind = "app"
	KindAppChat bot.Kind = "appchat"
	KindAIBot   bot.Kind = "aibot"
)

// Deps are what an Adapter is given; a nil or empty field gets a default.
type Deps struct {
	HTTP        *http.Client
	Log         *slog.Logger
	Now         func() time.Time
	Redis       redis.UniversalClient // shares access tokens between replicas; nil: each fetches its own
	RedisPrefix string                // "wb"
}

// Adapter posts to WeCom and hears the callbacks of its apps.
type Adapter struct {
	cfg    Config
	deps   Deps
	forms  map[bot.Kind]form
	tokens []*tokens // one per cfg.Apps
	memo   *memo
}

var (
	_ bot.Adapter   = (*Adapter)(nil)
	_ bot.Previewer = (*Adapter)(nil)
	_ bot.Checker   = (*Adapter)(nil)
	_ bot.Hook      = (*Adapter)(nil)
)

// New makes an Adapter of a valid Config. It does no network I/O.
func New(cfg Config, deps Deps) (*Adapter, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.APIURL == "" {
		cfg.APIURL = apiURL
	}
	cfg.APIURL = strings.TrimSuffix(cfg.APIURL, "/")
	if cfg.MaxAge == 0 {
		cfg.MaxAge = defaultMaxAge
	}
	webhook := markdownV2
	if cfg.WebhookMarkdown == "v1" {
		webhook = markdownV1
	}
	a := &Adapter{cfg: cfg, deps: deps.withDefaults(), forms: forms(webhook), memo: newMemo()}
	for _, app := range cfg.Apps {
		a.tokens = append(a.tokens, newTokens(a, app))
	}
	board()
	return a, nil
}

// sendTimeout ends a request that has no answer, for contexts that have no end of their own.
const sendTimeout = 30 * time.Second

func (d Deps) withDefaults() Deps {
	if d.HTTP == nil {
		d.HTTP = apihttp.NewClient(sendTimeout)
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.RedisPrefix == "" {
		d.RedisPrefix = "wb"
	}
	return d
}

// Name implements bot.Adapter.
func (a *Adapter) Name() string { return Name }

// Kinds implements bot.Adapter.
func (a *Adapter) Kinds() []bot.Kind { return []bot.Kind{KindWebhook, KindApp, KindAppChat} }

// Capabilities implements bot.Adapter. MaxBytes counts the text of a post, not its JSON.
func (a *Adapter) Capabilities(kind bot.Kind) bot.Capabilities { return a.form(kind).caps }

// form of an unknown kind is that of a webhook.
func (a *Adapter) form(kind bot.Kind) form {
	if f, ok := a.forms[kind]; ok {
		return f
	}
	return a.forms[KindWebhook]
}

// Split implements bot.Adapter.
func (a *Adapter) Split(kind bot.Kind, msg bot.Message) []bot.Message {
	return split(a.form(kind), msg)
}

// Preview implements bot.Previewer. Receivers, unknown before the post, are the words USER and CHAT; the agent ID is the first app's.
func (a *Adapter) Preview(kind bot.Kind, p bot.Post) ([]byte, error) {
	f, ok := a.forms[kind]
	if !ok {
		return nil, fmt.Errorf("wecom has no kind %q: want webhook, app, appchat or aibot", kind)
	}
	body := newPost(f, render(f, p.Message, p.Part, p.Parts))
	switch kind {
	case KindApp:
		body.toApp(a.previewAgent(), "user:USER", p.Key)
	case KindAppChat:
		body.ChatID = "CHAT"
	case KindAIBot:
		body.ChatID, body.ChatType = "CHAT", chatTypeGroup
	}
	return encode(body)
}

// chatTypeGroup is chat_type of a group in aibot_send_msg (101463).
const chatTypeGroup = 2

func (a *Adapter) previewAgent() int {
	if len(a.cfg.Apps) > 0 {
		return a.cfg.Apps[0].AgentID
	}
	return 1000002 // what a corp's first app is given
}

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

// Send implements bot.Adapter. The Receipt is WeCom's msgid for app; webhook and appchat give none.
func (a *Adapter) Send(ctx context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, error) {
	if ctx.Err() != nil {
		return "", overBefore(ctx)
	}
	f := a.form(dst.Kind)
	text := a.memo.text(dst.Kind, p, func() string { return render(f, p.Message, p.Part, p.Parts) })
	if len(text) > f.caps.MaxBytes {
		return "", refuse(bot.ScopeMessage, "too_long", fmt.Sprintf("%d bytes, WeCom takes %d: the message was not split", len(text), f.caps.MaxBytes))
	}
	receipt, fault := a.send(ctx, dst, newPost(f, text), p.Key)
	if fault != nil {
		return "", fault
	}
	return receipt, nil
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
		return "", refuse(bot.ScopeChannel, "no_connection", "posting through an AI bot is not built: use a group robot's webhook for this group")
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
	board().make(c, func(ticket string) { robot.NewClient(nil).RobotBroadcast(ticket, body) })
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
		a.deps.Log.Warn("not everybody addressed got the message", "adapter", Name, "channel", dst.ID(), "code", list.code,
			"count", strings.Count(list.ids, "|")+1)
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
		appchat.NewClient(sdk).Send("weeklybot", body)
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
	if fault != nil && slices.Contains([]string{"40014", "42001", "41001"}, fault.Code) {
		t.drop(token)
	}
	return fault
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

// Check implements bot.Checker: it fetches a token for each app. The key of a robot cannot be tried without posting, nor can the list
// of trusted IPs.
func (a *Adapter) Check(ctx context.Context) []bot.Checked {
	var all []bot.Checked
	for k, t := range a.tokens {
		all = append(all, bot.Checked{What: fmt.Sprintf("adapters.wecom.apps[%d] %s", k, t.app), Err: t.check(ctx)})
	}
	for k, b := range a.cfg.AIBots {
		all = append(all, bot.Checked{What: fmt.Sprintf("adapters.wecom.aibots[%d] %s", k, b.Name),
			Err: errors.New("AI bots cannot be connected yet: remove it, and use an app or a group robot's webhook")})
	}
	return all
}
