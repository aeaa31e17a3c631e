// Package twin is a stand-in for whoever receives webhooks: it verifies signature, age and size by the Standard Webhooks scheme, drops
// what it has seen, and shows on a page what arrived. It shares no code with the adapter. It is for tests, and for people who want to
// see what a webhook looks like; it remembers in memory only, and is safe for concurrent use.
package twin

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"weeklybot/bot"
)

const (
	tolerance = 5 * time.Minute // what the scheme's own libraries allow, either way
	maxBytes  = 1 << 20
	maxKept   = 10_000
)

// Options describe the receiver; zero fields get defaults.
type Options struct {
	Secret    bot.Secret    // whsec_ and base64; "" = signatures are not looked at
	Tolerance time.Duration // how far a timestamp may be off, 5 min
	MaxBytes  int64         // of one body, 1 MiB
	Keep      int           // posts, refusals and ids remembered, 10,000
	Now       func() time.Time
	Log       *slog.Logger
}

// Post is one accepted post.
type Post struct {
	ID      string
	At      time.Time
	Raw     []byte
	Payload Payload
}

// Payload is what the twin reads of a body.
type Payload struct {
	Type     string      `json:"type"`
	Key      string      `json:"key"`
	Part     int         `json:"part"`
	Parts    int         `json:"parts"`
	Text     string      `json:"text"`
	Markdown string      `json:"markdown"`
	Message  bot.Message `json:"message"`
}

// Refusal is one request that was not accepted.
type Refusal struct {
	Status int
	Why    string
	At     time.Time
}

// Failure is how the twin answers instead of accepting.
type Failure struct {
	Status     int           // 0 = accept
	RetryAfter string        // header, as it is
	Body       string        // of the answer
	Delay      time.Duration // before the answer
	Drop       Drop
}

// Drop says when the connection is closed without an answer.
type Drop string

const (
	DropBefore Drop = "before" // nothing was taken in
	DropAfter  Drop = "after"  // the post was taken in, its answer is lost
)

// Twin is an http.Handler: POST delivers, GET shows what arrived.
type Twin struct {
	opt Options
	key []byte

	mu         sync.Mutex
	posts      []Post
	refused    []Refusal
	duplicates int
	seen       map[string]bool
	order      []string // of seen, oldest first
	failing    int
	failure    Failure
}

// New returns a twin that has seen nothing. It panics when Options.Secret is not base64.
func New(opt Options) *Twin {
	opt.Tolerance = cmp.Or(opt.Tolerance, tolerance)
	opt.MaxBytes = cmp.Or(opt.MaxBytes, maxBytes)
	opt.Keep = cmp.Or(opt.Keep, maxKept)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(opt.Secret.Reveal(), "whsec_"))
	if err != nil {
		panic("webhook twin: the secret is not base64")
	}
	return &Twin{opt: opt, key: key, seen: map[string]bool{}}
}

// Posts are the accepted posts, oldest first, each id once.
func (t *Twin) Posts() []Post {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.posts)
}

// Refused are the refusals, oldest first.
func (t *Twin) Refused() []Refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.refused)
}

// Duplicates is how many posts came whose id had been accepted before.
func (t *Twin) Duplicates() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.duplicates
}

// Fail lets the next n genuine posts end as f says.
func (t *Twin) Fail(n int, f Failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failing, t.failure = n, f
}

func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		t.page(w)
	case http.MethodPost:
		t.take(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		t.refuse(w, http.StatusMethodNotAllowed, "method "+r.Method)
	}
}

func (t *Twin) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, t.opt.MaxBytes))
	if err != nil {
		t.refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("body over %d bytes, or cut: %v", t.opt.MaxBytes, err))
		return
	}
	if why := t.verify(r.Header, body); why != "" {
		t.refuse(w, http.StatusUnauthorized, why)
		return
	}
	post := Post{ID: r.Header.Get("webhook-id"), At: t.opt.Now(), Raw: body}
	if why := decode(body, &post.Payload); why != "" {
		t.refuse(w, http.StatusBadRequest, why)
		return
	}
	fail := t.nextFailure()
	if fail.Drop == DropBefore {
		panic(http.ErrAbortHandler)
	}
	if fail.Status == 0 {
		t.accept(post)
	}
	select {
	case <-time.After(fail.Delay):
	case <-r.Context().Done():
	}
	switch {
	case fail.Drop == DropAfter:
		panic(http.ErrAbortHandler)
	case fail.RetryAfter != "":
		w.Header().Set("Retry-After", fail.RetryAfter)
	}
	w.WriteHeader(cmp.Or(fail.Status, http.StatusNoContent))
	io.WriteString(w, fail.Body)
}

// verify says what is wrong with a request's headers, "" for nothing.
func (t *Twin) verify(h http.Header, body []byte) string {
	id, stamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	switch {
	case id == "" || err != nil:
		return "webhook-id or webhook-timestamp is missing or malformed"
	case math.Abs(float64(t.opt.Now().Unix()-seconds)) > t.opt.Tolerance.Seconds():
		return "webhook-timestamp is " + t.opt.Now().Sub(time.Unix(seconds, 0)).String() + " old"
	case len(t.key) == 0:
		return ""
	}
	mac := hmac.New(sha256.New, t.key)
	mac.Write([]byte(id + "." + stamp + "."))
	mac.Write(body)
	want := mac.Sum(nil)
	for each := range strings.FieldsSeq(h.Get("webhook-signature")) { // several while a key is being replaced
		version, text, _ := strings.Cut(each, ",")
		got, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && hmac.Equal(got, want) {
			return ""
		}
	}
	return "no webhook-signature matches"
}

func decode(body []byte, p *Payload) string {
	if err := json.Unmarshal(body, p); err != nil {
		return "the body is no JSON object: " + err.Error()
	}
	if p.Type == "" || p.Part < 1 || p.Part > p.Parts {
		return fmt.Sprintf("type %q, part %d of %d make no sense", p.Type, p.Part, p.Parts)
	}
	return ""
}

func (t *Twin) nextFailure() Failure {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failing == 0 {
		return Failure{}
	}
	t.failing--
	return t.failure
}

func (t *Twin) accept(p Post) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[p.ID] {
		t.duplicates++
		return
	}
	t.seen[p.ID] = true
	t.order = append(t.order, p.ID)
	if len(t.order) > t.opt.Keep {
		delete(t.seen, t.order[0])
		t.order = t.order[1:]
	}
	t.posts = lastOf(append(t.posts, p), t.opt.Keep)
}

func (t *Twin) refuse(w http.ResponseWriter, status int, why string) {
	t.mu.Lock()
	t.refused = lastOf(append(t.refused, Refusal{status, why, t.opt.Now()}), t.opt.Keep)
	t.mu.Unlock()
	t.opt.Log.Warn("refused", "status", status, "why", why)
	http.Error(w, why, status)
}

func lastOf[T any](all []T, n int) []T { return all[max(0, len(all)-n):] }
