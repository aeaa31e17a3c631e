package dingtalk

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
)

// Layout of an encrypted event: 16 random bytes, the length of the message (4 bytes, big endian), the message, its owner, padding
// to 32. Source: open.dingtalk.com, callback-event-message-body-encryption-and-decryption, read 2026-11.
const (
	eventRandom  = 16
	eventHead    = eventRandom + 4
	eventPadding = 32
)

// eventCipher opens and seals pushed events with the aes_key. It is safe for concurrent use.
type eventCipher struct {
	block cipher.Block
	iv    []byte
}

func newCipher(aesKey string) (*eventCipher, error) {
	key, err := base64.StdEncoding.DecodeString(aesKey + "=") // three of four official sample keys have loose last bits: not Strict
	if err != nil || len(key) != 32 {
		return nil, errors.New("want the 43 characters of the aes_key (签名 EncodingAESKey) of the event subscription")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &eventCipher{block, key[:aes.BlockSize]}, nil
}

var errSealed = errors.New("encrypted event is malformed")

// open decrypts an event: the message, and whom it is for.
func (c *eventCipher) open(encrypted string) (msg []byte, owner string, err error) {
	raw, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(raw) == 0 || len(raw)%aes.BlockSize != 0 {
		return nil, "", errSealed
	}
	cipher.NewCBCDecrypter(c.block, c.iv).CryptBlocks(raw, raw)
	raw, ok := unpad(raw)
	if !ok || len(raw) < eventHead {
		return nil, "", errSealed
	}
	rest := raw[eventHead:]
	n := binary.BigEndian.Uint32(raw[eventRandom:])
	if uint64(n) > uint64(len(rest)) {
		return nil, "", errSealed
	}
	return rest[:n], string(rest[n:]), nil
}

// seal encrypts msg for owner; random is 16 bytes.
func (c *eventCipher) seal(msg []byte, owner string, random []byte) string {
	raw := slices.Concat(random[:eventRandom], binary.BigEndian.AppendUint32(nil, uint32(len(msg))), msg, []byte(owner))
	n := eventPadding - len(raw)%eventPadding
	raw = append(raw, slices.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(c.block, c.iv).CryptBlocks(raw, raw)
	return base64.StdEncoding.EncodeToString(raw)
}

// unpad takes the padding off: 1 to 32 bytes that all say how many they are (an official sample pads to 16).
func unpad(raw []byte) ([]byte, bool) {
	n := int(raw[len(raw)-1])
	if n < 1 || n > eventPadding || n > len(raw) {
		return nil, false
	}
	for _, b := range raw[len(raw)-n:] {
		if int(b) != n {
			return nil, false
		}
	}
	return raw[:len(raw)-n], true
}

// eventSignature signs one push.
func eventSignature(token, timestamp, nonce, encrypted string) string {
	parts := []string{token, timestamp, nonce, encrypted}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}
