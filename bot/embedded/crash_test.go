package embedded

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// The test binary starts itself with these set, to be killed.
const (
	childMode = "EMBEDDED_TEST_CHILD"
	childDir  = "EMBEDDED_TEST_DIR"
)

var crashRounds = flag.Int("crash.rounds", 3, "kills for each way of writing")

const writers = 4

// child opens the store and writes until it is killed. It prints what was acknowledged: the writer and its number.
func child(mode, dir string) {
	e, err := Open(dir, Options{Always: mode == "always"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("open")
	switch mode {
	case "hold":
		select {}
	case "rewrite":
		go func() {
			for {
				if err := e.rewrite(); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		}()
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { childWriter(e.Client(), w) })
	}
	wg.Wait()
}

// childWriter adds to a hash, a list and a stream in one transaction, and twice to a counter by a script, over and over.
func childWriter(c *redis.Client, w int) {
	script := redis.NewScript(`redis.call('HINCRBY', KEYS[1], ARGV[1], 1); return redis.call('HINCRBY', KEYS[1], ARGV[1], 1)`)
	id := strconv.Itoa(w)
	for i := int(c.HLen(ctx, "h"+id).Val()); ; i++ {
		_, err := c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.HSet(ctx, "h"+id, i, strings.Repeat(strconv.Itoa(i), 20))
			p.RPush(ctx, "l"+id, i)
			p.XAdd(ctx, &redis.XAddArgs{Stream: "x" + id, Values: []any{"i", i}})
			return nil
		})
		if err = errors.Join(err, script.Run(ctx, c, []string{"n" + id}, i).Err()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("%d %d\n", w, i)
	}
}

// startChild starts the test binary as a child and waits until it has the store open.
func startChild(t *testing.T, mode, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childMode+"="+mode, childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "open" {
		cmd.Wait()
		t.Fatalf("the child did not open the store: %q", lines.Text())
	}
	return cmd, lines
}

// TestKill kills a writing process again and again: whatever it said was written is there, whole and in order.
func TestKill(t *testing.T) {
	for _, mode := range []string{"everysec", "always", "rewrite"} {
		t.Run(mode, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 1))
			dir := t.TempDir()
			total := 0
			for range *crashRounds {
				cmd, lines := startChild(t, mode, dir)
				wait := time.Duration(20+rng.IntN(300)) * time.Millisecond
				kill := time.AfterFunc(wait, func() { cmd.Process.Kill() })
				first, acked := map[string]int{}, map[string]int{}
				for lines.Scan() {
					w, i, whole := strings.Cut(lines.Text(), " ")
					n, err := strconv.Atoi(i)
					if !whole || err != nil {
						continue
					}
					if acked[w] == 0 {
						first[w] = n
					}
					acked[w] = n + 1
					total++
				}
				kill.Stop()
				cmd.Wait()
				checkKilled(t, dir, first, acked)
			}
			t.Logf("%d transactions and scripts acknowledged over %d kills", total, *crashRounds)
			if total == 0 {
				t.Error("nothing was acknowledged before the kills: nothing was tested")
			}
		})
	}
}

// checkKilled opens the store and looks for all that was acknowledged. Between first and acked each writer's script ran, too; before it,
// a kill may have come between a transaction and its script.
func checkKilled(t *testing.T, dir string, first, acked map[string]int) {
	t.Helper()
	_, c, done := open(t, dir, Options{})
	defer done()
	for w := range writers {
		id := strconv.Itoa(w)
		l, h, n := c.LRange(ctx, "l"+id, 0, -1).Val(), c.HGetAll(ctx, "h"+id).Val(), c.XLen(ctx, "x"+id).Val()
		if len(l) < acked[id] {
			t.Errorf("writer %s: %d acknowledged, %d there", id, acked[id], len(l))
		}
		if len(h) != len(l) || int(n) != len(l) {
			t.Errorf("writer %s: a transaction is there in part: hash %d, list %d, stream %d", id, len(h), len(l), n)
		}
		for i, v := range l {
			if v != strconv.Itoa(i) || h[v] != strings.Repeat(v, 20) {
				t.Fatalf("writer %s: entry %d is %s, %q", id, i, v, h[v])
			}
		}
		counts := c.HGetAll(ctx, "n"+id).Val()
		for i := range acked[id] {
			if n, known := counts[strconv.Itoa(i)]; n != "2" && (known || i >= first[id]) {
				t.Fatalf("writer %s: counter %d is %q, want 2", id, i, n)
			}
		}
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	_, _, done := open(t, dir, Options{})
	wantLocked := func(who string) {
		t.Helper()
		if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "data_dir") {
			t.Errorf("Open while %s has it: %v, want ErrLocked and what to do", who, err)
		}
	}
	wantLocked("this process")
	done()
	cmd, lines := startChild(t, "hold", dir)
	wantLocked("another process")
	cmd.Process.Kill()
	for lines.Scan() {
	}
	cmd.Wait()
	open(t, dir, Options{})
}
