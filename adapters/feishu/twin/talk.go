package twin

import (
	"bytes"
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"

	"weeklybot/adapters/internal/standin"
)

// Said is what a member writes to the app's bot.
type Said struct {
	Text      string         // in a group the bot's mention is put before it
	User      string         // open_id
	Nick      string         // shown on the page
	Chat      string         // chat_id
	ChatName  string         // shown on the page
	P2P       bool           // to the bot alone
	Post      bool           // with layout (msg_type post)
	NoMention bool           // a group's message that is not for the bot
	MessageID string         // "" = a new one
	EventID   string         // "" = a new one
	Message   map[string]any // set or, with nil, taken out of event.message
	Sender    map[string]any // set in event.sender
}

// event is the event that the platform makes of s.
func (t *Twin) event(s Said) map[string]any {
	t.mu.Lock()
	s.MessageID = cmp.Or(s.MessageID, "om_"+standin.RandomHex(16))
	bounded(t.said)[s.MessageID] = s.Chat
	t.names[s.Chat] = cmp.Or(s.ChatName, t.names[s.Chat])
	now := strconv.FormatInt(t.opt.Now().UnixMilli(), 10)
	t.heard = standin.Newest(append(t.heard, pageLine{Nick: cmp.Or(s.Nick, s.User), Post: Post{
		ID: s.MessageID, Channel: s.Chat, Notice: s.Text, Parts: []Part{{Tag: "plain", Text: s.Text}}, Time: t.opt.Now(),
	}}), t.opt.Keep)
	t.mu.Unlock()
	message := map[string]any{
		"message_id": s.MessageID, "chat_id": s.Chat, "chat_type": "group", "message_type": "text", "create_time": now, "update_time": now,
	}
	text := s.Text
	switch {
	case s.P2P:
		message["chat_type"] = "p2p"
	case !s.NoMention:
		text = "@_user_1 " + text
		message["mentions"] = []any{map[string]any{
			"key": "@_user_1", "id": map[string]any{"open_id": "ou_bot", "union_id": "on_bot", "user_id": ""}, "name": "weeklybot",
			"mentioned_type": "bot", "tenant_key": t.opt.TenantKey,
		}}
	}
	content := map[string]any{"text": text}
	if s.Post {
		message["message_type"] = "post"
		content = map[string]any{"title": "", "content": [][]map[string]any{{{"tag": "text", "text": text, "style": []string{}}}}}
	}
	raw, _ := json.Marshal(content)
	message["content"] = string(raw)
	maps.Copy(message, s.Message)
	maps.DeleteFunc(message, func(_ string, v any) bool { return v == nil })
	sender := map[string]any{"sender_type": "user", "tenant_key": t.opt.TenantKey,
		"sender_id": map[string]any{"open_id": s.User, "union_id": "on_" + s.User}}
	maps.Copy(sender, s.Sender)
	return t.envelope("im.message.receive_v1", s.EventID, map[string]any{"sender": sender, "message": message})
}

// envelope is an event of version 2.0.
func (t *Twin) envelope(kind, id string, event map[string]any) map[string]any {
	return map[string]any{"schema": "2.0", "event": event, "header": map[string]any{
		"event_id": cmp.Or(id, standin.RandomHex(16)), "event_type": kind, "create_time": strconv.FormatInt(t.opt.Now().UnixMilli(), 10),
		"token": t.opt.EventToken, "app_id": t.opt.AppID, "tenant_key": t.opt.TenantKey,
	}}
}

// Say posts a member's message to the bot's /feishu/events at hook, encrypted and signed as the platform does, and says with which HTTP
// status it is answered. The error is the connection's, or that of an answer that came too late.
func (t *Twin) Say(ctx context.Context, hook string, s Said) (status int, err error) {
	status, _, err = t.push(ctx, hook, t.event(s))
	return status, err
}

// PushEvent posts another event.
func (t *Twin) PushEvent(ctx context.Context, hook, kind, id string, event map[string]any) (status int, err error) {
	status, _, err = t.push(ctx, hook, t.envelope(kind, id, event))
	return status, err
}

// Verify asks the bot for the challenge, as the platform does when an address is set.
func (t *Twin) Verify(ctx context.Context, hook string) error {
	challenge := standin.RandomHex(8)
	status, answer, err := t.push(ctx, hook, map[string]any{"type": "url_verification", "token": t.opt.EventToken, "challenge": challenge})
	var got struct{ Challenge string }
	switch {
	case err != nil:
		return err
	case status != http.StatusOK || json.Unmarshal(answer, &got) != nil || got.Challenge != challenge:
		return fmt.Errorf("url_verification was answered %d %s, want the challenge", status, answer)
	}
	return nil
}

// Recall takes a member's message back.
func (t *Twin) Recall(messageID string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	bounded(t.recalled)[messageID] = true
}

// push posts v to the bot as the platform does.
func (t *Twin) push(ctx context.Context, hook string, v any) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.opt.HookTimeout, hookTimeout))
	defer cancel()
	text, err := json.Marshal(v)
	if err != nil {
		return 0, nil, err
	}
	body, err := json.Marshal(map[string]string{"encrypt": seal(t.opt.EncryptKey, text)})
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	timestamp, nonce := strconv.FormatInt(t.opt.Now().Unix(), 10), standin.RandomHex(4)
	sum := sha256.Sum256(append([]byte(timestamp+nonce+t.opt.EncryptKey), body...))
	req.Header.Set("X-Lark-Request-Timestamp", timestamp)
	req.Header.Set("X-Lark-Request-Nonce", nonce)
	req.Header.Set("X-Lark-Signature", hex.EncodeToString(sum[:]))
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxRequest))
	return resp.StatusCode, answer, err
}

// seal is the encryption of events, written apart from the adapter's opening on purpose: each checks the other.
func seal(encryptKey string, text []byte) string {
	key := sha256.Sum256([]byte(encryptKey))
	block, _ := aes.NewCipher(key[:]) // 32 bytes: it cannot fail
	pad := aes.BlockSize - len(text)%aes.BlockSize
	out := make([]byte, aes.BlockSize, aes.BlockSize+len(text)+pad)
	rand.Read(out) // never fails
	iv := bytes.Clone(out)
	out = append(append(out, text...), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out[aes.BlockSize:], out[aes.BlockSize:])
	return base64.StdEncoding.EncodeToString(out)
}
