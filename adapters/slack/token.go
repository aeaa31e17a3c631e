package slack

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// installRead is how long an install that was read from the store counts as known: for so long a replica may use a token after another one
// has heard that it was revoked.
const installRead = time.Minute

// Codes of our own about tokens.
const (
	codeNotInstalled  = "not_installed"
	codeStoreDown     = "store_unavailable"
	codeTokenReplaced = "token_replaced" // the code of Slack stands in the text
)

// tokens hands out the bot token of each workspace: that of its install, else the configured one. It refreshes tokens that end, once at a
// time over all replicas.
type tokens struct {
	fixed    bot.Secret // adapters.slack.bot_token
	installs *installs  // nil: the app is not for others to install
	refresh  func(ctx context.Context, token bot.Secret) (*slack.OAuthV2Response, *bot.SendError)

	mu    sync.Mutex
	home  string // the workspace of fixed; "" while that is not known
	known map[string]*known
}

// known is what this replica knows of one workspace. lock is held by whoever finds it out.
type known struct {
	lock chan struct{}

	in      install
	record  string
	read    time.Time
	unsaved bool // Slack gave these tokens and the store has not taken them yet
}

func (t *tokens) of(workspace string) *known {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.known[workspace]
	if k == nil {
		if t.known == nil {
			t.known = map[string]*known{}
		}
		k = &known{lock: make(chan struct{}, 1)}
		t.known[workspace] = k
	}
	return k
}

// setHome notes whose workspace the configured token is.
func (t *tokens) setHome(workspace string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.home = workspace
}

// homeNow is the workspace of the configured token, "" while that is not known.
func (t *tokens) homeNow() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.home
}

// get is the install of workspace with a token that works now. An install without a workspace is the configured token.
func (t *tokens) get(ctx context.Context, workspace string) (install, *bot.SendError) {
	home := t.homeNow()
	if t.installs == nil || workspace == "" || workspace == home {
		if t.fixed == "" {
			return install{}, installDead.sendError(codeNotSetUp, errors.New("adapters.slack.bot_token is not set"))
		}
		return install{Token: t.fixed}, nil
	}
	k := t.of(workspace)
	select {
	case k.lock <- struct{}{}:
		defer func() { <-k.lock }()
	case <-ctx.Done():
		return install{}, ended(ctx)
	}
	err := t.learn(ctx, k, workspace)
	switch {
	case errors.Is(err, errNotInstalled) && t.fixed != "" && home == "": // it may well be the configured token's
		return install{Token: t.fixed}, nil
	case errors.Is(err, errNotInstalled), errors.Is(err, errSealed):
		return install{}, installDead.sendError(codeNotInstalled, err)
	case err != nil:
		return install{}, later.sendError(codeStoreDown, err)
	}
	if now := t.installs.now(); k.in.Refresh != "" && !now.Before(k.in.Renew) {
		if fault := t.renew(ctx, k); fault != nil {
			return install{}, fault
		}
	}
	return k.in, nil
}

// learn reads the install, unless that was done a moment ago. While the store is down, what was known counts.
func (t *tokens) learn(ctx context.Context, k *known, workspace string) error {
	now := t.installs.now()
	if k.unsaved {
		t.store(ctx, k)
		return nil
	}
	if k.in.Token != "" && now.Sub(k.read) < installRead && !now.Before(k.read) {
		return nil
	}
	in, record, err := t.installs.load(ctx, workspace)
	switch {
	case err == nil:
		k.in, k.record, k.read = in, record, now
		return nil
	case errors.Is(err, errNotInstalled), errors.Is(err, errSealed):
		k.in, k.record = install{}, ""
		return err
	case k.in.Token != "":
		t.installs.log.WarnContext(ctx, "the store does not say whether the app is still installed; going on", "adapter", Name, "workspace", workspace, "err", err)
		return nil
	}
	return err
}

// renew replaces a token that ends soon. Who does not get the lock goes on with the old token while that lives.
func (t *tokens) renew(ctx context.Context, k *known) *bot.SendError {
	workspace, old := k.in.Workspace, k.in
	alive := t.installs.now().Before(old.Until)
	mine, err := t.installs.lock(ctx, workspace)
	if err != nil || !mine {
		k.read = time.Time{} // whoever has the lock leaves a new token
		if alive {
			return nil
		}
		if err == nil {
			err = errors.New("another replica is replacing the token")
		}
		return later.sendError("token_expired", err)
	}
	defer t.installs.unlock(ctx, workspace)
	// Another replica may have been faster, and a refresh token works once.
	if in, record, err := t.installs.load(ctx, workspace); err == nil && record != k.record {
		k.in, k.record, k.read = in, record, t.installs.now()
		if in.Refresh == "" || t.installs.now().Before(in.Renew) {
			return nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, refreshWithin)
	defer cancel()
	got, fault := t.refresh(ctx, k.in.Refresh)
	if fault != nil && fault.Code == "invalid_refresh_token" {
		if in, record, err := t.installs.load(ctx, workspace); err == nil && record != k.record { // installed again meanwhile
			k.in, k.record, k.read = in, record, t.installs.now()
			return nil
		}
	}
	switch {
	case fault == nil:
		k.in.setTokens(got, t.installs.now())
		k.unsaved = true
		t.store(ctx, k)
		return nil
	case alive:
		t.installs.log.WarnContext(ctx, "the token cannot be refreshed yet; going on with the old one", "adapter", Name, "workspace", workspace, "code", fault.Code, "err", fault)
		return nil
	}
	return fault
}

// store writes tokens that Slack has just given. An install that is newer wins.
func (t *tokens) store(ctx context.Context, k *known) {
	next := t.installs.pack(k.in)
	done, err := t.installs.swap(context.WithoutCancel(ctx), k.in.Workspace, k.record, next)
	if err != nil {
		t.installs.log.ErrorContext(ctx, "the store did not take a new token; trying again", "adapter", Name, "workspace", k.in.Workspace, "err", err)
		return
	}
	k.unsaved = false
	if done {
		k.record, k.read = next, t.installs.now()
	} else {
		k.read = time.Time{} // installed again, or uninstalled
	}
}

// revoked deletes the tokens of workspace. again is true if the app was installed once more after at: then nothing is deleted, since events
// come late and more than once.
func (t *tokens) revoked(ctx context.Context, workspace string, at time.Time) (again bool, err error) {
	if t.installs == nil {
		return false, nil
	}
	again, err = t.installs.remove(ctx, workspace, at.Unix())
	t.forget(workspace)
	return again, err
}

// installed keeps a new install.
func (t *tokens) installed(ctx context.Context, in install) error {
	defer t.forget(in.Workspace)
	return t.installs.save(ctx, in)
}

// forget makes the next get look into the store.
func (t *tokens) forget(workspace string) {
	k := t.of(workspace)
	k.lock <- struct{}{}
	defer func() { <-k.lock }()
	k.in, k.record, k.read, k.unsaved = install{}, "", time.Time{}, false
}

// deadCodes say that a token is not good any more. Source: slack-ruby/slack-api-ref, errors of chat.postMessage, read 2026-11.
var deadCodes = []string{"token_expired", "token_revoked", "invalid_auth", "account_inactive", "not_authed"}

// replaced says whether there is another token than in's, which Slack has just refused with code: then the same call may work.
func (t *tokens) replaced(ctx context.Context, in install, code string) bool {
	if in.Workspace == "" || !slices.Contains(deadCodes, code) {
		return false
	}
	k := t.of(in.Workspace)
	select {
	case k.lock <- struct{}{}:
		defer func() { <-k.lock }()
	case <-ctx.Done():
		return false
	}
	if k.in.Token != "" && k.in.Token != in.Token {
		return true
	}
	k.read = time.Time{}
	if err := t.learn(ctx, k, in.Workspace); err != nil || k.in.Token == "" {
		return false
	}
	if k.in.Token == in.Token && code == "token_expired" && k.in.Refresh != "" {
		k.in.Renew, k.in.Until = time.Time{}, time.Time{} // whatever we thought
		return true
	}
	return k.in.Token != in.Token
}

// setTokens takes over what Slack gave. Tokens that end are renewed after four fifths of their life.
func (in *install) setTokens(got *slack.OAuthV2Response, now time.Time) {
	in.Token, in.Refresh, in.Renew, in.Until = bot.Secret(got.AccessToken), bot.Secret(got.RefreshToken), time.Time{}, time.Time{}
	if got.RefreshToken == "" || got.ExpiresIn <= 0 {
		return
	}
	life := time.Duration(got.ExpiresIn) * time.Second
	in.Renew, in.Until = now.Add(life*4/5), now.Add(life)
}

// refreshToken asks Slack for the next pair of tokens.
func (a *Adapter) refreshToken(ctx context.Context, token bot.Secret) (*slack.OAuthV2Response, *bot.SendError) {
	c := a.callWith(install{}, apihttp.MaxAnswer)
	got, err := slack.RefreshOAuthV2TokenContext(ctx, c, a.cfg.ClientID, a.cfg.ClientSecret.Reveal(), token.Reveal(), slack.OAuthOptionAPIURL(a.cfg.apiURL()))
	if err == nil && (got.AccessToken == "" || got.RefreshToken == "") {
		err = errors.New("Slack's answer names no token")
	}
	if err == nil {
		return got, nil
	}
	fault := classifyAPI(err, c.head, a.now())
	fault.MaybeSent = false // whatever happened, it was no post
	fault.Err = apihttp.Redact(fault.Err, token.Reveal(), a.cfg.ClientSecret.Reveal())
	return nil, fault
}
