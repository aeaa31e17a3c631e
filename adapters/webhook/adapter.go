// Package webhook posts messages to any HTTPS endpoint, signed by the Standard Webhooks scheme (standardwebhooks.com). It is for
// whatever has no adapter of its own: an intranet page, an automation tool, another bot.
//
// One part of a message is one POST of a JSON object:
//
//	{
//	  "type": "digest",
//	  "key": "the delivery; the same for every part and every attempt",
//	  "part": 1, "parts": 2,
//	  "text": "the part as plain text, links on lines of their own",
//	  "markdown": "the part as CommonMark, foreign text escaped",
//	  "message": {
//	    "title": "…", "notice": "one sentence for a push notice", "lang": "zh", "public": true,
//	    "image": {"png": "a picture in base64, at most 64 KiB before", "alt": "what it shows; the blocks say the same"},
//	    "blocks": [
//	      {"kind": "heading", "text": "…"},
//	      {"kind": "text", "text": "a paragraph, \n is a line break"},
//	      {"kind": "item", "title": "…", "url": "https://…", "text": "…", "level": 1},
//	      {"kind": "note", "text": "…", "links": [{"text": "…", "url": "https://…"}]},
//	      {"kind": "divider"},
//	      {"kind": "links", "links": [{"text": "…", "url": "https://…"}]}
//	    ]
//	  }
//	}
//
// Empty fields are left out, further kinds of blocks may come. All text is plain text: a receiver that shows it as HTML escapes it.
// A body is at most 98,304 bytes. The headers are
//
//	webhook-id: key and part, the same for every attempt; a receiver that has seen it answers 2xx and does nothing
//	webhook-timestamp: seconds since 1970; refuse what is more than 5 minutes off
//	webhook-signature: v1,base64(HMAC-SHA256(secret, id + "." + timestamp + "." + body)); left out when the channel has no secret
//
// The secret is written whsec_ and the key in base64, or the base64 alone. Any 2xx means accepted, whatever the body; see classify.go
// for the rest. Redirects are not followed. Only https is called, and no host whose address is private, unless it is trusted.
//
// The package keeps no state, and is safe for concurrent use. It hears nothing.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weeklybot/adapters/internal/apihttp"
	"weeklybot/bot"
)

const (
	name    = "webhook"
	Webhook = bot.Kind("webhook") // the only kind
)

var (
	_ bot.Adapter   = (*Adapter)(nil)
	_ bot.Previewer = (*Adapter)(nil)
)

// Deps are what the adapter works with; nil fields get defaults.
type Deps struct {
	HTTP *http.Client // replaces the client that refuses private addresses: bring such a guard along
	Now  func() time.Time
}

// Adapter posts to webhooks.
type Adapter struct {
	client  *http.Client
	trusted []string
	now     func() time.Time
}

// New checks cfg and does no network I/O.
func New(cfg Config, deps Deps) (*Adapter, error) {
	if err := errors.Join(cfg.Validate()...); err != nil {
		return nil, err
	}
	a := &Adapter{client: deps.HTTP, trusted: cfg.trusted(), now: deps.Now}
	if a.client == nil {
		a.client = apihttp.NewGuardedClient(sendTimeout, a.trusted)
	}
	if a.now == nil {
		a.now = time.Now
	}
	return a, nil
}

// Name is "webhook".
func (a *Adapter) Name() string { return name }

// Kinds is the one kind, "webhook".
func (a *Adapter) Kinds() []bot.Kind { return []bot.Kind{Webhook} }

// Capabilities are our own choice: receivers publish none. See limits.go.
func (a *Adapter) Capabilities(bot.Kind) bot.Capabilities {
	return bot.Capabilities{MaxBytes: maxBytes, Markdown: true}
}

// Split cuts msg into parts of at most maxBytes.
func (a *Adapter) Split(_ bot.Kind, msg bot.Message) []bot.Message {
	widest := bot.Post{Key: strings.Repeat("k", maxKeyBytes), Part: maxParts, Parts: maxParts}
	return bot.Split(msg, func(m bot.Message) bool {
		widest.Message = m
		return len(encode(render(widest))) <= maxBytes
	})
}

// Preview is the exact body of one part.
func (a *Adapter) Preview(_ bot.Kind, p bot.Post) ([]byte, error) { return encode(render(p)), nil }

// Send posts one part to dst.URL, signed with dst.Secret if there is one. The receipt is always empty.
func (a *Adapter) Send(ctx context.Context, dst bot.Channel, p bot.Post) (bot.Receipt, error) {
	req, fault := a.request(ctx, dst, p)
	if fault != nil {
		return "", fault
	}
	status, header, body, err := apihttp.Do(ctx, a.client, req, 0)
	switch {
	case err != nil && status/100 == 2 && errors.Is(err, apihttp.ErrTooLarge):
		return "", nil // accepted; what else it says does not matter
	case errors.Is(err, apihttp.ErrPrivate):
		return "", refused(bot.ScopeChannel, "private_address", fmt.Errorf("%w: add the host to adapters.webhook.allow_hosts if it may be called", err))
	case err != nil && !errors.Is(err, apihttp.ErrTooLarge):
		return "", apihttp.TransportFault(apihttp.Redact(err, dst.Secret.Reveal()))
	}
	if fault := classify(status, header, a.now()); fault != nil {
		said := apihttp.Excerpt(body, append(apihttp.SecretsIn(dst.URL.Reveal()), strings.TrimPrefix(dst.Secret.Reveal(), secretPrefix))...)
		fault.Err = fmt.Errorf("the receiver answered %d %s: %s", status, http.StatusText(status), said)
		return "", fault
	}
	return "", nil
}

func (a *Adapter) request(ctx context.Context, dst bot.Channel, p bot.Post) (*http.Request, *bot.SendError) {
	if err := a.checkURL(dst.URL.Reveal()); err != nil {
		return nil, refused(bot.ScopeChannel, "bad_url", err)
	}
	key, err := ParseSecret(dst.Secret)
	if err != nil {
		return nil, refused(bot.ScopeChannel, "bad_secret", err)
	}
	body := encode(render(p))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, dst.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return nil, refused(bot.ScopeChannel, "bad_url", apihttp.Redact(err, dst.URL.Reveal()))
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("User-Agent", "weeklybot")
	id, now := messageID(p), strconv.FormatInt(a.now().Unix(), 10)
	req.Header.Set(HeaderID, id)
	req.Header.Set(HeaderTimestamp, now)
	if len(key) > 0 {
		req.Header.Set(HeaderSignature, Sign(key, id, now, body))
	}
	return req, nil
}

func refused(scope bot.Scope, code string, err error) *bot.SendError {
	return &bot.SendError{Fault: bot.Permanent, Scope: scope, Code: code, Err: err}
}

// encode writes < > & as they are.
func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.Encode(v) // strings, numbers and slices of them: cannot fail
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

// Target is the channel of `weeklybot send --to webhook:URL`: secret may be empty. The URL's host must be trusted in Config if its
// address is private.
func Target(spec string, secret bot.Secret) (bot.Channel, error) {
	raw := strings.TrimSpace(spec)
	if err := checkTarget(raw); err != nil {
		return bot.Channel{}, err
	}
	if _, err := ParseSecret(secret); err != nil {
		return bot.Channel{}, err
	}
	return bot.Channel{Adapter: name, Kind: Webhook, Address: "target", URL: bot.Secret(raw), Secret: secret}, nil
}
