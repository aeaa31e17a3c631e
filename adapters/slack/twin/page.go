package twin

import (
	"cmp"
	"embed"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

//go:embed page.html page.css page.js
var pageFiles embed.FS

var pageTemplate = template.Must(template.New("page.html").Funcs(template.FuncMap{"mrkdwn": mrkdwn, "plain": plain}).ParseFS(pageFiles, "page.html"))

// shownPosts is how many posts the page holds.
const shownPosts = 100

// pageView is all that the page shows: one channel, or the Home tab.
type pageView struct {
	User, Channel string // who looks, and where
	Name          string // of the channel
	Forms         bool   // there is an app to talk to
	ShowHome      bool
	Changes       int64
	Channels      []channelView
	Threads       []*threadView
	Refused       []Refusal
	Modals        []shownView
	Home          *shownView // nil: never opened
}

// channelView is a channel in the list at the side.
type channelView struct {
	ID, Name        string
	Current, Direct bool
}

type threadView struct {
	Post    shownPost
	Replies []shownPost
}

type shownPost struct {
	Post
	Blocks []shownBlock
}

type shownView struct {
	View
	Shown []shownBlock
}

// shownBlock is a block and, for what can be clicked in it, where the click goes.
type shownBlock struct {
	Block          map[string]any
	Element        any // the button or menu in it that is being shown
	ID, Post, View string
	User, Channel  string
	ShownError     string
	Value          string // what its member has entered
	Entered        bool
	Chosen         []map[string]any // the options of a menu of several choices
	Forms, Home    bool
}

// With is b for one of its elements.
func (b shownBlock) With(element any) shownBlock {
	b.Element = element
	return b
}

func (p pageView) blocks(blocks []map[string]any, post, view string, errors map[string]string) (all []shownBlock) {
	for k, b := range blocks {
		id := blockID(b, k)
		all = append(all, shownBlock{
			Block: b, ID: id, Post: post, View: view, User: p.User, Channel: p.Channel, ShownError: errors[id], Forms: p.Forms, Home: p.ShowHome,
		})
	}
	return all
}

// Initial is what stands in a field: what was entered, else what the app put there under name.
func (b shownBlock) Initial(name string) any {
	if b.Entered {
		return b.Value
	}
	e, _ := b.Block["element"].(map[string]any)
	if option, ok := e[name].(map[string]any); ok {
		return option["value"]
	}
	return e[name]
}

func (p *pageView) addViews(views []View) {
	for _, v := range views {
		shown := shownView{v, p.blocks(v.Blocks, "", v.ID, v.Errors)}
		for k := range shown.Shown {
			b := &shown.Shown[k]
			b.Value, b.Entered = v.Values[b.ID]
			if e, _ := b.Block["element"].(map[string]any); e["type"] == "multi_external_select" {
				entry, _, _ := entered(e, b.Value, b.Entered, v.offered[b.ID])
				b.Chosen, _ = entry["selected_options"].([]map[string]any)
			}
		}
		switch {
		case v.User != p.User || !v.Open:
		case v.Type == "home":
			p.Home = &shown
		default:
			p.Modals = append(p.Modals, shown)
		}
	}
}

// page shows what arrived, as Slack would: a person can look at it, type commands and click.
func (t *Twin) page(w http.ResponseWriter, r *http.Request) {
	view := pageView{
		User: cmp.Or(r.FormValue("user"), userDefault), Channel: cmp.Or(r.FormValue("channel"), t.busiest()),
		Forms: t.canAct(), ShowHome: r.FormValue("home") != "", Changes: t.changes(),
	}
	view.addViews(t.Views())
	t.addChannels(&view)
	t.addPosts(&view)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src data:; "+
		"form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	if err := pageTemplate.Execute(w, view); err != nil {
		t.opt.Log.Error("page", "err", err)
	}
}

// changesText tells the page's script whether there is anything new.
func (t *Twin) changesText(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, fmt.Sprint(t.changes()))
}

// busiest is the channel that is shown first: the default one, unless only others have posts.
func (t *Twin) busiest() string {
	posts := t.Posts()
	if k := len(posts) - 1; k >= 0 && !slices.ContainsFunc(posts, func(p Post) bool { return p.Channel == channelDefault }) {
		return posts[k].Channel
	}
	return channelDefault
}

func (t *Twin) addChannels(view *pageView) {
	ids := []string{channelDefault, view.Channel}
	for _, p := range t.Posts() {
		ids = append(ids, p.Channel)
	}
	slices.Sort(ids)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range slices.Compact(ids) {
		c := channelView{ID: id, Name: t.nameOf(id), Current: id == view.Channel && !view.ShowHome, Direct: strings.HasPrefix(id, "D")}
		view.Channels = append(view.Channels, c)
	}
	view.Name = t.nameOf(view.Channel)
}

// nameOf is what members call a channel. t.mu is held.
func (t *Twin) nameOf(id string) string {
	if name := t.channels[id].Name; name != "" {
		return name
	}
	if id == channelDefault {
		return "general"
	}
	return cmp.Or(strings.ToLower(id), "no channel")
}

// addPosts are the posts of the channel, replies below what they reply to, and what was refused there or nowhere.
func (t *Twin) addPosts(view *pageView) {
	posts := slices.DeleteFunc(t.Posts(), func(p Post) bool { return p.Channel != view.Channel })
	threads := map[string]*threadView{}
	for _, p := range posts[max(0, len(posts)-shownPosts):] {
		shown := shownPost{p, view.blocks(p.Message.Blocks, p.TS, "", nil)}
		if parent := threads[p.ThreadTS]; p.ThreadTS != "" && parent != nil {
			parent.Replies = append(parent.Replies, shown)
			continue
		}
		threads[p.TS] = &threadView{Post: shown}
		view.Threads = append(view.Threads, threads[p.TS])
	}
	refused := slices.DeleteFunc(t.Refused(), func(r Refusal) bool { return r.Channel != "" && r.Channel != view.Channel })
	view.Refused = refused[max(0, len(refused)-shownPosts):]
}

// plain is the text of a text object.
func plain(object any) string {
	o, _ := object.(map[string]any)
	text, _ := o["text"].(string)
	return text
}

var (
	angled = regexp.MustCompile(`<[^<>]*>`)
	held   = regexp.MustCompile("\x00(\\d+)\x00")
	// Slack styles only what stands between borders: a space, the ends, punctuation, a zero-width space.
	boldMark   = regexp.MustCompile("(^|[\\s\u200b(])\\*([^*\\s\\n](?:[^*\\n]*[^*\\s\\n])?)\\*($|[\\s\u200b).,:;!?])")
	italicMark = regexp.MustCompile("(^|[\\s\u200b(])_([^_\\s\\n](?:[^_\\n]*[^_\\s\\n])?)_($|[\\s\u200b).,:;!?])")
	codeMark   = regexp.MustCompile("`([^`\\n]+)`")
)

// mrkdwn is a text object as HTML. All that is not markup of Slack's is text, and stays text.
func mrkdwn(object any) template.HTML {
	o, _ := object.(map[string]any)
	text := plain(object)
	if o["type"] != "mrkdwn" {
		return template.HTML(html.EscapeString(text)) //nolint:gosec // escaped
	}
	var tokens []string
	text = angled.ReplaceAllStringFunc(strings.ReplaceAll(text, "\x00", ""), func(token string) string {
		tokens = append(tokens, tokenHTML(token[1:len(token)-1]))
		return fmt.Sprintf("\x00%d\x00", len(tokens)-1)
	})
	text = html.EscapeString(html.UnescapeString(text))
	var styled strings.Builder
	for line := range strings.Lines(text) {
		line = codeMark.ReplaceAllString(line, "<code>$1</code>")
		line = boldMark.ReplaceAllString(line, "$1<b>$2</b>$3")
		styled.WriteString(italicMark.ReplaceAllString(line, "$1<i>$2</i>$3"))
	}
	text = held.ReplaceAllStringFunc(styled.String(), func(mark string) string {
		var k int
		fmt.Sscanf(mark, "\x00%d\x00", &k)
		return tokens[k]
	})
	return template.HTML(text) //nolint:gosec // every part was escaped above
}

// tokenHTML is what stands between < and >: a link, or a mention, which the page shows loudly.
func tokenHTML(token string) string {
	target, label, named := strings.Cut(html.UnescapeString(token), "|")
	if !named {
		label = target
	}
	label = html.EscapeString(label)
	for _, scheme := range []string{"https://", "http://", "mailto:"} {
		if strings.HasPrefix(target, scheme) {
			return `<a rel="noreferrer" href="` + html.EscapeString(target) + `">` + label + `</a>`
		}
	}
	return `<mark>` + label + `</mark>`
}
