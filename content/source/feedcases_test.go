package source

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"weeklybot/content"
)

var update = flag.Bool("update", false, "rewrite the .want of each feed; review the diff like code")

// TestFeedCases fetches the feeds of testdata/*.txtar, forms that sites give beside those of the standards. Each is followed by what is
// read of it: name.want.
func TestFeedCases(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	must(t, err)
	n := 0
	for _, file := range archives {
		a, err := txtar.ParseFile(file)
		must(t, err)
		for k := 0; k+1 < len(a.Files); k += 2 {
			name := strings.TrimSuffix(a.Files[k].Name, path.Ext(a.Files[k].Name))
			want := &a.Files[k+1]
			if want.Name != name+".want" {
				t.Fatalf("%s: %s is followed by %s", file, a.Files[k].Name, want.Name)
			}
			n++
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				got := readCase(t, string(a.Files[k].Data))
				if *update {
					want.Data = []byte(got)
				} else if diff := cmp.Diff(string(want.Data), got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
		if *update {
			must(t, os.WriteFile(file, txtar.Format(a), 0o644))
		}
	}
	if n < 10 {
		t.Errorf("%d feeds, want at least 10", n)
	}
}

// readCase fetches a feed on 20 November 2026 and writes down its issues.
func readCase(t *testing.T, body string) string {
	t.Helper()
	h := newHost(t, "text/html; charset=iso-8859-1", body) // as many a host says of its feed
	f, err := newFeed(h.config(t.TempDir()))
	must(t, err)
	f.now = func() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }
	if err := f.fetch(t.Context()); err != nil {
		return strings.ReplaceAll(err.Error(), h.URL, "http://host") + "\n"
	}
	issues, _, err := f.load(t.Context())
	must(t, err)
	var b bytes.Buffer
	for _, i := range issues {
		fmt.Fprintf(&b, "%s | %s | %s | %s | %s\n", i.Key(), i.Title, i.Date, i.Source, strings.Join(i.Authors, ", "))
		for _, s := range i.Sections {
			if s.Heading != "" {
				fmt.Fprintf(&b, "# %s\n", s.Heading)
			}
			for _, it := range s.Items {
				b.WriteString(shownItem(it))
			}
		}
	}
	return strings.ReplaceAll(b.String(), h.URL, "http://host")
}

func shownItem(it content.Item) string {
	line := "- " + it.Title
	if it.URL != "" {
		line += " <" + it.URL + ">"
	}
	if it.By != "" {
		line += " by " + it.By
	}
	if it.Text != "" {
		line += ": " + strings.ReplaceAll(it.Text, "\n", " / ")
	}
	return line + "\n"
}

// TestFeedDates reads an entry's date in the forms that sites write: the day is that of who wrote it.
func TestFeedDates(t *testing.T) {
	base, _ := url.Parse("https://feeds.example.org/x")
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for date, want := range map[string]string{
		"Mon, 16 Nov 2026 22:00:00 EST":                           "2026-11-16",
		"Mon, 16 Nov 2026 22:00:00 CST":                           "2026-11-16",
		"Mon, 16 Nov 2026 02:00:00 +0800":                         "2026-11-16",
		"Mon, 30 Nov 2026 22:00:00 GMT":                           "2026-11-20", // far off
		"Monday, 16 November 2026 22:00:00 GMT+8":                 "2026-11-16",
		"mon, 16 nov 2026 22:00:00 +0800":                         "2026-11-16",
		"Fri, 16 Nov 2026 22:00:00 +0800":                         "2026-11-16", // it was a Monday
		"Tues, 17 Nov 2026 22:00:00 +0800":                        "2026-11-17",
		"Mon Nov 16 2026 02:00:00 GMT+0800 (China Standard Time)": "2026-11-16",
		"2026年11月16日 22:00":                                       "2026-11-16",
		"2026 年 11 月 6 日":                                         "2026-11-06",
		"2026/11/16 22:00:00":                                     "2026-11-16",
		"2026-11-16T22:00:00.123":                                 "2026-11-16",
		"2026-11-16T02:00:00.123+08:00":                           "2026-11-16",
		"2026-13-16":                                              "2026-11-20",
		"0001-01-01T00:00:00Z":                                    "2026-11-20",
		"soon":                                                    "2026-11-20",
		"":                                                        "2026-11-20",
	} {
		st, err := readFeed([]byte("<rss version='2.0'><channel><item><title>x</title><pubDate>"+date+"</pubDate></item></channel></rss>"), base, now)
		must(t, err)
		if got := st.Entries[0].Day; got != want {
			t.Errorf("%q is read as %s, want %s", date, got, want)
		}
	}
}

// A file that is packed, sent as it is, is unpacked. What it unpacks to has the bounds of a feed.
func TestFeedPacked(t *testing.T) {
	pack := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = io.WriteString(z, s)
		must(t, z.Close())
		return b.String()
	}
	text := rss(post{"1", "One", "https://b.example.com/1", "2026-11-16", article})
	for name, c := range map[string]struct{ body, want string }{
		"whole": {pack(text), ""},
		"cut":   {pack(text)[:200], "unexpected EOF"},
		"bomb":  {pack(strings.Repeat("<!-- -->", maxFeedBytes/8+1)), "over 8 MiB"},
	} {
		st := open1(t, newHost(t, "application/gzip", c.body).config(t.TempDir())).Status()[0]
		if c.want == "" && (st.Err != nil || st.Items != 1) || c.want != "" && (st.Err == nil || !strings.Contains(st.Err.Error(), c.want)) {
			t.Errorf("%s: %+v, want %q", name, st, c.want)
		}
	}
}

// The name of a user in the address of a feed may be a key: no link has it.
func TestFeedUser(t *testing.T) {
	h := newHost(t, "", rss(post{"1", "One", "/1", "2026-11-16", article}, post{"2", "Cloud Notes #2", "", "2026-11-16", strings.ReplaceAll(weekly("a", "b", "c", "d"), "https://a.example.com", "")}))
	cfg := h.config(t.TempDir())
	cfg.URL = strings.Replace(cfg.URL, "://", "://hidden@", 1)
	s := open1(t, cfg)
	links := 0
	for _, i := range s.Library().Issues() {
		for _, section := range i.Sections {
			for _, it := range section.Items {
				links++
				if it.URL == "" || strings.Contains(fmt.Sprint(i.Source, it), "hidden") {
					t.Errorf("%s: %+v", i.Source, it)
				}
			}
		}
	}
	if links != 5 {
		t.Errorf("%d links of %q", links, keys(s.Library()))
	}
}

// A long feed whose entries share a guid keeps each, and knows them all again.
func TestFeedSharedGUID(t *testing.T) {
	const n = 500
	entries := func(from int) (posts []post) {
		for k := range n {
			k = from + n - k
			posts = append(posts, post{"blog", fmt.Sprint("Entry ", k), fmt.Sprint("https://b.example.com/", k), "2026-11-16", article})
		}
		return posts
	}
	h := newHost(t, "", rss(entries(0)...))
	s := open1(t, h.config(t.TempDir()))
	if got := s.Library().ItemCount(); got != n {
		t.Fatalf("%d items, want %d", got, n)
	}
	h.set(func(h *host) { h.body = rss(entries(3)...) })
	must(t, fetchNow(t, s))
	if got := s.Library().ItemCount(); got != n+3 {
		t.Errorf("%d items after three more, want %d", got, n+3)
	}
}

// A site that moves to another program gives its entries other guids: they are the same entries. The next number under the address and
// title of the last is another one.
func TestFeedOtherGUIDs(t *testing.T) {
	one, two := post{"1", "One", "https://b.example.com/1", "2026-11-09", article}, post{"2", "Links", "https://b.example.com/", "2026-11-10", article}
	h := newHost(t, "", rss(two, one))
	s := open1(t, h.config(t.TempDir()))
	one.id, two.id = "new-1", "new-2"
	h.set(func(h *host) { h.body = rss(two, one) })
	must(t, fetchNow(t, s))
	if got := titles(s.Library()); !slices.Equal(got, []string{"Links", "One"}) {
		t.Errorf("items %q", got)
	}
	two.id, two.day = "new-3", "2026-11-18"
	h.set(func(h *host) { h.body = rss(two) })
	must(t, fetchNow(t, s))
	if got := titles(s.Library()); !slices.Equal(got, []string{"Links", "Links", "One"}) {
		t.Errorf("items %q", got)
	}
}
