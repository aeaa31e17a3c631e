package wecom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// A self-built app's menu: a click brings its key, which is a command. Source: 创建菜单, developer.work.weixin.qq.com/document/path/90231,
// read 2026-11: one to three buttons, below each up to five; names of 16 bytes.

type menuButton struct {
	Type string       `json:"type,omitempty"` // "click"; "" = a button that opens those below it
	Name string       `json:"name"`
	Key  string       `json:"key,omitempty"`
	Sub  []menuButton `json:"sub_button,omitempty"`
}

func menu(lang string) []menuButton {
	click := func(zh, en, command string) menuButton {
		return menuButton{Type: "click", Name: inLang(lang, zh, en), Key: command}
	}
	return []menuButton{
		click("热点", "Hot", "/hot"),
		click("最新一期", "Latest", "/latest"),
		{Name: inLang(lang, "更多", "More"), Sub: []menuButton{
			click("主题", "Topics", "/topics"),
			click("我的订阅", "Mine", "/subscriptions"),
			click("看看摘要", "Preview", "/preview"),
			click("帮助", "Help", "/help"),
		}},
	}
}

// setMenu is `weeklybot wecom menu [zh|en]`: it gives every app that hears its members the menu.
func (a *Adapter) setMenu(ctx context.Context, args []string, out io.Writer) error {
	lang := "zh"
	if len(args) == 1 && (args[0] == "zh" || args[0] == "en") {
		lang = args[0]
	} else if len(args) > 0 {
		return errors.New("menu takes the language of its buttons, zh or en")
	}
	body, err := encode(map[string]any{"button": menu(lang)})
	if err != nil {
		return err
	}
	p, heard := &paper{out: out}, false
	for _, t := range a.tokens {
		if t.app.Token == "" {
			p.line("  skipped %s: nobody would hear a click; set up 接收消息 first (weeklybot wecom doctor)", t.app)
			continue
		}
		heard = true
		_, fault := a.callAPI(ctx, t, "/cgi-bin/menu/create?agentid="+strconv.Itoa(t.app.AgentID)+"&", contentJSON, body)
		if fault != nil {
			return fmt.Errorf("set the menu of %s: %w", t.app, fault)
		}
		p.line("  ok      %s has the menu", t.app)
	}
	if !heard {
		return errors.New("no app hears its members: set token and encoding_aes_key in adapters.wecom.apps")
	}
	return p.err
}
