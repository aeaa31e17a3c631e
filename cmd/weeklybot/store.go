package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"weeklybot/bot/embedded"
	"weeklybot/bot/redisstore"
	"weeklybot/bot/schedule"
)

// database is the store and what must be closed after it.
type database struct {
	store  *redisstore.Store
	rdb    redis.UniversalClient
	engine *embedded.Engine // nil with a real Redis
}

// embeddedShards: one process needs no more.
const embeddedShards = 1

// openStore opens the store that the configuration names. The error says what to do.
func openStore(ctx context.Context, cfg *Config, log *slog.Logger) (*database, error) {
	d := &database{}
	opt := redisstore.Options{Prefix: cfg.Redis.Prefix, WaitReplicas: cfg.Redis.WaitReplicas, SlotID: schedule.SlotID, Next: schedule.Next}
	if cfg.Redis.embedded() {
		var err error
		if d.engine, err = embedded.Open(cfg.DataDir, embedded.Options{Log: log}); err != nil {
			return nil, fmt.Errorf("open the store in %s: %w", cfg.DataDir, err)
		}
		d.rdb = d.engine.Client()
		opt.Shards, opt.Sole = embeddedShards, true
	} else {
		var err error
		if d.rdb, err = cfg.Redis.client(); err != nil {
			return nil, err
		}
	}
	tries, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var err error
	if d.store, err = redisstore.Open(tries, d.rdb, opt); err != nil {
		_ = d.Close()
		if !cfg.Redis.embedded() {
			return nil, fmt.Errorf("%w\nIs Redis running at %s? Leave redis.url empty to use the store inside the process", err, cfg.Redis.shown())
		}
		return nil, err
	}
	return d, nil
}

// shared is the Redis that replicas have in common; nil when this process is the only one.
func (d *database) shared() redis.UniversalClient {
	if d.engine != nil {
		return nil
	}
	return d.rdb
}

// clusterLook is how often the client asks which master has what. A master that is gone for good does not say that it has a successor, and with go-redis'
// own minute what it had would stay away for so long.
const clusterLook = 5 * time.Second

// client connects to one server, a Cluster, or the master that Sentinel names.
func (c RedisConfig) client() (redis.UniversalClient, error) {
	if c.URL == "" {
		o := &redis.UniversalOptions{Addrs: c.Addrs, MasterName: c.Master, Username: c.Username, Password: c.Password.Reveal()}
		if c.Master != "" {
			return redis.NewUniversalClient(o), nil
		}
		cluster := o.Cluster()
		cluster.ClusterStateReloadInterval = clusterLook
		return redis.NewClusterClient(cluster), nil
	}
	o, err := redis.ParseURL(c.URL.Reveal())
	if err != nil {
		return nil, errors.New("redis.url: want redis://[user:password@]host:port/0, rediss:// for TLS, or unix:///path/to/socket")
	}
	if c.Username != "" {
		o.Username = c.Username
	}
	if c.Password != "" {
		o.Password = c.Password.Reveal()
	}
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled} // else NewClient looks the host up, for seconds
	return redis.NewClient(o), nil
}

// shown is where Redis should be, without a password.
func (c RedisConfig) shown() string {
	if o, err := redis.ParseURL(c.URL.Reveal()); err == nil {
		return o.Addr
	}
	return fmt.Sprint(c.Addrs)
}

// Close closes the client, and the engine after it.
func (d *database) Close() error {
	err := d.rdb.Close()
	if d.engine != nil {
		err = errors.Join(err, d.engine.Close())
	}
	return err
}
