package slack

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Send posts one part, once. The Receipt of an app's post is its ts; a webhook gives none. A public channel that the bot is not in is joined,
// if the app may: what was refused for that was not posted, so it is posted then.
func (a *Adapter) Send(ctx context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, error) {
	if ctx.Err() != nil {
		return "", ended(ctx)
	}
	receipt, fault := a.post(ctx, dst, p)
	if fault != nil && fault.Code == codeNotInChannel && dst.Kind == KindApp && a.join(ctx, dst) {
		receipt, fault = a.post(ctx, dst, p)
	}
	if fault != nil {
		return "", fault
	}
	return receipt, nil
}

func (a *Adapter) post(ctx context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, *bot.SendError) {
	if dst.Kind == KindApp && p.Message.OnlyImage() {
		return a.postImage(ctx, dst, p)
	}
	pay := render(dst.Kind, p)
	if err := validate(pay); err != nil {
		return "", ourMistake.sendError(codeBadPayload, err)
	}
	if dst.Kind == KindWebhook {
		return "", a.postWebhook(ctx, dst.URL.Reveal(), pay)
	}
	return a.postMessage(ctx, dst, pay)
}

// codeNotInChannel is Slack's word for a channel that the bot sees and is not in.
const codeNotInChannel = "not_in_channel"

// join is true once the bot is in dst. Slack lets apps with channels:join into public channels only; for the others, and without the scope,
// somebody must invite the bot, as the fault of the post says.
func (a *Adapter) join(ctx context.Context, dst bot.Channel) bool {
	c, fault := a.call(ctx, dst.Workspace, maxAPIAnswer)
	if fault != nil {
		return false
	}
	_, _, _, err := c.api.JoinConversationContext(ctx, dst.Address)
	if err != nil {
		fault = c.fault(ctx, err)
		a.log.InfoContext(ctx, "channel not joined", "adapter", Name, "workspace", dst.Workspace, "channel", dst.Address, "code", fault.Code)
	}
	return err == nil
}

// Direct is the app's conversation with a member: chat.postMessage takes a user's ID for the channel, and posts into the direct message.
// Source: docs.slack.dev/reference/methods/chat.postMessage, "Post to a DM", read 2026-11.
func (a *Adapter) Direct(workspace, member string) (bot.Channel, bool) {
	ok := a.cfg.Enabled() && (strings.HasPrefix(member, "U") || strings.HasPrefix(member, "W"))
	return bot.Channel{Adapter: Name, Kind: KindApp, Workspace: workspace, Address: member, Name: member}, ok
}

func (a *Adapter) postMessage(ctx context.Context, dst bot.Channel, pay payload) (bot.Receipt, *bot.SendError) {
	c, fault := a.call(ctx, dst.Workspace, maxAPIAnswer)
	if fault != nil {
		return "", fault
	}
	_, ts, posted, err := c.api.PostMessageWithResponseContext(ctx, dst.Address, pay.options()...)
	if err != nil {
		return "", c.fault(ctx, err)
	}
	if ts == "" {
		return "", unsure.sendError(codeNoReceipt, errors.New("Slack's answer names no message"))
	}
	if pay.ThreadTS != "" && posted.ThreadTimestamp == "" {
		a.log.WarnContext(ctx, "part posted outside its thread: part 1 was deleted", "adapter", Name, "workspace", dst.Workspace, "channel", dst.Address)
	}
	return bot.Receipt(ts), nil
}

// postWebhook posts without the library, which throws the error code away. It serves response URLs as well.
func (a *Adapter) postWebhook(ctx context.Context, url string, pay payload) *bot.SendError {
	if url == "" {
		return channelDead.sendError(codeNotSetUp, errors.New("the channel has no webhook URL"))
	}
	if err := apihttp.CheckURL(url, a.cfg.postHosts()); err != nil {
		return channelDead.sendError(codeHostRefused, err)
	}
	body, err := encode(pay)
	if err != nil {
		return ourMistake.sendError(codeBadPayload, err)
	}
	req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return channelDead.sendError(codeNotSetUp, apihttp.Redact(err, url))
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	status, header, text, err := apihttp.Do(ctx, a.http, req, maxTextAnswer)
	if err != nil && !(status != 0 && status != http.StatusOK && errors.Is(err, apihttp.ErrTooLarge)) {
		return apihttp.TransportFault(err)
	}
	return classifyText(answer{status: status, header: header}, text, a.now())
}

// answer is what the library does not hand on: the head of Slack's answer.
type answer struct {
	status int
	header http.Header
	cut    bool // the body did not arrive whole
}

// call is one request through the library. A client of its own for each costs little and lets it see the answer's head.
type call struct {
	a    *Adapter
	in   install
	api  *slack.Client
	max  int64
	head answer
}

// call is one request with the token of workspace.
func (a *Adapter) call(ctx context.Context, workspace string, max int64) (*call, *bot.SendError) {
	in, fault := a.tokens.get(ctx, workspace)
	if fault != nil {
		return nil, fault
	}
	return a.callWith(in, max), nil
}

func (a *Adapter) callWith(in install, max int64) *call {
	c := &call{a: a, in: in, max: max}
	c.api = slack.New(in.Token.Reveal(), slack.OptionAPIURL(a.cfg.apiURL()), slack.OptionHTTPClient(c))
	return c
}

// Do is the library's way out: once, bounded, without redirects.
func (c *call) Do(req *http.Request) (*http.Response, error) {
	status, header, body, err := apihttp.Do(req.Context(), c.a.http, req, c.max)
	c.head = answer{status: status, header: header, cut: err != nil}
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Header: header, Request: req,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// fault is what the library's error means, without the token, should Slack have repeated it. A token that Slack does not take any more and
// that has a successor is no end of the install: the next attempt has the new one.
func (c *call) fault(ctx context.Context, err error) *bot.SendError {
	fault := classifyAPI(err, c.head, c.a.now())
	fault.Err = apihttp.Redact(fault.Err, c.in.Token.Reveal())
	if c.a.tokens.replaced(ctx, c.in, fault.Code) {
		return later.sendError(codeTokenReplaced, fault.Err)
	}
	return fault
}
