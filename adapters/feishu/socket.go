package feishu

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// The long connection 长连接: we ask for an address, dial it, and the platform sends events over the WebSocket. Source: the official Go
// client (github.com/larksuite/oapi-sdk-go v3.11.0, package ws) and open.feishu.cn, 使用长连接接收事件, read 2026-11.
//
// That client is not used here, only run against the stand-in (docs/clients). An event that comes in several frames is put together by several
// goroutines without a lock: of 2000 events in seven frames each, 3 were lost on an idle machine. It writes to standard output, where only
// results belong, as soon as its dispatcher is made, and no option hinders it. Each client leaves the goroutine of its cache behind when it is
// closed. After a cut it waits as long as the platform says, up to half a minute and then two minutes. Its calls repeat a stale token instead
// of fetching another. It brings 140 generated packages, which take 100 s of processor time to compile, and 2.6 MB.
const (
	pathEndpoint = "/callback/ws/endpoint"

	socketLines  = 2 // connections at a time: while one is dialled again the other hears. The platform allows an app 50
	socketDial   = 15 * time.Second
	socketWrite  = 5 * time.Second
	pingDefault  = 2 * time.Minute // where the platform names none
	pingLeast    = time.Second
	backoffFirst = time.Second
	backoffMost  = time.Minute
	// pieceLife is how long the pieces of one event are waited for.
	pieceLife = 5 * time.Second
	// maxPieces is how many pieces an event may have, and maxPieced how many such events may be incomplete at once. Our own choice.
	maxPieces = 64
	maxPieced = 64
)

var _ bot.Listener = (*Adapter)(nil)

// Listen hears messages and events over the long connection until ctx ends. With mode http, or without credentials, it only waits. The
// platform gives each event to one of an app's connections (at most 50), so that several replicas may listen.
func (a *Adapter) Listen(ctx context.Context, in bot.Inbox) error {
	if !a.cfg.Enabled() || a.cfg.Mode == ModeHTTP {
		<-ctx.Done()
		return nil
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	l := &listener{a: a, in: in, work: work, slots: make(chan struct{}, maxHandlers)}
	var lines sync.WaitGroup
	for range socketLines {
		lines.Go(func() { l.run(ctx) })
	}
	lines.Wait()
	grace := time.AfterFunc(a.socketGrace, stop)
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

// run keeps one connection, until ctx ends.
func (l *listener) run(ctx context.Context) {
	wait := backoffFirst
	for ctx.Err() == nil {
		c, err := l.open(ctx)
		if err == nil {
			l.a.log.Info("long connection stands", "adapter", Name)
			start := time.Now()
			err = c.serve(ctx)
			c.conn.Close()
			if time.Since(start) > backoffMost {
				wait = backoffFirst
			}
		}
		wait = l.pause(ctx, wait, err)
	}
}

// pause logs err, waits, and returns how long to wait the next time.
func (l *listener) pause(ctx context.Context, wait time.Duration, err error) time.Duration {
	if ctx.Err() != nil {
		return wait
	}
	if fault, ok := errors.AsType[*bot.SendError](err); ok && fault.Fault == bot.Permanent {
		l.a.log.Error("long connection refused", "adapter", Name, "err", err, "again_in", l.a.again)
		wait = l.a.again
	} else {
		l.a.log.Warn("no long connection", "adapter", Name, "err", err, "again_in", wait)
	}
	select {
	case <-time.After(wait/2 + rand.N(wait)):
	case <-ctx.Done():
	}
	return min(2*wait, backoffMost)
}

// open asks for an address and dials it.
func (l *listener) open(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, socketDial)
	defer cancel()
	body := apihttp.JSONBody(map[string]string{"AppID": l.a.cfg.AppID, "AppSecret": l.a.cfg.AppSecret.Reveal()})
	ans, fault := l.a.call(ctx, http.MethodPost, l.a.api+pathEndpoint, "", body, func(ans answer) bool { return ans.Data.URL != "" })
	if fault != nil {
		return nil, fault.SendError
	}
	u, err := url.Parse(ans.Data.URL)
	if err != nil || u.Scheme != "wss" && (u.Scheme != "ws" || !apihttp.Loopback(u.Host)) {
		return nil, errors.New("the platform named an address that is no wss:// URL")
	}
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: socketDial}
	conn, resp, err := dialer.DialContext(ctx, u.String(), nil)
	if resp != nil {
		resp.Body.Close()
	}
	if err != nil {
		if why := handshakeError(resp); why != "" {
			err = fmt.Errorf("%w: %s", err, why)
		}
		return nil, apihttp.Redact(err, apihttp.SecretsIn(u.String())...)
	}
	conn.SetReadLimit(apihttp.MaxInbound)
	service, _ := strconv.ParseUint(u.Query().Get("service_id"), 10, 31)
	c := &link{l: l, conn: conn, service: service, config: make(chan time.Duration, 1), pieces: map[string]*pieced{}}
	c.every = ans.Data.Config.ping()
	return c, nil
}

// handshakeError is what the platform says about a connection that it refuses: 514 with 1000040350 is one too many (50 per app).
func handshakeError(resp *http.Response) string {
	if resp == nil || resp.Header.Get("Handshake-Status") == "" {
		return ""
	}
	h := resp.Header
	return apihttp.Excerpt([]byte(h.Get("Handshake-Status") + " " + h.Get("Handshake-Autherrcode") + " " + h.Get("Handshake-Msg")))
}

// clientConfig is what the platform asks of a client, when the connection is made and with each pong.
type clientConfig struct {
	PingInterval int64 // seconds
}

func (c clientConfig) ping() time.Duration {
	if c.PingInterval <= 0 || c.PingInterval > int64(time.Hour/time.Second) {
		return pingDefault
	}
	return max(time.Duration(c.PingInterval)*time.Second, pingLeast)
}

// link is one connection.
type link struct {
	l       *listener
	conn    *websocket.Conn
	service uint64
	write   sync.Mutex

	config chan time.Duration // to the pinger: a new interval
	every  time.Duration      // between pings; of the reader
	pieces map[string]*pieced // of the reader
}

// pieced is an event that comes in several frames.
type pieced struct {
	parts [][]byte
	since time.Time
}

// serve reads frames until the connection ends.
func (c *link) serve(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { c.conn.Close() })()
	done := make(chan struct{})
	var pinger sync.WaitGroup
	every := c.every
	pinger.Go(func() { c.ping(done, every) })
	defer pinger.Wait()
	defer close(done)
	for {
		// A platform that is gone without a word is found out when two pings had no answer.
		_ = c.conn.SetReadDeadline(time.Now().Add(2*c.every + socketWrite))
		kind, raw, err := c.conn.ReadMessage()
		if err != nil {
			return apihttp.Redact(err)
		}
		f, err := unmarshalFrame(raw)
		if err != nil || kind != websocket.BinaryMessage {
			c.l.a.log.Warn("frame of the long connection is malformed", "adapter", Name)
			continue
		}
		c.handle(f)
	}
}

// ping keeps the connection alive, until done.
func (c *link) ping(done <-chan struct{}, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		c.send(frame{service: c.service, method: methodControl, headers: []frameHeader{{"type", "ping"}}})
		select {
		case <-tick.C:
		case every = <-c.config:
			tick.Reset(every)
		case <-done:
			return
		}
	}
}

// handle takes one frame. Work goes to a goroutine, which Listen waits for.
func (c *link) handle(f frame) {
	switch {
	case f.method == methodControl:
		c.pong(f)
		return
	case f.method != methodData || f.get("type") != "event":
		return
	}
	payload, whole := c.join(f)
	if !whole {
		return
	}
	select {
	case c.l.slots <- struct{}{}:
		c.l.handlers.Go(func() {
			defer func() { <-c.l.slots }()
			c.event(f, payload)
		})
	default:
		c.l.a.log.Warn("too many events at once; this one is left for redelivery", "adapter", Name)
		c.answer(f, http.StatusServiceUnavailable)
	}
}

// pong may bring a new configuration.
func (c *link) pong(f frame) {
	var config clientConfig
	if f.get("type") != "pong" || len(f.payload) == 0 || json.Unmarshal(f.payload, &config) != nil || config.ping() == c.every {
		return
	}
	c.every = config.ping()
	select {
	case c.config <- c.every:
	default: // the next pong says it again
	}
}

// join puts the pieces of an event together; whole is false while some are missing.
func (c *link) join(f frame) (payload []byte, whole bool) {
	sum, _ := strconv.Atoi(f.get("sum"))
	seq, _ := strconv.Atoi(f.get("seq"))
	if sum <= 1 {
		return f.payload, true
	}
	id := f.get("message_id")
	now := time.Now()
	for other, p := range c.pieces {
		if now.Sub(p.since) > pieceLife {
			delete(c.pieces, other)
		}
	}
	p := c.pieces[id]
	if p == nil && sum <= maxPieces && len(c.pieces) < maxPieced {
		p = &pieced{make([][]byte, sum), now}
		c.pieces[id] = p
	}
	if p == nil || seq < 0 || seq >= len(p.parts) {
		c.l.a.log.Warn("piece of an event fits nowhere", "adapter", Name)
		return nil, false
	}
	p.parts[seq] = f.payload
	if slices.ContainsFunc(p.parts, func(part []byte) bool { return part == nil }) {
		return nil, false
	}
	delete(c.pieces, id)
	return bytes.Join(p.parts, nil), true
}

// event acknowledges a message at once, as the platform waits 3 s only, and answers when the command is done; another event is
// acknowledged when the core has it.
func (c *link) event(f frame, payload []byte) {
	var p pushed
	a := c.l.a
	if json.Unmarshal(payload, &p) != nil || !a.ours(p) {
		a.log.Warn("event is malformed, or for another app", "adapter", Name)
		c.answer(f, http.StatusOK) // it will not be better the next time
		return
	}
	if p.Header.EventType != typeMessage {
		ctx, cancel := context.WithTimeout(c.l.work, eventWithin)
		defer cancel()
		status := http.StatusOK
		if a.takeEvent(ctx, c.l.in, p) != nil {
			status = http.StatusInternalServerError // pushed again
		}
		c.answer(f, status)
		return
	}
	c.answer(f, http.StatusOK)
	m, err := p.message()
	if err != nil {
		a.log.Warn("message is malformed", "adapter", Name, "err", err)
		return
	}
	a.answerCommand(c.l.work, c.l.in, p, m)
}

// answer sends the one answer that an event gets.
func (c *link) answer(f frame, status int) {
	f.headers = append(slices.Clone(f.headers), frameHeader{"biz_rt", "0"})
	f.payload = apihttp.EncodeJSON(map[string]any{"code": status, "headers": nil, "data": nil})
	c.send(f)
}

func (c *link) send(f frame) {
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(socketWrite))
	_ = c.conn.WriteMessage(websocket.BinaryMessage, f.marshal()) // a lost answer is a push again; the reader sees a dead connection
}
