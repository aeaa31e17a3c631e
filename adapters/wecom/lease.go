package wecom

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// leaseRenew is the time between two renewals, and between two attempts to get it.
	leaseRenew = 5 * time.Second
	// leaseLives is how many of them a lease outlives its holder: for 15 s a killed replica keeps a bot silent.
	leaseLives = 3
)

// lease is the right to connect as one AI bot, given to one of the replicas. It keeps replicas from fighting over the connection, no
// more: that there is only one is WeCom's own rule. So a holder who cannot reach Redis goes on.
type lease struct {
	rdb   redis.UniversalClient // nil: a lone replica, which always holds it
	key   string
	token string
	renew time.Duration
	log   *slog.Logger
}

func (a *Adapter) newLease(b *aibot) *lease {
	return &lease{rdb: a.deps.Redis, key: leaseKey(a.deps.RedisPrefix, b.AIBot), token: rand.Text(), renew: a.leaseRenew, log: a.deps.Log}
}

// leaseKey has the hash tag of all keys of this adapter.
func leaseKey(prefix string, b AIBot) string {
	sum := sha256.Sum256([]byte(b.BotID))
	return prefix + ":{wecom}:aibot:" + hex.EncodeToString(sum[:8])
}

var (
	// takeLease: KEYS[1] = lease, ARGV = own token, life in ms. 1: it is mine, for that life; 0: another's.
	takeLease = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return 1
end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0`)
	// dropLease: KEYS[1] = lease, ARGV[1] = own token. Deletes it if it is mine; returns how many keys are gone.
	dropLease = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)
)

// hold calls work whenever the lease is ours, with a context that ends when it is another's, until ctx ends. elsewhere is called when
// another holds it.
func (l *lease) hold(ctx context.Context, elsewhere func(), work func(context.Context)) {
	if l.rdb == nil {
		work(ctx)
		return
	}
	for ctx.Err() == nil {
		mine, err := l.take(ctx)
		switch {
		case mine:
			l.keep(ctx, work)
			continue
		case err == nil:
			elsewhere()
		case ctx.Err() == nil:
			l.log.Warn("redis does not say who may connect as the AI bot; trying again", "adapter", Name, "err", err)
		}
		sleep(ctx, l.renew)
	}
}

func (l *lease) take(ctx context.Context) (mine bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	n, err := takeLease.Run(ctx, l.rdb, []string{l.key}, l.token, (leaseLives * l.renew).Milliseconds()).Int()
	return n == 1, err
}

// keep renews the lease while work runs, and gives it back.
func (l *lease) keep(ctx context.Context, work func(context.Context)) {
	held, end := context.WithCancel(ctx)
	var renewer sync.WaitGroup
	renewer.Go(func() {
		for sleep(held, l.renew); held.Err() == nil; sleep(held, l.renew) {
			mine, err := l.take(held)
			switch {
			case held.Err() != nil:
			case err != nil:
				l.log.Warn("redis does not renew the right to connect as the AI bot; going on", "adapter", Name, "err", err)
			case !mine:
				l.log.Warn("another replica may connect as the AI bot now", "adapter", Name)
				end()
			}
		}
	})
	work(held)
	end()
	renewer.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisWait)
	defer cancel()
	_ = dropLease.Run(last, l.rdb, []string{l.key}, l.token).Err() // else it ends by itself
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
