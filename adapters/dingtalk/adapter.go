// Package dingtalk brings digests and answers to DingTalk 钉钉: it turns a Message into the platform's payload, posts it once and
// says what happened, and it hears what members type. It knows two kinds of channel:
//
//   - webhook: a custom group robot. Channel.URL is the robot's URL with its access_token, Channel.Secret its 加签 secret (SEC…).
//   - app: the robot of an internal app. Channel.Workspace is the organisation's CorpId, Channel.Address is
//     "group:<openConversationId>" or "user:<staffId>".
//
// It refuses to retry, to sleep and to schedule: the outbox does. It never mentions anybody (no "at" in any payload).
// An Adapter is safe for concurrent use; its only state is the app's access token and what it has counted.
package dingtalk

import (
	"cmp"
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
const Name = "dingtalk"

// Deps are what the adapter needs from its caller. Nil fields get defaults.
type Deps struct {
	HTTP *http.Client
	Log  *slog.Logger
	Now  func() time.Time
	// Tally counts the calls of a month; nil: they are not counted.
	Tally bot.Tally
}

// Adapter is DingTalk as the core sees it.
type Adapter struct {
	cfg    Config
	http   *http.Client
	log    *slog.Logger
	now    func() time.Time
	api    string // origins
	oapi   string
	tokens *apihttp.Tokens
	cipher *eventCipher // nil: no event push

	calls, messages *meter // nil: not counted

	answerWithin time.Duration // tests change these two
	streamGrace  time.Duration
}

var (
	_ bot.Adapter   = (*Adapter)(nil)
	_ bot.Previewer = (*Adapter)(nil)
	_ bot.Messenger = (*Adapter)(nil)
	_ bot.Checker   = (*Adapter)(nil)
	_ bot.Hook      = (*Adapter)(nil)
)

// New returns the adapter. It does no network I/O. An empty Config is enough for group robots.
func New(cfg Config, deps Deps) (*Adapter, error) {
	if err := errors.Join(cfg.Validate()...); err != nil {
		return nil, err
	}
	a := &Adapter{
		cfg: cfg, http: deps.HTTP, log: deps.Log, now: deps.Now,
		api: apihttp.Origin(cfg.APIURL, officialAPI), oapi: apihttp.Origin(cfg.OAPIURL, officialOAPI),
		answerWithin: answerWithin, streamGrace: streamGrace,
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
	if deps.Tally != nil && cfg.Enabled() {
		a.calls = a.newMeter("OpenAPI", cmp.Or(cfg.Monthly.Calls, monthlyCalls), deps.Tally)
		a.messages = a.newMeter("Webhook & Stream", cmp.Or(cfg.Monthly.Messages, monthlyMessages), deps.Tally)
	}
	if cfg.Events.AESKey != "" {
		a.cipher, _ = newCipher(cfg.Events.AESKey.Reveal()) // Validate has tried it
	}
	return a, nil
}

// Name is "dingtalk".
func (a *Adapter) Name() string { return Name }

// Kinds lists webhook, the default, and app.
func (a *Adapter) Kinds() []bot.Kind { return []bot.Kind{KindWebhook, KindApp} }

// Capabilities of one kind; the zero value for a kind that does not exist.
func (a *Adapter) Capabilities(kind bot.Kind) bot.Capabilities { return capabilities[kind] }

// Send posts one part. The Receipt is the processQueryKey for kind app, "" for kind webhook. See bot.Adapter.
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

// Preview is the exact body of a post, as JSON. The conversation of an app's post and the mediaId of its
// image are left empty.
func (a *Adapter) Preview(kind bot.Kind, p bot.Post) ([]byte, error) {
	c := renderPart(p.Message, p.Part, p.Parts)
	switch kind {
	case KindWebhook:
		return apihttp.EncodeJSON(c.webhook(msgUUID(p))), nil
	case KindApp:
		if p.Message.Image.Usable() {
			c = c.withImage("", p.Message.Image)
		}
		key, param := c.app()
		return apihttp.EncodeJSON(groupCall{RobotCode: a.cfg.RobotCode, MsgKey: key, MsgParam: param}), nil
	}
	return nil, fmt.Errorf("dingtalk has no kind %q: want %s or %s", kind, KindWebhook, KindApp)
}

// Check asks for an access token, when the app robot is configured.
func (a *Adapter) Check(ctx context.Context) []bot.Checked {
	if !a.cfg.Enabled() {
		return nil
	}
	what := fmt.Sprintf("adapters.dingtalk (client %s, robot %s)", a.cfg.ClientID, a.cfg.RobotCode)
	if _, _, fault := a.fetchToken(ctx); fault != nil {
		return []bot.Checked{{What: what, Err: fault}}
	}
	return []bot.Checked{{What: what}}
}

// Target is the channel of a robot's URL, with its 加签 secret or "": for `weeklybot send --to dingtalk-webhook:URL`. The errors do not
// show the URL.
func Target(raw string, secret bot.Secret) (bot.Channel, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Host == "" || u.Query().Get("access_token") == "" {
		return bot.Channel{}, errors.New("dingtalk-webhook: want the robot's whole URL, https://oapi.dingtalk.com/robot/send?access_token=…")
	}
	sum := sha256.Sum256([]byte(u.Query().Get("access_token")))
	return bot.Channel{
		Adapter: Name, Kind: KindWebhook, Address: "webhook:" + hex.EncodeToString(sum[:8]), Name: "DingTalk group robot",
		URL: bot.Secret(u.String()), Secret: secret,
	}, nil
}
