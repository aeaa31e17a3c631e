// Package nearest finds the known words that a mistyped one is closest to. It is pure and safe for concurrent use.
package nearest

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxRunes is the longest word that is looked at, in code points: nobody mistypes more, and the cost grows with the square.
const maxRunes = 64

// Of returns at most limit of known that word may have meant, best first: those it begins, then those within an edit distance
// of a third of its length, as far as they are about as near as the best. Case does not count. It is empty when nothing is near.
func Of(word string, known []string, limit int) []string {
	type near struct {
		word     string
		distance int
	}
	w := []rune(strings.ToLower(word))
	if len(w) == 0 || len(w) > maxRunes {
		return nil
	}
	most := max(1, len(w)/3)
	var found []near
	for _, k := range known {
		lower := strings.ToLower(k)
		d := 0
		if len(w) < 2 || !strings.HasPrefix(lower, string(w)) {
			if n := utf8.RuneCountInString(lower); n > len(w)+most || n < len(w)-most || n == 1 {
				continue
			}
			if d = Distance(w, []rune(lower)); d > most {
				continue
			}
		}
		found = append(found, near{k, d})
	}
	slices.SortStableFunc(found, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var words []string
	for _, f := range found[:min(limit, len(found))] {
		if f.distance <= found[0].distance+1 {
			words = append(words, f.word)
		}
	}
	return words
}

// Distance counts the characters to insert, delete, replace or swap with their neighbour that turn a into b.
func Distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		row[0] = i + 1
		for j := range b {
			same := 1
			if a[i] == b[j] {
				same = 0
			}
			row[j+1] = min(last[j]+same, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
