package main

import (
	"bytes"
	"context"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"weeklybot/adapters/dingtalk"
	dingtwin "weeklybot/adapters/dingtalk/twin"
	"weeklybot/adapters/slack"
	slacktwin "weeklybot/adapters/slack/twin"
	"weeklybot/adapters/wecom"
	wecomtwin "weeklybot/adapters/wecom/twin"
	"weeklybot/bot"
	"weeklybot/bot/digest"
	"weeklybot/content/parse"
	"weeklybot/internal/needs"
)

var newPicture = flag.Bool("picture", false, "take the picture of the README anew")

const (
	pictureFile     = "../../docs/digest.png"
	maxPictureBytes = 300_000
	pictureIssue    = "content/samples/cloud-native-notes/2026-11-16-issue-04.md"
	columnWidth     = 400 // pixels
	columnHeight    = 700
	columnGap       = 12
)

// shop is one platform's stand-in with the bot's adapter in front of it.
type shop struct {
	page    string // of the stand-in
	adapter bot.Adapter
	channel bot.Channel
}

// TestPicture sends the digest of a sample issue to the three stand-ins and looks at their pages in a browser; what it sees there is the
// picture of the README.
func TestPicture(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", pictureIssue))
	if err != nil {
		t.Fatal(err)
	}
	issue := parse.Parse(pictureIssue, data, parse.Options{})
	ctx := startBrowser(t, time.Minute)
	var columns []image.Image
	for _, s := range shops(t) {
		deliverTo(t, s, digest.Issue(issue, bot.StyleBrief, "zh", 0))
		columns = append(columns, look(t, ctx, s.page, issue.Sections[0].Items[0].Title))
	}
	if *newPicture {
		save(t, columns)
	}
	picture, err := os.ReadFile(pictureFile)
	if err != nil || len(picture) > maxPictureBytes {
		t.Fatalf("%v; %d bytes, want at most %d: go test ./cmd/weeklybot -run Picture -picture", err, len(picture), maxPictureBytes)
	}
	if _, err := png.Decode(bytes.NewReader(picture)); err != nil {
		t.Error(err)
	}
}

func shops(t *testing.T) []shop {
	t.Helper()
	slackTwin, wecomTwin := slacktwin.New(slacktwin.Options{}), wecomtwin.New(wecomtwin.Options{})
	dingTwin := dingtwin.New(dingtwin.Options{Robots: []dingtwin.Robot{{Name: "weekly", Token: "demo", Secret: "SECdemo"}}})
	slackURL, wecomURL, dingURL := servePage(t, slackTwin), servePage(t, wecomTwin), servePage(t, dingTwin)
	log := slog.New(slog.DiscardHandler)
	slackBot, err1 := slack.New(slack.Config{BotToken: "xoxb-demo", SigningSecret: "s", APIURL: slackURL + "/api/"}, slack.Deps{Log: log})
	wecomBot, err2 := wecom.New(wecom.Config{APIURL: wecomURL}, wecom.Deps{Log: log})
	dingBot, err3 := dingtalk.New(dingtalk.Config{OAPIURL: dingURL}, dingtalk.Deps{Log: log})
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return []shop{
		{slackURL, slackBot, bot.Channel{Adapter: slack.Name, Kind: slack.KindApp, Address: "C0GENERAL"}},
		{wecomURL, wecomBot, bot.Channel{Adapter: wecom.Name, Kind: wecom.KindWebhook, Address: "team", URL: "demo"}},
		{dingURL, dingBot, bot.Channel{
			Adapter: dingtalk.Name, Kind: dingtalk.KindWebhook, Address: "team", URL: bot.Secret(dingURL + "/robot/send?access_token=demo"), Secret: "SECdemo",
		}},
	}
}

func deliverTo(t *testing.T, s shop, msg bot.Message) {
	t.Helper()
	parts := s.adapter.Split(s.channel.Kind, msg)
	post := bot.Post{Key: bot.DeliveryKey("picture"), Parts: len(parts)}
	for i, part := range parts {
		post.Part, post.Message = i+1, part
		receipt, err := s.adapter.Send(t.Context(), s.channel, post)
		if err != nil {
			t.Fatalf("%s: %v", s.adapter.Name(), err)
		}
		if i == 0 {
			post.First = receipt
		}
	}
}

// look opens a stand-in's page: it must show want and fit a narrow window.
func look(t *testing.T, ctx context.Context, page, want string) image.Image {
	t.Helper()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(columnWidth, columnHeight), chromedp.Navigate(page)); err != nil {
		t.Fatal(err)
	}
	const fromTheTop = `for (const e of document.querySelectorAll("*")) { e.scrollTop = 0 }; scrollTo(0, 0); document.body.innerText`
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](fromTheTop))
	if err != nil || !strings.Contains(text, want) {
		t.Errorf("%s: %v, and no %q in:\n%s", page, err, want, text)
	}
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// save puts the columns side by side.
func save(t *testing.T, columns []image.Image) {
	t.Helper()
	whole := image.NewRGBA(image.Rect(0, 0, len(columns)*(columnWidth+columnGap)-columnGap, columnHeight))
	draw.Draw(whole, whole.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	for i, c := range columns {
		left := i * (columnWidth + columnGap)
		draw.Draw(whole, image.Rect(left, 0, left+columnWidth, columnHeight), c, c.Bounds().Min, draw.Src)
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, whole); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(pictureFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

func servePage(t *testing.T, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func startBrowser(t *testing.T, patience time.Duration) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(needs.Chromium(t)), chromedp.NoSandbox)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stopAllocator)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	ctx, stopTime := context.WithTimeout(ctx, patience)
	t.Cleanup(stopTime)
	return ctx
}
