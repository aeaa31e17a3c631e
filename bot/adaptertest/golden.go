package adaptertest

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"weeklybot/bot"
)

// samples is point 1: every sample is posted, well formed, says what it should, and equals its golden.
func (s *suite) samples(t *testing.T) {
	samples := Samples()
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		msg := samples[name]
		t.Run(name, func(t *testing.T) {
			golden := map[bot.Kind][]any{}
			f := s.fake(t)
			a := s.New(t, f.URL)
			for _, kind := range s.allKinds() {
				parts := split(t, a, kind, msg)
				calls := s.deliver(t, f, a, kind, "sample-"+name, parts)
				var seen []Seen
				for k, c := range calls {
					seen = append(seen, s.Inspect(t, kind, c.Body))
					s.within(t, kind, a.Capabilities(kind), seen[k], c.Body)
					body := s.decode(t, kind, c)
					golden[kind] = append(golden[kind], body)
					p := bot.Post{Key: "sample-" + name, Part: k + 1, Parts: len(calls), Message: parts[k]}
					if _, shows := a.(bot.Previewer); shows && k == 0 {
						shown := s.decode(t, kind, call{ContentType: "application/json", Body: preview(t, a, kind, p)})
						if diff := cmp.Diff(shown, body); diff != "" {
							t.Errorf("kind %s: Preview shows something else than what is posted (-shown +posted):\n%s", kind, diff)
						}
					}
				}
				saysAll(t, kind, msg, seen)
				showsImage(t, kind, msg, parts, seen)
			}
			compareGolden(t, filepath.Join(s.Golden, name+".golden.json"), golden)
		})
	}
	s.noStrangers(t)
}

// saysAll checks that every title, text and link of msg can be read. Markup characters may have been replaced, so only letters and
// digits are compared.
func saysAll(t *testing.T, kind bot.Kind, msg bot.Message, parts []Seen) {
	t.Helper()
	var all strings.Builder
	var links []string
	for _, p := range parts {
		all.WriteString(letters(p.Text))
		links = append(links, p.Links...)
	}
	read := all.String()
	lost := func(what, text string) {
		for _, word := range strings.FieldsFunc(text, notLetter) { // a long text may be cut between any two words
			if !strings.Contains(read, word) {
				t.Errorf("kind %s: %s got lost, or Inspect does not see it: %q of %q", kind, what, word, text)
				return
			}
		}
	}
	lost("the message's title", msg.Title)
	for _, b := range msg.Blocks {
		lost("a title", b.Title)
		lost("a text", b.Text)
		for _, l := range append(slices.Clone(b.Links), bot.Link{URL: b.URL}) {
			lost("a link's text", l.Text)
			if l.URL != "" && len(l.URL) < 500 && !slices.Contains(links, l.URL) {
				t.Errorf("kind %s: the link %s got lost, or Inspect does not see it", kind, l.URL)
			}
		}
	}
}

// showsImage checks that an image is shown once where a part carries it, and nowhere else; that a part is one again after JSON, as which
// it is stored; and that no image from a stranger mentions anybody.
func showsImage(t *testing.T, kind bot.Kind, msg bot.Message, parts []bot.Message, seen []Seen) {
	t.Helper()
	shown := 0
	for k, part := range parts {
		var again bot.Message
		if text, err := json.Marshal(part); err != nil || json.Unmarshal(text, &again) != nil || cmp.Diff(part, again) != "" {
			t.Errorf("kind %s: part %d is another one after JSON (%v)", kind, k+1, err)
		}
		if seen[k].Image {
			shown++
		}
		if len(seen[k].Mentions) > 0 && msg.Image != nil {
			t.Errorf("kind %s: part %d mentions %q", kind, k+1, seen[k].Mentions)
		}
		if part.Image != nil && !seen[k].Image {
			t.Errorf("kind %s: Split left an image in part %d that the payload does not show: drop it there (bot.Message.WithoutImage)", kind, k+1)
		}
	}
	if shown > 1 || shown == 1 && msg.Image == nil {
		t.Errorf("kind %s: %d payloads show an image", kind, shown)
	}
}

// letters is s without anything that is neither letter nor digit.
func letters(s string) string { return strings.Join(strings.FieldsFunc(s, notLetter), "") }

func notLetter(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// decode is a body as JSON data. A form becomes an object, its values decoded where they are JSON.
func (s *suite) decode(t *testing.T, kind bot.Kind, c call) any {
	t.Helper()
	body := s.Scrub(kind, c.Body)
	if strings.Contains(string(c.Body), `\u003c`) || strings.Contains(string(c.Body), `\u0026`) {
		t.Errorf(`kind %s: the body holds \u003c, \u003e or \u0026: encode with SetEscapeHTML(false)`, kind)
	}
	if media, _, _ := mime.ParseMediaType(c.ContentType); media == "application/x-www-form-urlencoded" {
		return decodeForm(t, kind, body)
	}
	var data any
	if err := json.Unmarshal(body, &data); err != nil {
		t.Errorf("kind %s: the posted body is not JSON: %v\n%.300s", kind, err, body)
		return string(body)
	}
	return data
}

func decodeForm(t *testing.T, kind bot.Kind, body []byte) any {
	t.Helper()
	form, err := url.ParseQuery(string(body))
	if err != nil {
		t.Errorf("kind %s: the posted body is no form: %v", kind, err)
	}
	object := map[string]any{}
	for name, values := range form {
		var data any
		if text := strings.TrimSpace(values[0]); strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[") {
			if err := json.Unmarshal([]byte(text), &data); err == nil {
				object[name] = data
				continue
			}
		}
		object[name] = values[0]
	}
	return object
}

func compareGolden(t *testing.T, path string, data any) {
	t.Helper()
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(data); err != nil {
		t.Fatal(err)
	}
	if *Update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("no golden file (write it with: go test . -update, then read it): %v", err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-want +got; accept with: go test . -update):\n%s", path, diff)
	}
}

// noStrangers finds golden files that no sample has any more.
func (s *suite) noStrangers(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(s.Golden, "*.golden.json"))
	known := Samples()
	for _, file := range files {
		if _, ok := known[strings.TrimSuffix(filepath.Base(file), ".golden.json")]; !ok {
			t.Errorf("%s belongs to no sample: remove it", file)
		}
	}
}
