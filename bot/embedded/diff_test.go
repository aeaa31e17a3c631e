package embedded

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"weeklybot/internal/needs"
)

var (
	diffCommands = flag.Int("diff.n", 6000, "random commands compared with a real Redis")
	diffSeed     = flag.Uint64("diff.seed", 0, "seed of the comparison; 0 = a new one")
)

// startRedis starts a redis-server on a unix socket of its own and gives a client of it.
func startRedis(t *testing.T) *redis.Client {
	t.Helper()
	bin := needs.RedisServer(t)
	dir := t.TempDir()
	sock := filepath.Join(dir, "r.sock")
	cmd := exec.Command(bin, "--port", "0", "--unixsocket", sock, "--dir", dir, "--save", "", "--appendonly", "no", "--loglevel", "warning")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: sock, Protocol: 2, DisableIdentity: true, MaxRetries: -1})
	t.Cleanup(func() { c.Close() })
	for deadline := time.Now().Add(30 * time.Second); c.Ping(ctx).Err() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
	}
	return c
}

// TestSameAsRedis runs the same random commands on a real Redis and on the engine: equal replies, equal data; and the same data again
// after the log was replayed, rewritten, and replayed.
func TestSameAsRedis(t *testing.T) {
	seed := *diffSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to repeat: go test -run TestSameAsRedis -diff.seed %d -diff.n %d", seed, *diffCommands)
	real, dir := startRedis(t), t.TempDir()
	e, c, done := open(t, dir, Options{})
	g := newGenerator(seed)
	for i := range *diffCommands {
		commands := g.next(i)
		if want, got := show(real, commands), show(c, commands); want != got {
			t.Fatalf("command %d: %v\nredis:  %s\nengine: %s", i, commands, want, got)
		}
		if i == *diffCommands/2 { // so that a rewritten log with records behind it is replayed, too
			if err := e.rewrite(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(dump(real, false), dump(c, false)); diff != "" {
		t.Fatalf("data (-redis +engine):\n%s", diff)
	}
	live := dump(c, true)
	done()
	e, c, done = open(t, dir, Options{})
	if diff := cmp.Diff(live, dump(c, true)); diff != "" {
		t.Fatalf("after reopen (-before +after):\n%s", diff)
	}
	if err := e.rewrite(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(live, dump(c, true)); diff != "" {
		t.Fatalf("after rewrite (-before +after):\n%s", diff)
	}
	done()
	_, c, _ = open(t, dir, Options{})
	if diff := cmp.Diff(live, dump(c, true)); diff != "" {
		t.Fatalf("after rewrite and reopen (-before +after):\n%s", diff)
	}
}

const (
	luaCount = `local n = redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
if n > 3 then redis.call('ZADD', KEYS[2], n, ARGV[1]); return {n, 'over'} end
redis.call('SADD', KEYS[3], ARGV[1]); return {n, redis.call('SCARD', KEYS[3])}`
	luaFailHalf = `redis.call('HSET', KEYS[1], 'half', ARGV[1]); return redis.call('LPUSH', KEYS[1], 'x')`
	luaPcall    = `local r = redis.pcall('INCR', KEYS[1]); if type(r) == 'table' and r.err then redis.call('SET', KEYS[2], ARGV[1]); return 'err' end return r`
	luaAck      = `local n = redis.call('XACK', KEYS[1], 'g', ARGV[1]); if n == 1 then redis.call('XDEL', KEYS[1], ARGV[1]) end; return n`
	luaTTL      = `redis.call('SET', KEYS[1], ARGV[1], 'PX', 3600000); return redis.call('PTTL', KEYS[1]) > 3500000`
)

// perKind is how many keys of each type the generator uses; the name's first letter tells the type.
const perKind = 3

func allKeys() (keys []string) {
	for _, k := range "shezlxt" {
		for i := range perKind {
			keys = append(keys, fmt.Sprintf("{t}:%c%d", k, i))
		}
	}
	return keys
}

type generator struct {
	*rand.Rand
	ids map[string][]string // of each stream
}

func newGenerator(seed uint64) *generator {
	return &generator{rand.New(rand.NewPCG(seed, 1)), map[string][]string{}}
}

func (g *generator) pick(s ...string) string { return s[g.IntN(len(s))] }
func (g *generator) num(n int) string        { return strconv.Itoa(g.IntN(n)) }
func (g *generator) key(kind string) string  { return "{t}:" + kind + g.num(perKind) }
func (g *generator) anyID(stream string) string {
	if l := g.ids[stream]; len(l) > 0 {
		return l[g.IntN(len(l))]
	}
	return "1-1"
}

// next gives one command, or several for one MULTI/EXEC.
func (g *generator) next(i int) [][]any {
	if g.IntN(20) > 0 {
		return [][]any{g.one(i * 10)}
	}
	var tx [][]any
	for j := range 1 + g.IntN(5) {
		tx = append(tx, g.one(i*10+j))
	}
	return tx
}

// words makes a command of a line; each word that ends in "?" is a key of that kind.
func (g *generator) words(line string) []any {
	var out []any
	for w := range strings.FieldsSeq(line) {
		if kind, ok := strings.CutSuffix(w, "?"); ok {
			w = g.key(kind)
		}
		out = append(out, w)
	}
	return out
}

// one gives the k-th command. What miniredis is known to do otherwise is left out: XDEL of what is pending, counts after JUSTID, COUNT when
// reading what is pending (ignored), numbers with leading zeros (taken), long decimals.
func (g *generator) one(k int) []any {
	f, m, n := "f"+g.num(20), "m"+g.num(30), g.num(100)
	lines := []string{
		"SET s? " + n, "SET s? " + n + " NX", "SET s? " + n + " XX GET", "INCRBY s? " + n, "DECR s?", "GET s?", "GETSET s? " + n, "GETDEL s?",
		"MGET s? s? s?", "APPEND t? " + g.num(9), "STRLEN s?", "SETNX s? " + n, "MSET s? 1 t? 2", "GETRANGE s? 0 1", "HINCRBYFLOAT h? x 1.5",
		"HSET h? " + f + " " + n + " g" + f + " " + n, "HDEL h? " + f, "HGET h? " + f, "HGETALL h?", "HMGET h? " + f + " f1", "HLEN h?",
		"HSETNX h? " + f + " " + n, "HINCRBY h? c" + g.num(3) + " " + n, "HEXISTS h? " + f, "HKEYS h?", "HVALS h?", "HSTRLEN h? " + f,
		"SADD e? " + n + " " + g.num(50), "SREM e? " + n, "SISMEMBER e? " + n, "SMEMBERS e?", "SCARD e?", "SMOVE e? e? " + n, "SUNION e? e?",
		"SINTER e? e?", "SDIFF e? e?", "SMISMEMBER e? 1 " + n,
		"ZADD z? " + n + " " + m, "ZADD z? " + g.pick("NX", "XX", "GT", "LT") + " CH " + n + " " + m, "ZADD z? " + g.num(9) + ".25 " + m, "ZINCRBY z? 2 " + m,
		"ZRANGE z? 0 " + n + " BYSCORE LIMIT 0 5 WITHSCORES", "ZRANGEBYSCORE z? (1 " + n + " LIMIT 0 3", "ZRANGE z? 0 -1 REV", "ZSCORE z? " + m,
		"ZREMRANGEBYSCORE z? 0 " + g.num(8), "ZCARD z?", "ZCOUNT z? 0 " + n, "ZREM z? " + m, "ZRANK z? " + m, "ZPOPMIN z?", "ZPOPMAX z? 2", "ZMSCORE z? m1 " + m,
		"RPUSH l? " + n + " " + g.num(5), "LPUSH l? " + n, "LPOP l?", "RPOP l? 2", "LRANGE l? 0 -1", "LLEN l?", "LINDEX l? 0", "LSET l? 0 " + n,
		"LREM l? 1 " + g.num(5), "LTRIM l? 0 20", "LMOVE l? l? LEFT RIGHT", "RPOPLPUSH l? l?", "LINSERT l? BEFORE 1 2",
		"EXPIRE t? 3600", "PEXPIRE s? 3600000 NX", "PERSIST t?", "SET t? " + n + " EX 3600", "TTL s?", "SET t? 1 KEEPTTL", "SETEX t? 3600 " + n, "PEXPIREAT t? 1",
		"DEL s? t?", "UNLINK h? e?", "EXISTS s? h? e?", "TYPE s?", "TYPE x?", "DEL " + g.pick("z?", "l?", "e?"), "HSET s? a b", "INCR h?", "LPUSH s? 1", "SADD h? 1", "ZADD l? 1 a",
		"GET", "NOSUCH a b", "SET s?", "XADD s? 1-1 a b", "EXPIRE s? abc", "INCRBY s? x", "HSET h? f", "ZADD z? x m",
		"XGROUP CREATE x? g 0 MKSTREAM", "XREADGROUP GROUP g c" + g.num(2) + " COUNT " + g.num(5) + " STREAMS x? >", "XLEN x?", "XRANGE x? - + COUNT 3", "XREVRANGE x? + - COUNT 3",
		"XPENDING x? g", "XREADGROUP GROUP g c0 STREAMS x? 0", "XREAD COUNT 2 STREAMS x? 0", "XAUTOCLAIM x? g c" + g.num(2) + " 0 0-0 COUNT 10 JUSTID", "XTRIM x? MAXLEN 1000000",
	}
	special := []func() []any{
		func() []any { return g.xadd(k) }, func() []any { return g.xadd(k) }, func() []any { return g.xadd(k) }, func() []any { return g.xadd(k) },
		func() []any { q := g.key("x"); return []any{"EVAL", luaAck, "1", q, g.anyID(q)} },
		func() []any { q := g.key("x"); return []any{"EVAL", luaAck, "1", q, g.anyID(q)} },
		func() []any { return []any{"EVAL", luaCount, "3", g.key("h"), g.key("z"), g.key("e"), "f" + g.num(5)} },
		func() []any { return []any{"EVAL", luaFailHalf, "1", g.key("h"), g.num(100)} },
		func() []any { return []any{"EVAL", luaPcall, "2", g.key(g.pick("s", "h")), g.key("t"), g.num(100)} },
		func() []any { return []any{"EVAL", luaTTL, "1", g.key("t"), g.num(100)} },
		func() []any { return []any{"SCRIPT", "LOAD", "return " + g.num(3)} },
		func() []any { return []any{"EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"} },
	}
	if i := g.IntN(len(lines) + 2*len(special)); i < len(lines) {
		return g.words(lines[i])
	}
	return special[g.IntN(len(special))]()
}

func (g *generator) xadd(k int) []any {
	stream, id := g.key("x"), strconv.Itoa(k+1)+"-1"
	g.ids[stream] = append(g.ids[stream], id)
	return []any{"XADD", stream, id, "i", g.num(1000)}
}

// show runs commands and gives their replies in a form that can be compared: errors by their code, unordered lists sorted.
func show(c *redis.Client, commands [][]any) string {
	if len(commands) == 1 {
		return showReply(c.Do(ctx, commands[0]...))
	}
	var b strings.Builder
	cmds, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for _, words := range commands {
			p.Do(ctx, words...)
		}
		return nil
	})
	if err != nil && strings.HasPrefix(err.Error(), "EXECABORT") {
		return "EXECABORT"
	}
	for _, cmd := range cmds {
		b.WriteString(showReply(cmd.(*redis.Cmd)) + "\n")
	}
	return b.String()
}

var unordered = []string{"HGETALL", "HKEYS", "HVALS", "SMEMBERS", "SUNION", "SINTER", "SDIFF"}

func showReply(cmd *redis.Cmd) string {
	v, err := cmd.Result()
	name := fmt.Sprint(cmd.Args()[0])
	switch {
	case errors.Is(err, redis.Nil):
		return "nil"
	case err != nil:
		code, _, _ := strings.Cut(err.Error(), " ")
		if name == "EVAL" { // Redis keeps the code of a failed call, miniredis calls every fault of a script ERR
			code = "script"
		}
		if name == "NOSUCH" { // an unknown command has many texts
			code = "unknown"
		}
		return "error " + code
	case slices.Contains(unordered, name):
		l, _ := v.([]any)
		s := make([]string, len(l))
		for i := range l {
			s[i] = fmt.Sprint(l[i])
		}
		if name == "HGETALL" {
			s = pairs(s)
		}
		slices.Sort(s)
		return fmt.Sprint(s)
	case name == "TTL":
		return fmt.Sprint(v.(int64) > 0, v.(int64) < 0)
	}
	return fmt.Sprintf("%v", v)
}

func pairs(l []string) (out []string) {
	for i := 0; i+1 < len(l); i += 2 {
		out = append(out, l[i]+"="+l[i+1])
	}
	return out
}

// dump gives all data of the generator's keys. With counts also what only the engine itself must keep: delivery counts, consumers, when keys
// expire.
func dump(c *redis.Client, counts bool) map[string]string {
	out := map[string]string{}
	for _, k := range allKeys() {
		kind := c.Type(ctx, k).Val()
		v := kind + " "
		switch kind {
		case "string":
			v += c.Get(ctx, k).Val()
		case "hash":
			v += fmt.Sprint(c.HGetAll(ctx, k).Val())
		case "set":
			members := c.SMembers(ctx, k).Val()
			slices.Sort(members)
			v += fmt.Sprint(members)
		case "zset":
			v += fmt.Sprint(c.ZRangeWithScores(ctx, k, 0, -1).Val())
		case "list":
			v += fmt.Sprint(c.LRange(ctx, k, 0, -1).Val())
		case "stream":
			v += dumpStream(c, k, counts)
		}
		if ttl := c.PTTL(ctx, k).Val(); ttl > 0 && counts {
			v += " expires " + time.Now().Add(ttl).Round(time.Minute).Format(time.TimeOnly)
		} else if ttl > 0 {
			v += " expires"
		}
		out[k] = v
	}
	return out
}

func dumpStream(c *redis.Client, k string, counts bool) string {
	var b strings.Builder
	entries := c.XRange(ctx, k, "-", "+").Val()
	live := map[string]bool{}
	for _, e := range entries {
		live[e.ID] = true
	}
	fmt.Fprintln(&b, entries)
	groups := c.XInfoGroups(ctx, k).Val()
	for _, g := range groups {
		last := g.LastDeliveredID
		if last == "0" {
			last = "0-0"
		}
		fmt.Fprintln(&b, "group", g.Name, last)
		for _, p := range c.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: k, Group: g.Name, Start: "-", End: "+", Count: 100000}).Val() {
			if !live[p.ID] {
				continue
			}
			fmt.Fprint(&b, "pending ", p.ID, " ", p.Consumer)
			if counts {
				fmt.Fprint(&b, " ", p.RetryCount)
			}
			fmt.Fprintln(&b)
		}
		if counts {
			for _, p := range c.XInfoConsumers(ctx, k, g.Name).Val() {
				fmt.Fprintln(&b, "consumer", p.Name)
			}
		}
	}
	if counts {
		fmt.Fprintln(&b, "last", c.Do(ctx, "XINFO", "STREAM", k).Val())
	}
	return b.String()
}
