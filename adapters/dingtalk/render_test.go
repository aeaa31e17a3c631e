package dingtalk

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
		{"plain 文字, 100% (a) C# v1.2 #42 a_b_c", "plain 文字, 100% (a) C# v1.2 #42 a_b_c"},
		{"[OK] [微笑]", "［OK］ ［微笑］"},
		{"@manager <b>x</b>", "＠manager ＜b＞x＜/b＞"},
		{"](dtmd://dingtalkclient/sendMessage?content=x)", "］(dtmd：//dingtalkclient/sendMessage?content=x)"},
		{"_dtmd://x DingTalk://y", "＿dtmd：//x DingTalk：//y"},
		{"**b** `c` ~~d~~ | e", "＊＊b＊＊ ｀c｀ ～～d～～ ｜ e"},
		{"__init__ _x_", "＿＿init＿＿ ＿x＿"},
		{"# h #", "＃ h ＃"},
		{"- a", "－ a"}, {"+ a", "＋ a"}, {"1. a", "1． a"}, {"12) a", "12） a"}, {"---", "－--"}, {"===", "＝=="}, {"-5 °C", "-5 °C"}, {"1.5 GiB", "1.5 GiB"},
		{"R&D &lt;b&gt; &#91;x", "R&D ＆lt;b＆gt; ＆#91;x"},
		{`C:\path \[x\]`, `C:＼path ＼［x＼］`},
		{"see https://example.org/@me/a_b?x=1|2*3 ok", "see https://example.org/%40me/a_b?x=1%7C2%2A3 ok"},
		{"https://example.org/_x_", "https://example.org/%5Fx%5F"},
		{"a\x00b\u202ec", "abc"},
	} {
		if got := plainLine(c.in); got != c.want {
			t.Errorf("plainLine(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestLinkTarget(t *testing.T) {
	long := "https://example.org/" + strings.Repeat("a", maxURLBytes)
	for _, c := range []struct{ in, want string }{
		{"https://example.org/a(b)c d", "https://example.org/a%28b%29c%20d"},
		{"HTTP://example.org/<\">", "HTTP://example.org/%3C%22%3E"},
		{"https://example.org/@me", "https://example.org/%40me"},
		{"dtmd://dingtalkclient/sendMessage?content=x", ""}, {"dingtalk://x", ""}, {"mailto:a@example.org", ""}, {"javascript:alert(1)", ""},
		{"https://good.example@evil.example/", ""}, {"", ""}, {long, ""}, {long[:maxURLBytes], long[:maxURLBytes]},
	} {
		if got := linkTarget(c.in); got != c.want {
			t.Errorf("linkTarget(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestDialect(t *testing.T) {
	msg := bot.Message{Title: "周报", Notice: "周报第 1 期", Blocks: []bot.Block{
		{Kind: bot.BlockText, Text: "第一行\n第二行\n\n新段落"},
		{Kind: bot.BlockHeading, Text: "网络"},
		{Kind: bot.BlockItem, Title: "甲", URL: "https://example.org/1", Text: "一句话"},
		{Kind: bot.BlockItem, Title: "乙", Text: "a\nb", Level: 1},
		{Kind: bot.BlockItem, Title: "丙"},
		{Kind: bot.BlockDivider},
		{Kind: bot.BlockNote, Text: "注\n脚", Links: []bot.Link{{Text: "在线", URL: "https://example.org/o"}, {Text: "坏", URL: "dtmd://x"}}},
		{Kind: bot.BlockDivider},
	}}
	want := "### 周报 (2/3)\n\n第一行  \n  第二行\n\n新段落\n\n#### 网络\n\n" +
		"- [甲](https://example.org/1)  \n  一句话  \n  　◦ 乙  \n  　　a  \n  　　b\n- 丙\n\n———\n\n> 注  \n> 脚 · [在线](https://example.org/o) · 坏"
	got := renderPart(msg, 2, 3)
	if diff := cmp.Diff(want, got.text); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.notice != "周报第 1 期 (2/3)" {
		t.Errorf("notice %q", got.notice)
	}
}

func TestButtons(t *testing.T) {
	for n, want := range map[int]string{0: "sampleMarkdown", 1: "sampleActionCard", 2: "sampleActionCard2", 5: "sampleActionCard5", 8: "sampleActionCard5"} {
		links := bot.Block{Kind: bot.BlockLinks}
		for k := range n {
			links.Links = append(links.Links, bot.Link{Text: fmt.Sprint("阅读", k), URL: fmt.Sprintf("https://example.org/%d", k)})
		}
		c := render(bot.Message{Title: "t", Blocks: []bot.Block{links}}, "", fillBytes)
		key, param := c.app()
		if key != want {
			t.Errorf("%d links: msgKey %s, want %s", n, key, want)
		}
		body := string(apihttp.EncodeJSON(c.webhook("")))
		for k := range n { // none is lost, whatever it became
			url := fmt.Sprintf("https://example.org/%d", k)
			if strings.Count(body, url) != 1 || strings.Count(param, url) != 1 {
				t.Errorf("%d links: %s is not there once:\n%s\n%s", n, url, body, param)
			}
		}
		if strings.Contains(body, `"at"`) {
			t.Errorf("a post mentions: %s", body)
		}
	}
}

func TestPlainMessagesAreNeverEmpty(t *testing.T) {
	for _, msg := range []bot.Message{{}, {Title: "\u200b"}, {Blocks: []bot.Block{{Kind: bot.BlockItem}}}, {Blocks: []bot.Block{{Kind: bot.BlockDivider}}}} {
		if c := render(msg, "", fillBytes); c.notice == "" || c.text == "" {
			t.Errorf("%+v renders to %+v: the platform wants a title and a text", msg, c)
		}
	}
}

func TestMsgUUID(t *testing.T) {
	linked, plain := bot.Message{Blocks: []bot.Block{{Kind: bot.BlockItem, Title: "a", URL: "https://example.org"}}}, bot.Message{Blocks: []bot.Block{{Kind: bot.BlockText, Text: "a"}}}
	seen := map[string]bool{}
	for _, p := range []bot.Post{
		{Key: "k", Part: 1, Message: linked}, {Key: "k", Part: 2, Message: linked}, {Key: "l", Part: 1, Message: linked}, {Key: "k", Part: 1, Message: plain},
	} {
		id := msgUUID(p)
		if id == "" || seen[id] || id != msgUUID(p) {
			t.Errorf("msgUUID(%+v) = %q", p, id)
		}
		seen[id] = true
	}
	if id := msgUUID(bot.Post{Part: 1}); id != "" {
		t.Errorf("without a key: %q", id)
	}
}

func TestLongTitlesAreShortenedAtAWord(t *testing.T) {
	c := render(bot.Message{Title: strings.Repeat("weekly ", 100)}, "(1/2)", fillBytes)
	if !strings.HasSuffix(c.notice, "weekly… (1/2)") || utf8.RuneCountInString(c.notice) > maxNoticeRunes+6 {
		t.Errorf("notice %q", c.notice)
	}
}

// issueOf is a digest of n items with Chinese titles and real-looking links.
func issueOf(n int, text string) bot.Message {
	msg := bot.Message{Title: "云原生周报 第 300 期", Lang: "zh"}
	for k := range n {
		if k%15 == 0 {
			msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockHeading, Text: fmt.Sprintf("栏目 %d", k/15)})
		}
		msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockItem, Title: fmt.Sprintf("第%03d条：服务网格与可观测性的一些进展", k),
			URL: fmt.Sprintf("https://example.org/news/2026/11/%03d-service-mesh-and-observability", k), Text: text})
	}
	msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockLinks, Links: []bot.Link{{Text: "在线阅读", URL: "https://example.org/weekly/300"}}})
	return msg
}

// onlyWords checks that no foreign text in body acts: no tag, picture, code, emphasis, table, mention, or link that was not offered.
func onlyWords(t *testing.T, kind bot.Kind, body []byte) {
	t.Helper()
	seen := inspect(&testing.T{}, kind, body)
	for _, shape := range []string{"HTML", "Image", "Code", "Emphasis", "Strikethrough", "Table", "ThematicBreak"} {
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
	for _, s := range []string{"[x](dtmd://y) **b** <img>", "# h\n- l\n---\n1. x\n===", "https://example.org/_a_*b*[c](d) @all", "`c` ~~s~~ &lt;b&gt; a|b\n-|-", "www.example.org a@b.c"} {
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
	f.Add("标题 [x](dtmd://y)", "text **b** <img> @all", "https://example.org/a(b)", uint8(3))
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
				if got := size(kind, c); got > fillBytes {
					t.Errorf("%s: part %d is %d bytes", kind, k, got)
				}
				body, err := a.Preview(kind, bot.Post{Key: "k", Part: k + 1, Parts: len(parts), Message: part})
				if err != nil {
					t.Fatal(err)
				}
				onlyWords(t, kind, body)
				all.WriteString(c.text)
			}
			for k := range int(n) {
				if got := strings.Count(all.String(), fmt.Sprintf("item%03dx", k)); got != 1 && !strings.Contains(title+text+url, "item") {
					t.Errorf("%s: item %d is there %d times", kind, k, got)
				}
			}
		}
	})
}
