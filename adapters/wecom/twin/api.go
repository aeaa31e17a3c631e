package twin

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// The platform's limits; see the adapter's limits.go for where they stand.
const (
	maxWebhookMarkdown = 4096 // bytes
	maxText            = 2048 // bytes, everywhere
	maxAppMarkdown     = 2048 // bytes
	robotRate          = 20   // posts a minute
	memberRate         = 30   // app posts a minute and member
	chatRate           = 200  // app chat posts a minute
	maxUsers           = 1000
	maxParties         = 100
	tokenLife          = 7200 * time.Second
	maxBody            = 4 << 20 // an image of 2 MB in base64 has 2.8
)

// reply is an answer: errcode, and what belongs to it.
type reply struct {
	code int
	why  string
	more map[string]any
}

func no(code int, format string, args ...any) *reply {
	return &reply{code: code, why: fmt.Sprintf(format, args...)}
}

func (t *Twin) answer(w http.ResponseWriter, r *http.Request, raw []byte, re *reply) {
	body := map[string]any{"errcode": re.code, "errmsg": cmp.Or(re.why, "ok")}
	for k, v := range re.more {
		body[k] = v
	}
	if re.code != 0 || re.why != "" {
		t.note(Refusal{Path: r.URL.Path, Code: re.code, Why: re.why, Raw: raw})
	}
	if re.code != 0 {
		body["errmsg"] = fmt.Sprintf("%s, hint: [1700000000123456], from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=%d", re.why, re.code)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	json.NewEncoder(w).Encode(body)
}

func (t *Twin) note(r Refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.At = t.opt.Now()
	t.refused = append(t.refused, r)
	if over := len(t.refused) - t.opt.MaxPosts; over > 0 {
		t.refused = slices.Delete(t.refused, 0, over)
	}
	t.opt.Log.Info("refused or warned", "path", r.Path, "code", r.Code, "err", r.Why)
}

// posting reads and checks what all posting calls have in common, and plays the failures that were asked for.
func (t *Twin) posting(handle func(r *http.Request, b *body) *reply) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "too big", http.StatusRequestEntityTooLarge)
			return
		}
		f := t.nextFailure()
		if !wait(r, f.Delay) || f.DropBefore {
			panic(http.ErrAbortHandler)
		}
		switch {
		case f.Code != 0:
			t.answer(w, r, raw, no(f.Code, "asked to fail"))
			return
		case f.Status != 0 || f.Body != "":
			w.WriteHeader(cmp.Or(f.Status, http.StatusOK))
			io.WriteString(w, f.Body)
			return
		}
		re := t.accept(r, raw, handle)
		if f.DropAfter {
			panic(http.ErrAbortHandler)
		}
		t.answer(w, r, raw, re)
	}
}

// wait says whether the caller is still there after d.
func wait(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

var escapedRune = regexp.MustCompile(`(^|[^\\])(\\\\)*\\u[0-9a-fA-F]{4}`)

// accept decodes the body and hands it on. It holds mu meanwhile: the twin takes one post at a time.
func (t *Twin) accept(r *http.Request, raw []byte, handle func(*http.Request, *body) *reply) *reply {
	b := &body{raw: raw}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	switch err := dec.Decode(&b.fields); {
	case !utf8.Valid(raw):
		return no(40035, "invalid parameter: body is not UTF-8")
	case err != nil || dec.More():
		return no(40035, "invalid parameter: body is not one JSON object")
	case bytes.Contains(raw, []byte(`\u`)) && escapedRune.Match(raw): // an image is megabytes without one
		return no(40033, `invalid request: must not contain \uXXXX`)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return handle(r, b)
}

// body is a decoded request body.
type body struct {
	raw    []byte
	fields map[string]any
}

func (b *body) text(name string) string {
	s, _ := b.fields[name].(string)
	return s
}

func (b *body) number(name string) (int64, bool) {
	n, ok := b.fields[name].(json.Number)
	if !ok {
		return 0, false
	}
	v, err := n.Int64()
	return v, err == nil
}

// content checks msgtype and what belongs to it. limits: bytes by msgtype, 0 for types whose size is not checked here. A text that
// is too long is refused by robots and cut for apps. cards are the types of template card that there are.
func (b *body) content(limits map[string]int, cuts bool, cards []string) (Post, *reply) {
	msgtype := b.text("msgtype")
	limit, ok := limits[msgtype]
	if !ok {
		return Post{}, no(40008, "invalid message type %q", msgtype)
	}
	part, ok := b.fields[msgtype].(map[string]any)
	if !ok {
		return Post{}, no(40035, "invalid parameter: %q missing", msgtype)
	}
	p := Post{MsgType: msgtype, Body: b.fields, Raw: b.raw}
	var re *reply
	switch msgtype {
	case "news":
		p.Articles, p.Cut, re = readArticles(part)
		return p, re
	case "template_card":
		p.Card, re = readCard(part, cards)
		return p, re
	}
	if limit == 0 {
		return p, nil
	}
	text, _ := part["content"].(string)
	switch {
	case strings.TrimSpace(text) == "":
		return p, no(44004, "text content is empty")
	case len(text) > limit && !cuts:
		return p, no(40058, "%s.content exceed max length %d. invalid Request Parameter", msgtype, limit)
	case len(text) > limit:
		text, p.Cut = strings.ToValidUTF8(text[:limit], ""), true
	}
	p.Content = text
	return p, nil
}

var (
	webhookTypes = map[string]int{"text": maxText, "markdown": maxWebhookMarkdown, "markdown_v2": maxWebhookMarkdown, "news": 0, "image": 0,
		"file": 0, "voice": 0, "template_card": 0}
	appTypes = map[string]int{"text": maxText, "markdown": maxAppMarkdown, "textcard": 0, "news": 0, "mpnews": 0, "image": 0, "voice": 0,
		"video": 0, "file": 0, "miniprogram_notice": 0, "template_card": 0}
	chatTypes = map[string]int{"text": maxText, "markdown": maxAppMarkdown, "textcard": 0, "news": 0, "mpnews": 0, "image": 0, "voice": 0,
		"video": 0, "file": 0}
)

func (t *Twin) webhook(r *http.Request, b *body) *reply {
	key := r.URL.Query().Get("key")
	if key == "" || !reaches(t.opt.Robots, key) {
		return no(93000, "invalid webhook url")
	}
	p, re := b.content(webhookTypes, false, robotCards)
	if re == nil && p.MsgType == "image" {
		p.Image, re = robotImage(b.fields["image"].(map[string]any))
	}
	if re != nil {
		return re
	}
	if t.over("key:"+key, robotRate) {
		return no(45009, "api freq out of limit")
	}
	p.Kind, p.Channel = "webhook", "key:"+key
	t.keep(p)
	return &reply{}
}

// authorized finds the app of a call's token.
func (t *Twin) authorized(r *http.Request) (*App, *reply) {
	given := r.URL.Query().Get("access_token")
	tok := t.tokens[given]
	switch {
	case given == "":
		return nil, no(41001, "access_token missing")
	case tok == nil:
		return nil, no(40014, "invalid access_token")
	case tok.expired || !t.opt.Now().Before(tok.until):
		return nil, no(42001, "access_token expired")
	}
	return tok.app, nil
}

// cards are the types that an app may post: with buttons only if it hears the clicks.
func (a *App) cards() []string {
	if a.CallbackURL == "" {
		return robotCards
	}
	return heardCards
}

func (t *Twin) message(r *http.Request, b *body) *reply {
	app, re := t.authorized(r)
	if re != nil {
		return re
	}
	agent, isInteger := b.number("agentid")
	if s := b.text("agentid"); s != "" {
		fmt.Sscan(s, &agent)
	}
	if agent != int64(app.AgentID) {
		return no(40056, "invalid agentid")
	}
	p, re := b.content(appTypes, true, app.cards())
	if re == nil && p.MsgType == "image" {
		p.Image, re = t.appImage(app.CorpID, b.fields["image"].(map[string]any))
	}
	if re != nil {
		return re
	}
	to := t.receivers(b)
	if to.fault != nil {
		return to.fault
	}
	p.Kind, p.Channel, p.app = "app", to.channel, app
	ok := &reply{more: map[string]any{"invaliduser": to.badUsers, "invalidparty": to.badParties, "invalidtag": to.badTags,
		"unlicenseduser": to.unlicensed, "msgid": ""}}
	if !isInteger {
		ok.why = "ok. Warning: wrong json format. agentid is not an integer"
	}
	ok.more["msgid"] = t.deliver(app, b, p, to)
	return ok
}

// deliver shows a post unless the duplicate check or the member's rate is against it, and returns its msgid. WeCom does not document
// what a suppressed post is answered with; here it is the first one's msgid.
func (t *Twin) deliver(app *App, b *body, p Post, to receivers) string {
	window, check := int64(1800), int64(0)
	if n, ok := b.number("enable_duplicate_check"); ok {
		check = n
	}
	if n, ok := b.number("duplicate_check_interval"); ok {
		window = min(n, 14400)
	}
	part, _ := json.Marshal(b.fields[p.MsgType])
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d/%s/%s/%s", app.CorpID, app.AgentID, p.Channel, p.MsgType, part))
	before, seen := t.recent[string(sum[:])]
	if check == 1 && seen && t.opt.Now().Sub(before.at) < time.Duration(window)*time.Second {
		t.suppressed++
		return before.id
	}
	p.ID = fmt.Sprintf("msg-%d", t.last+1)
	if len(t.recent) >= t.opt.MaxPosts {
		clear(t.recent)
	}
	t.recent[string(sum[:])] = recentPost{p.ID, t.opt.Now()}
	if to.single != "" && to.unlicensed != "" {
		t.last++
		return p.ID
	}
	if to.single != "" && t.over(fmt.Sprintf("%s/%d/%s", app.CorpID, app.AgentID, to.single), memberRate) {
		t.last++
		t.dropped++
		return p.ID
	}
	return t.keep(p).ID
}

type receivers struct {
	channel                       string
	single                        string // the only member addressed
	badUsers, badParties, badTags string
	unlicensed                    string // in range; they get nothing
	fault                         *reply
}

func (t *Twin) receivers(b *body) (to receivers) {
	users, parties, tags := list(b.text("touser")), list(b.text("toparty")), list(b.text("totag"))
	switch {
	case len(users)+len(parties)+len(tags) == 0:
		return receivers{fault: no(82001, "touser, toparty and totag are all empty")}
	case len(users) > maxUsers:
		return receivers{fault: no(40032, "too many users")}
	case len(parties) > maxParties:
		return receivers{fault: no(82002, "too many departments")}
	case len(tags) > maxParties:
		return receivers{fault: no(82003, "too many tags")}
	}
	bad := 0
	sort := func(prefix string, ids, known []string) string {
		var out []string
		for _, id := range ids {
			if id == "@all" || reaches(known, id) {
				continue
			}
			out = append(out, strings.ToLower(id))
		}
		bad += len(out)
		if len(ids) > 0 {
			to.channel = strings.TrimSpace(to.channel + " " + prefix + strings.Join(ids, "|"))
		}
		return strings.Join(out, "|")
	}
	to.unlicensed = t.unlicensed(users, len(parties)+len(tags) > 0)
	to.badUsers = sort("user:", users, t.opt.Members)
	to.badParties = sort("party:", parties, t.opt.Parties)
	to.badTags = sort("tag:", tags, t.opt.Tags)
	if bad == len(users)+len(parties)+len(tags) {
		to.fault = no(81013, "user & party & tag all invalid")
	}
	if len(users) == 1 && users[0] != "@all" && len(parties)+len(tags) == 0 {
		to.single = users[0]
	}
	return to
}

// unlicensed are the members without a licence among those addressed; a department or tag holds them all.
func (t *Twin) unlicensed(users []string, all bool) string {
	var out []string
	for _, id := range t.opt.Unlicensed {
		if all || reaches(append([]string{"@nobody"}, users...), id) || slices.Contains(users, "@all") {
			out = append(out, strings.ToLower(id))
		}
	}
	return strings.Join(out, "|")
}

func list(s string) []string {
	return slices.DeleteFunc(strings.Split(s, "|"), func(s string) bool { return s == "" })
}

func (t *Twin) appchat(r *http.Request, b *body) *reply {
	app, re := t.authorized(r)
	if re != nil {
		return re
	}
	chat := b.text("chatid")
	if !slices.Contains(app.Chats, chat) {
		for _, other := range t.opt.Apps {
			if slices.Contains(other.Chats, chat) {
				return no(86008, "the chat was created by another app")
			}
		}
		return no(86001, "invalid chatid")
	}
	p, re := b.content(chatTypes, true, nil)
	if re == nil && p.MsgType == "image" {
		p.Image, re = t.appImage(app.CorpID, b.fields["image"].(map[string]any))
	}
	if re != nil {
		return re
	}
	p.Kind, p.Channel, p.app = "appchat", "chat:"+chat, app
	if t.over(p.Channel, chatRate) {
		t.dropped++
		return &reply{}
	}
	t.keep(p)
	return &reply{}
}

// Limits of app chats: 90245, read 2026-11.
const (
	maxChatName    = 50 // characters
	minChatMembers = 2
	maxChatMembers = 2000
)

var chatForm = regexp.MustCompile(`^[0-9a-zA-Z]{1,32}$`)

// createChat makes a group that the app can post to.
func (t *Twin) createChat(r *http.Request, b *body) *reply {
	app, re := t.authorized(r)
	if re != nil {
		return re
	}
	members, _ := b.fields["userlist"].([]any)
	chat := b.text("chatid")
	switch {
	case utf8.RuneCountInString(b.text("name")) > maxChatName:
		return no(40058, "name exceed max length %d", maxChatName)
	case len(members) < minChatMembers || len(members) > maxChatMembers:
		return no(86006, "invalid userlist size %d", len(members))
	case chat != "" && !chatForm.MatchString(chat):
		return no(86001, "invalid chatid")
	}
	for _, m := range append([]any{b.fields["owner"]}, members...) {
		if id, isText := m.(string); m != nil && (!isText || !reaches(t.opt.Members, id)) {
			return no(60111, "userid not found")
		}
	}
	for k := range t.opt.Apps {
		if slices.Contains(t.opt.Apps[k].Chats, chat) {
			return no(86215, "chatid exists")
		}
	}
	if chat == "" {
		t.last++
		chat = fmt.Sprintf("twinchat%d", t.last)
	}
	app.Chats = append(app.Chats, chat)
	return &reply{more: map[string]any{"chatid": chat}}
}

func (t *Twin) getToken(w http.ResponseWriter, r *http.Request) {
	corp, secret := r.URL.Query().Get("corpid"), r.URL.Query().Get("corpsecret")
	t.answer(w, r, nil, t.tokenFor(corp, secret))
}

func (t *Twin) tokenFor(corp, secret string) *reply {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokenCalls++
	if !slices.ContainsFunc(t.opt.Apps, func(a App) bool { return a.CorpID == corp }) {
		return no(40013, "invalid corpid")
	}
	at := slices.IndexFunc(t.opt.Apps, func(a App) bool { return a.CorpID == corp && a.Secret == secret })
	if at < 0 {
		return no(40001, "invalid credential")
	}
	app, now := &t.opt.Apps[at], t.opt.Now()
	for text, tok := range t.tokens { // within its life a repeat returns the same token
		if tok.app == app && !tok.expired && now.Before(tok.until) {
			return tokenReply(text, tok.until.Sub(now))
		}
	}
	t.last++
	text := fmt.Sprintf("twin-token-%d-%x", t.last, sha256.Sum256(fmt.Appendf(nil, "%d%s", t.last, secret)))
	t.tokens[text] = &grant{app: app, until: now.Add(tokenLife)}
	return tokenReply(text, tokenLife)
}

func tokenReply(text string, life time.Duration) *reply {
	return &reply{more: map[string]any{"access_token": text, "expires_in": int(life.Seconds())}}
}
