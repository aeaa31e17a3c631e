package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"weeklybot/bot/chart"
)

// chartLife is how long a browser may keep a chart, in seconds: issues arrive weekly.
const chartLife = "300"

// trend serves /trend/TOPIC.png: how often the topic was named in each week up to the newest issue.
func (s *Server) trend(w http.ResponseWriter, r *http.Request) {
	topic, ok := strings.CutSuffix(r.PathValue("file"), ".png")
	if topic = bounded(topic); !ok || topic == "" {
		plain(w, http.StatusNotFound, "want /trend/TOPIC.png")
		return
	}
	weeks, perBar := s.weeks(topic)
	opt := chart.Options{PerBar: perBar}
	if issues := s.cfg.Library().Issues(); len(issues) > 0 {
		opt.Newest, _ = issues[0].Day()
	}
	png, err := chart.Trend(weeks, opt)
	if err != nil {
		plain(w, http.StatusNotFound, "no issue names this topic")
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Content-Length", strconv.Itoa(len(png)))
	w.Header().Set("Cache-Control", "public, max-age="+chartLife)
	_, _ = w.Write(png)
}

// weeks are the numbers worth drawing, none when nothing was named.
func (s *Server) weeks(topic string) (weeks []int, perBar int) {
	if s.cfg.Trend == nil {
		return nil, 0
	}
	if canonical, ok := s.cfg.Topics.Canonical(topic); ok {
		topic = canonical
	}
	return chart.Fit(s.cfg.Trend(topic, chart.MaxWeeks))
}

// chartURL is the chart for a query that is a topic, "" for any other and for a topic that nobody names.
func (s *Server) chartURL(query string) string {
	topic, ok := s.cfg.Topics.Canonical(query)
	if !ok {
		return ""
	}
	if weeks, _ := s.weeks(topic); len(weeks) == 0 {
		return ""
	}
	return "/trend/" + url.PathEscape(topic) + ".png"
}
