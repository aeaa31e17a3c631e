// Package feishu brings digests and answers to Feishu 飞书 (abroad: Lark): it turns a Message into the platform's card, posts it once and
// says what happened, and it hears what members type. It knows two kinds of channel:
//
//   - webhook: a custom bot 自定义机器人 of one group. Channel.URL is its webhook, Channel.Secret its 签名校验 secret.
//   - app: the bot of a self-built app. Channel.Workspace is the tenant_key, Channel.Address a chat_id (oc_…), open_id (ou_…) or
//     union_id (on_…).
//
// It refuses to retry, to sleep and to schedule: the outbox does. It never mentions anybody. Images are shown by the app only: they
// must be uploaded before. An Adapter is safe for concurrent use; its only state is the app's access token.
package feishu

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Name is the adapter's key in config, Redis keys and metric labels.
const Name = "feishu"

// Deps are what the adapter needs from its caller. Nil fields get defaults.
type Deps struct {
	HTTP *http.Client
	Log  *slog.Logger
	Now  func() time.Time
}

// Adapter is Feishu as the core sees it.
type Adapter struct {
	cfg    Config
	http   *http.Client
	log    *slog.Logger
	now    func() time.Time
	api    string // origin
	tokens *apihttp.Tokens
	cipher *eventCipher // nil: no events over HTTP

	again       time.Duration // between attempts to connect; tests change these two
	socketGrace time.Duration
}

var (
	_ bot.Adapter   = (*Adapter)(nil)
	_ bot.Previewer = (*Adapter)(nil)
	_ bot.Messenger = (*Adapter)(nil)
	_ bot.Checker   = (*Adapter)(nil)
)

// New returns the adapter. It does no network I/O. An empty Config is enough for custom bots.
func New(cfg Config, deps Deps) (*Adapter, error) {
	if err := errors.Join(cfg.Validate()...); err != nil {
		return nil, err
	}
	a := &Adapter{
		cfg: cfg, http: deps.HTTP, log: deps.Log, now: deps.Now, api: apihttp.Origin(cfg.APIURL, officialAPI),
		again: socketAgain, socketGrace: socketGrace,
	}
	if a.http == nil {
		a.http = apihttp.NewClient(0)
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.tokens = apihttp.NewTokens(a.now, a.fetchToken)
	if cfg.Events.AESKey != "" {
		a.cipher = newCipher(cfg.Events.AESKey.Reveal())
	}
	return a, nil
}

// Name is "feishu".
func (a *Adapter) Name() string { return Name }

// Kinds lists webhook, the default, and app.
func (a *Adapter) Kinds() []bot.Kind { return []bot.Kind{KindWebhook, KindApp} }

// Capabilities of one kind; the zero value for a kind that does not exist.
func (a *Adapter) Capabilities(kind bot.Kind) bot.Capabilities { return capabilities[kind] }

// Send posts one part. The Receipt is the message_id for kind app, "" for kind webhook. See bot.Adapter.
func (a *Adapter) Send(ctx context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return "", apihttp.Local(bot.Retryable, bot.ScopeMessage, apihttp.CodeNotSent, err)
	}
	var receipt bot.Receipt
	var fault *bot.SendError
	switch dst.Kind {
	case KindWebhook:
		fault = a.sendWebhook(ctx, dst, p)
	case KindApp:
		receipt, fault = a.sendApp(ctx, dst.Address, p)
	default:
		fault = apihttp.Local(bot.Permanent, bot.ScopeChannel, codeBadChannel, fmt.Errorf("kind %q is unknown: want %s or %s", dst.Kind, KindWebhook, KindApp))
	}
	if fault != nil {
		return "", fault
	}
	return receipt, nil
}

// Preview is the exact body of a post, as JSON, but for what belongs to one channel or one moment: a webhook's signature, the receiver of
// an app's message, the key of its image.
func (a *Adapter) Preview(kind bot.Kind, p bot.Post) ([]byte, error) {
	c := renderPart(p.Message, p.Part, p.Parts)
	switch kind {
	case KindWebhook:
		return apihttp.EncodeJSON(webhookBody{MsgType: cardType, Card: c}), nil
	case KindApp:
		if p.Message.Image.Usable() {
			c = c.withImage("", p.Message.Image)
		}
		return apihttp.EncodeJSON(messageBody("", c, messageUUID(p.Key, p.Part))), nil
	}
	return nil, fmt.Errorf("feishu has no kind %q: want %s or %s", kind, KindWebhook, KindApp)
}

// Check asks for an access token, when the app is configured.
func (a *Adapter) Check(ctx context.Context) []bot.Checked {
	if !a.cfg.Enabled() {
		return nil
	}
	what := fmt.Sprintf("adapters.feishu (app %s)", a.cfg.AppID)
	if _, _, fault := a.fetchToken(ctx); fault != nil {
		return []bot.Checked{{What: what, Err: fault}}
	}
	return []bot.Checked{{What: what}}
}

// hookPath precedes the token in a custom bot's URL.
const hookPath = "/open-apis/bot/v2/hook/"

// Target is the channel of a custom bot's URL, with its 签名校验 secret or "": for `weeklybot send --to feishu-webhook:URL`. The errors do
// not show the URL.
func Target(raw string, secret bot.Secret) (bot.Channel, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Host == "" || !strings.HasPrefix(u.Path, hookPath) || len(u.Path) == len(hookPath) {
		return bot.Channel{}, errors.New("feishu-webhook: want the custom bot's whole URL, https://open.feishu.cn/open-apis/bot/v2/hook/…")
	}
	sum := sha256.Sum256([]byte(u.Path))
	return bot.Channel{
		Adapter: Name, Kind: KindWebhook, Address: "webhook:" + hex.EncodeToString(sum[:8]), Name: "Feishu custom bot",
		URL: bot.Secret(u.String()), Secret: secret,
	}, nil
}
