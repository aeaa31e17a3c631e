package wecom

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"

	"weeklybot/bot"
)

// envelope is the cryptography of the callbacks of one app or AI bot: AES-256-CBC under the EncodingAESKey, a SHA-1 signature with the Token, and the
// receiver's ID inside, so that a message for one app cannot be replayed to another. Source: 加解密方案说明,
// developer.work.weixin.qq.com/document/path/90968, read 2026-11.
type envelope struct {
	owner    string // whose callbacks, for the log
	token    string
	block    cipher.Block
	iv       []byte
	receiver string // the corp ID; empty for AI bots
}

const (
	paddingBlock = 32 // the padding's block, twice that of AES
	randomBytes  = 16 // before the length
	lengthBytes  = 4  // big endian
)

func newEnvelope(owner string, token, encodingAESKey bot.Secret, receiver string) (*envelope, error) {
	key, err := aesKey(encodingAESKey)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return &envelope{owner: owner, token: token.Reveal(), block: block, iv: key[:aes.BlockSize], receiver: receiver}, nil
}

// errRefused is all that the sender of a forged message learns: which check failed would help to forge a better one.
var errRefused = errors.New("refused")

// sign is the msg_signature over an encrypted text.
func (e *envelope) sign(timestamp, nonce, encrypted string) string {
	parts := []string{e.token, timestamp, nonce, encrypted}
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// open checks the signature, decrypts, and checks every byte that is not the message. All faults are errRefused.
func (e *envelope) open(signature, timestamp, nonce, encrypted string) ([]byte, error) {
	want := e.sign(timestamp, nonce, encrypted)
	if subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(signature))) != 1 {
		return nil, errRefused
	}
	data, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil || len(data) == 0 || len(data)%paddingBlock != 0 {
		return nil, errRefused
	}
	cipher.NewCBCDecrypter(e.block, e.iv).CryptBlocks(data, data)
	data, ok := unpad(data)
	if !ok || len(data) < randomBytes+lengthBytes {
		return nil, errRefused
	}
	rest := data[randomBytes+lengthBytes:]
	size := uint64(binary.BigEndian.Uint32(data[randomBytes:]))
	if size > uint64(len(rest)) || subtle.ConstantTimeCompare(rest[size:], []byte(e.receiver)) != 1 {
		return nil, errRefused
	}
	return rest[:size], nil
}

// unpad takes PKCS#7 padding of 1 to 32 bytes away.
func unpad(data []byte) ([]byte, bool) {
	n := int(data[len(data)-1])
	if n < 1 || n > paddingBlock || n > len(data) {
		return nil, false
	}
	for _, b := range data[len(data)-n:] {
		if int(b) != n {
			return nil, false
		}
	}
	return data[:len(data)-n], true
}

// seal encrypts a message for the receiver.
func (e *envelope) seal(message []byte) string {
	data := make([]byte, randomBytes, randomBytes+lengthBytes+len(message)+len(e.receiver)+paddingBlock)
	rand.Read(data)
	data = binary.BigEndian.AppendUint32(data, uint32(len(message)))
	data = append(append(data, message...), e.receiver...)
	n := paddingBlock - len(data)%paddingBlock
	data = append(data, slices.Repeat([]byte{byte(n)}, n)...)
	cipher.NewCBCEncrypter(e.block, e.iv).CryptBlocks(data, data)
	return base64.StdEncoding.EncodeToString(data)
}

// newNonce is a nonce for an answer.
func newNonce() string { return rand.Text()[:16] }
