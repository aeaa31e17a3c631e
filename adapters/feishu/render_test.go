package feishu

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

func TestForeignTextIsNeutral(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain 文字, 100% (a) v1.2 a=b c-d x^2", "plain 文字, 100% (a) v1.2 a=b c-d x^2"},
		{"[x](y) ![i](j)", "&#91;x&#93;(y) &#33;&#91;i&#93;(j)"},
		{"<at id=all></at> <b>x</b>", "＜at id=all&#62;＜/at&#62; &#60;b&#62;x&#60;/b&#62;"},
		{"< / AT id=x> <person id=y>", "＜ / AT id=x&#62; ＜person id=y&#62;"},
		{"**b** `c` ~~d~~ | e $f$", "&#42;&#42;b&#42;&#42; &#96;c&#96; &#126;&#126;d&#126;&#126; &#124; e &#36;f&#36;"},
		{"__init__ C# #42", "&#95;&#95;init&#95;&#95; C&#35; &#35;42"},
		{"- a", "&#45; a"}, {"+ a", "&#43; a"}, {"1. a", "1&#46; a"}, {"12) a", "12&#41; a"}, {"---", "&#45;--"}, {"===", "&#61;=="},
		{"R&D &lt;b&gt; &#91;x", "R&#38;D &#38;lt;b&#38;gt; &#38;&#35;91;x"},
		{`C:\path \[x\]`, `C:&#92;path &#92;&#91;x&#92;&#93;`},
		{":OK: 12:30", "&#58;OK: 12&#58;30"},
		{"lark://x Lark://y", "lark&#58;//x Lark&#58;//y"},
		{"see https://example.org/a_b?x=1&y=2 ok", "see https&#58;//example.org/a&#95;b?x=1&#38;y=2 ok"},
		{"a\x00b\u202ec", "abc"},
	} {
		if got := plainLine(c.in); got != c.want {
			t.Errorf("plainLine(%q) = %q, want %q", c.in, got, c.want)
		}
		if decoded := htmlUnescape(plainLine(c.in)); !strings.Contains(c.in, "<") && !strings.ContainsAny(c.in, "\x00") && decoded != c.in {
			t.Errorf("plainLine(%q) reads as %q", c.in, decoded)
		}
	}
}

func TestBareAddressesAreLinksThatShowThemselves(t *testing.T) {
	got := plainLines("看 https://example.org/a_b?x=1&y=2，好！https://example.org/c\nhttp://[ no")
	want := []string{
		"看 [https&#58;//example.org/a&#95;b?x=1&#38;y=2](https://example.org/a_b?x=1&y=2)，好！[https&#58;//example.org/c](https://example.org/c)",
		"http&#58;//&#91; no",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLinkTarget(t *testing.T) {
	long := "https://example.org/" + strings.Repeat("a", maxURLBytes)
	for _, c := range []struct{ in, want string }{
		{"https://example.org/a(b)c d", "https://example.org/a%28b%29c%20d"},
		{"https://example.org/?a=1&b=2", "https://example.org/?a=1&b=2"},
		{"https://example.org/?a=1&lt;b", "https://example.org/?a=1%26lt;b"},
		{"HTTP://example.org/<\">", "HTTP://example.org/%3C%22%3E"},
		{"lark://x", ""}, {"mailto:a@example.org", ""}, {"javascript:alert(1)", ""}, {"tel:110", ""},
		{"https://good.example@evil.example/", ""}, {"", ""}, {long, ""}, {long[:maxURLBytes], long[:maxURLBytes]},
	} {
		if got := linkTarget(c.in); got != c.want {
			t.Errorf("linkTarget(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestDialect(t *testing.T) {
	msg := bot.Message{Title: "周报", Notice: "周报第 1 期", Blocks: []bot.Block{
		{Kind: bot.BlockDivider},
		{Kind: bot.BlockText, Text: "第一行\n第二行\n\n新段落"},
		{Kind: bot.BlockHeading, Text: "网络"},
		{Kind: bot.BlockItem, Title: "甲", URL: "https://example.org/1", Text: "一句话"},
		{Kind: bot.BlockItem, Title: "乙", Text: "a\n\nb", Level: 1},
		{Kind: bot.BlockItem, Title: "丙"},
		{Kind: bot.BlockDivider},
		{Kind: bot.BlockItem, Title: "丁", Level: 1},
		{Kind: bot.BlockNote, Text: "注\n脚", Links: []bot.Link{{Text: "在线", URL: "https://example.org/o"}, {Text: "坏", URL: "lark://x"}}},
		{Kind: bot.BlockDivider},
	}}
	want := []element{
		markdown("第一行<br>第二行\n\n新段落\n\n#### 网络\n\n- [甲](https://example.org/1)<br>一句话\n    - 乙<br>a<br>b\n- 丙"),
		{Tag: "hr"},
		markdown("- 丁"),
		{Tag: "markdown", Content: "注<br>脚 · [在线](https://example.org/o) · 坏", TextSize: "notation"},
	}
	got := renderPart(msg, 2, 3)
	if diff := cmp.Diff(want, got.Body.Elements); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Config.Summary.Content != "周报第 1 期 (2/3)" || got.Header.Title.Content != "周报 (2/3)" {
		t.Errorf("notice %q, title %q", got.Config.Summary.Content, got.Header.Title.Content)
	}
}

func TestButtons(t *testing.T) {
	links := bot.Block{Kind: bot.BlockLinks, Text: "读："}
	for k := range maxButtons + 2 {
		links.Links = append(links.Links, bot.Link{Text: fmt.Sprint("阅读", k), URL: fmt.Sprintf("https://example.org/%d", 100+k)})
	}
	links.Links = append(links.Links, bot.Link{Text: strings.Repeat("长", maxButtonRunes+1), URL: "https://example.org/long"}, bot.Link{Text: "坏", URL: "lark://x"})
	c := render(bot.Message{Title: "t", Blocks: []bot.Block{links}}, "", maxWebhookBytes)
	if n := len(c.Body.Elements[1].Columns); n != maxButtons || c.Body.Elements[1].FlexMode != "flow" {
		t.Errorf("%d buttons, want %d: %+v", n, maxButtons, c.Body.Elements)
	}
	if got := c.count(); got != strings.Count(string(apihttp.EncodeJSON(c)), `"tag":`) {
		t.Errorf("count = %d of %s", got, apihttp.EncodeJSON(c))
	}
	for _, l := range links.Links { // none is lost, whatever it became
		if n := strings.Count(string(apihttp.EncodeJSON(c)), l.URL); n != 1 && l.Text != "坏" {
			t.Errorf("%s is there %d times", l.URL, n)
		}
	}
}

func TestCardsAreNeverEmpty(t *testing.T) {
	for _, msg := range []bot.Message{{}, {Title: "\u200b"}, {Blocks: []bot.Block{{Kind: bot.BlockItem}}}, {Blocks: []bot.Block{{Kind: bot.BlockDivider}}}, {Image: &bot.Image{Alt: "图"}}} {
		c := render(msg, "", maxWebhookBytes)
		if c.Config.Summary.Content == "" || c.Header == nil && len(c.Body.Elements) == 0 || c.Body.Elements == nil {
			t.Errorf("%+v renders to %s", msg, apihttp.EncodeJSON(c))
		}
	}
}

func TestMessageUUID(t *testing.T) {
	first := messageUUID("k", 1)
	if again := messageUUID("k", 1); first != again || first == messageUUID("k", 2) || first == messageUUID("l", 1) {
		t.Error("want one uuid for each key and part, the same each time")
	}
	if messageUUID("", 1) != "" || len(messageUUID(strings.Repeat("k", 999), 1)) > maxUUIDRunes {
		t.Error("posts without a key would all be taken for one; a uuid has at most 50 characters")
	}
}

func TestManySmallBlocksKeepTheNumberOfElements(t *testing.T) {
	var msg bot.Message
	for k := range 500 {
		msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockNote, Text: fmt.Sprint("n", k)}, bot.Block{Kind: bot.BlockDivider})
	}
	a := newAdapter(t, "")
	for _, kind := range a.Kinds() {
		parts := a.Split(kind, msg)
		for k, part := range parts {
			if n := renderPart(part, k+1, len(parts)).count(); n > maxElements {
				t.Errorf("%s: part %d has %d elements", kind, k, n)
			}
		}
	}
}

func TestLongTitlesAreShortenedAtAWord(t *testing.T) {
	c := render(bot.Message{Title: strings.Repeat("weekly ", 100)}, "(1/2)", maxWebhookBytes)
	if notice := c.Config.Summary.Content; !strings.HasSuffix(notice, "weekly… (1/2)") || utf8.RuneCountInString(notice) > maxNoticeRunes+6 {
		t.Errorf("notice %q", notice)
	}
}

// onlyWords checks that no foreign text in body acts: no tag, picture, code, emphasis, table, mention, or link that was not offered.
func onlyWords(t *testing.T, kind bot.Kind, body []byte) {
	t.Helper()
	seen := inspect(&testing.T{}, kind, body)
	for _, shape := range []string{"HTML", "Image", "Code", "Emphasis", "Strikethrough", "Table", "ThematicBreak", "Blockquote"} {
		if strings.Contains(seen.Shape, shape) {
			t.Errorf("foreign text makes %s: %s\n%s", shape, seen.Shape, body)
		}
	}
	if len(seen.Mentions) > 0 {
		t.Errorf("foreign text mentions %q\n%s", seen.Mentions, body)
	}
	for _, link := range seen.Links {
		if linkTarget(link) == "" && !strings.Contains(seen.Text, link) {
			t.Errorf("foreign text links to %q\n%s", link, body)
		}
	}
}

// FuzzForeignText: whatever the words, in every place they stay words.
func FuzzForeignText(f *testing.F) {
	for _, s := range []string{"[x](lark://y) **b** <img>", "# h\n- l\n---\n1. x\n===", "https://example.org/_a_*b*[c](d) <at id=all>", "`c` ~~s~~ &lt;b&gt; a|b\n-|-",
		"www.example.org a@b.c", "see!https://example.org", "http://0&#;", "<a\nt>", "https://a.b/&lt;x&#60;"} {
		f.Add(s, "https://example.org/a(b)")
	}
	a := newAdapter(f, "")
	f.Fuzz(func(t *testing.T, text, url string) {
		if len(text) > 300 || len(url) > 300 {
			t.Skip()
		}
		links := []bot.Link{{Text: text, URL: url}}
		body, err := a.Preview(KindWebhook, bot.Post{Part: 1, Parts: 1, Message: bot.Message{Title: text, Blocks: []bot.Block{
			{Kind: bot.BlockHeading, Text: text}, {Kind: bot.BlockText, Text: text}, {Kind: bot.BlockItem, Title: text, URL: url, Text: text},
			{Kind: bot.BlockItem, Title: text, Text: text, Level: 1}, {Kind: bot.BlockNote, Text: text, Links: links}, {Kind: bot.BlockLinks, Links: links}}}})
		if err != nil {
			t.Fatal(err)
		}
		onlyWords(t, KindWebhook, body)
	})
}

// FuzzSplit: whatever the words, every part is within the limits, holds each item once, and no foreign text makes a link or a tag.
func FuzzSplit(f *testing.F) {
	f.Add("标题 [x](lark://y)", "text **b** <img> <at id=all>", "https://example.org/a(b)", uint8(3))
	f.Add("1. a", "# h\n\n- l\n---", "javascript:alert(1)", uint8(90))
	f.Add(strings.Repeat("周", 500), strings.Repeat("words and ", 300), "https://example.org/"+strings.Repeat("x", 1900), uint8(9))
	f.Add("https://example.org/[x", "http://[", "http://[::1]/", uint8(1))
	a := newAdapter(f, "")
	f.Fuzz(func(t *testing.T, title, text, url string, n uint8) {
		if len(title) > 2000 || len(text) > 4000 || len(url) > 4000 || int(n)*(len(title)+len(text)+len(url)) > 60_000 {
			t.Skip()
		}
		var msg bot.Message
		msg.Title = title
		for k := range int(n) {
			msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockItem, Title: fmt.Sprintf("item%03dx %s", k, title), URL: url, Text: text, Level: k % 2})
		}
		msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockNote, Text: text, Links: []bot.Link{{Text: title, URL: url}}},
			bot.Block{Kind: bot.BlockLinks, Links: []bot.Link{{Text: text, URL: url}, {Text: title, URL: url}}})
		for _, kind := range a.Kinds() {
			parts := a.Split(kind, msg)
			var all strings.Builder
			for k, part := range parts {
				c := renderPart(part, k+1, len(parts))
				if got := size(kind, c); got > a.Capabilities(kind).MaxBytes || c.count() > maxElements {
					t.Errorf("%s: part %d is %d bytes and %d elements", kind, k, got, c.count())
				}
				body, err := a.Preview(kind, bot.Post{Key: "k", Part: k + 1, Parts: len(parts), Message: part})
				if err != nil {
					t.Fatal(err)
				}
				onlyWords(t, kind, body)
				all.Write(apihttp.EncodeJSON(c.Body))
			}
			for k := range int(n) {
				if got := strings.Count(all.String(), fmt.Sprintf("item%03dx", k)); got != 1 && !strings.Contains(title+text+url, "item") {
					t.Errorf("%s: item %d is there %d times", kind, k, got)
				}
			}
		}
	})
}
