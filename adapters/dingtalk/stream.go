package dingtalk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Stream mode: we ask the gateway for an address and a ticket, dial it, and the platform sends frames over the WebSocket. Source:
// open-dingtalk/developerpedia, learn/stream/protocol.md, read 2026-11. The official Go client is not used here: it logs tickets and
// messages through a global logger, its goroutines outlive Close, and it stays deaf for more than 3 s at each change of connection.
// The twin is tested with it instead.
const (
	pathGateway  = "/v1.0/gateway/connections/open"
	topicMessage = "/v1.0/im/bot/messages/get"

	streamPing     = 30 * time.Second // between our pings
	streamDeadline = 90 * time.Second // without any frame the connection is taken for dead
	streamWrite    = 5 * time.Second
	streamDial     = 15 * time.Second
	streamGrace    = 5 * time.Second // for commands that are running when Listen ends
	backoffFirst   = time.Second
	backoffMost    = time.Minute
	// eventWithin: an unanswered push is given up after 3 s. Source: appendix-b-proposals-for-rational-use-of-resources, read 2026-11.
	eventWithin = 2 * time.Second
	// maxHandlers is how many frames are worked on at once. More are left unanswered, and pushed again.
	maxHandlers = 256
)

var _ bot.Listener = (*Adapter)(nil)

// Listen hears messages and events over Stream mode until ctx ends. With mode http, or without credentials, it only waits. The
// platform gives each message to one of an organisation's connections, so that several replicas may listen.
func (a *Adapter) Listen(ctx context.Context, in bot.Inbox) error {
	if !a.cfg.Enabled() || a.cfg.Mode == ModeHTTP {
		<-ctx.Done()
		return nil
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	l := &listener{a: a, in: in, work: work, slots: make(chan struct{}, maxHandlers)}
	l.run(ctx)
	grace := time.AfterFunc(a.streamGrace, stop)
	defer grace.Stop()
	l.handlers.Wait()
	return nil
}

// listener is one run of Listen.
type listener struct {
	a        *Adapter
	in       bot.Inbox
	work     context.Context // of the handlers: it outlives a connection
	slots    chan struct{}
	handlers sync.WaitGroup
}

// run keeps one connection. The old one is closed when its successor stands: nothing is lost when the platform moves us.
func (l *listener) run(ctx context.Context) {
	var old *link
	wait := backoffFirst
	for ctx.Err() == nil {
		c, err := l.open(ctx)
		old.close()
		old = nil
		if err != nil {
			wait = l.pause(ctx, wait, err)
			continue
		}
		l.a.log.Info("stream connected", "adapter", Name)
		start := time.Now()
		moved := c.serve(ctx)
		if old = c; !moved {
			old.close()
		}
		lived := time.Since(start)
		if lived > backoffMost {
			wait = backoffFirst
		}
		if !moved || lived < backoffFirst { // a gateway that moves us on and on must not be hammered
			wait = l.pause(ctx, wait, errors.New("connection ended"))
		}
	}
	old.close()
}

// pause logs err, waits, and returns how long to wait the next time.
func (l *listener) pause(ctx context.Context, wait time.Duration, err error) time.Duration {
	if ctx.Err() != nil {
		return wait
	}
	if fault, ok := errors.AsType[*bot.SendError](err); ok && fault.Fault == bot.Permanent {
		l.a.log.Error("stream refused", "adapter", Name, "err", err, "again_in", backoffMost)
		wait = backoffMost
	} else {
		l.a.log.Warn("stream not connected", "adapter", Name, "err", err, "again_in", wait)
	}
	select {
	case <-time.After(wait/2 + rand.N(wait)):
	case <-ctx.Done():
	}
	return min(2*wait, backoffMost)
}

// open asks for a ticket and dials.
func (l *listener) open(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, streamDial)
	defer cancel()
	type subscription struct {
		Type  string `json:"type"`
		Topic string `json:"topic"`
	}
	body := encode(struct {
		ClientID      string         `json:"clientId"`
		ClientSecret  string         `json:"clientSecret"`
		Subscriptions []subscription `json:"subscriptions"`
		UA            string         `json:"ua"`
	}{l.a.cfg.ClientID, l.a.cfg.ClientSecret.Reveal(), []subscription{{"CALLBACK", topicMessage}, {"EVENT", "*"}}, "weeklybot"})
	ans, fault := l.a.post(ctx, l.a.api+pathGateway, "", body, func(ans answer) bool { return ans.Endpoint != "" && ans.Ticket != "" })
	if fault != nil {
		return nil, fault.SendError
	}
	u, err := url.Parse(ans.Endpoint)
	if err != nil || u.Scheme != "wss" && (u.Scheme != "ws" || !apihttp.Loopback(u.Host)) {
		return nil, errors.New("the gateway named an address that is no wss:// URL")
	}
	q := u.Query()
	q.Set("ticket", ans.Ticket)
	u.RawQuery = q.Encode()
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: streamDial}
	conn, resp, err := dialer.DialContext(ctx, u.String(), nil)
	if resp != nil {
		resp.Body.Close()
	}
	if err != nil {
		return nil, apihttp.Redact(err, u.String(), ans.Ticket)
	}
	conn.SetReadLimit(apihttp.MaxInbound)
	return &link{l: l, conn: conn}, nil
}

// link is one connection.
type link struct {
	l     *listener
	conn  *websocket.Conn
	write sync.Mutex
}

func (c *link) close() {
	if c != nil {
		c.conn.Close()
	}
}

// serve reads frames until the connection ends, or the platform moves us to another one.
func (c *link) serve(ctx context.Context) (moved bool) {
	defer context.AfterFunc(ctx, c.close)()
	done := make(chan struct{})
	var pinger sync.WaitGroup
	pinger.Go(func() { c.ping(done) })
	defer pinger.Wait()
	defer close(done)

	alive := func(string) error { return c.conn.SetReadDeadline(time.Now().Add(streamDeadline)) }
	c.conn.SetPongHandler(alive)
	for {
		_ = alive("")
		_, raw, err := c.conn.ReadMessage()
		if err != nil {
			return false
		}
		var f frame
		if json.Unmarshal(raw, &f) != nil {
			c.l.a.log.Warn("stream frame is no JSON", "adapter", Name)
			continue
		}
		if f.Type == "SYSTEM" && f.Headers["topic"] == "disconnect" {
			return true
		}
		c.handle(f)
	}
}

// ping keeps the connection alive, until done.
func (c *link) ping(done <-chan struct{}) {
	tick := time.NewTicker(streamPing)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(streamWrite)) // a dead one ends the reader
		case <-done:
			return
		}
	}
}

// frame is what the platform sends. data is JSON in a string.
type frame struct {
	Type    string            `json:"type"`
	Headers map[string]scalar `json:"headers"`
	Data    string            `json:"data"`
}

// handle answers one frame. Work goes to a goroutine, which Listen waits for.
func (c *link) handle(f frame) {
	var work func()
	switch {
	case f.Type == "SYSTEM":
		c.answer(f, http.StatusOK, "OK", f.Data)
		return
	case f.Type == "CALLBACK" && f.Headers["topic"] == topicMessage:
		work = func() { c.message(f) }
	case f.Type == "EVENT":
		work = func() { c.event(f) }
	default:
		c.answer(f, http.StatusNotFound, "no handler", "")
		return
	}
	select {
	case c.l.slots <- struct{}{}:
		c.l.handlers.Go(func() {
			defer func() { <-c.l.slots }()
			work()
		})
	default:
		c.l.a.log.Warn("too many stream frames at once; this one is left for redelivery", "adapter", Name)
	}
}

// message acknowledges at once, as the platform waits 3 s only, and answers when the command is done.
func (c *link) message(f frame) {
	c.answer(f, http.StatusOK, "OK", `{"response":null}`)
	m, err := decodeInbound([]byte(f.Data))
	if err != nil {
		c.l.a.log.Warn("stream message is malformed", "adapter", Name, "err", err)
		return
	}
	text, isText := m.words()
	switch {
	case m.quotaSpent():
		c.l.a.logQuota(m)
	case isText:
		ctx, cancel := context.WithTimeout(c.l.work, commandWithin)
		defer cancel()
		c.l.a.runCommand(ctx, c.l.in, m, text, func([]byte) bool { return false })
	}
}

func (c *link) event(f frame) {
	var data pushed
	p := pushed{EventType: string(f.Headers["eventType"]), EventID: string(f.Headers["eventId"]), CorpID: string(f.Headers["eventCorpId"]),
		TimeStamp: f.Headers["eventBornTime"], Data: &data}
	status := "SUCCESS"
	if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
		c.l.a.log.Warn("stream event is malformed", "adapter", Name, "err", err)
	} else if ev, ok := p.event(c.l.a.cfg.CorpID, c.l.a.now()); ok {
		ctx, cancel := context.WithTimeout(c.l.work, eventWithin)
		defer cancel()
		if err := c.l.in.Event(ctx, ev); err != nil {
			c.l.a.log.Error("event failed", "adapter", Name, "channel", ev.Channel.Address, "err", err)
			status = "LATER"
		}
	}
	c.answer(f, http.StatusOK, "OK", fmt.Sprintf(`{"status":%q,"message":""}`, status))
}

// answer sends the one answer that a frame gets.
func (c *link) answer(f frame, code int, message, data string) {
	reply := encode(struct {
		Code    int               `json:"code"`
		Message string            `json:"message"`
		Headers map[string]string `json:"headers"`
		Data    string            `json:"data"`
	}{code, message, map[string]string{"messageId": string(f.Headers["messageId"]), "contentType": "application/json"}, cmp.Or(data, "{}")})
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(streamWrite))
	_ = c.conn.WriteMessage(websocket.TextMessage, reply) // a lost answer is a push again; the reader sees a dead connection
}
