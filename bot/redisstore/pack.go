package redisstore

import (
	"encoding/binary"
	"errors"
)

// errDamaged is returned for a stored value that cannot be what this program wrote.
var errDamaged = errors.New("damaged record")

// packer appends fields to a record.
type packer []byte

func (p *packer) byte(b byte)     { *p = append(*p, b) }
func (p *packer) uint(v uint64)   { *p = binary.AppendUvarint(*p, v) }
func (p *packer) raw(b []byte)    { *p = append(*p, b...) }
func (p *packer) string(s string) { p.uint(uint64(len(s))); *p = append(*p, s...) }
func (p *packer) strings(l []string) {
	p.uint(uint64(len(l)))
	for _, s := range l {
		p.string(s)
	}
}

// unpacker reads fields in the order they were packed. The first fault sticks; every later field is zero. Texts share the memory of what is
// read, which is a string as it came from Redis: reading a record makes no copies.
type unpacker struct {
	rest string
	err  error
}

func (u *unpacker) fail() { u.rest, u.err = "", errDamaged }

func (u *unpacker) raw(n int) string {
	if n < 0 || n > len(u.rest) {
		u.fail()
		return ""
	}
	b := u.rest[:n]
	u.rest = u.rest[n:]
	return b
}

func (u *unpacker) byte() byte {
	if b := u.raw(1); b != "" {
		return b[0]
	}
	return 0
}

func (u *unpacker) uint() uint64 {
	var v uint64
	for i := range min(len(u.rest), binary.MaxVarintLen64) {
		b := u.rest[i]
		if v |= uint64(b&0x7f) << (7 * i); b < 0x80 {
			u.rest = u.rest[i+1:]
			return v
		}
	}
	u.fail()
	return 0
}

// count is a length of a list whose elements take at least one byte each: a damaged one cannot ask for much memory.
func (u *unpacker) count() int {
	n := u.uint()
	if n > uint64(len(u.rest)) {
		u.fail()
		return 0
	}
	return int(n)
}

func (u *unpacker) string() string {
	n := u.uint()
	if n > uint64(len(u.rest)) {
		u.fail()
		return ""
	}
	return u.raw(int(n))
}

func (u *unpacker) strings() []string {
	n := u.count()
	if n == 0 {
		return nil
	}
	l := make([]string, n)
	for i := range l {
		l[i] = u.string()
	}
	return l
}

// done reports a fault, or bytes that nobody asked for.
func (u *unpacker) done() error {
	if u.err == nil && len(u.rest) > 0 {
		u.err = errDamaged
	}
	return u.err
}
