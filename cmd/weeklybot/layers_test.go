package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weeklybot/internal/needs"
)

// rule says what the packages below a folder may import of this module. The first rule whose folder fits counts.
type rule struct {
	folder string
	may    []string // folders, with all below them
}

// The arrows: cmd knows everything; adapters know bot; bot knows content; bot/x and content/x meet only in cmd.
var rules = []rule{
	{"cmd/", []string{"adapters/", "bot/", "content/", "internal/"}},
	{"adapters/internal/", []string{"bot", "internal/netguard"}},
	{"adapters/", []string{"bot", "adapters/internal/"}},
	{"bot/", []string{"bot/", "content", "internal/nearest"}},
	{"content/", []string{"content/", "internal/nearest", "internal/netguard"}},
	{"internal/", nil},
	{"docs/", []string{"adapters/", "bot/", "content/", "internal/"}},
}

// testsMay is what tests may import besides.
var testsMay = map[string][]string{
	"adapters/":    {"bot/adaptertest", "internal/needs"},
	"bot/":         {"internal/needs"},
	"bot/command/": {"content/index"}, // its benchmark needs the real index
	"bot/web/":     {"content/index", "content/source"},
	"content/":     {"internal/needs"},
}

// onlyIn keeps packages in their place; tests may use them as they like.
var onlyIn = map[string][]string{
	"github.com/slack-go/slack":           {"adapters/slack/"},
	"github.com/silenceper/wechat":        {"adapters/wecom/"},
	"github.com/robfig/cron":              {"bot/schedule/"},
	"github.com/alicebob/miniredis":       {"bot/embedded/"},
	"github.com/yuin/goldmark":            {"content/parse/", "adapters/"},
	"github.com/prometheus/client_golang": {"cmd/", "bot/outbox/", "bot/web/"},
}

// TestLayers reads import lines itself: the test cache would not see what a child process reads.
func TestLayers(t *testing.T) {
	root := needs.Root(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "testdata" || rel == filepath.Join("docs", "benchmarks")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			name, _ := strconv.Unquote(i.Path.Value)
			if why := forbidden(filepath.ToSlash(rel), name); why != "" {
				t.Errorf("%s imports %s: %s", rel, name, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func forbidden(file, imported string) string {
	for module, places := range onlyIn {
		if strings.HasPrefix(imported, module) && !under(file, places) && !strings.HasSuffix(file, "_test.go") {
			return "belongs in " + strings.Join(places, ", ")
		}
	}
	target, ours := strings.CutPrefix(imported, "weeklybot/")
	if !ours {
		return ""
	}
	k := slices.IndexFunc(rules, func(r rule) bool { return strings.HasPrefix(file, r.folder) })
	if k < 0 {
		return "no rule says what this folder may import"
	}
	may := rules[k].may
	if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/adaptertest/") {
		for folder, more := range testsMay {
			if strings.HasPrefix(file, folder) {
				may = append(slices.Clone(may), more...)
			}
		}
	}
	if sameFolder := strings.HasPrefix(file, target+"/"); sameFolder || allowed(target, may) || twinOf(file, target) {
		return ""
	}
	return "the arrows point the other way (cmd/weeklybot/layers_test.go)"
}

// allowed: "bot" allows that package alone, "bot/" also all below it.
func allowed(target string, may []string) bool {
	return slices.ContainsFunc(may, func(m string) bool {
		return target == strings.TrimSuffix(m, "/") || strings.HasSuffix(m, "/") && strings.HasPrefix(target, m)
	})
}

// twinOf: an adapter's tests use its own twin, and the twin's tests the adapter.
func twinOf(file, target string) bool {
	parts := strings.Split(file, "/")
	return strings.HasSuffix(file, "_test.go") && len(parts) > 2 && parts[0] == "adapters" &&
		(target == "adapters/"+parts[1]+"/twin" || target == "adapters/"+parts[1])
}

func under(file string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return strings.HasPrefix(file, f) })
}

func TestLayersSeeAWrongArrow(t *testing.T) {
	for _, c := range []struct{ file, imported string }{
		{"bot/outbox/send.go", "weeklybot/adapters/slack"},
		{"adapters/slack/send.go", "weeklybot/bot/outbox"},
		{"adapters/slack/send.go", "weeklybot/adapters/wecom"},
		{"content/parse/parse.go", "weeklybot/bot"},
		{"bot/outbox/send.go", "weeklybot/content/index"},
		{"bot/outbox/send.go", "github.com/slack-go/slack"},
		{"cmd/weeklybot/app.go", "github.com/robfig/cron/v3"},
	} {
		if forbidden(c.file, c.imported) == "" {
			t.Errorf("%s may import %s", c.file, c.imported)
		}
	}
}
