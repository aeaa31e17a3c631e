package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"weeklybot/bot"
	"weeklybot/content/source"
	"weeklybot/internal/nearest"
)

// maxConfigBytes bounds config.yaml and each secret file.
const maxConfigBytes = 1 << 20

// decodeStrict fills cfg from YAML. ${NAME} in a value becomes the environment variable; a key that ends in _file takes the content of that
// file as the value of the key before it. Unknown keys, unset variables and unreadable files are faults; all are reported, with lines.
func decodeStrict(path string, data []byte, cfg *Config) error {
	if len(data) > maxConfigBytes {
		return fmt.Errorf("%s: is over %d bytes", path, maxConfigBytes)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return fmt.Errorf("%s: %s", path, firstLines(err))
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil || file.Docs[0].Body.Type() == ast.NullType {
		return nil
	}
	if len(file.Docs) > 1 {
		return fmt.Errorf("%s: holds %d documents: want one", path, len(file.Docs))
	}
	s := &strict{path: path, dir: filepath.Dir(path)}
	body := file.Docs[0].Body
	s.walk(body, reflect.TypeFor[Config](), "")
	if len(s.faults) > 0 {
		return errors.Join(s.faults...)
	}
	if err := yaml.NodeToValue(body, cfg); err != nil {
		return fmt.Errorf("%s: %s", path, firstLines(err))
	}
	return nil
}

// firstLines is a YAML error without the excerpt of the file, which may hold secrets.
func firstLines(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// strict compares a YAML tree with the type it is for.
type strict struct {
	path, dir string
	faults    []error
}

func (s *strict) fault(n ast.Node, format string, args ...any) {
	line := 0
	if t := n.GetToken(); t != nil && t.Position != nil {
		line = t.Position.Line
	}
	s.faults = append(s.faults, fmt.Errorf("%s:%d: %s", s.path, line, fmt.Sprintf(format, args...)))
}

func (s *strict) walk(n ast.Node, t reflect.Type, at string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			s.pair(v, t, at)
		}
	case *ast.MappingValueNode:
		s.pair(n, t, at)
	case *ast.SequenceNode:
		if t.Kind() != reflect.Slice {
			s.fault(n, "%s: is a list, want one value", at)
			return
		}
		for i, v := range n.Values {
			s.walk(v, t.Elem(), fmt.Sprintf("%s[%d]", at, i))
		}
	case *ast.StringNode:
		n.Value = s.expand(n, n.Value)
	case *ast.LiteralNode:
		n.Value.Value = s.expand(n, n.Value.Value)
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		s.fault(n, "%s: anchors, aliases and tags are not used here", at)
	}
}

func (s *strict) pair(v *ast.MappingValueNode, t reflect.Type, at string) {
	key := v.Key.String()
	where := strings.TrimPrefix(at+"."+key, ".")
	if t.Kind() != reflect.Struct {
		s.fault(v, "%s: holds keys, want a plain value", at)
		return
	}
	keys := yamlKeys(t)
	if field, ok := keys[strings.TrimSuffix(key, "_file")]; ok && strings.HasSuffix(key, "_file") && isSecret(field.Type) {
		s.fromFile(v, strings.TrimSuffix(key, "_file"), where)
		return
	}
	field, ok := keys[key]
	if !ok {
		s.fault(v, "unknown key %s%s", where, suggestion(key, keys))
		return
	}
	s.walk(v.Value, field.Type, where)
}

func isSecret(t reflect.Type) bool {
	return t == reflect.TypeFor[bot.Secret]() || t == reflect.TypeFor[source.Secret]()
}

// fromFile turns key_file: PATH into key: content of PATH, without line ends around it.
func (s *strict) fromFile(v *ast.MappingValueNode, key, where string) {
	name, ok := v.Value.(*ast.StringNode)
	if !ok {
		s.fault(v, "%s: want the path of a file", where)
		return
	}
	path := s.expand(name, name.Value)
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		s.fault(v, "%s: %v", where, err)
		return
	}
	if len(data) > maxConfigBytes {
		s.fault(v, "%s: %s is over %d bytes", where, path, maxConfigBytes)
		return
	}
	name.Value = strings.TrimSpace(string(data))
	v.Key.GetToken().Value = key
	if k, ok := v.Key.(*ast.StringNode); ok {
		k.Value = key
	}
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

func (s *strict) expand(n ast.Node, value string) string {
	return variable.ReplaceAllStringFunc(value, func(m string) string {
		name := m[2 : len(m)-1]
		v, ok := os.LookupEnv(name)
		if !ok {
			s.fault(n, "the environment variable %s is not set", name)
		}
		return v
	})
}

// yamlKeys maps the keys of a struct to its fields.
func yamlKeys(t reflect.Type) map[string]reflect.StructField {
	keys := map[string]reflect.StructField{}
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); f.IsExported() && name != "-" && name != "" {
			keys[name] = f
		}
	}
	return keys
}

// suggestion says what an unknown key may have meant.
func suggestion(key string, keys map[string]reflect.StructField) string {
	known := slices.Sorted(maps.Keys(keys))
	if near := nearest.Of(key, known, 1); len(near) > 0 {
		return fmt.Sprintf(": did you mean %s?", near[0])
	}
	return ": known here are " + strings.Join(known, ", ")
}
