package twin

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// args are the arguments of a call, from a form, a JSON body or the query.
type args map[string]string

func (a args) bool(name string) bool { return a[name] == "true" || a[name] == "1" }

func readArgs(r *http.Request, body []byte) (args, bool) {
	all := args{}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media == "application/json" {
		var object map[string]json.RawMessage
		if json.Unmarshal(body, &object) != nil {
			return nil, false
		}
		for name, raw := range object {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				text = string(raw)
			}
			all[name] = text
		}
		return all, true
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, false
	}
	for _, values := range []url.Values{r.URL.Query(), form} {
		for name := range values {
			all[name] = values.Get(name)
		}
	}
	return all, true
}

// apiCall is one authorized call of the Web API.
type apiCall struct {
	args
	team string // whose token it is
	raw  []byte
}

// result is the answer of a method: fields beside ok, or a flaw.
type result struct {
	fields map[string]any
	flaw   *flaw
	wait   int // seconds; above 0 it is a 429
}

func refusal(code string) result { return result{flaw: &flaw{code: code}} }

var methods = map[string]func(t *Twin, c apiCall) result{
	"auth.test":             (*Twin).authTest,
	"chat.postMessage":      (*Twin).postMessage,
	"chat.update":           (*Twin).update,
	"chat.delete":           (*Twin).remove,
	"chat.postEphemeral":    (*Twin).postEphemeral,
	"conversations.info":    (*Twin).info,
	"conversations.join":    (*Twin).join,
	"conversations.list":    (*Twin).conversations,
	"conversations.history": (*Twin).history,
	"conversations.replies": (*Twin).replies,

	"files.getUploadURLExternal":   (*Twin).getUploadURL,
	"files.completeUploadExternal": (*Twin).completeUpload,

	"files.delete":  (*Twin).deleteFile,
	"views.open":    (*Twin).openView,
	"views.publish": (*Twin).publishView,
	"views.update":  (*Twin).updateView,
}

func (t *Twin) api(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	call, ok := readArgs(r, body)
	name := r.PathValue("method")
	if !ok {
		t.answer(w, name, "", refusal("invalid_form_data"))
		return
	}
	method, known := methods[name]
	c := apiCall{args: call, raw: body}
	var f *flaw
	if name == "oauth.v2.access" { // no token: the client's secret
		t.answer(w, name, "", t.locked((*Twin).access, c))
		return
	}
	t.mu.Lock()
	c.team, f = t.holder(tokenOf(r, call), name)
	t.mu.Unlock()
	wait := 0
	if per := perMinute[name]; per > 0 && f == nil {
		t.mu.Lock()
		wait = t.wait(name+" "+c.team, per, per)
		t.mu.Unlock()
	}
	switch {
	case !known:
		t.answer(w, name, "", refusal("unknown_method"))
	case wait > 0:
		t.answer(w, name, "", result{flaw: &flaw{code: "ratelimited"}, wait: wait})
	case f != nil:
		t.answer(w, name, "", result{flaw: f})
	case (name == "chat.postMessage" || name == "files.completeUploadExternal") && t.fails(w, func() { t.locked(method, c) }, false):
	default:
		t.answer(w, name, cmp.Or(call["channel"], call["channel_id"]), t.locked(method, c))
	}
}

func (t *Twin) locked(method func(*Twin, apiCall) result, c apiCall) result {
	t.mu.Lock()
	defer t.mu.Unlock()
	return method(t, c)
}

// tokenOf looks where Slack looks: the Authorization header, else the body.
func tokenOf(r *http.Request, a args) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	return a["token"]
}

// fails gives the next made-up answer, if there is one. accept is the call as it would have been.
func (t *Twin) fails(w http.ResponseWriter, accept func(), text bool) bool {
	f, ok := t.takeFailure()
	if !ok {
		return false
	}
	if f.Accept {
		accept()
	}
	time.Sleep(f.Delay)
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	status := cmp.Or(f.Status, http.StatusOK)
	if text {
		writeText(w, status, f.Code)
		return true
	}
	fields := map[string]any{"ok": false}
	if f.Code != "" {
		fields["error"] = f.Code
	}
	if len(f.Messages) > 0 {
		fields["response_metadata"] = map[string]any{"messages": f.Messages}
	}
	writeJSON(w, status, fields)
	return true
}

func (t *Twin) answer(w http.ResponseWriter, path, channel string, r result) {
	fields := map[string]any{"ok": r.flaw == nil}
	for name, v := range r.fields {
		fields[name] = v
	}
	status := http.StatusOK
	if r.flaw != nil {
		t.mu.Lock()
		t.refuse(path, channel, r.flaw.code, r.flaw.Error())
		t.mu.Unlock()
		fields["error"] = r.flaw.code
		if len(r.flaw.messages) > 0 {
			fields["errors"] = r.flaw.messages
			fields["response_metadata"] = map[string]any{"messages": r.flaw.messages}
		}
		if r.flaw.needed != "" {
			fields["needed"], fields["provided"] = r.flaw.needed, r.flaw.provided
		}
	}
	if r.wait > 0 {
		status = http.StatusTooManyRequests
		w.Header().Set("Retry-After", strconv.Itoa(r.wait))
	}
	writeJSON(w, status, fields)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func (t *Twin) authTest(c apiCall) result {
	return result{fields: map[string]any{
		"url": "https://twin.slack.com/", "team": "Twin", "team_id": c.team, "user": "weeklybot", "user_id": botUser, "bot_id": t.bot(c.team),
	}}
}

// bot is the app's bot in a workspace.
func (t *Twin) bot(team string) string {
	if team == "" || team == t.opt.TeamID {
		return botID
	}
	return "B" + team
}

var channelID = regexp.MustCompile(`^[CGDU][A-Z0-9]+$`)

// place finds the channel of a call, as far as the bot may act there.
func (t *Twin) place(id string) (Channel, *flaw) {
	c, ok := t.channels[id]
	switch {
	case !ok && !channelID.MatchString(id), c.Missing, c.NotMember && c.Private:
		return c, &flaw{code: "channel_not_found"}
	case c.Archived:
		return c, &flaw{code: "is_archived"}
	case c.NotMember:
		return c, &flaw{code: "not_in_channel"}
	}
	return c, nil
}

func (t *Twin) postMessage(c apiCall) result {
	if _, f := t.place(c.args["channel"]); f != nil {
		return result{flaw: f}
	}
	msg, f := readMessage(c.args["text"], []byte(c.args["blocks"]), []byte(c.args["attachments"]), []byte(c.args["metadata"]))
	if f != nil {
		return result{flaw: f}
	}
	msg.UnfurlLinks, msg.UnfurlMedia, msg.Parse = c.bool("unfurl_links"), c.args["unfurl_media"] != "false", c.args["parse"]
	if n := t.paced(c.args["channel"]); n > 0 {
		return result{flaw: &flaw{code: "ratelimited"}, wait: n}
	}
	thread := c.args["thread_ts"]
	if parent := t.find(c.args["channel"], thread); parent == nil || parent.ThreadTS != "" {
		thread = "" // the parent was deleted: posted without a thread
	}
	p := t.keep(Post{Kind: "app", Team: c.team, Channel: c.args["channel"], ThreadTS: thread, Message: msg, Raw: c.raw})
	return result{fields: map[string]any{"channel": p.Channel, "ts": p.TS, "message": t.shown(p, true)}}
}

// postEphemeral shows a message to one member. It is kept nowhere: it can be neither changed nor found.
func (t *Twin) postEphemeral(c apiCall) result {
	if _, f := t.place(c.args["channel"]); f != nil {
		return result{flaw: f}
	}
	if user := c.args["user"]; !channelID.MatchString(user) || user[0] != 'U' {
		return refusal("user_not_in_channel")
	}
	msg, f := readMessage(c.args["text"], []byte(c.args["blocks"]), []byte(c.args["attachments"]), nil)
	if f != nil {
		return result{flaw: f}
	}
	msg.ResponseType, msg.Parse = "ephemeral", c.args["parse"]
	p := t.keep(Post{Kind: "ephemeral", Team: c.team, Channel: c.args["channel"], Message: msg, Raw: c.raw})
	return result{fields: map[string]any{"message_ts": p.TS}}
}

// join brings the bot into a public channel.
func (t *Twin) join(c apiCall) result {
	id := c.args["channel"]
	ch, f := t.place(id)
	switch {
	case f != nil && f.code != "not_in_channel":
		return result{flaw: f}
	case ch.Private || id[0] != 'C':
		return refusal("method_not_supported_for_channel_type")
	}
	ch.NotMember = false
	t.channels[id] = ch
	return t.info(c)
}

// conversations lists the channels that were set or posted to.
func (t *Twin) conversations(c apiCall) result {
	ids := slices.Collect(maps.Keys(t.channels))
	for _, p := range t.posts {
		ids = append(ids, p.Channel)
	}
	slices.Sort(ids)
	all := []map[string]any{}
	for _, id := range slices.Compact(ids) {
		ch, f := t.place(id)
		if f != nil && f.code == "channel_not_found" || id[0] != 'C' && id[0] != 'G' || ch.Archived && c.bool("exclude_archived") {
			continue
		}
		all = append(all, t.shownChannel(id, ch))
	}
	return result{fields: map[string]any{"channels": all, "response_metadata": map[string]any{"next_cursor": ""}}}
}

// find is the post with that ts. t.mu is held.
func (t *Twin) find(channel, ts string) *Post {
	k := slices.IndexFunc(t.posts, func(p *Post) bool { return p.TS == ts && p.Channel == channel && p.Kind == "app" })
	if k < 0 {
		return nil
	}
	return t.posts[k]
}

// shown is a post as the API returns it.
func (t *Twin) shown(p *Post, metadata bool) map[string]any {
	m := map[string]any{"type": "message", "ts": p.TS, "text": p.Message.Text, "user": botUser, "bot_id": t.bot(p.Team), "app_id": appID, "team": cmp.Or(p.Team, t.opt.TeamID)}
	if len(p.Message.Blocks) > 0 {
		m["blocks"] = p.Message.Blocks
	}
	if len(p.Files) > 0 {
		m["files"] = shownFiles(p.Files)
	}
	if p.ThreadTS != "" {
		m["thread_ts"] = p.ThreadTS
	}
	if meta := p.Message.Metadata; meta != nil && metadata {
		m["metadata"] = meta
	} else if meta != nil {
		m["metadata"] = map[string]any{"event_type": meta.EventType}
	}
	return m
}

func (t *Twin) update(c apiCall) result {
	p := t.find(c.args["channel"], c.args["ts"])
	if p == nil {
		return refusal("message_not_found")
	}
	if len([]rune(c.args["text"])) > maxUpdateText {
		return refusal("msg_too_long")
	}
	msg, f := readMessage(c.args["text"], []byte(c.args["blocks"]), []byte(c.args["attachments"]), []byte(c.args["metadata"]))
	if f != nil {
		return result{flaw: f}
	}
	if msg.Metadata == nil {
		msg.Metadata = p.Message.Metadata
	}
	p.Message = msg
	return result{fields: map[string]any{"channel": p.Channel, "ts": p.TS, "text": msg.Text, "message": t.shown(p, true)}}
}

func (t *Twin) remove(c apiCall) result {
	p := t.find(c.args["channel"], c.args["ts"])
	if p == nil {
		return refusal("message_not_found")
	}
	t.posts = slices.DeleteFunc(t.posts, func(q *Post) bool { return q == p })
	return result{fields: map[string]any{"channel": p.Channel, "ts": p.TS}}
}

func (t *Twin) info(c apiCall) result {
	ch, f := t.place(c.args["channel"])
	if f != nil && f.code == "channel_not_found" {
		return result{flaw: f}
	}
	return result{fields: map[string]any{"channel": t.shownChannel(c.args["channel"], ch)}}
}

// shownChannel is a channel as the API returns it.
func (t *Twin) shownChannel(id string, ch Channel) map[string]any {
	return map[string]any{
		"id": id, "name": cmp.Or(ch.Name, strings.ToLower(id)), "is_channel": true,
		"is_archived": ch.Archived, "is_private": ch.Private, "is_member": !ch.NotMember,
	}
}

const (
	historyDefault = 100
	historyMax     = 999
)

func (t *Twin) history(c apiCall) result {
	return t.list(c, true, func(p *Post) bool { return p.ThreadTS == "" })
}

func (t *Twin) replies(c apiCall) result {
	parent := c.args["ts"]
	if t.find(c.args["channel"], parent) == nil {
		return refusal("thread_not_found")
	}
	return t.list(c, false, func(p *Post) bool { return p.ThreadTS == parent || p.TS == parent })
}

// list is one page of the posts of a channel, newest first or oldest first. The cursor is the number of posts before it.
func (t *Twin) list(c apiCall, newestFirst bool, want func(*Post) bool) result {
	if _, f := t.place(c.args["channel"]); f != nil && f.code != "is_archived" {
		return result{flaw: f}
	}
	var messages []map[string]any
	for _, p := range t.posts {
		if p.Kind == "app" && p.Channel == c.args["channel"] && want(p) && p.TS > c.args["oldest"] && (c.args["latest"] == "" || p.TS < c.args["latest"]) {
			messages = append(messages, t.shown(p, c.bool("include_all_metadata")))
		}
	}
	if newestFirst {
		slices.Reverse(messages)
	}
	limit, _ := strconv.Atoi(c.args["limit"])
	if limit <= 0 {
		limit = historyDefault
	}
	from, _ := strconv.Atoi(c.args["cursor"])
	from = min(max(from, 0), len(messages))
	to := min(from+min(limit, historyMax), len(messages))
	next := ""
	if to < len(messages) {
		next = strconv.Itoa(to)
	}
	page := messages[from:to]
	if page == nil {
		page = []map[string]any{}
	}
	return result{fields: map[string]any{
		"messages": page, "has_more": next != "", "response_metadata": map[string]any{"next_cursor": next},
	}}
}
