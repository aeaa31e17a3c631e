package main

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"time"

	"weeklybot/content"
)

// Frequent words, the most frequent first, as they fall in newsletters of either language.
var (
	//go:embed words_en.txt
	english string
	//go:embed words_zh.txt
	chinese string
)

// names stand in the texts of both languages, the most frequent first.
var names = strings.Fields(`Kubernetes Istio Docker Prometheus eBPF Envoy Rust Linux Go Redis Kafka Helm Cilium OpenTelemetry GitHub AWS Grafana etcd gRPC
	WebAssembly Terraform PostgreSQL Linkerd Python containerd KubeCon CNCF Swift Jaeger Knative Dapr Tekton Harbor Vault Nginx MySQL Spark Flink TiDB Ceph`)

const (
	vocabulary = 30_000 // words of each language: those above, then made ones that are seldom
	functional = 42     // so many of the most frequent words say nothing about what a text is about
	perIssue   = 50
	themes     = 400
	nameEvery  = 15 // one word in so many is a name
	themeEvery = 4  // and one in so many belongs to the item's theme
)

// maker makes issues; the same seed makes the same ones.
type maker struct {
	rand   *rand.Rand
	en, zh words
	names  words
	themes []theme
}

// theme is what an item is about: words of both languages, and names, that fall in it more often than elsewhere.
type theme struct{ en, zh, names []string }

func newMaker(seed uint64) *maker {
	made := rand.New(rand.NewPCG(1, 1)) // the made words are the same for every seed
	m := &maker{rand: rand.New(rand.NewPCG(seed, 2))}
	letters := strings.Join(strings.Fields(chinese)[functional:], "")
	m.en = newWords(strings.Fields(english), func() string { return latinWord(made) })
	m.zh = newWords(strings.Fields(chinese), func() string { return hanWord(made, letters) })
	m.names = newWords(names, nil)
	for range themes {
		m.themes = append(m.themes, theme{m.en.about(made, 8), m.zh.about(made, 8), m.names.about(made, 3)})
	}
	return m
}

// about draws n words of those that are neither functional nor made, each as likely as the other.
func (w *words) about(r *rand.Rand, n int) (out []string) {
	from, to := functional, w.known
	if len(w.list) <= to {
		from = 0
	}
	for range n {
		out = append(out, w.list[from+r.IntN(to-from)])
	}
	return out
}

// words draws words as Zipf and Mandelbrot have it: the word of rank k comes 1 / (k + 2.7) as often as the first.
type words struct {
	list  []string
	known int       // those that are not made
	upto  []float64 // sum of the shares up to each word
}

func newWords(list []string, more func() string) words {
	w := words{list: list, known: len(list)}
	for more != nil && len(w.list) < vocabulary {
		w.list = append(w.list, more())
	}
	sum := 0.0
	for k := range w.list {
		sum += 1 / (float64(k) + 2.7)
		w.upto = append(w.upto, sum)
	}
	return w
}

func (w *words) draw(r *rand.Rand) string {
	at := r.Float64() * w.upto[len(w.upto)-1]
	return w.list[sort.SearchFloat64s(w.upto, at)]
}

func latinWord(r *rand.Rand) string {
	var b strings.Builder
	for range 2 + r.IntN(3) {
		b.WriteByte("bcdfghklmnprstvz"[r.IntN(16)])
		b.WriteByte("aeiou"[r.IntN(5)])
	}
	b.WriteString([]string{"", "n", "r", "x", "db", "ctl", "ops"}[r.IntN(7)])
	return b.String()
}

// hanWord is two or three characters as they stand in real words.
func hanWord(r *rand.Rand, from string) string {
	runes := []rune(from)
	word := []rune{runes[r.IntN(len(runes))], runes[r.IntN(len(runes))]}
	if r.IntN(4) == 0 {
		word = append(word, runes[r.IntN(len(runes))])
	}
	return string(word)
}

// sentence has n words. Between Chinese and Latin stands a space, as most newsletters write.
func (m *maker) sentence(t *theme, han bool, n int) string {
	var b strings.Builder
	space := false
	for range n {
		name := m.rand.IntN(nameEvery) == 0
		if b.Len() > 0 && (space || name || !han) {
			b.WriteByte(' ')
		}
		space = name || !han
		switch {
		case name:
			b.WriteString(m.word(&m.names, t.names, 2))
			if m.rand.IntN(10) == 0 {
				fmt.Fprintf(&b, " %d.%d", 1+m.rand.IntN(3), m.rand.IntN(40))
			}
		case han:
			b.WriteString(m.word(&m.zh, t.zh, themeEvery))
		default:
			b.WriteString(m.word(&m.en, t.en, themeEvery))
		}
	}
	return strings.Clone(b.String()) // without the builder's spare room
}

// word is one of the theme, once in so many, else any.
func (m *maker) word(all *words, theme []string, every int) string {
	if m.rand.IntN(every) == 0 {
		return theme[m.rand.IntN(len(theme))]
	}
	return all.draw(m.rand)
}

// issue has items in Chinese, in English and in both; every third has a sentence more, of which a third in the other language.
func (m *maker) issue(n int) *content.Issue {
	day := time.Date(2008, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 3*n)
	issue := &content.Issue{
		Series: fmt.Sprintf("weekly %d", n%7), Kind: content.KindIssue, Title: fmt.Sprintf("Weekly #%d", n), Number: &n, Date: day.Format(time.DateOnly), Lang: "zh",
		Source: fmt.Sprintf("weekly/%d.md", n),
	}
	for s := range 5 {
		han := m.rand.IntN(2) == 0
		section := content.Section{Heading: m.sentence(m.theme(), han, 2), Level: 2, Kind: content.SectionNews, Items: make([]content.Item, 0, perIssue/5)}
		for k := range perIssue / 5 {
			section.Items = append(section.Items, m.item(fmt.Sprintf("%d/%d/%d", n, s, k)))
		}
		issue.Sections = append(issue.Sections, section)
	}
	return issue
}

func (m *maker) item(id string) content.Item {
	han, about := m.rand.IntN(2) == 0, m.theme()
	text := m.sentence(about, han, 10+m.rand.IntN(25))
	if m.rand.IntN(3) == 0 {
		text += "，" + m.sentence(about, han != (m.rand.IntN(3) == 0), 8+m.rand.IntN(10))
	}
	return content.Item{ID: id, Title: m.sentence(about, han, 4+m.rand.IntN(6)), URL: "https://example.com/" + id, Text: text}
}

func (m *maker) theme() *theme { return &m.themes[m.rand.IntN(len(m.themes))] }

// ask makes queries of two or three words of one theme, of either language and both.
func (m *maker) ask(n int) (queries []string) {
	for len(queries) < n {
		t := m.theme()
		words := [][]string{t.en, t.zh, t.names}
		query := []string{}
		for _, k := range m.rand.Perm(3)[:2+m.rand.IntN(2)] {
			query = append(query, strings.ToLower(words[k][m.rand.IntN(len(words[k]))]))
		}
		queries = append(queries, strings.Join(query, " "))
	}
	return queries
}

func issues(items int) []*content.Issue {
	m := newMaker(1)
	var out []*content.Issue
	for n := range items / perIssue {
		out = append(out, m.issue(n))
	}
	return out
}
