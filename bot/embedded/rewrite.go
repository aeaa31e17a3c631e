package embedded

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/alicebob/miniredis/v2/server"
)

// grown says whether a rewrite would pay.
func (e *Engine) grown() bool {
	e.fileMu.Lock()
	defer e.fileMu.Unlock()
	return e.size > e.opt.MinRewrite && e.size > 2*e.base
}

var errStale = errors.New("the store's memory was loaded again meanwhile")

// rewrite replaces the log by the shortest one that gives the same data. Commands wait only while the data is copied in memory and, at
// the end, while the last records and the rename reach the disk. A rewrite that fails changes nothing.
func (e *Engine) rewrite() error {
	e.rewriteMu.Lock()
	defer e.rewriteMu.Unlock()
	err := e.rewriteTo(e.path(newName))
	if err != nil {
		os.Remove(e.path(newName))
		e.log.Warn("cannot rewrite the embedded store's log; it goes on growing", "err", err, "path", e.path(newName))
	}
	return err
}

func (e *Engine) rewriteTo(name string) error {
	copied, err := e.copyData()
	if err != nil {
		return err
	}
	f, err := e.opt.openFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	out := &logWriter{f: f}
	if err := e.writeNew(out, copied); err != nil {
		f.Close()
		return err
	}
	return nil
}

func (e *Engine) writeNew(out *logWriter, copied *snapshot) error {
	if err := out.begin(); err != nil {
		return err
	}
	if err := copied.write(out); err != nil {
		return err
	}
	if err := errors.Join(out.flush(), out.f.Sync()); err != nil {
		return err
	}
	e.fileMu.Lock()
	caughtUp := e.size
	e.fileMu.Unlock()
	if err := out.carry(e.file, copied.upTo, caughtUp); err != nil { // most of what came meanwhile, without stopping anybody
		return err
	}
	e.fileMu.Lock()
	defer e.fileMu.Unlock()
	if err := out.carry(e.file, max(copied.upTo, caughtUp), e.size); err != nil {
		return err
	}
	return e.replaceLog(out, copied)
}

// replaceLog puts the finished new log in the place of the old one. Called with fileMu held.
func (e *Engine) replaceLog(out *logWriter, copied *snapshot) error {
	if err := errors.Join(out.flush(), out.f.Sync()); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.version != copied.version {
		return errStale
	}
	if err := os.Rename(e.path(newName), e.path(logName)); err != nil {
		return err
	}
	if err := syncDir(e.dir); err != nil {
		e.log.Warn("cannot sync the embedded store's directory", "err", err, "path", e.dir)
	}
	e.file.Close()
	e.log.Info("embedded store rewritten", "path", e.path(logName), "before", e.size, "after", out.size)
	e.file, e.size, e.base = out.f, out.size, out.size
	e.unsynced.Store(false)
	return nil
}

// logWriter writes records to a new log.
type logWriter struct {
	f    file
	buf  []byte
	size int64 // with buf
}

func (w *logWriter) begin() error {
	w.buf, w.size = []byte(logHeader), int64(len(logHeader))
	return nil
}

// put adds one record.
func (w *logWriter) put(ms int64, writes ...[]string) error {
	start := len(w.buf)
	w.buf = appendRecord(w.buf, ms, writes)
	return w.added(start)
}

func (w *logWriter) added(start int) error {
	seal(w.buf[start:], w.size)
	w.size += int64(len(w.buf) - start)
	if len(w.buf) < scanBuffer {
		return nil
	}
	return w.flush()
}

func (w *logWriter) flush() error {
	_, err := w.f.WriteAt(w.buf, w.size-int64(len(w.buf)))
	w.buf = w.buf[:0]
	return err
}

// carry copies records from the old log; their frames change with their place.
func (w *logWriter) carry(old io.ReaderAt, from, to int64) error {
	if from >= to {
		return nil
	}
	_, err := scan(old, from, to, func(payload []byte) error {
		start := len(w.buf)
		w.buf = append(w.buf, make([]byte, frameBytes)...)
		w.buf = append(w.buf, payload...)
		binary.LittleEndian.PutUint32(w.buf[start:], uint32(len(payload)))
		return w.added(start)
	})
	return err
}

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

// copyData copies all data. The records that are still to be written when it returns are part of it.
func (e *Engine) copyData() (*snapshot, error) {
	e.fileMu.Lock() // so that nothing is in flight
	defer e.fileMu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mem == nil {
		return nil, e.fault
	}
	e.tick()
	s := e.mem.copyAll()
	s.version, s.upTo = e.version, e.size+int64(len(e.cur.records))
	return s, nil
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
