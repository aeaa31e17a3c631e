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
	"strings"
	"sync"
	"syscall"
	"time"
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
	guarded := &net.Dialer{Timeout: connectTime, Control: refusePrivate}
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

func refusePrivate(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	if isPrivate(at.Addr()) {
		return errPrivate
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
	if addrs = slices.DeleteFunc(addrs, isPrivate); len(addrs) == 0 {
		return nil, errPrivate
	}
	return addrs, nil
}

// reserved are the blocks that no stranger's server has, besides those that netip knows.
// Source: iana.org/assignments/iana-ipv4-special-registry and -ipv6-special-registry, read 2026-11.
var reserved = prefixes("0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 " +
	"64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32 fec0::/10")

func prefixes(list string) (out []netip.Prefix) {
	for p := range strings.FieldsSeq(list) {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func isPrivate(ip netip.Addr) bool {
	ip = ipv4Within(ip.Unmap().WithZone(""))
	if !ip.IsGlobalUnicast() || ip.IsPrivate() { // loopback, link-local (metadata services too), multicast and unspecified are not global
		return true
	}
	return slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(ip) })
}

var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	sixTo4  = netip.MustParsePrefix("2002::/16")
	ipv4Old = netip.MustParsePrefix("::/96") // IPv4-compatible
)

// ipv4Within is the IPv4 address that an IPv6 address of a transition mechanism leads to.
func ipv4Within(ip netip.Addr) netip.Addr {
	b := ip.As16()
	switch {
	case !ip.Is6():
		return ip
	case nat64.Contains(ip), ipv4Old.Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixTo4.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return ip
}
