package apihttp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"weeklybot/bot"
)

const redacted = "<redacted>"

// minSecret is the length in bytes below which a text is not searched for as a secret: replacing "1" would ruin every sentence.
const minSecret = 4

// cleanError is an error whose text may be shown and logged. It does not lead to the error that it was made from, whose text may
// hold a secret; only what is known to hold none stays in the chain.
type cleanError struct {
	text  string
	chain []error
	known bool // left is known, from Do
	left  bool // the request may have been received
}

func (e *cleanError) Error() string   { return e.text }
func (e *cleanError) Unwrap() []error { return e.chain }

// Redact returns an error whose text has every URL cut down to scheme and host, values of parameters such as access_token= left
// out, and each of secrets (also as written in URLs and quotes) replaced. errors.Is still finds context.Canceled,
// context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, ErrTooLarge, ErrPrivate and system call errors; nothing else of err is reachable.
func Redact(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	clean := &cleanError{text: redactText(err, secrets)}
	for _, safe := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, ErrTooLarge, ErrPrivate} {
		if errors.Is(err, safe) {
			clean.chain = append(clean.chain, safe)
		}
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		clean.chain = append(clean.chain, errno)
	}
	if old, ok := errors.AsType[*cleanError](err); ok {
		clean.known, clean.left = old.known, old.left
	} else if notConnected(err) {
		clean.known = true
	}
	return clean
}

var (
	urlInText   = regexp.MustCompile(`(?i)\b(https?|wss?)(?::|%3a)(?://|%2f%2f|\\/\\/)[^\s"'<>]*`)
	paramInText = regexp.MustCompile(`(?i)\b(access_token|token|key|secret|corpsecret|appsecret|sign|signature|msg_signature|ticket|session)=[^&\s"'<>]+`)
)

func redactText(err error, secrets []string) string {
	text := err.Error()
	for _, raw := range urlsOf(err) {
		for _, form := range []string{raw, inQuotes(raw)} {
			text = strings.ReplaceAll(text, form, bareURL(raw))
		}
	}
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		for _, form := range []string{secret, inQuotes(secret), url.QueryEscape(secret), url.PathEscape(secret)} {
			text = strings.ReplaceAll(text, form, redacted)
		}
	}
	text = urlInText.ReplaceAllStringFunc(text, bareURL)
	return paramInText.ReplaceAllString(text, "${1}="+redacted)
}

// urlsOf are the URLs of all *url.Error in the tree of err: their text may hold spaces, which no pattern finds.
func urlsOf(err error) (urls []string) {
	switch e := err.(type) {
	case nil:
		return nil
	case *url.Error:
		urls = append(urls, e.URL)
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return append(urls, urlsOf(e.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, each := range e.Unwrap() {
			urls = append(urls, urlsOf(each)...)
		}
	}
	return urls
}

func inQuotes(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// bareURL is scheme and host of raw.
func bareURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return redacted
	}
	return u.Scheme + "://" + u.Host + "/…"
}

// failed is the error of one request, redacted of all that the request itself holds.
func failed(ctx context.Context, req *http.Request, err error, left bool) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		err = errors.Join(err, cause)
	}
	clean := Redact(err, secretsOf(req)...).(*cleanError)
	clean.known, clean.left = true, left
	return clean
}

// secretsOf are all parts of a request that may be secret: its URL, path and parameters, and what it authorizes itself with.
func secretsOf(req *http.Request) []string {
	secrets := SecretsIn(req.URL.String())
	if _, credentials, ok := strings.Cut(req.Header.Get("Authorization"), " "); ok {
		secrets = append(secrets, credentials)
	}
	return secrets
}

// minSegment is the length in bytes from which a part of a path is taken for a secret: shorter ones are words such as "send".
const minSegment = 8

// SecretsIn are all parts of a webhook's URL that may be secret, for Redact: the whole, its path, parts of the path, values of
// parameters, the password.
func SecretsIn(raw string) []string {
	secrets := []string{raw}
	u, err := url.Parse(raw)
	if err != nil {
		return secrets
	}
	secrets = append(secrets, u.RequestURI(), u.Path, u.RawQuery)
	for segment := range strings.SplitSeq(u.Path, "/") {
		if len(segment) >= minSegment {
			secrets = append(secrets, segment)
		}
	}
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	password, _ := u.User.Password()
	return append(secrets, password)
}

// maxExcerpt is how much of a foreign text an error shows, in characters.
const maxExcerpt = 200

// Excerpt is the beginning of what a platform said, fit for an error or a log: one clean line, without secrets.
func Excerpt(said []byte, secrets ...string) string {
	text := []rune(CleanText(redactText(errors.New(string(said)), secrets)))
	if len(text) > maxExcerpt {
		return string(text[:maxExcerpt]) + "…"
	}
	return string(text)
}

const (
	// CodeConnect is the Code of a request that did not leave: refused, unresolvable, no TLS.
	CodeConnect = "connect"
	// CodeNoAnswer is the Code of a request that left and was not answered.
	CodeNoAnswer = "no_answer"
)

// TransportFault classifies an error of Do, or of another client that could not bring a request to its end. What failed before the
// request left is Retryable with CodeConnect; all else may have been received: CodeNoAnswer with MaybeSent. The Err of the result
// is redacted; give known secrets to Redact first when err is not from Do.
func TransportFault(err error) *bot.SendError {
	clean, ok := err.(*cleanError)
	if !ok {
		clean = Redact(err).(*cleanError)
	}
	fault := &bot.SendError{Fault: bot.Retryable, Scope: bot.ScopeMessage, Code: CodeNoAnswer, MaybeSent: true, Err: err}
	if clean.known && !clean.left {
		fault.Code, fault.MaybeSent = CodeConnect, false
	}
	fault.Err = clean
	return fault
}

// notConnected says of an error from any client that no connection ever stood.
func notConnected(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return true
	}
	_, dns := errors.AsType[*net.DNSError](err)
	_, cert := errors.AsType[*tls.CertificateVerificationError](err)
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	return dns || cert || record || authority || errors.Is(err, http.ErrSchemeMismatch) || strings.HasSuffix(err.Error(), "TLS handshake timeout")
}
