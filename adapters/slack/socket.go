package slack

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

const (
	// maxFrame bounds what one frame of the socket may hold, in bytes; the same as for a request over HTTP.
	maxFrame      = apihttp.MaxInbound
	socketTimeout = 10 * time.Second
	keepAlive     = 15 * time.Second
	// redialAfter and redialMost are the waits after the library gave up: a token that is wrong stays so until someone mends it.
	redialAfter = 5 * time.Second
	redialMost  = 5 * time.Minute
	// maxAtOnce bounds what is worked on from one socket; more waits in the socket.
	maxAtOnce = 64
)

// sockets is how many are open at once: the library closes the old one before it opens the next, and Slack asks for a new one every few
// hours. What comes over either is the same, and the same thing comes over one of them.
const sockets = 2

// Listen tries the tokens, and hears over Socket Mode until ctx ends; a socket that is lost is opened again. Without socket_mode it only
// waits.
func (a *Adapter) Listen(ctx context.Context, in bot.Inbox) error {
	var work sync.WaitGroup
	work.Go(func() { a.greet(ctx, in) })
	if a.cfg.SocketMode {
		for range sockets {
			work.Go(func() { a.listenOn(ctx, in) })
		}
	}
	work.Wait()
	<-ctx.Done()
	return nil
}

// listenOn keeps one socket open.
func (a *Adapter) listenOn(ctx context.Context, in bot.Inbox) {
	for wait := redialAfter; ctx.Err() == nil; wait = min(2*wait, redialMost) {
		err := a.listenOnce(ctx, in)
		if ctx.Err() != nil {
			break
		}
		a.log.ErrorContext(ctx, "Slack refuses the socket", "adapter", Name, "err", a.redact(err))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// listenOnce returns when the library gives up: it reconnects by itself, but not with a token that Slack refuses.
func (a *Adapter) listenOnce(ctx context.Context, in bot.Inbox) error {
	c := &call{a: a, max: apihttp.MaxAnswer}
	api := slack.New(a.cfg.BotToken.Reveal(), slack.OptionAPIURL(a.cfg.apiURL()), slack.OptionHTTPClient(c), slack.OptionAppLevelToken(a.cfg.AppToken.Reveal()))
	client := socketmode.New(api, socketmode.OptionReadLimit(maxFrame), socketmode.OptionDialer(&websocket.Dialer{
		Proxy:            http.ProxyFromEnvironment,
		HandshakeTimeout: socketTimeout,
		WriteBufferSize:  32 << 10, // an acknowledgement must leave in one frame
		NetDialContext:   (&net.Dialer{Timeout: socketTimeout, KeepAlive: keepAlive}).DialContext,
	}))
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	work.Go(func() { a.drain(ctx, client, in) })
	return client.RunContext(ctx)
}

// drain takes what the socket brings. The work is done elsewhere: the library has room for 50, and stops reading then.
func (a *Adapter) drain(ctx context.Context, client *socketmode.Client, in bot.Inbox) {
	var work sync.WaitGroup
	defer work.Wait()
	room := make(chan struct{}, maxAtOnce)
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-client.Events:
			if event.Request == nil {
				a.notice(ctx, client, event)
				continue
			}
			room <- struct{}{}
			work.Go(func() {
				defer func() { <-room }()
				a.hear(ctx, client, event, in)
			})
		}
	}
}

// notice is for what the library itself has to say. An event that it cannot parse is one that we need not know, and is acknowledged,
// or Slack would send it three times more.
func (a *Adapter) notice(ctx context.Context, client *socketmode.Client, event socketmode.Event) {
	switch about := event.Data.(type) {
	case *slack.ConnectionErrorEvent:
		a.log.WarnContext(ctx, "Slack's socket cannot be opened, trying again", "adapter", Name, "err", a.redact(about.ErrorObj))
	case *socketmode.ErrorBadMessage:
		var request socketmode.Request
		if json.Unmarshal(about.Message, &request) == nil && request.EnvelopeID != "" {
			_ = client.AckCtx(ctx, request.EnvelopeID, nil)
		}
	}
}

func (a *Adapter) redact(err error) error {
	return apihttp.Redact(err, a.cfg.BotToken.Reveal(), a.cfg.AppToken.Reveal())
}

// hear handles one envelope. It is acknowledged once it is taken care of; one that is not Slack delivers again.
func (a *Adapter) hear(ctx context.Context, client *socketmode.Client, event socketmode.Event, in bot.Inbox) {
	id := event.Request.EnvelopeID
	switch event.Type {
	case socketmode.EventTypeSlashCommand:
		a.socketCommand(ctx, client, event, in)
	case socketmode.EventTypeEventsAPI:
		if s, ok := readSpoken(event.Request.Payload); ok {
			_ = client.AckCtx(ctx, id, nil)
			a.hearSpoken(ctx, in, s)
			return
		}
		var env envelope
		if json.Unmarshal(event.Request.Payload, &env) == nil && a.record(ctx, env, in) != nil {
			return
		}
		_ = client.AckCtx(ctx, id, nil)
	case socketmode.EventTypeInteractive:
		var it interaction
		if json.Unmarshal(event.Request.Payload, &it) != nil {
			_ = client.AckCtx(ctx, id, nil)
			return
		}
		a.interact(ctx, in, it, id, socketReply(ctx, client, id))
	}
}

// socketReply acknowledges an envelope. The library refuses bodies of 20 KiB and more, which Slack would drop: it is acknowledged then
// without one, and the response URL takes it.
func socketReply(ctx context.Context, client *socketmode.Client, id string) reply {
	return func(body any, _ bool) bool {
		if client.AckCtx(ctx, id, body) == nil {
			return true
		}
		_ = client.AckCtx(ctx, id, nil)
		return false
	}
}

func (a *Adapter) socketCommand(ctx context.Context, client *socketmode.Client, event socketmode.Event, in bot.Inbox) {
	slash, _ := event.Data.(slack.SlashCommand)
	id := slash.TriggerID
	if id == "" {
		id = event.Request.EnvelopeID
	}
	cmd, err := a.toCommand(slash, id)
	if err != nil {
		a.log.WarnContext(ctx, "malformed command", "adapter", Name, "err", err)
		_ = client.AckCtx(ctx, event.Request.EnvelopeID, nil)
		return
	}
	a.slash(ctx, in, cmd, slash, socketReply(ctx, client, event.Request.EnvelopeID))
}
