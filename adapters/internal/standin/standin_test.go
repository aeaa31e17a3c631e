package standin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	var w Window
	now := time.Unix(0, 0)
	for k, c := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {time.Second, true}, {time.Second, false}, {59 * time.Second, false}, {60 * time.Second, true}, {60 * time.Second, false}, {61 * time.Second, true}} {
		if got := w.Admits(now.Add(c.after), 2, time.Minute); got != c.want {
			t.Errorf("step %d, after %v: Admits = %v", k, c.after, got)
		}
	}
	if w.Full(now.Add(time.Minute), -1, time.Minute) || !w.Admits(now.Add(time.Minute), -1, time.Minute) {
		t.Error("a negative limit is none")
	}
}

func TestNewest(t *testing.T) {
	var list []int
	for k := range 100 {
		if list = Newest(append(list, k), 10); len(list) >= 20 || list[len(list)-1] != k {
			t.Fatalf("after %d: %v", k, list)
		}
	}
	if len(list) < 10 {
		t.Errorf("%v, want the last ten at least", list)
	}
}

func TestFromPage(t *testing.T) {
	h := FromPage(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for site, want := range map[string]int{"same-origin": http.StatusNoContent, "cross-site": http.StatusForbidden, "": http.StatusNoContent} {
		r := httptest.NewRequest(http.MethodPost, "/say", nil)
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%q: %d, want %d", site, w.Code, want)
		}
	}
}

func TestDataURL(t *testing.T) {
	if got := DataURL([]byte("\x89PNG\r\n\x1a\n")); !strings.HasPrefix(got, "data:image/png;base64,iVBORw0KGgo") {
		t.Errorf("DataURL = %s", got)
	}
}
