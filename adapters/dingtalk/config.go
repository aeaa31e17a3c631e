package dingtalk

import (
	"fmt"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Official origins.
const (
	officialAPI  = "https://api.dingtalk.com"
	officialOAPI = "https://oapi.dingtalk.com"
)

// How the app robot hears.
const (
	ModeStream = "stream" // over a WebSocket that we dial; needs no public address
	ModeHTTP   = "http"   // the platform posts to /dingtalk/robot
)

// Config is adapters.dingtalk in config.yaml. Group robots need nothing of it: their address and secret stand at their channel.
type Config struct {
	ClientID     string     `yaml:"client_id"` // AppKey of the internal app
	ClientSecret bot.Secret `yaml:"client_secret"`
	RobotCode    string     `yaml:"robot_code"`
	CorpID       string     `yaml:"corp_id"`
	Mode         string     `yaml:"mode"` // "" = stream
	Events       Events     `yaml:"events"`
	APIURL       string     `yaml:"api_url"`  // origin without path; "" = https://api.dingtalk.com
	OAPIURL      string     `yaml:"oapi_url"` // origin without path; "" = https://oapi.dingtalk.com
	ReplyHosts   []string   `yaml:"reply_hosts"`
	Monthly      Allowances `yaml:"monthly"`
	// TrustedHosts may be called besides, because a person named them: `send --to`.
	TrustedHosts []string `yaml:"-"`
}

// Events are the keys of the encrypted event push (事件订阅, HTTP 推送).
type Events struct {
	Token  bot.Secret `yaml:"token"`
	AESKey bot.Secret `yaml:"aes_key"`
}

// Allowances are how many calls the organisation has a month; 0 = those of the standard edition.
type Allowances struct {
	Calls    int64 `yaml:"calls"`    // of the OpenAPI; 0 = 5000
	Messages int64 `yaml:"messages"` // over webhooks and Stream; 0 = 3000
}

// Enabled says whether the app robot is configured, wholly or half.
func (c Config) Enabled() bool {
	return c.ClientID != "" || c.ClientSecret != "" || c.RobotCode != ""
}

// Validate reports every fault, each with its path.
func (c Config) Validate() []error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("adapters.dingtalk.%s: "+format, append([]any{key}, args...)...))
	}
	if c.Enabled() {
		for _, need := range []struct{ key, value, where string }{
			{"client_id", c.ClientID, "the app's Client ID (AppKey)"},
			{"client_secret", c.ClientSecret.Reveal(), "the app's Client Secret (AppSecret)"},
			{"robot_code", c.RobotCode, "the robotCode of the app's robot page"},
		} {
			if need.value == "" {
				fault(need.key, "is missing; copy %s from the developer console", need.where)
			}
		}
	}
	switch c.Mode {
	case "", ModeStream:
	case ModeHTTP:
		if c.Enabled() && c.CorpID == "" {
			fault("corp_id", "is missing; with mode http the signature does not cover the message, so the organisation is checked by its CorpId")
		}
	default:
		fault("mode", "%q is unknown; want %s or %s", c.Mode, ModeStream, ModeHTTP)
	}
	if (c.Events.Token == "") != (c.Events.AESKey == "") {
		fault("events", "token and aes_key belong together; set both or none")
	}
	if c.Events.AESKey != "" {
		if _, err := newCipher(c.Events.AESKey.Reveal()); err != nil {
			fault("events.aes_key", "%w", err)
		}
	}
	if c.Monthly.Calls < 0 || c.Monthly.Messages < 0 {
		fault("monthly", "is negative; want the calls and messages that the organisation has a month, 0 for the standard edition's")
	}
	for _, o := range []struct{ key, value string }{{"api_url", c.APIURL}, {"oapi_url", c.OAPIURL}} {
		if err := apihttp.CheckOrigin(o.value); err != nil {
			fault(o.key, "%w", err)
		}
	}
	return faults
}

// replyHosts are the hosts that webhooks and sessionWebhooks may lead to.
func (c Config) replyHosts() []string {
	hosts := append([]string{officialOAPI, c.OAPIURL}, c.ReplyHosts...)
	return append(hosts, c.TrustedHosts...)
}
