package slack

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"weeklybot/adapters/slack/twin"
	"weeklybot/bot"
	"weeklybot/internal/needs"
)

const (
	testClient       = "1111.2222"
	testClientSecret = "client-SECRET-0123456789abcdef"
)

// clock is a time that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) move(d time.Duration) { c.ahead.Add(int64(d)) }

// logText is what was logged, by all replicas.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// market is an app that many workspaces install: the twin, the adapter's replicas, and what they share.
type market struct {
	tw     *twin.Twin
	clock  *clock
	rdb    *redis.Client
	prefix string
	cfg    Config
	log    logText
	in     *room
	a      *Adapter
	url    string // of the first replica
}

func newMarket(t *testing.T, rotate bool, change func(*Config)) *market {
	t.Helper()
	m := &market{clock: &clock{}, rdb: needs.RedisClient(t), prefix: rand.Text(), in: &room{answer: paged(1)}}
	tw, base := newTwin(t, twin.Options{ClientID: testClient, ClientSecret: testClientSecret, Rotate: rotate, Now: m.clock.now})
	m.tw = tw
	m.cfg = Config{ClientID: testClient, ClientSecret: testClientSecret, SigningSecret: testSecret, APIURL: base + "/api", AuthorizeURL: base + "/oauth/v2/authorize"}
	if change != nil {
		change(&m.cfg)
	}
	m.a = m.replica(t)
	srv := httptest.NewServer(m.a.Hook(m.in))
	t.Cleanup(srv.Close)
	m.url = srv.URL
	t.Cleanup(func() {
		for _, secret := range []string{testClientSecret, "xoxb-", "xoxe-", "code."} {
			if strings.Contains(m.log.String(), secret) {
				t.Errorf("%s is in the log:\n%s", secret, m.log.String())
			}
		}
	})
	return m
}

// replica is one more process that shares the store.
func (m *market) replica(t *testing.T) *Adapter {
	t.Helper()
	return newAdapter(t, m.cfg, Deps{Redis: m.rdb, RedisPrefix: m.prefix, Now: m.clock.now, Log: slog.New(slog.NewTextHandler(&m.log, nil))})
}

// browser follows no redirect by itself.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func open(t *testing.T, b *http.Client, address string) (status int, location, body string) {
	t.Helper()
	resp, err := b.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header.Get("Location"), string(raw)
}

// begin opens /slack/install and allows it in team; it returns where the browser is sent back to.
func (m *market) begin(t *testing.T, b *http.Client, team string) string {
	t.Helper()
	status, authorize, body := open(t, b, m.url+installPath)
	if status != http.StatusFound {
		t.Fatalf("install: %d, %s", status, body)
	}
	back, err := m.tw.Allow(authorize, team)
	if err != nil {
		t.Fatalf("%s: %v", authorize, err)
	}
	return back
}

func (m *market) install(t *testing.T, team string) {
	t.Helper()
	b := browser(t)
	if status, _, body := open(t, b, m.begin(t, b, team)); status != http.StatusOK || !strings.Contains(body, "Installed.") {
		t.Fatalf("callback: %d, %s; refused %+v", status, body, m.tw.Refused())
	}
}

func (m *market) send(t *testing.T, a *Adapter, team string) error {
	t.Helper()
	_, err := a.Send(t.Context(), bot.Channel{Adapter: Name, Kind: KindApp, Workspace: team, Address: "C0GENERAL"}, bot.Post{Part: 1, Parts: 1, Key: rand.Text(), Message: text("hello")})
	return err
}

func codeOf(err error) string {
	if fault, ok := errors.AsType[*bot.SendError](err); ok {
		return fault.Code
	}
	return ""
}

func kinds(events []bot.Event) (list []bot.EventKind) {
	for _, ev := range events {
		list = append(list, ev.Kind)
	}
	return list
}

// Two workspaces install the app; each gets its own posts, buttons and look-ups with its own token, from every replica.
func TestInstallManyWorkspaces(t *testing.T) {
	m := newMarket(t, false, nil)
	if err := m.send(t, m.a, "T1"); codeOf(err) != codeNotInstalled || err.(*bot.SendError).Scope != bot.ScopeWorkspace {
		t.Errorf("before the install: %v", err)
	}
	m.install(t, "T1")
	m.install(t, "T2")
	other := m.replica(t)
	for _, team := range []string{"T1", "T2"} {
		for _, a := range []*Adapter{m.a, other} {
			if err := m.send(t, a, team); err != nil {
				t.Errorf("send to %s: %v", team, err)
			}
		}
		post := bot.Post{Key: "lost", Part: 1, Parts: 1, Message: text("lost")}
		where := bot.Channel{Adapter: Name, Kind: KindApp, Workspace: team, Address: "C" + team}
		began := m.clock.now()
		sent, err := m.a.Send(t.Context(), where, post)
		if err != nil {
			t.Fatal(err)
		}
		if r, found, err := other.Find(t.Context(), where, post, began); err != nil || !found || r != sent {
			t.Errorf("Find in %s = %v, %v, %v", team, r, found, err)
		}
		if err := other.Recall(t.Context(), where, sent); err != nil {
			t.Errorf("Recall in %s: %v", team, err)
		}
	}
	var teams []string
	for _, p := range m.tw.Posts() {
		teams = append(teams, p.Team)
	}
	if want := []string{"T1", "T1", "T2", "T2"}; !slices.Equal(teams, want) {
		t.Errorf("posts by tokens of %v, want %v", teams, want)
	}
	if want := []bot.EventKind{bot.EventInstallRestored, bot.EventInstallRestored}; !slices.Equal(kinds(m.in.events), want) {
		t.Errorf("events %v, want %v", kinds(m.in.events), want)
	}
	if _, err := m.tw.SlashCommand(t.Context(), m.url+"/slack/commands", twin.Command{Text: "/subscribe", Team: "T2"}); err != nil || len(m.tw.Views()) != 1 {
		t.Errorf("form in T2: %v, refused %+v", err, m.tw.Refused())
	}
	for _, line := range m.a.Check(t.Context()) {
		if line.Err != nil {
			t.Errorf("Check: %+v", line)
		}
	}
}

// What is asked for, and how the browser is bound: the state is long, the cookie is for the callback only and no script reads it.
func TestInstallAsks(t *testing.T) {
	m := newMarket(t, false, nil)
	a := newAdapter(t, m.cfg, Deps{Redis: m.rdb, RedisPrefix: m.prefix, PublicURL: "https://bot.example.com/"})
	w := httptest.NewRecorder()
	a.Hook(m.in).ServeHTTP(w, httptest.NewRequest("GET", installPath, nil))
	u, err := url.Parse(w.Header().Get("Location"))
	if err != nil || w.Code != http.StatusFound {
		t.Fatalf("status %d, %v", w.Code, err)
	}
	q := u.Query()
	if q.Get("client_id") != testClient || q.Get("redirect_uri") != "https://bot.example.com/slack/oauth/callback" || len(q.Get("state")) < 26 ||
		!strings.Contains(q.Get("scope"), "chat:write") || strings.Contains(u.String(), "SECRET") {
		t.Errorf("authorize URL %s", u)
	}
	cookie := w.Result().Cookies()[0]
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != callbackPath || cookie.MaxAge != 600 || strings.Contains(u.String(), cookie.Value) {
		t.Errorf("cookie %+v", cookie)
	}
}

// Forged, stolen, stale and repeated callbacks change nothing.
func TestInstallRefusesForgedCallbacks(t *testing.T) {
	m := newMarket(t, false, nil)
	for _, c := range []struct {
		name string
		do   func(t *testing.T) (status int)
		want int
	}{
		{"no state", func(t *testing.T) int { s, _, _ := open(t, browser(t), m.url+callbackPath+"?code=x"); return s }, 403},
		{"made-up state", func(t *testing.T) int {
			b := browser(t)
			m.begin(t, b, "T1")
			s, _, _ := open(t, b, m.url+callbackPath+"?code=x&state=made-up")
			return s
		}, 403},
		{"another browser", func(t *testing.T) int { s, _, _ := open(t, browser(t), m.begin(t, browser(t), "T1")); return s }, 403},
		{"another browser that began too", func(t *testing.T) int {
			victim := browser(t)
			m.begin(t, victim, "T1")
			s, _, _ := open(t, victim, m.begin(t, browser(t), "T1"))
			return s
		}, 403},
		{"stale", func(t *testing.T) int {
			b := browser(t)
			back := m.begin(t, b, "T1")
			m.clock.move(stateLife)
			s, _, _ := open(t, b, back)
			return s
		}, 403},
		{"not allowed", func(t *testing.T) int {
			b := browser(t)
			_, authorize, _ := open(t, b, m.url+installPath)
			u, _ := url.Parse(authorize)
			s, _, _ := open(t, b, m.url+callbackPath+"?error=access_denied&state="+u.Query().Get("state"))
			return s
		}, 400},
		{"made-up code", func(t *testing.T) int {
			b := browser(t)
			back, _ := url.Parse(m.begin(t, b, "T1"))
			q := back.Query()
			q.Set("code", "made-up")
			back.RawQuery = q.Encode()
			s, _, _ := open(t, b, back.String())
			return s
		}, 502},
		{"POST", func(t *testing.T) int {
			resp, err := http.Post(m.url+callbackPath, "text/plain", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.StatusCode
		}, 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status := c.do(t); status != c.want {
				t.Errorf("status %d, want %d", status, c.want)
			}
		})
	}
	b := browser(t)
	back := m.begin(t, b, "T9")
	var ok, refused atomic.Int32
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			switch status, _, _ := open(t, b, back); status {
			case http.StatusOK:
				ok.Add(1)
			case http.StatusForbidden:
				refused.Add(1)
			}
		})
	}
	work.Wait()
	if ok.Load() != 1 || refused.Load() != 7 {
		t.Errorf("one callback eight times: %d done, %d refused", ok.Load(), refused.Load())
	}
	if all, _ := m.a.tokens.installs.workspaces(t.Context()); !slices.Equal(all, []string{"T9"}) {
		t.Errorf("installed in %v, want T9 only", all)
	}
}

// A flood of beginners keeps the newest states, and no more.
func TestStatesAreBounded(t *testing.T) {
	m := newMarket(t, false, nil)
	s := m.a.tokens.installs
	pipe := m.rdb.Pipeline()
	for k := range maxStates {
		pipe.ZAdd(t.Context(), s.states(), redis.Z{Score: float64(m.clock.now().Add(time.Minute).UnixMilli()), Member: k})
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.install(t, "T1")
	if n := m.rdb.ZCard(t.Context(), s.states()).Val(); n != maxStates-1 {
		t.Errorf("%d states, want %d", n, maxStates-1)
	}
}

func TestInstallWithoutClient(t *testing.T) {
	a := newAdapter(t, testConfig("http://127.0.0.1:1"), Deps{})
	for _, path := range []string{installPath, callbackPath + "?code=x&state=y"} {
		w := httptest.NewRecorder()
		a.Hook(&room{}).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "client_id") {
			t.Errorf("%s: %d, %s", path, w.Code, w.Body)
		}
	}
	m := newMarket(t, false, nil)
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", installPath, nil) // by a name that is not this machine's
	if m.a.Hook(m.in).ServeHTTP(w, r); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "public_url") {
		t.Errorf("without public_url: %d, %s", w.Code, w.Body)
	}
}

// Uninstalling freezes a workspace at once, whatever event comes first and how often; installing again revives it, and events that come
// late do not harm the new install.
func TestUninstallAndInstallAgain(t *testing.T) {
	m := newMarket(t, false, nil)
	m.install(t, "T1")
	m.install(t, "T2")
	m.in.events = nil
	gone := m.clock.now()
	if err := m.tw.Uninstall(t.Context(), m.url+"/slack/events", "T1"); err != nil {
		t.Fatal(err)
	}
	if want := []bot.EventKind{bot.EventInstallRevoked, bot.EventInstallRevoked}; !slices.Equal(kinds(m.in.events), want) || m.in.events[0].Channel.Workspace != "T1" {
		t.Errorf("events %+v", m.in.events)
	}
	before := len(m.tw.Refused())
	if err := m.send(t, m.a, "T1"); codeOf(err) != codeNotInstalled {
		t.Errorf("after the uninstall: %v", err)
	}
	if len(m.tw.Refused()) != before {
		t.Error("Slack was asked with a token that was revoked")
	}
	if record, err := m.rdb.HGet(t.Context(), m.a.tokens.installs.key, "T1").Result(); !errors.Is(err, redis.Nil) {
		t.Errorf("the tokens are still stored: %q, %v", record, err)
	}
	if err := m.send(t, m.a, "T2"); err != nil {
		t.Errorf("T2: %v", err)
	}

	m.clock.move(time.Minute)
	m.in.events = nil
	m.install(t, "T1")
	if want := []bot.EventKind{bot.EventInstallRestored}; !slices.Equal(kinds(m.in.events), want) || m.in.events[0].Channel.Workspace != "T1" {
		t.Errorf("events %+v", m.in.events)
	}
	if status, _, err := m.tw.SendEvent(t.Context(), m.url+"/slack/events", twin.Event{Team: "T1", At: gone, Retry: 3, Inner: map[string]any{"type": "app_uninstalled"}}); err != nil || status != 200 {
		t.Fatalf("late event: %d, %v", status, err)
	}
	if err := m.send(t, m.a, "T1"); err != nil || len(m.in.events) != 1 {
		t.Errorf("after a late event: %v, events %+v", err, m.in.events)
	}
}

// A replica that has not heard of an uninstall is told by Slack; one that has not heard of the new install finds it.
func TestReplicaThatMissedTheEvents(t *testing.T) {
	m := newMarket(t, false, nil)
	m.install(t, "T1")
	late := m.replica(t)
	if err := m.send(t, late, "T1"); err != nil {
		t.Fatal(err)
	}
	if err := m.tw.Uninstall(t.Context(), m.url+"/slack/events", "T1"); err != nil {
		t.Fatal(err)
	}
	if err := m.send(t, late, "T1"); codeOf(err) != "account_inactive" || err.(*bot.SendError).Scope != bot.ScopeWorkspace {
		t.Errorf("uninstalled, unheard: %v", err)
	}
	if err := m.send(t, late, "T1"); codeOf(err) != codeNotInstalled {
		t.Errorf("uninstalled, known by now: %v", err)
	}
	m.install(t, "T1")
	if err := m.send(t, late, "T1"); err != nil {
		t.Errorf("installed again, unheard: %v", err)
	}
	// The token that this replica knows is revoked, and there is another already.
	if err := m.tw.Uninstall(t.Context(), m.url+"/slack/events", "T1"); err != nil {
		t.Fatal(err)
	}
	m.install(t, "T1")
	if err := m.send(t, late, "T1"); codeOf(err) != codeTokenReplaced || err.(*bot.SendError).Fault != bot.Retryable {
		t.Errorf("a token with a successor: %v", err)
	}
	if err := m.send(t, late, "T1"); err != nil {
		t.Errorf("with the successor: %v", err)
	}
}

// Tokens that end are refreshed before they do, once for all replicas and callers, and the pair is stored.
func TestTokenRotation(t *testing.T) {
	m := newMarket(t, true, nil)
	m.install(t, "T1")
	replicas := []*Adapter{m.a, m.replica(t), m.replica(t)}
	for round := range 4 {
		m.clock.move(11 * time.Hour)
		var work sync.WaitGroup
		for k := range 24 {
			work.Go(func() {
				if err := m.send(t, replicas[k%3], "T1"); err != nil && codeOf(err) != "rate_limited" {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		work.Wait()
	}
	for _, r := range m.tw.Refused() {
		if r.Code != "ratelimited" {
			t.Errorf("refused: %+v", r)
		}
	}
	// A day passes without a post: the token is dead, its refresh token is not.
	m.clock.move(24 * time.Hour)
	if err := m.send(t, m.replica(t), "T1"); err != nil {
		t.Errorf("after a day: %v", err)
	}
}

// Slack ends a token before its time: the next attempt has a new one.
func TestTokenExpiresEarly(t *testing.T) {
	m := newMarket(t, true, nil)
	m.install(t, "T1")
	m.tw.ExpireTokens()
	if err := m.send(t, m.a, "T1"); codeOf(err) != codeTokenReplaced || err.(*bot.SendError).Fault != bot.Retryable {
		t.Errorf("first: %v", err)
	}
	if err := m.send(t, m.a, "T1"); err != nil {
		t.Errorf("second: %v", err)
	}
}

// A refresh token that Slack does not take ends the install, but not before the token's own end.
func TestRefreshRefused(t *testing.T) {
	m := newMarket(t, true, nil)
	m.install(t, "T1")
	in, record, err := m.a.tokens.installs.load(t.Context(), "T1")
	if err != nil {
		t.Fatal(err)
	}
	in.Refresh = "xoxe-1-used"
	if done, err := m.a.tokens.installs.swap(t.Context(), "T1", record, m.a.tokens.installs.pack(in)); err != nil || !done {
		t.Fatal(done, err)
	}
	a := m.replica(t)
	m.clock.move(11 * time.Hour)
	if err := m.send(t, a, "T1"); err != nil {
		t.Errorf("with an hour left: %v", err)
	}
	m.clock.move(2 * time.Hour)
	err = m.send(t, a, "T1")
	if fault, ok := errors.AsType[*bot.SendError](err); !ok || fault.Code != "invalid_refresh_token" || fault.Scope != bot.ScopeWorkspace || fault.Fault != bot.Permanent || fault.MaybeSent {
		t.Errorf("after its end: %v", err)
	}
	m.install(t, "T1")
	if err := m.send(t, a, "T1"); err != nil {
		t.Errorf("installed again: %v", err)
	}
}

// While the store is away, what a replica knows counts; what it does not know waits.
func TestStoreAway(t *testing.T) {
	m := newMarket(t, false, nil)
	m.install(t, "T1")
	if err := m.send(t, m.a, "T1"); err != nil {
		t.Fatal(err)
	}
	m.a.tokens.installs.rdb = redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	m.clock.move(time.Hour)
	if err := m.send(t, m.a, "T1"); err != nil {
		t.Errorf("known: %v", err)
	}
	if err := m.send(t, m.a, "T2"); codeOf(err) != codeStoreDown || err.(*bot.SendError).Fault != bot.Retryable {
		t.Errorf("not known: %v", err)
	}
	if status, _, err := m.tw.SendEvent(t.Context(), m.url+"/slack/events", twin.Event{Team: "T1", Inner: map[string]any{"type": "app_uninstalled"}}); err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("an uninstall that cannot be noted: %d, %v, want 503 so that Slack says it again", status, err)
	}
	if status, _, _ := open(t, browser(t), m.url+installPath); status != http.StatusServiceUnavailable {
		t.Errorf("install: %d", status)
	}
}

// The configured token is for its own workspace; others need an install.
func TestConfiguredTokenBesideInstalls(t *testing.T) {
	m := newMarket(t, false, func(c *Config) { c.BotToken = testToken })
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	m.install(t, "T2")
	m.install(t, "T3")
	m.in.events = nil
	a := m.replica(t)
	if err := m.tw.Uninstall(t.Context(), m.url+"/slack/elsewhere", "T3"); err == nil {
		t.Fatal("the event was to get lost")
	}
	go func() { done <- a.Listen(ctx, m.in) }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		m.in.mu.Lock()
		events := slices.Clone(m.in.events)
		m.in.mu.Unlock()
		if len(events) == 3 || time.Now().After(deadline) {
			got := map[string]bot.EventKind{}
			for _, ev := range events {
				got[ev.Channel.Workspace] = ev.Kind
			}
			if got["T0TWIN"] != bot.EventInstallRestored || got["T2"] != bot.EventInstallRestored || got["T3"] != bot.EventInstallRevoked {
				t.Errorf("told at the start: %v", got)
			}
			break
		}
	}
	for team, want := range map[string]string{"T0TWIN": "", "": "", "T2": "", "T9": codeNotInstalled} {
		if got := codeOf(m.send(t, a, team)); got != want {
			t.Errorf("send to %q: %q, want %q", team, got, want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
