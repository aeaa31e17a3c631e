package twin

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/silenceper/wechat/v2/cache"
	"github.com/silenceper/wechat/v2/util"
	"github.com/silenceper/wechat/v2/work"
	"github.com/silenceper/wechat/v2/work/appchat"
	"github.com/silenceper/wechat/v2/work/config"
	"github.com/silenceper/wechat/v2/work/kf"
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
	posts := len(tw.Posts())
	for name, option := range map[string]any{
		"markdown": sdkMarkdown(), "image": sdkImage(), "news": sdkNews(), "card": sdkCard(),
	} {
		if info, err := sdk.GetRobot().RobotBroadcast("key1", option); err != nil || info.ErrCode != 0 {
			t.Errorf("RobotBroadcast of a %s = %+v, %v", name, info, err)
		}
	}
	file, err := sdk.GetMaterial().UploadTempFileFromReader("x.png", "image", strings.NewReader(png))
	if err != nil || file.MediaID == "" {
		t.Fatalf("UploadTempFileFromReader = %+v, %v", file, err)
	}
	if sent, err := sdk.GetMessage().SendImage(message.SendImageRequest{
		SendRequestCommon: &message.SendRequestCommon{ToUser: "lisi", MsgType: "image", AgentID: "1000002"}, Image: message.ImageField{MediaID: file.MediaID},
	}); err != nil || sent.MsgID == "" {
		t.Errorf("SendImage = %+v, %v", sent, err)
	}
	image := appchat.SendImageRequest{SendRequestCommon: &appchat.SendRequestCommon{ChatID: "chat1", MsgType: "image"}, Image: appchat.ImageField{MediaID: file.MediaID}}
	if _, err := sdk.GetAppChat().SendImage(image); err != nil {
		t.Errorf("appchat SendImage = %v", err)
	}
	if n := len(tw.Posts()) - posts; n != 6 {
		t.Errorf("%d posts of other types, want 6", n)
	}
	var got []string
	for _, p := range tw.Posts()[:posts] {
		got = append(got, p.Kind+" "+p.Content)
	}
	if want := "webhook from the SDK, app to the app, appchat to the chat"; strings.Join(got, ", ") != want {
		t.Errorf("posts = %q, want %q", got, want)
	}
	if tw.Tokens() != 1 {
		t.Errorf("%d tokens, want 1", tw.Tokens())
	}
}

func sdkMarkdown() (o robot.WebhookSendMarkdownOption) {
	o.MsgType, o.Markdown.Content = "markdown", "**x**"
	return o
}

func sdkImage() (o robot.WebhookSendImageOption) {
	sum := md5.Sum([]byte(png))
	o.MsgType, o.Image.Base64, o.Image.MD5 = "image", base64.StdEncoding.EncodeToString([]byte(png)), hex.EncodeToString(sum[:])
	return o
}

func sdkNews() (o robot.WebhookSendNewsOption) {
	o.MsgType = "news"
	o.News.Articles = append(o.News.Articles, struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		URL         string `json:"url"`
		PicURL      string `json:"picurl"`
	}{Title: "t", URL: "https://example.org/"})
	return o
}

func sdkCard() robot.WebHookSendTempNoticeOption {
	return robot.WebHookSendTempNoticeOption{MsgType: "template_card", TemplateCard: robot.TemplateCard{CardType: "text_notice", MainTitle: robot.CardTitle{Title: "t"},
		HorizontalContentList: []robot.CardContent{{KeyName: "1", Value: "v", Type: 1, URL: "https://example.org/"}}, CardAction: robot.CardAction{Type: 1, URL: "https://example.org/"}}}
}

// TestSDKVerifies: the SDK, behind an app's callback URL, knows the twin's request for an echo as WeCom's.
func TestSDKVerifies(t *testing.T) {
	const token, key = "QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
	client, err := work.NewWork(&config.Config{CorpID: "ww1", Token: token, EncodingAESKey: key, Cache: cache.NewMemory()}).GetKF()
	if err != nil {
		t.Fatal(err)
	}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		echo, err := client.VerifyURL(kf.SignatureOptions{Signature: q.Get("msg_signature"), TimeStamp: q.Get("timestamp"), Nonce: q.Get("nonce"), EchoStr: q.Get("echostr")})
		if err != nil {
			t.Error(err)
		}
		io.WriteString(w, echo)
	}))
	defer app.Close()
	tw := New(Options{Apps: []App{{CorpID: "ww1", AgentID: 1, Token: token, EncodingAESKey: key, CallbackURL: app.URL}}})
	if err := tw.Verify(t.Context(), 1); err != nil {
		t.Error(err)
	}
}
