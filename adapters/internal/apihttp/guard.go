package apihttp

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"weeklybot/internal/netguard"
)

// ErrPrivate says that a name leads to an address that strangers cannot reach, and so must not reach through us (SSRF).
var ErrPrivate = errors.New("the host has a private address")

// NewGuardedClient is NewClient, but connects to no private address unless the host is one of trusted (see CheckURL): then the error has
// ErrPrivate in its chain. The address is checked after it was resolved, when it is
// dialled: a name that changes its address in between gains nothing. Where the environment names a proxy, the proxy resolves names,
// and must refuse private ones itself.
func NewGuardedClient(timeout time.Duration, trusted []string) *http.Client {
	transport := NewTransport()
	var proxies sync.Map // host:port of the environment's proxies
	transport.Proxy = func(r *http.Request) (*url.URL, error) {
		proxy, err := http.ProxyFromEnvironment(r)
		if proxy != nil {
			proxies.Store(proxy.Host, true)
		}
		return proxy, err
	}
	open := &net.Dialer{Timeout: connectTimeout}
	guarded := &net.Dialer{Timeout: connectTimeout, Control: netguard.Refuse(ErrPrivate)}
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, proxied := proxies.Load(addr)
		if proxied || CheckURL("https://"+addr, trusted) == nil {
			return open.DialContext(ctx, network, addr)
		}
		return guarded.DialContext(ctx, network, addr)
	}
	client := NewClient(timeout)
	client.Transport = transport
	return client
}

// PrivateHost says of the host of a URL that it is, as written, this machine or a private address.
func PrivateHost(host string) bool {
	if host = strings.ToLower(strings.TrimSuffix(host, ".")); host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && netguard.IsPrivate(ip)
}
