package wecom

import (
	"fmt"
	"testing"

	"weeklybot/bot"
)

// TestMemoTellsMessagesApart changes every field once: each must be its own text.
func TestMemoTellsMessagesApart(t *testing.T) {
	base := func() bot.Post {
		return bot.Post{Key: "k", Part: 1, Parts: 2, Message: bot.Message{Title: "ab", Notice: "c", Lang: "zh", Blocks: []bot.Block{
			{Kind: bot.BlockItem, Text: "t", Title: "u", URL: "v", Links: []bot.Link{{Text: "x", URL: "y"}}}, {Kind: bot.BlockText, Text: "z"}}}}
	}
	changes := []func(*bot.Post){
		func(p *bot.Post) {},
		func(p *bot.Post) { p.Part = 2 },
		func(p *bot.Post) { p.Parts = 3 },
		func(p *bot.Post) { p.Message.Title, p.Message.Notice = "a", "bc" },
		func(p *bot.Post) { p.Message.Lang = "en" },
		func(p *bot.Post) { p.Message.Blocks[0].Kind = bot.BlockText },
		func(p *bot.Post) { p.Message.Blocks[0].Level = 1 },
		func(p *bot.Post) { p.Message.Blocks[0].Text = "" },
		func(p *bot.Post) { p.Message.Blocks[0].URL = "w" },
		func(p *bot.Post) { p.Message.Blocks[0].Links = nil },
		func(p *bot.Post) { p.Message.Blocks[0].Links[0].URL = "w" },
		func(p *bot.Post) { p.Message.Blocks = p.Message.Blocks[:1] },
	}
	m := newMemo()
	for k, change := range changes {
		p := base()
		change(&p)
		for _, want := range []string{fmt.Sprint(k), fmt.Sprint(k)} {
			made := m.text(KindApp, p, func() string { return want })
			p.Key = "another" // does not matter
			if made != want {
				t.Errorf("change %d gives the text of change %s", k, made)
			}
		}
	}
	if got := m.text(KindWebhook, base(), func() string { return "other kind" }); got != "other kind" {
		t.Error("two kinds share a text")
	}
	if again := m.text(KindApp, base(), func() string { return "made again" }); again != "0" {
		t.Errorf("text = %q, want the remembered one", again)
	}
	for k := range 3 * maxMemo {
		m.text(KindApp, bot.Post{Part: k}, func() string { return "x" })
	}
	if len(m.texts) > maxMemo {
		t.Errorf("%d texts are kept, want at most %d", len(m.texts), maxMemo)
	}
}
