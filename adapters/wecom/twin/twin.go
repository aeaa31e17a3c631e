// Package twin is a stand-in for WeCom's server API: group robots, tokens, app messages, app chats, app callbacks, and AI bots over
// their gateway and by callbacks, with the sizes, rates, signatures and error codes of the official documents. It lets tests check the real protocol, and a person without an account
// see everything on a page at "/".
//
// It refuses to be more than that: what it holds is in memory and bounded, nothing leaves it but callbacks to the URLs it was given.
// All methods are safe for concurrent use.
package twin

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Options say what there is on the platform.
type Options struct {
	Robots     []string // keys of group robots; none = every key is one
	Apps       []App
	Members    []string // user IDs the apps reach; none = everybody
	Unlicensed []string // members without a licence for the apps
	Parties    []string // departments and
	Tags       []string // tags; none = all
	Bots       []Bot    // AI bots
	URL        string   // where the twin itself is reached, for response_url; "" = callbacks bring none

	Window   time.Duration // length of the platform's minute; 0 = 1 minute
	MaxPosts int           // posts kept for Posts and the page; 0 = 10,000
	Now      func() time.Time
	Log      *slog.Logger
	HTTP     *http.Client // sends callbacks; nil = one with WeCom's five seconds
}

// App is a self-built app.
type App struct {
	CorpID         string
	AgentID        int
	Secret         string
	Token          string // of callbacks, as is EncodingAESKey
	EncodingAESKey string
	CallbackURL    string
	Chats          []string // IDs of the chats that the app created

	menu []MenuButton
}

// Post is one accepted post.
type Post struct {
	ID       string // msgid of app posts; a number of the twin's own for the others, which WeCom gives none
	At       time.Time
	Kind     string         // webhook, app, appchat, aibot; passive for the answer to a callback, response for a response_url
	From     string         // who said it (kind said)
	Channel  string         // "key:…", "user:a|b party:1", "chat:…"
	Bot      string         // of AI bots' posts: the bot's ID
	MsgType  string         // as posted
	Content  string         // of text, markdown and markdown_v2, as shown
	Image    []byte         // of msgtype image
	Card     *Card          // of msgtype template_card
	Articles []Article      // of msgtype news
	Open     bool           // a stream that is not finished
	Cut      bool           // WeCom shows less than was posted
	Body     map[string]any // decoded, numbers as json.Number
	Raw      []byte
	Recalled bool // taken back: no reader sees it any more

	app *App // of kinds app and appchat
}

// Refusal is one call that was answered with an error, or accepted with a warning (code 0).
type Refusal struct {
	At   time.Time
	Path string
	Code int
	Why  string
	Raw  []byte
}

// Failure is what a posting call is answered with instead. The zero value changes nothing.
type Failure struct {
	Code       int           // errcode, HTTP 200
	Status     int           // HTTP status with Body
	Body       string        // raw body; with Status 0, HTTP 200
	Delay      time.Duration // before anything else; ends early when the caller hangs up
	DropBefore bool          // cut the connection, nothing is posted
	Mute       bool          // long connections: post, and never acknowledge
	DropAfter  bool          // post, and cut the connection instead of answering
}

// Twin is the stand-in. Create it with New.
type Twin struct {
	opt Options
	mux *http.ServeMux

	mu         sync.Mutex
	posts      []Post // with what members said (kind said)
	refused    []Refusal
	failures   []Failure
	tokens     map[string]*grant // by token
	rates      map[string][]time.Time
	recent     map[string]recentPost // duplicate check
	suppressed int
	dropped    int
	tokenCalls int
	gate       gateway
	media      map[string]medium  // by corp or AI bot, and media ID
	pieces     map[string]*pieces // uploads over a bot's connection, by bot and upload ID
	uploads    int
	last       int // number of the last post, token and message
}

type grant struct {
	app     *App
	until   time.Time
	expired bool // by command
}

type recentPost struct {
	id string
	at time.Time
}

// New makes a Twin.
func New(opt Options) *Twin {
	opt.Window = cmp.Or(opt.Window, time.Minute)
	opt.MaxPosts = cmp.Or(opt.MaxPosts, 10_000)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.HTTP == nil {
		opt.HTTP = &http.Client{Timeout: callbackWait, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	t := &Twin{gate: gateway{map[string]*gatewayConn{}, map[string]*asked{}, map[string]bool{}, map[string][]time.Time{}}, opt: opt, mux: http.NewServeMux(), tokens: map[string]*grant{}, rates: map[string][]time.Time{}, recent: map[string]recentPost{},
		media: map[string]medium{}, pieces: map[string]*pieces{}}
	t.mux.HandleFunc("GET /cgi-bin/gettoken", t.getToken)
	t.mux.HandleFunc("POST /cgi-bin/webhook/send", t.posting(t.webhook))
	t.mux.HandleFunc("POST /cgi-bin/message/send", t.posting(t.message))
	t.mux.HandleFunc("POST /cgi-bin/appchat/send", t.posting(t.appchat))
	t.mux.HandleFunc("POST /cgi-bin/message/recall", t.posting(t.recall))
	t.mux.HandleFunc("POST /cgi-bin/appchat/create", t.posting(t.createChat))
	t.mux.HandleFunc("POST /cgi-bin/menu/create", t.posting(t.createMenu))
	t.mux.HandleFunc("POST /cgi-bin/media/upload", t.upload)
	t.mux.HandleFunc("POST /cgi-bin/aibot/response", t.posting(t.respond))
	t.mux.HandleFunc("GET /{$}", t.root)
	t.mux.HandleFunc("POST /say", t.say)
	t.mux.HandleFunc("POST /click", t.click)
	return t
}

// root is the page, and the gateway of AI bots.
func (t *Twin) root(w http.ResponseWriter, r *http.Request) {
	if websocket.IsWebSocketUpgrade(r) {
		t.connect(w, r)
		return
	}
	t.page(w, r)
}

// ServeHTTP implements http.Handler.
func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) { t.mux.ServeHTTP(w, r) }

// Posts are the accepted posts in order.
func (t *Twin) Posts() []Post {
	return slices.DeleteFunc(t.lines(), func(p Post) bool { return p.Kind == "said" })
}

// lines are Posts and what members said.
func (t *Twin) lines() []Post {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.posts)
}

// Refused are the calls that were refused or warned of, in order.
func (t *Twin) Refused() []Refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.refused)
}

// Suppressed counts the posts that the duplicate check did not show again.
func (t *Twin) Suppressed() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.suppressed
}

// Dropped counts the posts to members and chats that were over their rate: answered "ok" and never shown.
func (t *Twin) Dropped() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dropped
}

// Fail lets the next n posting calls be answered with f.
func (t *Twin) Fail(n int, f Failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for range n {
		t.failures = append(t.failures, f)
	}
}

// ExpireTokens lets every token given out so far be answered with 42001.
func (t *Twin) ExpireTokens() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tok := range t.tokens {
		tok.expired = true
	}
}

// Tokens counts the tokens given out, a repeated answer not counted.
func (t *Twin) Tokens() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.tokens)
}

// TokenCalls counts the calls that asked for a token.
func (t *Twin) TokenCalls() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.tokenCalls
}

func (t *Twin) nextFailure() Failure {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.failures) == 0 {
		return Failure{}
	}
	f := t.failures[0]
	t.failures = t.failures[1:]
	return f
}

// keep adds a post and gives it its number. The caller holds mu.
func (t *Twin) keep(p Post) Post {
	t.last++
	p.ID, p.At = cmp.Or(p.ID, fmt.Sprintf("twin-%d", t.last)), t.opt.Now()
	t.posts = append(t.posts, p)
	if over := len(t.posts) - t.opt.MaxPosts; over > 0 {
		t.posts = slices.Delete(t.posts, 0, over)
	}
	return p
}

// over counts one call and says whether there were more than limit in the platform's minute. The caller holds mu.
func (t *Twin) over(what string, limit int) bool {
	now := t.opt.Now()
	calls := slices.DeleteFunc(t.rates[what], func(at time.Time) bool { return now.Sub(at) >= t.opt.Window })
	if len(calls) >= limit {
		t.rates[what] = calls
		return true
	}
	if len(t.rates) >= t.opt.MaxPosts {
		clear(t.rates)
	}
	t.rates[what] = append(calls, now)
	return false
}

func reaches(known []string, id string) bool {
	return len(known) == 0 || slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, id) })
}
