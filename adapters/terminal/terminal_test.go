package terminal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"

	"weeklybot/bot"
	"weeklybot/bot/adaptertest"
)

func newTest(t *testing.T, out io.Writer, lang string) *Adapter {
	t.Helper()
	a, err := New(Config{Lang: lang}, Deps{Out: out})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestContract(t *testing.T) {
	adaptertest.Run(t, adaptertest.Harness{
		New:     func(t *testing.T, _ string) bot.Adapter { return newTest(t, io.Discard, "en") },
		Sockets: []bot.Kind{prompt},
		Inspect: func(t *testing.T, _ bot.Kind, body []byte) adaptertest.Seen {
			var p struct{ Text string }
			if err := json.Unmarshal(body, &p); err != nil {
				t.Fatal(err)
			}
			seen := adaptertest.Seen{Text: p.Text}
			for l := range strings.Lines(p.Text) {
				for word := range strings.FieldsSeq(l) {
					if u, err := url.Parse(word); err == nil && strings.HasPrefix(u.Scheme, "http") && u.Host != "" {
						seen.Links = append(seen.Links, word)
					}
				}
			}
			return seen
		},
		Golden: "testdata",
		Listener: func(t *testing.T, _ string) bot.Listener {
			r, _ := io.Pipe() // nobody types
			return NewPrompt(r, newTest(t, io.Discard, "en"), nil)
		},
	})
}

func TestTextLayout(t *testing.T) {
	long := strings.Repeat("一行放不下的长文字，", 7) + "在这里换行。And some English words to follow, up to the very end of it."
	msg := bot.Message{
		Title: "周报 Weekly",
		Blocks: []bot.Block{
			{Kind: bot.BlockText, Text: "Opening\nlines"},
			{Kind: bot.BlockHeading, Text: "网络"},
			{Kind: bot.BlockItem, Title: "First", URL: "https://example.org/1", Text: long},
			{Kind: bot.BlockItem, Title: "Nested", URL: "https://example.org/n", Level: 1, Text: "inside"},
			{Kind: bot.BlockItem, Text: "no title"},
			{Kind: bot.BlockItem, URL: "https://example.org/only"},
			{Kind: bot.BlockNote, Text: "small", Links: []bot.Link{{Text: "more", URL: "https://example.org/more"}}},
			{Kind: bot.BlockDivider},
			{Kind: bot.BlockNote, Text: "footer"},
			{Kind: "chart", Title: "Chart", Text: "▁▂▃", URL: "https://example.org/c"},
		},
	}
	want := `周报 Weekly
===========

Opening
lines

网络
----

1. First
   https://example.org/1
   一行放不下的长文字，一行放不下的长文字，一行放不下的长文字，一行放不下的长文字，一行放不下的长文
   字，一行放不下的长文字，一行放不下的长文字，在这里换行。And some English words to follow, up to
   the very end of it.
   - Nested
     https://example.org/n
     inside

2. no title

3. https://example.org/only
   small
   - more
     https://example.org/more

--------------------------------------------------

footer

Chart
https://example.org/c
▁▂▃
`
	if diff := cmp.Diff(want, Text(msg)); diff != "" {
		t.Errorf("Text (-want +got):\n%s", diff)
	}
}

func TestLinesAreNarrow(t *testing.T) {
	for name, msg := range adaptertest.Samples() {
		for l := range strings.Lines(Text(msg)) {
			l = strings.TrimRight(l, "\n")
			if w := uniseg.StringWidth(l); w > columns && strings.ContainsAny(strings.TrimSpace(l), " ，") && !strings.Contains(l, "https://") {
				t.Errorf("%s: a line is %d columns wide: %s", name, w, l)
			}
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("标题", "text \x1b[2J\nand more", "https://example.org/\x07")
	f.Add("\u202ea\r\nb", strings.Repeat("长", 200), "javascript:x")
	f.Fuzz(func(t *testing.T, title, text, link string) {
		msg := bot.Message{Title: title, Blocks: []bot.Block{
			{Kind: bot.BlockItem, Title: title, Text: text, URL: link},
			{Kind: bot.BlockHeading, Text: text},
			{Kind: bot.BlockNote, Text: text, Links: []bot.Link{{Text: title, URL: link}}},
		}}
		got := Text(msg)
		if i := strings.IndexFunc(got, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 }); i >= 0 {
			t.Errorf("a control character is left: %q", got[i:])
		}
		if plain := stripStyles(layOut(msg).ansi()); plain != got {
			t.Errorf("colours change the text:\n%q\n%q", plain, got)
		}
	})
}

func stripStyles(s string) string {
	return strings.NewReplacer(string(bold), "", string(dim), "", reset, "").Replace(s)
}

func TestSend(t *testing.T) {
	var out bytes.Buffer
	a := newTest(t, &out, "en")
	msg := bot.Message{Title: "Hello", Blocks: []bot.Block{{Kind: bot.BlockText, Text: "world"}}}
	if _, err := a.Send(t.Context(), Channel(), bot.Post{Part: 2, Parts: 3, Message: msg}); err != nil {
		t.Fatal(err)
	}
	if want := "Hello (2/3)\n===========\n\nworld\n\n"; out.String() != want {
		t.Errorf("written %q, want %q", out.String(), want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out.Reset()
	_, err := a.Send(ctx, Channel(), bot.Post{Message: msg})
	if fault, ok := errors.AsType[*bot.SendError](err); !ok || !errors.Is(err, context.Canceled) || fault.MaybeSent || out.Len() > 0 {
		t.Errorf("Send with a context that is over = %v, wrote %q", err, out.String())
	}
	_, err = newTest(t, closed{}, "en").Send(t.Context(), Channel(), bot.Post{Message: msg})
	if fault, ok := errors.AsType[*bot.SendError](err); !ok || fault.Fault != bot.Retryable || !fault.MaybeSent {
		t.Errorf("Send to a closed terminal = %v", err)
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, os.ErrClosed }

// once is a writer that keeps its writes apart.
type once struct {
	mu     sync.Mutex
	writes []string
}

func (o *once) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writes = append(o.writes, string(p))
	return len(p), nil
}

func TestMessagesAreWrittenWhole(t *testing.T) {
	out := &once{}
	a := newTest(t, out, "en")
	var all sync.WaitGroup
	for k := range 50 {
		all.Go(func() {
			msg := bot.Message{Title: fmt.Sprint("message ", k), Blocks: []bot.Block{{Kind: bot.BlockText, Text: strings.Repeat("text\n", 200)}}}
			if _, err := a.Send(t.Context(), Channel(), bot.Post{Part: 1, Parts: 1, Message: msg}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(out.writes) != 50 {
		t.Errorf("%d writes for 50 messages", len(out.writes))
	}
}

func TestNoColoursOffTerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if wantsANSI(file) || wantsANSI(&bytes.Buffer{}) {
		t.Error("colours for what is no terminal")
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "1")
	if wantsANSI(null) {
		t.Error("colours though NO_COLOR is set")
	}
}

// echo answers each command with its text, in a title.
type echo struct {
	mu       sync.Mutex
	commands []bot.Command
	err      error
}

func (e *echo) Command(_ context.Context, cmd bot.Command) (bot.Message, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.commands = append(e.commands, cmd)
	return bot.Message{Blocks: []bot.Block{{Kind: bot.BlockText, Text: "answer to " + cmd.Text}}}, e.err
}

func (e *echo) Event(context.Context, bot.Event) error { return nil }

func TestPrompt(t *testing.T) {
	for _, c := range []struct{ name, lang, in, want string }{
		{"commands", "en", "/hot ebpf\n/help\n", "answer to /hot ebpf\n\nanswer to /help\n\n"},
		{"white space", "en", "\n  \r\n  /hot  \r\n", "answer to /hot\n\n"},
		{"last line without end", "en", "/help", "answer to /help\n\n"},
		{"at the limit", "en", strings.Repeat("a", maxLine) + "\n", "answer to\n" + strings.Repeat("a", maxLine) + "\n\n"},
		{"too long", "en", strings.Repeat("a", maxLine+1) + "\n/help\n", lineTooLong["en"] + "\n\nanswer to /help\n\n"},
		{"far too long", "zh", strings.Repeat("周", 1<<20) + "\n/help\n", lineTooLong["zh"] + "\n\nanswer to /help\n\n"},
		{"too long without end", "zh", strings.Repeat("a", 1<<20), lineTooLong["zh"] + "\n\n"},
		{"control characters", "en", "/hot \x1b[2J\xffebpf\n", "answer to /hot [2Jebpf\n\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				out, in := &once{}, &echo{}
				done := make(chan error)
				go func() { done <- NewPrompt(strings.NewReader(c.in), newTest(t, out, c.lang), nil).Listen(ctx, in) }()
				synctest.Wait()
				select {
				case err := <-done:
					t.Errorf("the end of the input ended Listen: %v", err)
				default:
				}
				cancel()
				if err := <-done; err != nil {
					t.Errorf("Listen = %v", err)
				}
				if diff := cmp.Diff(c.want, strings.Join(out.writes, "")); diff != "" {
					t.Errorf("written (-want +got):\n%s", diff)
				}
				seen := map[string]bool{}
				for _, cmd := range in.commands {
					if seen[cmd.ID] || cmd.ID == "" || cmd.Member.ID != "terminal" || !cmd.Member.Admin || cmd.Channel.Address != "prompt" || cmd.Channel.Adapter != "terminal" || cmd.At.IsZero() {
						t.Errorf("command %+v", cmd)
					}
					seen[cmd.ID] = true
				}
			})
		})
	}
}

func TestPromptStopsWhileNobodyTypes(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	for name, in := range map[string]io.Reader{"file": r, "pipe": first(io.Pipe())} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- NewPrompt(in, newTest(t, io.Discard, "en"), nil).Listen(ctx, &echo{}) }()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("%s: Listen = %v", name, err)
		}
	}
}

func first[A, B any](a A, _ B) A { return a }

func TestPromptShowsItsSignOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &once{}
		a := newTest(t, out, "en")
		a.ansi = true
		r, w := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- NewPrompt(r, a, nil).Listen(ctx, &echo{}) }()
		synctest.Wait()
		a.Send(t.Context(), Channel(), bot.Post{Part: 1, Parts: 1, Message: bot.Message{Title: "News"}})
		io.WriteString(w, "/hot\n")
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		want := []string{
			sign,
			clearLine + string(bold) + "News" + reset + "\n" + string(dim) + "====" + reset + "\n\n" + sign,
			"answer to /hot\n\n",
			sign,
		}
		if diff := cmp.Diff(want, out.writes); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
	})
}
