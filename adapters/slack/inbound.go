package slack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Hook serves /slack/commands, /slack/events and /slack/interactions, and for those who install the app /slack/install and
// /slack/oauth/callback. What Slack posts is read whole, its signature checked, then parsed.
func (a *Adapter) Hook(in bot.Inbox) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/slack/commands", a.verified(func(w http.ResponseWriter, r *http.Request, body []byte) { a.command(w, r, body, in) }))
	mux.Handle("/slack/events", a.verified(func(w http.ResponseWriter, r *http.Request, body []byte) { a.event(w, r, body, in) }))
	mux.Handle("/slack/interactions", a.verified(func(w http.ResponseWriter, r *http.Request, body []byte) { a.interacted(w, r, body, in) }))
	a.serveInstall(mux, in)
	return mux
}

func (a *Adapter) verified(next func(http.ResponseWriter, *http.Request, []byte)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "only POST", http.StatusMethodNotAllowed)
			return
		}
		body, err := apihttp.ReadBody(w, r, apihttp.MaxInbound)
		if errors.Is(err, apihttp.ErrTooLarge) {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		if err != nil {
			http.Error(w, "unreadable", http.StatusBadRequest)
			return
		}
		if err := verify(a.cfg.SigningSecret, r.Header, body, a.now()); err != nil {
			a.log.WarnContext(r.Context(), "request refused", "adapter", Name, "path", r.URL.Path, "err", err)
			http.Error(w, "not from Slack", http.StatusUnauthorized)
			return
		}
		next(w, r, body)
	})
}

func (a *Adapter) command(w http.ResponseWriter, r *http.Request, body []byte, in bot.Inbox) {
	cmd, slash, check, err := a.parseCommand(r, body)
	switch {
	case err != nil:
		http.Error(w, "malformed command: "+err.Error(), http.StatusBadRequest)
	case check: // Slack tries our certificate
		w.WriteHeader(http.StatusOK)
	default:
		a.slash(context.WithoutCancel(r.Context()), in, cmd, slash, httpReply(w))
	}
}

// slash answers a slash command, however it came.
func (a *Adapter) slash(ctx context.Context, in bot.Inbox, cmd bot.Command, slash slack.SlashCommand, first reply) {
	responseURL := bot.Secret(slash.ResponseURL)
	if bareSubscribe.MatchString(cmd.Text) {
		a.formOrAnswer(ctx, in, cmd, slash.TriggerID, responseURL, first)
		return
	}
	a.answer(ctx, in, cmd, responseURL, first)
}

// parseCommand reads the form of a slash command. check is true for Slack's ssl_check, which is no command.
func (a *Adapter) parseCommand(r *http.Request, body []byte) (cmd bot.Command, slash slack.SlashCommand, check bool, err error) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	slash, err = slack.SlashCommandParse(r)
	if err != nil {
		return cmd, slash, false, errors.New("not a form")
	}
	if r.PostForm.Get("ssl_check") == "1" {
		return cmd, slash, true, nil
	}
	id := slash.TriggerID
	if id == "" {
		id = r.Header.Get(headerSignature)
	}
	cmd, err = a.toCommand(slash, id)
	return cmd, slash, false, err
}

// toCommand is a slash command as the core knows it, however it came.
func (a *Adapter) toCommand(slash slack.SlashCommand, id string) (bot.Command, error) {
	workspace := workspaceOf(slash.TeamID, slash.EnterpriseID, slash.IsEnterpriseInstall)
	if slash.Command == "" || workspace == "" || slash.ChannelID == "" || slash.UserID == "" {
		return bot.Command{}, errors.New("want command, team_id, channel_id and user_id")
	}
	return bot.Command{
		ID:      id,
		Text:    commandText(slash.Command, slash.Text),
		Channel: bot.Channel{Adapter: Name, Kind: KindApp, Workspace: workspace, Address: slash.ChannelID, Name: slash.ChannelName},
		Member:  bot.Member{ID: slash.UserID, Name: slash.UserName},
		At:      a.now(),
	}, nil
}

// commandText is what the member meant: all our commands also stand behind /weeklybot, since short names may clash with other apps'.
func commandText(command, text string) string {
	text = strings.TrimSpace(text)
	if command != "/weeklybot" {
		return strings.TrimSpace(command + " " + text)
	}
	if text = strings.TrimPrefix(text, "/"); text == "" {
		text = "help"
	}
	return "/" + text
}
