package wecom

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
)

func TestPreview(t *testing.T) {
	a := newTestAdapter(t, Config{}, Deps{})
	p := bot.Post{Key: "k", Part: 2, Parts: 3, Message: bot.Message{Title: "周报 <1> & more", Blocks: []bot.Block{
		{Kind: bot.BlockItem, Title: "eBPF", URL: "https://example.org/?a=1&b=2"}}}}
	for kind, want := range map[bot.Kind]string{
		KindWebhook: `{"msgtype":"markdown_v2","markdown_v2":{"content":"## 周报 ＜1＞ & more (2/3)\n\n- [eBPF](https://example.org/?a=1&b=2)"}}`,
		KindApp: `{"touser":"USER","msgtype":"markdown","agentid":1000002,"markdown":{"content":"## 周报 ＜1＞ & more (2/3)\n\n[eBPF](https://example.org/?a=1&b=2)"},` +
			`"enable_duplicate_check":1,"duplicate_check_interval":14400}`,
		KindAppChat: `{"chatid":"CHAT","msgtype":"markdown","markdown":{"content":"## 周报 ＜1＞ & more (2/3)\n\n[eBPF](https://example.org/?a=1&b=2)"}}`,
		KindAIBot:   `{"chatid":"CHAT","msgtype":"markdown","markdown":{"content":"## 周报 ＜1＞ & more (2/3)\n\n- [eBPF](https://example.org/?a=1&b=2)"}}`,
	} {
		if got, err := a.Preview(kind, p); err != nil || string(got) != want {
			t.Errorf("Preview(%s) = %s, %v\nwant %s", kind, got, err, want)
		}
	}
	if _, err := a.Preview("fax", p); err == nil {
		t.Error("Preview of an unknown kind succeeded")
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		d             dialect
		in, mid, line string
	}{
		{markdownV2, "# not a heading", "# not a heading", "＃ not a heading"},
		{markdownV2, "- not a list", "- not a list", "• not a list"},
		{markdownV2, "-v is a flag", "-v is a flag", "-v is a flag"},
		{markdownV2, "---", "---", "－－－"},
		{markdownV2, "= = =", "= = =", "＝ ＝ ＝"},
		{markdownV1, "<@all> <font color=red>", "＜@all＞ ＜font color=red＞", "＜@all＞ ＜font color=red＞"},
		{markdownV1, "&lt;@all&#62; a&b;c &;", "＆lt;@all＆#62; a＆b;c &;", "＆lt;@all＆#62; a＆b;c &;"},
		{markdownV2, "kube_proxy _it_ __x__", "kube_proxy ＿it＿ ＿＿x＿＿", "kube_proxy ＿it＿ ＿＿x＿＿"},
		{markdownV2, `a|b *c* ` + "`d`" + ` \u4e2d ~~e~~ ~f`, "a｜b ＊c＊ ｀d｀ ＼u4e2d ～～e～～ ~f", "a｜b ＊c＊ ｀d｀ ＼u4e2d ～～e～～ ~f"},
		{markdownV2, "two\nlines\u2028and\ta\x00tab", "two lines and atab", "two lines and atab"},
		{plainText, "<a href=x> # [y] \\n", "＜a href=x> # [y] \\n", "＜a href=x> # [y] \\n"},
	} {
		if got := c.d.text(c.in); got != c.mid {
			t.Errorf("text(%q) = %q, want %q", c.in, got, c.mid)
		}
		if got := c.d.line(c.in); got != c.line {
			t.Errorf("line(%q) = %q, want %q", c.in, got, c.line)
		}
	}
}

func TestLinks(t *testing.T) {
	long := "https://example.org/" + strings.Repeat("a", maxURLBytes)
	for _, c := range []struct{ lang, url, want string }{
		{"zh", "https://example.org/a(b)?q=a b", "[T](https://example.org/a%28b%29?q=a%20b)"},
		{"zh", "https://example.org/周报?q=周#周", "[T](https://example.org/%E5%91%A8%E6%8A%A5?q=%E5%91%A8#%E5%91%A8)"},
		{"zh", "https://例子.example/x", "[T](https://例子.example/x)"},
		{"zh", "javascript:alert(1)", "T"},
		{"zh", "mailto:a@example.org", "T"},
		{"zh", "", "T"},
		{"zh", long, "T（链接过长，此处无法显示）"},
		{"en", long, "T (its link is too long to show here)"},
		{"en", "https://example.org/" + strings.Repeat("周", maxURLBytes/9), "T (its link is too long to show here)"},
	} {
		if got := markdownV2.link("T", c.url, c.lang); got != c.want {
			t.Errorf("link(%q) = %q, want %q", c.url, got, c.want)
		}
	}
}

func TestEmptyMessage(t *testing.T) {
	a := newTestAdapter(t, Config{}, Deps{})
	for want, msg := range map[string]bot.Message{"…": {}, "nothing new": {Notice: "nothing new"}} {
		if got := render(a.form(KindWebhook), msg, 1, 1); got != want {
			t.Errorf("render(%+v) = %q, want %q", msg, got, want)
		}
	}
}

func TestLongTitleIsKept(t *testing.T) {
	a := newTestAdapter(t, Config{}, Deps{})
	title := strings.Repeat("一个很长的标题，", 300)
	parts := a.Split(KindApp, bot.Message{Title: title, Blocks: []bot.Block{{Kind: bot.BlockText, Text: "the end"}}})
	var all strings.Builder
	for k, p := range parts {
		text := render(a.form(KindApp), p, k+1, len(parts))
		if len(text) > fillAppBytes || !strings.HasPrefix(text, "## 一个很长的标题") {
			t.Errorf("part %d: %d bytes, begins %.40q", k+1, len(text), text)
		}
		for _, b := range p.Blocks {
			all.WriteString(b.Text)
		}
	}
	if got := strings.Count(parts[0].Title+all.String(), "标"); got != 300 || len(parts) < 3 {
		t.Errorf("%d of 300 words of the title in %d parts", got, len(parts))
	}
}

// TestUnsplit: a message that was not split is refused, never cut.
func TestUnsplit(t *testing.T) {
	a := newTestAdapter(t, Config{}, Deps{})
	msg, _ := bigIssue()
	_, err := a.Send(t.Context(), bot.Channel{Kind: KindWebhook, URL: "key"}, bot.Post{Part: 1, Parts: 1, Message: msg})
	if err == nil || err.(*bot.SendError).Code != "too_long" {
		t.Errorf("Send = %v, want too_long", err)
	}
}

var escaped = regexp.MustCompile(`\\u[0-9a-fA-F]{4}`)

// FuzzRenderSplit: whatever foreign text is in it, a message arrives in parts within the limit, in order, with all its items, each
// link leading where the item says, and nothing in it that pings, formats or is refused.
func FuzzRenderSplit(f *testing.F) {
	f.Add("标题 <@all>", "text\n# [x](https://evil.example) `code`", "https://example.org/a(b)", "label ]( **b**", uint8(3), uint8(40))
	f.Add(strings.Repeat("a\u0301\u0301", 200), strings.Repeat("👩‍💻", 60), "https://example.org/"+strings.Repeat("a", 1100), strings.Repeat("长", 100), uint8(0), uint8(1))
	f.Add("a"+strings.Repeat("\u0301", 1200), "---\n===\n- x\n> y\n```", "javascript:alert(1)", "&lt;@all&gt; \\u4e2d", uint8(1), uint8(9))
	a := newTestAdapter(f, Config{WebhookMarkdown: "v1"}, Deps{})
	b := newTestAdapter(f, Config{}, Deps{})
	f.Fuzz(func(t *testing.T, title, text, link, label string, which, items uint8) {
		if len(title)+len(text)+len(link)+len(label) > 4000 {
			t.Skip()
		}
		kind := []bot.Kind{KindWebhook, KindApp, KindAppChat, KindAIBot}[which%4]
		adapter, dialect := b, map[bot.Kind]string{KindWebhook: "markdown_v2", KindAIBot: "markdown_v2"}[kind]
		if which&4 != 0 {
			adapter = a
		}
		if dialect == "" || kind == KindWebhook && adapter == a {
			dialect = "markdown"
		}
		msg := bot.Message{Title: title, Notice: label, Blocks: []bot.Block{{Kind: bot.BlockHeading, Text: label}, {Kind: bot.BlockText, Text: text}}}
		var want []string
		for k := range int(items % 12) {
			url := fmt.Sprintf("https://example.org/item/%d", k)
			msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockItem, Title: fmt.Sprintf("item %d %s", k, title), URL: url, Text: text, Level: k % 2})
			want = append(want, url)
		}
		msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockLinks, Links: []bot.Link{{Text: label, URL: link}}},
			bot.Block{Kind: bot.BlockNote, Text: label, Links: []bot.Link{{Text: title, URL: link}}}, bot.Block{Kind: "unknown", Title: label, Text: title, URL: link})
		parts := adapter.Split(kind, msg)
		var links []string
		for k, part := range parts {
			body, err := adapter.Preview(kind, bot.Post{Part: k + 1, Parts: len(parts), Message: part})
			if err != nil || !utf8.Valid(body) || escaped.Match(body) {
				t.Fatalf("part %d: %v, %.200q", k+1, err, body)
			}
			content := render(adapter.form(kind), part, k+1, len(parts))
			if len(content) > adapter.form(kind).fillBytes || strings.TrimSpace(content) == "" {
				t.Errorf("part %d of %d has %d bytes, limit %d", k+1, len(parts), len(content), adapter.form(kind).fillBytes)
			}
			seen := twin.Read(dialect, content)
			if len(seen.Mentions) > 0 || strings.Contains(string(seen.HTML), "<code>") || strings.Contains(string(seen.HTML), "<b>") ||
				strings.Contains(string(seen.HTML), "<i>") || strings.Contains(string(seen.HTML), "<span") || strings.Contains(string(seen.HTML), `class="pre"`) {
				t.Errorf("part %d is formatted by foreign text: %s", k+1, seen.HTML)
			}
			links = append(links, seen.Links...)
		}
		own, _ := linkURL(link)
		got := slices.DeleteFunc(links, func(l string) bool { return l == own })
		if slices.Contains(want, own) {
			return
		}
		if !slices.Equal(got, want) {
			t.Errorf("links %q, want %q and %q", got, want, own)
		}
	})
}

// FuzzPlainJSON: what json.Marshal writes becomes what an encoder without HTML escapes writes.
func FuzzPlainJSON(f *testing.F) {
	f.Add(`<a> & \u003c \\u003c "q" \`)
	f.Add("\\\\u003c\u2028\x01")
	f.Fuzz(func(t *testing.T, s string) {
		marshalled, err := json.Marshal(map[string]string{"x": s})
		if err != nil {
			t.Skip()
		}
		want, err := encode(map[string]string{"x": s})
		if got := plainJSON(append(marshalled, '\n')); err != nil || string(got) != string(want) {
			t.Errorf("plainJSON = %s, want %s", got, want)
		}
		plainJSON([]byte(s)) // whatever it is, it ends
	})
}
