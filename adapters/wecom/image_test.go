package wecom

import (
	"bytes"
	"context"
	"testing"
	"time"

	"weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

func TestImageArrives(t *testing.T) {
	for _, kind := range []bot.Kind{KindWebhook, KindApp, KindAppChat} {
		s := newStand(t, nil)
		msg := adaptertest.Samples()["with_image"]
		parts := s.adapter.Split(kind, msg)
		for k, part := range parts {
			if fault := s.send(testChannel(kind, s.url), bot.Post{Key: "k", Part: k + 1, Parts: len(parts), Message: part}); fault != nil {
				t.Fatalf("%s, part %d: %v", kind, k+1, fault)
			}
		}
		posts := s.Posts()
		if len(posts) != 2 || posts[0].Content == "" || posts[1].MsgType != "image" || !bytes.Equal(posts[1].Image, msg.Image.PNG) {
			t.Errorf("%s: posts %+v, want the text, then the image", kind, posts)
		}
		if refused := s.Refused(); len(refused) > 0 {
			t.Errorf("%s: refused %+v", kind, refused)
		}
	}
}

// TestImageIsUploadedOnce: a second receiver costs no upload, and a repeated attempt is recognised by WeCom's duplicate check.
func TestImageIsUploadedOnce(t *testing.T) {
	s := newStand(t, nil)
	image := bot.Message{Image: adaptertest.Samples()["with_image"].Image}
	to := func(user string) *bot.SendError {
		return s.send(bot.Channel{Kind: KindApp, Workspace: testCorp, Address: "user:" + user}, bot.Post{Key: "k", Part: 2, Parts: 2, Message: image})
	}
	s.Fail(1, twin.Failure{DropAfter: true})
	if fault := to("lisi"); fault == nil || !fault.MaybeSent {
		t.Fatalf("Send with a lost answer = %v", fault)
	}
	for _, user := range []string{"lisi", "zhangsan"} {
		if fault := to(user); fault != nil {
			t.Fatal(fault)
		}
	}
	if s.Uploads() != 1 || s.Suppressed() != 1 || len(s.Posts()) != 2 {
		t.Errorf("%d uploads, %d repeats not shown, %d posts; want 1, 1 and 2", s.Uploads(), s.Suppressed(), len(s.Posts()))
	}
	s.clock.Add(int64(mediaLife / time.Second))
	if fault := to("zhangsan"); fault == nil || fault.Code != "42001" {
		t.Errorf("after %v: %v, want the token refused: it is over too", mediaLife, fault)
	}
	if fault := to("zhangsan"); fault != nil || s.Uploads() != 2 {
		t.Errorf("after %v: %v with %d uploads, want a new one: WeCom forgets them", mediaLife, fault, s.Uploads())
	}
}

func TestUploadFaultsPostNothing(t *testing.T) {
	s := newStand(t, nil)
	image := bot.Message{Image: adaptertest.Samples()["with_image"].Image}
	s.ExpireTokens()
	if fault := s.send(testChannel(KindApp, s.url), bot.Post{Message: image}); fault != nil {
		t.Fatal(fault)
	}
	s.ExpireTokens()
	other := &bot.Image{PNG: append(bytes.Clone(image.Image.PNG), 0), Alt: "x"}
	fault := s.send(testChannel(KindApp, s.url), bot.Post{Message: bot.Message{Image: other}})
	if fault == nil || fault.Code != "42001" || fault.Fault != bot.Retryable || fault.MaybeSent {
		t.Errorf("upload with an expired token = %+v, want retryable, not sent", fault)
	}
	if fault := s.send(testChannel(KindApp, s.url), bot.Post{Message: bot.Message{Image: other}}); fault != nil {
		t.Errorf("Send after that: %v", fault)
	}
	if fault := s.send(bot.Channel{Kind: KindApp, Workspace: "wwnope", Address: "user:lisi"}, bot.Post{Message: image}); fault == nil || fault.Code != "no_app" {
		t.Errorf("an unknown workspace: %v", fault)
	}
	if len(s.Posts()) != 2 {
		t.Errorf("%d posts, want 2", len(s.Posts()))
	}
}

// TestImageFollowsAPassiveAnswer: the text comes at once, the image as an app message.
func TestImageFollowsAPassiveAnswer(t *testing.T) {
	msg := adaptertest.Samples()["with_image"]
	platform := conversation(t, saying(msg))
	heard, err := platform.Deliver(t.Context(), testAgent, twin.Message{From: "lisi", Text: "/trend wasm"})
	if err != nil || heard.Status != 200 {
		t.Fatalf("Deliver = %+v, %v", heard, err)
	}
	deadline := time.Now().Add(time.Minute)
	for len(platform.Posts()) < 2 && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	posts := platform.Posts()
	if len(posts) != 2 || posts[0].Kind != "passive" && posts[1].Kind != "passive" {
		t.Fatalf("posts %+v, want a passive answer and an image", posts)
	}
	for _, p := range posts {
		if p.Kind == "app" && (!bytes.Equal(p.Image, msg.Image.PNG) || p.Channel != "user:lisi") {
			t.Errorf("the app message is %+v, want the image for lisi", p)
		}
	}
}

// TestImageInABotsChat: a chart follows the answer of an AI bot, also of one whose connection another replica keeps.
func TestImageInABotsChat(t *testing.T) {
	g, _, other, _, _ := pair(t)
	msg := adaptertest.Samples()["with_image"]
	g.in.mu.Lock()
	g.in.answer = func(context.Context, bot.Command) (bot.Message, error) { return msg, nil }
	g.in.mu.Unlock()
	g.say(twin.Said{Chat: "wrTeam", From: "lisi", Text: "@周报 Bot /trend wasm"})
	posts := g.answers(3)
	if posts[1].MsgType != "stream" || posts[2].MsgType != "image" || !bytes.Equal(posts[2].Image, msg.Image.PNG) || posts[2].Channel != "chat:wrTeam" {
		t.Errorf("posts %+v", posts[1:])
	}
	parts := other.Split(KindAIBot, msg)
	for k, part := range parts {
		if _, err := other.Send(t.Context(), groupChannel("wrTeam"), bot.Post{Key: "d", Part: k + 1, Parts: len(parts), Message: part}); err != nil {
			t.Fatal(err)
		}
	}
	if posts := g.Posts(); len(posts) != 5 || !bytes.Equal(posts[4].Image, msg.Image.PNG) {
		t.Errorf("%d posts over the other replica, want text and image", len(posts)-3)
	}
	if len(g.Refused()) != 0 {
		t.Errorf("refused %+v", g.Refused())
	}
	g.Fail(1, twin.Failure{Code: 93006})
	if _, err := other.Send(t.Context(), groupChannel("wrTeam"), bot.Post{Part: 2, Parts: 2, Message: parts[1]}); err == nil || err.(*bot.SendError).Code != "93006" {
		t.Errorf("refused image: %v", err)
	}
}
