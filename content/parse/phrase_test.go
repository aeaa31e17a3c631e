package parse

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestPhrases builds texts out of pieces of each expression: the quick look must never hide a match.
func TestPhrases(t *testing.T) {
	list := []*phrase{metaHeadings, placeholders, around, calls}
	for _, p := range rolePhrases {
		list = append(list, p.phrase)
	}
	for _, p := range list {
		testPhrase(t, regexp.MustCompile(strings.Join(p.written, "|")), p.matches)
	}
	var exprs []string
	for _, written := range asks.written {
		expr := strings.TrimSuffix(strings.TrimPrefix(written, "(?i)^(?:"), ")")
		if expr[0] < utf8.RuneSelf {
			expr = `\b` + expr
		}
		exprs = append(exprs, expr)
	}
	testPhrase(t, regexp.MustCompile("(?i)"+strings.Join(exprs, "|")), asks.within)
}

func testPhrase(t *testing.T, expr *regexp.Regexp, quick func(string) bool) {
	t.Helper()
	words := regexp.MustCompile(`[\p{L}\d]+|[^\p{L}\d]`)
	pieces := append(words.FindAllString(expr.String(), -1), " ", " ", ":", "：", "by ", ".", "edited by ", "written by ", "K", "ſ", "x", "")
	r := rand.New(rand.NewPCG(1, 2))
	matches := 0
	for range 20_000 {
		var b strings.Builder
		for range 1 + r.IntN(5) {
			piece := pieces[r.IntN(len(pieces))]
			if r.IntN(4) == 0 {
				piece = strings.ToUpper(piece)
			}
			b.WriteString(piece)
		}
		s := b.String()
		want := expr.MatchString(s)
		if want {
			matches++
		}
		if got := quick(s); got != want {
			t.Fatalf("%q: %v, want %v, in %.60s", s, got, want, expr)
		}
	}
	if matches < 20 {
		t.Errorf("only %d matches of %.60s", matches, expr)
	}
}

// TestPhrasesAreQuick: the quick look turns common words away.
func TestPhrasesAreQuick(t *testing.T) {
	passed, asked := 0, 0
	for _, s := range []string{"Kubernetes 1.30", "本文介绍如何在生产环境", "A quick brown fox", "Improving caches", "Release", "社区动态", "新版本", "云原生"} {
		for _, p := range []*phrase{metaHeadings, placeholders, around, calls} {
			if asked++; p.may(s) != 0 {
				passed++
			}
		}
	}
	if passed*4 > asked {
		t.Errorf("%d of %d common beginnings pass", passed, asked)
	}
}

// TestPhrasesEndNear: words far behind the beginning of a text say nothing about it; news may begin with the same words.
func TestPhrasesEndNear(t *testing.T) {
	far := strings.Repeat(" and more words", 10)
	for _, c := range []struct {
		matches    func(string) bool
		begin, end string
	}{
		{isAround, "Thanks to Ann, Bob", " for the links"},
		{placeholders.matches, "No releases", " this week."},
		{placeholders.matches, "There were no proposals that", " were approved"},
	} {
		if s := c.begin + c.end; !c.matches(s) {
			t.Errorf("%q does not match", s)
		}
		if s := c.begin + far + c.end; c.matches(s) {
			t.Errorf("%q matches", s)
		}
	}
}
