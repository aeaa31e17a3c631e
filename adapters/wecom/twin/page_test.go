package twin

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	tw, server, _ := stand(t)
	post := func(body string) {
		ask(t, "POST", server.URL+"/cgi-bin/webhook/send?key=key1", body)
	}
	post(`{"msgtype":"markdown_v2","markdown_v2":{"content":"## 周报\n- [eBPF](https://example.org/a?b=1&c=2)\n<script>alert(1)</script> [x](javascript:alert(1))"}}`)
	post(`{"msgtype":"text","text":{"content":""}}`)
	resp, err := http.Get(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	page := string(raw)
	for _, want := range []string{"key:key1", `<a rel="noreferrer" href="https://example.org/a?b=1&amp;c=2">eBPF</a>`, "&lt;script&gt;", "44004"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Count(page, "<script") != 1 || strings.Contains(page, `href="javascript`) {
		t.Error("the page runs what a post says")
	}
	if len(tw.Posts()) != 1 {
		t.Errorf("%d posts", len(tw.Posts()))
	}
}

// TestSay types on the page, to an app that answers nothing and to one that is not there.
func TestSay(t *testing.T) {
	bot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer bot.Close()
	tw := New(Options{Apps: []App{
		{CorpID: "ww1", AgentID: 1, Secret: "s", Token: "t", EncodingAESKey: "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", CallbackURL: bot.URL},
	}})
	server := httptest.NewServer(tw)
	defer server.Close()
	for form, want := range map[string]int{"agent=1&from=lisi&text=/hot": 200, "agent=2&from=lisi&text=/hot": 502, "agent=1&from=&text=x": 400, "agent=1&from=lisi": 400} {
		values, _ := url.ParseQuery(form)
		resp, err := http.PostForm(server.URL+"/say", values)
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want || want == 200 && !strings.Contains(string(page), "/hot") {
			t.Errorf("say %s: status %d, want %d", form, resp.StatusCode, want)
		}
	}
	if len(tw.Posts()) != 0 {
		t.Errorf("posts = %+v, want none: what a member says is not a post", tw.Posts())
	}
}

// TestRepeats: a bot that fails is called four times, one that answers once.
func TestRepeats(t *testing.T) {
	calls, ids := 0, map[string]bool{}
	bot := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		ids[r.URL.Query().Get("msg_signature")] = true
		if calls < 3 {
			w.WriteHeader(500)
		}
	}))
	defer bot.Close()
	tw := New(Options{Apps: []App{
		{CorpID: "ww1", AgentID: 1, Secret: "s", Token: "t", EncodingAESKey: "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", CallbackURL: bot.URL},
	}})
	heard, err := tw.Deliver(t.Context(), 1, Message{From: "lisi", Text: "x"})
	if err != nil || heard.Attempts != 3 || heard.Status != 200 || len(ids) != 1 {
		t.Errorf("heard %+v, %v, %d signatures; want the third try answered", heard, err, len(ids))
	}
	calls = -10
	if heard, _ := tw.Deliver(t.Context(), 1, Message{From: "lisi", Text: "x"}); heard.Attempts != 4 || heard.Status != 500 {
		t.Errorf("heard %+v, want four tries", heard)
	}
	if err := tw.Verify(t.Context(), 1); err == nil {
		t.Error("Verify took an empty answer for the echo")
	}
}
