package bot

import "log/slog"

// Secret is a string that never prints itself: tokens, keys, webhook URLs. Use Reveal at the one place that needs the value.
type Secret string

const redacted = "<redacted>"

// Reveal is the value itself.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString keeps %#v from printing the value.
func (s Secret) GoString() string { return s.String() }

// LogValue keeps slog from printing the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps encoders from writing the value. There is no UnmarshalText on purpose: decoding a string fills it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
