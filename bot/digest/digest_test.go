package digest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weeklybot/bot"
	"weeklybot/content"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// show is a message as text, one block a paragraph, to be read by people.
func show(m bot.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n(%s; %s)\n", m.Title, m.Notice, m.Lang)
	for _, k := range m.Blocks {
		switch k.Kind {
		case bot.BlockHeading:
			fmt.Fprintf(&b, "\n## %s\n", k.Text)
		case bot.BlockItem:
			indent := strings.Repeat("    ", k.Level)
			fmt.Fprintf(&b, "%s- %s", indent, k.Title)
			if k.URL != "" {
				fmt.Fprintf(&b, " <%s>", k.URL)
			}
			b.WriteByte('\n')
			for line := range strings.Lines(k.Text) {
				fmt.Fprintf(&b, "%s  %s\n", indent, strings.TrimSpace(line))
			}
		case bot.BlockDivider:
			b.WriteString("\n----\n")
		case bot.BlockNote:
			fmt.Fprintf(&b, "[%s]\n", k.Text)
		default:
			fmt.Fprintf(&b, "%s\n", k.Text)
		}
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func number(n int) *int { return &n }

func item(title, path, text string, nested ...content.Item) content.Item {
	return content.Item{ID: "id-" + title, Title: title, URL: "https://example.org/" + path, Text: text, Items: nested}
}

func section(heading string, items ...content.Item) content.Section {
	return content.Section{Heading: heading, Level: 2, Kind: content.SectionNews, Items: items}
}

// library holds two newsletters and a growing page.
func library() *content.Library {
	twelve := &content.Issue{
		Source: "clouds/12.md", Series: "clouds", Kind: content.KindIssue, Title: "云上周刊 第 12 期", Number: number(12), Date: "2026-11-16", Lang: "zh",
		Summary: "这一期讲 eBPF 与网关。还有两个版本发布。第三句不该出现。",
		Sections: []content.Section{
			section("业界要闻",
				item("网关大会开放报名", "meet", "大会将于明年三月举行。早鸟票只卖两周。"),
				content.Item{ID: "id-tagged", Title: "内核 6.19 合入了新的验证器", URL: "https://example.org/verifier", Tags: []string{"重要"}, By: "林晓",
					Text: "eBPF 程序的校验时间缩短了一半，\n复杂程序受益最大。升级前请先看兼容说明。"}),
			section("上游重要进展"),
			{Heading: "Mesh 项目", Level: 3, Path: []string{"云上周刊 第 12 期", "上游重要进展"}, Kind: content.SectionNews, Items: []content.Item{
				item("Harbour Mesh 2.4", "mesh", "", item("热重启不再断开长连接", "mesh/1", "默认打开。"), item("WASM 插件有了内存上限", "mesh/2", "")),
				{ID: "id-plain", Text: "没有标题的一条，只有一句话。后面还有一句。"},
			}},
			{Heading: "关于我们", Level: 2, Kind: content.SectionMeta, Items: []content.Item{item("关注公众号", "follow", "")}},
		},
	}
	eleven := &content.Issue{
		Source: "clouds/11.md", Series: "clouds", Kind: content.KindIssue, Title: "云上周刊 第 11 期", Number: number(11), Date: "2026-11-09", Lang: "zh",
		Sections: []content.Section{section("文章", item("用 Wasm 写网关插件", "wasm", "从零到一。"))},
	}
	kernel := &content.Issue{
		Source: "kernel/2026-11-15.md", Series: "kernel-notes", Kind: content.KindIssue, Title: "Week ending November 15", Date: "2026-11-15", Lang: "en",
		Summary: "A quiet week, e.g. no release. Reviews go on.",
		Sections: []content.Section{
			section("", item("Merge window closes", "merge", "Version 6.20-rc1 is out, see v6.20 notes. Test it.")),
			section("Patches", item("BPF arenas grow", "arena", "Arenas may now hold 4 GiB. They start small."), item("A fix for uprobes", "uprobes", "No more crashes.")),
		},
	}
	page := &content.Issue{Source: "hot/hot.md", Series: "hot", Kind: content.KindHotTopics, Title: "前沿热点", Lang: "zh", Sections: []content.Section{section("")}}
	for k := range 15 {
		page.Sections[0].Items = append(page.Sections[0].Items, item(fmt.Sprintf("热点 %d", k+1), fmt.Sprintf("hot/%d", k+1), "一句话说明。"))
	}
	empty := &content.Issue{Source: "clouds/13.md", Series: "clouds", Kind: content.KindIssue, Number: number(13), Date: "2026-11-20", Sections: []content.Section{section("文章")}}
	return content.NewLibrary([]*content.Issue{twelve, eleven, kernel, page, empty}, content.DefaultTopics())
}

func catalogue() []bot.Entry {
	return []bot.Entry{
		{Seq: 1, Key: "hot/page/hot.md", Series: "hot", Back: true},
		{Seq: 2, Key: "clouds/#11", Series: "clouds", Back: true},
		{Seq: 3, Key: "kernel-notes/2026-11-15", Series: "kernel-notes"},
		{Seq: 4, Key: "clouds/#12", Series: "clouds"},
		{Seq: 5, Key: "hot/page/hot.md", Series: "hot", Items: []string{"id-热点 15"}},
		{Seq: 6, Key: "hot/page/hot.md", Series: "hot", Items: []string{"id-热点 14", "id-热点 3"}},
		{Seq: 7, Key: "gone/#1", Series: "gone"},
	}
}

func TestCompose(t *testing.T) {
	for _, c := range []struct {
		name   string
		recipe bot.Recipe
		items  int
	}{
		{"one_headlines_zh", bot.Recipe{From: 3, Upto: 4, Style: bot.StyleHeadlines, Lang: "zh"}, 4},
		{"one_brief_zh", bot.Recipe{From: 3, Upto: 4, Style: bot.StyleBrief, Lang: "zh"}, 4},
		{"one_full_zh", bot.Recipe{From: 3, Upto: 4, Style: bot.StyleFull, Lang: "zh"}, 4},
		{"one_full_en", bot.Recipe{From: 2, Upto: 3, Style: bot.StyleFull, Lang: "en"}, 3},
		{"several_brief_en", bot.Recipe{From: 2, Upto: 7, Style: bot.StyleBrief, Lang: "en"}, 10},
		{"several_three_items_zh", bot.Recipe{From: 2, Upto: 7, Style: bot.StyleHeadlines, Lang: "zh", MaxItems: 3}, 3},
		{"one_spread_zh", bot.Recipe{From: 3, Upto: 4, Style: bot.StyleHeadlines, Lang: "zh", MaxItems: 3}, 3},
		{"topics_brief_zh", bot.Recipe{From: 2, Upto: 7, Style: bot.StyleBrief, Lang: "zh", Topics: []string{"ebpf"}}, 2},
		{"page_grows_zh", bot.Recipe{From: 4, Upto: 6, Style: bot.StyleBrief, Lang: "zh"}, 3},
		{"first_headlines_en", bot.Recipe{From: 7, Upto: 7, First: true, Style: bot.StyleHeadlines, Lang: "en"}, 17},
		{"first_wasm_zh", bot.Recipe{From: 7, Upto: 7, First: true, Topics: []string{"webassembly"}, Series: []string{"clouds"}, Style: bot.StyleBrief, Lang: "zh"}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg, items := Compose(c.recipe, catalogue(), library(), content.DefaultTopics())
			if items != c.items {
				t.Errorf("%d items, want %d", items, c.items)
			}
			golden(t, c.name, show(msg))
		})
	}
}

func TestComposeNothing(t *testing.T) {
	for name, r := range map[string]bot.Recipe{
		"nothing new":     {From: 7, Upto: 7},
		"only back":       {From: 0, Upto: 2},
		"other series":    {From: 0, Upto: 7, Series: []string{"nobody"}},
		"other topics":    {From: 0, Upto: 7, Topics: []string{"quantum"}},
		"first, no topic": {From: 7, Upto: 7, First: true, Topics: []string{"quantum"}},
		"gone":            {From: 6, Upto: 7},
	} {
		if msg, items := Compose(r, catalogue(), library(), nil); items != 0 || len(msg.Blocks) != 0 {
			t.Errorf("%s: %d items:\n%s", name, items, show(msg))
		}
	}
	if got := Missing(bot.Recipe{From: 2, Upto: 7}, catalogue(), library()); !slices.Equal(got, []string{"gone/#1"}) {
		t.Errorf("Missing = %q", got)
	}
}

// A first digest that is composed late holds what it would have held on time: the rest comes with the next one.
func TestFirstDigestComposedLate(t *testing.T) {
	onTime := bot.Recipe{From: 2, Upto: 2, First: true, Style: bot.StyleHeadlines, Lang: "zh"}
	msg, _ := Compose(onTime, catalogue(), library(), nil)
	got := show(msg)
	for _, want := range []string{"用 Wasm 写网关插件", "热点 1", "热点 11"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	for _, later := range []string{"网关大会开放报名", "Merge window closes", "热点 14", "热点 3\n"} {
		if strings.Contains(got, later) {
			t.Errorf("%q was published later and is in:\n%s", later, got)
		}
	}
}

func TestIssueAlone(t *testing.T) {
	lib := library()
	golden(t, "issue_full_zh", show(Issue(lib.Issue("clouds/#12"), bot.StyleFull, "zh", 0)))
	golden(t, "issue_two_en", show(Issue(lib.Issue("kernel-notes/2026-11-15"), bot.StyleBrief, "en", 2)))
}

// Whatever the limit, the items shown and the items said to be left are all the items there are, each shown once and in order.
func TestSpreadLosesNothing(t *testing.T) {
	lib := library()
	for limit := range 20 {
		all, total := Compose(bot.Recipe{From: 2, Upto: 7, Style: bot.StyleHeadlines}, catalogue(), lib, nil)
		msg, items := Compose(bot.Recipe{From: 2, Upto: 7, Style: bot.StyleHeadlines, MaxItems: limit}, catalogue(), lib, nil)
		left, at := 0, 0
		for _, b := range msg.Blocks {
			var n int
			if _, err := fmt.Sscanf(b.Text, "还有 %d 条", &n); err == nil {
				left += n
			}
			if b.Kind == bot.BlockItem {
				for at < len(all.Blocks) && !cmp.Equal(all.Blocks[at], b) {
					at++
				}
				if at++; at > len(all.Blocks) {
					t.Fatalf("limit %d: %q is out of order or repeated", limit, b.Title)
				}
			}
		}
		if items+left != total || limit > 0 && items > limit {
			t.Errorf("limit %d: %d items and %d said to be left, of %d", limit, items, left, total)
		}
	}
}

func TestKey(t *testing.T) {
	r := bot.Recipe{From: 1, Upto: 9, Series: []string{"b", "a"}, Topics: []string{"ebpf"}, Style: bot.StyleBrief, Lang: "zh"}
	same := r
	same.Series = []string{"a", "b", "a"}
	if Key(r) != Key(same) {
		t.Error("the order of series changes the key")
	}
	if r.Series[0] != "b" {
		t.Error("Key changed its argument")
	}
	keys := map[string]bool{Key(r): true}
	for _, change := range []func(*bot.Recipe){
		func(r *bot.Recipe) { r.From++ }, func(r *bot.Recipe) { r.Upto++ }, func(r *bot.Recipe) { r.First = true },
		func(r *bot.Recipe) { r.Series = nil }, func(r *bot.Recipe) { r.Topics = nil }, func(r *bot.Recipe) { r.Style = bot.StyleFull },
		func(r *bot.Recipe) { r.Lang = "en" }, func(r *bot.Recipe) { r.MaxItems = 1 },
	} {
		other := r
		change(&other)
		keys[Key(other)] = true
	}
	if len(keys) != 9 {
		t.Errorf("%d keys for 9 recipes", len(keys))
	}
	if got, want := Key(bot.Recipe{}), "44207d30d28a70f27acf2e9b550e6689"; got != want {
		t.Errorf("Key of the zero recipe changed from %s to %s: raise layout only when messages change", want, got)
	}
}

func TestSentences(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"大会开放报名。早鸟票只卖两周。", 1, "大会开放报名。"},
		{"大会开放报名。早鸟票只卖两周。", 2, "大会开放报名。早鸟票只卖两周。"},
		{"Version v1.2 is out. Get it.", 1, "Version v1.2 is out."},
		{"Use a proxy, e.g. Envoy, i.e. the usual one. Then rest.", 1, "Use a proxy, e.g. Envoy, i.e. the usual one."},
		{"Use a proxy (e.g. Envoy). Then rest.", 1, "Use a proxy (e.g. Envoy)."},
		{"See Node.js and .NET 9. More.", 1, "See Node.js and .NET 9."},
		{"Dr. Who spoke in the U.S. The hall was full.", 1, "Dr. Who spoke in the U.S."},
		{"1. First point. 2. Second point.", 1, "1. First point."},
		{"Read https://example.org/a.b?c=d.e now. Then go.", 1, "Read https://example.org/a.b?c=d.e now."},
		{"他说：“好的。”然后走了。", 1, "他说：“好的。”"},
		{"She said \"yes.\" Then left.", 1, "She said \"yes.\""},
		{"Really?! Yes.", 1, "Really?!"},
		{`这是一个错误。"YYYY" 是年份。`, 1, `这是一个错误。`}, {`他说"好的。"然后走了。`, 1, `他说"好的。"`}, {`"Go." "No."`, 1, `"Go."`},
		{"What... no end", 1, "What..."},
		{"校验时间缩短了一半，\n复杂程序受益最大。升级前请看说明。", 1, "校验时间缩短了一半，复杂程序受益最大。"},
		{"a line that\ngoes on here. And more", 1, "a line that goes on here."},
		{"第一行没有句号\n第二行", 1, "第一行没有句号"},
		{"没有句号", 3, "没有句号"}, {"", 2, ""}, {"  \n ", 1, ""}, {"。。。", 1, "。。。"}, {"A. B. Yehoshua wrote it. Good.", 1, "A. B. Yehoshua wrote it."},
		{"Tools, libs, etc. are new. More", 1, "Tools, libs, etc. are new."},
	} {
		if got := Sentences(c.text, c.n); got != c.want {
			t.Errorf("Sentences(%q, %d) = %q, want %q", c.text, c.n, got, c.want)
		}
	}
}

func TestBriefIsBounded(t *testing.T) {
	long := "这个方案" + strings.Repeat("把控制面和数据面分开部署，", 60) + "最后合在一起。"
	got := shorten(Sentences(long, 1))
	if width(got) > maxBriefColumns || !strings.HasSuffix(got, "部署…") {
		t.Errorf("%d columns: %q", width(got), got)
	}
}

func FuzzSentences(f *testing.F) {
	for _, s := range []string{"大会。报名。", "v1.2 e.g. x. Y", "a\nb\n\nC. d", "“。”)…", "\xff.\xfe x. Y", "1. 2. 3."} {
		f.Add(s, 1)
	}
	f.Fuzz(func(t *testing.T, s string, n int) {
		if !utf8.ValidString(s) || len(s) > 2000 {
			t.Skip()
		}
		n = 1 + n&3
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		got := Sentences(s, n)
		if !strings.HasPrefix(squeeze(s), squeeze(got)) {
			t.Fatalf("Sentences(%q, %d) = %q is not how it begins", s, n, got)
		}
		if strings.Contains(got, "\n") || got == "" && strings.TrimSpace(s) != "" {
			t.Fatalf("Sentences(%q, %d) = %q", s, n, got)
		}
		if all := Sentences(s, len(s)+1); squeeze(all) != squeeze(s) {
			t.Fatalf("all sentences of %q are %q", s, all)
		}
		if short := shorten(got); !strings.HasPrefix(got, strings.TrimSuffix(short, "…")) && short != got {
			t.Fatalf("shorten(%q) = %q", got, short)
		}
	})
}
