package embedded

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/alicebob/miniredis/v2/server"
)

const (
	// replyBytes is when the replies to a pipeline are sent before its end is read.
	replyBytes = 1 << 20
	// maxQueued is how many bytes of commands one transaction may hold.
	maxQueued = 128 << 20
)

// session is one client's connection, used by the goroutine that serves it.
type session struct {
	peer    *server.Peer
	out     bytes.Buffer // replies not yet sent
	answers int          // how many
	wait    *batch       // must be in the log before they are sent

	tx       *transaction // after MULTI
	watching bool
	version  int // of the memory that WATCH looked at
}

// transaction is what came since MULTI.
type transaction struct {
	queue [][]string
	bytes int
	dirty bool // a command was refused: EXEC will be, too
}

func newSession() *session {
	s := &session{}
	s.peer = server.NewPeer(bufio.NewWriter(&s.out))
	return s
}

// serve answers one client until it leaves or the engine closes.
func (e *Engine) serve(conn net.Conn) {
	defer e.forget(conn)
	s := newSession()
	r := bufio.NewReaderSize(conn, 64<<10)
	for {
		args, err := readCommand(r)
		if err != nil {
			if errors.Is(err, errProtocol) {
				fmt.Fprintf(conn, "-ERR %s\r\n", err)
			}
			return
		}
		if len(args) > 0 {
			e.answer(s, args)
			s.answers++
		}
		if r.Buffered() > 0 && s.out.Len() < replyBytes && !s.peer.Closed() {
			continue // the rest of the pipeline first: one write to the log, one sync
		}
		if e.send(s, conn) != nil || s.peer.Closed() {
			return
		}
	}
}

// send waits until all that the replies tell of is in the log. If that fails they are all replaced.
func (e *Engine) send(s *session, conn net.Conn) error {
	if err := e.commit(s.wait); err != nil {
		s.out.Reset()
		for range s.answers {
			fmt.Fprintf(&s.out, "-%s\r\n", misconf(err))
		}
	}
	_, err := conn.Write(s.out.Bytes())
	s.out.Reset()
	s.answers, s.wait = 0, nil
	return err
}

// answer runs or queues one command and puts its reply into s.out.
func (e *Engine) answer(s *session, args []string) {
	name := strings.ToUpper(args[0])
	cmd, fault := lookup(name, args)
	switch {
	case fault != "":
		if s.tx != nil {
			s.tx.dirty = true
		}
		s.fail(fault)
	case cmd.kind == local:
		e.answerLocal(s, name, args)
	case s.tx != nil:
		s.enqueue(args)
	default:
		e.exec(s, [][]string{args})
	}
}

func (s *session) enqueue(args []string) {
	for _, a := range args {
		s.tx.bytes += len(a)
	}
	if s.tx.bytes > maxQueued {
		s.tx.dirty, s.tx.queue = true, nil
		s.fail(fmt.Sprintf("ERR a transaction of more than %d bytes", maxQueued))
		return
	}
	s.tx.queue = append(s.tx.queue, args)
	s.say("+QUEUED")
}

func (s *session) say(line string)   { s.out.WriteString(line + "\r\n") }
func (s *session) fail(fault string) { s.say("-" + oneLine(fault)) }

// oneLine keeps a text that quotes a client's words from ending the reply early.
func oneLine(s string) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(s)
}

// answerLocal answers what needs no data, and begins and ends transactions.
func (e *Engine) answerLocal(s *session, name string, args []string) {
	switch name {
	case "MULTI":
		if s.tx != nil {
			s.fail("ERR MULTI calls can not be nested")
			return
		}
		s.tx = &transaction{}
		s.say("+OK")
	case "DISCARD":
		if s.tx == nil {
			s.fail("ERR DISCARD without MULTI")
			return
		}
		s.tx = nil
		e.unwatch(s)
		s.say("+OK")
	case "EXEC":
		e.answerExec(s)
	case "WATCH":
		if s.tx != nil {
			s.fail("ERR WATCH inside MULTI is not allowed")
			return
		}
		e.watch(s, args)
	case "UNWATCH":
		e.unwatch(s)
		s.say("+OK")
	default:
		s.answerPlain(name, args)
	}
}

func (e *Engine) answerExec(s *session) {
	switch {
	case s.tx == nil:
		s.fail("ERR EXEC without MULTI")
	case s.tx.dirty:
		s.tx = nil
		e.unwatch(s)
		s.fail("EXECABORT Transaction discarded because of previous errors.")
	default:
		e.execQueued(s)
	}
}

// answerPlain answers what concerns the connection only.
func (s *session) answerPlain(name string, args []string) {
	switch name {
	case "PING":
		if len(args) > 1 {
			s.peer.WriteBulk(args[1])
		} else {
			s.peer.WriteInline("PONG")
		}
	case "ECHO":
		s.peer.WriteBulk(args[1])
	case "HELLO":
		if len(args) > 1 && args[1] != "2" {
			s.peer.WriteError("NOPROTO the embedded store speaks RESP2 only")
			break
		}
		s.peer.WriteStrings([]string{"server", "redis", "version", redisVersion, "proto", "2", "mode", "standalone", "role", "master"})
	case "SELECT":
		if args[1] != "0" {
			s.peer.WriteError("ERR the embedded store has database 0 only")
			break
		}
		s.peer.WriteOK()
	case "INFO":
		s.peer.WriteBulk(info)
	case "WAIT":
		s.peer.WriteInt(0) // no replicas
	case "CLIENT":
		if strings.EqualFold(args[1], "GETNAME") {
			s.peer.WriteBulk(s.peer.ClientName)
			break
		}
		if strings.EqualFold(args[1], "SETNAME") && len(args) == 3 {
			s.peer.ClientName = args[2]
		}
		s.peer.WriteOK()
	case "QUIT":
		s.peer.WriteOK()
		s.peer.Close()
	}
	s.peer.Flush()
}

// redisVersion is the Redis whose commands are understood.
const redisVersion = "7.0.15"

// info is the least that tools ask for.
const info = "# Server\r\nredis_version:" + redisVersion + "\r\nredis_mode:standalone\r\nexecutable:embedded\r\n" +
	"# Persistence\r\nloading:0\r\naof_enabled:1\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n" +
	"# Cluster\r\ncluster_enabled:0\r\n"
