package twin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// Limits of views. Source: docs.slack.dev, modals, App Home and Block Kit; slack-ruby/slack-api-ref methods/views, read 2026-11.
const (
	triggerLife        = 3 * time.Second
	maxViewBlocks      = 100
	maxViewBytes       = 250_000
	maxViewTitle       = 24 // title, submit and close
	maxPrivateMetadata = 3000
	maxCallbackID      = 255
	keepViews          = 200
)

// View is a modal or a Home tab, as its member sees it.
type View struct {
	ID, Hash, Type, User        string
	CallbackID, PrivateMetadata string
	Title, Submit, Close        string
	Blocks                      []map[string]any
	Open                        bool              // a modal that its member has not closed, or a Home tab
	Errors                      map[string]string // by block, after a submission that was sent back
	Values                      map[string]string // by block: what its member has entered so far; of several choices one a line

	object  map[string]any              // as Slack tells it to the app
	offered map[string][]map[string]any // options that the app suggested, by block
}

// trigger is a trigger_id: it works once, for a moment.
type trigger struct {
	user string
	made time.Time
	used bool
}

// newTrigger makes a trigger_id for user; id "" makes one up. t.mu is held.
func (t *Twin) newTrigger(user, id string) string {
	now := t.opt.Now()
	for old, tr := range t.triggers {
		if now.Sub(tr.made) > time.Minute {
			delete(t.triggers, old)
		}
	}
	t.nextTS(now)
	id = cmp.Or(id, strconv.FormatInt(t.lastID, 10)+".twin")
	if t.triggers[id] == nil {
		t.triggers[id] = &trigger{user: user, made: now}
	}
	return id
}

// Views are the modals, open and closed, in the order in which they were opened, and the Home tabs behind them.
func (t *Twin) Views() []View {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []View
	for _, v := range t.views {
		all = append(all, *v)
	}
	for _, user := range slices.Sorted(maps.Keys(t.homes)) {
		all = append(all, *t.homes[user])
	}
	return all
}

// DisableHome makes views.publish answer not_enabled, as for an app without a Home tab.
func (t *Twin) DisableHome() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.homeOff = true
}

func (t *Twin) openView(c apiCall) result {
	tr := t.triggers[c.args["trigger_id"]]
	switch {
	case tr == nil:
		return result{flaw: &flaw{code: "invalid_arguments", messages: []string{"invalid `trigger_id`"}}}
	case tr.used:
		return refusal("exchanged_trigger_id")
	case t.opt.Now().Sub(tr.made) > triggerLife:
		return refusal("expired_trigger_id")
	}
	v, f := readView([]byte(c.args["view"]), "modal")
	if f != nil {
		return result{flaw: f}
	}
	tr.used = true
	v.User, v.Open = tr.user, true
	t.views = append(t.views, t.stamp(v, ""))
	if n := len(t.views) - keepViews; n > 0 {
		t.views = slices.Delete(t.views, 0, n)
	}
	return result{fields: map[string]any{"view": v.object}}
}

// stamp gives a view its id and hash. t.mu is held.
func (t *Twin) stamp(v *View, id string) *View {
	t.changed++
	v.Hash = t.nextTS(t.opt.Now())
	v.ID = cmp.Or(id, "V"+strconv.FormatInt(t.lastID, 10))
	maps.Copy(v.object, map[string]any{
		"id": v.ID, "hash": v.Hash, "team_id": t.opt.TeamID, "app_id": appID, "bot_id": botID, "root_view_id": v.ID,
		"state": map[string]any{"values": map[string]any{}},
	})
	return v
}

func (t *Twin) publishView(c apiCall) result {
	user := c.args["user_id"]
	if !channelID.MatchString(user) || user[0] != 'U' {
		return result{flaw: &flaw{code: "invalid_arguments", messages: []string{"invalid `user_id`"}}}
	}
	if t.homeOff {
		return refusal("not_enabled")
	}
	v, f := readView([]byte(c.args["view"]), "home")
	if f != nil {
		return result{flaw: f}
	}
	old := t.homes[user]
	if hash := c.args["hash"]; hash != "" && (old == nil || old.Hash != hash) {
		return refusal("hash_conflict")
	}
	id := ""
	if old != nil {
		id = old.ID
	}
	v.User, v.Open = user, true
	t.homes[user] = t.stamp(v, id)
	return result{fields: map[string]any{"view": v.object}}
}

func (t *Twin) updateView(c apiCall) result {
	old := t.view(c.args["view_id"])
	if old == nil {
		return refusal("not_found")
	}
	if hash := c.args["hash"]; hash != "" && old.Hash != hash {
		return refusal("hash_conflict")
	}
	v, f := readView([]byte(c.args["view"]), old.Type)
	if f != nil {
		return result{flaw: f}
	}
	t.replaceView(old, v)
	return result{fields: map[string]any{"view": old.object}}
}

// replaceView puts v in the place of old. t.mu is held.
func (t *Twin) replaceView(old, v *View) {
	v.User, v.Open, v.Values, v.offered = old.User, old.Open, old.Values, old.offered // what stands in a field stays there
	*old = *t.stamp(v, old.ID)
}

// view finds a view by its id. t.mu is held.
func (t *Twin) view(id string) *View {
	for _, v := range t.views {
		if v.ID == id {
			return v
		}
	}
	for _, v := range t.homes {
		if v.ID == id {
			return v
		}
	}
	return nil
}

// readView parses and checks a view.
func readView(raw []byte, kind string) (*View, *flaw) {
	if len(raw) > maxViewBytes {
		return nil, &flaw{code: "view_too_large"}
	}
	v := &View{}
	if json.Unmarshal(raw, &v.object) != nil || v.object == nil {
		return nil, &flaw{code: "invalid_arguments", messages: []string{"[ERROR] view is no object [json-pointer:/view]"}}
	}
	c := checker{inView: true}
	if v.Type, _ = v.object["type"].(string); v.Type != kind {
		c.wrong("/view/type", "must be %s", kind)
	}
	c.short("/view/private_metadata", v.object["private_metadata"], maxPrivateMetadata)
	c.short("/view/callback_id", v.object["callback_id"], maxCallbackID)
	v.PrivateMetadata, _ = v.object["private_metadata"].(string)
	v.CallbackID, _ = v.object["callback_id"].(string)
	c.viewBlocks(v)
	if kind == "modal" {
		c.viewTexts(v)
	}
	if len(c.messages) > 0 {
		for k, m := range c.messages {
			c.messages[k] = "[ERROR] " + m
		}
		return nil, &flaw{code: "invalid_arguments", messages: c.messages}
	}
	return v, nil
}

func (c *checker) viewBlocks(v *View) {
	list, ok := v.object["blocks"].([]any)
	if !ok || len(list) > maxViewBlocks {
		c.wrong("/view/blocks", "must be an array of at most %d items", maxViewBlocks)
		return
	}
	for k, e := range list {
		block, _ := e.(map[string]any)
		c.block(fmt.Sprintf("/view/blocks/%d", k), block)
		if block != nil && block["block_id"] == nil {
			block["block_id"] = fmt.Sprintf("b%d", k) // Slack makes one up too
		}
		v.Blocks = append(v.Blocks, block)
	}
}

func (c *checker) viewTexts(v *View) {
	for name, into := range map[string]*string{"title": &v.Title, "submit": &v.Submit, "close": &v.Close} {
		if *into = plain(v.object[name]); v.object[name] != nil || name == "title" {
			c.text("/view/"+name, v.object[name], maxViewTitle, "plain_text")
		}
	}
	if c.inputs > 0 && v.Submit == "" {
		c.wrong("/view/submit", "missing required field: a view with input blocks needs it")
	}
}

// input checks an input block and its element.
func (c *checker) input(at string, b map[string]any) {
	c.inputs++
	if !c.inView {
		c.wrong(at, "unsupported type: input")
		return
	}
	c.text(at+"/label", b["label"], 2000, "plain_text")
	if b["hint"] != nil {
		c.text(at+"/hint", b["hint"], 2000, "plain_text")
	}
	if _, ok := b["dispatch_action"].(bool); b["dispatch_action"] != nil && !ok {
		c.wrong(at+"/dispatch_action", "must be a boolean")
	}
	e, _ := b["element"].(map[string]any)
	kind, _ := e["type"].(string)
	at += "/element"
	check, ok := inputChecks[kind]
	if !ok {
		c.wrong(at, "unsupported type: %s", kind)
		return
	}
	c.short(at+"/action_id", e["action_id"], 255)
	if e["placeholder"] != nil {
		c.text(at+"/placeholder", e["placeholder"], 150, "plain_text")
	}
	check(c, at, e)
}

var clock = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d$`)

var inputChecks = map[string]func(c *checker, at string, e map[string]any){
	"plain_text_input": func(c *checker, at string, e map[string]any) {
		if most, ok := e["max_length"].(float64); ok && (most < 1 || most > 3000) {
			c.wrong(at+"/max_length", "must be 1 to 3000")
		}
		c.short(at+"/initial_value", e["initial_value"], 3000)
	},
	"number_input": func(c *checker, at string, e map[string]any) {
		if _, ok := e["is_decimal_allowed"].(bool); !ok {
			c.wrong(at+"/is_decimal_allowed", "missing required field")
		}
	},
	"timepicker": func(c *checker, at string, e map[string]any) {
		if initial, ok := e["initial_time"].(string); ok && !clock.MatchString(initial) {
			c.wrong(at+"/initial_time", "must be HH:mm")
		}
	},
	"static_select": (*checker).selection,
	"external_select": func(c *checker, at string, e map[string]any) {
		c.external(at, e)
		if e["initial_option"] != nil {
			c.optionList(at+"/initial_option", []any{e["initial_option"]})
		}
	},
	"multi_external_select": func(c *checker, at string, e map[string]any) {
		c.external(at, e)
		most, ok := e["max_selected_items"].(float64)
		if e["max_selected_items"] != nil && (!ok || most < 1) {
			c.wrong(at+"/max_selected_items", "must be at least 1")
		}
		initial, _ := e["initial_options"].([]any)
		if ok && len(initial) > int(most) {
			c.wrong(at+"/initial_options", "no more than %d items allowed", int(most))
		}
		if e["initial_options"] != nil && len(initial) == 0 {
			c.wrong(at+"/initial_options", "must have at least 1 item")
		}
		c.optionList(at+"/initial_options", initial)
	},
}

// external checks a menu whose options the app is asked for.
func (c *checker) external(at string, e map[string]any) {
	if e["options"] != nil {
		c.wrong(at+"/options", "unsupported field: options come from the app")
	}
	if soonest, ok := e["min_query_length"].(float64); e["min_query_length"] != nil && (!ok || soonest < 0 || soonest != float64(int(soonest))) {
		c.wrong(at+"/min_query_length", "must be a whole number from 0")
	}
}

func (c *checker) selection(at string, e map[string]any) {
	values := c.options(at, e, 100)
	if initial, ok := e["initial_option"].(map[string]any); ok {
		if value, _ := initial["value"].(string); !slices.Contains(values, value) {
			c.wrong(at+"/initial_option", "must be one of the options")
		}
	}
}
