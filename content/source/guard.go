package source

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"weeklybot/internal/netguard"
)

// errPrivate says that a name leads to an address that strangers cannot reach, and so must not reach through us (SSRF).
var errPrivate = errors.New("the host has a private address; set allow_private: true if it is yours")

const (
	connectTime  = 10 * time.Second
	maxRedirects = 5
	// maxHeaderBytes is of one answer.
	maxHeaderBytes = 64 << 10
	userAgent      = "weeklybot (newsletter reader)"
)

// newClient makes a client that connects to no private address, whichever redirect leads there. The address is checked after it was
// resolved, when it is dialled. Where the environment names a proxy, the proxy resolves names and must refuse private ones itself.
func newClient(allowPrivate bool) *http.Client {
	var proxies sync.Map // host:port of the environment's proxies
	free := &net.Dialer{Timeout: connectTime}
	guarded := &net.Dialer{Timeout: connectTime, Control: netguard.Refuse(errPrivate)}
	return &http.Client{
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{
			Proxy: func(r *http.Request) (*url.URL, error) {
				proxy, err := http.ProxyFromEnvironment(r)
				if proxy != nil {
					proxies.Store(hostPort(proxy), true)
				}
				return proxy, err
			},
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if _, proxied := proxies.Load(addr); proxied || allowPrivate {
					return free.DialContext(ctx, network, addr)
				}
				return guarded.DialContext(ctx, network, addr)
			},
			TLSHandshakeTimeout: connectTime, MaxResponseHeaderBytes: maxHeaderBytes, DisableKeepAlives: true, ForceAttemptHTTP2: true,
		},
	}
}

// hostPort is the address of a URL's host, with its port.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080", "ssh": "22"}[u.Scheme]
	}
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func checkRedirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case r.URL.Scheme != "https" && (r.URL.Scheme != "http" || via[0].URL.Scheme == "https"):
		return fmt.Errorf("a redirect leads to %s:", r.URL.Scheme)
	}
	return nil
}

// publicAddrs resolves a host for a program that dials by itself. It gives the addresses that may be dialled.
func publicAddrs(ctx context.Context, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	if addrs = slices.DeleteFunc(addrs, netguard.IsPrivate); len(addrs) == 0 {
		return nil, errPrivate
	}
	return addrs, nil
}
