package parse

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	labelMarks  = marksOf("：: 《“")
	endMarks    = marksOf("。！？：:；;…》」』”】")                        // end a title
	followMarks = marksOf("：:。!！?？—–|｜,，;；(（[【~～·•》」』”\"→=>《“&+") // follow one
	separators  = marksOf(" \t\n\v\u00a0：:。.，,；;、-–—|｜~～·" + closed)
	openers     = marksOf("(（<[【「《")
	closers     = marksOf(")）>]】」》")
	tailMarks   = marksOf(",，。；;:：（( \t\n")
	nameEnds    = marksOf(",，。；;")
	whenMarks   = marksOf(" \n\v,，:：|.()（）–—~-")
)

// form is how clearly a paragraph begins with a title.
type form uint8

const (
	noTitle  form = iota // a sentence, or nothing
	weak                 // begins with a link or bold text, but runs on
	strong               // a link or bold text that stands by itself, or a numbered line
	withURL              // "title SEPARATOR bare URL"
	sentence             // a sentence with a link in it
)

// titled is a paragraph taken apart.
type titled struct {
	title string
	url   string
	rest  []run // what follows the title
	tags  []string
	lead  lead
	by    string
	when  string // a date that stood before the title
	lines int    // of a paragraph whose first line is the title, see aboveURL
	form  form

	unread bool  // lead.rest is still to be read as a sentence
	tail   []run // what is still to follow rest
}

// titleOf takes a paragraph apart into title and rest.
func titleOf(runs []run) titled {
	t := shapeOf(runs)
	t.complete()
	return t
}

// shapeOf is titleOf without title, URL and rest of a paragraph of the forms weak and sentence: complete adds them.
func shapeOf(runs []run) titled {
	runs, tail := cutRuns(runs)
	t := takeApart(runs)
	t.tail = tail
	return t
}

func (t *titled) complete() {
	if t.unread {
		t.sentence(t.lead.rest)
		t.finish()
		t.unread = false
	}
	if len(t.tail) > 0 {
		t.rest = append(slices.Clip(t.rest), t.tail...)
		t.tail = nil
	}
}

// maxHead is how much of a paragraph is searched for its title, in bytes and in pieces.
const maxHead, maxPieces = 4000, 300

// cutRuns cuts what is too long to be searched for a title.
func cutRuns(runs []run) (head, tail []run) {
	size := 0
	for k, r := range runs {
		if size += len(r.text); size <= maxHead && k < maxPieces {
			continue
		}
		at := max(0, len(r.text)-(size-maxHead))
		if r.url != "" || k >= maxPieces {
			at = 0
		}
		for at > 0 && !utf8.RuneStart(r.text[at]) {
			at--
		}
		first, rest := r, r
		first.text, rest.text = r.text[:at], r.text[at:]
		return append(slices.Clone(runs[:k]), first), append([]run{rest}, runs[k+1:]...)
	}
	return runs, nil
}

func takeApart(runs []run) titled {
	l, tags := trimLead(runs)
	t := titled{tags: tags, lead: l}
	if len(l.rest) == 0 {
		return t
	}
	if label, rest, ok := cutLabel(l.rest); ok {
		t.tags = append(t.tags, label)
		l, tags = trimLead(rest)
		t.tags = append(t.tags, tags...)
		t.lead.rest, t.lead.quoted = l.rest, l.quoted
	}
	if when, rest := cutWhen(l.rest); when != "" {
		t.when, t.lead.rest, l.rest = when, rest, rest
	}
	if first := l.rest[0]; first.look&bare == 0 && (first.url != "" || first.look&bold != 0) {
		if t.head(l.rest) {
			t.finish()
			return t
		}
		t.form = weak
	} else if t.beforeURL(l.rest) {
		t.form = withURL
		t.finish()
		return t
	} else {
		t.form = sentence
	}
	t.unread = true
	return t
}

// finish cuts a title that is too long and looks for its author.
func (t *titled) finish() {
	if t.title == "" {
		return
	}
	title, rest := cutTitle(t.title)
	if rest == "" {
		title, rest = cutMinutes(title)
	}
	if t.title = title; rest != "" {
		t.rest = append([]run{{text: rest + " "}}, t.rest...)
	}
	t.by = byline(t.rest)
}

// cutMinutes cuts the time that reading takes off the end of a title: "… (5 minute read)", "…（约 8 分钟）".
func cutMinutes(s string) (title, rest string) {
	if !strings.HasSuffix(s, ")") && !strings.HasSuffix(s, "）") {
		return s, ""
	}
	k := strings.LastIndexAny(s, "(（")
	if k <= 0 || !minutesRE.MatchString(s[k:]) {
		return s, ""
	}
	return trimTitle(s[:k]), s[k:]
}

var minutesRE = regexp.MustCompile(`(?i)^[(（]\s*(?:约|~)?\s*\d{1,3}[\s-]*(?:min(?:ute)?s?(?:[\s-]*(?:read|watch|listen|video))|分钟)(?:阅读)?\s*[)）]$`)

// maxLabelRunes is how long the "label：" before a title may be, in code points.
const maxLabelRunes = 8

// maxKindLabel is how long, in bytes, the longest of kindLabels is.
const maxKindLabel = len("announcement")

// kindLabels are English labels that only say what sort of thing the link is. Any other one may be the half of a title.
var kindLabels = map[string]bool{"video": true, "videos": true, "podcast": true, "audio": true, "article": true, "blog": true, "blog post": true, "paper": true, "book": true,
	"talk": true, "slides": true, "tutorial": true, "guide": true, "tool": true, "library": true, "analysis": true, "opinion": true, "interview": true,
	"announcement": true, "news": true, "release": true, "read": true, "watch": true, "listen": true, "thread": true, "project": true, "course": true, "event": true, "sponsored": true, "sponsor": true}

// cutLabel takes a short Han "label：", or one that names a kind of thing, off that stands before a link or bold text.
func cutLabel(runs []run) (label string, rest []run, ok bool) {
	if len(runs) < 2 || runs[0].url != "" || runs[0].look&code != 0 {
		return "", nil, false
	}
	text := trimBlank(runs[0].text)
	label = strings.TrimRightFunc(text, labelMarks.has)
	next := runs[1]
	if label == text || next.url == "" && next.look&bold == 0 || next.look&bare != 0 {
		return "", nil, false
	}
	if isHanLabel := isAllHan(label) && utf8.RuneCountInString(label) <= maxLabelRunes; !isHanLabel && !(len(label) <= maxKindLabel && kindLabels[strings.ToLower(label)]) {
		return "", nil, false
	}
	if open := strings.TrimLeft(text[len(label):], "：: "); open != "" {
		runs = slices.Clone(runs)
		runs[0].text = open
		return label, runs, true
	}
	return label, runs[1:], true
}

// maxWhen is how long, in bytes, a date before a title may be.
const maxWhen = 60

var whenRE = regexp.MustCompile(`(?i)^(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*|(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*|(?:周|星期)[一二三四五六日天]|[年月日号]|\d{1,4}(?:st|nd|rd|th)?|[ap]m|to|and|at|utc|[至到\s,，./|:：()（）–—~-])+$`)

// cutWhen takes a date off that stands before a link: "**Oct 22–25** [name](url)", "2024-11-12 - [name](url)", "3 月 5 日：[name](url)".
func cutWhen(runs []run) (when string, rest []run) {
	if len(runs) < 2 || runs[0].url != "" || !beginsWhen(runs[0].text) {
		return "", runs
	}
	n, said := 0, ""
	for n < len(runs) && n < 3 && runs[n].url == "" && len(said) <= maxWhen {
		said += runs[n].text
		n++
	}
	if n == len(runs) || len(said) > maxWhen || !runs[n].web || runs[n].look&(bare|image) != 0 || !mayBeWhen(said) || !whenRE.MatchString(said) {
		return "", runs
	}
	if _, dated := findDate(said); !dated && !(strings.ContainsAny(said, "0123456789") && (strings.Contains(said, "月") || holdsMonth(said))) {
		return "", runs
	}
	return strings.TrimFunc(said, whenMarks.has), runs[n:]
}

// mayBeWhen is a cheap test before whenRE: whether each Latin word of s begins as its words do.
func mayBeWhen(s string) bool {
	for k := 0; k < len(s); k++ {
		from := k
		for k < len(s) && isLatin(s[k]) {
			k++
		}
		if word := s[from:k]; word != "" && (len(word) < 2 || !whenWords[strings.ToLower(word[:2])] && !isDayOrMonth(word)) {
			return false
		}
	}
	return true
}

// whenWords are what the words of whenRE begin with, but for days and months.
var whenWords = map[string]bool{"am": true, "pm": true, "to": true, "an": true, "at": true, "ut": true, "st": true, "nd": true, "rd": true, "th": true}

// isDayOrMonth reports whether a Latin word begins as the name of a day or a month does.
func isDayOrMonth(word string) bool {
	return len(word) >= 3 && (month(word[:3]) > 0 || weekdays[strings.ToLower(word[:3])])
}

// beginsWhen is a cheap test before whenRE.
func beginsWhen(s string) bool {
	if len(s) > maxWhen {
		return false
	}
	s = strings.TrimLeft(s, " (（")
	if s == "" || isDigit(s[0]) || strings.HasPrefix(s, "周") || strings.HasPrefix(s, "星期") {
		return s != ""
	}
	end := 0
	for end < len(s) && isLatin(s[end]) {
		end++
	}
	return month(s[:end]) > 0 || end >= 3 && weekdays[strings.ToLower(s[:3])]
}

var weekdays = map[string]bool{"mon": true, "tue": true, "wed": true, "thu": true, "fri": true, "sat": true, "sun": true}

// head joins the links and bold pieces at the start that form one phrase. It reports whether they are the title.
func (t *titled) head(runs []run) bool {
	title, n, allBold := "", 0, true
	for n < len(runs) {
		r := runs[n]
		switch {
		case r.look&image != 0:
			if t.url == "" {
				t.url = r.url
			}
		case r.url != "" && r.look&bare == 0 && (t.url == "" || r.url == t.url):
			if isBold := r.look&bold != 0; t.url == "" && n > 0 && !isBold && !glued(runs[n-1]) {
				return t.headEnd(runs, n, title, allBold)
			}
			t.url = r.url
			title += r.text
		case r.url == "" && r.look&bold != 0 && allBold:
			title += r.text
		case isGap(r) && n+1 < len(runs) && joins(runs[n-1], runs[n+1], t.url):
			title += r.text
			n++
			continue
		default:
			return t.headEnd(runs, n, title, allBold)
		}
		allBold = allBold && r.look&bold != 0
		n++
	}
	return t.headEnd(runs, n, title, allBold)
}

func glued(before run) bool { return before.text != "" && !strings.HasSuffix(before.text, " ") }

func isGap(r run) bool {
	return r.url == "" && !strings.Contains(r.text, "\n") && trimBlank(r.text) == ""
}

// joins reports whether two pieces with only blanks between them form one title.
func joins(before, after run, url string) bool {
	if after.look&bare != 0 {
		return false
	}
	if after.url != "" && url != "" && after.url != url {
		return false
	}
	return after.url != "" && after.url == before.url || before.look&bold != 0 && after.look&bold != 0
}

// maxFollows is how much of what follows a title is looked at, in bytes.
const maxFollows = 200

// headEnd decides what follows the first n runs: the end of the title, or the rest of a sentence.
func (t *titled) headEnd(runs []run, n int, title string, allBold bool) bool {
	follows := textFrom(runs[n:])
	next := run{}
	if n < len(runs) {
		next = runs[n]
	}
	if !titleEnds(title, follows, next, allBold) {
		t.url = ""
		return false
	}
	t.title = trimMarks(withoutEmojiEnds(squeeze(title)))
	if t.title == "" {
		return false
	}
	if !hasWord(t.title) && hasWord(follows) && strings.HasPrefix(t.title, "#") || len(follows) > 20 && isCall(t.title) && letters(follows) > 20 {
		t.title, t.url = "", ""
		return false
	}
	t.rest = trimSeparator(runs[n:])
	if t.form = strong; runsOn(follows) {
		t.form = weak
	}
	if t.url == "" && width(t.title) <= maxBoldLabel && isLabel(title, follows) {
		t.label()
	}
	return true
}

// maxBoldLabel is how wide, in words, a label in bold may be before the link that it labels.
const maxBoldLabel = 3

// isLabel reports whether bold text ends, or is followed by, a mark that announces something.
func isLabel(title, follows string) bool {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(title, " "))
	next, _ := utf8.DecodeRuneInString(strings.TrimLeft(follows, " "))
	return strings.ContainsRune(":：.。", last) || strings.ContainsRune(":：", next)
}

// label joins a label with the link directly behind it: "**Kafka**: [Queues at last](url)" is one title.
func (t *titled) label() {
	if len(t.rest) == 0 || !t.rest[0].web || t.rest[0].look&(bare|image) != 0 || isCall(t.rest[0].text) {
		return
	}
	first := t.rest[0]
	if t.url = first.url; runsOn(textFrom(t.rest[1:])) {
		return // the link is a part of a sentence
	}
	colon := ": "
	if hanCount(t.title) > 0 {
		colon = "："
	}
	t.title += colon + trimTitle(first.text)
	t.rest = trimSeparator(t.rest[1:])
}

// textFrom is at least maxFollows bytes of the text of runs, where they have as many.
func textFrom(runs []run) string {
	n, size := 0, 0
	for n < len(runs) && size < maxFollows {
		size += len(runs[n].text)
		n++
	}
	return joinText(runs[:n])
}

// runsOn reports whether text goes on in lower case, as in "[name](url) is a tool that …".
func runsOn(follows string) bool {
	word, _, _ := strings.Cut(strings.TrimLeft(follows, " "), " ")
	first, _ := utf8.DecodeRuneInString(word)
	return unicode.IsLower(first) && !strings.EqualFold(word, "by") && !strings.EqualFold(word, "via")
}

// defines are words after a link that begin a description of what the link names; any other lower-case word continues its sentence.
var defines = map[string]bool{
	"is": true, "are": true, "a": true, "an": true, "the": true, "provides": true, "lets": true, "allows": true, "helps": true, "makes": true,
	"brings": true, "gives": true, "shows": true, "explains": true, "describes": true, "covers": true, "discusses": true, "lists": true, "collects": true, "compares": true, "argues": true,
	"teaches": true, "walks": true, "reviews": true, "surveys": true, "summarizes": true, "explores": true, "demonstrates": true, "tells": true, "examines": true, "by": true, "via": true,
}

var verbRE = regexp.MustCompile(`^(?:正式|宣布|发布|推出|开源|收购|加入|支持|成为|完成|获得|迎来|更新|升级|已|将|与|和|的|在|对|被|从|为|新增|引入|移除|上线|登陆|进入|了)`)

// titleEnds reports whether a title made of links or bold text ends before what follows.
func titleEnds(title, follows string, next run, allBold bool) bool {
	trimmed := strings.TrimLeft(follows, " \t\u00a0")
	if trimmed == "" || trimmed[0] == '\n' || strings.HasPrefix(trimmed, closed) {
		return !isHardWrapped(title, trimmed)
	}
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(title, " "))
	if endMarks.has(last) {
		return true
	}
	if strings.HasSuffix(title, "'s") || strings.HasSuffix(title, "’s") {
		return false
	}
	if gap := len(trimmed) < len(follows); gap && (strings.HasPrefix(trimmed, "https://") || strings.HasPrefix(trimmed, "http://")) {
		return true
	}
	if next.look&bold != 0 && !allBold && width(title) > 2 {
		return true
	}
	c, size := utf8.DecodeRuneInString(trimmed)
	after, _ := utf8.DecodeRuneInString(trimmed[size:])
	gap := len(trimmed) < len(follows) || strings.HasSuffix(title, " ")
	switch {
	case c == '.' || c == '-' || c == '\'' || c == '’' || c == '/' || c == '_':
		return !unicode.IsLetter(after) && !unicode.IsDigit(after) || gap && c != '\''
	case c == '、' || c == '的':
		return false
	case followMarks.has(c):
		return true
	}
	word, _, _ := strings.Cut(trimmed, " ")
	if allBold && gap {
		return width(title) > 2 || !unicode.IsLower(c) || defines[word]
	}
	if strings.HasSuffix(title, " ") && width(title) > 2 {
		return true
	}
	if !gap {
		return allBold && width(title) >= 4 && !unicode.IsLower(c)
	}
	if next.url != "" || next.look&(em|code) != 0 && strings.HasPrefix(follows, next.text) {
		return true
	}
	switch {
	case strings.EqualFold(word, "by") || strings.HasPrefix(trimmed, "作者") || strings.HasPrefix(trimmed, "译"):
		return true
	case unicode.IsLower(c):
		return defines[strings.ToLower(word)]
	case unicode.IsDigit(c):
		return width(title) > 2
	case isHan(c):
		return width(title) > 2 || !verbRE.MatchString(cut(trimmed, 12))
	}
	return true
}

// isHardWrapped reports whether a line that ends in a link goes on in the next line.
func isHardWrapped(title, follows string) bool {
	next := strings.TrimLeft(follows, " \n")
	c, _ := utf8.DecodeRuneInString(next)
	word, _, _ := strings.Cut(next, " ")
	return strings.HasPrefix(follows, "\n") && !strings.HasPrefix(follows, hardBreak) && len(title) < 60 && unicode.IsLower(c) && !defines[word] && !strings.HasPrefix(word, "http")
}

// trimSeparator takes the mark off that separates a title from its text.
func trimSeparator(runs []run) []run {
	out := slices.Clone(runs)
	for len(out) > 0 {
		if out[0].url != "" && out[0].look&image == 0 {
			break
		}
		text := strings.TrimLeftFunc(out[0].text, separators.has)
		if text != "" {
			out[0].text = text
			break
		}
		out = out[1:]
	}
	for k := range out {
		out[k].text = strings.Replace(out[k].text, closed, "", 1)
	}
	return out
}

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

var authorTailRE = regexp.MustCompile(`(?i)[,，；;\s]\s*(?:by|作者|译者?|文)\s*[:：]?\s*([^,，。；;]{2,30})$`)

// authorWords are what authorTailRE looks for.
var authorWords = []string{"by", "By", "BY", "作者", "译", "文"}

// authorTail finds the author at the end of a title, and where the words begin that name him; at is 0 when there is none.
func authorTail(title string) (at int, name string) {
	if !slices.ContainsFunc(authorWords, func(w string) bool { return strings.Contains(title, w) }) {
		return 0, ""
	}
	last := max(0, strings.LastIndexFunc(title, nameEnds.has)) // no name goes beyond one of these
	m := authorTailRE.FindStringSubmatchIndex(title[last:])
	if m == nil {
		return 0, ""
	}
	return last + m[0], strings.TrimSpace(title[last+m[2] : last+m[3]])
}

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

func textRuns(s string) []run {
	if s = trimBlank(s); s == "" {
		return nil
	}
	return []run{{text: s}}
}

// sentence makes a title of the first sentence. Its URL is the first link in it; or the link in brackets directly behind it; or a link
// at the end that only says "read it here".
func (t *titled) sentence(runs []run) {
	links, before := closingLinks(runs)
	if before == nil {
		t.firstSentence(runs)
		return
	}
	if t.firstSentence(before); t.url == "" {
		t.url = links[len(links)-1].url
		if links[0].web {
			t.url = links[0].url
		}
	}
	t.rest = append(append(t.rest, run{text: " "}), links...)
}

// within are words before the link to a text of which the sentence tells: "In [title](url), the author …".
var within = map[string]bool{"in": true, "over at": true, "on": true, "from": true, "according to": true, "with": true, "在": true}

// maxWithinWord is how long, in bytes, the longest of them is.
const maxWithinWord = len("according to")

// withinTitle takes the title out of such a sentence.
func (t *titled) withinTitle(runs []run) bool {
	if len(runs) < 3 || len(runs[0].text) > maxWithinWord+2 || !runs[1].web || runs[1].look&(bare|image) != 0 {
		return false
	}
	before := strings.ToLower(strings.TrimRight(trimBlank(runs[0].text), "《“\"「"))
	after := strings.TrimLeft(runs[2].text, "》”\"」 ")
	title := strings.Trim(trimTitle(runs[1].text), "《》“”\"「」")
	first, _ := utf8.DecodeRuneInString(title)
	if !within[before] || width(title) < 3 || unicode.IsLower(first) {
		return false
	}
	if !strings.HasPrefix(after, ",") && !strings.HasPrefix(after, "中") && !strings.HasPrefix(after, "，") && !strings.HasPrefix(after, "一文") && !strings.HasPrefix(after, "这") {
		return false
	}
	t.title, t.url = title, runs[1].url
	t.rest = trimSeparator(runs[2:])
	return true
}

func (t *titled) firstSentence(runs []run) {
	if t.withinTitle(runs) {
		return
	}
	said := strings.ReplaceAll(plain(runs), closed, "")
	end := sentenceEnd(said)
	at, linkEnd := 0, 0
	links := runs
	for len(links) > 0 && !links[len(links)-1].web {
		links = links[:len(links)-1]
	}
	for _, r := range links {
		text := squeeze(r.text)
		k := -1
		if text != "" {
			if k = strings.Index(said[min(at, len(said)):], text); k >= 0 {
				k += at
				at = k + len(text)
			}
		}
		if !r.web || r.look&image != 0 {
			continue
		}
		inside := k >= 0 && k < end
		if inside {
			linkEnd = at
		}
		bracket := k >= end && strings.Trim(said[end:k], " ([（【") == "" && k > end
		if t.url == "" && (inside || bracket || isCall(text) || r.look&bare != 0) {
			t.url = r.url
		}
	}
	if k := slices.IndexFunc(runs, func(r run) bool { return r.look&image != 0 && r.web }); k >= 0 && t.url == "" {
		t.url = runs[k].url
	}
	if end > maxClause && columns(said[:end]) > maxClause {
		end = clauseEnd(said[:end], linkEnd)
	}
	if inner, size := quotedHead(said); inner != "" {
		t.title, t.rest = trimTitle(inner), textRuns(strings.TrimLeft(said[size:], "，,；;：:—– -"))
		return
	}
	t.title = trimTitle(withoutEmojiEnds(said[:end]))
	t.rest = textRuns(strings.TrimLeft(said[end:], "，,；;：: "))
}

// quotedHead is the title in the brackets that s begins with, when a mark separates it from the rest: "《title》：text".
func quotedHead(s string) (title string, size int) {
	for _, pair := range []string{"《》", "「」", "『』"} {
		inner, ok := strings.CutPrefix(s, pair[:len("《")])
		if !ok {
			continue
		}
		k := strings.Index(inner, pair[len("《"):])
		if k <= 0 {
			return "", 0
		}
		size = len("《") + k + len("》")
		next, _ := utf8.DecodeRuneInString(strings.TrimLeft(s[size:], " "))
		if size == len(s) || strings.ContainsRune("：:—–-|｜，,（(", next) {
			return inner[:k], size
		}
	}
	return "", 0
}

// closingLinks are what stands behind a sentence and only says where it leads: a call, a host, or links in brackets, perhaps with a name
// behind them. before is the sentence, nil when there is no such link.
func closingLinks(runs []run) (links, before []run) {
	k := len(runs) - 1
	for k > 0 && runs[k].url == "" {
		k--
	}
	if k < 1 || !runs[k].web || runs[k].look&(bare|image) != 0 {
		return nil, nil
	}
	first, rest := k, trimBlank(joinText(runs[k+1:]))
	for first > 2 && runs[first-1].url == "" && !hasLetter(runs[first-1].text) && runs[first-2].web {
		first -= 2
	}
	if runs[first-1].url != "" {
		return nil, nil
	}
	text := runs[first-1].text
	head := strings.TrimRight(text, " \n\v")
	link := runs[first]
	separator, size := utf8.DecodeLastRuneInString(head)
	inBrackets := strings.ContainsRune("(（[【", separator) && rest != "" && hasWord(link.text)
	switch {
	case inBrackets && isAfterBracket(rest):
	case strings.Trim(rest, ")）。.") != "" || first < k:
		return nil, nil
	case strings.ContainsRune("-–—→.。!！?？", separator) && (isCall(link.text) || isHost(link.text)):
	case strings.ContainsRune(":：,，|｜", separator) && isCall(link.text):
	case len(head) < len(text) && isCall(link.text) && hanCount(link.text) > 0:
		size = 0
	default:
		return nil, nil
	}
	aside := "" // what stands in the same brackets before a call
	if open := strings.LastIndexAny(head, "(（"); !inBrackets && open > 0 && strings.HasPrefix(rest, closingOf(head[open:])) && len(head)-open <= maxAsideBytes {
		aside, head, separator = head[open:], strings.TrimRight(head[:open], " "), '.'
	}
	if !strings.ContainsRune(".。!！?？", separator) {
		head = strings.TrimRight(head[:len(head)-size], " ")
	}
	before = slices.Clone(runs[:first])
	before[first-1].text = head
	least := 3
	if !inBrackets && isCall(link.text) && size > 0 {
		least = 1
	}
	if said := plain(before); width(said) < least || sentenceEnd(said) < len(said) {
		return nil, nil
	}
	links = runs[first : k+1 : k+1]
	if aside != "" {
		return []run{{text: aside + closingOf(aside)}, link}, before
	}
	if name := strings.TrimLeft(rest, ")）]】.。 "); name != "" {
		links = append(links, run{text: " " + name})
	}
	return links, before
}

// maxAsideBytes is how long the text in brackets before a call may be.
const maxAsideBytes = 80

// closingOf is the bracket that closes the one s begins with.
func closingOf(s string) string {
	if strings.HasPrefix(s, "(") {
		return ")"
	}
	return "）"
}

// isAfterBracket reports whether s closes a bracket and ends there, or with a name: ") — @ann".
func isAfterBracket(s string) bool {
	c, size := utf8.DecodeRuneInString(s)
	if !closers.has(c) {
		return false
	}
	name := strings.Trim(s[size:], " .。")
	c, _ = utf8.DecodeRuneInString(name)
	return name == "" || width(name) <= 4 && (strings.ContainsRune("-–—@", c) || len(name) > 3 && strings.EqualFold(name[:3], "by "))
}

// isHost reports whether a link's text is the name of a host.
func isHost(s string) bool {
	k := strings.LastIndexByte(s, '.')
	return k > 0 && len(s)-k > 2 && len(s) < 60 && !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || r <= ' ' }) && hasWord(s[k:])
}

const (
	// maxClause is how wide, in columns, a first sentence may be to be a title as a whole.
	maxClause = 80
	// minClause is how wide what is left of it must be.
	minClause = 20
)

// clauseEnd is where the first clause of a long sentence ends that holds all of its links. What stands in brackets ends no clause.
func clauseEnd(s string, after int) int {
	wide, depth := 0, 0
	for k, r := range s {
		if r < utf8.RuneSelf && isWordByte[r] {
			wide++
			continue
		}
		if closers.has(r) {
			depth = max(0, depth-1)
		}
		inside := depth > 0
		if openers.has(r) {
			depth++
		}
		before := wide
		if wide++; isEast(r) {
			wide++
		}
		if k < after || before < minClause || inside {
			continue
		}
		next, _ := utf8.DecodeRuneInString(s[k+utf8.RuneLen(r):])
		switch {
		case r == '，' || r == '；' || r == '：', (r == ',' || r == ';' || r == ':') && isBlank(next):
			return k
		case r == '（' || r == '(' && k > 0 && s[k-1] == ' ':
			return k
		}
	}
	return len(s)
}

// bylineWords begin the line that names an author.
var bylineWords = []string{"by", "作者", "译者", "译", "文/", "撰文", "via"}

// maxName is how long the name of an author may be, in code points.
const maxName = 40

// byline reads an author named at the start of what follows a title.
func byline(runs []run) string {
	if !mayBeByline(runs) {
		return ""
	}
	rest := textFrom(runs)
	rest, _, _ = strings.Cut(strings.TrimLeft(rest, " \n"), "\n")
	rest = cut(squeeze(rest), maxFollows)
	rest = strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(rest, "("), "（"), " ")
	for _, word := range bylineWords {
		if len(rest) < len(word) || !strings.EqualFold(rest[:len(word)], word) {
			continue
		}
		name := strings.TrimLeft(rest[len(word):], " ")
		if r, size := utf8.DecodeRuneInString(name); r == ':' || r == '：' || r == '|' {
			name = strings.TrimLeft(name[size:], " ")
		}
		name = strings.TrimSpace(name[:nameLen(name)])
		if n := utf8.RuneCountInString(name); n >= 2 && n <= maxName && width(name) <= 5 {
			return name
		}
		return ""
	}
	return ""
}

// mayBeByline is a quick look at the first character that is no blank.
func mayBeByline(runs []run) bool {
	for k := range runs {
		if text := strings.TrimLeftFunc(runs[k].text, isBlankOrInvisible); text != "" {
			first, _ := utf8.DecodeRuneInString(text)
			return strings.ContainsRune("bBvV(（作译文撰", first)
		}
	}
	return false
}

// nameLen is how long the name is that s begins with: up to a mark, a full stop that ends a sentence, or a dash with a blank in front.
func nameLen(s string) int {
	for k, r := range s {
		switch r {
		case ',', '，', '。', ';', '；', ')', '）', '|', '｜':
			return k
		case '(', '（', '\n':
			return 0
		case '.':
			if k+1 == len(s) || s[k+1] == ' ' {
				return k
			}
		case '-', '–', '—':
			if k > 0 && s[k-1] == ' ' {
				return k
			}
		}
	}
	return len(s)
}
