// Package twin is a stand-in of DingTalk 钉钉: group robots, the app robot's API and its callbacks, with the platform's own checks of
// signatures, sizes and rates and its documented errors. It lets a person without an account see what would arrive (open / in a
// browser), and lets tests check the real protocol.
//
// It keeps everything in memory, the newest posts only, and is safe for concurrent use. It refuses to be reached from outside by
// itself: its caller listens.
package twin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"weeklybot/adapters/internal/standin"
)

// Options are what the stand-in knows and allows. Zero values are the platform's.
type Options struct {
	ClientID, ClientSecret string // of the app
	RobotCode, CorpID      string
	EventToken, EventKey   string // token and aes_key of the event push

	Robots         []Robot  // group robots; none: every access_token is one, without security settings
	Groups         []string // openConversationIds that the app robot is in; none: every group
	Staff          []string // members of the organisation; none: everybody
	FlowControlled []string // members that get too much already
	Unpermitted    bool     // the app lacks qyapi_robot_sendmsg

	PerMinute    int           // posts per group robot and minute; 0 = 20, negative = no limit
	QPS          int           // calls per API and second; 0 = 20, negative = no limit
	MonthlyCalls int           // calls of the app's API until the quota is used up; 0 = 5000, negative = no limit
	Window       time.Duration // length of the platform's minute; 0 = 1 minute. Seconds and the ten minutes' block scale with it
	TokenLife    time.Duration // 0 = 7200 s
	HookTimeout  time.Duration // how long the bot's answer is awaited; 0 = 2.5 s over HTTP, 3 s over a stream

	BotURL  string // where the bot is reached, for what is typed on the page; "" = over Stream mode
	BaseURL string // where the twin is reached, for sessionWebhooks; "" = learned from requests
	Keep    int    // posts and refusals kept; 0 = 10000
	Now     func() time.Time
	Log     *slog.Logger
}

// Robot is a custom group robot.
type Robot struct {
	Name     string // of its group, shown on the page
	Token    string // access_token in its URL
	Secret   string // 加签; "" = no signature wanted
	Keywords []string
}

// Post is one message that was accepted and shown.
type Post struct {
	ID      string // processQueryKey of the app's API; a number of the twin's own else
	Channel string // "robot:<token>", "group:<openConversationId>", "user:<staffId>"
	Kind    string // msgtype or msgKey
	Title   string // push notice
	Text    string // Markdown, or plain for kind text
	Buttons []Button
	MsgUUID string
	AtAll   bool
	At      []string       // people mentioned
	Body    map[string]any // decoded body; for the app's API the decoded msgParam
	Raw     []byte         // the request's body
	Time    time.Time

	Recalled bool
}

// Button leads somewhere.
type Button struct{ Title, URL string }

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
	Status     int    // HTTP status; 0 = 200 for webhooks, 400 for the app's API
	Code       string // errcode of a webhook, code of the app's API
	Message    string
	Body       string // the whole answer instead, as it is
	RetryAfter string // header
	Delay      time.Duration
	Drop       Drop
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
	robots   map[string]*robotState
	calls    map[string]*standin.Window // per API
	month    int
	token    string
	tokenEnd time.Time
	tokens   int
	sessions map[string]session
	names    map[string]string // conversation → title
	media    map[string][]byte // uploads by mediaId
	baseURL  string
	serial   int

	stream streams
}

// New returns a twin.
func New(opt Options) *Twin {
	opt.PerMinute = cmp.Or(opt.PerMinute, perMinute)
	opt.QPS = cmp.Or(opt.QPS, perSecond)
	opt.MonthlyCalls = cmp.Or(opt.MonthlyCalls, monthlyCalls)
	opt.Window = cmp.Or(opt.Window, time.Minute)
	opt.TokenLife = cmp.Or(opt.TokenLife, tokenLife)
	opt.Keep = cmp.Or(opt.Keep, 10000)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	t := &Twin{
		opt: opt, mux: http.NewServeMux(), robots: map[string]*robotState{}, calls: map[string]*standin.Window{},
		sessions: map[string]session{}, names: map[string]string{}, media: map[string][]byte{}, baseURL: opt.BaseURL,
	}
	t.stream.tickets = map[string]time.Time{}
	for _, r := range opt.Robots {
		t.robots[r.Token] = &robotState{Robot: r}
		t.names["robot:"+r.Token] = r.Name
	}
	t.mux.HandleFunc("POST /robot/send", t.posting(oapi, t.robotSend))
	t.mux.HandleFunc("POST /robot/sendBySession", t.posting(oapi, t.sessionSend))
	t.mux.HandleFunc("POST /v1.0/robot/groupMessages/send", t.posting(openAPI, t.groupSend))
	t.mux.HandleFunc("POST /v1.0/robot/oToMessages/batchSend", t.posting(openAPI, t.batchSend))
	t.mux.HandleFunc("POST /media/upload", t.posting(oapi, t.mediaUpload))
	t.mux.HandleFunc("POST /v1.0/robot/groupMessages/recall", t.posting(openAPI, t.groupRecall))
	t.mux.HandleFunc("POST /v1.0/robot/otoMessages/batchRecall", t.posting(openAPI, t.batchRecall))
	t.mux.HandleFunc("POST /v1.0/oauth2/accessToken", t.accessToken)
	t.mux.HandleFunc("POST /v1.0/gateway/connections/open", t.openGateway)
	t.mux.HandleFunc("GET /connect", t.connect)
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

// SetBaseURL says where the twin is reached, for sessionWebhooks.
func (t *Twin) SetBaseURL(url string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.baseURL = url
}

// refusal is a documented error.
type refusal struct {
	status  int // 0 = the family's usual one
	code    string
	message string
	scopes  []string
}

func refuse(code, format string, args ...any) *refusal {
	return &refusal{code: code, message: fmt.Sprintf(format, args...)}
}

// family is one of the platform's two ways to answer.
type family struct {
	success int
	failure int
	body    func(r *refusal) map[string]any
}

var (
	// oapi answers 200 whatever happens.
	oapi = family{http.StatusOK, http.StatusOK, func(r *refusal) map[string]any {
		return map[string]any{"errcode": json.Number(r.code), "errmsg": r.message}
	}}
	openAPI = family{http.StatusOK, http.StatusBadRequest, func(r *refusal) map[string]any {
		body := map[string]any{"code": r.code, "message": r.message, "requestid": "TWIN-0000"}
		if len(r.scopes) > 0 {
			body["accessdenieddetail"] = map[string]any{"requiredScopes": r.scopes}
		}
		return body
	}}
)

// maxRequest is the most that the twin reads of a request, in bytes: more than any limit it checks.
const maxRequest = 1 << 20

// posting is a call that shows a message: it meets what Fail ordered, then accept decides.
func (t *Twin) posting(fam family, accept func(r *http.Request, body []byte) (any, *refusal)) http.HandlerFunc {
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
		if f.answers() {
			t.fail(w, r, fam, f)
			return
		}
		answer, no := accept(r, body)
		if no != nil {
			t.refuse(w, r, fam, no)
			return
		}
		if f.Drop == DropAfter {
			panic(http.ErrAbortHandler)
		}
		standin.WriteJSON(w, fam.success, answer)
	}
}

func (f Failure) answers() bool { return f.Code != "" || f.Body != "" || f.Status != 0 }

func (t *Twin) nextFailure() (f Failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.failures) > 0 {
		f, t.failures = t.failures[0], t.failures[1:]
	}
	return f
}

// fail answers as ordered.
func (t *Twin) fail(w http.ResponseWriter, r *http.Request, fam family, f Failure) {
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	status := cmp.Or(f.Status, fam.failure)
	if f.Body == "" && f.Code != "" {
		t.refuse(w, r, fam, &refusal{status: status, code: f.Code, message: f.Message})
		return
	}
	t.note(r, status, fmt.Sprint(status), "answered as ordered")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, f.Body)
}

func (t *Twin) refuse(w http.ResponseWriter, r *http.Request, fam family, no *refusal) {
	status := cmp.Or(no.status, fam.failure)
	t.note(r, status, no.code, no.message)
	standin.WriteJSON(w, status, fam.body(no))
}

func (t *Twin) note(r *http.Request, status int, code, why string) {
	t.opt.Log.Info("twin refused", "path", r.URL.Path, "code", code, "why", why)
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
