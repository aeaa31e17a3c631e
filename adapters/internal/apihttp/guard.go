package apihttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
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
	guarded := &net.Dialer{Timeout: connectTimeout, Control: refusePrivate}
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

func refusePrivate(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial: %w", err)
	}
	if isPrivate(at.Addr()) {
		return ErrPrivate
	}
	return nil
}

// PrivateHost says of the host of a URL that it is, as written, this machine or a private address.
func PrivateHost(host string) bool {
	if host = strings.ToLower(strings.TrimSuffix(host, ".")); host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && isPrivate(ip)
}

// reserved are the blocks that no stranger's server has, besides those that netip knows.
// Source: iana.org/assignments/iana-ipv4-special-registry and -ipv6-special-registry, read 2026-11.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // shared address space of providers; clouds keep metadata services there
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("fec0::/10"),
}

func isPrivate(ip netip.Addr) bool {
	ip = ipv4Within(ip.Unmap().WithZone(""))
	if !ip.IsGlobalUnicast() || ip.IsPrivate() { // loopback, link-local, multicast and unspecified are not global
		return true
	}
	for _, block := range reserved {
		if block.Contains(ip) {
			return true
		}
	}
	return false
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
