package twin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// botState is a custom bot and what it did lately.
type botState struct {
	Bot
	sent rate
}

// hookSend is POST /open-apis/bot/v2/hook/{token}.
func (t *Twin) hookSend(r *http.Request, body []byte) (any, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.opt.Now()
	token := r.PathValue("token")
	b := t.bot(token)
	if b == nil {
		return nil, refuse(19001, "param invalid: incoming webhook access token invalid")
	}
	var ask struct {
		Timestamp json.RawMessage `json:"timestamp"` // a string or a number
		Sign      string          `json:"sign"`
		MsgType   string          `json:"msg_type"`
		Content   json.RawMessage `json:"content"`
		Card      json.RawMessage `json:"card"`
	}
	switch {
	case len(body) > maxHookBody, !isJSON(r), json.Unmarshal(body, &ask) != nil:
		return nil, badRequest()
	case !b.signed(strings.Trim(string(ask.Timestamp), `"`), ask.Sign, now):
		return nil, refuse(19021, "sign match fail or timestamp is not within one hour from current time")
	case ask.MsgType == "":
		return nil, refuse(19002, "params error, msg_type need")
	}
	content := ask.Content
	if ask.MsgType == "interactive" {
		content = ask.Card
	}
	p, why := readContent(ask.MsgType, content)
	foreign := slices.ContainsFunc(p.Parts, func(part Part) bool { return part.Tag == "img" && t.images[part.Key] == nil })
	switch {
	case why != "" || foreign:
		return nil, badRequest()
	case !b.named(p):
		return nil, refuse(19024, "Key Words Not Found")
	case !b.sent.admits(now, t.opt.PerSecond, t.opt.PerMinute, t.opt.Window):
		return nil, refuse(11232, "frequency limited psm[lark.oapi.app_platform_runtime]appID[1500]")
	}
	p.Channel, p.Raw = "bot:"+token, body
	t.show(p)
	return map[string]any{"code": 0, "msg": "success", "data": map[string]any{}, "Extra": nil, "StatusCode": 0, "StatusMessage": "success"}, nil
}

// badRequest is what a custom bot says about everything that it cannot read, and about what is too large.
func badRequest() *refusal {
	return &refusal{status: http.StatusBadRequest, code: 9499, message: "Bad Request"}
}

func isJSON(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
}

// bot finds a custom bot; without configured ones every token is one.
func (t *Twin) bot(token string) *botState {
	if b := t.bots[token]; b != nil {
		return b
	}
	if len(t.opt.Bots) > 0 || len(t.bots) > maxConnected {
		return nil
	}
	t.bots[token] = &botState{Bot: Bot{Token: token}}
	return t.bots[token]
}

// signed checks 签名校验: the timestamp is in seconds, and part of the key.
func (b *botState) signed(timestamp, sign string, now time.Time) bool {
	if b.Secret == "" {
		return true
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	age := now.Sub(time.Unix(seconds, 0))
	mac := hmac.New(sha256.New, []byte(timestamp+"\n"+b.Secret))
	return err == nil && age <= maxSkew && age >= -maxSkew && hmac.Equal([]byte(sign), []byte(base64.StdEncoding.EncodeToString(mac.Sum(nil))))
}

// named says whether p holds one of the bot's keywords.
func (b *botState) named(p Post) bool {
	for _, word := range b.Keywords[:min(len(b.Keywords), maxKeywords)] {
		if strings.Contains(p.Title+"\n"+p.Text(), word) {
			return true
		}
	}
	return len(b.Keywords) == 0
}
