package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"

	"weeklybot/bot"
	"weeklybot/bot/admin"
)

// APIPath is what every address of the API begins with.
const APIPath = "/api/v1/"

const (
	// MinTokenBytes is the shortest token that turns the API on.
	MinTokenBytes = 16
	defaultLimit  = 100  // entries of one page of a list
	maxLimit      = 1000 // that a caller may ask for
	maxUpcoming   = 100  // planned runs that a caller may ask for
)

//go:embed openapi.yaml
var openAPI []byte

// API is the administrators' HTTP interface: JSON in and out, one bearer token. Without a token it is off and says so. It checks the token in
// constant time, refuses requests that a browser makes for another site, and answers no more than a page at a time.
type API struct {
	desk    *admin.Desk
	token   [sha256.Size]byte
	on      bool
	log     *slog.Logger
	mux     *http.ServeMux
	handler http.Handler
}

// NewAPI builds the routes. token is at least MinTokenBytes long, or "": the API is off.
func NewAPI(desk *admin.Desk, token bot.Secret, log *slog.Logger) *API {
	api := &API{desk: desk, token: sha256.Sum256([]byte(token.Reveal())), on: len(token) >= MinTokenBytes, log: log, mux: http.NewServeMux()}
	api.routes()
	api.mux.HandleFunc(APIPath, api.missing)
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeFault(w, http.StatusForbidden, &bot.UserError{Code: "cross_origin", Text: "The API is not for pages of other sites."})
	}))
	api.handler = protection.Handler(http.HandlerFunc(api.checked))
	return api
}

// ServeHTTP answers everything below APIPath.
func (api *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
	api.handler.ServeHTTP(w, r)
}

// checked lets nobody in without the token, except to the description.
func (api *API) checked(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == APIPath+"openapi.yaml" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
		_, _ = w.Write(openAPI)
		return
	}
	fault := &bot.UserError{Code: "unauthorized", Text: "The bearer token is missing or wrong.", Hint: "Send the header Authorization: Bearer TOKEN."}
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	hash := sha256.Sum256([]byte(given))
	switch {
	case !api.on:
		fault = &bot.UserError{Code: "api_off", Text: "The API is off.",
			Hint: fmt.Sprintf("Set api_token (or api_token_file) in the configuration, %d characters or more, and start the bot again.", MinTokenBytes)}
	case ok && subtle.ConstantTimeCompare(hash[:], api.token[:]) == 1:
		api.mux.ServeHTTP(w, r)
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="weeklybot"`)
	writeFault(w, http.StatusUnauthorized, fault)
}

// missing answers what no route does: an unknown address, or the wrong method.
func (api *API) missing(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := api.mux.Handler(other); pattern != APIPath {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		writeFault(w, http.StatusNotFound, &bot.UserError{Code: admin.CodeNotFound, Text: "There is nothing at this address.", Hint: "The addresses: " + APIPath + "openapi.yaml"})
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeFault(w, http.StatusMethodNotAllowed, &bot.UserError{Code: "wrong_method", Text: "This address does not know the method " + r.Method + "."})
}

// request is one call of the API.
type request struct {
	*http.Request
	ctx   context.Context
	actor admin.Actor
}

// handle adds a route. What do returns is the answer; an error becomes a status and a sentence.
func (api *API) handle(method, path string, do func(request) (any, error)) {
	api.mux.HandleFunc(method+" "+APIPath+path, func(w http.ResponseWriter, r *http.Request) {
		where, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			where = r.RemoteAddr
		}
		answer, err := do(request{r, r.Context(), admin.Actor{Who: "api", Where: where, Lang: "en"}})
		if err != nil {
			api.refuse(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	})
}

// statuses are those of faults that are not simply a bad request.
var statuses = map[string]int{
	admin.CodeNotFound: http.StatusNotFound, admin.CodeBusy: http.StatusConflict, admin.CodeToken: http.StatusConflict, "nothing_new": http.StatusConflict,
	"gone":                   http.StatusGone,
	"too_many_subscriptions": http.StatusConflict,
}

func (api *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if user, ok := errors.AsType[*bot.UserError](err); ok {
		status, known := statuses[user.Code]
		if !known {
			status = http.StatusBadRequest
		}
		writeFault(w, status, user)
		return
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		writeFault(w, http.StatusRequestEntityTooLarge, &bot.UserError{Code: "too_big", Text: fmt.Sprintf("The body is over %d bytes.", maxBodyBytes)})
		return
	}
	api.log.Error("a call of the API failed", "method", r.Method, "path", r.URL.Path, "err", err)
	writeFault(w, http.StatusServiceUnavailable, &bot.UserError{Code: "failed", Text: "That could not be done now.", Hint: "Try again; the operator's log says why."})
}

type faultJSON struct {
	Code string `json:"code"`
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

func writeFault(w http.ResponseWriter, status int, err *bot.UserError) {
	writeJSON(w, status, map[string]faultJSON{"error": {err.Code, err.Text, err.Hint}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
}

// decode reads a JSON body; unknown fields are a fault.
func (r request) decode(v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("want one JSON object")
		}
	}
	if _, big := errors.AsType[*http.MaxBytesError](err); err == nil || big {
		return err
	}
	return &bot.UserError{Code: "bad_json", Text: "The body is not the JSON that belongs here: " + strings.TrimPrefix(err.Error(), "json: ") + "."}
}

// number reads a number of the query between 1 and most.
func (r request) number(name string, otherwise, most int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, &bot.UserError{Code: "bad_" + name, Text: fmt.Sprintf("%s is a number from 1 to %d.", name, most)}
	}
	return n, nil
}

func (r request) limit() (int, error) { return r.number("limit", defaultLimit, maxLimit) }
