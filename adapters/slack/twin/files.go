package twin

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"
)

// File is one upload.
type File struct {
	ID, Name, Title, Alt string
	Data                 []byte
	ticket               string // of the upload URL
	shared               bool   // files.completeUploadExternal was called; it can be called once
}

const (
	maxAltText = 1000 // slack-ruby/slack-api-ref, files.getUploadURLExternal, read 2026-11
	keptFiles  = 1000
)

// Files are the uploads, oldest first.
func (t *Twin) Files() []File {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []File
	for _, f := range t.files {
		all = append(all, *f)
	}
	return all
}

// getUploadURL is files.getUploadURLExternal.
func (t *Twin) getUploadURL(c apiCall) result {
	length, _ := strconv.Atoi(c.args["length"])
	switch {
	case c.args["filename"] == "" || length <= 0:
		return refusal("missing_argument")
	case length > maxBody:
		return refusal("file_upload_size_restricted")
	case utf8.RuneCountInString(c.args["alt_txt"]) > maxAltText:
		return refusal("alt_txt_too_large")
	}
	t.nextTS(t.opt.Now())
	f := &File{ID: fmt.Sprintf("F%X", t.lastID), Name: c.args["filename"], Alt: c.args["alt_txt"], ticket: fmt.Sprintf("ticket%d", t.lastID)}
	if len(t.files) >= keptFiles {
		t.files = t.files[1:]
	}
	t.files = append(t.files, f)
	return result{fields: map[string]any{"upload_url": t.url + "/upload/v1/" + f.ticket, "file_id": f.ID}}
}

// takeUpload is what an upload URL leads to: it takes the file in the field "file", or as the body.
func (t *Twin) takeUpload(w http.ResponseWriter, r *http.Request) {
	var from io.Reader = r.Body
	if file, _, err := r.FormFile("file"); err == nil {
		defer file.Close()
		from = file
	}
	data, err := io.ReadAll(from)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.files {
		if err == nil && f.ticket == r.PathValue("ticket") && len(data) > 0 {
			f.Data = data
			writeText(w, http.StatusOK, fmt.Sprintf("OK - %d", len(data)))
			return
		}
	}
	t.refuse(r.URL.Path, "", "bad_upload", "no such upload URL, or no file")
	writeText(w, http.StatusBadRequest, "bad request")
}

// completeUpload is files.completeUploadExternal. With a channel it posts the files, without it they stay private.
func (t *Twin) completeUpload(c apiCall) result {
	var wanted []struct{ ID, Title string }
	if json.Unmarshal([]byte(c.args["files"]), &wanted) != nil || len(wanted) == 0 {
		return refusal("invalid_arguments")
	}
	channel := c.args["channel_id"]
	if _, f := t.place(channel); channel != "" && f != nil {
		return result{flaw: f}
	}
	var files []*File
	for _, want := range wanted {
		f := t.uploaded(want.ID)
		if f == nil {
			return refusal("file_not_found")
		}
		f.Title = want.Title
		files = append(files, f)
	}
	if n := t.wait("channel "+channel, channelPerMinute, t.opt.Burst); channel != "" && n > 0 {
		return result{flaw: &flaw{code: "ratelimited"}, wait: n}
	}
	shown := []map[string]any{}
	for _, f := range files {
		f.shared = true
		shown = append(shown, map[string]any{"id": f.ID, "title": f.Title})
	}
	if channel != "" {
		thread := c.args["thread_ts"]
		if parent := t.find(channel, thread); parent == nil || parent.ThreadTS != "" {
			thread = ""
		}
		t.keep(Post{Kind: "app", Team: c.team, Channel: channel, ThreadTS: thread, Files: files, Raw: c.raw})
	}
	return result{fields: map[string]any{"files": shown}}
}

// deleteFile is files.delete: the file goes, and the posts that held nothing else.
func (t *Twin) deleteFile(c apiCall) result {
	isIt := func(f *File) bool { return f.ID == c.args["file"] }
	if !slices.ContainsFunc(t.files, isIt) {
		return refusal("file_not_found")
	}
	t.files = slices.DeleteFunc(t.files, isIt)
	for _, p := range t.posts {
		p.Files = slices.DeleteFunc(slices.Clone(p.Files), isIt)
	}
	t.posts = slices.DeleteFunc(t.posts, func(p *Post) bool { return p.Message.Text == "" && len(p.Message.Blocks) == 0 && len(p.Files) == 0 })
	return result{}
}

// uploaded is a file that has arrived and was not shared yet. t.mu is held.
func (t *Twin) uploaded(id string) *File {
	for _, f := range t.files {
		if f.ID == id && len(f.Data) > 0 && !f.shared {
			return f
		}
	}
	return nil
}

// shownFiles are the files of a post as the API returns them.
func shownFiles(files []*File) (all []map[string]any) {
	for _, f := range files {
		all = append(all, map[string]any{"id": f.ID, "name": f.Name, "title": f.Title, "alt_txt": f.Alt, "size": len(f.Data), "mimetype": http.DetectContentType(f.Data)})
	}
	return all
}

// Src is the file for the page, which shows images only.
func (f *File) Src() template.URL {
	if http.DetectContentType(f.Data) != "image/png" {
		return ""
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(f.Data)) //nolint:gosec // base64
}
