package parse

import (
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// inlines reads all that stands in one block of text, with goldmark's parsers of inline elements. It is itself one of them to goldmark,
// called at the first character of a block, and leaves nothing for others. Three things differ from goldmark's own loop: it steps over
// text without special characters and reads plain links at once, which most of a newsletter is; emphasis understands Chinese text; and
// failed attempts are counted, because each may have looked at all the rest of the block.
type inlines struct{}

// inlineReader reads one block.
type inlineReader struct {
	parent     ast.Node
	block      text.Reader
	pc         parser.Context
	fails      [len(inlineParsers)]int // of each parser
	open       int                     // brackets
	delimiters int
}

const (
	// maxFails is how many attempts of one kind may fail in one block before the rest of it is taken literally.
	maxFails = 300
	// longLine is how many bytes of the line behind a failed attempt make it count once more: they may all have been looked at.
	longLine = 10_000
	// maxDelimiters is how many emphasis delimiters of one block are looked at; matching them costs their square.
	maxDelimiters = 600
	// maxBrackets is how many brackets of one block may be open at once; more are taken literally.
	maxBrackets = 500
)

// The parsers of inlineParsers.
const (
	codeSpans = iota
	links
	autoLinks
	rawHTML
	strikethrough
)

var inlineParsers = [...]parser.InlineParser{
	codeSpans: parser.NewCodeSpanParser(), links: parser.NewLinkParser(), autoLinks: parser.NewAutoLinkParser(), rawHTML: parser.NewRawHTMLParser(),
	strikethrough: extension.NewStrikethroughParser(),
}

// isSpecial are the characters at which something may begin or end.
var isSpecial = [256]bool{'`': true, '!': true, '[': true, ']': true, '<': true, '*': true, '_': true, '~': true, '\\': true, '\n': true}

// Trigger is every character that a block may begin with: to goldmark, a blank stands for all that are not ASCII punctuation.
func (inlines) Trigger() []byte { return []byte(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") }

func (inlines) CloseBlock(parent ast.Node, block text.Reader, pc parser.Context) {
	inlineParsers[links].(parser.CloseBlocker).CloseBlock(parent, block, pc)
}

// Parse gives the last element of the block; the others it puts into parent.
func (inlines) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	r := inlineReader{parent: parent, block: block, pc: pc}
	for escaped := false; ; {
		line, start := block.PeekLine()
		if line == nil {
			break
		}
		escaped = r.line(line, start, escaped)
	}
	last := parent.LastChild()
	if last == nil {
		return ast.NewText()
	}
	parent.RemoveChild(parent, last)
	return last
}

// line reads up to the first element that is more than text, or to the end of the line. escaped: a backslash ended the line before.
func (r *inlineReader) line(line []byte, start text.Segment, escaped bool) bool {
	length, soft, hard, visible := lineEnd(line)
	at, number := 0, r.lineNumber() // the block stands at line[at]
	for k := 0; k < length; k++ {
		for !escaped && k < length && !isSpecial[line[k]] {
			k++
		}
		if k == length || line[k] == '\n' {
			length = k
			break
		}
		c := line[k]
		if mayBegin := isSpecial[c] && c != '\\' && (!escaped || k == 0); mayBegin && r.mayBegin(line[k:]) {
			r.block.Advance(k - at)
			at = k
			if _, here := r.block.Position(); k > 0 {
				ast.MergeOrAppendTextSegment(r.parent, start.Between(here))
				start = here
			}
			if node := r.element(line[k:]); node != nil {
				r.parent.AppendChild(r.parent, node)
				return escaped
			}
		}
		escaped = c == '\\' && !escaped
	}
	if at < length {
		r.block.Advance(length - at - 1) // in two steps: goldmark goes to the end of a block byte by byte
		r.block.Advance(1)
	}
	now, here := r.block.Position()
	if now != number {
		return escaped
	}
	segment := start.Between(here)
	if !visible {
		segment = segment.TrimRightSpace(r.block.Source())
	}
	said := ast.NewTextSegment(segment)
	said.SetSoftLineBreak(soft)
	said.SetHardLineBreak(hard)
	r.parent.AppendChild(r.parent, said)
	r.block.AdvanceLine()
	return escaped
}

func (r *inlineReader) lineNumber() int {
	number, _ := r.block.Position()
	return number
}

// lineEnd is how much of a line is text, and how it ends: where the author wrapped it (soft), or where a break was asked for (hard), by
// a backslash (visible) or by blanks.
func lineEnd(line []byte) (length int, soft, hard, visible bool) {
	n := len(line)
	switch {
	case line[n-1] != '\n':
		return n, false, false, false
	case n >= 2 && line[n-2] == '\\' && (n == 2 || line[n-3] != '\\'):
		return n - 2, false, true, true
	case n >= 3 && line[n-2] == ' ' && line[n-3] == ' ':
		return n - 3, false, true, false
	}
	return n, true, false, false
}

// mayBegin is a quick look at what rest of a line begins with, before goldmark is asked.
func (r *inlineReader) mayBegin(rest []byte) bool {
	return rest[0] != '!' || len(rest) > 1 && rest[1] == '['
}

// element reads what begins with a special character; nil when it is only text. Then the block stands where it stood.
func (r *inlineReader) element(rest []byte) ast.Node {
	switch rest[0] {
	case '`':
		return r.try(codeSpans)
	case '<':
		if node := r.try(autoLinks); node != nil {
			return node
		}
		return r.try(rawHTML)
	case '*', '_':
		return r.emphasis()
	case '~':
		return r.try(strikethrough)
	case '[':
		if link := r.plainLink(rest); link != nil {
			return link
		}
		if r.open++; r.open > maxBrackets {
			return nil
		}
	case ']':
		if r.open = max(0, r.open-1); r.open >= maxBrackets {
			return nil
		}
	}
	return r.try(links)
}

// try asks one of goldmark's parsers, unless it has failed too often.
func (r *inlineReader) try(which int) ast.Node {
	if r.fails[which] >= maxFails {
		return nil
	}
	line, at := r.block.Position()
	node := inlineParsers[which].Parse(r.parent, r.block, r.pc)
	if failed := node == nil || which == codeSpans && node.Kind() == ast.KindText; failed {
		rest, _ := r.block.PeekLine()
		r.fails[which] += 1 + len(rest)/longLine
	}
	if node == nil {
		r.block.SetPosition(line, at)
	}
	return node
}

// endsDestination are characters of the destination of a link that are more than a part of it.
var endsDestination = func() (ends [256]bool) {
	for c := range byte(' ' + 1) {
		ends[c] = true
	}
	ends['('], ends[')'], ends['<'], ends['\\'] = true, true, true, true
	return ends
}()

// plainLink reads "[text](destination)" without anything special in either; nil when it is not that simple.
func (r *inlineReader) plainLink(rest []byte) ast.Node {
	end := 1
	for end < len(rest) && !isSpecial[rest[end]] {
		end++
	}
	from := end + len("](")
	if end == 1 || from >= len(rest) || rest[end] != ']' || rest[end+1] != '(' {
		return nil
	}
	to := from
	for to < len(rest) && !endsDestination[rest[to]] {
		to++
	}
	_, at := r.block.Position()
	if to == from || to == len(rest) || rest[to] != ')' || at.Padding > 0 {
		return nil
	}
	r.block.Advance(to + 1)
	link := ast.NewLink()
	link.Destination = rest[from:to:to]
	link.AppendChild(link, ast.NewTextSegment(text.NewSegment(at.Start+1, at.Start+end)))
	return link
}

// emphasis is goldmark's emphasis parser with other flanking rules for "*": East Asian punctuation counts as a letter, and a Han, Kana or
// Hangul neighbour lets a delimiter next to other punctuation open or close. Without them "**标题：**正文" stays literal.
func (r *inlineReader) emphasis() ast.Node {
	if r.delimiters++; r.delimiters > maxDelimiters {
		return nil
	}
	before := r.block.PrecendingCharacter()
	line, segment := r.block.PeekLine()
	d := parser.ScanDelimiter(line, before, 1, emphasisDelimiters{})
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
	r.block.Advance(d.OriginalLength)
	r.pc.PushDelimiter(d)
	return d
}

type emphasisDelimiters struct{}

func (emphasisDelimiters) IsDelimiter(b byte) bool { return b == '*' || b == '_' }

func (emphasisDelimiters) CanOpenCloser(a, b *parser.Delimiter) bool { return a.Char == b.Char }

func (emphasisDelimiters) OnMatch(n int) ast.Node { return ast.NewEmphasis(n) }
