package twin

import (
	"cmp"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pagePosts is how many posts the page shows of one chat.
const pagePosts = 100

// demoMember is who speaks on the page unless told otherwise, demoGroup the group that every AI bot is in.
const (
	demoMember = "zhangsan"
	demoGroup  = "wrDemoGroup"
)

// chatView is one chat in the list.
type chatView struct {
	ID     string // AI bot, slash, Post.Channel
	Face   string // group, robot, app, bot
	Letter string // on the face
	Name   string
	About  string
	Last   string // what was said last
	Talk   *talkView
}

// talkView is what a member can say in a chat.
type talkView struct {
	Bot, Chat string // of an AI bot
	Agent     int    // of an app
	Menu      []MenuButton
	Text      string // to begin with
	Hint      string
}

type lineView struct {
	Post
	Said   bool
	Letter string
	Face   string
	Who    string
	Bytes  int
	HTML   template.HTML
	Src    template.URL // of an image
}

type pageView struct {
	Chats               []chatView
	Open                string // the chat's ID
	From                string // who speaks
	Title, About        string
	Lines               []lineView
	Talk                *talkView
	Refused             []Refusal
	Total               int
	Suppressed, Dropped int
	Nonce               string
}

func (t *Twin) page(w http.ResponseWriter, r *http.Request) {
	lines, refused := t.lines(), t.Refused()
	view := pageView{Total: len(t.Posts()), Suppressed: t.Suppressed(), Dropped: t.Dropped(), Refused: refused[max(0, len(refused)-20):],
		Chats: t.chats(lines), Open: r.FormValue("chat"), From: cmp.Or(r.FormValue("from"), demoMember), Nonce: rand.Text()}
	slices.Reverse(view.Refused)
	at := slices.IndexFunc(view.Chats, func(c chatView) bool { return c.ID == view.Open })
	if at < 0 && len(view.Chats) > 0 {
		at = 0
	}
	if at >= 0 {
		c := view.Chats[at]
		view.Open, view.Title, view.About, view.Talk = c.ID, c.Name, c.About, c.Talk
		lines = slices.DeleteFunc(lines, func(p Post) bool { return p.chat() != c.ID })
		for _, p := range lines[max(0, len(lines)-pagePosts):] {
			view.Lines = append(view.Lines, c.line(p))
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; connect-src 'self'; script-src 'nonce-"+view.Nonce+"'")
	pageTemplate.Execute(w, view)
}

// chat is the ID of the chat that a post is in.
func (p Post) chat() string { return p.Bot + "/" + p.Channel }

// chats are those with posts, and those where a member can begin.
func (t *Twin) chats(lines []Post) (all []chatView) {
	for _, b := range t.opt.Bots {
		at := t.mention(b.ID)
		all = append(all,
			chatView{ID: b.ID + "/chat:" + demoGroup, Face: "group", Letter: "群", Name: "周报交流群", About: "内部群，机器人在群里",
				Talk: &talkView{Bot: b.ID, Chat: demoGroup, Text: at, Hint: "试试 · try: " + at + "/subscribe all 每周一 9:00"}},
			chatView{ID: b.ID + "/user:" + demoMember, Face: "bot", Letter: "智", Name: cmp.Or(b.Name, b.ID), About: "智能机器人 · 单聊",
				Talk: &talkView{Bot: b.ID, Text: "/hot ebpf"}})
	}
	for _, app := range t.opt.Apps {
		if app.CallbackURL != "" {
			all = append(all, chatView{ID: "/user:" + demoMember, Face: "app", Letter: "应", Name: fmt.Sprintf("自建应用 %d", app.AgentID), About: app.CorpID,
				Talk: &talkView{Agent: app.AgentID, Menu: t.Menu(app.AgentID), Text: "/hot ebpf"}})
		}
	}
	for _, key := range t.opt.Robots {
		all = append(all, robotChat("key:"+key))
	}
	for _, p := range lines {
		at := slices.IndexFunc(all, func(c chatView) bool { return c.ID == p.chat() })
		if at < 0 {
			at = len(all)
			all = append(all, t.otherChat(p))
		}
		all[at].Last = firstLine(p)
	}
	return all
}

// mention is how members begin a message to an AI bot in a group.
func (t *Twin) mention(bot string) string {
	for _, b := range t.opt.Bots {
		if b.ID == bot {
			return "@" + cmp.Or(b.Name, b.ID) + " "
		}
	}
	return ""
}

func robotChat(channel string) chatView {
	return chatView{ID: "/" + channel, Face: "robot", Letter: "推", Name: "消息推送群", About: channel}
}

// otherChat is one that nothing says more of than its posts.
func (t *Twin) otherChat(p Post) chatView {
	c := chatView{ID: p.chat(), Face: "bot", Letter: "智", Name: p.Channel, Talk: &talkView{Bot: p.Bot}}
	chat, group := strings.CutPrefix(p.Channel, "chat:")
	hears := slices.IndexFunc(t.opt.Apps, func(a App) bool { return a.CallbackURL != "" })
	switch {
	case strings.HasPrefix(p.Channel, "key:"):
		return robotChat(p.Channel)
	case group:
		c.Face, c.Letter, c.Talk.Chat, c.Talk.Text = "group", "群", chat, t.mention(p.Bot)
	case p.Bot == "":
		c.Face, c.Letter = "app", "应"
	}
	if p.Bot == "" {
		c.Talk = nil
		if !group && hears >= 0 {
			c.Talk = &talkView{Agent: t.opt.Apps[hears].AgentID}
		}
	}
	return c
}

// firstLine is a post in the list of chats.
func firstLine(p Post) string {
	if p.Recalled {
		return "撤回了一条消息"
	}
	if len(p.Image) > 0 {
		return "[图片]"
	}
	text, _, _ := strings.Cut(strings.TrimSpace(p.Read().Text), "\n")
	return text
}

func (c chatView) line(p Post) lineView {
	line := lineView{Post: p, Said: p.Kind == "said", Bytes: len(p.Content), HTML: p.Read().HTML, Face: c.Face, Letter: "报", Who: "weeklybot"}
	if line.Face == "group" {
		line.Face = "bot"
	}
	if line.Said {
		line.Who, line.Letter = p.From, "人"
	}
	if len(p.Image) > 0 {
		line.Bytes, line.Src = len(p.Image), template.URL("data:"+http.DetectContentType(p.Image)+";base64,"+base64.StdEncoding.EncodeToString(p.Image)) //nolint:gosec // checked to be an image
	}
	return line
}

// Read shows a post as WeCom's client does: what AI bots say is in the dialect of markdown_v2.
func (p Post) Read() Seen {
	switch {
	case p.Card != nil && p.Content == "":
		return p.Card.read()
	case p.Card != nil: // a stream with a card below it
		text, card := Read("markdown_v2", p.Content), p.Card.read()
		return Seen{text.Text + "\n" + card.Text, append(text.Links, card.Links...), append(text.Mentions, card.Mentions...), text.HTML + card.HTML}
	case len(p.Articles) > 0:
		return readNews(p.Articles)
	}
	msgtype := p.MsgType
	if msgtype == "stream" || msgtype == "markdown" && (p.Kind == "aibot" || p.Kind == "response") {
		msgtype = "markdown_v2"
	}
	return Read(msgtype, p.Content)
}

// say is the page's forms: a member types to an app, or to an AI bot in a group or 1:1, or chooses from the app's menu.
func (t *Twin) say(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxText*4)
	agent, _ := strconv.Atoi(r.FormValue("agent"))
	from, text, key, bot := r.FormValue("from"), r.FormValue("text"), r.FormValue("key"), r.FormValue("bot")
	if from == "" || text+key == "" || len(text) > maxText {
		http.Error(w, "want from and a text of at most 2048 bytes", http.StatusBadRequest)
		return
	}
	if bot != "" {
		chat := "user:" + from
		if group := r.FormValue("chat"); group != "" {
			chat = "chat:" + group
		}
		heard, err := t.SayBot(r.Context(), Said{Bot: bot, Chat: r.FormValue("chat"), From: from, Text: text})
		t.said(w, r, heard, err, bot+"/"+chat)
		return
	}
	m := Message{From: from, Text: text}
	if key != "" {
		m = Message{From: from, Event: "click", EventKey: key}
	}
	heard, err := t.Deliver(r.Context(), agent, m)
	t.said(w, r, heard, err, "/user:"+from)
}

// click is a button of a card.
func (t *Twin) click(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxText*4)
	id := r.FormValue("post")
	heard, err := t.Click(r.Context(), id, r.FormValue("key"), cmp.Or(r.FormValue("from"), demoMember))
	chat := ""
	for _, p := range t.Posts() {
		if p.ID == id {
			chat = p.chat()
		}
	}
	t.said(w, r, heard, err, chat)
}

// said shows the chat, where the answer appears.
func (t *Twin) said(w http.ResponseWriter, r *http.Request, heard Heard, err error, chat string) {
	if err != nil || heard.Status != http.StatusOK && heard.Status != 0 || heard.Status == 0 && heard.Attempts != 1 {
		http.Error(w, "the bot did not hear it; is it running?", http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, "/?"+url.Values{"chat": {chat}, "from": {r.FormValue("from")}}.Encode(), http.StatusSeeOther)
}
