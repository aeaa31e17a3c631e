package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"weeklybot/content"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"safe": safeURL, "issueURL": issueURL, "host": host, "staticURL": staticURL,
}).ParseFS(templateFiles, "templates/*.html"))

// view is what every page gets; Page is its own part.
type view struct {
	T       texts
	Lang    string
	Forced  bool // the language stands in the address, and so in every link
	Title   string
	Query   string
	Path    string // of this page, for the link to the other language
	Page    any
	topics  *content.Topics
	Sources []SourceStatus

	Troubles   []string
	Allowances []Allowance
}

// Link is an address on this server in the page's language.
func (v *view) Link(to string) string {
	if !v.Forced {
		return to
	}
	return addQuery(to, "lang="+v.Lang)
}

// Other is this page in the other language.
func (v *view) Other() string {
	other := "en"
	if v.Lang == "en" {
		other = "zh"
	}
	return addQuery(v.Path, "lang="+other)
}

// Shown is a topic's name for readers of the page.
func (v *view) Shown(topic string) string { return v.topics.Shown(topic, v.Lang) }

// Moment writes a date and a time.
func (v *view) Moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Format("2006-01-02 15:04 MST")
}

func addQuery(to, pair string) string {
	sep := "?"
	if strings.Contains(to, "?") {
		sep = "&"
	}
	return to + sep + pair
}

// handler fills a view and names its template; code is the HTTP status.
type handler func(r *http.Request, v *view) (name string, code int)

// page renders a handler's template wholly before the first byte goes out.
func (s *Server) page(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		lang, forced := s.lang(r)
		v := &view{T: text[lang], Lang: lang, Forced: forced, Path: here(r), topics: s.cfg.Topics}
		name, code := h(r, v)
		var b bytes.Buffer
		if err := templates.ExecuteTemplate(&b, name, v); err != nil {
			panic(err) // the template is wrong, or its data
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Language", lang)
		w.Header().Set("Vary", "Accept-Language")
		w.Header().Set("Cache-Control", "no-cache")
		w.WriteHeader(code)
		_, _ = w.Write(b.Bytes())
	}
}

// here is the address of the request without its language.
func here(r *http.Request) string {
	query := r.URL.Query()
	query.Del("lang")
	to := r.URL.EscapedPath()
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
		to = "/"
	}
	if len(query) > 0 {
		to += "?" + query.Encode()
	}
	return to
}

// safeURL is raw when a browser may open it: an absolute http or https address. Else it is "".
func safeURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return ""
	}
	if strings.ContainsAny(u.Host, `<>"'()`) { // url.Parse takes them; the template escapes them, which no browser takes in a host
		return ""
	}
	return u.String()
}

func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(u.Hostname(), "www.")
}

// issueURL is the page of an issue. A key that is no clean path stands in the query instead.
func issueURL(key string) string {
	if path.Clean("/"+key) != "/"+key {
		return "/issue/?key=" + url.QueryEscape(key)
	}
	segments := strings.Split(key, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(segment)
	}
	return "/issue/" + strings.Join(segments, "/")
}

// staticURL names a file together with its content, so that a cache may keep it.
func staticURL(name string) (string, error) {
	data, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return "/static/" + name + "?v=" + hex.EncodeToString(sum[:6]), nil
}

var staticTypes = map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

func static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	data, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		plain(w, http.StatusNotFound, "there is no such file")
		return
	}
	w.Header().Set("Content-Type", staticTypes[path.Ext(name)])
	w.Header().Set("Cache-Control", "public, max-age=86400")
	_, _ = w.Write(data)
}
