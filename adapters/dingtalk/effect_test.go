package dingtalk

import (
	"strings"
	"testing"

	"weeklybot/bot"
)

// What codes lead to, written apart from the table.
func TestEffects(t *testing.T) {
	for effect, list := range map[bot.Effect]string{
		bot.Retry:     "-1 15 88 system.error service.timeout invalidauthentication 40014",
		bot.Wait:      "90018 send.too.fast 130101 410100 send.bytoken.toofast",
		bot.Hold:      "90020 daily.call.limit invalidclientidorsecret forbidden.accessdenied.ipnotinwhitelist 90004",
		bot.Ask:       "keywords.not.match sign.not.match ip.not.match 400102 bot.stopped chatbotnotinstall bot.forbidden.sendmessage send.forbidden",
		bot.Probation: "400013 400106 400101 300001 group.disbanded chat.notexist token.notexisted session.expired",
		bot.Degrade:   "430101 contain.unsafe.url contain.notallowed.word 460101 invalidparameter.msgparam.toolong 40035 43004",
	} {
		for code := range strings.FieldsSeq(list) {
			v, known := lookup(code)
			if got := (&bot.SendError{Fault: v.Fault, Scope: v.Scope, Action: v.Act}).Effect(); !known || got != effect {
				t.Errorf("%s leads to %s, want %s", code, got, effect)
			}
		}
	}
}
