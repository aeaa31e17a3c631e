package wecom

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConfigFaults(t *testing.T) {
	app := App{CorpID: "ww1", AgentID: 1000002, Secret: "s"}
	with := func(change func(*App)) Config {
		a := app
		change(&a)
		return Config{Apps: []App{a}}
	}
	for _, c := range []struct {
		name string
		cfg  Config
		want []string // beginnings of the faults
	}{
		{"nothing", Config{}, nil},
		{"one app", Config{Apps: []App{app}}, nil},
		{"no secret", with(func(a *App) { a.Secret = "" }), []string{"adapters.wecom.apps[0].secret: missing"}},
		{"empty app", Config{Apps: []App{{}}}, []string{"adapters.wecom.apps[0].corp_id: missing", "adapters.wecom.apps[0].agent_id: missing", "adapters.wecom.apps[0].secret: missing"}},
		{"token without key", with(func(a *App) { a.Token = "t" }), []string{"adapters.wecom.apps[0].encoding_aes_key: missing"}},
		{"key without token", with(func(a *App) { a.EncodingAESKey = testAESKey }), []string{"adapters.wecom.apps[0].token: missing"}},
		{"short key", with(func(a *App) { a.Token, a.EncodingAESKey = "t", "abc" }), []string{"adapters.wecom.apps[0].encoding_aes_key: want the 43"}},
		{"key with a line end", with(func(a *App) { a.Token, a.EncodingAESKey = "t", testAESKey+"\n" }), []string{"adapters.wecom.apps[0].encoding_aes_key: want the 43"}},
		{"bad name", with(func(a *App) { a.Name = "a/b" }), []string{"adapters.wecom.apps[0].name: "}},
		{"two apps without names", Config{Apps: []App{app, {CorpID: "ww1", AgentID: 2, Secret: "s"}}},
			[]string{"adapters.wecom.apps[0].name: missing", "adapters.wecom.apps[1].name: missing", "adapters.wecom.apps[1]: has the same name"}},
		{"one app twice", Config{Apps: []App{{Name: "a", CorpID: "ww1", AgentID: 2, Secret: "s"}, {Name: "b", CorpID: "ww1", AgentID: 2, Secret: "s"}}},
			[]string{"adapters.wecom.apps[1]: has the same ww1 and agent_id 2 as apps[0]"}},
		{"socket bot", Config{AIBots: []AIBot{{BotID: "b", Secret: "s"}}}, nil},
		{"half a socket bot", Config{AIBots: []AIBot{{BotID: "b", Mode: "socket"}}}, []string{"adapters.wecom.aibots[0].secret: missing"}},
		{"half a callback bot", Config{AIBots: []AIBot{{Mode: "callback", EncodingAESKey: testAESKey}}}, []string{"adapters.wecom.aibots[0].token: missing", "adapters.wecom.aibots[0].token: missing"}},
		{"bad mode", Config{AIBots: []AIBot{{Mode: "x"}}}, []string{"adapters.wecom.aibots[0].mode: "}},
		{"origins", Config{APIURL: "http://127.0.0.1:1/", AIBotURL: "ws://localhost:2"}, nil},
		{"plain http", Config{APIURL: "http://example.org"}, []string{"adapters.wecom.api_url: want https"}},
		{"a path", Config{APIURL: "https://example.org/cgi-bin/"}, []string{"adapters.wecom.api_url: want an origin"}},
		{"wrong scheme", Config{AIBotURL: "https://example.org"}, []string{"adapters.wecom.aibot_url: want wss"}},
		{"max_age", Config{MaxAge: -time.Second}, []string{"adapters.wecom.max_age: "}},
		{"dialect", Config{WebhookMarkdown: "v3"}, []string{"adapters.wecom.webhook_markdown: "}},
	} {
		var got []string
		for _, fault := range c.cfg.Validate() {
			got = append(got, fault.Error())
		}
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s: Validate = %q, want %q", c.name, got, c.want)
		}
		if _, newErr := New(c.cfg, Deps{}); (newErr == nil) != (len(got) == 0) {
			t.Errorf("%s: New = %v, Validate = %q", c.name, newErr, got)
		}
	}
}

func TestConfigHidesSecrets(t *testing.T) {
	cfg := testConfig("")
	cfg.AIBots = []AIBot{{BotID: "b", Secret: testSecret, Token: testToken, EncodingAESKey: testAESKey}}
	asJSON, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(asJSON), fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg)} {
		for _, secret := range []string{testSecret, testToken, testAESKey} {
			if strings.Contains(text, secret) {
				t.Errorf("%q holds a secret", text)
			}
		}
	}
}

func TestEnabled(t *testing.T) {
	if (Config{APIURL: "https://example.org"}).Enabled() || !testConfig("").Enabled() {
		t.Error("Enabled: want it with an app, and not without")
	}
}
