// Package twin is a stand-in of Feishu 飞书: custom bots, the app's messages, its events over HTTP and over the long connection, with the
// platform's own checks of signatures, sizes and rates and its documented errors. It lets a person without an account see what would
// arrive (open / in a browser), and lets tests check the real protocol.
//
// It keeps everything in memory, the newest posts only, and is safe for concurrent use. It refuses to be reached from outside by
// itself: its caller listens.
package twin

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"weeklybot/adapters/internal/standin"
)

// Options are what the stand-in knows and allows. Zero values are the platform's.
type Options struct {
	AppID, AppSecret       string // of the app
	TenantKey              string
	EventToken, EncryptKey string // Verification Token and Encrypt Key

	Bots        []Bot    // custom bots; none: every token is one, without security settings
	Chats       []string // chat_ids that the app's bot is in; none: every chat
	Users       []string // open_ids that the app is available to; none: everybody
	Unpermitted bool     // the app lacks im:message:send_as_bot
	NoBot       bool     // the app has no bot ability
	NoImages    bool     // the app lacks im:resource

	PerMinute    int           // posts per custom bot and minute; 0 = 100, negative = no limit
	PerSecond    int           // posts per custom bot and second; 0 = 5, negative = no limit
	ChatRate     int           // messages per chat and second; 0 = 5, negative = no limit
	APIPerMinute int           // calls per API and minute; 0 = 1000, negative = no limit
	APIPerSecond int           // calls per API and second; 0 = 50, negative = no limit
	Window       time.Duration // length of the platform's minute; 0 = 1 minute. Seconds and the hour of a uuid scale with it
	TokenLife    time.Duration // 0 = 7200 s
	HookTimeout  time.Duration // how long the bot's answer is awaited; 0 = 3 s

	BotURL  string // where the bot is reached, for what is typed on the page; "" = over the long connection
	BaseURL string // where the twin is reached, for the long connection; "" = learned from requests
	Keep    int    // posts and refusals kept; 0 = 10000
	Now     func() time.Time
	Log     *slog.Logger
}

// Bot is a custom bot of a group.
type Bot struct {
	Name     string // of its group, shown on the page
	Token    string // the end of its URL
	Secret   string // 签名校验; "" = no signature wanted
	Keywords []string
}

// Post is one message that was accepted and shown.
type Post struct {
	ID       string // message_id of the app's API; a number of the twin's own else
	Channel  string // "bot:<token>", "oc_…", "ou_…", "on_…"
	ReplyTo  string // message_id
	Kind     string // msg_type
	Title    string // header of a card
	Notice   string // the line in the list of chats
	Parts    []Part // what it shows, in order
	UUID     string
	Mentions []string       // who is notified
	Body     map[string]any // decoded card or content
	Raw      []byte         // the request's body
	Time     time.Time
	Recalled bool
}

// Text is all Markdown of a post, and all plain text.
func (p Post) Text() string {
	var b bytes.Buffer
	for _, part := range p.Parts {
		b.WriteString(part.Text + "\n")
	}
	return b.String()
}

// Part is one thing that a post shows.
type Part struct {
	Tag   string // markdown, plain, hr, img or button
	Text  string // of an image: what it shows
	Small bool
	URL   string // buttons only
	Key   string // images only
}

// Refusal is one call that was turned down, or answered as Fail ordered.
type Refusal struct {
	Path, Code, Why string
	Status          int
	Time            time.Time
}

// Drop cuts the connection instead of answering.
type Drop int

const (
	DropNot    Drop = iota
	DropBefore      // the post is not shown
	DropAfter       // the post is shown, the answer lost
)

// Failure is what a posting call meets. With only Delay or Drop set, the call is handled as usual otherwise.
type Failure struct {
	Status  int // HTTP status; 0 = 200 for custom bots, 400 for the app's API
	Code    int
	Message string
	Body    string // the whole answer instead, as it is
	Reset   string // header x-ogw-ratelimit-reset
	Delay   time.Duration
	Drop    Drop
}

// Twin is the stand-in: an http.Handler.
type Twin struct {
	opt Options
	mux *http.ServeMux

	mu       sync.Mutex
	posts    []Post
	heard    []pageLine // what members wrote
	refused  []Refusal
	failures []Failure
	bots     map[string]*botState
	calls    map[string]*rate           // per API
	chats    map[string]*standin.Window // per chat
	uuids    map[string]sentOnce
	said     map[string]string // message_id → chat, of members and of ours
	names    map[string]string // channel → title
	images   map[string][]byte // by key
	recalled map[string]bool
	token    string
	tokenEnd time.Time
	tokens   int
	baseURL  string
	serial   int

	sockets sockets
}

// New returns a twin.
func New(opt Options) *Twin {
	opt.PerMinute = cmp.Or(opt.PerMinute, hookPerMinute)
	opt.PerSecond = cmp.Or(opt.PerSecond, hookPerSecond)
	opt.ChatRate = cmp.Or(opt.ChatRate, chatPerSec)
	opt.APIPerMinute = cmp.Or(opt.APIPerMinute, apiPerMinute)
	opt.APIPerSecond = cmp.Or(opt.APIPerSecond, apiPerSecond)
	opt.Window = cmp.Or(opt.Window, time.Minute)
	opt.TokenLife = cmp.Or(opt.TokenLife, tokenLife)
	opt.TenantKey = cmp.Or(opt.TenantKey, "tenant")
	opt.Keep = cmp.Or(opt.Keep, 10000)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	t := &Twin{
		opt: opt, mux: http.NewServeMux(), bots: map[string]*botState{}, calls: map[string]*rate{}, chats: map[string]*standin.Window{},
		uuids: map[string]sentOnce{}, said: map[string]string{}, names: map[string]string{}, images: map[string][]byte{}, recalled: map[string]bool{}, baseURL: opt.BaseURL,
	}
	t.sockets.tickets = map[string]bool{}
	for _, b := range opt.Bots {
		t.bots[b.Token] = &botState{Bot: b}
		t.names["bot:"+b.Token] = b.Name
	}
	t.mux.HandleFunc("POST /open-apis/bot/v2/hook/{token}", t.posting(http.StatusOK, t.hookSend))
	t.mux.HandleFunc("POST /open-apis/im/v1/messages", t.posting(http.StatusBadRequest, t.messageSend))
	t.mux.HandleFunc("POST /open-apis/im/v1/messages/{id}/reply", t.posting(http.StatusBadRequest, t.messageReply))
	t.mux.HandleFunc("POST /open-apis/im/v1/images", t.posting(http.StatusBadRequest, t.imageCreate))
	t.mux.HandleFunc("DELETE /open-apis/im/v1/messages/{id}", t.posting(http.StatusBadRequest, t.messageDelete))
	t.mux.HandleFunc("POST /open-apis/auth/v3/tenant_access_token/internal", t.accessToken)
	t.mux.HandleFunc("POST /callback/ws/endpoint", t.endpoint)
	t.mux.HandleFunc("GET /ws", t.connect)
	t.mux.HandleFunc("GET /{$}", t.page)
	t.mux.HandleFunc("GET /page.js", standin.PageScript)
	t.mux.Handle("POST /say", standin.FromPage(t.say))
	return t
}

func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	if t.baseURL == "" {
		t.baseURL = "http://" + r.Host
	}
	t.mu.Unlock()
	t.mux.ServeHTTP(w, r)
}

// Posts are the messages shown, oldest first.
func (t *Twin) Posts() []Post {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.posts)
}

// Refused are the calls turned down, oldest first.
func (t *Twin) Refused() []Refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.refused)
}

// Fail makes the next n posting calls and uploads meet f, after those ordered before. Token calls are not concerned.
func (t *Twin) Fail(n int, f Failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, slices.Repeat([]Failure{f}, n)...)
}

// TokenCalls is how often an access token was handed out.
func (t *Twin) TokenCalls() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tokens
}

// ExpireToken makes the current access token stale.
func (t *Twin) ExpireToken() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token = ""
}

// refusal is a documented error.
type refusal struct {
	status  int // 0 = the family's usual one
	code    int
	message string
	reset   string
}

func refuse(code int, format string, args ...any) *refusal {
	return &refusal{code: code, message: fmt.Sprintf(format, args...)}
}

// maxRequest is the most that the twin reads of a request, in bytes: more than any limit it checks.
const maxRequest = 1 << 20

// posting is a call that shows a message: it meets what Fail ordered, then accept decides. usual is the HTTP status of a refusal.
func (t *Twin) posting(usual int, accept func(r *http.Request, body []byte) (any, *refusal)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		f := t.nextFailure()
		if f.Delay > 0 {
			select {
			case <-time.After(f.Delay):
			case <-r.Context().Done():
				return
			}
		}
		if f.Drop == DropBefore {
			t.note(r, http.StatusTeapot, "dropped", "connection cut before the post was shown, as ordered")
			panic(http.ErrAbortHandler)
		}
		if f.Code != 0 || f.Body != "" || f.Status != 0 {
			t.fail(w, r, usual, f)
			return
		}
		answer, no := accept(r, body)
		if no != nil {
			t.refuse(w, r, usual, no)
			return
		}
		if f.Drop == DropAfter {
			panic(http.ErrAbortHandler)
		}
		standin.WriteJSON(w, http.StatusOK, answer)
	}
}

func (t *Twin) nextFailure() (f Failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.failures) > 0 {
		f, t.failures = t.failures[0], t.failures[1:]
	}
	return f
}

// fail answers as ordered.
func (t *Twin) fail(w http.ResponseWriter, r *http.Request, usual int, f Failure) {
	if f.Body == "" && f.Code != 0 {
		t.refuse(w, r, usual, &refusal{status: f.Status, code: f.Code, message: f.Message, reset: f.Reset})
		return
	}
	status := cmp.Or(f.Status, usual)
	t.note(r, status, strconv.Itoa(status), "answered as ordered")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, f.Body)
}

func (t *Twin) refuse(w http.ResponseWriter, r *http.Request, usual int, no *refusal) {
	status := cmp.Or(no.status, usual)
	t.note(r, status, strconv.Itoa(no.code), no.message)
	if no.reset != "" {
		w.Header().Set("x-ogw-ratelimit-limit", strconv.Itoa(t.opt.APIPerMinute))
		w.Header().Set("x-ogw-ratelimit-reset", no.reset)
	}
	standin.WriteJSON(w, status, map[string]any{"code": no.code, "msg": no.message, "data": map[string]any{}})
}

func (t *Twin) note(r *http.Request, status int, code, why string) {
	t.opt.Log.Info("twin refused", "code", code, "why", why)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused = standin.Newest(append(t.refused, Refusal{Path: r.URL.Path, Code: code, Why: why, Status: status, Time: t.opt.Now()}), t.opt.Keep)
}

// show keeps a post. The caller holds the lock.
func (t *Twin) show(p Post) Post {
	t.serial++
	p.ID = cmp.Or(p.ID, fmt.Sprintf("twin%06d", t.serial))
	p.Time = t.opt.Now()
	t.posts = standin.Newest(append(t.posts, p), t.opt.Keep)
	return p
}

// bounded forgets all of m when it has grown too large.
func bounded[K comparable, V any](m map[K]V) map[K]V {
	if len(m) >= maxConnected {
		clear(m)
	}
	return m
}
