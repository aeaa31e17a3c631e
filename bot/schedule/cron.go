package schedule

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/robfig/cron/v3"
)

// fields are the five fields of a cron text as sets of bits: bit 9 of hour is nine o'clock.
type fields struct {
	minute, hour, dom, month, dow uint64
}

// anyDay marks a day field that was written with a star. When neither day field has it, one of the two must match; when one
// has it, both must.
const anyDay = 1 << 63

// bound is the range of one field.
type bound struct {
	name      string
	low, high int
}

var bounds = [5]bound{{"minute", 0, 59}, {"hour", 0, 23}, {"day of month", 1, 31}, {"month", 1, 12}, {"day of week", 0, 6}}

// maxCronBytes is far more than any sensible cron text needs, in bytes.
const maxCronBytes = 200

var (
	errNotCron    = errors.New("a cron text has five fields: minute, hour, day of month, month, day of week")
	errNeverFires = errors.New("no day of any year matches")
)

// parser is used for five bare fields only: given "TZ=0" or a bare "CRON_TZ=X" it panics, and its "@every" counts from an instant.
var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func parseCron(text string) (fields, error) {
	if !looksLikeCron(text) {
		return fields{}, errNotCron
	}
	words := strings.Fields(text)
	dow, err := sundayIsZero(words[4])
	if err != nil {
		return fields{}, err
	}
	parsed, err := parser.Parse(strings.Join(words[:4], " ") + " " + dow)
	if err != nil {
		return fields{}, err
	}
	spec := parsed.(*cron.SpecSchedule)
	f := fields{spec.Minute &^ anyDay, spec.Hour &^ anyDay, spec.Dom, spec.Month &^ anyDay, spec.Dow}
	for k, set := range f.list() {
		if set&^anyDay == 0 {
			return fields{}, fmt.Errorf("the field of the %s is empty", bounds[k].name)
		}
	}
	if !f.everFires() {
		return fields{}, errNeverFires
	}
	return f, nil
}

// looksLikeCron tells five fields of cron from words.
func looksLikeCron(text string) bool {
	if len(text) > maxCronBytes {
		return false
	}
	words := strings.Fields(text)
	if len(words) != 5 {
		return false
	}
	for _, w := range words {
		if strings.Trim(w, "0123456789*?/,-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return false
		}
	}
	// "every first mon at nine" has five words too.
	return strings.ContainsAny(words[0][:1], "0123456789*?") && strings.ContainsAny(words[1][:1], "0123456789*?")
}

// sundayIsZero rewrites the day of week so that 7, which many write for Sunday, is 0.
func sundayIsZero(field string) (string, error) {
	if !strings.Contains(field, "7") {
		return field, nil
	}
	var days []string
	for part := range strings.SplitSeq(field, ",") {
		span, step, stepped := strings.Cut(part, "/")
		low, high, ranged := strings.Cut(span, "-")
		if !ranged {
			high = low
		}
		if high != "7" {
			days = append(days, part)
			continue
		}
		from, err := dayNumber(low)
		if err != nil {
			return "", err
		}
		by := 1
		if stepped {
			if by, err = strconv.Atoi(step); err != nil || by < 1 || by > 7 {
				return "", fmt.Errorf("bad step %q in the day of week", step)
			}
		}
		for day := from; day <= 7; day += by {
			days = append(days, strconv.Itoa(day%7))
		}
	}
	return strings.Join(days, ","), nil
}

func dayNumber(s string) (int, error) {
	if k := strings.Index("sunmontuewedthufrisat", strings.ToLower(s)); len(s) == 3 && k >= 0 && k%3 == 0 {
		return k / 3, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 7 {
		return 0, fmt.Errorf("bad day of week %q", s)
	}
	return n, nil
}

func (f fields) list() [5]uint64 { return [5]uint64{f.minute, f.hour, f.dom, f.month, f.dow} }

// String is the canonical text: two cron texts with one meaning have the same.
func (f fields) String() string {
	var words [5]string
	for k, set := range f.list() {
		words[k] = bounds[k].text(set, k == 2 || k == 4)
	}
	return strings.Join(words[:], " ")
}

// text writes one field. A full day field without a star keeps its numbers, because there the star changes the meaning.
func (b bound) text(set uint64, isDay bool) string {
	starred := set&anyDay != 0
	set &^= anyDay
	full := bits.OnesCount64(set) == b.high-b.low+1
	if starred || full && !isDay {
		return "*"
	}
	numbers := members(set)
	if step := evenStep(numbers, b); step > 0 {
		return "*/" + strconv.Itoa(step)
	}
	var parts []string
	for len(numbers) > 0 {
		n := 1
		for n < len(numbers) && numbers[n] == numbers[0]+n {
			n++
		}
		if n < 3 {
			n = 1
			parts = append(parts, strconv.Itoa(numbers[0]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", numbers[0], numbers[n-1]))
		}
		numbers = numbers[n:]
	}
	return strings.Join(parts, ",")
}

// evenStep is n when numbers are exactly what "*/n" gives and there are enough of them for that to read better; else 0.
func evenStep(numbers []int, b bound) int {
	if len(numbers) < 4 || numbers[0] != b.low || numbers[1]-numbers[0] < 2 {
		return 0
	}
	step := numbers[1] - numbers[0]
	for k, n := range numbers {
		if n != b.low+k*step {
			return 0
		}
	}
	if numbers[len(numbers)-1]+step <= b.high {
		return 0
	}
	return step
}

// members are the numbers in a set, ascending.
func members(set uint64) []int {
	var numbers []int
	for set &^= anyDay; set != 0; set &= set - 1 {
		numbers = append(numbers, bits.TrailingZeros64(set))
	}
	return numbers
}

func has(set uint64, n int) bool { return set&(1<<n) != 0 }

// dayMatches follows cron: with a star in one day field both must match, without one either is enough. "*/2" is no star, as robfig/cron and with it
// Kubernetes have it; crontab(5) says otherwise.
func (f fields) dayMatches(day, weekday int) bool {
	if f.dom&anyDay != 0 || f.dow&anyDay != 0 {
		return has(f.dom, day) && has(f.dow, weekday)
	}
	return has(f.dom, day) || has(f.dow, weekday)
}

// everFires is false for days that no year has, such as 31 February.
func (f fields) everFires() bool {
	if f.dom&anyDay != 0 || f.dow&anyDay == 0 {
		return true // every month has each day of the week
	}
	longest := [13]int{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	first := bits.TrailingZeros64(f.dom &^ anyDay)
	for _, month := range members(f.month) {
		if first <= longest[month] {
			return true
		}
	}
	return false
}
