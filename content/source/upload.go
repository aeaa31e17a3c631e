package source

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"weeklybot/content"
	"weeklybot/content/parse"
)

// inbox keeps the issues that were posted, one file each, and reads them as a folder.
type inbox struct {
	*folder
	writing sync.Mutex
}

func newUpload(cfg Config) (*inbox, error) {
	if len(cfg.Token) < minToken {
		return nil, errors.New("token: want at least 16 characters: whoever knows it can publish (openssl rand -hex 24)")
	}
	cfg.Path = cfg.home()
	f := newEmptyFolder(cfg)
	return &inbox{folder: f}, nil
}

func (in *inbox) load(ctx context.Context) ([]*content.Issue, []error, error) {
	if err := os.MkdirAll(in.root, 0o755); err != nil {
		return nil, nil, err
	}
	dropOld(filepath.Join(in.root, tempFiles))
	return in.folder.load(ctx)
}

// issueNameRE is what an issue may be called: no folder, no hidden file.
var issueNameRE = regexp.MustCompile(`^[\p{L}\p{N}][\p{L}\p{N} ._#-]{0,99}$`)

// fileName is the file of a posted issue; a name without a known ending is Markdown.
func fileName(name string) (string, bool) {
	if !issueNameRE.MatchString(name) {
		return "", false
	}
	if parse.IsIssueFile(name) {
		return name, true
	}
	name += ".md"
	return name, parse.IsIssueFile(name)
}

// upload stores or removes one issue of the source that the token belongs to. The Library has it when the answer goes out.
func (s *Set) upload(w http.ResponseWriter, r *http.Request) {
	if !slices.ContainsFunc(s.states, func(st *state) bool { return st.cfg.Kind == KindUpload }) {
		answer(w, http.StatusNotFound, "no source of kind upload is configured")
		return
	}
	if r.Method != http.MethodPost && r.Method != http.MethodDelete {
		w.Header().Set("Allow", "POST, DELETE")
		answer(w, http.StatusMethodNotAllowed, "post an issue, or delete it")
		return
	}
	in := s.inboxOf(r.Header.Get("Authorization"))
	if in == nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		answer(w, http.StatusUnauthorized, "want the token of a source of kind upload: Authorization: Bearer TOKEN")
		return
	}
	name, ok := fileName(r.PathValue("name"))
	if !ok {
		answer(w, http.StatusBadRequest, "the name of an issue has letters, digits, blanks and . _ # -, at most 100, and no README, LICENSE or CHANGELOG")
		return
	}
	if r.Method == http.MethodDelete {
		s.removeIssue(w, r, in, name)
		return
	}
	s.storeIssue(w, r, in, name)
}

// inboxOf finds the source of a token. Every one is compared.
func (s *Set) inboxOf(header string) (found *inbox) {
	sent, ok := strings.CutPrefix(header, "Bearer ")
	for _, st := range s.states {
		if in, upload := st.reader.(*inbox); upload && same(strings.TrimSpace(sent), st.cfg.Token) && ok {
			found = in
		}
	}
	return found
}

// stored is the answer to a posted issue: what was understood of it.
type stored struct {
	Key      string            `json:"key"`
	Title    string            `json:"title"`
	Items    int               `json:"items"`
	Warnings []content.Warning `json:"warnings"`
}

func (s *Set) storeIssue(w http.ResponseWriter, r *http.Request, in *inbox, name string) {
	data, ok := body(w, r)
	if !ok {
		return
	}
	if len(bytes.TrimSpace(data)) == 0 {
		answer(w, http.StatusBadRequest, "the body is empty: post the issue's Markdown")
		return
	}
	code, err := in.store(name, data)
	if err != nil {
		s.log.Error("could not store a posted issue", "source", in.cfg.Name, "err", err)
		answer(w, http.StatusInsufficientStorage, "the issue could not be stored; the operator's log says why")
		return
	}
	s.reload(context.WithoutCancel(r.Context()))
	i := parse.Parse(in.shown(name), data, parse.Options{Series: in.cfg.Series})
	s.log.Info("issue posted", "source", in.cfg.Name, "issue", i.Key(), "items", i.ItemCount())
	answerJSON(w, code, stored{i.Key(), i.Title, i.ItemCount(), append([]content.Warning{}, i.Warnings...)})
}

// store writes an issue; the status says whether there was one of that name.
func (in *inbox) store(name string, data []byte) (status int, err error) {
	in.writing.Lock()
	defer in.writing.Unlock()
	if err := os.MkdirAll(in.root, 0o755); err != nil {
		return 0, err
	}
	status = http.StatusOK
	path := filepath.Join(in.root, name)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		status = http.StatusCreated
		if there, err := os.ReadDir(in.root); err == nil && len(there) >= MaxFiles {
			return 0, errors.New("there are too many issues already: remove some")
		}
	}
	return status, writeFile(path, data)
}

func (s *Set) removeIssue(w http.ResponseWriter, r *http.Request, in *inbox, name string) {
	in.writing.Lock()
	err := os.Remove(filepath.Join(in.root, name))
	if err == nil {
		err = syncDir(in.root)
	}
	in.writing.Unlock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		answer(w, http.StatusNotFound, "there is no issue of this name")
		return
	case err != nil:
		s.log.Error("could not remove a posted issue", "source", in.cfg.Name, "err", err)
		answer(w, http.StatusInternalServerError, "the issue could not be removed; the operator's log says why")
		return
	}
	s.reload(context.WithoutCancel(r.Context()))
	s.log.Info("issue removed", "source", in.cfg.Name, "name", name)
	w.WriteHeader(http.StatusNoContent)
}
