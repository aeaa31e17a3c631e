package source

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"weeklybot/content"
	"weeklybot/content/parse"
)

// built is an issue made from entries, and what it was made from.
type built struct {
	sum   uint64
	issue *content.Issue // nil: the entry is no issue
}

var feedSeed = maphash.MakeSeed()

// issues makes issues of the entries: one of each entry that is an issue by itself, and one page a week of the others. What is made of
// the same entries as before is the same issue. Entries are looked at oldest first, so that of two with one key the older has it always;
// the other is an item of its week.
func (f *feed) issues(st *feedState) []*content.Issue {
	series := cmp.Or(f.cfg.Series, st.Title, f.cfg.Name)
	kept := map[string]built{}
	// build makes an issue, or takes the one of the last load.
	build := func(key string, from []entry, make func() *content.Issue) *content.Issue {
		b, sum := f.built[key], sumOf(series, from)
		if b.sum != sum {
			b = built{sum, make()}
		}
		kept[key] = b
		return b.issue
	}
	issues := map[string]*content.Issue{}
	weeks := map[string][]entry{}
	for _, e := range oldestFirst(st.Entries) {
		i := build("entry "+e.ID, []entry{e}, func() *content.Issue { return f.entryIssue(series, e) })
		if i == nil || issues[i.Key()] != nil {
			week := weekOf(e.Day)
			weeks[week] = append(weeks[week], e)
			continue
		}
		issues[i.Key()] = i
	}
	for week, entries := range weeks {
		i := build("week "+week, entries, func() *content.Issue { return f.page(series, week, entries) })
		issues[i.Key()] = i
	}
	f.built = kept
	var out []*content.Issue
	for _, key := range slices.Sorted(maps.Keys(issues)) {
		out = append(out, issues[key])
	}
	return out
}

func oldestFirst(entries []entry) []entry {
	order := slices.Clone(entries)
	slices.SortStableFunc(order, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), a.Published.Compare(b.Published), cmp.Compare(a.ID, b.ID))
	})
	return order
}

func sumOf(series string, entries []entry) uint64 {
	var h maphash.Hash
	h.SetSeed(feedSeed)
	_, _ = h.WriteString(series)
	for _, e := range entries {
		data, _ := json.Marshal(e)
		_, _ = h.Write(data)
	}
	return h.Sum64()
}

// weekOf names the ISO week of a day: "2026-W48".
func weekOf(day string) string {
	t, _ := time.Parse(time.DateOnly, day)
	year, week := t.ISOWeek()
	return fmt.Sprintf("%04d-W%02d", year, week)
}

// page is one week's entries, newest first. It grows: as such a page, what is added later is news again.
func (f *feed) page(series, week string, entries []entry) *content.Issue {
	i := &content.Issue{
		Source: f.cfg.Name + "/" + f.cfg.Name + "-" + week, Series: series, Kind: content.KindHotTopics, Title: series + " " + week,
		Sections: []content.Section{{Kind: content.SectionNews}},
	}
	items := &i.Sections[0].Items
	for _, e := range slices.Backward(entries) {
		*items = append(*items, e.item(len(*items)+1))
		for _, name := range e.Authors {
			if !slices.Contains(i.Authors, name) {
				i.Authors = append(i.Authors, name)
			}
		}
	}
	parse.Finish(i)
	last, _ := time.Parse(time.DateOnly, entries[len(entries)-1].Day)
	monday := last.AddDate(0, 0, -(int(last.Weekday())+6)%7)
	i.Date = last.Format(time.DateOnly)
	i.Period = [2]string{monday.Format(time.DateOnly), monday.AddDate(0, 0, 6).Format(time.DateOnly)}
	return i
}

const (
	maxItemText  = 600 // runes of an entry's text in its item
	maxItemTitle = 80  // runes of a title made from the text
)

func (e *entry) item(line int) content.Item {
	it := content.Item{Title: e.Title, URL: e.URL, Line: line}
	text := plainText(cmp.Or(e.Summary, e.Content), 8*maxItemText)
	it.Text = excerpt(blogLineRE.ReplaceAllString(text, ""), maxItemText)
	if it.Title == "" {
		it.Title, it.Text = titled(it.Text)
	}
	if it.Title == "" {
		it.Title = cmp.Or(e.URL, e.ID)
	}
	if it.Title == it.Text {
		it.Text = ""
	}
	if m := hrefRE.FindStringSubmatch(cmp.Or(e.Summary, e.Content)); it.URL == "" && m != nil {
		it.URL = webURL(&url.URL{}, html.UnescapeString(m[2])) // a note about another page
	}
	if it.URL != "" {
		it.Links = []string{it.URL}
	}
	if len(e.Authors) > 0 {
		it.By = e.Authors[0]
	}
	return it
}

// name is the title of the entry's item.
func (e *entry) name() string {
	if e.Title != "" {
		return e.Title
	}
	return e.item(0).Title
}

// blogLineRE is the line that blogs add to the text of their feeds.
var blogLineRE = regexp.MustCompile(`\s*The post .{1,300} (?:appeared first|first appeared) on .{1,200}$`)

// titled parts a text without a title into one and what follows it.
func titled(text string) (title, rest string) {
	title = excerpt(text, maxItemTitle)
	if title == text {
		return title, ""
	}
	head, cut := strings.CutSuffix(title, "…")
	rest = strings.TrimLeft(strings.TrimPrefix(text, head), " ,;:，；：、")
	if cut {
		rest = "…" + rest
	}
	return title, rest
}

// entryIssue reads an entry as an issue; nil when it is none.
func (f *feed) entryIssue(series string, e entry) *content.Issue {
	text := e.Content
	if text == "" {
		text = e.Summary
	}
	if f.cfg.Entries == EntriesLinks || text == "" {
		return nil
	}
	// Not under its own address: a last part such as /05/ would be taken for a number.
	i := parse.Parse("entry", []byte(e.header()+asPage(absolute(text, cmp.Or(e.URL, f.shown())))), parse.Options{Series: series})
	if f.cfg.Entries != EntriesIssues && !e.isIssue(i, text) || i.ItemCount() == 0 {
		return nil
	}
	i.Kind, i.Source, i.Date = content.KindIssue, cmp.Or(e.URL, f.cfg.Name+"/"+stateName("", e.ID)), e.Day
	if e.Title != "" {
		i.Title = e.Title
	}
	return i
}

// header is front matter with what the feed says of the entry. JSON strings are YAML strings.
func (e *entry) header() string {
	quote := func(v any) string {
		data, _ := json.Marshal(v)
		return string(data)
	}
	head := "---\ndate: " + e.Day + "\n"
	if e.Title != "" {
		head += "title: " + quote(e.Title) + "\n"
	}
	if len(e.Authors) > 0 {
		head += "authors: " + quote(e.Authors) + "\n"
	}
	return head + "---\n\n"
}

var htmlTagRE = regexp.MustCompile(`(?i)<(?:p|a|br|hr|li|ul|ol|h[1-6]|div|span|table|img|blockquote|section|article|strong|em|b|i|pre|code)[\s/>]`)

// asPage makes a page of a piece of HTML, which the parser takes for HTML only when it begins like one. Other text stays: Markdown.
func asPage(text string) string {
	if htmlTagRE.MatchString(text) {
		return "<!doctype html>\n" + text
	}
	return text
}

// markdownLinkRE is where a link of a Markdown text leads, which nobody reads.
var markdownLinkRE = regexp.MustCompile(`\]\([^()\s]{1,1000}\)`)

// hrefRE is where a link of a piece of HTML leads.
var hrefRE = regexp.MustCompile(`(?i)(\shref\s*=\s*["'])([^"'\s]{1,1000})(["'])`)

// absolute writes the links of a piece of HTML, which may be relative to its page, in full.
func absolute(text, page string) string {
	base, err := url.Parse(page)
	if err != nil || base.Host == "" {
		return text
	}
	return hrefRE.ReplaceAllStringFunc(text, func(link string) string {
		m := hrefRE.FindStringSubmatch(link)
		if to, err := base.Parse(html.UnescapeString(m[2])); err == nil && !strings.HasPrefix(m[2], "#") {
			return m[1] + html.EscapeString(to.String()) + m[3]
		}
		return link
	})
}

// isIssue tells a newsletter's number from an article: links to elsewhere, with what is said about them, are what it mainly has.
func (e *entry) isIssue(i *content.Issue, text string) bool {
	own := site(e.URL)
	linked, elsewhere, said := 0, 0, 0
	for s := range i.Sections {
		for k := range i.Sections[s].Items {
			it := &i.Sections[s].Items[k]
			if it.URL == "" {
				continue
			}
			linked++
			said += utf8.RuneCountInString(it.FullText())
			if site(it.URL) != own {
				elsewhere++
			}
		}
	}
	all := max(1, utf8.RuneCountInString(plainText(markdownLinkRE.ReplaceAllString(text, "]"), maxEntryBytes)))
	share := float64(said) / float64(all)
	return elsewhere*2 >= linked && (linked >= 3 && share >= 0.5 || linked >= 8 && share >= 0.25)
}

// site is the host of a URL and the first part of its path: on hosts of code, that is whose it is.
func site(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return strings.ToLower(u.Host + "/" + first)
}

// notText are elements whose content is not read.
var notText = map[string]bool{"script": true, "style": true, "template": true, "noscript": true, "svg": true, "iframe": true, "textarea": true, "select": true}

// inLine are elements that do not part words.
var inLine = map[string]bool{"a": true, "b": true, "i": true, "em": true, "strong": true, "code": true, "span": true, "small": true, "sub": true, "sup": true, "u": true, "mark": true, "wbr": true}

// plainText is the text of a piece of HTML, or of plain text, in one line of at most about n bytes.
func plainText(s string, n int) string {
	return readText(s, n, func(name string) bool { return atom.Lookup([]byte(name)) == 0 })
}

// titleText is the text of a title. It may be HTML or not, and speak of elements: one that is never closed is meant as text.
func titleText(s string) string {
	return readText(clip(s, 4000), 1000, func(name string) bool { return !void[name] })
}

// void are the elements of text that have no end.
var void = map[string]bool{"br": true, "img": true, "hr": true, "wbr": true, "p": true, "li": true}

// readText is the text of a piece of HTML. Start tags without attributes and end, such as that in Option<T>, are text where written says
// so of their names.
func readText(s string, n int, written func(name string) bool) string {
	var b strings.Builder
	s = utf8Only(s)
	z := html.NewTokenizer(strings.NewReader(s))
	skip := ""
	var closed map[string]bool
	for b.Len() < n {
		kind := z.Next()
		switch kind {
		case html.ErrorToken:
			return oneLine(b.String())
		case html.TextToken:
			if skip == "" {
				b.Write(z.Text())
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			tag := string(z.Raw()) // before TagName, which changes it
			raw, _ := z.TagName()
			name := string(raw)
			if skip == "" && kind == html.StartTagToken && written(name) && !strings.Contains(tag, "=") {
				if closed == nil {
					closed = closedIn(s)
				}
				if !closed[name] {
					b.WriteString(tag)
					continue
				}
			}
			switch {
			case skip == "" && kind == html.StartTagToken && notText[name]:
				skip = name
			case skip == name && kind == html.EndTagToken:
				skip = ""
			}
			if !inLine[name] {
				b.WriteByte(' ')
			}
		}
	}
	return oneLine(clip(b.String(), n))
}

var endTagRE = regexp.MustCompile(`</([a-zA-Z][^\s/>]*)`)

// closedIn names the elements that a piece of HTML closes.
func closedIn(s string) map[string]bool {
	closed := map[string]bool{}
	for _, m := range endTagRE.FindAllStringSubmatch(s, -1) {
		closed[strings.ToLower(m[1])] = true
	}
	return closed
}

// excerpt cuts s to at most n runes: after a sentence if one ends in the last half, else between two words, with an ellipsis.
func excerpt(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	head := string([]rune(s)[:n-1])
	if k := strings.LastIndexFunc(head, func(r rune) bool { return strings.ContainsRune("。！？", r) }); k > len(head)/2 {
		_, size := utf8.DecodeRuneInString(head[k:])
		return head[:k+size]
	}
	if k := max(strings.LastIndex(head, ". "), strings.LastIndex(head, "! "), strings.LastIndex(head, "? ")); k > len(head)/2 {
		return head[:k+1]
	}
	if k := strings.LastIndexByte(head, ' '); k > len(head)*3/4 {
		head = head[:k]
	}
	return strings.TrimRight(head, " ,;:，；：、") + "…"
}
