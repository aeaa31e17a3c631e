package embedded

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// disk gives out files that fail on demand.
type disk struct {
	room    atomic.Int64 // bytes that can still be written
	noSync  atomic.Bool
	noRead  atomic.Bool
	noCut   atomic.Bool
	renewed atomic.Int64 // files opened
}

func newDisk() *disk {
	d := &disk{}
	d.room.Store(1 << 40)
	return d
}

func (d *disk) open(name string, flag int) (file, error) {
	d.renewed.Add(1)
	f, err := os.OpenFile(name, flag, 0o600)
	return &diskFile{f, d}, err
}

type diskFile struct {
	*os.File
	d *disk
}

// WriteAt writes what there is room for, as a full disk does.
func (f *diskFile) WriteAt(p []byte, at int64) (int, error) {
	n := min(int64(len(p)), max(0, f.d.room.Load()))
	f.d.room.Add(-n)
	if _, err := f.File.WriteAt(p[:n], at); err != nil {
		return 0, err
	}
	if int(n) < len(p) {
		return int(n), syscall.ENOSPC
	}
	return int(n), nil
}

func (f *diskFile) Sync() error {
	if f.d.noSync.Load() {
		return syscall.EIO
	}
	return nil
}

func (f *diskFile) ReadAt(p []byte, at int64) (int, error) {
	if f.d.noRead.Load() {
		return 0, syscall.EIO
	}
	return f.File.ReadAt(p, at)
}

func (f *diskFile) Truncate(size int64) error {
	if f.d.noCut.Load() {
		return syscall.EIO
	}
	return f.File.Truncate(size)
}

// eventually waits for something that the engine does by itself within a few rounds of its maintenance.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

const often = 5 * time.Millisecond

// TestDiskFull: the write that does not fit is refused and leaves no trace, reads go on from what was acknowledged, and writes work
// again when there is room.
func TestDiskFull(t *testing.T) {
	for name, always := range map[string]bool{"everysec": false, "always": true} {
		t.Run(name, func(t *testing.T) {
			dir, d := t.TempDir(), newDisk()
			e, c, done := open(t, dir, Options{Always: always, every: often, openFile: d.open})
			c.Set(ctx, "a", "acknowledged", 0)
			c.SAdd(ctx, "e", 1, 2, 3)
			c.Set(ctx, "brief", 1, time.Hour)

			d.room.Store(20) // cuts the record in the middle
			err := c.Set(ctx, "a", strings.Repeat("x", 100), 0).Err()
			if err == nil || !strings.HasPrefix(err.Error(), "MISCONF") {
				t.Fatalf("write that does not fit: %v, want MISCONF", err)
			}
			if err := e.Err(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "make room") {
				t.Errorf("Err() = %v, want ENOSPC and what to do", err)
			}
			d.room.Store(0)
			for name, err := range map[string]error{
				"SET":         c.Set(ctx, "b", 1, 0).Err(),
				"script":      c.Eval(ctx, `return redis.call('SET', KEYS[1], 1)`, []string{"b"}).Err(),
				"transaction": c.Watch(ctx, func(tx *redis.Tx) error { _, err := tx.TxPipelined(ctx, set("b")); return err }, "b"),
			} {
				if err == nil || !strings.Contains(err.Error(), "MISCONF") {
					t.Errorf("%s while full: %v, want MISCONF", name, err)
				}
			}
			if v := c.Get(ctx, "a").Val(); v != "acknowledged" {
				t.Errorf("read while full: %.20q", v)
			}
			if n, err := c.Eval(ctx, `return redis.call('SCARD', KEYS[1])`, []string{"e"}).Int(); n != 3 || err != nil {
				t.Errorf("reading script while full: %d, %v", n, err)
			}

			d.room.Store(1 << 40)
			eventually(t, "writes work again", func() bool { return c.Set(ctx, "b", "later", 0).Err() == nil })
			if err := e.Err(); err != nil {
				t.Errorf("Err() after recovery = %v", err)
			}
			done()
			_, c, _ = open(t, dir, Options{})
			if v := fmt.Sprint(c.MGet(ctx, "a", "b", "brief").Val(), c.SCard(ctx, "e").Val()); v != "[acknowledged later 1] 3" {
				t.Errorf("after reopen: %s", v)
			}
		})
	}
}

func set(key string) func(redis.Pipeliner) error {
	return func(p redis.Pipeliner) error { return p.Set(ctx, key, 1, 0).Err() }
}

// TestDiskFullManyWriters: over and over the disk fills up while many write; what was acknowledged is there, what was refused is not.
func TestDiskFullManyWriters(t *testing.T) {
	const clients, each = 8, 300
	dir, d := t.TempDir(), newDisk()
	_, c, done := open(t, dir, Options{every: often, openFile: d.open, MinRewrite: 1 << 12})
	stop := make(chan struct{})
	var filler, wg sync.WaitGroup
	filler.Go(func() {
		for i := int64(0); ; i++ {
			select {
			case <-stop:
				d.room.Store(1 << 40)
				return
			case <-time.After(time.Duration(5+i%7) * time.Millisecond):
				d.room.Store(i % 3 * (100 + i%500))
			case <-time.After(time.Duration(5+i%5) * time.Millisecond):
				d.room.Store(1 << 40)
			}
		}
	})
	acked := make([]map[string]bool, clients)
	var refused atomic.Int64
	for g := range clients {
		acked[g] = map[string]bool{}
		wg.Go(func() {
			for i := range each {
				member := fmt.Sprintf("%d-%d", g, i)
				switch err := c.SAdd(ctx, "e", member).Err(); {
				case err == nil:
					acked[g][member] = true
				case strings.HasPrefix(err.Error(), "MISCONF"):
					refused.Add(1)
					time.Sleep(time.Millisecond)
				default:
					t.Errorf("SADD: %v", err)
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	filler.Wait()
	eventually(t, "writes work again", func() bool { return c.SAdd(ctx, "end", 1).Err() == nil })
	check := func(when string) {
		t.Helper()
		there := map[string]bool{}
		for _, m := range c.SMembers(ctx, "e").Val() {
			there[m] = true
		}
		n := 0
		for g := range clients {
			for m := range acked[g] {
				n++
				if !there[m] {
					t.Errorf("%s: acknowledged %s is lost", when, m)
				}
			}
		}
		if len(there) != n {
			t.Errorf("%s: %d members, %d acknowledged: a refused one is there", when, len(there), n)
		}
	}
	check("live")
	done()
	_, c, _ = open(t, dir, Options{})
	check("after reopen")
	t.Logf("%d refused of %d", refused.Load(), clients*each)
}

// TestSyncFails: after a failed fsync the file is not trusted any more: a new one takes its place.
func TestSyncFails(t *testing.T) {
	t.Run("always", func(t *testing.T) {
		dir, d := t.TempDir(), newDisk()
		e, c, done := open(t, dir, Options{Always: true, every: often, openFile: d.open})
		c.Set(ctx, "a", 1, 0)
		d.noSync.Store(true)
		if err := c.Set(ctx, "a", 2, 0).Err(); err == nil {
			t.Error("a write that was not synced was acknowledged")
		}
		if v := c.Get(ctx, "a").Val(); v != "1" || e.Err() == nil {
			t.Errorf("a = %s, want 1; Err() = %v", v, e.Err())
		}
		checkRenewed(t, e, c, d)
		done()
		_, c, _ = open(t, dir, Options{})
		if v := fmt.Sprint(c.MGet(ctx, "a", "b").Val()); v != "[1 1]" {
			t.Errorf("after reopen a, b = %s, want [1 1]", v)
		}
	})
	t.Run("everysec", func(t *testing.T) {
		dir, d := t.TempDir(), newDisk()
		e, c, done := open(t, dir, Options{every: often, openFile: d.open})
		d.noSync.Store(true)
		if err := c.Set(ctx, "a", 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the failed sync is seen", func() bool { return e.Err() != nil })
		if err := c.Set(ctx, "b", 0, 0).Err(); err == nil {
			t.Error("a write after a failed sync was acknowledged")
		}
		checkRenewed(t, e, c, d)
		done()
		_, c, _ = open(t, dir, Options{})
		if v := fmt.Sprint(c.MGet(ctx, "a", "b").Val()); v != "[1 1]" {
			t.Errorf("after reopen a, b = %s, want [1 1]", v)
		}
	})
}

func checkRenewed(t *testing.T, e *Engine, c *redis.Client, d *disk) {
	t.Helper()
	files := d.renewed.Load()
	d.noSync.Store(false)
	eventually(t, "writes work again", func() bool { return c.Set(ctx, "b", 1, 0).Err() == nil })
	if d.renewed.Load() == files || e.Err() != nil {
		t.Errorf("files opened since: %d, Err() = %v; want a new log and no error", d.renewed.Load()-files, e.Err())
	}
}

// TestCannotLoadAgain: if even reading fails nothing is answered, and all is back when reading works.
func TestCannotLoadAgain(t *testing.T) {
	d := newDisk()
	e, c, _ := open(t, t.TempDir(), Options{every: often, openFile: d.open})
	c.Set(ctx, "a", 1, 0)
	d.noRead.Store(true)
	d.noCut.Store(true)
	d.room.Store(3)
	for name, err := range map[string]error{"write": c.Set(ctx, "a", 2, 0).Err(), "read": c.Get(ctx, "a").Err(), "watch": c.Watch(ctx, func(*redis.Tx) error { return nil }, "a")} {
		if err == nil || !strings.HasPrefix(err.Error(), "MISCONF") {
			t.Errorf("%s: %v, want MISCONF", name, err)
		}
	}
	if e.Err() == nil {
		t.Error("Err() = nil")
	}
	d.noRead.Store(false)
	d.noCut.Store(false)
	d.room.Store(1 << 40)
	eventually(t, "writes work again", func() bool { return c.Set(ctx, "b", 1, 0).Err() == nil })
	if v := fmt.Sprint(c.MGet(ctx, "a", "b").Val()); v != "[1 1]" {
		t.Errorf("a, b = %s, want [1 1]", v)
	}
}

// TestRewriteFails: a rewrite that fails leaves the old log, which goes on.
func TestRewriteFails(t *testing.T) {
	dir, d := t.TempDir(), newDisk()
	e, c, done := open(t, dir, Options{openFile: d.open})
	for i := range 100 {
		c.HSet(ctx, "h", i, strings.Repeat("v", 1000))
	}
	d.room.Store(50_000)
	if err := e.rewrite(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("rewrite without room: %v", err)
	}
	d.room.Store(1 << 40)
	if _, err := os.Stat(e.path(newName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was written of it stays: %v", err)
	}
	if err := errors.Join(e.Err(), c.HSet(ctx, "h", 100, 1).Err()); err != nil {
		t.Errorf("after it: %v", err)
	}
	done()
	_, c, _ = open(t, dir, Options{})
	if n := c.HLen(ctx, "h").Val(); n != 101 {
		t.Errorf("after reopen %d fields, want 101", n)
	}
}
