package twin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Click is a member's click on a button.
type Click struct {
	Post    string // TS of the message that the button stands in; or
	View    string // ID of the view
	Block   string // block_id; "" = any
	Action  string // action_id
	Value   string // "" = any; of a menu the option to choose
	User    string // default U0MEMBER
	Trigger string // "" = a new one; the same again is a replay
}

const userDefault = "U0MEMBER"

var errNoButton = errors.New("there is no such button")

// Click sends a click to target (the app's /slack/interactions), or over the socket if target is "", and returns the HTTP status. An
// error says that Slack would have shown one to the member.
func (t *Twin) Click(ctx context.Context, target string, c Click) (status int, err error) {
	payload, err := t.clickPayload(c)
	if err != nil {
		return 0, err
	}
	status, raw, err := t.interact(ctx, target, payload)
	if err == nil && (status != http.StatusOK || len(raw) > 0 && string(raw) != "null") {
		err = fmt.Errorf("the click was answered with status %d and %d bytes: want 200 and none", status, len(raw))
	}
	return status, err
}

func (t *Twin) clickPayload(c Click) (map[string]any, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c.User = cmp.Or(c.User, userDefault)
	payload := t.payload("block_actions", c.User, c.Trigger)
	var blocks []map[string]any
	if c.View != "" {
		v := t.view(c.View)
		if v == nil {
			return nil, fmt.Errorf("view %s: %w", c.View, errNoButton)
		}
		blocks = v.Blocks
		payload["view"], payload["container"] = v.object, map[string]any{"type": "view", "view_id": v.ID}
	} else {
		k := slices.IndexFunc(t.posts, func(p *Post) bool { return p.TS == c.Post })
		if k < 0 {
			return nil, fmt.Errorf("post %s: %w", c.Post, errNoButton)
		}
		p := t.posts[k]
		blocks = p.Message.Blocks
		t.fromMessage(payload, p)
	}
	for k, b := range blocks {
		id := blockID(b, k)
		elements, _ := b["elements"].([]any)
		if b["accessory"] != nil {
			elements = append(elements, b["accessory"])
		}
		for _, e := range elements {
			element, _ := e.(map[string]any)
			if element["action_id"] != c.Action || c.Block != "" && c.Block != id {
				continue
			}
			if action, ok := actedOn(element, c.Value); ok {
				action["block_id"], action["action_id"], action["action_ts"] = id, c.Action, t.nextTS(t.opt.Now())
				payload["actions"] = []any{action}
				return payload, nil
			}
		}
	}
	return nil, fmt.Errorf("%s: %w", c.Action, errNoButton)
}

// actedOn is what the payload says of a button, or of the option that was chosen in a menu. value "" is any of them.
func actedOn(element map[string]any, value string) (map[string]any, bool) {
	switch element["type"] {
	case "button":
		action := map[string]any{"type": "button", "text": element["text"]}
		if element["value"] != nil {
			action["value"] = element["value"]
		}
		return action, value == "" || value == element["value"]
	case "overflow":
		options, _ := element["options"].([]any)
		for _, o := range options {
			if option, _ := o.(map[string]any); value == "" || option["value"] == value {
				return map[string]any{"type": "overflow", "selected_option": option}, true
			}
		}
	}
	return nil, false
}

// fromMessage is what the payload says of a click in a message. t.mu is held.
func (t *Twin) fromMessage(payload map[string]any, p *Post) {
	ephemeral := p.Message.ResponseType == "ephemeral"
	payload["channel"] = map[string]any{"id": p.Channel, "name": cmp.Or(t.channels[p.Channel].Name, "general")}
	payload["container"] = map[string]any{"type": "message", "message_ts": p.TS, "channel_id": p.Channel, "is_ephemeral": ephemeral}
	if !ephemeral {
		payload["message"] = t.shown(p, true)
	}
	id := strconv.FormatInt(t.lastID, 10)
	t.forgetResponses()
	t.responses[id] = &response{channel: p.Channel, origin: p.TS, until: t.opt.Now().Add(responseLife)}
	payload["response_url"] = t.url + "/response/" + id
}

func blockID(b map[string]any, k int) string {
	id, _ := b["block_id"].(string)
	return cmp.Or(id, fmt.Sprintf("b%d", k))
}

// payload is what all interactions have in common. t.mu is held.
func (t *Twin) payload(kind, user, triggerID string) map[string]any {
	return map[string]any{
		"type": kind, "token": "deprecated", "api_app_id": appID, "is_enterprise_install": false, "enterprise": nil,
		"team":       map[string]any{"id": t.opt.TeamID, "domain": "twin"},
		"user":       map[string]any{"id": user, "username": "member", "name": "member", "team_id": t.opt.TeamID},
		"trigger_id": t.newTrigger(user, triggerID), "state": map[string]any{"values": map[string]any{}},
	}
}

// interact sends an interaction: as a form with one field, signed, or as an envelope.
func (t *Twin) interact(ctx context.Context, target string, payload map[string]any) (int, []byte, error) {
	if target == "" {
		raw, err := t.envelope(ctx, "interactive", payload)
		return http.StatusOK, raw, err
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return 0, nil, err
	}
	return t.send(ctx, target, "application/x-www-form-urlencoded", []byte(url.Values{"payload": {string(body)}}.Encode()))
}

// Submit is a member's submission of a modal.
type Submit struct {
	View    string
	Values  map[string]string // by block_id; what is not there keeps its initial value
	Trigger string
}

// Submitted is what became of a submission.
type Submitted struct {
	Status int
	Errors map[string]string // by block; the modal stays open
	View   View              // the modal afterwards
}

// Submit sends a submission to target (the app's /slack/interactions), or over the socket if target is "". An error says that Slack's
// client would not send it, or would show an error for the answer.
func (t *Twin) Submit(ctx context.Context, target string, s Submit) (Submitted, error) {
	payload, err := t.submitPayload(s)
	if err != nil {
		return Submitted{}, err
	}
	status, raw, err := t.interact(ctx, target, payload)
	if err != nil {
		return Submitted{Status: status}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.view(s.View)
	if err := t.submitted(v, status, raw); err != nil {
		return Submitted{Status: status, View: *v}, err
	}
	return Submitted{Status: status, Errors: v.Errors, View: *v}, nil
}

func (t *Twin) submitPayload(s Submit) (map[string]any, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, err := t.openForm(s.View)
	if err != nil {
		return nil, err
	}
	values, err := v.enter(s.Values, true)
	if err != nil {
		return nil, err
	}
	payload := t.payload("view_submission", v.User, s.Trigger)
	delete(payload, "state")
	payload["view"], payload["response_urls"] = v.withState(values), []any{}
	return payload, nil
}

// openForm is a modal with something to submit. t.mu is held.
func (t *Twin) openForm(id string) (*View, error) {
	v := t.view(id)
	if v == nil || !v.Open || v.Submit == "" {
		return nil, fmt.Errorf("view %s is not open, or has nothing to submit", id)
	}
	return v, nil
}

// enter puts values into the fields and returns the state of all of them; complete asks for those that are not optional.
func (v *View) enter(values map[string]string, complete bool) (map[string]any, error) {
	all, state := maps.Clone(v.Values), map[string]any{}
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, values)
	for _, b := range v.Blocks {
		if b["type"] != "input" {
			continue
		}
		id, _ := b["block_id"].(string)
		e, _ := b["element"].(map[string]any)
		typed, given := all[id]
		entry, filled, err := entered(e, typed, given, v.offered[id])
		if err != nil {
			return nil, fmt.Errorf("block %s: %w", id, err)
		}
		if complete && !filled && b["optional"] != true {
			return nil, fmt.Errorf("block %s: Slack's client asks to fill it in", id)
		}
		action, _ := e["action_id"].(string)
		state[id] = map[string]any{action: entry}
	}
	v.Values = all
	return state, nil
}

// withState is the view as an interaction tells it.
func (v *View) withState(values map[string]any) map[string]any {
	object := maps.Clone(v.object)
	object["state"] = map[string]any{"values": values}
	return object
}

// entered is the state of an element: what was typed, else its initial value.
func entered(e map[string]any, typed string, given bool, offered []map[string]any) (entry map[string]any, filled bool, err error) {
	kind, _ := e["type"].(string)
	entry = map[string]any{"type": kind}
	initial := func(name string) string {
		text, _ := e[name].(string)
		if given {
			text = typed
		}
		return text
	}
	field, value := "value", ""
	switch kind {
	case "static_select", "external_select":
		return chosen(entry, e, typed, given, offered)
	case "multi_external_select":
		return chosenAll(entry, e, typed, given, offered)
	case "timepicker":
		field, value = "selected_time", initial("initial_time")
		if value != "" && !clock.MatchString(value) {
			return nil, false, errors.New("is no time")
		}
	case "number_input":
		value = initial("initial_value")
		err = inRange(e, value)
	default:
		value = initial("initial_value")
		if most, ok := e["max_length"].(float64); ok && len([]rune(value)) > int(most) {
			err = fmt.Errorf("is longer than %v", most)
		}
	}
	entry[field] = nil
	if value != "" {
		entry[field] = value
	}
	return entry, value != "", err
}

func inRange(e map[string]any, value string) error {
	if value == "" {
		return nil
	}
	n, err := strconv.ParseFloat(value, 64)
	for name, sign := range map[string]float64{"min_value": 1, "max_value": -1} {
		text, _ := e[name].(string)
		if bound, no := strconv.ParseFloat(text, 64); no == nil && sign*(n-bound) < 0 {
			return fmt.Errorf("is beyond %s", name)
		}
	}
	if err != nil || e["is_decimal_allowed"] == false && strings.ContainsAny(value, ".eE") {
		return errors.New("is no number")
	}
	return nil
}

func chosen(entry, e map[string]any, typed string, given bool, offered []map[string]any) (map[string]any, bool, error) {
	entry["selected_option"] = nil
	initial, ok := e["initial_option"].(map[string]any)
	if ok && !given {
		entry["selected_option"] = initial
		return entry, true, nil
	}
	if typed == "" {
		return entry, false, nil
	}
	option, err := optionOf(typed, append(objects(e["options"]), append(offered, initial)...))
	entry["selected_option"] = option
	return entry, true, err
}

// chosenAll is for a menu of several choices: typed holds one value a line.
func chosenAll(entry, e map[string]any, typed string, given bool, offered []map[string]any) (map[string]any, bool, error) {
	initial := objects(e["initial_options"])
	all := []map[string]any{}
	if !given {
		all = append(all, initial...)
	}
	known := append(slices.Clone(offered), initial...)
	for value := range strings.Lines(typed) {
		if value = strings.TrimSuffix(value, "\n"); value == "" {
			continue
		}
		option, err := optionOf(value, known)
		if err != nil {
			return nil, false, err
		}
		all = append(all, option)
	}
	if most, ok := e["max_selected_items"].(float64); ok && len(all) > int(most) {
		return nil, false, fmt.Errorf("more than %v are chosen", most)
	}
	entry["selected_options"] = all
	return entry, len(all) > 0, nil
}

// optionOf is the option with a value: Slack's client sends no other than the app has offered.
func optionOf(value string, known []map[string]any) (map[string]any, error) {
	for _, option := range known {
		if option["value"] == value {
			return option, nil
		}
	}
	return nil, fmt.Errorf("%q is no option", value)
}

// objects are the objects of a list.
func objects(list any) (all []map[string]any) {
	elements, _ := list.([]any)
	for _, e := range elements {
		if object, ok := e.(map[string]any); ok {
			all = append(all, object)
		}
	}
	return all
}

// submitted does with the modal what the app's answer says. t.mu is held.
func (t *Twin) submitted(v *View, status int, raw []byte) error {
	if status != http.StatusOK {
		return fmt.Errorf("status %d", status)
	}
	v.Errors = nil
	if len(raw) == 0 || string(raw) == "null" {
		v.Open = false
		return nil
	}
	var answer struct {
		Action string            `json:"response_action"`
		View   json.RawMessage   `json:"view"`
		Errors map[string]string `json:"errors"`
	}
	if json.Unmarshal(raw, &answer) != nil {
		return errors.New("the answer is no JSON")
	}
	switch answer.Action {
	case "clear":
		for _, other := range t.views {
			other.Open = other.Open && other.User != v.User
		}
	case "errors":
		for id, text := range answer.Errors {
			isInput := func(b map[string]any) bool { return b["type"] == "input" && b["block_id"] == id }
			if !slices.ContainsFunc(v.Blocks, isInput) || text == "" {
				return fmt.Errorf("errors: %q is no input block, or nothing is said", id)
			}
		}
		if len(answer.Errors) == 0 {
			return errors.New("errors: none are there")
		}
		v.Errors = answer.Errors
	case "update":
		next, f := readView(answer.View, "modal")
		if f != nil {
			return f
		}
		t.replaceView(v, next)
	default:
		return fmt.Errorf("response_action %q is not known here", answer.Action)
	}
	return nil
}

// OpenHome tells target (the app's /slack/events, or the socket) that user opened the app's Home tab.
func (t *Twin) OpenHome(ctx context.Context, target, user string) error {
	user = cmp.Or(user, userDefault)
	inner := map[string]any{"type": "app_home_opened", "user": user, "channel": dmOf(user), "tab": "home"}
	t.mu.Lock()
	if home := t.homes[user]; home != nil {
		inner["view"] = home.object
	}
	inner["event_ts"] = t.nextTS(t.opt.Now())
	t.mu.Unlock()
	return t.event(ctx, target, "", inner)
}

// Mention posts a member's message that mentions the bot, and tells target (the app's /slack/events, or the socket) of it. It returns
// the message's ts.
func (t *Twin) Mention(ctx context.Context, target, channel, user, text, thread string) (ts string, err error) {
	t.mu.Lock()
	ts = t.nextTS(t.opt.Now())
	t.mu.Unlock()
	inner := map[string]any{"type": "app_mention", "user": cmp.Or(user, userDefault), "channel": cmp.Or(channel, channelDefault), "text": text, "ts": ts, "event_ts": ts}
	if thread != "" {
		inner["thread_ts"] = thread
	}
	return ts, t.event(ctx, target, "", inner)
}

func (t *Twin) event(ctx context.Context, target, team string, inner map[string]any) error {
	e := Event{Team: team, Inner: inner}
	if target == "" {
		return t.SocketEvent(ctx, e)
	}
	status, _, err := t.SendEvent(ctx, target, e)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the event was answered with status %d", status)
	}
	return err
}

// dmOf is the conversation of a member with the app.
func dmOf(user string) string { return "D" + strings.TrimPrefix(user, "U") }
