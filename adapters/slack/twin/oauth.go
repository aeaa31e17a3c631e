package twin

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Source: docs.slack.dev, installing with OAuth and using token rotation, read 2026-11.
const (
	codeLife         = 10 * time.Minute
	rotatedLife      = 43_200 * time.Second
	liveTokens       = 2 // per install, of an app that rotates them
	authorizePath    = "/oauth/v2/authorize"
	installerDefault = "U0ADMIN"
	keptTokens       = 10_000
)

// grant is what a code stands for.
type grant struct {
	team, redirect, scope, user string
	made                        time.Time
}

// bearer is one access token that was given to an install.
type bearer struct {
	team    string
	scope   string
	until   time.Time // zero: until it is revoked
	revoked string    // "" or the code that it is refused with
}

// refresh is one refresh token: it works once.
type refresh struct{ team, scope, user string }

// needs is the scope without which an install's token cannot call a method. Source: slack-ruby/slack-api-ref, scopes of each method.
var needs = map[string]string{
	"chat.postMessage": "chat:write", "chat.postEphemeral": "chat:write", "chat.update": "chat:write", "chat.delete": "chat:write",
	"conversations.history": "channels:history", "conversations.replies": "channels:history", "conversations.info": "channels:read",
	"conversations.list": "channels:read", "conversations.join": "channels:join",
	"files.getUploadURLExternal": "files:write", "files.completeUploadExternal": "files:write", "files.delete": "files:write",
}

// holder says whose token it is, "" with the code that it is refused with. t.mu is held.
func (t *Twin) holder(token, method string) (team string, refused *flaw) {
	b := t.bearers[token]
	switch {
	case token == "":
		return "", &flaw{code: "not_authed"}
	case b == nil && (t.opt.BotToken == "" || token == t.opt.BotToken):
		return t.opt.TeamID, nil
	case b == nil:
		return "", &flaw{code: "invalid_auth"}
	case b.revoked != "":
		return "", &flaw{code: b.revoked}
	case !b.until.IsZero() && t.opt.Now().After(b.until):
		return "", &flaw{code: "token_expired"}
	}
	if need := needs[method]; need != "" && !slices.Contains(strings.Split(b.scope, ","), need) {
		return "", &flaw{code: "missing_scope", needed: need, provided: b.scope}
	}
	return b.team, nil
}

// access is oauth.v2.access: a code, or a refresh token, for tokens.
func (t *Twin) access(c apiCall) result {
	switch {
	case t.opt.ClientID == "" || c.args["client_id"] != t.opt.ClientID:
		return refusal("invalid_client_id")
	case c.args["client_secret"] != t.opt.ClientSecret:
		return refusal("bad_client_secret")
	case c.args["grant_type"] == "refresh_token":
		return t.refreshed(c.args["refresh_token"])
	case c.args["grant_type"] != "" && c.args["grant_type"] != "authorization_code":
		return refusal("invalid_grant_type")
	}
	g, ok := t.codes[c.args["code"]]
	switch {
	case !ok || t.opt.Now().Sub(g.made) > codeLife:
		return refusal("invalid_code")
	case c.args["redirect_uri"] != g.redirect:
		return refusal("bad_redirect_uri")
	}
	delete(t.codes, c.args["code"])
	return t.issue(g.team, g.scope, g.user)
}

func (t *Twin) refreshed(token string) result {
	r, ok := t.refreshes[token]
	if !ok {
		return refusal("invalid_refresh_token")
	}
	delete(t.refreshes, token)
	return t.issue(r.team, r.scope, r.user)
}

// issue makes new tokens for an install. t.mu is held.
func (t *Twin) issue(team, scope, user string) result {
	t.nextTS(t.opt.Now())
	token := fmt.Sprintf("xoxb-%s-%d", team, t.lastID)
	fields := map[string]any{
		"token_type": "bot", "scope": scope, "bot_user_id": botUser, "app_id": appID, "team": map[string]any{"id": team, "name": "Twin " + team},
		"enterprise": nil, "is_enterprise_install": false, "authed_user": map[string]any{"id": user},
	}
	b := &bearer{team: team, scope: scope}
	if t.opt.Rotate {
		token = "xoxe." + token
		b.until = t.opt.Now().Add(rotatedLife)
		next := fmt.Sprintf("xoxe-1-%s-%d", team, t.lastID)
		t.refreshes[next] = refresh{team, scope, user}
		fields["refresh_token"], fields["expires_in"] = next, int(rotatedLife/time.Second)
		t.limitTokens(team)
	}
	t.bearers[token] = b
	if t.issued = append(t.issued, token); len(t.issued) > keptTokens {
		delete(t.bearers, t.issued[0])
		t.issued = t.issued[1:]
	}
	fields["access_token"] = token
	return result{fields: fields}
}

// limitTokens makes room for one more token of team. t.mu is held.
func (t *Twin) limitTokens(team string) {
	live := 0
	for _, token := range slices.Backward(t.issued) {
		if b := t.bearers[token]; b.team == team && b.revoked == "" {
			if live++; live >= liveTokens {
				b.revoked = "token_revoked"
			}
		}
	}
}

// ExpireTokens ends the life of all tokens that rotate.
func (t *Twin) ExpireTokens() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range t.bearers {
		if !b.until.IsZero() {
			b.until = t.opt.Now().Add(-time.Second)
		}
	}
}

// Uninstall takes the app out of a workspace and tells target (the app's /slack/events, or the socket) so: its tokens work no more.
func (t *Twin) Uninstall(ctx context.Context, target, team string) error {
	t.mu.Lock()
	for _, b := range t.bearers {
		if b.team == team {
			b.revoked = "account_inactive"
		}
	}
	for token, r := range t.refreshes {
		if r.team == team {
			delete(t.refreshes, token)
		}
	}
	t.mu.Unlock()
	return errors.Join( // in no defined order
		t.event(ctx, target, team, map[string]any{"type": "tokens_revoked", "tokens": map[string]any{"oauth": []string{}, "bot": []string{botUser}}}),
		t.event(ctx, target, team, map[string]any{"type": "app_uninstalled"}))
}

// Consent is a request to allow an install, as the browser brings it.
type Consent struct {
	Scope, Redirect, State string
	Action                 string // where the form goes
	Team, User             string
}

// readConsent checks what the app sent the browser with.
func (t *Twin) readConsent(q url.Values) (Consent, error) {
	c := Consent{Scope: q.Get("scope"), Redirect: q.Get("redirect_uri"), State: q.Get("state")}
	redirect, err := url.Parse(c.Redirect)
	switch {
	case t.opt.ClientID == "" || q.Get("client_id") != t.opt.ClientID:
		return c, errors.New("invalid_client_id")
	case c.Scope == "":
		return c, errors.New("invalid_scope: no scopes were asked for")
	case err != nil || redirect.Host == "" || redirect.Fragment != "" || redirect.Scheme != "https" && !loopback(redirect.Host):
		return c, errors.New("bad_redirect_uri")
	}
	return c, nil
}

func loopback(hostport string) bool {
	u := url.URL{Host: hostport}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Allow is a person who opens address (the authorize URL that the app redirects to) and allows the install into team. It returns where Slack
// sends the browser then.
func (t *Twin) Allow(address, team string) (location string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	c, err := t.readConsent(u.Query())
	if err != nil {
		return "", err
	}
	c.Team = team
	return t.consented(c, true), nil
}

// consented is where the browser goes after the person's decision.
func (t *Twin) consented(c Consent, yes bool) string {
	u, _ := url.Parse(c.Redirect) // checked
	q := u.Query()
	q.Set("state", c.State)
	if yes {
		t.mu.Lock()
		maps.DeleteFunc(t.codes, func(_ string, g grant) bool { return t.opt.Now().Sub(g.made) > codeLife })
		t.nextTS(t.opt.Now())
		code := "code." + strconv.FormatInt(t.lastID, 10)
		t.codes[code] = grant{cmp.Or(c.Team, t.opt.TeamID), c.Redirect, c.Scope, cmp.Or(c.User, installerDefault), t.opt.Now()}
		t.mu.Unlock()
		q.Set("code", code)
	} else {
		q.Set("error", "access_denied")
	}
	u.RawQuery = q.Encode()
	return u.String()
}

//go:embed consent.html
var consentText string

var consentTemplate = template.Must(template.New("consent").Parse(consentText))

// authorize shows what the app asks for, and takes the decision.
func (t *Twin) authorize(w http.ResponseWriter, r *http.Request) {
	c, err := t.readConsent(r.URL.Query())
	if err != nil {
		t.mu.Lock()
		t.refuse(authorizePath, "", "oauth", err.Error())
		t.mu.Unlock()
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodPost {
		c.Team = r.PostFormValue("team")
		http.Redirect(w, r, t.consented(c, r.PostFormValue("allow") == "yes"), http.StatusSeeOther)
		return
	}
	c.Action, c.Team = authorizePath+"?"+r.URL.RawQuery, t.opt.TeamID
	back, _ := url.Parse(c.Redirect)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' "+back.Scheme+"://"+back.Host+"; frame-ancestors 'none'")
	_ = consentTemplate.Execute(w, c)
}

// Scopes is what the app asks for, one by one.
func (c Consent) Scopes() []string { return strings.Split(c.Scope, ",") }
