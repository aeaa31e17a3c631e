package slack

import (
	"strings"
	"testing"

	"weeklybot/bot"
)

// What codes lead to, written apart from the table.
func TestEffects(t *testing.T) {
	for effect, list := range map[bot.Effect]string{
		bot.Wait:      "ratelimited rate_limited",
		bot.Retry:     "service_unavailable fatal_error internal_error request_timeout team_added_to_org",
		bot.RetryOnce: "some_new_code",
		bot.Ask: "channel_not_found not_in_channel posting_to_channel_denied no_permission access_denied restricted_action restricted_action_read_only_channel " +
			"ekm_access_denied messages_tab_disabled app_access_restricted action_prohibited posting_to_general_channel_denied",
		bot.Probation: "is_archived is_inactive channel_is_limited_access channel_is_archived no_service no_service_id no_active_hooks no_team team_disabled invalid_token user_not_found",
		bot.Hold:      "account_inactive token_revoked invalid_auth not_authed team_access_not_granted two_factor_setup_required enterprise_is_restricted not_allowed_token_type missing_scope",
		bot.Degrade:   "invalid_blocks msg_blocks_too_long msg_too_long no_text invalid_arguments invalid_metadata_format metadata_too_large invalid_payload",
	} {
		for code := range strings.FieldsSeq(list) {
			v := verdictOf(code)
			if got := v.sendError(code, nil).Effect(); got != effect {
				t.Errorf("%s leads to %s, want %s", code, got, effect)
			}
		}
	}
}
