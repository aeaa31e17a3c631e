package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weeklybot/content"
)

// feedIssues is how many issues the feed holds, the newest.
const feedIssues = 50

// atomFeed is RFC 4287, as far as it is used.
type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Author  string      `xml:"author>name"`
	Links   []atomLink  `xml:"link"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr,omitempty"`
	Href string `xml:"href,attr"`
}

type atomEntry struct {
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Link    atomLink    `xml:"link"`
	Summary string      `xml:"summary,omitempty"`
	Content atomContent `xml:"content"`
}

type atomContent struct {
	Type string `xml:"type,attr"`
	Body string `xml:",chardata"`
}

// feed gives the newest dated issues. Pages that only grow carry no date and stay out: a reader could not tell what is new in them.
func (s *Server) feed(w http.ResponseWriter, r *http.Request) {
	lang, _ := s.lang(r)
	base := s.base(r)
	f := atomFeed{
		ID: stableID("feed"), Title: text[lang].Name, Author: "weeklybot", Updated: time.Unix(0, 0).UTC().Format(time.RFC3339),
		Links: []atomLink{{"self", "application/atom+xml", base + "/feed.atom"}, {"alternate", "text/html", base + "/"}},
	}
	for _, i := range s.cfg.Library().Issues() {
		day, ok := i.Day()
		if !ok || len(f.Entries) == feedIssues {
			break // newest first, undated last
		}
		f.Entries = append(f.Entries, atomEntry{
			ID: stableID(i.Key()), Title: i.Title, Updated: day.Format(time.RFC3339), Summary: i.Summary,
			Link: atomLink{"alternate", "text/html", base + issueURL(i.Key())}, Content: atomContent{"html", feedBody(i, lang)},
		})
	}
	if len(f.Entries) > 0 {
		f.Updated = f.Entries[0].Updated
	}
	body, err := xml.MarshalIndent(f, "", " ")
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
	w.Header().Set("Vary", "Accept-Language")
	_, _ = w.Write([]byte(xml.Header))
	_, _ = w.Write(body)
}

// feedBody is the list of an issue's items as HTML.
func feedBody(i *content.Issue, lang string) string {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, "feed.html", &view{T: text[lang], Lang: lang, Page: &issuePage{Issue: i}}); err != nil {
		panic(err)
	}
	return b.String()
}

// base is the address of this server for links that leave it: the configured one, else as the request names it.
func (s *Server) base(r *http.Request) string {
	if s.cfg.PublicURL != "" {
		return strings.TrimRight(s.cfg.PublicURL, "/")
	}
	u, err := url.Parse("http://" + r.Host)
	if err != nil || u.Host != r.Host || u.Hostname() == "" {
		return "http://localhost"
	}
	return "http://" + u.Host
}

// stableID is a UUID made of a name (version 8, RFC 9562): the same on every server and after a change of address.
func stableID(name string) string {
	b := sha256.Sum256([]byte("weeklybot " + name))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
