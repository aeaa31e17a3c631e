// Package wecom is the adapter of WeCom (企业微信). It owns what a message looks like there, how it is posted, what WeCom's answers
// mean, the callbacks of self-built apps, and both doors of AI bots. It refuses to retry, to pace, and to remember who subscribed.
//
// Kinds, and how a Channel of each is addressed:
//
//	webhook  a group robot. Channel.URL (secret): the robot's whole URL, or only its key. Hears nothing.
//	app      a self-built app speaks to members. Workspace: the corp ID, which means the first app of that corp in the
//	         configuration, or corpID:NAME for the app of that name. Address: "user:ID", "party:ID" or "tag:ID".
//	appchat  a group that the app created itself. Workspace as for app; Address: "chat:ID".
//	aibot    a chat that an AI bot (智能机器人) is in. Workspace: the bot's name in the configuration, or its bot ID. Address: the
//	         group's chatid (case counts), or a userid. Pushed over the bot's long connection (mode socket), which also hears;
//	         in mode callback a bot hears and answers, and cannot push.
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
// What the SDK has no function for (uploads with our context, recall, menus, making chats) goes out by callAPI, with the SDK's token.
//
// Not used: kf and externalcontact callbacks (they check no signature), util.DecryptMsg (refuses an empty receiver, checks one byte
// of the padding; crypto.go has the whole check, and its tests compare with the SDK's), cache.Redis (made for go-redis v8).
//
// # The rooms
//
//	out  render.go (text), headlines.go (cards, news), image.go, dialect.go (what each kind reads), limits.go (the table of kinds);
//	     send.go (posts), exchange.go (the SDK's requests), token.go, recall.go, classify.go (what an answer means)
//	in   crypto.go, inbound.go (apps), aibothook.go (AI bots by callback), aibot.go (what a bot hears)
//	line link.go (one connection), listen.go (keeps it), talk.go and buttons.go (answers over it), lease.go and relay.go (replicas)
//	set  config.go, doctor.go, menu.go, appchat.go, target.go
//
// An Adapter is safe for concurrent use; several may live in one process.
package wecom

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

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
	Redis       redis.UniversalClient // shares access tokens and the connections of AI bots between replicas; nil: a lone replica
	RedisPrefix string                // "wb"
	PublicURL   string                // where WeCom reaches the bot: shown by the doctor
}

// Adapter posts to WeCom, hears the callbacks of its apps, and keeps the connections of its AI bots.
type Adapter struct {
	cfg     Config
	deps    Deps
	forms   map[bot.Kind]form
	tokens  []*tokens // one per cfg.Apps
	bots    []*aibot  // one per cfg.AIBots
	memo    *memo
	uploads uploads

	// Of long connections; tests set them.
	netDial    func(ctx context.Context, network, addr string) (net.Conn, error) // nil: the usual one
	leaseRenew time.Duration
}

var (
	_ bot.Adapter   = (*Adapter)(nil)
	_ bot.Previewer = (*Adapter)(nil)
	_ bot.Messenger = (*Adapter)(nil)
	_ bot.Checker   = (*Adapter)(nil)
	_ bot.Hook      = (*Adapter)(nil)
)

// New makes an Adapter of a valid Config. It does no network I/O.
func New(cfg Config, deps Deps) (*Adapter, error) {
	if err := errors.Join(cfg.Validate()...); err != nil {
		return nil, err
	}
	if cfg.APIURL == "" {
		cfg.APIURL = apiURL
	}
	cfg.APIURL = strings.TrimSuffix(cfg.APIURL, "/")
	if cfg.AIBotURL == "" {
		cfg.AIBotURL = botURL
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = defaultMaxAge
	}
	webhook := markdownV2
	if cfg.WebhookMarkdown == "v1" {
		webhook = markdownV1
	}
	if cfg.Headlines == "" {
		cfg.Headlines = string(headlineCard)
	}
	deps = deps.withDefaults()
	a := &Adapter{cfg: cfg, deps: deps, forms: forms(webhook, headlineForm(cfg.Headlines)), bots: newAIBots(cfg, deps), memo: newMemo(), leaseRenew: leaseRenew}
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
func (a *Adapter) Kinds() []bot.Kind { return []bot.Kind{KindWebhook, KindApp, KindAppChat, KindAIBot} }

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

// Preview implements bot.Previewer. Receivers and media, unknown before the post, are the words USER, CHAT and MEDIA; the agent ID is the first app's.
func (a *Adapter) Preview(kind bot.Kind, p bot.Post) ([]byte, error) {
	f, ok := a.forms[kind]
	if !ok {
		return nil, fmt.Errorf("wecom has no kind %q: want webhook, app, appchat or aibot", kind)
	}
	body := a.body(kind, p)
	if f.image != noImage && p.Message.OnlyImage() {
		media := "MEDIA"
		if f.image == inlineImage {
			media = ""
		}
		body = newImagePost(p.Message.Image.PNG, media)
	}
	switch kind {
	case KindApp:
		body.toApp(a.previewAgent(), "user:USER", p.Key)
	case KindAppChat, KindAIBot:
		body.ChatID = "CHAT"
	}
	return encode(body)
}

// body is one part, without its receiver.
func (a *Adapter) body(kind bot.Kind, p bot.Post) post {
	f := a.form(kind)
	if body, ok := headlinePost(f, p); ok {
		return body
	}
	return newPost(f, a.memo.text(kind, p, func() string { return render(f, p.Message, p.Part, p.Parts) }))
}

func (a *Adapter) previewAgent() int {
	if len(a.cfg.Apps) > 0 {
		return a.cfg.Apps[0].AgentID
	}
	return 1000002 // what a corp's first app is given
}

// Check implements bot.Checker: it fetches a token for each app, and reports each AI bot's connection. The key of a robot cannot be
// tried without posting, nor can the list of trusted IPs.
func (a *Adapter) Check(ctx context.Context) []bot.Checked {
	var all []bot.Checked
	for k, t := range a.tokens {
		all = append(all, bot.Checked{What: fmt.Sprintf("adapters.wecom.apps[%d] %s", k, t.app), Err: t.check(ctx)})
	}
	for _, b := range a.bots {
		all = append(all, a.checkBot(ctx, b))
	}
	return all
}

// checkBot does not subscribe: WeCom would cut the connection of the bot that runs, which must not come back by itself. So in a process
// that does not listen only the gateway is tried.
func (a *Adapter) checkBot(ctx context.Context, b *aibot) bot.Checked {
	if !b.socket() {
		return bot.Checked{What: b.String() + ": WeCom calls us, there is nothing to try"}
	}
	live, why := b.connection()
	if live != nil || !errors.Is(why, errIdle) {
		return bot.Checked{What: b.String(), Err: why}
	}
	c, err := a.dial(ctx)
	if err == nil {
		c.close()
	}
	return bot.Checked{What: b.String() + ": the gateway answers; WeCom checks bot_id and secret when the bot starts", Err: err}
}
