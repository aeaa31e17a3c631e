package content

import (
	"weeklybot/content/internal/words"
)

// trie holds every spelling as a path of tokens, so that a text is matched token by token: k8s is no part of k8sfoo.
type trie struct {
	symbols map[string]int32 // token → symbol, from 1
	root    []int32          // symbol → node, 0 = none
	next    map[uint64]int32 // node<<32 | symbol → node
	ends    []end            // by node; node 0 is unused
	named   int32            // symbols up to this one stand in spellings, the others in phrases that mute only
}

// end says which topic's spelling ends at a node.
type end struct {
	topic int32 // -1 = none
	cased int32 // topic whose spelling counts only in the case of raw; -1 = none
	raw   string
	mutes bool // what lies inside the phrase that ends here is no mention
}

func newTrie() trie {
	return trie{symbols: map[string]int32{}, root: []int32{0}, next: map[uint64]int32{}, ends: []end{{topic: -1, cased: -1}}}
}

// add enters one spelling. An earlier one stays.
func (tr *trie) add(spelling string, topic int, cased bool) {
	node := tr.path(spelling)
	e := &tr.ends[node]
	switch {
	case node == 0:
	case cased && e.cased < 0:
		e.cased, e.raw = int32(topic), spelling
	case !cased && e.topic < 0:
		e.topic = int32(topic)
	}
}

// mute enters a phrase that holds a spelling and means something else.
func (tr *trie) mute(phrase string) {
	if node := tr.path(phrase); node != 0 {
		tr.ends[node].mutes = true
	}
}

// path is the node at which text ends, 0 for a text without tokens.
func (tr *trie) path(text string) int32 {
	node := int32(0)
	words.All(text, func(tok words.Token) { node = tr.step(node, string(tok.Text)) })
	return node
}

func (tr *trie) step(node int32, token string) int32 {
	sym, ok := tr.symbols[token]
	if !ok {
		sym = int32(len(tr.symbols) + 1)
		tr.symbols[token] = sym
		tr.root = append(tr.root, 0)
	}
	if next := tr.child(node, sym); next != 0 {
		return next
	}
	next := int32(len(tr.ends))
	tr.ends = append(tr.ends, end{topic: -1, cased: -1})
	if node == 0 {
		tr.root[sym] = next
	} else {
		tr.next[uint64(node)<<32|uint64(sym)] = next
	}
	return next
}

func (tr *trie) child(node, sym int32) int32 {
	if node == 0 {
		return tr.root[sym]
	}
	return tr.next[uint64(node)<<32|uint64(sym)]
}

// Mention is one place where a text names a topic.
type Mention struct {
	Topic       int  // number for Topics.Name
	First, Last int  // tokens of the text, from 0, Last included
	Start, End  int  // bytes of the text
	Nested      bool // inside a longer mention
	Cased       bool // by a spelling that counts in running text only in its own case
}

// Matcher finds mentions. It holds scratch memory: one per goroutine. The zero value is ready.
type Matcher struct {
	// AnyCase lets a name that has an everyday meaning too count in any case, as in what a person types to search.
	AnyCase bool

	scan     words.Scanner
	tokens   []matchToken
	mentions []Mention
	any      bool // some token is part of some spelling
}

type matchToken struct {
	sym, alt   int32 // symbol as written, and without a plural ending or a version number; 0 = none
	broken     bool
	start, end int32
}

// Mentions finds every mention in text, leftmost first; the slice is valid until the next call. Of two that overlap the
// first stays, unless one lies inside the other: then both do.
func (m *Matcher) Mentions(t *Topics, text string) []Mention {
	if t == nil {
		return nil
	}
	m.Reset()
	m.scan.Reset(text)
	for tok, ok := m.scan.Next(); ok; tok, ok = m.scan.Next() {
		m.Add(tok, t.Symbol(tok.Text, tok.Kind))
	}
	return m.Found(t, text)
}

// Symbol is how the topics know a word or character: as written, and without a plural ending or a number glued to it
// (swift5). 0 means not at all. It never changes, so who reads many texts can keep it.
type Symbol struct{ as, like int32 }

// Known says whether the word stands in any spelling.
func (s Symbol) Known() bool { return s != Symbol{} }

// Symbol looks a folded token up.
func (t *Topics) Symbol(token []byte, kind words.Kind) (s Symbol) {
	if t == nil {
		return s
	}
	s.as = t.trie.symbols[string(token)]
	if kind == words.Word {
		s.like = t.trie.alternative(token)
	}
	return s
}

// Reset, Add and Found are Mentions in steps, for who reads the tokens of a text for other ends too: Add takes each token in
// order, Found searches.
func (m *Matcher) Reset() { m.tokens, m.any = m.tokens[:0], false }

// Add takes the next token.
func (m *Matcher) Add(tok words.Token, s Symbol) {
	m.tokens = append(m.tokens, matchToken{sym: s.as, alt: s.like, broken: tok.Broken, start: int32(tok.Start), end: int32(tok.End)})
	m.any = m.any || s.as|s.like != 0
}

// Found is what Mentions gives.
func (m *Matcher) Found(t *Topics, text string) []Mention {
	m.mentions = m.mentions[:0]
	if t == nil || !m.any {
		return nil
	}
	reach, muted := -1, -1 // last tokens of the longest mention and of the phrases that mute, so far
	for k := range m.tokens {
		from := len(m.mentions)
		mutes := m.walk(&t.trie, text, k)
		kept := m.mentions[:from]
		for _, found := range m.mentions[from:] {
			if found.Last <= muted || found.Last < mutes {
				continue
			}
			found.Nested = found.Last <= reach
			if found.Nested || found.First > reach {
				kept = append(kept, found)
			}
		}
		m.mentions, muted = kept, max(muted, mutes)
		if len(kept) > from {
			for j := from; j < len(kept)-1; j++ {
				kept[j].Nested = true
			}
			reach = max(reach, kept[len(kept)-1].Last)
		}
	}
	return m.mentions
}

// alternative is the symbol of a word without its plural ending, or without the number glued to it: swift5.
func (tr *trie) alternative(word []byte) int32 {
	if base := words.SingularBytes(word); len(base) < len(word) {
		if sym := tr.symbols[string(base)]; sym != 0 {
			return sym
		}
	}
	if base := words.Letters(word); base != nil {
		return tr.symbols[string(base)]
	}
	return 0
}

// walk appends the mentions that begin at token k, shortest first. mutes is the last token of the longest phrase from there on that
// mutes what lies inside it, -1 when there is none.
func (m *Matcher) walk(tr *trie, text string, k int) (mutes int) {
	node := int32(0)
	mutes = -1
	for j := k; j < len(m.tokens); j++ {
		tok := &m.tokens[j]
		if j > k && tok.broken {
			return mutes
		}
		next := int32(0)
		if tok.sym != 0 {
			next = tr.child(node, tok.sym)
		}
		if next == 0 && tok.alt != 0 {
			next = tr.child(node, tok.alt)
		}
		if node = next; node == 0 {
			return mutes
		}
		e := &tr.ends[node]
		if e.mutes {
			mutes = j
		}
		if topic := e.match(text[m.tokens[k].start:tok.end], m.AnyCase); topic >= 0 {
			m.mentions = append(m.mentions, Mention{
				Topic: int(topic), First: k, Last: j, Start: int(m.tokens[k].start), End: int(tok.end), Cased: e.topic < 0,
			})
		}
	}
	return mutes
}

func (e *end) match(raw string, anyCase bool) int32 {
	if e.cased >= 0 && e.topic < 0 && (anyCase || sameCase(raw, e.raw)) {
		return e.cased
	}
	return e.topic
}

// sameCase compares the beginnings: what may follow in raw is a glued number.
func sameCase(raw, want string) bool {
	return len(raw) >= len(want) && raw[:len(want)] == want
}
