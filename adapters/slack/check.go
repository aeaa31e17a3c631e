package slack

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Check tries the configured token, the client's id and secret, and the token of each install.
func (a *Adapter) Check(ctx context.Context) (all []bot.Checked) {
	if a.cfg.BotToken != "" {
		all = append(all, a.checkToken(ctx, "adapters.slack.bot_token", install{Token: a.cfg.BotToken}))
	}
	if a.cfg.ClientID != "" {
		all = append(all, bot.Checked{What: "adapters.slack.client_id", Err: a.checkClient(ctx)})
	}
	if a.tokens.installs == nil {
		return all
	}
	workspaces, err := a.tokens.installs.workspaces(ctx)
	if err != nil {
		return append(all, bot.Checked{What: "Slack installs", Err: err})
	}
	for _, workspace := range workspaces {
		what := "Slack install " + apihttp.CleanText(workspace)
		if in, fault := a.tokens.get(ctx, workspace); fault != nil {
			all = append(all, bot.Checked{What: what, Err: fault})
		} else {
			all = append(all, a.checkToken(ctx, what, in))
		}
	}
	return all
}

func (a *Adapter) checkToken(ctx context.Context, what string, in install) bot.Checked {
	who, err := a.authTest(ctx, in)
	if err != nil {
		return bot.Checked{What: what, Err: err}
	}
	return bot.Checked{What: fmt.Sprintf("%s (%s in %s, %s)", what, apihttp.CleanText(who.User), apihttp.CleanText(who.Team), apihttp.CleanText(who.TeamID))}
}

// checkClient asks for the tokens of a code that there cannot be: Slack looks at the client first.
func (a *Adapter) checkClient(ctx context.Context) error {
	_, fault := a.exchange(ctx, "0", "")
	if fault == nil || fault.Code == "invalid_code" || fault.Code == "bad_redirect_uri" {
		return nil
	}
	return fault
}

// greetWithin bounds what is tried at the start, and greetAtOnce how many workspaces at the same time.
const (
	greetWithin = time.Minute
	greetAtOnce = 8
)

// greet asks Slack, at the start, for whom the tokens are good, and tells the core: of a workspace that works, so that what was held goes on
// (the operator may have put a new token into the configuration), and of one that uninstalled the app while nobody listened.
func (a *Adapter) greet(ctx context.Context, in bot.Inbox) {
	ctx, cancel := context.WithTimeout(ctx, greetWithin)
	defer cancel()
	if a.cfg.BotToken != "" {
		a.greetOwn(ctx, in)
	}
	if a.tokens.installs == nil {
		return
	}
	workspaces, err := a.tokens.installs.workspaces(ctx)
	if err != nil {
		a.log.WarnContext(ctx, "installs not tried", "adapter", Name, "err", err)
	}
	var work sync.WaitGroup
	room := make(chan struct{}, greetAtOnce)
	for _, workspace := range workspaces {
		room <- struct{}{}
		work.Go(func() {
			defer func() { <-room }()
			a.greetInstall(ctx, in, workspace)
		})
	}
	work.Wait()
}

// greetOwn is for the configured token.
func (a *Adapter) greetOwn(ctx context.Context, in bot.Inbox) {
	who, err := a.authTest(ctx, install{Token: a.cfg.BotToken})
	if err != nil {
		if ctx.Err() == nil {
			a.log.ErrorContext(ctx, "bot_token does not work", "adapter", Name, "err", err)
		}
		return
	}
	a.tokens.setHome(who.TeamID)
	a.log.InfoContext(ctx, "Slack knows the bot", "adapter", Name, "workspace", who.TeamID)
	a.tell(ctx, in, bot.EventInstallRestored, who.TeamID)
}

func (a *Adapter) greetInstall(ctx context.Context, in bot.Inbox, workspace string) {
	got, fault := a.tokens.get(ctx, workspace)
	var err error
	if fault == nil {
		_, err = a.authTest(ctx, got)
	} else {
		err = fault
	}
	if err == nil {
		a.tell(ctx, in, bot.EventInstallRestored, workspace)
		return
	}
	a.log.WarnContext(ctx, "install does not work", "adapter", Name, "workspace", workspace, "err", err)
	if fault, ok := errors.AsType[*bot.SendError](err); ok && fault.Scope == bot.ScopeWorkspace && fault.Fault == bot.Permanent {
		a.tell(ctx, in, bot.EventInstallRevoked, workspace)
	}
}
