package twin

import (
	"context"
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/silenceper/wechat/v2/util"
)

const (
	callbackWait  = 5 * time.Second // WeCom waits so long for the answer (90238) …
	callbackTries = 4               // … and sends three times more
)

// Heard is what became of a callback.
type Heard struct {
	Status   int    // of the last try; 0 = no answer
	Reply    string // Content of the passive answer, decrypted; "" when there was none
	Attempts int
}

// Message is what a member does in an app: a text, or an event.
type Message struct {
	From     string
	Text     string
	Event    string // "enter_agent" …: an event instead of a text
	EventKey string
	Fields   map[string]string // more of an event: "ChangeType", "UserID" …
	ID       string            // MsgId of a text; delivered twice with one ID is WeCom's own repetition. "" = a new one
	At       time.Time         // CreateTime; zero = now
}

type xmlMessage struct {
	XMLName      xml.Name `xml:"xml"`
	ToUserName   string
	FromUserName string
	CreateTime   int64
	MsgType      string
	Content      string `xml:",omitempty"`
	MsgId        string `xml:",omitempty"`
	Event        string `xml:",omitempty"`
	EventKey     string `xml:",omitempty"`
	Fields       []xmlField
	AgentID      int `xml:",omitempty"`
}

type xmlField struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

type xmlEnvelope struct {
	XMLName      xml.Name `xml:"xml"`
	ToUserName   string   `xml:",omitempty"`
	AgentID      int      `xml:",omitempty"`
	Encrypt      string
	MsgSignature string `xml:",omitempty"`
	TimeStamp    string `xml:",omitempty"`
	Nonce        string `xml:",omitempty"`
}

// Deliver sends m to the callback of the agent's app as WeCom does: encrypted, signed, again when it is not answered 200 within five
// seconds. It blocks until an answer is there or the tries are used up.
func (t *Twin) Deliver(ctx context.Context, agentID int, m Message) (Heard, error) {
	app, err := t.appByAgent(agentID)
	if err != nil {
		return Heard{}, err
	}
	inner, id := t.compose(app, m)
	envelope, query, err := app.seal(inner, t.opt.Now())
	if err != nil {
		return Heard{}, err
	}
	body, _ := xml.Marshal(xmlEnvelope{ToUserName: app.CorpID, AgentID: app.AgentID, Encrypt: envelope})
	t.mu.Lock()
	t.keep(Post{ID: id, Kind: "said", From: m.From, Channel: "user:" + m.From, MsgType: "text", Content: m.Text + m.Event})
	t.mu.Unlock()
	var heard Heard
	for heard.Attempts < callbackTries && heard.Status != http.StatusOK && ctx.Err() == nil {
		heard.Attempts++
		var answer []byte
		heard.Status, answer = t.call(ctx, http.MethodPost, app.CallbackURL+"?"+query.Encode(), string(body))
		if heard.Status == http.StatusOK && len(answer) > 0 && string(answer) != "success" {
			heard.Reply, err = app.open(answer)
		}
	}
	if err == nil && heard.Reply != "" {
		t.mu.Lock()
		t.keep(Post{Kind: "passive", Channel: "user:" + m.From, MsgType: "text", Content: heard.Reply, Cut: len(heard.Reply) > maxText})
		t.mu.Unlock()
	}
	return heard, err
}

// Verify asks the callback of the agent's app for its echo, as WeCom does when an administrator saves the URL.
func (t *Twin) Verify(ctx context.Context, agentID int) error {
	app, err := t.appByAgent(agentID)
	if err != nil {
		return err
	}
	const echo = "1616140317555161061"
	sealed, query, err := app.seal([]byte(echo), t.opt.Now())
	if err != nil {
		return err
	}
	query.Set("echostr", sealed)
	status, answer := t.call(ctx, http.MethodGet, app.CallbackURL+"?"+query.Encode(), "")
	if status != http.StatusOK || string(answer) != echo {
		return fmt.Errorf("callback answered %d %q, want 200 %q", status, answer, echo)
	}
	return nil
}

func (t *Twin) appByAgent(agentID int) (*App, error) {
	for k := range t.opt.Apps {
		if app := &t.opt.Apps[k]; app.AgentID == agentID && app.CallbackURL != "" {
			return app, nil
		}
	}
	return nil, fmt.Errorf("no app with agent ID %d and a callback URL", agentID)
}

func (t *Twin) compose(app *App, m Message) (inner []byte, id string) {
	if m.At.IsZero() {
		m.At = t.opt.Now()
	}
	msg := xmlMessage{ToUserName: app.CorpID, FromUserName: m.From, CreateTime: m.At.Unix(), AgentID: app.AgentID}
	if m.Event != "" {
		msg.MsgType, msg.Event, msg.EventKey = "event", m.Event, m.EventKey
		for name, text := range m.Fields {
			msg.Fields = append(msg.Fields, xmlField{xml.Name{Local: name}, text})
		}
	} else {
		if m.ID == "" {
			m.ID = strconv.FormatInt(m.At.UnixNano(), 10)
		}
		msg.MsgType, msg.Content, msg.MsgId = "text", m.Text, m.ID
	}
	inner, _ = xml.Marshal(msg)
	return inner, m.ID
}

func (t *Twin) call(ctx context.Context, method, to, body string) (int, []byte) {
	ctx, cancel := context.WithTimeout(ctx, callbackWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(body))
	if err != nil {
		return 0, nil
	}
	req.Header.Set("Content-Type", "text/xml")
	resp, err := t.opt.HTTP.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, answer
}

// seal encrypts and signs with the SDK, another implementation than the adapter's.
func (a *App) seal(plain []byte, now time.Time) (string, url.Values, error) {
	encrypted, err := util.EncryptMsg([]byte(rand.Text()[:16]), plain, a.CorpID, a.EncodingAESKey)
	if err != nil {
		return "", nil, err
	}
	timestamp, nonce := strconv.FormatInt(now.Unix(), 10), rand.Text()[:10]
	signature := util.Signature(a.Token, timestamp, nonce, string(encrypted))
	return string(encrypted), url.Values{"msg_signature": {signature}, "timestamp": {timestamp}, "nonce": {nonce}}, nil
}

// open checks and decrypts a passive answer.
func (a *App) open(answer []byte) (string, error) {
	var env xmlEnvelope
	if err := xml.Unmarshal(answer, &env); err != nil {
		return "", fmt.Errorf("passive answer: %w", err)
	}
	if util.Signature(a.Token, env.TimeStamp, env.Nonce, env.Encrypt) != env.MsgSignature {
		return "", errors.New("passive answer: bad signature")
	}
	_, plain, err := util.DecryptMsg(a.CorpID, env.Encrypt, a.EncodingAESKey)
	if err != nil {
		return "", fmt.Errorf("passive answer: %w", err)
	}
	var msg xmlMessage
	if err := xml.Unmarshal(plain, &msg); err != nil {
		return "", fmt.Errorf("passive answer: %w", err)
	}
	if msg.MsgType != "text" || msg.FromUserName != a.CorpID {
		return "", fmt.Errorf("passive answer: type %q from %q", msg.MsgType, msg.FromUserName)
	}
	return msg.Content, nil
}
