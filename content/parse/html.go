package parse

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// htmlTag reads one tag.
func htmlTag(raw string) (name string, attrs map[string]string, closing bool) {
	name, closing = strings.CutPrefix(strings.TrimRight(strings.TrimPrefix(raw, "<"), " />"), "/")
	if name != "" && !strings.ContainsFunc(name, isNoLatin) { // without attributes: no need for a tokenizer
		return strings.ToLower(name), nil, closing
	}
	z := html.NewTokenizer(strings.NewReader(raw))
	kind := z.Next()
	if kind == html.ErrorToken {
		return "", nil, false
	}
	t := z.Token()
	attrs = make(map[string]string, len(t.Attr))
	for _, a := range t.Attr {
		attrs[a.Key] = a.Val
	}
	return t.Data, attrs, kind == html.EndTagToken
}

// expandHTML replaces raw HTML by what it holds.
func expandHTML(blocks []*block) []*block {
	if !slices.ContainsFunc(blocks, func(b *block) bool { return b.kind == kindHTML }) {
		return blocks
	}
	out := blocks[:0:0]
	for _, b := range blocks {
		if b.kind != kindHTML {
			out = append(out, b)
			continue
		}
		out = append(out, htmlBlocks(b.said, b.line)...)
	}
	return out
}

// maxOpen is how many lists and quotes may be open at once.
const maxOpen = maxNesting

// htmlBlocks reads HTML as a stream of tags. A tag out of place does no harm: blocks end where the next begins.
func htmlBlocks(raw string, line int) []*block {
	h := &htmlReader{line: line, root: &block{}}
	h.open = []*block{h.root}
	z := html.NewTokenizer(strings.NewReader(raw))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		lines := strings.Count(string(z.Raw()), "\n")
		switch kind {
		case html.TextToken:
			if h.skip == "" {
				h.text(string(z.Text()))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			h.start(z)
		case html.EndTagToken:
			name, _ := z.TagName()
			h.end(string(name))
		}
		h.line += lines
	}
	h.flush()
	return joinLists(h.root.kids)
}

type htmlReader struct {
	root  *block
	open  []*block // containers, outermost first
	runs  []run
	begin int // line where runs begin
	line  int
	head  int // level of the open heading, 0 outside
	url   string
	looks look
	skip  string // name of the element whose content is left out
}

func (h *htmlReader) text(s string) {
	if trimBlank(s) == "" && len(h.runs) == 0 {
		return
	}
	if len(h.runs) == 0 {
		trimmed := strings.TrimLeftFunc(s, isBlank)
		h.begin = h.line + strings.Count(s[:len(s)-len(trimmed)], "\n")
		s = trimmed
	}
	s = strings.ReplaceAll(s, "\n", " ")
	h.runs = append(h.runs, run{text: s, url: h.url, look: h.looks})
}

func (h *htmlReader) start(z *html.Tokenizer) {
	b, more := z.TagName()
	name := string(b)
	if h.skip != "" {
		return
	}
	switch name {
	case "script", "style", "template", "noscript", "svg", "head", "pre", "textarea", "select", "iframe", "title":
		h.flush()
		h.skip = name
	case "h1", "h2", "h3", "h4", "h5", "h6":
		h.flush()
		h.head = int(name[1] - '0')
	case "ul", "ol":
		h.flush()
		h.push(&block{kind: kindList, ordered: name == "ol", marker: name[0], line: h.line})
	case "li":
		h.flush()
		h.closeTo(kindList)
		if h.top().kind == kindList {
			h.push(&block{kind: kindEntry, line: h.line})
		}
	case "blockquote":
		h.flush()
		h.push(&block{kind: kindQuote, line: h.line})
	case "hr":
		h.flush()
		h.add(&block{kind: kindRule, line: h.line})
	case "br":
		switch n := h.breaks(); {
		case n > 0 && h.head == 0:
			h.runs = h.runs[:len(h.runs)-n]
			h.flush() // two together part paragraphs
		case len(h.runs) > 0:
			h.runs = append(h.runs, run{text: hardBreak})
		}
	case "a":
		h.url = ""
		for more {
			var key, value []byte
			if key, value, more = z.TagAttr(); string(key) == "href" {
				h.url = strings.TrimSpace(string(value))
			}
		}
	case "b", "strong":
		h.looks |= bold
	case "i", "em":
		h.looks |= em
	case "code", "kbd", "tt":
		h.looks |= code
	default:
		if isBlockTag[name] {
			h.flush()
		}
	}
}

// breaks is how many of the last runs are a <br> and the blanks behind it; 0 when something else stands behind the last one.
func (h *htmlReader) breaks() int {
	for k := len(h.runs) - 1; k > 0; k-- {
		if h.runs[k].text == hardBreak {
			return len(h.runs) - k
		}
		if trimBlank(h.runs[k].text) != "" {
			break
		}
	}
	return 0
}

var isBlockTag = map[string]bool{
	"p": true, "div": true, "section": true, "article": true, "header": true, "footer": true, "main": true, "aside": true, "nav": true, "table": true,
	"tbody": true, "thead": true, "tr": true, "td": true, "th": true, "body": true, "html": true, "figure": true, "figcaption": true, "details": true,
	"summary": true, "dl": true, "dt": true, "dd": true, "center": true, "address": true, "form": true,
}

func (h *htmlReader) end(name string) {
	if h.skip != "" {
		if name == h.skip {
			h.skip = ""
		}
		return
	}
	switch name {
	case "h1", "h2", "h3", "h4", "h5", "h6":
		h.flush()
	case "ul", "ol":
		h.flush()
		h.closeTo(kindList)
		h.pop(kindList)
	case "li":
		h.flush()
		h.pop(kindEntry)
	case "blockquote":
		h.flush()
		h.pop(kindQuote)
	case "a":
		h.url = ""
	case "b", "strong":
		h.looks &^= bold
	case "i", "em":
		h.looks &^= em
	case "code", "kbd", "tt":
		h.looks &^= code
	default:
		if isBlockTag[name] {
			h.flush()
		}
	}
}

func (h *htmlReader) top() *block { return h.open[len(h.open)-1] }

func (h *htmlReader) push(b *block) {
	h.add(b)
	if len(h.open) < maxOpen {
		h.open = append(h.open, b)
	}
}

// closeTo closes entries and quotes until the innermost list is on top; without an open list it closes nothing.
func (h *htmlReader) closeTo(kind blockKind) {
	for k := len(h.open) - 1; k > 0; k-- {
		if h.open[k].kind == kind {
			h.open = h.open[:k+1]
			return
		}
	}
}

func (h *htmlReader) pop(kind blockKind) {
	if h.top().kind == kind {
		h.open = h.open[:len(h.open)-1]
	}
}

func (h *htmlReader) add(b *block) {
	top := h.top()
	if top.kind == kindList && b.kind != kindEntry {
		entry := &block{kind: kindEntry, line: b.line}
		if n := len(top.kids); n > 0 {
			entry = top.kids[n-1]
		} else {
			top.kids = append(top.kids, entry)
		}
		top = entry
	}
	top.kids = append(top.kids, b)
}

// flush ends the open paragraph or heading.
func (h *htmlReader) flush() {
	runs, level := h.runs, h.head
	h.runs, h.head = nil, 0
	if plain(runs) == "" {
		return
	}
	b := &block{kind: kindPara, line: h.begin, runs: linkify(merge(runs), nil)}
	if level > 0 {
		b.kind, b.level = kindHeading, level
	}
	h.add(b)
}

// merge joins neighbours of one look.
func merge(runs []run) []run {
	out := runs[:0:0]
	for _, r := range runs {
		if n := len(out) - 1; n >= 0 && out[n].url == r.url && out[n].look == r.look {
			out[n].text += r.text
			continue
		}
		out = append(out, r)
	}
	return out
}
