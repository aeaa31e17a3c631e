package main

import (
	"strings"

	"weeklybot/content"
)

// oracle knows by reading every item which of them hold all words of a query: Latin words as whole words, Chinese ones anywhere.
type oracle struct {
	ids   []string
	texts []string // lower-cased heading, title and text
}

func newOracle(issues []*content.Issue) *oracle {
	o := &oracle{}
	for _, i := range issues {
		for s := range i.Sections {
			for k := range i.Sections[s].Items {
				it := &i.Sections[s].Items[k]
				o.ids = append(o.ids, it.ID)
				o.texts = append(o.texts, strings.ToLower(i.Sections[s].Heading+"\n"+it.FullText()))
			}
		}
	}
	return o
}

func (o *oracle) find(text string) map[string]bool {
	out := map[string]bool{}
	wanted := strings.Fields(strings.ToLower(text))
docs:
	for k, t := range o.texts {
		for _, w := range wanted {
			if !holds(t, w) {
				continue docs
			}
		}
		out[o.ids[k]] = true
	}
	return out
}

func holds(text, word string) bool {
	for from := 0; ; {
		at := strings.Index(text[from:], word)
		if at < 0 {
			return false
		}
		at += from
		from = at + len(word)
		if word[0] >= 0x80 || (at == 0 || !latin(text[at-1])) && (from == len(text) || !latin(text[from])) {
			return true
		}
	}
}

func latin(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// mostFound is the size of the largest answer that is compared whole; it is the most that the index of the bot gives.
const mostFound = 1000

// asked are n queries that have answers, not more than mostFound: of one seldom word, and of two or three words of one theme.
func (o *oracle) asked(n int) map[string]map[string]bool {
	m := newMaker(3)
	out := map[string]map[string]bool{}
	for len(out) < n {
		seldom := m.en.list
		if m.rand.IntN(2) == 0 {
			seldom = m.zh.list
		}
		for _, query := range append(m.ask(2), seldom[functional+m.rand.IntN(len(seldom)-functional)]) {
			if found := o.find(query); len(found) > 0 && len(found) <= mostFound {
				out[query] = found
			}
		}
	}
	return out
}

// recall is the share of all right answers that e gives.
func recall(e engine, asked map[string]map[string]bool) (float64, error) {
	sum := 0.0
	for query, want := range asked {
		ids, _, err := e.search(query, mostFound)
		if err != nil {
			return 0, err
		}
		found := 0
		for _, id := range ids {
			if want[id] {
				found++
			}
		}
		sum += float64(found) / float64(len(want))
	}
	return sum / float64(len(asked)), nil
}
