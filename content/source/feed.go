package source

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"weeklybot/content"
)

// Bounds of one fetch.
const (
	feedTime     = 30 * time.Second
	maxFeedBytes = 8 << 20 // after decompression
)

// feed reads the issues of a feed. What was fetched is kept in a file, with entries that the feed itself no longer shows.
type feed struct {
	cfg    Config
	url    *url.URL
	client *http.Client
	file   string
	now    func() time.Time
	state  atomic.Pointer[feedState] // replaced as a whole; nil = nothing was ever fetched

	built map[string]built // of the last load, by entry or week
	from  *feedState       // what the last load read
	last  []*content.Issue
}

func newFeed(cfg Config) (*feed, error) {
	u, err := url.Parse(cfg.URL)
	password := false
	if err == nil {
		_, password = u.User.Password()
	}
	switch {
	case cfg.URL == "":
		return nil, errors.New("url is missing: the address of the feed")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("url: want https://host/path")
	case password:
		return nil, errors.New("url: holds a password; put it under token, or better token_file")
	case cfg.Token != "" && u.Scheme == "http" && !cfg.AllowPrivate:
		return nil, errors.New("token: is sent over https:// only")
	case cfg.Entries != "" && cfg.Entries != EntriesIssues && cfg.Entries != EntriesLinks:
		return nil, fmt.Errorf("entries: %q is none of %s, %s", cfg.Entries, EntriesIssues, EntriesLinks)
	}
	f := &feed{cfg: cfg, url: u, client: newClient(cfg.AllowPrivate), now: time.Now}
	f.file = filepath.Join(cfg.home(), stateName("feed-", cfg.URL)+".json")
	f.state.Store(readState(f.file))
	return f, nil
}

func (f *feed) every() time.Duration { return f.cfg.poll(DefaultFeedPoll) }
func (f *feed) watched() []string    { return nil }

func (f *feed) fetched() time.Time {
	if st := f.state.Load(); st != nil {
		return st.fetched
	}
	return time.Time{}
}

// shown is the feed as people know it: a query may hold a key.
func (f *feed) shown() string { return f.url.Scheme + "://" + f.url.Host + f.url.EscapedPath() }

func (f *feed) fetch(ctx context.Context) error {
	err := f.get(ctx)
	if wrong, ok := errors.AsType[*url.Error](err); ok {
		err = wrong.Err // the other part is the address, query and all
	}
	if after, ok := errors.AsType[*retryAfter](err); ok {
		return &retryAfter{fmt.Errorf("%s: %w", f.shown(), after.error), after.wait}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.shown(), err)
	}
	return nil
}

func (f *feed) get(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, feedTime, fmt.Errorf("the host did not deliver within %v", feedTime))
	defer cancel()
	old := f.state.Load()
	req, err := f.request(ctx, old)
	if err != nil {
		return err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return inTime(ctx, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified && old != nil:
		return f.keep(old.again(f.now()), false)
	case resp.StatusCode != http.StatusOK:
		return refusal(resp, f.now())
	}
	data, err := readBounded(resp.Body)
	if err == nil && bytes.HasPrefix(data, []byte{0x1f, 0x8b}) { // a file that the host does not know to be packed
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(data)); err == nil {
			data, err = readBounded(z)
		}
	}
	if err != nil {
		return inTime(ctx, err)
	}
	fresh, err := readFeed(decoded(data, resp.Header.Get("Content-Type")), resp.Request.URL, f.now())
	if err != nil {
		return err
	}
	fresh.ETag, fresh.LastModified = clip(resp.Header.Get("ETag"), 1000), clip(resp.Header.Get("Last-Modified"), 100)
	return f.keep(fresh.after(old), true)
}

// readBounded reads a feed, if it is not too big.
func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFeedBytes+1))
	if err == nil && len(data) > maxFeedBytes {
		err = fmt.Errorf("the feed has over %d MiB", maxFeedBytes>>20)
	}
	return data, err
}

// inTime says what ended a request: the error of a context that ran out of time is about the host.
func inTime(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (f *feed) request(ctx context.Context, old *feedState) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "application/feed+json, application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5")
	if f.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+string(f.cfg.Token))
	}
	if old != nil && old.ETag != "" {
		req.Header.Set("If-None-Match", old.ETag)
	}
	if old != nil && old.LastModified != "" {
		req.Header.Set("If-Modified-Since", old.LastModified)
	}
	return req, nil
}

// refusal is an answer that holds no feed.
func refusal(resp *http.Response, now time.Time) error {
	err := fmt.Errorf("answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch resp.StatusCode {
	case http.StatusGone:
		return errors.New("the feed is gone for good (410): remove the source")
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: the host wants a token, or does not want this reader", err)
	}
	after := resp.Header.Get("Retry-After")
	if seconds, wrong := strconv.Atoi(after); wrong == nil && seconds > 0 {
		return &retryAfter{err, time.Duration(min(seconds, 1<<30)) * time.Second}
	}
	if at, wrong := http.ParseTime(after); wrong == nil && at.After(now) {
		return &retryAfter{err, at.Sub(now)}
	}
	return err
}

// decoded turns the bytes into UTF-8 where the XML itself does not say how: by the header, or by a mark at the start.
func decoded(data []byte, contentType string) []byte {
	start := data[:min(len(data), 200)]
	_, params, _ := mime.ParseMediaType(contentType)
	label := params["charset"]
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		label = "utf-16le"
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		label = "utf-16be"
	case bytes.Contains(start, []byte("encoding=")):
		return data
	case utf8.Valid(data): // whatever the header says: many a host names its usual encoding
		label = ""
	}
	if label == "" || strings.EqualFold(label, "utf-8") {
		return bytes.TrimPrefix(data, []byte("\ufeff"))
	}
	in, err := charset.NewReaderLabel(label, bytes.NewReader(data))
	if err != nil {
		return data
	}
	out, err := io.ReadAll(io.LimitReader(in, 2*maxFeedBytes))
	if err != nil {
		return data
	}
	out = bytes.TrimPrefix(out, []byte("\ufeff"))
	if end := bytes.Index(out, []byte("?>")); end > 0 && bytes.HasPrefix(out, []byte("<?xml")) {
		out = out[end+2:] // it names the encoding that there was
	}
	return out
}

// keep makes st what load reads, after it is on disk.
func (f *feed) keep(st *feedState, changed bool) error {
	if err := os.MkdirAll(filepath.Dir(f.file), 0o755); err != nil {
		return err
	}
	if !changed && os.Chtimes(f.file, st.fetched, st.fetched) == nil {
		f.state.Store(st)
		return nil
	}
	data, err := json.Marshal(st)
	if err == nil {
		err = writeFile(f.file, data)
	}
	if err != nil {
		return err
	}
	f.state.Store(st)
	return nil
}

func (f *feed) load(context.Context) ([]*content.Issue, []error, error) {
	if st := f.state.Load(); st != f.from {
		f.from, f.last = st, f.issues(st)
	}
	return f.last, nil, nil
}
