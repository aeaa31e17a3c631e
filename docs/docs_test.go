// Package docs holds no code: its tests keep README.md and docs/ true.
package docs

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"weeklybot/internal/needs"
)

// elsewhere are the commands of the documents that no script runs as they stand, and what runs them instead. Every other command must be a
// line of a script below cmd/weeklybot/testdata/script, which the tests of that package run.
var elsewhere = map[string]string{
	"go run ./cmd/weeklybot": "serve.txtar runs it with the shipped configuration; .ci/run runs other commands with go run",
	"go test ./...":          ".ci/run: go test -race ./...",
	"apt-get update && apt-get install -y redis-server chromium":    ".ci/run, where one is missing",
	"go run ./cmd/weeklybot demo":                                   "serve.txtar: weeklybot demo --listen 127.0.0.1:0",
	"CGO_ENABLED=0 go build -trimpath -o weeklybot ./cmd/weeklybot": ".ci/run: the same into a temporary folder",
	"weeklybot serve":                                               "serve.txtar: weeklybot serve --prompt",
	"kill -HUP $(pidof weeklybot)":                                  "serve.txtar: kill -HUP $pid",
	"go -C docs/benchmarks run ./search":                            ".ci/run: the same with fewer items",
	"docker build -t weeklybot .":                                   "cannot run here: needs a container engine; TestDockerfile reads the file",
	"docker run -p 8080:8080 -v weeklybot-data:/srv/data weeklybot": "cannot run here: needs a container engine",
}

func documents(t *testing.T) map[string]string {
	t.Helper()
	root := needs.Root(t)
	paths, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, path := range append(paths, filepath.Join(root, "README.md"), filepath.Join(root, "bot", "design.md"), filepath.Join(root, "CHANGELOG.md")) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, _ := filepath.Rel(root, path)
		texts[filepath.ToSlash(name)] = string(data)
	}
	return texts
}

// shellLines are the lines of ```sh blocks.
func shellLines(text string) (lines []string) {
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```sh"
		case inside && line != "":
			lines = append(lines, line)
		}
	}
	return lines
}

func TestEveryCommandIsRunSomewhere(t *testing.T) {
	scripts := map[string]bool{}
	paths, _ := filepath.Glob(filepath.Join(needs.Root(t), "cmd", "weeklybot", "testdata", "script", "*.txtar"))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for scanner := bufio.NewScanner(bytes.NewReader(data)); scanner.Scan(); {
			scripts[scanner.Text()] = true
		}
	}
	shown := map[string]bool{}
	for name, text := range documents(t) {
		for _, line := range shellLines(text) {
			shown[line] = true
			if _, ok := elsewhere[line]; !ok && !scripts[line] {
				t.Errorf("%s shows a command that no script runs: %s", name, line)
			}
		}
	}
	for line := range elsewhere {
		if !shown[line] {
			t.Errorf("no document shows %q any more", line)
		}
	}
	if len(shown) < 10 {
		t.Errorf("%d commands found: the blocks are not read", len(shown))
	}
}

// TestWhatRunsElsewhere looks for what the table above claims of .ci/run.
func TestWhatRunsElsewhere(t *testing.T) {
	ci, err := os.ReadFile(filepath.Join(needs.Root(t), ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"go test -race ./...", "apt-get update && ", "CGO_ENABLED=0 go build -trimpath -o", "redis-server", "chromium", "go run ./cmd/weeklybot", "go -C docs/benchmarks run ./search"} {
		if !bytes.Contains(ci, []byte(want)) {
			t.Errorf(".ci/run does not run %q", want)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	root := needs.Root(t)
	for name, text := range documents(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || target == "" {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), target)); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
		if !norm.NFC.IsNormalString(text) {
			t.Errorf("%s is not in normal form C", name)
		}
	}
}

// TestDependencies: each direct dependency has its line with the version of go.mod.
func TestDependencies(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(needs.Root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	table := documents(t)["docs/dependencies.md"]
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) != 2 || !strings.HasPrefix(fields[1], "v") {
			continue // indirect, or no requirement
		}
		name := strings.TrimPrefix(fields[0], "github.com/")
		if !strings.Contains(table, "`"+name+"` | "+strings.TrimPrefix(fields[1], "v")+" |") {
			t.Errorf("docs/dependencies.md has no line for %s %s", name, fields[1])
		}
	}
}

// TestMetrics: each metric that the program registers stands in docs/operations.md.
func TestMetrics(t *testing.T) {
	named := regexp.MustCompile(`(?:Name: |NewDesc\()"(weeklybot_[a-z_]+)"`)
	root, text := needs.Root(t), documents(t)["docs/operations.md"]
	var found []string
	for _, pattern := range []string{"bot/*/*.go", "cmd/weeklybot/*.go", "adapters/*/*.go"} {
		paths, _ := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range named.FindAllSubmatch(data, -1) {
				found = append(found, string(m[1]))
			}
		}
	}
	for _, metric := range found {
		if !strings.Contains(text, "`"+metric) {
			t.Errorf("docs/operations.md does not name %s", metric)
		}
	}
	if !slices.Contains(found, "weeklybot_deliveries_total") {
		t.Errorf("metrics found: %v", found)
	}
}
