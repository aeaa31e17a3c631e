package parse

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"weeklybot/content"
)

// lead is what stands before a title, taken off.
type lead struct {
	rest     []run
	tags     []string
	numbered bool // "1、", "2." or a bullet written as text
	quoted   bool // the 《 or “ before a link was taken off
}

var (
	numberRE = regexp.MustCompile(`^(?:[（(]?\d{1,3}[)）、．]\s*|\d{1,3}[.:：](?:\s+|\pL|[《【“「\[*]|$)|[①-⑳⓪❶-❿]\s*|[一二三四五六七八九十]{1,3}、\s*|\d\x{fe0f}?\x{20e3}\s*)`)
	tagRE    = regexp.MustCompile(`^(?:\[([^\[\]\n]{1,40})\]|【([^【】\n]{1,24})】)\s*[:：]?\s*`)
	bulletRE = regexp.MustCompile(`^(?:[•·▪◦‣▍▶►◆◇■□●○★☆➤➜→»✦✧–—]+|-)\s+|^[•·▪▍►◆■●★]\s*`)
)

// trimLead takes numbers, pictographs, check boxes and tags off the start of runs.
func trimLead(runs []run) lead {
	l := lead{rest: runs}
	for len(l.rest) > 0 {
		first := l.rest[0]
		r := &first
		if r.look&image != 0 {
			l.rest = l.rest[1:]
			continue
		}
		text := strings.TrimLeftFunc(r.text, isBlank)
		if r.url != "" || r.look&code != 0 {
			if trimmed := trimEmoji(text); trimmed != "" || r.url == "" {
				text = trimmed
			}
			if trimmed := text[len(bullet(text)):]; trimmed != "" {
				text = trimmed
			}
			if text == "" && r.url == "" {
				l.rest = l.rest[1:]
				continue
			}
			l.setFirst(text)
			break
		}
		before := text
		text = trimEmoji(text)
		if m := bullet(text); m != "" {
			text, l.numbered = text[len(m):], true
		}
		if n := numberLen(text); n > 0 && !l.numbered && (len(text) > n || len(l.rest) > 1) {
			text, l.numbered = text[n:], true
		}
		if m := tagOf(text); m != nil && (trimBlank(text[len(m[0]):]) != "" || len(l.rest) > 1) {
			if tag := strings.TrimSpace(m[1] + m[2]); tag != "" && tag != "x" && tag != "X" {
				l.tags = append(l.tags, tag)
			}
			text = text[len(m[0]):]
		}
		if text == "" {
			l.rest = l.rest[1:]
			continue
		}
		l.setFirst(text)
		if text == before {
			break
		}
	}
	l.openQuote()
	return l
}

// setFirst changes the text of the first run, in a copy.
func (l *lead) setFirst(text string) {
	if l.rest[0].text != text {
		l.rest = slices.Clone(l.rest)
		l.rest[0].text = text
	}
}

// bullet is the mark of a list that s begins with, written as text.
func bullet(s string) string {
	if c, _ := utf8.DecodeRuneInString(s); c != '-' && c < 0xb7 || isEast(c) && c != '—' {
		return ""
	}
	return bulletRE.FindString(s)
}

func tagOf(s string) []string {
	if !strings.HasPrefix(s, "[") && !strings.HasPrefix(s, "【") {
		return nil
	}
	return tagRE.FindStringSubmatch(s)
}

// numberLen is the length of the number that s begins with; "1.4" and "2023 年" are none.
func numberLen(s string) int {
	if c, _ := utf8.DecodeRuneInString(s); c > '9' && c < 0x2460 || c < '(' {
		return 0
	}
	m := numberRE.FindString(s[:min(len(s), 60)])
	if m == "" {
		return 0
	}
	if k := strings.IndexAny(m, ".:："); k >= 0 {
		_, size := utf8.DecodeRuneInString(m[k:])
		return len(m[:k+size]) + len(m[k+size:]) - len(strings.TrimLeftFunc(m[k+size:], unicode.IsSpace))
	}
	return len(m)
}

func trimEmoji(s string) string {
	for {
		t := strings.TrimLeftFunc(s, func(r rune) bool { return isEmoji(r) && r != 0x25b6 })
		t = strings.TrimLeftFunc(t[emojiName(t):], isBlank)
		if t == s {
			return s
		}
		s = t
	}
}

// openQuote takes the 《 off that stands directly before a link and is closed directly behind it.
func (l *lead) openQuote() {
	if len(l.rest) < 3 || l.rest[0].url != "" || l.rest[1].url == "" {
		return
	}
	for _, pair := range []string{"《》", "“”", "「」", "『』", `""`, "<>"} {
		open, size := utf8.DecodeRuneInString(pair)
		if trimBlank(l.rest[0].text) == string(open) && strings.HasPrefix(trimBlank(l.rest[2].text), pair[size:]) {
			l.rest = slices.Clone(l.rest[1:])
			l.rest[1].text = strings.Replace(l.rest[1].text, pair[size:], "\u2063", 1)
			l.quoted = true
			return
		}
	}
}

// closed marks where a quote was taken off: the title ends there.
const closed = "\u2063"

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
	form  form
	lead  lead
	by    string
}

// titleOf takes a paragraph apart into title and rest.
func titleOf(runs []run) titled {
	runs, tail := cutRuns(runs)
	t := takeApart(runs)
	if len(tail) > 0 {
		t.rest = append(slices.Clip(t.rest), tail...)
	}
	return t
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
	l := trimLead(runs)
	t := titled{tags: l.tags, lead: l}
	if len(l.rest) == 0 {
		return t
	}
	if label, rest, ok := cutLabel(l.rest); ok {
		t.tags = append(t.tags, label)
		l = trimLead(rest)
		t.tags = append(t.tags, l.tags...)
		t.lead.rest, t.lead.quoted = l.rest, l.quoted
	}
	if first := l.rest[0]; first.look&bare == 0 && (first.url != "" || first.look&bold != 0) {
		if t.head(l.rest) {
			return t.finish()
		}
		t.form = weak
	} else if t.beforeURL(l.rest) {
		t.form = withURL
		return t.finish()
	}
	t.sentence(l.rest)
	return t.finish()
}

func (t titled) finish() titled {
	if t.title == "" {
		return t
	}
	title, rest := cutTitle(t.title)
	if t.title = title; rest != "" {
		t.rest = append([]run{{text: rest + " "}}, t.rest...)
	}
	t.by = byline(t.rest)
	return t
}

// maxLabelRunes is how long the "label：" before a title may be, in code points.
const maxLabelRunes = 8

// cutLabel takes a short Han "label：" off that stands before a link or bold text.
func cutLabel(runs []run) (label string, rest []run, ok bool) {
	if len(runs) < 2 || runs[0].url != "" || runs[0].look&code != 0 {
		return "", nil, false
	}
	text := trimBlank(runs[0].text)
	label = strings.TrimRight(text, "：: 《“")
	next := runs[1]
	if label == text || next.url == "" && next.look&bold == 0 || next.look&bare != 0 || !isAllHan(label) || utf8.RuneCountInString(label) > maxLabelRunes {
		return "", nil, false
	}
	if open := strings.TrimLeft(text[len(label):], "：: "); open != "" {
		runs = slices.Clone(runs)
		runs[0].text = open
		return label, runs, true
	}
	return label, runs[1:], true
}

// head joins the links and bold pieces at the start that form one phrase. It reports whether they are the title.
func (t *titled) head(runs []run) bool {
	var title strings.Builder
	n, allBold := 0, true
	for n < len(runs) {
		r := runs[n]
		switch {
		case r.look&image != 0:
			if t.url == "" {
				t.url = r.url
			}
		case r.url != "" && r.look&bare == 0 && (t.url == "" || r.url == t.url):
			if isBold := r.look&bold != 0; t.url == "" && n > 0 && !isBold && !glued(runs[n-1]) {
				return t.headEnd(runs, n, title.String(), allBold)
			}
			t.url = r.url
			title.WriteString(r.text)
		case r.url == "" && r.look&bold != 0 && allBold:
			title.WriteString(r.text)
		case isGap(r) && n+1 < len(runs) && joins(runs[n-1], runs[n+1], t.url):
			title.WriteString(r.text)
			n++
			continue
		default:
			return t.headEnd(runs, n, title.String(), allBold)
		}
		allBold = allBold && r.look&bold != 0
		n++
	}
	return t.headEnd(runs, n, title.String(), allBold)
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
	follows := ""
	for k := n; k < len(runs) && len(follows) < maxFollows; k++ {
		follows += runs[k].text
	}
	next := run{}
	if n < len(runs) {
		next = runs[n]
	}
	if !titleEnds(title, follows, next, allBold) {
		t.url = ""
		return false
	}
	t.title = trimTitle(withoutEmojiEnds(squeeze(title)))
	if t.title == "" {
		return false
	}
	if isCall(t.title) && letters(follows) > 20 {
		t.title, t.url = "", ""
		return false
	}
	t.rest = trimSeparator(runs[n:])
	if t.form = strong; runsOn(follows) {
		t.form = weak
	}
	return true
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
	"brings": true, "gives": true, "shows": true, "explains": true, "describes": true, "covers": true, "discusses": true, "by": true, "via": true,
}

var verbRE = regexp.MustCompile(`^(?:正式|宣布|发布|推出|开源|收购|加入|支持|成为|完成|获得|迎来|更新|升级|已|将|与|和|的|在|对|被|从|为|新增|引入|移除|上线|登陆|进入|了)`)

// titleEnds reports whether a title made of links or bold text ends before what follows.
func titleEnds(title, follows string, next run, allBold bool) bool {
	trimmed := strings.TrimLeft(follows, " \t\u00a0")
	if trimmed == "" || trimmed[0] == '\n' || strings.HasPrefix(trimmed, closed) {
		return !isHardWrapped(title, trimmed)
	}
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(title, " "))
	if strings.ContainsRune("。！？：:；;…》」』”】", last) {
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
	case strings.ContainsRune("：:。!！?？—–|｜,，;；(（[【~～·•》」』”\"→=>《“&+", c):
		return true
	}
	if allBold && gap {
		return width(title) > 2 || !unicode.IsLower(c)
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
	word, _, _ := strings.Cut(trimmed, " ")
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
	return strings.HasPrefix(follows, "\n") && len(title) < 60 && unicode.IsLower(c) && !defines[word] && !strings.HasPrefix(word, "http")
}

// trimSeparator takes the mark off that separates a title from its text.
func trimSeparator(runs []run) []run {
	out := slices.Clone(runs)
	for len(out) > 0 {
		if out[0].url != "" && out[0].look&image == 0 {
			break
		}
		text := strings.TrimLeft(out[0].text, " \t\n\u00a0：:。.，,；;、-–—|｜~～"+closed)
		if text != "" {
			out[0].text = text
			break
		}
		out = out[1:]
	}
	for k := range out {
		if strings.Contains(out[k].text, closed) {
			out[k].text = strings.Replace(out[k].text, closed, "", 1)
		}
	}
	return out
}

// maxBeforeURL is how long, in code points, the text before a bare URL may be to be its title as a whole.
const maxBeforeURL = 160

// maxAside is how long, in code points, the text of a link may be that only explains a word of such a title.
const maxAside = 16

// beforeURL takes "title SEPARATOR bare-URL" apart.
func (t *titled) beforeURL(runs []run) bool {
	n := slices.IndexFunc(runs, func(r run) bool {
		return r.look&bare != 0 || isWeb(r.url) && r.look&image == 0 && utf8.RuneCountInString(r.text) > maxAside
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
	title := trimTitle(strings.TrimRight(before, "(（<[【"))
	if callTail := tailCallRE.FindStringIndex(title); callTail != nil && callTail[0] > 0 {
		title = trimTitle(title[:callTail[0]])
	}
	if m := authorTailRE.FindStringSubmatchIndex(title); m != nil && m[0] > 0 {
		t.by = strings.TrimSpace(title[m[2]:m[3]])
		t.rest = append(t.rest, run{text: trimTitle(title[m[0]:]) + " "})
		title = trimTitle(title[:m[0]])
	}
	if t.title = title; title == "" {
		t.url = ""
		return false
	}
	t.rest = append(t.rest, trimSeparator(trimClosing(runs[n+1:]))...)
	return true
}

var (
	tailCallRE   = regexp.MustCompile(`(?i)[,，。；;:：（(\s](?:链接|地址|详情|详见|请见|参见|见|原文|传送门|项目地址|link|url|see|via)$`)
	authorTailRE = regexp.MustCompile(`(?i)[,，；;\s]\s*(?:by|作者|译者?|文)\s*[:：]?\s*([^,，。；;]{2,30})$`)
)

func trimClosing(runs []run) []run {
	if len(runs) == 0 || runs[0].url != "" {
		return runs
	}
	out := slices.Clone(runs)
	out[0].text = strings.TrimLeft(out[0].text, ")）>]】")
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
	said := strings.ReplaceAll(plain(runs), closed, "")
	end := sentenceEnd(said)
	if t.form == noTitle {
		t.form = sentence
	}
	at, linkEnd := 0, 0
	for _, r := range runs {
		text := squeeze(r.text)
		k := -1
		if text != "" {
			if k = strings.Index(said[min(at, len(said)):], text); k >= 0 {
				k += at
				at = k + len(text)
			}
		}
		if !isWeb(r.url) || r.look&image != 0 {
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
	if columns(said[:end]) > maxClause {
		end = clauseEnd(said[:end], linkEnd)
	}
	t.title = trimTitle(withoutEmojiEnds(said[:end]))
	t.rest = textRuns(strings.TrimLeft(said[end:], "，,；;：: "))
}

const (
	// maxClause is how wide, in columns, a first sentence may be to be a title as a whole.
	maxClause = 80
	// minClause is how wide what is left of it must be.
	minClause = 20
)

// clauseEnd is where the first clause of a long sentence ends that holds all of its links.
func clauseEnd(s string, after int) int {
	for k, r := range s {
		if k < after || columns(s[:min(k, 4*minClause)]) < minClause {
			continue
		}
		next, _ := utf8.DecodeRuneInString(s[k+utf8.RuneLen(r):])
		switch {
		case strings.ContainsRune("，；：", r), strings.ContainsRune(",;:", r) && isBlank(next):
			return k
		case r == '（' || r == '(' && k > 0 && s[k-1] == ' ':
			return k
		}
	}
	return len(s)
}

var bylineRE = regexp.MustCompile(`(?i)^[（(]?\s*(?:by|作者|译者|译|文/|撰文|via)\s*[:：|]?\s*([^,，。;；()（）|｜\n]{2,40}?)(?:\s*[,，。;；)）|｜]|\.\s|\.?$|\s[-–—])`)

// byline reads an author named at the start of what follows a title.
func byline(runs []run) string {
	rest := ""
	for k := 0; k < len(runs) && len(rest) < maxFollows; k++ {
		rest += runs[k].text
	}
	rest, _, _ = strings.Cut(strings.TrimLeft(rest, " \n"), "\n")
	rest = cut(squeeze(rest), maxFollows)
	if first, _ := utf8.DecodeRuneInString(rest); !strings.ContainsRune("bBvV(（作译文撰", first) {
		return ""
	}
	if m := bylineRE.FindStringSubmatch(rest); m != nil && width(m[1]) <= 5 {
		return strings.TrimSpace(m[1])
	}
	return ""
}

// webLinks are the http(s) links of runs, in order.
func webLinks(runs []run) []string {
	var out []string
	for _, r := range runs {
		if isWeb(r.url) {
			out = append(out, r.url)
		}
	}
	return out
}

// entry is an item being read.
type entry struct {
	item  content.Item
	texts []string
}

// newEntry begins an item with the paragraph that holds its title.
func newEntry(first []run, line int) *entry {
	return titleOf(first).entry(first, line)
}

func (t titled) entry(first []run, line int) *entry {
	e := &entry{item: content.Item{Title: t.title, Tags: t.tags, By: t.by, Line: line, Links: webLinks(first)}}
	if isWeb(t.url) {
		e.item.URL = t.url
	}
	if e.item.URL == "" && (t.form == strong || t.form == weak) {
		e.item.URL = callURL(t.rest)
	}
	e.say(plain(without(t.rest, e.item.URL)))
	if e.item.By == "" {
		e.item.By = signature(t.rest)
	}
	return e
}

// without leaves out a bare URL that the item has as its link already.
func without(runs []run, url string) []run {
	return slices.DeleteFunc(slices.Clone(runs), func(r run) bool { return r.look&bare != 0 && r.url == url })
}

// signature reads a name in emphasis at the very end: "… text _Name_".
func signature(runs []run) string {
	for k := len(runs) - 1; k > 0; k-- {
		name := strings.Trim(squeeze(runs[k].text), "—–- ")
		if name == "" {
			continue
		}
		if runs[k].look&em == 0 || width(name) > 4 || !endsSentence(runs[k-1].text) {
			return ""
		}
		return asName(name)
	}
	return ""
}

func endsSentence(s string) bool {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(s, " \n\u00a0—–-("))
	return strings.ContainsRune(".!?。！？…)）\"”", last)
}

var sponsorRE = regexp.MustCompile(`(?i)^(?:.{0,40}[,，·|/(（\s])?(?:sponsor(?:ed)?|advertisement|advert|ad|promoted|广告|赞助|推广)$`)

// isSponsored reports whether a tag before the title, or a remark at its end, says that the item was paid for.
func (t titled) isSponsored() bool {
	for _, tag := range t.tags {
		if sponsorRE.MatchString(tag) {
			return true
		}
	}
	if len(t.rest) == 0 {
		return false
	}
	last := t.rest[len(t.rest)-1]
	text := squeeze(last.text)
	if k := strings.LastIndexAny(text, "(（[【"); k >= 0 && strings.HasSuffix(strings.TrimRight(text, ".。 "), map[bool]string{true: ")"}[strings.Contains(text[k:], ")")]) {
		return sponsorRE.MatchString(strings.Trim(text[k:], "()（）[]【】.。 "))
	}
	return last.look&em != 0 && sponsorRE.MatchString(strings.Trim(text, "().（） "))
}

// callURL is where a link leads that only says "read it here".
func callURL(runs []run) string {
	for _, r := range runs {
		if isWeb(r.url) && (isCall(r.text) || r.look&bare != 0) {
			return r.url
		}
	}
	return ""
}

func (e *entry) say(text string) {
	if text != "" {
		e.texts = append(e.texts, text)
	}
}

// grow adds what stands below the title: paragraphs are text, list entries nested items.
func (e *entry) grow(blocks []*block) {
	for _, b := range blocks {
		switch b.kind {
		case kindPara, kindHeading:
			e.para(b.runs)
		case kindList:
			for _, kid := range b.kids {
				if nested, ok := listEntry(kid); ok {
					e.item.Items = append(e.item.Items, nested)
				}
			}
		case kindQuote:
			e.grow(b.kids)
		case kindTable:
			for _, row := range b.kids {
				for _, cell := range row.kids {
					e.para(cell.runs)
				}
			}
		}
	}
}

func (e *entry) para(runs []run) {
	said := plain(runs)
	links := webLinks(runs)
	if e.item.URL == "" && len(links) > 0 {
		if len(links) == 1 && isAddress(runs) {
			e.item.URL = links[0]
		} else {
			e.item.URL = callURL(runs)
		}
	}
	e.item.Links = append(e.item.Links, links...)
	if e.item.Title == "" {
		t := titleOf(runs)
		if e.item.Title, said = t.title, plain(t.rest); isWeb(t.url) {
			e.item.URL = t.url
		}
	}
	if !isBareOf(said, e.item.URL) {
		e.say(said)
	}
}

// isAddress reports whether a paragraph is only a link, perhaps with a label: "<url>", "原文：url", "[read more](url)".
func isAddress(runs []run) bool {
	label := ""
	for _, r := range runs {
		if r.url == "" {
			label += r.text
		} else if r.look&bare == 0 && !isCall(r.text) {
			return false
		}
	}
	return !hasLetter(label) || isCall(label)
}

func isBareOf(said, url string) bool { return url != "" && said == url }

// finish gives the item.
func (e *entry) finish() content.Item {
	it := e.item
	it.Text = strings.Join(e.texts, "\n")
	for _, nested := range it.Items {
		it.Links = append(it.Links, nested.Links...)
	}
	it.Links = unique(it.Links)
	return it
}

// listEntry reads one entry of a list; ok is false when it is no item.
func listEntry(b *block) (content.Item, bool) {
	kids := b.kids
	for len(kids) > 0 && (kids[0].kind == kindCode || kids[0].kind == kindRule || kids[0].kind == kindPara && plain(kids[0].runs) == "" && len(webLinks(kids[0].runs)) == 0) {
		kids = kids[1:]
	}
	if len(kids) == 0 {
		return content.Item{}, false
	}
	if first := kids[0]; first.kind == kindPara || first.kind == kindHeading {
		if isPlaceholder(first) && len(kids) == 1 {
			return content.Item{}, false
		}
		e := first.titled().entry(first.runs, b.line)
		e.grow(kids[1:])
		it := e.finish()
		return named(it)
	}
	e := &entry{item: content.Item{Line: b.line}}
	e.grow(kids)
	return named(e.finish())
}

// named gives an item without title the best name it has.
func named(it content.Item) (content.Item, bool) {
	if it.Title != "" && !hasLetter(it.Title) && it.URL == "" {
		return it, false
	}
	if it.Title == "" && len(it.Items) > 0 {
		it.Title = it.Items[0].Title
	}
	if it.Title == "" && it.URL != "" {
		it.Title = shownURL(it.URL)
	}
	return it, it.Title != ""
}
