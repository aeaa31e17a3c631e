package adaptertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"weeklybot/bot"
)

// fake is the platform: it records every call and answers it with Accept, or as it was told.
type fake struct {
	*httptest.Server
	isPost func(*http.Request) bool

	mu     sync.Mutex
	accept http.HandlerFunc
	onPost http.HandlerFunc // nil = accept
	onCall http.HandlerFunc // for calls that do not post; nil = accept
	posts  []call
	others []call
}

type call struct {
	Path        string
	ContentType string
	Body        []byte
}

// maxRecorded is the most of a body that the fake keeps, in bytes.
const maxRecorded = 16 << 20

func (s *suite) fake(t *testing.T) *fake {
	f := &fake{isPost: s.IsPost, accept: s.Accept}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxRecorded))
	r.Body = io.NopCloser(bytes.NewReader(body))
	post := f.isPost(r)
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.answerTo(post, call{r.URL.Path, r.Header.Get("Content-Type"), body})(w, r)
}

func (f *fake) answerTo(post bool, c call) http.HandlerFunc {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := f.onCall
	if post {
		f.posts = append(f.posts, c)
		answer = f.onPost
	} else {
		f.others = append(f.others, c)
	}
	if answer == nil {
		return f.accept
	}
	return answer
}

// answers sets the answer to posting calls, and with every to all others too.
func (f *fake) answers(answer http.HandlerFunc, every bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onPost, f.onCall = answer, nil
	if every {
		f.onCall = answer
	}
}

// take returns the posting and the other calls since the last take.
func (f *fake) take() (posts, others []call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	posts, others = f.posts, f.others
	f.posts, f.others = nil, nil
	return posts, others
}

// send calls Send as the outbox would, and checks what is true of every answer.
func (s *suite) send(t *testing.T, ctx context.Context, a bot.Adapter, dst bot.Channel, p bot.Post) (r bot.Receipt, fault *bot.SendError) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("Send panicked: %v\n%s", v, debug.Stack())
			fault = &bot.SendError{Code: "panic", Err: errors.New("panic")}
		}
	}()
	r, err := a.Send(ctx, dst, p)
	if err == nil {
		return r, nil
	}
	fault, ok := err.(*bot.SendError)
	if !ok || fault == nil {
		t.Errorf("Send returned %T (%v), want nil or a *bot.SendError that is not nil", err, err)
		return r, &bot.SendError{Err: err}
	}
	s.checkFault(t, fault)
	return r, fault
}

func (s *suite) checkFault(t *testing.T, e *bot.SendError) {
	t.Helper()
	if !slices.Contains([]bot.Fault{bot.Permanent, bot.Retryable, bot.RateLimited}, e.Fault) {
		t.Errorf("SendError.Fault = %q, want permanent, retryable or rate_limited", e.Fault)
	}
	if !slices.Contains([]bot.Scope{bot.ScopeMessage, bot.ScopeChannel, bot.ScopeWorkspace}, e.Scope) {
		t.Errorf("SendError.Scope = %q, want message, channel or workspace", e.Scope)
	}
	if e.Code == "" {
		t.Error("SendError.Code is empty: it is a metric label and what the operator sees first")
	}
	if e.RetryAfter < 0 || e.RetryAfter > 0 && e.Fault != bot.RateLimited {
		t.Errorf("SendError.RetryAfter = %v with fault %s, want it with rate_limited only", e.RetryAfter, e.Fault)
	}
	if e.Err == nil {
		t.Error("SendError.Err is nil: the operator learns nothing")
		return
	}
	if secret := s.secretIn(e.Code); secret != "" {
		t.Errorf("SendError.Code holds the secret %q", secret)
	}
	for _, err := range chain(e) {
		if secret := s.secretIn(err.Error()); secret != "" {
			t.Errorf("an error (%T) holds the secret %q: %s\nUse apihttp.Redact: a *url.Error prints the whole URL, and %%w keeps it reachable.", err, secret, err)
			return
		}
	}
}

// chain is err and all that it wraps.
func chain(err error) []error {
	all := []error{err}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			all = append(all, chain(inner)...)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			all = append(all, chain(inner)...)
		}
	}
	return all
}

// secretIn returns the first secret that text holds, in plain or as written in a URL.
func (s *suite) secretIn(text string) string {
	for _, secret := range s.Secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if secret != "" && strings.Contains(text, form) {
				return form
			}
		}
	}
	return ""
}

// around is the part of text near what was found.
func around(text, found string) string {
	at := strings.Index(text, found)
	return text[max(0, at-200):min(len(text), at+len(found)+200)]
}

// deliver sends all parts of msg, each of which must be accepted, and returns the bodies as the platform got them.
func (s *suite) deliver(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind, key string, parts []bot.Message) []call {
	t.Helper()
	var calls []call
	var first bot.Receipt
	for k, part := range parts {
		p := bot.Post{Key: key, Part: k + 1, Parts: len(parts), First: first, Message: part}
		if slices.Contains(s.Sockets, kind) {
			calls = append(calls, call{ContentType: "application/json", Body: preview(t, a, kind, p)})
			continue
		}
		f.take()
		receipt, fault := s.send(t, t.Context(), a, s.Channel(kind, f.URL), p)
		if fault != nil {
			t.Fatalf("kind %s, part %d of %d: Send failed though the platform accepted: %v", kind, k+1, len(parts), fault)
		}
		if k == 0 {
			first = receipt
		}
		posts, _ := f.take()
		if len(posts) != 1 {
			t.Fatalf("kind %s, part %d of %d: %d posting calls, want exactly 1 (does Harness.IsPost know the posting call?)", kind, k+1, len(parts), len(posts))
		}
		calls = append(calls, posts[0])
	}
	return calls
}

func preview(t *testing.T, a bot.Adapter, kind bot.Kind, p bot.Post) []byte {
	t.Helper()
	shows, ok := a.(bot.Previewer)
	if !ok {
		t.Fatalf("kind %s is in Harness.Sockets, but the adapter is no bot.Previewer", kind)
	}
	body, err := shows.Preview(kind, p)
	if err != nil {
		t.Fatalf("kind %s: Preview: %v", kind, err)
	}
	return body
}

// split calls Split and checks that it gave something to send.
func split(t *testing.T, a bot.Adapter, kind bot.Kind, msg bot.Message) []bot.Message {
	t.Helper()
	parts := a.Split(kind, msg)
	if len(parts) == 0 {
		t.Fatalf("Split(%s) gave no part", kind)
	}
	for k, part := range parts {
		if len(part.Blocks) == 0 && part.Image == nil && len(parts) > 1 {
			t.Errorf("Split(%s): part %d of %d is empty", kind, k+1, len(parts))
		}
	}
	return parts
}

// allKinds are the kinds that post by HTTP and those that do not.
func (s *suite) allKinds() []bot.Kind { return slices.Concat(s.Kinds, s.Sockets) }

// eachKind runs test for each of kinds, with a platform and an adapter of its own.
func (s *suite) eachKind(t *testing.T, kinds []bot.Kind, test func(t *testing.T, f *fake, a bot.Adapter, kind bot.Kind)) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			f := s.fake(t)
			test(t, f, s.New(t, f.URL), kind)
		})
	}
}

func post(msg bot.Message) bot.Post {
	return bot.Post{Key: "adaptertest", Part: 1, Parts: 1, Message: msg}
}

func small() bot.Message { return Samples()["one_item"] }

func text(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}
