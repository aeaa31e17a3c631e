package outbox

import "time"

func serveBenchmark(time.Duration) {}
