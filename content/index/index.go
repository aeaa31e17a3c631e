package index

import (
	"sync"

	"weeklybot/content"
)

// Index answers searches over one Library.
type Index struct {
	lib    *content.Library
	topics *content.Topics
	parts  []part
	arts   articles
	docs   int   // living ones
	newest int32 // day of the newest issue, noDay when none has a date

	popular func() []content.TopicCount
	scratch *sync.Pool // of *collector
}

// part is a segment as this Index sees it.
type part struct {
	seg     *segment
	dead    bitset // documents of issues that are gone; nil when none is
	deadN   int
	recency []float32 // by section
}

// An Index grows by small segments. When there are more than maxParts, Tidy makes all but the first one; when what was added or is dead
// reaches rebuildShare of all documents, it builds everything anew.
const (
	maxParts     = 8
	rebuildShare = 0.2
	maxTail      = 200 // documents that a small Index may grow by before it is built anew
	mostParts    = 4 * maxParts
)

// Build reads the whole library. It takes seconds for 100,000 items and uses one core.
func Build(lib *content.Library, topics *content.Topics) *Index {
	return assemble(lib, topics, []*segment{buildSegment(lib.Issues(), topics)}, nil)
}

// Update is an Index over lib that reads only the issues which x does not hold yet; issues are the same when their pointers
// are. x stays as it is. It takes milliseconds for one new issue. Who updates again and again calls Tidy when the new Index is in use;
// without it Update does so every 32nd time.
func (x *Index) Update(lib *content.Library) *Index {
	if len(x.parts) > mostParts {
		x = x.Tidy()
	}
	have := map[*content.Issue]bool{}
	for _, i := range lib.Issues() {
		have[i] = false
	}
	var segs []*segment
	var dead []bitset
	for _, p := range x.parts {
		var gone bitset
		for n := range p.seg.issues {
			at := &p.seg.issues[n]
			if _, ok := have[at.issue]; ok {
				have[at.issue] = true
				continue
			}
			gone = gone.with(len(p.seg.docs), at.first, at.end)
		}
		segs, dead = append(segs, p.seg), append(dead, gone)
	}
	var added []*content.Issue
	for _, i := range lib.Issues() {
		if !have[i] {
			added = append(added, i)
		}
	}
	if len(added) > 0 {
		segs, dead = append(segs, buildSegment(added, x.topics)), append(dead, nil)
	}
	return x.grow(lib, segs, dead)
}

// Tidy is an Index that gives the same answers from fewer parts: x itself when it is in order. It takes from milliseconds up to a whole Build,
// while x can be asked.
func (x *Index) Tidy() *Index {
	base, total, lost := &x.parts[0], 0, 0
	for k := range x.parts {
		total += len(x.parts[k].seg.docs) - 1
		lost += x.parts[k].deadN
	}
	grown := total - (len(base.seg.docs) - 1)
	switch {
	case float64(grown+lost) > rebuildShare*float64(total)+maxTail:
		return Build(x.lib, x.topics)
	case len(x.parts) > maxParts:
		return assemble(x.lib, x.topics, []*segment{base.seg, buildSegment(tail(x.lib, base.seg), x.topics)}, []bitset{base.dead, nil})
	}
	return x
}

// tail are the issues of lib that base does not hold.
func tail(lib *content.Library, base *segment) []*content.Issue {
	in := map[*content.Issue]bool{}
	for n := range base.issues {
		in[base.issues[n].issue] = true
	}
	var out []*content.Issue
	for _, i := range lib.Issues() {
		if !in[i] {
			out = append(out, i)
		}
	}
	return out
}

// grow is assemble where the segments of x stay and at most one is new: the articles found are kept.
func (x *Index) grow(lib *content.Library, segs []*segment, dead []bitset) *Index {
	y := newIndex(lib, x.topics, segs, dead)
	y.arts = x.arts
	if last := len(segs) - 1; last == len(x.parts) {
		y.arts = x.arts.clone(len(segs[last].docs))
		y.arts.join(y.parts, last)
	}
	return y
}

func assemble(lib *content.Library, topics *content.Topics, segs []*segment, dead []bitset) *Index {
	x := newIndex(lib, topics, segs, dead)
	x.arts = articles{members: make([][]ref, 1)}
	for n, s := range segs {
		x.arts.group = append(x.arts.group, make([]uint32, len(s.docs)))
		x.arts.join(x.parts, n)
	}
	return x
}

func newIndex(lib *content.Library, topics *content.Topics, segs []*segment, dead []bitset) *Index {
	x := &Index{lib: lib, topics: topics, newest: noDay}
	for n, s := range segs {
		p := part{seg: s}
		if dead != nil {
			p.dead, p.deadN = dead[n], dead[n].count()
		}
		x.docs += len(s.docs) - 1 - p.deadN
		x.parts = append(x.parts, p)
	}
	for _, i := range lib.Issues() { // the newest stands first
		if t, ok := i.Day(); ok {
			x.newest = dayOf(t)
			break
		}
	}
	for n := range x.parts {
		x.parts[n].recency = x.recency(x.parts[n].seg)
	}
	x.popular = sync.OnceValue(x.countTopics)
	x.scratch = &sync.Pool{New: func() any { return &collector{} }}
	return x
}

// Library is what the Index was made from.
func (x *Index) Library() *content.Library { return x.lib }

// bitset is a set of documents; nil is empty.
type bitset []uint64

func (b bitset) has(doc uint32) bool { return b != nil && b[doc>>6]>>(doc&63)&1 != 0 }

// with is b with the documents from first up to end, made for n documents when it was nil.
func (b bitset) with(n int, first, end uint32) bitset {
	if b == nil {
		b = make(bitset, n/64+1)
	}
	for d := first; d < end; d++ {
		b[d>>6] |= 1 << (d & 63)
	}
	return b
}

func (b bitset) count() int {
	n := 0
	for _, w := range b {
		for ; w != 0; w &= w - 1 {
			n++
		}
	}
	return n
}
