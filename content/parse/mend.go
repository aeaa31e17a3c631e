package parse

import "strings"

// maxLabel is how long, in bytes, link text that lost its closing bracket may be.
const maxLabel = 300

// maxMends is how many brackets of one line are looked at.
const maxMends = 200

// mendBrackets repairs two faults that CommonMark reads as no link at all: "[text(https://…)", which lost its closing bracket, and
// "[**[TAG\] text**](url)", whose inner bracket opens a link of its own.
func mendBrackets(line string) string {
	if strings.Contains(line, "(http") {
		line = closeBrackets(line)
	}
	if strings.Contains(line, `\]`) {
		line = escapeInner(line)
	}
	return line
}

func closeBrackets(line string) string {
	for from, tries := 0, 0; tries < maxMends; tries++ {
		k := strings.Index(line[from:], "(http")
		if k < 0 {
			return line
		}
		k += from
		if from = k + 5; k > 0 && line[k-1] == ']' || !strings.HasPrefix(strings.TrimPrefix(line[from:], "s"), "://") {
			continue
		}
		open := strings.LastIndexAny(line[max(0, k-maxLabel):k], "[]()")
		if open < 0 {
			continue
		}
		open += max(0, k-maxLabel)
		end := strings.IndexAny(line[k:], ") \t\n")
		if line[open] != '[' || open+1 == k || end < 0 || line[k+end] != ')' || closesLater(line[k+end+1:]) {
			continue
		}
		line = line[:k] + "]" + line[k:]
		from++
	}
	return line
}

// closesLater reports whether the bracket before rest is closed after all.
func closesLater(rest string) bool {
	k := strings.IndexAny(rest[:min(len(rest), maxLabel)], "[]")
	return k >= 0 && rest[k] == ']'
}

// escapeInner escapes a "[" that follows another one directly, when the next bracket is an escaped "\]".
func escapeInner(line string) string {
	for from, tries := 0, 0; tries < maxMends; tries++ {
		k := strings.Index(line[from:], `\]`)
		if k < 0 {
			return line
		}
		k += from
		from = k + 2
		low := max(0, k-maxLabel)
		inner := strings.LastIndexAny(line[low:k], "[]")
		if inner < 0 || line[low+inner] != '[' {
			continue
		}
		inner += low
		if outer := strings.TrimRight(line[:inner], "*"); strings.HasSuffix(outer, "[") && inner-len(outer) <= 2 {
			line = line[:inner] + `\` + line[inner:]
			from++
		}
	}
	return line
}
