package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weeklybot/content"
)

// origin is a repository that is pushed to.
type origin struct {
	t   *testing.T
	dir string
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("these tests need the git program: apt-get install git")
	}
	o := &origin{t, filepath.Join(t.TempDir(), "cloud-notes")}
	must(t, os.MkdirAll(o.dir, 0o755))
	o.git("init", "-q", "-b", "main")
	return o
}

func (o *origin) git(args ...string) string {
	o.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		o.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (o *origin) commit(files map[string]string) {
	o.t.Helper()
	for name, text := range files {
		if text == "" {
			must(o.t, os.Remove(filepath.Join(o.dir, name)))
			continue
		}
		write(o.t, filepath.Join(o.dir, name), text)
	}
	o.git("add", "-A")
	o.git("commit", "-q", "--allow-empty", "-m", "x")
}

func (o *origin) config(dir string) Config {
	return Config{Name: "repo", Kind: KindGit, URL: o.dir, Dir: dir}
}

// fetchNow fetches a Set's remotes as Run would.
func fetchNow(t *testing.T, s *Set) (err error) {
	t.Helper()
	for _, st := range s.states {
		if r, ok := st.reader.(remote); ok {
			err = errors.Join(err, s.fetch(t.Context(), st, r))
		}
	}
	s.reload(t.Context())
	return err
}

func TestGit(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	o.commit(map[string]string{
		"2024/1.md": issueText(1, "one"), "2024/2.md": issueText(2, "two"), "README.md": "# x", ".github/x.md": issueText(9, "hidden"),
		"draft/3.md": issueText(3, "draft"), "code.go": "package x", "名字/4 四.md": issueText(4, "four"),
	})
	cfg := o.config(dir)
	cfg.Exclude = []string{"draft/"}
	s := open1(t, cfg)
	if got := titles(s.Library()); !slices.Equal(got, []string{"four", "one", "two"}) {
		t.Fatalf("items %q", got)
	}
	if got := sources(s.Library(), o.dir); !slices.Equal(got, []string{"2024/1.md", "2024/2.md", "名字/4 四.md"}) {
		t.Errorf("sources %q", got)
	}
	if got := s.Library().Issue("cloud-notes/#1"); got == nil {
		t.Errorf("the series is not the repository's name: %q", s.Library().Series())
	}
	kept := s.Library().Issue("cloud-notes/#1")

	o.commit(map[string]string{"2024/2.md": issueText(2, "zwei"), "名字/4 四.md": "", "2024/5.md": issueText(5, "five")})
	if got := titles(s.Library()); slices.Contains(got, "zwei") {
		t.Errorf("seen before it was fetched: %q", got)
	}
	must(t, fetchNow(t, s))
	if got := titles(s.Library()); !slices.Equal(got, []string{"five", "one", "zwei"}) {
		t.Errorf("items after a push %q", got)
	}
	if s.Library().Issue("cloud-notes/#1") != kept {
		t.Error("the issue that did not change was read again")
	}

	o.commit(map[string]string{"2024/1.md": issueText(1, "rewritten")})
	o.git("reset", "-q", "--soft", "HEAD~2") // history is rewritten: forced pushes are followed
	o.commit(nil)
	must(t, fetchNow(t, s))
	if got := titles(s.Library()); !slices.Equal(got, []string{"five", "rewritten", "zwei"}) {
		t.Errorf("items after a forced push %q", got)
	}
}

func TestGitBranchAndPath(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	o.commit(map[string]string{"1.md": issueText(1, "main")})
	o.git("checkout", "-q", "-b", "news/weekly")
	o.commit(map[string]string{"docs/2.md": issueText(2, "docs"), "docs/a/3.md": issueText(3, "deep")})
	o.git("checkout", "-q", "main")
	cfg := o.config(dir)
	cfg.Branch, cfg.Path, cfg.Include = "news/weekly", "/docs/", []string{"*.md"}
	s := open1(t, cfg)
	if got := sources(s.Library(), o.dir); !slices.Equal(got, []string{"docs/2.md", "docs/a/3.md"}) {
		t.Errorf("sources %q", got)
	}
	for what, change := range map[string]func(*Config){
		"no such branch":         func(c *Config) { c.Branch = "none" },
		`folder "none" cannot`:   func(c *Config) { c.Path = "none" },
		"does not appear to be ": func(c *Config) { c.URL = t.TempDir() },
	} {
		bad := o.config(t.TempDir())
		change(&bad)
		s := open1(t, bad)
		if st := s.Status()[0]; st.Err == nil || !strings.Contains(st.Err.Error(), what) || st.Issues != 0 {
			t.Errorf("want %q, status %+v", what, st)
		}
	}
}

// What is wrong with a repository must not reach the machine: links out of it, hooks, filters, submodules.
func TestGitHostileTree(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret.md")
	write(t, secret, issueText(7, "secret"))
	trace := filepath.Join(t.TempDir(), "ran")
	must(t, os.Symlink(secret, filepath.Join(o.dir, "link.md")))
	o.commit(map[string]string{
		"1.md": issueText(1, "one"), ".gitattributes": "*.md filter=evil\n",
		".gitmodules": "[submodule \"x\"]\n\tpath = x\n\turl = ext::touch " + trace + "\n", "big.md": strings.Repeat("x", MaxFileBytes+1),
	})
	o.git("update-index", "--add", "--cacheinfo", "160000,"+o.git("rev-parse", "HEAD")+",x")
	o.git("commit", "-q", "-m", "submodule")
	o.git("config", "filter.evil.smudge", "touch "+trace)
	s := open1(t, o.config(dir))
	if got := titles(s.Library()); !slices.Equal(got, []string{"one"}) {
		t.Errorf("items %q", got)
	}
	if err := s.Status()[0].Err; err == nil || !strings.Contains(err.Error(), "big.md") {
		t.Errorf("the large file is not told of: %v", err)
	}
	if _, err := os.Stat(trace); err == nil {
		t.Error("something in the repository ran")
	}
}

func TestGitOffline(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	o.commit(map[string]string{"1.md": issueText(1, "one")})
	s := open1(t, o.config(dir))
	good := s.Status()[0].LoadedAt
	must(t, os.Rename(o.dir, o.dir+".away"))
	if err := fetchNow(t, s); err == nil {
		t.Fatal("fetched from nowhere")
	}
	check := func(s *Set) {
		t.Helper()
		st := s.Status()[0]
		if got := titles(s.Library()); !slices.Equal(got, []string{"one"}) || !st.LoadedAt.Equal(good) {
			t.Errorf("items %q, status %+v", got, st)
		}
	}
	check(s)
	if st := s.Status()[0]; st.Err == nil || !strings.Contains(st.Err.Error(), o.dir) {
		t.Errorf("status does not say what is wrong: %v", st.Err)
	}
	check(open1(t, o.config(dir))) // a new process, still offline
	must(t, os.Rename(o.dir+".away", o.dir))
	must(t, fetchNow(t, s))
	if st := s.Status()[0]; st.Err != nil || !st.LoadedAt.After(good) {
		t.Errorf("status when it is back %+v", st)
	}

	other := newOrigin(t)
	other.commit(map[string]string{"2.md": issueText(2, "other")})
	moved := o.config(dir)
	moved.URL = other.dir // the same name, another repository: what was fetched from the first is not shown for it
	if got := titles(open1(t, moved).Library()); !slices.Equal(got, []string{"other"}) {
		t.Errorf("items of another repository %q", got)
	}
}

// A store that a power cut has damaged is fetched anew; what was read before stays meanwhile.
func TestGitDamaged(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	o.commit(map[string]string{"1.md": issueText(1, "one")})
	s := open1(t, o.config(dir))
	r := s.states[0].reader.(*repo)
	packs, _ := filepath.Glob(filepath.Join(r.git.dir, "objects", "pack", "*"))
	if len(packs) == 0 {
		t.Fatal("no pack to damage")
	}
	for _, p := range packs {
		must(t, os.Remove(p))
	}
	s = open1(t, o.config(dir))
	if st := s.Status()[0]; st.Err == nil {
		t.Fatalf("a broken store is read: %+v", st)
	}
	must(t, fetchNow(t, s))
	if got, st := titles(s.Library()), s.Status()[0]; !slices.Equal(got, []string{"one"}) || st.Err != nil {
		t.Errorf("items %q, status %+v", got, st)
	}
	stale := filepath.Join(r.git.dir, "shallow.lock")
	write(t, stale, "")
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(stale, old, old))
	o.commit(map[string]string{"2.md": issueText(2, "two")})
	must(t, fetchNow(t, s))
}

func TestGitManyFetches(t *testing.T) {
	o, dir := newOrigin(t), t.TempDir()
	o.commit(map[string]string{"0.md": issueText(1, "zero")})
	s := open1(t, o.config(dir))
	for n := range maxPacks + 3 {
		o.commit(map[string]string{"1.md": issueText(2, fmt.Sprint("round ", n))})
		must(t, fetchNow(t, s))
	}
	if got := titles(s.Library()); !slices.Equal(got, []string{fmt.Sprint("round ", maxPacks+2), "zero"}) {
		t.Errorf("items %q", got)
	}
	packs, _ := filepath.Glob(filepath.Join(s.states[0].reader.(*repo).git.dir, "objects", "pack", "*.pack"))
	if len(packs) > maxPacks {
		t.Errorf("%d packs are kept", len(packs))
	}
}

// gitHost serves a repository over smart HTTP to those who know the token.
func gitHost(t *testing.T, o *origin, user, token string) *httptest.Server {
	program := o.git("--exec-path") + "/git-http-backend"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); token != "" && (u != user || p != token) {
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		h := &cgi.Handler{Path: program, Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(o.dir), "GIT_HTTP_EXPORT_ALL=1"}}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv
}

func TestGitToken(t *testing.T) {
	o := newOrigin(t)
	o.commit(map[string]string{"1.md": issueText(1, "one")})
	const token = "glpat-very-secret-token"
	srv := gitHost(t, o, "oauth2", token)
	cfg := Config{Name: "repo", Kind: KindGit, URL: srv.URL + "/cloud-notes", AllowPrivate: true, Token: token, Dir: t.TempDir()}
	s := open1(t, cfg)
	if got, st := titles(s.Library()), s.Status()[0]; !slices.Equal(got, []string{"one"}) || st.Err != nil {
		t.Fatalf("items %q, status %+v", got, st)
	}
	var found []string
	must(t, filepath.WalkDir(cfg.Dir, func(path string, d os.DirEntry, err error) error {
		if data, _ := os.ReadFile(path); bytes.Contains(data, []byte(token)) {
			found = append(found, path)
		}
		return err
	}))
	if len(found) > 0 {
		t.Errorf("the token is written to %q", found)
	}

	wrong := cfg
	wrong.Token, wrong.Dir = "a-wrong-and-secret-token", t.TempDir()
	var logged bytes.Buffer
	s, err := Open(t.Context(), []Config{wrong}, nil, slog.New(slog.NewTextHandler(&logged, nil)), nil)
	must(t, err)
	st := s.Status()[0]
	if st.Err == nil || !strings.Contains(st.Err.Error(), "token") {
		t.Errorf("a refused token gives %v", st.Err)
	}
	all := logged.String() + fmt.Sprintf("%v %+v %#v", st.Err, wrong, wrong)
	for _, secret := range append(s.states[0].reader.(*repo).git.hide, string(wrong.Token)) {
		if strings.Contains(all, secret) {
			t.Errorf("a secret is shown in %s", all)
		}
	}
	cmd := s.states[0].reader.(*repo).git.command(t.Context(), s.states[0].reader.(*repo).git.auth, "fetch")
	if strings.Contains(strings.Join(cmd.Args, " "), string(wrong.Token)) || strings.Contains(strings.Join(cmd.Args, " "), s.states[0].reader.(*repo).git.hide[0]) {
		t.Errorf("the token is in the process list: %q", cmd.Args)
	}
}

func TestGitPrivateAddress(t *testing.T) {
	for _, url := range []string{"https://127.0.0.1:1/x", "https://localhost/x", "https://[::ffff:10.0.0.1]/x", "ssh://git@127.0.0.1/x", "git@10.0.0.1:x/y"} {
		s := open1(t, Config{Name: "repo", Kind: KindGit, URL: url, Dir: t.TempDir()})
		if st := s.Status()[0]; !errors.Is(st.Err, errPrivate) {
			t.Errorf("%s: %v", url, st.Err)
		}
	}
}

// A host that redirects is not followed: it could lead anywhere.
func TestGitRedirect(t *testing.T) {
	reached := make(chan struct{}, 10)
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
	defer inner.Close()
	outer := httptest.NewServer(http.RedirectHandler(inner.URL, http.StatusFound))
	defer outer.Close()
	s := open1(t, Config{Name: "repo", Kind: KindGit, URL: outer.URL + "/x", AllowPrivate: true, Dir: t.TempDir()})
	if st := s.Status()[0]; st.Err == nil || !strings.Contains(st.Err.Error(), "has moved") {
		t.Errorf("status %v", st.Err)
	}
	if len(reached) > 0 {
		t.Error("the redirect was followed")
	}
}

// A host that never answers costs the time-out, not the bot.
func TestGitSilentHost(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	defer close(release)
	s := open1(t, Config{Name: "a", Path: t.TempDir()})
	r, err := newGit(Config{Name: "repo", Kind: KindGit, URL: srv.URL + "/x", AllowPrivate: true, Dir: t.TempDir()})
	must(t, err)
	s.states = append(s.states, &state{cfg: r.cfg, reader: r, status: SourceStatus{Name: "repo"}, soon: make(chan struct{}, 1)})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.fetch(ctx, s.states[1], r); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("fetch: %v", err)
	}
}

func TestGitConfig(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.URL = "" }, "url is missing"},
		{func(c *Config) { c.URL = "--upload-pack=touch /tmp/x" }, "url: "},
		{func(c *Config) { c.URL = "--upload-pack=x" }, "url: "},
		{func(c *Config) { c.URL = "ext::sh -c x" }, "url: "},
		{func(c *Config) { c.URL = "ext::x" }, "url: "},
		{func(c *Config) { c.URL = "ssh://-oProxyCommand=x/y" }, "url: "},
		{func(c *Config) { c.URL = "ssh://-oProxyCommand=x@host/y" }, "url: "},
		{func(c *Config) { c.URL = "-oProxyCommand=x@host:y" }, "url: "},
		{func(c *Config) { c.URL = "git://host/x" }, "url: want https"},
		{func(c *Config) { c.URL = "http://host/x" }, "allow_private"},
		{func(c *Config) { c.URL = "file://host/x" }, "absolute path"},
		{func(c *Config) { c.URL = "relative/path" }, "url: want https"},
		{func(c *Config) { c.URL = "https://user:pass@host/x" }, "token_file"},
		{func(c *Config) { c.URL = "https://host" }, "a path"},
		{func(c *Config) { c.URL = "https://host/x?y" }, "no ?"},
		{func(c *Config) { c.Branch = "-x" }, "no name of a branch"},
		{func(c *Config) { c.Branch = "a..b" }, "no name of a branch"},
		{func(c *Config) { c.Branch = "a:b" }, "no name of a branch"},
		{func(c *Config) { c.Path = "../x" }, "no folder inside"},
		{func(c *Config) { c.Path = "a/../../x" }, "no folder inside"},
		{func(c *Config) { c.Poll = time.Second }, "too often"},
		{func(c *Config) { c.Name = "../x" }, "name: "},
		{func(c *Config) { c.Dir = "" }, "data_dir"},
		{func(c *Config) { c.Entries = "links" }, "entries: a source of kind git has no such key"},
		{func(c *Config) { c.URL, c.Token = "git@host:x/y", "secret" }, "token: is for https"},
	} {
		cfg := Config{Name: "a", Kind: KindGit, URL: "https://example.org/x/y.git", Dir: t.TempDir()}
		must(t, Check(cfg))
		c.change(&cfg)
		err := Check(cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", cfg, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "pass@") {
			t.Errorf("the password is shown: %v", err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if err := Check(Config{Name: "a", Kind: KindGit, URL: "https://example.org/x", Dir: "x"}); err == nil || !strings.Contains(err.Error(), "install it") {
		t.Errorf("without git: %v", err)
	}
}

// Readers see the old Library or the new one while sources change, whatever their kind.
func TestGitRun(t *testing.T) {
	o, folder := newOrigin(t), t.TempDir()
	both := func(n int) {
		o.commit(map[string]string{"1.md": issueText(1, fmt.Sprint("left ", n)), "2.md": issueText(2, fmt.Sprint("right ", n))})
	}
	both(0)
	write(t, filepath.Join(folder, "3.md"), issueText(3, "folder"))
	w := &watcher{told: make(chan struct{}, 1)}
	s, err := Open(t.Context(), []Config{o.config(t.TempDir()), {Name: "f", Path: folder}}, nil, slog.New(slog.DiscardHandler), w.changed)
	must(t, err)
	s.pace.debounce, s.pace.gap = time.Millisecond, time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	running.Go(func() {
		for ctx.Err() == nil {
			got := titles(s.Library())
			if len(got) == 3 && strings.TrimPrefix(got[1], "left") != strings.TrimPrefix(got[2], "right") {
				t.Errorf("half of a commit is shown: %q", got)
				return
			}
		}
	})
	for n := range 5 {
		both(n + 1)
		for range 3 {
			s.Reload(ctx)
		}
		w.wait(t, "folder", fmt.Sprint("left ", n+1), fmt.Sprint("right ", n+1))
	}
	cancel()
	running.Wait()
}

func TestStatusKeepsIssuesOfOthers(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "1.md"), issueText(1, "one"))
	s, err := Open(t.Context(), []Config{
		{Name: "f", Path: dir}, {Name: "repo", Kind: KindGit, URL: filepath.Join(dir, "none"), Dir: t.TempDir()},
	}, nil, slog.New(slog.DiscardHandler), func(*content.Library) {})
	must(t, err)
	st := s.Status()
	if st[0].Err != nil || st[1].Err == nil || !st[1].LoadedAt.IsZero() || len(titles(s.Library())) != 1 {
		t.Errorf("status %+v", st)
	}
}
