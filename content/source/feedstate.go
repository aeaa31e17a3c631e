package source

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mmcdole/gofeed"
	"golang.org/x/net/html/charset"
)

// Bounds of what is kept of one feed. The oldest entries go first.
const (
	maxEntries      = 2000
	maxEntryBytes   = 1 << 20  // of one entry's text
	maxStateBytes   = 32 << 20 // of all texts
	maxStateOnDisk  = 4 * maxStateBytes
	maxEntryAuthors = 10
)

// feedState is what is known of a feed: its last good answer, and the entries of those before it. Never changed once made.
type feedState struct {
	Title        string  `json:"title"` // as first seen: it names the series
	ETag         string  `json:"etag,omitempty"`
	LastModified string  `json:"last_modified,omitempty"`
	Entries      []entry `json:"entries"` // in the order of the feed; those it no longer shows after the others

	fetched time.Time // of the last good answer; on disk the time of the file
}

// entry is one entry of a feed.
type entry struct {
	ID        string    `json:"id"`
	Title     string    `json:"title,omitempty"` // plain text
	URL       string    `json:"url,omitempty"`
	Day       string    `json:"day"` // when it was published, in its own zone; "2006-01-02", never empty, never changed
	Published time.Time `json:"published"`
	Summary   string    `json:"summary,omitempty"` // HTML or text
	Content   string    `json:"content,omitempty"` // HTML or text
	Authors   []string  `json:"authors,omitempty"`
}

// readState reads what an earlier process kept; nil when there is nothing that can be used.
func readState(path string) *feedState {
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxStateOnDisk {
		return nil
	}
	data, err := os.ReadFile(path)
	st := &feedState{fetched: info.ModTime()}
	if err != nil || json.Unmarshal(data, st) != nil {
		return nil
	}
	return st
}

// again is the same state, confirmed.
func (st *feedState) again(at time.Time) *feedState {
	same := *st
	same.fetched = at
	return &same
}

// readFeed reads RSS, Atom or JSON Feed. Links are resolved against base.
func readFeed(data []byte, base *url.URL, now time.Time) (st *feedState, err error) {
	defer func() {
		if r := recover(); r != nil {
			st, err = nil, errors.New("cannot be read as a feed")
		}
	}()
	data = baseRE.ReplaceAll(controlRE.ReplaceAll(data, nil), []byte("$1$2"))
	if err := checkXML(data); err != nil {
		return nil, err
	}
	got, err := gofeed.NewParser().Parse(bytes.NewReader(data))
	if errors.Is(err, gofeed.ErrFeedTypeNotDetected) {
		return nil, errors.New("is no RSS, Atom or JSON feed; is this the address of a page?")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be read as a feed: %s", clip(oneLine(err.Error()), 200))
	}
	if got.Title == "" && len(got.Items) == 0 {
		return nil, errors.New("is a feed without title and entries, or one whose elements all have a prefix, which is not read")
	}
	st = &feedState{Title: clip(plainText(got.Title, 400), 100), fetched: now}
	base = linkBase(base, got.Link)
	var entries []entry
	for _, it := range got.Items {
		if e := newEntry(it, base, now); e.Title != "" || e.Summary != "" || e.Content != "" {
			e.Authors = authors(it, got)
			entries = append(entries, e)
		}
	}
	st.Entries = identified(entries)
	return st, nil
}

// controlRE is a reference to a control character, which no XML may hold and some feeds do.
var controlRE = regexp.MustCompile(`&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01])|[xX]0*(?:[0-8bBcCeEfF]|1[0-9a-fA-F]));`)

// baseRE is an xml:base that is a file, which the reader would take for a folder.
var baseRE = regexp.MustCompile(`(xml:base\s?=\s?["']https?://[^/"'\s]+/(?:[^"'\s?#]*/)?)[^/"'\s?#]+\.\w+(["'])`)

// linkBase is what the links of entries are relative to: the feed, or where that lies on a host of its own, the site.
func linkBase(feed *url.URL, link string) *url.URL {
	base := *feed
	base.User = nil // it may be a key
	if site, err := url.Parse(webURL(&base, link)); err == nil && site.Host != "" && site.Host != base.Host {
		return site
	}
	return &base
}

// identified gives each entry its ID for good: its guid, unless the feed gives that to several pages; else its address, unless several
// titles have that; else both address and title. Of entries with one ID the first stays.
func identified(entries []entry) (out []entry) {
	pages, titles := map[string]map[string]bool{}, map[string]map[string]bool{}
	for k := range entries {
		note(pages, entries[k].ID, entries[k].URL)
		note(titles, entries[k].URL, entries[k].name())
	}
	seen := map[string]bool{}
	for _, e := range entries {
		switch {
		case e.ID != "" && len(pages[e.ID]) == 1:
		case e.URL != "" && len(titles[e.URL]) == 1:
			e.ID = e.URL
		default:
			e.ID = strings.TrimSpace(e.URL + " " + e.name())
		}
		e.ID = clip(e.ID, 1000)
		if e.ID != "" && !seen[e.ID] {
			seen[e.ID] = true
			out = append(out, e)
		}
	}
	return out
}

func note(sets map[string]map[string]bool, key, value string) {
	if sets[key] == nil {
		sets[key] = map[string]bool{}
	}
	sets[key][value] = true
}

// What an XML feed may cost its reader, which recurses into elements and joins the pieces of an element's text one by one.
const (
	maxXMLDepth = 2000
	maxXMLCost  = 1 << 30 // bytes copied
)

// checkXML refuses XML that is made to be expensive. What is not well formed is for the reader to judge.
func checkXML(data []byte) error {
	if start := bytes.TrimLeft(data, " \t\r\n\ufeff"); len(start) == 0 || start[0] != '<' {
		return nil
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict = false
	d.CharsetReader = charset.NewReaderLabel
	text := []int{0} // bytes of text so far, by depth
	cost := 0
	for {
		t, err := d.RawToken()
		if err != nil {
			return nil
		}
		switch t := t.(type) {
		case xml.StartElement:
			if text = append(text, 0); len(text) > maxXMLDepth {
				return errors.New("cannot be read as a feed: elements are nested too deeply")
			}
		case xml.EndElement:
			text = text[:max(1, len(text)-1)]
		case xml.CharData:
			text[len(text)-1] += len(t)
			if cost += text[len(text)-1]; cost > maxXMLCost {
				return errors.New("cannot be read as a feed: its texts are in too many pieces")
			}
		}
	}
}

func newEntry(it *gofeed.Item, base *url.URL, now time.Time) entry {
	e := entry{
		ID: utf8Only(it.GUID), Title: clip(titleText(noCDATA(it.Title)), 300), URL: pageOf(it, base),
		Summary: clip(noCDATA(it.Description), maxEntryBytes), Content: clip(noCDATA(it.Content), maxEntryBytes),
	}
	if e.Summary == "" && e.Content == "" {
		e.Summary = clip(utf8Only(mediaText(it)), maxEntryBytes)
	}
	e.Published, e.Day = published(it, now)
	return e
}

// noCDATA leaves out the marks of a CDATA section that were written into the text.
func noCDATA(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(utf8Only(s), "<![CDATA["), "]]>")
}

// pageOf is the address of an entry: of its links the first, else a guid that is one, else what is attached.
func pageOf(it *gofeed.Item, base *url.URL) string {
	refs := append([]string{it.Link}, it.Links...)
	if strings.HasPrefix(it.GUID, "http://") || strings.HasPrefix(it.GUID, "https://") {
		refs = append(refs, it.GUID)
	}
	for _, file := range it.Enclosures {
		refs = append(refs, file.URL)
	}
	for _, ref := range refs {
		if page := webURL(base, ref); page != "" {
			return page
		}
	}
	return ""
}

// mediaText is what Media RSS says of an entry: all the text that channels of videos have.
func mediaText(it *gofeed.Item) string {
	media := it.Extensions["media"]
	said := media["description"]
	for _, group := range media["group"] {
		said = append(said, group.Children["description"]...)
	}
	if len(said) == 0 {
		return ""
	}
	return said[0].Value
}

// authors are the names that an entry gives; else, as Atom and JSON Feed say, those of the feed. A site is no author, nor is an address.
func authors(it *gofeed.Item, of *gofeed.Feed) (out []string) {
	people := it.Authors
	if it.DublinCoreExt != nil {
		for _, name := range it.DublinCoreExt.Creator {
			people = append(people, &gofeed.Person{Name: name})
		}
	}
	if len(people) == 0 && of.FeedType != "rss" {
		people = of.Authors
	}
	site := plainText(of.Title, 400)
	for _, p := range people {
		name := clip(plainText(p.Name, 400), 100)
		if name != "" && name != site && strings.LastIndexByte(name, '@') <= 0 && !slices.Contains(out, name) && len(out) < maxEntryAuthors {
			out = append(out, name)
		}
	}
	return out
}

var offsetRE = regexp.MustCompile(`([+-])(\d\d):?(\d\d)\s*$`)

const monthName = `(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*`

var (
	// wordsRE is the day in a date with the month in words: 20 Nov, November 20.
	wordsRE = regexp.MustCompile(`(?i)\b(\d{1,2})[ -]` + monthName + `|` + monthName + ` (\d{1,2})\b`)
	yearRE  = regexp.MustCompile(`\b(?:19|20)\d\d\b`)
	// numericRE is a date in numbers: 2026年11月20日, 2026/11/20 8:00.
	numericRE = regexp.MustCompile(`^\s*((?:19|20)\d\d)\s?[-/.年]\s?(\d{1,2})\s?[-/.月]\s?(\d{1,2})(?:\D|$)`)
)

// published is when an entry was published and on which day where that was. Without a time, or with one that is still far off, it is now.
func published(it *gofeed.Item, now time.Time) (time.Time, string) {
	for _, date := range []struct {
		at   *time.Time
		said string
	}{{it.PublishedParsed, it.Published}, {it.UpdatedParsed, it.Updated}} {
		at, day := dayIn(date.said)
		if date.at != nil {
			at, day = date.at.UTC(), localDay(date.at.UTC(), date.said)
		}
		if at.Year() >= 1970 && !at.After(now.AddDate(0, 0, 7)) {
			return at, day
		}
	}
	now = now.UTC()
	return now, now.Format(time.DateOnly)
}

// dayIn is the day that a date names whose form the reader does not know; the zero time when it names none.
func dayIn(said string) (time.Time, string) {
	date := ""
	if m := numericRE.FindStringSubmatch(said); m != nil {
		date = m[1] + "-" + m[2] + "-" + m[3]
	} else if m := wordsRE.FindStringSubmatch(said); m != nil {
		if month, err := time.Parse("Jan", m[2]+m[3]); err == nil {
			date = fmt.Sprintf("%s-%d-%s", yearRE.FindString(said), month.Month(), m[1]+m[4])
		}
	}
	at, err := time.Parse("2006-1-2", date)
	if err != nil {
		return time.Time{}, ""
	}
	return at, at.Format(time.DateOnly)
}

// localDay is the day of a time where it was written down.
func localDay(at time.Time, said string) string {
	if m := offsetRE.FindStringSubmatch(said); m != nil {
		hours, _ := strconv.Atoi(m[1] + m[2])
		minutes, _ := strconv.Atoi(m[1] + m[3])
		at = at.Add(time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute)
	} else if m := wordsRE.FindStringSubmatch(said); m != nil { // its zone has a name, or none
		day, _ := strconv.Atoi(m[1] + m[4])
		for _, shift := range []int{-1, 1} {
			if other := at.AddDate(0, 0, shift); other.Day() == day {
				at = other
			}
		}
	}
	return at.Format(time.DateOnly)
}

func webURL(base *url.URL, ref string) string {
	u, err := base.Parse(strings.TrimSpace(utf8Only(ref)))
	if err != nil || ref == "" || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(ref) > 4000 {
		return ""
	}
	return u.String()
}

// after is what is known when st is the answer that follows old. An entry keeps the day it was first seen with. One that comes under
// another ID with the address, title and day it had is the same: the site has moved to another program. An entry that the feed no longer
// shows stays known, since feeds show the newest only, unless the feed still reaches past the place where it stood: then it was taken back.
func (st *feedState) after(old *feedState) *feedState {
	if old == nil {
		return st.bounded()
	}
	type page struct{ url, title, day string }
	was, pages := make(map[string]int, len(old.Entries)), make(map[page]int, len(old.Entries))
	for k, e := range old.Entries {
		was[e.ID] = k
		if e.URL != "" && e.Title != "" {
			pages[page{e.URL, e.Title, e.Day}] = k
		}
	}
	if old.Title != "" {
		st.Title = old.Title
	}
	shown := make(map[string]bool, len(st.Entries))
	reach := -1 // where the last known entry of the feed stood
	for k := range st.Entries {
		e := &st.Entries[k]
		shown[e.ID] = true
		at, ok := was[e.ID]
		if !ok {
			at, ok = pages[page{e.URL, e.Title, e.Day}]
		}
		if ok {
			shown[old.Entries[at].ID] = true
			e.Day, e.Published = old.Entries[at].Day, old.Entries[at].Published
			reach = at
		}
	}
	for k, e := range old.Entries {
		takenBack := k < reach && !e.Published.Before(old.Entries[reach].Published)
		if !shown[e.ID] && !takenBack {
			st.Entries = append(st.Entries, e)
		}
	}
	return st.bounded()
}

// bounded leaves out the oldest entries of a state that holds too much.
func (st *feedState) bounded() *feedState {
	newest := make([]int, len(st.Entries))
	for k := range newest {
		newest[k] = k
	}
	slices.SortStableFunc(newest, func(a, b int) int { return st.Entries[b].Published.Compare(st.Entries[a].Published) })
	size, keep := 0, map[int]bool{}
	for _, k := range newest {
		size += len(st.Entries[k].Content) + len(st.Entries[k].Summary)
		if len(keep) == maxEntries || size > maxStateBytes {
			break
		}
		keep[k] = true
	}
	var entries []entry
	for k, e := range st.Entries {
		if keep[k] {
			entries = append(entries, e)
		}
	}
	st.Entries = entries
	return st
}

func utf8Only(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(strings.TrimSpace(s), "\uFFFD"))
}

// clip cuts s to at most n bytes, between two characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
