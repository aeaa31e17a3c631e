package web

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"weeklybot/content"
)

// attacks are texts that would do something if any place took them for more than text.
var attacks = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</title><script>alert(1)</script>`, `{{.T}}{{template "foot"}}`,
	`</style><svg onload=alert(1)>`, `]]><x/>`, "\x00\x1b[31m\u202e<b>", `&lt;script&gt;`, `<!--`, `javascript:alert(1)`, `<a href="javascript:alert(1)">x</a>`, `${7*7}`,
}

var badLinks = []string{
	`javascript:alert(1)`, `JaVaScRiPt://example.com/%0aalert(1)`, `data:text/html,<script>alert(1)</script>`, `vbscript:x`, `//evil.example/x`, `/relative`, `file:///etc/passwd`,
	"java\nscript:alert(1)", ` javascript:alert(1)`, `https://`, `http:/x`, `https://ok.example/"onmouseover="alert(1)`, `https://ok.example/<script>`, `blob:https://x/1`,
}

// hostile is a Library in which every field that a stranger writes holds an attack.
func hostile(attack, link string) *content.Library {
	item := content.Item{ID: attack, Title: attack, URL: link, Text: attack, Links: []string{link, link + "2"}, By: attack, Tags: []string{attack}, Topics: []string{attack}}
	outer := item
	outer.Items = []content.Item{item}
	return content.NewLibrary([]*content.Issue{{
		Source: attack, Series: attack, Kind: content.KindIssue, Title: attack, Date: "2026-11-16", Lang: attack, Summary: attack,
		Authors: []string{attack}, Editors: []string{attack}, Tags: []string{attack},
		Sections: []content.Section{{Heading: attack, Level: 2, Kind: content.SectionNews, Items: []content.Item{outer}}},
	}}, nil)
}

func TestHostileContentStaysText(t *testing.T) {
	for _, attack := range attacks {
		for _, link := range badLinks {
			lib := hostile(attack, link)
			cfg := over(lib)
			cfg.Search = func(content.Query) content.Result {
				i := lib.Issues()[0]
				hit := content.Hit{Item: &i.Sections[0].Items[0], Section: &i.Sections[0], Issue: i, Why: attack}
				hit.Also = []content.Ref{{Item: hit.Item, Issue: i}}
				return content.Result{Hits: []content.Hit{hit}, Total: 1}
			}
			cfg.Sources = func() []SourceStatus { return []SourceStatus{{Name: attack, Err: http.ErrAbortHandler}} }
			s := New(cfg)
			for _, target := range []string{"/", "/?q=" + url.QueryEscape(attack), "/?series=" + url.QueryEscape(attack), issueURL(lib.Issues()[0].Key())} {
				w := ask(s, "GET", target)
				if w.Code != 200 {
					t.Errorf("%s: %d", target, w.Code)
				}
				checkHTML(t, target, w.Body.String())
			}
			feed := ask(s, "GET", "/feed.atom").Body.String()
			checkHTML(t, "feed", entryHTML(t, feed))
		}
	}
}

var (
	allowedTags = strings.Fields("html head meta title link body a header div nav form label input button main h1 h2 h3 section ul ol li span p time small article footer details summary strong br meter")
	allowedAttr = strings.Fields("lang charset name content rel href type title class hreflang role action method for id maxlength value placeholder autocomplete dir datetime open max")
)

// checkHTML parses a page as a browser does: no element, attribute or link may be there that the templates do not write.
func checkHTML(t *testing.T, where, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.CommentNode {
			t.Errorf("%s: comment %q", where, n.Data)
		}
		if n.Type != html.ElementNode || isTrend(n) {
			continue
		}
		if !slices.Contains(allowedTags, n.Data) {
			t.Errorf("%s: element <%s>", where, n.Data)
		}
		checkAttributes(t, where, n)
	}
}

// isTrend says whether n is the chart of a topic, which a search for its name shows: one of our own pictures.
func isTrend(n *html.Node) bool {
	return n.Data == "img" && !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool {
		return !slices.Contains([]string{"src", "width", "height", "alt", "class"}, a.Key) || a.Key == "src" && !strings.HasPrefix(a.Val, "/trend/")
	})
}

func checkAttributes(t *testing.T, where string, n *html.Node) {
	t.Helper()
	rel, href := "", ""
	for _, a := range n.Attr {
		if !slices.Contains(allowedAttr, a.Key) {
			t.Errorf("%s: attribute %s=%q of <%s>", where, a.Key, a.Val, n.Data)
		}
		switch a.Key {
		case "rel":
			rel = a.Val
		case "href":
			href = a.Val
		}
	}
	if n.Data != "a" || strings.HasPrefix(href, "/") && !strings.HasPrefix(href, "//") || strings.HasPrefix(href, "#") {
		return
	}
	u, err := url.Parse(href)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		t.Errorf("%s: link to %q", where, href)
	}
	if where != "feed" && rel != "noopener noreferrer nofollow" {
		t.Errorf("%s: link to %q with rel %q", where, href, rel)
	}
}

func FuzzPages(f *testing.F) {
	for i, a := range attacks {
		f.Add(a, badLinks[i%len(badLinks)])
	}
	f.Fuzz(func(t *testing.T, words, link string) {
		lib := hostile(words, link)
		s := New(over(lib))
		for _, target := range []string{"/", issueURL(lib.Issues()[0].Key()), "/?q=" + url.QueryEscape(words)} {
			w := ask(s, "GET", target)
			if w.Code != 200 {
				t.Errorf("%s: %d", target, w.Code)
			}
			checkHTML(t, target, w.Body.String())
		}
		checkHTML(t, "feed", entryHTML(t, ask(s, "GET", "/feed.atom").Body.String()))
	})
}

// entryHTML is the content of a feed's only entry.
func entryHTML(t *testing.T, feed string) string {
	t.Helper()
	var f atomFeed
	if err := xml.Unmarshal([]byte(feed), &f); err != nil || len(f.Entries) != 1 {
		t.Fatalf("%v in the feed:\n%s", err, feed)
	}
	return f.Entries[0].Content.Body
}
