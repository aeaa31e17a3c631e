package index

import (
	"encoding/binary"
	"math"
)

// A posting list is the documents that hold one term, in order. Each posting is the distance from the document before,
// shifted by three bits, with the fields in which the term stands in those bits (a varint), and one byte of weight: how much
// the document is about the term, before the term's rarity counts. Every skipEvery postings the list can be entered. A term that
// many documents hold has a dense list instead.
const (
	inTitle uint8 = 1 << iota
	inHeading
	inBody
	inContext // of the issue's own name; never stored

	fieldBits = 3
	skipEvery = 128
	noDoc     = math.MaxUint32
	maxWeight = 255
)

// skip is a place where a list can be entered: the last document before it and the offset of what follows.
type skip struct {
	doc uint32
	at  uint32
}

// skipsOf is how many places a list of n documents has.
func skipsOf(n uint32) uint32 {
	if n <= 2*skipEvery {
		return 0
	}
	return (n - 1) / skipEvery
}

// list is one posting list of a segment.
type list struct {
	n     uint32 // documents
	b     []byte
	skips []skip
	dense *dense // instead of b and skips
}

// listWriter builds a list.
type listWriter struct {
	b    []byte
	last uint32
	n    uint32
}

func (w *listWriter) add(doc uint32, fields, weight uint8) {
	w.b = binary.AppendUvarint(w.b, uint64(doc-w.last)<<fieldBits|uint64(fields))
	w.b = append(w.b, weight)
	w.last = doc
	w.n++
}

// cursor walks a list, or is asked for one document after the other. Before the first next it stands nowhere; at noDoc it is at the end.
type cursor struct {
	list   list
	at     uint32 // document
	fields uint8
	weight uint8
	i      int // offset of the next posting
	block  int // skips before this one are behind
	dense  denseCursor
}

func newCursor(l list) *cursor { return &cursor{list: l} }

func (c *cursor) doc() uint32 { return c.at }

func (c *cursor) next() uint32 {
	if d := c.list.dense; d != nil {
		if c.at = c.dense.next(d); c.at != noDoc {
			c.weight, c.fields = d.posting(c.dense.k - 1)
		}
		return c.at
	}
	b, i := c.list.b, c.i
	if i >= len(b) {
		c.at = noDoc
		return noDoc
	}
	v, i := step(b, i)
	c.at += v >> fieldBits
	c.fields, c.weight = uint8(v)&(1<<fieldBits-1), b[i]
	c.i = i + 1
	return c.at
}

// read fills to with the next documents of the list, leaving out some that also, which has bits if it is not nil, does not hold. term is the number of the
// term in the query, scale what its weight counts.
func (c *cursor) read(to []candidate, also *dense, term int, scale float32) []candidate {
	if c.list.dense != nil {
		return c.dense.read(c.list.dense, to, also, term, scale)
	}
	b, i, at := c.list.b, c.i, c.at
	for len(to) < cap(to) && i < len(b) {
		v, end := stepNear(b, i)
		at += v >> fieldBits
		to = append(to, candidate{at, float32(b[end]) * scale, uint64(v&(1<<fieldBits-1)) << (4 * term)})
		i = end + 1
	}
	c.i, c.at = i, at
	return to
}

// has says whether the list holds doc, which is not before any asked for so far, and moves there if it does.
func (c *cursor) has(doc uint32) bool {
	d := c.list.dense
	if d == nil {
		return c.seek(doc) == doc
	}
	k := d.find(doc)
	if k < 0 {
		return false
	}
	c.at = doc
	c.weight, c.fields = d.posting(k)
	return true
}

// narrow keeps the candidates that the list holds too, in place.
func (c *cursor) narrow(from []candidate, term int, scale float32) []candidate {
	if c.list.dense != nil {
		return c.list.dense.narrow(from, term, scale)
	}
	kept := from[:0]
	for _, f := range from {
		if c.seek(f.doc) == f.doc {
			kept = append(kept, candidate{f.doc, f.score + float32(c.weight)*scale, f.where | uint64(c.fields)<<(4*term)})
		}
	}
	return kept
}

// step reads the varint at i and says where it ends. Document numbers have less than 29 bits.
func step(b []byte, i int) (uint32, int) {
	v := uint32(b[i])
	if v < 0x80 {
		return v, i + 1
	}
	return stepFar(b, i)
}

// stepNear is step without a guess whether the number at i has one byte or two. Something must follow it.
func stepNear(b []byte, i int) (uint32, int) {
	first, second := uint32(b[i]), uint32(b[i+1])
	if first&second&0x80 != 0 {
		return stepFar(b, i)
	}
	more := first >> 7
	return first&0x7f | second<<7*more, i + 1 + int(more)
}

func stepFar(b []byte, i int) (uint32, int) {
	v := uint32(b[i]) & 0x7f
	for shift := 7; ; shift += 7 {
		i++
		v |= uint32(b[i]&0x7f) << shift
		if b[i] < 0x80 {
			return v, i + 1
		}
	}
}

// seek moves to the first document that is not before doc. The list is not dense.
func (c *cursor) seek(doc uint32) uint32 {
	if c.at >= doc && c.at != 0 {
		return c.at
	}
	c.leap(doc)
	b, i, at := c.list.b, c.i, c.at
	for i < len(b) {
		var v uint32
		v, i = stepNear(b, i)
		if at += v >> fieldBits; at >= doc {
			c.at, c.fields, c.weight, c.i = at, uint8(v)&(1<<fieldBits-1), b[i], i+1
			return at
		}
		i++
	}
	c.at, c.i = noDoc, i
	return noDoc
}

// leap enters the list at the last skip before doc, if that is ahead.
func (c *cursor) leap(doc uint32) {
	skips := c.list.skips
	k := c.block
	for k < len(skips) && skips[k].doc < doc {
		k++
	}
	if k > c.block && skips[k-1].doc > c.at {
		c.at, c.i = skips[k-1].doc, int(skips[k-1].at)
	}
	c.block = k
}

func (c *cursor) sure() bool { return true }

func (c *cursor) value() (float32, uint8) { return float32(c.weight) * (1.0 / maxWeight), c.fields }

func (c *cursor) cost() int { return int(c.list.n) }
