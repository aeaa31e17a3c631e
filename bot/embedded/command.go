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
	local                // answered without the data: session.go
	internal             // appears in logs only
)

// command is what the table says of one: arity is the number of words with the name, at least so many if negative, as COMMAND INFO of
// Redis gives it.
type command struct {
	kind  kind
	arity int
}

// commands is the allow-list, for clients and scripts alike. What is not here is refused: because it is random and would replay
// differently (SPOP), because it blocks, walks all keys, empties the store or makes much of little (SETRANGE), because miniredis does it
// otherwise than Redis (XCLAIM ignores the idle time, SUNIONSTORE leaves an empty set behind), or because nobody needs it.
var commands = table(map[kind]string{
	local: `PING -1, ECHO 2, HELLO -1, SELECT 2, QUIT -1, INFO -1, WAIT 3, CLIENT -2, MULTI 1, EXEC 1, DISCARD 1, WATCH -2, UNWATCH 1`,
	read: `TIME 1, DBSIZE 1, EXISTS -2, TYPE 2, TOUCH -2, MEMORY -2, TTL 2, PTTL 2, EXPIRETIME 2, PEXPIRETIME 2,
		GET 2, MGET -2, STRLEN 2, GETRANGE 4,
		HGET 3, HMGET -3, HGETALL 2, HKEYS 2, HVALS 2, HLEN 2, HEXISTS 3, HSTRLEN 3, HSCAN -3,
		SCARD 2, SISMEMBER 3, SMISMEMBER -3, SMEMBERS 2, SDIFF -2, SINTER -2, SUNION -2, SINTERCARD -3, SSCAN -3,
		ZCARD 2, ZCOUNT 4, ZSCORE 3, ZMSCORE -3, ZRANK -3, ZREVRANK -3, ZRANGE -4, ZRANGEBYSCORE -4, ZREVRANGE -4, ZREVRANGEBYSCORE -4,
		ZRANGEBYLEX -4, ZREVRANGEBYLEX -4, ZLEXCOUNT 4, ZSCAN -3,
		LLEN 2, LINDEX 3, LRANGE 4, LPOS -3,
		XLEN 2, XRANGE -4, XREVRANGE -4, XREAD -4, XPENDING -3, XINFO -2`,
	write: `DEL -2, UNLINK -2, EXPIRE -3, PEXPIRE -3, EXPIREAT -3, PEXPIREAT -3, PERSIST 2,
		SET -3, SETNX 3, SETEX 4, PSETEX 4, MSET -3, MSETNX -3, GETSET 3, GETDEL 2, GETEX -2, APPEND 3,
		INCR 2, INCRBY 3, INCRBYFLOAT 3, DECR 2, DECRBY 3,
		HSET -4, HSETNX 4, HMSET -4, HDEL -3, HINCRBY 4, HINCRBYFLOAT 4,
		SADD -3, SREM -3, SMOVE 4,
		ZADD -4, ZINCRBY 4, ZREM -3, ZPOPMIN -2, ZPOPMAX -2, ZREMRANGEBYSCORE 4, ZREMRANGEBYRANK 4, ZREMRANGEBYLEX 4,
		LPUSH -3, RPUSH -3, LPUSHX -3, RPUSHX -3, LPOP -2, RPOP -2, LSET 4, LINSERT 5, LREM 4, LTRIM 4, LMOVE 5, RPOPLPUSH 3,
		XADD -5, XDEL -3, XTRIM -4, XACK -4, XREADGROUP -7, XAUTOCLAIM -6, XGROUP -2`,
	script:   `EVAL -3, EVALSHA -3, EVAL_RO -3, EVALSHA_RO -3, SCRIPT -2`,
	internal: `XCLAIM -6`,
})

// subcommands are the only ones allowed of commands that have any.
var subcommands = map[string][]string{
	"CLIENT": {"SETNAME", "GETNAME", "SETINFO"},
	"MEMORY": {"USAGE"},
	"SCRIPT": {"LOAD", "EXISTS"},
	"XGROUP": {"CREATE", "DESTROY", "CREATECONSUMER", "DELCONSUMER"},
	"XINFO":  {"STREAM", "GROUPS", "CONSUMERS"},
}

// timed are the commands that read or set when a key, their first argument, expires.
var timed = []string{
	"TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", "PERSIST", "SET", "SETEX", "PSETEX", "GETEX",
}

// isTimed says whether a command must see or may change when its key expires. A plain SET of three words only forgets it.
func isTimed(name string, args []string) bool {
	return slices.Contains(timed, name) && (name != "SET" || len(args) > 3)
}

func table(lines map[kind]string) map[string]command {
	t := map[string]command{}
	for kind, line := range lines {
		for row := range strings.SplitSeq(line, ",") {
			var name string
			var arity int
			if _, err := fmt.Sscan(row, &name, &arity); err != nil {
				panic(fmt.Sprintf("command table: %q: %v", row, err))
			}
			t[name] = command{kind, arity}
		}
	}
	return t
}

// lookup finds a command by its name in upper case. fault is the reply to one that a client may not send, "" if it may.
func lookup(name string, args []string) (cmd command, fault string) {
	cmd, known := commands[name]
	switch {
	case !known || cmd.kind == internal:
		return cmd, fmt.Sprintf("ERR '%.60s' is not available in the embedded store", strings.ToLower(name))
	case len(args) < cmd.arity || cmd.arity > 0 && len(args) > cmd.arity || len(args) < -cmd.arity:
		return cmd, fmt.Sprintf("ERR wrong number of arguments for '%s' command", strings.ToLower(name))
	case subcommands[name] != nil && !slices.Contains(subcommands[name], strings.ToUpper(args[1])):
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
