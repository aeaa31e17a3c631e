package parse

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

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
