package slack

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"weeklybot/adapters/slack/twin"
	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

// The example of docs.slack.dev, verifying requests from Slack, read 2026-11.
const (
	vectorStamp = "1531420618"
	vectorBody  = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	vectorSign  = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
)

var signedAt = time.Unix(1531420618, 0)

const commandForm = "command=%2Fhot&text=ebpf&team_id=T1&channel_id=C1&channel_name=general&user_id=U1&user_name=ann&trigger_id=13345224609.738474920.8088930838d88f008e0"

func header(stamp, signature string) http.Header {
	return http.Header{"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {signature}}
}

func TestVerify(t *testing.T) {
	for _, c := range []struct {
		name   string
		secret bot.Secret
		header http.Header
		body   string
		now    time.Time
		want   error
	}{
		{"documented example", testSecret, header(vectorStamp, vectorSign), vectorBody, signedAt, nil},
		{"5 minutes old", testSecret, header(vectorStamp, vectorSign), vectorBody, signedAt.Add(maxSkew), nil},
		{"older", testSecret, header(vectorStamp, vectorSign), vectorBody, signedAt.Add(maxSkew + time.Second), errStale},
		{"from the future", testSecret, header(vectorStamp, vectorSign), vectorBody, signedAt.Add(-maxSkew - time.Second), errStale},
		{"tampered", testSecret, header(vectorStamp, vectorSign), vectorBody + "&x=1", signedAt, errSignature},
		{"other secret", "other", header(vectorStamp, vectorSign), vectorBody, signedAt, errSignature},
		{"empty secret", "", header(vectorStamp, sign("", vectorStamp, []byte(vectorBody))), vectorBody, signedAt, errNoSecret},
		{"no signature", testSecret, header(vectorStamp, ""), vectorBody, signedAt, errUnsigned},
		{"no timestamp", testSecret, header("", vectorSign), vectorBody, signedAt, errUnsigned},
		{"bad timestamp", testSecret, header("1e9", vectorSign), vectorBody, signedAt, errUnsigned},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := verify(c.secret, c.header, []byte(c.body), c.now); !errors.Is(err, c.want) || err == nil != (c.want == nil) {
				t.Errorf("verify = %v, want %v", err, c.want)
			}
		})
	}
}

// The library's verifier and ours must agree; it reads the real clock, so the request is signed now.
func TestVerifyAgreesWithTheLibrary(t *testing.T) {
	now := time.Now()
	for _, tampered := range []bool{false, true} {
		r := signed(t, "/slack/commands", commandForm, now, testSecret)
		body := commandForm
		if tampered {
			body += "&text=other"
		}
		sv, err := slack.NewSecretsVerifier(r.Header, testSecret)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = sv.Write([]byte(body))
		theirs, ours := sv.Ensure(), verify(testSecret, r.Header, []byte(body), now)
		if (theirs == nil) != (ours == nil) || (ours == nil) == tampered {
			t.Errorf("tampered %v: library says %v, verify %v", tampered, theirs, ours)
		}
	}
}

var badRequests = []adaptertest.BadRequest{
	{Name: "forged", Status: 401, Request: func(t *testing.T) *http.Request {
		return signed(t, "/slack/commands", commandForm, signedAt, "not the secret")
	}},
	{Name: "tampered", Status: 401, Request: func(t *testing.T) *http.Request {
		r := signed(t, "/slack/commands", commandForm, signedAt, testSecret)
		r.Body = http.NoBody
		r.ContentLength = 0
		return r
	}},
	{Name: "unsigned", Status: 401, Request: func(*testing.T) *http.Request {
		return httptest.NewRequest(http.MethodPost, "/slack/commands", strings.NewReader(commandForm))
	}},
	{Name: "stale", Status: 401, Request: func(t *testing.T) *http.Request {
		return signed(t, "/slack/commands", commandForm, signedAt.Add(-maxSkew-time.Second), testSecret)
	}},
	{Name: "from_the_future", Status: 401, Request: func(t *testing.T) *http.Request {
		return signed(t, "/slack/commands", commandForm, signedAt.Add(maxSkew+time.Second), testSecret)
	}},
	{Name: "smuggled_in_the_query", Status: 400, Request: func(t *testing.T) *http.Request {
		return signed(t, "/slack/commands?"+commandForm, "x=1", signedAt, testSecret)
	}},
	{Name: "malformed_form", Status: 400, Request: func(t *testing.T) *http.Request {
		return signed(t, "/slack/commands", "command=%zz", signedAt, testSecret)
	}},
	{Name: "malformed_event", Status: 400, Request: func(t *testing.T) *http.Request {
		return signed(t, "/slack/events", `{"type":`, signedAt, testSecret)
	}},
	{Name: "get", Status: 405, Request: func(*testing.T) *http.Request { return httptest.NewRequest(http.MethodGet, "/slack/commands", nil) }},
	{Name: "elsewhere", Status: 404, Request: func(t *testing.T) *http.Request {
		return signed(t, "/slack/other", commandForm, signedAt, testSecret)
	}},
}

// room is an Inbox that answers as told.
type room struct {
	mu       sync.Mutex
	commands []bot.Command
	events   []bot.Event
	answer   func(context.Context, bot.Command) (bot.Message, error)
	eventErr error
	complete func(typed, lang string, n int) []string
}

func (r *room) CompleteTopic(typed, lang string, n int) []string {
	if r.complete == nil {
		return nil
	}
	return r.complete(typed, lang, n)
}

func (r *room) Command(ctx context.Context, cmd bot.Command) (bot.Message, error) {
	r.mu.Lock()
	r.commands = append(r.commands, cmd)
	r.mu.Unlock()
	return r.answer(ctx, cmd)
}

func (r *room) Event(_ context.Context, ev bot.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, ev)
	return r.eventErr
}

func text(s string) bot.Message {
	return bot.Message{Lang: "en", Blocks: []bot.Block{{Kind: bot.BlockText, Text: s}}}
}

// app is the adapter as a running app that the twin talks to.
func app(t *testing.T, in *room, change func(*Adapter)) (tw *twin.Twin, appURL string) {
	t.Helper()
	tw, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	if change != nil {
		change(a)
	}
	srv := httptest.NewServer(a.Hook(in))
	t.Cleanup(srv.Close)
	return tw, srv.URL
}

func TestSlashCommand(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"/hot ebpf", "/hot ebpf"},
		{"/hot", "/hot"},
		{"/hot   服务网格  ", "/hot 服务网格"},
		{"/weeklybot", "/help"},
		{"/weeklybot hot ebpf", "/hot ebpf"},
		{"/weeklybot /hot ebpf", "/hot ebpf"},
	} {
		t.Run(c.typed, func(t *testing.T) {
			in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) { return text("an answer <!channel>"), nil }}
			tw, url := app(t, in, nil)
			got, err := tw.SlashCommand(t.Context(), url+"/slack/commands", twin.Command{Text: c.typed, Channel: "C1", User: "U7", Trigger: "trigger"})
			if err != nil {
				t.Fatal(err)
			}
			if got.Status != 200 || got.Refused != "" || got.Message.ResponseType != "ephemeral" {
				t.Errorf("answer = %+v, want an ephemeral message that Slack takes", got)
			}
			if !strings.Contains(string(got.Raw), "an answer &lt;!channel&gt;") {
				t.Errorf("the answer is not there, or not escaped: %s", got.Raw)
			}
			want := bot.Command{
				ID: "trigger", Text: c.want, Member: bot.Member{ID: "U7", Name: "member"},
				Channel: bot.Channel{Adapter: "slack", Kind: "app", Workspace: "T0TWIN", Address: "C1", Name: "general"},
			}
			in.commands[0].At = time.Time{}
			if diff := cmp.Diff([]bot.Command{want}, in.commands); diff != "" {
				t.Errorf("command (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSlashCommandFailsKindly(t *testing.T) {
	in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) {
		return text("Something went wrong, ref 17."), errors.New("redis is down")
	}}
	tw, url := app(t, in, nil)
	got, err := tw.SlashCommand(t.Context(), url+"/slack/commands", twin.Command{Text: "/hot"})
	if err != nil || got.Status != 200 || !strings.Contains(string(got.Raw), "ref 17") {
		t.Errorf("answer = %+v, %v", got, err)
	}
}

// A command that panics is answered, and the bot lives on.
func TestCommandPanics(t *testing.T) {
	in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) { panic("index out of range") }}
	tw, url := app(t, in, nil)
	for range 2 {
		got, err := tw.SlashCommand(t.Context(), url+"/slack/commands", twin.Command{Text: "/hot"})
		if err != nil || got.Status != 200 || !strings.Contains(got.Message.Text, "Something went wrong") || strings.Contains(string(got.Raw), "index") {
			t.Errorf("answer = %+v, %v", got, err)
		}
	}
}

func TestPublicAnswer(t *testing.T) {
	in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) {
		m := text("for all")
		m.Public = true
		return m, nil
	}}
	tw, url := app(t, in, nil)
	got, err := tw.SlashCommand(t.Context(), url+"/slack/commands", twin.Command{Text: "/hot"})
	if err != nil || got.Message.ResponseType != "in_channel" {
		t.Errorf("answer = %+v, %v, want in_channel", got, err)
	}
}

// A slow command is acknowledged, and answered by the response URL once it is done.
func TestSlowCommand(t *testing.T) {
	release := make(chan struct{})
	in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) {
		<-release
		return text("late but here"), nil
	}}
	tw, url := app(t, in, func(a *Adapter) { a.ackWithin = time.Millisecond })
	got, err := tw.SlashCommand(t.Context(), url+"/slack/commands", twin.Command{Text: "/trend wasm", Channel: "C1"})
	if err != nil || got.Status != 200 || !strings.Contains(string(got.Raw), "Working on it") {
		t.Fatalf("acknowledgement = %+v, %v", got, err)
	}
	close(release)
	late := waitFor(t, tw, "response", 1)
	if late[0].Channel != "C1" || late[0].Message.ResponseType != "ephemeral" || !strings.Contains(string(late[0].Raw), "late but here") {
		t.Errorf("late answer = %s", late[0].Raw)
	}
}

// A long answer goes on by the response URL, no more often than Slack allows.
func TestLongAnswer(t *testing.T) {
	in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) { return manyItems(270), nil }}
	tw, url := app(t, in, nil)
	if _, err := tw.SlashCommand(t.Context(), url+"/slack/commands", twin.Command{Text: "/search all"}); err != nil {
		t.Fatal(err)
	}
	parts := len(split(KindApp, manyItems(270)))
	waitFor(t, tw, "response", min(parts-1, maxResponses))
	if refused := tw.Refused(); len(refused) > 0 {
		t.Errorf("refused: %+v", refused)
	}
}

// A response URL may only lead to Slack: the form is signed, but a proxy or a stolen secret could name any host.
func TestResponseURLElsewhere(t *testing.T) {
	called := make(chan struct{}, 1)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called <- struct{}{} }))
	defer elsewhere.Close()
	in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) { return manyItems(270), nil }}
	a := newAdapter(t, Config{BotToken: testToken, SigningSecret: testSecret}, Deps{Now: func() time.Time { return signedAt }})
	w := httptest.NewRecorder()
	a.Hook(in).ServeHTTP(w, signed(t, "/slack/commands", commandForm+"&response_url="+elsewhere.URL+"/x", signedAt, testSecret))
	if w.Code != 200 {
		t.Errorf("status %d, want 200", w.Code)
	}
	select {
	case <-called:
		t.Error("the answer went to a foreign host")
	default:
	}
}

func waitFor(t *testing.T, tw *twin.Twin, kind string, n int) (posts []twin.Post) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		posts = nil
		for _, p := range tw.Posts() {
			if p.Kind == kind {
				posts = append(posts, p)
			}
		}
		if len(posts) >= n {
			return posts
		}
	}
	t.Fatalf("%d posts of kind %s, want %d; refused: %+v", len(posts), kind, n, tw.Refused())
	return nil
}

func serve(a *Adapter, in bot.Inbox, r *http.Request) (status int) {
	w := httptest.NewRecorder()
	a.Hook(in).ServeHTTP(w, r)
	return w.Code
}

func TestSSLCheck(t *testing.T) {
	in := &room{}
	a := newAdapter(t, testConfig("http://127.0.0.1:1"), Deps{Now: func() time.Time { return signedAt }})
	w := httptest.NewRecorder()
	a.Hook(in).ServeHTTP(w, signed(t, "/slack/commands", "ssl_check=1&token=x", signedAt, testSecret))
	if w.Code != 200 || len(in.commands) != 0 {
		t.Errorf("status %d, %d commands, want 200 and none", w.Code, len(in.commands))
	}
}

func TestEvents(t *testing.T) {
	type object = map[string]any
	for _, c := range []struct {
		name  string
		inner object
		want  *bot.Event
	}{
		{"uninstalled", object{"type": "app_uninstalled"}, &bot.Event{Kind: bot.EventInstallRevoked}},
		{"bot token revoked", object{"type": "tokens_revoked", "tokens": object{"bot": []string{"U0TWIN"}}}, &bot.Event{Kind: bot.EventInstallRevoked}},
		{"person's token revoked", object{"type": "tokens_revoked", "tokens": object{"oauth": []string{"U1"}}}, nil},
		{"archived", object{"type": "channel_archive", "channel": "C1", "user": "U1"}, &bot.Event{Kind: bot.EventChannelGone, Channel: place("C1")}},
		{"private archived", object{"type": "group_archive", "channel": "G1"}, &bot.Event{Kind: bot.EventChannelGone, Channel: place("G1")}},
		{"deleted", object{"type": "channel_deleted", "channel": "C1"}, &bot.Event{Kind: bot.EventChannelGone, Channel: place("C1")}},
		{"bot removed", object{"type": "channel_left", "channel": "C1"}, &bot.Event{Kind: bot.EventBotRemoved, Channel: place("C1")}},
		{"new id", object{"type": "channel_id_changed", "old_channel_id": "C1", "new_channel_id": "C2"},
			&bot.Event{Kind: bot.EventChannelMoved, Channel: place("C1"), NewAddress: "C2"}},
		{"new name", object{"type": "channel_rename", "channel": object{"id": "C1", "name": "周刊"}},
			&bot.Event{Kind: bot.EventChannelRenamed, Channel: place("C1"), NewName: "周刊"}},
		{"unknown", object{"type": "star_added", "channel": "C1"}, nil},
		{"incomplete", object{"type": "channel_archive"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := &room{}
			tw, url := app(t, in, nil)
			status, _, err := tw.SendEvent(t.Context(), url+"/slack/events", twin.Event{ID: "Ev1", Inner: c.inner})
			if err != nil || status != 200 {
				t.Fatalf("status %d, %v, want 200", status, err)
			}
			if c.want == nil {
				if len(in.events) != 0 {
					t.Errorf("events = %+v, want none", in.events)
				}
				return
			}
			want := *c.want
			want.ID, want.Channel.Adapter, want.Channel.Workspace = "Ev1", "slack", "T0TWIN"
			in.events[0].At = time.Time{}
			if diff := cmp.Diff([]bot.Event{want}, in.events); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func place(id string) bot.Channel { return bot.Channel{Kind: KindApp, Address: id} }

// What the core could not record is delivered again.
func TestEventNotRecorded(t *testing.T) {
	in := &room{eventErr: errors.New("redis is down")}
	tw, url := app(t, in, nil)
	status, _, err := tw.SendEvent(t.Context(), url+"/slack/events", twin.Event{Inner: map[string]any{"type": "app_uninstalled"}})
	if err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("status %d, %v, want 503", status, err)
	}
}

func TestURLVerification(t *testing.T) {
	a := newAdapter(t, testConfig("http://127.0.0.1:1"), Deps{Now: func() time.Time { return signedAt }})
	w := httptest.NewRecorder()
	a.Hook(&room{}).ServeHTTP(w, signed(t, "/slack/events", `{"type":"url_verification","challenge":"3eZbrw1a"}`, signedAt, testSecret))
	if w.Code != 200 || w.Body.String() != "3eZbrw1a" {
		t.Errorf("answer = %d %q, want the challenge", w.Code, w.Body)
	}
}

func TestInteractionsAreAcknowledged(t *testing.T) {
	a := newAdapter(t, testConfig("http://127.0.0.1:1"), Deps{Now: func() time.Time { return signedAt }})
	w := httptest.NewRecorder()
	a.Hook(&room{}).ServeHTTP(w, signed(t, "/slack/interactions", "payload=%7B%7D", signedAt, testSecret))
	if w.Code != 200 {
		t.Errorf("status %d, want 200", w.Code)
	}
}

// FuzzCommandForm sends any signed body: nothing but a whole command reaches the Inbox, and what is shown is a payload that Slack takes.
func FuzzCommandForm(f *testing.F) {
	f.Add([]byte(commandForm))
	f.Add([]byte("ssl_check=1"))
	f.Add([]byte("command=%2Fweeklybot&text=%2F%2F&team_id=T&channel_id=C&user_id=U&response_url=http%3A%2F%2F127.0.0.1%3A1%2F"))
	f.Add([]byte("command=&text=%00&;=&team_id=%zz"))
	in := &room{answer: func(_ context.Context, cmd bot.Command) (bot.Message, error) {
		return text("you typed " + cmd.Text), nil
	}}
	a, err := New(Config{BotToken: testToken, SigningSecret: testSecret}, Deps{Now: func() time.Time { return signedAt }})
	if err != nil {
		f.Fatal(err)
	}
	hook := a.Hook(in)
	f.Fuzz(func(t *testing.T, body []byte) {
		in.commands = nil
		w := httptest.NewRecorder()
		hook.ServeHTTP(w, signed(t, "/slack/commands", string(body), signedAt, testSecret))
		if w.Code != 200 && w.Code != 400 {
			t.Errorf("status %d, want 200 or 400", w.Code)
		}
		for _, cmd := range in.commands {
			if !strings.HasPrefix(cmd.Text, "/") && !strings.Contains(string(body), "command") || cmd.ID == "" || cmd.Member.ID == "" || cmd.Channel.Address == "" || cmd.Channel.Workspace == "" {
				t.Errorf("an incomplete command got through: %+v", cmd)
			}
			var shown struct {
				Text         string
				ResponseType string `json:"response_type"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &shown); err != nil || shown.ResponseType != "ephemeral" {
				t.Errorf("the answer is no ephemeral message: %v in %.300s", err, w.Body)
			}
			var seen adaptertest.Seen
			readMrkdwn(&seen, shown.Text)
			if len(seen.Mentions)+len(seen.Links) > 0 {
				t.Errorf("the member's text became %q %q", seen.Mentions, seen.Links)
			}
		}
		if w.Code == 400 && len(in.commands) > 0 {
			t.Error("a refused command was run")
		}
	})
}

// FuzzEventBody sends any signed body: the core only ever gets whole events of this workspace's kind.
func FuzzEventBody(f *testing.F) {
	f.Add([]byte(`{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":{"type":"channel_rename","channel":{"id":"C1","name":"x"}}}`))
	f.Add([]byte(`{"type":"event_callback","team_id":"T1","event_id":"Ev1","event":{"type":"channel_id_changed","old_channel_id":"C1"}}`))
	f.Add([]byte(`{"type":"event_callback","team_id":"T1","event_id":"Ev1","event_time":-1,"event":{"type":"tokens_revoked","tokens":{"bot":["U1"]}}}`))
	f.Add([]byte(`{"type":"url_verification","challenge":"<script>"}`))
	f.Add([]byte(`[]`))
	in := &room{}
	a, err := New(Config{BotToken: testToken, SigningSecret: testSecret}, Deps{Now: func() time.Time { return signedAt }})
	if err != nil {
		f.Fatal(err)
	}
	hook := a.Hook(in)
	f.Fuzz(func(t *testing.T, body []byte) {
		in.events = nil
		w := httptest.NewRecorder()
		hook.ServeHTTP(w, signed(t, "/slack/events", string(body), signedAt, testSecret))
		if w.Code != 200 && w.Code != 400 || w.Code == 200 && !json.Valid(body) {
			t.Errorf("status %d, want 200 or 400", w.Code)
		}
		for _, ev := range in.events {
			revoked := ev.Kind == bot.EventInstallRevoked
			if ev.ID == "" || ev.Channel.Workspace == "" || ev.At.IsZero() || (ev.Channel.Address == "") != revoked || (ev.NewAddress != "") != (ev.Kind == bot.EventChannelMoved) {
				t.Errorf("an incomplete event got through: %+v", ev)
			}
		}
	})
}
