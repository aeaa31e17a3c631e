package embedded

import (
	"fmt"
	"strings"
)

// exec runs commands as one step, logs what they changed as one record, and puts the replies into s.out.
func (e *Engine) exec(s *session, queue [][]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.begin(s) {
		return
	}
	e.step(s, queue, "")
}

// execQueued is EXEC: all of a transaction's commands, or none if a watched key has changed.
func (e *Engine) execQueued(s *session) {
	queue := s.tx.queue
	s.tx = nil
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.begin(s) {
		return
	}
	if s.watching && e.watchedChanged(s) {
		s.say("*-1")
		s.wait = e.newest()
		return
	}
	e.step(s, queue, fmt.Sprintf("*%d\r\n", len(queue)))
}

// begin sets the clock and removes what has expired; false if there is no data to work on.
func (e *Engine) begin(s *session) bool {
	if e.mem == nil {
		s.fail(misconf(e.fault))
		return false
	}
	e.tick()
	return true
}

// tick is called with mu held before every step.
func (e *Engine) tick() {
	e.mem.setClock(e.opt.Now().UnixMilli())
	if e.fault == nil { // what cannot be logged must not happen
		if writes := e.mem.expire(); len(writes) > 0 {
			e.append(writes)
		}
	}
}

// step runs commands after the start of their common reply, if they have one. Called with mu held.
func (e *Engine) step(s *session, queue [][]string, head string) {
	start := s.out.Len()
	s.out.WriteString(head)
	e.mem.refuse, e.mem.changed = e.fault, nil
	for _, args := range queue {
		e.mem.run(s.peer, args)
		s.peer.Flush()
		if e.mem.broken != nil {
			e.undo(s, start)
			return
		}
	}
	if len(e.mem.changed) > 0 {
		e.append(e.mem.changed)
	}
	s.wait = e.newest()
}

// undo replaces a memory in which a command crashed by a new one without that command.
func (e *Engine) undo(s *session, start int) {
	e.log.Error("a command crashed the embedded store's engine; it is undone and the data is loaded again", "err", e.mem.broken)
	cause := e.mem.broken
	s.out.Truncate(start)
	s.fail(fmt.Sprintf("ERR %s", cause))
	e.reload(true)
}

// append encodes a record of writes; commit puts it into the file.
func (e *Engine) append(writes [][]string) {
	e.cur.records = appendRecord(e.cur.records, e.mem.now, writes)
}

// newest is the last batch that a reply may tell of, nil if all is in the file.
func (e *Engine) newest() *batch {
	if len(e.cur.records) > 0 {
		return e.cur
	}
	return e.flight
}

func (e *Engine) watch(s *session, args []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.begin(s) {
		return
	}
	if !s.watching {
		s.watching, s.version = true, e.version
	}
	e.mem.call(s.peer, "WATCH", args)
	s.peer.Flush()
	s.wait = e.newest()
}

// watchedChanged asks miniredis by an empty transaction, which also ends the watch. After a reload nobody knows: it counts as changed.
func (e *Engine) watchedChanged(s *session) bool {
	s.watching = false
	if s.version != e.version {
		e.mem.ask(s.peer, "UNWATCH")
		return true
	}
	e.mem.ask(s.peer, "MULTI")
	return strings.HasPrefix(e.mem.ask(s.peer, "EXEC"), "*-1")
}

func (e *Engine) unwatch(s *session) {
	if !s.watching {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s.watching = false
	if e.mem != nil {
		e.mem.ask(s.peer, "UNWATCH")
	}
}
