package index

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weeklybot/content"
)

// The benchmarks run over 100,000 made items: titles and texts of one to four sentences in English, Chinese and both, of words
// whose frequency falls as in real text (a few in every tenth item, most in one of a thousand), with names from the topics.
const benchItems, benchPerIssue = 100_000, 50

var benchIssues = sync.OnceValue(func() []*content.Issue {
	g := newTextMaker(1)
	var issues []*content.Issue
	for n := range benchItems / benchPerIssue {
		issues = append(issues, g.issue(n))
	}
	return issues
})

var benchLibrary = sync.OnceValue(func() *content.Library {
	return content.NewLibrary(benchIssues(), content.DefaultTopics())
})

var benchIndex = sync.OnceValue(func() *Index { return Build(benchLibrary(), content.DefaultTopics()) })

type textMaker struct {
	rand   *rand.Rand
	names  []string
	latin  []string
	han    []string
	zipfN  *rand.Zipf
	zipfW  *rand.Zipf
	sample strings.Builder
}

func newTextMaker(seed uint64) *textMaker {
	g := &textMaker{rand: rand.New(rand.NewPCG(seed, 7))}
	g.names = strings.Fields("Istio Kubernetes K8s eBPF WebAssembly Envoy Linkerd Prometheus OpenTelemetry Rust Swift Docker etcd gRPC Helm Cilium Kafka Redis 服务网格 可观测性 容器 微服务 双栈 性能优化 安全")
	for range 12_000 {
		g.latin = append(g.latin, g.word("bcdfghklmnprstvz", "aeiou"))
	}
	for range 8_000 {
		g.han = append(g.han, g.hanWord())
	}
	g.zipfN = rand.NewZipf(g.rand, 1.2, 3, uint64(len(g.names)-1))
	g.zipfW = rand.NewZipf(g.rand, 1.1, 8, 7_999)
	return g
}

func (g *textMaker) word(consonants, vowels string) string {
	g.sample.Reset()
	for range 2 + g.rand.IntN(3) {
		g.sample.WriteByte(consonants[g.rand.IntN(len(consonants))])
		g.sample.WriteByte(vowels[g.rand.IntN(len(vowels))])
	}
	return g.sample.String()
}

func (g *textMaker) hanWord() string {
	r := []rune{0x4E00 + rune(g.rand.IntN(2500)), 0x4E00 + rune(g.rand.IntN(2500))}
	return string(r)
}

func (g *textMaker) sentence(han bool, n int) string {
	g.sample.Reset()
	for range n {
		switch {
		case g.rand.IntN(8) == 0:
			g.sample.WriteString(g.names[g.zipfN.Uint64()])
			g.sample.WriteByte(' ')
		case han:
			g.sample.WriteString(g.han[g.zipfW.Uint64()])
		default:
			g.sample.WriteString(g.latin[g.zipfW.Uint64()])
			g.sample.WriteByte(' ')
		}
	}
	return g.sample.String()
}

func (g *textMaker) issue(n int) *content.Issue {
	number := n
	day := time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n*3)
	i := &content.Issue{Series: "bench", Kind: content.KindIssue, Title: fmt.Sprintf("Weekly #%d", n), Number: &number, Date: day.Format(time.DateOnly), Lang: "zh"}
	sec := content.Section{Heading: "News", Level: 2, Kind: content.SectionNews}
	for k := range benchPerIssue {
		han := g.rand.IntN(2) == 0
		text := g.sentence(han, 10+g.rand.IntN(25))
		if g.rand.IntN(3) == 0 {
			text += "，" + g.sentence(!han, 8+g.rand.IntN(10))
		}
		it := content.Item{ID: fmt.Sprintf("%d.%d", n, k), Title: g.sentence(han, 4+g.rand.IntN(6)), URL: fmt.Sprintf("https://e.com/%d/%d", n, k), Text: text}
		sec.Items = append(sec.Items, it)
	}
	i.Sections = []content.Section{sec}
	return i
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkIndex builds the index of 100,000 items; MB is what it holds beside the library's text, text-MB that text.
func BenchmarkIndex(b *testing.B) {
	empty := heap()
	lib := benchLibrary()
	text := heap() - empty
	b.ReportAllocs()
	var x *Index
	before := heap()
	for b.Loop() {
		x = Build(lib, content.DefaultTopics())
	}
	b.ReportMetric(float64(heap()-before)/1e6, "MB")
	b.ReportMetric(float64(text)/1e6, "text-MB")
	runtime.KeepAlive(x)
}

// BenchmarkIndexAdd makes one issue of 50 items searchable in an index of 100,000.
func BenchmarkIndexAdd(b *testing.B) {
	x := benchIndex()
	fresh := newTextMaker(2).issue(1 << 20)
	all := append([]*content.Issue{fresh}, benchIssues()...)
	for b.Loop() {
		y := x.Update(content.NewLibrary(all, content.DefaultTopics()))
		if y.docs != benchItems+benchPerIssue {
			b.Fatal("not added")
		}
	}
}

// BenchmarkSearch answers queries over 100,000 items, the first 50 hits each; p50-ms and p99-ms are over single queries.
func BenchmarkSearch(b *testing.B) {
	x := benchIndex()
	g := newTextMaker(1)
	for _, c := range []struct {
		name    string
		queries []string
	}{
		{"broad", []string{"istio", "k8s", "kubernetes", "服务网格", "ebpf", "可观测", "容器", "rust", "性能优化", g.latin[0], g.latin[1], g.han[0], g.han[1]}},
		{"terms", []string{"istio 双栈", "双栈 istio", "kubernetes 安全 " + g.latin[3], "服务网格 性能优化", "rust wasm", g.latin[1] + " " + g.latin[2], "ebpf " + g.han[2], g.han[1] + g.han[2], "容器 " + g.latin[4] + " redis"}},
		{"hot", []string{"istio", "k8s", "服务网格", "容器"}},
		{"typo", []string{"kubernets", "opentelemtry", "promethues"}},
		{"nothing", []string{"quantum teleportation", "量子纠缠"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var times []time.Duration
			n := 0
			for b.Loop() {
				start := time.Now()
				x.Search(content.Query{Text: c.queries[n%len(c.queries)], Hot: c.name == "hot"})
				times = append(times, time.Since(start))
				n++
			}
			slices.Sort(times)
			b.ReportMetric(times[len(times)/2].Seconds()*1e3, "p50-ms")
			b.ReportMetric(times[len(times)*99/100].Seconds()*1e3, "p99-ms")
		})
	}
}
