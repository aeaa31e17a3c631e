package slack

import (
	"strings"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// summary is the top-level text: what a notification shows and a screen reader reads. It begins with the title, unless the notice does.
func summary(msg bot.Message, label string) string {
	title, notice := clip(apihttp.CleanText(msg.Title), maxLabel), clip(apihttp.CleanText(msg.Notice), maxLabel)
	if strings.HasPrefix(notice, title) {
		title, notice = notice, ""
	}
	b := brief{}
	more := b.add(strings.TrimSpace(title+" "+label)) && b.add(notice)
	for k := 0; more && k < len(msg.Blocks); k++ {
		if block := msg.Blocks[k]; block.Title != "" {
			more = b.add("• " + block.Title)
		} else {
			more = b.add(block.Text)
		}
	}
	if b.length > 0 {
		return b.text.String()
	}
	if msg.Lang == "zh" {
		return "这里没有内容。"
	}
	return "There is nothing to show."
}

// maxLineBytes is how much of a text is looked at for one line of the summary.
const maxLineBytes = 8 * maxLabel

// brief is text that ends when it is long enough.
type brief struct {
	text   strings.Builder
	length int
}

// add is false once there is no room.
func (b *brief) add(line string) bool {
	if len(line) > maxLineBytes {
		line = strings.ToValidUTF8(line[:maxLineBytes], "")
	}
	line = escape(clip(apihttp.CleanText(line), maxLabel))
	n := runes(line)
	switch {
	case n == 0:
		return true
	case b.length > 0 && b.length+1+n > budgetSummary:
		b.text.WriteString("\n…")
		return false
	case b.length > 0:
		b.text.WriteByte('\n')
	}
	b.text.WriteString(line)
	b.length += 1 + n
	return true
}
