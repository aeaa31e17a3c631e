package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"weeklybot/bot"
)

// envelope is what the Events API sends, as far as we read it.
type envelope struct {
	Type      string `json:"type"`
	Challenge string `json:"challenge"`
	origin
	EventID   string     `json:"event_id"`
	EventTime int64      `json:"event_time"` // unix seconds
	Event     innerEvent `json:"event"`
}

// origin is where an event comes from.
type origin struct {
	TeamID         string          `json:"team_id"`
	EnterpriseID   string          `json:"enterprise_id"`
	Authorizations []authorization `json:"authorizations"`
}

// authorization is one install that may see the event.
type authorization struct {
	EnterpriseID  string `json:"enterprise_id"`
	UserID        string `json:"user_id"`
	IsBot         bool   `json:"is_bot"`
	ForEnterprise bool   `json:"is_enterprise_install"`
}

// workspace is the install that the event belongs to.
func (o origin) workspace() string {
	for _, auth := range o.Authorizations {
		if auth.ForEnterprise {
			return workspaceOf(o.TeamID, cmp.Or(auth.EnterpriseID, o.EnterpriseID), true)
		}
	}
	return o.TeamID
}

type innerEvent struct {
	Type         string          `json:"type"`
	Channel      json.RawMessage `json:"channel"` // an ID, or an object with id and name
	OldChannelID string          `json:"old_channel_id"`
	NewChannelID string          `json:"new_channel_id"`
	Tokens       struct {
		Bot []string `json:"bot"`
	} `json:"tokens"`
}

// eventKinds is what Slack's events mean to the core. All others are acknowledged and dropped.
var eventKinds = map[string]bot.EventKind{
	"app_uninstalled":    bot.EventInstallRevoked,
	"tokens_revoked":     bot.EventInstallRevoked,
	"channel_archive":    bot.EventChannelGone,
	"group_archive":      bot.EventChannelGone,
	"channel_deleted":    bot.EventChannelGone,
	"group_deleted":      bot.EventChannelGone,
	"channel_left":       bot.EventBotRemoved,
	"group_left":         bot.EventBotRemoved,
	"channel_id_changed": bot.EventChannelMoved,
	"channel_rename":     bot.EventChannelRenamed,
	"group_rename":       bot.EventChannelRenamed,
}

// eventLife leaves Slack its answer within the 3 s that it waits.
const eventLife = ackWithin

// event hands an event to the core. When the core cannot take note of it the answer is 503, and Slack delivers it again (at once, after
// 1 and after 5 minutes).
func (a *Adapter) event(w http.ResponseWriter, r *http.Request, body []byte, in bot.Inbox) {
	var env envelope
	if err := json.Unmarshal(body, &env); err != nil {
		http.Error(w, "malformed event", http.StatusBadRequest)
		return
	}
	if env.Type == "url_verification" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(env.Challenge))
		return
	}
	if s, ok := readSpoken(body); ok {
		httpReply(w)(nil, true)
		a.hearSpoken(context.WithoutCancel(r.Context()), in, s)
		return
	}
	if a.record(r.Context(), env, in) != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable)
	}
}

// record tells the core of an event, if it is one that it must know.
func (a *Adapter) record(ctx context.Context, env envelope, in bot.Inbox) error {
	ev, ok := env.toEvent()
	if !ok {
		return nil
	}
	if env.EventTime == 0 {
		ev.At = a.now()
	}
	ctx, cancel := context.WithTimeout(ctx, eventLife)
	defer cancel()
	again, err := false, error(nil)
	if ev.Kind == bot.EventInstallRevoked {
		again, err = a.tokens.revoked(ctx, ev.Channel.Workspace, ev.At)
	}
	if err == nil && !again {
		err = in.Event(ctx, ev)
	}
	if err != nil {
		a.log.ErrorContext(ctx, "event not recorded", "adapter", Name, "workspace", env.workspace(), "code", env.Event.Type, "err", err)
	}
	return err
}

// toEvent is false for an event that the core need not know.
func (e envelope) toEvent() (bot.Event, bool) {
	kind, ok := eventKinds[e.Event.Type]
	if e.Type != "event_callback" || e.EventID == "" || e.workspace() == "" || !ok {
		return bot.Event{}, false
	}
	if e.Event.Type == "tokens_revoked" && len(e.Event.Tokens.Bot) == 0 {
		return bot.Event{}, false // a person's token, which we never ask for
	}
	ev := bot.Event{ID: e.EventID, Kind: kind, At: time.Unix(e.EventTime, 0), Channel: bot.Channel{Adapter: Name, Workspace: e.workspace()}}
	if kind == bot.EventInstallRevoked {
		return ev, true
	}
	ev.Channel.Kind = KindApp
	ev.Channel.Address, ev.NewName = e.Event.channel()
	if kind == bot.EventChannelMoved {
		ev.Channel.Address, ev.NewAddress = e.Event.OldChannelID, e.Event.NewChannelID
	}
	complete := ev.Channel.Address != "" && (kind != bot.EventChannelMoved || ev.NewAddress != "")
	return ev, complete
}

func (e innerEvent) channel() (id, name string) {
	if json.Unmarshal(e.Channel, &id) == nil {
		return id, ""
	}
	var object struct{ ID, Name string }
	_ = json.Unmarshal(e.Channel, &object)
	return object.ID, object.Name
}
