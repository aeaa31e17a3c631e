package parse

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

type role uint8

const (
	noRole role = iota
	author
	editor
)

// rolePhrases begin lines that give names, in the order in which they are tried.
var rolePhrases = []struct {
	*phrase
	role    role
	passive bool // holds "… by", perhaps far from its beginning
}{
	{phraseOf(`^%s`, `(?:本期|本周|本刊|责任|执行|轮值|值班|周刊|周报|特约)*(?:编辑|主编|责编|编者|总编|编辑人|编辑人员|编辑成员|编审|校对|审校|审稿|审核|排版|主持人?)(?:们)?\s*(?:[:：|｜]|是)\s*`), editor, false},
	{phraseOf(`^%s`, `(?:本期|本周|本文|本刊|周刊|周报|特约|原文)*(?:作者|撰文|撰稿人?|供稿人?|整理人?|编写|贡献者|文字|内容|策划|译者)\s*(?:[:：|｜]|是)\s*`), author, false},
	{phraseOf(`(?i)^%s`, `(?:[^.!?\n]{0,60}\b(?:is|was|are)\s+)?(?:edited|curated|compiled|maintained)\s+by\s*:?\s+`), editor, true},
	{phraseOf(`(?i)^%s`, `(?:this week'?s\s+|your\s+)?(?:editors?|curators?|maintainers?)\s*(?:[:：]|\b(?:is|are)\b)\s*`), editor, false},
	{phraseOf(`(?i)^%s`, `(?:[^.!?\n]{0,60}\b(?:is|was|are)\s+)?(?:written|authored)\s+by\s*:?\s+`), author, true},
	{phraseOf(`(?i)^%s`, `(?:by|authors?|contributors?|writers?)\s*[:：]\s*`), author, false},
}

// announceRE is a role with nothing behind: a list of names follows.
var announceRE = regexp.MustCompile(`(?i)^(?:[^.!?\n]{0,60}\b(?:is|was|are)\s+)?(?:edited|curated|compiled|maintained)\s+by\s*[:：]?$`)

// roleOf tells whose names a line gives, and where they begin.
func roleOf(line string) (role, int) {
	head := cut(line, 120)
	by := holdsBy(head)
	for k := range rolePhrases {
		p := &rolePhrases[k]
		if p.passive && !by {
			continue
		}
		if at := p.find(head); at >= 0 {
			return p.role, at
		}
	}
	if by && len(head) == len(line) && announceRE.MatchString(line) {
		return editor, len(line)
	}
	return noRole, 0
}

// maxParts is how many marks of a line are looked at for a role behind them.
const maxParts = 40

// roleParts cuts a line before each role that stands behind a mark: "编辑：甲、乙；校对：丙", "2024-03-04 | Editor: A".
func roleParts(line string) []string {
	var parts []string
	begin, marks := 0, 0
	for k, r := range line {
		if !partMarks.has(r) || k < begin {
			continue
		}
		if marks++; marks > maxParts {
			break
		}
		next := strings.TrimLeft(line[k+utf8.RuneLen(r):], " ·•|｜　")
		if first, _ := utf8.DecodeRuneInString(next); r == ' ' && !isHan(first) {
			continue
		}
		if role, _ := roleOf(next); role != noRole {
			parts = append(parts, strings.TrimRightFunc(line[begin:k], partMarks.has))
			begin = len(line) - len(next)
		}
	}
	return append(parts, line[begin:])
}

var partMarks = marksOf(" ,，;；·•|｜/　")

// passiveVerbs are the words of the passive rolePhrases.
var passiveVerbs = []string{"edited", "curated", "compiled", "maintained", "written", "authored"}

// holdsBy is a quick look for one of passiveVerbs before a word that begins with "by".
func holdsBy(s string) bool {
	for k := 4; k < len(s); k++ {
		if s[k]|0x20 != 'y' || s[k-1]|0x20 != 'b' || s[k-2] > ' ' {
			continue
		}
		before := strings.ToLower(tail(strings.TrimRight(s[:k-2], " \t\n\f\r"), len("maintained")))
		if slices.ContainsFunc(passiveVerbs, func(verb string) bool { return strings.HasSuffix(before, verb) }) {
			return true
		}
	}
	return false
}

// people takes names out of the lines of a paragraph. It reports whether the whole paragraph is such lines; announced is the role of a
// last line that has no names yet.
func (p *issueReader) people(runs []run) (all bool, announced role) {
	all = true
	for _, line := range splitLines(runs) {
		said := strings.Trim(plain(line), "*_ ")
		if said == "" {
			continue
		}
		r, at := roleOf(said)
		if r == noRole || utf8.RuneCountInString(said) > 600 {
			all = false
			continue
		}
		if p.addParts(said) {
			continue
		}
		names := linkNames(line)
		if all := splitNames(said[at:]); len(names) == 0 || len(all) > len(names) && holdAll(all, names) {
			names = all
		}
		if len(names) == 0 && strings.TrimSpace(said[at:]) != "" {
			all = false
			continue
		}
		if len(names) == 0 {
			announced = r
		}
		p.add(r, names)
	}
	return all, announced
}

func (p *issueReader) add(r role, names []string) {
	switch r {
	case editor:
		p.editors = unique(append(p.editors, names...))
	case author:
		p.authors = unique(append(p.authors, names...))
	}
}

// holdAll reports whether names holds all the linked ones, and nothing beside them that begins in lower case, as no name does.
func holdAll(names, linked []string) bool {
	for _, name := range linked {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return !slices.ContainsFunc(names, func(name string) bool {
		return startsLower(name) && !slices.Contains(linked, name)
	})
}

// linkNames are the texts of the links of a line, when they look like names.
func linkNames(runs []run) []string {
	var names []string
	for _, r := range runs {
		if r.url != "" && r.look&(bare|image) == 0 {
			if name := asName(r.text); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

func asName(s string) string {
	s = strings.TrimLeft(withoutEmoji(strings.Trim(squeeze(s), "*()（）[]。.,，、;； ")), "@＠")
	if s == "" || utf8.RuneCountInString(s) > 40 || strings.Contains(s, "://") || strings.ContainsAny(s, "。！？!?:：") || !hasLetter(s) {
		return ""
	}
	return s
}

// splitNames splits names written one after the other. A blank separates only names in Han characters.
func splitNames(s string) []string {
	s = strings.TrimRight(squeeze(s), "。. ")
	for _, word := range []string{" and ", " & ", " 和 ", " 与 "} {
		s = strings.ReplaceAll(s, word, ",")
	}
	parts := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(",，、;；|｜/／", r) })
	if len(parts) == 1 && (allHanNames(parts[0]) || allHandles(parts[0])) {
		parts = strings.Fields(parts[0])
	}
	var names []string
	for _, part := range parts {
		part = withoutAddress(strings.TrimPrefix(strings.TrimSpace(part), "and "))
		if isOnlyDate(part) {
			continue
		}
		name := asName(part)
		if name == "" || width(name) > 6 {
			if strings.TrimSpace(part) == "" {
				continue
			}
			return nil
		}
		names = append(names, name)
	}
	return unique(names)
}

// withoutAddress cuts "<mail@host>" off a name.
func withoutAddress(s string) string {
	if k := strings.IndexByte(s, '<'); k > 0 && strings.HasSuffix(s, ">") {
		return strings.TrimSpace(s[:k])
	}
	return s
}

// allHandles reports whether all words of s are names such as "@ann".
func allHandles(s string) bool {
	return !slices.ContainsFunc(strings.Fields(s), func(w string) bool { return !strings.HasPrefix(w, "@") })
}

func allHanNames(s string) bool {
	words := strings.Fields(s)
	for _, w := range words {
		if n := utf8.RuneCountInString(w); n > 5 || !isAllHan(w) {
			return false
		}
	}
	return len(words) > 1
}

func isAllHan(s string) bool {
	for _, r := range s {
		if !isHan(r) && !unicode.IsPunct(r) {
			return false
		}
	}
	return s != ""
}

// splitLines splits runs at line ends.
func splitLines(runs []run) [][]run {
	ends := 0
	for k := range runs {
		ends += strings.Count(runs[k].text, "\n")
	}
	out := make([][]run, 0, ends+1)
	pieces := make([]run, 0, len(runs)+ends) // of all lines
	begin := 0                               // of the line
	for _, r := range runs {
		for {
			k := strings.IndexByte(r.text, '\n')
			if k < 0 {
				break
			}
			if k > 0 {
				head := r
				head.text = r.text[:k]
				pieces = append(pieces, head)
			}
			out = append(out, pieces[begin:len(pieces):len(pieces)])
			begin = len(pieces)
			r.text = r.text[k+1:]
		}
		if r.text != "" || r.look&image != 0 {
			pieces = append(pieces, r)
		}
	}
	if begin < len(pieces) {
		out = append(out, pieces[begin:])
	}
	return out
}
