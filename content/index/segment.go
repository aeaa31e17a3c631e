package index

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"sort"
	"strings"

	"weeklybot/content"
)

// segment is an immutable index over some issues. Documents are numbered from 1, newest issue first.
type segment struct {
	issues   []issueDocs
	sections []sectionDocs
	docs     []uint32 // document → section; the first is unused
	vocab    vocabulary
	blob     []byte
	skips    []skip
	about    map[string][]int32 // terms of series and issue title → issues
	keys     []articleKey       // in order
}

type issueDocs struct {
	issue      *content.Issue
	day        int32  // days since 1970, noDay when undated
	first, end uint32 // documents, end not included
}

const noDay = math.MinInt32

// sectionDocs is a section with its documents, which are its items in order.
type sectionDocs struct {
	section *content.Section
	first   uint32 // document
	issue   int32
}

// vocabulary is the ordered terms of a segment and where their lists are.
type vocabulary struct {
	text  string
	terms []termEntry // one more than there are terms: the last marks the ends
}

type termEntry struct {
	text uint32 // offset in vocabulary.text
	list uint32 // offset in segment.blob
}

func (v *vocabulary) len() int { return len(v.terms) - 1 }

func (v *vocabulary) term(k int) string { return v.text[v.terms[k].text:v.terms[k+1].text] }

// from is the number of the first term that is not before term.
func (v *vocabulary) from(term string) int {
	return sort.Search(v.len(), func(k int) bool { return v.term(k) >= term })
}

func (v *vocabulary) find(term string) (int, bool) {
	k := v.from(term)
	return k, k < v.len() && v.term(k) == term
}

// list is the list of term k. In the blob it begins with its length and form, and, when it has skips, with the number of the first. One
// that is the same as the list of a term before begins with that term's number instead.
func (s *segment) list(k int) list {
	b := s.blob[s.vocab.terms[k].list:s.vocab.terms[k+1].list]
	head, i := step(b, 0)
	l := list{n: head >> formBits}
	switch f := form(head & (1<<formBits - 1)); f {
	case sameForm:
		return s.list(int(l.n))
	case lowsForm, bitsForm:
		l.dense = newDense(f, b[i:], int(l.n), len(s.docs))
		return l
	}
	if skips := skipsOf(l.n); skips > 0 {
		var first uint32
		first, i = step(b, i)
		l.skips = s.skips[first:][:skips]
	}
	l.b = b[i:]
	return l
}

// count is how many documents hold term k.
func (s *segment) count(k int) int {
	head, _ := step(s.blob, int(s.vocab.terms[k].list))
	if form(head&(1<<formBits-1)) == sameForm {
		return s.count(int(head >> formBits))
	}
	return int(head >> formBits)
}

func (s *segment) lookup(term string) (list, bool) {
	k, ok := s.vocab.find(term)
	if !ok {
		return list{}, false
	}
	return s.list(k), true
}

func (s *segment) section(doc uint32) *content.Section { return s.sections[s.docs[doc]].section }

func (s *segment) item(doc uint32) *content.Item {
	sec := &s.sections[s.docs[doc]]
	return &sec.section.Items[doc-sec.first]
}

func (s *segment) issue(doc uint32) *issueDocs { return &s.issues[s.sections[s.docs[doc]].issue] }

// builder makes one segment.
type builder struct {
	seg     *segment
	lex     *lexicon
	reader  textReader
	lists   []listWriter // by term
	tf      []counts     // by term, of the document at hand
	touched []uint32
	field   int
	counter func(uint32) // count, bound once
}

// counts are how often a term stands in each field of one document.
type counts [3]uint16

const (
	titleField = iota
	headingField
	bodyField
)

// How much a term in a field counts (BM25F): a title says what an item is about, a heading what its section is about. A
// length is in words; a field longer than the usual length makes each of its words count less, by the share given.
const (
	titleBoost, headingBoost, bodyBoost = 6.0, 1.5, 1.0
	usualTitle, titleLengthShare        = 10.0, 0.3
	usualBody, bodyLengthShare          = 50.0, 0.6
	saturation                          = 2.0
)

func buildSegment(issues []*content.Issue, topics *content.Topics) *segment {
	lex := newLexicon(topics)
	b := builder{
		seg: &segment{docs: make([]uint32, 1), about: map[string][]int32{}},
		lex: lex, reader: textReader{lex: lex},
	}
	b.counter = b.count
	for _, i := range issues {
		b.issue(i)
	}
	b.finish()
	return b.seg
}

func (b *builder) issue(i *content.Issue) {
	n := int32(len(b.seg.issues))
	at := issueDocs{issue: i, day: noDay, first: uint32(len(b.seg.docs))}
	if t, ok := i.Day(); ok {
		at.day = dayOf(t)
	}
	for s := range i.Sections {
		sec := &i.Sections[s]
		if sec.Kind == content.SectionMeta {
			continue
		}
		b.seg.sections = append(b.seg.sections, sectionDocs{sec, uint32(len(b.seg.docs)), n})
		for k := range sec.Items {
			b.seg.docs = append(b.seg.docs, uint32(len(b.seg.sections)-1))
			b.item(sec, &sec.Items[k])
		}
	}
	at.end = uint32(len(b.seg.docs))
	b.seg.issues = append(b.seg.issues, at)
	b.aboutIssue(n, i)
}

// aboutIssue notes what the issue as a whole is about: "rust" for every item of This Week in Rust.
func (b *builder) aboutIssue(n int32, i *content.Issue) {
	for _, text := range [...]string{i.Series, i.Title} {
		b.reader.read(text, func(id uint32) {
			term := b.lex.names[id]
			if l := b.seg.about[term]; len(l) == 0 || l[len(l)-1] != n {
				b.seg.about[term] = append(l, n)
			}
		})
	}
}

func (b *builder) item(sec *content.Section, it *content.Item) {
	title := b.read(titleField, it.Title)
	for _, tag := range it.Tags {
		b.read(titleField, tag)
	}
	b.read(headingField, sec.Heading)
	for _, h := range sec.Path {
		b.read(headingField, h)
	}
	body := b.read(bodyField, it.Text) + b.read(bodyField, it.By)
	for k := range it.Items {
		body += b.nested(&it.Items[k])
	}
	b.post(uint32(len(b.seg.docs)-1), title, body)
}

func (b *builder) nested(it *content.Item) float64 {
	length := b.read(bodyField, it.Title) + b.read(bodyField, it.Text)
	for k := range it.Items {
		length += b.nested(&it.Items[k])
	}
	return length
}

func (b *builder) read(field int, text string) float64 {
	if text == "" {
		return 0
	}
	b.field = field
	return b.reader.read(text, b.counter)
}

func (b *builder) count(id uint32) {
	for len(b.lists) <= int(id) {
		b.lists = append(b.lists, listWriter{})
		b.tf = append(b.tf, counts{})
	}
	c := &b.tf[id]
	if *c == (counts{}) {
		b.touched = append(b.touched, id)
	}
	if c[b.field] < math.MaxUint16 {
		c[b.field]++
	}
}

// post writes the postings of the document at hand.
func (b *builder) post(doc uint32, title, body float64) {
	perTitle := titleBoost / (1 - titleLengthShare + titleLengthShare*title/usualTitle)
	perBody := bodyBoost / (1 - bodyLengthShare + bodyLengthShare*body/usualBody)
	for _, id := range b.touched {
		c := &b.tf[id]
		sum, fields := 0.0, uint8(0)
		if c[titleField] > 0 {
			sum, fields = sum+float64(min(c[titleField], 2))*perTitle, fields|inTitle
		}
		if c[headingField] > 0 {
			sum, fields = sum+headingBoost, fields|inHeading
		}
		if c[bodyField] > 0 {
			sum, fields = sum+float64(c[bodyField])*perBody, fields|inBody
		}
		b.lists[id].add(doc, fields, uint8(maxWeight*sum/(sum+saturation)))
		*c = counts{}
	}
	b.touched = b.touched[:0]
}

// finish puts all lists into one piece of memory, in the order of their terms.
func (b *builder) finish() {
	ids := make([]uint32, 0, len(b.lists))
	text, size := 0, 0
	for id := range b.lists {
		if b.lists[id].n == 0 {
			continue // a character that ends no run, a word of an issue's name only
		}
		ids = append(ids, uint32(id))
		text += len(b.lex.names[id])
		size += len(b.lists[id].b) + binary.MaxVarintLen32
	}
	b.sortByName(ids)
	var names strings.Builder
	names.Grow(text)
	s := b.seg
	s.blob = make([]byte, 0, size)
	s.vocab.terms = make([]termEntry, 0, len(ids)+1)
	topics := map[string]int{} // number of the term
	for k, id := range ids {
		name, w := b.lex.names[id], &b.lists[id]
		s.vocab.terms = append(s.vocab.terms, termEntry{uint32(names.Len()), uint32(len(s.blob))})
		names.WriteString(name)
		if at, ok := topics[topicMark+name]; ok && bytes.Equal(w.b, b.lists[ids[at]].b) { // a topic that is never called by another name
			s.blob = binary.AppendUvarint(s.blob, uint64(at)<<formBits|uint64(sameForm))
		} else {
			s.appendList(w)
		}
		if strings.HasPrefix(name, topicMark) {
			topics[name] = k
		} else {
			w.b = nil
		}
	}
	s.vocab.terms = append(s.vocab.terms, termEntry{uint32(names.Len()), uint32(len(s.blob))})
	s.vocab.text = names.String()
	s.blob, s.skips = slices.Clone(s.blob), slices.Clone(s.skips)
	s.docs, s.sections, s.issues = slices.Clone(s.docs), slices.Clone(s.sections), slices.Clone(s.issues)
	s.about = compact(s.about)
	s.keys = articleKeys(s)
}

func (s *segment) appendList(w *listWriter) {
	f := formOf(w.n, len(s.docs))
	s.blob = binary.AppendUvarint(s.blob, uint64(w.n)<<formBits|uint64(f))
	if f != sparseForm {
		s.blob = appendDense(f, s.blob, w, len(s.docs))
		return
	}
	if skipsOf(w.n) > 0 {
		s.blob = binary.AppendUvarint(s.blob, uint64(len(s.skips)))
		s.skips = appendSkips(s.skips, w)
	}
	s.blob = append(s.blob, w.b...)
}

// compact is m in few pieces of memory: each small one left behind by the builder keeps a page of its garbage alive.
func compact(m map[string][]int32) map[string][]int32 {
	var text strings.Builder
	size, n := 0, 0
	for term, list := range m {
		size, n = size+len(term), n+len(list)
	}
	text.Grow(size)
	all := make([]int32, 0, n)
	out := make(map[string][]int32, len(m))
	for term, list := range m {
		at, from := text.Len(), len(all)
		text.WriteString(term)
		all = append(all, list...)
		out[text.String()[at:]] = all[from:len(all):len(all)]
	}
	return out
}

// sortByName orders terms by their names. Nearly all differ within eight bytes, which compare as one number.
func (b *builder) sortByName(ids []uint32) {
	start := make([]uint64, len(b.lex.names))
	for id, name := range b.lex.names {
		var first [8]byte
		copy(first[:], name)
		start[id] = binary.BigEndian.Uint64(first[:])
	}
	slices.SortFunc(ids, func(x, y uint32) int {
		if start[x] != start[y] {
			return cmp.Compare(start[x], start[y])
		}
		return strings.Compare(b.lex.names[x], b.lex.names[y])
	})
}

func appendSkips(skips []skip, w *listWriter) []skip {
	c := newCursor(list{b: w.b})
	for k := uint32(1); k < w.n; k++ {
		c.next()
		if k%skipEvery == 0 {
			skips = append(skips, skip{c.at, uint32(c.i)})
		}
	}
	return skips
}
