package index

import (
	"encoding/binary"
	"math/bits"
)

// A dense list is the posting list of a term that many documents hold. Documents are parted into buckets of bucketSize; the list knows where
// each begins, and keeps weights and fields apart from the documents: they are looked up only where all terms of a query meet. The documents
// of a bucket are the last bytes of their numbers, of which eight are compared at once, or, of a term that still more documents hold, bits.
// So it costs one to five nanoseconds to know whether any document holds the term.
type dense struct {
	n       int
	starts  []byte // number of the first posting in each bucket or behind it, startBytes each, one more than there are buckets
	lows    []byte // last bytes; what is read behind them are weights
	bits    []byte // instead of lows
	weights []byte
	fields  []byte // two in a byte
}

const (
	bucketBits = 8
	startBytes = 4
	wordBits   = 64 // of bits, which are read a word at a time

	minDense   = wordBits
	denseShare = 64 // a list is dense when it holds one document of so many, for then it takes no more room
	bitsShare  = 24 // and has bits when it holds one of so many
)

// form is how a posting list is kept; sameForm as that of another term.
type form uint8

const (
	sparseForm form = iota
	lowsForm
	bitsForm
	sameForm
	formBits = 2
)

func formOf(n uint32, docs int) form {
	switch {
	case n < minDense || int(n)*denseShare < docs:
		return sparseForm
	case int(n)*bitsShare < docs:
		return lowsForm
	}
	return bitsForm
}

// newDense reads, or is room for, n documents out of docs, numbers up to docs-1. b may be longer.
func newDense(f form, b []byte, n, docs int) *dense {
	d := &dense{n: n}
	starts, set := denseParts(f, n, docs)
	d.starts, b = b[:starts], b[starts:]
	if f == bitsForm {
		d.bits = b[:set]
	} else {
		d.lows = b
	}
	d.weights, d.fields = b[set:], b[set+n:]
	return d
}

// denseParts are the bytes that starts and documents take.
func denseParts(f form, n, docs int) (starts, set int) {
	buckets := (docs + 1<<bucketBits - 1) >> bucketBits
	if f == bitsForm {
		n = (docs + wordBits - 1) / wordBits * (wordBits / 8)
	}
	return startBytes * (buckets + 1), n
}

// appendDense writes the postings of w.
func appendDense(f form, b []byte, w *listWriter, docs int) []byte {
	n := int(w.n)
	starts, set := denseParts(f, n, docs)
	from := len(b)
	b = append(b, make([]byte, starts+set+n+(n+1)/2)...)
	d := newDense(f, b[from:], n, docs)
	c := newCursor(list{b: w.b})
	bucket := 0
	for k := range n {
		doc := int(c.next())
		for ; bucket <= doc>>bucketBits; bucket++ {
			binary.LittleEndian.PutUint32(d.starts[startBytes*bucket:], uint32(k))
		}
		if f == bitsForm {
			d.bits[doc>>3] |= 1 << (doc & 7)
		} else {
			d.lows[k] = uint8(doc)
		}
		d.weights[k] = c.weight
		d.fields[k>>1] |= c.fields << (4 * (k & 1))
	}
	for ; bucket*startBytes < starts; bucket++ {
		binary.LittleEndian.PutUint32(d.starts[startBytes*bucket:], uint32(n))
	}
	return b
}

// start is the number of the first posting in a bucket or behind it.
func (d *dense) start(bucket int) int {
	return int(binary.LittleEndian.Uint32(d.starts[startBytes*bucket:]))
}

// word is 64 bits, the first of which is for document 64 × k.
func (d *dense) word(k int) uint64 { return binary.LittleEndian.Uint64(d.bits[wordBits/8*k:]) }

func (d *dense) posting(k int) (weight, fields uint8) {
	return d.weights[k], d.fields[k>>1] >> (4 * (k & 1)) & (1<<fieldBits - 1)
}

// find is the number of the posting of doc, -1 when there is none.
func (d *dense) find(doc uint32) int {
	if d.bits == nil {
		return d.findLow(doc)
	}
	at := int(doc / wordBits)
	word := d.word(at)
	if word>>(doc%wordBits)&1 == 0 {
		return -1
	}
	k := d.start(int(doc >> bucketBits))
	for before := at &^ (1<<bucketBits/wordBits - 1); before < at; before++ {
		k += bits.OnesCount64(d.word(before))
	}
	return k + bits.OnesCount64(word&(1<<(doc%wordBits)-1))
}

// findLow compares sixteen bytes at once: more are seldom in one bucket, and it is quicker not to ask how many there are.
func (d *dense) findLow(doc uint32) int {
	bucket := int(doc >> bucketBits)
	k, end := d.start(bucket), d.start(bucket+1)
	for ; k < end; k += 16 {
		near, far := same(d.lows[k:], uint8(doc)), same(d.lows[k+8:], uint8(doc))
		if near|far == 0 {
			continue
		}
		if near != 0 {
			k += bits.TrailingZeros64(near) >> 3
		} else {
			k += 8 + bits.TrailingZeros64(far)>>3
		}
		if k < end {
			return k
		}
		return -1
	}
	return -1
}

// same has bits only in bytes from the first one on that is as wanted.
func same(b []byte, wanted uint8) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	differ := binary.LittleEndian.Uint64(b) ^ ones*uint64(wanted)
	return (differ - ones) &^ differ & tops
}

// denseCursor walks a dense list.
type denseCursor struct {
	k     int    // the next posting
	block int    // the bucket that it is in or behind; with bits the word to be read next
	word  uint64 // what is left of the word read last
}

// next is the next document, noDoc at the end.
func (c *denseCursor) next(d *dense) uint32 {
	if c.k >= d.n {
		return noDoc
	}
	c.k++
	if d.bits == nil {
		for d.start(c.block+1) < c.k {
			c.block++
		}
		return uint32(c.block)<<bucketBits | uint32(d.lows[c.k-1])
	}
	for c.word == 0 {
		c.word = d.word(c.block)
		c.block++
	}
	low := bits.TrailingZeros64(c.word)
	c.word &= c.word - 1
	return uint32((c.block-1)*wordBits + low)
}

// read is cursor.read.
func (c *denseCursor) read(d *dense, to []candidate, also *dense, term int, scale float32) []candidate {
	if d.bits == nil {
		return c.readLows(d, to, term, scale)
	}
	for len(to) < cap(to) {
		for c.word == 0 {
			if c.block*(wordBits/8) == len(d.bits) {
				return to
			}
			if c.word = d.word(c.block); also != nil {
				c.word &= also.word(c.block)
			}
			c.block++
		}
		doc := uint32((c.block-1)*wordBits + bits.TrailingZeros64(c.word))
		c.word &= c.word - 1
		if also != nil {
			c.k = d.find(doc)
		}
		weight, fields := d.posting(c.k)
		c.k++
		to = append(to, candidate{doc, float32(weight) * scale, uint64(fields) << (4 * term)})
	}
	return to
}

// docs fills to with the next documents, without anything else of them.
func (c *denseCursor) docs(d *dense, to []uint32) []uint32 {
	n := min(len(to), d.n-c.k)
	for j := 0; j < n; {
		if d.bits == nil {
			for end := min(d.start(c.block+1)-c.k, n); j < end; j++ {
				to[j] = uint32(c.block)<<bucketBits | uint32(d.lows[c.k+j])
			}
			if j < n {
				c.block++
			}
			continue
		}
		if c.word == 0 {
			c.word = d.word(c.block)
			c.block++
		}
		for ; c.word != 0 && j < n; j++ {
			to[j] = uint32((c.block-1)*wordBits + bits.TrailingZeros64(c.word))
			c.word &= c.word - 1
		}
	}
	c.k += n
	return to[:n]
}

func (c *denseCursor) readLows(d *dense, to []candidate, term int, scale float32) []candidate {
	k := c.k
	for ; k < d.n; c.block++ {
		for end := d.start(c.block + 1); k < end; k++ {
			if len(to) == cap(to) {
				c.k = k
				return to
			}
			weight, fields := d.posting(k)
			to = append(to, candidate{uint32(c.block)<<bucketBits | uint32(d.lows[k]), float32(weight) * scale, uint64(fields) << (4 * term)})
		}
	}
	c.k = k
	return to
}

// narrow keeps the candidates that the list holds too, in place.
func (d *dense) narrow(from []candidate, term int, scale float32) []candidate {
	kept := from[:0]
	for _, f := range from {
		if d.bits != nil && d.bits[f.doc>>3]>>(f.doc&7)&1 == 0 {
			continue
		}
		if k := d.find(f.doc); k >= 0 {
			weight, fields := d.posting(k)
			kept = append(kept, candidate{f.doc, f.score + float32(weight)*scale, f.where | uint64(fields)<<(4*term)})
		}
	}
	return kept
}
