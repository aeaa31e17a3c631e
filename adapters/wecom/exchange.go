package wecom

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/silenceper/wechat/v2/util"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

// call is one HTTP exchange that the SDK makes for us. The SDK is given the call's ticket where it expects a key or a token, so that
// no secret can reach its errors; our transport finds the call by the ticket and makes the real request: with the caller's context,
// the adapter's client, the real address, a bounded answer. What happened is read from the call, never from the SDK's error.
type call struct {
	ctx    context.Context // for the time of the call: the SDK's functions take none
	client *http.Client
	url    string // the whole address, with its secret

	status int
	header http.Header
	body   []byte
	err    error // of the transport, redacted
	made   bool  // the SDK came to make the request
}

// outcome is what the exchange came to; nil when WeCom answered errcode 0.
func (c *call) outcome(now time.Time) *bot.SendError {
	switch {
	case c.err != nil:
		return apihttp.TransportFault(c.err)
	case !c.made:
		return refuse(bot.ScopeMessage, "sdk", "the request could not be built")
	}
	var got answer
	if json.Unmarshal(c.body, &got) != nil {
		got.ErrCode = nil
	}
	return got.withAddress(classify(c.status, c.header, got.ErrCode, now))
}

// switchboard is the transport of the SDK's HTTP client, which is one global variable for the whole process. Requests that hold no
// ticket of ours (another user of the SDK in this process) pass through unchanged.
type switchboard struct {
	others http.RoundTripper
	last   atomic.Uint64
	open   sync.Map // ticket -> *call
}

// sdkTimeout ends what other users of the SDK's client do: the SDK itself has no timeout.
const sdkTimeout = time.Minute

// board is set as the SDK's client once, before the first request of the first Adapter. All adapters of the process share it; the
// calls keep them apart.
var board = sync.OnceValue(func() *switchboard {
	s := &switchboard{others: http.DefaultTransport}
	util.DefaultHTTPClient = &http.Client{Transport: s, Timeout: sdkTimeout}
	return s
})

// make runs sdk, which makes one request with the ticket it is given, as the call c.
func (s *switchboard) make(c *call, sdk func(ticket string)) {
	ticket := "call-" + strconv.FormatUint(s.last.Add(1), 10)
	s.open.Store(ticket, c)
	defer s.open.Delete(ticket)
	sdk(ticket)
}

// RoundTrip implements http.RoundTripper.
func (s *switchboard) RoundTrip(req *http.Request) (*http.Response, error) {
	c := s.find(req.URL.Query())
	if c == nil {
		return s.others.RoundTrip(req)
	}
	real, err := c.request(req)
	if err != nil {
		return nil, err
	}
	c.made = true
	c.status, c.header, c.body, c.err = apihttp.Do(c.ctx, c.client, real, 0)
	if c.err != nil {
		return nil, c.err
	}
	return &http.Response{StatusCode: c.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: c.header.Clone(),
		Body: io.NopCloser(bytes.NewReader(c.body)), ContentLength: int64(len(c.body)), Request: req}, nil
}

func (s *switchboard) find(query url.Values) *call {
	for _, name := range []string{"key", "access_token", "corpsecret"} {
		if c, ok := s.open.Load(query.Get(name)); ok {
			return c.(*call)
		}
	}
	return nil
}

// request is what the SDK wants to send, as it goes out: the real address, and a body in which < > & stand as themselves.
func (c *call) request(from *http.Request) (*http.Request, error) {
	if from.Body == nil {
		return http.NewRequestWithContext(c.ctx, from.Method, c.url, nil)
	}
	body, err := io.ReadAll(from.Body)
	from.Body.Close()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(c.ctx, from.Method, c.url, bytes.NewReader(plainJSON(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8") // message and appchat send none
	return req, nil
}

// plainJSON undoes what json.Marshal does to < > & in the SDK's message and appchat: WeCom refuses \u003c (40033).
func plainJSON(body []byte) []byte {
	body = bytes.TrimSuffix(body, []byte("\n"))
	out := make([]byte, 0, len(body))
	for k := 0; k < len(body); {
		if body[k] != '\\' || k+1 == len(body) {
			out = append(out, body[k])
			k++
			continue
		}
		if k+6 <= len(body) {
			if c, ok := escapedHTML[string(body[k:k+6])]; ok {
				out = append(out, c)
				k += 6
				continue
			}
		}
		out = append(out, body[k], body[k+1]) // another escape; "\\u003c" is a backslash and text
		k += 2
	}
	return out
}

var escapedHTML = map[string]byte{`\u003c`: '<', `\u003e`: '>', `\u0026`: '&'}
