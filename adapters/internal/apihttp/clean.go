package apihttp

import (
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CleanText is foreign text made safe as one line: invalid UTF-8, control, bidi and zero-width characters are gone (a zero-width
// joiner stays inside an emoji), runs of white space are one space, none at the ends. Cleaning twice changes nothing.
func CleanText(s string) string { return clean(s, false) }

// CleanLines is CleanText for each line of s. At most one line in a row is empty, none at the ends.
func CleanLines(s string) string { return clean(s, true) }

func clean(s string, lines bool) string {
	var b strings.Builder
	b.Grow(len(s))
	var space, breaks = false, 0 // white space not written yet
	prev := rune(0)              // last rune written
	for k, r := range s {
		switch {
		case lines && endsLine(r) && !(r == '\r' && strings.HasPrefix(s[k+1:], "\n")):
			breaks++
			continue
		case unicode.IsSpace(r):
			space = true
			continue
		case r == zwj && !space && breaks == 0 && joins(prev, s[k+utf8.RuneLen(zwj):]):
		case !visible(r), r == utf8.RuneError && invalid(s[k:]):
			continue
		}
		if b.Len() > 0 && breaks > 0 {
			b.WriteString("\n\n"[:min(breaks, 2)])
		} else if b.Len() > 0 && space {
			b.WriteByte(' ')
		}
		space, breaks, prev = false, 0, r
		b.WriteRune(r)
	}
	return b.String()
}

func endsLine(r rune) bool {
	return r == '\n' || r == '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029'
}

func invalid(s string) bool {
	_, size := utf8.DecodeRuneInString(s)
	return size == 1
}

const zwj = '\u200d'

// joins says whether a zero-width joiner between prev and the text next makes one emoji.
func joins(prev rune, next string) bool {
	r, _ := utf8.DecodeRuneInString(next)
	return pictograph(r) && (pictograph(prev) || prev == '\ufe0f')
}

func pictograph(r rune) bool { return 0x1f000 <= r && r <= 0x1faff || 0x2190 <= r && r <= 0x2bff }

// visible says whether r shows something, or belongs to a character that does. What it refuses: control characters; format
// characters (bidi marks, zero-width space and joiners, byte order mark, soft hyphen, tags), but for the few that print as signs;
// fillers that look like nothing; code points that are no characters.
func visible(r rune) bool {
	switch {
	case 0x0600 <= r && r <= 0x0605, r == 0x06dd, r == 0x08e2: // Arabic number signs
		return true
	case r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xffa0, r&0xfffe == 0xfffe:
		return false
	}
	return !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// CleanURL is raw as a link target that cannot end the markup around it: "" unless it is an absolute http, https or mailto URL, without
// user name, of at most max bytes (0 = any length) in the form returned. Spaces, control and invisible characters, invalid UTF-8,
// a % that escapes nothing, and  < > " ( ) | \ ^ ` { }  are percent-encoded, behind the host also [ ]. Cleaning twice changes nothing.
func CleanURL(raw string, max int) string {
	s := escape(strings.TrimFunc(raw, func(r rune) bool { return unicode.IsSpace(r) || !visible(r) }))
	u, err := url.Parse(s)
	if err != nil || max > 0 && len(s) > max {
		return ""
	}
	switch {
	case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil && !strings.Contains(u.Host, "%"):
		return s
	case u.Scheme == "mailto" && u.Opaque != "":
		return s
	}
	return ""
}

func escape(s string) string {
	var b strings.Builder
	path := pathStart(s)
	for k := 0; k < len(s); {
		r, size := utf8.DecodeRuneInString(s[k:])
		if mustEscape(s[k:], r, size, k >= path) {
			for _, c := range []byte(s[k : k+size]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		} else {
			b.WriteString(s[k : k+size])
		}
		k += size
	}
	return b.String()
}

// pathStart is the offset where the host of s ends.
func pathStart(s string) int {
	_, rest, ok := strings.Cut(s, "://")
	if !ok {
		return 0
	}
	if n := strings.IndexAny(rest, "/?#"); n >= 0 {
		return len(s) - len(rest) + n
	}
	return len(s)
}

func mustEscape(s string, r rune, size int, inPath bool) bool {
	switch {
	case r == '%':
		return len(s) < 3 || !isHex(s[1]) || !isHex(s[2])
	case r == '[' || r == ']':
		return inPath
	case r == utf8.RuneError && size == 1:
		return true
	}
	return strings.ContainsRune("<>\"()|\\^`{}", r) || unicode.IsSpace(r) || !visible(r)
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }
