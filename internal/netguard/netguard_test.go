package netguard

import (
	"errors"
	"net/netip"
	"testing"
)

func TestIsPrivate(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "10.1.2.3": true, "172.16.0.1": true, "192.168.1.1": true, "169.254.169.254": true, "0.0.0.0": true,
		"100.100.100.200": true, "198.18.0.1": true, "224.0.0.1": true, "255.255.255.255": true, "240.0.0.1": true,
		"::1": true, "::": true, "fe80::1": true, "fd00::1": true, "ff02::1": true, "::ffff:10.0.0.1": true, "64:ff9b::10.0.0.1": true, "2002:a00:1::": true,
		"fec0::1": true, "2002:7f00:1::": true, "fe80::1%eth0": true, "64:ff9b:1::1": true, "::ffff:0:7f00:1": true, "100::1": true, "3fff::1": true, "4000::1": true, "2001:db8::1": true, "::127.0.0.1": true,
		"8.8.8.8": false, "93.184.215.14": false, "2606:4700::1111": false, "::ffff:8.8.8.8": false, "64:ff9b::8.8.8.8": false, "172.32.0.1": false,
	} {
		if got := IsPrivate(netip.MustParseAddr(text)); got != want {
			t.Errorf("IsPrivate(%s) = %v", text, got)
		}
	}
}

func TestRefuse(t *testing.T) {
	refusal := errors.New("refused")
	control := Refuse(refusal)
	for address, want := range map[string]error{"10.0.0.1:80": refusal, "[::1]:443": refusal, "8.8.8.8:443": nil} {
		if err := control("tcp", address, nil); !errors.Is(err, want) {
			t.Errorf("Refuse(%s) = %v, want %v", address, err, want)
		}
	}
	if err := control("tcp", "example.org:80", nil); err == nil {
		t.Error("a name that was not resolved passed")
	}
}
