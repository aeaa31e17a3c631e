package wecom

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

func heading(text string) bot.Block { return bot.Block{Kind: bot.BlockHeading, Text: text} }
func titled(n int, title string) bot.Block {
	return bot.Block{Kind: bot.BlockItem, Title: title, URL: fmt.Sprintf("https://example.org/n/%d", n)}
}

// headlineSamples are digests in the headlines style, named for why they exist.
func headlineSamples() map[string]bot.Message {
	footer := bot.Block{Kind: bot.BlockNote, Text: "2026-11-16 · 云上周刊 · 更改或退订：/subscriptions"}
	reading := bot.Block{Kind: bot.BlockLinks, Links: []bot.Link{{Text: "在线阅读", URL: "https://example.org/weekly/88"}}}
	few := bot.Message{Title: "云上周刊 第 88 期", Lang: "zh", Blocks: []bot.Block{
		{Kind: bot.BlockText, Text: "本期看网关、剖析与账单。"},
		heading("网络"), titled(1, "Gateway API 1.6 进入标准通道"), titled(2, "[转载] 双栈集群的五个坑"),
		heading("安全"), titled(3, "从能签到会验 <@all>"), reading, footer}}
	many := bot.Message{Title: "Cloud Native Weekly #12", Lang: "en"}
	for k := range 17 {
		if k%6 == 0 {
			many.Blocks = append(many.Blocks, heading(fmt.Sprintf("Section %d", k/6+1)))
		}
		many.Blocks = append(many.Blocks, titled(k, fmt.Sprintf("Entry %d, with a title that no row of a card could hold", k)))
	}
	many.Blocks = append(many.Blocks, footer)
	long := bot.Message{Title: "热点话题", Lang: "zh", Blocks: []bot.Block{titled(1, strings.Repeat("长", 43)), footer}}
	return map[string]bot.Message{"few": few, "many": many, "title_too_long_for_news": long}
}

// TestHeadlineGoldens compares every body of every sample, kind and setting with testdata/headlines.
func TestHeadlineGoldens(t *testing.T) {
	for name, msg := range headlineSamples() {
		for _, setting := range []headlineForm{headlineCard, headlineNews, headlineList} {
			a := newTestAdapter(t, Config{Headlines: string(setting)}, Deps{})
			golden := map[bot.Kind][]json.RawMessage{}
			for _, kind := range a.Kinds() {
				parts := a.Split(kind, msg)
				for k, part := range parts {
					body, err := a.Preview(kind, bot.Post{Key: "k", Part: k + 1, Parts: len(parts), Message: part})
					if err != nil {
						t.Fatal(err)
					}
					golden[kind] = append(golden[kind], body)
				}
			}
			path := filepath.Join("testdata", "headlines", name+"_"+string(setting)+".json")
			var got strings.Builder
			enc := json.NewEncoder(&got)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			if err := enc.Encode(golden); err != nil {
				t.Fatal(err)
			}
			if *adaptertest.Update {
				if err := os.WriteFile(path, []byte(got.String()), 0o600); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("%s (-want +got; accept with: go test . -update):\n%s", path, diff)
			}
		}
	}
}

// TestHeadlinesArrive: as cards or as news, all titles and links arrive, and the twin takes everything.
func TestHeadlinesArrive(t *testing.T) {
	for name, msg := range headlineSamples() {
		for _, setting := range []headlineForm{headlineCard, headlineNews} {
			s := newStand(t, func(c *Config, _ *Deps) { c.Headlines = string(setting) })
			for _, kind := range []bot.Kind{KindWebhook, KindApp, KindAppChat} {
				before := len(s.Posts())
				parts := s.adapter.Split(kind, msg)
				for k, part := range parts {
					if fault := s.send(testChannel(kind, s.url), bot.Post{Key: name, Part: k + 1, Parts: len(parts), Message: part}); fault != nil {
						t.Fatalf("%s as %s to %s: %v", name, setting, kind, fault)
					}
				}
				var links []string
				var read strings.Builder
				for _, p := range s.Posts()[before:] {
					seen := p.Read()
					links = append(links, seen.Links...)
					read.WriteString(seen.Text)
					if p.Cut || len(seen.Mentions) > 0 {
						t.Errorf("%s as %s to %s: cut or pings: %+v", name, setting, kind, p)
					}
				}
				for _, b := range msg.Blocks {
					if b.URL != "" && !slices.Contains(links, b.URL) {
						t.Errorf("%s as %s to %s: %s got lost", name, setting, kind, b.URL)
					}
					for _, word := range strings.FieldsFunc(b.Title+" "+b.Text, func(r rune) bool { return strings.ContainsRune(" <>@[]·：，。", r) }) {
						if !strings.Contains(read.String(), word) {
							t.Errorf("%s as %s to %s: %q got lost", name, setting, kind, word)
						}
					}
				}
			}
		}
	}
}

// TestWhatIsNoCard: one thing too many, and the message is a text.
func TestWhatIsNoCard(t *testing.T) {
	few := headlineSamples()["few"]
	if c, ok := card(few); !ok || c.CardType != "text_notice" || len(c.Rows) != 3 {
		t.Fatalf("card = %+v, %v", c, ok)
	}
	with := func(change func(*bot.Message)) bot.Message {
		m := few
		m.Blocks = slices.Clone(few.Blocks)
		change(&m)
		return m
	}
	add := func(b ...bot.Block) func(*bot.Message) {
		return func(m *bot.Message) { m.Blocks = append(m.Blocks, b...) }
	}
	for name, msg := range map[string]bot.Message{
		"seven titles":        with(add(titled(5, "五"), titled(6, "六"), titled(7, "七"), titled(8, "八"))),
		"27 characters":       with(add(titled(5, strings.Repeat("长", 27)))),
		"title too long":      with(func(m *bot.Message) { m.Title = strings.Repeat("长", 27) }),
		"no title":            with(func(m *bot.Message) { m.Title = "" }),
		"texts too long":      with(add(bot.Block{Kind: bot.BlockText, Text: strings.Repeat("长", 100)})),
		"long section":        with(add(heading("Observability"), titled(5, "五"))),
		"section of nothing":  with(add(heading("空"))),
		"two headings":        with(add(heading("一"), heading("二"), titled(5, "五"))),
		"an item with a text": with(add(bot.Block{Kind: bot.BlockItem, Title: "五", URL: "https://example.org/", Text: "一句话。"})),
		"an item in an item":  with(add(bot.Block{Kind: bot.BlockItem, Title: "五", URL: "https://example.org/", Level: 1})),
		"no link":             with(add(bot.Block{Kind: bot.BlockItem, Title: "五"})),
		"no web link":         with(add(bot.Block{Kind: bot.BlockItem, Title: "五", URL: "javascript:alert(1)"})),
		"a divider":           with(add(bot.Block{Kind: bot.BlockDivider})),
		"unknown block":       with(add(bot.Block{Kind: "table", Text: "x"})),
		"long jump":           with(add(bot.Block{Kind: bot.BlockLinks, Links: []bot.Link{{Text: strings.Repeat("长", 14), URL: "https://example.org/"}}})),
		"nothing":             {Title: "x"},
	} {
		if c, ok := card(msg); ok {
			t.Errorf("%s: card %+v", name, c)
		}
	}
	a := newTestAdapter(t, Config{}, Deps{})
	if body := a.body(KindWebhook, bot.Post{Part: 2, Parts: 2, Message: few}); body.Card != nil {
		t.Error("one part of several is a card")
	}
}

// FuzzHeadlines: whatever the titles, a card or news is within its sizes, the twin takes it, and each link is the item's.
func FuzzHeadlines(f *testing.F) {
	f.Add("标题 <@all>", "网络", "Gateway \\u4e2d \"x\"", uint8(3), false)
	f.Add("t", "", strings.Repeat("长", 26), uint8(6), false)
	f.Add(strings.Repeat("x", 128), "a section", "[转载] x", uint8(40), true)
	card, news := newTestAdapter(f, Config{}, Deps{}), newTestAdapter(f, Config{Headlines: "news"}, Deps{})
	f.Fuzz(func(t *testing.T, title, section, item string, n uint8, asNews bool) {
		msg := bot.Message{Title: title, Blocks: []bot.Block{{Kind: bot.BlockText, Text: section}, heading(section)}}
		for k := range int(n % 40) {
			msg.Blocks = append(msg.Blocks, titled(k, fmt.Sprintf("%d %s", k, item)))
		}
		a := card
		if asNews {
			a = news
		}
		clock := time.Now()
		tw := twin.New(twin.Options{Now: func() time.Time { return clock }})
		parts := a.Split(KindWebhook, msg)
		var links []string
		for k, part := range parts {
			if again := a.Split(KindWebhook, part); len(again) != 1 {
				t.Errorf("part %d is split again into %d", k+1, len(again))
			}
			body, err := a.Preview(KindWebhook, bot.Post{Part: k + 1, Parts: len(parts), Message: part})
			if err != nil || !utf8.Valid(body) || escaped.Match(body) {
				t.Fatalf("part %d: %v, %.200q", k+1, err, body)
			}
			clock = clock.Add(time.Minute)
			tw.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/cgi-bin/webhook/send?key=x", bytes.NewReader(body)))
			posts := tw.Posts()
			if len(tw.Refused()) > 0 || len(posts) != k+1 || posts[k].Cut {
				t.Fatalf("part %d of %d: refused %+v, posts %+v", k+1, len(parts), tw.Refused(), posts)
			}
			p := posts[k]
			for _, l := range p.Read().Links {
				if !slices.Contains(links, l) {
					links = append(links, l)
				}
			}
		}
		if len(links) != int(n%40) {
			t.Errorf("%d links, want %d", len(links), n%40)
		}
	})
}
