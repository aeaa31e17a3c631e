package twin_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"weeklybot/adapters/slack/twin"
)

const (
	client       = "1.2"
	clientSecret = "client-secret"
	callback     = "https://bot.example.com/slack/oauth/callback"
)

// market is a twin whose app can be installed.
func market(t *testing.T, opt twin.Options) (tw *twin.Twin, base string, later func(time.Duration)) {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	opt.ClientID, opt.ClientSecret, opt.Now = client, clientSecret, func() time.Time { return now }
	tw, base = start(t, opt)
	return tw, base, func(d time.Duration) { now = now.Add(d) }
}

func consent(pairs ...string) string {
	v, _ := url.ParseQuery(form("client_id", client, "scope", "chat:write,commands", "redirect_uri", callback, "state", "s"))
	for k := 0; k+1 < len(pairs); k += 2 {
		v.Set(pairs[k], pairs[k+1])
	}
	return "/oauth/v2/authorize?" + v.Encode()
}

// code is a code for team.
func code(t *testing.T, tw *twin.Twin, base, team string) string {
	t.Helper()
	back, err := tw.Allow(base+consent(), team)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(back)
	if u.Query().Get("state") != "s" || !strings.HasPrefix(back, callback) {
		t.Errorf("sent back to %s", back)
	}
	return u.Query().Get("code")
}

// Every wrong exchange is refused with its code.
func TestRefusesWrongExchanges(t *testing.T) {
	tw, base, later := market(t, twin.Options{Rotate: true})
	old := code(t, tw, base, "T1")
	exchange := func(pairs ...string) string {
		v, _ := url.ParseQuery(form("client_id", client, "client_secret", clientSecret, "redirect_uri", callback, "code", code(t, tw, base, "T1")))
		for k := 0; k+1 < len(pairs); k += 2 {
			v.Set(pairs[k], pairs[k+1])
		}
		return v.Encode()
	}
	later(10*time.Minute + time.Second)
	for _, c := range []struct{ name, body, want string }{
		{"good", exchange(), ""},
		{"unknown client", exchange("client_id", "9.9"), "invalid_client_id"},
		{"wrong secret", exchange("client_secret", "x"), "bad_client_secret"},
		{"made-up code", exchange("code", "x"), "invalid_code"},
		{"code of ten minutes ago", exchange("code", old), "invalid_code"},
		{"another redirect", exchange("redirect_uri", "https://evil.example/"), "bad_redirect_uri"},
		{"no redirect", exchange("redirect_uri", ""), "bad_redirect_uri"},
		{"made-up grant", exchange("grant_type", "password"), "invalid_grant_type"},
		{"made-up refresh token", exchange("grant_type", "refresh_token", "refresh_token", "x"), "invalid_refresh_token"},
	} {
		_, _, raw := call(t, "POST", base+"/api/oauth.v2.access", "application/x-www-form-urlencoded", "", c.body)
		var got struct{ Error string }
		if json.Unmarshal([]byte(raw), &got) != nil || got.Error != c.want {
			t.Errorf("%s: %s, want %q", c.name, raw, c.want)
		}
	}
	fresh := exchange()
	for k, want := range []string{`"ok":true`, "invalid_code"} {
		if _, _, raw := call(t, "POST", base+"/api/oauth.v2.access", "application/x-www-form-urlencoded", "", fresh); !strings.Contains(raw, want) {
			t.Errorf("exchange %d of one code: %s, want %s", k+1, raw, want)
		}
	}
	for name, path := range map[string]string{
		"invalid_client_id": consent("client_id", "9.9"), "invalid_scope": consent("scope", ""),
		"bad_redirect_uri": consent("redirect_uri", "http://bot.example.com/"),
	} {
		if status, _, text := call(t, "GET", base+path, "", "", ""); status != 400 || !strings.Contains(text, name) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if status, _, _ := call(t, "GET", base+consent("redirect_uri", callback+"#f"), "", "", ""); status != 400 {
		t.Errorf("redirect with a fragment: %d", status)
	}
}

// The official client exchanges, refreshes and uses the tokens; scopes count, tokens end, and a refresh token works once.
func TestLibraryOAuth(t *testing.T) {
	tw, base, later := market(t, twin.Options{Rotate: true})
	api := slack.OAuthOptionAPIURL(base + "/api/")
	got, err := slack.GetOAuthV2ResponseContext(t.Context(), http.DefaultClient, client, clientSecret, code(t, tw, base, "T7"), callback, api)
	if err != nil || got.Team.ID != "T7" || got.Scope != "chat:write,commands" || got.ExpiresIn != 43_200 || !strings.HasPrefix(got.AccessToken, "xoxe.xoxb-") || got.RefreshToken == "" {
		t.Fatalf("%+v, %v", got, err)
	}
	post := func(token string) string {
		_, _, err := slack.New(token, slack.OptionAPIURL(base+"/api/")).PostMessageContext(t.Context(), "C1", slack.MsgOptionText("x", false))
		if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
			return refused.Err
		}
		if err != nil {
			t.Fatal(err)
		}
		return ""
	}
	who, err := slack.New(got.AccessToken, slack.OptionAPIURL(base+"/api/")).AuthTestContext(t.Context())
	if err != nil || who.TeamID != "T7" || who.BotID == "" {
		t.Errorf("auth.test: %+v, %v", who, err)
	}
	_, err = slack.New(got.AccessToken, slack.OptionAPIURL(base+"/api/")).GetConversationHistoryContext(t.Context(), &slack.GetConversationHistoryParameters{ChannelID: "C1"})
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); !ok || refused.Err != "missing_scope" || refused.Needed != "channels:history" || refused.Provided != got.Scope {
		t.Errorf("without the scope: %+v", err)
	}
	if code := post(got.AccessToken); code != "" || tw.Posts()[0].Team != "T7" {
		t.Errorf("post: %s", code)
	}
	second, err := slack.RefreshOAuthV2TokenContext(t.Context(), http.DefaultClient, client, clientSecret, got.RefreshToken, api)
	if err != nil || second.AccessToken == got.AccessToken || second.RefreshToken == got.RefreshToken {
		t.Fatalf("%+v, %v", second, err)
	}
	if _, err := slack.RefreshOAuthV2TokenContext(t.Context(), http.DefaultClient, client, clientSecret, got.RefreshToken, api); err == nil || err.Error() != "invalid_refresh_token" {
		t.Errorf("a refresh token twice: %v", err)
	}
	third, err := slack.RefreshOAuthV2TokenContext(t.Context(), http.DefaultClient, client, clientSecret, second.RefreshToken, api)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]string{got.AccessToken: "token_revoked", second.AccessToken: "", third.AccessToken: ""} { // two are alive
		if code := post(token); code != want {
			t.Errorf("post: %q, want %q", code, want)
		}
	}
	later(13 * time.Hour)
	if code := post(third.AccessToken); code != "token_expired" {
		t.Errorf("after its end: %q", code)
	}
}

// The page asks a person, who may also say no.
func TestConsentPage(t *testing.T) {
	_, base, _ := market(t, twin.Options{})
	status, header, page := call(t, "GET", base+consent("scope", "chat:write,<b>"), "", "", "")
	if status != 200 || !strings.Contains(page, "&lt;b&gt;") || !strings.Contains(header.Get("Content-Security-Policy"), "form-action 'self' https://bot.example.com;") {
		t.Errorf("%d %v %s", status, header, page)
	}
	http.DefaultClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() { http.DefaultClient.CheckRedirect = nil })
	for allow, want := range map[string]string{"yes": "code=", "no": "error=access_denied"} {
		status, header, _ := call(t, "POST", base+consent(), "application/x-www-form-urlencoded", "", form("team", "T5", "allow", allow))
		if to := header.Get("Location"); status != 303 || !strings.HasPrefix(to, callback+"?") || !strings.Contains(to, want) || !strings.Contains(to, "state=s") {
			t.Errorf("%s: %d, %s", allow, status, to)
		}
	}
}
