package schedule

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"weeklybot/bot"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, cron, zh, en string }{
		{"Mon 09:00", "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{"every monday 9am", "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{"Every Monday at 9", "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{"mondays, 9:00 AM", "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{"每周一 9:00", "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{"每周一9点", "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{"每个星期一上午九点", "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{"星期一　０９：００", "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{`"0 9 * * 1"`, "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{"0   9 * *   MON", "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{"every monday", "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{"weekly", "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{"每周", "0 9 * * 1", "每周一 09:00", "Mondays 09:00"},
		{"周五下午6点", "0 18 * * 5", "每周五 18:00", "Fridays 18:00"},
		{"fri 18.30", "30 18 * * 5", "每周五 18:30", "Fridays 18:30"},
		{"周五晚上八点半", "30 20 * * 5", "每周五 20:30", "Fridays 20:30"},
		{"礼拜天中午12点", "0 12 * * 0", "每周日 12:00", "Sundays 12:00"},
		{"sunday noon", "0 12 * * 0", "每周日 12:00", "Sundays 12:00"},
		{"0 12 * * 7", "0 12 * * 0", "每周日 12:00", "Sundays 12:00"},
		{"weekdays 8:30", "30 8 * * 1-5", "工作日 08:30", "Weekdays 08:30"},
		{"工作日 8:30", "30 8 * * 1-5", "工作日 08:30", "Weekdays 08:30"},
		{"mon-fri 8:30", "30 8 * * 1-5", "工作日 08:30", "Weekdays 08:30"},
		{"周一到周五 8点30分", "30 8 * * 1-5", "工作日 08:30", "Weekdays 08:30"},
		{"30 8 * * 1,2,3,4,5", "30 8 * * 1-5", "工作日 08:30", "Weekdays 08:30"},
		{"weekends 10am", "0 10 * * 0,6", "每周末 10:00", "Weekends 10:00"},
		{"每周末早上10点", "0 10 * * 0,6", "每周末 10:00", "Weekends 10:00"},
		{"mon and thu 9:00", "0 9 * * 1,4", "每周一、周四 09:00", "Mondays, Thursdays 09:00"},
		{"每周一、四 9:00", "0 9 * * 1,4", "每周一、周四 09:00", "Mondays, Thursdays 09:00"},
		{"周六到周一 9:00", "0 9 * * 0,1,6", "每周一、周六、周日 09:00", "Mondays, Saturdays, Sundays 09:00"},
		{"daily 18:00", "0 18 * * *", "每天 18:00", "Daily 18:00"},
		{"每天 09:00", "0 9 * * *", "每天 09:00", "Daily 09:00"},
		{"18:00", "0 18 * * *", "每天 18:00", "Daily 18:00"},
		{"daily 9:00 and 18:00", "0 9,18 * * *", "每天 09:00, 18:00", "Daily 09:00, 18:00"},
		{"每月1日 9:00", "0 9 1 * *", "每月1日 09:00", "Monthly on day 1 09:00"},
		{"monthly on the 1st 9:00", "0 9 1 * *", "每月1日 09:00", "Monthly on day 1 09:00"},
		{"每月十五号上午十点半", "30 10 15 * *", "每月15日 10:30", "Monthly on day 15 10:30"},
		{"the 1st of every month at 9:00", "0 9 1 * *", "每月1日 09:00", "Monthly on day 1 09:00"},
		{"hourly", "0 * * * *", "每小时第 0 分", "Hourly at minute 0"},
		{"* * * * *", "* * * * *", "每分钟", "Every minute"},
		{"*/1 0-23 ? 1-12 *", "* * * * *", "每分钟", "Every minute"},
		{"*/5 * * * *", "*/5 * * * *", "*/5 * * * *", "*/5 * * * *"},
		{"0-59/5 * * * *", "*/5 * * * *", "*/5 * * * *", "*/5 * * * *"},
		{"0 9 1-31 * 1", "0 9 1-31 * 1", "0 9 1-31 * 1", "0 9 1-31 * 1"},
		{"0 9 29 2 *", "0 9 29 2 *", "0 9 29 2 *", "0 9 29 2 *"},
		{"0 9 31 2 1", "0 9 31 2 1", "0 9 31 2 1", "0 9 31 2 1"},
		{"0 9 * * 5-7", "0 9 * * 0,5,6", "每周五、周六、周日 09:00", "Fridays, Saturdays, Sundays 09:00"},
		{"0 9 * * fri-7/2", "0 9 * * 0,5", "每周五、周日 09:00", "Fridays, Sundays 09:00"},
	} {
		s, err := Parse(c.text, "Asia/Shanghai", "en")
		if err != nil {
			t.Errorf("Parse(%q): %v", c.text, err)
			continue
		}
		if want := (bot.Schedule{Cron: c.cron, Zone: "Asia/Shanghai"}); s != want {
			t.Errorf("Parse(%q) = %+v, want %+v", c.text, s, want)
		}
		for _, spoken := range []string{c.zh, c.en} { // what the bot says can be typed
			if again, err := Parse(spoken, "(Asia/Shanghai)", "en"); err != nil || again != s {
				t.Errorf("Parse(%q) = %+v, %v, want %+v", spoken, again, err, s)
			}
		}
		if got, want := Describe(s, "zh"), c.zh+" (Asia/Shanghai)"; got != want {
			t.Errorf("Describe(%q, zh) = %q, want %q", c.text, got, want)
		}
		if got, want := Describe(s, "en"), c.en+" (Asia/Shanghai)"; got != want {
			t.Errorf("Describe(%q, en) = %q, want %q", c.text, got, want)
		}
	}
}

func TestParseOnPublish(t *testing.T) {
	for _, text := range []string{"on publish", "On  Publish", `"on publish"`, "发布时", "on-publish"} {
		if s, err := Parse(text, "", "zh"); err != nil || s != (bot.Schedule{OnPublish: true}) {
			t.Errorf("Parse(%q) = %+v, %v", text, s, err)
		}
	}
	if got := Describe(bot.Schedule{OnPublish: true}, "zh"); got != "发布时" {
		t.Errorf("Describe = %q", got)
	}
	if _, err := Next(bot.Schedule{OnPublish: true}, epoch); !errors.Is(err, ErrOnPublish) {
		t.Errorf("Next of an on-publish schedule: %v", err)
	}
	if id := SlotID(bot.Schedule{OnPublish: true}); id != "" {
		t.Errorf("SlotID of an on-publish schedule = %q", id)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, code string }{
		{"", "bad_schedule"}, {"soon", "bad_schedule"}, {"every other monday 9:00", "bad_schedule"}, {"every 2 weeks", "bad_schedule"},
		{"mon 25:00", "bad_schedule"}, {"mon 9:60", "bad_schedule"}, {"mon 13pm", "bad_schedule"}, {"下午0点", "bad_schedule"},
		{"daily 9:00 and 18:30", "bad_schedule"}, {"每月32日 9:00", "bad_schedule"}, {"每月1日 周一 9:00", "bad_schedule"},
		{"TZ=0", "bad_schedule"}, {"CRON_TZ=Asia/Shanghai", "bad_schedule"}, {"CRON_TZ=UTC 0 9 * * 1", "bad_schedule"}, {"@every 5m", "bad_schedule"},
		{"@weekly", "bad_schedule"}, {"0 9 * *", "bad_schedule"}, {"0 0 9 * * 1", "bad_schedule"}, {"60 9 * * 1", "bad_schedule"},
		{"0 9 * * 8", "bad_schedule"}, {", 9 * * 1", "bad_schedule"}, {"0 9 * * ,", "bad_schedule"}, {"0 9 * * 1-7/0", "bad_schedule"},
		{"0 9 * * -7", "bad_schedule"}, {"*/9999999999999999999 * * * *", "bad_schedule"},
		{"0 9 31 2 *", "never_fires"}, {"0 9 30 2 *", "never_fires"}, {"0 9 31 4,6,9,11 *", "never_fires"},
		{strings.Repeat("每周一 ", 100), "bad_schedule"}, {"mon \xff 9:00", "bad_schedule"},
	} {
		for _, lang := range []string{"zh", "en"} {
			s, err := Parse(c.text, "UTC", lang)
			user, ok := errors.AsType[*bot.UserError](err)
			if !ok || user.Code != c.code || user.Hint == "" {
				t.Errorf("Parse(%q, %s) = %+v, %v; want a UserError %s with a hint", c.text, lang, s, err, c.code)
			}
			if ok && len(user.Text) > 300 {
				t.Errorf("Parse(%q): the error has %d bytes", c.text, len(user.Text))
			}
		}
	}
}

func TestZone(t *testing.T) {
	for text, want := range map[string]string{
		"Asia/Shanghai": "Asia/Shanghai", "asia/shanghai": "Asia/Shanghai", "北京时间": "Asia/Shanghai", "Beijing": "Asia/Shanghai",
		"UTC": "UTC", "gmt": "UTC", "Berlin": "Europe/Berlin", "new york": "America/New_York", "纽约": "America/New_York",
		"UTC+8": "Etc/GMT-8", "GMT-5": "Etc/GMT+5", "+08:00": "Etc/GMT-8", "ＵＴＣ＋８": "Etc/GMT-8", "utc+0": "UTC",
		"America/Argentina/Buenos_Aires": "America/Argentina/Buenos_Aires", "Eastern": "US/Eastern", "CET": "CET",
	} {
		if got, err := Zone(text, "en"); err != nil || got != want {
			t.Errorf("Zone(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for text, hint := range map[string]string{
		"Asia/Shanghia": "Asia/Shanghai", "Berln": "Europe/Berlin", "CST": "America/Chicago", "cst": "Asia/Shanghai", "Mars/Olympus": "UTC",
		"": "UTC", "UTC+99": "UTC", "utc+-8": "UTC", "../../etc/passwd": "UTC", strings.Repeat("x", 1000): "UTC", "Local": "UTC",
	} {
		_, err := Zone(text, "en")
		user, ok := errors.AsType[*bot.UserError](err)
		if !ok || user.Code != "unknown_zone" || !strings.Contains(user.Hint, hint) {
			t.Errorf("Zone(%q): %v, want a UserError whose hint has %s", text, err, hint)
		}
	}
}

func TestEveryZoneLoads(t *testing.T) {
	n := 0
	for _, name := range zones() {
		if _, err := location(name); err != nil {
			t.Errorf("a name that Zone returns does not load: %v", err)
		}
		n++
	}
	if n < 500 {
		t.Errorf("%d names of zones, want the whole list", n)
	}
}

func TestSlotIDTellsTimesApart(t *testing.T) {
	must := func(text, zone string) string {
		s, err := Parse(text, zone, "en")
		if err != nil {
			t.Fatal(err)
		}
		return SlotID(s)
	}
	if a, b := must("Mon 09:00", "Beijing"), must("每周一 9点", "Asia/Shanghai"); a != b {
		t.Errorf("one time, two slots: %s, %s", a, b)
	}
	if a, b := must("Mon 09:00", "Beijing"), must("Mon 09:00", "Tokyo"); a == b {
		t.Errorf("two zones, one slot: %s", a)
	}
	if got, want := must("Mon 09:00", "UTC"), "1c6537087e87"; got != want {
		t.Errorf("SlotID changed from %s to %s: slots in stores would be lost", want, got)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"Mon 09:00", "每周一 9:00", "周五下午6点半", "* * * * *", "0 9 31 2 *", "TZ=0", "CRON_TZ=X", "@every 1s", "0 9 * * 1-7/2",
		"on publish", "monthly on the 31st", "mon-fri 8:30 and 9:30", "五十九 9 * * 7,7", "1-5/3,*/7 2-4 ? jan-mar sun"} {
		f.Add(s, "Asia/Shanghai")
	}
	f.Add("Mon 9am", "utc+8")
	f.Fuzz(func(t *testing.T, text, zone string) {
		s, err := Parse(text, zone, "en")
		if err != nil {
			if _, ok := errors.AsType[*bot.UserError](err); !ok {
				t.Fatalf("Parse(%q, %q): %v is no UserError", text, zone, err)
			}
			return
		}
		if s.OnPublish {
			return
		}
		again, err := Parse(s.Cron, s.Zone, "zh")
		if err != nil || again != s {
			t.Fatalf("Parse(%q) = %+v is not canonical: %+v, %v", text, s, again, err)
		}
		run, err := Next(s, epoch)
		if err != nil || !run.After(epoch) || run.Year() > epoch.Year()+9 {
			t.Fatalf("%+v: next run %v, %v", s, run, err)
		}
		if d := Describe(s, "zh"); !utf8.ValidString(d) || d == "" {
			t.Fatalf("Describe(%+v) = %q", s, d)
		}
	})
}
