package parse

import (
	"regexp"
	"slices"
	"strings"

	"weeklybot/content"
)

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
