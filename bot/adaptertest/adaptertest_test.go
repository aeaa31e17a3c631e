package adaptertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

const flawEnv = "ADAPTERTEST_FLAW"

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func command(sign, age string) func(*testing.T) *http.Request {
	return func(*testing.T) *http.Request {
		r := httptest.NewRequest("POST", "/toy/command", strings.NewReader(`{"ID":"7","Text":"/hot ebpf"}`))
		r.Header.Set("Sign", sign)
		r.Header.Set("Age", age)
		return r
	}
}

// TestToy runs the contract on the toy adapter. Without a flaw it must pass.
func TestToy(t *testing.T) {
	flaw := os.Getenv(flawEnv)
	if flaw != "" {
		adaptertest.SetPatience(time.Second)
	}
	adaptertest.Run(t, adaptertest.Harness{
		New: func(_ *testing.T, base string) bot.Adapter { return newToy(base, flaw) },
		Channel: func(kind bot.Kind, base string) bot.Channel {
			return bot.Channel{Adapter: "toy", Kind: kind, Address: "r", URL: bot.Secret(base + "/post?key=toy-webhook-key")}
		},
		Accept: answer(200, `{"ok":true,"id":"1"}`),
		IsPost: func(r *http.Request) bool { return r.URL.Path == "/post" },
		Faults: []adaptertest.Fault{
			{Name: "slow_down", Answer: answer(200, `{"error":"slow_down","wait":7}`),
				Want: bot.SendError{Fault: bot.RateLimited, Scope: bot.ScopeMessage, Code: "slow_down", RetryAfter: 7 * time.Second}},
			{Name: "too_long", Answer: answer(200, `{"error":"too_long"}`),
				Want: bot.SendError{Fault: bot.Permanent, Scope: bot.ScopeMessage, Code: "too_long"}},
		},
		Expired: answer(200, `{"error":"expired"}`),
		Secrets: []string{"toy-app-secret", "toy-webhook-key", "toy-token"},
		Inspect: func(t *testing.T, _ bot.Kind, body []byte) adaptertest.Seen {
			text, links, mentions, err := inspectToy(body)
			if err != nil {
				t.Error(err)
			}
			return adaptertest.Seen{Text: text, Links: links, Mentions: mentions, Bytes: len(body)}
		},
		Golden: "testdata",
		Hook: &adaptertest.Hook{
			Command: command("good", "0"),
			Text:    "/hot ebpf",
			Bad: []adaptertest.BadRequest{
				{Name: "forged", Request: command("bad", "0"), Status: 401},
				{Name: "stale", Request: command("good", "900"), Status: 401},
			},
		},
	})
}

// TestRunReportsEachFlaw runs TestToy in a child process for each broken rule, and wants the point of that rule to fail.
func TestRunReportsEachFlaw(t *testing.T) {
	if os.Getenv(flawEnv) != "" {
		t.Skip("this is the child")
	}
	for flaw, point := range map[string]string{
		"loses_item":           "limits",
		"keeps_image":          "samples",
		"never_splits":         "limits",
		"cuts_bytes":           "limits",
		"marks_parts":          "limits",
		"posts_twice":          "samples",
		"other_preview":        "samples",
		"plain_error":          "faults",
		"wrong_code":           "faults",
		"panics":               "garbage",
		"trusts_status":        "garbage",
		"ignores_context":      "context",
		"forgets_maybe_sent":   "context",
		"token_maybe_sent":     "context",
		"leaks_url":            "secrets",
		"logs_url":             "secrets",
		"token_each_time":      "tokens",
		"keeps_expired_token":  "tokens",
		"trusts_everyone":      "hook/forged",
		"takes_stale":          "hook/stale",
		"new_ids":              "hook/delivered_twice",
		"reads_all":            "hook/too_big",
		"drops_unknown":        "unknown_block",
		"escapes_nothing":      "injection",
		"keeps_bidi":           "injection",
		"any_link":             "injection",
		"listen_leaks":         "listen",
		"listen_gives_up":      "listen/nobody_there",
		"listen_returns_error": "listen",
		"listen_deaf":          "listen",
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			top, _, _ := strings.Cut(point, "/")
			cmd := exec.Command(os.Args[0], "-test.run=^TestToy$/^"+top+"$")
			cmd.Env = append(os.Environ(), flawEnv+"="+flaw)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestToy/"+point+" ") {
				t.Errorf("Run did not report %s at point %s (%v):\n%.3000s", flaw, point, err, out)
			}
		})
	}
}

func TestSamplesAreFresh(t *testing.T) {
	first := adaptertest.Samples()["full_issue"]
	first.Blocks[0].Text = "changed"
	if adaptertest.Samples()["full_issue"].Blocks[0].Text == "changed" {
		t.Error("two calls of Samples share memory")
	}
	items := 0
	for _, b := range first.Blocks {
		if b.Kind == bot.BlockItem {
			items++
		}
	}
	if items != 60 {
		t.Errorf("full_issue has %d items, its notice says 60", items)
	}
}
