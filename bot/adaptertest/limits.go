package adaptertest

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weeklybot/bot"
)

const technologist = "👩‍💻" // woman, zero-width joiner, laptop: one character as people see it, 11 bytes

// fills are the characters that long texts are made of. mark is counted: it is in nothing else that a part shows.
var fills = []struct {
	name, mark string
	text       func(n int) string
}{
	{"ascii_words", "q", func(n int) string { return words("qqqqq", n) }},
	{"ascii_unbroken", "q", func(n int) string { return strings.Repeat("q", n) }},
	{"cjk", "周", func(n int) string { return strings.Repeat("周", n) }},
	{"emoji", technologist, func(n int) string { return strings.Repeat(technologist, n) }},
}

// words are n times the letter of word, in words of its length.
func words(word string, n int) string {
	return strings.TrimSpace(strings.Repeat(word+" ", n/len(word)) + word[:n%len(word)])
}

// shapes are messages that grow with n. marks is how often the fill's mark is in them; most is the largest n that is tried.
var shapes = []struct {
	name  string
	most  int
	build func(text func(int) string, n int) bot.Message
	marks func(n int) int
	items func(n int) int
}{
	{"long_text", 40000, longText, func(n int) int { return n }, func(int) int { return 2 }},
	{"long_title", 8000, longTitle, func(n int) int { return n }, func(int) int { return 2 }},
	{"long_paragraph", 40000, longParagraph, func(n int) int { return n }, func(int) int { return 1 }},
	{"many_items", 300, manyItems, func(n int) int { return n * 30 }, func(n int) int { return n }},
}

func itemName(k int) string { return fmt.Sprintf("entry%04dx", k) }
func itemURL(k int) string  { return fmt.Sprintf("https://example.org/n/%04d", k) }

func item(k int, title, text string) bot.Block {
	return bot.Block{Kind: bot.BlockItem, Title: title, URL: itemURL(k), Text: text}
}

func limitMessage(blocks ...bot.Block) bot.Message {
	return bot.Message{Title: "Limits 上限", Notice: "Limits", Lang: "zh", Blocks: blocks}
}

func longText(text func(int) string, n int) bot.Message {
	return limitMessage(item(0, itemName(0), text(n)), item(1, itemName(1), ""))
}

func longTitle(text func(int) string, n int) bot.Message {
	return limitMessage(item(0, itemName(0)+" "+text(n), ""), item(1, itemName(1), ""))
}

func longParagraph(text func(int) string, n int) bot.Message {
	return limitMessage(bot.Block{Kind: bot.BlockText, Text: text(n)}, item(0, itemName(0), ""))
}

func manyItems(text func(int) string, n int) bot.Message {
	var blocks []bot.Block
	for k := range n {
		if k%12 == 0 {
			blocks = append(blocks, bot.Block{Kind: bot.BlockHeading, Text: fmt.Sprintf("Section %d", k/12)})
		}
		b := item(k, itemName(k), text(30))
		if k%4 == 3 {
			b.Level = 1
		}
		blocks = append(blocks, b)
	}
	return limitMessage(blocks...)
}

// limits is point 2: at the limit, one over and far over, nothing is lost, torn or too large.
func (s *suite) limits(t *testing.T) {
	s.eachKind(t, s.allKinds(), func(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind) {
		for _, shape := range shapes {
			for _, fill := range fills {
				t.Run(shape.name+"/"+fill.name, func(t *testing.T) {
					build := func(n int) bot.Message { return shape.build(fill.text, n) }
					at := largest(shape.most, func(n int) bool { return len(a.Split(kind, build(n))) == 1 })
					sizes := map[string]int{"at the limit": at, "one over": at + 1, "far over": min(4*at+7, shape.most)}
					if at == shape.most {
						sizes = map[string]int{"a lot": at}
					}
					for name, n := range sizes {
						s.wholeOver(t, f, a, kind, name, build(n), fill.mark, shape.marks(n), shape.items(n))
					}
				})
			}
		}
	})
}

// largest is the largest n up to most for which one holds. It doubles first: splitting is dear where messages are long.
func largest(most int, one func(n int) bool) int {
	over := 64
	for over < most && one(over) {
		over *= 2
	}
	return sort.Search(min(over, most), func(n int) bool { return !one(n + 1) })
}

// wholeOver delivers msg in as many parts as Split makes, and checks that together they are msg.
func (s *suite) wholeOver(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind, name string, msg bot.Message, mark string, marks, items int) {
	t.Helper()
	parts := split(t, a, kind, msg)
	for k, part := range parts {
		if diff := cmp.Diff([]bot.Message{part}, a.Split(kind, part)); diff != "" {
			t.Errorf("%s: splitting part %d of %d again changes it (-part +again):\n%.2000s", name, k+1, len(parts), diff)
		}
	}
	var all strings.Builder
	links := map[string]int{}
	for _, c := range s.deliver(t, f, a, kind, "limits", parts) {
		seen := s.Inspect(t, kind, c.Body)
		s.within(t, kind, a.Capabilities(kind), seen, c.Body)
		wholeCharacters(t, seen.Text)
		all.WriteString(seen.Text + "\n")
		for _, l := range seen.Links {
			links[l]++
		}
	}
	if got := strings.Count(all.String(), mark); got != marks {
		t.Errorf("%s: %d of %q over %d parts, want %d: text was lost, doubled or torn", name, got, mark, len(parts), marks)
	}
	for k := range items {
		if got := strings.Count(all.String(), itemName(k)); got != 1 {
			t.Errorf("%s: item %s is there %d times over %d parts, want once", name, itemName(k), got, len(parts))
		}
		if links[itemURL(k)] == 0 {
			t.Errorf("%s: the link of item %s got lost over %d parts", name, itemName(k), len(parts))
		}
	}
}

// wholeCharacters finds a character that was cut: invalid UTF-8, or half of the technologist.
func wholeCharacters(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("a part is not valid UTF-8: a character was cut (cut with bot.CutText)")
	}
	if strings.ContainsAny(strings.ReplaceAll(text, technologist, ""), "👩💻\u200d") {
		t.Errorf("a part holds half of %s: a character was cut, or its joiner removed", technologist)
	}
}

// within compares a payload with what Capabilities names.
func (s *suite) within(t *testing.T, kind bot.Kind, caps bot.Capabilities, seen Seen, body []byte) {
	t.Helper()
	if !utf8.Valid(body) {
		t.Errorf("kind %s: the body is not valid UTF-8", kind)
	}
	for _, limit := range []struct {
		name     string
		got, max int
	}{
		{"Bytes", seen.Bytes, caps.MaxBytes},
		{"Runes", seen.Runes, caps.MaxRunes},
		{"TotalRunes", seen.TotalRunes, caps.MaxTotalRunes},
		{"Blocks", seen.Blocks, caps.MaxBlocks},
	} {
		if limit.max > 0 && limit.got == 0 && !seen.Image {
			t.Errorf("kind %s: Capabilities names Max%s, but Inspect measured no %s", kind, limit.name, limit.name)
		}
		if limit.max > 0 && limit.got > limit.max {
			t.Errorf("kind %s: a part has %s %d, over the limit of %d:\n%.300s", kind, limit.name, limit.got, limit.max, body)
		}
	}
}
