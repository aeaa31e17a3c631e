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

// unpacker reads fields in the order they were packed. The first fault sticks; every later field is zero.
type unpacker struct {
	rest []byte
	err  error
}

func (u *unpacker) fail() { u.rest, u.err = nil, errDamaged }

func (u *unpacker) raw(n int) []byte {
	if n < 0 || n > len(u.rest) {
		u.fail()
		return nil
	}
	b := u.rest[:n]
	u.rest = u.rest[n:]
	return b
}

func (u *unpacker) byte() byte {
	if b := u.raw(1); b != nil {
		return b[0]
	}
	return 0
}

func (u *unpacker) uint() uint64 {
	v, n := binary.Uvarint(u.rest)
	if n <= 0 {
		u.fail()
		return 0
	}
	u.rest = u.rest[n:]
	return v
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
	return string(u.raw(int(n)))
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
