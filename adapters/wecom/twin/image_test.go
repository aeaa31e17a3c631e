package twin

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
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

// TestUploadsOverTheGateway: frames of an upload, written by hand.
func TestUploadsOverTheGateway(t *testing.T) {
	tw, server, clock := gate(t)
	c := dial(t, server)
	c.ask(subscribeA)
	if _, err := tw.SayBot(t.Context(), Said{Chat: "wrTeam", From: "lisi", Text: "x"}); err != nil {
		t.Fatal(err)
	}
	c.read()
	n := 0
	ask := func(cmd, body string) (int, map[string]any) {
		n++
		if err := c.WriteMessage(1, fmt.Appendf(nil, `{"cmd":%q,"headers":{"req_id":"u%d"},"body":%s}`, "aibot_upload_media_"+cmd, n, body)); err != nil {
			t.Fatal(err)
		}
		var answer struct {
			ErrCode int
			Body    map[string]any
		}
		if err := c.ReadJSON(&answer); err != nil {
			t.Fatal(err)
		}
		return answer.ErrCode, answer.Body
	}
	png := "\x89PNG\r\n\x1a\n and more"
	half := len(png) / 2
	start := func(size int, sum string) string {
		t.Helper()
		code, body := ask("init", fmt.Sprintf(`{"type":"image","filename":"x.png","total_size":%d,"total_chunks":2,"md5":%q}`, size, sum))
		if code != 0 {
			t.Fatalf("init: %d", code)
		}
		return body["upload_id"].(string)
	}
	piece := func(id string, at int, data string) int {
		code, _ := ask("chunk", fmt.Sprintf(`{"upload_id":%q,"chunk_index":%d,"base64_data":%q}`, id, at, base64.StdEncoding.EncodeToString([]byte(data))))
		return code
	}
	id := start(len(png), fmt.Sprintf("%x", md5.Sum([]byte(png))))
	other := start(len(png), strings.Repeat("0", 32))
	text := start(10, "")
	for _, w := range []struct {
		name string
		got  int
		want int
	}{
		{"a video", first(ask("init", `{"type":"video","filename":"x","total_size":10,"total_chunks":1}`)), 40004},
		{"no name", first(ask("init", `{"type":"image","total_size":10,"total_chunks":1}`)), 40035},
		{"no pieces", first(ask("init", `{"type":"image","filename":"x","total_size":10,"total_chunks":0}`)), 40035},
		{"101 pieces", first(ask("init", `{"type":"image","filename":"x","total_size":10,"total_chunks":101}`)), 40035},
		{"too small", first(ask("init", `{"type":"image","filename":"x","total_size":5,"total_chunks":1}`)), 40006},
		{"too big", first(ask("init", `{"type":"image","filename":"x","total_size":10485761,"total_chunks":100}`)), 40006},
		{"unknown upload", piece("x", 0, "x"), 40035},
		{"third of two", piece(id, 2, "x"), 40035},
		{"empty piece", piece(id, 0, ""), 40035},
		{"second piece", piece(id, 1, png[half:]), 0},
		{"half an upload", first(ask("finish", `{"upload_id":"`+id+`"}`)), 40035},
		{"first piece", piece(id, 0, png[:half]), 0},
		{"other's pieces", piece(other, 0, png[:half]) + piece(other, 1, png[half:]), 0},
		{"another sum", first(ask("finish", `{"upload_id":"`+other+`"}`)), 301019},
		{"a text's pieces", piece(text, 0, "hello") + piece(text, 1, "world"), 0},
		{"no image", first(ask("finish", `{"upload_id":"`+text+`"}`)), 40004},
		{"unknown end", first(ask("finish", `{"upload_id":"x"}`)), 40035},
	} {
		if w.got != w.want {
			t.Errorf("%s: errcode %d, want %d", w.name, w.got, w.want)
		}
	}
	code, body := ask("finish", `{"upload_id":"`+id+`"}`)
	media, _ := body["media_id"].(string)
	push := `{"cmd":"aibot_send_msg","headers":{"req_id":"p%d"},"body":{"chatid":"wrTeam","msgtype":"image","image":{"media_id":%q}}}`
	if code != 0 || c.ask(fmt.Sprintf(push, 1, media)) != 0 || string(tw.Posts()[0].Image) != png {
		t.Errorf("finish: %d %v, posts %+v", code, body, tw.Posts())
	}
	if got := c.ask(fmt.Sprintf(push, 2, "nope")); got != 40007 {
		t.Errorf("unknown media: errcode %d", got)
	}
	clock.Add(3 * 24 * 3600)
	if got := c.ask(fmt.Sprintf(push, 3, media)); got != 40007 {
		t.Errorf("after three days: errcode %d", got)
	}
}

func first(code int, _ map[string]any) int { return code }
