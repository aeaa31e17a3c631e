package index

import (
	"math"
	"slices"
	"strings"

	"weeklybot/content"
	"weeklybot/content/internal/words"
)

// matcher finds the documents of one segment that may match something. It either walks them in order, next after next, or is asked
// about one after the other, in order too: has moves to the document if it may match. doc is where it stands, 0 before the first, noDoc
// behind the last. sure says whether the document does match, which may mean reading its text: it is asked last. value is how well the
// document, of which it is sure, matches, 0 to 1, and in which fields.
type matcher interface {
	doc() uint32
	next() uint32
	has(doc uint32) bool
	sure() bool
	value() (float32, uint8)
	cost() int // about how many documents
}

// weighted scales a matcher's values.
type weighted struct {
	matcher
	weight float32
}

func (w weighted) value() (float32, uint8) {
	v, f := w.matcher.value()
	return v * w.weight, f
}

// union matches what any of its parts matches.
type union struct {
	parts []matcher
	at    uint32
}

func (u *union) doc() uint32 { return u.at }

func (u *union) next() uint32 {
	least := uint32(noDoc)
	for _, p := range u.parts {
		d := p.doc()
		if d == u.at && d != noDoc { // at the beginning all stand at 0
			d = p.next()
		}
		least = min(least, d)
	}
	u.at = least
	return least
}

func (u *union) has(doc uint32) bool {
	found := false
	for _, p := range u.parts {
		if p.has(doc) {
			found = true
		}
	}
	if found {
		u.at = doc
	}
	return found
}

func (u *union) sure() bool {
	return slices.ContainsFunc(u.parts, func(p matcher) bool { return p.doc() == u.at && p.sure() })
}

func (u *union) value() (float32, uint8) {
	var best float32
	var fields uint8
	for _, p := range u.parts {
		if p.doc() == u.at && p.sure() {
			v, f := p.value()
			best, fields = max(best, v), fields|f
		}
	}
	return best, fields
}

func (u *union) cost() int {
	n := 0
	for _, p := range u.parts {
		n += p.cost()
	}
	return n
}

// all matches what each of its parts matches; with a phrase, only documents that hold it.
type all struct {
	seg    *segment
	parts  []*cursor // the rarest first
	phrase string
	latin  bool   // the phrase is of Latin words
	read   uint32 // the document that was read last
	fields uint8  // of it, that hold the phrase
}

func newAll(seg *segment, parts []*cursor, phrase string) matcher {
	slices.SortFunc(parts, func(a, b *cursor) int { return a.cost() - b.cost() })
	return &all{seg: seg, parts: parts, phrase: phrase, latin: strings.Contains(phrase, " ")}
}

func (a *all) doc() uint32 { return a.parts[0].at }

func (a *all) next() uint32 {
	for {
		if doc := a.parts[0].next(); doc == noDoc || a.others(doc) {
			return doc
		}
	}
}

// others says whether all parts but the first hold doc.
func (a *all) others(doc uint32) bool {
	for _, p := range a.parts[1:] {
		if !p.has(doc) {
			return false
		}
	}
	return true
}

// has asks the first part last: it stands at doc only when all hold it.
func (a *all) has(doc uint32) bool { return a.others(doc) && a.parts[0].has(doc) }

// sure looks for the phrase in the fields that all parts share.
func (a *all) sure() bool {
	doc := a.doc()
	if a.phrase == "" || a.read == doc {
		return a.phrase == "" || a.fields != 0
	}
	fields := uint8(0xff)
	for _, p := range a.parts {
		_, f := p.value()
		fields &= f
	}
	it := a.seg.item(doc)
	a.read, a.fields = doc, 0
	if fields&inTitle != 0 && (a.holds(it.Title) || slices.ContainsFunc(it.Tags, a.holds)) {
		a.fields |= inTitle
	}
	if fields&inHeading != 0 {
		sec := a.seg.section(doc)
		if a.holds(sec.Heading) || slices.ContainsFunc(sec.Path, a.holds) {
			a.fields |= inHeading
		}
	}
	if fields&inBody != 0 && a.inBody(it) {
		a.fields |= inBody
	}
	return a.fields != 0
}

func (a *all) inBody(it *content.Item) bool {
	return a.holds(it.Text) || a.holds(it.By) || slices.ContainsFunc(it.Items, func(n content.Item) bool { return a.holds(n.Title) || a.inBody(&n) })
}

func (a *all) holds(text string) bool {
	if a.latin {
		return phraseIn(words.Fold(text), a.phrase)
	}
	return strings.Contains(text, a.phrase) || words.HasTraditional(text) && strings.Contains(words.Fold(text), a.phrase)
}

// phraseIn looks for whole words; both are folded.
func phraseIn(folded, phrase string) bool {
	for from := 0; ; {
		k := strings.Index(folded[from:], phrase)
		if k < 0 {
			return false
		}
		k += from
		end := k + len(phrase)
		if (k == 0 || folded[k-1] == ' ') && (end == len(folded) || folded[end] == ' ') {
			return true
		}
		from = k + 1
	}
}

// value of several terms is that of the weakest, since together they are one thing.
func (a *all) value() (float32, uint8) {
	least, fields := float32(math.MaxFloat32), uint8(0)
	for _, p := range a.parts {
		v, f := p.value()
		least, fields = min(least, v), fields|f
	}
	if a.phrase != "" {
		fields = a.fields
	}
	return least, fields
}

func (a *all) cost() int { return a.parts[0].cost() }

// issueDocsMatcher matches every document of some issues, poorly: their name says it, not the item.
type issueDocsMatcher struct {
	seg    *segment
	issues []int32
	k      int
	at     uint32
}

func (m *issueDocsMatcher) doc() uint32 { return m.at }

func (m *issueDocsMatcher) next() uint32 { return m.seek(m.at + 1) }

func (m *issueDocsMatcher) seek(doc uint32) uint32 {
	for m.k < len(m.issues) {
		at := &m.seg.issues[m.issues[m.k]]
		if doc < at.end && at.first < at.end {
			m.at = max(doc, at.first, m.at)
			return m.at
		}
		m.k++
	}
	m.at = noDoc
	return noDoc
}

func (m *issueDocsMatcher) has(doc uint32) bool { return m.seek(doc) == doc }

func (m *issueDocsMatcher) sure() bool { return true }

func (m *issueDocsMatcher) value() (float32, uint8) { return contextual, inContext }

func (m *issueDocsMatcher) cost() int {
	n := 0
	for _, i := range m.issues {
		n += int(m.seg.issues[i].end - m.seg.issues[i].first)
	}
	return n
}

// matcherFor is what of the segment matches g; nil when nothing does.
func (s *segment) matcherFor(g group) matcher {
	var parts []matcher
	for _, a := range g.alts {
		if m := s.matcherOf(a); m != nil {
			parts = append(parts, m)
		}
	}
	switch len(parts) {
	case 0:
		return nil
	case 1:
		return parts[0]
	}
	return &union{parts: parts}
}

// withContext is m, and every document of the issues whose name says what g asks for.
func (s *segment) withContext(m matcher, g group) matcher {
	var parts []matcher
	for _, a := range g.alts {
		if len(a.terms) == 1 {
			if issues := s.about[a.terms[0]]; len(issues) > 0 {
				parts = append(parts, &issueDocsMatcher{seg: s, issues: issues})
			}
		}
	}
	if len(parts) == 0 {
		return m
	}
	if m != nil {
		parts = append(parts, m)
	}
	return &union{parts: parts}
}

func (s *segment) matcherOf(a alternative) matcher {
	parts := make([]*cursor, 0, len(a.terms))
	for _, t := range a.terms {
		l, ok := s.lookup(t)
		if !ok {
			return nil
		}
		parts = append(parts, newCursor(l))
	}
	var m matcher
	switch {
	case len(parts) == 0:
		return nil
	case len(parts) == 1:
		m = parts[0]
	default:
		m = newAll(s, parts, a.phrase)
	}
	if a.weight != exact {
		m = weighted{m, a.weight}
	}
	return m
}
