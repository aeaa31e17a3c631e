package feishu

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
)

// eventCipher opens pushed events with the Encrypt Key: AES-256-CBC, whose key is the SHA-256 of the Encrypt Key; the first block is the
// IV. It is safe for concurrent use. Source: open.feishu.cn, 将事件发送至开发者服务器 and github.com/larksuite/oapi-sdk-go v3.11.0
// event/event.go, read 2026-11.
type eventCipher struct {
	key   string
	block cipher.Block
}

func newCipher(encryptKey string) *eventCipher {
	sum := sha256.Sum256([]byte(encryptKey))
	block, _ := aes.NewCipher(sum[:]) // 32 bytes: it cannot fail
	return &eventCipher{encryptKey, block}
}

var errSealed = errors.New("encrypted event is malformed")

// open decrypts an event.
func (c *eventCipher) open(encrypted string) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(raw) < 2*aes.BlockSize || len(raw)%aes.BlockSize != 0 {
		return nil, errSealed
	}
	iv, text := raw[:aes.BlockSize], raw[aes.BlockSize:]
	cipher.NewCBCDecrypter(c.block, iv).CryptBlocks(text, text)
	n := int(text[len(text)-1])
	if n < 1 || n > aes.BlockSize {
		return nil, errSealed
	}
	for _, b := range text[len(text)-n:] {
		if int(b) != n {
			return nil, errSealed
		}
	}
	return text[:len(text)-n], nil
}

// signature signs one push.
func (c *eventCipher) signature(timestamp, nonce string, body []byte) string {
	h := sha256.New()
	h.Write([]byte(timestamp + nonce + c.key))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}
