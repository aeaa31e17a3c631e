package index

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"weeklybot/content"
	"weeklybot/internal/needs"
)

// knownItem is a query for one item that somebody remembers; an empty file when there is none.
type knownItem struct {
	query string
	file  string
	line  int
}

func knownItems(t *testing.T) (out []knownItem) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "known_items.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		query, place, ok := strings.Cut(s.Text(), "\t")
		if !ok {
			continue // a comment
		}
		k := knownItem{query: query}
		if place != "-" {
			at := strings.LastIndexByte(place, ':')
			k.file = place[:at]
			if k.line, err = strconv.Atoi(place[at+1:]); err != nil {
				t.Fatalf("%q: %v", s.Text(), err)
			}
		}
		out = append(out, k)
	}
	return out
}

func (k *knownItem) is(h content.Hit) bool {
	if h.Issue.Source == k.file && h.Item.Line == k.line {
		return true
	}
	for _, r := range h.Also {
		if r.Issue.Source == k.file && r.Item.Line == k.line {
			return true
		}
	}
	return false
}

// TestKnownItems asks for remembered items among all newsletters there are. Not all are found: some queries use words that their item does
// not. The shares are what is reached; less is a loss.
func TestKnownItems(t *testing.T) {
	x := Build(corpus(t, needs.Shared(t)), content.DefaultTopics())
	asked, first, ten, reciprocal := 0, 0, 0, 0.0
	for _, k := range knownItems(t) {
		res := x.Search(content.Query{Text: k.query})
		if k.file == "" {
			if len(res.Hits) > 0 || len(res.Near) == 0 {
				t.Errorf("%q: %d hits, near %q; want none, and topics", k.query, len(res.Hits), res.Near)
			}
			continue
		}
		asked++
		place := 0
		for n, h := range res.Hits {
			if k.is(h) {
				place = n + 1
				break
			}
		}
		if place == 1 {
			first++
		}
		if place > 0 && place <= 10 {
			ten++
		}
		if place > 0 {
			reciprocal += 1 / float64(place)
		}
		if place != 1 {
			t.Logf("%q: place %d of %d", k.query, place, res.Total)
		}
	}
	t.Logf("%d queries: %d at place 1, %d among the first ten, mean reciprocal rank %.3f", asked, first, ten, reciprocal/float64(asked))
	if ten < asked*9/10 || first < asked*6/10 {
		t.Errorf("%d of %d at place 1, %d among the first ten", first, asked, ten)
	}
}
