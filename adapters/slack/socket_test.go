package slack

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"weeklybot/adapters/slack/twin"
	"weeklybot/bot"
)

const testAppToken = "xapp-1-A0TWIN-SECRET"

func socketConfig(baseURL string) Config {
	return Config{BotToken: testToken, AppToken: testAppToken, SocketMode: true, APIURL: baseURL + "/api"}
}

// listening is the adapter connected to a twin over Socket Mode, until the test ends.
func listening(t *testing.T, in *room, change func(*Adapter)) *twin.Twin {
	t.Helper()
	tw, base := newTwin(t, twin.Options{AppToken: testAppToken})
	a := newAdapter(t, socketConfig(base), Deps{})
	if change != nil {
		change(a)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Listen(ctx, in) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Listen = %v after cancel, want nil", err)
		}
	})
	connected(t, tw)
	return tw
}

func connected(t *testing.T, tw *twin.Twin) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); tw.Connected() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the adapter never connected; refused: %+v", tw.Refused())
		}
	}
}

func TestSocketCommand(t *testing.T) {
	in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) { return text("over the socket <!here>"), nil }}
	tw := listening(t, in, nil)
	got, err := tw.SocketCommand(t.Context(), twin.Command{Text: "/weeklybot hot ebpf", Channel: "C1", User: "U7", Trigger: "t1"})
	if err != nil || got.Refused != "" || got.Message.ResponseType != "ephemeral" || !strings.Contains(got.Message.Text, "over the socket &lt;!here&gt;") {
		t.Fatalf("answer = %+v, %v", got, err)
	}
	if cmd := in.commands[0]; cmd.ID != "t1" || cmd.Text != "/hot ebpf" || cmd.Channel.Address != "C1" || cmd.Member.ID != "U7" || cmd.Channel.Workspace != "T0TWIN" {
		t.Errorf("command = %+v", cmd)
	}
}

// An answer too large for the socket goes to the response URL, all of it.
func TestSocketLongAnswer(t *testing.T) {
	long := bot.Message{Blocks: slices.Repeat([]bot.Block{{Kind: bot.BlockText, Text: strings.Repeat("一段很长的回答。", 340)}}, 4)}
	in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) { return long, nil }}
	tw := listening(t, in, nil)
	got, err := tw.SocketCommand(t.Context(), twin.Command{Text: "/search x"})
	if err != nil || len(got.Message.Blocks) > 0 {
		t.Fatalf("acknowledged with %d bytes, %v, want an empty one", len(got.Raw), err)
	}
	if posts := waitFor(t, tw, "response", 1); len(posts[0].Message.Blocks) < 4 {
		t.Errorf("the answer has %d blocks, want all 4", len(posts[0].Message.Blocks))
	}
}

func TestSocketSlowCommand(t *testing.T) {
	release := make(chan struct{})
	in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) {
		<-release
		return text("late but here"), nil
	}}
	tw := listening(t, in, func(a *Adapter) { a.ackWithin = time.Millisecond })
	got, err := tw.SocketCommand(t.Context(), twin.Command{Text: "/trend wasm"})
	if err != nil || !strings.Contains(got.Message.Text, "Working on it") {
		t.Fatalf("acknowledgement = %+v, %v", got, err)
	}
	close(release)
	waitFor(t, tw, "response", 1)
}

func TestSocketEvents(t *testing.T) {
	in := &room{}
	tw := listening(t, in, nil)
	if err := tw.SocketEvent(t.Context(), twin.Event{ID: "Ev1", Inner: map[string]any{"type": "channel_archive", "channel": "C1", "user": "U1"}}); err != nil {
		t.Fatal(err)
	}
	in.mu.Lock()
	heard := slices.DeleteFunc(slices.Clone(in.events), func(ev bot.Event) bool { return ev.Kind == bot.EventInstallRestored }) // of the start
	in.mu.Unlock()
	if len(heard) != 1 || heard[0].Kind != bot.EventChannelGone || heard[0].ID != "Ev1" || heard[0].Channel.Address != "C1" {
		t.Errorf("events = %+v", heard)
	}
	if err := tw.SocketEvent(t.Context(), twin.Event{Inner: map[string]any{"type": "not_known_to_the_library"}}); err != nil {
		t.Errorf("an unknown event was not acknowledged: %v", err)
	}
}

// What the core could not record is not acknowledged, so Slack sends it again.
func TestSocketEventNotRecorded(t *testing.T) {
	in := &room{eventErr: errors.New("redis is down")}
	tw := listening(t, in, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := tw.SocketEvent(ctx, twin.Event{Inner: map[string]any{"type": "app_uninstalled"}}); err == nil {
		t.Error("the event was acknowledged")
	}
}

// Slack closes each socket after an hour; the next one is opened at once.
func TestSocketReconnects(t *testing.T) {
	in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) { return text("again"), nil }}
	tw := listening(t, in, nil)
	tw.Disconnect()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		got, err := tw.SocketCommand(ctx, twin.Command{Text: "/hot"})
		cancel()
		if err == nil && strings.Contains(got.Message.Text, "again") && tw.Opened() > 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no answer after a reconnect: %+v, %v, %d sockets opened", got, err, tw.Opened())
		}
	}
}

// A token that Slack refuses is tried again, not often, until somebody mends it; it never reaches the log.
func TestSocketWrongToken(t *testing.T) {
	tw, base := newTwin(t, twin.Options{AppToken: "xapp-other"})
	a := newAdapter(t, socketConfig(base), Deps{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Listen(ctx, &room{}) }()
	for deadline := time.Now().Add(time.Minute); len(tw.Refused()) == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	cancel()
	if err := <-done; err != nil || len(tw.Refused()) == 0 || tw.Refused()[0].Code != "invalid_auth" {
		t.Errorf("Listen = %v, refused %+v", err, tw.Refused())
	}
}

// Without a signing secret nothing comes in over HTTP, however it is signed.
func TestSocketModeHasNoHTTP(t *testing.T) {
	a := newAdapter(t, socketConfig("http://127.0.0.1:1"), Deps{Now: func() time.Time { return signedAt }})
	if status := serve(a, &room{}, signed(t, "/slack/commands", commandForm, signedAt, "")); status != http.StatusUnauthorized {
		t.Errorf("status %d, want 401", status)
	}
}
