package paging

import (
	"testing"

	"weeklybot/bot"
)

func TestPages(t *testing.T) {
	for _, c := range []struct {
		text, rest string
		page       int
		next       string
	}{
		{"/hot ebpf", "/hot ebpf", 1, "/hot --page 2 ebpf"},
		{"/hot", "/hot", 1, "/hot --page 2"},
		{"/hot --page 7 ebpf", "/hot ebpf", 7, "/hot --page 8 ebpf"},
		{"/hot ebpf --page=2", "/hot ebpf", 2, "/hot --page 3 ebpf"},
		{"/hot ebpf —page 2 --lang en", "/hot ebpf --lang en", 2, "/hot --page 3 ebpf --lang en"},
		{"/hot page 2", "/hot page 2", 1, "/hot --page 2 page 2"},
		{"/hot --pages 2", "/hot --pages 2", 1, "/hot --page 2 --pages 2"},
		{"/更多", "/更多", 1, "/more"},
		{"/MORE", "/MORE", 1, "/more"},
	} {
		rest, page := Of(c.text)
		before, next := Around(c.text)
		if rest != c.rest || page != c.page || next != c.next {
			t.Errorf("%s = %q, page %d, next %q; want %q, %d, %q", c.text, rest, page, next, c.rest, c.page, c.next)
		}
		if _, back := Of(before); (before != "") != (page > 1) || before != "" && back != page-1 {
			t.Errorf("%s: before it comes %q", c.text, before)
		}
	}
}

func TestTakeMore(t *testing.T) {
	text := bot.Block{Kind: bot.BlockText, Text: "下一页：/more"}
	note := bot.Block{Kind: bot.BlockNote, Text: "下一页：/more"}
	for _, c := range []struct {
		blocks []bot.Block
		left   int
		more   bool
	}{{nil, 0, false}, {[]bot.Block{text}, 1, false}, {[]bot.Block{text, note}, 1, true}, {[]bot.Block{note, text}, 2, false}} {
		if msg, more := TakeMore(bot.Message{Blocks: c.blocks}); len(msg.Blocks) != c.left || more != c.more {
			t.Errorf("%v = %v, %v", c.blocks, msg.Blocks, more)
		}
	}
}
