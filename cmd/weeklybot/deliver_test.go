package main

import (
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	dingtwin "weeklybot/adapters/dingtalk/twin"
	slacktwin "weeklybot/adapters/slack/twin"
	wecomtwin "weeklybot/adapters/wecom/twin"
	"weeklybot/content"
	"weeklybot/content/source"
	"weeklybot/internal/needs"
)

// twins are the three platforms on loopback.
type twins struct {
	slack    *slacktwin.Twin
	wecom    *wecomtwin.Twin
	dingtalk *dingtwin.Twin
	urls     map[string]string
}

const dingSecret = "SECtwin"

func startTwins(t *testing.T) *twins {
	w := &twins{
		slack:    slacktwin.New(slacktwin.Options{BotToken: "xoxb-twin", SigningSecret: "signing"}),
		wecom:    wecomtwin.New(wecomtwin.Options{Robots: []string{"robot-key"}}),
		dingtalk: dingtwin.New(dingtwin.Options{Robots: []dingtwin.Robot{{Token: "robot-token", Secret: dingSecret}}}),
		urls:     map[string]string{},
	}
	for name, h := range map[string]http.Handler{"slack": w.slack, "wecom": w.wecom, "dingtalk": w.dingtalk} {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		w.urls[name] = srv.URL
	}
	w.slack.SetURL(w.urls["slack"])
	return w
}

// config points content at the shared newsletters and every adapter at its twin.
func (w *twins) config(shared, series, redisURL string) string {
	return fmt.Sprintf(`
listen: 127.0.0.1:0
redis: {url: %q, prefix: %q}
content:
  sources:
    - {name: seeds, kind: folder, path: %q}
    - {name: corpus, kind: folder, path: %q, exclude: ["gold/**", "licenses/**"]}
adapters:
  slack: {bot_token: xoxb-twin, signing_secret: signing, api_url: "%[5]s/api/"}
  wecom: {api_url: %[6]q}
  dingtalk: {oapi_url: %[7]q}
channels:
  - {name: slack-app, platform: slack, kind: app, address: C0GENERAL}
  - {name: slack-hook, platform: slack, kind: webhook, url: "%[5]s/services/T0/B0/hook"}
  - {name: wecom-robot, platform: wecom, kind: webhook, url: "%[6]s/cgi-bin/webhook/send?key=robot-key"}
  - {name: ding-robot, platform: dingtalk, kind: webhook, url: "%[7]s/robot/send?access_token=robot-token", secret: %[8]s}
subscriptions:
  - {channel: slack-app, series: [%[9]s], schedule: "* * * * *"}
  - {channel: slack-hook, series: [%[9]s], schedule: "* * * * *"}
  - {channel: wecom-robot, series: [%[9]s], schedule: "* * * * *"}
  - {channel: ding-robot, series: [%[9]s], schedule: "* * * * *"}
`, redisURL, fmt.Sprintf("t%d", time.Now().UnixNano()), filepath.Join(shared, "seeds"), filepath.Join(shared, "corpus"),
		w.urls["slack"], w.urls["wecom"], w.urls["dingtalk"], dingSecret, series)
}

// posts is the text of every post by channel.
func (w *twins) posts() map[string][]string {
	m := map[string][]string{}
	for _, p := range w.slack.Posts() {
		m["slack "+p.Kind] = append(m["slack "+p.Kind], html.UnescapeString(shownIn(p.Message.Blocks)))
	}
	for _, p := range w.wecom.Posts() {
		m["wecom"] = append(m["wecom"], p.Content)
	}
	for _, p := range w.dingtalk.Posts() {
		m["dingtalk"] = append(m["dingtalk"], p.Text)
	}
	return m
}

// shownIn collects every text of Slack blocks.
func shownIn(v any) string {
	var b strings.Builder
	switch v := v.(type) {
	case []map[string]any:
		for _, e := range v {
			b.WriteString(shownIn(e))
		}
	case []any:
		for _, e := range v {
			b.WriteString(shownIn(e))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if text, ok := v[key].(string); ok && key == "text" {
				b.WriteString(text + "\n")
			} else {
				b.WriteString(shownIn(v[key]))
			}
		}
	}
	return b.String()
}

// squeezed leaves letters and digits: what renderers may not change.
func squeezed(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFKC.String(s))
}

// newestOf is the newest issue with items of a series in the shared corpus.
func newestOf(t *testing.T, shared, series string) *content.Issue {
	t.Helper()
	issues, faults := source.Load(t.Context(), []string{filepath.Join(shared, "corpus", series)})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	issue := content.NewLibrary(issues, nil).Latest(series)
	if issue == nil {
		t.Fatalf("no issue of %s", series)
	}
	return issue
}

// One scheduled run brings the newest issue to every platform once: every item present, nothing refused by the platforms.
func TestScheduledRunReachesEveryPlatformOnce(t *testing.T) {
	t.Parallel()
	for _, series := range []string{"cloud-native-weekly", "this-week-in-rust"} {
		for _, store := range []string{"embedded", "redis"} {
			t.Run(series+"/"+store, func(t *testing.T) {
				t.Parallel()
				shared, redisURL := needs.Shared(t), ""
				if store == "redis" {
					redisURL = needs.Redis(t)
				}
				w := startTwins(t)
				dir := t.TempDir()
				write(t, dir, "config.yaml", w.config(shared, series, redisURL))
				p := start(t, dir)
				issue := newestOf(t, shared, series)
				var quiet time.Time
				last := 0
				p.wait("posts in every channel, and then none for 70 s", 8*time.Minute, func() bool {
					posts := w.posts()
					n := 0
					for _, list := range posts {
						n += len(list)
					}
					if n != last || len(posts) < 4 {
						last, quiet = n, time.Now()
					}
					return time.Since(quiet) > 70*time.Second // the next occurrence has passed: nothing new, nothing sent
				})
				p.stop()
				for channel, list := range w.posts() {
					checkDigest(t, channel, list, issue)
				}
				if len(w.slack.Refused()) > 0 || len(w.wecom.Refused()) > 0 || len(w.dingtalk.Refused()) > 0 {
					t.Errorf("refused: slack %v, wecom %v, dingtalk %v", w.slack.Refused(), w.wecom.Refused(), w.dingtalk.Refused())
				}
			})
		}
	}
}

// checkDigest looks for every item in the posts of one channel, and for posts that came twice.
func checkDigest(t *testing.T, channel string, posts []string, issue *content.Issue) {
	t.Helper()
	seen := map[string]bool{}
	for _, p := range posts {
		if seen[p] {
			t.Errorf("%s: a part arrived twice", channel)
		}
		seen[p] = true
	}
	all := squeezed(strings.Join(posts, "\n"))
	missing := 0
	for _, section := range issue.Sections {
		if section.Kind == content.SectionMeta {
			continue
		}
		for _, it := range section.Items {
			if title := squeezed(it.Title); !strings.Contains(all, title) {
				if missing++; missing <= 3 {
					t.Errorf("%s: item of line %d is missing: %s", channel, it.Line, it.Title)
				}
			}
		}
	}
	if missing > 3 {
		t.Errorf("%s: %d items are missing in all", channel, missing)
	}
	t.Logf("%s: %d parts for %d items", channel, len(posts), issue.ItemCount())
}

// A subscription typed at the prompt survives kill -9 of the program.
func TestSubscriptionSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "news/weekly-1.md", "---\ntitle: Weekly 1\ndate: 2026-11-16\n---\n\n## News\n\n- [eBPF in practice](https://example.org/ebpf) explains maps.\n")
	write(t, dir, "config.yaml", "listen: 127.0.0.1:0\nlang: en\ncontent: {sources: [{name: news, kind: folder, path: news}]}\n")
	p := start(t, dir)
	p.ask("/hot ebpf", "https://example.org/ebpf")
	p.ask(`/subscribe all "* * * * *"`, "Subscribed: #1")
	p.kill()
	p = start(t, dir)
	p.ask("/subscriptions", "Subscribed here (1)")
	p.wait("the digest", 90*time.Second, func() bool { return strings.Count(p.out.String(), "https://example.org/ebpf") == 1 })
	p.stop()
}
