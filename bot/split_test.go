package bot

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// bytesOf is a stand-in for a rendered message: all text, one byte per block.
func bytesOf(m Message) int {
	n := len(m.Title)
	if m.Image != nil {
		n += len(m.Image.PNG)
	}
	for _, b := range m.Blocks {
		n += 1 + len(b.Text) + len(b.Title) + len(b.URL)
		for _, l := range b.Links {
			n += len(l.Text) + len(l.URL)
		}
	}
	return n
}

func atMost(limit int) func(Message) bool {
	return func(m Message) bool { return bytesOf(m) <= limit }
}

func TestSplitKeepsHeadingWithItsItems(t *testing.T) {
	msg := Message{Blocks: []Block{
		{Kind: BlockItem, Title: strings.Repeat("a", 20)},
		{Kind: BlockHeading, Text: "next"},
		{Kind: BlockItem, Title: strings.Repeat("b", 20)},
	}}
	parts := Split(msg, atMost(30))
	var got [][]BlockKind
	for _, p := range parts {
		var kinds []BlockKind
		for _, b := range p.Blocks {
			kinds = append(kinds, b.Kind)
		}
		got = append(got, kinds)
	}
	want := [][]BlockKind{{BlockItem}, {BlockHeading, BlockItem}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

func TestSplitCutsALongItem(t *testing.T) {
	text := strings.Repeat("每周一份技术摘要，按时送达。", 40) + " see https://example.org/a/very/long/path?with=query and 👩‍💻 done"
	msg := Message{Title: "t", Blocks: []Block{{Kind: BlockItem, Title: "title", URL: "https://example.org/x", Text: text}}}
	parts := Split(msg, atMost(300))
	var all strings.Builder
	for k, p := range parts {
		if n := bytesOf(p); n > 300 {
			t.Errorf("part %d is %d bytes", k, n)
		}
		for _, b := range p.Blocks {
			if !utf8.ValidString(b.Text) {
				t.Errorf("part %d is cut inside a character", k)
			}
			all.WriteString(b.Text)
		}
	}
	if parts[0].Blocks[0].URL == "" || parts[0].Blocks[0].Title != "title" {
		t.Errorf("the first part lost its title or link: %+v", parts[0].Blocks[0])
	}
	strip := func(s string) string { return strings.ReplaceAll(s, " ", "") }
	if got := all.String(); strip(got) != strip(text) {
		t.Errorf("text changed over the cut:\n%q", got)
	}
	for _, p := range parts {
		for _, b := range p.Blocks {
			if strings.Contains(b.Text, "https://") && !strings.Contains(b.Text, "https://example.org/a/very/long/path?with=query") {
				t.Errorf("a link was cut: %q", b.Text)
			}
		}
	}
}

func TestCutTextPrefersSentenceEnds(t *testing.T) {
	head, tail, ok := CutText("One is here. Two is there and long", func(s string) bool { return len(s) <= 17 })
	if !ok || head != "One is here." || tail != "Two is there and long" {
		t.Errorf("CutText = %q, %q, %v", head, tail, ok)
	}
}

// picture is a PNG as far as this package looks, of n bytes.
func picture(n int) *Image {
	return &Image{PNG: append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, n-8)...), Alt: "a picture"}
}

func TestSplitKeepsTheImageInTheFirstPart(t *testing.T) {
	msg := Message{Title: "t", Image: picture(100), Blocks: []Block{
		{Kind: BlockText, Text: strings.Repeat("a", 150)}, {Kind: BlockText, Text: strings.Repeat("b", 150)},
	}}
	parts := Split(msg, atMost(300))
	if len(parts) != 2 || parts[0].Image != msg.Image || parts[1].Image != nil {
		t.Fatalf("%d parts %+v, want two, the image in the first", len(parts), parts)
	}
	for k, p := range parts {
		if n := bytesOf(p); n > 300 {
			t.Errorf("part %d is %d bytes with its image", k, n)
		}
	}
	if again := Split(parts[0], atMost(300)); len(again) != 1 || again[0].Image != msg.Image {
		t.Errorf("splitting the first part again = %+v", again)
	}
	if msg.Image == nil {
		t.Error("Split took the image from the caller's message")
	}
}

func TestSplitLeavesOutAnImageThatCannotBePosted(t *testing.T) {
	for name, img := range map[string]*Image{
		"too large for a part": picture(301),
		"too large at all":     picture(MaxImageBytes + 1),
		"no PNG":               {PNG: []byte("GIF89a, or so"), Alt: "a picture"},
		"empty":                {Alt: "a picture"},
	} {
		limit := atMost(300)
		if name == "too large at all" {
			limit = atMost(1 << 20)
		}
		parts := Split(Message{Title: "t", Image: img, Blocks: []Block{{Kind: BlockText, Text: "words"}}}, limit)
		if len(parts) != 1 || parts[0].Image != nil || parts[0].Blocks[0].Text != "words" {
			t.Errorf("%s: %+v, want the words alone", name, parts)
		}
		alone := Split(Message{Image: img}, limit)
		if len(alone) != 1 || alone[0].Image != nil || len(alone[0].Blocks) != 1 || alone[0].Blocks[0].Text != "a picture" {
			t.Errorf("%s, alone: %+v, want what it would have shown", name, alone)
		}
	}
}

func TestSplitImageMakesAPartOfItsOwn(t *testing.T) {
	split := func(m Message) []Message { return Split(m, atMost(60)) }
	msg := Message{Title: "t", Lang: "en", Image: picture(5000), Blocks: []Block{{Kind: BlockText, Text: strings.Repeat("a b ", 20)}}}
	parts := SplitImage(msg, split)
	last := parts[len(parts)-1]
	if len(parts) != 3 || !last.OnlyImage() || last.Image != msg.Image || last.Lang != "en" {
		t.Fatalf("%+v, want two parts of text and one image", parts)
	}
	for k, p := range parts {
		if k < 2 && (p.Image != nil || p.OnlyImage()) {
			t.Errorf("part %d has the image too", k)
		}
		if diff := cmp.Diff([]Message{p}, SplitImage(p, split)); diff != "" {
			t.Errorf("splitting part %d again changes it (-part +again):\n%s", k, diff)
		}
	}
	for _, img := range []*Image{nil, {PNG: []byte("GIF"), Alt: "x"}} {
		msg.Image = img
		for _, p := range SplitImage(msg, split) {
			if p.Image != nil {
				t.Errorf("with %v: a part with an image", img)
			}
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("标题", "text with words", "https://example.org/", uint16(40))
	f.Add("👩‍💻👩‍💻👩‍💻", strings.Repeat("长", 300), "", uint16(20))
	f.Fuzz(func(t *testing.T, title, text, url string, limit uint16) {
		if !utf8.ValidString(title) || !utf8.ValidString(text) || len(text) > 600 || len(title) > 200 {
			t.Skip()
		}
		msg := Message{Blocks: []Block{
			{Kind: BlockHeading, Text: "heading"},
			{Kind: BlockItem, Title: title, URL: url, Text: text},
			{Kind: BlockText, Text: text},
			{Kind: BlockItem, Title: "last", URL: url},
		}}
		fits := atMost(int(limit%2000) + 64 + len(url))
		parts := Split(msg, fits)
		items := 0
		var all strings.Builder
		for _, p := range parts {
			if again := Split(p, fits); len(again) != 1 && fits(p) {
				t.Errorf("splitting a part again gives %d parts", len(again))
			}
			for _, b := range p.Blocks {
				if b.Kind == BlockItem {
					items++
				}
				all.WriteString(b.Title + b.Text)
			}
		}
		if items != 2 {
			t.Errorf("%d items, want 2", items)
		}
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if want, got := squeeze("heading"+title+text+text+"last"), squeeze(all.String()); want != got {
			t.Errorf("words changed:\nwant %q\ngot  %q", want, got)
		}
	})
}
