// Package twin is a stand-in for Slack: a server that answers the Web API, incoming webhooks and response URLs as Slack does, refuses
// what Slack refuses with Slack's codes, and sends slash commands and events with a valid signature. Tests run against it, and people
// without a workspace can see at / what a channel would show.
//
// It knows nothing of the adapter: it reads the wire. What Slack does not document is left out rather than guessed. A Twin is safe for
// concurrent use and bounded in memory.
package twin

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Options are the workspace and its rules; zero values get defaults.
type Options struct {
	BotToken      string // "" = any token is taken
	AppToken      string // Socket Mode; "" = any is taken
	SigningSecret string // signs what SlashCommand and SendEvent send
	TeamID        string // T0TWIN
	ClientID      string // OAuth, for installs into more workspaces; "" = none are possible
	ClientSecret  string
	Rotate        bool   // tokens of installs end, and are refreshed
	URL           string // where this Twin is reachable, for response URLs; set it once the listener is known, see SetURL
	BotURL        string // where the app listens, without /slack/…, for what is typed and clicked on the page; "" = its socket

	Window   time.Duration // the length of Slack's minute; 0 = 1 min, tests make it shorter
	Burst    int           // posts that one channel takes at once before it is held to one a second; 0 = 5
	MaxPosts int           // posts kept; 0 = 10,000
	Now      func() time.Time
	Log      *slog.Logger
}

// Post is one accepted post.
type Post struct {
	Kind     string // "app", "webhook", "answer" (of a slash command) or "response" (by response URL)
	Team     string // "app" only: whose token posted it
	Channel  string
	TS       string // Slack's message id
	ThreadTS string
	Message  Message
	Files    []*File
	Raw      []byte // the request's body
	Time     time.Time

	origin string // response URLs: TS of the message that may be replaced
}

// Refusal is one request that was not accepted.
type Refusal struct {
	Path, Channel, Code, Why string
	Time                     time.Time
}

// Failure is one made-up answer to a posting call.
type Failure struct {
	Status     int      // 0 = 200
	Code       string   // error code; "" with Status 0 is {"ok":false} without an error
	Messages   []string // response_metadata.messages
	RetryAfter string   // header
	Delay      time.Duration
	Accept     bool // the post counts as accepted, only its answer is lost or wrong
	Drop       bool // the connection is closed without an answer
}

// Channel is a conversation. One that was never set exists if its name looks like an ID, and the bot is in it.
type Channel struct {
	Name      string
	Archived  bool
	Private   bool
	NotMember bool
	Missing   bool
}

// Twin is one Slack workspace.
type Twin struct {
	opt Options
	mux *http.ServeMux

	mu        sync.Mutex
	url       string
	posts     []*Post
	refused   []Refusal
	failures  []Failure
	channels  map[string]Channel
	dead      map[string]bool // webhook paths that were removed
	buckets   map[string]*bucket
	responses map[string]*response
	triggers  map[string]*trigger
	views     []*View          // modals, oldest first
	homes     map[string]*View // by member
	homeOff   bool
	tickets   map[string]bool
	codes     map[string]grant
	bearers   map[string]*bearer
	refreshes map[string]refresh
	issued    []string // keys of bearers, oldest first
	files     []*File
	sockets   []*socket
	opened    int
	lastID    int64
	changed   int64 // posts kept or replaced, views shown
}

// TeamID is the workspace's own, unless Options say another.
const TeamID = "T0TWIN"

const (
	channelDefault = "C0GENERAL"
	botID          = "B0TWIN"
	botUser        = "U0TWIN"
	appID          = "A0TWIN"
	windowReal     = time.Minute
	burstDefault   = 5
	keepDefault    = 10_000
	maxBody        = 4 << 20
)

// New returns an empty workspace.
func New(opt Options) *Twin {
	setDefault(&opt.TeamID, TeamID)
	setDefault(&opt.Window, windowReal)
	setDefault(&opt.Burst, burstDefault)
	setDefault(&opt.MaxPosts, keepDefault)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	t := &Twin{
		opt: opt, url: opt.URL, mux: http.NewServeMux(),
		channels: map[string]Channel{}, dead: map[string]bool{}, buckets: map[string]*bucket{}, responses: map[string]*response{},
		codes: map[string]grant{}, bearers: map[string]*bearer{}, refreshes: map[string]refresh{},
		tickets: map[string]bool{}, triggers: map[string]*trigger{}, homes: map[string]*View{},
	}
	t.routes()
	return t
}

func setDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func (t *Twin) routes() {
	t.mux.HandleFunc("/api/{method}", t.api)
	t.mux.HandleFunc("POST /api/apps.connections.open", t.connectionsOpen)
	t.mux.HandleFunc("GET /link", t.link)
	t.mux.HandleFunc("POST /services/{team}/{hook}/{key}", t.webhook)
	t.mux.HandleFunc("POST /response/{id}", t.respond)
	t.mux.HandleFunc("POST /upload/v1/{ticket}", t.takeUpload)
	t.mux.Handle("GET /{$}", t.guarded(http.HandlerFunc(t.page)))
	t.mux.Handle("GET /changes", t.guarded(http.HandlerFunc(t.changesText)))
	t.mux.Handle("POST /suggest", t.guarded(http.HandlerFunc(t.suggestForm)))
	for _, file := range []string{"/page.css", "/page.js"} {
		t.mux.Handle("GET "+file, http.FileServerFS(pageFiles))
	}
	t.mux.Handle("GET "+authorizePath, t.guarded(http.HandlerFunc(t.authorize)))
	t.mux.Handle("POST "+authorizePath, t.guarded(http.HandlerFunc(t.authorize)))
	for path, do := range forms {
		t.mux.Handle("POST "+path, t.guarded(t.act(do)))
	}
}

func (t *Twin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	t.mux.ServeHTTP(w, r)
}

// SetURL tells the Twin where it is reachable.
func (t *Twin) SetURL(url string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.url = url
}

// SetChannel changes a conversation.
func (t *Twin) SetChannel(id string, c Channel) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.channels[id] = c
}

// RemoveWebhook makes the webhook at path ("/services/T/B/X") answer no_service.
func (t *Twin) RemoveWebhook(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dead[path] = true
}

// Fail makes the next n posting calls answer so.
func (t *Twin) Fail(n int, f Failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for range n {
		t.failures = append(t.failures, f)
	}
}

// Posts are the accepted posts, oldest first, without those deleted.
func (t *Twin) Posts() []Post {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Post, 0, len(t.posts))
	for _, p := range t.posts {
		all = append(all, *p)
	}
	return all
}

// Refused is everything that was refused, oldest first.
func (t *Twin) Refused() []Refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.refused)
}

// keep records a post and gives it its ts. t.mu is held.
func (t *Twin) keep(p Post) *Post {
	p.Time = t.opt.Now()
	p.TS = t.nextTS(p.Time)
	t.posts = append(t.posts, &p)
	t.changed++
	if n := len(t.posts) - t.opt.MaxPosts; n > 0 {
		t.posts = slices.Delete(t.posts, 0, n)
	}
	return &p
}

// nextTS is seconds.microseconds, and never the same twice. t.mu is held.
func (t *Twin) nextTS(now time.Time) string {
	t.lastID = max(t.lastID+1, now.UnixMicro())
	return fmt.Sprintf("%d.%06d", t.lastID/1e6, t.lastID%1e6)
}

// refuse records a refusal. t.mu is held.
func (t *Twin) refuse(path, channel, code, why string) {
	t.changed++
	t.opt.Log.Debug("refused", "path", path, "channel", channel, "code", code, "err", why)
	t.refused = append(t.refused, Refusal{Path: path, Channel: channel, Code: code, Why: why, Time: t.opt.Now()})
	if n := len(t.refused) - t.opt.MaxPosts; n > 0 {
		t.refused = slices.Delete(t.refused, 0, n)
	}
}

func (t *Twin) takeFailure() (Failure, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.failures) == 0 {
		return Failure{}, false
	}
	f := t.failures[0]
	t.failures = t.failures[1:]
	return f, true
}
