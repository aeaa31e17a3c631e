package nearest

import (
	"slices"
	"testing"
)

func TestOf(t *testing.T) {
	commands := []string{"help", "hot", "search", "latest", "subscribe", "subscriptions", "unsubscribe", "热点", "订阅", "退订"}
	for _, c := range []struct {
		word string
		want []string
	}{
		{"serach", []string{"search"}},
		{"hto", []string{"hot"}},
		{"subscr", []string{"subscribe", "subscriptions"}},
		{"热门", []string{"热点"}},
		{"LATST", []string{"latest"}},
		{"zzz", nil},
		{"", nil},
		{"x", nil},
	} {
		if got := Of(c.word, commands, 2); !slices.Equal(got, c.want) {
			t.Errorf("Of(%q) = %q, want %q", c.word, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"周一", "周二", 1}} {
		if got := Distance([]rune(c.a), []rune(c.b)); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
