package parse

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"weeklybot/content"
)

const (
	// maxHeader is how long a header may be, in bytes, and maxHeaderLines in lines: what is longer is text between two rules.
	maxHeader      = 32 << 10
	maxHeaderLines = 300
	// maxValueDepth is how deep brackets in a header may be nested.
	maxValueDepth = 16
)

// header is what stands before the text: the fields by lower-case name.
type header struct {
	fields   map[string]field
	lines    int // lines of the file that belong to the header
	warnings []content.Warning
}

// field is one header field: a text, or a list of texts.
type field struct {
	values []string
	list   bool
	line   int
}

func (h *header) warn(line int, text string) {
	h.warnings = append(h.warnings, content.Warning{Line: line, Text: text})
}

// set keeps the first value of a field.
func (h *header) set(name string, f field) {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" || len(f.values) == 0 {
		return
	}
	if _, ok := h.fields[name]; !ok {
		h.fields[name] = f
	}
}

// first is the first text of the first field of these names.
func (h *header) first(names ...string) (string, int) {
	for _, name := range names {
		for _, v := range h.fields[name].values {
			if v = strings.TrimSpace(v); v != "" {
				return v, h.fields[name].line
			}
		}
	}
	return "", 0
}

// readHeader splits text into header and body. The body begins with the line after header.lines.
func readHeader(text string) (*header, string) {
	h := &header{fields: map[string]field{}}
	lines := headerLines(text)
	first := 0
	for first < len(lines) && strings.TrimSpace(lines[first]) == "" {
		first++
	}
	if first == len(lines) {
		return h, text
	}
	switch opening := strings.TrimRight(lines[first], " \t"); {
	case opening == "---":
		h.yaml(lines, first)
	case opening == "+++":
		h.toml(lines, first)
	case strings.HasPrefix(opening, "#+"):
		h.org(lines, first)
	case strings.HasPrefix(opening, "{") && !strings.HasPrefix(opening, "{{") && !strings.HasPrefix(opening, "{%"):
		h.json(text, lines, first)
	default:
		h.plain(lines, first)
	}
	body := text
	for range h.lines {
		_, body, _ = strings.Cut(body, "\n")
	}
	return h, body
}

// headerLines are the lines of text that a header may take, without their line ends; none when text begins like no header.
func headerLines(text string) []string {
	var lines []string
	size, begun := 0, false
	end := "" // the line that ends the header
	for line := range strings.Lines(text) {
		if size += len(line); size > maxHeader || len(lines) == maxHeaderLines {
			break
		}
		if !begun && strings.TrimSpace(line) != "" {
			if begun = strings.ContainsAny(line, ":：{") || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "+++") || strings.HasPrefix(line, "#+"); !begun {
				return nil
			}
			switch opening := strings.TrimSpace(line); {
			case opening == "---" || opening == "+++":
				end = opening
			case strings.HasPrefix(line, "#+") || strings.HasPrefix(line, "{"):
				end = "\n" // never found
			}
			lines = append(lines, strings.TrimSuffix(line, "\n"))
			continue
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
		if closed := strings.TrimSpace(line); begun && (closed == end || end == "---" && closed == "...") {
			break
		}
	}
	return lines
}

func closing(lines []string, from int, marks ...string) int {
	for k := from; k < len(lines); k++ {
		if slices.Contains(marks, strings.TrimRight(lines[k], " \t")) {
			return k
		}
	}
	return -1
}

func (h *header) yaml(lines []string, open int) {
	end := closing(lines, open+1, "---", "...")
	if end >= 0 && !looksLikeFields(lines[open+1:end]) {
		return // a rule, text, and another rule
	}
	if end < 0 {
		if end = fieldsEnd(lines, open+1); end == open+1 {
			return
		}
		h.warn(open+1, "front matter is opened with --- and never closed: read up to the first line that is no field")
		h.salvage(lines[open+1:end], open+2)
		h.lines = end
		return
	}
	h.lines = end + 1
	if h.simple(lines[open+1:end], open+2) {
		return
	}
	raw := strings.Join(quoteNumbers(lines[open+1:end]), "\n")
	values, line, err := decodeYAML(raw)
	if err == nil {
		for name, value := range values {
			h.set(name, field{values: texts(value), list: isList(value), line: fieldLine(lines[open+1:end], name) + open + 2})
		}
		return
	}
	h.warn(open+1+max(1, line), "front matter: "+err.Error())
	h.salvage(lines[open+1:end], open+2)
}

// quoteNumbers puts texts in quotes that hold " #" and a digit: for YAML a comment begins there, for whoever wrote "Letter – #64" none does.
func quoteNumbers(lines []string) []string {
	for k, line := range lines {
		at := strings.Index(line, " #")
		if at < 0 || at+2 == len(line) || !isDigit(line[at+2]) {
			continue
		}
		key, value, ok := strings.Cut(line, ": ")
		if value = strings.TrimSpace(value); !ok || !isSimpleKey(key) || value[0] == '#' || strings.ContainsAny(value, "\"'[{|>&*!%@`\\") {
			continue
		}
		lines = slices.Clone(lines)
		lines[k] = key + ": \"" + value + "\""
	}
	return lines
}

// simple reads YAML of the kind that nearly all front matter is: a name, a colon and a text, a quoted text or a list of them in brackets.
// Where anything else stands it reads nothing: decodeYAML is right, and slow.
func (h *header) simple(lines []string, first int) bool {
	fields := make(map[string]field, len(lines))
	for k, line := range lines {
		if line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok || !isSimpleKey(key) || fields[key].line > 0 {
			return false
		}
		f := field{line: first + k}
		value = strings.Trim(value, " ")
		switch list, ok := bracketed(value); {
		case value == "":
			if k+1 < len(lines) && !isSimpleKey(lines[k+1][:max(0, strings.IndexByte(lines[k+1], ':'))]) {
				return false // the value stands below
			}
		case !strings.HasPrefix(line[len(key)+1:], " "):
			return false
		case ok:
			f.list = true
			for part := range strings.SplitSeq(list, ",") {
				text, ok := scalar(strings.Trim(part, " "), ",[]{}")
				if !ok {
					return false
				}
				f.values = append(f.values, text)
			}
		default:
			text, ok := scalar(value, "")
			if !ok {
				return false
			}
			f.values = []string{text}
		}
		fields[key] = f
	}
	for name, f := range fields {
		h.set(name, f)
	}
	return true
}

// bracketed is what stands between the brackets of a list that is not empty.
func bracketed(value string) (list string, ok bool) {
	if len(value) < 3 || value[0] != '[' || value[len(value)-1] != ']' {
		return "", false
	}
	return value[1 : len(value)-1], true
}

func isSimpleKey(s string) bool {
	for k := range len(s) {
		if c := s[k]; !isLatin(c) && c != '_' && c != '-' {
			return false
		}
	}
	return s != "" && isLatin(s[0]) && !typedWords[strings.ToLower(s)]
}

// typedWords are no texts in YAML.
var typedWords = map[string]bool{"true": true, "false": true, "null": true, "yes": true, "no": true, "on": true, "off": true, "y": true, "n": true}

// scalar reads a value that says the same as text: in quotes without escapes, a date, a number, or words that begin with a letter. It may hold
// none of the characters in without.
func scalar(s, without string) (text string, ok bool) {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		text = s[1 : len(s)-1]
		return strings.TrimSpace(text), !strings.ContainsAny(text, "\"'\\"+without)
	}
	first, _ := utf8.DecodeRuneInString(s)
	switch {
	case s == "true" || s == "false":
		return s, true
	case strings.ContainsAny(s, "#\"'\t\\"+without), strings.Contains(s, ": "), strings.HasSuffix(s, ":"), typedWords[strings.ToLower(s)]:
		return "", false
	case unicode.IsLetter(first):
		return s, true
	}
	if allDigits(s) && s[0] != '0' && len(s) < 10 {
		return s, true
	}
	return s, len(s) >= 10 && isYear(s[:4]) && s[4] == '-' && allDigits(s[5:7]) && s[7] == '-' && allDigits(s[8:10])
}

// decodeYAML decodes a mapping. It refuses aliases and deep nesting, which cost more than they are long.
func decodeYAML(raw string) (values map[string]any, line int, err error) {
	defer func() {
		if r := recover(); r != nil {
			values, line, err = nil, 1, errors.New("cannot be read as YAML")
		}
	}()
	if depth(raw) > maxValueDepth {
		return nil, 1, errors.New("is nested too deeply")
	}
	if line := aliasLine(raw); line > 0 {
		return nil, line, errors.New("aliases (*name) are not read")
	}
	err = yaml.Unmarshal([]byte(raw), &values)
	if err == nil {
		return values, 0, nil
	}
	var syntax yaml.Error
	if errors.As(err, &syntax) && syntax.GetToken() != nil {
		return nil, syntax.GetToken().Position.Line, errors.New(syntax.GetMessage())
	}
	return nil, 1, errors.New(strings.SplitN(err.Error(), "\n", 2)[0])
}

// aliasLine is the line of the first alias or merge key in raw, 0 when there is none.
func aliasLine(raw string) int {
	if !strings.Contains(raw, "*") && !strings.Contains(raw, "<<") {
		return 0
	}
	for _, t := range lexer.Tokenize(raw) {
		if t.Type == token.AliasType || t.Type == token.MergeKeyType {
			return t.Position.Line
		}
	}
	return 0
}

func depth(s string) int {
	deepest, now := 0, 0
	for _, c := range []byte(s) {
		switch c {
		case '[', '{':
			now++
			deepest = max(deepest, now)
		case ']', '}':
			now = max(0, now-1)
		}
	}
	return deepest
}

func isList(v any) bool { _, ok := v.([]any); return ok }

// texts flattens a decoded value. A person may be a mapping with a name.
func texts(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, texts(e)...)
		}
		return out
	case map[string]any:
		for _, name := range []string{"name", "title", "login", "id"} {
			if s := texts(v[name]); len(s) > 0 {
				return s[:1]
			}
		}
		return nil
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	default:
		return []string{strings.TrimSpace(fmt.Sprint(v))}
	}
}

func fieldLine(lines []string, name string) int {
	for k, line := range lines {
		key, _, ok := cutField(line)
		if ok && strings.EqualFold(key, name) {
			return k
		}
	}
	return 0
}

// cutField reads "key: value" with a key that looks like a field's name.
func cutField(line string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(line, ":")
	if !ok {
		if key, value, ok = strings.Cut(line, "："); !ok {
			return "", "", false
		}
	}
	key = strings.Trim(key, `"' `)
	if key == "" || len(key) > 40 || strings.HasPrefix(value, "//") || !isFieldName(key) {
		return "", "", false
	}
	return key, strings.TrimSpace(value), true
}

func isFieldName(s string) bool {
	for k, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', isHan(r):
		case k > 0 && (r == '_' || r == '-' || r == '.' || r == ' ' || r >= '0' && r <= '9'):
		default:
			return false
		}
	}
	return strings.Count(s, " ") <= 2
}

// looksLikeFields reports whether the first line that says something is a field or a comment.
func looksLikeFields(lines []string) bool {
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		_, _, ok := cutField(line)
		return ok || strings.HasPrefix(line, "# ") && len(lines) > 1 && looksLikeFields(lines[1:])
	}
	return true
}

// fieldsEnd is the number of the first line that is neither a field nor belongs to one.
func fieldsEnd(lines []string, from int) int {
	k := from
	for ; k < len(lines); k++ {
		line := lines[k]
		if _, _, ok := cutField(line); ok {
			continue
		}
		if k == from || !strings.HasPrefix(line, "- ") && !strings.HasPrefix(line, "  ") || strings.TrimSpace(line) == "" {
			break
		}
	}
	return k
}

// salvage reads simple "key: value" lines, lists in brackets and "- value" lines below a key.
func (h *header) salvage(lines []string, first int) {
	for k := 0; k < len(lines); k++ {
		key, value, ok := cutField(lines[k])
		if !ok {
			continue
		}
		f := field{line: first + k}
		if value == "" {
			for k+1 < len(lines) {
				entry := strings.TrimSpace(lines[k+1])
				if !strings.HasPrefix(entry, "- ") {
					break
				}
				f.list = true
				value := entry[2:]
				if name, ok := strings.CutPrefix(value, "name:"); ok {
					value = name
				}
				f.values = append(f.values, unquote(value))
				for k++; k+1 < len(lines) && strings.HasPrefix(lines[k+1], "    "); k++ {
				}
			}
		} else {
			f.values, f.list = splitList(value)
		}
		h.set(key, f)
	}
}

// splitList reads "[a, b]" as a list and everything else as one value.
func splitList(value string) (values []string, list bool) {
	if !strings.HasPrefix(value, "[") || !strings.HasSuffix(value, "]") {
		return []string{unquote(value)}, false
	}
	for part := range strings.SplitSeq(value[1:len(value)-1], ",") {
		if part = unquote(part); part != "" {
			values = append(values, part)
		}
	}
	return values, true
}

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		if u, err := strconv.Unquote(s); err == nil && s[0] == '"' {
			return u
		}
		return s[1 : len(s)-1]
	}
	return strings.Trim(s, `"'`)
}

// flatTables are the tables of a TOML header in which site generators keep fields of the page.
var flatTables = map[string]bool{"extra": true, "params": true, "taxonomies": true}

// toml reads the flat part of a TOML header: texts, numbers, dates, lists. Other tables than flatTables are left out, with all below them.
func (h *header) toml(lines []string, open int) {
	end := closing(lines, open+1, "+++")
	if end < 0 {
		h.warn(open+1, "front matter is opened with +++ and never closed: read up to the first line that is no field")
		for end = open + 1; end < len(lines) && strings.Contains(lines[end], "="); end++ {
		}
	}
	h.lines = min(end+1, len(lines))
	if end == len(lines) || strings.TrimSpace(lines[end]) != "+++" {
		h.lines = end
	}
	for k := open + 1; k < end; k++ {
		line := strings.TrimSpace(lines[k])
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' && strings.HasSuffix(line, "]") && !strings.Contains(line, "=") {
			if !flatTables[strings.Trim(line, "[] ")] {
				return
			}
			continue
		}
		at := k
		key, value, ok := strings.Cut(line, "=")
		value = strings.TrimSpace(value)
		if quotes := value[:min(len(value), len(`"""`))]; quotes == `"""` || quotes == "'''" {
			value = value[len(quotes):]
			for !strings.Contains(value, quotes) && k+1 < end {
				k++
				value += "\n" + lines[k]
			}
			value, _, _ = strings.Cut(value, quotes)
			if isFieldName(strings.TrimSpace(key)) {
				h.set(key, field{values: []string{strings.TrimSpace(value)}, line: at + 1})
			}
			continue
		}
		for strings.HasPrefix(value, "[") && !strings.Contains(value, "]") && k+1 < end {
			k++
			value += strings.TrimSpace(lines[k])
		}
		if !ok || value == "" || !isFieldName(strings.Trim(strings.TrimSpace(key), `"'`)) {
			h.warn(at+1, "front matter: not a TOML field: "+clip(line, 60))
			continue
		}
		if k := strings.LastIndex(value, " #"); k > 0 && strings.Count(value[k:], `"`)%2 == 0 {
			value = strings.TrimSpace(value[:k])
		}
		f := field{line: at + 1}
		f.values, f.list = splitList(value)
		h.set(strings.Trim(strings.TrimSpace(key), `"'`), f)
	}
}

// org reads lines such as "#+TITLE: text".
func (h *header) org(lines []string, first int) {
	k := first
	for ; k < len(lines) && strings.HasPrefix(lines[k], "#+"); k++ {
		if key, value, ok := cutField(lines[k][len("#+"):]); ok && value != "" {
			h.set(key, field{values: []string{value}, line: k + 1})
		}
	}
	h.lines = k
}

// json reads a JSON object before the text.
func (h *header) json(text string, lines []string, open int) {
	raw := strings.Join(lines[open:], "\n")
	if depth(raw) > maxValueDepth {
		return
	}
	d := json.NewDecoder(strings.NewReader(raw))
	var values map[string]any
	if err := d.Decode(&values); err != nil {
		end := closing(lines, open+1, "}")
		if end < 0 {
			return
		}
		h.warn(open+1, "front matter: not JSON: "+err.Error())
		trimmed := make([]string, 0, end-open)
		for _, line := range lines[open+1 : end] {
			trimmed = append(trimmed, strings.TrimSuffix(strings.TrimSpace(line), ","))
		}
		h.salvage(trimmed, open+2)
		h.lines = end + 1
		return
	}
	if len(values) == 0 {
		return
	}
	h.lines = open + 1 + strings.Count(raw[:d.InputOffset()], "\n")
	for name, value := range values {
		line := open
		for k := open; k < h.lines; k++ {
			if strings.Contains(lines[k], `"`+name+`"`) {
				line = k
				break
			}
		}
		h.set(name, field{values: texts(value), list: isList(value), line: line + 1})
	}
}

// plainNames are fields of which one must be there for lines without any fence to be a header.
var plainNames = map[string]bool{
	"title": true, "date": true, "slug": true, "category": true, "categories": true, "tags": true, "author": true, "authors": true, "number": true,
	"issue": true, "subject": true, "layout": true, "series": true, "status": true, "template": true, "标题": true, "日期": true, "期号": true,
	"summary": true, "modified": true, "published": true, "editor": true, "editors": true,
}

// plain reads "Key: value" lines at the very start, ended by a blank line or "---".
func (h *header) plain(lines []string, first int) {
	k, known := first, 0
	for ; k < len(lines) && strings.TrimSpace(lines[k]) != ""; k++ {
		key, _, ok := cutField(lines[k])
		if closed := strings.TrimRight(lines[k], " \t"); closed == "---" || closed == "..." {
			break
		}
		if !ok && !(k > first && strings.HasPrefix(lines[k], "    ")) {
			return
		}
		if plainNames[strings.ToLower(key)] {
			known++
		}
	}
	if known == 0 || known == 1 && k-first == 1 && !strings.HasPrefix(strings.ToLower(lines[first]), "title:") {
		return
	}
	h.salvage(lines[first:k], first+1)
	if h.lines = k; k < len(lines) && strings.TrimSpace(lines[k]) != "" {
		h.lines = k + 1
	}
}

func clip(s string, n int) string {
	for k := range s {
		if n--; n < 0 {
			return s[:k] + "…"
		}
	}
	return s
}
