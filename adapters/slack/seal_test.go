package slack

import (
	"bytes"
	"strings"
	"testing"

	"weeklybot/bot"
)

const (
	oldKey = "old-key-0123456789abcdef0123456789"
	newKey = "new-key-0123456789abcdef0123456789"
)

func TestSealOpensWithAnyKey(t *testing.T) {
	old, both, other := newKeyring(oldKey), newKeyring(newKey, oldKey), newKeyring(newKey)
	sealed := old.seal("xoxb-token", "T1")
	if bytes.Contains(sealed, []byte("token")) || bytes.Equal(sealed, old.seal("xoxb-token", "T1")) {
		t.Error("the secret shows, or sealing twice gives the same")
	}
	for _, c := range []struct {
		name    string
		ring    keyring
		sealed  []byte
		owner   string
		want    bot.Secret
		current bool
	}{
		{"same key", old, sealed, "T1", "xoxb-token", true},
		{"an old key", both, sealed, "T1", "xoxb-token", false},
		{"nothing", both, nil, "T1", "", true},
		{"another key", other, sealed, "T1", "", false},
		{"another owner", old, sealed, "T2", "", false},
		{"a bit changed", old, append(bytes.Clone(sealed[:len(sealed)-1]), sealed[len(sealed)-1]^1), "T1", "", false},
		{"cut", old, sealed[:len(sealed)-1], "T1", "", false},
		{"head only", old, sealed[:sealHead], "T1", "", false},
		{"another version", old, append([]byte{9}, sealed[1:]...), "T1", "", false},
	} {
		got, current, err := c.ring.open(c.sealed, c.owner)
		if got != c.want || current != c.current || (err == nil) != (c.want != "" || c.sealed == nil) {
			t.Errorf("%s: open = %q, %v, %v", c.name, got.Reveal(), current, err)
		}
	}
}

// Keys are rotated without a pause: a new key in front reads what the old one sealed and seals it anew, then the old one can go.
func TestTokenKeysRotate(t *testing.T) {
	m := newMarket(t, true, nil) // sealed with the client's secret
	m.install(t, "T1")
	for _, c := range []struct {
		name  string
		keys  []bot.Secret
		works bool
	}{
		{"first key", []bot.Secret{oldKey}, true},
		{"second key", []bot.Secret{newKey, oldKey}, true},
		{"first key gone", []bot.Secret{newKey}, true},
		{"a key that never was", []bot.Secret{"x" + newKey}, false},
	} {
		m.cfg.TokenKeys = c.keys
		if c.name == "first key gone" {
			m.cfg.ClientSecret = "another secret of the client's, for the keyring only"
		}
		err := m.send(t, m.replica(t), "T1")
		if c.works != (err == nil) || err != nil && (codeOf(err) != codeNotInstalled || !strings.Contains(err.Error(), "token_keys")) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	record := m.rdb.HGet(t.Context(), m.a.tokens.installs.key, "T1").Val()
	if strings.Contains(record, "xoxe") || strings.Contains(record, "xoxb") {
		t.Errorf("a token is stored in the open: %s", record)
	}
}

func TestShortTokenKey(t *testing.T) {
	cfg := testConfig("http://127.0.0.1:1")
	cfg.TokenKeys = []bot.Secret{oldKey, "short"}
	if faults := cfg.Validate(); len(faults) != 1 || !strings.Contains(faults[0].Error(), "token_keys[1]") {
		t.Errorf("faults %v", faults)
	}
}
