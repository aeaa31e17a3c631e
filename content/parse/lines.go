package parse

import (
	"slices"
	"strings"
)

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
