package source

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
)

// scpRE is the short form of an ssh address: git@host:path.
var scpRE = regexp.MustCompile(`^([A-Za-z0-9._-]+@)?([A-Za-z0-9][A-Za-z0-9.-]*):([^/:].*)$`)

// hostRE is a host that no program takes for an option. IPv6 addresses lose their brackets in a url.URL.
var hostRE = regexp.MustCompile(`^[A-Za-z0-9:][A-Za-z0-9.:_-]*$`)

// gitURL reads the address of a repository: https, ssh, git@host:path, or an absolute path on this machine. Nothing in it can be taken
// for an option or another transport.
func gitURL(cfg Config) (*url.URL, error) {
	raw := cfg.URL
	if raw == "" {
		return nil, errors.New("url is missing: the address of the repository")
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return nil, errors.New("url: holds blanks or control characters")
	}
	if m := scpRE.FindStringSubmatch(raw); m != nil && !strings.Contains(raw, "://") {
		raw = "ssh://" + m[1] + m[2] + "/" + m[3]
	}
	if strings.HasPrefix(raw, "/") {
		raw = "file://" + (&url.URL{Path: raw}).EscapedPath()
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("url: is no address")
	}
	_, password := u.User.Password()
	switch {
	case password:
		return nil, errors.New("url: holds a password; put it under token, or better token_file")
	case u.Scheme == "http" && !cfg.AllowPrivate:
		return nil, errors.New("url: want https:// or ssh:// (http:// only with allow_private: true)")
	case u.Scheme == "file" && (u.Host != "" || !path.IsAbs(u.Path)):
		return nil, errors.New("url: a repository on this machine needs an absolute path")
	case u.Scheme == "file":
		return u, nil
	case u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "ssh":
		return nil, errors.New("url: want https://host/path, ssh://git@host/path, git@host:path, or an absolute path")
	case !hostRE.MatchString(u.Hostname()) || strings.HasPrefix(u.User.Username(), "-") || strings.Trim(u.Path, "/") == "":
		return nil, errors.New("url: want a host and a path")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("url: a repository has no ? and no #")
	}
	return u, nil
}

var badBranchRE = regexp.MustCompile(`^[-/.]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)|[/.]$`)

// gitRef is what to ask the repository for.
func gitRef(branch string) (string, error) {
	switch {
	case branch == "":
		return "HEAD", nil
	case badBranchRE.MatchString(branch):
		return "", fmt.Errorf("branch: %q is no name of a branch", branch)
	}
	return "refs/heads/" + branch, nil
}

// gitPath is the folder inside the repository, "" for all of it.
func gitPath(p string) (string, error) {
	clean := path.Clean(strings.Trim(strings.ReplaceAll(p, `\`, "/"), "/"))
	switch {
	case p == "" || clean == ".":
		return "", nil
	case clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsFunc(clean, unicode.IsControl):
		return "", fmt.Errorf("path: %q is no folder inside the repository", p)
	}
	return clean, nil
}

// repoKey is the same for every address of one repository: host and path, without transport, user, port and ".git"; "" for no address.
func repoKey(raw string) string {
	if m := scpRE.FindStringSubmatch(raw); m != nil && !strings.Contains(raw, "://") {
		raw = "ssh://" + m[2] + "/" + m[3]
	}
	if strings.HasPrefix(raw, "/") {
		raw = "file://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || strings.Trim(u.Path, "/") == "" {
		return ""
	}
	return strings.ToLower(strings.TrimPrefix(u.Hostname(), "www.") + "/" + strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git"))
}
