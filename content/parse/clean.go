package parse

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"weeklybot/content"
)

const (
	// maxBytes is the most of one file that is read; newsletters have 1 kB to 100 kB.
	maxBytes = 8 << 20
	// maxNesting is how many quote and list markers one line may begin with. Goldmark's cost grows with their square.
	maxNesting = 12
	// maxIndent is how many columns a line may be indented; more changes nothing but the cost.
	maxIndent = 48
	// maxReferences is how many link definitions may stand together without a blank line; goldmark's cost grows with their square.
	maxReferences = 40
	// maxColumns is how many columns a table may have. Goldmark pads each row to the width of the head.
	maxColumns = 50
	// maxShortcode is how long, in bytes, a template tag may be.
	maxShortcode = 2000
)

// toText makes valid UTF-8 with "\n" line ends of data.
func toText(data []byte) (string, []content.Warning) {
	var warnings []content.Warning
	if len(data) > maxBytes {
		cut := data[:maxBytes]
		if k := bytes.LastIndexByte(cut, '\n'); k > 0 {
			cut = cut[:k+1]
		}
		data = cut
		warnings = append(warnings, content.Warning{Line: bytes.Count(data, []byte{'\n'}) + 1,
			Text: fmt.Sprintf("file is larger than %d MiB: the rest is left out", maxBytes>>20)})
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	s := string(data)
	if strings.IndexByte(s, '\r') >= 0 {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	}
	if !validUTF8(s) {
		warnings = append(warnings, content.Warning{Line: invalidLine(s), Text: "not UTF-8: what could not be read became U+FFFD"})
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	return strings.ReplaceAll(s, "\x00", "\ufffd"), warnings
}

// validUTF8 is utf8.ValidString, which takes three times as long for Chinese text.
func validUTF8(s string) bool {
	for k := 0; k < len(s); {
		for k+2 < len(s) && s[k] >= 0xe4 && s[k] <= 0xe9 && s[k+1]&0xc0 == 0x80 && s[k+2]&0xc0 == 0x80 { // a Han character
			k += 3
		}
		switch {
		case k >= len(s):
		case s[k] < utf8.RuneSelf:
			if k++; k%wordLen == 0 {
				for k+wordLen <= len(s) && isASCII(s[k:]) {
					k += wordLen
				}
			}
		default:
			r, size := utf8.DecodeRuneInString(s[k:])
			if r == utf8.RuneError && size == 1 {
				return false
			}
			k += size
		}
	}
	return true
}

func invalidLine(s string) int {
	line := 1
	for k, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[k:]); size == 1 {
				return line
			}
		}
		if r == '\n' {
			line++
		}
	}
	return line
}

// source is text made ready for goldmark, which knows the line of the file that each of its lines came from.
type source struct {
	text   string
	first  int   // line in the file of the first line of text
	added  []int // where lines of text begin that the file does not have
	offset int   // a cursor: where the last lookup was
	before int   // line ends before it
}

// line is the line in the file of the byte at offset. Most lookups go forwards, a little.
func (s *source) line(offset int) int {
	offset = max(0, min(offset, len(s.text)-1))
	if offset >= s.offset {
		s.before += strings.Count(s.text[s.offset:offset], "\n")
	} else {
		s.before -= strings.Count(s.text[offset:s.offset], "\n")
	}
	s.offset = offset
	added, _ := slices.BinarySearch(s.added, offset)
	return s.first + s.before - added
}

// prepare takes comments and template tags out of body, whose first line is the given line of the file, mends brackets, and caps what
// would make goldmark slow. Fenced code stays as it is.
func prepare(body string, first int) *source {
	body = withoutShortcodes(withoutComments(body))
	signs := linkSignsOf(body)
	body = linkNotes(linkFootnotes(fromDialects(body, signs)))
	s := &source{text: body, first: first}
	mend := signs.torn || strings.Contains(body, `\]`)
	fence, references := "", 0
	var b strings.Builder // what body becomes, up to kept
	kept, end := 0, 0
	for line := range strings.Lines(body) {
		at := end
		end += len(line)
		if fence != "" {
			if closesFence(line, fence) {
				fence = ""
			}
			continue
		}
		ready := line
		if mayBeCapped[line[0]] {
			ready = capNesting(capIndent(wikiHeading(line)))
			if fence = opensFence(ready); fence == "" && isWideRuler(ready) {
				ready = "\n"
			}
		}
		if mend && fence == "" {
			ready = mendBrackets(ready)
		}
		isNew := false
		if fence == "" && isReference(ready) {
			references++
			isNew = references%maxReferences == 0
		} else if fence == "" {
			references = 0
		}
		if ready == line && !isNew {
			continue
		}
		if kept == 0 {
			b.Grow(len(body) + len(body)/64)
		}
		b.WriteString(body[kept:at])
		if isNew {
			s.added = append(s.added, b.Len())
			b.WriteByte('\n')
		}
		b.WriteString(ready)
		kept = end
	}
	if kept > 0 {
		b.WriteString(body[kept:])
		s.text = b.String()
	}
	return s
}

// mayBeCapped are the characters that a line begins with which wikiHeading, capIndent, capNesting, opensFence or isWideRuler may change.
var mayBeCapped = func() (may [256]bool) {
	for _, c := range []byte("= \t>-+*0123456789`~|:") {
		may[c] = true
	}
	return may
}()

// wikiHeading writes "== text ==", and "== text" with a blank, as Markdown does.
func wikiHeading(line string) string {
	if !strings.HasPrefix(line, "=") {
		return line
	}
	text := strings.TrimLeft(line, "=")
	level := len(line) - len(text)
	blank := strings.HasPrefix(text, " ")
	text, closed := strings.CutSuffix(strings.TrimSpace(text), strings.Repeat("=", level))
	if text = strings.TrimSpace(text); !(closed && level > 1) && !blank || level > 6 || text == "" {
		return line
	}
	return strings.Repeat("#", level) + " " + text + "\n"
}

func opensFence(line string) string {
	begin := 0
	for begin < len(line) && (line[begin] == ' ' || line[begin] == '\t' || line[begin] == '>') {
		begin++
	}
	t := line[begin:]
	if t == "" || t[0] != '`' && t[0] != '~' {
		return ""
	}
	for _, mark := range []string{"`", "~"} {
		n := len(t) - len(strings.TrimLeft(t, mark))
		if n >= 3 && !(mark == "`" && strings.Contains(t[n:], "`")) {
			return t[:n]
		}
	}
	return ""
}

func closesFence(line, fence string) bool {
	t := strings.TrimSpace(strings.TrimLeft(line, " \t>"))
	return len(t) >= len(fence) && strings.Trim(t, fence[:1]) == ""
}

func capIndent(line string) string {
	if len(line) <= maxIndent || line[0] != ' ' && line[0] != '\t' {
		return line
	}
	columns := 0
	for k := range len(line) {
		switch line[k] {
		case ' ':
			columns++
		case '\t':
			columns += 4
		default:
			if columns > maxIndent {
				return strings.Repeat(" ", maxIndent) + line[k:]
			}
			return line
		}
	}
	return "\n"
}

// capNesting drops the quote and list markers of a line after the first maxNesting.
func capNesting(line string) string {
	if len(line) <= maxNesting {
		return line
	}
	count, k, keep := 0, 0, 0
	for k < len(line) {
		n := markerLen(line[k:])
		if n == 0 {
			break
		}
		if line[k] != ' ' && line[k] != '\t' {
			if count++; count == maxNesting {
				keep = k + n
			}
		}
		k += n
	}
	if count <= maxNesting {
		return line
	}
	return line[:keep] + " " + line[k:]
}

// markerLen is the length of the blank, quote or list marker that s begins with; 0 when there is none.
func markerLen(s string) int {
	switch s[0] {
	case ' ', '\t', '>':
		return 1
	case '-', '+', '*':
		if len(s) > 1 && (s[1] == ' ' || s[1] == '\t') {
			return 2
		}
		return 0
	}
	k := 0
	for k < len(s) && k < 9 && s[k] >= '0' && s[k] <= '9' {
		k++
	}
	if k > 0 && k+1 < len(s) && (s[k] == '.' || s[k] == ')') && (s[k+1] == ' ' || s[k+1] == '\t') {
		return k + 2
	}
	return 0
}

// isWideRuler reports whether line is the second line of a table with too many columns.
func isWideRuler(line string) bool {
	return len(line) > maxColumns && strings.Count(line, "|") > maxColumns && strings.Trim(line, " |-:\t\n") == ""
}

func isReference(line string) bool {
	t := strings.TrimLeft(line, " ")
	return strings.HasPrefix(t, "[") && strings.Contains(t, "]:")
}

// withoutComments blanks closed HTML comments, keeping their line ends. Comments often hold sample entries.
func withoutComments(s string) string {
	if !strings.Contains(s, "<!--") {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		open := strings.Index(s, "<!--")
		if open < 0 {
			break
		}
		length := strings.Index(s[open+4:], "-->")
		if length < 0 {
			break
		}
		end := open + 4 + length + 3
		b.WriteString(s[:open])
		b.WriteString(strings.Repeat("\n", strings.Count(s[open:end], "\n")))
		s = s[end:]
	}
	b.WriteString(s)
	return b.String()
}

var footnoteRE = regexp.MustCompile(`\[\^([^\]\s^]{1,40})\](:?)`)

// linkFootnotes takes footnotes out of s and gives their marks in the text the link that stands in the note, without any text.
func linkFootnotes(s string) string {
	if strings.IndexByte(s, '^') < 0 || !strings.Contains(s, "[^") || !strings.Contains(s, "]:") {
		return s
	}
	links := map[string]string{}
	var text strings.Builder
	inNote := false
	for line := range strings.Lines(s) {
		if m := footnoteRE.FindStringSubmatch(line); m != nil && m[2] != "" && strings.HasPrefix(line, m[0]) {
			inNote = true
			if start, end := findURL(line); end > 0 {
				links[m[1]] = line[start:end]
			}
			text.WriteByte('\n')
			continue
		}
		if inNote = inNote && (strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "\t")); inNote {
			line = "\n"
		}
		text.WriteString(line)
	}
	return footnoteRE.ReplaceAllStringFunc(text.String(), func(mark string) string {
		if url := links[mark[len("[^"):strings.IndexByte(mark, ']')]]; url != "" {
			return "[![]()](<" + url + ">)"
		}
		return ""
	})
}

// shortcodes are the template tags that site generators leave in their Markdown.
var shortcodes = []struct{ open, close string }{{"{{<", ">}}"}, {"{{%", "%}}"}, {"{%", "%}"}, {"{{", "}}"}}

func withoutShortcodes(s string) string {
	if strings.IndexByte(s, '{') < 0 || !strings.Contains(s, "{{") && !strings.Contains(s, "{%") && !strings.Contains(s, "{:") {
		return s
	}
	var b strings.Builder
	ticks, at, fails := 0, 0, 0
	for {
		k := strings.IndexByte(s[at:], '{')
		if k < 0 || fails > maxFails {
			break
		}
		b.WriteString(s[at : at+k])
		ticks = openTicks(ticks, s[at:at+k])
		at += k
		n := shortcodeLen(s[at:])
		if n == 0 || ticks%2 == 1 {
			b.WriteByte('{')
			at++
			if n == 0 && strings.HasPrefix(s[at-1:], "{{") {
				fails++
			}
			continue
		}
		b.WriteString(strings.Repeat("\n", strings.Count(s[at:at+n], "\n")))
		at += n
	}
	b.WriteString(s[at:])
	return b.String()
}

// openTicks counts the back ticks of the line that s ends in, of which before are known.
func openTicks(before int, s string) int {
	if k := strings.LastIndexByte(s, '\n'); k >= 0 {
		before, s = 0, s[k:]
	}
	return before + strings.Count(s, "`")
}

// attributesRE is a list of attributes behind a link or heading, as kramdown writes it.
var attributesRE = regexp.MustCompile(`^\{:\s*(?:[.#][\w-]+|[\w-]+=(?:"[^"\n]*"|[^\s}"]+))(?:\s[^}\n]{0,200})?\}`)

func shortcodeLen(s string) int {
	if strings.HasPrefix(s, "{:") {
		return len(attributesRE.FindString(s[:min(len(s), maxShortcode)]))
	}
	for _, tag := range shortcodes {
		if !strings.HasPrefix(s, tag.open) {
			continue
		}
		end := strings.Index(s[:min(len(s), maxShortcode)], tag.close)
		if end < 0 || strings.Contains(s[:end], "\n\n") {
			return 0
		}
		return end + len(tag.close)
	}
	return 0
}
