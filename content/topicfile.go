package content

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"weeklybot/content/internal/words"
)

// Bounds of a topics file: it is written by people, but an operator's slip should cost a message, not the memory.
const (
	maxTopicsBytes = 1 << 20
	maxSpelling    = 100 // bytes of one spelling
)

// topicEntry is one entry of a topics file; see topics.yaml for what the fields mean.
type topicEntry struct {
	Name    string   `yaml:"name"`
	Zh      string   `yaml:"zh"`
	Also    []string `yaml:"also"`
	Cased   []string `yaml:"cased"`
	Not     []string `yaml:"not"`
	Word    bool     `yaml:"word"`
	Related []string `yaml:"related"`

	line int
}

// ParseTopics reads a topics file: a YAML list of entries. Unknown keys, an entry without a name and a spelling that two
// entries claim are errors; each names its line.
func ParseTopics(data []byte) (*Topics, error) {
	entries, err := parseEntries(data)
	if err != nil {
		return nil, err
	}
	if err := checkClaims(entries); err != nil {
		return nil, err
	}
	return buildTopics(entries), nil
}

// Extend is t with the entries of a topics file added. An entry whose name t knows adds its spellings to that topic and
// may change how it is shown; a spelling that another topic had goes to the entry.
func (t *Topics) Extend(data []byte) (*Topics, error) {
	added, err := parseEntries(data)
	if err != nil {
		return nil, err
	}
	if err := checkClaims(added); err != nil {
		return nil, err
	}
	var old []topicEntry
	if t != nil {
		old = slices.Clone(t.entries)
	}
	claimed := map[string]bool{}
	for _, e := range added {
		for _, s := range e.spellings() {
			claimed[words.Fold(s)] = true
		}
	}
	taken := func(s string) bool { return claimed[words.Fold(s)] }
	for k := range added {
		if at, ok := t.lookup(added[k].Name); ok {
			added[k] = mergeEntry(t.entries[at], added[k], taken)
			old[at].Name = ""
		}
	}
	// The new entries come first: of two claims to a spelling the first wins.
	old = slices.DeleteFunc(old, func(e topicEntry) bool { return e.Name == "" })
	return buildTopics(append(added, old...)), nil
}

// mergeEntry keeps the old name, since items and subscriptions carry it, and what spellings nobody new has taken.
func mergeEntry(old, add topicEntry, taken func(string) bool) topicEntry {
	out := old
	also := slices.DeleteFunc(slices.Clone(old.Also), taken)
	if add.Zh != "" {
		out.Zh, also = add.Zh, append(also, add.Zh)
		if old.Zh != "" && !taken(old.Zh) {
			also = append(also, old.Zh)
		}
	}
	out.Cased = slices.Concat(add.Cased, slices.DeleteFunc(slices.Clone(old.Cased), taken))
	out.Also = slices.Concat(add.Also, []string{add.Name}, also)
	out.Not = slices.Concat(add.Not, old.Not)
	out.Related = slices.Concat(add.Related, old.Related)
	out.Word = old.Word && add.Word
	return out
}

func canonical(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

func parseEntries(data []byte) (out []topicEntry, err error) {
	if len(data) > maxTopicsBytes {
		return nil, fmt.Errorf("the topics file has %d bytes; at most %d are read", len(data), maxTopicsBytes)
	}
	defer func() {
		if r := recover(); r != nil { // the YAML library does on some tags
			out, err = nil, errors.New("cannot be read as YAML: tags (!name) are not used in a topics file")
		}
	}()
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, errors.New(oneLine(err))
	}
	for _, doc := range file.Docs {
		switch body := doc.Body.(type) {
		case nil, *ast.CommentGroupNode, *ast.NullNode:
		case *ast.SequenceNode:
			if out, err = appendEntries(out, body); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("line %d: a topics file is a list: - {name: service mesh, zh: 服务网格, also: [servicemesh]}", line(body))
		}
	}
	return out, nil
}

func line(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

func appendEntries(out []topicEntry, list *ast.SequenceNode) ([]topicEntry, error) {
	var faults []error
	for _, node := range list.Values {
		e := topicEntry{line: line(node)}
		if m, ok := node.(*ast.MappingNode); ok && m.Start != nil {
			e.line = m.Start.Position.Line
		}
		if err := yaml.NodeToValue(node, &e, yaml.Strict()); err != nil {
			faults = append(faults, errors.New(oneLine(err)))
			continue
		}
		if err := e.check(); err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", e.line, err))
			continue
		}
		out = append(out, e)
	}
	return out, errors.Join(faults...)
}

// oneLine turns the YAML library's "[2:4] what\n> source" into "line 2: what".
func oneLine(err error) string {
	first, _, _ := strings.Cut(err.Error(), "\n")
	if at, what, ok := strings.Cut(first, "] "); ok && strings.HasPrefix(at, "[") {
		row, _, _ := strings.Cut(at[1:], ":")
		return "line " + row + ": " + what
	}
	return first
}

func (e *topicEntry) check() error {
	if strings.TrimSpace(e.Name) == "" {
		return errors.New("an entry needs a name")
	}
	for _, s := range append(e.spellings(), e.Not...) {
		if len(s) > maxSpelling {
			return fmt.Errorf("%q: a spelling may have %d bytes", s[:20]+"…", maxSpelling)
		}
		if words.Fold(s) == "" {
			return fmt.Errorf("%q has neither a letter nor a digit", s)
		}
	}
	return nil
}

// spellings are the name, zh, also and cased, as written, without repeats.
func (e *topicEntry) spellings() []string {
	out := []string{e.Name}
	if e.Zh != "" && e.Zh != e.Name {
		out = append(out, e.Zh)
	}
	out = append(out, e.Also...)
	for _, s := range e.Cased {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func checkClaims(entries []topicEntry) error {
	owner := map[string]int{}
	var faults []error
	for k := range entries {
		for _, s := range entries[k].spellings() {
			f := words.Fold(s)
			if first, taken := owner[f]; taken && first != k {
				faults = append(faults, fmt.Errorf("line %d: %q belongs to %q (line %d) already",
					entries[k].line, s, entries[first].Name, entries[first].line))
				continue
			}
			owner[f] = k
		}
	}
	return errors.Join(faults...)
}

func buildTopics(entries []topicEntry) *Topics {
	t := &Topics{entries: entries, names: map[string]int{}, trie: newTrie()}
	for k := range entries {
		e := &entries[k]
		t.topics = append(t.topics, topic{canonical: canonical(e.Name), name: e.Name, zh: e.Zh, word: e.Word, spellings: e.spellings()})
		for _, s := range e.spellings() {
			t.claim(s, k, slices.Contains(e.Cased, s))
		}
	}
	for k := range entries { // spellings nobody wrote down come last: one that is written belongs to its entry
		for _, s := range entries[k].spellings() {
			for _, form := range derived(s) {
				t.claim(form, k, false)
			}
		}
	}
	t.trie.named = int32(len(t.trie.symbols))
	for k := range entries {
		for _, phrase := range entries[k].Not {
			t.trie.mute(phrase)
		}
	}
	t.folded = sync.OnceValue(t.foldedSpellings)
	t.alike = sync.OnceValue(t.likenesses)
	return t
}

func (t *Topics) claim(spelling string, topic int, cased bool) {
	f := words.Fold(spelling)
	if _, taken := t.names[f]; taken {
		return
	}
	t.names[f] = topic
	t.trie.add(spelling, topic, cased)
}

// minJoined is the fewest letters at which words written together are still read as one name.
const minJoined = 6

// derived are the forms of a spelling that need no entry: several words written as one, and a joined name taken apart at
// its capitals (OpenTelemetry: open telemetry).
func derived(s string) []string {
	var out []string
	f := words.Fold(s)
	if one := joined(f); one != f && len(one) >= minJoined && isASCII(one) {
		out = append(out, one)
	}
	if parts := camel(s); parts != "" {
		out = append(out, parts)
	}
	return out
}

func isASCII(s string) bool {
	for k := range len(s) {
		if s[k] >= 0x80 {
			return false
		}
	}
	return true
}

// camel parts a single word before its inner capitals; "" when a part would have fewer than two letters.
func camel(s string) string {
	var b strings.Builder
	run, parts := 0, 1
	prev := ' '
	for _, r := range s {
		if !unicode.IsLetter(r) || r > unicode.MaxASCII {
			return ""
		}
		if unicode.IsUpper(r) && unicode.IsLower(prev) {
			if run < 2 {
				return ""
			}
			b.WriteByte(' ')
			run, parts = 0, parts+1
		}
		b.WriteRune(r)
		run, prev = run+1, r
	}
	if parts == 1 || run < 2 {
		return ""
	}
	return b.String()
}
