package feishu

import (
	"bytes"
	"encoding/hex"
	"testing"
)

// The vector was made with the algorithm of the platform's page in two other languages.
func TestSign(t *testing.T) {
	if got, want := sign("1599360473", "this is a secret"), "1MOZEWNVTqWg9yZemgxUa9z7jxJJ1h8E3/cwLrbxW+8="; got != want {
		t.Errorf("sign = %s, want %s", got, want)
	}
}

// The platform's own sample. Source: open.feishu.cn, 将事件发送至开发者服务器, read 2026-11.
func TestOpenOfficialSample(t *testing.T) {
	got, err := newCipher("test key").open("P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=")
	if err != nil || string(got) != "hello world" {
		t.Errorf("open = %q, %v", got, err)
	}
}

func TestOpenRefusesWhatIsMalformed(t *testing.T) {
	c := newCipher("k")
	for _, s := range []string{"", "!", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="} {
		if got, err := c.open(s); err == nil {
			t.Errorf("open(%q) = %q", s, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add("P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=")
	f.Add("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	f.Fuzz(func(t *testing.T, s string) {
		c := newCipher("test key")
		if text, err := c.open(s); err == nil && len(text) > len(s) {
			t.Errorf("open(%q) made %d bytes", s, len(text))
		}
		if got, err := c.open(sealWith(c, s)); err != nil || string(got) != s {
			t.Errorf("what was sealed opens as %q, %v", got, err)
		}
	})
}

// officialFrame was written by the official Go client v3.11.0: Frame.Marshal of what TestFrame wants.
const officialFrame = "08071080808080802018f681801020012a0d0a047479706512056576656e742a110a0a6d6573736167655f69641203e591a8" +
	"3204677a69703a046a736f6e42077b2261223a317d4a014c"

func TestFrame(t *testing.T) {
	raw, err := hex.DecodeString(officialFrame)
	if err != nil {
		t.Fatal(err)
	}
	want := frame{seqID: 7, logID: 1 << 40, service: 33554678, method: methodData, payloadEncoding: "gzip", payloadType: "json",
		headers: []frameHeader{{"type", "event"}, {"message_id", "周"}}, payload: []byte(`{"a":1}`), logIDNew: "L"}
	if got := want.marshal(); !bytes.Equal(got, raw) {
		t.Errorf("marshal = %x, want %x", got, raw)
	}
	got, err := unmarshalFrame(raw)
	if err != nil || !bytes.Equal(got.marshal(), raw) || got.get("message_id") != "周" || got.service != 33554678 {
		t.Errorf("unmarshal = %+v, %v", got, err)
	}
}

func FuzzFrame(f *testing.F) {
	raw, _ := hex.DecodeString(officialFrame)
	f.Add(raw)
	f.Add([]byte{0x2a, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := unmarshalFrame(raw)
		if err != nil {
			return
		}
		again, err := unmarshalFrame(got.marshal())
		if err != nil || !bytes.Equal(again.marshal(), got.marshal()) {
			t.Errorf("%x: %+v became %+v, %v", raw, got, again, err)
		}
	})
}
