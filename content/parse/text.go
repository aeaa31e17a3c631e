package parse

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plain is the text of runs on one line, without markup.
func plain(runs []run) string {
	if len(runs) == 1 {
		return squeeze(runs[0].text)
	}
	return squeeze(joinText(runs))
}

// hasLineEnd reports whether runs hold a line end.
func hasLineEnd(runs []run) bool {
	return slices.ContainsFunc(runs, func(r run) bool { return strings.IndexByte(r.text, '\n') >= 0 })
}

func joinText(runs []run) string {
	if len(runs) == 1 {
		return runs[0].text
	}
	size := 0
	for k := range runs {
		size += len(runs[k].text)
	}
	var b strings.Builder
	b.Grow(size)
	for k := range runs {
		b.WriteString(runs[k].text)
	}
	return b.String()
}

// squeeze makes one line of s: runs of blanks become one space, and a line end between two East Asian characters nothing.
func squeeze(s string) string {
	for s != "" && asciiBlank(s[0]) {
		s = s[1:]
	}
	for s != "" && asciiBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	if !hasOddBlank(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	from, k := 0, 0 // what is kept and not yet written begins at from
	for k < len(s) {
		if c := s[k]; !mayBlank[c] || c == ' ' && b.Len()+k-from > 0 && k+1 < len(s) && !mayBlank[s[k+1]] {
			k++
			continue
		}
		end, newline, blank := blanks(s, k)
		if end == k {
			_, size := utf8.DecodeRuneInString(s[k:])
			k += size
			continue
		}
		b.WriteString(s[from:k])
		from, k = end, end
		if blank && end < len(s) && b.Len() > 0 && !(newline && betweenEast(b.String(), s[end:])) {
			b.WriteByte(' ')
		}
	}
	b.WriteString(s[from:])
	return b.String()
}

// blanks is where the blanks and invisible characters end that stand at k.
func blanks(s string, k int) (end int, newline, blank bool) {
	for end = k; end < len(s); {
		r, size := utf8.DecodeRuneInString(s[end:])
		if isBlank(r) {
			newline, blank = newline || r == '\n', true
		} else if !isInvisible(r) {
			break
		}
		end += size
	}
	return end, newline, blank
}

func betweenEast(before, after string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	next, _ := utf8.DecodeRuneInString(after)
	return isEast(last) && isEast(next)
}

// hasOddBlank reports whether s holds a blank that squeeze takes out: at an end, next to another one, or not a plain space.
func hasOddBlank(s string) bool {
	if s == "" {
		return false
	}
	if s[0] == ' ' || s[len(s)-1] == ' ' {
		return true
	}
	again := 0 // where plainWord is asked again
	for k := 0; k < len(s); k++ {
		if k >= again {
			for k+wordLen < len(s) && plainWord(s[k:]) {
				k += wordLen
			}
			again = k + pause
		}
		for s[k] >= 0xe4 && s[k] <= 0xe9 && k+3 < len(s) { // a Han character, of three bytes
			k += 3
		}
		switch c := s[k]; {
		case !mayBlank[c]:
		case c == ' ':
			if s[k+1] == ' ' { // it is not the last
				return true
			}
		case c < ' ' || oddRune(s[k:]):
			return true
		}
	}
	return false
}

// wordLen is how many bytes plainWord looks at; where it said no, it is asked again after pause bytes.
const wordLen, pause = 8, 64

// plainWord reports, quicker than byte by byte, whether the first wordLen bytes of s are ASCII without control characters, and no two
// blanks stand together there or with the byte behind.
func plainWord(s string) bool {
	const ones = 0x0101010101010101
	_ = s[wordLen]
	w := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	if w&(0x80*ones) != 0 || (w-' '*ones)&(0x80*ones) != 0 {
		return false
	}
	next := w>>8 | uint64(s[wordLen])<<56
	noBlank := (w ^ ' '*ones) | (next ^ ' '*ones) // a byte is 0 where two blanks stand together
	return (noBlank-ones)&^noBlank&(0x80*ones) == 0
}

// mayBlank are the bytes that a blank or an invisible character can begin with.
var mayBlank = [256]bool{' ': true, '\t': true, '\n': true, '\v': true, '\f': true, 0xc2: true, 0xe1: true, 0xe2: true, 0xe3: true, 0xef: true}

// oddRune reports whether s begins with a blank or an invisible character that is not ASCII. Commas and full stops of Chinese text begin
// with the same byte as some of them.
func oddRune(s string) bool {
	switch {
	case s[0] == 0xe3 && (len(s) < 3 || s[1] != 0x80 || s[2] != 0x80), s[0] == 0xef && (len(s) < 3 || s[1] != 0xbb):
		return false
	}
	r, _ := utf8.DecodeRuneInString(s)
	return isBlank(r) || isInvisible(r)
}

func asciiBlank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\v' || c == '\f' }

func isBlankOrInvisible(r rune) bool { return isBlank(r) || isInvisible(r) }

func isInvisible(r rune) bool { return r == 0x200b || r == 0xfeff || r == 0xad || r == 0x2060 }

func isBlank(r rune) bool {
	if r < utf8.RuneSelf {
		return r == ' ' || r == '\n' || r == '\t' || r == '\v' || r == '\f'
	}
	return unicode.IsSpace(r)
}

// linkify marks the links that can be opened, and splits bare URLs out of the plain text of runs; into room, where that is needed.
func linkify(runs, room []run) []run {
	found := false
	for k := range runs {
		r := &runs[k]
		r.web = isWeb(r.url)
		found = found || r.url == "" && strings.Contains(r.text, "://")
	}
	if !found {
		return runs
	}
	out := room[:0]
	for _, r := range runs {
		if r.url != "" || r.look&code != 0 {
			out = append(out, r)
			continue
		}
		rest := r.text
		for {
			start, end := findURL(rest)
			if end == 0 {
				break
			}
			if start > 0 {
				out = append(out, run{text: rest[:start], look: r.look})
			}
			url := rest[start:end]
			out = append(out, run{text: url, url: url, web: isWeb(url), look: r.look | bare})
			rest = rest[end:]
		}
		if rest != "" {
			out = append(out, run{text: rest, look: r.look})
		}
	}
	return out
}

// findURL finds the first http(s) URL in s. Chinese text and punctuation end it; so does closing punctuation that it does not open.
func findURL(s string) (start, end int) {
	for from := 0; ; {
		k := strings.Index(s[from:], "://")
		if k < 0 {
			return 0, 0
		}
		k += from
		from = k + 3
		scheme := schemeLen(s[:k])
		if scheme == 0 {
			continue
		}
		stop := len(s)
		for n, r := range s[from:] {
			if urlEnds.has(r) || r >= utf8.RuneSelf && (isBlank(r) || isEast(r)) {
				stop = from + n
				break
			}
		}
		if stop = from + len(trimURL(s[from:stop])); stop > from && s[from] != '/' {
			return k - scheme, stop
		}
	}
}

func schemeLen(before string) int {
	for _, scheme := range []string{"https", "http"} {
		if n := len(before) - len(scheme); n >= 0 && strings.EqualFold(before[n:], scheme) {
			return len(scheme)
		}
	}
	return 0
}

func trimURL(s string) string {
	for s != "" {
		switch c := s[len(s)-1]; c {
		case '.', ',', ';', ':', '!', '?', '\'', '*', '_', '~':
		case ')', ']':
			open := byte('(')
			if c == ']' {
				open = '['
			}
			if strings.Count(s, string(c)) <= strings.Count(s, string(open)) {
				return s
			}
		default:
			return s
		}
		s = s[:len(s)-1]
	}
	return s
}

// isWeb reports whether url can be opened by a reader of a chat message.
func isWeb(url string) bool {
	if len(url) <= 8 || url[0]|0x20 != 'h' {
		return false
	}
	if !strings.HasPrefix(url, "https://") && !strings.EqualFold(url[:7], "http://") && !strings.EqualFold(url[:8], "https://") {
		return false
	}
	for _, c := range []byte(" \n\t<>") {
		if strings.IndexByte(url, c) >= 0 {
			return false
		}
	}
	return true
}

// isEmoji reports whether r is a pictograph, or one of the signs that join pictographs.
func isEmoji(r rune) bool {
	switch {
	case r < 0x2190:
		return r == 0x200d || r == 0x20e3
	case r >= 0x1f000:
		return r < 0x1fb00 || r >= 0xe0000 && r < 0xe0080
	case r == 0xfe0f || r == 0xfe0e || r == 0x3030 || r == 0x303d || r == 0x3297 || r == 0x3299:
		return true
	}
	return r >= 0x2300 && r < 0x2400 || r >= 0x25a0 && r < 0x27c0 || r >= 0x2b00 && r < 0x2c00
}

func hasEmoji(s string) bool {
	for k := 0; k < len(s); k++ {
		switch c := s[k]; {
		case c < 0xe2 || c >= 0xe4 && c < 0xef:
		default:
			if r, _ := utf8.DecodeRuneInString(s[k:]); isEmoji(r) {
				return true
			}
		}
	}
	return false
}

// withoutEmoji takes pictographs and ":name:" marks out of s, which is on one line.
func withoutEmoji(s string) string {
	if emojiName(s) == 0 && !hasEmoji(s) {
		return s
	}
	if hasEmoji(s) {
		s = strings.Map(func(r rune) rune {
			if isEmoji(r) {
				return -1
			}
			return r
		}, s)
	}
	for n := emojiName(s); n > 0; n = emojiName(s) {
		s = strings.TrimLeft(s[n:], " ")
	}
	return squeeze(s)
}

// emojiName is the length of a mark such as ":rocket:" that s begins with; 0 when there is none.
func emojiName(s string) int {
	if len(s) < 4 || s[0] != ':' {
		return 0
	}
	for k := 1; k < len(s) && k < 40; k++ {
		switch c := s[k]; {
		case c == ':' && k > 2:
			return k + 1
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9' && k > 1 || c == '_' || c == '+' || c == '-':
		default:
			return 0
		}
	}
	return 0
}

// sentenceEnd is the offset after the first sentence of s, len(s) when there is only one.
func sentenceEnd(s string) int {
	depth := 0 // of round brackets
	for k, r := range s {
		if r|0x20 >= 'a' && r|0x20 <= 'z' || r == ' ' || k == 0 {
			continue
		}
		size := utf8.RuneLen(r)
		switch r {
		case '(', ')':
			if depth++; r == ')' {
				depth = max(0, depth-2)
			}
		case '。', '！', '？', '；', '…':
			if next, _ := utf8.DecodeRuneInString(s[k+size:]); !closes(next) && next != '…' {
				return k + size
			}
			continue
		case '.', '!', '?':
			if (depth == 0 || strings.IndexByte(s[k:], ')') < 0) && endsEnglish(s, k) {
				return k + 1
			}
		case '"', '”', '）', '」', '』':
			if before, _ := utf8.DecodeLastRuneInString(s[:k]); strings.ContainsRune("。！？", before) {
				return k + size
			}
		}
	}
	return len(s)
}

var (
	sentenceClosers = marksOf("。！？”）」』》)\"")
	clauseMarks     = marksOf("，；：、。")
	urlEnds         = marksOf(" \t\n\v\f<>\"`|\\^{}")
	titleTail       = marksOf(" \t\u00a0：:。.，,；;、-–—|｜~→»")
	titleHead       = marksOf(" \u00a0：:，,；;、|｜。…")
)

func closes(r rune) bool {
	return sentenceClosers.has(r)
}

// endsEnglish reports whether the mark at k ends a sentence: a blank and no lower-case letter follow, and no short form precedes it.
func endsEnglish(s string, k int) bool {
	rest := strings.TrimLeft(s[k+1:], ")\"'”’")
	if rest == "" {
		return true
	}
	next, size := utf8.DecodeRuneInString(rest)
	if isHan(next) && s[k] != '.' {
		return true
	}
	if !isBlank(next) {
		return false
	}
	after, _ := utf8.DecodeRuneInString(strings.TrimLeft(rest[size:], " \n\t"))
	if unicode.IsLower(after) {
		return false
	}
	if s[k] != '.' {
		return true
	}
	word := s[strings.LastIndexAny(s[:k], " \n\t(")+1 : k]
	return !strings.Contains(word, ".") && !shortForms[strings.ToLower(word)] && !(len(word) == 1 && word[0] >= 'A' && word[0] <= 'Z') && !isNumber(word)
}

var shortForms = map[string]bool{
	"vs": true, "e.g": true, "i.e": true, "etc": true, "mr": true, "mrs": true, "ms": true, "dr": true, "st": true, "no": true, "vol": true,
	"inc": true, "ltd": true, "jr": true, "sr": true, "prof": true, "approx": true, "cf": true, "al": true, "fig": true,
	"jan": true, "feb": true, "mar": true, "apr": true, "jun": true, "jul": true, "aug": true, "sep": true, "sept": true, "oct": true, "nov": true, "dec": true,
}

func isNumber(s string) bool {
	for k := range len(s) {
		if s[k] < '0' || s[k] > '9' {
			return false
		}
	}
	return s != "" && len(s) < 3
}

// maxTitle is how wide a title may be, in columns: a Han character takes two.
const maxTitle = 240

// columns measures s as a fixed-width screen shows it.
func columns(s string) int {
	n := 0
	for _, r := range s {
		if n++; isEast(r) {
			n++
		}
	}
	return n
}

// cutTitle cuts what is too long for a title at the last clause end in reach. What is cut off is returned as rest.
func cutTitle(s string) (title, rest string) {
	if len(s) <= maxTitle || columns(s) <= maxTitle {
		return s, ""
	}
	count, at, word := 0, 0, 0
	for k, r := range s {
		if count++; isEast(r) {
			count++
		}
		if count > maxTitle {
			if at == 0 {
				at = word
			}
			if at == 0 {
				at = k
			}
			break
		}
		switch {
		case clauseMarks.has(r) && count > maxTitle/4:
			at = k + utf8.RuneLen(r)
		case (r == ',' || r == ';' || r == ':') && count > maxTitle/4 && k+1 < len(s) && s[k+1] == ' ':
			at = k + 1
		case r == ' ':
			word = k
		}
	}
	return trimTitle(s[:at]), strings.TrimSpace(s[at:])
}

// trimTitle takes the marks off a title that belong to the layout around it.
func trimTitle(s string) string { return trimMarks(squeeze(s)) }

// trimMarks is trimTitle of a text that squeeze has seen.
func trimMarks(s string) string {
	for {
		t := strings.TrimRightFunc(s, titleTail.has)
		if strings.HasSuffix(s, "...") && !strings.HasSuffix(t, "...") {
			t += "..."
		}
		if t = strings.TrimLeftFunc(t, titleHead.has); t == s {
			return s
		}
		s = t
		if strings.HasSuffix(s, "...") {
			return s
		}
	}
}

// letters counts code points that are letters or digits.
func letters(s string) int {
	n := 0
	for _, r := range s {
		if isLetterOrDigit(r) {
			n++
		}
	}
	return n
}

func isLetterOrDigit(r rune) bool {
	if r < utf8.RuneSelf {
		return isWordByte[r] && r != '_'
	}
	return r >= 0x4e00 && r <= 0x9fff || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// hasLetter reports whether s holds a letter or digit.
func hasLetter(s string) bool { return strings.ContainsFunc(s, isLetterOrDigit) }

// hasWord reports whether s holds a letter.
func hasWord(s string) bool { return strings.ContainsFunc(s, unicode.IsLetter) }

// cut is the beginning of s, at most n bytes, whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// tail is the end of s, at most n bytes, whole characters.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[len(s)-n:]
	for s != "" && !utf8.RuneStart(s[0]) {
		s = s[1:]
	}
	return s
}

// hanCount counts Han characters.
func hanCount(s string) int {
	n := 0
	for _, r := range s {
		if isHan(r) {
			n++
		}
	}
	return n
}

// maxWidth is as far as width counts: nothing that it is asked about may be so wide.
const maxWidth = 50

// width measures s in words: a Latin word counts one, two Han characters count one. What is wider than maxWidth is maxWidth wide.
func width(s string) int {
	han, words, inWord := 0, 0, false
	for _, r := range s {
		if words+(han+1)/2 >= maxWidth {
			return maxWidth
		}
		switch {
		case isHan(r):
			han, inWord = han+1, false
		case isLetterOrDigit(r):
			if !inWord {
				words, inWord = words+1, true
			}
		case isBlank(r):
			inWord = false
		}
	}
	return words + (han+1)/2
}

// marks is a set of characters that is quicker to ask than a text of more than ASCII.
type marks struct {
	ascii [utf8.RuneSelf]bool
	other []rune
}

func marksOf(s string) *marks {
	m := &marks{}
	for _, r := range s {
		if r < utf8.RuneSelf {
			m.ascii[r] = true
		} else {
			m.other = append(m.other, r)
		}
	}
	return m
}

func (m *marks) has(r rune) bool {
	if uint32(r) < utf8.RuneSelf {
		return m.ascii[r]
	}
	return slices.Contains(m.other, r)
}

func trimBlank(s string) string { return strings.TrimFunc(s, isBlank) }

// isASCII reports, quicker than byte by byte, whether the first wordLen bytes of s are ASCII.
func isASCII(s string) bool {
	_ = s[wordLen-1]
	return (s[0]|s[1]|s[2]|s[3]|s[4]|s[5]|s[6]|s[7])&0x80 == 0
}
