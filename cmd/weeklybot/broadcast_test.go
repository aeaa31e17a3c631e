package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"weeklybot/internal/needs"
)

// An administrator drafts a broadcast at the prompt, confirms it, sees it arrive once on three platforms, and takes it back where that is
// possible; with the program killed in between.
func TestBroadcastIsSentAndRecalled(t *testing.T) {
	for _, store := range []string{"embedded", "redis"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			shared, redisURL := needs.Shared(t), ""
			if store == "redis" {
				redisURL = needs.Redis(t)
			}
			w := startTwins(t)
			dir := t.TempDir()
			config := "lang: en\nadmins: [terminal]\n" + strings.ReplaceAll(w.config(shared, "this-week-in-rust", redisURL), `"* * * * *"`, `"0 9 1 1 *"`)
			write(t, dir, "config.yaml", config)
			p := start(t, dir)
			p.ask("/broadcast all The canteen is closed on Friday", "Draft b1: to 4 channels")
			token := regexp.MustCompile(`confirm b1 ([a-z2-7]{8})`).FindStringSubmatch(p.out.String())
			if token == nil {
				t.Fatalf("no token in %s", p.out)
			}
			p.ask("/broadcast confirm b1 "+token[1], "b1 is approved")
			p.kill() // approved is approved
			p = start(t, dir)
			arrived := func() (n int) {
				for _, posts := range w.posts() {
					n += strings.Count(strings.Join(posts, "\n"), "canteen")
				}
				return n
			}
			p.wait("posts in four channels", time.Minute, func() bool { return arrived() >= 4 })
			again := time.Now()
			p.wait("the end of the broadcast", time.Minute, func() bool {
				if time.Since(again) > time.Second {
					p.ask("/broadcast report b1", "b1 ·")
					again = time.Now()
				}
				return strings.Contains(p.out.String(), "b1 · done")
			})
			p.ask("/recall b1", "Taking b1 back")
			p.wait("the app's post to be deleted", time.Minute, func() bool { return len(w.posts()["slack app"]) == 0 })
			p.wait("a report of the recall", time.Minute, func() bool {
				if time.Since(again) > time.Second {
					p.ask("/broadcast report b1", "b1 ·")
					again = time.Now()
				}
				return strings.Contains(p.out.String(), "recalled 1 · left out 3")
			})
			if n := arrived(); n != 3 {
				t.Errorf("%d posts stand, want those of the three webhooks", n)
			}
			p.stop()
		})
	}
}
