// Package redisstore keeps subscriptions, schedules, the catalogue of issues and the delivery ledger in Redis, or in the embedded
// engine that speaks the same protocol. It is the only store. It refuses to decide anything about delivery: the outbox does, and
// tells the store in numbered commits.
//
// Every key of a shard carries the shard's hash tag, so that one script moves it atomically on a Cluster. Keys are few and large: no
// key per delivery, no KEYS, no SCAN, no blocking command, no MULTI. Packing is done in Go; scripts only compare and write.
//
// A Store is safe for concurrent use. Any call can fail after it worked: each is written so that repeating it changes nothing.
package redisstore
