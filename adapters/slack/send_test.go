package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weeklybot/adapters/slack/twin"
	"weeklybot/bot"
)

// deliver sends all parts of msg to the twin and returns their receipts.
func deliver(t *testing.T, a *Adapter, dst bot.Channel, key string, msg bot.Message) (receipts []bot.Receipt) {
	t.Helper()
	parts := a.Split(dst.Kind, msg)
	for k, part := range parts {
		p := bot.Post{Key: key, Part: k + 1, Parts: len(parts), Message: part}
		if k > 0 {
			p.First = receipts[0]
		}
		r, err := a.Send(t.Context(), dst, p)
		if err != nil {
			t.Fatalf("part %d of %d: %v", k+1, len(parts), err)
		}
		receipts = append(receipts, r)
	}
	return receipts
}

// The largest issue, end to end: every item once, nothing refused, later parts in the thread of the first.
func TestHugeIssueEndToEnd(t *testing.T) {
	for _, kind := range []bot.Kind{KindApp, KindWebhook} {
		t.Run(string(kind), func(t *testing.T) {
			tw, base := newTwin(t, twin.Options{})
			a := newAdapter(t, testConfig(base), Deps{})
			receipts := deliver(t, a, testChannel(kind, base), "delivery-1", manyItems(270))
			posts := tw.Posts()
			if len(posts) != len(receipts) || len(tw.Refused()) > 0 {
				t.Fatalf("%d posts for %d parts, refused %+v", len(posts), len(receipts), tw.Refused())
			}
			var all strings.Builder
			for k, p := range posts {
				raw, _ := json.Marshal(p.Message.Blocks)
				all.Write(raw)
				if p.Message.UnfurlLinks || p.Message.UnfurlMedia || p.Message.Parse != "none" {
					t.Errorf("part %d unfurls its links, or finds mentions: %+v", k+1, p.Message)
				}
				if kind != KindApp {
					continue
				}
				if p.TS != string(receipts[k]) {
					t.Errorf("receipt of part %d = %q, want %q", k+1, receipts[k], p.TS)
				}
				if want := map[bool]string{true: posts[0].TS}[k > 0]; p.ThreadTS != want {
					t.Errorf("part %d in thread %q, want %q", k+1, p.ThreadTS, want)
				}
				want := &twin.Metadata{EventType: "weeklybot_digest", EventPayload: map[string]any{"delivery_id": "delivery-1", "part": float64(k + 1)}}
				if diff := cmp.Diff(want, p.Message.Metadata); diff != "" {
					t.Errorf("metadata of part %d (-want +got):\n%s", k+1, diff)
				}
			}
			for k := range 270 {
				if n := strings.Count(all.String(), fmt.Sprintf("https://example.org/items/%03d", k)); n != 1 {
					t.Errorf("item %d is there %d times, want once", k, n)
				}
			}
		})
	}
}

// The posting call goes through the library: it is a form with the token in its body.
func TestPostIsTheLibrarys(t *testing.T) {
	tw, base := newTwin(t, twin.Options{})
	deliver(t, newAdapter(t, testConfig(base), Deps{}), testChannel(KindApp, base), "d", manyItems(3))
	form, err := url.ParseQuery(string(tw.Posts()[0].Raw))
	if err != nil || form.Get("token") != testToken || form.Get("channel") != "C0GENERAL" {
		t.Errorf("form = %v, %v", form, err)
	}
}

func TestWrongAddress(t *testing.T) {
	_, base := newTwin(t, twin.Options{})
	for _, c := range []struct {
		name string
		cfg  Config
		dst  bot.Channel
		want string
	}{
		{"foreign host", testConfig(base), bot.Channel{Kind: KindWebhook, URL: "https://hooks.evil.example/services/T/B/X"}, codeHostRefused},
		{"plain http", testConfig(base), bot.Channel{Kind: KindWebhook, URL: "http://hooks.slack.com/services/T/B/X"}, codeHostRefused},
		{"no URL", testConfig(base), bot.Channel{Kind: KindWebhook}, codeNotSetUp},
		{"app without a token", Config{}, bot.Channel{Kind: KindApp, Address: "C1"}, codeNotSetUp},
		{"too large", testConfig(base), testChannel(KindApp, base), codeBadPayload},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg := text("x")
			if c.want == codeBadPayload {
				msg = manyItems(270)
			}
			_, err := newAdapter(t, c.cfg, Deps{}).Send(t.Context(), c.dst, bot.Post{Part: 1, Parts: 1, Message: msg})
			fault, ok := err.(*bot.SendError)
			if !ok || fault.Code != c.want || fault.Fault != bot.Permanent || fault.MaybeSent {
				t.Errorf("Send = %+v, want permanent %s", err, c.want)
			}
		})
	}
}

func TestHostsThatMayBeCalled(t *testing.T) {
	_, base := newTwin(t, twin.Options{})
	u, _ := url.Parse(base)
	for name, cfg := range map[string]Config{
		"reply_hosts": {ReplyHosts: []string{u.Host}}, "trusted": {TrustedHosts: []string{u.Host}}, "api_url": {APIURL: base + "/api/"},
	} {
		if _, err := newAdapter(t, cfg, Deps{}).Send(t.Context(), testChannel(KindWebhook, base), bot.Post{Part: 1, Parts: 1, Message: text("x")}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Find must tell a post that arrived from one that did not, whatever the answer was.
func TestFind(t *testing.T) {
	for _, arrived := range []bool{true, false} {
		t.Run(fmt.Sprintf("arrived=%v", arrived), func(t *testing.T) {
			tw, base := newTwin(t, twin.Options{})
			a := newAdapter(t, testConfig(base), Deps{})
			dst := testChannel(KindApp, base)
			since := time.Now()
			first := deliver(t, a, dst, "earlier", manyItems(3))[0]
			for _, p := range []bot.Post{
				{Key: "lost", Part: 1, Parts: 2, Message: text("one")},
				{Key: "lost", Part: 2, Parts: 2, First: first, Message: text("two")},
			} {
				tw.Fail(1, twin.Failure{Accept: arrived, Drop: true})
				_, err := a.Send(t.Context(), dst, p)
				if fault, ok := err.(*bot.SendError); !ok || !fault.MaybeSent {
					t.Fatalf("Send = %v, want MaybeSent", err)
				}
				r, found, err := a.Find(t.Context(), dst, p, since)
				if err != nil || found != arrived || (r != "") != arrived {
					t.Errorf("Find(part %d) = %q, %v, %v, want found = %v", p.Part, r, found, err, arrived)
				}
				if posts := tw.Posts(); arrived && r != bot.Receipt(posts[len(posts)-1].TS) {
					t.Errorf("Find(part %d) = %q, want the ts of the post", p.Part, r)
				}
			}
		})
	}
}

func TestFindCannotKnow(t *testing.T) {
	tw, base := newTwin(t, twin.Options{})
	tw.SetChannel("C0GENERAL", twin.Channel{NotMember: true})
	a := newAdapter(t, testConfig(base), Deps{})
	for _, kind := range []bot.Kind{KindApp, KindWebhook} {
		if _, found, err := a.Find(t.Context(), testChannel(kind, base), bot.Post{Key: "k", Part: 1}, time.Now()); err == nil || found {
			t.Errorf("%s: Find = %v, %v, want an error", kind, found, err)
		}
	}
}

func TestFindOnEveryPage(t *testing.T) {
	_, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	dst := testChannel(KindApp, base)
	p := bot.Post{Key: "old", Part: 1, Parts: 1, Message: text("old")}
	if _, err := a.Send(t.Context(), dst, p); err != nil {
		t.Fatal(err)
	}
	for k := range findPage + 20 {
		if _, err := a.Send(t.Context(), dst, bot.Post{Key: fmt.Sprint("new", k), Part: 1, Parts: 1, Message: text("new")}); err != nil {
			t.Fatal(err)
		}
	}
	if _, found, err := a.Find(t.Context(), dst, p, time.Now().Add(-time.Minute)); err != nil || !found {
		t.Errorf("Find = %v, %v, want found on the second page", found, err)
	}
}

func TestCheck(t *testing.T) {
	_, base := newTwin(t, twin.Options{})
	good := newAdapter(t, testConfig(base), Deps{}).Check(t.Context())
	if len(good) != 1 || good[0].Err != nil || !strings.Contains(good[0].What, "T0TWIN") {
		t.Errorf("Check = %+v", good)
	}
	cfg := testConfig(base)
	cfg.BotToken = "xoxb-wrong"
	bad := newAdapter(t, cfg, Deps{}).Check(t.Context())
	if len(bad) != 1 || bad[0].Err == nil || !strings.Contains(bad[0].Err.Error(), "invalid_auth") || strings.Contains(bad[0].Err.Error(), "xoxb-wrong") {
		t.Errorf("Check = %+v, want invalid_auth without the token", bad)
	}
	if off := newAdapter(t, Config{}, Deps{}).Check(t.Context()); len(off) != 0 {
		t.Errorf("Check without credentials = %+v, want nothing", off)
	}
}

func TestConfig(t *testing.T) {
	full := Config{BotToken: testToken, SigningSecret: testSecret}
	for _, c := range []struct {
		name string
		cfg  Config
		want []string // how the faults begin
	}{
		{"off", Config{}, nil},
		{"on", full, nil},
		{"hooks only, other host", Config{ReplyHosts: []string{"hooks.slack-gov.com"}}, nil},
		{"no signing secret", Config{BotToken: testToken}, []string{"adapters.slack.signing_secret"}},
		{"no token", Config{SigningSecret: testSecret}, []string{"adapters.slack.bot_token"}},
		{"wrong token", Config{BotToken: "xapp-1", SigningSecret: testSecret}, []string{"adapters.slack.bot_token"}},
		{"half an OAuth client", Config{BotToken: testToken, SigningSecret: testSecret, ClientID: "1"}, []string{"adapters.slack.client_id"}},
		{"socket without its token", Config{BotToken: testToken, SocketMode: true}, []string{"adapters.slack.app_token"}},
		{"socket", Config{BotToken: testToken, SocketMode: true, AppToken: testAppToken}, nil},
		{"API over http", Config{BotToken: testToken, SigningSecret: testSecret, APIURL: "http://slack.example/api/"}, []string{"adapters.slack.api_url"}},
		{"all at once", Config{BotToken: testToken, APIURL: "slack", AuthorizeURL: "::"},
			[]string{"adapters.slack.signing_secret", "adapters.slack.api_url", "adapters.slack.authorize_url"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			faults := c.cfg.Validate()
			ok := slices.EqualFunc(faults, c.want, func(err error, want string) bool { return strings.HasPrefix(err.Error(), want) })
			if _, err := New(c.cfg, Deps{}); !ok || (err == nil) != (len(c.want) == 0) {
				t.Errorf("Validate = %v, New = %v, want %v", faults, err, c.want)
			}
		})
	}
	for _, api := range []string{"https://slack.example/api", "https://slack.example/api/"} {
		if got := (Config{APIURL: api}).apiURL(); got != "https://slack.example/api/" {
			t.Errorf("apiURL of %s = %s", api, got)
		}
	}
}

func TestTarget(t *testing.T) {
	ch, err := Target("https://hooks.slack.com/services/T/B/X", "")
	if err != nil || ch.Kind != KindWebhook || ch.URL.Reveal() != "https://hooks.slack.com/services/T/B/X" {
		t.Errorf("Target = %+v, %v", ch, err)
	}
	for _, bad := range []string{"", "T/B/X", "http://hooks.slack.com/services/keySECRET", "https://user@hooks.slack.com/services/keySECRET"} {
		if _, err := Target(bad, ""); err == nil || strings.Contains(err.Error(), "keySECRET") {
			t.Errorf("Target(%q) = %v, want an error without the key", bad, err)
		}
	}
}

// Every code of the platform's table, one by one, through the whole way of a post.
func TestEveryCode(t *testing.T) {
	type row struct {
		fault bot.Fault
		scope bot.Scope
		maybe bool
		codes string
	}
	table := []row{
		{bot.RateLimited, bot.ScopeWorkspace, false, "ratelimited rate_limited"},
		{bot.Retryable, bot.ScopeMessage, false, "service_unavailable team_added_to_org org_login_required external_channel_migrating accesslimited message_limit_exceeded"},
		{bot.Retryable, bot.ScopeMessage, true, "fatal_error internal_error request_timeout update_failed"},
		{bot.Permanent, bot.ScopeChannel, false, "channel_not_found is_archived is_inactive channel_is_limited_access"},
		{bot.Permanent, bot.ScopeChannel, false, "not_in_channel no_permission access_denied restricted_action restricted_action_read_only_channel " +
			"restricted_action_thread_only_channel restricted_action_non_threadable_channel restricted_action_thread_locked ekm_access_denied " +
			"messages_tab_disabled cannot_reply_to_message app_access_restricted"},
		{bot.Permanent, bot.ScopeWorkspace, false, "account_inactive token_revoked invalid_auth not_authed token_expired team_access_not_granted " +
			"two_factor_setup_required enterprise_is_restricted not_allowed_token_type missing_scope"},
		{bot.Permanent, bot.ScopeMessage, false, "invalid_blocks invalid_blocks_format msg_blocks_too_long msg_too_long no_text invalid_arguments invalid_arg_name " +
			"invalid_array_arg invalid_form_data invalid_post_type missing_post_type invalid_charset invalid_metadata_format invalid_metadata_schema " +
			"metadata_too_large metadata_must_be_sent_from_app markdown_text_conflict too_many_attachments attachment_payload_limit_exceeded " +
			"unknown_method method_deprecated deprecated_endpoint"},
		{bot.Retryable, bot.ScopeMessage, false, "something_new_in_2027"},
	}
	tw, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	p := bot.Post{Key: "k", Part: 1, Parts: 1, Message: text("x")}
	for _, row := range table {
		for _, code := range strings.Fields(row.codes) {
			tries := 1
			if code == codeNotInChannel { // joined, and refused again
				tries = 2
			}
			tw.Fail(tries, twin.Failure{Code: code})
			_, err := a.Send(t.Context(), testChannel(KindApp, base), p)
			got, ok := err.(*bot.SendError)
			if !ok || got.Fault != row.fault || got.Scope != row.scope || got.MaybeSent != row.maybe || got.Code != code {
				t.Errorf("%s: Send = %+v, want %s, %s, maybe sent %v", code, err, row.fault, row.scope, row.maybe)
			}
		}
	}
	hook := []row{
		{bot.Permanent, bot.ScopeChannel, false, "no_service no_service_id no_active_hooks no_team team_disabled invalid_token channel_not_found " +
			"channel_is_archived user_not_found action_prohibited posting_to_general_channel_denied"},
		{bot.Permanent, bot.ScopeMessage, false, "invalid_payload no_text invalid_blocks too_many_attachments"},
	}
	for _, row := range hook {
		for _, code := range strings.Fields(row.codes) {
			tw.Fail(1, twin.Failure{Status: http.StatusBadRequest, Code: code})
			_, err := a.Send(t.Context(), testChannel(KindWebhook, base), p)
			got, ok := err.(*bot.SendError)
			if !ok || got.Fault != row.fault || got.Scope != row.scope || got.MaybeSent || got.Code != code {
				t.Errorf("webhook %s: Send = %+v, want %s, %s", code, err, row.fault, row.scope)
			}
		}
	}
}

// What Slack says about bad blocks and missing scopes must reach the operator.
func TestErrorSaysWhy(t *testing.T) {
	tw, base := newTwin(t, twin.Options{})
	a := newAdapter(t, testConfig(base), Deps{})
	tw.Fail(1, twin.Failure{Code: "invalid_blocks", Messages: []string{"must be less than 3001 characters [json-pointer:/blocks/1/text/text]"}})
	_, err := a.Send(t.Context(), testChannel(KindApp, base), bot.Post{Part: 1, Parts: 1, Message: text("x")})
	if err == nil || !strings.Contains(err.Error(), "json-pointer:/blocks/1/text/text") {
		t.Errorf("error %v does not say which block", err)
	}
}

// A rate limit that the twin itself enforces.
func TestTwinPacesTheAdapter(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	tw, base := newTwin(t, twin.Options{Window: time.Minute, Burst: 2, Now: func() time.Time { return now }})
	a := newAdapter(t, testConfig(base), Deps{})
	for _, kind := range []bot.Kind{KindApp, KindWebhook} {
		for k := range 3 {
			_, err := a.Send(t.Context(), testChannel(kind, base), bot.Post{Part: 1, Parts: 1, Message: text("x")})
			fault, _ := err.(*bot.SendError)
			if k < 2 && err != nil || k == 2 && (fault == nil || fault.Fault != bot.RateLimited || fault.RetryAfter != time.Second) {
				t.Errorf("%s, post %d: %v", kind, k+1, err)
			}
		}
	}
	if n := len(tw.Posts()); n != 4 {
		t.Errorf("%d posts, want 4", n)
	}
}

// A public channel that the bot is not in is joined, and the post goes out once; where it may not join, somebody is to invite it.
func TestJoins(t *testing.T) {
	for _, c := range []struct {
		name    string
		address string
		channel twin.Channel
		scopes  bool
		want    string
	}{
		{"public", "C5", twin.Channel{NotMember: true}, true, ""},
		{"private", "C5", twin.Channel{NotMember: true, Private: true}, true, "channel_not_found"},
		{"archived meanwhile", "C5", twin.Channel{NotMember: true, Archived: true}, true, "is_archived"},
		{"without the scope", "C5", twin.Channel{NotMember: true}, false, "not_in_channel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tw, base := newTwin(t, twin.Options{})
			tw.SetChannel(c.address, c.channel)
			joins := 0
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/conversations.join") {
					if joins++; !c.scopes {
						refuses("missing_scope")(w, r)
						return
					}
				}
				tw.ServeHTTP(w, r)
			}))
			defer front.Close()
			a := newAdapter(t, testConfig(front.URL), Deps{})
			dst := testChannel(KindApp, base)
			dst.Address = c.address
			receipt, err := a.Send(t.Context(), dst, bot.Post{Key: "d", Part: 1, Parts: 1, Message: text("hello")})
			var code string
			if fault, ok := errors.AsType[*bot.SendError](err); ok {
				code = fault.Code
			}
			if code != c.want || (receipt == "") != (c.want != "") || joins > 1 || len(tw.Posts()) != map[bool]int{true: 1}[c.want == ""] {
				t.Errorf("Send = %q, %v after %d joins, %d posts; want %q", receipt, err, joins, len(tw.Posts()), c.want)
			}
		})
	}
}
