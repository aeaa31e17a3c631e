package outbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weeklybot/bot"
)

// sink is a platform over HTTP, in the test's process: it outlives the engines that are killed.
type sink struct {
	*httptest.Server
	mu       sync.Mutex
	got      map[string]map[string]int // channel and key → part with its cut → times
	order    []string                  // faults of order and cut
	count    atomic.Int64
	conns    atomic.Int64 // open connections
	faulty   bool
	slow     time.Duration // of an answer
	unheard  atomic.Int64  // accepted, and the answer cut off
	rng      *rand.Rand
	ill      atomic.Pointer[string] // how it fails for now
	lastPart map[string]int
	cutOf    map[string]string
	quiet    map[string]time.Time // until when nothing may come, by channel; nil: it may at any time
}

func newSink(t testing.TB, seed uint64, faulty bool) *sink {
	s := &sink{got: map[string]map[string]int{}, faulty: faulty, rng: rand.New(rand.NewPCG(seed, 1)), lastPart: map[string]int{}, cutOf: map[string]string{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.conns.Add(1)
		case http.StateClosed, http.StateHijacked:
			s.conns.Add(-1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// settle waits until everything that a killed engine had put on the wire has been taken in: a real platform has had that time long before
// an engine looks a second time.
func (s *sink) settle(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(time.Minute); s.conns.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d connections of a killed engine are still open", s.conns.Load())
		}
	}
}

func (s *sink) dice() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rng.Float64()
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // as platforms do: half a request is none
	}
	q := r.URL.Query()
	if r.URL.Path == "/find" {
		s.find(w, q)
		return
	}
	if how := s.ill.Load(); how != nil && s.fail(*how, w, r) {
		return
	}
	dice := 1.0
	if s.faulty {
		dice = s.dice()
	}
	time.Sleep(s.slow)
	switch {
	case dice < 0.02:
		http.Error(w, "busy", http.StatusInternalServerError)
	case dice < 0.04:
		w.Header().Set("Retry-After", strconv.Itoa(int(dice*1000)))
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case dice < 0.05:
		panic(http.ErrAbortHandler) // hung up before it is accepted
	case dice < 0.06:
		s.unheard.Add(1)
		s.accept(q)
		panic(http.ErrAbortHandler)
	default:
		s.accept(q)
		_, _ = io.WriteString(w, "1700000000.123456")
	}
}

// illnesses are the ways in which a platform fails for a while.
var illnesses = []string{"429", "503", "hang", "cut", "cut after", "slow", "garbage"}

// fail answers as a platform does that is ill; false: it is only slow.
func (s *sink) fail(how string, w http.ResponseWriter, r *http.Request) bool {
	switch how {
	case "429":
		w.Header().Set("Retry-After", "50")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case "503":
		http.Error(w, "down", http.StatusServiceUnavailable)
	case "hang":
		<-r.Context().Done()
	case "cut":
		panic(http.ErrAbortHandler)
	case "cut after":
		s.unheard.Add(1)
		s.accept(r.URL.Query())
		panic(http.ErrAbortHandler)
	case "garbage":
		if s.dice() < 0.5 {
			s.unheard.Add(1)
			s.accept(r.URL.Query())
		}
		_, _ = io.WriteString(w, "<html>\xff\x00</html>")
	default:
		time.Sleep(50 * time.Millisecond)
		return false
	}
	return true
}

func (s *sink) accept(q url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, part := q.Get("channel")+" "+q.Get("key"), q.Get("part")+"/"+q.Get("parts")
	if s.got[id] == nil {
		s.got[id] = map[string]int{}
	}
	s.got[id][part]++
	n, _ := strconv.Atoi(q.Get("part"))
	if left := time.Until(s.quiet[q.Get("channel")]); left > 0 && n == 1 {
		s.order = append(s.order, fmt.Sprintf("%s: came %v early", id, left))
	}
	if n > s.lastPart[id]+1 {
		s.order = append(s.order, fmt.Sprintf("%s: part %s after part %d", id, part, s.lastPart[id]))
	}
	s.lastPart[id] = max(n, s.lastPart[id])
	if before := s.cutOf[id]; n > 1 && before != q.Get("cut") {
		s.order = append(s.order, fmt.Sprintf("%s: part %s of cut %s after cut %s", id, part, q.Get("cut"), before))
	}
	if n == 1 {
		s.cutOf[id] = q.Get("cut")
	}
	s.count.Add(1)
}

func (s *sink) find(w http.ResponseWriter, q url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for part := range s.got[q.Get("channel")+" "+q.Get("key")] {
		if n, _, _ := cutPart(part); n == q.Get("part") {
			_, _ = io.WriteString(w, "found")
			return
		}
	}
	http.NotFound(w, nil)
}

func cutPart(s string) (part, parts string, ok bool) {
	before, after, ok := bytes.Cut([]byte(s), []byte("/"))
	return string(before), string(after), ok
}

// result counts what n channels got: parts that are missing, and parts that came again. each is how many digests each channel was to get.
func (s *sink) result(n, each int) (lost, doubled int, faults []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.got) != n*each {
		lost = n*each - len(s.got)
	}
	for _, parts := range s.got {
		missing, again := tallyParts(parts)
		lost += missing
		doubled += again
	}
	return lost, doubled, s.order
}

// twice are the keys of what came more than once, or partly so.
func (s *sink) twice() (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, parts := range s.got {
		if _, again := tallyParts(parts); again > 0 {
			_, key, _ := strings.Cut(id, " ")
			keys = append(keys, key)
		}
	}
	return keys
}

// tallyParts says how many parts of a delivery are missing, and how many posts were too many.
func tallyParts(parts map[string]int) (missing, again int) {
	posts, best := 0, 0
	missing = 1000
	have := map[int]int{}
	for part, times := range parts {
		_, all, _ := cutPart(part)
		n, _ := strconv.Atoi(all)
		have[n]++
		posts += times
	}
	for n, k := range have { // a digest that was sent anew may have been cut anew
		if n-k < missing || n-k == missing && n > best {
			best, missing = n, n-k
		}
	}
	return missing, posts - (best - missing)
}

// example shows some of what came more than once.
func (s *sink) example() (text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, parts := range s.got {
		for part, times := range parts {
			_, all, _ := cutPart(part)
			if n, _ := strconv.Atoi(all); (times > 1 || n != len(parts)) && len(text) < 500 {
				text += fmt.Sprint(id, parts, " ")
			}
		}
	}
	return text
}

// poster is the adapter of a sink.
type poster struct {
	base   string
	client *http.Client
	cutID  string
	parts  int
	body   []byte
	fenced bool         // it looks at the fence when a post is about to be written, as the adapters do
	step   func(string) // called at each step; nil: nothing
}

// seeker is a poster that can look for its posts.
type seeker struct{ *poster }

func newPoster(base string, parts int, conns int) *poster {
	return &poster{
		base: base, parts: parts, cutID: strconv.FormatUint(rand.Uint64(), 36),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns}},
	}
}

func (p *poster) Name() string                           { return "sink" }
func (p *poster) Kinds() []bot.Kind                      { return []bot.Kind{"app"} }
func (p *poster) Capabilities(bot.Kind) bot.Capabilities { return bot.Capabilities{} }

// Split cuts as no other process does, so that two cuts in one delivery are seen.
func (p *poster) Split(_ bot.Kind, m bot.Message) (parts []bot.Message) {
	for range p.parts {
		parts = append(parts, bot.Message{Title: m.Title, Notice: p.cutID})
	}
	return parts
}

func (p *poster) query(dst bot.Channel, post bot.Post) string {
	return url.Values{
		"channel": {dst.Address}, "key": {post.Key}, "part": {strconv.Itoa(post.Part)}, "parts": {strconv.Itoa(post.Parts)}, "cut": {post.Message.Notice},
	}.Encode()
}

func (p *poster) Send(ctx context.Context, dst bot.Channel, post bot.Post) (bot.Receipt, error) {
	body := p.body
	if body == nil {
		body, _ = json.Marshal(post.Message)
	}
	var reader io.Reader = bytes.NewReader(body)
	if p.fenced {
		reader = &fencedReader{reader, ctx}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/post?"+p.query(dst, post), io.NopCloser(reader)) // no GetBody: net/http does not repeat it
	if err != nil {
		return "", &bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "request", Err: err}
	}
	req.ContentLength = int64(len(body))
	p.at("before send")
	defer p.at("after send")
	resp, err := p.client.Do(req)
	if err != nil {
		return "", &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", MaybeSent: true, Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return "", &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", MaybeSent: true, Err: err}
	case resp.StatusCode == http.StatusTooManyRequests:
		ms, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return "", &bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeMessage, Code: "429", RetryAfter: time.Duration(ms) * time.Millisecond, Err: fmt.Errorf("429")}
	case resp.StatusCode != http.StatusOK:
		return "", &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: strconv.Itoa(resp.StatusCode), Err: fmt.Errorf("%s", resp.Status)}
	}
	if strings.HasPrefix(string(answer), "<") {
		return "", &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "garbage", MaybeSent: true, Err: errors.New("not a receipt")}
	}
	return bot.Receipt(answer), nil
}

// fencedReader is a body that is not written once the fence of ctx is over.
type fencedReader struct {
	io.Reader
	ctx context.Context
}

func (r *fencedReader) Read(p []byte) (int, error) {
	if err := bot.Fenced(r.ctx); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

func (p *poster) at(step string) {
	if p.step != nil {
		p.step(step)
	}
}

func (p seeker) Find(ctx context.Context, dst bot.Channel, post bot.Post, _ time.Time) (bot.Receipt, bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/find?"+p.query(dst, post), nil)
	if err != nil {
		return "", false, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return "", false, &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: "no_answer", Err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	return bot.Receipt(answer), resp.StatusCode == http.StatusOK, err
}
