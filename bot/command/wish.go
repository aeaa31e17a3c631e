package command

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weeklybot/bot"
	"weeklybot/bot/schedule"
)

const (
	maxTopics = 20  // of one subscription
	maxSeries = 20  // of one subscription
	maxItems  = 500 // that "max N" may name
	// maxScheduleWords is how many words a schedule is looked for in: "monthly on the 1st of every month at 9:00 am" has ten.
	maxScheduleWords = 12
)

// wish is what a /subscribe command says.
type wish struct {
	sub      bot.Subscription
	hasStyle bool // said, not assumed
	hasLang  bool
	hasMax   bool
}

// applyTo changes what the wish said about the form of a digest.
func (w wish) applyTo(s *bot.Subscription) {
	if w.hasStyle {
		s.Style = w.sub.Style
	}
	if w.hasLang {
		s.Lang = w.sub.Lang
	}
	if w.hasMax {
		s.MaxItems = w.sub.MaxItems
	}
	if w.sub.Except.Quiet != "" {
		s.Except.Quiet = w.sub.Except.Quiet
	}
	if w.sub.Except.Holidays != "" {
		s.Except.Holidays = w.sub.Except.Holidays
	}
}

// wish reads TOPICS|all [from SERIES,…] SCHEDULE [ZONE] [style] [lang] [max N].
func (r *Router) wish(c *call, words []string) (wish, error) {
	w := wish{sub: bot.Subscription{Style: bot.StyleBrief, Lang: c.lang, State: bot.StateActive}}
	words, err := w.takeForm(c, words)
	if err != nil {
		return w, err
	}
	from := slices.IndexFunc(words, func(s string) bool { return strings.EqualFold(s, "from") || s == "来自" || s == "自" })
	at, err := r.takeSchedule(c, &w.sub, words, from)
	if err != nil {
		return w, err
	}
	topics, series := words[:at], []string(nil)
	if from >= 0 && from < at {
		topics, series = words[:from], words[from+1:at]
		if len(series) == 0 {
			return w, c.fault("unknown_series", "“from”后面要写期刊名。", "A series must follow “from”.", "有："+strings.Join(c.lib.Series(), "、"), "There are: "+strings.Join(c.lib.Series(), ", "))
		}
	}
	if w.sub.Topics, err = r.wishTopics(c, topics); err != nil {
		return w, err
	}
	w.sub.Series, err = r.wishSeries(c, series)
	return w, err
}

// takeForm takes style, language, limit and exceptions off the end of words, in any order.
func (w *wish) takeForm(c *call, words []string) ([]string, error) {
	for len(words) > 0 {
		last := words[len(words)-1]
		if style, ok := styleOf(last); ok && !w.hasStyle {
			w.sub.Style, w.hasStyle, words = style, true, words[:len(words)-1]
			continue
		}
		if lang := language(last); lang != "" && !w.hasLang {
			w.sub.Lang, w.hasLang, words = lang, true, words[:len(words)-1]
			continue
		}
		if e, used, err := exceptAtEnd(words); used > 0 {
			if err != nil {
				return nil, c.fault("bad_exception", "免打扰或节假日写得不对。", "These quiet hours or this rule for holidays are not clear.",
					"例如：免打扰 22:00-8:00；节假日 顺延（或 跳过、照常）", "For example: quiet 22:00-8:00; holidays next (or skip, none)")
			}
			w.sub.Except, words = bot.Except{Quiet: cmp.Or(w.sub.Except.Quiet, e.Quiet), Holidays: cmp.Or(w.sub.Except.Holidays, e.Holidays)}, words[:len(words)-used]
			continue
		}
		n, used := limitAtEnd(words)
		if used == 0 || w.hasMax {
			break
		}
		if n < 1 || n > maxItems {
			return nil, c.fault("bad_max", "条数不对。", "This limit is not possible.", fmt.Sprintf("max 后面写 1 到 %d，例如 max 20", maxItems), fmt.Sprintf("After max comes 1 to %d, for example max 20", maxItems))
		}
		w.sub.MaxItems, w.hasMax, words = n, true, words[:len(words)-used]
	}
	return words, nil
}

// limitAtEnd reads "max 20", "max=20", "最多 20 条", "最多20条" at the end of words; used says how many words that were, 0 for none.
// A limit that is no number is -1.
func limitAtEnd(words []string) (n, used int) {
	for used := 1; used <= min(3, len(words)); used++ {
		joined := strings.ToLower(strings.Join(words[len(words)-used:], ""))
		for _, name := range []string{"max", "最多"} {
			if rest, ok := strings.CutPrefix(joined, name); ok && (rest != "" || used > 1) {
				n, err := strconv.Atoi(strings.Trim(rest, "=:条"))
				if err != nil {
					n = -1
				}
				return n, used
			}
		}
	}
	return 0, 0
}

// takeSchedule finds the first words that are a schedule, as many of them as possible; what follows is the zone. at is where it begins.
func (r *Router) takeSchedule(c *call, sub *bot.Subscription, words []string, from int) (at int, err error) {
	var never error
	for at = max(0, from); at < len(words); at++ {
		for end := min(len(words), at+maxScheduleWords); end > at; end-- {
			s, err := schedule.Parse(strings.Join(words[at:end], " "), "UTC", c.lang)
			if user, ok := errors.AsType[*bot.UserError](err); ok && user.Code == "never_fires" && never == nil {
				never = err
			}
			if err != nil {
				continue
			}
			if !s.OnPublish {
				s.Zone, err = r.zone(c, words[end:])
			} else if end < len(words) {
				err = c.noSchedule(words[end:])
			}
			sub.Schedule = s
			return at, err
		}
	}
	if never != nil {
		return 0, never
	}
	return 0, c.noSchedule(words)
}

func (r *Router) zone(c *call, words []string) (string, error) {
	if len(words) == 0 {
		return r.deps.Zone, nil
	}
	if len(words) > 1 && (words[0] == "in" || words[0] == "时区") {
		words = words[1:]
	}
	return schedule.Zone(strings.Join(words, " "), c.lang)
}

// noSchedule is the fault of a command that does not say when, or says it in words nobody understands.
func (c *call) noSchedule(words []string) error {
	err := &bot.UserError{Code: "bad_schedule", Hint: schedule.Examples(c.lang)}
	switch shown := clip(strings.Join(words, " "), 60); len(words) {
	case 0:
		err.Text = c.say("什么时候发？", "When should it come?")
	case 1:
		err.Text = c.say("什么时候发？例如：/subscribe "+shown+" 每周一 9:00", "When should it come? For example: /subscribe "+shown+" Mon 09:00")
	default:
		err.Text = fmt.Sprintf(c.say("“%s”里没有看得懂的时间。", "There is no time that I understand in “%s”."), shown)
	}
	return err
}

// wishTopics resolves "ebpf, 服务网格"; "all" and nothing mean everything.
func (r *Router) wishTopics(c *call, words []string) ([]string, error) {
	names := splitList(words)
	if len(names) == 1 && len(words) > 1 { // "ebpf wasm" without a comma
		if _, ok := r.deps.Topics.Canonical(names[0]); !ok {
			names = words
		}
	}
	if len(names) == 0 || len(names) == 1 && isAll(names[0]) {
		return nil, nil
	}
	if len(names) > maxTopics {
		return nil, c.fault("too_many_topics", "主题太多了。", "These are too many topics.", fmt.Sprintf("最多 %d 个；或用 all 订阅全部", maxTopics), fmt.Sprintf("At most %d; or subscribe to all", maxTopics))
	}
	var topics []string
	for _, name := range names {
		canonical, ok := r.deps.Topics.Canonical(name)
		if !ok {
			return nil, r.unknownTopic(c, name)
		}
		topics = append(topics, canonical)
	}
	slices.Sort(topics)
	return slices.Compact(topics), nil
}

func (r *Router) unknownTopic(c *call, name string) error {
	near := strings.Join(r.shownNear(c, name), c.say("、", ", "))
	hint := c.say("全部主题：/topics；订阅所有内容：all", "All topics: /topics; to have everything: all")
	if near != "" {
		hint = c.say("相近的有：", "Near ones: ") + near + c.say("。", ". ") + hint
	}
	shown := clip(name, 40)
	return c.fault("unknown_topic", "没有“"+shown+"”这个主题。", "There is no topic “"+shown+"”.", hint, hint)
}

func (r *Router) wishSeries(c *call, words []string) ([]string, error) {
	names := splitList(words)
	if len(names) == 0 || len(names) == 1 && isAll(names[0]) {
		return nil, nil
	}
	if len(names) > maxSeries {
		return nil, c.fault("too_many_series", "期刊太多了。", "These are too many series.", fmt.Sprintf("最多 %d 种；或不写 from 订阅全部", maxSeries), fmt.Sprintf("At most %d; without from you get all", maxSeries))
	}
	var all []string
	for _, name := range names {
		s, err := r.series(c, name)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func isAll(word string) bool {
	switch strings.ToLower(word) {
	case "all", "everything", "any", "*", "全部", "所有", "全部主题", "全部内容", "一切":
		return true
	}
	return false
}
