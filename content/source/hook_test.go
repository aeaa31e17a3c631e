package source

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const hookSecret = "a secret of the hook"

// hooked is a Set with sources of two repositories, without anything fetched: only what hooks do to them counts.
func hooked(t testing.TB) *Set {
	s := &Set{log: slog.New(slog.DiscardHandler)}
	for name, url := range map[string]string{"weekly": "https://github.com/acme/weekly.git", "other": "git@gitlab.example.com:team/other.git"} {
		s.states = append(s.states, &state{cfg: Config{Name: name, Kind: KindGit, URL: url, HookSecret: hookSecret}, soon: make(chan struct{}, 1)})
	}
	s.states = append(s.states, &state{cfg: Config{Name: "silent", Kind: KindGit, URL: "https://github.com/acme/weekly"}, soon: make(chan struct{}, 1)})
	return s
}

// asked names the sources that were asked for a fetch, and forgets it.
func asked(s *Set) string {
	var names []string
	for _, st := range s.states {
		select {
		case <-st.soon:
			names = append(names, st.cfg.Name)
		default:
		}
	}
	return strings.Join(names, " ")
}

func signature(data, secret string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, data)
	return mac.Sum(nil)
}

func github(body, secret string) http.Header {
	return http.Header{"X-Github-Event": {"push"}, "X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(signature(body, secret))}}
}

func gitee(at time.Time, secret string) http.Header {
	stamp := fmt.Sprint(at.UnixMilli())
	return http.Header{"X-Gitee-Timestamp": {stamp}, "X-Gitee-Token": {base64.StdEncoding.EncodeToString(signature(stamp+"\n"+secret, secret))}}
}

const (
	githubPush = `{"ref":"refs/heads/main","repository":{"full_name":"acme/weekly","clone_url":"https://github.com/acme/weekly.git","html_url":"https://github.com/Acme/Weekly","ssh_url":"git@github.com:acme/weekly.git","url":"https://github.com/acme/weekly"}}`
	gitlabPush = `{"object_kind":"push","ref":"refs/heads/main","project":{"web_url":"https://gitlab.example.com/team/other","git_http_url":"https://gitlab.example.com/team/other.git","git_ssh_url":"git@gitlab.example.com:team/other.git"},"repository":{"url":"git@gitlab.example.com:team/other.git"}}`
)

func TestHook(t *testing.T) {
	now := time.Now()
	escaped := gitee(now, hookSecret)
	escaped.Set("X-Gitee-Token", url.QueryEscape(escaped.Get("X-Gitee-Token")))
	form := "payload=" + url.QueryEscape(githubPush)
	formHeader := github(form, hookSecret)
	formHeader.Set("Content-Type", "application/x-www-form-urlencoded")
	big := `{"a":"` + strings.Repeat("x", maxPostBytes) + `"}`
	for name, c := range map[string]struct {
		method string
		header http.Header
		body   string
		code   int
		asks   string
	}{
		"github":                    {"POST", github(githubPush, hookSecret), githubPush, 200, "weekly"},
		"github, as a form":         {"POST", formHeader, form, 200, "weekly"},
		"github, another secret":    {"POST", github(githubPush, "x"), githubPush, 401, ""},
		"github, another body":      {"POST", github(githubPush+" ", hookSecret), githubPush, 401, ""},
		"github, the old signature": {"POST", http.Header{"X-Hub-Signature": {"sha1=00"}}, githubPush, 401, ""},
		"github, no hex":            {"POST", http.Header{"X-Hub-Signature-256": {"sha256=zz"}}, githubPush, 401, ""},
		"github, another kind":      {"POST", http.Header{"X-Hub-Signature-256": {hex.EncodeToString(signature(githubPush, hookSecret))}}, githubPush, 401, ""},
		"github, ping":              {"POST", github(`{"zen":"x","hook_id":1}`, hookSecret), `{"zen":"x","hook_id":1}`, 200, ""},
		"gitlab":                    {"POST", http.Header{"X-Gitlab-Token": {hookSecret}}, gitlabPush, 200, "other"},
		"gitlab, wrong":             {"POST", http.Header{"X-Gitlab-Token": {hookSecret + "x"}}, gitlabPush, 401, ""},
		"gitee, password":           {"POST", http.Header{"X-Gitee-Token": {hookSecret}, "X-Gitee-Timestamp": {"1"}}, githubPush, 200, "weekly"},
		"gitee, signed":             {"POST", gitee(now, hookSecret), githubPush, 200, "weekly"},
		"gitee, signed and escaped": {"POST", escaped, githubPush, 200, "weekly"},
		"gitee, stale":              {"POST", gitee(now.Add(-2*time.Hour), hookSecret), githubPush, 401, ""},
		"gitee, of the future":      {"POST", gitee(now.Add(2*time.Hour), hookSecret), githubPush, 401, ""},
		"gitee, another secret":     {"POST", gitee(now, "x"), githubPush, 401, ""},
		"nothing to prove it":       {"POST", nil, githubPush, 401, ""},
		"empty proofs":              {"POST", http.Header{"X-Gitlab-Token": {""}, "X-Gitee-Token": {""}, "X-Hub-Signature-256": {""}}, githubPush, 401, ""},
		"another repository":        {"POST", github(`{"repository":{"clone_url":"https://github.com/evil/weekly.git"}}`, hookSecret), `{"repository":{"clone_url":"https://github.com/evil/weekly.git"}}`, 200, ""},
		"no JSON":                   {"POST", github("hello", hookSecret), "hello", 400, ""},
		"a list":                    {"POST", github("[]", hookSecret), "[]", 400, ""},
		"a wrong type":              {"POST", github(`{"ref":1}`, hookSecret), `{"ref":1}`, 400, ""},
		"null":                      {"POST", github(`null`, hookSecret), `null`, 400, ""},
		"cut":                       {"POST", github(githubPush[:90], hookSecret), githubPush[:90], 400, ""},
		"too big":                   {"POST", github(big, hookSecret), big, 413, ""},
		"read":                      {"GET", nil, "", 405, ""},
		"put":                       {"PUT", github(githubPush, hookSecret), githubPush, 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := hooked(t)
			r := httptest.NewRequest(c.method, HookPath, strings.NewReader(c.body))
			for k, v := range c.header {
				r.Header[k] = v
			}
			for range 3 { // a replay does no more than the push did
				w := httptest.NewRecorder()
				r.Body = io.NopCloser(strings.NewReader(c.body))
				s.Handler().ServeHTTP(w, r)
				if w.Code != c.code || strings.Contains(w.Body.String(), hookSecret) {
					t.Fatalf("answered %d %s, want %d", w.Code, w.Body, c.code)
				}
			}
			if got := asked(s); got != c.asks {
				t.Errorf("asked %q, want %q", got, c.asks)
			}
		})
	}
}

func TestHookBranch(t *testing.T) {
	for ref, want := range map[string]string{"refs/heads/main": "", "refs/heads/news": "weekly", "refs/tags/news": "", "": "weekly"} {
		s := hooked(t)
		for _, st := range s.states {
			st.cfg.Branch = "news"
		}
		body := fmt.Sprintf(`{"ref":%q,"repository":{"clone_url":"https://github.com/acme/weekly.git"}}`, ref)
		r := httptest.NewRequest(http.MethodPost, HookPath, strings.NewReader(body))
		r.Header = github(body, hookSecret)
		s.Handler().ServeHTTP(httptest.NewRecorder(), r)
		if got := asked(s); got != want {
			t.Errorf("a push to %q asks %q, want %q", ref, got, want)
		}
	}
}

func TestHookUnconfigured(t *testing.T) {
	s := &Set{log: slog.New(slog.DiscardHandler)}
	for _, path := range []string{HookPath, UploadPath + "x", "/hooks/other"} {
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader("{}")))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s answers %d", path, w.Code)
		}
	}
}

func TestRepoKey(t *testing.T) {
	for _, same := range [][]string{
		{"https://github.com/Acme/weekly.git", "git@github.com:acme/weekly", "ssh://git@github.com:22/acme/weekly.git", "https://www.github.com/acme/weekly/", "http://github.com/acme/weekly"},
		{"/srv/git/x.git", "file:///srv/git/x"},
	} {
		for _, raw := range same {
			if got := repoKey(raw); got == "" || got != repoKey(same[0]) {
				t.Errorf("%s is %q, %s is %q", raw, got, same[0], repoKey(same[0]))
			}
		}
	}
	for _, raw := range []string{"", "x", "https://github.com", "https://github.com/", "::", "%"} {
		if got := repoKey(raw); got != "" {
			t.Errorf("%q is %q", raw, got)
		}
	}
}

// FuzzHook: nothing unsigned is ever believed, and what is signed never asks for a source of another repository.
func FuzzHook(f *testing.F) {
	f.Add(githubPush, "application/json", "sha256=00", "")
	f.Add("payload="+url.QueryEscape(githubPush), "application/x-www-form-urlencoded", "", "1700000000000")
	f.Add(gitlabPush, "", hookSecret, hookSecret)
	f.Fuzz(func(t *testing.T, body, contentType, token, stamp string) {
		s := hooked(t)
		post := func(h http.Header) int {
			r := httptest.NewRequest(http.MethodPost, HookPath, strings.NewReader(body))
			r.Header = h
			r.Header.Set("Content-Type", contentType)
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			return w.Code
		}
		if strings.Contains(token, hookSecret) {
			return
		}
		for _, h := range []http.Header{
			{"X-Hub-Signature-256": {token}}, {"X-Gitlab-Token": {token}}, {"X-Gitee-Token": {token}, "X-Gitee-Timestamp": {stamp}},
		} {
			if code := post(h); (code != http.StatusUnauthorized && code != http.StatusRequestEntityTooLarge) || asked(s) != "" {
				t.Fatalf("believed with %d: %v", code, h)
			}
		}
		code := post(github(body, hookSecret))
		got := asked(s)
		if code != 200 && code != 400 && code != 413 || code != 200 && got != "" {
			t.Fatalf("signed: %d, asked %q", code, got)
		}
		plain := strings.ToLower(body)
		if unescaped, err := url.QueryUnescape(plain); err == nil {
			plain += strings.ToLower(unescaped)
		}
		if strings.Contains(got, "silent") || got != "" && !strings.Contains(plain, `\u`) && !strings.Contains(plain, "%") && !strings.Contains(plain, "weekly") && !strings.Contains(plain, "other") {
			t.Fatalf("asked %q by %q", got, body)
		}
	})
}
