package slack

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"

	"weeklybot/bot"
)

// keyring seals tokens for the store with AES-256-GCM. The first key seals, every one opens: a new key goes to the front, and the old one
// may go once all tokens were sealed anew (see installs.resealed).
type keyring []sealKey

type sealKey struct {
	id   [4]byte
	aead cipher.AEAD
}

const (
	sealVersion  = 1
	sealHead     = 1 + len(sealKey{}.id) // version, key id; the nonce and the sealed text follow
	minKeyLength = 32                    // characters of a key in the configuration
)

var errSealed = errors.New("the stored token cannot be opened with any of adapters.slack.token_keys: put the old key back, or install the app again")

// newKeyring makes keys from secrets of any form.
func newKeyring(secrets ...bot.Secret) (ring keyring) {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		key := sha256.Sum256([]byte("weeklybot slack token\x00" + secret.Reveal()))
		block, _ := aes.NewCipher(key[:]) // 32 bytes are a good key
		aead, _ := cipher.NewGCM(block)   // and AES a good block
		name := sha256.Sum256(key[:])
		ring = append(ring, sealKey{id: [4]byte(name[:4]), aead: aead})
	}
	return ring
}

// seal hides secret for the owner of that name only: a sealed token that was moved to another workspace does not open.
func (r keyring) seal(secret bot.Secret, owner string) []byte {
	if secret == "" {
		return nil
	}
	nonce := make([]byte, r[0].aead.NonceSize())
	rand.Read(nonce)
	head := append([]byte{sealVersion}, r[0].id[:]...)
	return r[0].aead.Seal(append(head, nonce...), nonce, []byte(secret.Reveal()), []byte(owner))
}

// open is the secret that was sealed for owner. current is false if not the first key sealed it.
func (r keyring) open(sealed []byte, owner string) (secret bot.Secret, current bool, err error) {
	if len(sealed) == 0 {
		return "", true, nil
	}
	if len(sealed) < sealHead || sealed[0] != sealVersion {
		return "", false, errSealed
	}
	k := slices.IndexFunc(r, func(key sealKey) bool { return key.id == [4]byte(sealed[1:sealHead]) })
	if k < 0 {
		return "", false, errSealed
	}
	rest := sealed[sealHead:]
	n := r[k].aead.NonceSize()
	if len(rest) < n {
		return "", false, errSealed
	}
	text, err := r[k].aead.Open(nil, rest[:n], rest[n:], []byte(owner))
	if err != nil {
		return "", false, errSealed
	}
	return bot.Secret(text), k == 0, nil
}
