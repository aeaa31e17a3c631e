package source

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// Paths below which Handler answers.
const (
	HookPath   = "/hooks/content"
	UploadPath = "/api/v1/issues/"
)

// maxPostBytes is of one request's body.
const maxPostBytes = 1 << 20

// Handler takes pushes from git hosts at HookPath and issues at UploadPath. It checks signature or token before it does anything.
// Forged is 401, malformed 400, too big 413, a wrong method 405; where no source is configured for it, 404.
func (s *Set) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(HookPath, s.hook)
	mux.HandleFunc(UploadPath+"{name}", s.upload)
	return mux
}

// body reads a request's body, or answers.
func body(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPostBytes))
	if _, tooBig := errors.AsType[*http.MaxBytesError](err); tooBig {
		answer(w, http.StatusRequestEntityTooLarge, "at most 1 MiB is taken")
		return nil, false
	}
	if err != nil {
		answer(w, http.StatusBadRequest, "the body cannot be read")
		return nil, false
	}
	return data, true
}

func answer(w http.ResponseWriter, code int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, line+"\n")
}

func answerJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

// same compares what a stranger sent with a secret, in a time that tells nothing about either, their lengths included.
func same(sent string, secret Secret) bool {
	a, b := sha256.Sum256([]byte(sent)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && secret != ""
}
