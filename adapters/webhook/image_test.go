package webhook

import (
	"bytes"
	"testing"

	"weeklybot/adapters/webhook/twin"
	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

// TestImageStaysWithinTheBody sends the largest image there may be with more text than one body holds.
func TestImageStaysWithinTheBody(t *testing.T) {
	tw, a, dst := newTwin(t, twin.Options{})
	msg := bigMessage(400)
	msg.Image = adaptertest.Samples()["with_image"].Image
	msg.Image.PNG = append(msg.Image.PNG, make([]byte, bot.MaxImageBytes-len(msg.Image.PNG))...)
	parts := a.Split(Webhook, msg)
	for k, part := range parts {
		if _, err := a.Send(t.Context(), dst, bot.Post{Key: "k", Part: k + 1, Parts: len(parts), Message: part}); err != nil {
			t.Fatal(err)
		}
	}
	posts := tw.Posts()
	if len(posts) < 2 {
		t.Fatalf("%d posts: the message is too small to test anything", len(posts))
	}
	for k, p := range posts {
		if len(p.Raw) > maxBytes {
			t.Errorf("body %d has %d bytes, want at most %d", k+1, len(p.Raw), maxBytes)
		}
		img := p.Payload.Message.Image
		if k > 0 && img != nil || k == 0 && (img == nil || !bytes.Equal(img.PNG, msg.Image.PNG)) {
			t.Errorf("body %d: image %v, want it in the first alone", k+1, img != nil)
		}
	}
	msg.Image.PNG = append(msg.Image.PNG, 0)
	if parts := a.Split(Webhook, msg); parts[0].Image != nil {
		t.Error("an image over the limit was kept")
	}
}
