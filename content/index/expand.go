package index

import (
	"cmp"
	"slices"
	"strings"

	"weeklybot/content/internal/words"
)

// has says in how many documents term stands.
func (x *Index) has(term string) int {
	n := 0
	for k := range x.parts {
		seg := x.parts[k].seg
		if at, ok := seg.vocab.find(term); ok {
			n += seg.count(at)
		}
	}
	return n
}

// appendTerm adds term as an alternative if any document holds it.
func (x *Index) appendTerm(alts []alternative, term string, weight float32) []alternative {
	if x.has(term) > 0 && !slices.ContainsFunc(alts, func(a alternative) bool { return a.terms[0] == term }) {
		alts = append(alts, alternative{terms: []string{term}, weight: weight})
	}
	return alts
}

// wordAlts are the terms that a typed Latin word stands for: itself and its inflections.
func (x *Index) wordAlts(w string) []alternative {
	alts := x.appendTerm(nil, w, exact)
	for _, form := range inflections(w) {
		alts = x.appendTerm(alts, form, inflected)
	}
	if v := version([]byte(w)); v != nil {
		alts = x.appendTerm(alts, string(v), inflected)
	}
	if isNumber(w) { // 1.25 is also 1.25.3
		alts = append(alts, x.prefixAlts(w+".", inflected, maxExpansions)...)
	}
	return alts
}

// slips is the topic's word that a rare word of the documents is most likely a slip of: someone else mistyped swift too.
func (x *Index) slips(w string) []alternative {
	n := x.has(w)
	if n == 0 || n > slipSeldom || len(w) < minTypo || x.topics.Knows(w) {
		return nil
	}
	near := x.nearestTopic(w)
	if near == "" || x.has(near) < slipRatio*n {
		return nil
	}
	return []alternative{{terms: []string{near}, weight: loosely}}
}

func isNumber(w string) bool {
	return strings.Trim(w, "0123456789.") == "" && strings.Contains(w, ".")
}

// inflections are the other forms of an English word, as far as endings tell; not all of them are words.
func inflections(w string) []string {
	if len(w) < 3 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz") != "" {
		return nil
	}
	out := []string{w + "s", w + "es"}
	if s := words.Singular(w); s != w {
		out = append(out, s)
	}
	stems := []string{w}
	for _, ending := range [...]string{"ing", "ed", "er", "ers"} {
		if stem, ok := strings.CutSuffix(w, ending); ok && len(stem) >= 4 {
			stems = append(stems, stem, stem+"e")
			if n := len(stem); stem[n-1] == stem[n-2] {
				stems = append(stems, stem[:n-1])
			}
		}
	}
	if stem, ok := strings.CutSuffix(w, "e"); ok && len(stem) >= 4 {
		stems = append(stems, stem)
	}
	if len(w) >= 4 {
		for _, stem := range stems {
			out = append(out, stem, stem+"ing", stem+"ed", stem+"er", stem+"ers", stem+"s")
			if strings.HasSuffix(stem, "y") {
				out = append(out, stem[:len(stem)-1]+"ies")
			}
		}
	}
	return out
}

// prefixAlts are the most frequent terms that begin with prefix, at most so many.
func (x *Index) prefixAlts(prefix string, weight float32, most int) []alternative {
	type counted struct {
		term string
		n    int
	}
	count := map[string]int{}
	for p := range x.parts {
		seg := x.parts[p].seg
		v := &seg.vocab
		for k := v.from(prefix); k < v.len() && strings.HasPrefix(v.term(k), prefix); k++ {
			count[v.term(k)] += seg.count(k)
		}
	}
	found := make([]counted, 0, len(count))
	for t, n := range count {
		found = append(found, counted{t, n})
	}
	slices.SortFunc(found, func(a, b counted) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.term, b.term)) })
	var alts []alternative
	for _, c := range found[:min(len(found), most)] {
		alts = append(alts, alternative{terms: []string{c.term}, weight: weight})
	}
	return alts
}

// guess reads a word that no document holds: as two words written together, else as a beginning.
func (x *Index) guess(w string) (alts []alternative, means string) {
	if x.topics.Knows(w) || len(w) < minPrefix {
		return nil, ""
	}
	if a, b := x.splitWord(w); a != "" {
		return []alternative{both(a, b)}, a + " " + b
	}
	if alts = x.prefixAlts(w, guessed, maxExpansions); len(alts) > 0 {
		return alts, w + "…"
	}
	return nil, ""
}

func both(a, b string) alternative {
	return alternative{terms: []string{a, b}, phrase: a + " " + b, weight: joinedWords}
}

// splitWord finds the two words, used together somewhere, that w is made of; the rarer of the two decides which cut is best.
func (x *Index) splitWord(w string) (a, b string) {
	best := 0
	for k := 3; k+3 <= len(w); k++ {
		if n := min(x.has(w[:k]), x.has(w[k:])); n > best && x.matches(both(w[:k], w[k:])) {
			best, a, b = n, w[:k], w[k:]
		}
	}
	return a, b
}

func (x *Index) matches(a alternative) bool {
	for k := range x.parts {
		m := x.parts[k].seg.matcherOf(a)
		for m != nil && m.next() != noDoc {
			if m.sure() {
				return true
			}
		}
	}
	return false
}

// correct replaces each Latin word that neither the documents nor the topics know by the one word within one edit, if there is
// any: by the name of a topic, or, if it is not two words and no beginning either, by a word of the documents.
func (x *Index) correct(ws []word) (out []word, fixed bool) {
	tried := 0
	for k, w := range ws {
		if tried == maxGroups {
			break
		}
		if w.kind != words.Word || w.star || len(w.text) < minTypo || idle[w.text] != 0 || x.topics.Knows(w.text) ||
			x.has(w.text) > 0 || len(x.wordAlts(w.text)) > 0 || x.neighbours(ws, k) {
			continue
		}
		tried++
		better := x.nearestTopic(w.text)
		if alts, _ := x.guess(w.text); better == "" && len(alts) == 0 && len(w.text) >= minFreeTypo {
			better = x.nearestWord(w.text)
		}
		if better != "" {
			if !fixed {
				ws, fixed = slices.Clone(ws), true
			}
			ws[k].text = better
		}
	}
	return ws, fixed
}

// neighbours says whether word k written together with the one before or behind it is a term or a topic's word.
func (x *Index) neighbours(ws []word, k int) bool {
	known := func(a, b int) bool {
		if a < 0 || b >= len(ws) || ws[a].kind != words.Word || ws[b].kind != words.Word {
			return false
		}
		one := ws[a].text + ws[b].text
		return x.topics.Knows(one) || x.has(one) > 0
	}
	return known(k-1, k) || known(k, k+1)
}

// nearestTopic is the word of a topic's name within one edit of w, the most frequent if there are several.
func (x *Index) nearestTopic(w string) string {
	var near closest
	for sym := range x.topics.EachWord {
		if len(sym) >= minTypo && sym[0] == w[0] && oneEdit(sym, w) {
			near.try(sym, x.has(sym))
		}
	}
	return near.word
}

// nearestWord is the most frequent word of the documents within one edit of w. Both begin with the same letter: that one is
// seldom mistyped.
func (x *Index) nearestWord(w string) string {
	var near closest
	for p := range x.parts {
		v := &x.parts[p].seg.vocab
		for k := v.from(w[:1]); k < v.len() && v.term(k)[0] == w[0]; k++ {
			if t := v.term(k); oneEdit(t, w) {
				near.try(t, x.has(t))
			}
		}
	}
	return near.word
}

type closest struct {
	word  string
	count int
}

func (c *closest) try(word string, count int) {
	if c.word == "" || count > c.count || count == c.count && word < c.word {
		c.word, c.count = word, count
	}
}

// oneEdit says whether a and b differ by one letter put in, left out, changed or swapped with its neighbour.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || a == b {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	if a[i+1:] == b[i+1:] {
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// minSplit is how many characters a Han run must have to be several words, and minStrict how many hits make it needless to
// try: who asks for 镜像扫描 wants that, and only when there is little of it items with 镜像 and 扫描 apart.
const (
	minSplit  = 4
	minStrict = 10
)

// loosen reads long Han runs as several words.
func loosen(x *Index, groups []group) []group {
	out := slices.Clone(groups)
	for k, g := range out {
		if g.topic || len(g.alts) != 1 || g.alts[0].phrase == "" {
			continue
		}
		parts := x.segment([]rune(g.typed))
		if len(parts) < 2 {
			continue
		}
		a := alternative{weight: loosely}
		for _, part := range parts {
			a.terms = append(a.terms, hanAlternative(part, 1).terms...)
		}
		g.alts = append(slices.Clone(g.alts), a)
		out[k] = g
	}
	return out
}

// segment cuts a run into words of two and three characters so that the rarest of them is as frequent as can be, and then all of them
// together; nil when some part stands in no document.
func (x *Index) segment(run []rune) []string {
	if len(run) > 4*minSplit {
		return nil
	}
	type cut struct {
		worth int // documents of the rarest part
		sum   int // of all parts
		size  int
	}
	best := make([]cut, len(run)+1) // by end
	best[0].worth = 1 << 30
	for end := 2; end <= len(run); end++ {
		for size := 2; size <= min(3, end); size++ {
			before := best[end-size]
			if before.worth == 0 {
				continue
			}
			part := 1 << 30
			for _, pair := range hanAlternative(string(run[end-size:end]), 1).terms {
				part = min(part, x.has(pair))
			}
			c := cut{min(part, before.worth), part + before.sum, size}
			if c.worth > best[end].worth || c.worth == best[end].worth && c.sum > best[end].sum {
				best[end] = c
			}
		}
	}
	if best[len(run)].worth == 0 {
		return nil
	}
	var parts []string
	for end := len(run); end > 0; end -= best[end].size {
		parts = append(parts, string(run[end-best[end].size:end]))
	}
	slices.Reverse(parts)
	return parts
}
