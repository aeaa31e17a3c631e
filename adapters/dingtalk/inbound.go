package dingtalk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Hook serves /dingtalk/robot (messages to the app robot, HTTP mode) and /dingtalk/events (encrypted events); each only when its keys
// are configured. See bot.Hook.
//
// The signature of /dingtalk/robot covers a timestamp and nothing else: whoever captures one pair of headers may send any body for an
// hour. So it belongs behind TLS, the robot and the organisation of each message must be ours, replies go to known hosts only, and
// the core runs each Command.ID once.
func (a *Adapter) Hook(in bot.Inbox) http.Handler {
	mux := http.NewServeMux()
	if a.cfg.Enabled() {
		mux.HandleFunc("POST /dingtalk/robot", func(w http.ResponseWriter, r *http.Request) { a.serveRobot(w, r, in) })
	}
	if a.cipher != nil {
		mux.HandleFunc("POST /dingtalk/events", func(w http.ResponseWriter, r *http.Request) { a.serveEvent(w, r, in) })
	}
	return mux
}

// inbound is what the platform posts for one message. Pages and samples differ in types: everything optional is tolerant.
type inbound struct {
	ConversationID    string          `json:"conversationId"`
	ConversationType  apihttp.Scalar  `json:"conversationType"` // "1" one person, "2" group
	ConversationTitle string          `json:"conversationTitle"`
	MsgID             string          `json:"msgId"`
	MsgType           string          `json:"msgtype"`
	Text              json.RawMessage `json:"text"`
	Content           json.RawMessage `json:"content"`
	SenderID          string          `json:"senderId"`
	SenderNick        string          `json:"senderNick"`
	SenderStaffID     string          `json:"senderStaffId"` // empty for people from outside
	IsAdmin           apihttp.Scalar  `json:"isAdmin"`
	ChatbotCorpID     string          `json:"chatbotCorpId"`
	RobotCode         string          `json:"robotCode"`
	CreateAt          apihttp.Scalar  `json:"createAt"` // milliseconds
	SessionWebhook    string          `json:"sessionWebhook"`
	SessionExpires    apihttp.Scalar  `json:"sessionWebhookExpiredTime"` // milliseconds
	ErrorCode         apihttp.Scalar  `json:"errorCode"`
	ErrCode           apihttp.Scalar  `json:"errCode"`
}

// decodeInbound reads a message; an error is malformed input.
func decodeInbound(body []byte) (inbound, error) {
	var m inbound
	if err := json.Unmarshal(body, &m); err != nil {
		return m, errors.New("body is not a message in JSON")
	}
	if m.MsgID == "" || m.ConversationID == "" {
		return m, errors.New("msgId or conversationId is missing")
	}
	return m, nil
}

// quotaSpent says that the message came without its text, because the organisation's quota is used up.
func (m inbound) quotaSpent() bool { return m.ErrorCode == "20001" || m.ErrCode == "20001" }

// words is what the member wrote; ok is false for a picture, a file or a voice message.
func (m inbound) words() (text string, ok bool) {
	if s, ok := stringOrContent(m.Text); ok {
		return apihttp.CleanLines(s), true
	}
	if s, ok := stringOrContent(m.Content); ok {
		return apihttp.CleanLines(s), true
	}
	var rich struct {
		RichText []struct {
			Text string `json:"text"`
		} `json:"richText"`
	}
	if json.Unmarshal(m.Content, &rich) != nil {
		return "", false
	}
	var parts []string
	for _, each := range rich.RichText {
		if each.Text != "" {
			parts = append(parts, each.Text)
		}
	}
	return apihttp.CleanLines(strings.Join(parts, " ")), len(parts) > 0
}

// stringOrContent reads "words" and {"content":"words"}.
func stringOrContent(raw json.RawMessage) (string, bool) {
	var s string
	if len(raw) == 0 || string(raw) == "null" {
		return "", false
	}
	if json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	var object struct {
		Content *string `json:"content"`
	}
	if json.Unmarshal(raw, &object) != nil || object.Content == nil {
		return "", false
	}
	return *object.Content, true
}

// command is the message as the core sees it.
func (m inbound) command(text string, now time.Time) bot.Command {
	member := bot.Member{
		ID: cmp.Or(m.SenderStaffID, m.SenderID), Name: apihttp.CleanText(m.SenderNick),
		Admin: m.IsAdmin == "true" && m.SenderStaffID != "", // nobody from outside administers the organisation
	}
	channel := bot.Channel{Adapter: Name, Kind: KindApp, Workspace: m.ChatbotCorpID}
	if m.ConversationType == "1" {
		channel.Address, channel.Name = userPrefix+member.ID, member.Name
	} else {
		channel.Address, channel.Name = groupPrefix+m.ConversationID, apihttp.CleanText(m.ConversationTitle)
	}
	return bot.Command{ID: m.MsgID, Text: text, Channel: channel, Member: member, At: m.CreateAt.Milliseconds(now)}
}

func (a *Adapter) serveRobot(w http.ResponseWriter, r *http.Request, in bot.Inbox) {
	body, ok := apihttp.ReadHook(w, r)
	if !ok {
		return
	}
	timestamp := r.Header.Get("timestamp")
	if !apihttp.SameSecret(sign(timestamp, a.cfg.ClientSecret.Reveal()), r.Header.Get("sign")) || !fresh(timestamp, a.now()) {
		http.Error(w, "bad or stale signature", http.StatusUnauthorized)
		return
	}
	m, err := decodeInbound(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if m.RobotCode != a.cfg.RobotCode || a.cfg.CorpID != "" && m.ChatbotCorpID != a.cfg.CorpID {
		http.Error(w, "robotCode or chatbotCorpId is not ours", http.StatusUnauthorized)
		return
	}
	a.messages.count(r.Context())
	answer := &onceAnswer{w: w}
	text, isText := m.words()
	switch {
	case m.quotaSpent():
		a.logQuota(m)
		answer.say(emptyAnswer)
	case !isText:
		answer.say(emptyAnswer)
	default:
		a.answerCommand(r.Context(), in, m, text, answer)
	}
}

func (a *Adapter) logQuota(m inbound) {
	a.log.Error("the organisation's quota of webhook and stream calls is used up: messages to the robot arrive without text until next month",
		"adapter", Name, "workspace", m.ChatbotCorpID, "channel", m.ConversationID, "code", "20001")
}

// answerCommand runs the command and answers it: in the HTTP answer when it is done in time, else with an empty one and over the
// sessionWebhook. It returns when all is said, so that a server that shuts down waits for it.
func (a *Adapter) answerCommand(ctx context.Context, in bot.Inbox, m inbound, text string, answer *onceAnswer) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandWithin)
	defer cancel()
	late := time.AfterFunc(a.answerWithin, func() { answer.say(emptyAnswer) })
	defer late.Stop()
	a.runCommand(ctx, in, m, text, answer.say)
}

// runCommand runs a member's command and brings back what it says: by say, if it is one part and say takes it, else by reply. Several parts
// never mix the two ways: the platform could show the second before the first.
func (a *Adapter) runCommand(ctx context.Context, in bot.Inbox, m inbound, text string, say func(body []byte) bool) {
	cmd := m.command(text, a.now())
	cmd.Channel.Workspace = cmp.Or(cmd.Channel.Workspace, a.cfg.CorpID)
	msg, err := in.Command(ctx, cmd)
	if err != nil {
		a.log.Error("command failed", "adapter", Name, "workspace", cmd.Channel.Workspace, "channel", cmd.Channel.Address, "err", err)
	}
	if isEmpty(msg) {
		say(emptyAnswer)
		return
	}
	parts := a.Split(KindApp, msg)
	if len(parts) > 1 {
		say(emptyAnswer)
	}
	for k, part := range parts {
		post := bot.Post{Key: "reply/" + m.MsgID, Part: k + 1, Parts: len(parts), Message: part}
		c, fault := a.appCard(ctx, post)
		if fault != nil {
			a.log.Warn("image left out", "adapter", Name, "code", fault.Code, "err", fault)
			post.Message = part.WithoutImage() // not to be tried again
		}
		body := apihttp.JSONBody(c.webhook(""))
		if len(parts) == 1 && say(body.Bytes) {
			return
		}
		if err := a.reply(ctx, m, cmd.Channel, post, body); err != nil {
			a.log.Error("answer to a command was not delivered", "adapter", Name, "workspace", cmd.Channel.Workspace,
				"channel", cmd.Channel.Address, "code", err.Code, "err", err)
			return
		}
	}
}

func isEmpty(msg bot.Message) bool {
	return msg.Title == "" && msg.Notice == "" && len(msg.Blocks) == 0
}

// reply posts one part to the sessionWebhook while it lives, and through the app's API when it does not.
func (a *Adapter) reply(ctx context.Context, m inbound, dst bot.Channel, post bot.Post, body apihttp.Body) *bot.SendError {
	now := a.now()
	if m.SessionWebhook != "" && m.SessionExpires.Milliseconds(now.Add(time.Hour)).After(now.Add(sessionMargin)) {
		fault := a.postWebhook(ctx, bot.Secret(m.SessionWebhook), "", body)
		if fault == nil || !sessionGone(fault) {
			return fault
		}
	}
	_, fault := a.sendApp(ctx, dst.Address, post)
	return fault
}

// sessionGone says that the platform no longer knows the sessionWebhook. 300001 means so there only.
func sessionGone(fault *bot.SendError) bool {
	switch strings.ToLower(fault.Code) {
	case "300001", "session.notexisted", "session.expired":
		return true
	}
	return false
}

// onceAnswer writes one HTTP answer, whoever comes first: the command or its deadline.
type onceAnswer struct {
	w    http.ResponseWriter
	mu   sync.Mutex
	done bool
}

// say writes body and hands it to the network at once. False when an answer was given before.
func (o *onceAnswer) say(body []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return false
	}
	o.done = true
	o.w.Header().Set("Content-Type", "application/json; charset=utf-8")
	o.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = o.w.Write(body)
	_ = http.NewResponseController(o.w).Flush()
	return true
}
