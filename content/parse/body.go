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

// splitParas makes paragraphs of lines that each begin an item of their own.
func splitParas(body []*block) []*block {
	if !slices.ContainsFunc(body, func(b *block) bool { return b.kind == kindPara && hasLineEnd(b.runs) }) {
		return body
	}
	var out []*block
	for _, b := range body {
		if b.kind != kindPara || !hasLineEnd(b.runs) {
			out = append(out, b)
			continue
		}
		if lines := joinAddresses(linesOf(b)); beginItems(lines) || leadAlike(lines) {
			out = append(out, lines...)
		} else if list := listOf(lines); list != nil {
			out = append(out, list)
		} else {
			out = append(out, b)
		}
	}
	return out
}

// listOf makes a list of lines that begin with a mark each, and of a term with its definitions; nil when they are neither. Half of the
// lines must have a link: two lines with a mark may also be a place and a time.
func listOf(lines []*block) *block {
	marked, linked := 0, 0
	for _, line := range lines {
		said := line.plain()
		if trimEmoji(said) != said || bullet(said) != "" {
			marked++
		}
		if hasWebLink(line.runs) {
			linked++
		}
	}
	list := &block{kind: kindList, line: lines[0].line}
	switch {
	case linked*2 < len(lines):
		return nil
	case marked == len(lines):
		list.kids = entriesOf(lines)
	case !hasWebLink(lines[0].runs) && !slices.ContainsFunc(lines[1:], func(b *block) bool { return !strings.HasPrefix(b.plain(), ": ") }):
		for _, line := range lines[1:] {
			line.runs = slices.Clone(line.runs)
			line.runs[0].text = strings.TrimLeft(line.runs[0].text, ": ")
			line.said = ""
		}
		definitions := &block{kind: kindList, line: lines[1].line, kids: entriesOf(lines[1:])}
		list.kids = []*block{{kind: kindEntry, line: lines[0].line, kids: []*block{lines[0], definitions}}}
	default:
		return nil
	}
	return list
}

func entriesOf(lines []*block) []*block {
	entries := make([]*block, len(lines))
	for k, line := range lines {
		entries[k] = &block{kind: kindEntry, line: line.line, kids: []*block{line}}
	}
	return entries
}

// openQuotes takes quotes away that hold an item each.
func openQuotes(body []*block) []*block {
	if len(body) == 1 && body[0].kind == kindQuote && len(body[0].kids) == 1 && body[0].kids[0].kind == kindList && isLinkList(body[0].kids[0]) {
		return body[0].kids
	}
	items := 0
	for _, b := range body {
		if holdsItem(b) {
			items++
		}
	}
	if items < 2 {
		return body
	}
	var out []*block
	for _, b := range body {
		if holdsItem(b) {
			out = append(out, b.kids...)
		} else {
			out = append(out, b)
		}
	}
	return out
}

func holdsItem(b *block) bool {
	return b.kind == kindQuote && len(b.kids) > 0 && b.kids[0].kind == kindPara && b.kids[0].shape().beginsItem()
}

// joinAbove puts addresses on a line of their own behind the text above them, where a section holds nothing but such texts and addresses.
func joinAbove(body []*block) []*block {
	texts, addresses := 0, 0
	for _, b := range body {
		switch {
		case b.kind == kindRule || b.kind == kindPara && b.plain() == "":
		case b.kind != kindPara:
			return body
		case !hasWebLink(b.runs):
			if allBold(b.runs) || b.shape().lead.numbered {
				return body
			}
			texts++
		case texts > 0 && isAddress(b.runs):
			addresses++
		default:
			return body
		}
	}
	if addresses == 0 {
		return body
	}
	var out []*block
	closed := true // the last of out has its address
	for _, b := range body {
		switch linked := hasWebLink(b.runs); {
		case b.kind != kindPara || b.plain() == "":
		case !linked && closed:
			out, closed = append(out, &block{kind: kindPara, line: b.line, runs: slices.Clip(b.runs)}), false
		default:
			last := out[len(out)-1]
			last.runs = append(append(last.runs, run{text: "\n"}), b.runs...)
			closed = closed || linked
		}
	}
	return out
}

// joinQuotes puts quotes into the entries above them where lists of one entry and quotes take turns: "1. title", "> text".
func joinQuotes(body []*block) []*block {
	turns := 0
	for k := 1; k < len(body); k++ {
		if isQuoted(body, k) {
			turns++
		}
	}
	if turns < 2 {
		return body
	}
	var out []*block
	for k, b := range body {
		if isQuoted(body, k) {
			entry := body[k-1].kids[0]
			entry.kids = append(entry.kids, b)
			continue
		}
		out = append(out, b)
	}
	return out
}

func isQuoted(body []*block, k int) bool {
	return k > 0 && body[k].kind == kindQuote && body[k-1].kind == kindList && len(body[k-1].kids) == 1
}

// linesOf makes a paragraph of each line of b.
func linesOf(b *block) []*block {
	lines := splitLines(b.runs)
	out := make([]*block, len(lines))
	for k, line := range lines {
		out[k] = &block{kind: kindPara, line: b.line + k, runs: line}
	}
	return out
}

// joinAddresses puts a line that is only a link behind the line above it, which has none.
func joinAddresses(lines []*block) []*block {
	out := lines[:1]
	for _, line := range lines[1:] {
		above := out[len(out)-1]
		if hasWebLink(above.runs) || !hasWebLink(line.runs) || !isAddress(line.runs) {
			out = append(out, line)
			continue
		}
		above.runs = slices.Concat(above.runs, []run{{text: "\n"}}, line.runs)
		above.said, above.parts = "", nil
	}
	return out
}

// beginItems reports whether the first of lines, and at least half of them, begin an item.
func beginItems(lines []*block) bool {
	if !lines[0].shape().beginsItem() {
		return false
	}
	begins := 0
	for _, line := range lines {
		if line.shape().beginsItem() {
			begins++
		}
	}
	return begins >= 2 && begins*2 >= len(lines)
}

// leadAlike reports whether each line begins in bold and ends with a call to its link: "**title** at place — [apply](url)".
func leadAlike(lines []*block) bool {
	return len(lines) > 1 && !slices.ContainsFunc(lines, func(b *block) bool {
		rest := b.shape().lead.rest
		return len(rest) < 2 || rest[0].look&bold == 0 || callURL(rest) == ""
	})
}

// minLinkRow is how many links a paragraph must hold to be a list of links written in one line.
const minLinkRow = 3

// splitLinks makes paragraphs of the links of a line that holds nothing else: "[a](…) | [b](…) | [c](…)".
func splitLinks(body []*block) []*block {
	if !slices.ContainsFunc(body, func(b *block) bool { return b.kind == kindPara && isLinkRow(b.runs) }) {
		return body
	}
	var out []*block
	for _, b := range body {
		if b.kind != kindPara || !isLinkRow(b.runs) {
			out = append(out, b)
			continue
		}
		for _, r := range b.runs {
			if r.url != "" {
				out = append(out, &block{kind: kindPara, line: b.line, runs: []run{r}})
			}
		}
	}
	return out
}

func isLinkRow(runs []run) bool {
	links := 0
	for _, r := range runs {
		switch {
		case r.web && r.look&(bare|image) == 0 && hasLetter(r.text):
			links++
		case r.url != "" || hasLetter(r.text) && !conjunctions[strings.ToLower(strings.Trim(r.text, " ,，、.。"))]:
			return false
		}
	}
	return links >= minLinkRow
}

// conjunctions stand before the last link of a row.
var conjunctions = map[string]bool{"and": true, "or": true, "plus": true, "和": true, "与": true, "以及": true, "还有": true}

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

// isLinkTable reports whether most rows of a table have a link in one column.
func isLinkTable(table *block) bool {
	if len(table.kids) < 2 {
		return false
	}
	title, _ := titleColumn(table)
	return title >= 0
}

// titleColumn finds the column of titles and that of their links, which may be the same; -1 when there is none. Titles are the links that
// say most. Where links are only addresses or calls, the first column with words has the titles.
func titleColumn(table *block) (title, link int) {
	title, link, most := -1, -1, 0
	said, rows, bareRows := map[int]int{}, map[int]int{}, map[int]int{}
	for _, row := range table.kids[1:] {
		for k, cell := range row.kids {
			for _, r := range cell.runs {
				if !r.web {
					continue
				}
				if r.look&bare != 0 || isCall(r.text) || !hasWord(r.text) {
					bareRows[k]++
				} else {
					said[k] += letters(r.text)
					rows[k]++
				}
				break
			}
		}
	}
	half := len(table.kids) / 2
	for k := range said {
		if rows[k] >= half && (said[k] > most || said[k] == most && k < title) && said[k] > rows[k] {
			title, link, most = k, k, said[k]
		}
	}
	if title >= 0 {
		return title, link
	}
	for k := range len(table.kids[0].kids) {
		if link < 0 && bareRows[k] >= half && half > 0 {
			link = k
		}
		if title < 0 && bareRows[k] == 0 && mostlyWords(table, k) {
			title = k
		}
	}
	if title < 0 || link < 0 {
		return -1, -1
	}
	return title, link
}

func mostlyWords(table *block, column int) bool {
	n := 0
	for _, row := range table.kids[1:] {
		if column < len(row.kids) && hasWord(row.kids[column].plain()) {
			n++
		}
	}
	return n*2 > len(table.kids)-1
}

func (r *reader) table(b *block) {
	title, link := titleColumn(b)
	for _, row := range b.kids[1:] {
		if title >= len(row.kids) || link >= len(row.kids) || !hasWebLink(row.kids[link].runs) {
			continue
		}
		e := newEntry(row.kids[title].runs, row.line)
		if e.item.URL == "" {
			e.item.URL = webLinks(row.kids[link].runs)[0]
		}
		name := title // the column that belongs to a title which is only a version
		if said := row.kids[0].plain(); title > 0 && isVersion(e.item.Title) && hasWord(said) {
			e.item.Title, name = said+" "+e.item.Title, 0
		}
		for k, cell := range row.kids {
			said := cell.plain()
			if k == title || k == name || said == "" {
				continue
			}
			e.item.Links = append(e.item.Links, webLinks(cell.runs)...)
			if k == link && isAddress(cell.runs) {
				continue
			}
			if head := b.kids[0].kids; k < len(head) && plain(head[k].runs) != "" {
				if !hasLetter(plain(head[k].runs)) {
					continue // the number of the row
				}
				said = plain(head[k].runs) + ": " + said
			}
			e.say(said)
		}
		if it, ok := named(e.finish()); ok {
			r.out = append(r.out, it)
		}
	}
}

func isVersion(s string) bool {
	s = strings.TrimLeft(s, "vV")
	return s != "" && isDigit(s[0]) && !strings.Contains(s, " ")
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
