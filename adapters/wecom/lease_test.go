package wecom

import (
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

	"weeklybot/adapters/wecom/twin"
	"weeklybot/internal/needs"
)

// shortRenew makes leases change hands in a moment; they live three times as long, which is enough on a busy machine.
const shortRenew = 500 * time.Millisecond

func newTextLog(log *safeLog) *slog.Logger { return slog.New(slog.NewTextHandler(log, nil)) }

// TestOneReplicaConnects: of three replicas one connects; when it stops, another takes its place.
func TestOneReplicaConnects(t *testing.T) {
	rdb, prefix := needs.RedisClient(t), rand.Text()
	g := newGroup(t, saying(hotAnswer), nil)
	replicas := make([]*Adapter, 3)
	stops := make([]func(), 3)
	for k := range replicas {
		replicas[k] = g.adapter(func(_ *Config, d *Deps) { d.Redis, d.RedisPrefix = rdb, prefix })
		replicas[k].leaseRenew = shortRenew
		stops[k] = listen(t, replicas[k], g.in)
	}
	connected := func() (live []int) {
		for k, a := range replicas {
			if c, _ := a.bots[0].connection(); c != nil {
				live = append(live, k)
			}
		}
		return live
	}
	eventually(t, "connection", func() bool { return len(connected()) == 1 })
	first := connected()[0]
	if keys := rdb.Keys(t.Context(), prefix+":*").Val(); len(keys) != 1 || !strings.HasPrefix(keys[0], prefix+":{wecom}:aibot:") || rdb.PTTL(t.Context(), keys[0]).Val() > leaseLives*shortRenew {
		t.Errorf("keys %q", keys)
	}
	eventually(t, "answer of the others", func() bool {
		waiting := 0
		for _, a := range replicas {
			if _, why := a.bots[0].connection(); why == errElsewhere {
				waiting++
			}
		}
		return waiting == 2
	})
	stops[first]()
	eventually(t, "successor", func() bool { return len(connected()) == 1 && connected()[0] != first })
	if strings.Contains(g.log.String(), "level=ERROR") {
		t.Errorf("the replicas fought:\n%s", g.log)
	}
	g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
	g.answers(1)
	for _, stop := range stops {
		stop()
	}
	if keys := rdb.Keys(t.Context(), prefix+":*").Val(); len(keys) != 0 {
		t.Errorf("keys left behind: %q", keys)
	}
}

// TestLeaseLost: a holder whose lease is another's by now goes, and leaves that lease alone.
func TestLeaseLost(t *testing.T) {
	rdb, prefix := needs.RedisClient(t), rand.Text()
	g := newGroup(t, saying(hotAnswer), func(_ *Config, d *Deps) { d.Redis, d.RedisPrefix = rdb, prefix })
	g.a.leaseRenew = shortRenew
	stop := listen(t, g.a, g.in)
	g.connected()
	key := rdb.Keys(t.Context(), prefix+":*").Val()[0]
	rdb.Set(t.Context(), key, "another", time.Hour)
	eventually(t, "end of the connection", func() bool { return !g.Connected("aib1") })
	eventually(t, "reason", func() bool { _, why := g.a.bots[0].connection(); return why == errElsewhere })
	stop()
	if rdb.Get(t.Context(), key).Val() != "another" {
		t.Error("the other's lease is gone")
	}
}

// TestLeaseSurvivesRedis: a holder who cannot reach Redis keeps the bot in its chats.
func TestLeaseSurvivesRedis(t *testing.T) {
	rdb, prefix := needs.RedisClient(t), rand.Text()
	g := newGroup(t, saying(hotAnswer), func(_ *Config, d *Deps) { d.Redis, d.RedisPrefix = rdb, prefix })
	g.a.leaseRenew = shortRenew
	listen(t, g.a, g.in)
	g.connected()
	rdb.Close()
	eventually(t, "failed renewal", func() bool { return strings.Contains(g.log.String(), "going on") })
	g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /hot"})
	g.answers(1)
}
