package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// gitIn runs git in a repository of the test.
func gitIn(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

const remoteFeed = `<rss version="2.0"><channel><title>Mesh Blog</title><item><guid>1</guid><title>Sidecars compared</title>
<link>https://blog.example.com/sidecars</link><pubDate>Mon, 16 Nov 2026 08:00:00 +0800</pubDate><description>Three of them, measured.</description></item></channel></rss>`

// A repository, a feed and an inbox, in the running program: what is pushed and posted is found, and what was fetched survives a restart
// without the hosts.
func TestServeRemotes(t *testing.T) {
	t.Parallel()
	repo, dir := filepath.Join(t.TempDir(), "mesh-weekly"), t.TempDir()
	write(t, repo, "1.md", "# Mesh weekly #1 2026-11-16\n\n## News\n\n- [Ambient mode is out](https://example.com/ambient)\n")
	gitIn(t, repo, "init", "-q", "-b", "main")
	gitIn(t, repo, "add", "-A")
	gitIn(t, repo, "commit", "-q", "-m", "first")
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(remoteFeed)) }))
	defer feed.Close()
	write(t, dir, "upload.token", "a-token-of-the-test-only\n")
	write(t, dir, "config.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
admins: [terminal]
content:
  sources:
    - {name: repo, kind: git, url: %q, hook_secret: "a hook secret"}
    - {name: blog, kind: feed, url: "%s/feed", allow_private: true, poll: 1h}
    - {name: posted, kind: upload, token_file: upload.token}
`, repo, feed.URL))
	if code, out, errs := call(t, "check", "--config", filepath.Join(dir, "config.yaml")); code != 0 || !strings.Contains(out, "(1 issues, 1 items)") {
		t.Fatalf("check: %d\n%s%s", code, out, errs)
	}
	p := start(t, dir)
	p.ask("/search ambient", "https://example.com/ambient")
	p.ask("/search sidecars", "https://blog.example.com/sidecars")

	var at []string
	p.wait("the web pages", 10*time.Second, func() bool {
		at = regexp.MustCompile(`url=(http://[0-9.:]+)`).FindStringSubmatch(p.logs.String())
		return at != nil
	})
	send := func(path, header, value, body string) int {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, at[1]+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(header, value)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	issue := "# Posted weekly #3 2026-11-18\n\n- [Gateways settle](https://example.com/gateways)\n"
	if code := send("/api/v1/issues/3", "Authorization", "Bearer wrong", issue); code != 401 {
		t.Errorf("a wrong token: %d", code)
	}
	if code := send("/api/v1/issues/3", "Authorization", "Bearer a-token-of-the-test-only", issue); code != 201 {
		t.Fatalf("an issue posted: %d", code)
	}
	p.ask("/search gateways", "https://example.com/gateways")

	write(t, repo, "2.md", "# Mesh weekly #2 2026-11-17\n\n## News\n\n- [Waypoints explained](https://example.com/waypoints)\n")
	gitIn(t, repo, "add", "-A")
	gitIn(t, repo, "commit", "-q", "-m", "second")
	body := fmt.Sprintf(`{"ref":"refs/heads/main","repository":{"clone_url":%q}}`, "file://"+repo)
	mac := hmac.New(sha256.New, []byte("a hook secret"))
	mac.Write([]byte(body))
	if code := send("/hooks/content", "X-Hub-Signature-256", "sha256=00", body); code != 401 {
		t.Errorf("a forged push: %d", code)
	}
	if code := send("/hooks/content", "X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)), body); code != 200 {
		t.Fatalf("a push: %d", code)
	}
	p.wait("the fetch", 20*time.Second, func() bool {
		return strings.Contains(p.logs.String(), "repo/#2") || strings.Contains(p.logs.String(), "mesh-weekly/#2")
	})
	p.ask("/search waypoints", "https://example.com/waypoints")
	p.stop()
	for _, secret := range []string{"a-token-of-the-test-only", "a hook secret"} {
		if strings.Contains(p.logs.String()+p.out.String(), secret) {
			t.Errorf("%q is logged", secret)
		}
	}

	feed.Close()
	if err := os.Rename(repo, repo+".away"); err != nil {
		t.Fatal(err)
	}
	p = start(t, dir)
	for _, query := range []string{"ambient", "sidecars", "gateways", "waypoints"} {
		p.ask("/search "+query, "https://")
	}
	p.wait("the report of what is down", 20*time.Second, func() bool { return strings.Count(p.logs.String(), "source not wholly read") >= 2 })
	p.stop()
}
