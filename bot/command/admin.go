package command

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/admin"
	"weeklybot/bot/schedule"
)

const (
	upcomingShown   = 10 // planned runs that /schedule lists
	deliveriesShown = 10 // failed deliveries that /deliveries lists
	failuresShown   = 5  // failed deliveries that a report names
)

// mayAdminister refuses everybody but the administrators of the bot.
func (r *Router) mayAdminister(c *call) error {
	if !r.isAdmin(c.cmd) {
		return c.fault("forbidden", "只有机器人的管理员可以使用 /"+c.request.cmd.name+"。", "Only administrators of the bot may use /"+c.request.cmd.name+".",
			"他们写在配置的 admins 里；您是 "+member(c.cmd)+"。", "They stand under admins in the configuration; you are "+member(c.cmd)+".")
	}
	if r.deps.Desk == nil {
		return c.fault("not_here", "这里没有可以管理的机器人。", "There is no bot to administer here.", "请在运行中的机器人那里使用。", "Use it where the bot runs.")
	}
	return nil
}

// actor is who typed a command, and where.
func (c *call) actor() admin.Actor {
	ch := c.cmd.Channel
	return admin.Actor{Who: member(c.cmd), Where: ch.Adapter + ":" + ch.Workspace + "/" + ch.Address, Lang: c.lang}
}

// broadcast drafts a message to many channels, or says what is to become of a draft.
func (r *Router) broadcast(ctx context.Context, c *call) (Answer, error) {
	if err := r.mayAdminister(c); err != nil {
		return Answer{}, err
	}
	rest := r.rawRest(c)
	word, after := cutWord(rest)
	if do, ok := broadcastVerbs[strings.ToLower(word)]; ok {
		return do(r, ctx, c, strings.Fields(after))
	}
	if rest == "" {
		return Answer{Message: r.explain(c, c.request.cmd)}, nil
	}
	return r.draft(ctx, c, "", rest)
}

// broadcastVerbs are the words behind /broadcast that are about a draft.
var broadcastVerbs = verbs(map[string]func(*Router, context.Context, *call, []string) (Answer, error){
	"confirm approve 确认 批准": (*Router).approveBroadcast,
	"cancel stop 取消 停止":     (*Router).cancelBroadcast,
	"report progress 报告 进度": (*Router).reportBroadcast,
	"list 列表":               (*Router).listBroadcasts,
})

func verbs[F any](rows map[string]F) map[string]F {
	m := map[string]F{}
	for words, do := range rows {
		for word := range strings.FieldsSeq(words) {
			m[word] = do
		}
	}
	return m
}

// draft keeps a broadcast and shows what it would do.
func (r *Router) draft(ctx context.Context, c *call, when, rest string) (Answer, error) {
	f, err := r.readForm(c, rest)
	if err != nil {
		return Answer{}, err
	}
	if when != "" {
		f.When = when
	}
	d, err := r.deps.Desk.Draft(ctx, c.actor(), f.Request)
	if err != nil {
		return Answer{}, err
	}
	b := d.Broadcast
	msg := bot.Message{Title: fmt.Sprintf(c.say("草稿 %s：将发给 %d 个频道", "Draft %s: to %d channels"), b.ID, b.Count)}
	var lines []string
	for _, way := range d.Reach {
		lines = append(lines, fmt.Sprintf("%s (%s): %d", way.Platform, way.Kind, way.Channels))
	}
	lines = append(lines, c.say("时间：", "When: ")+whenOf(c, b))
	msg.Blocks = append(msg.Blocks, text(strings.Join(lines, "\n")), bot.Block{Kind: bot.BlockDivider})
	if d.Message.Title != "" {
		msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockHeading, Text: d.Message.Title})
	}
	msg.Blocks = append(msg.Blocks, d.Message.Blocks...)
	msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockDivider}, note(fmt.Sprintf(
		c.say("还没有发送。确认：/broadcast confirm %s %s · 放弃：/broadcast cancel %s", "Nothing is sent yet. Send it: /broadcast confirm %s %s · drop it: /broadcast cancel %s"), b.ID, b.Token, b.ID)))
	return Answer{Message: msg}, nil
}

// whenOf says when a broadcast goes out.
func whenOf(c *call, b bot.Broadcast) string {
	switch {
	case b.Schedule.Cron != "":
		return schedule.Describe(b.Schedule, c.lang)
	case !b.At.IsZero():
		return when(c, inZone(b.At, b.Schedule.Zone))
	case b.State == bot.BroadcastDraft:
		return c.say("确认后立即", "once it is confirmed")
	}
	return c.say("立即", "at once")
}

// inZone is t on the clock of a zone.
func inZone(t time.Time, zone string) time.Time {
	if place, err := schedule.Location(zone); err == nil && zone != "" {
		return t.In(place)
	}
	return t
}

// broadcastID reads the ID at the front of words.
func (c *call) broadcastID(words []string) (string, error) {
	if len(words) == 0 {
		return "", c.fault("which_broadcast", "哪一个群发？", "Which broadcast?", "编号见 /broadcast list，例如 b7", "See /broadcast list for its ID, for example b7")
	}
	return strings.ToLower(words[0]), nil
}

func (r *Router) approveBroadcast(ctx context.Context, c *call, words []string) (Answer, error) {
	if len(words) != 2 {
		return Answer{}, c.fault("which_broadcast", "请写编号和确认码。", "Name the draft and its token.", "/broadcast confirm b7 "+c.say("确认码", "TOKEN"), "/broadcast confirm b7 TOKEN")
	}
	b, err := r.deps.Desk.Approve(ctx, c.actor(), strings.ToLower(words[0]), words[1])
	if err != nil {
		return Answer{}, err
	}
	msg := bot.Message{Title: fmt.Sprintf(c.say("%s 已确认", "%s is approved"), b.ID), Blocks: []bot.Block{
		text(c.say("时间：", "When: ") + whenOf(c, b)),
		note(fmt.Sprintf(c.say("进度：/broadcast report %s · 停止：/broadcast cancel %s · 撤回：/recall %s", "Progress: /broadcast report %s · stop: /broadcast cancel %s · take it back: /recall %s"), b.ID, b.ID, b.ID))}}
	return Answer{Message: msg}, nil
}

func (r *Router) cancelBroadcast(ctx context.Context, c *call, words []string) (Answer, error) {
	id, err := c.broadcastID(words)
	if err == nil {
		_, err = r.deps.Desk.Cancel(ctx, c.actor(), id)
	}
	if err != nil {
		return Answer{}, err
	}
	return Answer{Message: bot.Message{Title: fmt.Sprintf(c.say("%s 已取消", "%s is cancelled"), id), Blocks: []bot.Block{
		text(c.say("已经在途的仍会送达。", "What is on its way still arrives.")), note(c.say("结果：/broadcast report ", "What became of it: /broadcast report ") + id)}}}, nil
}

// recall takes a broadcast back.
func (r *Router) recall(ctx context.Context, c *call) (Answer, error) {
	if err := r.mayAdminister(c); err != nil {
		return Answer{}, err
	}
	id, err := c.broadcastID(c.words)
	if err == nil {
		_, err = r.deps.Desk.Recall(ctx, c.actor(), id)
	}
	if err != nil {
		return Answer{}, err
	}
	return Answer{Message: bot.Message{Title: fmt.Sprintf(c.say("正在撤回 %s", "Taking %s back"), id), Blocks: []bot.Block{
		text(c.say("能撤回的平台会删除已发的消息，其余平台上消息保留。", "Its posts are deleted where the platform can; elsewhere they stay.")),
		note(c.say("结果：/broadcast report ", "What became of it: /broadcast report ") + id)}}}, nil
}

func (r *Router) listBroadcasts(ctx context.Context, c *call, _ []string) (Answer, error) {
	list, err := r.deps.Desk.Broadcasts(ctx, "", upcomingShown)
	if err != nil {
		return Answer{}, err
	}
	msg := bot.Message{Title: c.say("群发", "Broadcasts")}
	for _, b := range list {
		msg.Blocks = append(msg.Blocks, text(fmt.Sprintf("%s · %s · %s · %d · %s", b.ID, b.State, clip(b.Title, 40), b.Count, whenOf(c, b))))
	}
	if len(list) == 0 {
		msg.Blocks = append(msg.Blocks, text(c.say("还没有。", "None yet.")))
	}
	return Answer{Message: msg}, nil
}

func (r *Router) reportBroadcast(ctx context.Context, c *call, words []string) (Answer, error) {
	id, err := c.broadcastID(words)
	if err != nil {
		return Answer{}, err
	}
	report, err := r.deps.Desk.Report(ctx, c.actor(), id)
	if err != nil {
		return Answer{}, err
	}
	b := report.Broadcast
	msg := bot.Message{Title: fmt.Sprintf("%s · %s", b.ID, b.State), Blocks: []bot.Block{
		text(clip(b.Title, 80) + "\n" + c.say("时间：", "When: ") + whenOf(c, b))}}
	if report.Progress != nil {
		msg.Blocks = append(msg.Blocks, text(c.progress(*report.Progress)))
	}
	if report.Recall != nil {
		msg.Blocks = append(msg.Blocks, text(c.say("撤回：", "Taken back: ")+c.progress(*report.Recall)))
	}
	if report.Uncertain > 0 {
		msg.Blocks = append(msg.Blocks, text(fmt.Sprintf(c.say("可能送达了两次：%d", "May have arrived twice: %d"), report.Uncertain)))
	}
	for _, code := range slices.Sorted(maps.Keys(report.Reasons)) {
		msg.Blocks = append(msg.Blocks, text(fmt.Sprintf("%s × %d", code, report.Reasons[code])))
	}
	for _, l := range report.Failures[:min(failuresShown, len(report.Failures))] {
		msg.Blocks = append(msg.Blocks, letterBlock(l))
	}
	return Answer{Message: msg}, nil
}

// progress is one line of numbers: "reached 12 · sent 10 · dead 2 · open 0 · left out 1".
func (c *call) progress(p bot.Progress) string {
	words := []string{fmt.Sprintf(c.say("频道 %d", "channels %d"), p.Reached)}
	for _, state := range slices.Sorted(maps.Keys(p.Counts)) {
		words = append(words, fmt.Sprintf("%s %d", state, p.Counts[state]))
	}
	if p.Open > 0 {
		words = append(words, fmt.Sprintf(c.say("进行中 %d", "open %d"), p.Open))
	}
	if p.Left > 0 {
		words = append(words, fmt.Sprintf(c.say("不能送到 %d", "left out %d"), p.Left))
	}
	return strings.Join(words, " · ")
}

func letterBlock(l bot.DeadLetter) bot.Block {
	return bot.Block{Kind: bot.BlockItem, Title: admin.Handle(l.ID) + " · " + string(l.State) + " · " + l.Code, Text: clip(l.Channel, 80) + "\n" + clip(l.Reason, 200)}
}

// schedules lists what is planned, or drafts a broadcast for a time.
func (r *Router) schedules(ctx context.Context, c *call) (Answer, error) {
	if err := r.mayAdminister(c); err != nil {
		return Answer{}, err
	}
	if rest := r.rawRest(c); rest != "" {
		when, form := cutWhen(rest)
		if when == "" || form == "" {
			return Answer{}, c.fault("bad_time", "先写时间，再写发给谁和正文。", "First when, then to whom, then the text.", c.usage(c.request.cmd), c.usage(c.request.cmd))
		}
		return r.draft(ctx, c, when, form)
	}
	runs, err := r.deps.Desk.Upcoming(ctx, upcomingShown)
	if err != nil {
		return Answer{}, err
	}
	msg := bot.Message{Title: c.say("接下来", "Coming up")}
	for _, o := range runs {
		what := fmt.Sprintf(c.say("%d 个订阅", "%d subscriptions"), o.Subscriptions)
		if o.Broadcast != "" {
			what = c.say("群发 ", "broadcast ") + o.Broadcast
		}
		msg.Blocks = append(msg.Blocks, text(when(c, inZone(o.At, o.Zone))+" · "+what))
	}
	if len(runs) == 0 {
		msg.Blocks = append(msg.Blocks, text(c.say("没有定时的订阅或群发。", "No subscription and no broadcast waits for a time.")))
	}
	msg.Blocks = append(msg.Blocks, note(c.usage(c.request.cmd)))
	return Answer{Message: msg}, nil
}

// deliveries lists what did not arrive, or may have arrived twice, delivers one after all, or drops it.
func (r *Router) deliveries(ctx context.Context, c *call) (Answer, error) {
	if err := r.mayAdminister(c); err != nil {
		return Answer{}, err
	}
	if len(c.words) > 0 {
		return r.settle(ctx, c)
	}
	list, total, err := r.deps.Desk.Newest(ctx, deliveriesShown)
	if err != nil {
		return Answer{}, err
	}
	if total == 0 {
		return Answer{Message: bot.Message{Title: c.say("没有失败或不确定的投递", "No delivery is dead, held or uncertain")}}, nil
	}
	msg := bot.Message{Title: fmt.Sprintf(c.say("失败或不确定的投递（%d）", "Dead, held and uncertain deliveries (%d)"), total)}
	for _, l := range list {
		msg.Blocks = append(msg.Blocks, letterBlock(l))
	}
	handle := admin.Handle(list[0].ID)
	msg.Blocks = append(msg.Blocks, note(fmt.Sprintf(c.say("重发：/deliveries retry %s · 丢弃（待定的算已送达）：/deliveries drop %s", "Send it after all: /deliveries retry %s · drop it (a held one counts as arrived): /deliveries drop %s"), handle, handle)))
	return Answer{Message: msg}, nil
}

var deliveryVerbs = verbs(map[string]string{"retry resend 重发 重试": "retry", "drop 丢弃": "drop", "show 查看": "show"})

func (r *Router) settle(ctx context.Context, c *call) (Answer, error) {
	verb := deliveryVerbs[strings.ToLower(c.words[0])]
	if verb == "" || len(c.words) != 2 {
		return Answer{}, c.fault("which_delivery", "请写 retry、drop 或 show，再写编号。", "Say retry, drop or show, and which.", c.usage(c.request.cmd), c.usage(c.request.cmd))
	}
	l, err := r.deps.Desk.ByHandle(ctx, c.actor(), c.words[1])
	if err != nil {
		return Answer{}, err
	}
	title := admin.Handle(l.ID)
	switch verb {
	case "retry":
		title, err = c.say("重发 ", "Sending again: ")+title, r.deps.Desk.Retry(ctx, c.actor(), l.ID)
	case "drop":
		title, err = c.say("已丢弃 ", "Dropped: ")+title, r.deps.Desk.Drop(ctx, c.actor(), l.ID)
	}
	if err != nil {
		return Answer{}, err
	}
	return Answer{Message: bot.Message{Title: title, Blocks: []bot.Block{letterBlock(l), note(l.ID)}}}, nil
}

// status counts what there is and what is amiss.
func (r *Router) status(ctx context.Context, c *call) (Answer, error) {
	if err := r.mayAdminister(c); err != nil {
		return Answer{}, err
	}
	s, err := r.deps.Desk.Status(ctx)
	if err != nil {
		return Answer{}, err
	}
	notArrived := maps.Clone(s.Letters)
	delete(notArrived, bot.Uncertain)
	lines := []string{
		fmt.Sprintf(c.say("有订阅的频道：%d", "Channels with a subscription: %d"), s.Channels),
		c.say("订阅：", "Subscriptions: ") + tally(s.Subscriptions),
		c.say("没有送达：", "Not delivered: ") + tally(notArrived),
		fmt.Sprintf(c.say("可能送达了两次：%d", "May have arrived twice: %d"), s.Letters[bot.Uncertain]),
		c.say("群发：", "Broadcasts: ") + tally(s.Broadcasts),
		fmt.Sprintf(c.say("期刊：%d 期，%d 条", "Newsletters: %d issues, %d items"), len(c.lib.Issues()), c.lib.ItemCount()),
	}
	for _, h := range s.Held {
		lines = append(lines, fmt.Sprintf(c.say("工作区 %s %s 暂时发不出去（%s）", "Workspace %s %s refuses the bot (%s)"), h.Platform, h.Workspace, h.Code))
	}
	if r.deps.Meters != nil {
		for _, m := range r.deps.Meters(ctx) {
			lines = append(lines, fmt.Sprintf(c.say("%s %s 本月已用 %d，额度 %d", "%s %s this month: %d of %d"), m.Adapter, m.Name, m.Used, m.Limit))
		}
	}
	return Answer{Message: bot.Message{Title: c.say("状态", "Status"), Blocks: []bot.Block{text(strings.Join(lines, "\n"))}}}, nil
}

// tally is "active 3, paused 1"; "0" for nothing.
func tally[K ~string](counts map[K]int) string {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		words = append(words, fmt.Sprintf("%s %d", k, counts[k]))
	}
	if len(words) == 0 {
		return "0"
	}
	return strings.Join(words, ", ")
}
