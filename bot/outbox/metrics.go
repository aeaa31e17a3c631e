package outbox

import "github.com/prometheus/client_golang/prometheus"

// metrics of the engine. Labels come from small fixed sets: adapter names, states, faults, the platforms' documented codes.
type metrics struct {
	deliveries *prometheus.CounterVec   // by adapter and result
	attempts   *prometheus.CounterVec   // by adapter, fault and code; fault "" = accepted
	unknown    *prometheus.CounterVec   // posts answered with a code that nobody documents
	uncertain  *prometheus.CounterVec   // posts that may have arrived
	seconds    *prometheus.HistogramVec // of one post
	depth      *prometheus.GaugeVec     // open deliveries by state
	lag        prometheus.Gauge         // of the last run: fired less due
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weeklybot_deliveries_total", Help: "Deliveries that reached their last state."}, []string{"adapter", "result"}),
		attempts:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weeklybot_send_attempts_total", Help: "Posts by what came of them; an empty fault is an accepted post."}, []string{"adapter", "fault", "code"}),
		unknown:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weeklybot_unknown_codes_total", Help: "Posts that a platform answered with an undocumented code."}, []string{"adapter"}),
		uncertain:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "weeklybot_uncertain_total", Help: "Posts that may have arrived: no answer came, or the process ended."}, []string{"adapter"}),
		seconds:    prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "weeklybot_delivery_seconds", Help: "Time of one post.", Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12)}, []string{"adapter"}),
		depth:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "weeklybot_outbox_depth", Help: "Open deliveries of this node."}, []string{"state"}),
		lag:        prometheus.NewGauge(prometheus.GaugeOpts{Name: "weeklybot_schedule_lag_seconds", Help: "How late the last run was fired."}),
	}
	if reg != nil {
		reg.MustRegister(m.deliveries, m.attempts, m.unknown, m.uncertain, m.seconds, m.depth, m.lag)
	}
	return m
}

// measure sets the depth gauges.
func (e *Engine) measure() {
	open, flying := 0, 0
	for _, s := range e.shards {
		open += s.open
	}
	for _, l := range e.lanes {
		flying += l.flying
	}
	e.metrics.depth.WithLabelValues("queued").Set(float64(max(0, open-flying)))
	e.metrics.depth.WithLabelValues("sending").Set(float64(flying))
}
