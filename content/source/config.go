package source

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Config is one source. Which keys a kind has stands in kinds.
type Config struct {
	Name    string   `yaml:"name"`
	Kind    string   `yaml:"kind"` // "" = KindFolder
	Path    string   `yaml:"path"` // folder: a folder, or one file; git: a folder of the repository, "" = all of it
	Series  string   `yaml:"series"`
	Include []string `yaml:"include"` // globs, see glob; none = all
	Exclude []string `yaml:"exclude"`

	URL        string        `yaml:"url"`         // of the repository or feed
	Branch     string        `yaml:"branch"`      // "" = the repository's own default
	Poll       time.Duration `yaml:"poll"`        // between two fetches; 0 = DefaultGitPoll, DefaultFeedPoll
	Entries    string        `yaml:"entries"`     // of a feed: EntriesIssues, EntriesLinks, "" = as each entry looks
	Token      Secret        `yaml:"token"`       // git, feed: sent to the host; upload: what a request must bring
	HookSecret Secret        `yaml:"hook_secret"` // checks pushes to /hooks/content; "" = none is taken
	// AllowPrivate lets a fetch connect to private addresses and, for repositories, use plain http.
	AllowPrivate bool `yaml:"allow_private"`

	// Dir is the folder below which sources keep what they fetched or were given, one folder each. The program sets it.
	Dir string `yaml:"-"`
}

// Kinds of sources.
const (
	KindFolder = "folder" // files on this machine
	KindGit    = "git"    // a repository, fetched with the git program
	KindFeed   = "feed"   // RSS, Atom or JSON Feed
	KindUpload = "upload" // issues that are posted to Handler
)

// How the entries of a feed are read.
const (
	EntriesIssues = "issues" // each entry is an issue
	EntriesLinks  = "links"  // each entry is an item; those of a week are one page
)

// How often remotes are fetched.
const (
	DefaultGitPoll  = 10 * time.Minute
	DefaultFeedPoll = 30 * time.Minute
	MinPoll         = 30 * time.Second
)

// minToken is how many bytes the token of an upload source must have: it is all that stands between a stranger and the Library.
const minToken = 16

// kinds says which keys a kind has, besides name, kind and series, and how it is opened.
var kinds = map[string]struct {
	keys []string
	open func(Config) (reader, error)
}{
	KindFolder: {[]string{"path", "include", "exclude"}, func(c Config) (reader, error) { return openFolder(c) }},
	KindGit: {
		[]string{"path", "include", "exclude", "url", "branch", "poll", "token", "hook_secret", "allow_private"},
		func(c Config) (reader, error) { return newGit(c) },
	},
	KindFeed:   {[]string{"url", "poll", "entries", "token", "allow_private"}, func(c Config) (reader, error) { return newFeed(c) }},
	KindUpload: {[]string{"token"}, func(c Config) (reader, error) { return newUpload(c) }},
}

// Local says that the source's Path is one of this machine.
func (c *Config) Local() bool { return c.Kind == "" || c.Kind == KindFolder }

// Remote says that the source is fetched from elsewhere.
func (c *Config) Remote() bool { return c.Kind == KindGit || c.Kind == KindFeed }

// Where says in short where the source is kept, without anything secret.
func (c *Config) Where() string {
	u, err := url.Parse(c.URL)
	switch {
	case c.Local():
		return c.Path
	case c.Kind == KindUpload:
		return "POST " + UploadPath
	case err != nil || u.Host == "":
		return c.URL // git@host:path, or a path
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}

// set names the keys that have a value.
func (c *Config) set() (keys []string) {
	for _, k := range []struct {
		key string
		set bool
	}{
		{"path", c.Path != ""}, {"include", len(c.Include) > 0}, {"exclude", len(c.Exclude) > 0}, {"url", c.URL != ""}, {"branch", c.Branch != ""},
		{"poll", c.Poll != 0}, {"entries", c.Entries != ""}, {"token", c.Token != ""}, {"hook_secret", c.HookSecret != ""},
		{"allow_private", c.AllowPrivate},
	} {
		if k.set {
			keys = append(keys, k.key)
		}
	}
	return keys
}

var nameRE = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N}._-]{0,99}$`)

// Check says what is wrong with the configuration of one source, without reading it.
func Check(cfg Config) error {
	_, err := open(cfg)
	return err
}

func open(cfg Config) (reader, error) {
	if cfg.Kind == "" {
		cfg.Kind = KindFolder
	}
	kind, ok := kinds[cfg.Kind]
	if !ok {
		return nil, fmt.Errorf("kind %q is not known; this version reads: %s, %s, %s, %s", cfg.Kind, KindFolder, KindGit, KindFeed, KindUpload)
	}
	for _, key := range cfg.set() {
		if !slices.Contains(kind.keys, key) {
			return nil, fmt.Errorf("%s: a source of kind %s has no such key; it has %s", key, cfg.Kind, strings.Join(kind.keys, ", "))
		}
	}
	for _, pattern := range slices.Concat(cfg.Include, cfg.Exclude) {
		if err := checkGlob(pattern); err != nil {
			return nil, err
		}
	}
	switch {
	case cfg.Poll != 0 && cfg.Poll < MinPoll:
		return nil, fmt.Errorf("poll: %v is too often; want %v or more", cfg.Poll, MinPoll)
	case !cfg.Local() && !nameRE.MatchString(cfg.Name):
		return nil, errors.New("name: is the name of a folder here: want letters, digits, . _ and -, at most 100")
	case !cfg.Local() && cfg.Dir == "":
		return nil, errors.New("a source that is fetched or posted needs a folder: set data_dir")
	}
	return kind.open(cfg)
}

func openFolder(cfg Config) (*folder, error) {
	if cfg.Path == "" {
		return nil, errors.New("path is missing")
	}
	return newFolder(cfg)
}

// checkSet says what is wrong between sources.
func checkSet(cfgs []Config, n int) error {
	cfg := cfgs[n]
	for _, o := range cfgs[:n] {
		switch {
		case o.Name == cfg.Name, !o.Local() && !cfg.Local() && strings.EqualFold(o.Name, cfg.Name):
			return errors.New("another source has the same name")
		case o.Kind == KindUpload && cfg.Kind == KindUpload && o.Token == cfg.Token:
			return fmt.Errorf("token: is that of source %q too; a token says where a posted issue belongs", o.Name)
		}
	}
	return nil
}

// home is the source's own folder; it may not exist yet.
func (c *Config) home() string { return filepath.Join(c.Dir, c.Name) }

func (c *Config) poll(other time.Duration) time.Duration {
	if c.Poll > 0 {
		return c.Poll
	}
	return other
}

// Secret is a string that never prints itself.
type Secret string

const redacted = "<redacted>"

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

// tempFiles are files on their way into a folder. Hidden, they are no issues.
const tempFiles = ".new-*"

// dropOld removes what matches and was left behind by a process that was killed: nothing of ours takes as long.
func dropOld(pattern string) {
	names, _ := filepath.Glob(pattern)
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > 2*gitTime {
			_ = os.Remove(name)
		}
	}
}

// writeFile replaces a file so that a crash leaves the old one or the new one. The folder must exist.
func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), tempFiles)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes sure that a rename or removal in a folder survives a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closed := d.Close(); err == nil {
		err = closed
	}
	return err
}
