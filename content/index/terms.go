package index

import (
	"weeklybot/content"
	"weeklybot/content/internal/words"
)

// The vocabulary holds three sorts of terms in one order: Latin words as they are ("kubernetes"), Han runs as overlapping
// pairs of characters ("服务", "务网", "网格") and the last character of a run alone ("格"), and topics by canonical name
// behind topicMark. Because of the last characters every character begins some term: one character is a prefix.
const topicMark = "\x01"

// textReader turns texts into terms. It holds scratch memory: one per goroutine.
type textReader struct {
	topics  *content.Topics
	scan    words.Scanner
	matcher content.Matcher
	buf     []byte
}

// read calls yield for every term of text; the bytes are valid during the call only. It returns the length of the text in
// words, a Han character counting half a word.
func (r *textReader) read(text string, yield func(term []byte)) float64 {
	length := r.words(text, yield)
	for _, m := range r.matcher.Mentions(r.topics, text) {
		r.buf = append(append(r.buf[:0], topicMark...), r.topics.Name(m.Topic)...)
		yield(r.buf)
	}
	return length
}

func (r *textReader) words(text string, yield func(term []byte)) float64 {
	length := 0.0
	run := 0 // characters of the Han run so far; the last one is in buf
	flush := func() {
		if run > 0 {
			yield(r.buf)
		}
		run = 0
	}
	r.scan.Reset(text)
	for tok, ok := r.scan.Next(); ok; tok, ok = r.scan.Next() {
		if tok.Kind == words.Char {
			length += 0.5
			if tok.Spaced {
				flush()
			}
			if run > 0 {
				last := len(r.buf)
				r.buf = append(r.buf, tok.Text...)
				yield(r.buf)
				r.buf = append(r.buf[:0], r.buf[last:]...)
			} else {
				r.buf = append(r.buf[:0], tok.Text...)
			}
			run++
			continue
		}
		flush()
		length++
		yield(tok.Text)
		if base := words.Letters(tok.Text); base != nil { // Swift5 is found by swift too
			yield(base)
		}
		if v := version(tok.Text); v != nil {
			yield(v)
		}
	}
	flush()
	return length
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
