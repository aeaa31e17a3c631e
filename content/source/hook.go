package source

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxHookAge is how far the time of a signature may be from ours. Only Gitee signs the time.
// Source: help.gitee.com/webhook (signature: "within one hour"), read 2026-11.
const maxHookAge = time.Hour

// hook takes a push. It can only make a fetch come sooner, so that a repeated one does no harm.
func (s *Set) hook(w http.ResponseWriter, r *http.Request) {
	configured := slices.ContainsFunc(s.states, func(st *state) bool { return st.cfg.HookSecret != "" })
	switch {
	case !configured:
		answer(w, http.StatusNotFound, "no source has a hook_secret")
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		answer(w, http.StatusMethodNotAllowed, "post pushes here")
		return
	}
	data, ok := body(w, r)
	if !ok {
		return
	}
	var trusted []*state
	for _, st := range s.states {
		if secret := st.cfg.HookSecret; secret != "" && isSigned(r.Header, data, secret, time.Now()) {
			trusted = append(trusted, st)
		}
	}
	if len(trusted) == 0 {
		answer(w, http.StatusUnauthorized, "the signature or token is wrong")
		return
	}
	p, err := readPush(r.Header.Get("Content-Type"), data)
	if err != nil {
		answer(w, http.StatusBadRequest, err.Error())
		return
	}
	told := "nothing to fetch for this"
	for _, st := range trusted {
		if p.concerns(&st.cfg) {
			st.ask()
			told = "fetching soon"
		}
	}
	answer(w, http.StatusOK, told)
}

// isSigned checks what GitHub, Gitea and Forgejo (a signature of the body), GitLab (the secret) or Gitee (the secret, or a signature of
// the time) send to prove themselves.
// Sources: docs.github.com/webhooks "Validating webhook deliveries", docs.gitlab.com/user/project/integrations/webhooks,
// help.gitee.com/webhook, all read 2026-11.
func isSigned(h http.Header, body []byte, secret Secret, now time.Time) bool {
	if sent := h.Get("X-Hub-Signature-256"); sent != "" {
		mac, err := hex.DecodeString(strings.TrimPrefix(sent, "sha256="))
		return err == nil && strings.HasPrefix(sent, "sha256=") && hmac.Equal(mac, macOf(secret, body))
	}
	if sent := h.Get("X-Gitlab-Token"); sent != "" {
		return same(sent, secret)
	}
	sent := h.Get("X-Gitee-Token")
	return sent != "" && (same(sent, secret) || isGiteeSigned(sent, h.Get("X-Gitee-Timestamp"), secret, now))
}

func isGiteeSigned(sent, stamp string, secret Secret, now time.Time) bool {
	ms, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || now.Sub(time.UnixMilli(ms)).Abs() > maxHookAge {
		return false
	}
	if plain, err := url.PathUnescape(sent); err == nil {
		sent = plain // it may come escaped
	}
	mac, err := base64.StdEncoding.DecodeString(sent)
	return err == nil && hmac.Equal(mac, macOf(secret, []byte(stamp+"\n"+string(secret))))
}

func macOf(secret Secret, data []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(data)
	return mac.Sum(nil)
}

// push is what the hosts say of a push, each in its own words.
type push struct {
	Ref        string    `json:"ref"` // refs/heads/<branch>
	Repository addresses `json:"repository"`
	Project    addresses `json:"project"`
}

// addresses are all that a repository may be called.
type addresses struct {
	CloneURL   string `json:"clone_url"`
	HTMLURL    string `json:"html_url"`
	SSHURL     string `json:"ssh_url"`
	URL        string `json:"url"`
	WebURL     string `json:"web_url"`
	GitHTTPURL string `json:"git_http_url"`
	GitSSHURL  string `json:"git_ssh_url"`
}

func readPush(contentType string, data []byte) (push, error) {
	var p push
	if strings.HasPrefix(contentType, "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(data))
		if err != nil || !form.Has("payload") {
			return p, errors.New("the form holds no payload")
		}
		data = []byte(form.Get("payload"))
	}
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) || json.Unmarshal(data, &p) != nil {
		return p, errors.New("the body is no JSON object of a push")
	}
	return p, nil
}

// concerns says whether a push is to the source's repository and branch.
func (p *push) concerns(cfg *Config) bool {
	if branch, ok := strings.CutPrefix(p.Ref, "refs/heads/"); cfg.Branch != "" && p.Ref != "" && (!ok || branch != cfg.Branch) {
		return false
	}
	own := repoKey(cfg.URL)
	for _, a := range []addresses{p.Repository, p.Project} {
		for _, raw := range []string{a.CloneURL, a.HTMLURL, a.SSHURL, a.URL, a.WebURL, a.GitHTTPURL, a.GitSSHURL} {
			if key := repoKey(raw); key != "" && key == own {
				return true
			}
		}
	}
	return false
}
