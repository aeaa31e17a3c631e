package slack

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

func printed(t *testing.T, cfg Config, publicURL string, args ...string) (map[string]any, error) {
	t.Helper()
	a := newAdapter(t, cfg, Deps{PublicURL: publicURL})
	var out strings.Builder
	if err := a.Tools()[0].Run(t.Context(), args, &out); err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(out.String()), &m); err != nil {
		t.Fatalf("the manifest is no JSON: %v\n%s", err, out.String())
	}
	return m, nil
}

// at walks an object by keys: "settings/interactivity/request_url".
func at(v any, path string) any {
	for key := range strings.SplitSeq(path, "/") {
		object, _ := v.(map[string]any)
		v = object[key]
	}
	return v
}

func strs(v any) (all []string) {
	list, _ := v.([]any)
	for _, e := range list {
		all = append(all, e.(string))
	}
	return all
}

func TestManifest(t *testing.T) {
	m, err := printed(t, Config{}, "https://bot.example.com/")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"display_information/name":                         "weeklybot",
		"features/app_home/home_tab_enabled":               true,
		"features/app_home/messages_tab_enabled":           true,
		"features/bot_user/display_name":                   "weeklybot",
		"settings/event_subscriptions/request_url":         "https://bot.example.com/slack/events",
		"settings/interactivity/request_url":               "https://bot.example.com/slack/interactions",
		"settings/interactivity/message_menu_options_url":  "https://bot.example.com/slack/interactions",
		"settings/interactivity/is_enabled":                true,
		"settings/socket_mode_enabled":                     nil,
		"features/app_home/messages_tab_read_only_enabled": true,
	} {
		if got := at(m, path); got != want {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
	if got := strs(at(m, "oauth_config/scopes/bot")); !slices.Equal(got, []string{"app_mentions:read", "channels:read", "chat:write", "commands", "groups:read"}) {
		t.Errorf("scopes = %v", got)
	}
	events := strs(at(m, "settings/event_subscriptions/bot_events"))
	for _, want := range []string{"app_home_opened", "app_mention", "app_uninstalled", "tokens_revoked", "channel_archive", "channel_left", "channel_id_changed"} {
		if !slices.Contains(events, want) {
			t.Errorf("events lack %s: %v", want, events)
		}
	}
	if got := at(m, "oauth_config/redirect_urls"); got != nil {
		t.Errorf("redirect URLs %v without a client", got)
	}
	checkManifestRules(t, m)
	m, err = printed(t, Config{ClientID: "1.2", ClientSecret: "s", SigningSecret: testSecret}, "https://bot.example.com/")
	if got := strs(at(m, "oauth_config/redirect_urls")); err != nil || !slices.Equal(got, []string{"https://bot.example.com/slack/oauth/callback"}) {
		t.Errorf("redirect URLs %v, %v", got, err)
	}
}

// checkManifestRules are the rules of slackapi/manifest-schema 1.0.0 that concern us, written once more.
func checkManifestRules(t *testing.T, m map[string]any) {
	t.Helper()
	within := func(path string, most int) {
		text, _ := at(m, path).(string)
		if n := utf8.RuneCountInString(text); n == 0 || n > most {
			t.Errorf("%s is %d long, want 1 to %d", path, n, most)
		}
	}
	within("display_information/name", 35)
	within("display_information/description", 140)
	within("features/bot_user/display_name", 80)
	if name := at(m, "features/bot_user/display_name").(string); !regexp.MustCompile(`^[a-z0-9._-]+$`).MatchString(name) {
		t.Errorf("bot name %q", name)
	}
	commands, _ := at(m, "features/slash_commands").([]any)
	if len(commands) == 0 || len(commands) > 50 {
		t.Fatalf("%d slash commands", len(commands))
	}
	var names []string
	for _, c := range commands {
		c := c.(map[string]any)
		name, _ := c["command"].(string)
		names = append(names, name)
		if !strings.HasPrefix(name, "/") || len(name) > 32 || c["description"] == nil || c["usage_hint"] == "" {
			t.Errorf("slash command %v", c)
		}
		if url, ok := c["url"].(string); ok && url != "https://bot.example.com/slack/commands" {
			t.Errorf("URL of %s = %s", name, url)
		}
	}
	for _, want := range []string{"/weeklybot", "/hot", "/find", "/latest", "/subscribe", "/subscriptions"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s among %v", want, names)
		}
	}
	if slices.Contains(names, "/search") {
		t.Error("/search is Slack's own: the whole manifest would be refused")
	}
}

func TestManifestForSocketMode(t *testing.T) {
	for name, m := range map[string]func() (map[string]any, error){
		"by flag": func() (map[string]any, error) { return printed(t, Config{}, "", "--socket") },
		"by config": func() (map[string]any, error) {
			return printed(t, socketConfig("http://127.0.0.1:1"), "https://bot.example.com")
		},
	} {
		got, err := m()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if text, _ := json.Marshal(got); strings.Contains(string(text), "url\":") || at(got, "settings/socket_mode_enabled") != true {
			t.Errorf("%s: a manifest for Socket Mode has no URLs: %s", name, text)
		}
		checkManifestRules(t, got)
	}
}

func TestManifestSaysWhatToSet(t *testing.T) {
	for _, c := range []struct {
		url  string
		args []string
		want string
	}{
		{"", nil, "public_url is not set"},
		{"", nil, "--socket"},
		{"http://127.0.0.1:8080", nil, "public_url is not an https:// address"},
		{"https://bot.example.com/?a=1", nil, "public_url is not an https:// address"},
		{"https://bot.example.com", []string{"--sockets"}, "usage"},
		{"https://bot.example.com", []string{"x"}, "usage"},
		{"https://bot.example.com", []string{"--name", strings.Repeat("周", 36)}, "36 characters: want 1 to 35"},
		{"https://bot.example.com/" + strings.Repeat("a", 3000), nil, "is public_url right?"},
	} {
		if _, err := printed(t, Config{}, c.url, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("manifest %v with public_url %.40q: %v, want %q", c.args, c.url, err, c.want)
		}
	}
}

func TestValidateManifest(t *testing.T) {
	for name, change := range map[string]func(*slack.Manifest){
		"no name":          func(m *slack.Manifest) { m.Display.Name = "" },
		"long description": func(m *slack.Manifest) { m.Display.Description = strings.Repeat("a", 141) },
		"long bot name":    func(m *slack.Manifest) { m.Features.BotUser.DisplayName = strings.Repeat("a", 81) },
		"51 commands":      func(m *slack.Manifest) { m.Features.SlashCommands = make([]slack.ManifestSlashCommand, 51) },
		"built-in command": func(m *slack.Manifest) { m.Features.SlashCommands[1].Command = "/search" },
		"upper case":       func(m *slack.Manifest) { m.Features.SlashCommands[1].Command = "/Hot" },
		"twice":            func(m *slack.Manifest) { m.Features.SlashCommands[1].Command = "/find" },
		"long command":     func(m *slack.Manifest) { m.Features.SlashCommands[1].Command = "/" + strings.Repeat("a", 32) },
		"no description":   func(m *slack.Manifest) { m.Features.SlashCommands[1].Description = "" },
		"long hint":        func(m *slack.Manifest) { m.Features.SlashCommands[1].UsageHint = strings.Repeat("a", 1001) },
	} {
		m := manifest("weeklybot", "https://bot.example.com")
		if err := validateManifest(m); err != nil {
			t.Fatal(err)
		}
		if change(&m); validateManifest(m) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if name := botName("云原生 Weekly Bot!"); name != "weekly-bot" {
		t.Errorf("botName = %q", name)
	}
}
