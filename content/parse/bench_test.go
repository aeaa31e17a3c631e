package parse

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	{"mended", func(n int) string { return strings.Repeat(`[[a\] (http`, n/11) }},
}

var sizes = []struct {
	name  string
	bytes int
}{{"10kB", 10_000}, {"100kB", 100_000}, {"1MB", 1_000_000}}

// joined is about n bytes of the issues below dir: one of each folder in turn, whole.
func joined(dir string, n int) string {
	folders := map[string][]string{}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && IsIssueFile(path) && !strings.Contains(path, "/licenses/") {
			folders[filepath.Dir(path)] = append(folders[filepath.Dir(path)], path)
		}
		return nil
	})
	var all strings.Builder
	for k, more := 0, true; more && all.Len() < n; k++ {
		more = false
		for _, folder := range slices.Sorted(maps.Keys(folders)) {
			if files := folders[folder]; k < len(files) && all.Len() < n {
				data, _ := os.ReadFile(files[k])
				all.Write(data)
				more = true
			}
		}
	}
	return all.String()
}

// BenchmarkParse measures Parse beside goldmark's own parse of the same bytes in the same run: of-goldmark is the ratio.
func BenchmarkParse(b *testing.B) {
	plain := goldmark.New().Parser()
	run := func(name, input string) {
		b.Run(name, func(b *testing.B) {
			data := []byte(input)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			ours, theirs := time.Hour, time.Hour // the best of each: other work on the machine only ever adds
			for b.Loop() {
				start := time.Now()
				Parse("bench/1.md", data, Options{})
				ours = min(ours, time.Since(start))
				b.StopTimer()
				start = time.Now()
				plain.Parse(text.NewReader(data))
				theirs = min(theirs, time.Since(start))
				b.StartTimer()
			}
			b.ReportMetric(float64(ours)/float64(theirs), "of-goldmark")
		})
	}
	for _, size := range sizes {
		run(size.name, issueText(size.bytes))
	}
	if dir := os.Getenv("WEEKLYBOT_SHARED"); dir != "" {
		for _, size := range sizes {
			run("corpus/"+size.name, joined(filepath.Join(dir, "corpus"), size.bytes))
		}
		run("seeds", joined(filepath.Join(dir, "seeds"), 1_000_000))
	}
	for _, h := range hostile {
		run("hostile/"+h.name+"/100kB", h.text(100_000))
	}
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
