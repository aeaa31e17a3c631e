package twin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"unicode/utf8"
)

// maxSuggestions is the most options that an answer to block_suggestion may hold. Source: docs.slack.dev, select menus, read 2026-11.
const maxSuggestions = 100

// minQuery is from how many characters Slack asks for suggestions if the menu does not say. Source: as above.
const minQuery = 3

// Suggest is a member's typing in a menu whose options the app is asked for.
type Suggest struct {
	View, Block string
	Typed       string
}

// Suggest asks target (the app's /slack/interactions, in an app's settings the options load URL), or over the socket if target is "", for
// options. An error says that Slack's client would not ask, or would show none of the answer.
func (t *Twin) Suggest(ctx context.Context, target string, s Suggest) ([]map[string]any, error) {
	payload, err := t.suggestPayload(s)
	if err != nil {
		return nil, err
	}
	status, raw, err := t.interact(ctx, target, payload)
	if err != nil {
		return nil, err
	}
	options, err := readSuggestions(status, raw)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if v := t.view(s.View); v != nil {
		offered := map[string][]map[string]any{} // a new one: whoever looks at the view has the one before
		maps.Copy(offered, v.offered)
		offered[s.Block] = slices.Concat(offered[s.Block], options)
		v.offered = offered
	}
	return options, nil
}

func (t *Twin) suggestPayload(s Suggest) (map[string]any, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, err := t.openForm(s.View)
	if err != nil {
		return nil, err
	}
	_, e := v.field(s.Block)
	if kind := e["type"]; kind != "external_select" && kind != "multi_external_select" {
		return nil, fmt.Errorf("block %s: no menu whose options the app is asked for", s.Block)
	}
	soonest := float64(minQuery)
	if n, ok := e["min_query_length"].(float64); ok {
		soonest = n
	}
	if utf8.RuneCountInString(s.Typed) < int(soonest) {
		return nil, fmt.Errorf("block %s: Slack's client asks from %v characters on", s.Block, soonest)
	}
	payload := t.payload("block_suggestion", v.User, "")
	delete(payload, "trigger_id")
	delete(payload, "state")
	payload["view"], payload["container"] = v.object, map[string]any{"type": "view", "view_id": v.ID}
	payload["action_id"], payload["block_id"], payload["value"] = e["action_id"], s.Block, s.Typed
	return payload, nil
}

// readSuggestions reads the answer to a block_suggestion the way Slack does.
func readSuggestions(status int, raw []byte) ([]map[string]any, error) {
	if status != http.StatusOK {
		return nil, fmt.Errorf("status %d", status)
	}
	var answer struct {
		Options []any `json:"options"`
	}
	if json.Unmarshal(raw, &answer) != nil || answer.Options == nil {
		return nil, errors.New("the answer holds no list of options")
	}
	if len(answer.Options) > maxSuggestions {
		return nil, fmt.Errorf("%d options: want at most %d", len(answer.Options), maxSuggestions)
	}
	var c checker
	c.optionList("/options", answer.Options)
	if len(c.messages) > 0 {
		return nil, &flaw{code: "invalid options", messages: c.messages}
	}
	return objects(answer.Options), nil
}

// field is an input block and its element; nil if there is none.
func (v *View) field(block string) (b, element map[string]any) {
	for _, b := range v.Blocks {
		if b["type"] == "input" && b["block_id"] == block {
			element, _ = b["element"].(map[string]any)
			return b, element
		}
	}
	return nil, nil
}

// Change is a member's change of a field of a modal, which stays open.
type Change struct {
	View, Block string            // which field
	Values      map[string]string // of all fields, by block_id; what is not there is as it was
}

// Change tells target (the app's /slack/interactions), or over the socket if target is "", of a change in a block with dispatch_action; of
// one without it nothing is told, as by Slack's client.
func (t *Twin) Change(ctx context.Context, target string, c Change) error {
	payload, err := t.changePayload(c)
	if err != nil || payload == nil {
		return err
	}
	status, raw, err := t.interact(ctx, target, payload)
	if err == nil && (status != http.StatusOK || len(raw) > 0 && string(raw) != "null") {
		err = fmt.Errorf("the change was answered with status %d and %d bytes: want 200 and none", status, len(raw))
	}
	return err
}

func (t *Twin) changePayload(c Change) (map[string]any, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, err := t.openForm(c.View)
	if err != nil {
		return nil, err
	}
	b, e := v.field(c.Block)
	if b == nil {
		return nil, fmt.Errorf("block %s: no such field", c.Block)
	}
	values, err := v.enter(c.Values, false)
	if err != nil || b["dispatch_action"] != true {
		return nil, err
	}
	id, _ := e["action_id"].(string)
	action, _ := values[c.Block].(map[string]any)[id].(map[string]any)
	told := map[string]any{"block_id": c.Block, "action_id": id, "action_ts": t.nextTS(t.opt.Now())}
	maps.Copy(told, action)
	payload := t.payload("block_actions", v.User, "")
	delete(payload, "state")
	payload["view"], payload["container"] = v.withState(values), map[string]any{"type": "view", "view_id": v.ID}
	payload["actions"] = []any{told}
	return payload, nil
}
