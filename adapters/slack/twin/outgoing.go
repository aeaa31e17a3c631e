package twin

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// patience is how long Slack waits for an answer. Source: docs.slack.dev, slash commands and Events API, read 2026-11.
const patience = 3 * time.Second

// Command is what a member types.
type Command struct {
	Text             string // "/hot ebpf"
	Channel          string // default C0GENERAL
	User             string // default U0MEMBER
	Team             string // default Options.TeamID
	Trigger          string // "" = a new one; the same again is a replay
	WithoutResponses bool   // no response URL
}

// Answer is what came back.
type Answer struct {
	Status  int
	Raw     []byte
	Message Message
	Refused string // why Slack would show an error to the member
	Timeout bool   // no answer within 3 s: the member sees operation_timeout
}

// CommandForm is the body of the request that Slack makes of c.
func (t *Twin) CommandForm(c Command) []byte {
	name, text, _ := strings.Cut(c.Text, " ")
	t.mu.Lock()
	defer t.mu.Unlock()
	user := cmp.Or(c.User, userDefault)
	trigger := t.newTrigger(user, c.Trigger)
	id := strconv.FormatInt(t.lastID, 10)
	channel := cmp.Or(c.Channel, channelDefault)
	form := url.Values{
		"token": {"deprecated"}, "team_id": {cmp.Or(c.Team, t.opt.TeamID)}, "team_domain": {"twin"}, "channel_id": {channel},
		"channel_name": {cmp.Or(t.channels[channel].Name, "general")}, "user_id": {user}, "user_name": {"member"},
		"command": {name}, "text": {text}, "api_app_id": {appID}, "is_enterprise_install": {"false"}, "trigger_id": {trigger},
	}
	if !c.WithoutResponses {
		t.forgetResponses()
		t.responses[id] = &response{channel: channel, until: t.opt.Now().Add(responseLife)}
		form.Set("response_url", t.url+"/response/"+id)
	}
	return []byte(form.Encode())
}

// forgetResponses drops what is over. t.mu is held.
func (t *Twin) forgetResponses() {
	for id, r := range t.responses {
		if t.opt.Now().After(r.until) {
			delete(t.responses, id)
		}
	}
}

// Sign sets Slack's headers for body.
func (t *Twin) Sign(h http.Header, body []byte) {
	stamp := strconv.FormatInt(t.opt.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(t.opt.SigningSecret))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	h.Set("X-Slack-Request-Timestamp", stamp)
	h.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
}

// SlashCommand sends c to target (the app's /slack/commands), and keeps the answer as a post, as a member would see it.
func (t *Twin) SlashCommand(ctx context.Context, target string, c Command) (Answer, error) {
	body := t.CommandForm(c)
	status, raw, err := t.send(ctx, target, "application/x-www-form-urlencoded", body)
	if err != nil {
		return Answer{Timeout: ctx.Err() == nil}, err
	}
	return t.answered(cmp.Or(c.Channel, channelDefault), status, raw), nil
}

// answered reads the answer to a command the way Slack does, and keeps it.
func (t *Twin) answered(channel string, status int, raw []byte) Answer {
	a := Answer{Status: status, Raw: raw}
	if status != http.StatusOK {
		a.Refused = fmt.Sprintf("failed with status %d", status)
	}
	if status != http.StatusOK || len(raw) == 0 || string(raw) == "null" {
		return a
	}
	var in struct {
		Text         string          `json:"text"`
		Blocks       json.RawMessage `json:"blocks"`
		ResponseType string          `json:"response_type"`
	}
	if json.Unmarshal(raw, &in) != nil {
		in.Text = string(raw)
	}
	msg, f := readMessage(in.Text, in.Blocks, nil, nil)
	if f != nil {
		a.Refused = f.Error()
	}
	msg.ResponseType = cmp.Or(in.ResponseType, "ephemeral")
	a.Message = msg
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keep(Post{Kind: "answer", Channel: channel, Message: msg, Raw: raw})
	return a
}

// Event is one event, as Slack would deliver it.
type Event struct {
	ID    string    // "" = a new one; the same again is a redelivery
	Team  string    // default Options.TeamID
	At    time.Time // default now
	Retry int       // 1 to 3: redelivered
	Inner map[string]any
}

// SendEvent sends e to target (the app's /slack/events) once, and returns the HTTP status.
func (t *Twin) SendEvent(ctx context.Context, target string, e Event) (status int, body []byte, err error) {
	raw, err := t.eventBody(e)
	if err != nil {
		return 0, nil, err
	}
	var more []string
	if e.Retry > 0 {
		more = []string{"X-Slack-Retry-Num", strconv.Itoa(e.Retry), "X-Slack-Retry-Reason", "http_error"}
	}
	return t.send(ctx, target, "application/json", raw, more...)
}

func (t *Twin) eventBody(e Event) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.opt.Now()
	id := cmp.Or(e.ID, "Ev"+strings.ReplaceAll(t.nextTS(now), ".", ""))
	team := cmp.Or(e.Team, t.opt.TeamID)
	if !e.At.IsZero() {
		now = e.At
	}
	return json.Marshal(map[string]any{
		"type": "event_callback", "team_id": team, "api_app_id": appID, "event_id": id, "event_time": now.Unix(), "event": e.Inner,
		"authorizations": []any{map[string]any{"team_id": team, "user_id": botUser, "is_bot": true}},
	})
}

func (t *Twin) send(ctx context.Context, target, contentType string, body []byte, header ...string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", contentType)
	for k := 0; k+1 < len(header); k += 2 {
		req.Header.Set(header[k], header[k+1])
	}
	t.Sign(req.Header, body)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return resp.StatusCode, raw, err
}
