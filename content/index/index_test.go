package index

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"weeklybot/content"
)

// library makes one issue a week from lines "title | text | url", the last one the newest.
func library(issues ...[]string) *content.Library {
	var all []*content.Issue
	for n, lines := range issues {
		all = append(all, issueOf(n, lines...))
	}
	return content.NewLibrary(all, content.DefaultTopics())
}

func issueOf(n int, lines ...string) *content.Issue {
	number := n + 1
	i := &content.Issue{
		Series: "cloud", Kind: content.KindIssue, Title: fmt.Sprintf("Cloud #%d", number), Number: &number, Lang: "en",
		Date: fmt.Sprintf("2024-%02d-%02d", 1+n/4, 1+n%4*7), Source: fmt.Sprintf("cloud/%d.md", number),
	}
	sec := content.Section{Heading: "News", Level: 2, Kind: content.SectionNews}
	for k, line := range lines {
		f := append(strings.Split(line, "|"), "", "")
		it := content.Item{ID: fmt.Sprintf("%d-%d", number, k), Title: strings.TrimSpace(f[0]), Text: strings.TrimSpace(f[1]), URL: strings.TrimSpace(f[2])}
		sec.Items = append(sec.Items, it)
	}
	i.Sections = []content.Section{sec}
	return i
}

func titles(r content.Result) []string {
	var out []string
	for _, h := range r.Hits {
		out = append(out, h.Item.Title)
	}
	return out
}

var sample = []string{
	"Istio 双栈落地 | 服务网格在移动云的实践",
	"What is a service mesh? | An introduction",
	"k8sfoo released | nothing else",
	"Kubernetes 1.25.3 | see https://istio.io/docs for more",
	"K8s 新功能 Container Checkpointing | 容器检查点",
	"OpenTelemetry 日益成熟 | Traces",
	"Tunnel kubectl port-forwarding through websockets",
	"镜像体积更小 | 也更加安全",
	"Stabilize RISC-V target features (riscv_ratified_v2)",
	"Swift5 新特性 | dynamicCallable",
	"Virtual Service explained | routing",
	"可观测性实践 | 指标与日志",
	"汽车安全带 | 与云无关",
	"We go to the park | no language",
	"Go 1.22 released | loops",
	"Graduate TokenIssuerDiscovery on GitHub | HTTPServer",
}

func TestSearch(t *testing.T) {
	lib := library(sample)
	x := Build(lib, content.DefaultTopics())
	for _, c := range []struct {
		query string
		want  string // titles' first words, best first
	}{
		{"istio", "Istio"},
		{"ISTIO", "Istio"},
		{"ｉｓｔｉｏ", "Istio"},
		{"双栈 istio", "Istio"},
		{"istio双栈", "Istio"},
		{"服务网格", "What Istio"},
		{"servicemesh", "What Istio"},
		{"服务 网格", "What Istio"},
		{"k8s", "K8s Kubernetes"},
		{"kubernets", "K8s Kubernetes"},
		{"kuberentes", "K8s Kubernetes"},
		{"OpenTelemtry", "OpenTelemetry"},
		{"open telemetry", "OpenTelemetry"},
		{"端口转发", "Tunnel"},
		{"port forward", "Tunnel"},
		{"镜像安全", "镜像体积更小"},
		{"安全带", "汽车安全带"},
		{"risc-v", "Stabilize"},
		{"riscv", "Stabilize"},
		{"swift", "Swift5"},
		{"virtualservice", "Virtual"},
		{"virtual services", "Virtual"},
		{"kubernetes 1.25", "Kubernetes"},
		{"v1.25.3", "Kubernetes"},
		{"go", "Go"},
		{"golang", "Go"},
		{"可观测", "可观测性实践"},
		{"o11y", "可观测性实践"},
		{"栈", "Istio"},
		{"落地", "Istio"},
		{"kube*", "K8s Kubernetes"},
		{"token issuer", "Graduate"},
		{"discovery", "Graduate"},
		{"hub", ""}, // GitHub is a name
		{"go1.22", "Go"},
		{"服務網格", "What Istio"},
		{"可觀測", "可观测性实践"},
		{"请问什么是服务网格", "What Istio"},
		{"最近有没有关于双栈的文章", "Istio"},
		{"where are the latest articles about a service mesh", "What Istio"},
		{strings.Repeat("kubernetes ", 100), "K8s Kubernetes"},
		{strings.Repeat("服务网格", 100), "What Istio"},
		{"https", ""},
		{"docs", ""},
		{"量子计算", ""},
		{"istio kafka", ""},
		{"", ""},
		{"the", ""},
		{"的", ""},
		{"how to use istio", "Istio"},
		{"istio上双栈", "Istio"},
	} {
		res := x.Search(content.Query{Text: c.query})
		var got []string
		for _, s := range titles(res) {
			got = append(got, strings.Fields(s)[0])
		}
		slices.Sort(got)
		want := strings.Fields(c.want)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("Search(%q) = %q, want %q", c.query, got, want)
		}
		if res.Total != len(res.Hits) {
			t.Errorf("Search(%q): total %d of %d hits", c.query, res.Total, len(res.Hits))
		}
		if len(res.Hits) == 0 && len(res.Near) == 0 {
			t.Errorf("Search(%q): nothing found and no topics offered", c.query)
		}
	}
}
