package parse

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxBeforeURL is how long, in code points, the text before a bare URL may be to be its title as a whole.
const maxBeforeURL = 160

// maxAside is how long, in code points, the text of a link may be that only explains a word of such a title.
const maxAside = 16

// maxTitleLine is how wide, in columns, the first of several lines may be to be their title; text that an editor wrapped is wider.
const maxTitleLine = 60

// titleLabels begin a line that gives the title, where each line of a paragraph gives one field.
var titleLabels = phraseOf(`(?i)^%s\s*[:：]\s*`, `标题`, `名称`, `名字`, `题目`, `项目`, `文章`, `title`, `name`)

// aboveURL takes a paragraph apart of which the first line is a title, and another one only a link: "title\ntext\nhttps://…".
func (t *titled) aboveURL(runs []run) bool {
	first, below, ok := strings.Cut(runs[0].text, "\n")
	if !ok || runs[0].url != "" || len(first) > 3*maxTitleLine || columns(first) > maxTitleLine {
		return false
	}
	if at := titleLabels.find(first); at > 0 {
		first = first[at:]
	}
	first = squeeze(first)
	last, _ := utf8.DecodeLastRuneInString(first)
	next, _ := utf8.DecodeRuneInString(strings.TrimLeft(below, " \v"))
	if !hasWord(first) || strings.ContainsRune("。.!！?？,，:：；;", last) || unicode.IsLower(next) {
		return false
	}
	lines := splitLines(runs)
	k := slices.IndexFunc(lines, hasWebLink)
	if k < 1 || len(webLinks(lines[k])) != 1 || !isAddress(lines[k]) {
		return false
	}
	t.title, t.url, t.lines = trimTitle(first), webLinks(lines[k])[0], len(lines)
	if at, name := authorTail(t.title); at > 0 {
		t.by = name
		t.rest = append(t.rest, run{text: trimTitle(t.title[at:]) + "\n"})
		t.title = trimTitle(t.title[:at])
	}
	for n, line := range lines[1:] {
		if n+1 != k {
			t.rest = append(append(t.rest, line...), run{text: "\n"})
		}
	}
	return t.title != ""
}

// beforeURL takes "title SEPARATOR bare-URL" apart.
func (t *titled) beforeURL(runs []run) bool {
	if t.aboveURL(runs) {
		return true
	}
	n := slices.IndexFunc(runs, func(r run) bool {
		return r.look&bare != 0 || r.web && r.look&image == 0 && utf8.RuneCountInString(r.text) > maxAside
	})
	if n < 0 || runs[n].look&bare == 0 {
		return false
	}
	before := plain(runs[:n])
	if t.url = runs[n].url; before == "" {
		rest := trimSeparator(runs[n+1:])
		said := plain(rest)
		end := sentenceEnd(said)
		if t.title = trimTitle(said[:end]); t.title == "" || width(t.title) < 2 {
			t.title, t.rest = shownURL(t.url), rest
			return true
		}
		t.rest = textRuns(said[end:])
		return true
	}
	end := sentenceEnd(before)
	if end < len(before) && strings.TrimSpace(before[end:]) != "" || utf8.RuneCountInString(before) > maxBeforeURL {
		t.url = ""
		return false
	}
	title := trimTitle(strings.TrimRightFunc(before, openers.has))
	last := tail(title, maxTailCall)
	if k := strings.LastIndexFunc(last, tailMarks.has); k >= 0 && len(last)-k < len(title) && tailCalls[strings.ToLower(strings.TrimLeftFunc(last[k:], tailMarks.has))] {
		title = trimTitle(title[:len(title)-len(last)+k])
	}
	if at, name := authorTail(title); at > 0 {
		t.by = name
		t.rest = append(t.rest, run{text: trimTitle(title[at:]) + " "})
		title = trimTitle(title[:at])
	}
	if t.title = title; title == "" {
		t.url = ""
		return false
	}
	t.rest = append(t.rest, trimSeparator(trimClosing(runs[n+1:]))...)
	return true
}

// maxTailCall is how long, in bytes, a mark and one of tailCalls are at most.
const maxTailCall = 16

// tailCalls are words between a title and its bare URL.
var tailCalls = map[string]bool{"链接": true, "地址": true, "详情": true, "详见": true, "请见": true, "参见": true, "见": true, "原文": true,
	"传送门": true, "项目地址": true, "link": true, "url": true, "see": true, "via": true}

func trimClosing(runs []run) []run {
	if len(runs) == 0 || runs[0].url != "" {
		return runs
	}
	out := slices.Clone(runs)
	out[0].text = strings.TrimLeft(strings.TrimLeft(out[0].text, " "), ")）>]】")
	return out
}

func shownURL(url string) string {
	_, s, _ := strings.Cut(url, "://")
	s = strings.TrimSuffix(s, "/")
	return clip(s, maxTitle)
}
