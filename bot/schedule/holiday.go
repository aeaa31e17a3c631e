package schedule

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"weeklybot/bot"
)

//go:embed holidays/cn.txt
var holidaysCN string

// Holidays knows which days are public holidays, and which weekend days are worked instead. A year without data has plain weekdays only. It
// never changes.
type Holidays struct {
	off, work map[string]bool // by date, "2006-01-02"
	years     map[int]bool
}

// maxHolidayLines bounds a file of holidays: a century of them.
const maxHolidayLines = 10_000

// ReadHolidays reads a file in the form that holidays/cn.txt explains. The error names the line at fault.
func ReadHolidays(r io.Reader) (*Holidays, error) {
	h := &Holidays{off: map[string]bool{}, work: map[string]bool{}, years: map[int]bool{}}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if n > maxHolidayLines {
			return nil, fmt.Errorf("more than %d lines", maxHolidayLines)
		}
		if err := h.read(words); err != nil {
			return nil, fmt.Errorf("line %d: %w: want year YYYY, off DATE [DATE] or work DATE", n, err)
		}
	}
	return h, lines.Err()
}

// maxHolidayDays is the longest range of days off, in days.
const maxHolidayDays = 60

func (h *Holidays) read(words []string) error {
	if len(words) < 2 || len(words) > 3 {
		return fmt.Errorf("%d words", len(words))
	}
	if words[0] == "year" {
		year, err := strconv.Atoi(words[1])
		h.years[year] = true
		return err
	}
	days := map[string]map[string]bool{"off": h.off, "work": h.work}[words[0]]
	first, err := time.Parse(time.DateOnly, words[1])
	last, err2 := time.Parse(time.DateOnly, words[len(words)-1])
	switch {
	case days == nil:
		return fmt.Errorf("%q", words[0])
	case err != nil || err2 != nil:
		return fmt.Errorf("no date in %q", strings.Join(words[1:], " "))
	case last.Before(first) || last.Sub(first) > maxHolidayDays*24*time.Hour:
		return fmt.Errorf("%s to %s is no range", words[1], words[2])
	}
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		days[day.Format(time.DateOnly)] = true
	}
	return nil
}

// IsHolidayRule says whether a rule for holidays is one; "" leaves it to the bot's own.
func IsHolidayRule(s string) bool {
	return slices.Contains([]string{"", bot.HolidaysSkip, bot.HolidaysNext, bot.ExceptNone}, s)
}

// BuiltinHolidays finds a set that comes with the bot by its name: "cn".
func BuiltinHolidays(name string) (*Holidays, bool) {
	if name != "cn" {
		return nil, false
	}
	h, err := ReadHolidays(strings.NewReader(holidaysCN))
	return h, err == nil
}

// Off says whether t's day, on its own clock, is a public holiday. A plain weekend is none.
func (h *Holidays) Off(t time.Time) bool { return h != nil && h.off[t.Format(time.DateOnly)] }

// Workday says whether people work on t's day.
func (h *Holidays) Workday(t time.Time) bool {
	day := t.Format(time.DateOnly)
	weekend := t.Weekday() == time.Saturday || t.Weekday() == time.Sunday
	return h.work[day] || !weekend && !h.off[day]
}

// Knows says whether there is data for a year.
func (h *Holidays) Knows(year int) bool { return h.years[year] }
