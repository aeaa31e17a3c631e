package feishu

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

const (
	typeChallenge = "url_verification"
	typeMessage   = "im.message.receive_v1"
)

// pushed is one event, decrypted; also the request that checks our address.
type pushed struct {
	Type      string `json:"type"` // "url_verification"
	Token     string `json:"token"`
	Challenge string `json:"challenge"`

	Header struct {
		EventID    string         `json:"event_id"` // the same when it is pushed again
		EventType  string         `json:"event_type"`
		CreateTime apihttp.Scalar `json:"create_time"` // milliseconds
		Token      string         `json:"token"`
		AppID      string         `json:"app_id"`
		TenantKey  string         `json:"tenant_key"`
	} `json:"header"`
	Event json.RawMessage `json:"event"`
}

// message reads im.message.receive_v1; an error is malformed input.
func (p pushed) message() (received, error) {
	var m received
	if err := json.Unmarshal(p.Event, &m); err != nil {
		return m, errors.New("event is not a message")
	}
	if m.Message.MessageID == "" || m.Message.ChatID == "" || m.Sender.SenderID.OpenID == "" {
		return m, errors.New("message_id, chat_id or open_id is missing")
	}
	return m, nil
}

// eventKinds are the events that mean something to the core.
var eventKinds = map[string]bot.EventKind{
	"im.chat.member.bot.deleted_v1": bot.EventBotRemoved,
	"im.chat.disbanded_v1":          bot.EventChannelGone,
	"im.chat.updated_v1":            bot.EventChannelRenamed,
}

// event is p as the core sees it; ok is false when it does not concern the core.
func (p pushed) event(now time.Time) (ev bot.Event, ok bool) {
	var chat struct {
		ChatID string `json:"chat_id"`
		After  struct {
			Name string `json:"name"`
		} `json:"after_change"`
	}
	kind, known := eventKinds[p.Header.EventType]
	if !known || json.Unmarshal(p.Event, &chat) != nil || chat.ChatID == "" {
		return ev, false
	}
	ev = bot.Event{
		ID: p.Header.EventID, Kind: kind, At: p.Header.CreateTime.Milliseconds(now),
		Channel: bot.Channel{Adapter: Name, Kind: KindApp, Workspace: p.Header.TenantKey, Address: chat.ChatID},
	}
	if kind == bot.EventChannelRenamed {
		ev.NewName = apihttp.CleanText(chat.After.Name)
		return ev, ev.NewName != ""
	}
	return ev, true
}

// takeEvent hands p to the core, if it concerns it. An error is one of the core's: the event must come again.
func (a *Adapter) takeEvent(ctx context.Context, in bot.Inbox, p pushed) error {
	ev, ok := p.event(a.now())
	if !ok {
		return nil
	}
	if err := in.Event(ctx, ev); err != nil {
		a.log.Error("event failed", "adapter", Name, "workspace", ev.Channel.Workspace, "channel", ev.Channel.Address, "err", err)
		return err
	}
	return nil
}
