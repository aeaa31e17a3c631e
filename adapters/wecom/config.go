package wecom

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Config is adapters.wecom of config.yaml. Group robots (kind webhook) need none of it.
type Config struct {
	// APIURL is the origin of the API, "" = https://qyapi.weixin.qq.com. For a proxy, or the twin.
	APIURL string `yaml:"api_url"`
	// AIBotURL is where AI bots connect, "" = wss://openws.work.weixin.qq.com.
	AIBotURL string `yaml:"aibot_url"`
	// WebhookMarkdown is the dialect of group robots: "v2" (default), or "v1" where members have clients older than 4.1.36, which
	// show v2 as it was typed.
	WebhookMarkdown string `yaml:"webhook_markdown"`
	// Headlines is how digests of linked titles look: "card" (default; at most six short titles, else a text), "news" (articles, eight a
	// post), or "list" (a text).
	Headlines string  `yaml:"headlines"`
	Apps      []App   `yaml:"apps"`
	AIBots    []AIBot `yaml:"aibots"`
	// MaxAge is how far the clock of a callback may be from ours, either way; 0 = 10 minutes.
	MaxAge time.Duration `yaml:"max_age"`
	// TrustedHosts may be called as webhooks besides WeCom's own host and APIURL's: a target that the operator typed.
	TrustedHosts []string `yaml:"-"`
}

// App is one self-built app of a corp. Token and EncodingAESKey are needed only to hear members.
type App struct {
	Name           string     `yaml:"name"` // part of its callback's path; may be left out when it is the only one
	CorpID         string     `yaml:"corp_id"`
	AgentID        int        `yaml:"agent_id"`
	Secret         bot.Secret `yaml:"secret"`
	Token          bot.Secret `yaml:"token"`
	EncodingAESKey bot.Secret `yaml:"encoding_aes_key"`
}

// AIBot is one 智能机器人 in API mode: BotID and Secret for mode "socket", Token and EncodingAESKey for mode "callback".
type AIBot struct {
	Name           string     `yaml:"name"`
	ShownName      string     `yaml:"shown_name"` // what members type behind the @
	BotID          string     `yaml:"bot_id"`
	Secret         bot.Secret `yaml:"secret"`
	Token          bot.Secret `yaml:"token"`
	EncodingAESKey bot.Secret `yaml:"encoding_aes_key"`
	Mode           string     `yaml:"mode"`
}

const (
	apiURL        = "https://qyapi.weixin.qq.com"
	defaultMaxAge = 10 * time.Minute
)

// Enabled says that there is an app or a bot. Without one the adapter still posts to group robots.
func (c Config) Enabled() bool { return len(c.Apps)+len(c.AIBots) > 0 }

// Validate returns every fault, each with its path.
func (c Config) Validate() []error {
	faults := []error{
		fault("api_url", checkOrigin(c.APIURL, "https", "http")),
		fault("aibot_url", checkOrigin(c.AIBotURL, "wss", "ws")),
	}
	if c.WebhookMarkdown != "" && c.WebhookMarkdown != "v1" && c.WebhookMarkdown != "v2" {
		faults = append(faults, fault("webhook_markdown", fmt.Errorf("%q: want v2 or v1", c.WebhookMarkdown)))
	}
	if c.Headlines != "" && !slices.Contains([]headlineForm{headlineCard, headlineNews, headlineList}, headlineForm(c.Headlines)) {
		faults = append(faults, fault("headlines", fmt.Errorf("%q: want card, news or list", c.Headlines)))
	}
	if c.MaxAge < 0 || c.MaxAge > 2*time.Hour {
		faults = append(faults, fault("max_age", errors.New("want a duration from 1s to 2h, such as 10m: WeCom's nonces are unique for two hours only")))
	}
	seen := map[string]string{}
	for k, app := range c.Apps {
		path := fmt.Sprintf("apps[%d]", k)
		faults = append(faults, app.faults(path, len(c.Apps) > 1)...)
		for _, id := range []string{"name " + app.Name, app.CorpID + " and agent_id " + strconv.Itoa(app.AgentID)} {
			if first, twice := seen[id]; twice {
				faults = append(faults, fault(path, fmt.Errorf("has the same %s as %s", strings.TrimPrefix(id, " "), first)))
			}
			seen[id] = path
		}
	}
	for k, b := range c.AIBots {
		faults = append(faults, b.faults(fmt.Sprintf("aibots[%d]", k), len(c.AIBots) > 1)...)
	}
	return slices.DeleteFunc(faults, func(err error) bool { return err == nil })
}

func fault(path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("adapters.wecom.%s: %w", path, err)
}

func (a App) faults(path string, nameNeeded bool) []error {
	return append([]error{
		fault(path+".name", checkName(a.Name, nameNeeded)),
		fault(path+".corp_id", need(a.CorpID, "the corp ID of 我的企业, \"ww…\"")),
		fault(path+".agent_id", positive(a.AgentID)),
		fault(path+".secret", need(a.Secret.Reveal(), "the app's Secret")),
	}, callbackFaults(path, a.Token, a.EncodingAESKey)...)
}

func (b AIBot) faults(path string, nameNeeded bool) []error {
	faults := append([]error{fault(path+".name", checkName(b.Name, nameNeeded))}, callbackFaults(path, b.Token, b.EncodingAESKey)...)
	switch b.Mode {
	case "", "socket":
		return append(faults,
			fault(path+".bot_id", need(b.BotID, "the bot's Bot ID")),
			fault(path+".secret", need(b.Secret.Reveal(), "the bot's Secret for long connections")))
	case "callback":
		return append(faults, fault(path+".token", need(b.Token.Reveal(), "the Token of 接收消息")))
	default:
		return append(faults, fault(path+".mode", fmt.Errorf("%q: want socket or callback", b.Mode)))
	}
}

// callbackFaults: both or none.
func callbackFaults(path string, token, key bot.Secret) []error {
	switch {
	case token == "" && key == "":
		return nil
	case token == "":
		return []error{fault(path+".token", need("", "the Token of 接收消息; it goes with encoding_aes_key"))}
	case key == "":
		return []error{fault(path+".encoding_aes_key", need("", "the EncodingAESKey of 接收消息; it goes with token"))}
	}
	_, err := aesKey(key)
	return []error{fault(path+".encoding_aes_key", err)}
}

func need(value, what string) error {
	if value == "" {
		return errors.New("missing: " + what)
	}
	return nil
}

func positive(agentID int) error {
	if agentID <= 0 {
		return errors.New("missing: the app's AgentId, a number such as 1000002")
	}
	return nil
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

func checkName(name string, needed bool) error {
	switch {
	case name == "" && needed:
		return errors.New("missing: with more than one, each needs a name for its callback's path")
	case name != "" && !nameForm.MatchString(name):
		return fmt.Errorf("%q: want at most 32 of a-z 0-9 _ -", name)
	}
	return nil
}

// checkOrigin accepts "" and origins without path; the scheme without TLS only for this machine itself.
func checkOrigin(raw, secure, plain string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "":
		return fmt.Errorf("want an origin without path, such as %s://host", secure)
	case u.Scheme == secure, u.Scheme == plain && apihttp.Loopback(u.Host):
		return nil
	default:
		return fmt.Errorf("want %s:// (%s:// only to this machine itself)", secure, plain)
	}
}

// aesKey decodes an EncodingAESKey: 43 characters of base64 are the 32 bytes of the AES key.
func aesKey(encoded bot.Secret) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(encoded.Reveal() + "=")
	if err != nil || len(encoded) != 43 || len(key) != 32 {
		return nil, errors.New("want the 43 letters and digits of EncodingAESKey")
	}
	return key, nil
}
