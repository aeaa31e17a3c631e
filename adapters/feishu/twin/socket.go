package twin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/encoding/protowire"

	"weeklybot/adapters/internal/standin"
)

// sockets are the long connections 长连接 of the app.
type sockets struct {
	mu      sync.Mutex
	tickets map[string]bool
	conns   []*socket
}

type socket struct {
	conn  *websocket.Conn
	write sync.Mutex

	mu      sync.Mutex
	waiting map[string]chan Ack
}

// Ack is how the bot answered an event.
type Ack struct{ Code int }

// frame is what both sides send, written apart from the adapter's on purpose: each checks the other.
type frame struct {
	numbers [5]uint64 // SeqID, LogID, service, method in 1 to 4
	headers map[string]string
	payload []byte
}

func (f frame) encode() []byte {
	var b []byte
	for k := 1; k <= 4; k++ {
		b = protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(k), protowire.VarintType), f.numbers[k])
	}
	for key, value := range f.headers {
		h := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), key)
		h = protowire.AppendString(protowire.AppendTag(h, 2, protowire.BytesType), value)
		b = protowire.AppendBytes(protowire.AppendTag(b, 5, protowire.BytesType), h)
	}
	if f.payload != nil {
		b = protowire.AppendBytes(protowire.AppendTag(b, 8, protowire.BytesType), f.payload)
	}
	return b
}

func decodeFrame(b []byte) (f frame, ok bool) {
	f.headers = map[string]string{}
	seen := 0
	ok = eachField(b, func(number protowire.Number, n uint64, text []byte) bool {
		switch number {
		case 1, 2, 3, 4:
			f.numbers[number] = n
			seen++
		case 5:
			var key, value string
			if !eachField(text, func(number protowire.Number, _ uint64, text []byte) bool {
				if number == 1 {
					key = string(text)
				} else {
					value = string(text)
				}
				return true
			}) {
				return false
			}
			f.headers[key] = value
		case 8:
			f.payload = text
		}
		return true
	})
	return f, ok && seen == 4 // all four are required
}

func eachField(b []byte, take func(protowire.Number, uint64, []byte) bool) bool {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return false
		}
		b = b[n:]
		var value uint64
		var text []byte
		switch kind {
		case protowire.VarintType:
			value, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			text, n = protowire.ConsumeBytes(b)
		default:
			n = -1
		}
		if n < 0 || !take(number, value, text) {
			return false
		}
		b = b[n:]
	}
	return true
}

// endpoint is POST /callback/ws/endpoint.
func (t *Twin) endpoint(w http.ResponseWriter, r *http.Request) {
	var ask struct{ AppID, AppSecret string }
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil || json.Unmarshal(body, &ask) != nil || ask.AppID != t.opt.AppID || ask.AppSecret != t.opt.AppSecret {
		t.refuse(w, r, http.StatusOK, refuse(10014, "app secret invalid"))
		return
	}
	t.mu.Lock()
	base := t.baseURL
	t.mu.Unlock()
	ticket := standin.RandomHex(16)
	t.sockets.mu.Lock()
	bounded(t.sockets.tickets)[ticket] = true
	t.sockets.mu.Unlock()
	q := url.Values{"device_id": {standin.RandomHex(8)}, "service_id": {"33554678"}, "access_key": {"twin"}, "ticket": {ticket}}
	standin.WriteJSON(w, http.StatusOK, map[string]any{"code": 0, "msg": "", "data": map[string]any{
		"URL":          "ws" + strings.TrimPrefix(base, "http") + "/ws?" + q.Encode(),
		"ClientConfig": clientConfig,
	}})
}

// clientConfig is what a client is asked to do. The platform says 120, 30 and 120: a stand-in need not be waited for.
var clientConfig = map[string]int{"ReconnectCount": -1, "ReconnectInterval": 1, "ReconnectNonce": 1, "PingInterval": 120}

// connect is the WebSocket: a ticket is good once, and an app has 50 connections.
func (t *Twin) connect(w http.ResponseWriter, r *http.Request) {
	t.sockets.mu.Lock()
	ticket := r.URL.Query().Get("ticket")
	known, many := t.sockets.tickets[ticket], len(t.sockets.conns) >= maxSockets
	delete(t.sockets.tickets, ticket)
	t.sockets.mu.Unlock()
	if !known || many {
		w.Header().Set("Handshake-Status", "514")
		w.Header().Set("Handshake-Msg", "auth failed")
		if many {
			w.Header().Set("Handshake-Autherrcode", "1000040350")
			w.Header().Set("Handshake-Msg", "the number of connections exceeded the limit")
		}
		w.WriteHeader(http.StatusForbidden)
		return
	}
	conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	s := &socket{conn: conn, waiting: map[string]chan Ack{}}
	t.sockets.mu.Lock()
	t.sockets.conns = append(t.sockets.conns, s)
	t.sockets.mu.Unlock()
	s.read()
	conn.Close()
	t.sockets.mu.Lock()
	defer t.sockets.mu.Unlock()
	for k, other := range t.sockets.conns {
		if other == s {
			t.sockets.conns = append(t.sockets.conns[:k:k], t.sockets.conns[k+1:]...)
			break
		}
	}
}

// read answers pings and takes acknowledgements, until the connection ends.
func (s *socket) read() {
	for {
		kind, raw, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		f, ok := decodeFrame(raw)
		if !ok || kind != websocket.BinaryMessage {
			return // the platform cuts who does not speak its language
		}
		if f.headers["type"] == "ping" {
			config, _ := json.Marshal(clientConfig)
			s.send(frame{numbers: f.numbers, headers: map[string]string{"type": "pong"}, payload: config})
			continue
		}
		var ack Ack
		_ = json.Unmarshal(f.payload, &ack)
		s.mu.Lock()
		if wait := s.waiting[f.headers["message_id"]]; wait != nil {
			delete(s.waiting, f.headers["message_id"])
			wait <- ack
		}
		s.mu.Unlock()
	}
}

func (s *socket) send(f frame) {
	s.write.Lock()
	defer s.write.Unlock()
	_ = s.conn.WriteMessage(websocket.BinaryMessage, f.encode())
}

// Connections is how many long connections stand.
func (t *Twin) Connections() int {
	t.sockets.mu.Lock()
	defer t.sockets.mu.Unlock()
	return len(t.sockets.conns)
}

// CutSockets ends the n oldest long connections without a word.
func (t *Twin) CutSockets(n int) {
	t.sockets.mu.Lock()
	defer t.sockets.mu.Unlock()
	n = min(n, len(t.sockets.conns))
	for _, s := range t.sockets.conns[:n] {
		s.conn.Close()
	}
	t.sockets.conns = t.sockets.conns[n:] // nothing is sent there any more
}

// SaySocket sends a member's message over a long connection and waits for its acknowledgement, at most 3 s.
func (t *Twin) SaySocket(ctx context.Context, s Said) (Ack, error) {
	return t.pushSocket(ctx, t.event(s), 1)
}

// SayPieces is SaySocket in n frames.
func (t *Twin) SayPieces(ctx context.Context, s Said, n int) (Ack, error) {
	return t.pushSocket(ctx, t.event(s), n)
}

// SocketEvent sends another event.
func (t *Twin) SocketEvent(ctx context.Context, kind, id string, event map[string]any) (Ack, error) {
	return t.pushSocket(ctx, t.envelope(kind, id, event), 1)
}

// pushSocket gives an event to the oldest connection, in pieces.
func (t *Twin) pushSocket(ctx context.Context, event map[string]any, pieces int) (Ack, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.opt.HookTimeout, hookTimeout))
	defer cancel()
	t.sockets.mu.Lock()
	if len(t.sockets.conns) == 0 {
		t.sockets.mu.Unlock()
		return Ack{}, errors.New("no long connection stands")
	}
	s := t.sockets.conns[0]
	t.sockets.mu.Unlock()
	id, wait := standin.RandomHex(8), make(chan Ack, 1)
	s.mu.Lock()
	s.waiting[id] = wait
	s.mu.Unlock()
	text, err := json.Marshal(event)
	if err != nil {
		return Ack{}, err
	}
	for k := range pieces {
		s.send(frame{numbers: [5]uint64{1: 1, 2: 2, 3: 33554678, 4: 1}, payload: text[k*len(text)/pieces : (k+1)*len(text)/pieces],
			headers: map[string]string{"type": "event", "message_id": id, "trace_id": standin.RandomHex(8),
				"sum": strconv.Itoa(pieces), "seq": strconv.Itoa(k)}})
	}
	select {
	case ack := <-wait:
		return ack, nil
	case <-ctx.Done():
		s.mu.Lock()
		delete(s.waiting, id)
		s.mu.Unlock()
		return Ack{}, ctx.Err()
	}
}
