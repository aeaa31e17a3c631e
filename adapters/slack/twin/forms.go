package twin

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// actWait is how long the page waits for the effect of a click that the app does after its acknowledgement.
const actWait = 300 * time.Millisecond

// forms are what a person can do on the page: each form is posted, does one thing, and leads back.
var forms = map[string]func(t *Twin, ctx context.Context, f url.Values) error{
	"/type": (*Twin).typed,
	"/home": func(t *Twin, ctx context.Context, f url.Values) error {
		return t.OpenHome(ctx, t.target("/slack/events"), f.Get("user"))
	},
	"/click":  (*Twin).clickForm,
	"/submit": (*Twin).submitForm,
	"/change": func(t *Twin, ctx context.Context, f url.Values) error {
		return t.Change(ctx, t.target("/slack/interactions"), Change{View: f.Get("view"), Block: f.Get("block"), Values: fieldValues(f)})
	},
	"/close": func(t *Twin, _ context.Context, f url.Values) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		if v := t.view(f.Get("view")); v != nil {
			v.Open = false
		}
		return nil
	},
}

// target is where the app listens, "" for the socket.
func (t *Twin) target(path string) string {
	if t.opt.BotURL == "" {
		return ""
	}
	return strings.TrimRight(t.opt.BotURL, "/") + path
}

// canAct says whether there is an app to talk to.
func (t *Twin) canAct() bool { return t.opt.BotURL != "" || t.Connected() > 0 }

// act serves one of the forms.
func (t *Twin) act(do func(*Twin, context.Context, url.Values) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, "malformed form", http.StatusBadRequest)
			return
		}
		posts := t.changes()
		if err := do(t, r.Context(), r.PostForm); err != nil {
			t.mu.Lock()
			t.refuse(r.URL.Path, r.PostForm.Get("channel"), "not done", err.Error())
			t.mu.Unlock()
		} else if r.URL.Path != "/close" {
			t.awaitChange(r.Context(), posts)
		}
		back := url.Values{}
		for _, name := range []string{"user", "channel", "home"} {
			if v := r.PostForm.Get(name); v != "" {
				back.Set(name, v)
			}
		}
		http.Redirect(w, r, "/?"+back.Encode(), http.StatusSeeOther)
	}
}

// changes counts what happened so far.
func (t *Twin) changes() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

// awaitChange waits a moment for the app to do what it acknowledged, so that the page shows it.
func (t *Twin) awaitChange(ctx context.Context, before int64) {
	ctx, cancel := context.WithTimeout(ctx, actWait)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for t.changes() == before {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// typed is a line as a member types it: a slash command, or a message that mentions the bot.
func (t *Twin) typed(ctx context.Context, f url.Values) error {
	text := strings.TrimSpace(f.Get("text"))
	if rest, ok := strings.CutPrefix(text, "@weeklybot"); ok {
		_, err := t.Mention(ctx, t.target("/slack/events"), f.Get("channel"), f.Get("user"), "<@"+botUser+">"+escapeText.Replace(rest), "")
		return err
	}
	if !strings.HasPrefix(text, "/") {
		return fmt.Errorf("%q: the bot hears slash commands and mentions only: /hot ebpf, or @weeklybot hot ebpf", text)
	}
	c := Command{Text: text, Channel: f.Get("channel"), User: f.Get("user")}
	var a Answer
	var err error
	if target := t.target("/slack/commands"); target != "" {
		a, err = t.SlashCommand(ctx, target, c)
	} else {
		a, err = t.SocketCommand(ctx, c)
	}
	if err == nil && a.Refused != "" {
		err = fmt.Errorf("%s %s", text, a.Refused)
	}
	return err
}

// escapeText is what Slack does to a message before an app gets it.
var escapeText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (t *Twin) clickForm(ctx context.Context, f url.Values) error {
	_, err := t.Click(ctx, t.target("/slack/interactions"), Click{
		Post: f.Get("post"), View: f.Get("view"), Block: f.Get("block"), Action: f.Get("action"), Value: f.Get("value"), User: f.Get("user"),
	})
	return err
}

func (t *Twin) submitForm(ctx context.Context, f url.Values) error {
	_, err := t.Submit(ctx, t.target("/slack/interactions"), Submit{View: f.Get("view"), Values: fieldValues(f)})
	return err
}

// fieldValues is what stands in the fields of a modal; several choices are lines of one value.
func fieldValues(f url.Values) map[string]string {
	values := map[string]string{}
	for name := range f {
		if id, ok := strings.CutPrefix(name, "field."); ok {
			values[id] = strings.TrimPrefix(strings.Join(f[name], "\n"), "\n") // the first one of a menu of several choices says that it is there
		}
	}
	return values
}

// suggestForm tells the page's script which options the app has for what is being typed.
func (t *Twin) suggestForm(w http.ResponseWriter, r *http.Request) {
	options, err := t.Suggest(r.Context(), t.target("/slack/interactions"), Suggest{View: r.PostFormValue("view"), Block: r.PostFormValue("block"), Typed: r.PostFormValue("typed")})
	if err != nil {
		writeText(w, http.StatusBadRequest, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, options)
}

// guarded keeps the pages of other sites from using the page: neither by a form of theirs, nor by a name of theirs that leads to this
// machine.
func (t *Twin) guarded(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !t.ownHost(r.Host) {
			http.Error(w, "open this page by its own address", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownHost is true for this machine's names, and for the name that SetURL told.
func (t *Twin) ownHost(hostport string) bool {
	t.mu.Lock()
	own, err := url.Parse(t.url)
	t.mu.Unlock()
	if err == nil && own.Host != "" && own.Host == hostport {
		return true
	}
	host, _, err := net.SplitHostPort(hostport)
	host = strings.Trim(cmp.Or(host, hostport), "[]")
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
