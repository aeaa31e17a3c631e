package slack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// An image is a part of its own, shared into the thread of part 1 (or into the channel, if it is all there is). It needs files:write.
//
// An image block inside the message would read better, but Slack looks at an upload some time after it has taken it, and refuses a
// block that names it before (invalid_blocks; slackapi/slack-github-action issue 413): that would cost the text. Nor can an answer that only
// one member sees hold a file: there the text says the same.

// What a file may be called. Source: slack-ruby/slack-api-ref, files.getUploadURLExternal (alt_txt_too_large); the title's is our own.
const (
	maxAltText   = 1000
	maxFileTitle = 250
)

// sharedFile is the body of files.completeUploadExternal as Preview shows it, without token and channel.
type sharedFile struct {
	Files    []slack.FileSummary `json:"files"`
	ThreadTS string              `json:"thread_ts,omitempty"`
}

func shareFile(id string, p bot.Post) sharedFile {
	share := sharedFile{Files: []slack.FileSummary{{ID: id, Title: clip(apihttp.CleanText(p.Message.Image.Alt), maxFileTitle)}}}
	if p.Part > 1 {
		share.ThreadTS = string(p.First)
	}
	return share
}

// fileName marks a part's file, as metadata marks a message, so that a lost answer can be looked up.
func fileName(p bot.Post) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d", p.Key, p.Part))
	return "chart-" + hex.EncodeToString(sum[:6]) + ".png"
}

// postImage uploads an image and shares it: three calls, of which only the last shows anything to anybody. The Receipt is the file's ID.
func (a *Adapter) postImage(ctx context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, *bot.SendError) {
	id, fault := a.upload(ctx, dst.Workspace, p)
	if fault != nil {
		fault.MaybeSent = false
		return "", fault
	}
	c, fault := a.call(ctx, dst.Workspace, maxAPIAnswer)
	if fault != nil {
		return "", fault
	}
	share := shareFile(id, p)
	done, err := c.api.CompleteUploadExternalContext(ctx, slack.CompleteUploadExternalParameters{
		Files: share.Files, Channel: dst.Address, ThreadTimestamp: share.ThreadTS,
	})
	switch {
	case err != nil:
		return "", c.imageFault(ctx, err)
	case len(done.Files) == 0:
		return "", unsure.sendError(codeNoReceipt, errors.New("Slack's answer names no file"))
	}
	return bot.Receipt(done.Files[0].ID), nil
}

// upload gives Slack the image, which nobody sees yet, and returns its ID.
func (a *Adapter) upload(ctx context.Context, workspace string, p bot.Post) (id string, fault *bot.SendError) {
	c, fault := a.call(ctx, workspace, maxAPIAnswer)
	if fault != nil {
		return "", fault
	}
	img, name := p.Message.Image, fileName(p)
	to, err := c.api.GetUploadURLExternalContext(ctx, slack.GetUploadURLExternalParameters{
		FileName: name, FileSize: len(img.PNG), AltTxt: clip(apihttp.CleanText(img.Alt), maxAltText),
	})
	switch {
	case err != nil:
		return "", c.imageFault(ctx, err)
	case to.UploadURL == "" || to.FileID == "":
		return "", later.sendError(codeBadAnswer, errors.New("Slack's answer names no place to upload to"))
	}
	c = a.callWith(c.in, maxTextAnswer)
	if err := c.api.UploadToURL(ctx, slack.UploadToURLParameters{UploadURL: to.UploadURL, Reader: bytes.NewReader(img.PNG), Filename: name}); err != nil {
		fault := c.imageFault(ctx, err)
		fault.Err = apihttp.Redact(fault.Err, to.UploadURL)
		return "", fault
	}
	return to.FileID, nil
}

// imageFault is the fault of a call for an image. An app without files:write still posts all text, so that is no reason to hold its
// workspace.
func (c *call) imageFault(ctx context.Context, err error) *bot.SendError {
	fault := c.fault(ctx, err)
	if fault.Code == "missing_scope" {
		fault.Scope = bot.ScopeMessage
	}
	return fault
}

// isImage says whether m shares the file of p.
func isImage(m slack.Message, p bot.Post) bool {
	for _, f := range m.Files {
		if f.Name == fileName(p) {
			return true
		}
	}
	return false
}
