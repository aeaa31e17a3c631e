// Package words cuts mixed Chinese and Latin text into tokens. It owns what a word is: where one begins and ends between
// scripts, how it is folded (case, full-width forms, traditional characters), and that nothing inside a URL is a word. It knows no topics and no
// index. A Scanner is for one goroutine; everything else is pure.
package words

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Kind says what sort of token it is.
type Kind uint8

const (
	// Word is a run of letters and digits of a script with word borders, lower-cased: "kubernetes", "k8s", "1.25.3", "c++".
	Word Kind = iota + 1
	// Char is one character of a script without word borders: Han, kana, Hangul.
	Char
)

// Token is one word or character. Its bytes are valid until the next call of Next.
type Token struct {
	Text       []byte // folded
	Kind       Kind
	Broken     bool // a comma, a full stop or the like stands between this token and the one before
	Spaced     bool // anything at all stands between this token and the one before
	Start, End int  // bytes of the source
}

// Scanner walks the tokens of one text. The zero value is empty; Reset gives it a text.
type Scanner struct {
	src    string
	pos    int
	buf    []byte
	broken bool
	spaced bool
}

// Reset starts anew with src.
func (s *Scanner) Reset(src string) {
	s.src, s.pos, s.broken, s.spaced = src, 0, true, true
}

// Next reads the next token; ok is false at the end.
func (s *Scanner) Next() (tok Token, ok bool) {
	for s.pos < len(s.src) {
		r, size := s.rune(s.pos)
		switch {
		case IsChar(r):
			tok = s.char(r, size)
			return tok, true
		case isWordRune(r):
			if n := urlLen(s.src[s.pos:]); n > 0 {
				s.pos += n
				s.gap(true)
				continue
			}
			return s.word(), true
		case r == '.' && s.isDotNet():
			s.pos += len(dotNet)
			s.buf = append(s.buf[:0], dotNet...)
			return s.token(Word, s.pos-len(dotNet)), true
		default:
			s.gap(s.breaks(r, size))
			s.pos += size
		}
	}
	return Token{}, false
}

// dotNet is the one name that begins with a mark.
const dotNet = ".net"

// isDotNet says whether the name stands here by itself, not as the end of example.net.
func (s *Scanner) isDotNet() bool {
	rest := s.src[s.pos:]
	if len(rest) < len(dotNet) || !strings.EqualFold(rest[:len(dotNet)], dotNet) || s.pos > 0 && isWordRune(rune(s.src[s.pos-1])) {
		return false
	}
	next, _ := utf8.DecodeRuneInString(rest[len(dotNet):])
	return len(rest) == len(dotNet) || IsChar(next) || !isWordRune(next)
}

func (s *Scanner) gap(broken bool) {
	s.spaced = true
	s.broken = s.broken || broken
}

// rune decodes and folds one rune: full-width forms become plain ones.
func (s *Scanner) rune(at int) (rune, int) {
	if c := s.src[at]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	r, size := utf8.DecodeRuneInString(s.src[at:])
	return foldWidth(r), size
}

func foldWidth(r rune) rune {
	switch {
	case r >= 0xFF01 && r <= 0xFF5E:
		return r - 0xFEE0
	case r == 0x3000:
		return ' '
	}
	return r
}

func (s *Scanner) char(r rune, size int) Token {
	start := s.pos
	s.pos += size
	s.buf = appendFolded(s.buf[:0], r)
	return s.token(Char, start)
}

func (s *Scanner) token(k Kind, start int) Token {
	tok := Token{Text: s.buf, Kind: k, Broken: s.broken, Spaced: s.spaced, Start: start, End: s.pos}
	s.broken, s.spaced = false, false
	return tok
}

func (s *Scanner) word() Token {
	start := s.pos
	s.buf = s.buf[:0]
	for s.pos < len(s.src) {
		r, size := s.rune(s.pos)
		switch {
		case isDigit(s.src[s.pos]) && s.endsName(start):
			return s.token(Word, start)
		case r < utf8.RuneSelf && isWordRune(r):
			s.buf = append(s.buf, lowerASCII(byte(r)))
		case !IsChar(r) && (isWordRune(r) || unicode.Is(unicode.Mn, r)):
			s.buf = appendFolded(s.buf, r)
		case r == '.' && s.digitAround(start, size):
			s.buf = append(s.buf, '.')
		case (r == '\'' || r == '’') && s.joins(size):
			if s.possessive(size) { // Istio's: the word is Istio, and the s belongs to no word
				tok := s.token(Word, start)
				s.pos += size + 1
				s.spaced = true
				return tok
			}
		default:
			s.suffix()
			return s.token(Word, start)
		}
		s.pos += size
	}
	return s.token(Word, start)
}

// endsName says whether a version number begins here, right behind two letters or more: go1.22 and python3.12 are a name and a number.
func (s *Scanner) endsName(start int) bool {
	if s.pos-start < 2 || !isASCIILetter(s.src[s.pos-1]) {
		return false
	}
	for _, c := range s.src[start:s.pos] {
		if !isASCIILetter(byte(c)) {
			return false
		}
	}
	rest := strings.TrimLeft(s.src[s.pos:], "0123456789")
	return len(rest) > 1 && rest[0] == '.' && isDigit(rest[1])
}

// suffix takes the ++ and # of c++, c#, f#.
func (s *Scanner) suffix() {
	if len(s.buf) != 1 {
		return
	}
	for _, suffix := range [...]string{"++", "#"} {
		rest, ok := strings.CutPrefix(s.src[s.pos:], suffix)
		if ok && (rest == "" || !isWordRune(rune(rest[0]))) {
			s.buf = append(s.buf, suffix...)
			s.pos += len(suffix)
			return
		}
	}
}

func (s *Scanner) digitAround(start, size int) bool {
	return s.pos > start && isDigit(s.src[s.pos-1]) && s.pos+size < len(s.src) && isDigit(s.src[s.pos+size])
}

// joins says whether a letter follows the mark of size bytes.
func (s *Scanner) joins(size int) bool {
	return s.pos+size < len(s.src) && isASCIILetter(s.src[s.pos+size])
}

func (s *Scanner) possessive(size int) bool {
	rest := s.src[s.pos+size:]
	if rest[0] != 's' && rest[0] != 'S' {
		return false
	}
	if len(rest) == 1 {
		return true
	}
	r, _ := utf8.DecodeRuneInString(rest[1:])
	return IsChar(r) || !isWordRune(r)
}

// breaks says whether a mark parts two thoughts, so that no name spans it. Hyphen, underscore, slash and dot between
// letters do not: ci/cd, node.js, port-forwarding.
func (s *Scanner) breaks(r rune, size int) bool {
	switch r {
	case ' ', '\t', '\n', '\r', 0xA0, '*', '`', '"', '\'', '“', '”', '·', '@', '~', '™', '®':
		return false
	case '-', '_', '/', '.', '&', '+':
		next := s.pos + size
		if next >= len(s.src) || s.pos == 0 {
			return true
		}
		after, _ := s.rune(next)
		return !isWordRune(after) && !IsChar(after)
	}
	return true
}

// IsChar says whether r belongs to a script that is written without spaces between words.
func IsChar(r rune) bool {
	if r < 0x1100 {
		return false
	}
	if r >= 0x4E00 && r <= 0x9FFF {
		return true
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) || r == 'ー'
}

func isWordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

func isDigit(c byte) bool       { return c >= '0' && c <= '9' }
func isASCIILetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func lowerASCII(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// appendFolded appends the NFKC form of r, lower-cased, simplified, marks above Latin letters left out.
func appendFolded(b []byte, r rune) []byte {
	if r >= hanBase && r <= hanEnd {
		return utf8.AppendRune(b, simplify(r))
	}
	form := norm.NFKD
	if IsChar(r) {
		form = norm.NFKC
	}
	for _, f := range form.String(string(r)) {
		if f < 0x300 || f > 0x36F {
			b = utf8.AppendRune(b, unicode.ToLower(f))
		}
	}
	return b
}

// urlLen is the length of the URL that s begins with, 0 if it begins with none.
func urlLen(s string) int {
	if len(s) < 7 || !isURL(s) {
		return 0
	}
	for k, r := range s {
		if r <= ' ' || IsChar(r) || strings.ContainsRune("<>\"`，。；：！？、（）《》【】“”", r) {
			return k
		}
	}
	return len(s)
}

func isURL(s string) bool {
	switch s[0] | 0x20 {
	case 'h', 'f', 'w', 'g', 's':
	default:
		return false
	}
	for _, scheme := range [...]string{"http://", "https://", "ftp://", "www.", "git://", "ssh://", "ws://", "wss://"} {
		if len(s) > len(scheme) && strings.EqualFold(s[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}

// All calls yield for each token of src.
func All(src string, yield func(Token)) {
	var s Scanner
	s.Reset(src)
	for tok, ok := s.Next(); ok; tok, ok = s.Next() {
		yield(tok)
	}
}

// Fold is the text's tokens in one form of writing: lower-case words and Han runs with single spaces between.
func Fold(src string) string {
	var b strings.Builder
	char := false
	All(src, func(t Token) {
		if b.Len() > 0 && !(char && t.Kind == Char) {
			b.WriteByte(' ')
		}
		b.Write(t.Text)
		char = t.Kind == Char
	})
	return b.String()
}
