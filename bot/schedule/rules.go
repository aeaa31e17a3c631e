package schedule

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A rule reads one expression at the start of the text. Rules are tried in order, so the longer reading comes first.
type rule struct {
	form *regexp.Regexp
	read func(p *plan, m []string) bool
}

const (
	weekdayForm = `(sunday|monday|tuesday|wednesday|thursday|friday|saturday|sun|mon|tues|tue|wed|thurs|thur|thu|fri|sat)s?\b`
	han         = `[〇零一二两三四五六七八九十]`
	number      = `(\d{1,2}|` + han + `{1,3})`
	half        = `(上午|早上|早晨|清晨|凌晨|中午|下午|傍晚|晚上|晚间|am|pm)?`
	hanDay      = `(?:每?(?:周|星期|礼拜)|每个(?:周|星期|礼拜))`
)

var rules = []rule{
	{regexp.MustCompile(`^(?:every )?(?:weekdays?|workdays?|business days?|working days?)\b|^(?:每个?)?工作日`), addDays(1, 2, 3, 4, 5)},
	{regexp.MustCompile(`^(?:every )?weekends?\b|^(?:每个?)?周末`), addDays(6, 0)},
	{regexp.MustCompile(`^(?:every hour|hourly)\b(?: at minute (\d{1,2})\b)?|^每个?小时(?:第 ?(\d{1,2}) ?分)?`), addHourly},
	{regexp.MustCompile(`^(?:every minute|minutely)\b|^每分钟`), func(p *plan, _ []string) bool { p.repeat = "* * * * *"; return true }},
	{regexp.MustCompile(`^(?:every day|everyday|daily|each day)\b|^每[天日]`), func(p *plan, _ []string) bool { p.daily = true; return true }},
	{regexp.MustCompile(`^` + weekdayForm + ` ?(?:-|–|—|~|to|through|until) ?` + weekdayForm), addSpan(englishDay)},
	{regexp.MustCompile(`^(?:every |each )?` + weekdayForm), addOne(englishDay)},
	{regexp.MustCompile(`^` + hanDay + `([一二三四五六日天]) ?(?:到|至|-|–|—|~) ?` + `(?:周|星期|礼拜)?([一二三四五六日天])`), addSpan(hanWeekday)},
	{regexp.MustCompile(`^` + hanDay + `([一二三四五六日天](?: ?[、,]? ?[一二三四五六日天])*)`), addHanDays},
	{regexp.MustCompile(`^每个?月(?:的)? ?(?:第)?` + number + ` ?[日号天]`), addMonthDay},
	{regexp.MustCompile(`^(?:on )?(?:the |day )?(\d{1,2})(?:st|nd|rd|th)\b(?: day)?(?: of (?:every|each|the) month)?`), addMonthDay},
	{regexp.MustCompile(`^day (\d{1,2})\b`), addMonthDay},
	{regexp.MustCompile(`^` + number + ` ?[日号]`), addMonthDay},
	{regexp.MustCompile(`^(?:every month|monthly|of (?:every|each) month)\b|^每个?月`), func(p *plan, _ []string) bool { p.monthly = true; return true }},
	{regexp.MustCompile(`^(?:every week|weekly)\b|^每(?:周|个?星期|个?礼拜)`), func(p *plan, _ []string) bool { p.weekly = true; return true }},
	{regexp.MustCompile(`^(?:noon|midday)\b|^(?:正午|中午$)`), addClock(12, 0)},
	{regexp.MustCompile(`^midnight\b|^(?:午夜|零点|半夜$)`), addClock(0, 0)},
	{regexp.MustCompile(`^` + half + ` ?(\d{1,2})[:.](\d{2})(?::00)? ?(am|pm|a\.m\.|p\.m\.)?`), addTime},
	{regexp.MustCompile(`^` + half + ` ?` + number + ` ?[点時时](?: ?(半|一刻|三刻|整|钟|` + number + ` ?分?))?()`), addTime},
	{regexp.MustCompile(`^(?:at )?()(\d{1,2})() ?(am|pm|a\.m\.|p\.m\.|o'?clock)`), addTime},
	{regexp.MustCompile(`^(?:at )?()(\d{1,2})()()$`), addBareHour},
	{regexp.MustCompile(`^(?:on|at|and|the|every|each|of|month|[,、;/&的在和及于]|每)(?: |$)?`), func(*plan, []string) bool { return true }},
}

// readWords reads the whole of text, or fails.
func readWords(text string) (plan, error) {
	var p plan
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		n := readOne(&p, text)
		if n == 0 {
			return p, errNotWords
		}
		text = text[n:]
	}
	return p, nil
}

// readOne is the number of bytes that the first fitting rule took.
func readOne(p *plan, text string) int {
	for _, r := range rules {
		if m := r.form.FindStringSubmatch(text); m != nil && len(m[0]) > 0 && r.read(p, m) {
			return len(m[0])
		}
	}
	return 0
}

func addHourly(p *plan, m []string) bool {
	minute, err := strconv.Atoi(m[1] + m[2])
	p.repeat = fmt.Sprintf("%d * * * *", minute)
	return err == nil && minute < 60 || m[1]+m[2] == ""
}

func addDays(days ...int) func(*plan, []string) bool {
	return func(p *plan, _ []string) bool { p.weekdays = append(p.weekdays, days...); return true }
}

func addOne(day func(string) int) func(*plan, []string) bool {
	return func(p *plan, m []string) bool { p.weekdays = append(p.weekdays, day(m[1])); return true }
}

// addSpan reads "mon-fri"; it may run over the end of the week.
func addSpan(day func(string) int) func(*plan, []string) bool {
	return func(p *plan, m []string) bool {
		for d := day(m[1]); ; d = (d + 1) % 7 {
			p.weekdays = append(p.weekdays, d)
			if d == day(m[2]) {
				return true
			}
		}
	}
}

func englishDay(s string) int { return strings.Index("sunmontuewedthufrisat", s[:3]) / 3 }

func hanWeekday(s string) int {
	r, _ := utf8.DecodeRuneInString(s)
	return max(0, slices.Index([]rune("日一二三四五六"), r)) // 天 is 日
}

func addHanDays(p *plan, m []string) bool {
	for _, r := range m[1] {
		if strings.ContainsRune("一二三四五六日天", r) {
			p.weekdays = append(p.weekdays, hanWeekday(string(r)))
		}
	}
	return true
}

func addMonthDay(p *plan, m []string) bool {
	day, ok := hanNumber(m[1])
	p.days = append(p.days, day)
	return ok && day >= 1 && day <= 31
}

func addClock(hour, minute int) func(*plan, []string) bool {
	return func(p *plan, _ []string) bool { p.clocks = append(p.clocks, clock{hour, minute}); return true }
}

// addTime reads half of day, hour, minutes and half of day again, in this order.
func addTime(p *plan, m []string) bool {
	hour, ok := hanNumber(m[2])
	if !ok {
		return false
	}
	minute, ok := minutes(m[3])
	if !ok {
		return false
	}
	hour, ok = inHalf(hour, strings.Trim(m[1]+m[len(m)-1], "."))
	if !ok || hour > 23 || minute > 59 {
		return false
	}
	p.clocks = append(p.clocks, clock{hour, minute})
	return true
}

// addBareHour reads the 9 of "every monday at 9": without a day before it, a number may be anything.
func addBareHour(p *plan, m []string) bool {
	return (p.daily || p.weekly || p.monthly || len(p.weekdays)+len(p.days) > 0) && len(p.clocks) == 0 && addTime(p, m)
}

func minutes(s string) (int, bool) {
	switch s {
	case "", "整", "钟":
		return 0, true
	case "半":
		return 30, true
	case "一刻":
		return 15, true
	case "三刻":
		return 45, true
	}
	return hanNumber(strings.TrimSpace(strings.TrimSuffix(s, "分")))
}

// inHalf puts an hour of a twelve-hour clock into the day. An hour that does not fit its half of the day is refused, but 18 in the
// afternoon is what people write.
func inHalf(hour int, half string) (int, bool) {
	switch half {
	case "":
		return hour, true
	case "am", "a.m", "上午", "早上", "早晨", "清晨", "凌晨":
		if hour == 12 {
			return 0, half != "上午"
		}
		return hour, hour < 12
	case "pm", "p.m":
		if hour == 0 || hour > 12 {
			return 0, false
		}
		return hour%12 + 12, true
	case "中午":
		if hour >= 1 && hour <= 2 {
			return hour + 12, true
		}
		return hour, hour >= 11 && hour <= 14
	case "下午", "傍晚", "晚上", "晚间":
		if hour < 12 {
			return hour + 12, hour > 0
		}
		if hour == 12 && half != "下午" {
			return 0, false // midnight of which day?
		}
		return hour, true
	default: // o'clock
		return hour, true
	}
}

// hanNumber reads "9", "09" and the Chinese numerals up to 99.
func hanNumber(s string) (int, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return n, true
	}
	digits := map[rune]int{'〇': 0, '零': 0, '一': 1, '二': 2, '两': 2, '三': 3, '四': 4, '五': 5, '六': 6, '七': 7, '八': 8, '九': 9}
	runes := []rune(s)
	ten := slices.Index(runes, '十')
	if ten < 0 {
		if len(runes) == 2 && digits[runes[0]] == 0 { // 零五分
			runes = runes[1:]
		}
		n, ok := digits[firstOf(runes)]
		return n, ok && len(runes) == 1
	}
	n := 10
	if ten == 1 {
		n = digits[runes[0]] * 10
	}
	if ten == len(runes)-2 {
		n += digits[runes[ten+1]]
	}
	return n, ten <= 1 && ten >= len(runes)-2 && n > 0
}

func firstOf(runes []rune) rune {
	if len(runes) == 0 {
		return -1
	}
	return runes[0]
}
