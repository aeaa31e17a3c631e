package webhook

import "time"

const (
	// sendTimeout ends a request without answer: the scheme recommends 15 to 30 s. Source: standardwebhooks.com, read 2026-11.
	sendTimeout = 30 * time.Second

	// maxBytes is the most one body holds, in bytes. Receivers publish no limit; this stays below the smallest default in wide use,
	// the 100 KiB of Node's body parser. Source: github.com/expressjs/body-parser README, option limit, read 2026-11.
	maxBytes = 96 << 10

	// maxURLBytes is the longest link that is kept, in bytes: what browsers and servers are known to take.
	maxURLBytes = 2048

	// maxKeyBytes is the longest Post.Key that Split leaves room for, in bytes.
	maxKeyBytes = 128

	// maxParts is the largest number of parts that Split leaves room for.
	maxParts = 9999
)
