package redisstore

import (
	"fmt"
	"strconv"
	"strings"

	"weeklybot/bot"
)

// shardTags are the hash tags of the 16 shards, chosen so that CRC16(tag) mod 16384 falls into the middle of the i-th sixteenth of a
// Cluster's slots: shards spread evenly over any number of masters.
var shardTags = [16]string{
	"0142", "1239", "2162", "3169", "498", "579", "64", "759", "858", "948", "a21", "b68", "c13", "d258", "e61", "f28",
}

// maxShards is how many shards a store may have: a channel's shard is the first 4 bits of its ID.
const maxShards = len(shardTags)

// keys builds every key the store uses.
type keys struct {
	prefix string
	shards int
}

func newKeys(prefix string, shards int) (keys, error) {
	if prefix == "" || strings.ContainsAny(prefix, "{} \t\r\n") {
		return keys{}, fmt.Errorf("redis.prefix %q: use a short word without braces or blanks, for example wb", prefix)
	}
	return keys{prefix, shards}, nil
}

// shardOf is the shard of a channel.
func (k keys) shardOf(id bot.ChannelID) int { return int(id[0]>>4) * k.shards / maxShards }

func (k keys) shard(s int, name string) string { return k.prefix + ":{" + shardTags[s] + "}:" + name }

func (k keys) state(s int) string           { return k.shard(s, "st") }       // hash: owner, until, epoch, commit, page, pub, ctl, order
func (k keys) channels(s int) string        { return k.shard(s, "ch") }       // hash: channel → packed record
func (k keys) slots(s int) string           { return k.shard(s, "slots") }    // hash: slot → cron TAB zone; slot:u → upto; slot:p → last
func (k keys) due(s int) string             { return k.shard(s, "due") }      // zset: slot → next, unix ms
func (k keys) slot(s int, id string) string { return k.shard(s, "slot:"+id) } // set: members
func (k keys) runs(s int) string            { return k.shard(s, "runs") }     // hash: run → JSON
func (k keys) open(s int) string            { return k.shard(s, "open") }     // set: runs to resume
func (k keys) counts(s int) string          { return k.shard(s, "rc") }       // hash: "run state" → deliveries
func (k keys) page(s int, n int64) string   { return k.shard(s, "pg:"+strconv.FormatInt(n, 10)) }
func (k keys) ledger(s int, n int64) string { return k.shard(s, "led:"+strconv.FormatInt(n, 10)) }  // hash: index → packed outcome
func (k keys) over(s int, n int64) string   { return k.shard(s, "over:"+strconv.FormatInt(n, 10)) } // string: packed last outcomes
func (k keys) todo(s int) string            { return k.shard(s, "todo") }                           // set: pages not finished
func (k keys) fly(s int) string             { return k.shard(s, "fly") }                            // hash: lane → packed flights
func (k keys) owed(s int) string            { return k.shard(s, "owed") }                           // hash: member → packed debt
func (k keys) ill(s int) string             { return k.shard(s, "ill") }                            // hash: channel → its ailment as JSON, while on probation
func (k keys) letters(s int) string         { return k.shard(s, "dead") }                           // hash: delivery → JSON
func (k keys) days(s int) string            { return k.shard(s, "days") }                           // hash: day → first page
func (k keys) names(s int, day string) string {
	return k.shard(s, "day:"+day) // list: "r<run>", "d<letter>" that go with the day
}

// Broadcasts, what people order, and who changed what.
func (k keys) broadcasts() string { return k.prefix + ":{bc}:all" }    // hash: broadcast → JSON
func (k keys) bodies() string     { return k.prefix + ":{bc}:body" }   // hash: broadcast → message as JSON
func (k keys) lastID() string     { return k.prefix + ":{bc}:last" }   // string: number of the last broadcast drafted
func (k keys) times() string      { return k.prefix + ":{bc}:due" }    // zset: broadcast → unix ms
func (k keys) lastOrder() string  { return k.prefix + ":{bc}:head" }   // string: number of the last order
func (k keys) orders() string     { return k.prefix + ":{bc}:orders" } // hash: number → JSON, the last 10,000
func (k keys) audit() string      { return k.prefix + ":{all}:audit" } // list: JSON, newest first

// The catalogue, the nodes and the meta record stand outside the shards.
func (k keys) head() string    { return k.prefix + ":{cat}:head" }    // string: last number given
func (k keys) log() string     { return k.prefix + ":{cat}:log" }     // hash: number → entry as JSON
func (k keys) seen() string    { return k.prefix + ":{cat}:seen" }    // hash: issue key → what is known of it
func (k keys) loaded() string  { return k.prefix + ":{cat}:loaded" }  // set: sources whose first load is done
func (k keys) meta() string    { return k.prefix + ":{all}:meta" }    // hash: schema, shards
func (k keys) nodes() string   { return k.prefix + ":{all}:nodes" }   // zset: node → last beat, unix ms
func (k keys) held() string    { return k.prefix + ":{all}:held" }    // hash: adapter TAB workspace → its ailment as JSON
func (k keys) tally() string   { return k.prefix + ":{all}:tally" }   // hash: name TAB month → count
func (k keys) notices() string { return k.prefix + ":{all}:notices" } // hash: notice → JSON, or when it was told
func (k keys) blocked() string { return k.prefix + ":{all}:blocked" } // zset: adapter TAB workspace → until, unix ms
func (k keys) budget(workspace string) string {
	return k.prefix + ":{pace" + workspace + "}:pace" // string: when the next post may go, unix µs
}
func (k keys) probe(workspace string) string {
	return k.prefix + ":{all}:probe:" + workspace // string, expires: a delivery tries a held workspace
}

// What members think of items, see vote.lua.
func (k keys) votes() string    { return k.prefix + ":{fb}:votes" }
func (k keys) voteAges() string { return k.prefix + ":{fb}:ages" }
func (k keys) voteSums() string { return k.prefix + ":{fb}:sums" }
func (k keys) voteRev() string  { return k.prefix + ":{fb}:rev" }

func (k keys) body(hash string) string {
	return k.prefix + ":{dg" + hash + "}:dg"
}
