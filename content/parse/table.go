package parse

import (
	"strings"
)

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
