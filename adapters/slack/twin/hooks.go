package twin

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// How often and how long a response URL works. Source: docs.slack.dev, handling user interaction, read 2026-11.
const (
	responseUses = 5
	responseLife = 30 * time.Minute
)

// response is one response URL.
type response struct {
	channel string
	origin  string // TS of the message whose button was clicked
	uses    int
	until   time.Time
}

// hookStatus is the HTTP status that goes with a webhook's error. Source: docs.slack.dev, sending messages using incoming webhooks.
var hookStatus = map[string]int{
	"no_service": http.StatusNotFound, "channel_not_found": http.StatusNotFound, "channel_is_archived": http.StatusGone,
	"used_url": http.StatusNotFound, "expired_url": http.StatusNotFound, "rate_limited": http.StatusTooManyRequests,
}

func (t *Twin) webhook(w http.ResponseWriter, r *http.Request) {
	channel := r.PathValue("hook")
	t.take(w, r, channel, Post{Kind: "webhook", Channel: channel}, func() string {
		if c := t.channels[channel]; c.Archived {
			return "channel_is_archived"
		} else if c.Missing {
			return "channel_not_found"
		}
		if t.dead[r.URL.Path] {
			return "no_service"
		}
		return ""
	})
}

func (t *Twin) respond(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	url := t.responses[r.PathValue("id")]
	channel, origin := "", ""
	if url != nil {
		channel, origin = url.channel, url.origin
	}
	t.mu.Unlock()
	t.take(w, r, channel, Post{Kind: "response", Channel: channel, origin: origin}, func() string {
		switch {
		case url == nil || t.opt.Now().After(url.until):
			return "expired_url"
		case url.uses >= responseUses:
			return "used_url"
		}
		url.uses++
		return ""
	})
}

// take is a post by URL: JSON in, plain text out. allowed runs under t.mu and gives the code to refuse with.
func (t *Twin) take(w http.ResponseWriter, r *http.Request, channel string, p Post, allowed func() string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	accept := func() (code string, f *flaw, wait int) {
		t.mu.Lock()
		defer t.mu.Unlock()
		code, f, wait = t.takeLocked(p, body, allowed)
		if code != "" {
			why := code
			if f != nil {
				why = f.Error()
			}
			t.refuse(r.URL.Path, channel, code, why)
		}
		return code, f, wait
	}
	if t.fails(w, func() { accept() }, true) {
		return
	}
	code, _, wait := accept()
	if code == "" {
		writeText(w, http.StatusOK, "ok")
		return
	}
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(wait))
	}
	status, ok := hookStatus[code]
	if !ok {
		status = http.StatusBadRequest
	}
	writeText(w, status, code)
}

func (t *Twin) takeLocked(p Post, body []byte, allowed func() string) (code string, f *flaw, wait int) {
	var in struct {
		Text         string          `json:"text"`
		Blocks       json.RawMessage `json:"blocks"`
		Attachments  json.RawMessage `json:"attachments"`
		ResponseType string          `json:"response_type"`
		UnfurlLinks  bool            `json:"unfurl_links"`
		UnfurlMedia  *bool           `json:"unfurl_media"`
		Parse        string          `json:"parse"`
		Replace      bool            `json:"replace_original"`
		Delete       bool            `json:"delete_original"`
		ThreadTS     string          `json:"thread_ts"`
	}
	if json.Unmarshal(body, &in) != nil {
		return "invalid_payload", nil, 0
	}
	if code := allowed(); code != "" {
		return code, nil, 0
	}
	original := slices.IndexFunc(t.posts, func(q *Post) bool { return p.origin != "" && q.TS == p.origin })
	if in.Delete && original >= 0 {
		t.posts = slices.Delete(t.posts, original, original+1)
		return "", nil, 0
	}
	if p.Message, f = readMessage(in.Text, in.Blocks, in.Attachments, nil); f != nil {
		code = f.code
		if code == "invalid_blocks_format" {
			code = "invalid_blocks"
		}
		return code, f, 0
	}
	if n := t.paced(p.Channel); n > 0 {
		return "rate_limited", nil, n
	}
	p.Message.ResponseType, p.Message.Parse = in.ResponseType, in.Parse
	p.Message.UnfurlLinks, p.Message.UnfurlMedia = in.UnfurlLinks, in.UnfurlMedia == nil || *in.UnfurlMedia
	p.Raw = body
	if in.Replace && original >= 0 {
		p.Message.ResponseType = t.posts[original].Message.ResponseType // who sees a message is settled for its life
		t.posts[original].Message, t.posts[original].Raw = p.Message, body
		t.changed++
		return "", nil, 0
	}
	if p.Kind == "response" {
		p.ThreadTS = in.ThreadTS
	}
	t.keep(p)
	return "", nil, 0
}
