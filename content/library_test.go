package content

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
)

func fullIssue(n int) *Issue {
	number := n
	item := Item{
		ID: "a", Title: "Rust on Kubernetes", URL: "https://example.org/a", Text: "text", By: "Ann", Tags: []string{"video"}, Line: 3,
		Links: []string{"https://example.org/a", "https://example.org/b"},
		Items: []Item{{ID: "a.1", Title: "nested", Items: []Item{{ID: "a.1.1", Title: "deeper", Links: []string{"https://example.org/c"}}}}},
	}
	return &Issue{
		Source: fmt.Sprintf("weekly/%d.md", n), Series: "weekly", Kind: KindIssue, Title: fmt.Sprint("Weekly #", n), Number: &number, Date: "2026-01-02",
		Period: [2]string{"2025-12-27", "2026-01-02"}, Lang: "en", Summary: "all", Authors: []string{"Bob"}, Editors: []string{"Cid", "Dee"},
		Tags: []string{"t"}, Categories: []string{"c"}, Warnings: []Warning{{Line: 1, Text: "odd"}},
		Sections: []Section{
			{Heading: "News", Path: []string{"Top", "Sub"}, Kind: SectionNews, Items: []Item{item, {ID: "b", Title: "plain"}}},
			{Heading: "Editors", Kind: SectionMeta},
			{Heading: "More", Kind: SectionNews, Items: []Item{{ID: "c", Title: "last", Links: []string{}}}},
		},
	}
}

func TestNewLibraryKeepsWhatIssuesSay(t *testing.T) {
	topics := DefaultTopics()
	var given, want []*Issue
	for n := range 2*packed + 1 {
		given, want = append(given, fullIssue(n)), append(want, fullIssue(n))
	}
	for _, i := range want {
		for s := range i.Sections {
			for k := range i.Sections[s].Items {
				it := &i.Sections[s].Items[k]
				it.Topics = topics.Of(it)
			}
		}
	}
	NewLibrary(given, topics)
	if diff := cmp.Diff(want, given); diff != "" {
		t.Error(diff)
	}
	if topics := given[0].Sections[0].Items[0].Topics; !cmp.Equal(topics, []string{"kubernetes", "rust"}) {
		t.Errorf("topics %q", topics)
	}
}

// TestNewLibraryLetsFilesGo gives items that are pieces of a large text and looks whether any piece still is.
func TestNewLibraryLetsFilesGo(t *testing.T) {
	file := strings.Repeat("Rust on Kubernetes ", 1000)
	first, last := uintptr(unsafe.Pointer(unsafe.StringData(file))), uintptr(unsafe.Pointer(unsafe.StringData(file)))+uintptr(len(file))
	issue := &Issue{
		Kind: KindIssue, Source: file[:9], Title: file[:4], Date: file[:2], Authors: []string{file[5:7]},
		Sections: []Section{{Heading: file[:6], Path: []string{file[:3]}, Kind: SectionNews, Items: []Item{{
			ID: file[:1], Title: file[:18], Text: file[19:40], URL: file[:5], Links: []string{file[:5], file[:6]}, By: file[:2], Tags: []string{file[:4]},
			Items: []Item{{Title: file[40:50]}},
		}}}},
	}
	NewLibrary([]*Issue{issue}, nil)
	s := &issue.Sections[0]
	it := &s.Items[0]
	for _, piece := range []string{
		issue.Source, issue.Title, issue.Date, issue.Authors[0], s.Heading, s.Path[0], it.ID, it.Title, it.Text, it.URL, it.Links[0], it.Links[1], it.By, it.Tags[0],
		it.Items[0].Title,
	} {
		if at := uintptr(unsafe.Pointer(unsafe.StringData(piece))); at >= first && at < last {
			t.Errorf("%q is still a piece of the file", piece)
		}
	}
	title := unsafe.StringData(it.Title)
	NewLibrary([]*Issue{issue}, nil)
	if unsafe.StringData(s.Items[0].Title) != title || it != &issue.Sections[0].Items[0] {
		t.Error("an issue that is in a library was moved")
	}
}
