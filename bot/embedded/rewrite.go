package embedded

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// grown says whether a rewrite would pay.
func (e *Engine) grown() bool {
	e.fileMu.Lock()
	defer e.fileMu.Unlock()
	return e.size > e.opt.MinRewrite && e.size > 2*e.base
}

var errStale = errors.New("the store's memory was loaded again meanwhile")

// rewrite replaces the log by the shortest one that gives the same data. Commands wait only while the data is copied in memory and, at
// the end, while the last records and the rename reach the disk. A rewrite that fails changes nothing.
func (e *Engine) rewrite() error {
	e.rewriteMu.Lock()
	defer e.rewriteMu.Unlock()
	err := e.rewriteTo(e.path(newName))
	if err != nil {
		os.Remove(e.path(newName))
		e.log.Warn("cannot rewrite the embedded store's log; it goes on growing", "err", err, "path", e.path(newName))
	}
	return err
}

func (e *Engine) rewriteTo(name string) error {
	copied, err := e.copyData()
	if err != nil {
		return err
	}
	f, err := e.opt.openFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	out := &logWriter{f: f, buf: []byte(logHeader), size: int64(len(logHeader))}
	if err := e.writeNew(out, copied); err != nil {
		f.Close()
		return err
	}
	return nil
}

func (e *Engine) writeNew(out *logWriter, copied *snapshot) error {
	if err := copied.write(out); err != nil {
		return err
	}
	if err := errors.Join(out.flush(), out.f.Sync()); err != nil {
		return err
	}
	e.fileMu.Lock()
	caughtUp := e.size
	e.fileMu.Unlock()
	if err := out.carry(e.file, copied.upTo, caughtUp); err != nil { // most of what came meanwhile, without stopping anybody
		return err
	}
	e.fileMu.Lock()
	defer e.fileMu.Unlock()
	if err := out.carry(e.file, max(copied.upTo, caughtUp), e.size); err != nil {
		return err
	}
	return e.replaceLog(out, copied)
}

// replaceLog puts the finished new log in the place of the old one. Called with fileMu held.
func (e *Engine) replaceLog(out *logWriter, copied *snapshot) error {
	if err := errors.Join(out.flush(), out.f.Sync()); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.version != copied.version {
		return errStale
	}
	if err := os.Rename(e.path(newName), e.path(logName)); err != nil {
		return err
	}
	if err := syncDir(e.dir); err != nil {
		e.log.Warn("cannot sync the embedded store's directory", "err", err, "path", e.dir)
	}
	e.file.Close()
	e.log.Info("embedded store rewritten", "path", e.path(logName), "before", e.size, "after", out.size)
	e.file, e.size, e.base = out.f, out.size, out.size
	e.unsynced.Store(false)
	return nil
}

// copyData copies all data. The records that are still to be written when it returns are part of it.
func (e *Engine) copyData() (*snapshot, error) {
	e.fileMu.Lock() // so that nothing is in flight
	defer e.fileMu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mem == nil {
		return nil, e.fault
	}
	e.tick()
	s := e.mem.copyAll()
	s.version, s.upTo = e.version, e.size+int64(len(e.cur.records))
	return s, nil
}

// logWriter writes records to a new log.
type logWriter struct {
	f    file
	buf  []byte
	size int64 // with buf
}

// put adds one record.
func (w *logWriter) put(ms int64, writes ...[]string) error {
	start := len(w.buf)
	w.buf = appendRecord(w.buf, ms, writes)
	return w.added(start)
}

func (w *logWriter) added(start int) error {
	seal(w.buf[start:], w.size)
	w.size += int64(len(w.buf) - start)
	if len(w.buf) < scanBuffer {
		return nil
	}
	return w.flush()
}

func (w *logWriter) flush() error {
	_, err := w.f.WriteAt(w.buf, w.size-int64(len(w.buf)))
	w.buf = w.buf[:0]
	return err
}

// carry copies records from the old log; their frames change with their place.
func (w *logWriter) carry(old io.ReaderAt, from, to int64) error {
	if from >= to {
		return nil
	}
	_, err := scan(old, from, to, func(payload []byte) error {
		start := len(w.buf)
		w.buf = append(w.buf, make([]byte, frameBytes)...)
		w.buf = append(w.buf, payload...)
		binary.LittleEndian.PutUint32(w.buf[start:], uint32(len(payload)))
		return w.added(start)
	})
	return err
}
