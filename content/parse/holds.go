package parse

import "slices"

// holdsTitles reports whether two or more paragraphs or lines below a heading begin items of their own.
func (n *node) holdsTitles() bool {
	if n.titles == unknown {
		n.titles = answerOf(titles(n.body) > 1)
	}
	return n.titles == yes
}

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

// holdsLinkList reports whether a list below a heading has mostly entries that begin with a link.
func (n *node) holdsLinkList() bool {
	if n.links == unknown {
		n.links = answerOf(slices.ContainsFunc(n.body, func(b *block) bool { return b.kind == kindList && isLinkList(b) }))
	}
	return n.links == yes
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
