package embedded

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// writeLog makes a store with 50 entries in a list and gives its directory and log.
func writeLog(t testing.TB) (dir string, log []byte) {
	t.Helper()
	dir = t.TempDir()
	_, c, done := open(t, dir, Options{})
	for i := range 50 {
		if err := c.RPush(ctx, "l", i).Err(); err != nil {
			t.Fatal(err)
		}
	}
	done()
	log, err := os.ReadFile(filepath.Join(dir, logName))
	if err != nil {
		t.Fatal(err)
	}
	return dir, log
}

// unsynced opens a file that is never synced, for tests that open many.
func unsynced(name string, flag int) (file, error) {
	f, err := os.OpenFile(name, flag, 0o600)
	return noSync{f}, err
}

type noSync struct{ *os.File }

func (noSync) Sync() error { return nil }

func put(t testing.TB, dir string, log []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, logName), log, 0o600); err != nil {
		t.Fatal(err)
	}
}

// entries opens the store and gives the list, which must be a prefix of what was written.
func entries(t testing.TB, dir string) int {
	t.Helper()
	_, c, done := open(t, dir, Options{openFile: unsynced})
	defer done()
	l, err := c.LRange(ctx, "l", 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range l {
		if v != strconv.Itoa(i) {
			t.Fatalf("entry %d is %s", i, v)
		}
	}
	return len(l)
}

// TestTornTail cuts the log at each byte of its tail, and also fills the rest with what a power cut may leave there.
func TestTornTail(t *testing.T) {
	dir, whole := writeLog(t)
	last := 50
	for cut := len(whole); cut >= len(whole)-400; cut-- {
		put(t, dir, whole[:cut])
		n := entries(t, dir)
		if n > last || n < last-1 {
			t.Fatalf("cut at %d of %d: %d entries after %d with a byte more", cut, len(whole), n, last)
		}
		last = n
		if cut%50 == 0 { // what was cut off must not come back, nor hurt what is written next
			put(t, dir, append(bytes.Clone(whole[:cut]), make([]byte, 5000)...))
			if zeros := entries(t, dir); zeros != n {
				t.Fatalf("cut at %d and filled with zeros: %d entries, want %d", cut, zeros, n)
			}
		}
	}
	if last > 42 {
		t.Fatalf("%d entries left after cutting 400 bytes: the cuts did not reach the records", last)
	}
}

// TestCutHeader: a log whose creation was cut off is an empty one.
func TestCutHeader(t *testing.T) {
	for n := range len(logHeader) {
		dir := t.TempDir()
		put(t, dir, []byte(logHeader[:n]))
		if got := entries(t, dir); got != 0 {
			t.Errorf("header of %d bytes: %d entries", n, got)
		}
	}
}

// TestDamage: what is no torn tail is refused, with words that help, and the file stays as it is.
func TestDamage(t *testing.T) {
	dir, whole := writeLog(t)
	flip := func(at int) []byte {
		log := bytes.Clone(whole)
		log[at] ^= 0x40
		return log
	}
	mid := len(whole) / 2
	cases := map[string]struct {
		log  []byte
		want string
	}{
		"foreign":         {[]byte("SQLite format 3\x00 and more"), "not a weeklybot store"},
		"foreign, short":  {[]byte("hello"), "not a weeklybot store"},
		"newer version":   {append([]byte(logMagic+"2\n"), whole[len(logHeader):]...), "another version"},
		"unknown command": {append(bytes.Clone(whole), sealed(int64(len(whole)), []string{"BLPOP", "l", "0"})...), "cannot read"},
		"zeros inside":    {append(append(bytes.Clone(whole[:mid]), make([]byte, 300)...), whole[mid+300:]...), "truncate -s"},
	}
	for i := range 30 { // two records or so: every field of a frame and of a payload
		at := mid + i
		cases["byte "+strconv.Itoa(at)] = struct {
			log  []byte
			want string
		}{flip(at), "truncate -s"}
	}
	for name, c := range cases {
		put(t, dir, c.log)
		e, err := Open(dir, Options{})
		if err == nil {
			e.Close()
			t.Errorf("%s: opened", name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), logName) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if log, _ := os.ReadFile(filepath.Join(dir, logName)); !bytes.Equal(log, c.log) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

// sealed is one whole record for a place in the log.
func sealed(at int64, writes ...[]string) []byte {
	r := appendRecord(nil, 1, writes)
	seal(r, at)
	return r
}

// TestDamageAdvice: the command that the error gives opens the store with what stood before the damage.
func TestDamageAdvice(t *testing.T) {
	dir, log := writeLog(t)
	log[len(log)/2] ^= 1
	put(t, dir, log)
	_, err := Open(dir, Options{})
	_, advice, found := strings.Cut(err.Error(), "truncate -s ")
	if !found {
		t.Fatal(err)
	}
	size, err := strconv.Atoi(strings.Fields(advice)[0])
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, log[:size])
	if n := entries(t, dir); n < 20 || n > 30 {
		t.Errorf("%d entries before damage in the middle of 50", n)
	}
}

// TestRecordInValue: bytes of a log stored as a value are not taken for records when the record that holds them is torn.
func TestRecordInValue(t *testing.T) {
	dir, whole := writeLog(t)
	_, c, done := open(t, dir, Options{})
	c.Set(ctx, "copy", whole, 0)
	done()
	log, _ := os.ReadFile(filepath.Join(dir, logName))
	put(t, dir, log[:len(log)-3])
	if n := entries(t, dir); n != 50 {
		t.Errorf("%d entries, want 50", n)
	}
}
