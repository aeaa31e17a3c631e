//go:build !unix

package embedded

import (
	"errors"
	"os"
)

// lockFile refuses systems whose locks and renames this package was never tested on.
func lockFile(string) (*os.File, error) {
	return nil, errors.New("the embedded store runs on Linux, macOS and BSD only; set redis.url to use a Redis server")
}

func unlockFile(f *os.File) error { return f.Close() }
