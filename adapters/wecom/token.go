package wecom

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/credential"

	"weeklybot/bot"
)

// tokens hands out the access token of one app. The SDK's credential package fetches and keeps it (for expires_in less 25 minutes);
// what is here is what the SDK lacks: a lock that a context can leave, a way to drop a token, and no secret in an error.
type tokens struct {
	app    App
	cache  *tokenCache
	lock   chan struct{}                                  // one refresh at a time
	invoke func(ctx context.Context, target string) *call // a new call of this adapter
	now    func() time.Time
}

func newTokens(a *Adapter, app App) *tokens {
	return &tokens{app: app, lock: make(chan struct{}, 1), invoke: a.newCall, now: a.deps.Now, cache: newTokenCache(app, a.deps)}
}

// get returns the token, fetching it if need be.
func (t *tokens) get(ctx context.Context) (string, *bot.SendError) {
	if token, ok := t.cache.near.Get(t.cache.key).(string); ok {
		return token, nil
	}
	select {
	case t.lock <- struct{}{}:
		defer func() { <-t.lock }()
	case <-ctx.Done():
		return "", overBefore(ctx)
	}
	return t.fetch(ctx, t.cache)
}

// fetch asks the SDK for a token, which looks into c first.
func (t *tokens) fetch(ctx context.Context, c cache.Cache) (string, *bot.SendError) {
	query := url.Values{"corpid": {t.app.CorpID}, "corpsecret": {t.app.Secret.Reveal()}}
	call := t.invoke(ctx, "/cgi-bin/gettoken?"+query.Encode())
	var token string
	board().make(call, func(ticket string) {
		handle := credential.NewWorkAccessTokenWithAgentID(t.app.CorpID, ticket, strconv.Itoa(t.app.AgentID), credential.CacheKeyWorkPrefix, c)
		token, _ = handle.GetAccessTokenContext(ctx)
	})
	if token != "" {
		return token, nil
	}
	fault := call.outcome(t.now())
	if fault == nil { // errcode 0 and no token
		fault = &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "bad_answer", Err: errors.New("gettoken answered without access_token")}
	}
	fault.MaybeSent = false // whatever happened, it was not the post
	fault.Err = fmt.Errorf("get the access token of %s: %w", t.app, fault.Err)
	return "", fault
}

// drop forgets bad, unless it has been replaced already.
func (t *tokens) drop(bad string) { t.cache.drop(bad) }

// check fetches a new token whatever is cached.
func (t *tokens) check(ctx context.Context) error {
	if _, fault := t.fetch(ctx, cache.NewMemory()); fault != nil {
		return fault
	}
	return nil
}

// String names an app to the operator.
func (a App) String() string {
	if a.Name == "" {
		return fmt.Sprintf("corp %s, agent %d", a.CorpID, a.AgentID)
	}
	return fmt.Sprintf("%s (corp %s, agent %d)", a.Name, a.CorpID, a.AgentID)
}

// redisWait is the most that one look into Redis may hold up a send; without Redis the token is fetched again, which costs WeCom
// nothing: it answers with the same token.
const redisWait = time.Second

// tokenCache is the SDK's cache.Cache for the token of one app: its in-process Memory before an optional Redis, through go-redis v9
// (the SDK's own Redis cache is made for v8, and its Set errors lose the token just fetched). In Redis the token is sealed with a
// key made from the app's secret, which every replica knows: with a new secret the old token opens no more.
type tokenCache struct {
	key    string // the SDK's key, the only one that it asks for
	near   *cache.Memory
	far    redis.UniversalClient // nil: none
	farKey string
	seal   cipher.AEAD
	log    *slog.Logger
}

func newTokenCache(app App, deps Deps) *tokenCache {
	id := fmt.Sprintf("%s\x00%d\x00%s", app.CorpID, app.AgentID, app.Secret.Reveal())
	sum := sha256.Sum256([]byte("wecom access token\x00" + id))
	block, _ := aes.NewCipher(sum[:]) // 32 bytes are a good key
	seal, _ := cipher.NewGCM(block)   // and AES a good block
	key := fmt.Sprintf("%s_access_token_%s_%d", credential.CacheKeyWorkPrefix, app.CorpID, app.AgentID)
	return &tokenCache{key: key, near: cache.NewMemory(), far: deps.Redis, farKey: farKey(deps.RedisPrefix, key), seal: seal, log: deps.Log}
}

// farKey is where a token is in Redis: not under the SDK's key, since what is there is sealed.
func farKey(prefix, key string) string {
	sum := sha256.Sum256([]byte(key))
	return prefix + ":{wecom}:token:" + hex.EncodeToString(sum[:8])
}

// Get implements cache.Cache: a string, or nil.
func (c *tokenCache) Get(key string) any {
	if v := c.near.Get(key); v != nil || c.far == nil || key != c.key {
		return v
	}
	ctx, cancel := context.WithTimeout(context.Background(), redisWait)
	defer cancel()
	pipe := c.far.Pipeline()
	sealed, left := pipe.Get(ctx, c.farKey), pipe.PTTL(ctx, c.farKey)
	if _, err := pipe.Exec(ctx); err != nil {
		c.note("read", err)
		return nil
	}
	token, ok := c.unsealed(sealed.Val())
	if !ok || left.Val() <= 0 {
		return nil
	}
	_ = c.near.Set(key, token, left.Val())
	return token
}

// Set implements cache.Cache. It returns no error: the SDK would throw away the token it just fetched. What is over already is not
// kept (go-redis v9 would keep it for ever).
func (c *tokenCache) Set(key string, val any, life time.Duration) error {
	token, ok := val.(string)
	if !ok || token == "" || life <= 0 {
		return nil
	}
	_ = c.near.Set(key, token, life)
	if c.far == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), redisWait)
	defer cancel()
	c.note("write", c.far.Set(ctx, c.farKey, c.sealed(token), life).Err())
	return nil
}

// IsExist implements cache.Cache.
func (c *tokenCache) IsExist(key string) bool { return c.Get(key) != nil }

// Delete implements cache.Cache.
func (c *tokenCache) Delete(key string) error {
	_ = c.near.Delete(key)
	if c.far == nil || key != c.key {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), redisWait)
	defer cancel()
	return c.far.Del(ctx, c.farKey).Err()
}

// drop forgets token here and, if it is the one there, in Redis: a replica that was slower to notice must not undo a refresh.
func (c *tokenCache) drop(token string) {
	if c.near.Get(c.key) == token {
		_ = c.near.Delete(c.key)
	}
	if current, _ := c.Get(c.key).(string); current == token {
		c.note("delete", c.Delete(c.key))
	}
}

func (c *tokenCache) sealed(token string) []byte {
	nonce := make([]byte, c.seal.NonceSize())
	rand.Read(nonce)
	return c.seal.Seal(nonce, nonce, []byte(token), nil)
}

func (c *tokenCache) unsealed(s string) (string, bool) {
	n := c.seal.NonceSize()
	if len(s) < n {
		return "", false
	}
	token, err := c.seal.Open(nil, []byte(s[:n]), []byte(s[n:]), nil)
	return string(token), err == nil && len(token) > 0
}

func (c *tokenCache) note(what string, err error) {
	if err != nil && !errors.Is(err, redis.Nil) {
		c.log.Warn("access token not shared over redis", "adapter", Name, "step", what, "err", err)
	}
}
