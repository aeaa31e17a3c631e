package wecom

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/silenceper/wechat/v2/util"

	"weeklybot/bot"
)

// TestOthersOfTheSDK: what another user of the SDK in this process asks for passes through unchanged.
func TestOthersOfTheSDK(t *testing.T) {
	newTestAdapter(t, Config{}, Deps{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		io.WriteString(w, r.URL.RawQuery+" "+string(body))
	}))
	defer server.Close()
	got, err := util.HTTPPost(server.URL+"/?access_token=call-1&key=x", `{"a":"\u003c"}`)
	if want := `access_token=call-1&key=x {"a":"\u003c"}`; err != nil || string(got) != want {
		t.Errorf("HTTPPost = %q, %v; want %q", got, err, want)
	}
}

// TestRequest is one request of each kind as it leaves: path, parameters, type, and a body that is what Preview shows.
func TestRequest(t *testing.T) {
	var got []*http.Request
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/gettoken") {
			body, _ := io.ReadAll(r.Body)
			got, bodies = append(got, r), append(bodies, string(body))
		} else if q := r.URL.Query(); r.Method != "GET" || q.Get("corpid") != testCorp || q.Get("corpsecret") != testSecret {
			t.Errorf("gettoken asked with %s %s", r.Method, r.URL.RawQuery)
		}
		accept(w, r)
	}))
	defer server.Close()
	a := newTestAdapter(t, testConfig(server.URL), Deps{})
	p := bot.Post{Key: "k", Part: 1, Parts: 1, Message: bot.Message{Title: "< > &", Blocks: []bot.Block{
		{Kind: bot.BlockItem, Title: "x", URL: "https://example.org/?a=1&b=2"}}}}
	for k, want := range []struct {
		kind         bot.Kind
		path, secret string
	}{
		{KindWebhook, "/cgi-bin/webhook/send", testKey},
		{KindApp, "/cgi-bin/message/send", testAccess},
		{KindAppChat, "/cgi-bin/appchat/send", testAccess},
	} {
		if _, err := a.Send(t.Context(), testChannel(want.kind, server.URL), p); err != nil {
			t.Fatal(err)
		}
		shown, _ := a.Preview(want.kind, p)
		r, q := got[k], got[k].URL.Query()
		if r.Method != "POST" || r.URL.Path != want.path || q.Get("key")+q.Get("access_token") != want.secret || len(q) != 1 ||
			r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s: %s %s, type %q", want.kind, r.Method, r.URL, r.Header.Get("Content-Type"))
		}
		if posted := scrub(want.kind, []byte(bodies[k])); string(posted) != string(shown) {
			t.Errorf("%s posts %s\nPreview shows %s", want.kind, posted, shown)
		}
	}
}

// inProcess answers without a network: what is left is the adapter's own work.
type inProcess struct{}

func (inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"errcode":0,"errmsg":"ok"}`)), Request: r}, nil
}

// BenchmarkSend is one post of a full part, without network.
func BenchmarkSend(b *testing.B) {
	a := newTestAdapter(b, Config{}, Deps{HTTP: &http.Client{Transport: inProcess{}}})
	msg, _ := bigIssue()
	part := a.Split(KindWebhook, msg)[0]
	dst := bot.Channel{Kind: KindWebhook, URL: testKey}
	for b.Loop() {
		if _, err := a.Send(b.Context(), dst, bot.Post{Part: 1, Parts: 2, Message: part}); err != nil {
			b.Fatal(err)
		}
	}
}
