package content

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestIssueJSONKeepsMarkupCharacters(t *testing.T) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	issue := &Issue{Kind: KindIssue, Title: "a < b && c > d", Sections: []Section{{Kind: SectionNews, Items: []Item{{Title: "x", URL: "https://example.org/?a=1&b=2"}}}}}
	if err := enc.Encode(issue); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"a < b && c > d"`, `"https://example.org/?a=1&b=2"`, `"number":null`, `"date":null`, `"period":null`, `"authors":[]`, `"items":[]`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is missing in %s", want, b.String())
		}
	}
	if strings.Contains(b.String(), ":null,\"items\"") {
		t.Errorf("a list is null: %s", b.String())
	}
}
