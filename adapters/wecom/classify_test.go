package wecom

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
)

// TestOperatorsAreToldWhatToDo: every code that holds a workspace says in both languages where to go and what to change.
func TestOperatorsAreToldWhatToDo(t *testing.T) {
	n := 0
	for _, c := range wantedCodes {
		fault := fromCode(int64(c.code), nil, time.Now())
		if fault == nil || fault.Scope != bot.ScopeWorkspace {
			continue
		}
		n++
		text := fault.Err.Error()
		if !strings.Contains(text, "请到 管理后台 > ") || !strings.Contains(text, "admin console > ") || !strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%d says %q: want where to go and what to do there, in zh and en", c.code, text)
		}
	}
	if n < 9 {
		t.Errorf("%d codes hold a workspace, want 9", n)
	}
}

// TestUntrustedAddressIsNamed: the address to put on the list is the one that WeCom saw.
func TestUntrustedAddressIsNamed(t *testing.T) {
	for errmsg, want := range map[string]string{
		"not allow to access from your ip, hint: [17], from ip: 203.0.113.9, more info at https://open.work.weixin.qq.com": "IP: 203.0.113.9",
		"from ip: 2001:db8::7.":            "IP: 2001:db8::7",
		"from ip: 999.1.1.1":               "",
		"from ip: <script>":                "",
		"not allow to access from your ip": "",
	} {
		s := newStand(t, nil)
		s.Fail(1, twin.Failure{Body: fmt.Sprintf(`{"errcode":60020,"errmsg":%q}`, errmsg)})
		fault := s.send(testChannel(KindApp, s.url), small("x"))
		if fault == nil || fault.Code != "60020" || fault.Effect() != bot.Hold || !strings.Contains(fault.Error(), "企业可信IP > 配置") {
			t.Fatalf("%q: %v", errmsg, fault)
		}
		_, got, named := strings.Cut(fault.Error(), "IP: ")
		if named != (want != "") || named && "IP: "+got != want {
			t.Errorf("%q: %v, want %q at the end", errmsg, fault, want)
		}
	}
}

// TestEffects is the table of section 6 to its effect on deliveries, written out by hand.
func TestEffects(t *testing.T) {
	want := map[bot.Effect][]int64{
		bot.Retry:     {-1, 6000, 40014, 42001, 41001, 846609},
		bot.Wait:      {45009, 45033},
		bot.Hold:      {40001, 40013, 40056, 301002, 48002, 48006, 50003, 60020, 93019},
		bot.Ask:       {93000, 93004, 93005, 93006, 93008},
		bot.Probation: {86001, 86003, 86008, 81013, 60111, 46004, 60011, 40003, 40031},
		bot.Drop:      {40201},
		bot.Degrade: {40004, 40006, 40007, 40008, 40009, 40032, 40033, 40035, 40058, 40063, 41016, 42014, 44001, 44004, 45002, 45008, 82001, 82002, 82003,
			86215, 846605, 846608, 301019},
		bot.RetryOnce: {1, 99999, 123456789, -2},
	}
	said := 0
	for effect, list := range want {
		for _, code := range list {
			said++
			if got := fromCode(code, nil, time.Now()).Effect(); got != effect {
				t.Errorf("%d leads to %s, want %s", code, got, effect)
			}
		}
	}
	if said-len(want[bot.RetryOnce]) != len(codes) {
		t.Errorf("%d codes are written out here, the table has %d", said-len(want[bot.RetryOnce]), len(codes))
	}
	if fromCode(0, nil, time.Now()) != nil {
		t.Error("errcode 0 is a fault")
	}
}
