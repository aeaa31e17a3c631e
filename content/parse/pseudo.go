package parse

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

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
