package apihttp

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestPrivateAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1": true, "127.9.9.9": true, "10.1.2.3": true, "172.16.0.1": true, "192.168.1.1": true, "169.254.169.254": true, "0.0.0.0": true,
		"100.100.100.200": true, "198.18.0.1": true, "224.0.0.1": true, "255.255.255.255": true, "240.0.0.1": true,
		"::1": true, "::": true, "fe80::1": true, "fd00::1": true, "ff02::1": true, "::ffff:10.0.0.1": true, "64:ff9b::10.0.0.1": true, "2002:a00:1::": true,
		"fec0::1": true, "2001:db8::1": true, "::127.0.0.1": true,
		"8.8.8.8": false, "93.184.215.14": false, "2606:4700::1111": false, "::ffff:8.8.8.8": false, "64:ff9b::8.8.8.8": false, "172.32.0.1": false,
	} {
		if got := isPrivate(netip.MustParseAddr(text)); got != want {
			t.Errorf("isPrivate(%s) = %v", text, got)
		}
	}
	for host, want := range map[string]bool{"localhost": true, "a.localhost.": true, "LOCALHOST": true, "10.0.0.1": true, "::1": true, "example.org": false, "8.8.8.8": false} {
		if got := PrivateHost(host); got != want {
			t.Errorf("PrivateHost(%q) = %v", host, got)
		}
	}
}

func TestGuardedClientChecksWhatItDials(t *testing.T) {
	called := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer server.Close()
	byName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) // a name that leads to a private address
	for _, url := range []string{server.URL, byName} {
		_, _, _, err := Do(t.Context(), NewGuardedClient(time.Minute, []string{"example.org"}), post(t, url+secretPath), 0)
		if !errors.Is(err, ErrPrivate) || called {
			t.Errorf("Do(%s) = %v, called: %v, want ErrPrivate", url, err, called)
		}
		noSecret(t, err)
		if fault := TransportFault(err); fault.MaybeSent {
			t.Errorf("TransportFault = %+v", fault)
		}
	}
	if _, _, _, err := Do(t.Context(), NewGuardedClient(time.Minute, []string{strings.TrimPrefix(server.URL, "http://")}), post(t, server.URL), 0); err != nil || !called {
		t.Errorf("a trusted host was not called: %v", err)
	}
}
