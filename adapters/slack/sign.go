package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"time"

	"weeklybot/bot"
)

const (
	headerTimestamp = "X-Slack-Request-Timestamp"
	headerSignature = "X-Slack-Signature"
)

var (
	errNoSecret  = errors.New("no signing secret is configured")
	errUnsigned  = errors.New("not signed")
	errStale     = errors.New("signed too long ago, or in the future")
	errSignature = errors.New("signature does not match")
)

// verify checks that Slack signed body, not longer than maxSkew before or after now. Only the body is signed: nothing in the URL counts.
// Our own, since the library's verifier reads its own clock.
func verify(secret bot.Secret, header http.Header, body []byte, now time.Time) error {
	if secret == "" {
		return errNoSecret
	}
	stamp, given := header.Get(headerTimestamp), header.Get(headerSignature)
	if stamp == "" || given == "" {
		return errUnsigned
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errUnsigned
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > maxSkew || age < -maxSkew {
		return errStale
	}
	if !hmac.Equal([]byte(sign(secret, stamp, body)), []byte(given)) {
		return errSignature
	}
	return nil
}

func sign(secret bot.Secret, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}
