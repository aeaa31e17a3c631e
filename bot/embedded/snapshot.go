package embedded

import (
	"bufio"
	"strconv"
	"strings"

	"github.com/alicebob/miniredis/v2/server"
)

// snapshot is all data at one moment, as Redis replies: copied with the lock held, taken apart without.
type snapshot struct {
	now     int64
	version int
	upTo    int64 // where in the old log the records end that it contains
	keys    []keyCopy
	scripts []string
}

type keyCopy struct {
	key, kind string
	value     string // reply to GET, HGETALL …
	deadline  int64  // unix ms, 0 for none
	stream    streamCopy
}

type streamCopy struct {
	lastID string
	groups []groupCopy
}

type groupCopy struct {
	name, lastID string
	consumers    []string
	pending      string // reply to XPENDING
}

func (m *memory) copyAll() *snapshot {
	s := &snapshot{now: m.now}
	for _, source := range m.sources {
		s.scripts = append(s.scripts, source)
	}
	for _, key := range m.m.Keys() {
		s.keys = append(s.keys, m.copyKey(key))
	}
	return s
}

func (m *memory) copyKey(key string) keyCopy {
	k := keyCopy{key: key, kind: m.m.Type(key)}
	if at, ok := m.deadlines[key]; ok && m.ttl(m.own, key) > 0 {
		k.deadline = at
	}
	switch k.kind {
	case "string":
		k.value = m.ask(m.own, "GET", key)
	case "hash":
		k.value = m.ask(m.own, "HGETALL", key)
	case "set":
		k.value = m.ask(m.own, "SMEMBERS", key)
	case "zset":
		k.value = m.ask(m.own, "ZRANGE", key, "0", "-1", "WITHSCORES")
	case "list":
		k.value = m.ask(m.own, "LRANGE", key, "0", "-1")
	case "stream":
		k.value = m.ask(m.own, "XRANGE", key, "-", "+")
		k.stream = m.copyStream(key)
	}
	return k
}

func (m *memory) copyStream(key string) (s streamCopy) {
	s.lastID = field(parse(m.ask(m.own, "XINFO", "STREAM", key)), "last-generated-id")
	for _, g := range list(parse(m.ask(m.own, "XINFO", "GROUPS", key))) {
		group := groupCopy{name: field(g, "name"), lastID: field(g, "last-delivered-id")}
		for _, c := range list(parse(m.ask(m.own, "XINFO", "CONSUMERS", key, group.name))) {
			group.consumers = append(group.consumers, field(c, "name"))
		}
		group.pending = m.ask(m.own, "XPENDING", key, group.name, "-", "+", strconv.Itoa(1<<31-1))
		s.groups = append(s.groups, group)
	}
	return s
}

// chunk is how many words one record of a rewritten log holds at most, about.
const chunk = 256

// write gives the commands that make the data.
func (s *snapshot) write(out *logWriter) error {
	for _, source := range s.scripts {
		if err := out.put(s.now, []string{"SCRIPT", "LOAD", source}); err != nil {
			return err
		}
	}
	for _, k := range s.keys {
		if err := s.writeKey(out, k); err != nil {
			return err
		}
	}
	return nil
}

func (s *snapshot) writeKey(out *logWriter, k keyCopy) error {
	var err error
	switch k.kind {
	case "string":
		err = out.put(s.now, []string{"SET", k.key, text(parse(k.value))})
	case "hash":
		err = s.writeMany(out, "HSET", k.key, texts(parse(k.value)))
	case "set":
		err = s.writeMany(out, "SADD", k.key, texts(parse(k.value)))
	case "list":
		err = s.writeMany(out, "RPUSH", k.key, texts(parse(k.value)))
	case "zset":
		members := texts(parse(k.value))
		for i := 0; i+1 < len(members); i += 2 { // ZADD wants the score first
			members[i], members[i+1] = members[i+1], members[i]
		}
		err = s.writeMany(out, "ZADD", k.key, members)
	case "stream":
		err = s.writeStream(out, k)
	}
	if err == nil && k.deadline != 0 {
		err = out.put(s.now, []string{"PEXPIREAT", k.key, strconv.FormatInt(k.deadline, 10)})
	}
	return err
}

func (s *snapshot) writeMany(out *logWriter, name, key string, words []string) error {
	for len(words) > 0 {
		n := min(chunk, len(words)) // even, so that pairs stay together
		if err := out.put(s.now, append([]string{name, key}, words[:n]...)); err != nil {
			return err
		}
		words = words[n:]
	}
	return nil
}

// writeStream gives the entries, the last ID (which deleted entries may have had), the groups and what is pending.
func (s *snapshot) writeStream(out *logWriter, k keyCopy) error {
	last := "0-0"
	for _, entry := range list(parse(k.value)) {
		id, fields := pair(entry)
		last = text(id)
		if err := out.put(s.now, append([]string{"XADD", k.key, last}, texts(fields)...)); err != nil {
			return err
		}
	}
	var writes [][]string
	if last == "0-0" { // an empty stream
		writes = append(writes, []string{"XGROUP", "CREATE", k.key, "-", "0", "MKSTREAM"}, []string{"XGROUP", "DESTROY", k.key, "-"})
	}
	if k.stream.lastID != "" && k.stream.lastID != last {
		writes = append(writes, []string{"XADD", k.key, k.stream.lastID, "", ""}, []string{"XDEL", k.key, k.stream.lastID})
	}
	for _, g := range k.stream.groups {
		writes = append(writes, []string{"XGROUP", "CREATE", k.key, g.name, g.lastID})
		for _, c := range g.consumers {
			writes = append(writes, []string{"XGROUP", "CREATECONSUMER", k.key, g.name, c})
		}
		for _, p := range list(parse(g.pending)) {
			writes = append(writes, s.claim(k.key, g.name, list(p)))
		}
	}
	if len(writes) == 0 {
		return nil
	}
	return out.put(s.now, writes...)
}

// claim makes one pending entry again: id, consumer, idle time in ms, deliveries.
func (s *snapshot) claim(key, group string, p []any) []string {
	idle, _ := p[2].(int)
	count, _ := p[3].(int)
	return []string{"XCLAIM", key, group, text(p[1]), "0", text(p[0]),
		"TIME", strconv.FormatInt(s.now-int64(idle), 10), "RETRYCOUNT", strconv.Itoa(count), "FORCE", "JUSTID"}
}

// parse takes a reply of miniredis apart. It cannot fail on what miniredis wrote.
func parse(reply string) any {
	v, err := server.ParseReply(bufio.NewReader(strings.NewReader(reply)))
	if err != nil {
		return nil
	}
	return v
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func texts(v any) []string {
	l := list(v)
	out := make([]string, len(l))
	for i, x := range l {
		out[i] = text(x)
	}
	return out
}

func pair(v any) (a, b any) {
	if l := list(v); len(l) == 2 {
		return l[0], l[1]
	}
	return nil, nil
}

// field is a value in a reply of names and values.
func field(v any, name string) string {
	l := list(v)
	for i := 0; i+1 < len(l); i += 2 {
		if text(l[i]) == name {
			return text(l[i+1])
		}
	}
	return ""
}
