package parse

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"weeklybot/content"
	"weeklybot/internal/needs"
)

// TestCorpus parses every real issue. Each has items, except the templates that hold nothing but headings and quotes.
func TestCorpus(t *testing.T) {
	shared := needs.Shared(t)
	empty := []string{"ios-weekly/2026/#378-2026.08.31.md", "service-mesh-weekly/service-mesh-weekly-20190930-20191006.md"}
	issues, items := 0, 0
	for _, folder := range []string{"corpus", "seeds"} {
		root := filepath.Join(shared, folder)
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !IsIssueFile(path) || strings.Contains(path, "/licenses/") {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, _ := filepath.Rel(root, path)
			i := Parse(path, data, Options{})
			issues++
			items += i.ItemCount()
			if want := !slices.Contains(empty, name); (i.ItemCount() > 0) != want {
				t.Errorf("%s: %d items", name, i.ItemCount())
			}
			if folder == "corpus" && i.Series != strings.SplitN(name, "/", 2)[0] {
				t.Errorf("%s: series %q", name, i.Series)
			}
			if folder == "corpus" && i.Date == "" {
				t.Errorf("%s: no date", name)
			}
			check(t, i, data)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d issues, %d items", issues, items)
	if issues != 246 {
		t.Errorf("%d issues, want 243 + 3", issues)
	}
}

// check asserts what is true of every Issue, whatever the input was.
func check(t *testing.T, i *content.Issue, data []byte) {
	t.Helper()
	lines := 1 + strings.Count(strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\r", "\n"), "\n")
	text := func(what, s string) {
		if !utf8.ValidString(s) {
			t.Errorf("%s: %s is not UTF-8: %q", i.Source, what, s)
		}
	}
	text("title", i.Title)
	text("summary", i.Summary)
	text("series", i.Series)
	if i.Kind == "" || i.Lang != "zh" && i.Lang != "en" {
		t.Errorf("%s: kind %q, lang %q", i.Source, i.Kind, i.Lang)
	}
	for _, w := range i.Warnings {
		text("warning", w.Text)
		if w.Line < 1 || w.Line > lines {
			t.Errorf("%s: warning at line %d of %d: %s", i.Source, w.Line, lines, w.Text)
		}
	}
	ids := map[string]bool{}
	var items func([]content.Item)
	items = func(list []content.Item) {
		for k := range list {
			it := &list[k]
			text("item title", it.Title)
			text("item text", it.Text)
			if strings.TrimSpace(it.Title) == "" {
				t.Errorf("%s:%d: an item without title", i.Source, it.Line)
			}
			if it.ID == "" || ids[it.ID] {
				t.Errorf("%s:%d: id %q is given twice", i.Source, it.Line, it.ID)
			}
			ids[it.ID] = true
			if it.Line < 1 || it.Line > lines {
				t.Errorf("%s: item at line %d of %d: %q", i.Source, it.Line, lines, it.Title)
			}
			if it.URL != "" && !slices.Contains(it.Links, it.URL) {
				t.Errorf("%s:%d: %s is not among the links %q", i.Source, it.Line, it.URL, it.Links)
			}
			for _, link := range it.Links {
				text("link", link)
				if !isWeb(link) {
					t.Errorf("%s:%d: link %q", i.Source, it.Line, link)
				}
			}
			items(it.Items)
		}
	}
	for _, s := range i.Sections {
		text("heading", s.Heading)
		if s.Kind == "" || s.Kind == content.SectionMeta && len(s.Items) > 0 {
			t.Errorf("%s: section %q of kind %q has %d items", i.Source, s.Heading, s.Kind, len(s.Items))
		}
		items(s.Items)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil {
			f.Add("x/issue-3.md", data)
		}
	}
	for _, s := range []string{
		"---\ntitle: [", "---\na: &a [*a, *a]\n---\n", "+++\nx = [\n+++", "{\"a\":1}\n# x", "Title: x\n---\n", "- [a](http://b.c/d", "1. #### [x](https://y.z)\n",
		"<html><body><ul><li><ul><li>a<blockquote><li>b", "| a |\n|--|\n| [b](https://c.d/e) |", "[**[A\\] b**](https://c.d)**：**e", "\xff\xfe# a\x00b", "> > > - > 1. a\n\n\tb",
		"**a**\n<https://b.c/d>\n", "【x】\n- y\n", "a\r\rb\r\n===\r\n", "* [ - ]()\n* **No x this week.**", "![[[[](a](b)](c", "《[a](https://b.cc/d)》：e", "{{< a >}}{% b %}{: .c}", "<ul></ul>\n\ntext",
		"来源：[![](https://a.b/c.png)](https://d.ee/f)", "\n[1] http://a.bc\n来源：[1]",
	} {
		f.Add("issue.md", []byte(s))
	}
	f.Fuzz(func(t *testing.T, source string, data []byte) {
		if !utf8.ValidString(source) {
			t.Skip()
		}
		i := Parse(source, data, Options{})
		check(t, i, data)
		again := Parse(source, data, Options{})
		if a, b := indented(t, i), indented(t, again); a != b {
			t.Errorf("two runs differ:\n%s\n%s", a, b)
		}
	})
}

func TestIDsAreStable(t *testing.T) {
	id := func(source, text string) string {
		t.Helper()
		i := Parse(source, []byte(text), Options{})
		if i.ItemCount() != 1 {
			t.Fatalf("%q has %d items", text, i.ItemCount())
		}
		return i.Sections[0].Items[0].ID
	}
	first := id("w/1.md", "# W #1\n\n## A\n\n- [Old title](https://example.org/x)\n")
	for _, text := range []string{
		"# W #1\n\n## B\n\nintro\n\n- [New title](http://www.example.org/x/?utm_source=w#top): text\n",
		"# W #2\n\n## B\n\n* [Old title](https://example.org/x)\n",
	} {
		if got := id("w/other.md", text); got != first {
			t.Errorf("id %s became %s in %q", first, got, text)
		}
	}
	if got := id("v/1.md", "# W #1\n\n## A\n\n- [Old title](https://example.org/x)\n"); got == first {
		t.Errorf("two series share the id %s", got)
	}
	a, b := id("w/1.md", "# W #1\n\n## A\n\n- Nothing but words\n"), id("w/2.md", "# W #2\n\n## A\n\n- Nothing but words\n")
	if a == b {
		t.Errorf("items without link share the id %s in two issues", a)
	}
}

func TestSeries(t *testing.T) {
	for _, c := range []struct{ source, text, want string }{
		{"cloud/cloud-02/index.md", "", "cloud"},
		{"cloud-02/index.md", "", "cloud"},
		{"/srv/hot-topics/index.md", "", "hot-topics"},
		{"ios/2019/#56-2019.02.25.md", "", "ios"},
		{"a/2024/03/x.md", "", "a"},
		{`win\weekly\3.md`, "", "weekly"},
		{"single.md", "", "single"},
		{"./single.markdown", "", "single"},
		{"a/b/x.md", "---\nseries: Named\n---\n", "Named"},
		{"blog/2024-01-08-week/index.md", "", "blog"},
		{"周报/第12期/index.md", "", "周报"},
	} {
		if got := Parse(c.source, []byte(c.text), Options{}).Series; got != c.want {
			t.Errorf("series of %q = %q, want %q", c.source, got, c.want)
		}
	}
	if got := Parse("a/x.md", []byte("---\nseries: Named\n---\n"), Options{Series: "Given"}).Series; got != "Given" {
		t.Errorf("Options.Series gives %q", got)
	}
}

func TestNumberAndDate(t *testing.T) {
	for _, c := range []struct {
		source, title string
		number        int // 0 = none
		date          string
		from          string
	}{
		{"w/a.md", "云上周报第 12 期", 12, "", ""},
		{"w/a.md", "云上周报（第十二期）", 12, "", ""},
		{"w/a.md", "云上周报 第一百零三期", 103, "", ""},
		{"w/a.md", "云上周报 总第 45 期｜2024年3月3日", 45, "2024-03-03", ""},
		{"w/a.md", "Weekly #56 | 2019.02.25", 56, "2019-02-25", ""},
		{"w/a.md", "Dev News, Issue 12", 12, "", ""},
		{"w/a.md", "Dev News Vol. 3", 3, "", ""},
		{"w/a.md", "Dev News No. 7 — 3 March 2024", 7, "2024-03-03", ""},
		{"w/a.md", "Week Ending March 3, 2024", 0, "2024-03-03", ""},
		{"w/a.md", "News of March 25 – April 1, 2024", 0, "2024-04-01", "2024-03-25"},
		{"w/a.md", "周刊 #4 2018.06.25 - 2018.07.01", 4, "2018-07-01", "2018-06-25"},
		{"w/a.md", "周刊 2018.12.28 - 01.03", 0, "2019-01-03", "2018-12-28"},
		{"w/a.md", "The best of 2023", 0, "", ""},
		{"w/a.md", "Top 10 editors", 0, "", ""},
		{"w/a.md", "Go 1.21 is here", 0, "", ""},
		{"w/#56-2019.02.25.md", "Weekly", 56, "2019-02-25", ""},
		{"w/issue-12.md", "Weekly", 12, "", ""},
		{"w/weekly-20240304-20240310.md", "Weekly", 0, "2024-03-10", "2024-03-04"},
		{"w/2024-03-03-update.md", "Weekly", 0, "2024-03-03", ""},
		{"w/weekly-02/index.md", "Weekly", 2, "", ""},
		{"seeds/005_0a1b2c3d4e5f6a7b.txt", "Links", 0, "", ""},
		{"w/a.md", "Release of 2024-02-30", 0, "", ""},
	} {
		i := Parse(c.source, []byte("# "+c.title+"\n\n## News\n\n- [x](https://example.org/x)\n"), Options{})
		n := 0
		if i.Number != nil {
			n = *i.Number
		}
		if n != c.number || i.Date != c.date || i.Period[0] != c.from {
			t.Errorf("%s, %q: number %d, date %q, period %q; want %d, %q, from %q", c.source, c.title, n, i.Date, i.Period, c.number, c.date, c.from)
		}
	}
}

func TestHotTopics(t *testing.T) {
	list := "\n- [A](https://example.org/a)\n- [B](https://example.org/b)\n"
	for _, c := range []struct {
		source, text string
		want         content.IssueKind
	}{
		{"w/hot.md", "# Hot" + list, content.KindHotTopics},
		{"w/hot.md", "# Hot #4" + list, content.KindIssue},
		{"w/2024-01-01.md", "# Hot" + list, content.KindIssue},
		{"w/hot.md", "# Hot\n\nNothing yet.\n", content.KindIssue},
	} {
		if got := Parse(c.source, []byte(c.text), Options{}).Kind; got != c.want {
			t.Errorf("kind of %s, %q = %q, want %q", c.source, c.text, got, c.want)
		}
	}
}

func TestIsIssueFile(t *testing.T) {
	for name, want := range map[string]bool{
		"a.md": true, "a/b.markdown": true, "x.TXT": true, "#1.md": true, "README.md": false, "readme_zh.md": false, "LICENSE.txt": false,
		"a/CHANGELOG.md": false, ".draft.md": false, "a.html": false, "a": false, "": false,
	} {
		if got := IsIssueFile(name); got != want {
			t.Errorf("IsIssueFile(%q) = %v", name, got)
		}
	}
}

// TestLabelOfAPicture: a label with nothing but a picture behind it is the title of the link.
func TestLabelOfAPicture(t *testing.T) {
	i := Parse("x/issue-3.md", []byte("# 周刊 3\n\n- 来源：[![logo](https://a.bc/d.png)](https://e.ff/g)\n"), Options{})
	if len(i.Sections) != 1 || len(i.Sections[0].Items) != 1 {
		t.Fatalf("sections %+v", i.Sections)
	}
	if it := i.Sections[0].Items[0]; it.Title != "来源" || it.URL != "https://e.ff/g" {
		t.Errorf("title %q, URL %q", it.Title, it.URL)
	}
}

func TestDamagedBytes(t *testing.T) {
	i := Parse("w/3.md", []byte("\xef\xbb\xbf# W #3\r\n\r\n## 新闻\r\n\r\n- [\xff标题](https://example.org/x)\r\n"), Options{})
	if i.Title != "W #3" || len(i.Warnings) != 1 || i.Warnings[0].Line != 5 || i.ItemCount() != 1 || i.Sections[0].Items[0].Line != 5 {
		t.Errorf("title %q, warnings %v, %d items", i.Title, i.Warnings, i.ItemCount())
	}
}

func TestConcurrentParse(t *testing.T) {
	text := []byte(issueText(20_000))
	want := indented(t, Parse("w/9.md", text, Options{}))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if got := indented(t, Parse("w/9.md", text, Options{})); got != want {
				t.Error("a parse beside others gives something else")
			}
		})
	}
	group.Wait()
}

func TestLinesOfHTML(t *testing.T) {
	text := "<html>\n<body>\n<ul>\n<li>\n\n<a href=\"https://example.org/a\">\nFirst</a>\n<li><a href=\"https://example.org/b\">Second</a>\n</ul></body></html>\n"
	i := Parse("w/1.txt", []byte(text), Options{})
	if i.ItemCount() != 2 {
		t.Fatalf("%d items, want 2", i.ItemCount())
	}
	if got := i.Sections[0].Items[0].Line; got != 4 {
		t.Errorf("the first entry is at line %d, want 4, where it is opened", got)
	}
	if i.Sections[0].Items[1].Line != 8 {
		t.Errorf("the second entry is at line %d, want 8", i.Sections[0].Items[1].Line)
	}
}
