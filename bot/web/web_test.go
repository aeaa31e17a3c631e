package web

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weeklybot/content"
	"weeklybot/content/index"
	"weeklybot/content/source"
	"weeklybot/internal/needs"
)

// samples is a server over the project's own sample newsletters.
func samples(t testing.TB) Config {
	t.Helper()
	issues, faults := source.Load(t.Context(), []string{filepath.Join(needs.Root(t), "content", "samples")})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return over(content.NewLibrary(issues, content.DefaultTopics()))
}

func over(lib *content.Library) Config {
	idx := index.Build(lib, content.DefaultTopics())
	return Config{
		Library: func() *content.Library { return lib }, Search: idx.Search, Trend: idx.Trend, Topics: content.DefaultTopics(), Lang: "zh",
		Ready: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
		Sources: func() []SourceStatus {
			return []SourceStatus{{Name: "samples", Issues: 7, Items: 50, LoadedAt: time.Unix(0, 0)}}
		},
		Allowances: func(context.Context) []Allowance {
			return []Allowance{{Platform: "dingtalk", Name: "OpenAPI", Used: 4200, Limit: 5000, Low: true}}
		},
		Troubles: func(_ context.Context, lang string) []string { return []string{"a <b>trouble</b> in " + lang} },
	}
}

func ask(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	s := New(samples(t))
	for _, c := range []struct {
		method, target string
		code           int
		holds          string
	}{
		{"GET", "/", 200, "云原生拾遗 第 4 期"},
		{"GET", "/", 200, `dingtalk OpenAPI: 4200 / 5000 <meter max="5000" value="4200"></meter> <strong>快用完了</strong>`},
		{"HEAD", "/", 200, ""},
		{"POST", "/", 405, ""},
		{"DELETE", "/feed.atom", 405, ""},
		{"POST", "/issue/platform-letter/%2312", 405, ""},
		{"GET", "/?q=ebpf", 200, "https://bpfman.io/"},
		{"GET", "/?q=ebpf", 200, "匹配：ebpf（标题）"},
		{"GET", "/?q=ebpf&lang=en", 200, "Match: ebpf (title)"},
		{"GET", "/?q=ebpf&lang=en", 200, `<time datetime="2026-11-16">`},
		{"GET", "/?q=zzzzqq", 200, "没有找到"},
		{"GET", "/?q=" + strings.Repeat("a%20", 5000), 200, ""},
		{"GET", "/?q=%ff%fe", 200, ""},
		{"GET", "/?series=platform-letter&lang=en", 200, "Platform Letter #11"},
		{"GET", "/?series=platform-letter&page=-7", 200, "Platform Letter #11"},
		{"GET", "/?series=platform-letter&page=99999999999999999999", 200, "Platform Letter #11"},
		{"GET", "/?series=nobody", 404, "没有这个页面"},
		{"GET", "/issue/platform-letter/%2312", 200, "OpenTelemetry Collector pipelines"},
		{"GET", "/issue/platform-letter/%2399", 404, "没有这个页面"},
		{"GET", "/issue/?key=platform-letter/%2312", 200, "OpenTelemetry Collector pipelines"},
		{"GET", issueURL("热点话题/page/hot-topics.md"), 200, "持续更新"},
		{"GET", "/nope", 404, "没有这个页面"},
		{"GET", "/nope?lang=en", 404, "There is no such page"},
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/readyz", 200, "ready"},
		{"POST", "/readyz", 405, ""},
		{"GET", "/static/style.css", 200, "prefers-color-scheme"},
		{"GET", "/static/..%2fserver.go", 404, ""},
		{"GET", "/metrics", 404, ""},
	} {
		w := ask(s, c.method, c.target)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.holds) {
			t.Errorf("%s %s: %d, want %d and %q; body:\n%.600s", c.method, c.target, w.Code, c.code, c.holds, w.Body)
		}
		for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %s: %s = %q", c.method, c.target, name, got)
			}
		}
	}
}

func TestLanguage(t *testing.T) {
	s := New(samples(t))
	for _, c := range []struct{ target, accept, want string }{
		{"/", "", "zh"},
		{"/", "en-GB,en;q=0.9,zh;q=0.8", "en"},
		{"/", "fr, zh-TW;q=0.3, en;q=0.2", "zh"},
		{"/", "fr;q=1, *;q=0.5", "zh"},
		{"/", "en;q=0, zh;q=nonsense", "zh"},
		{"/?lang=en", "zh", "en"},
		{"/?lang=xx", "en", "en"},
	} {
		w := ask(s, "GET", c.target, "Accept-Language", c.accept)
		if got := w.Header().Get("Content-Language"); got != c.want {
			t.Errorf("%s with %q: %s, want %s", c.target, c.accept, got, c.want)
		}
	}
	body := ask(s, "GET", "/?lang=en").Body.String()
	if !strings.Contains(body, `href="/issue/platform-letter/%2312?lang=en"`) {
		t.Error("a language in the address does not stay in the links")
	}
}

// Every text exists in both languages.
func TestTexts(t *testing.T) {
	for lang, sentences := range text {
		if strings.Contains(fmt.Sprintf("%#v", sentences), `:""`) {
			t.Errorf("%s: a text is missing: %#v", lang, sentences)
		}
	}
}

func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := samples(t)
		cfg.Ready = func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New("the store\ndoes not answer")
		}
		began := time.Now()
		w := ask(New(cfg), "GET", "/readyz")
		if w.Code != 503 || w.Body.String() != "the store does not answer\n" || time.Since(began) != readyTime {
			t.Errorf("%d %q after %v", w.Code, w.Body, time.Since(began))
		}
	})
}

func TestPanicBecomes500(t *testing.T) {
	cfg := samples(t)
	var log bytes.Buffer
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Search = func(content.Query) content.Result { panic("broken index") }
	cfg.Hooks = map[string]http.Handler{"late": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half an ans")
		panic("too late")
	})}
	s := New(cfg)
	if w := ask(s, "GET", "/?q=ebpf"); w.Code != 500 || strings.Contains(w.Body.String(), "broken") || w.Body.Len() == 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "broken index") || !strings.Contains(log.String(), "level=ERROR") {
		t.Errorf("log: %s", &log)
	}
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("half an answer was not cut off")
		}
	}()
	ask(s, "GET", "/late/x")
}

func TestHooks(t *testing.T) {
	cfg := samples(t)
	var read error
	cfg.Hooks = map[string]http.Handler{"slack": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, read = io.ReadAll(r.Body) })}
	s := New(cfg)
	for size, fits := range map[int]bool{maxBodyBytes: true, maxBodyBytes + 1: false} {
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/slack/commands", bytes.NewReader(make([]byte, size))))
		if _, tooBig := errors.AsType[*http.MaxBytesError](read); tooBig == fits {
			t.Errorf("%d bytes: %v", size, read)
		}
	}
}

func TestFeed(t *testing.T) {
	cfg := samples(t)
	w := ask(New(cfg), "GET", "http://news.example:81/feed.atom")
	var f atomFeed
	if err := xml.Unmarshal(w.Body.Bytes(), &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Entries) != 6 || f.Updated != "2026-11-19T00:00:00Z" || f.Author == "" || f.Links[0].Href != "http://news.example:81/feed.atom" {
		t.Errorf("feed: %+v", f)
	}
	ids := map[string]bool{}
	for _, e := range f.Entries {
		_, err := time.Parse(time.RFC3339, e.Updated)
		if err != nil || ids[e.ID] || !strings.HasPrefix(e.ID, "urn:uuid:") || e.Title == "" || !strings.Contains(e.Content.Body, "<li><a href=") {
			t.Errorf("entry: %+v", e)
		}
		ids[e.ID] = true
		if page := ask(New(cfg), "GET", strings.TrimPrefix(e.Link.Href, "http://news.example:81")); page.Code != 200 {
			t.Errorf("%s: %d", e.Link.Href, page.Code)
		}
	}
	cfg.PublicURL = "https://weekly.example/"
	if body := ask(New(cfg), "GET", "/feed.atom", "Host", "evil.example").Body.String(); !strings.Contains(body, `href="https://weekly.example/feed.atom"`) {
		t.Error("public_url is not used")
	}
}

func TestFeedHoldsTheNewestFifty(t *testing.T) {
	var issues []*content.Issue
	for n := range 60 {
		issues = append(issues, &content.Issue{Series: "s", Kind: content.KindIssue, Title: fmt.Sprint("no ", n), Number: &n,
			Date: time.Date(2026, 1, 1+n, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)})
	}
	issues = append(issues, &content.Issue{Series: "s", Kind: content.KindHotTopics, Title: "grows", Source: "p.md"})
	var f atomFeed
	if err := xml.Unmarshal(ask(New(over(content.NewLibrary(issues, nil))), "GET", "/feed.atom").Body.Bytes(), &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Entries) != feedIssues || f.Entries[0].Title != "no 59" || f.Entries[49].Title != "no 10" {
		t.Errorf("%d entries, %s to %s", len(f.Entries), f.Entries[0].Title, f.Entries[len(f.Entries)-1].Title)
	}
}

func TestPagesOfASeries(t *testing.T) {
	var issues []*content.Issue
	for n := range 120 {
		issues = append(issues, &content.Issue{Series: "a & b", Kind: content.KindIssue, Title: fmt.Sprintf("no-%d.", n), Number: &n,
			Date: time.Date(2026, 1, 1+n, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)})
	}
	s := New(over(content.NewLibrary(issues, nil)))
	seen := map[int]bool{}
	next := "/?series=a+%26+b"
	for next != "" {
		body := ask(s, "GET", next).Body.String()
		for n := range 120 {
			if strings.Contains(body, fmt.Sprintf(">no-%d.<", n)) {
				seen[n] = true
			}
		}
		_, after, _ := strings.Cut(body, `<a rel="next" href="`)
		next, _, _ = strings.Cut(after, `"`)
		next = html.UnescapeString(next)
	}
	if len(seen) != 120 {
		t.Errorf("%d of 120 issues are reached by turning pages", len(seen))
	}
}

func TestConcurrentReaders(t *testing.T) {
	s := New(samples(t))
	var group sync.WaitGroup
	for _, target := range []string{"/", "/?q=istio", "/feed.atom", "/issue/platform-letter/%2312"} {
		for range 8 {
			group.Go(func() {
				if w := ask(s, "GET", target); w.Code != 200 {
					t.Errorf("%s: %d", target, w.Code)
				}
			})
		}
	}
	group.Wait()
}
