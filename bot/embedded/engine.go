package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// ErrLocked means that another process, or another Engine of this one, uses the directory.
var ErrLocked = errors.New("the data directory is in use")

// ErrClosed is what Dial returns after Close.
var ErrClosed = errors.New("the embedded store is closed")

var errHeld = errors.New("held")

const (
	logName  = "store.log"
	newName  = "store.log.new" // a rewrite that is not finished
	lockName = "store.lock"
)

// Options say how careful and how large. The zero value is right for most.
type Options struct {
	// Always syncs the log to the disk before each reply (those of many clients at once share a sync). Without it the log is written
	// before each reply and synced once a second: a crash of the process loses nothing, a power cut at most the last second.
	Always bool
	// Log is told what an operator should know. Default: nobody.
	Log *slog.Logger
	// MinRewrite is the size in bytes under which the log is not rewritten; above it, it is when it has doubled. Default 32 MiB.
	MinRewrite int64
	// Now is the clock that TIME, expiry and `XADD *` go by. Default time.Now.
	Now func() time.Time

	every    time.Duration                             // between two looks at sync, expiry and size; default 1 s
	openFile func(name string, flag int) (file, error) // default os.OpenFile; tests put in files that fail
}

// Engine is an open store. Use Client, or Dial with a client of your own; Close it.
type Engine struct {
	opt  Options
	dir  string
	log  *slog.Logger
	lock *os.File

	unsynced atomic.Bool // the file holds records that no sync has covered
	done     chan struct{}
	wg       sync.WaitGroup

	rewriteMu sync.Mutex // held through a rewrite. Taken before fileMu
	fileMu    sync.Mutex // held by who writes to the file. Taken before mu
	file      file       // guarded by fileMu
	base      int64      // size after the last rewrite, guarded by fileMu

	mu      sync.Mutex // one command at a time: the order in the log is the order of execution
	mem     *memory    // nil if the data could not be loaded again
	cur     *batch     // records not yet being written
	flight  *batch     // records being written, or nil
	size    int64      // of the file, all whole records; changed with fileMu and mu held
	version int        // of mem: rises when it is loaded again
	fault   error      // why the store is read-only, or nil
	unsure  bool       // a sync failed: the file cannot be trusted, only written anew
	conns   map[net.Conn]bool
	closed  bool
}

// Open opens the store in a directory, which is created if it is missing. It returns an error that is ErrLocked if somebody else has it
// open, and otherwise one that says what is wrong with the log and what can be done.
func Open(dir string, opt Options) (*Engine, error) {
	opt.setDefaults()
	e := &Engine{opt: opt, dir: dir, log: opt.Log, done: make(chan struct{}), cur: &batch{}, conns: map[net.Conn]bool{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the embedded store: %w", err)
	}
	if err := e.takeLock(); err != nil {
		return nil, err
	}
	if err := e.openLog(); err != nil {
		if e.file != nil {
			e.file.Close()
		}
		_ = unlockFile(e.lock)
		return nil, fmt.Errorf("open the embedded store %s: %w", e.path(logName), err)
	}
	e.wg.Go(e.maintain)
	return e, nil
}

func (opt *Options) setDefaults() {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.MinRewrite == 0 {
		opt.MinRewrite = 32 << 20
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.every == 0 {
		opt.every = time.Second
	}
	if opt.openFile == nil {
		opt.openFile = func(name string, flag int) (file, error) { return os.OpenFile(name, flag, 0o600) }
	}
}

func (e *Engine) path(name string) string { return filepath.Join(e.dir, name) }

func (e *Engine) takeLock() error {
	f, err := lockFile(e.path(lockName))
	if errors.Is(err, errHeld) {
		return fmt.Errorf("%w: another weeklybot has %s open; stop it, or give this one another data_dir (or a Redis: redis.url)", ErrLocked, e.dir)
	}
	if err != nil {
		return fmt.Errorf("lock the embedded store: %w", err)
	}
	e.lock = f
	return nil
}

// Dial connects to the engine. It fits redis.Options.Dialer, which passes a network and an address: they are ignored.
func (e *Engine) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	client, conn := newPipe()
	e.conns[conn] = true
	e.wg.Go(func() { e.serve(conn) })
	return client, nil
}

func (e *Engine) forget(conn net.Conn) {
	conn.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, conn)
}

// commandTimeout is how long a client waits for a reply: long, since a command that did not answer in time may have been executed.
const commandTimeout = 30 * time.Second

// Client makes a client of the engine; the caller closes it. It repeats nothing by itself: a command whose reply was lost may have run.
func (e *Engine) Client() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:                  "embedded",
		Dialer:                e.Dial,
		Protocol:              2,
		DisableIdentity:       true,
		MaxRetries:            -1,
		DialerRetries:         1,
		ReadTimeout:           commandTimeout,
		WriteTimeout:          commandTimeout,
		ContextTimeoutEnabled: true,
		PoolSize:              64,
		PoolTimeout:           commandTimeout,
		// Otherwise the client asks the network for the address of a host named "embedded".
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// Err says why the store is read-only: its log could not be written. It is nil again when writing works again.
func (e *Engine) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fault == nil {
		return nil
	}
	return fmt.Errorf("the embedded store is read-only, its log %s cannot be written: %w; make room or repair the disk, it goes on by itself",
		e.path(logName), e.fault)
}

// misconf is the reply to what cannot be done while the log cannot be written; Redis uses the same code when its own log fails.
func misconf(cause error) string {
	return oneLine("MISCONF the store cannot write its log and accepts no changes for now: " + cause.Error())
}

// maintain syncs, expires, rewrites and heals, each when due, once a second.
func (e *Engine) maintain() {
	every := time.NewTicker(e.opt.every)
	defer every.Stop()
	var rested time.Time // no rewrite before it
	for {
		select {
		case <-every.C:
		case <-e.done:
			return
		}
		if e.Err() != nil {
			e.heal()
			continue
		}
		e.expireIdle()
		e.sync()
		if e.grown() && time.Now().After(rested) && e.rewrite() != nil {
			rested = time.Now().Add(time.Minute)
		}
	}
}

// expireIdle removes keys whose time has come even if no command comes.
func (e *Engine) expireIdle() {
	e.mu.Lock()
	if e.mem != nil {
		e.tick()
	}
	b := e.newest()
	e.mu.Unlock()
	_ = e.commit(b) // Err tells of it
}

// sync brings what is written to the disk. Commands go on meanwhile; only a rewrite, which puts another file in its place, must wait.
func (e *Engine) sync() {
	e.rewriteMu.Lock()
	defer e.rewriteMu.Unlock()
	if !e.unsynced.Swap(false) {
		return
	}
	e.fileMu.Lock()
	f := e.file
	e.fileMu.Unlock()
	if err := f.Sync(); err != nil {
		e.mu.Lock()
		e.setFault(&syncError{err})
		e.mu.Unlock()
	}
}

// Close stops serving, waits for its goroutines, and brings everything to the disk. Clients that are still connected see their
// connection end. Closing twice is harmless.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	for conn := range e.conns {
		conn.Close()
	}
	e.mu.Unlock()
	close(e.done)
	e.wg.Wait()

	e.fileMu.Lock()
	defer e.fileMu.Unlock()
	e.writeBatch() // of commands whose client did not wait
	e.mu.Lock()
	defer e.mu.Unlock()
	err := errors.Join(e.fault, e.file.Sync(), e.file.Close(), unlockFile(e.lock))
	if err != nil {
		return fmt.Errorf("close the embedded store: %w", err)
	}
	return nil
}
