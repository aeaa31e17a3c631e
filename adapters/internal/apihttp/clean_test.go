package apihttp

import (
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestCleanText(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "周报 weekly", "周报 weekly"},
		{"white space", "  a\t\n b\u3000c\u00a0 ", "a b c"},
		{"control", "a\x1b[31mb\x00c\x7f\u009b", "a[31mbc"},
		{"bidi", "a\u202egpj.exe\u202c \u2066b\u2069\u200f", "agpj.exe b"},
		{"zero width", "@\u200ball a\u2060b\ufeffc\u00ad", "@all abc"},
		{"tags", "a\U000e0041\U000e007fb", "ab"},
		{"fillers", "a\u3164\uffa0b", "ab"},
		{"joiner in emoji", "👩‍💻 ❤️‍🔥 👩🏽‍💻", "👩‍💻 ❤️‍🔥 👩🏽‍💻"},
		{"joiner elsewhere", "a\u200db 周\u200d报 👩\u200d 👩 \u200d💻", "ab 周报 👩 👩 💻"},
		{"invalid UTF-8", "a\xff\xe5\x91b", "ab"},
		{"replacement character", "a\ufffdb", "a\ufffdb"},
		{"line separators", "a\u2028b\u0085c", "a b c"},
	} {
		if got := CleanText(c.in); got != c.want {
			t.Errorf("%s: CleanText(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

func TestCleanLines(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a\nb", "a\nb"},
		{"\n a \r\n\t b\r\n\r\n\r\n\nc\u2028d\n", "a\nb\n\nc\nd"},
		{"a \u200b\n\x1b b", "a\nb"},
		{"\n\n", ""},
	} {
		if got := CleanLines(c.in); got != c.want {
			t.Errorf("CleanLines(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestCleanURL(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "https://example.org/a?b=c&d=e#f", "https://example.org/a?b=c&d=e#f"},
		{"upper case scheme", "HTTPS://Example.org", "HTTPS://Example.org"},
		{"Chinese path", "https://example.org/双栈", "https://example.org/双栈"},
		{"markup", `https://example.org/a(b)|<c>"d`, "https://example.org/a%28b%29%7C%3Cc%3E%22d"},
		{"space and line end", " https://example.org/a b\nc ", "https://example.org/a%20b%0Ac"},
		{"bidi", "https://example.org/\u202etxt", "https://example.org/%E2%80%AEtxt"},
		{"lonely percent", "https://example.org/100%?q=%zz%20", "https://example.org/100%25?q=%25zz%20"},
		{"invalid UTF-8", "https://example.org/\xff", "https://example.org/%FF"},
		{"brackets", "https://[::1]:80/a[1]", "https://[::1]:80/a%5B1%5D"},
		{"backslash and backtick", "https://example.org/\\`", "https://example.org/%5C%60"},
		{"mail", "mailto:a@example.org", "mailto:a@example.org"},
		{"script", "javascript:alert(1)", ""},
		{"script behind white space", "\u0001 java\nscript:alert(1)", ""},
		{"data", "data:text/html,x", ""},
		{"file", "file:///etc/passwd", ""},
		{"relative", "/a/b", ""},
		{"no scheme", "//example.org/a", ""},
		{"no host", "https:///a", ""},
		{"user name", "https://bank.example@evil.example/", ""},
		{"markup in host", "https://a|b>.example/", ""},
		{"too long", "https://example.org/" + strings.Repeat("a", 200), ""},
		{"too long once encoded", "https://example.org/" + strings.Repeat("|", 50), ""},
	} {
		if got := CleanURL(c.in, 128); got != c.want {
			t.Errorf("%s: CleanURL(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
	if long := "https://example.org/" + strings.Repeat("a", 5000); CleanURL(long, 0) != long {
		t.Error("CleanURL with max 0 shortened or refused a long URL")
	}
}

func FuzzCleanText(f *testing.F) {
	for _, s := range []string{"a\u202eb", "👩‍💻", "a \u200d💻", "\r\n\n\n x\xff", "👩\u200d\u200b💻", "\u2028\u3164@all"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		line, lines := CleanText(s), CleanLines(s)
		for _, got := range []string{line, lines} {
			if !utf8.ValidString(got) {
				t.Errorf("%q: invalid UTF-8", got)
			}
			if len(got) > len(s) {
				t.Errorf("%q grew to %q", s, got)
			}
			for _, r := range got {
				if r != zwj && r != '\n' && !visible(r) {
					t.Errorf("%q holds %U", got, r)
				}
			}
		}
		if strings.Contains(line, "\n") || strings.Contains(lines, "\n\n\n") {
			t.Errorf("line ends left: %q, %q", line, lines)
		}
		if CleanText(line) != line || CleanLines(lines) != lines {
			t.Errorf("cleaning twice changes %q or %q", line, lines)
		}
		if squeeze(line) != squeeze(lines) && !strings.ContainsRune(s, zwj) {
			t.Errorf("CleanText and CleanLines differ: %q, %q", line, lines)
		}
	})
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

func FuzzCleanURL(f *testing.F) {
	for _, s := range []string{"https://example.org/a(b)|c", "javascript:x", "https://a%zz", "mailto:a@b|c", "http://[::1]/[", "https://x/\u202e\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := CleanURL(s, 300)
		if got == "" {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "mailto" {
			t.Errorf("CleanURL(%q) = %q: %v", s, got, err)
		}
		if len(got) > 300 || !utf8.ValidString(got) || strings.ContainsAny(got, "<>\"()|\\`") || strings.ContainsFunc(got, unicode.IsSpace) ||
			strings.ContainsFunc(got, func(r rune) bool { return !visible(r) }) {
			t.Errorf("CleanURL(%q) = %q holds what it must not", s, got)
		}
		if again := CleanURL(got, 300); again != got {
			t.Errorf("cleaning %q twice gives %q", got, again)
		}
	})
}
