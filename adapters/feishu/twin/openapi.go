package twin

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"weeklybot/adapters/internal/standin"
)

const sendScope = "im:message:send_as_bot"

// accessToken is POST /open-apis/auth/v3/tenant_access_token/internal. While a token is good for half an hour, the same one is given again.
func (t *Twin) accessToken(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		AppID     string `json:"app_id"`
		AppSecret string `json:"app_secret"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	switch {
	case err != nil || json.Unmarshal(body, &ask) != nil || ask.AppID == "" || ask.AppID != t.opt.AppID:
		t.refuse(w, r, http.StatusOK, refuse(10003, "invalid param"))
		return
	case ask.AppSecret != t.opt.AppSecret:
		t.refuse(w, r, http.StatusOK, refuse(10014, "app secret invalid"))
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.opt.Now()
	if t.token == "" || t.tokenEnd.Sub(now) < min(tokenRenew, t.opt.TokenLife/4) {
		t.token, t.tokenEnd = "t-"+standin.RandomHex(16), now.Add(t.opt.TokenLife)
	}
	t.tokens++
	standin.WriteJSON(w, http.StatusOK, map[string]any{"code": 0, "msg": "ok", "tenant_access_token": t.token, "expire": int(t.tokenEnd.Sub(now).Seconds())})
}

// receivers says of each receive_id_type how such an ID begins.
var receivers = map[string]string{"chat_id": "oc_", "open_id": "ou_", "union_id": "on_"}

// call is the body of both calls that post.
type call struct {
	ReceiveID string `json:"receive_id"`
	MsgType   string `json:"msg_type"`
	Content   string `json:"content"`
	UUID      string `json:"uuid"`
}

// sentOnce is a uuid that was used.
type sentOnce struct {
	id   string
	time time.Time
}

// messageSend is POST /open-apis/im/v1/messages.
func (t *Twin) messageSend(r *http.Request, body []byte) (any, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ask, p, no := t.readCall("send", r, body)
	if no != nil {
		return nil, no
	}
	kind := r.URL.Query().Get("receive_id_type")
	prefix, known := receivers[kind]
	switch {
	case !known:
		return nil, refuse(99992402, "field validation failed: receive_id_type is required, options: [open_id,union_id,chat_id]")
	case !strings.HasPrefix(ask.ReceiveID, prefix) || ask.ReceiveID == prefix:
		return nil, refuse(230001, "Your request contains an invalid request parameter, ext=invalid receive_id.")
	case kind == "chat_id" && len(t.opt.Chats) > 0 && !slices.Contains(t.opt.Chats, ask.ReceiveID):
		return nil, refuse(230002, "The bot can not be outside the group.")
	case kind == "open_id" && len(t.opt.Users) > 0 && !slices.Contains(t.opt.Users, ask.ReceiveID):
		return nil, refuse(230013, "Bot has NO availability to this user.")
	}
	p.Channel = ask.ReceiveID
	return t.deliver(p)
}

// messageReply is POST /open-apis/im/v1/messages/{id}/reply.
func (t *Twin) messageReply(r *http.Request, body []byte) (any, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, p, no := t.readCall("reply", r, body)
	if no != nil {
		return nil, no
	}
	p.ReplyTo = r.PathValue("id")
	chat, known := t.said[p.ReplyTo]
	switch {
	case !known:
		return nil, refuse(230001, "Your request contains an invalid request parameter, ext=invalid message_id.")
	case t.recalled[p.ReplyTo]:
		return nil, refuse(230011, "The message was withdrawn.")
	}
	p.Channel = chat
	return t.deliver(p)
}

// imageCreate is POST /open-apis/im/v1/images. Codes: im-v1/image/create, read 2026-11.
func (t *Twin) imageCreate(r *http.Request, body []byte) (any, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if no := t.allowed("images", r); no != nil {
		return nil, no
	}
	if t.opt.NoImages {
		return nil, refuse(99991672, "Access denied. One of the following scopes is required: [im:resource:upload, im:resource]")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err := r.ParseMultipartForm(maxRequest); err != nil || r.FormValue("image_type") != "message" {
		return nil, refuse(234001, "Invalid request param.")
	}
	file, _, err := r.FormFile("image")
	if err != nil {
		return nil, refuse(234001, "Invalid request param.")
	}
	image, _ := io.ReadAll(file) // in memory
	switch {
	case len(image) == 0:
		return nil, refuse(234010, "File's size can't be 0.")
	case !strings.HasPrefix(http.DetectContentType(image), "image/"):
		return nil, refuse(234011, "Can't recognize the image format.")
	}
	key := "img_v3_" + standin.RandomHex(16)
	bounded(t.images)[key] = image
	return map[string]any{"code": 0, "msg": "success", "data": map[string]any{"image_key": key}}, nil
}

// messageDelete is DELETE /open-apis/im/v1/messages/{id}.
func (t *Twin) messageDelete(r *http.Request, _ []byte) (any, *refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if no := t.allowed("delete", r); no != nil {
		return nil, no
	}
	id := r.PathValue("id")
	k := slices.IndexFunc(t.posts, func(p Post) bool { return p.ID == id })
	switch {
	case k < 0:
		return nil, refuse(230001, "Your request contains an invalid request parameter, ext=invalid message_id.")
	case t.posts[k].Recalled:
		return nil, refuse(230011, "The message was withdrawn.")
	}
	t.posts[k].Recalled = true
	bounded(t.recalled)[id] = true
	return map[string]any{"code": 0, "msg": "success", "data": map[string]any{}}, nil
}

// deliver shows p, unless its uuid was used or its chat gets too much. The caller holds the lock.
func (t *Twin) deliver(p Post) (any, *refusal) {
	now := t.opt.Now()
	if once, used := t.uuids[p.UUID]; used && p.UUID != "" && now.Sub(once.time) < uuidMinutes*t.opt.Window {
		return sent(once.id, p.Channel), nil
	}
	if t.chats[p.Channel] == nil {
		bounded(t.chats)[p.Channel] = &standin.Window{}
	}
	w := t.chats[p.Channel]
	if w.Full(now, t.opt.ChatRate, t.opt.Window/60) {
		return nil, refuse(230020, "This operation triggers the frequency limit.")
	}
	w.Add(now)
	p.ID = "om_" + standin.RandomHex(16)
	p = t.show(p)
	bounded(t.said)[p.ID] = p.Channel
	if p.UUID != "" {
		bounded(t.uuids)[p.UUID] = sentOnce{p.ID, now}
	}
	return sent(p.ID, p.Channel), nil
}

func sent(id, chat string) any {
	return map[string]any{"code": 0, "msg": "success", "data": map[string]any{"message_id": id, "chat_id": chat}}
}

// readCall checks what both calls have in common. The caller holds the lock.
func (t *Twin) readCall(api string, r *http.Request, body []byte) (ask call, p Post, no *refusal) {
	if no := t.allowed(api, r); no != nil {
		return ask, p, no
	}
	if !isJSON(r) || json.Unmarshal(body, &ask) != nil {
		return ask, p, refuse(9499, "Bad Request")
	}
	if utf8.RuneCountInString(ask.UUID) > maxUUID {
		return ask, p, refuse(99992402, "field validation failed: uuid the max len is %d", maxUUID)
	}
	most := maxCardBody
	if ask.MsgType == "text" {
		most = maxTextBody
	}
	if len(body) > most {
		return ask, p, refuse(230025, "The length of the message content reaches its limit. The maximum text is 150KB, and the maximum card and rich text is 30KB.")
	}
	p, why := readContent(ask.MsgType, json.RawMessage(ask.Content))
	for _, part := range p.Parts {
		if part.Tag == "img" && t.images[part.Key] == nil && why == "" {
			why = "ErrMsg: card contains invalid image keys: " + part.Key
		}
	}
	if why != "" && ask.MsgType == "interactive" && p.Body != nil {
		return ask, p, refuse(230099, "Failed to create card content, ext=%s", why)
	}
	if why != "" {
		return ask, p, refuse(230001, "Your request contains an invalid request parameter, ext=%s.", why)
	}
	p.UUID, p.Raw = ask.UUID, body
	return ask, p, nil
}

// allowed checks token, permission, ability and rate.
func (t *Twin) allowed(api string, r *http.Request) *refusal {
	now := t.opt.Now()
	token, given := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if t.calls[api] == nil {
		t.calls[api] = &rate{}
	}
	switch {
	case !given || token == "":
		return refuse(99991661, "Missing access token for authorization. Please make a request with token attached.")
	case !strings.HasPrefix(token, "t-"):
		return refuse(99991671, "Invalid access token for authorization: must start with t- or u-")
	case token != t.token || !now.Before(t.tokenEnd):
		return refuse(99991663, "Invalid access token for authorization. Please make a request with token attached.")
	case t.opt.Unpermitted:
		return refuse(99991672, "Access denied. One of the following scopes is required: [im:message, im:message:send, %s]", sendScope)
	case t.opt.NoBot:
		return refuse(230006, "Bot ability is not activated.")
	case !t.calls[api].admits(now, t.opt.APIPerSecond, t.opt.APIPerMinute, t.opt.Window):
		return &refusal{status: http.StatusTooManyRequests, code: 99991400, message: "request trigger frequency limit",
			reset: strconv.Itoa(t.calls[api].wait(now, t.opt.APIPerMinute, t.opt.Window))}
	}
	return nil
}
