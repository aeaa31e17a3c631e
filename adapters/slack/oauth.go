package slack

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Installing the app into a workspace: /slack/install sends the browser to Slack with a state, and Slack sends it back to
// /slack/oauth/callback with that state and a code. The state works once, for stateLife, and only in the browser that holds the cookie
// made with it: else somebody could have us keep an install that another person began.
const (
	installPath  = "/slack/install"
	callbackPath = "/slack/oauth/callback"
	cookieName   = "weeklybot-slack-install"
	maxOAuthText = 512 // of state, code and cookie, in bytes
)

func (a *Adapter) serveInstall(mux *http.ServeMux, in bot.Inbox) {
	mux.HandleFunc(installPath, a.onlyGet(a.beginInstall))
	mux.HandleFunc(callbackPath, a.onlyGet(func(w http.ResponseWriter, r *http.Request) { a.endInstall(w, r, in) }))
}

func (a *Adapter) onlyGet(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet:
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "only GET", http.StatusMethodNotAllowed)
		case a.tokens.installs == nil:
			a.say(w, http.StatusNotFound, "这里不提供安装。管理员需要设置 client_id 和 client_secret。",
				"The app cannot be installed from here. The operator has to set adapters.slack.client_id and client_secret.")
		default:
			next(w, r)
		}
	}
}

// redirectURI is where Slack sends the browser back. Without a public URL that is the machine itself, if the browser runs on it.
func (a *Adapter) redirectURI(r *http.Request) (string, error) {
	base := strings.TrimRight(a.publicURL, "/")
	if base == "" && apihttp.Loopback(r.Host) {
		base = "http://" + r.Host
	}
	if base == "" {
		return "", errors.New("public_url is not set")
	}
	return base + callbackPath, nil
}

// authorizeURL is where a person allows the install.
func (a *Adapter) authorizeURL(redirect, state string) string {
	u, _ := url.Parse(cmp.Or(a.cfg.AuthorizeURL, defaultAuthorize)) // checked by Validate
	q := u.Query()
	q.Set("client_id", a.cfg.ClientID)
	q.Set("scope", strings.Join(append(append([]string{}, scopes...), optionalScopes...), ","))
	q.Set("redirect_uri", redirect)
	q.Set("state", state)
	u.RawQuery = q.Encode()
	return u.String()
}

func (a *Adapter) beginInstall(w http.ResponseWriter, r *http.Request) {
	redirect, err := a.redirectURI(r)
	if err != nil {
		a.say(w, http.StatusServiceUnavailable, "管理员需要先设置 public_url。", "The operator has to set public_url first.")
		return
	}
	state, browser := rand.Text(), rand.Text() // 130 random bits each
	if err := a.tokens.installs.addState(r.Context(), stateKey(state, browser)); err != nil {
		a.log.ErrorContext(r.Context(), "install not begun", "adapter", Name, "err", err)
		a.say(w, http.StatusServiceUnavailable, "暂时无法安装，请稍后再试。", "The app cannot be installed right now. Please try again later.")
		return
	}
	http.SetCookie(w, installCookie(redirect, browser, stateLife))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, a.authorizeURL(redirect, state), http.StatusFound)
}

// installCookie is sent back when Slack leads the browser here (SameSite Lax), and read by no script.
func installCookie(redirect, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: value, Path: callbackPath, MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: strings.HasPrefix(redirect, "https:"), SameSite: http.SameSiteLaxMode,
	}
}

// stateKey binds a state to a browser. Only its hash is stored.
func stateKey(state, browser string) string {
	sum := sha256.Sum256([]byte(state + "\x00" + browser))
	return hex.EncodeToString(sum[:16])
}

func (a *Adapter) endInstall(w http.ResponseWriter, r *http.Request, in bot.Inbox) {
	ctx, q := r.Context(), r.URL.Query()
	redirect, err := a.redirectURI(r)
	if err != nil {
		a.say(w, http.StatusServiceUnavailable, "管理员需要先设置 public_url。", "The operator has to set public_url first.")
		return
	}
	known, err := a.takeState(ctx, r, q.Get("state"))
	switch {
	case err != nil:
		a.log.ErrorContext(ctx, "install not finished", "adapter", Name, "err", err)
		a.say(w, http.StatusServiceUnavailable, "暂时无法安装，请稍后再试。", "The app cannot be installed right now. Please try again later.")
		return
	case !known:
		a.log.WarnContext(ctx, "install refused: the state is unknown, used, too old, or another browser's", "adapter", Name)
		a.say(w, http.StatusForbidden, "这个安装链接已失效，或来自另一个浏览器。请重新开始。",
			"This install has expired, was used already, or began in another browser. Please start again.")
		return
	}
	http.SetCookie(w, installCookie(redirect, "", -time.Second))
	code := q.Get("code")
	if code == "" || len(code) > maxOAuthText {
		a.say(w, http.StatusBadRequest, "安装没有被允许。", "The install was not allowed.")
		return
	}
	got, fault := a.exchange(ctx, code, redirect)
	if fault == nil {
		fault = a.finishInstall(ctx, in, got)
	}
	if fault != nil {
		a.log.ErrorContext(ctx, "install not finished", "adapter", Name, "code", fault.Code, "err", fault)
		a.say(w, http.StatusBadGateway, "安装没有完成（"+fault.Code+"），请重新开始。", "The install was not finished ("+fault.Code+"). Please start again.")
		return
	}
	a.say(w, http.StatusOK, "安装好了。回到 Slack，在频道里输入 /subscribe 订阅。", "Installed. Go back to Slack and type /subscribe in a channel.")
}

// takeState is true once for the state that this browser began with.
func (a *Adapter) takeState(ctx context.Context, r *http.Request, state string) (bool, error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil || state == "" || cookie.Value == "" || len(state) > maxOAuthText || len(cookie.Value) > maxOAuthText {
		return false, nil
	}
	return a.tokens.installs.takeState(ctx, stateKey(state, cookie.Value))
}

// exchange turns the code into tokens.
func (a *Adapter) exchange(ctx context.Context, code, redirect string) (*slack.OAuthV2Response, *bot.SendError) {
	c := a.callWith(install{}, apihttp.MaxAnswer)
	got, err := slack.GetOAuthV2ResponseContext(ctx, c, a.cfg.ClientID, a.cfg.ClientSecret.Reveal(), code, redirect, slack.OAuthOptionAPIURL(a.cfg.apiURL()))
	if err == nil && (got.AccessToken == "" || workspaceOf(got.Team.ID, got.Enterprise.ID, got.IsEnterpriseInstall) == "") {
		return nil, later.sendError(codeBadAnswer, errors.New("Slack's answer names no token or no workspace"))
	}
	if err != nil {
		fault := classifyAPI(err, c.head, a.now())
		fault.Err = apihttp.Redact(fault.Err, code, a.cfg.ClientSecret.Reveal())
		return nil, fault
	}
	return got, nil
}

// finishInstall tries the token, keeps it, and tells the core that the workspace is there (again).
func (a *Adapter) finishInstall(ctx context.Context, in bot.Inbox, got *slack.OAuthV2Response) *bot.SendError {
	now := a.now()
	inst := install{
		Workspace: workspaceOf(got.Team.ID, got.Enterprise.ID, got.IsEnterpriseInstall),
		Name:      clip(apihttp.CleanText(cmp.Or(got.Team.Name, got.Enterprise.Name)), maxLabel),
		Installer: got.AuthedUser.ID, Scopes: got.Scope, At: now,
	}
	inst.setTokens(got, now)
	who, err := a.authTest(ctx, install{Token: inst.Token})
	if err != nil {
		if fault, ok := errors.AsType[*bot.SendError](err); ok {
			return fault
		}
		return installDead.sendError(codeBadAnswer, err)
	}
	inst.BotID = who.BotID
	if err := a.tokens.installed(ctx, inst); err != nil {
		return later.sendError(codeStoreDown, err)
	}
	a.log.InfoContext(ctx, "installed", "adapter", Name, "workspace", inst.Workspace, "scopes", inst.Scopes)
	a.tell(ctx, in, bot.EventInstallRestored, inst.Workspace)
	return nil
}

// tell tells the core what became of an install. If that fails it is told again at the next start.
func (a *Adapter) tell(ctx context.Context, in bot.Inbox, what bot.EventKind, workspace string) {
	at := a.now()
	ev := bot.Event{ID: fmt.Sprintf("%s %s %d", what, workspace, at.UnixMilli()), Kind: what, At: at, Channel: bot.Channel{Adapter: Name, Workspace: workspace}}
	if err := in.Event(ctx, ev); err != nil {
		a.log.ErrorContext(ctx, "event not recorded", "adapter", Name, "workspace", workspace, "code", string(what), "err", err)
	}
}

var sayPage = template.Must(template.New("say").Parse(`<!doctype html>
<html lang="zh"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>weeklybot</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 1.5em;color:#1d1c1d}p+p{color:#616061}</style>
<h1>weeklybot</h1><p>{{.ZH}}</p><p lang="en">{{.EN}}</p></html>
`))

// say is a page of one sentence, in both languages.
func (a *Adapter) say(w http.ResponseWriter, status int, zh, en string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address holds a code
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = sayPage.Execute(w, struct{ ZH, EN string }{zh, en})
}
