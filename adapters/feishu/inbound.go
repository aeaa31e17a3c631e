package feishu

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

var _ bot.Hook = (*Adapter)(nil)

// Hook serves /feishu/events, when its keys are configured: everything must be encrypted with the Encrypt Key, and events signed besides.
// A message is acknowledged at once, as the platform waits 3 s only, and answered through the reply API. See bot.Hook.
func (a *Adapter) Hook(in bot.Inbox) http.Handler {
	mux := http.NewServeMux()
	if a.cipher != nil {
		mux.HandleFunc("POST /feishu/events", func(w http.ResponseWriter, r *http.Request) { a.serveEvents(w, r, in) })
	}
	return mux
}

func (a *Adapter) serveEvents(w http.ResponseWriter, r *http.Request, in bot.Inbox) {
	body, ok := apihttp.ReadHook(w, r)
	if !ok {
		return
	}
	p, signed, err := a.open(r.Header, body)
	switch {
	case errors.Is(err, errForged):
		http.Error(w, err.Error(), http.StatusUnauthorized)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case p.Type == typeChallenge:
		answerJSON(w, map[string]string{"challenge": p.Challenge})
	case !signed:
		http.Error(w, "bad or stale signature", http.StatusUnauthorized)
	default:
		a.serveEvent(w, r, in, p)
	}
}

func (a *Adapter) serveEvent(w http.ResponseWriter, r *http.Request, in bot.Inbox, p pushed) {
	if p.Header.EventType == typeMessage {
		m, err := p.message()
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answerJSON(w, struct{}{})
		a.answerCommand(context.WithoutCancel(r.Context()), in, p, m) // returns when all is said: a server that shuts down waits for it
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), eventWithin)
	defer cancel()
	if err := a.takeEvent(ctx, in, p); err != nil {
		http.Error(w, "try again", http.StatusServiceUnavailable) // pushed again later
		return
	}
	answerJSON(w, struct{}{})
}

var errForged = errors.New("request is not the platform's, or for another app")

// open decrypts what was posted. The token within, which only the platform and we know, must be ours; signed says that the signature is
// good and fresh, which a url_verification does not need.
func (a *Adapter) open(header http.Header, body []byte) (p pushed, signed bool, err error) {
	var envelope struct {
		Encrypt string `json:"encrypt"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Encrypt == "" {
		return p, false, errors.New(`want {"encrypt":"…"}: set the Encrypt Key in the developer console`)
	}
	timestamp := header.Get("X-Lark-Request-Timestamp")
	want := a.cipher.signature(timestamp, header.Get("X-Lark-Request-Nonce"), body)
	signed = apihttp.SameSecret(want, header.Get("X-Lark-Signature")) && fresh(timestamp, a.now())
	text, err := a.cipher.open(envelope.Encrypt)
	if err != nil {
		return p, signed, unlessForged(err, signed)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, signed, unlessForged(errors.New("event is not JSON"), signed)
	}
	if !apihttp.SameSecret(a.cfg.Events.Token.Reveal(), cmp.Or(p.Header.Token, p.Token)) || p.Type != typeChallenge && !a.ours(p) {
		return p, signed, errForged
	}
	return p, signed, nil
}

// unlessForged tells only the platform what is wrong with its event.
func unlessForged(err error, signed bool) error {
	if signed {
		return err
	}
	return errForged
}

// ours says whether p is for our app.
func (a *Adapter) ours(p pushed) bool { return a.cfg.AppID == "" || p.Header.AppID == a.cfg.AppID }

// fresh says whether timestamp, in seconds, is at most maxSkew away from now.
func fresh(timestamp string, now time.Time) bool {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return false
	}
	age := now.Sub(time.Unix(seconds, 0))
	return -maxSkew <= age && age <= maxSkew
}

// received is the event im.message.receive_v1: one message.
type received struct {
	Sender struct {
		SenderID struct {
			OpenID string `json:"open_id"`
		} `json:"sender_id"`
		SenderType string `json:"sender_type"` // "user" or "app"
		TenantKey  string `json:"tenant_key"`
	} `json:"sender"`
	Message struct {
		MessageID   string         `json:"message_id"`
		ChatID      string         `json:"chat_id"`
		ChatType    string         `json:"chat_type"` // "p2p" or "group"
		MessageType string         `json:"message_type"`
		Content     string         `json:"content"` // JSON
		CreateTime  apihttp.Scalar `json:"create_time"`
		Mentions    []mentioned    `json:"mentions"`
	} `json:"message"`
}

// mentioned is somebody mentioned: where its key stands in the text, its name is shown.
type mentioned struct {
	Key  string `json:"key"` // "@_user_1"
	Name string `json:"name"`
	Type string `json:"mentioned_type"` // "user" or "bot"; "" in older events
}

// placeholder stands for a mention in a text.
var placeholder = regexp.MustCompile(`@_(?:user_[0-9]+|all)`)

// words is what the member wrote, mentions removed; ok is false for a picture, a file or a sticker.
func (m received) words() (text string, ok bool) {
	switch m.Message.MessageType {
	case "text":
		var content struct {
			Text *string `json:"text"`
		}
		if json.Unmarshal([]byte(m.Message.Content), &content) != nil || content.Text == nil {
			return "", false
		}
		text = *content.Text
	case "post":
		if text, ok = postWords(m.Message.Content); !ok {
			return "", false
		}
	default:
		return "", false
	}
	return apihttp.CleanLines(placeholder.ReplaceAllString(text, " ")), true
}

// postWords is the text of a message with layout.
func postWords(content string) (string, bool) {
	var post struct {
		Title   string `json:"title"`
		Content [][]struct {
			Tag  string `json:"tag"`
			Text string `json:"text"`
		} `json:"content"`
	}
	if json.Unmarshal([]byte(content), &post) != nil {
		return "", false
	}
	lines := []string{post.Title}
	for _, line := range post.Content {
		var words strings.Builder
		for _, each := range line {
			words.WriteString(each.Text)
		}
		lines = append(lines, words.String())
	}
	return strings.Join(lines, "\n"), true
}

// forUs says whether the message is a command: written by a person to the bot alone, or in a group with the bot mentioned. An app may be
// allowed to read all messages of a group; those are none of its business.
func (m received) forUs(text string) bool {
	switch {
	case m.Sender.SenderType != "" && m.Sender.SenderType != "user":
		return false // an app: two bots must not talk to each other for ever
	case m.Message.ChatType == "p2p" || strings.HasPrefix(text, "/"):
		return true
	}
	return slices.ContainsFunc(m.Message.Mentions, func(each mentioned) bool { return each.Key != "@_all" && each.Type != "user" })
}

// command is the message as the core sees it.
func (m received) command(p pushed, text string, now time.Time) bot.Command {
	return bot.Command{
		ID: m.Message.MessageID, Text: text, At: m.Message.CreateTime.Milliseconds(now),
		Channel: bot.Channel{Adapter: Name, Kind: KindApp, Workspace: p.Header.TenantKey, Address: m.Message.ChatID},
		Member:  bot.Member{ID: m.Sender.SenderID.OpenID},
	}
}

// answerCommand runs a member's command and replies with what it says.
func (a *Adapter) answerCommand(ctx context.Context, in bot.Inbox, p pushed, m received) {
	text, isText := m.words()
	if !isText || !m.forUs(text) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commandWithin)
	defer cancel()
	cmd := m.command(p, text, a.now())
	log := a.log.With("adapter", Name, "workspace", cmd.Channel.Workspace, "channel", cmd.Channel.Address)
	msg, err := in.Command(ctx, cmd)
	if err != nil {
		log.Error("command failed", "err", err)
	}
	if msg.Title == "" && msg.Notice == "" && len(msg.Blocks) == 0 && msg.Image == nil {
		return
	}
	parts := a.Split(KindApp, msg)
	for k, part := range parts {
		post := bot.Post{Key: "reply/" + cmd.ID, Part: k + 1, Parts: len(parts), Message: part}
		if err := a.reply(ctx, cmd, post); err != nil {
			log.Error("answer to a command was not delivered", "code", err.Code, "err", err)
			return
		}
	}
}

// reply answers below the member's message, or in the chat when that message is gone. A stale token is fetched again, once.
func (a *Adapter) reply(ctx context.Context, cmd bot.Command, post bot.Post) *bot.SendError {
	_, fault := a.replyTo(ctx, cmd.ID, post)
	if fault != nil && fault.Fault == bot.Retryable && verdictOf[fault.Code].Token {
		_, fault = a.replyTo(ctx, cmd.ID, post)
	}
	if fault != nil && verdictOf[fault.Code] == verdictOf[codeAnswered] {
		_, fault = a.sendApp(ctx, cmd.Channel.Address, post)
	}
	return fault
}

// codeAnswered is the code of a reply to a message that was taken back.
const codeAnswered = "230011"

// answerJSON answers 200 and hands the answer to the network at once.
func answerJSON(w http.ResponseWriter, v any) {
	body := apihttp.EncodeJSON(v)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
	_ = http.NewResponseController(w).Flush()
}
