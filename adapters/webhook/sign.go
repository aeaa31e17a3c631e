package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"weeklybot/bot"
)

// Names of the headers of the Standard Webhooks scheme.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

const secretPrefix = "whsec_"

// ParseSecret is the key in a secret as the scheme writes it: whsec_ and base64, or base64 alone. An empty secret is no key.
func ParseSecret(s bot.Secret) ([]byte, error) {
	text := strings.TrimRight(strings.TrimPrefix(strings.TrimSpace(s.Reveal()), secretPrefix), "=")
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("webhook secret: want whsec_ and the key in base64, as `openssl rand -base64 32` makes one")
	}
	return key, nil
}

// Sign is the value of the signature header for one body.
func Sign(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, timestamp)
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// messageID is the same for every attempt at one part. A key that a header could not hold, or with a full stop, which the scheme
// keeps for itself, is replaced by its hash.
func messageID(p bot.Post) string {
	key := p.Key
	if len(key) > maxKeyBytes || strings.ContainsFunc(key, func(r rune) bool { return !strings.ContainsRune(idRunes, r) }) {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:16])
	}
	return fmt.Sprintf("%s-%d", key, p.Part)
}

const idRunes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-:/"
