package parse

import (
	"reflect"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// FuzzInlines: what our reader makes of a text is what goldmark's makes of it, but for emphasis, and for links far behind a bracket that
// is never closed, which goldmark takes literally.
func FuzzInlines(f *testing.F) {
	for _, s := range []string{
		"a [b](c) d", "[a `b` ![c](d)](e)", "[a](b \"c\") [d](<e f>) [g](h(i)j) [](k)", "a\\[b\\](c)\\\\[d](e) \\\nf", "x_y_ __z__ _文字_", "~~a~~ ~b~ ~~~",
		"[a][b] [b] [c][]\n\n[b]: d\n[c]: <e> 'f'", "a  \nb \nc\\\nd\\\\\ne", "<https://a.bc> <b@c.de> <i>x</i> <!-- y --> < z", "`` a ` b `` `c\nd` `e",
		"- [a](b)\n  c\n\n      d\n- \t[e](f)", "|[a](b)|c|\n|-|-|\n|`d|e`|[f](g)|", "# [a](b) ##\n\n[c](d\n\n[e](f\\)g) [h\\](i)", "!a ![ ![b](c] d", "[[a](b)](c) [![a](b)](c)", "a\\",
	} {
		f.Add(s)
	}
	theirs := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough)).Parser()
	blocks := func(p parser.Parser, s string) []*block {
		src := prepare(s, 1)
		c := converter{src: src, text: src.text, bytes: []byte(src.text)}
		return c.blocks(p.Parse(text.NewReader(c.bytes)))
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.NewReplacer("\r", "", "\x00", "", "*", "").Replace(cut(strings.ToValidUTF8(s, ""), 900))
		if got, want := blocks(markdown, s), blocks(theirs, s); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %s, want %s", s, shown(got), shown(want))
		}
	})
}

// shown writes blocks with their runs.
func shown(blocks []*block) string {
	var b strings.Builder
	for _, k := range blocks {
		b.WriteString("(")
		for _, r := range k.runs {
			b.WriteString("<" + r.url + "|" + r.text + ">")
		}
		b.WriteString(shown(k.kids) + ")")
	}
	return b.String()
}
