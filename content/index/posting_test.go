package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// madeList writes the same postings in one form.
func madeList(f form, docs int, holds []candidate) list {
	w := &listWriter{}
	for _, c := range holds {
		w.add(c.doc, uint8(c.where), uint8(c.score))
	}
	if f == sparseForm {
		return list{n: w.n, b: w.b, skips: appendSkips(nil, w)}
	}
	return list{n: w.n, dense: newDense(f, appendDense(f, nil, w, docs), int(w.n), docs)}
}

// TestLists walks, reads, asks and narrows lists of every density in each form, to the last document, at and beside the borders of buckets.
func TestLists(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for _, docs := range []int{65, 256, 257, 1000, 5121} {
		for _, share := range []float64{0.02, 0.2, 0.7, 1} {
			var all, every []candidate
			for doc := 1; doc < docs; doc++ {
				c := candidate{uint32(doc), float32(random.IntN(256)), uint64(1 + random.IntN(7))}
				every = append(every, candidate{doc: c.doc})
				if random.Float64() < share || doc == docs-1 {
					all = append(all, c)
				}
			}
			for _, f := range []form{sparseForm, lowsForm, bitsForm} {
				if f != sparseForm && len(all) < minDense {
					continue
				}
				t.Run(fmt.Sprintf("%d of %d, form %d", len(all), docs, f), func(t *testing.T) {
					checkList(t, madeList(f, docs, all), all, every)
				})
			}
		}
	}
}

func checkList(t *testing.T, l list, all, every []candidate) {
	var walked, asked, read []candidate
	c := newCursor(l)
	for d := c.next(); d != noDoc; d = c.next() {
		walked = append(walked, candidate{d, float32(c.weight), uint64(c.fields)})
	}
	c = newCursor(l)
	for _, e := range every {
		if c.has(e.doc) {
			asked = append(asked, candidate{c.doc(), float32(c.weight), uint64(c.fields)})
		}
	}
	c = newCursor(l)
	for room := make([]candidate, 0, 7); ; {
		found := c.read(room, nil, 0, 1)
		if len(found) == 0 {
			break
		}
		read = append(read, found...)
	}
	if d := l.dense; d != nil {
		var walk denseCursor
		k := 0
		for walk.k < d.n {
			for _, doc := range walk.docs(d, make([]uint32, 7)) {
				if doc != all[k].doc {
					t.Fatalf("docs: number %d is %d, want %d", k, doc, all[k].doc)
				}
				k++
			}
		}
	}
	narrowed := newCursor(l).narrow(slices.Clone(every), 0, 1)
	for name, got := range map[string][]candidate{"next": walked, "has": asked, "read": read, "narrow": narrowed} {
		if diff := cmp.Diff(all, got, cmp.AllowUnexported(candidate{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestMeeting compares documents that several lists hold with what each list says by itself.
func TestMeeting(t *testing.T) {
	const docs = 3000
	random := rand.New(rand.NewPCG(2, 2))
	made := func(share float64, f form) list {
		var all []candidate
		for doc := range uint32(docs) {
			if doc > 0 && random.Float64() < share {
				all = append(all, candidate{doc, float32(doc % 256), uint64(1 + doc%7)})
			}
		}
		return madeList(f, docs, all)
	}
	for name, lists := range map[string][]list{
		"bits and bits":         {made(0.5, bitsForm), made(0.4, bitsForm)},
		"sparse, bits and lows": {made(0.1, sparseForm), made(0.4, bitsForm), made(0.3, lowsForm)},
		"lows, bits and sparse": {made(0.1, lowsForm), made(0.4, bitsForm), made(0.3, sparseForm)},
		"sparse and sparse":     {made(0.3, sparseForm), made(0.2, sparseForm)},
		"never":                 {made(0.1, lowsForm), made(0, sparseForm)},
	} {
		t.Run(name, func(t *testing.T) {
			var m meeting
			idf := make([]float32, len(lists))
			for k, l := range lists {
				m.terms = append(m.terms, newCursor(l))
				idf[k] = maxWeight
			}
			m.begin(idf)
			var got, want []candidate
			for {
				found, ok := m.next()
				got = append(got, found...)
				if !ok {
					break
				}
			}
			cursors := make([]*cursor, len(lists))
			for k, l := range lists {
				cursors[k] = newCursor(l)
			}
		docs:
			for doc := range uint32(docs) {
				sum := candidate{doc: doc}
				for k, c := range cursors {
					if doc == 0 || !c.has(doc) {
						continue docs
					}
					sum.score += float32(c.weight)
					sum.where |= uint64(c.fields) << (4 * k)
				}
				want = append(want, sum)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(candidate{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
