package parse

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"weeklybot/content"
)

// TestLayouts parses the issues of testdata/layouts, which are many and short: each is followed by a file "want" with what a careful reader
// takes from it, one line a field, a heading or an item.
func TestLayouts(t *testing.T) {
	files, err := filepath.Glob("testdata/layouts/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for k := 0; k+1 < len(a.Files); k += 2 {
			input, want := a.Files[k], &a.Files[k+1]
			t.Run(filepath.Base(file)+"/"+input.Name, func(t *testing.T) {
				if want.Name != "want" {
					t.Fatalf("%s is followed by %s", input.Name, want.Name)
				}
				got := readOut(Parse(input.Name, input.Data, Options{}))
				if *update {
					want.Data = []byte(got)
				} else if diff := cmp.Diff(string(want.Data), got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// readOut writes an issue as the lines of a want file.
func readOut(i *content.Issue) string {
	var b strings.Builder
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, value)
		}
	}
	field("title", i.Title)
	if i.Number != nil {
		field("number", fmt.Sprint(*i.Number))
	}
	field("date", i.Date)
	if i.Period[0] != "" {
		field("period", i.Period[0]+" to "+i.Period[1])
	}
	if i.Kind != content.KindIssue {
		field("kind", string(i.Kind))
	}
	field("authors", strings.Join(i.Authors, ", "))
	field("editors", strings.Join(i.Editors, ", "))
	field("tags", strings.Join(i.Tags, ", "))
	field("summary", i.Summary)
	for _, w := range i.Warnings {
		fmt.Fprintf(&b, "warning: %d: %s\n", w.Line, w.Text)
	}
	for _, s := range i.Sections {
		what := ""
		if s.Pseudo {
			what = " pseudo"
		}
		if s.Level > 0 {
			fmt.Fprintf(&b, "[%d%s %s] %s\n", s.Level, what, s.Kind, s.Heading)
		}
		writeItems(&b, s.Items, "- ")
	}
	return b.String()
}

func writeItems(b *strings.Builder, items []content.Item, mark string) {
	for k := range items {
		it := &items[k]
		fields := slices.DeleteFunc([]string{it.Title, it.URL, strings.ReplaceAll(it.Text, "\n", " / ")}, func(s string) bool { return s == "" })
		fmt.Fprintf(b, "%s%s\n", mark, strings.Join(fields, " | "))
		writeItems(b, it.Items, "  "+mark)
	}
}
