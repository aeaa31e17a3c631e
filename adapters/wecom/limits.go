package wecom

import (
	"time"

	"weeklybot/bot"
)

// Limits of a post's text, in UTF-8 bytes of the decoded string, not of the JSON body (a Chinese character takes 3).
// WeCom refuses what is too long for a group robot (40058) and silently cuts what is too long for an app.
const (
	// maxWebhookBytes: developer.work.weixin.qq.com/document/path/91770, markdown and markdown_v2, read 2026-11.
	maxWebhookBytes = 4096
	// maxAppBytes: developer.work.weixin.qq.com/document/path/90236, markdown, read 2026-11. Passive text (90241) has the same limit.
	maxAppBytes = 2048
	// maxBotBytes: developer.work.weixin.qq.com/document/path/101138 and 101031, markdown and stream, read 2026-11.
	maxBotBytes = 20480

	// What a post is filled up to: the margin covers a count by WeCom that differs from ours in a line end or two.
	fillWebhookBytes = 4000
	fillAppBytes     = 2000
	fillBotBytes     = 20000

	// maxTitleBytes is the most one post's title may take: the rest of a longer one goes on as text. Our own choice.
	maxTitleBytes = 600
	// maxURLBytes is the longest link written as one, our own choice: the official limit is 2048 for a textcard (90236), and a
	// title with its link has to fit a 2000 byte post. A longer link becomes a remark, its title stays.
	maxURLBytes = 1024
)

// Gaps between two posts to one place.
const (
	// webhookGap: 20 messages a minute and robot (91770, read 2026-11), and a little air: the minute is WeCom's, not ours.
	webhookGap = 3500 * time.Millisecond
	// appGap: 30 messages a minute, app and member, the excess dropped without an error (访问频率限制, read 2026-11).
	appGap = 2100 * time.Millisecond
	// chatGap: 200 messages a minute and member, the excess dropped without an error (90248, read 2026-11).
	chatGap = 500 * time.Millisecond
	// addressGap: 20 000 calls of one API a minute from one address (访问频率限制, read 2026-11).
	addressGap = time.Minute / 20_000
	// botGap: 30 messages a minute and chat, answers included (101463, read 2026-11).
	botGap = 2100 * time.Millisecond
)

// rateBlock is the least to wait after 45009: a minute's limit lifts after a minute (90313, read 2026-11).
const rateBlock = time.Minute

// duplicateWindow is how long, in seconds, an app refuses to show the same content to the same receivers again: the most that
// duplicate_check_interval may be (90236, read 2026-11).
const duplicateWindow = 14400

// form is how the posts of one kind look.
type form struct {
	msgtype   string
	dialect   dialect
	fillBytes int
	image     imageWay
	headlines headlineForm
	caps      bot.Capabilities
}

// forms is the table of all kinds: of group robots in that dialect, of headlines in that form. An app chat knows no cards (90248, read
// 2026-11), the connection of an AI bot no news (101463, read 2026-11).
func forms(webhook dialect, headlines headlineForm) map[bot.Kind]form {
	onlyCard, onlyNews := headlines, headlines
	if headlines == headlineNews {
		onlyCard = headlineList
	}
	if headlines == headlineCard {
		onlyNews = headlineList
	}
	return map[bot.Kind]form{
		KindWebhook: {webhook.msgtype(), webhook, fillWebhookBytes, inlineImage, headlines, bot.Capabilities{MaxBytes: maxWebhookBytes, MinGap: webhookGap, TotalGap: addressGap, Markdown: true}},
		KindApp:     {markdownV1.msgtype(), markdownV1, fillAppBytes, mediaImage, headlines, bot.Capabilities{MaxBytes: maxAppBytes, MinGap: appGap, TotalGap: addressGap, Markdown: true, Idempotent: true}},
		KindAppChat: {markdownV1.msgtype(), markdownV1, fillAppBytes, mediaImage, onlyNews, bot.Capabilities{MaxBytes: maxAppBytes, MinGap: chatGap, TotalGap: addressGap, Markdown: true}},
		KindAIBot:   {markdownV1.msgtype(), markdownV2, fillBotBytes, socketImage, onlyCard, bot.Capabilities{MaxBytes: maxBotBytes, MinGap: botGap, Markdown: true}},
	}
}
