package wecom

import (
	"bytes"
	"strings"
	"testing"
)

func TestDoctor(t *testing.T) {
	g := newGroup(t, nil, nil)
	for _, c := range []struct {
		name   string
		change func(*Config, *Deps)
		want   []string
	}{
		{"nothing", func(c *Config, _ *Deps) { c.AIBots = nil }, []string{"自建应用: 0 configured", "智能机器人: 0 configured", "使用长连接", "管理后台", "need public_url"}},
		{"a bot", nil, []string{"ok      adapters.wecom.aibots[0] weekly (socket): the gateway answers", "ok      shown_name", `"wecom:weekly/USERID"`, "93006"}},
		{"nobody there", func(c *Config, _ *Deps) { c.AIBotURL = "ws://127.0.0.1:1" }, []string{"FAILED  adapters.wecom.aibots[0]", "refused"}},
		{"callback and app", func(c *Config, d *Deps) {
			c.AIBots = callbackConfig("").AIBots
			c.Apps, d.PublicURL = testConfig("").Apps, "https://bot.example.org"
			c.Apps[0].Token, c.Apps[0].EncodingAESKey, c.AIBots[0].ShownName = "", "", ""
		}, []string{"https://bot.example.org/wecom/aibot/weekly", "https://bot.example.org/wecom/callback/weekly", "missing 接收消息", "missing mode callback", "missing shown_name",
			"FAILED  adapters.wecom.apps[0] weekly (corp wwcontract, agent 1000002): access token", `"wecom:wwcontract/USERID"`}},
	} {
		var out bytes.Buffer
		if err := g.adapter(c.change).Tools()[0].Run(t.Context(), nil, &out); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: the doctor does not say %q:\n%s", c.name, want, out.String())
			}
		}
		for _, secret := range []string{testSecret, testBotSecret, testToken, testAESKey} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s: the doctor tells a secret", c.name)
			}
		}
	}
	if err := g.a.Tools()[0].Run(t.Context(), []string{"x"}, new(bytes.Buffer)); err == nil {
		t.Error("the doctor takes an argument that it has no use for")
	}
	if strings.Contains(g.log.String(), "the AI bot is connected") {
		t.Error("the doctor connected as the bot")
	}
}
