package twin

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/util"
	"github.com/silenceper/wechat/v2/work"
	"github.com/silenceper/wechat/v2/work/appchat"
	"github.com/silenceper/wechat/v2/work/config"
	"github.com/silenceper/wechat/v2/work/message"
	"github.com/silenceper/wechat/v2/work/robot"
)

// TestSDK lets the SDK's own client, unchanged but for its address, work against the twin. The modifier is a global of the SDK, so
// this is the only test of the package that uses it.
func TestSDK(t *testing.T) {
	tw := New(Options{
		Robots:  []string{"key1"},
		Apps:    []App{{CorpID: "ww1", AgentID: 1000002, Secret: "s1", Chats: []string{"chat1"}}},
		Members: []string{"lisi"},
	})
	server := httptest.NewServer(tw)
	defer server.Close()
	util.SetURIModifier(func(uri string) string { return strings.Replace(uri, "https://qyapi.weixin.qq.com", server.URL, 1) })
	defer util.SetURIModifier(nil)
	sdk := work.NewWork(&config.Config{CorpID: "ww1", CorpSecret: "s1", AgentID: "1000002", Cache: cache.NewMemory()})

	text := robot.WebhookSendTextOption{MsgType: "text"}
	text.Text.Content = "from the SDK"
	if info, err := sdk.GetRobot().RobotBroadcast("key1", text); err != nil || info.ErrCode != 0 {
		t.Errorf("RobotBroadcast = %+v, %v", info, err)
	}
	if info, err := sdk.GetRobot().RobotBroadcast("key9", text); err != nil || info.ErrCode != 93000 {
		t.Errorf("RobotBroadcast with a wrong key = %+v, %v; want errcode 93000 and, the SDK being as it is, no error", info, err)
	}
	sent, err := sdk.GetMessage().SendText(message.SendTextRequest{
		SendRequestCommon: &message.SendRequestCommon{ToUser: "lisi|nobody", AgentID: "1000002"}, Text: message.TextField{Content: "to the app"}})
	if err != nil || sent.MsgID == "" || sent.InvalidUser != "nobody" {
		t.Errorf("SendText = %+v, %v", sent, err)
	}
	_, err = sdk.GetMessage().SendText(message.SendTextRequest{
		SendRequestCommon: &message.SendRequestCommon{ToUser: "nobody", AgentID: "1000002"}, Text: message.TextField{Content: "x"}})
	if fault, ok := errors.AsType[*util.CommonError](err); !ok || fault.ErrCode != 81013 {
		t.Errorf("SendText to nobody = %v, want 81013", err)
	}
	chat := appchat.SendTextRequest{SendRequestCommon: &appchat.SendRequestCommon{ChatID: "chat1"}, Text: appchat.TextField{Content: "to the chat"}}
	if _, err := sdk.GetAppChat().SendText(chat); err != nil {
		t.Errorf("appchat SendText = %v", err)
	}
	var got []string
	for _, p := range tw.Posts() {
		got = append(got, p.Kind+" "+p.Content)
	}
	if want := "webhook from the SDK, app to the app, appchat to the chat"; strings.Join(got, ", ") != want {
		t.Errorf("posts = %q, want %q", got, want)
	}
	if tw.Tokens() != 1 {
		t.Errorf("%d tokens, want 1", tw.Tokens())
	}
}
