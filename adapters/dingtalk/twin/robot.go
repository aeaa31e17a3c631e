package twin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weeklybot/adapters/internal/standin"
)

// robotState is a group robot and what it did lately.
type robotState struct {
	Robot
	sent    standin.Window
	blocked time.Time
	seen    map[string]bool // msgUuid
}

// more is what the platform adds to an error of the security settings.
const more = ", more: [https://ding-doc.dingtalk.com/doc#/serverapi2/qf2nxq]"

// robotSend is POST /robot/send.
func (t *Twin) robotSend(r *http.Request, body []byte) (any, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.opt.Now()
	token := r.URL.Query().Get("access_token")
	robot := t.robot(token)
	switch {
	case token == "":
		return nil, refuse("41001", "missing access_token")
	case robot == nil:
		return nil, refuse("300005", "token is not exist")
	case now.Before(robot.blocked):
		return nil, tooFast()
	}
	p, no := readMessage(r, body)
	if no != nil {
		return nil, no
	}
	if no := robot.secure(r, p, now); no != nil {
		return nil, no
	}
	if !robot.sent.Admits(now, t.opt.PerMinute, t.opt.Window) {
		robot.blocked = now.Add(blockMinutes * t.opt.Window)
		return nil, tooFast()
	}
	p.Channel = "robot:" + token
	if !robot.repeated(p.MsgUUID) {
		t.show(p)
	}
	return ok, nil
}

var ok = map[string]any{"errcode": 0, "errmsg": "ok"}

func tooFast() *refusal {
	return refuse("130101", "send too fast, exceed 20 times per minute")
}

// robot finds a group robot; without configured ones every token is one.
func (t *Twin) robot(token string) *robotState {
	if r := t.robots[token]; r != nil {
		return r
	}
	if len(t.opt.Robots) > 0 || token == "" || len(t.robots) > 10000 {
		return nil
	}
	t.robots[token] = &robotState{Robot: Robot{Token: token}}
	return t.robots[token]
}

// secure checks the robot's security settings.
func (r *robotState) secure(req *http.Request, p Post, now time.Time) *refusal {
	q := req.URL.Query()
	if r.Secret != "" {
		ms, err := strconv.ParseInt(q.Get("timestamp"), 10, 64)
		if age := now.Sub(time.UnixMilli(ms)); err != nil || age > maxSkew || age < -maxSkew {
			return refuse("310000", "invalid timestamp%s", more)
		}
		if !hmac.Equal([]byte(q.Get("sign")), []byte(signature(q.Get("timestamp"), r.Secret))) {
			return refuse("310000", "sign not match%s", more)
		}
	}
	if len(r.Keywords) == 0 {
		return nil
	}
	for _, word := range r.Keywords[:min(len(r.Keywords), maxKeywords)] {
		if strings.Contains(p.Title+"\n"+p.Text, word) {
			return nil
		}
	}
	return refuse("310000", "keywords not in content%s", more)
}

// repeated says whether uuid was seen, and remembers it.
func (r *robotState) repeated(uuid string) bool {
	if uuid == "" || r.seen[uuid] {
		return uuid != ""
	}
	if r.seen == nil || len(r.seen) > 100_000 {
		r.seen = map[string]bool{}
	}
	r.seen[uuid] = true
	return false
}

// signature is 加签, and the signature of callbacks.
func signature(timestamp, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "\n" + secret))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// webhookBody is every message type of a webhook.
type webhookBody struct {
	MsgType string `json:"msgtype"`
	MsgUUID string `json:"msgUuid"`
	At      struct {
		AtMobiles []string `json:"atMobiles"`
		AtUserIDs []string `json:"atUserIds"`
		IsAtAll   bool     `json:"isAtAll"`
	} `json:"at"`
	Text *struct {
		Content string `json:"content"`
	} `json:"text"`
	Markdown *struct {
		Title string `json:"title"`
		Text  string `json:"text"`
	} `json:"markdown"`
	Link *struct {
		Title      string `json:"title"`
		Text       string `json:"text"`
		MessageURL string `json:"messageUrl"`
	} `json:"link"`
	ActionCard *actionCard `json:"actionCard"`
	FeedCard   *struct {
		Links []struct {
			Title      string `json:"title"`
			MessageURL string `json:"messageURL"`
			PicURL     string `json:"picURL"`
		} `json:"links"`
	} `json:"feedCard"`
}

type actionCard struct {
	Title          string `json:"title"`
	Text           string `json:"text"`
	SingleTitle    string `json:"singleTitle"`
	SingleURL      string `json:"singleURL"`
	BtnOrientation string `json:"btnOrientation"`
	Btns           []struct {
		Title     string `json:"title"`
		ActionURL string `json:"actionURL"`
	} `json:"btns"`
}

// readMessage checks a webhook's body.
func readMessage(r *http.Request, body []byte) (Post, *refusal) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return Post{}, refuse("43004", "无效的HTTP HEADER Content-Type")
	}
	if len(body) > maxBody {
		return Post{}, refuse("460101", "message too long, exceed %d bytes", maxBody)
	}
	return decodeMessage(body)
}

func decodeMessage(body []byte) (Post, *refusal) {
	var m webhookBody
	p := Post{Raw: body}
	if json.Unmarshal(body, &m) != nil || json.Unmarshal(body, &p.Body) != nil {
		return p, refuse("40035", "不合法的参数 json")
	}
	p.Kind, p.MsgUUID = m.MsgType, m.MsgUUID
	p.AtAll, p.At = m.At.IsAtAll, append(m.At.AtMobiles, m.At.AtUserIDs...)
	missing := ""
	need := func(value, name string) {
		if missing == "" && value == "" {
			missing = name
		}
	}
	switch {
	case m.MsgType == "empty":
	case m.MsgType == "text" && m.Text != nil:
		p.Text = m.Text.Content
		p.Title = p.Text
		need(p.Text, "text->content")
	case m.MsgType == "markdown" && m.Markdown != nil:
		p.Title, p.Text = m.Markdown.Title, m.Markdown.Text
		need(p.Title, "markdown->title")
		need(p.Text, "markdown->text")
	case m.MsgType == "link" && m.Link != nil:
		p.Title, p.Text = m.Link.Title, m.Link.Text
		p.Buttons = []Button{{m.Link.Title, m.Link.MessageURL}}
		need(p.Title, "link->title")
		need(p.Text, "link->text")
		need(m.Link.MessageURL, "link->messageUrl")
	case m.MsgType == "actionCard" && m.ActionCard != nil:
		missing = m.ActionCard.read(&p)
	case m.MsgType == "feedCard" && m.FeedCard != nil && len(m.FeedCard.Links) > 0:
		for _, l := range m.FeedCard.Links {
			p.Buttons = append(p.Buttons, Button{l.Title, l.MessageURL})
			need(l.Title, "feedCard->title")
			need(l.MessageURL, "feedCard->messageURL")
			need(l.PicURL, "feedCard->picURL")
		}
		p.Title = p.Buttons[0].Title
	case m.MsgType == "":
		missing = "msgtype"
	case m.MsgType == "text" || m.MsgType == "markdown" || m.MsgType == "link" || m.MsgType == "actionCard" || m.MsgType == "feedCard":
		missing = m.MsgType
	default:
		return p, refuse("400105", "unsupported msgtype %s", m.MsgType)
	}
	if missing != "" {
		return p, refuse("40035", "缺少参数 %s", missing)
	}
	return p, nil
}

// read fills p and names what is missing.
func (c *actionCard) read(p *Post) (missing string) {
	p.Title, p.Text = c.Title, c.Text
	switch {
	case c.Title == "":
		return "actionCard->title"
	case c.Text == "":
		return "actionCard->text"
	case c.SingleTitle != "" && c.SingleURL != "": // overrides btns
		p.Buttons = []Button{{c.SingleTitle, c.SingleURL}}
		return ""
	case len(c.Btns) == 0:
		return "actionCard->btns"
	}
	for _, b := range c.Btns {
		if b.Title == "" || b.ActionURL == "" {
			return "actionCard->btns->actionURL"
		}
		p.Buttons = append(p.Buttons, Button{b.Title, b.ActionURL})
	}
	return ""
}
