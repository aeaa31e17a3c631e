package apihttp

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter is the longest wait that a platform may ask for. Longer ones are taken for a mistake.
const maxRetryAfter = time.Hour

// RetryAfter reads the Retry-After header: seconds or an HTTP date, at most an hour; 0 when there is none or it is in the past.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	if strings.Trim(text, "0123456789.") != "" {
		return 0
	}
	seconds, _ := strconv.ParseFloat(text, 64) // digits only: out of range is +Inf
	if !(seconds < maxRetryAfter.Seconds()) {
		return maxRetryAfter
	}
	return time.Duration(seconds * float64(time.Second))
}

// CheckURL says why raw may not be called: it must be https (http only to a loopback host), without user and password, and its host
// must be one of hosts. An entry is a host (any port of it), host:port, or a whole URL whose host counts. The error names the host
// only, never path or query.
func CheckURL(raw string, hosts []string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Opaque != "" {
		return fmt.Errorf("not a URL: want https://host/…")
	}
	switch {
	case u.User != nil:
		return fmt.Errorf("URL of host %q holds a user name: remove it", u.Host)
	case u.Scheme != "https" && (u.Scheme != "http" || !Loopback(u.Host)):
		return fmt.Errorf("URL of host %q: want https, http only to this machine itself", u.Host)
	case !slices.ContainsFunc(hosts, func(entry string) bool { return sameHost(u, entry) }):
		return fmt.Errorf("host %q is not allowed: want %s", u.Host, strings.Join(hostsOf(hosts), ", "))
	}
	return nil
}

// Loopback says whether host (host, host:port or [v6]:port) is this machine itself.
func Loopback(host string) bool {
	u := url.URL{Host: host}
	name := strings.ToLower(u.Hostname())
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

func sameHost(u *url.URL, entry string) bool {
	want := &url.URL{Host: entry}
	if strings.Contains(entry, "://") {
		if parsed, err := url.Parse(entry); err == nil {
			want = &url.URL{Host: parsed.Host}
			if want.Port() == "" && portOf(u) != portOf(parsed) {
				return false
			}
		}
	}
	if want.Hostname() == "" || !strings.EqualFold(u.Hostname(), want.Hostname()) {
		return false
	}
	return want.Port() == "" || want.Port() == portOf(u)
}

func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// hostsOf is hosts without empty entries and without paths.
func hostsOf(hosts []string) (names []string) {
	for _, entry := range hosts {
		if u, err := url.Parse(entry); err == nil && strings.Contains(entry, "://") {
			entry = u.Host
		}
		if entry != "" {
			names = append(names, entry)
		}
	}
	return names
}

// CheckOrigin says why raw cannot be the origin of an API: "" or scheme://host[:port], with or without a final slash, https (http only to
// a loopback host).
func CheckOrigin(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("not a URL: want https://host")
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("want an origin without a path: https://host")
	}
	return CheckURL(raw, []string{u.Host})
}

// Origin is what is configured, without its final slash, else the official one.
func Origin(configured, official string) string {
	return strings.TrimRight(cmp.Or(configured, official), "/")
}
