package wecom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"weeklybot/bot"
)

const (
	backoffFirst = time.Second
	backoffMost  = 30 * time.Second
	// maxRefusals is how often WeCom may refuse a bot's credentials in a row before we stop asking.
	maxRefusals = 3
	// maxHandlers is how many commands of one bot are worked on at once.
	maxHandlers = 128
	// listenGrace is for commands that are running when Listen ends.
	listenGrace = 5 * time.Second
)

var _ bot.Listener = (*Adapter)(nil)

// Listen keeps the long connection of every AI bot in mode socket until ctx ends. Of several replicas that share a Redis, one connects.
func (a *Adapter) Listen(ctx context.Context, in bot.Inbox) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var lines sync.WaitGroup
	for _, b := range a.bots {
		if b.socket() {
			lines.Go(func() { a.newLine(b, in, work).keep(ctx) })
		}
	}
	<-ctx.Done()
	grace := time.AfterFunc(listenGrace, stop)
	defer grace.Stop()
	lines.Wait()
	return nil
}

// line is what one run of Listen does for one bot.
type line struct {
	a     *Adapter
	b     *aibot
	in    bot.Inbox
	work  context.Context // of the handlers: it outlives a connection
	slots chan struct{}   // one per handler at work
}

func (a *Adapter) newLine(b *aibot, in bot.Inbox, work context.Context) *line {
	return &line{a: a, b: b, in: in, work: work, slots: make(chan struct{}, maxHandlers)}
}

// keep connects while this replica is the one to do so.
func (l *line) keep(ctx context.Context) {
	defer l.b.set(nil, errIdle)
	defer l.idle(context.Background()) // handlers end with work
	if r := l.b.relay; r != nil {
		var reader sync.WaitGroup
		reader.Go(func() { l.serve(ctx, r) })
		defer reader.Wait()
	}
	l.a.newLease(l.b).hold(ctx, func() { l.b.set(nil, errElsewhere) }, l.connect)
}

// connect keeps one connection until ctx ends. It stops trying, and waits for the end of ctx, once trying can do no good.
func (l *line) connect(ctx context.Context) {
	wait, refusals := backoffFirst, 0
	for ctx.Err() == nil {
		began := time.Now()
		subscribed, err := l.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if subscribed {
			refusals = 0
		}
		if isRefusal(err) {
			refusals++
		}
		if refusals == maxRefusals || errors.Is(err, errTakenOver) {
			l.b.set(nil, err)
			l.a.deps.Log.Error("the AI bot stays disconnected", "adapter", Name, "workspace", l.b.workspace(), "err", err)
			<-ctx.Done()
			return
		}
		if time.Since(began) > backoffMost {
			wait = backoffFirst
		}
		l.b.set(nil, fmt.Errorf("%w: %w", errDialing, err))
		pause := wait
		if fault, ok := errors.AsType[*bot.SendError](err); ok {
			pause = max(wait, fault.RetryAfter)
		}
		l.a.deps.Log.Warn("the AI bot is not connected", "adapter", Name, "workspace", l.b.workspace(), "err", err, "again_in", pause)
		sleep(ctx, pause)
		wait = min(2*wait, backoffMost)
	}
}

// isRefusal says of an error that WeCom does not take the bot's ID and Secret.
func isRefusal(err error) bool {
	fault, ok := errors.AsType[*bot.SendError](err)
	return ok && fault.Fault == bot.Permanent && fault.Scope == bot.ScopeWorkspace
}

// once connects, subscribes and serves until that connection ends. The error says why it did, and is never nil.
func (l *line) once(ctx context.Context) (subscribed bool, err error) {
	c, err := l.a.dial(ctx)
	if err != nil {
		return false, err
	}
	var reader sync.WaitGroup
	defer reader.Wait()
	defer c.close()
	reader.Go(func() { c.serve(func(f inFrame) { l.hear(c, f) }) })
	credentials := map[string]string{"bot_id": l.b.BotID, "secret": l.b.Secret.Reveal()}
	if fault := c.ask(ctx, cmdSubscribe, newReqID(cmdSubscribe), credentials); fault != nil {
		fault.Err = fmt.Errorf("subscribe as %s: %w", l.b, fault.Err)
		return false, fault
	}
	l.b.set(c, nil)
	l.a.deps.Log.Info("the AI bot is connected", "adapter", Name, "workspace", l.b.workspace())
	select {
	case <-c.over:
	case <-ctx.Done(): // what has begun may still answer
		grace, cancel := context.WithTimeout(l.work, listenGrace)
		defer cancel()
		l.idle(grace)
	}
	l.b.set(nil, errDialing)
	if c.taken.Load() {
		return true, errTakenOver
	}
	return true, errors.New("the connection ended")
}

// idle returns once no handler is at work, or ctx ends. Meanwhile none begins.
func (l *line) idle(ctx context.Context) {
	free := 0
	for free < maxHandlers && ctx.Err() == nil {
		select {
		case l.slots <- struct{}{}:
			free++
		case <-ctx.Done():
		}
	}
	for range free {
		<-l.slots
	}
}

// hear takes one callback. It never blocks the reader, which has acknowledgements to bring to the handlers.
func (l *line) hear(c *link, f inFrame) {
	var m botMessage
	if err := json.Unmarshal(f.Body, &m); err != nil {
		l.a.deps.Log.Warn("a callback of the AI bot is malformed", "adapter", Name, "workspace", l.b.workspace(), "cmd", f.Cmd)
		return
	}
	if f.Cmd == cmdEvent && m.Event.Type == "disconnected_event" {
		c.taken.Store(true)
		c.close()
		return
	}
	cmd, ok := l.b.command(m, l.a.deps.Now())
	if !ok || f.Cmd != cmdMessage && f.Cmd != cmdEvent {
		return
	}
	select {
	case l.slots <- struct{}{}:
	default:
		l.a.deps.Log.Warn("too many commands at once; one is not answered", "adapter", Name, "workspace", l.b.workspace())
		return
	}
	go func() { // idle waits for it
		defer func() { <-l.slots }()
		t := &talk{a: l.a, in: l.in, c: c, reqID: f.Headers.ReqID, cmd: cmd}
		switch {
		case m.clicked():
			t.clicked(l.work, m.Event.Click)
		case f.Cmd == cmdEvent:
			t.welcome(l.work)
		default:
			t.answer(l.work)
		}
	}()
}
