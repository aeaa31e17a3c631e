package parse

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// node is a heading with what stands below it, up to the next heading.
type node struct {
	head   *block // nil for the root
	text   string // of head, see headingText
	level  int
	body   []*block
	kids   []*node
	parent *node
	item   bool // the heading is the title of an item
	meta   bool

	titles, links answer // holdsTitles, holdsLinkList
}

// outline puts the blocks under their headings. Skipped levels do not matter: a heading belongs to the nearest one above it of a
// smaller level.
func outline(blocks []*block) *node {
	root := &node{}
	at, begin := root, 0
	bodies := make([]*block, 0, len(blocks)) // of all nodes; that of at from begin on
	for _, b := range blocks {
		if b.kind != kindHeading {
			bodies = append(bodies, b)
			at.body = bodies[begin:len(bodies):len(bodies)]
			continue
		}
		text := headingText(b.plain())
		if text == "" && withoutEmoji(b.plain()) == "" {
			continue
		}
		for at.level >= b.level {
			at = at.parent
		}
		n := &node{head: b, text: text, level: b.level, parent: at, meta: isMetaHeading(text)}
		at.kids = append(at.kids, n)
		at, begin = n, len(bodies)
	}
	return root
}

var headingTail = marksOf("#¶ ")

// headingText is what a heading says without pictographs and the marks of the layout.
func headingText(said string) string {
	s := withoutEmoji(said)
	if strings.HasSuffix(s, "}") {
		if k := strings.LastIndex(s, "{#"); k > 0 {
			s = s[:k]
		}
	}
	s = strings.TrimSpace(strings.TrimRightFunc(s, headingTail.has))
	s = s[len(bullet(s)):]
	if inner := strings.TrimSuffix(strings.TrimPrefix(s, "【"), "】"); len(inner) == len(s)-len("【】") {
		s = inner
	}
	return strings.TrimSpace(s)
}

// takeTitle finds the heading that is the title of the whole issue and puts what stands below it in its place.
func (p *issueReader) takeTitle(root *node) {
	if len(root.kids) == 0 {
		return
	}
	first := root.kids[0]
	if !p.isTitle(root, first, first.text) {
		return
	}
	p.title, p.titleLine = withoutEmojiEnds(plain(first.head.runs)), first.head.line
	if k := strings.LastIndex(p.title, "{#"); k > 0 {
		p.title = strings.TrimSpace(p.title[:k])
	}
	root.body = append(root.body, first.body...)
	if len(first.kids) > 1 && isSubtitle(first, first.kids[0]) {
		if carriesNumber(first.kids[0].text) {
			p.counted = first.kids[0].text
		}
		root.body = append(root.body, first.kids[0].body...)
		first.kids = first.kids[1:]
	}
	for _, kid := range first.kids {
		kid.parent = root
	}
	root.kids = append(first.kids, root.kids[1:]...)
}

// isSubtitle reports whether a heading directly below the title only adds to it: it stands a level below the sections and names none, or gives
// only the number or the date.
func isSubtitle(title, sub *node) bool {
	if carriesNumber(sub.text) && !carriesNumber(title.text) && width(sub.text) <= 4 && sub.isLeaf() && len(sub.body) <= 1 && !bringsWeb(sub.body) && !holdsNews(sub.body) {
		return true
	}
	return len(title.body) == 0 && sub.isLeaf() && sub.level > title.kids[1].level && !sub.head.isLink() && !holdsNews(sub.body)
}

func (p *issueReader) isTitle(root, first *node, text string) bool {
	if t, _ := p.head.first(titleNames...); t != "" {
		if sameText(t, text) {
			return true
		}
		return first.level == 1 && len(root.kids) == 1 && len(first.kids) > 0 && len(root.body) == 0
	}
	if carriesNumber(text) {
		return true
	}
	if first.meta {
		return false
	}
	if first.level == 1 && len(root.kids) == 1 {
		return true
	}
	if len(root.kids) > 1 {
		return first.level == 1 && len(first.kids) == 0 && !holdsNews(first.body)
	}
	return len(first.kids) > 1 && !holdsNews(first.body)
}

func carriesNumber(s string) bool {
	_, numbered := findNumber(s)
	_, dated := findDate(s)
	return numbered || dated
}

func holdsNews(body []*block) bool {
	for _, b := range body {
		if b.kind == kindList || b.kind == kindTable {
			return true
		}
	}
	return false
}

// sameText compares letters and digits only; one may hold the other.
func sameText(a, b string) bool {
	a, b = letterKey(a), letterKey(b)
	return a != "" && b != "" && (a == b || len(b) > 8 && strings.Contains(a, b) || len(a) > 8 && strings.Contains(b, a))
}

func letterKey(s string) string {
	key := make([]byte, 0, len(s))
	for k, r := range s {
		switch {
		case r < utf8.RuneSelf && isWordByte[r] && r != '_':
			if r >= 'A' && r <= 'Z' {
				r += 'a' - 'A'
			}
			key = append(key, byte(r))
		case r >= 0x4e00 && r <= 0x9fff:
			key = append(key, s[k:k+len("中")]...)
		case r >= utf8.RuneSelf && isLetterOrDigit(r):
			key = utf8.AppendRune(key, unicode.ToLower(r))
		}
	}
	return string(key)
}

// decideAlike lets headings that stand alone below theirs follow the others of their level: a group of one has no form of its own.
func decideAlike(root *node) {
	items, others := map[int]int{}, map[int][]*node{}
	var walk func(n *node)
	walk = func(n *node) {
		for _, kid := range n.kids {
			if kid.item {
				items[kid.level]++
			} else if len(n.kids) == 1 && kid.isLeaf() && !kid.meta && n.head != nil && hasProse(kid.body) && !kid.holdsLinkList() && !kid.holdsTitles() {
				others[kid.level] = append(others[kid.level], kid)
			}
			walk(kid)
		}
	}
	walk(root)
	for level, kids := range others {
		if items[level] >= 2 && items[level] > len(kids) {
			for _, kid := range kids {
				kid.item = true
			}
		}
	}
}

// decide settles for each group of sibling headings whether they are titles of items or names of sections.
func decide(parent *node) {
	var item, section, bareItems, news, alone, stories int
	for _, n := range parent.kids {
		decide(n)
		if n.meta && strings.Contains(strings.ToLower(n.text), "sponsor") && titles(n.body) > 2 {
			n.meta = false // a sponsor's words, and the news behind them
		}
		if n.meta {
			continue
		}
		news++
		if !n.isLeaf() {
			continue
		}
		if !n.head.isLink() && hasProse(n.body) {
			if endsInAddress(n.body) {
				alone++
			}
			if isStory(n) {
				stories++
			}
		}
		switch link := n.head.isLink(); {
		case n.holdsLinkList() || holdsPlaceholder(n.body) || n.holdsTitles() || beginsInTitle(n.body):
			section++
		case link && (hasProse(n.body) || holdsNews(n.body)):
			item++
		case link && len(n.body) == 0:
			bareItems++
		case !link && hasProse(n.body) && standsForOne(n):
			item++
		}
	}
	if news > 1 && (alone == news || stories == news) {
		item = news
	}
	if section > item || item == 0 && (bareItems < 2 || section > 0) {
		return
	}
	for _, n := range parent.kids {
		link := n.head.isLink()
		switch {
		case n.meta && !link, !n.isLeaf() && !link:
		case link && (n.isLeaf() || !n.holdsLinkList()):
			n.item = n.isLeaf() || !anyItems(n)
		case hasProse(n.body) && !n.holdsTitles() && !beginsInTitle(n.body) && (item > 1 || bringsLink(n)) && !isAsk(n.text):
			n.item = true
		}
	}
}

// endsInAddress reports whether body is text with a single link, on a line of its own.
func endsInAddress(body []*block) bool {
	links := 0
	for _, b := range body {
		if b.kind != kindPara || !hasWebLink(b.runs) {
			continue
		}
		if links++; links > 1 || len(webLinks(b.runs)) > 1 || !isAddress(b.runs) {
			return false
		}
	}
	return links == 1
}

// isStory reports whether a heading below a section's stands above nothing but paragraphs of text, none of which begins with a title or speaks
// to the reader.
func isStory(n *node) bool {
	numbered := n.head.shape().lead.numbered && !numeralRE.MatchString(n.text)
	if (n.parent.head == nil || n.level < 3 || len(n.parent.body) > 0) && !numbered || !bringsWeb(n.body) {
		return false
	}
	return !slices.ContainsFunc(n.body, func(b *block) bool {
		switch b.kind {
		case kindList, kindTable:
			return true
		case kindPara:
			return b.isAsk() || b.shape().beginsItem() && !isAddress(b.runs) || hasLetter(b.plain()) && b.isPlaceholder()
		}
		return false
	})
}

// bringsWeb reports whether a paragraph of body holds a link.
func bringsWeb(body []*block) bool {
	return slices.ContainsFunc(body, func(b *block) bool { return b.kind == kindPara && hasWebLink(b.runs) })
}

func anyItems(n *node) bool {
	for _, k := range n.kids {
		if k.item || k.head.isLink() || k.holdsLinkList() {
			return true
		}
	}
	return false
}

func (n *node) isLeaf() bool { return len(n.kids) == 0 }

// standsForOne reports whether a heading without link and the text below it are one piece: the text brings one link of its own line, or
// ends with a call to it, or the heading carries a number and its text is prose.
func standsForOne(n *node) bool {
	numbered := n.head.shape().lead.numbered && !numeralRE.MatchString(n.text)
	if n.level < 2 || n.parent.head == nil && n.level < 3 {
		return numbered && bringsLink(n)
	}
	return numbered || bringsLink(n)
}
