// Package slack brings digests to Slack and commands from it: posts as an app (chat.postMessage) or into incoming webhooks, and
// hears slash commands and events, over HTTP or over a socket that it opens itself (Socket Mode).
//
// It owns Block Kit, Slack's limits, escaping, signatures and error codes. It refuses to retry, to pace, to schedule and to remember:
// a post goes out once, and what happened is said once. All it keeps is the bot's own id and the ids of the last mentions; and in Redis, of
// each workspace that installed the app, its tokens. An Adapter is safe for concurrent use.
package slack

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Name is the adapter's key in config, store and metrics.
const Name = "slack"

// Kinds of channel.
const (
	KindApp     bot.Kind = "app"     // a conversation that the bot was invited to; Address is its ID
	KindWebhook bot.Kind = "webhook" // an incoming webhook; URL is the secret
)

// Deps are what an Adapter works with; nil fields get defaults.
type Deps struct {
	HTTP        *http.Client
	Log         *slog.Logger
	Now         func() time.Time
	PublicURL   string                // where Slack and browsers reach the bot, for the manifest and for installs
	Redis       redis.UniversalClient // keeps the tokens of installs; nil: the app is not for others to install
	RedisPrefix string
}

// Adapter is Slack as the core sees it.
type Adapter struct {
	cfg  Config
	http *http.Client
	log  *slog.Logger
	now  func() time.Time

	publicURL string
	ackWithin time.Duration

	heard  heard  // events that may come again
	drafts drafts // forms that are being filled in

	tokens *tokens

	self struct { // whom the configured token belongs to, asked for once
		sync.Mutex
		botID string
	}
}

var (
	_ bot.Adapter   = (*Adapter)(nil)
	_ bot.Hook      = (*Adapter)(nil)
	_ bot.Listener  = (*Adapter)(nil)
	_ bot.Previewer = (*Adapter)(nil)
	_ bot.Messenger = (*Adapter)(nil)
	_ bot.Checker   = (*Adapter)(nil)
	_ bot.Finder    = (*Adapter)(nil)
	_ bot.Toolbox   = (*Adapter)(nil)
	_ bot.Recaller  = (*Adapter)(nil)
)

const apiTimeout = 30 * time.Second

// New returns an Adapter, or every fault of cfg. It does no network I/O.
func New(cfg Config, deps Deps) (*Adapter, error) {
	if err := errors.Join(cfg.Validate()...); err != nil {
		return nil, err
	}
	a := &Adapter{cfg: cfg, http: deps.HTTP, log: deps.Log, now: deps.Now, publicURL: deps.PublicURL, ackWithin: ackWithin}
	if a.http == nil {
		a.http = apihttp.NewClient(apiTimeout)
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.tokens = &tokens{fixed: cfg.BotToken, refresh: a.refreshToken}
	if cfg.ClientID != "" && deps.Redis != nil {
		a.tokens.installs = newInstalls(cfg, deps, a.now, a.log)
	}
	return a, nil
}

// Name is "slack".
func (a *Adapter) Name() string { return Name }

// Kinds are app and webhook.
func (a *Adapter) Kinds() []bot.Kind { return []bot.Kind{KindApp, KindWebhook} }

// Capabilities are the same for both kinds, but that a webhook belongs to no workspace.
func (a *Adapter) Capabilities(kind bot.Kind) bot.Capabilities {
	c := bot.Capabilities{
		MaxRunes:      maxTextObject,
		MaxTotalRunes: budgetTotal + rowTotal,
		MaxBlocks:     budgetBlocks + rowBlocks,
		MinGap:        minGap,
		Markdown:      true,
	}
	if kind == KindApp {
		c.WorkspaceGap, c.WorkspaceWindow = workspaceGap, time.Minute
	}
	return c
}

// Target is the Channel of an incoming webhook, from what stands behind "slack-webhook:". Slack's webhooks are not signed, so secret
// must be empty. The URL's host counts as trusted only when the caller puts it into Config.TrustedHosts.
func Target(spec string, secret bot.Secret) (bot.Channel, error) {
	if secret != "" {
		return bot.Channel{}, errors.New("slack-webhook: Slack's webhooks have no secret besides their URL")
	}
	if err := checkEndpoint(spec); err != nil || spec == "" {
		return bot.Channel{}, fmt.Errorf("slack-webhook: want the whole URL, https://%s/services/T…/B…/…", hooksHost)
	}
	return bot.Channel{Adapter: Name, Kind: KindWebhook, Address: "webhook", URL: bot.Secret(spec)}, nil
}
