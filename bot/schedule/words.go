package schedule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"weeklybot/bot"
)

// maxTextBytes is more than anyone writes about a time, in bytes.
const maxTextBytes = 200

// Parse reads a schedule in words of either language, or as a five-field cron, quoted or not. zone is what Zone accepts; "" is
// refused. The result is canonical: schedules that mean the same in one zone are equal. Errors are *bot.UserError in lang ("en",
// else Chinese): code "bad_schedule", "never_fires" or "unknown_zone", with examples of what to type.
func Parse(text, zone, lang string) (bot.Schedule, error) {
	if onPublish[tidy(text)] {
		return bot.Schedule{OnPublish: true}, nil
	}
	name, err := Zone(zone, lang)
	if err != nil {
		return bot.Schedule{}, err
	}
	cronText, err := cronOf(text)
	if err == errNeverFires {
		return bot.Schedule{}, &bot.UserError{Code: "never_fires",
			Text: fmt.Sprintf(say(lang, "“%s”永远不会到来：没有哪一年有这一天。", "“%s” never comes: no year has that day."), shown(text)),
			Hint: Examples(lang)}
	}
	if err != nil {
		return bot.Schedule{}, &bot.UserError{Code: "bad_schedule",
			Text: fmt.Sprintf(say(lang, "看不懂时间“%s”。", "I do not understand the time “%s”."), shown(text)),
			Hint: Examples(lang)}
	}
	return bot.Schedule{Cron: cronText, Zone: name}, nil
}

// Examples says what a schedule may look like, in one line.
func Examples(lang string) string {
	return say(lang,
		`可以这样写：每周一 9:00、周五下午6点、工作日 8:30、每天 18:00、每月1日 9:00、发布时，或 cron："0 9 * * 1"`,
		`Write it like this: Mon 09:00, weekdays 8:30, daily 18:00, monthly on the 1st 9:00, on publish, or as cron: "0 9 * * 1"`)
}

// shown is text as an error may repeat it.
func shown(text string) string {
	const maxShownBytes = 60
	if len(text) <= maxShownBytes {
		return text
	}
	cut := maxShownBytes
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

var onPublish = map[string]bool{
	"on publish": true, "on_publish": true, "on-publish": true, "publish": true, "when published": true, "on release": true,
	"发布时": true, "发布": true, "发布即推": true, "发布后": true, "新刊发布时": true, "一发布就推": true, "有新的就推": true, "更新时": true,
}

// tidy is text in one form: full-width characters made narrow, lower case, no quotes, single spaces.
func tidy(text string) string {
	if len(text) > maxTextBytes || !utf8.ValidString(text) {
		return ""
	}
	text = strings.ToLower(norm.NFKC.String(text))
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune("\"'`“”‘’「」『』", r) {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// cronOf is the canonical cron text of a schedule in any form.
func cronOf(text string) (string, error) {
	text = tidy(text)
	if looksLikeCron(text) {
		f, err := parseCron(text)
		return f.String(), err
	}
	p, err := readWords(text)
	if err != nil {
		return "", err
	}
	written, err := p.cron()
	if err != nil {
		return "", err
	}
	f, err := parseCron(written)
	return f.String(), err
}

// plan is what a schedule in words says.
type plan struct {
	weekdays []int
	days     []int // of the month
	daily    bool
	weekly   bool
	monthly  bool
	clocks   []clock
	repeat   string // the whole cron text of "hourly" and "every minute"
}

// clock is a time of day.
type clock struct{ hour, minute int }

// defaultHour is when a schedule without a time of day runs.
const defaultHour = 9

// cron writes the plan as five fields.
func (p plan) cron() (string, error) {
	if p.repeat != "" {
		if len(p.weekdays)+len(p.days)+len(p.clocks) > 0 || p.daily || p.weekly || p.monthly {
			return "", errNotWords
		}
		return p.repeat, nil
	}
	if len(p.clocks) == 0 {
		p.clocks = []clock{{defaultHour, 0}}
	} else if len(p.weekdays)+len(p.days) == 0 && !p.weekly && !p.monthly {
		p.daily = true
	}
	hours := make([]int, len(p.clocks))
	for k, c := range p.clocks {
		if c.minute != p.clocks[0].minute {
			return "", errNotWords // one cron text cannot say 9:00 and 18:30
		}
		hours[k] = c.hour
	}
	dom, dow := "*", "*"
	switch {
	case len(p.weekdays) > 0 && (len(p.days) > 0 || p.monthly), len(p.days) > 0 && p.weekly:
		return "", errNotWords
	case len(p.weekdays) > 0:
		dow = numbers(p.weekdays)
	case len(p.days) > 0:
		dom = numbers(p.days)
	case p.monthly:
		dom = "1"
	case p.weekly:
		dow = "1"
	case !p.daily:
		return "", errNotWords
	}
	return fmt.Sprintf("%d %s %s * %s", p.clocks[0].minute, numbers(hours), dom, dow), nil
}

func numbers(list []int) string {
	words := make([]string, len(list))
	for k, n := range list {
		words[k] = strconv.Itoa(n)
	}
	return strings.Join(words, ",")
}

var errNotWords = errors.New("neither words about a time nor cron")
