package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// verdict is what a code means for a delivery.
type verdict struct {
	fault     bot.Fault
	scope     bot.Scope
	action    bot.Action
	maybeSent bool
}

var (
	limited     = verdict{fault: bot.RateLimited, scope: bot.ScopeWorkspace}
	later       = verdict{fault: bot.Retryable, scope: bot.ScopeMessage}
	unsure      = verdict{fault: bot.Retryable, scope: bot.ScopeMessage, maybeSent: true}
	unknown     = verdict{fault: bot.Retryable, scope: bot.ScopeMessage, action: bot.ActOnce}
	channelDead = verdict{fault: bot.Permanent, scope: bot.ScopeChannel}
	notInvited  = verdict{fault: bot.Permanent, scope: bot.ScopeChannel, action: bot.AskInvite}
	notAllowed  = verdict{fault: bot.Permanent, scope: bot.ScopeChannel, action: bot.AskAllow}
	installDead = verdict{fault: bot.Permanent, scope: bot.ScopeWorkspace}
	ourMistake  = verdict{fault: bot.Permanent, scope: bot.ScopeMessage}
)

// verdicts is the table of Slack's codes, of the Web API and of incoming webhooks. A code that is not here is unknown: tried
// once more, then dead. Source: slack-ruby/slack-api-ref methods/chat/chat.postMessage.json, methods/files and docs.slack.dev, incoming webhooks, read 2026-11.
var verdicts = map[string]verdict{
	"ratelimited":  limited,
	"rate_limited": limited,

	"service_unavailable":        later,
	"team_added_to_org":          later,
	"org_login_required":         later,
	"external_channel_migrating": later,
	"accesslimited":              later,
	"message_limit_exceeded":     later,

	"fatal_error":     unsure,
	"internal_error":  unsure,
	"request_timeout": unsure,
	"update_failed":   unsure,

	"file_not_found":     later,
	"file_update_failed": later,

	"channel_not_found":                 notInvited,
	"invalid_channel":                   channelDead,
	"posting_to_channel_denied":         notAllowed,
	"is_archived":                       channelDead,
	"is_inactive":                       channelDead,
	"channel_is_limited_access":         channelDead,
	codeNotInChannel:                    notInvited,
	"no_permission":                     notAllowed,
	"access_denied":                     notAllowed,
	"restricted_action":                 notAllowed,
	"ekm_access_denied":                 notAllowed,
	"messages_tab_disabled":             notAllowed,
	"cannot_reply_to_message":           channelDead,
	"app_access_restricted":             notAllowed,
	"no_service":                        channelDead, // from here on: webhooks, where one URL is one channel
	"no_service_id":                     channelDead,
	"no_active_hooks":                   channelDead,
	"no_team":                           channelDead,
	"team_disabled":                     channelDead,
	"invalid_token":                     channelDead,
	"channel_is_archived":               channelDead,
	"user_not_found":                    channelDead,
	"action_prohibited":                 notAllowed,
	"posting_to_general_channel_denied": notAllowed,

	"account_inactive":          installDead,
	"token_revoked":             installDead,
	"invalid_auth":              installDead,
	"not_authed":                installDead,
	"token_expired":             installDead,
	"invalid_refresh_token":     installDead,
	"team_access_not_granted":   installDead,
	"two_factor_setup_required": installDead,
	"enterprise_is_restricted":  installDead,
	"not_allowed_token_type":    installDead,
	"missing_scope":             installDead,

	"invalid_blocks":                    ourMistake,
	"invalid_blocks_format":             ourMistake,
	"msg_blocks_too_long":               ourMistake,
	"msg_too_long":                      ourMistake,
	"no_text":                           ourMistake,
	"invalid_arguments":                 ourMistake,
	"invalid_arg_name":                  ourMistake,
	"invalid_array_arg":                 ourMistake,
	"invalid_form_data":                 ourMistake,
	"invalid_post_type":                 ourMistake,
	"missing_post_type":                 ourMistake,
	"invalid_charset":                   ourMistake,
	"invalid_metadata_format":           ourMistake,
	"invalid_metadata_schema":           ourMistake,
	"metadata_too_large":                ourMistake,
	"metadata_must_be_sent_from_app":    ourMistake,
	"markdown_text_conflict":            ourMistake,
	"too_many_attachments":              ourMistake,
	"attachment_payload_limit_exceeded": ourMistake,
	"unknown_method":                    ourMistake,
	"method_deprecated":                 ourMistake,
	"deprecated_endpoint":               ourMistake,
	"invalid_payload":                   ourMistake,

	"cant_delete_file":                    ourMistake,
	"cant_delete_message":                 ourMistake, // from here on: chat.delete and views
	"compliance_exports_prevent_deletion": ourMistake,
	"view_too_large":                      ourMistake,
	"not_enabled":                         ourMistake,
	"expired_trigger_id":                  ourMistake,
	"exchanged_trigger_id":                ourMistake,
	"missing_argument":                    ourMistake,
	"alt_txt_too_large":                   ourMistake,
	"storage_limit_reached":               ourMistake, // from here on: the workspace takes no files, the text arrives all the same
	"file_uploads_disabled":               ourMistake,
	"file_upload_size_restricted":         ourMistake,
}

// advice is what an operator can do about a code.
var advice = map[string]string{
	"channel_not_found":     "the channel is gone, or private and the bot was not invited: /invite the bot there",
	"not_in_channel":        "/invite the bot into the channel",
	"missing_scope":         "add the scope to the Slack app and install it again",
	"invalid_auth":          "the bot token is wrong: copy it again from OAuth & Permissions",
	"token_revoked":         "the app was uninstalled: install it again and use the new token",
	"invalid_refresh_token": "the app must be installed again: open /slack/install of the bot",
	"not_enabled":           "switch the Home tab on in the Slack app, under App Home",
	"no_service":            "the webhook was removed: make a new one",
}

// verdictOf is the table, with the family of restricted_action codes as one entry.
func verdictOf(code string) verdict {
	if strings.HasPrefix(code, "restricted_action") {
		code = "restricted_action"
	}
	if v, ok := verdicts[code]; ok {
		return v
	}
	return unknown
}

func (v verdict) sendError(code string, err error) *bot.SendError {
	return &bot.SendError{Fault: v.fault, Scope: v.scope, Action: v.action, Code: code, MaybeSent: v.maybeSent, Err: err}
}

// Codes of our own.
const (
	codeRateLimited  = "rate_limited"
	codeNoReceipt    = "no_receipt"     // {"ok":false} without an error, or ok without a ts
	codeBadAnswer    = "bad_answer"     // 200, but not what Slack says
	codeBadPayload   = "bad_payload"    // refused by validate
	codeNotSetUp     = "not_configured" // no token, or no URL
	codeHostRefused  = "host_not_allowed"
	codeContextEnded = "context_ended" // nothing was sent
)

// classifyAPI is the error of one call of the Web API, after an answer or none. The four forms of a rate limit (429 with and without
// a whole number in Retry-After, and 200 with either code) become one.
func classifyAPI(err error, head answer, now time.Time) *bot.SendError {
	if head.status == 0 || head.cut && head.status == http.StatusOK {
		return apihttp.TransportFault(err)
	}
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok && head.status == http.StatusOK {
		code := cleanCode(refused.Err)
		fault := verdictOf(code).sendError(code, errors.New(explain(code, refused)))
		if fault.Fault == bot.RateLimited {
			fault.RetryAfter = apihttp.RetryAfter(head.header, now)
		}
		return fault
	}
	if head.status == http.StatusOK {
		return unsure.sendError(codeBadAnswer, errors.New("Slack's answer is not the JSON it should be"))
	}
	return classifyStatus(head, now)
}

func explain(code string, refused slack.SlackErrorResponse) string {
	text := "Slack says " + code
	if more, ok := advice[code]; ok {
		text += ": " + more
	}
	if refused.Needed != "" {
		text += fmt.Sprintf(" (needed %s)", clip(apihttp.CleanText(refused.Needed), maxLabel))
	}
	for _, message := range refused.ResponseMetadata.Messages[:min(len(refused.ResponseMetadata.Messages), 5)] {
		text += "; " + clip(apihttp.CleanText(message), maxLabel)
	}
	return text
}

// classifyStatus is an answer whose HTTP status is not 200 and whose body says nothing.
func classifyStatus(head answer, now time.Time) *bot.SendError {
	code := "http_" + strconv.Itoa(head.status)
	err := fmt.Errorf("HTTP status %d", head.status)
	switch {
	case head.status == http.StatusTooManyRequests:
		fault := limited.sendError(codeRateLimited, err)
		fault.RetryAfter = apihttp.RetryAfter(head.header, now)
		return fault
	case head.status >= 500:
		return unsure.sendError(code, err)
	case head.status == http.StatusRequestEntityTooLarge:
		return ourMistake.sendError(code, err)
	case head.status >= 400:
		return later.sendError(code, err)
	}
	return later.sendError(code, fmt.Errorf("%w: is the URL right?", err))
}

// classifyText is the answer of a webhook or response URL: "ok", or a code in plain text (some response URLs say the same in JSON). A
// limit there is one channel's.
func classifyText(head answer, body []byte, now time.Time) *bot.SendError {
	text := strings.TrimSpace(string(body))
	var object struct {
		OK    bool
		Error string
	}
	if json.Unmarshal(body, &object) == nil {
		if text = object.Error; object.OK {
			text = "ok"
		}
	}
	code := cleanCode(text)
	v, known := verdicts[code]
	switch {
	case head.status == http.StatusOK && text == "ok":
		return nil
	case head.status == http.StatusTooManyRequests || v.fault == bot.RateLimited:
		fault := classifyStatus(answer{status: http.StatusTooManyRequests, header: head.header}, now)
		fault.Scope = bot.ScopeChannel
		return fault
	case known:
		err := errors.New("Slack says " + code)
		if more, ok := advice[code]; ok {
			err = fmt.Errorf("%w: %s", err, more)
		}
		return v.sendError(code, err)
	case head.status == http.StatusOK:
		return unsure.sendError(codeBadAnswer, errors.New(`the webhook's answer is not "ok"`))
	case head.status == http.StatusForbidden, head.status == http.StatusNotFound, head.status == http.StatusGone:
		return channelDead.sendError("http_"+strconv.Itoa(head.status), fmt.Errorf("HTTP status %d: the webhook is not there any more", head.status))
	case head.status == http.StatusBadRequest && code != codeUnknown:
		return unknown.sendError(code, errors.New("Slack says "+code))
	}
	return classifyStatus(head, now)
}

const codeUnknown = "unknown_code"

var codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]{1,63}$`)

// cleanCode keeps what becomes a metric label in the form of Slack's codes.
func cleanCode(s string) string {
	if codeForm.MatchString(s) {
		return s
	}
	return codeUnknown
}

// ended is the error of a send whose context was over before anything left.
func ended(ctx context.Context) *bot.SendError {
	return later.sendError(codeContextEnded, ctx.Err())
}
