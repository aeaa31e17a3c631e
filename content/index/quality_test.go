package index

import (
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"weeklybot/content"
	"weeklybot/content/internal/words"
	"weeklybot/content/parse"
	"weeklybot/internal/needs"
)

// judgedItem names an item of the judged queries: file and URL, or file and title where it has no URL.
type judgedItem struct {
	File  string  `json:"file"`
	Title string  `json:"title"`
	URL   *string `json:"url"`
}

type judgedQuery struct {
	ID         string       `json:"id"`
	Query      string       `json:"query"`
	Relevant   []judgedItem `json:"relevant"`
	Acceptable []judgedItem `json:"acceptable"`
	MustNot    []judgedItem `json:"must_not"`
}

func judged(t *testing.T, shared string) (files []string, queries []judgedQuery) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(shared, "corpus", "queries.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Collection []string      `json:"collection"`
		Queries    []judgedQuery `json:"queries"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Collection, doc.Queries
}

func readIssues(t testing.TB, shared string, files []string) []*content.Issue {
	t.Helper()
	var issues []*content.Issue
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(shared, f))
		if err != nil {
			t.Fatal(err)
		}
		issues = append(issues, parse.Parse(f, data, parse.Options{}))
	}
	return issues
}

func letters(s string) string { return strings.ReplaceAll(words.Fold(s), " ", "") }

// is says whether an item of an issue is the judged one.
func (j *judgedItem) is(issue *content.Issue, it *content.Item) bool {
	if issue.Source != j.File {
		return false
	}
	if j.URL != nil && it.URL != "" {
		return strings.TrimSuffix(it.URL, "/") == strings.TrimSuffix(*j.URL, "/")
	}
	a, b := letters(it.Title), letters(j.Title)
	return a != "" && b != "" && (strings.Contains(a, b) || strings.Contains(b, a))
}

// among is the judged item that a hit is, counting the other places where its article stands; -1 when it is none.
func among(list []judgedItem, h content.Hit) int {
	for k := range list {
		if list[k].is(h.Issue, h.Item) {
			return k
		}
		for _, r := range h.Also {
			if list[k].is(r.Issue, r.Item) {
				return k
			}
		}
	}
	return -1
}

// TestJudgedQueries measures the answers to the judged queries: every relevant item within the first 50, nothing that must not
// be there, recall@10 and nDCG@10 over all queries that have an answer.
func TestJudgedQueries(t *testing.T) {
	shared := needs.Shared(t)
	files, queries := judged(t, shared)
	x := Build(content.NewLibrary(readIssues(t, shared, files), content.DefaultTopics()), content.DefaultTopics())
	for _, hot := range []bool{false, true} {
		var recall, ndcg float64
		answered := 0
		for _, q := range queries {
			res := x.Search(content.Query{Text: q.Query, Hot: hot})
			if len(q.Relevant) == 0 {
				if len(res.Hits) > 0 || len(res.Near) == 0 {
					t.Errorf("%s %q: %d hits, near %q; want none and topics offered", q.ID, q.Query, len(res.Hits), res.Near)
				}
				continue
			}
			answered++
			r, n := measure(t, q, res)
			recall, ndcg = recall+r, ndcg+n
		}
		recall, ndcg = recall/float64(answered), ndcg/float64(answered)
		t.Logf("hot=%v: recall@10 %.3f, nDCG@10 %.3f over %d queries", hot, recall, ndcg, answered)
		if recall < 0.95 || ndcg < 0.9 {
			t.Errorf("hot=%v: recall@10 %.3f, nDCG@10 %.3f; want at least 0.95 and 0.9", hot, recall, ndcg)
		}
	}
}

func measure(t *testing.T, q judgedQuery, res content.Result) (recall, ndcg float64) {
	rank := map[int]int{} // relevant item → place, from 0
	for place, h := range res.Hits {
		if k := among(q.Relevant, h); k >= 0 {
			if _, seen := rank[k]; !seen {
				rank[k] = place
			}
		}
		if k := among(q.MustNot, h); k >= 0 {
			t.Errorf("%s %q: place %d must not be there: %s", q.ID, q.Query, place+1, h.Item.Title)
		}
	}
	var gain, ideal float64
	ten := min(10, len(q.Relevant))
	found := 0
	for k, item := range q.Relevant {
		place, ok := rank[k]
		if !ok {
			t.Errorf("%s %q: not found: %s (%s)", q.ID, q.Query, item.Title, item.File)
			continue
		}
		if place < 10 {
			found++
			gain += 1 / math.Log2(float64(place)+2)
		}
	}
	for k := range ten {
		ideal += 1 / math.Log2(float64(k)+2)
	}
	recall, ndcg = float64(found)/float64(ten), gain/ideal
	if ndcg < 0.999 {
		t.Logf("%s %q: recall@10 %.2f, nDCG@10 %.2f, %d hits", q.ID, q.Query, recall, ndcg, res.Total)
		for k, h := range res.Hits[:min(12, len(res.Hits))] {
			t.Logf("   %2d %.3f rel=%v acc=%v %s | %s | %s", k+1, h.Score, among(q.Relevant, h) >= 0, among(q.Acceptable, h) >= 0, h.Item.Title, h.Why, h.Issue.Source)
		}
	}
	return recall, ndcg
}

// corpus reads every newsletter there is.
func corpus(t *testing.T, shared string) *content.Library {
	t.Helper()
	var files []string
	for _, top := range []string{"corpus", "seeds"} {
		err := filepath.WalkDir(filepath.Join(shared, top), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && parse.IsIssueFile(path) && !strings.Contains(path, "licenses") {
				rel, _ := filepath.Rel(shared, path)
				files = append(files, rel)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return content.NewLibrary(readIssues(t, shared, files), content.DefaultTopics())
}

func holds(res content.Result, it *content.Item) bool {
	return slices.ContainsFunc(res.Hits, func(h content.Hit) bool {
		return h.Item == it || slices.ContainsFunc(h.Also, func(r content.Ref) bool { return r.Item == it })
	})
}

// TestEveryItemIsFound asks for each item of all newsletters by its title, and by pairs of Han characters in it.
func TestEveryItemIsFound(t *testing.T) {
	lib := corpus(t, needs.Shared(t))
	x := Build(lib, content.DefaultTopics())
	items, pairs, missed := 0, 0, 0
	for _, i := range lib.Issues() {
		for s := range i.Sections {
			if i.Sections[s].Kind == content.SectionMeta {
				continue
			}
			for k := range i.Sections[s].Items {
				it := &i.Sections[s].Items[k]
				items++
				if !holds(x.Search(content.Query{Text: it.Title, Limit: 200}), it) {
					missed++
					t.Logf("%s:%d is not found by its title", i.Source, it.Line)
				}
				for _, pair := range hanPairs(it.Title) {
					pairs++
					if !holds(x.Search(content.Query{Text: pair, Limit: maxLimit}), it) {
						t.Errorf("%s:%d is not found by %s", i.Source, it.Line, pair)
					}
				}
			}
		}
	}
	t.Logf("%d items, %d pairs, %d items missed", items, pairs, missed)
	if items < 8000 || missed > items/1000 {
		t.Errorf("%d of %d items are not found by their titles", missed, items)
	}
}

// hanPairs are some words of two Han characters, as far as they are no topic: a topic's name is matched by meaning.
func hanPairs(title string) []string {
	var out []string
	runes := []rune(title)
	for k := 0; k+1 < len(runes); k += 5 {
		pair := string(runes[k : k+2])
		_, topic := content.DefaultTopics().Canonical(pair)
		if unicode.Is(unicode.Han, runes[k]) && unicode.Is(unicode.Han, runes[k+1]) && !topic {
			out = append(out, pair)
		}
	}
	return out
}

// TestSpellings asks in several spellings for the same thing.
func TestSpellings(t *testing.T) {
	x := Build(corpus(t, needs.Shared(t)), content.DefaultTopics())
	for _, same := range [][]string{
		{"kubernetes", "Kubernetes", "ＫＵＢＥＲＮＥＴＥＳ", "k8s", "K8S", "kuberentes", "kubernets"},
		{"service mesh", "Service-Mesh", "servicemesh", "服务网格", "服务 网格", "servce mesh"},
		{"双栈 istio", "istio双栈", "Istio  双栈", "双栈istio", "dual-stack istio"},
		{"webassembly", "wasm", "WASM", "web assembly", "WebAsembly"},
		{"可观测性", "observability", "可观测", "o11y", "obervability"},
		{"swiftui 动画", "SwiftUI动画", "swift ui animation"},
		{"内存泄漏", "memory leak", "memory leaks", "内存泄露"},
	} {
		want := x.Search(content.Query{Text: same[0], Limit: maxLimit})
		if want.Total == 0 {
			t.Errorf("%q finds nothing", same[0])
		}
		for _, q := range same[1:] {
			if got := x.Search(content.Query{Text: q, Limit: maxLimit}); got.Total < want.Total*9/10 {
				t.Errorf("%q finds %d, %q %d", same[0], want.Total, q, got.Total)
			} else if !holds(got, want.Hits[0].Item) {
				t.Errorf("%q does not find the best hit of %q", q, same[0])
			}
		}
	}
}
