package apihttp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weeklybot/bot"
)

const secretPath = "/hook/s3cr3t-path?access_token=s3cr3t-token"

func post(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequest("POST", url, strings.NewReader(`{"text":"周"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer s3cr3t-bearer")
	return req
}

func noSecret(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("a secret is in %q", err)
	}
	if inner, ok := errors.AsType[*url.Error](err); ok {
		t.Errorf("the URL is still in the chain: %v", inner)
	}
}

// hangUp is the address of a server that reads what it gets and closes.
func hangUp(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				io.Copy(io.Discard, req.Body)
			}
			conn.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func TestDoReadsAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Id", "7")
		w.WriteHeader(http.StatusAccepted)
		io.Copy(w, r.Body)
	}))
	defer server.Close()
	status, header, body, err := Do(t.Context(), NewClient(time.Minute), post(t, server.URL), 0)
	if status != 202 || header.Get("X-Id") != "7" || string(body) != `{"text":"周"}` || err != nil {
		t.Errorf("Do = %d, %v, %q, %v", status, header, body, err)
	}
}

func TestDoBoundsAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 1 << 10 {
			if _, err := w.Write(make([]byte, 10<<10)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	status, _, body, err := Do(t.Context(), nil, post(t, server.URL+secretPath), 0)
	if status != 200 || body != nil || !errors.Is(err, ErrTooLarge) {
		t.Errorf("Do = %d, %d bytes, %v, want ErrTooLarge", status, len(body), err)
	}
	noSecret(t, err)
	if fault := TransportFault(err); !fault.MaybeSent || fault.Code != CodeNoAnswer {
		t.Errorf("TransportFault = %+v", fault)
	}
}

func TestDoFollowsNoRedirect(t *testing.T) {
	visited := false
	mux := http.NewServeMux()
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { visited = true })
	mux.Handle("/", http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect))
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, client := range []*http.Client{nil, NewClient(0), {}} {
		if status, _, _, err := Do(t.Context(), client, post(t, server.URL), 0); status != 307 || err != nil || visited {
			t.Errorf("Do = %d, %v, followed: %v", status, err, visited)
		}
	}
}

func TestTransportFault(t *testing.T) {
	stuck := make(chan struct{})
	ending, end := context.WithCancel(t.Context())
	hanging := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { end(); <-stuck }))
	defer hanging.Close()
	defer close(stuck)
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	over, cancel := context.WithCancel(t.Context())
	cancel()

	for _, c := range []struct {
		name  string
		ctx   context.Context
		url   string
		code  string
		maybe bool
		is    error
	}{
		{"refused", t.Context(), closedPort(t), CodeConnect, false, syscall.ECONNREFUSED},
		{"unresolvable", t.Context(), "http://no-such-host.invalid", CodeConnect, false, nil},
		{"certificate", t.Context(), secure.URL, CodeConnect, false, nil},
		{"TLS to a plain server", t.Context(), "https" + strings.TrimPrefix(hanging.URL, "http"), CodeConnect, false, nil},
		{"context over", over, hanging.URL, CodeConnect, false, context.Canceled},
		{"hung up", t.Context(), hangUp(t), CodeNoAnswer, true, io.EOF},
		{"context ends", ending, hanging.URL, CodeNoAnswer, true, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, _, err := Do(c.ctx, NewClient(time.Minute), post(t, c.url+secretPath), 0)
			noSecret(t, err)
			for _, err := range []error{err, Redact(err, "other")} { // redacting again loses nothing
				fault := TransportFault(err)
				noSecret(t, fault)
				if fault.Code != c.code || fault.MaybeSent != c.maybe || fault.Fault != bot.Retryable || fault.Scope != bot.ScopeMessage {
					t.Errorf("TransportFault = %+v, want %s, MaybeSent %v", fault, c.code, c.maybe)
				}
				if c.is != nil && !errors.Is(fault, c.is) {
					t.Errorf("%v is not in the chain of %v", c.is, fault)
				}
			}
			if _, err := http.DefaultClient.Do(post(t, c.url+secretPath).WithContext(c.ctx)); c.ctx.Err() == nil {
				if fault := TransportFault(err); fault.Code != c.code || fault.MaybeSent != c.maybe {
					t.Errorf("TransportFault of another client's error = %+v", fault)
				}
			}
		})
	}
}

func TestRedact(t *testing.T) {
	for _, c := range []struct {
		name, want string
		err        error
	}{
		{"url error", `Post "https://oapi.example.org/…": EOF`,
			&url.Error{Op: "Post", URL: "https://oapi.example.org/robot/send?access_token=s3cr3t", Err: io.EOF}},
		{"URL with spaces and quotes", `parse "<redacted>": bad`,
			&url.Error{Op: "parse", URL: "https://h/s3cr3t a\"s3cr3t\x01", Err: errors.New("bad")}},
		{"URL in a text", "called wss://h:1/… twice", errors.New("called wss://h:1/s3cr3t?x=s3cr3t twice")},
		{"escaped URL", "redirect_uri <redacted>", errors.New("redirect_uri https%3A%2F%2Fh%2Fs3cr3t")},
		{"parameter", "corpid=ww1&corpsecret=<redacted>", errors.New("corpid=ww1&corpsecret=s3cr3t")},
		{"secret", "token <redacted> and <redacted> refused", errors.New("token s3cr3t&1 and s3cr3t%261 refused")},
		{"wrapped", `send: Get "http://h/…": EOF`, fmt.Errorf("send: %w", &url.Error{Op: "Get", URL: "http://h/s3cr3t", Err: io.EOF})},
	} {
		got := Redact(c.err, "s3cr3t&1", "", "a")
		if got.Error() != c.want {
			t.Errorf("%s: Redact = %q, want %q", c.name, got, c.want)
		}
		if errors.Is(c.err, io.EOF) != errors.Is(got, io.EOF) {
			t.Errorf("%s: io.EOF got lost or added", c.name)
		}
	}
	if Redact(nil) != nil {
		t.Error("Redact(nil) is an error")
	}
}

func TestExcerpt(t *testing.T) {
	secrets := SecretsIn("https://user:s3cr3t-password@h/hook/s3cr3t-path-1?key=s3cr3t-key")
	said := "bad\nkey s3cr3t-key in s3cr3t-path-1, s3cr3t-password, https://h/s3cr3t \x1b[31m" + strings.Repeat("长", 300)
	got := Excerpt([]byte(said), secrets...)
	if strings.Contains(got, "s3cr3t") || strings.ContainsAny(got, "\n\x1b") || len([]rune(got)) != maxExcerpt+1 || !strings.HasPrefix(got, "bad key <redacted> in") {
		t.Errorf("Excerpt = %q", got)
	}
	cut := strings.Repeat("x", maxExcerpt-4) + "s3cr3t-key"
	if got := Excerpt([]byte(cut), secrets...); strings.Contains(got, "s3c") {
		t.Errorf("the excerpt ends in part of a secret: %q", got)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":                              0,
		"30":                            30 * time.Second,
		"1.5":                           1500 * time.Millisecond,
		"0":                             0,
		"-5":                            0,
		"soon":                          0,
		"1.2.3":                         0,
		"7200":                          time.Hour,
		"99999999999999999999999":       time.Hour,
		"Mon, 02 Nov 2026 09:00:45 GMT": 45 * time.Second,
		"Mon, 02 Nov 2026 08:00:00 GMT": 0,
		"Tue, 03 Nov 2026 09:00:00 GMT": time.Hour,
		"inf":                           0,
		"nan":                           0,
	} {
		if got := RetryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("RetryAfter(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestCheckURL(t *testing.T) {
	hosts := []string{"oapi.example.com", "127.0.0.1:8081", "https://api.example.net", "[::1]:90", ""}
	for raw, ok := range map[string]bool{
		"https://oapi.example.com/s3cr3t?s3cr3t":      true,
		"https://OAPI.example.com/s3cr3t":             true,
		"https://oapi.example.com:8443/s3cr3t":        true,
		"https://api.example.net/s3cr3t":              true,
		"http://127.0.0.1:8081/s3cr3t":                true,
		"http://[::1]:90/s3cr3t":                      true,
		"https://api.example.net:8443/s3cr3t":         false,
		"http://127.0.0.1:8082/s3cr3t":                false,
		"http://oapi.example.com/s3cr3t":              false,
		"https://oapi.example.com.evil.org/s3cr3t":    false,
		"https://evil.org/oapi.example.com/s3cr3t":    false,
		"https://oapi.example.com@evil.org/s3cr3t":    false,
		"https://s3cr3t@oapi.example.com/":            false,
		`https://evil.org\@oapi.example.com/s3cr3t`:   false,
		"ftp://oapi.example.com/s3cr3t":               false,
		"https:oapi.example.com/s3cr3t":               false,
		"//oapi.example.com/s3cr3t":                   false,
		"https://oapi.example.com:s3cr3t/":            false,
		"https:///s3cr3t":                             false,
		"":                                            false,
		"https://oapi.example.com%2f.evil.org/s3cr3t": false,
	} {
		err := CheckURL(raw, hosts)
		if (err == nil) != ok {
			t.Errorf("CheckURL(%q) = %v", raw, err)
		}
		if err != nil {
			noSecret(t, err)
		}
	}
}

func TestReadBody(t *testing.T) {
	for _, c := range []struct {
		name string
		size int
		open bool // the length is not announced
		ok   bool
	}{
		{"at the cap", 100, false, true},
		{"over, announced", 101, false, false},
		{"over, not announced", 101, true, false},
		{"at the cap, not announced", 100, true, true},
	} {
		var reader io.Reader = strings.NewReader(strings.Repeat("a", c.size))
		r := httptest.NewRequest("POST", "/", reader)
		if c.open {
			r.ContentLength = -1
		}
		body, err := ReadBody(httptest.NewRecorder(), r, 100)
		if c.ok && (err != nil || len(body) != c.size) || !c.ok && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %d bytes, %v", c.name, len(body), err)
		}
	}
}

func TestTLSHandshakeCutIsNotSent(t *testing.T) {
	_, _, _, err := Do(t.Context(), nil, post(t, "https"+strings.TrimPrefix(hangUp(t), "http")), 0)
	if fault := TransportFault(err); fault.MaybeSent || fault.Code != CodeConnect {
		t.Errorf("TransportFault = %+v", fault)
	}
}

// A post whose fence is over when its connection stands is not taken by the platform, and is known not to have been sent.
func TestFencedPostIsNotWritten(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		var taken atomic.Int64
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Proto != proto {
				t.Errorf("the request came over %s, want %s", r.Proto, proto)
			}
			if _, err := io.ReadAll(r.Body); err == nil {
				taken.Add(1)
			}
		}))
		server.EnableHTTP2 = proto == "HTTP/2.0"
		server.StartTLS()
		var over atomic.Bool
		ctx := bot.WithFence(t.Context(), over.Load)
		if _, _, _, err := Do(ctx, server.Client(), post(t, server.URL), 0); err != nil || taken.Load() != 1 {
			t.Errorf("%s: Do = %v, %d taken, want 1", proto, err, taken.Load())
		}
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { over.Store(true) }})
		_, _, _, err := Do(ctx, server.Client(), post(t, server.URL), 0)
		noSecret(t, err)
		if fault := TransportFault(err); fault.MaybeSent || fault.Fault != bot.Retryable {
			t.Errorf("%s: TransportFault = %+v", proto, fault)
		}
		server.Close() // waits for handlers
		if taken.Load() != 1 {
			t.Errorf("%s: the platform took %d posts, want the one before", proto, taken.Load())
		}
	}
}
