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
	owed, err := r.deps.Subs.Owed(ctx, s.ID)
	if err != nil {
		return Answer{}, false, fmt.Errorf("what %s is owed: %w", s.ID, err)
	}
	for _, said := range []string{r.putOffShown(c, s), owedShown(c, owed)} {
		if said != "" {
			msg.Blocks = append(msg.Blocks, text(said))
		}
	}
	return Answer{Message: msg}, true, nil
}

// putOffShown says that nothing comes now because of quiet hours or a holiday; "" when it may.
func (r *Router) putOffShown(c *call, s bot.Subscription) string {
	x, now := r.deps.Exceptions(), r.deps.Now()
	at, skip := x.When(s.Schedule.Zone, s.Except, now)
	until := when(c, at.In(r.zoneOf(s)))
	switch {
	case s.State == bot.StatePaused:
		return ""
	case skip:
		return c.say("今天是节假日，不发送；内容会随下一次一起送到。", "Nothing comes on a holiday as today; what it holds comes with the next digest.")
	case at.After(now) && x.Holidays.Off(now.In(r.zoneOf(s))):
		return c.say("今天是节假日；该发的等到：", "A holiday today: what is due waits until ") + until
	case at.After(now):
		return c.say("现在是免打扰时间；该发的等到：", "Quiet hours now: what is due waits until ") + until
	}
	return ""
}

// owedShown says what did not come; "" when nothing is owed.
func owedShown(c *call, owed *bot.Owed) string {
	switch {
	case owed == nil:
		return ""
	case owed.Times > 0:
		return fmt.Sprintf(c.say("有 %d 次没有送到；欠下的会随下一次一起送到。", "Planned times that brought nothing: %d. What is owed comes with the next digest."), owed.Times)
	}
	return c.say("有内容还没有送到；会随下一次一起送到。", "Something is still owed; it comes with the next digest.")
}
