package embedded

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// memory is the data: miniredis under a clock of our own, with expiry of our own. It notes what each command changes, so that the same
// changes at the same times give the same data again. It is used with Engine.mu held.
//
// What a script changes is noted as the writes it made, not as the script: a script that fails half-way, looks at a random thing or
// takes long is then replayed exactly and quickly.
//
// miniredis counts a key's time to live down only when told to, by a walk over all keys. It is never told: deadlines holds when keys expire,
// expire removes them, and settle corrects the time to live before a command looks at it.
type memory struct {
	m   *miniredis.Miniredis
	srv *server.Server
	own *server.Peer // for our own questions

	now       int64             // unix ms
	deadlines map[string]int64  // key → unix ms; may hold keys that no longer expire
	soonest   int64             // no deadline is before it
	sources   map[string]string // SHA-1 → source of the scripts that the log holds

	changed [][]string // by the running command
	refuse  error      // why writes are refused now
	broken  error      // a command crashed: this memory must be replaced
	pass    bool       // the next command that miniredis sees is ours, not a script's
}

func newMemory() (*memory, error) {
	m := &memory{m: miniredis.NewMiniRedis(), deadlines: map[string]int64{}, soonest: math.MaxInt64, sources: map[string]string{}}
	conn, err := m.m.Dial() // starts it without a listener; its own pipe is not used: it hangs on long pipelines
	if err != nil {
		return nil, err
	}
	conn.Close()
	m.srv = m.m.Server()
	m.srv.SetPreHook(m.hook)
	m.own = newPeer(&bytes.Buffer{})
	return m, nil
}

func newPeer(out *bytes.Buffer) *server.Peer { return server.NewPeer(bufio.NewWriter(out)) }

func (m *memory) setClock(ms int64) {
	m.now = ms
	m.m.SetTime(time.UnixMilli(ms).UTC())
}

// run runs one command of a client and notes what it changed. The reply goes to p.
func (m *memory) run(p *server.Peer, args []string) {
	name := strings.ToUpper(args[0])
	cmd := commands[name]
	if cmd.kind == write {
		m.runWrite(p, name, args)
		return
	}
	m.call(p, name, args)
	if cmd.kind == script && m.broken == nil {
		m.rememberScript(p, name, args)
	}
}

// runWrite notes a write before it runs, also if it will fail: a command that answers an error may have changed something.
func (m *memory) runWrite(p *server.Peer, name string, args []string) {
	if m.refuse != nil {
		p.WriteError(misconf(m.refuse))
		return
	}
	m.changed = append(m.changed, args)
	m.call(p, name, args)
}

// hook sees every command before miniredis runs it. Those that are not our own come from a script: the same rules apply to them.
func (m *memory) hook(p *server.Peer, name string, rest ...string) bool {
	if m.pass {
		m.pass = false
		return false
	}
	args := append([]string{name}, rest...)
	cmd, fault := lookup(name, args)
	switch {
	case m.broken != nil:
		p.WriteError("ERR an earlier command of this script crashed")
	case fault != "":
		p.WriteError(fault)
	case cmd.kind == read:
		m.call(p, name, args)
	case cmd.kind == write:
		m.runWrite(p, name, args)
	default:
		p.WriteError(fmt.Sprintf("ERR '%s' is not allowed in a script", strings.ToLower(name)))
	}
	return true
}

// call runs one command in miniredis. A crash there may leave it locked or half changed: broken says so.
func (m *memory) call(p *server.Peer, name string, args []string) {
	defer func() {
		if r := recover(); r != nil {
			m.broken = fmt.Errorf("'%.60s' crashed: %v", args[0], r)
		}
	}()
	timed := isTimed(name, args)
	if timed {
		m.settle(p, args[1])
	}
	m.pass = true
	m.srv.Dispatch(p, args)
	if timed {
		m.noteDeadline(p, args[1])
	}
}

// ask runs a question of our own, in the context of p: a script holds miniredis' lock, and its questions must not wait for it.
func (m *memory) ask(p *server.Peer, args ...string) string {
	var out bytes.Buffer
	side := newPeer(&out)
	side.Ctx = p.Ctx
	m.pass = true
	m.srv.Dispatch(side, args)
	side.Flush()
	return out.String()
}

// ttl is what miniredis thinks is left, in ms; not above 0 for a key that does not expire.
func (m *memory) ttl(p *server.Peer, key string) int64 {
	left, _ := strconv.ParseInt(strings.Trim(m.ask(p, "PTTL", key), ":\r\n"), 10, 64)
	return left
}

// settle gives miniredis the true time to live of a key.
func (m *memory) settle(p *server.Peer, key string) {
	if at, ok := m.deadlines[key]; ok && m.ttl(p, key) > 0 {
		m.ask(p, "PEXPIRE", key, strconv.FormatInt(max(1, at-m.now), 10))
	}
}

// noteDeadline learns when a key now expires, after a command that may have changed it.
func (m *memory) noteDeadline(p *server.Peer, key string) {
	left := m.ttl(p, key)
	if left <= 0 {
		delete(m.deadlines, key)
		return
	}
	m.deadlines[key] = m.now + left
	m.soonest = min(m.soonest, m.now+left)
}

// expire removes the keys whose time has come and gives the writes that did it.
func (m *memory) expire() (writes [][]string) {
	if m.now < m.soonest {
		return nil
	}
	m.soonest = math.MaxInt64
	for key, at := range m.deadlines {
		if at > m.now {
			m.soonest = min(m.soonest, at)
			continue
		}
		delete(m.deadlines, key)
		if m.ttl(m.own, key) > 0 { // else it was replaced by one that stays
			m.ask(m.own, "DEL", key)
			writes = append(writes, []string{"DEL", key})
		}
	}
	return writes
}

// rememberScript notes the source of a script that the log does not hold yet, so that EVALSHA finds it after a restart.
func (m *memory) rememberScript(p *server.Peer, name string, args []string) {
	var source string
	switch {
	case strings.HasPrefix(name, "EVALSHA"):
		return
	case name != "SCRIPT":
		source = args[1]
	case strings.EqualFold(args[1], "LOAD") && len(args) == 3:
		source = args[2]
	default:
		return
	}
	sum := sha1.Sum([]byte(source))
	sha := hex.EncodeToString(sum[:])
	if m.sources[sha] != "" || m.refuse != nil || !strings.Contains(m.ask(p, "SCRIPT", "EXISTS", sha), ":1") {
		return
	}
	m.sources[sha] = source
	m.changed = append(m.changed, []string{"SCRIPT", "LOAD", source})
}

// replay applies one record of the log.
func (m *memory) replay(payload []byte) error {
	ms, writes, err := decodePayload(payload)
	if err != nil {
		return err
	}
	m.setClock(ms)
	for _, args := range writes {
		if err := m.replayOne(args); err != nil {
			return err
		}
	}
	m.changed = m.changed[:0]
	return nil
}

func (m *memory) replayOne(args []string) error {
	name := strings.ToUpper(args[0])
	cmd := commands[name]
	isScript := name == "SCRIPT" && len(args) == 3 && strings.EqualFold(args[1], "LOAD")
	if cmd.kind != write && cmd.kind != internal && !isScript || blocks(args) {
		return fmt.Errorf("%w: '%.60s'", errPayload, args[0])
	}
	m.call(m.own, name, args)
	if isScript && m.broken == nil {
		m.rememberScript(m.own, name, args)
	}
	m.own.Flush()
	return m.broken
}
