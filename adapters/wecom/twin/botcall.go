package twin

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/silenceper/wechat/v2/util"
)

// seal encrypts and signs for a bot, with an empty receiver.
func (b *Bot) seal(plain []byte, now int64) (string, url.Values, error) {
	encrypted, err := util.EncryptMsg([]byte(rand.Text()[:16]), plain, "", b.EncodingAESKey)
	if err != nil {
		return "", nil, err
	}
	timestamp, nonce := strconv.FormatInt(now, 10), rand.Text()[:10]
	query := url.Values{"msg_signature": {b.sign(timestamp, nonce, string(encrypted))}, "timestamp": {timestamp}, "nonce": {nonce}}
	return string(encrypted), query, nil
}

func (b *Bot) sign(timestamp, nonce, encrypted string) string {
	return util.Signature(b.Token, timestamp, nonce, encrypted)
}

// open decrypts: the SDK refuses an empty receiver.
func (b *Bot) open(encrypted string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(b.EncodingAESKey + "=")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(data) < 32 || len(data)%32 != 0 {
		return nil, errors.New("answer: not encrypted in blocks of 32 bytes")
	}
	cipher.NewCBCDecrypter(block, key[:16]).CryptBlocks(data, data)
	end := len(data) - int(data[len(data)-1])
	if end < 20 || uint32(end-20) != binary.BigEndian.Uint32(data[16:20]) {
		return nil, errors.New("answer: wrong length, padding or receiver")
	}
	return data[20:end], nil
}

// callBot posts to a bot's callback URL, again when it is not answered 200 within five seconds.
func (t *Twin) callBot(ctx context.Context, b *Bot, s Said, reqID string) (Heard, error) {
	told := t.told(b, s, s.ID)
	if t.opt.URL != "" {
		code := rand.Text()
		t.mu.Lock()
		t.gate.asks["code:"+code] = t.gate.asks[reqID]
		t.mu.Unlock()
		told["response_url"] = t.opt.URL + "/cgi-bin/aibot/response?response_code=" + code
	}
	for name, value := range s.Raw {
		told[name] = value
	}
	inner, err := json.Marshal(told)
	if err != nil {
		return Heard{}, err
	}
	envelope, query, err := b.seal(inner, t.opt.Now().Unix())
	if err != nil {
		return Heard{}, err
	}
	body, _ := json.Marshal(map[string]string{"encrypt": envelope})
	var heard Heard
	for heard.Attempts < callbackTries && heard.Status != http.StatusOK && ctx.Err() == nil {
		heard.Attempts++
		var answer []byte
		heard.Status, answer = t.call(ctx, http.MethodPost, b.CallbackURL+"?"+query.Encode(), string(body))
		if heard.Status == http.StatusOK && len(answer) > 0 {
			heard.Reply, err = t.botReply(b, answer, query.Get("nonce"), reqID, s.Event != "")
		}
	}
	return heard, err
}

// botReply checks and decrypts the answer to a callback, keeps it, and returns its text.
func (t *Twin) botReply(b *Bot, answer []byte, nonce, reqID string, event bool) (string, error) {
	var env struct {
		Encrypt      string `json:"encrypt"`
		MsgSignature string `json:"msgsignature"`
		Timestamp    int64  `json:"timestamp"`
		Nonce        string `json:"nonce"`
	}
	if err := json.Unmarshal(answer, &env); err != nil {
		return "", fmt.Errorf("answer: %w", err)
	}
	if env.Nonce != nonce {
		return "", errors.New("answer: want the nonce of the callback's URL")
	}
	if b.sign(strconv.FormatInt(env.Timestamp, 10), env.Nonce, env.Encrypt) != env.MsgSignature {
		return "", errors.New("answer: bad signature")
	}
	plain, err := b.open(env.Encrypt)
	if err != nil {
		return "", err
	}
	in := &body{raw: plain}
	if err := json.Unmarshal(plain, &in.fields); err != nil {
		return "", fmt.Errorf("answer: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var p Post
	var re *reply
	if event {
		p, re = in.content(map[string]int{"text": maxText, "template_card": 0}, false, heardCards)
	} else {
		p, _, re = streamPost(in)
	}
	if re != nil {
		return "", fmt.Errorf("answer: %d %s", re.code, re.why)
	}
	a := t.gate.asks[reqID]
	p.ID, p.Kind, p.Channel = "", "passive", a.chat
	if re := t.botPost(b, p); re.code != 0 {
		return "", fmt.Errorf("answer: %d %s", re.code, re.why)
	}
	return p.Content, nil
}

// VerifyBot asks a bot's callback for its echo, as WeCom does when an administrator saves the URL.
func (t *Twin) VerifyBot(ctx context.Context, b Bot) error {
	const echo = "1616140317555161061"
	sealed, query, err := b.seal([]byte(echo), t.opt.Now().Unix())
	if err != nil {
		return err
	}
	query.Set("echostr", sealed)
	status, answer := t.call(ctx, http.MethodGet, b.CallbackURL+"?"+query.Encode(), "")
	if status != http.StatusOK || string(answer) != echo {
		return fmt.Errorf("callback answered %d %q, want 200 %q", status, answer, echo)
	}
	return nil
}

// respond is the response_url of a message: once, within an hour.
func (t *Twin) respond(r *http.Request, b *body) *reply {
	a := t.gate.asks["code:"+r.URL.Query().Get("response_code")]
	if a == nil || a.coded || t.opt.Now().Sub(a.at) >= responseLife {
		return no(40035, "invalid parameter: response_code is unknown, used or over")
	}
	p, re := b.content(map[string]int{"markdown": maxBotText, "template_card": 0}, false, heardCards)
	if re != nil {
		return re
	}
	a.coded = true
	p.Kind, p.Channel = "response", a.chat
	return t.botPost(a.bot, p)
}
