package wecom

import (
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"weeklybot/bot"
	"weeklybot/internal/needs"
)

// sharers are two replicas over one Redis.
func sharers(t *testing.T, shared redis.UniversalClient) (s *stand, one, two *Adapter) {
	s = newStand(t, nil)
	cfg := testConfig(s.url)
	return s, newTestAdapter(t, cfg, Deps{Redis: shared}), newTestAdapter(t, cfg, Deps{Redis: shared})
}

func TestTokenOverRedis(t *testing.T) {
	for name, open := range map[string]func(*testing.T) redis.UniversalClient{
		"embedded": func(t *testing.T) redis.UniversalClient {
			return redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
		},
		"redis": realRedis,
	} {
		t.Run(name, func(t *testing.T) {
			shared := open(t)
			defer shared.Close()
			s, one, two := sharers(t, shared)
			dst := testChannel(KindApp, s.url)
			for _, a := range []*Adapter{one, two} {
				if _, err := a.Send(t.Context(), dst, small(t.Name())); err != nil {
					t.Fatal(err)
				}
			}
			key := two.tokens[0].cache.farKey
			raw, err := shared.Get(t.Context(), key).Result()
			left := shared.TTL(t.Context(), key).Val()
			token, _ := two.tokens[0].cache.near.Get(two.tokens[0].cache.key).(string)
			if err != nil || token == "" || strings.Contains(raw, token) || left <= 0 || left > 5700*time.Second {
				t.Errorf("in redis: %q for %v, %v; want the token sealed, for its life less the SDK's 1500 s", raw, left, err)
			}
			if s.TokenCalls() != 1 {
				t.Errorf("two replicas asked for a token %d times, want once", s.TokenCalls())
			}

			s.ExpireTokens()
			for _, a := range []*Adapter{one, two} { // the second notices after the first has fetched a new one
				if _, err := a.Send(t.Context(), dst, small("again")); err == nil {
					t.Fatal("Send with an expired token succeeded")
				}
				if _, err := a.Send(t.Context(), dst, small("again")); err != nil {
					t.Fatal(err)
				}
			}
			if s.TokenCalls() != 2 {
				t.Errorf("asked for a token %d times, want 2: the second replica must not undo the first one's refresh", s.TokenCalls())
			}

			cfg := testConfig(s.url)
			cfg.Apps[0].Secret = "a-new-secret"
			stranger := newTestAdapter(t, cfg, Deps{Redis: shared})
			_, err = stranger.Send(t.Context(), dst, small("x"))
			if err == nil || err.(*bot.SendError).Code != "40001" {
				t.Errorf("with another secret, Send = %v; want 40001: the old token must not open", err)
			}
		})
	}
}

func TestTokenWithoutRedis(t *testing.T) {
	server := miniredis.RunT(t)
	shared := redis.NewClient(&redis.Options{Addr: server.Addr(), MaxRetries: -1, DialTimeout: 100 * time.Millisecond})
	defer shared.Close()
	server.Close()
	s, one, _ := sharers(t, shared)
	for _, title := range []string{"a", "b"} {
		if _, err := one.Send(t.Context(), testChannel(KindApp, s.url), small(title)); err != nil {
			t.Errorf("Send without redis: %v", err)
		}
	}
	if s.TokenCalls() != 1 {
		t.Errorf("asked for a token %d times, want once: this process keeps it", s.TokenCalls())
	}
}

func TestTokenCacheKeepsNothingThatIsOver(t *testing.T) {
	server := miniredis.RunT(t)
	shared := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer shared.Close()
	c := newTokenCache(testConfig("").Apps[0], Deps{Redis: shared, Log: slog.New(slog.DiscardHandler), RedisPrefix: "wb"})
	for _, life := range []time.Duration{0, -time.Second} {
		if err := c.Set(c.key, "token", life); err != nil || c.IsExist(c.key) || len(server.Keys()) > 0 {
			t.Errorf("Set for %v = %v and is kept", life, err)
		}
	}
	c.Set(c.key, "token", time.Minute)
	c.Delete(c.key)
	if c.IsExist(c.key) || len(server.Keys()) > 0 {
		t.Error("Delete keeps the token")
	}
}

func realRedis(t *testing.T) redis.UniversalClient {
	program := needs.RedisServer(t)
	dir, err := os.MkdirTemp("", "wecom") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := dir + "/redis.sock"
	cmd := exec.Command(program, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
		}
	}
	t.Fatal("redis-server does not answer")
	return nil
}
