package twin_test

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"strings"
	"testing"

	"weeklybot/adapters/slack/twin"
)

const png = "\x89PNG\r\n\x1a\nand so on"

// uploaded asks for an upload URL and sends data there as the field "file"; it returns the file's ID and what Slack would say.
func uploaded(t *testing.T, base, data string) (id, said string) {
	t.Helper()
	_, _, text := call(t, "POST", base+"/api/files.getUploadURLExternal", "application/x-www-form-urlencoded", token, form("filename", "a.png", "length", "17", "alt_txt", "bars"))
	var to struct {
		URL string `json:"upload_url"`
		ID  string `json:"file_id"`
	}
	if err := json.Unmarshal([]byte(text), &to); err != nil || to.ID == "" || !strings.HasPrefix(to.URL, base) {
		t.Fatalf("getUploadURLExternal = %s", text)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	f, _ := w.CreateFormFile("file", "a.png")
	_, _ = f.Write([]byte(data))
	_ = w.Close()
	_, _, said = call(t, "POST", to.URL, w.FormDataContentType(), "", body.String())
	return to.ID, said
}

func TestUploadIsSharedOnce(t *testing.T) {
	tw, base := start(t, twin.Options{})
	_, _, text := call(t, "POST", base+"/api/chat.postMessage", "application/x-www-form-urlencoded", token, form("channel", "C1", "text", "x"))
	parent := tw.Posts()[0].TS
	id, said := uploaded(t, base, png)
	if said != "OK - 17" {
		t.Errorf("upload answered %q after %s", said, text)
	}
	share := form("files", `[{"id":"`+id+`","title":"Trend <b>"}]`, "channel_id", "C1", "thread_ts", parent)
	if _, _, text := call(t, "POST", base+"/api/files.completeUploadExternal", "application/x-www-form-urlencoded", token, share); !strings.Contains(text, `"ok":true`) {
		t.Fatalf("completeUploadExternal = %s", text)
	}
	if _, _, text := call(t, "POST", base+"/api/files.completeUploadExternal", "application/x-www-form-urlencoded", token, share); !strings.Contains(text, "file_not_found") {
		t.Errorf("the second completeUploadExternal = %s, want file_not_found", text)
	}
	posts := tw.Posts()
	if len(posts) != 2 || posts[1].ThreadTS != parent || len(posts[1].Files) != 1 || string(posts[1].Files[0].Data) != png || posts[1].Files[0].Alt != "bars" {
		t.Errorf("posts = %+v, want the file in the thread", posts)
	}
	_, _, replies := call(t, "POST", base+"/api/conversations.replies", "application/x-www-form-urlencoded", token, form("channel", "C1", "ts", parent))
	if !strings.Contains(replies, `"name":"a.png"`) {
		t.Errorf("replies do not name the file: %s", replies)
	}
	status, header, page := call(t, "GET", base+"/", "", "", "")
	if status != 200 || !strings.Contains(page, `<img src="data:image/png;base64,iVBOR`) || !strings.Contains(page, "Trend &lt;b&gt;") || !strings.Contains(header.Get("Content-Security-Policy"), "img-src data:") {
		t.Errorf("the page does not show the image: %d %.3000s", status, page)
	}
}

func TestRefusesWrongUploads(t *testing.T) {
	tw, base := start(t, twin.Options{})
	tw.SetChannel("C0OUTSIDE", twin.Channel{NotMember: true})
	ready, _ := uploaded(t, base, png)
	empty, said := uploaded(t, base, "")
	if said != "bad request" {
		t.Errorf("an empty upload was answered %q", said)
	}
	files := func(id string) string { return `[{"id":"` + id + `"}]` }
	for _, c := range []struct{ method, body, want string }{
		{"files.getUploadURLExternal", form("length", "5"), "missing_argument"},
		{"files.getUploadURLExternal", form("filename", "a.png", "length", "0"), "missing_argument"},
		{"files.getUploadURLExternal", form("filename", "a.png", "length", "-1"), "missing_argument"},
		{"files.getUploadURLExternal", form("filename", "a.png", "length", "99999999"), "file_upload_size_restricted"},
		{"files.getUploadURLExternal", form("filename", "a.png", "length", "5", "alt_txt", strings.Repeat("周", 1001)), "alt_txt_too_large"},
		{"files.getUploadURLExternal", form("filename", "a.png", "length", "5", "alt_txt", strings.Repeat("周", 1000)), ""},
		{"files.completeUploadExternal", form("channel_id", "C1"), "invalid_arguments"},
		{"files.completeUploadExternal", form("channel_id", "C1", "files", "[]"), "invalid_arguments"},
		{"files.completeUploadExternal", form("channel_id", "C1", "files", "F1"), "invalid_arguments"},
		{"files.completeUploadExternal", form("channel_id", "C1", "files", files("F0NONE")), "file_not_found"},
		{"files.completeUploadExternal", form("channel_id", "C1", "files", files(empty)), "file_not_found"},
		{"files.completeUploadExternal", form("channel_id", "#general", "files", files(ready)), "channel_not_found"},
		{"files.completeUploadExternal", form("channel_id", "C0OUTSIDE", "files", files(ready)), "not_in_channel"},
	} {
		_, _, text := call(t, "POST", base+"/api/"+c.method, "application/x-www-form-urlencoded", token, c.body)
		if c.want == "" && !strings.Contains(text, `"ok":true`) || c.want != "" && !strings.Contains(text, `"error":"`+c.want+`"`) {
			t.Errorf("%s %.80s = %s, want %s", c.method, c.body, text, c.want)
		}
	}
	if _, _, text := call(t, "POST", base+"/api/files.completeUploadExternal", "application/x-www-form-urlencoded", "xoxb-other", form("files", files(ready))); !strings.Contains(text, "invalid_auth") {
		t.Errorf("with another token: %s", text)
	}
	if status, _, _ := call(t, "POST", base+"/upload/v1/none", "image/png", "", png); status != 400 {
		t.Errorf("an unknown upload URL answered %d", status)
	}
	if _, _, text := call(t, "POST", base+"/api/files.completeUploadExternal", "application/x-www-form-urlencoded", token, form("files", files(ready))); !strings.Contains(text, `"ok":true`) {
		t.Errorf("completing without a channel = %s", text)
	}
	if len(tw.Posts()) != 0 {
		t.Errorf("%d posts, want none: nothing was shared", len(tw.Posts()))
	}
}
