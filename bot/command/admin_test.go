package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	gocmp "github.com/google/go-cmp/cmp"

	"weeklybot/bot"
	"weeklybot/bot/admin"
	"weeklybot/bot/embedded"
	"weeklybot/bot/redisstore"
	"weeklybot/bot/schedule"
	"weeklybot/content"
)

// newDesk is a fixture whose one administrator, U1, has a desk over a real store with four subscribed channels.
func newDesk(t testing.TB, lang string) (*fixture, *redisstore.Store) {
	t.Helper()
	e, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rdb := e.Client()
	t.Cleanup(func() { _ = rdb.Close(); _ = e.Close() })
	store, err := redisstore.Open(t.Context(), rdb, redisstore.Options{Shards: 1, Sole: true, SlotID: schedule.SlotID,
		Next: func(s bot.Schedule, _ time.Time) (time.Time, error) { return schedule.Next(s, today) }})
	if err != nil {
		t.Fatal(err)
	}
	for i, topics := range [][]string{nil, {"ebpf"}, {"webassembly"}} {
		ch := bot.Channel{Adapter: "slack", Kind: "app", Workspace: "T1", Address: fmt.Sprint("C", i+1)}
		if _, err := store.Add(t.Context(), ch, bot.Subscription{Topics: topics, Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "Asia/Shanghai"}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Add(t.Context(), bot.Channel{Adapter: "wecom", Kind: "app", Address: "W1"}, bot.Subscription{Schedule: bot.Schedule{OnPublish: true}}); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(d *Deps) {
		d.Lang, d.Admins = lang, []string{"slack:T1/U1"}
		d.Meters = func(context.Context) []bot.Meter {
			return []bot.Meter{{Adapter: "dingtalk", Name: "OpenAPI", Used: 812, Limit: 5000}}
		}
		d.Desk = admin.New(admin.Deps{
			Store: store, Library: d.Library, Topics: content.DefaultTopics(), Adapters: []bot.Adapter{plainAdapter{"slack"}, plainAdapter{"wecom"}}, Lang: lang, Zone: "Asia/Shanghai",
			FindChannel: func(string) (bot.Channel, error) { return bot.Channel{}, bot.ErrNotFound }, Now: func() time.Time { return today },
		})
	})
	return f, store
}

// plainAdapter only has a name.
type plainAdapter struct{ name string }

func (a plainAdapter) Name() string                                { return a.name }
func (plainAdapter) Kinds() []bot.Kind                             { return []bot.Kind{"app"} }
func (plainAdapter) Capabilities(bot.Kind) bot.Capabilities        { return bot.Capabilities{} }
func (plainAdapter) Split(_ bot.Kind, m bot.Message) []bot.Message { return []bot.Message{m} }
func (plainAdapter) Send(_ context.Context, _ bot.Channel, _ bot.Post) (r bot.Receipt, _ error) {
	return r, nil
}

// TestAdminConversation is an administrator's talk with the bot in each language, to be read as one would. TOKEN in a line stands for the one
// shown last.
func TestAdminConversation(t *testing.T) {
	talks := map[string][]string{
		"zh": {
			"/帮助 群发", "/群发", "/群发 大家好", "/群发 all 周五食堂停业\n\n请提前安排。", "/群发 确认 b1 错的", "/群发 确认 b1 TOKEN", "/群发 确认 b1 TOKEN", "/群发 报告 b1", "/群发 取消 b1", "/撤回 b1",
			"群发：主题:ebpf 标题：“本周 分享” 周四下午三点", "/群发 频道:这里 -- 主题:这是正文", "/群发 平台:电报 你好", "/群发 全部 时间:2001-01-01 你好", "/群发 全部 刊:cloud-weekly", "/群发 全部",
			"/排期 每周一 9:00 全部 值班表已更新", "/排期 “2026-12-24 09:00” 平台:slack 时区:东京 节日快乐", "/排期 全部 没有时间", "/群发 确认 b4 TOKEN", "/群发 列表", "/排期", "/投递", "/投递 重发", "/投递 重发 d000", "/状态", "/撤回", "/撤回 b99",
		},
		"en": {
			"/help broadcast", "/help schedule", "/broadcast", "/broadcast hello all", "/broadcast all hello", "/broadcast confirm b1 TOKEN", "/broadcast cancel b1", "/broadcast report b1",
			`/weeklybot broadcast platform:slack topic:wasm title:"Two words" at:"2026-12-24 09:00" zone:Tokyo One.  Two spaces "quoted"`, "/broadcast confirm b2 TOKEN", "/recall b2", "/broadcast cancel b2",
			"/broadcast series:none x", "/broadcast workspace:T2 x", "/schedule Mon 09:00 all hello", "/schedule \"* * * * *\" all too often", "/schedule whenever all x", "/schedule on publish all x", "/broadcast confirm b4 TOKEN", "/schedule", "/broadcast list",
			"/deliveries", "/deliveries drop", "/status", "/recall", "/broadcast confirm b9 x", "/broadcast report",
		},
	}
	token := regexp.MustCompile(`(confirm b\d+) ([a-z2-7]{8})`)
	for lang, lines := range talks {
		f, _ := newDesk(t, lang)
		var b strings.Builder
		last := ""
		for _, line := range lines {
			answer, code := f.ask(strings.ReplaceAll(line, "TOKEN", last))
			fmt.Fprintf(&b, "> %s\n", line)
			if code != "" {
				fmt.Fprintf(&b, "(%s)\n", code)
			}
			text := shown(answer.Message)
			if m := token.FindStringSubmatch(text); m != nil {
				last, text = m[2], token.ReplaceAllString(text, "$1 TOKEN")
			}
			b.WriteString(text + "\n")
		}
		path := filepath.Join("testdata", "admin."+lang+".golden.txt")
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

func TestOnlyAdministratorsAdminister(t *testing.T) {
	f, store := newDesk(t, "en")
	for _, text := range []string{"/broadcast all hello", "/schedule", "/deliveries", "/recall b1", "/status", "/broadcast confirm b1 x"} {
		cmd := f.command(text)
		cmd.Member = bot.Member{ID: "U2", Admin: true} // administers the workspace, not the bot
		_, err := f.Answer(t.Context(), cmd)
		if user, ok := errors.AsType[*bot.UserError](err); !ok || user.Code != "forbidden" || !strings.Contains(user.Hint, "slack:T1/U2") {
			t.Errorf("%q: %v, want a refusal that says who is who", text, err)
		}
	}
	if list, err := store.Broadcasts(t.Context(), "", 10); err != nil || len(list) != 0 {
		t.Errorf("broadcasts %v, %v", list, err)
	}
	cmd := f.command("/help")
	cmd.Member.ID = "U2"
	if answer, _ := f.Answer(t.Context(), cmd); strings.Contains(shown(answer.Message), "/broadcast") {
		t.Error("help shows members what only administrators may do")
	}
}

// The text of a broadcast goes out as it was typed.
func TestBroadcastTextIsKept(t *testing.T) {
	for typed, want := range map[string]string{
		"/broadcast all Ｆｕｌｌ　width,  two  spaces": "Ｆｕｌｌ　width,  two  spaces",
		"/broadcast all line\nline\n\nnext":       "line\nline|next",
		"/broadcast all note: 5 > 3 & <b> @all":   "note: 5 > 3 & <b> @all",
		"/broadcast all \"quoted\" 'words'":       "\"quoted\" 'words'",
	} {
		f, store := newDesk(t, "en")
		if _, code := f.ask(typed); code != "" {
			t.Errorf("%q: %s", typed, code)
			continue
		}
		msg, err := store.Body(t.Context(), "b1")
		var texts []string
		for _, k := range msg.Blocks {
			texts = append(texts, k.Text)
		}
		if got := strings.Join(texts, "|"); err != nil || got != want {
			t.Errorf("%q became %q, %v; want %q", typed, got, err, want)
		}
	}
}

// Changes of members are in the audit log, questions are not.
func TestChangesAreNoted(t *testing.T) {
	f, store := newDesk(t, "en")
	for _, text := range []string{"/subscribe all Mon 09:00", "/subscriptions", "/pause 1", "/hot ebpf", "/broadcast all hello"} {
		f.ask(text)
	}
	notes, err := store.Notes(t.Context(), 0, 10)
	var got []string
	for _, n := range notes {
		got = append(got, n.Who+" "+n.Where+" "+n.What)
	}
	want := []string{"slack:T1/U1 slack:T1/C1 broadcasts create", "slack:T1/U1 slack:T1/C1 pause", "slack:T1/U1 slack:T1/C1 subscribe"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("notes %q, %v; want %q", got, err, want)
	}
}

func FuzzBroadcast(f *testing.F) {
	for _, text := range []string{"all hello", "platform:slack,wecom topic:ebpf hi", `at:"2026-12-24 09:00" all x`, "平台：slack 大家好", "Mon 09:00 all x", "channel:here", "at: : all", `title:"`, "confirm b1 x", "all -- all", "title=“a” all b"} {
		f.Add(text)
	}
	fix, store := newDesk(f, "en")
	f.Fuzz(func(t *testing.T, text string) {
		fix := *fix
		fix.t = t
		for _, name := range []string{"/broadcast ", "/schedule "} {
			answer, err := fix.Answer(t.Context(), fix.command(name+text))
			if _, ok := errors.AsType[*bot.UserError](err); err != nil && !ok {
				t.Fatalf("%q: %v", name+text, err)
			}
			for _, k := range answer.Message.Blocks {
				if !utf8.ValidString(k.Text) {
					t.Fatalf("%q: answered with broken text %q", name+text, k.Text)
				}
			}
		}
		list, err := store.Broadcasts(t.Context(), "", 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range list {
			msg, err := store.Body(t.Context(), b.ID)
			if b.State != bot.BroadcastDraft && b.State != bot.BroadcastCancelled || err != nil || len(msg.Blocks) == 0 {
				t.Fatalf("%q: a broadcast is %s, %+v, %v: nothing goes out without its token", text, b.State, msg, err)
			}
		}
	})
}
