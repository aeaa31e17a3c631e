package content

import (
	"slices"
	"strings"
	"testing"
)

func TestTopicsOf(t *testing.T) {
	topics := DefaultTopics()
	for _, c := range []struct{ text, want string }{
		{"国内首例社区双栈Istio 方案", "dual-stack istio"},
		{"k8sfoo xk8s", ""},
		{"K8S 与 ＫＵＢＥＲＮＥＴＥＳ", "kubernetes"},
		{"Service-Meshes and servicemesh, 服务网格", "service mesh"},
		{"service, mesh", ""},
		{"let's go there", ""},
		{"Go 1.22", "go"},
		{"Swift5 新特性", "swift"},
		{"Open Telemetry's collector", "opentelemetry"},
		{"https://istio.io/kubernetes", ""},
		{"互联网关注", ""}, // 互联网 + 关注, no 网关
		{"容器镜像", "container container image"},
		{"Yes, 1.17 has begun, with someone at the helm", ""},
		{"Meetup in Hong Kong, with Kong", "kong"},
		{"Hong Kong | 线下", ""},
		{"Ray tracing on a GPU; Ray Serve", "gpu ray ray tracing"},
		{"Objective-C and plan C", "objective-c"},
		{"Calling C from Swift", "c language swift"},
		{"Taylor Swift's swift response", ""},
		{"reflections on 2023", ""},
		{"Go 程序 on the go, Let's Go", "go"},
		{".NET 9 and std::net", ".net"},
		{"服務網格與雲原生", "cloud native service mesh"},
	} {
		if got := strings.Join(topics.Of(&Item{Text: c.text}), " "); got != c.want {
			t.Errorf("Of(%q) = %q, want %q", c.text, got, c.want)
		}
	}
	nested := &Item{Title: "x", Items: []Item{{Title: "etcd"}}}
	if got := topics.Of(nested); !slices.Equal(got, []string{"etcd"}) {
		t.Errorf("Of(nested) = %q", got)
	}
}

func TestCanonical(t *testing.T) {
	topics := DefaultTopics()
	for name, want := range map[string]string{
		"K8s": "kubernetes", "ｋ８ｓ": "kubernetes", "服务 网格": "service mesh", "Service  Mesh": "service mesh", "servicemesh": "service mesh",
		"WASM": "webassembly", "web assembly": "webassembly", "go": "go", "golang": "go", "c++": "c++", "可观测": "observability",
		"microservice": "microservices", "": "", "no such topic": "",
	} {
		if got, ok := topics.Canonical(name); got != want || ok != (want != "") {
			t.Errorf("Canonical(%q) = %q, %v; want %q", name, got, ok, want)
		}
	}
	if got := topics.Shown("service mesh", "zh"); got != "服务网格" {
		t.Errorf("Shown zh = %q", got)
	}
	if got := topics.Shown("kubernetes", "zh"); got != "Kubernetes" {
		t.Errorf("Shown zh = %q", got)
	}
	if got := topics.Shown("webassembly", "en"); got != "WebAssembly" {
		t.Errorf("Shown en = %q", got)
	}
}

func TestDefaultTopics(t *testing.T) {
	topics := DefaultTopics()
	if n := len(topics.Canonicals()); n < 250 {
		t.Errorf("%d topics, want at least 250", n)
	}
	for k := range topics.topics {
		tp := &topics.topics[k]
		if got, ok := topics.Canonical(tp.canonical); !ok || got != tp.canonical {
			t.Errorf("Canonical(%q) = %q", tp.canonical, got)
		}
		for _, name := range topics.entries[k].Related {
			if _, ok := topics.Canonical(name); !ok {
				t.Errorf("%s: related %q is no topic", tp.canonical, name)
			}
		}
	}
}

func TestNear(t *testing.T) {
	topics := DefaultTopics()
	for text, want := range map[string]string{"kubernets": "kubernetes", "quantum komputing": "quantum computing", "服务网路": "service mesh", "tekton": "ci/cd", "rocketmq": "kafka"} {
		if got := topics.Near(text, 8); !slices.Contains(got, want) {
			t.Errorf("Near(%q) = %q, want %q among them", text, got, want)
		}
	}
	if got := topics.Near("", 3); len(got) != 0 {
		t.Errorf("Near of nothing = %q", got)
	}
}

func TestComplete(t *testing.T) {
	topics := DefaultTopics()
	for _, c := range []struct{ typed, want string }{
		{"k8s", "kubernetes"}, {"ＫＵＢＥＲ", "kubernetes"}, {"服", "service mesh"}, {"mes", "service mesh"}, {"eB", "ebpf"}, {"go", "go"}, {"kubernets", "kubernetes"},
	} {
		got := topics.Complete(c.typed, 100)
		if !slices.Contains(got, c.want) || len(slices.Compact(slices.Sorted(slices.Values(got)))) != len(got) {
			t.Errorf("Complete(%q) = %q, want %q among them, each once", c.typed, got, c.want)
		}
		if canonical, ok := topics.Canonical(c.typed); ok && got[0] != canonical {
			t.Errorf("Complete(%q) begins with %q, want %q", c.typed, got[0], canonical)
		}
	}
	if got := topics.Complete("s", 3); len(got) != 3 {
		t.Errorf("Complete to 3 = %q", got)
	}
	for _, typed := range []string{"", "!?", strings.Repeat("k", 10_000)} {
		if got := topics.Complete(typed, 3); len(got) != 0 {
			t.Errorf("Complete(%.20q) = %q, want none", typed, got)
		}
	}
}

func TestParseTopicsErrors(t *testing.T) {
	for in, want := range map[string]string{
		"- {name: a}\n- {nam: b}":             "line 2: unknown field",
		"- {name: a}\n\n- {name: ''}":         "line 3: an entry needs a name",
		"- {name: a}\n- {name: b, also: [A]}": `line 2: "A" belongs to "a" (line 1)`,
		"a: b":                                "line 1: a topics file is a list",
		"- [":                                 "line 1: ",
		"- {name: '!!'}":                      "line 1: \"!!\" has neither",
		"- {name: a, also: [" + strings.Repeat("x", 200) + "]}": "line 1: ",
	} {
		_, err := ParseTopics([]byte(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseTopics(%q): %v, want %q", in, err, want)
		}
	}
	if topics, err := ParseTopics([]byte("# nothing\n")); err != nil || topics.Len() != 0 {
		t.Errorf("empty file: %v, %v", topics, err)
	}
}

// TestNot: what lies in a phrase that means something else is no mention; the phrase itself may be a topic, and its words are no names.
func TestNot(t *testing.T) {
	topics, err := ParseTopics([]byte("- {name: Ray, not: [ray tracing, x ray vision]}\n- {name: Ray tracing}\n- {name: Vision}"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"ray": "ray", "ray tracing": "ray tracing", "X-ray vision": "", "x ray": "ray", "ray, tracing": "ray", "a ray tracing ray": "ray ray tracing",
	} {
		if got := strings.Join(topics.Of(&Item{Text: text}), " "); got != want {
			t.Errorf("Of(%q) = %q, want %q", text, got, want)
		}
	}
	if topics.Knows("x") || !topics.Knows("tracing") || !topics.Knows("vision") {
		t.Error("Knows takes the words of a phrase that is no spelling for names")
	}
	for w := range topics.EachWord {
		if w == "x" {
			t.Error("EachWord yields a word of no spelling")
		}
	}
	more, err := topics.Extend([]byte("- {name: Ray, not: [ray of light]}"))
	if err != nil || len(more.Of(&Item{Text: "ray of light"})) > 0 || len(more.Of(&Item{Text: "x ray vision"})) > 0 {
		t.Errorf("an extension does not add to the phrases: %v", err)
	}
}

func TestExtend(t *testing.T) {
	base, err := ParseTopics([]byte("- {name: Service mesh, zh: 服务网格, also: [mesh]}\n- {name: Go, cased: [Go]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := base.Extend([]byte("- {name: service mesh, also: [sm]}\n- {name: Mesh network, also: [mesh]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"sm": "service mesh", "服务网格": "service mesh", "mesh": "mesh network", "go": "go"} {
		if c, _ := got.Canonical(name); c != want {
			t.Errorf("Canonical(%q) = %q, want %q", name, c, want)
		}
	}
	if c, _ := base.Canonical("mesh"); c != "service mesh" {
		t.Errorf("Extend changed its base: mesh = %q", c)
	}
	if _, err := base.Extend([]byte("- {name: ''}")); err == nil {
		t.Error("a bad extension is taken")
	}
}

func TestNilTopics(t *testing.T) {
	var topics *Topics
	if c, ok := topics.Canonical("go"); c != "" || ok {
		t.Error("nil topics know go")
	}
	if topics.Shown("x", "zh") != "x" || topics.Near("x", 3) != nil || len(topics.Of(&Item{Title: "go"})) != 0 || topics.Len() != 0 {
		t.Error("nil topics are not empty")
	}
	if _, err := topics.Extend([]byte("- {name: a}")); err != nil {
		t.Error(err)
	}
}

func FuzzMentions(f *testing.F) {
	for _, s := range []string{"k8s 服务网格 service mesh", "容器镜像 C++ https://k8s.io x", "Go's go 1.2 swift5"} {
		f.Add(s)
	}
	topics := DefaultTopics()
	f.Fuzz(func(t *testing.T, s string) {
		var m Matcher
		reach, first := -1, 0
		for _, got := range m.Mentions(topics, s) {
			if got.First < first || got.Start >= got.End || got.End > len(s) {
				t.Fatalf("%+v in %q", got, s)
			}
			if got.First <= reach && got.Last > reach && !got.Nested && got.First != first {
				t.Fatalf("%+v crosses another in %q", got, s)
			}
			first, reach = got.First, max(reach, got.Last)
		}
	})
}

func FuzzParseTopics(f *testing.F) {
	f.Add("- {name: a, zh: 甲, also: [b]}")
	f.Add("- {name: ray, not: [x ray, ray]}")
	f.Add("- name: a\n  cased: [a]\n- &x {name: b}\n- *x")
	f.Fuzz(func(t *testing.T, s string) {
		topics, err := ParseTopics([]byte(s))
		if err != nil {
			return
		}
		for _, c := range topics.Canonicals() {
			if _, ok := topics.Canonical(c); !ok && len(c) <= maxSpelling {
				t.Fatalf("%q is not found again", c)
			}
		}
	})
}
