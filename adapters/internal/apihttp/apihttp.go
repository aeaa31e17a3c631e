// Package apihttp is what every adapter needs to speak HTTP with a platform safely: bounded reads, errors without secrets,
// Retry-After, hosts that may be called, access tokens, verdicts, and foreign text and URLs made harmless. It is for adapters only.
//
// It refuses to retry, to follow redirects and to log. All functions are safe for concurrent use.
package apihttp

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"weeklybot/bot"
)

const (
	// MaxAnswer is the most that Do reads of an answer when its caller names no size, in bytes.
	MaxAnswer = 64 << 10
	// MaxInbound is the most that a hook reads of one request, in bytes.
	MaxInbound = 1 << 20

	connectTimeout    = 10 * time.Second
	maxHeaderBytes    = 64 << 10
	maxIdlePerHost    = 256 // one platform is one or two hosts, and a lane sends up to 256 posts at a time
	maxIdle           = 1024
	idleTimeout       = 90 * time.Second
	defaultAPITimeout = 30 * time.Second
)

// ErrTooLarge says that a body is larger than its reader allows. A hook answers it with 413.
var ErrTooLarge = errors.New("body is larger than allowed")

// NewClient returns a client that follows no redirect, uses the proxy named by the environment, and ends a request after timeout
// (0 = 30 s).
func NewClient(timeout time.Duration) *http.Client {
	return &http.Client{Transport: NewTransport(), Timeout: orDefault(timeout, defaultAPITimeout), CheckRedirect: stay}
}

// NewTransport is the transport of NewClient, for a caller that brings its own dialer.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:    connectTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

var defaultClient = NewClient(0)

// stay keeps a client from following redirects: a platform's API has none, and a redirect could lead a token elsewhere.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// Do sends req once, under ctx, and reads at most max bytes of the answer (0 = MaxAnswer; more is ErrTooLarge). It follows no
// redirect, whatever client it is given; nil is a client with a timeout of 30 s. A body is written only while ctx is not fenced (see
// bot.Fenced), also when req is sent again over another connection. The error's text is already redacted (see
// Redact), it keeps the context's error in its chain, and TransportFault knows whether the request may have been received. status
// and header are set, also with an error, once the head of the answer has arrived.
func Do(ctx context.Context, client *http.Client, req *http.Request, max int64) (status int, header http.Header, body []byte, err error) {
	var left atomic.Bool // a connection stood, so some of the request may have been written
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { left.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { left.Store(true) },
	})
	resp, err := still(client).Do(fenced(req.WithContext(ctx)))
	if err != nil {
		return 0, nil, nil, failed(ctx, req, err, left.Load() && !errors.Is(err, bot.ErrFenced))
	}
	defer resp.Body.Close()
	body, err = readAll(resp.Body, orDefault(max, MaxAnswer))
	if err != nil {
		return resp.StatusCode, resp.Header, nil, failed(ctx, req, fmt.Errorf("read answer: %w", err), true)
	}
	return resp.StatusCode, resp.Header, body, nil
}

// fenced is req with a body that asks the context's fence before its first byte is read: net/http does so when a connection stands. A platform
// takes no request whose body is missing.
func fenced(req *http.Request) *http.Request {
	if req.Body == nil || req.Body == http.NoBody {
		return req
	}
	ctx, again := req.Context(), req.GetBody
	req.Body = &fencedBody{ReadCloser: req.Body, ctx: ctx}
	if again != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			return &fencedBody{ReadCloser: body, ctx: ctx}, err
		}
	}
	return req
}

type fencedBody struct {
	io.ReadCloser
	ctx   context.Context
	begun bool
}

func (b *fencedBody) Read(p []byte) (int, error) {
	if !b.begun {
		if err := bot.Fenced(b.ctx); err != nil {
			return 0, err
		}
		b.begun = true
	}
	return b.ReadCloser.Read(p)
}

// still is client without redirects.
func still(client *http.Client) *http.Client {
	if client == nil {
		return defaultClient
	}
	c := *client
	c.CheckRedirect = stay
	return &c
}

func readAll(r io.Reader, max int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > max {
		return nil, ErrTooLarge
	}
	return body, nil
}

// ReadBody reads the body of an inbound request, at most max bytes (0 = MaxInbound). A larger one, also when only announced, is
// ErrTooLarge, and the connection is closed after the answer.
func ReadBody(w http.ResponseWriter, r *http.Request, max int64) ([]byte, error) {
	max = orDefault(max, MaxInbound)
	if r.ContentLength > max {
		w.Header().Set("Connection", "close")
		return nil, ErrTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, max))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, ErrTooLarge
	}
	return body, err
}

// ReadHook is ReadBody for a hook that reads up to MaxInbound; false when the request has been answered already: 413 or 400.
func ReadHook(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := ReadBody(w, r, MaxInbound)
	switch {
	case errors.Is(err, ErrTooLarge):
		http.Error(w, fmt.Sprintf("body is larger than %d bytes", MaxInbound), http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(w, "body is incomplete", http.StatusBadRequest)
	}
	return body, err == nil
}

// SameSecret compares in constant time.
func SameSecret(want, got string) bool {
	return subtle.ConstantTimeCompare([]byte(want), []byte(got)) == 1
}
