package embedded

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
