package source

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"weeklybot/content"
)

const uploadToken = "0123456789abcdef-token"

func uploads(t *testing.T, dir string, onChange func(*content.Library)) *Set {
	t.Helper()
	s, err := Open(t.Context(), []Config{
		{Name: "posted", Kind: KindUpload, Token: uploadToken, Dir: dir}, {Name: "others", Kind: KindUpload, Token: uploadToken + "2", Dir: dir},
	}, nil, slog.New(slog.DiscardHandler), onChange)
	must(t, err)
	return s
}

// call makes one request with a token ("" = none).
func call(s *Set, method, name, token, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, UploadPath+name, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestUpload(t *testing.T) {
	dir, changes := t.TempDir(), 0
	s := uploads(t, dir, func(*content.Library) { changes++ })
	if st := s.Status()[0]; st.Err != nil || st.LoadedAt.IsZero() {
		t.Fatalf("status before anything was posted %+v", st)
	}
	w := call(s, "POST", "1", uploadToken, issueText(1, "one"))
	var got stored
	must(t, json.Unmarshal(w.Body.Bytes(), &got))
	if w.Code != 201 || got.Key != "posted/#1" || got.Items != 1 || got.Warnings == nil {
		t.Errorf("answered %d %+v", w.Code, got)
	}
	if got := titles(s.Library()); !slices.Equal(got, []string{"one"}) || changes != 1 {
		t.Errorf("items %q after %d changes", got, changes)
	}
	if w := call(s, "POST", "1", uploadToken, issueText(1, "uno")); w.Code != 200 {
		t.Errorf("a second time: %d", w.Code)
	}
	if w := call(s, "POST", url.PathEscape("云原生周报 2.md"), uploadToken, issueText(2, "two")); w.Code != 201 {
		t.Errorf("a name of its own: %d %s", w.Code, w.Body)
	}
	if w := call(s, "POST", "1", uploadToken+"2", issueText(1, "elsewhere")); w.Code != 201 {
		t.Errorf("another source: %d", w.Code)
	}
	if got := titles(s.Library()); !slices.Equal(got, []string{"elsewhere", "two", "uno"}) {
		t.Errorf("items %q", got)
	}
	if got := titles(uploads(t, dir, nil).Library()); !slices.Equal(got, []string{"elsewhere", "two", "uno"}) {
		t.Errorf("items after a restart %q", got)
	}
	if w := call(s, "DELETE", "1", uploadToken, ""); w.Code != 204 {
		t.Errorf("delete: %d", w.Code)
	}
	if got := titles(s.Library()); !slices.Equal(got, []string{"elsewhere", "two"}) {
		t.Errorf("items %q", got)
	}
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if strings.HasPrefix(d.Name(), ".") {
			t.Errorf("%s is left over", path)
		}
		return err
	}))
}

func TestUploadRefuses(t *testing.T) {
	dir := t.TempDir()
	s := uploads(t, filepath.Join(dir, "sources"), nil)
	write(t, filepath.Join(dir, "outside.md"), "x")
	exact := "# Title\n\n- [a](https://example.org)\n"
	exact += strings.Repeat(" ", maxPostBytes-len(exact))
	for _, c := range []struct {
		method, name, token, body string
		code                      int
	}{
		{"POST", "x", "", "# x", 401},
		{"POST", "x", "wrong", "# x", 401},
		{"POST", "x", uploadToken[:len(uploadToken)-1], "# x", 401},
		{"DELETE", "x", "wrong", "", 401},
		{"GET", "x", uploadToken, "", 405},
		{"PUT", "x", uploadToken, "# x", 405},
		{"DELETE", "none", uploadToken, "", 404},
		{"POST", "x", uploadToken, " \n ", 400},
		{"POST", "x", uploadToken, exact + " ", 413},
		{"POST", "full", uploadToken, exact, 201},
		{"POST", "", uploadToken, "# x", 404},
		{"POST", "a/b", uploadToken, "# x", 404},
		{"POST", "a%2Fb", uploadToken, "# x", 400},
		{"POST", "..%2F..%2Foutside.md", uploadToken, "# x", 400},
		{"DELETE", "..%2F..%2Foutside.md", uploadToken, "", 400},
		{"DELETE", "%2e%2e", uploadToken, "", 400},
		{"POST", ".hidden", uploadToken, "# x", 400},
		{"POST", "a%5Cb", uploadToken, "# x", 400},
		{"POST", "a%00b", uploadToken, "# x", 400},
		{"POST", "README", uploadToken, "# x", 400},
		{"POST", strings.Repeat("x", 200), uploadToken, "# x", 400},
	} {
		w := call(s, c.method, c.name, c.token, c.body)
		if code := w.Code; code != c.code && !(c.name == "%2e%2e" && code/100 == 3) {
			t.Errorf("%s %q with token %q and %d bytes: %d %s, want %d", c.method, c.name, c.token, len(c.body), code, w.Body, c.code)
		}
		if strings.Contains(w.Body.String(), uploadToken) {
			t.Errorf("the answer shows the token: %s", w.Body)
		}
	}
	if data, err := os.ReadFile(filepath.Join(dir, "outside.md")); err != nil || string(data) != "x" {
		t.Errorf("a file outside was touched: %q, %v", data, err)
	}
	if files, _ := os.ReadDir(filepath.Join(dir, "sources", "posted")); len(files) != 1 {
		t.Errorf("%d files are stored, want 1", len(files))
	}
}

func TestUploadConfig(t *testing.T) {
	for _, c := range []struct {
		cfgs []Config
		want string
	}{
		{[]Config{{Name: "a", Kind: KindUpload, Dir: "x"}}, "token: want at least 16"},
		{[]Config{{Name: "a", Kind: KindUpload, Dir: "x", Token: "short"}}, "token: want at least 16"},
		{[]Config{{Name: "a", Kind: KindUpload, Dir: "x", Token: uploadToken}, {Name: "b", Kind: KindUpload, Dir: "x", Token: uploadToken}}, `that of source "a" too`},
		{[]Config{{Name: "a", Kind: KindUpload, Token: uploadToken}}, "data_dir"},
		{[]Config{{Name: "a", Kind: KindUpload, Dir: "x", Token: uploadToken, Path: "y"}}, "path: a source of kind upload has no such key"},
	} {
		_, err := Open(t.Context(), c.cfgs, nil, slog.New(slog.DiscardHandler), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), uploadToken) {
			t.Errorf("%v: %v, want %q", c.cfgs, err, c.want)
		}
	}
}

// Many at once: nothing is lost, and a reader never sees half an issue.
func TestUploadConcurrently(t *testing.T) {
	s := uploads(t, t.TempDir(), nil)
	srv := httptest.NewServer(s.Handler())
	defer srv.Close()
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for round := range 5 {
				text := issueText(n+1, fmt.Sprint(n, " left of round ", round), fmt.Sprint(n, " right of round ", round))
				r, _ := http.NewRequest(http.MethodPost, srv.URL+UploadPath+fmt.Sprint(n), strings.NewReader(text))
				r.Header.Set("Authorization", "Bearer "+uploadToken)
				resp, err := srv.Client().Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				i := s.Library().Issue(fmt.Sprintf("posted/#%d", n+1))
				if resp.StatusCode/100 != 2 || i == nil || i.ItemCount() != 2 || i.Sections[0].Items[0].Title != fmt.Sprint(n, " left of round ", round) {
					t.Errorf("answered %d; the Library has %+v", resp.StatusCode, i)
				}
			}
		})
	}
	all.Wait()
	if got := len(titles(s.Library())); got != 16 {
		t.Errorf("%d items, want 16", got)
	}
}
