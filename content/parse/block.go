package parse

import (
	"bytes"
	"strings"

	"github.com/yuin/goldmark/ast"
	xast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

type blockKind uint8

const (
	kindPara blockKind = iota
	kindHeading
	kindList  // kids are kindEntry
	kindEntry // kids are blocks
	kindQuote // kids are blocks
	kindTable // kids are kindRow; the first is the head
	kindRow   // kids are kindPara, one a cell
	kindCode
	kindRule
	kindHTML // text is raw; replaced by what it holds
)

// block is a node of the small tree that the rules work on, the same for Markdown and HTML.
type block struct {
	kind    blockKind
	ordered bool // of a list
	marker  byte // of a list

	// What was found out about the block, once asked for; see also said and parts.
	asks, around, placeholder, link answer // isAsk, isAround, isPlaceholder, isLink

	level  int // of a heading
	indent int // of a list: columns before its first marker
	line   int // in the file, from 1
	runs   []run
	kids   []*block
	said   string  // plain; of kindHTML the raw text
	parts  *titled // titled
}

// plain is the text of the block on one line.
func (b *block) plain() string {
	if b.said == "" && len(b.runs) > 0 {
		b.said = plain(b.runs)
	}
	return b.said
}

// answer is what was found out about a block.
type answer uint8

const (
	unknown answer = iota
	no
	yes
)

func answerOf(is bool) answer {
	if is {
		return yes
	}
	return no
}

// isAsk reports whether the block speaks to the reader.
func (b *block) isAsk() bool {
	if b.asks == unknown {
		b.asks = answerOf(b.isAround() || holdsWish(b.plain()))
	}
	return b.asks == yes
}

// isAround reports whether the block surrounds the news.
func (b *block) isAround() bool {
	if b.around == unknown {
		b.around = answerOf(isAround(b.plain()))
	}
	return b.around == yes
}

// isPlaceholder reports whether the block says that there is nothing.
func (b *block) isPlaceholder() bool {
	if b.placeholder == unknown {
		b.placeholder = answerOf(saysNothing(b))
	}
	return b.placeholder == yes
}

// isLink reports whether a heading is a link.
func (b *block) isLink() bool {
	if b.link == unknown {
		b.link = answerOf(isLinkHeading(b))
	}
	return b.link == yes
}

// titled takes the block apart into title and rest.
func (b *block) titled() *titled {
	t := b.shape()
	t.complete()
	return t
}

// shape is titled without what form and lead can do without, see shapeOf.
func (b *block) shape() *titled {
	if b.parts == nil {
		t := shapeOf(b.runs)
		b.parts = &t
	}
	return b.parts
}

// run is a piece of text of one look.
type run struct {
	text string
	url  string // destination as written; "" outside links
	web  bool   // url can be opened by a reader, see isWeb
	look look
}

// hardBreak is a line end that the author asked for. A plain "\n" may be only where an editor wrapped the text.
const hardBreak = "\n\v"

type look uint8

const (
	bold  look = 1 << iota
	em         // emphasis
	code       // a code span
	bare       // a URL that stands for itself
	image      // a link that shows a picture only
)

// markdownBlocks parses s.
func markdownBlocks(s *source) []*block {
	c := converter{src: s, text: s.text, bytes: util.StringToReadOnlyBytes(s.text)}
	return joinLists(c.blocks(markdown.Parse(text.NewReader(c.bytes))))
}

type converter struct {
	src   *source
	text  string  // of src: most runs are pieces of it
	bytes []byte  // text, for goldmark
	buf   []byte  // text of the last run, while it grows and is no piece
	from  int     // where the last run begins in text
	to    int     // where it ends; -1 when it is no piece
	spare []block // blocks not yet used
	runs  []run   // the runs of the paragraph being read
	room  []run   // for them, once bare URLs are split out
	pool  []run   // room for the runs of the next paragraphs
	url   string  // of an <a> written as inline HTML
	looks look    // of <b>, <strong>, <em>, <i> written as inline HTML
}

func (c *converter) blocks(parent ast.Node) []*block {
	out := make([]*block, 0, parent.ChildCount())
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		b := c.block(n)
		if b == nil {
			continue
		}
		if last := len(out) - 1; b.kind == kindHTML && last >= 0 && out[last].kind == kindHTML {
			out[last].said += b.said
			continue
		}
		out = append(out, b)
	}
	return expandHTML(out)
}

// dozen is how many blocks or runs are made at once: more for a longer text.
func (c *converter) dozen() int { return min(8+len(c.text)/128, 64) }

// add makes a block for n.
func (c *converter) add(kind blockKind, n ast.Node) *block {
	if len(c.spare) == 0 {
		c.spare = make([]block, c.dozen())
	}
	b := &c.spare[0]
	c.spare = c.spare[1:]
	b.kind, b.line = kind, c.line(n)
	return b
}

func (c *converter) block(n ast.Node) *block {
	b := c.add(kindPara, n)
	switch n := n.(type) {
	case *ast.Heading:
		b.kind, b.level, b.runs = kindHeading, n.Level, c.inline(n)
	case *ast.Paragraph, *ast.TextBlock:
		b.kind, b.runs = kindPara, c.inline(n)
	case *ast.List:
		b.kind, b.ordered, b.marker = kindList, n.IsOrdered(), n.Marker
		b.indent = c.indent(n)
		b.kids = make([]*block, 0, n.ChildCount())
		for e := n.FirstChild(); e != nil; e = e.NextSibling() {
			entry := c.add(kindEntry, e)
			entry.kids = joinLists(c.blocks(e))
			b.kids = append(b.kids, entry)
		}
	case *ast.Blockquote:
		b.kind, b.kids = kindQuote, joinLists(c.blocks(n))
	case *ast.ThematicBreak:
		b.kind = kindRule
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		b.kind = kindCode
	case *ast.HTMLBlock:
		b.kind, b.said = kindHTML, c.raw(n)
	case *xast.Table:
		b.kind = kindTable
		for r := n.FirstChild(); r != nil; r = r.NextSibling() {
			b.kids = append(b.kids, c.row(r))
		}
	default:
		return nil
	}
	return b
}

func (c *converter) row(n ast.Node) *block {
	row := c.add(kindRow, n)
	for cell := n.FirstChild(); cell != nil; cell = cell.NextSibling() {
		row.kids = append(row.kids, &block{kind: kindPara, line: row.line, runs: c.inline(cell)})
	}
	return row
}

func (c *converter) raw(n *ast.HTMLBlock) string {
	var b strings.Builder
	for k := range n.Lines().Len() {
		segment := n.Lines().At(k)
		b.Write(segment.Value(c.bytes))
	}
	if n.HasClosure() {
		b.Write(n.ClosureLine.Value(c.bytes))
	}
	return b.String()
}

// line is where n begins in the file.
func (c *converter) line(n ast.Node) int {
	if at := offset(n); at >= 0 {
		return c.src.line(at)
	}
	return 0
}

// offset is where the text of n begins in the source, -1 when it has none.
func offset(n ast.Node) int {
	for ; n != nil; n = n.FirstChild() {
		if n.Type() == ast.TypeInline {
			if t, ok := n.(*ast.Text); ok {
				return t.Segment.Start
			}
			continue
		}
		if lines := n.Lines(); lines != nil && lines.Len() > 0 {
			return lines.At(0).Start
		}
	}
	return -1
}

// indent is the number of columns before the first marker of a list.
func (c *converter) indent(n *ast.List) int {
	at := offset(n)
	if at < 0 {
		return 0
	}
	src := c.bytes
	begin := at
	for begin > 0 && src[begin-1] != '\n' {
		begin--
	}
	k := begin
	for k < at && (src[k] == ' ' || src[k] == '>') {
		k++
	}
	return k - begin
}

// inline flattens the inline children of n.
func (c *converter) inline(n ast.Node) []run {
	c.url, c.looks = "", 0
	c.runs = c.runs[:0]
	c.flatten(n, run{}, &c.runs)
	c.end(c.runs)
	runs := linkify(c.runs, c.room)
	if len(runs) > len(c.runs) {
		c.room = runs
	}
	return c.keep(runs)
}

// keep copies runs, as many paragraphs as fit into one piece of memory.
func (c *converter) keep(runs []run) []run {
	n := len(runs)
	if n == 0 {
		return nil
	}
	if len(c.pool) < n {
		c.pool = make([]run, max(n, c.dozen()))
	}
	kept := c.pool[:n:n]
	c.pool = c.pool[n:]
	copy(kept, runs)
	return kept
}

func (c *converter) flatten(parent ast.Node, as run, out *[]run) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Text:
			c.piece(out, as, n.Segment)
			if n.HardLineBreak() {
				c.say(out, run{look: as.look, url: as.url}, hardBreak)
			} else if n.SoftLineBreak() {
				c.lineEnd(out, run{look: as.look, url: as.url}, n.Segment.Stop)
			}
		case *ast.String:
			c.say(out, as, string(n.Value))
		case *ast.CodeSpan:
			as := as
			as.look |= code
			c.say(out, as, c.codeText(n))
		case *ast.Emphasis:
			as := as
			if as.look |= em; n.Level == 2 {
				as.look = as.look&^em | bold
			}
			c.flatten(n, as, out)
		case *ast.Link:
			as := as
			as.url = c.destination(n)
			before := len(*out)
			c.flatten(n, as, out)
			if len(*out) == before && as.url != "" && n.HasChildren() {
				c.end(*out)
				*out = append(*out, run{url: as.url, look: image})
			}
		case *ast.AutoLink:
			if url := string(n.URL(c.bytes)); n.AutoLinkType == ast.AutoLinkURL {
				c.end(*out)
				*out = append(*out, run{text: url, url: url, look: as.look | bare})
			} else {
				c.say(out, as, url)
			}
		case *ast.Image:
		case *ast.RawHTML:
			c.tag(n, out)
		default:
			c.flatten(n, as, out)
		}
	}
}

func (c *converter) codeText(n *ast.CodeSpan) string {
	if t, ok := n.FirstChild().(*ast.Text); ok && t.NextSibling() == nil && t.Segment.Padding == 0 {
		return strings.ReplaceAll(c.text[t.Segment.Start:t.Segment.Stop], "\n", " ")
	}
	var b strings.Builder
	for t := n.FirstChild(); t != nil; t = t.NextSibling() {
		if t, ok := t.(*ast.Text); ok {
			b.Write(t.Segment.Value(c.bytes))
		}
	}
	return strings.ReplaceAll(b.String(), "\n", " ")
}

// piece says a segment of the source. Without escapes it is a piece of text, and so is a run of neighbouring ones.
func (c *converter) piece(out *[]run, as run, s text.Segment) {
	raw := s.Value(c.bytes)
	if s.Padding > 0 || len(raw) != s.Stop-s.Start || isEscaped(raw) {
		c.say(out, as, unescape(raw))
		return
	}
	c.slice(out, as, s.Start, s.Stop)
}

// lineEnd says the line end at an offset of the source, or behind the blanks there.
func (c *converter) lineEnd(out *[]run, as run, at int) {
	if at < len(c.text) && c.text[at] == '\n' {
		c.slice(out, as, at, at+1)
	} else {
		c.say(out, as, "\n")
	}
}

func (c *converter) slice(out *[]run, as run, from, to int) {
	if from == to {
		return
	}
	if last := c.continues(*out, &as); last != nil && c.to == from {
		c.to = to
		last.text = c.text[c.from:to]
		return
	} else if last != nil {
		c.say(out, as, c.text[from:to])
		return
	}
	c.end(*out)
	as.text = c.text[from:to]
	*out = append(*out, as)
	c.from, c.to = from, to
}

// say appends text to the last run when it looks the same, else as a new one.
func (c *converter) say(out *[]run, as run, text string) {
	if text == "" {
		return
	}
	if last := c.continues(*out, &as); last != nil {
		if len(c.buf) == 0 {
			c.buf = append(c.buf, last.text...)
		}
		c.buf = append(c.buf, text...)
		c.to = -1
		return
	}
	c.end(*out)
	as.text = text
	*out = append(*out, as)
}

// continues gives as the looks of open tags, and the last of out when it looks the same.
func (c *converter) continues(out []run, as *run) *run {
	if as.url == "" {
		as.url = c.url
	}
	as.look |= c.looks
	if last := len(out) - 1; last >= 0 && out[last].url == as.url && out[last].look == as.look {
		return &out[last]
	}
	return nil
}

// end ends the run that grows.
func (c *converter) end(out []run) {
	c.to = -1
	if len(c.buf) > 0 {
		out[len(out)-1].text = string(c.buf)
		c.buf = c.buf[:0]
	}
}

// tag applies the few inline HTML tags that mean something here.
func (c *converter) tag(n *ast.RawHTML, out *[]run) {
	if n.Segments.Len() == 0 {
		return
	}
	segment := n.Segments.At(0)
	raw := string(segment.Value(c.bytes))
	for k := 1; k < n.Segments.Len(); k++ {
		segment = n.Segments.At(k)
		raw += string(segment.Value(c.bytes))
	}
	name, attrs, closing := htmlTag(raw)
	var flag look
	switch name {
	case "a":
		c.url = ""
		if !closing {
			c.url = attrs["href"]
		}
		return
	case "br":
		c.say(out, run{}, hardBreak)
		return
	case "b", "strong":
		flag = bold
	case "i", "em":
		flag = em
	}
	if closing {
		c.looks &^= flag
	} else {
		c.looks |= flag
	}
}

// isEscaped reports whether b may hold an escape or a reference.
func isEscaped(b []byte) bool { return bytes.IndexByte(b, '\\') >= 0 || bytes.IndexByte(b, '&') >= 0 }

func unescape(b []byte) string {
	if isEscaped(b) {
		b = util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(b)))
	}
	return string(b)
}

// destination is where a link leads, without escapes and without a bracket that was left in by mistake. Mostly it stands in the text
// directly behind that of the link.
func (c *converter) destination(n *ast.Link) string {
	s := ""
	if t, ok := n.LastChild().(*ast.Text); ok && !isEscaped(n.Destination) && strings.HasPrefix(c.text[t.Segment.Stop:], "](") {
		s = c.text[t.Segment.Stop+len("]("):]
		s = s[:min(len(s), len(n.Destination))]
	}
	if s != string(n.Destination) {
		s = unescape(n.Destination)
	}
	s = strings.TrimSpace(s)
	if strings.HasSuffix(s, "]") && !strings.Contains(s, "[") {
		s = strings.TrimSuffix(s, "]")
	}
	return s
}

// joinLists attaches a list that is indented less than CommonMark wants, or that an entry announces with a colon, to the entry above it.
func joinLists(blocks []*block) []*block {
	if !hasNeighbours(blocks) {
		return blocks
	}
	var out []*block
	for _, b := range blocks {
		if last := len(out) - 1; b.kind == kindList && last >= 0 && out[last].kind == kindList && belongs(out[last], b) {
			entry := out[last].kids[len(out[last].kids)-1]
			entry.kids = joinLists(append(entry.kids, b))
			continue
		}
		out = append(out, b)
	}
	return out
}

// hasNeighbours reports whether a list stands directly below another one.
func hasNeighbours(blocks []*block) bool {
	for k := 1; k < len(blocks); k++ {
		if blocks[k].kind == kindList && blocks[k-1].kind == kindList {
			return true
		}
	}
	return false
}

func belongs(above, list *block) bool {
	if len(above.kids) == 0 || above.ordered == list.ordered && above.marker == list.marker {
		return false
	}
	if list.indent > above.indent {
		return true
	}
	entry := above.kids[len(above.kids)-1]
	if len(entry.kids) == 0 || entry.kids[len(entry.kids)-1].kind != kindPara || list.ordered {
		return false
	}
	said := strings.TrimSpace(entry.kids[len(entry.kids)-1].plain())
	return strings.HasSuffix(said, "：") || strings.HasSuffix(said, ":")
}
