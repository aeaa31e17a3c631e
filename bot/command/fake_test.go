package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weeklybot/bot"
	"weeklybot/content"
)

// store is Subscriptions and Events in memory. Its field fail makes every call fail.
type store struct {
	mu      sync.Mutex
	subs    map[bot.ChannelID][]bot.Subscription
	last    map[bot.ChannelID]int
	entries []bot.Entry
	now     func() time.Time
	fail    error
	state   bot.State // of every channel; "" = active
	ailment bot.Ailment
	owed    *bot.Owed // to every subscription
	adds    int
	log     []string
}

func (s *store) List(_ context.Context, ch bot.ChannelID) ([]bot.Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.subs[ch]), s.fail
}

func (s *store) Add(_ context.Context, ch bot.Channel, sub bot.Subscription) (bot.Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return sub, s.fail
	}
	id := ch.ID()
	s.adds++
	s.last[id]++
	sub.ID = bot.SubscriptionID{Channel: id, Ordinal: s.last[id]}
	sub.State, sub.Since, sub.SinceAt = bot.StateActive, int64(len(s.entries)), s.now()
	s.subs[id] = append(s.subs[id], sub)
	return sub, nil
}

func (s *store) Change(_ context.Context, id bot.SubscriptionID, change func(*bot.Subscription) error) (bot.Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.subs[id.Channel] {
		if sub := &s.subs[id.Channel][k]; sub.ID == id {
			return *sub, cmp.Or(s.fail, change(sub))
		}
	}
	return bot.Subscription{}, cmp.Or(s.fail, bot.ErrNotFound)
}

func (s *store) Remove(_ context.Context, id bot.SubscriptionID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs[id.Channel] = slices.DeleteFunc(s.subs[id.Channel], func(sub bot.Subscription) bool { return sub.ID == id })
	return s.fail
}

func (s *store) Next(_ context.Context, id bot.SubscriptionID) (bot.Recipe, []bot.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sub := range s.subs[id.Channel] {
		if sub.ID == id {
			return bot.Recipe{From: sub.Since, Upto: int64(len(s.entries)), First: true, Series: sub.Series, Topics: sub.Topics,
				Style: sub.Style, Lang: sub.Lang, MaxItems: sub.MaxItems}, s.entries, s.fail
		}
	}
	return bot.Recipe{}, nil, bot.ErrNotFound
}

func (s *store) Moved(_ context.Context, from, to bot.Channel) error {
	s.log = append(s.log, "moved "+from.Address+" "+to.Address)
	return s.fail
}

func (s *store) Renamed(_ context.Context, _ bot.ChannelID, name string) error {
	s.log = append(s.log, "renamed "+name)
	return s.fail
}

func (s *store) Ail(_ context.Context, _ bot.ChannelID, a bot.Ailment) error {
	s.log = append(s.log, fmt.Sprintf("ail %s %s", a.Code, a.Action))
	return s.fail
}

func (s *store) Hold(_ context.Context, w bot.Workspace, a bot.Ailment) (bool, error) {
	s.log = append(s.log, fmt.Sprintf("hold %s %s %s", w.Adapter, w.Name, a.Code))
	return true, s.fail
}

func (s *store) Revive(_ context.Context, w bot.Workspace) (bool, error) {
	s.log = append(s.log, fmt.Sprintf("revive %s %s", w.Adapter, w.Name))
	return true, s.fail
}

func (s *store) Recover(_ context.Context, id bot.ChannelID) error {
	s.log = append(s.log, "recover "+id.String())
	return s.fail
}

func (s *store) Ailing(context.Context, bot.Channel) (bot.State, bot.Ailment, error) {
	return cmp.Or(s.state, bot.StateActive), s.ailment, s.fail
}

func (s *store) Owed(context.Context, bot.SubscriptionID) (*bot.Owed, error) { return s.owed, s.fail }

func (s *store) Vote(_ context.Context, item, member string, vote int) error {
	s.log = append(s.log, fmt.Sprintf("vote %s %s %d", item, member, vote))
	return s.fail
}

// searcher finds items that hold every word, in the order of the Library.
type searcher struct {
	lib *content.Library
}

func (s searcher) Search(q content.Query) content.Result {
	var result content.Result
	for _, i := range s.lib.Issues() {
		for _, hit := range hitsOf(i) {
			all := strings.ToLower(hit.Item.FullText())
			missing := slices.ContainsFunc(strings.Fields(strings.ToLower(q.Text)), func(w string) bool { return !strings.Contains(all, w) })
			if !missing {
				hit.Score, hit.Why = 1.5, q.Text+" (title)"
				result.Hits = append(result.Hits, hit)
			}
		}
	}
	result.Total = len(result.Hits)
	result.Hits = result.Hits[:min(len(result.Hits), q.Limit)]
	if result.Total == 0 && strings.HasPrefix(q.Text, "eb") {
		result.Near = []string{"eBPF"}
	}
	return result
}

func (s searcher) Rising(limit int) []content.TopicCount {
	all := []content.TopicCount{{Topic: "ebpf", Recent: 12, Before: 4}, {Topic: "service mesh", Recent: 6, Before: 6}, {Topic: "webassembly", Recent: 3, Before: 5}}
	return all[:min(limit, len(all))]
}

func (s searcher) Trend(topic string, weeks int) []int {
	counts := make([]int, weeks)
	if topic == "webassembly" {
		copy(counts[weeks-8:], []int{1, 0, 2, 3, 3, 5, 8, 4})
	}
	if topic == "istio" && weeks > 100 {
		copy(counts[weeks-90:], []int{2, 1, 0, 0, 4})
	}
	return counts
}

// library is two newsletters, one of many issues, and a page that grows.
func library() *content.Library {
	number := func(n int) *int { return &n }
	item := func(title, path, text string) content.Item {
		return content.Item{ID: "id-" + title, Title: title, URL: "https://example.org/" + path, Text: text}
	}
	section := func(heading string, items ...content.Item) content.Section {
		return content.Section{Heading: heading, Level: 2, Kind: content.SectionNews, Items: items}
	}
	issues := []*content.Issue{
		{Source: "clouds/12.md", Series: "cloud-weekly", Kind: content.KindIssue, Title: "云上周刊 第 12 期", Number: number(12), Date: "2026-11-16", Lang: "zh",
			Summary: "这一期讲 eBPF 与网关。还有两个版本发布。",
			Sections: []content.Section{
				section("业界要闻", item("内核合入新的 eBPF 验证器", "verifier", "校验时间缩短了一半。升级前请先看兼容说明。"), item("网关大会开放报名", "meet", "大会将于明年三月举行。")),
				section("开源项目", item("用 Wasm 写网关插件", "wasm", "从零到一，附完整代码。"), item("Harbour Mesh 2.4", "mesh", "一个服务网格的新版本。"))}},
		{Source: "clouds/11.md", Series: "cloud-weekly", Kind: content.KindIssue, Title: "云上周刊 第 11 期", Number: number(11), Date: "2026-11-09", Lang: "zh",
			Sections: []content.Section{section("文章", item("eBPF 入门", "ebpf-101", ""))}},
		{Source: "kernel/12.md", Series: "kernel-notes", Kind: content.KindIssue, Title: "Kernel notes", Number: number(12), Date: "2026-11-10", Lang: "en",
			Sections: []content.Section{section("Patches", item("BPF arenas grow", "arena", "With eBPF, arenas may hold 4 GiB. They start small."))}},
		{Source: "hot/hot.md", Series: "hot", Kind: content.KindHotTopics, Title: "前沿热点", Lang: "zh", Sections: []content.Section{section("")}},
	}
	for k := range 14 {
		issues[3].Sections[0].Items = append(issues[3].Sections[0].Items, item(fmt.Sprintf("Kubernetes 热点 %d", k+1), fmt.Sprintf("hot/%d", k+1), "一句话。"))
	}
	return content.NewLibrary(issues, content.DefaultTopics())
}

type fixture struct {
	*Router
	store *store
	t     testing.TB
	n     int
}

var today = time.Date(2026, 11, 18, 10, 0, 0, 0, time.UTC)

func newFixture(t testing.TB, change func(*Deps)) *fixture {
	now := func() time.Time { return today }
	st := &store{subs: map[bot.ChannelID][]bot.Subscription{}, last: map[bot.ChannelID]int{}, now: now, entries: []bot.Entry{
		{Seq: 1, Key: "kernel-notes/#12", Series: "kernel-notes"}, {Seq: 2, Key: "cloud-weekly/#12", Series: "cloud-weekly"}}}
	lib := library()
	deps := Deps{Library: func() *content.Library { return lib }, Search: searcher{lib}, Topics: content.DefaultTopics(), Subs: st, Events: st, Votes: st,
		Lang: "zh", Zone: "Asia/Shanghai", SubscribeBy: "anyone", Now: now}
	if change != nil {
		change(&deps)
	}
	return &fixture{Router: New(deps), store: st, t: t}
}

var team = bot.Channel{Adapter: "slack", Kind: "app", Workspace: "T1", Address: "C1"}

func (f *fixture) command(text string) bot.Command {
	f.n++
	return bot.Command{ID: fmt.Sprint(f.n), Text: text, Channel: team, Member: bot.Member{ID: "U1"}, At: today}
}

// ask gives the answer to text and the code of the fault, "" without one. Any other error ends the test.
func (f *fixture) ask(text string) (Answer, string) {
	f.t.Helper()
	answer, err := f.Answer(f.t.Context(), f.command(text))
	if user, ok := errors.AsType[*bot.UserError](err); ok {
		return answer, user.Code
	}
	if err != nil {
		f.t.Fatalf("%q: %v", text, err)
	}
	return answer, ""
}

// subs are the channel's subscriptions.
func (f *fixture) subs() []bot.Subscription { return f.store.subs[team.ID()] }
