package twin

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/open-dingtalk/dingtalk-stream-sdk-go/chatbot"
	"github.com/open-dingtalk/dingtalk-stream-sdk-go/client"
)

const openPath = "/v1.0/gateway/connections/open"

func TestGatewayRefusesWhatIsWrong(t *testing.T) {
	tw, base, clock := start(t, appOptions())
	asJSON := map[string]string{"Accept": "application/json"}
	good := `{"clientId":"id","clientSecret":"sec","subscriptions":[{"type":"CALLBACK","topic":"/v1.0/im/bot/messages/get"}]}`
	ticket := func() string {
		_, _, answer := post(t, base+openPath, asJSON, good)
		var got struct{ Endpoint, Ticket string }
		if err := json.Unmarshal([]byte(answer), &got); err != nil || got.Ticket == "" {
			t.Fatalf("open: %s", answer)
		}
		return got.Endpoint + "?ticket=" + got.Ticket
	}
	if status, code, _ := post(t, base+openPath, asJSON, strings.Replace(good, "sec", "no", 1)); status != 401 || code != "authFailed" {
		t.Errorf("wrong secret: %d %s", status, code)
	}
	if status, _, _ := post(t, base+openPath, asJSON, `{"clientId":"id","clientSecret":"sec"}`); status != 400 {
		t.Errorf("no subscriptions: %d", status)
	}
	if _, _, answer := post(t, base+openPath, map[string]string{"Accept": "*/*"}, good); !strings.HasPrefix(answer, "<") {
		t.Errorf("without Accept: application/json the platform answers in XML, the twin %s", answer)
	}
	target := ticket()
	conn, _, err := websocket.DefaultDialer.Dial(target, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, resp, err := websocket.DefaultDialer.Dial(target, nil); err == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a ticket was good twice: %v", err)
	}
	late := ticket()
	clock.now = clock.now.Add(91 * time.Second)
	if _, resp, err := websocket.DefaultDialer.Dial(late, nil); err == nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a ticket was good after 91 s: %v", err)
	}
	if n := tw.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// The official client works against the twin as it is.
func TestOfficialClient(t *testing.T) {
	tw, base, _ := start(t, appOptions())
	got := make(chan *chatbot.BotCallbackDataModel, 1)
	cli := client.NewStreamClient(client.WithAppCredential(client.NewAppCredentialConfig("id", "sec")), client.WithOpenApiHost(base))
	cli.RegisterChatBotCallbackRouter(func(ctx context.Context, data *chatbot.BotCallbackDataModel) ([]byte, error) {
		got <- data
		return []byte(""), chatbot.NewChatbotReplier().SimpleReplyText(ctx, data.SessionWebhook, []byte("你好"))
	})
	if err := cli.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	answer, err := tw.SayStream(t.Context(), Said{Text: "/hot ebpf", Staff: "0147", Nick: "小钉", Group: "cid", GroupTitle: "群"})
	if err != nil || answer.Code != 200 {
		t.Fatalf("%+v, %v", answer, err)
	}
	if data := <-got; data.Text.Content != " /hot ebpf" || data.SenderStaffId != "0147" || data.ConversationId != "cid" {
		t.Errorf("the official client got %+v", data)
	}
	if posts := tw.Posts(); len(posts) != 1 || posts[0].Text != "你好" || posts[0].Channel != "group:cid" {
		t.Errorf("posts %+v", posts)
	}
	if answer, err := tw.Frame(t.Context(), "SYSTEM", map[string]string{"topic": "ping"}, map[string]string{"opaque": "1"}); err != nil || answer.Code != 200 {
		t.Errorf("ping: %+v, %v", answer, err)
	}
}
