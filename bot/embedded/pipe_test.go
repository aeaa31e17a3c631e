package embedded

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// TestPipe: bytes come in order through any sizes of reads and writes; the engine's end never waits, the client's does when far ahead.
func TestPipe(t *testing.T) {
	sent := make([]byte, 5<<20)
	for i := range sent {
		sent[i] = byte(i * 7)
	}
	for name, ends := range map[string]func() (to, from net.Conn){
		"commands": func() (net.Conn, net.Conn) { return newPipe() },
		"replies":  func() (net.Conn, net.Conn) { c, e := newPipe(); return e, c },
	} {
		t.Run(name, func(t *testing.T) {
			to, from := ends()
			go func() {
				for rest, n := sent, 1; len(rest) > 0; n = n*3%70_001 + 1 {
					n = min(n, len(rest))
					to.Write(rest[:n])
					rest = rest[n:]
				}
				to.Close()
			}()
			got, err := io.ReadAll(from)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("read %d bytes of %d, %v", len(got), len(sent), err)
			}
		})
	}
}

func TestPipeDeadlinesAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, engine := newPipe()
		began := time.Now()
		client.SetDeadline(began.Add(time.Minute))
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v", err)
		}
		if n, err := client.Write(make([]byte, 2*maxUnread)); n != maxUnread || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write past the limit = %d, %v; want %d and a deadline", n, err, maxUnread)
		}
		if waited := time.Since(began); waited != time.Minute {
			t.Errorf("waited %v, want a minute", waited)
		}
		client.SetDeadline(time.Time{})
		if _, err := engine.Write([]byte("bye")); err != nil {
			t.Error(err)
		}
		engine.Close()
		if b, err := io.ReadAll(client); string(b) != "bye" || err != nil {
			t.Errorf("after the other end closed: %q, %v", b, err)
		}
		if _, err := client.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("Write to a closed end: %v", err)
		}
	})
}
