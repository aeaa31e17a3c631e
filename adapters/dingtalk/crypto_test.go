package dingtalk

import (
	"bytes"
	"encoding/base64"
	"testing"
)

// The published samples of encrypted events.
var eventSamples = []struct{ token, aesKey, owner, signature, timestamp, nonce, encrypted, msg string }{
	{"123456", "1234567890123456789012345678901234567890123", "dingsnotzck6pm5veliw", "9a95a004dd16f5c307e849b994173f76aa26e5eb", "1614767836", "A7Co0cJLMzIDtMMI",
		"YvkvaGe4hQxd3VxRmEty0dVlnCOAqwf56xwTRHDHoOURqhalbmBJQk5FNcRk42Gl5T0YQXZNwpwWSm1xAFJ5ZA==", "success"},
	{"123456", "4g5j64qlyl3zvetqxz5jiocdr586fn2zvjpa8zls3ij", "suite4xxxxxxxxxxxxxxx", "5a65ceeef9aab2d149439f82dc191dd6c5cbe2c0", "1445827045067", "nEXhMP4r",
		"1a3NBxmCFwkCJvfoQ7WhJHB+iX3qHPsc9JbaDznE1i03peOk1LaOQoRz3+nlyGNhwmwJ3vDMG+OzrHMeiZI7gTRWVdUBmfxjZ8Ej23JVYa9VrYeJ5as7XM/ZpulX8NEQis44w53h1qAgnC3PRzM7Zc/D6Ibr0rgUathB6zRHP8PYrfgnNOS9PhSBdHlegK+AGGanfwjXuQ9+0pZcy0w9lQ==",
		`{"EventType":"check_create_suite_url","Random":"LPIdSnlF","TestSuiteKey":"suite4xxxxxxxxxxxxxxx"}`},
	{"tokenxxxx", "o1w0aum42yaptlz8alnhwikjd3jenzt9cb9wmzptgus", "dingxxxxxx", "f36f4ba5337d426c7d4bca0dbcb06b3ddc1388fc", "1605695694141", "WelUQl6bCqcBa2fM",
		"X1VSe9cTJUMZu60d3kyLYTrBq5578ZRJtteU94wG0Q4Uk6E/wQYeJRIC0/UFW5Wkya1Ihz9oXAdLlyC9TRaqsQ==", "success"},
	{"mryue", "Yue0EfdN5900c1ce5cf6A152c63DDe1808a60c5ecd7", "ding6ccabc44d2c8d38b", "03044561471240d4a14bb09372dfcfd4fd0e40cb", "1608001896814", "WL4PK6yA",
		"0vJiX6vliEpwG3U45CtXqi+m8PXbQRARJ8p8BbDuD1EMTDf0jKpQ79QS93qEk7XHpP6u+oTTrd15NRPvNvmBKyDCYxxOK+HZeKju4yhELOFchzNukR+t8SB/qk4ROMu3", `{"EventType":"check_url"}`},
}

func TestEventSamples(t *testing.T) {
	for _, c := range eventSamples {
		if got := eventSignature(c.token, c.timestamp, c.nonce, c.encrypted); got != c.signature {
			t.Errorf("%s: signature %s, want %s", c.owner, got, c.signature)
		}
		cipher, err := newCipher(c.aesKey)
		if err != nil {
			t.Fatal(err)
		}
		msg, owner, err := cipher.open(c.encrypted)
		if err != nil || string(msg) != c.msg || owner != c.owner {
			t.Errorf("open = %q, %q, %v; want %q, %q", msg, owner, err, c.msg, c.owner)
		}
		if again := cipher.seal(msg, owner, plainRandom(t, cipher, c.encrypted)); again != c.encrypted {
			t.Errorf("%s: sealing again gives\n%s\nwant\n%s", c.owner, again, c.encrypted)
		}
	}
}

// plainRandom is the random head that encrypted was made with.
func plainRandom(t *testing.T, c *eventCipher, encrypted string) []byte {
	raw, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, eventRandom)
	c.block.Decrypt(head, raw)
	for k := range head {
		head[k] ^= c.iv[k]
	}
	return head
}

func TestNewCipherRefuses(t *testing.T) {
	for _, key := range []string{"", "short", "1234567890123456789012345678901234567890123=", "12345678901234567890123456789012345678901 3"} {
		if _, err := newCipher(key); err == nil {
			t.Errorf("newCipher(%q) accepts", key)
		}
	}
}

// FuzzOpen: what is not ours never opens as a message, and what we sealed always does.
func FuzzOpen(f *testing.F) {
	f.Add(eventSamples[3].encrypted, []byte("success"), "dingclient")
	f.Add("AAAA", []byte{}, "")
	f.Add("YvkvaGe4hQxd3VxRmEty0dVlnCOAqwf56xwTRHDHoOU=", []byte("周"), "企业")
	c, err := newCipher(eventSamples[3].aesKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, encrypted string, msg []byte, owner string) {
		if got, of, err := c.open(encrypted); err == nil && c.seal(got, of, plainRandom(t, c, encrypted)) != encrypted {
			// A sender may pad to 16 only: then all but the padding is the same.
			raw, _ := base64.StdEncoding.DecodeString(encrypted)
			if len(got)+len(of)+eventHead >= len(raw) || len(got)+len(of)+eventHead+eventPadding < len(raw) {
				t.Errorf("opened %d+%d bytes of a ciphertext of %d", len(got), len(of), len(raw))
			}
		}
		got, of, err := c.open(c.seal(msg, owner, []byte("0123456789abcdef")))
		if err != nil || !bytes.Equal(got, msg) || of != owner {
			t.Errorf("open(seal(%q, %q)) = %q, %q, %v", msg, owner, got, of, err)
		}
	})
}
