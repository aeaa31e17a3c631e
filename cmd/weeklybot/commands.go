package main

import (
	"log/slog"

	"github.com/alecthomas/kong"
)

// commands is the table of subcommands; each stands in a file of its own.
type commands struct {
	Config  string           `help:"Configuration file." default:"config.yaml" placeholder:"FILE" short:"c"`
	Verbose bool             `help:"Log what is done, not only what is amiss." short:"v"`
	Version kong.VersionFlag `help:"Print the version and exit."`

	Serve         serveCmd         `cmd:"" default:"withargs" help:"Run the bot: sources, schedules, chat platforms, web pages and, in a terminal, a prompt. The default."`
	Demo          demoCmd          `cmd:"" help:"Run the bot beside stand-ins of Slack, WeCom, DingTalk and Feishu: see everything without an account."`
	Parse         parseCmd         `cmd:"" help:"Show what the bot understands of newsletter files or folders."`
	Ask           askCmd           `cmd:"" help:"Answer one chat command and exit: weeklybot ask \"/hot ebpf\"."`
	Preview       previewCmd       `cmd:"" help:"Show the exact request bodies that a platform would get for an issue."`
	Send          sendCmd          `cmd:"" help:"Send one issue's digest to a webhook, once, without a store (for cron and CI)."`
	Check         checkCmd         `cmd:"" help:"Try the configuration, the store, every source and every credential; one line each."`
	Health        healthCmd        `cmd:"" help:"Exit 0 when the running bot can do its work (for containers)."`
	Subscriptions subscriptionsCmd `cmd:"" help:"Look after subscriptions, over the API of the running bot."`
	Deliveries    deliveriesCmd    `cmd:"" help:"Look after what did not arrive, over the API."`
	Broadcasts    broadcastsCmd    `cmd:"" help:"Send a message to many channels, over the API."`
	Schedules     schedulesCmd     `cmd:"" help:"What is planned, over the API."`
	Audit         auditCmd         `cmd:"" help:"Who changed what, over the API."`
	Status        statusCmd        `cmd:"" help:"How the bot is doing as a whole, over the API."`

	Export exportCmd `cmd:"" help:"Write the whole state to a file, as JSON Lines."`
	Import importCmd `cmd:"" help:"Read a state that export wrote into an empty store."`
}

// logger writes to stderr: warnings and errors always, the rest with --verbose or in serve.
func (c *commands) logger(s streams, level slog.Level) *slog.Logger {
	if c.Verbose {
		level = min(level, slog.LevelInfo)
	}
	return slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level}))
}

// settings is the configuration file, or the defaults where there is none: for commands that can do without.
func (c *commands) settings() (*Config, error) {
	if !exists(c.Config) && c.Config == "config.yaml" {
		return DefaultConfig(), nil
	}
	return LoadConfig(c.Config)
}
