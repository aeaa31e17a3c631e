package main

import (
	"errors"
	"log/slog"
	"strings"

	"github.com/redis/go-redis/v9"

	"weeklybot/adapters/dingtalk"
	"weeklybot/adapters/feishu"
	"weeklybot/adapters/slack"
	"weeklybot/adapters/terminal"
	"weeklybot/adapters/webhook"
	"weeklybot/adapters/wecom"
	"weeklybot/bot"
)

// deps is what adapters are made with.
type deps struct {
	log       *slog.Logger
	redis     redis.UniversalClient // what replicas share; nil for one-shot commands, and with the store inside the process
	prefix    string
	tally     bot.Tally         // nil for one-shot commands
	terminal  *terminal.Adapter // nil outside serve
	publicURL string            // where platforms reach the bot
}

// platform is one row of the table below.
type platform struct {
	name   string
	kinds  []bot.Kind // kinds that can be sent to; the first is the default of a declared channel
	faults func(*Config) []error
	make   func(*Config, deps) (bot.Adapter, error)
	// target makes a channel from a webhook's URL or key; nil: the platform has none.
	target func(spec string, secret bot.Secret) (bot.Channel, error)
	// tools describes the platform's own subcommands; "" = it has none.
	tools string
	// trust lets the host of a URL that the operator typed be called.
	trust func(c *Config, host string)
}

// platforms is every chat platform the bot knows. Adding one is one new folder and one row here.
var platforms = []platform{
	{
		name: slack.Name, kinds: []bot.Kind{slack.KindWebhook, slack.KindApp}, target: slack.Target,
		faults: func(c *Config) []error { return c.Adapters.Slack.Validate() },
		make: func(c *Config, d deps) (bot.Adapter, error) {
			return made(slack.New(c.Adapters.Slack, slack.Deps{Log: d.log, Redis: d.redis, RedisPrefix: d.prefix, PublicURL: d.publicURL}))
		},
		tools: "Tools for Slack: the manifest to create the app from.",
		trust: func(c *Config, host string) {
			c.Adapters.Slack.TrustedHosts = append(c.Adapters.Slack.TrustedHosts, host)
		},
	},
	{
		name: wecom.Name, kinds: []bot.Kind{wecom.KindWebhook, wecom.KindApp, wecom.KindAppChat, wecom.KindAIBot}, target: wecom.Target,
		tools:  "Set up WeCom (企业微信): what is there, and what is missing.",
		faults: func(c *Config) []error { return c.Adapters.Wecom.Validate() },
		make: func(c *Config, d deps) (bot.Adapter, error) {
			return made(wecom.New(c.Adapters.Wecom, wecom.Deps{Log: d.log, Redis: d.redis, RedisPrefix: d.prefix, PublicURL: d.publicURL}))
		},
		trust: func(c *Config, host string) {
			c.Adapters.Wecom.TrustedHosts = append(c.Adapters.Wecom.TrustedHosts, host)
		},
	},
	{
		name: dingtalk.Name, kinds: []bot.Kind{dingtalk.KindWebhook, dingtalk.KindApp}, target: dingtalk.Target,
		faults: func(c *Config) []error { return c.Adapters.Dingtalk.Validate() },
		make: func(c *Config, d deps) (bot.Adapter, error) {
			return made(dingtalk.New(c.Adapters.Dingtalk, dingtalk.Deps{Log: d.log, Tally: d.tally}))
		},
		trust: func(c *Config, host string) {
			c.Adapters.Dingtalk.TrustedHosts = append(c.Adapters.Dingtalk.TrustedHosts, host)
		},
	},
	{
		name: feishu.Name, kinds: []bot.Kind{feishu.KindWebhook, feishu.KindApp}, target: feishu.Target,
		faults: func(c *Config) []error { return c.Adapters.Feishu.Validate() },
		make: func(c *Config, d deps) (bot.Adapter, error) {
			return made(feishu.New(c.Adapters.Feishu, feishu.Deps{Log: d.log}))
		},
		trust: func(c *Config, host string) {
			c.Adapters.Feishu.TrustedHosts = append(c.Adapters.Feishu.TrustedHosts, host)
		},
	},
	{
		name: string(webhook.Webhook), kinds: []bot.Kind{webhook.Webhook}, target: webhook.Target,
		faults: func(c *Config) []error { return c.Adapters.Webhook.Validate() },
		make: func(c *Config, _ deps) (bot.Adapter, error) {
			return made(webhook.New(c.Adapters.Webhook, webhook.Deps{}))
		},
		trust: func(c *Config, host string) {
			c.Adapters.Webhook.TrustedHosts = append(c.Adapters.Webhook.TrustedHosts, host)
		},
	},
	{
		name: terminal.Channel().Adapter, kinds: []bot.Kind{terminal.Channel().Kind},
		faults: func(*Config) []error { return nil },
		make: func(_ *Config, d deps) (bot.Adapter, error) {
			if d.terminal == nil {
				return nil, errors.New("the terminal exists only while the bot runs in one")
			}
			return d.terminal, nil
		},
	},
}

// made turns a constructor's result into the interface, a nil pointer into nil.
func made[A bot.Adapter](a A, err error) (bot.Adapter, error) {
	if err != nil {
		return nil, err
	}
	return a, nil
}

func platformNamed(name string) *platform {
	for i := range platforms {
		if platforms[i].name == name {
			return &platforms[i]
		}
	}
	return nil
}

// webhookPlatforms names the platforms that have webhooks: those that preview and send know.
func webhookPlatforms() (names []string) {
	for _, p := range platforms {
		if p.target != nil {
			names = append(names, p.name)
		}
	}
	return names
}

// targetForms is what send --to may be: "slack-webhook:URL, …".
func targetForms() string {
	var forms []string
	for _, name := range webhookPlatforms() {
		forms = append(forms, strings.TrimPrefix(name+"-webhook:URL", "webhook-"))
	}
	return strings.Join(forms, ", ")
}

func platformNames() []string {
	var names []string
	for _, p := range platforms {
		names = append(names, p.name)
	}
	return names
}
