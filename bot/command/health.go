package command

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"weeklybot/bot"
)

// whySubscription answers "/why #2" where the channel has a subscription 2: when it comes next, or what keeps it from arriving and what
// can be done. ok is false for anything else.
func (r *Router) whySubscription(ctx context.Context, c *call) (Answer, bool, error) {
	if len(c.words) != 1 || !strings.HasPrefix(c.words[0], "#") || r.deps.Subs == nil {
		return Answer{}, false, nil
	}
	subs, err := r.list(ctx, c)
	if err != nil {
		return Answer{}, false, err
	}
	k := slices.IndexFunc(subs, func(s bot.Subscription) bool { return isNumber(c.words[0], s.ID.Ordinal) })
	if k < 0 {
		return Answer{}, false, nil
	}
	s := subs[k]
	msg := bot.Message{Title: fmt.Sprintf(c.say("订阅 #%d 的情况", "How subscription #%d is doing"), s.ID.Ordinal), Blocks: []bot.Block{text(r.describe(c, s)), text(r.nextRun(c, s))}}
	state, ailment, err := r.deps.Subs.Ailing(ctx, c.cmd.Channel)
	if err != nil {
		return Answer{}, false, fmt.Errorf("health of %s: %w", s.ID, err)
	}
	if state != bot.StateActive {
		msg.Blocks = append(msg.Blocks, text(fmt.Sprintf(c.say("平台的回答：%s（自 %s）", "What the platform says: %s (since %s)"), ailment.Code, when(c, ailment.Since.In(r.zoneOf(s))))))
	}
	if state == bot.StateProbation {
		msg.Blocks = append(msg.Blocks, text(ailment.Says(c.lang)))
	}
	return Answer{Message: msg}, true, nil
}
