package adaptertest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"

	"weeklybot/bot"
)

// unknownBlock is point 8, first half: a block that the adapter does not know is shown as text.
func (s *suite) unknownBlock(t *testing.T) {
	s.eachKind(t, s.allKinds(), func(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind) {
		msg := bot.Message{Title: "Trend", Lang: "en", Blocks: []bot.Block{
			{Kind: "sparkline", Title: "figuretitle", Text: "figuretext ▁▂▅▇", URL: "https://example.org/figure",
				Links: []bot.Link{{Text: "figurelink", URL: "https://example.org/figurelink"}}},
			{Kind: bot.BlockText, Text: "afterwards"},
		}}
		var all Seen
		for _, c := range s.deliver(t, f, a, kind, "unknown", split(t, a, kind, msg)) {
			seen := s.Inspect(t, kind, c.Body)
			all.Text += seen.Text
			all.Links = append(all.Links, seen.Links...)
		}
		for _, want := range []string{"figuretitle", "figuretext", "▁▂▅▇", "figurelink", "afterwards"} {
			if !strings.Contains(all.Text, want) {
				t.Errorf("a block of unknown kind: %q cannot be read in %q", want, all.Text)
			}
		}
		for _, want := range []string{"https://example.org/figure", "https://example.org/figurelink"} {
			if !slices.Contains(all.Links, want) {
				t.Errorf("a block of unknown kind: the link %s got lost: %q", want, all.Links)
			}
		}
		if slices.Contains(s.Kinds, kind) {
			s.send(t, t.Context(), a, s.Channel(kind, f.URL), post(bot.Message{})) // whatever it says, it must not panic
		}
	})
}

// hostile is what a newsletter or a member might write to make the bot say or do something else.
var hostile = []string{
	"<!channel>", "<!here>", "<!everyone|x>", "<!subteam^S1>", "<@U1>", "<#C1|general>", "<@all>", "@all", "@All", "@所有人", "@channel", "@here", "<@userid>", "@13800138000",
	"&lt;!channel&gt;", "&amp;lt;!channel>", "\\<!channel>", "<\u200b!channel>", "@\u200ball", "@\u2060所有人", "＠all",
	"](javascript:alert(1))", "[safe](javascript:alert(1))", "[safe](https://evil.example/)", "![x](https://evil.example/x.png)", "[safe][1]\n\n[1]: https://evil.example/",
	"<https://evil.example|safe>", "<javascript:alert(1)|safe>", "|https://evil.example>", "<a href=\"https://evil.example\">safe</a>", "<a href=//evil.example>safe",
	"[safe](dtmd://dingtalkclient/sendMessage?content=x)", "dtmd://dingtalkclient/sendMessage", "[safe](tel:110)", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>",
	"**bold**", "__bold__", "*bold*", "_it_", "~~gone~~", "~gone~", "`code`", "```", "```\ncode\n```", "> quote", "# heading", "### heading", "- list", "1. list", "---", "***", "| a | b |\n|---|---|",
	"<font color=\"warning\">", "<font color=red>x</font>", "</font>", "<at id=all></at>", "<at user_id=\"all\">x</at>", "<person id=x></person>", "<text_tag color='red'>x</text_tag>", ":smile:", ":here:",
	"\n# heading", "\n\n> quote\n", "\n- list", "\n\n---\n\n", "\r\n\r\nsecond", "a\nb", "\u2028# heading", "\u0085# heading",
	"\"", "'", "\\", "\\n", "\\u0040all", "\",\"msgtype\":\"text\",\"x\":\"", "{{.}}", "${title}", "$(id)", "%s%n", "\x00", "\x1b[31mred\x1b[0m", "\x1b]8;;https://evil.example\x07safe\x1b]8;;\x07", "\x9b2J", "\b\b\b",
	"\u202egnp.exe", "\u2066\u2069", "\u200f", "\ufeff", "\xff\xfe", "\xed\xa0\x80", "(2/3)", "|", "||", "<", ">", "&", "<<<>>>", "]]>", "<!--", "-->",
}

// hostileURLs must lead nowhere, or only to example.org.
var hostileURLs = []string{
	"javascript:alert(1)", "JavaScript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd",
	"dtmd://dingtalkclient/sendMessage?content=x", "slack://open", "tel:110", "//evil.example/", "https:evil.example", "https://example.org@evil.example/", "http://", "not a url", "",
	"https://example.org/)[safe](javascript:alert(1)", "https://example.org/|safe> <!channel>", "https://example.org/> <@U1>", "https://example.org/\"onclick=\"alert(1)", "https://example.org/\n\n# heading",
	"https://example.org/ **bold**", "https://example.org/`code`", "https://example.org/<font>", "https://example.org/\u202egnp.exe", "https://example.org/\x1b[31m", "https://example.org/%zz", "https://example.org/a(b)c",
	"https://example.org/@all", "https://example.org/?a=1&b=%3C!channel%3E#@所有人", "https://example.org/\xff",
}

const plainURL = "https://example.org/plain"

// infected is a message with text in every field that can hold foreign text, between two words that must stay readable.
func infected(text, link string) (msg bot.Message, readable []string) {
	n := 0
	mark := func() string {
		n++
		readable = append(readable, fmt.Sprintf("alpha%d", n), fmt.Sprintf("omega%d", n))
		return fmt.Sprintf("alpha%d %s omega%d", n, text, n)
	}
	msg = bot.Message{Lang: "en", Title: mark(), Blocks: []bot.Block{
		{Kind: bot.BlockHeading, Text: mark()},
		{Kind: bot.BlockItem, Title: mark(), URL: link, Text: mark()},
		{Kind: bot.BlockItem, Title: mark(), Text: mark(), Level: 1},
		{Kind: bot.BlockText, Text: mark()},
		{Kind: bot.BlockDivider},
		{Kind: bot.BlockLinks, Links: []bot.Link{{Text: mark(), URL: link}}},
		{Kind: bot.BlockNote, Text: mark(), Links: []bot.Link{{Text: mark(), URL: link}}},
		{Kind: "unknown", Title: mark(), Text: mark(), URL: link},
	}}
	msg.Notice = "notice " + text
	return msg, readable
}

// injection is point 8, second half: foreign text stays text.
func (s *suite) injection(t *testing.T) {
	s.eachKind(t, s.allKinds(), func(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind) {
		inspect := func(t *testing.T, text, link string) Seen {
			msg, readable := infected(text, link)
			parts := split(t, a, kind, msg)
			var all Seen
			for _, c := range s.deliver(t, f, a, kind, "injection", parts) {
				seen := s.Inspect(t, kind, c.Body)
				s.within(t, kind, a.Capabilities(kind), seen, c.Body)
				all.Text += seen.Text + "\n"
				all.Shape += seen.Shape
				all.Links = append(all.Links, seen.Links...)
				all.Mentions = append(all.Mentions, seen.Mentions...)
			}
			for _, word := range readable {
				if !strings.Contains(all.Text, word) {
					t.Errorf("%q cannot be read any more in:\n%s", word, all.Text)
				}
			}
			harmless(t, all)
			return all
		}
		plain := inspect(t, "plain", plainURL)
		for _, text := range hostile {
			t.Run(fmt.Sprintf("text %q", text), func(t *testing.T) {
				seen := inspect(t, text, plainURL)
				if countParts(a, kind, text) == countParts(a, kind, "plain") && seen.Shape != plain.Shape {
					t.Errorf("%q changes the layout\nfrom %s\nto   %s", text, plain.Shape, seen.Shape)
				}
			})
		}
		for _, link := range hostileURLs {
			t.Run(fmt.Sprintf("URL %q", link), func(t *testing.T) { inspect(t, "plain", link) })
		}
	})
}

func countParts(a bot.Adapter, kind bot.Kind, text string) int {
	msg, _ := infected(text, plainURL)
	return len(a.Split(kind, msg))
}

// harmless checks what no foreign text may bring about.
func harmless(t *testing.T, seen Seen) {
	t.Helper()
	if len(seen.Mentions) > 0 {
		t.Errorf("foreign text mentions %q", seen.Mentions)
	}
	for _, link := range seen.Links {
		u, err := url.Parse(link)
		shown := strings.Contains(seen.Text, link) // a bare URL in a text leads where it says
		switch {
		case err != nil || u.Scheme != "https" && u.Scheme != "http":
			t.Errorf("foreign text made a link to %q: only http and https are allowed (apihttp.CleanURL)", link)
		case u.Hostname() != "example.org" && !shown:
			t.Errorf("foreign text forged a link to %q behind other words", link)
		case u.Hostname() == "example.org" && strings.ContainsAny(link, "<>|\"` \n\r\t\x1b"):
			t.Errorf("the link %q can end the markup around it (apihttp.CleanURL)", link)
		}
	}
	for _, r := range seen.Text {
		if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) {
			t.Errorf("the text holds %U, which can hide or turn what stands there (apihttp.CleanText)", r)
			return
		}
	}
}
