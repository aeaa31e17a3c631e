package wecom

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/silenceper/wechat/v2/util"

	"weeklybot/bot"
)

// vectors are the official samples (V1 to V3, the documents' and the Python library's) and one in the form of an AI bot (V4, made with
// @wecom/crypto), whose receiver is empty.
var vectors = []struct {
	name, token, key, receiver, signature, timestamp, nonce, encrypted, plain string
}{
	{"V1", "QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7",
		"5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3", "1409659589", "263014780",
		"P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==", "1616140317555161061"},
	{"V2", "QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7",
		"477715d11cdb4164915debcba66cb864d751f3e6", "1409659813", "1372623149",
		"RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q==",
		"<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName>\n<FromUserName><![CDATA[mycreate]]></FromUserName>\n<CreateTime>1409659813</CreateTime>\n<MsgType><![CDATA[text]]></MsgType>\n<Content><![CDATA[hello]]></Content>\n<MsgId>4561255354251345929</MsgId>\n<AgentID>218</AgentID>\n</xml>"},
	{"V3", "hJqcu3uJ9Tn2gXPmxx2w9kkCkCE2EPYo", "6qkdMrq68nTKduznJYO1A37W2oEgpkMUvkttRToqhUt", "ww1436e0e65a779aee",
		"012bc692d0a58dd4b10f8dfe5c4ac00ae211ebeb", "1476416373", "47744683",
		"fsi1xnbH4yQh0+PJxcOdhhK6TDXkjMyhEPA7xB2TGz6b+g7xyAbEkRxN/3cNXW9qdqjnoVzEtpbhnFyq6SVHyA==", "1288432023552776189"},
	{"V4", "QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "",
		"48ced3cf62102f0fac27136080982f74c9f59cd2", "1700000000", "nonce1",
		"sKqRbbiSUnDhFHOvPjtUMWzf2R8PrpMiTTPaicBgqZm9eFleDkaZY7LObMBXhUqCcxijQlSKcvc+WpPyowukzA==", "1616140317555161061"},
}

func testEnvelope(t testing.TB, token, key, receiver string) *envelope {
	t.Helper()
	e, err := newEnvelope("test", bot.Secret(token), bot.Secret(key), receiver)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestOfficialVectors(t *testing.T) {
	for _, v := range vectors {
		e := testEnvelope(t, v.token, v.key, v.receiver)
		got, err := e.open(v.signature, v.timestamp, v.nonce, v.encrypted)
		if err != nil || string(got) != v.plain {
			t.Errorf("%s: open = %q, %v; want %q", v.name, got, err, v.plain)
		}
		if sdk := util.Signature(v.token, v.timestamp, v.nonce, v.encrypted); sdk != v.signature || e.sign(v.timestamp, v.nonce, v.encrypted) != sdk {
			t.Errorf("%s: the SDK signs %s, we %s", v.name, sdk, e.sign(v.timestamp, v.nonce, v.encrypted))
		}
		for name, other := range map[string]*envelope{"another receiver": testEnvelope(t, v.token, v.key, "wwother"), "no receiver": testEnvelope(t, v.token, v.key, ""),
			"another token": testEnvelope(t, "other", v.key, v.receiver)} {
			if _, err := other.open(v.signature, v.timestamp, v.nonce, v.encrypted); err == nil && !(v.receiver == "" && name == "no receiver") {
				t.Errorf("%s: opened with %s", v.name, name)
			}
		}
	}
}

func TestSealLikeTheSDK(t *testing.T) {
	e := testEnvelope(t, testToken, testAESKey, testCorp)
	for n := range 70 { // every length of padding
		plain := strings.Repeat("x", n)
		if _, got, err := util.DecryptMsg(testCorp, e.seal([]byte(plain)), testAESKey); err != nil || string(got) != plain {
			t.Errorf("the SDK opens what we sealed as %q, %v; want %q", got, err, plain)
		}
		sealed, err := util.EncryptMsg([]byte("0123456789abcdef"), []byte(plain), testCorp, testAESKey)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := e.open(e.sign("1", "n", string(sealed)), "1", "n", string(sealed)); err != nil || string(got) != plain {
			t.Errorf("we open what the SDK sealed as %q, %v; want %q", got, err, plain)
		}
	}
}

// encryptRaw encrypts what is given, without adding padding or anything else.
func encryptRaw(t testing.TB, data []byte) string {
	t.Helper()
	key, err := aesKey(testAESKey)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := aes.NewCipher(key)
	out := make([]byte, len(data))
	cipher.NewCBCEncrypter(block, key[:16]).CryptBlocks(out, data)
	return base64.StdEncoding.EncodeToString(out)
}

// frame is a plain text before padding: random, length, message, receiver.
func frame(size uint32, rest string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte("0123456789abcdef"), size), rest...)
}

func padded(data []byte, pad []byte) []byte { return append(bytes.Clone(data), pad...) }

func TestForgedPlainTextIsRefused(t *testing.T) {
	e := testEnvelope(t, testToken, testAESKey, testCorp)
	good := frame(2, "hi"+testCorp) // 20 + 2 + 10 = 32 bytes
	whole := bytes.Repeat([]byte{32}, 32)
	if _, err := e.open(e.sign("1", "n", encryptRaw(t, padded(good, whole))), "1", "n", encryptRaw(t, padded(good, whole))); err != nil {
		t.Fatalf("the genuine one is refused: %v", err)
	}
	oneWrong := bytes.Clone(whole)
	oneWrong[5] = 31
	for name, plain := range map[string][]byte{
		"padding byte 0":          padded(good, append(bytes.Repeat([]byte{1}, 31), 0)),
		"padding byte 33":         padded(good, bytes.Repeat([]byte{33}, 32)),
		"padding byte 255":        padded(good, bytes.Repeat([]byte{255}, 32)),
		"one padding byte wrong":  padded(good, oneWrong),
		"nothing but padding":     whole,
		"length beyond the text":  padded(frame(13, "hi"+testCorp), whole),
		"enormous length":         padded(frame(1<<32-1, "hi"+testCorp), whole),
		"length hides receiver":   padded(frame(12, "hi"+testCorp), whole),
		"length 0":                padded(frame(0, "hi"+testCorp), whole),
		"16 bytes, not 32":        good[:16],
		"48 bytes, not 32":        padded(good, bytes.Repeat([]byte{16}, 16)),
		"receiver in other case":  padded(frame(2, "hi"+strings.ToUpper(testCorp)), whole),
		"receiver and more":       padded(frame(2, "hi"+testCorp+strings.Repeat("x", 16)), bytes.Repeat([]byte{16}, 16)),
		"shorter than its header": append(bytes.Repeat([]byte{'x'}, 19), bytes.Repeat([]byte{13}, 13)...),
	} {
		sealed := encryptRaw(t, plain)
		if got, err := e.open(e.sign("1", "n", sealed), "1", "n", sealed); err != errRefused {
			t.Errorf("%s: open = %q, %v; want %v", name, got, err, errRefused)
		}
	}
	for _, sealed := range []string{"", "=", "not base64!", "AAAA"} {
		if _, err := e.open(e.sign("1", "n", sealed), "1", "n", sealed); err != errRefused {
			t.Errorf("open(%q) = %v, want %v", sealed, err, errRefused)
		}
	}
}
