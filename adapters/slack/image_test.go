package slack

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weeklybot/adapters/slack/twin"
	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

func TestImageArrivesInTheThread(t *testing.T) {
	tw, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	msg := adaptertest.Samples()["with_image"]
	deliver(t, a, testChannel(KindApp, base), "k1", msg)
	posts := tw.Posts()
	if len(posts) != 2 || len(posts[1].Files) != 1 || posts[1].ThreadTS != posts[0].TS || posts[1].Channel != "C0GENERAL" {
		t.Fatalf("posts = %+v, want the text and the file in its thread", posts)
	}
	f := posts[1].Files[0]
	if !bytes.Equal(f.Data, msg.Image.PNG) || f.Alt != msg.Image.Alt || f.Title == "" {
		t.Errorf("file = %+v, want the image with its description", f)
	}
	if refused := tw.Refused(); len(refused) > 0 {
		t.Errorf("refused: %+v", refused)
	}
}

// TestImageIsFound loses the answer to the call that shares the file, and looks for it as the outbox would.
func TestImageIsFound(t *testing.T) {
	tw, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	dst := testChannel(KindApp, base)
	parts := a.Split(KindApp, adaptertest.Samples()["with_image"])
	first, err := a.Send(t.Context(), dst, bot.Post{Key: "k1", Part: 1, Parts: 2, Message: parts[0]})
	if err != nil {
		t.Fatal(err)
	}
	p := bot.Post{Key: "k1", Part: 2, Parts: 2, First: first, Message: parts[1]}
	since := time.Now().Add(-time.Minute)
	if _, found, err := a.Find(t.Context(), dst, p, since); found || err != nil {
		t.Errorf("Find before Send = %v, %v", found, err)
	}
	tw.Fail(1, twin.Failure{Accept: true, Drop: true})
	_, err = a.Send(t.Context(), dst, p)
	if fault, ok := err.(*bot.SendError); !ok || !fault.MaybeSent {
		t.Fatalf("Send with a lost answer = %v, want a fault that may have been sent", err)
	}
	if _, found, err := a.Find(t.Context(), dst, p, since); !found || err != nil {
		t.Errorf("Find = %v, %v; want the file", found, err)
	}
	other := p
	other.Key = "k2"
	if _, found, _ := a.Find(t.Context(), dst, other, since); found {
		t.Error("another delivery's file was taken for this one")
	}
}

// TestImageFaultsHoldNobody: an app without the scope for files still posts all text, so its workspace is not held.
func TestImageFaultsHoldNobody(t *testing.T) {
	for code, want := range map[string]bot.SendError{
		"missing_scope":             {Fault: bot.Permanent, Scope: bot.ScopeMessage},
		"storage_limit_reached":     {Fault: bot.Permanent, Scope: bot.ScopeMessage},
		"file_uploads_disabled":     {Fault: bot.Permanent, Scope: bot.ScopeMessage},
		"file_update_failed":        {Fault: bot.Retryable, Scope: bot.ScopeMessage},
		"posting_to_channel_denied": {Fault: bot.Permanent, Scope: bot.ScopeChannel},
		"token_revoked":             {Fault: bot.Permanent, Scope: bot.ScopeWorkspace},
		"internal_error":            {Fault: bot.Retryable, Scope: bot.ScopeMessage, MaybeSent: true},
	} {
		tw, base := newTwin(t, twin.Options{})
		a := newAdapter(t, testConfig(base), Deps{})
		tw.Fail(1, twin.Failure{Code: code})
		image := bot.Message{Image: adaptertest.Samples()["with_image"].Image}
		_, err := a.Send(t.Context(), testChannel(KindApp, base), bot.Post{Key: "k", Part: 1, Parts: 1, Message: image})
		got, ok := err.(*bot.SendError)
		if !ok || got.Code != code || got.Fault != want.Fault || got.Scope != want.Scope || got.MaybeSent != want.MaybeSent {
			t.Errorf("%s: Send = %+v, want %s, %s, maybe sent %v", code, err, want.Fault, want.Scope, want.MaybeSent)
		}
	}
}

// TestUploadElsewhere: the token goes with the file, so an address that is not Slack's gets neither.
func TestUploadElsewhere(t *testing.T) {
	called := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer elsewhere.Close()
	platform := httptest.NewServer(says(200, `{"ok":true,"upload_url":"`+elsewhere.URL+`/upload/v1/ticket","file_id":"F1"}`))
	defer platform.Close()
	a := newAdapter(t, testConfig(platform.URL), Deps{})
	image := bot.Message{Image: adaptertest.Samples()["with_image"].Image}
	_, err := a.Send(t.Context(), testChannel(KindApp, platform.URL), bot.Post{Key: "k", Part: 1, Parts: 1, Message: image})
	fault, ok := err.(*bot.SendError)
	if !ok || fault.MaybeSent || called || strings.Contains(err.Error(), "upload/v1/ticket") {
		t.Errorf("Send = %v, the other host was called: %v; want a fault that hides the address, and no call", err, called)
	}
}

func TestAnswerToOneMemberHasNoImage(t *testing.T) {
	in := &room{answer: func(context.Context, bot.Command) (bot.Message, error) {
		return adaptertest.Samples()["with_image"], nil
	}}
	tw, url := app(t, in, nil)
	got, err := tw.SlashCommand(t.Context(), url+"/slack/commands", twin.Command{Text: "/trend wasm", Channel: "C1"})
	if err != nil || got.Refused != "" || !strings.Contains(string(got.Raw), "▂▄▃▅▇▄▆█") {
		t.Errorf("answer = %s, %v; want the line of bars", got.Raw, err)
	}
	if len(tw.Posts()) != 1 || len(tw.Files()) > 0 {
		t.Errorf("%d posts and %d files, want the answer alone", len(tw.Posts()), len(tw.Files()))
	}
}
