package twin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"weeklybot/adapters/internal/standin"
)

const (
	ticketLife    = 90 * time.Second // one connection each. Source: developerpedia, learn/stream/protocol.md, read 2026-11
	streamTimeout = 3 * time.Second  // for the answer to a frame
	movedLife     = 10 * time.Second // until a connection that was moved elsewhere is cut (same page)
)

// streams is the gateway of Stream mode.
type streams struct {
	mu      sync.Mutex
	tickets map[string]time.Time // end of life
	conns   []*streamConn
	serial  int
}

// streamConn is one bot's connection.
type streamConn struct {
	conn  *websocket.Conn
	write sync.Mutex
	moved bool // nothing more is delivered here; guarded by streams.mu

	mu      sync.Mutex
	waiting map[string]chan StreamAnswer // messageId
}

// StreamAnswer is what a bot answers to a frame.
type StreamAnswer struct {
	Code    int               `json:"code"`
	Message string            `json:"message"`
	Headers map[string]string `json:"headers"`
	Data    string            `json:"data"`
}

// openGateway is POST /v1.0/gateway/connections/open.
func (t *Twin) openGateway(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		ClientID, ClientSecret string
		Subscriptions          []struct{ Type, Topic string }
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	switch {
	case err != nil || json.Unmarshal(body, &ask) != nil || len(ask.Subscriptions) == 0:
		t.refuse(w, r, openAPI, refuse("invalidParameter", "subscriptions are missing"))
		return
	case ask.ClientID == "" || ask.ClientID != t.opt.ClientID || ask.ClientSecret != t.opt.ClientSecret:
		t.refuse(w, r, openAPI, &refusal{status: http.StatusUnauthorized, code: "authFailed", message: "鉴权失败"})
		return
	}
	ticket := standin.RandomHex(16)
	t.stream.mu.Lock()
	t.stream.tickets[ticket] = t.opt.Now().Add(ticketLife)
	t.stream.mu.Unlock()
	endpoint := "ws://" + r.Host + "/connect"
	if !strings.Contains(r.Header.Get("Accept"), "application/json") { // the platform answers in XML then
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, "<Response><endpoint>"+endpoint+"</endpoint><ticket>"+ticket+"</ticket></Response>")
		return
	}
	standin.WriteJSON(w, http.StatusOK, map[string]any{"endpoint": endpoint, "ticket": ticket})
}

var upgrader = websocket.Upgrader{}

// connect is GET /connect: the WebSocket.
func (t *Twin) connect(w http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	t.stream.mu.Lock()
	end, known := t.stream.tickets[ticket]
	delete(t.stream.tickets, ticket)
	t.stream.mu.Unlock()
	if !known || !t.opt.Now().Before(end) {
		t.note(r, http.StatusUnauthorized, "ticket", "unknown, used or expired ticket")
		http.Error(w, "ticket is not good", http.StatusUnauthorized)
		return
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &streamConn{conn: conn, waiting: map[string]chan StreamAnswer{}}
	t.stream.mu.Lock()
	t.stream.conns = append(t.stream.conns, c)
	t.stream.mu.Unlock()
	c.read()
	t.stream.mu.Lock()
	t.stream.conns = slices.DeleteFunc(t.stream.conns, func(o *streamConn) bool { return o == c })
	t.stream.mu.Unlock()
	conn.Close()
}

// read hands answers to those who wait for them, until the connection ends.
func (c *streamConn) read() {
	for {
		var a StreamAnswer
		_, raw, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		if json.Unmarshal(raw, &a) != nil {
			continue
		}
		c.mu.Lock()
		if wait := c.waiting[a.Headers["messageId"]]; wait != nil {
			wait <- a // room for one, and taken out below
			delete(c.waiting, a.Headers["messageId"])
		}
		c.mu.Unlock()
	}
}

// Connections is how many bots are connected.
func (t *Twin) Connections() int {
	t.stream.mu.Lock()
	defer t.stream.mu.Unlock()
	return len(t.stream.conns)
}

// CutStreams closes the n oldest connections without a word.
func (t *Twin) CutStreams(n int) {
	t.stream.mu.Lock()
	defer t.stream.mu.Unlock()
	for _, c := range t.stream.conns[:min(n, len(t.stream.conns))] {
		c.conn.Close()
	}
}

// Frame sends one frame over one connection, chosen at random, and waits for its answer. The error says also that nobody listens
// or answers in time.
func (t *Twin) Frame(ctx context.Context, kind string, headers map[string]string, data any) (StreamAnswer, error) {
	t.stream.mu.Lock()
	t.stream.serial++
	id := "frame" + strconv.Itoa(t.stream.serial)
	var c *streamConn
	if open := slices.DeleteFunc(slices.Clone(t.stream.conns), func(c *streamConn) bool { return c.moved }); len(open) > 0 {
		c = open[rand.N(len(open))]
	}
	t.stream.mu.Unlock()
	if c == nil {
		return StreamAnswer{}, errors.New("no bot is connected")
	}
	inner, err := json.Marshal(data)
	if err != nil {
		return StreamAnswer{}, err
	}
	all := map[string]string{"messageId": id, "contentType": "application/json", "time": strconv.FormatInt(t.opt.Now().UnixMilli(), 10)}
	for name, value := range headers {
		all[name] = value
	}
	answer := make(chan StreamAnswer, 1)
	c.mu.Lock()
	c.waiting[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
	}()
	if err := c.send(map[string]any{"specVersion": "1.0", "type": kind, "headers": all, "data": string(inner)}); err != nil {
		return StreamAnswer{}, err
	}
	select {
	case a := <-answer:
		return a, nil
	case <-time.After(cmp.Or(t.opt.HookTimeout, streamTimeout)):
		return StreamAnswer{}, errors.New("no answer to a frame in time")
	case <-ctx.Done():
		return StreamAnswer{}, ctx.Err()
	}
}

func (c *streamConn) send(v any) error {
	c.write.Lock()
	defer c.write.Unlock()
	return c.conn.WriteJSON(v)
}

// SayStream brings a member's message to a connected bot.
func (t *Twin) SayStream(ctx context.Context, s Said) (StreamAnswer, error) {
	_, body := t.callback(s)
	return t.Frame(ctx, "CALLBACK", map[string]string{"topic": "/v1.0/im/bot/messages/get"}, body)
}

// StreamEvent brings an event to a connected bot.
func (t *Twin) StreamEvent(ctx context.Context, id, eventType string, data map[string]any) (StreamAnswer, error) {
	return t.Frame(ctx, "EVENT", map[string]string{"topic": "*", "eventType": eventType, "eventId": cmp.Or(id, standin.RandomHex(8)),
		"eventCorpId": t.opt.CorpID, "eventBornTime": strconv.FormatInt(t.opt.Now().UnixMilli(), 10)}, data)
}

// MoveStreams announces to the n oldest connections left that they end, as the platform does to balance load. Nothing more is delivered there.
func (t *Twin) MoveStreams(n int) {
	t.stream.mu.Lock()
	defer t.stream.mu.Unlock()
	for _, c := range t.stream.conns {
		if c.moved || n == 0 {
			continue
		}
		c.moved = true
		n--
		_ = c.send(map[string]any{"specVersion": "1.0", "type": "SYSTEM", "data": `{"reason":"load balance"}`,
			"headers": map[string]string{"topic": "disconnect", "messageId": "move", "contentType": "application/json"}})
		time.AfterFunc(movedLife, func() { c.conn.Close() })
	}
}
