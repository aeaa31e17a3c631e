package command

import (
	"context"
	"slices"
	"strings"

	"weeklybot/bot"
	"weeklybot/bot/schedule"
)

// help lists the commands, or explains one.
func (r *Router) help(_ context.Context, c *call) (Answer, error) {
	if len(c.words) > 0 {
		cmd, typed, _ := r.grammar.named(c.words[0])
		if cmd == nil {
			return Answer{}, r.grammar.unknown(typed, c.rest, c.lang)
		}
		return Answer{Message: r.explain(c, cmd)}, nil
	}
	msg := bot.Message{Title: c.say("我读技术周刊，并按时把它们带到这里", "I read newsletters and bring them here on time")}
	var lines []string
	for _, cmd := range r.grammar.list {
		if slices.Contains(adminCommands, cmd.name) && !r.isAdmin(c.cmd) {
			continue
		}
		lines = append(lines, c.usage(cmd)+c.say("（"+cmd.chinese()+"）", "")+" — "+c.say(cmd.zh, cmd.en))
	}
	msg.Blocks = append(msg.Blocks, text(strings.Join(lines, "\n")),
		note(c.say("例如：/hot ebpf · /search 双栈 istio · /subscribe ebpf,wasm 每周一 9:00。命令也可以写中文：热点 ebpf。详细说明：/help subscribe",
			"For example: /hot ebpf · /search dual-stack istio · /subscribe ebpf,wasm Mon 09:00. More about one command: /help subscribe")))
	return Answer{Message: msg}, nil
}

// usage is a command's form in the reader's language.
func (c *call) usage(cmd *command) string {
	if c.lang == "en" {
		return cmd.usage
	}
	return chineseForm.Replace(cmd.usage)
}

// chineseForm puts the forms of commands into Chinese words that the grammar reads as well.
var chineseForm = strings.NewReplacer("from", "来自", "headlines|brief|full", "标题|简要|全文", "zh|en", "中文|英文", "max N", "最多 N", "|all", "|全部",
	"TOPICS", "主题", "TOPIC", "主题", "SERIES", "期刊", "SCHEDULE", "时间", "ZONE", "时区", "NUMBER", "期数",
	"DATE", "日期", "WHOM", "发给谁", "WHEN", "时间", "TEXT", "正文", "TOKEN", "确认码", "WORDS", "词", "WORD", "词", "COMMAND", "命令")

func (r *Router) explain(c *call, cmd *command) bot.Message {
	msg := bot.Message{Title: "/" + cmd.name, Blocks: []bot.Block{text(c.say(cmd.zh, cmd.en)), text(c.usage(cmd))}}
	if cmd.name == "subscribe" {
		msg.Blocks = append(msg.Blocks, text(schedule.Examples(c.lang)), text(subscribeExamples(c)))
	}
	if cmd.name == "broadcast" || cmd.name == "schedule" {
		msg.Blocks = append(msg.Blocks, text(broadcastExamples(c)))
	}
	msg.Blocks = append(msg.Blocks, note(c.say("也可以写：/", "Also: /")+strings.Join(cmd.aliases, " /")))
	return msg
}

func broadcastExamples(c *call) string {
	return c.say("发给谁：all（所有有订阅的频道），或 platform:slack,wecom workspace:T1 channel:here series:名字 topic:ebpf 中的几项，都要符合。可加 at:\"2026-12-24 09:00\"、zone:、title:、lang:，或用 issue:期刊 代替正文。\n/broadcast all 周五食堂停业\n/broadcast platform:slack topic:ebpf title:\"本周分享\" 周四下午三点，大会议室\n/schedule 每周一 9:00 all 本周值班表已更新\n/schedule \"2026-12-24 09:00\" all 节日快乐",
		"WHOM: all (every channel with a subscription), or some of platform:slack,wecom workspace:T1 channel:here series:NAME topic:ebpf, all of which must fit. Also at:\"2026-12-24 09:00\", zone:, title:, lang:, or issue:SERIES in place of a text.\n/broadcast all The canteen is closed on Friday\n/broadcast platform:slack topic:ebpf title:\"This week's talk\" Thursday at three, large room\n/schedule Mon 09:00 all The new rota is up\n/schedule \"2026-12-24 09:00\" all Season's greetings")
}

func subscribeExamples(c *call) string {
	return c.say("/subscribe 全部 每周一 9:00\n/subscribe ebpf,wasm 工作日 8:30 纽约 标题 最多 20\n/subscribe 全部 来自 cloud-native-weekly 发布时 全文",
		"/subscribe all Mon 09:00\n/subscribe ebpf,wasm weekdays 8:30 America/New_York headlines max 20\n/subscribe all from cloud-native-weekly on publish full")
}
