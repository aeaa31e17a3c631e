package adaptertest_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"

	"weeklybot/bot"
)

// toy is an adapter for an invented platform: lines of text with <url|text> for links and <!all> for mentions, & < > escaped, at
// most maxToy bytes a post, a token that expires. flaw makes it break one rule of the contract.
type toy struct {
	base, flaw string
	client     *http.Client
	mu         sync.Mutex
	token      string
}

const maxToy = 3000

func newToy(base, flaw string) *toy {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &toy{base: base, flaw: flaw, client: client}
}

func (a *toy) Name() string      { return "toy" }
func (a *toy) Kinds() []bot.Kind { return []bot.Kind{"room"} }

func (a *toy) Capabilities(bot.Kind) bot.Capabilities { return bot.Capabilities{MaxBytes: maxToy} }

func (a *toy) Split(kind bot.Kind, msg bot.Message) []bot.Message {
	switch a.flaw {
	case "never_splits":
		return []bot.Message{msg}
	case "cuts_bytes":
		return cutBytes(msg)
	}
	if a.flaw != "keeps_image" {
		msg = msg.WithoutImage()
	}
	widest := bot.Post{Key: strings.Repeat("k", 64), Part: 99, Parts: 99}
	parts := bot.Split(msg, func(m bot.Message) bool { p := widest; p.Message = m; return len(a.body(p)) <= maxToy })
	switch a.flaw {
	case "loses_item":
		if last := &parts[len(parts)-1]; len(parts) > 1 && len(last.Blocks) > 1 {
			last.Blocks = last.Blocks[:len(last.Blocks)-1]
		}
	case "marks_parts":
		for k := range parts {
			parts[k].Title += " …"
		}
	}
	return parts
}

// cutBytes cuts texts every 1,000 bytes, wherever that is.
func cutBytes(msg bot.Message) (parts []bot.Message) {
	for _, b := range msg.Blocks {
		for len(b.Text) > 1000 {
			head := b
			head.Text, b.Text = b.Text[:1000], b.Text[1000:]
			parts = append(parts, bot.Message{Blocks: []bot.Block{head}})
			b = bot.Block{Kind: bot.BlockText, Text: b.Text}
		}
		parts = append(parts, bot.Message{Blocks: []bot.Block{b}})
	}
	return parts
}

// body renders a post.
func (a *toy) body(p bot.Post) []byte {
	lines := []string{a.text(p.Message.Title)}
	if p.Parts > 1 {
		lines[0] += fmt.Sprintf(" (%d/%d)", p.Part, p.Parts)
	}
	for _, b := range p.Message.Blocks {
		known := strings.Contains("heading text item note divider links", string(b.Kind))
		if a.flaw == "drops_unknown" && !known {
			continue
		}
		lines = append(lines, a.link(b.Title, b.URL)+" "+a.text(b.Text))
		for _, l := range b.Links {
			lines = append(lines, a.link(l.Text, l.URL))
		}
	}
	return encode(map[string]any{"key": p.Key, "lines": lines})
}

func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.Encode(v)
	return buf.Bytes()
}

func (a *toy) text(s string) string {
	if a.flaw != "keeps_bidi" {
		s = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Bidi_Control, r) {
				return -1
			}
			return r
		}, strings.ToValidUTF8(s, ""))
	}
	if a.flaw == "escapes_nothing" {
		return s
	}
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

func (a *toy) link(text, to string) string {
	u, err := url.Parse(to)
	bad := err != nil || u.Scheme != "https" || u.User != nil || u.Host == "" || len(to) > 1000 || strings.ContainsAny(to, "<>| \"\n\r`") ||
		strings.ContainsFunc(to, func(r rune) bool { return r == unicode.ReplacementChar || unicode.Is(unicode.Bidi_Control, r) })
	if a.flaw == "any_link" {
		bad = to == ""
	}
	if bad {
		return a.text(text)
	}
	return "<" + to + "|" + a.text(cmp.Or(text, "link")) + ">"
}

func (a *toy) Preview(_ bot.Kind, p bot.Post) ([]byte, error) {
	if a.flaw == "other_preview" {
		p.Message.Title += "!"
	}
	return a.body(p), nil
}

func (a *toy) Send(ctx context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, error) {
	switch a.flaw {
	case "ignores_context":
		ctx = context.Background()
	case "logs_url":
		slog.Info("posting", "url", dst.URL.Reveal())
	case "plain_error":
		return "", errors.New("no idea")
	}
	token, err := a.fetchToken(ctx)
	if err != nil {
		return "", a.lost(err, a.flaw == "token_maybe_sent")
	}
	status, body, err := a.call(ctx, dst.URL.Reveal()+"&access="+token, a.body(p))
	if a.flaw == "posts_twice" {
		a.call(ctx, dst.URL.Reveal()+"&access="+token, a.body(p))
	}
	if err != nil {
		return "", a.lost(err, a.flaw != "forgets_maybe_sent" && arrived(err))
	}
	return a.classify(status, body)
}

// arrived is a rough guess that is good enough for a fake on this machine.
func arrived(err error) bool { return !strings.Contains(err.Error(), "refused") }

func (a *toy) lost(err error, maybe bool) *bot.SendError {
	fault := &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", MaybeSent: maybe, Err: err}
	if inner, ok := errors.AsType[*url.Error](err); ok && a.flaw != "leaks_url" {
		fault.Err = inner.Err
	}
	return fault
}

func (a *toy) classify(status int, body []byte) (bot.Receipt, error) {
	var answer struct {
		OK    bool
		Error string
		ID    string
		Wait  int
	}
	err := json.Unmarshal(body, &answer)
	if a.flaw == "panics" {
		answer.ID = string(body[0])
	}
	if a.flaw == "trusts_status" && status == 200 {
		return "", nil
	}
	fail := func(fault bot.Fault, code string, wait time.Duration) (bot.Receipt, error) {
		return "", &bot.SendError{Fault: fault, Scope: bot.ScopeMessage, Code: code, RetryAfter: wait, Err: fmt.Errorf("status %d", status)}
	}
	switch {
	case status != 200, err != nil:
		return fail(bot.Retryable, fmt.Sprintf("http_%d", status), 0)
	case answer.OK:
		return bot.Receipt(answer.ID), nil
	case answer.Error == "slow_down":
		return fail(bot.RateLimited, "slow_down", time.Duration(answer.Wait)*time.Second)
	case answer.Error == "expired":
		if a.flaw != "keeps_expired_token" {
			a.mu.Lock()
			a.token = ""
			a.mu.Unlock()
		}
		return fail(bot.Retryable, "expired", 0)
	case answer.Error == "too_long" && a.flaw != "wrong_code":
		return fail(bot.Permanent, "too_long", 0)
	}
	return fail(bot.Retryable, "unknown", 0)
}

func (a *toy) fetchToken(ctx context.Context) (string, error) {
	if a.flaw != "token_each_time" {
		a.mu.Lock()
		defer a.mu.Unlock()
	}
	if a.token != "" && a.flaw != "token_each_time" {
		return a.token, nil
	}
	_, body, err := a.call(ctx, a.base+"/token?secret=toy-app-secret", nil)
	if err != nil {
		return "", err
	}
	if a.flaw == "token_each_time" {
		return "toy-token", nil
	}
	a.token = "toy-token"
	if bytes.Contains(body, []byte("html")) {
		a.token = ""
		return "", errors.New("no token")
	}
	return a.token, nil
}

func (a *toy) call(ctx context.Context, url string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	return resp.StatusCode, answer, err
}

// Hook takes {"id","text"} with headers Sign (must be "good") and Age (must be "0").
func (a *toy) Hook(in bot.Inbox) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(1 << 20)
		if a.flaw == "reads_all" {
			limit = 1 << 30
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
		if err != nil {
			http.Error(w, "too big", http.StatusRequestEntityTooLarge)
			return
		}
		if r.Header.Get("Sign") != "good" && a.flaw != "trusts_everyone" || r.Header.Get("Age") != "0" && a.flaw != "takes_stale" {
			http.Error(w, "refused", http.StatusUnauthorized)
			return
		}
		var cmd struct{ ID, Text string }
		if json.Unmarshal(body, &cmd) != nil {
			http.Error(w, "malformed", http.StatusBadRequest)
			return
		}
		if a.flaw == "new_ids" {
			cmd.ID = fmt.Sprint(time.Now().UnixNano())
		}
		in.Command(r.Context(), bot.Command{ID: cmd.ID, Text: cmd.Text, Channel: bot.Channel{Adapter: "toy", Address: "r"}, Member: bot.Member{ID: "m"}})
	})
}

// Listen polls, for want of anything to hear.
func (a *toy) Listen(ctx context.Context, _ bot.Inbox) error {
	if a.flaw == "listen_leaks" {
		go func() { time.Sleep(10 * time.Second) }()
	}
	for ctx.Err() == nil {
		if _, _, err := a.call(ctx, a.base+"/token", nil); err != nil && ctx.Err() == nil && a.flaw == "listen_gives_up" {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
	switch a.flaw {
	case "listen_returns_error":
		return ctx.Err()
	case "listen_deaf":
		select {}
	}
	a.client.CloseIdleConnections()
	return nil
}

var toyMarkup = regexp.MustCompile(`(?s)<([^<>|]*)(?:\|([^<>]*))?>`)

// inspectToy reads a body the way the invented platform does.
func inspectToy(body []byte) (text string, links, mentions []string, err error) {
	var post struct{ Lines []string }
	err = json.Unmarshal(body, &post)
	text = toyMarkup.ReplaceAllStringFunc(strings.Join(post.Lines, "\n"), func(m string) string {
		f := toyMarkup.FindStringSubmatch(m)
		if strings.HasPrefix(f[1], "!") || strings.HasPrefix(f[1], "@") {
			mentions = append(mentions, m)
			return m
		}
		links = append(links, f[1])
		return cmp.Or(f[2], f[1])
	})
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(text), links, mentions, err
}
