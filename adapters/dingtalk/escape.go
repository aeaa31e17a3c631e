package dingtalk

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Backslash escapes are not promised by the platform, and HTML entities are shown as they are by some clients. So what could act as
// markup becomes its full-width twin, which reads the same: brackets (links, and emoticons such as [OK]), angle brackets (HTML), @.
var twins = strings.NewReplacer("[", "［", "]", "］", "<", "＜", ">", "＞", "@", "＠", "`", "｀", "~", "～", "|", "｜", "*", "＊", `\`, "＼")

var (
	// webAddress is what clients turn into a link by themselves. It keeps its characters, percent-encoded where they act as markup.
	webAddress = regexp.MustCompile(`(?i)https?://[^\s<>"'，。；：、（）【】《》“”\p{Han}]+`)
	// otherScheme is an address that acts when clicked: dtmd:// makes the reader send a message, dingtalk:// opens apps.
	otherScheme = regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*)://`)
	entity      = regexp.MustCompile(`&(#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);`)
	// marker is what makes a line a list, a rule or an underline of a heading, with its one acting character.
	marker = regexp.MustCompile(`^(?:([-+])(?:[-+ ]|$)|[0-9]{1,9}([.)])(?: |$)|(=))`)
)

var markerTwins = map[byte]string{'-': "－", '+': "＋", '.': "．", ')': "）", '=': "＝"}

// webAddressEscapes are characters of a bare address that a client could take for markup or a mention.
var webAddressEscapes = strings.NewReplacer("[", "%5B", "]", "%5D", "|", "%7C", "@", "%40", "*", "%2A", "`", "%60", "~", "%7E", `\`, "%5C")

// plainLine is foreign text as one line that means nothing to the client but itself.
func plainLine(s string) string { return neutral(apihttp.CleanText(s)) }

// plainLines is foreign text line by line; "" is a line between paragraphs.
func plainLines(s string) []string {
	s = apihttp.CleanLines(s)
	if s == "" {
		return nil
	}
	lines := strings.Split(s, "\n")
	for k := range lines {
		lines[k] = neutral(lines[k])
	}
	return lines
}

func neutral(line string) string {
	if !strings.Contains(line, "://") { // nearly always: the pattern costs more than all the rest
		return neutralMarker(neutralWords(line))
	}
	var b strings.Builder
	at := 0
	for _, loc := range webAddress.FindAllStringIndex(line, -1) {
		b.WriteString(neutralWords(line[at:loc[0]]))
		b.WriteString(neutralUnderscores(webAddressEscapes.Replace(line[loc[0]:loc[1]]), "%5F"))
		at = loc[1]
	}
	b.WriteString(neutralWords(line[at:]))
	return neutralMarker(b.String())
}

func neutralWords(s string) string {
	if strings.Contains(s, "&") {
		s = entity.ReplaceAllString(s, "＆$1;")
	}
	if strings.Contains(s, "://") {
		s = otherScheme.ReplaceAllString(s, "$1：//")
	}
	s = twins.Replace(s)
	return neutralHashes(neutralUnderscores(s, "＿"))
}

// neutralUnderscores replaces those that could open or close emphasis: all that do not stand inside a word.
func neutralUnderscores(s, by string) string {
	return replaceLoose(s, '_', by, func(before, after rune) bool { return !wordRune(before) || !wordRune(after) })
}

// neutralHashes replaces those that stand alone, as at the end of a heading; C# and #42 keep theirs.
func neutralHashes(s string) string {
	return replaceLoose(s, '#', "＃", func(before, after rune) bool { return before == 0 || !wordRune(before) && !wordRune(after) })
}

// replaceLoose replaces each c for whose neighbours (0 = end of s) loose holds.
func replaceLoose(s string, c byte, by string, loose func(before, after rune) bool) string {
	if strings.IndexByte(s, c) < 0 {
		return s
	}
	var b strings.Builder
	for k := 0; k < len(s); k++ {
		if s[k] != c {
			b.WriteByte(s[k])
			continue
		}
		before, n := utf8.DecodeLastRuneInString(s[:k])
		if n == 0 {
			before = 0
		}
		after, n := utf8.DecodeRuneInString(s[k+1:])
		if n == 0 {
			after = 0
		}
		if loose(before, after) {
			b.WriteString(by)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func wordRune(r rune) bool {
	return r != 0 && r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// neutralMarker takes away the meaning of a line's beginning.
func neutralMarker(line string) string {
	if line == "" || !strings.ContainsRune("-+=0123456789", rune(line[0])) {
		return line
	}
	m := marker.FindStringSubmatchIndex(line)
	if m == nil {
		return line
	}
	for k := 2; k < len(m); k += 2 {
		if m[k] >= 0 {
			return line[:m[k]] + markerTwins[line[m[k]]] + line[m[k+1]:]
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
	clean = strings.ReplaceAll(clean, "@", "%40") // it has no user name: this @ could only mention somebody
	if len(clean) > maxURLBytes {
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
		text = neutral(target)
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
