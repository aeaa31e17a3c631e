package parse

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lead is what stands before a title, taken off.
type lead struct {
	rest     []run
	numbered bool // "1、", "2." or a bullet written as text
	quoted   bool // the 《 or “ before a link was taken off
}

var (
	numberRE = regexp.MustCompile(`^(?:[（(]?\d{1,3}[)）、．]\s*|0\d\s+|\d{1,3}[.:：](?:\s+|\pL|[《【“「\[*]|$)|[①-⑳⓪❶-❿]\s*|[一二三四五六七八九十]{1,3}、\s*|\d\x{fe0f}?\x{20e3}\s*)`)
	tagRE    = regexp.MustCompile(`^(?:\[([^\[\]\n]{1,40})\]|【([^【】\n]{1,24})】)\s*[:：]?\s*`)
	bulletRE = regexp.MustCompile(`^(?:[•·▪◦‣▍▎▌▶►◆◇■□●○★☆➤➜→»✦✧–—]+|[-*])\s+|^[•·▪▍▎▌►◆■●★]\s*`)
)

// bulletMarks are the characters that bulletRE begins with.
var bulletMarks = marksOf("•·▪◦‣▍▎▌▶►◆◇■□●○★☆➤➜→»✦✧–—-*")

// trimLead takes numbers, pictographs, check boxes and tags off the start of runs.
func trimLead(runs []run) (l lead, tags []string) {
	l.rest = runs
	for len(l.rest) > 0 {
		first := l.rest[0]
		r := &first
		if r.look&image != 0 {
			l.rest = l.rest[1:]
			continue
		}
		text := strings.TrimLeftFunc(r.text, isBlank)
		if r.url != "" || r.look&code != 0 {
			if trimmed := trimEmoji(text); trimmed != "" || r.url == "" {
				text = trimmed
			}
			if trimmed := text[len(bullet(text)):]; trimmed != "" {
				text = trimmed
			}
			if text == "" && r.url == "" {
				l.rest = l.rest[1:]
				continue
			}
			l.setFirst(text)
			break
		}
		before := text
		if m := bullet(text); m != "" { // some bullets are pictographs too
			text, l.numbered = text[len(m):], true
		}
		text = trimEmoji(text)
		if m := bullet(text); m != "" {
			text, l.numbered = text[len(m):], true
		}
		if n := numberLen(text); n > 0 && !l.numbered && (len(text) > n || len(l.rest) > 1) {
			text, l.numbered = text[n:], true
		}
		if m := tagOf(text); m != nil && (trimBlank(text[len(m[0]):]) != "" || len(l.rest) > 1) {
			if tag := strings.TrimSpace(m[1] + m[2]); tag != "" && tag != "x" && tag != "X" {
				tags = append(tags, tag)
			}
			text = text[len(m[0]):]
		}
		if text == "" {
			l.rest = l.rest[1:]
			continue
		}
		l.setFirst(text)
		if text == before {
			break
		}
	}
	l.openQuote()
	return l, tags
}

// setFirst changes the text of the first run, in a copy.
func (l *lead) setFirst(text string) {
	if l.rest[0].text != text {
		l.rest = slices.Clone(l.rest)
		l.rest[0].text = text
	}
}

// bullet is the mark of a list that s begins with, written as text.
func bullet(s string) string {
	if c, _ := utf8.DecodeRuneInString(s); c != '-' && c != '*' && c < 0xb7 || isHan(c) || !bulletMarks.has(c) {
		return ""
	}
	return bulletRE.FindString(s)
}

func tagOf(s string) []string {
	if !strings.HasPrefix(s, "[") && !strings.HasPrefix(s, "【") {
		return nil
	}
	return tagRE.FindStringSubmatch(s)
}

// numberLen is the length of the number that s begins with; "1.4" and "2023 年" are none.
func numberLen(s string) int {
	if c, _ := utf8.DecodeRuneInString(s); c > '9' && c < 0x2460 || c < '(' || isHan(c) && !strings.ContainsRune("一二三四五六七八九十", c) {
		return 0
	}
	m := numberRE.FindString(s[:min(len(s), 60)])
	if m == "" {
		return 0
	}
	if k := strings.IndexAny(m, ".:："); k >= 0 {
		_, size := utf8.DecodeRuneInString(m[k:])
		return len(m[:k+size]) + len(m[k+size:]) - len(strings.TrimLeftFunc(m[k+size:], unicode.IsSpace))
	}
	return len(m)
}

func trimEmoji(s string) string {
	for {
		t := strings.TrimLeftFunc(s, func(r rune) bool { return isEmoji(r) && r != 0x25b6 })
		t = strings.TrimLeftFunc(t[emojiName(t):], isBlank)
		if t == s {
			return s
		}
		s = t
	}
}

// openQuote takes the 《 off that stands directly before a link and is closed directly behind it.
func (l *lead) openQuote() {
	if len(l.rest) < 3 || l.rest[0].url != "" || l.rest[1].url == "" {
		return
	}
	before := trimBlank(l.rest[0].text)
	if len(before) > len("《") {
		return
	}
	for _, pair := range []string{"《》", "“”", "「」", "『』", `""`, "<>"} {
		_, size := utf8.DecodeRuneInString(pair)
		if before == pair[:size] && strings.HasPrefix(trimBlank(l.rest[2].text), pair[size:]) {
			l.rest = slices.Clone(l.rest[1:])
			l.rest[1].text = strings.Replace(l.rest[1].text, pair[size:], "\u2063", 1)
			l.quoted = true
			return
		}
	}
}

// closed marks where a quote was taken off: the title ends there.
const closed = "\u2063"
