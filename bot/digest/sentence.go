package digest

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"weeklybot/bot"
)

// Sentences are the first n sentences of s on one line. A dot inside a number, a name or a link ends none ("v1.2", "Node.js", "e.g.").
// Nothing but white space is changed.
func Sentences(s string, n int) string {
	s = strings.TrimSpace(s)
	end := 0
	for range n {
		rest := s[end:]
		if strings.TrimSpace(rest) == "" {
			break
		}
		end += sentenceEnd(rest)
	}
	return oneLine(s[:end])
}

// sentenceEnd is the length of the first sentence of s with what closes it, in bytes. Its cost is linear in s.
func sentenceEnd(s string) int {
	begun, broken, quoted, last := false, false, false, ' ' // past the first word; a line ended; inside "…"; the last character that is no space
	for at, r := range s {
		if unicode.IsSpace(r) {
			broken = broken || r == '\n'
			continue
		}
		if begun && broken && lineEnds(last, r) {
			return at
		}
		begun = begun || unicode.IsLetter(r) || unicode.IsNumber(r)
		broken, quoted, last = false, quoted != (r == '"'), r
		if begun && isMark(r) {
			if after := at + utf8.RuneLen(r); ends(s, at, after, quoted) {
				return after + closers(s[after:], quoted)
			}
		}
	}
	return len(s)
}

func isMark(r rune) bool { return strings.ContainsRune("。！？!?….", r) }

// ends says whether the mark s[at:after] ends a sentence.
func ends(s string, at, after int, quoted bool) bool {
	switch s[at:after] {
	case "。", "！", "？":
		return true
	case ".":
		return breaksAfter(s[after:], quoted) && !isAbbreviation(s[:at], s[after:])
	default:
		return breaksAfter(s[after:], quoted)
	}
}

// lineEnds says whether a line break between two characters ends a sentence. Inside a sentence that goes on it does not.
func lineEnds(last, next rune) bool {
	return !strings.ContainsRune("，,、；;：:—-", last) && !unicode.IsLower(next)
}

// breaksAfter says whether a mark that is followed by rest can end a sentence.
func breaksAfter(rest string, quoted bool) bool {
	rest = rest[closers(rest, quoted):]
	next, _ := utf8.DecodeRuneInString(rest)
	return rest == "" || unicode.IsSpace(next) || isWide(next)
}

// maxClosers is how many characters in a row can close one sentence.
const maxClosers = 8

// closers is the length of the quotes, brackets and further marks that belong to the sentence before them, in bytes. A straight quote
// closes only what is quoted.
func closers(rest string, quoted bool) int {
	n := 0
	for at, r := range rest {
		if n++; n > maxClosers || !strings.ContainsRune(`”’」』）】》)]".!?…。！？`, r) || r == '"' && !quoted {
			return at
		}
		quoted = quoted && r != '"'
	}
	return len(rest)
}

// abbreviations are words that keep their dot in the middle of a sentence, lower case, without it.
var abbreviations = map[string]bool{
	"mr": true, "mrs": true, "ms": true, "dr": true, "prof": true, "st": true, "vs": true, "no": true, "nos": true, "vol": true, "fig": true,
	"eq": true, "sec": true, "ch": true, "pp": true, "cf": true, "al": true, "resp": true, "approx": true, "ca": true, "incl": true, "esp": true,
	"jan": true, "feb": true, "apr": true, "jun": true, "jul": true, "aug": true, "sept": true, "sep": true, "oct": true, "nov": true, "dec": true,
}

// isAbbreviation says whether the dot between before and after belongs to the word before it: "e.g.", "Dr.", "J.", or "1." that counts.
func isAbbreviation(before, after string) bool {
	word := before[strings.LastIndexFunc(before, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`(（["“'`, r) })+1:]
	next, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(after, unicode.IsSpace))
	switch {
	case next == utf8.RuneError: // the end of the text
		return false
	case word == "":
		return true // ".NET" after a space, or dots that stand alone
	case abbreviations[strings.ToLower(word)]:
		return true
	case strings.Contains(word, ".") && strings.Trim(word, ".abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" && longestPiece(word) <= 2:
		return !unicode.IsUpper(next) || len(word) <= 3 && strings.ToLower(word) == word // "U.S. The" ends, "e.g. Istio" does not
	case utf8.RuneCountInString(word) == 1 && unicode.IsUpper(rune(word[0])):
		return unicode.IsUpper(next) // an initial
	case strings.Trim(word, "0123456789") == "":
		return strings.TrimLeftFunc(before, unicode.IsSpace) == word // "1. First point"
	default:
		return unicode.IsLower(next) && word == "etc"
	}
}

func longestPiece(word string) int {
	most := 0
	for piece := range strings.SplitSeq(word, ".") {
		most = max(most, len(piece))
	}
	return most
}

// oneLine joins lines: with a space between Latin words, without one between Han characters.
func oneLine(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if b.Len() > 0 {
			last, _ := utf8.DecodeLastRuneInString(b.String())
			if next, _ := utf8.DecodeRuneInString(line); !isWide(last) || !isWide(next) {
				b.WriteByte(' ')
			}
		}
		b.WriteString(line)
	}
	return b.String()
}

// isWide is true for characters that stand without spaces between words: Han, kana and full-width marks.
func isWide(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xff60
}

// width counts columns: a wide character takes two.
func width(s string) int {
	n := 0
	for _, r := range s {
		if isWide(r) {
			n++
		}
		n++
	}
	return n
}

// maxBriefColumns is how long the one sentence of a brief item may get, in columns.
const maxBriefColumns = 280

// shorten cuts a sentence that is too long for a brief item at a clause or a word, and says so with "…".
func shorten(s string) string {
	if width(s) <= maxBriefColumns {
		return s
	}
	head, _, ok := bot.CutText(s, func(h string) bool { return width(h) < maxBriefColumns })
	if !ok || head == "" {
		return s
	}
	if k := strings.LastIndexAny(head, "，；,;"); k > len(head)*2/3 {
		head = head[:k]
	}
	return strings.TrimRight(head, "，、；：,;: ") + "…"
}
