package twin

import (
	"encoding/base64"
	"html/template"
	"net/http"
	"slices"
)

const shownOnPage = 50 // newest posts and refusals on the page

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{"image": image}).Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Webhook twin</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}
article{border:1px solid #ccc;border-radius:.5rem;padding:.5rem 1rem;margin:1rem 0}pre{white-space:pre-wrap;overflow-wrap:anywhere}
small{color:#666}</style>
<h1>Webhook twin</h1>
<p>{{.Total}} accepted, {{.Duplicates}} seen before, {{.RefusedTotal}} refused. Newest first.</p>
{{range .Posts}}<article><small>{{.At.Format "2006-01-02 15:04:05"}} · {{.ID}} · {{.Payload.Part}}/{{.Payload.Parts}} · {{len .Raw}} bytes</small>
{{with image .}}<img src="{{.}}" width="360" alt="">{{end}}<pre>{{.Payload.Text}}</pre><details><summary>Body</summary><pre>{{printf "%s" .Raw}}</pre></details></article>
{{else}}<p>Nothing has arrived yet. POST here.</p>{{end}}
{{range .Refused}}<p><small>{{.At.Format "2006-01-02 15:04:05"}} · {{.Status}} · {{.Why}}</small></p>{{end}}
</html>
`))

// image is a post's picture as the page shows it, "" without one.
func image(p Post) template.URL {
	if !p.Payload.Message.Image.Usable() {
		return ""
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(p.Payload.Message.Image.PNG)) //nolint:gosec // base64
}

func (t *Twin) page(w http.ResponseWriter) {
	posts, refused := t.Posts(), t.Refused()
	data := struct {
		Total, Duplicates, RefusedTotal int
		Posts                           []Post
		Refused                         []Refusal
	}{len(posts), t.Duplicates(), len(refused), lastOf(posts, shownOnPage), lastOf(refused, shownOnPage)}
	slices.Reverse(data.Posts)
	slices.Reverse(data.Refused)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
	if err := pageTemplate.Execute(w, data); err != nil {
		t.opt.Log.Warn("page", "err", err)
	}
}
