package feishu

import (
	"fmt"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Official origins: in China and abroad (Lark).
const (
	officialAPI  = "https://open.feishu.cn"
	officialLark = "https://open.larksuite.com"
)

// How the app's bot hears.
const (
	ModeSocket = "socket" // over a long connection 长连接 that we dial; needs no public address
	ModeHTTP   = "http"   // the platform posts to /feishu/events
)

// Config is adapters.feishu in config.yaml. Custom bots need nothing of it: their address and secret stand at their channel.
type Config struct {
	AppID     string     `yaml:"app_id"` // of the self-built app, cli_…
	AppSecret bot.Secret `yaml:"app_secret"`
	Mode      string     `yaml:"mode"` // "" = socket
	Events    Events     `yaml:"events"`
	APIURL    string     `yaml:"api_url"` // origin without path; "" = https://open.feishu.cn
	// TrustedHosts may be called besides, because a person named them: `send --to`.
	TrustedHosts []string `yaml:"-"`
}

// Events are the keys of events over HTTP 将事件发送至开发者服务器.
type Events struct {
	Token  bot.Secret `yaml:"token"`   // Verification Token
	AESKey bot.Secret `yaml:"aes_key"` // Encrypt Key
}

// Enabled says whether the app is configured, wholly or half.
func (c Config) Enabled() bool { return c.AppID != "" || c.AppSecret != "" }

// Validate reports every fault, each with its path.
func (c Config) Validate() []error {
	var faults []error
	fault := func(broken bool, key, format string, args ...any) {
		if broken {
			faults = append(faults, fmt.Errorf("adapters.feishu.%s: "+format, append([]any{key}, args...)...))
		}
	}
	fault(c.Enabled() && c.AppID == "", "app_id", "is missing; copy the App ID (cli_…) from the developer console")
	fault(c.Enabled() && c.AppSecret == "", "app_secret", "is missing; copy the App Secret from the developer console")
	fault(c.Mode != "" && c.Mode != ModeSocket && c.Mode != ModeHTTP, "mode", "%q is unknown; want %s or %s", c.Mode, ModeSocket, ModeHTTP)
	fault((c.Events.Token == "") != (c.Events.AESKey == ""), "events", "token (Verification Token) and aes_key (Encrypt Key) belong together; set both or none")
	fault(c.Mode == ModeHTTP && c.Enabled() && c.Events == Events{}, "events", "is empty; with mode http set token (Verification Token) and aes_key (Encrypt Key)")
	if err := apihttp.CheckOrigin(c.APIURL); err != nil {
		fault(true, "api_url", "%w", err)
	}
	return faults
}

// hookHosts are the hosts that webhooks may lead to.
func (c Config) hookHosts() []string {
	return append([]string{officialAPI, officialLark, c.APIURL}, c.TrustedHosts...)
}
