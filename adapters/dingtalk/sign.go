package dingtalk

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"time"
)

// sign is the platform's signature of a timestamp (milliseconds, as sent): the same for 加签 of group robots and for what the
// platform posts to us. It covers no body.
func sign(timestamp, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "\n" + secret))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signedURL is the robot's URL with a signature made now; without a secret the URL as it is. What an earlier signature left in
// raw is replaced.
func signedURL(raw, secret string, now time.Time) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("not a URL")
	}
	if secret == "" {
		return raw, nil
	}
	q := u.Query()
	timestamp := strconv.FormatInt(now.UnixMilli(), 10)
	q.Set("timestamp", timestamp)
	q.Set("sign", sign(timestamp, secret))
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// fresh says whether timestamp, in milliseconds, is at most maxSkew away from now.
func fresh(timestamp string, now time.Time) bool {
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return false
	}
	age := now.Sub(time.UnixMilli(ms))
	return -maxSkew <= age && age <= maxSkew
}
