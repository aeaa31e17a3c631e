package source

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"weeklybot/content"
	"weeklybot/content/parse"
)

// repo reads the issues of a git repository. It keeps one commit, without history and without a work tree: files are read out of git's
// own store, so that a load sees one commit whole, and nothing in a repository (links, filters, hooks) can touch the machine.
type repo struct {
	cfg     Config
	git     *gitProgram
	ref     string // what to ask for
	path    string // folder in the repository, "" = all
	commit  string // of the last load
	files   map[string]blob
	issues  []*content.Issue
	faults  []error
	damaged atomic.Bool // the store here cannot be read: fetch anew
}

// blob is a file as git knows it.
type blob struct {
	id    string // hash of its content
	issue *content.Issue
}

// head is where the fetched commit is kept.
const head = "refs/weeklybot/head"

func newGit(cfg Config) (*repo, error) {
	u, err := gitURL(cfg)
	if err != nil {
		return nil, err
	}
	r := &repo{cfg: cfg}
	if r.ref, err = gitRef(cfg.Branch); err != nil {
		return nil, err
	}
	if r.path, err = gitPath(cfg.Path); err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(cfg.home())
	if err != nil {
		return nil, err
	}
	r.git, err = newGitProgram(cfg, u, filepath.Join(dir, stateName("", u.String(), r.ref)+".git"))
	return r, err
}

// stateName tells what was fetched from one place from what was fetched from another under the same name of a source.
func stateName(prefix string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return prefix + hex.EncodeToString(sum[:4])
}

func (r *repo) every() time.Duration { return r.cfg.poll(DefaultGitPoll) }
func (r *repo) watched() []string    { return nil }

// marker is touched after each good fetch.
func (r *repo) marker() string { return filepath.Join(r.git.dir, "fetched") }

func (r *repo) fetched() time.Time {
	info, err := os.Stat(r.marker())
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// maxPacks is how many fetches are kept before what is old is thrown away.
const maxPacks = 20

func (r *repo) fetch(ctx context.Context) error {
	if r.damaged.Load() {
		if err := os.RemoveAll(r.git.dir); err != nil {
			return err
		}
		r.damaged.Store(false)
	}
	if _, err := os.Stat(filepath.Join(r.git.dir, "HEAD")); err != nil {
		if err := os.MkdirAll(filepath.Dir(r.git.dir), 0o755); err != nil {
			return err
		}
		if _, err := r.git.run(ctx, "init", "--quiet", "--bare", "--template="); err != nil {
			return err
		}
	}
	for _, locks := range []string{"*.lock", "refs/weeklybot/*.lock", "objects/pack/tmp_*"} {
		dropOld(filepath.Join(r.git.dir, locks))
	}
	if err := r.git.fetch(ctx, r.ref, head); err != nil {
		return fmt.Errorf("%s: %w", r.git.shown(), err)
	}
	if err := os.WriteFile(r.marker(), nil, 0o644); err != nil {
		return err
	}
	if now := time.Now(); os.Chtimes(r.marker(), now, now) != nil {
		return os.Remove(r.marker())
	}
	if packs, _ := filepath.Glob(filepath.Join(r.git.dir, "objects", "pack", "*.pack")); len(packs) > maxPacks {
		if _, err := r.git.run(ctx, "gc", "--quiet", "--prune=now"); err != nil {
			return err
		}
	}
	return nil
}

func (r *repo) load(ctx context.Context) ([]*content.Issue, []error, error) {
	commit, err := r.git.run(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", head+"^{commit}")
	if err == nil && commit == r.commit {
		return r.issues, r.faults, nil
	}
	if err == nil {
		err = r.readCommit(ctx, commit)
	}
	if err != nil && ctx.Err() == nil {
		if _, broken := r.git.run(ctx, "fsck", "--connectivity-only", "--no-dangling", "--no-progress"); broken != nil || commit == "" {
			r.damaged.Store(true)
		}
		return nil, nil, fmt.Errorf("%s: %w", r.git.shown(), err)
	}
	return r.issues, r.faults, ctx.Err()
}

// readCommit reads what differs from the commit before.
func (r *repo) readCommit(ctx context.Context, commit string) error {
	names, ids, faults, err := r.list(ctx, commit)
	if err != nil {
		return err
	}
	files := make(map[string]blob, len(names))
	var fresh []string
	for n, name := range names {
		if known, ok := r.files[name]; ok && known.id == ids[n] {
			files[name] = known
		} else {
			files[name] = blob{id: ids[n]}
			fresh = append(fresh, name)
		}
	}
	if err := r.readBlobs(ctx, files, fresh); err != nil {
		return err
	}
	issues := make([]*content.Issue, 0, len(names))
	for _, name := range names {
		issues = append(issues, files[name].issue)
	}
	r.commit, r.files, r.issues, r.faults = commit, files, issues, faults
	return nil
}

func (r *repo) shown(name string) string {
	shown := r.git.shown() + "/"
	if r.path != "" {
		shown += r.path + "/"
	}
	return shown + name
}

// list names the files to read and their hashes, in git's order, which is that of their bytes.
func (r *repo) list(ctx context.Context, commit string) (names, ids []string, faults []error, err error) {
	scan := func(out io.Reader) error {
		line := bufio.NewScanner(out)
		line.Buffer(nil, 64<<10)
		line.Split(splitNul)
		for line.Scan() {
			if len(names) == MaxFiles {
				faults = append(faults, fmt.Errorf("%s has more than %d files; the others are not read", r.git.shown(), MaxFiles))
				return nil
			}
			name, id, size, ok := treeEntry(line.Text())
			switch {
			case !ok || !parse.IsIssueFile(name) || hiddenPath(name) || !r.cfg.wants(name):
			case size > MaxFileBytes:
				faults = append(faults, fmt.Errorf("%s: %w", r.shown(name), tooLarge(size)))
			default:
				names, ids = append(names, name), append(ids, id)
			}
		}
		return line.Err()
	}
	err = r.git.stream(ctx, nil, scan, "ls-tree", "-r", "-z", "-l", "--full-tree", commit+":"+r.path)
	if err != nil && r.path != "" && ctx.Err() == nil {
		err = fmt.Errorf("folder %q cannot be read in the repository: %w", r.path, err)
	}
	return names, ids, faults, err
}

func splitNul(data []byte, atEOF bool) (int, []byte, error) {
	if k := bytes.IndexByte(data, 0); k >= 0 {
		return k + 1, data[:k], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	return 0, nil, nil
}

// treeEntry reads "mode type hash size<TAB>name"; ok only for plain files: no links, no submodules.
func treeEntry(s string) (name, id string, size int64, ok bool) {
	what, name, found := strings.Cut(s, "\t")
	f := strings.Fields(what)
	if !found || len(f) != 4 || f[1] != "blob" || f[0] != "100644" && f[0] != "100755" {
		return "", "", 0, false
	}
	size, err := strconv.ParseInt(f[3], 10, 64)
	return name, f[2], size, err == nil
}

// hiddenPath says whether a folder on the way is hidden.
func hiddenPath(name string) bool {
	return strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
}

// readBlobs reads and parses the files that are new.
func (r *repo) readBlobs(ctx context.Context, files map[string]blob, fresh []string) error {
	if len(fresh) == 0 {
		return nil
	}
	var want strings.Builder
	for _, name := range fresh {
		want.WriteString(files[name].id + "\n")
	}
	return r.git.stream(ctx, strings.NewReader(want.String()), func(out io.Reader) error {
		in := bufio.NewReader(out)
		for _, name := range fresh {
			data, err := readBlob(in, files[name].id)
			if err != nil {
				return fmt.Errorf("%s: %w", r.shown(name), err)
			}
			files[name] = blob{files[name].id, parse.Parse(r.shown(name), data, parse.Options{Series: r.cfg.Series})}
		}
		return nil
	}, "cat-file", "--batch")
}

// readBlob reads "hash blob size\n", the content, "\n".
func readBlob(in *bufio.Reader, id string) ([]byte, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	f := strings.Fields(line)
	if len(f) != 3 || f[0] != id || f[1] != "blob" {
		return nil, errors.New("git does not have the file it lists")
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil || size < 0 || size > MaxFileBytes {
		return nil, tooLarge(size)
	}
	data := make([]byte, size+1)
	if _, err := io.ReadFull(in, data); err != nil {
		return nil, err
	}
	return data[:size], nil
}
