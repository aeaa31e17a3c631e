package twin

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

const png = "\x89PNG\r\n\x1a\nand so on"

// imageBody is the body of a robot's post of data.
func imageBody(data, sumOf string) string {
	sum := md5.Sum([]byte(sumOf))
	return `{"msgtype":"image","image":{"base64":"` + base64.StdEncoding.EncodeToString([]byte(data)) + `","md5":"` + hex.EncodeToString(sum[:]) + `"}}`
}

func TestRobotImages(t *testing.T) {
	tw, server, _ := stand(t)
	big := func(n int) string { return png + strings.Repeat("x", n-len(png)) }
	for _, c := range []struct {
		name, body string
		want       int
	}{
		{"a PNG", imageBody(png, png), 0},
		{"a JPG", imageBody("\xff\xd8\xff and so on", "\xff\xd8\xff and so on"), 0},
		{"two megabytes", imageBody(big(2<<20), big(2<<20)), 0},
		{"a byte more", imageBody(big(2<<20+1), big(2<<20+1)), 40009},
		{"the MD5 of something else", imageBody(png, "x"), 301019},
		{"the MD5 of the base64", imageBody(png, base64.StdEncoding.EncodeToString([]byte(png))), 301019},
		{"a GIF", imageBody("GIF89a", "GIF89a"), 40004},
		{"no base64", `{"msgtype":"image","image":{"base64":"%%","md5":"00"}}`, 40035},
		{"no md5", `{"msgtype":"image","image":{"base64":"` + base64.StdEncoding.EncodeToString([]byte(png)) + `"}}`, 40035},
		{"nothing", `{"msgtype":"image","image":{}}`, 40035},
		{"no part", `{"msgtype":"image"}`, 40035},
	} {
		before := len(tw.Posts())
		answer := ask(t, "POST", server.URL+"/cgi-bin/webhook/send?key=key1", c.body)
		if got := code(t, answer); got != c.want || len(tw.Posts())-before != map[bool]int{true: 1}[c.want == 0] {
			t.Errorf("%s: errcode %d (%v) and %d more posts, want %d", c.name, got, answer["errmsg"], len(tw.Posts())-before, c.want)
		}
	}
	if string(tw.Posts()[0].Image) != png {
		t.Errorf("the first post holds %q", tw.Posts()[0].Image)
	}
	resp, err := http.Get(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, _ := io.ReadAll(resp.Body)
	if !bytes.Contains(page, []byte(`<img src="data:image/png;base64,iVBOR`)) || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "img-src data:") {
		t.Error("the page does not show the image")
	}
}

// TestImagesCountAsPosts: they share the robot's twenty a minute.
func TestImagesCountAsPosts(t *testing.T) {
	_, server, _ := stand(t)
	for k := range 21 {
		answer := ask(t, "POST", server.URL+"/cgi-bin/webhook/send?key=key1", imageBody(png, png))
		if got, want := code(t, answer), map[bool]int{true: 45009}[k == 20]; got != want {
			t.Fatalf("image %d of a minute: errcode %d, want %d", k+1, got, want)
		}
	}
}

// upload sends data as the field of that name and returns the answer.
func upload(t *testing.T, url, field, data string) map[string]any {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	f, _ := w.CreateFormFile(field, "a.png")
	_, _ = io.WriteString(f, data)
	_ = w.Close()
	resp, err := http.Post(url, w.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestUploads(t *testing.T) {
	tw, server, clock := stand(t)
	at := server.URL + "/cgi-bin/media/upload?type=image&access_token=" + token(t, server, "s1")
	for _, c := range []struct {
		name, url, field, data string
		want                   int
	}{
		{"no token", server.URL + "/cgi-bin/media/upload?type=image", "media", png, 41001},
		{"wrong token", server.URL + "/cgi-bin/media/upload?type=image&access_token=x", "media", png, 40014},
		{"another type", strings.Replace(at, "type=image", "type=film", 1), "media", png, 40005},
		{"another field", at, "file", png, 44001},
		{"empty", at, "media", "", 44001},
		{"five bytes", at, "media", png[:5], 40006},
		{"a GIF", at, "media", "GIF89a", 40004},
		{"ten megabytes and one", at, "media", png + strings.Repeat("x", 10<<20), 40006},
	} {
		if answer := upload(t, c.url, c.field, c.data); code(t, answer) != c.want {
			t.Errorf("%s: %v, want %d", c.name, answer, c.want)
		}
	}
	answer := upload(t, at, "media", png)
	id, _ := answer["media_id"].(string)
	if code(t, answer) != 0 || id == "" || tw.Uploads() != 1 {
		t.Fatalf("upload = %v with %d uploads", answer, tw.Uploads())
	}
	send := func(secret string, agent, id string) int {
		body := `{"touser":"lisi","agentid":` + agent + `,"msgtype":"image","image":{"media_id":"` + id + `"}}`
		return code(t, ask(t, "POST", server.URL+"/cgi-bin/message/send?access_token="+token(t, server, secret), body))
	}
	if got := send("s1", "1000002", id); got != 0 || string(tw.Posts()[0].Image) != png {
		t.Errorf("posting the upload: errcode %d, posts %+v", got, tw.Posts())
	}
	if got := send("s2", "1000003", id); got != 0 {
		t.Errorf("another app of the corp: errcode %d, want 0: uploads are shared", got)
	}
	if got := send("s1", "1000002", "other"); got != 40007 {
		t.Errorf("an unknown media_id: errcode %d, want 40007", got)
	}
	clock.Add(3 * 24 * 3600)
	if got := send("s1", "1000002", id); got != 40007 {
		t.Errorf("after three days: errcode %d, want 40007", got)
	}
}
