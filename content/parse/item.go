package parse

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"weeklybot/content"
)

// webLinks are the http(s) links of runs, in order.
func webLinks(runs []run) []string {
	var out []string
	for _, r := range runs {
		if r.web {
			out = append(out, r.url)
		}
	}
	return out
}

// hasWebLink reports whether runs hold an http(s) link.
func hasWebLink(runs []run) bool {
	return slices.ContainsFunc(runs, func(r run) bool { return r.web })
}

// entry is an item being read.
type entry struct {
	item    content.Item
	texts   []string
	target  string // the last link of title and text that does not lead to a person
	targets int    // how many pages such links lead to
}

// aim counts the links of a paragraph. An item without a link of its own has the only one of its text.
func (e *entry) aim(runs []run) {
	if e.item.URL != "" {
		return
	}
	for k := range runs {
		r := &runs[k]
		if r.web && r.url != e.target && !strings.HasPrefix(r.text, "@") && !isProfile(r) {
			e.target = r.url
			e.targets++
		}
	}
}

// isProfile reports whether a link is a person's page: its text is all of the path, as in "[ann](https://example.org/ann)".
func isProfile(r *run) bool {
	return r.text != "" && strings.HasSuffix(r.url, "/"+r.text) && strings.Count(r.url, "/") == len("///")
}

// newEntry begins an item with the paragraph that holds its title.
func newEntry(first []run, line int) entry {
	t := titleOf(first)
	return t.entry(first, line)
}

func (t *titled) entry(first []run, line int) entry {
	e := entry{item: content.Item{Title: t.title, Tags: t.tags, By: t.by, Line: line, Links: webLinks(first)}}
	if isWeb(t.url) {
		e.item.URL = t.url
	}
	if e.item.URL == "" && (t.form == strong || t.form == weak) {
		e.item.URL = callURL(t.rest)
	}
	e.aim(first)
	e.say(t.when)
	if !isAddressOf(t.rest, e.item.URL) {
		e.say(plain(withoutCall(without(t.rest, e.item.URL), e.item.URL)))
	}
	if e.item.By == "" {
		e.item.By = signature(t.rest)
	}
	return e
}

// without leaves out a bare URL that the item has as its link already.
func without(runs []run, url string) []run {
	has := func(r run) bool { return r.look&bare != 0 && r.url == url }
	if !slices.ContainsFunc(runs, has) {
		return runs
	}
	return slices.DeleteFunc(slices.Clone(runs), has)
}

// withoutCall leaves out a link to url at the end of a text that only says "read more".
func withoutCall(runs []run, url string) []run {
	k := len(runs) - 1
	for k > 0 && runs[k].url == "" && !hasLetter(runs[k].text) {
		k--
	}
	if k < 1 || runs[k].url != url || url == "" || runs[k-1].url != "" || !isCall(runs[k].text) {
		return runs
	}
	before := strings.TrimRight(runs[k-1].text, " \n\v")
	last, _ := utf8.DecodeLastRuneInString(before)
	if !sentenceEnds.has(last) && !callMarksBefore.has(last) {
		return runs
	}
	runs = slices.Clone(runs[:k])
	runs[k-1].text = strings.TrimRightFunc(before, callMarksBefore.has)
	return runs
}

// callMarksBefore stand between a text and a call behind it.
var callMarksBefore = marksOf(" \u00a0\ufe0f—–|｜-→👉[（(")

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

var (
	afterSentence = marksOf(" \n\u00a0—–-(")
	sentenceEnds  = marksOf(".!?。！？…)）\"”")
	remarkMarks   = marksOf("()（）[]【】.。")
)

func endsSentence(s string) bool {
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRightFunc(s, afterSentence.has))
	return sentenceEnds.has(last)
}

var sponsorRE = regexp.MustCompile(`(?i)^(?:.{0,40}[,，·|/(（\s])?(?:sponsor(?:ed)?|advertisement|advert|ad|promoted|广告|赞助|推广)$`)

// endsAsSponsored is a cheap test before sponsorRE: whether the last word of s is one of its words.
func endsAsSponsored(s string) bool {
	s = strings.TrimRightFunc(tail(s, 60), func(r rune) bool { return isBlankOrInvisible(r) || remarkMarks.has(r) })
	if s == "" {
		return false
	}
	if last, _ := utf8.DecodeLastRuneInString(s); !sponsorEnds.has(last) {
		return false
	}
	s = strings.ToLower(tail(s, len("advertisement")))
	return slices.ContainsFunc(sponsorWords, func(w string) bool { return strings.HasSuffix(s, w) })
}

// beginsAsSponsored reports whether s begins with a remark in capitals that its item was paid for: "SPONSORED — …".
func beginsAsSponsored(s string) bool {
	s = strings.TrimLeftFunc(s, func(r rune) bool { return isBlankOrInvisible(r) || remarkMarks.has(r) })
	for _, word := range []string{"SPONSORED", "SPONSOR", "ADVERTISEMENT", "PROMOTED"} {
		if rest, ok := strings.CutPrefix(s, word); ok {
			next, _ := utf8.DecodeRuneInString(rest)
			return !unicode.IsLetter(next)
		}
	}
	return false
}

var (
	sponsorWords = []string{"sponsor", "sponsored", "advertisement", "advert", "ad", "promoted", "广告", "赞助", "推广"}
	sponsorEnds  = marksOf("rdtRDT告助广")
)

// isSponsored reports whether a tag before the title, or a remark at its end, says that the item was paid for.
func (t *titled) isSponsored() bool {
	isRemark := func(tag string) bool { return endsAsSponsored(tag) && sponsorRE.MatchString(tag) }
	if slices.ContainsFunc(t.tags, isRemark) || len(t.rest) > 0 && beginsAsSponsored(t.rest[0].text) {
		return true
	}
	if !endsAsSponsored(t.title) {
		return t.endsInRemark()
	}
	if k := strings.LastIndexAny(t.title, "(（"); k > 0 && sponsorRE.MatchString(strings.Trim(t.title[k:], "()（） ")) {
		return true
	}
	return t.endsInRemark()
}

// endsInRemark reports whether what follows the title ends with the remark that it was paid for.
func (t *titled) endsInRemark() bool {
	if len(t.rest) == 0 {
		return false
	}
	last := t.rest[len(t.rest)-1]
	if !endsAsSponsored(last.text) {
		return false
	}
	text := squeeze(last.text)
	if k := strings.LastIndexAny(text, "(（[【"); k >= 0 && strings.HasSuffix(strings.TrimRight(text, ".。 "), map[bool]string{true: ")"}[strings.Contains(text[k:], ")")]) {
		return sponsorRE.MatchString(strings.Trim(text[k:], "()（）[]【】.。 "))
	}
	return last.look&em != 0 && sponsorRE.MatchString(strings.Trim(text, "().（） "))
}

// callURL is where a link leads that only says "read it here".
func callURL(runs []run) string {
	for _, r := range runs {
		if r.web && (isCall(r.text) || r.look&bare != 0) {
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
		if address := onlyAddress(b); address != nil && e.item.URL == "" {
			b = address
		}
		switch b.kind {
		case kindPara, kindHeading:
			e.para(b.runs, b.plain())
		case kindList:
			e.item.Items = slices.Grow(e.item.Items, len(b.kids))
			for _, kid := range b.kids {
				if address := onlyAddress(kid); address != nil && e.item.URL == "" {
					e.para(address.runs, address.plain())
					continue
				}
				if nested, ok := listEntry(kid); ok {
					e.item.Items = append(e.item.Items, nested)
				}
			}
		case kindQuote:
			e.grow(b.kids)
		case kindTable:
			for _, row := range b.kids {
				for _, cell := range row.kids {
					e.para(cell.runs, cell.plain())
				}
			}
		}
	}
}

// para adds a paragraph; said is what it says.
func (e *entry) para(runs []run, said string) {
	links := webLinks(runs)
	if len(links) == 0 && len(runs) == 1 && strings.HasPrefix(runs[0].url, "#") {
		return // back to the top of the page
	}
	if e.item.URL == "" && len(links) > 0 {
		if len(links) == 1 && isAddress(runs) {
			e.item.URL = links[0]
		} else {
			e.item.URL = callURL(runs)
		}
	}
	e.item.Links = append(e.item.Links, links...)
	e.aim(runs)
	if e.item.URL != "" && slices.Contains(links, e.item.URL) {
		if len(links) == 1 && isAddress(runs) {
			return
		}
		if last := runs[len(runs)-1]; last.look&bare != 0 && last.url == e.item.URL {
			runs = runs[:len(runs)-1]
			said = strings.TrimRightFunc(plain(runs), callMarksBefore.has)
		}
	}
	if cut := withoutCall(runs, e.item.URL); len(cut) < len(runs) {
		runs, said = cut, plain(cut)
	}
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

// isAddressOf reports whether a paragraph is only a link to url.
func isAddressOf(runs []run, url string) bool {
	links := 0
	for _, r := range runs {
		if r.web {
			if links++; r.url != url {
				return false
			}
		}
	}
	return links == 1 && isAddress(runs)
}

func isBareOf(said, url string) bool { return url != "" && said == url }

// finish gives the item.
func (e *entry) finish() content.Item {
	it := e.item
	it.Text = strings.Join(e.texts, "\n")
	if it.URL == "" && e.targets == 1 {
		it.URL = e.target
	}
	for _, nested := range it.Items {
		it.Links = append(it.Links, nested.Links...)
	}
	it.Links = unique(it.Links)
	return it
}

// listEntry reads one entry of a list; ok is false when it is no item.
func listEntry(b *block) (content.Item, bool) {
	kids := b.kids
	for len(kids) > 0 && (kids[0].kind == kindCode || kids[0].kind == kindRule || kids[0].kind == kindPara && kids[0].plain() == "" && !hasWebLink(kids[0].runs)) {
		kids = kids[1:]
	}
	if len(kids) == 0 {
		return content.Item{}, false
	}
	if first := kids[0]; first.kind == kindPara || first.kind == kindHeading {
		if first.isPlaceholder() && len(kids) == 1 {
			return content.Item{}, false
		}
		e := first.titled().entry(first.runs, b.line)
		e.grow(kids[1:])
		it := e.finish()
		return named(it)
	}
	e := entry{item: content.Item{Line: b.line}}
	e.grow(kids)
	return named(e.finish())
}

// isCounter reports whether a title is only the number of what comes next.
func isCounter(title string) bool { return len(title) <= 3 && !hasWord(title) }

// named gives an item without title the best name it has.
func named(it content.Item) (content.Item, bool) {
	if it.Title != "" && it.URL == "" && (!hasLetter(it.Title) || it.Text == "" && len(it.Items) == 0 && isCounter(it.Title)) {
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
