package parse

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// found is a date found in a text.
type found struct {
	day        string // "2006-01-02"
	start, end int    // where it stands
}

var (
	isoRE     = regexp.MustCompile(`(?:^|[^0-9])((19|20)\d\d)\s?[-./_年]\s?(\d{1,2})\s?[-./_月]\s?(\d{1,2})(?:日|号)?`)
	compactRE = regexp.MustCompile(`(?:^|[^0-9])((19|20)\d\d)(\d\d)(\d\d)(?:[^0-9]|$)`)
	monthRE   = regexp.MustCompile(`(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]{0,6}\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+((?:19|20)\d\d)\b`)
	dayRE     = regexp.MustCompile(`(?i)\b(\d{1,2})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?(jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]{0,6}\.?,?\s+((?:19|20)\d\d)\b`)
	// A period whose second day leaves out the year: 2024.03.04-03.10, 2024年3月4日至10日, March 4 – 10, 2024, March 25 to April 1, 2024.
	shortEndRE = regexp.MustCompile(`^\s*(?:[-–—~～至到]|to|~)+\s*(?:(\d{1,2})\s?[-./月]\s?)?(\d{1,2})(?:日|号)?(?:[^0-9.年/-]|$)`)
	monthSpan  = regexp.MustCompile(`(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]{0,6}\.?\s+(\d{1,2})(?:st|nd|rd|th)?\s*(?:[-–—~]|to|through)\s*(?:(jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]{0,6}\.?\s+)?(\d{1,2})(?:st|nd|rd|th)?,?\s+((?:19|20)\d\d)\b`)
)

var months = map[string]int{"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12}

func month(name string) int { return months[strings.ToLower(name[:3])] }

// day writes a date that exists, else "".
func day(year, month, dayOfMonth int) string {
	t := time.Date(year, time.Month(month), dayOfMonth, 0, 0, 0, 0, time.UTC)
	if t.Year() != year || int(t.Month()) != month || t.Day() != dayOfMonth || year < 1970 || year > 2200 {
		return ""
	}
	return t.Format(time.DateOnly)
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

// findDate finds the first date of s; ok is false when there is none.
func findDate(s string) (f found, ok bool) {
	s = s[:min(len(s), maxDateText)]
	if !holdsYear(s) {
		return f, false
	}
	for _, try := range []struct {
		re      *regexp.Regexp
		y, m, d int
	}{{isoRE, 1, 3, 4}, {compactRE, 1, 3, 4}, {monthRE, 3, 1, 2}, {dayRE, 3, 2, 1}} {
		for _, m := range try.re.FindAllStringSubmatchIndex(s, 4) {
			part := func(k int) string { return s[m[2*k]:m[2*k+1]] }
			mon := number(part(try.m))
			if mon == 0 {
				if name := part(try.m); len(name) < 3 || name[0] >= '0' && name[0] <= '9' {
					continue
				}
				mon = month(part(try.m))
			}
			if text := day(number(part(try.y)), mon, number(part(try.d))); text != "" {
				if start := min(m[2*try.y], m[2*try.m], m[2*try.d]); !ok || start < f.start {
					f, ok = found{text, start, m[1]}, true
					if try.re == compactRE && f.end > 0 && m[2*4+1] < f.end {
						f.end = m[2*4+1]
					}
				}
				break
			}
		}
	}
	return f, ok
}

// holdsYear reports whether s may hold a year: all dates that are read here do.
func holdsYear(s string) bool { return strings.Contains(s, "20") || strings.Contains(s, "19") }

// findPeriod finds a first and a last day in s, or one day twice.
func findPeriod(s string) (from, to string, ok bool) {
	s = s[:min(len(s), maxDateText)]
	if !holdsYear(s) {
		return "", "", false
	}
	if m := monthSpan.FindStringSubmatch(s); m != nil {
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
		return "", "", false
	}
	rest := s[first.end:]
	if m := shortEndRE.FindStringSubmatch(rest); m != nil {
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

// near reports whether to comes after from, and within a quarter of a year.
func near(from, to string) bool {
	a, err := time.Parse(time.DateOnly, from)
	b, err2 := time.Parse(time.DateOnly, to)
	return err == nil && err2 == nil && b.After(a) && b.Sub(a) < 93*24*time.Hour
}

var (
	hanNumberRE = regexp.MustCompile(`第\s*([0-9０-９]{1,5}|[零〇一二三四五六七八九十百两]{1,7})\s*(?:期|号|辑|弹|集|刊|周刊|周报|周)`)
	hashRE      = regexp.MustCompile(`(?:^|[^\w&/])#\s?(\d{1,5})(?:[^\d\w]|$)`)
	wordRE      = regexp.MustCompile(`(?i)(?:^|[^a-z])(?:issue|edition|number|episode|vol(?:ume)?|no|nr|ep)(?:\.|\s|#|:|№|-|_)*(\d{1,5})(?:[^\d]|$)`)
	hanVolRE    = regexp.MustCompile(`(?:期号|期数|总第)\s*[:：]?\s*(\d{1,5})`)
	tailRE      = regexp.MustCompile(`[^\d\s.,/:#-][\s　]*[-_\s　]\s*0*(\d{1,4})$`)
	weekRE      = regexp.MustCompile(`(?i)\bweek\s*#?(\d{1,3})\b`)
)

// findNumber finds the number of an issue in its title. A number at the very end counts when it is no year and no date stands there.
func findNumber(s string) (int, bool) {
	s = s[:min(len(s), maxDateText)]
	if !strings.ContainsAny(s, "0123456789第") {
		return 0, false
	}
	for _, re := range []*regexp.Regexp{hanNumberRE, hashRE, hanVolRE, wordRE} {
		if m := re.FindStringSubmatch(s); m != nil {
			if n, ok := anyNumber(m[1]); ok {
				return n, true
			}
		}
	}
	if _, dated := findDate(s); dated {
		return 0, false
	}
	for _, re := range []*regexp.Regexp{tailRE, weekRE} {
		if m := re.FindStringSubmatch(strings.TrimSpace(s)); m != nil {
			if n := number(m[1]); n > 0 && (n < 1900 || n > 2100) {
				return n, true
			}
		}
	}
	return 0, false
}

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
