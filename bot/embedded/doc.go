// Package embedded is a durable Redis inside the process: the store that weeklybot uses when no Redis is configured. It speaks RESP to
// an ordinary go-redis client over an in-memory pipe: no server to install, no port, no socket file.
//
// It owns one directory: the log (store.log), its lock (store.lock) and, for moments, a new log being written (store.log.new). miniredis
// executes commands in memory; what each command changed is appended to the log before its reply leaves, and replayed at start.
//
// It refuses what it cannot keep or cannot do well: commands outside its table (blocking reads, random removal, Pub/Sub, KEYS, SCAN …), a
// directory that another process uses, and a log that is damaged anywhere but at its very end. After a failed write to the log it goes back to
// what the log holds and refuses writes until writing works again; Err says so.
//
// An Engine is safe for concurrent use. Commands run one at a time, as in Redis; a reply, also to a read, leaves only after everything
// it can have seen is in the log. design.md beside this file says why it is built this way.
package embedded
