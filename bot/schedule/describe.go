package schedule

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"weeklybot/bot"
)

var (
	daysZH   = [7]string{"周日", "周一", "周二", "周三", "周四", "周五", "周六"}
	daysEN   = [7]string{"Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays"}
	weekdays = []int{1, 2, 3, 4, 5}
	weekend  = []int{0, 6}
)

// maxSpokenTimes is the number of times of a day up to which they are listed in words.
const maxSpokenTimes = 4

// Describe says when s runs, in lang ("en", else Chinese): "每周一 09:00 (Asia/Shanghai)". What has no short words stays cron.
func Describe(s bot.Schedule, lang string) string {
	if s.OnPublish {
		return say(lang, "发布时", "on publish")
	}
	words := s.Cron
	if f, err := parseCron(s.Cron); err == nil {
		if spoken, ok := f.words(lang); ok {
			words = spoken
		}
	}
	return words + " (" + s.Zone + ")"
}

func (f fields) words(lang string) (string, bool) {
	if bits.OnesCount64(f.month) != 12 {
		return "", false
	}
	days, ok := f.spokenDays(lang)
	if !ok {
		return "", false
	}
	if f.dom&f.dow&anyDay != 0 && bits.OnesCount64(f.hour) == 24 {
		switch bits.OnesCount64(f.minute) {
		case 60:
			return say(lang, "每分钟", "Every minute"), true
		case 1:
			minute := members(f.minute)[0]
			return fmt.Sprintf(say(lang, "每小时第 %d 分", "Hourly at minute %d"), minute), true
		}
	}
	times, ok := f.spokenTimes()
	return days + " " + times, ok
}

// spokenDays names the days when one of the two day fields is free.
func (f fields) spokenDays(lang string) (string, bool) {
	switch {
	case f.dom&f.dow&anyDay != 0:
		return say(lang, "每天", "Daily"), true
	case f.dom&anyDay != 0:
		return spokenWeekdays(members(f.dow), lang), true
	case f.dow&anyDay != 0 && bits.OnesCount64(f.dom) <= maxSpokenTimes:
		return spokenMonthDays(members(f.dom), lang), true
	}
	return "", false
}

func spokenWeekdays(days []int, lang string) string {
	switch {
	case slices.Equal(days, weekdays):
		return say(lang, "工作日", "Weekdays")
	case slices.Equal(days, weekend):
		return say(lang, "每周末", "Weekends")
	}
	if days[0] == 0 && len(days) > 1 { // the week begins on Monday
		days = append(slices.Clone(days[1:]), 0)
	}
	var names []string
	for _, d := range days {
		names = append(names, say(lang, daysZH[d], daysEN[d]))
	}
	if lang == "en" {
		return strings.Join(names, ", ")
	}
	return "每" + strings.Join(names, "、")
}

// shortestMonth is the last day that every month has.
const shortestMonth = 28

func spokenMonthDays(days []int, lang string) string {
	var names []string
	for _, d := range days {
		names = append(names, fmt.Sprintf(say(lang, "%d日", "%d"), d))
	}
	spoken := say(lang, "每月"+strings.Join(names, "、"), "Monthly on day "+strings.Join(names, ", "))
	if days[len(days)-1] > shortestMonth {
		spoken += say(lang, "（没有这一天的月份不发）", " (not in months without it)")
	}
	return spoken
}

func (f fields) spokenTimes() (string, bool) {
	hours, minutes := members(f.hour), members(f.minute)
	if len(hours)*len(minutes) > maxSpokenTimes {
		return "", false
	}
	var times []string
	for _, h := range hours {
		for _, m := range minutes {
			times = append(times, fmt.Sprintf("%02d:%02d", h, m))
		}
	}
	return strings.Join(times, ", "), true
}
