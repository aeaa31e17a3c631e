package source

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
)

// A name that led to a public address when it was looked at, and leads to a private one when it is dialled (DNS rebinding), gets nothing.
func TestNameThatChangesItsAddress(t *testing.T) {
	inner := newHost(t, "", rss())
	port := inner.URL[strings.LastIndexByte(inner.URL, ':'):]
	public, private := netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("127.0.0.1")
	var now atomic.Pointer[netip.Addr]
	now.Store(&public)
	answerNames(t, &now)

	if addrs, err := publicAddrs(t.Context(), "rebind.example"); err != nil || len(addrs) != 1 || addrs[0] != public {
		t.Fatalf("publicAddrs = %v, %v", addrs, err)
	}
	now.Store(&private)
	f, err := newFeed(Config{Name: "news", Kind: KindFeed, URL: "http://rebind.example" + port + "/feed", Dir: t.TempDir()})
	must(t, err)
	if err := f.fetch(t.Context()); !errors.Is(err, errPrivate) || inner.gets.Load() != 0 {
		t.Errorf("fetch: %v; the inner host was asked %d times", err, inner.gets.Load())
	}
	if _, err := publicAddrs(t.Context(), "rebind.example"); !errors.Is(err, errPrivate) {
		t.Errorf("publicAddrs: %v", err)
	}
}

// answerNames has this process resolve all names through a server that answers with the address in at.
func answerNames(t *testing.T, at *atomic.Pointer[netip.Addr]) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		_ = server.Close()
	})
	go func() {
		query := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(query)
			if err != nil {
				return
			}
			_, _ = server.WriteTo(dnsAnswer(query[:n], at.Load().As4()), from)
		}
	}()
}

// dnsAnswer answers a question for an IPv4 address, and any other with nothing. Source: RFC 1035, section 4.
func dnsAnswer(query []byte, ip [4]byte) []byte {
	const header, ipv4, internet = 12, 1, 1
	end := header
	for end < len(query) && query[end] != 0 {
		end += 1 + int(query[end])
	}
	question := query[header : end+5]
	answer := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	if binary.BigEndian.Uint16(question[len(question)-4:]) == ipv4 {
		answer[7] = 1
		answer = append(answer, 0xc0, header, 0, ipv4, 0, internet, 0, 0, 0, 0, 0, 4)
		answer = append(answer, ip[:]...)
	}
	return answer
}
