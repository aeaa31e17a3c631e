package source

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Bounds of one fetch.
const (
	gitTime      = 2 * time.Minute
	gitReadTime  = time.Minute // of commands that touch no network
	maxRepoBytes = 512 << 20   // of what is fetched, on disk
	maxStderr    = 4 << 10     // bytes
)

// gitEnv are the variables of our environment that git may see: where programs, keys, certificates and proxies are.
var gitEnv = []string{
	"PATH", "HOME", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
	"http_proxy", "https_proxy", "no_proxy", "all_proxy", "SYSTEMROOT", "USERPROFILE",
}

// gitProgram runs git for one repository: no hooks, no configuration but ours, no questions, no transport but the one wanted.
type gitProgram struct {
	path string
	dir  string // the repository here, bare
	url  *url.URL
	open bool // private addresses too
	auth []string
	hide []string // what must not be shown
}

var gitVersionRE = regexp.MustCompile(`(\d+)\.(\d+)`)

// findGit finds a git that takes settings from the environment (2.31 and later).
func findGit() (string, error) {
	path, err := exec.LookPath("git")
	if err != nil {
		return "", errors.New("the git program is not here: install it (apt-get install git, apk add git), or keep the newsletters in a folder")
	}
	ctx, cancel := context.WithTimeout(context.Background(), gitReadTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "version").Output()
	m := gitVersionRE.FindSubmatch(out)
	if err != nil || m == nil {
		return "", fmt.Errorf("%s does not run: %v", path, err)
	}
	major, _ := strconv.Atoi(string(m[1]))
	minor, _ := strconv.Atoi(string(m[2]))
	if major < 2 || major == 2 && minor < 31 {
		return "", fmt.Errorf("%s is version %s; 2.31 or later is needed", path, m[0])
	}
	return path, nil
}

// newGitProgram keeps the token out of arguments and addresses: it goes to git as a setting in the environment.
func newGitProgram(cfg Config, u *url.URL, dir string) (*gitProgram, error) {
	path, err := findGit()
	if err != nil {
		return nil, err
	}
	g := &gitProgram{path: path, dir: dir, url: u, open: cfg.AllowPrivate}
	if cfg.Token == "" {
		return g, nil
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("token: is for https:// addresses; ssh uses the keys of the account that the bot runs as")
	}
	user := u.User.Username()
	if user == "" {
		user = "oauth2" // GitLab and Gitee ask for this name
		if u.Hostname() == "github.com" {
			user = "x-access-token"
		}
	}
	basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + string(cfg.Token)))
	origin := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}
	g.auth = []string{"http." + origin.String() + ".extraHeader", "Authorization: Basic " + basic}
	g.hide = []string{basic, string(cfg.Token)}
	return g, nil
}

// address is what git dials: without a user, since that goes with the token, except for ssh.
func (g *gitProgram) address() string {
	u := *g.url
	if u.Scheme == "file" {
		return u.Path
	}
	if u.Scheme != "ssh" {
		u.User = nil
	}
	return u.String()
}

// shown is the repository as people know it: no user, no ".git".
func (g *gitProgram) shown() string {
	u := *g.url
	u.User = nil
	if u.Scheme == "file" {
		return strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), ".git")
	}
	return strings.TrimSuffix(strings.TrimSuffix(u.String(), "/"), ".git")
}

// command prepares git with more settings (pairs of key and value).
func (g *gitProgram) command(ctx context.Context, settings []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, g.path, append([]string{"--git-dir=" + g.dir}, args...)...)
	cmd.Dir = filepath.Dir(g.dir)
	cmd.WaitDelay = 5 * time.Second
	ownGroup(cmd)
	protocols := map[string]string{"file": "file", "ssh": "ssh", "https": "https", "http": "http:https"}[g.url.Scheme]
	cmd.Env = []string{
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=", "GCM_INTERACTIVE=never",
		"GIT_SSH_COMMAND=ssh -oBatchMode=yes -oConnectTimeout=10", "GIT_SSH_VARIANT=ssh", "GIT_ALLOW_PROTOCOL=" + protocols, "GIT_PROTOCOL_FROM_USER=0",
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_ATTR_NOSYSTEM=1", "LC_ALL=C",
	}
	for _, name := range gitEnv {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	settings = append([]string{
		"core.hooksPath", os.DevNull, "safe.directory", g.dir, "gc.auto", "0", "maintenance.auto", "false", "http.followRedirects", "false",
		"http.lowSpeedLimit", "1000", "http.lowSpeedTime", "30", "http.userAgent", userAgent, "credential.helper", "",
		"fetch.unpackLimit", "1", "core.fsync", "all", "submodule.recurse", "false", "fetch.recurseSubmodules", "false", "pack.threads", "1",
	}, settings...)
	for n := 0; n < len(settings); n += 2 {
		at := strconv.Itoa(n / 2)
		cmd.Env = append(cmd.Env, "GIT_CONFIG_KEY_"+at+"="+settings[n], "GIT_CONFIG_VALUE_"+at+"="+settings[n+1])
	}
	cmd.Env = append(cmd.Env, "GIT_CONFIG_COUNT="+strconv.Itoa(len(settings)/2))
	return cmd
}

// run runs git and gives what it printed.
func (g *gitProgram) run(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, gitReadTime)
	defer cancel()
	var out bytes.Buffer
	cmd := g.command(ctx, nil, args...)
	cmd.Stdout = &out
	err := g.finish(ctx, cmd)
	return strings.TrimSpace(out.String()), err
}

// stream runs git, feeds it and reads what it prints while it runs. What git complains of, read gets as the reader's error.
func (g *gitProgram) stream(ctx context.Context, in io.Reader, read func(io.Reader) error, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, gitReadTime)
	defer cancel()
	cmd := g.command(ctx, nil, args...)
	cmd.Stdin = in
	out, pipe := io.Pipe()
	cmd.Stdout = pipe
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = pipe.CloseWithError(g.finish(ctx, cmd)) // nil becomes io.EOF
	}()
	err := read(out)
	_ = out.CloseWithError(errors.New("read enough"))
	cancel()
	<-done
	return err
}

// finish waits for a command; its error is one line of git's own words, without secrets.
func (g *gitProgram) finish(ctx context.Context, cmd *exec.Cmd) error {
	said := &tail{max: maxStderr}
	cmd.Stderr = said
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("git: %w", context.Cause(ctx))
	}
	if words := g.words(string(said.data)); words != "" {
		return errors.New("git: " + words)
	}
	return fmt.Errorf("git: %w", err)
}

// words are the lines of stderr that say what is wrong, as one.
func (g *gitProgram) words(said string) string {
	for _, h := range g.hide {
		said = strings.ReplaceAll(said, h, redacted)
	}
	var keep []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "fatal: "); ok || strings.HasPrefix(line, "error: ") || strings.HasPrefix(line, "ERROR: ") {
			line = strings.TrimPrefix(rest, "error: ")
			keep = append(keep, strings.Map(printable, line))
		}
	}
	if len(keep) == 0 {
		keep = append(keep, strings.Map(printable, strings.TrimSpace(said)))
	}
	text := strings.Join(keep, "; ")
	for what, hint := range map[string]string{
		"could not read Username":  "the host wants a login: set token or token_file, or the repository does not exist",
		"Authentication failed":    "the host refuses the token",
		"couldn't find remote ref": "the repository is empty, or has no such branch",
		"returned error: 301":      "the repository has moved: use the address that it leads to, perhaps one that ends in .git",
		"returned error: 302":      "the repository has moved: use the address that it leads to, perhaps one that ends in .git",
	} {
		if strings.Contains(text, what) {
			text = hint + " (" + text + ")"
		}
	}
	return text
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// tail keeps the last bytes written to it.
type tail struct {
	data []byte
	max  int
}

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - t.max; over > 0 {
		t.data = append(t.data[:0], t.data[over:]...)
	}
	return len(p), nil
}
