package parse

import (
	"bytes"
	"unicode"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown is goldmark's CommonMark parser with tables and strikethrough, and with a reader of its own for what stands in a block of text.
var markdown = parser.NewParser(
	parser.WithBlockParsers(parser.DefaultBlockParsers()...),
	parser.WithInlineParsers(util.Prioritized(inlines{}, 100)),
	parser.WithParagraphTransformers(
		util.Prioritized(references{}, 100),
		util.Prioritized(extension.NewTableParagraphTransformer(), 200)),
	parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)),
)

// references is goldmark's reader of link definitions, which is not asked about the many paragraphs that hold none.
type references struct{}

func (references) Transform(node *ast.Paragraph, reader text.Reader, pc parser.Context) {
	if mayDefine(node.Lines(), reader.Source()) {
		parser.LinkReferenceParagraphTransformer.Transform(node, reader, pc)
	}
}

// mayDefine reports whether a paragraph may begin with a definition such as "[label]: url".
func mayDefine(lines *text.Segments, source []byte) bool {
	for k := range lines.Len() {
		segment := lines.At(k)
		line := source[segment.Start:segment.Stop]
		if k == 0 {
			if line = util.TrimLeftSpace(line); len(line) > 0 && line[0] != '[' {
				return false
			}
		}
		if bytes.Contains(line, []byte("]:")) {
			return true
		}
	}
	return lines.Len() == 0
}

// isEast reports whether r belongs to Chinese, Japanese or Korean text, its punctuation included.
func isEast(r rune) bool {
	if r < 0x1100 {
		return false
	}
	return isHan(r) || r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xffef || r == '“' || r == '”' || r == '…' || r == '—' ||
		unicode.In(r, unicode.Hiragana, unicode.Katakana, unicode.Hangul)
}

func isHan(r rune) bool {
	return r >= 0x4e00 && r <= 0x9fff || r >= 0x2e80 && (r < 0x4e00 || r > 0xffef || r >= 0xf900 && r < 0xfb00) && unicode.Is(unicode.Han, r)
}

func isPunct(r rune) bool { return !isEast(r) && (util.IsPunctRune(r) || unicode.IsSymbol(r)) }
