package wecom

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// dialect is one of WeCom's ways to write text. None has a documented escape character, so what a newsletter or a member wrote is
// made harmless by look-alikes.
type dialect int

const (
	markdownV2 dialect = iota // markdown_v2 of robots, markdown of AI bots: lists, rules, tables, italics; no colours, no mentions
	markdownV1                // markdown of robots, apps and app chats: headings, bold, links, one quote, colours, <@userid>
	plainText                 // passive answers
)

func (d dialect) msgtype() string {
	switch d {
	case markdownV2:
		return "markdown_v2"
	case markdownV1:
		return "markdown"
	default:
		return "text"
	}
}

// title is the heading of a post; its text is already safe.
func (d dialect) title(text string) string {
	if d == plainText {
		return text
	}
	return "## " + text
}

// block is one layout element, "" when nothing of it can be shown.
func (d dialect) block(b bot.Block, lang string) string {
	switch b.Kind {
	case bot.BlockHeading:
		return d.heading(d.text(b.Text))
	case bot.BlockItem:
		return d.item(b, lang)
	case bot.BlockNote:
		return d.note(b, lang)
	case bot.BlockDivider:
		return d.divider()
	default: // text, links, and kinds that are not known here
		return joinNonEmpty("\n", d.itemTitle(b, lang), strings.Join(d.lines(b.Text), "\n"), d.links(b.Links, lang))
	}
}

func (d dialect) heading(text string) string {
	switch {
	case text == "":
		return ""
	case d == plainText:
		return "【" + text + "】"
	default:
		return "### " + text
	}
}

func (d dialect) divider() string {
	if d == markdownV2 {
		return "---"
	}
	return "────────" // the others would show three dashes
}

// item is a line for title and link, and the text below it: part of the list in v2, a quote in v1, which knows no lists.
func (d dialect) item(b bot.Block, lang string) string {
	level := min(max(b.Level, 0), 1)
	mark, below := "- ", "  "
	switch {
	case d == markdownV2 && level == 1:
		mark, below = "  - ", "    "
	case d == markdownV1 && level == 0:
		mark, below = "", "> "
	case d == markdownV1:
		mark, below = "◦ ", "> "
	case d == plainText:
		mark, below = []string{"· ", "　◦ "}[level], "　"
	}
	title, lines := d.itemTitle(b, lang), d.lines(b.Text)
	if title == "" && len(lines) > 0 {
		title, lines = lines[0], lines[1:]
	}
	if title == "" {
		return ""
	}
	for k, line := range lines {
		lines[k] = below + line
	}
	return strings.Join(append([]string{mark + title}, lines...), "\n")
}

func (d dialect) itemTitle(b bot.Block, lang string) string {
	title := b.Title
	if u, err := url.Parse(b.URL); title == "" && err == nil {
		title = u.Hostname()
	}
	return d.link(title, b.URL, lang)
}

func (d dialect) note(b bot.Block, lang string) string {
	lines := d.lines(b.Text)
	if links := d.links(b.Links, lang); links != "" {
		lines = append(lines, links)
	}
	for k := range lines {
		if d != plainText {
			lines[k] = "> " + lines[k]
		}
	}
	return strings.Join(lines, "\n")
}

func (d dialect) links(links []bot.Link, lang string) string {
	var out []string
	for _, l := range links {
		out = append(out, d.link(cutLabel(l.Text), l.URL, lang))
	}
	if d == plainText {
		return joinNonEmpty("\n", out...)
	}
	return joinNonEmpty(" · ", out...)
}

// maxLabelBytes is the most one reading link may be labelled with (Split cannot cut it); our own choice.
const maxLabelBytes = 200

func cutLabel(s string) string {
	if len(s) <= maxLabelBytes {
		return s
	}
	head, _, _ := bot.CutText(s, func(s string) bool { return len(s) <= maxLabelBytes })
	return head + "…"
}

// link is a text that leads somewhere, or only the text when the address cannot be a link here.
func (d dialect) link(text, address, lang string) string {
	label := d.text(text)
	to, long := linkURL(address)
	switch {
	case long:
		return strings.TrimSpace(label + tooLong(lang))
	case to == "":
		return label
	case d == plainText:
		return strings.TrimSpace(label + " " + to)
	case label == "":
		label = d.text(to)
	}
	return "[" + label + "](" + to + ")"
}

func tooLong(lang string) string {
	if lang == "en" {
		return " (its link is too long to show here)"
	}
	return "（链接过长，此处无法显示）"
}

// linkURL is the address as it can stand between the parentheses of a link, in ASCII behind the host; "" when it is no web address, or
// too long.
func linkURL(address string) (to string, long bool) {
	clean := apihttp.CleanURL(address, 0)
	scheme, rest, _ := strings.Cut(clean, "://")
	if scheme != "http" && scheme != "https" {
		return "", false
	}
	host := len(clean) - len(rest) + strings.IndexAny(rest+"/", "/?#")
	var out strings.Builder
	out.WriteString(clean[:host])
	for _, c := range []byte(clean[host:]) {
		if c < utf8.RuneSelf {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	if out.Len() > maxURLBytes {
		return "", true
	}
	return out.String(), false
}

// lookAlikes replace every character that any of the dialects gives a meaning to. The backslash is among them because WeCom refuses
// what looks like \u4e2d (40033).
var lookAlikes = strings.NewReplacer("<", "＜", ">", "＞", "[", "［", "]", "］", "|", "｜", "*", "＊", "`", "｀", "\\", "＼", "~~", "～～")

// entity would be "<" again in a client that decodes it.
var entity = regexp.MustCompile(`&(#?\w+;)`)

// text is s as one safe line, for a place that is not the start of a line.
func (d dialect) text(s string) string {
	s = apihttp.CleanText(s)
	if d == plainText {
		return strings.ReplaceAll(s, "<", "＜") // it would take <a href>
	}
	return loneUnderscores(entity.ReplaceAllString(lookAlikes.Replace(s), "＆$1"))
}

// line is s as one safe line of its own.
func (d dialect) line(s string) string {
	s = d.text(s)
	if d == plainText || s == "" {
		return s
	}
	if strings.Trim(s, "-=+ ") == "" { // a rule, or a heading of the line above
		return strings.NewReplacer("-", "－", "=", "＝", "+", "＋").Replace(s)
	}
	switch {
	case s[0] == '#':
		return "＃" + s[1:]
	case strings.HasPrefix(s, "- "), strings.HasPrefix(s, "+ "):
		return "• " + s[2:]
	default:
		return s
	}
}

// lines are the lines of s that hold anything, each safe.
func (d dialect) lines(s string) []string {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = d.line(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// loneUnderscores replaces the underscores that could begin or end emphasis; those within a word (kube_proxy) stay.
func loneUnderscores(s string) string {
	if !strings.Contains(s, "_") {
		return s
	}
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	var out strings.Builder
	for at, r := range s {
		before, _ := utf8.DecodeLastRuneInString(s[:at])
		after, _ := utf8.DecodeRuneInString(s[at+utf8.RuneLen(r):])
		if r == '_' && !(word(before) && word(after)) {
			r = '＿'
		}
		out.WriteRune(r)
	}
	return out.String()
}

func joinNonEmpty(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}
