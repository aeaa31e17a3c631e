package parse

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"weeklybot/content"
)

// Options change how one issue is read. The zero value is right for most.
type Options struct {
	Series string // name of the newsletter; "" = from the front matter, the folder or the file
}

// Parse reads one issue. source is its path as given, from which series, number and date may be taken; data its bytes. Parse never
// fails and never panics: what it could not use stands in Warnings, with the line in the file.
func Parse(source string, data []byte, opt Options) *content.Issue {
	text, warnings := toText(data)
	p := &issueReader{issue: &content.Issue{Source: source, Series: opt.Series, Kind: content.KindIssue, Warnings: warnings}}
	var body string
	p.head, body = readHeader(text)
	p.issue.Warnings = append(p.issue.Warnings, p.head.warnings...)

	root := outline(p.blocks(body))
	p.takeTitle(root)
	p.titleParagraph(root)
	p.front = root.body
	p.preface(root)
	decide(root)
	decideAlike(root)
	p.sections(root, nil)
	p.fill()
	p.issue.Lang = lang(p.issue)
	if p.isHotTopics() {
		p.issue.Kind = content.KindHotTopics
	}
	setIDs(p.issue)
	return p.issue
}

// Finish sets what follows from the items of an issue that was not read from one text, such as the entries of a feed: its language and
// the IDs of its items.
func Finish(i *content.Issue) {
	i.Lang = lang(i)
	setIDs(i)
}

// issueReader holds what is known of the issue being read.
type issueReader struct {
	issue     *content.Issue
	head      *header
	title     string // the heading that names the issue
	titleLine int
	abstract  string // a paragraph that says it is the summary
	dateline  string // a short line before the news that holds a date
	counted   string // a short line before the news that holds a number of the form 第…期
	authors   []string
	editors   []string
	front     []*block // what stands before the first heading
}

var htmlRE = regexp.MustCompile(`(?i)^\s*(?:<!doctype html|<html[\s>]|<\?xml[^>]*>\s*<(?:!doctype html|html))`)

func (p *issueReader) blocks(body string) []*block {
	first := p.head.lines + 1
	if head := strings.TrimLeft(body[:min(len(body), 1000)], " \t\n\f\r"); strings.HasPrefix(head, "<") && htmlRE.MatchString(head) {
		return htmlBlocks(withoutComments(body), first)
	}
	return markdownBlocks(prepare(body, first))
}

var abstracts = phraseOf(`(?i)^%s\s*[:：]\s*`, `摘要`, `导读`, `导语`, `内容提要`, `本期摘要`, `本期导读`, `提要`, `summary`, `abstract`, `tl;?dr`)

// preface reads people, abstract and date out of what stands before the first heading, and out of quotes and the end of the issue.
func (p *issueReader) preface(root *node) {
	var keep []*block
	announced := noRole
	for _, b := range root.body {
		switch {
		case b.kind == kindQuote && p.quote(b):
			continue
		case b.kind == kindPara && p.frontLine(b, &announced):
			continue
		}
		keep = append(keep, b)
	}
	root.body = keep
}

// quote reads a quote before the first heading; it reports whether it was only people and abstract.
func (p *issueReader) quote(b *block) bool {
	used := true
	announced := noRole
	for _, kid := range b.kids {
		if kid.kind != kindPara || !p.frontLine(kid, &announced) {
			used = false
		}
	}
	return used
}

func (p *issueReader) frontLine(b *block, announced *role) bool {
	said := strings.Trim(b.plain(), "*_ ")
	if at := abstracts.find(said); at >= 0 && p.abstract == "" {
		p.abstract = strings.Trim(said[at:], "*_ ")
		return true
	}
	dated := p.findDateline(b)
	if hasLineEnd(b.runs) {
		if all, named := p.frontLines(b); named {
			return all
		}
	}
	if p.byParts(said) {
		return true
	}
	if r, _ := roleOf(said); r != noRole {
		var all bool
		all, *announced = p.people(b.runs)
		return (all || dated) && *announced == noRole
	}
	return dated
}

// frontLines reads a paragraph that gives names on some of its lines; all reports whether each line gives names or a date.
func (p *issueReader) frontLines(b *block) (all, named bool) {
	all = true
	for _, line := range splitLines(b.runs) {
		said := strings.Trim(plain(line), "*_ ")
		switch r, _ := roleOf(said); {
		case r != noRole:
			whole, announced := p.people(line)
			all, named = all && whole && announced == noRole, true
		case width(said) <= 20 && p.addParts(said):
			named = true
		default:
			_, dated := findDate(said)
			all = all && (said == "" || dated && width(said) <= 12)
		}
	}
	return all, named
}

// byParts reads a short line of parts, such as "2024-03-04 · 编辑：甲、乙 · 审校：丙", or "By A & B". It reports whether it gave names.
func (p *issueReader) byParts(said string) bool {
	if width(said) > 20 {
		return false
	}
	if m := onlyByRE.FindStringSubmatch(said); m != nil {
		names := splitNames(m[1])
		if !slices.ContainsFunc(names, startsLower) {
			p.add(author, names)
			return len(names) > 0
		}
	}
	return p.addParts(said)
}

// addParts adds the names of a line of which not only the first part may name a role. It reports whether there is more than one part, and
// a role.
func (p *issueReader) addParts(said string) bool {
	parts, found := roleParts(said), false
	if len(parts) < 2 {
		return false
	}
	for _, part := range parts {
		if r, at := roleOf(part); r != noRole {
			p.add(r, splitNames(part[at:]))
			found = true
		}
	}
	return found
}

func startsLower(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLower(first)
}

var onlyByRE = regexp.MustCompile(`(?i)^by\s+(.{2,80})$`)

// datelineByRE is the author at the end of a dateline.
var datelineByRE = regexp.MustCompile(`(?i)(?:^|\s)by\s+([^|·,]{2,40})$`)

// findDateline looks for a short line that holds a date.
func (p *issueReader) findDateline(b *block) bool {
	if p.dateline != "" || len(b.plain()) > 400 {
		return false
	}
	linked := hasWebLink(b.runs)
	for _, line := range splitLines(b.runs) {
		said := plain(line)
		if p.counted == "" && strings.Contains(said, "期") && width(said) <= 12 && (hanNumber(said) != "" || hanVolRE.MatchString(said)) {
			p.counted = said
		}
		f, ok := findDate(said)
		if ok && width(said) <= 12 && (!linked || f.start == 0 && width(said) <= 8 || slices.ContainsFunc(strings.FieldsFunc(said, isPartMark), isOnlyDate)) {
			p.dateline = said
			if m := datelineByRE.FindStringSubmatch(said); m != nil {
				p.add(author, splitNames(m[1]))
			}
			return true
		}
	}
	return false
}

// isPartMark reports whether r stands between the parts of a dateline.
func isPartMark(r rune) bool { return r == '·' || r == '•' || r == '|' || r == '｜' }

// titleParagraph takes a first paragraph that carries number or date as the title of an issue that has no other.
func (p *issueReader) titleParagraph(root *node) {
	if h, _ := p.head.first(titleNames...); h != "" || p.title != "" || len(root.body) == 0 {
		return
	}
	first := root.body[0]
	if first.kind == kindQuote && len(first.kids) > 0 && first.kids[0].kind == kindPara {
		line := firstLine(first.kids[0].runs)
		if said := headingText(plain(line)); carriesNumber(said) && !isOnlyDate(said) && !hasWebLink(line) && width(said) <= 16 && len(roleParts(said)) == 1 {
			p.title, p.titleLine = said, first.line
		}
	}
	if first.kind != kindPara {
		return
	}
	if lines := splitLines(first.runs); len(lines) == 2 && (carriesNumber(plain(lines[1])) && !carriesNumber(plain(lines[0])) || isOnlyDate(plain(lines[1]))) {
		p.takeMasthead(root, lines)
		return
	}
	said := headingText(first.plain())
	if hasLineEnd(first.runs) || hasWebLink(first.runs) || width(said) > 16 || len(root.body)+len(root.kids) < 2 || !carriesNumber(said) {
		return
	}
	if isOnlyDate(said) {
		return
	}
	p.title, p.titleLine = said, first.line
	root.body = root.body[1:]
}

func isOnlyDate(s string) bool {
	f, ok := findDate(s)
	return ok && !hasLetter(s[:f.start]+s[f.end:])
}

// takeMasthead takes a first paragraph of two short lines as title and dateline.
func (p *issueReader) takeMasthead(root *node, lines [][]run) {
	first := root.body[0]
	title, below := headingText(plain(lines[0])), plain(lines[1])
	if hasWebLink(first.runs) || title == "" || width(title) > 8 || width(below) > 12 || endsSentence(title) || endsSentence(below) {
		return
	}
	p.title, p.titleLine, p.dateline = title, first.line, below
	root.body = root.body[1:]
}

// periodicRE finds what only an issue says of itself: that it is one of many, or the time that it is about.
var periodicRE = regexp.MustCompile(`(?i)\b(?:this|last) (?:week|month|issue|edition)\b|\b(?:weekly|newsletter|digest|gazette|bulletin|roundup|round-up|recap|letter|issue|edition|welcome to|hi (?:everyone|all|there|friends|folks)|hello|dear)\b|(?:本|上|这一?)[周期月]|[周月日季]刊|[周月日晚早]报|大家好|各位`)

// maxSaid is how long, in bytes, a paragraph may be to be searched for them.
const maxSaid = 1000

// isHotTopics tells a page that grows from an issue: no number, no date, nothing that only an issue says, and a list of links.
func (p *issueReader) isHotTopics() bool {
	i := p.issue
	if i.Number != nil || i.Date != "" || periodicRE.MatchString(i.Title) {
		return false
	}
	for _, b := range p.front {
		if b.kind == kindPara && len(b.plain()) < maxSaid && periodicRE.MatchString(b.plain()) {
			return false
		}
	}
	items, linked := 0, 0
	for s := range i.Sections {
		for k := range i.Sections[s].Items {
			items++
			if i.Sections[s].Items[k].URL != "" {
				linked++
			}
		}
	}
	return items > 0 && linked*2 > items
}

// hanShare is the part of letters that must be Han for an issue to be Chinese. Chinese technical news is full of Latin names.
const hanShare = 0.12

func lang(i *content.Issue) string {
	l := letterCount{}
	each := func(do func(string) bool) bool {
		if !do(i.Title) {
			return false
		}
		for s := range i.Sections {
			if !do(i.Sections[s].Heading) || !eachText(i.Sections[s].Items, do) {
				return false
			}
		}
		return true
	}
	each(func(s string) bool { l.left += len(s); return true })
	each(func(s string) bool { return !l.add(s) })
	if l.isHan(0) {
		return "zh"
	}
	return "en"
}

// eachText hands over the texts of items, until do says that it has had enough.
func eachText(items []content.Item, do func(string) bool) bool {
	for k := range items {
		if !do(items[k].Title) || !do(items[k].Text) || !eachText(items[k].Items, do) {
			return false
		}
	}
	return true
}

// letterCount counts letters until what is left cannot change the language any more.
type letterCount struct{ han, latin, left int } // left in bytes

// isHan reports whether the counted letters, and so many more Latin ones, are Chinese.
func (l *letterCount) isHan(more int) bool {
	return float64(l.han) > hanShare*float64(l.han+l.latin+more)
}

// add counts the letters of s; it reports whether the language is settled.
func (l *letterCount) add(s string) bool {
	for k := 0; k < len(s); {
		if c := s[k]; c < utf8.RuneSelf {
			if k++; isLatin(c) {
				l.latin++
			}
			continue
		}
		if s[k] >= 0xe4 && s[k] <= 0xe9 { // U+4000 to U+9FFF: all of it is Han, but for 64 hexagrams
			l.han++
			k += len("中")
			continue
		}
		r, size := utf8.DecodeRuneInString(s[k:])
		if k += size; isHan(r) {
			l.han++
		} else if r >= 0xc0 && r < 0x250 {
			l.latin++
		}
	}
	l.left -= len(s)
	all := letterCount{han: l.han + l.left/len("中"), latin: l.latin}
	return l.isHan(l.left) || !all.isHan(0)
}

// setIDs names the items: series and URL, or series, issue and title. Within an issue each name is given once.
func setIDs(i *content.Issue) {
	count := 0
	for s := range i.Sections {
		count += 2 * len(i.Sections[s].Items) // some have nested ones
	}
	seen := make(map[[idBytes]byte]int, count)
	issue := ""
	if i.Number != nil {
		issue = strconv.Itoa(*i.Number)
	} else if i.Date != "" {
		issue = i.Date
	}
	level := make([][]content.Item, 0, len(i.Sections))
	for s := range i.Sections {
		level = append(level, i.Sections[s].Items)
	}
	for len(level) > 0 {
		var below [][]content.Item
		for _, items := range level {
			for k := range items {
				items[k].ID = itemID(i.Series, issue, &items[k], seen)
				if len(items[k].Items) > 0 {
					below = append(below, items[k].Items)
				}
			}
		}
		level = below
	}
}

// idBytes is how much of a hash names an item; it is written in twice as many digits.
const idBytes = 6

func itemID(series, issue string, it *content.Item, seen map[[idBytes]byte]int) string {
	name := append(append(make([]byte, 0, 256), series...), '\n')
	key := len(name)
	if name = content.AppendCanonicalURL(name, it.URL); len(name) == key {
		name = append(append(append(name, issue...), '\n'), letterKey(it.Title)...)
	}
	sum := sha256.Sum256(name)
	short := [idBytes]byte(sum[:])
	seen[short]++
	var digits [2 * idBytes]byte
	hex.Encode(digits[:], short[:])
	id := string(digits[:])
	if n := seen[short]; n > 1 {
		return id + "-" + strconv.Itoa(n)
	}
	return id
}
