package dingtalk

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

const tokenHeader = "x-acs-dingtalk-access-token"

// Paths below the two origins.
const (
	pathToken = "/v1.0/oauth2/accessToken"
	pathGroup = "/v1.0/robot/groupMessages/send"
	pathUsers = "/v1.0/robot/oToMessages/batchSend"
)

// Prefixes of an app channel's Address.
const (
	groupPrefix = "group:"
	userPrefix  = "user:"
)

// post makes one call and reads the answer. done says whether a 2xx answer is one of acceptance. No fault holds one of secrets, the
// token or a key of the app.
func (a *Adapter) post(ctx context.Context, target, token string, body apihttp.Body, done func(answer) bool, secrets ...string) (answer, *apihttp.Judged) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body.Bytes))
	if err != nil {
		return answer{}, &apihttp.Judged{SendError: apihttp.Local(bot.Permanent, bot.ScopeChannel, codeBadChannel, apihttp.Redact(err))}
	}
	req.Header.Set("Content-Type", body.Type)
	req.Header.Set("Accept", "application/json")
	if token != "" {
		req.Header.Set(tokenHeader, token)
	}
	status, header, text, err := apihttp.Do(ctx, a.http, req, maxAnswerBytes)
	if err != nil {
		return answer{}, &apihttp.Judged{SendError: apihttp.TransportFault(err)}
	}
	secrets = append(secrets, token, a.cfg.ClientSecret.Reveal(), a.cfg.Events.Token.Reveal(), a.cfg.Events.AESKey.Reveal())
	return reply{status, header, text, a.now(), secrets}.judge(done)
}

func saysZero(ans answer) bool { return ans.ErrCode == "0" }

func (a *Adapter) sendWebhook(ctx context.Context, dst bot.Channel, p bot.Post) *bot.SendError {
	body := apihttp.JSONBody(renderPart(p.Message, p.Part, p.Parts).webhook(msgUUID(p)))
	return a.postWebhook(ctx, dst.URL, dst.Secret, body)
}

// postWebhook posts to a robot's URL or to a sessionWebhook.
func (a *Adapter) postWebhook(ctx context.Context, raw, secret bot.Secret, body apihttp.Body) *bot.SendError {
	if err := apihttp.CheckURL(raw.Reveal(), a.cfg.replyHosts()); err != nil {
		return apihttp.Local(bot.Permanent, bot.ScopeChannel, codeBadChannel, fmt.Errorf("webhook: %w", err))
	}
	target, err := signedURL(raw.Reveal(), secret.Reveal(), a.now())
	if err != nil {
		return apihttp.Local(bot.Permanent, bot.ScopeChannel, codeBadChannel, fmt.Errorf("webhook: %w", err))
	}
	_, fault := a.post(ctx, target, "", body, saysZero, urlSecrets(target, secret)...)
	a.messages.countUnless(ctx, fault)
	if fault == nil {
		return nil
	}
	if fault.Token { // the token is the robot's own, in its URL: there is nothing to fetch
		fault.Fault, fault.Scope = bot.Permanent, bot.ScopeChannel
	}
	return fault.SendError
}

// urlSecrets are the parts of a webhook's URL that nobody may see.
func urlSecrets(raw string, secret bot.Secret) []string {
	secrets := []string{raw, secret.Reveal()}
	if u, err := url.Parse(raw); err == nil {
		for _, values := range u.Query() {
			secrets = append(secrets, values...)
		}
	}
	return secrets
}

// Direct is the robot's chat with a member of its organisation.
func (a *Adapter) Direct(workspace, member string) (bot.Channel, bool) {
	ok := a.cfg.Enabled() && member != "" && (a.cfg.CorpID == "" || workspace == a.cfg.CorpID)
	return bot.Channel{Adapter: Name, Kind: KindApp, Workspace: workspace, Address: userPrefix + member, Name: member}, ok
}

// call is one of the app robot's two.
type call struct {
	path string
	body apihttp.Body
}

// appCall is the call that brings c to address.
func (a *Adapter) appCall(address string, c card) (call, error) {
	key, param := c.app()
	if id, ok := strings.CutPrefix(address, groupPrefix); ok && id != "" {
		return call{pathGroup, apihttp.JSONBody(groupCall{a.cfg.RobotCode, id, key, param})}, nil
	}
	if id, ok := strings.CutPrefix(address, userPrefix); ok && id != "" {
		return call{pathUsers, apihttp.JSONBody(userCall{a.cfg.RobotCode, []string{id}, key, param})}, nil
	}
	return call{}, fmt.Errorf("address %q: want %s<openConversationId> or %s<staffId>", address, groupPrefix, userPrefix)
}

func (a *Adapter) sendApp(ctx context.Context, address string, p bot.Post) (bot.Receipt, *bot.SendError) {
	shown, fault := a.appCard(ctx, p)
	if fault != nil {
		return "", fault
	}
	c, err := a.appCall(address, shown)
	if err != nil {
		return "", apihttp.Local(bot.Permanent, bot.ScopeChannel, codeBadChannel, err)
	}
	ans, fault := a.callApp(ctx, a.below(c.path), c.body, func(ans answer) bool { return ans.ProcessQueryKey != "" })
	if fault != nil {
		return "", fault
	}
	return bot.Receipt(ans.ProcessQueryKey), undelivered(ans)
}

// below is where a call of the v1.0 family goes, whatever the token.
func (a *Adapter) below(path string) func(token string) string {
	return func(string) string { return a.api + path }
}

// callApp makes one call of the app's API with its access token, which may be part of the target.
func (a *Adapter) callApp(ctx context.Context, target func(token string) string, body apihttp.Body, done func(answer) bool) (answer, *bot.SendError) {
	if !a.cfg.Enabled() {
		return answer{}, apihttp.Local(bot.Permanent, bot.ScopeWorkspace, codeNoCredentials,
			fmt.Errorf("kind %s needs adapters.dingtalk.client_id, client_secret and robot_code", KindApp))
	}
	token, fault := a.tokens.Get(ctx)
	if fault != nil {
		return answer{}, fault
	}
	ans, judged := a.post(ctx, target(token), token, body, done)
	a.calls.countUnless(ctx, judged)
	if judged != nil {
		if judged.Token {
			a.tokens.Drop(token)
		}
		return answer{}, judged.SendError
	}
	return ans, nil
}

// undelivered is the fault of an accepted call that did not reach its person.
func undelivered(ans answer) *bot.SendError {
	switch {
	case len(ans.InvalidStaff) > 0:
		return apihttp.Local(bot.Permanent, bot.ScopeChannel, codeInvalidStaff, fmt.Errorf("the organisation has no such member, or the app is not visible to them"))
	case len(ans.FlowControlled) > 0:
		fault := apihttp.Local(bot.RateLimited, bot.ScopeChannel, codeFlowControl, fmt.Errorf("this member gets too many messages"))
		fault.RetryAfter = minuteBlock
		return fault
	}
	return nil
}

// fetchToken asks for the app's access token. Whatever fails here, nothing was posted.
func (a *Adapter) fetchToken(ctx context.Context) (string, time.Duration, *bot.SendError) {
	body := apihttp.JSONBody(map[string]string{"appKey": a.cfg.ClientID, "appSecret": a.cfg.ClientSecret.Reveal()})
	ans, fault := a.post(ctx, a.api+pathToken, "", body, func(ans answer) bool { return ans.AccessToken != "" })
	if fault != nil {
		fault.MaybeSent = false
		return "", 0, fault.SendError
	}
	return ans.AccessToken, time.Duration(ans.ExpireIn) * time.Second, nil
}
