package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const oneIssue1 = "---\ntitle: Weekly 1\ndate: 2026-11-16\n---\n\n## News\n\n- [eBPF in practice](https://example.org/ebpf): maps.\n"

const smallConfig = "listen: 127.0.0.1:0\nlang: en\ncontent: {sources: [{name: news, kind: folder, path: news}]}\n"

// A state that was exported from one store lives on in another.
func TestExportedStateLivesOn(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	for _, dir := range []string{from, to} {
		write(t, dir, "news/weekly-1.md", oneIssue1)
		write(t, dir, "config.yaml", smallConfig)
	}
	p := start(t, from)
	p.ask("/subscribe ebpf Mon 09:00 full", "Subscribed: #1")
	file := filepath.Join(t.TempDir(), "state.jsonl")
	if code, _, errs := call(t, "-c", filepath.Join(from, "config.yaml"), "export", file); code != 1 || !strings.Contains(errs, "stop") {
		t.Errorf("export beside a running bot: exit %d, %s", code, errs)
	}
	p.stop()
	if code, _, errs := call(t, "-c", filepath.Join(from, "config.yaml"), "export", file); code != 0 {
		t.Fatalf("export: exit %d, %s", code, errs)
	}
	if code, _, errs := call(t, "-c", filepath.Join(to, "config.yaml"), "import", file); code != 0 {
		t.Fatalf("import: exit %d, %s", code, errs)
	}
	if code, _, errs := call(t, "-c", filepath.Join(to, "config.yaml"), "import", file); code != 1 || !strings.Contains(errs, "not empty") {
		t.Errorf("importing twice: exit %d, %s", code, errs)
	}
	p = start(t, to)
	p.ask("/subscriptions", "Mondays 09:00")
	p.stop()
}

// A second process on the same folder is refused; SIGHUP takes over what the configuration declares; a new file is announced.
func TestRunningBotFollowsItsFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "news/weekly-1.md", oneIssue1)
	write(t, dir, "config.yaml", smallConfig)
	p := start(t, dir)
	p.ask("/subscribe all on publish", "Subscribed: #1")
	if code, _, errs := call(t, "-c", filepath.Join(dir, "config.yaml"), "serve"); code != 1 || !strings.Contains(errs, "another weeklybot") {
		t.Errorf("a second bot: exit %d, %s", code, errs)
	}
	today := time.Now().UTC().Format(time.DateOnly)
	write(t, dir, "news/weekly-2.md", "---\ntitle: Weekly 2\ndate: "+today+"\n---\n\n## News\n\n- [Wasm beside containers](https://example.org/wasm): sandboxes.\n")
	p.wait("the announcement", 30*time.Second, func() bool { return strings.Contains(p.out.String(), "https://example.org/wasm") })
	p.ask("/subscribe all Fri 09:00 UTC", "09:00 (UTC)")
	write(t, dir, "config.yaml", smallConfig+`quiet_hours: 8:00-10:45
channels: [{name: here, platform: terminal}]
subscriptions: [{channel: here, schedule: "0 9 * * 5", zone: UTC, lang: en}]
`)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.wait("the configuration read again", 10*time.Second, func() bool { return strings.Contains(p.logs.String(), "read again") })
	p.ask("/subscriptions", "10:45 (UTC)") // nine o'clock falls into the new quiet hours
	write(t, dir, "config.yaml", "lang: fr\n")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.wait("the fault", 10*time.Second, func() bool { return strings.Contains(p.logs.String(), "at fault") })
	p.ask("/latest", "Weekly 2")
	p.stop()
}
