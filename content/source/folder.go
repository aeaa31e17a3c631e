package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"weeklybot/content"
	"weeklybot/content/parse"
)

// Bounds of one source. A newsletter issue has some ten kilobytes; what is far beyond is no issue.
const (
	MaxFileBytes = 8 << 20 // of one file
	MaxFiles     = 50_000  // of one source
)

// settled is how old a file must be when it is read for its time and size to tell all later changes: file systems note times
// coarsely, and a file may be written twice within one tick.
const settled = 2 * time.Second

// folder reads the issues below a folder, or one file. Not safe for concurrent use.
type folder struct {
	cfg   Config
	root  string // the folder
	only  string // the one file in it to read; "" = all
	files map[string]*file
	dirs  []string // folders seen by the last load, to be watched
	seed  maphash.Seed
}

// file is what is known of one issue file.
type file struct {
	size    int64
	changed time.Time // as the file system says
	read    time.Time
	sum     uint64
	issue   *content.Issue
}

func newFolder(cfg Config) (*folder, error) {
	info, err := os.Stat(cfg.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist; create it or change the path", cfg.Path)
	case err != nil:
		return nil, plain(cfg.Path, err)
	}
	f := newEmptyFolder(cfg)
	if !info.IsDir() {
		f.root, f.only = filepath.Split(cfg.Path)
		if f.root == "" {
			f.root = "."
		}
	}
	return f, nil
}

func newEmptyFolder(cfg Config) *folder {
	return &folder{cfg: cfg, root: cfg.Path, files: map[string]*file{}, seed: maphash.MakeSeed()}
}

// load reads what is new or changed. Files that cannot be read are in faults; the others are given all the same, in the order
// of their paths. An error means that the folder as a whole could not be read.
func (f *folder) load(ctx context.Context) (issues []*content.Issue, faults []error, err error) {
	root, err := os.OpenRoot(f.root)
	if err != nil {
		return nil, nil, plain(f.cfg.Path, err)
	}
	defer root.Close()
	names, faults, err := f.list(root)
	if err != nil {
		return nil, nil, err
	}
	seen := map[string]*file{}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		known, err := f.read(root, name)
		if err != nil {
			faults = append(faults, plain(f.shown(name), err))
			if known = f.files[name]; known == nil || errors.Is(err, fs.ErrNotExist) {
				continue // an issue that was read before stays, unless its file is gone
			}
		}
		seen[name] = known
		issues = append(issues, known.issue)
	}
	f.files = seen
	return issues, faults, nil
}

// shown is the path of a file as people know it: the configured path, joined with the file's.
func (f *folder) shown(name string) string {
	switch {
	case f.only != "":
		return f.cfg.Path
	case strings.HasSuffix(f.cfg.Path, "/"):
		return f.cfg.Path + name
	}
	return f.cfg.Path + "/" + name
}

// list names the files to read, ordered, relative to root, with slashes.
func (f *folder) list(root *os.Root) (names []string, faults []error, err error) {
	if f.only != "" {
		f.dirs = []string{f.root}
		return []string{f.only}, nil, nil
	}
	f.dirs = nil
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return plain(f.cfg.Path, err)
		case err != nil:
			if !errors.Is(err, fs.ErrNotExist) {
				faults = append(faults, plain(f.shown(name), err))
			}
		case d.IsDir():
			if hidden(name) {
				return fs.SkipDir
			}
			f.dirs = append(f.dirs, filepath.Join(f.root, filepath.FromSlash(name)))
		case parse.IsIssueFile(name) && f.cfg.wants(name) && isFile(root, name, d):
			if len(names) == MaxFiles {
				faults = append(faults, fmt.Errorf("%s has more than %d files; the others are not read", f.cfg.Path, MaxFiles))
				return fs.SkipAll
			}
			names = append(names, name)
		}
		return nil
	})
	return names, faults, err
}

func hidden(name string) bool { return name != "." && strings.HasPrefix(path.Base(name), ".") }

// isFile says whether name is a file, or a link to a file inside root. Linked folders are not entered.
func isFile(root *os.Root, name string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return d.Type().IsRegular()
	}
	info, err := root.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// read gives the file's issue; one that did not change keeps its pointer.
func (f *folder) read(root *os.Root, name string) (*file, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	known := f.files[name]
	if known != nil && known.size == info.Size() && known.changed.Equal(info.ModTime()) && known.read.Sub(known.changed) > settled {
		return known, nil
	}
	now := time.Now()
	data, err := readAll(root, name)
	if err != nil {
		return nil, err
	}
	fresh := &file{size: info.Size(), changed: info.ModTime(), read: now, sum: maphash.Bytes(f.seed, data)}
	if known != nil && known.sum == fresh.sum {
		fresh.issue = known.issue
	} else {
		fresh.issue = parse.Parse(f.shown(name), data, parse.Options{Series: f.cfg.Series})
	}
	return fresh, nil
}

func readAll(root *os.Root, name string) ([]byte, error) {
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("is no file") // a pipe would never end
	} else if info.Size() > MaxFileBytes {
		return nil, tooLarge(info.Size())
	}
	var buf bytes.Buffer
	if _, err := io.Copy(&buf, io.LimitReader(file, MaxFileBytes+1)); err != nil {
		return nil, err
	}
	if buf.Len() > MaxFileBytes {
		return nil, tooLarge(int64(buf.Len()))
	}
	return buf.Bytes(), nil
}

func tooLarge(n int64) error {
	return fmt.Errorf("has %d bytes; an issue may have %d", n, MaxFileBytes)
}

// plain is one line for people: the path once, and what is wrong with it.
func plain(shown string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", shown, err)
}

// watched are the folders whose changes matter.
func (f *folder) watched() []string {
	if len(f.dirs) == 0 {
		return []string{f.root}
	}
	return slices.Clone(f.dirs)
}
