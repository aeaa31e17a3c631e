package words

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func tokens(s string) []string {
	var out []string
	All(s, func(t Token) { out = append(out, string(t.Text)) })
	return out
}

func TestScan(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Istio双栈 Istio", "istio 双 栈 istio"},
		{"K8s 1.25.3, v2.0.", "k8s 1.25.3 v2.0"},
		{"ｋ８ｓ　服务", "k8s 服 务"},
		{"C++ and C#, F#; a+b c#x", "c++ and c# f# a b c x"},
		{"Istio's don't", "istio dont"},
		{"riscv_ratified_v2 RISC-V", "riscv ratified v2 risc v"},
		{"see https://istio.io/docs?a=b，ok", "see ok"},
		{"参考http://a.b/istio文档 www.k8s.io/x y", "参 考 文 档 y"},
		{"Café ﬁle ①", "cafe file"},
		{"データベース", "デ ー タ ベ ー ス"},
		{"go1.22 python3.12, k8s1.30 v1.25 log4j2 swift5", "go 1.22 python 3.12 k8s1.30 v1.25 log4j2 swift5"},
		{".NET 8 and ASP.NET, std::net, 用.net做", ".net 8 and asp net std net 用 .net 做"},
		{"服務網格、雲原生", "服 务 网 格 云 原 生"},
		{"", ""},
	} {
		if got := strings.Join(tokens(c.in), " "); got != c.want {
			t.Errorf("tokens(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestBroken(t *testing.T) {
	for in, want := range map[string]bool{
		"service mesh": false, "service, mesh": true, "service-mesh": false, "service - mesh": true, "node.js": false,
		"service. mesh": true, "service）mesh": true, "ci/cd": false, "`a` b": false,
	} {
		var last bool
		All(in, func(tok Token) { last = tok.Broken })
		if last != want {
			t.Errorf("%q: broken = %v, want %v", in, last, want)
		}
	}
}

// TestTraditional reads the table as pairs: each character once, and no simplified one that is changed again.
func TestTraditional(t *testing.T) {
	runes := []rune(traditional)
	if len(runes)%2 != 0 {
		t.Fatal("a character without its pair")
	}
	for k := 0; k < len(runes); k += 2 {
		from, to := runes[k], runes[k+1]
		if from < hanBase || from > hanEnd || simplify(from) != to || simplify(to) != to {
			t.Errorf("%c to %c: simplify gives %c and %c", from, to, simplify(from), simplify(to))
		}
	}
	if !HasTraditional("a 網") || HasTraditional("a 网 é 〇") {
		t.Error("HasTraditional")
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{"Istio's 双栈 v1.2", "http://", "\xff\xfe", "a.b.1.2..3", "Ⅷ㎏ ﷺ", "’s", "c++#"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		last := 0
		All(s, func(tok Token) {
			if tok.Start < last || tok.End < tok.Start || tok.End > len(s) {
				t.Fatalf("token %d:%d after %d in %q", tok.Start, tok.End, last, s)
			}
			last = tok.End
			if utf8.ValidString(s) && !utf8.Valid(tok.Text) {
				t.Fatalf("invalid token %q in %q", tok.Text, s)
			}
		})
		if once := Fold(s); utf8.ValidString(s) && !slices.Equal(tokens(once), tokens(Fold(once))) {
			t.Fatalf("folding %q again changes %q", s, once)
		}
	})
}
