package parse

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/text"
)

// issueText is a newsletter of about n bytes: sections with link lists, headings as items with prose, nested lists and quotes.
func issueText(n int) string {
	var b strings.Builder
	b.WriteString("---\ntitle: 基准周报 第 9 期\ndate: 2024-03-03\ntags: [a, b]\n---\n\n")
	for k := 0; b.Len() < n; k++ {
		fmt.Fprintf(&b, "## 第 %d 节 News\n\n", k)
		for j := range 8 {
			fmt.Fprintf(&b, "- [**[标签] 标题 %d about caches and queues**](https://example.org/%d/%d)：正文说明这件事的来龙去脉，with some `code` and *emphasis*. [原文](https://example.org/o/%d)\n", j, k, j, j)
			fmt.Fprintf(&b, "  - nested entry %d with [a link](https://example.org/n/%d)\n", j, j)
		}
		fmt.Fprintf(&b, "\n### [Heading item %d](https://example.org/h/%d)\n\nA paragraph of prose that explains what the article says, 共两句话。第二句在这里, with **bold** words.\n\n> 由 [@someone](https://example.org/u) 推荐。\n\n", k, k)
	}
	return b.String()
}

// hostile are inputs that cost a naive parser the square of their length.
var hostile = []struct {
	name string
	text func(n int) string
}{
	{"brackets", func(n int) string { return strings.Repeat("[", n) }},
	{"closed-brackets", func(n int) string { return strings.Repeat("[", n/2) + strings.Repeat("]", n/2) }},
	{"open-links", func(n int) string { return strings.Repeat("[a](", n/4) }},
	{"quotes", func(n int) string { return strings.Repeat(">", n) }},
	{"quoted-lists", func(n int) string { return strings.Repeat("> - ", n/4) }},
	{"stars", func(n int) string { return strings.Repeat("*", n) }},
	{"emphasis", func(n int) string { return strings.Repeat("a_*b ", n/5) }},
	{"lists-by-tab", func(n int) string { return strings.Repeat("-\t", n/2) }},
	{"deep-list", func(n int) string {
		var b strings.Builder
		for k := 0; b.Len() < n; k++ {
			b.WriteString(strings.Repeat("  ", k) + "- a\n")
		}
		return b.String()
	}},
	{"back-ticks", func(n int) string {
		var b strings.Builder
		for k := 1; b.Len() < n; k++ {
			b.WriteString("e" + strings.Repeat("`", k))
		}
		return b.String()
	}},
	{"numbered-in-parts", func(n int) string { return "# a\n\n" + strings.Repeat("### 1.1 x\n\nhttps://a.example/b\n\n", n/32) }},
	{"notes", func(n int) string {
		return strings.Repeat("a[1]b ", n/12) + "\n" + strings.Repeat("[1] x https://a.example/b\n", n/52)
	}},
	{"texts-above-links", func(n int) string { return strings.Repeat("text\n\nhttps://a.example/b\n\n", n/27) }},
	{"other-markup", func(n int) string {
		return "\n== x\n" + strings.Repeat("[[https://a.example/b][c]] `d <https://e.example>`_ https://f.example[g ", n/70)
	}},
	{"wide-table", func(n int) string {
		return strings.Repeat("|a", n/40) + "\n" + strings.Repeat("|-", n/40) + "\n" + strings.Repeat("x\n", n*18/40)
	}},
	{"references", func(n int) string { return strings.Repeat("[a]: <b\n", n/8) }},
	{"definitions", func(n int) string {
		var b strings.Builder
		for k := 0; b.Len() < n; k++ {
			fmt.Fprintf(&b, "[a%d]: u\n", k)
		}
		return b.String()
	}},
	{"tags", func(n int) string { return strings.Repeat("<a ", n/3) }},
	{"comments", func(n int) string { return strings.Repeat("a <!-- ", n/7) }},
	{"templates", func(n int) string { return strings.Repeat("{{", n/2) }},
	{"urls", func(n int) string { return strings.Repeat("http://a", n/8) }},
	{"colons", func(n int) string { return strings.Repeat("://", n/3) }},
	{"bold-pieces", func(n int) string { return strings.Repeat("**a** ", n/6) }},
	{"bold-links", func(n int) string { return strings.Repeat("[**a**](https://b.cc/d)", n/23) }},
	{"code-lines", func(n int) string { return strings.Repeat("1、[a](https://b.cc/d)\n", n/24) }},
	{"html-lists", func(n int) string { return "<html>" + strings.Repeat("<ul><li>a", n/9) }},
	{"html-open", func(n int) string { return "<html><p>" + strings.Repeat("a <b", n/4) }},
	{"front-matter", func(n int) string { return "---\ntitle: " + strings.Repeat("[", n) + "\n---\n" }},
	{"emoji", func(n int) string { return strings.Repeat(":a:", n/3) }},
	{"headings", func(n int) string { return strings.Repeat("## a\n", n/5) }},
	{"one-line", func(n int) string { return "- [a](https://b.cc/d) " + strings.Repeat("words and 文字，", n/19) }},
	{"short-words", func(n int) string { return strings.Repeat("a.b ", n/4) }},
	{"footnotes", func(n int) string { return strings.Repeat("a[^1] b[^x]\n[^x]: http://c.dd\n", n/29) }},
	{"labels", func(n int) string { return strings.Repeat("**a:** [b](https://c.dd/e)\n\n", n/29) }},
	{"definition-lists", func(n int) string { return strings.Repeat("term\n: [a](https://b.cc/d)\n\n", n/31) }},
	{"marked-lines", func(n int) string { return strings.Repeat("● a [b](https://c.dd/e)\n", n/26) }},
	{"quotes-between", func(n int) string { return strings.Repeat("1. a\n> b\n", n/9) }},
	{"closing-links", func(n int) string { return strings.Repeat("a – [b.cc](https://b.cc) ", n/28) }},
	{"numbered-heads", func(n int) string {
		return strings.Repeat("head\n1、[a](https://b.cc/d)\n2、[a](https://b.cc/d)\n\n", n/58)
	}},
	{"single-headings", func(n int) string { return strings.Repeat("## a\n### b\ntext (https://b.cc/d)\n", n/35) }},
	{"tables", func(n int) string { return strings.Repeat("|a|b|\n|-|-|\n|x|http://c.dd|\n\n", n/34) }},
	{"mended", func(n int) string { return strings.Repeat(`[[a\] (http`, n/11) }},
}

var sizes = []struct {
	name  string
	bytes int
}{{"10kB", 10_000}, {"100kB", 100_000}, {"1MB", 1_000_000}}

// issuesBelow reads the issues below a folder.
func issuesBelow(tb testing.TB, dir string) map[string][]byte {
	issues := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && IsIssueFile(path) {
			issues[path], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil || len(issues) == 0 {
		tb.Fatalf("%d issues below %s: %v", len(issues), dir, err)
	}
	return issues
}

// BenchmarkParse measures Parse and goldmark's own parse of the same bytes in turns: of-goldmark is the ratio. Of each text and each side the
// best time counts, because other work on the machine only ever adds; a folder is the sum of its issues.
func BenchmarkParse(b *testing.B) {
	for _, size := range sizes {
		benchmarkIssues(b, size.name, map[string][]byte{"bench/1.md": []byte(issueText(size.bytes))})
	}
	if dir := os.Getenv("WEEKLYBOT_SHARED"); dir != "" {
		corpus := map[string][]byte{}
		folders, err := os.ReadDir(filepath.Join(dir, "corpus"))
		if err != nil {
			b.Fatal(err)
		}
		for _, folder := range folders {
			if !folder.IsDir() || folder.Name() == "gold" || folder.Name() == "licenses" {
				continue
			}
			issues := issuesBelow(b, filepath.Join(dir, "corpus", folder.Name()))
			maps.Copy(corpus, issues)
			benchmarkIssues(b, "corpus/"+folder.Name(), issues)
		}
		benchmarkIssues(b, "corpus/all", corpus)
		benchmarkIssues(b, "seeds", issuesBelow(b, filepath.Join(dir, "seeds")))
	}
	for _, h := range hostile {
		benchmarkIssues(b, "hostile/"+h.name+"/100kB", map[string][]byte{"bench/1.md": []byte(h.text(100_000))})
	}
}

func benchmarkIssues(b *testing.B, name string, issues map[string][]byte) {
	plain := goldmark.New().Parser()
	b.Run(name, func(b *testing.B) {
		ours, theirs := map[string]time.Duration{}, map[string]time.Duration{}
		for b.Loop() {
			for path, data := range issues {
				best(ours, path, func() { Parse(path, data, Options{}) })
				best(theirs, path, func() { plain.Parse(text.NewReader(data)) })
			}
		}
		b.ReportMetric(float64(sum(ours).Nanoseconds()), "ns/op") // instead of that of both
		b.ReportMetric(float64(sum(ours))/float64(sum(theirs)), "of-goldmark")
	})
}

// best keeps the least time that work took.
func best(times map[string]time.Duration, name string, work func()) {
	start := time.Now()
	work()
	took := time.Since(start)
	if before, ok := times[name]; !ok || took < before {
		times[name] = took
	}
}

func sum(times map[string]time.Duration) (total time.Duration) {
	for _, t := range times {
		total += t
	}
	return total
}

// BenchmarkGrowth shows that hostile inputs of ten times the length cost about ten times as much: the metric is time ÷ time at a tenth.
func BenchmarkGrowth(b *testing.B) {
	for _, h := range hostile {
		b.Run(h.name, func(b *testing.B) {
			small, big := []byte(h.text(100_000)), []byte(h.text(1_000_000))
			a, c := time.Hour, time.Hour
			for b.Loop() {
				start := time.Now()
				Parse("bench/1.md", small, Options{})
				a = min(a, time.Since(start))
				start = time.Now()
				Parse("bench/1.md", big, Options{})
				c = min(c, time.Since(start))
			}
			b.ReportMetric(float64(c)/float64(a), "x-for-10x")
		})
	}
}
