package dingtalk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-dingtalk/dingtalk-stream-sdk-go/client"
	"github.com/open-dingtalk/dingtalk-stream-sdk-go/logger"
	"github.com/open-dingtalk/dingtalk-stream-sdk-go/payload"
	"github.com/open-dingtalk/dingtalk-stream-sdk-go/utils"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Stream mode: the platform sends frames over a WebSocket that we dial. The official client does it; what is added here is what it leaves
// to its caller. Two connections stand, since it takes 3 s to dial again after a cut and the platform delivers to whichever is there. The
// successor of a connection that the platform moves is opened before the old one is closed. The first connection is tried again, too.
// Frames are acknowledged before any slow work. Source of the protocol: open-dingtalk/developerpedia, learn/stream/protocol.md, read 2026-11.
const (
	streamLines  = 2                // connections at a time
	streamPing   = 30 * time.Second // of silence, then the client pings, and dials again without an answer within 5 s
	streamDial   = 15 * time.Second
	streamGrace  = 5 * time.Second // for commands that are running when Listen ends
	backoffFirst = time.Second
	backoffMost  = time.Minute
	// eventWithin: an unanswered push is given up after 3 s. Source: appendix-b-proposals-for-rational-use-of-resources, read 2026-11.
	eventWithin = 2 * time.Second
	// maxHandlers is how many frames are worked on at once. More are refused. Our own choice.
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
	logClient(a.log)
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	l := &listener{a: a, in: in, work: work, slots: make(chan struct{}, maxHandlers)}
	var lines sync.WaitGroup
	for range streamLines {
		lines.Go(func() { l.keep(ctx) })
	}
	lines.Wait()
	grace := time.AfterFunc(a.streamGrace, stop)
	defer grace.Stop()
	l.finish()
	return nil
}

// listener is one run of Listen.
type listener struct {
	a     *Adapter
	in    bot.Inbox
	work  context.Context // of the handlers: it outlives a connection
	slots chan struct{}

	mu       sync.Mutex
	over     bool // no handler may begin
	handlers sync.WaitGroup
}

// begin says whether one more handler may run; it must call end.
func (l *listener) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	select {
	case l.slots <- struct{}{}:
		l.handlers.Add(1)
		return true
	default:
		l.a.log.Warn("too many stream frames at once; this one is refused", "adapter", Name)
		return false
	}
}

func (l *listener) end() {
	<-l.slots
	l.handlers.Done()
}

// finish waits for the handlers that run. The client may hand over a last frame after it was closed.
func (l *listener) finish() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.handlers.Wait()
}

// keep holds one connection until ctx ends.
func (l *listener) keep(ctx context.Context) {
	var old *line
	wait := backoffFirst
	for ctx.Err() == nil {
		next := l.newLine()
		start := time.Now()
		if err := next.start(ctx); err != nil {
			next.close()
			wait = l.pause(ctx, wait, err)
			continue
		}
		l.a.log.Info("stream connected", "adapter", Name)
		old.close()
		old = next
		select {
		case <-ctx.Done():
		case <-next.moved.Done():
			if time.Since(start) > backoffFirst {
				wait = backoffFirst
			} else { // a gateway that moves us on and on must not be hammered
				wait = l.pause(ctx, wait, errors.New("moved at once"))
			}
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

// line is one connection. The client dials again by itself when it is cut.
type line struct {
	l        *listener
	client   *client.StreamClient
	moved    context.Context // over when the platform announces the end of the connection
	needed   context.Context // over when it may end
	move     context.CancelFunc
	dispense context.CancelFunc
}

func (l *listener) newLine() *line {
	n := &line{l: l}
	n.moved, n.move = context.WithCancel(context.Background())
	n.needed, n.dispense = context.WithCancel(context.Background())
	n.client = client.NewStreamClient(
		client.WithAppCredential(client.NewAppCredentialConfig(l.a.cfg.ClientID, l.a.cfg.ClientSecret.Reveal())),
		client.WithOpenApiHost(l.a.api),
		client.WithKeepAlive(streamPing),
		client.WithMaxPendingHandlers(maxHandlers),
		client.WithSubscription(utils.SubscriptionTypeKSystem, "disconnect", n.disconnect),
	)
	n.client.RegisterCallbackRouter(payload.BotMessageCallbackTopic, l.message)
	n.client.RegisterAllEventRouter(l.event)
	return n
}

// start dials once. The error tells of no secret; it is a *bot.SendError when the gateway said what is wrong.
func (n *line) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, streamDial)
	defer cancel()
	err := n.client.Start(ctx)
	if err == nil {
		return nil
	}
	secret := n.l.a.cfg.ClientSecret.Reveal()
	if said := []byte(err.Error()); json.Valid(said) { // the client's error is the answer's body
		_, fault := reply{http.StatusBadRequest, nil, said, n.l.a.now(), []string{secret}}.judge(func(answer) bool { return false })
		return fault.SendError
	}
	return apihttp.Redact(err, secret)
}

// close ends the connection for good. A nil line is closed.
func (n *line) close() {
	if n != nil {
		n.move()
		n.dispense()
		n.client.Close()
	}
}

// disconnect is called when the platform moves us elsewhere. The client closes the connection when it returns: not before the successor
// stands, unless the platform, which waits 10 s, was faster.
func (n *line) disconnect(connection context.Context, _ *payload.DataFrame) (*payload.DataFrameResponse, error) {
	n.move()
	select {
	case <-n.needed.Done():
	case <-connection.Done():
	}
	return nil, nil
}

var errBusy = errors.New("busy")

// message acknowledges at once, as the platform waits 3 s only. The command is answered when it is done.
func (l *listener) message(_ context.Context, f *payload.DataFrame) (*payload.DataFrameResponse, error) {
	if !l.begin() {
		return nil, errBusy
	}
	go func() {
		defer l.end()
		l.a.messages.count(l.work)
		l.runMessage([]byte(f.Data))
	}()
	return acknowledged(`{"response":null}`), nil
}

func (l *listener) runMessage(data []byte) {
	m, err := decodeInbound(data)
	if err != nil {
		l.a.log.Warn("stream message is malformed", "adapter", Name, "err", err)
		return
	}
	text, isText := m.words()
	switch {
	case m.quotaSpent():
		l.a.logQuota(m)
	case isText:
		ctx, cancel := context.WithTimeout(l.work, commandWithin)
		defer cancel()
		l.a.runCommand(ctx, l.in, m, text, func([]byte) bool { return false })
	}
}

// event answers when the core has the event.
func (l *listener) event(_ context.Context, f *payload.DataFrame) (*payload.DataFrameResponse, error) {
	if !l.begin() {
		return nil, errBusy
	}
	defer l.end()
	l.a.messages.count(l.work)
	var data pushed
	p := pushed{EventType: f.GetHeader("eventType"), EventID: f.GetHeader("eventId"), CorpID: f.GetHeader("eventCorpId"),
		TimeStamp: apihttp.Scalar(f.GetHeader("eventBornTime")), Data: &data}
	status := "SUCCESS"
	if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
		l.a.log.Warn("stream event is malformed", "adapter", Name, "err", err)
	} else if ev, ok := p.event(l.a.cfg.CorpID, l.a.now()); ok {
		ctx, cancel := context.WithTimeout(l.work, eventWithin)
		defer cancel()
		if err := l.in.Event(ctx, ev); err != nil {
			l.a.log.Error("event failed", "adapter", Name, "channel", ev.Channel.Address, "err", err)
			status = "LATER"
		}
	}
	return acknowledged(fmt.Sprintf(`{"status":%q,"message":""}`, status)), nil
}

func acknowledged(data string) *payload.DataFrameResponse {
	ack := payload.NewSuccessDataFrameResponse()
	ack.Message, ack.Data = "OK", data
	return ack
}

// clientLog is where the official client tells that it could not dial again: nothing else shows it. Its logger is one for the process, and
// not safe to change while a client runs.
var clientLog struct {
	once   sync.Once
	logger sdkLogger
}

func logClient(log *slog.Logger) {
	clientLog.logger.log.Store(log)
	clientLog.once.Do(func() { logger.SetLogger(&clientLog.logger) })
}

// sdkLogger keeps of the client's lines what an operator must know: those about dialling again. Others speak of connections that we close
// ourselves, or hold tickets, secrets and members' words.
type sdkLogger struct{ log atomic.Pointer[slog.Logger] }

func (*sdkLogger) Debugf(string, ...any)   {}
func (*sdkLogger) Infof(string, ...any)    {}
func (*sdkLogger) Warningf(string, ...any) {}
func (*sdkLogger) Fatalf(string, ...any)   {}

func (s *sdkLogger) Errorf(format string, args ...any) {
	if strings.Contains(format, "reconnect") {
		s.log.Load().Warn("stream not connected", "adapter", Name, "err", apihttp.Excerpt(fmt.Appendf(nil, format, args...)))
	}
}
