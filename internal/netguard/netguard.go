// Package netguard keeps what strangers may name (feeds, repositories, webhooks) from leading to addresses that strangers cannot reach
// (SSRF). It is pure and safe for concurrent use.
package netguard

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// Refuse makes a net.Dialer's Control that gives refusal for private addresses. It sees the address that a name was resolved to, at each
// connection, so that neither a redirect nor a name that changes its address in between gains anything.
func Refuse(refusal error) func(network, address string, c syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		if IsPrivate(at.Addr()) {
			return refusal
		}
		return nil
	}
}

// reserved are the blocks that no stranger's server has, besides those that netip knows. Clouds keep metadata services in 100.64.0.0/10.
// Source: iana.org/assignments/iana-ipv4-special-registry and -ipv6-special-registry, read 2026-11.
var reserved = prefixes("0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4 " +
	"2001::/23 2001:db8::/32 3fff::/20")

func prefixes(list string) (out []netip.Prefix) {
	for p := range strings.FieldsSeq(list) {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// IsPrivate reports whether ip, or the IPv4 address that it stands for, is not one of the public Internet.
func IsPrivate(ip netip.Addr) bool {
	ip = ipv4Within(ip.Unmap().WithZone(""))
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Is6() && !global.Contains(ip) { // loopback, link-local (metadata services too), multicast and unspecified are not global
		return true
	}
	return slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// global is all that is given out of IPv6's public addresses.
// Source: iana.org/assignments/ipv6-unicast-address-assignments, read 2026-11.
var global = netip.MustParsePrefix("2000::/3")

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
