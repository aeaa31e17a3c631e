package embedded

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// What one command may hold: more than any of ours, less than what would hurt the process.
const (
	maxArgs         = 1 << 20
	maxArgBytes     = 64 << 20
	maxCommandBytes = 128 << 20
)

// errProtocol means that the bytes are no RESP command; the connection cannot go on.
var errProtocol = errors.New("Protocol error")

// readCommand reads one command: a RESP array of bulk strings, as every client sends it. It takes memory only as bytes arrive. A command
// with no words gives an empty slice.
func readCommand(r *bufio.Reader) ([]string, error) {
	n, err := readLength(r, '*', maxArgs)
	if err != nil {
		return nil, err
	}
	args := make([]string, 0, min(n, 64))
	left := maxCommandBytes
	for range n {
		size, err := readLength(r, '$', maxArgBytes)
		if err != nil {
			return nil, ended(err)
		}
		if left -= size; left < 0 {
			return nil, fmt.Errorf("%w: more than %d bytes in one command", errProtocol, maxCommandBytes)
		}
		arg, err := readBulk(r, size)
		if err != nil {
			return nil, ended(err)
		}
		args = append(args, arg)
	}
	return args, nil
}

// readBulk reads size bytes and the line end behind them.
func readBulk(r *bufio.Reader, size int) (string, error) {
	if size+2 <= r.Size() {
		b, err := r.Peek(size + 2)
		if err != nil {
			return "", err
		}
		if b[size] != '\r' || b[size+1] != '\n' {
			return "", fmt.Errorf("%w: no line end after %d bytes", errProtocol, size)
		}
		arg := string(b[:size])
		_, err = r.Discard(size + 2)
		return arg, err
	}
	var b bytes.Buffer // grows with what arrives, not with what was promised
	if _, err := io.CopyN(&b, r, int64(size)+2); err != nil {
		return "", err
	}
	if !bytes.HasSuffix(b.Bytes(), []byte("\r\n")) {
		return "", fmt.Errorf("%w: no line end after %d bytes", errProtocol, size)
	}
	return string(b.Bytes()[:size]), nil
}

// readLength reads "*12\r\n" or "$12\r\n".
func readLength(r *bufio.Reader, kind byte, most int) (int, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return 0, fmt.Errorf("%w: line too long", errProtocol)
	}
	if err != nil {
		if len(line) > 0 {
			err = ended(err)
		}
		return 0, err
	}
	if len(line) < 4 || line[0] != kind || line[len(line)-2] != '\r' {
		return 0, fmt.Errorf("%w: expected '%c' and a length", errProtocol, kind)
	}
	n, err := strconv.Atoi(string(line[1 : len(line)-2]))
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%w: a length from 0 to %d expected", errProtocol, most)
	}
	return n, nil
}

// ended says that the input stopped inside a command, not between two.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
