package content

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"weeklybot/content/internal/words"
)

// Near names the n topics whose spellings are most like text, best first: those that text names, what they say is related and their
// neighbours in the file, then those whose names begin with it, then those that share words or most of their letters. It may name fewer,
// and none for an empty text.
func (t *Topics) Near(text string, n int) []string {
	if t == nil || n <= 0 {
		return nil
	}
	if len(text) > 4*maxSpelling {
		text = text[:4*maxSpelling]
	}
	type near struct {
		topic int
		score float64
	}
	score := t.named(text)
	folded := words.Fold(text)
	t.alike().each(folded, func(topic int, likeness float64) { score[topic] = max(score[topic], likeness) })
	if len(folded) >= minBegun {
		for topic, spellings := range t.folded() {
			if slices.ContainsFunc(spellings, func(s string) bool { return strings.HasPrefix(s, folded) }) {
				score[topic] = max(score[topic], 1)
			}
		}
	}
	var best []near
	for k, s := range score {
		if s >= minLikeness && !t.topics[k].word {
			best = append(best, near{k, s})
		}
	}
	slices.SortFunc(best, func(a, b near) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.topic, b.topic)) })
	var out []string
	for _, b := range best[:min(n, len(best))] {
		out = append(out, t.topics[b.topic].canonical)
	}
	return out
}

// Complete names the n topics that someone may be about to type, best first: those with a spelling that begins with typed, those with a
// word that does, then those Near. It may name fewer, and none for an empty text.
func (t *Topics) Complete(typed string, n int) []string {
	if t == nil || n <= 0 || len(typed) > maxSpelling {
		return nil
	}
	begun := words.Fold(typed)
	if begun == "" {
		return nil
	}
	var first, second []string
	for k, spellings := range t.folded() {
		switch {
		case slices.ContainsFunc(spellings, func(s string) bool { return strings.HasPrefix(s, begun) }):
			first = append(first, t.topics[k].canonical)
		case slices.ContainsFunc(spellings, func(s string) bool { return strings.Contains(s, " "+begun) }):
			second = append(second, t.topics[k].canonical)
		}
	}
	out := append(first, second...)
	if len(out) < n {
		for _, name := range t.Near(typed, n) {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	if canonical, ok := t.Canonical(typed); ok { // one that is typed whole leads
		out = append([]string{canonical}, slices.DeleteFunc(out, func(name string) bool { return name == canonical })...)
	}
	return out[:min(n, len(out))]
}

// minBegun is how long, in bytes, a text must be to be the beginning of a topic.
const minBegun = 4

// minLikeness leaves out what shares only a few letters with the text.
const minLikeness = 0.45

// neighbours is how far a topic's neighbours in the file, which has what belongs together side by side, are still near to it.
const neighbours = 8

// named scores what text mentions (2), what is related to it (1.5) and its neighbours (less than 1.5, the farther the less), by topic.
func (t *Topics) named(text string) []float64 {
	score := make([]float64, len(t.topics))
	m := Matcher{AnyCase: true}
	for _, mention := range m.Mentions(t, text) {
		score[mention.Topic] = 2
		for k := max(0, mention.Topic-neighbours); k < min(len(score), mention.Topic+neighbours+1); k++ {
			score[k] = max(score[k], 1.5-0.05*math.Abs(float64(k-mention.Topic)))
		}
		for _, name := range t.entries[mention.Topic].Related {
			if k, ok := t.lookup(name); ok {
				score[k] = max(score[k], 1.5)
			}
		}
	}
	return score
}

// foldedSpellings are the spellings of each topic, folded; words have none.
func (t *Topics) foldedSpellings() [][]string {
	out := make([][]string, len(t.topics))
	for k := range t.topics {
		if t.topics[k].word {
			continue
		}
		for _, s := range t.topics[k].spellings {
			out[k] = append(out[k], words.Fold(s))
		}
	}
	return out
}

// likenesses are the spellings of all topics by the pairs of letters that they have.
type likenesses struct {
	spellings []pairedSpelling
	having    map[uint64][]int32 // pair → spellings
}

type pairedSpelling struct{ topic, pairs int }

func (t *Topics) likenesses() *likenesses {
	l := &likenesses{having: map[uint64][]int32{}}
	for topic, spellings := range t.folded() {
		for _, s := range spellings {
			ps := pairs(s)
			for _, p := range ps {
				l.having[p] = append(l.having[p], int32(len(l.spellings)))
			}
			l.spellings = append(l.spellings, pairedSpelling{topic, len(ps)})
		}
	}
	return l
}

// each calls yield for every spelling that shares pairs with a folded text: twice the shared part over the sum of both, 0 to 1.
func (l *likenesses) each(folded string, yield func(topic int, likeness float64)) {
	ps := pairs(folded)
	shared := make([]uint16, len(l.spellings))
	for _, p := range ps {
		for _, k := range l.having[p] {
			shared[k]++
		}
	}
	for k, n := range shared {
		if n > 0 {
			yield(l.spellings[k].topic, 2*float64(n)/float64(len(ps)+l.spellings[k].pairs))
		}
	}
}

// pairs are the pairs of neighbouring letters of each word, its borders included; a Han character is a word's worth. A pair that comes
// again is another pair.
func pairs(folded string) []uint64 {
	var out []uint64
	for word := range strings.FieldsSeq(folded) {
		prev := rune('^')
		for _, r := range word + "$" {
			if !words.IsChar(prev) && !words.IsChar(r) || words.IsChar(prev) && words.IsChar(r) {
				out = append(out, uint64(prev)<<32|uint64(r))
			}
			prev = r
		}
	}
	slices.Sort(out)
	again := uint64(0)
	for k := 1; k < len(out); k++ {
		if out[k] == out[k-1]&^(again<<againShift) {
			again++
		} else {
			again = 0
		}
		out[k] |= again << againShift
	}
	return out
}

// againShift is above the bits of a pair.
const againShift = 53
