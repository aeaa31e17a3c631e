// Command search compares the bot's index with bleve (scorch, cjk analyzer): the same made items, the same queries, in turns in one
// run. It prints the table of docs/benchmarks.md.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/content"
)

// The queries: single words each of which stands in 2 % of the items and more, and words of one theme.
var (
	broad = strings.Fields("kubernetes istio docker prometheus ebpf envoy rust release cloud service security 技术 服务 应用 平台 数据 安全 架构")
	terms = newMaker(4).ask(40)
)

type side struct {
	name  string
	build func(issues []*content.Issue) (engine, error)
}

var sides = []side{
	{"weeklybot", buildOurs},
	{"bleve, one field", buildBleve(oneField)},
	{"bleve, two fields", buildBleve(twoFields)},
	{"bleve, three fields", buildBleve(threeFields)},
}

func main() {
	items := flag.Int("items", 100_000, "items in the index")
	rounds := flag.Int("rounds", 5, "rounds, of which medians are printed")
	resident := flag.String("resident", "", "build the index of this side alone and print the memory of the process")
	flag.Parse()
	var err error
	if *resident != "" {
		err = printResident(*resident, *items)
	} else {
		err = run(*items, *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// result holds what one side showed, a figure a round.
type result struct {
	build, add         []float64
	p50, p99           map[string][]float64 // by kind of query
	recall, residentMB float64
}

func run(items, rounds int) error {
	all := issues(items)
	know := newOracle(all)
	asked := know.asked(300)
	results := make([]result, len(sides))
	for k := range results {
		results[k] = result{p50: map[string][]float64{}, p99: map[string][]float64{}}
		mb, err := residentOf(sides[k].name, items)
		if err != nil {
			return err
		}
		results[k].residentMB = mb
	}
	for round := range rounds {
		engines := make([]engine, len(sides))
		for k, side := range sides {
			runtime.GC()
			start := time.Now()
			e, err := side.build(all)
			if err != nil {
				return err
			}
			results[k].build = append(results[k].build, time.Since(start).Seconds())
			engines[k] = e
			if err := e.settle(); err != nil {
				return err
			}
		}
		for k, e := range engines {
			if round == 0 {
				var err error
				if results[k].recall, err = recall(e, asked); err != nil {
					return err
				}
			}
		}
		if err := timeQueries(engines, results); err != nil {
			return err
		}
		for k, e := range engines {
			took, err := timeAdd(e, round)
			if err != nil {
				return err
			}
			results[k].add = append(results[k].add, took)
			if err := e.close(); err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\n", round+1, rounds)
	}
	print(results, items, len(asked))
	return nil
}

// timeQueries asks both sides in turns.
func timeQueries(engines []engine, results []result) error {
	const repeats = 25
	for kind, queries := range map[string][]string{"broad": broad, "terms": terms} {
		times := make([][]float64, len(engines))
		for range repeats {
			for k, e := range engines {
				for _, q := range queries {
					start := time.Now()
					if _, _, err := e.search(q, hitsWanted); err != nil {
						return err
					}
					times[k] = append(times[k], ms(start))
				}
			}
		}
		for k := range engines {
			slices.Sort(times[k])
			results[k].p50[kind] = append(results[k].p50[kind], times[k][len(times[k])/2])
			results[k].p99[kind] = append(results[k].p99[kind], times[k][len(times[k])*99/100])
		}
	}
	return nil
}

func ms(since time.Time) float64 { return float64(time.Since(since).Nanoseconds()) / 1e6 }

// timeAdd adds an issue while another goroutine keeps asking, and waits until a query for a word that only it holds finds it.
func timeAdd(e engine, round int) (float64, error) {
	const added = 5
	stop, done := make(chan struct{}), make(chan error)
	asking := e.snapshot()
	go func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
				if _, _, err := asking.search(terms[n%len(terms)], hitsWanted); err != nil {
					done <- err
					return
				}
			}
		}
	}()
	var times []float64
	m := newMaker(uint64(100 + round))
	for n := range added {
		fresh := m.issue(1<<20 + n)
		word := fmt.Sprintf("newword%d", n)
		fresh.Sections[0].Items[0].Title += " " + word
		start := time.Now()
		if err := e.add(fresh); err != nil {
			return 0, err
		}
		ids, _, err := e.search(word, 1)
		if err != nil {
			return 0, err
		}
		if len(ids) != 1 {
			return 0, fmt.Errorf("%T: the added issue is not found", e)
		}
		times = append(times, ms(start))
	}
	close(stop)
	return median(times), <-done
}

// residentOf is the memory of a process that holds one side's index and its texts, in MB.
func residentOf(side string, items int) (float64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	out, err := exec.Command(self, "-resident", side, "-items", strconv.Itoa(items)).Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", side, err)
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

// printResident prints what Linux says of this process after the garbage is gone. Both sides hold the items themselves: the bot shows
// them, and an answer of bleve's is IDs.
func printResident(name string, items int) error {
	k := slices.IndexFunc(sides, func(s side) bool { return s.name == name })
	if k < 0 {
		return fmt.Errorf("no side is called %q", name)
	}
	all := issues(items)
	e, err := sides[k].build(all)
	if err != nil {
		return err
	}
	if _, _, err := e.search("kubernetes", hitsWanted); err != nil {
		return err
	}
	debug.FreeOSMemory()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(string(rest)), " kB"), 64)
			fmt.Println(kb * 1024 / 1e6)
			runtime.KeepAlive(all)
			return errors.Join(err, e.close())
		}
	}
	return fmt.Errorf("/proc/self/status names no VmRSS")
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// print writes a row for each figure; what stands behind bleve's is how many times as long as ours it took.
func print(results []result, items, asked int) {
	fmt.Printf("%d items, %d rounds on %d cores, %s, %s\n\n", items, len(results[0].build), runtime.NumCPU(), runtime.Version(), time.Now().Format(time.DateOnly))
	fmt.Print("| median (lowest to highest round) |")
	for _, s := range sides {
		fmt.Printf(" %s |", s.name)
	}
	fmt.Println("\n|" + strings.Repeat(" --- |", len(sides)+1))
	row := func(name, unit string, of func(*result) []float64) {
		fmt.Printf("| %s |", name)
		for k := range results {
			list := of(&results[k])
			fmt.Printf(" %s %s (%s–%s)", digits(median(list)), unit, digits(slices.Min(list)), digits(slices.Max(list)))
			if k > 0 {
				fmt.Printf(", %.1f ×", median(list)/median(of(&results[0])))
			}
			fmt.Print(" |")
		}
		fmt.Println()
	}
	row("indexing all", "s", func(r *result) []float64 { return r.build })
	for _, kind := range []string{"broad", "terms"} {
		name := map[string]string{"broad": "one broad word", "terms": "2–3 words"}[kind]
		row(name+", p50", "ms", func(r *result) []float64 { return r.p50[kind] })
		row(name+", p99", "ms", func(r *result) []float64 { return r.p99[kind] })
	}
	row("one issue of 50 items added, while queries go on", "ms", func(r *result) []float64 { return r.add })
	row(fmt.Sprintf("recall, %d queries", asked), "%", func(r *result) []float64 { return []float64{100 * r.recall} })
	row("resident memory, texts included", "MB", func(r *result) []float64 { return []float64{r.residentMB} })
}

// digits shows three of them.
func digits(v float64) string {
	places := 2 - int(math.Floor(math.Log10(max(v, 1e-6))))
	return strconv.FormatFloat(v, 'f', max(0, places), 64)
}
