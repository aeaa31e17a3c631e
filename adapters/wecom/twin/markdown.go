package twin

import (
	"html/template"
	"regexp"
	"strings"
)

// Seen is what a reader of a post gets.
type Seen struct {
	Text     string   // plain text, a line a line
	Links    []string // targets in order
	Mentions []string // user IDs that are pinged
	HTML     template.HTML
}

// Read shows text as WeCom's client does for that msgtype: "markdown_v2" knows lists, rules, italics, code blocks and three levels of
// quotes; "markdown" knows headings, bold, links, one quote, <font color> and <@userid>; what a dialect lacks is shown as typed. All
// else is plain text.
func Read(msgtype, text string) Seen {
	r := &reader{v1: msgtype == "markdown", v2: msgtype == "markdown_v2"}
	for line := range strings.Lines(text) {
		r.line(strings.TrimRight(line, "\r\n"))
	}
	return r.seen()
}

func (r *reader) seen() Seen {
	return Seen{strings.TrimSuffix(r.text.String(), "\n"), r.links, r.mentions, template.HTML(r.html.String())}
}

type reader struct {
	v1, v2   bool
	fenced   bool
	html     strings.Builder
	text     strings.Builder
	links    []string
	mentions []string
}

var (
	headingLine = regexp.MustCompile(`^(#{1,6}) (.*)$`)
	quoteLine   = regexp.MustCompile(`^((?:> ?){1,3})(.*)$`)
	itemLine    = regexp.MustCompile(`^( *)([-*+]|\d{1,9}\.) (.*)$`)
	ruleLine    = regexp.MustCompile(`^(-{3,}|\*{3,}|_{3,})\s*$`)
	fenceLine   = regexp.MustCompile("^(```|~~~)")
)

func (r *reader) line(s string) {
	markdown := r.v1 || r.v2
	switch {
	case r.v2 && fenceLine.MatchString(s):
		r.fenced = !r.fenced
	case r.fenced:
		r.block("pre", s, false)
	case !markdown:
		r.block("line", s, false)
	case headingLine.MatchString(s):
		m := headingLine.FindStringSubmatch(s)
		r.block("h h"+string(rune('0'+len(m[1]))), m[2], true)
	case r.v2 && ruleLine.MatchString(s):
		r.html.WriteString("<hr>")
		r.text.WriteString("\n")
	case quoteLine.MatchString(s):
		m := quoteLine.FindStringSubmatch(s)
		r.block("q q"+string(rune('0'+r.depth(m[1]))), m[2], true)
	case r.v2 && itemLine.MatchString(s):
		m := itemLine.FindStringSubmatch(s)
		mark := m[2]
		if len(mark) == 1 {
			mark = "•"
		}
		r.open("li i"+string(rune('0'+min(len(m[1])/2, 4))), mark+" ")
		r.inline(m[3])
		r.close()
	case r.v2 && strings.HasPrefix(s, "  "):
		indent := len(s) - len(strings.TrimLeft(s, " "))
		r.block("more i"+string(rune('0'+min(indent/2, 4))), strings.TrimSpace(s), true)
	default:
		r.block("line", s, true)
	}
}

func (r *reader) depth(marks string) int {
	if r.v1 {
		return 1
	}
	return strings.Count(marks, ">")
}

func (r *reader) block(class, s string, inline bool) {
	r.open(class, "")
	if inline {
		r.inline(s)
	} else {
		r.plain(s)
	}
	r.close()
}

func (r *reader) open(class, mark string) {
	r.html.WriteString(`<div class="` + class + `">`)
	r.plain(mark)
}

func (r *reader) close() {
	r.html.WriteString("</div>\n")
	r.text.WriteString("\n")
}

func (r *reader) plain(s string) {
	r.html.WriteString(template.HTMLEscapeString(s))
	r.text.WriteString(s)
}

// inlines are the constructs within a line, tried in order at each place.
var inlines = []struct {
	kind   string
	v1, v2 bool
	form   *regexp.Regexp
}{
	{"code", true, true, regexp.MustCompile("^`([^`]+)`")},
	{"image", false, true, regexp.MustCompile(`^!\[([^\]]*)\]\(([^()\s]+)\)`)},
	{"link", true, true, regexp.MustCompile(`^\[([^\]]*)\]\(([^()\s]+)\)`)},
	{"bold", true, true, regexp.MustCompile(`^\*\*(\S(?:.*?\S)?)\*\*`)},
	{"italic", false, true, regexp.MustCompile(`^\*([^\s*](?:[^*]*[^\s*])?)\*`)},
	{"font", true, false, regexp.MustCompile(`^<font color="?(info|comment|warning)"?>(.*?)</font>`)},
	{"mention", true, false, regexp.MustCompile(`^<@([^<>\s]+)>`)},
}

func (r *reader) show(kind string, m []string) {
	switch kind {
	case "code":
		r.wrap("<code>", "</code>", func() { r.plain(m[1]) })
	case "image":
		r.link(m[2], "🖼 "+m[1])
	case "link":
		r.link(m[2], m[1])
	case "bold":
		r.wrap("<b>", "</b>", func() { r.inline(m[1]) })
	case "italic":
		r.wrap("<i>", "</i>", func() { r.inline(m[1]) })
	case "font":
		r.wrap(`<span class="`+m[1]+`">`, "</span>", func() { r.inline(m[2]) })
	case "mention":
		r.mentions = append(r.mentions, m[1])
		r.wrap(`<span class="at">`, "</span>", func() { r.plain("@" + m[1]) })
	}
}

func (r *reader) inline(s string) {
	for s != "" {
		skip := strings.IndexAny(s, "`![*<")
		if skip != 0 {
			if skip < 0 {
				skip = len(s)
			}
			r.plain(s[:skip])
			s = s[skip:]
			continue
		}
		n := r.construct(s)
		if n == 0 {
			n = 1
			r.plain(s[:1])
		}
		s = s[n:]
	}
}

// construct shows the construct that s begins with and returns its length, 0 when there is none.
func (r *reader) construct(s string) int {
	for _, c := range inlines {
		if !(r.v1 && c.v1 || r.v2 && c.v2) {
			continue
		}
		if m := c.form.FindStringSubmatch(s); m != nil {
			r.show(c.kind, m)
			return len(m[0])
		}
	}
	return 0
}

func (r *reader) wrap(before, after string, show func()) {
	r.html.WriteString(before)
	show()
	r.html.WriteString(after)
}

func (r *reader) link(to, label string) {
	r.links = append(r.links, to)
	r.wrap(`<a rel="noreferrer" href="`+template.HTMLEscapeString(safeHref(to))+`">`, "</a>", func() { r.plain(label) })
}

// safeHref keeps the page from running anything.
func safeHref(to string) string {
	if strings.HasPrefix(to, "https://") || strings.HasPrefix(to, "http://") {
		return to
	}
	return "#"
}
