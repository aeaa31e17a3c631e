package embedded

import (
	"fmt"
	"slices"
	"strings"
)

// kind says how a command is run.
type kind uint8

const (
	read     kind = iota // changes nothing
	write                // is logged as it came
	script               // is logged as the writes that it made
	local                // answered without the data: conn.go
	internal             // appears in logs only
)

// command is a row of the table: what a client may send.
type command struct {
	kind kind
	// arity is the number of words with the name, at least so many if negative: as COMMAND INFO of Redis gives it.
	arity int
	// ttl marks commands that read or set when a key (always the first argument) expires.
	ttl bool
	// subs, if any, are the only first arguments allowed.
	subs []string
}

// commands is the allow-list, for clients and scripts alike. What is not here is refused: because it is random and would replay
// differently (SPOP), because it blocks, walks all keys, empties the store or makes much of little (SETRANGE), because miniredis does it otherwise than Redis (XCLAIM
// ignores the idle time, SUNIONSTORE leaves an empty set behind), or because nobody needs it.
var commands = map[string]command{
	"PING": {local, -1, false, nil}, "ECHO": {local, 2, false, nil}, "HELLO": {local, -1, false, nil}, "SELECT": {local, 2, false, nil},
	"QUIT": {local, -1, false, nil}, "INFO": {local, -1, false, nil}, "WAIT": {local, 3, false, nil},
	"CLIENT": {local, -2, false, []string{"SETNAME", "GETNAME", "SETINFO"}},
	"MULTI":  {local, 1, false, nil}, "EXEC": {local, 1, false, nil}, "DISCARD": {local, 1, false, nil},
	"WATCH": {local, -2, false, nil}, "UNWATCH": {local, 1, false, nil},

	"TIME": {read, 1, false, nil}, "DBSIZE": {read, 1, false, nil}, "EXISTS": {read, -2, false, nil}, "TYPE": {read, 2, false, nil},
	"TOUCH": {read, -2, false, nil}, "MEMORY": {read, -2, false, []string{"USAGE"}},
	"DEL": {write, -2, false, nil}, "UNLINK": {write, -2, false, nil},
	"TTL": {read, 2, true, nil}, "PTTL": {read, 2, true, nil}, "EXPIRETIME": {read, 2, true, nil}, "PEXPIRETIME": {read, 2, true, nil},
	"EXPIRE": {write, -3, true, nil}, "PEXPIRE": {write, -3, true, nil}, "EXPIREAT": {write, -3, true, nil},
	"PEXPIREAT": {write, -3, true, nil}, "PERSIST": {write, 2, true, nil},

	"GET": {read, 2, false, nil}, "MGET": {read, -2, false, nil}, "STRLEN": {read, 2, false, nil}, "GETRANGE": {read, 4, false, nil},
	"SET": {write, -3, true, nil}, "SETNX": {write, 3, false, nil}, "SETEX": {write, 4, true, nil}, "PSETEX": {write, 4, true, nil},
	"MSET": {write, -3, false, nil}, "MSETNX": {write, -3, false, nil}, "GETSET": {write, 3, false, nil}, "GETDEL": {write, 2, false, nil},
	"GETEX": {write, -2, true, nil}, "APPEND": {write, 3, false, nil},
	"INCR": {write, 2, false, nil}, "INCRBY": {write, 3, false, nil}, "INCRBYFLOAT": {write, 3, false, nil},
	"DECR": {write, 2, false, nil}, "DECRBY": {write, 3, false, nil},

	"HGET": {read, 3, false, nil}, "HMGET": {read, -3, false, nil}, "HGETALL": {read, 2, false, nil}, "HKEYS": {read, 2, false, nil},
	"HVALS": {read, 2, false, nil}, "HLEN": {read, 2, false, nil}, "HEXISTS": {read, 3, false, nil}, "HSTRLEN": {read, 3, false, nil},
	"HSCAN": {read, -3, false, nil},
	"HSET":  {write, -4, false, nil}, "HSETNX": {write, 4, false, nil}, "HMSET": {write, -4, false, nil}, "HDEL": {write, -3, false, nil},
	"HINCRBY": {write, 4, false, nil}, "HINCRBYFLOAT": {write, 4, false, nil},

	"SCARD": {read, 2, false, nil}, "SISMEMBER": {read, 3, false, nil}, "SMISMEMBER": {read, -3, false, nil},
	"SMEMBERS": {read, 2, false, nil}, "SDIFF": {read, -2, false, nil}, "SINTER": {read, -2, false, nil}, "SUNION": {read, -2, false, nil},
	"SINTERCARD": {read, -3, false, nil}, "SSCAN": {read, -3, false, nil},
	"SADD": {write, -3, false, nil}, "SREM": {write, -3, false, nil}, "SMOVE": {write, 4, false, nil},

	"ZCARD": {read, 2, false, nil}, "ZCOUNT": {read, 4, false, nil}, "ZSCORE": {read, 3, false, nil}, "ZMSCORE": {read, -3, false, nil},
	"ZRANK": {read, -3, false, nil}, "ZREVRANK": {read, -3, false, nil}, "ZRANGE": {read, -4, false, nil},
	"ZRANGEBYSCORE": {read, -4, false, nil}, "ZREVRANGE": {read, -4, false, nil}, "ZREVRANGEBYSCORE": {read, -4, false, nil},
	"ZRANGEBYLEX": {read, -4, false, nil}, "ZREVRANGEBYLEX": {read, -4, false, nil}, "ZLEXCOUNT": {read, 4, false, nil},
	"ZSCAN": {read, -3, false, nil},
	"ZADD":  {write, -4, false, nil}, "ZINCRBY": {write, 4, false, nil}, "ZREM": {write, -3, false, nil},
	"ZPOPMIN": {write, -2, false, nil}, "ZPOPMAX": {write, -2, false, nil}, "ZREMRANGEBYSCORE": {write, 4, false, nil},
	"ZREMRANGEBYRANK": {write, 4, false, nil}, "ZREMRANGEBYLEX": {write, 4, false, nil},

	"LLEN": {read, 2, false, nil}, "LINDEX": {read, 3, false, nil}, "LRANGE": {read, 4, false, nil}, "LPOS": {read, -3, false, nil},
	"LPUSH": {write, -3, false, nil}, "RPUSH": {write, -3, false, nil}, "LPUSHX": {write, -3, false, nil}, "RPUSHX": {write, -3, false, nil},
	"LPOP": {write, -2, false, nil}, "RPOP": {write, -2, false, nil}, "LSET": {write, 4, false, nil}, "LINSERT": {write, 5, false, nil},
	"LREM": {write, 4, false, nil}, "LTRIM": {write, 4, false, nil}, "LMOVE": {write, 5, false, nil}, "RPOPLPUSH": {write, 3, false, nil},

	"XLEN": {read, 2, false, nil}, "XRANGE": {read, -4, false, nil}, "XREVRANGE": {read, -4, false, nil}, "XREAD": {read, -4, false, nil},
	"XPENDING": {read, -3, false, nil}, "XINFO": {read, -2, false, []string{"STREAM", "GROUPS", "CONSUMERS"}},
	"XADD": {write, -5, false, nil}, "XDEL": {write, -3, false, nil}, "XTRIM": {write, -4, false, nil}, "XACK": {write, -4, false, nil},
	"XREADGROUP": {write, -7, false, nil}, "XAUTOCLAIM": {write, -6, false, nil}, "XCLAIM": {internal, -6, false, nil},
	"XGROUP": {write, -2, false, []string{"CREATE", "DESTROY", "CREATECONSUMER", "DELCONSUMER"}},

	"EVAL": {script, -3, false, nil}, "EVALSHA": {script, -3, false, nil}, "EVAL_RO": {script, -3, false, nil},
	"EVALSHA_RO": {script, -3, false, nil}, "SCRIPT": {script, -2, false, []string{"LOAD", "EXISTS"}},
}

// lookup finds a command by its name in upper case. fault is the reply to one that a client may not send, "" if it may.
func lookup(name string, args []string) (cmd command, fault string) {
	cmd, known := commands[name]
	switch {
	case !known || cmd.kind == internal:
		return cmd, fmt.Sprintf("ERR '%.60s' is not available in the embedded store", strings.ToLower(name))
	case len(args) < cmd.arity || cmd.arity > 0 && len(args) > cmd.arity || len(args) < -cmd.arity:
		return cmd, fmt.Sprintf("ERR wrong number of arguments for '%s' command", strings.ToLower(name))
	case cmd.subs != nil && !slices.Contains(cmd.subs, strings.ToUpper(args[1])):
		return cmd, fmt.Sprintf("ERR '%s %.60s' is not available in the embedded store", strings.ToLower(name), args[1])
	case (name == "XREAD" || name == "XREADGROUP") && blocks(args):
		return cmd, "ERR BLOCK is not available in the embedded store: read without it, when something says that there is more"
	}
	return cmd, ""
}

// blocks finds the BLOCK option of XREAD and XREADGROUP, before the names of the streams.
func blocks(args []string) bool {
	i := 1
	if strings.EqualFold(args[0], "XREADGROUP") {
		i = 4 // GROUP, the group and the consumer: names that may look like anything
	}
	for ; i < len(args); i++ {
		switch strings.ToUpper(args[i]) {
		case "BLOCK":
			return true
		case "STREAMS":
			return false
		}
	}
	return false
}
