package wecom

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"weeklybot/bot"
)

var _ bot.Toolbox = (*Adapter)(nil)

// Tools implements bot.Toolbox.
func (a *Adapter) Tools() []bot.Tool {
	return []bot.Tool{
		{Name: "doctor", Help: "Say which door into WeCom (企业微信) gives what, what is set up, and what is missing.", Run: a.doctor},
		{Name: "menu", Help: "Give the apps a menu: hot, latest, topics, subscriptions, help. zh (default) or en.", Run: a.setMenu},
		{Name: "appchat", Help: "Make a group that the app alone can post to: NAME OWNER MEMBER…, by userid.", Run: a.makeChat},
	}
}

// doctor prints what an administrator has to know and do. It posts nothing, and connects as no bot.
func (a *Adapter) doctor(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 {
		return errors.New("doctor takes no arguments")
	}
	p := &paper{out: out}
	p.line("%s", doors)
	a.adviseRobots(p)
	a.adviseApps(ctx, p)
	a.adviseBots(ctx, p)
	if !strings.HasPrefix(a.deps.PublicURL, "https://") {
		p.line("\nCallbacks 接收消息 need public_url in config.yaml, an https address that WeCom reaches. Mode socket and webhooks need none.")
	}
	return p.err
}

// doors is section 0 of the platform's manual, for people.
const doors = `Doors into WeCom 企业微信
  door                           posts to        hears /hot in a group   hears 1:1   needs
  group robot 消息推送 (webhook)  one group       no                      no          its webhook URL
  self-built app 自建应用 (app)   members         no                      yes         corp ID, AgentId, Secret
  app's own group (appchat)      groups it made  no                      no          the same, visible to the root department
  AI bot 智能机器人 (aibot)       groups, members yes, when @-mentioned    yes         Bot ID, Secret (长连接)

A team that types @bot /subscribe in its group needs the AI bot. A group robot is enough to receive.`

// paper keeps the first error of many lines.
type paper struct {
	out io.Writer
	err error
}

func (p *paper) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", args...)
	}
}

func (p *paper) tried(c bot.Checked) {
	if c.Err != nil {
		p.line("  FAILED  %s: %v", c.What, c.Err)
		return
	}
	p.line("  ok      %s", c.What)
}

func (p *paper) missing(ok bool, what string) {
	mark := "ok      "
	if !ok {
		mark = "missing "
	}
	p.line("  %s%s", mark, what)
}

func (a *Adapter) adviseRobots(p *paper) {
	p.line("\nGroup robots 消息推送")
	p.line("  In the group: 群设置 > 消息推送 > 添加, copy the Webhook address, keep it secret.")
	p.line("  In config.yaml: channels: [{name: team, platform: wecom, kind: webhook, url_file: wecom.url}]")
	p.line("  Try it: weeklybot send --to wecom-webhook:@wecom.url content/samples")
}

func (a *Adapter) adviseApps(ctx context.Context, p *paper) {
	p.line("\nSelf-built apps 自建应用: %d configured", len(a.tokens))
	if len(a.tokens) == 0 {
		p.line("  Admin console 管理后台 > 应用管理 > 自建 > 创建应用: AgentId and Secret; 我的企业 > 企业ID: corp_id. Put them into adapters.wecom.apps.")
	}
	for k, t := range a.tokens {
		p.tried(bot.Checked{What: fmt.Sprintf("adapters.wecom.apps[%d] %s: access token", k, t.app), Err: t.check(ctx)})
		p.missing(t.app.Token != "", "接收消息 > 设置API接收: token and encoding_aes_key here, URL "+a.callbackURL("callback", t.app.Name)+" there")
		if t.app.Token != "" {
			p.line("  next    weeklybot wecom menu gives the app a menu of commands")
		}
		p.line("  check   企业可信IP holds this machine's address; 可见范围 holds everybody who subscribes")
		p.line("  note    administrators of the bot: admins: [\"wecom:%s/USERID\"]", a.workspace(t.app))
	}
}

func (a *Adapter) adviseBots(ctx context.Context, p *paper) {
	p.line("\nAI bots 智能机器人: %d configured", len(a.bots))
	if len(a.bots) == 0 {
		p.line("  Admin console 管理后台 > 安全与管理 > 管理工具 > 智能机器人 > 创建 > API模式 > 使用长连接: Bot ID and Secret.")
		p.line("  In config.yaml: aibots: [{name: weekly, shown_name: the name members @, bot_id: …, secret_file: wecom-bot.secret}]")
	}
	for _, b := range a.bots {
		p.tried(a.checkBot(ctx, b))
		p.missing(b.ShownName != "", "shown_name: what members type behind the @; without it a name with spaces is not always told from the command")
		if b.socket() {
			p.line("  check   no other program connects with this Bot ID: WeCom allows one connection")
		} else {
			p.missing(false, "mode callback cannot push digests: subscribe a group robot for the same group, or use mode: socket (使用长连接)")
			p.line("  check   接收消息 URL there is %s", a.callbackURL("aibot", b.Name))
		}
		p.line("  check   可使用的成员 holds the members, and the bot is in the group (群设置 > 群机器人; internal groups 内部群 only)")
		p.line("  check   somebody has @-mentioned the bot once in each group: before that WeCom refuses posts there (93006)")
		p.line("  note    administrators of the bot: admins: [\"wecom:%s/USERID\"]", cmp.Or(b.workspace(), "BOTID"))
	}
}

func (a *Adapter) callbackURL(door, name string) string {
	return strings.TrimSuffix(cmp.Or(a.deps.PublicURL, "https://YOUR-HOST"), "/") + "/wecom/" + door + strings.TrimSuffix("/"+name, "/")
}
