package embedded

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// FuzzReadCommand: what is read is what the bytes say (written again they are the same), and a promise of many bytes takes no memory.
func FuzzReadCommand(f *testing.F) {
	for _, s := range []string{
		"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "*0\r\n", "*1\r\n$0\r\n\r\n", "*1048576\r\n$67108864\r\n", "*-1\r\n", "PING\r\n", "*1\r\n$4\r\nPING\n\n",
		"*1\r\n$99999999999999999999\r\n", "*2\r\n$3\r\nGET\r\n", "*1\r\n$+4\r\nPING\r\n", "*01\r\n$4\r\nPING\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := bufio.NewReaderSize(bytes.NewReader(in), 4<<10)
		args, err := readCommand(r)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20+uint64(20*len(in)) {
			t.Fatalf("%d bytes allocated for %d", grown, len(in))
		}
		if err != nil {
			return
		}
		var out bytes.Buffer
		fmt.Fprintf(&out, "*%d\r\n", len(args))
		for _, a := range args {
			fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(a), a)
		}
		again, err := readCommand(bufio.NewReader(&out))
		if err != nil || !slices.Equal(args, again) {
			t.Fatalf("%q read as %q, written and read again as %q, %v", in, args, again, err)
		}
	})
}

// FuzzOpen opens any bytes as a log, sealed so that they get past the checksums, and alone. It opens or is refused; if it opens, it opens
// again with the same data after a write and a rewrite.
func FuzzOpen(f *testing.F) {
	payload := func(writes ...[]string) []byte { return appendPayload(nil, 1_800_000_000_000, writes) }
	f.Add(payload([]string{"SET", "a", "1", "PX", "5"}), true)
	f.Add(payload([]string{"XADD", "x", "*", "a", "b"}, []string{"XGROUP", "CREATE", "x", "g", "0"}, []string{"XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", ">"}), true)
	f.Add(payload([]string{"XCLAIM", "x", "g", "c", "0", "1-1", "TIME"}), true)
	f.Add(payload([]string{"EXPIRE"}), true)
	f.Add(payload([]string{"XREAD", "BLOCK", "0", "STREAMS", "x", "$"}), true)
	f.Add(payload([]string{"SCRIPT", "LOAD", "return 1"}, []string{"SCRIPT", "FLUSH"}), true)
	f.Add(payload([]string{"XADD", "x", "NOMKSTREAM", "MAXLEN", "~"}), true)
	f.Add(payload([]string{"SETRANGE", "s", "536870911", "x"}), true)
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\xff\xff\xff\xff\x0f"), true)
	f.Add(append([]byte(logHeader), sealed(int64(len(logHeader)), []string{"SET", "a", "1"})...), false)
	f.Add([]byte(logHeader+"\x05\x00\x00\x00"), false)
	f.Fuzz(func(t *testing.T, in []byte, seal bool) {
		dir := t.TempDir()
		log := in
		if seal {
			log = append([]byte(logHeader), frame(int64(len(logHeader)), in)...)
		}
		if err := os.WriteFile(filepath.Join(dir, logName), log, 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := Open(dir, Options{openFile: unsynced})
		if err != nil {
			if left, _ := os.ReadFile(filepath.Join(dir, logName)); !bytes.Equal(left, log) {
				t.Fatalf("refused (%v) and changed", err)
			}
			return
		}
		before := fuzzDump(e)
		if err := e.rewrite(); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e, err = Open(dir, Options{openFile: unsynced})
		if err != nil {
			t.Fatalf("after rewrite: %v", err)
		}
		defer e.Close()
		if after := fuzzDump(e); before != after {
			t.Fatalf("before rewrite and reopen:\n%s\nafter:\n%s", before, after)
		}
	})
}

// frame makes a record of any payload.
func frame(at int64, payload []byte) []byte {
	if len(payload) == 0 {
		return nil
	}
	r := append(make([]byte, frameBytes), payload...)
	r[0], r[1], r[2] = byte(len(payload)), byte(len(payload)>>8), byte(len(payload)>>16)
	seal(r, at)
	return r
}

// fuzzDump gives all values as the engine's own copy sees them, but for times that pass.
func fuzzDump(e *Engine) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tick()
	var b strings.Builder
	for _, k := range e.mem.copyAll().keys {
		fmt.Fprintf(&b, "%q %s %q %d %q", k.key, k.kind, k.value, k.deadline, k.stream.lastID)
		for _, g := range k.stream.groups {
			fmt.Fprintf(&b, " group %q %q %q", g.name, g.lastID, g.consumers)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}
