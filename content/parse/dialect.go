package parse

import (
	"regexp"
	"strings"
)

// dialects are other markup languages whose links and headings turn up in files that are called Markdown. Each is rewritten as Markdown where
// its sign is found; line ends stay where they are.
var dialects = []struct {
	sign    string
	from    *regexp.Regexp
	to      string
	heading *regexp.Regexp // one sign for each level, then a blank
}{
	{"[[http", regexp.MustCompile(`\[\[(https?://[^\]\s|]+)\]\[([^\]\n]+)\]\]`), "[$2](<$1>)", regexp.MustCompile(`(?m)^(\*{1,5}) +(\S)`)}, // Org
	{"[[http", regexp.MustCompile(`\[\[(https?://[^\]\s|]+)\|([^\]\n]+)\]\]`), "[$2](<$1>)", nil},                                          // DokuWiki
	{">`_", regexp.MustCompile(`(?m)^:([a-z]{3,20}):[ \t]+(\S)`), "$1: $2", nil},                                                           // a field list
	{">`_", regexp.MustCompile("`([^`<]+?)(\\s*)<(https?://[^>\\s]+)>`__?"), "[$1](<$3>)$2", nil},                                          // reStructuredText
	{"link:http", regexp.MustCompile(`link:(https?://[^\s\[\]]+)\[([^\]\n]+)\]`), "[$2](<$1>)", nil},                                       // AsciiDoc
	{"\n== ", regexp.MustCompile(`(^|[\s(])(https?://[^\s\[\]()]+)\[([^\]\n]+)\]`), "$1[$3](<$2>)", nil},                                   // AsciiDoc
	{"'''", regexp.MustCompile(`'''([^'\n]+)'''`), "**$1**", nil},
	{"[http", regexp.MustCompile(`(^|[^\]!])\[(https?://[^\s\]]+) ([^\]\[\n]+)\]([^(\[:]|$)`), "$1[$3](<$2>)$4", nil}, // MediaWiki
}

// linkSigns are what stands before the URLs of a text.
type linkSigns struct {
	wiki  bool // "[[", or "[" where the URL does not end with "]"
	named bool // "link:"
	torn  bool // "(", and no "]" before it
}

// linkSignsOf looks at all URLs of s at once: looking for each sign by itself takes several times as long.
func linkSignsOf(s string) (signs linkSigns) {
	for k := 0; ; k += len("://") {
		next := strings.Index(s[k:], "://")
		if next < 0 {
			return signs
		}
		k += next
		before := strings.TrimSuffix(strings.TrimSuffix(s[:k], "s"), "http")
		if before == "" || !strings.HasPrefix(s[len(before):], "http") {
			continue
		}
		switch before[len(before)-1] {
		case '[':
			signs.wiki = signs.wiki || strings.HasSuffix(before, "[[") || endsInBlank(s[k:])
		case ':':
			signs.named = signs.named || strings.HasSuffix(before, "link:")
		case '(':
			signs.torn = signs.torn || len(before) < 2 || before[len(before)-2] != ']'
		}
	}
}

// endsInBlank reports whether the URL of which rest is left ends with a blank, and not with a bracket.
func endsInBlank(rest string) bool {
	end := strings.IndexAny(rest, " ]\t\n")
	return end >= 0 && rest[end] == ' '
}

// fromDialects rewrites what body holds of other markup languages.
func fromDialects(body string, signs linkSigns) string {
	absent := "" // the sign that was looked for last, and not found
	for _, d := range dialects {
		if d.sign == absent || !signs.wiki && strings.HasSuffix(d.sign, "[http") || !signs.named && d.sign == "link:http" {
			continue
		}
		if !strings.Contains(body, d.sign) {
			absent = d.sign
			continue
		}
		rewritten := d.from.ReplaceAllString(body, d.to)
		if rewritten != body && d.heading != nil {
			rewritten = d.heading.ReplaceAllStringFunc(rewritten, func(line string) string {
				stars := strings.IndexByte(line, ' ')
				return strings.Repeat("#", stars+1) + line[stars:]
			})
		}
		body = rewritten
	}
	return body
}

var (
	noteRE     = regexp.MustCompile(`(?m)^\[(\d{1,3})\][ \t]+[^\n]*$`)
	noteMarkRE = regexp.MustCompile(`([^\s\[])\[(\d{1,3})\]([^(\[:]|$)`)
)

// linkNotes gives the numbers in the text, "title[1]", the links of the notes at the end, "[1] title: https://…", as exports of WeChat articles
// write them, and takes the notes out.
func linkNotes(s string) string {
	if !strings.Contains(s, "\n[1] ") {
		return s
	}
	links := map[string]string{}
	for _, m := range noteRE.FindAllStringSubmatch(s, -1) {
		if start, end := findURL(m[0]); end > 0 && !strings.Contains(m[0], "](") {
			links[m[1]] = m[0][start:end]
		}
	}
	used := map[string]bool{}
	text := noteMarkRE.ReplaceAllStringFunc(s, func(mark string) string {
		m := noteMarkRE.FindStringSubmatch(mark)
		url := links[m[2]]
		if url == "" {
			return mark
		}
		used[m[2]] = true
		return m[1] + "[![]()](<" + url + ">)" + m[3]
	})
	if len(used) == 0 {
		return s
	}
	return noteRE.ReplaceAllStringFunc(text, func(note string) string {
		if used[note[1:strings.IndexByte(note, ']')]] {
			return ""
		}
		return note
	})
}
