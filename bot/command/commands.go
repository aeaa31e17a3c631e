package command

import (
	"context"
	"slices"
)

// command is one thing that members can ask for.
type command struct {
	name    string
	aliases []string // the first Chinese one is shown in Chinese help
	usage   string
	zh, en  string // what it does, in one line
	run     func(*Router, context.Context, *call) (Answer, error)
}

// grammar knows the commands by their names.
type grammar struct {
	list   []*command // in the order in which help shows them
	byName map[string]*command
}

// newGrammar is a function and no variable, because the commands refer back to it.
func newGrammar() *grammar {
	g := &grammar{byName: make(map[string]*command), list: []*command{
		{"hot", []string{"热点", "热门", "trending"}, "/hot [TOPIC]", "热点话题；带主题则列出该主题的热门内容", "what rises; with a topic, its hottest items", (*Router).hot},
		{"search", []string{"搜索", "查找", "搜", "find"}, "/search WORDS", "搜索全部期刊", "search all issues", (*Router).search},
		{"latest", []string{"最新", "最新一期"}, "/latest [SERIES]", "最新一期", "the newest issue", (*Router).latest},
		{"issue", []string{"期", "期刊", "往期", "issues"}, "/issue [SERIES] [NUMBER|DATE]", "看某一期；不带参数列出最近各期", "one issue; alone, the recent ones", (*Router).issue},
		{"topics", []string{"主题", "话题", "topic"}, "/topics [WORD]", "有哪些主题", "which topics there are", (*Router).topics},
		{"trend", []string{"趋势", "走势"}, "/trend TOPIC", "某主题每周出现的次数", "how often a topic appears, week by week", (*Router).trend},
		{"subscribe", []string{"订阅", "sub"}, subscribeUsage, "把摘要按时送到这里", "bring digests here on time", (*Router).subscribe},
		{"subscriptions", []string{"我的订阅", "订阅列表", "subs"}, "/subscriptions", "这里有哪些订阅", "what is subscribed here", (*Router).subscriptions},
		{"preview", []string{"预览"}, "/preview [#N | TOPICS SCHEDULE …]", "看看下一次会收到什么；或先看看某个订阅会带来什么", "what the next digest will be; or what a subscription would bring first", (*Router).preview},
		{"pause", []string{"暂停"}, "/pause #N|all", "暂停订阅", "pause a subscription", (*Router).pause},
		{"resume", []string{"恢复", "继续"}, "/resume #N|all", "恢复订阅", "resume a subscription", (*Router).resume},
		{"unsubscribe", []string{"退订", "取消订阅", "unsub"}, "/unsubscribe #N|all", "退订", "end a subscription", (*Router).unsubscribe},
		{"lang", []string{"语言", "language"}, "/lang zh|en", "这里的订阅和回答用哪种语言", "the language of digests and answers here", (*Router).setLang},
		{"more", []string{"更多", "下一页"}, "/more", "上一个回答的下一页", "the next page of the last answer", (*Router).more},
		{"why", []string{"为什么", "为何"}, "/why N|#N", "上一个回答的第 N 条为什么在那里；#N：订阅 N 的情况", "why item N of the last answer is there; #N: how subscription N is doing", (*Router).why},
		{"broadcast", []string{"群发", "广播"}, broadcastUsage, "群发消息（管理员）", "send a message to many channels (administrators)", (*Router).broadcast},
		{"schedule", []string{"排期", "定时群发"}, "/schedule [WHEN WHOM TEXT]", "接下来会发什么；定时群发（管理员）", "what is planned; a broadcast for a time (administrators)", (*Router).schedules},
		{"deliveries", []string{"投递", "未送达"}, "/deliveries [retry|drop|show ID]", "没有送达的，以及原因（管理员）", "what did not arrive, and why (administrators)", (*Router).deliveries},
		{"recall", []string{"撤回"}, "/recall ID", "撤回一次群发（管理员）", "take a broadcast back (administrators)", (*Router).recall},
		{"status", []string{"状态"}, "/status", "机器人的状况（管理员）", "how the bot is doing (administrators)", (*Router).status},
		{"help", []string{"帮助", "命令", "?"}, "/help [COMMAND]", "本页", "this page", (*Router).help},
	}}
	for _, c := range g.list {
		for _, name := range append(c.aliases, c.name) {
			g.byName[name] = c
		}
	}
	return g
}

// adminCommands are those that only administrators may use.
var adminCommands = []string{"broadcast", "schedule", "deliveries", "recall", "status"}

const broadcastUsage = "/broadcast WHOM TEXT | confirm ID TOKEN | cancel ID | report ID | list"

const subscribeUsage = "/subscribe TOPICS|all [from SERIES,…] SCHEDULE [ZONE] [headlines|brief|full] [zh|en] [max N] [quiet HH:MM-HH:MM] [holidays skip|next]"

// names are the words that a mistyped command is compared with: those of the reader's language first.
func (g *grammar) names(lang string) []string {
	var names []string
	for _, c := range g.list {
		names = append(names, c.name)
		names = append(names, c.aliases...)
	}
	slices.SortStableFunc(names, func(a, b string) int {
		switch {
		case hasHan(a) == hasHan(b):
			return 0
		case hasHan(a) == (lang == "zh"):
			return -1
		default:
			return 1
		}
	})
	return names
}

// chinese is a command's Chinese name.
func (c *command) chinese() string {
	for _, a := range c.aliases {
		if hasHan(a) {
			return a
		}
	}
	return c.name
}
