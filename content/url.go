package content

import (
	"net/url"
	"slices"
	"strings"
)

// CanonicalURL is the identity of the page that raw leads to: two links to one article give one string. It is a key to compare
// and to hash, not an address to open. Scheme (always https), host (lower case, without "www.", a final dot and the default
// port), path (without a final slash) and what is left of the query, ordered, after tracking parameters are taken out; a
// fragment stays only where it is a route ("#/", "#!"). It is "" for everything that is no http or https URL.
func CanonicalURL(raw string) string { return string(AppendCanonicalURL(nil, raw)) }

// AppendCanonicalURL appends CanonicalURL(raw) to out.
func AppendCanonicalURL(out []byte, raw string) []byte {
	raw = strings.TrimSpace(raw)
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return out
	}
	rest, fragment, _ := strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	host, path, _ := strings.Cut(rest, "/")
	host = canonicalHost(host)
	if host == "" {
		return out
	}
	out = slices.Grow(out, len("https://")+len(raw))
	out = append(append(out, "https://"...), host...)
	if path = strings.TrimRight(canonicalPath(path), "/"); path != "" {
		out = append(append(out, '/'), path...)
	}
	if query = canonicalQuery(query); query != "" {
		out = append(append(out, '?'), query...)
	}
	if strings.HasPrefix(fragment, "/") || strings.HasPrefix(fragment, "!") {
		out = append(append(out, '#'), strings.TrimRight(fragment, "/")...)
	}
	return out
}

func canonicalHost(host string) string {
	if k := strings.LastIndexByte(host, '@'); k >= 0 {
		host = host[k+1:]
	}
	host = strings.ToLower(host)
	host = strings.TrimSuffix(strings.TrimSuffix(host, ":80"), ":443")
	return strings.TrimPrefix(strings.TrimSuffix(host, "."), "www.")
}

// canonicalPath writes each path one way, whether it came percent-encoded or not.
func canonicalPath(path string) string {
	if isPlainPath(path) {
		return path
	}
	plain, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return (&url.URL{Path: plain}).EscapedPath()
}

// isPlainPath reports whether all of path is written as it is in a URL.
func isPlainPath(path string) bool {
	for k := range len(path) {
		if !inPath[path[k]] {
			return false
		}
	}
	return true
}

// inPath are the characters that are written as they are in the path of a URL.
var inPath = func() (in [256]bool) {
	for _, c := range []byte("-./0123456789:;_~$&+,=@abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		in[c] = true
	}
	return in
}()

func canonicalQuery(query string) string {
	if query == "" {
		return ""
	}
	var keep []string
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if name != "" && !isTracking(strings.ToLower(name), value) {
			keep = append(keep, part)
		}
	}
	slices.Sort(keep)
	return strings.Join(keep, "&")
}

// trackingPrefixes and trackingNames are query parameters that say where a reader came from, not which page they see.
var trackingPrefixes = []string{"utm_", "mc_", "pk_", "mtm_", "hsa_", "_hs", "share_", "sharer_", "wt.", "at_campaign", "vero_", "oly_"}

var trackingNames = map[string]bool{
	"fbclid": true, "gclid": true, "gclsrc": true, "dclid": true, "msclkid": true, "yclid": true, "twclid": true, "ttclid": true, "igshid": true,
	"igsh": true, "wbraid": true, "gbraid": true, "mkt_tok": true, "ref_src": true, "ref_url": true, "cmpid": true, "campaign_id": true,
	"spm": true, "scm": true, "chksm": true, "scene": true, "srcid": true, "mpshare": true, "exportkey": true, "pass_ticket": true,
	"wx_header": true, "isappinstalled": true, "nsukey": true, "vd_source": true, "spm_id_from": true, "source_type": true, "trk": true,
	"__s": true, "_ga": true, "_gl": true, "share": true, "si": true, "sk_source": true, "cid_source": true,
}

func isTracking(name, value string) bool {
	for _, prefix := range trackingPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	if trackingNames[name] {
		return true
	}
	// "from" and "s" mean many things; only these values are known to be the share buttons of chat programs.
	return name == "from" && (value == "singlemessage" || value == "groupmessage" || value == "timeline") ||
		name == "s" && (value == "20" || value == "09" || value == "19")
}
