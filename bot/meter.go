package bot

import "context"

// Tally counts what all replicas of the bot use together, by month. It is safe for concurrent use.
type Tally interface {
	// Tally adds n to what is counted under name in month ("2026-11") and returns the sum. It blocks for the store's answer.
	Tally(ctx context.Context, name, month string, n int64) (int64, error)
}

// Meter is how much of a monthly allowance is used.
type Meter struct {
	Adapter     string // Adapter.Name
	Name        string // "OpenAPI": the platform's own word
	Month       string // "2026-11", in the platform's zone
	Used, Limit int64  // calls of that month
}

// Low says whether the allowance soon runs out: less than a fifth is left.
func (m Meter) Low() bool { return m.Used*5 >= m.Limit*4 }

// Metered is an adapter whose platform allows so many calls a month.
type Metered interface {
	// Meters are the adapter's allowances. It asks the store.
	Meters(ctx context.Context) ([]Meter, error)
}
