package adaptertest

import "time"

// SetPatience shortens the wait for an adapter that hangs on purpose.
func SetPatience(d time.Duration) { patience = d }
