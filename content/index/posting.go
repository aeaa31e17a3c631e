package index

import (
	"encoding/binary"
	"math"
)

// A posting list is the documents that hold one term, in order. Each posting is the distance from the document before,
// shifted by three bits, with the fields in which the term stands in those bits (a varint), and one byte of weight: how much
// the document is about the term, before the term's rarity counts. Every skipEvery postings the list can be entered.
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

// list is one posting list of a segment.
type list struct {
	b     []byte
	skips []skip
	n     uint32 // documents
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

// cursor walks a list. Before the first next it stands nowhere; at noDoc it is at the end.
type cursor struct {
	list   list
	rest   []byte
	at     uint32 // document
	fields uint8
	weight uint8
	block  int // skips up to here are behind
}

func newCursor(l list) *cursor { return &cursor{list: l, rest: l.b} }

func (c *cursor) doc() uint32 { return c.at }

func (c *cursor) next() uint32 {
	if len(c.rest) == 0 {
		c.at = noDoc
		return noDoc
	}
	v := uint32(c.rest[0])
	n := 1
	if v >= 0x80 {
		wide, size := binary.Uvarint(c.rest)
		v, n = uint32(wide), size
	}
	c.at += v >> fieldBits
	c.fields = uint8(v & (1<<fieldBits - 1))
	c.weight = c.rest[n]
	c.rest = c.rest[n+1:]
	return c.at
}

// seek moves to the first document that is not before doc.
func (c *cursor) seek(doc uint32) uint32 {
	if c.at >= doc && c.at != 0 {
		return c.at
	}
	jump := -1
	for c.block < len(c.list.skips) && c.list.skips[c.block].doc < doc {
		jump = c.block
		c.block++
	}
	if jump >= 0 && c.list.skips[jump].doc > c.at {
		c.at = c.list.skips[jump].doc
		c.rest = c.list.b[c.list.skips[jump].at:]
	}
	for c.at < doc || c.at == 0 {
		if c.next() == noDoc {
			break
		}
	}
	return c.at
}

func (c *cursor) value() (float32, uint8) { return float32(c.weight) * (1.0 / maxWeight), c.fields }

func (c *cursor) cost() int { return int(c.list.n) }
