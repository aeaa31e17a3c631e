package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

const testSecret = "whsec_dGhlLWtleS1vZi10aGUtd2ViaG9vay10ZXN0cw=="

var testTime = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func newTest(t *testing.T, baseURL string) *Adapter {
	t.Helper()
	a, err := New(Config{TrustedHosts: []string{baseURL}}, Deps{Now: func() time.Time { return testTime }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.client.CloseIdleConnections)
	return a
}

func channelAt(baseURL string) bot.Channel {
	return bot.Channel{Adapter: name, Kind: Webhook, Address: "team", URL: bot.Secret(baseURL + "/in/wh-path-secret?key=wh-query-secret"), Secret: testSecret}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for k := 0; k < len(header); k += 2 {
			w.Header().Set(header[k], header[k+1])
		}
		w.WriteHeader(code)
		fmt.Fprint(w, "no\x1b[31m more")
	}
}

func TestContract(t *testing.T) {
	permanent := func(scope bot.Scope, code int) bot.SendError {
		return bot.SendError{Fault: bot.Permanent, Scope: scope, Code: fmt.Sprintf("http_%d", code)}
	}
	retryable := func(code int) bot.SendError {
		return bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: fmt.Sprintf("http_%d", code)}
	}
	limited := func(code int, wait time.Duration) bot.SendError {
		return bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeMessage, Code: fmt.Sprintf("http_%d", code), RetryAfter: wait}
	}
	adaptertest.Run(t, adaptertest.Harness{
		New:     func(t *testing.T, baseURL string) bot.Adapter { return newTest(t, baseURL) },
		Channel: func(_ bot.Kind, baseURL string) bot.Channel { return channelAt(baseURL) },
		Accept:  status(http.StatusNoContent),
		Faults: []adaptertest.Fault{
			{Name: "moved", Answer: status(301, "Location", "https://example.org/"), Want: permanent(bot.ScopeChannel, 301)},
			{Name: "bad request", Answer: status(400), Want: permanent(bot.ScopeMessage, 400)},
			{Name: "unauthorized", Answer: status(401), Want: permanent(bot.ScopeMessage, 401)},
			{Name: "not found", Answer: status(404), Want: permanent(bot.ScopeMessage, 404)},
			{Name: "timeout", Answer: status(408), Want: retryable(408)},
			{Name: "gone", Answer: status(410), Want: permanent(bot.ScopeChannel, 410)},
			{Name: "too large", Answer: status(413), Want: permanent(bot.ScopeMessage, 413)},
			{Name: "limited", Answer: status(429, "Retry-After", "17"), Want: limited(429, 17*time.Second)},
			{Name: "limited until", Answer: status(429, "Retry-After", "Mon, 02 Nov 2026 09:01:00 GMT"), Want: limited(429, time.Minute)},
			{Name: "limited, no time", Answer: status(429), Want: limited(429, 0)},
			{Name: "internal", Answer: status(500), Want: retryable(500)},
			{Name: "unavailable", Answer: status(503), Want: retryable(503)},
			{Name: "unavailable, busy", Answer: status(503, "Retry-After", "5"), Want: limited(503, 5*time.Second)},
			{Name: "gateway timeout", Answer: status(504), Want: retryable(504)},
		},
		StatusOnly: []bot.Kind{Webhook},
		Secrets:    []string{testSecret, strings.TrimPrefix(testSecret, "whsec_"), "wh-path-secret", "wh-query-secret"},
		Inspect:    inspect,
		Golden:     "testdata",
	})
}

// inspect reads the Markdown as a CommonMark reader with the usual extensions does, and checks that the plain text says the same.
func inspect(t *testing.T, _ bot.Kind, body []byte) adaptertest.Seen {
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("body is not JSON: %v", err)
	}
	source := []byte(p.Markdown)
	tree := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList)).Parser().Parse(text.NewReader(source))
	seen := adaptertest.Seen{Bytes: len(body), Image: p.Message.Image.Usable()}
	var words, shape strings.Builder
	ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Text:
			words.Write(n.Value(source))
			if n.SoftLineBreak() || n.HardLineBreak() {
				words.WriteString("\n")
			}
			return ast.WalkContinue, nil
		case *ast.Link:
			seen.Links = append(seen.Links, string(n.Destination))
		case *ast.AutoLink:
			seen.Links = append(seen.Links, string(n.URL(source)))
			words.Write(n.Label(source))
		}
		if n.Type() == ast.TypeBlock && n.Kind() != ast.KindTextBlock {
			words.WriteString("\n")
		}
		fmt.Fprintf(&shape, "%s ", n.Kind())
		return ast.WalkContinue, nil
	})
	seen.Text = unescape(words.String())
	seen.Shape = shape.String()
	sameWords(t, seen.Text, p.Text)
	return seen
}

// sameWords checks that every word of the Markdown is in the plain text.
func sameWords(t *testing.T, markdown, plain string) {
	t.Helper()
	said := map[string]bool{}
	for word := range strings.FieldsSeq(plain) {
		said[word] = true
	}
	for word := range strings.FieldsSeq(markdown) {
		if word = strings.TrimPrefix(word, "-"); !said[word] && !strings.Contains(plain, word) {
			t.Errorf("the Markdown says %q, the plain text does not:\n%.2000s", word, plain)
			return
		}
	}
}

// unescape resolves what goldmark leaves in its text nodes for the renderer.
func unescape(s string) string {
	var b strings.Builder
	for k := 0; k < len(s); k++ {
		if s[k] == '\\' && k+1 < len(s) && strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", s[k+1]) >= 0 {
			k++
		}
		b.WriteByte(s[k])
	}
	return b.String()
}
