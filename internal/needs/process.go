package needs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Process is a child that ends with the test, however that ends.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start runs cmd.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the child dies with the thread that started it
		cmd.SysProcAttr = diesWithParent()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	t.Cleanup(p.Kill)
	return p
}

// Kill ends the child as kill -9 does, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Signal sends the child a signal; one that has ended does not mind.
func (p *Process) Signal(sig os.Signal) { _ = p.cmd.Process.Signal(sig) }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is how the child ended; only after Done.
func (p *Process) Err() error { return p.err }

// Server is a redis-server of a test's own.
type Server struct {
	*Process
	Addr  string // host:port, or the path of a unix socket
	args  []string
	env   []string // nil: the test's
	clock string   // the file that moves the server's clock
}

// NewServer starts a redis-server on a unix socket in dir; with port > 0 on that port of the loopback instead.
func NewServer(t testing.TB, dir string, port int, args ...string) *Server {
	t.Helper()
	s := newServer(dir, port, args...)
	s.Restart(t)
	return s
}

func newServer(dir string, port int, args ...string) *Server {
	s := &Server{Addr: fmt.Sprint("127.0.0.1:", port)}
	s.args = append([]string{"--dir", dir, "--save", "", "--daemonize", "no", "--port", fmt.Sprint(port)}, args...)
	if port == 0 {
		s.Addr = filepath.Join(dir, "s")
		s.args = append(s.args, "--unixsocket", s.Addr)
	} else {
		s.args = append(s.args, "--bind", "127.0.0.1")
	}
	return s
}

// NewSentinel starts a Sentinel with a configuration file, which it rewrites.
func NewSentinel(t testing.TB, conf, dir string, port int) *Server {
	t.Helper()
	s := &Server{Addr: fmt.Sprint("127.0.0.1:", port), args: []string{conf, "--sentinel", "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--dir", dir}}
	s.Restart(t)
	return s
}

// Restart starts the server again after a Kill, with the same settings and data, and waits until it answers.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	cmd := exec.Command(RedisServer(t), s.args...)
	cmd.Env = s.env
	s.Process = Start(t, cmd)
	c := s.Client()
	defer func() { _ = c.Close() }()
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = c.Ping(context.Background()).Err(); err == nil {
			return
		}
	}
	t.Fatalf("redis-server at %s does not answer: %v", s.Addr, err)
}

// Client is a new client of the server.
func (s *Server) Client() *redis.Client {
	opt := &redis.Options{Addr: s.Addr, Network: "tcp"}
	if filepath.IsAbs(s.Addr) {
		opt.Network = "unix"
	}
	return redis.NewClient(opt)
}

// FreePorts finds ports of the loopback that nobody listens on, below those that the system gives to anyone who asks for any: one of them would be
// taken before the server is there.
func FreePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range 100 * n {
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", 20000+rand.IntN(12000)))
		if err != nil {
			continue
		}
		defer func() { _ = l.Close() }() // all stay taken until all are found
		if ports = append(ports, l.Addr().(*net.TCPAddr).Port); len(ports) == n {
			return ports
		}
	}
	t.Fatalf("%d free ports found, want %d", len(ports), n)
	return nil
}
