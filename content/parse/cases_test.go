package parse

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the want.json of each case; review the diff like code")

var idRE = regexp.MustCompile(`"id": "([0-9a-f]{12})(-\d+)?"`)

// TestCases parses issue.md (or the file that the comment's "source:" line names) of each archive and compares with want.json. IDs are
// replaced by "id", with their suffix.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d cases (%v), want at least 12", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want := a.Files[0], &a.Files[len(a.Files)-1]
			if len(a.Files) != 2 || want.Name != "want.json" {
				t.Fatalf("want two files, the last one want.json")
			}
			data := input.Data
			if bytes.Contains(a.Comment, []byte("\nline ends: CRLF")) {
				data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
			}
			got := indented(t, Parse(input.Name, data, Options{}))
			if *update {
				want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want.Data), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func indented(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return idRE.ReplaceAllString(b.String(), `"id": "id$2"`)
}
