package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weeklybot/content"
	"weeklybot/internal/needs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func issueText(n int, items ...string) string {
	text := fmt.Sprintf("# Weekly #%d 2024-01-%02d\n\n## News\n\n", n, n)
	for _, it := range items {
		text += fmt.Sprintf("- [%s](https://example.com/%s)\n", it, strings.ReplaceAll(it, " ", "-"))
	}
	return text
}

// sources names the files of a library below dir, ordered.
func sources(lib *content.Library, dir string) []string {
	var out []string
	for _, i := range lib.Issues() {
		rel, err := filepath.Rel(dir, i.Source)
		if err != nil {
			rel = i.Source
		}
		out = append(out, rel)
	}
	slices.Sort(out)
	return out
}

func titles(lib *content.Library) []string {
	var out []string
	for _, i := range lib.Issues() {
		for _, s := range i.Sections {
			for _, it := range s.Items {
				out = append(out, it.Title)
			}
		}
	}
	slices.Sort(out)
	return out
}

func open1(t *testing.T, cfg Config) *Set {
	t.Helper()
	s, err := Open(t.Context(), []Config{cfg}, nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for n, name := range []string{"1.md", "sub/2.markdown", "sub/deep/3.txt", "README.md", "LICENSE.txt", "CHANGELOG.md", ".hidden.md", ".git/4.md", "5.html", "draft/6.md"} {
		write(t, filepath.Join(dir, name), issueText(n+1, "item of "+name))
	}
	s := open1(t, Config{Name: "a", Kind: KindFolder, Path: dir, Exclude: []string{"draft/**"}})
	want := []string{"1.md", "sub/2.markdown", "sub/deep/3.txt"}
	if got := sources(s.Library(), dir); !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	st := s.Status()
	if len(st) != 1 || st[0].Name != "a" || st[0].Issues != 3 || st[0].Items != 3 || st[0].Err != nil || st[0].LoadedAt.IsZero() {
		t.Errorf("status %+v", st)
	}
	one := open1(t, Config{Name: "one", Path: filepath.Join(dir, "README.md"), Series: "mine"})
	if got := one.Library().Issues(); len(got) != 1 || got[0].Series != "mine" || got[0].Source != filepath.Join(dir, "README.md") {
		t.Errorf("a single file gives %+v", got)
	}
}

func TestLinks(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "secret.md"), issueText(1, "secret"))
	write(t, filepath.Join(dir, "..data", "2.md"), issueText(2, "mounted")) // as Kubernetes mounts a ConfigMap
	for link, to := range map[string]string{
		"out.md": filepath.Join(outside, "secret.md"), "outdir": outside, "2.md": filepath.Join("..data", "2.md"), "loop": ".", "gone.md": "nowhere.md",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	s := open1(t, Config{Name: "a", Path: dir})
	if got := titles(s.Library()); !slices.Equal(got, []string{"mounted"}) {
		t.Errorf("items %q, want only the one inside", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		cfgs []Config
		want string
	}{
		{[]Config{{Name: "a", Kind: "ftp", Path: dir}}, `source "a": kind "ftp" is not known`},
		{[]Config{{Name: "a", Kind: KindFolder}}, "path is missing"},
		{[]Config{{Name: "a", Path: filepath.Join(dir, "none")}}, "does not exist"},
		{[]Config{{Name: "a", Path: dir, Include: []string{"[x"}}}, `"[x"`},
		{[]Config{{Name: "a", Path: dir}, {Name: "a", Path: dir}}, "same name"},
	} {
		_, err := Open(t.Context(), c.cfgs, nil, slog.New(slog.DiscardHandler), nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("Open(%+v): %v, want %q", c.cfgs, err, c.want)
		}
	}
	_, err := Open(t.Context(), []Config{{Name: "a", Kind: "x", Path: dir}, {Name: "b", Kind: "y", Path: dir}}, nil, slog.New(slog.DiscardHandler), nil)
	if err == nil || !strings.Contains(err.Error(), `"a"`) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("two faults, one told: %v", err)
	}
}

func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("as root no file is unreadable: the too large one stands for all")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "1.md"), issueText(1, "good"))
	write(t, filepath.Join(dir, "2.md"), "x")
	if err := os.Truncate(filepath.Join(dir, "2.md"), MaxFileBytes+1); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	s, err := Open(t.Context(), []Config{{Name: "a", Path: dir}}, nil, slog.New(slog.NewTextHandler(&logged, nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := titles(s.Library()); !slices.Equal(got, []string{"good"}) {
		t.Errorf("items %q", got)
	}
	s.Reload(t.Context())
	if err := s.Status()[0].Err; err == nil || !strings.Contains(err.Error(), "2.md: has 8388609 bytes") {
		t.Errorf("status says %v", err)
	}
	if n := strings.Count(logged.String(), "2.md"); n != 1 {
		t.Errorf("one fault is logged %d times:\n%s", n, logged.String())
	}
	issues, faults := Load(t.Context(), []string{dir, filepath.Join(dir, "none.md")})
	if len(issues) != 1 || len(faults) != 2 {
		t.Errorf("Load: %d issues, faults %v", len(issues), faults)
	}
}

func TestKeepsTheLastGood(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "news")
	write(t, filepath.Join(dir, "1.md"), issueText(1, "good"))
	s := open1(t, Config{Name: "a", Path: dir})
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	s.Reload(t.Context())
	if st := s.Status()[0]; !errors.Is(st.Err, fs.ErrNotExist) || st.Issues != 1 {
		t.Errorf("status %+v", st)
	}
	if got := titles(s.Library()); !slices.Equal(got, []string{"good"}) {
		t.Errorf("items %q", got)
	}
	if err := os.Rename(dir+".away", dir); err != nil {
		t.Fatal(err)
	}
	s.Reload(t.Context())
	if st := s.Status()[0]; st.Err != nil {
		t.Errorf("still failing: %v", st.Err)
	}
}

func TestUnchangedKeepsPointer(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "1.md"), issueText(1, "one"))
	write(t, filepath.Join(dir, "2.md"), issueText(2, "two"))
	changes := 0
	s, err := Open(t.Context(), []Config{{Name: "a", Path: dir}}, nil, slog.New(slog.DiscardHandler), func(*content.Library) { changes++ })
	if err != nil {
		t.Fatal(err)
	}
	before := s.Library().Issue("Weekly/#1")
	if before == nil {
		before = s.Library().Issues()[1]
	}
	write(t, filepath.Join(dir, "2.md"), issueText(2, "2wo")) // as long as before, maybe within one tick of the clock
	s.Reload(t.Context())
	if got := titles(s.Library()); !slices.Equal(got, []string{"2wo", "one"}) {
		t.Errorf("items %q", got)
	}
	if !slices.Contains(s.Library().Issues(), before) {
		t.Error("the issue that did not change was read again")
	}
	s.Reload(t.Context())
	if changes != 1 {
		t.Errorf("%d changes told, want 1", changes)
	}
}

// eventually waits until the newest library that was told of has these items.
type watcher struct {
	mu    sync.Mutex
	items []string
	told  chan struct{}
}

func (w *watcher) changed(lib *content.Library) {
	w.mu.Lock()
	w.items = titles(lib)
	w.mu.Unlock()
	select {
	case w.told <- struct{}{}:
	default:
	}
}

func (w *watcher) wait(t *testing.T, want ...string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		w.mu.Lock()
		got := w.items
		w.mu.Unlock()
		if slices.Equal(got, want) {
			return
		}
		select {
		case <-w.told:
		case <-deadline:
			t.Fatalf("items %q, want %q", got, want)
		}
	}
}

func TestWatch(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "1.md"), issueText(1, "one"))
	w := &watcher{told: make(chan struct{}, 1)}
	s, err := Open(t.Context(), []Config{{Name: "a", Path: dir}}, content.DefaultTopics(), slog.New(slog.DiscardHandler), w.changed)
	if err != nil {
		t.Fatal(err)
	}
	s.debounce = 5 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	reading := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() { // readers go on all the while
		for {
			select {
			case <-reading:
				return
			default:
				titles(s.Library())
				s.Status()
			}
		}
	})

	write(t, filepath.Join(dir, "2.md"), issueText(2, "two"))
	w.wait(t, "one", "two")
	write(t, filepath.Join(dir, "new", "deep", "3.md"), issueText(3, "three"))
	w.wait(t, "one", "three", "two")
	write(t, filepath.Join(dir, "new", "deep", "4.md"), issueText(4, "four"))
	w.wait(t, "four", "one", "three", "two")
	write(t, filepath.Join(dir, "1.md"), issueText(1, "uno"))
	w.wait(t, "four", "three", "two", "uno")
	must(t, os.Remove(filepath.Join(dir, "2.md")))
	w.wait(t, "four", "three", "uno")
	must(t, os.Rename(filepath.Join(dir, "1.md"), filepath.Join(dir, "1.bak")))
	w.wait(t, "four", "three")
	must(t, os.Rename(filepath.Join(dir, "1.bak"), filepath.Join(dir, "new", "5.md")))
	w.wait(t, "four", "three", "uno")
	must(t, os.RemoveAll(filepath.Join(dir, "new", "deep")))
	w.wait(t, "uno")

	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	close(reading)
	readers.Wait()
}

func TestPoll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "news")
	write(t, filepath.Join(dir, "1.md"), issueText(1, "one"))
	w := &watcher{told: make(chan struct{}, 1)}
	s, err := Open(t.Context(), []Config{{Name: "a", Path: dir}}, nil, slog.New(slog.DiscardHandler), w.changed)
	if err != nil {
		t.Fatal(err)
	}
	s.poll, s.debounce = 10*time.Millisecond, time.Hour // events never count
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	must(t, os.Rename(dir, dir+".away")) // a folder put in the place of another: the old watch is worth nothing
	write(t, filepath.Join(dir, "2.md"), issueText(2, "two"))
	w.wait(t, "two")
	cancel()
	<-done
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*.md", "a/b/c.md", true},
		{"*.md", "c.txt", false},
		{"a/*.md", "a/c.md", true},
		{"a/*.md", "a/b/c.md", false},
		{"a/**", "a/b/c.md", true},
		{"a/", "a/b/c.md", true},
		{"a/**", "b/a/c.md", false},
		{"**/a/**", "b/a/c.md", true},
		{"**/c.md", "c.md", true},
		{"a/**/c.md", "a/c.md", true},
		{"a/**/c.md", "a/x/y/c.md", true},
		{"./a/**/[a-c].md", "a/x/b.md", true},
		{"a/**/d.md", "a/x/b.md", false},
	} {
		if got := glob(c.pattern, c.name); got != c.want {
			t.Errorf("glob(%q, %q) = %v", c.pattern, c.name, got)
		}
	}
	deep := strings.Repeat("a/", 200) + "b"
	if glob(strings.Repeat("**/", 60)+"c", deep) { // costs its product, not its power
		t.Error("matched")
	}
}

func TestLoadCorpus(t *testing.T) {
	shared := needs.Shared(t)
	dir := filepath.Join(shared, "corpus", "service-mesh-weekly")
	issues, faults := Load(t.Context(), []string{dir, filepath.Join(shared, "seeds")})
	if len(faults) > 0 || len(issues) != 63 {
		t.Fatalf("%d issues, faults %v", len(issues), faults)
	}
	again, _ := Load(t.Context(), []string{dir})
	if !slices.EqualFunc(issues[:60], again, func(a, b *content.Issue) bool { return a.Source == b.Source }) {
		t.Error("two loads differ in order")
	}
	if want := dir + "/service-mesh-weekly-20180625-20180701.md"; !slices.ContainsFunc(issues, func(i *content.Issue) bool { return i.Source == want }) {
		t.Errorf("no issue with source %s", want)
	}
}
