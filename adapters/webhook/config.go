package webhook

import (
	"fmt"
	"net/url"
	"strings"

	"weeklybot/adapters/internal/apihttp"
)

// Config is adapters.webhook in config.yaml. The channels themselves stand under channels: with url and secret.
type Config struct {
	// AllowHosts are hosts (or host:port) that may be called although their address is private: "intranet.example", "127.0.0.1:9000".
	AllowHosts []string `yaml:"allow_hosts"`
	// TrustedHosts may be called as well: a person named them on the command line.
	TrustedHosts []string `yaml:"-"`
}

// Enabled is always true: what it posts to are channels, and those bring their own credentials.
func (c Config) Enabled() bool { return true }

// Validate returns every fault, each with its path.
func (c Config) Validate() (faults []error) {
	for k, host := range c.AllowHosts {
		u, err := url.Parse("https://" + host)
		if err != nil || u.Host != host || u.Hostname() == "" {
			faults = append(faults, fmt.Errorf("adapters.webhook.allow_hosts[%d]: want a host or host:port without https:// and path, as in intranet.example", k))
		}
	}
	return faults
}

func (c Config) trusted() []string {
	return append(append([]string{}, c.AllowHosts...), c.TrustedHosts...)
}

// checkTarget refuses what is no https URL (http only to this machine).
func checkTarget(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return fmt.Errorf("webhook: want a URL, https://host/…")
	}
	return apihttp.CheckURL(raw, []string{u.Host})
}

// checkURL also refuses an address of this machine or network written into the URL itself; names are checked when they are dialled.
func (a *Adapter) checkURL(raw string) error {
	if err := checkTarget(raw); err != nil {
		return err
	}
	u, _ := url.Parse(raw)
	if apihttp.PrivateHost(u.Hostname()) && apihttp.CheckURL(raw, a.trusted) != nil {
		return fmt.Errorf("host %q is private: add it to adapters.webhook.allow_hosts (now: %s)", u.Host, strings.Join(a.trusted, ", "))
	}
	return nil
}
