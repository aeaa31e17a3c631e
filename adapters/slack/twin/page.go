package twin

import (
	"cmp"
	_ "embed"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"mrkdwn": mrkdwn, "plain": plain}).Parse(pageText))

// shownPosts is how many posts the page holds.
const shownPosts = 100

// pageView is all that the page shows.
type pageView struct {
	User, Channel string // who looks, and where they type
	Forms         bool   // there is an app to talk to
	Channels      []*channelView
	Modals        []shownView
	Home          *shownView // nil: never opened
}

type channelView struct {
	Name    string
	Posts   []shownPost
	Refused []Refusal
}

type shownPost struct {
	Post
	Blocks []shownBlock
}

type shownView struct {
	View
	Shown []shownBlock
}

// shownBlock is a block and, for a row of buttons, where a click on it goes.
type shownBlock struct {
	Block            map[string]any
	ID, Post, View   string
	User, ShownError string
	Forms            bool
}

func (p pageView) blocks(blocks []map[string]any, post, view string, errors map[string]string) (all []shownBlock) {
	for k, b := range blocks {
		id := blockID(b, k)
		all = append(all, shownBlock{Block: b, ID: id, Post: post, View: view, User: p.User, ShownError: errors[id], Forms: p.Forms})
	}
	return all
}

func (p *pageView) addViews(views []View) {
	for _, v := range views {
		shown := shownView{v, p.blocks(v.Blocks, "", v.ID, v.Errors)}
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
	view := pageView{User: cmp.Or(r.FormValue("user"), userDefault), Channel: cmp.Or(r.FormValue("channel"), channelDefault), Forms: t.canAct()}
	view.addViews(t.Views())
	view.Channels = t.byChannel(view)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	if err := pageTemplate.Execute(w, view); err != nil {
		t.opt.Log.Error("page", "err", err)
	}
}

func (t *Twin) byChannel(page pageView) []*channelView {
	posts, refused := t.Posts(), t.Refused()
	posts = posts[max(0, len(posts)-shownPosts):]
	var channels []*channelView
	view := func(name string) *channelView {
		k := slices.IndexFunc(channels, func(c *channelView) bool { return c.Name == name })
		if k < 0 {
			channels = append(channels, &channelView{Name: name})
			k = len(channels) - 1
		}
		return channels[k]
	}
	for _, p := range posts {
		c := view(p.Channel)
		c.Posts = append(c.Posts, shownPost{p, page.blocks(p.Message.Blocks, p.TS, "", nil)})
	}
	for _, r := range refused[max(0, len(refused)-shownPosts):] {
		c := view(r.Channel)
		c.Refused = append(c.Refused, r)
	}
	return channels
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
