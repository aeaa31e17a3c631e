package content

import (
	_ "embed"
	"slices"
	"strings"
	"sync"

	"weeklybot/content/internal/words"
)

// Topics is the table of topics: canonical names, shown names and other spellings. It is immutable and safe for concurrent
// use. A nil *Topics knows none.
type Topics struct {
	entries []topicEntry // as written, in order
	topics  []topic      // ordered as entries
	names   map[string]int
	trie    trie
	folded  func() [][]string  // the spellings of each topic, words having none; for Complete and alike
	alike   func() *likenesses // for Near
}

type topic struct {
	canonical string // lower-case name
	name, zh  string // as shown
	word      bool   // a synonym for searches only
	spellings []string
}

//go:embed topics.yaml
var defaultTopics []byte

var builtIn = sync.OnceValue(func() *Topics {
	t, err := ParseTopics(defaultTopics)
	if err != nil {
		panic("content/topics.yaml: " + err.Error()) // the file is part of the program; a test reads it
	}
	return t
})

// DefaultTopics is the table that comes with the program.
func DefaultTopics() *Topics { return builtIn() }

// Len is the number of entries, words included.
func (t *Topics) Len() int {
	if t == nil {
		return 0
	}
	return len(t.topics)
}

// Of names the topics of an item, canonical, ordered, without repeats; nested entries count. It is never nil.
func (t *Topics) Of(it *Item) []string {
	if t == nil {
		return []string{}
	}
	s := scratch.Get().(*ofScratch)
	defer scratch.Put(s)
	s.found = s.found[:0]
	t.collect(&s.matcher, it, &s.found)
	slices.Sort(s.found)
	return append([]string{}, slices.Compact(s.found)...)
}

// ofScratch is memory that Of would make anew for each of 100,000 items.
type ofScratch struct {
	matcher Matcher
	found   []string
}

var scratch = sync.Pool{New: func() any { return &ofScratch{} }}

func (t *Topics) collect(m *Matcher, it *Item, out *[]string) {
	for _, text := range [...]string{it.Title, it.Text} {
		for _, mention := range m.Mentions(t, text) {
			if tp := &t.topics[mention.Topic]; !tp.word {
				*out = append(*out, tp.canonical)
			}
		}
	}
	for k := range it.Items {
		t.collect(m, &it.Items[k], out)
	}
}

// Canonical resolves any spelling (alias, either language, any case, width or spacing) to the canonical name.
func (t *Topics) Canonical(name string) (canonical string, ok bool) {
	k, ok := t.lookup(name)
	if !ok {
		return "", false
	}
	return t.topics[k].canonical, true
}

func (t *Topics) lookup(name string) (int, bool) {
	if t == nil || len(name) > maxSpelling {
		return 0, false
	}
	folded := words.Fold(name)
	for _, form := range [...]string{folded, joined(folded), words.Singular(folded)} {
		if k, ok := t.names[form]; ok {
			return k, true
		}
	}
	return 0, false
}

func joined(folded string) string { return strings.ReplaceAll(folded, " ", "") }

// Shown is how a canonical name is shown to people who read lang ("zh" or "en"). An unknown name is shown as it is.
func (t *Topics) Shown(canonical, lang string) string {
	if t == nil {
		return canonical
	}
	k, ok := t.names[words.Fold(canonical)]
	switch {
	case !ok:
		return canonical
	case lang == "zh" && t.topics[k].zh != "":
		return t.topics[k].zh
	default:
		return t.topics[k].name
	}
}

// Canonicals names every topic that items can carry, ordered.
func (t *Topics) Canonicals() []string {
	var out []string
	if t == nil {
		return out
	}
	for k := range t.topics {
		if !t.topics[k].word {
			out = append(out, t.topics[k].canonical)
		}
	}
	slices.Sort(out)
	return out
}

// Name is the canonical name of the entry with a Mention's number.
func (t *Topics) Name(topic int) string { return t.topics[topic].canonical }

// Knows says whether word (folded) is part of any spelling of any topic.
func (t *Topics) Knows(word string) bool {
	if t == nil {
		return false
	}
	sym := t.trie.symbols[word]
	return sym > 0 && sym <= t.trie.named
}

// EachWord calls yield for each word of each spelling, folded, in no particular order, until it returns false.
func (t *Topics) EachWord(yield func(string) bool) {
	if t == nil {
		return
	}
	for w, sym := range t.trie.symbols {
		if sym <= t.trie.named && !yield(w) {
			return
		}
	}
}
