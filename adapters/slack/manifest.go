package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"weeklybot/bot"
)

// Tools are the subcommands below `weeklybot slack`.
func (a *Adapter) Tools() []bot.Tool {
	return []bot.Tool{{
		Name: "manifest", Help: "Print the manifest to create the Slack app from; --socket for an installation without a public address.",
		Run: a.printManifest,
	}}
}

func (a *Adapter) printManifest(_ context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("weeklybot slack manifest", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	socket := flags.Bool("socket", a.cfg.SocketMode, "Socket Mode: no public address")
	name := flags.String("name", "weeklybot", "the app's name as members see it")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return errors.New("usage: weeklybot slack manifest [--socket] [--name NAME]")
	}
	base := ""
	if !*socket {
		var err error
		if base, err = publicBase(a.publicURL); err != nil {
			return err
		}
	}
	m := manifest(*name, base)
	if a.cfg.ClientID != "" && base != "" {
		m.OAuthConfig.RedirectUrls = []string{base + callbackPath}
	}
	if err := validateManifest(m); err != nil {
		return err
	}
	body, err := encode(m)
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, body, "", "  "); err != nil {
		return err
	}
	indented.WriteByte('\n')
	_, err = indented.WriteTo(out)
	return err
}

// publicBase is where Slack reaches the bot, without a final slash.
func publicBase(raw string) (string, error) {
	const orSocket = "; or, without a public address: weeklybot slack manifest --socket"
	if raw == "" {
		return "", errors.New("public_url is not set: set it to the https:// address where Slack reaches this bot, https://bot.example.com" + orSocket)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("public_url is not an https:// address without query: Slack calls no other, https://bot.example.com" + orSocket)
	}
	return strings.TrimRight(raw, "/"), nil
}

// slashCommands are the commands that Slack completes. All others, and these too, stand behind /weeklybot. Slack refuses a manifest with
// the name of a built-in command, which /search, /topic and /status are: /find is the same as search.
var slashCommands = []slack.ManifestSlashCommand{
	{Command: "/weeklybot", Description: "所有命令 · All commands", UsageHint: "help | hot | search WORDS | subscribe …"},
	{Command: "/hot", Description: "热点话题 · What rises, or the hottest on a topic", UsageHint: "[topic]"},
	{Command: "/find", Description: "搜索全部期刊 · Search all issues", UsageHint: "words"},
	{Command: "/latest", Description: "最新一期 · The newest issue", UsageHint: "[series]"},
	{Command: "/issue", Description: "看某一期 · One issue, or the recent ones", UsageHint: "[series] [number | date]"},
	{Command: "/topics", Description: "有哪些主题 · Which topics there are", UsageHint: "[word]"},
	{Command: "/trend", Description: "主题走势 · How often a topic appears", UsageHint: "topic"},
	{Command: "/subscribe", Description: "订阅到本频道 · Bring digests to this channel", UsageHint: "[all Mon 09:00] (alone: a form)"},
	{Command: "/subscriptions", Description: "这里的订阅 · What is subscribed here"},
	{Command: "/unsubscribe", Description: "退订 · End a subscription", UsageHint: "#N | all"},
}

// Least privilege: no user token, no reading of messages but those that mention the bot.
var (
	scopes = []string{"app_mentions:read", "channels:read", "chat:write", "commands", "groups:read"}
	// optionalScopes may be refused at the install: history lets a lost answer be looked up, channels:join and chat:write.public post into public channels without an invitation,
	// files:write posts charts.
	optionalScopes = []string{"channels:history", "channels:join", "chat:write.public", "files:write", "groups:history"}
)

// manifest describes the app: base is the public address, "" for Socket Mode.
func manifest(name, base string) slack.Manifest {
	at := func(path string) string {
		if base == "" {
			return ""
		}
		return base + path
	}
	commands := slices.Clone(slashCommands)
	for k := range commands {
		commands[k].Url = at("/slack/commands")
	}
	events := slices.Clone(spokenEvents)
	for event := range eventKinds {
		events = append(events, event)
	}
	slices.Sort(events)
	return slack.Manifest{
		Metadata: slack.ManifestMetadata{MajorVersion: 1, MinorVersion: 1},
		Display: slack.Display{
			Name:            name,
			Description:     "每周技术周刊，按时送到频道 · Newsletters, searched and delivered on time",
			BackgroundColor: "#2c2d30",
		},
		Features: slack.Features{
			AppHome:       slack.AppHome{HomeTabEnabled: true, MessagesTabEnabled: true, MessagesTabReadOnlyEnabled: true},
			BotUser:       slack.BotUser{DisplayName: botName(name), AlwaysOnline: true},
			SlashCommands: commands,
		},
		OAuthConfig: slack.OAuthConfig{Scopes: slack.OAuthScopes{Bot: scopes, BotOptional: optionalScopes}},
		Settings: slack.Settings{
			EventSubscriptions: &slack.EventSubscriptions{RequestUrl: at("/slack/events"), BotEvents: events},
			Interactivity:      &slack.Interactivity{IsEnabled: true, RequestUrl: at("/slack/interactions"), MessageMenuOptionsUrl: at("/slack/interactions")},
			SocketModeEnabled:  base == "",
		},
	}
}

var notInBotName = regexp.MustCompile(`[^a-z0-9._-]+`)

// botName is a name as a bot user may have it.
func botName(name string) string {
	if name = strings.Trim(notInBotName.ReplaceAllString(strings.ToLower(name), "-"), "-."); name == "" {
		return "weeklybot"
	}
	return name
}

// Limits of a manifest, in code points. Source: docs.slack.dev, app manifest reference, and slackapi/manifest-schema, read 2026-11.
const (
	maxAppName        = 35
	maxAppDescription = 140
	maxBotName        = 80
	maxSlashCommands  = 50
	maxSlashName      = 32 // with the slash
	maxSlashText      = 2000
	maxSlashHint      = 1000
	maxRequestURL     = 3000
)

// builtIn are Slack's own slash commands: a manifest that names one is refused whole. Source: slack.com/help/articles/201259356, and
// what NousResearch/hermes-agent found refused, read 2026-11.
var builtIn = strings.Fields("/me /status /away /active /archive /dnd /shrug /remind /msg /dm /feed /who /invite /collapse /expand /leave /join " +
	"/open /search /topic /mute /pro /prefs /rename /remove /star /call /apps /keys /shortcuts")

var slashName = regexp.MustCompile(`^/[a-z0-9_-]+$`)

// validateManifest says why Slack would refuse m.
func validateManifest(m slack.Manifest) error {
	var faults []error
	within := func(what, text string, most int) {
		if n := runes(text); n == 0 || n > most {
			faults = append(faults, fmt.Errorf("%s has %d characters: want 1 to %d", what, n, most))
		}
	}
	within("the app's name", m.Display.Name, maxAppName)
	within("the app's description", m.Display.Description, maxAppDescription)
	within("the bot's name", m.Features.BotUser.DisplayName, maxBotName)
	if n := len(m.Features.SlashCommands); n > maxSlashCommands {
		faults = append(faults, fmt.Errorf("%d slash commands: want at most %d", n, maxSlashCommands))
	}
	seen := map[string]bool{}
	for _, c := range m.Features.SlashCommands {
		within("slash command "+c.Command, c.Command, maxSlashName)
		within("the description of "+c.Command, c.Description, maxSlashText)
		if !slashName.MatchString(c.Command) || slices.Contains(builtIn, c.Command) || seen[c.Command] {
			faults = append(faults, fmt.Errorf("slash command %q: is not a name, is Slack's own, or is there twice", c.Command))
		}
		seen[c.Command] = true
		if runes(c.UsageHint) > maxSlashHint || len(c.Url) > maxRequestURL {
			faults = append(faults, fmt.Errorf("slash command %s: hint or URL is too long; is public_url right?", c.Command))
		}
	}
	return errors.Join(faults...)
}
