package command

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

	"weeklybot/bot"
	"weeklybot/bot/chart"
	"weeklybot/bot/schedule"
	"weeklybot/content"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// shown is a message as text, to be read by people.
func shown(m bot.Message) string {
	var b strings.Builder
	if m.Title != "" {
		fmt.Fprintf(&b, "== %s ==\n", m.Title)
	}
	if m.Image != nil {
		fmt.Fprintf(&b, "(image: %s)\n", m.Image.Alt)
	}
	for _, k := range m.Blocks {
		switch k.Kind {
		case bot.BlockHeading:
			fmt.Fprintf(&b, "## %s\n", k.Text)
		case bot.BlockItem:
			fmt.Fprintf(&b, "- %s", k.Title)
			if k.URL != "" {
				fmt.Fprintf(&b, " <%s>", k.URL)
			}
			b.WriteByte('\n')
			for line := range strings.Lines(k.Text) {
				fmt.Fprintf(&b, "  %s\n", strings.TrimSpace(line))
			}
		case bot.BlockDivider:
			b.WriteString("----\n")
		case bot.BlockNote:
			fmt.Fprintf(&b, "[%s]\n", k.Text)
		default:
			fmt.Fprintf(&b, "%s\n", k.Text)
		}
	}
	return b.String()
}

// TestConversation is one channel's talk with the bot in each language, to be read as a member would.
func TestConversation(t *testing.T) {
	talks := map[string][]string{
		"zh": {
			"/帮助", "/help 订阅", "/热点", "/热点 ebpf", "热点ebpf", "／搜索　双栈", "/搜索 ebpg", "搜索kubernetes", "/更多", "/更多", "/为什么 2", "/最新", "/最新 kernel 标题",
			"/期", "/期 12", "/期 第11期", "/期 2026-11-10 全文", "/issue hot/page/hot.md 标题", "/期 99", "/主题", "/主题 网格", "/趋势 wasm", "/趋势 istio", "/趋势 量子",
			"/订阅", "/订阅 ebpf,服务网格 每周一 9:00", "/订阅 ebpf，服务网格 周一上午9点", "/订阅 ebpf 服务网格 周一上午9点 全文 最多 20 条",
			"/订阅 全部 from cloud-weekly 发布时", `/订阅 all "* * * * *"`, "/我的订阅", "/预览", "/预览 #1", "/预览 ebpf 每周一 9:00 标题 最多 2 条", "/预览 量子 每周一", "/暂停 1", "/恢复 #1", "/退订 #9", "/退订 2 3", "/我的订阅",
			"/语言 en", "/我的订阅", "/退订 all", "/我的订阅",
			"/订阅 ebpf", "/订阅 ebpf 31日", `/订阅 all "0 9 31 2 *"`, "/订阅 量子计算 每周一", "/订阅 all from nobody 每周一", "/订阅 all 每周一 9:00 Asia/Shanghia", "/订阅 all 每周一 max 0",
			"/热店", "你好", "/恢复 1", "/趋势", "/搜索", "/热点 ebpf --page 9", "/热点 --lang",
		},
		"en": {
			"/help", "/help subscribe", "/hot", "/hot ebpf", "hot ebpf --page 1", "/search dual-stack", "/search ebpg", "search kubernetes", "/more", "/more", "/why 2", "/why 1 /hot arena",
			"/latest", "/latest kernel headlines", "/issue", "/issue 12", "/issue #11", "/issue kernel-notes 12 full", "/issue cloud-weekly latest headlines", "/issue 99", "/topics", "/topics mesh", "/trend wasm", "/trend istio", "/trend quantum",
			"/subscribe", "/subscribe ebpf,service mesh Mon 09:00", "/subscribe service-mesh, eBPF every monday 9am", "/subscribe ebpf,service mesh Mon 09:00 full en max 20",
			"/subscribe all from cloud-weekly on publish", `/subscribe all "* * * * *"`, "/subscribe wasm * * * * * New York", "/subscriptions", "/preview", "/preview #1", "/preview ebpf from cloud-weekly Mon 09:00 headlines max 2", "/preview ebpf Mon Nowhere/City", "/pause 1", "/resume #1", "/unsubscribe #9", "/unsubscribe 2,3", "/subscriptions",
			"/lang zh", "/subscriptions --lang en", "/unsubscribe all", "/subscriptions",
			"/subscribe ebpf", "/subscribe ebpf sometime soon", `/subscribe all "0 9 31 2 *"`, "/subscribe quantum weekly", "/subscribe all from nobody weekly", "/subscribe all Mon 9:00 Asia/Shanghia", "/subscribe all weekly max many",
			"/serach ebpf", "hello there", "/resume 1", "/trend", "/search", "/hot ebpf --page 9", "/hot --lang", "/weeklybot hot ebpf", "/热点 --lang en",
		},
	}
	for lang, lines := range talks {
		f := newFixture(t, func(d *Deps) { d.Lang = lang })
		var b strings.Builder
		for _, line := range lines {
			answer, code := f.ask(line)
			fmt.Fprintf(&b, "> %s\n", line)
			if code != "" {
				fmt.Fprintf(&b, "(%s)\n", code)
			}
			b.WriteString(shown(answer.Message) + "\n")
		}
		path := filepath.Join("testdata", lang+".golden.txt")
		if *update {
			if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", lang, diff)
		}
	}
}

// TestTrendDrawsWhatItSays compares the chart with the numbers of the sentence.
func TestTrendDrawsWhatItSays(t *testing.T) {
	asked := &countedTrends{}
	f := newFixture(t, func(d *Deps) { asked.Searcher, d.Search = d.Search, asked })
	for _, c := range []struct {
		topic string
		weeks []int
		opt   chart.Options
	}{
		{"wasm", []int{18: 1, 20: 2, 3, 3, 5, 8, 4}, chart.Options{PerBar: 1}},
		{"istio", []int{14: 2, 1, 0, 0, 4, 103: 0}, chart.Options{PerBar: 2}},
	} {
		c.opt.Newest = time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC) // of the newest issue
		want, err := chart.Trend(c.weeks, c.opt)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := f.ask("/trend " + c.topic)
		if img := answer.Message.Image; !img.Usable() || !bytes.Equal(img.PNG, want) || !strings.Contains(img.Alt, "周") {
			t.Errorf("/trend %s: the image is not the chart of its weeks, or says nothing: %+v", c.topic, img)
		}
	}
	if answer, _ := f.ask("/trend quantum"); answer.Message.Image != nil {
		t.Error("/trend of what nobody names has a chart")
	}
	if asked.n != 3 {
		t.Errorf("three commands asked for %d trends, want one each", asked.n)
	}
}

type countedTrends struct {
	Searcher
	n int
}

func (c *countedTrends) Trend(topic string, weeks int) []int {
	c.n++
	return c.Searcher.Trend(topic, weeks)
}

func TestParse(t *testing.T) {
	g := newGrammar()
	for _, c := range []struct {
		text, name string
		words      []string
		rest       string
	}{
		{"/hot ebpf", "hot", []string{"ebpf"}, "ebpf"},
		{"  HOT   eBPF  ", "hot", []string{"eBPF"}, "eBPF"},
		{"／热点　ｅＢＰＦ", "hot", []string{"eBPF"}, "eBPF"},
		{"热点：ebpf", "hot", []string{"ebpf"}, "ebpf"},
		{"/搜索双栈 istio", "search", []string{"双栈", "istio"}, "双栈 istio"},
		{`/search "service mesh" don't --lang en`, "search", []string{"service mesh", "don't"}, `"service mesh" don't`},
		{`/subscribe all “0 9 * * 1”`, "subscribe", []string{"all", "0 9 * * 1"}, `all “0 9 * * 1”`},
		{`/search "--lang`, "search", []string{`"--lang`}, `"--lang`},
		{`/search "--lang"`, "search", []string{"--lang"}, `"--lang"`},
		{"/search —page 3 x", "search", []string{"x"}, "x"},
		{"/weeklybot subscribe all", "subscribe", []string{"all"}, "all"},
		{"/hot@weeklybot x", "hot", []string{"x"}, "x"},
		{"/weeklybot", "help", nil, ""}, {"", "help", nil, ""}, {" / ", "", nil, ""}, {"?", "help", nil, ""}, {"？", "help", nil, ""},
		{"期12", "issue", []string{"12"}, "12"}, {"期待下一期", "", nil, ""}, {"我的订阅", "subscriptions", nil, ""}, {"取消订阅1", "unsubscribe", []string{"1"}, "1"},
	} {
		req, err := g.parse(c.text, "zh")
		name := ""
		if req.cmd != nil && err == nil {
			name = req.cmd.name
		}
		if name != c.name || !slices.Equal(req.words, c.words) || req.rest != c.rest {
			t.Errorf("parse(%q) = %s %q %q, %v; want %s %q %q", c.text, name, req.words, req.rest, err, c.name, c.words, c.rest)
		}
	}
}

// Every way to write one subscription gives that one subscription.
func TestSubscribeForms(t *testing.T) {
	want := bot.Subscription{Series: []string{"cloud-weekly"}, Topics: []string{"ebpf", "webassembly"}, Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "America/New_York"},
		Style: bot.StyleFull, Lang: "en", MaxItems: 20, State: bot.StateActive, By: "slack:T1/U1", Since: 2, SinceAt: today, ID: bot.SubscriptionID{Channel: team.ID(), Ordinal: 1}}
	for _, text := range []string{
		"/subscribe ebpf,wasm from cloud-weekly Mon 09:00 America/New_York full en max 20",
		"/subscribe wasm, eBPF from cloud-weekly every monday at 9am New York max 20 en full",
		"subscribe wasm ebpf from Cloud-Weekly \"0 9 * * 1\" America/New_York en full max=20",
		"/subscribe ebpf,wasm from cloud 0 9 * * MON new york full english max 20",
		"/订阅 ebpf、wasm 来自 cloud-weekly 每周一 9:00 纽约 全文 英文 最多 20 条",
		"订阅ebpf，WebAssembly 来自 cloud-weekly 周一上午9点 美东时间 详细 最多20条 en",
		"／订阅 ebpf,wasm from cloud-weekly “0 9 * * 1” 纽约 full en max 20",
		"/subscribe eBPF, WebAssembly from cloud-weekly Mondays 09:00 (America/New_York) full English max 20",
		"/subscribe ebpf, wasm from cloud-weekly mon 9:00 in New York full English max 20",
	} {
		f := newFixture(t, nil)
		if _, code := f.ask(text); code != "" {
			t.Errorf("%q: %s", text, code)
			continue
		}
		if diff := gocmp.Diff([]bot.Subscription{want}, f.subs()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestSubscribeDefaults(t *testing.T) {
	f := newFixture(t, nil)
	for _, text := range []string{"/subscribe all weekly", "/subscribe Mon 9:00", "/subscribe everything from all every monday --lang zh"} {
		f.ask(text)
	}
	want := bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "Asia/Shanghai"}, Style: bot.StyleBrief, Lang: "zh", State: bot.StateActive,
		By: "slack:T1/U1", Since: 2, SinceAt: today, ID: bot.SubscriptionID{Channel: team.ID(), Ordinal: 1}}
	if diff := gocmp.Diff([]bot.Subscription{want}, f.subs()); diff != "" {
		t.Errorf("three commands, one subscription (-want +got):\n%s", diff)
	}
}

func TestOneChannelCannotTouchAnother(t *testing.T) {
	f := newFixture(t, nil)
	f.ask("/subscribe all weekly")
	theirs := f.subs()[0].ID.String()
	for _, text := range []string{"/unsubscribe " + theirs, "/pause " + theirs, "/preview " + theirs} {
		cmd := f.command(text)
		cmd.Channel.Address = "C2"
		if _, err := f.Answer(t.Context(), cmd); err == nil {
			t.Errorf("%q from another channel was obeyed", text)
		}
	}
	if len(f.subs()) != 1 || f.subs()[0].State != bot.StateActive {
		t.Errorf("subscriptions = %+v", f.subs())
	}
}

func TestWhoMayChange(t *testing.T) {
	for _, c := range []struct {
		by    string
		admin bool
		user  string
		want  string
	}{
		{"anyone", false, "U1", ""}, {"managers", false, "U1", "forbidden"}, {"managers", true, "U1", ""}, {"managers", false, "U9", ""},
		{"admins", true, "U1", "forbidden"}, {"admins", false, "U9", ""},
	} {
		f := newFixture(t, func(d *Deps) { d.SubscribeBy, d.Admins = c.by, []string{"slack:T1/U9", "terminal"} })
		for _, text := range []string{"/subscribe all weekly", "/pause 1", "/resume 1", "/lang en", "/unsubscribe 1"} {
			cmd := f.command(text)
			cmd.Member = bot.Member{ID: c.user, Admin: c.admin}
			_, err := f.Answer(t.Context(), cmd)
			code := ""
			if user, ok := errors.AsType[*bot.UserError](err); ok {
				code = user.Code
			}
			if code != c.want {
				t.Errorf("%s, admin %v, %s: %q gives %q, want %q", c.by, c.admin, c.user, text, code, c.want)
			}
		}
		if _, code := f.ask("/subscriptions"); code != "" {
			t.Errorf("reading is for everybody: %s", code)
		}
		terminal := f.command("/subscribe all daily")
		terminal.Channel = bot.Channel{Adapter: "terminal", Address: "prompt"}
		if _, err := f.Answer(t.Context(), terminal); err != nil {
			t.Errorf("%s: the terminal is an admin: %v", c.by, err)
		}
	}
}

func TestLanguage(t *testing.T) {
	for _, c := range []struct{ text, hint, channel, config, want string }{
		{"/hot ebpf", "", "", "zh", "zh"}, {"/hot ebpf", "", "", "en", "en"}, {"/hot ebpf", "", "en", "zh", "en"}, {"/热点 ebpf", "", "en", "en", "zh"},
		{"/search 双栈", "", "en", "en", "zh"}, {"/热点 ebpf", "en", "", "zh", "en"}, {"/热点 ebpf --lang zh", "en", "", "en", "zh"},
		{"/nosuch", "", "", "en", "en"}, {"/没有", "", "", "en", "zh"}, {"/hot --lang=en --page 0", "", "", "zh", "en"}, {"/hot", "en-US", "", "zh", "en"},
	} {
		f := newFixture(t, func(d *Deps) { d.Lang = c.config })
		if c.channel != "" {
			f.ask("/subscribe all weekly " + c.channel)
		}
		cmd := f.command(c.text)
		cmd.Member.Lang = c.hint
		answer, _ := f.Answer(t.Context(), cmd)
		if answer.Message.Lang != c.want {
			t.Errorf("%+v: answered in %s", c, answer.Message.Lang)
		}
	}
}

func TestDeliveredTwiceRunsOnce(t *testing.T) {
	f := newFixture(t, nil)
	cmd := f.command("/subscribe all weekly")
	var wg sync.WaitGroup
	titles := make([]string, 8)
	for k := range titles {
		wg.Go(func() {
			answer, err := f.Answer(context.Background(), cmd)
			if err != nil {
				t.Error(err)
			}
			titles[k] = answer.Message.Title
		})
	}
	wg.Wait()
	if f.store.adds != 1 || len(slices.Compact(slices.Sorted(slices.Values(titles)))) != 1 {
		t.Errorf("%d subscriptions, answers %q", f.store.adds, titles)
	}
	other := cmd
	other.Channel.Workspace = "T2"
	if _, err := f.Answer(t.Context(), other); err != nil || f.store.adds != 2 {
		t.Errorf("the same ID of another workspace is another command: %d, %v", f.store.adds, err)
	}
}

func TestStoreDown(t *testing.T) {
	f := newFixture(t, nil)
	f.store.fail = errors.New("connection refused by redis:6379")
	for _, text := range []string{"/hot ebpf", "/latest", "/help", "/topics"} {
		if _, code := f.ask(text); code != "" {
			t.Errorf("%q needs no store: %s", text, code)
		}
	}
	cmd := f.command("/subscribe all weekly")
	msg, err := f.Command(t.Context(), cmd)
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Fatalf("err = %v, want the cause", err)
	}
	seen := shown(msg)
	_, ref, _ := strings.Cut(err.Error(), "ref ")
	if ref = ref[:8]; !strings.Contains(seen, ref) || strings.Contains(seen, "redis") {
		t.Errorf("a member sees:\n%s\nwant the reference %s and no cause", seen, ref)
	}
	f.store.fail = nil
	if _, err := f.Command(t.Context(), cmd); err != nil || len(f.subs()) != 1 {
		t.Errorf("the same command after the outage: %v, %d subscriptions", err, len(f.subs()))
	}
}

func TestCommandShowsFaultsAsMessages(t *testing.T) {
	f := newFixture(t, nil)
	msg, err := f.Command(t.Context(), f.command("/nosuch"))
	if err != nil || !strings.Contains(shown(msg), "nosuch") {
		t.Errorf("Command = %s, %v", shown(msg), err)
	}
}

func TestWithoutLibraryOrStore(t *testing.T) {
	f := newFixture(t, func(d *Deps) {
		d.Library = func() *content.Library { return nil }
		d.Search, d.Subs, d.Events, d.Topics = searcher{}, nil, nil, nil
	})
	for _, cmd := range f.grammar.list {
		for _, args := range []string{"", " ebpf", " 1", " all", " all weekly"} {
			answer, _ := f.ask("/" + cmd.name + args)
			if len(answer.Message.Blocks) == 0 {
				t.Errorf("/%s%s: no answer", cmd.name, args)
			}
		}
	}
	if err := f.Event(t.Context(), bot.Event{Kind: bot.EventChannelGone}); err != nil {
		t.Error(err)
	}
}

func TestEvents(t *testing.T) {
	f := newFixture(t, nil)
	for _, ev := range []bot.Event{
		{Kind: bot.EventChannelMoved, Channel: team, NewAddress: "C9"}, {Kind: bot.EventChannelMoved, Channel: team}, {Kind: bot.EventChannelRenamed, Channel: team, NewName: "news"},
		{Kind: bot.EventChannelGone, Channel: team}, {Kind: bot.EventBotRemoved, Channel: team}, {Kind: bot.EventInstallRevoked, Channel: team},
		{Kind: bot.EventInstallRestored, Channel: team}, {Kind: "later"},
		{Kind: bot.EventVote, Channel: team, Member: bot.Member{ID: "U1"}, Item: "abc", Vote: -1},
	} {
		if err := f.Event(t.Context(), ev); err != nil {
			t.Errorf("%s: %v", ev.Kind, err)
		}
	}
	want := []string{"moved C1 C9", "renamed news", "ail channel_gone ", "ail bot_removed invite", "hold slack T1 install_revoked", "revive slack T1", "vote abc slack/T1/U1 -1"}
	if diff := gocmp.Diff(want, f.store.log); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	f.store.fail = errors.New("down")
	if err := f.Event(t.Context(), bot.Event{Kind: bot.EventChannelGone, Channel: team}); err == nil {
		t.Error("a failing store is not reported")
	}
}

func TestQuietHoursAndHolidaysOfASubscription(t *testing.T) {
	f := newFixture(t, nil)
	for i, c := range []struct {
		text string
		want bot.Except
	}{
		{"/subscribe all Mon 09:00 brief quiet 22:00-8:00 holidays next", bot.Except{Quiet: "22:00-08:00", Holidays: "next"}},
		{"/subscribe all Tue 09:00 holidays skip en quiet off max 20", bot.Except{Quiet: "none", Holidays: "skip"}},
		{"/订阅 all 每周三 9:00 免打扰 22:00-8:00 节假日顺延", bot.Except{Quiet: "22:00-08:00", Holidays: "next"}},
		{"/订阅 all 每周四 9:00 Asia/Shanghai 节假日 照常", bot.Except{Holidays: "none"}},
	} {
		if answer, code := f.ask(c.text); code != "" {
			t.Fatalf("%s: %s %v", c.text, code, answer.Message.Blocks)
		}
		if got := f.store.subs[team.ID()][i].Except; got != c.want {
			t.Errorf("%s: %+v, want %+v", c.text, got, c.want)
		}
	}
	f.ask("/subscribe all Mon 09:00 quiet 21:00-8:00")
	if got, want := f.store.subs[team.ID()][0].Except, (bot.Except{Quiet: "21:00-08:00", Holidays: "next"}); got != want || len(f.store.subs[team.ID()]) != 4 {
		t.Errorf("changed: %+v, want %+v", got, want)
	}
	for _, text := range []string{"/subscribe all Mon 09:00 quiet 22:00", "/subscribe all Mon 09:00 holidays maybe"} {
		if _, code := f.ask(text); code != "bad_exception" {
			t.Errorf("%s: %q", text, code)
		}
	}
}

// /why says in words what keeps a digest back.
func TestWhySaysWhatHoldsADigestBack(t *testing.T) {
	cn, _ := schedule.BuiltinHolidays("cn")
	night, holiday := time.Date(2026, 11, 18, 23, 30, 0, 0, time.FixedZone("", 8*3600)), time.Date(2026, 10, 2, 10, 0, 0, 0, time.FixedZone("", 8*3600))
	for _, c := range []struct {
		name, rule string
		now        time.Time
		state      bot.State
		owed       *bot.Owed
		want, not  string
	}{
		{"nothing", "quiet 22:00-8:00 holidays skip", today, "", nil, "Next: ", "waits until"},
		{"quiet hours", "quiet 22:00-8:00", night, "", nil, "Quiet hours now: what is due waits until 2026-11-19 Thu 08:00 (Asia/Shanghai)", "holiday"},
		{"the bot's quiet hours", "", night, "", nil, "waits until 2026-11-19 Thu 07:00 (Asia/Shanghai)", "holiday"},
		{"none, whatever the bot's are", "quiet none", night, "", nil, "Next: ", "waits until"},
		{"paused", "quiet 22:00-8:00", night, bot.StatePaused, nil, "Paused", "waits until"},
		{"a holiday that is skipped", "holidays skip", holiday, "", nil, "Nothing comes on a holiday", "waits until"},
		{"a holiday", "holidays next", holiday, "", nil, "A holiday today: what is due waits until 2026-10-08 Thu 10:00 (Asia/Shanghai)", "Quiet"},
		{"a held workspace", "", today, bot.StateHeld, nil, "The whole workspace cannot be reached", "waits until"},
		{"a debt", "", today, "", &bot.Owed{From: 1}, "Something is still owed", "waits until"},
		{"in vain", "", today, "", &bot.Owed{From: 1, Times: 2}, "Planned times that brought nothing: 2", "waits until"},
	} {
		f := newFixture(t, func(d *Deps) {
			d.Now = func() time.Time { return c.now }
			d.Exceptions = func() schedule.Exceptions {
				return schedule.Exceptions{Holidays: cn, Zone: "Asia/Shanghai", Default: bot.Except{Quiet: "23:00-07:00"}}
			}
		})
		f.ask("/subscribe all Mon 09:00 en " + c.rule)
		if c.state != "" {
			f.store.subs[team.ID()][0].State, f.store.state = c.state, c.state
		}
		f.store.owed = c.owed
		answer, code := f.ask("/why #1 --lang en")
		if said := fmt.Sprint(answer.Message.Blocks); code != "" || !strings.Contains(said, c.want) || strings.Contains(said, c.not) {
			t.Errorf("%s: %q, %s: want %q, and no %q", c.name, code, said, c.want, c.not)
		}
	}
}

func TestProbationIsExplainedAndEnded(t *testing.T) {
	f := newFixture(t, nil)
	f.ask("/subscribe all Mon 09:00 en")
	f.store.subs[team.ID()][0].State = bot.StateProbation
	f.store.state, f.store.ailment = bot.StateProbation, bot.Ailment{Code: "not_in_channel", Action: bot.AskInvite, Since: time.Unix(1_700_000_000, 0)}
	answer, code := f.ask("/why #1 --lang en")
	said := fmt.Sprint(answer.Message.Blocks)
	for _, want := range []string{"not_in_channel", "add the bot here again", "tried again at each time"} {
		if code != "" || !strings.Contains(said, want) {
			t.Errorf("/why #1: %q, %s: want %q", code, said, want)
		}
	}
	if _, code := f.ask("/resume 1"); code != "" || !slices.Contains(f.store.log, "recover "+team.ID().String()) {
		t.Errorf("/resume of a channel on probation: %q, %v", code, f.store.log)
	}
	if _, code := f.ask("/why #7"); code != "bad_number" {
		t.Errorf("/why #7 without such a subscription or answer: %q", code)
	}
}

func TestHits(t *testing.T) {
	f := newFixture(t, func(d *Deps) { d.Limit = 12 })
	answer, _ := f.ask("/search kubernetes")
	if len(answer.Hits) != 12 || answer.Command != "search" {
		t.Errorf("%d hits of %q, want as many as the limit", len(answer.Hits), answer.Command)
	}
	answer, code := f.ask("/hot nothing-at-all")
	if len(answer.Hits) != 0 || code != "" {
		t.Errorf("%d hits, %q: nothing found is an answer", len(answer.Hits), code)
	}
	if answer, _ := f.ask("/latest"); len(answer.Hits) != 4 {
		t.Errorf("/latest has %d hits, want the items of the issue", len(answer.Hits))
	}
}

func TestFewHits(t *testing.T) {
	f := newFixture(t, func(d *Deps) { d.Limit = 2 })
	answer, code := f.ask("/search kubernetes")
	shown := 0
	for _, b := range answer.Message.Blocks {
		if b.Kind == bot.BlockItem {
			shown++
		}
	}
	if len(answer.Hits) != 2 || shown != 2 || code != "" {
		t.Errorf("%d hits, %d of them shown, %q: want the limit of 2", len(answer.Hits), shown, code)
	}
}

func TestRecentForgetsTheOldest(t *testing.T) {
	r := newRecent[int, string](2)
	r.put(1, "a")
	r.put(2, "b")
	r.get(1)
	r.put(3, "c")
	if _, ok := r.get(2); ok {
		t.Error("the value used longest ago is still there")
	}
	if v, ok := r.get(1); !ok || v != "a" {
		t.Error("a value used lately is gone")
	}
	r.drop(1)
	if _, first := r.getOr(1, func() string { return "d" }); !first {
		t.Error("a dropped value is still there")
	}
}

// Whatever is typed gets an answer in one of the two languages that can be shown, and changes at most this channel.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{"/hot ebpf", "／订阅　all “* * * * *”", "/subscribe ebpf,wasm from cloud-weekly 每周一 9:00 brief zh max 20", "/why 2 /hot x", "/why 1 /why 1 /why 1",
		"/issue 第12期", "/more --page 3", "/subscribe all from from from", "退订 #1,#2 all", "/unsubscribe all", "/lang en --lang zh", "/subscribe " + strings.Repeat("a ", 200), "\xff/\x00hot", "/subscribe 1 1 1 1 1 1 1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		x := newFixture(t, nil)
		x.ask("/subscribe all weekly")
		answer, _ := x.ask(text)
		if m := answer.Message; m.Lang != "zh" && m.Lang != "en" || m.Title == "" && len(m.Blocks) == 0 {
			t.Fatalf("%q: nothing to show: %+v", text, m)
		}
		if seen := shown(answer.Message); utf8.ValidString(text) && !utf8.ValidString(seen) || len(seen) > 20_000 {
			t.Fatalf("%q: answer of %d bytes cannot be shown: %q", text, len(seen), clip(seen, 300))
		}
		for ch, subs := range x.store.subs {
			if ch != team.ID() || len(subs) > 2 {
				t.Fatalf("%q changed %d subscriptions of %s", text, len(subs), ch)
			}
		}
	})
}

// TestCompletedTopicsAreRead: whatever a form offers can be subscribed, in each language.
func TestCompletedTopicsAreRead(t *testing.T) {
	r := newFixture(t, nil).Router
	for _, lang := range []string{"zh", "en"} {
		c := &call{lang: lang, say: chooser(lang), lib: r.deps.Library()}
		for _, canonical := range r.deps.Topics.Canonicals() {
			names := r.CompleteTopic(canonical, lang, 1)
			if len(names) == 0 {
				t.Errorf("nothing is offered for %s", canonical)
				continue
			}
			req, err := r.grammar.parse("/subscribe "+names[0]+", ebpf Mon 09:00 brief "+lang, lang)
			if err != nil {
				t.Fatal(err)
			}
			w, err := r.wish(c, req.words)
			if err != nil || !slices.Contains(w.sub.Topics, canonical) || len(w.sub.Topics) > 2 {
				t.Errorf("%s offered as %q: %q, %v", canonical, names[0], w.sub.Topics, err)
			}
		}
	}
	if got := r.CompleteTopic("网格", "en", 3); !slices.Contains(got, "Service mesh") {
		t.Errorf("网格 for a reader of English: %q", got)
	}
}
