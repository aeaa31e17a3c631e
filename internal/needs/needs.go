// Package needs finds what some tests want from the machine: the shared corpora, a redis-server, a Chromium. A test that misses
// one is skipped with a message that says how to get it; with WEEKLYBOT_CI=1 it fails instead. For tests only.
package needs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Shared is the folder that holds corpus/ and seeds/: WEEKLYBOT_SHARED, by default ../shared beside the repository.
func Shared(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("WEEKLYBOT_SHARED")
	if dir == "" {
		dir = filepath.Join(Root(t), "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "corpus")); err != nil {
		missing(t, "the shared newsletters are not here; point WEEKLYBOT_SHARED at the folder that holds corpus/ and seeds/")
	}
	return dir
}

// Root is the repository's root: the nearest folder above the test that holds go.mod.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
}

// RedisServer is the path of a redis-server program.
func RedisServer(t testing.TB) string {
	t.Helper()
	return program(t, "apt-get install redis-server", "redis-server")
}

// Chromium is the path of a Chromium or Chrome program.
func Chromium(t testing.TB) string {
	t.Helper()
	return program(t, "apt-get install chromium", "chromium", "chromium-browser", "google-chrome")
}

func program(t testing.TB, how string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, names[0]+" is not installed; on Debian: "+how)
	return ""
}

func missing(t testing.TB, text string) {
	t.Helper()
	if os.Getenv("WEEKLYBOT_CI") != "" {
		t.Fatal(text)
	}
	t.Skip(text)
}
