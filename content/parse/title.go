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
		if after, more := trimLead(rest); len(after.rest) > 0 { // not only a picture
			l, t.tags = after, append(append(t.tags, label), more...)
			t.lead.rest, t.lead.quoted = l.rest, l.quoted
		}
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

func textRuns(s string) []run {
	if s = trimBlank(s); s == "" {
		return nil
	}
	return []run{{text: s}}
}
