package twin

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// The gateway of AI bots (智能机器人长连接, 101463, read 2026-11), at "/" as on the platform.
const (
	maxBotText    = 20480 // bytes
	botRate       = 30    // answers and pushes a minute and chat
	botHourRate   = 1000  // the same, an hour
	subscribeRate = 10    // a minute and bot; the real one is not published
	streamLife    = 6 * time.Minute
	replyLife     = 24 * time.Hour
	welcomeLife   = 5 * time.Second
	responseLife  = time.Hour
	frameWrite    = 5 * time.Second
)

// Bot is an AI bot (智能机器人).
type Bot struct {
	ID             string // bot_id
	Name           string // what members type behind the @
	Secret         string // of the long connection
	Token          string // of callbacks, as is EncodingAESKey
	EncodingAESKey string
	CallbackURL    string // "" = the bot is in long connection mode
}

// Said is what a member does in a chat that an AI bot is in.
type Said struct {
	Bot   string // bot ID; "" = the first
	Chat  string // chatid of a group; "" = 1:1
	From  string
	Text  string         // as typed: "@Name /hot ebpf"
	Event string         // "enter_chat" …: an event instead of a text
	ID    string         // msgid; "" = a new one
	Raw   map[string]any // fields that replace those of the callback

	clicked *Post // whose button
}

type gatewayConn struct {
	conn  *websocket.Conn
	write sync.Mutex
	bot   *Bot
}

// asked is a callback that can be answered.
type asked struct {
	bot    *Bot
	chat   string // as shown in Post.Channel
	at     time.Time
	event  bool
	stream string // id of its stream, "" = none yet
	begun  time.Time
	done   bool
	coded  bool   // answered by response_url
	post   string // ID of the post whose button was clicked
}

// gateway is the state of all bots. Twin.mu guards it.
type gateway struct {
	live  map[string]*gatewayConn // by bot ID
	asks  map[string]*asked       // by req_id, or "code:" and the code of a response_url
	spoke map[string]bool         // bot ID and chat that has spoken
	hours map[string][]time.Time
}

var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}

// connect serves one long connection.
func (t *Twin) connect(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	conn.SetReadLimit(maxBody)
	c := &gatewayConn{conn: conn}
	defer t.left(c)
	for {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if !t.frame(c, raw) {
			return
		}
	}
}

func (t *Twin) left(c *gatewayConn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.bot != nil && t.gate.live[c.bot.ID] == c {
		delete(t.gate.live, c.bot.ID)
	}
}

func (c *gatewayConn) send(v any) error {
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(frameWrite))
	return c.conn.WriteJSON(v)
}

type frameIn struct {
	Cmd     string `json:"cmd"`
	Headers struct {
		ReqID string `json:"req_id"`
	} `json:"headers"`
	Body map[string]any `json:"body"`
}

// posting frames count, and can be told to fail.
func posts(cmd string) bool {
	return cmd == "aibot_send_msg" || cmd == "aibot_respond_msg" || cmd == "aibot_respond_welcome_msg" || cmd == "aibot_respond_update_msg"
}

// frame answers one frame and says whether the connection goes on.
func (t *Twin) frame(c *gatewayConn, raw []byte) bool {
	var f frameIn
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if dec.Decode(&f) != nil || dec.More() {
		return t.ack(c, f, raw, no(40035, "invalid parameter: a frame is one JSON object"))
	}
	var fail Failure
	if posts(f.Cmd) {
		fail = t.nextFailure()
	}
	time.Sleep(fail.Delay)
	switch {
	case fail.DropBefore:
		return false
	case fail.Code != 0:
		return t.ack(c, f, raw, no(fail.Code, "asked to fail"))
	}
	re := t.judge(c, f, raw)
	if fail.DropAfter {
		return false
	}
	if fail.Mute {
		return true
	}
	return t.ack(c, f, raw, re)
}

func (t *Twin) ack(c *gatewayConn, f frameIn, raw []byte, re *reply) bool {
	if re.code != 0 {
		t.note(Refusal{Path: cmp.Or(f.Cmd, "frame"), Code: re.code, Why: re.why, Raw: raw})
	}
	ack := map[string]any{"headers": map[string]string{"req_id": f.Headers.ReqID}, "errcode": re.code, "errmsg": cmp.Or(re.why, "ok")}
	if re.more != nil {
		ack["body"] = re.more
	}
	return c.send(ack) == nil
}

func (t *Twin) judge(c *gatewayConn, f frameIn, raw []byte) *reply {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case f.Headers.ReqID == "":
		return no(40035, "invalid parameter: req_id missing")
	case f.Cmd == "aibot_subscribe":
		return t.subscribe(c, f)
	case c.bot == nil:
		return no(846609, "aibot websocket not subscribed")
	case f.Cmd == "ping":
		return &reply{}
	}
	b := &body{raw: raw, fields: f.Body}
	switch f.Cmd {
	case "aibot_upload_media_init":
		return t.uploadInit(c.bot, b)
	case "aibot_upload_media_chunk":
		return t.uploadChunk(c.bot, b)
	case "aibot_upload_media_finish":
		return t.uploadFinish(c.bot, b)
	case "aibot_send_msg":
		return t.botPush(c.bot, b)
	case "aibot_respond_msg":
		return t.botAnswer(c.bot, f.Headers.ReqID, b)
	case "aibot_respond_welcome_msg":
		return t.botWelcome(c.bot, f.Headers.ReqID, b)
	case "aibot_respond_update_msg":
		return t.botUpdate(c.bot, f.Headers.ReqID, b)
	}
	return no(40035, "invalid parameter: cmd %q", f.Cmd)
}

// subscribe makes c the bot's one connection; the one before is told so, and cut.
func (t *Twin) subscribe(c *gatewayConn, f frameIn) *reply {
	id, _ := f.Body["bot_id"].(string)
	secret, _ := f.Body["secret"].(string)
	at := slices.IndexFunc(t.opt.Bots, func(b Bot) bool { return b.ID == id })
	switch {
	case at < 0:
		return no(93019, "invalid bot_id")
	case t.over("subscribe:"+id, subscribeRate):
		return no(45009, "api freq out of limit")
	case t.opt.Bots[at].Secret != secret:
		return no(40001, "invalid secret")
	case t.opt.Bots[at].CallbackURL != "":
		return no(48002, "the bot is in callback mode")
	}
	if old := t.gate.live[id]; old != nil && old != c {
		go func() {
			_ = old.send(t.callback("aibot_event_callback", "disconnected", old.bot, Said{Event: "disconnected_event"}, "disconnected"))
			old.conn.Close()
		}()
	}
	c.bot, t.gate.live[id] = &t.opt.Bots[at], c
	return &reply{}
}

var botTypes = map[string]int{"markdown": maxBotText, "template_card": 0, "file": 0, "image": 0, "voice": 0, "video": 0}

func (t *Twin) botPush(b *Bot, body *body) *reply {
	chat := body.text("chatid")
	if _, ok := body.fields["chat_type"]; ok {
		if n, ok := body.number("chat_type"); !ok || n < 0 || n > 2 {
			return no(40035, "invalid parameter: chat_type")
		}
	}
	p, re := body.content(botTypes, false, heardCards)
	if re == nil && p.MsgType == "image" {
		p.Image, re = t.appImage(b.ID, body.fields["image"].(map[string]any))
	}
	switch {
	case re != nil:
		return re
	case !t.gate.spoke[b.ID+"/chat:"+chat] && !t.gate.spoke[b.ID+"/user:"+chat]: // case counts
		return no(93006, "invalid chatid")
	}
	p.Kind, p.Channel = "aibot", "chat:"+chat
	if !t.gate.spoke[b.ID+"/"+p.Channel] {
		p.Channel = "user:" + chat
	}
	return t.botPost(b, p)
}

// botPost keeps what is within the chat's rates.
func (t *Twin) botPost(b *Bot, p Post) *reply {
	p.Bot = b.ID
	if p.Card != nil && p.Card.TaskID != "" {
		if slices.ContainsFunc(t.posts, func(q Post) bool { return q.Bot == b.ID && q.Card != nil && q.Card.TaskID == p.Card.TaskID }) {
			return no(42014, "invalid task_id: used before")
		}
	}
	what := b.ID + "/" + p.Channel
	hour := 60 * t.opt.Window
	now := t.opt.Now()
	calls := slices.DeleteFunc(t.gate.hours[what], func(at time.Time) bool { return now.Sub(at) >= hour })
	t.gate.hours[what] = calls
	if t.over("aibot:"+what, botRate) || len(calls) >= botHourRate {
		return no(45009, "api freq out of limit")
	}
	t.gate.hours[what] = append(calls, now)
	if p.ID != "" {
		if k := slices.IndexFunc(t.posts, func(q Post) bool { return q.ID == p.ID }); k >= 0 { // a stream's next frame
			p.At = t.posts[k].At
			if p.Card == nil {
				p.Card = t.posts[k].Card
			}
			t.posts[k] = p
			return &reply{}
		}
	}
	t.keep(p)
	return &reply{}
}

func (t *Twin) botAnswer(b *Bot, reqID string, body *body) *reply {
	a := t.gate.asks[reqID]
	now := t.opt.Now()
	if a == nil || a.bot.ID != b.ID || a.event || now.Sub(a.at) >= replyLife {
		return no(846605, "invalid req_id")
	}
	if !strings.HasPrefix(body.text("msgtype"), "stream") {
		p, re := body.content(botTypes, false, heardCards)
		if re == nil && p.MsgType == "image" {
			p.Image, re = t.appImage(b.ID, body.fields["image"].(map[string]any))
		}
		if re != nil {
			return re
		}
		p.Kind, p.Channel = "aibot", a.chat
		return t.botPost(b, p)
	}
	p, finish, re := streamPost(body)
	if re != nil {
		return re
	}
	id := p.ID
	switch {
	case a.stream != "" && a.stream != id:
		return no(40035, "invalid parameter: another stream answers this message")
	case a.done, a.stream != "" && now.Sub(a.begun) >= streamLife:
		return no(846608, "stream is over")
	}
	p.ID, p.Kind, p.Channel = "stream:"+reqID+":"+id, "aibot", a.chat
	if re := t.botPost(b, p); re.code != 0 {
		return re
	}
	if a.stream == "" {
		a.stream, a.begun = id, now
	}
	a.done = finish
	return &reply{}
}

// streamPost reads a stream frame; ID is the stream's.
func streamPost(b *body) (p Post, finish bool, re *reply) {
	if b.text("msgtype") == "stream_with_template_card" {
		if part, ok := b.fields["template_card"].(map[string]any); ok { // once in the life of a stream
			if p.Card, re = readCard(part, heardCards); re != nil {
				return p, false, re
			}
		}
	} else if b.text("msgtype") != "stream" {
		return p, false, no(40008, "invalid message type %q", b.text("msgtype"))
	}
	part, _ := b.fields["stream"].(map[string]any)
	id, _ := part["id"].(string)
	text, _ := part["content"].(string)
	finish, _ = part["finish"].(bool)
	switch {
	case id == "":
		return p, false, no(40035, "invalid parameter: stream.id missing")
	case len(text) > maxBotText:
		return p, false, no(40058, "stream.content exceed max length %d", maxBotText)
	case finish && strings.TrimSpace(text) == "":
		return p, false, no(44004, "text content is empty")
	}
	p = Post{ID: id, MsgType: "stream", Content: text, Card: p.Card, Open: !finish, Body: b.fields, Raw: b.raw}
	return p, finish, nil
}

func (t *Twin) botWelcome(b *Bot, reqID string, body *body) *reply {
	a := t.gate.asks[reqID]
	if a == nil || a.bot.ID != b.ID || !a.event || a.post != "" || a.done || t.opt.Now().Sub(a.at) >= welcomeLife {
		return no(846605, "invalid req_id")
	}
	p, re := body.content(map[string]int{"text": maxText, "template_card": 0}, false, heardCards)
	if re != nil {
		return re
	}
	a.done = true
	p.Kind, p.Channel = "aibot", a.chat
	return t.botPost(b, p)
}

// botUpdate is the answer to a click: the card as it is to be from now on.
func (t *Twin) botUpdate(b *Bot, reqID string, body *body) *reply {
	a := t.gate.asks[reqID]
	if a == nil || a.bot.ID != b.ID || a.post == "" || a.done || t.opt.Now().Sub(a.at) >= welcomeLife {
		return no(846605, "invalid req_id")
	}
	if body.text("response_type") != "update_template_card" {
		return no(40035, "invalid parameter: response_type")
	}
	part, _ := body.fields["template_card"].(map[string]any)
	card, re := readCard(part, heardCards)
	if re != nil {
		return re
	}
	k := slices.IndexFunc(t.posts, func(p Post) bool { return p.ID == a.post })
	if k < 0 || t.posts[k].Card.TaskID != card.TaskID {
		return no(42014, "invalid task_id: not that of the clicked card")
	}
	a.done = true
	t.posts[k].Card, t.posts[k].Body, t.posts[k].Raw = card, body.fields, body.raw
	return &reply{}
}

// Click brings a member's click on a button of a card, by the post's ID and the button's key, to the AI bot that posted it.
func (t *Twin) Click(ctx context.Context, post, key, from string) (Heard, error) {
	t.mu.Lock()
	k := slices.IndexFunc(t.posts, func(p Post) bool { return p.ID == post && p.Card != nil })
	if k < 0 || !slices.ContainsFunc(t.posts[k].Card.Buttons, func(b CardButton) bool { return b.Key == key }) {
		t.mu.Unlock()
		return Heard{}, fmt.Errorf("post %q has no button %q", post, key)
	}
	p := t.posts[k]
	t.mu.Unlock()
	s := Said{Bot: p.Bot, From: from, Event: "template_card_event", clicked: &p, Raw: map[string]any{"event": map[string]any{
		"eventtype": "template_card_event", "template_card_event": map[string]string{"card_type": p.Card.Type, "event_key": key, "task_id": p.Card.TaskID}}}}
	s.Chat, _ = strings.CutPrefix(p.Channel, "chat:")
	if strings.HasPrefix(p.Channel, "user:") {
		s.Chat = ""
	}
	return t.SayBot(ctx, s)
}

// SayBot brings what a member does to an AI bot: over its connection, or to its callback URL. Over the connection it returns once the
// frame has left; the answer is among Posts.
func (t *Twin) SayBot(ctx context.Context, s Said) (Heard, error) {
	t.mu.Lock()
	at := slices.IndexFunc(t.opt.Bots, func(b Bot) bool { return s.Bot == "" || b.ID == s.Bot })
	if at < 0 {
		t.mu.Unlock()
		return Heard{}, fmt.Errorf("no AI bot %q", s.Bot)
	}
	b, c := &t.opt.Bots[at], t.gate.live[t.opt.Bots[at].ID]
	s.ID = cmp.Or(s.ID, rand.Text())
	chat := "user:" + s.From
	if s.Chat != "" {
		chat = "chat:" + s.Chat
	}
	reqID := "req-" + rand.Text()
	if len(t.gate.asks) >= t.opt.MaxPosts {
		clear(t.gate.asks)
	}
	if len(t.gate.spoke) >= t.opt.MaxPosts {
		clear(t.gate.spoke)
		clear(t.gate.hours)
	}
	t.gate.asks[reqID] = &asked{bot: b, chat: chat, at: t.opt.Now(), event: s.Event != ""}
	if s.clicked != nil {
		t.gate.asks[reqID].post = s.clicked.ID
	} else {
		t.gate.spoke[b.ID+"/"+chat] = true
		t.keep(Post{Kind: "said", From: s.From, Bot: b.ID, Channel: chat, MsgType: "text", Content: s.Text + s.Event})
	}
	t.mu.Unlock()
	if b.CallbackURL != "" {
		return t.callBot(ctx, b, s, reqID)
	}
	if c == nil {
		return Heard{}, errors.New("the bot is not connected")
	}
	cmd := "aibot_msg_callback"
	if s.Event != "" {
		cmd = "aibot_event_callback"
	}
	return Heard{Attempts: 1}, c.send(t.callback(cmd, reqID, b, s, s.ID))
}

func (t *Twin) callback(cmd, reqID string, b *Bot, s Said, id string) map[string]any {
	return map[string]any{"cmd": cmd, "headers": map[string]string{"req_id": reqID}, "body": t.told(b, s, id)}
}

// told is the inner JSON of a callback.
func (t *Twin) told(b *Bot, s Said, id string) map[string]any {
	m := map[string]any{"msgid": id, "aibotid": b.ID, "from": map[string]string{"userid": s.From}, "chattype": "single",
		"msgtype": "text", "text": map[string]string{"content": s.Text}}
	if s.Chat != "" {
		m["chatid"], m["chattype"] = s.Chat, "group"
	}
	if s.Event != "" {
		delete(m, "text")
		m["msgtype"], m["event"], m["create_time"] = "event", map[string]string{"eventtype": s.Event}, t.opt.Now().Unix()
	}
	for name, value := range s.Raw {
		m[name] = value
	}
	return m
}

// Bots are the AI bots there are.
func (t *Twin) Bots() []Bot { return slices.Clone(t.opt.Bots) }

// Connected says whether a bot has a live connection.
func (t *Twin) Connected(bot string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gate.live[bot] != nil
}

// CutBots closes every long connection without a word.
func (t *Twin) CutBots() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.gate.live {
		c.conn.Close()
	}
}

// Push sends a raw frame to a bot, as the platform never would.
func (t *Twin) Push(bot, raw string) error {
	t.mu.Lock()
	c := t.gate.live[bot]
	t.mu.Unlock()
	if c == nil {
		return errors.New("the bot is not connected")
	}
	c.write.Lock()
	defer c.write.Unlock()
	return c.conn.WriteMessage(websocket.TextMessage, []byte(raw))
}
