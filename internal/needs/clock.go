package needs

import (
	_ "embed"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

//go:embed testdata/clock.c
var clockSource []byte

// NewServerWithClock is NewServer, on a unix socket, with a clock that can be moved. It takes a C compiler, and Linux.
func NewServerWithClock(t testing.TB, dir string, args ...string) *Server {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the clock of a redis-server can be moved on Linux only")
	}
	cc := program(t, "apt-get install gcc", "cc")
	source, library, clock := filepath.Join(dir, "clock.c"), filepath.Join(dir, "clock.so"), filepath.Join(dir, "clock")
	for name, body := range map[string][]byte{source: clockSource, clock: make([]byte, 8)} {
		if err := os.WriteFile(name, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s := newServer(dir, 0, args...)
	s.clock, s.env = clock, append(os.Environ(), "LD_PRELOAD="+library, "WEEKLYBOT_CLOCK="+clock)
	s.Restart(t)
	return s
}

// MoveClock puts the server's clock d before the true one; back, when d is negative.
func (s *Server) MoveClock(t testing.TB, d time.Duration) {
	t.Helper()
	f, err := os.OpenFile(s.clock, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.Write(binary.NativeEndian.AppendUint64(nil, uint64(d.Microseconds()))) // in place: the server has it mapped
		_ = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
