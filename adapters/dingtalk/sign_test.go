package dingtalk

import (
	"net/url"
	"testing"
	"time"
)

// The published samples; where they give a query value, its escaped form is compared too.
func TestSign(t *testing.T) {
	for _, c := range []struct{ timestamp, secret, want string }{
		{"1577262236757", "this is secret", "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="},
		{"1700000000001", "SECtest", "r4CWp/Dz+Ng0sbTjH1vB0Fr+uQ2fn831mssaN6/C05I="},
		{"1577262236757", "this is a secret", "DJrE6qdyVGCQz9z5r2MDuNcNAhwYnuAkyj13cx169CA="},
	} {
		if got := sign(c.timestamp, c.secret); got != c.want {
			t.Errorf("sign(%s, %q) = %s, want %s", c.timestamp, c.secret, got, c.want)
		}
	}
}

func TestSignedURL(t *testing.T) {
	const secret = "SECb90923e19e58b466481e9e7b7a5b4f108a4531abde590ad3967fb29f0eae5c68"
	raw := "https://oapi.dingtalk.com/robot/send?access_token=tok&sign=old&timestamp=1"
	got, err := signedURL(raw, secret, time.UnixMilli(1582163555000))
	want := "https://oapi.dingtalk.com/robot/send?access_token=tok&sign=BQKsG%2BQOCl%2BbYJOLc6pxDHxjVquzlZPWgvRzeN2J5zY%3D&timestamp=1582163555000"
	if err != nil || got != want {
		t.Errorf("signedURL = %s, %v\nwant %s", got, err, want)
	}
	if again, _ := signedURL(got, secret, time.UnixMilli(1582163555000)); again != want {
		t.Errorf("signing again grows the URL: %s", again)
	}
	if got, _ := signedURL(raw, "", time.Now()); got != raw {
		t.Errorf("without a secret the URL changed: %s", got)
	}
	u, _ := url.Parse(want)
	if u.Query().Get("sign") != sign("1582163555000", secret) {
		t.Error("the sign in the URL does not decode to the signature")
	}
}

func TestFresh(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	for _, c := range []struct {
		timestamp string
		want      bool
	}{
		{"1700000000000", true}, {"1699996460000", true}, {"1700003540000", true}, // 59 minutes
		{"1699996340000", false}, {"1700003660000", false}, // 61 minutes
		{"1700000000", false}, {"", false}, {"now", false}, {"9223372036854775807", false}, {"-9223372036854775808", false},
	} {
		if got := fresh(c.timestamp, now); got != c.want {
			t.Errorf("fresh(%q) = %v, want %v", c.timestamp, got, c.want)
		}
	}
}
