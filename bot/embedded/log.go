package embedded

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"
)

// The log is a header and then records, back to back. A record is
//
//	length of the payload   uint32, little endian, never 0
//	CRC-32C of the payload  uint32
//	CRC-32C of the record's offset in the file (uint64), the length and the payload's CRC   uint32
//	payload                 see appendPayload
//
// The offset in the third field makes a record valid in one place only: bytes that look like a record inside a value, or left over
// from an older file, are not taken for one when damage is looked at.
const (
	logMagic   = "weeklybot log "
	logHeader  = logMagic + "1\n" // the version is what stands before the line end
	frameBytes = 12
	maxRecord  = 1 << 30
	scanBuffer = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn ends a scan at bytes that are no whole record.
var errTorn = errors.New("no whole record")

// file is what the engine needs of its log file; tests put a failing one in its place.
type file interface {
	io.ReaderAt
	io.WriterAt
	Sync() error
	Truncate(size int64) error
	Close() error
}

// seal fills in the frames of records that were encoded one after another, now that their place in the file is known.
func seal(records []byte, at int64) {
	for len(records) > 0 {
		n := int(binary.LittleEndian.Uint32(records))
		end := frameBytes + n
		binary.LittleEndian.PutUint32(records[4:], crc32.Checksum(records[frameBytes:end], castagnoli))
		binary.LittleEndian.PutUint32(records[8:], frameSum(records, at))
		records = records[end:]
		at += int64(end)
	}
}

func frameSum(frame []byte, at int64) uint32 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], uint64(at))
	copy(b[8:], frame[:8])
	return crc32.Checksum(b[:], castagnoli)
}

// frameLength is the length of the payload that follows, or 0 when these bytes are no frame of this place.
func frameLength(frame []byte, at int64) int {
	n := binary.LittleEndian.Uint32(frame)
	if n == 0 || n > maxRecord || binary.LittleEndian.Uint32(frame[8:]) != frameSum(frame, at) {
		return 0
	}
	return int(n)
}

// scan reads records from one offset to another and gives each payload to take, which must not keep it. It returns where the last
// whole record ends; the error is errTorn when that is before size, or what take returned.
func scan(r io.ReaderAt, from, size int64, take func(payload []byte) error) (int64, error) {
	in := bufio.NewReaderSize(io.NewSectionReader(r, from, size-from), scanBuffer)
	var frame [frameBytes]byte
	var payload []byte
	for at := from; at < size; {
		if _, err := io.ReadFull(in, frame[:]); err != nil {
			return at, torn(err)
		}
		n := frameLength(frame[:], at)
		if n == 0 || at+frameBytes+int64(n) > size {
			return at, errTorn
		}
		if cap(payload) < n {
			payload = make([]byte, n)
		}
		payload = payload[:n]
		if _, err := io.ReadFull(in, payload); err != nil {
			return at, torn(err)
		}
		if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(frame[4:]) {
			return at, errTorn
		}
		if err := take(payload); err != nil {
			return at, err
		}
		at += frameBytes + int64(n)
	}
	return size, nil
}

func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}

// nextRecord looks for a whole record after damage at an offset: there is one only if the damage is in the middle of the log, since a
// write that was cut off has nothing behind it.
func nextRecord(r io.ReaderAt, after, size int64) (int64, bool, error) {
	buf := make([]byte, scanBuffer)
	for at := after; at+frameBytes <= size; {
		n, err := r.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, false, err
		}
		last := n - frameBytes
		for i := 0; i <= last; i++ {
			if frameLength(buf[i:], at+int64(i)) > 0 && whole(r, at+int64(i), size) {
				return at + int64(i), true, nil
			}
		}
		if last < 0 {
			break
		}
		at += int64(last) + 1
	}
	return 0, false, nil
}

// whole says whether a whole record starts at an offset.
func whole(r io.ReaderAt, at, size int64) bool {
	errStop := errors.New("one is enough")
	_, err := scan(r, at, size, func([]byte) error { return errStop })
	return errors.Is(err, errStop)
}

// checkHeader says whether a file is a log of ours. fresh means that it holds nothing yet: it is empty, or its creation was cut off.
func checkHeader(r io.ReaderAt, size int64) (fresh bool, err error) {
	b := make([]byte, min(size, int64(len(logHeader))))
	if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	head := string(b)
	switch {
	case head == logHeader:
		return false, nil
	case len(head) < len(logHeader) && strings.HasPrefix(logHeader, head):
		return true, nil
	case strings.HasPrefix(head, logMagic):
		return false, errors.New("it was written by another version of weeklybot; start that version, or move the file away to begin with an empty store")
	}
	return false, errors.New("it is not a weeklybot store; move it away, or set another data_dir")
}

// appendPayload encodes what one command or transaction changed: the time it ran at (unix ms, varint), the number of commands (uvarint,
// 0 for a mere sign of life), and of each the number of words and, of each word, its length and bytes.
func appendPayload(b []byte, ms int64, commands [][]string) []byte {
	b = binary.AppendVarint(b, ms)
	b = binary.AppendUvarint(b, uint64(len(commands)))
	for _, words := range commands {
		b = binary.AppendUvarint(b, uint64(len(words)))
		for _, w := range words {
			b = binary.AppendUvarint(b, uint64(len(w)))
			b = append(b, w...)
		}
	}
	return b
}

// appendRecord encodes one record; seal fills in its frame later.
func appendRecord(b []byte, ms int64, commands [][]string) []byte {
	start := len(b)
	b = append(b, make([]byte, frameBytes)...)
	b = appendPayload(b, ms, commands)
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-frameBytes))
	return b
}

// decodePayload is the reverse of appendPayload. It takes no more memory than a small multiple of the payload.
func decodePayload(p []byte) (ms int64, commands [][]string, err error) {
	ms, n := binary.Varint(p)
	if n <= 0 {
		return 0, nil, errPayload
	}
	d := decoder{rest: p[n:]}
	count := d.count()
	for range count {
		words := make([]string, 0, d.count())
		for range cap(words) {
			words = append(words, d.word())
		}
		if d.bad || len(words) == 0 {
			return 0, nil, errPayload
		}
		commands = append(commands, words)
	}
	if d.bad || len(d.rest) > 0 {
		return 0, nil, errPayload
	}
	return ms, commands, nil
}

var errPayload = errors.New("a record that this version cannot read")

type decoder struct {
	rest []byte
	bad  bool
}

// count reads a number of things that take at least a byte each.
func (d *decoder) count() int {
	v, n := binary.Uvarint(d.rest)
	if d.bad || n <= 0 || v > uint64(len(d.rest)-n) {
		d.bad = true
		return 0
	}
	d.rest = d.rest[n:]
	return int(v)
}

func (d *decoder) word() string {
	n := d.count()
	w := string(d.rest[:n])
	d.rest = d.rest[n:]
	return w
}
