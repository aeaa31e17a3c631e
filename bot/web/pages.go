package web

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"weeklybot/content"
)

// Bounds of one page.
const (
	maxQueryRunes   = 200
	maxHits         = 50
	issuesPerSeries = 4  // on the first page
	issuesPerPage   = 50 // of one series
	maxSeries       = 100
	maxLinks        = 8 // further links of one item
)

// series is a newsletter with its newest issues.
type series struct {
	Name   string
	Count  int
	Issues []*content.Issue
}

// URL lists all issues.
func (s series) URL() string { return "/?series=" + url.QueryEscape(s.Name) }

// homePage lists newsletters, or one newsletter, or what was found.
type homePage struct {
	Series       []series
	Only         string // the one newsletter shown
	Newer, Older string
	Searched     bool
	Result       content.Result
	Chart        string // address of the picture of a topic's weeks
}

func (s *Server) home(r *http.Request, v *view) (string, int) {
	lib := s.cfg.Library()
	query := r.URL.Query()
	p := &homePage{}
	v.Page, v.Title, v.Query = p, v.T.Name, bounded(query.Get("q"))
	if s.cfg.Sources != nil {
		v.Sources = s.cfg.Sources()
	}
	if s.cfg.Allowances != nil {
		v.Allowances = s.cfg.Allowances(r.Context())
	}
	if s.cfg.Troubles != nil {
		v.Troubles = s.cfg.Troubles(r.Context(), v.Lang)
	}
	switch name := query.Get("series"); {
	case v.Query != "":
		v.Title = v.Query + " · " + v.T.Name
		p.Chart = s.chartURL(v.Query)
		p.Searched, p.Result = true, s.cfg.Search(content.Query{Text: v.Query, Limit: maxHits, Lang: v.Lang})
	case name != "":
		if !slices.Contains(lib.Series(), name) {
			return s.missing(r, v)
		}
		v.Title, p.Only = name+" · "+v.T.Name, name
		p.one(lib, name, query.Get("page"))
	default:
		p.Series = newest(lib)
	}
	return "home.html", http.StatusOK
}

// bounded makes one line of what was typed.
func bounded(q string) string {
	q = strings.Join(strings.Fields(strings.ToValidUTF8(q, "")), " ")
	if runes := []rune(q); len(runes) > maxQueryRunes {
		q = string(runes[:maxQueryRunes])
	}
	return q
}

// newest groups the issues by newsletter; the newsletter with the newest issue stands first.
func newest(lib *content.Library) (list []series) {
	at := map[string]int{}
	for _, i := range lib.Issues() {
		k, ok := at[i.Series]
		if !ok {
			k, list = len(list), append(list, series{Name: i.Series})
			at[i.Series] = k
		}
		list[k].Count++
		if len(list[k].Issues) < issuesPerSeries {
			list[k].Issues = append(list[k].Issues, i)
		}
	}
	return list[:min(len(list), maxSeries)]
}

// one fills the page with a part of one newsletter's issues.
func (p *homePage) one(lib *content.Library, name, page string) {
	all := slices.DeleteFunc(slices.Clone(lib.Issues()), func(i *content.Issue) bool { return i.Series != name })
	last := max(1, (len(all)+issuesPerPage-1)/issuesPerPage)
	n, _ := strconv.Atoi(page)
	n = min(max(n, 1), last)
	s := series{Name: name, Count: len(all), Issues: all[(n-1)*issuesPerPage : min(n*issuesPerPage, len(all))]}
	p.Series = []series{s}
	if n > 1 {
		p.Newer = s.URL() + "&page=" + strconv.Itoa(n-1)
	}
	if n < last {
		p.Older = s.URL() + "&page=" + strconv.Itoa(n+1)
	}
}

// issuePage is one issue with its neighbours in time.
type issuePage struct {
	*content.Issue
	Newer, Older *content.Issue
}

func (s *Server) issue(r *http.Request, v *view) (string, int) {
	lib := s.cfg.Library()
	key := r.PathValue("key")
	if key == "" {
		key = r.URL.Query().Get("key")
	}
	i := lib.Issue(key)
	if i == nil {
		return s.missing(r, v)
	}
	p := &issuePage{Issue: i}
	same := slices.DeleteFunc(slices.Clone(lib.Issues()), func(o *content.Issue) bool { return o.Series != i.Series || o.Date == "" })
	if k := slices.Index(same, i); k >= 0 {
		if k > 0 {
			p.Newer = same[k-1]
		}
		if k+1 < len(same) {
			p.Older = same[k+1]
		}
	}
	v.Page, v.Title = p, i.Title
	return "issue.html", http.StatusOK
}

// News are the sections worth showing.
func (p *issuePage) News() []content.Section {
	return slices.DeleteFunc(slices.Clone(p.Sections), func(s content.Section) bool { return s.Kind == content.SectionMeta || len(s.Items) == 0 })
}

// entry is an item in a page: templates recurse with it.
type entry struct {
	*view
	Item  content.Item
	Outer bool // not nested in another item
}

// Entry puts an item beside the page that shows it.
func (v *view) Entry(it content.Item, outer bool) entry { return entry{v, it, outer} }

// More are the item's links besides its own, without those of nested entries, which show their own.
func (e entry) More() (links []string) {
	for _, l := range e.Item.Links {
		nested := slices.ContainsFunc(e.Item.Items, func(n content.Item) bool { return slices.Contains(n.Links, l) })
		if l != e.Item.URL && safeURL(l) != "" && !nested && len(links) < maxLinks {
			links = append(links, l)
		}
	}
	return links
}

func (s *Server) missing(_ *http.Request, v *view) (string, int) {
	v.Title = v.T.NotFound
	return "missing.html", http.StatusNotFound
}

// placesFound is the end of each reason that a search gives: where a term stands.
var placesFound = regexp.MustCompile(` \((?:title|heading|text|issue)(?:, (?:title|heading|text|issue))*\)`)

var placeNames = strings.NewReplacer(" (", "（", ")", "）", ", ", "、", "title", "标题", "heading", "小标题", "text", "正文", "issue", "期")

// Why is a hit's reason for readers of the page.
func (v *view) Why(reason string) string {
	if v.Lang != "zh" {
		return reason
	}
	return placesFound.ReplaceAllStringFunc(reason, placeNames.Replace)
}
