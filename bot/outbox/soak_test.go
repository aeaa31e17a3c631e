package outbox

import (
	"context"
	"flag"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"weeklybot/bot"
	"weeklybot/internal/needs"
)

var soakFor = flag.Duration("soak", 4*keptFor, "how long TestSoak delivers at full rate, several times as long as commits are kept; 10m is the long run")

// An engine that delivers at full rate for long keeps no goroutine and no memory of what is over.
func TestSoak(t *testing.T) {
	dir, err := os.MkdirTemp("", "wb") // short: a socket's path is
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := childConfig{Sink: startBenchmarkSink(t, 0), Socket: needs.NewServer(t, dir, 0, "--appendonly", "yes").Addr}
	const channels = 2000
	c.prepareMany(t, channels)
	rdb, done := c.open()
	defer done()
	store := c.store(rdb)
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	e := New(Config{Queue: store, Composer: &titles{}, Adapters: []bot.Adapter{newBenchPoster(c.Sink, 64)}, Next: hourly, Node: "soak", Workers: 64, Beat: 20 * time.Millisecond})
	go func() { stopped <- e.Run(ctx) }()
	var goroutines, heap []int
	runs := 0
	for end := time.Now().Add(*soakFor); time.Now().Before(end) || runs < 8; runs++ {
		publishOne(t, store)
		makeDue(t, store, rdb, time.Now())
		eventually(t, "a run's last receipt", func() bool { return allDone(ctx, store, rdb) })
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		goroutines, heap = append(goroutines, runtime.NumGoroutine()), append(heap, int(m.HeapAlloc))
	}
	cancel()
	must(t, <-stopped)
	early, late := median(goroutines[runs/4:runs/2]), median(goroutines[runs*3/4:])
	earlyHeap, lateHeap := median(heap[runs/4:runs/2]), median(heap[runs*3/4:])
	t.Logf("%d runs, %d posts in %v: goroutines %d, then %d; heap %d kB, then %d kB", runs, sinkSays(t, c.Sink, "count"), *soakFor, early, late, earlyHeap>>10, lateHeap>>10)
	if late > early+early/4+8 {
		t.Errorf("goroutines grow: %d, then %d", early, late)
	}
	if lateHeap > earlyHeap+earlyHeap/4+4<<20 {
		t.Errorf("the heap grows: %d bytes, then %d", earlyHeap, lateHeap)
	}
	if n := sinkSays(t, c.Sink, "count"); n != int64(runs*channels) {
		t.Errorf("%d posts, want %d", n, runs*channels)
	}
}

func median(list []int) int {
	list = slices.Clone(list)
	slices.Sort(list)
	return list[len(list)/2]
}
