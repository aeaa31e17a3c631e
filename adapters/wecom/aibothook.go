package wecom

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// The callbacks of AI bots: as those of apps, but JSON, with an empty receiver inside, and answered as a stream (101039, 100719, 101031,
// 101033 and 101138, read 2026-11).

// mountBots adds /wecom/aibot/{bot} for each bot with a token.
func (h *hook) mountBots(mux *http.ServeMux) {
	for _, b := range h.bots {
		if b.Token == "" {
			continue
		}
		env, err := newEnvelope(b.String(), b.Token, b.EncodingAESKey, "")
		if err != nil {
			continue // Validate has refused it
		}
		serve := func(w http.ResponseWriter, r *http.Request) { h.serveBot(w, r, b, env) }
		if b.Name != "" {
			mux.HandleFunc("/wecom/aibot/"+b.Name, serve)
		}
		if len(h.bots) == 1 {
			mux.HandleFunc("/wecom/aibot", serve)
			mux.HandleFunc("/wecom/aibot/{$}", serve)
		}
	}
}

func (h *hook) serveBot(w http.ResponseWriter, r *http.Request, b *aibot, env *envelope) {
	query := r.URL.Query()
	switch r.Method {
	case http.MethodGet:
		h.echo(w, env, query)
	case http.MethodPost:
		m, status := h.readBot(w, r, env, query)
		if status != http.StatusOK {
			http.Error(w, http.StatusText(status), status)
			return
		}
		h.hearBot(w, r, b, env, m)
	default:
		wrongMethod(w)
	}
}

// readBot is the message of a genuine request, or the status to refuse it with.
func (h *hook) readBot(w http.ResponseWriter, r *http.Request, env *envelope, query url.Values) (m botMessage, status int) {
	body, err := apihttp.ReadBody(w, r, apihttp.MaxInbound)
	if errors.Is(err, apihttp.ErrTooLarge) {
		return m, http.StatusRequestEntityTooLarge
	}
	var outer struct {
		Encrypt string `json:"encrypt"`
	}
	if err != nil || json.Unmarshal(body, &outer) != nil || outer.Encrypt == "" {
		return m, http.StatusBadRequest
	}
	plain, err := h.open(env, query, outer.Encrypt)
	if err != nil {
		return m, http.StatusUnauthorized
	}
	if json.Unmarshal(plain, &m) != nil {
		return m, http.StatusBadRequest
	}
	return m, http.StatusOK
}

// hearBot runs the command and answers: as a finished stream while WeCom waits; what is late or does not fit goes to the message's
// response URL, which takes one message. The handler stays until then, so that the server's shutdown waits for it.
func (h *hook) hearBot(w http.ResponseWriter, r *http.Request, b *aibot, env *envelope, m botMessage) {
	cmd, ok := b.command(m, h.deps.Now())
	if !ok {
		w.WriteHeader(http.StatusOK)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), answerWithin)
	defer cancel()
	answers := h.runCommand(ctx, noImages{h.in}, cmd)
	soon, late := context.WithTimeout(ctx, replyWithin)
	defer late()
	var answer bot.Message
	select {
	case answer = <-answers:
		if isEmpty(answer) {
			w.WriteHeader(http.StatusOK)
			return
		}
		answer = h.repliedBot(w, r, env, m, answer)
	case <-soon.Done():
		release(w)
		select {
		case answer = <-answers:
		case <-ctx.Done():
			h.deps.Log.Error("command not answered in time", "adapter", Name, "workspace", cmd.Channel.Workspace)
			return
		}
	}
	if isEmpty(answer) {
		return
	}
	if fault := h.respond(ctx, m.ResponseURL, answer); fault != nil {
		h.deps.Log.Error("answer not sent", "adapter", Name, "workspace", cmd.Channel.Workspace, "code", fault.Code, "err", fault.Err)
	}
}

// noImages is an Inbox for a door that takes no images: the text of an answer says the same.
type noImages struct{ bot.Inbox }

func (n noImages) Command(ctx context.Context, cmd bot.Command) (bot.Message, error) {
	answer, err := n.Inbox.Command(ctx, cmd)
	return answer.WithoutImage(), err
}

// repliedBot answers with what fits, and returns what is left.
func (h *hook) repliedBot(w http.ResponseWriter, r *http.Request, env *envelope, m botMessage, answer bot.Message) (rest bot.Message) {
	if m.clicked() { // takes no other answer than the card again
		release(w)
		return answer
	}
	var body botReply
	if m.MsgType == "event" { // enter_chat is answered with plain text
		parts := split(form{dialect: plainText, fillBytes: fillAppBytes}, answer)
		body = botReply{MsgType: "text", Text: &markdownText{render(form{dialect: plainText, fillBytes: maxAppBytes}, parts[0], 1, len(parts))}}
		rest = joined(parts[1:])
	} else {
		parts := h.Split(KindAIBot, answer)
		body = streamReply(rand.Text(), true, render(h.form(KindAIBot), parts[0], 1, len(parts)))
		rest = joined(parts[1:])
	}
	inner, err := encode(body)
	if err != nil {
		return answer
	}
	now, nonce, sealed := h.deps.Now().Unix(), r.URL.Query().Get("nonce"), env.seal(inner)
	outer, err := encode(struct {
		Encrypt   string `json:"encrypt"`
		Signature string `json:"msgsignature"`
		Timestamp int64  `json:"timestamp"`
		Nonce     string `json:"nonce"`
	}{sealed, env.sign(strconv.FormatInt(now, 10), nonce, sealed), now, nonce})
	if err != nil {
		return answer
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8") // as WeCom's own server
	w.Header().Set("Content-Length", strconv.Itoa(len(outer)))
	w.Write(outer)
	http.NewResponseController(w).Flush()
	return rest
}

// joined is parts as one message again.
func joined(parts []bot.Message) (m bot.Message) {
	for k, part := range parts {
		if k == 0 {
			m = part
			continue
		}
		m.Blocks = append(m.Blocks, part.Blocks...)
	}
	return m
}

// respond posts an answer to a message's response URL, which works once and within an hour. What does not fit is left out, and says so.
func (h *hook) respond(ctx context.Context, to string, answer bot.Message) *bot.SendError {
	if err := apihttp.CheckURL(to, []string{apiURL, h.cfg.APIURL}); err != nil {
		return refuse(bot.ScopeMessage, "bad_response_url", "WeCom named no response_url on its own host: "+err.Error())
	}
	parts := h.Split(KindAIBot, answer)
	first := parts[0]
	if left := len(parts) - 1; left > 0 {
		first.Blocks = append(first.Blocks[:len(first.Blocks):len(first.Blocks)], bot.Block{Kind: bot.BlockNote, Text: leftOut(answer.Lang)})
	}
	f := h.form(KindAIBot)
	body, err := encode(newPost(f, render(f, first, 1, 1)))
	if err != nil {
		return refuse(bot.ScopeMessage, "encode", err.Error())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return refuse(bot.ScopeMessage, "bad_response_url", "response_url is no URL")
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	c := &call{made: true}
	c.status, c.header, c.body, c.err = apihttp.Do(ctx, h.deps.HTTP, req, 0)
	return c.outcome(h.deps.Now())
}

func leftOut(lang string) string {
	if lang == "en" {
		return "There is more than WeCom lets this bot say at once: ask for less, such as one topic."
	}
	return "内容超出企业微信允许机器人一次回复的长度，后面的未显示：请缩小范围，例如只查一个主题。"
}
