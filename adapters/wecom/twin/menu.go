package twin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Limits of menus: 90231 and the error table 90313, read 2026-11.
const (
	maxMenuButtons = 3
	maxSubButtons  = 5
	maxMenuName    = 16   // bytes
	maxMenuKey     = 128  // bytes
	maxMenuURL     = 1024 // bytes
)

// recallLife is how long an app's post can be taken back (94867, read 2026-11).
const recallLife = 24 * time.Hour

// MenuButton is a button of an app's menu.
type MenuButton struct {
	Type string       `json:"type"`
	Name string       `json:"name"`
	Key  string       `json:"key"`
	URL  string       `json:"url"`
	Sub  []MenuButton `json:"sub_button"`
}

// createMenu replaces an app's menu.
func (t *Twin) createMenu(r *http.Request, b *body) *reply {
	app, re := t.authorized(r)
	if re != nil {
		return re
	}
	if id, _ := strconv.Atoi(r.URL.Query().Get("agentid")); id != app.AgentID {
		return no(40056, "invalid agentid")
	}
	var menu struct {
		Button []MenuButton `json:"button"`
	}
	if json.Unmarshal(b.raw, &menu) != nil {
		return no(40035, "invalid parameter: button")
	}
	if n := len(menu.Button); n < 1 || n > maxMenuButtons {
		return no(40016, "invalid button size %d", n)
	}
	for _, top := range menu.Button {
		if len(top.Sub) > maxSubButtons {
			return no(40023, "invalid sub button size %d", len(top.Sub))
		}
		if re := top.check(len(top.Sub) > 0); re != nil {
			return re
		}
		for _, sub := range top.Sub {
			if re := sub.check(false); re != nil {
				return re
			}
			if len(sub.Sub) > 0 {
				return no(40022, "invalid sub button level")
			}
		}
	}
	app.menu = menu.Button
	return &reply{}
}

// check is about one button; opens = it only shows those below it.
func (m MenuButton) check(opens bool) *reply {
	switch {
	case m.Name == "" || len(m.Name) > maxMenuName:
		return no(40018, "invalid button name size %d", len(m.Name))
	case opens:
		return nil
	case m.Type == "click" && (m.Key == "" || len(m.Key) > maxMenuKey):
		return no(40019, "invalid button key size %d", len(m.Key))
	case m.Type == "view" && (m.URL == "" || len(m.URL) > maxMenuURL):
		return no(40020, "invalid button url size %d", len(m.URL))
	case m.Type != "click" && m.Type != "view":
		return no(40017, "invalid button type %q", m.Type)
	}
	return nil
}

// Menu is the menu that an app's members see.
func (t *Twin) Menu(agentID int) []MenuButton {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k := range t.opt.Apps {
		if t.opt.Apps[k].AgentID == agentID {
			return t.opt.Apps[k].menu
		}
	}
	return nil
}

// Chats are the IDs of the chats that an app has made.
func (t *Twin) Chats(agentID int) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k := range t.opt.Apps {
		if t.opt.Apps[k].AgentID == agentID {
			return slices.Clone(t.opt.Apps[k].Chats)
		}
	}
	return nil
}

// recall takes an app's post back. What WeCom answers to an unknown or too old msgid is not documented; here it is 40035.
func (t *Twin) recall(r *http.Request, b *body) *reply {
	app, re := t.authorized(r)
	if re != nil {
		return re
	}
	id := b.text("msgid")
	for k := range t.posts {
		p := &t.posts[k]
		if id == "" || p.ID != id || p.app != app || t.opt.Now().Sub(p.At) >= recallLife {
			continue
		}
		p.Recalled = true
		return &reply{}
	}
	return no(40035, "invalid parameter: msgid")
}
