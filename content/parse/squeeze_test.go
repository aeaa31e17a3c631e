package parse

import (
	"strings"
	"testing"
)

// slowSqueeze says what squeeze does, a character at a time.
func slowSqueeze(s string) string {
	var b strings.Builder
	var before rune
	blank, newline := false, false
	for _, r := range s {
		if isBlank(r) {
			blank, newline = true, newline || r == '\n'
			continue
		}
		if isInvisible(r) {
			continue
		}
		if blank && b.Len() > 0 && !(newline && isEast(before) && isEast(r)) {
			b.WriteByte(' ')
		}
		blank, newline = false, false
		b.WriteRune(r)
		before = r
	}
	return b.String()
}

func FuzzSqueeze(f *testing.F) {
	for _, s := range []string{"", "a b", " a  b ", "文字\n文字", "文字\nword", "\u200b a", "a\u200b b", "\u3000文\u3000", "a\u00a0\u00adb", "。\n\ufeff。", "a \u2060\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "\ufffd")
		if got, want := squeeze(s), slowSqueeze(s); got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	})
}
