package web

import (
	"context"
	"flag"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"weeklybot/internal/needs"
)

var pictures = flag.String("pictures", "", "folder to write screenshots of the pages to")

var browser struct {
	once sync.Once
	ctx  context.Context
	stop []context.CancelFunc
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	for i := len(browser.stop) - 1; i >= 0; i-- {
		browser.stop[i]()
	}
	os.Exit(code)
}

// tab is a new tab of the one browser that the tests of this binary share.
func tab(t *testing.T) context.Context {
	t.Helper()
	path := needs.Chromium(t)
	browser.once.Do(func() {
		options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
		allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, stop := chromedp.NewContext(allocator)
		browser.ctx, browser.stop = ctx, []context.CancelFunc{stopAllocator, stop}
		browser.err = chromedp.Do(ctx, chromedp.Navigate("about:blank"))
	})
	if browser.err != nil {
		t.Fatal(browser.err)
	}
	ctx, stop := chromedp.NewContext(browser.ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	ctx, stopTime := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(stopTime)
	return ctx
}

// TestPagesInABrowser opens every page at both widths: it must be wholly visible without moving sideways, and the console silent.
func TestPagesInABrowser(t *testing.T) {
	server := httptest.NewServer(New(samples(t)))
	defer server.Close()
	for name, path := range map[string]string{
		"home": "/", "search": "/?q=ebpf", "nothing": "/?q=kubernets+qqqq", "issue": issueURL("云原生拾遗/#4"), "issue-en": "/issue/platform-letter/%2312?lang=en", "missing": "/nope",
	} {
		for width, kind := range map[int64]string{1280: "desktop", 390: "phone"} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				ctx := tab(t)
				messages := chromedp.Console(ctx)
				if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 844), chromedp.Navigate(server.URL+path)); err != nil {
					t.Fatal(err)
				}
				over := eval[int64](t, ctx, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
				if over > 0 {
					t.Errorf("the page is %d px wider than the window", over)
				}
				if font := eval[string](t, ctx, `getComputedStyle(document.body).maxWidth`); font == "none" {
					t.Error("the style sheet is not used")
				}
				if name != "missing" {
					silent(t, ctx, messages)
				}
				picture(t, ctx, name+"-"+kind)
			})
		}
	}
}

// silent fails for everything that the page wrote to the console before a last message of our own.
func silent(t *testing.T, ctx context.Context, messages func(func(chromedp.ConsoleMessage, error) bool)) {
	t.Helper()
	eval[any](t, ctx, `console.log("the end") || null`)
	for m, err := range messages {
		if err != nil {
			t.Fatal(err)
		}
		if m.Text == "the end" {
			return
		}
		t.Errorf("console: %s %s", m, m.URL)
	}
}

func TestSearchInABrowser(t *testing.T) {
	server := httptest.NewServer(New(samples(t)))
	defer server.Close()
	ctx := tab(t)
	err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/?lang=en"), chromedp.SendKeys(chromedp.CSS("#q"), "istio"),
		chromedp.Click(chromedp.CSS("button")), chromedp.WaitVisible(chromedp.CSS(".hits")))
	if err != nil {
		t.Fatal(err)
	}
	if n := eval[int64](t, ctx, `document.querySelectorAll(".hits > li").length`); n < 2 {
		t.Errorf("%d hits", n)
	}
	if at := eval[string](t, ctx, `location.search`); at != "?q=istio&lang=en" {
		t.Errorf("at %s", at)
	}
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(".hits .where a")), chromedp.WaitVisible(chromedp.CSS("article"))); err != nil {
		t.Fatal(err)
	}
	if n := eval[int64](t, ctx, `document.querySelectorAll("article .items > li").length`); n < 5 {
		t.Errorf("%d items of the issue", n)
	}
}

// TestAttacksInABrowser sets a trap that anything run by a page would spring.
func TestAttacksInABrowser(t *testing.T) {
	for _, attack := range attacks {
		lib := hostile(attack, `javascript:document.title="sprung"`)
		server := httptest.NewServer(New(over(lib)))
		ctx := tab(t)
		for _, path := range []string{"/", "/?q=" + url.QueryEscape(attack), issueURL(lib.Issues()[0].Key())} {
			if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+path)); err != nil {
				t.Fatal(err)
			}
			if n := eval[int64](t, ctx, `document.querySelectorAll("script, img, svg, [onerror], [onload], [onmouseover]").length`); n > 0 {
				t.Errorf("%s with %q: %d elements that are not ours", path, attack, n)
			}
		}
		server.Close()
	}
}

func TestDarkMode(t *testing.T) {
	css, err := os.ReadFile("static/style.css")
	if err != nil || len(css) > 8<<10 {
		t.Errorf("%v, %d bytes", err, len(css))
	}
	server := httptest.NewServer(New(samples(t)))
	defer server.Close()
	ctx := tab(t)
	colours := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		if err := chromedp.Do(ctx, emulateScheme(scheme), chromedp.Navigate(server.URL)); err != nil {
			t.Fatal(err)
		}
		colours[eval[string](t, ctx, `getComputedStyle(document.body).backgroundColor`)] = true
		picture(t, ctx, "home-"+scheme)
	}
	if len(colours) != 2 {
		t.Errorf("light and dark look the same: %v", colours)
	}
}

func eval[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return v
}

func picture(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	if *pictures == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// emulateScheme lets the browser prefer light or dark pages.
func emulateScheme(scheme string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		return cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
	}
}
