package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
)

// batch is what goes to the file in one write: the records of all commands that ran while the batch before was being written.
type batch struct {
	records []byte
	done    atomic.Bool
	err     error // set before done
}

func (b *batch) finish(err error) {
	b.err = err
	b.done.Store(true)
}

// commit returns when a batch is in the file (synced, if Always). The first to come writes for all that wait.
func (e *Engine) commit(b *batch) error {
	if b == nil {
		return nil
	}
	if !b.done.Load() {
		e.fileMu.Lock()
		if !b.done.Load() { // nobody else writes now, so it is the current batch
			e.writeBatch()
		}
		e.fileMu.Unlock()
	}
	return b.err
}

// writeBatch writes the current batch. Called with fileMu held.
func (e *Engine) writeBatch() {
	e.mu.Lock()
	b := e.cur
	e.cur, e.flight = &batch{}, b
	e.mu.Unlock()

	err := e.writeRecords(b.records)

	e.mu.Lock()
	defer e.mu.Unlock()
	e.flight = nil
	if err != nil {
		e.fail(b, err)
		return
	}
	e.size += int64(len(b.records))
	b.finish(nil)
}

func (e *Engine) writeRecords(records []byte) error {
	if len(records) == 0 {
		return nil
	}
	seal(records, e.size)
	if _, err := e.file.WriteAt(records, e.size); err != nil {
		return err
	}
	if e.opt.Always {
		if err := e.file.Sync(); err != nil {
			return &syncError{err}
		}
		return nil
	}
	e.unsynced.Store(true)
	return nil
}

// syncError marks a failed fsync: after it nobody knows what of the file is on the disk, so that only a new file helps.
type syncError struct{ err error }

func (e *syncError) Error() string { return "sync: " + e.err.Error() }
func (e *syncError) Unwrap() error { return e.err }

// fail makes the store read-only after a write error. What was executed and not acknowledged is undone: the memory goes back to what the
// file holds. Called with fileMu and mu held.
func (e *Engine) fail(b *batch, cause error) {
	e.setFault(cause)
	later := e.cur
	e.cur = &batch{}
	if err := e.file.Truncate(e.size); err != nil {
		e.log.Warn("cannot cut the unfinished record off the embedded store's log; tried again before the next write", "err", err)
	}
	e.reload(false)
	b.finish(cause)
	later.finish(cause)
}

// setFault makes the store read-only. Called with mu held.
func (e *Engine) setFault(cause error) {
	if _, unsure := errors.AsType[*syncError](cause); unsure {
		e.unsure = true
	}
	e.fault = cause
	e.log.Error("cannot write the embedded store's log; the store is read-only until writing works again", "err", cause, "path", e.path(logName))
}

// reload builds the memory anew from the file and, if the records not yet in the file are to be kept, from those. Called with mu held,
// and while nobody changes the part of the file below size.
func (e *Engine) reload(keep bool) {
	e.version++
	e.mem = nil
	mem, err := e.loadMemory(keep)
	if err != nil {
		e.setFault(fmt.Errorf("load the data again: %w", err))
		return
	}
	e.mem = mem
}

func (e *Engine) loadMemory(keep bool) (*memory, error) {
	mem, err := newMemory()
	if err != nil {
		return nil, err
	}
	if _, err := scan(e.file, int64(len(logHeader)), e.size, mem.replay); err != nil {
		return nil, err
	}
	if keep {
		for _, b := range []*batch{e.flight, e.cur} {
			if b != nil {
				if err := replayPending(mem, b.records); err != nil {
					return nil, err
				}
			}
		}
	}
	return mem, nil
}

// replayPending applies records that are not in the file yet, and so have no checksums.
func replayPending(mem *memory, records []byte) error {
	for len(records) > 0 {
		end := frameBytes + int(binary.LittleEndian.Uint32(records))
		if err := mem.replay(records[frameBytes:end]); err != nil {
			return err
		}
		records = records[end:]
	}
	return nil
}

// heal is called once a second while the store is read-only: it tries to write again.
func (e *Engine) heal() {
	if err := e.tryWriting(); err != nil {
		e.log.Debug("the embedded store's log still cannot be written", "err", err)
		return
	}
	e.mu.Lock()
	unsure := e.unsure
	e.mu.Unlock()
	if unsure {
		if err := e.rewrite(); err != nil {
			return
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fault, e.unsure = nil, false
	e.log.Info("the embedded store's log can be written again")
}

// tryWriting loads the data if even that failed before, cuts off what a failed write left, and appends a record of no change.
func (e *Engine) tryWriting() error {
	e.fileMu.Lock()
	defer e.fileMu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mem == nil {
		e.reload(false)
	}
	if e.mem == nil {
		return e.fault
	}
	record := appendRecord(nil, e.mem.now, nil)
	seal(record, e.size)
	if err := e.file.Truncate(e.size); err != nil {
		return err
	}
	if _, err := e.file.WriteAt(record, e.size); err != nil {
		return err
	}
	if err := e.file.Sync(); err != nil {
		return err
	}
	e.size += int64(len(record))
	return nil
}
