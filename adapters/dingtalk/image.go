package dingtalk

import (
	"context"
	"net/url"
	"strings"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// pathMedia is the upload, below the oapi origin: its mediaId stands where a public address would. Source: open.dingtalk.com,
// upload-media-files and faq-robot, read 2026-11; that the app's access token is good for it, too: field.
const pathMedia = "/media/upload"

// appCard is part p of the app robot's, its image uploaded before. An image that the platform does not take is left out: the text says the
// same. The card is good also with a fault, without its image.
func (a *Adapter) appCard(ctx context.Context, p bot.Post) (card, *bot.SendError) {
	c := renderPart(p.Message, p.Part, p.Parts)
	if !p.Message.Image.Usable() {
		return c, nil
	}
	id, fault := a.upload(ctx, p.Message.Image.PNG)
	switch {
	case fault == nil:
		return c.withImage(id, p.Message.Image), nil
	case fault.Fault == bot.Permanent:
		a.log.Warn("image left out", "adapter", Name, "code", fault.Code, "err", fault)
		return c, nil
	}
	fault.MaybeSent = false // nobody has seen anything
	return c, fault
}

func (a *Adapter) upload(ctx context.Context, png []byte) (mediaID string, fault *bot.SendError) {
	target := func(token string) string {
		return a.oapi + pathMedia + "?" + url.Values{"access_token": {token}, "type": {"image"}}.Encode()
	}
	ans, fault := a.callApp(ctx, target, apihttp.ImageForm("media", png, "", ""), func(ans answer) bool { return ans.MediaID != "" })
	return ans.MediaID, fault
}

// withImage is c with an image below its title.
func (c card) withImage(mediaID string, image *bot.Image) card {
	shown := "![" + plainLine(shortened(image.Alt, maxHeadingRunes)) + "](" + mediaID + ")"
	title, rest, more := strings.Cut(c.text, paragraph)
	switch {
	case !strings.HasPrefix(title, "### "):
		c.text = shown + paragraph + c.text
	case more:
		c.text = title + paragraph + shown + paragraph + rest
	default:
		c.text = title + paragraph + shown
	}
	return c
}
