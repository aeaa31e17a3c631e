package feishu

import (
	"strings"
	"testing"

	"weeklybot/bot"
)

// What codes lead to, written apart from the table.
func TestEffects(t *testing.T) {
	for effect, list := range map[bot.Effect]string{
		bot.Retry:     "2200 5000 55001 230049 99991663",
		bot.Wait:      "11232 230020 99991400",
		bot.RetryOnce: "123456",
		bot.Hold:      "10003 10014 99991662 232034 230006 230027 99991401 99991403 230036",
		bot.Ask:       "19021 19022 19024 230002 10002 230018 230035",
		bot.Probation: "19001 230013 230029 230034 232010",
		bot.Degrade:   "230022 230028 230025 19036 230011 230001 230099",
	} {
		for code := range strings.FieldsSeq(list) {
			fault := judgeCode(code, "words")
			if got := fault.Effect(); got != effect {
				t.Errorf("%s leads to %s, want %s", code, got, effect)
			}
		}
	}
}
