package dingtalk

import (
	"time"

	"weeklybot/bot"
)

// The ways into DingTalk.
const (
	// KindWebhook is a custom group robot 自定义机器人: it only sends, to one group, also in groups with people from outside.
	KindWebhook bot.Kind = "webhook"
	// KindApp is the robot of an internal app 企业机器人: it hears and sends, in groups of its own organisation and to single people.
	KindApp bot.Kind = "app"
)

// Sizes of a post, in UTF-8 bytes of the final JSON (a Chinese character takes 3).
const (
	// maxWebhookBytes is the most the whole body of a webhook call may hold; one more is errcode 460101. Not in the official pages.
	// Source: github.com/feiyu563/PrometheusAlert issue 318, timonwong/prometheus-webhook-dingtalk issue 30, read 2026-11.
	maxWebhookBytes = 20000
	// maxParamBytes is the most msgParam, itself a string of JSON, may hold.
	// Source: open.dingtalk.com, the-robot-sends-a-group-message (2025-10-21), read 2026-11.
	maxParamBytes = 15000
	// fillBytes is what one post is filled up to, our own choice. Long messages have been reported to vanish or to fall back to plain
	// text on some clients (github.com/DingTalk-Real-AI/dingtalk-workspace-cli issue 1034, QwenPaw issue 3742, read 2026-11), while
	// every post counts against the monthly quota: 12000 bytes are 4000 Chinese characters, a usual digest in one piece.
	fillBytes = 12000
)

// Texts that Split cannot cut are shortened to these, our own choice: code points.
const (
	maxNoticeRunes   = 100 // the push notice and the line in the list of chats; it shows about 30
	maxHeadingRunes  = 300
	maxLinkTextRunes = 200
	maxButtonRunes   = 100 // a link with more words is no button but a line of the text
)

// maxURLBytes is the longest link written as one, in bytes after escaping, our own choice: several have to fit one post. The title
// of an item with a longer one stays, without the link.
const maxURLBytes = 2000

// maxButtons is the most buttons of one card: sampleActionCard5 has five. Further links stand in the text.
// Source: open.dingtalk.com, robot-message-type, read 2026-11.
const maxButtons = 5

// Times.
const (
	// webhookGap keeps a group robot at 18 posts a minute. The platform allows 20, then blocks the robot for ten minutes.
	// Source: open.dingtalk.com, custom-robots-send-group-messages, read 2026-11.
	webhookGap = time.Minute / 18
	// appGap keeps an app at 16 calls of one API a second: the platform allows 20, and counts them when they arrive. At 18 a busy machine met the limit.
	// Source: open.dingtalk.com, how-to-process-api-throttling, read 2026-11.
	appGap = time.Second / 16
	// addressGap keeps one address at 10000 requests in 20 s. Source: open.dingtalk.com, call-frequency-limit, read 2026-11.
	addressGap = 20 * time.Second / 10_000
	// robotBlock is how long a group robot is blocked after too many posts (same page).
	robotBlock = 10 * time.Minute
	// addressBlock is how long our address is blocked after 10000 requests in 20 s.
	// Source: open.dingtalk.com, call-frequency-limit, read 2026-11.
	addressBlock = 5 * time.Minute
	// secondBlock and minuteBlock: the windows of the app's own limits, 20 requests a second and API.
	// Source: open.dingtalk.com, how-to-process-api-throttling, read 2026-11.
	secondBlock = time.Second
	minuteBlock = time.Minute
	// maxSkew is the age at which a signed timestamp, theirs or ours, is no longer good.
	// Source: open.dingtalk.com, customize-robot-security-settings and robot-message-type, read 2026-11.
	maxSkew = time.Hour
	// answerWithin is how long a member's message may wait for the HTTP answer: the platform gives up after 2.5 s.
	// Source: open.dingtalk.com, appendix-b-proposals-for-rational-use-of-resources, read 2026-11.
	answerWithin = 2 * time.Second
	// commandWithin is the longest that one command may take, its late answer included. Our own choice.
	commandWithin = 30 * time.Second
	// sessionMargin is how long before its end a sessionWebhook is no longer used. Our own choice.
	sessionMargin = 30 * time.Second
)

// maxAnswerBytes is the most that is read of an answer.
const maxAnswerBytes = 64 << 10

// capabilities is the table of all kinds.
var capabilities = map[bot.Kind]bot.Capabilities{
	KindWebhook: {MaxBytes: maxWebhookBytes, MinGap: webhookGap, TotalGap: addressGap, Markdown: true, Idempotent: true},
	KindApp:     {MaxBytes: maxParamBytes, WorkspaceGap: appGap, TotalGap: addressGap, Markdown: true},
}
