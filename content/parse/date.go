package parse

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// found is a date found in a text.
type found struct {
	day        string // "2006-01-02"
	start, end int    // where it stands
}

var (
	// A period whose second day leaves out the year: 2024.03.04-03.10, 2024年3月4日至10日, March 4 – 10, 2024, March 25 to April 1, 2024.
	shortEndRE = regexp.MustCompile(`^\s*(?:[-–—~～至到]|to|~)+\s*(?:(\d{1,2})\s?[-./月]\s?)?(\d{1,2})(?:日|号)?(?:[^0-9.年/-]|$)`)
	monthSpan  = regexp.MustCompile(`(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]{0,6}\.?\s+(\d{1,2})(?:st|nd|rd|th)?\s*(?:[-–—~]|to|through)\s*(?:(jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]{0,6}\.?\s+)?(\d{1,2})(?:st|nd|rd|th)?,?\s+((?:19|20)\d\d)\b`)
)

var months = map[string]int{"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12}

// month is the month that a word names, 0 when it names none.
func month(word string) int {
	if len(word) < 3 || len(word) > maxMonth {
		return 0
	}
	short := [3]byte{word[0] | 0x20, word[1] | 0x20, word[2] | 0x20}
	return months[string(short[:])]
}

// maxMonth is the length of the longest name of a month.
const maxMonth = len("september")

// holdsMonth reports whether a word of s names a month.
func holdsMonth(s string) bool {
	for k := 0; k < len(s); k++ {
		from := k
		for k < len(s) && isLatin(s[k]) {
			k++
		}
		if month(s[from:k]) > 0 {
			return true
		}
	}
	return false
}

func isLatin(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// day writes a date that exists, else "".
func day(year, month, dayOfMonth int) string {
	t := time.Date(year, time.Month(month), dayOfMonth, 0, 0, 0, 0, time.UTC)
	if t.Year() != year || int(t.Month()) != month || t.Day() != dayOfMonth || year < 1970 || year > 2200 {
		return ""
	}
	digits := func(n int) (tens, ones byte) { return byte('0' + n/10), byte('0' + n%10) }
	date := []byte(time.DateOnly)
	date[0], date[1] = digits(year / 100)
	date[2], date[3] = digits(year % 100)
	date[5], date[6] = digits(month)
	date[8], date[9] = digits(dayOfMonth)
	return string(date)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// maxDateText is how much of a text is searched for a date, in bytes.
const maxDateText = 400

// findDate finds the first date of s; ok is false when there is none. All dates that are read here hold a year of four digits.
func findDate(s string) (f found, ok bool) {
	s = s[:min(len(s), maxDateText)]
	for k := 0; k+4 <= len(s); k++ {
		if !isYear(s[k:k+4]) || k > 0 && isDigit(s[k-1]) {
			continue
		}
		if f, ok = dateBefore(s, k); ok {
			return f, true
		}
		if f, ok = dateAfter(s, k); ok {
			return f, true
		}
	}
	return hanDate(s)
}

var hanDateRE = regexp.MustCompile(`([一二][〇○零一二三四五六七八九]{3})\s*年\s*([一二三四五六七八九十]{1,2})\s*月\s*([一二三四五六七八九十]{1,3})\s*[日号]?`)

// hanDate finds a date written in Han digits: 二〇二四年五月六日.
func hanDate(s string) (found, bool) {
	if !strings.Contains(s, "年") {
		return found{}, false
	}
	m := hanDateRE.FindStringSubmatchIndex(s)
	if m == nil {
		return found{}, false
	}
	year, _ := anyNumber(strings.ReplaceAll(s[m[2]:m[3]], "○", "〇"))
	month, _ := anyNumber(s[m[4]:m[5]])
	dayOfMonth, _ := anyNumber(s[m[6]:m[7]])
	text := day(year, month, dayOfMonth)
	return found{text, m[0], m[1]}, text != ""
}

func isYear(s string) bool { return (s[:2] == "20" || s[:2] == "19") && isDigit(s[2]) && isDigit(s[3]) }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// dateAfter reads a date that begins with the year at k: 2024-03-04, 2024.3.4, 2024 年 3 月 4 日, 20240304.
func dateAfter(s string, k int) (found, bool) {
	c := cursor{s, k + 4}
	if c.at+4 <= len(s) && allDigits(s[c.at:c.at+4]) && (c.at+4 == len(s) || !isDigit(s[c.at+4])) {
		return dated(s[k:k+4], number(s[c.at:c.at+2]), s[c.at+2:c.at+4], k, c.at+4)
	}
	if !c.separator("年") {
		return found{}, false
	}
	mon := c.digits()
	if mon == "" || !c.separator("月") {
		return found{}, false
	}
	dayOfMonth := c.digits()
	if !c.skip("日") {
		c.skip("号")
	}
	return dated(s[k:k+4], number(mon), dayOfMonth, k, c.at)
}

func dated(year string, month int, dayOfMonth string, start, end int) (found, bool) {
	text := day(number(year), month, number(dayOfMonth))
	return found{text, start, end}, text != ""
}

func allDigits(s string) bool {
	for k := range len(s) {
		if !isDigit(s[k]) {
			return false
		}
	}
	return s != ""
}

// cursor reads s from at on.
type cursor struct {
	s  string
	at int
}

func (c *cursor) skip(what string) bool {
	if !strings.HasPrefix(c.s[c.at:], what) {
		return false
	}
	c.at += len(what)
	return true
}

// separator skips what stands between two numbers of a date, with a blank on either side.
func (c *cursor) separator(han string) bool {
	c.blank()
	if !c.skip(han) {
		if c.at == len(c.s) || strings.IndexByte("-./_", c.s[c.at]) < 0 {
			return false
		}
		c.at++
	}
	c.blank()
	return true
}

func (c *cursor) blank() {
	if c.at < len(c.s) && asciiBlank(c.s[c.at]) {
		c.at++
	}
}

// digits are the one or two digits at the cursor.
func (c *cursor) digits() string {
	from := c.at
	for c.at < len(c.s) && c.at < from+2 && isDigit(c.s[c.at]) {
		c.at++
	}
	return c.s[from:c.at]
}

// dateBefore reads a date that ends with the year at k: March 4, 2024; 4th of March 2024.
func dateBefore(s string, k int) (found, bool) {
	if end := k + 4; end < len(s) && isWordByte[s[end]&0x7f] && s[end] < utf8.RuneSelf {
		return found{}, false
	}
	head := strings.TrimRight(s[:k], " \t\n\f\r")
	if len(head) == k {
		return numericBefore(s, k)
	}
	head = strings.TrimSuffix(head, ",")
	if before, dayOfMonth := cutDay(head); dayOfMonth != "" {
		before, blank := cutBlank(before)
		if before, mon := cutMonth(strings.TrimSuffix(before, ".")); blank && mon > 0 {
			return dated(s[k:k+4], mon, dayOfMonth, len(before), k+4)
		}
		return found{}, false
	}
	before, mon := cutMonth(strings.TrimSuffix(head, "."))
	before, blank := cutBlank(before)
	if mon == 0 || !blank {
		return found{}, false
	}
	if of, ok := strings.CutSuffix(before, "of"); ok {
		if of, blank = cutBlank(of); blank {
			before = of
		}
	}
	before, dayOfMonth := cutDay(strings.TrimSuffix(before, "."))
	if dayOfMonth == "" || endsInWord(before) {
		return found{}, false
	}
	return dated(s[k:k+4], mon, dayOfMonth, len(before), k+4)
}

// numericBefore reads a date in numbers that ends with the year at k: 14.04.2024, 14-04-2024; with slashes the month comes first, as in
// 04/14/2024, unless it would be more than twelve.
func numericBefore(s string, k int) (found, bool) {
	if k < 4 || strings.IndexByte("./-", s[k-1]) < 0 {
		return found{}, false
	}
	separator := s[k-1]
	head, second := cutDay(s[:k-1])
	if second == "" || head == "" || head[len(head)-1] != separator {
		return found{}, false
	}
	head, first := cutDay(head[:len(head)-1])
	if first == "" || endsInWord(head) || head != "" && head[len(head)-1] == separator {
		return found{}, false
	}
	if separator == '/' && number(first) <= 12 {
		first, second = second, first
	}
	return dated(s[k:k+4], number(second), first, len(head), k+4)
}

// cutBlank cuts blanks off the end of s.
func cutBlank(s string) (before string, ok bool) {
	before = strings.TrimRight(s, " \t\n\f\r")
	return before, len(before) < len(s)
}

// cutDay cuts the day of a month off the end of s: "4", "04", "4th".
func cutDay(s string) (before, dayOfMonth string) {
	if len(s) > 2 {
		switch strings.ToLower(s[len(s)-2:]) {
		case "st", "nd", "rd", "th":
			s = s[:len(s)-2]
		}
	}
	k := len(s)
	for k > 0 && len(s)-k < 2 && isDigit(s[k-1]) {
		k--
	}
	return s[:k], s[k:]
}

// cutMonth cuts the English name of a month off the end of s; mon is 0 when there is none.
func cutMonth(s string) (before string, mon int) {
	k := len(s)
	for k > 0 && isLatin(s[k-1]) {
		k--
	}
	if endsInWord(s[:k]) {
		return s, 0
	}
	return s[:k], month(s[k:])
}

func endsInWord(s string) bool {
	return s != "" && s[len(s)-1] < utf8.RuneSelf && isWordByte[s[len(s)-1]]
}

// shortEnd is what shortEndRE finds at the start of s; nil when there is nothing.
func shortEnd(s string) []string {
	if next, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " \t\n\f\r")); !shortEndMarks.has(next) {
		return nil
	}
	return shortEndRE.FindStringSubmatch(s)
}

var shortEndMarks = marksOf("-–—~～至到t")

// findPeriod finds a first and a last day in s, or one day twice.
func findPeriod(s string) (from, to string, ok bool) {
	s = s[:min(len(s), maxDateText)]
	var m []string
	if holdsMonth(s) && strings.ContainsAny(s, "-–—~oO") { // "to" and "through" hold an "o"
		m = monthSpan.FindStringSubmatch(s)
	}
	if m != nil {
		last := m[3]
		if last == "" {
			last = m[1]
		}
		from, to = day(number(m[5]), month(m[1]), number(m[2])), day(number(m[5]), month(last), number(m[4]))
		if from > to && from != "" {
			from = day(number(m[5])-1, month(m[1]), number(m[2]))
		}
		if from != "" && to != "" {
			return from, to, true
		}
	}
	first, ok := findDate(s)
	if !ok {
		return findWeek(s)
	}
	rest := s[first.end:]
	if m := shortEnd(rest); m != nil {
		year, mon := number(first.day[:4]), number(first.day[5:7])
		if m[1] != "" {
			mon = number(m[1])
		}
		if to = day(year, mon, number(m[2])); to == "" || to < first.day {
			if m[1] != "" {
				to = day(year+1, mon, number(m[2]))
			}
		}
		if near(first.day, to) {
			return first.day, to, true
		}
	}
	if second, ok := findDate(rest); ok && second.start < 12 && near(first.day, second.day) {
		return first.day, second.day, true
	}
	return first.day, first.day, true
}

var isoWeekRE = regexp.MustCompile(`((?:19|20)\d\d)\s?(?:-?W|年\s?第\s?)(\d{1,2})(?:\D|$)`)

// findWeek finds a week by its number, as ISO 8601 counts them: 2024-W22, 2024 年第 22 周.
func findWeek(s string) (from, to string, ok bool) {
	m := isoWeekRE.FindStringSubmatch(s)
	if m == nil {
		return "", "", false
	}
	week := number(m[2])
	if strings.Contains(m[0], "年") && !strings.Contains(s, "周") || week < 1 || week > 53 {
		return "", "", false
	}
	fourth := time.Date(number(m[1]), time.January, 4, 0, 0, 0, 0, time.UTC) // always in the first week
	monday := fourth.AddDate(0, 0, 7*(week-1)-(int(fourth.Weekday())+6)%7)
	return monday.Format(time.DateOnly), monday.AddDate(0, 0, 6).Format(time.DateOnly), true
}

// near reports whether to comes after from, and within a quarter of a year.
func near(from, to string) bool {
	a, err := time.Parse(time.DateOnly, from)
	b, err2 := time.Parse(time.DateOnly, to)
	return err == nil && err2 == nil && b.After(a) && b.Sub(a) < 93*24*time.Hour
}

var (
	hanVolRE  = regexp.MustCompile(`(?:期号|期数|总第)\s*[:：]?\s*(\d{1,5})`)
	tailRE    = regexp.MustCompile(`[^\d\s.,/:#-][\s　]*[-_\s　]\s*0*(\d{1,4})$`)
	bracketRE = regexp.MustCompile(`[(（]0*(\d{1,4})[)）]$`)
	weekRE    = regexp.MustCompile(`(?i)\bweek\s*#?(\d{1,3})\b`)
)

var (
	hanNumerals = marksOf("零〇一二三四五六七八九十百两")
	wideDigits  = marksOf("0123456789０１２３４５６７８９")
	hanUnits    = marksOf("期号辑弹集刊周")
)

// hanNumber is the number in the first "第 12 期" of s, in digits or Chinese numerals; "" when there is none.
func hanNumber(s string) string {
	const blanks, maxDigits, maxNumerals = " \t\n\f\r", 5, 7
	for {
		_, rest, ok := strings.Cut(s, "第")
		if !ok {
			return ""
		}
		s = rest
		rest = strings.TrimLeft(rest, blanks)
		after, most := strings.TrimLeftFunc(rest, wideDigits.has), maxDigits
		if after == rest {
			after, most = strings.TrimLeftFunc(rest, hanNumerals.has), maxNumerals
		}
		number := rest[:len(rest)-len(after)]
		unit, _ := utf8.DecodeRuneInString(strings.TrimLeft(after, blanks))
		if number != "" && utf8.RuneCountInString(number) <= most && hanUnits.has(unit) {
			return number
		}
	}
}

// hashNumber is the number behind a "#" in s that stands for itself, not in a word, a path or an entity; "" when there is none.
func hashNumber(s string) string {
	const maxDigits = 5
	for k := 0; k < len(s); k++ {
		if s[k] != '#' || k > 0 && (isWord(s[k-1]) || s[k-1] == '&' || s[k-1] == '/') {
			continue
		}
		begin := k + 1
		if begin < len(s) && asciiBlank(s[begin]) {
			begin++
		}
		end := begin
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		if end > begin && end-begin <= maxDigits && (end == len(s) || !isWord(s[end])) {
			return s[begin:end]
		}
	}
	return ""
}

func isWord(c byte) bool { return c < utf8.RuneSelf && isWordByte[c] }

// findNumber finds the number of an issue in its title. A number at the very end counts when it is no year and no date stands there.
func findNumber(s string) (int, bool) {
	s = s[:min(len(s), maxDateText)]
	if n, ok := anyNumber(hanNumber(s)); ok {
		return n, true
	}
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= '0' && r <= '9' }) {
		return romanNumber(s)
	}
	if strings.Contains(s, "№") || strings.Contains(s, "°") || strings.Contains(s, "º") {
		s = numeroRE.ReplaceAllString(s, "#")
	}
	if n, ok := anyNumber(hashNumber(s)); ok {
		return n, true
	}
	if strings.Contains(s, "期") || strings.Contains(s, "总第") {
		if m := hanVolRE.FindStringSubmatch(s); m != nil {
			if n, ok := anyNumber(m[1]); ok {
				return n, true
			}
		}
	}
	if n, ok := numberAfterWord(s, true); ok {
		return n, true
	}
	if m := ordinal(s); m != nil {
		return number(m[1]), true
	}
	if _, dated := findDate(s); dated {
		return 0, false
	}
	if s = strings.TrimSpace(s); !isDigit(s[len(s)-1]) && !strings.HasSuffix(s, ")") && !strings.HasSuffix(s, "）") && !strings.Contains(s, "eek") && !strings.Contains(s, "EEK") {
		return 0, false
	}
	if m := bracketRE.FindStringSubmatch(s); m != nil {
		if n := number(m[1]); n > 0 && (n < 1900 || n > 2100) {
			return n, true
		}
	}
	for _, re := range []*regexp.Regexp{tailRE, weekRE} {
		if m := re.FindStringSubmatch(s); m != nil {
			if n := number(m[1]); n > 0 && (n < 1900 || n > 2100) {
				return n, true
			}
		}
	}
	return 0, false
}

var (
	numeroRE  = regexp.MustCompile(`(?:\b[Nn][°º]|№)\s*`)
	ordinalRE = regexp.MustCompile(`(?i)\b(\d{1,4})(?:st|nd|rd|th)\s+(?:edition|issue|number|instal?lment|newsletter)\b`)
	romanRE   = regexp.MustCompile(`(?i:\b(?:issue|edition|number|episode|vol\.?|volume|no\.))\s*#?([IVXLC]{1,9})(?:[^\w]|$)`)
)

// ordinal is what ordinalRE finds in s; nil when there is nothing.
func ordinal(s string) []string {
	for k := 1; k < len(s); k++ {
		if isDigit(s[k-1]) && isLatin(s[k]) {
			return ordinalRE.FindStringSubmatch(s)
		}
	}
	return nil
}

// romanNumber finds "Issue XIV".
func romanNumber(s string) (int, bool) {
	if !strings.ContainsAny(s, "IVXLC") {
		return 0, false
	}
	m := romanRE.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	total, last := 0, 0
	for k := len(m[1]) - 1; k >= 0; k-- {
		n := romanDigits[m[1][k]]
		if n < last {
			total -= n
		} else {
			total, last = total+n, n
		}
	}
	return total, total > 0
}

var romanDigits = map[byte]int{'I': 1, 'V': 5, 'X': 10, 'L': 50, 'C': 100}

var (
	// numberWords stand before a number, whatever follows it.
	numberWords = map[string]bool{"issue": true, "edition": true, "number": true, "episode": true, "vol": true, "volume": true, "no": true, "nr": true, "ep": true}
	// nameWords end the name of a periodical. The number behind one must end the title, or a mark must follow.
	nameWords = []string{"weekly", "newsletter", "digest", "letter", "roundup", "bulletin", "review", "notes", "news",
		"周刊", "周报", "日报", "月报", "早报", "快报", "周记", "简报", "通讯"}
	numberMarks = marksOf(". \t\n\f\r#:№-_")
	afterNumber = marksOf(":：|｜,，、(（")
)

// numberAfterWord finds "Issue 12" or "Vol. 12"; with names also "… Weekly 12: …".
func numberAfterWord(s string, names bool) (n int, ok bool) {
	for k := 0; k < len(s); k++ {
		if !isDigit(s[k]) {
			continue
		}
		from := k
		for k < len(s) && isDigit(s[k]) {
			k++
		}
		if k-from > 5 {
			continue
		}
		found := number(s[from:k])
		before := strings.ToLower(strings.TrimRightFunc(s[:from], numberMarks.has))
		if numberWords[before[strings.LastIndexFunc(before, isNoLatin)+1:]] && found > 0 {
			return found, true
		}
		if ok || !names || found < 1 || found >= 1900 && found <= 2100 || !slices.ContainsFunc(nameWords, func(w string) bool { return strings.HasSuffix(before, w) }) {
			continue
		}
		rest := strings.TrimLeft(s[k:], " ")
		if next, _ := utf8.DecodeRuneInString(rest); rest == "" || next == '期' || afterNumber.has(next) || strings.HasPrefix(s[k:], " - ") || strings.HasPrefix(s[k:], " – ") || strings.HasPrefix(s[k:], " — ") {
			n, ok = found, true
		}
	}
	return n, ok
}

func isNoLatin(r rune) bool { return r >= utf8.RuneSelf || !isLatin(byte(r)) }

// anyNumber reads ASCII, full-width and Chinese digits.
func anyNumber(s string) (int, bool) {
	total, section, digit := 0, 0, 0
	for _, r := range s {
		if r >= '０' && r <= '９' {
			r = r - '０' + '0'
		}
		if r >= '0' && r <= '9' {
			section = section*10 + int(r-'0')
			continue
		}
		switch k := strings.IndexRune("零一二三四五六七八九", r); {
		case k == 0 || r == '〇':
			digit = 0
		case k > 0:
			digit = k / len("一")
		case r == '两':
			digit = 2
		case r == '十':
			total, digit = total+max(1, digit)*10, 0
		case r == '百':
			total, digit = total+max(1, digit)*100, 0
		default:
			return 0, false
		}
		if digit > 0 && !strings.ContainsRune(s, '十') && !strings.ContainsRune(s, '百') {
			section, digit = section*10+digit, 0
		} else if (r == '零' || r == '〇') && !strings.ContainsRune(s, '百') {
			section *= 10
		}
	}
	n := total + section + digit
	return n, n > 0 && n < 100000
}
