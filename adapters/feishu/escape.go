package feishu

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// escapes are HTML entities for all that acts in a card's Markdown, as the platform's page asks for. A card takes all of CommonMark and some
// HTML. Source: open.feishu.cn, card-json-v2-components, rich-text, 特殊字符转义说明, read 2026-11.
var escapes = strings.NewReplacer("*", "&#42;", "~", "&#126;", "_", "&#95;", "[", "&#91;", "]", "&#93;", "<", "&#60;", ">", "&#62;",
	"#", "&#35;", "`", "&#96;", `\`, "&#92;", "|", "&#124;", "$", "&#36;", "!", "&#33;")

var (
	// webAddress is what clients may turn into a link by themselves.
	webAddress = regexp.MustCompile(`(?i)https?://[^\s<>"'，。；：、（）【】《》“”\p{Han}]+`)
	// mention begins a tag that notifies or shows somebody. As an entity it would be harmless; its bracket becomes a full-width one, for
	// fear of a client that decodes too early.
	mention = regexp.MustCompile(`(?i)<(\s*/?\s*(?:at|person)\b)`)
	entity  = regexp.MustCompile(`&(#|[A-Za-z])`)
	// entityInURL would be decoded within a link.
	entityInURL = regexp.MustCompile(`&(#?[A-Za-z0-9]+;)`)
	// emoji is the beginning of a name such as :OK:.
	emoji = regexp.MustCompile(`:([A-Za-z0-9_])`)
	// otherScheme is an address that acts when clicked: lark:// opens apps.
	otherScheme = regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*)://`)
	// marker is what makes a line a list, a rule or an underline of a heading, with its one acting character.
	marker = regexp.MustCompile(`^(?:([-+])|[0-9]{1,9}([.)])|(=))`)
)

var markerEscapes = map[byte]string{'-': "&#45;", '+': "&#43;", '.': "&#46;", ')': "&#41;", '=': "&#61;"}

// plain is foreign text as one line for places without markup.
func plain(s string) string { return withoutMentions(apihttp.CleanText(s)) }

func withoutMentions(s string) string {
	if !strings.Contains(s, "<") {
		return s
	}
	return mention.ReplaceAllString(s, "＜$1")
}

// plainLine is foreign text as one line that means nothing to a card but itself, also within a link.
func plainLine(s string) string { return neutralMarker(neutralWords(plain(s))) }

// plainLines is foreign text line by line; "" is a line between paragraphs. Bare addresses in it are links.
func plainLines(s string) []string {
	s = withoutMentions(apihttp.CleanLines(s))
	if s == "" {
		return nil
	}
	lines := strings.Split(s, "\n")
	for k := range lines {
		lines[k] = neutral(lines[k])
	}
	return lines
}

// neutral escapes a line. A bare address becomes a link that shows itself: escaped it would lead elsewhere.
func neutral(line string) string {
	if !strings.Contains(line, "://") {
		return neutralMarker(neutralWords(line))
	}
	var b strings.Builder
	at := 0
	for _, loc := range webAddress.FindAllStringIndex(line, -1) {
		if target := linkTarget(line[loc[0]:loc[1]]); target != "" {
			b.WriteString(neutralWords(line[at:loc[0]]) + anchor("", target))
			at = loc[1]
		}
	}
	b.WriteString(neutralWords(line[at:]))
	return neutralMarker(b.String())
}

func neutralWords(s string) string {
	if strings.Contains(s, "&") {
		s = entity.ReplaceAllString(s, "&#38;$1")
	}
	if strings.Contains(s, ":") {
		s = otherScheme.ReplaceAllString(s, "$1&#58;//")
		s = emoji.ReplaceAllString(s, "&#58;$1")
	}
	return protectEntities(s)
}

// protectEntities escapes s, in which our own entities stand already.
func protectEntities(s string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "&#")
		b.WriteString(escapes.Replace(before))
		if !found {
			return b.String()
		}
		b.WriteString("&#")
		s = after
	}
}

// neutralMarker takes away the meaning of a line's beginning.
func neutralMarker(line string) string {
	m := marker.FindStringSubmatchIndex(line)
	for k := 2; k < len(m); k += 2 {
		if m[k] >= 0 {
			return line[:m[k]] + markerEscapes[line[m[k]]] + line[m[k+1]:]
		}
	}
	return line
}

// linkTarget is raw as the address of a link, "" when it is none that may be offered: http and https only.
func linkTarget(raw string) string {
	clean := apihttp.CleanURL(raw, maxURLBytes)
	if scheme, _, _ := strings.Cut(clean, ":"); !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return ""
	}
	if clean = entityInURL.ReplaceAllString(clean, "%26$1"); len(clean) > maxURLBytes {
		return ""
	}
	return clean
}

// linked is text as a link to raw, or text alone when raw is no address to offer.
func linked(text, raw string) string { return anchor(text, linkTarget(raw)) }

// anchor is text as a link to target, which linkTarget has given.
func anchor(text, target string) string {
	switch {
	case target == "":
		return text
	case text == "":
		text = neutralWords(target)
	}
	return "[" + text + "](" + target + ")"
}

// shortened is s in at most limit code points, cut at a word, with an ellipsis.
func shortened(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	head, _, _ := bot.CutText(s, func(t string) bool { return utf8.RuneCountInString(t) < limit })
	return head + "…"
}
