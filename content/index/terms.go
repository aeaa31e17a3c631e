package index

import (
	"unicode/utf8"

	"weeklybot/content"
	"weeklybot/content/internal/words"
)

// The vocabulary holds three sorts of terms in one order: Latin words as they are ("kubernetes"), Han runs as overlapping
// pairs of characters ("服务", "务网", "网格") and the last character of a run alone ("格"), and topics by canonical name
// behind topicMark. Because of the last characters every character begins some term: one character is a prefix.
const topicMark = "\x01"

// lexicon numbers the terms of one segment while it is built, and keeps what the topics know of each.
type lexicon struct {
	topics  *content.Topics
	names   []string
	ids     map[string]uint32
	symbols []content.Symbol // by term, of words only
	pairs   map[[2]rune]uint32
	chars   map[rune]charInfo
	byTopic map[int]uint32
}

type charInfo struct {
	symbol content.Symbol
	id     uint32
}

func newLexicon(topics *content.Topics) *lexicon {
	return &lexicon{topics: topics, ids: map[string]uint32{}, pairs: map[[2]rune]uint32{}, chars: map[rune]charInfo{}, byTopic: map[int]uint32{}}
}

func (l *lexicon) enter(name string, s content.Symbol) uint32 {
	id := uint32(len(l.names))
	l.names = append(l.names, name)
	l.symbols = append(l.symbols, s)
	return id
}

func (l *lexicon) word(text []byte) uint32 {
	id, ok := l.ids[string(text)]
	if !ok {
		name := string(text)
		id = l.enter(name, l.topics.Symbol(text, words.Word))
		l.ids[name] = id
	}
	return id
}

func (l *lexicon) pair(a, b rune) uint32 {
	id, ok := l.pairs[[2]rune{a, b}]
	if !ok {
		id = l.enter(string([]rune{a, b}), content.Symbol{})
		l.pairs[[2]rune{a, b}] = id
	}
	return id
}

func (l *lexicon) char(r rune) charInfo {
	c, ok := l.chars[r]
	if !ok {
		c.symbol = l.topics.Symbol([]byte(string(r)), words.Char)
		c.id = l.enter(string(r), c.symbol)
		l.chars[r] = c
	}
	return c
}

func (l *lexicon) topic(n int) uint32 {
	id, ok := l.byTopic[n]
	if !ok {
		id = l.enter(topicMark+l.topics.Name(n), content.Symbol{})
		l.byTopic[n] = id
	}
	return id
}

// textReader turns texts into terms. It holds scratch memory: one per goroutine.
type textReader struct {
	lex     *lexicon
	scan    words.Scanner
	matcher content.Matcher
}

// read calls yield for every term of text. It returns the length of the text in words, a Han character counting half a word.
func (r *textReader) read(text string, yield func(term uint32)) float64 {
	length := 0.0
	var last rune // of the Han run so far; 0 = none
	var lastID uint32
	flush := func() {
		if last != 0 {
			yield(lastID)
		}
		last = 0
	}
	r.matcher.Reset()
	r.scan.Reset(text)
	for tok, ok := r.scan.Next(); ok; tok, ok = r.scan.Next() {
		if tok.Kind == words.Word {
			flush()
			length++
			r.word(tok, text[tok.Start:tok.End], yield)
			continue
		}
		length += 0.5
		if tok.Spaced {
			flush()
		}
		char, _ := utf8.DecodeRune(tok.Text)
		c := r.lex.char(char)
		r.matcher.Add(tok, c.symbol)
		if last != 0 {
			yield(r.lex.pair(last, char))
		}
		last, lastID = char, c.id
	}
	flush()
	for _, m := range r.matcher.Found(r.lex.topics, text) {
		yield(r.lex.topic(m.Topic))
	}
	return length
}

// word yields a word, and what else it is found by. raw is the word as written.
func (r *textReader) word(tok words.Token, raw string, yield func(term uint32)) {
	id := r.lex.word(tok.Text)
	r.matcher.Add(tok, r.lex.symbols[id])
	yield(id)
	if base := words.Letters(tok.Text); base != nil { // Swift5 is found by swift too
		yield(r.lex.word(base))
	}
	if v := version(tok.Text); v != nil {
		yield(r.lex.word(v))
	}
	if r.lex.symbols[id].Known() { // GitHub is no hub
		return
	}
	for from := 0; from < len(raw) && len(raw) == len(tok.Text); { // ServiceAccountIssuer is found by each of its words
		end := hump(raw, from)
		if end-from < len(raw) && end-from >= minHump {
			yield(r.lex.word(tok.Text[from:end]))
		}
		from = end
	}
}

// minHump is how many letters a part of a joined word must have to be a word.
const minHump = 3

// hump is the end of the part of a joined word that begins at from: the next capital behind a small letter.
func hump(raw string, from int) int {
	for k := from + 1; k < len(raw); k++ {
		if raw[k] >= 'A' && raw[k] <= 'Z' && raw[k-1] >= 'a' && raw[k-1] <= 'z' {
			return k
		}
	}
	return len(raw)
}

// version is the number behind the v of v1.25; nil for other words.
func version(word []byte) []byte {
	if len(word) < 2 || word[0] != 'v' {
		return nil
	}
	for _, c := range word[1:] {
		if c != '.' && (c < '0' || c > '9') {
			return nil
		}
	}
	return word[1:]
}
