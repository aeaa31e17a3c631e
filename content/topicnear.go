package content

import (
	"cmp"
	"slices"
	"strings"

	"weeklybot/content/internal/words"
)

// Near names the n topics whose spellings are most like text, best first: first those that text names and what they say is
// related, then those that share words or most of their letters. It may name fewer, and none for an empty text.
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
	grams := pairs(words.Fold(text))
	for k, spellings := range t.pairs() {
		for _, s := range spellings {
			score[k] = max(score[k], dice(grams, s))
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

// minLikeness leaves out what shares only a few letters with the text.
const minLikeness = 0.45

// named scores what text mentions (2) and what is related to it (1.5).
func (t *Topics) named(text string) map[int]float64 {
	score := map[int]float64{}
	var m Matcher
	for _, mention := range m.Mentions(t, text) {
		score[mention.Topic] = 2
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

// spellingPairs are the pairs of each spelling of each topic.
func (t *Topics) spellingPairs() [][][]uint64 {
	out := make([][][]uint64, len(t.topics))
	for k, spellings := range t.folded() {
		for _, s := range spellings {
			out[k] = append(out[k], pairs(s))
		}
	}
	return out
}

// pairs are the sorted pairs of neighbouring letters of each word, its borders included; a Han character is a word's worth.
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
	return out
}

// dice is twice the shared part of two sorted lists over their lengths, 0 to 1.
func dice(a, b []uint64) float64 {
	if most := 2 * float64(min(len(a), len(b))) / float64(max(1, len(a)+len(b))); most < minLikeness {
		return 0 // whatever they share
	}
	both := 0
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch c := cmp.Compare(a[i], b[j]); {
		case c == 0:
			both, i, j = both+1, i+1, j+1
		case c < 0:
			i++
		default:
			j++
		}
	}
	return 2 * float64(both) / float64(len(a)+len(b))
}
