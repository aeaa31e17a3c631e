package bot

import (
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Split cuts msg into parts, in order, such that fits holds for each, keeping every block and every word. It is the shared half
// of Adapter.Split: the adapter brings fits, which renders a candidate (with the largest part label it may get) and measures it
// against the platform's limits. fits must be monotone: what fits still fits with less in it.
//
// Blocks are kept whole where they can be; a block that fits nowhere is cut at line ends, sentence or word borders. A heading never
// ends a part. What cannot be cut (one enormous link) is passed on as it is: the adapter must degrade it when rendering. An image stays
// in the first part, and is left out when there is no room for it beside the title.
func Split(msg Message, fits func(Message) bool) []Message {
	if msg.Image != nil && (!msg.Image.Usable() || !fits(Message{Title: msg.Title, Notice: msg.Notice, Lang: msg.Lang, Image: msg.Image})) {
		msg = msg.WithoutImage()
	}
	if fits(msg) || len(msg.Blocks) == 0 {
		return []Message{msg}
	}
	with := func(blocks []Block) Message {
		part := msg
		part.Blocks = blocks
		return part
	}
	var parts []Message
	rest := slices.Clone(msg.Blocks)
	for len(rest) > 0 {
		n := sort.Search(len(rest), func(k int) bool { return !fits(with(rest[:k+1])) })
		if n == 0 {
			head, tail := cutBlock(rest[0], func(b Block) bool { return fits(with([]Block{b})) })
			rest = append(append(head, tail...), rest[1:]...)
			n = len(head)
		} else if n < len(rest) {
			n = withoutLooseEnd(rest, n)
		}
		parts = append(parts, with(slices.Clone(rest[:n])))
		rest, msg.Image = rest[n:], nil
	}
	return parts
}

// withoutLooseEnd moves headings and dividers at the end of rest[:n] into the next part, unless nothing else is left.
func withoutLooseEnd(rest []Block, n int) int {
	k := n
	for k > 0 && (rest[k-1].Kind == BlockHeading || rest[k-1].Kind == BlockDivider) {
		k--
	}
	if k == 0 {
		return n
	}
	return k
}

// cutBlock cuts the one block that does not fit. head is never empty; with an empty tail the block could not be cut.
func cutBlock(b Block, fits func(Block) bool) (head, tail []Block) {
	if b.Text != "" {
		first, more := b, b
		var ok bool
		first.Text, more.Text, ok = CutText(b.Text, func(s string) bool { first := b; first.Text = s; return fits(first) })
		if ok && first.Text == "" && b.Kind != BlockItem {
			return []Block{b}, nil
		}
		if ok {
			if b.Kind == BlockItem {
				more = Block{Kind: BlockText, Text: more.Text}
			}
			return []Block{first}, []Block{more}
		}
	}
	if b.Title != "" {
		if title, more, ok := CutText(b.Title, func(s string) bool { first := b; first.Title, first.Text = s, ""; return fits(first) }); ok && title != "" {
			first := b
			first.Title, first.Text = title, ""
			return []Block{first}, []Block{{Kind: BlockText, Text: strings.TrimSpace(more + "\n" + b.Text)}}
		}
	}
	if len(b.Links) > 1 {
		n := max(1, sort.Search(len(b.Links), func(k int) bool { first := b; first.Links = b.Links[:k+1]; return !fits(first) }))
		first, more := b, b
		first.Links, more.Links, more.Text = b.Links[:n], b.Links[n:], ""
		return []Block{first}, []Block{more}
	}
	return []Block{b}, nil
}

var bareURL = regexp.MustCompile(`https?://[^\s<>"'，。；：、（）【】《》“”]+`)

// CutText cuts s into the longest head that fits and the rest, at the last line end, else sentence end, else word border in reach;
// inside a word or a bare URL only when it alone fits nowhere, and never inside a character as people see it (grapheme cluster).
// ok is false when all of s fits, or not even the empty head does.
func CutText(s string, fits func(string) bool) (head, tail string, ok bool) {
	if fits(s) || !fits("") {
		return s, "", false
	}
	window := firstTooLong(s, fits)
	breaks := wordBreaks(window)
	n := sort.Search(len(breaks), func(k int) bool { return !fits(strings.TrimSpace(s[:breaks[k]])) })
	if n == 0 {
		breaks = graphemeBreaks(window)
		n = sort.Search(len(breaks), func(k int) bool { return !fits(s[:breaks[k]]) })
		if n == 0 {
			return "", s, true
		}
	}
	at := breaks[n-1]
	if better := betterBreak(s, breaks[:n]); better > 0 {
		at = better
	}
	return strings.TrimSpace(s[:at]), strings.TrimSpace(s[at:]), true
}

// firstTooLong is a prefix of s that does not fit, at most about twice as long as needed: cutting stays linear in s.
func firstTooLong(s string, fits func(string) bool) string {
	for n := 1024; n < len(s); n *= 2 {
		for n < len(s) && !utf8.RuneStart(s[n]) {
			n++
		}
		if n < len(s) && !fits(s[:n]) {
			return s[:n]
		}
	}
	return s
}

// betterBreak is the last of breaks that follows a line or sentence end and lies in the last third of what fits; 0 = none.
func betterBreak(s string, breaks []int) int {
	last := breaks[len(breaks)-1]
	for _, ends := range []string{"\n", "。！？；.!?;"} {
		for k := len(breaks) - 1; k >= 0 && breaks[k] >= last*2/3; k-- {
			before := s[:breaks[k]]
			if ends != "\n" {
				before = strings.TrimRight(before, " ")
			}
			if r := []rune(before[max(0, len(before)-4):]); len(r) > 0 && strings.ContainsRune(ends, r[len(r)-1]) {
				return breaks[k]
			}
		}
	}
	return 0
}

// wordBreaks are the byte offsets where a line may be broken (Unicode line breaking), without those inside bare URLs.
func wordBreaks(s string) []int {
	urls := bareURL.FindAllStringIndex(s, -1)
	var breaks []int
	state, rest, at := -1, s, 0
	for len(rest) > 0 {
		var segment string
		segment, rest, _, state = uniseg.FirstLineSegmentInString(rest, state)
		at += len(segment)
		for len(urls) > 0 && urls[0][1] <= at {
			urls = urls[1:]
		}
		if len(urls) == 0 || at <= urls[0][0] {
			breaks = append(breaks, at)
		}
	}
	return breaks
}

func graphemeBreaks(s string) []int {
	var breaks []int
	state, rest, at := -1, s, 0
	for len(rest) > 0 {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		at += len(cluster)
		breaks = append(breaks, at)
	}
	return breaks
}
