// Package clients runs official client libraries, unchanged, against the stand-ins. It is a module of its own: what it needs takes minutes to
// compile, and must not burden the program.
package clients

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	lark "github.com/larksuite/oapi-sdk-go/v3"
	larkcore "github.com/larksuite/oapi-sdk-go/v3/core"
	larkevent "github.com/larksuite/oapi-sdk-go/v3/event"
	"github.com/larksuite/oapi-sdk-go/v3/event/dispatcher"
	larkim "github.com/larksuite/oapi-sdk-go/v3/service/im/v1"
	larkws "github.com/larksuite/oapi-sdk-go/v3/ws"

	"weeklybot/adapters/feishu/twin"
)

const appSecret = "test-app-secret"

// serial makes each app another one: the client keeps the tokens of all apps in one place.
var serial atomic.Int64

func startTwin(t *testing.T) (tw *twin.Twin, base, appID string) {
	t.Helper()
	appID = fmt.Sprint("cli_", serial.Add(1))
	tw = twin.New(twin.Options{AppID: appID, AppSecret: appSecret, TenantKey: "tenant1", HookTimeout: time.Minute})
	server := httptest.NewServer(tw)
	t.Cleanup(server.Close)
	return tw, server.URL, appID
}

func newClient(id, secret, base string) *lark.Client {
	return lark.NewClient(id, secret, lark.WithOpenBaseUrl(base), lark.WithLogLevel(larkcore.LogLevelError))
}

func create(receiver, kind, content, uuid string) *larkim.CreateMessageReq {
	return larkim.NewCreateMessageReqBuilder().ReceiveIdType("chat_id").Body(larkim.NewCreateMessageReqBodyBuilder().
		ReceiveId(receiver).MsgType(kind).Content(content).Uuid(uuid).Build()).Build()
}

const card = `{"schema":"2.0","header":{"title":{"tag":"plain_text","content":"周报"}},"body":{"elements":[{"tag":"markdown","content":"**甲**"}]}}`

func TestFeishuMessages(t *testing.T) {
	tw, base, appID := startTwin(t)
	messages := newClient(appID, appSecret, base).Im.V1.Message
	sent, err := messages.Create(t.Context(), create("oc_1", "interactive", card, "u1"))
	if err != nil || !sent.Success() || *sent.Data.MessageId == "" {
		t.Fatalf("create = %+v, %v", sent, err)
	}
	if again, err := messages.Create(t.Context(), create("oc_1", "interactive", card, "u1")); err != nil || *again.Data.MessageId != *sent.Data.MessageId {
		t.Errorf("the same uuid again = %+v, %v", again, err)
	}
	reply, err := messages.Reply(t.Context(), larkim.NewReplyMessageReqBuilder().MessageId(*sent.Data.MessageId).Body(
		larkim.NewReplyMessageReqBodyBuilder().MsgType("text").Content(`{"text":"好"}`).Build()).Build())
	if err != nil || !reply.Success() {
		t.Errorf("reply = %+v, %v", reply, err)
	}
	if posts := tw.Posts(); len(posts) != 2 || posts[0].Title != "周报" || posts[1].ReplyTo != *sent.Data.MessageId {
		t.Errorf("posts %+v", posts)
	}
	for name, c := range map[string]struct {
		request *larkim.CreateMessageReq
		code    int
	}{
		"unknown element": {create("oc_1", "interactive", `{"schema":"2.0","body":{"elements":[{"tag":"table2"}]}}`, ""), 230099},
		"no text":         {create("oc_1", "text", `{}`, ""), 230001},
		"no chat":         {create("ou_1", "text", `{"text":"x"}`, ""), 230001},
		"too long":        {create("oc_1", "interactive", strings.Replace(card, "甲", strings.Repeat("甲", 10_000), 1), ""), 230025},
	} {
		if got, err := messages.Create(t.Context(), c.request); err != nil || got.Code != c.code {
			t.Errorf("%s: %+v, %v, want code %d", name, got, err, c.code)
		}
	}
	gone := larkim.NewDeleteMessageReqBuilder().MessageId(*sent.Data.MessageId).Build()
	for _, code := range []int{0, 230011} { // the second time it is not there
		if got, err := messages.Delete(t.Context(), gone); err != nil || got.Code != code {
			t.Errorf("delete = %+v, %v, want code %d", got, err, code)
		}
	}
	tw.ExpireToken() // the client repeats the call, with the same token
	if got, err := messages.Create(t.Context(), create("oc_1", "text", `{"text":"x"}`, "")); err != nil || got.Code != 99991663 {
		t.Errorf("a stale token: %+v, %v", got, err)
	}
	if _, err := newClient("other", "wrong", base).Im.V1.Message.Create(t.Context(), create("oc_1", "text", `{"text":"x"}`, "")); err == nil {
		t.Error("a wrong secret was taken")
	}
}

// heard is what a client got over the long connection.
type heard struct{ kind, chat, text string }

// listen connects the official client. stop waits for its end.
func listen(t *testing.T, base, appID string) (got chan heard, again <-chan struct{}, stop func()) {
	t.Helper()
	got = make(chan heard, 100)
	events := dispatcher.NewEventDispatcher("", "").
		OnP2MessageReceiveV1(func(_ context.Context, e *larkim.P2MessageReceiveV1) error {
			var content struct{ Text string }
			_ = json.Unmarshal([]byte(*e.Event.Message.Content), &content)
			got <- heard{"message", *e.Event.Message.ChatId, content.Text}
			return nil
		}).
		OnCustomizedEvent("im.chat.disbanded_v1", func(_ context.Context, e *larkevent.EventReq) error {
			var body struct {
				Event struct {
					ChatID string `json:"chat_id"`
				}
			}
			_ = json.Unmarshal(e.Body, &body)
			got <- heard{"disbanded", body.Event.ChatID, ""}
			return nil
		})
	ready, reconnected := make(chan struct{}, 1), make(chan struct{}, 1)
	client := larkws.NewClient(appID, appSecret, larkws.WithDomain(base), larkws.WithEventHandler(events),
		larkws.WithLogLevel(larkcore.LogLevelError), larkws.WithOnReady(func() { ready <- struct{}{} }),
		larkws.WithOnReconnected(func() { reconnected <- struct{}{} }))
	done := make(chan error, 1)
	go func() { done <- client.Start(context.Background()) }()
	select {
	case <-ready:
	case err := <-done:
		t.Fatalf("Start = %v", err)
	}
	return got, reconnected, func() {
		if err := client.CloseAndWait(t.Context()); err != nil {
			t.Errorf("CloseAndWait = %v", err)
		}
	}
}

func TestFeishuLongConnection(t *testing.T) {
	tw, base, appID := startTwin(t)
	got, again, stop := listen(t, base, appID)
	if ack, err := tw.SaySocket(t.Context(), twin.Said{Text: "/hot ebpf", User: "ou_1", Chat: "oc_1"}); err != nil || ack.Code != 200 {
		t.Errorf("message: %+v, %v", ack, err)
	}
	if m := <-got; m != (heard{"message", "oc_1", "@_user_1 /hot ebpf"}) {
		t.Errorf("heard %+v", m)
	}
	if ack, err := tw.SocketEvent(t.Context(), "im.chat.disbanded_v1", "e1", map[string]any{"chat_id": "oc_1"}); err != nil || ack.Code != 200 {
		t.Errorf("event: %+v, %v", ack, err)
	}
	if m := <-got; m != (heard{"disbanded", "oc_1", ""}) {
		t.Errorf("heard %+v", m)
	}
	tw.CutSockets(1)
	<-again // it dials again by itself
	if ack, err := tw.SaySocket(t.Context(), twin.Said{Text: "/hot", User: "ou_1", Chat: "oc_1"}); err != nil || ack.Code != 200 {
		t.Errorf("after a cut: %+v, %v", ack, err)
	}
	stop()
}

func TestFeishuWrongSecret(t *testing.T) {
	_, base, appID := startTwin(t)
	client := larkws.NewClient(appID, "wrong", larkws.WithDomain(base), larkws.WithLogLevel(larkcore.LogLevelError))
	if err := client.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "10014") {
		t.Errorf("Start = %v, want 10014", err)
	}
}
