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

var pageTemplate = template.Must(template.New("page").Funcs(standin.PageFuncs).Funcs(template.FuncMap{"markdown": markdown}).Parse(pageSource))

// pageLines is how many lines of one chat the page shows.
const pageLines = 50

// The chats that the page offers to type in: a group that the app robot is in, and the robot alone.
const (
	pageGroup      = "cidTwin=="
	pageGroupTitle = "架构组"
	pageStaff      = "0147"
	pageNick       = "小钉"
)

// sayWait is how long the page waits for the bot's answer before it shows the chat without.
const sayWait = 3 * time.Second

type pageChat struct {
	Key, Name, Last string
	Time            time.Time
	Chosen, Typing  bool
}

// pageLine is a post, or what a member wrote.
type pageLine struct {
	Post
	Nick string // of the member; "" = a post
}

type pageData struct {
	Chats   []*pageChat
	Chosen  *pageChat // nil: none
	Lines   []pageLine
	Refused []Refusal
}

// page shows what arrived: the chats, newest first, and one of them. A member can type where the app robot hears.
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
			kind, _, _ := strings.Cut(key, ":")
			data.Chats = append(data.Chats, &pageChat{Key: key, Name: t.nameOf(key), Typing: t.opt.ClientID != "" && kind != "robot"})
			k = len(data.Chats) - 1
		}
		return data.Chats[k]
	}
	if t.opt.ClientID != "" {
		chat("group:" + pageGroup).Name = pageGroupTitle
		chat("user:" + pageStaff).Name = "weeklybot（单聊）"
	}
	for token := range t.robots {
		chat("robot:" + token)
	}
	lines := make([]pageLine, 0, len(t.posts)+len(t.heard))
	for _, p := range t.posts {
		lines = append(lines, pageLine{Post: p})
	}
	lines = append(lines, t.heard...)
	slices.SortStableFunc(lines, func(a, b pageLine) int { return a.Time.Compare(b.Time) })
	for _, l := range lines {
		c := chat(l.Channel)
		c.Last, c.Time = l.Title, l.Time
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
	for k, l := range data.Lines {
		data.Lines[k].Text = mediaID.ReplaceAllStringFunc(l.Text, t.picture)
	}
	data.Lines = data.Lines[max(0, len(data.Lines)-pageLines):]
	slices.Reverse(data.Lines) // the page is anchored at its end
	data.Refused = slices.Clone(t.refused[max(0, len(t.refused)-pageLines):])
	slices.Reverse(data.Refused)
	return data
}

// say is the page's form: a member types, in a group behind a mention of the robot.
func (t *Twin) say(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	channel, text := r.FormValue("chat"), strings.TrimSpace(r.FormValue("text"))
	said := Said{Text: text, Staff: pageStaff, Nick: pageNick, Admin: true}
	kind, id, _ := strings.Cut(channel, ":")
	switch {
	case text == "":
		http.Error(w, "want a text", http.StatusBadRequest)
		return
	case kind == "group" && id != "":
		said.Group, said.GroupTitle = id, t.nameOfGroup(channel)
	case kind == "user" && id != "":
		said.Staff = id
	default:
		http.Error(w, "want a chat that the app robot hears", http.StatusBadRequest)
		return
	}
	before := t.countIn(channel)
	var err error
	if t.opt.BotURL != "" {
		_, err = t.Say(r.Context(), t.opt.BotURL+"/dingtalk/robot", said)
	} else {
		_, err = t.SayStream(r.Context(), said)
	}
	if err != nil {
		http.Error(w, "the bot did not hear it; is it running? "+err.Error(), http.StatusBadGateway)
		return
	}
	for end := time.Now().Add(sayWait); t.countIn(channel) == before && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	http.Redirect(w, r, "/?"+url.Values{"chat": {channel}}.Encode(), http.StatusSeeOther)
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

func (t *Twin) nameOfGroup(channel string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if channel == "group:"+pageGroup {
		return pageGroupTitle
	}
	return t.nameOf(channel)
}

// mediaID stands in Markdown where an address would.
var mediaID = regexp.MustCompile(`\(@lA[A-Za-z0-9]+\)`)

// picture is an uploaded image for the page; what is not there does not show.
func (t *Twin) picture(id string) string {
	return "(" + standin.DataURL(t.media[strings.Trim(id, "()")]) + ")"
}

// nameOf is what people call a chat; a robot's token is cut to its beginning.
func (t *Twin) nameOf(channel string) string {
	if name := t.names[channel]; name != "" {
		return name
	}
	if kind, id, _ := strings.Cut(channel, ":"); kind == "robot" && len(id) > 8 {
		return "robot " + id[:8] + "…"
	}
	return channel
}

// markdown shows the platform's subset much as its clients do: raw HTML is left out, a single line end is no line break.
func markdown(p Post) template.HTML {
	if p.Kind == "text" || p.Kind == "sampleText" {
		return template.HTML("<p class=plain>" + template.HTMLEscapeString(p.Text) + "</p>")
	}
	var b bytes.Buffer
	if err := goldmark.Convert([]byte(p.Text), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(p.Text))
	}
	return template.HTML(b.String()) // goldmark escapes text, omits raw HTML and dangerous addresses
}
