package twin

import (
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
	"strconv"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pagePosts is how many posts the page shows, the newest at the bottom of their chat.
const pagePosts = 200

type chatView struct {
	Name  string
	Lines []lineView
}

type lineView struct {
	Post
	Said  bool
	Bytes int
	HTML  template.HTML
	Src   template.URL // of an image
}

type pageView struct {
	Chats               []chatView
	Refused             []Refusal
	Apps                []App // those that can be spoken to
	Bots                []Bot
	Total               int
	Suppressed, Dropped int
}

func (t *Twin) page(w http.ResponseWriter, r *http.Request) {
	lines, refused := t.lines(), t.Refused()
	view := pageView{Total: len(t.Posts()), Suppressed: t.Suppressed(), Dropped: t.Dropped(), Bots: t.opt.Bots, Refused: refused[max(0, len(refused)-20):]}
	slices.Reverse(view.Refused)
	for _, p := range lines[max(0, len(lines)-pagePosts):] {
		at := slices.IndexFunc(view.Chats, func(c chatView) bool { return c.Name == p.Channel })
		if at < 0 {
			at = len(view.Chats)
			view.Chats = append(view.Chats, chatView{Name: p.Channel})
		}
		line := lineView{Post: p, Said: p.Kind == "said", Bytes: len(p.Content), HTML: p.Read().HTML}
		if len(p.Image) > 0 {
			line.Bytes, line.Src = len(p.Image), template.URL("data:"+http.DetectContentType(p.Image)+";base64,"+base64.StdEncoding.EncodeToString(p.Image)) //nolint:gosec // checked to be an image
		}
		view.Chats[at].Lines = append(view.Chats[at].Lines, line)
	}
	for _, app := range t.opt.Apps {
		if app.CallbackURL != "" {
			view.Apps = append(view.Apps, app)
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'")
	pageTemplate.Execute(w, view)
}

// Read shows a post as WeCom's client does: what AI bots say is in the dialect of markdown_v2.
func (p Post) Read() Seen {
	switch {
	case p.Card != nil:
		return p.Card.read()
	case len(p.Articles) > 0:
		return readNews(p.Articles)
	}
	msgtype := p.MsgType
	if msgtype == "stream" || msgtype == "markdown" && (p.Kind == "aibot" || p.Kind == "response") {
		msgtype = "markdown_v2"
	}
	return Read(msgtype, p.Content)
}

// say is the page's forms: a member types to an app, or to an AI bot in a group or 1:1.
func (t *Twin) say(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxText*4)
	agent, _ := strconv.Atoi(r.FormValue("agent"))
	from, text := r.FormValue("from"), r.FormValue("text")
	if from == "" || text == "" || len(text) > maxText {
		http.Error(w, "want from and a text of at most 2048 bytes", http.StatusBadRequest)
		return
	}
	if bot := r.FormValue("bot"); bot != "" {
		if heard, err := t.SayBot(r.Context(), Said{Bot: bot, Chat: r.FormValue("chat"), From: from, Text: text}); err != nil || heard.Status != 0 && heard.Status != http.StatusOK {
			http.Error(w, "the bot did not hear it; is it running?", http.StatusBadGateway)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	if heard, err := t.Deliver(r.Context(), agent, Message{From: from, Text: text}); err != nil || heard.Status != http.StatusOK {
		http.Error(w, "the callback did not answer 200; is the bot running?", http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
