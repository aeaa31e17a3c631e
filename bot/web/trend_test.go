package web

import (
	"bytes"
	"image/png"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"weeklybot/bot/chart"
)

func TestTrend(t *testing.T) {
	s := New(samples(t))
	for _, c := range []struct {
		target string
		code   int
	}{
		{"/trend/ebpf.png", 200},
		{"/trend/eBPF.png", 200},
		{"/trend/%E6%9C%8D%E5%8A%A1%E7%BD%91%E6%A0%BC.png", 200}, // 服务网格, an alias
		{"/trend/zzzzqq.png", 404},
		{"/trend/ebpf", 404},
		{"/trend/.png", 404},
		{"/trend/%ff%fe.png", 404},
		{"/trend/" + strings.Repeat("zq%20", 3000) + ".png", 404},
		{"/trend/", 404},
	} {
		w := ask(s, "GET", c.target)
		if w.Code != c.code {
			t.Errorf("GET %.60s: %d, want %d: %.200s", c.target, w.Code, c.code, w.Body)
			continue
		}
		if c.code != http.StatusOK {
			continue
		}
		img, err := png.Decode(bytes.NewReader(w.Body.Bytes()))
		if err != nil || img.Bounds().Dx() != chart.Width || w.Header().Get("Content-Type") != "image/png" || w.Header().Get("Content-Length") != strconv.Itoa(w.Body.Len()) {
			t.Errorf("GET %s: %v, headers %v", c.target, err, w.Header())
		}
	}
	if w := ask(s, "POST", "/trend/ebpf.png"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestPageOfATopicShowsItsChart(t *testing.T) {
	cfg := samples(t)
	for query, want := range map[string]string{
		"ebpf":    `src="/trend/ebpf.png"`,
		"服务网格":    `src="/trend/service%20mesh.png"`,
		"zzzzqq":  "",
		"bpfman":  "",
		"cobol":   "",
		"ebpf go": "",
	} {
		body := ask(New(cfg), "GET", "/?q="+strings.ReplaceAll(query, " ", "+")).Body.String()
		if has := strings.Contains(body, `class="chart"`); has != (want != "") || !strings.Contains(body, want) {
			t.Errorf("?q=%s: a chart is there: %v, want %q", query, has, want)
		}
	}
	cfg.Trend = nil
	if body := ask(New(cfg), "GET", "/?q=ebpf").Body.String(); strings.Contains(body, `class="chart"`) {
		t.Error("a chart without numbers to draw")
	}
	if w := ask(New(cfg), "GET", "/trend/ebpf.png"); w.Code != http.StatusNotFound {
		t.Errorf("a chart without numbers to draw: %d", w.Code)
	}
}
