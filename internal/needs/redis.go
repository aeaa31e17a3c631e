package needs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

var server struct {
	once sync.Once
	url  string
	err  error
}

// Redis is the URL of a real redis-server: one per test binary, on a unix socket, without persistence. Tests share it, each under a key
// prefix of its own. The server ends with the test binary, however that ends.
func Redis(t testing.TB) string {
	t.Helper()
	path := RedisServer(t)
	server.once.Do(func() { server.url, server.err = startRedis(path) })
	if server.err != nil {
		t.Fatal(server.err)
	}
	return server.url
}

// RedisClient is a client of Redis, closed with the test.
func RedisClient(t testing.TB) *redis.Client {
	t.Helper()
	opt, err := redis.ParseURL(Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(opt)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func startRedis(path string) (string, error) {
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		return "", err
	}
	socket := filepath.Join(dir, "s")
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the server dies with the thread that started it
		cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "no", "--daemonize", "no")
		cmd.SysProcAttr = diesWithParent()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return "", fmt.Errorf("start redis-server: %w", err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return "unix://" + socket, nil
		}
	}
	return "", fmt.Errorf("redis-server made no socket at %s", socket)
}
