package docs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weeklybot/internal/needs"
)

// instruction is one line of a Dockerfile, continued lines joined.
type instruction struct{ word, rest string }

// stages reads a Dockerfile; each stage begins with its FROM.
func stages(t *testing.T, text string) (list [][]instruction) {
	t.Helper()
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" || strings.HasPrefix(word, "#") {
			continue
		}
		if word == "FROM" {
			list = append(list, nil)
		}
		if len(list) == 0 {
			t.Fatalf("%s stands before FROM", word)
		}
		list[len(list)-1] = append(list[len(list)-1], instruction{word, strings.TrimSpace(rest)})
	}
	return list
}

// TestDockerfile reads what cannot be built without a container engine.
func TestDockerfile(t *testing.T) {
	root := needs.Root(t)
	data, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	all := stages(t, string(data))
	if len(all) != 2 || !strings.HasSuffix(all[0][0].rest, " AS build") {
		t.Fatalf("%d stages, want build and run", len(all))
	}
	run := all[1]
	last := func(word string) string {
		for _, i := range slices.Backward(run) {
			if i.word == word {
				return i.rest
			}
		}
		t.Errorf("the last stage has no %s", word)
		return ""
	}
	if user := last("USER"); user == "" || strings.HasPrefix(user, "0") || strings.HasPrefix(user, "root") {
		t.Errorf("runs as %q", user)
	}
	made := map[string]bool{} // what the last stage holds
	for _, stage := range all {
		for _, i := range stage {
			if i.word == "COPY" {
				made[copied(t, root, i.rest)] = true
			}
		}
	}
	for _, form := range []string{strings.TrimSpace(last("HEALTHCHECK")[strings.Index(last("HEALTHCHECK"), "CMD ")+4:]), last("ENTRYPOINT")} {
		var args []string
		if err := json.Unmarshal([]byte(form), &args); err != nil || !made[args[0]] {
			t.Errorf("%s: %v, and runs what the stage must hold: %v", form, err, made)
		}
		if k := slices.Index(args, "--config"); k >= 0 && !made[args[k+1]] {
			t.Errorf("%s: reads %s, which is not copied", form, args[k+1])
		}
	}
	if !strings.Contains(string(data), "CGO_ENABLED=0 go build -trimpath") {
		t.Error("the binary is not static")
	}
}

// copied checks the sources of a COPY and returns its target.
func copied(t *testing.T, root, rest string) string {
	t.Helper()
	fields := strings.Fields(rest)
	fromStage := false
	for len(fields) > 0 && strings.HasPrefix(fields[0], "--") {
		fromStage = fromStage || strings.HasPrefix(fields[0], "--from=")
		fields = fields[1:]
	}
	ignored, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range fields[:len(fields)-1] {
		if fromStage {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, source)); err != nil {
			t.Errorf("COPY %s: %v", rest, err)
		}
		if slices.Contains(strings.Fields(string(ignored)), source) {
			t.Errorf("COPY %s: .dockerignore leaves it out", rest)
		}
	}
	return fields[len(fields)-1]
}
