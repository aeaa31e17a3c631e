package source

import (
	"bytes"
	"cmp"
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
	st = &feedState{Title: clip(plainText(got.Title, 400), 100), fetched: now}
	seen := map[string]bool{}
	for _, it := range got.Items {
		if e, ok := newEntry(it, base, now); ok && !seen[e.ID] {
			seen[e.ID] = true
			st.Entries = append(st.Entries, e)
		}
	}
	return st, nil
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

func newEntry(it *gofeed.Item, base *url.URL, now time.Time) (entry, bool) {
	e := entry{
		Title: clip(plainText(it.Title, 1000), 300), URL: webURL(base, it.Link),
		Summary: clip(utf8Only(it.Description), maxEntryBytes), Content: clip(utf8Only(it.Content), maxEntryBytes),
	}
	if e.URL == "" && len(it.Links) > 0 {
		e.URL = webURL(base, it.Links[0])
	}
	e.ID = clip(cmp.Or(utf8Only(it.GUID), e.URL, e.Title), 1000)
	if e.ID == "" || e.Title == "" && e.Summary == "" && e.Content == "" {
		return e, false
	}
	for _, a := range it.Authors {
		if name := clip(plainText(a.Name, 400), 100); name != "" && len(e.Authors) < maxEntryAuthors {
			e.Authors = append(e.Authors, name)
		}
	}
	e.Published, e.Day = published(it, now)
	return e, true
}

var offsetRE = regexp.MustCompile(`([+-])(\d\d):?(\d\d)\s*$`)

// published is when an entry was published and on which day where that was. Without a time, or with one that is still far off, it is now.
func published(it *gofeed.Item, now time.Time) (time.Time, string) {
	at, said := it.PublishedParsed, it.Published
	if at == nil {
		at, said = it.UpdatedParsed, it.Updated
	}
	if at == nil || at.After(now.AddDate(0, 0, 7)) || at.Year() < 1970 {
		now = now.UTC()
		return now, now.Format(time.DateOnly)
	}
	local := at.UTC()
	if m := offsetRE.FindStringSubmatch(said); m != nil {
		hours, _ := strconv.Atoi(m[1] + m[2])
		minutes, _ := strconv.Atoi(m[1] + m[3])
		local = local.Add(time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute)
	}
	return at.UTC(), local.Format(time.DateOnly)
}

func webURL(base *url.URL, ref string) string {
	u, err := base.Parse(strings.TrimSpace(utf8Only(ref)))
	if err != nil || ref == "" || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(ref) > 4000 {
		return ""
	}
	return u.String()
}

// after is what is known when st is the answer that follows old. An entry keeps the day it was first seen with. An entry that the feed
// no longer shows stays known, since feeds show the newest only, unless the feed still reaches past the place where it stood: then it
// was taken back.
func (st *feedState) after(old *feedState) *feedState {
	if old == nil {
		return st.bounded()
	}
	was := make(map[string]int, len(old.Entries))
	for k, e := range old.Entries {
		was[e.ID] = k
	}
	if old.Title != "" {
		st.Title = old.Title
	}
	shown := make(map[string]bool, len(st.Entries))
	reach := -1 // where the last known entry of the feed stood
	for k := range st.Entries {
		e := &st.Entries[k]
		shown[e.ID] = true
		if at, ok := was[e.ID]; ok {
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
