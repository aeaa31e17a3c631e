package twin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var now = time.Unix(1_800_000_000, 0)

func start(t *testing.T, opt Options) (*Twin, string) {
	t.Helper()
	opt.Secret = "whsec_c2VjcmV0"
	opt.Now = func() time.Time { return now }
	tw := New(opt)
	server := httptest.NewServer(tw)
	t.Cleanup(server.Close)
	return tw, server.URL
}

func sign(id, stamp, body string) string {
	mac := hmac.New(sha256.New, []byte("secret"))
	io.WriteString(mac, id+"."+stamp+"."+body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

const goodBody = `{"type":"digest","key":"k","part":1,"parts":1,"text":"<b>hi</b>"}`

func TestRules(t *testing.T) {
	fresh := fmt.Sprint(now.Unix())
	at := func(d time.Duration) string { return fmt.Sprint(now.Add(d).Unix()) }
	for _, c := range []struct {
		name, id, stamp, signature, body string
		status                           int
	}{
		{"good", "a", fresh, sign("a", fresh, goodBody), goodBody, 204},
		{"second signature", "a", fresh, "v1,AAAA v2,x " + sign("a", fresh, goodBody), goodBody, 204},
		{"almost too old", "a", at(-5 * time.Minute), sign("a", at(-5*time.Minute), goodBody), goodBody, 204},
		{"too old", "a", at(-301 * time.Second), sign("a", at(-301*time.Second), goodBody), goodBody, 401},
		{"from the future", "a", at(301 * time.Second), sign("a", at(301*time.Second), goodBody), goodBody, 401},
		{"no signature", "a", fresh, "", goodBody, 401},
		{"other version", "a", fresh, strings.Replace(sign("a", fresh, goodBody), "v1", "v2", 1), goodBody, 401},
		{"other body", "a", fresh, sign("a", fresh, goodBody+" "), goodBody, 401},
		{"other id", "a", fresh, sign("b", fresh, goodBody), goodBody, 401},
		{"other time", "a", fresh, sign("a", at(time.Second), goodBody), goodBody, 401},
		{"no id", "", fresh, sign("", fresh, goodBody), goodBody, 401},
		{"time is no number", "a", "today", sign("a", "today", goodBody), goodBody, 401},
		{"no JSON", "a", fresh, sign("a", fresh, "hello"), "hello", 400},
		{"part 2 of 1", "a", fresh, sign("a", fresh, strings.Replace(goodBody, `"part":1`, `"part":2`, 1)), strings.Replace(goodBody, `"part":1`, `"part":2`, 1), 400},
		{"too large", "a", fresh, sign("a", fresh, strings.Repeat(" ", 2000)+goodBody), strings.Repeat(" ", 2000) + goodBody, 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			tw, url := start(t, Options{MaxBytes: 1000})
			req, _ := http.NewRequest("POST", url, strings.NewReader(c.body))
			req.Header.Set("webhook-id", c.id)
			req.Header.Set("webhook-timestamp", c.stamp)
			req.Header.Set("webhook-signature", c.signature)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			accepted := len(tw.Posts()) == 1 && len(tw.Refused()) == 0
			if resp.StatusCode != c.status || accepted != (c.status == 204) {
				t.Errorf("status %d, %d posts, refused %v; want %d", resp.StatusCode, len(tw.Posts()), tw.Refused(), c.status)
			}
		})
	}
}

func deliver(t *testing.T, url, id string) (status int, err error) {
	t.Helper()
	stamp := fmt.Sprint(now.Unix())
	req, _ := http.NewRequest("POST", url, strings.NewReader(goodBody))
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", stamp)
	req.Header.Set("webhook-signature", sign(id, stamp, goodBody))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

func TestRemembersWithinBounds(t *testing.T) {
	tw, url := start(t, Options{Keep: 3})
	for _, id := range []string{"a", "b", "b", "c", "d", "e"} {
		if status, err := deliver(t, url, id); status != 204 {
			t.Fatal(status, err)
		}
	}
	var ids []string
	for _, p := range tw.Posts() {
		ids = append(ids, p.ID)
	}
	if got := strings.Join(ids, ""); got != "cde" || tw.Duplicates() != 1 || len(tw.seen) != 3 {
		t.Errorf("posts %q, %d duplicates, %d ids", got, tw.Duplicates(), len(tw.seen))
	}
}

func TestFail(t *testing.T) {
	tw, url := start(t, Options{})
	tw.Fail(1, Failure{Status: 429, RetryAfter: "9"})
	if status, _ := deliver(t, url, "a"); status != 429 || len(tw.Posts()) != 0 {
		t.Errorf("status %d, %d posts", status, len(tw.Posts()))
	}
	tw.Fail(1, Failure{Drop: DropAfter})
	if _, err := deliver(t, url, "b"); err == nil || len(tw.Posts()) != 1 {
		t.Errorf("dropped after: %v, %d posts", err, len(tw.Posts()))
	}
	tw.Fail(1, Failure{Drop: DropBefore})
	if _, err := deliver(t, url, "c"); err == nil || len(tw.Posts()) != 1 {
		t.Errorf("dropped before: %v, %d posts", err, len(tw.Posts()))
	}
	if status, _ := deliver(t, url, "c"); status != 204 || len(tw.Posts()) != 2 {
		t.Errorf("afterwards: status %d, %d posts", status, len(tw.Posts()))
	}
}

func TestPage(t *testing.T) {
	tw, url := start(t, Options{})
	if status, err := deliver(t, url, "a"); status != 204 {
		t.Fatal(status, err)
	}
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 || !strings.Contains(string(page), "&lt;b&gt;hi&lt;/b&gt;") || strings.Contains(string(page), "<b>hi") {
		t.Errorf("the page does not show the post, or shows it unescaped:\n%s", page)
	}
	req, _ := http.NewRequest("DELETE", url, nil)
	resp, err = http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusMethodNotAllowed || len(tw.Refused()) != 1 {
		t.Errorf("DELETE: %v, %v", resp.Status, err)
	}
}
