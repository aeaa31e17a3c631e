package parse

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown is goldmark's CommonMark parser with tables and strikethrough, with emphasis that understands Chinese text, and with a
// bound on failed attempts per paragraph, because goldmark tries each of them again over the rest of the paragraph.
var markdown = newMarkdown()

func newMarkdown() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(parser.DefaultBlockParsers()...),
		parser.WithInlineParsers(
			util.Prioritized(newBounded(parser.NewCodeSpanParser(), ast.KindCodeSpan), 100),
			util.Prioritized(boundedLinks{newBounded(parser.NewLinkParser(), ast.KindLink), parser.NewContextKey()}, 200),
			util.Prioritized(newBounded(parser.NewAutoLinkParser(), ast.KindAutoLink), 300),
			util.Prioritized(newBounded(parser.NewRawHTMLParser(), ast.KindRawHTML), 400),
			util.Prioritized(cjkEmphasis{}, 500),
			util.Prioritized(extension.NewStrikethroughParser(), 501),
		),
		parser.WithParagraphTransformers(
			util.Prioritized(references{}, 100),
			util.Prioritized(extension.NewTableParagraphTransformer(), 200)),
		parser.WithASTTransformers(util.Prioritized(extension.NewTableASTTransformer(), 0)),
	)
}

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

// maxFails is how many attempts of one kind may fail in one paragraph before the rest of it is taken literally.
const maxFails = 300

// longLine is how many bytes of the line behind a failed attempt make it count once more: they may all have been looked at.
const longLine = 10_000

// maxDelimiters is how many emphasis delimiters of one paragraph are looked at; matching them costs their square.
const maxDelimiters = 600

// bounded stops asking inner in a paragraph where it has failed maxFails times.
type bounded struct {
	inner parser.InlineParser
	want  ast.NodeKind
	key   parser.ContextKey
}

// fails counts failures in one paragraph. A new paragraph is recognised by its node.
type fails struct {
	block ast.Node
	n     int
}

func newBounded(inner parser.InlineParser, want ast.NodeKind) bounded {
	return bounded{inner, want, parser.NewContextKey()}
}

func (b bounded) Trigger() []byte { return b.inner.Trigger() }

func (b bounded) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	f := failsOf(pc, b.key, parent)
	if f.n >= maxFails {
		return nil
	}
	node := b.inner.Parse(parent, block, pc)
	if node == nil || node.Kind() == ast.KindText && b.want == ast.KindCodeSpan {
		line, _ := block.PeekLine()
		f.n += 1 + len(line)/longLine
	}
	return node
}

func failsOf(pc parser.Context, key parser.ContextKey, parent ast.Node) *fails {
	f, _ := pc.Get(key).(*fails)
	if f == nil {
		f = &fails{}
		pc.Set(key, f)
	}
	if f.block != parent {
		f.block, f.n = parent, 0
	}
	return f
}

// maxBrackets is how many brackets of one paragraph may be open at once; more are taken literally.
const maxBrackets = 500

// boundedLinks is bounded for the parser of links, which also wants to know where a paragraph ends.
type boundedLinks struct {
	bounded
	open parser.ContextKey
}

func (b boundedLinks) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	open := failsOf(pc, b.open, parent)
	switch block.Peek() {
	case '[':
		if open.n++; open.n > maxBrackets {
			return nil
		}
	case ']':
		if open.n = max(0, open.n-1); open.n >= maxBrackets {
			return nil
		}
	}
	return b.bounded.Parse(parent, block, pc)
}

func (b boundedLinks) CloseBlock(parent ast.Node, block text.Reader, pc parser.Context) {
	b.inner.(parser.CloseBlocker).CloseBlock(parent, block, pc)
}

// cjkEmphasis is goldmark's emphasis parser with other flanking rules for "*": East Asian punctuation counts as a letter, and a Han,
// Kana or Hangul neighbour lets a delimiter next to other punctuation open or close. Without them "**标题：**正文" stays literal.
type cjkEmphasis struct{}

var emphasisKey = parser.NewContextKey()

func (cjkEmphasis) IsDelimiter(b byte) bool { return b == '*' || b == '_' }

func (cjkEmphasis) CanOpenCloser(a, b *parser.Delimiter) bool { return a.Char == b.Char }

func (cjkEmphasis) OnMatch(n int) ast.Node { return ast.NewEmphasis(n) }

func (cjkEmphasis) Trigger() []byte { return []byte{'*', '_'} }

func (p cjkEmphasis) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	f := failsOf(pc, emphasisKey, parent)
	if f.n++; f.n > maxDelimiters {
		return nil
	}
	before := block.PrecendingCharacter()
	line, segment := block.PeekLine()
	d := parser.ScanDelimiter(line, before, 1, p)
	if d == nil {
		return nil
	}
	if d.Char == '*' {
		after := '\n'
		if len(line) > d.OriginalLength {
			after, _ = utf8.DecodeRune(line[d.OriginalLength:])
		}
		d.CanOpen = !unicode.IsSpace(after) && (!isPunct(after) || unicode.IsSpace(before) || isPunct(before) || isEast(before))
		d.CanClose = !unicode.IsSpace(before) && (!isPunct(before) || unicode.IsSpace(after) || isPunct(after) || isEast(after))
	}
	d.Segment = segment.WithStop(segment.Start + d.OriginalLength)
	block.Advance(d.OriginalLength)
	pc.PushDelimiter(d)
	return d
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
