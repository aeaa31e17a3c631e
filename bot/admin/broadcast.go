package admin

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"weeklybot/bot"
	"weeklybot/bot/digest"
	"weeklybot/bot/schedule"
)

const (
	maxTextRunes  = 20_000 // of a broadcast's text, in code points
	maxTitleRunes = 200    // of its title
	maxAudience   = 200    // names in one list of an audience
	maxFailures   = 100    // failed deliveries that a report names
)

// Request is a broadcast as an administrator writes it. Either Text or Issue.
type Request struct {
	Title    string       `json:"title"`
	Text     string       `json:"text"`  // paragraphs, separated by empty lines
	Issue    string       `json:"issue"` // an issue's key, or a series: its newest issue
	Style    bot.Style    `json:"style"` // of an issue; "" = brief
	MaxItems int          `json:"max_items"`
	Lang     string       `json:"lang"` // "zh" or "en"; "" = the configuration's
	Audience bot.Audience `json:"audience"`
	When     string       `json:"when"` // "" = once it is approved; "2026-12-24 09:00"; else a schedule: "Mon 09:00", a cron expression
	Zone     string       `json:"zone"` // of When; "" = the configuration's
}

// Drafted is a broadcast that waits for approval, and what it would do.
type Drafted struct {
	Broadcast bot.Broadcast
	Message   bot.Message
	Reach     []Reach
}

// Reach is how many channels of one way a broadcast reaches.
type Reach struct {
	Platform string   `json:"platform"`
	Kind     bot.Kind `json:"kind"`
	Channels int      `json:"channels"`
}

// Draft keeps a broadcast and counts whom it would reach. Nothing is sent before Approve.
func (d *Desk) Draft(ctx context.Context, a Actor, r Request) (Drafted, error) {
	b := bot.Broadcast{By: a.Who, Token: newToken()}
	msg, err := d.message(a, r)
	if err == nil {
		b.Audience, err = d.audience(a, r.Audience)
	}
	if err == nil {
		b.At, b.Schedule, err = d.when(a, r.When, r.Zone)
	}
	if err != nil {
		return Drafted{}, err
	}
	reach, total, err := d.reach(ctx, b.Audience)
	if err != nil {
		return Drafted{}, err
	}
	b.Title, b.Count = cmp.Or(msg.Title, msg.Notice), total
	if b, err = d.deps.Store.Draft(ctx, b, msg); err != nil {
		return Drafted{}, err
	}
	d.note(ctx, a, "broadcasts create", fmt.Sprintf("%s to %d channels", b.ID, b.Count))
	return Drafted{b, msg, reach}, nil
}

// newToken is what must be said to approve a broadcast: 8 characters that are easy to type.
func newToken() string {
	var b [5]byte
	_, _ = rand.Read(b[:])
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

func (d *Desk) message(a Actor, r Request) (msg bot.Message, err error) {
	lang := r.Lang
	if lang == "" {
		lang = d.deps.Lang
	}
	switch {
	case lang != "zh" && lang != "en":
		return msg, a.fault("bad_lang", "语言只能是 zh 或 en。", "The language is zh or en.")
	case (r.Text == "") == (r.Issue == ""):
		return msg, a.fault("empty", "请写正文，或指定一期，二者选一。", "Write a text or name an issue: one of the two.")
	case utf8.RuneCountInString(r.Text) > maxTextRunes || utf8.RuneCountInString(r.Title) > maxTitleRunes:
		return msg, a.fault("too_long", fmt.Sprintf("正文最多 %d 字，标题最多 %d 字。", maxTextRunes, maxTitleRunes),
			fmt.Sprintf("A text has at most %d characters, a title %d.", maxTextRunes, maxTitleRunes))
	case r.Issue != "":
		return d.issue(a, r, lang)
	}
	msg = bot.Message{Title: oneLine(r.Title), Lang: lang}
	for paragraph := range strings.SplitSeq(strings.ReplaceAll(r.Text, "\r\n", "\n"), "\n\n") {
		if paragraph = strings.TrimSpace(strings.ToValidUTF8(paragraph, "\uFFFD")); paragraph != "" {
			msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockText, Text: paragraph})
		}
	}
	if len(msg.Blocks) == 0 {
		return msg, a.fault("empty", "正文是空的。", "The text is empty.")
	}
	if msg.Title == "" {
		msg.Notice = clip(oneLine(msg.Blocks[0].Text))
	}
	return msg, nil
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
}

func (d *Desk) issue(a Actor, r Request, lang string) (msg bot.Message, err error) {
	style := r.Style
	if style == "" {
		style = bot.StyleBrief
	}
	if !slices.Contains([]bot.Style{bot.StyleHeadlines, bot.StyleBrief, bot.StyleFull}, style) || r.MaxItems < 0 {
		return msg, a.fault("bad_style", "样式只能是 headlines、brief 或 full，条数不能为负。", "The style is headlines, brief or full, and max_items is not negative.")
	}
	lib := d.deps.Library()
	issue := lib.Issue(r.Issue)
	if issue == nil {
		issue = lib.Latest(r.Issue)
	}
	if issue == nil || issue.ItemCount() == 0 {
		return msg, a.fault("unknown_issue", fmt.Sprintf("没有“%s”这一期。", clip(r.Issue)), fmt.Sprintf("There is no issue “%s”, and no series of that name with issues.", clip(r.Issue)))
	}
	msg = digest.Issue(issue, style, lang, r.MaxItems)
	if r.Title != "" {
		msg.Title = oneLine(r.Title)
	}
	return msg, nil
}

// audience checks every name, so that a typo does not reach nobody, or everybody.
func (d *Desk) audience(a Actor, f bot.Audience) (bot.Audience, error) {
	for _, list := range [][]string{f.Platforms, f.Workspaces, f.Channels, f.Series, f.Topics} {
		if len(list) > maxAudience {
			return f, a.fault("bad_audience", fmt.Sprintf("一个条件最多写 %d 个名字。", maxAudience), fmt.Sprintf("One condition holds at most %d names.", maxAudience))
		}
		if slices.Contains(list, "") {
			return f, a.fault("bad_audience", "条件里有空的名字。", "A condition holds an empty name.")
		}
	}
	for _, p := range f.Platforms {
		if d.adapters[p] == nil {
			return f, a.fault("bad_audience", fmt.Sprintf("没有“%s”这个平台。", clip(p)), fmt.Sprintf("There is no platform “%s”.", clip(p)))
		}
	}
	for i, name := range f.Channels {
		if _, err := bot.ParseChannelID(name); err == nil {
			continue
		}
		ch, err := d.deps.FindChannel(name)
		if err != nil {
			return f, a.fault("bad_audience", fmt.Sprintf("没有“%s”这个频道。", clip(name)), fmt.Sprintf("There is no channel “%s”: name it as the configuration does, by its ID, or as slack:T1/C1.", clip(name)))
		}
		f.Channels[i] = ch.ID().String()
	}
	for _, s := range f.Series {
		if !slices.Contains(d.deps.Library().Series(), s) {
			return f, a.fault("bad_audience", fmt.Sprintf("没有“%s”这种期刊。", clip(s)), fmt.Sprintf("There is no series “%s”.", clip(s)))
		}
	}
	for i, t := range f.Topics {
		name, ok := d.deps.Topics.Canonical(t)
		if !ok {
			return f, a.fault("bad_audience", fmt.Sprintf("没有“%s”这个主题。", clip(t)), fmt.Sprintf("There is no topic “%s”.", clip(t)))
		}
		f.Topics[i] = name
	}
	return f, nil
}

// dateForms are the ways to write one moment.
var dateForms = []string{"2006-01-02 15:04", "2006-01-02T15:04", "2006-1-2 15:04", time.RFC3339}

// when reads one moment, or a schedule.
func (d *Desk) when(a Actor, text, zone string) (at time.Time, s bot.Schedule, err error) {
	if zone == "" {
		zone = d.deps.Zone
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return at, s, nil
	}
	name, err := schedule.Zone(zone, a.Lang)
	if err != nil {
		return at, s, err
	}
	place, err := schedule.Location(name)
	if err != nil {
		return at, s, err
	}
	for _, form := range dateForms {
		if at, err := time.ParseInLocation(form, text, place); err == nil {
			if !at.After(d.deps.Now()) {
				return at, s, a.fault("bad_time", fmt.Sprintf("%s 已经过去了。", text), fmt.Sprintf("%s is in the past.", text))
			}
			return at.UTC(), bot.Schedule{Zone: name}, nil
		}
	}
	if s, err = schedule.Parse(text, name, a.Lang); err != nil {
		return at, s, err
	}
	if s.OnPublish {
		return at, s, a.fault("bad_time", "群发不能按发布时间；请写时间或周期。", "A broadcast does not wait for an issue: write a time or a schedule.")
	}
	return at, s, nil
}

func (d *Desk) reach(ctx context.Context, f bot.Audience) (list []Reach, total int, err error) {
	counts, err := d.deps.Store.Reach(ctx, f)
	for way, n := range counts {
		list = append(list, Reach{way.Adapter, way.Kind, n})
		total += n
	}
	slices.SortFunc(list, func(a, b Reach) int {
		return strings.Compare(a.Platform+" "+string(a.Kind), b.Platform+" "+string(b.Kind))
	})
	return list, total, err
}

// Preview is what one way into a platform gets: the exact request bodies, one a part.
type Preview struct {
	Reach
	Bodies []json.RawMessage `json:"bodies"`
	Text   string            `json:"text,omitempty"` // instead of bodies, where the platform has no request to show
}

// Previews shows a broadcast as each way of its audience gets it.
func (d *Desk) Previews(ctx context.Context, a Actor, id string) ([]Preview, error) {
	b, err := d.deps.Store.Broadcast(ctx, id)
	if err != nil {
		return nil, a.missing("broadcast", id, err)
	}
	msg, err := d.deps.Store.Body(ctx, id)
	if err != nil {
		return nil, a.missing("broadcast", id, err)
	}
	reach, _, err := d.reach(ctx, b.Audience)
	if err != nil {
		return nil, err
	}
	previews := []Preview{}
	for _, way := range reach {
		p := Preview{Reach: way, Bodies: []json.RawMessage{}}
		adapter := d.adapters[way.Platform]
		if adapter == nil {
			p.Text = "platform not configured"
			previews = append(previews, p)
			continue
		}
		parts := adapter.Split(way.Kind, msg)
		for i, part := range parts {
			previewer, ok := adapter.(bot.Previewer)
			if !ok {
				p.Text = "plain text"
				break
			}
			body, err := previewer.Preview(way.Kind, bot.Post{Key: bot.DeliveryKey("preview"), Part: i + 1, Parts: len(parts), Message: part})
			if err != nil {
				return nil, fmt.Errorf("preview of %s for %s %s: %w", id, way.Platform, way.Kind, err)
			}
			p.Bodies = append(p.Bodies, body)
		}
		previews = append(previews, p)
	}
	return previews, nil
}

// Approve lets a draft go: at once, or when its time comes. token is what Draft gave.
func (d *Desk) Approve(ctx context.Context, a Actor, id, token string) (bot.Broadcast, error) {
	b, err := d.deps.Store.ChangeBroadcast(ctx, id, func(b *bot.Broadcast) (*bot.Order, error) {
		if subtle.ConstantTimeCompare([]byte(strings.ToLower(token)), []byte(b.Token)) != 1 {
			return nil, a.fault(CodeToken, "确认码不对；它写在草稿的回复里。", "This is not the broadcast's token; the answer to its draft shows it.")
		}
		if b.State != bot.BroadcastDraft {
			return nil, a.wrongState(*b)
		}
		now := d.deps.Now()
		b.Approver = a.Who
		b.State, b.Next = bot.BroadcastScheduled, b.At
		if b.Schedule.Cron != "" {
			next, err := schedule.Next(b.Schedule, now)
			if err != nil {
				return nil, err
			}
			b.Next = next.UTC()
		}
		if !b.Next.After(now) {
			b.State, b.Next = bot.BroadcastApproved, now.UTC()
		}
		return nil, nil
	})
	if err != nil {
		return b, a.missing("broadcast", id, err)
	}
	d.note(ctx, a, "broadcasts approve", id)
	return b, nil
}

func (a Actor) wrongState(b bot.Broadcast) error {
	return a.fault(CodeBusy, fmt.Sprintf("%s 的状态是 %s，不能这样做。", b.ID, b.State), fmt.Sprintf("Not possible: %s is %s.", b.ID, b.State))
}

// Cancel stops a broadcast between two sends. What is on its way still arrives; the report shows both numbers. A repeated Cancel makes sure that
// every owner knows.
func (d *Desk) Cancel(ctx context.Context, a Actor, id string) (bot.Broadcast, error) {
	b, err := d.stop(ctx, a, id, func(b *bot.Broadcast) (*bot.Order, error) {
		switch b.State {
		case bot.BroadcastDone, bot.BroadcastRecalled:
			return nil, a.wrongState(*b)
		case bot.BroadcastCancelled:
			return nil, nil
		}
		b.State, b.Next = bot.BroadcastCancelled, time.Time{}
		return &bot.Order{Kind: bot.OrderStop, Broadcast: b.ID}, nil
	})
	if err == nil {
		d.note(ctx, a, "broadcasts cancel", id)
	}
	return b, err
}

// Recall stops a broadcast and takes the posts of its newest run back, where the platform can.
func (d *Desk) Recall(ctx context.Context, a Actor, id string) (bot.Broadcast, error) {
	b, err := d.stop(ctx, a, id, func(b *bot.Broadcast) (*bot.Order, error) {
		last := b.Last()
		switch {
		case b.State == bot.BroadcastRecalled:
			return nil, nil
		case last == nil:
			return nil, a.fault(CodeBusy, fmt.Sprintf("%s 还没有发出；要取消请用 cancel。", b.ID), fmt.Sprintf("%s has not gone out yet: cancel it.", b.ID))
		}
		b.State, b.Next = bot.BroadcastRecalled, time.Time{}
		return &bot.Order{Kind: bot.OrderRecall, Broadcast: b.ID, Run: "recall:" + last.ID, Recalls: last.ID, Due: d.deps.Now().UTC()}, nil
	})
	if err == nil {
		d.note(ctx, a, "broadcasts recall", id)
	}
	return b, err
}

func (d *Desk) stop(ctx context.Context, a Actor, id string, change func(*bot.Broadcast) (*bot.Order, error)) (bot.Broadcast, error) {
	b, err := d.deps.Store.ChangeBroadcast(ctx, id, func(b *bot.Broadcast) (*bot.Order, error) {
		order, err := change(b)
		if err == nil && b.Stopper == "" {
			b.Stopper = a.Who
		}
		return order, err
	})
	if err != nil {
		return b, a.missing("broadcast", id, err)
	}
	return b, d.deps.Store.Stir(ctx)
}

// Broadcasts lists broadcasts, newest first, older than before ("" = all).
func (d *Desk) Broadcasts(ctx context.Context, before string, limit int) ([]bot.Broadcast, error) {
	list, err := d.deps.Store.Broadcasts(ctx, before, limit)
	for i := range list {
		if err == nil {
			list[i], _, _, err = d.look(ctx, list[i])
		}
	}
	return list, err
}

// Report is what became of a broadcast's newest run.
type Report struct {
	Broadcast bot.Broadcast
	Progress  *bot.Progress // nil: it has not gone out
	Recall    *bot.Progress // nil: not recalled
	Failures  []bot.DeadLetter
	Reasons   map[string]int // code → failed deliveries, those that Failures leaves out too
	Uncertain int            // deliveries that were posted again though they may have arrived
}

// Report sums a broadcast up, with the reason of each failure.
func (d *Desk) Report(ctx context.Context, a Actor, id string) (r Report, err error) {
	b, err := d.deps.Store.Broadcast(ctx, id)
	if err != nil {
		return r, a.missing("broadcast", id, err)
	}
	if r.Broadcast, r.Progress, r.Recall, err = d.look(ctx, b); err != nil {
		return r, err
	}
	r.Reasons = map[string]int{}
	err = d.deps.Store.EachLetter(ctx, "", func(l bot.DeadLetter) error {
		last := b.Last()
		switch mine := last != nil && l.Run == last.ID || b.Recall != nil && l.Run == b.Recall.ID; {
		case !mine:
		case l.State == bot.Uncertain:
			r.Uncertain++
		default:
			if r.Reasons[l.Code]++; len(r.Failures) < maxFailures {
				r.Failures = append(r.Failures, l)
			}
		}
		return nil
	})
	return r, err
}

// look finds out how far a broadcast is, and notes which of its runs have ended.
func (d *Desk) look(ctx context.Context, b bot.Broadcast) (_ bot.Broadcast, run, recall *bot.Progress, err error) {
	ended := map[string]*bot.Progress{}
	for i := range b.Runs {
		if run, err = d.progress(ctx, &b.Runs[i], ended); err != nil {
			return b, nil, nil, err
		}
	}
	if b.Recall != nil {
		recall, err = d.progress(ctx, b.Recall, ended)
	}
	if err != nil || len(ended) == 0 {
		return b, run, recall, err
	}
	b, err = d.deps.Store.ChangeBroadcast(ctx, b.ID, func(b *bot.Broadcast) (*bot.Order, error) {
		for i := range b.Runs {
			b.Runs[i].Done = cmp.Or(ended[b.Runs[i].ID], b.Runs[i].Done)
		}
		if b.Recall != nil {
			b.Recall.Done = cmp.Or(ended[b.Recall.ID], b.Recall.Done)
		}
		switch {
		case b.State != bot.BroadcastRunning || b.Last().Done == nil:
		case b.Next.IsZero():
			b.State = bot.BroadcastDone
		default:
			b.State = bot.BroadcastScheduled
		}
		return nil, nil
	})
	return b, run, recall, err
}

// progress is how far a run is; one that has ended since it was last looked at is added to ended.
func (d *Desk) progress(ctx context.Context, r *bot.BroadcastRun, ended map[string]*bot.Progress) (*bot.Progress, error) {
	if r.Done != nil {
		return r.Done, nil
	}
	p, err := d.deps.Store.Progress(ctx, *r)
	if err == nil && p.Ended {
		ended[r.ID] = &p
	}
	return &p, err
}
