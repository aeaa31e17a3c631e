package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"weeklybot/bot"
	"weeklybot/bot/admin"
	"weeklybot/bot/embedded"
	"weeklybot/bot/redisstore"
	"weeklybot/bot/schedule"
	"weeklybot/content"
)

const token = "0123456789abcdef"

// apiFixture is the API over a store inside the process, with n channels that have a subscription each.
type apiFixture struct {
	t     *testing.T
	store *redisstore.Store
	api   *API
	logs  *bytes.Buffer
	subs  []bot.Subscription
}

func newAPIFixture(t *testing.T, n int) *apiFixture {
	e, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rdb := e.Client()
	t.Cleanup(func() { _ = rdb.Close(); _ = e.Close() })
	f := &apiFixture{t: t, logs: &bytes.Buffer{}}
	if f.store, err = redisstore.Open(t.Context(), rdb, redisstore.Options{Shards: 4, Sole: true, SlotID: schedule.SlotID, Next: schedule.Next}); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		ch := bot.Channel{Adapter: "slack", Kind: "app", Workspace: "T1", Address: fmt.Sprintf("C%d", i), URL: "https://hooks.example.org/SECRET"}
		s, err := f.store.Add(t.Context(), ch, bot.Subscription{Schedule: bot.Schedule{Cron: "0 9 * * 1", Zone: "UTC"}, Style: bot.StyleBrief, Lang: "en", By: "config"})
		if err != nil {
			t.Fatal(err)
		}
		f.subs = append(f.subs, s)
	}
	lib := content.NewLibrary(nil, content.DefaultTopics())
	desk := admin.New(admin.Deps{
		Store: f.store, Library: func() *content.Library { return lib }, Topics: content.DefaultTopics(), Lang: "en", Zone: "UTC",
		FindChannel: func(string) (bot.Channel, error) { return bot.Channel{}, bot.ErrNotFound },
	})
	f.api = NewAPI(desk, token, slog.New(slog.NewTextHandler(f.logs, nil)))
	return f
}

// call gives the status and the answer, which must be JSON in any case.
func (f *apiFixture) call(method, path, body string, header ...string) (int, map[string]any) {
	f.t.Helper()
	r := httptest.NewRequestWithContext(f.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	f.api.ServeHTTP(w, r)
	var answer map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		f.t.Errorf("%s %s: the answer is no JSON object: %q", method, path, w.Body)
	}
	if strings.Contains(w.Body.String(), "SECRET") || strings.Contains(w.Body.String(), token) {
		f.t.Errorf("%s %s: a secret is in the answer: %s", method, path, w.Body)
	}
	return w.Code, answer
}

func TestAPIRefuses(t *testing.T) {
	f := newAPIFixture(t, 1)
	id := f.subs[0].ID.String()
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     string
	}{
		{"no token", "GET", "status", "", []string{"Authorization", ""}, 401, "unauthorized"},
		{"wrong token", "GET", "status", "", []string{"Authorization", "Bearer 0123456789abcdeg"}, 401, "unauthorized"},
		{"longer token", "GET", "status", "", []string{"Authorization", "Bearer " + token + "0"}, 401, "unauthorized"},
		{"basic", "GET", "status", "", []string{"Authorization", "Basic " + token}, 401, "unauthorized"},
		{"another site's page", "POST", "subscriptions/" + id + "/pause", "", []string{"Sec-Fetch-Site", "cross-site"}, 403, "cross_origin"},
		{"unknown address", "GET", "nothing", "", nil, 404, "not_found"},
		{"wrong method", "PUT", "subscriptions", "", nil, 405, "wrong_method"},
		{"wrong method of one", "POST", "subscriptions/" + id, "", nil, 405, "wrong_method"},
		{"unknown subscription", "GET", "subscriptions/0000000000000000-1", "", nil, 404, "not_found"},
		{"no subscription ID", "DELETE", "subscriptions/x", "", nil, 404, "not_found"},
		{"no JSON", "POST", "subscriptions", "schedule", nil, 400, "bad_json"},
		{"two objects", "POST", "subscriptions", "{} {}", nil, 400, "bad_json"},
		{"unknown field", "POST", "subscriptions", `{"chanel": "x"}`, nil, 400, "bad_json"},
		{"too big", "POST", "broadcasts", `{"text": "` + strings.Repeat("x", 1<<20) + `"}`, nil, 413, "too_big"},
		{"unknown channel", "POST", "subscriptions", `{"channel": "x", "schedule": "Mon"}`, nil, 404, "not_found"},
		{"bad schedule", "PATCH", "subscriptions/" + id, `{"schedule": "whenever"}`, nil, 400, "bad_schedule"},
		{"bad zone", "PATCH", "subscriptions/" + id, `{"zone": "Atlantis"}`, nil, 400, "unknown_zone"},
		{"bad style", "PATCH", "subscriptions/" + id, `{"style": "loud"}`, nil, 400, "bad_style"},
		{"bad quiet hours", "PATCH", "subscriptions/" + id, `{"quiet_hours": "at night"}`, nil, 400, "bad_quiet_hours"},
		{"bad holidays", "PATCH", "subscriptions/" + id, `{"holidays": "maybe"}`, nil, 400, "bad_holidays"},
		{"unknown topic", "PATCH", "subscriptions/" + id, `{"topics": ["qqq"]}`, nil, 400, "unknown_topic"},
		{"unknown series", "PATCH", "subscriptions/" + id, `{"series": ["qqq"]}`, nil, 400, "unknown_series"},
		{"limit", "GET", "subscriptions?limit=0", "", nil, 400, "bad_limit"},
		{"big limit", "GET", "deliveries?limit=1000000", "", nil, 400, "bad_limit"},
		{"after", "GET", "subscriptions?after=x", "", nil, 400, "bad_after"},
		{"delivery after", "GET", "deliveries?after=x", "", nil, 404, "not_found"},
		{"unknown delivery", "POST", "deliveries/retry", `{"id": "x/0000000000000000-1"}`, nil, 404, "not_found"},
		{"odd delivery", "POST", "deliveries/drop", `{"id": "x"}`, nil, 404, "not_found"},
		{"empty broadcast", "POST", "broadcasts", `{}`, nil, 400, "empty"},
		{"blank broadcast", "POST", "broadcasts", `{"text": " \n\n "}`, nil, 400, "empty"},
		{"long broadcast", "POST", "broadcasts", `{"text": "` + strings.Repeat("周", 20_001) + `"}`, nil, 400, "too_long"},
		{"unknown issue", "POST", "broadcasts", `{"issue": "none"}`, nil, 400, "unknown_issue"},
		{"unknown platform", "POST", "broadcasts", `{"text": "x", "audience": {"platforms": ["telex"]}}`, nil, 400, "bad_audience"},
		{"empty name", "POST", "broadcasts", `{"text": "x", "audience": {"workspaces": [""]}}`, nil, 400, "bad_audience"},
		{"past", "POST", "broadcasts", `{"text": "x", "when": "2001-01-01 09:00"}`, nil, 400, "bad_time"},
		{"never", "POST", "broadcasts", `{"text": "x", "when": "0 9 31 2 *"}`, nil, 400, "never_fires"},
		{"unknown broadcast", "POST", "broadcasts/b9/approve", `{"token": "x"}`, nil, 404, "not_found"},
		{"unknown report", "GET", "broadcasts/b9/report", "", nil, 404, "not_found"},
		{"a good call", "POST", "subscriptions/" + id + "/fire", "", nil, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := *f
			f.t = t
			status, answer := f.call(c.method, APIPath+c.path, c.body, c.header...)
			fault, _ := answer["error"].(map[string]any)
			code, _ := fault["code"].(string)
			if status != c.status || code != c.code || code != "" && fault["text"] == "" {
				t.Errorf("%d %v, want %d %s", status, answer, c.status, c.code)
			}
		})
	}
	if f.logs.Len() > 0 {
		t.Errorf("what callers do wrong is in the operator's log: %s", f.logs)
	}
}

func TestAPIIsOffWithoutAToken(t *testing.T) {
	for _, short := range []bot.Secret{"", "short"} {
		api := NewAPI(nil, short, slog.New(slog.DiscardHandler))
		for _, header := range []string{"", "Bearer ", "Bearer " + short.Reveal()} {
			r := httptest.NewRequestWithContext(t.Context(), "GET", APIPath+"status", nil)
			r.Header.Set("Authorization", header)
			w := httptest.NewRecorder()
			api.ServeHTTP(w, r)
			if w.Code != 401 || !strings.Contains(w.Body.String(), "api_token") {
				t.Errorf("token %q, header %q: %d %s, want 401 and how to turn it on", short.Reveal(), header, w.Code, w.Body)
			}
		}
	}
}

// Every page of the list together holds each subscription once.
func TestAPIPages(t *testing.T) {
	f := newAPIFixture(t, 57)
	seen := map[string]int{}
	for after, pages := "", 0; ; pages++ {
		_, answer := f.call("GET", APIPath+"subscriptions?limit=10&after="+after, "")
		for _, s := range answer["subscriptions"].([]any) {
			seen[s.(map[string]any)["id"].(string)]++
		}
		if after = answer["next"].(string); after == "" {
			break
		}
		if pages > 10 {
			t.Fatal("no end of pages")
		}
	}
	for _, s := range f.subs {
		if seen[s.ID.String()] != 1 {
			t.Errorf("%s is listed %d times", s.ID, seen[s.ID.String()])
		}
	}
}

// Quiet hours and holidays are set, shown, kept by a change of something else, and given back to the bot's own rules; next knows them.
func TestAPIExceptions(t *testing.T) {
	f := newAPIFixture(t, 1)
	path := APIPath + "subscriptions/" + f.subs[0].ID.String()
	for _, c := range []struct{ body, quiet, holidays, next string }{
		{`{}`, "", "", "T09:00:00Z"},
		{`{"quiet_hours": "22:00-9:30", "holidays": "next"}`, "22:00-09:30", "next", "T09:30:00Z"},
		{`{"style": "full"}`, "22:00-09:30", "next", "T09:30:00Z"},
		{`{"quiet_hours": "none", "holidays": "skip"}`, "none", "skip", "T09:00:00Z"},
		{`{"quiet_hours": "", "holidays": ""}`, "", "", "T09:00:00Z"},
	} {
		status, answer := f.call("PATCH", path, c.body)
		if next, _ := answer["next"].(string); status != 200 || answer["quiet_hours"] != c.quiet || answer["holidays"] != c.holidays || !strings.HasSuffix(next, c.next) {
			t.Errorf("%s: %d %v, want %q %q %s", c.body, status, answer, c.quiet, c.holidays, c.next)
		}
	}
}

func TestAPIBroadcast(t *testing.T) {
	f := newAPIFixture(t, 3)
	status, drafted := f.call("POST", APIPath+"broadcasts", `{"title": "Notice", "text": "one\n\ntwo", "when": "Mon 09:00", "zone": "Asia/Tokyo"}`)
	if status != 200 || drafted["token"] == "" || fmt.Sprint(drafted["reach"]) != "[map[channels:3 kind:app platform:slack]]" {
		t.Fatalf("%d %v", status, drafted)
	}
	msg, err := f.store.Body(t.Context(), "b1")
	if err != nil || msg.Title != "Notice" || len(msg.Blocks) != 2 {
		t.Errorf("message %+v, %v", msg, err)
	}
	if status, answer := f.call("POST", APIPath+"broadcasts/b1/approve", `{"token": "wrong"}`); status != 409 {
		t.Errorf("%d %v", status, answer)
	}
	if status, answer := f.call("POST", APIPath+"broadcasts/b1/recall", ""); status != 409 {
		t.Errorf("a draft was recalled: %d %v", status, answer)
	}
	approve := fmt.Sprintf(`{"token": %q}`, drafted["token"])
	if status, answer := f.call("POST", APIPath+"broadcasts/b1/approve", approve); status != 200 || answer["state"] != "scheduled" || answer["next"] == nil {
		t.Errorf("%d %v", status, answer)
	}
	if status, _ := f.call("POST", APIPath+"broadcasts/b1/approve", approve); status != 409 {
		t.Errorf("approved twice: %d", status)
	}
	if _, answer := f.call("GET", APIPath+"schedules/next?n=3", ""); len(answer["runs"].([]any)) != 3 {
		t.Errorf("runs %v", answer)
	}
	_, list := f.call("GET", APIPath+"broadcasts", "")
	if text := fmt.Sprint(list); strings.Contains(text, drafted["token"].(string)) {
		t.Errorf("the list shows the token: %s", text)
	}
	if status, answer := f.call("POST", APIPath+"broadcasts/b1/cancel", ""); status != 200 || answer["state"] != "cancelled" || answer["next"] != nil {
		t.Errorf("%d %v", status, answer)
	}
	_, notes := f.call("GET", APIPath+"audit?limit=2", "")
	if text := fmt.Sprint(notes); !strings.Contains(text, "broadcasts cancel") || !strings.Contains(text, "broadcasts approve") || strings.Contains(text, "create") {
		t.Errorf("audit %s", text)
	}
}

// The description names every route, and no other.
func TestAPIDescription(t *testing.T) {
	f := newAPIFixture(t, 0)
	r := httptest.NewRequestWithContext(t.Context(), "GET", APIPath+"openapi.yaml", nil)
	w := httptest.NewRecorder()
	f.api.ServeHTTP(w, r)
	var doc struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != http.StatusOK {
		t.Fatal(w.Code, err)
	}
	var described []string
	for path, methods := range doc.Paths {
		for method := range methods {
			if method != "parameters" {
				described = append(described, strings.ToUpper(method)+" "+path)
			}
		}
	}
	source, err := os.ReadFile("apiroutes.go")
	if err != nil {
		t.Fatal(err)
	}
	var routes []string
	for _, m := range regexp.MustCompile(`api\.handle\("([A-Z]+)", "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		routes = append(routes, m[1]+" /"+strings.Replace(m[2], "{id...}", "{id}", 1))
	}
	slices.Sort(described)
	slices.Sort(routes)
	if !slices.Equal(described, routes) || len(routes) < 20 {
		t.Errorf("described %q\nroutes %q", described, routes)
	}
}
