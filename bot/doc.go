// Package bot is the vocabulary of weeklybot: what a Channel, a Subscription, a Digest, a Delivery and an Adapter are, and the
// pure rules about them. It does no I/O and starts no goroutine; the packages below it (command, digest, outbox, redisstore …)
// and the adapters do.
package bot
