package twin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Socket Mode: the app dials in, so nothing is signed. Source: docs.slack.dev, using Socket Mode, read 2026-11.
const (
	maxSockets = 10
	// maxAck is the size of a frame, in bytes, from which Slack drops it without a word. Source: slack-go v0.35.0, socketmode.
	maxAck     = 20 << 10
	pingEvery  = 5 * time.Second
	socketWait = 10 * time.Second
)

var errNoSocket = errors.New("no app is connected")

// socket is one connected app.
type socket struct {
	conn *websocket.Conn
	mu   sync.Mutex // one writer at a time

	acks sync.Map // envelope id → chan json.RawMessage
}

func (s *socket) write(v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.conn.SetWriteDeadline(time.Now().Add(socketWait))
	return s.conn.WriteJSON(v)
}

// connectionsOpen is apps.connections.open: a URL that works once.
func (t *Twin) connectionsOpen(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case token == "":
		t.answer(w, "apps.connections.open", "", refusal("not_authed"))
		return
	case t.opt.AppToken != "" && token != t.opt.AppToken:
		t.answer(w, "apps.connections.open", "", refusal("invalid_auth"))
		return
	}
	t.mu.Lock()
	ticket := t.nextTS(t.opt.Now())
	t.tickets[ticket] = true
	base := "ws" + strings.TrimPrefix(t.url, "http")
	t.mu.Unlock()
	t.answer(w, "apps.connections.open", "", result{fields: map[string]any{"url": base + "/link?ticket=" + ticket}})
}

func (t *Twin) link(w http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	t.mu.Lock()
	ok := t.tickets[ticket] && len(t.sockets) < maxSockets
	delete(t.tickets, ticket)
	t.mu.Unlock()
	if !ok {
		http.Error(w, "expired ticket, or too many websockets", http.StatusForbidden)
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	s := &socket{conn: conn}
	_ = s.write(map[string]any{"type": "hello", "num_connections": 1, "connection_info": map[string]any{"app_id": appID}})
	_ = conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(socketWait))
	t.mu.Lock()
	t.sockets = append(t.sockets, s)
	t.opened++
	t.mu.Unlock()
	stop := make(chan struct{})
	go s.ping(stop)
	s.read()
	close(stop)
	_ = conn.Close()
	t.forget(s)
}

func (s *socket) ping(stop chan struct{}) {
	ticker := time.NewTicker(pingEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(socketWait))
		case <-stop:
			return
		}
	}
}

// read takes acknowledgements until the app hangs up.
func (s *socket) read() {
	for {
		_, frame, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		var ack struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		if len(frame) >= maxAck || json.Unmarshal(frame, &ack) != nil {
			continue
		}
		if waiting, ok := s.acks.LoadAndDelete(ack.EnvelopeID); ok {
			waiting.(chan json.RawMessage) <- ack.Payload
		}
	}
}

func (t *Twin) forget(s *socket) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, other := range t.sockets {
		if other == s {
			t.sockets = append(t.sockets[:k:k], t.sockets[k+1:]...)
			return
		}
	}
}

// Connected says how many sockets are open.
func (t *Twin) Connected() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.sockets)
}

// Opened says how many sockets there have been.
func (t *Twin) Opened() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.opened
}

// Disconnect asks every app to connect anew, as Slack does each hour.
func (t *Twin) Disconnect() {
	t.mu.Lock()
	sockets := append([]*socket(nil), t.sockets...)
	t.mu.Unlock()
	for _, s := range sockets {
		_ = s.write(map[string]any{"type": "disconnect", "reason": "refresh_requested"})
	}
}

// envelope sends one payload over the newest socket and waits for its acknowledgement.
func (t *Twin) envelope(ctx context.Context, kind string, payload any) (json.RawMessage, error) {
	t.mu.Lock()
	if len(t.sockets) == 0 {
		t.mu.Unlock()
		return nil, errNoSocket
	}
	s := t.sockets[len(t.sockets)-1]
	id := "envelope-" + t.nextTS(t.opt.Now())
	t.mu.Unlock()

	ack := make(chan json.RawMessage, 1)
	s.acks.Store(id, ack)
	defer s.acks.Delete(id)
	err := s.write(map[string]any{"envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": kind != "events_api"})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case payload := <-ack:
		return payload, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// SocketCommand sends c over Socket Mode, and keeps the answer as a post, as a member would see it.
func (t *Twin) SocketCommand(ctx context.Context, c Command) (Answer, error) {
	form, err := url.ParseQuery(string(t.CommandForm(c)))
	if err != nil {
		return Answer{}, err
	}
	payload := map[string]string{}
	for name := range form {
		payload[name] = form.Get(name)
	}
	raw, err := t.envelope(ctx, "slash_commands", payload)
	if err != nil {
		return Answer{Timeout: ctx.Err() == nil}, err
	}
	return t.answered(cmp.Or(c.Channel, channelDefault), http.StatusOK, raw), nil
}

// SocketEvent sends e over Socket Mode.
func (t *Twin) SocketEvent(ctx context.Context, e Event) error {
	raw, err := t.eventBody(e)
	if err != nil {
		return err
	}
	_, err = t.envelope(ctx, "events_api", json.RawMessage(raw))
	return err
}
