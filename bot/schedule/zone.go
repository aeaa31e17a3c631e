package schedule

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // the binary runs on images without a zone database

	"golang.org/x/text/unicode/norm"

	"weeklybot/bot"
	"weeklybot/internal/nearest"
)

// zoneNames are the IANA names, one a line, from the zone database that comes with Go 1.26.
//
//go:embed zones.txt
var zoneNames string

// zones finds a name by its lower-case form, and by the city in it where only one zone has that city.
var zones = sync.OnceValue(func() map[string]string {
	found := make(map[string]string)
	for name := range strings.Lines(zoneNames) {
		name = strings.TrimSpace(name)
		lower := strings.ToLower(name)
		found[lower] = name
		if k := strings.LastIndexByte(lower, '/'); k >= 0 && !strings.HasPrefix(lower, "etc/") {
			city := lower[k+1:]
			if before, ok := found[city]; !ok {
				found[city] = name
			} else if strings.Contains(before, "/") {
				found[city] = shorter(before, name)
			}
		}
	}
	for word, name := range zoneWords {
		found[word] = name
	}
	return found
})

// shorter prefers the name that people write: America/Louisville to America/Kentucky/Louisville. Both mean one place.
func shorter(a, b string) string {
	if len(b) < len(a) {
		return b
	}
	return a
}

// zoneWords are what people call some zones, in lower case, "_" for spaces.
var zoneWords = map[string]string{
	"utc": "UTC", "gmt": "UTC", "z": "UTC", "世界时": "UTC", "协调世界时": "UTC", "格林尼治时间": "UTC", "etc/utc": "UTC", "etc/gmt": "UTC",
	"北京时间": "Asia/Shanghai", "北京": "Asia/Shanghai", "beijing": "Asia/Shanghai", "beijing_time": "Asia/Shanghai", "asia/beijing": "Asia/Shanghai",
	"上海": "Asia/Shanghai", "中国": "Asia/Shanghai", "中国时间": "Asia/Shanghai", "深圳": "Asia/Shanghai", "shenzhen": "Asia/Shanghai",
	"杭州": "Asia/Shanghai", "hangzhou": "Asia/Shanghai", "广州": "Asia/Shanghai", "guangzhou": "Asia/Shanghai", "china": "Asia/Shanghai",
	"香港": "Asia/Hong_Kong", "香港时间": "Asia/Hong_Kong", "澳门": "Asia/Macau", "台北": "Asia/Taipei", "台北时间": "Asia/Taipei",
	"东京": "Asia/Tokyo", "东京时间": "Asia/Tokyo", "首尔": "Asia/Seoul", "新加坡": "Asia/Singapore", "新加坡时间": "Asia/Singapore",
	"迪拜": "Asia/Dubai", "孟买": "Asia/Kolkata", "印度": "Asia/Kolkata", "india": "Asia/Kolkata", "mumbai": "Asia/Kolkata", "bangalore": "Asia/Kolkata",
	"莫斯科": "Europe/Moscow", "伦敦": "Europe/London", "伦敦时间": "Europe/London", "巴黎": "Europe/Paris", "柏林": "Europe/Berlin",
	"纽约": "America/New_York", "纽约时间": "America/New_York", "美东": "America/New_York", "美东时间": "America/New_York", "et": "America/New_York",
	"芝加哥": "America/Chicago", "洛杉矶": "America/Los_Angeles", "旧金山": "America/Los_Angeles", "san_francisco": "America/Los_Angeles",
	"西雅图": "America/Los_Angeles", "seattle": "America/Los_Angeles", "美西": "America/Los_Angeles", "美西时间": "America/Los_Angeles",
	"pt": "America/Los_Angeles", "悉尼": "Australia/Sydney", "墨尔本": "Australia/Melbourne", "奥克兰": "Pacific/Auckland",
}

// ambiguous are abbreviations that mean several zones, or a zone for half of the year: which one is for the person to say.
var ambiguous = map[string][]string{
	"cst": {"Asia/Shanghai", "America/Chicago"}, "ist": {"Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"},
	"bst": {"Europe/London", "Asia/Dhaka"}, "est": {"America/New_York"}, "edt": {"America/New_York"}, "cdt": {"America/Chicago"},
	"mst": {"America/Denver", "America/Phoenix"}, "mdt": {"America/Denver"}, "pst": {"America/Los_Angeles"}, "pdt": {"America/Los_Angeles"},
	"cest": {"Europe/Berlin", "Europe/Paris"}, "jst": {"Asia/Tokyo"}, "kst": {"Asia/Seoul"},
	"hkt": {"Asia/Hong_Kong"}, "sgt": {"Asia/Singapore"}, "aest": {"Australia/Sydney"}, "msk": {"Europe/Moscow"},
}

// maxZoneBytes is more than any name of a zone has, in bytes.
const maxZoneBytes = 64

// Zone finds the IANA name of what a person wrote: "Asia/Shanghai", "asia/shanghai", "Berlin", "New York", "北京时间", "UTC+8", in brackets or not. The
// error is a *bot.UserError in lang with the nearest names, code "unknown_zone".
func Zone(text, lang string) (string, error) {
	if len(text) > maxZoneBytes {
		return "", unknownZone("", "…", lang)
	}
	key := strings.ReplaceAll(strings.ToLower(strings.Trim(norm.NFKC.String(text), " ()")), " ", "_")
	if offset, ok := offsetZone(key); ok {
		return offset, nil
	}
	if name, ok := zones()[key]; ok && ambiguous[key] == nil {
		return name, nil
	}
	return "", unknownZone(key, strings.TrimSpace(text), lang)
}

// offsetZone reads whole hours from UTC, "utc+8", "gmt-5", "+08:00". The names in the database count the other way round.
func offsetZone(key string) (string, bool) {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "utc"), "gmt")
	if len(key) < 2 || key[0] != '+' && key[0] != '-' {
		return "", false
	}
	hours, err := strconv.Atoi(strings.TrimSuffix(key[1:], ":00"))
	switch {
	case err != nil, key[1] == '+', key[1] == '-', key[0] == '+' && hours > 14, key[0] == '-' && hours > 12:
		return "", false
	case hours == 0:
		return "UTC", true
	case key[0] == '+':
		return fmt.Sprintf("Etc/GMT-%d", hours), true
	default:
		return fmt.Sprintf("Etc/GMT+%d", hours), true
	}
}

func unknownZone(key, typed, lang string) error {
	near := ambiguous[key]
	if near == nil {
		near = nearZones(key)
	}
	hint := strings.Join(near, say(lang, "、", ", "))
	if hint == "" {
		hint = "Asia/Shanghai, Europe/Berlin, America/New_York, UTC"
	}
	if ambiguous[key] != nil {
		return &bot.UserError{Code: "unknown_zone",
			Text: fmt.Sprintf(say(lang, "时区“%s”可以指不同的地方。", "The time zone “%s” is not clear enough."), typed),
			Hint: fmt.Sprintf(say(lang, "请写全名：%s", "Write its full name: %s"), hint)}
	}
	return &bot.UserError{Code: "unknown_zone",
		Text: fmt.Sprintf(say(lang, "没有名为“%s”的时区。", "There is no time zone “%s”."), typed),
		Hint: fmt.Sprintf(say(lang, "试试：%s", "Try: %s"), hint)}
}

// nearZones are the names nearest to key, at most three.
func nearZones(key string) []string {
	var known []string
	for k := range zones() {
		known = append(known, k)
	}
	slices.Sort(known)
	var names []string
	for _, k := range nearest.Of(key, known, 6) {
		if name := zones()[k]; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names[:min(3, len(names))]
}

// loaded holds the zones that were asked for: reading one costs far more than using it. It is bounded by the zone database.
var loaded sync.Map // string → *time.Location

// location is the zone of an IANA name.
func location(name string) (*time.Location, error) {
	if zone, ok := loaded.Load(name); ok {
		return zone.(*time.Location), nil
	}
	if name == "" || name == "Local" {
		return nil, fmt.Errorf("zone %q: want an IANA name such as Asia/Shanghai", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("zone %q: %w", name, err)
	}
	loaded.Store(name, zone)
	return zone, nil
}

// Location is the zone of an IANA name, as a Schedule holds it. The zones are read once and kept.
func Location(name string) (*time.Location, error) { return location(name) }

func say(lang, zh, en string) string {
	if lang == "en" {
		return en
	}
	return zh
}
