package feishu

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// frame is one message of the long connection, in protocol buffers (proto2). All that is not named here is kept for the answer.
// Source: github.com/larksuite/oapi-sdk-go v3.11.0, ws/pbbp2.pb.go, read 2026-11.
type frame struct {
	seqID, logID    uint64
	service, method uint64
	headers         []frameHeader
	payloadEncoding string
	payloadType     string
	payload         []byte
	logIDNew        string
}

type frameHeader struct{ key, value string }

// Methods of a frame.
const (
	methodControl = 0
	methodData    = 1
)

func (f frame) get(key string) string {
	if k := slices.IndexFunc(f.headers, func(h frameHeader) bool { return h.key == key }); k >= 0 {
		return f.headers[k].value
	}
	return ""
}

// Wire types of protocol buffers.
const (
	wireVarint = 0
	wireBytes  = 2
)

func appendVarint(b []byte, field int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(field<<3|wireVarint)), v)
}

func appendBytes[S string | []byte](b []byte, field int, v S) []byte {
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(field<<3|wireBytes)), uint64(len(v)))
	return append(b, v...)
}

func (f frame) marshal() []byte {
	var b []byte
	for k, v := range []uint64{f.seqID, f.logID, f.service, f.method} {
		b = appendVarint(b, k+1, v)
	}
	for _, h := range f.headers {
		b = appendBytes(b, 5, appendBytes(appendBytes([]byte(nil), 1, h.key), 2, h.value))
	}
	b = appendBytes(b, 6, f.payloadEncoding)
	b = appendBytes(b, 7, f.payloadType)
	if f.payload != nil {
		b = appendBytes(b, 8, f.payload)
	}
	return appendBytes(b, 9, f.logIDNew)
}

var errFrame = errors.New("frame is malformed")

// fields calls take for each field of a message: n is a varint's value, text the content of a field with a length.
func fields(b []byte, take func(field int, n uint64, text []byte) error) error {
	for len(b) > 0 {
		tag, size := binary.Uvarint(b)
		if size <= 0 || tag>>3 == 0 || tag > math.MaxUint32 {
			return errFrame
		}
		b = b[size:]
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return errFrame
		}
		b = b[size:]
		var text []byte
		switch tag & 7 {
		case wireVarint:
		case wireBytes:
			if n > uint64(len(b)) {
				return errFrame
			}
			text, b = b[:n], b[n:]
		default:
			return errFrame
		}
		if err := take(int(tag>>3), n, text); err != nil {
			return err
		}
	}
	return nil
}

func unmarshalFrame(b []byte) (f frame, err error) {
	err = fields(b, func(field int, n uint64, text []byte) error {
		switch field {
		case 1:
			f.seqID = n
		case 2:
			f.logID = n
		case 3:
			f.service = n
		case 4:
			f.method = n
		case 5:
			var h frameHeader
			f.headers = append(f.headers, h)
			return fields(text, f.headers[len(f.headers)-1].take)
		case 6:
			f.payloadEncoding = string(text)
		case 7:
			f.payloadType = string(text)
		case 8:
			f.payload = slices.Clone(text)
		case 9:
			f.logIDNew = string(text)
		}
		return nil
	})
	return f, err
}

func (h *frameHeader) take(field int, _ uint64, text []byte) error {
	switch field {
	case 1:
		h.key = string(text)
	case 2:
		h.value = string(text)
	}
	return nil
}
