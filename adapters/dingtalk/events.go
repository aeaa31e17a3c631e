package dingtalk

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// pushed is one event, decrypted. Names are compared without case: pages differ.
type pushed struct {
	EventType          string         `json:"EventType"`
	EventID            string         `json:"eventId"`
	CorpID             string         `json:"corpId"`
	TimeStamp          apihttp.Scalar `json:"timeStamp"` // milliseconds
	OpenConversationID string         `json:"openConversationId"`
	Title              string         `json:"title"`
	Data               *pushed        `json:"data"` // newer events keep the fields here
}

// eventKinds are the events that mean something to the core.
var eventKinds = map[string]bot.EventKind{
	"chat_disband":          bot.EventChannelGone,
	"chat_update_title":     bot.EventChannelRenamed,
	"im_cool_app_uninstall": bot.EventBotRemoved,
}

// event is p as the core sees it; ok is false when it does not concern the core.
func (p pushed) event(corpID string, now time.Time) (ev bot.Event, ok bool) {
	data := p
	if p.Data != nil {
		data = *p.Data
	}
	kind, known := eventKinds[p.EventType]
	conversation := cmp.Or(data.OpenConversationID, p.OpenConversationID)
	if !known || conversation == "" {
		return ev, false
	}
	corp := cmp.Or(p.CorpID, data.CorpID, corpID)
	if corpID != "" && corp != corpID {
		return ev, false
	}
	stamp := cmp.Or(p.TimeStamp, data.TimeStamp)
	ev = bot.Event{
		ID:      cmp.Or(p.EventID, p.EventType+"/"+conversation+"/"+string(stamp)),
		Kind:    kind,
		Channel: bot.Channel{Adapter: Name, Kind: KindApp, Workspace: corp, Address: groupPrefix + conversation},
		At:      stamp.Milliseconds(now),
	}
	if kind == bot.EventChannelRenamed {
		ev.NewName = apihttp.CleanText(cmp.Or(data.Title, p.Title))
		return ev, ev.NewName != ""
	}
	return ev, true
}

func (a *Adapter) serveEvent(w http.ResponseWriter, r *http.Request, in bot.Inbox) {
	body, ok := apihttp.ReadHook(w, r)
	if !ok {
		return
	}
	var envelope struct {
		Encrypt string `json:"encrypt"`
	}
	if err := json.Unmarshal(body, &envelope); err != nil || envelope.Encrypt == "" {
		http.Error(w, `want {"encrypt":"…"}`, http.StatusBadRequest)
		return
	}
	q := r.URL.Query()
	timestamp, nonce := q.Get("timestamp"), q.Get("nonce")
	want := eventSignature(a.cfg.Events.Token.Reveal(), timestamp, nonce, envelope.Encrypt)
	if !apihttp.SameSecret(want, cmp.Or(q.Get("msg_signature"), q.Get("signature"))) || !freshEither(timestamp, a.now()) {
		http.Error(w, "bad or stale signature", http.StatusUnauthorized)
		return
	}
	msg, owner, err := a.cipher.open(envelope.Encrypt)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if owner == "" || owner != a.cfg.ClientID && owner != a.cfg.CorpID {
		http.Error(w, "event is not for this app", http.StatusUnauthorized)
		return
	}
	var p pushed
	if err := json.Unmarshal(msg, &p); err != nil {
		http.Error(w, "event is not JSON", http.StatusBadRequest)
		return
	}
	if ev, ok := p.event(a.cfg.CorpID, a.now()); ok {
		if err := in.Event(r.Context(), ev); err != nil {
			a.log.Error("event failed", "adapter", Name, "channel", ev.Channel.Address, "err", err)
			http.Error(w, "try again", http.StatusServiceUnavailable) // pushed again later
			return
		}
	}
	(&onceAnswer{w: w}).say(a.eventReceipt(owner))
}

// eventReceipt is the answer that the platform wants: the word success, encrypted and signed.
func (a *Adapter) eventReceipt(owner string) []byte {
	encrypted := a.cipher.seal([]byte("success"), owner, randomBytes(eventRandom))
	timestamp, nonce := strconv.FormatInt(a.now().UnixMilli(), 10), hex.EncodeToString(randomBytes(8))
	return apihttp.EncodeJSON(struct {
		Signature string `json:"msg_signature"`
		TimeStamp string `json:"timeStamp"`
		Nonce     string `json:"nonce"`
		Encrypt   string `json:"encrypt"`
	}{eventSignature(a.cfg.Events.Token.Reveal(), timestamp, nonce, encrypted), timestamp, nonce, encrypted})
}

// freshEither reads a timestamp in milliseconds, or in seconds as some pushes have it.
func freshEither(timestamp string, now time.Time) bool {
	if len(timestamp) == 10 {
		timestamp += "000"
	}
	return fresh(timestamp, now)
}
