package embedded

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// maxUnread is how many bytes of commands a client may be ahead of the engine before its Write waits.
const maxUnread = 1 << 20

// newPipe connects a client and the engine in memory. The engine's writes never wait for the client to read, as a Redis server's do
// not: otherwise a client that sends a long pipeline before it reads the first reply would hang both. It uses no file descriptor, so that
// a testing/synctest bubble knows when both ends are idle.
func newPipe() (client, engine net.Conn) {
	commands, replies := newHalf(maxUnread), newHalf(0)
	return &pipeConn{in: replies, out: commands}, &pipeConn{in: commands, out: replies}
}

// half is one direction of a pipe.
type half struct {
	mu            sync.Mutex
	changed       sync.Cond // data, room, a deadline or the end
	data          []byte
	start         int // data[start:] is unread
	limit         int // 0: no limit
	closed        bool
	readBy, putBy time.Time // deadlines, zero for none
}

func newHalf(limit int) *half {
	h := &half{limit: limit}
	h.changed.L = &h.mu
	return h
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.start == len(h.data) {
		switch {
		case h.closed:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		case !h.wait(&h.readBy):
			return 0, os.ErrDeadlineExceeded
		}
	}
	n := copy(p, h.data[h.start:])
	h.start += n
	if h.start == len(h.data) {
		h.reset()
	}
	h.changed.Broadcast()
	return n, nil
}

// reset makes room; a buffer that one large reply blew up is given back.
func (h *half) reset() {
	h.start = 0
	if cap(h.data) > maxUnread {
		h.data = nil
	}
	h.data = h.data[:0]
}

func (h *half) write(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		if h.closed {
			return n, io.ErrClosedPipe
		}
		room := len(p)
		if h.limit > 0 {
			room = min(room, h.limit-(len(h.data)-h.start))
		}
		if room > 0 {
			h.put(p[:room])
			n, p = n+room, p[room:]
		}
		if len(p) == 0 {
			return n, nil
		}
		if !h.wait(&h.putBy) {
			return n, os.ErrDeadlineExceeded
		}
	}
}

func (h *half) put(p []byte) {
	if h.start > len(h.data)/2 { // more read than unread: move instead of growing
		h.data = h.data[:copy(h.data, h.data[h.start:])]
		h.start = 0
	}
	h.data = append(h.data, p...)
	h.changed.Broadcast()
}

// wait returns after something changed; false when the deadline has passed.
func (h *half) wait(by *time.Time) bool {
	if by.IsZero() {
		h.changed.Wait()
		return true
	}
	left := time.Until(*by)
	if left <= 0 {
		return false
	}
	wake := time.AfterFunc(left, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.changed.Broadcast()
	})
	defer wake.Stop()
	h.changed.Wait()
	return true
}

func (h *half) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.changed.Broadcast()
}

func (h *half) setDeadline(which *time.Time, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*which = at
	h.changed.Broadcast()
}

// pipeConn is one end of a pipe. What was written before a Close can still be read at the other end.
type pipeConn struct{ in, out *half }

func (c *pipeConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *pipeConn) Write(p []byte) (int, error) { return c.out.write(p) }

func (c *pipeConn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}

func (c *pipeConn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readBy, t)
	return nil
}

func (c *pipeConn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.putBy, t)
	return nil
}

func (c *pipeConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *pipeConn) LocalAddr() net.Addr  { return pipeAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "embedded" }
func (pipeAddr) String() string  { return "embedded" }
