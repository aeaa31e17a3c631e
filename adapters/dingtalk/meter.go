package dingtalk

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// The monthly allowances of the standard edition, for all apps of an organisation together. Calls that were throttled do not count, nor do
// those for tokens and connections. Source: open.dingtalk.com, dingtalk-application-development-platform-billing-model, read 2026-11.
const (
	monthlyCalls    = 5000 // of the OpenAPI
	monthlyMessages = 3000 // over webhooks, and over Stream in either direction
)

// A count is written down when tallyEvery have come together, or tallyAfter has passed: a crash forgets so many. Our own choice.
const (
	tallyEvery = 20
	tallyAfter = 10 * time.Second
	tallyTime  = time.Second // that the store may take
)

var _ bot.Metered = (*Adapter)(nil)

// Meters are what the app's organisation has used of its allowances; none without an app. Only our own calls are counted, and those to group
// robots as if they were of the same organisation.
func (a *Adapter) Meters(ctx context.Context) ([]bot.Meter, error) {
	if a.calls == nil {
		return nil, nil
	}
	var meters []bot.Meter
	for _, m := range []*meter{a.calls, a.messages} {
		month := monthOf(a.now())
		used, err := m.flush(ctx)
		if err != nil {
			return nil, err
		}
		meters = append(meters, bot.Meter{Adapter: Name, Name: m.name, Month: month, Used: used, Limit: m.limit})
	}
	return meters, nil
}

// meter counts one kind of call. It is safe for concurrent use; a nil one counts nothing.
type meter struct {
	name, key string
	limit     int64
	tally     bot.Tally
	now       func() time.Time
	log       *slog.Logger

	mu      sync.Mutex
	month   string // that the rest is about
	pending int64  // not written down yet
	since   time.Time
	warned  int64 // percent
}

func (a *Adapter) newMeter(name string, limit int64, tally bot.Tally) *meter {
	key := "dingtalk " + cmp.Or(a.cfg.CorpID, a.cfg.ClientID) + " " + name
	return &meter{name: name, key: key, limit: limit, tally: tally, now: a.now, log: a.log}
}

// countUnless counts a call that came to an end with fault, unless it was throttled or never left.
func (m *meter) countUnless(ctx context.Context, fault *apihttp.Judged) {
	if fault == nil || fault.Fault != bot.RateLimited && fault.Code != apihttp.CodeConnect {
		m.count(ctx)
	}
}

// count counts one call.
func (m *meter) count(ctx context.Context) {
	if m == nil {
		return
	}
	now := m.now()
	m.mu.Lock()
	m.turn(now)
	m.pending++
	due := m.pending >= tallyEvery || now.Sub(m.since) >= tallyAfter
	m.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tallyTime)
	defer cancel()
	if _, err := m.flush(ctx); err != nil {
		m.log.Warn("calls not counted", "adapter", Name, "err", err)
	}
}

// turn begins a new month when it is time, of the platform's zone. What is not written down of the last one is forgotten. The caller holds
// the lock.
func (m *meter) turn(now time.Time) {
	month := monthOf(now)
	if month != m.month {
		m.month, m.pending, m.since, m.warned = month, 0, now, 0
	}
}

func monthOf(t time.Time) string { return t.In(china).Format("2006-01") }

var china = time.FixedZone("UTC+8", 8*60*60)

// flush writes down what is pending and returns what all replicas have counted this month.
func (m *meter) flush(ctx context.Context) (int64, error) {
	now := m.now()
	m.mu.Lock()
	m.turn(now)
	month, n := m.month, m.pending
	m.pending, m.since = 0, now
	m.mu.Unlock()
	used, err := m.tally.Tally(ctx, m.key, month, n)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case err != nil && m.month == month:
		m.pending += n
	case err == nil:
		m.warn(used)
	}
	return used, err
}

// warn tells the operator at 80, 90 and 100 percent, once each. The caller holds the lock.
func (m *meter) warn(used int64) {
	percent := used * 100 / m.limit / 10 * 10
	if percent < 80 || percent <= m.warned {
		return
	}
	m.warned = percent
	m.log.Warn("the organisation's monthly allowance of calls runs out: buy more, or move digests to group robots",
		"adapter", Name, "allowance", m.name, "used", used, "limit", m.limit)
}
