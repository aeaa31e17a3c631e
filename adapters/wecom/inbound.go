package wecom

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

const (
	// replyWithin leaves a second of the five in which WeCom wants its answer (90238, read 2026-11).
	replyWithin = 4 * time.Second
	// answerWithin is the most that a slow command and its answer, sent as an app message, may take.
	answerWithin = time.Minute
	// maxCommandBytes is the most of a member's text that is looked at, in bytes: WeCom's own limit for a text (90236, read 2026-11).
	maxCommandBytes = 2048
)

// inMessage is what a callback brings, decrypted; app callbacks are always from one member (90235).
type inMessage struct {
	FromUserName string
	CreateTime   int64
	MsgType      string
	Content      string
	MsgId        string
	Event        string
	EventKey     string // of the menu's button
	ChangeType   string // of change_contact, as are the IDs
	UserID       string
	NewUserID    string
}

type inEnvelope struct {
	Encrypt string
}

// hook serves the callbacks of all apps for one Inbox.
type hook struct {
	*Adapter
	in bot.Inbox
}

// Hook implements bot.Hook: GET and POST of /wecom/callback/{app} and /wecom/aibot/{bot}, where a lone app or bot may leave out its name.
func (a *Adapter) Hook(in bot.Inbox) http.Handler {
	h := &hook{a, in}
	mux := http.NewServeMux()
	for _, t := range a.tokens {
		if t.app.Token == "" {
			continue
		}
		env, err := newEnvelope(t.app.String(), t.app.Token, t.app.EncodingAESKey, t.app.CorpID)
		if err != nil {
			continue // Validate has refused it
		}
		serve := func(w http.ResponseWriter, r *http.Request) { h.serve(w, r, t.app, env) }
		if t.app.Name != "" {
			mux.HandleFunc("/wecom/callback/"+t.app.Name, serve)
		}
		if len(a.tokens) == 1 {
			mux.HandleFunc("/wecom/callback", serve)
			mux.HandleFunc("/wecom/callback/{$}", serve)
		}
	}
	h.mountBots(mux)
	return mux
}

func (h *hook) serve(w http.ResponseWriter, r *http.Request, app App, env *envelope) {
	query := r.URL.Query()
	switch r.Method {
	case http.MethodGet:
		h.echo(w, env, query)
	case http.MethodPost:
		msg, status := h.read(w, r, env, query)
		if status != http.StatusOK {
			http.Error(w, http.StatusText(status), status)
			return
		}
		h.hear(w, r, app, env, msg)
	default:
		wrongMethod(w)
	}
}

func wrongMethod(w http.ResponseWriter) {
	w.Header().Set("Allow", "GET, POST")
	http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
}

// echo proves to WeCom, when an administrator saves the URL, that we know token and key.
func (h *hook) echo(w http.ResponseWriter, env *envelope, query url.Values) {
	echo, err := h.open(env, query, query.Get("echostr"))
	if err != nil {
		http.Error(w, "refused", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(echo) // nothing else: no line end, no quotes
}

// open checks and decrypts. The window on the timestamp comes after the signature, so that the log can tell a wrong clock from forgery.
func (h *hook) open(env *envelope, query url.Values, encrypted string) ([]byte, error) {
	timestamp := query.Get("timestamp")
	plain, err := env.open(query.Get("msg_signature"), timestamp, query.Get("nonce"), encrypted)
	if err != nil {
		h.deps.Log.Warn("callback refused: signature or encryption is wrong; compare token and encoding_aes_key with the admin console",
			"adapter", Name, "of", env.owner)
		return nil, err
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if age := h.deps.Now().Sub(time.Unix(seconds, 0)).Abs(); err != nil || age > h.cfg.MaxAge {
		h.deps.Log.Warn("callback refused: its timestamp is outside the window; is this machine's clock right?",
			"adapter", Name, "of", env.owner, "window", h.cfg.MaxAge)
		return nil, errRefused
	}
	return plain, nil
}

// read is the message of a genuine request, or the status to refuse it with.
func (h *hook) read(w http.ResponseWriter, r *http.Request, env *envelope, query url.Values) (msg inMessage, status int) {
	body, err := apihttp.ReadBody(w, r, apihttp.MaxInbound)
	if errors.Is(err, apihttp.ErrTooLarge) {
		return msg, http.StatusRequestEntityTooLarge
	}
	var outer inEnvelope
	if err != nil || xml.Unmarshal(body, &outer) != nil || outer.Encrypt == "" {
		return msg, http.StatusBadRequest
	}
	plain, err := h.open(env, query, strings.TrimSpace(outer.Encrypt))
	if err != nil {
		return msg, http.StatusUnauthorized
	}
	if xml.Unmarshal(plain, &msg) != nil {
		return msg, http.StatusBadRequest
	}
	return msg, http.StatusOK
}

// command is what the member asks for, and whether it is anything.
func (m inMessage) command(corp string) (cmd bot.Command, ok bool) {
	if m.FromUserName == "" || m.FromUserName == "sys" { // changes of the directory come from "sys"
		return cmd, false
	}
	cmd = bot.Command{ID: m.MsgId, At: time.Unix(m.CreateTime, 0), Member: bot.Member{ID: m.FromUserName}}
	switch {
	case m.MsgType == "text" && m.MsgId != "":
		cmd.Text = commandText(m.Content)
	case m.MsgType == "event" && m.Event == "enter_agent": // once a day, however often the member opens the app
		cmd.Text = "/help"
		cmd.ID = fmt.Sprintf("enter_agent:%s:%s:%s", corp, strings.ToLower(m.FromUserName), cmd.At.UTC().Format(time.DateOnly))
	case m.MsgType == "event" && m.Event == "click" && strings.HasPrefix(m.EventKey, "/"): // of our menu
		cmd.Text = commandText(m.EventKey)
		cmd.ID = m.eventID(corp)
	}
	return cmd, cmd.Text != ""
}

// eventID names an event, which has no MsgId: WeCom wants FromUserName and CreateTime to tell repetitions (90239, read 2026-11).
func (m inMessage) eventID(corp string) string {
	return fmt.Sprintf("%s:%s:%s:%d:%s:%s:%s", m.Event, corp, strings.ToLower(m.FromUserName), m.CreateTime, m.EventKey, m.ChangeType, m.UserID)
}

// change is what happened to a member's channel in workspace, and whether anything did.
func (m inMessage) change(corp, workspace string) (ev bot.Event, ok bool) {
	channel := func(user string) bot.Channel {
		return bot.Channel{Adapter: Name, Kind: KindApp, Workspace: workspace, Address: "user:" + user}
	}
	ev = bot.Event{ID: m.eventID(corp), At: time.Unix(m.CreateTime, 0)}
	switch {
	case m.MsgType != "event":
		return ev, false
	case m.Event == "unsubscribe": // the member left the app's visible range
		ev.Kind, ev.Channel = bot.EventBotRemoved, channel(m.FromUserName)
		return ev, m.FromUserName != ""
	case m.Event == "change_contact" && m.ChangeType == "delete_user":
		ev.Kind, ev.Channel = bot.EventChannelGone, channel(m.UserID)
		return ev, m.UserID != ""
	case m.Event == "change_contact" && m.ChangeType == "update_user":
		ev.Kind, ev.Channel, ev.NewAddress = bot.EventChannelMoved, channel(m.UserID), "user:"+m.NewUserID
		return ev, m.UserID != "" && validID(m.NewUserID) && m.NewUserID != m.UserID
	}
	return ev, false
}

// warnings are what WeCom says before it stops an app that nobody uses (90240, read 2026-11).
var warnings = []string{"inactive_alert", "low_active_alert", "close_inactive_agent"}

// heed takes note of an event that is no command. Changes of the directory come to one app only, and are about all apps of its corp.
func (h *hook) heed(ctx context.Context, app App, msg inMessage) {
	if msg.MsgType == "event" && slices.Contains(warnings, msg.Event) {
		h.deps.Log.Error("WeCom stops an app that nobody uses: let a member open it, or enable it again in the admin console (应用管理)",
			"adapter", Name, "workspace", h.workspace(app), "code", msg.Event)
		return
	}
	for _, t := range h.tokens {
		if t.app.CorpID != app.CorpID || msg.Event != "change_contact" && t.app != app {
			continue
		}
		ev, ok := msg.change(app.CorpID, h.workspace(t.app))
		if !ok {
			return
		}
		ev.ID += ":" + ev.Channel.Workspace
		if err := h.in.Event(ctx, ev); err != nil {
			h.deps.Log.Error("a change on the platform is not noted", "adapter", Name, "workspace", ev.Channel.Workspace, "err", err)
		}
	}
}

// commandText is the member's text with a plain slash, its spaces and line ends as they are.
func commandText(s string) string {
	s = apihttp.CleanLines(s)
	if len(s) > maxCommandBytes {
		s = cutBytes(s, maxCommandBytes)
	}
	if rest, ok := strings.CutPrefix(s, "／"); ok {
		return "/" + rest
	}
	return s
}

// hear runs the command and answers: passively while WeCom waits, else with an empty 200 first and an app message later. The handler
// stays until then, so that the server's shutdown waits for it.
func (h *hook) hear(w http.ResponseWriter, r *http.Request, app App, env *envelope, msg inMessage) {
	cmd, ok := msg.command(app.CorpID)
	if !ok {
		h.heed(r.Context(), app, msg)
		w.WriteHeader(http.StatusOK)
		return
	}
	cmd.Channel = bot.Channel{Adapter: Name, Kind: KindApp, Workspace: h.workspace(app), Address: "user:" + msg.FromUserName}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), answerWithin)
	defer cancel()
	answers := h.runCommand(ctx, h.in, cmd)
	late := time.NewTimer(replyWithin)
	defer late.Stop()
	var answer bot.Message
	select {
	case answer = <-answers:
		if isEmpty(answer) {
			return
		}
		if h.replied(w, app, env, msg, answer) {
			answer = bot.Message{Lang: answer.Lang, Image: answer.Image} // a passive answer is text: an image follows
		} else {
			release(w)
		}
	case <-late.C:
		release(w)
		select {
		case answer = <-answers:
		case <-ctx.Done():
			h.deps.Log.Error("command not answered in time", "adapter", Name, "workspace", app.CorpID)
			return
		}
	}
	h.sendAnswer(ctx, cmd.Channel, answer)
}

// runCommand runs a command. Its answer, empty when there is none, can be fetched from the channel or left there.
func (a *Adapter) runCommand(ctx context.Context, in bot.Inbox, cmd bot.Command) <-chan bot.Message {
	answers := make(chan bot.Message, 1)
	go func() {
		answer, err := in.Command(ctx, cmd)
		if err != nil {
			a.deps.Log.Error("command failed", "adapter", Name, "workspace", cmd.Channel.Workspace, "err", err)
		}
		answers <- answer
	}()
	return answers
}

func isEmpty(m bot.Message) bool { return m.Title == "" && len(m.Blocks) == 0 && !m.Image.Usable() }

// release gives WeCom its empty answer while the handler goes on.
func release(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "0")
	w.Header().Set("Connection", "close") // nothing else is to wait behind this handler
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush()
}

// sendAnswer sends the answer as app messages, part after part. It has no key: an answer given twice is not a mistake.
func (h *hook) sendAnswer(ctx context.Context, dst bot.Channel, answer bot.Message) {
	if isEmpty(answer) {
		return
	}
	parts := h.Split(dst.Kind, answer)
	for k, part := range parts {
		if _, err := h.Send(ctx, dst, bot.Post{Part: k + 1, Parts: len(parts), Message: part}); err != nil {
			h.deps.Log.Error("answer not sent", "adapter", Name, "workspace", dst.Workspace, "part", k+1, "err", err)
			return
		}
	}
}

// cdata keeps what foreign text says inside a CDATA section: encoding/xml splits "]]>".
type cdata struct {
	Text string `xml:",cdata"`
}

type passiveText struct {
	XMLName      xml.Name `xml:"xml"`
	ToUserName   cdata
	FromUserName cdata
	CreateTime   int64
	MsgType      cdata
	Content      cdata
}

type passiveEnvelope struct {
	XMLName      xml.Name `xml:"xml"`
	Encrypt      cdata
	MsgSignature cdata
	TimeStamp    string
	Nonce        cdata
}

// replied answers passively, as text: that is all a passive answer can be. false = the answer is too long for it.
func (h *hook) replied(w http.ResponseWriter, app App, env *envelope, msg inMessage, answer bot.Message) bool {
	text := layOut(plainText, answer, 1, 1, math.MaxInt)
	if len(text) > maxAppBytes {
		return false
	}
	now := h.deps.Now()
	inner, err := xml.Marshal(passiveText{ToUserName: cdata{msg.FromUserName}, FromUserName: cdata{app.CorpID}, CreateTime: now.Unix(),
		MsgType: cdata{"text"}, Content: cdata{text}})
	if err != nil {
		return false
	}
	sealed, timestamp, nonce := env.seal(inner), strconv.FormatInt(now.Unix(), 10), newNonce()
	outer, err := xml.Marshal(passiveEnvelope{Encrypt: cdata{sealed}, MsgSignature: cdata{env.sign(timestamp, nonce, sealed)},
		TimeStamp: timestamp, Nonce: cdata{nonce}})
	if err != nil {
		return false
	}
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(outer))) // complete for WeCom even while the handler goes on
	w.Write(outer)
	if answer.Image.Usable() {
		http.NewResponseController(w).Flush()
	}
	return true
}
