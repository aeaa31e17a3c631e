package feishu

import (
	"context"
	"net/http"
	"slices"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// pathImages is the upload: a card shows no image by its address. It needs the permission im:resource.
// Source: open.feishu.cn, im-v1/image/create, read 2026-11.
const pathImages = "/open-apis/im/v1/images"

// appCard is part p of an app's message as a card, its image uploaded before. An image that the platform does not take is left out: the
// text says the same.
func (a *Adapter) appCard(ctx context.Context, p bot.Post) (card, *bot.SendError) {
	c := renderPart(p.Message, p.Part, p.Parts)
	if !p.Message.Image.Usable() {
		return c, nil
	}
	ans, fault := a.callApp(ctx, http.MethodPost, pathImages, apihttp.ImageForm("image", p.Message.Image.PNG, "image_type", "message"),
		func(ans answer) bool { return ans.Data.ImageKey != "" })
	switch {
	case fault == nil:
		return c.withImage(ans.Data.ImageKey, p.Message.Image), nil
	case fault.Fault == bot.Permanent:
		a.log.Warn("image left out", "adapter", Name, "code", fault.Code, "err", fault)
		return c, nil
	}
	fault.MaybeSent = false // nobody has seen anything
	return c, fault
}

// withImage is c with an image above its text.
func (c card) withImage(key string, image *bot.Image) card {
	alt := plainText(shortened(plain(image.Alt), maxHeadingRunes))
	c.Body.Elements = slices.Insert(slices.Clone(c.Body.Elements), 0, element{Tag: "img", ImgKey: key, Alt: &alt})
	return c
}
