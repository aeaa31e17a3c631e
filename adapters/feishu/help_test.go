package feishu

import (
	"bytes"
	"context"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"html"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"weeklybot/adapters/feishu/twin"
	"weeklybot/bot"
)

func htmlUnescape(s string) string { return html.UnescapeString(s) }

// sealWith encrypts an event the way the platform does.
func sealWith(c *eventCipher, event string) string {
	pad := 16 - len(event)%16
	text := append([]byte(event), bytes.Repeat([]byte{byte(pad)}, pad)...)
	iv := []byte("0123456789abcdef")
	cipher.NewCBCEncrypter(c.block, iv).CryptBlocks(text, text)
	return base64.StdEncoding.EncodeToString(append(iv, text...))
}

// inbox is the core: it answers what it is told to, when it is told to.
type inbox struct {
	answer bot.Message
	err    error
	hold   chan struct{} // closed = answer now; nil = at once
	mu     sync.Mutex
	got    []bot.Command
	events []bot.Event
	over   error // of the context, after hold
}

func (in *inbox) Command(ctx context.Context, cmd bot.Command) (bot.Message, error) {
	in.mu.Lock()
	in.got = append(in.got, cmd)
	in.mu.Unlock()
	if in.hold != nil {
		<-in.hold
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.over = ctx.Err()
	return in.answer, in.err
}

func (in *inbox) Event(_ context.Context, ev bot.Event) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.events = append(in.events, ev)
	return in.err
}

func (in *inbox) commands() []bot.Command {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.got
}

// fails makes the core fail from now on.
func (in *inbox) fails(err error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.err = err
}

// takeEvents are the events since the last call.
func (in *inbox) takeEvents() []bot.Event {
	in.mu.Lock()
	defer in.mu.Unlock()
	events := in.events
	in.events = nil
	return events
}

func hello() bot.Message {
	return bot.Message{Title: "ebpf", Blocks: []bot.Block{{Kind: bot.BlockText, Text: "3 条结果"}}}
}

// stage is a bot and a twin that can reach each other.
type stage struct {
	twin *twin.Twin
	hook string // the bot's /feishu/events
	url  string // of the twin
	a    *Adapter
	in   *inbox
	log  *lockedLog
}

func newStage(t testing.TB, opt twin.Options, change func(*Config)) *stage {
	t.Helper()
	opt.AppID, opt.AppSecret, opt.EventToken, opt.EncryptKey = "cli_test", testAppSecret, testEventToken, testEncryptKey
	opt.HookTimeout = time.Minute // a busy machine is no fault of the bot's
	s := &stage{twin: twin.New(opt), in: &inbox{answer: hello()}, log: &lockedLog{}}
	platform := httptest.NewServer(s.twin)
	t.Cleanup(platform.Close)
	cfg := testConfig(platform.URL)
	if change != nil {
		change(&cfg)
	}
	a, err := New(cfg, Deps{Log: slog.New(slog.NewTextHandler(s.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	a.socketGrace = time.Minute
	server := httptest.NewServer(a.Hook(s.in))
	t.Cleanup(server.Close)
	s.a, s.hook, s.url = a, server.URL+"/feishu/events", platform.URL
	return s
}

type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// eventually polls, with a deadline for hangs only.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never happened: %s", what)
}

// issueOf is a digest of n items with Chinese titles and real-looking links.
func issueOf(n int, text string) bot.Message {
	msg := bot.Message{Title: "云原生周报 第 300 期", Lang: "zh"}
	for k := range n {
		if k%15 == 0 {
			msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockHeading, Text: fmt.Sprintf("栏目 %d", k/15)})
		}
		msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockItem, Title: fmt.Sprintf("第%03d条：服务网格与可观测性的一些进展", k),
			URL: fmt.Sprintf("https://example.org/news/2026/11/%03d-service-mesh-and-observability", k), Text: text})
	}
	msg.Blocks = append(msg.Blocks, bot.Block{Kind: bot.BlockLinks, Links: []bot.Link{{Text: "在线阅读", URL: "https://example.org/weekly/300"}}})
	return msg
}
