package twin

import (
	"bytes"
	"crypto/md5" //nolint:gosec // as WeCom checks a transfer
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Limits of images: of robots 91770, of uploads 90253, read 2026-11.
const (
	maxRobotImage = 2 << 20
	maxUpload     = 10 << 20
	minUpload     = 6 // "more than 5 bytes"
	mediaLife     = 3 * 24 * time.Hour
	keptMedia     = 1000
)

// medium is one upload.
type medium struct {
	data  []byte
	until time.Time
}

// isImage says whether data begins as JPG or PNG do, the only ones that WeCom takes.
func isImage(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")) || bytes.HasPrefix(data, []byte("\xff\xd8\xff"))
}

// robotImage checks the image of a robot's post: base64, and the MD5 of what it decodes to.
func robotImage(part map[string]any) ([]byte, *reply) {
	text, _ := part["base64"].(string)
	want, _ := part["md5"].(string)
	data, err := base64.StdEncoding.DecodeString(text)
	sum := md5.Sum(data) //nolint:gosec // see the import
	switch {
	case text == "" || want == "":
		return nil, no(40035, "invalid parameter: image wants base64 and md5")
	case err != nil:
		return nil, no(40035, "invalid parameter: image.base64")
	case len(data) > maxRobotImage:
		return nil, no(40009, "invalid image size: %d bytes, at most %d", len(data), maxRobotImage)
	case !strings.EqualFold(hex.EncodeToString(sum[:]), want):
		return nil, no(301019, "media file md5 not match")
	case !isImage(data):
		return nil, no(40004, "invalid media type: neither JPG nor PNG")
	}
	return data, nil
}

// appImage finds the upload that a post names. Uploads are shared by the apps of a corp. The caller holds mu.
func (t *Twin) appImage(corp string, part map[string]any) ([]byte, *reply) {
	id, _ := part["media_id"].(string)
	m, ok := t.media[corp+"/"+id]
	if !ok || !t.opt.Now().Before(m.until) {
		return nil, no(40007, "invalid media_id")
	}
	return m.data, nil
}

// upload takes an image into the store of temporary media.
func (t *Twin) upload(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxUpload+maxBody)
	data, re := readUpload(r)
	if re == nil {
		re = t.keepMedium(r, data)
	}
	t.answer(w, r, nil, re)
}

// readUpload reads the field "media" and checks what can be checked without knowing who uploads.
func readUpload(r *http.Request) ([]byte, *reply) {
	if kind := r.URL.Query().Get("type"); kind != "image" {
		return nil, no(40005, "invalid type %q: this twin takes image", kind)
	}
	file, _, err := r.FormFile("media")
	if err != nil {
		return nil, no(44001, "empty media data")
	}
	defer file.Close()
	defer r.MultipartForm.RemoveAll() //nolint:errcheck // temporary files
	data, err := io.ReadAll(io.LimitReader(file, maxUpload+1))
	switch {
	case err != nil || len(data) == 0:
		return nil, no(44001, "empty media data")
	case len(data) < minUpload || len(data) > maxUpload:
		return nil, no(40006, "invalid media size: %d bytes", len(data))
	case !isImage(data):
		return nil, no(40004, "invalid media type: neither JPG nor PNG")
	}
	return data, nil
}

func (t *Twin) keepMedium(r *http.Request, data []byte) *reply {
	t.mu.Lock()
	defer t.mu.Unlock()
	app, re := t.authorized(r)
	if re != nil {
		return re
	}
	return t.store(app.CorpID, data)
}

// store keeps an upload of a corp's app or of an AI bot. The caller holds mu.
func (t *Twin) store(owner string, data []byte) *reply {
	if len(t.media) >= keptMedia {
		clear(t.media)
	}
	t.last++
	t.uploads++
	now := t.opt.Now()
	id := fmt.Sprintf("media-%d", t.last)
	t.media[owner+"/"+id] = medium{data, now.Add(mediaLife)}
	return &reply{more: map[string]any{"type": "image", "media_id": id, "created_at": strconv.FormatInt(now.Unix(), 10)}}
}

// Uploads counts the images taken into the store.
func (t *Twin) Uploads() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.uploads
}

// Limits of uploads over a bot's connection. Source: WeCom's own client, aibot-node-sdk 1.0.7, read 2026-11.
const (
	maxPieces     = 100
	maxPieceBytes = 512 << 10
)

// pieces is an upload that is not finished.
type pieces struct {
	size int64
	sum  string
	data [][]byte
}

func (t *Twin) uploadInit(b *Bot, body *body) *reply {
	size, sized := body.number("total_size")
	n, counted := body.number("total_chunks")
	switch {
	case body.text("type") != "image":
		return no(40004, "invalid media type %q: this twin takes image", body.text("type"))
	case body.text("filename") == "" || !sized || !counted || n < 1 || n > maxPieces:
		return no(40035, "invalid parameter: filename, total_size and total_chunks")
	case size < minUpload || size > maxUpload:
		return no(40006, "invalid media size: %d bytes", size)
	}
	if len(t.pieces) >= keptMedia {
		clear(t.pieces)
	}
	t.last++
	id := fmt.Sprintf("upload-%d", t.last)
	t.pieces[b.ID+"/"+id] = &pieces{size, body.text("md5"), make([][]byte, n)}
	return &reply{more: map[string]any{"upload_id": id}}
}

func (t *Twin) uploadChunk(b *Bot, body *body) *reply {
	up := t.pieces[b.ID+"/"+body.text("upload_id")]
	at, ok := body.number("chunk_index")
	data, err := base64.StdEncoding.DecodeString(body.text("base64_data"))
	switch {
	case up == nil:
		return no(40035, "invalid parameter: upload_id")
	case !ok || at < 0 || at >= int64(len(up.data)):
		return no(40035, "invalid parameter: chunk_index")
	case err != nil || len(data) == 0 || len(data) > maxPieceBytes:
		return no(40035, "invalid parameter: base64_data")
	}
	up.data[at] = data
	return &reply{}
}

func (t *Twin) uploadFinish(b *Bot, body *body) *reply {
	key := b.ID + "/" + body.text("upload_id")
	up := t.pieces[key]
	if up == nil {
		return no(40035, "invalid parameter: upload_id")
	}
	data := bytes.Join(up.data, nil)
	sum := md5.Sum(data) //nolint:gosec // see the import
	switch {
	case int64(len(data)) != up.size:
		return no(40035, "invalid parameter: %d bytes came, total_size is %d", len(data), up.size)
	case up.sum != "" && !strings.EqualFold(hex.EncodeToString(sum[:]), up.sum):
		return no(301019, "media file md5 not match")
	case !isImage(data):
		return no(40004, "invalid media type: neither JPG nor PNG")
	}
	delete(t.pieces, key)
	return t.store(b.ID, data)
}
