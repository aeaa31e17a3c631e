package command_test

import (
	"fmt"
	"testing"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/command"
	"weeklybot/content"
	"weeklybot/content/index"
)

// benchItems is how many items the Library of BenchmarkCommand holds.
const benchItems = 100_000

// BenchmarkCommand answers whole commands, from text to Message, over benchItems items in the real index.
func BenchmarkCommand(b *testing.B) {
	lib := bigLibrary()
	topics := content.DefaultTopics()
	router := command.New(command.Deps{Library: func() *content.Library { return lib }, Search: index.Build(lib, topics), Topics: topics, Lang: "zh", Zone: "Asia/Shanghai"})
	for _, c := range []struct{ name, text string }{
		{"hot", "/hot ebpf"}, {"hot-broad", "/hot kubernetes"}, {"search", "/search 服务网格 延迟"}, {"rising", "/hot"}, {"latest", "/latest"},
		{"topics", "/topics"}, {"trend", "/trend wasm"}, {"help", "/help"}, {"unknown", "/serach ebpf"},
	} {
		b.Run(c.name, func(b *testing.B) {
			cmd := bot.Command{Text: c.text, Channel: bot.Channel{Adapter: "bench", Address: "1"}, Member: bot.Member{ID: "1"}}
			for b.Loop() {
				if answer, _ := router.Answer(b.Context(), cmd); len(answer.Message.Blocks) == 0 {
					b.Fatal("no answer")
				}
			}
		})
	}
}

// bigLibrary holds weekly issues of 100 items each, made of a few words so that broad searches hit many of them.
func bigLibrary() *content.Library {
	subjects := []string{"eBPF 观测", "Kubernetes 调度", "服务网格延迟", "Wasm 插件", "Istio gateway", "Rust 异步", "etcd 压缩", "Prometheus 告警", "containerd 镜像", "CI 流水线", "证书轮换"}
	deeds := []string{"的三个陷阱", "实践总结", "in production", "源码解读", "性能对比", "1.0 released", "迁移记录"}
	var issues []*content.Issue
	for n := range benchItems / 100 {
		day := time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC).AddDate(0, 0, -7*(n/4))
		i := &content.Issue{Source: fmt.Sprintf("s%d/%d.md", n%4, n), Series: fmt.Sprintf("series-%d", n%4), Kind: content.KindIssue, Number: &n, Date: day.Format(time.DateOnly), Lang: "zh"}
		for s := range 5 {
			section := content.Section{Heading: fmt.Sprintf("栏目 %d", s), Kind: content.SectionNews}
			for k := range 20 {
				x := n*100 + s*20 + k
				section.Items = append(section.Items, content.Item{ID: fmt.Sprint(x), Title: fmt.Sprintf("%s%s %d", subjects[x%len(subjects)], deeds[x%len(deeds)], x),
					URL:  fmt.Sprintf("https://example.org/%d", x),
					Text: "这篇文章介绍了一个团队在生产环境里的做法，包括取舍和数据。They measured before and after. " + subjects[(x/7)%len(subjects)]})
			}
			i.Sections = append(i.Sections, section)
		}
		issues = append(issues, i)
	}
	return content.NewLibrary(issues, content.DefaultTopics())
}
