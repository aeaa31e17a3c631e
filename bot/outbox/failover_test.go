package outbox

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"weeklybot/internal/needs"
)

// copies are redis-servers that keep copies of each other: one master with two replicas and three Sentinels, or a Cluster of three such masters.
// Rounds use them in turn; they are started with the first and live as long as the test that last names.
type copies struct {
	mu        sync.Mutex // held for a round
	last      testing.TB
	cluster   bool
	masters   int
	servers   []*needs.Server
	sentinels []*needs.Server
	down      *needs.Server // the last master that was lost
}

const replicasOfEach = 2 // with wait_replicas 1, a promoted master without a replica would stall

func newCopies(last testing.TB) map[string]*copies {
	return map[string]*copies{"Sentinel": {last: last, masters: 1}, "Cluster": {last: last, masters: 3, cluster: true}}
}

// lasting is a round that starts what outlives it.
type lasting struct {
	testing.TB
	last testing.TB
}

func (l lasting) Cleanup(f func()) { l.last.Cleanup(f) }
func (l lasting) TempDir() string  { return l.last.TempDir() }

// use gives empty servers in step to a round, alone until it ends.
func (c *copies) use(t testing.TB, child *childConfig) {
	c.mu.Lock()
	t.Cleanup(c.mu.Unlock)
	switch {
	case c.servers == nil && c.cluster:
		c.startCluster(lasting{t, c.last})
	case c.servers == nil:
		c.startSentinels(lasting{t, c.last})
	}
	c.bringBack(t)
	eventually(t, "servers in step", c.inStep)
	ctx := context.Background()
	for _, m := range c.withRole("master") {
		r := m.Client()
		must(t, r.FlushAll(ctx).Err())
		_ = r.Close()
	}
	child.Wait = 1
	child.Cluster, child.Sentinel = nil, nil
	for _, s := range c.servers {
		if c.cluster {
			child.Cluster = append(child.Cluster, s.Addr)
		}
	}
	for _, s := range c.sentinels {
		child.Sentinel = append(child.Sentinel, s.Addr)
	}
}

// loseMaster kills a master, and returns when a replica has taken its place.
func (c *copies) loseMaster(t testing.TB, rng *rand.Rand) {
	masters := c.withRole("master")
	if len(masters) != c.masters {
		t.Fatalf("%d masters, want %d", len(masters), c.masters)
	}
	c.down = masters[rng.IntN(len(masters))]
	c.down.Kill()
	eventually(t, "the promotion", func() bool { return len(c.withRole("master")) == c.masters })
}

// bringBack starts the lost master again, as a replica of its successor.
func (c *copies) bringBack(t testing.TB) {
	if c.down == nil {
		return
	}
	c.down.Restart(lasting{t, c.last})
	if !c.cluster { // Sentinel would see to it after eight seconds
		r := c.down.Client()
		defer func() { _ = r.Close() }()
		for _, m := range c.withRole("master") {
			if m != c.down {
				host, port, _ := strings.Cut(m.Addr, ":")
				must(t, r.ReplicaOf(context.Background(), host, port).Err())
			}
		}
	}
	c.down = nil
}

// withRole are the servers that say that they are "master" or "slave".
func (c *copies) withRole(role string) (list []*needs.Server) {
	for _, s := range c.servers {
		if strings.Contains(replication(s), "role:"+role) {
			list = append(list, s)
		}
	}
	return list
}

func replication(s *needs.Server) string {
	if ended(s.Process) {
		return ""
	}
	c := s.Client()
	defer func() { _ = c.Close() }()
	return c.Info(context.Background(), "replication").Val()
}

// inStep says that each master has its replicas, and that all who decide on a failover know it.
func (c *copies) inStep() bool {
	masters := c.withRole("master")
	if len(masters) != c.masters {
		return false
	}
	for _, m := range masters {
		if strings.Count(replication(m), "state=online") != replicasOfEach {
			return false
		}
	}
	for _, s := range c.sentinels {
		if !watches(s, masters[0].Addr) {
			return false
		}
	}
	for _, s := range c.servers {
		if c.cluster && !agrees(s, len(c.servers)) {
			return false
		}
	}
	return true
}

// watches says that a Sentinel knows the master at addr, its replicas and the other Sentinels.
func watches(sentinel *needs.Server, addr string) bool {
	ctx := context.Background()
	c := redis.NewSentinelClient(&redis.Options{Addr: sentinel.Addr})
	defer func() { _ = c.Close() }()
	at, _ := c.GetMasterAddrByName(ctx, "wb").Result()
	peers, _ := c.Sentinels(ctx, "wb").Result()
	replicas, _ := c.Replicas(ctx, "wb").Result()
	for _, r := range replicas {
		if r["flags"] != "slave" {
			return false
		}
	}
	return strings.Join(at, ":") == addr && len(peers) == 2 && len(replicas) == replicasOfEach
}

// agrees says that a node of a Cluster knows n nodes and misses none.
func agrees(node *needs.Server, n int) bool {
	c := node.Client()
	defer func() { _ = c.Close() }()
	info, nodes := c.ClusterInfo(context.Background()).Val(), c.ClusterNodes(context.Background()).Val()
	return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprint("cluster_known_nodes:", n)) && !strings.Contains(nodes, "fail")
}

var replicated = []string{"--appendonly", "yes", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--min-replicas-to-write", "1"}

func (c *copies) startSentinels(t testing.TB) {
	ports := needs.FreePorts(t, 1+replicasOfEach+3)
	for i := range 1 + replicasOfEach {
		args := replicated
		if i > 0 {
			args = append([]string{"--replicaof", fmt.Sprint("127.0.0.1 ", ports[0])}, args...)
		}
		c.servers = append(c.servers, needs.NewServer(t, t.TempDir(), ports[i], args...))
	}
	for _, port := range ports[1+replicasOfEach:] {
		dir := t.TempDir()
		conf := filepath.Join(dir, "sentinel.conf")
		must(t, os.WriteFile(conf, fmt.Appendf(nil, "sentinel monitor wb 127.0.0.1 %d 2\nsentinel down-after-milliseconds wb 800\nsentinel failover-timeout wb 3000\n", ports[0]), 0o600))
		c.sentinels = append(c.sentinels, needs.NewSentinel(t, conf, dir, port))
	}
}

func (c *copies) startCluster(t testing.TB) {
	n := c.masters * (1 + replicasOfEach)
	ports := needs.FreePorts(t, 2*n)
	for i := range n {
		args := append([]string{
			"--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(ports[n+i]), "--cluster-node-timeout", "1500", "--cluster-config-file", "nodes.conf",
			"--cluster-replica-validity-factor", "0", "--cluster-require-full-coverage", "no", "--cluster-allow-replica-migration", "no",
		}, replicated...)
		c.servers = append(c.servers, needs.NewServer(t, t.TempDir(), ports[i], args...))
	}
	c.join(t, ports)
}

// join makes a Cluster: a third of the slots for each of the first three servers, and two replicas for each.
func (c *copies) join(t testing.TB, ports []int) {
	ctx := context.Background()
	clients := make([]*redis.Client, len(c.servers))
	for i, s := range c.servers {
		clients[i] = s.Client()
		defer func() { _ = clients[i].Close() }()
	}
	for i, r := range clients {
		must(t, r.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err())
		if i < c.masters {
			must(t, r.ClusterAddSlotsRange(ctx, i*16384/c.masters, (i+1)*16384/c.masters-1).Err())
		}
		if i > 0 {
			must(t, r.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", ports[0], ports[len(c.servers)]).Err())
		}
	}
	for i, r := range clients[c.masters:] {
		id := clients[i%c.masters].Do(ctx, "CLUSTER", "MYID").Val()
		eventually(t, "the nodes know each other", func() bool { return r.Do(ctx, "CLUSTER", "REPLICATE", id).Err() == nil })
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
