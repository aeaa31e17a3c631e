package parse

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"weeklybot/content"
	"weeklybot/internal/needs"
)

// The structures in corpus/gold are compared by the rules of the README beside them.

type goldItem struct {
	Title     string     `json:"title"`
	URL       *string    `json:"url"`
	TitleAlt  []string   `json:"title_alt"`
	TitleWeak []string   `json:"title_weak"`
	URLAlt    []*string  `json:"url_alt"`
	Optional  bool       `json:"optional"`
	SubItems  int        `json:"sub_items"`
	Line      int        `json:"line"`
	Sub       []goldItem `json:"sub"`
}

type goldSection struct {
	Heading    string     `json:"heading"`
	HeadingAlt []string   `json:"heading_alt"`
	Level      int        `json:"level"`
	Pseudo     bool       `json:"pseudo"`
	Kind       string     `json:"kind"`
	Items      []goldItem `json:"items"`
}

type goldFile struct {
	File     string                     `json:"file"`
	Meta     map[string]json.RawMessage `json:"meta"`
	Sections []goldSection              `json:"sections"`
	NotItems []string                   `json:"not_items"`
}

func normTitle(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			return r
		}
		return -1
	}, strings.ToLower(norm.NFKC.String(s)))
}

func normURL(s string) string { return strings.TrimSuffix(s, "/") }

func (g *goldItem) urlMatches(url string) bool {
	is := func(want *string) bool {
		return want == nil && url == "" || want != nil && url != "" && normURL(*want) == normURL(url)
	}
	return is(g.URL) || slices.ContainsFunc(g.URLAlt, is)
}

func (g *goldItem) strict(it *content.Item) bool {
	got := normTitle(it.Title)
	return g.urlMatches(it.URL) && slices.ContainsFunc(append([]string{g.Title}, g.TitleAlt...), func(s string) bool { return normTitle(s) == got })
}

func (g *goldItem) lenient(it *content.Item) bool {
	got := normTitle(it.Title)
	return got != "" && g.urlMatches(it.URL) && slices.ContainsFunc(slices.Concat([]string{g.Title}, g.TitleAlt, g.TitleWeak), func(s string) bool {
		want := normTitle(s)
		return want != "" && (strings.Contains(want, got) || strings.Contains(got, want) || similarity(want, got) >= 0.6)
	})
}

// similarity is 1 less edit distance by length.
func similarity(a, b string) float64 {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return 1 - float64(row[len(y)])/float64(max(len(x), len(y), 1))
}

type tally struct{ matched, emitted, required int }

func (t tally) f1() float64 {
	if t.emitted+t.required == 0 {
		return 1
	}
	return 2 * float64(t.matched) / float64(t.emitted+t.required)
}

func (t *tally) add(o tally) {
	t.matched, t.emitted, t.required = t.matched+o.matched, t.emitted+o.emitted, t.required+o.required
}

type score struct {
	lenient, strict, headings tally
	metaRight, metaAll        int
}

func TestGold(t *testing.T) {
	shared := needs.Shared(t)
	files, _ := filepath.Glob(filepath.Join(shared, "corpus", "gold", "*.json"))
	if len(files) == 0 {
		t.Fatal("no gold structures")
	}
	var total score
	t.Logf("%-48s %8s %8s %8s %8s", "file", "lenient", "strict", "heading", "meta")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var g goldFile
		if err := json.Unmarshal(raw, &g); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(shared, g.File))
		if err != nil {
			t.Fatal(err)
		}
		s := compare(t, &g, Parse(g.File, data, Options{}))
		t.Logf("%-48s %8.3f %8.3f %8.3f %5d/%d", filepath.Base(file), s.lenient.f1(), s.strict.f1(), s.headings.f1(), s.metaRight, s.metaAll)
		total.lenient.add(s.lenient)
		total.strict.add(s.strict)
		total.headings.add(s.headings)
		total.metaRight, total.metaAll = total.metaRight+s.metaRight, total.metaAll+s.metaAll
	}
	meta := float64(total.metaRight) / float64(total.metaAll)
	t.Logf("%-48s %8.3f %8.3f %8.3f %8.3f", "total", total.lenient.f1(), total.strict.f1(), total.headings.f1(), meta)
	for _, c := range []struct {
		name      string
		got, want float64
	}{{"lenient item F1", total.lenient.f1(), 0.97}, {"strict item F1", total.strict.f1(), 0.94},
		{"heading F1", total.headings.f1(), 0.95}, {"meta fields", meta, 0.90}} {
		if c.got < c.want {
			t.Errorf("%s = %.3f, want at least %.2f", c.name, c.got, c.want)
		}
	}
}

func compare(t *testing.T, g *goldFile, got *content.Issue) score {
	var s score
	var want []goldItem
	var items []content.Item
	var headings, gotHeadings []string
	for _, section := range g.Sections {
		want = append(want, section.Items...)
		if section.Level > 0 {
			headings = append(headings, section.Heading)
		}
	}
	for _, section := range got.Sections {
		items = append(items, section.Items...)
		if section.Level > 0 {
			gotHeadings = append(gotHeadings, section.Heading)
		}
	}
	s.lenient = matchItems(t, g.File, want, items, (*goldItem).lenient, true)
	s.strict = matchItems(t, g.File, want, items, (*goldItem).strict, false)
	s.headings = matchHeadings(t, g, headings, gotHeadings)
	for _, not := range g.NotItems {
		for k := range items {
			if n := normTitle(not); n != "" && strings.HasPrefix(normTitle(items[k].Title), n) {
				t.Logf("    %s:%d: must not be an item: %s", g.File, items[k].Line, items[k].Title)
			}
		}
	}
	s.metaRight, s.metaAll = compareMeta(t, g, got)
	return s
}

func matchItems(t *testing.T, file string, want []goldItem, items []content.Item, match func(*goldItem, *content.Item) bool, verbose bool) tally {
	used := make([]bool, len(items))
	var s tally
	var subs []goldItem
	for _, optional := range []bool{false, true} {
		for k := range want {
			w := &want[k]
			subs = append(subs, w.Sub...)
			if w.Optional != optional {
				continue
			}
			if !optional {
				s.required++
			}
			found := -1
			for j := range items {
				if !used[j] && match(w, &items[j]) && (found < 0 || abs(items[j].Line-w.Line) < abs(items[found].Line-w.Line)) {
					found = j
				}
			}
			switch {
			case found >= 0 && !optional:
				used[found] = true
				s.matched++
				s.emitted++
			case found >= 0:
				used[found] = true
			case !optional && verbose:
				t.Logf("    %s:%d: missing %q %s", file, w.Line, w.Title, show(w.URL))
			}
		}
	}
	for j := range items {
		if used[j] {
			continue
		}
		if slices.ContainsFunc(subs, func(g goldItem) bool { return match(&g, &items[j]) || (&g).lenient(&items[j]) }) {
			continue
		}
		if slices.ContainsFunc(want, func(g goldItem) bool { return g.Optional && (&g).lenient(&items[j]) }) {
			continue
		}
		s.emitted++
		t.Logf("    %s:%d: %s %q %s", file, items[j].Line, map[bool]string{true: "not wanted", false: "not strict"}[verbose], items[j].Title, items[j].URL)
	}
	return s
}

func abs(n int) int { return max(n, -n) }

func show(s *string) string {
	if s == nil {
		return "(no url)"
	}
	return *s
}

func matchHeadings(t *testing.T, g *goldFile, want, got []string) tally {
	s := tally{required: len(want), emitted: len(got)}
	rest := slices.Clone(got)
	for _, w := range want {
		alts := []string{w}
		for _, section := range g.Sections {
			if section.Heading == w {
				alts = append(alts, section.HeadingAlt...)
			}
		}
		k := slices.IndexFunc(rest, func(h string) bool {
			return slices.ContainsFunc(alts, func(a string) bool { return normTitle(a) == normTitle(h) })
		})
		if k < 0 {
			t.Logf("    %s: missing heading %q", g.File, w)
			continue
		}
		s.matched++
		rest = slices.Delete(rest, k, k+1)
	}
	for _, h := range rest {
		t.Logf("    %s: heading not wanted %q", g.File, h)
	}
	return s
}

func compareMeta(t *testing.T, g *goldFile, got *content.Issue) (right, all int) {
	number := "null"
	if got.Number != nil {
		number = fmt.Sprint(*got.Number)
	}
	quote := func(s string) string {
		if s == "" {
			return "null"
		}
		b, _ := json.Marshal(s)
		return string(b)
	}
	quotes := func(l []string) string {
		if l == nil {
			l = []string{}
		}
		b, _ := json.Marshal(l)
		return string(b)
	}
	for field, have := range map[string]string{
		"title": quote(got.Title), "number": number, "date": quote(got.Date), "authors": quotes(got.Authors),
		"editors": quotes(got.Editors), "summary": quote(got.Summary), "tags": quotes(got.Tags), "categories": quotes(got.Categories),
	} {
		all++
		wants := []json.RawMessage{g.Meta[field]}
		var alts []json.RawMessage
		if json.Unmarshal(g.Meta[field+"_alt"], &alts) == nil {
			wants = append(wants, alts...)
		}
		var haveValue any
		_ = json.Unmarshal([]byte(have), &haveValue)
		ok := slices.ContainsFunc(wants, func(w json.RawMessage) bool {
			var value any
			return json.Unmarshal(w, &value) == nil && fmt.Sprint(value) == fmt.Sprint(haveValue)
		})
		if ok {
			right++
		} else {
			t.Logf("    %s: %s = %s, want %s", g.File, field, have, wants[0])
		}
	}
	return right, all
}
