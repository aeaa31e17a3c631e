// Package standin is what the stand-ins of platforms share: windows that count, answers, and the parts of a page that shows chats. It knows
// no platform. But for Window, which its owner guards, everything is safe for concurrent use.
package standin

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"time"
)

// Window counts what happened lately.
type Window struct{ times []time.Time }

// Full says whether limit was reached within length. A negative limit never is.
func (w *Window) Full(now time.Time, limit int, length time.Duration) bool {
	for len(w.times) > 0 && !w.times[0].After(now.Add(-length)) {
		w.times = w.times[1:]
	}
	return limit >= 0 && len(w.times) >= limit
}

// Add counts one at now, which is not before the last.
func (w *Window) Add(now time.Time) { w.times = append(w.times, now) }

// Admits counts one more unless the window is Full.
func (w *Window) Admits(now time.Time, limit int, length time.Duration) bool {
	if w.Full(now, limit, length) {
		return false
	}
	if limit >= 0 {
		w.Add(now)
	}
	return true
}

// Oldest is the time of the first that still counts; there must be one.
func (w *Window) Oldest() time.Time { return w.times[0] }

// Newest is the end of list, cut to keep only now and then, so that a long run stays linear.
func Newest[T any](list []T, keep int) []T {
	if len(list) < 2*keep {
		return list
	}
	return slices.Clone(list[len(list)-keep:])
}

// RandomHex is n random bytes in hex.
func RandomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// WriteJSON answers v with < > & as they are.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// PageFuncs are functions of a page's template: clock, indented (JSON) and initial (of a name).
var PageFuncs = template.FuncMap{
	"clock":   func(t time.Time) string { return t.Format("15:04:05") },
	"initial": func(s string) string { return string([]rune(s + "群")[:1]) },
	"indented": func(raw []byte) string {
		var b bytes.Buffer
		if json.Indent(&b, raw, "", "  ") != nil {
			return string(raw)
		}
		return b.String()
	},
}

// pagePolicy lets a page run our script and nothing else.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// ServePage shows a page made by t of data.
func ServePage(w http.ResponseWriter, t *template.Template, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	_ = t.Execute(w, data) // the reader is gone
}

// pageScript brings what is new, unless somebody is typing.
//
//go:embed page.js
var pageScript []byte

// PageScript serves /page.js.
func PageScript(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	_, _ = w.Write(pageScript)
}

// FromPage lets through what is not posted by another site's page.
func FromPage(h http.HandlerFunc) http.Handler { return http.NewCrossOriginProtection().Handler(h) }

// DataURL is an uploaded image as the address of itself.
func DataURL(image []byte) string {
	return "data:" + http.DetectContentType(image) + ";base64," + base64.StdEncoding.EncodeToString(image)
}
