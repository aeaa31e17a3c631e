package parse

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// TestPhrases builds texts out of pieces of each expression: the quick look must never hide a match.
func TestPhrases(t *testing.T) {
	list := []phrase{metaHeadingRE, placeholderRE, aroundRE, askRE, callRE}
	for _, p := range rolePhrases {
		list = append(list, p.phrase)
	}
	words := regexp.MustCompile(`[\p{L}\d]+|[^\p{L}\d]`)
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range list {
		pieces := append(words.FindAllString(p.String(), -1), " ", " ", ":", "：", "by ", ".", "edited by ", "written by ", "K", "ſ", "x", "")
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
			quick := p.MatchString
			if !strings.HasPrefix(strings.TrimPrefix(p.String(), "(?i)"), "^") {
				quick = p.within
			}
			want := p.Regexp.MatchString(s)
			if want {
				matches++
			}
			if got := quick(s); got != want {
				t.Fatalf("%q: %v, want %v, in %.60s", s, got, want, p.String())
			}
		}
		if matches < 20 {
			t.Errorf("only %d matches of %.60s", matches, p.String())
		}
	}
}

// TestPhrasesAreQuick: the quick look turns common words away.
func TestPhrasesAreQuick(t *testing.T) {
	passed, asked := 0, 0
	for _, s := range []string{"Kubernetes 1.30", "本文介绍如何在生产环境", "A quick brown fox", "Improving caches", "Release", "社区动态", "新版本", "云原生"} {
		for _, p := range []phrase{metaHeadingRE, placeholderRE, aroundRE, callRE} {
			if asked++; p.starts.may(s) {
				passed++
			}
		}
	}
	if passed*4 > asked {
		t.Errorf("%d of %d common beginnings pass", passed, asked)
	}
}
