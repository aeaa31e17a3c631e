package index

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"weeklybot/content"
)

// answers are the titles found for a few queries.
func answers(x *Index) map[string][]string {
	out := map[string][]string{}
	for _, q := range []string{"istio", "服务网格", "kubernetes", "release", "双栈"} {
		res := x.Search(content.Query{Text: q})
		got := titles(res)
		slices.Sort(got)
		out[q] = append(got, fmt.Sprint(res.Total))
	}
	return out
}

// TestUpdate adds, replaces and removes issues one at a time; each Index must answer as one built anew, and the old one as before.
func TestUpdate(t *testing.T) {
	topics := content.DefaultTopics()
	var issues []*content.Issue
	for n := range 40 {
		issues = append(issues, issueOf(n, fmt.Sprintf("Istio release %d | 服务网格", n), fmt.Sprintf("The very same article stands in every issue of this year | kubernetes %d | https://e.com/a", n), "双栈 | text"))
	}
	x := Build(content.NewLibrary(issues[:10], topics), topics)
	first := answers(x)
	before := x
	for n := 10; n < 40; n++ {
		live := slices.Clone(issues[:n+1])
		live = slices.Delete(live, n%7, n%7+1) // one old issue goes
		if n%3 == 0 {                          // one is edited
			issues[n-5] = issueOf(n-5, fmt.Sprintf("Istio release %d, corrected | 服务网格", n-5))
			live = slices.Clone(issues[:n+1])
		}
		lib := content.NewLibrary(live, topics)
		x = x.Update(lib)
		tidy := x.Tidy()
		if x.Library() != lib || tidy.Library() != lib || len(tidy.parts) > maxParts {
			t.Fatalf("Library is not the one given, or %d parts", len(tidy.parts))
		}
		want := answers(Build(lib, topics))
		for name, x := range map[string]*Index{"updated": x, "tidy": tidy} {
			for q, got := range answers(x) {
				if !slices.Equal(got, want[q]) {
					t.Fatalf("after issue %d, %s: Search(%q) = %q, want %q", n, name, q, got, want[q])
				}
			}
		}
		if n%2 == 0 {
			x = tidy
		}
	}
	for q, got := range answers(before) {
		if !slices.Equal(got, first[q]) {
			t.Errorf("the old index now answers %q to %q, want %q", got, q, first[q])
		}
	}
}

func TestUpdateWhileSearching(t *testing.T) {
	topics := content.DefaultTopics()
	issues := []*content.Issue{issueOf(0, sample...)}
	x := Build(content.NewLibrary(issues, topics), topics)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					if n := len(x.Search(content.Query{Text: "istio 双栈"}).Hits); n != 1 {
						t.Errorf("%d hits, want 1", n)
					}
					x.Rising(3)
				}
			}
		})
	}
	y := x
	for n := 1; n < 2*mostParts; n++ {
		issues = append(issues, issueOf(n, "Istio 双栈 again | x"))
		y = y.Update(content.NewLibrary(issues, topics))
		if n := len(y.Search(content.Query{Text: "istio 双栈"}).Hits); n == 0 {
			t.Error("no hits")
		}
	}
	close(done)
	wg.Wait()
}

func TestSameArticle(t *testing.T) {
	lib := library(
		[]string{"Istio 1.1 | old words | https://istio.io/a?utm_source=x", "《Envoy 配置详解与流量管理实践》 | a | https://a.com"},
		[]string{"Istio 1.1 is out | new words | http://www.istio.io/a/", "Envoy 配置详解与流量管理实践 | b | https://b.com", "Weekly | one", "Weekly | two istio"},
	)
	x := Build(lib, content.DefaultTopics())
	res := x.Search(content.Query{Text: "istio 1.1"})
	if len(res.Hits) != 1 || res.Total != 1 || len(res.Hits[0].Also) != 1 {
		t.Fatalf("one article in two issues gives %q, total %d", titles(res), res.Total)
	}
	if h := res.Hits[0]; h.Also[0].Issue == h.Issue {
		t.Error("Also names the hit's own issue")
	}
	if res := x.Search(content.Query{Text: "envoy"}); len(res.Hits) != 1 {
		t.Errorf("one title at two addresses gives %q", titles(res))
	}
	for _, c := range []struct{ a, b string }{
		{"【译】Envoy 配置详解与流量管理实践", "Envoy 配置详解与流量管理实践"},
		{"[译] Announcing Rust 1.94.0 to the world | Rust Blog", "Announcing Rust 1.94.0 to the world"},
	} {
		if titleKey(bare(c.a)) != titleKey(bare(c.b)) {
			t.Errorf("%q and %q are two articles", c.a, c.b)
		}
	}
	for _, c := range []struct{ a, b string }{
		{"2022-07-20 | Cardiff in Wales, UK | Rust", "2022-07-20 | Cardiff in Wales, UK | C++"},
		{"A deep dive into networking | Part 1", "A deep dive into networking | Part 2"},
	} {
		if titleKey(bare(c.a)) == titleKey(bare(c.b)) {
			t.Errorf("%q and %q are one article", c.a, c.b)
		}
	}
	if res := x.Search(content.Query{Text: "weekly"}); len(res.Hits) != 2 {
		t.Errorf("two items with one short title give %q", titles(res))
	}
}

func TestHot(t *testing.T) {
	weeks := make([][]string, 40)
	for n := range weeks {
		weeks[n] = []string{fmt.Sprintf("Number %d | nothing", n)}
	}
	weeks[0] = []string{"Istio istio | istio"}
	weeks[39] = []string{"Something new | on istio"}
	x := Build(library(weeks...), content.DefaultTopics())
	if got := titles(x.Search(content.Query{Text: "istio"})); got[0] != "Istio istio" {
		t.Errorf("by relevance: %q", got)
	}
	if got := titles(x.Search(content.Query{Text: "istio", Hot: true})); got[0] != "Something new" {
		t.Errorf("hot: %q", got)
	}
}

// TestVotes: what readers found useful rises, within bounds, from behind the limit too, and votes on each copy of an article count once.
func TestVotes(t *testing.T) {
	lines := make([]string, 30)
	for n := range lines {
		lines[n] = fmt.Sprintf("Istio number %d | words | https://e.com/%d", n, n)
	}
	x := Build(library(lines, []string{"Istio number 7 | words | https://e.com/7?utm_source=x", "Istio number seven, again | words"}), content.DefaultTopics())
	best := func(hot bool, votes map[string]int) string {
		return x.Search(content.Query{Text: "istio", Hot: hot, Limit: 3, Votes: votes}).Hits[0].Item.URL
	}
	plain := best(true, nil)
	for _, c := range []struct {
		name  string
		hot   bool
		votes map[string]int
		want  string
	}{
		{"nobody voted", true, map[string]int{}, plain},
		{"others' votes", true, map[string]int{"elsewhere": 9}, plain},
		{"one vote lifts among equals, from behind the limit", true, map[string]int{"1-25": 1}, "https://e.com/25"},
		{"only what is hot", false, map[string]int{"1-25": 100}, best(false, nil)},
		{"against", true, map[string]int{"1-25": 1, "1-26": -1}, "https://e.com/25"},
		{"two copies together", true, map[string]int{"1-25": 3, "1-7": 2, "2-0": 2}, "https://e.com/7?utm_source=x"},
		{"one copy against the other", true, map[string]int{"1-25": 1, "1-7": 5, "2-0": -5}, "https://e.com/25"},
	} {
		if got := best(c.hot, c.votes); got != c.want {
			t.Errorf("%s: %s is first, want %s", c.name, got, c.want)
		}
	}
	for n, want := range map[int]float32{0: 1, 3: 1.25, -3: 0.75, 1 << 40: mostLiked, -1 << 40: 2 - mostLiked} {
		if got := liked(n); got != want {
			t.Errorf("liked(%d) = %v, want %v", n, got, want)
		}
	}
}

func TestRisingAndTrend(t *testing.T) {
	weeks := make([][]string, 12)
	for n := range weeks {
		weeks[n] = []string{fmt.Sprintf("Kubernetes %d | k8s", n)}
	}
	weeks[10] = append(weeks[10], "eBPF one | x", "eBPF two | x")
	weeks[11] = append(weeks[11], "eBPF three | x")
	weeks[6] = append(weeks[6], "Istio | gone")
	x := Build(library(weeks...), content.DefaultTopics())
	got := x.Rising(5)
	if len(got) != 2 || got[0].Topic != "ebpf" || got[0].Recent != 3 || got[0].Before != 0 || got[1].Topic != "kubernetes" || got[1].Recent != 4 {
		t.Errorf("Rising = %+v", got)
	}
	if got := x.Trend("伯克利包过滤器", 3); !slices.Equal(got, []int{0, 2, 1}) {
		t.Errorf("Trend = %v", got)
	}
	if got := x.Trend("no such thing", 2); !slices.Equal(got, []int{0, 0}) {
		t.Errorf("Trend of nothing = %v", got)
	}
	if got := x.Trend("k8s", -1); len(got) != 0 {
		t.Errorf("Trend over no weeks = %v", got)
	}
	empty := Build(content.NewLibrary(nil, nil), nil)
	if len(empty.Rising(3)) != 0 || len(empty.Search(content.Query{Text: "go"}).Hits) != 0 || len(empty.Trend("go", 4)) != 4 {
		t.Error("an empty index finds something")
	}
}

func TestWhy(t *testing.T) {
	x := Build(library(sample), content.DefaultTopics())
	res := x.Search(content.Query{Text: "服务网 落地"})
	if len(res.Hits) != 1 || res.Hits[0].Why != "服务网 → service mesh (text) · 落地 (title)" {
		t.Errorf("Why = %+v", res.Hits)
	}
}

// TestSpellingFirst asks by a spelling that says more than the topic's name: what says the same comes first.
func TestSpellingFirst(t *testing.T) {
	var lines []string
	for n := range 80 {
		lines = append(lines, fmt.Sprintf("Logging %d", n))
	}
	x := Build(library(append(lines, "很长很长的一个标题，讲的是许多别的东西，最后提到日志收集系统的选型与落地")), content.DefaultTopics())
	res := x.Search(content.Query{Text: "日志收集", Limit: 5})
	if len(res.Hits) != 5 || res.Total != 81 || !strings.Contains(res.Hits[0].Item.Title, "日志收集") {
		t.Errorf("total %d, best first %q", res.Total, titles(res))
	}
}

// TestNear asks for what is not there: near topics are those that items have and that belong with it, else the most frequent, and said to be that.
func TestNear(t *testing.T) {
	x := Build(library([]string{"Kafka 4 | with queues", "Swift 6", "Swift 5", "Swift 4"}), content.DefaultTopics())
	for _, c := range []struct {
		query, first string
		popular      bool
	}{
		{"rocketmq", "Kafka", false},
		{"swift kubernetes", "Swift", false},
		{"xyzzyx", "Swift", true},
		{"how to", "Swift", true},
		{"rocketmqq", "Kafka", false},
	} {
		res := x.Search(content.Query{Text: c.query})
		if len(res.Hits) > 0 || res.Near[0] != c.first || res.Popular != c.popular {
			t.Errorf("Search(%q): %d hits, near %q, popular %v; want none, first %s, %v", c.query, len(res.Hits), res.Near, res.Popular, c.first, c.popular)
		}
	}
}

// TestSpelledTopic asks for one thing of a topic that has many: what names it comes first, by whatever spelling.
func TestSpelledTopic(t *testing.T) {
	x := Build(library([]string{"Reactive programming | all of it", "A long title about many other things that has RxSwift as its very last word: RxSwift", "Reactive streams"}), content.DefaultTopics())
	res := x.Search(content.Query{Text: "rxswift"})
	if len(res.Hits) != 3 || !strings.Contains(res.Hits[0].Item.Title, "RxSwift") {
		t.Errorf("best first %q", titles(res))
	}
}

// FuzzSearch checks what any text must give: bounded hits, each once, the best first, and in an index of its own the title of an
// item finds the item.
func FuzzSearch(f *testing.F) {
	for _, s := range []string{"istio 双栈", "k8s*", "镜像安全", "a b c d e f g h i j k l m n o p q r", "的 of", "virtualservice", "v1.25", "\xff", "服务网格的 (安全) http://x.y", "栈", "服務網格", ".net", "go1.22", "🚀 C++", "at the helm"} {
		f.Add(s)
	}
	topics := content.DefaultTopics()
	x := Build(library(sample, []string{"Istio 双栈落地 | again"}), topics)
	f.Fuzz(func(t *testing.T, text string) {
		res := x.Search(content.Query{Text: text, Limit: 5, Hot: len(text)%2 == 0})
		if len(res.Hits) > 5 || res.Total < len(res.Hits) {
			t.Fatalf("%d hits of %d", len(res.Hits), res.Total)
		}
		for k, h := range res.Hits {
			if k > 0 && h.Score > res.Hits[k-1].Score {
				t.Fatalf("%q: hit %d is better than the one before", text, k)
			}
			for _, o := range res.Hits[:k] {
				if o.Item == h.Item {
					t.Fatalf("%q: %q is there twice", text, h.Item.Title)
				}
			}
		}
		if len(res.Hits) == 0 && len(res.Near) == 0 {
			t.Fatalf("%q: nothing found and nothing offered", text)
		}
		if r := []rune(text); len(r) > 40 {
			text = string(r[:40])
		}
		var typed, read content.Matcher
		read.AnyCase = true
		if len(typed.Mentions(topics, text)) != len(read.Mentions(topics, text)) {
			return // "ar" is read as AR, which a text must write in capitals
		}
		own := Build(library([]string{"other"}, []string{strings.ReplaceAll(text, "|", " ")}), topics)
		if q := own.ask(text); len(q.groups) > 0 && len(own.Search(content.Query{Text: text}).Hits) == 0 {
			t.Fatalf("%q does not find itself (%+v)", text, q.groups)
		}
	})
}
