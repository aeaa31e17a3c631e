package feishu

import (
	"time"

	"weeklybot/bot"
)

// The ways into Feishu.
const (
	// KindWebhook is a custom bot 自定义机器人: it only sends, to one group; any member adds it.
	KindWebhook bot.Kind = "webhook"
	// KindApp is the bot of a self-built app 企业自建应用: it hears and sends, in groups and to single people.
	KindApp bot.Kind = "app"
)

// Sizes of a post, in UTF-8 bytes of the whole request body (a Chinese character takes 3). The pages say KB; we read 1000 bytes.
const (
	// maxWebhookBytes is the most of a custom bot's request, 20 KB.
	// Source: open.feishu.cn, 自定义机器人使用指南 (ucTM5YjL3ETO24yNxkjN), read 2026-11.
	maxWebhookBytes = 20_000
	// maxMessageBytes is the most of an app's request with a card, 30 KB; more is 230025.
	// Source: open.feishu.cn, im-v1/message/create, read 2026-11.
	maxMessageBytes = 30_000
	// fillMessageBytes is what an app's request is filled up to, our own choice: the same page warns that the platform counts more than
	// was sent where a card has styles.
	fillMessageBytes = 25_000
	// signatureBytes is room for "timestamp" and "sign" in a custom bot's request, which are added at the last moment.
	signatureBytes = 100
	// maxElements is the most elements of one card, each object with a tag counted: 200.
	// Source: open.feishu.cn, card-json-v2-structure, read 2026-11.
	maxElements = 200
	// maxUUIDRunes is the longest uuid of a message, in characters. Source: im-v1/message/create, read 2026-11.
	maxUUIDRunes = 50
)

// Texts that Split cannot cut are shortened to these: code points.
const (
	maxNoticeRunes   = 100 // the line in the list of chats, our own choice
	maxHeadingRunes  = 300 // our own choice; clients show four lines
	maxLinkTextRunes = 200 // our own choice
	maxButtonRunes   = 100 // Source: open.feishu.cn, card-json-v2-components, button, read 2026-11
)

// maxURLBytes is the longest link written as one, in bytes after escaping, our own choice: several have to fit one post. The title of an
// item with a longer one stays, without the link.
const maxURLBytes = 2000

// maxButtons is the most buttons of one card, our own choice. Further links stand in the text.
const maxButtons = 10

// Times.
const (
	// webhookGap keeps a custom bot at 90 posts a minute. The platform allows 100 a minute and 5 a second.
	// Source: open.feishu.cn, 自定义机器人使用指南, read 2026-11.
	webhookGap = time.Minute / 90
	// chatGap keeps an app at 4 messages a second to one chat. The platform allows 5, shared by all bots of a group.
	// Source: open.feishu.cn, im-v1/message/create, read 2026-11.
	chatGap = time.Second / 4
	// appGap keeps an app at 1000 calls of one API a minute; 50 a second are allowed besides.
	// Source: open.feishu.cn, 频控策略 (uUzN04SN3QjL1cDN), read 2026-11.
	appGap = time.Minute / 1000
	// hookBlock is how long a custom bot waits when it was too fast: the longer of its two windows.
	hookBlock = time.Minute
	// chatBlock and appBlock are the windows of the limits per chat and per app, where the platform names no time of its own.
	chatBlock = time.Second
	appBlock  = time.Second
	// maxReset is the longest wait that x-ogw-ratelimit-reset is believed, our own choice.
	maxReset = time.Hour
	// maxSkew is the age at which a signed event is no longer good, our own choice; the platform names it for our own signatures.
	maxSkew = time.Hour
	// commandWithin is the longest that one command may take, its answer included. Our own choice.
	commandWithin = 30 * time.Second
	// eventWithin: an event that is not answered within 3 s is pushed again.
	// Source: open.feishu.cn, 使用长连接接收事件 and 将事件发送至开发者服务器, read 2026-11.
	eventWithin = 2 * time.Second
	// socketAgain is the wait before a connection that was refused for good is tried again, our own choice.
	socketAgain = time.Minute
	// socketGrace is for commands that are running when Listen ends. Our own choice.
	socketGrace = 5 * time.Second
)

// maxAnswerBytes is the most that is read of an answer: it repeats the message.
const maxAnswerBytes = 256 << 10

// maxHandlers is how many events of the long connection are worked on at once. More are refused, and pushed again.
const maxHandlers = 256

// capabilities is the table of all kinds. The uuid of an app's message is remembered for an hour.
var capabilities = map[bot.Kind]bot.Capabilities{
	KindWebhook: {MaxBytes: maxWebhookBytes, MaxBlocks: maxElements, MinGap: webhookGap, Markdown: true},
	KindApp:     {MaxBytes: maxMessageBytes, MaxBlocks: maxElements, MinGap: chatGap, WorkspaceGap: appGap, WorkspaceWindow: time.Minute, Markdown: true, Idempotent: true},
}
