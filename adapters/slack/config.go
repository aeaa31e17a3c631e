package slack

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

const (
	defaultAPI       = "https://slack.com/api/"
	defaultAuthorize = "https://slack.com/oauth/v2/authorize"
	hooksHost        = "hooks.slack.com"
)

// Config is adapters.slack of config.yaml. bot_token is for one workspace, client_id for all that install the app. Without both the adapter
// only posts to incoming webhooks.
type Config struct {
	BotToken      bot.Secret `yaml:"bot_token"`
	SigningSecret bot.Secret `yaml:"signing_secret"`
	AppToken      bot.Secret `yaml:"app_token"`
	SocketMode    bool       `yaml:"socket_mode"`
	ClientID      string     `yaml:"client_id"`
	ClientSecret  bot.Secret `yaml:"client_secret"`
	APIURL        string     `yaml:"api_url"`       // with /api/, final slash optional; "" = slack.com
	AuthorizeURL  string     `yaml:"authorize_url"` // the whole of it; "" = slack.com
	// TokenKeys seal the tokens of installs in the store: the first seals, all of them open. Without any the client secret is the key.
	TokenKeys  []bot.Secret `yaml:"token_keys"`
	ReplyHosts []string     `yaml:"reply_hosts"` // more hosts where webhook and response URLs may lead, "hooks.slack-gov.com"

	// TrustedHosts are hosts of webhook URLs that an operator typed as the target of one send.
	TrustedHosts []string `yaml:"-"`
}

// Enabled says whether the Slack app is configured, and so whether the adapter hears and posts as a bot.
func (c Config) Enabled() bool { return c.BotToken != "" || c.ClientID != "" }

// Validate returns every fault, each with the path of its setting below adapters.slack.
func (c Config) Validate() []error {
	var faults []error
	fault := func(broken bool, path, text string) {
		if broken {
			faults = append(faults, fmt.Errorf("adapters.slack.%s: %s", path, text))
		}
	}
	fault(strings.HasPrefix(c.BotToken.Reveal(), "xapp-"), "bot_token", "is an app-level token: want the Bot User OAuth Token, it begins with xoxb-")
	fault(c.Enabled() && c.SigningSecret == "" && !c.SocketMode, "signing_secret", "is missing: copy it from Basic Information of the Slack app")
	fault(!c.Enabled() && (c.SigningSecret != "" || c.AppToken != "" || c.SocketMode), "bot_token",
		"is missing: copy the Bot User OAuth Token from OAuth & Permissions of the Slack app")
	fault(c.SocketMode && !strings.HasPrefix(c.AppToken.Reveal(), "xapp-"), "app_token",
		"socket_mode needs an app-level token with connections:write, from Basic Information of the Slack app; it begins with xapp-")
	fault((c.ClientID == "") != (c.ClientSecret == ""), "client_id", "and client_secret belong together: set both or none")
	for k, key := range c.TokenKeys {
		fault(len(key) < minKeyLength, fmt.Sprintf("token_keys[%d]", k), fmt.Sprintf("is too short: want at least %d characters, as `openssl rand -hex 32` prints", minKeyLength))
	}
	if err := checkEndpoint(c.APIURL); err != nil {
		fault(true, "api_url", err.Error())
	}
	if err := checkEndpoint(c.AuthorizeURL); err != nil {
		fault(true, "authorize_url", err.Error())
	}
	return faults
}

func checkEndpoint(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("is not a URL: want https://host/…")
	}
	return apihttp.CheckURL(raw, []string{u.Host})
}

// apiURL ends in a slash, as the library wants it.
func (c Config) apiURL() string {
	if c.APIURL == "" {
		return defaultAPI
	}
	return strings.TrimRight(c.APIURL, "/") + "/"
}

// postHosts are the hosts that webhook and response URLs may lead to.
func (c Config) postHosts() []string {
	hosts := append([]string{hooksHost}, c.ReplyHosts...)
	if c.APIURL != "" {
		hosts = append(hosts, c.APIURL)
	}
	return append(hosts, c.TrustedHosts...)
}
