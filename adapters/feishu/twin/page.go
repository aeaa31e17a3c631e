package twin

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/yuin/goldmark"
)

//go:embed page.html
var pageSource string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"markdown": markdown, "indented": indented, "clock": func(t time.Time) string { return t.Format("15:04:05") },
	"initial": func(s string) string { return string([]rune(s + "群")[:1]) },
}).Parse(pageSource))

// pagePosts is how many posts of one chat the page shows.
const pagePosts = 50

type pageChat struct {
	Key, Name, Last string
	Time            time.Time
	Chosen          bool
}

type pageData struct {
	Chats   []*pageChat
	Name    string
	Posts   []Post
	Refused []Refusal
}

// page shows what arrived: the chats, newest first, and the messages of one.
func (t *Twin) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_ = pageTemplate.Execute(w, t.pageData(r.URL.Query().Get("chat")))
}

func (t *Twin) pageData(chosen string) pageData {
	t.mu.Lock()
	defer t.mu.Unlock()
	chats := map[string]*pageChat{}
	for _, p := range t.posts {
		if chats[p.Channel] == nil {
			chats[p.Channel] = &pageChat{Key: p.Channel, Name: t.nameOf(p.Channel)}
		}
		chats[p.Channel].Last, chats[p.Channel].Time = p.Notice, p.Time
	}
	var data pageData
	for _, c := range chats {
		data.Chats = append(data.Chats, c)
	}
	slices.SortFunc(data.Chats, func(a, b *pageChat) int {
		if n := b.Time.Compare(a.Time); n != 0 {
			return n
		}
		return strings.Compare(a.Key, b.Key)
	})
	if chats[chosen] == nil && len(data.Chats) > 0 {
		chosen = data.Chats[0].Key
	}
	if c := chats[chosen]; c != nil {
		c.Chosen, data.Name = true, c.Name
	}
	for _, p := range t.posts {
		if p.Channel == chosen {
			data.Posts = append(data.Posts, p)
		}
	}
	data.Posts = data.Posts[max(0, len(data.Posts)-pagePosts):]
	data.Refused = slices.Clone(t.refused[max(0, len(t.refused)-pagePosts):])
	slices.Reverse(data.Refused)
	return data
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

func indented(raw []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}
