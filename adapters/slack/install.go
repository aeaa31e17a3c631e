package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
)

// install is one workspace that installed the app.
type install struct {
	Workspace string
	Name      string // of the workspace, shown only
	BotID     string
	Installer string
	Scopes    string // separated by commas
	At        time.Time

	Token   bot.Secret
	Refresh bot.Secret // "" unless the app rotates its tokens
	// Renew and Until are when Token should and must be replaced; zero: it lives until it is revoked.
	Renew, Until time.Time
}

// stored is an install as Redis has it: only the tokens are sealed.
type stored struct {
	Name      string `json:"name"`
	BotID     string `json:"bot_id"`
	Installer string `json:"installer"`
	Scopes    string `json:"scopes"`
	AtMs      int64  `json:"at_ms"`
	RenewMs   int64  `json:"renew_ms,omitempty"`
	UntilMs   int64  `json:"until_ms,omitempty"`
	Token     []byte `json:"token"`
	Refresh   []byte `json:"refresh,omitempty"`
}

var errNotInstalled = errors.New("the app is not installed in this workspace: open /slack/install of the bot")

// redisWait is the most that one step in Redis may take.
const redisWait = 2 * time.Second

// installs keeps the installs of all workspaces in one hash, workspace → stored. It knows no cache and no Slack. It is safe for concurrent
// use, also by several replicas.
type installs struct {
	rdb  redis.UniversalClient
	keys keyring
	key  string // of the hash
	now  func() time.Time
	log  *slog.Logger
}

func newInstalls(cfg Config, deps Deps, now func() time.Time, log *slog.Logger) *installs {
	return &installs{
		rdb: deps.Redis, key: deps.RedisPrefix + ":{slack}:installs", now: now, log: log,
		keys: newKeyring(append(slices.Clone(cfg.TokenKeys), cfg.ClientSecret)...),
	}
}

// swap replaces a record if it is still the one that was read. KEYS[1] = installs, ARGV = workspace, the old record ("" = none), the new
// one ("" = delete). 1: done; 0: another has changed it since.
var swap = redis.NewScript(`
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1`)

func (s *installs) swap(ctx context.Context, workspace, old, next string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	n, err := swap.Run(ctx, s.rdb, []string{s.key}, workspace, old, next).Int()
	return n == 1, err
}

// save keeps in, in the place of whatever is there.
func (s *installs) save(ctx context.Context, in install) error {
	ctx, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	return s.rdb.HSet(ctx, s.key, in.Workspace, s.pack(in)).Err()
}

// load returns an install and its record, or errNotInstalled. One that an old key sealed is sealed anew.
func (s *installs) load(ctx context.Context, workspace string) (in install, record string, err error) {
	read, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	record, err = s.rdb.HGet(read, s.key, workspace).Result()
	if errors.Is(err, redis.Nil) {
		return in, "", errNotInstalled
	}
	if err != nil {
		return in, "", err
	}
	in, current, err := s.unpack(workspace, record)
	if err == nil && !current {
		record = s.resealed(ctx, in, record)
	}
	return in, record, err
}

// resealed seals a record with the first key, and is the record that is there then.
func (s *installs) resealed(ctx context.Context, in install, record string) string {
	next := s.pack(in)
	if done, err := s.swap(ctx, in.Workspace, record, next); err == nil && done {
		return next
	}
	return record
}

// remove forgets an install that is not newer than asOf, in unix seconds. newer is true if there is a newer one: the app was installed
// again since.
func (s *installs) remove(ctx context.Context, workspace string, asOf int64) (newer bool, err error) {
	for range 5 {
		read, cancel := context.WithTimeout(ctx, redisWait)
		record, err := s.rdb.HGet(read, s.key, workspace).Result()
		cancel()
		if errors.Is(err, redis.Nil) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		var in stored
		if json.Unmarshal([]byte(record), &in) == nil && time.UnixMilli(in.AtMs).Unix() > asOf {
			return true, nil
		}
		if done, err := s.swap(ctx, workspace, record, ""); done || err != nil {
			return false, err
		}
	}
	return false, errors.New("the install changes all the time")
}

// workspaces are those that installed the app, in order.
func (s *installs) workspaces(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	all, err := s.rdb.HKeys(ctx, s.key).Result()
	slices.Sort(all)
	return all, err
}

func (s *installs) pack(in install) string {
	body, _ := json.Marshal(stored{ // strings, numbers and bytes: cannot fail
		Name: in.Name, BotID: in.BotID, Installer: in.Installer, Scopes: in.Scopes, AtMs: in.At.UnixMilli(),
		RenewMs: toMs(in.Renew), UntilMs: toMs(in.Until),
		Token: s.keys.seal(in.Token, "token "+in.Workspace), Refresh: s.keys.seal(in.Refresh, "refresh "+in.Workspace),
	})
	return string(body)
}

func (s *installs) unpack(workspace, record string) (in install, current bool, err error) {
	var r stored
	if err := json.Unmarshal([]byte(record), &r); err != nil {
		return in, false, fmt.Errorf("install of %s: not a record of ours", workspace)
	}
	in = install{
		Workspace: workspace, Name: r.Name, BotID: r.BotID, Installer: r.Installer, Scopes: r.Scopes, At: time.UnixMilli(r.AtMs),
		Renew: fromMs(r.RenewMs), Until: fromMs(r.UntilMs),
	}
	var fresh bool
	if in.Token, current, err = s.keys.open(r.Token, "token "+workspace); err != nil {
		return in, false, err
	}
	in.Refresh, fresh, err = s.keys.open(r.Refresh, "refresh "+workspace)
	return in, current && fresh, err
}

func toMs(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMs(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// States of the OAuth dance that nobody has used yet: hash of state and cookie → when it ends. At most maxStates, the newest.
const (
	stateLife = 10 * time.Minute
	maxStates = 10_000
)

var (
	// addState: KEYS[1] = states, ARGV = member, now and end in unix ms, how many to keep.
	addState = redis.NewScript(`
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[2])
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[4])
return 1`)
	// takeState: KEYS[1] = states, ARGV = member, now in unix ms. 1: it was there and has not ended; it is gone now.
	takeState = redis.NewScript(`
local till = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
if till and tonumber(till) > tonumber(ARGV[2]) then return 1 end
return 0`)
)

func (s *installs) states() string { return s.key + ":states" }

func (s *installs) addState(ctx context.Context, member string) error {
	ctx, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	now := s.now()
	return addState.Run(ctx, s.rdb, []string{s.states()}, member, now.UnixMilli(), now.Add(stateLife).UnixMilli(), maxStates).Err()
}

func (s *installs) takeState(ctx context.Context, member string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	n, err := takeState.Run(ctx, s.rdb, []string{s.states()}, member, s.now().UnixMilli()).Int()
	return n == 1, err
}

// lockLife is how long a replica that dies keeps the others from refreshing a token; a refresh takes at most refreshWithin.
const (
	lockLife      = 30 * time.Second
	refreshWithin = 20 * time.Second
)

// lock keeps two replicas from using one refresh token: it works once.
func (s *installs) lock(ctx context.Context, workspace string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisWait)
	defer cancel()
	return s.rdb.SetNX(ctx, s.lockKey(workspace), "1", lockLife).Result()
}

func (s *installs) unlock(ctx context.Context, workspace string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisWait)
	defer cancel()
	_ = s.rdb.Del(ctx, s.lockKey(workspace)).Err() // else it ends by itself
}

func (s *installs) lockKey(workspace string) string { return s.key + ":refresh:" + workspace }
