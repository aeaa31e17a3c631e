package feishu

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// Paths below the origin.
const (
	pathToken    = "/open-apis/auth/v3/tenant_access_token/internal"
	pathMessages = "/open-apis/im/v1/messages"
)

// receiverTypes says by its beginning what kind of ID an Address is.
var receiverTypes = map[string]string{"oc_": "chat_id", "ou_": "open_id", "on_": "union_id"}

// Direct is the app bot's chat with a member, by their open_id.
func (a *Adapter) Direct(workspace, member string) (bot.Channel, bool) {
	ok := a.cfg.Enabled() && strings.HasPrefix(member, "ou_")
	return bot.Channel{Adapter: Name, Kind: KindApp, Workspace: workspace, Address: member, Name: member}, ok
}

// call makes one call and reads the answer. done says whether an answer with code 0 is one of acceptance. No fault holds one of secrets,
// the token or a key of the app.
func (a *Adapter) call(ctx context.Context, method, target, token string, body apihttp.Body, done func(answer) bool, secrets ...string) (answer, *apihttp.Judged) {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body.Bytes))
	if err != nil {
		return answer{}, &apihttp.Judged{SendError: apihttp.Local(bot.Permanent, bot.ScopeChannel, codeBadChannel, apihttp.Redact(err))}
	}
	if body.Type != "" {
		req.Header.Set("Content-Type", body.Type)
	}
	req.Header.Set("Accept", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	status, header, text, err := apihttp.Do(ctx, a.http, req, maxAnswerBytes)
	if err != nil {
		return answer{}, &apihttp.Judged{SendError: apihttp.TransportFault(err)}
	}
	secrets = append(secrets, token, a.cfg.AppSecret.Reveal(), a.cfg.Events.Token.Reveal(), a.cfg.Events.AESKey.Reveal())
	return reply{status, header, text, a.now(), secrets}.judge(done)
}

func accepted(answer) bool { return true }

// sendWebhook posts to a custom bot.
func (a *Adapter) sendWebhook(ctx context.Context, dst bot.Channel, p bot.Post) *bot.SendError {
	raw := dst.URL.Reveal()
	if err := apihttp.CheckURL(raw, a.cfg.hookHosts()); err != nil {
		return apihttp.Local(bot.Permanent, bot.ScopeChannel, codeBadChannel, fmt.Errorf("webhook: %w", err))
	}
	body := webhookBody{MsgType: cardType, Card: renderPart(p.Message, p.Part, p.Parts)}
	if secret := dst.Secret.Reveal(); secret != "" {
		body.Timestamp = strconv.FormatInt(a.now().Unix(), 10)
		body.Sign = sign(body.Timestamp, secret)
	}
	_, fault := a.call(ctx, http.MethodPost, raw, "", apihttp.JSONBody(body), accepted, append(apihttp.SecretsIn(raw), dst.Secret.Reveal())...)
	if fault == nil {
		return nil
	}
	if fault.Token { // a custom bot has none
		fault.Fault, fault.Scope = bot.Permanent, bot.ScopeChannel
	}
	return fault.SendError
}

// sendApp sends to an address.
func (a *Adapter) sendApp(ctx context.Context, address string, p bot.Post) (bot.Receipt, *bot.SendError) {
	kind := ""
	if len(address) > 3 {
		kind = receiverTypes[address[:3]]
	}
	if kind == "" {
		return "", apihttp.Local(bot.Permanent, bot.ScopeChannel, codeBadChannel,
			fmt.Errorf("address %q: want a chat_id (oc_…), an open_id (ou_…) or a union_id (on_…)", address))
	}
	return a.postMessage(ctx, pathMessages+"?receive_id_type="+kind, address, p)
}

// replyTo answers a member's message.
func (a *Adapter) replyTo(ctx context.Context, messageID string, p bot.Post) (bot.Receipt, *bot.SendError) {
	return a.postMessage(ctx, pathMessages+"/"+url.PathEscape(messageID)+"/reply", "", p)
}

// postMessage posts a message and returns its message_id.
func (a *Adapter) postMessage(ctx context.Context, path, receiver string, p bot.Post) (bot.Receipt, *bot.SendError) {
	c, fault := a.appCard(ctx, p)
	if fault != nil {
		return "", fault
	}
	body := messageBody(receiver, c, messageUUID(p.Key, p.Part))
	ans, fault := a.callApp(ctx, http.MethodPost, path, apihttp.JSONBody(body), func(ans answer) bool { return ans.Data.MessageID != "" })
	return bot.Receipt(ans.Data.MessageID), fault
}

// callApp makes one call of the app's API with its access token.
func (a *Adapter) callApp(ctx context.Context, method, path string, body apihttp.Body, done func(answer) bool) (answer, *bot.SendError) {
	if !a.cfg.Enabled() {
		return answer{}, apihttp.Local(bot.Permanent, bot.ScopeWorkspace, codeNoCredentials,
			fmt.Errorf("kind %s needs adapters.feishu.app_id and app_secret", KindApp))
	}
	token, fault := a.tokens.Get(ctx)
	if fault != nil {
		return answer{}, fault
	}
	ans, judged := a.call(ctx, method, a.api+path, token, body, done)
	if judged != nil {
		if judged.Token {
			a.tokens.Drop(token)
		}
		return answer{}, judged.SendError
	}
	return ans, nil
}

// fetchToken asks for the app's access token. Whatever fails here, nothing was posted.
func (a *Adapter) fetchToken(ctx context.Context) (string, time.Duration, *bot.SendError) {
	body := apihttp.JSONBody(map[string]string{"app_id": a.cfg.AppID, "app_secret": a.cfg.AppSecret.Reveal()})
	ans, fault := a.call(ctx, http.MethodPost, a.api+pathToken, "", body, func(ans answer) bool { return strings.TrimSpace(ans.Token) != "" })
	if fault != nil {
		fault.MaybeSent = false
		return "", 0, fault.SendError
	}
	return ans.Token, time.Duration(ans.Expire) * time.Second, nil
}
