package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/tools/txtar"

	"weeklybot/content"
)

// host answers with a feed that tests change.
type host struct {
	*httptest.Server
	mu    sync.Mutex
	body  string
	kind  string
	etag  string
	code  int
	after string
	gets  atomic.Int32
	fresh atomic.Int32 // answers with a body
	last  http.Header
}

func newHost(t *testing.T, kind, body string) *host {
	h := &host{body: body, kind: kind, code: http.StatusOK}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gets.Add(1)
	h.last = r.Header.Clone()
	if h.etag != "" && r.Header.Get("If-None-Match") == h.etag && h.code == http.StatusOK {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.fresh.Add(1)
	w.Header().Set("Content-Type", h.kind)
	w.Header().Set("ETag", h.etag)
	if h.after != "" {
		w.Header().Set("Retry-After", h.after)
	}
	w.WriteHeader(h.code)
	_, _ = io.WriteString(w, h.body)
}

func (h *host) set(change func(*host)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

func (h *host) config(dir string) Config {
	return Config{Name: "news", Kind: KindFeed, URL: h.URL + "/feed?key=hidden", AllowPrivate: true, Dir: dir}
}

// post is one entry in the formats below.
type post struct{ id, title, link, day, html string }

func (p post) time() string { return p.day + "T08:00:00+08:00" }

func rss(posts ...post) string {
	b := `<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>Cloud Notes</title>`
	for _, p := range posts {
		at, _ := time.Parse(time.RFC3339, p.time())
		b += fmt.Sprintf(`<item><guid isPermaLink="false">%s</guid><title>%s</title><link>%s</link><pubDate>%s</pubDate><content:encoded><![CDATA[%s]]></content:encoded></item>`,
			p.id, p.title, p.link, at.Format(time.RFC1123Z), p.html)
	}
	return b + `</channel></rss>`
}

func atomFeed(posts ...post) string {
	b := `<feed xmlns="http://www.w3.org/2005/Atom"><title>Cloud Notes</title><id>x</id>`
	for _, p := range posts {
		b += fmt.Sprintf(`<entry><id>%s</id><title>%s</title><link href="%s"/><published>%s</published><author><name>Ada</name></author><content type="html"><![CDATA[%s]]></content></entry>`,
			p.id, p.title, p.link, p.time(), p.html)
	}
	return b + `</feed>`
}

func jsonFeed(posts ...post) string {
	items := []map[string]any{}
	for _, p := range posts {
		items = append(items, map[string]any{"id": p.id, "title": p.title, "url": p.link, "date_published": p.time(), "content_html": p.html})
	}
	data, _ := json.Marshal(map[string]any{"version": "https://jsonfeed.org/version/1.1", "title": "Cloud Notes", "items": items})
	return string(data)
}

// weekly is the HTML of a newsletter's number: sections of links, with a sentence about each.
func weekly(items ...string) string {
	b := "<p>Welcome back.</p><h2>News</h2><ul>"
	for _, it := range items {
		b += fmt.Sprintf(`<li><a href="https://%s.example.com/post">%s</a> - what changed and why one may care about it</li>`, strings.ReplaceAll(it, " ", "-"), it)
	}
	return b + "</ul>"
}

func keys(lib *content.Library) (out []string) {
	for _, i := range lib.Issues() {
		out = append(out, i.Key())
	}
	slices.Sort(out)
	return out
}

const article = `<p>We moved a cluster to new machines. It took a weekend, and <a href="https://example.com/other">one lesson</a> is worth telling.</p><script>alert(1)</script><p>The rest went well.</p>`

func TestFeedOfArticles(t *testing.T) {
	posts := []post{
		{"c", "Third &amp; last", "https://blog.example.com/3", "2026-11-23", article},
		{"b", "Second", "https://blog.example.com/2", "2026-11-22", article},
		{"a", "First", "https://blog.example.com/1", "2026-11-17", article},
	}
	for name, body := range map[string]string{"rss": rss(posts...), "atom": atomFeed(posts...), "json": jsonFeed(posts...)} {
		t.Run(name, func(t *testing.T) {
			if name == "json" {
				body = strings.ReplaceAll(body, `\u0026amp;`, `\u0026`)
			}
			s := open1(t, newHost(t, "", body).config(t.TempDir()))
			if st := s.Status()[0]; st.Err != nil {
				t.Fatal(st.Err)
			}
			if got := keys(s.Library()); !slices.Equal(got, []string{"Cloud Notes/page/news-2026-W47", "Cloud Notes/page/news-2026-W48"}) {
				t.Fatalf("issues %q", got)
			}
			i := s.Library().Issue("Cloud Notes/page/news-2026-W47")
			items := i.Sections[0].Items
			if len(items) != 2 || items[0].Title != "Second" || items[1].Title != "First" {
				t.Fatalf("items %+v", items)
			}
			if i.Date != "2026-11-22" || i.Period != [2]string{"2026-11-16", "2026-11-22"} || i.Kind != content.KindHotTopics || i.Lang != "en" {
				t.Errorf("issue %+v", i)
			}
			it := items[0]
			if it.URL != "https://blog.example.com/2" || !strings.HasPrefix(it.Text, "We moved a cluster") || strings.Contains(it.Text, "alert") || it.ID == items[1].ID {
				t.Errorf("item %+v", it)
			}
			if got := s.Library().Issue("Cloud Notes/page/news-2026-W48").Sections[0].Items[0].Title; got != "Third & last" {
				t.Errorf("title %q", got)
			}
		})
	}
}

func TestFeedOfIssues(t *testing.T) {
	posts := []post{
		{"2", "Cloud Notes #12", "https://notes.example.com/12", "2026-11-23", weekly("envoy", "istio", "cilium", "etcd")},
		{"1", "Cloud Notes #11", "https://notes.example.com/11", "2026-11-16", weekly("kubernetes", "wasm", "helm")},
		{"x", "A pause", "https://notes.example.com/pause", "2026-11-10", "<p>No issue this week: we are away.</p>"},
	}
	for name, body := range map[string]string{"rss": rss(posts...), "atom": atomFeed(posts...), "json": jsonFeed(posts...)} {
		t.Run(name, func(t *testing.T) {
			s := open1(t, newHost(t, "", body).config(t.TempDir()))
			if got := keys(s.Library()); !slices.Equal(got, []string{"Cloud Notes/#11", "Cloud Notes/#12", "Cloud Notes/page/news-2026-W46"}) {
				t.Fatalf("issues %q, status %v", got, s.Status())
			}
			i := s.Library().Issue("Cloud Notes/#12")
			if i.Title != "Cloud Notes #12" || i.Date != "2026-11-23" || i.Source != "https://notes.example.com/12" || i.ItemCount() != 4 || i.Kind != content.KindIssue {
				t.Errorf("issue %+v", i)
			}
			if it := i.Sections[0].Items[0]; i.Sections[0].Heading != "News" || it.Title != "envoy" || it.URL != "https://envoy.example.com/post" {
				t.Errorf("section %+v", i.Sections[0])
			}
		})
	}
	cfg := newHost(t, "", rss(posts...)).config(t.TempDir())
	cfg.Entries, cfg.Series = EntriesLinks, "mine"
	if got := keys(open1(t, cfg).Library()); len(got) != 3 || !strings.HasPrefix(got[0], "mine/page/") {
		t.Errorf("entries: links gives %q", got)
	}
	cfg.Entries, cfg.Dir = EntriesIssues, t.TempDir()
	if got := keys(open1(t, cfg).Library()); len(got) < 2 || got[0] != "mine/#11" {
		t.Errorf("entries: issues gives %q", got)
	}
}

// Releases link to their own repository only; they are no newsletter.
// TestFeedLayouts reads entries whose HTML is made in other ways than a page's.
func TestFeedLayouts(t *testing.T) {
	for _, c := range []struct{ name, html, want string }{
		{"line breaks", `Hello!<br><br>* <a href="https://p.example/1">One about caches</a><br>* <a href="https://q.example/2">Two about queues</a><br>* <a href="https://r.example/3">Three about logs</a><br><br>See you`,
			"One about caches https://p.example/1, Two about queues https://q.example/2, Three about logs https://r.example/3"},
		{"Markdown", "## News\n\n- [One](https://p.example/1) about caches\n- [Two](https://q.example/2) about queues\n- [Three](https://r.example/3) about logs\n",
			"One about caches https://p.example/1, Two about queues https://q.example/2, Three about logs https://r.example/3"},
		{"relative links", `<ul><li><a href="/a/1">One</a>: about caches and such</li><li><a href="https://q.example/2?a=1&amp;b=2">Two</a>: about queues</li><li><a href="//r.example/3">Three</a>: about logs</li><li><a href='https://s.example/4'>Four</a>: about rows</li></ul>`,
			"One https://m.example/a/1, Two https://q.example/2?a=1&b=2, Three https://r.example/3, Four https://s.example/4"},
		{"bold lines in sections", `<section><strong>开源动态</strong></section><section><p><strong>一号网关发布</strong></p><p>支持互通，升级更平滑，推荐所有人升级。</p><p><a href="https://a.example/1">https://a.example/1</a></p></section><section><p><strong>二号网关修复漏洞</strong></p><p>修复若干安全漏洞，建议尽快升级。</p><p><a href="https://b.example/2">https://b.example/2</a></p></section><section><p><strong>三号网关</strong></p><p>带宽管理改进，接口一致。</p><p><a href="https://c.example/3">https://c.example/3</a></p></section>`,
			"一号网关发布 https://a.example/1, 二号网关修复漏洞 https://b.example/2, 三号网关 https://c.example/3"},
		{"a blog's last line", `<p>1、<a href="https://a.example/1">oneview</a>：又快又小的检查工具</p><p>2、<a href="https://b.example/2">twoview</a>：格式化与检查合一</p><p>3、<a href="https://c.example/3">threeview</a>：打包</p><p>The post <a href="https://m.example/w/4">第 4 期</a> appeared first on <a href="https://m.example">周刊</a>.</p>`,
			"oneview https://a.example/1, twoview https://b.example/2, threeview https://c.example/3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open1(t, newHost(t, "", rss(post{"4", "Weekly 4", "https://m.example/w/4", "2026-11-20", c.html})).config(t.TempDir()))
			i := s.Library().Issue("Cloud Notes/#4")
			if i == nil {
				t.Fatalf("issues %q", keys(s.Library()))
			}
			var got []string
			for _, section := range i.Sections {
				for _, it := range section.Items {
					got = append(got, it.Title+" "+it.URL)
					if strings.Contains(it.Text, "appeared") {
						t.Errorf("text %q", it.Text)
					}
				}
			}
			if said := strings.Join(got, ", "); said != c.want {
				t.Errorf("items %s, want %s", said, c.want)
			}
		})
	}
}

func TestFeedOfReleases(t *testing.T) {
	notes := "<h2>Changes</h2><ul>"
	for n := range 12 {
		notes += fmt.Sprintf(`<li><a href="https://github.com/acme/tool/pull/%d">Fix number %d of the tool</a></li>`, n, n)
	}
	s := open1(t, newHost(t, "", atomFeed(post{"r", "v1.2.3", "https://github.com/acme/tool/releases/tag/v1.2.3", "2026-11-23", notes + "</ul>"})).config(t.TempDir()))
	if got := keys(s.Library()); !slices.Equal(got, []string{"Cloud Notes/page/news-2026-W48"}) {
		t.Errorf("issues %q", got)
	}
}

func TestFeedChanges(t *testing.T) {
	first, second := post{"1", "One", "https://b.example.com/1", "2026-11-16", article}, post{"2", "Two", "https://b.example.com/2", "2026-11-17", article}
	h := newHost(t, "", rss(second, first))
	h.etag = `"1"`
	dir := t.TempDir()
	s := open1(t, h.config(dir))
	page := s.Library().Issue("Cloud Notes/page/news-2026-W47")
	ids := func(lib *content.Library) (out []string) {
		for _, i := range lib.Issues() {
			for _, it := range i.Sections[0].Items {
				out = append(out, it.ID)
			}
		}
		return out
	}
	before := ids(s.Library())

	must(t, fetchNow(t, s)) // 304
	if h.gets.Load() != 2 || h.fresh.Load() != 1 || s.Library().Issues()[0] != page {
		t.Errorf("%d requests, %d answers; the issue is the same: %v", h.gets.Load(), h.fresh.Load(), s.Library().Issues()[0] == page)
	}

	edited := second
	edited.title, edited.day = "Two, corrected", "2026-11-24" // a new time does not move it to another week
	h.set(func(h *host) { h.body, h.etag = rss(edited, first), `"2"` })
	must(t, fetchNow(t, s))
	if got := titles(s.Library()); !slices.Equal(got, []string{"One", "Two, corrected"}) || !slices.Equal(ids(s.Library()), before) {
		t.Errorf("items %q with IDs %q, before %q", got, ids(s.Library()), before)
	}

	next := post{"3", "Three", "https://b.example.com/3", "2026-11-25", article}
	h.set(func(h *host) { h.body, h.etag = rss(next, edited), `"3"` }) // the window moves on: One is no longer shown
	must(t, fetchNow(t, s))
	if got := titles(s.Library()); !slices.Equal(got, []string{"One", "Three", "Two, corrected"}) {
		t.Errorf("items %q", got)
	}
	h.set(func(h *host) { h.body, h.etag = rss(next, first), `"4"` }) // Two is taken back: the feed reaches past it
	must(t, fetchNow(t, s))
	if got := titles(s.Library()); !slices.Equal(got, []string{"One", "Three"}) {
		t.Errorf("items %q", got)
	}

	h.Close() // offline: a new process knows all the same
	s = open1(t, h.config(dir))
	if got, st := titles(s.Library()), s.Status()[0]; !slices.Equal(got, []string{"One", "Three"}) || st.LoadedAt.IsZero() || st.Err != nil {
		t.Errorf("items %q, status %+v", got, st)
	}
	if err := fetchNow(t, s); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("offline: %v", err)
	}
	if got, st := titles(s.Library()), s.Status()[0]; len(got) != 2 || st.Err == nil {
		t.Errorf("items %q, status %+v", got, st)
	}
}

// Two entries of one day, without numbers: both are found.
func TestFeedClash(t *testing.T) {
	s := open1(t, newHost(t, "", rss(
		post{"b", "Evening links", "https://n.example.com/b", "2026-11-16", weekly("envoy", "istio", "cilium")},
		post{"a", "Morning links", "https://n.example.com/a", "2026-11-16", weekly("etcd", "helm", "wasm")},
	)).config(t.TempDir()))
	if got := keys(s.Library()); !slices.Equal(got, []string{"Cloud Notes/2026-11-16", "Cloud Notes/page/news-2026-W47"}) {
		t.Errorf("issues %q", got)
	}
	if got := titles(s.Library()); len(got) != 4 || !slices.Contains(got, "Evening links") {
		t.Errorf("items %q", got)
	}
}

func TestFeedFailures(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 64 {
		_, _ = z.Write(bytes.Repeat([]byte("<!-- -->"), 1<<17))
	}
	must(t, z.Close())
	for name, c := range map[string]struct {
		serve func(w http.ResponseWriter, r *http.Request)
		want  string
	}{
		"not found": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, "answered 404"},
		"gone":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(410) }, "remove the source"},
		"forbidden": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "token"},
		"a page":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<!doctype html><p>hello") }, "is no RSS, Atom or JSON feed"},
		"nothing":   {func(http.ResponseWriter, *http.Request) {}, "is no RSS"},
		"broken xml": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, rss(post{})[:200]+"<item><title")
		}, "cannot be read as a feed"},
		"broken json": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"version":"https://jsonfeed.org/version/1.1","items":[`)
		}, "is no RSS, Atom or JSON feed"},
		"unasked 304": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, "answered 304"},
		"bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		}, "over 8 MiB"},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
					return
				}
			}
		}, "over 8 MiB"},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "<rss>")
		}, "unexpected EOF"},
		"redirects for ever": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }, "redirects"},
		"redirect to a file": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "file:"},
		"deep": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<rss><channel>"+strings.Repeat("<a:b>", 1<<20))
		}, "too deeply"},
		"pieces": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<rss><channel><a:b>"+strings.Repeat("x<!---->", 1<<19))
		}, "too many pieces"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(c.serve))
			defer srv.Close()
			dir := t.TempDir()
			cfg := Config{Name: "news", Kind: KindFeed, URL: srv.URL + "/?key=hidden", AllowPrivate: true, Dir: dir}
			st := open1(t, cfg).Status()[0]
			if st.Err == nil || !strings.Contains(st.Err.Error(), c.want) || strings.Contains(st.Err.Error(), "hidden") || !st.LoadedAt.IsZero() {
				t.Errorf("status %+v, want %q", st, c.want)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) > 0 {
				t.Errorf("a failed fetch leaves %q", left)
			}
		})
	}
}

func TestFeedSlowHost(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil { // a byte now and then, for ever
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Millisecond)
		}
	}))
	defer srv.Close()
	f, err := newFeed(Config{Name: "news", Kind: KindFeed, URL: srv.URL, AllowPrivate: true, Dir: t.TempDir()})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := f.fetch(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("fetch: %v", err)
	}
}

func TestFeedPrivateAddress(t *testing.T) {
	inner := newHost(t, "", rss())
	cfg := inner.config(t.TempDir())
	cfg.AllowPrivate = false
	if st := open1(t, cfg).Status()[0]; !errors.Is(st.Err, errPrivate) || inner.gets.Load() != 0 {
		t.Errorf("loopback: %v", st.Err)
	}
	for _, u := range []string{"http://localhost:1/", "http://[::1]:1/", "http://[::ffff:127.0.0.1]:1/", "http://169.254.169.254/latest/", "http://10.1.2.3/", "http://0.0.0.0:1/", "http://[fd00::1]/", "http://100.100.100.200/", "http://[64:ff9b::7f00:1]/", "http://2130706433/"} {
		st := open1(t, Config{Name: "news", Kind: KindFeed, URL: u, Dir: t.TempDir()}).Status()[0]
		if st.Err == nil {
			t.Errorf("%s was fetched", u)
		}
		if host, _ := url.Parse(u); !errors.Is(st.Err, errPrivate) && host.Hostname() != "2130706433" {
			t.Errorf("%s: %v", u, st.Err)
		}
	}
}

// A public host that redirects to a private address gets nothing. The dialler stands for the public host.
func TestFeedRedirectToPrivate(t *testing.T) {
	inner := newHost(t, "", rss())
	outer := httptest.NewServer(http.RedirectHandler(inner.URL, http.StatusFound))
	defer outer.Close()
	f, err := newFeed(Config{Name: "news", Kind: KindFeed, URL: "http://public.example/feed", Dir: t.TempDir()})
	must(t, err)
	f.client = throughPublic(f.client, outer.Listener.Addr().String())
	if err := f.fetch(t.Context()); !errors.Is(err, errPrivate) || inner.gets.Load() != 0 {
		t.Errorf("fetch: %v; the inner host was asked %d times", err, inner.gets.Load())
	}
}

// throughPublic makes a client whose connections to public.example end at addr, and whose others are guarded as before.
func throughPublic(c *http.Client, addr string) *http.Client {
	tr := c.Transport.(*http.Transport).Clone()
	guarded := tr.DialContext
	tr.DialContext = func(ctx context.Context, network, to string) (net.Conn, error) {
		if to == "public.example:80" {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
		return guarded(ctx, network, to)
	}
	return &http.Client{Transport: tr, CheckRedirect: c.CheckRedirect}
}

func TestFeedCharset(t *testing.T) {
	text := `<rss version="2.0"><channel><title>云原生</title><item><title>服务网格 与 容器</title><link>/1</link><pubDate>Mon, 16 Nov 2026 00:30:00 +0800</pubDate></item></channel></rss>`
	gbk, err := simplifiedchinese.GBK.NewEncoder().String(text)
	must(t, err)
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(`<?xml version="1.0" encoding="utf-16"?>` + text)
	must(t, err)
	for name, c := range map[string]struct{ kind, body string }{
		"declared in the XML":  {"text/xml", `<?xml version="1.0" encoding="gb2312"?>` + gbk},
		"only in the header":   {"text/xml; charset=GBK", `<?xml version="1.0"?>` + gbk},
		"utf-8 with its mark":  {"application/rss+xml", "\ufeff" + text},
		"utf-16 with its mark": {"application/rss+xml", utf16},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, c.kind, c.body)
			s := open1(t, h.config(t.TempDir()))
			// Monday there, Sunday in UTC: it is of the week that its author had.
			i := s.Library().Issue("云原生/page/news-2026-W47")
			if i == nil || i.Sections[0].Items[0].Title != "服务网格 与 容器" || i.Sections[0].Items[0].URL != h.URL+"/1" || i.Lang != "zh" {
				t.Errorf("issues %q, status %+v", keys(s.Library()), s.Status())
			}
		})
	}
	h := newHost(t, "text/xml", "<rss version=\"2.0\"><channel><title>x</title><item><title>bad \xff\xfe bytes</title><guid>1</guid></item></channel></rss>")
	s := open1(t, h.config(t.TempDir()))
	for _, title := range titles(s.Library()) {
		if !strings.Contains(title, "bytes") {
			t.Errorf("title %q", title)
		}
	}
}

func TestFeedRetry(t *testing.T) {
	now := time.Date(2026, 11, 16, 8, 0, 0, 0, time.UTC)
	for after, want := range map[string]time.Duration{"120": 2 * time.Minute, "Mon, 16 Nov 2026 09:00:00 GMT": time.Hour, "soon": 0, "-5": 0, "": 0} {
		resp := &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {after}}}
		got := time.Duration(0)
		if e, ok := errors.AsType[*retryAfter](refusal(resp, now)); ok {
			got = e.wait
		}
		if got != want {
			t.Errorf("Retry-After %q: wait %v, want %v", after, got, want)
		}
	}
	for fails, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
		if got := defaultPace.backOff(fails, 30*time.Minute); got != want {
			t.Errorf("after %d failures wait %v, want %v", fails+1, got, want)
		}
	}
}

func TestFeedToken(t *testing.T) {
	h := newHost(t, "", rss())
	cfg := h.config(t.TempDir())
	cfg.Token = "feed-token"
	open1(t, cfg)
	if got := h.last.Get("Authorization"); got != "Bearer feed-token" || h.last.Get("User-Agent") != userAgent {
		t.Errorf("headers %v", h.last)
	}
	other := newHost(t, "", rss())
	from := httptest.NewServer(http.RedirectHandler(strings.Replace(other.URL, "127.0.0.1", "localhost", 1), http.StatusFound))
	defer from.Close()
	cfg.URL, cfg.Dir = from.URL, t.TempDir()
	open1(t, cfg)
	if other.gets.Load() != 1 || other.last.Get("Authorization") != "" {
		t.Errorf("the token went along to another host (%d requests)", other.gets.Load())
	}
}

func TestFeedState(t *testing.T) {
	h := newHost(t, "", rss(post{"1", "One", "https://b.example.com/1", "2026-11-16", article}))
	h.etag = `"1"`
	dir := t.TempDir()
	open1(t, h.config(dir))
	files, _ := filepath.Glob(filepath.Join(dir, "news", "feed-*.json"))
	if len(files) != 1 {
		t.Fatalf("files %q", files)
	}
	data, err := os.ReadFile(files[0])
	must(t, err)
	for n := range len(data) { // cut anywhere, it is fetched anew
		if n%37 != 0 {
			continue
		}
		must(t, os.WriteFile(files[0], data[:n], 0o644))
		if st := open1(t, h.config(dir)).Status()[0]; st.Err != nil || st.Items != 1 {
			t.Fatalf("cut at %d: %+v", n, st)
		}
	}
	many := []entry{}
	for n := range maxEntries + 500 {
		many = append(many, entry{ID: fmt.Sprint(n), Title: "x", Day: "2026-11-16", Published: time.Unix(int64(n), 0)})
	}
	if st := (&feedState{Entries: many}).bounded(); len(st.Entries) != maxEntries || st.Entries[0].ID != "500" {
		t.Errorf("%d entries are kept, from %s", len(st.Entries), st.Entries[0].ID)
	}
}

func TestFeedRun(t *testing.T) {
	entries := func(n int) string {
		return rss(post{"1", fmt.Sprint("round ", n), "https://b.example.com/1", "2026-11-16", article})
	}
	h := newHost(t, "", entries(0))
	w := &watcher{told: make(chan struct{}, 1)}
	s, err := Open(t.Context(), []Config{h.config(t.TempDir())}, nil, slog.New(slog.DiscardHandler), w.changed)
	must(t, err)
	s.pace.debounce, s.pace.gap, s.pace.retry = time.Millisecond, time.Millisecond, time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for n := range 5 {
		h.set(func(h *host) { h.code = 500 }) // it fails for a while, and is asked again by itself
		s.Reload(ctx)
		failing := h.gets.Load()
		for deadline := time.Now().Add(time.Minute); h.gets.Load() < failing+2; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("a failing feed is not asked again")
			}
		}
		h.set(func(h *host) { h.code, h.body = 200, entries(n+1) })
		w.wait(t, fmt.Sprint("round ", n+1))
	}
	h.set(func(h *host) { h.code, h.after = 429, "3600" })
	s.Reload(ctx)
	for deadline := time.Now().Add(time.Minute); s.Status()[0].Err == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the refusal does not show in Status")
		}
	}
	asked := h.gets.Load()
	for range 20 {
		s.Reload(ctx)
		time.Sleep(2 * time.Millisecond)
	}
	if got := h.gets.Load(); got != asked {
		t.Errorf("asked %d times within the Retry-After", got-asked)
	}
	cancel()
	must(t, <-done)
}

func TestFeedConfig(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.URL = "" }, "url is missing"},
		{func(c *Config) { c.URL = "ftp://x/y" }, "url: want https"},
		{func(c *Config) { c.URL = "https://u:p@x/y" }, "token_file"},
		{func(c *Config) { c.Entries = "all" }, `"all" is none of`},
		{func(c *Config) { c.Branch = "x" }, "branch: a source of kind feed has no such key"},
		{func(c *Config) { c.URL, c.Token = "http://x/y", "secret" }, "https:// only"},
	} {
		cfg := Config{Name: "a", Kind: KindFeed, URL: "https://example.org/feed", Dir: t.TempDir()}
		must(t, Check(cfg))
		c.change(&cfg)
		if err := Check(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", cfg, err, c.want)
		}
	}
}

// FuzzFeed: whatever a host sends, its issues are whole: valid text, links to the web, keys that differ, and the same again when it is
// fetched again.
func FuzzFeed(f *testing.F) {
	posts := []post{{"1", "Notes #1", "https://x.example.com/1", "2026-11-16", weekly("a", "b", "c", "d")}, {"2", "Two", "/2", "2026-11-17", article}, {"2", "", "", "", ""}}
	f.Add(rss(posts...))
	f.Add(atomFeed(posts...))
	f.Add(jsonFeed(posts...))
	f.Add(`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><item><title>a</title><link>javascript:x</link></item></rdf:RDF>`)
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range archives {
		if a, err := txtar.ParseFile(file); err == nil {
			for _, part := range a.Files {
				f.Add(string(part.Data))
			}
		}
	}
	base, _ := url.Parse("https://feeds.example.org/x")
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		st, err := readFeed([]byte(s), base, now)
		if err != nil {
			return
		}
		src := &feed{cfg: Config{Name: "x"}, url: base}
		st = st.after(nil)
		issues := src.issues(st)
		again, _ := readFeed([]byte(s), base, now.Add(time.Hour))
		if same := src.issues(again.after(st)); !slices.Equal(same, issues) {
			t.Fatalf("the same feed gives other issues: %d, then %d", len(issues), len(same))
		}
		seen := map[string]bool{}
		n := 0
		for _, i := range issues {
			if seen[i.Key()] || i.Date == "" || i.Series == "" || i.ItemCount() == 0 {
				t.Fatalf("issue %+v", i)
			}
			seen[i.Key()] = true
			for _, s := range i.Sections {
				for _, it := range s.Items {
					checkItem(t, &it)
					n++
				}
			}
		}
		if n < len(issues) || len(st.Entries) > 0 && n == 0 {
			t.Fatalf("%d entries, %d items", len(st.Entries), n)
		}
	})
}

func checkItem(t *testing.T, it *content.Item) {
	if it.ID == "" || it.Title == "" || it.Title != strings.ToValidUTF8(it.Title, "") || it.Text != strings.ToValidUTF8(it.Text, "") {
		t.Fatalf("item %+v", it)
	}
	if it.URL != "" && !strings.HasPrefix(strings.ToLower(it.URL), "http://") && !strings.HasPrefix(strings.ToLower(it.URL), "https://") {
		t.Fatalf("link %q", it.URL)
	}
}
