package slack

import "time"

// Slack's limits, in code points unless a name says otherwise. Where Slack names none, what was measured by others stands here with
// a margin. Read 2026-11.
const (
	// maxTextObject is the most that a text object may hold, a section's text included. Source: docs.slack.dev, text object.
	maxTextObject = 3000
	// maxHeader is the most that the plain text of a header block may hold. Source: npm @slack/types 3.2.0, HeaderBlock.
	maxHeader = 150
	// maxContextElements is the most elements of a context block. Source: @slack/types 3.2.0.
	maxContextElements = 10
	// maxButtons is the most elements of an actions block. Source: @slack/types 3.2.0.
	maxButtons = 25
	// maxButtonText and maxButtonURL are the limits of a button. Source: @slack/types 3.2.0.
	maxButtonText = 75
	maxButtonURL  = 3000
	// maxButtonValue is the most that a button's value may hold; in bytes here, to be safe. Source: @slack/types 3.2.0.
	maxButtonValue = 2000
	// maxOverflow is the most options of an overflow menu. Source: nicklambourne/slackblocks spec/limits.json.
	maxOverflow = 5
	// maxViewBlocks, maxViewBytes and maxPrivateMetadata are the limits of a modal and of a Home tab. Source: docs.slack.dev, App Home and
	// views; slack-ruby/slack-api-ref methods/views (view_too_large).
	maxViewBlocks      = 100
	maxViewBytes       = 250_000
	maxPrivateMetadata = 3000
	// maxFallback is the most that Slack advises for the top-level text; it cuts above 40,000. Source: docs.slack.dev, chat.postMessage.
	maxFallback = 4000
	// maxMetadataBytes bounds the metadata as JSON. Slack has an error metadata_too_large and names no size: 1 KiB is never near it.
	maxMetadataBytes = 1 << 10
)

// What we allow ourselves of it.
const (
	// budgetTotal is for all text of all blocks together, links and escapes included. Slack refuses somewhere between 13,172 and 13,297
	// with msg_blocks_too_long and documents nothing. Source: slackapi/bolt-js issue 2509, metabase issue 79908.
	budgetTotal = 12_000
	// budgetBlocks leaves room for what clients add: Slack takes 50 in a message. Source: docs.slack.dev, block-kit ("no more than 50 items").
	budgetBlocks = 45
	// rowBlocks and rowTotal are for the row of our own buttons that may stand below all that.
	rowBlocks = 1
	rowTotal  = 100
	// budgetSection is how long a section grows when several short items share one.
	budgetSection = 2900
	// budgetURL is the longest link written into text, escapes included; a longer one cannot share a section with a readable title.
	budgetURL = 2600
	// budgetSummary is the length of the top-level text, which screen readers read in place of the blocks.
	budgetSummary = 1000
)

// minGap is Slack's pace for one channel: about one message a second, short bursts allowed. Source: docs.slack.dev, rate limits.
const minGap = time.Second

// workspaceGap keeps all posts of a workspace at 300 a minute. Slack takes "several hundred messages per minute". Source: docs.slack.dev,
// rate limits, read 2026-11.
const workspaceGap = time.Minute / 300

const (
	// maxResponses is how often one response_url may be used, and responseLife how long. Source: docs.slack.dev, handling user interaction.
	maxResponses = 5
	responseLife = 30 * time.Minute
	// ackWithin is how long a command may take before Slack is told to wait. Slack shows operation_timeout after 3 s.
	ackWithin = 2500 * time.Millisecond
	// commandLife ends a command that does not answer, long before its response_url dies.
	commandLife = 2 * time.Minute
	// triggerLife is how long a trigger_id opens a form. Source: docs.slack.dev, handling user interaction.
	triggerLife = 3 * time.Second
	// languageWithin is how long a form waits for the core to say in which language.
	languageWithin = 500 * time.Millisecond
	// maxSkew is how old or new a signed request may be. Source: docs.slack.dev, verifying requests from Slack.
	maxSkew = 300 * time.Second
)

const (
	// maxAPIAnswer bounds an answer of the Web API, in bytes: chat.postMessage returns the whole message, each character as \uXXXX.
	maxAPIAnswer = 1 << 20
	// maxHistoryAnswer bounds one page of conversations.history, in bytes.
	maxHistoryAnswer = 8 << 20
	// maxTextAnswer bounds the answer of a webhook or response_url, in bytes: "ok", or an error code.
	maxTextAnswer = 1 << 10
)
