package apihttp

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestPrivateHost(t *testing.T) {
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
