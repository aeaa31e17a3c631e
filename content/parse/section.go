package parse

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"weeklybot/content"
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
	return len(title.body) == 0 && sub.isLeaf() && sub.level > title.kids[1].level && !isLinkHeading(sub.head) && !holdsNews(sub.body)
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
			} else if len(n.kids) == 1 && kid.isLeaf() && !kid.meta && n.head != nil && hasProse(kid.body) && !holdsLinkList(kid.body) && !holdsTitles(kid.body) {
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
		if !isLinkHeading(n.head) && hasProse(n.body) {
			if endsInAddress(n.body) {
				alone++
			}
			if isStory(n) {
				stories++
			}
		}
		switch link := isLinkHeading(n.head); {
		case holdsLinkList(n.body) || holdsPlaceholder(n.body) || holdsTitles(n.body) || beginsInTitle(n.body):
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
		link := isLinkHeading(n.head)
		switch {
		case n.meta && !link, !n.isLeaf() && !link:
		case link && (n.isLeaf() || !holdsLinkList(n.body)):
			n.item = n.isLeaf() || !anyItems(n)
		case hasProse(n.body) && !holdsTitles(n.body) && !beginsInTitle(n.body) && (item > 1 || bringsLink(n)) && !isAsk(n.text):
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
		if k.item || isLinkHeading(k.head) || holdsLinkList(k.body) {
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

// holdsTitles reports whether two or more paragraphs or lines of body begin items of their own.
func holdsTitles(body []*block) bool { return titles(body) > 1 }

// titles counts the paragraphs of body that begin an item; where they are fewer than two, also lines.
func titles(body []*block) int {
	titles := 0
	for _, b := range body {
		if b.kind != kindPara {
			continue
		}
		if t := b.shape(); (t.beginsItem() || t.lead.numbered || t.isBoldLine(b.runs)) && !isAddress(b.runs) {
			titles++
		}
		if titles < 2 && hasLineEnd(b.runs) {
			for _, line := range splitLines(cutHead(b.runs))[1:] {
				if t := titleOf(line); t.lead.numbered && (t.url != "" || t.form == strong) || t.form == withURL && !isAddress(line) {
					titles++
				}
			}
		}
	}
	return titles
}

// isBoldLine reports whether a paragraph of several lines begins with a line in bold, and has a link.
func (t *titled) isBoldLine(runs []run) bool {
	return t.form == strong && t.url == "" && hasLineEnd(runs) && hasWebLink(runs) && allBold(firstLine(runs))
}

// beginsInTitle reports whether the first paragraph of body is one item: a line that is a title, text, and a link.
func beginsInTitle(body []*block) bool {
	return len(body) > 0 && body[0].kind == kindPara && (body[0].shape().isBoldLine(body[0].runs) || body[0].shape().lines > 2)
}

// cutHead is as much of a paragraph as is searched for titles.
func cutHead(runs []run) []run {
	head, _ := cutRuns(runs)
	return head
}

// bringsLink reports whether the text below a heading has a link on a line of its own, or a call to one.
func bringsLink(n *node) bool {
	for _, b := range n.body {
		if entry := onlyAddress(b); entry != nil {
			return true
		}
		if b.kind != kindPara {
			continue
		}
		if links := webLinks(b.runs); len(links) == 1 && isAddress(b.runs) {
			return true
		}
		if callURL(b.runs) != "" {
			return true
		}
	}
	return false
}

// onlyAddress is the paragraph of a quote or a list that holds nothing but a link: "> https://…", "- 原文：https://…".
func onlyAddress(b *block) *block {
	for (b.kind == kindQuote || b.kind == kindList || b.kind == kindEntry) && len(b.kids) == 1 {
		b = b.kids[0]
		if b.kind == kindPara && len(webLinks(b.runs)) == 1 && isAddress(b.runs) {
			return b
		}
	}
	return nil
}

// isLinkHeading reports whether a heading is a link, but for pictographs, numbers, tags and an author's name around it.
func isLinkHeading(head *block) bool {
	l := &head.shape().lead
	if !hasWebLink(l.rest) {
		return false
	}
	linked, other := 0, 0
	for _, r := range l.rest {
		if r.web {
			linked += letters(r.text)
		} else {
			other += letters(r.text)
		}
	}
	return linked > 0 && (l.rest[0].url != "" && other <= linked+12 || other*2 <= linked)
}

// holdsLinkList reports whether a list of body has mostly entries that begin with a link.
func holdsLinkList(body []*block) bool {
	for _, b := range body {
		if b.kind == kindList && isLinkList(b) {
			return true
		}
	}
	return false
}

func isLinkList(list *block) bool {
	led := 0
	for _, e := range list.kids {
		if b := firstPara(e); b != nil {
			if l := b.shape().lead; len(l.rest) > 0 && l.rest[0].web {
				led++
			}
		}
	}
	return led*2 >= len(list.kids) && led > 0
}

func firstRuns(e *block) []run {
	if b := firstPara(e); b != nil {
		return b.runs
	}
	return nil
}

func (e *block) firstText() string {
	if b := firstPara(e); b != nil {
		return b.plain()
	}
	return ""
}

func firstPara(e *block) *block {
	for _, b := range e.kids {
		if b.kind == kindPara || b.kind == kindHeading {
			return b
		}
	}
	return nil
}

func holdsPlaceholder(body []*block) bool {
	for _, b := range body {
		if b.kind == kindPara && hasLetter(b.plain()) && b.isPlaceholder() {
			return true
		}
		if b.kind == kindList && len(b.kids) == 1 && firstPara(b.kids[0]) != nil && firstPara(b.kids[0]).isPlaceholder() {
			return true
		}
	}
	return false
}

// hasProse reports whether body begins with text (and not with a list).
func hasProse(body []*block) bool {
	for _, b := range body {
		switch b.kind {
		case kindPara:
			if b.plain() != "" {
				return true
			}
		case kindList, kindTable:
			return false
		case kindCode, kindQuote:
			return true
		}
	}
	return false
}

// sections writes the node and all below it as sections.
func (p *issueReader) sections(n *node, above []string) {
	heading := n.text
	s := content.Section{Heading: heading, Level: n.level, Path: above, Kind: content.SectionNews}
	if n.meta {
		s.Kind = content.SectionMeta
	}
	parts := []part{{blocks: n.body}}
	if n.meta {
		p.metaBody(heading, n.body)
	} else {
		parts = p.split(n)
		s.Items = p.items(parts[0].blocks, n.head == nil || !n.isLeaf())
		if n.head == nil && len(s.Items) == 0 && n.isLeaf() && len(parts) == 1 {
			s.Items = p.items(parts[0].blocks, false) // without any heading, what would be an introduction is all there is
		}
	}
	begin := len(p.issue.Sections)
	p.issue.Sections = append(p.issue.Sections, s)
	path := above
	if n.head != nil && len(parts)+len(n.kids) > 1 {
		path = append(above[:len(above):len(above)], heading)
	}
	for _, part := range parts[1:] {
		sub := content.Section{Heading: part.heading, Level: n.level + 1, Path: path, Pseudo: true, Kind: content.SectionNews}
		if isMetaHeading(part.heading) {
			sub.Kind = content.SectionMeta
			p.metaBody(part.heading, part.blocks)
		} else {
			sub.Items = p.items(part.blocks, false)
		}
		p.issue.Sections = append(p.issue.Sections, sub)
	}
	last := len(p.issue.Sections) - 1
	for _, kid := range n.kids {
		switch {
		case !kid.item:
			p.sections(kid, path)
		case p.issue.Sections[last].Kind == content.SectionNews && !kid.head.titled().isSponsored():
			items := &p.issue.Sections[last].Items
			if len(*items) == cap(*items) {
				*items = slices.Grow(*items, len(n.kids))
			}
			*items = append(*items, p.headingItem(kid))
		}
	}
	if n.head == nil && len(p.issue.Sections[begin].Items) == 0 {
		p.issue.Sections = append(p.issue.Sections[:begin], p.issue.Sections[begin+1:]...)
	}
}

// headingItem reads a heading and what stands below it as one item.
func (p *issueReader) headingItem(n *node) content.Item {
	t := *n.head.titled()
	if !strings.Contains(n.head.plain(), "://") && t.form == sentence {
		l := n.head.shape().lead
		t.title, t.rest = trimTitle(plain(l.rest)), nil
	}
	if t.title == "" {
		t.title = n.text
	}
	t.title = strings.TrimPrefix(t.title, n.ordinal())
	e := t.entry(n.head.runs, n.head.line)
	body, footer := cutFooter(n.body)
	if len(body) > 0 && body[0].kind == kindPara && len(body[0].runs) == 1 && body[0].runs[0].web && e.item.URL == "" {
		e.item.URL = body[0].runs[0].url // a link alone, directly below
	}
	e.grow(body)
	p.metaBody("", footer)
	for _, kid := range n.kids {
		e.say(kid.text)
		e.grow(kid.body)
	}
	return e.finish()
}

var ordinalPartsRE = regexp.MustCompile(`^(?:\d{1,2}\.)+(\d{1,2})\.?\s+`)

// ordinal is the number in parts, such as "2.1 ", that a heading begins with, when it counts the headings below the same one.
func (n *node) ordinal() string {
	if n.text == "" || !isDigit(n.text[0]) {
		return ""
	}
	m := ordinalPartsRE.FindStringSubmatch(n.text)
	if m == nil {
		return ""
	}
	if k := number(m[1]); k < 1 || k > len(n.parent.kids) || n.parent.kids[k-1] != n {
		return ""
	}
	return m[0]
}

// cutFooter cuts off what a rule separates from the text below a heading, when it speaks to the reader or names the editors.
func cutFooter(body []*block) (text, footer []*block) {
	for k, b := range body {
		isRule := b.kind == kindRule || b.kind == kindPara && b.plain() != "" && strings.Trim(b.plain(), "-–—=_*") == ""
		if !isRule {
			continue
		}
		for _, after := range body[k+1:] {
			if after.kind != kindPara {
				continue
			}
			if r, _ := roleOf(after.plain()); r != noRole || after.isAsk() {
				return body[:k], body[k+1:]
			}
		}
	}
	return body, nil
}

// part is what stands below one pseudo heading; the first part has none.
type part struct {
	heading string
	blocks  []*block
}

// split cuts the body of a section at the paragraphs that work as headings.
func (p *issueReader) split(n *node) []part {
	body, skip := openLabels(openHeads(n.body)), -1
	groups := boldGroups(body)
	parts, begin := []part{{}}, 0
	kept := make([]*block, 0, len(body)) // of all parts; those of the last from begin on
	for k, b := range body {
		if skip == k {
			continue
		}
		heading := pseudoHeading(body, k)
		if heading == "" && groups[b] {
			heading = strings.TrimRight(headingText(b.plain()), "：: ")
		}
		if heading != "" {
			if contentsHeadings.matches(heading) && body[k+1].kind == kindList {
				skip = k + 1
				continue
			}
			parts, begin = append(parts, part{heading: heading}), len(kept)
			continue
		}
		kept = append(kept, b)
		parts[len(parts)-1].blocks = kept[begin:len(kept):len(kept)]
	}
	return parts
}

// maxGroup is how wide, in words, a line in bold may be to name a group of paragraphs.
const maxGroup = 4

// boldGroups are the lines in bold, two at least, that stand above two or more paragraphs with links each: they name groups, not items.
func boldGroups(body []*block) map[*block]bool {
	var heads []*block
	linked := 0
	for _, b := range body {
		switch {
		case b.kind == kindRule || b.kind == kindCode:
		case b.kind != kindPara:
			return nil
		case !hasWebLink(b.runs) && allBold(b.runs) && width(b.plain()) <= maxGroup:
			if len(heads) > 0 && linked < 2 {
				return nil
			}
			heads, linked = append(heads, b), 0
		case hasWebLink(b.runs):
			linked++
		}
	}
	if len(heads) < 2 || linked < 2 {
		return nil
	}
	groups := make(map[*block]bool, len(heads))
	for _, b := range heads {
		groups[b] = true
	}
	return groups
}

// openLabels makes a heading and a list of each paragraph "**label:** link, link", where a section is mostly made of them.
func openLabels(body []*block) []*block {
	rows := 0
	for _, b := range body {
		if b.kind == kindPara && labelled(b.runs) > 0 {
			rows++
		}
	}
	if rows < 2 || rows*2 < len(body) {
		return body
	}
	var out []*block
	for _, b := range body {
		label := 0
		if b.kind == kindPara {
			label = labelled(b.runs)
		}
		if label == 0 {
			out = append(out, b)
			continue
		}
		var links []*block
		for _, r := range b.runs[label:] {
			if r.url != "" {
				links = append(links, &block{kind: kindPara, line: b.line, runs: []run{r}})
			}
		}
		out = append(out, &block{kind: kindPara, line: b.line, runs: b.runs[:label]}, &block{kind: kindList, line: b.line, kids: entriesOf(links)})
	}
	return out
}

// labelled is the number of runs of a bold label with a colon, when nothing but links follows it; else 0.
func labelled(runs []run) int {
	n := 0
	for n < len(runs) && runs[n].url == "" && runs[n].look&bold != 0 {
		n++
	}
	label := trimBlank(joinText(runs[:n]))
	colon := strings.HasSuffix(label, ":") || strings.HasSuffix(label, "：")
	if n == 0 || n == len(runs) || width(label) > 4 || !colon && !strings.HasPrefix(runs[n].text, ":") && !strings.HasPrefix(runs[n].text, "：") {
		return 0
	}
	links := 0
	for _, r := range runs[n:] {
		switch {
		case r.web && r.look&(bare|image) == 0:
			links++
		case r.url != "" || hasLetter(r.text):
			return 0
		}
	}
	if links == 0 {
		return 0
	}
	return n
}

// openHeads makes a heading and a list of a paragraph whose first line is a few words, and whose other lines begin an item each.
func openHeads(body []*block) []*block {
	var out []*block
	for k, b := range body {
		if b.kind == kindPara && hasLineEnd(b.runs) && mayHead(firstLine(b.runs)) {
			if lines := joinAddresses(linesOf(b)); headsItems(lines) {
				if out == nil {
					out = append(out, body[:k]...)
				}
				out = append(out, lines[0], &block{kind: kindList, line: lines[1].line, kids: entriesOf(lines[1:])})
				continue
			}
		}
		if out != nil {
			out = append(out, b)
		}
	}
	if out == nil {
		return body
	}
	return out
}

func headsItems(lines []*block) bool {
	least := 3
	if said := lines[0].plain(); strings.HasPrefix(said, "【") && strings.HasSuffix(said, "】") {
		least = 2
	}
	if len(lines) < least || !mayHead(lines[0].runs) {
		return false
	}
	return !slices.ContainsFunc(lines[1:], func(b *block) bool { t := b.shape(); return !t.lead.numbered || !t.beginsItem() })
}

// mayHead reports whether a line is a few words without a link, and no sentence.
func mayHead(line []run) bool {
	said := plain(line)
	return said != "" && width(said) <= maxPseudo && !hasWebLink(line) && !endsSentence(said)
}

// maxPseudo is how wide a paragraph may be, in words, to work as a heading.
const maxPseudo = 8

// pseudoHeading is the heading that the paragraph at k works as, "" when it does not.
func pseudoHeading(body []*block, k int) string {
	b := body[k]
	if b.kind != kindPara || k+1 == len(body) {
		return ""
	}
	said := b.plain()
	text := headingText(said)
	if text == "" || hasWebLink(b.runs) || width(text) > 2*maxPseudo {
		return ""
	}
	if hasLineEnd(b.runs) && strings.Contains(strings.TrimSpace(joinText(b.runs)), "\n") || b.isAround() {
		return ""
	}
	if r, _ := roleOf(said); r != noRole || b.isPlaceholder() {
		return ""
	}
	isBold, bracketed := allBold(b.runs), strings.HasPrefix(withoutEmoji(said), "【") && strings.HasSuffix(said, "】")
	numeral := strings.HasPrefix(said, "一、") || strings.HasPrefix(said, "二、") || numeralRE.MatchString(said)
	marked := isBold || bracketed || numeral
	next := body[k+1]
	if isBold && !numeral && next.kind == kindPara && b.shape().lead.numbered && bullet(said) == "" {
		return "" // numbered lines are titles
	}
	switch {
	case width(text) > maxPseudo && !(marked && width(text) <= 2*maxPseudo):
		return ""
	case next.kind == kindList || next.kind == kindTable:
		last, _ := utf8.DecodeLastRuneInString(text)
		if !marked && strings.ContainsRune("。.！!，,；;：:…", last) {
			return ""
		}
		if !marked && !startsLikeName(text) {
			return ""
		}
	case next.kind == kindPara && bracketed && !next.isPlaceholder():
	case next.kind == kindPara && !marked && namesAndURLs(next):
		if !startsLikeName(text) || width(text) > maxPseudo/2 || endsSentence(text) {
			return ""
		}
	case next.kind == kindPara && isBold && isMarked(said) && allBold(firstLine(next.runs)) && !isMarked(next.plain()):
	case next.kind == kindPara && isBold && hasWord(text) && isBoldOnly(next) && k+2 < len(body) && body[k+2].kind == kindPara && !isBoldOnly(body[k+2]):
	case next.kind == kindPara && marked:
		t := next.shape()
		if l := next.shape().lead; !(t.form == strong && (l.numbered || t.url != "")) && t.form != withURL || isAddress(next.runs) && isBold {
			return ""
		}
	default:
		return ""
	}
	return strings.TrimSpace(strings.TrimRight(text, "：: "))
}

// isBoldOnly reports whether a paragraph is a line in bold without a link.
func isBoldOnly(b *block) bool {
	return b.kind == kindPara && allBold(b.runs) && !hasWebLink(b.runs) && !hasLineEnd(b.runs)
}

// isMarked reports whether a text begins with a pictograph or the mark of a list.
func isMarked(said string) bool { return bullet(said) != "" || trimEmoji(said) != said }

// namesAndURLs reports whether a paragraph is a name without a link on one line and nothing but its URL on the next.
func namesAndURLs(b *block) bool {
	lines := splitLines(b.runs)
	return len(lines) >= 2 && !hasWebLink(lines[0]) && hasWord(joinText(lines[0])) && len(webLinks(lines[1])) == 1 && isAddress(lines[1])
}

func startsLikeName(text string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	return (!unicode.IsLower(first) || hanCount(text) > 0) && unicode.In(first, unicode.L, unicode.N)
}

func allBold(runs []run) bool {
	any := false
	for _, r := range runs {
		if !hasLetter(r.text) {
			continue
		}
		if r.look&bold == 0 {
			return false
		}
		any = true
	}
	return any
}
