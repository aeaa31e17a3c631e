package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(childMode); mode != "" {
		child(mode, os.Getenv(childDir))
		return
	}
	goleak.VerifyTestMain(m)
}

var ctx = context.Background()

// open opens an engine and a client; both are closed at the end of the test, or earlier by the returned function.
func open(t testing.TB, dir string, opt Options) (*Engine, *redis.Client, func()) {
	t.Helper()
	e, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	c := e.Client()
	closed := false
	done := func() {
		if closed {
			return
		}
		closed = true
		c.Close()
		if err := e.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	t.Cleanup(done)
	return e, c, done
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	_, c, done := open(t, dir, Options{})
	for i := range 100 {
		if err := c.RPush(ctx, "l", i).Err(); err != nil {
			t.Fatal(err)
		}
	}
	id := c.XAdd(ctx, &redis.XAddArgs{Stream: "x", Values: []any{"a", "1"}}).Val()
	c.Set(ctx, "ttl", "v", time.Hour)
	script := redis.NewScript(`redis.call('HSET', KEYS[1], 'now', redis.call('TIME')[1]); return redis.call('HINCRBY', KEYS[1], 'n', ARGV[1])`)
	if n, err := script.Run(ctx, c, []string{"h"}, 5).Int(); n != 5 || err != nil {
		t.Fatalf("script = %d, %v", n, err)
	}
	now := c.HGet(ctx, "h", "now").Val()
	done()

	_, c, _ = open(t, dir, Options{})
	for i, v := range c.LRange(ctx, "l", 0, -1).Val() {
		if v != strconv.Itoa(i) {
			t.Fatalf("l[%d] = %s", i, v)
		}
	}
	if got := c.XRange(ctx, "x", "-", "+").Val(); len(got) != 1 || got[0].ID != id {
		t.Errorf("x = %v, want id %s", got, id)
	}
	if got := c.HGet(ctx, "h", "now").Val(); got != now {
		t.Errorf("time in a script was %s, is %s after reopen", now, got)
	}
	if ttl := c.PTTL(ctx, "ttl").Val(); ttl > time.Hour || ttl < time.Hour-time.Minute {
		t.Errorf("ttl = %v", ttl)
	}
	if n, err := c.EvalSha(ctx, script.Hash(), []string{"h"}, 5).Int(); n != 10 || err != nil {
		t.Errorf("EVALSHA after reopen = %d, %v; want 10", n, err)
	}
}

// TestRefused: what the engine cannot keep or do well is answered by an error that names it, by clients and in scripts.
func TestRefused(t *testing.T) {
	_, c, _ := open(t, t.TempDir(), Options{})
	c.SAdd(ctx, "e", 1)
	for _, line := range []string{
		"SPOP e", "SRANDMEMBER e", "KEYS *", "SCAN 0", "FLUSHALL", "FLUSHDB", "BLPOP l 0", "BRPOP l 0", "BLMOVE a b LEFT LEFT 0", "PUBLISH c m",
		"SUBSCRIBE c", "RANDOMKEY", "SWAPDB 0 1", "MOVE e 1", "SELECT 1", "HELLO 3", "SCRIPT FLUSH", "XCLAIM x g c 0 1-1", "DEBUG SLEEP 1", "HEXPIRE h 1 FIELDS 1 f",
		"XREAD BLOCK 0 STREAMS x 0", "XREADGROUP GROUP g c COUNT 1 BLOCK 5 STREAMS x >", "SHUTDOWN", "CONFIG SET a b", "RENAME e f", "PFADD p 1",
	} {
		var words []any
		for w := range strings.FieldsSeq(line) {
			words = append(words, w)
		}
		if err := c.Do(ctx, words...).Err(); err == nil || errors.Is(err, redis.Nil) {
			t.Errorf("%s: %v, want an error", line, err)
		}
		call := "return redis.call('" + strings.Join(strings.Fields(line), "','") + "')"
		if err := c.Eval(ctx, call, []string{"e"}).Err(); err == nil || errors.Is(err, redis.Nil) {
			t.Errorf("%s in a script: %v, want an error", line, err)
		}
	}
	// a group named BLOCK is no BLOCK option
	c.XGroupCreateMkStream(ctx, "x", "BLOCK", "0")
	if err := c.Do(ctx, "XREADGROUP", "GROUP", "BLOCK", "c", "STREAMS", "x", ">").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("group named BLOCK: %v", err)
	}
	if n := c.SCard(ctx, "e").Val(); n != 1 {
		t.Errorf("SCARD e = %d, want 1", n)
	}
}

func TestWatch(t *testing.T) {
	_, c, _ := open(t, t.TempDir(), Options{})
	c.Set(ctx, "n", 1, 0)
	bump := func(meanwhile func()) error {
		return c.Watch(ctx, func(tx *redis.Tx) error {
			n, err := tx.Get(ctx, "n").Int()
			if err != nil {
				return err
			}
			meanwhile()
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Set(ctx, "n", n+1, 0).Err() })
			return err
		}, "n")
	}
	if err := bump(func() {}); err != nil {
		t.Errorf("undisturbed: %v", err)
	}
	if err := bump(func() { c.Set(ctx, "n", 10, 0) }); !errors.Is(err, redis.TxFailedErr) {
		t.Errorf("key changed meanwhile: %v, want TxFailedErr", err)
	}
	if err := bump(func() { c.Do(ctx, crash...) }); !errors.Is(err, redis.TxFailedErr) {
		t.Errorf("data loaded again meanwhile: %v, want TxFailedErr", err)
	}
	if n := c.Get(ctx, "n").Val(); n != "10" {
		t.Errorf("n = %s, want 10", n)
	}
}

// crash makes miniredis index past the end of its words.
var crash = []any{"XADD", "x", "NOMKSTREAM", "MAXLEN", "~"}

// TestCrashingCommand: a command that crashes miniredis leaves no trace, and the engine goes on.
func TestCrashingCommand(t *testing.T) {
	dir := t.TempDir()
	_, c, done := open(t, dir, Options{})
	c.Set(ctx, "a", 1, 0)
	if err := c.Do(ctx, crash...).Err(); err == nil || !strings.Contains(err.Error(), "crashed") {
		t.Errorf("crashing command: %v", err)
	}
	err := c.Eval(ctx, `redis.call('SET', 'a', 2); redis.pcall('XADD', 'x', 'NOMKSTREAM', 'MAXLEN', '~'); redis.call('SET', 'a', 3); return 1`, []string{"a"}).Err()
	if err == nil {
		t.Error("crash in a script: no error")
	}
	_, err = c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "a", 4, 0)
		p.Do(ctx, crash...)
		return nil
	})
	if err == nil {
		t.Error("crash in a transaction: no error")
	}
	p := c.Pipeline()
	set, bad, get := p.Set(ctx, "b", 5, 0), p.Do(ctx, crash...), p.Get(ctx, "b")
	p.Exec(ctx)
	if set.Err() != nil || bad.Err() == nil || get.Val() != "5" {
		t.Errorf("in a pipeline: set %v, crash %v, get %q", set.Err(), bad.Err(), get.Val())
	}
	if v := c.Get(ctx, "a").Val(); v != "1" {
		t.Errorf("a = %s, want 1", v)
	}
	done()
	_, c, _ = open(t, dir, Options{})
	if v := c.MGet(ctx, "a", "b").Val(); fmt.Sprint(v) != "[1 5]" {
		t.Errorf("after reopen a, b = %v, want [1 5]", v)
	}
}

// TestManyClients: pipelines much longer than any buffer, from many clients at once, while the log is rewritten all the time.
func TestManyClients(t *testing.T) {
	const clients, length = 16, 2000
	dir := t.TempDir()
	e, c, done := open(t, dir, Options{})
	stop := make(chan struct{})
	var rewriter sync.WaitGroup
	rewriter.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := e.rewrite(); err != nil {
					t.Error(err)
				}
			}
		}
	})
	value := strings.Repeat("v", 500)
	var wg sync.WaitGroup
	for g := range clients {
		wg.Go(func() {
			p := c.Pipeline()
			key := "h" + strconv.Itoa(g)
			for i := range length / 2 {
				p.HSet(ctx, key, i, value)
				p.HGet(ctx, key, strconv.Itoa(i))
			}
			cmds, err := p.Exec(ctx)
			if err != nil {
				t.Error(err)
			}
			for _, cmd := range cmds {
				if get, ok := cmd.(*redis.StringCmd); ok && get.Val() != value {
					t.Errorf("%v = %q", get.Args(), get.Val())
				}
			}
		})
	}
	wg.Wait()
	close(stop)
	rewriter.Wait()
	done()
	_, c, _ = open(t, dir, Options{})
	for g := range clients {
		if n := c.HLen(ctx, "h"+strconv.Itoa(g)).Val(); n != length/2 {
			t.Errorf("h%d holds %d fields, want %d", g, n, length/2)
		}
	}
}

// TestClosed: Close ends clients that are waiting, may be called twice, and Dial says why it fails.
func TestClosed(t *testing.T) {
	e, _, _ := open(t, t.TempDir(), Options{})
	conn, err := e.Dial(ctx, "", "")
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		read <- err
	}()
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Error(err)
	}
	if err := <-read; err == nil {
		t.Error("a waiting client read something from a closed engine")
	}
	if _, err := e.Dial(ctx, "", ""); !errors.Is(err, ErrClosed) {
		t.Errorf("Dial after Close: %v, want ErrClosed", err)
	}
}

// TestExpiry uses the bubble's clock, which moves only when everything waits: the engine's pipe is no socket, so that this works.
func TestExpiry(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		_, c, done := open(t, dir, Options{})
		c.Set(ctx, "short", 1, 500*time.Millisecond)
		c.Set(ctx, "renewed", 1, 800*time.Millisecond)
		c.Set(ctx, "kept", 1, time.Second)
		c.Set(ctx, "replaced", 1, time.Second)
		c.Eval(ctx, `redis.call('SET', KEYS[1], 1, 'PX', 700)`, []string{"script"})
		check := func(want ...string) {
			t.Helper()
			var have []string
			for _, k := range []string{"short", "renewed", "kept", "replaced", "script", "long"} {
				if c.Exists(ctx, k).Val() == 1 {
					have = append(have, k)
				}
			}
			if !slices.Equal(have, want) {
				t.Errorf("keys %v, want %v", have, want)
			}
		}
		time.Sleep(499 * time.Millisecond)
		check("short", "renewed", "kept", "replaced", "script")
		if ttl := c.PTTL(ctx, "renewed").Val(); ttl != 301*time.Millisecond {
			t.Errorf("PTTL renewed = %v, want 301ms", ttl)
		}
		if ttl := c.Eval(ctx, `return redis.call('PTTL', KEYS[1])`, []string{"script"}).Val(); ttl != int64(201) {
			t.Errorf("PTTL in a script = %v, want 201", ttl)
		}
		c.PExpire(ctx, "renewed", 5*time.Second)
		c.Persist(ctx, "kept")
		c.Set(ctx, "replaced", 2, 0)
		c.Set(ctx, "long", 1, time.Hour)
		time.Sleep(time.Millisecond)
		check("renewed", "kept", "replaced", "script", "long")
		time.Sleep(200 * time.Millisecond)
		check("renewed", "kept", "replaced", "long")
		time.Sleep(4799 * time.Millisecond) // 5 s after the renewal, less 1 ms for each step since
		check("kept", "replaced", "long")
		done()
		time.Sleep(30 * time.Minute)
		e, c2, done2 := open(t, dir, Options{})
		c = c2
		check("kept", "replaced", "long")
		if err := e.rewrite(); err != nil {
			t.Fatal(err)
		}
		done2()
		time.Sleep(25 * time.Minute)
		_, c3, done3 := open(t, dir, Options{})
		c = c3
		check("kept", "replaced", "long")
		time.Sleep(6 * time.Minute)
		check("kept", "replaced")
		done3()
	})
}

// TestIdleExpiry: a key goes without any command coming, so that it does not fill memory and log.
func TestIdleExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, c, done := open(t, t.TempDir(), Options{})
		c.Set(ctx, "k", 1, 10*time.Second)
		time.Sleep(12 * time.Second)
		if keys := e.mem.m.Keys(); len(keys) != 0 {
			t.Errorf("keys %v, want none", keys)
		}
		done()
	})
}

// A child that is started while the store is open holds a copy of the lock's file for a moment, until it is a program of its own. It does not keep the
// store from being opened again.
func TestAChildDoesNotKeepTheLock(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		e, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		fd, err := syscall.Dup(int(e.lock.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Close(fd) }()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
