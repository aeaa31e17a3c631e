package command

import (
	"fmt"
	"strings"

	"weeklybot/bot"
	"weeklybot/bot/schedule"
)

// exceptAtEnd reads "quiet 22:00-8:00", "免打扰 22:00-8:00", "holidays skip", "节假日顺延" at the end of words; used says how many words that
// were, 0 for none.
func exceptAtEnd(words []string) (e bot.Except, used int, err error) {
	for used := 1; used <= min(2, len(words)); used++ {
		joined := strings.ToLower(strings.Join(words[len(words)-used:], " "))
		for _, name := range []string{"quiet", "免打扰"} {
			if rest, ok := cutName(joined, name); ok {
				e.Quiet, err = schedule.ParseQuiet(noneWord(rest))
				return e, used, err
			}
		}
		for _, name := range []string{"holidays", "holiday", "节假日"} {
			if rest, ok := cutName(joined, name); ok {
				e.Holidays, err = holidayRule(noneWord(rest))
				return e, used, err
			}
		}
	}
	return bot.Except{}, 0, nil
}

// cutName takes a rule's name off its value, which is not empty.
func cutName(s, name string) (string, bool) {
	rest, ok := strings.CutPrefix(s, name)
	rest = strings.Trim(rest, " =:")
	return rest, ok && rest != ""
}

func noneWord(s string) string {
	switch s {
	case "off", "无", "关", "照常":
		return bot.ExceptNone
	}
	return s
}

func holidayRule(word string) (string, error) {
	switch word {
	case bot.HolidaysSkip, "跳过":
		return bot.HolidaysSkip, nil
	case bot.HolidaysNext, "顺延", "next workday":
		return bot.HolidaysNext, nil
	case bot.ExceptNone:
		return bot.ExceptNone, nil
	}
	return "", fmt.Errorf("holidays %q: want skip, next or none", word)
}

// exceptShown says what a subscription's own exceptions are.
func exceptShown(c *call, e bot.Except) (words []string) {
	switch e.Quiet {
	case "":
	case bot.ExceptNone:
		words = append(words, c.say("不设免打扰", "no quiet hours"))
	default:
		words = append(words, c.say("免打扰 ", "quiet ")+e.Quiet)
	}
	switch e.Holidays {
	case bot.HolidaysSkip:
		words = append(words, c.say("节假日跳过", "not on holidays"))
	case bot.HolidaysNext:
		words = append(words, c.say("节假日顺延到工作日", "on holidays the next workday"))
	case bot.ExceptNone:
		words = append(words, c.say("节假日照常", "on holidays too"))
	}
	return words
}
