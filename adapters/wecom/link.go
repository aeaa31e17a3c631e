package wecom

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// The long connection of an AI bot (智能机器人长连接, developer.work.weixin.qq.com/document/path/101463, read 2026-11).
const (
	cmdSubscribe = "aibot_subscribe"
	cmdPing      = "ping"
	cmdMessage   = "aibot_msg_callback"
	cmdEvent     = "aibot_event_callback"
	cmdRespond   = "aibot_respond_msg"
	cmdWelcome   = "aibot_respond_welcome_msg"
	cmdUpdate    = "aibot_respond_update_msg"
	cmdSend      = "aibot_send_msg"
	cmdUpload    = "aibot_upload_media_init"
	cmdChunk     = "aibot_upload_media_chunk"
	cmdUploaded  = "aibot_upload_media_finish"

	botURL = "wss://openws.work.weixin.qq.com"
	// pingEvery and maxUnanswered: 101463 wants a ping each 30 s; WeCom's own client gives up after two without an answer.
	pingEvery     = 30 * time.Second
	maxUnanswered = 2
	dialWithin    = 15 * time.Second
	writeWithin   = 5 * time.Second
	// ackWithin is how long a frame may stay without acknowledgement; WeCom's own client waits 5 s.
	ackWithin = 10 * time.Second
)

type headers struct {
	ReqID string `json:"req_id"`
}

// outFrame is what we send.
type outFrame struct {
	Cmd     string  `json:"cmd"`
	Headers headers `json:"headers"`
	Body    any     `json:"body,omitempty"`
}

// inFrame is what comes: a callback, or the acknowledgement of a frame of ours, which has no cmd.
type inFrame struct {
	Cmd     string          `json:"cmd"`
	Headers headers         `json:"headers"`
	Body    json.RawMessage `json:"body"`
	ErrCode *int64          `json:"errcode"`
}

func newReqID(cmd string) string { return cmd + "_" + rand.Text() }

// link is one connection. ask is safe for concurrent use.
type link struct {
	conn *websocket.Conn
	log  *slog.Logger
	now  func() time.Time

	write   sync.Mutex
	mu      sync.Mutex
	waiting map[string]chan inFrame // by req_id; room for one
	silent  atomic.Int32            // pings since the last frame
	taken   atomic.Bool             // WeCom said that another connection took over
	over    chan struct{}           // closed when nothing more is read
}

// dial connects, without subscribing.
func (a *Adapter) dial(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeout(ctx, dialWithin)
	defer cancel()
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: dialWithin, NetDialContext: a.netDial}
	conn, resp, err := dialer.DialContext(ctx, a.cfg.AIBotURL, nil)
	if resp != nil {
		_ = resp.Body.Close()
	}
	if err != nil {
		return nil, apihttp.Redact(err)
	}
	conn.SetReadLimit(apihttp.MaxInbound)
	return &link{conn: conn, log: a.deps.Log, now: a.deps.Now, waiting: map[string]chan inFrame{}, over: make(chan struct{})}, nil
}

// serve reads until the connection ends, and keeps it alive meanwhile. Callbacks go to handle, which must not block.
func (c *link) serve(handle func(inFrame)) {
	var pinger sync.WaitGroup
	pinger.Go(c.keepAlive)
	defer pinger.Wait()
	defer c.close()
	defer close(c.over)
	for {
		_, raw, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		c.silent.Store(0)
		var f inFrame
		if json.Unmarshal(raw, &f) != nil {
			c.log.Warn("a frame of the AI bot's connection is malformed", "adapter", Name, "bytes", len(raw))
			continue
		}
		if f.Cmd == "" {
			c.acknowledged(f)
		} else {
			handle(f)
		}
	}
}

func (c *link) close() { _ = c.conn.Close() }

// keepAlive pings. What it closes ends the reader.
func (c *link) keepAlive() {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-c.over:
			return
		case <-tick.C:
		}
		if c.silent.Load() >= maxUnanswered {
			c.log.Warn("the AI bot's connection is dead: pings are not answered", "adapter", Name)
			c.close()
			return
		}
		c.silent.Add(1)
		_ = c.put(cmdPing, newReqID(cmdPing), nil)
	}
}

func (c *link) acknowledged(f inFrame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if wait, ok := c.waiting[f.Headers.ReqID]; ok {
		delete(c.waiting, f.Headers.ReqID)
		wait <- f
	}
}

// put writes one frame.
func (c *link) put(cmd, reqID string, body any) error {
	raw, err := encode(outFrame{cmd, headers{reqID}, body})
	if err != nil {
		return err
	}
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(writeWithin))
	return c.conn.WriteMessage(websocket.TextMessage, raw)
}

// ask sends one frame and waits for its acknowledgement; nil = errcode 0. Two frames of one req_id must follow each other.
func (c *link) ask(ctx context.Context, cmd, reqID string, body any) *bot.SendError {
	_, fault := c.askFor(ctx, cmd, reqID, body)
	return fault
}

// askFor is ask for the body that the acknowledgement brings.
func (c *link) askFor(ctx context.Context, cmd, reqID string, body any) (json.RawMessage, *bot.SendError) {
	ack := make(chan inFrame, 1)
	c.mu.Lock()
	c.waiting[reqID] = ack
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, reqID)
		c.mu.Unlock()
	}()
	select {
	case <-c.over:
		return nil, lost(nil)
	default:
	}
	if err := bot.Fenced(ctx); err != nil {
		return nil, fenced(err)
	}
	if err := c.put(cmd, reqID, body); err != nil {
		c.close() // half a frame may be out: nothing can follow it
		return nil, lost(err)
	}
	late := time.NewTimer(ackWithin)
	defer late.Stop()
	select {
	case f := <-ack:
		return f.Body, c.judge(f.ErrCode)
	case <-ctx.Done():
		return nil, unanswered(context.Cause(ctx))
	case <-late.C:
		return nil, unanswered(fmt.Errorf("WeCom did not acknowledge %s within %v", cmd, ackWithin))
	case <-c.over:
	}
	select { // it may have been the last to arrive
	case f := <-ack:
		return f.Body, c.judge(f.ErrCode)
	default:
		return nil, unanswered(errors.New("the connection ended before WeCom acknowledged " + cmd))
	}
}

// judge turns an acknowledgement into a fault.
func (c *link) judge(code *int64) *bot.SendError {
	if code == nil {
		return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "bad_answer", MaybeSent: true,
			Err: errors.New("WeCom acknowledged without errcode: check adapters.wecom.aibot_url and the proxy")}
	}
	if *code == codeNotSubscribed {
		c.close() // connect anew
	}
	return fromCode(*code, nil, c.now())
}

// lost is the fault of a frame that could not be written whole. Without an error, or on a connection that was closed here, nothing left.
func lost(err error) *bot.SendError {
	if err == nil || errors.Is(err, net.ErrClosed) || errors.Is(err, websocket.ErrCloseSent) {
		return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: codeNoConnection, Err: errDialing}
	}
	return unanswered(apihttp.Redact(err))
}

// fenced is the fault of a frame that was not written: another replica may push it by now.
func fenced(err error) *bot.SendError {
	return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "fenced", Err: err}
}

func unanswered(err error) *bot.SendError {
	return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: apihttp.CodeNoAnswer, MaybeSent: true, Err: err}
}
