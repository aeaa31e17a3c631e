package twin

import (
	"bytes"
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/adapters/internal/standin"
)

// session is a sessionWebhook that was handed out.
type session struct {
	channel string
	until   time.Time
}

// sessionSend is POST /robot/sendBySession.
func (t *Twin) sessionSend(r *http.Request, body []byte) (any, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, known := t.sessions[r.URL.Query().Get("session")]
	if !known || !t.opt.Now().Before(s.until) {
		return nil, refuse("300001", "session 不存在")
	}
	p, no := readMessage(r, body)
	if no != nil {
		return nil, no
	}
	p.Channel = s.channel
	t.show(p)
	return ok, nil
}

// Said is what a member writes to the app robot.
type Said struct {
	Text        string
	Staff, Nick string // who; Staff "" = somebody from outside the organisation
	Admin       bool
	Group       string // openConversationId; "" = to the robot alone
	GroupTitle  string
	MsgID       string         // "" = a new one
	SessionLife time.Duration  // of the sessionWebhook; 0 = 90 minutes, negative = over already
	Fields      map[string]any // set or, with nil, taken out of the callback's body
}

// Reply is what the bot answered to a callback.
type Reply struct {
	Status int
	Body   []byte
	Post   *Post // the message in the answer; nil when it was empty
}

// Say posts a member's message to the bot's /dingtalk/robot at hook, signed as the platform does, and shows what it answers at once.
// The error is the connection's, or that of an answer that came too late.
func (t *Twin) Say(ctx context.Context, hook string, s Said) (Reply, error) {
	channel, body := t.callback(s)
	timestamp := strconv.FormatInt(t.opt.Now().UnixMilli(), 10)
	header := http.Header{"Timestamp": {timestamp}, "Sign": {signature(timestamp, t.opt.ClientSecret)}}
	status, answer, err := t.call(ctx, hook, header, body)
	if err != nil || status != http.StatusOK || len(answer) == 0 {
		return Reply{Status: status, Body: answer}, err
	}
	p, no := decodeMessage(answer)
	switch {
	case no != nil:
		return Reply{Status: status, Body: answer}, fmt.Errorf("the bot's answer is no message: %s", no.message)
	case p.Kind == "empty":
		return Reply{Status: status, Body: answer}, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p.Channel = channel
	p = t.show(p)
	return Reply{Status: status, Body: answer, Post: &p}, nil
}

// maxSessions is how many sessionWebhooks are remembered; all are forgotten beyond it.
const maxSessions = 10000

// callback is the body of what is posted for s.
func (t *Twin) callback(s Said) (channel string, body map[string]any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.opt.Now()
	channel = "user:" + s.Staff
	body = map[string]any{
		"conversationType": "1", "conversationId": "cid-" + s.Staff, "senderStaffId": s.Staff, "senderId": "$:LWCP_v1:$" + s.Nick,
		"senderNick": s.Nick, "isAdmin": s.Admin, "chatbotCorpId": t.opt.CorpID, "robotCode": t.opt.RobotCode, "msgtype": "text",
		"text": map[string]any{"content": " " + s.Text}, "createAt": now.UnixMilli(), "msgId": cmp.Or(s.MsgID, "msg"+standin.RandomHex(12)),
		"chatbotUserId": "$:LWCP_v1:$bot", "senderCorpId": t.opt.CorpID, "isInAtList": true,
	}
	if s.Staff == "" {
		delete(body, "senderStaffId")
	}
	if s.Group != "" {
		channel = "group:" + s.Group
		body["conversationType"], body["conversationId"], body["conversationTitle"] = "2", s.Group, s.GroupTitle
		t.names[channel] = s.GroupTitle
	} else {
		t.names[channel] = s.Nick
	}
	t.heard = standin.Newest(append(t.heard, pageLine{Nick: s.Nick, Post: Post{Channel: channel, Title: s.Text, Text: s.Text, Time: now}}), t.opt.Keep)
	if len(t.sessions) >= maxSessions {
		clear(t.sessions)
	}
	id, until := standin.RandomHex(16), now.Add(cmp.Or(s.SessionLife, sessionLife))
	t.sessions[id] = session{channel, until}
	body["sessionWebhook"] = t.baseURL + "/robot/sendBySession?session=" + id
	body["sessionWebhookExpiredTime"] = max(until.UnixMilli(), now.Add(time.Minute).UnixMilli())
	maps.Copy(body, s.Fields)
	maps.DeleteFunc(body, func(_ string, v any) bool { return v == nil })
	return channel, body
}

// PushEvent posts an encrypted event to the bot's /dingtalk/events at hook. The error says also when the answer is not the
// encrypted word success.
func (t *Twin) PushEvent(ctx context.Context, hook string, event map[string]any) (status int, err error) {
	msg, err := json.Marshal(event)
	if err != nil {
		return 0, err
	}
	encrypted, err := seal(t.opt.EventKey, msg, t.opt.ClientID)
	if err != nil {
		return 0, err
	}
	timestamp, nonce := strconv.FormatInt(t.opt.Now().UnixMilli(), 10), standin.RandomHex(4)
	u, err := url.Parse(hook)
	if err != nil {
		return 0, err
	}
	u.RawQuery = url.Values{"timestamp": {timestamp}, "nonce": {nonce},
		"msg_signature": {eventSignature(t.opt.EventToken, timestamp, nonce, encrypted)}}.Encode()
	status, answer, err := t.call(ctx, u.String(), nil, map[string]any{"encrypt": encrypted})
	if err != nil || status != http.StatusOK {
		return status, err
	}
	return status, t.checkReceipt(answer)
}

func (t *Twin) checkReceipt(answer []byte) error {
	var got struct {
		Signature string `json:"msg_signature"`
		TimeStamp string `json:"timeStamp"`
		Nonce     string `json:"nonce"`
		Encrypt   string `json:"encrypt"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return fmt.Errorf("answer to an event: %w", err)
	}
	if got.Signature != eventSignature(t.opt.EventToken, got.TimeStamp, got.Nonce, got.Encrypt) {
		return errors.New("answer to an event: signature is wrong")
	}
	msg, owner, err := unseal(t.opt.EventKey, got.Encrypt)
	if err == nil && (string(msg) != "success" || owner != t.opt.ClientID) {
		err = fmt.Errorf("answer to an event: %q for %q", msg, owner)
	}
	return err
}

// call posts to the bot as the platform does.
func (t *Twin) call(ctx context.Context, hook string, header http.Header, body any) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.opt.HookTimeout, hookTimeout))
	defer cancel()
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook, bytes.NewReader(raw))
	if err != nil {
		return 0, nil, err
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxRequest))
	return resp.StatusCode, answer, err
}

// seal and unseal are the encryption of events, written apart from the adapter's on purpose: each checks the other.
func seal(aesKey string, msg []byte, owner string) (string, error) {
	key, err := base64.StdEncoding.DecodeString(aesKey + "=")
	if err != nil {
		return "", errors.New("EventKey: want 43 characters")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	_, _ = io.CopyN(&b, rand.Reader, 16)
	_ = binary.Write(&b, binary.BigEndian, uint32(len(msg)))
	b.Write(msg)
	b.WriteString(owner)
	pad := 32 - b.Len()%32
	b.Write(bytes.Repeat([]byte{byte(pad)}, pad))
	cipher.NewCBCEncrypter(block, key[:16]).CryptBlocks(b.Bytes(), b.Bytes())
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

func unseal(aesKey, encrypted string) (msg []byte, owner string, err error) {
	bad := errors.New("answer to an event: not encrypted as it should be")
	key, err := base64.StdEncoding.DecodeString(aesKey + "=")
	if err != nil {
		return nil, "", bad
	}
	block, err := aes.NewCipher(key)
	raw, err2 := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || err2 != nil || len(raw) < 32 || len(raw)%16 != 0 {
		return nil, "", bad
	}
	cipher.NewCBCDecrypter(block, key[:16]).CryptBlocks(raw, raw)
	pad := int(raw[len(raw)-1])
	if pad < 1 || pad > 32 || len(raw)-pad < 20 {
		return nil, "", bad
	}
	raw = raw[:len(raw)-pad]
	n := int(binary.BigEndian.Uint32(raw[16:20]))
	if n > len(raw)-20 {
		return nil, "", bad
	}
	return raw[20 : 20+n], string(raw[20+n:]), nil
}

func eventSignature(token, timestamp, nonce, encrypted string) string {
	sorted := slices.Sorted(slices.Values([]string{token, timestamp, nonce, encrypted}))
	return fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(sorted, ""))))
}
