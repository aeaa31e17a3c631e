package parse

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// bylineWords begin the line that names an author.
var bylineWords = []string{"by", "作者", "译者", "译", "文/", "撰文", "via"}

// maxName is how long the name of an author may be, in code points.
const maxName = 40

// byline reads an author named at the start of what follows a title.
func byline(runs []run) string {
	if !mayBeByline(runs) {
		return ""
	}
	rest := textFrom(runs)
	rest, _, _ = strings.Cut(strings.TrimLeft(rest, " \n"), "\n")
	rest = cut(squeeze(rest), maxFollows)
	rest = strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(rest, "("), "（"), " ")
	for _, word := range bylineWords {
		if len(rest) < len(word) || !strings.EqualFold(rest[:len(word)], word) {
			continue
		}
		name := strings.TrimLeft(rest[len(word):], " ")
		if r, size := utf8.DecodeRuneInString(name); r == ':' || r == '：' || r == '|' {
			name = strings.TrimLeft(name[size:], " ")
		}
		name = strings.TrimSpace(name[:nameLen(name)])
		if n := utf8.RuneCountInString(name); n >= 2 && n <= maxName && width(name) <= 5 {
			return name
		}
		return ""
	}
	return ""
}

// mayBeByline is a quick look at the first character that is no blank.
func mayBeByline(runs []run) bool {
	for k := range runs {
		if text := strings.TrimLeftFunc(runs[k].text, isBlankOrInvisible); text != "" {
			first, _ := utf8.DecodeRuneInString(text)
			return strings.ContainsRune("bBvV(（作译文撰", first)
		}
	}
	return false
}

// nameLen is how long the name is that s begins with: up to a mark, a full stop that ends a sentence, or a dash with a blank in front.
func nameLen(s string) int {
	for k, r := range s {
		switch r {
		case ',', '，', '。', ';', '；', ')', '）', '|', '｜':
			return k
		case '(', '（', '\n':
			return 0
		case '.':
			if k+1 == len(s) || s[k+1] == ' ' {
				return k
			}
		case '-', '–', '—':
			if k > 0 && s[k-1] == ' ' {
				return k
			}
		}
	}
	return len(s)
}

var authorTailRE = regexp.MustCompile(`(?i)[,，；;\s]\s*(?:by|作者|译者?|文)\s*[:：]?\s*([^,，。；;]{2,30})$`)

// authorWords are what authorTailRE looks for.
var authorWords = []string{"by", "By", "BY", "作者", "译", "文"}

// authorTail finds the author at the end of a title, and where the words begin that name him; at is 0 when there is none.
func authorTail(title string) (at int, name string) {
	if !slices.ContainsFunc(authorWords, func(w string) bool { return strings.Contains(title, w) }) {
		return 0, ""
	}
	last := max(0, strings.LastIndexFunc(title, nameEnds.has)) // no name goes beyond one of these
	m := authorTailRE.FindStringSubmatchIndex(title[last:])
	if m == nil {
		return 0, ""
	}
	return last + m[0], strings.TrimSpace(title[last+m[2] : last+m[3]])
}
