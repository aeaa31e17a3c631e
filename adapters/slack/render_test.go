package slack

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// manyItems is as large as the largest issue known: n items of average length under a dozen headings.
func manyItems(n int) bot.Message {
	msg := bot.Message{Title: "云原生生态周报 第 300 期", Lang: "zh"}
	for k := range n {
		if k%24 == 0 {
			msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockHeading, Text: fmt.Sprintf("栏目 %d", k/24+1)})
		}
		b := bot.Block{Kind: bot.BlockItem, Title: fmt.Sprintf("第 %d 条 entry%03d: 新版本发布", k, k), URL: fmt.Sprintf("https://example.org/items/%03d", k)}
		if k%3 == 0 {
			b.Text = "这一版改进了调度器的延迟，并修复了若干安全问题。"
		}
		msg.Blocks = append(msg.Blocks, b)
	}
	return msg
}

// texts are the texts of a payload's blocks, in order.
func texts(p payload) (all []string) {
	for _, b := range p.Blocks {
		switch b := b.(type) {
		case *slack.HeaderBlock:
			all = append(all, "# "+b.Text.Text)
		case *slack.SectionBlock:
			all = append(all, b.Text.Text)
		case *slack.ContextBlock:
			all = append(all, "note: "+b.ContextElements.Elements[0].(*slack.TextBlockObject).Text)
		case *slack.DividerBlock:
			all = append(all, "----")
		case *slack.ActionBlock:
			for _, e := range b.Elements.ElementSet {
				button := e.(*slack.ButtonBlockElement)
				all = append(all, "["+button.Text.Text+"]("+button.URL+")")
			}
		}
	}
	return all
}

func TestRender(t *testing.T) {
	msg := bot.Message{Title: "Weekly & more", Notice: "3 new items", Lang: "en", Blocks: []bot.Block{
		{Kind: bot.BlockHeading, Text: "开源 < 项目 >"},
		{Kind: bot.BlockItem, Title: "With text", URL: "https://example.org/?a=1&b=2", Text: "First line.\n> second"},
		{Kind: bot.BlockItem, Title: "nested", URL: "https://example.org/n", Text: "one\ntwo", Level: 1},
		{Kind: bot.BlockItem, Title: "no link", Level: 1},
		{Kind: bot.BlockItem, Title: "Plain one", URL: "https://example.org/1"},
		{Kind: bot.BlockItem, Title: "Plain two", URL: "ftp://example.org/2"},
		{Kind: bot.BlockDivider},
		{Kind: bot.BlockNote, Text: "2026-11-20", Links: []bot.Link{{Text: "source", URL: "https://example.org/s"}}},
		{Kind: bot.BlockLinks, Links: []bot.Link{{Text: "Read", URL: "https://example.org/r"}, {Text: "Bad", URL: "javascript:x"}}},
	}}
	common := []string{
		"*开源 &lt; 项目 &gt;*",
		"*<https://example.org/?a=1&amp;b=2|With text>*\nFirst line.\n\u200b&gt; second\n    • <https://example.org/n|nested> — one\n      two\n    • no link",
		"• <https://example.org/1|Plain one>\n• Plain two",
		"----",
		"note: 2026-11-20 · <https://example.org/s|source>",
	}
	for _, c := range []struct {
		kind bot.Kind
		want []string
	}{
		{KindApp, slices.Concat([]string{"# Weekly & more (2/3)"}, common, []string{"Bad", "[Read](https://example.org/r)"})},
		{KindWebhook, slices.Concat([]string{"# Weekly & more (2/3)"}, common, []string{"<https://example.org/r|Read>  ·  Bad"})},
	} {
		p := render(c.kind, bot.Post{Key: "d1", Part: 2, Parts: 3, First: "1.2", Message: msg})
		if diff := cmp.Diff(c.want, texts(p)); diff != "" {
			t.Errorf("%s: blocks (-want +got):\n%s", c.kind, diff)
		}
		if p.UnfurlLinks || p.UnfurlMedia || p.Parse != "none" {
			t.Errorf("%s: links would unfurl, or be looked for: %+v", c.kind, p)
		}
		wantText := "Weekly &amp; more (2/3)\n3 new items\n开源 &lt; 项目 &gt;\n• With text\n• nested\n• no link\n• Plain one\n• Plain two\n2026-11-20"
		if diff := cmp.Diff(wantText, p.Text); diff != "" {
			t.Errorf("%s: summary (-want +got):\n%s", c.kind, diff)
		}
		if app := c.kind == KindApp; (p.ThreadTS == "1.2") != app || (p.Metadata != nil) != app {
			t.Errorf("%s: thread %q, metadata %v: want both for an app only", c.kind, p.ThreadTS, p.Metadata)
		}
	}
}

// Everything of ours that is markup must be literal-proof: verbatim, so that Slack finds no links or names of its own.
func TestMarkupIsVerbatim(t *testing.T) {
	for _, b := range render(KindApp, bot.Post{Part: 1, Parts: 1, Message: manyItems(30)}).Blocks {
		if s, ok := b.(*slack.SectionBlock); ok && (!s.Text.Verbatim || !s.Expand) {
			t.Errorf("section %q is not verbatim, or would hide behind \"Show more\"", s.Text.Text)
		}
	}
}

func TestHugeIssueInFewParts(t *testing.T) {
	msg := manyItems(270)
	total := runes(strings.Join(texts(payload{Blocks: lay(KindApp, msg, "", joinNothing)}), ""))
	least := (total + budgetTotal - 1) / budgetTotal
	parts := split(KindApp, msg)
	if len(parts) > least+1 {
		t.Errorf("%d parts for %d characters, want at most %d", len(parts), total, least+1)
	}
	t.Logf("270 items, %d characters: %d parts", total, len(parts))
	seen := map[string]int{}
	for k, part := range parts {
		p := render(KindApp, bot.Post{Part: k + 1, Parts: len(parts), Message: part})
		if err := validate(p); err != nil {
			t.Errorf("part %d: %v", k+1, err)
		}
		all := strings.Join(texts(p), "\n")
		for i := range 270 {
			seen[fmt.Sprint(i)] += strings.Count(all, fmt.Sprintf("entry%03d:", i))
		}
	}
	for i, n := range seen {
		if n != 1 {
			t.Errorf("item %s is there %d times, want once", i, n)
		}
	}
}

// A block that nothing can cut is shortened, never refused: one character of thousands of code points.
func TestUncuttable(t *testing.T) {
	monster := "e" + strings.Repeat("\u0301", 20_000)
	for _, b := range []bot.Block{
		{Kind: bot.BlockText, Text: monster},
		{Kind: bot.BlockHeading, Text: monster},
		{Kind: bot.BlockNote, Text: monster},
		{Kind: bot.BlockItem, Title: monster, URL: "https://example.org/1", Text: monster},
		{Kind: bot.BlockItem, Title: "x", URL: "https://example.org/" + strings.Repeat("&", 4000)},
		{Kind: bot.BlockLinks, Links: []bot.Link{{Text: monster, URL: "https://example.org/" + strings.Repeat("a", 4000)}}},
	} {
		for _, kind := range []bot.Kind{KindApp, KindWebhook} {
			for k, part := range split(kind, bot.Message{Title: monster, Blocks: []bot.Block{b, {Kind: bot.BlockText, Text: "after"}}}) {
				if err := validate(render(kind, bot.Post{Part: k + 1, Parts: 9, Message: part})); err != nil {
					t.Errorf("%s, %s: %v", kind, b.Kind, err)
				}
			}
		}
	}
}

func TestValidate(t *testing.T) {
	section := func(n int) slack.Block {
		return slack.NewSectionBlock(mrkdwn(strings.Repeat("周", n)), nil, nil)
	}
	button := func(text, url string) slack.Block {
		b := slack.NewButtonBlockElement("a", "", plain(text))
		b.URL = url
		return slack.NewActionBlock("", b)
	}
	many := func(n int, b slack.Block) (all []slack.Block) {
		return append(all, slices.Repeat([]slack.Block{b}, n)...)
	}
	buttons := func(n int) slack.Block {
		return slack.NewActionBlock("", slices.Repeat([]slack.BlockElement{slack.NewButtonBlockElement("", "", plain("x"))}, n)...)
	}
	for _, c := range []struct {
		name string
		p    payload
		ok   bool
	}{
		{"smallest", payload{Text: "x"}, true},
		{"no text", payload{Blocks: many(1, section(1))}, false},
		{"longest text", payload{Text: strings.Repeat("周", 4000)}, true},
		{"text too long", payload{Text: strings.Repeat("周", 4001)}, false},
		{"most blocks", payload{Text: "x", Blocks: many(46, section(1))}, true},
		{"too many blocks", payload{Text: "x", Blocks: many(47, section(1))}, false},
		{"longest section", payload{Text: "x", Blocks: many(1, section(3000))}, true},
		{"section too long", payload{Text: "x", Blocks: many(1, section(3001))}, false},
		{"empty section", payload{Text: "x", Blocks: many(1, section(0))}, false},
		{"most in all", payload{Text: "x", Blocks: many(4, section(3000))}, true},
		{"too much in all", payload{Text: "x", Blocks: append(many(4, section(3000)), section(101))}, false},
		{"header", payload{Text: "x", Blocks: many(1, slack.NewHeaderBlock(plain(strings.Repeat("周", 150))))}, true},
		{"header too long", payload{Text: "x", Blocks: many(1, slack.NewHeaderBlock(plain(strings.Repeat("周", 151))))}, false},
		{"button", payload{Text: "x", Blocks: many(1, button(strings.Repeat("周", 75), strings.Repeat("u", 3000)))}, true},
		{"button text too long", payload{Text: "x", Blocks: many(1, button(strings.Repeat("周", 76), "u"))}, false},
		{"button URL too long", payload{Text: "x", Blocks: many(1, button("x", strings.Repeat("u", 3001)))}, false},
		{"most buttons", payload{Text: "x", Blocks: many(1, buttons(25))}, true},
		{"too many buttons", payload{Text: "x", Blocks: many(1, buttons(26))}, false},
		{"button value too long", payload{Text: "x", Blocks: many(1, slack.NewActionBlock("", slack.NewButtonBlockElement("", strings.Repeat("v", 2001), plain("x"))))}, false},
		{"no buttons", payload{Text: "x", Blocks: many(1, buttons(0))}, false},
		{"empty context", payload{Text: "x", Blocks: many(1, slack.NewContextBlock(""))}, false},
		{"other block", payload{Text: "x", Blocks: many(1, slack.NewImageBlock("u", "a", "", nil))}, false},
		{"metadata too long", payload{Text: "x", Metadata: metadata(strings.Repeat("k", 1024), 1)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := validate(c.p); (err == nil) != c.ok {
				t.Errorf("validate = %v, want ok = %v", err, c.ok)
			}
		})
	}
}

func TestEncodeLeavesAngles(t *testing.T) {
	body, err := encode(payload{Text: `a<b>&c \u003c \\u003c`, Blocks: []slack.Block{slack.NewSectionBlock(mrkdwn(`<u|t> & \u003c`), nil, nil)}})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"text":"a<b>&c \\u003c \\\\u003c","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"<u|t> & \\u003c","verbatim":true}}],"unfurl_links":false,"unfurl_media":false,"parse":""}`
	if diff := cmp.Diff(want, string(body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzRender posts any message: every part is within the limits, every item is there once with its link whole, nobody is mentioned
// and no link is made up.
func FuzzRender(f *testing.F) {
	f.Add("标题 <!channel>", "https://example.org/a|b?c=d&e=<f>", "text with ``` fence and <https://evil.example|bank>\n>>> quote", uint16(3), false)
	f.Add("*b* _i_ ~s~ `c`", "javascript:alert(1)", strings.Repeat("长文 & ", 300), uint16(1), true)
	f.Add("````` five", "https://example.org/`", "a ```````` b", uint16(2), false)
	f.Add("plain", "0", "> quote", uint16(3), false)
	f.Add("👩‍💻", "https://例子.example/路径", "<@U1> @here #general", uint16(300), false)
	f.Add(strings.Repeat("very long ", 100), "https://example.org/"+strings.Repeat("x", 2500), "", uint16(60), true)
	f.Fuzz(func(t *testing.T, title, url, body string, n uint16, webhook bool) {
		if len(title)+len(url)+len(body) > 4000 {
			t.Skip()
		}
		kind := KindApp
		if webhook {
			kind = KindWebhook
		}
		items := int(n%100) + 1
		msg := bot.Message{Title: title, Notice: body, Blocks: []bot.Block{
			{Kind: bot.BlockHeading, Text: title},
			{Kind: bot.BlockHeading, Text: body, Level: int(n % 2)},
			{Kind: bot.BlockItem, Item: title, Title: title, URL: url, Text: body},
			{Kind: bot.BlockNote, Text: body, Links: []bot.Link{{Text: title, URL: url}}},
			{Kind: bot.BlockLinks, Links: []bot.Link{{Text: body, URL: url}}},
		}}
		for k := range items {
			msg.Blocks = append(msg.Blocks, bot.Block{
				Kind: bot.BlockItem, Item: fmt.Sprintf("%012x", k), Level: k % 2, Title: fmt.Sprintf("zq%dqz", k), URL: fmt.Sprintf("https://example.org/zq/%d", k),
			})
		}
		allowed := map[string]bool{webURL(url): true}
		found := map[string]int{}
		parts := split(kind, msg)
		for k, part := range parts {
			p := render(kind, bot.Post{Key: "k", Part: k + 1, Parts: len(parts), Message: part})
			if err := validate(p); err != nil {
				t.Fatalf("part %d of %d: %v", k+1, len(parts), err)
			}
			raw, err := encode(p)
			if err != nil || !utf8.Valid(raw) {
				t.Fatalf("part %d does not encode: %v", k+1, err)
			}
			seen := inspect(t, kind, raw)
			if len(seen.Mentions) > 0 {
				t.Errorf("mentions %q", seen.Mentions)
			}
			for _, link := range seen.Links {
				if strings.HasPrefix(link, "https://example.org/zq/") {
					found[link]++
				} else if !allowed[link] {
					t.Errorf("link %q was made up, or cut: want %q", link, webURL(url))
				}
			}
			if strings.Contains(seen.Shape, "fence") || strings.Contains(seen.Shape, "quote") {
				t.Errorf("foreign text changed the layout: %s", seen.Shape)
			}
		}
		for k := range items {
			if link := fmt.Sprintf("https://example.org/zq/%d", k); found[link] != 1 && webURL(url) != link {
				t.Errorf("item %d is there %d times, want once", k, found[link])
			}
		}
	})
}

// The examples of CommonMark's specification as what a newsletter says: not a word is lost, whatever the markup, and it makes no link.
func TestCommonMarkExamples(t *testing.T) {
	for _, example := range commonMark(t) {
		for _, kind := range []bot.Kind{KindApp, KindWebhook} {
			msg := bot.Message{Title: "spec", Blocks: []bot.Block{
				{Kind: bot.BlockItem, Title: example.Markdown, URL: "https://example.org/spec", Text: example.Markdown},
				{Kind: bot.BlockText, Text: example.Markdown},
				{Kind: bot.BlockNote, Text: example.Markdown},
			}}
			var words []string
			for k, part := range split(kind, msg) {
				p := render(kind, bot.Post{Part: k + 1, Parts: 1, Message: part})
				if err := validate(p); err != nil {
					t.Fatalf("example %d: %v", example.Example, err)
				}
				raw, err := encode(p)
				if err != nil {
					t.Fatal(err)
				}
				seen := inspect(t, kind, raw)
				if len(seen.Mentions) > 0 || strings.Contains(seen.Shape, "fence") || strings.Contains(seen.Shape, "quote") {
					t.Errorf("example %d: mentions %q, shape %s", example.Example, seen.Mentions, seen.Shape)
				}
				for _, link := range seen.Links {
					if link != "https://example.org/spec" {
						t.Errorf("example %d: link %q was made up", example.Example, link)
					}
				}
				words = append(words, wordsIn(strings.Join(texts(p), "\n"))...)
			}
			all := " " + strings.Join(words, " ") + " "
			want := " " + strings.Join(wordsIn(escape(apihttp.CleanLines(example.Markdown))), " ") + " "
			if n := strings.Count(all, want); n < 3 && len(wordsIn(example.Markdown)) > 0 {
				t.Errorf("example %d, %s: %q is there %d times in %q, want 3", example.Example, kind, want, n, all)
			}
		}
	}
}

// wordsIn are the words of a text as Slack shows it, without what the markup around them is made of.
func wordsIn(text string) []string {
	text = regexp.MustCompile(`<https://example.org/spec\|([^<>]*)>`).ReplaceAllString(text, "$1")
	return strings.FieldsFunc(unescape.Replace(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

type specExample struct {
	Markdown string
	Example  int
}

// commonMark reads the examples that the Markdown parser's own tests bring along.
func commonMark(t *testing.T) (all []specExample) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/yuin/goldmark").Output()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "_test", "spec.json"))
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil || len(all) < 600 {
		t.Fatalf("%d examples, %v", len(all), err)
	}
	return all
}

func BenchmarkRender(b *testing.B) {
	msg := manyItems(20)
	for b.Loop() {
		render(KindApp, bot.Post{Key: "k", Part: 1, Parts: 1, Message: msg})
	}
}

func BenchmarkSplitAndRender(b *testing.B) {
	msg := manyItems(270)
	for b.Loop() {
		parts := split(KindApp, msg)
		for k, part := range parts {
			render(KindApp, bot.Post{Key: "k", Part: k + 1, Parts: len(parts), Message: part})
		}
	}
}
