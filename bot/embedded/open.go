package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// openLog opens the log, or begins one, and loads the data. A record at the end that was not written whole is cut off; any other damage
// is refused, because what stands behind it was acknowledged.
func (e *Engine) openLog() error {
	os.Remove(e.path(newName)) // the log itself is whole: a rewrite replaces it only when it is finished
	f, err := e.opt.openFile(e.path(logName), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	e.file = f
	info, err := os.Stat(e.path(logName))
	if err != nil {
		return err
	}
	size := info.Size()
	fresh, err := checkHeader(f, size)
	if err != nil {
		return err
	}
	if fresh {
		if err := e.createLog(); err != nil {
			return err
		}
		size = int64(len(logHeader))
	}
	return e.load(size)
}

// createLog writes the header of an empty log.
func (e *Engine) createLog() error {
	if err := e.file.Truncate(0); err != nil {
		return err
	}
	if _, err := e.file.WriteAt([]byte(logHeader), 0); err != nil {
		return err
	}
	return errors.Join(e.file.Sync(), syncDir(e.dir))
}

// load replays a log of so many bytes.
func (e *Engine) load(size int64) error {
	mem, err := newMemory()
	if err != nil {
		return err
	}
	began := time.Now()
	records := 0
	end, err := scan(e.file, int64(len(logHeader)), size, func(payload []byte) error {
		records++
		return mem.replay(payload)
	})
	switch {
	case errors.Is(err, errTorn):
		err = e.cutTail(end, size)
	case err != nil && !errors.Is(err, io.EOF):
		err = fmt.Errorf("record at byte %d: %w", end, err)
	}
	if err != nil {
		return err
	}
	e.mem, e.size, e.base = mem, end, end
	e.log.Info("embedded store loaded", "path", e.path(logName), "bytes", end, "records", records, "took", time.Since(began))
	return nil
}

// cutTail removes an unfinished record from the end of the log.
func (e *Engine) cutTail(end, size int64) error {
	next, found, err := nextRecord(e.file, end+1, size)
	if err != nil {
		return err
	}
	if found {
		return fmt.Errorf("the log is damaged at byte %d, and whole records follow from byte %d: the disk or another program changed it. "+
			"Restore the file from a backup; or, to go on without anything written after the damage, run: truncate -s %d %s", end, next, end, e.path(logName))
	}
	e.log.Warn("the embedded store's log ends in an unfinished record, which nobody was told was written; it is cut off",
		"path", e.path(logName), "at", end, "bytes", size-end)
	return errors.Join(e.file.Truncate(end), e.file.Sync())
}

// syncDir makes a created or renamed file's name durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
