package notice

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/bot"
)

// maxTextRunes is the longest foreign text in a notice: a channel's name, what an adapter says of a fault.
const maxTextRunes = 600

func clip(s string) string {
	if r := []rune(s); len(r) > maxTextRunes {
		return string(r[:maxTextRunes]) + "…"
	}
	return s
}

// about makes a notice. Its ID is computed from what it is about, of which the first word says the kind and the last when it began.
func about(words ...string) bot.Notice {
	return bot.Notice{ID: bot.DeliveryKey("notice/" + strings.Join(words, "\t")), At: time.Now()}
}

func at(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// toAdmins raises what is known already.
func (t *Teller) toAdmins(n bot.Notice, zh, en string) {
	n.To, n.Zh, n.En = []string{bot.ToAdmins}, zh, en
	t.raise(func(context.Context) (bot.Notice, bool, error) { return n, true, nil })
}

// Ailing tells those who subscribed in a channel that nothing arrives there.
func (t *Teller) Ailing(id bot.ChannelID, a bot.Ailment) {
	n := about("ailing", id.String(), at(a.Since))
	t.raise(func(ctx context.Context) (bot.Notice, bool, error) {
		ch, subs, err := t.cfg.Store.Channel(ctx, id)
		if errors.Is(err, bot.ErrNotFound) || err == nil && len(subs) == 0 {
			return n, false, nil
		}
		for _, s := range subs {
			if !slices.Contains(n.To, s.By) {
				n.To = append(n.To, s.By)
			}
			n.Lang = cmp.Or(n.Lang, s.Lang)
		}
		n.Zh = fmt.Sprintf("%s 里的周报送不到了（%s）。%s到点会再试，修好后，漏掉的会一起送到。", place(ch), clip(a.Code), a.Says("zh"))
		n.En = fmt.Sprintf("Digests no longer arrive in %s (%s). %s They are tried again at each planned time; what was missed comes with the first that arrives.",
			place(ch), clip(a.Code), a.Says("en"))
		return n, true, err
	})
}

// Held tells the administrators that a whole workspace refuses the bot.
func (t *Teller) Held(w bot.Workspace, a bot.Ailment) {
	said := ""
	if a.Text != "" {
		said = "\n" + clip(a.Text)
	}
	name := strings.TrimSpace(w.Adapter + " " + clip(w.Name))
	t.toAdmins(about("held", w.Adapter, w.Name, at(a.Since)),
		fmt.Sprintf("工作区 %s 拒绝机器人发消息（%s）。那里的周报先等着，恢复后自动继续；请检查凭据、额度和 IP 白名单。%s", name, clip(a.Code), said),
		fmt.Sprintf("The workspace %s refuses the bot's posts (%s). Its digests wait and go on by themselves once it works; please check credentials, quota and allowed addresses.%s", name, clip(a.Code), said))
}

// MissedRun tells the administrators that a run came too late to go out. It returns when the notice is kept; where too many wait already, only the log
// has it.
func (t *Teller) MissedRun(ctx context.Context, r bot.Run) error {
	n, due := about("missed", r.ID), r.Due.UTC().Format("2006-01-02 15:04 UTC")
	n.To = []string{bot.ToAdmins}
	n.Zh = fmt.Sprintf("%s 的周报没有按时发出：当时没有机器人在运行。内容会随下一次一起送到。", due)
	n.En = fmt.Sprintf("The digests of %s did not go out: no bot was running then. What they held comes with the next.", due)
	_, err := t.cfg.Store.AddNotice(ctx, n)
	switch {
	case errors.Is(err, bot.ErrNoticesFull):
		t.cfg.Log.Error("a notice was dropped", "notice", n.En, "err", err)
		return nil
	case err != nil:
		t.cfg.Log.Warn("could not keep a notice; trying again", "err", err)
		return err
	}
	t.rouse()
	return nil
}

// Undelivered tells owner and administrators that a subscription got nothing at several planned dates in a row.
func (t *Teller) Undelivered(id bot.SubscriptionID, owed bot.Owed) {
	n := about("undelivered", id.String(), strconv.FormatInt(owed.From, 10))
	t.raise(func(ctx context.Context) (bot.Notice, bool, error) {
		ch, subs, err := t.cfg.Store.Channel(ctx, id.Channel)
		k := slices.IndexFunc(subs, func(s bot.Subscription) bool { return s.ID == id })
		if errors.Is(err, bot.ErrNotFound) || err == nil && k < 0 {
			return n, false, nil
		}
		if err != nil {
			return n, false, err
		}
		n.To, n.Lang = []string{subs[k].By, bot.ToAdmins}, subs[k].Lang
		n.Zh = fmt.Sprintf("%s 的订阅 #%d 连续 %d 次没有送到。请在那里用 /why #%d 看原因；欠下的会随下一次一起送到。", place(ch), id.Ordinal, owed.Times, id.Ordinal)
		n.En = fmt.Sprintf("Subscription #%d of %s got nothing at %d planned times in a row. /why #%d says there why; what is owed comes with the next digest.",
			id.Ordinal, place(ch), owed.Times, id.Ordinal)
		return n, true, nil
	})
}

// Silent tells the administrators that a newsletter is silent for twice its usual time. since is the date of its newest issue.
func (t *Teller) Silent(series string, since time.Time) {
	day := since.Format(time.DateOnly)
	t.toAdmins(about("silent", series, day),
		fmt.Sprintf("期刊“%s”自 %s 起没有新的一期，已超过平常间隔的两倍。请检查它的来源还读得到，或者它已停刊。", clip(series), day),
		fmt.Sprintf("The newsletter %q has had no issue since %s, more than twice its usual time. Please check that its source can still be read, or whether it has ended.", clip(series), day))
}

// NoHolidays tells the administrators that a year which comes soon has no data on holidays.
func (t *Teller) NoHolidays(year int) {
	t.toAdmins(about("holidays", strconv.Itoa(year)),
		fmt.Sprintf("没有 %d 年的节假日数据，届时按普通工作日处理。请更新机器人，或在 holidays 设置里给出自己的文件。", year),
		fmt.Sprintf("There is no data for the holidays of %d; its weekdays will count as workdays. Please update the bot, or name a file of your own in its holidays setting.", year))
}

// steps are the percentages of a monthly allowance that people are told of.
var steps = []int64{100, 90, 80}

// Allowance tells the administrators that a monthly allowance runs out: at 80, 90 and 100 percent.
func (t *Teller) Allowance(m bot.Meter) {
	for _, percent := range steps {
		if m.Limit > 0 && m.Used*100 >= m.Limit*percent {
			t.toAdmins(about("allowance", m.Adapter, m.Name, m.Month, strconv.FormatInt(percent, 10)),
				fmt.Sprintf("%s 本月的 %s 额度已用 %d%%（%d / %d）。用完后消息发不出去：请购买更多，或改用群机器人。", m.Adapter, m.Name, m.Used*100/m.Limit, m.Used, m.Limit),
				fmt.Sprintf("%d%% of this month's allowance %q of %s is used (%d of %d). Nothing can be posted once it is spent: buy more, or move digests to group robots.",
					m.Used*100/m.Limit, m.Name, m.Adapter, m.Used, m.Limit))
			return
		}
	}
}

// place names a channel for people.
func place(ch bot.Channel) string {
	return fmt.Sprintf("%s “%s”", ch.Adapter, clip(cmp.Or(ch.Name, ch.Address)))
}
