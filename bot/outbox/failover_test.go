package outbox

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/internal/needs"
)

// failover runs 1,000 deliveries through two engines, breaks something after a while, mends it, and says what arrived.
func failover(t *testing.T, c childConfig, s *sink, breakIt func()) {
	t.Helper()
	const channels = 1000
	c.Sink, c.InFlight, c.Parts = s.URL, 32, 1
	c.prepare(t, channels)
	var engines []*needs.Process
	for _, node := range []string{"a", "b"} {
		c.Node = node
		engines = append(engines, c.start(t))
	}
	eventually(t, "200 posts", func() bool { return s.count.Load() >= 200 })
	breakIt()
	for _, p := range engines {
		select {
		case <-p.Done():
		case <-time.After(60 * time.Second):
			t.Fatalf("the run is not finished: %d posts", s.count.Load())
		}
		if p.Err() != nil {
			t.Fatalf("an engine ended with %v", p.Err())
		}
	}
	lost, doubled, faults := s.result(channels, 1)
	t.Logf("%d posts, %d lost, %d doubled", s.count.Load(), lost, doubled)
	if lost > 0 || len(faults) > 0 {
		t.Errorf("%d lost, %q", lost, faults)
	}
	if bound := 2*c.InFlight + int(s.unheard.Load()); doubled > bound {
		t.Errorf("%d doubled, at most %d were in flight", doubled, bound)
	}
}

// A Cluster of three masters, each with a replica, loses a master; it comes back as a replica of its successor.
func TestClusterLosesAMaster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts six redis-servers")
	}
	ports := needs.FreePorts(t, 12)
	var servers []*needs.Server
	var addrs []string
	for i := range 6 {
		servers = append(servers, needs.NewServer(t, t.TempDir(), ports[i], "--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(ports[6+i]),
			"--cluster-node-timeout", "1500", "--cluster-config-file", "nodes.conf", "--appendonly", "yes", "--repl-diskless-sync-delay", "0",
			"--cluster-replica-validity-factor", "0", "--cluster-require-full-coverage", "no"))
		addrs = append(addrs, servers[i].Addr)
	}
	join(t, servers, ports)
	s := newSink(t, 1, false)
	s.slow = 10 * time.Millisecond
	failover(t, childConfig{Cluster: addrs, Wait: 1}, s, func() {
		servers[0].Kill()
		r := servers[3].Client()
		defer func() { _ = r.Close() }()
		eventually(t, "the promotion", func() bool { return strings.Contains(r.Info(context.Background(), "replication").Val(), "role:master") })
		servers[0].Restart(t)
	})
}

// join makes a Cluster: a third of the slots for each of the first three servers, and a replica for each.
func join(t *testing.T, servers []*needs.Server, ports []int) {
	t.Helper()
	ctx := context.Background()
	clients := make([]*redis.Client, len(servers))
	for i, s := range servers {
		clients[i] = s.Client()
		defer func() { _ = clients[i].Close() }()
	}
	for i, c := range clients {
		must(t, c.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		if i < 3 {
			must(t, c.ClusterAddSlotsRange(ctx, i*16384/3, (i+1)*16384/3-1).Err())
		}
		if i > 0 {
			must(t, c.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", ports[0], ports[len(servers)]).Err())
		}
	}
	for i := range 3 {
		id := clients[i].Do(ctx, "CLUSTER", "MYID").Val()
		eventually(t, "the nodes know each other", func() bool { return clients[3+i].Do(ctx, "CLUSTER", "REPLICATE", id).Err() == nil })
	}
	eventually(t, "a Cluster with replicas", func() bool {
		for i, c := range clients {
			info := c.ClusterInfo(ctx).Val()
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:6") {
				return false
			}
			if i < 3 && !strings.Contains(c.Info(ctx, "replication").Val(), "state=online") {
				return false
			}
		}
		return true
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Sentinel promotes the replica when the master dies; the master comes back as its replica.
func TestSentinelPromotesTheReplica(t *testing.T) {
	if testing.Short() {
		t.Skip("starts five Redis processes")
	}
	ports := needs.FreePorts(t, 5)
	args := []string{"--appendonly", "yes", "--repl-diskless-sync-delay", "0", "--min-replicas-to-write", "1", "--repl-ping-replica-period", "1"}
	master := needs.NewServer(t, t.TempDir(), ports[0], args...)
	replica := needs.NewServer(t, t.TempDir(), ports[1], append(args, "--replicaof", "127.0.0.1 "+fmt.Sprint(ports[0]))...)
	var sentinels []string
	for i := range 3 {
		dir := t.TempDir()
		conf := filepath.Join(dir, "sentinel.conf")
		must(t, os.WriteFile(conf, fmt.Appendf(nil, "sentinel monitor wb 127.0.0.1 %d 2\nsentinel down-after-milliseconds wb 800\nsentinel failover-timeout wb 5000\n", ports[0]), 0o600))
		sentinels = append(sentinels, needs.NewSentinel(t, conf, dir, ports[2+i]).Addr)
	}
	c, watch := master.Client(), redis.NewSentinelClient(&redis.Options{Addr: sentinels[0]})
	defer func() { _, _ = c.Close(), watch.Close() }()
	ctx := context.Background()
	eventually(t, "a replica in step, known to Sentinel", func() bool {
		peers, _ := watch.Sentinels(ctx, "wb").Result()
		replicas, _ := watch.Replicas(ctx, "wb").Result()
		return len(peers) == 2 && len(replicas) == 1 && strings.Contains(c.Info(ctx, "replication").Val(), "state=online")
	})
	s := newSink(t, 1, false)
	s.slow = 10 * time.Millisecond
	failover(t, childConfig{Sentinel: sentinels, Wait: 1}, s, func() {
		master.Kill()
		r := replica.Client()
		defer func() { _ = r.Close() }()
		eventually(t, "the promotion", func() bool { return strings.Contains(r.Info(ctx, "replication").Val(), "role:master") })
		master.Restart(t)
	})
}
