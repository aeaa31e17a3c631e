package parse

import (
	"regexp"
	"slices"
	"strings"

	"weeklybot/content"
)

var numeralRE = regexp.MustCompile(`^[一二三四五六七八九十]{1,3}、`)

// items reads the body of a section. top is true for what stands before the first heading: loose text there is an introduction.
func (p *issueReader) items(body []*block, top bool) []content.Item {
	if body = openQuotes(joinQuotes(p.news(body))); !top {
		body = joinAbove(splitLinks(body))
	}
	r := reader{p: p, top: top}
	r.survey(body)
	for _, b := range body {
		r.block(b)
	}
	r.end()
	return r.out
}

// news leaves out of body what surrounds the news.
func (p *issueReader) news(body []*block) []*block {
	body = splitParas(body)
	out := make([]*block, 0, len(body))
	announced := noRole
	for _, b := range body {
		if b.kind == kindList && announced != noRole {
			p.add(announced, listNames(b))
			announced = noRole
			continue
		}
		announced = noRole
		if b.kind == kindPara {
			if r, _ := roleOf(strings.Trim(b.plain(), "*_ ")); r != noRole {
				var all bool
				if all, announced = p.people(b.runs); all {
					continue
				}
			}
			if b.isAround() {
				continue
			}
		}
		out = append(out, b)
	}
	return out
}

func listNames(list *block) []string {
	var names []string
	for _, e := range list.kids {
		runs := firstRuns(e)
		found := linkNames(runs)
		if len(found) == 0 {
			found = splitNames(plain(runs))
		}
		names = append(names, found...)
	}
	return names
}

// beginsItem reports whether a line can only be the first line of an item.
func (t *titled) beginsItem() bool {
	return t.form == strong && (t.url != "" || t.lead.numbered) || t.form == withURL && (t.lead.numbered || t.title != "")
}

// isBoldHead reports whether a paragraph begins with bold text that is a title or a sentence of its own, and no label.
func (t *titled) isBoldHead() bool {
	return t.form == strong && t.url == "" && !t.lead.numbered && len(t.lead.rest) > 1 && t.lead.rest[0].look&bold != 0 && width(t.title) > 1 && !isLabel("", textFrom(t.rest)) &&
		!strings.HasSuffix(strings.TrimRight(t.lead.rest[0].text, " "), ":") && !strings.HasSuffix(t.lead.rest[0].text, "：")
}

// reader turns the blocks of one section into items, in the form that the section has.
type reader struct {
	p          *issueReader
	top        bool
	lists      int // lists whose entries are items
	strong     int // paragraphs that begin with a title
	paraFirst  bool
	numbered   bool // numbered lines are titles, also without a link
	boldTitles bool // lines in bold are titles
	boldHeads  bool // bold text at the start of a paragraph is a title, also where text follows on its line
	listsAreIn bool // lists belong to the paragraph above them
	prose      bool // paragraphs without titles are the items
	open       *entry
	openLead   lead // of the paragraph that began open
	out        []content.Item
}

// survey decides the form of the section.
func (r *reader) survey(body []*block) {
	linkLists, paras, linked, boldLines, numbered, plainURLs, boldHeads, before, calls := 0, 0, 0, 0, 0, 0, 0, 0, 0
	empty := false
	for k, b := range body {
		switch b.kind {
		case kindList:
			r.lists++
			if isLinkList(b) {
				linkLists++
			}
		case kindTable:
			if isLinkTable(b) {
				r.lists++
				linkLists++
			}
		case kindPara:
			said := b.plain()
			if said == "" {
				continue
			}
			paras++
			empty = empty || b.isPlaceholder()
			t := b.shape()
			if t.lead.numbered {
				numbered++
			}
			if t.isBoldHead() && (boldHeads > 0 || paras == 1) {
				boldHeads++
			}
			switch {
			case b.isAsk():
			case t.form == strong && t.url == "" && !t.lead.numbered && allBold(firstLine(b.runs)):
				if boldLines++; boldLines == 1 && !(k+1 < len(body) && body[k+1].kind == kindPara && isAddress(body[k+1].runs)) {
					break // one bold line alone is a remark; a second one makes them titles
				}
				if boldLines == 2 {
					r.strong++
				}
				fallthrough
			case t.beginsItem():
				r.strong++
				r.paraFirst = r.paraFirst || r.lists == 0
				if t.form == withURL {
					plainURLs++
				}
			}
			if !b.isAsk() && hasWebLink(b.runs) {
				linked++
				if r.strong == 0 {
					before++
				} else if isAddress(b.runs) {
					calls++
				}
			}
		}
	}
	if r.boldHeads = boldHeads > 1 && boldHeads*2 >= paras && linked > 1 && r.lists == 0; r.boldHeads {
		r.strong, r.paraFirst = max(r.strong, boldHeads), true
	} else if before > 0 && before >= r.strong && calls < r.strong && numbered == 0 && boldLines == 0 && r.lists == 0 && !r.top {
		r.strong = 0 // what begins with a title comes after as many sentences with links
	}
	if r.strong > 0 && r.strong == plainURLs && numbered == 0 && linked > r.strong && r.lists == 0 && !r.top {
		r.strong = 0 // the others are sentences with links in them: each paragraph is an item
	}
	r.numbered = r.strong > 0 && numbered > 1
	r.boldTitles = r.strong > 0 && boldLines > 0
	r.listsAreIn = r.paraFirst && r.strong > 0 && (linkLists == 0 || r.strong >= 2)
	if r.lists > 0 && !r.listsAreIn {
		r.strong = 0
	}
	if r.strong == 1 && paras > 3 && r.top {
		r.strong = 0
	}
	r.prose = r.strong == 0 && r.lists == 0 && linked > 0 && !r.top && !empty
}

func firstLine(runs []run) []run {
	for k, r := range runs {
		end := strings.IndexByte(r.text, '\n')
		if end < 0 {
			continue
		}
		line := runs[:k:k]
		if r.text = r.text[:end]; r.text != "" {
			line = append(line, r)
		}
		return line
	}
	return runs
}

func (r *reader) block(b *block) {
	switch b.kind {
	case kindList:
		if r.listsAreIn && r.open != nil {
			r.open.grow([]*block{b})
			return
		}
		r.end()
		r.list(b)
	case kindTable:
		if isLinkTable(b) {
			r.end()
			r.table(b)
		} else if r.open != nil {
			r.open.grow([]*block{b})
		}
	case kindPara:
		r.para(b)
	case kindQuote:
		if r.open != nil {
			r.open.grow(b.kids)
		}
	case kindRule:
		r.end()
	}
}

func (r *reader) list(b *block) {
	if len(b.kids) == 0 || isContents(b) || strings.HasSuffix(b.kids[len(b.kids)-1].firstText(), "{:toc}") {
		return
	}
	r.out = slices.Grow(r.out, len(b.kids))
	for _, e := range b.kids {
		if first := firstPara(e); first != nil && (len(e.kids) == 1 && r.surrounds(first) || first.titled().isSponsored()) {
			continue
		}
		if it, ok := listEntry(e); ok {
			r.out = append(r.out, it)
		}
	}
}

// surrounds reports whether an entry is no news: names of people, or a line around the news that does not begin with a link.
func (r *reader) surrounds(b *block) bool {
	if role, _ := roleOf(b.plain()); role != noRole {
		if all, _ := r.p.people(b.runs); all {
			return true
		}
	}
	rest := b.shape().lead.rest
	return len(rest) > 0 && (rest[0].url == "" || rest[0].look&bare != 0) && b.isAround()
}

// isContents reports whether all links of a list lead inside the page.
func isContents(list *block) bool {
	inside := 0
	for _, e := range list.kids {
		for _, r := range firstRuns(e) {
			if r.url == "" {
				continue
			}
			if !strings.HasPrefix(r.url, "#") {
				return false
			}
			inside++
		}
	}
	return inside > 0 && inside >= len(list.kids)
}

func (r *reader) para(b *block) {
	said := b.plain()
	if said == "" || b.isPlaceholder() {
		return
	}
	if r.strong > 0 {
		t := b.shape()
		isNew := t.beginsItem() || r.boldHeads && t.isBoldHead() || t.form == strong && r.boldTitles && allBold(firstLine(b.runs)) || r.numbered && t.lead.numbered && b.titled().title != ""
		if r.open != nil && r.open.item.URL == "" && len(webLinks(b.runs)) == 1 && !t.lead.numbered {
			if isAddress(b.runs) {
				isNew = false
			} else if r.boldTitles && len(r.open.texts) > 0 && len(b.runs) == 1 && b.runs[0].look&bold == 0 {
				r.open.item.URL = b.runs[0].url // titles are bold here: a link alone is that of the text above
				isNew = false
			}
		}
		isNew = isNew || r.open != nil && r.startsAlike(t)
		if isNew && !b.isAsk() {
			r.end()
			t.complete()
			if r.open = nil; !t.isSponsored() {
				r.openLead = t.lead
				r.begin(t, b)
			}
			return
		}
		if r.open != nil && isShouted(b) {
			r.shouted(said)
		} else if r.open != nil {
			r.open.para(b.runs, said)
		}
		return
	}
	if !r.prose {
		return
	}
	if hasWebLink(b.runs) && !b.isAsk() {
		r.end()
		if r.begin(b.titled(), b); r.open.item.URL == "" {
			r.open.item.URL = webLinks(b.runs)[0]
		}
	} else if r.open != nil && !b.isAsk() {
		r.open.para(b.runs, b.plain())
	}
}

// startsAlike reports whether a paragraph that runs on begins with a link of the same look as the open item, to another page.
func (r *reader) startsAlike(t *titled) bool {
	if t.form != weak || len(t.lead.rest) == 0 || len(r.openLead.rest) == 0 {
		return false
	}
	first, before := t.lead.rest[0], r.openLead.rest[0]
	return first.web && before.web && first.look == before.look && first.look&(bare|image) == 0 && first.url != before.url && width(first.text) > 1
}

// isShouted reports whether a paragraph is a few words in capitals, which under an item name who wrote it or who paid for it.
func isShouted(b *block) bool {
	said := b.plain()
	return len(said) <= 80 && strings.Contains(said, " ") && strings.ToUpper(said) == said && strings.ToLower(said) != said && hanCount(said) == 0 &&
		!endsSentence(said) && !strings.ContainsAny(said, "0123456789:") && !hasWebLink(b.runs)
}

func (r *reader) shouted(said string) {
	if sponsorRE.MatchString(said) {
		r.open = nil
	} else if r.open.item.By == "" {
		r.open.item.By = said
	}
}

// begin opens the item whose title b holds.
func (r *reader) begin(t *titled, b *block) {
	e := t.entry(b.runs, b.line)
	r.open = &e
}

func (r *reader) end() {
	if r.open == nil {
		return
	}
	if it, ok := named(r.open.finish()); ok {
		r.out = append(r.out, it)
	}
	r.open = nil
}

// metaBody takes the names out of a section that has no news.
func (p *issueReader) metaBody(heading string, body []*block) {
	r, _ := roleOf(heading + "：")
	if r == noRole {
		r, _ = roleOf(heading)
	}
	once := false // r was announced by a line, for the list below it
	for _, b := range body {
		switch b.kind {
		case kindPara:
			if own, _ := roleOf(b.plain()); own != noRole {
				if _, announced := p.people(b.runs); announced != noRole {
					r, once = announced, true
				}
				continue
			}
			if r != noRole {
				names := linkNames(b.runs)
				if len(names) == 0 {
					names = splitNames(b.plain())
				}
				p.add(r, names)
			}
		case kindList:
			if r != noRole {
				p.add(r, listNames(b))
			}
			if once {
				r, once = noRole, false
			}
		case kindQuote:
			p.metaBody(heading, b.kids)
		}
	}
}
