package content

import (
	"testing"
	"unicode/utf8"
)

func TestCanonicalURL(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{"https://example.org/a/b/", "https://example.org/a/b"},
		{"http://www.Example.org:80/a/b", "https://example.org/a/b"},
		{"https://example.org", "https://example.org"},
		{"https://example.org/?utm_source=x&utm_medium=y", "https://example.org"},
		{"https://example.org/a?b=2&a=1&fbclid=zz", "https://example.org/a?a=1&b=2"},
		{"https://example.org/a#part-2", "https://example.org/a"},
		{"https://example.org/#/post/12/", "https://example.org#/post/12"},
		{"https://mp.weixin.qq.com/s?__biz=MzA&mid=1&idx=2&sn=ab&chksm=ff&scene=21#wechat_redirect",
			"https://mp.weixin.qq.com/s?__biz=MzA&idx=2&mid=1&sn=ab"},
		{"https://example.org/周报/第1期", "https://example.org/%E5%91%A8%E6%8A%A5/%E7%AC%AC1%E6%9C%9F"},
		{"https://example.org/%e5%91%a8%e6%8a%a5", "https://example.org/%E5%91%A8%E6%8A%A5"},
		{"https://example.org/100%/x", "https://example.org/100%/x"},
		{"https://user:pw@example.org/x", "https://example.org/x"},
		{"  HTTPS://EXAMPLE.org/X  ", "https://example.org/X"},
		{"mailto:a@example.org", ""}, {"/relative/path", ""}, {"", ""}, {"https://", ""}, {"javascript:alert(1)//https://x.org", ""},
	} {
		if got := CanonicalURL(c.raw); got != c.want {
			t.Errorf("CanonicalURL(%q) = %q, want %q", c.raw, got, c.want)
		}
	}
}

func FuzzCanonicalURL(f *testing.F) {
	f.Add("https://www.example.org/a/?utm_source=1&b=%20#/x")
	f.Add("http://www.www.example.org.//")
	f.Fuzz(func(t *testing.T, raw string) {
		if !utf8.ValidString(raw) {
			t.Skip()
		}
		once := CanonicalURL(raw)
		if again := CanonicalURL(once); CanonicalURL(again) != again {
			t.Errorf("CanonicalURL(%q) = %q does not settle: %q, %q", raw, once, again, CanonicalURL(again))
		}
	})
}
