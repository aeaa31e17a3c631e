package wecom

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // WeCom's check of a transfer, no security rests on it
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"sync"
	"time"

	"weeklybot/bot"
)

// An image is a post of its own, msgtype image, counted like any other. A group robot takes it as it is, an app by the ID that an upload
// gives it. bot.MaxImageBytes is far below WeCom's limits: 2 MB for robots (91770), 10 MB for uploads (90253), read 2026-11.

// imageWay is how the posts of one kind carry an image.
type imageWay int

const (
	noImage     imageWay = iota
	inlineImage          // in the post itself
	mediaImage           // by the media_id of an upload
	socketImage          // the same, the upload going over the AI bot's connection, where the post is pushed
)

// imageBody is the body's part that holds an image: base64 and the MD5 of what it decodes to, or a media ID.
type imageBody struct {
	Base64  string `json:"base64,omitempty"`
	MD5     string `json:"md5,omitempty"`
	MediaID string `json:"media_id,omitempty"`
}

// newImagePost is a body without its receiver; media is the ID of the upload, "" = the image is in the post.
func newImagePost(png []byte, media string) post {
	if media != "" {
		return post{MsgType: "image", Image: &imageBody{MediaID: media}}
	}
	sum := md5.Sum(png) //nolint:gosec // see the import
	return post{MsgType: "image", Image: &imageBody{Base64: base64.StdEncoding.EncodeToString(png), MD5: hex.EncodeToString(sum[:])}}
}

// sendImage posts a part that is an image.
func (a *Adapter) sendImage(ctx context.Context, way imageWay, dst bot.Channel, p bot.Post) (bot.Receipt, *bot.SendError) {
	media := ""
	if way == mediaImage {
		t := a.app(dst.Workspace)
		if t == nil {
			return "", noApp(dst.Workspace)
		}
		var fault *bot.SendError
		if media, fault = a.upload(ctx, t, p.Message.Image.PNG); fault != nil {
			return "", fault
		}
	}
	return a.send(ctx, dst, newImagePost(p.Message.Image.PNG, media), p.Key)
}

const (
	// mediaLife is how long an upload is used again. WeCom keeps it for three days (90253, read 2026-11).
	mediaLife = 48 * time.Hour
	// maxMedia is how many uploads are remembered.
	maxMedia = 64
)

// uploads remembers the media IDs of images: a broadcast's goes to thousands, and a repeated attempt must post the same ID, or WeCom's
// duplicate check would not know it. Another replica uploads anew. It is safe for concurrent use.
type uploads struct {
	mu  sync.Mutex
	ids map[mediaKey]media
}

type mediaKey struct {
	app *tokens
	sum [sha256.Size]byte
}

type media struct {
	id    string
	until time.Time
}

func (u *uploads) get(k mediaKey, now time.Time) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if m := u.ids[k]; now.Before(m.until) {
		return m.id
	}
	return ""
}

func (u *uploads) set(k mediaKey, m media) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ids == nil || len(u.ids) >= maxMedia {
		u.ids = map[mediaKey]media{}
	}
	u.ids[k] = m
}

// upload gives the media ID of an image, uploading it if need be. Nothing is posted by that, whatever happens.
func (a *Adapter) upload(ctx context.Context, t *tokens, png []byte) (string, *bot.SendError) {
	key := mediaKey{t, sha256.Sum256(png)}
	if id := a.uploads.get(key, a.deps.Now()); id != "" {
		return id, nil
	}
	id, fault := a.uploadNew(ctx, t, png)
	if fault != nil {
		fault.MaybeSent = false
		return "", fault
	}
	a.uploads.set(key, media{id, a.deps.Now().Add(mediaLife)})
	return id, nil
}

func (a *Adapter) uploadNew(ctx context.Context, t *tokens, png []byte) (string, *bot.SendError) {
	body, contentType := mediaForm(png)
	answer, fault := a.callAPI(ctx, t, "/cgi-bin/media/upload?type=image&", contentType, body)
	if fault != nil {
		fault.Err = fmt.Errorf("upload an image: %w", fault.Err)
		return "", fault
	}
	var got struct {
		MediaID string `json:"media_id"`
	}
	if json.Unmarshal(answer, &got) != nil || got.MediaID == "" {
		return "", &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "bad_answer", Err: errors.New("an upload was answered without media_id")}
	}
	return got.MediaID, nil
}

// uploadImage puts the image of a post into WeCom's store of media, and its ID into the post. bot.MaxImageBytes is far below the 512 KiB
// of one piece of an upload. Nothing is posted by that, whatever happens. Source: WeCom's own client, aibot-node-sdk 1.0.7, read 2026-11.
func (c *link) uploadImage(ctx context.Context, body *post) *bot.SendError {
	if body.Image == nil || body.Image.MediaID != "" {
		return nil
	}
	png, err := base64.StdEncoding.DecodeString(body.Image.Base64)
	if err != nil {
		return refuse(bot.ScopeMessage, "encode", err.Error())
	}
	var got struct {
		UploadID string `json:"upload_id"`
		MediaID  string `json:"media_id"`
	}
	steps := []struct {
		cmd  string
		body func() any
	}{
		{cmdUpload, func() any {
			return map[string]any{"type": "image", "filename": "chart.png", "total_size": len(png), "total_chunks": 1, "md5": body.Image.MD5}
		}},
		{cmdChunk, func() any {
			return map[string]any{"upload_id": got.UploadID, "chunk_index": 0, "base64_data": body.Image.Base64}
		}},
		{cmdUploaded, func() any { return map[string]any{"upload_id": got.UploadID} }},
	}
	for _, step := range steps {
		answer, fault := c.askFor(ctx, step.cmd, newReqID(step.cmd), step.body())
		if fault != nil {
			fault.MaybeSent = false
			fault.Err = fmt.Errorf("upload an image: %w", fault.Err)
			return fault
		}
		_ = json.Unmarshal(answer, &got) // what is missing shows below
	}
	if got.MediaID == "" {
		return &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "bad_answer", Err: errors.New("an upload was answered without media_id")}
	}
	body.Image = &imageBody{MediaID: got.MediaID}
	return nil
}

// mediaForm is the body of an upload: one file in the field "media". Writing to memory cannot fail.
func mediaForm(png []byte) (body []byte, contentType string) {
	var buf bytes.Buffer
	form := multipart.NewWriter(&buf)
	file, _ := form.CreateFormFile("media", "chart.png")
	_, _ = file.Write(png)
	_ = form.Close()
	return buf.Bytes(), form.FormDataContentType()
}
