package content

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// IssueKind says what sort of document an Issue is.
type IssueKind string

const (
	// KindIssue is one number of a periodical.
	KindIssue IssueKind = "issue"
	// KindHotTopics is one page that grows: new items are added to it over time.
	KindHotTopics IssueKind = "hot-topics"
)

// SectionKind separates news from what surrounds it.
type SectionKind string

const (
	// SectionNews holds items.
	SectionNews SectionKind = "news"
	// SectionMeta is a heading without news: follow us, editors, legend.
	SectionMeta SectionKind = "meta"
)

// Issue is one number of a newsletter.
type Issue struct {
	Source     string    // path as given to the parser; for a folder, joined with the file's
	Series     string    // name of the newsletter
	Kind       IssueKind // never empty
	Title      string
	Number     *int      // nil when the issue carries none
	Date       string    // "2006-01-02", "" when unknown
	Period     [2]string // first and last day, both "2006-01-02" or both ""
	Lang       string    // "zh" or "en"
	Summary    string
	Authors    []string
	Editors    []string
	Tags       []string
	Categories []string
	Sections   []Section // flat, in the order of the file
	Warnings   []Warning // what a broken header or line cost
}

// Section is a headed part of an Issue. Items before any heading stand in a Section with an empty Heading and Level 0.
type Section struct {
	Heading string      // plain text, no markup, no emoji
	Level   int         // number of #, 0 before the first heading
	Path    []string    // headings above this one, outermost first
	Pseudo  bool        // a plain paragraph that works as a heading
	Kind    SectionKind // never empty
	Items   []Item
}

// Item is one entry of a Section: the thing people search for, read and click.
type Item struct {
	ID    string // stable under edits of the text
	Title string // plain text
	URL   string // "" when the item has no link
	// Text is what follows the title, in plain text; nested entries are not in it. Title and Text together are the whole
	// item, without overlap.
	Text   string
	Links  []string // every http(s) link of the item and its nested entries, in order, without repeats
	Items  []Item   // nested entries
	Tags   []string // [video], [重要], … that stood in front of the title
	By     string   // author named beside the title
	Topics []string // canonical topics, set when a Library is built
	Line   int      // first line in the file, from 1
}

// Warning is something the parser could not use. It costs a field, never an Issue.
type Warning struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

// Key names an Issue for good: it is the same after edits and on every machine. Two files with one key are two copies
// of one issue.
func (i *Issue) Key() string {
	switch {
	case i.Kind == KindHotTopics:
		return i.Series + "/page/" + base(i.Source)
	case i.Number != nil:
		return i.Series + "/#" + strconv.Itoa(*i.Number)
	case i.Date != "":
		return i.Series + "/" + i.Date
	default:
		return i.Series + "/" + base(i.Source)
	}
}

func base(path string) string {
	path = strings.ReplaceAll(path, `\`, "/")
	dir, file := "", path
	if k := strings.LastIndexByte(path, '/'); k >= 0 {
		dir, file = path[:k], path[k+1:]
	}
	if stem, _, _ := strings.Cut(file, "."); stem == "index" || stem == "_index" {
		if k := strings.LastIndexByte(dir, '/'); k >= 0 {
			dir = dir[k+1:]
		}
		return dir
	}
	return file
}

// Day is the issue's date at midnight UTC; ok is false when the date is unknown.
func (i *Issue) Day() (day time.Time, ok bool) {
	t, err := time.Parse(time.DateOnly, i.Date)
	return t, err == nil
}

// ItemCount is the number of items in all sections, nested entries not counted.
func (i *Issue) ItemCount() int {
	n := 0
	for s := range i.Sections {
		n += len(i.Sections[s].Items)
	}
	return n
}

// FullText is the plain text of the item, title first, nested entries included, one paragraph a line.
func (it *Item) FullText() string {
	var b strings.Builder
	it.appendText(&b)
	return b.String()
}

func (it *Item) appendText(b *strings.Builder) {
	for _, s := range []string{it.Title, it.Text} {
		if s == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(s)
	}
	for k := range it.Items {
		it.Items[k].appendText(b)
	}
}

// The JSON forms below are what `weeklybot parse --json` prints; lists are never null, unknown scalars are.

type issueJSON struct {
	Source     string        `json:"source"`
	Series     string        `json:"series"`
	Kind       IssueKind     `json:"kind"`
	Title      string        `json:"title"`
	Number     *int          `json:"number"`
	Date       *string       `json:"date"`
	Period     *[2]string    `json:"period"`
	Lang       string        `json:"lang"`
	Summary    *string       `json:"summary"`
	Authors    []string      `json:"authors"`
	Editors    []string      `json:"editors"`
	Tags       []string      `json:"tags"`
	Categories []string      `json:"categories"`
	Warnings   []Warning     `json:"warnings"`
	Sections   []sectionJSON `json:"sections"`
}

type sectionJSON struct {
	Heading string      `json:"heading"`
	Level   int         `json:"level"`
	Pseudo  bool        `json:"pseudo"`
	Kind    SectionKind `json:"kind"`
	Items   []itemJSON  `json:"items"`
}

type itemJSON struct {
	ID    string     `json:"id"`
	Title string     `json:"title"`
	URL   *string    `json:"url"`
	Text  string     `json:"text"`
	Links []string   `json:"links"`
	Line  int        `json:"line"`
	Items []itemJSON `json:"items"`
}

// MarshalJSON writes the stable form of an Issue, with < > & as they are. json.Marshal escapes them again: use an Encoder with
// SetEscapeHTML(false) to keep them.
func (i *Issue) MarshalJSON() ([]byte, error) {
	out := issueJSON{
		Source: i.Source, Series: i.Series, Kind: i.Kind, Title: i.Title, Number: i.Number, Date: nullable(i.Date),
		Lang: i.Lang, Summary: nullable(i.Summary), Authors: list(i.Authors), Editors: list(i.Editors), Tags: list(i.Tags),
		Categories: list(i.Categories), Warnings: list(i.Warnings), Sections: make([]sectionJSON, len(i.Sections)),
	}
	if i.Period[0] != "" {
		out.Period = &i.Period
	}
	for k, s := range i.Sections {
		out.Sections[k] = sectionJSON{Heading: s.Heading, Level: s.Level, Pseudo: s.Pseudo, Kind: s.Kind, Items: itemsJSON(s.Items)}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func itemsJSON(items []Item) []itemJSON {
	out := make([]itemJSON, len(items))
	for k, it := range items {
		out[k] = itemJSON{ID: it.ID, Title: it.Title, URL: nullable(it.URL), Text: it.Text, Links: list(it.Links), Line: it.Line, Items: itemsJSON(it.Items)}
	}
	return out
}

func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
