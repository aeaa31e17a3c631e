package admin

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/embedded"
	"weeklybot/bot/outbox"
	"weeklybot/bot/redisstore"
	"weeklybot/bot/schedule"
	"weeklybot/content"
)

// chat is a platform that refuses one channel, and does not answer the first post to another.
type chat struct{ posts *atomic.Int64 }

func (chat) Name() string                                  { return "chat" }
func (chat) Kinds() []bot.Kind                             { return []bot.Kind{"app"} }
func (chat) Capabilities(bot.Kind) bot.Capabilities        { return bot.Capabilities{} }
func (chat) Split(_ bot.Kind, m bot.Message) []bot.Message { return []bot.Message{m} }
func (chat) Preview(_ bot.Kind, p bot.Post) (body []byte, _ error) {
	return fmt.Appendf(nil, "%q", p.Message.Title), nil
}
func (c chat) Send(_ context.Context, dst bot.Channel, _ bot.Post) (bot.Receipt, error) {
	if dst.Address == "C0" {
		return "", &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeChannel, Code: "is_archived", Err: errors.New("the channel is archived")}
	}
	if dst.Address == "C1" && c.posts.Add(1) == 1 {
		return "", &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", MaybeSent: true, Err: errors.New("EOF")}
	}
	return "receipt", nil
}

// A broadcast on a schedule goes out, its report names what failed and why, and it waits for its next time.
func TestScheduledBroadcastIsReported(t *testing.T) {
	e, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rdb := e.Client()
	t.Cleanup(func() { _ = rdb.Close(); _ = e.Close() })
	store, err := redisstore.Open(t.Context(), rdb, redisstore.Options{Shards: 2, Sole: true, SlotID: schedule.SlotID, Next: schedule.Next})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		ch := bot.Channel{Adapter: "chat", Kind: "app", Workspace: "W", Address: fmt.Sprint("C", i)}
		if _, err := store.Add(t.Context(), ch, bot.Subscription{Schedule: bot.Schedule{OnPublish: true}}); err != nil {
			t.Fatal(err)
		}
	}
	lib := content.NewLibrary(nil, content.DefaultTopics())
	platform := chat{&atomic.Int64{}}
	desk := New(Deps{Store: store, Library: func() *content.Library { return lib }, Topics: content.DefaultTopics(), Adapters: []bot.Adapter{platform}, Lang: "en", Zone: "UTC"})
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	engine := outbox.New(outbox.Config{Queue: store, Adapters: []bot.Adapter{platform}, Next: schedule.Next, Beat: 20 * time.Millisecond, Backoff: 10 * time.Millisecond})
	go func() { stopped <- engine.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-stopped })

	me := Actor{Who: "chat:W/U1", Where: "chat:W/C1", Lang: "en"}
	d, err := desk.Draft(t.Context(), me, Request{Title: "Rota", Text: "new", When: "Mon 09:00"})
	if err != nil || d.Broadcast.Count != 5 {
		t.Fatalf("Draft = %+v, %v", d, err)
	}
	previews, err := desk.Previews(t.Context(), me, d.Broadcast.ID)
	if err != nil || len(previews) != 1 || previews[0].Channels != 5 || string(previews[0].Bodies[0]) != `"Rota"` {
		t.Errorf("Previews = %+v, %v", previews, err)
	}
	if _, err := desk.Approve(t.Context(), me, d.Broadcast.ID, d.Broadcast.Token); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		_, err = store.ChangeBroadcast(t.Context(), d.Broadcast.ID, func(b *bot.Broadcast) (*bot.Order, error) { b.Next = time.Now(); return nil, nil })
		if err != nil {
			t.Fatal(err)
		}
		var r Report
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if r, err = desk.Report(t.Context(), me, d.Broadcast.ID); err != nil {
				t.Fatal(err)
			}
			if len(r.Broadcast.Runs) == n && r.Broadcast.State == bot.BroadcastScheduled && r.Progress.Ended {
				break
			}
		}
		if p := r.Progress; p == nil || p.Counts[bot.Sent] != 4 || p.Counts[bot.Dead] != 1 || p.Reached != 5 || r.Reasons["is_archived"] != 1 || len(r.Failures) != 1 {
			t.Fatalf("occurrence %d: report %+v, progress %+v", n, r, r.Progress)
		}
		if r.Broadcast.Next.IsZero() || r.Broadcast.Last().Done == nil {
			t.Errorf("occurrence %d: %+v has no next time, or no end", n, r.Broadcast)
		}
		if want := 2 - n; r.Uncertain != want { // the first was posted again without an answer
			t.Errorf("occurrence %d: %d uncertain, want %d", n, r.Uncertain, want)
		}
	}
	list, err := desk.Deliveries(t.Context(), me, "", bot.Uncertain, "", 10)
	if err != nil || len(list) != 1 || list[0].Code != "no_answer" {
		t.Fatalf("uncertain deliveries: %+v, %v", list, err)
	}
	var refused *bot.UserError
	if err := desk.Retry(t.Context(), me, list[0].ID); !errors.As(err, &refused) || refused.Code != CodeBusy {
		t.Errorf("Retry of what was sent again = %v, want a fault with code %s", err, CodeBusy)
	}
}
