package twin

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/yuin/goldmark"

	"weeklybot/adapters/internal/standin"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Funcs(standin.PageFuncs).Funcs(template.FuncMap{"markdown": markdown,
	"source": func(s string) template.URL { return template.URL(s) }, // of an image, made by DataURL
}).Parse(pageSource))

// pageLines is how many lines of one chat the page shows.
const pageLines = 50

// The chats that the page offers to type in: a group that the app's bot is in, and the bot alone.
const (
	pageGroup     = "oc_twin"
	pageGroupName = "架构组"
	pageAlone     = "oc_twin_p2p"
	pageUser      = "ou_twin"
	pageNick      = "小飞"
)

// sayWait is how long the page waits for the bot's answer before it shows the chat without.
const sayWait = 3 * time.Second

type pageChat struct {
	Key, Name, Last string
	Time            time.Time
	Chosen, Typing  bool
}

// Group says whether the bot hears only what mentions it.
func (c *pageChat) Group() bool { return c.Key != pageAlone }

// pageLine is a post, or what a member wrote.
type pageLine struct {
	Post
	Nick   string // of the member; "" = a post
	Quoted string // what a post answers
}

type pageData struct {
	Chats   []*pageChat
	Chosen  *pageChat // nil: none
	Lines   []pageLine
	Refused []Refusal
}

// page shows what arrived: the chats, newest first, and one of them. A member can type where the app's bot hears.
func (t *Twin) page(w http.ResponseWriter, r *http.Request) {
	standin.ServePage(w, pageTemplate, t.pageData(r.URL.Query().Get("chat")))
}

func (t *Twin) pageData(chosen string) pageData {
	t.mu.Lock()
	defer t.mu.Unlock()
	var data pageData
	chat := func(key string) *pageChat {
		k := slices.IndexFunc(data.Chats, func(c *pageChat) bool { return c.Key == key })
		if k < 0 {
			data.Chats = append(data.Chats, &pageChat{Key: key, Name: t.nameOf(key), Typing: t.opt.AppID != "" && strings.HasPrefix(key, "oc_")})
			k = len(data.Chats) - 1
		}
		return data.Chats[k]
	}
	if t.opt.AppID != "" {
		chat(pageGroup).Name = pageGroupName
		chat(pageAlone).Name = "weeklybot（单聊）"
	}
	for token := range t.bots {
		chat("bot:" + token)
	}
	lines := make([]pageLine, 0, len(t.posts)+len(t.heard))
	for _, p := range t.posts {
		lines = append(lines, pageLine{Post: p})
	}
	quotes := map[string]string{}
	for _, l := range t.heard {
		quotes[l.ID] = l.Nick + ": " + l.Notice
	}
	for k := range lines {
		for n, part := range lines[k].Parts {
			if part.Tag == "img" {
				lines[k].Parts = slices.Clone(lines[k].Parts)
				lines[k].Parts[n].URL = standin.DataURL(t.images[part.Key])
			}
		}
		lines[k].Quoted = quotes[lines[k].ReplyTo]
	}
	lines = append(lines, t.heard...)
	slices.SortStableFunc(lines, func(a, b pageLine) int { return a.Time.Compare(b.Time) })
	for _, l := range lines {
		c := chat(l.Channel)
		c.Last, c.Time = l.Notice, l.Time
	}
	slices.SortStableFunc(data.Chats, func(a, b *pageChat) int {
		if n := b.Time.Compare(a.Time); n != 0 {
			return n
		}
		return strings.Compare(a.Key, b.Key)
	})
	k := max(0, slices.IndexFunc(data.Chats, func(c *pageChat) bool { return c.Key == chosen }))
	if len(data.Chats) > 0 {
		data.Chosen = data.Chats[k]
		data.Chosen.Chosen = true
		data.Lines = slices.DeleteFunc(lines, func(l pageLine) bool { return l.Channel != data.Chosen.Key })
	}
	data.Lines = data.Lines[max(0, len(data.Lines)-pageLines):]
	slices.Reverse(data.Lines) // the page is anchored at its end
	data.Refused = slices.Clone(t.refused[max(0, len(t.refused)-pageLines):])
	slices.Reverse(data.Refused)
	return data
}

// say is the page's form: a member types, in a group behind a mention of the bot.
func (t *Twin) say(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	chat, text := r.FormValue("chat"), strings.TrimSpace(r.FormValue("text"))
	if text == "" || !strings.HasPrefix(chat, "oc_") {
		http.Error(w, "want a text, and a chat that the app's bot hears", http.StatusBadRequest)
		return
	}
	said := Said{Text: text, User: pageUser, Nick: pageNick, Chat: chat, P2P: chat == pageAlone}
	before := t.countIn(chat)
	var err error
	if t.opt.BotURL != "" {
		_, err = t.Say(r.Context(), t.opt.BotURL+"/feishu/events", said)
	} else {
		_, err = t.SaySocket(r.Context(), said)
	}
	if err != nil {
		http.Error(w, "the bot did not hear it; is it running? "+err.Error(), http.StatusBadGateway)
		return
	}
	for end := time.Now().Add(sayWait); t.countIn(chat) == before && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	http.Redirect(w, r, "/?"+url.Values{"chat": {chat}}.Encode(), http.StatusSeeOther)
}

// countIn is how many posts a chat has had.
func (t *Twin) countIn(channel string) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.posts {
		if p.Channel == channel {
			n++
		}
	}
	return n
}

// nameOf is what people call a chat; a bot's token is cut to its beginning.
func (t *Twin) nameOf(channel string) string {
	if name := t.names[channel]; name != "" {
		return name
	}
	if kind, id, _ := strings.Cut(channel, ":"); kind == "bot" && len(id) > 8 {
		return "bot " + id[:8] + "…"
	}
	return channel
}

// breakTag is the one tag of a card's HTML that the page shows.
var breakTag = regexp.MustCompile(`(?i)<br\s*/?>`)

// markdown shows CommonMark much as the platform's clients do; of HTML only the line break, all else is left out.
func markdown(text string) template.HTML {
	var b bytes.Buffer
	if err := goldmark.Convert([]byte(breakTag.ReplaceAllString(text, "\\\n")), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(text))
	}
	return template.HTML(b.String()) // goldmark escapes text, omits raw HTML and dangerous addresses
}
